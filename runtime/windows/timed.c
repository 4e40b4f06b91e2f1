/* runtime/windows/timed.c – see timed.h. */
#include "runtime/windows/timed.h"

#include <stdbool.h>

#include "base/log.h"

enum { RUNNING, RETURNED, GIVEN_AWAY };

static atomic_uint late_count;

static void clean_up(struct windows_timed *job)
{
    log_warn("runtime", "%s has returned at last: what came of it is undone", atomic_load(&job->doing));
    if (job->late)
        job->late(job);
    windows_timed_end(job);
    atomic_fetch_sub(&late_count, 1);
}

static DWORD WINAPI run(void *arg)
{
    struct windows_timed *job = arg;
    HANDLE returned = job->returned;
    int expected = RUNNING;

    job->work(job);
    if (atomic_compare_exchange_strong(&job->state, &expected, RETURNED))
        SetEvent(returned); /* from here on it is the waiter's */
    else
        clean_up(job);
    return 0;
}

/* Counted before it is given away: its thread may be back at once. */
static bool give_away(struct windows_timed *job)
{
    int expected = RUNNING;

    atomic_fetch_add(&late_count, 1);
    if (atomic_compare_exchange_strong(&job->state, &expected, GIVEN_AWAY))
        return true;
    atomic_fetch_sub(&late_count, 1);
    return false;
}

int windows_timed_run(struct windows_timed *job, DWORD timeout_ms, struct error *err)
{
    const char *doing;

    if (atomic_load(&late_count) >= WINDOWS_LATE_COUNT)
        return error_set(err, ERR_UNAVAILABLE,
                         "%d calls of the host's network service hang: no further one is made until some return; restart the service hns "
                         "(Restart-Service hns), or the host",
                         WINDOWS_LATE_COUNT);
    job->returned = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (!job->returned || !QueueUserWorkItem(run, job, WT_EXECUTELONGFUNCTION))
        return error_set(err, ERR_UNAVAILABLE, "no thread for a call of the host's network service");
    if (WaitForSingleObject(job->returned, timeout_ms) == WAIT_OBJECT_0)
        return 0;
    doing = atomic_load(&job->doing);
    if (give_away(job))
        return error_set(
            err, ERR_DEADLINE,
            "%s did not return within %lu ms: the host's network service (HNS) hangs; see its event log, Microsoft-Windows-Host-"
            "Network-Service",
            doing, (unsigned long)timeout_ms);
    WaitForSingleObject(job->returned, INFINITE); /* just now */
    return 0;
}

void windows_timed_end(struct windows_timed *job)
{
    if (!job)
        return;
    if (job->returned)
        CloseHandle(job->returned);
    job->end(job);
}

unsigned windows_timed_late(void)
{
    return atomic_load(&late_count);
}
