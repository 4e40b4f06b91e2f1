/* runtime/windows/process.c – processes beside the first one, as the loop sees them: asked for, waited for, closed. */
#include "runtime/windows/process.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "runtime/windows/codes.h"

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

void windows_process_answer(struct windows_host *host, const struct error *err, hcs_process_cb created, hcs_done_cb done, void *ctx)
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
        windows_process_answer(host, &err, done, NULL, ctx);
        return;
    }
    p = process_new(host, windows_find(host, id));
    p->parameters = text;
    p->output_bytes = output_bytes < CONTAINER_PROCESS_OUTPUT_BYTES ? output_bytes : CONTAINER_PROCESS_OUTPUT_BYTES;
    p->created = done;
    p->created_ctx = ctx;
    if (uv_thread_create(&p->thread, windows_process_run, p) == 0)
        return;
    error_set(&err, ERR_LIMIT, "create process: no thread for it");
    windows_process_answer(host, &err, done, NULL, ctx);
    forget(p);
    p->handles = 2;
    uv_close((uv_handle_t *)&p->async, on_handle_closed);
    uv_close((uv_handle_t *)&p->timer, on_handle_closed);
}

int64_t windows_process_pid(const struct hcs_process *process)
{
    return ((const struct windows_process *)process)->pid;
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
