/* tests/emulated_hcs/vmcompute.c – the emulated vmcompute.dll: HCS's older calls, with notifications. Layers are in layers.c.
 * Source: hcs.md §1.4, §2.3. */
#include <combaseapi.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "tests/emulated_hcs/client.h"

bool emulated_is_legacy = true;

#define HANDLE_(h) ((struct emulated_handle *)(h))

HRESULT WINAPI HcsEnumerateComputeSystems(PCWSTR query, PWSTR *found, PWSTR *result);
HRESULT WINAPI HcsCreateComputeSystem(PCWSTR id, PCWSTR configuration, HANDLE identity, HCS_SYSTEM *system, PWSTR *result);
HRESULT WINAPI HcsOpenComputeSystem(PCWSTR id, HCS_SYSTEM *system, PWSTR *result);
HRESULT WINAPI HcsCloseComputeSystem(HCS_SYSTEM system);
HRESULT WINAPI HcsStartComputeSystem(HCS_SYSTEM system, PCWSTR options, PWSTR *result);
HRESULT WINAPI HcsShutdownComputeSystem(HCS_SYSTEM system, PCWSTR options, PWSTR *result);
HRESULT WINAPI HcsTerminateComputeSystem(HCS_SYSTEM system, PCWSTR options, PWSTR *result);
HRESULT WINAPI HcsPauseComputeSystem(HCS_SYSTEM system, PCWSTR options, PWSTR *result);
HRESULT WINAPI HcsResumeComputeSystem(HCS_SYSTEM system, PCWSTR options, PWSTR *result);
HRESULT WINAPI HcsGetComputeSystemProperties(HCS_SYSTEM system, PCWSTR query, PWSTR *properties, PWSTR *result);
HRESULT WINAPI HcsModifyComputeSystem(HCS_SYSTEM system, PCWSTR configuration, PWSTR *result);
HRESULT WINAPI HcsRegisterComputeSystemCallback(HCS_SYSTEM system, HCS_NOTIFICATION_CALLBACK callback, void *ctx, HCS_CALLBACK *out);
HRESULT WINAPI HcsUnregisterComputeSystemCallback(HCS_CALLBACK callback);
HRESULT WINAPI HcsCreateProcess(HCS_SYSTEM system, PCWSTR parameters, HCS_PROCESS_INFORMATION *info, HCS_PROCESS *process, PWSTR *result);
HRESULT WINAPI HcsOpenProcess(HCS_SYSTEM system, DWORD pid, HCS_PROCESS *process, PWSTR *result);
HRESULT WINAPI HcsCloseProcess(HCS_PROCESS process);
HRESULT WINAPI HcsTerminateProcess(HCS_PROCESS process, PWSTR *result);
HRESULT WINAPI HcsSignalProcess(HCS_PROCESS process, PCWSTR options, PWSTR *result);
HRESULT WINAPI HcsGetProcessProperties(HCS_PROCESS process, PWSTR *properties, PWSTR *result);
HRESULT WINAPI HcsModifyProcess(HCS_PROCESS process, PCWSTR settings, PWSTR *result);
HRESULT WINAPI HcsRegisterProcessCallback(HCS_PROCESS process, HCS_NOTIFICATION_CALLBACK callback, void *ctx, HCS_CALLBACK *out);
HRESULT WINAPI HcsUnregisterProcessCallback(HCS_CALLBACK callback);
HRESULT WINAPI HNSCall(PCWSTR method, PCWSTR path, PCWSTR body, PWSTR *response);

static const struct {
    const char *event;
    DWORD type;
} types[] = {{"system-exited", HcsNotificationSystemExited},       {"process-exited", HcsNotificationProcessExited},
             {"create", HcsNotificationSystemCreateCompleted},     {"start", HcsNotificationSystemStartCompleted},
             {"pause", HcsNotificationSystemPauseCompleted},       {"resume", HcsNotificationSystemResumeCompleted},
             {"shutdown", HcsNotificationSystemShutdownCompleted}, {"lost", HcsNotificationServiceDisconnect}};

void emulated_dispatch(struct emulated_handle *handle, const char *event, uint32_t code, const char *text)
{
    PWSTR data = emulated_wide(text);

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i].event, event) == 0 && handle->on_notification)
            handle->on_notification(types[i].type, handle->ctx, (HRESULT)code, data);
    CoTaskMemFree(data);
}

static cJSON *on_handle(const char *call, const void *handle, PCWSTR text)
{
    cJSON *request = emulated_request(call);

    cJSON_AddNumberToObject(request, "h", (double)((const struct emulated_handle *)handle)->id);
    emulated_add_wide(request, "text", text);
    return request;
}

/* What the emulator's text is depends on the outcome: the answer, or why not. */
static HRESULT ask_both(cJSON *request, PWSTR *answer, PWSTR *result)
{
    PWSTR text = NULL;
    HRESULT code = emulated_ask_text(request, &text, NULL, NULL);

    *answer = SUCCEEDED(code) ? text : NULL;
    if (result)
        *result = FAILED(code) ? text : NULL;
    return code;
}

HRESULT WINAPI HcsEnumerateComputeSystems(PCWSTR query, PWSTR *found, PWSTR *result)
{
    cJSON *request = emulated_request("enumerate");

    emulated_add_wide(request, "text", query);
    return ask_both(request, found, result);
}

HRESULT WINAPI HcsCreateComputeSystem(PCWSTR id, PCWSTR configuration, HANDLE identity, HCS_SYSTEM *system, PWSTR *result)
{
    cJSON *request = emulated_request("create");
    int64_t handle = 0;
    HRESULT code;

    (void)identity;
    emulated_add_wide(request, "id", id);
    emulated_add_wide(request, "text", configuration);
    code = emulated_ask_text(request, result, &handle, NULL);
    *system = handle ? (HCS_SYSTEM)emulated_handle_new(handle) : NULL;
    return code;
}

HRESULT WINAPI HcsOpenComputeSystem(PCWSTR id, HCS_SYSTEM *system, PWSTR *result)
{
    cJSON *request = emulated_request("open");
    int64_t handle = 0;
    HRESULT code;

    emulated_add_wide(request, "id", id);
    code = emulated_ask_text(request, result, &handle, NULL);
    *system = SUCCEEDED(code) ? (HCS_SYSTEM)emulated_handle_new(handle) : NULL;
    return code;
}

HRESULT WINAPI HcsCloseComputeSystem(HCS_SYSTEM system)
{
    emulated_handle_close(HANDLE_(system));
    return S_OK;
}

HRESULT WINAPI HcsStartComputeSystem(HCS_SYSTEM system, PCWSTR options, PWSTR *result)
{
    return emulated_ask_text(on_handle("start", system, options), result, NULL, NULL);
}

HRESULT WINAPI HcsShutdownComputeSystem(HCS_SYSTEM system, PCWSTR options, PWSTR *result)
{
    return emulated_ask_text(on_handle("shutdown", system, options), result, NULL, NULL);
}

HRESULT WINAPI HcsTerminateComputeSystem(HCS_SYSTEM system, PCWSTR options, PWSTR *result)
{
    return emulated_ask_text(on_handle("terminate", system, options), result, NULL, NULL);
}

HRESULT WINAPI HcsPauseComputeSystem(HCS_SYSTEM system, PCWSTR options, PWSTR *result)
{
    return emulated_ask_text(on_handle("pause", system, options), result, NULL, NULL);
}

HRESULT WINAPI HcsResumeComputeSystem(HCS_SYSTEM system, PCWSTR options, PWSTR *result)
{
    return emulated_ask_text(on_handle("resume", system, options), result, NULL, NULL);
}

HRESULT WINAPI HcsGetComputeSystemProperties(HCS_SYSTEM system, PCWSTR query, PWSTR *properties, PWSTR *result)
{
    return ask_both(on_handle("properties", system, query), properties, result);
}

HRESULT WINAPI HcsModifyComputeSystem(HCS_SYSTEM system, PCWSTR configuration, PWSTR *result)
{
    return emulated_ask_text(on_handle("modify", system, configuration), result, NULL, NULL);
}

static HRESULT register_callback(struct emulated_handle *h, HCS_NOTIFICATION_CALLBACK callback, void *ctx, HCS_CALLBACK *out)
{
    h->ctx = ctx;
    h->on_notification = callback;
    emulated_handle_watch(h, true);
    *out = (HCS_CALLBACK)h;
    return S_OK;
}

HRESULT WINAPI HcsRegisterComputeSystemCallback(HCS_SYSTEM system, HCS_NOTIFICATION_CALLBACK callback, void *ctx, HCS_CALLBACK *out)
{
    return register_callback(HANDLE_(system), callback, ctx, out);
}

HRESULT WINAPI HcsUnregisterComputeSystemCallback(HCS_CALLBACK callback)
{
    emulated_handle_watch(HANDLE_(callback), false);
    return S_OK;
}

HRESULT WINAPI HcsCreateProcess(HCS_SYSTEM system, PCWSTR parameters, HCS_PROCESS_INFORMATION *info, HCS_PROCESS *process, PWSTR *result)
{
    int64_t handle = 0;
    HRESULT code = emulated_ask_text(on_handle("create-process", system, parameters), result, &handle, info);

    *process = SUCCEEDED(code) && handle ? (HCS_PROCESS)emulated_handle_new(handle) : NULL;
    return code;
}

HRESULT WINAPI HcsOpenProcess(HCS_SYSTEM system, DWORD pid, HCS_PROCESS *process, PWSTR *result)
{
    cJSON *request = on_handle("open-process", system, NULL);
    int64_t handle = 0;
    HRESULT code;

    cJSON_AddNumberToObject(request, "pid", pid);
    code = emulated_ask_text(request, result, &handle, NULL);
    *process = SUCCEEDED(code) ? (HCS_PROCESS)emulated_handle_new(handle) : NULL;
    return code;
}

HRESULT WINAPI HcsCloseProcess(HCS_PROCESS process)
{
    emulated_handle_close(HANDLE_(process));
    return S_OK;
}

HRESULT WINAPI HcsTerminateProcess(HCS_PROCESS process, PWSTR *result)
{
    return emulated_ask_text(on_handle("terminate-process", process, NULL), result, NULL, NULL);
}

HRESULT WINAPI HcsSignalProcess(HCS_PROCESS process, PCWSTR options, PWSTR *result)
{
    return emulated_ask_text(on_handle("signal-process", process, options), result, NULL, NULL);
}

HRESULT WINAPI HcsGetProcessProperties(HCS_PROCESS process, PWSTR *properties, PWSTR *result)
{
    return ask_both(on_handle("process-properties", process, NULL), properties, result);
}

HRESULT WINAPI HcsModifyProcess(HCS_PROCESS process, PCWSTR settings, PWSTR *result)
{
    return emulated_ask_text(on_handle("modify-process", process, settings), result, NULL, NULL);
}

HRESULT WINAPI HcsRegisterProcessCallback(HCS_PROCESS process, HCS_NOTIFICATION_CALLBACK callback, void *ctx, HCS_CALLBACK *out)
{
    return register_callback(HANDLE_(process), callback, ctx, out);
}

HRESULT WINAPI HcsUnregisterProcessCallback(HCS_CALLBACK callback)
{
    emulated_handle_watch(HANDLE_(callback), false);
    return S_OK;
}

/* "POST" of "/endpoints/" is the call hns-post-endpoints. */
HRESULT WINAPI HNSCall(PCWSTR method, PCWSTR path, PCWSTR body, PWSTR *response)
{
    size_t length = path[0] ? wcscspn(path + 1, L"/") : 0;
    cJSON *request;
    char call[64];

    snprintf(call, sizeof call, "hns-%ls-%.*ls", method, (int)length, path[0] ? path + 1 : L"");
    for (char *c = call; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    request = emulated_request(call);
    emulated_add_wide(request, "path", path);
    emulated_add_wide(request, "text", body);
    return emulated_ask_text(request, response, NULL, NULL);
}
