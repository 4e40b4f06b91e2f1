/* tests/emulated_hcs/network.c – HCN's tables: networks, namespaces, endpoints. Source: hcs.md §7. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emulated_hcs/server.h"
#include "tests/emulated_hcs/tables.h"

struct object *table_objects;

struct object *table_find(const char *kind, const char *id)
{
    for (struct object *o = table_objects; o; o = o->next)
        if (strcmp(o->kind, kind) == 0 && id && strcmp(o->id, id) == 0)
            return o;
    return NULL;
}

static uint32_t missing(const char *kind)
{
    return strcmp(kind, "network") == 0 ? 0x803B0001 : strcmp(kind, "endpoint") == 0 ? 0x803B0002 : 0x80070490;
}

/* The port of a mapping that another endpoint has, or 0. */
static bool port_is_taken(const cJSON *document)
{
    const cJSON *policy, *other;

    cJSON_ArrayForEach (policy, cJSON_GetObjectItem(document, "Policies")) {
        const cJSON *settings = cJSON_GetObjectItem(policy, "Settings");
        double port = member_number(settings, "ExternalPort");
        for (struct object *o = table_objects; o && port != 0; o = o->next)
            cJSON_ArrayForEach (other, cJSON_GetObjectItem(o->document, "Policies")) {
                const cJSON *theirs = cJSON_GetObjectItem(other, "Settings");
                if (member_number(theirs, "ExternalPort") == port &&
                    member_number(theirs, "Protocol") == member_number(settings, "Protocol"))
                    return true;
            }
    }
    return false;
}

static void give_address(struct object *network, cJSON *document)
{
    const cJSON *ipam = cJSON_GetArrayItem(cJSON_GetObjectItem(network->document, "Ipams"), 0);
    const char *prefix = member(cJSON_GetArrayItem(cJSON_GetObjectItem(ipam, "Subnets"), 0), "IpAddressPrefix");
    unsigned a = 10, b = 0, c = 0, d = 0, bits = 24;
    cJSON *list, *item;
    char text[32];

    if (cJSON_GetArraySize(cJSON_GetObjectItem(document, "IpConfigurations")) > 0)
        return;
    sscanf(prefix ? prefix : "172.16.0.0/24", "%u.%u.%u.%u/%u", &a, &b, &c, &d, &bits);
    unsigned host = ((a << 24) | (b << 16) | (c << 8) | d) + 1 + ++network->next_host;
    snprintf(text, sizeof text, "%u.%u.%u.%u", host >> 24, (host >> 16) & 255, (host >> 8) & 255, host & 255);
    cJSON_DeleteItemFromObject(document, "IpConfigurations");
    list = cJSON_AddArrayToObject(document, "IpConfigurations");
    item = cJSON_CreateObject();
    cJSON_AddStringToObject(item, "IpAddress", text);
    cJSON_AddNumberToObject(item, "PrefixLength", bits);
    cJSON_AddItemToArray(list, item);
    snprintf(text, sizeof text, "00-15-5D-00-%02X-%02X", (host >> 8) & 255, host & 255);
    cJSON_AddStringToObject(document, "MacAddress", text);
}

uint32_t table_create(const char *kind, const char *id, const char *network, const char *text)
{
    cJSON *document = text ? cJSON_Parse(text) : NULL;
    struct object *o, *parent = network ? table_find("network", network) : NULL;
    bool is_endpoint = strcmp(kind, "endpoint") == 0;

    if (!document || table_find(kind, id) || (is_endpoint && (!parent || port_is_taken(document)))) {
        uint32_t code = !document ? 0x803B001B : table_find(kind, id) ? 0x803B0010 : !parent ? 0x803B0001 : 0x803B0013;
        cJSON_Delete(document);
        return code;
    }
    cJSON_DeleteItemFromObject(document, "ID");
    cJSON_AddStringToObject(document, "ID", id);
    if (is_endpoint) {
        give_address(parent, document);
        cJSON_DeleteItemFromObject(document, "HostComputeNetwork");
        cJSON_AddStringToObject(document, "HostComputeNetwork", network);
    }
    o = calloc(1, sizeof *o);
    o->kind = text_of(kind);
    o->id = text_of(id);
    o->network = is_endpoint ? text_of(network) : NULL;
    o->document = document;
    o->next = table_objects;
    table_objects = o;
    return 0;
}

uint32_t table_delete(const char *kind, const char *id)
{
    struct object *o = table_find(kind, id);

    if (!o)
        return missing(kind);
    for (struct object *other = table_objects; other; other = other->next)
        if (other->network && strcmp(other->network, id) == 0 && strcmp(kind, "network") == 0)
            return 0x803B002C;
    for (struct object **place = &table_objects; *place; place = &(*place)->next)
        if (*place == o) {
            *place = o->next;
            break;
        }
    cJSON_Delete(o->document);
    free(o->kind);
    free(o->id);
    free(o->network);
    free(o->space);
    free(o);
    return 0;
}

static char *enumerate(const char *kind)
{
    cJSON *list = cJSON_CreateArray();
    char *text;

    for (struct object *o = table_objects; o; o = o->next)
        if (strcmp(o->kind, kind) == 0)
            cJSON_AddItemToArray(list, cJSON_CreateString(o->id));
    text = cJSON_PrintUnformatted(list);
    cJSON_Delete(list);
    return text;
}

static uint32_t modify_namespace(const char *id, const char *text)
{
    cJSON *request = text ? cJSON_Parse(text) : NULL;
    const char *type = member(request, "RequestType"), *endpoint = member(cJSON_GetObjectItem(request, "Settings"), "EndpointId");
    struct object *o = table_find("endpoint", endpoint);
    uint32_t code = !request ? 0x803B001B : !table_find("namespace", id) ? 0x80070490 : !o ? 0x803B0002 : 0;
    bool adds = type && strcmp(type, "Add") == 0;

    if (!code && adds && o->space)
        code = 0x803B002B;
    if (!code) {
        free(o->space);
        o->space = adds ? text_of(id) : NULL;
    }
    cJSON_Delete(request);
    return code;
}

/* A document of schema 1 names its endpoints: the first that there is none of, or NULL. */
const char *network_missing_endpoint(const cJSON *document)
{
    const cJSON *id;

    cJSON_ArrayForEach (id, cJSON_GetObjectItemCaseSensitive(document, "EndpointList"))
        if (!table_find("endpoint", id->valuestring))
            return id->valuestring;
    return NULL;
}

bool network_call(struct request *r, struct answer *answer)
{
    static const char *const verbs[] = {"create", "delete", "enumerate", "query", "open", "modify"};
    const char *kind = member(r->json, "kind"), *id = member(r->json, "id"), *text = member(r->json, "text");
    size_t verb = 0;

    if (strncmp(r->call, "hcn-", 4) != 0 || !kind)
        return false;
    while (verb < 6 && strncmp(r->call + 4, verbs[verb], strlen(verbs[verb])) != 0)
        verb++;
    switch (verb) {
    case 0:
        answer->code = table_create(kind, id, member(r->json, "network"), text);
        break;
    case 1:
        answer->code = table_delete(kind, id);
        break;
    case 2:
        answer->text = enumerate(kind);
        break;
    case 3:
        answer->code = table_find(kind, id) ? 0 : missing(kind);
        answer->text = table_find(kind, id) ? cJSON_PrintUnformatted(table_find(kind, id)->document) : NULL;
        break;
    case 4:
        answer->code = table_find(kind, id) ? 0 : missing(kind);
        break;
    default:
        answer->code = strcmp(kind, "namespace") == 0 ? modify_namespace(id, text) : 0;
        break;
    }
    return true;
}
