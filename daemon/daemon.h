/* daemon/daemon.h – the parts of skepd, in the order they need each other: runtime, images, node, API. */
#ifndef SKEP_DAEMON_DAEMON_H
#define SKEP_DAEMON_DAEMON_H

#include <uv.h>

#include "base/clock.h"
#include "daemon/config.h"

struct daemon;
struct hcs;

/* Open everything and begin to serve; the tasks that ran before are taken up again before this returns to the loop. @config is borrowed as
 * long as the daemon lives. On failure nothing is left open, once the loop has run dry. */
int daemon_start(const struct config *config, uv_loop_t *loop, struct daemon **out, struct error *err);

/* Another configuration was read: what may change while it runs is taken over (labels, the log's level), what else differs is named in the
 * log as waiting for a restart. @fresh is borrowed for the call. */
void daemon_reload(struct daemon *daemon, const struct config *fresh);

/* The host goes down: stop the tasks, tell the managers; daemon_is_drained() says when that is done. daemon_stop() comes next, done or not.
 */
void daemon_drain(struct daemon *daemon);
bool daemon_is_drained(const struct daemon *daemon, size_t *running);

/* Close everything; containers go on running. The daemon is gone, and the loop runs dry, when all have answered. */
void daemon_stop(struct daemon *daemon);

/* This kind of host's own back end: runtime_linux.c and its peers. */
int daemon_open_runtime(const struct config *config, const struct clock *clock, uv_loop_t *loop, struct hcs **out, struct error *err);

#endif
