/* runtime/windows/network_hcn.c – HCN through computenetwork.dll, from build 17763 on. hcs.md §7.2–§7.4. */
#include <combaseapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/windows/codes.h"
#include "runtime/windows/host.h"
#include "runtime/windows/network_service.h"

#define QUERY "{\"SchemaVersion\":{\"Major\":2,\"Minor\":0},\"Flags\":0}"

/* A non-empty record is a failure even where the code is none (hcs.md §9.23). */
static int outcome(HRESULT code, PWSTR record, const char *what, struct error *err)
{
    cleanup_free char *text = windows_take(record);

    if (SUCCEEDED(code) && (!text || !text[0]))
        return 0;
    return windows_error(err, what, SUCCEEDED(code) ? 0x80004005 : (uint32_t)code, text);
}

static void add_version(cJSON *json)
{
    cJSON *version = cJSON_AddObjectToObject(json, "SchemaVersion");

    json_add_int(version, "Major", 2);
    json_add_int(version, "Minor", 0);
}

static WCHAR *wide_json(const cJSON *json)
{
    cleanup_free char *text = json_print(json);

    return wide_from_utf8(text);
}

static int check(const struct windows_system *s, struct error *err)
{
    return windows_api_need((const void *)(uintptr_t)s->host->api.network.HcnCreateEndpoint, "computenetwork.dll", "HcnCreateEndpoint",
                            "attach a container to a network", err);
}

/* --- the network --- */

static cJSON *query_network(const struct windows_computenetwork *hcn, HCN_HANDLE network)
{
    cleanup_free WCHAR *query = wide_from_utf8(QUERY);
    PWSTR text = NULL, record = NULL;
    cJSON *json = NULL;

    hcn->HcnQueryNetworkProperties(network, query, &text, &record);
    free(windows_take(record));
    cleanup_free char *narrow = windows_take(text);
    if (narrow)
        json_parse(bytes_of_string(narrow), MIB, &json, NULL);
    return json;
}

/* By its name; *handle NULL when there is none. */
static void find_network(const struct windows_host *host, HCN_HANDLE *handle, cJSON **document)
{
    const struct windows_computenetwork *hcn = &host->api.network;
    cleanup_free WCHAR *query = wide_from_utf8(QUERY);
    PWSTR text = NULL, record = NULL;
    cleanup_json cJSON *ids = NULL;
    const cJSON *id;

    *handle = NULL;
    hcn->HcnEnumerateNetworks(query, &text, &record);
    free(windows_take(record));
    cleanup_free char *narrow = windows_take(text);
    if (!narrow || json_parse(bytes_of_string(narrow), MIB, &ids, NULL) < 0)
        return;
    cJSON_ArrayForEach (id, ids) {
        GUID guid;
        record = NULL;
        if (!cJSON_IsString(id) || !windows_guid_parse(id->valuestring, &guid) || FAILED(hcn->HcnOpenNetwork(&guid, handle, &record))) {
            free(windows_take(record));
            continue;
        }
        *document = query_network(hcn, *handle);
        if (strcmp(json_string(*document, "Name", ""), host->network_name) == 0)
            return;
        cJSON_Delete(steal(document));
        hcn->HcnCloseNetwork(*handle);
        *handle = NULL;
    }
}

static cJSON *network_document(const struct windows_host *host)
{
    cJSON *json = cJSON_CreateObject(), *ipam = cJSON_CreateObject(), *subnet = cJSON_CreateObject(), *route = cJSON_CreateObject();

    json_add_string(json, "Name", host->network_name);
    json_add_string(json, "Type", "NAT");
    cJSON_AddItemToArray(cJSON_AddArrayToObject(json, "Ipams"), ipam);
    json_add_string(ipam, "Type", "Static");
    cJSON_AddItemToArray(cJSON_AddArrayToObject(ipam, "Subnets"), subnet);
    json_add_string(subnet, "IpAddressPrefix", WINDOWS_NETWORK_PREFIX);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(subnet, "Routes"), route);
    json_add_string(route, "NextHop", WINDOWS_NETWORK_GATEWAY);
    json_add_string(route, "DestinationPrefix", "0.0.0.0/0");
    add_version(json);
    return json;
}

static int make_network(const struct windows_host *host, HCN_HANDLE *handle, cJSON **document, struct error *err)
{
    cleanup_json cJSON *json = network_document(host);
    cleanup_free WCHAR *wide = wide_json(json);
    PWSTR record = NULL;
    GUID id;

    CoCreateGuid(&id);
    if (outcome(host->api.network.HcnCreateNetwork(&id, wide, handle, &record), record, "make the network", err) < 0)
        return error_wrap(err, "network %s", host->network_name);
    log_info("runtime", "made the NAT network %s with %s", host->network_name, WINDOWS_NETWORK_PREFIX);
    *document = query_network(&host->api.network, *handle);
    return 0;
}

static const char *gateway_of(const cJSON *network)
{
    const cJSON *ipam = cJSON_GetArrayItem(json_array(network, "Ipams"), 0);
    const cJSON *subnet = cJSON_GetArrayItem(json_array(ipam, "Subnets"), 0);

    return json_string(cJSON_GetArrayItem(json_array(subnet, "Routes"), 0), "NextHop", "");
}

static int open_network(struct windows_host *host, struct windows_network *out, struct error *err)
{
    cleanup_json cJSON *document = NULL;

    find_network(host, &out->handle, &document);
    if (!out->handle && make_network(host, &out->handle, &document, err) < 0)
        return err->code;
    snprintf(out->gateway, sizeof out->gateway, "%s", gateway_of(document));
    return 0;
}

static void close_network(struct windows_host *host, struct windows_network *network)
{
    if (network->handle)
        host->api.network.HcnCloseNetwork(network->handle);
}

/* --- the endpoint --- */

static void add_port(cJSON *policies, const struct document_port *port, uint16_t published)
{
    cJSON *policy = cJSON_CreateObject(), *settings;

    json_add_string(policy, "Type", "PortMapping");
    settings = cJSON_AddObjectToObject(policy, "Settings");
    json_add_int(settings, "Protocol", port->is_udp ? 17 : 6);
    json_add_int(settings, "InternalPort", port->target_port);
    json_add_int(settings, "ExternalPort", published);
    cJSON_AddItemToArray(policies, policy);
}

static cJSON *endpoint_document(const struct windows_system *s, const struct windows_endpoint *endpoint)
{
    const struct document_network *network = &s->document.network;
    cleanup_free char *name = windows_endpoint_name(s);
    cJSON *json = cJSON_CreateObject(), *dns, *list, *policies;

    json_add_string(json, "Name", name);
    policies = cJSON_AddArrayToObject(json, "Policies");
    for (size_t i = 0; i < endpoint->port_count; i++)
        add_port(policies, &network->ports[i], endpoint->published_ports[i]);
    dns = cJSON_AddObjectToObject(json, "Dns");
    list = cJSON_AddArrayToObject(dns, "ServerList");
    for (size_t i = 0; i < network->nameservers.count; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(network->nameservers.items[i]));
    list = cJSON_AddArrayToObject(dns, "Search");
    for (size_t i = 0; i < network->searches.count; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(network->searches.items[i]));
    json_add_int(json, "Flags", 0);
    add_version(json);
    return json;
}

/* Its document is freed by the caller; NULL when it is gone. */
static cJSON *read_endpoint(const struct windows_computenetwork *hcn, HCN_HANDLE handle, struct windows_endpoint *out)
{
    cleanup_free WCHAR *query = wide_from_utf8(QUERY);
    PWSTR text = NULL, record = NULL;
    const cJSON *address;
    cJSON *json = NULL;

    hcn->HcnQueryEndpointProperties(handle, query, &text, &record);
    free(windows_take(record));
    cleanup_free char *narrow = windows_take(text);
    if (!narrow || json_parse(bytes_of_string(narrow), MIB, &json, NULL) < 0)
        return NULL;
    address = cJSON_GetArrayItem(json_array(json, "IpConfigurations"), 0);
    snprintf(out->ip, sizeof out->ip, "%s", json_string(address, "IpAddress", ""));
    out->prefix_bits = (int)json_int(address, "PrefixLength", 0);
    snprintf(out->mac, sizeof out->mac, "%s", json_string(json, "MacAddress", ""));
    return json;
}

static int create_endpoint(struct windows_system *s, const struct windows_network *network, struct windows_endpoint *out, struct error *err)
{
    const struct windows_computenetwork *hcn = &s->host->api.network;
    cleanup_json cJSON *json = endpoint_document(s, out);
    cleanup_free WCHAR *wide = wide_json(json);
    HCN_HANDLE handle = NULL;
    PWSTR record = NULL;
    HRESULT code;
    GUID id;

    CoCreateGuid(&id);
    code = hcn->HcnCreateEndpoint(network->handle, &id, wide, &handle, &record);
    if (outcome(code, record, "make the endpoint", err) < 0) {
        if (windows_is_win32((uint32_t)code, WINDOWS_E_SHARING))
            err->code = ERR_EXISTS; /* a port that is taken */
        return err->code;
    }
    windows_guid_text(&id, out->id);
    cJSON_Delete(read_endpoint(hcn, handle, out));
    hcn->HcnCloseEndpoint(handle);
    return 0;
}

/* --- the namespace --- */

/* Schema 1 has the endpoint itself in its document. */
static int join_namespace(struct windows_system *s, struct windows_endpoint *endpoint, struct error *err)
{
    const struct windows_computenetwork *hcn = &s->host->api.network;
    cleanup_free WCHAR *settings = wide_from_utf8("{\"SchemaVersion\":{\"Major\":2,\"Minor\":0}}"), *request = NULL;
    cleanup_free char *text =
        mem_format("{\"ResourceType\":\"Endpoint\",\"RequestType\":\"Add\",\"Settings\":{\"EndpointId\":\"%s\"}}", endpoint->id);
    HCN_HANDLE handle = NULL;
    PWSTR record = NULL;
    int result;
    GUID id;

    if (s->form != WINDOWS_FORM_2)
        return 0;
    CoCreateGuid(&id);
    if (outcome(hcn->HcnCreateNamespace(&id, settings, &handle, &record), record, "make the namespace", err) < 0)
        return err->code;
    windows_guid_text(&id, endpoint->namespace_id);
    request = wide_from_utf8(text);
    record = NULL;
    result = outcome(hcn->HcnModifyNamespace(handle, request, &record), record, "attach the endpoint", err);
    hcn->HcnCloseNamespace(handle);
    return result;
}

/* --- the end --- */

static void delete_one(HRESULT(WINAPI *delete_it)(REFGUID, PWSTR *), const char *text, const char *id, const char *what)
{
    PWSTR record = NULL;
    HRESULT code;
    GUID guid;

    if (!text[0] || !windows_guid_parse(text, &guid))
        return;
    code = delete_it(&guid, &record);
    free(windows_take(record));
    if (FAILED(code) && !windows_is_hcn((uint32_t)code, 1) && !windows_is_hcn((uint32_t)code, 2) &&
        !windows_is_win32((uint32_t)code, WINDOWS_E_NOT_FOUND))
        log_with(LOG_WARN, "runtime", LOG_FIELDS({"container", id}), "its %s %s stays: 0x%08lx", what, text, (unsigned long)code);
}

static void remove_endpoint(struct windows_host *host, const char *owner, const struct windows_endpoint *endpoint)
{
    const struct windows_computenetwork *hcn = &host->api.network;

    if (hcn->HcnDeleteEndpoint)
        delete_one(hcn->HcnDeleteEndpoint, endpoint->id, owner, "endpoint");
    if (hcn->HcnDeleteNamespace)
        delete_one(hcn->HcnDeleteNamespace, endpoint->namespace_id, owner, "namespace");
}

static void visit_one(struct windows_host *host, const char *id,
                      void (*visit)(struct windows_host *host, const char *name, const struct windows_endpoint *endpoint))
{
    const struct windows_computenetwork *hcn = &host->api.network;
    struct windows_endpoint endpoint = {0};
    cleanup_json cJSON *json = NULL;
    HCN_HANDLE handle = NULL;
    PWSTR record = NULL;
    HRESULT code;
    GUID guid;

    if (!windows_guid_parse(id, &guid))
        return;
    code = hcn->HcnOpenEndpoint(&guid, &handle, &record);
    free(windows_take(record));
    if (FAILED(code)) /* it went meanwhile */
        return;
    json = read_endpoint(hcn, handle, &endpoint);
    hcn->HcnCloseEndpoint(handle);
    snprintf(endpoint.id, sizeof endpoint.id, "%s", id);
    snprintf(endpoint.namespace_id, sizeof endpoint.namespace_id, "%s", json_string(json, "HostComputeNamespace", ""));
    visit(host, json_string(json, "Name", ""), &endpoint);
}

static void each_endpoint(struct windows_host *host,
                          void (*visit)(struct windows_host *host, const char *name, const struct windows_endpoint *endpoint))
{
    cleanup_free WCHAR *query = wide_from_utf8(QUERY);
    PWSTR text = NULL, record = NULL;
    cleanup_json cJSON *ids = NULL;
    const cJSON *id;

    if (!host->api.network.HcnEnumerateEndpoints || !host->api.network.HcnOpenEndpoint)
        return;
    host->api.network.HcnEnumerateEndpoints(query, &text, &record);
    free(windows_take(record));
    cleanup_free char *narrow = windows_take(text);
    if (!narrow || json_parse(bytes_of_string(narrow), MIB, &ids, NULL) < 0) {
        log_warn("runtime", "the network service does not tell which endpoints there are: some of an earlier life may stay");
        return;
    }
    cJSON_ArrayForEach (id, ids)
        if (cJSON_IsString(id))
            visit_one(host, id->valuestring, visit);
}

const struct windows_network_service windows_network_hcn = {
    .check = check,
    .open = open_network,
    .close = close_network,
    .create = create_endpoint,
    .join = join_namespace,
    .remove = remove_endpoint,
    .each = each_endpoint,
};
