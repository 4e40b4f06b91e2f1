/* raft/log/open.c – from a directory to a log that can be appended to: see log.h. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "raft/log/log_inside.h"

char *log_reserve_path(const char *dir)
{
    return mem_format("%s/reserve", dir);
}

static uint64_t or_default(uint64_t value, uint64_t fallback)
{
    return value ? value : fallback;
}

static struct raft_log *new_log(const struct raft_log_options *options)
{
    struct raft_log *log = mem_alloc(sizeof *log);

    log->disk = options->disk ? *options->disk : raft_disk_host();
    log->random = options->random ? *options->random : random_system();
    log->dir = mem_string(options->dir);
    if (options->keys)
        log->keys = *options->keys;
    log->segment_size_bytes = or_default(options->segment_size_bytes, RAFT_SEGMENT_SIZE_DEFAULT_BYTES);
    log->segment_size_bytes = (log->segment_size_bytes + 4095) / 4096 * 4096;
    log->reserve_size_bytes = or_default(options->reserve_size_bytes, RAFT_RESERVE_SIZE_DEFAULT_BYTES);
    log->tail_keep_count = options->tail_keep_count == UINT64_MAX ? 0 : or_default(options->tail_keep_count, RAFT_TAIL_KEEP_DEFAULT_COUNT);
    log->snapshots_keep_count = (uint32_t)or_default(options->snapshots_keep_count, RAFT_SNAPSHOTS_KEEP_DEFAULT);
    log->store = (struct raft_snapshot_store){.disk = &log->disk, .keys = &log->keys, .random = &log->random, .dir = log->dir};
    log->lock_file = log->file = -1;
    log->queue.is_secret = log->keys.current != 0;
    return log;
}

static int check_options(const struct raft_log *log, struct error *err)
{
    if (log->segment_size_bytes < RAFT_SEGMENT_SIZE_MIN_BYTES || log->segment_size_bytes > RAFT_SEGMENT_SIZE_MAX_BYTES)
        return error_set(err, ERR_INVALID, "raft log: a segment has from %u to %llu bytes, not %" PRIu64, RAFT_SEGMENT_SIZE_MIN_BYTES,
                         (unsigned long long)RAFT_SEGMENT_SIZE_MAX_BYTES, log->segment_size_bytes);
    if (log->keys.current != 0 && !raft_keys_find(&log->keys, log->keys.current))
        return error_set(err, ERR_INVALID, "raft log: key %" PRIu32 " is to be used, but was not given", log->keys.current);
    return 0;
}

static int take_lock(struct raft_log *log, struct error *err)
{
    cleanup_free char *path = mem_format("%s/lock", log->dir);

    int failed = raft_disk_make_dir(&log->disk, log->dir, err);
    if (failed < 0)
        return failed;
    failed = log->disk.lock(log->disk.self, path, &log->lock_file);
    if (failed == 0)
        return 0;
    log->lock_file = -1;
    return error_set_uv(err, failed, "raft log %s: in use by another process, or cannot be locked", log->dir);
}

/* What a crash left half-made: its name says so. */
static int remove_temporary(struct raft_log *log, const struct raft_names *names, struct error *err)
{
    for (size_t i = 0; i < names->count; i++) {
        if (!text_ends(names->items[i], ".tmp"))
            continue;
        cleanup_free char *path = mem_format("%s/%s", log->dir, names->items[i]);
        int failed = raft_disk_remove(&log->disk, log->dir, path, err);
        if (failed < 0)
            return failed;
    }
    return 0;
}

int log_make_reserve(struct raft_log *log, struct error *err)
{
    cleanup_free char *path = log_reserve_path(log->dir), *temporary = mem_format("%s.tmp", path);
    int file = -1;

    int failed = raft_disk_open(&log->disk, temporary, RAFT_DISK_CREATE, &file, err);
    if (failed == 0)
        failed = raft_disk_allocate(&log->disk, file, temporary, log->reserve_size_bytes, err);
    if (failed == 0)
        failed = raft_disk_sync(&log->disk, file, temporary, err);
    raft_disk_close(&log->disk, &file);
    if (failed == 0)
        return raft_disk_rename(&log->disk, log->dir, temporary, path, err);
    raft_disk_remove(&log->disk, log->dir, temporary, NULL);
    return failed;
}

/* Full already: the log can still be used, it will only have nothing to give back. */
static int look_for_reserve(struct raft_log *log, const struct raft_names *names, struct raft_log_recovery *recovery, struct error *err)
{
    for (size_t i = 0; i < names->count; i++)
        if (text_equal(names->items[i], "reserve"))
            return 0;
    int failed = log_make_reserve(log, err);
    if (failed != ERR_NO_SPACE)
        return failed;
    recovery->is_reserve_missing = true;
    return 0;
}

/* --- the snapshot that the log speaks of --- */

static int verify_snapshot(const struct raft_snapshot_store *store, uint64_t index, uint64_t term, struct raft_snapshot *meta,
                           struct error *err)
{
    struct raft_snapshot_reader *reader;
    int failed = raft_snapshot_reader_open(store, index, term, &reader, err);
    if (failed < 0)
        return failed;
    failed = raft_snapshot_reader_verify(reader, err);
    if (failed == 0 && meta) {
        raft_snapshot_deinit(meta);
        *meta = (struct raft_snapshot){.index = index, .term = term};
        raft_conf_state_copy(&meta->conf, &raft_snapshot_reader_meta(reader)->conf);
    }
    raft_snapshot_reader_close(reader);
    return failed;
}

static int refuse_without_snapshot(const struct raft_log *log, const struct raft_log_state *state, struct error *err)
{
    char why[ERROR_MESSAGE_SIZE_BYTES];
    memcpy(why, err->message, sizeof why);
    return error_set(
        err, ERR_CORRUPT,
        "%s. Snapshot %" PRIu64 " of %s cannot be used, and the log reaches back only to entry %" PRIu64
        ", with no older snapshot before it; re-sync this member from its peers: remove it from the cluster, move the directory "
        "away, and let it join again",
        why, state->snapshot.index, log->dir, state->first_index);
}

/* The newest older one that is whole and that the log reaches back to. */
static int fall_back(struct raft_log *log, struct raft_log_state *state, struct error *err)
{
    cleanup_free struct raft_snapshot_name *names = NULL;
    size_t count;
    struct error why = *err;

    int failed = raft_snapshot_list(&log->store, &names, &count, err);
    if (failed < 0)
        return failed;
    for (size_t i = 0; i < count; i++) {
        if (names[i].index >= state->snapshot.index || names[i].index + 1 < state->first_index)
            continue;
        if (verify_snapshot(&log->store, names[i].index, names[i].term, &state->snapshot, err) == 0)
            return 0;
    }
    if (state->first_index == 1) { /* nothing was dropped yet: all of it can be applied anew */
        raft_snapshot_deinit(&state->snapshot);
        return 0;
    }
    *err = why;
    return refuse_without_snapshot(log, state, err);
}

static int settle_snapshot(struct raft_log *log, struct raft_log_state *state, struct error *err)
{
    uint64_t index = state->snapshot.index, term = state->snapshot.term;

    int failed = raft_snapshot_remove_beyond(&log->store, index, err);
    if (failed < 0 || index == 0)
        return failed;
    failed = verify_snapshot(&log->store, index, term, NULL, err);
    if (failed != ERR_CORRUPT && failed != ERR_NOT_FOUND)
        return failed;
    char *aside = NULL;
    if (failed == ERR_CORRUPT) {
        struct error why = *err;
        failed = raft_snapshot_set_aside(&log->store, index, term, &aside, err);
        if (failed < 0)
            return failed;
        *err = why;
    }
    state->recovery.broken_snapshot = aside ? aside : raft_snapshot_path(log->dir, index, term);
    return fall_back(log, state, err);
}

/* --- ready to append --- */

static void take_mark(struct raft_log *log, const struct raft_log_state *state)
{
    struct log_mark mark = {.hard = state->hard,
                            .snapshot = state->snapshot,
                            .conf = state->conf,
                            .conf_index = state->conf_index,
                            .first_index = state->first_index,
                            .last_index = state->last_index,
                            .last_term = state->last_term,
                            .version = 1};
    log_mark_copy(&log->queued, &mark);
    log_mark_copy(&log->stable, &mark);
}

/* Cut the torn tail: zeros over all of it, synced, before anything is written there. A part of it that stayed would be no danger either (a
 * record names the one before it), but it would make the next look at the file harder to understand. */
static int take_last_segment(struct raft_log *log, struct raft_scan *scan, struct error *err)
{
    log->path = steal(&scan->last_path);
    log->segment = scan->last;
    log->position = scan->end_offset;
    log->previous = scan->end_crc;
    log->segments = steal(&scan->segments);
    log->segments_count = scan->segments_count;
    int failed = raft_disk_open(&log->disk, log->path, RAFT_DISK_WRITE, &log->file, err);
    if (failed == 0 && scan->end.kind == RAFT_END_TORN)
        failed = raft_disk_zero(&log->disk, log->file, log->path, scan->end.offset, log->segment.size_bytes, err);
    return failed;
}

static bool holds_snapshots(const struct raft_names *names)
{
    struct raft_snapshot_name name;
    for (size_t i = 0; i < names->count; i++)
        if (raft_snapshot_name_parse(names->items[i], &name))
            return true;
    return false;
}

static int begin_anew(struct raft_log *log, struct raft_scan *scan, struct error *err)
{
    if (holds_snapshots(&scan->names))
        return error_set(
            err, ERR_CORRUPT,
            "raft log %s: has snapshots but no segments: what this member promised is gone; re-sync it from its peers: remove it "
            "from the cluster, move the directory away, and let it join again",
            log->dir);
    scan->state.recovery.is_new = true;
    raft_replay_begin(&scan->state, 1);
    take_mark(log, &scan->state);
    return log_begin_segment(log, log->segment_size_bytes, err);
}

static int resume(struct raft_log *log, struct raft_scan *scan, struct error *err)
{
    struct raft_log_state *state = &scan->state;

    int failed = settle_snapshot(log, state, err);
    if (failed < 0)
        return failed;
    take_mark(log, state);
    if (state->snapshot.index > log->tail_keep_count)
        raft_log_state_drop_to(state, state->snapshot.index - log->tail_keep_count);
    const struct raft_segment_info *last = &scan->segments[scan->segments_count - 1];
    log->wants_segment = last->keys_count != 1 || last->keys[0] != log->keys.current;
    return take_last_segment(log, scan, err);
}

static int open_parts(struct raft_log *log, struct raft_scan *scan, struct error *err)
{
    const struct raft_scan_options options = {.disk = &log->disk, .dir = log->dir, .keys = &log->keys};

    int failed = check_options(log, err);
    if (failed == 0)
        failed = take_lock(log, err);
    if (failed == 0)
        failed = raft_scan_run(scan, &options, err);
    if (failed == 0)
        failed = remove_temporary(log, &scan->names, err);
    if (failed == 0)
        failed = scan->segments_count == 0 ? begin_anew(log, scan, err) : resume(log, scan, err);
    if (failed == 0)
        failed = look_for_reserve(log, &scan->names, &scan->state.recovery, err);
    return failed;
}

int raft_log_open(const struct raft_log_options *options, struct raft_log **out, struct raft_log_state *state, struct error *err)
{
    struct raft_scan scan = {0};
    struct error own;
    struct raft_log *log = new_log(options);

    int failed = open_parts(log, &scan, &own);
    if (failed < 0) {
        if (err)
            *err = own;
        log_free(log);
    } else {
        *state = scan.state;
        scan.state = (struct raft_log_state){0};
        *out = log;
    }
    raft_scan_deinit(&scan);
    return failed;
}
