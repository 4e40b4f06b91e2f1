/* tests/bench/bench_scheduler_part.c – the scheduler at work on a store, without Raft and disk: N tasks that wait on M nodes are listed,
 * placed and written; then they come one by one. How long the loop of a leader is held up by one step is what others feel.
 *
 *     bench_scheduler_part [NODES [TASKS]]       1,000 and 100,000 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "manager/scheduler/part.h"

enum { SERVICE_TASKS = 100, SINGLES = 2000 };

struct bench {
    struct store *store;
    struct part part;
    struct part_host host;
    uint64_t index, now_ns;
    struct buf entry;
    void (*fn)(void *ctx, uint64_t index, const struct error *err);
    void *ctx;
    size_t entries;
};

static int propose(void *self, struct bytes entry, void (*fn)(void *ctx, uint64_t index, const struct error *err), void *ctx,
                   struct error *err)
{
    struct bench *bench = self;
    (void)err;
    buf_clear(&bench->entry);
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
    (void)self;
}

static void settle(struct bench *bench)
{
    struct error err;
    for (;;) {
        store_run(bench->store);
        if (!bench->fn)
            return;
        void (*fn)(void *ctx, uint64_t index, const struct error *err) = bench->fn;
        bench->fn = NULL;
        bench->entries++;
        if (store_apply(bench->store, ++bench->index, buf_bytes(&bench->entry), &err) < 0) {
            fprintf(stderr, "bench_scheduler_part: %s\n", err.message);
            exit(1);
        }
        fn(bench->ctx, bench->index, NULL);
    }
}

/* Of the processor: what else the machine does is not our cost. */
static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double rss_mib(void)
{
    long pages = 0;
    malloc_trim(0);
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%*d %ld", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / MIB;
}

static char *text(const char *constant)
{
    return (char *)(uintptr_t)constant;
}

/* --- objects: some of a kind in one transaction --- */

struct range {
    size_t first, end;
};

static int create_nodes(struct store_tx *tx, void *ctx, struct error *err)
{
    const struct range *range = ctx;
    int failed = 0;
    for (size_t i = range->first; i < range->end && failed == 0; i++) {
        Docker__Swarmkit__V1__Node node = DOCKER__SWARMKIT__V1__NODE__INIT;
        Docker__Swarmkit__V1__NodeSpec spec = DOCKER__SWARMKIT__V1__NODE_SPEC__INIT;
        Docker__Swarmkit__V1__NodeStatus status = DOCKER__SWARMKIT__V1__NODE_STATUS__INIT;
        Docker__Swarmkit__V1__NodeDescription description = DOCKER__SWARMKIT__V1__NODE_DESCRIPTION__INIT;
        Docker__Swarmkit__V1__Resources resources = DOCKER__SWARMKIT__V1__RESOURCES__INIT;
        char id[32];
        snprintf(id, sizeof id, "node%021zu", i);
        node.id = description.hostname = id;
        node.spec = &spec;
        node.status = &status;
        node.description = &description;
        description.resources = &resources;
        status.state = DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__READY;
        resources.nano_cpus = 64000000000;
        resources.memory_bytes = (int64_t)256 << 30;
        failed = store_tx_create(tx, &node.base, err);
    }
    return failed;
}

static int create_tasks(struct store_tx *tx, void *ctx, struct error *err)
{
    const struct range *range = ctx;
    int failed = 0;
    for (size_t i = range->first; i < range->end && failed == 0; i++) {
        Docker__Swarmkit__V1__Task task = DOCKER__SWARMKIT__V1__TASK__INIT;
        Docker__Swarmkit__V1__TaskStatus status = DOCKER__SWARMKIT__V1__TASK_STATUS__INIT;
        Docker__Swarmkit__V1__TaskSpec spec = DOCKER__SWARMKIT__V1__TASK_SPEC__INIT;
        Docker__Swarmkit__V1__ContainerSpec container = DOCKER__SWARMKIT__V1__CONTAINER_SPEC__INIT;
        Docker__Swarmkit__V1__ResourceRequirements requirements = DOCKER__SWARMKIT__V1__RESOURCE_REQUIREMENTS__INIT;
        Docker__Swarmkit__V1__Resources reserved = DOCKER__SWARMKIT__V1__RESOURCES__INIT;
        Docker__Swarmkit__V1__Version spec_version = DOCKER__SWARMKIT__V1__VERSION__INIT;
        char id[32], service_id[32];
        snprintf(id, sizeof id, "task%021zu", i);
        snprintf(service_id, sizeof service_id, "service%018zu", i / SERVICE_TASKS);
        task.id = id;
        task.service_id = service_id;
        task.slot = i % SERVICE_TASKS + 1;
        task.status = &status;
        task.spec = &spec;
        task.spec_version = &spec_version;
        task.desired_state = DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING;
        status.state = DOCKER__SWARMKIT__V1__TASK_STATE__PENDING;
        status.message = text("pending task scheduling");
        spec.runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER;
        spec.container = &container;
        container.image = text("registry.example/team/app:1");
        spec.resources = &requirements;
        requirements.reservations = &reserved;
        reserved.nano_cpus = 10000000;
        reserved.memory_bytes = 64 << 20;
        failed = store_tx_create(tx, &task.base, err);
    }
    return failed;
}

static void create(struct bench *bench, store_write_fn *fn, size_t first, size_t end)
{
    for (struct range range = {first, first}; range.end < end; range.first = range.end) {
        range.end = end - range.first < STORE_ACTIONS_COUNT ? end : range.first + STORE_ACTIONS_COUNT;
        store_update(bench->store, fn, NULL, &range);
        settle(bench);
    }
}

/* Steps at their times until nothing is due; the longest of them. */
static double run(struct bench *bench)
{
    double longest_s = 0;
    do {
        double begun_s = cpu_s();
        bench->part.step(bench->part.self, bench->now_ns);
        double took_s = cpu_s() - begun_s;
        longest_s = took_s > longest_s ? took_s : longest_s;
        settle(bench);
        uint64_t due_ns = bench->part.deadline_ns(bench->part.self);
        if (due_ns != PART_NEVER && due_ns > bench->now_ns)
            bench->now_ns = due_ns;
    } while (bench->part.deadline_ns(bench->part.self) != PART_NEVER || scheduler_part_count(bench->part.self).pending_tasks > 0);
    return longest_s;
}

int main(int argc, char **argv)
{
    size_t nodes = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000, tasks = argc > 2 ? strtoull(argv[2], NULL, 10) : 100000;
    struct bench bench = {.now_ns = NS_PER_S};
    struct random_seeded seed;

    random_seeded_init(&seed, 1);
    bench.store = store_new(&(struct store_options){
        .log = {propose, version, wake, &bench}, .clock = clock_system(), .random = random_from_seeded(&seed), .member = 1});
    create(&bench, create_nodes, 0, nodes);
    create(&bench, create_tasks, 0, tasks);
    double before_mib = rss_mib();
    bench.host = (struct part_host){.store = bench.store, .clock = clock_system(), .random = random_from_seeded(&seed), .wake = wake};
    bench.part = scheduler_part_new(&bench.host);

    double begun_s = cpu_s();
    bench.part.step(bench.part.self, bench.now_ns);
    double listed_s = cpu_s() - begun_s;
    double part_mib = rss_mib() - before_mib;
    bench.entries = 0;
    begun_s = cpu_s();
    double longest_s = run(&bench), placed_s = cpu_s() - begun_s;
    printf("%zu tasks on %zu nodes: listed in %.3f s, %.1f MiB; placed and written in %.3f s (%.0f/s, %zu entries), the longest step %.1f "
           "ms\n",
           tasks, nodes, listed_s, part_mib, placed_s, (double)tasks / placed_s, bench.entries, longest_s * 1e3);
    puts("SwarmKit, known, on such a machine: 100000 tasks on 1000 nodes in 46 s, about 2200/s");

    begun_s = cpu_s();
    for (size_t i = 0; i < SINGLES; i++) {
        create(&bench, create_tasks, tasks + i, tasks + i + 1);
        (void)run(&bench);
    }
    printf("one more task: %.1f microseconds from its creation to its second entry\n", (cpu_s() - begun_s) / SINGLES * 1e6);

    bench.part.free(bench.part.self);
    store_free(bench.store);
    buf_deinit(&bench.entry);
    return 0;
}
