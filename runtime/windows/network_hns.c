/* runtime/windows/network_hns.c – HNS v1 through HNSCall: what there is before build 17763. Its documents are hns.c's. hcs.md §7.5. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/windows/codes.h"
#include "runtime/windows/hns.h"
#include "runtime/windows/host.h"
#include "runtime/windows/network_service.h"
#include "runtime/windows/timed.h"

struct call {
    const char *method, *path;
    const cJSON *body; /* NULL: none */
    const char *what;  /* as people know it */
};

/* One HNSCall on its way, on its own thread: all that it reads and writes. */
struct job {
    struct windows_timed base;
    HRESULT(WINAPI *HNSCall)(PCWSTR, PCWSTR, PCWSTR, PWSTR *);
    WCHAR *method, *path, *body;
    char *answer;
    uint32_t code;
};

static void work(struct windows_timed *base)
{
    struct job *job = (struct job *)base;
    PWSTR response = NULL;

    job->code = (uint32_t)job->HNSCall(job->method, job->path, job->body, &response);
    job->answer = windows_take(response);
}

/* An endpoint that was made when nobody waited for it any more. */
static void delete_made(struct windows_timed *base)
{
    struct job *job = (struct job *)base;
    struct windows_endpoint endpoint = {0};
    cleanup_json cJSON *output = NULL;
    struct error err = {0};
    PWSTR response = NULL;

    if (FAILED((HRESULT)job->code) || windows_hns_read(job->answer, "", &output, &err) < 0 ||
        windows_hns_read_endpoint(output, &endpoint, &err) < 0)
        return;
    cleanup_free char *text = mem_format("/endpoints/%s", endpoint.id);
    cleanup_free WCHAR *path = wide_from_utf8(text);
    job->HNSCall(L"DELETE", path, L"", &response);
    free(windows_take(response));
}

static void end_job(struct windows_timed *base)
{
    struct job *job = (struct job *)base;

    free(job->method);
    free(job->path);
    free(job->body);
    free(job->answer);
    free(job);
}

static struct job *job_new(const struct windows_host *host, const struct call *call)
{
    struct job *job = mem_alloc(sizeof *job);
    cleanup_free char *text = call->body ? json_print(call->body) : NULL;
    bool makes_endpoint = strcmp(call->method, "POST") == 0 && strcmp(call->path, "/endpoints/") == 0;

    *job = (struct job){.base = {.of = WINDOWS_ASKED_HNS, .work = work, .late = makes_endpoint ? delete_made : NULL, .end = end_job},
                        .HNSCall = host->api.vm.HNSCall,
                        .method = wide_from_utf8(call->method),
                        .path = wide_from_utf8(call->path),
                        .body = wide_from_utf8(text ? text : "")};
    atomic_store(&job->base.doing, "HNSCall");
    return job;
}

/* *output may be NULL on success too. *code: HNSCall's own. */
static int ask(const struct windows_host *host, const struct call *call, uint32_t *code, cJSON **output, struct error *err)
{
    struct job *job = job_new(host, call);
    int result = windows_timed_run(&job->base, windows_at_most(host, NETWORK_CALL_MS), err);

    *output = NULL;
    *code = 0;
    if (result == ERR_DEADLINE)
        return error_wrap(err, "%s: %s %s", call->what, call->method, call->path);
    if (result == 0 && FAILED((HRESULT)job->code))
        result = windows_error(err, call->what, *code = job->code, job->answer);
    else if (result == 0)
        result = windows_hns_read(job->answer, call->what, output, err);
    windows_timed_end(&job->base);
    return result;
}

/* Schema 2's document names a namespace, which only HCN makes here. */
static int check(const struct windows_system *s, struct error *err)
{
    static const char what[] = "attach a container to a network";
    const struct windows_api *api = &s->host->api;

    if (s->form == WINDOWS_FORM_2)
        return windows_api_need((const void *)(uintptr_t)api->network.HcnCreateEndpoint, "computenetwork.dll", "HcnCreateEndpoint", what,
                                err);
    return windows_api_need((const void *)(uintptr_t)api->vm.HNSCall, "vmcompute.dll", "HNSCall", what, err);
}

/* --- the network --- */

static int take_network(const cJSON *json, struct windows_network *out, struct error *err)
{
    const char *id = json_string(json, "ID", "");

    if (!id[0] || strlen(id) >= sizeof out->id)
        return error_set(err, ERR_PEER, "the host's network service (HNS) gave it no id");
    snprintf(out->id, sizeof out->id, "%s", id);
    snprintf(out->gateway, sizeof out->gateway, "%s", windows_hns_gateway(json));
    return 0;
}

static int make_network(const struct windows_host *host, struct windows_network *out, struct error *err)
{
    cleanup_json cJSON *body = windows_hns_network(host->network_name, WINDOWS_NETWORK_PREFIX, WINDOWS_NETWORK_GATEWAY), *output = NULL;
    struct call post = {"POST", "/networks/", body, "make the network"};
    uint32_t code;

    if (ask(host, &post, &code, &output, err) < 0 || take_network(output, out, err) < 0)
        return err->code;
    log_info("runtime", "made the NAT network %s with %s", host->network_name, WINDOWS_NETWORK_PREFIX);
    return 0;
}

static int open_network(struct windows_host *host, struct windows_network *out, struct error *err)
{
    struct call get = {"GET", "/networks/", NULL, "list the networks"};
    cleanup_json cJSON *networks = NULL;
    const cJSON *found;
    uint32_t code;
    int result;

    if (ask(host, &get, &code, &networks, err) < 0)
        return error_wrap(err, "network %s", host->network_name);
    found = windows_hns_find(networks, host->network_name);
    result = found ? take_network(found, out, err) : make_network(host, out, err);
    return result < 0 ? error_wrap(err, "network %s", host->network_name) : 0;
}

/* --- the endpoint --- */

static int create_endpoint(struct windows_system *s, const struct windows_network *network, struct windows_endpoint *out, struct error *err)
{
    cleanup_free char *name = windows_owned_name(s);
    cleanup_json cJSON *body = windows_hns_endpoint(name, network->id, &s->document.network, out), *output = NULL;
    struct call post = {"POST", "/endpoints/", body, "make the endpoint"};
    uint32_t code;

    if (ask(s->host, &post, &code, &output, err) == 0)
        return windows_hns_read_endpoint(output, out, err);
    if (FAILED((HRESULT)code) && windows_hns_is_taken(code))
        err->code = ERR_EXISTS;
    if (err->code == ERR_EXISTS && out->port_count > 0)
        return error_wrap(err, "the published port is taken on this host; free it, or publish another");
    return err->code;
}

/* EndpointList in the container's document is all. */
static int join(struct windows_system *s, struct windows_endpoint *endpoint, struct error *err)
{
    (void)s;
    (void)endpoint;
    (void)err;
    return 0;
}

static void remove_endpoint(struct windows_host *host, const char *owner, const struct windows_endpoint *endpoint)
{
    cleanup_free char *path = mem_format("/endpoints/%s", endpoint->id);
    struct call delete = {"DELETE", path, NULL, "delete the endpoint"};
    cleanup_json cJSON *output = NULL;
    struct error err = {0};
    uint32_t code;

    if (host->api.vm.HNSCall && ask(host, &delete, &code, &output, &err) < 0 && err.code != ERR_NOT_FOUND)
        log_with(LOG_WARN, "runtime", LOG_FIELDS({"container", owner}), "its endpoint %s stays: %s", endpoint->id, err.message);
}

static void each_endpoint(struct windows_host *host,
                          void (*visit)(struct windows_host *host, const char *name, const struct windows_endpoint *endpoint))
{
    struct call get = {"GET", "/endpoints/", NULL, "list the endpoints"};
    cleanup_json cJSON *endpoints = NULL;
    struct error err = {0};
    const cJSON *json;
    uint32_t code;

    if (!host->api.vm.HNSCall)
        return;
    if (ask(host, &get, &code, &endpoints, &err) < 0)
        log_warn("runtime", "endpoints of an earlier life may stay: %s", err.message);
    cJSON_ArrayForEach (json, endpoints) {
        struct windows_endpoint endpoint = {0};
        if (windows_hns_read_endpoint(json, &endpoint, &err) == 0)
            visit(host, json_string(json, "Name", ""), &endpoint);
    }
}

const struct windows_network_service windows_network_hns = {
    .check = check,
    .open = open_network,
    .create = create_endpoint,
    .join = join,
    .remove = remove_endpoint,
    .each = each_endpoint,
};
