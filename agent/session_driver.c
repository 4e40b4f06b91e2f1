/* The loop around the session machine: events in from the wire and the timer, effects out to the wire and the owner. An event that comes up
 * while effects are being carried out waits in a queue until they are done. */
#include "agent/session_driver.h"

#include <stdlib.h>
#include <string.h>

#include "agent/description.h"
#include "agent/session_wire.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "proto/message.h"
#include "proto/swarmkit/dispatcher.pb-c.h"
#include "proto/swarmkit/logbroker.pb-c.h"

typedef Docker__Swarmkit__V1__SessionMessage SessionMessage;
typedef Docker__Swarmkit__V1__AssignmentsMessage AssignmentsMessage;
typedef Docker__Swarmkit__V1__NodeDescription Description;

#define EVENTS_COUNT 32 /* waiting at once: one per effect that failed, and one of each kind from the owner */

struct session_driver {
    uv_timer_t timer;
    struct clock clock;
    struct random random;
    struct remotes *remotes;
    struct session_listener listener;

    struct session session;
    struct session_wire *wire;
    struct assignments *assignments;
    struct reporter *reporter;
    struct log_publisher *logs;

    struct session_event events[EVENTS_COUNT];
    size_t event_count;
    bool is_driving, is_pump_wanted;
    struct error effect_error; /* behind the text of a waiting event */

    SessionMessage *session_message; /* of the event being carried out */
    AssignmentsMessage *assignments_message;

    char *manager_id, *manager_addr; /* last dialled; NULL before */
    struct arena description_arena;  /* of the description last sent */
    Description *description;
    uint64_t describe_ns; /* when to look again */
    int64_t heartbeat_period_ns;
    enum session_state shown_state;
    int shown_error;
};

static void drive(struct session_driver *d, const struct session_event *event);

static uint64_t now_of(const struct session_driver *d)
{
    return clock_monotonic_ns(&d->clock);
}

/* The timer: one for everything that has a time. */

static void on_timer(uv_timer_t *timer);

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static bool is_registered(const struct session_driver *d)
{
    return d->session.machine.state == SESSION_RUNNING;
}

static void arm(struct session_driver *d)
{
    uint64_t now_ns = now_of(d), wake_ns = earlier(session_wake_ns(&d->session), reporter_wake_ns(d->reporter));

    if (uv_is_closing((uv_handle_t *)&d->timer))
        return;
    if (is_registered(d))
        wake_ns = earlier(wake_ns, d->describe_ns);
    if (d->is_pump_wanted)
        wake_ns = now_ns;
    if (wake_ns == UINT64_MAX) {
        (void)uv_timer_stop(&d->timer);
        return;
    }
    uv_update_time(d->timer.loop);
    (void)uv_timer_start(&d->timer, on_timer, wake_ns <= now_ns ? 0 : (wake_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS, 0);
}

/* Description. */

static void renew_description(struct session_driver *d)
{
    arena_deinit(&d->description_arena);
    d->description = d->listener.describe(d->listener.ctx, &d->description_arena);
    d->describe_ns = now_of(d) + DESCRIPTION_REFRESH_MS * NS_PER_MS;
}

static void refresh_description(struct session_driver *d)
{
    cleanup_arena struct arena arena = {0};
    Description *now = d->listener.describe(d->listener.ctx, &arena);
    bool changed = d->description && !description_equal(d->description, now);

    d->describe_ns = now_of(d) + DESCRIPTION_REFRESH_MS * NS_PER_MS;
    if (changed)
        drive(d, &(struct session_event){.type = SESSION_EV_DESCRIPTION_CHANGED});
}

/* Effects. */

static void dial(struct session_driver *d, uint32_t tag)
{
    const struct remote *remote;

    if (remotes_select(d->remotes, &d->random, NULL, 0, &remote, &d->effect_error) == 0) {
        free(d->manager_id);
        free(d->manager_addr);
        d->manager_id = mem_string(remote->node_id ? remote->node_id : "");
        d->manager_addr = mem_string(remote->addr);
        if (session_wire_dial(d->wire, d->manager_addr, tag, &d->effect_error) == 0)
            return;
    }
    drive(d, &(struct session_event){.type = SESSION_EV_CHANNEL_FAILED, .tag = tag, .text = d->effect_error.message});
}

static void open_session(struct session_driver *d, uint32_t tag)
{
    Docker__Swarmkit__V1__SessionRequest request = DOCKER__SWARMKIT__V1__SESSION_REQUEST__INIT;

    renew_description(d);
    request.description = d->description;
    request.session_id = d->session.session_id;
    session_wire_call(d->wire, WIRE_SESSION, tag, &request.base);
}

static void open_assignments(struct session_driver *d, uint32_t tag)
{
    Docker__Swarmkit__V1__AssignmentsRequest request = DOCKER__SWARMKIT__V1__ASSIGNMENTS_REQUEST__INIT;

    request.session_id = d->session.session_id;
    session_wire_cancel(d->wire, WIRE_ASSIGNMENTS);
    session_wire_call(d->wire, WIRE_ASSIGNMENTS, tag, &request.base);
}

static void open_subscriptions(struct session_driver *d, uint32_t tag)
{
    Docker__Swarmkit__V1__ListenSubscriptionsRequest request = DOCKER__SWARMKIT__V1__LISTEN_SUBSCRIPTIONS_REQUEST__INIT;

    session_wire_call(d->wire, WIRE_SUBSCRIPTIONS, tag, &request.base);
}

static void send_heartbeat(struct session_driver *d, uint32_t tag)
{
    Docker__Swarmkit__V1__HeartbeatRequest request = DOCKER__SWARMKIT__V1__HEARTBEAT_REQUEST__INIT;

    request.session_id = d->session.session_id;
    d->heartbeat_period_ns = 0;
    session_wire_call(d->wire, WIRE_HEARTBEAT, tag, &request.base);
    log_debug("session", "heartbeat, %llu ms after its time", (unsigned long long)(d->session.stats.heartbeat_late_last_ns / NS_PER_MS));
}

static void close_wire(struct session_driver *d)
{
    log_publisher_session_down(d->logs); /* before the calls it writes to are gone */
    reporter_session_down(d->reporter);
    session_wire_close(d->wire);
}

static bool is_listed(const struct remotes *remotes, const struct remote_told *told)
{
    for (size_t i = 0; i < remotes->count; i++)
        if (text_equal(remotes->list[i].addr, told->addr) && text_equal(remotes->list[i].node_id, told->node_id))
            return true;
    return false;
}

static void learn_managers(struct session_driver *d, const struct session_facts *facts)
{
    struct error err;
    bool changed = facts->manager_count > 0 && facts->manager_count != d->remotes->count;

    for (size_t i = 0; i < facts->manager_count; i++)
        changed = changed || !is_listed(d->remotes, &facts->managers[i]);
    if (remotes_replace(d->remotes, facts->managers, facts->manager_count, &err) < 0)
        log_warn("session", "the list of managers stays as it was: %s", err.message);
    else if (changed && d->listener.on_remotes)
        d->listener.on_remotes(d->listener.ctx);
}

static void deliver_session(struct session_driver *d)
{
    struct session_facts facts;
    struct error err;

    if (session_facts_read(d->session_message, &facts, &err) < 0) {
        log_warn("session", "a message of the manager is left aside: %s", err.message);
        return;
    }
    learn_managers(d, &facts);
    if (d->listener.on_facts)
        d->listener.on_facts(d->listener.ctx, &facts);
    session_facts_deinit(&facts);
}

static void deliver_assignments(struct session_driver *d)
{
    struct assignment_changes changes;

    if (assignments_apply(d->assignments, d->assignments_message, &changes, &d->effect_error) < 0) {
        drive(d, &(struct session_event){
                     .type = SESSION_EV_ASSIGNMENTS_REFUSED, .tag = d->session.assignments_tag, .text = d->effect_error.message});
        return;
    }
    if (changes.skipped_count > 0)
        log_warn("session", "%zu assigned things are left aside: of an unknown kind, or with an id that cannot be one",
                 changes.skipped_count);
    log_debug("session", "%s assignments: %zu tasks, %zu removed", changes.is_complete ? "complete" : "incremental", changes.updated_count,
              changes.removed_count);
    if (d->listener.on_assigned)
        d->listener.on_assigned(d->listener.ctx, &changes);
    assignment_changes_deinit(&changes);
}

static void note(struct session_driver *d, int observation)
{
    if (d->manager_addr)
        remotes_observe_known(d->remotes, d->manager_id, d->manager_addr, observation);
}

static void announce_registration(struct session_driver *d)
{
    log_with(LOG_INFO, "session", LOG_FIELDS({"manager", d->manager_addr}), "registered");
    reporter_session_up(d->reporter, d->session.session_id, now_of(d));
    if (d->listener.on_registered)
        d->listener.on_registered(d->listener.ctx);
}

static void carry_out(struct session_driver *d, struct session_effect effect)
{
    switch (effect.type) {
    case SESSION_DO_DIAL:
        dial(d, effect.tag);
        break;
    case SESSION_DO_OPEN_SESSION:
        open_session(d, effect.tag);
        break;
    case SESSION_DO_OPEN_ASSIGNMENTS:
        open_assignments(d, effect.tag);
        break;
    case SESSION_DO_OPEN_SUBSCRIPTIONS:
        open_subscriptions(d, effect.tag);
        break;
    case SESSION_DO_HEARTBEAT:
        send_heartbeat(d, effect.tag);
        break;
    case SESSION_DO_CLOSE:
        close_wire(d);
        break;
    case SESSION_DO_REGISTERED:
        announce_registration(d);
        break;
    case SESSION_DO_DELIVER_SESSION:
        deliver_session(d);
        break;
    case SESSION_DO_DELIVER_ASSIGNMENTS:
        deliver_assignments(d);
        break;
    case SESSION_DO_NOTE_SUCCESS:
        note(d, REMOTE_SUCCESS);
        break;
    case SESSION_DO_NOTE_FAILURE:
        note(d, REMOTE_FAILURE);
        log_with(LOG_WARN, "session", LOG_FIELDS({"manager", d->manager_addr}), "%s", d->session.error.message);
        break;
    case SESSION_DO_LOST:
        log_info("session", "the session has ended; tasks run on");
        break;
    case SESSION_DO_REMOVED:
        log_error("session", "%s", d->session.error.message);
        break;
    }
}

/* Driving. */

static void show_state(struct session_driver *d)
{
    enum session_state state = (enum session_state)d->session.machine.state;

    if (state == d->shown_state && d->session.error.code == d->shown_error)
        return;
    d->shown_state = state;
    d->shown_error = d->session.error.code;
    if (d->listener.on_state)
        d->listener.on_state(d->listener.ctx, state, &d->session.error);
}

static void step(struct session_driver *d, const struct session_event *event)
{
    struct session_effect effects[SESSION_EFFECTS_COUNT];
    size_t count;

    session_step(&d->session, event, now_of(d));
    count = d->session.effect_count;
    memcpy(effects, d->session.effects, count * sizeof effects[0]);
    for (size_t i = 0; i < count; i++)
        carry_out(d, effects[i]);
    show_state(d);
}

static bool is_waiting_already(const struct session_driver *d, const struct session_event *event)
{
    for (size_t i = 0; i < d->event_count; i++)
        if (d->events[i].type == event->type && d->events[i].tag == event->tag)
            return true;
    return false;
}

static void drive(struct session_driver *d, const struct session_event *event)
{
    if (is_waiting_already(d, event) || d->event_count == EVENTS_COUNT)
        return;
    d->events[d->event_count++] = *event;
    if (d->is_driving)
        return;
    d->is_driving = true;
    while (d->event_count > 0) {
        struct session_event first = d->events[0];
        memmove(&d->events[0], &d->events[1], --d->event_count * sizeof d->events[0]);
        step(d, &first);
    }
    d->is_driving = false;
    arm(d);
}

static void send_reports(struct session_driver *d)
{
    struct bytes batch = reporter_next(d->reporter, now_of(d));

    if (batch.size > 0)
        session_wire_call_packed(d->wire, WIRE_REPORT, d->session.session_tag, batch);
}

static void on_timer(uv_timer_t *timer)
{
    struct session_driver *d = timer->data;

    if (now_of(d) >= session_wake_ns(&d->session))
        drive(d, &(struct session_event){.type = SESSION_EV_TIMER});
    if (is_registered(d) && now_of(d) >= d->describe_ns)
        refresh_description(d);
    send_reports(d);
    if (d->is_pump_wanted)
        d->is_pump_wanted = log_publisher_pump(d->logs);
    arm(d);
}

/* From the wire. */

static void on_ready(void *ctx, uint32_t tag)
{
    drive(ctx, &(struct session_event){.type = SESSION_EV_DIALED, .tag = tag});
}

static void on_failed(void *ctx, uint32_t tag, const char *why)
{
    drive(ctx, &(struct session_event){.type = SESSION_EV_CHANNEL_FAILED, .tag = tag, .text = why});
}

static void on_session_message(struct session_driver *d, uint32_t tag, SessionMessage *message)
{
    d->session_message = message;
    drive(d, &(struct session_event){.type = SESSION_EV_MESSAGE, .tag = tag, .session_id = message->session_id});
    d->session_message = NULL;
    session_facts_wipe(message);
}

static void on_assignments_message(struct session_driver *d, uint32_t tag, AssignmentsMessage *message)
{
    d->assignments_message = message;
    drive(d, &(struct session_event){.type = SESSION_EV_ASSIGNMENTS,
                                     .tag = tag,
                                     .is_complete = message->type == DOCKER__SWARMKIT__V1__ASSIGNMENTS_MESSAGE__TYPE__COMPLETE,
                                     .applies_to = message->applies_to,
                                     .results_in = message->results_in});
    d->assignments_message = NULL;
    assignments_wipe(message);
}

static void on_subscription(struct session_driver *d, const Docker__Swarmkit__V1__SubscriptionMessage *message)
{
    struct error err;

    if (log_publisher_subscription(d->logs, message, &err) < 0)
        log_warn("session", "%s", err.message);
    arm(d);
}

static void on_message(void *ctx, enum wire_call kind, uint32_t tag, ProtobufCMessage *message)
{
    struct session_driver *d = ctx;

    if (kind == WIRE_SESSION)
        on_session_message(d, tag, (SessionMessage *)message);
    else if (kind == WIRE_ASSIGNMENTS)
        on_assignments_message(d, tag, (AssignmentsMessage *)message);
    else if (kind == WIRE_SUBSCRIPTIONS)
        on_subscription(d, (const Docker__Swarmkit__V1__SubscriptionMessage *)message);
    else if (kind == WIRE_HEARTBEAT)
        d->heartbeat_period_ns = message_duration_ns(((Docker__Swarmkit__V1__HeartbeatResponse *)message)->period, 0);
}

static void on_report_ended(struct session_driver *d, uint32_t tag, int grpc_status, const char *text)
{
    if (reporter_done(d->reporter, grpc_status, text, now_of(d)) == REPORTER_NEW_SESSION)
        drive(d, &(struct session_event){.type = SESSION_EV_REPORT_FAILED, .tag = tag, .grpc_status = grpc_status, .text = text});
    else if (grpc_status != 0)
        log_with(LOG_WARN, "session", LOG_FIELDS({"manager", d->manager_addr}), "task states were not taken and will be sent again: %s",
                 text);
    arm(d);
}

static void on_ended(void *ctx, enum wire_call kind, uint32_t tag, int grpc_status, const char *text)
{
    struct session_driver *d = ctx;
    struct session_event event = {.tag = tag, .grpc_status = grpc_status, .text = text};

    switch (kind) {
    case WIRE_SESSION:
        event.type = SESSION_EV_SESSION_ENDED;
        break;
    case WIRE_ASSIGNMENTS:
        event.type = SESSION_EV_ASSIGNMENTS_ENDED;
        break;
    case WIRE_SUBSCRIPTIONS:
        event.type = SESSION_EV_LOGS_ENDED;
        log_publisher_session_down(d->logs); /* their ends would not be heard */
        break;
    case WIRE_HEARTBEAT:
        event.type = grpc_status == 0 ? SESSION_EV_HEARTBEAT_REPLY : SESSION_EV_HEARTBEAT_FAILED;
        event.period_ns = d->heartbeat_period_ns;
        break;
    case WIRE_REPORT:
        on_report_ended(d, tag, grpc_status, text);
        return;
    case WIRE_PUBLISH:
        return;
    }
    drive(d, &event);
}

static void on_publish_writable(void *ctx, void *publication)
{
    log_publisher_writable(((struct session_driver *)ctx)->logs, publication);
}

static void on_publish_ended(void *ctx, void *publication, int grpc_status, const char *text)
{
    log_publisher_ended(((struct session_driver *)ctx)->logs, publication, grpc_status, text);
}

static void want_pump(void *ctx)
{
    struct session_driver *d = ctx;

    d->is_pump_wanted = true;
    if (!d->is_driving)
        arm(d);
}

/* The owner's side. */

struct session_driver *session_driver_new(const struct session_driver_options *options)
{
    struct session_driver *d = mem_alloc(sizeof *d);
    struct session_wire_options wire = {.loop = options->loop,
                                        .clock = options->clock,
                                        .random = options->random,
                                        .credentials = options->credentials,
                                        .listener = {on_ready, on_failed, on_message, on_ended, on_publish_writable, on_publish_ended, d}};

    d->clock = options->clock;
    d->random = options->random;
    d->remotes = options->remotes;
    d->listener = options->listener;
    session_init(&d->session, &options->random, now_of(d));
    d->wire = session_wire_new(&wire);
    d->assignments = assignments_new();
    d->reporter = reporter_new(&options->random);
    d->logs = log_publisher_new(&(struct log_publisher_options){
        .source = options->logs, .sink = session_wire_log_sink(d->wire), .node_id = options->node_id, .want_pump = want_pump, .ctx = d});
    (void)uv_timer_init(options->loop, &d->timer);
    d->timer.data = d;
    return d;
}

static void on_timer_closed(uv_handle_t *timer)
{
    free(timer->data);
}

void session_driver_free(struct session_driver *driver)
{
    if (!driver)
        return;
    uv_close((uv_handle_t *)&driver->timer, on_timer_closed);
    log_publisher_free(driver->logs);
    session_wire_free(driver->wire);
    reporter_free(driver->reporter);
    assignments_free(driver->assignments);
    arena_deinit(&driver->description_arena);
    free(driver->manager_id);
    free(driver->manager_addr);
}

void session_driver_start(struct session_driver *driver)
{
    drive(driver, &(struct session_event){.type = SESSION_EV_START});
}

void session_driver_stop(struct session_driver *driver)
{
    drive(driver, &(struct session_event){.type = SESSION_EV_STOP});
}

void session_driver_credentials_changed(struct session_driver *driver)
{
    drive(driver, &(struct session_event){.type = SESSION_EV_CREDENTIALS_CHANGED});
}

void session_driver_description_changed(struct session_driver *driver)
{
    driver->describe_ns = 0;
    if (!driver->is_driving)
        arm(driver);
}

const struct assignments *session_driver_assignments(const struct session_driver *driver)
{
    return driver->assignments;
}

int session_driver_report(struct session_driver *driver, const char *task_id, const struct Docker__Swarmkit__V1__TaskStatus *status,
                          struct error *err)
{
    int result = reporter_put(driver->reporter, task_id, status, err);

    if (!driver->is_driving)
        arm(driver);
    return result;
}

void session_driver_forget(struct session_driver *driver, const char *task_id)
{
    reporter_forget(driver->reporter, task_id);
    log_publisher_task_forgotten(driver->logs, task_id);
}

void session_driver_task_started(struct session_driver *driver, const struct log_task *task)
{
    log_publisher_task_started(driver->logs, task);
}

struct grpc_channel *session_driver_channel(const struct session_driver *driver)
{
    return session_wire_channel(driver->wire);
}

const char *session_driver_manager_addr(const struct session_driver *driver)
{
    return driver->manager_addr ? driver->manager_addr : "";
}

void session_driver_stats(const struct session_driver *driver, struct session_driver_stats *out)
{
    *out = (struct session_driver_stats){
        .state = (enum session_state)driver->session.machine.state,
        .session = driver->session.stats,
        .reports = *reporter_stats(driver->reporter),
        .logs = *log_publisher_stats(driver->logs),
        .tasks_assigned = assignments_task_count(driver->assignments),
        .dependencies = assignments_dependency_count(driver->assignments),
        .statuses_waiting = reporter_waiting_count(driver->reporter),
        .log_subscriptions = log_publisher_active_count(driver->logs),
        .heartbeat_period_ns = driver->heartbeat_period_ns,
    };
}
