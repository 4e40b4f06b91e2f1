/* api/docker_secrets.c – the swarm's secrets and configs: /secrets, /configs and what is below them. Both are the same to the managers, but
 * for what is shown. */
#include "api/swarm/json_config.h"
#include "api/swarm/json_secret.h"
#include "api/swarm/list_filters.h"
#include "api/swarm/query.h"
#include "api/swarm/reply.h"
#include "api/swarm_call.h"

/* What differs. */
struct payload {
    const char *noun, *list_field, *id_field, *version_field;
    enum swarm_kind kind;
    enum method_id list, create, update, remove;
    cJSON *(*show)(const ProtobufCMessage *object, unsigned version);
    int (*filters)(const char *text, struct arena *arena, void *request, struct error *err);
    int (*read)(const struct swarm_call *sc, void **spec, struct error *err);
};

static cJSON *show_secret(const ProtobufCMessage *object, unsigned version)
{
    return swarm_json_secret((const void *)object, version);
}

static int filter_secrets(const char *text, struct arena *arena, void *request, struct error *err)
{
    return swarm_secret_filters(text, arena, &((Docker__Swarmkit__V1__ListSecretsRequest *)request)->filters, err);
}

static int read_secret(const struct swarm_call *sc, void **spec, struct error *err)
{
    Docker__Swarmkit__V1__SecretSpec *read = NULL;
    int failed = swarm_read_secret_spec(sc->body, sc->version, sc->arena, &read, err);
    *spec = read;
    return failed;
}

static cJSON *show_config(const ProtobufCMessage *object, unsigned version)
{
    return swarm_json_config((const void *)object, version);
}

static int filter_configs(const char *text, struct arena *arena, void *request, struct error *err)
{
    return swarm_config_filters(text, arena, &((Docker__Swarmkit__V1__ListConfigsRequest *)request)->filters, err);
}

static int read_config(const struct swarm_call *sc, void **spec, struct error *err)
{
    Docker__Swarmkit__V1__ConfigSpec *read = NULL;
    int failed = swarm_read_config_spec(sc->body, sc->version, sc->arena, &read, err);
    *spec = read;
    return failed;
}

static const struct payload secrets = {
    .noun = "secret",
    .list_field = "secrets",
    .id_field = "secret_id",
    .version_field = "secret_version",
    .kind = SWARM_SECRET,
    .list = METHOD_Control_ListSecrets,
    .create = METHOD_Control_CreateSecret,
    .update = METHOD_Control_UpdateSecret,
    .remove = METHOD_Control_RemoveSecret,
    .show = show_secret,
    .filters = filter_secrets,
    .read = read_secret,
};

static const struct payload configs = {
    .noun = "config",
    .list_field = "configs",
    .id_field = "config_id",
    .version_field = "config_version",
    .kind = SWARM_CONFIG,
    .list = METHOD_Control_ListConfigs,
    .create = METHOD_Control_CreateConfig,
    .update = METHOD_Control_UpdateConfig,
    .remove = METHOD_Control_RemoveConfig,
    .show = show_config,
    .filters = filter_configs,
    .read = read_config,
};

/* One call: of which of the two, and what is asked. */
struct asked {
    const struct payload *payload;
    ProtobufCMessage *request;
};

static struct asked *begin(struct swarm_call *sc, const struct payload *payload, enum method_id method)
{
    struct asked *asked = arena_alloc(sc->arena, sizeof *asked);
    *asked = (struct asked){payload, swarm_request(sc, method)};
    sc->own = asked;
    return asked;
}

/* --- list, inspect --- */

static void listed(struct swarm_call *sc, const ProtobufCMessage *message)
{
    const struct asked *asked = sc->own;
    ProtobufCMessage *const *objects;
    size_t count = swarm_parts(message, asked->payload->list_field, &objects);
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < count; i++)
        cJSON_AddItemToArray(list, asked->payload->show(objects[i], sc->version));
    swarm_answer(sc, 200, list);
}

static void list(struct api_call *call, const struct payload *payload)
{
    struct swarm_call *sc = swarm_call_new(call);
    struct asked *asked = begin(sc, payload, payload->list);
    struct error err;
    if (payload->filters(call_query(call, "filters"), sc->arena, asked->request, &err) < 0)
        swarm_error(sc, &err);
    else
        swarm_ask(sc, payload->list, asked->request, listed);
}

void docker_secrets_list(struct api_call *call)
{
    list(call, &secrets);
}

void docker_configs_list(struct api_call *call)
{
    list(call, &configs);
}

static void secret_found(struct swarm_call *sc, const ProtobufCMessage *secret)
{
    swarm_answer(sc, 200, show_secret(secret, sc->version));
}

void docker_secret_inspect(struct api_call *call)
{
    swarm_find_named(swarm_call_new(call), SWARM_SECRET, secret_found);
}

static void config_found(struct swarm_call *sc, const ProtobufCMessage *config)
{
    swarm_answer(sc, 200, show_config(config, sc->version));
}

void docker_config_inspect(struct api_call *call)
{
    swarm_find_named(swarm_call_new(call), SWARM_CONFIG, config_found);
}

/* --- create, update --- */

/* The body as the request's spec; false: answered. */
static bool read_spec(struct swarm_call *sc)
{
    const struct asked *asked = sc->own;
    struct error err;
    void *spec;
    if (asked->payload->read(sc, &spec, &err) < 0) {
        swarm_error(sc, &err);
        return false;
    }
    swarm_set(asked->request, "spec", spec);
    swarm_is_secret(sc, asked->request);
    return true;
}

static void created(struct swarm_call *sc, const ProtobufCMessage *message)
{
    const struct asked *asked = sc->own;
    swarm_answer(sc, 201, swarm_json_created(swarm_id(swarm_part(message, asked->payload->noun))));
}

static void create(struct swarm_call *sc, const struct payload *payload)
{
    const struct asked *asked = begin(sc, payload, payload->create);
    if (read_spec(sc))
        swarm_ask(sc, payload->create, asked->request, created);
}

static void create_secret(struct swarm_call *sc)
{
    create(sc, &secrets);
}

static void create_config(struct swarm_call *sc)
{
    create(sc, &configs);
}

void docker_secret_create(struct api_call *call)
{
    swarm_call_read(call, create_secret);
}

void docker_config_create(struct api_call *call)
{
    swarm_call_read(call, create_config);
}

static void updated(struct swarm_call *sc, const ProtobufCMessage *message)
{
    (void)message;
    swarm_answer_nothing(sc, 200);
}

static void found_to_update(struct swarm_call *sc, const ProtobufCMessage *object)
{
    const struct asked *asked = sc->own;
    swarm_set(asked->request, asked->payload->id_field, arena_string(sc->arena, swarm_id(object)));
    swarm_ask(sc, asked->payload->update, asked->request, updated);
}

static void update(struct swarm_call *sc, const struct payload *payload)
{
    const struct asked *asked = begin(sc, payload, payload->update);
    uint64_t version;
    struct error err;
    if (swarm_query_version(payload->noun, call_query(sc->call, "version"), &version, &err) < 0) {
        swarm_error(sc, &err);
        return;
    }
    swarm_set_version(sc, asked->request, payload->version_field, version);
    if (read_spec(sc))
        swarm_find_named(sc, payload->kind, found_to_update);
}

static void update_secret(struct swarm_call *sc)
{
    update(sc, &secrets);
}

static void update_config(struct swarm_call *sc)
{
    update(sc, &configs);
}

void docker_secret_update(struct api_call *call)
{
    swarm_call_read(call, update_secret);
}

void docker_config_update(struct api_call *call)
{
    swarm_call_read(call, update_config);
}

/* --- remove --- */

void docker_secret_remove(struct api_call *call)
{
    swarm_remove(call, SWARM_SECRET, secrets.remove, 204);
}

void docker_config_remove(struct api_call *call)
{
    swarm_remove(call, SWARM_CONFIG, configs.remove, 204);
}
