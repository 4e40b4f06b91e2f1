/* The session machine. What happened is looked at by its state; every way out of a session goes through fail(), restart() or give_up(). */
#include "agent/session.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

#define NEVER_NS UINT64_MAX

enum { GRPC_UNIMPLEMENTED = 12, GRPC_PERMISSION_DENIED = 7, GRPC_UNAVAILABLE = 14 };

static const struct state_info infos[] = {
#define X(name, shown, next, deadline) {#name, shown, next, deadline},
    SESSION_STATES(X)
#undef X
};
const struct state_table session_states = {"session", infos, sizeof infos / sizeof infos[0]};

static void move(struct session *s, enum session_state next, uint64_t now_ns)
{
    struct error err = {0};
    int result = state_move(&s->machine, next, now_ns, &err);
    assert(result == 0);
    (void)result;
}

static bool in_state(const struct session *s, enum session_state state)
{
    return s->machine.state == state;
}

static void do_effect(struct session *s, enum session_effect_type type, uint32_t tag)
{
    assert(s->effect_count < SESSION_EFFECTS_COUNT);
    s->effects[s->effect_count++] = (struct session_effect){type, tag};
}

/* Start something: what comes back from it will carry the tag. */
static uint32_t start(struct session *s, enum session_effect_type type)
{
    if (++s->next_tag == 0)
        s->next_tag = 1;
    do_effect(s, type, s->next_tag);
    return s->next_tag;
}

static void forget_calls(struct session *s)
{
    s->channel_tag = s->session_tag = s->heartbeat_tag = s->assignments_tag = s->logs_tag = 0;
    s->results_in[0] = '\0';
    s->heartbeat_due_ns = s->heartbeat_deadline_ns = s->assignments_deadline_ns = s->logs_retry_ns = NEVER_NS;
    s->gap_count = 0;
}

static uint64_t grow_backoff(uint64_t backoff_ns)
{
    uint64_t next = SESSION_BACKOFF_MIN_MS * NS_PER_MS + 2 * backoff_ns;
    return next < SESSION_BACKOFF_MAX_MS * NS_PER_MS ? next : SESSION_BACKOFF_MAX_MS * NS_PER_MS;
}

/* The manager refuses a burst of registrations and starts its clock again with each accepted one: wait it out rather than be refused. */
static uint64_t not_before(const struct session *s, uint64_t when_ns)
{
    uint64_t gap_ends_ns = s->registered_ns + SESSION_REGISTRATIONS_GAP_MS * NS_PER_MS;
    if (s->burst_count <= SESSION_REGISTRATIONS_COUNT || when_ns >= gap_ends_ns)
        return when_ns;
    return gap_ends_ns;
}

static void dial(struct session *s, uint64_t now_ns)
{
    move(s, SESSION_CONNECTING, now_ns);
    s->stats.dials++;
    s->channel_tag = start(s, SESSION_DO_DIAL);
}

static void close_all(struct session *s)
{
    bool was_registered = in_state(s, SESSION_RUNNING);
    forget_calls(s);
    do_effect(s, SESSION_DO_CLOSE, 0);
    if (was_registered)
        do_effect(s, SESSION_DO_LOST, 0);
}

static void back_off(struct session *s, uint64_t until_ns, uint64_t now_ns)
{
    move(s, SESSION_BACKING_OFF, now_ns);
    s->retry_ns = not_before(s, until_ns);
    if (s->retry_ns <= now_ns)
        dial(s, now_ns);
}

/* Our own wish, or a clean end: no fault of the manager's and no wait. */
static void restart(struct session *s, uint64_t now_ns, const char *why)
{
    s->error = (struct error){0};
    error_set(&s->error, ERR_CANCELED, "session: %s", why);
    close_all(s);
    back_off(s, now_ns, now_ns);
}

static void give_up(struct session *s, uint64_t now_ns)
{
    error_set(
        &s->error, ERR_PERMISSION,
        "session: a manager removed this node from the swarm: its certificate is not accepted any more; leave the swarm here and join "
        "again with a new token");
    close_all(s);
    move(s, SESSION_REMOVED, now_ns);
    do_effect(s, SESSION_DO_REMOVED, 0);
}

static void fail_in(struct session *s, uint64_t now_ns, uint64_t wait_ns, int code, const char *what, const char *why)
{
    s->stats.failures++;
    error_set(&s->error, code, "session: %s: %s", what, text_empty(why) ? error_help(code) : why);
    do_effect(s, SESSION_DO_NOTE_FAILURE, 0);
    close_all(s);
    back_off(s, now_ns + wait_ns, now_ns);
}

static void fail(struct session *s, uint64_t now_ns, int code, const char *what, const char *why)
{
    s->backoff_ns = grow_backoff(s->backoff_ns);
    fail_in(s, now_ns, random_below(&s->random, s->backoff_ns), code, what, why);
}

/* A call was refused or broke. */
static void fail_status(struct session *s, const struct session_event *event, uint64_t now_ns, const char *what)
{
    const char *text = event->text ? event->text : "";

    if (event->grpc_status == GRPC_PERMISSION_DENIED && strstr(text, "was removed from swarm")) {
        give_up(s, now_ns);
        return;
    }
    if (event->grpc_status == GRPC_UNAVAILABLE && strstr(text, "exceeded rate limit")) {
        s->backoff_ns = grow_backoff(s->backoff_ns);
        fail_in(s, now_ns, SESSION_REGISTRATIONS_GAP_MS * NS_PER_MS + random_below(&s->random, s->backoff_ns), ERR_AGAIN, what, text);
        return;
    }
    if (event->grpc_status == 0)
        fail(s, now_ns, ERR_PEER, what, "the manager ended the stream");
    else
        fail(s, now_ns, error_from_grpc(event->grpc_status), what, text);
}

static void send_heartbeat(struct session *s, uint64_t now_ns)
{
    s->heartbeat_due_ns = NEVER_NS;
    s->heartbeat_deadline_ns = now_ns + HEARTBEAT_TIMEOUT_MS * NS_PER_MS;
    s->stats.heartbeats++;
    s->heartbeat_tag = start(s, SESSION_DO_HEARTBEAT);
}

static void open_assignments(struct session *s, uint64_t now_ns)
{
    s->results_in[0] = '\0';
    s->assignments_deadline_ns = now_ns + SESSION_ASSIGNMENTS_FIRST_MS * NS_PER_MS;
    s->assignments_tag = start(s, SESSION_DO_OPEN_ASSIGNMENTS);
}

static void count_registration(struct session *s, uint64_t now_ns)
{
    bool in_burst = s->stats.registrations > 0 && now_ns - s->registered_ns < SESSION_REGISTRATIONS_GAP_MS * NS_PER_MS;
    s->burst_count = in_burst ? s->burst_count + 1 : 1;
    s->registered_ns = now_ns;
    s->stats.registrations++;
}

static void registered(struct session *s, const char *session_id, uint64_t now_ns)
{
    if (text_empty(session_id) || strlen(session_id) > SESSION_ID_SIZE_CHARS) {
        fail(s, now_ns, ERR_PEER, state_shown(&s->machine), "the first message has no usable session id");
        return;
    }
    memcpy(s->session_id, session_id, strlen(session_id) + 1);
    move(s, SESSION_RUNNING, now_ns);
    count_registration(s, now_ns);
    s->error = (struct error){0};
    s->backoff_ns = s->logs_backoff_ns = 0;
    do_effect(s, SESSION_DO_NOTE_SUCCESS, 0);
    s->stats.heartbeat_late_last_ns = 0;
    send_heartbeat(s, now_ns);
    open_assignments(s, now_ns);
    s->logs_tag = start(s, SESSION_DO_OPEN_SUBSCRIPTIONS);
    do_effect(s, SESSION_DO_DELIVER_SESSION, 0);
    do_effect(s, SESSION_DO_REGISTERED, 0);
}

static void on_message(struct session *s, const struct session_event *event, uint64_t now_ns)
{
    if (in_state(s, SESSION_REGISTERING)) {
        registered(s, event->session_id, now_ns);
        return;
    }
    if (!text_empty(event->session_id) && strcmp(event->session_id, s->session_id) != 0) {
        fail(s, now_ns, ERR_PEER, "following the session", "the manager changed the session's id on the same stream");
        return;
    }
    do_effect(s, SESSION_DO_DELIVER_SESSION, 0);
}

static void on_session_ended(struct session *s, const struct session_event *event, uint64_t now_ns)
{
    if (in_state(s, SESSION_RUNNING) && event->grpc_status == 0)
        restart(s, now_ns, "the manager closed it without an error");
    else
        fail_status(s, event, now_ns, state_shown(&s->machine));
}

static void on_heartbeat_reply(struct session *s, int64_t period_ns, uint64_t now_ns)
{
    uint64_t period = period_ns > 0 ? (uint64_t)period_ns : HEARTBEAT_PERIOD_DEFAULT_MS * NS_PER_MS;

    if (period < HEARTBEAT_PERIOD_MIN_MS * NS_PER_MS)
        period = HEARTBEAT_PERIOD_MIN_MS * NS_PER_MS;
    if (period > HEARTBEAT_PERIOD_MAX_MS * NS_PER_MS)
        period = HEARTBEAT_PERIOD_MAX_MS * NS_PER_MS;
    s->heartbeat_tag = 0;
    s->heartbeat_deadline_ns = NEVER_NS;
    s->heartbeat_due_ns = now_ns + period;
}

static void on_assignments(struct session *s, const struct session_event *event, uint64_t now_ns)
{
    const char *results_in = event->results_in ? event->results_in : "";
    bool fits = event->is_complete || (s->results_in[0] && text_equal(event->applies_to, s->results_in));

    if (strlen(results_in) > SESSION_ID_SIZE_CHARS) {
        fail(s, now_ns, ERR_PEER, "following assignments", "a message's results_in is not a counter");
        return;
    }
    if (fits) {
        memcpy(s->results_in, results_in, strlen(results_in) + 1);
        s->assignments_deadline_ns = NEVER_NS;
        if (!event->is_complete)
            s->gap_count = 0;
        do_effect(s, SESSION_DO_DELIVER_ASSIGNMENTS, 0);
        return;
    }
    s->stats.assignment_gaps++;
    if (++s->gap_count > SESSION_ASSIGNMENTS_REOPENED_COUNT)
        fail(s, now_ns, ERR_PEER, "following assignments", "message after message does not follow the one before it");
    else
        open_assignments(s, now_ns);
}

static void on_logs_ended(struct session *s, const struct session_event *event, uint64_t now_ns)
{
    const char *text = event->text ? event->text : "";

    s->logs_tag = 0;
    if (event->grpc_status == GRPC_PERMISSION_DENIED && strstr(text, "was removed from swarm")) {
        give_up(s, now_ns);
        return;
    }
    if (event->grpc_status == GRPC_UNIMPLEMENTED)
        return;
    s->logs_backoff_ns = grow_backoff(s->logs_backoff_ns);
    s->logs_retry_ns = now_ns + SESSION_BACKOFF_MIN_MS * NS_PER_MS + random_below(&s->random, s->logs_backoff_ns);
}

static void on_running_timer(struct session *s, uint64_t now_ns)
{
    if (now_ns >= s->heartbeat_deadline_ns) {
        fail(s, now_ns, ERR_DEADLINE, "heartbeat", "no answer in time");
        return;
    }
    if (now_ns >= s->assignments_deadline_ns) {
        fail(s, now_ns, ERR_DEADLINE, "following assignments", "no first set in time");
        return;
    }
    if (now_ns >= s->heartbeat_due_ns) {
        s->stats.heartbeat_late_last_ns = now_ns - s->heartbeat_due_ns;
        if (s->stats.heartbeat_late_last_ns > s->stats.heartbeat_late_max_ns)
            s->stats.heartbeat_late_max_ns = s->stats.heartbeat_late_last_ns;
        send_heartbeat(s, now_ns);
    }
    if (now_ns >= s->logs_retry_ns) {
        s->logs_retry_ns = NEVER_NS;
        s->logs_tag = start(s, SESSION_DO_OPEN_SUBSCRIPTIONS);
    }
}

static void on_timer(struct session *s, uint64_t now_ns)
{
    switch ((enum session_state)s->machine.state) {
    case SESSION_CONNECTING:
    case SESSION_REGISTERING:
        if (now_ns >= state_deadline_ns(&s->machine))
            fail(s, now_ns, ERR_DEADLINE, state_shown(&s->machine), "no answer in time");
        break;
    case SESSION_BACKING_OFF:
        if (now_ns >= s->retry_ns)
            dial(s, now_ns);
        break;
    case SESSION_RUNNING:
        on_running_timer(s, now_ns);
        break;
    case SESSION_STOPPED:
    case SESSION_REMOVED:
        break;
    }
}

static void on_stop(struct session *s, uint64_t now_ns)
{
    if (in_state(s, SESSION_STOPPED))
        return;
    close_all(s);
    move(s, SESSION_STOPPED, now_ns);
    s->session_id[0] = '\0';
    s->error = (struct error){0};
    s->backoff_ns = 0;
}

static void on_description_changed(struct session *s, uint64_t now_ns)
{
    if (in_state(s, SESSION_RUNNING) || in_state(s, SESSION_REGISTERING))
        restart(s, now_ns, "closed to report a changed description");
}

static void on_credentials_changed(struct session *s, uint64_t now_ns)
{
    if (in_state(s, SESSION_BACKING_OFF)) {
        s->retry_ns = not_before(s, now_ns);
        on_timer(s, now_ns);
    } else if (!in_state(s, SESSION_STOPPED) && !in_state(s, SESSION_REMOVED)) {
        restart(s, now_ns, "closed to use a new certificate");
    }
}

/* The tag that an event of this type must carry to be of today's life; NULL: it carries none. */
static const uint32_t *tag_of(const struct session *s, enum session_event_type type)
{
    switch (type) {
    case SESSION_EV_DIALED:
    case SESSION_EV_CHANNEL_FAILED:
        return &s->channel_tag;
    case SESSION_EV_MESSAGE:
    case SESSION_EV_SESSION_ENDED:
    case SESSION_EV_REPORT_FAILED:
        return &s->session_tag;
    case SESSION_EV_HEARTBEAT_REPLY:
    case SESSION_EV_HEARTBEAT_FAILED:
        return &s->heartbeat_tag;
    case SESSION_EV_ASSIGNMENTS:
    case SESSION_EV_ASSIGNMENTS_REFUSED:
    case SESSION_EV_ASSIGNMENTS_ENDED:
        return &s->assignments_tag;
    case SESSION_EV_LOGS_ENDED:
        return &s->logs_tag;
    case SESSION_EV_START:
    case SESSION_EV_STOP:
    case SESSION_EV_TIMER:
    case SESSION_EV_DESCRIPTION_CHANGED:
    case SESSION_EV_CREDENTIALS_CHANGED:
        break;
    }
    return NULL;
}

static void on_owner(struct session *s, enum session_event_type type, uint64_t now_ns)
{
    if (type == SESSION_EV_START && in_state(s, SESSION_STOPPED))
        dial(s, now_ns);
    else if (type == SESSION_EV_STOP)
        on_stop(s, now_ns);
    else if (type == SESSION_EV_TIMER)
        on_timer(s, now_ns);
    else if (type == SESSION_EV_DESCRIPTION_CHANGED)
        on_description_changed(s, now_ns);
    else if (type == SESSION_EV_CREDENTIALS_CHANGED)
        on_credentials_changed(s, now_ns);
}

static void on_wire(struct session *s, const struct session_event *event, uint64_t now_ns)
{
    switch (event->type) {
    case SESSION_EV_DIALED:
        if (in_state(s, SESSION_CONNECTING)) {
            move(s, SESSION_REGISTERING, now_ns);
            s->session_tag = start(s, SESSION_DO_OPEN_SESSION);
        }
        break;
    case SESSION_EV_CHANNEL_FAILED:
        fail(s, now_ns, ERR_UNAVAILABLE, state_shown(&s->machine), event->text);
        break;
    case SESSION_EV_MESSAGE:
        on_message(s, event, now_ns);
        break;
    case SESSION_EV_SESSION_ENDED:
        on_session_ended(s, event, now_ns);
        break;
    case SESSION_EV_REPORT_FAILED:
        fail_status(s, event, now_ns, "reporting task states");
        break;
    case SESSION_EV_HEARTBEAT_REPLY:
        on_heartbeat_reply(s, event->period_ns, now_ns);
        break;
    case SESSION_EV_HEARTBEAT_FAILED:
        fail_status(s, event, now_ns, "heartbeat");
        break;
    case SESSION_EV_ASSIGNMENTS:
        on_assignments(s, event, now_ns);
        break;
    case SESSION_EV_ASSIGNMENTS_REFUSED:
        fail(s, now_ns, ERR_LIMIT, "following assignments", event->text);
        break;
    case SESSION_EV_ASSIGNMENTS_ENDED:
        fail_status(s, event, now_ns, "following assignments");
        break;
    case SESSION_EV_LOGS_ENDED:
        on_logs_ended(s, event, now_ns);
        break;
    default:
        break;
    }
}

void session_init(struct session *session, const struct random *random, uint64_t now_ns)
{
    *session = (struct session){.random = *random};
    state_init(&session->machine, &session_states, SESSION_STOPPED, now_ns);
    forget_calls(session);
}

void session_step(struct session *session, const struct session_event *event, uint64_t now_ns)
{
    const uint32_t *tag = tag_of(session, event->type);

    session->effect_count = 0;
    if (!tag) {
        on_owner(session, event->type, now_ns);
        return;
    }
    if (*tag == 0 || *tag != event->tag) {
        session->stats.stale_events++;
        return;
    }
    on_wire(session, event, now_ns);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t session_wake_ns(const struct session *session)
{
    switch ((enum session_state)session->machine.state) {
    case SESSION_BACKING_OFF:
        return session->retry_ns;
    case SESSION_RUNNING:
        return earlier(earlier(session->heartbeat_due_ns, session->heartbeat_deadline_ns),
                       earlier(session->assignments_deadline_ns, session->logs_retry_ns));
    default:
        return state_deadline_ns(&session->machine);
    }
}
