/* api/docker_services.c – the swarm's services as they are: /services, /services/{id}. Creating and updating is in docker_service_spec.c.
 */
#include "api/swarm/json_service.h"
#include "api/swarm/list_filters.h"
#include "api/swarm/query.h"
#include "api/swarm_call.h"
#include "base/text.h"

#define STATUS_SINCE 41 /* clients before 1.41 do not know it */

typedef Docker__Swarmkit__V1__ListServiceStatusesResponse Statuses;

/* --- list --- */

struct listing {
    struct filters all;
    bool wants_status;
    const Docker__Swarmkit__V1__ListServicesResponse *services; /* kept, where their statuses are asked for */
};

/* They come in the order in which they were asked for. */
static const Docker__Swarmkit__V1__ListServiceStatusesResponse__ServiceStatus *next_status(const Statuses *statuses, size_t *next,
                                                                                           const char *service_id)
{
    if (statuses == NULL || *next >= statuses->n_statuses || !text_equal(statuses->statuses[*next]->service_id, service_id))
        return NULL;
    return statuses->statuses[(*next)++];
}

static void answer_list(struct swarm_call *sc, const Docker__Swarmkit__V1__ListServicesResponse *response, const Statuses *statuses)
{
    const struct listing *listing = sc->own;
    cJSON *list = cJSON_CreateArray();
    size_t next = 0;
    for (size_t i = 0; i < response->n_services; i++) {
        const Docker__Swarmkit__V1__Service *service = response->services[i];
        if (swarm_service_has_mode(service, &listing->all))
            cJSON_AddItemToArray(list, swarm_json_service(service, sc->version, next_status(statuses, &next, service->id)));
    }
    swarm_answer(sc, 200, list);
}

static void statuses_listed(struct swarm_call *sc, const ProtobufCMessage *message)
{
    const struct listing *listing = sc->own;
    answer_list(sc, listing->services, (const void *)message);
}

static void listed(struct swarm_call *sc, const ProtobufCMessage *message)
{
    struct listing *listing = sc->own;
    if (!listing->wants_status) {
        answer_list(sc, (const void *)message, NULL);
        return;
    }
    const Docker__Swarmkit__V1__ListServicesResponse *services = listing->services = swarm_keep(sc, message);
    Docker__Swarmkit__V1__ListServiceStatusesRequest *request = swarm_request(sc, METHOD_Control_ListServiceStatuses);
    request->services = arena_alloc(sc->arena, services->n_services * sizeof *request->services);
    for (size_t i = 0; i < services->n_services; i++)
        if (swarm_service_has_mode(services->services[i], &listing->all))
            request->services[request->n_services++] = services->services[i]->id;
    swarm_ask(sc, METHOD_Control_ListServiceStatuses, &request->base, statuses_listed);
}

void docker_services_list(struct api_call *call)
{
    struct swarm_call *sc = swarm_call_new(call);
    struct listing *listing = arena_alloc(sc->arena, sizeof *listing);
    Docker__Swarmkit__V1__ListServicesRequest *request = swarm_request(sc, METHOD_Control_ListServices);
    const char *status = sc->version < STATUS_SINCE ? NULL : call_query(call, "status");
    struct error err;
    sc->own = listing;
    if (swarm_service_filters(call_query(call, "filters"), sc->arena, &request->filters, &listing->all, &err) < 0 ||
        swarm_query_bool("status", status, &listing->wants_status, &err) < 0)
        swarm_error(sc, &err);
    else
        swarm_ask(sc, METHOD_Control_ListServices, &request->base, listed);
}

/* --- inspect --- */

static void answer_service(struct swarm_call *sc, const ProtobufCMessage *service)
{
    swarm_answer(sc, 200, swarm_json_service((const void *)service, sc->version, NULL));
}

static void got_with_defaults(struct swarm_call *sc, const ProtobufCMessage *message)
{
    const Docker__Swarmkit__V1__GetServiceResponse *response = (const void *)message;
    if (response->service)
        answer_service(sc, &response->service->base);
    else
        swarm_fail(sc, 404, "service %s not found", sc->call->params[0]);
}

static void found_to_fill_in(struct swarm_call *sc, const ProtobufCMessage *service)
{
    Docker__Swarmkit__V1__GetServiceRequest *request = swarm_request(sc, METHOD_Control_GetService);
    swarm_set(&request->base, "service_id", swarm_id(service));
    request->insert_defaults = true;
    swarm_ask(sc, METHOD_Control_GetService, &request->base, got_with_defaults);
}

void docker_service_inspect(struct api_call *call)
{
    struct swarm_call *sc = swarm_call_new(call);
    bool wants_defaults;
    struct error err;
    if (swarm_query_bool("insertDefaults", call_query(call, "insertDefaults"), &wants_defaults, &err) < 0)
        swarm_error(sc, &err);
    else
        swarm_find_named(sc, SWARM_SERVICE, wants_defaults ? found_to_fill_in : answer_service);
}

/* --- remove --- */

void docker_service_remove(struct api_call *call)
{
    swarm_remove(call, SWARM_SERVICE, METHOD_Control_RemoveService, 200);
}
