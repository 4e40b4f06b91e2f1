/* tests/emulated_hcs/computecore.c – the emulated computecore.dll. Source: hcs.md §1.2, §1.3. */
#include <combaseapi.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emulated_hcs/client.h"

#include <computecore.h>

bool emulated_is_legacy = false;

#define OPERATION(op) ((struct emulated_operation *)(op))
#define HANDLE_(h)    ((struct emulated_handle *)(h))

void emulated_dispatch(struct emulated_handle *handle, const char *event, uint32_t code, const char *text)
{
    PWSTR data = emulated_wide(text);
    HCS_EVENT hcs = {.EventData = data};

    (void)code;
    if (strcmp(event, "system-exited") == 0)
        hcs.Type = HcsEventSystemExited;
    else if (strcmp(event, "process-exited") == 0)
        hcs.Type = HcsEventProcessExited;
    else if (strcmp(event, "guest-lost") == 0)
        hcs.Type = HcsEventSystemGuestConnectionClosed;
    else if (strcmp(event, "lost") == 0)
        hcs.Type = HcsEventServiceDisconnect;
    if (hcs.Type != HcsEventInvalid && handle->on_event)
        handle->on_event(&hcs, handle->ctx);
    CoTaskMemFree(data);
}

/* --- operations --- */

HCS_OPERATION WINAPI HcsCreateOperation(const void *context, HCS_OPERATION_COMPLETION callback)
{
    struct emulated_operation *o = calloc(1, sizeof *o);

    o->ctx = context;
    o->on_done = callback;
    o->type = HcsOperationTypeNone;
    return (HCS_OPERATION)o;
}

void WINAPI HcsCloseOperation(HCS_OPERATION operation)
{
    emulated_operation_close(OPERATION(operation));
}

void *WINAPI HcsGetOperationContext(HCS_OPERATION operation)
{
    return (void *)(uintptr_t)OPERATION(operation)->ctx;
}

HCS_OPERATION_TYPE WINAPI HcsGetOperationType(HCS_OPERATION operation)
{
    return OPERATION(operation)->type;
}

UINT64 WINAPI HcsGetOperationId(HCS_OPERATION operation)
{
    return OPERATION(operation)->is_started ? (UINT64)OPERATION(operation)->id : HCS_INVALID_OPERATION_ID;
}

static HRESULT wait_for(struct emulated_operation *o, DWORD timeout_ms, HCS_PROCESS_INFORMATION *info, PWSTR *text)
{
    ULONGLONG end = GetTickCount64() + timeout_ms;
    HRESULT code;

    EnterCriticalSection(&emulated_lock);
    while (o->is_started && !o->is_done) {
        ULONGLONG now = GetTickCount64();
        if (timeout_ms != INFINITE && now >= end)
            break;
        SleepConditionVariableCS(&emulated_changed, &emulated_lock, timeout_ms == INFINITE ? INFINITE : (DWORD)(end - now));
    }
    code = (HRESULT)(!o->is_started ? 0x80370115 : o->is_done ? o->code : timeout_ms == 0 ? 0x80370117 : 0x80370118);
    if (text)
        *text = o->is_done ? emulated_wide(o->text) : NULL;
    if (info && o->is_done)
        *info = o->info;
    LeaveCriticalSection(&emulated_lock);
    return code;
}

HRESULT WINAPI HcsGetOperationResult(HCS_OPERATION operation, PWSTR *text)
{
    return wait_for(OPERATION(operation), 0, NULL, text);
}

HRESULT WINAPI HcsWaitForOperationResult(HCS_OPERATION operation, DWORD timeout_ms, PWSTR *text)
{
    return wait_for(OPERATION(operation), timeout_ms, NULL, text);
}

HRESULT WINAPI HcsWaitForOperationResultAndProcessInfo(HCS_OPERATION operation, DWORD timeout_ms, HCS_PROCESS_INFORMATION *info,
                                                       PWSTR *text)
{
    return wait_for(OPERATION(operation), timeout_ms, info, text);
}

HRESULT WINAPI HcsCancelOperation(HCS_OPERATION operation)
{
    (void)operation;
    return E_NOTIMPL;
}

/* --- systems --- */

static cJSON *on_handle(const char *call, const void *handle, PCWSTR text)
{
    cJSON *request = emulated_request(call);

    cJSON_AddNumberToObject(request, "h", (double)((const struct emulated_handle *)handle)->id);
    emulated_add_wide(request, "text", text);
    return request;
}

HRESULT WINAPI HcsEnumerateComputeSystems(PCWSTR query, HCS_OPERATION operation)
{
    cJSON *request = emulated_request("enumerate");

    emulated_add_wide(request, "text", query);
    return emulated_begin(OPERATION(operation), HcsOperationTypeEnumerate, request, NULL);
}

HRESULT WINAPI HcsCreateComputeSystem(PCWSTR id, PCWSTR configuration, HCS_OPERATION operation, const SECURITY_DESCRIPTOR *security,
                                      HCS_SYSTEM *system)
{
    cJSON *request = emulated_request("create");
    int64_t handle = 0;
    HRESULT code;

    (void)security;
    emulated_add_wide(request, "id", id);
    emulated_add_wide(request, "text", configuration);
    code = emulated_begin(OPERATION(operation), HcsOperationTypeCreate, request, &handle);
    *system = SUCCEEDED(code) && handle ? (HCS_SYSTEM)emulated_handle_new(handle) : NULL;
    return code;
}

HRESULT WINAPI HcsOpenComputeSystem(PCWSTR id, DWORD access, HCS_SYSTEM *system)
{
    cJSON *request = emulated_request("open");
    int64_t handle = 0;
    HRESULT code;

    *system = NULL;
    if (access != GENERIC_ALL) {
        cJSON_Delete(request);
        return E_INVALIDARG;
    }
    emulated_add_wide(request, "id", id);
    code = emulated_ask_text(request, NULL, &handle, NULL);
    if (SUCCEEDED(code))
        *system = (HCS_SYSTEM)emulated_handle_new(handle);
    return code;
}

void WINAPI HcsCloseComputeSystem(HCS_SYSTEM system)
{
    emulated_handle_close(HANDLE_(system));
}

HRESULT WINAPI HcsStartComputeSystem(HCS_SYSTEM system, HCS_OPERATION operation, PCWSTR options)
{
    return emulated_begin(OPERATION(operation), HcsOperationTypeStart, on_handle("start", system, options), NULL);
}

HRESULT WINAPI HcsShutDownComputeSystem(HCS_SYSTEM system, HCS_OPERATION operation, PCWSTR options)
{
    return emulated_begin(OPERATION(operation), HcsOperationTypeShutdown, on_handle("shutdown", system, options), NULL);
}

HRESULT WINAPI HcsTerminateComputeSystem(HCS_SYSTEM system, HCS_OPERATION operation, PCWSTR options)
{
    return emulated_begin(OPERATION(operation), HcsOperationTypeTerminate, on_handle("terminate", system, options), NULL);
}

HRESULT WINAPI HcsPauseComputeSystem(HCS_SYSTEM system, HCS_OPERATION operation, PCWSTR options)
{
    return emulated_begin(OPERATION(operation), HcsOperationTypePause, on_handle("pause", system, options), NULL);
}

HRESULT WINAPI HcsResumeComputeSystem(HCS_SYSTEM system, HCS_OPERATION operation, PCWSTR options)
{
    return emulated_begin(OPERATION(operation), HcsOperationTypeResume, on_handle("resume", system, options), NULL);
}

HRESULT WINAPI HcsGetComputeSystemProperties(HCS_SYSTEM system, HCS_OPERATION operation, PCWSTR query)
{
    return emulated_begin(OPERATION(operation), HcsOperationTypeGetProperties, on_handle("properties", system, query), NULL);
}

HRESULT WINAPI HcsModifyComputeSystem(HCS_SYSTEM system, HCS_OPERATION operation, PCWSTR configuration, HANDLE identity)
{
    (void)identity;
    return emulated_begin(OPERATION(operation), HcsOperationTypeModify, on_handle("modify", system, configuration), NULL);
}

static HRESULT set_callback(struct emulated_handle *h, const void *context, HCS_EVENT_CALLBACK callback)
{
    h->ctx = (void *)(uintptr_t)context;
    h->on_event = callback;
    emulated_handle_watch(h, callback != NULL);
    return S_OK;
}

HRESULT WINAPI HcsSetComputeSystemCallback(HCS_SYSTEM system, HCS_EVENT_OPTIONS options, const void *context, HCS_EVENT_CALLBACK callback)
{
    (void)options;
    return set_callback(HANDLE_(system), context, callback);
}

/* --- processes --- */

HRESULT WINAPI HcsCreateProcess(HCS_SYSTEM system, PCWSTR parameters, HCS_OPERATION operation, const SECURITY_DESCRIPTOR *security,
                                HCS_PROCESS *process)
{
    int64_t handle = 0;
    HRESULT code =
        emulated_begin(OPERATION(operation), HcsOperationTypeCreateProcess, on_handle("create-process", system, parameters), &handle);

    (void)security;
    *process = SUCCEEDED(code) && handle ? (HCS_PROCESS)emulated_handle_new(handle) : NULL;
    return code;
}

HRESULT WINAPI HcsOpenProcess(HCS_SYSTEM system, DWORD pid, DWORD access, HCS_PROCESS *process)
{
    cJSON *request = on_handle("open-process", system, NULL);
    int64_t handle = 0;
    HRESULT code;

    (void)access;
    *process = NULL;
    cJSON_AddNumberToObject(request, "pid", pid);
    code = emulated_ask_text(request, NULL, &handle, NULL);
    if (SUCCEEDED(code))
        *process = (HCS_PROCESS)emulated_handle_new(handle);
    return code;
}

void WINAPI HcsCloseProcess(HCS_PROCESS process)
{
    emulated_handle_close(HANDLE_(process));
}

HRESULT WINAPI HcsTerminateProcess(HCS_PROCESS process, HCS_OPERATION operation, PCWSTR options)
{
    return emulated_begin(OPERATION(operation), HcsOperationTypeSignalProcess, on_handle("terminate-process", process, options), NULL);
}

HRESULT WINAPI HcsSignalProcess(HCS_PROCESS process, HCS_OPERATION operation, PCWSTR options)
{
    return emulated_begin(OPERATION(operation), HcsOperationTypeSignalProcess, on_handle("signal-process", process, options), NULL);
}

HRESULT WINAPI HcsGetProcessInfo(HCS_PROCESS process, HCS_OPERATION operation)
{
    return emulated_begin(OPERATION(operation), HcsOperationTypeGetProcessInfo, on_handle("process-info", process, NULL), NULL);
}

HRESULT WINAPI HcsGetProcessProperties(HCS_PROCESS process, HCS_OPERATION operation, PCWSTR query)
{
    return emulated_begin(OPERATION(operation), HcsOperationTypeGetProcessProperties, on_handle("process-properties", process, query),
                          NULL);
}

HRESULT WINAPI HcsModifyProcess(HCS_PROCESS process, HCS_OPERATION operation, PCWSTR settings)
{
    return emulated_begin(OPERATION(operation), HcsOperationTypeModifyProcess, on_handle("modify-process", process, settings), NULL);
}

HRESULT WINAPI HcsSetProcessCallback(HCS_PROCESS process, HCS_EVENT_OPTIONS options, void *context, HCS_EVENT_CALLBACK callback)
{
    (void)options;
    return set_callback(HANDLE_(process), context, callback);
}

/* --- the service --- */

HRESULT WINAPI HcsGetServiceProperties(PCWSTR query, PWSTR *result)
{
    cJSON *request = emulated_request("service-properties");

    emulated_add_wide(request, "text", query);
    return emulated_ask_text(request, result, NULL, NULL);
}

HRESULT WINAPI HcsModifyServiceSettings(PCWSTR settings, PWSTR *result)
{
    cJSON *request = emulated_request("modify-service");

    emulated_add_wide(request, "text", settings);
    return emulated_ask_text(request, result, NULL, NULL);
}

HRESULT WINAPI HcsGrantVmAccess(PCWSTR vm_id, PCWSTR path)
{
    cJSON *request = emulated_request("grant-vm-access");

    emulated_add_wide(request, "id", vm_id);
    emulated_add_wide(request, "text", path);
    return emulated_ask_text(request, NULL, NULL, NULL);
}

/* --- for tests: ends the emulator and everything in it --- */

void WINAPI EmulatedHcsQuit(void);
void WINAPI EmulatedHcsQuit(void)
{
    cJSON_Delete(emulated_ask(emulated_request("quit")));
}
