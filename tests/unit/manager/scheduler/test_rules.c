/* tests/unit/manager/scheduler/test_rules.c – Windows builds and isolations as a table, and what goes by platform and plugins alone. */
#include "manager/scheduler/rules.h"

#include "tests/unit/manager/scheduler/swarm.h"

/* Hosts and images, and what §6.2 of the published rules makes of each pair: the isolation for the wishes default, process and hyperv.
 * p: process, h: hyperv, -: refused. Nothing here is computed.
 *
 * Process: 2016 takes its own build and revision; 2019 its own build; 2022 its own; 2025 also 2022's; Windows 11 takes 2022's.
 * Hyperv: every build from 2016's to the host's own. A server's default is process, a client's hyperv. */
enum { IMAGES_COUNT = 11 };
static const struct {
    const char *name;
    struct scheduler_platform platforms[4];
    size_t count;
} images[IMAGES_COUNT] = {
    {"linux", {{"linux", "amd64", ""}}, 1},
    {"2016", {{"windows", "amd64", "10.0.14393.4000"}}, 1},
    {"2016 of another month", {{"windows", "amd64", "10.0.14393.3000"}}, 1},
    {"2019", {{"windows", "amd64", "10.0.17763.3650"}}, 1},
    {"2022", {{"windows", "amd64", "10.0.20348.1300"}}, 1},
    {"2025", {{"windows", "amd64", "10.0.26100.1742"}}, 1},
    {"2016 and 2019", {{"windows", "amd64", "10.0.14393.4000"}, {"windows", "amd64", "10.0.17763.3650"}}, 2},
    {"2019 and 2022", {{"windows", "amd64", "10.0.17763.3650"}, {"windows", "amd64", "10.0.20348.1300"}}, 2},
    {"2022 and 2025", {{"windows", "amd64", "10.0.20348.1300"}, {"windows", "amd64", "10.0.26100.1742"}}, 2},
    {"all of Windows",
     {{"windows", "amd64", "10.0.14393.4000"},
      {"windows", "amd64", "10.0.17763.3650"},
      {"windows", "amd64", "10.0.20348.1300"},
      {"windows", "amd64", "10.0.26100.1742"}},
     4},
    {"linux and 2022", {{"linux", "amd64", ""}, {"windows", "amd64", "10.0.20348.1300"}}, 2},
};

static const struct {
    const char *name, *os, *build, *process, *hyperv, *preferred;
    const char *want[IMAGES_COUNT];
} hosts[] = {
    /*                                                      linux  2016  2016'  2019   2022   2025  16+19  19+22  22+25  all   l+22 */
    {"Server 2016",
     "windows",
     "14393.4000",
     "true",
     "true",
     "process",
     {"---", "pph", "h-h", "---", "---", "---", "pph", "---", "---", "pph", "---"}},
    {"Server 2019",
     "windows",
     "17763.1",
     "true",
     "true",
     "process",
     {"---", "h-h", "h-h", "pph", "---", "---", "pph", "pph", "---", "pph", "---"}},
    {"Server 2022",
     "windows",
     "20348.1",
     "true",
     "true",
     "process",
     {"---", "h-h", "h-h", "h-h", "pph", "---", "h-h", "pph", "pph", "pph", "pph"}},
    {"Server 2025",
     "windows",
     "26100.1",
     "true",
     "true",
     "process",
     {"---", "h-h", "h-h", "h-h", "pph", "pph", "h-h", "pph", "pph", "pph", "pph"}},
    {"Windows 11",
     "windows",
     "22631.1",
     "true",
     "true",
     "hyperv",
     {"---", "h-h", "h-h", "h-h", "hph", "---", "h-h", "hph", "hph", "hph", "hph"}},
    {"Windows 11, an edition without process",
     "windows",
     "22631.1",
     "false",
     "true",
     "hyperv",
     {"---", "h-h", "h-h", "h-h", "h-h", "---", "h-h", "h-h", "h-h", "h-h", "h-h"}},
    {"Linux with KVM",
     "linux",
     "",
     "true",
     "true",
     "process",
     {"pph", "---", "---", "---", "---", "---", "---", "---", "---", "---", "pph"}},
    {"Server 2016, no hypervisor",
     "windows",
     "14393.4000",
     "true",
     "false",
     "process",
     {"---", "pp-", "---", "---", "---", "---", "pp-", "---", "---", "pp-", "---"}},
    {"Server 2019, no hypervisor",
     "windows",
     "17763.1",
     "true",
     "false",
     "process",
     {"---", "---", "---", "pp-", "---", "---", "pp-", "pp-", "---", "pp-", "---"}},
    {"Server 2022, no hypervisor",
     "windows",
     "20348.1",
     "true",
     "false",
     "process",
     {"---", "---", "---", "---", "pp-", "---", "---", "pp-", "pp-", "pp-", "pp-"}},
    {"Server 2025, no hypervisor",
     "windows",
     "26100.1",
     "true",
     "false",
     "process",
     {"---", "---", "---", "---", "pp-", "pp-", "---", "pp-", "pp-", "pp-", "pp-"}},
    {"Windows 11, no hypervisor",
     "windows",
     "22631.1",
     "true",
     "false",
     "hyperv",
     {"---", "---", "---", "---", "-p-", "---", "---", "-p-", "-p-", "-p-", "-p-"}},
    {"Linux without KVM",
     "linux",
     "",
     "true",
     "false",
     "process",
     {"pp-", "---", "---", "---", "---", "---", "---", "---", "---", "---", "pp-"}},
};

static const Docker__Swarmkit__V1__ContainerSpec__Isolation wishes[] = {DOCKER__SWARMKIT__V1__CONTAINER_SPEC__ISOLATION__ISOLATION_DEFAULT,
                                                                        DOCKER__SWARMKIT__V1__CONTAINER_SPEC__ISOLATION__ISOLATION_PROCESS,
                                                                        DOCKER__SWARMKIT__V1__CONTAINER_SPEC__ISOLATION__ISOLATION_HYPERV};

static Node *skep_node(struct swarm *swarm, const char *id, const char *os, const char *build, const char *process, const char *hyperv,
                       const char *preferred)
{
    Node *node = node_make(swarm, id);
    node->description->platform->os = swarm_copy(swarm, os);
    engine_label(swarm, node, "skep.isolation.process", process);
    engine_label(swarm, node, "skep.isolation.hyperv", hyperv);
    engine_label(swarm, node, "skep.isolation.default", preferred);
    if (*build)
        engine_label(swarm, node, "skep.os.build", build);
    return node;
}

static char letter_of(const struct decided *decided)
{
    if (decided->kind == SCHEDULER_REFUSE)
        return '-';
    return decided->isolation == ISOLATION_PROCESS ? 'p' : decided->isolation == ISOLATION_HYPERV ? 'h' : '?';
}

static void windows_builds_and_isolations(void **state)
{
    (void)state;
    for (size_t h = 0; h < sizeof hosts / sizeof hosts[0]; h++) {
        static struct swarm swarm;
        swarm_init(&swarm);
        node_set(&swarm, skep_node(&swarm, "host", hosts[h].os, hosts[h].build, hosts[h].process, hosts[h].hyperv, hosts[h].preferred));
        for (size_t i = 0; i < IMAGES_COUNT; i++)
            assert_ok(scheduler_image_set(swarm.scheduler, images[i].name, images[i].platforms, images[i].count, err));
        for (size_t i = 0; i < IMAGES_COUNT; i++) {
            for (size_t w = 0; w < 3; w++) {
                Task *task = task_make(&swarm, arena_format(&swarm.arena, "s%zu.%zu", i, w), arena_format(&swarm.arena, "t%zu.%zu", i, w));
                task->spec->container->image = swarm_copy(&swarm, images[i].name);
                task->spec->container->isolation = wishes[w];
                task_set(&swarm, task);
            }
        }
        swarm_run(&swarm);
        assert_int_equal(swarm.count, IMAGES_COUNT * 3);
        for (size_t i = 0; i < IMAGES_COUNT; i++) {
            for (size_t w = 0; w < 3; w++) {
                const struct decided *decided = swarm_of(&swarm, arena_format(&swarm.arena, "t%zu.%zu", i, w));
                char got = letter_of(decided);
                if (got != hosts[h].want[i][w])
                    fail_msg("%s, image for %s, wish %zu: %c, want %c", hosts[h].name, images[i].name, w, got, hosts[h].want[i][w]);
                if (got == '-')
                    assert_true(text_starts(decided->text, "no suitable node (unsupported platform on 1 node): host: "));
            }
        }
        swarm_deinit(&swarm);
    }
}

static void refusal_says_that_hyperv_would_do(void **state)
{
    static struct swarm swarm;
    const struct scheduler_platform image = {"windows", "amd64", "10.0.17763"};
    (void)state;
    swarm_init(&swarm);
    node_set(&swarm, skep_node(&swarm, "win1", "windows", "20348.2322", "true", "true", "process"));
    assert_ok(scheduler_image_set(swarm.scheduler, "app:1", &image, 1, err));
    Task *task = task_make(&swarm, "s", "t");
    task->spec->container->isolation = DOCKER__SWARMKIT__V1__CONTAINER_SPEC__ISOLATION__ISOLATION_PROCESS;
    task_set(&swarm, task);
    swarm_run(&swarm);
    assert_details(&swarm, "t",
                   "platform: 1 node (win1): wanted image windows/amd64 10.0.17763 under process; got host windows/amd64 "
                   "10.0.20348.2322, with process and hyperv; would run with isolation hyperv");
    assert_string_equal(swarm_text_of(&swarm, "t"),
                        "no suitable node (unsupported platform on 1 node): win1: isolation process: process isolation needs an image "
                        "build from 20348 to 20348: the image is 10.0.17763, the host 10.0.20348.2322; hyperv would work here");
    swarm_deinit(&swarm);
}

/* A line for each kind of host, and no more than a few. */
static void refusal_names_kinds_of_hosts(void **state)
{
    static struct swarm swarm;
    static const char *const builds[] = {"14393.1", "17763.1", "17763.1", "18362.1", "19041.1", "20348.1"};
    const struct scheduler_platform image = {"windows", "amd64", "10.0.26100.1"};
    (void)state;
    swarm_init(&swarm);
    for (size_t i = 0; i < sizeof builds / sizeof builds[0]; i++)
        node_set(&swarm, skep_node(&swarm, arena_format(&swarm.arena, "w%zu", i), "windows", builds[i], "true", "false", "process"));
    assert_ok(scheduler_image_set(swarm.scheduler, "app:1", &image, 1, err));
    task_set(&swarm, task_make(&swarm, "s", "t"));
    swarm_run(&swarm);
    const char *told = swarm_text_of(&swarm, "t");
    assert_true(text_starts(told, "no suitable node (unsupported platform on 6 nodes): w1, w2: isolation default: "));
    size_t lines = 1;
    for (const char *at = told; (at = strstr(at, " | ")) != NULL; at++)
        lines++;
    assert_int_equal(lines, SCHEDULER_REFUSAL_NODES_COUNT);
    swarm_deinit(&swarm);
}

static void what_is_learnt_of_an_image_counts_at_once(void **state)
{
    static struct swarm swarm;
    const struct scheduler_platform newer = {"windows", "amd64", "10.0.26100.1"}, fitting = {"windows", "amd64", "10.0.20348.1"},
                                    attestation = {"unknown", "unknown", ""};
    (void)state;
    swarm_init(&swarm);
    node_set(&swarm, skep_node(&swarm, "win1", "windows", "20348.2322", "true", "true", "process"));
    assert_ok(scheduler_image_set(swarm.scheduler, "app:1", &newer, 1, err));
    task_set(&swarm, task_make(&swarm, "s", "t"));
    swarm_run(&swarm);
    assert_true(text_starts(swarm_text_of(&swarm, "t"), "no suitable node (unsupported platform on 1 node): win1: isolation default: "));
    assert_ok(scheduler_image_set(swarm.scheduler, "app:1", &fitting, 1, err));
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "t"), "win1");

    assert_ok(scheduler_image_set(swarm.scheduler, "app:1", &attestation, 1, err)); /* nothing that runs: not known */
    task_set(&swarm, task_make(&swarm, "s", "u"));
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "u"), "win1");
    assert_ok(scheduler_image_set(swarm.scheduler, "app:1", &newer, 1, err));
    assert_ok(scheduler_image_set(swarm.scheduler, "app:1", NULL, 0, err));
    task_set(&swarm, task_make(&swarm, "s", "v"));
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "v"), "win1");
    swarm_deinit(&swarm);
}

static void node_of_docker_goes_by_its_platform(void **state)
{
    static struct swarm swarm;
    const struct scheduler_platform image = {"windows", "amd64", "10.0.26100.1"};
    (void)state;
    swarm_init(&swarm);
    Node *node = node_make(&swarm, "docker1");
    node->description->platform->os = swarm_copy(&swarm, "windows");
    node_set(&swarm, node);
    assert_ok(scheduler_image_set(swarm.scheduler, "app:1", &image, 1, err));
    Task *task = task_make(&swarm, "s", "t");
    task->spec->container->isolation = DOCKER__SWARMKIT__V1__CONTAINER_SPEC__ISOLATION__ISOLATION_HYPERV;
    task_set(&swarm, task);
    Task *other = task_make(&swarm, "s2", "u");
    other->spec->container->image = swarm_copy(&swarm, "linux-only");
    const struct scheduler_platform only_linux = {"linux", "amd64", ""};
    assert_ok(scheduler_image_set(swarm.scheduler, "linux-only", &only_linux, 1, err));
    task_set(&swarm, other);
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "t"), "docker1");
    assert_int_equal(swarm_of(&swarm, "t")->isolation, ISOLATION_DEFAULT);
    assert_string_equal(swarm_text_of(&swarm, "u"), "no suitable node (unsupported platform on 1 node)");
    swarm_deinit(&swarm);
}

/* placement.platforms, as docker fills it from the manifest. */
static void platforms_are_normalised(void **state)
{
    static struct swarm swarm;
    static const struct {
        const char *os, *architecture;
        bool is_placed;
    } rows[] = {{"linux", "amd64", true}, {"linux", "x86_64", true}, {"linux", "", true},    {"", "amd64", true},
                {"", "", true},           {"linux", "arm64", false}, {"windows", "", false}, {"Linux", "amd64", false}};
    (void)state;
    swarm_init(&swarm);
    node_set(&swarm, node_make(&swarm, "n1"));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Task *task = task_make(&swarm, arena_format(&swarm.arena, "s%zu", i), arena_format(&swarm.arena, "t%zu", i));
        task_platform(&swarm, task, rows[i].os, rows[i].architecture);
        task_set(&swarm, task);
    }
    swarm_run(&swarm);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(swarm_node_of(&swarm, arena_format(&swarm.arena, "t%zu", i)), rows[i].is_placed ? "n1" : "(nowhere)");
    Node *bare = node_make(&swarm, "n1");
    bare->description->platform = NULL;
    node_set(&swarm, bare);
    Task *task = task_make(&swarm, "s9", "t9");
    task_platform(&swarm, task, "", "");
    task_set(&swarm, task);
    swarm_run(&swarm);
    assert_string_equal(swarm_text_of(&swarm, "t9"), "no suitable node (unsupported platform on 1 node)");
    swarm_deinit(&swarm);
}

static Task *with_volume(struct swarm *swarm, const char *id, const char *driver)
{
    Task *task = task_make(swarm, id, id);
    Docker__Swarmkit__V1__Mount *mount = MAKE(swarm, Docker__Swarmkit__V1__Mount, docker__swarmkit__v1__mount);
    mount->type = DOCKER__SWARMKIT__V1__MOUNT__TYPE__VOLUME;
    mount->volume_options = MAKE(swarm, Docker__Swarmkit__V1__Mount__VolumeOptions, docker__swarmkit__v1__mount__volume_options);
    mount->volume_options->driver_config = MAKE(swarm, Docker__Swarmkit__V1__Driver, docker__swarmkit__v1__driver);
    mount->volume_options->driver_config->name = swarm_copy(swarm, driver);
    APPEND(swarm, task->spec->container->mounts, task->spec->container->n_mounts, mount);
    return task;
}

static Task *with_network(struct swarm *swarm, const char *id, const char *driver)
{
    Task *task = task_make(swarm, id, id);
    Docker__Swarmkit__V1__NetworkAttachment *attachment =
        MAKE(swarm, Docker__Swarmkit__V1__NetworkAttachment, docker__swarmkit__v1__network_attachment);
    attachment->network = MAKE(swarm, Docker__Swarmkit__V1__Network, docker__swarmkit__v1__network);
    attachment->network->driver_state = MAKE(swarm, Docker__Swarmkit__V1__Driver, docker__swarmkit__v1__driver);
    attachment->network->driver_state->name = swarm_copy(swarm, driver);
    APPEND(swarm, task->networks, task->n_networks, attachment);
    return task;
}

static Task *with_log(struct swarm *swarm, const char *id, const char *driver)
{
    Task *task = task_make(swarm, id, id);
    task->spec->log_driver = MAKE(swarm, Docker__Swarmkit__V1__Driver, docker__swarmkit__v1__driver);
    task->spec->log_driver->name = swarm_copy(swarm, driver);
    return task;
}

static void plugins_must_be_there(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    Node *node = node_make(&swarm, "n1");
    node_plugin(&swarm, node, "Volume", "rexray/ebs:latest");
    node_set(&swarm, node);
    task_set(&swarm, with_volume(&swarm, "v-local", "local"));
    task_set(&swarm, with_volume(&swarm, "v-default", ""));
    task_set(&swarm, with_volume(&swarm, "v-latest", "rexray/ebs"));
    task_set(&swarm, with_volume(&swarm, "v-missing", "rexray"));
    task_set(&swarm, with_network(&swarm, "n-bridge", "bridge"));
    task_set(&swarm, with_network(&swarm, "n-missing", "overlay"));
    task_set(&swarm, with_log(&swarm, "l-json", "json-file"));
    task_set(&swarm, with_log(&swarm, "l-none", "none"));
    task_set(&swarm, with_log(&swarm, "l-missing", "fluentd"));
    swarm_run(&swarm);
    for (size_t i = 0; i < swarm.count; i++) {
        bool is_missing = strstr(swarm.decided[i].task, "missing") != NULL;
        assert_int_equal(swarm.decided[i].kind, is_missing ? SCHEDULER_REFUSE : SCHEDULER_ASSIGN);
        if (is_missing)
            assert_string_equal(swarm.decided[i].text, "no suitable node (missing plugin on 1 node)");
    }
    assert_int_equal(swarm.count, 9);
    assert_details(&swarm, "n-missing", "wanted Network plugin overlay; got not there; install it on n1");

    /* A node that lists no log plugins is an old daemon; one without an engine is asked for none. */
    Node *old = node_make(&swarm, "n1");
    old->description->engine->n_plugins = 0;
    node_set(&swarm, old);
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "l-missing"), "n1");
    assert_string_equal(swarm_node_of(&swarm, "n-missing"), "(nowhere)");
    Node *bare = node_make(&swarm, "n1");
    bare->description->engine = NULL;
    node_set(&swarm, bare);
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "n-missing"), "n1");
    swarm_deinit(&swarm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_builds_and_isolations),
        cmocka_unit_test(refusal_says_that_hyperv_would_do),
        cmocka_unit_test(refusal_names_kinds_of_hosts),
        cmocka_unit_test(what_is_learnt_of_an_image_counts_at_once),
        cmocka_unit_test(node_of_docker_goes_by_its_platform),
        cmocka_unit_test(platforms_are_normalised),
        cmocka_unit_test(plugins_must_be_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
