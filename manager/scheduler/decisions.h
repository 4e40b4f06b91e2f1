/* manager/scheduler/decisions.h – the scheduler's decisions on their way into the store: in transactions of bounded size, each decision
 * checked against what its transaction sees.
 *
 *     a decision is void when …                                        and then
 *     the task is gone, or changed in any way since it was decided     nothing of it is written
 *     its node is gone, or not READY and ACTIVE any more               the same
 *     a newer decision about the task is on its way                    the newer one is written
 *
 * What becomes of a decision is seen in the store alone: when all that was on its way about a task has landed, written or not, the
 * scheduler is to be fed the task as the store has it then; in between it is fed nothing about it. That both confirms and takes back.
 *
 * Source of states and texts: swarmkit-wire §4.1, §7.1. */
#ifndef SKEP_MANAGER_SCHEDULER_DECISIONS_H
#define SKEP_MANAGER_SCHEDULER_DECISIONS_H

#include "manager/part.h"
#include "manager/scheduler/scheduler.h"

/* A label of the task itself (Task.annotations, so that it shows on the container too): the isolation that the scheduler counted on. Beside
 * the spec and not in it: the spec stays what the service asked for. */
#define DECISIONS_LABEL_ISOLATION "skep.isolation"

struct decisions {
    const struct part_host *host;
    struct flight *flights; /* by the task's id */
    struct flight *landed;  /* of them, those about which nothing is on its way any more */
    size_t writes;          /* transactions on their way */
    bool has_failed;        /* the store refused one since this was last false; cleared by whoever looks */
};

void decisions_init(struct decisions *decisions, const struct part_host *host); /* @host borrowed */
void decisions_deinit(struct decisions *decisions);                             /* no write is on its way: manager/part.h */

/* Copied, and queued in the store. Of each task the store has what the scheduler was fed last, or decisions_hold_back() was asked. */
void decisions_send(struct decisions *decisions, const struct scheduler_decision *items, size_t count);

/* The task changed: is the scheduler to hear of it only later, from decisions_settle()? */
bool decisions_hold_back(struct decisions *decisions, const char *task_id);

/* @fn with each task that has landed. Returns how many. */
size_t decisions_settle(struct decisions *decisions, void (*fn)(void *ctx, const char *task_id), void *ctx);

#endif
