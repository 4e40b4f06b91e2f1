/* simple CHANGES, enter-joint [autoleave=BOOL] CHANGES, leave-joint: what a configuration becomes, and its members' progress. Each command
 * stands for one more entry in the log. */
#include <stdlib.h>

#include "base/mem.h"
#include "raft/core/tracker.h"
#include "raft/describe.h"
#include "tests/scenarios/changes.h"
#include "tests/scenarios/languages.h"

struct membership {
    struct raft_tracker tracker;
    uint64_t last_index;
};

struct membership *membership_new(void)
{
    struct membership *membership = mem_alloc(sizeof *membership);

    raft_tracker_init(&membership->tracker, 10, 0);
    return membership;
}

void membership_free(struct membership *membership)
{
    raft_tracker_deinit(&membership->tracker);
    free(membership);
}

int changes_parse(const char *input, struct raft_conf_change *out, struct error *err)
{
    cleanup_free char *copy = mem_string(input);
    char *rest = copy, *word;

    while ((word = strsep(&rest, " \n")) != NULL) {
        static const char letters[] = "vrul"; /* by raft_conf_change_type */
        uint64_t id;
        if (*word == '\0')
            continue;
        if (word[1] == '\0')
            return error_set(err, ERR_INVALID, "unknown token %s", word);
        const char *letter = strchr(letters, word[0]);
        if (!letter)
            return error_set(err, ERR_INVALID, "unknown input: %s", word);
        if (script_number(word + 1, &id, err) < 0)
            return err->code;
        raft_conf_change_add(out, (enum raft_conf_change_type)(letter - letters), id);
    }
    return 0;
}

static int kind_of(const char *name)
{
    if (strcmp(name, "simple") == 0)
        return RAFT_CHANGE_SIMPLE;
    if (strcmp(name, "enter-joint") == 0)
        return RAFT_CHANGE_ENTER_JOINT;
    return strcmp(name, "leave-joint") == 0 ? RAFT_CHANGE_LEAVE_JOINT : -1;
}

int membership_run(struct membership *membership, const struct script_command *command, struct buf *out)
{
    struct raft_conf_change change = {0};
    struct error err = {0};
    int kind = kind_of(command->name), result;

    if (kind < 0)
        return 0;
    result = changes_parse(command->input, &change, &err);
    if (result == 0 && kind == RAFT_CHANGE_LEAVE_JOINT && change.count > 0)
        result = error_set(&err, ERR_INVALID, "this command takes no input");
    if (result == 0)
        result = raft_tracker_change(&membership->tracker, (enum raft_change_kind)kind, script_is_true(script_find(command, "autoleave")),
                                     change.changes, change.count, membership->last_index, &err);
    membership->last_index++;
    raft_conf_change_deinit(&change);
    if (result < 0) {
        buf_append_format(out, "%s\n", err.message);
        return 1;
    }
    raft_describe_members(&membership->tracker.conf, out);
    buf_append_string(out, "\n");
    raft_describe_progress(membership->tracker.progress, membership->tracker.count, out);
    return 1;
}
