/* tests/sim/raft/node.c – a node's life, and driving its core. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "raft/describe.h"
#include "tests/sim/raft/sim.h"

static const char dir[] = "raft";

void sim_node_create(struct sim *sim, unsigned id)
{
    struct sim_node *node = &sim->nodes[id];

    node->id = id;
    node->life = SIM_DOWN;
    node->disk = raft_disk_memory_new(sim_mix(sim->options.seed ^ id));
    node->disk_table = raft_disk_memory_disk(node->disk);
    node->fail_countdown = -1;
    node->unsure_from = UINT64_MAX;
    raft_disk_memory_hook(node->disk, sim_fault_hook, node);
    random_seeded_init(&node->core_seeded, sim_mix(sim->options.seed + 1000 + id));
    random_seeded_init(&node->log_seeded, sim_mix(sim->options.seed + 2000 + id));
    node->log_random = random_from_seeded(&node->log_seeded);
    uint64_t tick_us = sim->plan.tick_us;
    node->tick_us = sim->plan.lease || sim->plan.has_stable_leader ? tick_us : tick_us * (80 + sim_below(sim, 45)) / 100;
    raft_memory_storage_init(&node->storage);
    if (id > sim->nodes_count)
        sim->nodes_count = id;
    sim_push(sim, (struct sim_event){.kind = SIM_EVENT_START, .node = id, .incarnation = node->incarnation}, sim_below(sim, 500000));
}

/* --- beginning --- */

void sim_machine_note_members(struct sim_machine *machine, const struct raft_conf_state *conf)
{
    const struct raft_ids *lists[] = {&conf->voters, &conf->learners, &conf->voters_outgoing, &conf->learners_next};
    uint64_t members = 0;

    for (int list = 0; list < 4; list++)
        for (size_t i = 0; i < lists[list]->count; i++)
            members |= UINT64_C(1) << lists[list]->items[i];
    machine->removed |= machine->members & ~members;
    machine->members = members;
}

static int load_image(struct sim *sim, struct sim_node *node, const struct raft_snapshot *snapshot, struct error *err)
{
    struct raft_snapshot_reader *reader;
    cleanup_buf struct buf image = {0};
    struct bytes part;

    int failed = raft_snapshot_reader_open(raft_log_snapshots(node->log), snapshot->index, snapshot->term, &reader, err);
    if (failed < 0)
        return failed;
    do {
        failed = raft_snapshot_reader_read(reader, image.size, &part, err);
        if (failed == 0)
            buf_append(&image, part.data, part.size);
    } while (failed == 0 && part.size > 0);
    raft_snapshot_reader_close(reader);
    if (failed == 0 && !sim_machine_load(sim, node, buf_bytes(&image)))
        failed = error_set(err, ERR_CORRUPT, "a snapshot's image of %zu bytes is not what was saved", image.size);
    return failed;
}

/* What the log held, as the core reads it. Entries behind the snapshot stay, for members that lag. */
static int fill_storage(struct sim_node *node, const struct raft_log_state *state, struct error *err)
{
    const struct raft_entry *entries = state->entries;
    size_t count = state->entries_count;
    int failed = 0;

    raft_memory_storage_deinit(&node->storage);
    raft_memory_storage_init(&node->storage);
    if (state->snapshot.index > 0) {
        failed = raft_memory_storage_apply_snapshot(&node->storage, &state->snapshot, err);
        if (count > 0 && entries[0].index <= state->snapshot.index) {
            node->storage.compacted_index = entries[0].index;
            node->storage.compacted_term = entries[0].term;
        }
    }
    if (failed == 0)
        failed = raft_memory_storage_append(&node->storage, entries, count, err);
    raft_memory_storage_set_hard_state(&node->storage, &state->hard);
    node->stable_hard = state->hard;
    node->appended_commit = state->hard.commit;
    node->snapshot_index = state->snapshot.index;
    return failed;
}

static int start_core(struct sim *sim, struct sim_node *node, struct error *err)
{
    const struct sim_plan *plan = &sim->plan;
    struct raft_config config = {.id = node->id,
                                 .election_ticks = SIM_ELECTION_TICKS,
                                 .heartbeat_ticks = 1,
                                 .storage = raft_memory_storage_table(&node->storage),
                                 .random = random_from_seeded(&node->core_seeded),
                                 .async_storage_writes = plan->async,
                                 .message_most_bytes = plan->message_bytes,
                                 .committed_most_bytes = plan->committed_bytes,
                                 .uncommitted_most_bytes = plan->uncommitted_bytes,
                                 .inflight_most_count = plan->inflight_count,
                                 .check_quorum = plan->check_quorum,
                                 .pre_vote = plan->pre_vote,
                                 .read_mode = plan->lease ? RAFT_READ_LEASE : RAFT_READ_SAFE,
                                 .no_proposal_forwarding = plan->no_forwarding,
                                 .step_down_on_removal = plan->step_down_on_removal,
                                 .storage_stall_ticks = plan->stall_ticks};
    struct raft_peer peers[SIM_NODES_COUNT];
    uint64_t last = node->storage.compacted_index + node->storage.entries.count - node->storage.start;

    int failed = raft_new(&node->raft, &config, err);
    if (failed < 0 || last > 0 || node->id > plan->voters_count)
        return failed;
    for (unsigned i = 0; i < plan->voters_count; i++)
        peers[i] = (struct raft_peer){.id = i + 1};
    return raft_bootstrap(node->raft, peers, plan->voters_count, err);
}

static void start_later(struct sim *sim, struct sim_node *node, uint64_t after_us)
{
    sim_push(sim, (struct sim_event){.kind = SIM_EVENT_START, .node = node->id, .incarnation = node->incarnation}, after_us);
}

/* The log does not open: which reasons are good? */
static void cannot_open(struct sim *sim, struct sim_node *node, const struct error *err)
{
    sim_say(sim, node, "its log does not open: %s", err->message);
    if (err->code == ERR_CORRUPT && node->was_flipped) {
        sim_node_wipe(sim, node);
    } else if (err->code == ERR_NO_SPACE && node->is_disk_full) {
        start_later(sim, node, 300000);
    } else if (err->code == ERR_IO && node->fail_countdown == 0) {
        node->fail_countdown = -1;
        raft_disk_memory_crash(node->disk, RAFT_CRASH_LOSES_SOME);
        start_later(sim, node, 300000);
    } else {
        sim_violated(sim, "a log opens after any crash", "n%u: %s", node->id, err->message);
    }
}

static void forget_volatile(struct sim *sim, struct sim_node *node)
{
    node->machine = (struct sim_machine){0};
    sim_machine_forget(sim, node);
    node->reads_count = 0;
    buf_clear(&node->incoming.image);
    node->incoming.from = 0;
    node->seen_commit = node->seen_applied = 0;
    node->seen_role = RAFT_FOLLOWER;
    node->led_term = node->granted_term = node->granted = node->told_to_take_over = 0;
    node->is_snapshot_waiting = false;
    node->conf_index = 0;
}

static void come_up(struct sim *sim, struct sim_node *node)
{
    node->life = SIM_UP;
    node->unsure_from = UINT64_MAX;
    node->was_flipped = false;
    sim_say(sim, node, "up: entries %" PRIu64 " to %" PRIu64 ", snapshot %" PRIu64, node->storage.compacted_index + 1,
            node->storage.compacted_index + node->storage.entries.count - node->storage.start, node->storage.snapshot.index);
    node->seen_term = node->raft->term;
    sim_ledger_check_machine(sim, node);
    sim_clients_up(sim, node);
    sim_push(sim, (struct sim_event){.kind = SIM_EVENT_TICK, .node = node->id, .incarnation = node->incarnation},
             sim_below(sim, node->tick_us));
    sim_node_touched(sim, node);
}

void sim_node_start(struct sim *sim, struct sim_node *node)
{
    const struct raft_log_options options = {.dir = dir,
                                             .disk = &node->disk_table,
                                             .random = &node->log_random,
                                             .segment_size_bytes = 16384,
                                             .reserve_size_bytes = 4096,
                                             .tail_keep_count = sim->plan.tail_keep,
                                             .snapshots_keep_count = 2};
    struct raft_log_state state;
    struct error err = {0};

    if (node->life != SIM_DOWN)
        return;
    if (raft_log_open(&options, &node->log, &state, &err) < 0) {
        cannot_open(sim, node, &err);
        return;
    }
    sim_check_recovered(sim, node, &state);
    forget_volatile(sim, node);
    int failed = fill_storage(node, &state, &err);
    if (failed == 0 && state.snapshot.index > 0)
        failed = load_image(sim, node, &state.snapshot, &err);
    if (failed == 0)
        sim_machine_note_members(&node->machine, &state.snapshot.conf);
    raft_log_state_deinit(&state);
    if (failed == 0)
        failed = start_core(sim, node, &err);
    if (failed == 0)
        come_up(sim, node);
    else if (failed == ERR_IO && node->fail_countdown == 0)
        sim_node_crash(sim, node, RAFT_CRASH_LOSES_SOME, 300000);
    else
        sim_violated(sim, "a node starts again from its log", "n%u: %s", node->id, err.message);
}

/* --- ending --- */

static void drop_core(struct sim *sim, struct sim_node *node)
{
    if (node->raft)
        sim_clients_down(sim, node);
    raft_free(node->raft);
    node->raft = NULL;
    node->sync_ready = NULL;
    node->is_ready_due = false;
    node->incarnation++;
    node->paused_until = 0;
    sim_threads_clear(node);
}

/* What may be on the disk and was not promised: works that are being written. */
static void note_unsure(struct sim_node *node)
{
    for (size_t i = 0; i < node->flushing_count; i++) {
        const struct raft_message *work = &node->append.items[i].message;
        if (work->snapshot)
            node->unsure_from = 0;
        else if (work->entries_count > 0 && work->entries[0].index < node->unsure_from)
            node->unsure_from = work->entries[0].index;
    }
}

void sim_node_crash(struct sim *sim, struct sim_node *node, enum raft_crash how, uint64_t down_us)
{
    static const char *const hows[] = {"all that was not synced is lost", "nothing is lost", "some sectors are lost"};

    if (!node->log)
        return;
    note_unsure(node);
    if (node->flushing_count > 0 && node->fail_countdown < 0 && sim_chance(sim, 60)) { /* in the middle of a write */
        node->fail_countdown = (int)sim_below(sim, 8);
        if (sim_threads_write(node, NULL) == 0)
            (void)raft_log_flush(node->log, NULL);
    }
    sim_say(sim, node, "crashes: %s; back in %" PRIu64 " ms", hows[how], down_us / 1000);
    node->fail_countdown = -1;
    raft_log_abandon(node->log);
    node->log = NULL;
    raft_disk_memory_crash(node->disk, how);
    drop_core(sim, node);
    node->life = SIM_DOWN;
    start_later(sim, node, down_us);
}

bool sim_node_stop(struct sim *sim, struct sim_node *node, uint64_t down_us)
{
    struct error err = {0};

    if (!node->log)
        return false;
    note_unsure(node);
    int failed = raft_log_close(node->log, &err);
    node->log = NULL;
    sim_say(sim, node, "stops: %s; back in %" PRIu64 " ms", failed < 0 ? err.message : "in order", down_us / 1000);
    if (failed < 0) { /* a disk that failed or is full: what was in flight is lost or not */
        if (failed != ERR_NO_SPACE || !node->is_disk_full)
            raft_disk_memory_crash(node->disk, RAFT_CRASH_LOSES_SOME);
        node->fail_countdown = -1;
    }
    drop_core(sim, node);
    node->life = SIM_DOWN;
    start_later(sim, node, down_us);
    return failed == 0;
}

static void end_for_good(struct sim *sim, struct sim_node *node, enum sim_life life)
{
    raft_log_abandon(node->log);
    node->log = NULL;
    drop_core(sim, node);
    node->life = life;
}

void sim_node_wipe(struct sim *sim, struct sim_node *node)
{
    sim_say(sim, node, "is wiped; the operator will remove it");
    end_for_good(sim, node, SIM_DEAD);
    sim->wiped |= UINT64_C(1) << node->id;
}

void sim_node_leave(struct sim *sim, struct sim_node *node)
{
    if (node->life == SIM_GONE || node->life == SIM_DEAD)
        return;
    sim_say(sim, node, "is no member any more, and goes");
    end_for_good(sim, node, SIM_GONE);
}

void sim_node_free(struct sim *sim, struct sim_node *node)
{
    raft_log_abandon(node->log);
    drop_core(sim, node);
    raft_disk_memory_free(node->disk);
    raft_memory_storage_deinit(&node->storage);
    free(node->append.items);
    raft_messages_deinit(&node->apply);
    buf_deinit(&node->incoming.image);
    free(node->reads);
    free(node->votes);
}

/* --- driving the core --- */

void sim_node_tick(struct sim *sim, struct sim_node *node)
{
    struct error err = {0};

    sim_push(sim, (struct sim_event){.kind = SIM_EVENT_TICK, .node = node->id, .incarnation = node->incarnation}, node->tick_us);
    if (raft_tick(node->raft, &err) < 0)
        sim_violated(sim, "a core does not stop", "n%u: tick: %s", node->id, err.message);
    sim_threads_snapshot(sim, node);
    sim_node_touched(sim, node);
}

/* Refusals that the rules allow: of answers from strangers, and of proposals. */
static bool may_refuse(int code)
{
    return code == ERR_NOT_FOUND || code == ERR_UNAVAILABLE || code == ERR_PRECONDITION || code == ERR_LIMIT;
}

void sim_node_step(struct sim *sim, struct sim_node *node, struct raft_message *message)
{
    struct error err = {0};

    sim_check_received(sim, node, message);
    int failed = raft_step(node->raft, message, &err);
    if (failed < 0 && may_refuse(failed))
        sim_say(sim, node, "refuses: %s", err.message);
    else if (failed < 0)
        sim_violated(sim, "no message of an honest peer is called damaged", "n%u: %s", node->id, err.message);
    sim_node_touched(sim, node);
}

void sim_node_touched(struct sim *sim, struct sim_node *node)
{
    if (!node->raft || sim->has_failed)
        return;
    sim_check_node(sim, node);
    if (node->is_ready_due || node->sync_ready || !raft_has_ready(node->raft))
        return;
    if (sim->plan.ready_us == 0) {
        sim_node_ready(sim, node);
        return;
    }
    node->is_ready_due = true;
    sim_push(sim, (struct sim_event){.kind = SIM_EVENT_READY, .node = node->id, .incarnation = node->incarnation},
             sim_below(sim, sim->plan.ready_us));
}

static void send_all(struct sim *sim, struct sim_node *node, struct raft_ready *ready)
{
    for (size_t i = 0; i < ready->messages.count; i++) {
        struct raft_message *message = &ready->messages.items[i];
        if (message->to == RAFT_APPEND_THREAD)
            sim_threads_append(sim, node, &(struct sim_work){.message = *message});
        else if (message->to == RAFT_APPLY_THREAD)
            sim_threads_apply(sim, node, message);
        else
            sim_network_send(sim, node, message);
        *message = (struct raft_message){0};
    }
}

static bool must_write(const struct raft_ready *ready)
{
    return ready->has_hard_state || ready->entries.count > 0 || ready->snapshot.index > 0;
}

static void write_first(struct sim *sim, struct sim_node *node, const struct raft_ready *ready)
{
    struct sim_work work = {.message = {.type = RAFT_MESSAGE_STORAGE_APPEND,
                                        .term = ready->hard_state.term,
                                        .vote = ready->hard_state.vote,
                                        .commit = ready->hard_state.commit,
                                        .entries = raft_entries_copy(ready->entries.items, ready->entries.count),
                                        .entries_count = ready->entries.count}};

    if (ready->snapshot.index > 0) {
        work.message.snapshot = mem_alloc(sizeof *work.message.snapshot);
        raft_snapshot_copy(work.message.snapshot, &ready->snapshot);
    }
    sim_threads_append(sim, node, &work);
}

void sim_node_advance(struct sim *sim, struct sim_node *node)
{
    struct raft_ready *ready = node->sync_ready;
    struct error err = {0};

    send_all(sim, node, ready);
    sim_threads_apply_entries(sim, node, ready->committed.items, ready->committed.count);
    node->sync_ready = NULL;
    if (raft_advance(node->raft, &err) < 0)
        sim_violated(sim, "a core does not stop", "n%u: advance: %s", node->id, err.message);
    sim_check_node(sim, node);
}

void sim_node_ready(struct sim *sim, struct sim_node *node)
{
    struct error err = {0};

    while (!sim->has_failed && node->raft && !node->sync_ready && raft_has_ready(node->raft)) {
        struct raft_ready *ready;
        if (raft_ready(node->raft, &ready, &err) < 0) {
            sim_violated(sim, "a core does not stop", "n%u: ready: %s", node->id, err.message);
            return;
        }
        sim_check_ready(sim, node, ready);
        sim_clients_ready(sim, node, ready);
        sim_clients_serve_reads(sim, node);
        if (sim->plan.async) {
            send_all(sim, node, ready);
            continue;
        }
        node->sync_ready = ready;
        if (must_write(ready))
            write_first(sim, node, ready);
        else
            sim_node_advance(sim, node);
    }
}
