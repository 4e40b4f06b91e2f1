/* daemon/supervisor.h – what starts the daemon, is told how it is, and asks it to stop: systemd or a person at a terminal; on Windows the
 * service control manager or a person at a console. supervisor_<os>.c. */
#ifndef SKEP_DAEMON_SUPERVISOR_H
#define SKEP_DAEMON_SUPERVISOR_H

#include <uv.h>

/* From main(): what is left of the command line is handed to @run, as itself or as a service; what is for the supervisor alone (on Windows:
 * --register-service and its like) is done here. Returns the exit code. */
int supervisor_main(int argc, char **argv, int (*run)(int argc, char **argv));

enum supervisor_state { SUPERVISOR_READY, SUPERVISOR_RELOADING, SUPERVISOR_STOPPING };

/* Nothing happens where nobody listens. Linux: sd_notify(3). While it is stopping, said again and again: who waits sees that it goes on. */
void supervisor_tell(enum supervisor_state state);

/* DRAIN: the host goes down, or somebody wants its tasks to: they are stopped first, which may last as long as SUPERVISOR_DRAIN_MS. */
enum supervisor_request { SUPERVISOR_STOP, SUPERVISOR_DRAIN, SUPERVISOR_RELOAD };

enum { SUPERVISOR_DRAIN_MS = 90000, SUPERVISOR_CLOSE_MS = 30000 }; /* and how long it may take to end then */

/* @why: "SIGTERM", "the service control manager". */
typedef void (*supervisor_request_cb)(void *ctx, enum supervisor_request request, const char *why);

struct supervisor_watch;

struct supervisor_watch *supervisor_watch(uv_loop_t *loop, supervisor_request_cb on_request, void *ctx);

/* No more requests; whoever asks again then ends the process at once. Its memory goes when the loop has closed its handles. NULL: nothing.
 */
void supervisor_unwatch(struct supervisor_watch *watch);

#endif
