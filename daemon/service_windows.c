/* daemon/service_windows.c – see service_windows.h. */
#include "daemon/service_windows.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/system_windows.h"
#include "daemon/supervisor.h"

enum {
    PATH_SIZE_CHARS = 32768,
    STOP_WAIT_MS = 30000,
    STOP_LOOK_MS = 100,
    PRESHUTDOWN_MS = SUPERVISOR_DRAIN_MS + SUPERVISOR_CLOSE_MS, /* the host waits so long for us when it goes down */
    RESTART_MS = 5000,
    RESTART_LATER_MS = 60000,
    FAILURES_FORGOTTEN_S = 24 * 3600,
};

static const wchar_t events_key[] = L"SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\";

/* --- the command line: quoted as CommandLineToArgvW() and the C library read it --- */

static void append_backslashes(struct buf *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_append_format(out, "\\");
}

static void append_argument(struct buf *out, const char *argument)
{
    size_t backslashes = 0;

    buf_append_format(out, "%s\"", out->size ? " " : "");
    for (const char *c = argument; *c; c++) {
        if (*c == '\\') {
            backslashes++;
            continue;
        }
        append_backslashes(out, *c == '"' ? 2 * backslashes + 1 : backslashes);
        backslashes = 0;
        buf_append_format(out, "%c", *c);
    }
    append_backslashes(out, 2 * backslashes);
    buf_append_format(out, "\"");
}

static int own_path(char **out, struct error *err)
{
    cleanup_free wchar_t *path = mem_array(PATH_SIZE_CHARS, sizeof *path);
    DWORD count = GetModuleFileNameW(NULL, path, PATH_SIZE_CHARS);

    if (count == 0 || count == PATH_SIZE_CHARS)
        return error_set_windows(err, GetLastError(), "find this program's own file");
    *out = utf8_from_wide(path);
    return 0;
}

static wchar_t *build_command(const char *program, const char *name, int argc, char **argv)
{
    cleanup_buf struct buf line = {0};

    append_argument(&line, program);
    append_argument(&line, "--run-service");
    append_argument(&line, "--service-name");
    append_argument(&line, name);
    for (int i = 1; i < argc; i++)
        append_argument(&line, argv[i]);
    cleanup_free char *text = buf_steal_string(&line);
    return wide_from_utf8(text);
}

/* --- events --- */

static int register_events(const wchar_t *name, const char *program, struct error *err)
{
    cleanup_free wchar_t *file = wide_from_utf8(program);
    DWORD types = EVENTLOG_ERROR_TYPE | EVENTLOG_WARNING_TYPE | EVENTLOG_INFORMATION_TYPE;
    wchar_t key_name[MAX_PATH + 128];
    HKEY key;

    swprintf(key_name, sizeof key_name / sizeof *key_name, L"%ls%ls", events_key, name);
    LSTATUS failed = RegCreateKeyExW(HKEY_LOCAL_MACHINE, key_name, 0, NULL, 0, KEY_WRITE, NULL, &key, NULL);
    if (failed == ERROR_SUCCESS) {
        failed = RegSetValueExW(key, L"EventMessageFile", 0, REG_EXPAND_SZ, (const BYTE *)file, (DWORD)((wcslen(file) + 1) * sizeof *file));
        if (failed == ERROR_SUCCESS)
            failed = RegSetValueExW(key, L"TypesSupported", 0, REG_DWORD, (const BYTE *)&types, sizeof types);
        RegCloseKey(key);
    }
    return failed == ERROR_SUCCESS ? 0 : error_set_windows(err, (unsigned long)failed, "register events with the Event Log");
}

static void unregister_events(const wchar_t *name)
{
    wchar_t key_name[MAX_PATH + 128];

    swprintf(key_name, sizeof key_name / sizeof *key_name, L"%ls%ls", events_key, name);
    RegDeleteKeyW(HKEY_LOCAL_MACHINE, key_name);
}

/* --- the service --- */

static void configure(SC_HANDLE service)
{
    SC_ACTION actions[] = {{SC_ACTION_RESTART, RESTART_MS}, {SC_ACTION_RESTART, RESTART_MS}, {SC_ACTION_RESTART, RESTART_LATER_MS}};
    SERVICE_FAILURE_ACTIONSW failures = {.dwResetPeriod = FAILURES_FORGOTTEN_S, .cActions = 3, .lpsaActions = actions};
    SERVICE_FAILURE_ACTIONS_FLAG also_exits = {.fFailureActionsOnNonCrashFailures = TRUE};
    SERVICE_DELAYED_AUTO_START_INFO delayed = {.fDelayedAutostart = TRUE};
    SERVICE_PRESHUTDOWN_INFO preshutdown = {.dwPreshutdownTimeout = PRESHUTDOWN_MS};
    SERVICE_DESCRIPTIONW description = {
        .lpDescription =
            (wchar_t *)(uintptr_t)L"Joins a swarm and runs the tasks that it is given. Stopping it leaves containers running."};

    /* What an older Windows does not know is a comfort less, not a reason to fail. */
    ChangeServiceConfig2W(service, SERVICE_CONFIG_FAILURE_ACTIONS, &failures);
    ChangeServiceConfig2W(service, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, &also_exits);
    ChangeServiceConfig2W(service, SERVICE_CONFIG_DELAYED_AUTO_START_INFO, &delayed);
    ChangeServiceConfig2W(service, SERVICE_CONFIG_PRESHUTDOWN_INFO, &preshutdown);
    ChangeServiceConfig2W(service, SERVICE_CONFIG_DESCRIPTION, &description);
}

int service_register(const char *name, int argc, char **argv, struct error *err)
{
    cleanup_free char *program = NULL;
    cleanup_free wchar_t *wide_name = wide_from_utf8(name), *command = NULL;

    if (own_path(&program, err) < 0)
        return err->code;
    command = build_command(program, name, argc, argv);
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT | SC_MANAGER_CREATE_SERVICE);
    if (manager == NULL)
        return error_set_windows(err, GetLastError(), "register the service %s", name);
    SC_HANDLE service = CreateServiceW(manager, wide_name, L"Skep node agent", SERVICE_ALL_ACCESS, SERVICE_WIN32_OWN_PROCESS,
                                       SERVICE_AUTO_START, SERVICE_ERROR_NORMAL, command, NULL, NULL, NULL, NULL, NULL);
    DWORD failed = service ? 0 : GetLastError();
    CloseServiceHandle(manager);
    if (failed)
        return error_set_windows(err, failed, "register the service %s", name);
    configure(service);
    int result = register_events(wide_name, program, err);
    if (result < 0)
        DeleteService(service);
    CloseServiceHandle(service);
    return result;
}

static bool is_stopped(SC_HANDLE service)
{
    SERVICE_STATUS status;

    return !QueryServiceStatus(service, &status) || status.dwCurrentState == SERVICE_STOPPED;
}

int service_unregister(const char *name, struct error *err)
{
    cleanup_free wchar_t *wide_name = wide_from_utf8(name);
    SERVICE_STATUS status;
    DWORD failed = 0;

    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    SC_HANDLE service = manager ? OpenServiceW(manager, wide_name, SERVICE_STOP | SERVICE_QUERY_STATUS | DELETE) : NULL;
    if (service == NULL)
        failed = GetLastError();
    if (manager)
        CloseServiceHandle(manager);
    if (failed)
        return error_set_windows(err, failed, "unregister the service %s", name);
    ControlService(service, SERVICE_CONTROL_STOP, &status);
    for (int waited_ms = 0; waited_ms < STOP_WAIT_MS && !is_stopped(service); waited_ms += STOP_LOOK_MS)
        Sleep(STOP_LOOK_MS);
    if (!DeleteService(service))
        failed = GetLastError();
    CloseServiceHandle(service);
    if (failed)
        return error_set_windows(err, failed, "unregister the service %s", name);
    unregister_events(wide_name);
    return 0;
}
