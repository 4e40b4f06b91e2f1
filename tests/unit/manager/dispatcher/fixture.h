/* tests/unit/manager/dispatcher/fixture.h – a dispatcher on a store in memory, in virtual time, and agents that write down what they are
 * told.
 *
 *     struct house house;
 *     struct ear ear = {0};
 *     house_begin(&house, "n1 n2");                 // with these nodes in the store
 *     enter(&house, &ear, "n1", "");                // Session: registers, hears the first message
 *     pass(&house, 5000);                           // milliseconds
 *     house_end(&house); */
#ifndef SKEP_TESTS_UNIT_MANAGER_DISPATCHER_FIXTURE_H
#define SKEP_TESTS_UNIT_MANAGER_DISPATCHER_FIXTURE_H

#include "base/buf.h"
#include "manager/dispatcher/dispatcher.h"
#include "tests/unit/manager/store/fixture.h"

#define MS(n) ((uint64_t)(n)*NS_PER_MS)

#define UNKNOWN      DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__UNKNOWN
#define DOWN         DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__DOWN
#define READY        DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__READY
#define DISCONNECTED DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__DISCONNECTED

#define PENDING   DOCKER__SWARMKIT__V1__TASK_STATE__PENDING
#define ASSIGNED  DOCKER__SWARMKIT__V1__TASK_STATE__ASSIGNED
#define ACCEPTED  DOCKER__SWARMKIT__V1__TASK_STATE__ACCEPTED
#define PREPARING DOCKER__SWARMKIT__V1__TASK_STATE__PREPARING
#define STARTING  DOCKER__SWARMKIT__V1__TASK_STATE__STARTING
#define RUNNING   DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING
#define FAILED    DOCKER__SWARMKIT__V1__TASK_STATE__FAILED
#define REJECTED  DOCKER__SWARMKIT__V1__TASK_STATE__REJECTED
#define ORPHANED  DOCKER__SWARMKIT__V1__TASK_STATE__ORPHANED
#define SHUTDOWN  DOCKER__SWARMKIT__V1__TASK_STATE__SHUTDOWN

typedef Docker__Swarmkit__V1__Task Task;
typedef Docker__Swarmkit__V1__Node Node;
typedef Docker__Swarmkit__V1__TaskStatus Status;

struct house {
    struct world world;
    struct dispatcher *dispatcher;
    struct part part;
    uint64_t now_ns, started_ns;
    uint32_t heartbeats_per_s;
    bool is_woken;
    struct dispatcher_manager managers[4];
    size_t managers_count;
    struct buf twins; /* "stale is node; …" */
};

/* One stream's end. @said is what it was told, a line for each message. */
struct ear {
    struct house *house;
    struct dispatcher_session *session;
    struct dispatcher_assignments *stream;
    char session_id[64], said[16384], root[64], managers[256];
    int messages, ends, state, keys, changes;
    struct error end;
    bool is_full; /* takes nothing */
    int refuses;  /* a code that sending fails with */
    size_t bytes; /* packed, of all messages */
};

/* --- what agents hear --- */

static inline void say(struct ear *ear, const char *format, ...) __attribute__((format(SKEP_PRINTF, 2, 3)));
static inline void say(struct ear *ear, const char *format, ...)
{
    size_t used = strlen(ear->said);
    va_list args;
    va_start(args, format);
    vsnprintf(ear->said + used, sizeof ear->said - used, format, args);
    va_end(args);
}

static inline void hear_session(struct ear *ear, const Docker__Swarmkit__V1__SessionMessage *message)
{
    snprintf(ear->session_id, sizeof ear->session_id, "%s", message->session_id);
    snprintf(ear->root, sizeof ear->root, "%.*s", (int)message->rootca.len, (const char *)message->rootca.data);
    ear->state = (int)message->node->status->state;
    ear->keys = (int)message->n_network_bootstrap_keys;
    ear->managers[0] = 0;
    for (size_t i = 0; i < message->n_managers; i++) {
        size_t used = strlen(ear->managers);
        snprintf(ear->managers + used, sizeof ear->managers - used, "%s%s@%s*%d", used ? " " : "", message->managers[i]->peer->node_id,
                 message->managers[i]->peer->addr, (int)message->managers[i]->weight);
    }
    say(ear, "%s %d\n", message->node->id, ear->state);
}

static inline void hear_change(struct ear *ear, const Docker__Swarmkit__V1__AssignmentChange *change)
{
    const Docker__Swarmkit__V1__Assignment *item = change->assignment;
    bool is_removal = change->action == DOCKER__SWARMKIT__V1__ASSIGNMENT_CHANGE__ASSIGNMENT_ACTION__REMOVE;
    const char *sign = is_removal ? "-" : "+";
    if (item->item_case == DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_TASK) {
        say(ear, " %s%s", sign, item->task->id);
        if (is_removal)
            assert_null(item->task->spec);
        else if (item->task->desired_state >= SHUTDOWN)
            say(ear, "!");
    } else if (item->item_case == DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_SECRET) {
        say(ear, " %ssecret:%s", sign, item->secret->id);
        assert_int_equal(item->secret->spec == NULL, is_removal);
    } else {
        say(ear, " %sconfig:%s", sign, item->config->id);
        assert_int_equal(item->config->spec == NULL, is_removal);
    }
}

static inline void hear_assignments(struct ear *ear, const Docker__Swarmkit__V1__AssignmentsMessage *message)
{
    say(ear, "%s>%s%s", message->applies_to, message->results_in,
        message->type == DOCKER__SWARMKIT__V1__ASSIGNMENTS_MESSAGE__TYPE__COMPLETE ? " all" : "");
    ear->changes += (int)message->n_changes;
    for (size_t i = 0; i < message->n_changes; i++)
        hear_change(ear, message->changes[i]);
    say(ear, "\n");
}

static inline int hear(void *ctx, const ProtobufCMessage *message, struct error *err)
{
    struct ear *ear = ctx;
    if (ear->is_full)
        return error_set(err, ERR_AGAIN, "full");
    if (ear->refuses)
        return error_set(err, ear->refuses, "refused");
    ear->messages++;
    ear->bytes += protobuf_c_message_get_packed_size(message);
    if (message->descriptor == &docker__swarmkit__v1__session_message__descriptor)
        hear_session(ear, (const void *)message);
    else
        hear_assignments(ear, (const void *)message);
    return 0;
}

static inline void hear_end(void *ctx, const struct error *err)
{
    struct ear *ear = ctx;
    ear->ends++;
    ear->end = *err;
    ear->session = NULL;
    ear->stream = NULL;
}

static inline void forget_said(struct ear *ear)
{
    ear->said[0] = 0;
    ear->messages = 0;
}

#define assert_said(ear, text)                                                                                                             \
    do {                                                                                                                                   \
        assert_string_equal((ear)->said, text);                                                                                            \
        forget_said(ear);                                                                                                                  \
    } while (0)

#define assert_ended(ear, want_code, text)                                                                                                 \
    do {                                                                                                                                   \
        assert_int_equal((ear)->ends, 1);                                                                                                  \
        assert_string_equal(error_name((ear)->end.code), error_name(want_code));                                                           \
        assert_string_equal((ear)->end.message, text);                                                                                     \
    } while (0)

/* --- the house --- */

static inline void house_wake(void *self)
{
    ((struct house *)self)->is_woken = true;
}

static inline size_t house_managers(void *ctx, struct dispatcher_manager *out, size_t capacity)
{
    struct house *house = ctx;
    assert_true(house->managers_count <= capacity);
    memcpy(out, house->managers, sizeof house->managers);
    return house->managers_count;
}

static inline void house_twin(void *ctx, const struct dispatcher_twin *twin)
{
    struct house *house = ctx;
    buf_append_format(&house->twins, "%s is %s (%s at %s); ", twin->stale_id, twin->node_id, twin->hostname, twin->addr);
}

static inline void step(struct house *house)
{
    house->is_woken = false;
    house->part.step(house->part.self, house->now_ns);
}

/* Until nothing is to be done without time going on. */
static inline void settle(struct house *house)
{
    while (house->is_woken || house->world.is_woken || house->world.fn) {
        if (house->is_woken)
            step(house);
        world_settle(&house->world);
    }
}

static inline void set_time(struct house *house, uint64_t now_ns)
{
    house->world.wall_ns += (int64_t)(now_ns - house->now_ns);
    house->now_ns = now_ns;
}

static inline void pass(struct house *house, uint64_t ms)
{
    uint64_t end_ns = house->now_ns + MS(ms);
    settle(house);
    for (;;) {
        uint64_t next_ns = house->part.deadline_ns(house->part.self);
        if (next_ns > end_ns)
            break;
        if (next_ns > house->now_ns)
            set_time(house, next_ns);
        step(house);
        settle(house);
    }
    set_time(house, end_ns);
    settle(house);
}

static inline void add_node(struct house *house, const char *id, const char *hostname)
{
    do_create(&house->world, node(id, hostname));
    settle(house);
}

static inline void lead(struct house *house)
{
    house->dispatcher = dispatcher_new(&(struct dispatcher_options){.host = {.store = house->world.store,
                                                                             .clock = {.wall_ns = world_wall, .self = &house->world},
                                                                             .random = random_from_seeded(&house->world.seed),
                                                                             .wake = house_wake,
                                                                             .self = house},
                                                                    .node_id = "leader",
                                                                    .managers = house_managers,
                                                                    .on_twin = house_twin,
                                                                    .ctx = house,
                                                                    .heartbeats_per_s = house->heartbeats_per_s},
                                       house->now_ns);
    house->part = dispatcher_part(house->dispatcher);
    settle(house);
}

/* Nodes are named in one text. */
static inline void house_begin(struct house *house, const char *nodes)
{
    char id[64];
    int length;
    uint32_t heartbeats_per_s = house->heartbeats_per_s;
    *house = (struct house){.now_ns = MS(1000000), .heartbeats_per_s = heartbeats_per_s};
    world_begin(&house->world);
    house->managers[0] = (struct dispatcher_manager){"leader", "10.0.0.1:2377"};
    house->managers_count = 1;
    for (; sscanf(nodes, " %63s%n", id, &length) == 1; nodes += length) {
        char hostname[80];
        snprintf(hostname, sizeof hostname, "host-%s", id);
        do_create(&house->world, node(id, hostname));
    }
    lead(house);
}

static inline void house_end(struct house *house)
{
    if (house->dispatcher)
        house->part.free(house->part.self);
    buf_deinit(&house->twins);
    world_end(&house->world);
}

/* --- what agents do --- */

static inline int try_register(struct house *house, struct ear *ear, const char *node_id, const char *session_id, struct error *err)
{
    Docker__Swarmkit__V1__SessionRequest request = DOCKER__SWARMKIT__V1__SESSION_REQUEST__INIT;
    Docker__Swarmkit__V1__NodeDescription description = DOCKER__SWARMKIT__V1__NODE_DESCRIPTION__INIT;
    char hostname[80], address[80];
    const Node *known = store_node(house->world.store, node_id);
    snprintf(hostname, sizeof hostname, "%s", known && known->description ? known->description->hostname : "nobody");
    snprintf(address, sizeof address, "10.1.0.%s", node_id + 1);
    description.hostname = hostname;
    request.description = &description;
    request.session_id = (char *)(uintptr_t)session_id;
    ear->house = house;
    return dispatcher_register(house->dispatcher, &(struct dispatcher_caller){node_id, address}, &request,
                               &(struct dispatcher_sink){hear, hear_end, ear}, house->now_ns, &ear->session, err);
}

/* Registers; the first message has come. */
static inline void enter(struct house *house, struct ear *ear, const char *node_id, const char *session_id)
{
    assert_ok(try_register(house, ear, node_id, session_id, err));
    pass(house, DISPATCHER_WRITES_MS);
    assert_int_equal(ear->ends, 0);
    assert_int_equal(ear->messages, 1);
}

static inline int try_heartbeat(struct house *house, const char *node_id, const char *session_id, int64_t *period_ns, struct error *err)
{
    return dispatcher_heartbeat(house->dispatcher, node_id, session_id, house->now_ns, period_ns, err);
}

static inline int64_t beat(struct house *house, const char *node_id, const struct ear *ear)
{
    int64_t period_ns = 0;
    assert_ok(try_heartbeat(house, node_id, ear->session_id, &period_ns, err));
    return period_ns;
}

/* Time passes, and this node lives. */
static inline void live(struct house *house, const char *node_id, const struct ear *ear, uint64_t ms)
{
    for (; ms > 5000; ms -= 5000) {
        beat(house, node_id, ear);
        pass(house, 5000);
    }
    beat(house, node_id, ear);
    pass(house, ms);
}

static inline int try_open(struct house *house, struct ear *ear, const char *node_id, const char *session_id, struct error *err)
{
    ear->house = house;
    return dispatcher_assignments_open(house->dispatcher, node_id, session_id, &(struct dispatcher_sink){hear, hear_end, ear},
                                       house->now_ns, &ear->stream, err);
}

static inline void follow(struct house *house, struct ear *ear, const char *node_id, const struct ear *session)
{
    assert_ok(try_open(house, ear, node_id, session->session_id, err));
    settle(house);
}

static inline int try_report(struct house *house, const char *node_id, const char *session_id, const char *task_id, int state,
                             struct error *err)
{
    Docker__Swarmkit__V1__UpdateTaskStatusRequest request = DOCKER__SWARMKIT__V1__UPDATE_TASK_STATUS_REQUEST__INIT;
    Docker__Swarmkit__V1__UpdateTaskStatusRequest__TaskStatusUpdate update =
        DOCKER__SWARMKIT__V1__UPDATE_TASK_STATUS_REQUEST__TASK_STATUS_UPDATE__INIT;
    Docker__Swarmkit__V1__UpdateTaskStatusRequest__TaskStatusUpdate *updates[] = {&update};
    Status status = DOCKER__SWARMKIT__V1__TASK_STATUS__INIT;
    status.state = (Docker__Swarmkit__V1__TaskState)state;
    update.task_id = (char *)(uintptr_t)task_id;
    update.status = &status;
    request.session_id = (char *)(uintptr_t)session_id;
    request.updates = updates;
    request.n_updates = 1;
    return dispatcher_update_status(house->dispatcher, node_id, &request, house->now_ns, err);
}

static inline void report(struct house *house, const char *node_id, const struct ear *ear, const char *task_id, int state)
{
    assert_ok(try_report(house, node_id, ear->session_id, task_id, state, err));
}

/* --- what managers do --- */

static inline void put_task(struct house *house, const char *id, const char *node_id, int state, int desired)
{
    const Task *old = store_task(house->world.store, id);
    Task changed = old ? *old : *task(id, "", 0, node_id, desired);
    Status status = old ? *old->status : *changed.status;
    status.state = (Docker__Swarmkit__V1__TaskState)state;
    changed.status = &status;
    changed.desired_state = (Docker__Swarmkit__V1__TaskState)desired;
    if (old)
        do_update(&house->world, &changed);
    else
        do_create(&house->world, &changed);
    settle(house);
}

static inline void remove_task(struct house *house, const char *id)
{
    do_remove(&house->world, STORE_TASK, id);
    settle(house);
}

static inline const Node *node_of(const struct house *house, const char *id)
{
    const Node *found = store_node(house->world.store, id);
    assert_non_null(found);
    return found;
}

static inline int state_of_node(const struct house *house, const char *id)
{
    return node_of(house, id)->status ? (int)node_of(house, id)->status->state : 0;
}

static inline int state_of_task(const struct house *house, const char *id)
{
    return (int)store_task(house->world.store, id)->status->state;
}

static inline struct dispatcher_stats stats_of(const struct house *house)
{
    struct dispatcher_stats stats;
    dispatcher_stats(house->dispatcher, &stats);
    return stats;
}

#endif
