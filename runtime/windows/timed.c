/* runtime/windows/timed.c – see timed.h. */
#include "runtime/windows/timed.h"

#include <stdbool.h>

#include "base/log.h"

enum { RUNNING, RETURNED, GIVEN_AWAY };

static const struct {
    const char *name, *log, *remedy;
} services[] = {
    [WINDOWS_ASKED_HNS] = {"the host's network service (HNS)", "Microsoft-Windows-Host-Network-Service",
                           "restart the service hns (Restart-Service hns), or the host"},
    [WINDOWS_ASKED_HCS] = {"the Host Compute Service", "Microsoft-Windows-Hyper-V-Compute",
                           "restart the host; restarting the service vmcompute ends the host's containers, too"},
};

static atomic_uint late_count[WINDOWS_ASKED_COUNT];

static void clean_up(struct windows_timed *job)
{
    enum windows_asked of = job->of;

    log_warn("runtime", "%s has returned at last%s", atomic_load(&job->doing), job->late ? ": what came of it is undone" : "");
    if (job->late)
        job->late(job);
    windows_timed_end(job);
    atomic_fetch_sub(&late_count[of], 1);
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

    atomic_fetch_add(&late_count[job->of], 1);
    if (atomic_compare_exchange_strong(&job->state, &expected, GIVEN_AWAY))
        return true;
    atomic_fetch_sub(&late_count[job->of], 1);
    return false;
}

int windows_timed_run(struct windows_timed *job, DWORD timeout_ms, struct error *err)
{
    const char *doing, *name = services[job->of].name, *log = services[job->of].log;

    if (windows_timed_late(job->of) >= WINDOWS_LATE_COUNT)
        return error_set(err, ERR_UNAVAILABLE, "%d calls of %s hang: no further one is made until some return; %s", WINDOWS_LATE_COUNT,
                         name, services[job->of].remedy);
    job->returned = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (!job->returned || !QueueUserWorkItem(run, job, WT_EXECUTELONGFUNCTION))
        return error_set(err, ERR_UNAVAILABLE, "no thread for a call of %s", name);
    if (WaitForSingleObject(job->returned, timeout_ms) == WAIT_OBJECT_0)
        return 0;
    doing = atomic_load(&job->doing);
    if (give_away(job))
        return error_set(err, ERR_DEADLINE, "%s did not return within %lu ms: %s hangs; see its event log, %s", doing,
                         (unsigned long)timeout_ms, name, log);
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

unsigned windows_timed_late(enum windows_asked of)
{
    return atomic_load(&late_count[of]);
}
