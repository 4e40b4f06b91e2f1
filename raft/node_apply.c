/* raft/node_apply.c – committed entries into the state machine, and membership changes into everything else. */
#include <stdlib.h>

#include "base/log.h"
#include "raft/node_inside.h"

static void learn(struct raft_node *node, const struct raft_conf_change *change, size_t at)
{
    struct raft_member member;
    struct error err = {0};
    uint64_t id = change->changes[at].id;

    if (change->changes[at].type == RAFT_REMOVE_MEMBER) {
        raft_book_remove(&node->book, id);
        return;
    }
    if (!change->context || change->count != 1)
        return;
    int failed = raft_member_read(bytes_of(change->context->data, change->context->size), &member, &err);
    if (failed == 0) {
        member.id = id;
        if (*member.address || *member.node_id)
            failed = raft_book_put(&node->book, &member, &err);
        raft_member_deinit(&member);
    }
    if (failed < 0)
        log_warn("raft", "member %llx: what its membership change says of it is not used: %s", (unsigned long long)id, err.message);
}

static void apply_change(struct raft_node *node, const struct raft_entry *entry)
{
    struct raft_conf_change change;
    struct raft_conf_state conf;
    struct raft_status status;
    struct error err = {0};

    raft_status(node->core, &status);
    if (entry->index < status.first_index) /* a snapshot that was taken in meanwhile has it: see raft_apply_conf_change() */
        return;
    int failed = raft_conf_change_decode(entry, &change, &err);
    if (failed == 0) {
        failed = raft_apply_conf_change(node->core, &change, &conf, &err);
        if (failed == 0) {
            raft_conf_state_deinit(&node->conf);
            node->conf = conf;
            for (size_t i = 0; i < change.count; i++)
                if (change.changes[i].id != RAFT_NOBODY)
                    learn(node, &change, i);
            links_follow_book(node);
            if (node->machine.members_changed)
                node->machine.members_changed(node->machine.self, &change, &node->conf);
        }
        raft_conf_change_deinit(&change);
    }
    if (failed < 0)
        log_warn("raft", "membership change %llu is not applied: %s", (unsigned long long)entry->index, err.message);
}

static bool is_for_machine(const struct raft_entry *entry)
{
    return entry->type == RAFT_ENTRY_NORMAL && entry->payload;
}

static void make_snapshot_if_due(struct raft_node *node)
{
    struct error err = {0};

    if (node->snapshot_interval_count == UINT64_MAX || node->make || node->restore || node->snapshot_pause_ticks > 0 ||
        node->applied < node->storage.snapshot.index + node->snapshot_interval_count)
        return;
    if (snapshot_make_begin(node, &err) < 0)
        snapshot_make_failed(node, node->applied, &err);
}

void node_apply(struct raft_node *node, const struct raft_entry *entries, size_t count)
{
    bool is_removed = false;

    for (size_t i = 0; i < count && !node_is_over(node);) {
        size_t n = 0;
        while (i + n < count && is_for_machine(&entries[i + n]))
            n++;
        if (n > 0)
            node->machine.apply(node->machine.self, &entries[i], n);
        else if (entries[i].type != RAFT_ENTRY_NORMAL)
            apply_change(node, &entries[i]);
        n += n == 0;
        node->applied = entries[i + n - 1].index;
        for (size_t k = i; k < i + n; k++)
            raft_proposals_applied(&node->proposals, &entries[k]);
        i += n;
    }
    is_removed = raft_book_is_removed(&node->book, node->self.id);
    make_snapshot_if_due(node);
    if (is_removed)
        node_removed(node);
}
