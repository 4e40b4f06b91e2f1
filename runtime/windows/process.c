/* runtime/windows/process.c – processes beside the first one. Each has a thread that makes it at HCS, reads its output, waits for its end.
 *
 * The thread owns its handles; the loop asks it for things through two events and a lock, and gets news by the process' own async handle.
 * It frees the process once both have let go. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "runtime/windows/codes.h"
#include "runtime/windows/host.h"
#include "runtime/windows/pump.h"

enum { DRAIN_MS = 1000, CALL_MS = 10000, ASK_MS = 1000 };

struct windows_process {
    struct hcs_process base;
    struct windows_host *host;
    struct windows_system *system;
    struct windows_process *next;
    uv_thread_t thread;
    uv_async_t async;
    uv_timer_t timer;
    unsigned handles;
    char *parameters;
    size_t output_bytes;
    /* the thread's, until is_over */
    HANDLE ended, closed; /* it has exited; it is given up */
    struct error err;
    uint32_t failed_code;
    uv_mutex_t lock;
    /* under the lock */
    DWORD pid;
    bool is_made, is_over, is_cut;
    struct buf output;
    int64_t exit_code;
    /* the loop's */
    bool is_announced, is_closed;
    hcs_process_cb created;
    hcs_process_exit_cb waiting;
    void *created_ctx, *waiting_ctx;
};

/* --- on its thread --- */

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

static void run(void *arg)
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

/* --- on the loop --- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct windows_process *p = handle->data;

    if (--p->handles > 0)
        return;
    p->host->base.open_handles--;
    compute_system_release(&p->system->base);
    uv_mutex_destroy(&p->lock);
    CloseHandle(p->ended);
    CloseHandle(p->closed);
    buf_deinit(&p->output);
    free(p->parameters);
    free(p);
}

static void let_go(struct windows_process *p)
{
    uv_thread_join(&p->thread);
    p->handles = 2;
    uv_close((uv_handle_t *)&p->async, on_handle_closed);
    uv_close((uv_handle_t *)&p->timer, on_handle_closed);
}

static void forget(struct windows_process *p)
{
    for (struct windows_process **place = &p->host->processes; *place; place = &(*place)->next)
        if (*place == p) {
            *place = p->next;
            p->host->process_count--;
            break;
        }
}

static void announce_exit(struct windows_process *p)
{
    hcs_process_exit_cb waiting = p->waiting;
    struct hcs_process_exit result = {.exit_code = (int)p->exit_code, .output = buf_bytes(&p->output), .is_output_cut = p->is_cut};

    if (!waiting)
        return;
    p->waiting = NULL;
    uv_timer_stop(&p->timer);
    waiting(p->waiting_ctx, &result, NULL);
}

/* A command that does not exist is no error here: it ended at once, and said why. */
static bool is_ended_by_command(struct windows_process *p)
{
    int code = p->failed_code ? windows_exit_code_of(p->failed_code) : 128;

    if (code == 128)
        return false;
    p->exit_code = code;
    buf_append_string(&p->output, p->err.message);
    return true;
}

static void on_news(uv_async_t *async)
{
    struct windows_process *p = async->data;
    bool is_made, is_over;

    uv_mutex_lock(&p->lock);
    is_over = p->is_over;
    is_made = p->is_made;
    uv_mutex_unlock(&p->lock);
    if (p->is_closed) {
        if (is_over)
            let_go(p);
        return;
    }
    if (is_over && !is_made && !p->is_announced && !is_ended_by_command(p)) {
        p->is_announced = p->is_closed = true;
        forget(p);
        p->created(p->created_ctx, NULL, &p->err);
        let_go(p);
        return;
    }
    if (!p->is_announced && (is_made || is_over)) {
        p->is_announced = true;
        p->created(p->created_ctx, &p->base, NULL);
        if (p->is_closed) {
            if (is_over)
                uv_async_send(&p->async);
            return;
        }
    }
    if (is_over)
        announce_exit(p);
}

/* The answer comes later also where it is an error. */
struct failed_create {
    uv_timer_t timer;
    struct windows_host *host;
    struct error err;
    hcs_process_cb created;
    hcs_done_cb done;
    void *ctx;
};

static void on_failed_closed(uv_handle_t *handle)
{
    struct failed_create *f = handle->data;

    f->host->base.open_handles--;
    free(f);
}

static void on_failed(uv_timer_t *timer)
{
    struct failed_create *f = timer->data;

    if (f->created)
        f->created(f->ctx, NULL, &f->err);
    else
        f->done(f->ctx, f->err.code ? &f->err : NULL);
    uv_close((uv_handle_t *)timer, on_failed_closed);
}

static void answer(struct windows_host *host, const struct error *err, hcs_process_cb created, hcs_done_cb done, void *ctx)
{
    struct failed_create *f = mem_alloc(sizeof *f);

    *f = (struct failed_create){.host = host, .err = *err, .created = created, .done = done, .ctx = ctx};
    f->timer.data = f;
    host->base.open_handles++;
    uv_timer_init(host->base.loop, &f->timer);
    uv_timer_start(&f->timer, on_failed, 0, 0);
}

static int prepare(struct windows_host *host, const char *id, const cJSON *parameters, char **text, struct error *err)
{
    struct windows_system *s = windows_find(host, id);
    cleanup_arena struct arena arena = {0};
    cleanup_json cJSON *normal = NULL, *json = NULL;
    struct document_process process;
    size_t count = 0;

    if (!s || !s->base.is_made)
        return error_set(err, ERR_NOT_FOUND, "No such container: %s", id);
    if (s->base.state != HCS_RUNNING || s->is_ending)
        return error_set(err, ERR_PRECONDITION, "Container %s is not running", id);
    for (const struct windows_process *p = host->processes; p; p = p->next)
        count += p->system == s;
    if (count >= CONTAINER_PROCESSES_COUNT || host->process_count >= CONTAINERS_COUNT)
        return error_set(err, ERR_LIMIT, "container %s has %zu processes beside its first one already", id, count);
    if (document_normalise(parameters, &normal, err) < 0)
        return err->code;
    if (!cJSON_GetObjectItemCaseSensitive(normal, "WorkingDirectory"))
        json_add_string(normal, "WorkingDirectory", s->document.process.working_dir);
    if (!cJSON_GetObjectItemCaseSensitive(normal, "User"))
        json_add_string(normal, "User", s->document.process.user);
    if (document_parse_process(normal, true, &arena, &process, err) < 0 ||
        windows_encode_process(&process, &s->document.process, false, &json, err) < 0)
        return err->code;
    *text = json_print(json);
    return 0;
}

static struct windows_process *process_new(struct windows_host *host, struct windows_system *s)
{
    struct windows_process *p = mem_alloc(sizeof *p);

    p->base.ops = host->base.hcs.ops;
    p->host = host;
    p->system = s;
    s->base.references++;
    p->exit_code = -1;
    p->ended = CreateEventW(NULL, TRUE, FALSE, NULL);
    p->closed = CreateEventW(NULL, TRUE, FALSE, NULL);
    uv_mutex_init(&p->lock);
    uv_async_init(host->base.loop, &p->async, on_news);
    uv_timer_init(host->base.loop, &p->timer);
    p->async.data = p->timer.data = p;
    p->next = host->processes;
    host->processes = p;
    host->process_count++;
    host->base.open_handles++;
    return p;
}

void windows_process_create(struct hcs *hcs, const char *id, const cJSON *parameters, size_t output_bytes, hcs_process_cb done, void *ctx)
{
    struct windows_host *host = windows_of(hcs);
    struct windows_process *p;
    struct error err = {0};
    char *text = NULL;

    if (prepare(host, id, parameters, &text, &err) < 0) {
        answer(host, &err, done, NULL, ctx);
        return;
    }
    p = process_new(host, windows_find(host, id));
    p->parameters = text;
    p->output_bytes = output_bytes < CONTAINER_PROCESS_OUTPUT_BYTES ? output_bytes : CONTAINER_PROCESS_OUTPUT_BYTES;
    p->created = done;
    p->created_ctx = ctx;
    if (uv_thread_create(&p->thread, run, p) == 0)
        return;
    error_set(&err, ERR_LIMIT, "create process: no thread for it");
    answer(host, &err, done, NULL, ctx);
    forget(p);
    p->handles = 2;
    uv_close((uv_handle_t *)&p->async, on_handle_closed);
    uv_close((uv_handle_t *)&p->timer, on_handle_closed);
}

int64_t windows_process_pid(const struct hcs_process *process)
{
    return ((const struct windows_process *)process)->pid;
}

/* --- signals, on a thread of the pool --- */

struct signal_job {
    struct windows_job job;
    struct windows_host *host;
    struct windows_system *system;
    DWORD pid;
    const char *event;
    struct error err;
    hcs_done_cb done;
    void *ctx;
};

static void work_signal(struct windows_job *job)
{
    struct signal_job *j = (struct signal_job *)job;
    const struct windows_service_ops *ops = j->system->service->ops;
    struct windows_handle *system = NULL, *process = NULL;
    DWORD timeout_ms = windows_at_most(j->host, CALL_MS);
    cleanup_reply struct windows_reply opened = ops->open(j->system->service, j->system->id, NULL, &system);
    cleanup_reply struct windows_reply found = {0};
    cleanup_reply struct windows_reply reply = {0};

    if (!windows_failed(&opened))
        found = ops->process_open(system, j->pid, NULL, &process);
    if (process && j->event) {
        cleanup_json cJSON *options = windows_encode_signal(j->event);
        cleanup_free char *text = json_print(options);
        reply = ops->process_signal(process, text, timeout_ms);
    } else if (process) {
        reply = ops->process_terminate(process, timeout_ms);
    }
    if (!process || windows_is_stopped(reply.code))
        error_set(&j->err, ERR_PRECONDITION, "the process does not run");
    else if (windows_failed(&reply))
        windows_error(&j->err, "signal process", reply.code, reply.text);
    ops->close(process);
    ops->close(system);
}

static void on_signalled(struct windows_job *job)
{
    struct signal_job *j = (struct signal_job *)job;

    j->host->base.open_handles--;
    j->done(j->ctx, j->err.code ? &j->err : NULL);
    compute_system_release(&j->system->base);
    free(j);
}

void windows_process_signal(struct hcs_process *process, const char *signal, hcs_done_cb done, void *ctx)
{
    struct windows_process *p = (struct windows_process *)process;
    struct signal_job *job = mem_alloc(sizeof *job);
    bool is_over;

    uv_mutex_lock(&p->lock);
    is_over = p->is_over;
    uv_mutex_unlock(&p->lock);
    if (windows_signal_name(signal, &job->event, &job->err) < 0 || is_over) {
        if (!job->err.code)
            error_set(&job->err, ERR_PRECONDITION, "the process does not run");
        answer(p->host, &job->err, NULL, done, ctx);
        free(job);
        return;
    }
    job->job.work = work_signal;
    job->job.done = on_signalled;
    job->host = p->host;
    job->system = p->system;
    job->pid = p->pid;
    job->done = done;
    job->ctx = ctx;
    p->system->base.references++;
    p->host->base.open_handles++;
    windows_pool_submit(p->host->pool, &job->job);
}

static void on_wait_over(uv_timer_t *timer)
{
    struct windows_process *p = timer->data;
    hcs_process_exit_cb waiting = p->waiting;
    struct error err = {0};
    bool is_over;

    uv_mutex_lock(&p->lock);
    is_over = p->is_over;
    uv_mutex_unlock(&p->lock);
    if (is_over) {
        announce_exit(p);
        return;
    }
    p->waiting = NULL;
    error_set(&err, ERR_DEADLINE, "the process still runs");
    if (waiting)
        waiting(p->waiting_ctx, NULL, &err);
}

void windows_process_wait(struct hcs_process *process, uint32_t timeout_ms, hcs_process_exit_cb done, void *ctx)
{
    struct windows_process *p = (struct windows_process *)process;
    bool is_over;

    p->waiting = done;
    p->waiting_ctx = ctx;
    uv_mutex_lock(&p->lock);
    is_over = p->is_over;
    uv_mutex_unlock(&p->lock);
    uv_timer_start(&p->timer, on_wait_over, is_over ? 0 : timeout_ms, 0);
}

void windows_process_close(struct hcs_process *process)
{
    struct windows_process *p = (struct windows_process *)process;

    forget(p);
    p->is_closed = true;
    p->waiting = NULL;
    uv_timer_stop(&p->timer);
    SetEvent(p->closed);
    uv_async_send(&p->async); /* lets go once its thread is over */
}

void windows_processes_drop(struct windows_host *host)
{
    while (host->processes)
        windows_process_close(&host->processes->base);
}
