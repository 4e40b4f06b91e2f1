/* What the container sees: mounts, volumes of the image, and the places of secrets and configs. */
#include <string.h>

#include "agent/container_build.h"
#include "base/json.h"
#include "base/text.h"
#include "runtime/document.h"

typedef Docker__Swarmkit__V1__FileTarget FileTarget;

#define MOUNT_(name) DOCKER__SWARMKIT__V1__MOUNT__TYPE__##name

static bool is_absolute(const struct container_build *build, const char *path)
{
    return document_path_is_absolute(path, container_is_for_windows(build));
}

/* Whether it is a pipe's name at all is the document's to say. */
static int check_pipe(const struct container_build *build, const char *source, const char *target, struct error *err)
{
    if (source[0] == '\0')
        return error_set(err, ERR_INVALID, "invalid npipe source, source must not be empty");
    return container_is_for_windows(build)
               ? 0
               : error_set(err, ERR_UNSUPPORTED, "mount %s: named pipes are not supported on this node", target);
}

static int check_mount(const struct container_build *build, const Mount *mount, const char *source, const char *target, struct error *err)
{
    if (!is_absolute(build, target))
        return error_set(err, ERR_INVALID, "invalid mount target, must be an absolute path: %s", target);
    switch (mount->type) {
    case MOUNT_(BIND):
        return is_absolute(build, source) ? 0
                                          : error_set(err, ERR_INVALID, "invalid bind mount source, must be an absolute path: %s", source);
    case MOUNT_(VOLUME):
        return is_absolute(build, source)
                   ? error_set(err, ERR_INVALID, "invalid volume mount source, must not be an absolute path: %s", source)
                   : 0;
    case MOUNT_(TMPFS):
        return source[0] ? error_set(err, ERR_INVALID, "invalid tmpfs source, source must be empty") : 0;
    case MOUNT_(NPIPE):
        return check_pipe(build, source, target, err);
    case MOUNT_(CLUSTER):
        return error_set(err, ERR_UNSUPPORTED, "mount %s: cluster volumes are not supported on this node", target);
    default:
        return error_set(err, ERR_INVALID, "invalid mount type: %d", (int)mount->type);
    }
}

static void add_bind(const Mount *mount, cJSON *json)
{
    static const char *const propagations[] = {"rprivate", "private", "rshared", "shared", "rslave", "slave"};
    const Docker__Swarmkit__V1__Mount__BindOptions *options = mount->bind_options;
    if (!options)
        return;
    if ((size_t)options->propagation < sizeof propagations / sizeof propagations[0])
        json_add_string(json, "Propagation", propagations[options->propagation]);
    cJSON_AddBoolToObject(json, "NonRecursive", options->nonrecursive != 0);
    cJSON_AddBoolToObject(json, "CreateMountpoint", options->createmountpoint != 0);
}

static int add_volume(struct container_build *build, const Mount *mount, const char *field, cJSON *json, struct error *err)
{
    const Docker__Swarmkit__V1__Mount__VolumeOptions *options = mount->volume_options;
    if (!options)
        return 0;
    if (options->driver_config && !text_empty(options->driver_config->name) && strcmp(options->driver_config->name, "local") != 0)
        return error_set(err, ERR_UNSUPPORTED, "%s: plugin \"%s\" not found", field, options->driver_config->name);
    if (options->driver_config && options->driver_config->n_options > 0)
        return error_set(err, ERR_UNSUPPORTED, "%s: options of the volume driver are not supported on this node", field);
    if (!text_empty(options->subpath))
        return error_set(err, ERR_UNSUPPORTED, "%s: a subpath of a volume is not supported on this node", field);
    cJSON_AddBoolToObject(json, "NoCopy", options->nocopy != 0);
    cJSON *labels = cJSON_AddObjectToObject(json, "VolumeLabels");
    for (size_t i = 0; i < options->n_labels; i++) {
        const char *value = NULL;
        int result = container_expand(build, options->labels[i]->value, field, &value, err);
        if (result < 0)
            return result;
        cJSON_DeleteItemFromObjectCaseSensitive(labels, options->labels[i]->key);
        json_add_string(labels, options->labels[i]->key, value);
    }
    return 0;
}

/* [["noexec"],["uid","1000"]] as "noexec,uid=1000". */
static int join_options(struct container_build *build, const char *text, const char *field, const char **out, struct error *err)
{
    cleanup_json cJSON *json = NULL;
    *out = "";
    if (text_empty(text))
        return 0;
    if (json_parse(bytes_of_string(text), CONTAINER_DOCUMENT_SIZE_BYTES, &json, err) < 0)
        return error_wrap(err, "%s: tmpfs options", field);
    const cJSON *option = NULL;
    cJSON_ArrayForEach (option, json) {
        const cJSON *key = cJSON_GetArrayItem(option, 0), *value = cJSON_GetArrayItem(option, 1);
        if (!cJSON_IsArray(option) || !cJSON_IsString(key) || (value && !cJSON_IsString(value)) || cJSON_GetArraySize(option) > 2)
            return error_set(err, ERR_INVALID, "%s: tmpfs options: not a list of [name] or [name, value]: %s", field, text);
        *out = arena_format(&build->arena, "%s%s%s%s%s", *out, **out ? "," : "", key->valuestring, value ? "=" : "",
                            value ? value->valuestring : "");
    }
    return 0;
}

static int add_tmpfs(struct container_build *build, const Mount *mount, const char *field, cJSON *json, struct error *err)
{
    const Docker__Swarmkit__V1__Mount__TmpfsOptions *options = mount->tmpfs_options;
    const char *joined = NULL;
    if (!options)
        return 0;
    if (options->size_bytes < 0)
        return error_set(err, ERR_INVALID, "%s: tmpfs size must not be negative", field);
    int result = join_options(build, options->options, field, &joined, err);
    if (result < 0)
        return result;
    if (options->size_bytes > 0)
        json_add_int(json, "SizeBytes", options->size_bytes);
    if (options->mode > 0)
        json_add_int(json, "Mode", options->mode);
    if (joined[0])
        json_add_string(json, "Options", joined);
    return 0;
}

static const char *type_name(const Mount *mount)
{
    return mount->type == MOUNT_(BIND)     ? "bind"
           : mount->type == MOUNT_(VOLUME) ? "volume"
           : mount->type == MOUNT_(NPIPE)  ? "npipe"
                                           : "tmpfs";
}

static int add_mount(struct container_build *build, const Mount *mount, size_t index, cJSON *mounts, struct error *err)
{
    const char *field = arena_format(&build->arena, "mounts[%zu]", index), *source = NULL, *target = NULL;
    int result = container_expand(build, mount->source, field, &source, err);
    if (result == 0)
        result = container_expand(build, mount->target, field, &target, err);
    if (result == 0)
        result = check_mount(build, mount, source, target, err);
    if (result < 0)
        return result;
    cJSON *json = cJSON_CreateObject();
    cJSON_AddItemToArray(mounts, json);
    json_add_string(json, "Type", type_name(mount));
    json_add_string(json, "Source", source);
    json_add_string(json, "Target", target);
    cJSON_AddBoolToObject(json, "ReadOnly", mount->readonly != 0);
    if (mount->type == MOUNT_(BIND))
        add_bind(mount, json);
    if (mount->type == MOUNT_(VOLUME))
        return add_volume(build, mount, field, json, err);
    return mount->type == MOUNT_(TMPFS) ? add_tmpfs(build, mount, field, json, err) : 0;
}

static bool has_target(const cJSON *mounts, const char *target)
{
    const cJSON *mount = NULL;
    cJSON_ArrayForEach (mount, mounts) {
        if (text_equal(json_string(mount, "Target", ""), target))
            return true;
    }
    return false;
}

/* The image's VOLUMEs that nothing else is mounted on: each gets one of its own, which goes with the container. */
static void add_image_volumes(const struct container_build *build, cJSON *mounts)
{
    const struct image_strings *volumes = &build->image->config.volumes;
    for (size_t i = 0; i < volumes->count; i++) {
        if (!is_absolute(build, volumes->items[i]) || has_target(mounts, volumes->items[i]))
            continue;
        cJSON *json = cJSON_CreateObject();
        cJSON_AddItemToArray(mounts, json);
        json_add_string(json, "Type", "volume");
        json_add_string(json, "Source", "");
        json_add_string(json, "Target", volumes->items[i]);
    }
}

int container_add_mounts(struct container_build *build, cJSON *skep, struct error *err)
{
    if (build->spec->n_mounts > CONTAINER_MOUNTS_COUNT)
        return error_set(err, ERR_LIMIT, "mounts: more than %d", CONTAINER_MOUNTS_COUNT);
    cJSON *mounts = cJSON_AddArrayToObject(skep, "Mounts");
    for (size_t i = 0; i < build->spec->n_mounts; i++) {
        int result = add_mount(build, build->spec->mounts[i], i, mounts, err);
        if (result < 0)
            return result;
    }
    if (build->image)
        add_image_volumes(build, mounts);
    return 0;
}

/* --- secrets and configs --- */

static int parse_owner(const char *text, const char *field, int64_t *out, struct error *err)
{
    *out = 0;
    if (text_empty(text))
        return 0;
    int result = text_parse_i64(text, 0, UINT32_MAX, out, err);
    return result < 0 ? error_wrap(err, "%s", field) : 0;
}

static int add_file(struct container_build *build, bool is_secret, const FileTarget *file, const char *name, cJSON *files,
                    struct error *err)
{
    const char *field = arena_format(&build->arena, "%s %s", is_secret ? "secret" : "config", name);
    int64_t uid = 0, gid = 0;
    int result = parse_owner(file->uid, field, &uid, err);
    if (result == 0)
        result = parse_owner(file->gid, field, &gid, err);
    if (result < 0)
        return result;
    if (text_empty(file->name))
        return error_set(err, ERR_INVALID, "%s: its target has no name", field);
    const char *target = file->name;
    if (!is_absolute(build, target) && container_is_for_windows(build)) /* as Docker has it, hcs.md §8.2; "/name" is in the root too */
        target = arena_format(&build->arena, "%s\\%s",
                              is_secret ? "C:\\ProgramData\\Docker\\secrets" : "C:", file->name + strspn(file->name, "\\/"));
    else if (!is_absolute(build, target))
        target = arena_format(&build->arena, "%s/%s", is_secret ? "/run/secrets" : "", file->name);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddItemToArray(files, json);
    json_add_string(json, "Kind", is_secret ? "secret" : "config");
    json_add_string(json, "Target", target);
    json_add_int(json, "Uid", uid);
    json_add_int(json, "Gid", gid);
    json_add_int(json, "Mode", file->mode & 07777);
    return 0;
}

int container_add_files(struct container_build *build, cJSON *skep, struct error *err)
{
    const ContainerSpec *spec = build->spec;
    if (spec->n_secrets + spec->n_configs > CONTAINER_FILES_COUNT)
        return error_set(err, ERR_LIMIT, "secrets and configs: more than %d", CONTAINER_FILES_COUNT);
    cJSON *files = cJSON_AddArrayToObject(skep, "Files");
    int result = 0;
    for (size_t i = 0; result == 0 && i < spec->n_secrets; i++)
        if (spec->secrets[i]->target_case == DOCKER__SWARMKIT__V1__SECRET_REFERENCE__TARGET_FILE)
            result = add_file(build, true, spec->secrets[i]->file, spec->secrets[i]->secret_name, files, err);
    for (size_t i = 0; result == 0 && i < spec->n_configs; i++)
        if (spec->configs[i]->target_case == DOCKER__SWARMKIT__V1__CONFIG_REFERENCE__TARGET_FILE)
            result = add_file(build, false, spec->configs[i]->file, spec->configs[i]->config_name, files, err);
    return result;
}
