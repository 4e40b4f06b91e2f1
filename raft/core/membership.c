/* Membership changes: what may be proposed, and what follows once one is applied. §4. The arithmetic is in tracker_change.c. */
#include "raft/core/internal.h"

/* NULL, or why the change cannot be taken now. Best effort: the membership in force may not be the one it will be applied to. */
static const char *why_not_now(const struct raft *raft, const struct raft_conf_change *change)
{
    bool leaves_joint = change->count == 0, is_joint = raft_tracker_is_joint(&raft->tracker);

    if (raft->pending_conf_index > raft->log.applied && !RAFT_MUTANT(OVERLAP_CHANGES))
        return "one is pending";
    if (is_joint && !leaves_joint)
        return "the joint configuration must be left first";
    if (!is_joint && leaves_joint)
        return "there is no joint configuration to leave";
    return NULL;
}

int raft_check_conf_changes(struct raft *raft, struct raft_message *proposal, struct error *err)
{
    uint64_t pending = raft->pending_conf_index;

    for (size_t i = 0; i < proposal->entries_count; i++) {
        struct raft_entry *entry = &proposal->entries[i];
        struct raft_conf_change change;
        if (entry->type == RAFT_ENTRY_NORMAL)
            continue;
        if (raft_conf_change_decode(entry, &change, err) < 0) {
            raft->pending_conf_index = pending;
            return error_wrap(err, "raft: proposal");
        }
        if (why_not_now(raft, &change) == NULL || raft->config.no_conf_change_validation) {
            raft->pending_conf_index = raft_log_view_last_index(&raft->log) + i + 1;
        } else { /* the proposal's other entries keep their places */
            raft_payload_release(entry->payload);
            *entry = (struct raft_entry){.type = RAFT_ENTRY_NORMAL};
        }
        raft_conf_change_deinit(&change);
    }
    return 0;
}

static void send_to_all(struct raft *raft, bool even_if_empty)
{
    for (size_t i = 0; i < raft->tracker.count; i++)
        if (raft->tracker.progress[i].id != raft->config.id)
            raft_send_append_if(raft, &raft->tracker.progress[i], even_if_empty);
}

/* A new membership is in force: a leader may have to go, may have committed more, and writes to whoever is new. */
void raft_conf_changed(struct raft *raft)
{
    const struct raft_progress *own = raft_tracker_find(&raft->tracker, raft->config.id);

    if (!raft_is_leader(raft))
        return;
    if (!own || own->is_learner) {
        if (raft->config.step_down_on_removal)
            raft_become_follower(raft, raft->term, RAFT_NOBODY);
        return;
    }
    if (raft->tracker.conf.voters.count == 0)
        return;
    send_to_all(raft, raft_try_commit(raft));
    if (raft->transferee != RAFT_NOBODY && !raft_tracker_is_voter(&raft->tracker, raft->transferee))
        raft_abort_transfer(raft);
}

int raft_apply_conf_change(struct raft *raft, const struct raft_conf_change *change, struct raft_conf_state *conf, struct error *err)
{
    enum raft_change_kind how = RAFT_CHANGE_SIMPLE;
    bool auto_leave = false;

    if (raft_refused(raft, err) < 0)
        return raft->failure.code;
    if (raft_conf_change_leaves_joint(change))
        how = RAFT_CHANGE_LEAVE_JOINT;
    else if (raft_conf_change_enters_joint(change, &auto_leave))
        how = RAFT_CHANGE_ENTER_JOINT;
    if (raft_tracker_change(&raft->tracker, how, auto_leave, change->changes, change->count, raft_log_view_last_index(&raft->log), err) < 0)
        return error_wrap(err, "raft: apply a membership change");
    raft_conf_changed(raft);
    if (conf)
        raft_conf_state_copy(conf, &raft->tracker.conf);
    return 0;
}

/* An empty change of no bytes: no bound can refuse it. A transfer under way can; then the next applied entry tries again, here or at the
 * new leader. */
void raft_leave_joint_if_due(struct raft *raft)
{
    struct raft_entry leave = {.type = RAFT_ENTRY_CONF_CHANGE_V2};

    if (raft->tracker.conf.auto_leave && raft_is_leader(raft) && raft->log.applied >= raft->pending_conf_index)
        (void)raft_propose_entries(raft, &leave, 1, NULL);
}

/* Page by page: what is committed and not applied may be long. */
bool raft_has_unapplied_conf_change(struct raft *raft)
{
    struct raft_entries page = {0};
    uint64_t low = raft->log.applied + 1, high = raft->log.committed + 1;
    bool found = false;

    while (low < high && !found) {
        raft_entries_clear(&page);
        if (raft_log_view_read(&raft->log, low, high, raft->config.committed_most_bytes, &page) != RAFT_STORED || page.count == 0) {
            found = true; /* cannot tell: no campaign */
            break;
        }
        for (size_t i = 0; i < page.count && !found; i++)
            found = page.items[i].type != RAFT_ENTRY_NORMAL;
        low += page.count;
    }
    raft_entries_deinit(&page);
    return found;
}
