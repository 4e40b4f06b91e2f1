/* cli/verb_service_spec.c – `skep service create` and `skep service update`. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "cli/json_edit.h"
#include "cli/service_change.h"
#include "cli/service_flags.h"
#include "cli/service_parts.h"
#include "cli/service_wait.h"
#include "cli/verb_service.h"

/* --- lists of texts, and of what is parsed out of texts --- */

static void add_texts(cJSON *object, const char *key, const struct option_values *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        cJSON_AddItemToArray(edit_list(object, key), cJSON_CreateString(texts->items[i]));
}

typedef int parse_fn(const char *text, cJSON **out, struct error *err);

static int add_parsed(cJSON *object, const char *key, const struct options *options, const char *flag, parse_fn *parse, struct error *err)
{
    const struct option_values *texts = option_list(options, flag);
    for (size_t i = 0; i < texts->count; i++) {
        cJSON *item = NULL;
        if (parse(texts->items[i], &item, err) < 0)
            return error_wrap(err, "--%s", flag);
        cJSON_AddItemToArray(edit_list(object, key), item);
    }
    return 0;
}

/* "host ip" as docker has them in a spec, from "host:ip". */
static int parse_host(const char *text, cJSON **out, struct error *err)
{
    const char *colon = strchr(text, ':');
    if (colon == NULL || colon == text || colon[1] == '\0')
        return error_set(err, ERR_INVALID, "bad format for add-host: \"%s\"", text);
    cleanup_free char *line = mem_format("%s %.*s", colon + 1, (int)(colon - text), text);
    *out = cJSON_CreateString(line);
    return 0;
}

/* --- create --- */

static const struct option_spec create_specs[] = {
    {"cap-add", 0, OPTION_LIST, "list", "Add Linux capabilities"},
    {"cap-drop", 0, OPTION_LIST, "list", "Drop Linux capabilities"},
    {"config", 0, OPTION_LIST, "config", "Specify configurations to expose to the service"},
    {"constraint", 0, OPTION_LIST, "list", "Placement constraints"},
    {"container-label", 0, OPTION_LIST, "list", "Container labels"},
    {"dns", 0, OPTION_LIST, "list", "Set custom DNS servers"},
    {"env", 'e', OPTION_LIST, "list", "Set environment variables"},
    {"host", 0, OPTION_LIST, "list", "Set one or more custom host-to-IP mappings (host:ip)"},
    {"label", 'l', OPTION_LIST, "list", "Service labels"},
    {"mode", 0, OPTION_TEXT, "string",
     "Service mode (\"replicated\", \"global\", \"replicated-job\", \"global-job\") (default \"replicated\")"},
    {"mount", 0, OPTION_LIST, "mount", "Attach a filesystem mount to the service"},
    {"name", 0, OPTION_TEXT, "string", "Service name"},
    {"network", 0, OPTION_LIST, "network", "Network attachments"},
    {"publish", 'p', OPTION_LIST, "port", "Publish a port as a node port"},
    {"secret", 0, OPTION_LIST, "secret", "Specify secrets to expose to the service"},
    SERVICE_FLAGS,
    {"help", 'h', OPTION_SWITCH, NULL, "Print usage"},
    {0},
};

static int set_mode(const struct options *options, cJSON *spec, struct error *err)
{
    static const char *const modes[][2] = {
        {"replicated", "Replicated"}, {"global", "Global"}, {"replicated-job", "ReplicatedJob"}, {"global-job", "GlobalJob"}};
    const char *mode = option_text(options, "mode", "replicated");
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(mode, modes[i][0]) == 0) {
            edit_object(edit_object(spec, "Mode"), modes[i][1]);
            return 0;
        }
    return error_set(err, ERR_INVALID, "unknown mode: %s, only replicated, global, replicated-job and global-job supported", mode);
}

static int fill_lists(const struct options *options, cJSON *spec, struct error *err)
{
    cJSON *task = edit_object(spec, "TaskTemplate"), *container = service_container(spec);
    add_texts(container, "CapabilityAdd", option_list(options, "cap-add"));
    add_texts(container, "CapabilityDrop", option_list(options, "cap-drop"));
    add_texts(container, "Env", option_list(options, "env"));
    if (option_given(options, "constraint"))
        add_texts(edit_object(task, "Placement"), "Constraints", option_list(options, "constraint"));
    if (option_given(options, "dns"))
        add_texts(edit_object(container, "DNSConfig"), "Nameservers", option_list(options, "dns"));
    int code = add_parsed(container, "Hosts", options, "host", parse_host, err);
    if (code < 0 || (code = add_parsed(container, "Mounts", options, "mount", part_mount, err)) < 0 ||
        (code = add_parsed(task, "Networks", options, "network", part_network, err)) < 0 ||
        (option_given(options, "publish") &&
         (code = add_parsed(edit_object(spec, "EndpointSpec"), "Ports", options, "publish", part_port, err)) < 0) ||
        (option_given(options, "container-label") &&
         (code = edit_set_pairs(edit_object(container, "Labels"), option_list(options, "container-label"), "container-label", err)) < 0))
        return code;
    return option_given(options, "label") ? edit_set_pairs(edit_object(spec, "Labels"), option_list(options, "label"), "label", err) : 0;
}

static int fill_spec(struct cli *cli, const struct options *options, cJSON *spec, struct error *err)
{
    const struct option_values *words = &options->words;
    cJSON *container = service_container(spec);
    edit_set_string(spec, "Name", option_text(options, "name", ""));
    edit_set_string(container, "Image", words->items[0]);
    if (words->count > 1)
        service_set_args(container, words->items + 1, words->count - 1);
    int code = set_mode(options, spec, err);
    if (code < 0 || (code = fill_lists(options, spec, err)) < 0 || (code = service_flags_apply(options, spec, err)) < 0 ||
        (code = service_flags_add_references(cli, container, "secret", option_list(options, "secret"), err)) < 0)
        return code;
    return service_flags_add_references(cli, container, "config", option_list(options, "config"), err);
}

static int run_create(struct cli *cli, const struct options *options, struct error *err)
{
    cleanup_json cJSON *spec = cJSON_CreateObject(), *reply = NULL;
    if (fill_spec(cli, options, spec, err) < 0 || cli_send_json(cli, "POST", API_PREFIX "/services/create", spec, &reply, err) < 0)
        return err->code;
    const char *id = json_string(reply, "ID", "");
    service_print_warnings(cli, reply);
    fprintf(cli->out, "%s\n", id);
    return option_switch(options, "detach") ? 0 : service_wait(cli, id, option_switch(options, "quiet"), err);
}

const struct command command_service_create = {"service create",    "IMAGE [COMMAND] [ARG...]", "Create a new service", create_specs, 1,
                                               OPTION_VALUES_COUNT, .run = run_create,          .has_rest = true};

/* --- update --- */

static const struct option_spec update_specs[] = {
    {"args", 0, OPTION_TEXT, "command", "Service command args"},
    {"config-add", 0, OPTION_LIST, "config", "Add or update a config file on a service"},
    {"config-rm", 0, OPTION_LIST, "list", "Remove a configuration file"},
    {"constraint-add", 0, OPTION_LIST, "list", "Add or update a placement constraint"},
    {"constraint-rm", 0, OPTION_LIST, "list", "Remove a constraint"},
    {"container-label-add", 0, OPTION_LIST, "list", "Add or update a container label"},
    {"container-label-rm", 0, OPTION_LIST, "list", "Remove a container label by its key"},
    {"env-add", 0, OPTION_LIST, "list", "Add or update an environment variable"},
    {"env-rm", 0, OPTION_LIST, "list", "Remove an environment variable"},
    {"force", 0, OPTION_SWITCH, NULL, "Force update even if no changes require it"},
    {"image", 0, OPTION_TEXT, "string", "Service image tag"},
    {"label-add", 0, OPTION_LIST, "list", "Add or update a service label"},
    {"label-rm", 0, OPTION_LIST, "list", "Remove a label by its key"},
    {"mount-add", 0, OPTION_LIST, "mount", "Add or update a mount on a service"},
    {"mount-rm", 0, OPTION_LIST, "list", "Remove a mount by its target path"},
    {"network-add", 0, OPTION_LIST, "network", "Add a network"},
    {"publish-add", 0, OPTION_LIST, "port", "Add or update a published port"},
    {"publish-rm", 0, OPTION_LIST, "port", "Remove a published port by its target port"},
    {"rollback", 0, OPTION_SWITCH, NULL, "Rollback to previous specification"},
    {"secret-add", 0, OPTION_LIST, "secret", "Add or update a secret on a service"},
    {"secret-rm", 0, OPTION_LIST, "list", "Remove a secret"},
    SERVICE_FLAGS,
    {"help", 'h', OPTION_SWITCH, NULL, "Print usage"},
    {0},
};

typedef bool is_called_fn(const cJSON *item, const char *name);

static void remove_from(cJSON *object, const char *key, const struct option_values *names, is_called_fn *is_called)
{
    cJSON *list = cJSON_GetObjectItemCaseSensitive(object, key);
    for (size_t n = 0; n < names->count; n++)
        for (int i = cJSON_GetArraySize(list) - 1; i >= 0; i--)
            if (is_called(cJSON_GetArrayItem(list, i), names->items[n]))
                cJSON_DeleteItemFromArray(list, i);
}

static bool is_text(const cJSON *item, const char *name)
{
    return cJSON_IsString(item) && strcmp(item->valuestring, name) == 0;
}

/* "A=b" and "A" are both called A, and A=c. */
static bool is_variable(const cJSON *item, const char *name)
{
    size_t length = strcspn(name, "=");
    return cJSON_IsString(item) && strncmp(item->valuestring, name, length) == 0 &&
           (item->valuestring[length] == '=' || item->valuestring[length] == '\0');
}

static bool is_mount(const cJSON *item, const char *target)
{
    return text_equal(json_string(item, "Target", ""), target);
}

static bool is_port(const cJSON *item, const char *target)
{
    int64_t port;
    return part_target_port(target, &port, NULL) == 0 && json_int(item, "TargetPort", 0) == port;
}

static bool is_secret(const cJSON *item, const char *name)
{
    return text_equal(json_string(item, "SecretName", ""), name);
}

static bool is_config(const cJSON *item, const char *name)
{
    return text_equal(json_string(item, "ConfigName", ""), name);
}

static int change_pairs(cJSON *object, const char *key, const struct options *options, const char *add, const char *rm, struct error *err)
{
    if (!option_given(options, add) && !option_given(options, rm))
        return 0;
    cJSON *pairs = edit_object(object, key);
    edit_remove_keys(pairs, option_list(options, rm));
    return edit_set_pairs(pairs, option_list(options, add), add, err);
}

static int change_lists(const struct options *options, cJSON *spec, struct error *err)
{
    cJSON *task = edit_object(spec, "TaskTemplate"), *container = service_container(spec), *endpoint = edit_object(spec, "EndpointSpec");
    remove_from(container, "Env", option_list(options, "env-rm"), is_variable);
    remove_from(container, "Env", option_list(options, "env-add"), is_variable);
    add_texts(container, "Env", option_list(options, "env-add"));
    remove_from(edit_object(task, "Placement"), "Constraints", option_list(options, "constraint-rm"), is_text);
    remove_from(edit_object(task, "Placement"), "Constraints", option_list(options, "constraint-add"), is_text);
    add_texts(edit_object(task, "Placement"), "Constraints", option_list(options, "constraint-add"));
    remove_from(container, "Mounts", option_list(options, "mount-rm"), is_mount);
    remove_from(endpoint, "Ports", option_list(options, "publish-rm"), is_port);
    int code = add_parsed(container, "Mounts", options, "mount-add", part_mount, err);
    if (code < 0 || (code = add_parsed(endpoint, "Ports", options, "publish-add", part_port, err)) < 0 ||
        (code = add_parsed(task, "Networks", options, "network-add", part_network, err)) < 0 ||
        (code = change_pairs(spec, "Labels", options, "label-add", "label-rm", err)) < 0)
        return code;
    return change_pairs(container, "Labels", options, "container-label-add", "container-label-rm", err);
}

static void change_args(const struct options *options, cJSON *container)
{
    const char *text = option_text(options, "args", NULL);
    cleanup_free char *copy = mem_string(text ? text : "");
    const char *words[OPTION_VALUES_COUNT];
    size_t count = 0;
    char *rest = NULL;
    if (text == NULL)
        return;
    for (char *word = strtok_r(copy, " \t", &rest); word && count < OPTION_VALUES_COUNT; word = strtok_r(NULL, " \t", &rest))
        words[count++] = word;
    service_set_args(container, words, count);
}

static int change_spec(struct cli *cli, const struct service_change *change, cJSON *spec, struct error *err)
{
    const struct options *options = change->options;
    cJSON *task = edit_object(spec, "TaskTemplate"), *container = service_container(spec);
    edit_set_string_of(container, "Image", options, "image");
    change_args(options, container);
    if (option_switch(options, "force"))
        edit_set_int(task, "ForceUpdate", json_int(task, "ForceUpdate", 0) + 1);
    remove_from(container, "Secrets", option_list(options, "secret-rm"), is_secret);
    remove_from(container, "Configs", option_list(options, "config-rm"), is_config);
    int code = change_lists(options, spec, err);
    if (code < 0 || (code = service_flags_apply(options, spec, err)) < 0 ||
        (code = service_flags_add_references(cli, container, "secret", option_list(options, "secret-add"), err)) < 0)
        return code;
    return service_flags_add_references(cli, container, "config", option_list(options, "config-add"), err);
}

static int run_update(struct cli *cli, const struct options *options, struct error *err)
{
    bool goes_back = option_switch(options, "rollback");
    const struct service_change change = {
        .options = options, .fn = goes_back ? NULL : change_spec, .query = goes_back ? "&rollback=previous" : "", .done = ""};
    return service_change(cli, options->words.items[0], &change, err);
}

const struct command command_service_update = {"service update", "SERVICE", "Update a service", update_specs, 1, 1, .run = run_update};
