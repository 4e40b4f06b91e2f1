/* tests/emulated_hcs/guard.c – credential guards for group managed service accounts, and the service's own properties. Source: hcs.md §3.8,
 * §3.9. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emulated_hcs/server.h"

struct guard {
    struct guard *next;
    char *id, *spec, *transport, *cookie, *service;
};

static struct guard *guards;

static const char *const settings_shape[] = {"o", "",
                                             "s", "PropertyType",
                                             "o", "Settings",
                                             "s", "Settings.Operation",
                                             "o", "Settings.OperationDetails",
                                             "s", "Settings.OperationDetails.Id",
                                             "s", "Settings.OperationDetails.CredentialSpec",
                                             "s", "Settings.OperationDetails.Transport",
                                             NULL};

static struct guard **find(const char *key, bool is_cookie)
{
    struct guard **place = &guards;

    while (*place && (!key || strcmp(is_cookie ? (*place)->cookie : (*place)->id, key) != 0))
        place = &(*place)->next;
    return place;
}

static bool is_spec(const char *text)
{
    cJSON *json = text ? cJSON_Parse(text) : NULL;
    bool is_one = cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(json, "DomainJoinConfig")) &&
                  cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(json, "ActiveDirectoryConfig"));

    cJSON_Delete(json);
    return is_one;
}

static uint32_t add(const char *id, const char *spec, const char *transport)
{
    static unsigned number;
    struct guard *g;

    if (!id || !transport || (strcmp(transport, "LRPC") != 0 && strcmp(transport, "HvSocket") != 0) || !is_spec(spec))
        return FROM_WIN32(0x57);
    if (*find(id, false))
        return FROM_WIN32(0xB7);
    g = calloc(1, sizeof *g);
    g->id = text_of(id);
    g->spec = text_of(spec);
    g->transport = text_of(transport);
    g->cookie = text_format("cookie-%u", ++number);
    g->service = text_format("9c2f0000-0000-4000-8000-%012x", number);
    g->next = guards;
    guards = g;
    return 0;
}

static uint32_t drop(const char *id)
{
    struct guard **place = find(id, false), *g = *place;

    if (!g)
        return FROM_WIN32(0x490);
    *place = g->next;
    free(g->id);
    free(g->spec);
    free(g->transport);
    free(g->cookie);
    free(g->service);
    free(g);
    return 0;
}

static cJSON *show(const struct guard *g)
{
    cJSON *json = cJSON_CreateObject(), *state, *socket, *config;

    cJSON_AddStringToObject(json, "Id", g->id);
    state = cJSON_AddObjectToObject(json, "CredentialGuard");
    cJSON_AddStringToObject(state, "Cookie", g->cookie);
    cJSON_AddStringToObject(state, "RpcEndpoint", "emulated-endpoint");
    cJSON_AddStringToObject(state, "Transport", g->transport);
    cJSON_AddStringToObject(state, "CredentialSpec", g->spec);
    if (strcmp(g->transport, "HvSocket") == 0) {
        socket = cJSON_AddObjectToObject(json, "HvSocketConfig");
        cJSON_AddStringToObject(socket, "ServiceId", g->service);
        config = cJSON_AddObjectToObject(socket, "ServiceConfig");
        cJSON_AddStringToObject(config, "BindSecurityDescriptor", "D:P(A;;FA;;;SY)");
    }
    return json;
}

static char *show_service(const char *query)
{
    cJSON *json = cJSON_CreateObject(), *properties = cJSON_AddArrayToObject(json, "Properties"), *item, *list;
    char *text;

    if (query && strstr(query, "\"ContainerCredentialGuard\"")) {
        item = cJSON_CreateObject();
        list = cJSON_AddArrayToObject(item, "Instances");
        for (const struct guard *g = guards; g; g = g->next)
            cJSON_AddItemToArray(list, show(g));
    } else {
        item = cJSON_Parse("{\"SupportedSchemaVersions\":[{\"Major\":1,\"Minor\":0},{\"Major\":2,\"Minor\":1}]}");
    }
    cJSON_AddItemToArray(properties, item);
    text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    return text;
}

static uint32_t modify(const char *text, struct answer *answer)
{
    cJSON *json = text ? cJSON_Parse(text) : NULL;
    const cJSON *settings = cJSON_GetObjectItem(json, "Settings"), *details = cJSON_GetObjectItem(settings, "OperationDetails");
    const char *operation = member(settings, "Operation"), *type = member(json, "PropertyType");
    char *wrong = json ? shape_check(json, settings_shape) : text_of("no JSON");
    uint32_t code = FROM_WIN32(0x32);

    record("modify-service", member(details, "Id"), json);
    if (wrong)
        code = refuse(answer, HCS(0x10D), wrong);
    else if (type && operation && strcmp(type, "ContainerCredentialGuard") == 0 && strcmp(operation, "AddInstance") == 0)
        code = add(member(details, "Id"), member(details, "CredentialSpec"), member(details, "Transport"));
    else if (type && operation && strcmp(type, "ContainerCredentialGuard") == 0 && strcmp(operation, "RemoveInstance") == 0)
        code = drop(member(details, "Id"));
    cJSON_Delete(json);
    return code;
}

bool guard_call(struct request *r, struct answer *answer)
{
    if (strcmp(r->call, "service-properties") == 0)
        answer->text = show_service(member(r->json, "text"));
    else if (strcmp(r->call, "modify-service") == 0)
        answer->code = modify(member(r->json, "text"), answer);
    else
        return false;
    return true;
}

/* A container's guard must be one that was made, over the transport of its isolation; in a VM its service must be open there. */
uint32_t guard_check(const cJSON *document, const struct compute *host, char **wrong)
{
    const cJSON *place = cJSON_GetObjectItemCaseSensitive(document, "HostedSystem"), *state, *table;
    const struct guard *g;

    state = cJSON_GetObjectItem(cJSON_GetObjectItem(place ? place : document, "Container"), "ContainerCredentialGuard");
    if (!state)
        return 0;
    g = *find(member(state, "Cookie"), true);
    table = cJSON_GetObjectItem(cJSON_GetObjectItem(host ? host->document : NULL, "VirtualMachine"), "Devices");
    table = cJSON_GetObjectItem(cJSON_GetObjectItem(cJSON_GetObjectItem(table, "HvSocket"), "HvSocketConfig"), "ServiceTable");
    if (!g)
        *wrong = text_of("no such credential guard");
    else if (strcmp(g->transport, host ? "HvSocket" : "LRPC") != 0)
        *wrong = text_of("the credential guard has another transport");
    else if (host && !cJSON_GetObjectItemCaseSensitive(table, g->service))
        *wrong = text_of("the virtual machine has no service for the credential guard");
    return *wrong ? FROM_WIN32(0x490) : 0;
}
