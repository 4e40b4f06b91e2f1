/* manager/replica/replica.c – see replica.h. */
#include "manager/replica/replica.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "base/turn.h"
#include "proto/message.h"
#include "proto/swarmkit/snapshot.pb-c.h"

#define ROOM "replica"

struct replica {
    struct raft_node *raft;
    struct store *store;
    struct replica_events events;
    struct clock clock;
    struct turn turn;                                                   /* the store's */
    struct proposal {                                                   /* the store proposes one entry at a time */
        void (*fn)(void *ctx, uint64_t index, const struct error *err); /* NULL: none is on its way */
        void *ctx;
        uint64_t begun_ns;
    } proposal;
    struct histogram commit_times;
    uint64_t term; /* that this manager leads, whether it may write yet or not; 0: none */
    bool is_leading, is_closing;
    void (*on_closed)(void *ctx, const struct error *err);
    void *closed_ctx;
    struct error closed;
};

/* --- the store's changes on their way into the log --- */

static void proposed(void *ctx, uint64_t index, const struct error *err)
{
    struct replica *replica = ctx;
    struct proposal proposal = replica->proposal;

    replica->proposal = (struct proposal){0};
    if (err == NULL)
        histogram_observe(&replica->commit_times, metrics_seconds(clock_monotonic_ns(&replica->clock) - proposal.begun_ns));
    proposal.fn(proposal.ctx, index, err);
}

static int propose(void *self, struct bytes entry, void (*fn)(void *ctx, uint64_t index, const struct error *err), void *ctx,
                   struct error *err)
{
    struct replica *replica = self;

    assert(replica->proposal.fn == NULL);
    int failed = raft_node_propose(replica->raft, entry, proposed, replica, err);
    if (failed == 0)
        replica->proposal = (struct proposal){fn, ctx, clock_monotonic_ns(&replica->clock)};
    return failed;
}

static uint64_t version(void *self)
{
    struct replica *replica = self;
    struct raft_node_status status;

    raft_node_status(replica->raft, &status);
    return status.commit;
}

static void wake(void *self)
{
    struct replica *replica = self;
    turn_want(&replica->turn);
}

static void on_turn(void *ctx)
{
    struct replica *replica = ctx;

    if (replica->is_leading)
        store_run(replica->store);
}

/* --- what is committed --- */

static void apply(void *self, const struct raft_entry *entries, size_t count)
{
    struct replica *replica = self;
    struct error err;

    for (size_t i = 0; i < count; i++)
        if (store_apply(replica->store, entries[i].index, raft_entry_bytes(&entries[i]), &err) < 0)
            log_error(ROOM, "%s: it is passed over, as at every manager", err.message);
}

/* --- images --- */

static void pack_members(const struct raft_book *book, struct buf *out)
{
    Docker__Swarmkit__V1__ClusterSnapshot snapshot = DOCKER__SWARMKIT__V1__CLUSTER_SNAPSHOT__INIT;
    Docker__Swarmkit__V1__RaftMember *members = mem_array(book->count + 1, sizeof *members);
    Docker__Swarmkit__V1__RaftMember **list = mem_array(book->count + 1, sizeof *list);

    for (size_t i = 0; i < book->count; i++) {
        docker__swarmkit__v1__raft_member__init(&members[i]);
        members[i].raft_id = book->members[i].id;
        members[i].node_id = (char *)(uintptr_t)book->members[i].node_id;
        members[i].addr = (char *)(uintptr_t)book->members[i].address;
        list[i] = &members[i];
    }
    snapshot.members = list;
    snapshot.n_members = book->count;
    snapshot.removed = book->removed;
    snapshot.n_removed = book->removed_count;
    message_pack(&snapshot.base, out);
    free(list);
    free(members);
}

static int image_open(void *self, void **image, struct error *err)
{
    struct replica *replica = self;
    cleanup_buf struct buf members = {0};

    (void)err;
    pack_members(raft_node_book(replica->raft), &members);
    *image = store_image_open(replica->store, buf_bytes(&members));
    return 0;
}

static int image_read(void *self, void *image, struct buf *out, struct error *err)
{
    (void)self;
    (void)err;
    store_image_read(image, RAFT_SNAPSHOT_CHUNK_BYTES, out);
    return 0;
}

static void image_close(void *self, void *image)
{
    (void)self;
    store_image_close(image);
}

static void restore_begin(void *self)
{
    store_restore_begin(((struct replica *)self)->store);
}

static int restore_add(void *self, struct bytes part, struct error *err)
{
    return store_restore_add(((struct replica *)self)->store, part, err);
}

static int put_members(struct replica *replica, struct bytes packed, struct error *err)
{
    Docker__Swarmkit__V1__ClusterSnapshot *members;
    int failed = MESSAGE_UNPACK(Docker__Swarmkit__V1__ClusterSnapshot, docker__swarmkit__v1__cluster_snapshot, packed,
                                STORE_OBJECT_SIZE_BYTES, &members, err);

    if (failed < 0)
        return error_wrap(err, "replica: image");
    for (size_t i = 0; i < members->n_removed; i++)
        raft_node_put_removed(replica->raft, members->removed[i]);
    for (size_t i = 0; i < members->n_members && failed == 0; i++) {
        const Docker__Swarmkit__V1__RaftMember *member = members->members[i];
        failed = raft_node_put_member(replica->raft, &(struct raft_member){member->raft_id, member->node_id, member->addr}, err);
    }
    message_free(&members->base);
    return failed < 0 ? error_wrap(err, "replica: image") : 0;
}

static int restore_end(void *self, uint64_t index, struct error *err)
{
    struct replica *replica = self;
    cleanup_buf struct buf members = {0};
    int failed = store_restore_end(replica->store, index, &members, err);

    return failed < 0 ? failed : put_members(replica, buf_bytes(&members), err);
}

/* --- leading --- */

static void say_who_leads(struct replica *replica, struct error *err)
{
    struct raft_node_status status;

    raft_node_status(replica->raft, &status);
    if (status.role == RAFT_LEADER)
        error_set(err, ERR_UNAVAILABLE, "this manager was elected and is still reading up: ask again in a moment");
    else if (status.leader_address)
        error_set(err, ERR_UNAVAILABLE, "raft: failed to process the request: node lost leader status: the leader is at %s",
                  status.leader_address);
    else
        error_set(err, ERR_UNAVAILABLE,
                  "The swarm does not have a leader. It's possible that too few managers are online. Make sure more "
                  "than half of the managers are online.");
}

static void caught_up(void *ctx, uint64_t index, const struct error *err);

/* A read that the others confirm comes when all that was committed is applied here, our own first entry with it. */
static void read_up(struct replica *replica)
{
    struct error err = {0};

    if (raft_node_read(replica->raft, caught_up, replica, &err) < 0)
        log_warn(ROOM, "elected, but: %s", err.message);
}

static void caught_up(void *ctx, uint64_t index, const struct error *err)
{
    struct replica *replica = ctx;
    struct raft_node_status status;

    (void)index;
    if (replica->is_closing || replica->term == 0 || replica->is_leading)
        return;
    raft_node_status(replica->raft, &status);
    if (status.role != RAFT_LEADER)
        return;
    if (err || status.term != replica->term) {
        replica->term = status.term;
        read_up(replica);
        return;
    }
    replica->is_leading = true;
    turn_want(&replica->turn);
    if (replica->events.on_leading)
        replica->events.on_leading(replica->events.ctx, true);
}

static void lead_no_more(struct replica *replica)
{
    struct error why;
    bool was_leading = replica->is_leading;

    replica->term = 0;
    replica->is_leading = false;
    if (replica->is_closing)
        error_set(&why, ERR_UNAVAILABLE, "this manager is shutting down");
    else
        say_who_leads(replica, &why);
    store_fail(replica->store, &why);
    if (was_leading && replica->events.on_leading)
        replica->events.on_leading(replica->events.ctx, false);
}

static void on_role(void *ctx, enum raft_role role, uint64_t term, uint64_t leader)
{
    struct replica *replica = ctx;

    (void)leader;
    if (role == RAFT_LEADER && replica->term == term)
        return;
    if (replica->term != 0)
        lead_no_more(replica);
    if (role != RAFT_LEADER)
        return;
    replica->term = term;
    if (CLUSTER_MUTANT(READ_EARLY))
        caught_up(replica, 0, NULL);
    else
        read_up(replica);
}

static void on_removed(void *ctx)
{
    struct replica *replica = ctx;
    if (replica->events.on_removed)
        replica->events.on_removed(replica->events.ctx);
}

static void on_failed(void *ctx, const struct error *err)
{
    struct replica *replica = ctx;

    lead_no_more(replica);
    if (replica->events.on_failed)
        replica->events.on_failed(replica->events.ctx, err);
}

/* --- life --- */

static void on_turn_closed(void *ctx)
{
    struct replica *replica = ctx;

    if (replica->on_closed)
        replica->on_closed(replica->closed_ctx, replica->closed.code != 0 ? &replica->closed : NULL);
    store_free(replica->store);
    free(replica);
}

int replica_open(const struct replica_options *options, struct replica **out, struct error *err)
{
    struct replica *replica = mem_alloc(sizeof *replica);
    struct raft_node_options raft = options->raft;

    replica->events = options->events;
    replica->clock = raft.clock;
    histogram_init(&replica->commit_times, histogram_latencies_s, HISTOGRAM_LATENCIES_COUNT);
    replica->store = store_new(&(struct store_options){.log = {.propose = propose, .version = version, .wake = wake, .self = replica},
                                                       .clock = raft.clock,
                                                       .random = raft.random,
                                                       .member = raft.self.id});
    turn_init(&replica->turn, raft.loop, on_turn, replica);
    raft.machine = (struct raft_machine){.apply = apply,
                                         .image_open = image_open,
                                         .image_read = image_read,
                                         .image_close = image_close,
                                         .restore_begin = restore_begin,
                                         .restore_add = restore_add,
                                         .restore_end = restore_end,
                                         .self = replica};
    raft.events = (struct raft_node_events){.on_role = on_role, .on_removed = on_removed, .on_failed = on_failed, .ctx = replica};
    int failed = raft_node_open(&raft, &replica->raft, err);
    if (failed < 0) {
        turn_close(&replica->turn, on_turn_closed);
        return failed;
    }
    *out = replica;
    return 0;
}

struct store *replica_store(struct replica *replica)
{
    return replica->store;
}

struct raft_node *replica_raft(struct replica *replica)
{
    return replica->raft;
}

bool replica_is_leading(const struct replica *replica)
{
    return replica->is_leading;
}

const struct histogram *replica_commit_times(const struct replica *replica)
{
    return &replica->commit_times;
}

int replica_update(struct replica *replica, store_write_fn *fn, store_done_fn *done, void *ctx, struct error *err)
{
    struct error who = {0};

    if (!replica->is_leading) {
        say_who_leads(replica, &who);
        return error_set(err, who.code, "%s", who.message);
    }
    store_update(replica->store, fn, done, ctx);
    return 0;
}

static void on_raft_closed(void *ctx, const struct error *err)
{
    struct replica *replica = ctx;

    if (err)
        replica->closed = *err;
    turn_close(&replica->turn, on_turn_closed);
}

void replica_close(struct replica *replica, void (*on_closed)(void *ctx, const struct error *err), void *ctx)
{
    replica->is_closing = true;
    replica->on_closed = on_closed;
    replica->closed_ctx = ctx;
    lead_no_more(replica);
    raft_node_close(replica->raft, on_raft_closed, replica);
}
