/* daemon/supervisor_windows.c – see supervisor.h: the service control manager, whose thread hands its requests to the loop, or a console.
 *
 *     skepd --register-service [--service-name NAME] [FLAG]…   a service that runs skepd with these flags
 *     skepd --unregister-service [--service-name NAME]
 *     skepd --run-service …                                    what the service's command line says; nobody types it
 *
 * as dockerd has them. A service has no standard error: what is logged goes to the Event Log. */
#include "daemon/supervisor.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/system_windows.h"
#include "base/text.h"
#include "daemon/messages_windows.h"
#include "daemon/service_windows.h"

enum { SIGNALS_COUNT = 3, START_HINT_MS = 30000, STOP_HINT_MS = 30000 };

static const struct {
    int number;
    const char *name;
} signals[SIGNALS_COUNT] = {{SIGINT, "Ctrl-C"}, {SIGBREAK, "Ctrl-Break"}, {SIGHUP, "the console's closing"}};

struct supervisor_watch {
    uv_signal_t handles[SIGNALS_COUNT];
    uv_async_t asked;
    unsigned open_count;
    supervisor_request_cb on_request;
    void *ctx;
};

/* The process' one service, if it is one. @lock: what the control manager's thread and the loop's both touch. */
static struct {
    bool is_service;
    const char *name;
    int argc;
    char **argv;
    int (*run)(int argc, char **argv);
    int exit_code;
    HANDLE events;
    SERVICE_STATUS_HANDLE status;
    uv_mutex_t lock;
    struct supervisor_watch *watch;
    DWORD control; /* SERVICE_CONTROL_STOP, …; 0: nothing is asked */
} service;

/* --- the command line --- */

struct choice {
    bool registers, unregisters, runs;
    const char *name;
};

static void take_own_flags(int *argc, char **argv, struct choice *out)
{
    static const char name_flag[] = "--service-name=";
    int kept = 1;

    *out = (struct choice){.name = SERVICE_DEFAULT_NAME};
    for (int i = 1; i < *argc; i++) {
        if (text_equal(argv[i], "--register-service"))
            out->registers = true;
        else if (text_equal(argv[i], "--unregister-service"))
            out->unregisters = true;
        else if (text_equal(argv[i], "--run-service"))
            out->runs = true;
        else if (text_equal(argv[i], "--service-name") && i + 1 < *argc)
            out->name = argv[++i];
        else if (text_starts(argv[i], name_flag))
            out->name = argv[i] + sizeof name_flag - 1;
        else
            argv[kept++] = argv[i];
    }
    argv[kept] = NULL;
    *argc = kept;
}

static int answer(int failed, const struct error *err, const char *done, const char *name)
{
    if (failed < 0) {
        fprintf(stderr, "skepd: %s\n", err->message);
        return error_exit_code(err->code);
    }
    printf("skepd: service %s %s\n", name, done);
    return 0;
}

/* --- the Event Log --- */

static void report_event(void *ctx, enum log_level level, const char *line)
{
    static const struct {
        WORD type;
        DWORD id;
    } kinds[] = {[LOG_DEBUG] = {EVENTLOG_INFORMATION_TYPE, MESSAGE_INFO},
                 [LOG_INFO] = {EVENTLOG_INFORMATION_TYPE, MESSAGE_INFO},
                 [LOG_WARN] = {EVENTLOG_WARNING_TYPE, MESSAGE_WARNING},
                 [LOG_ERROR] = {EVENTLOG_ERROR_TYPE, MESSAGE_ERROR}};
    cleanup_free wchar_t *wide = wide_from_utf8(line);
    const wchar_t *texts[] = {wide};

    (void)ctx;
    ReportEventW(service.events, kinds[level].type, 0, kinds[level].id, NULL, 1, 0, texts, NULL);
}

/* --- the service --- */

static void set_status(DWORD state)
{
    static DWORD checkpoint; /* that it grows tells the control manager that we do not hang */
    SERVICE_STATUS status = {.dwServiceType = SERVICE_WIN32_OWN_PROCESS, .dwCurrentState = state};

    if (state == SERVICE_RUNNING)
        status.dwControlsAccepted = SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_PRESHUTDOWN | SERVICE_ACCEPT_PARAMCHANGE;
    if (state == SERVICE_START_PENDING || state == SERVICE_STOP_PENDING) {
        status.dwCheckPoint = ++checkpoint;
        status.dwWaitHint = state == SERVICE_START_PENDING ? START_HINT_MS : STOP_HINT_MS;
    }
    if (state == SERVICE_STOPPED && service.exit_code != 0) {
        status.dwWin32ExitCode = ERROR_SERVICE_SPECIFIC_ERROR;
        status.dwServiceSpecificExitCode = (DWORD)service.exit_code;
    }
    SetServiceStatus(service.status, &status);
}

/* On the control manager's thread. */
static DWORD WINAPI on_control(DWORD control, DWORD type, void *data, void *ctx)
{
    (void)type;
    (void)data;
    (void)ctx;
    if (control == SERVICE_CONTROL_INTERROGATE)
        return NO_ERROR;
    if (control != SERVICE_CONTROL_STOP && control != SERVICE_CONTROL_PRESHUTDOWN && control != SERVICE_CONTROL_PARAMCHANGE &&
        control != SERVICE_CONTROL_DRAIN)
        return ERROR_CALL_NOT_IMPLEMENTED;
    uv_mutex_lock(&service.lock);
    service.control = control;
    if (service.watch)
        uv_async_send(&service.watch->asked);
    uv_mutex_unlock(&service.lock);
    return NO_ERROR;
}

static void WINAPI service_main(DWORD argc, wchar_t **argv)
{
    cleanup_free wchar_t *name = wide_from_utf8(service.name);

    (void)argc; /* those of `sc start`; the flags are those of the command line */
    (void)argv;
    service.status = RegisterServiceCtrlHandlerExW(name, on_control, NULL);
    if (service.status == NULL)
        return;
    set_status(SERVICE_START_PENDING);
    service.events = RegisterEventSourceW(NULL, name);
    log_observe(report_event, NULL);
    service.exit_code = service.run(service.argc, service.argv);
    log_observe(NULL, NULL);
    DeregisterEventSource(service.events);
    set_status(SERVICE_STOPPED);
}

static int run_as_service(const char *name, int argc, char **argv, int (*run)(int argc, char **argv))
{
    cleanup_free wchar_t *wide_name = wide_from_utf8(name);
    SERVICE_TABLE_ENTRYW table[] = {{wide_name, service_main}, {NULL, NULL}};
    struct error err = {0};

    service.is_service = true;
    service.name = name;
    service.argc = argc;
    service.argv = argv;
    service.run = run;
    uv_mutex_init(&service.lock);
    if (StartServiceCtrlDispatcherW(table))
        return service.exit_code;
    error_set_windows(&err, GetLastError(), "--run-service is for the service control manager (use `sc start %s`)", name);
    return answer(err.code, &err, NULL, name);
}

int supervisor_main(int argc, char **argv, int (*run)(int argc, char **argv))
{
    struct choice choice;
    struct error err = {0};

    take_own_flags(&argc, argv, &choice);
    if (choice.registers)
        return answer(service_register(choice.name, argc, argv, &err), &err, "registered", choice.name);
    if (choice.unregisters)
        return answer(service_unregister(choice.name, &err), &err, "unregistered", choice.name);
    return choice.runs ? run_as_service(choice.name, argc, argv, run) : run(argc, argv);
}

void supervisor_tell(enum supervisor_state state)
{
    if (service.is_service && state != SUPERVISOR_RELOADING)
        set_status(state == SUPERVISOR_READY ? SERVICE_RUNNING : SERVICE_STOP_PENDING);
}

/* --- being asked --- */

static void on_signal(uv_signal_t *handle, int number)
{
    struct supervisor_watch *watch = handle->data;

    (void)number;
    watch->on_request(watch->ctx, SUPERVISOR_STOP, signals[handle - watch->handles].name);
}

static void on_asked(uv_async_t *handle)
{
    struct supervisor_watch *watch = handle->data;

    uv_mutex_lock(&service.lock);
    DWORD control = service.control;
    service.control = 0;
    uv_mutex_unlock(&service.lock);
    if (control == SERVICE_CONTROL_PARAMCHANGE)
        watch->on_request(watch->ctx, SUPERVISOR_RELOAD, "the service control manager");
    else if (control == SERVICE_CONTROL_PRESHUTDOWN)
        watch->on_request(watch->ctx, SUPERVISOR_DRAIN, "the host's going down");
    else if (control != 0)
        watch->on_request(watch->ctx, control == SERVICE_CONTROL_DRAIN ? SUPERVISOR_DRAIN : SUPERVISOR_STOP, "the service control manager");
}

static void set_watch(struct supervisor_watch *watch)
{
    if (!service.is_service)
        return;
    uv_mutex_lock(&service.lock);
    service.watch = watch;
    if (watch && service.control != 0) /* asked while it started */
        uv_async_send(&watch->asked);
    uv_mutex_unlock(&service.lock);
}

struct supervisor_watch *supervisor_watch(uv_loop_t *loop, supervisor_request_cb on_request, void *ctx)
{
    struct supervisor_watch *watch = mem_alloc(sizeof *watch);

    *watch = (struct supervisor_watch){.open_count = SIGNALS_COUNT + 1, .on_request = on_request, .ctx = ctx};
    for (size_t i = 0; i < SIGNALS_COUNT; i++) {
        uv_signal_init(loop, &watch->handles[i]);
        watch->handles[i].data = watch;
        uv_signal_start(&watch->handles[i], on_signal, signals[i].number);
    }
    uv_async_init(loop, &watch->asked, on_asked);
    watch->asked.data = watch;
    set_watch(watch);
    return watch;
}

static void closed(uv_handle_t *handle)
{
    struct supervisor_watch *watch = handle->data;

    if (--watch->open_count == 0)
        free(watch);
}

void supervisor_unwatch(struct supervisor_watch *watch)
{
    if (watch == NULL)
        return;
    set_watch(NULL);
    for (size_t i = 0; i < SIGNALS_COUNT; i++)
        uv_close((uv_handle_t *)&watch->handles[i], closed);
    uv_close((uv_handle_t *)&watch->asked, closed);
}
