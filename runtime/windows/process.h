/* runtime/windows/process.h – a process beside a container's first one: what its thread, the loop and its signals share.
 *
 * The thread owns its handles; the loop asks it for things through two events and a lock, and gets news by the process' own async handle,
 * and frees the process once both have let go. */
#ifndef SKEP_RUNTIME_WINDOWS_PROCESS_H
#define SKEP_RUNTIME_WINDOWS_PROCESS_H

#include "runtime/windows/host.h"

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

/* process_thread.c: makes it at HCS, reads its output, waits for its end. @arg: the process. */
void windows_process_run(void *arg);

/* process.c: one of the two callbacks, on the loop, later also where it is an error. */
void windows_process_answer(struct windows_host *host, const struct error *err, hcs_process_cb created, hcs_done_cb done, void *ctx);

#endif
