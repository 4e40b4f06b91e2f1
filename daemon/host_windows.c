/* daemon/host_windows.c – see host.h: a directory's access list and a file that is not shared, the process' own numbers. */
#include "daemon/host.h"

#include <uv.h> /* before windows.h, as winsock wants */

#include <aclapi.h>
#include <psapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "base/access_windows.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/system_windows.h"

/* Between 1601, where Windows' times begin, and 1970; in its unit of 100 ns. */
#define EPOCH_FILETIME 116444736000000000ull
#define FILETIME_PER_S 1e7

/* Administrators, SYSTEM and whoever made it: nobody else, whatever is inherited from above. */
static int make_private(const char *dir, const wchar_t *wide_dir, struct error *err)
{
    PSECURITY_DESCRIPTOR descriptor;
    PACL list;

    if (file_make_dirs(dir, 0700, err) < 0)
        return err->code;
    if (access_list_new(L"D:PAI(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)(A;OICI;FA;;;OW)", &descriptor, &list, err) < 0)
        return error_wrap(err, "make %s private", dir);
    DWORD failed = SetNamedSecurityInfoW((wchar_t *)(uintptr_t)wide_dir, SE_FILE_OBJECT,
                                         DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION, NULL, NULL, list, NULL);
    LocalFree(descriptor);
    return failed ? error_set_windows(err, failed, "make %s private", dir) : 0;
}

static void read_holder(const wchar_t *path, char *out, size_t size)
{
    HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING, 0, NULL);
    DWORD length = 0;

    if (file != INVALID_HANDLE_VALUE) {
        if (!ReadFile(file, out, (DWORD)size - 1, &length, NULL))
            length = 0;
        CloseHandle(file);
    }
    out[length] = '\0';
    out[strcspn(out, "\r\n")] = '\0';
}

int host_claim_directory(const char *dir, struct error *err)
{
    cleanup_free char *path = mem_format("%s/lock", dir);
    cleanup_free wchar_t *wide_dir = wide_from_utf8(dir), *wide_path = wide_from_utf8(path);
    char line[16];
    DWORD written;

    if (make_private(dir, wide_dir, err) < 0)
        return err->code;
    HANDLE file = CreateFileW(wide_path, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ, NULL, OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE && GetLastError() == ERROR_SHARING_VIOLATION) {
        char holder[16];
        read_holder(wide_path, holder, sizeof holder);
        return error_set(err, ERR_EXISTS, "%s is in use by another skepd (process %s): give this one directories of its own", dir,
                         holder[0] ? holder : "unknown");
    }
    if (file == INVALID_HANDLE_VALUE)
        return error_set_windows(err, GetLastError(), "open %s", path);
    int length = snprintf(line, sizeof line, "%lu\r\n", GetCurrentProcessId());
    if (!WriteFile(file, line, (DWORD)length, &written, NULL) || !SetEndOfFile(file) || !FlushFileBuffers(file)) {
        DWORD failed = GetLastError();
        CloseHandle(file);
        return error_set_windows(err, failed, "write %s", path);
    }
    return 0; /* the handle stays open: nobody else may write the file as long as the process lives */
}

const char *host_default_isolation(void)
{
    char kind[32];

    version_read_text(L"InstallationType", kind, sizeof kind); /* "Client", "Server", "Server Core", "Nano Server" */
    return strcmp(kind, "Client") == 0 ? "hyperv" : "process";
}

bool host_has_group(const char *name)
{
    wchar_t *sid = NULL;
    bool is_there = access_sid_of(name, &sid, &(struct error){0}) == 0;

    LocalFree(sid);
    return is_there;
}

void host_prepare_process(void)
{
    cleanup_free char *workers = mem_format("%d", CONTAINER_STARTS_PARALLEL_COUNT);

    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX); /* nobody is there to press a button */
    SetConsoleOutputCP(CP_UTF8);
    if (getenv("UV_THREADPOOL_SIZE") == NULL)
        uv_os_setenv("UV_THREADPOOL_SIZE", workers);
}

void host_trim_memory(void)
{
    HeapCompact(GetProcessHeap(), 0);
}

static uint64_t filetime(FILETIME time)
{
    return (uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime;
}

void host_usage(struct host_usage *out)
{
    HANDLE self = GetCurrentProcess();
    PROCESS_MEMORY_COUNTERS_EX memory = {.cb = sizeof memory};
    FILETIME created, exited, kernel, user;
    DWORD handles = 0;

    *out = (struct host_usage){0};
    if (GetProcessMemoryInfo(self, (PROCESS_MEMORY_COUNTERS *)&memory, sizeof memory)) {
        out->resident_bytes = memory.WorkingSetSize;
        out->virtual_bytes = memory.PrivateUsage;
    }
    if (GetProcessHandleCount(self, &handles))
        out->open_handles_count = handles;
    if (GetProcessTimes(self, &created, &exited, &kernel, &user)) {
        out->cpu_s = (double)(filetime(kernel) + filetime(user)) / FILETIME_PER_S;
        out->started_wall_s = (double)(filetime(created) - EPOCH_FILETIME) / FILETIME_PER_S;
    }
}
