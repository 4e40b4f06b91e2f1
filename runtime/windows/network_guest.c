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
#include "runtime/windows/timed.h"

/* Both questions, on their own thread: all that they read and write. */
struct job {
    struct windows_timed base;
    struct windows_computenetwork hcn;
    HRESULT(WINAPI *HNSCall)(PCWSTR, PCWSTR, PCWSTR, PWSTR *);
    struct windows_endpoint endpoint;
    cJSON *space, *hns;
    int result;
    struct error err;
};

static int read_namespace(struct job *job, HCN_HANDLE handle)
{
    cleanup_free WCHAR *query = wide_from_utf8(WINDOWS_HCN_QUERY);
    PWSTR text = NULL, record = NULL;
    HRESULT code;

    atomic_store(&job->base.doing, "HcnQueryNamespaceProperties");
    code = job->hcn.HcnQueryNamespaceProperties(handle, query, &text, &record);
    cleanup_free char *narrow = windows_take(text);
    if (windows_hcn_outcome(code, record, "ask for the namespace", &job->err) < 0)
        return job->err.code;
    if (!narrow || json_parse(bytes_of_string(narrow), MIB, &job->space, &job->err) < 0)
        return error_set(&job->err, ERR_PEER, "ask for the namespace: the host's network service (HCN) gave no answer that can be read");
    return 0;
}

static int find_namespace(struct job *job)
{
    HCN_HANDLE handle = NULL;
    PWSTR record = NULL;
    HRESULT code;
    int result;
    GUID guid;

    atomic_store(&job->base.doing, "HcnOpenNamespace");
    code = windows_guid_parse(job->endpoint.namespace_id, &guid) ? job->hcn.HcnOpenNamespace(&guid, &handle, &record) : E_INVALIDARG;
    cleanup_free char *said = windows_take(record);
    if (FAILED(code))
        return windows_error(&job->err, "open the namespace", (uint32_t)code, said);
    result = read_namespace(job, handle);
    job->hcn.HcnCloseNamespace(handle);
    return result;
}

static int find_endpoint(struct job *job)
{
    cleanup_free char *path = mem_format("/endpoints/%s", job->endpoint.id);
    cleanup_free WCHAR *wide = wide_from_utf8(path);
    PWSTR text = NULL;
    HRESULT code;

    atomic_store(&job->base.doing, "HNSCall");
    code = job->HNSCall(L"GET", wide, L"", &text);
    cleanup_free char *narrow = windows_take(text);
    if (FAILED(code))
        return windows_error(&job->err, "ask for the endpoint", (uint32_t)code, NULL);
    if (windows_hns_read(narrow, "ask for the endpoint", &job->hns, &job->err) < 0)
        return job->err.code;
    return job->hns ? 0
                    : error_set(&job->err, ERR_PEER, "ask for the endpoint: the host's network service (HNS) told nothing of %s",
                                job->endpoint.id);
}

static void work(struct windows_timed *base)
{
    struct job *job = (struct job *)base;

    job->result = find_namespace(job);
    if (job->result == 0)
        job->result = find_endpoint(job);
}

static void end_job(struct windows_timed *base)
{
    struct job *job = (struct job *)base;

    cJSON_Delete(job->space);
    cJSON_Delete(job->hns);
    free(job);
}

static int check(const struct windows_api *api, struct error *err)
{
    static const char what[] = "attach a utility VM to a network";

    if (windows_api_need((const void *)(uintptr_t)api->network.HcnQueryNamespaceProperties, "computenetwork.dll",
                         "HcnQueryNamespaceProperties", what, err) < 0)
        return err->code;
    return windows_api_need((const void *)(uintptr_t)api->vm.HNSCall, "vmcompute.dll", "HNSCall", what, err);
}

int windows_network_describe(const struct windows_system *s, const struct windows_endpoint *endpoint, cJSON **space, cJSON **hns,
                             struct error *err)
{
    const struct windows_api *api = &s->host->api;
    struct job *job;
    int result;

    if (check(api, err) < 0)
        return err->code;
    job = mem_alloc(sizeof *job);
    *job = (struct job){.base = {.of = WINDOWS_ASKED_HNS, .work = work, .end = end_job},
                        .hcn = api->network,
                        .HNSCall = api->vm.HNSCall,
                        .endpoint = *endpoint};
    atomic_store(&job->base.doing, "HCN");
    result = windows_timed_run(&job->base, windows_at_most(s->host, NETWORK_CALL_MS), err);
    if (result == ERR_DEADLINE)
        return result;
    if (result == 0) {
        result = job->result;
        if (result < 0)
            *err = job->err;
        *space = job->space;
        *hns = job->hns;
        job->space = job->hns = NULL;
    }
    windows_timed_end(&job->base);
    return result;
}
