/* tests/bench/bench_store.c – a manager's store alone, without Raft: what a large cluster takes in memory, and how fast it changes.
 *
 *     bench_store [NODES [TASKS]]       10,000 and 100,000 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "manager/store/store.h"
#include "manager/tally.h"

#define SERVICE_TASKS 100 /* per service */

struct loop {
    struct store *store;
    uint64_t index, entry_bytes, entries;
    struct buf entry;
    void (*fn)(void *ctx, uint64_t index, const struct error *err);
    void *ctx;
    struct buf log; /* every entry, for the follower */
};

static int propose(void *self, struct bytes entry, void (*fn)(void *ctx, uint64_t index, const struct error *err), void *ctx,
                   struct error *err)
{
    struct loop *loop = self;
    (void)err;
    buf_clear(&loop->entry);
    buf_append(&loop->entry, entry.data, entry.size);
    loop->fn = fn;
    loop->ctx = ctx;
    return 0;
}

static uint64_t version(void *self)
{
    return ((struct loop *)self)->index;
}

static void wake(void *self)
{
    (void)self;
}

static void fail(const struct error *err)
{
    fprintf(stderr, "bench_store: %s\n", err->message);
    exit(1);
}

static void settle(struct loop *loop)
{
    struct error err;
    for (;;) {
        store_run(loop->store);
        if (!loop->fn)
            return;
        void (*fn)(void *ctx, uint64_t index, const struct error *err) = loop->fn;
        loop->fn = NULL;
        loop->entries++;
        loop->entry_bytes += loop->entry.size;
        uint64_t size = loop->entry.size;
        buf_append(&loop->log, &size, sizeof size);
        buf_append(&loop->log, loop->entry.data, loop->entry.size);
        if (store_apply(loop->store, ++loop->index, buf_bytes(&loop->entry), &err) < 0)
            fail(&err);
        fn(loop->ctx, loop->index, NULL);
    }
}

static double now_s(void)
{
    struct clock clock = clock_system();
    return (double)clock_monotonic_ns(&clock) / 1e9;
}

static double rss_mib(void)
{
    long pages = 0;
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

/* --- objects as a real cluster has them --- */

static int create_node(struct store_tx *tx, unsigned number, struct error *err)
{
    static const char *const plugins[][2] = {{"Log", "awslogs"},     {"Log", "fluentd"},    {"Log", "gcplogs"},     {"Log", "gelf"},
                                             {"Log", "journald"},    {"Log", "json-file"},  {"Log", "local"},       {"Log", "splunk"},
                                             {"Log", "syslog"},      {"Network", "bridge"}, {"Network", "host"},    {"Network", "ipvlan"},
                                             {"Network", "macvlan"}, {"Network", "null"},   {"Network", "overlay"}, {"Volume", "local"}};
    enum { PLUGINS = sizeof plugins / sizeof plugins[0] };
    Docker__Swarmkit__V1__PluginDescription plugin[PLUGINS], *plugin_list[PLUGINS];
    Docker__Swarmkit__V1__Node node = DOCKER__SWARMKIT__V1__NODE__INIT;
    Docker__Swarmkit__V1__NodeSpec spec = DOCKER__SWARMKIT__V1__NODE_SPEC__INIT;
    Docker__Swarmkit__V1__NodeStatus status = DOCKER__SWARMKIT__V1__NODE_STATUS__INIT;
    Docker__Swarmkit__V1__NodeDescription description = DOCKER__SWARMKIT__V1__NODE_DESCRIPTION__INIT;
    Docker__Swarmkit__V1__Platform platform = DOCKER__SWARMKIT__V1__PLATFORM__INIT;
    Docker__Swarmkit__V1__Resources resources = DOCKER__SWARMKIT__V1__RESOURCES__INIT;
    Docker__Swarmkit__V1__EngineDescription engine = DOCKER__SWARMKIT__V1__ENGINE_DESCRIPTION__INIT;
    Docker__Swarmkit__V1__NodeTLSInfo tls = DOCKER__SWARMKIT__V1__NODE_TLSINFO__INIT;
    Docker__Swarmkit__V1__Certificate certificate = DOCKER__SWARMKIT__V1__CERTIFICATE__INIT;
    static uint8_t pem[900];
    char id[32], hostname[32], address[32];

    snprintf(id, sizeof id, "node%021u", number);
    snprintf(hostname, sizeof hostname, "host-%u.example.net", number);
    snprintf(address, sizeof address, "10.%u.%u.%u", number >> 16, number >> 8 & 255, number & 255);
    for (int i = 0; i < PLUGINS; i++) {
        docker__swarmkit__v1__plugin_description__init(&plugin[i]);
        plugin[i].type = text(plugins[i][0]);
        plugin[i].name = text(plugins[i][1]);
        plugin_list[i] = &plugin[i];
    }
    engine.engine_version = text("20.10.24");
    engine.plugins = plugin_list;
    engine.n_plugins = PLUGINS;
    platform.os = text("linux");
    platform.architecture = text("x86_64");
    resources.nano_cpus = 8000000000;
    resources.memory_bytes = INT64_C(16) * GIB;
    tls.trust_root = (ProtobufCBinaryData){553, pem};
    tls.cert_issuer_subject = (ProtobufCBinaryData){21, pem};
    tls.cert_issuer_public_key = (ProtobufCBinaryData){91, pem};
    description.hostname = hostname;
    description.platform = &platform;
    description.resources = &resources;
    description.engine = &engine;
    description.tls_info = &tls;
    status.state = DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__READY;
    status.addr = address;
    certificate.csr = (ProtobufCBinaryData){326, pem};
    certificate.certificate = (ProtobufCBinaryData){810, pem};
    certificate.cn = id;
    spec.membership = DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__ACCEPTED;
    node.id = id;
    node.spec = &spec;
    node.description = &description;
    node.status = &status;
    node.certificate = &certificate;
    return store_tx_create(tx, &node.base, err);
}

static int create_task(struct store_tx *tx, unsigned number, unsigned nodes, struct error *err)
{
    Docker__Swarmkit__V1__Task task = DOCKER__SWARMKIT__V1__TASK__INIT;
    Docker__Swarmkit__V1__TaskSpec spec = DOCKER__SWARMKIT__V1__TASK_SPEC__INIT;
    Docker__Swarmkit__V1__ContainerSpec container = DOCKER__SWARMKIT__V1__CONTAINER_SPEC__INIT;
    Docker__Swarmkit__V1__ContainerSpec__DNSConfig dns = DOCKER__SWARMKIT__V1__CONTAINER_SPEC__DNSCONFIG__INIT;
    Docker__Swarmkit__V1__ResourceRequirements resources = DOCKER__SWARMKIT__V1__RESOURCE_REQUIREMENTS__INIT;
    Docker__Swarmkit__V1__Resources limits = DOCKER__SWARMKIT__V1__RESOURCES__INIT;
    Docker__Swarmkit__V1__Placement placement = DOCKER__SWARMKIT__V1__PLACEMENT__INIT;
    Docker__Swarmkit__V1__Platform platform = DOCKER__SWARMKIT__V1__PLATFORM__INIT, *platforms[] = {&platform};
    Docker__Swarmkit__V1__TaskStatus status = DOCKER__SWARMKIT__V1__TASK_STATUS__INIT;
    Docker__Swarmkit__V1__ContainerStatus running = DOCKER__SWARMKIT__V1__CONTAINER_STATUS__INIT;
    Docker__Swarmkit__V1__Annotations service = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    Docker__Swarmkit__V1__Version version = DOCKER__SWARMKIT__V1__VERSION__INIT;
    char id[32], service_id[32], node_id[32], service_name[32];
    char *env[] = {text("MODE=production"), text("REGION=eu-west-1")}, *args[] = {text("--listen"), text(":8080")};

    snprintf(id, sizeof id, "task%021u", number);
    snprintf(service_id, sizeof service_id, "service%018u", number / SERVICE_TASKS);
    snprintf(service_name, sizeof service_name, "service-%u", number / SERVICE_TASKS);
    snprintf(node_id, sizeof node_id, "node%021u", number % nodes);
    container.image = text("registry.example.net/team/web:1.4@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    container.env = env;
    container.n_env = 2;
    container.args = args;
    container.n_args = 2;
    container.dns_config = &dns;
    resources.limits = &limits;
    resources.reservations = &limits;
    platform.os = text("linux");
    platform.architecture = text("amd64");
    placement.platforms = platforms;
    placement.n_platforms = 1;
    spec.runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER;
    spec.container = &container;
    spec.resources = &resources;
    spec.placement = &placement;
    running.container_id = text("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    running.pid = 4711;
    status.state = DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING;
    status.message = text("started");
    status.runtime_status_case = DOCKER__SWARMKIT__V1__TASK_STATUS__RUNTIME_STATUS_CONTAINER;
    status.container = &running;
    service.name = service_name;
    task.id = id;
    task.service_id = service_id;
    task.node_id = node_id;
    task.slot = number % SERVICE_TASKS + 1;
    task.desired_state = DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING;
    task.spec = &spec;
    task.status = &status;
    task.service_annotations = &service;
    task.spec_version = &version;
    return store_tx_create(tx, &task.base, err);
}

struct job {
    unsigned next, count, nodes, state;
    enum { NODES, TASKS, STATES } what;
};

static int change_state(struct store_tx *tx, unsigned number, unsigned state, struct error *err)
{
    char id[32];
    snprintf(id, sizeof id, "task%021u", number);
    Docker__Swarmkit__V1__Task task = *store_tx_task(tx, id);
    Docker__Swarmkit__V1__TaskStatus status = *task.status;
    status.state = (Docker__Swarmkit__V1__TaskState)state;
    task.status = &status;
    return store_tx_update(tx, &task.base, err);
}

static int work(struct store_tx *tx, void *ctx, struct error *err)
{
    struct job *job = ctx;
    unsigned at = job->next, end = at + STORE_ACTIONS_COUNT < job->count ? at + STORE_ACTIONS_COUNT : job->count;
    int failed = 0;
    for (; at < end && failed == 0; at++)
        failed = job->what == NODES   ? create_node(tx, at, err)
                 : job->what == TASKS ? create_task(tx, at, job->nodes, err)
                                      : change_state(tx, at, job->state, err);
    return failed;
}

static void done(void *ctx, const struct error *err)
{
    struct job *job = ctx;
    if (err)
        fail(err);
    job->next += STORE_ACTIONS_COUNT;
}

static void run(struct loop *loop, struct job job, const char *what)
{
    double begun = now_s();
    while (job.next < job.count) {
        store_update(loop->store, work, done, &job);
        settle(loop);
    }
    double took = now_s() - begun;
    printf("%-36s %8u %8.2f s %12.0f per second\n", what, job.count, took, job.count / took);
}

int main(int argc, char **argv)
{
    unsigned nodes = argc > 1 ? (unsigned)atoi(argv[1]) : 10000, tasks = argc > 2 ? (unsigned)atoi(argv[2]) : 100000;
    struct loop loop = {.index = 1}, other = {.index = 1};
    struct store_log log = {propose, version, wake, &loop}, other_log = {propose, version, wake, &other};
    struct error err;

    if (nodes == 0 || tasks == 0) {
        fprintf(stderr, "usage: bench_store [NODES [TASKS]]\n");
        return 64;
    }
    loop.store = store_new(&(struct store_options){.log = log, .clock = clock_system(), .random = random_system()});
    double before = rss_mib();
    run(&loop, (struct job){.what = NODES, .count = nodes}, "nodes created");
    run(&loop, (struct job){.what = TASKS, .count = tasks, .nodes = nodes}, "tasks created, 200 to an entry");
    run(&loop, (struct job){.what = STATES, .count = tasks, .state = 576}, "task states changed");
    double log_mib = (double)loop.log.capacity / MIB;
    malloc_trim(0);
    printf("%-36s %8.0f MiB (objects %.0f, %zu B each; without the %.0f MiB of log kept for this bench)\n", "memory, all in all",
           rss_mib() - before - log_mib, (double)store_size_bytes(loop.store) / MIB, store_size_bytes(loop.store) / (nodes + tasks),
           log_mib);
    printf("%-36s %8.0f B\n", "log per change", (double)loop.entry_bytes / (nodes + 2.0 * tasks));

    double begun = now_s();
    struct tally tally = {0};
    struct buf told = {0};
    struct metrics metrics = {.out = &told};
    struct clock clock = clock_system();
    tally_follow(&tally, loop.store);
    printf("%-36s %8.1f ms (once for each leader, when someone asks)\n", "tasks counted for metrics", (now_s() - begun) * 1e3);
    begun = now_s();
    tally_follow(&tally, loop.store);
    tally_tell(&tally, clock_wall_ns(&clock), &metrics);
    printf("%-36s %8.1f ms\n", "told again", (now_s() - begun) * 1e3);
    tally_end(&tally);
    buf_deinit(&told);

    begun = now_s();
    other.store = store_new(&(struct store_options){.log = other_log, .clock = clock_system(), .random = random_system()});
    for (size_t at = 0; at < loop.log.size;) {
        uint64_t size;
        memcpy(&size, loop.log.data + at, sizeof size);
        if (store_apply(other.store, ++other.index, bytes_of(loop.log.data + at + sizeof size, (size_t)size), &err) < 0)
            fail(&err);
        at += sizeof size + (size_t)size;
    }
    printf("%-36s %8u %8.2f s %12.0f per second\n", "changes applied by a follower", nodes + 2 * tasks, now_s() - begun,
           (nodes + 2 * tasks) / (now_s() - begun));

    begun = now_s();
    struct buf bytes = {0}, membership = {0};
    struct store_image *image = store_image_open(loop.store, bytes_of(NULL, 0));
    printf("%-36s %8.1f ms (writers wait for this alone)\n", "image opened", (now_s() - begun) * 1e3);
    for (size_t size = SIZE_MAX; size != bytes.size;) {
        size = bytes.size;
        store_image_read(image, 64 * KIB, &bytes);
    }
    store_image_close(image);
    printf("%-36s %8.0f MiB %6.2f s\n", "image written", (double)bytes.size / MIB, now_s() - begun);
    begun = now_s();
    store_restore_begin(other.store);
    for (size_t at = 0; at < bytes.size; at += 64 * KIB)
        if (store_restore_add(other.store, bytes_of(bytes.data + at, bytes.size - at < 64 * KIB ? bytes.size - at : 64 * KIB), &err) < 0)
            fail(&err);
    if (store_restore_end(other.store, 1, &membership, &err) < 0)
        fail(&err);
    printf("%-36s %8zu objects %3.2f s\n", "image read", store_count(other.store, STORE_TASK, STORE_ALL, NULL) + nodes, now_s() - begun);
    buf_deinit(&bytes);
    buf_deinit(&membership);
    buf_deinit(&loop.log);
    buf_deinit(&loop.entry);
    store_free(loop.store);
    store_free(other.store);
    return 0;
}
