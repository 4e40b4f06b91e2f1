/* api/docker_networks.c – networks: those of the swarm, and on a manager those that every node has for its containers. A node that is no
 * manager shows none. */
#include <string.h>

#include "api/swarm/json_network.h"
#include "api/swarm/list_filters.h"
#include "api/swarm/reply.h"
#include "api/swarm_call.h"
#include "base/encode.h"
#include "base/text.h"

/* --- the node's own --- */

struct own_network {
    const char *name, *driver;
};

static const struct own_network linux_networks[] = {{"bridge", "bridge"}, {"host", "host"}, {"none", "null"}, {0}};
static const struct own_network windows_networks[] = {{"nat", "nat"}, {"none", "null"}, {0}};

static const struct own_network *own_networks(const struct api *api)
{
    struct hcs_host host;
    hcs_probe(api->options.hcs, &host);
    return text_equal(host.os, "windows") ? windows_networks : linux_networks;
}

/* The same for as long as the node has its name. */
static const char *own_id(const struct api_call *call, const struct own_network *network)
{
    uint8_t digest[SHA256_SIZE_BYTES];
    char *hex = arena_alloc(call->arena, 2 * sizeof digest + 1);
    sha256(bytes_of_string(arena_format(call->arena, "network/%s/%s", call->api->options.hostname, network->name)), digest);
    encode_hex(bytes_of(digest, sizeof digest), hex);
    return hex;
}

static cJSON *own_json(const struct api_call *call, const struct own_network *network)
{
    cJSON *json = cJSON_CreateObject();
    json_add_string(json, "Name", network->name);
    json_add_string(json, "Id", own_id(call, network));
    json_add_string(json, "Created", "0001-01-01T00:00:00Z");
    json_add_string(json, "Scope", "local");
    json_add_string(json, "Driver", network->driver);
    cJSON_AddFalseToObject(json, "EnableIPv6");
    cJSON *ipam = cJSON_AddObjectToObject(json, "IPAM");
    json_add_string(ipam, "Driver", "default");
    cJSON_AddNullToObject(ipam, "Options");
    cJSON_AddArrayToObject(ipam, "Config");
    cJSON_AddFalseToObject(json, "Internal");
    cJSON_AddFalseToObject(json, "Attachable");
    cJSON_AddFalseToObject(json, "Ingress");
    json_add_string(cJSON_AddObjectToObject(json, "ConfigFrom"), "Network", "");
    cJSON_AddFalseToObject(json, "ConfigOnly");
    cJSON_AddObjectToObject(json, "Containers");
    cJSON_AddObjectToObject(json, "Options");
    cJSON_AddObjectToObject(json, "Labels");
    return json;
}

static bool name_matches(const void *subject, const char *value)
{
    return filters_match_name(value, subject);
}

static bool is_asked_for_dangling(const struct filters *filters)
{
    return filters_have(filters, "dangling") &&
           (filters_allow_exactly(filters, "dangling", "true") || filters_allow_exactly(filters, "dangling", "1"));
}

static bool own_matches(const struct api_call *call, const struct own_network *network, const struct filters *filters)
{
    return filters_allow_exactly(filters, "driver", network->driver) && filters_allow_exactly(filters, "scope", "local") &&
           filters_allow_exactly(filters, "type", "builtin") && filters_allow(filters, "name", name_matches, network->name) &&
           filters_allow(filters, "id", name_matches, own_id(call, network)) && !filters_have(filters, "label") &&
           !is_asked_for_dangling(filters);
}

/* By id, by name, or as the only one whose id begins so. */
static const struct own_network *find_own(const struct api_call *call, const char *text)
{
    const struct own_network *networks = own_networks(call->api), *begins = NULL;
    size_t count = 0;
    for (const struct own_network *network = networks; network->name; network++) {
        const char *id = own_id(call, network);
        if (text_equal(id, text) || text_equal(network->name, text))
            return network;
        if (text_starts(id, text)) {
            begins = network;
            count++;
        }
    }
    return count == 1 ? begins : NULL;
}

/* --- list --- */

/* As with dockerd, what the swarm cannot say just now is left out. Who uses a network is not in it: none is called dangling. */
static void listed(struct swarm_call *sc, const struct control_answer *answer)
{
    const struct filters *filters = sc->own;
    const Docker__Swarmkit__V1__ListNetworksResponse *response = (const void *)answer->response;
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; response && i < response->n_networks; i++)
        if (!swarm_network_is_predefined(response->networks[i]) && swarm_network_matches(response->networks[i], filters) &&
            !is_asked_for_dangling(filters))
            cJSON_AddItemToArray(list, swarm_json_network(response->networks[i], sc->version));
    for (const struct own_network *network = own_networks(sc->call->api); network->name; network++)
        if (own_matches(sc->call, network, filters))
            cJSON_AddItemToArray(list, own_json(sc->call, network));
    swarm_answer(sc, 200, list);
}

void docker_networks_list(struct api_call *call)
{
    if (!swarm_is_manager(call->api)) {
        call_json(call, 200, cJSON_CreateArray());
        return;
    }
    struct swarm_call *sc = swarm_call_new(call);
    struct filters *filters = arena_alloc(sc->arena, sizeof *filters);
    struct error err;
    sc->own = filters;
    if (swarm_network_filters(call_query(call, "filters"), sc->arena, filters, &err) < 0)
        swarm_error(sc, &err);
    else
        swarm_try(sc, METHOD_Control_ListNetworks, swarm_request(sc, METHOD_Control_ListNetworks), listed);
}

/* --- inspect --- */

static bool has_scope(const struct api_call *call, const char *scope)
{
    const char *wanted = call_query(call, "scope");
    return text_empty(wanted) || text_equal(wanted, scope);
}

/* A stand-in for a network of the nodes' own is shown to who asks for it as one of the swarm: `docker service create --network host`. */
static void found_to_show(struct swarm_call *sc, const ProtobufCMessage *message)
{
    const Docker__Swarmkit__V1__Network *network = (const void *)message;
    const char *text = sc->call->params[0];
    if (swarm_network_is_predefined(network) && !text_starts(network->id, text) && !text_equal(call_query(sc->call, "scope"), "swarm"))
        swarm_fail(sc, 404, "network %s not found", text);
    else
        swarm_answer(sc, 200, swarm_json_network(network, sc->version));
}

void docker_network_inspect(struct api_call *call)
{
    bool is_manager = swarm_is_manager(call->api);
    const struct own_network *own = is_manager && has_scope(call, "local") ? find_own(call, call->params[0]) : NULL;
    if (own)
        call_json(call, 200, own_json(call, own));
    else if (is_manager && has_scope(call, "swarm"))
        swarm_find_named(swarm_call_new(call), SWARM_NETWORK, found_to_show);
    else
        call_fail(call, 404, "network %s not found", call->params[0]);
}

/* --- create, remove --- */

static void created(struct swarm_call *sc, const ProtobufCMessage *message)
{
    swarm_answer(sc, 201, swarm_json_network_created(swarm_id(swarm_part(message, "network"))));
}

static void create_body(struct swarm_call *sc)
{
    Docker__Swarmkit__V1__CreateNetworkRequest *request = swarm_request(sc, METHOD_Control_CreateNetwork);
    struct error err;
    if (!text_equal(json_string(sc->body, "Driver", ""), "overlay") && !text_equal(json_string(sc->body, "Scope", ""), "swarm"))
        swarm_fail(sc, 501, "this is a Skep node: beside the networks that it has, it does not make any of its own");
    else if (swarm_read_network_spec(sc->body, sc->version, sc->arena, &request->spec, &err) < 0)
        swarm_error(sc, &err);
    else
        swarm_ask(sc, METHOD_Control_CreateNetwork, &request->base, created);
}

void docker_network_create(struct api_call *call)
{
    if (swarm_is_manager(call->api))
        swarm_call_read(call, create_body);
    else
        docker_unsupported(call);
}

void docker_network_remove(struct api_call *call)
{
    bool is_manager = swarm_is_manager(call->api);
    const struct own_network *own = is_manager ? find_own(call, call->params[0]) : NULL;
    if (own)
        call_fail(call, 403, "%s is a pre-defined network and cannot be removed", own->name);
    else if (is_manager)
        swarm_remove(call, SWARM_NETWORK, METHOD_Control_RemoveNetwork, 204);
    else
        call_fail(call, 404, "network %s not found", call->params[0]);
}
