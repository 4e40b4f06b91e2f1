/* cli/service_flags.c – see service_flags.h. */
#include "cli/service_flags.h"

#include <stdlib.h>
#include <string.h>

#include "api/http_text.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/json_edit.h"
#include "cli/service_parts.h"

/* --- flags that are one member each --- */

enum kind { TEXT, SWITCH, COUNT, DURATION, CPUS, BYTES, RATIO };

/* Where a flag's value stands in a ServiceSpec: "A.B.C". */
static const struct simple {
    const char *flag, *path;
    enum kind kind;
} simples[] = {
    {"endpoint-mode", "EndpointSpec.Mode", TEXT},
    {"health-interval", "TaskTemplate.ContainerSpec.Healthcheck.Interval", DURATION},
    {"health-retries", "TaskTemplate.ContainerSpec.Healthcheck.Retries", COUNT},
    {"health-start-period", "TaskTemplate.ContainerSpec.Healthcheck.StartPeriod", DURATION},
    {"health-timeout", "TaskTemplate.ContainerSpec.Healthcheck.Timeout", DURATION},
    {"hostname", "TaskTemplate.ContainerSpec.Hostname", TEXT},
    {"init", "TaskTemplate.ContainerSpec.Init", SWITCH},
    {"isolation", "TaskTemplate.ContainerSpec.Isolation", TEXT},
    {"limit-cpu", "TaskTemplate.Resources.Limits.NanoCPUs", CPUS},
    {"limit-memory", "TaskTemplate.Resources.Limits.MemoryBytes", BYTES},
    {"limit-pids", "TaskTemplate.Resources.Limits.Pids", COUNT},
    {"read-only", "TaskTemplate.ContainerSpec.ReadOnly", SWITCH},
    {"replicas-max-per-node", "TaskTemplate.Placement.MaxReplicas", COUNT},
    {"reserve-cpu", "TaskTemplate.Resources.Reservations.NanoCPUs", CPUS},
    {"reserve-memory", "TaskTemplate.Resources.Reservations.MemoryBytes", BYTES},
    {"restart-condition", "TaskTemplate.RestartPolicy.Condition", TEXT},
    {"restart-delay", "TaskTemplate.RestartPolicy.Delay", DURATION},
    {"restart-max-attempts", "TaskTemplate.RestartPolicy.MaxAttempts", COUNT},
    {"restart-window", "TaskTemplate.RestartPolicy.Window", DURATION},
    {"rollback-delay", "RollbackConfig.Delay", DURATION},
    {"rollback-failure-action", "RollbackConfig.FailureAction", TEXT},
    {"rollback-max-failure-ratio", "RollbackConfig.MaxFailureRatio", RATIO},
    {"rollback-monitor", "RollbackConfig.Monitor", DURATION},
    {"rollback-order", "RollbackConfig.Order", TEXT},
    {"rollback-parallelism", "RollbackConfig.Parallelism", COUNT},
    {"stop-grace-period", "TaskTemplate.ContainerSpec.StopGracePeriod", DURATION},
    {"stop-signal", "TaskTemplate.ContainerSpec.StopSignal", TEXT},
    {"tty", "TaskTemplate.ContainerSpec.TTY", SWITCH},
    {"update-delay", "UpdateConfig.Delay", DURATION},
    {"update-failure-action", "UpdateConfig.FailureAction", TEXT},
    {"update-max-failure-ratio", "UpdateConfig.MaxFailureRatio", RATIO},
    {"update-monitor", "UpdateConfig.Monitor", DURATION},
    {"update-order", "UpdateConfig.Order", TEXT},
    {"update-parallelism", "UpdateConfig.Parallelism", COUNT},
    {"user", "TaskTemplate.ContainerSpec.User", TEXT},
    {"workdir", "TaskTemplate.ContainerSpec.Dir", TEXT},
};

/* A new one is complete: no parallelism would be one without bounds. */
static cJSON *new_update_config(void)
{
    cJSON *config = cJSON_CreateObject();
    edit_set_int(config, "Parallelism", 1);
    edit_set_string(config, "FailureAction", "pause");
    edit_set_int(config, "Monitor", INT64_C(5000000000));
    edit_set_int(config, "MaxFailureRatio", 0);
    edit_set_string(config, "Order", "stop-first");
    return config;
}

/* The object that the last part of @path is a member of. */
static cJSON *parent_of(cJSON *spec, const char *path, const char **member)
{
    cJSON *object = spec;
    for (const char *dot; (dot = strchr(path, '.')) != NULL; path = dot + 1) {
        cleanup_free char *key = mem_string_n(path, (size_t)(dot - path));
        if (text_ends(key, "Config") && !cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(object, key)))
            edit_set(object, key, new_update_config());
        object = edit_object(object, key);
    }
    *member = path;
    return object;
}

static int read_ratio(const char *text, double *ratio, struct error *err)
{
    char *end;
    *ratio = strtod(text, &end);
    if (end == text || *end || !(*ratio >= 0 && *ratio <= 1))
        return error_set(err, ERR_INVALID, "%s: not a number between 0 and 1", text);
    return 0;
}

static int apply_simple(const struct options *options, const struct simple *simple, cJSON *spec, struct error *err)
{
    const char *text = simple->kind == SWITCH ? NULL : option_text(options, simple->flag, NULL), *member;
    cJSON *parent = parent_of(spec, simple->path, &member);
    int64_t number = 0;
    double ratio = 0;
    int code = 0;
    switch (simple->kind) {
    case SWITCH:
        edit_set_bool(parent, member, option_switch(options, simple->flag));
        return 0;
    case TEXT:
        edit_set_string(parent, member, text);
        return 0;
    case DURATION:
        return edit_set_duration_of(parent, member, options, simple->flag, err);
    case COUNT:
        return edit_set_int_of(parent, member, options, simple->flag, 0, err);
    case RATIO:
        code = read_ratio(text, &ratio, err);
        break;
    case CPUS:
        code = part_cpus(text, &number, err);
        break;
    case BYTES:
        code = part_bytes(text, &number, err);
        break;
    }
    if (code < 0)
        return error_wrap(err, "--%s", simple->flag);
    if (simple->kind == RATIO)
        edit_set(parent, member, cJSON_CreateNumber(ratio));
    else
        edit_set_int(parent, member, number);
    return 0;
}

/* --- flags that are more --- */

cJSON *service_container(cJSON *spec)
{
    return edit_object(edit_object(spec, "TaskTemplate"), "ContainerSpec");
}

static int apply_health(const struct options *options, cJSON *container, struct error *err)
{
    const char *command = option_text(options, "health-cmd", NULL);
    bool is_off = option_switch(options, "no-healthcheck");
    if (command && is_off)
        return error_set(err, ERR_INVALID, "--no-healthcheck conflicts with --health-* options");
    if (command == NULL && !is_off)
        return 0;
    cJSON *health = edit_object(container, "Healthcheck"), *test = cJSON_CreateArray();
    cJSON_AddItemToArray(test, cJSON_CreateString(is_off ? "NONE" : "CMD-SHELL"));
    if (command)
        cJSON_AddItemToArray(test, cJSON_CreateString(command));
    edit_set(health, "Test", test);
    return 0;
}

/* Words between spaces; quotes are not understood here. */
static void apply_entrypoint(const struct options *options, cJSON *container)
{
    const char *text = option_text(options, "entrypoint", NULL);
    cleanup_free char *copy = mem_string(text ? text : "");
    char *rest = NULL;
    if (text == NULL)
        return;
    cJSON *command = cJSON_CreateArray();
    for (char *word = strtok_r(copy, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest))
        cJSON_AddItemToArray(command, cJSON_CreateString(word));
    edit_set(container, "Command", command);
}

static int apply_log(const struct options *options, cJSON *task, struct error *err)
{
    const struct option_values *pairs = option_list(options, "log-opt");
    if (!option_given(options, "log-driver") && pairs->count == 0)
        return 0;
    cJSON *driver = edit_object(task, "LogDriver");
    edit_set_string_of(driver, "Name", options, "log-driver");
    return pairs->count > 0 ? edit_set_pairs(edit_object(driver, "Options"), pairs, "log-opt", err) : 0;
}

static int apply_replicas(const struct options *options, cJSON *mode, struct error *err)
{
    bool is_job = cJSON_HasObjectItem(mode, "ReplicatedJob");
    if ((option_given(options, "replicas") || option_given(options, "max-concurrent")) &&
        (cJSON_HasObjectItem(mode, "Global") || cJSON_HasObjectItem(mode, "GlobalJob")))
        return error_set(err, ERR_INVALID, "replicas can only be used with replicated or replicated-job mode");
    if (option_given(options, "max-concurrent") && !is_job)
        return error_set(err, ERR_INVALID, "--max-concurrent can only be used with replicated-job mode");
    if (!is_job)
        return option_given(options, "replicas") ? edit_set_int_of(edit_object(mode, "Replicated"), "Replicas", options, "replicas", 0, err)
                                                 : 0;
    cJSON *job = edit_object(mode, "ReplicatedJob");
    int code = edit_set_int_of(job, "TotalCompletions", options, "replicas", 0, err);
    if (code == 0 && !cJSON_HasObjectItem(job, "MaxConcurrent"))
        code = edit_set_int_of(job, "MaxConcurrent", options, "replicas", 0, err);
    return code == 0 ? edit_set_int_of(job, "MaxConcurrent", options, "max-concurrent", 0, err) : code;
}

int service_flags_apply(const struct options *options, cJSON *spec, struct error *err)
{
    cJSON *container = service_container(spec);
    for (size_t i = 0; i < sizeof simples / sizeof *simples; i++)
        if (option_given(options, simples[i].flag) && apply_simple(options, &simples[i], spec, err) < 0)
            return err->code;
    apply_entrypoint(options, container);
    int code = apply_health(options, container, err);
    if (code < 0 || (code = apply_log(options, edit_object(spec, "TaskTemplate"), err)) < 0)
        return code;
    return apply_replicas(options, edit_object(spec, "Mode"), err);
}

void service_set_args(cJSON *container, const char *const *words, size_t count)
{
    cJSON *args = cJSON_CreateArray();
    for (size_t i = 0; i < count; i++)
        cJSON_AddItemToArray(args, cJSON_CreateString(words[i]));
    edit_set(container, "Args", args);
}

/* --- references --- */

/* The id of the secret or config that is called so. */
static int id_of(struct cli *cli, const char *kind, const char *name, char **id, struct error *err)
{
    cleanup_free char *path = mem_format(API_PREFIX "/%ss?all=1", kind), *filter = mem_format("name=%s", name);
    cleanup_buf struct buf whole = {0};
    cleanup_json cJSON *list = NULL;
    const cJSON *object;
    const struct option_values filters = {.items = {filter}, .count = 1};
    buf_append_string(&whole, path);
    if (cli_append_filters(&filters, &whole, err) < 0 || cli_get_json(cli, (const char *)whole.data, &list, err) < 0)
        return err->code;
    cJSON_ArrayForEach (object, list) {
        if (text_equal(json_string(json_object(object, "Spec"), "Name", ""), name)) {
            *id = mem_string(json_string(object, "ID", ""));
            return 0;
        }
    }
    return error_set(err, ERR_NOT_FOUND, "%s not found: %s", kind, name);
}

int service_flags_add_references(struct cli *cli, cJSON *container, const char *kind, const struct option_values *texts, struct error *err)
{
    bool is_secret = text_equal(kind, "secret");
    for (size_t i = 0; i < texts->count; i++) {
        cJSON *reference;
        cleanup_free char *id = NULL;
        if (part_reference(texts->items[i], is_secret, &reference, err) < 0)
            return error_wrap(err, "--%s", kind);
        cJSON_AddItemToArray(edit_list(container, is_secret ? "Secrets" : "Configs"), reference);
        if (id_of(cli, kind, json_string(reference, is_secret ? "SecretName" : "ConfigName", ""), &id, err) < 0)
            return err->code;
        edit_set_string(reference, is_secret ? "SecretID" : "ConfigID", id);
    }
    return 0;
}
