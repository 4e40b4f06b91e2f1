/* runtime/windows/hns.c – see hns.h. */
#include "runtime/windows/hns.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/windows/codes.h"

enum { ANSWER_SIZE_BYTES = 4 * MIB, WIN32_OBJECT_EXISTS = 0x1392, HCN_PORT_EXISTS = 0x13 };

/* --- answers --- */

static int code_of_words(const char *said)
{
    static const struct {
        const char *words;
        int code;
    } known[] = {{"does not represent a valid object", ERR_NOT_FOUND},
                 {"already exists", ERR_EXISTS},
                 {"being used by another process", ERR_EXISTS},
                 {"(0x20)", ERR_EXISTS}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strstr(said, known[i].words))
            return known[i].code;
    return ERR_PEER;
}

int windows_hns_read(const char *text, const char *what, cJSON **output, struct error *err)
{
    cleanup_json cJSON *json = NULL;

    *output = NULL;
    if (!text || json_parse(bytes_of_string(text), ANSWER_SIZE_BYTES, &json, NULL) < 0 || !cJSON_IsObject(json))
        return error_set(err, ERR_PEER, "%s: the host's network service (HNS) gave no answer that can be read", what);
    if (!json_bool(json, "Success", false)) {
        const char *said = json_string(json, "Error", "");
        return error_set(err, code_of_words(said), "%s: the host's network service (HNS) refused: %s", what,
                         said[0] ? said : "it did not say why; look at the host's Host-Network-Service event log");
    }
    *output = cJSON_DetachItemFromObjectCaseSensitive(json, "Output");
    return 0;
}

bool windows_hns_is_taken(uint32_t code)
{
    return windows_is_win32(code, WINDOWS_E_SHARING) || windows_is_win32(code, WIN32_OBJECT_EXISTS) ||
           windows_is_hcn(code, HCN_PORT_EXISTS);
}

const cJSON *windows_hns_find(const cJSON *networks, const char *name)
{
    const cJSON *network;

    cJSON_ArrayForEach (network, networks)
        if (strcmp(json_string(network, "Name", ""), name) == 0)
            return network;
    return NULL;
}

const char *windows_hns_gateway(const cJSON *network)
{
    return json_string(cJSON_GetArrayItem(json_array(network, "Subnets"), 0), "GatewayAddress", "");
}

int windows_hns_read_endpoint(const cJSON *json, struct windows_endpoint *out, struct error *err)
{
    const char *id = json_string(json, "ID", "");

    if (!id[0] || strlen(id) >= sizeof out->id)
        return error_set(err, ERR_PEER, "make the endpoint: the host's network service (HNS) gave it no id");
    snprintf(out->id, sizeof out->id, "%s", id);
    snprintf(out->ip, sizeof out->ip, "%s", json_string(json, "IPAddress", ""));
    snprintf(out->gateway, sizeof out->gateway, "%s", json_string(json, "GatewayAddress", ""));
    snprintf(out->mac, sizeof out->mac, "%s", json_string(json, "MacAddress", ""));
    out->prefix_bits = (int)json_int(json, "PrefixLength", 0);
    return 0;
}

/* --- requests --- */

cJSON *windows_hns_network(const char *name, const char *prefix, const char *gateway)
{
    cJSON *json = cJSON_CreateObject(), *subnet = cJSON_CreateObject();

    json_add_string(json, "Name", name);
    json_add_string(json, "Type", "nat");
    cJSON_AddItemToArray(cJSON_AddArrayToObject(json, "Subnets"), subnet);
    json_add_string(subnet, "AddressPrefix", prefix);
    json_add_string(subnet, "GatewayAddress", gateway);
    return json;
}

/* ExternalPortReserved is left away: it would say that we hold the port already, and HNS is to find out. */
static void add_port(cJSON *policies, const struct document_port *port, uint16_t published)
{
    cJSON *policy = cJSON_CreateObject();

    json_add_string(policy, "Type", "NAT");
    json_add_string(policy, "Protocol", port->is_udp ? "UDP" : "TCP");
    json_add_int(policy, "InternalPort", port->target_port);
    json_add_int(policy, "ExternalPort", published);
    cJSON_AddItemToArray(policies, policy);
}

static void add_servers(cJSON *json, const struct document_strings *servers)
{
    cleanup_buf struct buf list = {0};

    for (size_t i = 0; i < servers->count; i++)
        buf_append_format(&list, "%s%s", i ? "," : "", servers->items[i]);
    if (list.size)
        json_add_string(json, "DNSServerList", (const char *)list.data);
}

/* The whole search list goes into the container's own document (encode_form_1.c); an endpoint has one suffix. */
cJSON *windows_hns_endpoint(const char *name, const char *network_id, const struct document_network *wanted,
                            const struct windows_endpoint *endpoint)
{
    cJSON *json = cJSON_CreateObject(), *policies;

    json_add_string(json, "Name", name);
    json_add_string(json, "VirtualNetwork", network_id);
    add_servers(json, &wanted->nameservers);
    if (wanted->searches.count > 0)
        json_add_string(json, "DNSSuffix", wanted->searches.items[0]);
    policies = cJSON_AddArrayToObject(json, "Policies");
    for (size_t i = 0; i < endpoint->port_count; i++)
        add_port(policies, &wanted->ports[i], endpoint->published_ports[i]);
    return json;
}
