/* agent/reporter.h – the latest status of each task on its way to the manager: one entry per task, sent in batches, again until the manager
 * has taken it. A status that is overtaken before it was sent is never sent.
 *
 * Pure: it is told what was put, what came back and what time it is; agent/session_driver.c makes the calls. One batch is in flight at a
 * time, so states arrive in order. Losing the session loses nothing: after each registration the worker puts every status it knows.
 * Source: swarmkit-wire §3.7, §9 trap 17. */
#ifndef SKEP_AGENT_REPORTER_H
#define SKEP_AGENT_REPORTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/random.h"

struct Docker__Swarmkit__V1__TaskStatus;

struct reporter;

struct reporter *reporter_new(const struct random *random); /* copied; for the jitter of retries */
void reporter_free(struct reporter *reporter);

/* Remember @status (copied) as the latest of @task_id. A state lower than one that is waiting already is ignored: tasks never go back.
 * ERR_LIMIT when more than TASKS_PER_NODE_COUNT tasks wait or the packed status is larger than STATUS_SIZE_BYTES; ERR_INVALID without an
 * id. */
int reporter_put(struct reporter *reporter, const char *task_id, const struct Docker__Swarmkit__V1__TaskStatus *status, struct error *err);

void reporter_forget(struct reporter *reporter, const char *task_id); /* the task left this node: what waits is of no interest any more */

void reporter_session_up(struct reporter *reporter, const char *session_id, uint64_t now_ns); /* copied */
void reporter_session_down(struct reporter *reporter);                                        /* the batch in flight counts as not sent */

/* The packed UpdateTaskStatusRequest to send now, NULL-sized when there is nothing to do. At most STATUS_BATCH_COUNT updates and about
 * STATUS_BATCH_BYTES. Borrowed until the next call of any function here. */
struct bytes reporter_next(struct reporter *reporter, uint64_t now_ns);

/* What became of a batch. */
enum reporter_verdict {
    REPORTER_GO_ON,      /* ask reporter_next() again, at once or at reporter_wake_ns() */
    REPORTER_NEW_SESSION /* the session is not valid any more: the same status for agent/session.h's SESSION_EV_REPORT_FAILED */
};
enum reporter_verdict reporter_done(struct reporter *reporter, int grpc_status, const char *grpc_message, uint64_t now_ns);

uint64_t reporter_wake_ns(
    const struct reporter *reporter); /* when reporter_next() may have something; UINT64_MAX: on the next event only */

struct reporter_stats {
    uint64_t batches, updates, superseded, retries, dropped; /* dropped: the manager says the task is not this node's */
};
const struct reporter_stats *reporter_stats(const struct reporter *reporter);
size_t reporter_waiting_count(const struct reporter *reporter);

#endif
