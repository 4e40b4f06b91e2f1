/* runtime/windows/timed.h – calls that block and know no deadline, made on a thread where they may hang: whoever asked waits as long as it
 * has time, and no longer. The network service's calls are of that kind (hcs.md §7), and the Host Compute Service's for its own settings.
 *
 * What such a call was given belongs to it until it returns. So a job is one piece of memory with all that its calls read and write, and
 * nothing else's: nobody's system, handle or lock. When its time is over it is given away to its thread, which then cleans up behind it. */
#ifndef SKEP_RUNTIME_WINDOWS_TIMED_H
#define SKEP_RUNTIME_WINDOWS_TIMED_H

#include <stdatomic.h>
#include <windows.h>

#include "base/error.h"

enum { WINDOWS_LATE_COUNT = 16 }; /* threads that may hang in one service at once, before nothing is asked of it any more */

/* Whose call it is: one service that hangs is no reason to ask nothing of another. */
enum windows_asked { WINDOWS_ASKED_HNS, WINDOWS_ASKED_HCS, WINDOWS_ASKED_COUNT };

struct windows_timed {
    enum windows_asked of;
    void (*work)(struct windows_timed *job); /* on a thread of the system's pool */
    void (*late)(
        struct windows_timed *job);         /* there, when it has returned and nobody waits any more: undo what came of it. NULL: nothing */
    void (*end)(struct windows_timed *job); /* frees it */
    _Atomic(const char *) doing;            /* the call that is under way, for people: "HcnCreateEndpoint"; a constant */
    HANDLE returned;                        /* timed.c's, as the next */
    atomic_int state;
};

/* 0: its work is done, and the job is the caller's again, who ends it. ERR_DEADLINE, naming call and time: it is the caller's no more.
 * ERR_UNAVAILABLE: WINDOWS_LATE_COUNT others hang already, so this one was not begun; the caller ends it. */
int windows_timed_run(struct windows_timed *job, DWORD timeout_ms, struct error *err);
void windows_timed_end(struct windows_timed *job); /* calls end; NULL: nothing */

/* How many threads hang in calls of one service that nobody waits for. */
unsigned windows_timed_late(enum windows_asked of);

#endif
