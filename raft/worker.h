/* raft/worker.h – a thread that does jobs in the order they came, and hands each back to the loop when it is done.
 *
 * It takes all that wait at once; what the batch as a whole needs (one sync for all of it) is done behind its last job. A job's owner
 * bounds how many there are. */
#ifndef SKEP_RAFT_WORKER_H
#define SKEP_RAFT_WORKER_H

#include <stdbool.h>
#include <uv.h>

#include "base/error.h"

struct raft_job {
    struct raft_job *next;
    void (*work)(struct raft_job *job); /* on the thread; NULL: nothing to do there */
    void (*done)(struct raft_job *job); /* on the loop; frees the job */
};

struct raft_worker;

/* @after_batch, on the thread, may be NULL; @jobs are those of the batch, linked. ERR_INTERNAL: no thread to be had. */
int raft_worker_start(uv_loop_t *loop, void (*after_batch)(void *ctx, struct raft_job *jobs), void *ctx, struct raft_worker **out,
                      struct error *err);

/* Taken. Without @wakes it waits for raft_worker_kick(), or the next one that does: for what need not be soon. */
void raft_worker_add(struct raft_worker *worker, struct raft_job *job, bool wakes);
void raft_worker_kick(struct raft_worker *worker); /* begin with what waits */

bool raft_worker_is_stopping(struct raft_worker *worker); /* from the thread: something that waits is to give up */

/* No job is added any more. Those there are done first; then the thread ends, @on_stopped is called and the memory goes. */
void raft_worker_stop(struct raft_worker *worker, void (*on_stopped)(void *ctx), void *ctx);

#endif
