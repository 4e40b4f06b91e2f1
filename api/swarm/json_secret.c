/* api/swarm/json_secret.c – see json_secret.h. */
#include "api/swarm/json_secret.h"

#include "api/swarm/json_common.h"
#include "proto/message.h"

static const struct shape_member spec[] = {
    {.field = "annotations", .flags = SHAPE_INLINE, .shape = swarm_annotations},
    {.json = "Data", .field = "data", .flags = SHAPE_ONLY_READ},
    {.json = "Driver", .field = "driver", .shape = swarm_driver},
    {.json = "Templating", .field = "templating", .shape = swarm_driver},
    {0},
};

static const struct shape_member secret_shape[] = {
    {.json = "ID", .field = "id", .flags = SHAPE_ALWAYS},
    {.field = "meta", .flags = SHAPE_INLINE, .shape = swarm_meta},
    {.json = "Spec", .field = "spec", .flags = SHAPE_ALWAYS, .shape = spec},
    {0},
};

cJSON *swarm_json_secret(const Docker__Swarmkit__V1__Secret *secret, unsigned api_version)
{
    return shape_write(secret_shape, &secret->base, api_version);
}

int swarm_read_secret_spec(const cJSON *json, unsigned api_version, struct arena *arena, Docker__Swarmkit__V1__SecretSpec **out,
                           struct error *err)
{
    Docker__Swarmkit__V1__SecretSpec *read = shape_new(&docker__swarmkit__v1__secret_spec__descriptor, arena);
    int rc = shape_read(spec, json, "Spec", api_version, arena, &read->base, err);
    if (rc == 0 && read->templating && api_version < 37)
        rc = error_set(err, ERR_INVALID, "Spec.Templating: secret templating is not supported on the specified API version: 1.%u",
                       api_version);
    if (rc < 0)
        message_wipe(&read->base);
    else
        *out = read;
    return rc;
}
