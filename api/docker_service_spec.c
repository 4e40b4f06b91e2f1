/* api/docker_service_spec.c – services as they shall be: /services/create, /services/{id}/update. */
#include "api/swarm/json_service.h"
#include "api/swarm/made_name.h"
#include "api/swarm/query.h"
#include "api/swarm/registry_auth.h"
#include "api/swarm/reply.h"
#include "api/swarm_call.h"
#include "base/text.h"

#define PINS_IMAGES_SINCE 30 /* from 1.30 on the client asks the registry for the image's digest; before, the daemon did */

typedef Docker__Swarmkit__V1__NetworkAttachmentConfig Attachment;

/* A change on its way: the networks that it names are looked up one after the other, then it is made. */
struct change {
    Docker__Swarmkit__V1__ServiceSpec *spec;
    Attachment **networks;
    size_t network_count, next;
    swarm_step_fn *make;
    Docker__Swarmkit__V1__UpdateServiceRequest *update;
    enum swarm_auth_from auth_from;
};

static void look_up_next(struct swarm_call *sc);

static void network_found(struct swarm_call *sc, const ProtobufCMessage *network)
{
    struct change *change = sc->own;
    change->networks[change->next++]->target = arena_string(sc->arena, swarm_id(network));
    look_up_next(sc);
}

static void look_up_next(struct swarm_call *sc)
{
    const struct change *change = sc->own;
    if (change->next < change->network_count)
        swarm_find(sc, SWARM_NETWORK, change->networks[change->next]->target, network_found);
    else
        change->make(sc);
}

/* A task's networks, or those of old clients, which are beside the task. */
static int take_networks(struct change *change, struct error *err)
{
    Docker__Swarmkit__V1__ServiceSpec *spec = change->spec;
    change->networks = spec->networks;
    change->network_count = spec->n_networks;
    if (spec->task && spec->task->n_networks > 0) {
        change->networks = spec->task->networks;
        change->network_count = spec->task->n_networks;
    }
    if (change->network_count <= API_SERVICE_NETWORKS_COUNT)
        return 0;
    return error_set(err, ERR_LIMIT, "the service has %zu networks: more than %d", change->network_count, API_SERVICE_NETWORKS_COUNT);
}

static int read_spec(struct swarm_call *sc, struct change *change, struct error *err)
{
    int failed = swarm_read_service_spec(sc->body, sc->version, sc->arena, &change->spec, err);
    return failed < 0 ? failed : take_networks(change, err);
}

static const char *image_of(const Docker__Swarmkit__V1__ServiceSpec *spec)
{
    const Docker__Swarmkit__V1__TaskSpec *task = spec->task;
    return task && task->runtime_case == DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER ? task->container->image : "";
}

/* @id NULL: of an update. */
static void answer_change(struct swarm_call *sc, int status, const char *id)
{
    const struct change *change = sc->own;
    const char *image = image_of(change->spec);
    char *warnings[1];
    size_t count = 0;
    if (sc->version < PINS_IMAGES_SINCE && !text_empty(image) && strchr(image, '@') == NULL)
        warnings[count++] = arena_format(sc->arena, "unable to pin image %s to digest: this manager does not ask registries", image);
    swarm_answer(sc, status, swarm_json_service_reply(id, warnings, count));
}

static const char *auth_header(const struct swarm_call *sc)
{
    return http_request_header(sc->call->ex, "X-Registry-Auth");
}

/* --- create --- */

static void created(struct swarm_call *sc, const ProtobufCMessage *message)
{
    answer_change(sc, 201, swarm_id(swarm_part(message, "service")));
}

static void create(struct swarm_call *sc)
{
    const struct change *change = sc->own;
    Docker__Swarmkit__V1__CreateServiceRequest *request = swarm_request(sc, METHOD_Control_CreateService);
    request->spec = change->spec;
    swarm_is_secret(sc, &request->base);
    swarm_ask(sc, METHOD_Control_CreateService, &request->base, created);
}

static void name_it(struct swarm_call *sc, Docker__Swarmkit__V1__ServiceSpec *spec)
{
    char name[MADE_NAME_SIZE];
    if (!text_empty(spec->annotations->name))
        return;
    made_name(&sc->call->api->options.random, name);
    spec->annotations->name = arena_string(sc->arena, name);
}

static void create_body(struct swarm_call *sc)
{
    struct change *change = arena_alloc(sc->arena, sizeof *change);
    struct error err;
    sc->own = change;
    change->make = create;
    if (read_spec(sc, change, &err) < 0 ||
        swarm_set_registry_auth(change->spec, auth_header(sc), NULL, SWARM_AUTH_FROM_SPEC, sc->arena, &err) < 0) {
        swarm_error(sc, &err);
        return;
    }
    name_it(sc, change->spec);
    look_up_next(sc);
}

void docker_service_create(struct api_call *call)
{
    swarm_call_read(call, create_body);
}

/* --- update --- */

static void updated(struct swarm_call *sc, const ProtobufCMessage *message)
{
    (void)message;
    answer_change(sc, 200, NULL);
}

static void found_to_update(struct swarm_call *sc, const ProtobufCMessage *message)
{
    const Docker__Swarmkit__V1__Service *service = (const void *)message;
    struct change *change = sc->own;
    struct error err;
    if (swarm_set_registry_auth(change->spec, auth_header(sc), service, change->auth_from, sc->arena, &err) < 0) {
        swarm_error(sc, &err);
        return;
    }
    change->update->service_id = arena_string(sc->arena, service->id);
    swarm_ask(sc, METHOD_Control_UpdateService, &change->update->base, updated);
}

static void update(struct swarm_call *sc)
{
    swarm_find_named(sc, SWARM_SERVICE, found_to_update);
}

static int read_update(struct swarm_call *sc, struct change *change, struct error *err)
{
    const struct api_call *call = sc->call;
    uint64_t version;
    int failed = swarm_query_version("service", call_query(call, "version"), &version, err);
    if (failed < 0 || (failed = swarm_query_rollback(call_query(call, "rollback"), &change->update->rollback, err)) < 0 ||
        (failed = swarm_query_auth_from(call_query(call, "registryAuthFrom"), &change->auth_from, err)) < 0)
        return failed;
    swarm_set_version(sc, &change->update->base, "service_version", version);
    return read_spec(sc, change, err);
}

static void update_body(struct swarm_call *sc)
{
    struct change *change = arena_alloc(sc->arena, sizeof *change);
    struct error err;
    sc->own = change;
    change->make = update;
    change->update = swarm_request(sc, METHOD_Control_UpdateService);
    if (read_update(sc, change, &err) < 0) {
        swarm_error(sc, &err);
        return;
    }
    change->update->spec = change->spec;
    swarm_is_secret(sc, &change->update->base);
    look_up_next(sc);
}

void docker_service_update(struct api_call *call)
{
    swarm_call_read(call, update_body);
}
