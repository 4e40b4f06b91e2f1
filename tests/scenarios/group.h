/* tests/scenarios/group.h – members that live in memory, the messages between them, and the work of their storage threads.
 *
 * Output is what a person would want to see of each step; while the group is quiet there is none. */
#ifndef SKEP_TESTS_SCENARIOS_GROUP_H
#define SKEP_TESTS_SCENARIOS_GROUP_H

#include "raft/core/raft.h"
#include "raft/memory_storage.h"

/* The state machine remembers its whole history, and gives its newest state when a snapshot is asked for. */
struct member {
    struct raft_memory_storage storage; /* first: the storage table's self is a member */
    struct raft *raft;
    struct raft_config config;
    struct raft_messages append_work, apply_work; /* of the threads, in order */
    struct raft_snapshot *history;
    size_t history_count;
};

struct group {
    struct member **members; /* member n is members[n - 1] */
    size_t count;
    struct raft_messages messages; /* on their way */
    bool is_quiet;
    struct buf *out;
};

void group_print(struct group *group, const char *format, ...) __attribute__((format(SKEP_PRINTF, 2, 3)));
void group_print_message(struct group *group, const char *before, const struct raft_message *message);
void group_print_log(struct group *group, struct member *member);

/* From a snapshot; of index 0: from nothing. ids and storage of @config are filled in. */
int group_add_members(struct group *group, uint64_t count, const struct raft_config *config, const struct raft_snapshot *snapshot,
                      struct error *err);
struct member *group_member(struct group *group, uint64_t id); /* NULL: none of that id */

#define GROUP_ANY_TYPE (-1)
bool group_has_messages(const struct group *group, uint64_t to);
size_t group_deliver(struct group *group, uint64_t to, int type, bool is_dropped); /* how many */

int group_process_ready(struct group *group, struct member *member, struct error *err);
int group_process_append(struct group *group, struct member *member, struct error *err);
int group_process_apply(struct group *group, struct member *member, struct error *err);

/* @process of one member, its output indented by two blanks under a heading. */
typedef int group_process_fn(struct group *group, struct member *member, struct error *err);
int group_indented(struct group *group, const char *heading, group_process_fn *process, struct member *member, struct error *err);

int group_stabilize(struct group *group, struct member *const *members, size_t count, struct error *err);

#endif
