/* tests/unit/api/swarm/test_round_trip.c – any spec comes back from its JSON as it went, but for what Docker's JSON has no place for. */
#include "tests/unit/api/swarm/generated.h"
#include "tests/unit/api/swarm/recorded.h"

#include "api/swarm/json_cluster.h"
#include "api/swarm/json_config.h"
#include "api/swarm/json_network.h"
#include "api/swarm/json_node.h"
#include "api/swarm/json_secret.h"
#include "api/swarm/json_service.h"
#include "api/swarm/json_task.h"

#define NEWEST_API 52
#define ROUNDS     400

typedef Docker__Swarmkit__V1__ServiceSpec ServiceSpec;
typedef Docker__Swarmkit__V1__ContainerSpec ContainerSpec;
typedef Docker__Swarmkit__V1__UpdateConfig UpdateConfig;

static cJSON *through_the_wire(cJSON *json)
{
    cleanup_free char *text = json_print(json);
    cJSON *again = NULL;
    cJSON_Delete(json);
    assert_ok(swarm_body_parse(bytes_of_string(text), &again, err));
    return again;
}

/* A Duration that is a number for Docker: zero and absent are one. */
static void no_zero(Google__Protobuf__Duration **duration)
{
    if (*duration && (*duration)->seconds == 0 && (*duration)->nanos == 0)
        *duration = NULL;
}

static void always(Google__Protobuf__Duration **duration, struct arena *arena)
{
    if (*duration == NULL)
        *duration = shape_new(&google__protobuf__duration__descriptor, arena);
}

static Docker__Swarmkit__V1__Annotations *named(Docker__Swarmkit__V1__Annotations *annotations, struct arena *arena)
{
    if (annotations == NULL)
        return shape_new(&docker__swarmkit__v1__annotations__descriptor, arena);
    annotations->n_indices = 0;
    return annotations;
}

static void fit_mounts(ContainerSpec *container, struct arena *arena)
{
    static const char *const options[] = {"", "[[\"uid\",\"5\"],[\"exec\"]]"};
    for (size_t i = 0; i < container->n_mounts; i++)
        if (container->mounts[i]->tmpfs_options)
            container->mounts[i]->tmpfs_options->options = arena_string(arena, options[i % 2]);
}

static void fit_references(ContainerSpec *container)
{
    size_t secrets = 0, configs = 0;
    for (size_t i = 0; i < container->n_secrets; i++)
        if (container->secrets[i]->target_case != DOCKER__SWARMKIT__V1__SECRET_REFERENCE__TARGET__NOT_SET)
            container->secrets[secrets++] = container->secrets[i];
    for (size_t i = 0; i < container->n_configs; i++)
        if (container->configs[i]->target_case != DOCKER__SWARMKIT__V1__CONFIG_REFERENCE__TARGET__NOT_SET)
            container->configs[configs++] = container->configs[i];
    container->n_secrets = secrets;
    container->n_configs = configs;
}

static void fit_privileges(Docker__Swarmkit__V1__Privileges *privileges, struct arena *arena)
{
    Docker__Swarmkit__V1__Privileges__CredentialSpec *spec = privileges->credential_spec;
    if (spec && (spec->source_case == DOCKER__SWARMKIT__V1__PRIVILEGES__CREDENTIAL_SPEC__SOURCE__NOT_SET || *spec->file == '\0')) {
        spec->source_case = DOCKER__SWARMKIT__V1__PRIVILEGES__CREDENTIAL_SPEC__SOURCE_FILE;
        spec->file = arena_string(arena, "spec.json");
    }
}

static void fit_container(ContainerSpec *container, struct arena *arena)
{
    container->pull_options = NULL;
    fit_mounts(container, arena);
    fit_references(container);
    if (container->privileges)
        fit_privileges(container->privileges, arena);
    if (container->healthcheck) {
        always(&container->healthcheck->interval, arena);
        always(&container->healthcheck->timeout, arena);
        always(&container->healthcheck->start_period, arena);
        no_zero(&container->healthcheck->start_interval);
    }
}

static void fit_attachments(Docker__Swarmkit__V1__NetworkAttachmentConfig **networks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        networks[i]->n_addresses = 0;
}

static void fit_task(Docker__Swarmkit__V1__TaskSpec *task, struct generator *generator)
{
    if (task->runtime_case != DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER) {
        task->runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER;
        task->container = (ContainerSpec *)generate_message(generator, &docker__swarmkit__v1__container_spec__descriptor);
    }
    fit_container(task->container, generator->arena);
    task->n_resource_references = 0;
    fit_attachments(task->networks, task->n_networks);
    if (task->resources == NULL || task->resources->limits == NULL)
        task->container->pidslimit = 0; /* it stands among the limits */
    else
        task->resources->limits->n_generic = 0;
    size_t kept = 0;
    for (size_t i = 0; task->placement && i < task->placement->n_preferences; i++)
        if (task->placement->preferences[i]->preference_case != DOCKER__SWARMKIT__V1__PLACEMENT_PREFERENCE__PREFERENCE__NOT_SET)
            task->placement->preferences[kept++] = task->placement->preferences[i];
    if (task->placement)
        task->placement->n_preferences = kept;
}

static void fit_update(UpdateConfig *update, struct arena *arena)
{
    if (update == NULL)
        return;
    always(&update->delay, arena);
    no_zero(&update->monitor);
}

static ServiceSpec *generate_service_spec(struct generator *generator)
{
    ServiceSpec *spec = (ServiceSpec *)generate_message(generator, &docker__swarmkit__v1__service_spec__descriptor);
    spec->annotations = named(spec->annotations, generator->arena);
    if (spec->task == NULL)
        spec->task = shape_new(&docker__swarmkit__v1__task_spec__descriptor, generator->arena);
    fit_task(spec->task, generator);
    fit_update(spec->update, generator->arena);
    fit_update(spec->rollback, generator->arena);
    fit_attachments(spec->networks, spec->n_networks);
    if (spec->mode_case == DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE__NOT_SET) {
        spec->mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_GLOBAL;
        spec->global = shape_new(&docker__swarmkit__v1__global_service__descriptor, generator->arena);
    }
    return spec;
}

static void any_service_comes_back(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        cleanup_arena struct arena arena = {0};
        struct generator generator = {seed * 0x9e3779b97f4a7c15u, &arena};
        cleanup_free char *where = mem_format("seed %d", (int)seed);
        Docker__Swarmkit__V1__Service service = DOCKER__SWARMKIT__V1__SERVICE__INIT;
        ServiceSpec *again = NULL;
        service.spec = generate_service_spec(&generator);
        cleanup_json cJSON *json = through_the_wire(swarm_json_service(&service, NEWEST_API, NULL));
        assert_ok(swarm_read_service_spec(json_object(json, "Spec"), NEWEST_API, &arena, &again, err));
        assert_same_message(&again->base, &service.spec->base, where);
    }
}

static void any_node_comes_back(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        cleanup_arena struct arena arena = {0};
        struct generator generator = {seed * 0x9e3779b97f4a7c15u, &arena};
        Docker__Swarmkit__V1__Node node = DOCKER__SWARMKIT__V1__NODE__INIT;
        Docker__Swarmkit__V1__NodeSpec *again = NULL;
        node.spec = (Docker__Swarmkit__V1__NodeSpec *)generate_message(&generator, &docker__swarmkit__v1__node_spec__descriptor);
        node.spec->annotations = named(node.spec->annotations, &arena);
        cleanup_json cJSON *json = through_the_wire(swarm_json_node(&node, NEWEST_API));
        assert_ok(swarm_read_node_spec(json_object(json, "Spec"), NEWEST_API, node.spec, &arena, &again, err));
        assert_same_message(&again->base, &node.spec->base, "node");
    }
}

static void any_config_comes_back(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        cleanup_arena struct arena arena = {0};
        struct generator generator = {seed * 0x9e3779b97f4a7c15u, &arena};
        Docker__Swarmkit__V1__Config config = DOCKER__SWARMKIT__V1__CONFIG__INIT;
        Docker__Swarmkit__V1__ConfigSpec *again = NULL;
        config.spec = (Docker__Swarmkit__V1__ConfigSpec *)generate_message(&generator, &docker__swarmkit__v1__config_spec__descriptor);
        config.spec->annotations = named(config.spec->annotations, &arena);
        cleanup_json cJSON *json = through_the_wire(swarm_json_config(&config, NEWEST_API));
        assert_ok(swarm_read_config_spec(json_object(json, "Spec"), NEWEST_API, &arena, &again, err));
        assert_same_message(&again->base, &config.spec->base, "config");
    }
}

#define MAKE(spec, field, type)                                                                                                            \
    if ((spec)->field == NULL)                                                                                                             \
    (spec)->field = shape_new(&docker__swarmkit__v1__##type##__descriptor, &arena)

static void any_cluster_comes_back(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        cleanup_arena struct arena arena = {0};
        struct generator generator = {seed * 0x9e3779b97f4a7c15u, &arena};
        Docker__Swarmkit__V1__Cluster cluster = DOCKER__SWARMKIT__V1__CLUSTER__INIT;
        Docker__Swarmkit__V1__ClusterSpec *again = NULL, *spec = (Docker__Swarmkit__V1__ClusterSpec *)generate_message(
                                                             &generator, &docker__swarmkit__v1__cluster_spec__descriptor);
        spec->annotations = named(spec->annotations, &arena);
        spec->annotations->name = arena_string(&arena, "default");
        spec->acceptance_policy = shape_new(&docker__swarmkit__v1__acceptance_policy__descriptor, &arena);
        MAKE(spec, orchestration, orchestration_config);
        MAKE(spec, raft, raft_config);
        MAKE(spec, dispatcher, dispatcher_config);
        MAKE(spec, ca_config, caconfig);
        MAKE(spec, task_defaults, task_defaults);
        MAKE(spec, encryption_config, encryption_config);
        no_zero(&spec->dispatcher->heartbeat_period);
        no_zero(&spec->ca_config->node_cert_expiry);
        spec->ca_config->signing_ca_cert.len = spec->ca_config->signing_ca_key.len = 0;
        cluster.spec = spec;
        cleanup_json cJSON *json = through_the_wire(swarm_json_cluster(&cluster, NEWEST_API));
        assert_ok(swarm_read_cluster_spec(json_object(json, "Spec"), NEWEST_API, NULL, &arena, &again, err));
        assert_same_message(&again->base, &spec->base, "cluster");
    }
}

/* Whatever a peer of ours stored: it is shown, as JSON that can be read. */
static void any_object_is_shown(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        cleanup_arena struct arena arena = {0};
        struct generator generator = {seed * 0x9e3779b97f4a7c15u, &arena};
        const unsigned api_version = 24 + (unsigned)pick(&generator, NEWEST_API - 24 + 1);
        const ProtobufCMessage *node = generate_message(&generator, &docker__swarmkit__v1__node__descriptor),
                               *service = generate_message(&generator, &docker__swarmkit__v1__service__descriptor),
                               *task = generate_message(&generator, &docker__swarmkit__v1__task__descriptor),
                               *secret = generate_message(&generator, &docker__swarmkit__v1__secret__descriptor),
                               *network = generate_message(&generator, &docker__swarmkit__v1__network__descriptor),
                               *cluster = generate_message(&generator, &docker__swarmkit__v1__cluster__descriptor);
        cJSON *shown[] = {
            through_the_wire(swarm_json_node((const Docker__Swarmkit__V1__Node *)node, api_version)),
            through_the_wire(swarm_json_service((const Docker__Swarmkit__V1__Service *)service, api_version, NULL)),
            through_the_wire(swarm_json_task((const Docker__Swarmkit__V1__Task *)task, api_version)),
            through_the_wire(swarm_json_secret((const Docker__Swarmkit__V1__Secret *)secret, api_version)),
            through_the_wire(swarm_json_network((const Docker__Swarmkit__V1__Network *)network, api_version)),
            through_the_wire(swarm_json_cluster((const Docker__Swarmkit__V1__Cluster *)cluster, api_version)),
        };
        for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
            assert_true(cJSON_IsObject(shown[i]));
            cJSON_Delete(shown[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_service_comes_back), cmocka_unit_test(any_node_comes_back), cmocka_unit_test(any_config_comes_back),
        cmocka_unit_test(any_cluster_comes_back), cmocka_unit_test(any_object_is_shown),
    };
    return cmocka_run_group_tests_name("api/swarm/round_trip", tests, NULL, NULL);
}
