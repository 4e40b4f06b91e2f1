/* raft/log/log.c – writes the queue, begins segments, closes: see log.h. */
#include "raft/log/log.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "raft/log/log_inside.h"
#include "raft/log/payload.h"
#include "raft/mutant.h"

void log_mark_deinit(struct log_mark *mark)
{
    raft_snapshot_deinit(&mark->snapshot);
    raft_conf_state_deinit(&mark->conf);
    *mark = (struct log_mark){0};
}

static void copy_snapshot(struct raft_snapshot *to, const struct raft_snapshot *from)
{
    *to = (struct raft_snapshot){.index = from->index, .term = from->term};
    raft_conf_state_copy(&to->conf, &from->conf);
}

void log_mark_copy(struct log_mark *to, const struct log_mark *from)
{
    if (to->version != from->version) {
        raft_snapshot_deinit(&to->snapshot);
        copy_snapshot(&to->snapshot, &from->snapshot);
        raft_conf_state_deinit(&to->conf);
        raft_conf_state_copy(&to->conf, &from->conf);
        to->version = from->version;
    }
    to->conf_index = from->conf_index;
    to->hard = from->hard;
    to->first_index = from->first_index;
    to->last_index = from->last_index;
    to->last_term = from->last_term;
}

int log_check_alive(const struct raft_log *log, struct error *err)
{
    return log->failure ? error_set(err, ERR_IO, "%s", log->failure) : 0;
}

int log_fail(struct raft_log *log, struct error *err)
{
    if (!log->failure)
        log->failure =
            mem_format("raft log: %s. This member acknowledges nothing more until it is started again: look at the disk first (its "
                       "errors are in the kernel's log); if the log then does not open, re-sync the member from its peers",
                       err ? err->message : "the disk failed");
    return log_check_alive(log, err);
}

/* --- writing where we are --- */

/* The queue from @start on in @log->sealed, each record bound to its place in @segment. The crc of the last. */
static uint32_t seal_records(struct raft_log *log, const struct raft_place *place, size_t start, uint64_t offset, uint32_t previous)
{
    struct raft_record_seal how = {
        .place = place, .flush_start = offset, .previous = previous, .sealer = &log->sealer, .random = &log->random};
    for (size_t at = start; at < log->sealed.size;) {
        uint8_t *record = log->sealed.data + at;
        uint64_t span = raft_record_span_at(record);
        how.offset = offset + (at - start);
        how.previous = raft_record_seal(record, &how);
        at += (size_t)span;
    }
    return how.previous;
}

static void settle(struct raft_log *log, uint64_t position, uint32_t previous)
{
    log->position = position;
    log->previous = previous;
    log->written_bytes += log->sealed.size;
    log->flushes_count++;
    log->is_full = false;
    buf_clear(&log->queue);
    log_mark_copy(&log->stable, &log->queued);
}

static int write_here(struct raft_log *log, struct error *err)
{
    int failed = raft_sealer_use(&log->sealer, &log->keys, log->keys.current, log->segment.place.salt, log->path, err);
    if (failed < 0)
        return log_fail(log, err);
    buf_clear(&log->sealed);
    buf_append(&log->sealed, log->queue.data, log->queue.size);
    uint32_t last = seal_records(log, &log->segment.place, 0, log->position, log->previous);
    failed = raft_disk_write(&log->disk, log->file, log->path, buf_bytes(&log->sealed), log->position, err);
    if (failed == ERR_NO_SPACE) {
        log->is_full = true;
        error_wrap(err, "raft log: nothing is acknowledged until there is room");
        return failed;
    }
    if (failed == 0 && !RAFT_MUTANT(SKIP_FSYNC))
        failed = raft_disk_sync(&log->disk, log->file, log->path, err);
    if (failed < 0)
        return log_fail(log, err);
    raft_segment_info_add_key(&log->segments[log->segments_count - 1], log->keys.current);
    settle(log, log->position + log->sealed.size, last);
    return 0;
}

/* --- a new segment --- */

static void add_mark_records(struct raft_log *log, struct buf *out)
{
    const struct log_mark *mark = &log->stable;
    uint32_t key = log->keys.current;
    size_t start;

    if (mark->snapshot.index > 0) {
        start = raft_record_begin(out, RAFT_RECORD_SNAPSHOT, key);
        raft_payload_add_snapshot(out, &mark->snapshot, false);
        raft_record_end(out, start);
    }
    start = raft_record_begin(out, RAFT_RECORD_HARD_STATE, key);
    raft_payload_add_hard_state(out, &mark->hard);
    raft_record_end(out, start);
    if (mark->conf_index > mark->snapshot.index) {
        start = raft_record_begin(out, RAFT_RECORD_MEMBERS, key);
        raft_payload_add_members(out, mark->conf_index, &mark->conf);
        raft_record_end(out, start);
    }
}

/* The whole beginning of the next segment in @log->sealed: header, mark, queue. */
static int build_segment(struct raft_log *log, uint64_t size_bytes, struct raft_segment_header *header, const char *path,
                         uint32_t *last_crc, struct error *err)
{
    static const uint8_t zeros[RAFT_SEGMENT_HEADER_SIZE_BYTES];
    bool is_first = log->segments_count == 0;

    *header = (struct raft_segment_header){.place.sequence = log->segment.place.sequence + 1,
                                           .next_index = log->stable.last_index + 1,
                                           .log_id = is_first ? random_u64(&log->random) : log->segment.log_id,
                                           .previous_end = is_first ? 0 : log->position,
                                           .previous_crc = is_first ? 0 : log->previous};
    random_fill(&log->random, header->place.salt, RAFT_SALT_SIZE_BYTES);
    raft_sealer_deinit(&log->sealer);
    int failed = raft_sealer_use(&log->sealer, &log->keys, log->keys.current, header->place.salt, path, err);
    if (failed < 0)
        return failed;
    buf_clear(&log->sealed);
    buf_append(&log->sealed, zeros, sizeof zeros);
    add_mark_records(log, &log->sealed);
    buf_append(&log->sealed, log->queue.data, log->queue.size);
    header->begun_end = log->sealed.size;
    header->size_bytes = size_bytes > log->sealed.size ? size_bytes : (log->sealed.size + 4095) / 4096 * 4096;
    raft_segment_header_write(header, log->sealed.data);
    *last_crc = seal_records(log, &header->place, RAFT_SEGMENT_HEADER_SIZE_BYTES, RAFT_SEGMENT_HEADER_SIZE_BYTES, header->crc);
    return 0;
}

static int write_segment(struct raft_log *log, const struct raft_segment_header *header, const char *temporary, int *file,
                         struct error *err)
{
    int failed = raft_disk_open(&log->disk, temporary, RAFT_DISK_CREATE, file, err);
    if (failed == 0)
        failed = raft_disk_allocate(&log->disk, *file, temporary, header->size_bytes, err);
    if (failed == 0)
        failed = raft_disk_write(&log->disk, *file, temporary, buf_bytes(&log->sealed), 0, err);
    return failed;
}

static void enter_segment(struct raft_log *log, const struct raft_segment_header *header, int file, char *path, uint32_t last_crc)
{
    raft_disk_close(&log->disk, &log->file);
    free(log->path);
    log->file = file;
    log->path = path;
    log->segment = *header;
    log->wants_segment = false;
    log->segments = mem_resize(log->segments, (log->segments_count + 1) * sizeof *log->segments);
    struct raft_segment_info *info = &log->segments[log->segments_count++];
    *info =
        (struct raft_segment_info){.sequence = header->place.sequence, .next_index = header->next_index, .size_bytes = header->size_bytes};
    raft_segment_info_add_key(info, log->keys.current);
    settle(log, header->begun_end, last_crc);
}

int log_begin_segment(struct raft_log *log, uint64_t size_bytes, struct error *err)
{
    struct raft_segment_header header;
    uint32_t last_crc;
    int file = -1;
    cleanup_free char *path = raft_segment_path(log->dir, log->segment.place.sequence + 1), *temporary = mem_format("%s.tmp", path);

    if (log->segments_count == RAFT_SEGMENTS_COUNT)
        return error_set(err, ERR_LIMIT, "raft log: %s holds %d segments: take a snapshot and compact", log->dir, RAFT_SEGMENTS_COUNT);
    int failed = build_segment(log, size_bytes, &header, path, &last_crc, err);
    if (failed == 0)
        failed = write_segment(log, &header, temporary, &file, err);
    if (failed == ERR_NO_SPACE) { /* nothing of it remains, and nothing of the log was touched */
        raft_disk_close(&log->disk, &file);
        raft_disk_remove(&log->disk, log->dir, temporary, NULL);
        raft_sealer_deinit(&log->sealer);
        log->is_full = true;
        error_wrap(err, "raft log: nothing is acknowledged until there is room");
        return failed;
    }
    if (failed == 0)
        failed = raft_disk_sync(&log->disk, file, temporary, err);
    if (failed == 0)
        failed = raft_disk_rename(&log->disk, log->dir, temporary, path, err);
    if (failed < 0) {
        raft_disk_close(&log->disk, &file);
        return log_fail(log, err);
    }
    enter_segment(log, &header, file, steal(&path), last_crc);
    return 0;
}

int raft_log_flush(struct raft_log *log, struct error *err)
{
    int failed = log_check_alive(log, err);
    if (failed < 0 || log->queue.size == 0)
        return failed;
    if (log->wants_segment || log->queue.size > log->segment.size_bytes - log->position)
        return log_begin_segment(log, log->segment_size_bytes, err);
    return write_here(log, err);
}

/* --- keys --- */

int raft_log_set_key(struct raft_log *log, uint32_t id, const uint8_t bytes[RAFT_KEY_SIZE_BYTES], struct error *err)
{
    int failed = raft_log_flush(log, err);
    if (failed == 0 && id != 0)
        failed = raft_keys_add(&log->keys, id, bytes, err);
    if (failed < 0)
        return failed;
    log->wants_segment = log->wants_segment || id != log->keys.current;
    log->keys.current = id;
    log->queue.is_secret = id != 0;
    return 0;
}

/* --- the end --- */

void raft_log_status(const struct raft_log *log, struct raft_log_status *out)
{
    *out = (struct raft_log_status){.has_failed = log->failure != NULL,
                                    .is_full = log->is_full,
                                    .first_index = log->stable.first_index,
                                    .last_index = log->stable.last_index,
                                    .appended_index = log->queued.last_index,
                                    .queued_bytes = log->queue.size,
                                    .segments_count = log->segments_count,
                                    .flushes_count = log->flushes_count,
                                    .written_bytes = log->written_bytes,
                                    .key_id = log->keys.current};
    for (size_t i = 0; i < log->segments_count; i++)
        out->segments_size_bytes += log->segments[i].size_bytes;
}

const struct raft_snapshot_store *raft_log_snapshots(const struct raft_log *log)
{
    return &log->store;
}

/* No room, not even after the reserve was given back: the hard state at least, with a commit that what is stable has reached. */
static int keep_hard_state(struct raft_log *log, struct error *err)
{
    struct raft_hard_state hard = log->queued.hard;
    bool is_changed = memcmp(&hard, &log->stable.hard, sizeof hard) != 0;

    buf_clear(&log->queue);
    if (hard.commit > log->stable.last_index)
        hard.commit = log->stable.last_index;
    log_mark_copy(&log->queued, &log->stable);
    int failed = is_changed ? raft_log_append(log, &hard, NULL, 0, err) : 0;
    if (failed == 0 && log->queue.size > 0)
        failed = log_begin_segment(log, 0, err);
    return failed < 0 ? failed
                      : error_set(err, ERR_NO_SPACE,
                                  "raft log: closed in order, but for want of room without what was appended last and not "
                                  "acknowledged");
}

static int close_without_room(struct raft_log *log, struct error *err)
{
    cleanup_free char *reserve = log_reserve_path(log->dir);

    int failed = raft_disk_remove(&log->disk, log->dir, reserve, err);
    if (failed == 0)
        failed = log_begin_segment(log, 0, err);
    return failed == ERR_NO_SPACE ? keep_hard_state(log, err) : failed;
}

int raft_log_close(struct raft_log *log, struct error *err)
{
    int failed = log_check_alive(log, err);
    if (failed == 0) {
        size_t start = raft_record_begin(&log->queue, RAFT_RECORD_CLOSE, log->keys.current);
        raft_payload_add_close(&log->queue, log->queued.last_index);
        raft_record_end(&log->queue, start);
        failed = raft_log_flush(log, err);
        if (failed == ERR_NO_SPACE)
            failed = close_without_room(log, err);
    }
    log_free(log);
    return failed;
}

void raft_log_abandon(struct raft_log *log)
{
    if (log)
        log_free(log);
}

void log_free(struct raft_log *log)
{
    raft_disk_close(&log->disk, &log->file);
    raft_disk_close(&log->disk, &log->lock_file);
    raft_sealer_deinit(&log->sealer);
    raft_keys_deinit(&log->keys);
    buf_deinit(&log->queue);
    buf_deinit(&log->sealed);
    log_mark_deinit(&log->queued);
    log_mark_deinit(&log->stable);
    free(log->segments);
    free(log->path);
    free(log->dir);
    free(log->failure);
    free(log);
}
