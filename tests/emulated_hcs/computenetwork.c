/* tests/emulated_hcs/computenetwork.c – the emulated computenetwork.dll. Source: hcs.md §1.6, §7. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/emulated_hcs/client.h"

#include <computenetwork.h>

bool emulated_is_legacy = false;

void emulated_dispatch(struct emulated_handle *handle, const char *event, uint32_t code, const char *text)
{
    (void)handle;
    (void)event;
    (void)code;
    (void)text;
}

static cJSON *request_of(const char *call, const char *kind, const GUID *id, PCWSTR text)
{
    cJSON *request = emulated_request(call);
    char guid[40];

    cJSON_AddStringToObject(request, "kind", kind);
    if (id) {
        snprintf(guid, sizeof guid, "%08lx-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x", id->Data1, id->Data2, id->Data3, id->Data4[0],
                 id->Data4[1], id->Data4[2], id->Data4[3], id->Data4[4], id->Data4[5], id->Data4[6], id->Data4[7]);
        cJSON_AddStringToObject(request, "id", guid);
    }
    emulated_add_wide(request, "text", text);
    return request;
}

/* A handle is the object's GUID. */
static HRESULT handle_call(cJSON *request, const GUID *id, void **out, PWSTR *record)
{
    HRESULT code = emulated_ask_text(request, NULL, NULL, NULL);

    *out = NULL;
    if (record)
        *record = FAILED(code) ? emulated_wide("{\"Error\":\"the emulated HCN refuses\"}") : NULL;
    if (FAILED(code))
        return code;
    *out = malloc(sizeof(GUID));
    *(GUID *)*out = *id;
    return code;
}

static HRESULT plain_call(cJSON *request, PWSTR *text, PWSTR *record)
{
    HRESULT code = emulated_ask_text(request, text, NULL, NULL);

    if (record)
        *record = FAILED(code) ? emulated_wide("{\"Error\":\"the emulated HCN refuses\"}") : NULL;
    return code;
}

#define KIND(Name, name, Names)                                                                                                            \
    HRESULT WINAPI HcnEnumerate##Names(PCWSTR query, PWSTR *found, PWSTR *record)                                                          \
    {                                                                                                                                      \
        return plain_call(request_of("hcn-enumerate-" name, name, NULL, query), found, record);                                            \
    }                                                                                                                                      \
    HRESULT WINAPI HcnOpen##Name(REFGUID id, void **out, PWSTR *record)                                                                    \
    {                                                                                                                                      \
        return handle_call(request_of("hcn-open-" name, name, id, NULL), id, out, record);                                                 \
    }                                                                                                                                      \
    HRESULT WINAPI HcnModify##Name(void *handle, PCWSTR settings, PWSTR *record)                                                           \
    {                                                                                                                                      \
        return plain_call(request_of("hcn-modify-" name, name, handle, settings), NULL, record);                                           \
    }                                                                                                                                      \
    HRESULT WINAPI HcnQuery##Name##Properties(void *handle, PCWSTR query, PWSTR *text, PWSTR *record)                                      \
    {                                                                                                                                      \
        return plain_call(request_of("hcn-query-" name, name, handle, query), text, record);                                               \
    }                                                                                                                                      \
    HRESULT WINAPI HcnDelete##Name(REFGUID id, PWSTR *record)                                                                              \
    {                                                                                                                                      \
        return plain_call(request_of("hcn-delete-" name, name, id, NULL), NULL, record);                                                   \
    }                                                                                                                                      \
    HRESULT WINAPI HcnClose##Name(void *handle)                                                                                            \
    {                                                                                                                                      \
        free(handle);                                                                                                                      \
        return S_OK;                                                                                                                       \
    }

KIND(Network, "network", Networks)
KIND(Namespace, "namespace", Namespaces)
KIND(Endpoint, "endpoint", Endpoints)

HRESULT WINAPI HcnCreateNetwork(REFGUID id, PCWSTR settings, PHCN_NETWORK out, PWSTR *record)
{
    return handle_call(request_of("hcn-create-network", "network", id, settings), id, out, record);
}

HRESULT WINAPI HcnCreateNamespace(REFGUID id, PCWSTR settings, PHCN_NAMESPACE out, PWSTR *record)
{
    return handle_call(request_of("hcn-create-namespace", "namespace", id, settings), id, out, record);
}

HRESULT WINAPI HcnCreateEndpoint(HCN_NETWORK network, REFGUID id, PCWSTR settings, PHCN_ENDPOINT out, PWSTR *record)
{
    cJSON *request = request_of("hcn-create-endpoint", "endpoint", id, settings), *parent = request_of("", "", network, NULL);

    cJSON_AddItemToObject(request, "network", cJSON_DetachItemFromObject(parent, "id"));
    cJSON_Delete(parent);
    return handle_call(request, id, out, record);
}
