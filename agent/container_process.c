/* What runs: command, environment, user. The image's wishes, overruled by the service's. */
#include <inttypes.h>
#include <stdlib.h>

#include "agent/container_build.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

typedef Docker__Swarmkit__V1__GenericResource GenericResource;

static void append(cJSON *array, char *const *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cJSON_AddItemToArray(array, cJSON_CreateString(items[i]));
}

/* Docker's rule: a command of the service replaces the image's entrypoint, and then its cmd is gone too. */
static int add_command(const struct container_build *build, cJSON *process, struct error *err)
{
    const ContainerSpec *spec = build->spec;
    const struct image_config *config = &build->image->config;
    cJSON *args = cJSON_AddArrayToObject(process, "CommandArgs");
    if (spec->n_command > 0)
        append(args, spec->command, spec->n_command);
    else
        append(args, (char *const *)config->entrypoint.items, config->entrypoint.count);
    if (spec->n_args > 0)
        append(args, spec->args, spec->n_args);
    else if (spec->n_command == 0)
        append(args, (char *const *)config->cmd.items, config->cmd.count);
    if (cJSON_GetArraySize(args) == 0)
        return error_set(err, ERR_INVALID, "no command specified");
    return 0;
}

/* What a builder of Windows made of a shell's line is said in Windows' own quotes; but only where all of the command is the image's, as
 * Docker has it. Images of Linux may say it as well, where it never meant anything. */
static void add_windows(const struct container_build *build, cJSON *skep)
{
    const ContainerSpec *spec = build->spec;
    bool is_of_image = build->image && spec->n_command == 0 && spec->n_args == 0;

    if (container_is_for_windows(build) && is_of_image && build->image->config.is_args_escaped)
        cJSON_AddBoolToObject(cJSON_AddObjectToObject(skep, "Windows"), "ArgsEscaped", true);
}

static void set_variable(cJSON *environment, const char *key, const char *value)
{
    cJSON *fresh = cJSON_CreateString(value);
    if (cJSON_GetObjectItemCaseSensitive(environment, key))
        cJSON_ReplaceItemInObjectCaseSensitive(environment, key, fresh);
    else
        cJSON_AddItemToObject(environment, key, fresh);
}

/* "K=V" sets, "K" alone takes what the image has set away. */
static void apply_entry(struct container_build *build, cJSON *environment, const char *entry, const char *value)
{
    int length = text_key_length(entry);
    if (length > 0)
        set_variable(environment, arena_string_n(&build->arena, entry, (size_t)length), value ? value : entry + length + 1);
    else
        cJSON_DeleteItemFromObjectCaseSensitive(environment, entry);
}

static int add_spec_environment(struct container_build *build, cJSON *environment, struct error *err)
{
    if (build->spec->n_env > TASK_ENVIRONMENT_COUNT)
        return error_set(err, ERR_LIMIT, "env: more than %d entries", TASK_ENVIRONMENT_COUNT);
    for (size_t i = 0; i < build->spec->n_env; i++) {
        const char *entry = build->spec->env[i], *value = NULL;
        int length = text_key_length(entry);
        if (entry[0] == '\0' || entry[0] == '=')
            return error_set(err, ERR_INVALID, "env[%zu]: invalid environment variable: %s", i, entry);
        if (length > 0) {
            int result = container_expand(build, entry + length + 1, arena_format(&build->arena, "env[%zu]", i), &value, err);
            if (result < 0)
                return result;
        }
        apply_entry(build, environment, entry, value);
    }
    return 0;
}

static bool is_named(const GenericResource *resource)
{
    return resource->resource_case == DOCKER__SWARMKIT__V1__GENERIC_RESOURCE__RESOURCE_NAMED_RESOURCE_SPEC;
}

static const char *resource_kind(const GenericResource *resource)
{
    if (is_named(resource))
        return resource->named_resource_spec->kind;
    bool is_discrete = resource->resource_case == DOCKER__SWARMKIT__V1__GENERIC_RESOURCE__RESOURCE_DISCRETE_RESOURCE_SPEC;
    return is_discrete ? resource->discrete_resource_spec->kind : "";
}

static char *resource_key(struct container_build *build, const char *kind)
{
    char *key = arena_format(&build->arena, "DOCKER_RESOURCE_%s", kind);
    for (char *c = key; *c; c++)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    return key;
}

/* DOCKER_RESOURCE_GPU=UUID1,UUID2 for each kind that was assigned. */
static void add_resources(struct container_build *build, cJSON *environment)
{
    for (size_t i = 0; i < build->task->n_assigned_generic_resources; i++) {
        const GenericResource *resource = build->task->assigned_generic_resources[i];
        const char *kind = resource_kind(resource);
        if (text_empty(kind))
            continue;
        const char *key = resource_key(build, kind), *before = json_string(environment, key, NULL);
        const char *value = is_named(resource) ? resource->named_resource_spec->value
                                               : arena_format(&build->arena, "%" PRId64, resource->discrete_resource_spec->value);
        set_variable(environment, key, before ? arena_format(&build->arena, "%s,%s", before, value) : value);
    }
}

static int add_environment(struct container_build *build, cJSON *process, struct error *err)
{
    cJSON *environment = cJSON_AddObjectToObject(process, "Environment");
    for (size_t i = 0; build->image && i < build->image->config.env.count; i++)
        apply_entry(build, environment, build->image->config.env.items[i], NULL);
    int result = add_spec_environment(build, environment, err);
    if (result == 0)
        add_resources(build, environment);
    return result;
}

static const char *first_of(const char *wish, const char *image, const char *fallback)
{
    return !text_empty(wish) ? wish : !text_empty(image) ? image : fallback;
}

int container_add_process(struct container_build *build, cJSON *skep, struct error *err)
{
    const ContainerSpec *spec = build->spec;
    const struct image_config *config = build->image ? &build->image->config : NULL;
    cJSON *process = cJSON_AddObjectToObject(skep, "Process");
    int result = config ? add_command(build, process, err) : 0;
    if (result == 0)
        result = add_environment(build, process, err);
    if (result < 0)
        return result;
    const char *root = container_is_for_windows(build) ? "C:\\" : "/";
    json_add_string(process, "WorkingDirectory", first_of(spec->dir, config ? config->working_dir : NULL, root));
    json_add_string(process, "User", first_of(spec->user, config ? config->user : NULL, ""));
    cJSON_AddBoolToObject(process, "EmulateConsole", spec->tty != 0);
    cJSON_AddBoolToObject(process, "CreateStdInPipe", spec->open_stdin != 0);
    add_windows(build, skep);
    return 0;
}
