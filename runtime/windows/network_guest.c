/* runtime/windows/network_guest.c – a container's namespace and endpoint as the guest of its utility VM is told of them: in the words of
 * the service that keeps each, HCN for the namespace and HNS v1 for the endpoint, as hcsshim does. hcs.md §7.4, §7.5. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "runtime/windows/codes.h"
#include "runtime/windows/hns.h"
#include "runtime/windows/host.h"
#include "runtime/windows/network_service.h"

static int read_namespace(const struct windows_computenetwork *hcn, HCN_HANDLE handle, cJSON **out, struct error *err)
{
    cleanup_free WCHAR *query = wide_from_utf8(WINDOWS_HCN_QUERY);
    PWSTR text = NULL, record = NULL;
    HRESULT code = hcn->HcnQueryNamespaceProperties(handle, query, &text, &record);
    cleanup_free char *narrow = windows_take(text);

    if (windows_hcn_outcome(code, record, "ask for the namespace", err) < 0)
        return err->code;
    if (!narrow || json_parse(bytes_of_string(narrow), MIB, out, err) < 0)
        return error_set(err, ERR_PEER, "ask for the namespace: the host's network service (HCN) gave no answer that can be read");
    return 0;
}

static int find_namespace(const struct windows_host *host, const char *id, cJSON **out, struct error *err)
{
    const struct windows_computenetwork *hcn = &host->api.network;
    HCN_HANDLE handle = NULL;
    PWSTR record = NULL;
    int result;
    GUID guid;

    if (windows_api_need((const void *)(uintptr_t)hcn->HcnQueryNamespaceProperties, "computenetwork.dll", "HcnQueryNamespaceProperties",
                         "attach a utility VM to a network", err) < 0)
        return err->code;
    HRESULT code = windows_guid_parse(id, &guid) ? hcn->HcnOpenNamespace(&guid, &handle, &record) : E_INVALIDARG;
    cleanup_free char *said = windows_take(record);
    if (FAILED(code))
        return windows_error(err, "open the namespace", (uint32_t)code, said);
    result = read_namespace(hcn, handle, out, err);
    hcn->HcnCloseNamespace(handle);
    return result;
}

static int find_endpoint(const struct windows_host *host, const char *id, cJSON **out, struct error *err)
{
    cleanup_free char *path = mem_format("/endpoints/%s", id);
    cleanup_free WCHAR *wide = wide_from_utf8(path);
    PWSTR text = NULL;

    if (windows_api_need((const void *)(uintptr_t)host->api.vm.HNSCall, "vmcompute.dll", "HNSCall", "attach a utility VM to a network",
                         err) < 0)
        return err->code;
    HRESULT code = host->api.vm.HNSCall(L"GET", wide, L"", &text);
    cleanup_free char *narrow = windows_take(text);
    if (FAILED(code))
        return windows_error(err, "ask for the endpoint", (uint32_t)code, NULL);
    if (windows_hns_read(narrow, "ask for the endpoint", out, err) < 0)
        return err->code;
    return *out ? 0 : error_set(err, ERR_PEER, "ask for the endpoint: the host's network service (HNS) told nothing of %s", id);
}

int windows_network_describe(const struct windows_system *s, const struct windows_endpoint *endpoint, cJSON **space, cJSON **hns,
                             struct error *err)
{
    if (find_namespace(s->host, endpoint->namespace_id, space, err) < 0 || find_endpoint(s->host, endpoint->id, hns, err) < 0)
        return err->code;
    return 0;
}
