/* api/swarm/json_mount.c – a container's mounts as Docker's JSON: see json_common.h. */
#include <string.h>

#include "api/swarm/json_common.h"
#include "base/json.h"
#include "base/text.h"
#include "proto/swarmkit/types.pb-c.h"

typedef Docker__Swarmkit__V1__Mount Mount;
typedef Docker__Swarmkit__V1__Mount__TmpfsOptions TmpfsOptions;

static const struct shape_name types[] = {
    {"bind", DOCKER__SWARMKIT__V1__MOUNT__TYPE__BIND},       {"volume", DOCKER__SWARMKIT__V1__MOUNT__TYPE__VOLUME},
    {"tmpfs", DOCKER__SWARMKIT__V1__MOUNT__TYPE__TMPFS},     {"npipe", DOCKER__SWARMKIT__V1__MOUNT__TYPE__NPIPE},
    {"cluster", DOCKER__SWARMKIT__V1__MOUNT__TYPE__CLUSTER}, {0},
};

static const struct shape_name consistencies[] = {
    {"", DOCKER__SWARMKIT__V1__MOUNT__CONSISTENCY__DEFAULT},
    {"default", DOCKER__SWARMKIT__V1__MOUNT__CONSISTENCY__DEFAULT},
    {"consistent", DOCKER__SWARMKIT__V1__MOUNT__CONSISTENCY__CONSISTENT},
    {"cached", DOCKER__SWARMKIT__V1__MOUNT__CONSISTENCY__CACHED},
    {"delegated", DOCKER__SWARMKIT__V1__MOUNT__CONSISTENCY__DELEGATED},
    {0},
};

static const struct shape_name propagations[] = {
    {"rprivate", DOCKER__SWARMKIT__V1__MOUNT__BIND_OPTIONS__PROPAGATION__RPRIVATE},
    {"private", DOCKER__SWARMKIT__V1__MOUNT__BIND_OPTIONS__PROPAGATION__PRIVATE},
    {"rshared", DOCKER__SWARMKIT__V1__MOUNT__BIND_OPTIONS__PROPAGATION__RSHARED},
    {"shared", DOCKER__SWARMKIT__V1__MOUNT__BIND_OPTIONS__PROPAGATION__SHARED},
    {"rslave", DOCKER__SWARMKIT__V1__MOUNT__BIND_OPTIONS__PROPAGATION__RSLAVE},
    {"slave", DOCKER__SWARMKIT__V1__MOUNT__BIND_OPTIONS__PROPAGATION__SLAVE},
    {0},
};

static const struct shape_member bind_options[] = {
    {.json = "Propagation", .field = "propagation", .names = propagations},
    {.json = "NonRecursive", .field = "nonrecursive"},
    {.json = "CreateMountpoint", .field = "createmountpoint", .since = 42},
    {.json = "ReadOnlyNonRecursive", .field = "readonlynonrecursive", .since = 44},
    {.json = "ReadOnlyForceRecursive", .field = "readonlyforcerecursive", .since = 44},
    {0},
};

static const struct shape_member volume_options[] = {
    {.json = "NoCopy", .field = "nocopy"},
    {.json = "Labels", .field = "labels"},
    {.json = "Subpath", .field = "subpath", .since = 45},
    {.json = "DriverConfig", .field = "driver_config", .shape = swarm_driver},
    {0},
};

/* --- tmpfs options: a list of lists of texts, which the message has as the text of that JSON --- */

static bool is_list_of_lists(const cJSON *options)
{
    const cJSON *option, *word;
    if (!cJSON_IsArray(options))
        return false;
    cJSON_ArrayForEach (option, options) {
        if (!cJSON_IsArray(option))
            return false;
        cJSON_ArrayForEach (word, option)
            if (!cJSON_IsString(word))
                return false;
    }
    return true;
}

static void write_tmpfs_options(const ProtobufCMessage *message, unsigned api_version, cJSON *object)
{
    const char *text = ((const TmpfsOptions *)message)->options;
    struct error ignored; /* who wrote something else there is not understood by Docker either */
    cJSON *options = NULL;
    (void)api_version;
    if (text_empty(text) || json_parse(bytes_of_string(text), API_REQUEST_BODY_BYTES, &options, &ignored) < 0)
        return;
    if (is_list_of_lists(options) && options->child)
        cJSON_AddItemToObject(object, "Options", options);
    else
        cJSON_Delete(options);
}

static int read_tmpfs_options(const struct shape_source *source, ProtobufCMessage *message, struct error *err)
{
    const cJSON *options = shape_get(source, "Options");
    if (options == NULL)
        return 0;
    if (!is_list_of_lists(options))
        return shape_refuse(source, "Options", err, ERR_INVALID, "not a list of lists of texts");
    cleanup_free char *text = json_print(options);
    ((TmpfsOptions *)message)->options = arena_string(source->arena, text);
    return 0;
}

static const struct shape_member tmpfs_options[] = {
    {.json = "SizeBytes", .field = "size_bytes"},
    {.json = "Mode", .field = "mode"},
    {.since = 46, .write = write_tmpfs_options, .read = read_tmpfs_options},
    {0},
};

/* Options that say nothing are none: so does Docker. */
static int drop_empty_bind_options(const struct shape_source *source, ProtobufCMessage *message, struct error *err)
{
    Mount *mount = (Mount *)message;
    const Docker__Swarmkit__V1__Mount__BindOptions *bind = mount->bind_options;
    (void)err;
    if (bind && !bind->nonrecursive && !bind->createmountpoint && !bind->readonlynonrecursive && !bind->readonlyforcerecursive &&
        text_empty(json_string(shape_get(source, "BindOptions"), "Propagation", "")))
        mount->bind_options = NULL;
    return 0;
}

const struct shape_member swarm_mount[] = {
    {.json = "Type", .field = "type", .names = types},
    {.json = "Source", .field = "source"},
    {.json = "Target", .field = "target"},
    {.json = "ReadOnly", .field = "readonly"},
    {.json = "Consistency", .field = "consistency", .names = consistencies},
    {.json = "BindOptions", .field = "bind_options", .shape = bind_options},
    {.json = "VolumeOptions", .field = "volume_options", .shape = volume_options},
    {.json = "TmpfsOptions", .field = "tmpfs_options", .shape = tmpfs_options},
    {.read = drop_empty_bind_options},
    {0},
};
