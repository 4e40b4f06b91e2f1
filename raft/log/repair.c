/* raft/log/repair.c – cuts a log at its first damage: see inspect.h. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "raft/log/inspect.h"
#include "raft/log/log.h"
#include "raft/log/payload.h"
#include "raft/log/scan.h"

/* What is cut, and what could still be read of it. */
struct cut {
    const struct raft_inspect_options *options;
    struct raft_scan scan;
    struct raft_hard_state newest; /* the highest term behind the damage, and its vote */
    uint64_t last_index;           /* the highest index behind it; 0: none seen */
    struct raft_sealer sealer;
    struct buf plain;
};

static void salvage_record(struct cut *cut, const struct raft_segment_reader *reader, const struct raft_record *record,
                           struct bytes payload)
{
    struct bytes plain;
    struct raft_hard_state hard;
    struct raft_entries_reader entries;

    if (raft_record_plain(record, &reader->header.place, payload, &cut->sealer, cut->options->keys, reader->path, &cut->plain, &plain,
                          NULL) < 0)
        return;
    if (record->type == RAFT_RECORD_HARD_STATE && raft_payload_read_hard_state(plain, &hard, NULL) == 0 && hard.term >= cut->newest.term)
        cut->newest = hard;
    if (record->type == RAFT_RECORD_ENTRIES && raft_payload_open_entries(plain, &entries, NULL) == 0 &&
        entries.next_index + entries.left - 1 > cut->last_index)
        cut->last_index = entries.next_index + entries.left - 1;
}

/* Every good record of @path from @offset on, whatever lies between. */
static int salvage_file(struct cut *cut, const char *path, uint64_t offset, struct error *err)
{
    struct raft_segment_reader reader;
    struct raft_record record;
    struct bytes payload;

    int failed = raft_segment_reader_open(&reader, cut->options->disk, path, err);
    if (failed == ERR_CORRUPT || failed == ERR_NOT_FOUND)
        return 0; /* nothing to be had from it */
    if (failed < 0)
        return failed;
    while (offset < reader.size_bytes) {
        raft_segment_reader_skip_to(&reader, offset);
        int got = raft_segment_reader_next(&reader, &record, &payload, err);
        if (got < 0) {
            failed = got;
            break;
        }
        if (got > 0)
            salvage_record(cut, &reader, &record, payload);
        offset = got > 0 ? reader.offset : offset + RAFT_RECORD_ALIGN_BYTES;
    }
    raft_sealer_deinit(&cut->sealer);
    raft_segment_reader_close(&reader);
    return failed;
}

typedef int (*segment_fn)(struct cut *cut, const char *path, struct error *err);

/* The segments behind the one with the damage. */
static int each_later(struct cut *cut, segment_fn fn, struct error *err)
{
    uint64_t sequence;
    int failed = 0;
    for (size_t i = 0; failed == 0 && i < cut->scan.names.count; i++) {
        if (!raft_segment_name_parse(cut->scan.names.items[i], &sequence) || sequence <= cut->scan.last.place.sequence)
            continue;
        cleanup_free char *path = raft_segment_path(cut->options->dir, sequence);
        failed = fn(cut, path, err);
    }
    return failed;
}

static int salvage_whole(struct cut *cut, const char *path, struct error *err)
{
    return salvage_file(cut, path, RAFT_SEGMENT_HEADER_SIZE_BYTES, err);
}

static int set_aside(struct cut *cut, const char *path, struct error *err)
{
    cleanup_free char *aside = mem_format("%s.cut", path);
    return raft_disk_rename(cut->options->disk, cut->options->dir, path, aside, err);
}

/* From @from to the end of @path into a file beside it, synced. */
static int copy_rest(const struct raft_inspect_options *options, const char *path, int file, uint64_t from, struct error *err)
{
    const struct raft_disk *disk = options->disk;
    cleanup_free char *copy_path = mem_format("%s.cut-%" PRIu64, path, from);
    cleanup_free uint8_t *block = mem_alloc(64 * KIB);
    uint64_t offset = from;
    size_t got;
    int copy;

    int failed = raft_disk_open(disk, copy_path, RAFT_DISK_CREATE, &copy, err);
    while (failed == 0) {
        failed = raft_disk_read(disk, file, path, block, 64 * KIB, offset, &got, err);
        if (failed < 0 || got == 0)
            break;
        failed = raft_disk_write(disk, copy, copy_path, bytes_of(block, got), offset - from, err);
        offset += got;
    }
    if (failed == 0)
        failed = raft_disk_sync(disk, copy, copy_path, err);
    raft_disk_close(disk, &copy);
    return failed < 0 ? failed : raft_disk_sync_dir(disk, options->dir, err);
}

/* The later segments go first: were they left behind a cut one, it would look as damaged as before. */
static int cut_files(struct cut *cut, struct error *err)
{
    const struct raft_disk *disk = cut->options->disk;
    int file;

    int failed = raft_disk_open(disk, cut->scan.last_path, RAFT_DISK_WRITE, &file, err);
    if (failed == 0)
        failed = copy_rest(cut->options, cut->scan.last_path, file, cut->scan.end_offset, err);
    if (failed == 0)
        failed = each_later(cut, set_aside, err);
    if (failed == 0)
        failed = raft_disk_allocate(disk, file, cut->scan.last_path, cut->scan.last.size_bytes, err); /* where it became shorter */
    if (failed == 0)
        failed = raft_disk_zero(disk, file, cut->scan.last_path, cut->scan.end_offset, cut->scan.last.size_bytes, err);
    raft_disk_close(disk, &file);
    return failed;
}

/* The log opens again; it takes the newest term and vote, and closes. */
static int settle(struct cut *cut, struct raft_log_state *state, struct error *err)
{
    struct raft_log *log;
    const struct raft_log_options options = {.dir = cut->options->dir, .disk = cut->options->disk, .keys = cut->options->keys};

    int failed = raft_log_open(&options, &log, state, err);
    if (failed < 0)
        return error_wrap(err, "after cutting");
    struct raft_hard_state hard = {cut->newest.term, cut->newest.vote, state->hard.commit};
    if (cut->newest.commit > hard.commit)
        hard.commit = cut->newest.commit < state->last_index ? cut->newest.commit : state->last_index;
    if (hard.term > state->hard.term || (hard.term == state->hard.term && state->hard.vote == 0))
        failed = raft_log_append(log, &hard, NULL, 0, err);
    if (failed < 0) {
        raft_log_abandon(log);
        return failed;
    }
    return raft_log_close(log, err);
}

static void explain(const struct cut *cut, const struct raft_log_state *state, FILE *out)
{
    fprintf(out, "cut at %" PRIu64 " of %s\n", cut->scan.end_offset, cut->scan.last_path);
    fprintf(out, "this member keeps entries up to %" PRIu64, state->last_index);
    if (cut->last_index > state->last_index)
        fprintf(out, "; entries %" PRIu64 " to %" PRIu64 " were there and are gone from it", state->last_index + 1, cut->last_index);
    fputs("\n\nWhat this means for the quorum: this member may have acknowledged what is gone now. If it was needed for the majority that\n"
          "committed some of it, and it now helps to elect a leader without it, the cluster loses writes that it had promised to\n"
          "keep. Start it only if a majority of the other members is whole and up: then they have all that was committed. Safer in\n"
          "every case: remove it from the cluster, and let it join again with an empty directory. As the only member it has nobody\n"
          "to ask: what was cut is lost, and its cut-off bytes are kept beside the log.\n",
          out);
}

static int cut_and_settle(struct cut *cut, int *lock, FILE *out, struct error *err)
{
    struct raft_log_state state = {0};

    int failed = salvage_file(cut, cut->scan.last_path, cut->scan.end_offset, err);
    if (failed == 0)
        failed = each_later(cut, salvage_whole, err);
    if (failed == 0)
        failed = cut_files(cut, err);
    if (failed < 0)
        return failed;
    raft_disk_close(cut->options->disk, lock); /* the log takes it itself */
    failed = settle(cut, &state, err);
    if (failed == 0)
        explain(cut, &state, out);
    raft_log_state_deinit(&state);
    return failed;
}

static int mend(struct cut *cut, bool force, int *lock, FILE *out, struct error *err)
{
    const struct raft_scan_options scan_options = {
        .disk = cut->options->disk, .dir = cut->options->dir, .keys = cut->options->keys, .may_lack_keys = true};

    int failed = raft_scan_run(&cut->scan, &scan_options, err);
    if (failed == 0) {
        fputs(cut->scan.state.recovery.is_torn ? "nothing to mend: the torn tail is cut when the log is opened\n" : "nothing to mend\n",
              out);
        return 0;
    }
    if (!cut->scan.is_damaged)
        return failed;
    if (cut->scan.segments_count == 0)
        return error_wrap(err, "nothing could be kept");
    if (cut->scan.has_unread)
        return error_set(err, ERR_PERMISSION, "%s is encrypted: give its key (--key-file), so that what is kept can be checked",
                         cut->options->dir);
    fprintf(out, "%s\n", err->message);
    if (!force)
        return error_set(err, ERR_PRECONDITION,
                         "nothing was changed: --force cuts %s at %" PRIu64
                         " and sets all later segments aside. The log then ends at entry "
                         "%" PRIu64 ", and what this member acknowledged behind it is gone from it",
                         cut->scan.last_path, cut->scan.end_offset, cut->scan.state.last_index);
    return cut_and_settle(cut, lock, out, err);
}

int raft_inspect_repair(const struct raft_inspect_options *options, bool force, FILE *out, struct error *err)
{
    struct cut cut = {.options = options, .plain.is_secret = true};
    struct error own;
    int lock;

    int failed = raft_inspect_lock(options, &lock, &own);
    if (failed == 0)
        failed = mend(&cut, force, &lock, out, &own);
    raft_disk_close(options->disk, &lock);
    raft_scan_deinit(&cut.scan);
    raft_sealer_deinit(&cut.sealer);
    buf_deinit(&cut.plain);
    if (failed < 0 && err)
        *err = own;
    return failed;
}
