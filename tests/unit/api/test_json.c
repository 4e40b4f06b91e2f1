/* tests/unit/api/test_json.c – the shapes, whole: a change in one shows here. */
#include "tests/unit/test.h"

#include <stdlib.h>

#include "api/json_container.h"
#include "api/json_image.h"
#include "api/json_info.h"
#include "api/json_stats.h"
#include "base/clock.h"
#include "base/mem.h"

#define SECOND (int64_t) NS_PER_S

static const char document_text[] =
    "{\"Owner\":\"skep\",\"Container\":{\"GuestOs\":{\"HostName\":\"web1\"}},\"Skep\":{\"Name\":\"web.1.x\",\"Labels\":{\"a\":\"b\"},"
    "\"Image\":{\"Reference\":\"busybox:1\",\"Id\":\"sha256:11\"},\"Isolation\":\"process\",\"Process\":{\"CommandArgs\":[\"sh\",\"-c\","
    "\"echo hi\"],\"Environment\":{\"K\":\"V\"},\"User\":\"1:1\",\"WorkingDirectory\":\"/w\"},\"Linux\":{\"MemoryBytes\":64,\"CpuNano\":5},"
    "\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"data\",\"Target\":\"/d\",\"ReadOnly\":true}],\"StopSignal\":\"SIGINT\"}}";

struct sample {
    cJSON *document;
    struct hcs_port port;
    struct hcs_properties system;
    struct container_view view;
};

static int setup(void **state)
{
    struct sample *s = mem_alloc(sizeof *s);
    s->document = cJSON_Parse(document_text);
    s->port = (struct hcs_port){"tcp", 80, 8080};
    s->system = (struct hcs_properties){.id = "0123456789abcdef",
                                        .name = "web.1.x",
                                        .document = s->document,
                                        .state = HCS_RUNNING,
                                        .pid = 77,
                                        .created_wall_ns = 1000 * SECOND,
                                        .started_wall_ns = 1001 * SECOND,
                                        .ports = &s->port,
                                        .port_count = 1,
                                        .endpoint = {"bridge", "172.18.0.2", "172.18.0.1", "02:42:ac:12:00:02", 16}};
    s->view = (struct container_view){.system = &s->system, .now_wall_ns = 1181 * SECOND, .os = "linux"};
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct sample *s = *state;
    cJSON_Delete(s->document);
    free(s);
    return 0;
}

static void assert_json(cJSON *json, const char *want)
{
    cleanup_free char *text = json_print(json);
    cJSON_Delete(json);
    assert_string_equal(text, want);
}

/* As a client sees it. Taken. */
static cJSON *reread(cJSON *json)
{
    cleanup_free char *text = json_print(json);
    cJSON_Delete(json);
    return cJSON_Parse(text);
}

static void container_in_a_list(void **state)
{
    struct sample *s = *state;
    assert_json(
        json_container_summary(&s->view),
        "{\"Id\":\"0123456789abcdef\",\"Names\":[\"/web.1.x\"],\"Image\":\"busybox:1\",\"ImageID\":\"sha256:11\",\"Command\":\"sh -c 'echo "
        "hi'\",\"Created\":1000,\"Ports\":[{\"IP\":\"0.0.0.0\",\"PrivatePort\":80,\"PublicPort\":8080,\"Type\":\"tcp\"}],\"Labels\":{\"a\":"
        "\"b\"},\"State\":\"running\",\"Status\":\"Up 3 minutes\",\"HostConfig\":{\"NetworkMode\":\"bridge\"},\"NetworkSettings\":{"
        "\"Networks\":{\"bridge\":{\"IPAMConfig\":null,\"Links\":null,\"Aliases\":null,\"NetworkID\":\"bridge\",\"EndpointID\":\"\","
        "\"Gateway\":\"172.18.0.1\",\"IPAddress\":\"172.18.0.2\",\"IPPrefixLen\":16,\"IPv6Gateway\":\"\",\"GlobalIPv6Address\":\"\","
        "\"GlobalIPv6PrefixLen\":0,\"MacAddress\":\"02:42:ac:12:00:02\",\"DriverOpts\":null}}},\"Mounts\":[{\"Type\":\"volume\",\"Name\":"
        "\"data\",\"Driver\":\"local\",\"Source\":\"data\",\"Destination\":\"/d\",\"Mode\":\"\",\"RW\":false,\"Propagation\":\"\"}]}");
}

static void container_inspected(void **state)
{
    struct sample *s = *state;
    cleanup_json cJSON *json = reread(json_container_inspect(&s->view));
    const cJSON *config = json_object(json, "Config"), *host = json_object(json, "HostConfig"), *st = json_object(json, "State");
    assert_string_equal(json_string(json, "Path", ""), "sh");
    assert_int_equal(cJSON_GetArraySize(json_array(json, "Args")), 2);
    assert_string_equal(json_string(json, "Created", ""), "1970-01-01T00:16:40.000000000Z");
    assert_string_equal(json_string(st, "FinishedAt", ""), "0001-01-01T00:00:00Z");
    assert_int_equal(json_int(st, "Pid", 0), 77);
    assert_true(json_bool(st, "Running", false));
    assert_null(json_object(st, "Health"));
    assert_string_equal(json_string(config, "Hostname", ""), "web1");
    assert_string_equal(json_string(config, "StopSignal", ""), "SIGINT");
    assert_string_equal(cJSON_GetArrayItem(json_array(config, "Env"), 0)->valuestring, "K=V");
    assert_int_equal(json_int(host, "Memory", 0), 64);
    assert_int_equal(json_int(host, "NanoCpus", 0), 5);
    const cJSON *ports = json_object(json_object(json, "NetworkSettings"), "Ports");
    assert_string_equal(json_string(cJSON_GetArrayItem(json_array(ports, "80/tcp"), 0), "HostPort", ""), "8080");
}

static void container_without_a_document(void **state)
{
    struct sample *s = *state;
    s->system = (struct hcs_properties){.id = "x", .state = HCS_CREATED};
    cleanup_json cJSON *summary = reread(json_container_summary(&s->view)), *whole = reread(json_container_inspect(&s->view));
    assert_string_equal(json_string(summary, "Status", ""), "Created");
    assert_string_equal(json_string(whole, "Name", ""), "/x");
}

static void check_status(struct sample *s, const char *want)
{
    cleanup_buf struct buf out = {0};
    container_status_line(&s->view, &out);
    assert_string_equal((char *)out.data, want);
}

static void status_in_words(void **state)
{
    struct sample *s = *state;
    s->view.health = "starting";
    check_status(s, "Up 3 minutes (health: starting)");
    s->view.health = "unhealthy";
    check_status(s, "Up 3 minutes (unhealthy)");
    s->system.state = HCS_PAUSED;
    check_status(s, "Up 3 minutes (Paused)");
    s->system.state = HCS_STOPPED;
    s->system.exit_code = 137;
    s->system.finished_wall_ns = 1180 * SECOND;
    check_status(s, "Exited (137) 1 second ago");
    assert_string_equal(container_status(&s->system), "exited");
}

static void image_shapes(void **state)
{
    (void)state;
    static const char *const tags[] = {"busybox:1"};
    static const struct image_label labels[] = {{"l", "v"}};
    const struct image image = {.id = "sha256:11",
                                .repo_tags = {tags, 1},
                                .os = "linux",
                                .architecture = "arm64",
                                .variant = "v8",
                                .os_version = "",
                                .created = "1970-01-01T00:16:40Z",
                                .size_bytes = 5,
                                .config = {.labels = labels, .label_count = 1},
                                .config_json = "{\"author\":\"me\",\"config\":{\"Cmd\":[\"sh\"],\"User\":\"u\",\"StopSignal\":\"SIGUSR1\"},"
                                               "\"rootfs\":{\"diff_ids\":[\"sha256:d\"]}}"};
    assert_json(json_image_summary(&image, 50),
                "{\"Id\":\"sha256:11\",\"ParentId\":\"\",\"RepoTags\":[\"busybox:1\"],\"RepoDigests\":[],"
                "\"Created\":1000,\"Size\":5,\"SharedSize\":-1,\"Labels\":{\"l\":\"v\"},\"Containers\":-1}");
    assert_json(json_image_inspect(&image, 50),
                "{\"Id\":\"sha256:11\",\"RepoTags\":[\"busybox:1\"],\"RepoDigests\":[],\"Parent\":\"\",\"Comment\":\"\",\"Created\":"
                "\"1970-01-01T00:16:40Z\",\"DockerVersion\":\"\",\"Author\":\"me\",\"Config\":{\"User\":\"u\",\"WorkingDir\":\"\","
                "\"StopSignal\":\"SIGUSR1\",\"Env\":null,\"Cmd\":[\"sh\"],\"Entrypoint\":null,\"Volumes\":null,\"Labels\":null,\"OnBuild\":"
                "null},\"Architecture\":\"arm64\",\"Variant\":\"v8\",\"Os\":\"linux\",\"Size\":5,\"GraphDriver\":{\"Name\":\"overlay2\","
                "\"Data\":{}},\"RootFS\":{\"Type\":\"layers\",\"Layers\":[\"sha256:d\"]},\"Metadata\":{\"LastTagTime\":"
                "\"0001-01-01T00:00:00Z\"}}");
}

static void damaged_image_config_is_left_out(void **state)
{
    (void)state;
    const struct image image = {.id = "sha256:11", .os = "linux", .architecture = "amd64", .config_json = "{broken"};
    cleanup_json cJSON *json = reread(json_image_inspect(&image, 41));
    assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(json_object(json, "RootFS"), "Layers")));
    assert_string_equal(json_string(json, "Created", ""), "0001-01-01T00:00:00Z");
}

static void stats_shape(void **state)
{
    (void)state;
    const struct hcs_memory_counter memory[] = {{"inactive_file", 10}};
    const struct hcs_network_counter networks[] = {{"eth0", 1, 2, 3, 4, 5, 6, 7, 8}};
    const struct hcs_statistics statistics = {.cpu_total_ns = 100,
                                              .cpu_user_ns = 60,
                                              .cpu_kernel_ns = 40,
                                              .memory_usage_bytes = 50,
                                              .pids = 3,
                                              .read_bytes = 7,
                                              .memory = memory,
                                              .memory_count = 1,
                                              .networks = networks,
                                              .network_count = 1};
    const struct stats_view view = {.id = "x",
                                    .name = "web",
                                    .statistics = &statistics,
                                    .now = stats_cpu_of(&statistics, SECOND, 1000),
                                    .cpu_count = 2,
                                    .host_memory_bytes = 999};
    cleanup_json cJSON *json = reread(json_stats(&view));
    assert_string_equal(json_string(json, "name", ""), "/web");
    assert_int_equal(json_int(json_object(json, "memory_stats"), "limit", 0), 999);
    assert_int_equal(json_int(json_object(json_object(json, "memory_stats"), "stats"), "inactive_file", 0), 10);
    assert_int_equal(json_int(json_object(json_object(json, "networks"), "eth0"), "tx_dropped", 0), 8);
    assert_int_equal(json_int(json_object(json, "cpu_stats"), "online_cpus", 0), 2);
    assert_null(cJSON_GetObjectItemCaseSensitive(json_object(json, "precpu_stats"), "system_cpu_usage"));
    assert_string_equal(json_string(json, "preread", ""), "0001-01-01T00:00:00Z");
}

static void info_of_a_windows_node(void **state)
{
    (void)state;
    static const struct node_manager managers[] = {{"m1", "10.0.0.5:2377"}};
    const struct api_host_facts host = {.cgroup_version = "", .cpu_count = 4};
    const struct hcs_host hcs = {.back_end = "windows",
                                 .os = "windows",
                                 .architecture = "amd64",
                                 .offers_hyperv = true,
                                 .process_missing = "a client edition",
                                 .versions = ""};
    const struct node_info node = {.state = NODE_ERROR,
                                   .error = "certificate expired",
                                   .node_id = "n1",
                                   .node_addr = "10.0.0.7",
                                   .managers = managers,
                                   .manager_count = 1};
    const struct api_options options = {.hostname = "w1", .default_isolation = "hyperv"};
    const struct info_view view = {.options = &options, .host = &host, .hcs = &hcs, .node = &node, .running = 1, .stopped = 2};
    cleanup_json cJSON *json = reread(json_info(&view));
    const cJSON *swarm = json_object(json, "Swarm");
    assert_string_equal(json_string(json, "Isolation", ""), "hyperv");
    assert_string_equal(json_string(json, "OSType", ""), "windows");
    assert_int_equal(json_int(json, "Containers", 0), 3);
    assert_string_equal(json_string(swarm, "LocalNodeState", ""), "error");
    assert_string_equal(json_string(swarm, "Error", ""), "certificate expired");
    assert_string_equal(json_string(cJSON_GetArrayItem(json_array(swarm, "RemoteManagers"), 0), "Addr", ""), "10.0.0.5:2377");
    assert_string_equal(cJSON_GetArrayItem(json_array(json, "Warnings"), 0)->valuestring,
                        "WARNING: no process isolation: a client edition");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(container_in_a_list), T(container_inspected),    T(container_without_a_document),
        T(status_in_words),     T(image_shapes),           T(damaged_image_config_is_left_out),
        T(stats_shape),         T(info_of_a_windows_node),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
