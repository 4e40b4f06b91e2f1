/* tests/unit/agent/test_container_document.c */
#include "agent/container_document.h"

#include <stdlib.h>

#include "base/json.h"
#include "proto/swarmkit/objects.pb-c.h"
#include "runtime/document.h"
#include "runtime/image/image.h"
#include "tests/unit/test.h"

#define INIT(type, name) Docker__Swarmkit__V1__##type name

/* One task with a spec that tests change. Strings are literals: nothing here is freed. */
struct fixture {
    INIT(Task, task);
    INIT(TaskSpec, spec);
    INIT(ContainerSpec, container);
    INIT(Annotations, service);
    struct image image;
    struct container_node node;
    struct container_facts facts;
    cJSON *json;
    struct arena arena;
    struct document document;
};

static char *word(const char *text)
{
    return (char *)(uintptr_t)text;
}

static char **words(const char *const *texts)
{
    return (char **)(uintptr_t)texts;
}

static void set_up(struct fixture *f)
{
    static const char *const entrypoint[] = {"/entry"}, *const cmd[] = {"serve"}, *const env[] = {"PATH=/bin", "A=image", "GONE=1"},
                             *const volumes[] = {"/data"};
    static const struct image_layer layers[] = {{"sha256:2", "/l/2"}, {"sha256:1", "/l/1"}};
    static const struct image_label labels[] = {{"from", "image"}};
    memset(f, 0, sizeof *f);
    docker__swarmkit__v1__task__init(&f->task);
    docker__swarmkit__v1__task_spec__init(&f->spec);
    docker__swarmkit__v1__container_spec__init(&f->container);
    docker__swarmkit__v1__annotations__init(&f->service);
    f->task.id = word("t1");
    f->task.service_id = word("s1");
    f->task.node_id = word("n1");
    f->task.slot = 2;
    f->task.spec = &f->spec;
    f->task.service_annotations = &f->service;
    f->service.name = word("web");
    f->spec.runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER;
    f->spec.container = &f->container;
    f->container.image = word("busybox");
    f->image = (struct image){.id = "sha256:abc", .layers = layers, .layer_count = 2};
    f->image.config = (struct image_config){.entrypoint = {entrypoint, 1},
                                            .cmd = {cmd, 1},
                                            .env = {env, 3},
                                            .volumes = {volumes, 1},
                                            .working_dir = "/srv",
                                            .user = "app",
                                            .stop_signal = "SIGINT",
                                            .labels = labels,
                                            .label_count = 1};
    f->node = (struct container_node){"n1", "host1", "x86_64", "linux"};
    f->facts = (struct container_facts){.node = &f->node, .container_id = "c1", .isolation = ISOLATION_PROCESS, .created_wall_ns = 5};
}

static void tear_down(struct fixture *f)
{
    cJSON_Delete(f->json);
    arena_deinit(&f->arena);
}

/* Make it, and let the runtime read it. */
static const struct document *made(struct fixture *f)
{
    cJSON_Delete(steal(&f->json));
    assert_ok(container_document(&f->task, &f->image, &f->facts, &f->json, err));
    assert_ok(document_parse(f->json, &f->arena, &f->document, err));
    return &f->document;
}

#define refused(f, code, message)                                                                                                          \
    do {                                                                                                                                   \
        assert_fails(container_check(&(f)->task, &(f)->node, err), code, message);                                                         \
        assert_fails(container_document(&(f)->task, &(f)->image, &(f)->facts, &(f)->json, err), code, message);                            \
    } while (0)

static void plain_task_is_golden(void **state)
{
    static const char golden[] =
        "{\"Owner\":\"skep\",\"SchemaVersion\":{\"Major\":2,\"Minor\":1},\"ShouldTerminateOnLastHandleClosed\":false,"
        "\"Container\":{\"Storage\":{\"Layers\":[{\"Id\":\"sha256:2\",\"Path\":\"/l/2\"},{\"Id\":\"sha256:1\",\"Path\":\"/l/1\"}]}},"
        "\"Skep\":{\"Name\":\"web.2.t1\",\"Labels\":{\"from\":\"image\",\"com.docker.swarm.task\":\"\",\"com.docker.swarm.task.id\":\"t1\","
        "\"com.docker.swarm.task.name\":\"web.2.t1\",\"com.docker.swarm.node.id\":\"n1\",\"com.docker.swarm.service.id\":\"s1\","
        "\"com.docker.swarm.service.name\":\"web\"},\"Image\":{\"Reference\":\"busybox:latest\",\"Id\":\"sha256:abc\"},"
        "\"Isolation\":\"process\",\"CreatedWallNs\":5,\"StopSignal\":\"SIGINT\",\"StopGraceNs\":10000000000,"
        "\"Process\":{\"CommandArgs\":[\"/entry\",\"serve\"],\"Environment\":{\"PATH\":\"/bin\",\"A\":\"image\",\"GONE\":\"1\"},"
        "\"WorkingDirectory\":\"/srv\",\"User\":\"app\",\"EmulateConsole\":false,\"CreateStdInPipe\":false},"
        "\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"\",\"Target\":\"/data\"}],\"Files\":[],\"Network\":{\"Mode\":\"bridge\"},"
        "\"Linux\":{\"ReadOnlyRoot\":false,\"Init\":false}}}";
    struct fixture f;
    (void)state;
    set_up(&f);
    made(&f);
    cleanup_free char *text = json_print(f.json);
    assert_string_equal(text, golden);
    tear_down(&f);
}

static void command_args_and_environment_merge_as_docker_does(void **state)
{
    static const char *const command[] = {"/own"}, *const args[] = {"a", "b"}, *const env[] = {"A={{.Task.Slot}}", "GONE", "NEW=x=y"};
    struct fixture f;
    (void)state;
    set_up(&f);
    f.container.args = words(args);
    f.container.n_args = 2;
    assert_int_equal(made(&f)->process.args.count, 3);
    assert_string_equal(f.document.process.args.items[0], "/entry");
    tear_down(&f);
    set_up(&f);
    f.container.command = words(command);
    f.container.n_command = 1;
    f.container.env = words(env);
    f.container.n_env = 3;
    f.container.user = word("1000");
    assert_int_equal(made(&f)->process.args.count, 1); /* the image's cmd belongs to its entrypoint */
    assert_string_equal(f.document.process.user, "1000");
    const cJSON *environment = json_object(json_object(json_object(f.json, "Skep"), "Process"), "Environment");
    assert_string_equal(json_string(environment, "A", ""), "2");
    assert_string_equal(json_string(environment, "NEW", ""), "x=y");
    assert_null(json_string(environment, "GONE", NULL));
    tear_down(&f);
}

static void limits_are_docker_s(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    INIT(ResourceRequirements, resources) = DOCKER__SWARMKIT__V1__RESOURCE_REQUIREMENTS__INIT;
    INIT(Resources, limits) = DOCKER__SWARMKIT__V1__RESOURCES__INIT;
    Google__Protobuf__Int64Value swap = GOOGLE__PROTOBUF__INT64_VALUE__INIT;
    limits.memory_bytes = 64 << 20;
    limits.nano_cpus = 500000000;
    swap.value = 1 << 20;
    resources.limits = &limits;
    resources.swap_bytes = &swap;
    f.spec.resources = &resources;
    f.container.pidslimit = 9;
    made(&f);
    assert_int_equal(f.document.linux_.memory_bytes, 64 << 20);
    assert_int_equal(f.document.linux_.memory_swap_bytes, 65 << 20);
    assert_int_equal(f.document.linux_.cpu_nano, 500000000);
    assert_int_equal(f.document.linux_.pids_limit, 9);
    tear_down(&f);
}

static void host_ports_are_published_ingress_ones_are_not(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    INIT(Endpoint, endpoint) = DOCKER__SWARMKIT__V1__ENDPOINT__INIT;
    INIT(PortConfig, ingress) = DOCKER__SWARMKIT__V1__PORT_CONFIG__INIT;
    INIT(PortConfig, host) = DOCKER__SWARMKIT__V1__PORT_CONFIG__INIT;
    INIT(PortConfig, *ports[]) = {&ingress, &host};
    ingress.target_port = 80;
    host.target_port = 53;
    host.published_port = 5353;
    host.protocol = DOCKER__SWARMKIT__V1__PORT_CONFIG__PROTOCOL__UDP;
    host.publish_mode = DOCKER__SWARMKIT__V1__PORT_CONFIG__PUBLISH_MODE__HOST;
    endpoint.ports = ports;
    endpoint.n_ports = 2;
    f.task.endpoint = &endpoint;
    assert_int_equal(made(&f)->network.port_count, 1);
    assert_true(f.document.network.ports[0].is_udp);
    assert_int_equal(f.document.network.ports[0].published_port, 5353);
    tear_down(&f);
}

static void mounts_are_checked_in_dockerd_s_words(void **state)
{
    static const struct {
        int type;
        const char *source, *target, *message;
    } rows[] = {
        {0, "/a", "b", "invalid mount target, must be an absolute path: b"},
        {0, "a", "/b", "invalid bind mount source, must be an absolute path: a"},
        {1, "/a", "/b", "invalid volume mount source, must not be an absolute path: /a"},
        {2, "a", "/b", "invalid tmpfs source, source must be empty"},
        {3, "", "/b", "invalid npipe source, source must not be empty"},
        {9, "", "/b", "invalid mount type: 9"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        INIT(Mount, mount) = DOCKER__SWARMKIT__V1__MOUNT__INIT;
        INIT(Mount, *mounts[]) = {&mount};
        set_up(&f);
        mount.type = (Docker__Swarmkit__V1__Mount__Type)rows[i].type;
        mount.source = word(rows[i].source);
        mount.target = word(rows[i].target);
        f.container.mounts = mounts;
        f.container.n_mounts = 1;
        refused(&f, ERR_INVALID, rows[i].message);
    }
}

static void mounts_and_files_are_read_by_the_runtime(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    INIT(Mount, tmpfs) = DOCKER__SWARMKIT__V1__MOUNT__INIT;
    INIT(Mount, volume) = DOCKER__SWARMKIT__V1__MOUNT__INIT;
    INIT(Mount__TmpfsOptions, options) = DOCKER__SWARMKIT__V1__MOUNT__TMPFS_OPTIONS__INIT;
    INIT(Mount, *mounts[]) = {&tmpfs, &volume};
    INIT(SecretReference, secret) = DOCKER__SWARMKIT__V1__SECRET_REFERENCE__INIT;
    INIT(SecretReference, *secrets[]) = {&secret};
    INIT(FileTarget, file) = DOCKER__SWARMKIT__V1__FILE_TARGET__INIT;
    options.options = word("[[\"noexec\"],[\"uid\",\"7\"]]");
    options.size_bytes = 1024;
    tmpfs.type = DOCKER__SWARMKIT__V1__MOUNT__TYPE__TMPFS;
    tmpfs.target = word("/tmp");
    tmpfs.tmpfs_options = &options;
    volume.type = DOCKER__SWARMKIT__V1__MOUNT__TYPE__VOLUME;
    volume.source = word("data-{{.Task.Slot}}");
    volume.target = word("/data"); /* the image's volume is not needed then */
    f.container.mounts = mounts;
    f.container.n_mounts = 2;
    file.name = word("password");
    file.uid = word("12");
    file.mode = 0400;
    secret.target_case = DOCKER__SWARMKIT__V1__SECRET_REFERENCE__TARGET_FILE;
    secret.file = &file;
    f.container.secrets = secrets;
    f.container.n_secrets = 1;
    assert_int_equal(made(&f)->mount_count, 2);
    assert_string_equal(f.document.mounts[0].options, "noexec,uid=7");
    assert_string_equal(f.document.mounts[1].source, "data-2");
    assert_string_equal(f.document.files[0].target, "/run/secrets/password");
    assert_int_equal(f.document.files[0].uid, 12);
    tear_down(&f);
}

static void a_windows_node_has_paths_and_pipes_of_windows(void **state)
{
    struct fixture f;
    INIT(Mount, pipe) = DOCKER__SWARMKIT__V1__MOUNT__INIT;
    INIT(Mount, *mounts[]) = {&pipe};
    INIT(SecretReference, secret) = DOCKER__SWARMKIT__V1__SECRET_REFERENCE__INIT;
    INIT(SecretReference, *secrets[]) = {&secret};
    INIT(FileTarget, file) = DOCKER__SWARMKIT__V1__FILE_TARGET__INIT;
    (void)state;
    set_up(&f);
    f.node.os = "windows";
    f.image.config.working_dir = NULL;
    pipe.type = DOCKER__SWARMKIT__V1__MOUNT__TYPE__NPIPE;
    pipe.source = pipe.target = word("\\\\.\\pipe\\docker_engine");
    file.name = word("password");
    secret.target_case = DOCKER__SWARMKIT__V1__SECRET_REFERENCE__TARGET_FILE;
    secret.file = &file;
    f.container.mounts = mounts;
    f.container.n_mounts = 1;
    f.container.secrets = secrets;
    f.container.n_secrets = 1;
    assert_true(made(&f)->is_windows);
    assert_string_equal(f.document.process.working_dir, "C:\\");
    assert_int_equal(f.document.mount_count, 1);
    assert_int_equal(f.document.mounts[0].type, MOUNT_PIPE);
    assert_string_equal(f.document.files[0].target, "C:\\ProgramData\\Docker\\secrets\\password");
    tear_down(&f);
}

static void a_config_without_a_directory_is_in_the_root(void **state)
{
    struct fixture f;
    INIT(ConfigReference, config) = DOCKER__SWARMKIT__V1__CONFIG_REFERENCE__INIT;
    INIT(ConfigReference, *configs[]) = {&config};
    INIT(FileTarget, file) = DOCKER__SWARMKIT__V1__FILE_TARGET__INIT;
    (void)state;
    set_up(&f);
    f.node.os = "windows";
    f.image.config.working_dir = NULL;
    file.name = word("app.ini");
    config.target_case = DOCKER__SWARMKIT__V1__CONFIG_REFERENCE__TARGET_FILE;
    config.file = &file;
    f.container.configs = configs;
    f.container.n_configs = 1;
    assert_string_equal(made(&f)->files[0].target, "C:\\app.ini");
    file.name = word("/app.ini");
    assert_string_equal(made(&f)->files[0].target, "C:\\app.ini");
    tear_down(&f);
}

static void escaped_arguments_are_those_of_an_image_of_windows(void **state)
{
    struct fixture f;
    char *args[] = {word("x")};
    (void)state;
    set_up(&f);
    f.image.config.is_args_escaped = true;
    assert_false(made(&f)->windows.is_command_line); /* of Linux it says nothing */
    f.node.os = "windows";
    f.image.config.working_dir = NULL;
    assert_true(made(&f)->windows.is_command_line);
    f.container.args = args;
    f.container.n_args = 1;
    assert_false(made(&f)->windows.is_command_line); /* what a service says are arguments */
    f.container.n_args = 0;
    f.container.command = args;
    f.container.n_command = 1;
    assert_false(made(&f)->windows.is_command_line);
    tear_down(&f);
}

static void a_credential_spec_is_for_windows(void **state)
{
    struct fixture f;
    INIT(Privileges, privileges) = DOCKER__SWARMKIT__V1__PRIVILEGES__INIT;
    INIT(Privileges__CredentialSpec, spec) = DOCKER__SWARMKIT__V1__PRIVILEGES__CREDENTIAL_SPEC__INIT;
    (void)state;
    set_up(&f);
    privileges.credential_spec = &spec;
    spec.source_case = DOCKER__SWARMKIT__V1__PRIVILEGES__CREDENTIAL_SPEC__SOURCE_FILE;
    spec.file = word("web.json");
    f.container.privileges = &privileges;
    refused(&f, ERR_UNSUPPORTED, "credential specs are for containers of Windows");
    f.node.os = "windows";
    f.image.config.working_dir = NULL;
    f.image.os_version = "10.0.20348.1";
    assert_string_equal(made(&f)->windows.credential_spec, "file://web.json");
    assert_string_equal(f.document.image_os_version, "10.0.20348.1");
    tear_down(&f);
    f.json = NULL;
    spec.source_case = DOCKER__SWARMKIT__V1__PRIVILEGES__CREDENTIAL_SPEC__SOURCE_REGISTRY;
    spec.registry = word("web");
    assert_ok(container_document(&f.task, &f.image, &f.facts, &f.json, err));
    assert_string_equal(json_string(json_object(json_object(f.json, "Skep"), "Windows"), "CredentialSpec", ""), "registry://web");
    cJSON_Delete(f.json);
}

static void what_is_not_here_is_refused_by_name(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    INIT(NetworkAttachment, attachment) = DOCKER__SWARMKIT__V1__NETWORK_ATTACHMENT__INIT;
    INIT(NetworkAttachment, *attachments[]) = {&attachment};
    INIT(Network, network) = DOCKER__SWARMKIT__V1__NETWORK__INIT;
    INIT(NetworkSpec, spec) = DOCKER__SWARMKIT__V1__NETWORK_SPEC__INIT;
    INIT(Annotations, annotations) = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    INIT(Annotations__LabelsEntry, label) = DOCKER__SWARMKIT__V1__ANNOTATIONS__LABELS_ENTRY__INIT;
    INIT(Annotations__LabelsEntry, *labels[]) = {&label};
    INIT(GenericRuntimeSpec, generic) = DOCKER__SWARMKIT__V1__GENERIC_RUNTIME_SPEC__INIT;
    annotations.name = word("ingress");
    spec.annotations = &annotations;
    network.spec = &spec;
    attachment.network = &network;
    f.task.networks = attachments;
    f.task.n_networks = 1;
    refused(&f, ERR_UNSUPPORTED, "network ingress: this node has only the networks host, none and bridge");
    label.key = word("com.docker.swarm.predefined");
    label.value = word("true");
    annotations.labels = labels;
    annotations.n_labels = 1;
    annotations.name = word("host");
    assert_int_equal(made(&f)->network.mode, NETWORK_HOST);
    f.task.n_networks = 0;
    f.container.image = word("");
    refused(&f, ERR_INVALID, "dockerexec: image required");
    f.spec.runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_GENERIC;
    f.spec.generic = &generic;
    generic.kind = word("wasm");
    refused(&f, ERR_UNSUPPORTED, "unsupported runtime type: \"wasm\"");
    tear_down(&f);
}

static void fields_are_named_in_errors(void **state)
{
    static const char *const bad_env[] = {"A=1", "B={{.Nope}}"}, *const bad_host[] = {"10.0.0.1"};
    struct fixture f;
    INIT(Driver, driver) = DOCKER__SWARMKIT__V1__DRIVER__INIT;
    (void)state;
    set_up(&f);
    f.container.env = words(bad_env);
    f.container.n_env = 2;
    refused(&f, ERR_INVALID, "env[1]: template: line 1: there is no field Nope");
    f.container.n_env = 0;
    f.container.hosts = words(bad_host);
    f.container.n_hosts = 1;
    refused(&f, ERR_INVALID, "hosts[0]: not \"IP name\"");
    f.container.n_hosts = 0;
    driver.name = word("syslog");
    f.task.log_driver = &driver;
    refused(&f, ERR_UNSUPPORTED, "logger: no log driver named 'syslog' is registered");
    f.task.log_driver = NULL;
    f.image.config.cmd.count = f.image.config.entrypoint.count = 0;
    assert_fails(container_document(&f.task, &f.image, &f.facts, &f.json, err), ERR_INVALID, "no command specified");
}

static void names(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    f.task.slot = 0;
    assert_string_equal(container_name(&f.task, &f.arena), "web.n1.t1");
    f.container.image = word("docker.io/library/nginx:1@sha256:0123456789012345678901234567890123456789012345678901234567890123");
    assert_string_equal(container_image_name(&f.task, &f.arena),
                        "nginx@sha256:0123456789012345678901234567890123456789012345678901234567890123");
    Google__Protobuf__Duration grace = GOOGLE__PROTOBUF__DURATION__INIT;
    assert_int_equal(container_stop_grace_ms(&f.task), 10000);
    grace.seconds = 2;
    grace.nanos = 500000000;
    f.container.stop_grace_period = &grace;
    assert_int_equal(container_stop_grace_ms(&f.task), 2500);
    tear_down(&f);
}

/* Before anything is made of them: a label is looked for among all the others. */
static void labels_without_number_are_refused(void **state)
{
    enum { COUNT = 20000 };
    static Docker__Swarmkit__V1__ContainerSpec__LabelsEntry labels[COUNT], *list[COUNT];
    static Docker__Swarmkit__V1__ContainerSpec__SysctlsEntry sysctls[COUNT], *sysctl_list[COUNT];
    static char names[COUNT][8];
    struct fixture f;
    (void)state;
    set_up(&f);
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "l%d", i);
        docker__swarmkit__v1__container_spec__labels_entry__init(&labels[i]);
        docker__swarmkit__v1__container_spec__sysctls_entry__init(&sysctls[i]);
        labels[i].key = sysctls[i].key = names[i];
        list[i] = &labels[i];
        sysctl_list[i] = &sysctls[i];
    }
    f.container.labels = list;
    f.container.n_labels = COUNT;
    refused(&f, ERR_LIMIT, "labels: 2000");
    f.container.n_labels = 0;
    f.container.sysctls = sysctl_list;
    f.container.n_sysctls = COUNT;
    refused(&f, ERR_LIMIT, "sysctls: 20000 of them, at most 4096");
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_task_is_golden),
        cmocka_unit_test(command_args_and_environment_merge_as_docker_does),
        cmocka_unit_test(limits_are_docker_s),
        cmocka_unit_test(host_ports_are_published_ingress_ones_are_not),
        cmocka_unit_test(mounts_are_checked_in_dockerd_s_words),
        cmocka_unit_test(mounts_and_files_are_read_by_the_runtime),
        cmocka_unit_test(a_windows_node_has_paths_and_pipes_of_windows),
        cmocka_unit_test(a_config_without_a_directory_is_in_the_root),
        cmocka_unit_test(escaped_arguments_are_those_of_an_image_of_windows),
        cmocka_unit_test(a_credential_spec_is_for_windows),
        cmocka_unit_test(what_is_not_here_is_refused_by_name),
        cmocka_unit_test(fields_are_named_in_errors),
        cmocka_unit_test(names),
        cmocka_unit_test(labels_without_number_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
