/* raft/log/scan.c – see scan.h. */
#include "raft/log/scan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

void raft_segment_info_add_key(struct raft_segment_info *info, uint32_t key_id)
{
    for (size_t i = 0; i < info->keys_count; i++)
        if (info->keys[i] == key_id)
            return;
    if (info->keys_count < RAFT_SEGMENT_KEYS_COUNT)
        info->keys[info->keys_count++] = key_id;
}

void raft_scan_deinit(struct raft_scan *scan)
{
    free(scan->segments);
    raft_log_state_deinit(&scan->state);
    free(scan->last_path);
    raft_names_deinit(&scan->names);
    *scan = (struct raft_scan){0};
}

/* One pass: where it stands. */
struct pass {
    struct raft_scan *scan;
    const struct raft_scan_options *options;
    struct raft_segment_reader reader;
    struct raft_sealer sealer;
    struct buf plain;
};

/* Every refusal of a damaged log ends with the way out, because no other is safe: a member that forgot what it promised must not vote on.
 */
static int refuse(struct pass *pass, const char *path, uint64_t offset, const char *why, struct error *err)
{
    pass->scan->is_damaged = true;
    return error_set(err, ERR_CORRUPT,
                     "%s at %" PRIu64
                     ": damaged: %s. What this member promised its peers cannot be read any more; re-sync it from them: remove "
                     "it from the cluster, move %s away, and let it join again (`skep raft check` shows more)",
                     path, offset, why, pass->options->dir);
}

static int wrong_record(struct pass *pass, const struct raft_record *record, struct error *err)
{
    char why[ERROR_MESSAGE_SIZE_BYTES];
    if (!err || err->code != ERR_CORRUPT)
        return err ? error_wrap(err, "%s at %" PRIu64, pass->reader.path, record->offset) : ERR_CORRUPT;
    memcpy(why, err->message, sizeof why);
    pass->scan->end_offset = record->offset;
    return refuse(pass, pass->reader.path, record->offset, why, err);
}

static int take_record(struct pass *pass, const struct raft_record *record, struct bytes payload, struct error *err)
{
    struct raft_scan *scan = pass->scan;
    struct bytes plain = {0};

    raft_segment_info_add_key(&scan->segments[scan->segments_count - 1], record->key_id);
    if (record->key_id && pass->options->may_lack_keys && !raft_keys_find(pass->options->keys, record->key_id)) {
        scan->has_unread = true;
    } else {
        int failed = raft_record_plain(record, &pass->reader.header.place, payload, &pass->sealer, pass->options->keys, pass->reader.path,
                                       &pass->plain, &plain, err);
        if (failed < 0)
            return failed;
    }
    if (pass->options->view)
        pass->options->view->record(pass->options->view->ctx, record, plain);
    if (scan->has_unread)
        return 0; /* what follows cannot be held against what is not known */
    return raft_replay_record(&scan->state, (enum raft_record_type)record->type, plain, err) < 0 ? wrong_record(pass, record, err) : 0;
}

/* Records up to @limit. */
static int read_records(struct pass *pass, uint64_t limit, struct error *err)
{
    struct raft_record record;
    struct bytes payload;

    while (pass->reader.offset < limit) {
        uint64_t before = pass->reader.offset;
        uint32_t before_crc = pass->reader.previous;
        int got = raft_segment_reader_next(&pass->reader, &record, &payload, err);
        pass->scan->end_offset = before;
        pass->scan->end_crc = before_crc;
        if (got <= 0)
            return got;
        int failed = take_record(pass, &record, payload, err);
        if (failed < 0)
            return failed;
    }
    pass->scan->end_offset = pass->reader.offset;
    pass->scan->end_crc = pass->reader.previous;
    return 0;
}

static int open_segment(struct pass *pass, uint64_t sequence, struct raft_segment_reader *reader, struct error *err)
{
    cleanup_free char *path = raft_segment_path(pass->options->dir, sequence);
    char why[ERROR_MESSAGE_SIZE_BYTES];

    int failed = raft_segment_reader_open(reader, pass->options->disk, path, err);
    if (failed != ERR_CORRUPT || !err)
        return failed;
    memcpy(why, err->message, sizeof why);
    return refuse(pass, path, 0, why, err);
}

/* The reader at pass->reader becomes the last one that was read. */
static void enter_segment(struct pass *pass)
{
    struct raft_scan *scan = pass->scan;
    const struct raft_segment_header *header = &pass->reader.header;

    scan->segments[scan->segments_count++] =
        (struct raft_segment_info){.sequence = header->place.sequence, .next_index = header->next_index, .size_bytes = header->size_bytes};
    scan->last = *header;
    free(scan->last_path);
    scan->last_path = mem_string(pass->reader.path);
    scan->end_offset = RAFT_SEGMENT_HEADER_SIZE_BYTES;
    scan->end_crc = header->crc;
    raft_sealer_deinit(&pass->sealer); /* another salt */
    if (scan->segments_count == 1)
        raft_replay_begin(&scan->state, header->next_index);
    if (pass->options->view)
        pass->options->view->segment(pass->options->view->ctx, pass->reader.path, header);
}

/* All that @next says of the segment before it must be so. */
static int read_closed_segment(struct pass *pass, const struct raft_segment_header *next, struct error *err)
{
    const struct raft_segment_header *header = &pass->reader.header;
    char why[160];

    if (next->log_id != header->log_id)
        return refuse(pass, pass->reader.path, 0, "it and the segment behind it are of different logs", err);
    int failed = read_records(pass, next->previous_end, err);
    if (failed < 0)
        return failed;
    if (pass->scan->end_offset == next->previous_end && pass->scan->end_crc == next->previous_crc)
        return 0;
    snprintf(why, sizeof why, "its records end here, but the next segment says they go to %" PRIu64 " with another last one",
             next->previous_end);
    return refuse(pass, pass->reader.path, pass->scan->end_offset, why, err);
}

static int read_last_segment(struct pass *pass, struct error *err)
{
    struct raft_scan *scan = pass->scan;
    int failed = read_records(pass, UINT64_MAX, err);
    if (failed == 0)
        failed = raft_segment_reader_judge(&pass->reader, &scan->end, err);
    if (failed < 0)
        return failed;
    if (scan->end.kind == RAFT_END_DAMAGED)
        return refuse(pass, pass->reader.path, scan->end.offset, scan->end.why, err);
    if (scan->end.kind == RAFT_END_TORN) {
        scan->state.recovery.is_torn = true;
        scan->state.recovery.cut_offset = scan->end.offset;
        scan->state.recovery.cut_bytes = scan->end.behind_bytes;
        scan->state.recovery.cut_path = mem_string(pass->reader.path);
    }
    return 0;
}

static int check_gap(struct pass *pass, const uint64_t *sequences, size_t i, struct error *err)
{
    char why[160];
    if (i == 0 || sequences[i] == sequences[i - 1] + 1)
        return 0;
    cleanup_free char *path = raft_segment_path(pass->options->dir, sequences[i - 1] + 1);
    snprintf(why, sizeof why, "this segment is missing between %016" PRIx64 " and %016" PRIx64, sequences[i - 1], sequences[i]);
    return refuse(pass, path, 0, why, err);
}

/* The segment behind is no good: @failed it is, but a looker wants to know how far this one goes. */
static int read_up_to_damage(struct pass *pass, int failed)
{
    struct error ignored;
    read_records(pass, UINT64_MAX, &ignored);
    return failed;
}

static int read_segments(struct pass *pass, const uint64_t *sequences, size_t count, struct error *err)
{
    int failed = open_segment(pass, sequences[0], &pass->reader, err);
    if (failed < 0)
        return failed;
    for (size_t i = 0; i < count; i++) {
        enter_segment(pass);
        if (i + 1 == count)
            return read_last_segment(pass, err);
        struct raft_segment_reader next;
        failed = check_gap(pass, sequences, i + 1, err);
        if (failed == 0)
            failed = open_segment(pass, sequences[i + 1], &next, err);
        if (failed < 0)
            return read_up_to_damage(pass, failed);
        failed = read_closed_segment(pass, &next.header, err);
        raft_segment_reader_close(&pass->reader);
        pass->reader = next;
        if (failed < 0)
            return failed;
    }
    return 0;
}

int raft_scan_run(struct raft_scan *scan, const struct raft_scan_options *options, struct error *err)
{
    struct pass pass = {.scan = scan, .options = options, .reader.file = -1};
    size_t count = 0;

    *scan = (struct raft_scan){0};
    int failed = raft_disk_list(options->disk, options->dir, &scan->names, err);
    if (failed < 0)
        return failed;
    cleanup_free uint64_t *sequences = mem_array(scan->names.count + 1, sizeof *sequences);
    for (size_t i = 0; i < scan->names.count; i++)
        count += raft_segment_name_parse(scan->names.items[i], &sequences[count]);
    scan->segments = mem_array(count + 1, sizeof *scan->segments);
    if (count == 0)
        return 0;
    failed = read_segments(&pass, sequences, count, err);
    if (failed == 0 && !scan->has_unread && raft_replay_end(&scan->state, err) < 0) {
        char why[ERROR_MESSAGE_SIZE_BYTES];
        memcpy(why, err ? err->message : "", err ? sizeof why : 1);
        failed = refuse(&pass, scan->last_path, scan->end_offset, why, err);
    }
    scan->state.recovery.segments_count = count;
    raft_segment_reader_close(&pass.reader);
    raft_sealer_deinit(&pass.sealer);
    pass.plain.is_secret = true;
    buf_deinit(&pass.plain);
    return failed;
}
