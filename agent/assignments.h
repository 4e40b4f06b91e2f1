/* agent/assignments.h – what the manager has assigned to this node, as of the last message: applies COMPLETE and INCREMENTAL messages in
 * SwarmKit's order and says what changed for the worker.
 *
 * Pure. Tasks pass through (the worker keeps them, on disk); secrets and configs stay here, in memory only, and are wiped when they go.
 * Whether a message follows the one before it is the session's business (agent/session.h), not ours.
 * Source: swarmkit-wire §3.6. */
#ifndef SKEP_AGENT_ASSIGNMENTS_H
#define SKEP_AGENT_ASSIGNMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct Docker__Swarmkit__V1__AssignmentsMessage;
struct Docker__Swarmkit__V1__Task;
struct Docker__Swarmkit__V1__Secret;
struct Docker__Swarmkit__V1__Config;

struct assignments;

/* What one message changed, net: a task is in one list or the other, once. Everything is borrowed from the struct and lives until
 * assignment_changes_deinit(). Apply updates before removals. */
struct assignment_changes {
    /* True: @tasks_updated is all there is. The worker removes every task of its own that is not in it, including those that only its disk
     * remembers. */
    bool is_complete;
    struct Docker__Swarmkit__V1__Task **tasks_updated; /* new or changed; never NULL, with ids that are safe as file names */
    size_t updated_count;
    char **tasks_removed; /* ids; with @is_complete those that were known here and are not listed any more */
    size_t removed_count;
    size_t skipped_count; /* items without content, of a kind that is not known here, or with an id that cannot be one */
};

struct assignments *assignments_new(void);
void assignments_free(struct assignments *assignments); /* wipes what it holds */

/* Apply one message. @message is borrowed, but what is kept is taken out of it (its places are left empty, so that it can still be freed
 * with protobuf-c's own allocator), and the secrets that are not kept are wiped, also on failure.
 * ERR_LIMIT, with nothing applied, when the node would hold more than TASKS_PER_NODE_COUNT tasks or DEPENDENCIES_PER_NODE_COUNT secrets and
 * configs. @changes is filled on success only. */
int assignments_apply(struct assignments *assignments, struct Docker__Swarmkit__V1__AssignmentsMessage *message,
                      struct assignment_changes *changes, struct error *err);

/* Take the secrets and configs out of a message that will not be applied, and wipe them. */
void assignments_wipe(struct Docker__Swarmkit__V1__AssignmentsMessage *message);

void assignment_changes_deinit(struct assignment_changes *changes);

/* Ownership of one updated task leaves @changes: freed by the caller with docker__swarmkit__v1__task__free_unpacked(task, NULL). */
struct Docker__Swarmkit__V1__Task *assignment_changes_steal_task(struct assignment_changes *changes, size_t index);

/* The secret or config that a task's reference names; NULL when it is not assigned. Borrowed until the next apply. A secret that a driver
 * made for one task alone ("<secret id>.<task id>") comes before the shared one. The caller checks that the task's spec has the reference.
 */
const struct Docker__Swarmkit__V1__Secret *assignments_secret(const struct assignments *assignments, const char *task_id,
                                                              const char *secret_id);
const struct Docker__Swarmkit__V1__Config *assignments_config(const struct assignments *assignments, const char *config_id);

size_t assignments_task_count(const struct assignments *assignments);
size_t assignments_dependency_count(const struct assignments *assignments);

#endif
