/* Snapshots in place of compacted entries: when they are sent, and what taking one means. §5. */
#include "raft/core/internal.h"

#include <stdlib.h>

#include "base/mem.h"

bool raft_send_snapshot(struct raft *raft, struct raft_progress *progress)
{
    struct error err = {0};

    if (!progress->is_recently_active) /* large, and probably for nobody */
        return false;
    struct raft_snapshot *snapshot = mem_alloc(sizeof *snapshot);
    int result = 0;
    if (raft->log.has_snapshot)
        raft_snapshot_copy(snapshot, &raft->log.snapshot);
    else
        result = raft->config.storage.snapshot(raft->config.storage.self, snapshot, &err);
    if (result == 0 && snapshot->index == 0)
        result = error_set(&err, ERR_CORRUPT, "raft: the log is compacted, and there is no snapshot");
    if (result != 0) {
        raft_snapshot_deinit(snapshot);
        free(snapshot);
        if (result < 0 && raft->failure.code == 0)
            raft->failure = err;
        return false;
    }
    raft_progress_become_snapshot(progress, snapshot->index);
    raft_send(raft, &(struct raft_message){.type = RAFT_MESSAGE_SNAPSHOT, .to = progress->id, .snapshot = snapshot});
    return true;
}

static bool is_member(const struct raft_conf_state *conf, uint64_t id)
{
    return raft_ids_has(&conf->voters, id) || raft_ids_has(&conf->learners, id) || raft_ids_has(&conf->voters_outgoing, id);
}

/* Lists of other implementations are in any order. */
static bool names_us(const struct raft_conf_state *conf, uint64_t id)
{
    const struct raft_ids *lists[] = {&conf->voters, &conf->learners, &conf->voters_outgoing};

    if (is_member(conf, id))
        return true;
    for (size_t list = 0; list < sizeof lists / sizeof lists[0]; list++)
        for (size_t i = 0; i < lists[list]->count; i++)
            if (lists[list]->items[i] == id)
                return true;
    return false;
}

/* 1: taken; 0: not needed; or a refusal, and nothing changed. */
static int restore(struct raft *raft, const struct raft_snapshot *snapshot, struct error *err)
{
    struct raft_tracker tracker;

    if (snapshot->index <= raft->log.committed || !names_us(&snapshot->conf, raft->config.id))
        return 0;
    if (raft_log_view_matches(&raft->log, (struct raft_entry_id){snapshot->term, snapshot->index})) {
        raft_log_view_commit_to(&raft->log, snapshot->index); /* we have it all, entry by entry */
        return 0;
    }
    raft_tracker_init(&tracker, raft->config.inflight_most_count, raft->config.inflight_most_bytes);
    if (raft_tracker_restore(&tracker, &snapshot->conf, snapshot->index, err) < 0) {
        raft_tracker_deinit(&tracker);
        return error_wrap(err, "raft: the snapshot at %llu", U(snapshot->index));
    }
    raft_log_view_restore(&raft->log, snapshot);
    raft_tracker_deinit(&raft->tracker);
    raft->tracker = tracker;
    raft_conf_changed(raft);
    return 1;
}

int raft_handle_snapshot(struct raft *raft, const struct raft_message *message, struct error *err)
{
    static const struct raft_snapshot none;
    int result = restore(raft, message->snapshot ? message->snapshot : &none, err);

    if (result < 0)
        return result;
    raft_send(raft, &(struct raft_message){.type = RAFT_MESSAGE_APPEND_RESPONSE,
                                           .to = message->from,
                                           .index = result == 1 ? raft_log_view_last_index(&raft->log) : raft->log.committed});
    return 0;
}

void raft_handle_snapshot_status(struct raft *raft, struct raft_progress *progress, const struct raft_message *message)
{
    (void)raft;
    if (progress->state != RAFT_PROGRESS_SNAPSHOT)
        return;
    if (message->reject)
        progress->pending_snapshot = 0; /* it never arrived: probe from what matched */
    raft_progress_become_probe(progress);
    progress->is_paused = true; /* arrived: its acknowledgement comes; failed: not again before a heartbeat */
}
