/* What no service may be, rule by rule: each refusal's code and words, and that nothing came of it. */
#include <math.h>

#include "tests/unit/manager/control/fixture.h"

struct checked {
    struct asked asked;
    struct web web;
};

static struct checked checked;

static int set_up(void **state)
{
    (void)state;
    begin(&checked.asked);
    bootstrap(&checked.asked);
    web_init(&checked.web, "web");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    end(&checked.asked);
    return 0;
}

#define refused(code, grpc_status, text) web_refused(&checked.asked, &checked.web, code, grpc_status, text)
#define invalid(text)                    refused(ERR_INVALID, 3, text)
#define accepted()                       ((void)do_call(&checked.asked, CreateService, &checked.web.create))

static void missing_parts_are_refused(void **state)
{
    (void)state;
    checked.web.create.spec = NULL;
    invalid("invalid argument");
    web_init(&checked.web, "web");
    checked.web.spec.annotations = NULL;
    invalid("meta: name must be provided");
    web_init(&checked.web, "web");
    checked.web.spec.task = NULL;
    invalid("TaskSpec: missing runtime");
    web_init(&checked.web, "web");
    checked.web.task.runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME__NOT_SET;
    invalid("TaskSpec: missing runtime");
    web_init(&checked.web, "web");
    checked.web.spec.mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE__NOT_SET;
    invalid("Unrecognized service mode");
}

static void labels_of_ours_must_be_readable(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__Annotations__LabelsEntry label = DOCKER__SWARMKIT__V1__ANNOTATIONS__LABELS_ENTRY__INIT, *labels[] = {&label};
    label.key = CONSTANT("skep.lost-after");
    label.value = CONSTANT("ten minutes");
    checked.web.annotations.labels = labels;
    checked.web.annotations.n_labels = 1;
    invalid("label skep.lost-after");
    label.value = CONSTANT("10m");
    accepted();
}

static void names_are_dns_labels(void **state)
{
    (void)state;
    const char *bad[] = {"-web", "web-", "_", "we b", "web.1", "w\xc3\xa9"};
    const char *good[] = {"w", "Web_1-2", "0", "a--b", "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        checked.web.annotations.name = CONSTANT(bad[i]);
        invalid("name must be valid as a DNS name component");
    }
    checked.web.annotations.name = CONSTANT("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl");
    invalid("name must be 63 characters or fewer");
    checked.web.annotations.name = CONSTANT("");
    invalid("meta: name must be provided");
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        checked.web.annotations.name = CONSTANT(good[i]);
        accepted();
    }
}

static void texts_are_utf8_and_numbers_are_known(void **state)
{
    (void)state;
    const char *bad[] = {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\xe2\x82", "\x80"};
    const char *good[] = {"", "\xe2\x82\xac", "\xf0\x9f\x90\x9d", "\xc3\xa9", "\x7f"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        checked.web.container.hostname = CONSTANT(bad[i]);
        invalid("ContainerSpec.hostname is not UTF-8");
    }
    checked.web.container.hostname = CONSTANT("");
    char *env[] = {CONSTANT("A=1"), CONSTANT("B=\xff")};
    checked.web.container.env = env;
    checked.web.container.n_env = 2;
    invalid("ContainerSpec.env is not UTF-8");
    checked.web.container.n_env = 0;
    Docker__Swarmkit__V1__RestartPolicy restart = DOCKER__SWARMKIT__V1__RESTART_POLICY__INIT;
    restart.condition = (Docker__Swarmkit__V1__RestartPolicy__RestartCondition)77;
    checked.web.task.restart = &restart;
    invalid("RestartPolicy.condition has no value 77");
    checked.web.task.restart = NULL;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char name[8];
        snprintf(name, sizeof name, "web%zu", i);
        checked.web.annotations.name = name;
        checked.web.container.hostname = CONSTANT(good[i]);
        accepted();
    }
}

static void resources_have_a_least(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__ResourceRequirements requirements = DOCKER__SWARMKIT__V1__RESOURCE_REQUIREMENTS__INIT;
    Docker__Swarmkit__V1__Resources resources = DOCKER__SWARMKIT__V1__RESOURCES__INIT;
    checked.web.task.resources = &requirements;
    requirements.limits = &resources;
    resources.nano_cpus = 999999;
    invalid("invalid cpu value 0.000999999: Must be at least 0.001");
    resources.nano_cpus = 10000;
    invalid("invalid cpu value 1e-05: Must be at least 0.001");
    resources.nano_cpus = -1;
    invalid("invalid cpu value -1e-09: Must be at least 0.001");
    resources.nano_cpus = 0;
    resources.memory_bytes = 4194303;
    invalid("invalid memory value 4194303: Must be at least 4MiB");
    requirements.limits = NULL;
    requirements.reservations = &resources;
    invalid("invalid memory value 4194303: Must be at least 4MiB");
    resources.memory_bytes = 4194304;
    resources.nano_cpus = 1000000;
    accepted();
}

static void restarts_are_not_before_they_were(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__RestartPolicy restart = DOCKER__SWARMKIT__V1__RESTART_POLICY__INIT;
    struct Google__Protobuf__Duration negative = duration_of(0, -1), huge = duration_of(INT64_MAX, 0), torn = duration_of(1, -1);
    checked.web.task.restart = &restart;
    restart.delay = &negative;
    invalid("TaskSpec: restart-delay cannot be negative");
    restart.delay = &huge;
    invalid("TaskSpec: restart-delay is no duration");
    restart.delay = &torn;
    invalid("TaskSpec: restart-delay is no duration");
    restart.delay = NULL;
    restart.window = &negative;
    invalid("TaskSpec: restart-window cannot be negative");
}

static void updates_have_a_sense(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__UpdateConfig update = DOCKER__SWARMKIT__V1__UPDATE_CONFIG__INIT;
    struct Google__Protobuf__Duration negative = duration_of(-1, 0);
    const float bad[] = {-0.1f, 1.1f, (float)NAN, (float)INFINITY};
    checked.web.spec.update = &update;
    update.delay = &negative;
    invalid("TaskSpec: update-delay cannot be negative");
    update.delay = NULL;
    update.monitor = &negative;
    invalid("TaskSpec: update-monitor cannot be negative");
    update.monitor = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        update.max_failure_ratio = bad[i];
        invalid("TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1");
    }
    checked.web.spec.update = NULL;
    checked.web.spec.rollback = &update;
    invalid("TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1");
    update.max_failure_ratio = 1;
    accepted();
    struct store_cursor cursor;
    store_find(checked.asked.world.store, STORE_SERVICE, STORE_BY_NAME, "web", &cursor);
    const Docker__Swarmkit__V1__Service *service = (const void *)store_next(&cursor);
    assert_non_null(service->spec->rollback->delay); /* as SwarmKit always sends it */
}

static void placement_is_for_others_to_judge(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__Placement placement = DOCKER__SWARMKIT__V1__PLACEMENT__INIT;
    char *constraints[] = {CONSTANT("node.role==manager"), CONSTANT("node.role=manager")};
    checked.web.task.placement = &placement;
    placement.constraints = constraints;
    placement.n_constraints = 2;
    refused(ERR_INVALID, 2, "constraint expected one operator from ==, !=");
    placement.n_constraints = 1;
    accepted();
}

static void containers_have_images_and_templates_that_expand(void **state)
{
    (void)state;
    checked.web.container.image = CONSTANT("");
    invalid("ContainerSpec: image reference must be provided");
    checked.web.container.image = CONSTANT("no image");
    invalid("ContainerSpec: \"no image\" is not a valid repository/tag");
    checked.web.container.image = CONSTANT("busybox");
    checked.web.container.hostname = CONSTANT("{{");
    invalid("hostname: the template ends early");
}

static void mounts_are_each_somewhere_else(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__Mount a = DOCKER__SWARMKIT__V1__MOUNT__INIT, b = DOCKER__SWARMKIT__V1__MOUNT__INIT, *mounts[] = {&a, &b};
    checked.web.container.mounts = mounts;
    checked.web.container.n_mounts = 2;
    a.target = CONSTANT("/data");
    b.target = CONSTANT("/data");
    invalid("ContainerSpec: duplicate mount point: /data");
    b.target = CONSTANT("/other");
    b.type = DOCKER__SWARMKIT__V1__MOUNT__TYPE__CLUSTER;
    refused(ERR_UNSUPPORTED, 12, "mount /other: this cluster has no cluster volumes (CSI) yet; mount a volume of the node's instead");
    b.type = DOCKER__SWARMKIT__V1__MOUNT__TYPE__VOLUME;
    accepted();
}

static void mounts_have_a_most(void **state)
{
    (void)state;
    static Docker__Swarmkit__V1__Mount mounts[CONTAINER_MOUNTS_COUNT + 1], *list[CONTAINER_MOUNTS_COUNT + 1];
    for (size_t i = 0; i <= CONTAINER_MOUNTS_COUNT; i++) {
        docker__swarmkit__v1__mount__init(&mounts[i]);
        list[i] = &mounts[i];
    }
    checked.web.container.mounts = list;
    checked.web.container.n_mounts = CONTAINER_MOUNTS_COUNT + 1;
    invalid("ContainerSpec: 257 mounts: more than 256");
}

static void health_checks_do_not_spin(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__HealthConfig health = DOCKER__SWARMKIT__V1__HEALTH_CONFIG__INIT;
    struct Google__Protobuf__Duration short_one = duration_of(0, 999999), none = duration_of(0, 0), least = duration_of(0, 1000000);
    checked.web.container.healthcheck = &health;
    struct {
        struct Google__Protobuf__Duration **place;
        const char *text;
    } fields[] = {{&health.interval, "ContainerSpec: Interval in HealthConfig cannot be less than 1ms"},
                  {&health.timeout, "ContainerSpec: Timeout in HealthConfig cannot be less than 1ms"},
                  {&health.start_period, "ContainerSpec: StartPeriod in HealthConfig cannot be less than 1ms"},
                  {&health.start_interval, "ContainerSpec: StartInterval in HealthConfig cannot be less than 1ms"}};
    for (size_t i = 0; i < 4; i++) {
        *fields[i].place = &short_one;
        invalid(fields[i].text);
        *fields[i].place = i % 2 ? &none : &least;
    }
    health.retries = -1;
    invalid("ContainerSpec: Retries in HealthConfig cannot be negative");
    health.retries = 0;
    accepted();
}

static void secret_references_are_whole_and_apart(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__SecretReference a = DOCKER__SWARMKIT__V1__SECRET_REFERENCE__INIT, b = a, *list[] = {&a, &b};
    Docker__Swarmkit__V1__FileTarget file = DOCKER__SWARMKIT__V1__FILE_TARGET__INIT;
    checked.web.container.secrets = list;
    checked.web.container.n_secrets = 1;
    invalid("malformed secret reference");
    a.secret_id = CONSTANT("s1");
    invalid("malformed secret reference");
    a.secret_name = CONSTANT("one");
    invalid("malformed secret reference, no target provided");
    a.target_case = DOCKER__SWARMKIT__V1__SECRET_REFERENCE__TARGET_FILE;
    a.file = &file;
    invalid("malformed file secret reference, invalid target file name provided");
    file.name = CONSTANT("pass");
    b = a;
    b.secret_name = CONSTANT("two");
    checked.web.container.n_secrets = 2;
    invalid("secret references 'one' and 'two' have a conflicting target: 'pass'");
    Docker__Swarmkit__V1__FileTarget other = file;
    other.name = CONSTANT("word");
    b.file = &other;
    invalid("secrets not found: one, two");
    checked.web.container.n_secrets = 1;
    invalid("secret not found: one");
}

static void config_references_are_whole_and_apart(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__ConfigReference a = DOCKER__SWARMKIT__V1__CONFIG_REFERENCE__INIT, b = a, *list[] = {&a, &b};
    Docker__Swarmkit__V1__FileTarget file = DOCKER__SWARMKIT__V1__FILE_TARGET__INIT;
    Docker__Swarmkit__V1__RuntimeTarget runtime = DOCKER__SWARMKIT__V1__RUNTIME_TARGET__INIT;
    Docker__Swarmkit__V1__Privileges privileges = DOCKER__SWARMKIT__V1__PRIVILEGES__INIT;
    Docker__Swarmkit__V1__Privileges__CredentialSpec credential = DOCKER__SWARMKIT__V1__PRIVILEGES__CREDENTIAL_SPEC__INIT;
    checked.web.container.configs = list;
    checked.web.container.n_configs = 1;
    invalid("malformed config reference");
    a.config_id = CONSTANT("c1");
    a.config_name = CONSTANT("one");
    invalid("malformed config reference, no target provided");
    a.target_case = DOCKER__SWARMKIT__V1__CONFIG_REFERENCE__TARGET_FILE;
    a.file = &file;
    invalid("malformed file config reference, invalid target file name provided");
    file.name = CONSTANT("f");
    b = a;
    b.config_name = CONSTANT("two");
    checked.web.container.n_configs = 2;
    invalid("config references 'one' and 'two' have a conflicting target: 'f'");
    checked.web.container.n_configs = 1;
    credential.source_case = DOCKER__SWARMKIT__V1__PRIVILEGES__CREDENTIAL_SPEC__SOURCE_CONFIG;
    credential.config = CONSTANT("c1");
    privileges.credential_spec = &credential;
    checked.web.container.privileges = &privileges;
    invalid("CredentialSpec references config 'c1', but that config isn't in config references with RuntimeTarget");
    a.target_case = DOCKER__SWARMKIT__V1__CONFIG_REFERENCE__TARGET_RUNTIME;
    a.runtime = &runtime;
    invalid("config not found: one");
}

static void modes_have_their_rules(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__ReplicatedJob job = DOCKER__SWARMKIT__V1__REPLICATED_JOB__INIT;
    Docker__Swarmkit__V1__GlobalJob global = DOCKER__SWARMKIT__V1__GLOBAL_JOB__INIT;
    Docker__Swarmkit__V1__UpdateConfig update = DOCKER__SWARMKIT__V1__UPDATE_CONFIG__INIT;
    checked.web.replicated.replicas = UINT64_MAX;
    invalid("Number of replicas must be non-negative");
    checked.web.replicated.replicas = 1000001;
    invalid("1000001 tasks in one service: more than 1000000");
    checked.web.spec.mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED_JOB;
    checked.web.spec.replicated_job = &job;
    job.max_concurrent = (uint64_t)INT64_MAX + 1;
    invalid("Maximum concurrent jobs must not be negative");
    job.max_concurrent = 1;
    job.total_completions = UINT64_MAX;
    invalid("Total completed jobs must not be negative");
    job.total_completions = 3;
    checked.web.spec.update = &update;
    invalid("Jobs may not have an update config");
    checked.web.spec.mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_GLOBAL_JOB;
    checked.web.spec.global_job = &global;
    invalid("Jobs may not have an update config");
    checked.web.spec.update = NULL;
    const Docker__Swarmkit__V1__CreateServiceResponse *response = do_call(&checked.asked, CreateService, &checked.web.create);
    assert_int_equal(response->service->job_status->job_iteration->index, 0);
    assert_int_equal(response->service->job_status->last_execution->seconds, 1790000000);
}

static void other_runtimes_have_their_rules(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__NetworkAttachmentSpec attachment = DOCKER__SWARMKIT__V1__NETWORK_ATTACHMENT_SPEC__INIT;
    Docker__Swarmkit__V1__GenericRuntimeSpec generic = DOCKER__SWARMKIT__V1__GENERIC_RUNTIME_SPEC__INIT;
    Google__Protobuf__Any payload = GOOGLE__PROTOBUF__ANY__INIT;
    checked.web.task.runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_ATTACHMENT;
    checked.web.task.attachment = &attachment;
    refused(ERR_UNSUPPORTED, 12, "RuntimeSpec: unimplemented runtime in service spec");
    checked.web.task.runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_GENERIC;
    checked.web.task.generic = &generic;
    generic.kind = CONSTANT("pl");
    invalid("Generic runtime: Invalid name \"pl\"");
    generic.kind = CONSTANT("Container");
    invalid("Generic runtime: \"Container\" is a reserved name");
    generic.kind = CONSTANT("plugin");
    invalid("Generic runtime is missing payload");
    generic.payload = &payload;
    invalid("Generic runtime is missing payload type");
    payload.type_url = CONSTANT("docker.plugin");
    invalid("Generic runtime has an empty payload");
    payload.value = (ProtobufCBinaryData){1, (uint8_t *)CONSTANT("x")};
    accepted();
}

static void ports_are_published_once_and_by_the_nodes(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__PortConfig a = DOCKER__SWARMKIT__V1__PORT_CONFIG__INIT, b, *ports[] = {&a, &b};
    a.target_port = 80;
    a.published_port = 8080;
    a.publish_mode = DOCKER__SWARMKIT__V1__PORT_CONFIG__PUBLISH_MODE__HOST;
    b = a;
    checked.web.endpoint.ports = ports;
    checked.web.endpoint.n_ports = 2;
    invalid("EndpointSpec: duplicate published ports provided");
    b.protocol = DOCKER__SWARMKIT__V1__PORT_CONFIG__PROTOCOL__UDP;
    b.publish_mode = DOCKER__SWARMKIT__V1__PORT_CONFIG__PUBLISH_MODE__INGRESS;
    checked.web.endpoint.mode = DOCKER__SWARMKIT__V1__ENDPOINT_SPEC__RESOLUTION_MODE__DNSRR;
    invalid("EndpointSpec: port published with ingress mode can't be used with dnsrr mode");
    checked.web.endpoint.mode = DOCKER__SWARMKIT__V1__ENDPOINT_SPEC__RESOLUTION_MODE__VIP;
    refused(ERR_UNSUPPORTED, 12, "--publish mode=host,target=80,published=8080");
    b.published_port = 0;
    refused(ERR_UNSUPPORTED, 12, "this cluster has no routing mesh (ingress mode) yet");
    b.publish_mode = DOCKER__SWARMKIT__V1__PORT_CONFIG__PUBLISH_MODE__HOST;
    b.target_port = 0;
    invalid("ports are from 1 to 65535");
    b.target_port = 80;
    b.published_port = 65536;
    invalid("ports are from 1 to 65535");
    b.published_port = 8080;
    accepted();
}

static void networks_are_those_of_the_nodes(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__NetworkAttachmentConfig attachment = DOCKER__SWARMKIT__V1__NETWORK_ATTACHMENT_CONFIG__INIT,
                                                  *list[] = {&attachment};
    Docker__Swarmkit__V1__Network network = DOCKER__SWARMKIT__V1__NETWORK__INIT;
    Docker__Swarmkit__V1__NetworkSpec spec = DOCKER__SWARMKIT__V1__NETWORK_SPEC__INIT;
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    network.id = CONSTANT("o1");
    network.spec = &spec;
    spec.annotations = &annotations;
    annotations.name = CONSTANT("over");
    do_create(&checked.asked.world, &network);
    network.id = CONSTANT("i1");
    annotations.name = CONSTANT("ingress");
    spec.ingress = true;
    do_create(&checked.asked.world, &network);
    checked.web.task.networks = list;
    checked.web.task.n_networks = 1;
    attachment.target = CONSTANT("nowhere");
    refused(ERR_NOT_FOUND, 5, "network nowhere not found");
    attachment.target = CONSTANT("o1");
    refused(ERR_UNSUPPORTED, 12, "network over: this cluster has no overlay networks yet; use the network host or bridge");
    attachment.target = CONSTANT("i1");
    invalid("Service cannot be explicitly attached to the ingress network \"ingress\"");
    checked.web.spec.networks = list; /* the deprecated place */
    checked.web.spec.n_networks = 1;
    checked.web.task.n_networks = 0;
    invalid("Service cannot be explicitly attached to the ingress network \"ingress\"");
    checked.web.spec.n_networks = 0;
    checked.web.task.n_networks = 1;
    attachment.target = network_id(&checked.asked, "host");
    accepted();
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(missing_parts_are_refused),
        test(labels_of_ours_must_be_readable),
        test(names_are_dns_labels),
        test(texts_are_utf8_and_numbers_are_known),
        test(resources_have_a_least),
        test(restarts_are_not_before_they_were),
        test(updates_have_a_sense),
        test(placement_is_for_others_to_judge),
        test(containers_have_images_and_templates_that_expand),
        test(mounts_are_each_somewhere_else),
        test(mounts_have_a_most),
        test(health_checks_do_not_spin),
        test(secret_references_are_whole_and_apart),
        test(config_references_are_whole_and_apart),
        test(modes_have_their_rules),
        test(other_runtimes_have_their_rules),
        test(ports_are_published_once_and_by_the_nodes),
        test(networks_are_those_of_the_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
