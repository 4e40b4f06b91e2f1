/* tests/unit/api/swarm/test_json_service.c – services: versions, defaults, presence, and what is not in recordings. */
#include "tests/unit/api/swarm/recorded.h"

#include "api/swarm/json_service.h"
#include "api/swarm/json_task.h"
#include "api/swarm/registry_auth.h"
#include "google/protobuf/any.pb-c.h"

typedef Docker__Swarmkit__V1__ServiceSpec ServiceSpec;

static ServiceSpec *spec_of(const char *text, unsigned api_version, struct arena *arena)
{
    cleanup_json cJSON *json = NULL;
    ServiceSpec *spec = NULL;
    assert_ok(swarm_body_parse(bytes_of_string(text), &json, err));
    assert_ok(swarm_read_service_spec(json, api_version, arena, &spec, err));
    return spec;
}

static cJSON *shown(ServiceSpec *spec, unsigned api_version)
{
    Docker__Swarmkit__V1__Service service = DOCKER__SWARMKIT__V1__SERVICE__INIT;
    service.spec = spec;
    cleanup_json cJSON *json = swarm_json_service(&service, api_version, NULL);
    cleanup_free char *text = json_print(cJSON_GetObjectItem(json, "Spec"));
    return cJSON_Parse(text); /* numbers are numbers again */
}

static void what_is_not_said_has_dockers_defaults(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    const ServiceSpec *spec = spec_of("{\"TaskTemplate\":{\"ContainerSpec\":{}}}", 41, &arena);
    assert_string_equal(spec->annotations->name, "");
    assert_int_equal(spec->mode_case, DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED);
    assert_int_equal(spec->replicated->replicas, 1);
    assert_null(spec->endpoint);
    assert_null(spec->update);
    assert_null(spec->task->restart);
    assert_null(spec->task->resources);
    assert_null(spec->task->container->init);
    const ServiceSpec *job =
        spec_of("{\"TaskTemplate\":{\"ContainerSpec\":{},\"RestartPolicy\":{}},\"Mode\":{\"ReplicatedJob\":{}}}", 41, &arena);
    assert_int_equal(job->task->restart->condition, DOCKER__SWARMKIT__V1__RESTART_POLICY__RESTART_CONDITION__ANY);
    assert_null(job->task->restart->delay);
    assert_int_equal(job->replicated_job->max_concurrent, 1);
    assert_int_equal(job->replicated_job->total_completions, 1);
    job = spec_of("{\"TaskTemplate\":{\"ContainerSpec\":{}},\"Mode\":{\"ReplicatedJob\":{\"MaxConcurrent\":5,\"TotalCompletions\":0}}}", 41,
                  &arena);
    assert_int_equal(job->replicated_job->total_completions, 0);
}

static void empty_is_not_absent(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    ServiceSpec *spec =
        spec_of("{\"TaskTemplate\":{\"ContainerSpec\":{\"Init\":false,\"DNSConfig\":{},\"StopGracePeriod\":0,\"Privileges\":{}},"
                "\"Resources\":{\"Limits\":{},\"Reservations\":{}},\"Placement\":{},\"LogDriver\":{}},\"EndpointSpec\":{},"
                "\"Mode\":{\"Replicated\":{\"Replicas\":0}}}",
                41, &arena);
    assert_non_null(spec->task->container->init);
    assert_false(spec->task->container->init->value);
    assert_non_null(spec->task->container->dns_config);
    assert_non_null(spec->task->container->stop_grace_period);
    assert_non_null(spec->task->resources->limits);
    assert_non_null(spec->task->placement);
    assert_non_null(spec->endpoint);
    assert_int_equal(spec->replicated->replicas, 0);
    cleanup_json cJSON *want =
        cJSON_Parse("{\"Labels\":{},\"TaskTemplate\":{\"ContainerSpec\":{\"Init\":false,\"DNSConfig\":{},\"StopGracePeriod\":0,"
                    "\"Isolation\":\"default\","
                    "\"Privileges\":{\"CredentialSpec\":null,\"SELinuxContext\":null}},\"Resources\":{\"Limits\":{},\"Reservations\":{}},"
                    "\"Placement\":{},\"LogDriver\":{},\"ForceUpdate\":0,\"Runtime\":\"container\"},\"EndpointSpec\":{\"Mode\":\"vip\"},"
                    "\"Mode\":{\"Replicated\":{\"Replicas\":0}}}");
    assert_json_matches(shown(spec, 41), want, "spec");
}

static void nulls_are_absent(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    const ServiceSpec *spec =
        spec_of("{\"Labels\":{\"a\":null},\"TaskTemplate\":{\"ContainerSpec\":{\"Env\":null,\"Init\":null,\"TTY\":null},"
                "\"Resources\":null},\"Mode\":{\"Replicated\":null,\"Global\":{}},\"EndpointSpec\":null,\"Unheard\":{}}",
                41, &arena);
    assert_int_equal(spec->mode_case, DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_GLOBAL);
    assert_null(spec->task->container->init);
    assert_int_equal(spec->annotations->n_labels, 1);
    assert_string_equal(spec->annotations->labels[0]->value, "");
}

/* As Go's decoder: names in any case, of a key given twice the last value. */
static void names_are_read_as_go_reads_them(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    const ServiceSpec *spec = spec_of(
        "{\"name\":\"web\",\"tasktemplate\":{\"containerspec\":{\"image\":\"a\"}},\"Labels\":{\"b\":\"1\",\"a\":\"2\",\"b\":\"3\"}}", 41,
        &arena);
    assert_string_equal(spec->annotations->name, "web");
    assert_string_equal(spec->task->container->image, "a");
    assert_int_equal(spec->annotations->n_labels, 2);
    assert_string_equal(spec->annotations->labels[0]->key, "a");
    assert_string_equal(spec->annotations->labels[1]->value, "3");
}

static const char *const modern =
    "{\"TaskTemplate\":{\"ContainerSpec\":{\"Sysctls\":{\"a\":\"b\"},\"CapabilityAdd\":[\"ALL\"],\"CapabilityDrop\":[\"ALL\"],"
    "\"Ulimits\":[{\"Name\":\"n\",\"Soft\":1,\"Hard\":2}],\"OomScoreAdj\":5,\"Privileges\":{\"Seccomp\":{\"Mode\":\"unconfined\"},"
    "\"AppArmor\":{\"Mode\":\"disabled\"},\"NoNewPrivileges\":true},\"Healthcheck\":{\"Test\":[\"NONE\"],\"StartInterval\":7},"
    "\"Mounts\":[{\"Type\":\"tmpfs\",\"TmpfsOptions\":{\"Options\":[[\"exec\"]]}},{\"BindOptions\":{\"CreateMountpoint\":true}}]},"
    "\"Placement\":{\"MaxReplicas\":3},\"Resources\":{\"Limits\":{\"Pids\":9}}},\"Mode\":{\"ReplicatedJob\":{\"MaxConcurrent\":2}}}";

static void clients_set_only_what_their_version_knows(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    const ServiceSpec *spec = spec_of(modern, 50, &arena);
    const Docker__Swarmkit__V1__ContainerSpec *container = spec->task->container;
    assert_int_equal(container->oom_score_adj, 5);
    assert_int_equal(container->pidslimit, 9);
    assert_true(container->privileges->no_new_privileges);
    assert_int_equal(container->privileges->seccomp->mode, DOCKER__SWARMKIT__V1__PRIVILEGES__SECCOMP_OPTS__SECCOMP_MODE__UNCONFINED);
    assert_int_equal(container->healthcheck->start_interval->nanos, 7);
    assert_string_equal(container->mounts[0]->tmpfs_options->options, "[[\"exec\"]]");
    assert_int_equal(spec->replicated_job->total_completions, 2);

    container = spec_of(modern, 45, &arena)->task->container;
    assert_int_equal(container->oom_score_adj, 0);
    assert_string_equal(container->mounts[0]->tmpfs_options->options, "");
    assert_non_null(container->healthcheck->start_interval);

    container = spec_of(modern, 43, &arena)->task->container;
    assert_null(container->privileges->seccomp);
    assert_null(container->privileges->apparmor);
    assert_false(container->privileges->no_new_privileges);
    assert_null(container->healthcheck->start_interval);
    assert_int_equal(container->n_ulimits, 1);

    spec = spec_of(modern, 40, &arena);
    assert_int_equal(spec->task->container->n_ulimits + spec->task->container->n_capability_add, 0);
    assert_int_equal(spec->task->container->pidslimit, 0);
    assert_int_equal(spec->mode_case, DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED);
    assert_int_equal(spec->task->placement->max_replicas, 3);
    assert_null(spec->task->container->mounts[1]->bind_options);

    spec = spec_of(modern, 39, &arena);
    assert_int_equal(spec->task->placement->max_replicas, 0);
    assert_int_equal(spec->task->container->n_sysctls, 0);
}

static void clients_see_only_what_their_version_knows(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    ServiceSpec *spec = spec_of(modern, 50, &arena);
    cleanup_json cJSON *newest = shown(spec, 50), *old = shown(spec, 40);
    const cJSON *container = json_object(json_object(newest, "TaskTemplate"), "ContainerSpec");
    assert_int_equal(json_int(container, "OomScoreAdj", 0), 5);
    assert_true(json_bool(json_object(container, "Privileges"), "NoNewPrivileges", false));
    assert_int_equal(json_int(json_object(json_object(json_object(newest, "TaskTemplate"), "Resources"), "Limits"), "Pids", 0), 9);
    container = json_object(json_object(old, "TaskTemplate"), "ContainerSpec");
    assert_null(cJSON_GetObjectItem(container, "OomScoreAdj"));
    assert_null(cJSON_GetObjectItem(container, "Ulimits"));
    assert_null(cJSON_GetObjectItem(json_object(container, "Privileges"), "NoNewPrivileges"));
    assert_null(cJSON_GetObjectItem(json_object(json_object(json_object(old, "TaskTemplate"), "Resources"), "Limits"), "Pids"));
}

static void an_old_mount_with_empty_bind_options_has_none(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    const ServiceSpec *spec =
        spec_of("{\"TaskTemplate\":{\"ContainerSpec\":{\"Mounts\":[{\"BindOptions\":{}},{\"BindOptions\":{\"Propagation\":\"rprivate\"}},"
                "{\"BindOptions\":{\"NonRecursive\":true}}]}}}",
                41, &arena);
    assert_null(spec->task->container->mounts[0]->bind_options);
    assert_non_null(spec->task->container->mounts[1]->bind_options);
    assert_non_null(spec->task->container->mounts[2]->bind_options);
}

static void a_status_is_shown_when_asked_for(void **state)
{
    (void)state;
    cleanup_json cJSON *recording = recorded("statuses");
    Docker__Swarmkit__V1__Service service = DOCKER__SWARMKIT__V1__SERVICE__INIT;
    Docker__Swarmkit__V1__ListServiceStatusesResponse__ServiceStatus status =
        DOCKER__SWARMKIT__V1__LIST_SERVICE_STATUSES_RESPONSE__SERVICE_STATUS__INIT;
    const cJSON *want;
    cJSON_ArrayForEach (want, recording) {
        status.running_tasks = (uint64_t)json_int(want, "RunningTasks", -1);
        status.desired_tasks = (uint64_t)json_int(want, "DesiredTasks", -1);
        status.completed_tasks = (uint64_t)json_int(want, "CompletedTasks", -1);
        cleanup_json cJSON *json = swarm_json_service(&service, 41, &status);
        assert_json_matches(cJSON_DetachItemFromObject(json, "ServiceStatus"), want, "ServiceStatus");
    }
}

static void plugins_of_others_are_shown(void **state)
{
    (void)state;
    static const uint8_t payload[] = "\x0a\x01n\x12\x01r\x1a\x08\x0a\x01p\x12\x00\x1a\x01v\x20\x01\x2a\x03"
                                     "A=1";
    Docker__Swarmkit__V1__Service service = DOCKER__SWARMKIT__V1__SERVICE__INIT;
    ServiceSpec spec = DOCKER__SWARMKIT__V1__SERVICE_SPEC__INIT;
    Docker__Swarmkit__V1__TaskSpec task = DOCKER__SWARMKIT__V1__TASK_SPEC__INIT;
    Docker__Swarmkit__V1__GenericRuntimeSpec generic = DOCKER__SWARMKIT__V1__GENERIC_RUNTIME_SPEC__INIT;
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
    char kind[] = "plugin";
    any.value = (ProtobufCBinaryData){sizeof payload - 1, (uint8_t *)(uintptr_t)payload};
    generic.kind = kind;
    generic.payload = &any;
    task.runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_GENERIC;
    task.generic = &generic;
    spec.task = &task;
    service.spec = &spec;
    cleanup_json cJSON *json = swarm_json_service(&service, 41, NULL),
                       *want = cJSON_Parse(
                           "{\"name\":\"n\",\"remote\":\"r\",\"privileges\":[{\"name\":\"p\",\"description\":\"\",\"value\":[\"v\"]}],"
                           "\"disabled\":true,\"env\":[\"A=1\"]}");
    cJSON *shown_task = cJSON_GetObjectItem(cJSON_GetObjectItem(json, "Spec"), "TaskTemplate");
    assert_string_equal(json_string(shown_task, "Runtime", ""), "plugin");
    assert_json_matches(cJSON_DetachItemFromObject(shown_task, "PluginSpec"), want, "PluginSpec");
    any.value.len = 5; /* cut short */
    cleanup_json cJSON *broken = swarm_json_service(&service, 41, NULL);
    assert_null(cJSON_GetObjectItem(cJSON_GetObjectItem(cJSON_GetObjectItem(broken, "Spec"), "TaskTemplate"), "PluginSpec"));
}

static void texts_that_are_no_utf8_are_repaired(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__Task task = DOCKER__SWARMKIT__V1__TASK__INIT;
    Docker__Swarmkit__V1__TaskStatus status = DOCKER__SWARMKIT__V1__TASK_STATUS__INIT;
    char bad[] = "a\xff\xc3(\xe2\x82";
    status.err = bad;
    task.status = &status;
    cleanup_json cJSON *json = swarm_json_task(&task, 41);
    assert_string_equal(json_string(json_object(json, "Status"), "Err", ""), "a\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd");
}

static void credentials_come_by_the_header_and_stay(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    const char *text = "{\"TaskTemplate\":{\"ContainerSpec\":{}}}";
    ServiceSpec *old = spec_of(text, 41, &arena), *older = spec_of(text, 41, &arena), *spec = spec_of(text, 41, &arena);
    Docker__Swarmkit__V1__Service service = DOCKER__SWARMKIT__V1__SERVICE__INIT;
    service.spec = old;
    assert_ok(swarm_set_registry_auth(old, "bmV3", NULL, SWARM_AUTH_FROM_SPEC, &arena, err));
    assert_ok(swarm_set_registry_auth(older, "b2xk", NULL, SWARM_AUTH_FROM_SPEC, &arena, err));
    assert_string_equal(old->task->container->pull_options->registry_auth, "bmV3");
    assert_ok(swarm_set_registry_auth(spec, "", NULL, SWARM_AUTH_FROM_SPEC, &arena, err));
    assert_null(spec->task->container->pull_options);
    assert_fails(swarm_set_registry_auth(spec, "", &service, SWARM_AUTH_FROM_PREVIOUS_SPEC, &arena, err), ERR_INVALID, "previous spec");
    service.previous_spec = older;
    assert_ok(swarm_set_registry_auth(spec, NULL, &service, SWARM_AUTH_FROM_SPEC, &arena, err));
    assert_string_equal(spec->task->container->pull_options->registry_auth, "bmV3");
    assert_ok(swarm_set_registry_auth(spec, NULL, &service, SWARM_AUTH_FROM_PREVIOUS_SPEC, &arena, err));
    assert_string_equal(spec->task->container->pull_options->registry_auth, "b2xk");
    assert_ok(swarm_set_registry_auth(spec, "b3RoZXI", &service, SWARM_AUTH_FROM_SPEC, &arena, err));
    assert_string_equal(spec->task->container->pull_options->registry_auth, "b3RoZXI");
    cleanup_free char *large = mem_alloc(API_REGISTRY_AUTH_BYTES * 2);
    memset(large, 'a', API_REGISTRY_AUTH_BYTES * 2 - 1);
    assert_fails(swarm_set_registry_auth(spec, large, &service, SWARM_AUTH_FROM_SPEC, &arena, err), ERR_LIMIT, "X-Registry-Auth");
    cleanup_json cJSON *json = shown(spec, 50);
    cleanup_free char *printed = json_print(json);
    assert_null(strstr(printed, "b3RoZXI"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_said_has_dockers_defaults),
        cmocka_unit_test(empty_is_not_absent),
        cmocka_unit_test(nulls_are_absent),
        cmocka_unit_test(names_are_read_as_go_reads_them),
        cmocka_unit_test(clients_set_only_what_their_version_knows),
        cmocka_unit_test(clients_see_only_what_their_version_knows),
        cmocka_unit_test(an_old_mount_with_empty_bind_options_has_none),
        cmocka_unit_test(a_status_is_shown_when_asked_for),
        cmocka_unit_test(plugins_of_others_are_shown),
        cmocka_unit_test(texts_that_are_no_utf8_are_repaired),
        cmocka_unit_test(credentials_come_by_the_header_and_stay),
    };
    return cmocka_run_group_tests_name("api/swarm/json_service", tests, NULL, NULL);
}
