/* raft/log/compact.c – removes what nothing needs any more: segments, snapshots, keys. See log.h. */
#include <inttypes.h>
#include <stdlib.h>

#include "raft/log/log_inside.h"

/* The first entry that must stay. */
static uint64_t first_to_keep(const struct raft_log *log)
{
    const struct log_mark *mark = &log->stable;
    uint64_t index = mark->snapshot.index;
    uint64_t first = index > log->tail_keep_count ? index - log->tail_keep_count + 1 : 1;
    return first > mark->first_index ? first : mark->first_index;
}

/* One at a time, the oldest first, each synced: what a crash leaves is always the newest part, without a gap. */
static int remove_oldest(struct raft_log *log, struct error *err)
{
    cleanup_free char *path = raft_segment_path(log->dir, log->segments[0].sequence);
    int failed = raft_disk_remove(&log->disk, log->dir, path, err);
    if (failed < 0)
        return failed;
    log->segments_count--;
    memmove(log->segments, log->segments + 1, log->segments_count * sizeof *log->segments);
    if (log->stable.first_index < log->segments[0].next_index)
        log->stable.first_index = log->segments[0].next_index;
    if (log->queued.first_index < log->stable.first_index)
        log->queued.first_index = log->stable.first_index;
    return 0;
}

/* Of the last segment that has another key than the current one, so that only a rotation's remains need that key; 0: none. */
static uint64_t last_with_old_key(const struct raft_log *log)
{
    for (size_t i = log->segments_count; i > 0; i--)
        for (size_t k = 0; k < log->segments[i - 1].keys_count; k++)
            if (log->segments[i - 1].keys[k] != log->keys.current)
                return log->segments[i - 1].sequence;
    return 0;
}

int raft_log_compact(struct raft_log *log, struct error *err)
{
    int failed = log_check_alive(log, err);
    if (failed < 0 || log->stable.snapshot.index == 0)
        return failed;
    uint64_t first = first_to_keep(log), old = last_with_old_key(log), behind = log->stable.snapshot.index + 1;
    /* A segment's entries all come before the next one's next_index: what it holds beyond that was replaced there. */
    while (failed == 0 && log->segments_count > 1 && log->segments[1].next_index <= (log->segments[0].sequence <= old ? behind : first))
        failed = remove_oldest(log, err);
    if (failed == 0)
        failed = raft_snapshot_prune(&log->store, log->stable.snapshot.index, log->snapshots_keep_count, err);
    return failed < 0 ? error_wrap(err, "raft log: compact") : 0;
}

struct key_set {
    uint32_t *ids;
    size_t count;
};

static void note(struct key_set *set, uint32_t id)
{
    size_t at = 0;
    while (at < set->count && set->ids[at] < id)
        at++;
    if ((at < set->count && set->ids[at] == id) || set->count == RAFT_KEYS_COUNT)
        return;
    memmove(set->ids + at + 1, set->ids + at, (set->count - at) * sizeof *set->ids);
    set->ids[at] = id;
    set->count++;
}

int raft_log_keys_needed(struct raft_log *log, uint32_t ids[RAFT_KEYS_COUNT], size_t *count, struct error *err)
{
    struct key_set set = {ids, 0};
    cleanup_free struct raft_snapshot_name *names = NULL;
    size_t names_count;

    int failed = raft_snapshot_list(&log->store, &names, &names_count, err);
    for (size_t i = 0; failed == 0 && i < names_count; i++) {
        uint32_t key_id;
        failed = raft_snapshot_key(&log->store, names[i].index, names[i].term, &key_id, err);
        if (failed == 0)
            note(&set, key_id);
        else if (failed == ERR_CORRUPT) /* no key opens that */
            failed = 0;
    }
    for (size_t i = 0; i < log->segments_count; i++)
        for (size_t k = 0; k < log->segments[i].keys_count; k++)
            note(&set, log->segments[i].keys[k]);
    *count = set.count;
    return failed;
}

int raft_log_forget_key(struct raft_log *log, uint32_t id, struct error *err)
{
    uint32_t ids[RAFT_KEYS_COUNT];
    size_t count;

    int failed = raft_log_keys_needed(log, ids, &count, err);
    if (failed < 0)
        return failed;
    bool is_needed = id == log->keys.current;
    for (size_t i = 0; i < count; i++)
        is_needed = is_needed || ids[i] == id;
    if (is_needed)
        return error_set(err, ERR_PRECONDITION, "raft log: key %" PRIu32 " is still needed: take a snapshot and compact, then try again",
                         id);
    raft_keys_remove(&log->keys, id);
    return 0;
}
