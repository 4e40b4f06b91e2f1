/* raft/node.c – a node's life, its turn, and what becomes of the core's messages. See node.h. */
#include "raft/node.h"

#include <limits.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "raft/node_inside.h"

#define ELECTION_TICKS       10u
#define COMMITTED_MOST_BYTES (4 * MIB) /* applied at once */
#define EARLY_ELECTION_STEP  2u        /* ticks between the voters' turns */

bool node_is_over(const struct raft_node *node)
{
    return node->has_failed || node->is_closing;
}

void node_wake(struct raft_node *node)
{
    node->is_dirty = true;
}

void node_fail(struct raft_node *node, const struct error *err)
{
    if (node->has_failed || node->is_closing)
        return;
    node->has_failed = true;
    log_error("raft", "member %llx takes no part any more: %s", (unsigned long long)node->self.id, err->message);
    uv_timer_stop(&node->timer);
    node->role = RAFT_FOLLOWER;
    node->leader = RAFT_NOBODY;
    links_close(node);
    raft_proposals_fail(&node->proposals, "this member's log failed");
    node_fail_reads(node, "this member's log failed");
    if (node->events.on_failed)
        node->events.on_failed(node->events.ctx, err);
}

void node_removed(struct raft_node *node)
{
    if (node->is_removed || node_is_over(node))
        return;
    node->is_removed = true;
    log_info("raft", "member %llx was removed from the group", (unsigned long long)node->self.id);
    if (node->events.on_removed)
        node->events.on_removed(node->events.ctx);
}

/* --- what the core says --- */

void node_step(struct raft_node *node, struct raft_message *message)
{
    struct error err = {0};
    struct raft_status status;
    bool is_from_leader =
        message->type == RAFT_MESSAGE_APPEND || message->type == RAFT_MESSAGE_HEARTBEAT || message->type == RAFT_MESSAGE_SNAPSHOT;

    if (node_is_over(node)) {
        raft_message_deinit(message);
        return;
    }
    raft_status(node->core, &status);
    if (is_from_leader && message->term >= status.hard_state.term)
        node->silence_ticks = 0;
    const char *name = raft_message_type_name((int)message->type);
    unsigned long long from = message->from;
    if (raft_step(node->core, message, &err) < 0)
        log_debug("raft", "%s from %llx is refused: %s", name, from, err.message);
    node_wake(node);
}

/* To us now or behind the turn's other work; to others by their queues. */
static void give_responses(struct raft_node *node, struct raft_message *message)
{
    for (size_t i = 0; i < message->responses_count; i++) {
        struct raft_message *response = &message->responses[i];
        if (response->to == node->self.id)
            raft_messages_add(&node->local, response);
        else
            links_send(node, response);
    }
    node_wake(node);
}

static void step_local(struct raft_node *node)
{
    struct raft_messages local = node->local;

    node->local = (struct raft_messages){0};
    for (size_t i = 0; i < local.count; i++)
        node_step(node, &local.items[i]);
    local.count = 0;
    if (node->local.items == NULL)
        node->local = local; /* its memory */
    else
        raft_messages_deinit(&local);
}

/* What is stable goes into the log in memory, where the core reads it, before the core is told. */
static void settle_written(struct raft_node *node, struct raft_message *message)
{
    struct error err = {0};
    int failed = 0;

    if (message->term != 0 || message->vote != 0 || message->commit != 0)
        raft_memory_storage_set_hard_state(&node->storage, &(struct raft_hard_state){message->term, message->vote, message->commit});
    if (message->snapshot)
        failed = raft_memory_storage_apply_snapshot(&node->storage, message->snapshot, &err);
    if (failed == 0)
        failed = raft_memory_storage_append(&node->storage, message->entries, message->entries_count, &err);
    if (failed < 0) {
        node_fail(node, &err);
        return;
    }
    if (message->snapshot) {
        raft_messages_add(&node->written, message); /* its responses wait until the state machine is there */
        snapshot_restore_begin(node, node->written.items[node->written.count - 1].snapshot);
        return;
    }
    give_responses(node, message);
}

static void on_written(void *ctx, struct raft_message *message)
{
    struct raft_node *node = ctx;

    if (node_is_over(node))
        return;
    if (node->restore)
        raft_messages_add(&node->written, message);
    else
        settle_written(node, message);
}

/* The snapshot at the head of @written is in the state machine. */
void node_continue_written(struct raft_node *node)
{
    struct raft_messages written = node->written;

    node->written = (struct raft_messages){0};
    for (size_t i = 0; i < written.count && !node_is_over(node); i++) {
        if (i == 0) {
            struct raft_snapshot *snapshot = written.items[0].snapshot;
            raft_conf_state_deinit(&node->conf);
            raft_conf_state_copy(&node->conf, &snapshot->conf);
            node->applied = snapshot->index;
            links_follow_book(node);
            give_responses(node, &written.items[0]);
        } else if (node->restore) {
            raft_messages_add(&node->written, &written.items[i]);
        } else {
            settle_written(node, &written.items[i]);
        }
    }
    raft_messages_deinit(&written);
    node_serve_reads(node);
    node_wake(node);
}

static void on_compacted(void *ctx, uint64_t snapshot_index)
{
    (void)ctx;
    log_debug("raft", "snapshot %llu is in the log", (unsigned long long)snapshot_index);
}

static void on_log_failed(void *ctx, const struct error *err)
{
    node_fail(ctx, err);
}

static void note_role(struct raft_node *node)
{
    struct raft_status status;

    raft_status(node->core, &status);
    bool was_leader = node->role == RAFT_LEADER;
    bool is_same_term = node->role_term == status.hard_state.term;
    if (node->role == status.role && node->leader == status.leader && (is_same_term || status.role != RAFT_LEADER))
        return;
    node->role = status.role;
    node->leader = status.leader;
    node->role_term = status.hard_state.term;
    if (was_leader && (status.role != RAFT_LEADER || !is_same_term)) {
        log_info("raft", "member %llx leads no more, term %llu", (unsigned long long)node->self.id,
                 (unsigned long long)status.hard_state.term);
        raft_proposals_fail(&node->proposals, "this member lost the leadership");
    }
    if (status.role == RAFT_LEADER)
        log_info("raft", "member %llx leads, term %llu", (unsigned long long)node->self.id, (unsigned long long)status.hard_state.term);
    if (node->events.on_role)
        node->events.on_role(node->events.ctx, status.role, status.hard_state.term, status.leader);
}

static void dispatch(struct raft_node *node, struct raft_message *message)
{
    if (message->to == RAFT_APPEND_THREAD) {
        struct raft_message taken = *message;
        *message = (struct raft_message){0};
        if (raft_writer_append(node->writer, &taken))
            on_written(node, &taken); /* behind what waits for a snapshot */
        raft_message_deinit(&taken);
    } else if (message->to == RAFT_APPLY_THREAD) {
        node_apply(node, message->entries, message->entries_count);
        give_responses(node, message);
    } else if (message->type == RAFT_MESSAGE_SNAPSHOT) {
        snapshot_send_begin(node, message);
    } else {
        links_send(node, message);
    }
}

static bool take_ready(struct raft_node *node)
{
    struct raft_ready *ready;
    struct error err = {0};

    if (raft_ready(node->core, &ready, &err) < 0) {
        node_fail(node, &err);
        return false;
    }
    note_role(node);
    for (size_t i = 0; i < ready->read_states_count; i++)
        node_read_confirmed(node, &ready->read_states[i]);
    for (size_t i = 0; i < ready->messages.count && !node_is_over(node); i++)
        dispatch(node, &ready->messages.items[i]);
    return !node_is_over(node);
}

static void tell_unreachable(struct raft_node *node)
{
    for (size_t i = 0; i < node->unreachable_count; i++)
        raft_report_unreachable(node->core, node->unreachable[i], NULL);
    node->unreachable_count = 0;
}

/* One turn: everything that arrived is taken together. What callbacks add meanwhile is taken too. */
static void run(struct raft_node *node)
{
    if (!node->is_dirty || node->is_running || node_is_over(node))
        return;
    node->is_running = true;
    node->is_dirty = false;
    do {
        step_local(node);
        tell_unreachable(node);
        node_append_proposals(node);
        node_ask_reads(node);
    } while (!node_is_over(node) && ((raft_has_ready(node->core) && take_ready(node)) || node->local.count > 0));
    node_serve_reads(node);
    if (!node_is_over(node))
        links_flush(node);
    node_reseal_if_due(node);
    if (node->wants_snapshot && !node_is_over(node) && !node->make && !node->restore && node->snapshot_pause_ticks == 0) {
        node->wants_snapshot = false;
        raft_node_snapshot(node, NULL);
    }
    if (node->was_told_removed)
        node_removed(node);
    node->is_running = false;
}

/* The sockets have been written by now: what on_check() had for peers is on its way before our own disk begins. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct raft_node *node = prepare->data;

    run(node);
    if (!node_is_over(node)) /* the writer may be gone */
        raft_writer_kick(node->writer);
}

static void on_check(uv_check_t *check)
{
    run(check->data);
}

/* --- time --- */

/* Voters ask one after the other, in the order of their ids, beginning with the tick in which a follower that missed the same heartbeat may
 * answer: so two seldom ask at once, and nobody waits for a long random time. They only ask (pre-vote), and ask again each tick: one who
 * still hears the leader does not answer. A new term means that somebody stands already, and is given half an election's time. The core's
 * own random time is behind it all. */
static void elect_early(struct raft_node *node)
{
    struct raft_status status;
    unsigned turn = 0;

    raft_status(node->core, &status);
    if (status.hard_state.term != node->silence_term) {
        node->silence_term = status.hard_state.term;
        if (node->silence_ticks > node->election_ticks / 2)
            node->silence_ticks = node->election_ticks / 2;
    }
    for (size_t i = 0; i < node->conf.voters.count && node->conf.voters.items[i] != node->self.id; i++)
        turn += node->conf.voters.items[i] != node->leader;
    if (!node->elects_early || node->role == RAFT_LEADER || !raft_ids_has(&node->conf.voters, node->self.id) ||
        node->silence_ticks < node->election_ticks + turn * EARLY_ELECTION_STEP)
        return;
    raft_campaign(node->core, NULL);
}

/* Ticks keep their distance from the first one, however late each is: ten of them are a second, also on a busy machine, and every member's
 * second is as long. What was missed while the process stood still is not made up for. */
static void await_tick(struct raft_node *node, uv_timer_cb on_tick)
{
    uint64_t now_ms = uv_now(node->loop);

    node->next_tick_ms += node->tick_ms;
    if (node->next_tick_ms <= now_ms)
        node->next_tick_ms = now_ms + node->tick_ms;
    uv_timer_start(&node->timer, on_tick, node->next_tick_ms - now_ms, 0);
}

static void on_tick(uv_timer_t *timer)
{
    struct raft_node *node = timer->data;
    struct error err = {0};

    if (node_is_over(node))
        return;
    await_tick(node, on_tick);
    node->silence_ticks = node->role == RAFT_LEADER ? 0 : node->silence_ticks + 1;
    if (raft_tick(node->core, &err) < 0) {
        node_fail(node, &err);
        return;
    }
    elect_early(node);
    links_tick(node);
    node_tick_reads(node);
    snapshot_send_tick(node);
    snapshot_receipt_tick(node);
    node->snapshot_pause_ticks -= node->snapshot_pause_ticks > 0;
    node_wake(node);
}

static void on_unreachable(void *ctx, uint64_t id)
{
    struct raft_node *node = ctx;

    for (size_t i = 0; i < node->unreachable_count; i++)
        if (node->unreachable[i] == id)
            return;
    node->unreachable = mem_resize(node->unreachable, (node->unreachable_count + 1) * sizeof *node->unreachable);
    node->unreachable[node->unreachable_count++] = id;
    node_wake(node);
}

static void on_removed_by(void *ctx, uint64_t by)
{
    struct raft_node *node = ctx;

    log_info("raft", "member %llx says that this one was removed", (unsigned long long)by);
    node->was_told_removed = true;
    node_wake(node);
}

/* --- opening --- */

static int check_options(const struct raft_node_options *options, struct error *err)
{
    if (options->self.id == RAFT_NOBODY || options->self.id >= RAFT_APPLY_THREAD)
        return error_set(err, ERR_INVALID, "raft: a member's id is neither 0 nor one of the two highest numbers");
    if (!options->cluster_id || !options->credentials || !options->log.dir)
        return error_set(err, ERR_INVALID, "raft: a node needs a directory, credentials and its cluster's id");
    if (options->members_count > RAFT_MEMBERS_COUNT)
        return error_set(err, ERR_LIMIT, "raft: more than %d members", RAFT_MEMBERS_COUNT);
    return 0;
}

static struct raft_node *allocate(const struct raft_node_options *options)
{
    struct raft_node *node = mem_alloc(sizeof *node);

    node->loop = options->loop;
    node->clock = options->clock;
    node->random = options->random;
    node->machine = options->machine;
    node->events = options->events;
    node->cluster_id = mem_string(options->cluster_id);
    node->self = (struct raft_member){options->self.id, mem_string(options->self.node_id), mem_string(options->self.address)};
    node->tick_ms = options->tick_ms ? options->tick_ms : RAFT_TICK_MS;
    node->election_ticks = options->election_ticks ? options->election_ticks : ELECTION_TICKS;
    node->elects_early = !options->no_early_election && !options->no_pre_vote && !options->no_check_quorum;
    node->snapshot_interval_count = options->snapshot_interval_count ? options->snapshot_interval_count : RAFT_SNAPSHOT_INTERVAL_COUNT;
    node->snapshot_most_bytes = options->snapshot_most_bytes ? options->snapshot_most_bytes : RAFT_SNAPSHOT_SIZE_BYTES;
    node->tail_keep_count = options->log.tail_keep_count ? options->log.tail_keep_count : RAFT_TAIL_KEEP_DEFAULT_COUNT;
    if (node->tail_keep_count == UINT64_MAX) /* none */
        node->tail_keep_count = 0;
    node->dir = mem_string(options->log.dir);
    node->disk = options->log.disk ? *options->log.disk : raft_disk_host();
    if (options->log.keys)
        node->keys = node->files_keys = *options->log.keys;
    node->reseal_index = UINT64_MAX;
    node->store = (struct raft_snapshot_store){&node->disk, &node->files_keys, &node->random, node->dir};
    node->peer_host = (struct raft_peer_host){.loop = options->loop,
                                              .clock = options->clock,
                                              .random = options->random,
                                              .credentials = options->credentials,
                                              .silence_ns = (uint64_t)node->election_ticks * node->tick_ms * NS_PER_MS,
                                              .on_unreachable = on_unreachable,
                                              .on_removed = on_removed_by,
                                              .ctx = node};
    raft_memory_storage_init(&node->storage);
    return node;
}

static void free_node(struct raft_node *node)
{
    raft_free(node->core);
    raft_memory_storage_deinit(&node->storage);
    raft_conf_state_deinit(&node->conf);
    raft_book_deinit(&node->book);
    raft_member_deinit(&node->self);
    raft_keys_deinit(&node->keys);
    raft_keys_deinit(&node->files_keys);
    raft_proposals_deinit(&node->proposals);
    raft_messages_deinit(&node->local);
    raft_messages_deinit(&node->written);
    free(node->reads);
    free(node->unreachable);
    free(node->resolving);
    free(node->leaving);
    free(node->peers);
    free(node->status_peers);
    free(node->cluster_id);
    free(node->dir);
    free(node);
}

static int put_members(struct raft_node *node, const struct raft_node_options *options, struct error *err)
{
    int failed = 0;

    for (size_t i = 0; i < options->members_count && failed == 0; i++)
        failed = raft_book_put(&node->book, &options->members[i], err);
    return failed;
}

static int bootstrap(struct raft_node *node, const struct raft_node_options *options, struct error *err)
{
    struct raft_peer *peers = mem_array(options->members_count, sizeof *peers);
    struct buf *contexts = mem_array(options->members_count, sizeof *contexts);

    for (size_t i = 0; i < options->members_count; i++) {
        raft_member_write(&options->members[i], &contexts[i]);
        peers[i] = (struct raft_peer){options->members[i].id, buf_bytes(&contexts[i])};
    }
    int failed = raft_bootstrap(node->core, peers, options->members_count, err);
    for (size_t i = 0; i < options->members_count; i++)
        buf_deinit(&contexts[i]);
    free(contexts);
    free(peers);
    return failed;
}

/* A snapshot older than the last membership change may not name the member it is for, who would then not take it: a new one is made
 * instead, and the core asks again. */
static int read_snapshot(void *self, struct raft_snapshot *out, struct error *err)
{
    struct raft_node *node = (struct raft_node *)((char *)self - offsetof(struct raft_node, storage));
    struct raft_storage table = raft_memory_storage_table(&node->storage);
    const struct raft_conf_state *then = &node->storage.snapshot.conf, *now = &node->conf;

    if (node->storage.snapshot.index > 0 &&
        (!raft_ids_equal(&then->voters, &now->voters) || !raft_ids_equal(&then->learners, &now->learners))) {
        node->wants_snapshot = true;
        node_wake(node);
        return RAFT_UNAVAILABLE;
    }
    return table.snapshot(table.self, out, err);
}

static int make_core(struct raft_node *node, const struct raft_node_options *options, struct error *err)
{
    unsigned stall = options->storage_stall_ticks ? options->storage_stall_ticks : 2 * node->election_ticks;
    struct raft_config config = {
        .id = node->self.id,
        .election_ticks = node->election_ticks,
        .heartbeat_ticks = options->heartbeat_ticks ? options->heartbeat_ticks : 1,
        .storage = raft_memory_storage_table(&node->storage),
        .random = node->random,
        .applied = node->applied,
        .async_storage_writes = true,
        .message_most_bytes = options->message_most_bytes ? options->message_most_bytes : RAFT_MESSAGE_ENTRIES_BYTES,
        .committed_most_bytes = COMMITTED_MOST_BYTES,
        .uncommitted_most_bytes = options->uncommitted_most_bytes ? options->uncommitted_most_bytes : RAFT_PROPOSALS_BYTES,
        .inflight_most_count = RAFT_INFLIGHT_COUNT,
        .inflight_most_bytes = RAFT_INFLIGHT_BYTES,
        .check_quorum = !options->no_check_quorum,
        .pre_vote = !options->no_pre_vote,
        .no_proposal_forwarding = true,
        .step_down_on_removal = true,
        .storage_stall_ticks = stall == UINT_MAX ? 0 : stall};

    config.storage.snapshot = read_snapshot;
    return raft_new(&node->core, &config, err);
}

/* The log as it was found becomes the log in memory; its snapshot the state machine. */
static int load(struct raft_node *node, struct raft_log_state *state, struct error *err)
{
    raft_memory_storage_load(&node->storage, &state->hard, &state->snapshot, state->entries, state->entries_count);
    raft_conf_state_copy(&node->conf, &state->snapshot.conf);
    node->applied = state->snapshot.index;
    return state->snapshot.index > 0 ? snapshot_restore_now(node, &state->snapshot, err) : 0;
}

static void start_handles(struct raft_node *node)
{
    uv_timer_init(node->loop, &node->timer);
    uv_timer_init(node->loop, &node->news_timer);
    uv_prepare_init(node->loop, &node->prepare);
    uv_check_init(node->loop, &node->check);
    node->timer.data = node->news_timer.data = node->prepare.data = node->check.data = node;
    node->handles = 4;
    node->next_tick_ms = uv_now(node->loop);
    await_tick(node, on_tick);
    uv_prepare_start(&node->prepare, on_prepare);
    uv_check_start(&node->check, on_check);
}

/* Behind the log: what can fail, and then what cannot. */
static int start(struct raft_node *node, const struct raft_node_options *options, struct raft_log *log, struct raft_log_state *state,
                 struct error *err)
{
    const struct raft_writer_handlers handlers = {on_written, on_compacted, on_log_failed, node};
    bool is_empty = state->last_index == 0 && state->hard.term == 0;

    int failed = is_empty ? put_members(node, options, err) : 0;
    if (failed == 0)
        failed = load(node, state, err);
    if (failed == 0)
        failed = raft_book_put(&node->book, &node->self, err);
    if (failed == 0)
        failed = make_core(node, options, err);
    if (failed == 0 && is_empty && options->is_bootstrap)
        failed = bootstrap(node, options, err);
    if (failed == 0)
        failed = raft_worker_start(node->loop, NULL, NULL, &node->files, err);
    if (failed < 0)
        return failed;
    failed = raft_writer_new(node->loop, log, &state->hard, &handlers, &node->writer, err);
    if (failed < 0)
        raft_worker_stop(node->files, NULL, NULL);
    return failed;
}

int raft_node_open(const struct raft_node_options *options, struct raft_node **out, struct error *err)
{
    struct raft_log_state state = {0};
    struct raft_log *log = NULL;
    int failed = check_options(options, err);

    if (failed == 0)
        failed = raft_log_open(&options->log, &log, &state, err);
    if (failed < 0)
        return failed;
    if (state.recovery.is_torn)
        log_warn("raft", "%s: a torn tail of %llu bytes was cut: its write was never acknowledged", state.recovery.cut_path,
                 (unsigned long long)state.recovery.cut_bytes);
    struct raft_node *node = *out = allocate(options);
    failed = start(node, options, log, &state, err);
    raft_log_state_deinit(&state);
    if (failed < 0) {
        raft_log_abandon(log);
        free_node(node);
        *out = NULL;
        return failed;
    }
    start_handles(node);
    node_begin_keys(node);
    links_follow_book(node);
    node_wake(node);
    return 0;
}

/* --- closing --- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct raft_node *node = handle->data;

    if (--node->handles > 0)
        return;
    node->on_closed(node->closed_ctx, node->close_err.code != 0 ? &node->close_err : NULL);
    free_node(node);
}

static void on_files_stopped(void *ctx)
{
    struct raft_node *node = ctx;

    uv_close((uv_handle_t *)&node->timer, on_handle_closed);
    uv_close((uv_handle_t *)&node->news_timer, on_handle_closed);
    uv_close((uv_handle_t *)&node->prepare, on_handle_closed);
    uv_close((uv_handle_t *)&node->check, on_handle_closed);
}

static void on_writer_closed(void *ctx, const struct error *err)
{
    struct raft_node *node = ctx;

    if (err)
        node->close_err = *err;
    raft_worker_stop(node->files, on_files_stopped, node);
}

void raft_node_close(struct raft_node *node, void (*on_closed)(void *ctx, const struct error *err), void *ctx)
{
    node->on_closed = on_closed;
    node->closed_ctx = ctx;
    node->is_closing = true;
    uv_timer_stop(&node->timer);
    raft_proposals_fail(&node->proposals, "this member is shutting down");
    node_fail_reads(node, "this member is shutting down");
    snapshot_send_close(node);
    snapshot_make_close(node);
    links_close(node);
    serve_close(node);
    raft_writer_close(node->writer, on_writer_closed, node);
}
