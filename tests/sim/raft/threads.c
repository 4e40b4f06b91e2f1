/* tests/sim/raft/threads.c – a node's append thread and apply thread: queues whose work takes virtual time.
 *
 * A flush is begun with as many works as wait (or fewer), and done at its end: until then a crash finds nothing of it on the disk, or a
 * part. Only what was flushed is shown to the core through its storage, and only then the answers leave. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tests/sim/raft/sim.h"

enum { FLUSH_MOST = 64 };

static void free_work(struct sim_work *work)
{
    raft_message_deinit(&work->message);
    raft_snapshot_deinit(&work->snapshot);
}

void sim_threads_clear(struct sim_node *node)
{
    for (size_t i = 0; i < node->append.count; i++)
        free_work(&node->append.items[i]);
    node->append.count = node->flushing_count = node->appended_count = 0;
    raft_messages_clear(&node->apply);
    node->is_applying = false;
}

static uint64_t lower(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* --- the append thread --- */

static void begin_flush(struct sim *sim, struct sim_node *node)
{
    uint64_t stall_us = node->stalled_until > sim->now_us ? node->stalled_until - sim->now_us : 0;

    if (node->flushing_count > 0 || node->append.count == 0)
        return;
    node->flushing_count = sim_chance(sim, 70) ? lower(node->append.count, FLUSH_MOST) : 1;
    sim_push(sim, (struct sim_event){.kind = SIM_EVENT_FLUSH, .node = node->id, .incarnation = node->incarnation},
             1 + sim_below(sim, sim->plan.flush_us) + stall_us);
}

void sim_threads_append(struct sim *sim, struct sim_node *node, struct sim_work *work)
{
    struct sim_works *queue = &node->append;

    if (queue->count == queue->capacity) {
        queue->capacity = queue->capacity ? 2 * queue->capacity : 8;
        queue->items = mem_resize(queue->items, queue->capacity * sizeof *queue->items);
    }
    queue->items[queue->count++] = *work;
    begin_flush(sim, node);
}

static int write_image(struct sim_node *node, const struct raft_snapshot *snapshot, struct error *err)
{
    struct raft_snapshot_writer *writer;

    int failed = raft_snapshot_writer_open(raft_log_snapshots(node->log), snapshot, &writer, err);
    if (failed < 0)
        return failed;
    failed = raft_snapshot_writer_add(writer, bytes_of(snapshot->data->data, snapshot->data->size), err);
    if (failed < 0) {
        raft_snapshot_writer_abandon(writer);
        return failed;
    }
    return raft_snapshot_writer_finish(writer, err);
}

/* A snapshot of our own that cannot be written is not made: the next one will. */
static int write_own_snapshot(struct sim_node *node, struct sim_work *work, struct error *err)
{
    int failed = write_image(node, &work->snapshot, err);

    if (failed == 0)
        return raft_log_append_snapshot(node->log, &work->snapshot, false, err);
    if (failed != ERR_NO_SPACE)
        return failed;
    raft_snapshot_deinit(&work->snapshot);
    return 0;
}

/* Term and vote first: no snapshot and no entry is of a term that the hard state does not know. */
static int write_work(struct sim_node *node, struct sim_work *work, struct error *err)
{
    const struct raft_message *message = &work->message;
    const struct raft_hard_state hard = {message->term, message->vote, message->commit};
    bool has_hard = hard.term != 0 || hard.vote != 0 || hard.commit != 0;
    int failed = 0;

    if (work->snapshot.index > 0)
        return write_own_snapshot(node, work, err);
    if (message->snapshot) {
        failed = write_image(node, message->snapshot, err);
        if (failed == 0 && has_hard)
            failed = raft_log_append(node->log, &(struct raft_hard_state){hard.term, hard.vote, node->appended_commit}, NULL, 0, err);
        if (failed == 0)
            failed = raft_log_append_snapshot(node->log, message->snapshot, true, err);
        if (failed == 0 && node->appended_commit < message->snapshot->index)
            node->appended_commit = message->snapshot->index;
    }
    if (failed == 0 && (has_hard || message->entries_count > 0))
        failed = raft_log_append(node->log, has_hard ? &hard : NULL, message->entries, message->entries_count, err);
    if (failed == 0 && has_hard)
        node->appended_commit = hard.commit;
    return failed;
}

int sim_threads_write(struct sim_node *node, struct error *err)
{
    for (; node->appended_count < node->flushing_count; node->appended_count++) {
        int failed = write_work(node, &node->append.items[node->appended_count], err);
        if (failed < 0)
            return failed;
    }
    return 0;
}

/* It is stable: now the core may read it. */
static int show_to_core(struct sim *sim, struct sim_node *node, struct sim_work *work, struct error *err)
{
    const struct raft_message *message = &work->message;
    const struct raft_hard_state hard = {message->term, message->vote, message->commit};
    int failed = 0;

    if (hard.term != 0 || hard.vote != 0 || hard.commit != 0) {
        raft_memory_storage_set_hard_state(&node->storage, &hard);
        node->stable_hard = hard;
    }
    if (message->snapshot) {
        struct raft_snapshot bare = {.index = message->snapshot->index, .term = message->snapshot->term, .conf = message->snapshot->conf};
        failed = raft_memory_storage_apply_snapshot(&node->storage, &bare, err);
        if (failed == 0 && !sim_machine_load(sim, node, bytes_of(message->snapshot->data->data, message->snapshot->data->size)))
            failed = error_set(err, ERR_CORRUPT, "an image that came from the leader is not what it saved");
        node->snapshot_index = bare.index;
        sim_say(sim, node, "installed snapshot %" PRIu64, bare.index);
        if (failed == 0)
            sim_ledger_check_machine(sim, node);
    }
    return failed < 0 ? failed : raft_memory_storage_append(&node->storage, message->entries, message->entries_count, err);
}

/* Entries behind the snapshot may go, but for the tail. */
static int show_own_snapshot(struct sim *sim, struct sim_node *node, const struct raft_snapshot *snapshot, struct error *err)
{
    uint64_t to = snapshot->index > sim->plan.tail_keep ? snapshot->index - sim->plan.tail_keep : 0;

    node->is_snapshot_waiting = false;
    if (snapshot->index == 0) {
        node->snapshot_index = node->storage.snapshot.index;
        return 0;
    }
    int failed = raft_memory_storage_create_snapshot(&node->storage, snapshot->index, &snapshot->conf, NULL, err);
    if (failed == 0 && to > node->storage.compacted_index)
        failed = raft_memory_storage_compact(&node->storage, to, err);
    sim_say(sim, node, "made snapshot %" PRIu64, snapshot->index);
    if (failed == 0 && raft_log_compact(node->log, err) < 0 && node->fail_countdown < 0)
        failed = -1;
    return failed;
}

static void answer(struct sim *sim, struct sim_node *node, struct raft_message *work)
{
    uint64_t incarnation = node->incarnation;

    for (size_t i = 0; i < work->responses_count; i++) {
        struct raft_message *response = &work->responses[i];
        if (node->incarnation != incarnation || sim->has_failed)
            return;
        if (response->to == node->id) {
            sim_check_sent(sim, node, response);
            sim_node_step(sim, node, response);
        } else {
            sim_network_send(sim, node, response);
        }
    }
}

static void flush_failed(struct sim *sim, struct sim_node *node, int failed, const struct error *err)
{
    sim_say(sim, node, "cannot write: %s", err->message);
    if (failed == ERR_NO_SPACE && node->is_disk_full) {
        sim_push(sim, (struct sim_event){.kind = SIM_EVENT_FLUSH, .node = node->id, .incarnation = node->incarnation}, 100000);
    } else if (failed == ERR_IO && node->fail_countdown == 0) { /* its daemon ends, and the machine is started again */
        node->fail_countdown = 0;
        sim_node_crash(sim, node, sim_chance(sim, 50) ? RAFT_CRASH_LOSES_ALL : RAFT_CRASH_LOSES_SOME, 500000 + sim_below(sim, 2000000));
    } else {
        sim_violated(sim, "the log takes what the core asks", "n%u: %s", node->id, err->message);
    }
}

void sim_threads_flushed(struct sim *sim, struct sim_node *node)
{
    struct error err = {0};
    int failed = sim_threads_write(node, &err);

    if (failed == 0)
        failed = raft_log_flush(node->log, &err);
    if (failed < 0) {
        flush_failed(sim, node, failed, &err);
        return;
    }
    size_t count = node->flushing_count;
    struct sim_work done[FLUSH_MOST];
    memcpy(done, node->append.items, count * sizeof *done);
    node->append.count -= count;
    memmove(node->append.items, node->append.items + count, node->append.count * sizeof *node->append.items);
    node->flushing_count = node->appended_count = 0;
    bool is_advance_due = false;
    for (size_t i = 0; i < count && failed == 0; i++) {
        bool is_own = done[i].message.type != RAFT_MESSAGE_STORAGE_APPEND;
        is_advance_due = is_advance_due || (!is_own && node->sync_ready);
        failed = is_own ? show_own_snapshot(sim, node, &done[i].snapshot, &err) : show_to_core(sim, node, &done[i], &err);
    }
    if (failed < 0)
        sim_violated(sim, "the log takes what the core asks", "n%u: %s", node->id, err.message);
    uint64_t incarnation = node->incarnation;
    for (size_t i = 0; i < count; i++) {
        if (node->incarnation == incarnation && !sim->has_failed)
            answer(sim, node, &done[i].message);
        free_work(&done[i]);
    }
    if (node->incarnation != incarnation || sim->has_failed)
        return;
    if (is_advance_due)
        sim_node_advance(sim, node);
    begin_flush(sim, node);
    sim_node_touched(sim, node);
}

/* --- the apply thread --- */

static void begin_apply(struct sim *sim, struct sim_node *node)
{
    if (node->is_applying || node->apply.count == 0)
        return;
    node->is_applying = true;
    sim_push(sim, (struct sim_event){.kind = SIM_EVENT_APPLY, .node = node->id, .incarnation = node->incarnation},
             1 + sim_below(sim, sim->plan.apply_us));
}

void sim_threads_apply(struct sim *sim, struct sim_node *node, struct raft_message *message)
{
    raft_messages_add(&node->apply, message);
    begin_apply(sim, node);
}

/* A change that a snapshot taken since has in it already is not applied once more: the membership in force is newer. */
static void apply_conf_change(struct sim *sim, struct sim_node *node, const struct raft_entry *entry)
{
    struct raft_conf_change change;
    struct error err = {0};
    bool was_member = (node->machine.members >> node->id & 1) != 0;

    if (entry->index < raft_log_view_first_index(&node->raft->log))
        return;
    if (raft_conf_change_decode(entry, &change, &err) < 0) {
        sim_violated(sim, "a committed membership change can be read", "n%u: %s", node->id, err.message);
        return;
    }
    int failed = raft_apply_conf_change(node->raft, &change, NULL, &err);
    raft_conf_change_deinit(&change);
    if (failed < 0)
        sim_say(sim, node, "does not apply change %" PRIu64 ": %s", entry->index, err.message);
    if (failed < 0 && failed != ERR_PRECONDITION && failed != ERR_LIMIT)
        sim_violated(sim, "a committed membership change applies", "n%u: %s", node->id, err.message);
    sim_machine_note_members(&node->machine, &node->raft->tracker.conf);
    node->conf_index = entry->index;
    if (was_member && (node->machine.members >> node->id & 1) == 0)
        sim_push(sim, (struct sim_event){.kind = SIM_EVENT_REMOVED, .node = node->id}, sim_below(sim, 3000000));
}

/* When there are many entries to replace; and when the one there is does not name a member added since: who is sent it would refuse it. */
void sim_threads_snapshot(struct sim *sim, struct sim_node *node)
{
    struct sim_work work = {.snapshot = {.index = node->machine.applied}};
    bool is_due = node->machine.applied >= node->snapshot_index + sim->plan.snapshot_every ||
                  (node->storage.snapshot.index > 0 && node->conf_index > node->snapshot_index);

    if (!is_due || node->is_snapshot_waiting || node->raft->log.has_snapshot)
        return;
    if (raft_log_view_term(&node->raft->log, work.snapshot.index, &work.snapshot.term) != RAFT_STORED)
        return;
    raft_conf_state_copy(&work.snapshot.conf, &node->raft->tracker.conf);
    work.snapshot.data = sim_machine_save(sim, node);
    node->snapshot_index = work.snapshot.index;
    node->is_snapshot_waiting = true;
    sim_threads_append(sim, node, &work);
}

static void note_applied(struct sim_machine *machine, const struct raft_entry *entry)
{
    machine->applied = entry->index;
    machine->hash = sim_mix(machine->hash ^ sim_mix(entry->index) ^ sim_mix(entry->term + 77) ^ sim_hash(raft_entry_bytes(entry)));
}

void sim_threads_apply_entries(struct sim *sim, struct sim_node *node, const struct raft_entry *entries, size_t count)
{
    for (size_t i = 0; i < count && !sim->has_failed; i++) {
        const struct raft_entry *entry = &entries[i];
        bool is_conf = entry->type != RAFT_ENTRY_NORMAL;
        if (entry->index <= node->machine.applied && entry->index <= node->storage.snapshot.index)
            continue; /* handed out before a snapshot overtook it */
        if (entry->index != node->machine.applied + 1) {
            sim_violated(sim, "entries are applied in order, each once", "n%u: entry %" PRIu64 " is to be applied, %" PRIu64 " was last",
                         node->id, entry->index, node->machine.applied);
            return;
        }
        note_applied(&node->machine, entry);
        bool was_done = sim_machine_apply(sim, node, entry);
        if (is_conf)
            apply_conf_change(sim, node, entry);
        bool is_in_force = is_conf && entry->index >= raft_log_view_first_index(&node->raft->log);
        sim_ledger_applied(sim, node, entry, is_in_force ? &node->raft->tracker.conf : NULL);
        sim_clients_applied(sim, node, entry, was_done);
    }
    sim_clients_serve_reads(sim, node);
    sim_threads_snapshot(sim, node);
}

void sim_threads_applied(struct sim *sim, struct sim_node *node)
{
    struct raft_message work = node->apply.items[0];

    memmove(node->apply.items, node->apply.items + 1, --node->apply.count * sizeof work);
    node->is_applying = false;
    sim_threads_apply_entries(sim, node, work.entries, work.entries_count);
    if (!sim->has_failed)
        answer(sim, node, &work);
    raft_message_deinit(&work);
    begin_apply(sim, node);
    sim_node_touched(sim, node);
}
