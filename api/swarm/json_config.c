/* api/swarm/json_config.c – see json_config.h. */
#include "api/swarm/json_config.h"

#include "api/swarm/json_common.h"

static const struct shape_member spec[] = {
    {.field = "annotations", .flags = SHAPE_INLINE, .shape = swarm_annotations},
    {.json = "Data", .field = "data"},
    {.json = "Templating", .field = "templating", .shape = swarm_driver},
    {0},
};

static const struct shape_member config_shape[] = {
    {.json = "ID", .field = "id", .flags = SHAPE_ALWAYS},
    {.field = "meta", .flags = SHAPE_INLINE, .shape = swarm_meta},
    {.json = "Spec", .field = "spec", .flags = SHAPE_ALWAYS, .shape = spec},
    {0},
};

cJSON *swarm_json_config(const Docker__Swarmkit__V1__Config *config, unsigned api_version)
{
    return shape_write(config_shape, &config->base, api_version);
}

int swarm_read_config_spec(const cJSON *json, unsigned api_version, struct arena *arena, Docker__Swarmkit__V1__ConfigSpec **out,
                           struct error *err)
{
    Docker__Swarmkit__V1__ConfigSpec *read = shape_new(&docker__swarmkit__v1__config_spec__descriptor, arena);
    int rc = shape_read(spec, json, "Spec", api_version, arena, &read->base, err);
    if (rc == 0 && read->templating && api_version < 37)
        return error_set(err, ERR_INVALID, "Spec.Templating: config templating is not supported on the specified API version: 1.%u",
                         api_version);
    if (rc == 0)
        *out = read;
    return rc;
}
