/* The commands of interaction scenarios: a group is made, ticked, spoken to, and driven step by step.
 *
 * Log lines of the implementation they come from ("INFO 1 became follower …") are not compared, so no command here prints any and the
 * runner drops them from the expected output. What `log-level none` silences, everything but errors, is silent here as well. */
#include <strings.h>

#include "base/mem.h"
#include "base/random.h"
#include "raft/core/internal.h" /* for set-randomized-election-timeout */
#include "raft/describe.h"
#include "tests/scenarios/changes.h"
#include "tests/scenarios/group.h"
#include "tests/scenarios/languages.h"

typedef int command_fn(struct group *group, const struct script_command *command, struct error *err);

static int member_at(struct group *group, const struct script_command *command, size_t place, struct member **member, struct error *err)
{
    uint64_t id;

    if (script_number_at(command, place, &id, err) < 0)
        return err->code;
    *member = group_member(group, id);
    return *member ? 0 : error_set(err, ERR_NOT_FOUND, "there is no member %llu", U(id));
}

static size_t members_named(const struct script_command *command)
{
    size_t count = 0;

    for (size_t i = 0; i < command->count; i++)
        count += command->arguments[i].count == 0;
    return count;
}

static int proposed(int result, struct error *err)
{
    if (result == ERR_UNAVAILABLE || result == ERR_PRECONDITION || result == ERR_LIMIT)
        error_set(err, result, "raft proposal dropped");
    return result;
}

static int set_ids(const struct script_argument *argument, struct raft_ids *ids, struct error *err)
{
    for (size_t i = 0; i < argument->count; i++) {
        uint64_t id;
        if (script_number(argument->values[i], &id, err) < 0)
            return err->code;
        raft_ids_add(ids, id);
    }
    return 0;
}

static int set_number(const struct script_argument *argument, uint64_t *number, struct error *err)
{
    return argument->count == 1 ? script_number(argument->values[0], number, err)
                                : error_set(err, ERR_INVALID, "%s takes one value", argument->key);
}

static int set_option(const struct script_argument *argument, struct raft_config *config, struct raft_snapshot *snapshot, struct error *err)
{
    const char *key = argument->key;
    uint64_t number = 0;
    int result = 0;

    if (strcmp(key, "voters") == 0)
        result = set_ids(argument, &snapshot->conf.voters, err);
    else if (strcmp(key, "learners") == 0)
        result = set_ids(argument, &snapshot->conf.learners, err);
    else if (strcmp(key, "inflight") == 0 && (result = set_number(argument, &number, err)) == 0)
        config->inflight_most_count = number;
    else if (strcmp(key, "index") == 0 && (result = set_number(argument, &number, err)) == 0)
        config->applied = snapshot->index = number;
    else if (strcmp(key, "content") == 0)
        snapshot->data = raft_payload_new(bytes_of_string(argument->count > 0 ? argument->values[0] : ""));
    else if (strcmp(key, "async-storage-writes") == 0)
        config->async_storage_writes = script_is_true(argument);
    else if (strcmp(key, "prevote") == 0)
        config->pre_vote = script_is_true(argument);
    else if (strcmp(key, "checkquorum") == 0)
        config->check_quorum = script_is_true(argument);
    else if (strcmp(key, "max-committed-size-per-ready") == 0)
        result = set_number(argument, &config->committed_most_bytes, err);
    else if (strcmp(key, "disable-conf-change-validation") == 0)
        config->no_conf_change_validation = script_is_true(argument);
    else if (strcmp(key, "step-down-on-removal") == 0)
        config->step_down_on_removal = script_is_true(argument);
    else if (strcmp(key, "read-only") == 0 && argument->count == 1 && strcmp(argument->values[0], "safe") == 0)
        config->read_mode = RAFT_READ_SAFE;
    else if (strcmp(key, "read-only") == 0 && argument->count == 1 && strcmp(argument->values[0], "lease-based") == 0)
        config->read_mode = RAFT_READ_LEASE;
    else if (strcmp(key, "read-only") == 0)
        result = error_set(err, ERR_INVALID, "invalid read-only option \"%s\"", argument->count > 0 ? argument->values[0] : "");
    return result;
}

static int run_add_nodes(struct group *group, const struct script_command *command, struct error *err)
{
    struct raft_config config = {.election_ticks = 3,
                                 .heartbeat_ticks = 1,
                                 .random = random_system(),
                                 .message_most_bytes = RAFT_UNLIMITED,
                                 .inflight_most_count = INT32_MAX};
    struct raft_snapshot snapshot = {0};
    uint64_t count;
    int result = script_number_at(command, 0, &count, err);

    for (size_t i = 1; i < command->count && result == 0; i++)
        result = set_option(&command->arguments[i], &config, &snapshot, err);
    bool has_state = snapshot.index > 0 || snapshot.conf.voters.count > 0 || snapshot.conf.learners.count > 0 || snapshot.data;
    if (result == 0 && has_state && snapshot.index <= 1)
        result = error_set(err, ERR_INVALID, "index must be specified as > 1 due to bootstrap");
    snapshot.term = has_state ? 1 : 0;
    if (result == 0)
        result = group_add_members(group, count, &config, &snapshot, err);
    raft_snapshot_deinit(&snapshot);
    return result;
}

static int run_campaign(struct group *group, const struct script_command *command, struct error *err)
{
    struct member *member;
    return member_at(group, command, 0, &member, err) < 0 ? err->code : raft_campaign(member->raft, err);
}

static int run_compact(struct group *group, const struct script_command *command, struct error *err)
{
    struct member *member;
    uint64_t index;

    if (member_at(group, command, 0, &member, err) < 0 || script_number_at(command, 1, &index, err) < 0 ||
        raft_memory_storage_compact(&member->storage, index, err) < 0)
        return err->code;
    group_print_log(group, member);
    return 0;
}

static int type_named(const char *name)
{
    for (int type = 0; type <= RAFT_MESSAGE_FORGET_LEADER; type++)
        if (strcmp(raft_message_type_name(type), name) == 0)
            return type;
    return -2;
}

static int run_deliver(struct group *group, const struct script_command *command, struct error *err)
{
    const struct script_argument *type_argument = script_find(command, "type");
    int type = type_argument ? type_named(type_argument->count > 0 ? type_argument->values[0] : "") : GROUP_ANY_TYPE;
    size_t delivered = 0;

    if (type < GROUP_ANY_TYPE)
        return error_set(err, ERR_INVALID, "unknown message type");
    for (size_t i = 0; i < command->count; i++) {
        const struct script_argument *argument = &command->arguments[i];
        bool is_dropped = strcmp(argument->key, "drop") == 0;
        uint64_t id;
        if (argument->count == 0) {
            if (script_number(argument->key, &id, err) < 0)
                return err->code;
            delivered += group_deliver(group, id, type, false);
        }
        for (size_t v = 0; is_dropped && v < argument->count; v++) {
            if (script_number(argument->values[v], &id, err) < 0)
                return err->code;
            delivered += group_deliver(group, id, type, true);
        }
    }
    if (delivered == 0)
        group_print(group, "no messages\n");
    return 0;
}

/* For one member plainly, for several each under a heading. */
static int run_process(struct group *group, const struct script_command *command, const char *heading, group_process_fn *process,
                       struct error *err)
{
    size_t count = members_named(command);

    for (size_t i = 0; i < count; i++) {
        struct member *member;
        int result = member_at(group, command, i, &member, err);
        if (result == 0)
            result = count == 1 ? process(group, member, err) : group_indented(group, heading, process, member, err);
        if (result < 0)
            return result;
    }
    return 0;
}

static int run_process_ready(struct group *group, const struct script_command *command, struct error *err)
{
    return run_process(group, command, "handling Ready", group_process_ready, err);
}

static int run_process_append(struct group *group, const struct script_command *command, struct error *err)
{
    return run_process(group, command, "processing append thread", group_process_append, err);
}

static int run_process_apply(struct group *group, const struct script_command *command, struct error *err)
{
    return run_process(group, command, "processing apply thread", group_process_apply, err);
}

static int set_level(struct group *group, const char *name, struct error *err)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARN", "ERROR", "FATAL", "NONE"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcasecmp(names[i], name) != 0)
            continue;
        group->is_quiet = i + 1 == sizeof names / sizeof names[0];
        return 0;
    }
    return error_set(err, ERR_INVALID, "log levels must be either of [DEBUG INFO WARN ERROR FATAL NONE]");
}

static int run_log_level(struct group *group, const struct script_command *command, struct error *err)
{
    return set_level(group, command->count > 0 ? command->arguments[0].key : "", err);
}

static int run_raft_log(struct group *group, const struct script_command *command, struct error *err)
{
    struct member *member;

    if (member_at(group, command, 0, &member, err) < 0)
        return err->code;
    group_print_log(group, member);
    return 0;
}

static int run_raft_state(struct group *group, const struct script_command *command, struct error *err)
{
    (void)command;
    (void)err;
    for (size_t i = 0; i < group->count; i++) {
        struct raft_status status;
        raft_status(group->members[i]->raft, &status);
        bool is_voter = raft_ids_has(&status.conf->voters, status.id) || raft_ids_has(&status.conf->voters_outgoing, status.id);
        group_print(group, "%llu: %s %s Term:%llu Lead:%llu\n", U(status.id), raft_roles.states[status.role].shown,
                    is_voter ? "(Voter)" : "(Non-Voter)", U(status.hard_state.term), U(status.leader));
    }
    return 0;
}

static int run_set_timeout(struct group *group, const struct script_command *command, struct error *err)
{
    const struct script_argument *timeout = script_find(command, "timeout");
    struct member *member;
    uint64_t ticks;

    if (member_at(group, command, 0, &member, err) < 0)
        return err->code;
    if (!timeout || set_number(timeout, &ticks, err) < 0 || ticks == 0)
        return error_set(err, ERR_INVALID, "timeout=TICKS is needed");
    member->raft->election_timeout_ticks = (unsigned)ticks;
    return 0;
}

static int run_stabilize(struct group *group, const struct script_command *command, struct error *err)
{
    const struct script_argument *level = script_find(command, "log-level");
    size_t named = members_named(command), count = named > 0 ? named : group->count;
    cleanup_free struct member **members = mem_array(count, sizeof(struct member *));
    bool was_quiet = group->is_quiet;
    int result = 0;

    for (size_t i = 0; i < count && result == 0; i++) {
        members[i] = group->members[i];
        if (named > 0)
            result = member_at(group, command, i, &members[i], err);
    }
    if (result == 0 && level)
        result = set_level(group, level->count > 0 ? level->values[0] : "", err);
    if (result == 0)
        result = group_stabilize(group, members, count, err);
    group->is_quiet = was_quiet;
    return result;
}

static int run_status(struct group *group, const struct script_command *command, struct error *err)
{
    struct member *member;
    struct raft_status status;

    if (member_at(group, command, 0, &member, err) < 0)
        return err->code;
    raft_status(member->raft, &status);
    if (!group->is_quiet)
        raft_describe_progress(status.progress, status.progress_count, group->out);
    return 0;
}

static int tick(struct group *group, const struct script_command *command, bool is_election, struct error *err)
{
    struct member *member;

    if (member_at(group, command, 0, &member, err) < 0)
        return err->code;
    for (unsigned i = is_election ? member->config.election_ticks : member->config.heartbeat_ticks; i > 0; i--)
        if (raft_tick(member->raft, err) < 0)
            return err->code;
    return 0;
}

static int run_tick_election(struct group *group, const struct script_command *command, struct error *err)
{
    return tick(group, command, true, err);
}

static int run_tick_heartbeat(struct group *group, const struct script_command *command, struct error *err)
{
    return tick(group, command, false, err);
}

static int run_transfer(struct group *group, const struct script_command *command, struct error *err)
{
    const struct script_argument *from = script_find(command, "from"), *to = script_find(command, "to");
    uint64_t from_id = 0, to_id = 0;

    if (!from || !to || set_number(from, &from_id, err) < 0 || set_number(to, &to_id, err) < 0 || !group_member(group, from_id) ||
        !group_member(group, to_id))
        return error_set(err, ERR_INVALID, "from=MEMBER and to=MEMBER are needed");
    return raft_transfer_leader(group_member(group, from_id)->raft, to_id, err);
}

static int run_forget_leader(struct group *group, const struct script_command *command, struct error *err)
{
    struct member *member;
    return member_at(group, command, 0, &member, err) < 0 ? err->code : raft_forget_leader(member->raft, err);
}

static int run_send_snapshot(struct group *group, const struct script_command *command, struct error *err)
{
    struct member *from, *to;
    struct raft_status status;

    if (member_at(group, command, 0, &from, err) < 0 || member_at(group, command, 1, &to, err) < 0)
        return err->code;
    raft_status(from->raft, &status);
    struct raft_message message = {.type = RAFT_MESSAGE_SNAPSHOT,
                                   .term = status.hard_state.term,
                                   .from = from->config.id,
                                   .to = to->config.id,
                                   .snapshot = mem_alloc(sizeof *message.snapshot)};
    raft_snapshot_copy(message.snapshot, &from->history[from->history_count - 1]);
    group_print_message(group, "", &message);
    raft_messages_add(&group->messages, &message);
    return 0;
}

static int run_propose(struct group *group, const struct script_command *command, struct error *err)
{
    struct member *member;

    if (member_at(group, command, 0, &member, err) < 0)
        return err->code;
    if (command->count != 2 || command->arguments[1].count > 0)
        return error_set(err, ERR_INVALID, "propose takes a member and one word");
    return proposed(raft_propose(member->raft, bytes_of_string(command->arguments[1].key), err), err);
}

static int set_transition(const struct script_argument *argument, struct raft_conf_change *change, struct error *err)
{
    static const char *const names[] = {"auto", "implicit", "explicit"}; /* by raft_transition */

    for (size_t i = 0; argument->count == 1 && i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(argument->values[0], names[i]) != 0)
            continue;
        change->transition = (enum raft_transition)i;
        return 0;
    }
    return error_set(err, ERR_INVALID, "unknown transition %s", argument->count > 0 ? argument->values[0] : "");
}

static int run_propose_conf_change(struct group *group, const struct script_command *command, struct error *err)
{
    struct raft_conf_change change = {0};
    struct member *member;
    int result = member_at(group, command, 0, &member, err);

    for (size_t i = 1; i < command->count && result == 0; i++) {
        const struct script_argument *argument = &command->arguments[i];
        if (strcmp(argument->key, "v1") == 0)
            change.is_v1 = script_is_true(argument);
        else if (strcmp(argument->key, "transition") == 0)
            result = set_transition(argument, &change, err);
        else
            result = error_set(err, ERR_INVALID, "unknown command %s", argument->key);
    }
    if (result == 0)
        result = changes_parse(command->input, &change, err);
    if (result == 0 && change.is_v1 && (change.count > 1 || change.transition != RAFT_TRANSITION_AUTO))
        result = error_set(err, ERR_INVALID, "v1 conf change can only have one operation and no transition");
    if (result == 0)
        result = proposed(raft_propose_conf_change(member->raft, &change, err), err);
    raft_conf_change_deinit(&change);
    return result;
}

static int run_report_unreachable(struct group *group, const struct script_command *command, struct error *err)
{
    struct member *on, *reported;

    if (members_named(command) != 2)
        return error_set(err, ERR_INVALID, "must specify exactly two node indexes: node on which to report, and reported node");
    if (member_at(group, command, 0, &on, err) < 0 || member_at(group, command, 1, &reported, err) < 0)
        return err->code;
    return raft_report_unreachable(on->raft, reported->config.id, err);
}

static int run_nothing(struct group *group, const struct script_command *command, struct error *err)
{
    (void)group;
    (void)command;
    (void)err;
    return 0;
}

static const struct {
    const char *name;
    command_fn *run;
} commands[] = {
    {"_breakpoint", run_nothing},
    {"add-nodes", run_add_nodes},
    {"campaign", run_campaign},
    {"compact", run_compact},
    {"deliver-msgs", run_deliver},
    {"forget-leader", run_forget_leader},
    {"log-level", run_log_level},
    {"process-append-thread", run_process_append},
    {"process-apply-thread", run_process_apply},
    {"process-ready", run_process_ready},
    {"propose", run_propose},
    {"propose-conf-change", run_propose_conf_change},
    {"raft-log", run_raft_log},
    {"raft-state", run_raft_state},
    {"report-unreachable", run_report_unreachable},
    {"send-snapshot", run_send_snapshot},
    {"set-randomized-election-timeout", run_set_timeout},
    {"stabilize", run_stabilize},
    {"status", run_status},
    {"tick-election", run_tick_election},
    {"tick-heartbeat", run_tick_heartbeat},
    {"transfer-leadership", run_transfer},
};

int interaction_run(struct group *group, const struct script_command *command, struct buf *out)
{
    struct error err = {0};

    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, command->name) != 0)
            continue;
        group->out = out;
        if (commands[i].run(group, command, &err) < 0)
            buf_append_string(out, err.message); /* also when quiet */
        if (out->size == 0)
            buf_append_string(out, "ok");
        return 1;
    }
    return 0;
}
