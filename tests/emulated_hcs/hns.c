/* tests/emulated_hcs/hns.c – HNSCall's requests over the tables of network.c: HCN's documents in HNS v1's words. Source: hcs.md §7.5. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emulated_hcs/server.h"
#include "tests/emulated_hcs/tables.h"

enum { CREATED_STATE = 1, TCP = 6, UDP = 17 };

static const cJSON *subnet_of(const struct object *network)
{
    const cJSON *ipam = cJSON_GetArrayItem(cJSON_GetObjectItem(network->document, "Ipams"), 0);

    return cJSON_GetArrayItem(cJSON_GetObjectItem(ipam, "Subnets"), 0);
}

static void add_text(cJSON *json, const char *key, const char *value)
{
    cJSON_AddStringToObject(json, key, value ? value : "");
}

/* --- from the tables --- */

static cJSON *show_network(const struct object *o)
{
    cJSON *json = cJSON_CreateObject(), *subnet = cJSON_CreateObject();
    const cJSON *theirs = subnet_of(o);

    add_text(json, "ID", o->id);
    add_text(json, "Name", member(o->document, "Name"));
    add_text(json, "Type", "nat");
    cJSON_AddItemToArray(cJSON_AddArrayToObject(json, "Subnets"), subnet);
    add_text(subnet, "AddressPrefix", member(theirs, "IpAddressPrefix"));
    add_text(subnet, "GatewayAddress", member(cJSON_GetArrayItem(cJSON_GetObjectItem(theirs, "Routes"), 0), "NextHop"));
    return json;
}

static cJSON *show_policy(const cJSON *mapping)
{
    const cJSON *settings = cJSON_GetObjectItem(mapping, "Settings");
    cJSON *json = cJSON_CreateObject();

    add_text(json, "Type", "NAT");
    add_text(json, "Protocol", member_number(settings, "Protocol") == UDP ? "UDP" : "TCP");
    cJSON_AddNumberToObject(json, "InternalPort", member_number(settings, "InternalPort"));
    cJSON_AddNumberToObject(json, "ExternalPort", member_number(settings, "ExternalPort"));
    return json;
}

static cJSON *show_endpoint(const struct object *o)
{
    const cJSON *address = cJSON_GetArrayItem(cJSON_GetObjectItem(o->document, "IpConfigurations"), 0), *mapping, *server;
    const struct object *network = table_find("network", o->network);
    cJSON *json = cJSON_CreateObject(), *policies = cJSON_AddArrayToObject(json, "Policies");
    char servers[256] = "";

    add_text(json, "ID", o->id);
    add_text(json, "Name", member(o->document, "Name"));
    add_text(json, "VirtualNetwork", o->network);
    add_text(json, "IPAddress", member(address, "IpAddress"));
    cJSON_AddNumberToObject(json, "PrefixLength", member_number(address, "PrefixLength"));
    add_text(json, "MacAddress", member(o->document, "MacAddress"));
    add_text(json, "GatewayAddress",
             network ? member(cJSON_GetArrayItem(cJSON_GetObjectItem(subnet_of(network), "Routes"), 0), "NextHop") : NULL);
    cJSON_ArrayForEach (server, cJSON_GetObjectItem(cJSON_GetObjectItem(o->document, "Dns"), "ServerList"))
        snprintf(servers + strlen(servers), sizeof servers - strlen(servers), "%s%s", servers[0] ? "," : "", server->valuestring);
    add_text(json, "DNSServerList", servers);
    add_text(json, "DNSSuffix", member(cJSON_GetObjectItem(o->document, "Dns"), "Domain"));
    cJSON_AddNumberToObject(json, "State", CREATED_STATE);
    cJSON_ArrayForEach (mapping, cJSON_GetObjectItem(o->document, "Policies"))
        cJSON_AddItemToArray(policies, show_policy(mapping));
    return json;
}

static cJSON *show(const struct object *o)
{
    return strcmp(o->kind, "network") == 0 ? show_network(o) : show_endpoint(o);
}

/* --- into the tables --- */

static cJSON *read_network(const cJSON *json)
{
    const cJSON *theirs = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "Subnets"), 0);
    cJSON *document = cJSON_CreateObject(), *ipam = cJSON_CreateObject(), *subnet = cJSON_CreateObject(), *route = cJSON_CreateObject();

    add_text(document, "Name", member(json, "Name"));
    add_text(document, "Type", "NAT");
    cJSON_AddItemToArray(cJSON_AddArrayToObject(document, "Ipams"), ipam);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(ipam, "Subnets"), subnet);
    add_text(subnet, "IpAddressPrefix", member(theirs, "AddressPrefix"));
    cJSON_AddItemToArray(cJSON_AddArrayToObject(subnet, "Routes"), route);
    add_text(route, "NextHop", member(theirs, "GatewayAddress"));
    return document;
}

static cJSON *read_endpoint(const cJSON *json)
{
    cJSON *document = cJSON_CreateObject(), *policies = cJSON_AddArrayToObject(document, "Policies");
    cJSON *dns = cJSON_AddObjectToObject(document, "Dns"), *servers = cJSON_AddArrayToObject(dns, "ServerList");
    char *list = text_of(member(json, "DNSServerList") ? member(json, "DNSServerList") : "");
    const cJSON *policy;

    add_text(document, "Name", member(json, "Name"));
    add_text(dns, "Domain", member(json, "DNSSuffix"));
    for (char *server = strtok(list, ","); server; server = strtok(NULL, ","))
        cJSON_AddItemToArray(servers, cJSON_CreateString(server));
    free(list);
    cJSON_ArrayForEach (policy, cJSON_GetObjectItem(json, "Policies")) {
        const char *protocol = member(policy, "Protocol");
        cJSON *mapping = cJSON_CreateObject(), *settings = cJSON_AddObjectToObject(mapping, "Settings");
        add_text(mapping, "Type", "PortMapping");
        cJSON_AddNumberToObject(settings, "Protocol", protocol && strcmp(protocol, "UDP") == 0 ? UDP : TCP);
        cJSON_AddNumberToObject(settings, "InternalPort", member_number(policy, "InternalPort"));
        cJSON_AddNumberToObject(settings, "ExternalPort", member_number(policy, "ExternalPort"));
        cJSON_AddItemToArray(policies, mapping);
    }
    return document;
}

/* What HNS would refuse: NULL when all is well. */
static const char *problem_of(const char *kind, const cJSON *json)
{
    const cJSON *policy;

    if (!cJSON_IsObject(json))
        return "Invalid JSON document string.";
    if (strcmp(kind, "network") == 0) {
        const cJSON *subnet = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "Subnets"), 0);
        bool is_nat = member(json, "Type") && _stricmp(member(json, "Type"), "nat") == 0;
        return is_nat && member(subnet, "AddressPrefix") && member(subnet, "GatewayAddress") ? NULL : "The parameter is incorrect.";
    }
    cJSON_ArrayForEach (policy, cJSON_GetObjectItem(json, "Policies"))
        if (!member(policy, "Type") || strcmp(member(policy, "Type"), "NAT") != 0 || !member(policy, "Protocol"))
            return "The policy is invalid.";
    return NULL;
}

static const char *words_of(uint32_t code)
{
    switch (code) {
    case 0x803B0001:
    case 0x803B0002:
        return "The object identifier does not represent a valid object.";
    case 0x803B0010:
    case 0x803B0013:
        return "The object already exists.";
    default:
        return code ? "Unspecified error" : NULL;
    }
}

static const char *post(const char *kind, const char *text, cJSON **output)
{
    static unsigned last;
    cJSON *json = text ? cJSON_Parse(text) : NULL, *document;
    const char *why = problem_of(kind, json);
    char *id = text_format("a5e1%04x-0000-4000-8000-%012x", last, last), *converted;

    last++;
    if (!why) {
        document = strcmp(kind, "network") == 0 ? read_network(json) : read_endpoint(json);
        converted = cJSON_PrintUnformatted(document);
        why = words_of(table_create(kind, id, member(json, "VirtualNetwork"), converted));
        free(converted);
        cJSON_Delete(document);
    }
    if (!why)
        *output = show(table_find(kind, id));
    free(id);
    cJSON_Delete(json);
    return why;
}

static const char *get(const char *kind, const char *id, cJSON **output)
{
    struct object *one = id[0] ? table_find(kind, id) : NULL;

    if (id[0] && !one)
        return words_of(0x803B0001);
    if (one) {
        *output = show(one);
        return NULL;
    }
    *output = cJSON_CreateArray();
    for (struct object *o = table_objects; o; o = o->next)
        if (strcmp(o->kind, kind) == 0)
            cJSON_AddItemToArray(*output, show(o));
    return NULL;
}

/* "hns-get-networks" with its path "/networks/ID". */
bool hns_call(struct request *r, struct answer *answer)
{
    const char *path = member(r->json, "path"), *id = path && path[0] ? strchr(path + 1, '/') : NULL, *why = "Invalid method.";
    const char *kind = path && strncmp(path, "/networks/", 10) == 0 ? "network" : "endpoint";
    cJSON *json, *output = NULL;

    if (strncmp(r->call, "hns-", 4) != 0)
        return false;
    id = id ? id + 1 : "";
    if (path && strcmp(path, "/globals/version") == 0) {
        why = NULL;
        output = cJSON_Parse("{\"Major\":13,\"Minor\":4}");
    } else if (!path || (strncmp(path, "/networks/", 10) != 0 && strncmp(path, "/endpoints/", 11) != 0))
        why = "The path is not known to the emulated HNS.";
    else if (strncmp(r->call, "hns-get-", 8) == 0)
        why = get(kind, id, &output);
    else if (strncmp(r->call, "hns-post-", 9) == 0 && !id[0])
        why = post(kind, member(r->json, "text"), &output);
    else if (strncmp(r->call, "hns-delete-", 11) == 0)
        why = words_of(table_delete(kind, id));
    json = cJSON_CreateObject();
    cJSON_AddBoolToObject(json, "Success", why == NULL);
    if (why)
        cJSON_AddStringToObject(json, "Error", why);
    if (output)
        cJSON_AddItemToObject(json, "Output", output);
    answer->text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    return true;
}
