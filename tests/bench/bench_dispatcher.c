/* tests/bench/bench_dispatcher.c – a leader's dispatcher alone, without sockets: what sessions cost in memory, and how many heartbeats,
 * changes and statuses one core takes.
 *
 * Figures are of processor time.
 *
 *     bench_dispatcher [NODES [TASKS_PER_NODE]]       10,000 and 10 */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "manager/dispatcher/dispatcher.h"
#include "proto/message.h"

typedef Docker__Swarmkit__V1__Task Task;
typedef Docker__Swarmkit__V1__Node Node;
typedef Docker__Swarmkit__V1__TaskStatus Status;

struct agent {
    char id[32], session_id[32];
    struct dispatcher_session *session;
    struct dispatcher_assignments *stream;
};

struct house {
    struct store *store;
    struct dispatcher *dispatcher;
    struct part part;
    struct random_seeded seed;
    struct clock clock;
    uint64_t index, now_ns, entries;
    bool is_woken;
    struct buf entry;
    void (*fn)(void *ctx, uint64_t index, const struct error *err);
    void *ctx;
    uint64_t bytes, messages;
    struct agent *agents;
    unsigned nodes, tasks_per_node;
};

static void fail(const struct error *err)
{
    fprintf(stderr, "bench_dispatcher: %s\n", err->message);
    exit(1);
}

/* --- the store's log, and time --- */

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

static void store_settle(struct house *house)
{
    struct error err;

    for (;;) {
        store_run(house->store);
        if (!house->fn)
            return;
        void (*fn)(void *ctx, uint64_t index, const struct error *err) = house->fn;
        house->fn = NULL;
        house->entries++;
        if (store_apply(house->store, ++house->index, buf_bytes(&house->entry), &err) < 0)
            fail(&err);
        fn(house->ctx, house->index, NULL);
    }
}

static void settle(struct house *house)
{
    do {
        house->is_woken = false;
        if (house->dispatcher)
            house->part.step(house->part.self, house->now_ns);
        store_settle(house);
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

/* The processor's time, not the clock's: other work on the machine does not count. */
static double now_s(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static double heap_bytes(void)
{
    return (double)mallinfo2().uordblks;
}

/* --- agents --- */

static struct house *the_house;

static int hear(void *ctx, const ProtobufCMessage *message, struct error *err)
{
    struct agent *agent = ctx;
    (void)err;
    if (message->descriptor == &docker__swarmkit__v1__session_message__descriptor)
        snprintf(agent->session_id, sizeof agent->session_id, "%s",
                 ((const Docker__Swarmkit__V1__SessionMessage *)(const void *)message)->session_id);
    uint8_t *packed = mem_alloc(protobuf_c_message_get_packed_size(message) + 1);
    the_house->bytes += protobuf_c_message_pack(message, packed);
    the_house->messages++;
    free(packed);
    return 0;
}

static void ended(void *ctx, const struct error *err)
{
    struct agent *agent = ctx;
    if (the_house->dispatcher) {
        fprintf(stderr, "bench_dispatcher: a stream of %s ended: %s\n", agent->id, err->message);
        exit(1);
    }
}

static size_t managers(void *ctx, struct dispatcher_manager *out, size_t capacity)
{
    (void)ctx;
    (void)capacity;
    out[0] = (struct dispatcher_manager){"leader", "10.0.0.1:2377"};
    return 1;
}

/* --- the cluster --- */

struct filling {
    struct house *house;
    unsigned at, of;
};

static int add_nodes(struct store_tx *tx, void *ctx, struct error *err)
{
    const struct filling *filling = ctx;

    for (unsigned i = filling->at; i < filling->of; i++) {
        Node node = DOCKER__SWARMKIT__V1__NODE__INIT;
        Docker__Swarmkit__V1__Certificate certificate = DOCKER__SWARMKIT__V1__CERTIFICATE__INIT;
        static uint8_t pem[900];
        certificate.certificate = (ProtobufCBinaryData){810, pem};
        certificate.csr = (ProtobufCBinaryData){326, pem};
        node.id = filling->house->agents[i].id;
        node.certificate = &certificate;
        int failed = store_tx_create(tx, &node.base, err);
        if (failed < 0)
            return failed;
    }
    return 0;
}

static int add_tasks(struct store_tx *tx, void *ctx, struct error *err)
{
    const struct filling *filling = ctx;

    for (unsigned i = filling->at; i < filling->of; i++) {
        Task task = DOCKER__SWARMKIT__V1__TASK__INIT;
        Docker__Swarmkit__V1__TaskSpec spec = DOCKER__SWARMKIT__V1__TASK_SPEC__INIT;
        Docker__Swarmkit__V1__ContainerSpec container = DOCKER__SWARMKIT__V1__CONTAINER_SPEC__INIT;
        Status status = DOCKER__SWARMKIT__V1__TASK_STATUS__INIT;
        char id[32], service[32];
        snprintf(id, sizeof id, "task%021u", i);
        snprintf(service, sizeof service, "service%018u", i / 100);
        container.image = (char *)(uintptr_t) "registry.example.net/team/web:1.4@sha256:"
                                              "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        spec.runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER;
        spec.container = &container;
        status.state = DOCKER__SWARMKIT__V1__TASK_STATE__ASSIGNED;
        task.id = id;
        task.service_id = service;
        task.slot = i % 100 + 1;
        task.node_id = filling->house->agents[i % filling->house->nodes].id;
        task.spec = &spec;
        task.status = &status;
        task.desired_state = DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING;
        int failed = store_tx_create(tx, &task.base, err);
        if (failed < 0)
            return failed;
    }
    return 0;
}

static void fill(struct house *house, store_write_fn *fn, unsigned count)
{
    for (unsigned i = 0; i < count; i += STORE_ACTIONS_COUNT) {
        struct filling filling = {house, i, i + STORE_ACTIONS_COUNT < count ? i + STORE_ACTIONS_COUNT : count};
        store_update(house->store, fn, NULL, &filling);
        store_settle(house);
    }
}

static void lead(struct house *house)
{
    house->dispatcher = dispatcher_new(
        &(struct dispatcher_options){
            .host = {.store = house->store, .clock = house->clock, .random = random_from_seeded(&house->seed), .wake = wake, .self = house},
            .node_id = "leader",
            .managers = managers},
        house->now_ns);
    house->part = dispatcher_part(house->dispatcher);
    settle(house);
}

static void enter(struct house *house, struct agent *agent, unsigned number)
{
    Docker__Swarmkit__V1__SessionRequest request = DOCKER__SWARMKIT__V1__SESSION_REQUEST__INIT;
    Docker__Swarmkit__V1__NodeDescription description = DOCKER__SWARMKIT__V1__NODE_DESCRIPTION__INIT;
    char hostname[32], address[32];
    struct error err;
    snprintf(hostname, sizeof hostname, "host-%u", number);
    snprintf(address, sizeof address, "10.%u.%u.%u", number >> 16, number >> 8 & 255, number & 255);
    description.hostname = hostname;
    request.description = &description;
    if (dispatcher_register(house->dispatcher, &(struct dispatcher_caller){agent->id, address}, &request,
                            &(struct dispatcher_sink){hear, ended, agent}, house->now_ns, &agent->session, &err) < 0)
        fail(&err);
}

static void follow(struct house *house, struct agent *agent)
{
    struct error err;
    if (dispatcher_assignments_open(house->dispatcher, agent->id, agent->session_id, &(struct dispatcher_sink){hear, ended, agent},
                                    house->now_ns, &agent->stream, &err) < 0)
        fail(&err);
}

static void beat(struct house *house, const struct agent *agent)
{
    int64_t period_ns;
    struct error err;
    if (dispatcher_heartbeat(house->dispatcher, agent->id, agent->session_id, house->now_ns, &period_ns, &err) < 0)
        fail(&err);
}

/* Each agent says that all its tasks are @state, in one call. */
static void report(struct house *house, const struct agent *agent, unsigned number, int state)
{
    Docker__Swarmkit__V1__UpdateTaskStatusRequest request = DOCKER__SWARMKIT__V1__UPDATE_TASK_STATUS_REQUEST__INIT;
    Docker__Swarmkit__V1__UpdateTaskStatusRequest__TaskStatusUpdate *updates = mem_array(house->tasks_per_node, sizeof *updates);
    Docker__Swarmkit__V1__UpdateTaskStatusRequest__TaskStatusUpdate **list = mem_array(house->tasks_per_node, sizeof *list);
    Status status = DOCKER__SWARMKIT__V1__TASK_STATUS__INIT;
    char(*ids)[32] = mem_array(house->tasks_per_node, sizeof *ids);
    struct error err;
    status.state = (Docker__Swarmkit__V1__TaskState)state;
    for (unsigned i = 0; i < house->tasks_per_node; i++) {
        docker__swarmkit__v1__update_task_status_request__task_status_update__init(&updates[i]);
        snprintf(ids[i], sizeof ids[i], "task%021u", i * house->nodes + number);
        updates[i].task_id = ids[i];
        updates[i].status = &status;
        list[i] = &updates[i];
    }
    request.session_id = (char *)(uintptr_t)agent->session_id;
    request.updates = list;
    request.n_updates = house->tasks_per_node;
    if (dispatcher_update_status(house->dispatcher, agent->id, &request, house->now_ns, &err) < 0)
        fail(&err);
    free(updates);
    free(list);
    free(ids);
}

/* --- figures --- */

static void measure_sessions(struct house *house)
{
    double begun = now_s();

    for (unsigned i = 0; i < house->nodes; i++)
        enter(house, &house->agents[i], i);
    pass(house, 100 * NS_PER_MS);
    printf("register %u nodes: %.3f s, %" PRIu64 " entries of the log\n", house->nodes, now_s() - begun, house->entries);
    struct dispatcher_stats stats;
    dispatcher_stats(house->dispatcher, &stats);
    printf("heartbeat period with %zu sessions: %.1f s\n", stats.nodes_in_session, (double)stats.period_ns / 1e9);
}

static void measure_heartbeats(struct house *house)
{
    const unsigned rounds = 100;
    double begun = now_s();

    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < house->nodes; i++)
            beat(house, &house->agents[i]);
        pass(house, 5 * NS_PER_S);
    }
    double took = now_s() - begun;
    printf("heartbeats: %.0f a second on one core (%u rounds of all nodes, time going on between them)\n",
           (double)rounds * house->nodes / took, rounds);
}

static void measure_assignments(struct house *house)
{
    double begun = now_s();
    uint64_t bytes = house->bytes;

    for (unsigned i = 0; i < house->nodes; i++)
        follow(house, &house->agents[i]);
    settle(house);
    printf("first assignments of %u nodes with %u tasks each: %.3f s, %.1f MB\n", house->nodes, house->tasks_per_node, now_s() - begun,
           (double)(house->bytes - bytes) / 1e6);
}

static void measure_statuses(struct house *house, int state, const char *what)
{
    double begun = now_s();
    uint64_t entries = house->entries;

    for (unsigned i = 0; i < house->nodes; i++)
        report(house, &house->agents[i], i, state);
    double told = now_s() - begun;
    pass(house, 200 * NS_PER_MS);
    printf("statuses, %s: %u taken in %.3f s, written after %.3f s in %" PRIu64 " entries\n", what, house->nodes * house->tasks_per_node,
           told, now_s() - begun, house->entries - entries);
    for (unsigned i = 0; i < house->nodes; i++)
        beat(house, &house->agents[i]);
}

struct changing {
    unsigned number;
};

static int change_task(struct store_tx *tx, void *ctx, struct error *err)
{
    const struct changing *changing = ctx;
    char id[32];
    snprintf(id, sizeof id, "task%021u", changing->number);
    Task task = *store_tx_task(tx, id);
    task.desired_state = DOCKER__SWARMKIT__V1__TASK_STATE__SHUTDOWN;
    return store_tx_update(tx, &task.base, err);
}

static void measure_changes(struct house *house)
{
    const unsigned count = house->nodes;
    uint64_t messages = house->messages;
    double begun = now_s();

    for (unsigned i = 0; i < count; i++) {
        struct changing changing = {i};
        store_update(house->store, change_task, NULL, &changing);
        store_settle(house);
        settle(house);
    }
    double stored = now_s() - begun;
    pass(house, 100 * NS_PER_MS);
    printf("changes: one task each of %u nodes, one by one: %.1f us each to store and follow, %.3f s to send in %" PRIu64 " messages\n",
           count, 1e6 * stored / count, now_s() - begun - stored, house->messages - messages);
}

int main(int argc, char **argv)
{
    struct house *house = mem_alloc(sizeof *house);
    struct error err;

    the_house = house;
    house->nodes = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 10000;
    house->tasks_per_node = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 10;
    if (house->nodes == 0 || house->tasks_per_node == 0) {
        error_set(&err, ERR_INVALID, "usage: bench_dispatcher [NODES [TASKS_PER_NODE]]");
        fail(&err);
    }
    house->now_ns = NS_PER_S;
    house->clock = clock_system();
    random_seeded_init(&house->seed, 1);
    house->agents = mem_array(house->nodes, sizeof *house->agents);
    house->store = store_new(&(struct store_options){
        .log = {propose, version, wake, house}, .clock = clock_system(), .random = random_from_seeded(&house->seed)});
    for (unsigned i = 0; i < house->nodes; i++)
        snprintf(house->agents[i].id, sizeof house->agents[i].id, "node%021u", i);
    fill(house, add_nodes, house->nodes);
    fill(house, add_tasks, house->nodes * house->tasks_per_node);
    house->entries = 0;
    lead(house);
    measure_sessions(house);
    measure_heartbeats(house);
    measure_assignments(house);
    measure_statuses(house, DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING, "all new");
    measure_statuses(house, DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING, "all known");
    measure_changes(house);
    double with = heap_bytes();
    struct dispatcher *dispatcher = house->dispatcher;
    house->dispatcher = NULL;
    house->part.free(dispatcher);
    double without = heap_bytes();
    printf("memory per node with a session, a stream and %u tasks: %.0f bytes\n", house->tasks_per_node,
           (with - without) / (double)house->nodes);
    settle(house);
    store_free(house->store);
    buf_deinit(&house->entry);
    free(house->agents);
    free(house);
    return 0;
}
