/* runtime/windows/process_thread.c – what the thread of a process beside the first one does, from its making at HCS to its end. */
#include <stdlib.h>

#include "base/mem.h"
#include "runtime/windows/codes.h"
#include "runtime/windows/process.h"
#include "runtime/windows/pump.h"

enum { DRAIN_MS = 1000, CALL_MS = 10000, ASK_MS = 1000 };

static void on_exited(void *ctx, enum windows_event event, const char *data)
{
    struct windows_process *p = ctx;

    (void)event;
    (void)data;
    SetEvent(p->ended);
}

static void on_data(void *ctx, int index, const char *data, size_t size)
{
    struct windows_process *p = ctx;
    size_t room;

    (void)index;
    uv_mutex_lock(&p->lock);
    room = p->output_bytes - p->output.size;
    p->is_cut = p->is_cut || size > room;
    buf_append(&p->output, data, size < room ? size : room);
    uv_mutex_unlock(&p->lock);
}

/* Its end, from the event or by asking; or that it was given up. */
static struct windows_process_status wait_for_exit(struct windows_process *p, const struct windows_service_ops *ops,
                                                   struct windows_handle *process)
{
    HANDLE waits[2] = {p->ended, p->closed};
    struct windows_process_status status = {false, -1};
    bool is_killed = false;
    DWORD ask_ms = 0; /* it may have ended before its event could be seen */

    while (!status.has_exited) {
        DWORD got = WaitForMultipleObjects(is_killed ? 1 : 2, waits, FALSE, ask_ms);
        cleanup_reply struct windows_reply reply = {0};
        ask_ms = ASK_MS;
        if (got == WAIT_OBJECT_0 + 1 && !is_killed) {
            cleanup_reply struct windows_reply killed = ops->process_terminate(process, windows_at_most(p->host, CALL_MS));
            is_killed = true;
            if (windows_failed(&killed))
                break;
        }
        reply = ops->process_properties(process, windows_at_most(p->host, CALL_MS));
        if (windows_failed(&reply) && (windows_is_stopped(reply.code) || windows_is_lost(reply.code)))
            break;
        status = windows_read_process_status(windows_failed(&reply) ? NULL : reply.text);
        if (is_killed && got == WAIT_TIMEOUT)
            break;
        if (got == WAIT_OBJECT_0)
            ResetEvent(p->ended);
    }
    return status;
}

struct reading {
    struct pump pump;
    uv_thread_t thread;
};

static void read_output(void *arg)
{
    struct reading *reading = arg;

    pump_run(&reading->pump);
}

static void live(struct windows_process *p, const struct windows_service_ops *ops, struct windows_handle *process,
                 struct windows_streams *streams)
{
    HANDLE finish = CreateEventW(NULL, TRUE, FALSE, NULL);
    struct reading reading = {
        .pump = {.streams = {streams->out, streams->err}, .finish = finish, .drain_ms = DRAIN_MS, .on_data = on_data, .ctx = p}};
    struct windows_process_status status;
    bool is_reading = uv_thread_create(&reading.thread, read_output, &reading) == 0;

    uv_mutex_lock(&p->lock);
    p->is_made = true;
    uv_mutex_unlock(&p->lock);
    uv_async_send(&p->async);
    status = wait_for_exit(p, ops, process);
    SetEvent(finish);
    if (is_reading)
        uv_thread_join(&reading.thread);
    CloseHandle(finish);
    if (streams->in)
        CloseHandle(streams->in);
    uv_mutex_lock(&p->lock);
    p->exit_code = status.exit_code;
    uv_mutex_unlock(&p->lock);
}

void windows_process_run(void *arg)
{
    struct windows_process *p = arg;
    const struct windows_service *service = p->system->service;
    struct windows_handle *system = NULL, *process = NULL;
    struct windows_watch watch = {on_exited, p};
    struct windows_streams streams = {0};
    cleanup_reply struct windows_reply opened = service->ops->open(service, p->system->id, NULL, &system);

    if (windows_failed(&opened)) {
        windows_error(&p->err, "create process", opened.code, opened.text);
    } else {
        DWORD pid = 0;
        cleanup_reply struct windows_reply made = service->ops->process_create(
            system, p->parameters, &watch, windows_at_most(p->host, hcs_operation_deadline_ms(HCS_OP_CREATE_PROCESS) * 9 / 10), &pid,
            &streams, &process);
        uv_mutex_lock(&p->lock);
        p->pid = pid;
        uv_mutex_unlock(&p->lock);
        if (windows_failed(&made)) {
            p->failed_code = made.code;
            windows_error(&p->err, "create process", made.code, made.text);
        } else {
            live(p, service->ops, process, &streams);
        }
    }
    service->ops->close(process);
    service->ops->close(system);
    uv_mutex_lock(&p->lock);
    p->is_over = true;
    uv_mutex_unlock(&p->lock);
    uv_async_send(&p->async);
}
