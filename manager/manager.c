/* manager/manager.c – the life of a manager: it founds a cluster, is let into one, or goes on as the member it was; then it takes part, and
 * leads when it is elected.
 *
 *     port open → (member.json: none) asked to join → member → ready
 *                 (member.json: one)  ………………………… member → ready
 *
 * The port is open before anyone is asked: whoever lets a manager in calls back first. */
#include "manager/manager.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "manager/ca/authority.h"
#include "manager/inside.h"
#include "proto/message.h"
#include "raft/alone.h"

enum { LOOK_MS = 250 };

static uint64_t now_ns(const struct manager *manager)
{
    return clock_monotonic_ns(&manager->options.clock);
}

static void fail(struct manager *manager, const struct error *err)
{
    if (!manager->is_closing && manager->options.events.on_failed)
        manager->options.events.on_failed(manager->options.events.ctx, err);
}

static void on_changes(void *ctx)
{
    struct manager *manager = ctx;
    const struct store_commit *commit;
    struct error err;
    int result;

    while ((result = store_watch_next(manager->watcher, &commit, &err)) != ERR_NOT_FOUND)
        if (result == 0)
            manager->options.events.on_commit(manager->options.events.ctx, commit);
}

static void ready(struct manager *manager)
{
    if (manager->is_ready || manager->is_closing)
        return;
    manager->is_ready = true;
    if (manager->options.events.on_commit)
        manager->watcher = store_watch(replica_store(manager->replica), on_changes, manager);
    if (manager->options.events.on_ready)
        manager->options.events.on_ready(manager->options.events.ctx);
}

/* --- leading --- */

static void forget_bootstrap(struct manager *manager)
{
    if (manager->root_ca)
        message_wipe_free(&manager->root_ca->base);
    if (manager->ca_config)
        message_free(&manager->ca_config->base);
    buf_deinit(&manager->unlock_key);
    manager->root_ca = NULL;
    manager->ca_config = NULL;
    manager->bootstrap = (struct control_bootstrap_options){0};
}

static bool steal_flag(bool *flag)
{
    bool was = *flag;
    *flag = false;
    return was;
}

/* Out of the group they are by the log; here the cluster is told that they are to be workers. */
static int demote_others(struct store_tx *tx, void *ctx, struct error *err)
{
    const struct manager *manager = ctx;
    const Docker__Swarmkit__V1__Node *old;
    struct store_cursor cursor;
    int failed = 0;

    store_tx_find(tx, STORE_NODE, STORE_BY_ROLE, "1", &cursor);
    while (failed == 0 && (old = (const void *)store_next(&cursor)) != NULL) {
        Docker__Swarmkit__V1__Node node = *old;
        if (old->spec == NULL || strcmp(old->id, manager->options.node_id) == 0)
            continue;
        Docker__Swarmkit__V1__NodeSpec spec = *old->spec;
        spec.desired_role = DOCKER__SWARMKIT__V1__NODE_ROLE__WORKER;
        node.spec = &spec;
        failed = store_tx_update(tx, &node.base, err);
    }
    return failed;
}

static void demoted(void *ctx, const struct error *err)
{
    (void)ctx;
    if (err)
        log_error(ROOM, "the other managers are not made workers: %s; do it with `docker node demote`", err->message);
}

static void bootstrapped(void *ctx, const struct error *err)
{
    struct manager *manager = ctx;

    if (err) {
        manager->is_bootstrap_due = manager->root_ca == NULL && replica_is_leading(manager->replica);
        if (manager->root_ca)
            fail(manager, err);
        else if (manager->is_bootstrap_due)
            log_warn(ROOM, "the cluster's first objects: %s; trying again", err->message);
        return;
    }
    forget_bootstrap(manager);
    if (!replica_is_leading(manager->replica))
        return;
    if (steal_flag(&manager->options.is_new_cluster))
        store_update(replica_store(manager->replica), demote_others, demoted, manager);
    leader_begin(manager->leader);
    ready(manager);
}

static void end_leading(struct manager *manager)
{
    struct error why;

    error_set(&why, ERR_UNAVAILABLE, "this manager does not lead any more");
    ca_authority_end(manager->authority, &why);
    ca_service_release(manager->ca_service);
    log_service_release(manager->log_service);
    leader_end(manager->leader);
    tally_end(&manager->tally);
}

static void begin_leading(struct manager *manager)
{
    struct control_bootstrap_options options = manager->bootstrap;

    manager->is_bootstrap_due = false;
    options.cluster_id = manager->options.cluster_id;
    options.node_id = manager->options.node_id;
    control_bootstrap(manager->control, &options, bootstrapped, manager);
}

static void on_leading(void *ctx, bool is_leading)
{
    struct manager *manager = ctx;

    if (!is_leading) {
        log_info(ROOM, "this manager does not lead any more");
        manager->is_bootstrap_due = false;
        end_leading(manager);
        return;
    }
    log_info(ROOM, "this manager leads");
    begin_leading(manager);
}

static void on_removed(void *ctx)
{
    struct error err;
    error_set(&err, ERR_PERMISSION, "this manager was removed from the managers of its swarm");
    fail(ctx, &err);
}

static void on_failed(void *ctx, const struct error *err)
{
    fail(ctx, err);
}

/* --- looking around --- */

/* FNV-1a over what dispatchers tell of the managers. */
static uint64_t digest(const struct dispatcher_manager *managers, size_t count)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < count; i++)
        for (int field = 0; field < 2; field++) {
            const char *text = field == 0 ? managers[i].node_id : managers[i].addr;
            for (size_t k = 0; k <= strlen(text); k++)
                hash = (hash ^ (uint8_t)text[k]) * UINT64_C(1099511628211);
        }
    return hash;
}

static void tell_dispatcher(struct manager *manager)
{
    struct dispatcher *dispatcher = parts_dispatcher(manager);
    struct dispatcher_manager managers[MANAGERS_COUNT];

    if (dispatcher == NULL)
        return;
    uint64_t seen = digest(managers, parts_managers(manager, managers, MANAGERS_COUNT));
    if (seen != manager->seen_managers)
        dispatcher_managers_changed(dispatcher);
    manager->seen_managers = seen;
}

static void stop_serving(struct manager *manager);

static void on_look(uv_timer_t *timer)
{
    struct manager *manager = timer->data;
    struct raft_node_status status;

    if (manager->is_closing) {
        if (!manager_is_leading(manager) || now_ns(manager) - manager->closing_ns > MANAGER_HAND_OVER_MS * NS_PER_MS)
            stop_serving(manager);
        return;
    }
    if (manager->replica == NULL)
        return;
    if (manager->is_bootstrap_due)
        begin_leading(manager);
    tell_dispatcher(manager);
    raft_node_status(replica_raft(manager->replica), &status);
    gate_look(manager, &status);
    serve_look(manager);
    locking_look(manager, &status);
    if (status.leader != RAFT_NOBODY && status.leader != status.id)
        ready(manager);
}

/* --- becoming a member --- */

static int open_replica(struct manager *manager, const struct raft_member *members, size_t count, bool is_bootstrap, struct error *err)
{
    const struct manager_options *options = &manager->options;
    cleanup_free char *dir = mem_format("%s/raft", options->dir);
    struct replica_options replica = {
        .raft = {.loop = options->loop,
                 .clock = options->clock,
                 .random = options->random,
                 .log = {.dir = dir, .keys = &manager->member.keys},
                 .credentials = options->credentials,
                 .cluster_id = options->cluster_id,
                 .self = {manager->member.raft_id, options->node_id, manager->member.address},
                 .members = members,
                 .members_count = count,
                 .is_bootstrap = is_bootstrap},
        .events = {.on_leading = on_leading, .on_removed = on_removed, .on_failed = on_failed, .ctx = manager},
    };

    if (replica_open(&replica, &manager->replica, err) < 0)
        return err->code;
    raft_node_serve(replica_raft(manager->replica), manager->server, &(struct raft_node_door){.may_call = gate_may_call, .ctx = manager});
    parts_open(manager);
    manager->is_serving = true;
    return 0;
}

static int become_member(struct manager *manager, const struct raft_member *members, size_t count, bool is_bootstrap, struct error *err)
{
    if (!manager->member.is_joined) {
        cleanup_free char *stale = mem_format("%s/raft", manager->options.dir);
        if (file_remove_tree(stale, err) < 0 || locking_write(manager, err) < 0)
            return err->code;
    }
    if (open_replica(manager, members, count, is_bootstrap, err) < 0)
        return err->code;
    if (manager->member.is_joined)
        return 0;
    manager->member.is_joined = true;
    return locking_write(manager, err);
}

/* One who did not know its own address has heard it from who let it in. */
static void set_address(struct manager *manager, const char *address)
{
    char *fresh = mem_string(address);

    free(manager->member.address);
    manager->member.address = fresh;
}

static void on_admitted(void *ctx, uint64_t raft_id, const struct raft_member *members, size_t count, const struct error *refused)
{
    struct manager *manager = ctx;
    struct error err = {0};

    manager->asking = NULL;
    if (refused) {
        fail(manager, refused);
        return;
    }
    log_info(ROOM, "let in as member %" PRIx64 " of %zu managers", raft_id, count);
    manager->member.raft_id = raft_id;
    for (size_t i = 0; i < count; i++)
        if (members[i].id == raft_id)
            set_address(manager, members[i].address);
    if (become_member(manager, members, count, false, &err) < 0)
        fail(manager, &err);
}

static int ask_to_join(struct manager *manager, struct error *err)
{
    const struct membership_join_options options = {.loop = manager->options.loop,
                                                    .clock = manager->options.clock,
                                                    .random = manager->options.random,
                                                    .credentials = manager->options.credentials,
                                                    .manager = manager->join,
                                                    .address = manager->options.advertise_address};

    manager->is_serving = true; /* as far as who lets us in asks */
    log_info(ROOM, "asking the managers at %s to be let in", manager->join);
    return membership_ask_to_join(&options, on_admitted, manager, &manager->asking, err);
}

static int found(struct manager *manager, struct error *err)
{
    manager->member.raft_id = (random_u64(&manager->options.random) >> 2) + 1; /* far below the ids that raft/core keeps for itself */
    set_address(manager, manager->options.advertise_address);
    const struct raft_member first = {manager->member.raft_id, manager->options.node_id, manager->member.address};
    return become_member(manager, &first, 1, true, err);
}

/* Before the log is opened as a member's. */
static int make_alone(struct manager *manager, struct error *err)
{
    cleanup_free char *dir = mem_format("%s/raft", manager->options.dir);
    const struct raft_log_options log = {.dir = dir, .keys = &manager->member.keys};
    size_t removed;

    if (!manager->member.is_joined)
        return error_set(err, ERR_PRECONDITION, "this node was never one of a swarm's managers: there is nothing to make a new cluster of");
    if (raft_log_make_alone(&log, manager->member.raft_id, &removed, err) < 0)
        return err->code;
    log_warn(ROOM, "a new cluster out of the old one: this manager is its only one; %zu others are out, and must not come back as managers",
             removed);
    return 0;
}

static int go_on(struct manager *manager, struct error *err)
{
    if (manager->options.is_new_cluster && make_alone(manager, err) < 0)
        return err->code;
    if (manager->member.is_joined)
        return become_member(manager, NULL, 0, false, err);
    if (manager->member.keys.count == 0 && member_make_key(&manager->member, &manager->options.random, err) < 0)
        return err->code;
    if (manager->root_ca)
        return found(manager, err);
    if (manager->join)
        return ask_to_join(manager, err);
    return error_set(err, ERR_PRECONDITION, "%s: this host was never let in among the managers, and knows none to ask",
                     manager->options.dir);
}

/* --- life --- */

static void copy_pools(struct manager *manager, const struct control_bootstrap_options *options)
{
    const char **pools = arena_alloc(&manager->arena, (options->address_pool_count + 1) * sizeof *pools);

    for (size_t i = 0; i < options->address_pool_count; i++)
        pools[i] = arena_string(&manager->arena, options->address_pools[i]);
    manager->bootstrap.address_pools = pools;
}

static void copy_options(struct manager *manager, const struct manager_options *options)
{
    struct manager_options *own = &manager->options;

    *own = *options;
    own->dir = mem_string(options->dir);
    own->node_id = mem_string(options->node_id);
    own->cluster_id = mem_string(options->cluster_id);
    own->listen_address = mem_string(options->listen_address);
    own->advertise_address = mem_string(options->advertise_address);
    own->bootstrap = NULL;
    own->join = NULL;
    own->lock = NULL;
    manager->join = options->join ? mem_string(options->join) : NULL;
    if (options->bootstrap == NULL)
        return;
    assert(options->bootstrap->root_ca);
    manager->bootstrap = *options->bootstrap;
    manager->unlock_key.is_secret = true;
    buf_append(&manager->unlock_key, options->bootstrap->unlock_key.data, options->bootstrap->unlock_key.size);
    manager->bootstrap.unlock_key = buf_bytes(&manager->unlock_key);
    copy_pools(manager, options->bootstrap);
    manager->root_ca = MESSAGE_COPY(options->bootstrap->root_ca);
    manager->bootstrap.root_ca = manager->root_ca;
    if (options->bootstrap->ca_config)
        manager->ca_config = MESSAGE_COPY(options->bootstrap->ca_config);
    manager->bootstrap.ca_config = manager->ca_config;
}

static void free_memory(struct manager *manager)
{
    struct manager_options *own = &manager->options;

    forget_bootstrap(manager);
    arena_deinit(&manager->arena);
    member_deinit(&manager->member);
    locking_deinit(manager);
    free((char *)(uintptr_t)own->dir);
    free((char *)(uintptr_t)own->node_id);
    free((char *)(uintptr_t)own->cluster_id);
    free((char *)(uintptr_t)own->listen_address);
    free((char *)(uintptr_t)own->advertise_address);
    free(manager->join);
    free(manager);
}

/* The port first: a manager that nobody can call is none. */
static int open_port(struct manager *manager, struct error *err)
{
    const struct manager_options *options = &manager->options;

    manager->server =
        grpc_server_new(&(struct grpc_server_options){.loop = options->loop, .clock = options->clock, .credentials = options->credentials});
    serve_before(manager, manager->server);
    return grpc_server_listen(manager->server, options->listen_address, err);
}

int manager_open(const struct manager_options *options, struct manager **out, struct error *err)
{
    struct manager *manager = mem_alloc(sizeof *manager);

    copy_options(manager, options);
    uv_timer_init(options->loop, &manager->timer);
    manager->timer.data = manager;
    uv_timer_start(&manager->timer, on_look, LOOK_MS, LOOK_MS);
    if (locking_read(manager, options->lock, err) == 0 && open_port(manager, err) == 0 && go_on(manager, err) == 0) {
        *out = manager;
        return 0;
    }
    manager->is_closing = true;
    stop_serving(manager);
    return error_wrap(err, "manager");
}

/* --- closing: hand over, stop serving, leave the store, close the rest --- */

static void on_timer_closed(uv_handle_t *handle)
{
    struct manager *manager = handle->data;

    if (manager->on_closed)
        manager->on_closed(manager->closed_ctx);
    free_memory(manager);
}

static void on_leader_closed(void *ctx)
{
    struct manager *manager = ctx;
    uv_close((uv_handle_t *)&manager->timer, on_timer_closed);
}

static void on_replica_closed(void *ctx, const struct error *err)
{
    struct manager *manager = ctx;

    if (err)
        log_error(ROOM, "closing: %s", err->message);
    leader_close(manager->leader, on_leader_closed, manager);
}

static void on_server_stopped(void *ctx)
{
    struct manager *manager = ctx;

    dispatcher_service_free(manager->dispatcher_service);
    ca_service_free(manager->ca_service);
    log_service_free(manager->log_service);
    manager->ca_service = NULL; /* leading ends behind them */
    manager->log_service = NULL;
    if (manager->replica == NULL) {
        on_leader_closed(manager);
        return;
    }
    membership_free(manager->membership);
    store_unwatch(manager->watcher);
    manager->watcher = NULL;
    replica_close(manager->replica, on_replica_closed, manager); /* ends the leader's parts, and tells every writer */
    parts_close(manager);
}

static void stop_serving(struct manager *manager)
{
    if (manager->is_stopping)
        return;
    manager->is_stopping = true;
    uv_timer_stop(&manager->timer);
    membership_ask_cancel(manager->asking);
    manager->asking = NULL;
    gate_close(manager);
    serve_end(manager);
    if (manager->server)
        grpc_server_stop(manager->server, 0, on_server_stopped, manager);
    else
        on_leader_closed(manager);
}

/* To whoever answers best. False: there is nobody to hand over to. */
static bool hand_over(struct manager *manager)
{
    struct raft_node_status status;

    if (!manager_is_leading(manager))
        return false;
    raft_node_status(replica_raft(manager->replica), &status);
    const struct raft_node_peer *best = NULL;
    for (size_t i = 0; i < status.peers_count; i++)
        if (!status.peers[i].is_learner && status.peers[i].link.active_since_ns != 0 && (!best || status.peers[i].match > best->match))
            best = &status.peers[i];
    return best && raft_node_transfer(replica_raft(manager->replica), best->id, NULL) == 0;
}

void manager_close(struct manager *manager, void (*on_closed)(void *ctx), void *ctx)
{
    assert(!manager->is_closing);
    manager->is_closing = true;
    manager->on_closed = on_closed;
    manager->closed_ctx = ctx;
    manager->closing_ns = now_ns(manager);
    if (!hand_over(manager))
        stop_serving(manager); /* else when another leads, or has not begun to in time: on_look() */
}

/* --- looking in --- */

bool manager_is_leading(const struct manager *manager)
{
    return manager->replica && replica_is_leading(manager->replica);
}

struct store *manager_store(struct manager *manager)
{
    return manager->replica ? replica_store(manager->replica) : NULL;
}

struct replica *manager_replica(struct manager *manager)
{
    return manager->replica;
}

const char *manager_address(const struct manager *manager)
{
    return manager->member.address ? manager->member.address : "";
}
