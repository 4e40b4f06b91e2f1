/* manager/scheduler/part.h – the scheduler at work: a part of the leader's (manager/part.h) that puts PENDING tasks on nodes.
 *
 * It follows the store, feeds nodes, tasks and image facts into the pure scheduler (scheduler.h), steps it when it has been quiet for a
 * moment, and writes what was decided. It keeps nothing that the next leader could not learn from the store, but for which nodes failed a
 * service lately.
 *
 *     file           what it knows
 *     part           following the store, and when to decide
 *     decisions      decisions as transactions; which of them count
 *     image_table    what images are for, from the store's objects
 *     image_facts    one such object
 *
 * Source: SwarmKit's behaviour, swarmkit-wire §4.1, §7.1. */
#ifndef SKEP_MANAGER_SCHEDULER_PART_H
#define SKEP_MANAGER_SCHEDULER_PART_H

#include "manager/part.h"
#include "manager/scheduler/scheduler.h"

struct scheduler_part;

/* @host borrowed. Its name is "scheduler", its self a struct scheduler_part. */
struct part scheduler_part_new(const struct part_host *host);

/* As scheduler_image_await(): whoever writes facts about images says so (manager/images/part.h). Forgotten with a list that is read anew.
 */
void scheduler_part_await(struct scheduler_part *part, const char *reference, bool is_awaited);

/* Why a PENDING task has no node, by what was committed when the part was last stepped, with its reasons one by one (scheduler.h). NULL: it
 * is not waiting, was not tried yet, or a node is about to take it. Borrowed until the loop goes on, or the next call. */
const struct scheduler_explanation *scheduler_part_explain(struct scheduler_part *part, const char *task_id);

/* For metrics. */
struct scheduler_counts scheduler_part_count(const struct scheduler_part *part);

/* How often tasks were told that they have no node, since this part began: by the filter at which nodes fell. One that two filters kept
 * from all nodes counts for both. */
struct scheduler_refused {
    uint64_t tasks, by_filter[SCHEDULER_FILTER_COUNT];
};
struct scheduler_refused scheduler_part_refused(const struct scheduler_part *part);

#endif
