/* tests/bench/bench_scheduler.c – what the scheduler costs in memory and time: N tasks on M nodes from nothing, and single changes after
 * it.
 *
 * bench_scheduler [NODES TASKS SERVICE_SIZE SHAPE]: SHAPE is plain (every service wants a little CPU and memory), mixed (constraints,
 * spread, host ports, Windows images among them) or single (no spec version: what SwarmKit schedules one by one). Without arguments a
 * table of all. The figures are for the whole way of a task: told of, decided, and told again as committed; processor time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/mem.h"
#include "manager/scheduler/scheduler.h"
#include "proto/swarmkit/objects.pb-c.h"

typedef Docker__Swarmkit__V1__Node Node;
typedef Docker__Swarmkit__V1__Task Task;

enum { RUN_BUDGET = 10000, SINGLE_CHANGES = 1000, BLOCKED_GROUPS = 1000 };
enum shape { PLAIN, MIXED, SINGLE };
static const char *const shapes[] = {"plain", "mixed", "single"};

#define MAKE(arena, type, prefix)                                                                                                          \
    ({                                                                                                                                     \
        type *made_ = arena_alloc(arena, sizeof *made_);                                                                                   \
        prefix##__init(made_);                                                                                                             \
        made_;                                                                                                                             \
    })

/* One message of each kind, filled anew for each call: the bench's own memory is small. */
struct bench {
    struct scheduler *scheduler;
    struct arena arena;
    Node *node;
    Docker__Swarmkit__V1__Annotations__LabelsEntry zone, *labels[1];
    Docker__Swarmkit__V1__EngineDescription__LabelsEntry engine_labels[4], *engine_label_list[4];
    Docker__Swarmkit__V1__PluginDescription plugins[4], *plugin_list[4];
    Task *task;
    Docker__Swarmkit__V1__Endpoint endpoint;
    Docker__Swarmkit__V1__PortConfig port, *ports[1];
    Docker__Swarmkit__V1__PlacementPreference preference, *preferences[1];
    Docker__Swarmkit__V1__SpreadOver spread;
    char *constraints[1];
    char node_id[32], hostname[32], zone_value[16], task_id[32], service_id[32], assigned_node[32];
    uint32_t *placed; /* node of each task */
    size_t node_count, task_count, service_size;
    enum shape shape;
    int64_t now_ns;
};

/* Of the processor: what else the machine does is not our cost. */
static uint64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static double seconds_since(uint64_t begun)
{
    return (double)(cpu_ns() - begun) / 1e9;
}

/* 25 characters, as SwarmKit's ids have; the number can be read back. */
static void make_id(char *out, char kind, size_t number)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t mixed = number * 0x9e3779b97f4a7c15u;
    out[0] = kind;
    for (size_t i = 0; i < 16; i++)
        out[1 + i] = digits[mixed >> (4 * i) & 15];
    for (size_t i = 0; i < 8; i++)
        out[17 + i] = digits[number >> (4 * i) & 15];
    out[25] = '\0';
}

static size_t number_of(const char *id)
{
    size_t number = 0;
    for (size_t i = 8; i-- > 0;)
        number = number << 4 | (size_t)(id[17 + i] <= '9' ? id[17 + i] - '0' : id[17 + i] - 'a' + 10);
    return number;
}

static void make_messages(struct bench *b)
{
    struct arena *arena = &b->arena;
    Node *node = b->node = MAKE(arena, Node, docker__swarmkit__v1__node);
    node->id = b->node_id;
    node->spec = MAKE(arena, Docker__Swarmkit__V1__NodeSpec, docker__swarmkit__v1__node_spec);
    node->spec->annotations = MAKE(arena, Docker__Swarmkit__V1__Annotations, docker__swarmkit__v1__annotations);
    docker__swarmkit__v1__annotations__labels_entry__init(&b->zone);
    b->labels[0] = &b->zone;
    b->zone.key = arena_string(arena, "zone");
    b->zone.value = b->zone_value;
    node->spec->annotations->n_labels = 1;
    node->spec->annotations->labels = b->labels;
    node->status = MAKE(arena, Docker__Swarmkit__V1__NodeStatus, docker__swarmkit__v1__node_status);
    node->status->state = DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__READY;
    node->status->addr = arena_string(arena, "10.0.0.5");
    node->description = MAKE(arena, Docker__Swarmkit__V1__NodeDescription, docker__swarmkit__v1__node_description);
    node->description->hostname = b->hostname;
    node->description->platform = MAKE(arena, Docker__Swarmkit__V1__Platform, docker__swarmkit__v1__platform);
    node->description->platform->architecture = arena_string(arena, "x86_64");
    node->description->resources = MAKE(arena, Docker__Swarmkit__V1__Resources, docker__swarmkit__v1__resources);
    node->description->resources->nano_cpus = 64000000000;
    node->description->resources->memory_bytes = (int64_t)256 << 30;
    node->description->engine = MAKE(arena, Docker__Swarmkit__V1__EngineDescription, docker__swarmkit__v1__engine_description);
    static const char *const plugins[4][2] = {{"Log", "json-file"}, {"Network", "bridge"}, {"Network", "overlay"}, {"Volume", "local"}};
    static const char *const labels[4][2] = {{"skep.isolation.process", "true"},
                                             {"skep.isolation.hyperv", "true"},
                                             {"skep.isolation.default", "process"},
                                             {"skep.os.build", "20348.1"}};
    for (size_t i = 0; i < 4; i++) {
        docker__swarmkit__v1__plugin_description__init(&b->plugins[i]);
        b->plugins[i].type = arena_string(arena, plugins[i][0]);
        b->plugins[i].name = arena_string(arena, plugins[i][1]);
        b->plugin_list[i] = &b->plugins[i];
        docker__swarmkit__v1__engine_description__labels_entry__init(&b->engine_labels[i]);
        b->engine_labels[i].key = arena_string(arena, labels[i][0]);
        b->engine_labels[i].value = arena_string(arena, labels[i][1]);
        b->engine_label_list[i] = &b->engine_labels[i];
    }
    node->description->engine->n_plugins = 4;
    node->description->engine->plugins = b->plugin_list;
    node->description->engine->labels = b->engine_label_list;

    Task *task = b->task = MAKE(arena, Task, docker__swarmkit__v1__task);
    task->id = b->task_id;
    task->service_id = b->service_id;
    task->desired_state = DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING;
    task->status = MAKE(arena, Docker__Swarmkit__V1__TaskStatus, docker__swarmkit__v1__task_status);
    task->spec_version = MAKE(arena, Docker__Swarmkit__V1__Version, docker__swarmkit__v1__version);
    task->spec_version->index = 7;
    task->spec = MAKE(arena, Docker__Swarmkit__V1__TaskSpec, docker__swarmkit__v1__task_spec);
    task->spec->runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER;
    task->spec->container = MAKE(arena, Docker__Swarmkit__V1__ContainerSpec, docker__swarmkit__v1__container_spec);
    task->spec->resources = MAKE(arena, Docker__Swarmkit__V1__ResourceRequirements, docker__swarmkit__v1__resource_requirements);
    task->spec->resources->reservations = MAKE(arena, Docker__Swarmkit__V1__Resources, docker__swarmkit__v1__resources);
    task->spec->placement = MAKE(arena, Docker__Swarmkit__V1__Placement, docker__swarmkit__v1__placement);
    docker__swarmkit__v1__endpoint__init(&b->endpoint);
    docker__swarmkit__v1__port_config__init(&b->port);
    b->port.publish_mode = DOCKER__SWARMKIT__V1__PORT_CONFIG__PUBLISH_MODE__HOST;
    b->ports[0] = &b->port;
    docker__swarmkit__v1__placement_preference__init(&b->preference);
    docker__swarmkit__v1__spread_over__init(&b->spread);
    b->spread.spread_descriptor = arena_string(arena, "node.labels.zone");
    b->preference.preference_case = DOCKER__SWARMKIT__V1__PLACEMENT_PREFERENCE__PREFERENCE_SPREAD;
    b->preference.spread = &b->spread;
    b->preferences[0] = &b->preference;
    b->constraints[0] = arena_string(arena, "node.labels.zone == z3");
}

static void check(int failed, const struct error *err)
{
    if (failed == 0)
        return;
    fprintf(stderr, "bench_scheduler: %s\n", err->message);
    exit(1);
}

static void set_node(struct bench *b, size_t i)
{
    struct error err;
    bool is_windows = b->shape == MIXED && i % 4 == 3;
    make_id(b->node_id, 'n', i);
    (void)snprintf(b->hostname, sizeof b->hostname, "host-%zu", i);
    (void)snprintf(b->zone_value, sizeof b->zone_value, "z%zu", i / 4 % 8);
    b->node->description->platform->os = (char *)(is_windows ? "windows" : "linux");
    b->node->description->engine->n_labels = b->shape == MIXED ? (is_windows ? 4 : 3) : 0;
    check(scheduler_node_set(b->scheduler, b->node, &err), &err);
}

static void wish(struct bench *b, size_t service)
{
    static const char *const images[] = {"registry.example/app/linux:1", "registry.example/app/windows:1"};
    Docker__Swarmkit__V1__TaskSpec *spec = b->task->spec;
    bool is_windows = b->shape == MIXED && service % 8 == 5;
    spec->container->image = (char *)images[is_windows];
    spec->resources->reservations->nano_cpus = 10000000;
    spec->resources->reservations->memory_bytes = 64 << 20;
    spec->placement->n_constraints = b->shape == MIXED && service % 8 == 1;
    spec->placement->constraints = b->constraints;
    spec->placement->n_preferences = b->shape == MIXED && service % 8 == 2;
    spec->placement->preferences = b->preferences;
    b->task->endpoint = b->shape == MIXED && service % 8 == 3 && b->service_size * 2 < b->node_count ? &b->endpoint : NULL;
    b->port.published_port = 20000 + (uint32_t)(service % 10000);
    b->endpoint.n_ports = 1;
    b->endpoint.ports = b->ports;
}

/* @node: UINT32_MAX while it has none. */
static void set_task(struct bench *b, size_t i, uint32_t node, Docker__Swarmkit__V1__TaskState state)
{
    struct error err;
    size_t service = i / b->service_size;
    make_id(b->task_id, 't', i);
    make_id(b->service_id, 's', service);
    if (b->shape == SINGLE)
        b->service_id[0] = '\0';
    b->task->spec_version = b->shape == SINGLE ? NULL : b->task->spec_version;
    wish(b, service);
    b->assigned_node[0] = '\0';
    if (node != UINT32_MAX)
        make_id(b->assigned_node, 'n', node);
    b->task->node_id = b->assigned_node;
    b->task->status->state = state;
    check(scheduler_task_set(b->scheduler, b->task, &err), &err);
}

/* Until nothing is left to decide; how many were placed. */
static size_t run_all(struct bench *b)
{
    size_t placed = 0;
    struct scheduler_result result;
    do {
        result = scheduler_run(b->scheduler, b->now_ns, RUN_BUDGET);
        for (size_t i = 0; i < result.count; i++) {
            if (result.decisions[i].kind != SCHEDULER_ASSIGN)
                continue;
            b->placed[number_of(result.decisions[i].task_id)] = (uint32_t)number_of(result.decisions[i].node_id);
            placed++;
        }
    } while (result.has_more);
    return placed;
}

static long peak_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* Seconds that one change and the run after it take, the mean of many. */
static double change_tasks(struct bench *b)
{
    uint64_t begun = cpu_ns();
    for (size_t k = 0; k < SINGLE_CHANGES; k++) {
        size_t i = k * 7919 % b->task_count;
        set_task(b, i, b->placed[i], DOCKER__SWARMKIT__V1__TASK_STATE__FAILED);
        set_task(b, i, UINT32_MAX, DOCKER__SWARMKIT__V1__TASK_STATE__PENDING);
        (void)run_all(b);
        set_task(b, i, b->placed[i], DOCKER__SWARMKIT__V1__TASK_STATE__ASSIGNED);
    }
    return seconds_since(begun) / SINGLE_CHANGES;
}

static double finish_tasks(struct bench *b)
{
    uint64_t begun = cpu_ns();
    for (size_t k = 0; k < SINGLE_CHANGES; k++) {
        size_t i = (k * 7919 + 13) % b->task_count;
        set_task(b, i, b->placed[i], DOCKER__SWARMKIT__V1__TASK_STATE__COMPLETE);
        (void)run_all(b);
    }
    return seconds_since(begun) / SINGLE_CHANGES;
}

static double change_nodes(struct bench *b)
{
    uint64_t begun = cpu_ns();
    for (size_t k = 0; k < SINGLE_CHANGES; k++) {
        b->node->spec->availability =
            k % 2 == 0 ? DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__DRAIN : DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__ACTIVE;
        set_node(b, k / 2 % b->node_count);
        (void)run_all(b);
    }
    return seconds_since(begun) / SINGLE_CHANGES;
}

/* Services that fit nowhere, each of a shape of its own. */
static double block(struct bench *b)
{
    struct error err;
    uint64_t begun = cpu_ns();
    for (size_t k = 0; k < BLOCKED_GROUPS; k++) {
        make_id(b->task_id, 'b', k);
        make_id(b->service_id, 'x', k);
        wish(b, 0);
        b->task->spec->resources->reservations->nano_cpus = 100000000000 + (int64_t)k;
        b->assigned_node[0] = '\0';
        b->task->status->state = DOCKER__SWARMKIT__V1__TASK_STATE__PENDING;
        check(scheduler_task_set(b->scheduler, b->task, &err), &err);
    }
    (void)run_all(b);
    return seconds_since(begun) / BLOCKED_GROUPS;
}

static void bench(size_t node_count, size_t task_count, size_t service_size, enum shape shape)
{
    struct bench b = {.scheduler = scheduler_new(),
                      .placed = mem_array(task_count, sizeof *b.placed),
                      .node_count = node_count,
                      .task_count = task_count,
                      .service_size = service_size,
                      .shape = shape,
                      .now_ns = 1};
    const struct scheduler_platform windows[] = {{"windows", "amd64", "10.0.17763.1"}, {"windows", "amd64", "10.0.20348.1"}},
                                    linux_image = {"linux", "amd64", ""};
    struct error err;

    make_messages(&b);
    check(scheduler_image_set(b.scheduler, "registry.example/app/windows:1", windows, 2, &err), &err);
    check(scheduler_image_set(b.scheduler, "registry.example/app/linux:1", &linux_image, 1, &err), &err);
    uint64_t begun = cpu_ns(), whole = begun;
    long before_kib = peak_kib();
    for (size_t i = 0; i < node_count; i++)
        set_node(&b, i);
    double nodes_s = seconds_since(begun);
    begun = cpu_ns();
    for (size_t i = 0; i < task_count; i++)
        set_task(&b, i, UINT32_MAX, DOCKER__SWARMKIT__V1__TASK_STATE__PENDING);
    double told_s = seconds_since(begun);
    begun = cpu_ns();
    size_t placed = run_all(&b);
    double decided_s = seconds_since(begun);
    begun = cpu_ns();
    for (size_t i = 0; i < task_count; i++)
        set_task(&b, i, b.placed[i], DOCKER__SWARMKIT__V1__TASK_STATE__ASSIGNED);
    double committed_s = seconds_since(begun), all_s = seconds_since(whole);
    if (placed != task_count) {
        fprintf(stderr, "bench_scheduler: only %zu of %zu tasks were placed\n", placed, task_count);
        exit(1);
    }
    printf("%6zu x %-8zu %6zu %-6s %8.3f %8.3f %8.3f %8.3f %8.3f %10.0f %6ld", node_count, task_count, service_size, shapes[shape], nodes_s,
           told_s, decided_s, committed_s, all_s, (double)task_count / all_s, (peak_kib() - before_kib) / 1024);
    double changed_s = change_tasks(&b), node_s = change_nodes(&b), blocked_s = block(&b), finished_s = finish_tasks(&b);
    double node_blocked_s = change_nodes(&b);
    printf(" %9.1f %8.1f %8.1f %8.1f %8.1f\n", changed_s * 1e6, node_s * 1e6, blocked_s * 1e6, finished_s * 1e6, node_blocked_s * 1e6);
    scheduler_free(b.scheduler);
    arena_deinit(&b.arena);
    free(b.placed);
}

/* In a process of its own: its peak memory is its own. */
static void bench_apart(size_t nodes, size_t tasks, size_t size, enum shape shape)
{
    int status = 0;
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        bench(nodes, tasks, size, shape);
        exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        exit(1);
}

int main(int argc, char **argv)
{
    printf("                service       CPU seconds                                                     peak  microseconds for one\n"
           " nodes x tasks    size shape     nodes     told  decided committed    all    tasks/s    MiB  task anew  node up  blocked | "
           "finished  "
           "node up, with %d blocked\n",
           BLOCKED_GROUPS);
    if (argc == 5) {
        enum shape shape = strcmp(argv[4], "mixed") == 0 ? MIXED : strcmp(argv[4], "single") == 0 ? SINGLE : PLAIN;
        bench_apart(strtoull(argv[1], NULL, 10), strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10), shape);
        return 0;
    }
    static const size_t sizes[][2] = {{1000, 10000}, {1000, 100000}, {10000, 1000000}};
    puts("SwarmKit, known, on such a machine: 1000 x 100000 in 46 s, about 2200 tasks/s");
    for (size_t i = 0; i < 3; i++) {
        bench_apart(sizes[i][0], sizes[i][1], 100, PLAIN);
        bench_apart(sizes[i][0], sizes[i][1], sizes[i][1], PLAIN);
        bench_apart(sizes[i][0], sizes[i][1], 1, PLAIN);
        bench_apart(sizes[i][0], sizes[i][1], 1, SINGLE);
        bench_apart(sizes[i][0], sizes[i][1], 100, MIXED);
    }
    return 0;
}
