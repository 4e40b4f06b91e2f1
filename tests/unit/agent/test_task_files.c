/* tests/unit/agent/test_task_files.c */
#include "agent/task_files.h"

#include <stdlib.h>

#include "agent/assignments.h"
#include "base/json.h"
#include "base/mem.h"
#include "proto/message.h"
#include "proto/swarmkit/dispatcher.pb-c.h"
#include "tests/unit/test.h"

typedef Docker__Swarmkit__V1__Secret Secret;
typedef Docker__Swarmkit__V1__Config Config;

static const struct container_node node = {"node1", "host1", "x86_64", "linux"};

/* A task with one secret and one config, as a file each. */
struct world {
    Docker__Swarmkit__V1__Task task;
    Docker__Swarmkit__V1__TaskSpec task_spec;
    Docker__Swarmkit__V1__ContainerSpec spec;
    Docker__Swarmkit__V1__SecretReference secret, *secrets[1];
    Docker__Swarmkit__V1__ConfigReference config, *configs[1];
    Docker__Swarmkit__V1__FileTarget secret_file, config_file;
    char *env[1];
    struct assignments *assignments;
    cJSON *document;
};

#define CONSTANT(text) ((char *)(uintptr_t)(text))

static int begin(void **state)
{
    struct world *w = mem_alloc(sizeof *w);
    docker__swarmkit__v1__task__init(&w->task);
    docker__swarmkit__v1__task_spec__init(&w->task_spec);
    docker__swarmkit__v1__container_spec__init(&w->spec);
    docker__swarmkit__v1__secret_reference__init(&w->secret);
    docker__swarmkit__v1__config_reference__init(&w->config);
    docker__swarmkit__v1__file_target__init(&w->secret_file);
    docker__swarmkit__v1__file_target__init(&w->config_file);
    w->task.id = CONSTANT("task1");
    w->task.spec = &w->task_spec;
    w->task_spec.runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER;
    w->task_spec.container = &w->spec;
    w->secret.secret_id = CONSTANT("secret1");
    w->secret.secret_name = CONSTANT("password");
    w->secret.target_case = DOCKER__SWARMKIT__V1__SECRET_REFERENCE__TARGET_FILE;
    w->secret.file = &w->secret_file;
    w->secret_file.name = CONSTANT("pw");
    w->config.config_id = CONSTANT("config1");
    w->config.config_name = CONSTANT("settings");
    w->config.target_case = DOCKER__SWARMKIT__V1__CONFIG_REFERENCE__TARGET_FILE;
    w->config.file = &w->config_file;
    w->config_file.name = CONSTANT("/etc/settings");
    w->secrets[0] = &w->secret;
    w->configs[0] = &w->config;
    w->env[0] = CONSTANT("COLOUR=blue");
    w->spec.secrets = w->secrets;
    w->spec.configs = w->configs;
    w->spec.env = w->env;
    w->spec.n_secrets = w->spec.n_configs = w->spec.n_env = 1;
    w->assignments = assignments_new();
    w->document = cJSON_Parse("{\"Skep\":{\"Files\":[{\"Target\":\"/run/secrets/pw\"},{\"Target\":\"/etc/settings\"}]}}");
    *state = w;
    return 0;
}

static int end(void **state)
{
    struct world *w = *state;
    assignments_free(w->assignments);
    cJSON_Delete(w->document);
    free(w);
    return 0;
}

/* The manager's whole set of dependencies; a NULL is not assigned. */
static void assign(struct world *w, const char *secret_text, const char *config_text, bool is_template)
{
    Docker__Swarmkit__V1__AssignmentsMessage message = DOCKER__SWARMKIT__V1__ASSIGNMENTS_MESSAGE__INIT;
    Docker__Swarmkit__V1__AssignmentChange changes[2], *list[2];
    Docker__Swarmkit__V1__Assignment items[2];
    Docker__Swarmkit__V1__Driver golang = DOCKER__SWARMKIT__V1__DRIVER__INIT;
    Secret secret = DOCKER__SWARMKIT__V1__SECRET__INIT;
    Docker__Swarmkit__V1__SecretSpec secret_spec = DOCKER__SWARMKIT__V1__SECRET_SPEC__INIT;
    Config config = DOCKER__SWARMKIT__V1__CONFIG__INIT;
    Docker__Swarmkit__V1__ConfigSpec config_spec = DOCKER__SWARMKIT__V1__CONFIG_SPEC__INIT;
    golang.name = CONSTANT("golang");
    secret.id = CONSTANT("secret1");
    secret.spec = &secret_spec;
    config.id = CONSTANT("config1");
    config.spec = &config_spec;
    config_spec.templating = secret_spec.templating = is_template ? &golang : NULL;
    for (int i = 0; i < 2; i++) {
        docker__swarmkit__v1__assignment_change__init(&changes[i]);
        docker__swarmkit__v1__assignment__init(&items[i]);
        changes[i].assignment = &items[i];
    }
    message.type = DOCKER__SWARMKIT__V1__ASSIGNMENTS_MESSAGE__TYPE__COMPLETE;
    message.changes = list;
    if (secret_text) {
        secret_spec.data = (ProtobufCBinaryData){strlen(secret_text), (uint8_t *)CONSTANT(secret_text)};
        items[0].item_case = DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_SECRET;
        items[0].secret = &secret;
        list[message.n_changes++] = &changes[0];
    }
    if (config_text) {
        config_spec.data = (ProtobufCBinaryData){strlen(config_text), (uint8_t *)CONSTANT(config_text)};
        items[1].item_case = DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_CONFIG;
        items[1].config = &config;
        list[message.n_changes++] = &changes[1];
    }
    struct assignment_changes result;
    ProtobufCMessage *copy = message_copy(&message.base);
    assert_ok(assignments_apply(w->assignments, (Docker__Swarmkit__V1__AssignmentsMessage *)copy, &result, err));
    assignment_changes_deinit(&result);
    message_wipe_free(copy);
}

static int collect(struct world *w, struct task_files *files, struct error *err)
{
    return task_files_collect(&w->task, w->document, w->assignments, &node, files, err);
}

static void assert_file(const struct hcs_file_content *file, const char *target, const char *content)
{
    assert_string_equal(file->target, target);
    assert_true(bytes_equal(file->content, bytes_of_string(content)));
}

static void secret_and_config_come_in_the_document_s_order(void **state)
{
    struct world *w = *state;
    struct task_files files;
    assign(w, "hunter2", "{{.Node.ID}} is no template here", false);
    assert_ok(collect(w, &files, err));
    assert_int_equal(files.count, 2);
    assert_file(&files.items[0], "/run/secrets/pw", "hunter2");
    assert_file(&files.items[1], "/etc/settings", "{{.Node.ID}} is no template here");
    task_files_deinit(&files);
    assert_null(files.items);
}

static void a_config_is_the_credential_spec_and_no_file(void **state)
{
    struct world *w = *state;
    Docker__Swarmkit__V1__Privileges privileges = DOCKER__SWARMKIT__V1__PRIVILEGES__INIT;
    Docker__Swarmkit__V1__Privileges__CredentialSpec spec = DOCKER__SWARMKIT__V1__PRIVILEGES__CREDENTIAL_SPEC__INIT;
    Docker__Swarmkit__V1__RuntimeTarget runtime = DOCKER__SWARMKIT__V1__RUNTIME_TARGET__INIT;
    cleanup_json cJSON *document = cJSON_Parse("{\"Skep\":{\"Windows\":{\"CredentialSpec\":\"config://config1\"},\"Files\":[]}}");
    const cJSON *windows = json_object(json_object(document, "Skep"), "Windows");
    struct task_files files;

    privileges.credential_spec = &spec;
    spec.source_case = DOCKER__SWARMKIT__V1__PRIVILEGES__CREDENTIAL_SPEC__SOURCE_CONFIG;
    spec.config = CONSTANT("config1");
    w->spec.privileges = &privileges;
    w->spec.n_secrets = 0;
    w->config.target_case = DOCKER__SWARMKIT__V1__CONFIG_REFERENCE__TARGET_RUNTIME;
    w->config.runtime = &runtime;
    assert_fails(task_credential_spec(&w->task, w->assignments, document, err), ERR_NOT_FOUND, "config settings is not assigned");
    assign(w, NULL, "{\"DomainJoinConfig\":{}}", false);
    assert_ok(task_credential_spec(&w->task, w->assignments, document, err));
    assert_string_equal(json_string(windows, "CredentialSpec", ""), "raw://{\"DomainJoinConfig\":{}}");
    assert_ok(task_files_collect(&w->task, document, w->assignments, &node, &files, err));
    assert_int_equal(files.count, 0);
    task_files_deinit(&files);
}

static void what_is_not_assigned_is_named(void **state)
{
    struct world *w = *state;
    struct task_files files;
    assert_fails(collect(w, &files, err), ERR_NOT_FOUND, "secret password is not assigned to this node");
    assign(w, "hunter2", NULL, false);
    assert_fails(collect(w, &files, err), ERR_NOT_FOUND, "config settings is not assigned to this node");
    assert_null(files.items);
}

static void template_sees_the_task_its_environment_and_its_other_files(void **state)
{
    struct world *w = *state;
    struct task_files files;
    assign(w, "hunter2", "{{.Node.ID}} {{.Task.ID}} {{env \"COLOUR\"}}{{env \"COL\"}} {{secret \"pw\"}}", true);
    assert_ok(collect(w, &files, err));
    assert_file(&files.items[1], "/etc/settings", "node1 task1 blue hunter2");
    task_files_deinit(&files);
}

static void template_sees_no_file_that_its_task_does_not_name(void **state)
{
    struct world *w = *state;
    struct task_files files;
    assign(w, "hunter2", "{{secret \"secret1\"}}", true);
    assert_fails(collect(w, &files, err), ERR_NOT_FOUND, "secret target secret1 not found");
    assign(w, "{{config \"settings\"}}", "x", true);
    assert_fails(collect(w, &files, err), ERR_NOT_FOUND, "secret password: ");
}

static void template_that_grows_beyond_a_file_is_refused(void **state)
{
    struct world *w = *state;
    struct task_files files;
    cleanup_buf struct buf config = {0};
    char *large = mem_alloc(CONTAINER_FILE_SIZE_BYTES / 2 + 2);
    memset(large, 'x', CONTAINER_FILE_SIZE_BYTES / 2 + 1);
    for (int i = 0; i < 3; i++)
        buf_append_string(&config, "{{secret \"pw\"}}");
    assign(w, large, (const char *)config.data, true);
    assert_fails(collect(w, &files, err), ERR_LIMIT, "config settings");
    free(large);
}

static void environment_variable_references_are_no_files(void **state)
{
    struct world *w = *state;
    struct task_files files;
    w->secret.target_case = DOCKER__SWARMKIT__V1__SECRET_REFERENCE__TARGET__NOT_SET;
    w->config.target_case = DOCKER__SWARMKIT__V1__CONFIG_REFERENCE__TARGET__NOT_SET;
    assert_ok(collect(w, &files, err));
    assert_int_equal(files.count, 0);
    task_files_deinit(&files);
}

/* --- what is left in memory that was given back: seen by the sanitizer's hook, where there is one --- */

int __sanitizer_install_malloc_and_free_hooks(void (*on_alloc)(const volatile void *, size_t), void (*on_free)(const volatile void *))
    __attribute__((weak));
size_t __sanitizer_get_allocated_size(const volatile void *data) __attribute__((weak));

static bool is_watching;
static unsigned leftovers;

static void on_alloc(const volatile void *data, size_t size)
{
    (void)data;
    (void)size;
}

static void on_free(const volatile void *data)
{
    if (is_watching && data && memmem((const void *)(uintptr_t)data, __sanitizer_get_allocated_size(data), "hunter2", 7))
        leftovers++;
}

static void no_part_of_a_secret_stays_in_memory(void **state)
{
    struct world *w = *state;
    struct task_files files;
    if (!__sanitizer_install_malloc_and_free_hooks)
        skip();
    __sanitizer_install_malloc_and_free_hooks(on_alloc, on_free);
    assign(w, "hunter2 and more, so that it grows: {{env \"COLOUR\"}} {{print \"hunter2\" 1}} {{.Task.ID}}",
           "{{secret \"pw\"}} {{printf \"%s-%10s\" (secret \"pw\") \"x\"}} {{join \",\" (secret \"pw\") (print (secret \"pw\"))}}", true);
    is_watching = true;
    assert_ok(collect(w, &files, err));
    assert_non_null(memmem(files.items[1].content.data, files.items[1].content.size, "hunter2", 7));
    task_files_deinit(&files);
    is_watching = false;
    assign(w, "hunter2 {{env \"COLOUR\"}} {{secret \"none\"}}", "x", true);
    is_watching = true;
    assert_fails(collect(w, &files, err), ERR_NOT_FOUND, "none");
    is_watching = false;
    assert_int_equal(leftovers, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(secret_and_config_come_in_the_document_s_order),
        TEST(a_config_is_the_credential_spec_and_no_file),
        TEST(what_is_not_assigned_is_named),
        TEST(template_sees_the_task_its_environment_and_its_other_files),
        TEST(template_sees_no_file_that_its_task_does_not_name),
        TEST(template_that_grows_beyond_a_file_is_refused),
        TEST(environment_variable_references_are_no_files),
        TEST(no_part_of_a_secret_stays_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
