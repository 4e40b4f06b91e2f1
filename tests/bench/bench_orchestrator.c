/* tests/bench/bench_orchestrator.c – what the orchestrator's work costs, in memory: a service of many replicas made, one task failing among
 * few and among many (the cost is to be that of what changed), a node lost, all of it updated.
 *
 *     bench_orchestrator [REPLICAS]      default 100000, on 1000 nodes */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "manager/orchestrator/allocator.h"
#include "manager/orchestrator/orchestrator.h"
#include "proto/message.h"

#define STATE(name) DOCKER__SWARMKIT__V1__TASK_STATE__##name
#define NODES       1000
#define FAILURES    200

/* A log that commits at once. */
struct bench {
    struct store *store;
    struct clock clock;
    uint64_t index, virtual_ns;
    bool is_woken;
    struct buf entry;
    void (*fn)(void *ctx, uint64_t index, const struct error *err);
    void *ctx;
    struct part orchestrator, allocator;
    struct part_host host;
};

static int propose(void *self, struct bytes entry, void (*fn)(void *ctx, uint64_t index, const struct error *err), void *ctx,
                   struct error *err)
{
    struct bench *bench = self;
    (void)err;
    buf_append(&bench->entry, entry.data, entry.size);
    bench->fn = fn;
    bench->ctx = ctx;
    return 0;
}

static uint64_t version(void *self)
{
    return ((struct bench *)self)->index;
}

static void wake(void *self)
{
    ((struct bench *)self)->is_woken = true;
}

static void die(const struct error *err)
{
    fprintf(stderr, "bench_orchestrator: %s\n", err->message);
    exit(1);
}

static void settle(struct bench *bench)
{
    struct error err = {0};

    for (;;) {
        store_run(bench->store);
        if (bench->fn == NULL)
            return;
        void (*fn)(void *ctx, uint64_t index, const struct error *failed) = bench->fn;
        bench->fn = NULL;
        if (store_apply(bench->store, ++bench->index, buf_bytes(&bench->entry), &err) < 0)
            die(&err);
        buf_clear(&bench->entry);
        fn(bench->ctx, bench->index, NULL);
    }
}

static void run(struct bench *bench)
{
    bench->is_woken = true;
    while (bench->is_woken) {
        bench->is_woken = false;
        bench->orchestrator.step(bench->orchestrator.self, bench->virtual_ns);
        bench->allocator.step(bench->allocator.self, bench->virtual_ns);
        settle(bench);
    }
}

static void pass_s(struct bench *bench, uint64_t s)
{
    bench->virtual_ns += s * NS_PER_S;
    run(bench);
}

/* --- writers --- */

static int create_one(struct store_tx *tx, void *ctx, struct error *err)
{
    return store_tx_create(tx, ctx, err);
}

static int update_one(struct store_tx *tx, void *ctx, struct error *err)
{
    return store_tx_update(tx, ctx, err);
}

static void told(void *ctx, const struct error *err)
{
    (void)ctx;
    if (err)
        die(err);
}

static void write_one(struct bench *bench, store_write_fn *fn, ProtobufCMessage *message)
{
    store_update(bench->store, fn, told, message);
    settle(bench);
}

struct assignment {
    char **ids;
    size_t first, count;
};

/* Each is placed on the next node, and runs. */
static int assign(struct store_tx *tx, void *ctx, struct error *err)
{
    const struct assignment *assignment = ctx;
    int failed = 0;

    for (size_t i = assignment->first; i < assignment->first + assignment->count && failed == 0; i++) {
        Docker__Swarmkit__V1__Task task = *store_tx_task(tx, assignment->ids[i]);
        Docker__Swarmkit__V1__TaskStatus status = *task.status;
        char node_id[16];
        snprintf(node_id, sizeof node_id, "n%zu", i % NODES);
        status.state = STATE(RUNNING);
        task.status = &status;
        task.node_id = node_id;
        failed = store_tx_update(tx, &task.base, err);
    }
    return failed;
}

static size_t list_pending(struct bench *bench, char **ids)
{
    struct store_cursor cursor;
    const ProtobufCMessage *message;
    size_t count = 0;

    store_find(bench->store, STORE_TASK, STORE_BY_STATE, "64", &cursor);
    while ((message = store_next(&cursor)) != NULL)
        ids[count++] = mem_string(store_message_id(STORE_TASK, message));
    return count;
}

static void run_all(struct bench *bench, char **ids, size_t count)
{
    for (size_t first = 0; first < count; first += STORE_ACTIONS_COUNT) {
        size_t left = count - first;
        struct assignment assignment = {ids, first, left < STORE_ACTIONS_COUNT ? left : STORE_ACTIONS_COUNT};
        store_update(bench->store, assign, told, &assignment);
        settle(bench);
    }
}

static void set_state(struct bench *bench, const char *id, int state)
{
    Docker__Swarmkit__V1__Task task = *store_task(bench->store, id);
    Docker__Swarmkit__V1__TaskStatus status = *task.status;

    status.state = (Docker__Swarmkit__V1__TaskState)state;
    task.status = &status;
    write_one(bench, update_one, &task.base);
}

/* --- what is measured --- */

static void add_nodes(struct bench *bench)
{
    for (unsigned i = 0; i < NODES; i++) {
        Docker__Swarmkit__V1__Node node = DOCKER__SWARMKIT__V1__NODE__INIT;
        Docker__Swarmkit__V1__NodeSpec spec = DOCKER__SWARMKIT__V1__NODE_SPEC__INIT;
        Docker__Swarmkit__V1__NodeStatus status = DOCKER__SWARMKIT__V1__NODE_STATUS__INIT;
        char id[16];
        snprintf(id, sizeof id, "n%u", i);
        status.state = DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__READY;
        node.id = id;
        node.spec = &spec;
        node.status = &status;
        write_one(bench, create_one, &node.base);
    }
}

static void add_service(struct bench *bench, const char *id, uint64_t replicas)
{
    Docker__Swarmkit__V1__Service service = DOCKER__SWARMKIT__V1__SERVICE__INIT;
    Docker__Swarmkit__V1__ServiceSpec spec = DOCKER__SWARMKIT__V1__SERVICE_SPEC__INIT;
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    Docker__Swarmkit__V1__TaskSpec task = DOCKER__SWARMKIT__V1__TASK_SPEC__INIT;
    Docker__Swarmkit__V1__ContainerSpec container = DOCKER__SWARMKIT__V1__CONTAINER_SPEC__INIT;
    Docker__Swarmkit__V1__ReplicatedService replicated = DOCKER__SWARMKIT__V1__REPLICATED_SERVICE__INIT;
    Docker__Swarmkit__V1__Version first = DOCKER__SWARMKIT__V1__VERSION__INIT;
    char *name = (char *)(uintptr_t)id;

    first.index = 1;
    service.id = annotations.name = name;
    service.spec = &spec;
    service.spec_version = &first;
    spec.annotations = &annotations;
    spec.task = &task;
    task.runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER;
    task.container = &container;
    container.image = (char *)(uintptr_t) "image:1";
    spec.mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED;
    spec.replicated = &replicated;
    replicated.replicas = replicas;
    write_one(bench, create_one, &service.base);
}

static uint64_t now(const struct bench *bench)
{
    return clock_monotonic_ns(&bench->clock);
}

static void measure(struct bench *bench, const char *name, uint64_t replicas)
{
    char **ids = mem_array(replicas, sizeof *ids);
    uint64_t began = now(bench), step_ns = 0;

    add_service(bench, name, replicas);
    run(bench);
    double made_s = (double)(now(bench) - began) / 1e9;
    size_t count = list_pending(bench, ids);
    printf("%zu of %llu replicas made and pending in %.2f s, the store's work included: %.0f a second\n", count,
           (unsigned long long)replicas, made_s, (double)count / made_s);
    run_all(bench, ids, count);
    began = now(bench);
    run(bench);
    printf("all running: taken in within %.3f s\n", (double)(now(bench) - began) / 1e9);
    for (size_t i = 0; i < FAILURES && i < count; i++) {
        set_state(bench, ids[i], STATE(FAILED));
        began = now(bench);
        bench->orchestrator.step(bench->orchestrator.self, bench->virtual_ns);
        step_ns += now(bench) - began;
        settle(bench);
        run(bench);
    }
    printf("one of %llu fails: %.1f us to decide what follows\n", (unsigned long long)replicas, (double)step_ns / 1e3 / FAILURES);
    pass_s(bench, 10);
    for (size_t i = 0; i < count; i++)
        free(ids[i]);
    free(ids);
}

static void lose_node(struct bench *bench)
{
    Docker__Swarmkit__V1__Node node = *store_node(bench->store, "n500");
    Docker__Swarmkit__V1__NodeStatus status = *node.status;
    size_t tasks = store_count(bench->store, STORE_TASK, STORE_BY_NODE, "n500");

    status.state = DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__DOWN;
    node.status = &status;
    write_one(bench, update_one, &node.base);
    uint64_t began = now(bench);
    run(bench);
    printf("a node with %zu tasks is lost: all replaced in %.2f ms, the store's work included\n", tasks,
           (double)(now(bench) - began) / 1e6);
}

static bool fits(void *self, const Docker__Swarmkit__V1__Node *node, const Docker__Swarmkit__V1__Placement *placement)
{
    (void)self;
    (void)node;
    (void)placement;
    return true;
}

int main(int argc, char **argv)
{
    uint64_t replicas = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
    struct bench bench = {.clock = clock_system(), .virtual_ns = 1000 * NS_PER_S, .index = 1};
    struct orchestrator_rules rules = {.node_fits = fits};

    bench.store = store_new(&(struct store_options){
        .log = {.propose = propose, .version = version, .wake = wake, .self = &bench}, .clock = bench.clock, .random = random_system()});
    bench.host = (struct part_host){.store = bench.store, .clock = bench.clock, .random = random_system(), .wake = wake, .self = &bench};
    add_nodes(&bench);
    bench.orchestrator = orchestrator_new(&bench.host, &rules);
    bench.allocator = allocator_new(&bench.host);
    run(&bench);
    measure(&bench, "few", 1000);
    measure(&bench, "many", replicas);
    lose_node(&bench);
    bench.orchestrator.free(bench.orchestrator.self);
    bench.allocator.free(bench.allocator.self);
    store_free(bench.store);
    buf_deinit(&bench.entry);
    return 0;
}
