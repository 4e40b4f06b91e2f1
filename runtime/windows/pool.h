/* runtime/windows/pool.h – threads for calls that may block for minutes, so that neither the loop nor libuv's own few workers wait.
 *
 * Threads are begun as they are needed, up to POOL_THREADS. A host that starts too much at once hangs (hcs.md §9.1): starts are bounded by
 * the queue to fewer than there are threads, so that an end always finds one. */
#ifndef SKEP_RUNTIME_WINDOWS_POOL_H
#define SKEP_RUNTIME_WINDOWS_POOL_H

#include <uv.h>

struct windows_pool;

/* The caller's, until its done was called. */
struct windows_job {
    struct windows_job *next;
    void (*work)(struct windows_job *job); /* on a thread */
    void (*done)(struct windows_job *job); /* then on the loop */
};

struct windows_pool *windows_pool_new(uv_loop_t *loop);
void windows_pool_submit(struct windows_pool *pool, struct windows_job *job);
void windows_pool_close(struct windows_pool *pool, void (*closed)(void *ctx), void *ctx); /* no job may be under way */

#endif
