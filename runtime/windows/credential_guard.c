/* runtime/windows/credential_guard.c – the credential guards that the Host Compute Service keeps for containers of schema 2, each under a
 * name of ours. It stays until it is removed: with the container's run, or by the next daemon. hcs.md §3.9, §8.2. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/windows/answers.h"
#include "runtime/windows/codes.h"
#include "runtime/windows/host.h"
#include "runtime/windows/timed.h"

enum { GUARD_CALL_MS = 10000 };

/* HcsModifyServiceSettings or HcsGetServiceProperties on its way, on its own thread: all that it reads and writes. */
struct job {
    struct windows_timed base;
    HRESULT(WINAPI *call)(PCWSTR text, PWSTR *answer);
    WCHAR *text, *undo; /* the latter NULL: there is nothing to undo */
    char *answer;
    uint32_t code;
};

static void work(struct windows_timed *base)
{
    struct job *job = (struct job *)base;
    PWSTR answer = NULL;

    job->code = (uint32_t)job->call(job->text, &answer);
    job->answer = windows_take(answer);
}

/* It was made when nobody waited for it any more. */
static void undo(struct windows_timed *base)
{
    struct job *job = (struct job *)base;
    PWSTR answer = NULL;

    if (FAILED((HRESULT)job->code))
        return;
    job->call(job->undo, &answer);
    free(windows_take(answer));
}

static void end_job(struct windows_timed *base)
{
    struct job *job = (struct job *)base;

    free(job->text);
    free(job->undo);
    free(job->answer);
    free(job);
}

/* @job taken. What HCS answers to it, NULL where it says nothing: freed by the caller. */
static int run_job(const struct windows_host *host, struct job *job, const char *what, char **answer, struct error *err)
{
    int result = windows_timed_run(&job->base, windows_at_most(host, GUARD_CALL_MS), err);

    *answer = NULL;
    if (result == ERR_DEADLINE)
        return error_wrap(err, "%s", what);
    if (result == 0 && FAILED((HRESULT)job->code))
        result = windows_error(err, what, job->code, job->answer);
    if (result == 0) {
        *answer = job->answer;
        job->answer = NULL;
    }
    windows_timed_end(&job->base);
    return result;
}

/* @details taken. */
static WCHAR *settings(const char *operation, cJSON *details)
{
    cleanup_json cJSON *json = cJSON_CreateObject();
    cJSON *object;

    json_add_string(json, "PropertyType", "ContainerCredentialGuard");
    object = cJSON_AddObjectToObject(json, "Settings");
    json_add_string(object, "Operation", operation);
    cJSON_AddItemToObject(object, "OperationDetails", details);
    cleanup_free char *printed = json_print(json);
    return wide_from_utf8(printed);
}

static WCHAR *removal(const char *name)
{
    cJSON *details = cJSON_CreateObject();

    json_add_string(details, "Id", name);
    return settings("RemoveInstance", details);
}

/* @text and @undo_text taken. */
static int modify(const struct windows_host *host, WCHAR *text, WCHAR *undo_text, const char *what, struct error *err)
{
    struct job *job = mem_alloc(sizeof *job);
    cleanup_free char *answer = NULL;

    *job = (struct job){.base = {.of = WINDOWS_ASKED_HCS, .work = work, .late = undo_text ? undo : NULL, .end = end_job},
                        .call = host->api.core.HcsModifyServiceSettings,
                        .text = text,
                        .undo = undo_text};
    atomic_store(&job->base.doing, "HcsModifyServiceSettings");
    return run_job(host, job, what, &answer, err);
}

/* *out: all that there are, others' too; an array, or NULL. */
static int list(const struct windows_host *host, cJSON **out, struct error *err)
{
    static const char *const types[] = {"ContainerCredentialGuard", NULL};
    cleanup_json cJSON *query = windows_encode_query(types);
    cleanup_free char *printed = json_print(query), *answer = NULL;
    struct job *job = mem_alloc(sizeof *job);

    *job = (struct job){.base = {.of = WINDOWS_ASKED_HCS, .work = work, .end = end_job},
                        .call = host->api.core.HcsGetServiceProperties,
                        .text = wide_from_utf8(printed)};
    atomic_store(&job->base.doing, "HcsGetServiceProperties");
    if (run_job(host, job, "ask for the credential guards", &answer, err) < 0)
        return err->code;
    *out = windows_read_guards(answer);
    return 0;
}

static int add(const struct windows_system *s, const char *name, const char *spec, struct error *err)
{
    cJSON *details = cJSON_CreateObject();

    json_add_string(details, "Id", name);
    json_add_string(details, "CredentialSpec", spec);
    json_add_string(details, "Transport", s->isolation == ISOLATION_HYPERV ? "HvSocket" : "LRPC");
    return modify(s->host, settings("AddInstance", details), removal(name), "make its credential guard", err);
}

static int check(const struct windows_api *api, struct error *err)
{
    static const char what[] = "give a container a credential spec";

    if (windows_api_need((const void *)(uintptr_t)api->core.HcsModifyServiceSettings, "computecore.dll", "HcsModifyServiceSettings", what,
                         err) < 0)
        return err->code;
    return windows_api_need((const void *)(uintptr_t)api->core.HcsGetServiceProperties, "computecore.dll", "HcsGetServiceProperties", what,
                            err);
}

int windows_guard_make(const struct windows_system *s, const char *spec, cJSON **out, struct error *err)
{
    cleanup_free char *name = windows_owned_name(s);
    cleanup_json cJSON *all = NULL;
    struct error ignored = {0};
    const cJSON *guard;

    if (check(&s->host->api, err) < 0)
        return err->code;
    if (windows_guard_remove(s->host, name, &ignored) == ERR_DEADLINE) /* of a start that a crash left half done */
        return error_set(err, ignored.code, "%s", ignored.message);
    if (add(s, name, spec, err) < 0 || list(s->host, &all, err) < 0)
        return err->code;
    cJSON_ArrayForEach (guard, all)
        if (!*out && strcmp(json_string(guard, "Id", ""), name) == 0)
            *out = cJSON_Duplicate(guard, true);
    return *out ? 0 : error_set(err, ERR_PEER, "find its credential guard: HCS made one, but does not tell of it");
}

int windows_guard_remove(const struct windows_host *host, const char *name, struct error *err)
{
    if (!host->api.core.HcsModifyServiceSettings)
        return 0;
    return modify(host, removal(name), NULL, "remove its credential guard", err);
}

static void sweep_one(struct windows_host *host, const char *name)
{
    const char *id = windows_owned_id(host, name);
    struct error err = {0};

    if (!id || windows_find(host, id))
        return;
    log_with(LOG_WARN, "runtime", LOG_FIELDS({"container", id}), "its credential guard is of an earlier life: removed");
    if (windows_guard_remove(host, name, &err) < 0)
        log_with(LOG_WARN, "runtime", LOG_FIELDS({"container", id}), "its credential guard stays: %s", err.message);
}

/* Builds that know no credential guards refuse the question. */
void windows_guards_sweep(struct windows_host *host)
{
    cleanup_json cJSON *all = NULL;
    struct error err = {0};
    const cJSON *guard;

    if (!host->core.ops || !host->api.core.HcsGetServiceProperties)
        return;
    if (list(host, &all, &err) < 0)
        log_write(err.code == ERR_DEADLINE ? LOG_WARN : LOG_DEBUG, "runtime", NULL, 0, "credential guards of an earlier life may stay: %s",
                  err.message);
    cJSON_ArrayForEach (guard, all)
        sweep_one(host, json_string(guard, "Id", ""));
}
