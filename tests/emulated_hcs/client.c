/* tests/emulated_hcs/client.c – see client.h. */
#include "tests/emulated_hcs/client.h"

#include <combaseapi.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emulated_hcs/wire.h"

enum { CONNECT_MS = 15000 };

CRITICAL_SECTION emulated_lock;
CONDITION_VARIABLE emulated_changed;

struct pending {
    struct pending *next;
    int64_t number;
    cJSON *answer;
};

struct event {
    struct event *next;
    cJSON *json;
};

static HMODULE own_module;
static HANDLE server = INVALID_HANDLE_VALUE;
static CRITICAL_SECTION write_lock;
static struct pending *pendings;
static struct event *events;
static struct emulated_handle *handles;
static struct emulated_operation *operations;
static int64_t next_number = 1;

static INIT_ONCE started = INIT_ONCE_STATIC_INIT;

PWSTR emulated_wide(const char *text)
{
    int size = text ? MultiByteToWideChar(CP_UTF8, 0, text, -1, NULL, 0) : 0;
    PWSTR out = size > 0 ? CoTaskMemAlloc((size_t)size * sizeof *out) : NULL;

    if (out)
        MultiByteToWideChar(CP_UTF8, 0, text, -1, out, size);
    return out;
}

void emulated_add_wide(cJSON *request, const char *key, PCWSTR text)
{
    int size = text ? WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL) : 0;
    char *narrow = size > 0 ? malloc((size_t)size) : NULL;

    if (!narrow)
        return;
    WideCharToMultiByte(CP_UTF8, 0, text, -1, narrow, size, NULL, NULL);
    cJSON_AddStringToObject(request, key, narrow);
    free(narrow);
}

/* --- the connection --- */

static bool transfer(bool writes, void *data, DWORD size)
{
    char *at = data;

    while (size > 0) {
        OVERLAPPED o = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
        DWORD n = 0;
        BOOL ok = writes ? WriteFile(server, at, size, NULL, &o) : ReadFile(server, at, size, NULL, &o);
        if (ok || GetLastError() == ERROR_IO_PENDING)
            ok = GetOverlappedResult(server, &o, &n, TRUE);
        CloseHandle(o.hEvent);
        if (!ok || n == 0)
            return false;
        at += n;
        size -= n;
    }
    return true;
}

static bool send_json(const cJSON *json)
{
    char *text = cJSON_PrintUnformatted(json);
    uint32_t size = (uint32_t)strlen(text);
    char *message = malloc(sizeof size + size);
    bool is_sent;

    memcpy(message, &size, sizeof size);
    memcpy(message + sizeof size, text, size);
    EnterCriticalSection(&write_lock);
    is_sent = transfer(true, message, (DWORD)(sizeof size + size));
    LeaveCriticalSection(&write_lock);
    free(message);
    free(text);
    return is_sent;
}

/* --- what comes --- */

static void push_event(cJSON *json)
{
    struct event *event = calloc(1, sizeof *event), **end = &events;

    event->json = json;
    while (*end)
        end = &(*end)->next;
    *end = event;
}

static double number_of(const cJSON *json, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);

    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static const char *text_of(const cJSON *json, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);

    return cJSON_IsString(item) ? item->valuestring : NULL;
}

static HCS_PROCESS_INFORMATION info_of(const cJSON *json)
{
    const cJSON *info = cJSON_GetObjectItem(json, "info");

    return (HCS_PROCESS_INFORMATION){(DWORD)number_of(info, "pid"), 0, (HANDLE)(uintptr_t)number_of(info, "in"),
                                     (HANDLE)(uintptr_t)number_of(info, "out"), (HANDLE)(uintptr_t)number_of(info, "err")};
}

static void take_answer(cJSON *json)
{
    int64_t number = (int64_t)number_of(json, "n");

    for (struct pending *p = pendings; p; p = p->next)
        if (p->number == number) {
            p->answer = json;
            return;
        }
    cJSON_Delete(json);
}

/* Under the lock. */
static void take_message(cJSON *json)
{
    if (cJSON_GetObjectItem(json, "n"))
        take_answer(json);
    else
        push_event(json);
    WakeAllConditionVariable(&emulated_changed);
}

static DWORD WINAPI read_loop(void *unused)
{
    uint32_t size;

    (void)unused;
    while (transfer(false, &size, sizeof size) && size <= EMULATED_MESSAGE_BYTES) {
        char *text = malloc(size + 1);
        if (!transfer(false, text, size))
            break;
        cJSON *json = cJSON_ParseWithLength(text, size);
        free(text);
        EnterCriticalSection(&emulated_lock);
        if (json)
            take_message(json);
        LeaveCriticalSection(&emulated_lock);
    }
    EnterCriticalSection(&emulated_lock);
    CloseHandle(server);
    server = INVALID_HANDLE_VALUE;
    for (struct emulated_handle *h = handles; h; h = h->next) { /* the service died */
        cJSON *json = cJSON_CreateObject();
        cJSON_AddStringToObject(json, "ev", "lost");
        cJSON_AddNumberToObject(json, "h", (double)h->id);
        push_event(json);
    }
    for (struct emulated_operation *o = operations; o; o = o->next)
        if (o->is_started && !o->is_done) {
            o->is_done = true;
            o->code = 0x8037011E;
        }
    WakeAllConditionVariable(&emulated_changed);
    LeaveCriticalSection(&emulated_lock);
    return 0;
}

/* --- callbacks, on a thread of their own --- */

static void operation_free(struct emulated_operation *operation)
{
    for (struct emulated_operation **place = &operations; *place; place = &(*place)->next)
        if (*place == operation) {
            *place = operation->next;
            break;
        }
    free(operation->text);
    free(operation);
}

/* One that is under way is freed by its end. */
void emulated_operation_close(struct emulated_operation *operation)
{
    EnterCriticalSection(&emulated_lock);
    operation->is_closed = true;
    if (!operation->is_started || operation->is_done)
        operation_free(operation);
    LeaveCriticalSection(&emulated_lock);
}

static void end_operation(const cJSON *json)
{
    int64_t id = (int64_t)number_of(json, "op");
    struct emulated_operation *o = operations;

    while (o && o->id != id)
        o = o->next;
    if (!o)
        return;
    o->is_done = true;
    o->code = (uint32_t)number_of(json, "hr");
    o->text = text_of(json, "text") ? _strdup(text_of(json, "text")) : NULL;
    if (cJSON_GetObjectItem(json, "info"))
        o->info = info_of(json);
    if (o->is_closed) {
        operation_free(o);
    } else if (o->on_done) {
        LeaveCriticalSection(&emulated_lock);
        o->on_done((HCS_OPERATION)o, (void *)(uintptr_t)o->ctx);
        EnterCriticalSection(&emulated_lock);
    }
    WakeAllConditionVariable(&emulated_changed);
}

static void run_event(const cJSON *json)
{
    int64_t id = (int64_t)number_of(json, "h");
    struct emulated_handle *h = handles;

    while (h && h->id != id)
        h = h->next;
    if (!h || (!h->on_event && !h->on_notification))
        return;
    h->running++;
    LeaveCriticalSection(&emulated_lock);
    emulated_dispatch(h, text_of(json, "ev"), (uint32_t)number_of(json, "hr"), text_of(json, "text"));
    EnterCriticalSection(&emulated_lock);
    h->running--;
    WakeAllConditionVariable(&emulated_changed);
}

static DWORD WINAPI callback_loop(void *unused)
{
    (void)unused;
    EnterCriticalSection(&emulated_lock);
    for (;;) {
        struct event *event = events;
        if (!event) {
            SleepConditionVariableCS(&emulated_changed, &emulated_lock, INFINITE);
            continue;
        }
        events = event->next;
        if (cJSON_GetObjectItem(event->json, "op"))
            end_operation(event->json);
        else
            run_event(event->json);
        cJSON_Delete(event->json);
        free(event);
    }
    return 0;
}

/* --- finding the emulator --- */

static void directory(WCHAR out[MAX_PATH])
{
    if (GetEnvironmentVariableW(L"SKEP_EMULATED_HCS", out, MAX_PATH) == 0)
        wcscpy(out, L"C:\\skep-emulated-hcs");
}

/* The emulator must not hold what its client inherits to others. */
static void spawn_server(const WCHAR *dir)
{
    WCHAR path[MAX_PATH], line[2 * MAX_PATH + 8];
    STARTUPINFOW start = {.cb = sizeof start};
    PROCESS_INFORMATION info;

    GetModuleFileNameW(own_module, path, MAX_PATH);
    wcscpy(wcsrchr(path, L'\\') + 1, L"hcs_emulator.exe");
    swprintf(line, sizeof line / sizeof line[0], L"\"%ls\" \"%ls\"", path, dir);
    if (!CreateProcessW(path, line, NULL, NULL, FALSE, DETACHED_PROCESS, NULL, NULL, &start, &info))
        return;
    CloseHandle(info.hThread);
    CloseHandle(info.hProcess);
}

static bool connect_pipe(void)
{
    WCHAR dir[MAX_PATH], name[64];
    ULONGLONG end = GetTickCount64() + CONNECT_MS;
    bool is_spawned = false;

    directory(dir);
    emulated_pipe_name(dir, name);
    while (GetTickCount64() < end) {
        server = CreateFileW(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
        if (server != INVALID_HANDLE_VALUE)
            return true;
        if (!is_spawned && GetLastError() != ERROR_PIPE_BUSY)
            spawn_server(dir);
        is_spawned = true;
        Sleep(20);
    }
    return false;
}

static void say_hello(void)
{
    cJSON *hello = emulated_request("hello");

    cJSON_AddNumberToObject(hello, "pid", GetCurrentProcessId());
    cJSON_AddBoolToObject(hello, "legacy", emulated_is_legacy);
    send_json(hello);
    cJSON_Delete(hello);
}

static BOOL CALLBACK start_once(INIT_ONCE *once, void *parameter, void **context)
{
    (void)once;
    (void)parameter;
    (void)context;
    CloseHandle(CreateThread(NULL, 0, callback_loop, NULL, 0, NULL));
    return TRUE;
}

/* Under the lock. */
static bool connected(void)
{
    InitOnceExecuteOnce(&started, start_once, NULL, NULL);
    if (server != INVALID_HANDLE_VALUE)
        return true;
    if (!connect_pipe())
        return false;
    say_hello();
    CloseHandle(CreateThread(NULL, 0, read_loop, NULL, 0, NULL));
    return true;
}

BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, void *reserved);
BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, void *reserved)
{
    (void)reserved;
    if (reason == DLL_PROCESS_ATTACH) {
        own_module = instance;
        InitializeCriticalSection(&emulated_lock);
        InitializeCriticalSection(&write_lock);
        InitializeConditionVariable(&emulated_changed);
        DisableThreadLibraryCalls(instance);
    }
    return TRUE;
}

/* --- asking --- */

cJSON *emulated_request(const char *call)
{
    cJSON *request = cJSON_CreateObject();

    cJSON_AddStringToObject(request, "call", call);
    return request;
}

cJSON *emulated_ask(cJSON *request)
{
    struct pending p = {0};

    EnterCriticalSection(&emulated_lock);
    p.number = next_number++;
    cJSON_AddNumberToObject(request, "n", (double)p.number);
    p.next = pendings;
    pendings = &p;
    if (connected() && send_json(request))
        while (!p.answer && server != INVALID_HANDLE_VALUE)
            SleepConditionVariableCS(&emulated_changed, &emulated_lock, INFINITE);
    for (struct pending **place = &pendings; *place; place = &(*place)->next)
        if (*place == &p) {
            *place = p.next;
            break;
        }
    LeaveCriticalSection(&emulated_lock);
    cJSON_Delete(request);
    return p.answer;
}

HRESULT emulated_ask_text(cJSON *request, PWSTR *text, int64_t *handle, HCS_PROCESS_INFORMATION *info)
{
    cJSON *answer = emulated_ask(request);
    uint32_t code = answer ? (uint32_t)number_of(answer, "hr") : emulated_is_legacy ? 0xC037011E : 0x8037011E;

    if (text)
        *text = emulated_wide(text_of(answer, "text"));
    if (handle)
        *handle = (int64_t)number_of(answer, "h");
    if (info)
        *info = info_of(answer);
    cJSON_Delete(answer);
    return (HRESULT)code;
}

HRESULT emulated_begin(struct emulated_operation *operation, HCS_OPERATION_TYPE type, cJSON *request, int64_t *handle)
{
    HRESULT code;

    EnterCriticalSection(&emulated_lock);
    if (operation->is_started) {
        LeaveCriticalSection(&emulated_lock);
        cJSON_Delete(request);
        return (HRESULT)0x80370116;
    }
    operation->is_started = true;
    operation->type = type;
    operation->id = next_number++;
    operation->next = operations;
    operations = operation;
    cJSON_AddNumberToObject(request, "op", (double)operation->id);
    LeaveCriticalSection(&emulated_lock);
    code = emulated_ask_text(request, NULL, handle, NULL);
    if (FAILED(code)) {
        EnterCriticalSection(&emulated_lock);
        operation->is_done = true;
        operation->code = (uint32_t)code;
        LeaveCriticalSection(&emulated_lock);
    }
    return code;
}

/* --- handles --- */

struct emulated_handle *emulated_handle_new(int64_t id)
{
    struct emulated_handle *h = calloc(1, sizeof *h);

    h->id = id;
    EnterCriticalSection(&emulated_lock);
    h->next = handles;
    handles = h;
    LeaveCriticalSection(&emulated_lock);
    return h;
}

void emulated_handle_watch(struct emulated_handle *handle, bool is_on)
{
    cJSON *request = emulated_request("watch");

    cJSON_AddNumberToObject(request, "h", (double)handle->id);
    cJSON_AddBoolToObject(request, "on", is_on);
    cJSON_Delete(emulated_ask(request));
    EnterCriticalSection(&emulated_lock);
    while (!is_on && handle->running > 0)
        SleepConditionVariableCS(&emulated_changed, &emulated_lock, INFINITE);
    if (!is_on) {
        handle->on_event = NULL;
        handle->on_notification = NULL;
    }
    LeaveCriticalSection(&emulated_lock);
}

void emulated_handle_close(struct emulated_handle *handle)
{
    cJSON *request = emulated_request("close");

    cJSON_AddNumberToObject(request, "h", (double)handle->id);
    EnterCriticalSection(&emulated_lock);
    for (struct emulated_handle **place = &handles; *place; place = &(*place)->next)
        if (*place == handle) {
            *place = handle->next;
            break;
        }
    while (handle->running > 0)
        SleepConditionVariableCS(&emulated_changed, &emulated_lock, INFINITE);
    LeaveCriticalSection(&emulated_lock);
    cJSON_Delete(emulated_ask(request));
    free(handle);
}
