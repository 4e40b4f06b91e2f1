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
#include "runtime/windows/timed.h"

/* What the calls of one function of network_service.h read and write, on their own thread: copies, for it may outlive everything else. */
struct job {
    struct windows_timed base;
    struct windows_computenetwork hcn;
    char *network_name, *text, *owner;
    struct windows_network network;
    struct windows_endpoint endpoint;
    struct named_endpoint {
        char *name;
        struct windows_endpoint endpoint;
    } * found;
    size_t found_count;
    int result;
    struct error err;
};

/* Before each call: what is named when it does not return. */
static const struct windows_computenetwork *calling(struct job *job, const char *name)
{
    atomic_store(&job->base.doing, name);
    return &job->hcn;
}

static void end_job(struct windows_timed *base)
{
    struct job *job = (struct job *)base;

    for (size_t i = 0; i < job->found_count; i++)
        free(job->found[i].name);
    free(job->found);
    free(job->network_name);
    free(job->text);
    free(job->owner);
    free(job);
}

static struct job *job_new(const struct windows_host *host, void (*work)(struct windows_timed *), void (*late)(struct windows_timed *))
{
    struct job *job = mem_alloc(sizeof *job);

    *job = (struct job){.base = {.of = WINDOWS_ASKED_HNS, .work = work, .late = late, .end = end_job}, .hcn = host->api.network};
    atomic_store(&job->base.doing, "HCN");
    job->network_name = mem_string(host->network_name);
    return job;
}

/* *job is NULL when its thread has it. What its work failed with, too. */
static int run_job(const struct windows_host *host, struct job **job, DWORD timeout_ms, struct error *err)
{
    int result = windows_timed_run(&(*job)->base, windows_at_most(host, timeout_ms), err);

    if (result == ERR_DEADLINE)
        *job = NULL;
    if (result == 0 && (*job)->result < 0)
        *err = (*job)->err;
    return result < 0 ? result : (*job)->result;
}

int windows_hcn_outcome(HRESULT code, PWSTR record, const char *what, struct error *err)
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

static cJSON *query_network(struct job *job, HCN_HANDLE network)
{
    cleanup_free WCHAR *query = wide_from_utf8(WINDOWS_HCN_QUERY);
    PWSTR text = NULL, record = NULL;
    cJSON *json = NULL;

    calling(job, "HcnQueryNetworkProperties")->HcnQueryNetworkProperties(network, query, &text, &record);
    free(windows_take(record));
    cleanup_free char *narrow = windows_take(text);
    if (narrow)
        json_parse(bytes_of_string(narrow), MIB, &json, NULL);
    return json;
}

static const char *gateway_of(const cJSON *network)
{
    const cJSON *ipam = cJSON_GetArrayItem(json_array(network, "Ipams"), 0);
    const cJSON *subnet = cJSON_GetArrayItem(json_array(ipam, "Subnets"), 0);

    return json_string(cJSON_GetArrayItem(json_array(subnet, "Routes"), 0), "NextHop", "");
}

/* Is it the one that is looked for? Closes the handle. */
static bool take_network(struct job *job, HCN_HANDLE handle, const GUID *id)
{
    cleanup_json cJSON *document = query_network(job, handle);

    job->hcn.HcnCloseNetwork(handle);
    if (strcmp(json_string(document, "Name", ""), job->network_name) != 0)
        return false;
    windows_guid_text(id, job->network.id);
    snprintf(job->network.gateway, sizeof job->network.gateway, "%s", gateway_of(document));
    return true;
}

static bool find_network(struct job *job)
{
    cleanup_free WCHAR *query = wide_from_utf8(WINDOWS_HCN_QUERY);
    PWSTR text = NULL, record = NULL;
    cleanup_json cJSON *ids = NULL;
    const cJSON *id;

    calling(job, "HcnEnumerateNetworks")->HcnEnumerateNetworks(query, &text, &record);
    free(windows_take(record));
    cleanup_free char *narrow = windows_take(text);
    if (!narrow || json_parse(bytes_of_string(narrow), MIB, &ids, NULL) < 0)
        return false;
    cJSON_ArrayForEach (id, ids) {
        HCN_HANDLE handle = NULL;
        HRESULT code;
        GUID guid;
        record = NULL;
        if (!cJSON_IsString(id) || !windows_guid_parse(id->valuestring, &guid))
            continue;
        code = calling(job, "HcnOpenNetwork")->HcnOpenNetwork(&guid, &handle, &record);
        free(windows_take(record));
        if (SUCCEEDED(code) && take_network(job, handle, &guid))
            return true;
    }
    return false;
}

static cJSON *network_document(const struct job *job)
{
    cJSON *json = cJSON_CreateObject(), *ipam = cJSON_CreateObject(), *subnet = cJSON_CreateObject(), *route = cJSON_CreateObject();

    json_add_string(json, "Name", job->network_name);
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

static int make_network(struct job *job)
{
    cleanup_json cJSON *json = network_document(job);
    cleanup_free WCHAR *wide = wide_json(json);
    HCN_HANDLE handle = NULL;
    PWSTR record = NULL;
    HRESULT code;
    GUID id;

    CoCreateGuid(&id);
    code = calling(job, "HcnCreateNetwork")->HcnCreateNetwork(&id, wide, &handle, &record);
    if (windows_hcn_outcome(code, record, "make the network", &job->err) < 0)
        return error_wrap(&job->err, "network %s", job->network_name);
    log_info("runtime", "made the NAT network %s with %s", job->network_name, WINDOWS_NETWORK_PREFIX);
    take_network(job, handle, &id);
    return 0;
}

static void work_open(struct windows_timed *base)
{
    struct job *job = (struct job *)base;

    job->result = find_network(job) ? 0 : make_network(job);
}

/* One that comes late is as good as one in time: the next container finds it. */
static int open_network(struct windows_host *host, struct windows_network *out, struct error *err)
{
    struct job *job = job_new(host, work_open, NULL);
    int result = run_job(host, &job, NETWORK_CALL_MS, err);

    if (result == 0)
        *out = job->network;
    windows_timed_end(job ? &job->base : NULL);
    return result;
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
    cleanup_free char *name = windows_owned_name(s);
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
static cJSON *read_endpoint(struct job *job, HCN_HANDLE handle, struct windows_endpoint *out)
{
    cleanup_free WCHAR *query = wide_from_utf8(WINDOWS_HCN_QUERY);
    PWSTR text = NULL, record = NULL;
    const cJSON *address;
    cJSON *json = NULL;

    calling(job, "HcnQueryEndpointProperties")->HcnQueryEndpointProperties(handle, query, &text, &record);
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

static int open_parent(struct job *job, HCN_HANDLE *out)
{
    PWSTR record = NULL;
    HRESULT code;
    GUID id;

    if (!windows_guid_parse(job->network.id, &id))
        return error_set(&job->err, ERR_NOT_FOUND, "network %s: it has no id", job->network_name);
    code = calling(job, "HcnOpenNetwork")->HcnOpenNetwork(&id, out, &record);
    return windows_hcn_outcome(code, record, "open the network", &job->err);
}

static void work_create(struct windows_timed *base)
{
    struct job *job = (struct job *)base;
    cleanup_free WCHAR *wide = wide_from_utf8(job->text);
    HCN_HANDLE network = NULL, handle = NULL;
    PWSTR record = NULL;
    HRESULT code;
    GUID id;

    if ((job->result = open_parent(job, &network)) < 0)
        return;
    CoCreateGuid(&id);
    code = calling(job, "HcnCreateEndpoint")->HcnCreateEndpoint(network, &id, wide, &handle, &record);
    job->result = windows_hcn_outcome(code, record, "make the endpoint", &job->err);
    if (job->result < 0 && windows_is_win32((uint32_t)code, WINDOWS_E_SHARING))
        job->result = job->err.code = ERR_EXISTS; /* a port that is taken */
    job->hcn.HcnCloseNetwork(network);
    if (job->result < 0)
        return;
    windows_guid_text(&id, job->endpoint.id);
    cJSON_Delete(read_endpoint(job, handle, &job->endpoint));
    job->hcn.HcnCloseEndpoint(handle);
}

static void delete_made(struct windows_timed *base);

static int create_endpoint(struct windows_system *s, const struct windows_network *network, struct windows_endpoint *out, struct error *err)
{
    struct job *job = job_new(s->host, work_create, delete_made);
    cleanup_json cJSON *json = endpoint_document(s, out);
    int result;

    job->text = json_print(json);
    job->owner = mem_string(s->id);
    job->network = *network;
    job->endpoint = *out;
    result = run_job(s->host, &job, NETWORK_CALL_MS, err);
    if (result == 0)
        *out = job->endpoint;
    windows_timed_end(job ? &job->base : NULL);
    return result;
}

/* --- the namespace --- */

static void work_join(struct windows_timed *base)
{
    struct job *job = (struct job *)base;
    cleanup_free WCHAR *settings = wide_from_utf8("{\"SchemaVersion\":{\"Major\":2,\"Minor\":0}}"), *request = wide_from_utf8(job->text);
    HCN_HANDLE handle = NULL;
    PWSTR record = NULL;
    HRESULT code;
    GUID id;

    CoCreateGuid(&id);
    code = calling(job, "HcnCreateNamespace")->HcnCreateNamespace(&id, settings, &handle, &record);
    if ((job->result = windows_hcn_outcome(code, record, "make the namespace", &job->err)) < 0)
        return;
    windows_guid_text(&id, job->endpoint.namespace_id);
    record = NULL;
    code = calling(job, "HcnModifyNamespace")->HcnModifyNamespace(handle, request, &record);
    job->result = windows_hcn_outcome(code, record, "attach the endpoint", &job->err);
    job->hcn.HcnCloseNamespace(handle);
}

/* Schema 1 has the endpoint itself in its document. A namespace that comes late goes with its endpoint. */
static int join_namespace(struct windows_system *s, struct windows_endpoint *endpoint, struct error *err)
{
    struct job *job;
    int result;

    if (s->form != WINDOWS_FORM_2)
        return 0;
    job = job_new(s->host, work_join, delete_made);
    job->text = mem_format("{\"ResourceType\":\"Endpoint\",\"RequestType\":\"Add\",\"Settings\":{\"EndpointId\":\"%s\"}}", endpoint->id);
    job->owner = mem_string(s->id);
    job->endpoint = *endpoint;
    result = run_job(s->host, &job, NETWORK_CALL_MS, err);
    if (job)
        *endpoint = job->endpoint; /* also where the second step failed: it is deleted with the rest */
    windows_timed_end(job ? &job->base : NULL);
    return result;
}

/* --- the end --- */

static void delete_one(HRESULT(WINAPI *delete_it)(REFGUID, PWSTR *), const char *text, const char *owner, const char *what)
{
    PWSTR record = NULL;
    HRESULT code;
    GUID guid;

    if (!delete_it || !text[0] || !windows_guid_parse(text, &guid))
        return;
    code = delete_it(&guid, &record);
    free(windows_take(record));
    if (FAILED(code) && !windows_is_hcn((uint32_t)code, 1) && !windows_is_hcn((uint32_t)code, 2) &&
        !windows_is_win32((uint32_t)code, WINDOWS_E_NOT_FOUND))
        log_with(LOG_WARN, "runtime", LOG_FIELDS({"container", owner}), "its %s %s stays: 0x%08lx", what, text, (unsigned long)code);
}

/* Its work, or what is to be done when its work came late. */
static void delete_made(struct windows_timed *base)
{
    struct job *job = (struct job *)base;

    delete_one(calling(job, "HcnDeleteEndpoint")->HcnDeleteEndpoint, job->endpoint.id, job->owner, "endpoint");
    delete_one(calling(job, "HcnDeleteNamespace")->HcnDeleteNamespace, job->endpoint.namespace_id, job->owner, "namespace");
}

static void remove_endpoint(struct windows_host *host, const char *owner, const struct windows_endpoint *endpoint)
{
    struct job *job = job_new(host, delete_made, NULL);
    struct error err = {0};

    job->owner = mem_string(owner);
    job->endpoint = *endpoint;
    if (run_job(host, &job, NETWORK_DELETE_MS, &err) < 0)
        log_with(LOG_WARN, "runtime", LOG_FIELDS({"container", owner}), "its endpoint %s stays for now: %s", endpoint->id, err.message);
    windows_timed_end(job ? &job->base : NULL);
}

/* --- all of them --- */

static void list_one(struct job *job, const char *id)
{
    struct named_endpoint *out = &job->found[job->found_count];
    cleanup_json cJSON *json = NULL;
    HCN_HANDLE handle = NULL;
    PWSTR record = NULL;
    HRESULT code;
    GUID guid;

    if (!windows_guid_parse(id, &guid))
        return;
    code = calling(job, "HcnOpenEndpoint")->HcnOpenEndpoint(&guid, &handle, &record);
    free(windows_take(record));
    if (FAILED(code)) /* it went meanwhile */
        return;
    json = read_endpoint(job, handle, &out->endpoint);
    job->hcn.HcnCloseEndpoint(handle);
    snprintf(out->endpoint.id, sizeof out->endpoint.id, "%s", id);
    snprintf(out->endpoint.namespace_id, sizeof out->endpoint.namespace_id, "%s", json_string(json, "HostComputeNamespace", ""));
    out->name = mem_string(json_string(json, "Name", ""));
    job->found_count++;
}

static void work_list(struct windows_timed *base)
{
    struct job *job = (struct job *)base;
    cleanup_free WCHAR *query = wide_from_utf8(WINDOWS_HCN_QUERY);
    PWSTR text = NULL, record = NULL;
    cleanup_json cJSON *ids = NULL;
    const cJSON *id;

    calling(job, "HcnEnumerateEndpoints")->HcnEnumerateEndpoints(query, &text, &record);
    free(windows_take(record));
    cleanup_free char *narrow = windows_take(text);
    if (!narrow || json_parse(bytes_of_string(narrow), MIB, &ids, NULL) < 0) {
        job->result = error_set(&job->err, ERR_PEER, "the network service does not tell which endpoints there are");
        return;
    }
    job->found = mem_array((size_t)cJSON_GetArraySize(ids) + 1, sizeof *job->found);
    cJSON_ArrayForEach (id, ids)
        if (cJSON_IsString(id))
            list_one(job, id->valuestring);
}

static void each_endpoint(struct windows_host *host,
                          void (*visit)(struct windows_host *host, const char *name, const struct windows_endpoint *endpoint))
{
    struct error err = {0};
    struct job *job;

    if (!host->api.network.HcnEnumerateEndpoints || !host->api.network.HcnOpenEndpoint)
        return;
    job = job_new(host, work_list, NULL);
    if (run_job(host, &job, NETWORK_DELETE_MS, &err) < 0)
        log_warn("runtime", "endpoints of an earlier life may stay: %s", err.message);
    for (size_t i = 0; job && i < job->found_count; i++)
        visit(host, job->found[i].name, &job->found[i].endpoint);
    windows_timed_end(job ? &job->base : NULL);
}

const struct windows_network_service windows_network_hcn = {
    .check = check,
    .open = open_network,
    .create = create_endpoint,
    .join = join_namespace,
    .remove = remove_endpoint,
    .each = each_endpoint,
};
