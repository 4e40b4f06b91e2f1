/* raft/worker.c – see worker.h. */
#include "raft/worker.h"

#include <stdlib.h>

#include "base/mem.h"

struct job_list {
    struct raft_job *first, **end;
};

struct raft_worker {
    uv_thread_t thread;
    uv_mutex_t mutex;
    uv_cond_t wake;
    uv_async_t finished;
    struct job_list todo, done; /* with the mutex, as the three below */
    bool has_urgent, is_stopping, has_ended;
    void (*after_batch)(void *ctx, struct raft_job *jobs);
    void *ctx;
    void (*on_stopped)(void *ctx);
    void *stopped_ctx;
};

static void clear(struct job_list *list)
{
    *list = (struct job_list){NULL, &list->first};
}

static void append(struct job_list *list, struct raft_job *first, struct raft_job **end)
{
    *list->end = first;
    list->end = end;
}

static void run(void *arg)
{
    struct raft_worker *worker = arg;

    uv_mutex_lock(&worker->mutex);
    for (;;) {
        while (!worker->has_urgent && !worker->is_stopping)
            uv_cond_wait(&worker->wake, &worker->mutex);
        struct raft_job *jobs = worker->todo.first, **end = worker->todo.end;
        if (!jobs)
            break;
        clear(&worker->todo);
        worker->has_urgent = false;
        uv_mutex_unlock(&worker->mutex);
        for (struct raft_job *job = jobs; job; job = job->next)
            if (job->work)
                job->work(job);
        if (worker->after_batch)
            worker->after_batch(worker->ctx, jobs);
        uv_mutex_lock(&worker->mutex);
        append(&worker->done, jobs, end);
        uv_async_send(&worker->finished);
    }
    worker->has_ended = true;
    uv_async_send(&worker->finished);
    uv_mutex_unlock(&worker->mutex);
}

static void on_closed(uv_handle_t *handle)
{
    struct raft_worker *worker = handle->data;

    uv_cond_destroy(&worker->wake);
    uv_mutex_destroy(&worker->mutex);
    if (worker->on_stopped)
        worker->on_stopped(worker->stopped_ctx);
    free(worker);
}

static void on_finished(uv_async_t *async)
{
    struct raft_worker *worker = async->data;

    uv_mutex_lock(&worker->mutex);
    struct raft_job *job = worker->done.first;
    clear(&worker->done);
    bool has_ended = worker->has_ended;
    uv_mutex_unlock(&worker->mutex);
    while (job) {
        struct raft_job *next = job->next;
        job->done(job);
        job = next;
    }
    if (!has_ended || uv_is_closing((uv_handle_t *)async))
        return;
    uv_thread_join(&worker->thread);
    uv_close((uv_handle_t *)async, on_closed);
}

int raft_worker_start(uv_loop_t *loop, void (*after_batch)(void *ctx, struct raft_job *jobs), void *ctx, struct raft_worker **out,
                      struct error *err)
{
    struct raft_worker *worker = mem_alloc(sizeof *worker);

    worker->after_batch = after_batch;
    worker->ctx = ctx;
    clear(&worker->todo);
    clear(&worker->done);
    uv_mutex_init(&worker->mutex);
    uv_cond_init(&worker->wake);
    uv_async_init(loop, &worker->finished, on_finished);
    worker->finished.data = worker;
    int failed = uv_thread_create(&worker->thread, run, worker);
    if (failed < 0) {
        uv_close((uv_handle_t *)&worker->finished, on_closed);
        return error_set_uv(err, failed, "raft: start a thread");
    }
    *out = worker;
    return 0;
}

void raft_worker_add(struct raft_worker *worker, struct raft_job *job, bool wakes)
{
    job->next = NULL;
    uv_mutex_lock(&worker->mutex);
    append(&worker->todo, job, &job->next);
    bool was_urgent = worker->has_urgent;
    worker->has_urgent = was_urgent || wakes;
    uv_mutex_unlock(&worker->mutex);
    if (wakes && !was_urgent)
        uv_cond_signal(&worker->wake);
}

void raft_worker_kick(struct raft_worker *worker)
{
    uv_mutex_lock(&worker->mutex);
    bool was_urgent = worker->has_urgent;
    worker->has_urgent = was_urgent || worker->todo.first;
    uv_mutex_unlock(&worker->mutex);
    if (!was_urgent)
        uv_cond_signal(&worker->wake);
}

bool raft_worker_is_stopping(struct raft_worker *worker)
{
    uv_mutex_lock(&worker->mutex);
    bool is_stopping = worker->is_stopping;
    uv_mutex_unlock(&worker->mutex);
    return is_stopping;
}

void raft_worker_stop(struct raft_worker *worker, void (*on_stopped)(void *ctx), void *ctx)
{
    worker->on_stopped = on_stopped;
    worker->stopped_ctx = ctx;
    uv_mutex_lock(&worker->mutex);
    worker->is_stopping = true;
    uv_mutex_unlock(&worker->mutex);
    uv_cond_signal(&worker->wake);
}
