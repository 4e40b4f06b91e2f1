/* runtime/windows/process_signal.c – signals to a process beside the first one, on a thread of the pool. */
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "runtime/windows/codes.h"
#include "runtime/windows/process.h"

enum { CALL_MS = 10000 };

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
        windows_process_answer(p->host, &job->err, NULL, done, ctx);
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
