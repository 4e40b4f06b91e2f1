/* tests/unit/raft/core/fixture.h – a group in one process: members on memory storage, a network that can be cut, disks that can be held.
 *
 *     struct net net;
 *     net_begin(&net, 3, NULL);     // or with a function that sets options
 *     net_elect(&net, 1);
 *     net_cut(&net, 1, 3);          // both ways
 *     net_pump(&net);               // until nothing moves any more */
#ifndef SKEP_TESTS_UNIT_RAFT_CORE_FIXTURE_H
#define SKEP_TESTS_UNIT_RAFT_CORE_FIXTURE_H

#include <stdlib.h>

#include "base/mem.h"
#include "raft/core/internal.h"
#include "raft/memory_storage.h"
#include "tests/unit/test.h"

#define NET_MEMBERS_COUNT 7

struct net_member {
    struct raft_memory_storage storage;
    struct raft_config config;
    struct random_seeded seed;
    struct raft *raft;
    struct raft_entries applied;
    struct raft_messages disk; /* asynchronous: work of the append thread */
    bool is_disk_held;         /* … that is not done */
    uint64_t read_index;       /* of the last read state */
    size_t reads_count;
    char read_context[32];
};

struct net {
    struct net_member members[NET_MEMBERS_COUNT + 1]; /* by id, from 1 */
    size_t count;
    bool is_cut[NET_MEMBERS_COUNT + 1][NET_MEMBERS_COUNT + 1]; /* from, to */
    int dropped_type;                                          /* -1: none */
    struct raft_messages wire;
    size_t delivered_count;
};

typedef void net_options_fn(struct raft_config *config);

static inline void net_start(struct net_member *member)
{
    assert_ok(raft_new(&member->raft, &member->config, err));
}

/* Members 1 … count, of which the last @learners are learners; their logs are empty. */
static inline void net_begin_with(struct net *net, size_t count, size_t learners, net_options_fn *options)
{
    struct raft_snapshot first = {0};

    memset(net, 0, sizeof *net);
    net->count = count;
    net->dropped_type = -1;
    for (size_t id = 1; id <= count; id++)
        raft_ids_add(id <= count - learners ? &first.conf.voters : &first.conf.learners, id);
    for (size_t id = 1; id <= count; id++) {
        struct net_member *member = &net->members[id];
        raft_memory_storage_init(&member->storage);
        assert_ok(raft_memory_storage_apply_snapshot(&member->storage, &first, err));
        random_seeded_init(&member->seed, id);
        member->config = (struct raft_config){.id = id,
                                              .election_ticks = 10,
                                              .heartbeat_ticks = 1,
                                              .storage = raft_memory_storage_table(&member->storage),
                                              .random = random_from_seeded(&member->seed),
                                              .message_most_bytes = RAFT_UNLIMITED,
                                              .inflight_most_count = 256};
        if (options)
            options(&member->config);
        net_start(member);
    }
    raft_snapshot_deinit(&first);
}

static inline void net_begin(struct net *net, size_t count, net_options_fn *options)
{
    net_begin_with(net, count, 0, options);
}

static inline void net_end(struct net *net)
{
    for (size_t id = 1; id <= net->count; id++) {
        raft_free(net->members[id].raft);
        raft_memory_storage_deinit(&net->members[id].storage);
        raft_entries_deinit(&net->members[id].applied);
        raft_messages_deinit(&net->members[id].disk);
    }
    raft_messages_deinit(&net->wire);
}

static inline struct raft *net_raft(struct net *net, uint64_t id)
{
    return net->members[id].raft;
}

/* What is stable stays, all else is gone. */
static inline void net_restart(struct net *net, uint64_t id)
{
    struct net_member *member = &net->members[id];

    raft_free(member->raft);
    raft_messages_clear(&member->disk);
    member->config.applied = member->applied.count > 0 ? member->applied.items[member->applied.count - 1].index : 0;
    net_start(member);
}

static inline void net_cut(struct net *net, uint64_t a, uint64_t b)
{
    net->is_cut[a][b] = net->is_cut[b][a] = true;
}

static inline void net_isolate(struct net *net, uint64_t id)
{
    for (size_t other = 1; other <= net->count; other++)
        if (other != id)
            net_cut(net, id, other);
}

static inline void net_heal(struct net *net)
{
    memset(net->is_cut, 0, sizeof net->is_cut);
    net->dropped_type = -1;
}

static inline void net_write(struct net_member *member, const struct raft_hard_state *hard, const struct raft_entry *entries, size_t count,
                             const struct raft_snapshot *snapshot)
{
    if (hard->term != 0 || hard->vote != 0 || hard->commit != 0)
        raft_memory_storage_set_hard_state(&member->storage, hard);
    if (snapshot && snapshot->index != 0)
        assert_ok(raft_memory_storage_apply_snapshot(&member->storage, snapshot, err));
    assert_ok(raft_memory_storage_append(&member->storage, entries, count, err));
}

static inline void net_apply(struct net_member *member, const struct raft_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (member->applied.count > 0)
            assert_true(entries[i].index > member->applied.items[member->applied.count - 1].index);
        raft_entries_add(&member->applied, &entries[i]);
        if (entries[i].type == RAFT_ENTRY_NORMAL)
            continue;
        struct raft_conf_change change;
        assert_ok(raft_conf_change_decode(&entries[i], &change, err));
        assert_ok(raft_apply_conf_change(member->raft, &change, NULL, err));
        raft_conf_change_deinit(&change);
    }
}

static inline void net_note_reads(struct net_member *member, const struct raft_ready *ready)
{
    for (size_t i = 0; i < ready->read_states_count; i++) {
        const struct raft_payload *context = ready->read_states[i].context;
        member->reads_count++;
        member->read_index = ready->read_states[i].index;
        snprintf(member->read_context, sizeof member->read_context, "%.*s", context ? (int)context->size : 0,
                 context ? (const char *)context->data : "");
    }
}

/* Responses of the oldest append work, done now. */
static inline void net_write_one(struct net *net, struct net_member *member)
{
    struct raft_message work = member->disk.items[0];
    struct raft_hard_state hard = {work.term, work.vote, work.commit};

    member->disk.count--;
    memmove(member->disk.items, member->disk.items + 1, member->disk.count * sizeof work);
    net_write(member, &hard, work.entries, work.entries_count, work.snapshot);
    for (size_t i = 0; i < work.responses_count; i++)
        raft_messages_add(&net->wire, &work.responses[i]);
    raft_message_deinit(&work);
}

static inline void net_ready(struct net *net, uint64_t id)
{
    struct net_member *member = &net->members[id];
    struct raft_ready *ready;

    assert_ok(raft_ready(member->raft, &ready, err));
    net_note_reads(member, ready);
    if (!member->config.async_storage_writes) {
        net_write(member, &ready->hard_state, ready->entries.items, ready->entries.count, &ready->snapshot);
        net_apply(member, ready->committed.items, ready->committed.count);
    }
    for (size_t i = 0; i < ready->messages.count; i++) {
        struct raft_message *message = &ready->messages.items[i];
        if (message->to == RAFT_APPLY_THREAD) {
            net_apply(member, message->entries, message->entries_count);
            raft_messages_add(&net->wire, &message->responses[0]);
        } else {
            raft_messages_add(message->to == RAFT_APPEND_THREAD ? &member->disk : &net->wire, message);
        }
    }
    if (!member->config.async_storage_writes)
        assert_ok(raft_advance(member->raft, err));
}

static inline void net_deliver(struct net *net)
{
    struct raft_messages sent = net->wire;

    net->wire = (struct raft_messages){0};
    for (size_t i = 0; i < sent.count; i++) {
        struct raft_message *message = &sent.items[i];
        struct error ignored = {0};
        bool is_local = message->from > NET_MEMBERS_COUNT || message->from == message->to;
        if (message->to > net->count || (!is_local && net->is_cut[message->from][message->to]) ||
            (!is_local && (int)message->type == net->dropped_type))
            continue;
        net->delivered_count++;
        (void)raft_step(net->members[message->to].raft, message, &ignored); /* refusals are the core's right */
    }
    raft_messages_deinit(&sent);
}

/* Until nothing moves any more; disks that are held stay as they are. */
static inline void net_pump(struct net *net)
{
    for (int rounds = 0; rounds < 1000; rounds++) {
        bool is_idle = net->wire.count == 0;
        for (size_t id = 1; id <= net->count; id++) {
            struct net_member *member = &net->members[id];
            if (raft_has_ready(member->raft)) {
                net_ready(net, id);
                is_idle = false;
            }
            while (member->disk.count > 0 && !member->is_disk_held) {
                net_write_one(net, member);
                is_idle = false;
            }
        }
        net_deliver(net);
        if (is_idle)
            return;
    }
    fail_msg("the group does not come to rest");
}

static inline void net_tick(struct net *net, uint64_t id, unsigned ticks)
{
    while (ticks-- > 0)
        assert_ok(raft_tick(net_raft(net, id), err));
}

/* One tick for all, and what follows from it. */
static inline void net_tick_all(struct net *net, unsigned ticks)
{
    while (ticks-- > 0) {
        for (size_t id = 1; id <= net->count; id++)
            net_tick(net, id, 1);
        net_pump(net);
    }
}

static inline void net_campaign(struct net *net, uint64_t id)
{
    assert_ok(raft_campaign(net_raft(net, id), err));
    net_pump(net);
}

static inline enum raft_role net_role(struct net *net, uint64_t id)
{
    return raft_role(net_raft(net, id));
}

static inline void net_elect(struct net *net, uint64_t id)
{
    net_campaign(net, id);
    assert_int_equal(net_role(net, id), RAFT_LEADER);
}

static inline void net_propose(struct net *net, uint64_t id, const char *text)
{
    assert_ok(raft_propose(net_raft(net, id), bytes_of_string(text), err));
    net_pump(net);
}

static inline uint64_t net_commit(struct net *net, uint64_t id)
{
    return net_raft(net, id)->log.committed;
}

static inline uint64_t net_last(struct net *net, uint64_t id)
{
    return raft_log_view_last_index(&net_raft(net, id)->log);
}

static inline const struct raft_progress *net_progress(struct net *net, uint64_t leader, uint64_t id)
{
    return raft_tracker_find(&net_raft(net, leader)->tracker, id);
}

/* Whether an applied entry of @id carries @text. */
static inline bool net_has_applied(struct net *net, uint64_t id, const char *text)
{
    for (size_t i = 0; i < net->members[id].applied.count; i++)
        if (bytes_equal(raft_entry_bytes(&net->members[id].applied.items[i]), bytes_of_string(text)))
            return true;
    return false;
}

/* A message by hand; @err of the refusal, or 0. */
static inline int net_step(struct net *net, struct raft_message message, struct error *err)
{
    return raft_step(net_raft(net, message.to), &message, err);
}

static inline int net_change(struct net *net, uint64_t leader, enum raft_conf_change_type type, uint64_t id, struct error *err)
{
    struct raft_conf_change change = {0};

    raft_conf_change_add(&change, type, id);
    int result = raft_propose_conf_change(net_raft(net, leader), &change, err);
    raft_conf_change_deinit(&change);
    if (result == 0)
        net_pump(net);
    return result;
}

/* Compact the log of @id up to @index, with a snapshot there. */
static inline void net_compact(struct net *net, uint64_t id, uint64_t index)
{
    struct net_member *member = &net->members[id];
    struct raft_payload *data = raft_payload_new(bytes_of_string("state"));

    assert_ok(raft_memory_storage_create_snapshot(&member->storage, index, &member->raft->tracker.conf, data, err));
    assert_ok(raft_memory_storage_compact(&member->storage, index, err));
    raft_payload_release(data);
}

/* The first message of @type on the wire; NULL: none. */
static inline const struct raft_message *net_find(const struct net *net, enum raft_message_type type, uint64_t to)
{
    for (size_t i = 0; i < net->wire.count; i++)
        if (net->wire.items[i].type == type && net->wire.items[i].to == to)
            return &net->wire.items[i];
    return NULL;
}

#endif
