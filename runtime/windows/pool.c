/* runtime/windows/pool.c – see pool.h. */
#include "runtime/windows/pool.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"

enum { POOL_THREADS = 24 };

struct windows_pool {
    uv_mutex_t lock;
    uv_cond_t wake;
    uv_thread_t threads[POOL_THREADS];
    unsigned thread_count, idle_count;
    struct windows_job *waiting, *finished;
    bool is_closing;
    uv_async_t async;
    void (*closed)(void *ctx);
    void *ctx;
};

static void append(struct windows_job **list, struct windows_job *job)
{
    while (*list)
        list = &(*list)->next;
    job->next = NULL;
    *list = job;
}

static void run(void *arg)
{
    struct windows_pool *pool = arg;

    uv_mutex_lock(&pool->lock);
    for (;;) {
        struct windows_job *job = pool->waiting;
        if (!job && pool->is_closing)
            break;
        if (!job) {
            pool->idle_count++;
            uv_cond_wait(&pool->wake, &pool->lock);
            pool->idle_count--;
            continue;
        }
        pool->waiting = job->next;
        uv_mutex_unlock(&pool->lock);
        job->work(job);
        uv_mutex_lock(&pool->lock);
        append(&pool->finished, job);
        uv_async_send(&pool->async);
    }
    uv_mutex_unlock(&pool->lock);
}

static void on_finished(uv_async_t *async)
{
    struct windows_pool *pool = async->data;
    struct windows_job *job;

    uv_mutex_lock(&pool->lock);
    job = pool->finished;
    pool->finished = NULL;
    uv_mutex_unlock(&pool->lock);
    while (job) {
        struct windows_job *next = job->next;
        job->done(job);
        job = next;
    }
}

struct windows_pool *windows_pool_new(uv_loop_t *loop)
{
    struct windows_pool *pool = mem_alloc(sizeof *pool);

    uv_mutex_init(&pool->lock);
    uv_cond_init(&pool->wake);
    uv_async_init(loop, &pool->async, on_finished);
    pool->async.data = pool;
    return pool;
}

void windows_pool_submit(struct windows_pool *pool, struct windows_job *job)
{
    uv_mutex_lock(&pool->lock);
    append(&pool->waiting, job);
    if (pool->idle_count == 0 && pool->thread_count < POOL_THREADS && uv_thread_create(&pool->threads[pool->thread_count], run, pool) == 0)
        pool->thread_count++;
    uv_cond_signal(&pool->wake);
    uv_mutex_unlock(&pool->lock);
}

static void on_closed(uv_handle_t *handle)
{
    struct windows_pool *pool = handle->data;
    void (*closed)(void *) = pool->closed;
    void *ctx = pool->ctx;

    uv_mutex_destroy(&pool->lock);
    uv_cond_destroy(&pool->wake);
    free(pool);
    closed(ctx);
}

void windows_pool_close(struct windows_pool *pool, void (*closed)(void *ctx), void *ctx)
{
    pool->closed = closed;
    pool->ctx = ctx;
    uv_mutex_lock(&pool->lock);
    pool->is_closing = true;
    uv_cond_broadcast(&pool->wake);
    uv_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->thread_count; i++)
        uv_thread_join(&pool->threads[i]);
    uv_close((uv_handle_t *)&pool->async, on_closed);
}
