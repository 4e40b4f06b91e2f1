/* tests/fuzz/seed_fuzz_control.c – writes the first inputs of fuzz_control: `seed_fuzz_control CORPUS_DIRECTORY`. Ids and versions are
 * those of the objects that the target begins with. */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "google/protobuf/duration.pb-c.h"
#include "proto/message.h"
#include "proto/methods.h"
#include "proto/swarmkit/control.pb-c.h"

static const char *corpus;

static void add(struct buf *out, enum method_id method, const ProtobufCMessage *request)
{
    cleanup_buf struct buf packed = {0};
    message_pack(request, &packed);
    buf_append(out, (uint8_t[]){(uint8_t)(method - METHOD_Control_GetNode), (uint8_t)packed.size, (uint8_t)(packed.size >> 8)}, 3);
    buf_append(out, packed.data, packed.size);
}

#define ADD(out, Method, request) add(out, METHOD_Control_##Method, &(request).base)

static void put(const char *name, struct buf *content)
{
    cleanup_free char *dir = mem_format("%s/control", corpus), *path = mem_format("%s/%s", dir, name);
    struct error err;
    if (file_make_dirs(dir, 0755, &err) < 0 || file_write_volatile(path, buf_bytes(content), 0644, &err) < 0) {
        fprintf(stderr, "seed_fuzz_control: %s\n", err.message);
        exit(1);
    }
    buf_clear(content);
}

static char *text(const char *constant)
{
    return (char *)(uintptr_t)constant;
}

static Docker__Swarmkit__V1__Version ten = DOCKER__SWARMKIT__V1__VERSION__INIT;
static Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;

static void put_services(struct buf *out)
{
    Docker__Swarmkit__V1__ContainerSpec container = DOCKER__SWARMKIT__V1__CONTAINER_SPEC__INIT;
    Docker__Swarmkit__V1__TaskSpec task = DOCKER__SWARMKIT__V1__TASK_SPEC__INIT;
    Docker__Swarmkit__V1__SecretReference secret = DOCKER__SWARMKIT__V1__SECRET_REFERENCE__INIT, *secrets[] = {&secret};
    Docker__Swarmkit__V1__FileTarget file = DOCKER__SWARMKIT__V1__FILE_TARGET__INIT;
    Docker__Swarmkit__V1__Mount mount = DOCKER__SWARMKIT__V1__MOUNT__INIT, *mounts[] = {&mount};
    Docker__Swarmkit__V1__HealthConfig health = DOCKER__SWARMKIT__V1__HEALTH_CONFIG__INIT;
    Google__Protobuf__Duration second = GOOGLE__PROTOBUF__DURATION__INIT;
    Docker__Swarmkit__V1__Placement placement = DOCKER__SWARMKIT__V1__PLACEMENT__INIT;
    Docker__Swarmkit__V1__UpdateConfig update_config = DOCKER__SWARMKIT__V1__UPDATE_CONFIG__INIT;
    Docker__Swarmkit__V1__PortConfig port = DOCKER__SWARMKIT__V1__PORT_CONFIG__INIT, *ports[] = {&port};
    Docker__Swarmkit__V1__EndpointSpec endpoint = DOCKER__SWARMKIT__V1__ENDPOINT_SPEC__INIT;
    Docker__Swarmkit__V1__ReplicatedService replicated = DOCKER__SWARMKIT__V1__REPLICATED_SERVICE__INIT;
    Docker__Swarmkit__V1__GlobalJob job = DOCKER__SWARMKIT__V1__GLOBAL_JOB__INIT;
    Docker__Swarmkit__V1__ServiceSpec spec = DOCKER__SWARMKIT__V1__SERVICE_SPEC__INIT;
    Docker__Swarmkit__V1__CreateServiceRequest create = DOCKER__SWARMKIT__V1__CREATE_SERVICE_REQUEST__INIT;
    Docker__Swarmkit__V1__UpdateServiceRequest update = DOCKER__SWARMKIT__V1__UPDATE_SERVICE_REQUEST__INIT;
    Docker__Swarmkit__V1__RemoveServiceRequest removal = DOCKER__SWARMKIT__V1__REMOVE_SERVICE_REQUEST__INIT;
    Docker__Swarmkit__V1__GetServiceRequest get = DOCKER__SWARMKIT__V1__GET_SERVICE_REQUEST__INIT;
    Docker__Swarmkit__V1__ListServiceStatusesRequest statuses = DOCKER__SWARMKIT__V1__LIST_SERVICE_STATUSES_REQUEST__INIT;
    char *env[] = {text("A=1")}, *constraints[] = {text("node.role==worker")}, *ids[] = {text("s1")};

    second.seconds = 1;
    health.interval = health.timeout = &second;
    file.name = text("key");
    secret.secret_id = text("k1");
    secret.secret_name = text("a");
    secret.target_case = DOCKER__SWARMKIT__V1__SECRET_REFERENCE__TARGET_FILE;
    secret.file = &file;
    mount.target = text("/data");
    container.image = text("busybox:1");
    container.env = env;
    container.n_env = 1;
    container.secrets = secrets;
    container.n_secrets = 1;
    container.mounts = mounts;
    container.n_mounts = 1;
    container.healthcheck = &health;
    placement.constraints = constraints;
    placement.n_constraints = 1;
    task.runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER;
    task.container = &container;
    task.placement = &placement;
    port.target_port = 80;
    port.published_port = 8080;
    port.publish_mode = DOCKER__SWARMKIT__V1__PORT_CONFIG__PUBLISH_MODE__HOST;
    endpoint.ports = ports;
    endpoint.n_ports = 1;
    replicated.replicas = 2;
    update_config.monitor = &second;
    spec.annotations = &annotations;
    spec.task = &task;
    spec.mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED;
    spec.replicated = &replicated;
    spec.endpoint = &endpoint;
    spec.update = &update_config;
    create.spec = update.spec = &spec;
    update.service_id = removal.service_id = get.service_id = text("s1");
    update.service_version = &ten;
    get.insert_defaults = true;
    statuses.services = ids;
    statuses.n_services = 1;

    annotations.name = text("web");
    ADD(out, CreateService, create);
    put("create_service", out);
    spec.update = NULL;
    spec.mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_GLOBAL_JOB;
    spec.global_job = &job;
    ADD(out, CreateService, create);
    put("create_job", out);
    spec.mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED;
    spec.replicated = &replicated;
    annotations.name = text("a");
    ADD(out, UpdateService, update);
    update.rollback = DOCKER__SWARMKIT__V1__UPDATE_SERVICE_REQUEST__ROLLBACK__PREVIOUS;
    ADD(out, UpdateService, update);
    ADD(out, GetService, get);
    ADD(out, ListServiceStatuses, statuses);
    ADD(out, RemoveService, removal);
    put("update_service", out);
}

static void put_nodes(struct buf *out)
{
    Docker__Swarmkit__V1__NodeSpec spec = DOCKER__SWARMKIT__V1__NODE_SPEC__INIT;
    Docker__Swarmkit__V1__UpdateNodeRequest update = DOCKER__SWARMKIT__V1__UPDATE_NODE_REQUEST__INIT;
    Docker__Swarmkit__V1__RemoveNodeRequest removal = DOCKER__SWARMKIT__V1__REMOVE_NODE_REQUEST__INIT;
    Docker__Swarmkit__V1__ListNodesRequest list = DOCKER__SWARMKIT__V1__LIST_NODES_REQUEST__INIT;
    Docker__Swarmkit__V1__ListNodesRequest__Filters filters = DOCKER__SWARMKIT__V1__LIST_NODES_REQUEST__FILTERS__INIT;
    Docker__Swarmkit__V1__NodeRole roles[] = {DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER};
    Docker__Swarmkit__V1__ListTasksRequest tasks = DOCKER__SWARMKIT__V1__LIST_TASKS_REQUEST__INIT;
    Docker__Swarmkit__V1__ListTasksRequest__Filters task_filters = DOCKER__SWARMKIT__V1__LIST_TASKS_REQUEST__FILTERS__INIT;

    filters.roles = roles;
    filters.n_roles = 1;
    list.filters = &filters;
    task_filters.up_to_date = true;
    tasks.filters = &task_filters;
    update.node_id = removal.node_id = text("n1");
    update.node_version = &ten;
    update.spec = &spec;
    spec.desired_role = DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER;
    spec.availability = DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__DRAIN;
    removal.force = true;
    ADD(out, ListNodes, list);
    ADD(out, ListTasks, tasks);
    ADD(out, UpdateNode, update);
    spec.desired_role = DOCKER__SWARMKIT__V1__NODE_ROLE__WORKER;
    update.node_id = text("m1");
    ADD(out, UpdateNode, update);
    ADD(out, RemoveNode, removal);
    put("nodes", out);
}

static void put_payloads(struct buf *out)
{
    Docker__Swarmkit__V1__SecretSpec secret = DOCKER__SWARMKIT__V1__SECRET_SPEC__INIT;
    Docker__Swarmkit__V1__ConfigSpec config = DOCKER__SWARMKIT__V1__CONFIG_SPEC__INIT;
    Docker__Swarmkit__V1__CreateSecretRequest create_secret = DOCKER__SWARMKIT__V1__CREATE_SECRET_REQUEST__INIT;
    Docker__Swarmkit__V1__CreateConfigRequest create_config = DOCKER__SWARMKIT__V1__CREATE_CONFIG_REQUEST__INIT;
    Docker__Swarmkit__V1__UpdateSecretRequest update_secret = DOCKER__SWARMKIT__V1__UPDATE_SECRET_REQUEST__INIT;
    Docker__Swarmkit__V1__RemoveConfigRequest remove_config = DOCKER__SWARMKIT__V1__REMOVE_CONFIG_REQUEST__INIT;
    Docker__Swarmkit__V1__ListSecretsRequest list = DOCKER__SWARMKIT__V1__LIST_SECRETS_REQUEST__INIT;

    annotations.name = text("a");
    secret.annotations = config.annotations = &annotations;
    update_secret.spec = create_secret.spec = &secret;
    create_config.spec = &config;
    update_secret.secret_id = text("k1");
    update_secret.secret_version = &ten;
    remove_config.config_id = text("c1");
    ADD(out, UpdateSecret, update_secret);
    annotations.name = text("b.c");
    secret.data = config.data = (ProtobufCBinaryData){4, (uint8_t *)text("data")};
    ADD(out, CreateSecret, create_secret);
    ADD(out, CreateConfig, create_config);
    ADD(out, RemoveConfig, remove_config);
    ADD(out, ListSecrets, list);
    put("payloads", out);
}

static void put_cluster(struct buf *out)
{
    Docker__Swarmkit__V1__ClusterSpec spec = DOCKER__SWARMKIT__V1__CLUSTER_SPEC__INIT;
    Docker__Swarmkit__V1__KeyRotation rotation = DOCKER__SWARMKIT__V1__KEY_ROTATION__INIT;
    Docker__Swarmkit__V1__UpdateClusterRequest update = DOCKER__SWARMKIT__V1__UPDATE_CLUSTER_REQUEST__INIT;
    Docker__Swarmkit__V1__ListClustersRequest list = DOCKER__SWARMKIT__V1__LIST_CLUSTERS_REQUEST__INIT;
    Docker__Swarmkit__V1__CreateNetworkRequest network = DOCKER__SWARMKIT__V1__CREATE_NETWORK_REQUEST__INIT;
    Docker__Swarmkit__V1__NetworkSpec network_spec = DOCKER__SWARMKIT__V1__NETWORK_SPEC__INIT;
    Docker__Swarmkit__V1__RemoveNetworkRequest removal = DOCKER__SWARMKIT__V1__REMOVE_NETWORK_REQUEST__INIT;
    Docker__Swarmkit__V1__CreateResourceRequest resource = DOCKER__SWARMKIT__V1__CREATE_RESOURCE_REQUEST__INIT;
    Docker__Swarmkit__V1__RemoveExtensionRequest extension = DOCKER__SWARMKIT__V1__REMOVE_EXTENSION_REQUEST__INIT;

    annotations.name = text("default");
    spec.annotations = &annotations;
    rotation.worker_join_token = rotation.manager_unlock_key = true;
    update.cluster_id = text("C1");
    update.cluster_version = &ten;
    update.spec = &spec;
    update.rotation = &rotation;
    network_spec.annotations = &annotations;
    network.spec = &network_spec;
    removal.network_id = text("o1");
    resource.annotations = &annotations;
    resource.kind = text("a");
    extension.extension_id = text("e1");
    ADD(out, UpdateCluster, update);
    ADD(out, ListClusters, list);
    ADD(out, CreateNetwork, network);
    ADD(out, RemoveNetwork, removal);
    ADD(out, CreateResource, resource);
    ADD(out, RemoveExtension, extension);
    put("cluster", out);
}

int main(int argc, char **argv)
{
    struct buf out = {0};

    if (argc != 2) {
        fprintf(stderr, "usage: seed_fuzz_control CORPUS_DIRECTORY\n");
        return 64;
    }
    corpus = argv[1];
    ten.index = 10;
    put_services(&out);
    put_nodes(&out);
    put_payloads(&out);
    put_cluster(&out);
    buf_deinit(&out);
    return 0;
}
