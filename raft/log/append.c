/* raft/log/append.c – puts records into the queue, after holding them against the rules: see log.h. */
#include <inttypes.h>
#include <stdlib.h>

#include "raft/log/log_inside.h"
#include "raft/log/payload.h"

static size_t begin(struct raft_log *log, enum raft_record_type type)
{
    return raft_record_begin(&log->queue, type, log->keys.current);
}

static void put_hard_state(struct raft_log *log, const struct raft_hard_state *hard)
{
    size_t start = begin(log, RAFT_RECORD_HARD_STATE);
    raft_payload_add_hard_state(&log->queue, hard);
    raft_record_end(&log->queue, start);
    log->queued.hard = *hard;
}

/* Entries share records up to a size. */
static void put_entries(struct raft_log *log, const struct raft_entry *entries, size_t count)
{
    for (size_t i = 0; i < count;) {
        size_t bytes = 0, n = 0;
        while (i + n < count &&
               (n == 0 || bytes + raft_entry_bytes(&entries[i + n]).size + RAFT_ENTRY_HEADER_SIZE_BYTES <= RAFT_RECORD_BATCH_BYTES))
            bytes += raft_entry_bytes(&entries[i + n++]).size + RAFT_ENTRY_HEADER_SIZE_BYTES;
        size_t start = begin(log, RAFT_RECORD_ENTRIES);
        raft_payload_add_entries(&log->queue, entries + i, n);
        raft_record_end(&log->queue, start);
        i += n;
    }
    log->queued.last_index = entries[count - 1].index;
    log->queued.last_term = entries[count - 1].term;
}

static int check_room(const struct raft_log *log, uint64_t bytes, struct error *err)
{
    if (log->queue.size + bytes <= RAFT_LOG_QUEUE_BYTES)
        return 0;
    return error_set(err, ERR_LIMIT, "raft log: more than %u bytes wait to be written: flush first", RAFT_LOG_QUEUE_BYTES);
}

static int check_entries(const struct raft_log *log, const struct raft_entry *entries, size_t count, struct error *err)
{
    const struct log_mark *mark = &log->queued;
    uint64_t bytes = 0, first = entries[0].index, term = first == mark->last_index + 1 ? mark->last_term : 0;

    if (first > mark->last_index + 1)
        return error_set(err, ERR_INVALID, "raft log: entry %" PRIu64 " would leave a gap behind entry %" PRIu64, first, mark->last_index);
    if (first < mark->first_index || first <= mark->hard.commit)
        return error_set(err, ERR_INVALID, "raft log: entry %" PRIu64 " would replace a committed one (up to %" PRIu64 ")", first,
                         mark->hard.commit);
    for (size_t i = 0; i < count; i++) {
        size_t size = raft_entry_bytes(&entries[i]).size;
        if (entries[i].index != first + i || entries[i].term < term)
            return error_set(err, ERR_INVALID, "raft log: entry %" PRIu64 " of term %" PRIu64 " does not follow the one before",
                             entries[i].index, entries[i].term);
        if (size > RAFT_ENTRY_SIZE_BYTES)
            return error_set(err, ERR_LIMIT, "raft log: entry %" PRIu64 " has %zu bytes, more than %u", entries[i].index, size,
                             RAFT_ENTRY_SIZE_BYTES);
        term = entries[i].term;
        bytes += size + RAFT_RECORD_HEADER_SIZE_BYTES + RAFT_ENTRY_HEADER_SIZE_BYTES;
    }
    return check_room(log, bytes, err);
}

static int check_hard_state(const struct raft_log *log, const struct raft_hard_state *hard, uint64_t last_index, struct error *err)
{
    int failed = raft_rule_hard_state(&log->queued.hard, hard, last_index, err);
    if (failed < 0)
        error_wrap(err, "raft log");
    return failed;
}

/* Term and vote go before the entries and the commit behind them, so that whatever part of a flush survives, no entry is of a term that the
 * hard state does not know, and no commit is beyond the entries. */
int raft_log_append(struct raft_log *log, const struct raft_hard_state *hard, const struct raft_entry *entries, size_t count,
                    struct error *err)
{
    const struct raft_hard_state before = log->queued.hard;

    int failed = log_check_alive(log, err);
    if (failed == 0)
        failed = check_room(log, 0, err);
    if (failed == 0 && count > 0)
        failed = check_entries(log, entries, count, err);
    if (failed == 0 && hard)
        failed = check_hard_state(log, hard, count > 0 ? entries[count - 1].index : log->queued.last_index, err);
    if (failed < 0)
        return failed;
    if (hard && (hard->term != before.term || hard->vote != before.vote))
        put_hard_state(log, &(struct raft_hard_state){hard->term, hard->vote, count > 0 ? before.commit : hard->commit});
    if (count > 0)
        put_entries(log, entries, count);
    if (hard && hard->commit != log->queued.hard.commit)
        put_hard_state(log, hard);
    return 0;
}

static int check_conf(const struct raft_conf_state *conf, struct error *err)
{
    const struct raft_ids *lists[] = {&conf->voters, &conf->learners, &conf->voters_outgoing, &conf->learners_next};
    for (int i = 0; i < 4; i++) {
        if (lists[i]->count > RAFT_CONF_MEMBERS_COUNT)
            return error_set(err, ERR_LIMIT, "raft log: more than %d members", RAFT_CONF_MEMBERS_COUNT);
        for (size_t k = 1; k < lists[i]->count; k++)
            if (lists[i]->items[k] <= lists[i]->items[k - 1])
                return error_set(err, ERR_INVALID, "raft log: members are not in order");
    }
    return 0;
}

static void take_conf(struct log_mark *mark, uint64_t index, const struct raft_conf_state *conf)
{
    raft_conf_state_deinit(&mark->conf);
    raft_conf_state_copy(&mark->conf, conf);
    mark->conf_index = index;
    mark->version++;
}

int raft_log_append_members(struct raft_log *log, uint64_t index, const struct raft_conf_state *conf, struct error *err)
{
    int failed = log_check_alive(log, err);
    if (failed == 0)
        failed = check_conf(conf, err);
    if (failed < 0)
        return failed;
    if (index < log->queued.conf_index || index > log->queued.hard.commit)
        return error_set(err, ERR_INVALID, "raft log: members of entry %" PRIu64 ": those of %" PRIu64 " are here, the commit is %" PRIu64,
                         index, log->queued.conf_index, log->queued.hard.commit);
    size_t start = begin(log, RAFT_RECORD_MEMBERS);
    raft_payload_add_members(&log->queue, index, conf);
    raft_record_end(&log->queue, start);
    take_conf(&log->queued, index, conf);
    return 0;
}

static int check_snapshot(struct raft_log *log, const struct raft_snapshot *snapshot, bool is_install, struct error *err)
{
    struct raft_snapshot_reader *reader;

    if (snapshot->index == 0 || snapshot->index < (is_install ? log->queued.hard.commit : log->queued.snapshot.index) ||
        (!is_install && snapshot->index > log->queued.hard.commit))
        return error_set(err, ERR_INVALID, "raft log: snapshot %" PRIu64 ": the one before is %" PRIu64 ", the commit %" PRIu64,
                         snapshot->index, log->queued.snapshot.index, log->queued.hard.commit);
    int failed = check_conf(&snapshot->conf, err);
    if (failed == 0)
        failed = raft_snapshot_reader_open(&log->store, snapshot->index, snapshot->term, &reader, err);
    if (failed == 0)
        raft_snapshot_reader_close(reader);
    else
        error_wrap(err, "raft log");
    return failed;
}

int raft_log_append_snapshot(struct raft_log *log, const struct raft_snapshot *snapshot, bool is_install, struct error *err)
{
    struct log_mark *mark = &log->queued;

    int failed = log_check_alive(log, err);
    if (failed == 0)
        failed = check_snapshot(log, snapshot, is_install, err);
    if (failed < 0)
        return failed;
    size_t start = begin(log, RAFT_RECORD_SNAPSHOT);
    raft_payload_add_snapshot(&log->queue, snapshot, is_install);
    raft_record_end(&log->queue, start);
    if (is_install) {
        mark->first_index = snapshot->index + 1;
        mark->last_index = snapshot->index;
        log->wants_segment = true; /* so that all before it can go */
    }
    if (mark->last_index == snapshot->index)
        mark->last_term = snapshot->term;
    if (mark->hard.commit < snapshot->index)
        mark->hard.commit = snapshot->index;
    if (snapshot->index >= mark->conf_index)
        take_conf(mark, snapshot->index, &snapshot->conf);
    raft_snapshot_deinit(&mark->snapshot);
    mark->snapshot = (struct raft_snapshot){.index = snapshot->index, .term = snapshot->term}; /* its data is in its file */
    raft_conf_state_copy(&mark->snapshot.conf, &snapshot->conf);
    mark->version++;
    return 0;
}
