/* agent/log_source_hcs.h – the runtime's container logs as the log publisher wants them: the runtime pushes entries, the publisher pulls
 * them; between the two stands a queue that is bounded by pausing the runtime's reader. */
#ifndef SKEP_AGENT_LOG_SOURCE_HCS_H
#define SKEP_AGENT_LOG_SOURCE_HCS_H

#include "agent/log_source.h"

struct hcs;

/* Which tasks there are, and in which compute system each one runs. */
struct log_source_tasks {
    void (*each)(void *self, void (*each)(void *ctx, const struct log_task *task), void *ctx);
    const char *(*system_id)(void *self, const char *task_id); /* NULL when it has none; borrowed for the call */
    void *self;
};

struct log_source_hcs;

/* @hcs borrowed, @tasks copied. Free it after the publisher: open readers hold a pointer to it. */
struct log_source_hcs *log_source_hcs_new(struct hcs *hcs, const struct log_source_tasks *tasks);
void log_source_hcs_free(struct log_source_hcs *source);
struct log_source log_source_hcs_table(struct log_source_hcs *source); /* borrowed */

#endif
