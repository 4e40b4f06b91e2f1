/* Services through their lives: created, updated, rolled back, removed, and what stands in the way of each. */
#include "tests/unit/manager/control/fixture.h"

static struct asked asked;
static struct web web;
static char id[STORE_KEY_SIZE_BYTES];

static int set_up(void **state)
{
    (void)state;
    begin(&asked);
    bootstrap(&asked);
    web_init(&web, "web");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    end(&asked);
    return 0;
}

static const Docker__Swarmkit__V1__Service *stored(void)
{
    return store_service(asked.world.store, id);
}

/* The next update is of the service as it is now. */
static const Docker__Swarmkit__V1__Service *update(void)
{
    web.version.index = stored()->meta->version->index;
    asked.world.wall_ns += (int64_t)NS_PER_S;
    return do_call(&asked, UpdateService, &web.update)->service;
}

static void created_service_has_an_id_a_spec_and_version_zero_of_it(void **state)
{
    (void)state;
    const Docker__Swarmkit__V1__CreateServiceResponse *response = do_call(&asked, CreateService, &web.create);
    assert_int_equal(strlen(response->service->id), 25);
    assert_int_equal(response->service->spec_version->index, 0);
    assert_true(message_equal(&response->service->spec->base, &web.spec.base));
    assert_non_null(response->service->meta->created_at);
    assert_null(response->service->job_status);
    assert_null(response->service->previous_spec);
    assert_true(message_equal(&store_service(asked.world.follower, response->service->id)->base, &response->service->base));
}

/* Nobody has to write it afterwards: an update that follows at once is not out of sequence. */
static void service_has_its_endpoint_from_the_beginning(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__PortConfig port = DOCKER__SWARMKIT__V1__PORT_CONFIG__INIT, *ports[] = {&port};
    port.target_port = 80;
    port.published_port = 8080;
    port.publish_mode = DOCKER__SWARMKIT__V1__PORT_CONFIG__PUBLISH_MODE__HOST;
    web.endpoint.ports = ports;
    web.endpoint.n_ports = 1;
    web_create(&asked, &web, id);
    assert_int_equal(stored()->endpoint->n_ports, 1);
    assert_true(message_equal(&stored()->endpoint->spec->base, &web.endpoint.base));
    port.published_port = 8081;
    assert_int_equal(update()->endpoint->ports[0]->published_port, 8081);
    web.endpoint.n_ports = 0;
    assert_int_equal(update()->endpoint->n_ports, 0);
}

static void name_is_taken_in_any_case(void **state)
{
    (void)state;
    web_create(&asked, &web, id);
    web.annotations.name = CONSTANT("WEB");
    web_refused(&asked, &web, ERR_EXISTS, 6, "name conflicts with an existing object: service WEB already exists");
}

static void update_keeps_the_spec_before(void **state)
{
    (void)state;
    web_create(&asked, &web, id);
    uint64_t first = stored()->meta->version->index;
    web.replicated.replicas = 5;
    const Docker__Swarmkit__V1__Service *service = update();
    assert_int_equal(service->spec->replicated->replicas, 5);
    assert_int_equal(service->previous_spec->replicated->replicas, 2);
    assert_int_equal(service->spec_version->index, first);
    assert_int_equal(service->previous_spec_version->index, 0);
    assert_null(service->update_status);
    assert_true(service->meta->version->index > first);
    assert_int_equal(service->meta->updated_at->seconds - service->meta->created_at->seconds, 1);
}

static void update_is_of_the_version_that_is_there(void **state)
{
    (void)state;
    web_create(&asked, &web, id);
    web.version.index--;
    assert_refused(&asked, UpdateService, &web.update, ERR_PRECONDITION, 2, "update out of sequence");
    web.version.index++;
    (void)do_call(&asked, UpdateService, &web.update);
    assert_refused(&asked, UpdateService, &web.update, ERR_PRECONDITION, 2, "update out of sequence");
}

static void update_names_its_service_and_version(void **state)
{
    (void)state;
    web_create(&asked, &web, id);
    web.update.service_id = CONSTANT("");
    assert_refused(&asked, UpdateService, &web.update, ERR_INVALID, 3, "invalid argument");
    web.update.service_id = CONSTANT("nobody");
    assert_refused(&asked, UpdateService, &web.update, ERR_NOT_FOUND, 5, "service nobody not found");
    web.update.service_id = id;
    web.update.service_version = NULL;
    assert_refused(&asked, UpdateService, &web.update, ERR_INVALID, 3, "invalid argument");
    web.update.service_version = &web.version;
    web.update.spec = NULL;
    assert_refused(&asked, UpdateService, &web.update, ERR_INVALID, 3, "invalid argument");
    static char longest[300];
    memset(longest, 'x', sizeof longest - 1);
    web.update.service_id = longest;
    assert_refused(&asked, UpdateService, &web.update, ERR_INVALID, 3, "an id of 299 characters");
}

static void update_is_checked_as_creation_is(void **state)
{
    (void)state;
    web_create(&asked, &web, id);
    web.container.image = CONSTANT("");
    assert_refused(&asked, UpdateService, &web.update, ERR_INVALID, 3, "ContainerSpec: image reference must be provided");
    web.container.image = CONSTANT("busybox");
    Docker__Swarmkit__V1__PortConfig port = DOCKER__SWARMKIT__V1__PORT_CONFIG__INIT, *ports[] = {&port};
    port.target_port = 80;
    web.endpoint.ports = ports;
    web.endpoint.n_ports = 1;
    assert_refused(&asked, UpdateService, &web.update, ERR_UNSUPPORTED, 12, "--publish mode=host,target=80,published=80");
}

static void mode_and_name_stay(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__GlobalService global = DOCKER__SWARMKIT__V1__GLOBAL_SERVICE__INIT;
    web_create(&asked, &web, id);
    web.spec.mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_GLOBAL;
    web.spec.global = &global;
    assert_refused(&asked, UpdateService, &web.update, ERR_UNSUPPORTED, 12, "service mode change is not allowed");
    web.spec.mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED;
    web.spec.replicated = &web.replicated;
    web.annotations.name = CONSTANT("other");
    assert_refused(&asked, UpdateService, &web.update, ERR_UNSUPPORTED, 12, "renaming services is not supported");
}

static void networks_beside_the_tasks_do_not_change(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__NetworkAttachmentConfig host = DOCKER__SWARMKIT__V1__NETWORK_ATTACHMENT_CONFIG__INIT, *list[] = {&host};
    web_create(&asked, &web, id);
    host.target = network_id(&asked, "host");
    web.spec.networks = list;
    web.spec.n_networks = 1;
    assert_refused(&asked, UpdateService, &web.update, ERR_UNSUPPORTED, 12, "networks must be migrated to TaskSpec before being changed");
    web.spec.n_networks = 0;
    web.task.networks = list;
    web.task.n_networks = 1;
    update();
}

static void rollback_takes_the_spec_before(void **state)
{
    (void)state;
    web_create(&asked, &web, id);
    web.update.rollback = DOCKER__SWARMKIT__V1__UPDATE_SERVICE_REQUEST__ROLLBACK__PREVIOUS;
    assert_refused(&asked, UpdateService, &web.update, ERR_PRECONDITION, 9, "does not have a previous spec");
    web.update.rollback = DOCKER__SWARMKIT__V1__UPDATE_SERVICE_REQUEST__ROLLBACK__NONE;
    web.replicated.replicas = 5;
    uint64_t second = update()->spec_version->index;
    web.update.rollback = DOCKER__SWARMKIT__V1__UPDATE_SERVICE_REQUEST__ROLLBACK__PREVIOUS;
    const Docker__Swarmkit__V1__Service *service = update();
    assert_int_equal(service->spec->replicated->replicas, 2);
    assert_int_equal(service->previous_spec->replicated->replicas, 5);
    assert_int_equal(service->spec_version->index, 0);
    assert_int_equal(service->previous_spec_version->index, second);
    assert_int_equal(service->update_status->state, DOCKER__SWARMKIT__V1__UPDATE_STATUS__UPDATE_STATE__ROLLBACK_STARTED);
    assert_string_equal(service->update_status->message, "manually requested rollback");
    assert_int_equal(service->update_status->started_at->seconds, 1790000002);
    web.update.rollback = DOCKER__SWARMKIT__V1__UPDATE_SERVICE_REQUEST__ROLLBACK__NONE;
    assert_null(update()->update_status);
}

static void rollback_to_what_is_gone_is_refused(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__Secret secret = DOCKER__SWARMKIT__V1__SECRET__INIT;
    Docker__Swarmkit__V1__SecretSpec secret_spec = DOCKER__SWARMKIT__V1__SECRET_SPEC__INIT;
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    Docker__Swarmkit__V1__SecretReference reference = DOCKER__SWARMKIT__V1__SECRET_REFERENCE__INIT, *list[] = {&reference};
    Docker__Swarmkit__V1__FileTarget file = DOCKER__SWARMKIT__V1__FILE_TARGET__INIT;
    secret.id = CONSTANT("s1");
    secret.spec = &secret_spec;
    secret_spec.annotations = &annotations;
    annotations.name = CONSTANT("key");
    do_create(&asked.world, &secret);
    reference.secret_id = CONSTANT("s1");
    reference.secret_name = CONSTANT("key");
    reference.target_case = DOCKER__SWARMKIT__V1__SECRET_REFERENCE__TARGET_FILE;
    reference.file = &file;
    file.name = CONSTANT("key");
    web.container.secrets = list;
    web.container.n_secrets = 1;
    web_create(&asked, &web, id);
    web.container.n_secrets = 0;
    update();
    do_remove(&asked.world, STORE_SECRET, "s1");
    web.version.index = stored()->meta->version->index;
    web.update.rollback = DOCKER__SWARMKIT__V1__UPDATE_SERVICE_REQUEST__ROLLBACK__PREVIOUS;
    assert_refused(&asked, UpdateService, &web.update, ERR_INVALID, 3, "secret not found: key");
}

static void job_is_done_again_and_never_rolled_back(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__ReplicatedJob job = DOCKER__SWARMKIT__V1__REPLICATED_JOB__INIT;
    web.spec.mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED_JOB;
    web.spec.replicated_job = &job;
    job.max_concurrent = job.total_completions = 3;
    web_create(&asked, &web, id);
    assert_int_equal(stored()->job_status->job_iteration->index, 0);
    const Docker__Swarmkit__V1__Service *service = update();
    assert_int_equal(service->job_status->job_iteration->index, 1);
    assert_int_equal(service->job_status->last_execution->seconds, 1790000001);
    web.version.index = stored()->meta->version->index;
    web.update.rollback = DOCKER__SWARMKIT__V1__UPDATE_SERVICE_REQUEST__ROLLBACK__PREVIOUS;
    assert_refused(&asked, UpdateService, &web.update, ERR_INVALID, 3, "jobs cannot be rolled back");
}

/* As a cluster may have that was Docker's before. */
static void ports_of_other_services_are_taken(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__Service *other = service("s0", "old");
    Docker__Swarmkit__V1__EndpointSpec endpoint = DOCKER__SWARMKIT__V1__ENDPOINT_SPEC__INIT;
    Docker__Swarmkit__V1__Endpoint given = DOCKER__SWARMKIT__V1__ENDPOINT__INIT;
    Docker__Swarmkit__V1__PortConfig wished = DOCKER__SWARMKIT__V1__PORT_CONFIG__INIT, got, *wishes[] = {&wished}, *gifts[] = {&got};
    wished.target_port = 80;
    got = wished;
    got.published_port = 30000;
    endpoint.ports = wishes;
    endpoint.n_ports = 1;
    given.ports = gifts;
    given.n_ports = 1;
    other->spec->endpoint = &endpoint;
    other->endpoint = &given;
    do_create(&asked.world, other);
    Docker__Swarmkit__V1__PortConfig port = got, *ports[] = {&port};
    port.publish_mode = DOCKER__SWARMKIT__V1__PORT_CONFIG__PUBLISH_MODE__HOST;
    web.endpoint.ports = ports;
    web.endpoint.n_ports = 1;
    web_refused(&asked, &web, ERR_INVALID, 3, "port '30000' is already in use by service 'old' (s0) as an ingress port");
    port.protocol = DOCKER__SWARMKIT__V1__PORT_CONFIG__PROTOCOL__UDP;
    web_create(&asked, &web, id);
    (void)update(); /* its own ports do not stand in its way */
    web.annotations.name = CONSTANT("web2");
    (void)do_call(&asked, CreateService, &web.create); /* two on the nodes themselves are kept apart by the scheduler */
    web.annotations.name = CONSTANT("web3");
    port.publish_mode = DOCKER__SWARMKIT__V1__PORT_CONFIG__PUBLISH_MODE__INGRESS;
    web_refused(&asked, &web, ERR_INVALID, 3, "as a host-published port");
}

/* The way out of the routing mesh: the same port, published by the nodes that run the tasks. */
static void service_of_dockers_moves_its_port_to_the_nodes(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__PortConfig port = DOCKER__SWARMKIT__V1__PORT_CONFIG__INIT, *ports[] = {&port};
    port.target_port = 80;
    port.published_port = 8080;
    web.endpoint.ports = ports;
    web.endpoint.n_ports = 1;
    Docker__Swarmkit__V1__Service old = DOCKER__SWARMKIT__V1__SERVICE__INIT;
    old.id = CONSTANT("s0");
    old.spec = &web.spec;
    Docker__Swarmkit__V1__NetworkAttachmentConfig attachment = DOCKER__SWARMKIT__V1__NETWORK_ATTACHMENT_CONFIG__INIT,
                                                  *list[] = {&attachment};
    attachment.target = CONSTANT("overlay");
    web.task.networks = list;
    web.task.n_networks = 1;
    do_create(&asked.world, &old);
    snprintf(id, sizeof id, "s0");
    web.update.service_id = id;
    web.version.index = stored()->meta->version->index;
    web.replicated.replicas = 3;
    (void)do_call(&asked, UpdateService, &web.update); /* what is as it was is not judged again */
    attachment.target = CONSTANT("another");
    web.version.index = stored()->meta->version->index;
    assert_refused(&asked, UpdateService, &web.update, ERR_NOT_FOUND, 5, "network another not found");
    port.publish_mode = DOCKER__SWARMKIT__V1__PORT_CONFIG__PUBLISH_MODE__HOST;
    web.task.n_networks = 0;
    assert_int_equal(update()->spec->endpoint->ports[0]->publish_mode, DOCKER__SWARMKIT__V1__PORT_CONFIG__PUBLISH_MODE__HOST);
}

static void secret_is_named_as_it_is(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__CreateSecretRequest request = DOCKER__SWARMKIT__V1__CREATE_SECRET_REQUEST__INIT;
    Docker__Swarmkit__V1__SecretSpec spec = DOCKER__SWARMKIT__V1__SECRET_SPEC__INIT;
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    Docker__Swarmkit__V1__SecretReference reference = DOCKER__SWARMKIT__V1__SECRET_REFERENCE__INIT, *list[] = {&reference};
    Docker__Swarmkit__V1__FileTarget file = DOCKER__SWARMKIT__V1__FILE_TARGET__INIT;
    char secret_id[32];
    annotations.name = CONSTANT("key");
    spec.annotations = &annotations;
    spec.data = (ProtobufCBinaryData){1, (uint8_t *)CONSTANT("x")};
    request.spec = &spec;
    snprintf(secret_id, sizeof secret_id, "%s", do_call(&asked, CreateSecret, &request)->secret->id);
    reference.secret_id = secret_id;
    reference.secret_name = CONSTANT("lock");
    reference.target_case = DOCKER__SWARMKIT__V1__SECRET_REFERENCE__TARGET_FILE;
    reference.file = &file;
    file.name = CONSTANT("key");
    web.container.secrets = list;
    web.container.n_secrets = 1;
    web_refused(&asked, &web, ERR_INVALID, 3, "secret not found: lock");
    reference.secret_name = CONSTANT("key");
    web_create(&asked, &web, id);
}

static void removed_service_is_gone(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__RemoveServiceRequest request = DOCKER__SWARMKIT__V1__REMOVE_SERVICE_REQUEST__INIT;
    web_create(&asked, &web, id);
    assert_refused(&asked, RemoveService, &request, ERR_INVALID, 3, "invalid argument");
    request.service_id = id;
    (void)do_call(&asked, RemoveService, &request);
    assert_null(stored());
    char text[64];
    snprintf(text, sizeof text, "service %.32s not found", id);
    assert_refused(&asked, RemoveService, &request, ERR_NOT_FOUND, 5, text);
}

static void lost_leadership_is_told_as_swarmkit_does(void **state)
{
    (void)state;
    assert_true(control_call(asked.control, METHOD_Control_CreateService, &web.create.base, on_answer, &asked));
    world_run(&asked.world);
    world_lose(&asked.world, ERR_CANCELED);
    assert_int_equal(asked.answers, 2);
    assert_int_equal(asked.err.code, ERR_CANCELED);
    assert_int_equal(asked.grpc_status, 2);
    assert_int_equal(store_count(asked.world.store, STORE_SERVICE, STORE_ALL, NULL), 0);
}

static void what_is_too_large_is_refused(void **state)
{
    (void)state;
    static char text[1600 * 1024];
    memset(text, 'x', sizeof text - 1);
    char *env[] = {text};
    web.container.env = env;
    web.container.n_env = 1;
    web_refused(&asked, &web, ERR_LIMIT, 2, "raft: raft message is too large and can't be sent");
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(created_service_has_an_id_a_spec_and_version_zero_of_it),
        test(service_has_its_endpoint_from_the_beginning),
        test(name_is_taken_in_any_case),
        test(update_keeps_the_spec_before),
        test(update_is_of_the_version_that_is_there),
        test(update_names_its_service_and_version),
        test(update_is_checked_as_creation_is),
        test(mode_and_name_stay),
        test(networks_beside_the_tasks_do_not_change),
        test(rollback_takes_the_spec_before),
        test(rollback_to_what_is_gone_is_refused),
        test(job_is_done_again_and_never_rolled_back),
        test(ports_of_other_services_are_taken),
        test(service_of_dockers_moves_its_port_to_the_nodes),
        test(secret_is_named_as_it_is),
        test(removed_service_is_gone),
        test(lost_leadership_is_told_as_swarmkit_does),
        test(what_is_too_large_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
