/* runtime/windows/service_legacy.c – vmcompute.dll: calls that answer "pending", and notifications that say what became of them.
 *
 * A notification may have come before its callback was registered, twice, or never: the first that fits is taken, and while none comes the
 * system is asked for its state every half second. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "runtime/windows/answers.h"
#include "runtime/windows/codes.h"
#include "runtime/windows/service.h"

enum { ASK_MS = 500 };

/* What is waited for. Only one call that may be pending is made on a handle at a time. */
struct wait {
    DWORD type; /* 0: nothing */
    bool is_done;
    uint32_t code;
    char *text;
};

struct windows_handle {
    const struct windows_vmcompute *vm;
    HCS_SYSTEM system; /* one of the two */
    HCS_PROCESS process;
    HCS_CALLBACK callback;
    struct windows_watch watch;
    CRITICAL_SECTION lock;
    CONDITION_VARIABLE changed;
    struct wait wait;
    bool has_exited, is_lost;
};

/* --- notifications --- */

static char *process_status(struct windows_handle *h)
{
    PWSTR text = NULL, result = NULL;

    h->vm->HcsGetProcessProperties(h->process, &text, &result);
    free(windows_take(result));
    return windows_take(text);
}

/* vmcompute's SystemExited carries a code where computecore's has a document. */
static char *exit_document(HRESULT status)
{
    return mem_format("{\"Status\":%ld,\"ExitType\":\"%s\"}", (long)status,
                      windows_is_hcs((uint32_t)status, HCS_E_UNEXPECTED_EXIT) ? "UnexpectedExit" : "Unknown");
}

static void tell_exit(struct windows_handle *h, DWORD type, HRESULT status)
{
    cleanup_free char *data = type == HcsNotificationProcessExited ? process_status(h) : exit_document(status);

    if (h->watch.on_event)
        h->watch.on_event(h->watch.ctx, WINDOWS_EXITED, data);
}

static void CALLBACK on_notification(DWORD type, void *ctx, HRESULT status, PCWSTR data)
{
    struct windows_handle *h = ctx;
    bool is_exit = type == HcsNotificationSystemExited || type == HcsNotificationProcessExited;

    EnterCriticalSection(&h->lock);
    h->has_exited = h->has_exited || is_exit;
    h->is_lost = h->is_lost || type == HcsNotificationServiceDisconnect;
    if (h->wait.type && type == h->wait.type && !h->wait.is_done) {
        h->wait.is_done = true;
        h->wait.code = (uint32_t)status;
        h->wait.text = utf8_from_wide(data);
    }
    LeaveCriticalSection(&h->lock);
    WakeAllConditionVariable(&h->changed);
    if (is_exit)
        tell_exit(h, type, status);
    else if (type == HcsNotificationServiceDisconnect && h->watch.on_event)
        h->watch.on_event(h->watch.ctx, WINDOWS_LOST, NULL);
}

static struct windows_handle *handle_new(const struct windows_vmcompute *vm, const struct windows_watch *watch)
{
    struct windows_handle *h = mem_alloc(sizeof *h);

    h->vm = vm;
    if (watch)
        h->watch = *watch;
    InitializeCriticalSection(&h->lock);
    InitializeConditionVariable(&h->changed);
    return h;
}

static void legacy_close(struct windows_handle *h)
{
    if (!h)
        return;
    if (h->callback && h->system)
        h->vm->HcsUnregisterComputeSystemCallback(h->callback);
    else if (h->callback)
        h->vm->HcsUnregisterProcessCallback(h->callback);
    if (h->system)
        h->vm->HcsCloseComputeSystem(h->system);
    if (h->process)
        h->vm->HcsCloseProcess(h->process);
    DeleteCriticalSection(&h->lock);
    free(h->wait.text);
    free(h);
}

/* --- pending calls --- */

static void begin_wait(struct windows_handle *h, DWORD type)
{
    EnterCriticalSection(&h->lock);
    free(h->wait.text);
    h->wait = (struct wait){.type = type};
    LeaveCriticalSection(&h->lock);
}

static struct windows_reply legacy_properties(struct windows_handle *h, const char *query, DWORD timeout_ms);

/* The state that an operation leads to, by the notification that ends it. */
static bool is_there_already(struct windows_handle *h, DWORD type)
{
    cleanup_reply struct windows_reply reply = legacy_properties(h, NULL, 0);
    cleanup_arena struct arena arena = {0};
    struct windows_answer answer;

    if (windows_failed(&reply))
        return type == HcsNotificationSystemExited && windows_is_stopped(reply.code);
    if (windows_read_properties(reply.text, &arena, &answer, &(struct error){0}) < 0)
        return false;
    switch (type) {
    case HcsNotificationSystemCreateCompleted:
        return answer.state == WINDOWS_CREATED;
    case HcsNotificationSystemStartCompleted:
    case HcsNotificationSystemResumeCompleted:
        return answer.state == WINDOWS_RUNNING;
    case HcsNotificationSystemPauseCompleted:
        return answer.state == WINDOWS_PAUSED;
    default:
        return answer.state == WINDOWS_STOPPED;
    }
}

/* Wait for that notification, an exit, the service's end, or the time. */
static struct windows_reply finish(struct windows_handle *h, DWORD type, DWORD timeout_ms)
{
    ULONGLONG end = GetTickCount64() + timeout_ms;
    struct windows_reply reply = {0xC0370118, NULL};
    bool is_over = false;

    while (!is_over) {
        ULONGLONG now = GetTickCount64();
        DWORD slice = now >= end ? 0 : end - now > ASK_MS ? ASK_MS : (DWORD)(end - now);
        EnterCriticalSection(&h->lock);
        while (!h->wait.is_done && !h->has_exited && !h->is_lost && slice > 0)
            if (!SleepConditionVariableCS(&h->changed, &h->lock, slice))
                slice = 0;
        if (h->wait.is_done)
            reply = (struct windows_reply){h->wait.code, steal(&h->wait.text)};
        else if (h->has_exited)
            reply.code = type == HcsNotificationSystemExited ? 0 : 0xC0370106;
        else if (h->is_lost)
            reply.code = 0xC037011E;
        is_over = h->wait.is_done || h->has_exited || h->is_lost;
        LeaveCriticalSection(&h->lock);
        if (!is_over && is_there_already(h, type)) {
            reply.code = 0;
            is_over = true;
        }
        if (!is_over && windows_is_given_up()) {
            reply.code = 0x800704C7;
            is_over = true;
        }
        is_over = is_over || GetTickCount64() >= end;
    }
    begin_wait(h, 0);
    return reply;
}

static struct windows_reply pending_or(struct windows_handle *h, HRESULT result, PWSTR text, DWORD type, DWORD timeout_ms)
{
    struct windows_reply reply = {(uint32_t)result, windows_take(text)};

    if (!windows_is_hcs(reply.code, HCS_E_PENDING))
        return reply;
    windows_reply_deinit(&reply);
    return finish(h, type, timeout_ms);
}

static void watch_system(struct windows_handle *h)
{
    h->vm->HcsRegisterComputeSystemCallback(h->system, on_notification, h, &h->callback);
}

static void watch_process(struct windows_handle *h)
{
    if (h->watch.on_event)
        h->vm->HcsRegisterProcessCallback(h->process, on_notification, h, &h->callback);
}

/* --- systems --- */

static struct windows_reply legacy_enumerate(const struct windows_service *service, const char *query, DWORD timeout_ms)
{
    cleanup_free WCHAR *wide = wide_from_utf8(query);
    PWSTR text = NULL, result = NULL;
    struct windows_reply reply = {(uint32_t)service->api->vm.HcsEnumerateComputeSystems(wide, &text, &result), NULL};
    char *problem = windows_take(result);

    (void)timeout_ms;
    reply.text = windows_take(text);
    if (windows_failed(&reply) && problem) {
        free(reply.text);
        reply.text = steal(&problem);
    }
    free(problem);
    return reply;
}

static struct windows_reply legacy_create(const struct windows_service *service, const char *id, const char *document,
                                          const struct windows_watch *watch, DWORD timeout_ms, struct windows_handle **out)
{
    const struct windows_vmcompute *vm = &service->api->vm;
    cleanup_free WCHAR *wide_id = wide_from_utf8(id), *wide_document = wide_from_utf8(document);
    struct windows_handle *h = handle_new(vm, watch);
    PWSTR text = NULL;
    HRESULT result;

    *out = NULL;
    begin_wait(h, HcsNotificationSystemCreateCompleted);
    result = vm->HcsCreateComputeSystem(wide_id, wide_document, NULL, &h->system, &text);
    if (!h->system) {
        legacy_close(h);
        return (struct windows_reply){(uint32_t)result, windows_take(text)};
    }
    watch_system(h);
    *out = h;
    return pending_or(h, result, text, HcsNotificationSystemCreateCompleted, timeout_ms);
}

static struct windows_reply legacy_open(const struct windows_service *service, const char *id, const struct windows_watch *watch,
                                        struct windows_handle **out)
{
    const struct windows_vmcompute *vm = &service->api->vm;
    cleanup_free WCHAR *wide = wide_from_utf8(id);
    struct windows_handle *h = handle_new(vm, watch);
    PWSTR text = NULL;
    struct windows_reply reply = {(uint32_t)vm->HcsOpenComputeSystem(wide, &h->system, &text), NULL};

    reply.text = windows_take(text);
    *out = NULL;
    if (windows_failed(&reply) || !h->system) {
        legacy_close(h);
        return reply;
    }
    watch_system(h);
    *out = h;
    return reply;
}

typedef HRESULT(WINAPI *pending_call)(HCS_SYSTEM, PCWSTR, PWSTR *);

static struct windows_reply call_pending(struct windows_handle *h, pending_call call, DWORD type, DWORD timeout_ms)
{
    PWSTR text = NULL;
    HRESULT result;

    begin_wait(h, type);
    result = call(h->system, L"", &text);
    return pending_or(h, result, text, type, timeout_ms);
}

static struct windows_reply legacy_start(struct windows_handle *h, DWORD timeout_ms)
{
    return call_pending(h, h->vm->HcsStartComputeSystem, HcsNotificationSystemStartCompleted, timeout_ms);
}

static struct windows_reply legacy_shutdown(struct windows_handle *h, DWORD timeout_ms)
{
    return call_pending(h, h->vm->HcsShutdownComputeSystem, HcsNotificationSystemExited, timeout_ms);
}

static struct windows_reply legacy_terminate(struct windows_handle *h, DWORD timeout_ms)
{
    return call_pending(h, h->vm->HcsTerminateComputeSystem, HcsNotificationSystemExited, timeout_ms);
}

static struct windows_reply legacy_pause(struct windows_handle *h, DWORD timeout_ms)
{
    return call_pending(h, h->vm->HcsPauseComputeSystem, HcsNotificationSystemPauseCompleted, timeout_ms);
}

static struct windows_reply legacy_resume(struct windows_handle *h, DWORD timeout_ms)
{
    return call_pending(h, h->vm->HcsResumeComputeSystem, HcsNotificationSystemResumeCompleted, timeout_ms);
}

/* The text where it succeeded, else what HCS says to its failure. */
static struct windows_reply reply_of(HRESULT code, PWSTR text, PWSTR result)
{
    struct windows_reply reply = {(uint32_t)code, windows_take(text)};
    char *problem = windows_take(result);

    if (windows_failed(&reply)) {
        free(reply.text);
        reply.text = problem;
    } else {
        free(problem);
    }
    return reply;
}

static struct windows_reply legacy_properties(struct windows_handle *h, const char *query, DWORD timeout_ms)
{
    cleanup_free WCHAR *wide = wide_from_utf8(query ? query : "{}");
    PWSTR text = NULL, result = NULL;
    HRESULT code = h->vm->HcsGetComputeSystemProperties(h->system, wide, &text, &result);

    (void)timeout_ms;
    return reply_of(code, text, result);
}

static struct windows_reply legacy_modify(struct windows_handle *h, const char *request, DWORD timeout_ms)
{
    cleanup_free WCHAR *wide = wide_from_utf8(request);
    PWSTR result = NULL;
    HRESULT code = h->vm->HcsModifyComputeSystem(h->system, wide, &result);

    (void)timeout_ms;
    return reply_of(code, NULL, result);
}

/* --- processes --- */

static struct windows_reply legacy_process_create(struct windows_handle *system, const char *parameters, const struct windows_watch *watch,
                                                  DWORD timeout_ms, DWORD *pid, struct windows_streams *streams,
                                                  struct windows_handle **out)
{
    cleanup_free WCHAR *wide = wide_from_utf8(parameters);
    struct windows_handle *h = handle_new(system->vm, watch);
    HCS_PROCESS_INFORMATION info = {0};
    PWSTR text = NULL;
    HRESULT code = h->vm->HcsCreateProcess(system->system, wide, &info, &h->process, &text);

    (void)timeout_ms;
    *out = NULL;
    *pid = info.ProcessId;
    *streams = (struct windows_streams){info.StdInput, info.StdOutput, info.StdError};
    if (FAILED(code) || !h->process) {
        windows_streams_close(streams);
        legacy_close(h);
        return reply_of(code, NULL, text);
    }
    watch_process(h);
    *out = h;
    return reply_of(code, NULL, text);
}

static struct windows_reply legacy_process_open(struct windows_handle *system, DWORD pid, const struct windows_watch *watch,
                                                struct windows_handle **out)
{
    struct windows_handle *h = handle_new(system->vm, watch);
    PWSTR text = NULL;
    HRESULT code = h->vm->HcsOpenProcess(system->system, pid, &h->process, &text);

    *out = NULL;
    if (FAILED(code) || !h->process) {
        legacy_close(h);
        return reply_of(code, NULL, text);
    }
    watch_process(h);
    *out = h;
    return reply_of(code, NULL, text);
}

static struct windows_reply legacy_process_signal(struct windows_handle *h, const char *options, DWORD timeout_ms)
{
    cleanup_free WCHAR *wide = wide_from_utf8(options);
    PWSTR result = NULL;
    HRESULT code = h->vm->HcsSignalProcess ? h->vm->HcsSignalProcess(h->process, wide, &result) : (HRESULT)0x80004001;

    (void)timeout_ms;
    return reply_of(code, NULL, result);
}

static struct windows_reply legacy_process_terminate(struct windows_handle *h, DWORD timeout_ms)
{
    PWSTR result = NULL;
    HRESULT code = h->vm->HcsTerminateProcess(h->process, &result);

    (void)timeout_ms;
    return reply_of(code, NULL, result);
}

static struct windows_reply legacy_process_properties(struct windows_handle *h, DWORD timeout_ms)
{
    PWSTR text = NULL, result = NULL;
    HRESULT code = h->vm->HcsGetProcessProperties(h->process, &text, &result);

    (void)timeout_ms;
    return reply_of(code, text, result);
}

static struct windows_reply legacy_process_modify(struct windows_handle *h, const char *request, DWORD timeout_ms)
{
    cleanup_free WCHAR *wide = wide_from_utf8(request);
    PWSTR result = NULL;
    HRESULT code = h->vm->HcsModifyProcess(h->process, wide, &result);

    (void)timeout_ms;
    return reply_of(code, NULL, result);
}

static const struct windows_service_ops ops = {
    .enumerate = legacy_enumerate,
    .create = legacy_create,
    .open = legacy_open,
    .start = legacy_start,
    .shutdown = legacy_shutdown,
    .terminate = legacy_terminate,
    .pause = legacy_pause,
    .resume = legacy_resume,
    .properties = legacy_properties,
    .modify = legacy_modify,
    .process_create = legacy_process_create,
    .process_open = legacy_process_open,
    .process_signal = legacy_process_signal,
    .process_terminate = legacy_process_terminate,
    .process_properties = legacy_process_properties,
    .process_modify = legacy_process_modify,
    .close = legacy_close,
};

int windows_service_legacy(const struct windows_api *api, struct windows_service *out, struct error *err)
{
#define NEED(name) windows_api_need((const void *)(uintptr_t)api->vm.name, "vmcompute.dll", #name, "run containers", err) < 0
    if (NEED(HcsEnumerateComputeSystems) || NEED(HcsCreateComputeSystem) || NEED(HcsOpenComputeSystem) || NEED(HcsCloseComputeSystem) ||
        NEED(HcsStartComputeSystem) || NEED(HcsShutdownComputeSystem) || NEED(HcsTerminateComputeSystem) || NEED(HcsPauseComputeSystem) ||
        NEED(HcsResumeComputeSystem) || NEED(HcsGetComputeSystemProperties) || NEED(HcsModifyComputeSystem) ||
        NEED(HcsRegisterComputeSystemCallback) || NEED(HcsUnregisterComputeSystemCallback) || NEED(HcsCreateProcess) ||
        NEED(HcsOpenProcess) || NEED(HcsCloseProcess) || NEED(HcsTerminateProcess) || NEED(HcsGetProcessProperties) ||
        NEED(HcsModifyProcess) || NEED(HcsRegisterProcessCallback) || NEED(HcsUnregisterProcessCallback))
        return err ? err->code : ERR_UNSUPPORTED;
#undef NEED
    *out = (struct windows_service){api, &ops, "vmcompute.dll"};
    return 0;
}
