/* runtime/windows/service_core.c – computecore.dll: one operation per call, waited for on the caller's thread. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "runtime/windows/codes.h"
#include "runtime/windows/service.h"

enum { SLICE_MS = 200 };

_Thread_local const atomic_bool *windows_give_up;

struct windows_handle {
    const struct windows_computecore *core;
    HCS_SYSTEM system; /* one of the two */
    HCS_PROCESS process;
    struct windows_watch watch;
};

void windows_reply_deinit(struct windows_reply *reply)
{
    free(reply->text);
    reply->text = NULL;
}

void windows_streams_close(struct windows_streams *streams)
{
    HANDLE *all[] = {&streams->in, &streams->out, &streams->err};

    for (size_t i = 0; i < 3; i++) {
        if (*all[i])
            CloseHandle(*all[i]);
        *all[i] = NULL;
    }
}

/* --- operations --- */

static struct windows_reply no_memory(void)
{
    return (struct windows_reply){0x8007000E, NULL};
}

/* An operation may be waited for as often as one likes: in slices, so that one who is to give up does. */
static uint32_t wait_in_slices(const struct windows_computecore *core, HCS_OPERATION operation, DWORD timeout_ms,
                               HCS_PROCESS_INFORMATION *info, PWSTR *text)
{
    ULONGLONG end = GetTickCount64() + timeout_ms;
    uint32_t code;

    for (;;) {
        ULONGLONG now = GetTickCount64();
        DWORD slice = now >= end ? 0 : end - now > SLICE_MS ? SLICE_MS : (DWORD)(end - now);
        code = (uint32_t)(info ? core->HcsWaitForOperationResultAndProcessInfo(operation, slice, info, text)
                               : core->HcsWaitForOperationResult(operation, slice, text));
        if (!windows_is_hcs(code, HCS_E_OPERATION_TIMEOUT) && !windows_is_hcs(code, HCS_E_OPERATION_PENDING))
            return code;
        if (windows_is_given_up())
            return 0x800704C7;
        if (GetTickCount64() >= end)
            return 0x80370118;
        free(windows_take(*text));
        *text = NULL;
    }
}

/* The end of an operation whose call was answered with @accepted. Closing one that is in flight drops its result only. */
static struct windows_reply finish(const struct windows_computecore *core, HCS_OPERATION operation, HRESULT accepted, DWORD timeout_ms)
{
    struct windows_reply reply = {(uint32_t)accepted, NULL};
    PWSTR text = NULL;

    if (SUCCEEDED(accepted)) {
        reply.code = wait_in_slices(core, operation, timeout_ms, NULL, &text);
        reply.text = windows_take(text);
        if (windows_is_timeout(reply.code) && core->HcsCancelOperation)
            core->HcsCancelOperation(operation); /* E_NOTIMPL on most builds */
    }
    core->HcsCloseOperation(operation);
    return reply;
}

#define WITH_OPERATION(core, timeout_ms, call)                                                                                             \
    do {                                                                                                                                   \
        HCS_OPERATION operation = (core)->HcsCreateOperation(NULL, NULL);                                                                  \
        if (!operation)                                                                                                                    \
            return no_memory();                                                                                                            \
        return finish((core), operation, (call), (timeout_ms));                                                                            \
    } while (0)

/* --- events --- */

static void CALLBACK on_event(HCS_EVENT *event, void *ctx)
{
    struct windows_handle *h = ctx;
    char *data = utf8_from_wide(event->EventData);

    if (event->Type == HcsEventSystemExited || event->Type == HcsEventProcessExited)
        h->watch.on_event(h->watch.ctx, WINDOWS_EXITED, data);
    else if (event->Type == HcsEventSystemGuestConnectionClosed) /* a VM that cannot be spoken to any more is as good as gone */
        h->watch.on_event(h->watch.ctx, WINDOWS_EXITED, "{\"Status\":-2143878902,\"ExitType\":\"UnexpectedExit\"}"); /* 0x8037010A */
    else if (event->Type == HcsEventServiceDisconnect)
        h->watch.on_event(h->watch.ctx, WINDOWS_LOST, data);
    free(data);
}

static struct windows_handle *handle_new(const struct windows_computecore *core, const struct windows_watch *watch)
{
    struct windows_handle *h = mem_alloc(sizeof *h);

    h->core = core;
    if (watch)
        h->watch = *watch;
    return h;
}

static void watch_system(struct windows_handle *h)
{
    if (h->watch.on_event)
        h->core->HcsSetComputeSystemCallback(h->system, HcsEventOptionNone, h, on_event);
}

static void watch_process(struct windows_handle *h)
{
    if (h->watch.on_event)
        h->core->HcsSetProcessCallback(h->process, HcsEventOptionNone, h, on_event);
}

static void core_close(struct windows_handle *h)
{
    if (!h)
        return;
    if (h->system)
        h->core->HcsCloseComputeSystem(h->system);
    if (h->process)
        h->core->HcsCloseProcess(h->process);
    free(h);
}

/* --- systems --- */

static struct windows_reply core_enumerate(const struct windows_service *service, const char *query, DWORD timeout_ms)
{
    const struct windows_computecore *core = &service->api->core;
    cleanup_free WCHAR *wide = wide_from_utf8(query);

    WITH_OPERATION(core, timeout_ms, core->HcsEnumerateComputeSystems(wide, operation));
}

static struct windows_reply core_create(const struct windows_service *service, const char *id, const char *document,
                                        const struct windows_watch *watch, DWORD timeout_ms, struct windows_handle **out)
{
    const struct windows_computecore *core = &service->api->core;
    cleanup_free WCHAR *wide_id = wide_from_utf8(id), *wide_document = wide_from_utf8(document);
    struct windows_handle *h = handle_new(core, watch);
    HCS_OPERATION operation = core->HcsCreateOperation(NULL, NULL);
    HRESULT accepted;

    *out = NULL;
    if (!operation) {
        free(h);
        return no_memory();
    }
    accepted = core->HcsCreateComputeSystem(wide_id, wide_document, operation, NULL, &h->system);
    if (h->system) {
        watch_system(h);
        *out = h;
    } else {
        free(h);
    }
    return finish(core, operation, accepted, timeout_ms);
}

static struct windows_reply core_open(const struct windows_service *service, const char *id, const struct windows_watch *watch,
                                      struct windows_handle **out)
{
    const struct windows_computecore *core = &service->api->core;
    cleanup_free WCHAR *wide = wide_from_utf8(id);
    struct windows_handle *h = handle_new(core, watch);
    struct windows_reply reply = {(uint32_t)core->HcsOpenComputeSystem(wide, GENERIC_ALL, &h->system), NULL};

    *out = NULL;
    if (windows_failed(&reply) || !h->system) {
        free(h);
        return reply;
    }
    watch_system(h);
    *out = h;
    return reply;
}

static struct windows_reply core_start(struct windows_handle *h, DWORD timeout_ms)
{
    WITH_OPERATION(h->core, timeout_ms, h->core->HcsStartComputeSystem(h->system, operation, NULL));
}

static struct windows_reply core_shutdown(struct windows_handle *h, DWORD timeout_ms)
{
    WITH_OPERATION(h->core, timeout_ms, h->core->HcsShutDownComputeSystem(h->system, operation, NULL));
}

static struct windows_reply core_terminate(struct windows_handle *h, DWORD timeout_ms)
{
    WITH_OPERATION(h->core, timeout_ms, h->core->HcsTerminateComputeSystem(h->system, operation, NULL));
}

static struct windows_reply core_pause(struct windows_handle *h, DWORD timeout_ms)
{
    WITH_OPERATION(h->core, timeout_ms, h->core->HcsPauseComputeSystem(h->system, operation, NULL));
}

static struct windows_reply core_resume(struct windows_handle *h, DWORD timeout_ms)
{
    WITH_OPERATION(h->core, timeout_ms, h->core->HcsResumeComputeSystem(h->system, operation, NULL));
}

static struct windows_reply core_properties(struct windows_handle *h, const char *query, DWORD timeout_ms)
{
    cleanup_free WCHAR *wide = wide_from_utf8(query);

    WITH_OPERATION(h->core, timeout_ms, h->core->HcsGetComputeSystemProperties(h->system, operation, wide));
}

static struct windows_reply core_modify(struct windows_handle *h, const char *request, DWORD timeout_ms)
{
    cleanup_free WCHAR *wide = wide_from_utf8(request);

    WITH_OPERATION(h->core, timeout_ms, h->core->HcsModifyComputeSystem(h->system, operation, wide, NULL));
}

/* --- processes --- */

static uint32_t wait_process(const struct windows_computecore *core, HCS_OPERATION operation, DWORD timeout_ms, DWORD *pid,
                             struct windows_streams *streams, char **text)
{
    HCS_PROCESS_INFORMATION info = {0};
    PWSTR wide = NULL;
    uint32_t code = wait_in_slices(core, operation, timeout_ms, &info, &wide);

    free(*text);
    *text = windows_take(wide);
    if ((int32_t)code >= 0) {
        *pid = info.ProcessId;
        *streams = (struct windows_streams){info.StdInput, info.StdOutput, info.StdError};
    }
    return code;
}

/* The wait for a new process may fail although there is one: its pid and streams are then asked for once more (hcs.md §2.7). */
static uint32_t recover_process(const struct windows_computecore *core, HCS_PROCESS process, uint32_t failed, DWORD timeout_ms, DWORD *pid,
                                struct windows_streams *streams)
{
    HCS_OPERATION operation = core->HcsGetProcessInfo ? core->HcsCreateOperation(NULL, NULL) : NULL;
    uint32_t code = 0x80004005;
    char *text = NULL;

    if (!operation)
        return failed;
    if (SUCCEEDED(core->HcsGetProcessInfo(process, operation)))
        code = wait_process(core, operation, timeout_ms, pid, streams, &text);
    free(text);
    core->HcsCloseOperation(operation);
    return (int32_t)code < 0 || *pid == 0 ? failed : code;
}

static struct windows_reply core_process_create(struct windows_handle *system, const char *parameters, const struct windows_watch *watch,
                                                DWORD timeout_ms, DWORD *pid, struct windows_streams *streams, struct windows_handle **out)
{
    const struct windows_computecore *core = system->core;
    cleanup_free WCHAR *wide = wide_from_utf8(parameters);
    struct windows_handle *h = handle_new(core, watch);
    HCS_OPERATION operation = core->HcsCreateOperation(NULL, NULL);
    struct windows_reply reply = {0};

    *out = NULL;
    *pid = 0;
    *streams = (struct windows_streams){0};
    if (!operation) {
        free(h);
        return no_memory();
    }
    reply.code = (uint32_t)core->HcsCreateProcess(system->system, wide, operation, NULL, &h->process);
    if (!windows_failed(&reply))
        reply.code = wait_process(core, operation, timeout_ms, pid, streams, &reply.text);
    if (windows_failed(&reply) && h->process)
        reply.code = recover_process(core, h->process, reply.code, timeout_ms, pid, streams);
    core->HcsCloseOperation(operation);
    if (windows_failed(&reply)) {
        core_close(h);
        return reply;
    }
    watch_process(h);
    *out = h;
    return reply;
}

static struct windows_reply core_process_open(struct windows_handle *system, DWORD pid, const struct windows_watch *watch,
                                              struct windows_handle **out)
{
    struct windows_handle *h = handle_new(system->core, watch);
    struct windows_reply reply = {(uint32_t)h->core->HcsOpenProcess(system->system, pid, GENERIC_ALL, &h->process), NULL};

    *out = NULL;
    if (windows_failed(&reply) || !h->process) {
        free(h);
        return reply;
    }
    watch_process(h);
    *out = h;
    return reply;
}

static struct windows_reply core_process_signal(struct windows_handle *h, const char *options, DWORD timeout_ms)
{
    cleanup_free WCHAR *wide = wide_from_utf8(options);

    WITH_OPERATION(h->core, timeout_ms, h->core->HcsSignalProcess(h->process, operation, wide));
}

static struct windows_reply core_process_terminate(struct windows_handle *h, DWORD timeout_ms)
{
    WITH_OPERATION(h->core, timeout_ms, h->core->HcsTerminateProcess(h->process, operation, NULL));
}

static struct windows_reply core_process_properties(struct windows_handle *h, DWORD timeout_ms)
{
    WITH_OPERATION(h->core, timeout_ms, h->core->HcsGetProcessProperties(h->process, operation, NULL));
}

static struct windows_reply core_process_modify(struct windows_handle *h, const char *request, DWORD timeout_ms)
{
    cleanup_free WCHAR *wide = wide_from_utf8(request);

    WITH_OPERATION(h->core, timeout_ms, h->core->HcsModifyProcess(h->process, operation, wide));
}

static const struct windows_service_ops ops = {
    .enumerate = core_enumerate,
    .create = core_create,
    .open = core_open,
    .start = core_start,
    .shutdown = core_shutdown,
    .terminate = core_terminate,
    .pause = core_pause,
    .resume = core_resume,
    .properties = core_properties,
    .modify = core_modify,
    .process_create = core_process_create,
    .process_open = core_process_open,
    .process_signal = core_process_signal,
    .process_terminate = core_process_terminate,
    .process_properties = core_process_properties,
    .process_modify = core_process_modify,
    .close = core_close,
};

int windows_service_core(const struct windows_api *api, struct windows_service *out, struct error *err)
{
#define NEED(name) windows_api_need((const void *)(uintptr_t)api->core.name, "computecore.dll", #name, "run containers", err) < 0
    if (NEED(HcsCreateOperation) || NEED(HcsCloseOperation) || NEED(HcsWaitForOperationResult) ||
        NEED(HcsWaitForOperationResultAndProcessInfo) || NEED(HcsEnumerateComputeSystems) || NEED(HcsCreateComputeSystem) ||
        NEED(HcsOpenComputeSystem) || NEED(HcsCloseComputeSystem) || NEED(HcsStartComputeSystem) || NEED(HcsShutDownComputeSystem) ||
        NEED(HcsTerminateComputeSystem) || NEED(HcsPauseComputeSystem) || NEED(HcsResumeComputeSystem) ||
        NEED(HcsGetComputeSystemProperties) || NEED(HcsModifyComputeSystem) || NEED(HcsSetComputeSystemCallback) ||
        NEED(HcsCreateProcess) || NEED(HcsOpenProcess) || NEED(HcsCloseProcess) || NEED(HcsTerminateProcess) || NEED(HcsSignalProcess) ||
        NEED(HcsGetProcessProperties) || NEED(HcsModifyProcess) || NEED(HcsSetProcessCallback))
        return err ? err->code : ERR_UNSUPPORTED;
#undef NEED
    *out = (struct windows_service){api, &ops, "computecore.dll"};
    return 0;
}
