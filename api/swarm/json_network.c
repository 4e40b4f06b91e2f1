/* api/swarm/json_network.c – see json_network.h, and json_common.h for a network in a task's attachments. */
#include "api/swarm/json_network.h"

#include "api/swarm/docker_time.h"
#include "api/swarm/json_common.h"
#include "base/json.h"
#include "base/text.h"

typedef Docker__Swarmkit__V1__Network Network;
typedef Docker__Swarmkit__V1__NetworkSpec NetworkSpec;
typedef Docker__Swarmkit__V1__IPAMOptions IPAMOptions;

static const char *label(const Docker__Swarmkit__V1__Annotations *annotations, const char *key)
{
    for (size_t i = 0; annotations && i < annotations->n_labels; i++)
        if (text_equal(annotations->labels[i]->key, key))
            return annotations->labels[i]->value;
    return NULL;
}

static bool spec_is_ingress(const NetworkSpec *spec)
{
    return spec && (spec->ingress ||
                    (label(spec->annotations, "com.docker.swarm.internal") != NULL && text_equal(spec->annotations->name, "ingress")));
}

bool swarm_network_is_ingress(const Network *network)
{
    return spec_is_ingress(network->spec);
}

bool swarm_network_is_predefined(const Network *network)
{
    return network->spec && text_equal(label(network->spec->annotations, "com.docker.swarm.predefined"), "true");
}

static const char *config_from(const NetworkSpec *spec)
{
    return spec && spec->config_from_case == DOCKER__SWARMKIT__V1__NETWORK_SPEC__CONFIG_FROM_NETWORK ? spec->network : "";
}

/* --- in a task's attachment --- */

static const struct shape_member ipam_config[] = {
    {.json = "Subnet", .field = "subnet"},
    {.json = "Range", .field = "range"},
    {.json = "Gateway", .field = "gateway"},
    {0},
};

static const struct shape_member ipam_options[] = {
    {.json = "Driver", .field = "driver", .flags = SHAPE_ALWAYS, .shape = swarm_driver},
    {.json = "Configs", .field = "configs", .shape = ipam_config},
    {0},
};

static void write_ingress(const ProtobufCMessage *message, unsigned api_version, cJSON *object)
{
    (void)api_version;
    if (spec_is_ingress((const NetworkSpec *)message))
        cJSON_AddTrueToObject(object, "Ingress");
}

static void write_origin(const ProtobufCMessage *message, unsigned api_version, cJSON *object)
{
    const char *from = config_from((const NetworkSpec *)message);
    (void)api_version;
    if (!text_empty(from))
        cJSON_AddItemToObject(cJSON_AddObjectToObject(object, "ConfigFrom"), "Network", shape_text(from));
    json_add_string(object, "Scope", "swarm");
}

static const struct shape_member attached_spec[] = {
    {.field = "annotations", .flags = SHAPE_INLINE, .shape = swarm_annotations},
    {.json = "DriverConfiguration", .field = "driver_config", .shape = swarm_driver},
    {.json = "IPv6Enabled", .field = "ipv6_enabled"},
    {.json = "Internal", .field = "internal"},
    {.json = "Attachable", .field = "attachable"},
    {.write = write_ingress},
    {.json = "IPAMOptions", .field = "ipam", .shape = ipam_options},
    {.write = write_origin},
    {0},
};

const struct shape_member swarm_network[] = {
    {.json = "ID", .field = "id", .flags = SHAPE_ALWAYS},
    {.field = "meta", .flags = SHAPE_INLINE, .shape = swarm_meta},
    {.json = "Spec", .field = "spec", .flags = SHAPE_ALWAYS, .shape = attached_spec},
    {.json = "DriverState", .field = "driver_state", .flags = SHAPE_ALWAYS, .shape = swarm_driver},
    {.json = "IPAMOptions", .field = "ipam", .shape = ipam_options},
    {0},
};

/* --- by itself --- */

/* A map that Go has as nil where there is nothing in it. */
static void add_map(cJSON *object, const char *name, size_t count, void *const *entries)
{
    cJSON_AddItemToObject(object, name, count > 0 ? shape_map(count, entries) : cJSON_CreateNull());
}

static const struct shape_member listed_config[] = {
    {.json = "Subnet", .field = "subnet"},
    {.json = "IPRange", .field = "range"},
    {.json = "Gateway", .field = "gateway"},
    {.json = "AuxiliaryAddresses", .field = "reserved"},
    {0},
};

static cJSON *listed_ipam(const IPAMOptions *ipam, unsigned api_version)
{
    cJSON *json = cJSON_CreateObject();
    const Docker__Swarmkit__V1__Driver *driver = ipam ? ipam->driver : NULL;
    cJSON_AddItemToObject(json, "Driver", shape_text(driver ? driver->name : ""));
    add_map(json, "Options", driver ? driver->n_options : 0, driver ? (void *const *)driver->options : NULL);
    if (ipam == NULL) {
        cJSON_AddNullToObject(json, "Config");
        return json;
    }
    cJSON *configs = cJSON_AddArrayToObject(json, "Config");
    for (size_t i = 0; i < ipam->n_configs; i++)
        cJSON_AddItemToArray(configs, shape_write(listed_config, &ipam->configs[i]->base, api_version));
    return json;
}

cJSON *swarm_json_network(const Network *network, unsigned api_version)
{
    static const NetworkSpec no_spec = DOCKER__SWARMKIT__V1__NETWORK_SPEC__INIT;
    const NetworkSpec *spec = network->spec ? network->spec : &no_spec;
    const Docker__Swarmkit__V1__Annotations *annotations = spec->annotations;
    const Docker__Swarmkit__V1__Driver *driver = network->driver_state;
    char created[DOCKER_TIME_SIZE];
    docker_time(network->meta ? network->meta->created_at : NULL, created);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddItemToObject(json, "Name", shape_text(annotations ? annotations->name : ""));
    cJSON_AddItemToObject(json, "Id", shape_text(network->id));
    json_add_string(json, "Created", created);
    json_add_string(json, "Scope", "swarm");
    cJSON_AddItemToObject(json, "Driver", shape_text(driver ? driver->name : ""));
    if (api_version >= 48)
        cJSON_AddTrueToObject(json, "EnableIPv4"); /* a swarm's networks always have it */
    cJSON_AddBoolToObject(json, "EnableIPv6", spec->ipv6_enabled);
    cJSON_AddItemToObject(json, "IPAM", listed_ipam(network->ipam, api_version));
    cJSON_AddBoolToObject(json, "Internal", spec->internal);
    cJSON_AddBoolToObject(json, "Attachable", spec->attachable);
    cJSON_AddBoolToObject(json, "Ingress", swarm_network_is_ingress(network));
    cJSON_AddItemToObject(cJSON_AddObjectToObject(json, "ConfigFrom"), "Network", shape_text(config_from(spec)));
    cJSON_AddFalseToObject(json, "ConfigOnly");
    cJSON_AddNullToObject(json, "Containers");
    add_map(json, "Options", driver ? driver->n_options : 0, driver ? (void *const *)driver->options : NULL);
    add_map(json, "Labels", annotations ? annotations->n_labels : 0, annotations ? (void *const *)annotations->labels : NULL);
    return json;
}

/* --- a new one --- */

/* Docker's request has side by side what the message has in a driver. */
static const struct shape_member new_driver[] = {
    {.json = "Driver", .field = "name"},
    {.json = "Options", .field = "options"},
    {0},
};

/* A driver is always given, without a name it is the default one. */
static int default_ipam_driver(const struct shape_source *source, ProtobufCMessage *message, struct error *err)
{
    Docker__Swarmkit__V1__Driver *driver = (Docker__Swarmkit__V1__Driver *)message;
    (void)err;
    if (text_empty(driver->name))
        driver->name = arena_string(source->arena, "default");
    return 0;
}

static const struct shape_member new_ipam_driver[] = {
    {.json = "Driver", .field = "name"},
    {.json = "Options", .field = "options"},
    {.read = default_ipam_driver},
    {0},
};

static const struct shape_member new_ipam[] = {
    {.field = "driver", .flags = SHAPE_INLINE, .shape = new_ipam_driver},
    {.json = "Config", .field = "configs", .shape = listed_config},
    {0},
};

static const struct shape_member config_origin[] = {{.json = "Network", .field = "network"}, {0}};

static const struct shape_member new_network[] = {
    {.field = "annotations", .flags = SHAPE_INLINE, .shape = swarm_annotations},
    {.field = "driver_config", .flags = SHAPE_INLINE, .shape = new_driver},
    {.json = "EnableIPv6", .field = "ipv6_enabled"},
    {.json = "IPAM", .field = "ipam", .shape = new_ipam},
    {.json = "Internal", .field = "internal"},
    {.json = "Attachable", .field = "attachable"},
    {.json = "Ingress", .field = "ingress"},
    {.json = "ConfigFrom", .shape = config_origin},
    {0},
};

int swarm_read_network_spec(const cJSON *json, unsigned api_version, struct arena *arena, Docker__Swarmkit__V1__NetworkSpec **out,
                            struct error *err)
{
    NetworkSpec *spec = shape_new(&docker__swarmkit__v1__network_spec__descriptor, arena);
    int rc = shape_read(new_network, json, "", api_version, arena, &spec->base, err);
    if (rc == 0)
        *out = spec;
    return rc;
}
