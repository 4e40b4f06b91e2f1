/* tests/fuzz/fuzz_dispatcher.c – what agents may send to a leader, one request after the other: each is a byte that says of which kind, two
 * bytes of size, and a message. However it reads, no task of another node changes, and none goes backwards. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "manager/dispatcher/dispatcher.h"
#include "proto/message.h"

#define TASKS 8 /* the first half is node n0's, the rest n1's */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct house {
    struct store *store;
    struct dispatcher *dispatcher;
    struct part part;
    struct random_seeded seed;
    uint64_t now_ns, index;
    bool is_woken;
    struct buf entry;
    void (*fn)(void *ctx, uint64_t index, const struct error *err);
    void *ctx;
    char session_id[2][64];
    struct dispatcher_session *sessions[2];
    struct dispatcher_assignments *streams[2];
    int states[TASKS];
};

/* Whose stream this is. */
static struct ear {
    struct house *house;
    int node;
} ears[2];

/* --- the store's log --- */

static int propose(void *self, struct bytes entry, void (*fn)(void *ctx, uint64_t index, const struct error *err), void *ctx,
                   struct error *err)
{
    struct house *house = self;
    (void)err;
    buf_clear(&house->entry);
    buf_append(&house->entry, entry.data, entry.size);
    house->fn = fn;
    house->ctx = ctx;
    return 0;
}

static uint64_t version(void *self)
{
    return ((struct house *)self)->index;
}

static void wake(void *self)
{
    ((struct house *)self)->is_woken = true;
}

static int64_t wall_ns(void *self)
{
    return (int64_t)((struct house *)self)->now_ns;
}

static void settle(struct house *house)
{
    struct error err;

    do {
        house->is_woken = false;
        if (house->dispatcher)
            house->part.step(house->part.self, house->now_ns);
        store_run(house->store);
        while (house->fn) {
            void (*fn)(void *ctx, uint64_t index, const struct error *err) = house->fn;
            house->fn = NULL;
            if (store_apply(house->store, ++house->index, buf_bytes(&house->entry), &err) < 0)
                abort();
            fn(house->ctx, house->index, NULL);
            store_run(house->store);
        }
    } while (house->is_woken);
}

static void pass(struct house *house, uint64_t ns)
{
    uint64_t end_ns = house->now_ns + ns;

    settle(house);
    for (uint64_t next_ns; (next_ns = house->part.deadline_ns(house->part.self)) <= end_ns;) {
        house->now_ns = next_ns > house->now_ns ? next_ns : house->now_ns;
        settle(house);
    }
    house->now_ns = end_ns;
    settle(house);
}

/* --- streams --- */

static int hear(void *ctx, const ProtobufCMessage *message, struct error *err)
{
    struct ear *ear = ctx;
    (void)err;
    if (message->descriptor == &docker__swarmkit__v1__session_message__descriptor)
        snprintf(ear->house->session_id[ear->node], sizeof ear->house->session_id[0], "%s",
                 ((const Docker__Swarmkit__V1__SessionMessage *)(const void *)message)->session_id);
    free(mem_alloc(protobuf_c_message_get_packed_size(message)));
    return 0;
}

static void end_session(void *ctx, const struct error *err)
{
    struct ear *ear = ctx;
    assert(err->code < 0 && err->message[0] != 0);
    (void)err;
    ear->house->sessions[ear->node] = NULL;
}

static void end_stream(void *ctx, const struct error *err)
{
    struct ear *ear = ctx;
    (void)err;
    ear->house->streams[ear->node] = NULL;
}

static size_t managers(void *ctx, struct dispatcher_manager *out, size_t capacity)
{
    (void)ctx;
    (void)capacity;
    out[0] = (struct dispatcher_manager){"leader", "10.0.0.1:2377"};
    return 1;
}

/* --- a small cluster --- */

static int create(struct store_tx *tx, void *ctx, struct error *err)
{
    int failed = 0;
    (void)ctx;
    for (int i = 0; i < 2 && failed == 0; i++) {
        Docker__Swarmkit__V1__Node node = DOCKER__SWARMKIT__V1__NODE__INIT;
        char id[] = {'n', (char)('0' + i), 0};
        node.id = id;
        failed = store_tx_create(tx, &node.base, err);
    }
    for (int i = 0; i < TASKS && failed == 0; i++) {
        Docker__Swarmkit__V1__Task task = DOCKER__SWARMKIT__V1__TASK__INIT;
        Docker__Swarmkit__V1__TaskStatus status = DOCKER__SWARMKIT__V1__TASK_STATUS__INIT;
        char id[] = {'t', (char)('0' + i), 0}, node_id[] = {'n', i < TASKS / 2 ? '0' : '1', 0};
        task.id = id;
        task.node_id = node_id;
        task.status = &status;
        status.state = DOCKER__SWARMKIT__V1__TASK_STATE__ASSIGNED;
        failed = store_tx_create(tx, &task.base, err);
    }
    return failed;
}

static void begin(struct house *house)
{
    *house = (struct house){.now_ns = NS_PER_S, .index = 1};
    random_seeded_init(&house->seed, 1);
    house->store = store_new(&(struct store_options){
        .log = {propose, version, wake, house}, .clock = {.wall_ns = wall_ns, .self = house}, .random = random_from_seeded(&house->seed)});
    store_update(house->store, create, NULL, NULL);
    settle(house);
    house->dispatcher = dispatcher_new(&(struct dispatcher_options){.host = {.store = house->store,
                                                                             .clock = {.wall_ns = wall_ns, .self = house},
                                                                             .random = random_from_seeded(&house->seed),
                                                                             .wake = wake,
                                                                             .self = house},
                                                                    .node_id = "leader",
                                                                    .managers = managers},
                                       house->now_ns);
    house->part = dispatcher_part(house->dispatcher);
    settle(house);
    for (int i = 0; i < 2; i++)
        ears[i] = (struct ear){house, i};
    for (int i = 0; i < TASKS; i++)
        house->states[i] = DOCKER__SWARMKIT__V1__TASK_STATE__ASSIGNED;
}

static void check(struct house *house, int talking)
{
    for (int i = 0; i < TASKS; i++) {
        char id[] = {'t', (char)('0' + i), 0};
        int state = (int)store_task(house->store, id)->status->state;
        bool is_own = (i < TASKS / 2) == (talking == 0);
        assert(state >= house->states[i]);
        assert(is_own || state == house->states[i] || state == DOCKER__SWARMKIT__V1__TASK_STATE__ORPHANED);
        (void)is_own;
        house->states[i] = state;
    }
}

/* --- requests --- */

static void enter(struct house *house, int node, const Docker__Swarmkit__V1__SessionRequest *request)
{
    const char *const ids[] = {"n0", "n1"};
    struct error err;

    if (house->sessions[node])
        dispatcher_session_close(house->sessions[node]);
    house->sessions[node] = NULL;
    (void)dispatcher_register(house->dispatcher, &(struct dispatcher_caller){ids[node], "10.0.0.9"}, request,
                              &(struct dispatcher_sink){hear, end_session, &ears[node]}, house->now_ns, &house->sessions[node], &err);
}

static void follow(struct house *house, int node)
{
    const char *const ids[] = {"n0", "n1"};
    struct error err;

    if (house->streams[node])
        dispatcher_assignments_close(house->streams[node]);
    house->streams[node] = NULL;
    (void)dispatcher_assignments_open(house->dispatcher, ids[node], house->session_id[node],
                                      &(struct dispatcher_sink){hear, end_stream, &ears[node]}, house->now_ns, &house->streams[node], &err);
}

static void take(struct house *house, uint8_t kind, struct bytes packed)
{
    const char *const ids[] = {"n0", "n1"};
    int node = kind & 1;
    struct error err;
    int64_t period_ns;
    ProtobufCMessage *message = NULL;

    switch (kind >> 1 & 7) {
    case 0:
        if (message_unpack(&docker__swarmkit__v1__session_request__descriptor, packed, 4 * MIB, &message, &err) == 0)
            enter(house, node, (const void *)message);
        break;
    case 1:
    case 2:
        if (message_unpack(&docker__swarmkit__v1__update_task_status_request__descriptor, packed, 4 * MIB, &message, &err) < 0)
            break;
        Docker__Swarmkit__V1__UpdateTaskStatusRequest request = *(Docker__Swarmkit__V1__UpdateTaskStatusRequest *)(void *)message;
        if ((kind >> 1 & 7) == 1) /* as if it knew the session */
            request.session_id = house->session_id[node];
        (void)dispatcher_update_status(house->dispatcher, ids[node], &request, house->now_ns, &err);
        break;
    case 3:
        follow(house, node);
        break;
    case 4:
        (void)dispatcher_heartbeat(house->dispatcher, ids[node], house->session_id[node], house->now_ns, &period_ns, &err);
        break;
    case 5:
        pass(house, packed.size * NS_PER_S);
        break;
    default:
        pass(house, 100 * NS_PER_MS);
        break;
    }
    message_free(message);
    settle(house);
    check(house, node);
    pass(house, (kind & 0x80) ? 100 * NS_PER_MS : 0);
    check(house, node);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct house house;

    log_init(LOG_TEXT, LOG_ERROR, stderr);
    begin(&house);
    for (int i = 0; i < 2; i++) {
        Docker__Swarmkit__V1__SessionRequest request = DOCKER__SWARMKIT__V1__SESSION_REQUEST__INIT;
        enter(&house, i, &request);
        pass(&house, 100 * NS_PER_MS);
        follow(&house, i);
    }
    while (size >= 3) {
        size_t length = (size_t)data[1] | (size_t)data[2] << 8;
        length = length < size - 3 ? length : size - 3;
        take(&house, data[0], bytes_of(data + 3, length));
        pass(&house, 100 * NS_PER_MS); /* written before the other talks */
        check(&house, data[0] & 1);
        data += 3 + length;
        size -= 3 + length;
    }
    house.part.free(house.part.self);
    house.dispatcher = NULL;
    settle(&house);
    store_free(house.store);
    buf_deinit(&house.entry);
    return 0;
}
