/* tests/emulated_hcs/child.c – a container's processes: real ones, in the system's job, with pipes that are handed to the client. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emulated_hcs/server.h"

#include <psapi.h> /* after windows.h */

static struct child *children;
static uv_async_t wake;

/* --- ends --- */

static void note_exit(struct child *child)
{
    DWORD code = 0;

    if (child->has_exited)
        return;
    GetExitCodeProcess(child->process, &code);
    child->exit_code = code;
    child->has_exited = true;
    emit_exit_of_child(child);
}

static void on_wake(uv_async_t *async)
{
    (void)async;
    for (struct child *c = children; c; c = c->next)
        if (!c->has_exited && WaitForSingleObject(c->process, 0) == WAIT_OBJECT_0)
            note_exit(c);
}

static void CALLBACK on_process_end(void *ctx, BOOLEAN timed_out)
{
    (void)ctx;
    (void)timed_out;
    uv_async_send(&wake);
}

void children_init(void)
{
    uv_async_init(server_loop, &wake, on_wake);
    uv_unref((uv_handle_t *)&wake);
}

void children_kill(struct compute *system, uint32_t exit_code)
{
    for (struct child *c = children; c; c = c->next) {
        if (c->system != system || c->has_exited)
            continue;
        TerminateProcess(c->process, exit_code);
        WaitForSingleObject(c->process, 3000);
        note_exit(c);
    }
    TerminateJobObject(system->job, exit_code);
}

bool children_ignore_shutdown(const struct compute *system)
{
    for (const struct child *c = children; c; c = c->next)
        if (c->system == system && !c->has_exited && c->ignores_shutdown)
            return true;
    return false;
}

void children_drop(struct compute *system)
{
    for (struct child **place = &children; *place;) {
        struct child *c = *place;
        if (c->system != system) {
            place = &c->next;
            continue;
        }
        *place = c->next;
        UnregisterWaitEx(c->wait, INVALID_HANDLE_VALUE);
        for (int i = 0; i < 3; i++)
            if (c->streams[i])
                CloseHandle(c->streams[i]);
        CloseHandle(c->process);
        free(c);
    }
}

struct child *child_find(struct compute *system, DWORD pid)
{
    for (struct child *c = children; c; c = c->next)
        if (c->system == system && c->pid == pid)
            return c;
    return NULL;
}

/* --- what is told --- */

cJSON *child_status(const struct child *child)
{
    cJSON *json = cJSON_CreateObject();

    cJSON_AddNumberToObject(json, "ProcessId", child->pid);
    cJSON_AddBoolToObject(json, "Exited", child->has_exited);
    if (child->has_exited) {
        cJSON_AddNumberToObject(json, "ExitCode", child->exit_code);
        cJSON_AddNumberToObject(json, "LastWaitResult", 0);
    }
    return json;
}

cJSON *children_list(const struct compute *system)
{
    cJSON *list = cJSON_CreateArray();

    for (const struct child *c = children; c; c = c->next) {
        if (c->system != system || c->has_exited)
            continue;
        cJSON *item = cJSON_CreateObject();
        cJSON_AddNumberToObject(item, "ProcessId", c->pid);
        cJSON_AddStringToObject(item, "ImageName", "emulated.exe");
        cJSON_AddItemToArray(list, item);
    }
    return list;
}

static double ticks_of(const FILETIME *time)
{
    return (double)time->dwLowDateTime + (double)time->dwHighDateTime * 4294967296.0;
}

void children_statistics(const struct compute *system, cJSON *out)
{
    double user = 0, kernel = 0, commit = 0, peak = 0;
    cJSON *processor = cJSON_AddObjectToObject(out, "Processor"), *memory = cJSON_AddObjectToObject(out, "Memory");
    cJSON *storage = cJSON_AddObjectToObject(out, "Storage");

    for (const struct child *c = children; c; c = c->next) {
        FILETIME start, end, in_kernel, in_user;
        PROCESS_MEMORY_COUNTERS counters = {.cb = sizeof counters};
        if (c->system != system || c->has_exited)
            continue;
        if (GetProcessTimes(c->process, &start, &end, &in_kernel, &in_user)) {
            user += ticks_of(&in_user);
            kernel += ticks_of(&in_kernel);
        }
        if (GetProcessMemoryInfo(c->process, &counters, sizeof counters)) {
            commit += (double)counters.PagefileUsage;
            peak += (double)counters.PeakPagefileUsage;
        }
    }
    cJSON_AddNumberToObject(processor, "TotalRuntime100ns", user + kernel + 1);
    cJSON_AddNumberToObject(processor, "RuntimeUser100ns", user);
    cJSON_AddNumberToObject(processor, "RuntimeKernel100ns", kernel);
    cJSON_AddNumberToObject(memory, "MemoryUsageCommitBytes", commit);
    cJSON_AddNumberToObject(memory, "MemoryUsageCommitPeakBytes", peak);
    cJSON_AddNumberToObject(memory, "MemoryUsagePrivateWorkingSetBytes", commit);
    cJSON_AddNumberToObject(storage, "ReadSizeBytes", 0);
    cJSON_AddNumberToObject(storage, "WriteSizeBytes", 0);
}

/* --- birth --- */

/* Two ends: ours for the client, with overlapped I/O as HCS's have; the other for the child. */
static bool make_pipe(bool child_reads, HANDLE *ours, HANDLE *theirs)
{
    static unsigned number;
    SECURITY_ATTRIBUTES inherited = {sizeof inherited, NULL, TRUE};
    WCHAR name[64];

    _snwprintf(name, 64, L"\\\\.\\pipe\\skep-emulated-stdio-%lu-%u", GetCurrentProcessId(), ++number);
    *ours = CreateNamedPipeW(name, (child_reads ? PIPE_ACCESS_OUTBOUND : PIPE_ACCESS_INBOUND) | FILE_FLAG_OVERLAPPED,
                             PIPE_TYPE_BYTE | PIPE_WAIT, 1, 65536, 65536, 0, NULL);
    *theirs = CreateFileW(name, child_reads ? GENERIC_READ : GENERIC_WRITE, 0, &inherited, OPEN_EXISTING, 0, NULL);
    return *ours != INVALID_HANDLE_VALUE && *theirs != INVALID_HANDLE_VALUE;
}

static WCHAR *wide(const char *text)
{
    int size = MultiByteToWideChar(CP_UTF8, 0, text, -1, NULL, 0);
    WCHAR *out = calloc((size_t)size, sizeof *out);

    MultiByteToWideChar(CP_UTF8, 0, text, -1, out, size);
    return out;
}

/* Our own environment with the given variables over it. */
static WCHAR *environment_of(const cJSON *given)
{
    WCHAR *own = GetEnvironmentStringsW(), *out = calloc(65536, sizeof *out), *at = out;
    const cJSON *item;

    for (const WCHAR *entry = own; *entry; entry += wcslen(entry) + 1) {
        bool is_given = false;
        cJSON_ArrayForEach (item, given) {
            WCHAR *name = wide(item->string);
            size_t length = wcslen(name);
            is_given = is_given || (_wcsnicmp(entry, name, length) == 0 && entry[length] == L'=');
            free(name);
        }
        if (!is_given && (size_t)(at - out) + wcslen(entry) < 60000)
            at += swprintf(at, 65536 - (size_t)(at - out), L"%ls", entry) + 1;
    }
    cJSON_ArrayForEach (item, given) {
        WCHAR *name = wide(item->string), *value = wide(item->valuestring);
        at += swprintf(at, 65536 - (size_t)(at - out), L"%ls=%ls", name, value) + 1;
        free(name);
        free(value);
    }
    FreeEnvironmentStringsW(own);
    return out;
}

static bool is_true(const cJSON *json, const char *key)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, key));
}

static bool has_user(const char *user)
{
    return !user || !user[0] || strcmp(user, "ContainerAdministrator") == 0 || strcmp(user, "ContainerUser") == 0;
}

static uint32_t spawn(struct child *c, const cJSON *p)
{
    static const char *const asked[] = {"CreateStdInPipe", "CreateStdOutPipe", "CreateStdErrPipe"};
    STARTUPINFOW start = {.cb = sizeof start, .dwFlags = STARTF_USESTDHANDLES};
    HANDLE theirs[3] = {0};
    PROCESS_INFORMATION info = {0};
    WCHAR *line = wide(member(p, "CommandLine") ? member(p, "CommandLine") : ""), *dir = NULL, *environment;
    BOOL is_made;
    DWORD code;

    for (int i = 0; i < 3; i++)
        if (is_true(p, asked[i]))
            make_pipe(i == 0, &c->streams[i], &theirs[i]);
    if (member(p, "WorkingDirectory"))
        dir = wide(member(p, "WorkingDirectory"));
    environment = environment_of(cJSON_GetObjectItemCaseSensitive(p, "Environment"));
    start.hStdInput = theirs[0];
    start.hStdOutput = theirs[1];
    start.hStdError = theirs[2] ? theirs[2] : theirs[1];
    is_made = CreateProcessW(NULL, line, NULL, NULL, TRUE, CREATE_SUSPENDED | CREATE_UNICODE_ENVIRONMENT | CREATE_NO_WINDOW, environment,
                             dir, &start, &info);
    code = is_made ? 0 : FROM_WIN32(GetLastError());
    for (int i = 0; i < 3; i++)
        if (theirs[i])
            CloseHandle(theirs[i]);
    free(line);
    free(dir);
    free(environment);
    if (!is_made)
        return code;
    AssignProcessToJobObject(c->system->job, info.hProcess);
    ResumeThread(info.hThread);
    CloseHandle(info.hThread);
    c->process = info.hProcess;
    c->pid = info.dwProcessId;
    return 0;
}

cJSON *child_info(struct child *child, struct client *client, bool takes_streams)
{
    static const char *const keys[] = {"in", "out", "err"};
    HANDLE process = OpenProcess(PROCESS_DUP_HANDLE, FALSE, client->pid);
    cJSON *info = cJSON_CreateObject();

    cJSON_AddNumberToObject(info, "pid", child->pid);
    for (int i = 0; i < 3 && takes_streams; i++) {
        HANDLE given = NULL;
        if (!child->streams[i] || !process)
            continue;
        DuplicateHandle(GetCurrentProcess(), child->streams[i], process, &given, 0, FALSE, DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE);
        child->streams[i] = NULL;
        cJSON_AddNumberToObject(info, keys[i], (double)(uintptr_t)given);
    }
    if (process)
        CloseHandle(process);
    return info;
}

uint32_t child_create(struct request *r, struct answer *answer)
{
    const char *text = member(r->json, "text");
    cJSON *p = text ? cJSON_Parse(text) : NULL;
    char *wrong = p ? shape_check_process(p) : text_of("no JSON");
    int64_t given = (int64_t)member_number(r->json, "given");
    struct child *c;
    uint32_t code;

    bool runs = r->system->state == RUNNING && (!r->system->host || r->system->host->state == RUNNING);

    if (wrong || !runs || !has_user(member(p, "User"))) {
        code = wrong ? HCS(0x10D) : !runs ? HCS(0x105) : FROM_WIN32(0x52E);
        answer->text = wrong ? text_format("{\"ErrorMessage\":\"%s\"}", wrong) : NULL;
        free(wrong);
        cJSON_Delete(p);
        return code;
    }
    c = calloc(1, sizeof *c);
    c->system = r->system;
    c->ignores_shutdown = member(cJSON_GetObjectItem(p, "Environment"), "EMULATED_IGNORES_SHUTDOWN") != NULL;
    c->loses_exit = r->rule && r->rule->loses_exit;
    c->exits_twice = r->rule && r->rule->exits_twice;
    code = spawn(c, p);
    cJSON_Delete(p);
    if (code) {
        for (int i = 0; i < 3; i++)
            if (c->streams[i])
                CloseHandle(c->streams[i]);
        free(c);
        return code;
    }
    c->next = children;
    children = c;
    RegisterWaitForSingleObject(&c->wait, c->process, on_process_end, c, INFINITE, WT_EXECUTEONLYONCE);
    if (r->client->is_legacy)
        r->handle = handle_new(r->client, r->system, c);
    for (struct handle *h = handles; h; h = h->next)
        if (h->id == given)
            h->child = c;
    if (r->rule && r->rule->lacks_info)
        return 0x80070057;
    answer->info = child_info(c, r->client, true);
    return 0;
}
