/* Storage and tail as one log. */
#include "raft/core/log_view.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "raft/mutant.h"

#define U(value) ((unsigned long long)(value))

static uint64_t lower(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t higher(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The first failure is the cause; later ones follow from it. */
static void note_failure(const struct raft_log_view *log, const struct error *err, const char *what)
{
    if (log->failure->code != 0)
        return;
    *log->failure = *err;
    error_wrap(log->failure, "raft: %s", what);
}

void raft_log_view_init(struct raft_log_view *log, const struct raft_storage *storage, uint64_t applying_most_bytes, struct error *failure)
{
    *log = (struct raft_log_view){.storage = *storage, .failure = failure, .applying_most_bytes = applying_most_bytes};
    log->offset = log->in_progress = storage->last_index(storage->self) + 1;
    log->committed = log->applying = log->applied = storage->first_index(storage->self) - 1;
}

/* Release tail entries from place @from on. */
static void drop_tail(struct raft_log_view *log, size_t from)
{
    while (log->tail_count > from)
        raft_payload_release(log->tail[log->tail_head + --log->tail_count].payload);
    if (log->tail_count == 0)
        log->tail_head = 0;
}

void raft_log_view_deinit(struct raft_log_view *log)
{
    drop_tail(log, 0);
    free(log->tail);
    raft_snapshot_deinit(&log->snapshot);
    *log = (struct raft_log_view){0};
}

uint64_t raft_log_view_first_index(const struct raft_log_view *log)
{
    return log->has_snapshot ? log->snapshot.index + 1 : log->storage.first_index(log->storage.self);
}

uint64_t raft_log_view_last_index(const struct raft_log_view *log)
{
    if (log->tail_count > 0)
        return log->offset + log->tail_count - 1;
    return log->has_snapshot ? log->snapshot.index : log->storage.last_index(log->storage.self);
}

static const struct raft_entry *tail_at(const struct raft_log_view *log, uint64_t index)
{
    return &log->tail[log->tail_head + (size_t)(index - log->offset)];
}

static bool in_tail(const struct raft_log_view *log, uint64_t index)
{
    return index >= log->offset && index - log->offset < log->tail_count;
}

enum raft_storage_answer raft_log_view_term(const struct raft_log_view *log, uint64_t index, uint64_t *term)
{
    struct error err = {0};

    *term = 0;
    if (in_tail(log, index)) {
        *term = tail_at(log, index)->term;
        return RAFT_STORED;
    }
    if (log->has_snapshot && index == log->snapshot.index) {
        *term = log->snapshot.term;
        return RAFT_STORED;
    }
    if (index + 1 < raft_log_view_first_index(log))
        return RAFT_COMPACTED;
    if (index > raft_log_view_last_index(log))
        return RAFT_UNAVAILABLE;
    int result = log->storage.term(log->storage.self, index, term, &err);
    if (result >= 0)
        return (enum raft_storage_answer)result;
    note_failure(log, &err, "read a term from the log");
    return RAFT_UNAVAILABLE;
}

uint64_t raft_log_view_term_or_zero(const struct raft_log_view *log, uint64_t index)
{
    uint64_t term;
    return raft_log_view_term(log, index, &term) == RAFT_STORED ? term : 0;
}

struct raft_entry_id raft_log_view_last(const struct raft_log_view *log)
{
    uint64_t index = raft_log_view_last_index(log);
    return (struct raft_entry_id){raft_log_view_term_or_zero(log, index), index};
}

bool raft_log_view_matches(const struct raft_log_view *log, struct raft_entry_id id)
{
    uint64_t term;
    return raft_log_view_term(log, id.index, &term) == RAFT_STORED && term == id.term;
}

bool raft_log_view_is_up_to_date(const struct raft_log_view *log, struct raft_entry_id theirs)
{
    struct raft_entry_id ours = raft_log_view_last(log);
    return theirs.term > ours.term || (theirs.term == ours.term && theirs.index >= ours.index);
}

struct raft_entry_id raft_log_view_find_agreement(const struct raft_log_view *log, uint64_t index, uint64_t term)
{
    for (; index > 0; index--) {
        uint64_t ours;
        if (raft_log_view_term(log, index, &ours) != RAFT_STORED)
            return (struct raft_entry_id){0, index};
        if (ours <= term)
            return (struct raft_entry_id){ours, index};
    }
    return (struct raft_entry_id){0, 0};
}

uint64_t raft_log_view_size_bytes(const struct raft_entry *entries, size_t count)
{
    uint64_t size_bytes = 0;

    for (size_t i = 0; i < count; i++)
        size_bytes += raft_entry_size_bytes(&entries[i]);
    return size_bytes;
}

/* The part that storage has; @is_cut when it gave less than was asked for. */
static enum raft_storage_answer read_storage(const struct raft_log_view *log, uint64_t low, uint64_t high, uint64_t size_bytes,
                                             struct raft_entries *out, bool *is_cut)
{
    struct error err = {0};
    size_t before = out->count;
    int result = log->storage.entries(log->storage.self, low, high, size_bytes, out, &err);

    if (result == RAFT_COMPACTED)
        return RAFT_COMPACTED;
    if (result == RAFT_STORED && out->count == before)
        result = RAFT_UNAVAILABLE;
    if (result == RAFT_UNAVAILABLE)
        error_set(&err, ERR_CORRUPT, "entries %llu to %llu are not there", U(low), U(high - 1));
    if (result != RAFT_STORED) {
        note_failure(log, &err, "read entries from the log");
        return RAFT_UNAVAILABLE;
    }
    *is_cut = out->count - before < high - low;
    return RAFT_STORED;
}

enum raft_storage_answer raft_log_view_read(const struct raft_log_view *log, uint64_t low, uint64_t high, uint64_t size_bytes,
                                            struct raft_entries *out)
{
    uint64_t taken_bytes = 0;
    size_t before = out->count;

    if (low < raft_log_view_first_index(log))
        return RAFT_COMPACTED;
    assert(low <= high && high <= raft_log_view_last_index(log) + 1);
    if (low < high && low < log->offset) {
        bool is_cut = false;
        enum raft_storage_answer answer = read_storage(log, low, lower(high, log->offset), size_bytes, out, &is_cut);
        if (answer != RAFT_STORED || is_cut)
            return answer;
        low = lower(high, log->offset);
        if (low < high) /* sizes are only added up where they are needed */
            taken_bytes = raft_log_view_size_bytes(out->items + before, out->count - before);
    }
    for (; low < high; low++) {
        taken_bytes += raft_entry_size_bytes(tail_at(log, low));
        if (taken_bytes > size_bytes && out->count > before)
            break;
        raft_entries_add(out, tail_at(log, low));
    }
    return RAFT_STORED;
}

/* Room for @count more entries behind the tail: first what the stable ones left in front, then more memory. */
static void reserve_tail(struct raft_log_view *log, size_t count)
{
    if (log->tail_head + log->tail_count + count <= log->tail_capacity)
        return;
    if (log->tail_head > log->tail_count) {
        memmove(log->tail, log->tail + log->tail_head, log->tail_count * sizeof *log->tail);
        log->tail_head = 0;
    }
    size_t needed = log->tail_head + log->tail_count + count;
    if (needed <= log->tail_capacity)
        return;
    log->tail_capacity = higher(needed, 2 * log->tail_capacity);
    log->tail = mem_resize(log->tail, log->tail_capacity * sizeof *log->tail);
}

void raft_log_view_append(struct raft_log_view *log, const struct raft_entry *entries, size_t count)
{
    if (count == 0)
        return;
    uint64_t first = entries[0].index;
    assert(first > log->committed);
    if (first <= log->offset) { /* all of the tail is replaced, and perhaps some of storage */
        drop_tail(log, 0);
        log->offset = log->in_progress = first;
    } else {
        assert(first - log->offset <= log->tail_count);
        drop_tail(log, (size_t)(first - log->offset));
        log->in_progress = lower(log->in_progress, first);
    }
    reserve_tail(log, count);
    for (size_t i = 0; i < count; i++) {
        log->tail[log->tail_head + log->tail_count++] = entries[i];
        raft_payload_hold(entries[i].payload);
    }
}

int raft_log_view_accept(struct raft_log_view *log, struct raft_entry_id previous, const struct raft_entry *entries, size_t count,
                         uint64_t *last_new, struct error *err)
{
    size_t skip = 0;

    if (!raft_log_view_matches(log, previous) && !(RAFT_MUTANT(ACCEPT_ANY_APPEND) && previous.index <= raft_log_view_last_index(log)))
        return RAFT_UNAVAILABLE;
    while (skip < count && raft_log_view_matches(log, (struct raft_entry_id){entries[skip].term, entries[skip].index}))
        skip++;
    if (skip < count && entries[skip].index <= log->committed)
        return error_set(err, ERR_CORRUPT, "raft: entry %llu of term %llu would replace a committed one of term %llu: two logs have parted",
                         U(entries[skip].index), U(entries[skip].term), U(raft_log_view_term_or_zero(log, entries[skip].index)));
    raft_log_view_append(log, entries + skip, count - skip);
    *last_new = previous.index + count;
    return 0;
}

void raft_log_view_commit_to(struct raft_log_view *log, uint64_t index)
{
    if (index <= log->committed)
        return;
    assert(index <= raft_log_view_last_index(log));
    log->committed = index;
}

void raft_log_view_restore(struct raft_log_view *log, const struct raft_snapshot *snapshot)
{
    drop_tail(log, 0);
    raft_snapshot_deinit(&log->snapshot);
    raft_snapshot_copy(&log->snapshot, snapshot);
    log->has_snapshot = true;
    log->is_snapshot_in_progress = false;
    log->committed = snapshot->index;
    log->offset = log->in_progress = snapshot->index + 1;
}

const struct raft_entry *raft_log_view_next_unstable(const struct raft_log_view *log, size_t *count)
{
    size_t handed_out = (size_t)(log->in_progress - log->offset);

    *count = log->tail_count - handed_out;
    return *count > 0 ? &log->tail[log->tail_head + handed_out] : NULL;
}

bool raft_log_view_has_unstable(const struct raft_log_view *log)
{
    return log->tail_count > 0;
}

const struct raft_snapshot *raft_log_view_next_snapshot(const struct raft_log_view *log)
{
    return log->has_snapshot && !log->is_snapshot_in_progress ? &log->snapshot : NULL;
}

void raft_log_view_hand_out_unstable(struct raft_log_view *log)
{
    log->in_progress = log->offset + log->tail_count;
    log->is_snapshot_in_progress = log->has_snapshot;
}

void raft_log_view_stable_to(struct raft_log_view *log, struct raft_entry_id id)
{
    if (!in_tail(log, id.index) || tail_at(log, id.index)->term != id.term)
        return; /* replaced while it was being written: its successor will be reported too */
    for (; log->offset <= id.index; log->offset++, log->tail_head++, log->tail_count--)
        raft_payload_release(log->tail[log->tail_head].payload);
    log->in_progress = higher(log->in_progress, log->offset);
    if (log->tail_count == 0)
        log->tail_head = 0;
}

void raft_log_view_snapshot_stable(struct raft_log_view *log, uint64_t index)
{
    if (!log->has_snapshot || log->snapshot.index != index)
        return;
    raft_snapshot_deinit(&log->snapshot);
    log->has_snapshot = log->is_snapshot_in_progress = false;
}

static uint64_t last_to_apply(const struct raft_log_view *log, bool with_unstable)
{
    return with_unstable ? log->committed : lower(log->committed, log->offset - 1);
}

/* While a snapshot waits, nothing else is applied: it comes first. */
bool raft_log_view_has_next_committed(const struct raft_log_view *log, bool with_unstable)
{
    return !log->is_applying_paused && !log->has_snapshot && log->applying < last_to_apply(log, with_unstable);
}

void raft_log_view_read_committed(const struct raft_log_view *log, bool with_unstable, struct raft_entries *out)
{
    struct error err = {0};

    if (!raft_log_view_has_next_committed(log, with_unstable))
        return;
    if (raft_log_view_read(log, log->applying + 1, last_to_apply(log, with_unstable) + 1, log->applying_most_bytes - log->applying_bytes,
                           out) != RAFT_COMPACTED)
        return;
    error_set(&err, ERR_CORRUPT, "entry %llu was compacted before it was applied", U(log->applying + 1));
    note_failure(log, &err, "read committed entries");
}

void raft_log_view_hand_out_committed(struct raft_log_view *log, const struct raft_entries *entries, bool with_unstable)
{
    if (entries->count == 0)
        return;
    log->applying = entries->items[entries->count - 1].index;
    log->applying_bytes += raft_log_view_size_bytes(entries->items, entries->count);
    /* Fewer than there are: the next one is too large for what is left. */
    log->is_applying_paused = log->applying_bytes >= log->applying_most_bytes || log->applying < last_to_apply(log, with_unstable);
}

void raft_log_view_applied_to(struct raft_log_view *log, uint64_t index, uint64_t size_bytes)
{
    assert(index <= log->committed && index >= log->applied);
    log->applied = index;
    log->applying = higher(log->applying, index);
    log->applying_bytes -= lower(log->applying_bytes, size_bytes);
    log->is_applying_paused = log->applying_bytes >= log->applying_most_bytes;
}
