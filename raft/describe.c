/* Consensus as text. */
#include "raft/describe.h"

#include <inttypes.h>

/* Bytes in double quotes; what is not printable ASCII is escaped. */
static void quote(struct bytes bytes, struct buf *out)
{
    static const char escapes[] = "\aa\bb\ff\nn\rr\tt\vv\"\"\\\\";

    buf_append(out, "\"", 1);
    for (size_t i = 0; i < bytes.size; i++) {
        char c = (char)bytes.data[i];
        const char *escape = escapes;
        while (*escape && *escape != c)
            escape += 2;
        if (c != '\0' && *escape)
            buf_append_format(out, "\\%c", escape[1]);
        else if (c >= ' ' && c <= '~')
            buf_append(out, &c, 1);
        else
            buf_append_format(out, "\\x%02x", bytes.data[i]);
    }
    buf_append(out, "\"", 1);
}

void raft_describe_conf_change(const struct raft_conf_change *change, struct buf *out)
{
    static const char letters[] = {'v', 'r', 'u', 'l'}; /* by raft_conf_change_type */

    for (size_t i = 0; i < change->count; i++)
        buf_append_format(out, "%s%c%" PRIu64, i > 0 ? " " : "", letters[change->changes[i].type], change->changes[i].id);
}

void raft_describe_entry(const struct raft_entry *entry, struct buf *out)
{
    struct raft_conf_change change;
    struct error err = {0};

    buf_append_format(out, "%" PRIu64 "/%" PRIu64 " %s", entry->term, entry->index, raft_entry_type_name((int)entry->type));
    if (entry->type == RAFT_ENTRY_NORMAL) {
        buf_append_string(out, " ");
        quote(raft_entry_bytes(entry), out);
    } else if (raft_conf_change_decode(entry, &change, &err) < 0) {
        buf_append_format(out, " %s", err.message);
    } else {
        if (change.count > 0)
            buf_append_string(out, " ");
        raft_describe_conf_change(&change, out);
        raft_conf_change_deinit(&change);
    }
}

void raft_describe_entries(const struct raft_entry *entries, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        raft_describe_entry(&entries[i], out);
        buf_append_string(out, "\n");
    }
}

static void describe_ids(const struct raft_ids *ids, char open, char close, const char *format, struct buf *out)
{
    buf_append(out, &open, 1);
    for (size_t i = 0; i < ids->count; i++) {
        if (i > 0)
            buf_append_string(out, " ");
        if (*format == 'x')
            buf_append_format(out, "%" PRIx64, ids->items[i]);
        else
            buf_append_format(out, "%" PRIu64, ids->items[i]);
    }
    buf_append(out, &close, 1);
}

void raft_describe_members(const struct raft_conf_state *conf, struct buf *out)
{
    buf_append_string(out, "voters=");
    describe_ids(&conf->voters, '(', ')', "x", out);
    if (conf->voters_outgoing.count > 0) {
        buf_append_string(out, "&&");
        describe_ids(&conf->voters_outgoing, '(', ')', "x", out);
    }
    if (conf->learners.count > 0) {
        buf_append_string(out, " learners=");
        describe_ids(&conf->learners, '(', ')', "x", out);
    }
    if (conf->learners_next.count > 0) {
        buf_append_string(out, " learners_next=");
        describe_ids(&conf->learners_next, '(', ')', "x", out);
    }
    if (conf->auto_leave)
        buf_append_string(out, " autoleave");
}

void raft_describe_hard_state(const struct raft_hard_state *hard, struct buf *out)
{
    buf_append_format(out, "Term:%" PRIu64, hard->term);
    if (hard->vote != 0)
        buf_append_format(out, " Vote:%" PRIu64, hard->vote);
    buf_append_format(out, " Commit:%" PRIu64, hard->commit);
}

void raft_describe_snapshot(const struct raft_snapshot *snapshot, struct buf *out)
{
    const struct raft_conf_state *conf = &snapshot->conf;

    buf_append_format(out, "Index:%" PRIu64 " Term:%" PRIu64 " ConfState:Voters:", snapshot->index, snapshot->term);
    describe_ids(&conf->voters, '[', ']', "u", out);
    buf_append_string(out, " VotersOutgoing:");
    describe_ids(&conf->voters_outgoing, '[', ']', "u", out);
    buf_append_string(out, " Learners:");
    describe_ids(&conf->learners, '[', ']', "u", out);
    buf_append_string(out, " LearnersNext:");
    describe_ids(&conf->learners_next, '[', ']', "u", out);
    buf_append_format(out, " AutoLeave:%s", conf->auto_leave ? "true" : "false");
}

static void describe_target(uint64_t id, struct buf *out)
{
    if (id == RAFT_NOBODY)
        buf_append_string(out, "None");
    else if (id == RAFT_APPEND_THREAD)
        buf_append_string(out, "AppendThread");
    else if (id == RAFT_APPLY_THREAD)
        buf_append_string(out, "ApplyThread");
    else
        buf_append_format(out, "%" PRIx64, id);
}

static void describe_message_entries(const struct raft_message *message, int indent, struct buf *out)
{
    if (message->entries_count == 0)
        return;
    buf_append_string(out, " Entries:[");
    if (message->entries_count == 1) {
        raft_describe_entry(&message->entries[0], out);
    } else {
        for (size_t i = 0; i < message->entries_count; i++) {
            buf_append_format(out, "\n%*s", indent + 2, "");
            raft_describe_entry(&message->entries[i], out);
        }
        buf_append_format(out, "\n%*s", indent, "");
    }
    buf_append_string(out, "]");
}

static void describe_message(const struct raft_message *message, int indent, struct buf *out)
{
    buf_append_format(out, "%*s", indent, "");
    describe_target(message->from, out);
    buf_append_string(out, "->");
    describe_target(message->to, out);
    buf_append_format(out, " %s Term:%" PRIu64 " Log:%" PRIu64 "/%" PRIu64, raft_message_type_name((int)message->type), message->term,
                      message->log_term, message->index);
    if (message->reject)
        buf_append_format(out, " Rejected (Hint: %" PRIu64 ")", message->reject_hint);
    if (message->commit != 0)
        buf_append_format(out, " Commit:%" PRIu64, message->commit);
    if (message->vote != 0)
        buf_append_format(out, " Vote:%" PRIu64, message->vote);
    describe_message_entries(message, indent, out);
    if (message->snapshot && message->snapshot->index != 0) {
        buf_append_format(out, "\n%*sSnapshot: ", indent + 2, "");
        raft_describe_snapshot(message->snapshot, out);
    }
    if (message->responses_count == 0)
        return;
    buf_append_string(out, " Responses:[");
    for (size_t i = 0; i < message->responses_count; i++) {
        buf_append_string(out, "\n");
        describe_message(&message->responses[i], indent + 2, out);
    }
    buf_append_format(out, "\n%*s]", indent, "");
}

void raft_describe_message(const struct raft_message *message, struct buf *out)
{
    describe_message(message, 0, out);
}

void raft_describe_progress(const struct raft_progress *progress, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct raft_progress *p = &progress[i];
        buf_append_format(out, "%" PRIu64 ": %s match=%" PRIu64 " next=%" PRIu64 "%s%s", p->id, raft_progress_state_name(p->state),
                          p->match, p->next, p->is_learner ? " learner" : "", raft_progress_is_throttled(p) ? " paused" : "");
        if (p->pending_snapshot > 0)
            buf_append_format(out, " pendingSnap=%" PRIu64, p->pending_snapshot);
        if (!p->is_recently_active)
            buf_append_string(out, " inactive");
        if (p->window.count > 0)
            buf_append_format(out, " inflight=%zu%s", p->window.count, raft_inflights_is_full(&p->window) ? "[full]" : "");
        buf_append_string(out, "\n");
    }
}

static void describe_read_states(const struct raft_ready *ready, struct buf *out)
{
    buf_append_string(out, "ReadStates [");
    for (size_t i = 0; i < ready->read_states_count; i++) {
        const struct raft_read_state *state = &ready->read_states[i];
        buf_append_format(out, "%s{%" PRIu64 " [", i > 0 ? " " : "", state->index);
        for (size_t b = 0; state->context && b < state->context->size; b++)
            buf_append_format(out, "%s%u", b > 0 ? " " : "", state->context->data[b]);
        buf_append_string(out, "]}");
    }
    buf_append_string(out, "]\n");
}

static void describe_ready_states(const struct raft_ready *ready, struct buf *out)
{
    if (ready->has_soft_state)
        buf_append_format(out, "Lead:%" PRIu64 " State:%s\n", ready->soft_state.leader, raft_roles.states[ready->soft_state.role].shown);
    if (ready->has_hard_state) {
        buf_append_string(out, "HardState ");
        raft_describe_hard_state(&ready->hard_state, out);
        buf_append_string(out, "\n");
    }
    if (ready->read_states_count > 0)
        describe_read_states(ready, out);
}

void raft_describe_ready(const struct raft_ready *ready, struct buf *out)
{
    size_t start = out->size, head;

    buf_append_format(out, "Ready MustSync=%s:\n", ready->must_sync ? "true" : "false");
    head = out->size;
    describe_ready_states(ready, out);
    if (ready->entries.count > 0) {
        buf_append_string(out, "Entries:\n");
        raft_describe_entries(ready->entries.items, ready->entries.count, out);
    }
    if (ready->snapshot.index != 0) {
        buf_append_string(out, "Snapshot ");
        raft_describe_snapshot(&ready->snapshot, out);
        buf_append_string(out, "\n");
    }
    if (ready->committed.count > 0) {
        buf_append_string(out, "CommittedEntries:\n");
        raft_describe_entries(ready->committed.items, ready->committed.count, out);
    }
    if (ready->messages.count > 0)
        buf_append_string(out, "Messages:\n");
    for (size_t i = 0; i < ready->messages.count; i++) {
        raft_describe_message(&ready->messages.items[i], out);
        buf_append_string(out, "\n");
    }
    if (out->size > head)
        return;
    out->size = start;
    buf_append_string(out, "<empty Ready>");
}
