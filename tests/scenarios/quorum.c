/* committed cfg=(ids) cfgj=(ids | zero) idx=(numbers | _): the index that a majority, or both, have acknowledged.
 * vote      cfg=(ids) cfgj=(ids | zero) votes=(y | n | _): the result of an election.
 *
 * Values belong to the ids in the order of cfg and then cfgj, without repetition. Results that must agree by symmetry are computed as well,
 * and are printed when they do not. */
#include <inttypes.h>

#include "base/limits.h"
#include "raft/core/quorum.h"
#include "tests/scenarios/languages.h"

struct known {
    uint64_t id, value; /* 0: nothing known; of votes: 1 no, 2 yes */
};

struct question {
    struct raft_ids ids, joint_ids;
    bool is_joint;
    struct known known[SCRIPT_VALUES_COUNT]; /* by first appearance */
    size_t count;
};

static uint64_t value_of(const struct question *question, uint64_t id)
{
    for (size_t i = 0; i < question->count; i++)
        if (question->known[i].id == id)
            return question->known[i].value;
    return 0;
}

static bool acked(const void *context, uint64_t id, uint64_t *index)
{
    *index = value_of(context, id);
    return *index != 0;
}

static enum raft_vote voted(const void *context, uint64_t id)
{
    static const enum raft_vote votes[] = {RAFT_VOTE_MISSING, RAFT_VOTE_REFUSED, RAFT_VOTE_GRANTED};
    return votes[value_of(context, id)];
}

static int parse_ids(const struct script_argument *argument, struct raft_ids *ids, struct question *question, struct error *err)
{
    for (size_t i = 0; argument && i < argument->count; i++) {
        uint64_t id;
        size_t seen = 0;
        if (strcmp(argument->values[i], "zero") == 0)
            continue;
        if (script_number(argument->values[i], &id, err) < 0)
            return err->code;
        raft_ids_add(ids, id);
        while (seen < question->count && question->known[seen].id != id)
            seen++;
        if (seen == question->count)
            question->known[question->count++] = (struct known){id, 0};
    }
    return 0;
}

static int parse_value(const char *text, uint64_t *value, struct error *err)
{
    if (strcmp(text, "_") == 0)
        *value = 0;
    else if (strcmp(text, "y") == 0)
        *value = 2;
    else if (strcmp(text, "n") == 0)
        *value = 1;
    else
        return script_number(text, value, err);
    return 0;
}

static int parse(const struct script_command *command, struct question *question, struct error *err)
{
    const struct script_argument *joint = script_find(command, "cfgj");
    const struct script_argument *values = script_find(command, strcmp(command->name, "vote") == 0 ? "votes" : "idx");
    size_t given = values ? values->count : 0;

    question->is_joint = joint != NULL;
    if (parse_ids(script_find(command, "cfg"), &question->ids, question, err) < 0 ||
        parse_ids(joint, &question->joint_ids, question, err) < 0)
        return err->code;
    if (given != question->count)
        return error_set(err, ERR_INVALID, "error: mismatched input (explicit or _) for voters: %zu for %zu", given, question->count);
    for (size_t i = 0; i < given; i++)
        if (parse_value(values->values[i], &question->known[i].value, err) < 0)
            return err->code;
    return 0;
}

static void print_index(uint64_t index, const char *remark, struct buf *out)
{
    if (index == UINT64_MAX)
        buf_append_format(out, "∞%s\n", remark);
    else
        buf_append_format(out, "%" PRIu64 "%s\n", index, remark);
}

/* A bar as long as the number of members that are less far; equal members have equal bars. */
static void print_bars(const struct question *question, struct buf *out)
{
    struct raft_ids all = {0};
    int width = (int)question->count;

    for (size_t i = 0; i < question->count; i++)
        raft_ids_add(&all, question->known[i].id);
    if (all.count == 0)
        buf_append_string(out, "<empty majority quorum>");
    else
        buf_append_format(out, "%*s    idx\n", width, "");
    for (size_t i = 0; i < all.count; i++) {
        uint64_t index = value_of(question, all.items[i]);
        int bar = 0;
        for (size_t k = 0; k < question->count; k++)
            bar += question->known[k].value < index;
        if (index == 0)
            buf_append_format(out, "?%*s", width, "");
        else
            buf_append_format(out, "%.*s>%*s", bar, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", width - bar, "");
        buf_append_format(out, " %5" PRIu64 "    (id=%" PRIx64 ")\n", index, all.items[i]);
    }
    struct raft_conf_state owner = {.voters = all};
    raft_conf_state_deinit(&owner);
}

/* Lowering an index that is below the committed one changes nothing. */
static void check_overlays(struct question *question, uint64_t index, struct buf *out)
{
    for (size_t i = 0; i < question->count; i++) {
        uint64_t own = question->known[i].value;
        if (own == 0 || index <= own)
            continue;
        question->known[i].value = own - 1;
        if (raft_majority_index(&question->ids, acked, question) != index)
            print_index(raft_majority_index(&question->ids, acked, question), " <-- lowered by one", out);
        question->known[i].value = own;
    }
}

static void run_committed(struct question *question, struct buf *out)
{
    static const struct raft_ids none;
    uint64_t index, other;

    print_bars(question, out);
    if (question->is_joint) {
        index = raft_joint_index(&question->ids, &question->joint_ids, acked, question);
        other = raft_joint_index(&question->joint_ids, &question->ids, acked, question);
        if (other != index)
            print_index(other, " <-- via symmetry", out);
    } else {
        index = raft_majority_index(&question->ids, acked, question);
        other = raft_joint_index(&question->ids, &none, acked, question);
        if (other != index)
            print_index(other, " <-- via zero-joint quorum", out);
        other = raft_joint_index(&question->ids, &question->ids, acked, question);
        if (other != index)
            print_index(other, " <-- via self-joint quorum", out);
        check_overlays(question, index, out);
    }
    print_index(index, "", out);
}

static void run_vote(const struct question *question, struct buf *out)
{
    static const char *const names[] = {"VotePending", "VoteLost", "VoteWon"};
    enum raft_vote_result result, other;

    if (question->is_joint) {
        result = raft_joint_vote(&question->ids, &question->joint_ids, voted, question);
        other = raft_joint_vote(&question->joint_ids, &question->ids, voted, question);
        if (other != result)
            buf_append_format(out, "%s <-- via symmetry\n", names[other]);
    } else {
        result = raft_majority_vote(&question->ids, voted, question);
    }
    buf_append_format(out, "%s\n", names[result]);
}

int quorum_run(const struct script_command *command, struct buf *out)
{
    bool is_vote = strcmp(command->name, "vote") == 0;
    struct question question = {0};
    struct error err = {0};

    if (!is_vote && strcmp(command->name, "committed") != 0)
        return 0;
    if (parse(command, &question, &err) < 0)
        buf_append_format(out, "%s\n", err.message);
    else if (is_vote)
        run_vote(&question, out);
    else
        run_committed(&question, out);
    struct raft_conf_state owner = {.voters = question.ids, .learners = question.joint_ids};
    raft_conf_state_deinit(&owner);
    return 1;
}
