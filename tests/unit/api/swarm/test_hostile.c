/* tests/unit/api/swarm/test_hostile.c – specs that are not well formed: each refusal names the place. */
#include "tests/unit/api/swarm/recorded.h"

#include "api/swarm/json_cluster.h"
#include "api/swarm/json_config.h"
#include "api/swarm/json_network.h"
#include "api/swarm/json_node.h"
#include "api/swarm/json_secret.h"
#include "api/swarm/json_service.h"

#define API 50

static int read_service(const char *text, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    cJSON *json = NULL;
    Docker__Swarmkit__V1__ServiceSpec *spec;
    int rc = swarm_body_parse(bytes_of_string(text), &json, err);
    if (rc == 0)
        rc = swarm_read_service_spec(json, API, &arena, &spec, err);
    cJSON_Delete(json);
    return rc;
}

#define CONTAINER(members) "{\"TaskTemplate\":{\"ContainerSpec\":{" members "}}}"
#define TASK(members)      "{\"TaskTemplate\":{\"ContainerSpec\":{}," members "}}"
#define SERVICE(members)   "{\"TaskTemplate\":{\"ContainerSpec\":{}}," members "}"

static void refusals_name_the_place(void **state)
{
    (void)state;
    static const struct {
        const char *body, *message;
    } cases[] = {
        {"[]", "Spec: not a JSON object"},
        {"{\"Name\":1,\"TaskTemplate\":{}}", "Spec.Name: not a text"},
        {"{}", "Spec.TaskTemplate.ContainerSpec: needed"},
        {"{\"TaskTemplate\":[]}", "Spec.TaskTemplate: not an object"},
        {CONTAINER("\"Image\":true"), "Spec.TaskTemplate.ContainerSpec.Image: not a text"},
        {CONTAINER("\"Image\":\"\xff\""), "Spec.TaskTemplate.ContainerSpec.Image: not UTF-8"},
        {CONTAINER("\"Mounts\":[{},{},{\"Target\":7}]"), "Spec.TaskTemplate.ContainerSpec.Mounts[2].Target: not a text"},
        {CONTAINER("\"Mounts\":[{\"Type\":\"wall\"}]"),
         "Spec.TaskTemplate.ContainerSpec.Mounts[0].Type: \"wall\" is none of bind, volume, tmpfs, npipe, cluster"},
        {CONTAINER("\"Mounts\":[{\"BindOptions\":{\"Propagation\":\"x\"}}]"), "Mounts[0].BindOptions.Propagation: \"x\" is none of"},
        {CONTAINER("\"Mounts\":[{\"TmpfsOptions\":{\"Mode\":4294967296}}]"),
         "Mounts[0].TmpfsOptions.Mode: 4294967296 is not between 0 and 4294967295"},
        {CONTAINER("\"Mounts\":[{\"TmpfsOptions\":{\"Options\":[[1]]}}]"), "TmpfsOptions.Options: not a list of lists of texts"},
        {CONTAINER("\"Mounts\":[null]"), "Mounts[0]: not an object"},
        {CONTAINER("\"Env\":\"A=1\""), "ContainerSpec.Env: not a list"},
        {CONTAINER("\"Env\":[\"A=1\",2]"), "ContainerSpec.Env[1]: not a text"},
        {CONTAINER("\"Labels\":[]"), "ContainerSpec.Labels: not an object"},
        {CONTAINER("\"Labels\":{\"a\":\"b\",\"c\":1}"), "ContainerSpec.Labels.c: not a text"},
        {CONTAINER("\"Init\":\"yes\""), "ContainerSpec.Init: not true or false"},
        {CONTAINER("\"TTY\":1"), "ContainerSpec.TTY: not true or false"},
        {CONTAINER("\"StopGracePeriod\":\"10s\""), "ContainerSpec.StopGracePeriod: not a whole number"},
        {CONTAINER("\"StopGracePeriod\":1.5"), "ContainerSpec.StopGracePeriod: not a whole number"},
        {CONTAINER("\"StopGracePeriod\":9223372036854775808"), "ContainerSpec.StopGracePeriod: 9223372036854775808 is not between"},
        {CONTAINER("\"StopGracePeriod\":99999999999999999999"), "ContainerSpec.StopGracePeriod: not a whole number"},
        {CONTAINER("\"StopGracePeriod\":1e30"), "ContainerSpec.StopGracePeriod: not a whole number"},
        {CONTAINER("\"Healthcheck\":{\"Retries\":2147483648}"), "ContainerSpec.Healthcheck.Retries: 2147483648 is not between"},
        {CONTAINER("\"Configs\":[{\"ConfigID\":\"c\"}]"), "ContainerSpec.Configs[0]: one of File and Runtime is needed"},
        {CONTAINER("\"Configs\":[{\"File\":{},\"Runtime\":{}}]"), "ContainerSpec.Configs[0].Runtime: only one"},
        {CONTAINER("\"Privileges\":{\"CredentialSpec\":{}}"), "Privileges.CredentialSpec: one of Config, File and Registry is needed"},
        {CONTAINER("\"Privileges\":{\"CredentialSpec\":{\"Config\":\"a\",\"File\":\"b\"}}"), "CredentialSpec.File: only one"},
        {CONTAINER("\"Privileges\":{\"Seccomp\":{\"Profile\":\"?\"}}"), "Privileges.Seccomp.Profile: not base64"},
        {CONTAINER("\"Isolation\":\"glass\""), "ContainerSpec.Isolation: \"glass\" is none of default, process, hyperv"},
        {TASK("\"Runtime\":\"plugin\""), "TaskTemplate.Runtime: unsupported runtime \"plugin\""},
        {TASK("\"Runtime\":3"), "TaskTemplate.Runtime: not a text"},
        {TASK("\"Resources\":{\"Limits\":{\"NanoCPUs\":\"1\"}}"), "TaskTemplate.Resources.Limits.NanoCPUs: not a whole number"},
        {TASK("\"Resources\":{\"Limits\":{\"Pids\":\"x\"}}"), "TaskTemplate.Resources.Limits.Pids: not a whole number"},
        {TASK("\"Resources\":{\"Reservations\":{\"GenericResources\":[{\"NamedResourceSpec\":{},\"DiscreteResourceSpec\":{}}]}}"),
         "GenericResources[0].DiscreteResourceSpec: only one"},
        {TASK("\"RestartPolicy\":{\"Condition\":\"sometimes\"}"),
         "TaskTemplate.RestartPolicy.Condition: \"sometimes\" is none of none, on-failure, any"},
        {TASK("\"RestartPolicy\":{\"MaxAttempts\":-1}"), "RestartPolicy.MaxAttempts: -1 is not between 0 and 18446744073709551615"},
        {TASK("\"RestartPolicy\":{\"MaxAttempts\":18446744073709551616}"), "RestartPolicy.MaxAttempts: not a whole number of 64 bits"},
        {TASK("\"Placement\":{\"Preferences\":[{}]}"), "Placement.Preferences[0].Spread: needed"},
        {SERVICE("\"Mode\":{\"Replicated\":{},\"Global\":{}}"),
         "Spec.Mode.Global: only one of its kind can be given, and there is replicated"},
        {SERVICE("\"Mode\":{\"Replicated\":{\"Replicas\":-1}}"), "Spec.Mode.Replicated.Replicas: -1 is not between"},
        {SERVICE("\"Mode\":7"), "Spec.Mode: not an object"},
        {SERVICE("\"UpdateConfig\":{\"MaxFailureRatio\":\"1\"}"), "Spec.UpdateConfig.MaxFailureRatio: not a number"},
        {SERVICE("\"UpdateConfig\":{\"MaxFailureRatio\":1e300}"), "Spec.UpdateConfig.MaxFailureRatio: 1e+300 is too large"},
        {SERVICE("\"RollbackConfig\":{\"Order\":\"x\"}"), "Spec.RollbackConfig.Order: \"x\" is none of stop-first, start-first"},
        {SERVICE("\"EndpointSpec\":{\"Mode\":\"x\"}"), "Spec.EndpointSpec.Mode: \"x\" is none of vip, dnsrr"},
        {SERVICE("\"EndpointSpec\":{\"Ports\":[{\"Protocol\":\"icmp\"}]}"), "Spec.EndpointSpec.Ports[0].Protocol: \"icmp\" is none of"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_fails(read_service(cases[i].body, err), ERR_INVALID, cases[i].message);
}

/* @opening, @count times @item with its number in the place of '#', @closing. */
static char *repeated(const char *opening, const char *item, size_t count, const char *closing)
{
    struct buf out = {0};
    buf_append_string(&out, opening);
    for (size_t i = 0; i < count; i++)
        for (const char *c = item; *c; c++)
            if (*c == '#')
                buf_append_format(&out, "%zu", i);
            else if (*c != ',' || i > 0)
                buf_append(&out, c, 1);
    buf_append_string(&out, closing);
    return buf_steal_string(&out);
}

static void what_is_too_much_is_refused(void **state)
{
    (void)state;
    cleanup_free char *members = repeated("{\"TaskTemplate\":{", ",\"m#\":1", SWARM_JSON_MEMBERS_COUNT + 1, "}}");
    assert_fails(read_service(members, err), ERR_LIMIT, "Spec.TaskTemplate: more than 256 members");
    cleanup_free char *labels = repeated("{\"Labels\":{", ",\"m#\":\"\"", SWARM_JSON_ITEMS_COUNT + 1, "}}");
    assert_fails(read_service(labels, err), ERR_LIMIT, "Spec.Labels: more than 16384 entries");
    cleanup_free char *mounts =
        repeated("{\"TaskTemplate\":{\"ContainerSpec\":{\"Mounts\":[", ",{\"Target\":\"#\"}", SWARM_JSON_ITEMS_COUNT + 1, "]}}}");
    assert_fails(read_service(mounts, err), ERR_LIMIT, "Mounts: more than 16384 entries");
    cleanup_free char *deep = repeated("{\"x\":", "[", JSON_DEPTH_COUNT + 1, "");
    assert_fails(read_service(deep, err), ERR_LIMIT, "deeper");
    cleanup_free char *large = repeated("{\"Name\":\"", "aaaaaaaa", API_REQUEST_BODY_BYTES / 8, "\"}");
    assert_fails(read_service(large, err), ERR_LIMIT, "the request's body");
}

static void bodies_are_checked_before_they_are_json(void **state)
{
    (void)state;
    assert_fails(read_service("{\"Name\":\"a\\u0000b\"}", err), ERR_INVALID, "zero character");
    assert_fails(read_service("{\"Name\":\"a", err), ERR_INVALID, "the request's body: not JSON");
    assert_fails(read_service("{} {}", err), ERR_INVALID, "more than one JSON document");
    assert_fails(read_service("nonsense", err), ERR_INVALID, "not JSON");
    cJSON *json = NULL;
    assert_ok(swarm_body_parse(bytes_of(NULL, 0), &json, err));
    assert_true(cJSON_IsObject(json) && json->child == NULL);
    cJSON_Delete(json);
    cJSON *zero = NULL;
    assert_fails(swarm_body_parse(bytes_of("{\"a\":\"b\0c\"}", 11), &zero, err), ERR_INVALID, "zero character");
}

static void long_numbers_keep_their_digits(void **state)
{
    (void)state;
    cleanup_json cJSON *json = NULL;
    const char *text = "{\"a\":9007199254740993,\"b\":-9223372036854775808,\"c\":[18446744073709551615],\"d\":123,\"e\":1.2345678901234567,"
                       "\"f\":\"9007199254740993\",\"g\":\"\\\"1234567890123456\\\"\"}";
    assert_ok(swarm_body_parse(bytes_of_string(text), &json, err));
    assert_string_equal(json_string(json, "a", ""), "9007199254740993");
    assert_string_equal(json_string(json, "b", ""), "-9223372036854775808");
    assert_string_equal(json_array(json, "c")->child->valuestring, "18446744073709551615");
    assert_int_equal(json_int(json, "d", 0), 123);
    assert_true(cJSON_IsNumber(cJSON_GetObjectItem(json, "e")));
    assert_string_equal(json_string(json, "f", ""), "9007199254740993");
    assert_string_equal(json_string(json, "g", ""), "\"1234567890123456\"");
}

static void other_specs_name_the_place_too(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    Docker__Swarmkit__V1__NodeSpec *node;
    Docker__Swarmkit__V1__ClusterSpec *cluster;
    Docker__Swarmkit__V1__SecretSpec *secret;
    Docker__Swarmkit__V1__ConfigSpec *config;
    Docker__Swarmkit__V1__NetworkSpec *network;
    cleanup_json cJSON *king = cJSON_Parse("{\"Role\":\"king\",\"Availability\":\"active\"}"), *bare = cJSON_Parse("{\"Role\":\"worker\"}"),
                       *tick = cJSON_Parse("{\"Raft\":{\"ElectionTick\":-1}}"),
                       *ca = cJSON_Parse("{\"CAConfig\":{\"ExternalCAs\":[{\"URL\":\"https://a\"}]}}"),
                       *name = cJSON_Parse("{\"Name\":\"other\"}"), *data = cJSON_Parse("{\"Data\":\"%%\"}"),
                       *driver = cJSON_Parse("{\"Templating\":{\"Name\":\"golang\"}}"),
                       *ipam = cJSON_Parse("{\"IPAM\":{\"Config\":[{\"Subnet\":1}]}}");
    assert_fails(swarm_read_node_spec(king, API, NULL, &arena, &node, err), ERR_INVALID, "Spec.Role: \"king\" is none of worker, manager");
    assert_fails(swarm_read_node_spec(bare, API, NULL, &arena, &node, err), ERR_INVALID, "Spec.Availability: \"\" is none of active");
    assert_fails(swarm_read_node_spec(NULL, API, NULL, &arena, &node, err), ERR_INVALID, "not a JSON object");
    assert_fails(swarm_read_cluster_spec(tick, API, NULL, &arena, &cluster, err), ERR_INVALID, "Spec.Raft.ElectionTick: -1");
    assert_fails(swarm_read_cluster_spec(ca, API, NULL, &arena, &cluster, err), ERR_INVALID, "Spec.CAConfig.ExternalCAs[0].Protocol: \"\"");
    assert_fails(swarm_read_cluster_spec(name, API, NULL, &arena, &cluster, err), ERR_INVALID, "must be named \"default\"");
    assert_fails(swarm_read_secret_spec(data, API, &arena, &secret, err), ERR_INVALID, "Spec.Data: not base64");
    assert_fails(swarm_read_secret_spec(driver, 36, &arena, &secret, err), ERR_INVALID, "not supported on the specified API version: 1.36");
    assert_fails(swarm_read_config_spec(data, API, &arena, &config, err), ERR_INVALID, "Spec.Data: not base64");
    assert_fails(swarm_read_network_spec(ipam, API, &arena, &network, err), ERR_INVALID, "IPAM.Config[0].Subnet: not a text");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals_name_the_place),
        cmocka_unit_test(what_is_too_much_is_refused),
        cmocka_unit_test(bodies_are_checked_before_they_are_json),
        cmocka_unit_test(long_numbers_keep_their_digits),
        cmocka_unit_test(other_specs_name_the_place_too),
    };
    return cmocka_run_group_tests_name("api/swarm/hostile", tests, NULL, NULL);
}
