/* tests/unit/manager/scheduler/test_scheduler.c – the whole against a slow and obvious scheduler that knows only what it was told last.
 *
 * Nodes, tasks and images change at random. After every run each decision is checked in its order: the node fits, no node that fits would
 * have been a better choice, and among branches of a preference none with fewer tasks had room. At the end no task waits for which a
 * node fits, and what is said of those that wait is what asking every node gives. */
#include <stdlib.h>

#include "tests/unit/manager/scheduler/swarm.h"

enum { NODES = 12, TASKS = 160, SERVICES = 14, STEPS = 350, SEEDS = 40, KINDS_OF_IMAGE = 5 };

static uint64_t seed;

static uint32_t roll(uint32_t sides)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 33) % sides;
}

/* What the obvious scheduler knows. Everything is small numbers. */

struct plain_node {
    bool exists, is_ready, is_windows, has_overlay, is_manager, reports, has_hyperv;
    int zone, rack, build; /* build: 0 17763, 1 20348, 2 26100 */
    int64_t cpu, memory, ssd;
    int gpus; /* named */
};

struct plain_service {
    int version;
    int64_t cpu, memory, ssd;
    int gpus, zone, not_zone, max_replicas, port, image, preferences; /* -1 or 0: no wish */
    bool wants_overlay, wants_manager, wants_platform;
    int wish;
};

struct plain_task {
    enum { NONE, WAITING, FIXED, PLACED } where;
    int service, node;
    bool is_to_run, was_told;
    Task *message;
};

static struct plain_node nodes[NODES];
static struct plain_service services[SERVICES];
static struct plain_task tasks[TASKS];
static int known_image[KINDS_OF_IMAGE]; /* is it known? */
static struct swarm swarm;
static int failures[SERVICES][NODES];

static const char *const builds[] = {"17763.1", "20348.1", "26100.1"};
static const char *const image_names[KINDS_OF_IMAGE] = {"any", "linux", "win2019", "win2022", "both"};
static const struct {
    struct scheduler_platform platforms[2];
    size_t count;
} image_platforms[KINDS_OF_IMAGE] = {{{{"", "", ""}}, 1},
                                     {{{"linux", "amd64", ""}}, 1},
                                     {{{"windows", "amd64", "10.0.17763.9"}}, 1},
                                     {{{"windows", "amd64", "10.0.20348.9"}}, 1},
                                     {{{"linux", "amd64", ""}, {"windows", "amd64", "10.0.17763.9"}}, 2}};
/* [image build 2019, 2022][host build]: by the published rules */
static const bool process_runs[2][3] = {{true, false, false}, {false, true, true}};
static const bool hyperv_runs[2][3] = {{true, true, true}, {false, true, true}};

static bool isolation_ok(const struct plain_node *node, const struct plain_service *service)
{
    if (!node->reports)
        return true;
    if (service->wish == 2 && !node->has_hyperv)
        return false;
    if (!node->is_windows || !known_image[service->image] || service->image < 2)
        return true;
    int image = service->image == 3; /* what there is for Windows */
    bool process = process_runs[image][node->build], hyperv = hyperv_runs[image][node->build] && node->has_hyperv;
    return service->wish == 1 ? process : service->wish == 2 ? hyperv : process || hyperv;
}

static bool platform_ok(const struct plain_node *node, const struct plain_service *service)
{
    if (service->wants_platform && node->is_windows)
        return false;
    if (known_image[service->image]) {
        if (service->image == 1 && node->is_windows)
            return false;
        if ((service->image == 2 || service->image == 3) && !node->is_windows)
            return false;
    }
    return isolation_ok(node, service);
}

static int tasks_of(int service, int node)
{
    int count = 0;
    for (int i = 0; i < TASKS; i++)
        count += tasks[i].where == PLACED && tasks[i].node == node && tasks[i].is_to_run && (service < 0 || tasks[i].service == service);
    return count;
}

/* The first filter that a node fails. */
static enum scheduler_filter ask(int n, int s)
{
    const struct plain_node *node = &nodes[n];
    const struct plain_service *service = &services[s];
    int64_t cpu = node->cpu, memory = node->memory, ssd = node->ssd, gpus = node->gpus;
    bool port_taken = false;
    for (int i = 0; i < TASKS; i++) {
        if (tasks[i].where != PLACED || tasks[i].node != n)
            continue;
        const struct plain_service *other = &services[tasks[i].service];
        cpu -= other->cpu;
        memory -= other->memory;
        ssd -= other->ssd;
        gpus -= other->gpus;
        port_taken = port_taken || (other->port > 0 && other->port == service->port);
    }
    if (!node->is_ready)
        return SCHEDULER_FILTER_READY;
    if ((service->cpu > 0 && service->cpu > cpu) || (service->memory > 0 && service->memory > memory) ||
        (service->ssd > 0 && service->ssd > ssd) || (service->gpus > 0 && service->gpus > gpus))
        return SCHEDULER_FILTER_RESOURCE;
    if (service->wants_overlay && !node->has_overlay)
        return SCHEDULER_FILTER_PLUGIN;
    if ((service->zone >= 0 && node->zone != service->zone) || (service->not_zone >= 0 && node->zone == service->not_zone) ||
        (service->wants_manager && !node->is_manager))
        return SCHEDULER_FILTER_CONSTRAINT;
    if (!platform_ok(node, service))
        return SCHEDULER_FILTER_PLATFORM;
    if (port_taken)
        return SCHEDULER_FILTER_HOST_PORT;
    if (service->max_replicas > 0 && tasks_of(s, n) >= service->max_replicas)
        return SCHEDULER_FILTER_MAX_REPLICAS;
    return SCHEDULER_FILTER_COUNT;
}

/* As messages. */

static void tell_node(int n)
{
    const struct plain_node *plain = &nodes[n];
    Node *node = node_make(&swarm, arena_format(&swarm.arena, "n%d", n));
    node->status->state =
        plain->is_ready ? DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__READY : DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__DOWN;
    node->role = plain->is_manager ? DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER : DOCKER__SWARMKIT__V1__NODE_ROLE__WORKER;
    node->description->resources->nano_cpus = plain->cpu;
    node->description->resources->memory_bytes = plain->memory;
    if (plain->ssd > 0)
        node_generic(&swarm, node, discrete(&swarm, "ssd", plain->ssd));
    for (int i = 0; i < plain->gpus; i++)
        node_generic(&swarm, node, named(&swarm, "gpu", arena_format(&swarm.arena, "gpu%d", i)));
    node_label(&swarm, node, "zone", arena_format(&swarm.arena, "z%d", plain->zone));
    node_label(&swarm, node, "rack", arena_format(&swarm.arena, "r%d", plain->rack));
    if (plain->has_overlay)
        node_plugin(&swarm, node, "Network", "overlay");
    if (plain->is_windows)
        node->description->platform->os = swarm_copy(&swarm, "windows");
    if (plain->reports) {
        engine_label(&swarm, node, "skep.isolation.process", "true");
        engine_label(&swarm, node, "skep.isolation.hyperv", plain->has_hyperv ? "true" : "false");
        engine_label(&swarm, node, "skep.isolation.default", "process");
        if (plain->is_windows)
            engine_label(&swarm, node, "skep.os.build", builds[plain->build]);
    }
    node_set(&swarm, node);
}

static Task *message_of(int t)
{
    const struct plain_service *service = &services[tasks[t].service];
    Task *task = task_make(&swarm, arena_format(&swarm.arena, "s%d", tasks[t].service), arena_format(&swarm.arena, "t%d", t));
    task->spec_version->index = (uint64_t)service->version;
    task->spec->container->image = swarm_copy(&swarm, image_names[service->image]);
    task->spec->container->isolation = (Docker__Swarmkit__V1__ContainerSpec__Isolation)service->wish;
    task->spec->placement->max_replicas = (uint64_t)service->max_replicas;
    task_reserve(task, service->cpu, service->memory);
    if (service->ssd > 0)
        task_generic(&swarm, task, discrete(&swarm, "ssd", service->ssd));
    if (service->gpus > 0)
        task_generic(&swarm, task, discrete(&swarm, "gpu", service->gpus));
    if (service->zone >= 0)
        task_constraint(&swarm, task, arena_format(&swarm.arena, "node.labels.zone == Z%d", service->zone));
    if (service->not_zone >= 0)
        task_constraint(&swarm, task, arena_format(&swarm.arena, "node.labels.zone!=z%d", service->not_zone));
    if (service->wants_manager)
        task_constraint(&swarm, task, "node.role==manager");
    if (service->wants_platform)
        task_platform(&swarm, task, "linux", "amd64");
    if (service->port > 0)
        task_port(&swarm, task, DOCKER__SWARMKIT__V1__PORT_CONFIG__PROTOCOL__TCP, (uint32_t)service->port, true);
    if (service->preferences > 0)
        task_spread(&swarm, task, "node.labels.zone");
    if (service->preferences > 1)
        task_spread(&swarm, task, "node.labels.rack");
    if (service->wants_overlay) {
        Docker__Swarmkit__V1__NetworkAttachment *attachment =
            MAKE(&swarm, Docker__Swarmkit__V1__NetworkAttachment, docker__swarmkit__v1__network_attachment);
        attachment->network = MAKE(&swarm, Docker__Swarmkit__V1__Network, docker__swarmkit__v1__network);
        attachment->network->driver_state = MAKE(&swarm, Docker__Swarmkit__V1__Driver, docker__swarmkit__v1__driver);
        attachment->network->driver_state->name = swarm_copy(&swarm, "overlay");
        APPEND(&swarm, task->networks, task->n_networks, attachment);
    }
    return task;
}

/* Changes. */

static void change_node(void)
{
    int n = (int)roll(NODES);
    struct plain_node *node = &nodes[n];
    if (node->exists && roll(6) == 0) {
        node->exists = node->is_ready = false;
        scheduler_node_remove(swarm.scheduler, arena_format(&swarm.arena, "n%d", n));
        for (int s = 0; s < SERVICES; s++) /* what is remembered of a node may go with it; the test does not look that closely */
            failures[s][n] = 0;
        return;
    }
    if (!node->exists || roll(3) == 0)
        *node = (struct plain_node){.is_windows = roll(3) == 0,
                                    .has_overlay = roll(2) == 0,
                                    .is_manager = roll(3) == 0,
                                    .reports = roll(2) == 0,
                                    .has_hyperv = roll(2) == 0,
                                    .zone = (int)roll(3),
                                    .rack = (int)roll(2),
                                    .build = (int)roll(3),
                                    .cpu = roll(9),
                                    .memory = roll(9),
                                    .ssd = roll(3),
                                    .gpus = n % 4}; /* never fewer than tasks hold: which values those are is not known here */
    node->exists = true;
    node->is_ready = roll(5) > 0;
    tell_node(n);
}

static void make_service(int s, int version)
{
    services[s] = (struct plain_service){.version = version,
                                         .cpu = roll(3) == 0 ? roll(4) : 0,
                                         .memory = roll(3) == 0 ? roll(4) : 0,
                                         .ssd = roll(8) == 0,
                                         .gpus = roll(6) == 0 ? (int)roll(3) : 0,
                                         .zone = roll(5) == 0 ? (int)roll(3) : -1,
                                         .not_zone = roll(5) == 0 ? (int)roll(3) : -1,
                                         .max_replicas = roll(5) == 0 ? (int)roll(3) + 1 : 0,
                                         .port = roll(6) == 0 ? (int)roll(2) + 80 : 0,
                                         .image = (int)roll(KINDS_OF_IMAGE),
                                         .preferences = roll(3) == 0 ? (int)roll(2) + 1 : 0,
                                         .wants_overlay = roll(6) == 0,
                                         .wants_manager = roll(8) == 0,
                                         .wants_platform = roll(6) == 0,
                                         .wish = (int)roll(3)};
}

static void add_tasks(void)
{
    int service = (int)roll(SERVICES), count = (int)roll(8) + 1;
    bool is_global = roll(5) == 0;
    for (int t = 0; t < TASKS && count > 0; t++) {
        if (tasks[t].where != NONE)
            continue;
        tasks[t] = (struct plain_task){.where = is_global ? FIXED : WAITING, .service = service, .is_to_run = true};
        Task *task = tasks[t].message = message_of(t);
        if (is_global) {
            tasks[t].node = (int)roll(NODES);
            task->node_id = arena_format(&swarm.arena, "n%d", tasks[t].node);
        }
        task_set(&swarm, task);
        count--;
    }
}

static void end_task(void)
{
    int t = (int)roll(TASKS);
    Task *task = tasks[t].message;
    if (tasks[t].where == NONE)
        return;
    if (tasks[t].where == PLACED && roll(3) == 0) { /* it is to stop, and still holds what it has */
        tasks[t].is_to_run = false;
        task->desired_state = (Docker__Swarmkit__V1__TaskState)SHUTDOWN;
        task_set(&swarm, task);
        return;
    }
    bool is_failure = tasks[t].where == PLACED && roll(2) == 0;
    if (is_failure && task->slot == 0 && nodes[tasks[t].node].exists)
        failures[tasks[t].service][tasks[t].node]++;
    if (is_failure)
        task_state(&swarm, task, task->node_id, FAILED);
    else
        scheduler_task_remove(swarm.scheduler, task->id);
    tasks[t].where = NONE;
}

/* The commit of a decision was refused: the store has the task as before. */
static void take_back(void)
{
    int t = (int)roll(TASKS);
    if (tasks[t].where != PLACED || tasks[t].message->status->state != (Docker__Swarmkit__V1__TaskState)ASSIGNED ||
        tasks[t].message->slot != 0 || !tasks[t].is_to_run)
        return;
    tasks[t].where = WAITING;
    tasks[t].was_told = false;
    tasks[t].message->n_assigned_generic_resources = 0;
    task_state(&swarm, tasks[t].message, "", PENDING);
}

static void change_image(void)
{
    int image = (int)roll(KINDS_OF_IMAGE);
    known_image[image] = !known_image[image];
    assert_ok(scheduler_image_set(swarm.scheduler, image_names[image], image_platforms[image].platforms,
                                  known_image[image] ? image_platforms[image].count : 0, err));
}

/* Checks. */

static int number_of(const char *id)
{
    return atoi(id + 1);
}

/* Is node @a a better choice than @b? */
static bool is_better(int service, int a, int b)
{
    int fa = failures[service][a], fb = failures[service][b];
    if ((fa >= 5 || fb >= 5) && fa != fb)
        return fa < fb;
    if (tasks_of(service, a) != tasks_of(service, b))
        return tasks_of(service, a) < tasks_of(service, b);
    return tasks_of(-1, a) < tasks_of(-1, b);
}

static int branch_of(int node, int levels)
{
    return levels == 0 ? 0 : levels == 1 ? nodes[node].zone : nodes[node].zone * 2 + nodes[node].rack;
}

static int tasks_of_branch(int service, int branch, int levels)
{
    int count = 0;
    for (int n = 0; n < NODES; n++)
        count += nodes[n].exists && branch_of(n, levels) == branch ? tasks_of(service, n) : 0;
    return count;
}

static void check_choice(int service, int chosen)
{
    int levels = services[service].preferences;
    if (ask(chosen, service) != SCHEDULER_FILTER_COUNT)
        fail_msg("a task of s%d goes to n%d, which fails %s", service, chosen, scheduler_filter_name(ask(chosen, service)));
    for (int n = 0; n < NODES; n++) {
        if (!nodes[n].exists || n == chosen || ask(n, service) != SCHEDULER_FILTER_COUNT)
            continue;
        int apart = 0; /* the first level on which the two differ */
        while (apart < levels && branch_of(n, apart + 1) == branch_of(chosen, apart + 1))
            apart++;
        if (apart < levels) {
            int level = apart + 1;
            if (tasks_of_branch(service, branch_of(n, level), level) < tasks_of_branch(service, branch_of(chosen, level), level))
                fail_msg("a task of s%d goes to the branch of n%d, that of n%d has fewer", service, chosen, n);
        } else if (is_better(service, n, chosen)) {
            fail_msg("a task of s%d goes to n%d, n%d is better", service, chosen, n);
        }
    }
}

static void accept(const struct scheduler_decision *decision)
{
    int t = number_of(decision->task_id), n = number_of(decision->node_id);
    Task *task = tasks[t].message;
    if (decision->kind == SCHEDULER_ASSIGN) {
        assert_int_equal(tasks[t].where, WAITING);
        check_choice(tasks[t].service, n);
    } else {
        assert_int_equal(tasks[t].where, FIXED);
        assert_int_equal(tasks[t].node, n);
        assert_int_equal(ask(n, tasks[t].service), SCHEDULER_FILTER_COUNT);
        task->slot = 1; /* a mark of this test: it was preassigned */
    }
    tasks[t].where = PLACED;
    tasks[t].node = n;
    task->node_id = swarm_copy(&swarm, decision->node_id);
    task->status->state = (Docker__Swarmkit__V1__TaskState)ASSIGNED;
    for (size_t i = 0; i < decision->generic_count; i++) {
        const struct scheduler_generic *generic = &decision->generics[i];
        APPEND(&swarm, task->assigned_generic_resources, task->n_assigned_generic_resources,
               generic->value ? named(&swarm, generic->kind, generic->value) : discrete(&swarm, generic->kind, generic->amount));
    }
}

/* SwarmKit's text, made the slow way. */
static void reasons(int service, int only, char *out, size_t size)
{
    static const struct {
        enum scheduler_filter filter;
        const char *one, *many;
    } texts[] = {
        {SCHEDULER_FILTER_READY, "1 node not available for new tasks", "%d nodes not available for new tasks"},
        {SCHEDULER_FILTER_RESOURCE, "insufficient resources on 1 node", "insufficient resources on %d nodes"},
        {SCHEDULER_FILTER_PLUGIN, "missing plugin on 1 node", "missing plugin on %d nodes"},
        {SCHEDULER_FILTER_CONSTRAINT, "scheduling constraints not satisfied on 1 node", "scheduling constraints not satisfied on %d nodes"},
        {SCHEDULER_FILTER_PLATFORM, "unsupported platform on 1 node", "unsupported platform on %d nodes"},
        {SCHEDULER_FILTER_HOST_PORT, "host-mode port already in use on 1 node", "host-mode port already in use on %d nodes"},
        {SCHEDULER_FILTER_MAX_REPLICAS, "max replicas per node limit exceed", "max replicas per node limit exceed"},
    };
    int counts[SCHEDULER_FILTER_COUNT + 1] = {0};
    size_t used = 0;
    out[0] = '\0';
    for (int n = 0; n < NODES; n++)
        if (nodes[n].exists && (only < 0 || n == only))
            counts[ask(n, service)]++;
    for (int wanted = NODES; wanted > 0; wanted--)
        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
            if (counts[texts[i].filter] != wanted)
                continue;
            char many[100];
            const char *at = strstr(texts[i].many, "%d");
            (void)snprintf(many, sizeof many, "%.*s%d%s", at ? (int)(at - texts[i].many) : 0, texts[i].many, wanted, at ? at + 2 : "");
            used += (size_t)snprintf(out + used, size - used, "%s%s", used ? "; " : "",
                                     wanted == 1 ? texts[i].one
                                     : at        ? many
                                                 : texts[i].many);
        }
}

/* @seen: services of which a waiting task was checked already; the others wait for the same. */
static void check_waiting(int t, bool *seen)
{
    char want[600], whole[640];
    bool is_fixed = tasks[t].where == FIXED;
    if (tasks[t].where != WAITING && !is_fixed)
        return;
    if (!is_fixed && seen[tasks[t].service]) {
        assert_true(tasks[t].was_told);
        return;
    }
    seen[tasks[t].service] = seen[tasks[t].service] || !is_fixed;
    for (int n = 0; n < NODES; n++)
        if (nodes[n].exists && (!is_fixed || n == tasks[t].node) && ask(n, tasks[t].service) == SCHEDULER_FILTER_COUNT)
            fail_msg("t%d of s%d waits, and n%d fits", t, tasks[t].service, n);
    const struct scheduler_explanation *explanation = scheduler_explain(swarm.scheduler, tasks[t].message->id);
    if (is_fixed && !nodes[tasks[t].node].exists) {
        assert_null(explanation);
        return;
    }
    assert_true(tasks[t].was_told);
    reasons(tasks[t].service, is_fixed ? tasks[t].node : -1, want, sizeof want);
    (void)snprintf(whole, sizeof whole, *want ? "no suitable node (%s)" : "no suitable node", want);
    const char *swarmkits = is_fixed ? want : whole, *text = explanation->text;
    if (!text_starts(text, swarmkits))
        fail_msg("\"%s\", want \"%s\"", text, swarmkits);
    text += strlen(swarmkits);
    assert_true(*text == '\0' || (text_starts(text, ": n") && strstr(swarmkits, "unsupported platform"))); /* ours is behind it */
}

static void run_and_check(void)
{
    struct scheduler_result result;
    do {
        result = scheduler_run(swarm.scheduler, swarm.now_ns, roll(4) == 0 ? 3 : 1000);
        for (size_t i = 0; i < result.count; i++) {
            const struct scheduler_decision *decision = &result.decisions[i];
            if (decision->kind == SCHEDULER_REFUSE)
                tasks[number_of(decision->task_id)].was_told = true;
            else
                accept(decision);
        }
    } while (result.has_more);
    bool seen[SERVICES] = {false};
    for (int t = 0; t < TASKS; t++)
        check_waiting(t, seen);
    for (int t = 0; t < TASKS; t++) /* the commits arrive */
        if (tasks[t].where == PLACED && roll(2) == 0)
            task_set(&swarm, tasks[t].message);
}

static void step(void)
{
    uint32_t what = roll(20);
    if (what < 5)
        change_node();
    else if (what < 11)
        add_tasks();
    else if (what < 17)
        end_task();
    else if (what < 18)
        take_back();
    else if (what < 19)
        change_image();
    else
        swarm.now_ns += (int64_t)roll(12) * 1000000000; /* failures are never forgotten within one run */
    if (roll(3) == 0)
        run_and_check();
}

/* One version of a service is one spec: a new one only when no task has it. */
static void renew_services(int version)
{
    for (int s = 0; s < SERVICES; s++) {
        bool is_used = false;
        for (int t = 0; t < TASKS; t++)
            is_used = is_used || (tasks[t].where != NONE && tasks[t].service == s);
        if (is_used)
            continue;
        make_service(s, version);
        memset(failures[s], 0, sizeof failures[s]);
    }
}

static void does_what_the_obvious_one_does(void **state)
{
    (void)state;
    for (uint64_t run = 1; run <= SEEDS; run++) {
        seed = run * 0x9e3779b97f4a7c15u;
        memset(nodes, 0, sizeof nodes);
        memset(tasks, 0, sizeof tasks);
        memset(known_image, 0, sizeof known_image);
        memset(failures, 0, sizeof failures);
        swarm_init(&swarm);
        for (int s = 0; s < SERVICES; s++)
            make_service(s, 1);
        for (int i = 0; i < STEPS; i++) {
            if (i % 50 == 49)
                renew_services(i);
            step();
        }
        run_and_check();
        swarm_deinit(&swarm);
    }
}

int main(void)
{
    const struct CMUnitTest tests_[] = {cmocka_unit_test(does_what_the_obvious_one_does)};
    return cmocka_run_group_tests(tests_, NULL, NULL);
}
