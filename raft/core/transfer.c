/* Handing leadership over: the chosen one is brought up to date, then told to campaign at once. §3.10. */
#include "raft/core/internal.h"

static void send_timeout_now(struct raft *raft, uint64_t to)
{
    raft_send(raft, &(struct raft_message){.type = RAFT_MESSAGE_TIMEOUT_NOW, .to = to});
}

void raft_abort_transfer(struct raft *raft)
{
    raft->transferee = RAFT_NOBODY;
}

void raft_handle_transfer(struct raft *raft, struct raft_progress *progress)
{
    if (progress->is_learner || raft->transferee == progress->id)
        return;
    raft_abort_transfer(raft); /* a new wish replaces the old one */
    if (progress->id == raft->config.id)
        return;
    raft->election_elapsed = 0; /* an election timeout from now it is given up */
    raft->transferee = progress->id;
    if (progress->match == raft_log_view_last_index(&raft->log))
        send_timeout_now(raft, progress->id);
    else
        raft_send_append(raft, progress);
}

void raft_transfer_if_caught_up(struct raft *raft, const struct raft_progress *progress)
{
    if (progress->id == raft->transferee && progress->match == raft_log_view_last_index(&raft->log))
        send_timeout_now(raft, progress->id);
}
