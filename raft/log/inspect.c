/* raft/log/inspect.c – dump and check: see inspect.h. */
#include "raft/log/inspect.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "raft/log/payload.h"
#include "raft/log/scan.h"
#include "raft/log/snapshot.h"

static bool holds_log(const struct raft_names *names)
{
    struct raft_snapshot_name name;
    uint64_t sequence;
    for (size_t i = 0; i < names->count; i++)
        if (raft_segment_name_parse(names->items[i], &sequence) || raft_snapshot_name_parse(names->items[i], &name))
            return true;
    return false;
}

int raft_inspect_lock(const struct raft_inspect_options *options, int *file, struct error *err)
{
    struct raft_names names;
    cleanup_free char *path = mem_format("%s/lock", options->dir);

    *file = -1;
    int failed = raft_disk_list(options->disk, options->dir, &names, err);
    if (failed < 0)
        return failed;
    bool is_log = holds_log(&names);
    raft_names_deinit(&names);
    if (!is_log)
        return error_set(err, ERR_NOT_FOUND, "%s holds no raft log", options->dir);
    failed = options->disk->lock(options->disk->self, path, file);
    if (failed == 0)
        return 0;
    *file = -1;
    return error_set_uv(err, failed, "%s is in use, or cannot be locked: stop the manager first", options->dir);
}

/* --- dump --- */

struct dump {
    FILE *out;
    bool with_data;
};

static void show_segment(void *ctx, const char *path, const struct raft_segment_header *header)
{
    struct dump *dump = ctx;
    fprintf(dump->out, "segment %s: %" PRIu64 " bytes, next entry %" PRIu64 ", log %016" PRIx64 "\n", path, header->size_bytes,
            header->next_index, header->log_id);
}

static void show_ids(FILE *out, const char *name, const struct raft_ids *ids)
{
    if (ids->count == 0)
        return;
    fprintf(out, " %s", name);
    for (size_t i = 0; i < ids->count; i++)
        fprintf(out, "%c%" PRIx64, i ? ',' : ' ', ids->items[i]);
}

static void show_conf(FILE *out, const struct raft_conf_state *conf)
{
    show_ids(out, "voters", &conf->voters);
    show_ids(out, "learners", &conf->learners);
    show_ids(out, "outgoing", &conf->voters_outgoing);
    show_ids(out, "next learners", &conf->learners_next);
    if (conf->auto_leave)
        fputs(" auto-leave", out);
}

static void show_entries(const struct dump *dump, struct bytes plain)
{
    struct raft_entries_reader reader;
    struct raft_entry entry;
    struct bytes data;

    if (raft_payload_open_entries(plain, &reader, NULL) < 0)
        return;
    fprintf(dump->out, " %" PRIu64 " to %" PRIu64, reader.next_index, reader.next_index + reader.left - 1);
    while (raft_payload_next_entry(&reader, &entry, &data, NULL) > 0) {
        fprintf(dump->out, "\n              %" PRIu64 " term %" PRIu64 " %s %zu bytes", entry.index, entry.term,
                raft_entry_type_name((int)entry.type), data.size);
        for (size_t i = 0; dump->with_data && i < data.size; i++)
            fprintf(dump->out, "%s%02x", i ? "" : " ", data.data[i]);
    }
}

static void show_plain(const struct dump *dump, enum raft_record_type type, struct bytes plain)
{
    struct raft_hard_state hard;
    struct raft_snapshot snapshot;
    struct raft_conf_state conf;
    uint64_t index;
    bool is_install;

    if (type == RAFT_RECORD_ENTRIES)
        show_entries(dump, plain);
    if (type == RAFT_RECORD_HARD_STATE && raft_payload_read_hard_state(plain, &hard, NULL) == 0)
        fprintf(dump->out, " term %" PRIu64 " vote %" PRIx64 " commit %" PRIu64, hard.term, hard.vote, hard.commit);
    if (type == RAFT_RECORD_CLOSE && raft_payload_read_close(plain, &index, NULL) == 0)
        fprintf(dump->out, " at entry %" PRIu64, index);
    if (type == RAFT_RECORD_MEMBERS && raft_payload_read_members(plain, &index, &conf, NULL) == 0) {
        fprintf(dump->out, " as of %" PRIu64 ":", index);
        show_conf(dump->out, &conf);
        raft_conf_state_deinit(&conf);
    }
    if (type == RAFT_RECORD_SNAPSHOT && raft_payload_read_snapshot(plain, &snapshot, &is_install, NULL) == 0) {
        fprintf(dump->out, " %" PRIu64 " term %" PRIu64 "%s:", snapshot.index, snapshot.term, is_install ? " from the leader" : "");
        show_conf(dump->out, &snapshot.conf);
        raft_snapshot_deinit(&snapshot);
    }
}

static void show_record(void *ctx, const struct raft_record *record, struct bytes plain)
{
    struct dump *dump = ctx;
    fprintf(dump->out, "  %10" PRIu64 "  %s, %" PRIu32 " bytes", record->offset, raft_record_type_name(record->type), record->size);
    if (record->key_id)
        fprintf(dump->out, ", key %" PRIu32, record->key_id);
    if (plain.data)
        show_plain(dump, (enum raft_record_type)record->type, plain);
    else
        fputs(" (its key was not given)", dump->out);
    fputc('\n', dump->out);
}

/* --- check --- */

/* The first that is wrong decides what is returned; all are printed. */
static int check_snapshots(const struct raft_inspect_options *options, const struct raft_scan *scan, FILE *out, struct error *err)
{
    const struct raft_snapshot_store store = {.disk = options->disk, .keys = options->keys, .dir = options->dir};
    struct raft_snapshot_name name;
    int result = 0;

    for (size_t i = 0; i < scan->names.count; i++) {
        struct raft_snapshot_reader *reader;
        struct error own;
        if (!raft_snapshot_name_parse(scan->names.items[i], &name))
            continue;
        int failed = raft_snapshot_reader_open(&store, name.index, name.term, &reader, &own);
        uint64_t size = failed == 0 ? raft_snapshot_reader_size(reader) : 0;
        if (failed == 0) {
            failed = raft_snapshot_reader_verify(reader, &own);
            raft_snapshot_reader_close(reader);
        }
        fprintf(out, "snapshot %" PRIu64 " of term %" PRIu64 ": ", name.index, name.term);
        if (failed == 0)
            fprintf(out, "whole, %" PRIu64 " bytes\n", size);
        else
            fprintf(out, "%s\n", own.message);
        if (failed < 0 && result == 0 && name.index == scan->state.snapshot.index)
            result = error_set(err, own.code, "%s", own.message);
    }
    return result;
}

static void print_summary(const struct raft_scan *scan, FILE *out)
{
    const struct raft_log_state *state = &scan->state;
    fprintf(out, "%zu segments, %" PRIu64 " records", scan->segments_count, state->recovery.records_count);
    if (scan->has_unread) {
        fputs("; some were checked, but not read: their key was not given\n", out);
        return;
    }
    fprintf(out,
            "\nentries %" PRIu64 " to %" PRIu64 ", term %" PRIu64 " vote %" PRIx64 " commit %" PRIu64 ", snapshot %" PRIu64 ", members",
            state->first_index, state->last_index, state->hard.term, state->hard.vote, state->hard.commit, state->snapshot.index);
    show_conf(out, &state->conf);
    fprintf(out, "\n%s\n", state->recovery.was_closed ? "closed in order" : "not closed in order: in use, or after a crash");
    if (state->recovery.is_torn)
        fprintf(out, "torn tail: opening cuts %" PRIu64 " bytes of %s at %" PRIu64 ", which nobody was told are stable\n",
                state->recovery.cut_bytes, state->recovery.cut_path, state->recovery.cut_offset);
}

static int look(const struct raft_inspect_options *options, const struct raft_scan_view *view, FILE *out, struct error *err)
{
    const struct raft_scan_options scan_options = {
        .disk = options->disk, .dir = options->dir, .keys = options->keys, .may_lack_keys = true, .view = view};
    struct raft_scan scan;
    int lock;

    int failed = raft_inspect_lock(options, &lock, err);
    if (failed < 0)
        return failed;
    failed = raft_scan_run(&scan, &scan_options, err);
    if (failed == 0 && scan.segments_count == 0)
        failed = error_set(err, ERR_CORRUPT, "%s has snapshots but no segments: re-sync this member from its peers", options->dir);
    if (failed == 0)
        print_summary(&scan, out);
    int snapshots = check_snapshots(options, &scan, out, failed == 0 ? err : NULL);
    if (failed == 0)
        failed = snapshots;
    raft_scan_deinit(&scan);
    raft_disk_close(options->disk, &lock);
    return failed;
}

int raft_inspect_dump(const struct raft_inspect_options *options, FILE *out, struct error *err)
{
    struct dump dump = {out, options->with_data};
    const struct raft_scan_view view = {show_segment, show_record, &dump};
    return look(options, &view, out, err);
}

int raft_inspect_check(const struct raft_inspect_options *options, FILE *out, struct error *err)
{
    return look(options, NULL, out, err);
}
