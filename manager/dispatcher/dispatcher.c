/* manager/dispatcher/dispatcher.c – the dispatcher's life, and its step: what the store has that is new, what is due, what goes out. */
#include "manager/dispatcher/dispatcher.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "manager/dispatcher/inside.h"
#include "proto/message.h"

#define ROOM "dispatcher"

typedef Docker__Swarmkit__V1__Cluster Cluster;

void dispatcher_wake(struct dispatcher *dispatcher)
{
    if (dispatcher->is_woken)
        return;
    dispatcher->is_woken = true;
    part_wake(&dispatcher->host);
}

int dispatcher_check_running(const struct dispatcher *dispatcher, struct error *err)
{
    return dispatcher->is_stopped ? error_set(err, ERR_ABORTED, "dispatcher is stopped") : 0;
}

void dispatcher_managers_changed(struct dispatcher *dispatcher)
{
    dispatcher_sessions_all_stale(dispatcher);
}

/* --- the cluster --- */

static uint64_t configured_period_ns(const Cluster *cluster)
{
    const Docker__Swarmkit__V1__ClusterSpec *spec = cluster ? cluster->spec : NULL;
    int64_t period_ns = spec && spec->dispatcher ? message_duration_ns(spec->dispatcher->heartbeat_period, 0) : 0;

    if (period_ns <= 0)
        return HEARTBEAT_PERIOD_DEFAULT_MS * NS_PER_MS;
    if ((uint64_t)period_ns < HEARTBEAT_PERIOD_MIN_MS * NS_PER_MS)
        return HEARTBEAT_PERIOD_MIN_MS * NS_PER_MS;
    if ((uint64_t)period_ns > HEARTBEAT_PERIOD_MAX_MS * NS_PER_MS)
        return HEARTBEAT_PERIOD_MAX_MS * NS_PER_MS;
    return (uint64_t)period_ns;
}

static const Cluster *cluster_of(const struct dispatcher *dispatcher)
{
    return dispatcher->cluster ? (const Cluster *)(const void *)dispatcher->cluster->message : NULL;
}

static bool has_same_keys(const Cluster *a, const Cluster *b)
{
    if (a->n_network_bootstrap_keys != b->n_network_bootstrap_keys)
        return false;
    for (size_t i = 0; i < a->n_network_bootstrap_keys; i++)
        if (!message_equal(&a->network_bootstrap_keys[i]->base, &b->network_bootstrap_keys[i]->base))
            return false;
    return true;
}

static struct bytes root_of(const Cluster *cluster)
{
    return cluster->root_ca ? bytes_of(cluster->root_ca->ca_cert.data, cluster->root_ca->ca_cert.len) : bytes_of(NULL, 0);
}

/* True: sessions have to hear of it. */
static bool set_cluster(struct dispatcher *dispatcher, struct store_object *object)
{
    struct store_object *old = dispatcher->cluster;
    bool is_new = old == NULL || object == NULL;

    dispatcher->cluster = store_object_hold(object);
    dispatcher->period_ns = configured_period_ns(cluster_of(dispatcher));
    if (!is_new) {
        const Cluster *before = (const Cluster *)(const void *)old->message, *now = cluster_of(dispatcher);
        is_new = !has_same_keys(before, now) || !bytes_equal(root_of(before), root_of(now));
    }
    store_object_release(old);
    return is_new;
}

static struct store_object *find_cluster(const struct dispatcher *dispatcher)
{
    struct store_cursor cursor;
    const ProtobufCMessage *message;

    store_find(dispatcher->host.store, STORE_CLUSTER, STORE_ALL, "", &cursor);
    message = store_next(&cursor);
    return message ? store_get_object(dispatcher->host.store, STORE_CLUSTER, store_message_id(STORE_CLUSTER, message)) : NULL;
}

/* --- what the store has that is new --- */

static void take_change(struct dispatcher *dispatcher, const struct store_change *change)
{
    if (change->kind == STORE_TASK)
        dispatcher_assignments_task(dispatcher, change);
    else if (change->kind == STORE_NODE)
        dispatcher_node_changed(dispatcher, change);
    else if (change->kind == STORE_CLUSTER && set_cluster(dispatcher, change->action == STORE_REMOVE ? NULL : change->object))
        dispatcher_sessions_all_stale(dispatcher);
}

static void look_at_everything(struct dispatcher *dispatcher)
{
    set_cluster(dispatcher, find_cluster(dispatcher));
    dispatcher_nodes_check(dispatcher);
    dispatcher_sessions_all_stale(dispatcher);
    dispatcher_assignments_all_anew(dispatcher);
}

static void follow_store(struct dispatcher *dispatcher)
{
    const struct store_commit *commit;
    struct error err;

    for (;;) {
        int failed = store_watch_next(dispatcher->watcher, &commit, &err);
        if (failed == ERR_NOT_FOUND)
            return;
        if (failed < 0) {
            log_warn(ROOM, "%s", err.message);
            look_at_everything(dispatcher);
            continue;
        }
        for (size_t i = 0; i < commit->count; i++)
            take_change(dispatcher, &commit->changes[i]);
    }
}

static void on_store(void *ctx)
{
    dispatcher_wake(ctx);
}

/* --- the part --- */

static void flush(struct dispatcher *dispatcher, size_t most, uint64_t now_ns)
{
    dispatcher_sessions_flush(dispatcher, most, now_ns); /* first: what ends both is told in the session's words */
    dispatcher_assignments_flush(dispatcher, most, now_ns);
}

static void step(void *self, uint64_t now_ns)
{
    struct dispatcher *dispatcher = self;

    dispatcher->is_woken = true; /* what is made due now is done now */
    dispatcher->now_ns = now_ns;
    follow_store(dispatcher);
    dispatcher_timers_run(&dispatcher->timers, now_ns);
    flush(dispatcher, DISPATCHER_STEP_STREAMS_COUNT, now_ns);
    dispatcher_writes_pump(&dispatcher->node_writes);
    dispatcher_writes_pump(&dispatcher->status_writes);
    dispatcher->is_woken = false;
    if (dispatcher->due_sessions || dispatcher->due_streams)
        dispatcher_wake(dispatcher);
}

static uint64_t deadline_ns(const void *self)
{
    const struct dispatcher *dispatcher = self;
    return dispatcher_timers_next_ns(&dispatcher->timers);
}

static void free_dispatcher(void *self)
{
    struct dispatcher *dispatcher = self;
    struct dispatcher_node *node, *next;

    dispatcher->is_woken = true; /* nobody is to be woken any more */
    dispatcher_stop(dispatcher, dispatcher->now_ns);
    dispatcher_writes_deinit(&dispatcher->node_writes);
    dispatcher_writes_deinit(&dispatcher->status_writes);
    HASH_ITER (hh, dispatcher->nodes, node, next)
        dispatcher_node_free(node);
    store_unwatch(dispatcher->watcher);
    store_object_release(dispatcher->cluster);
    dispatcher_timers_deinit(&dispatcher->timers);
    free(dispatcher->node_id);
    free(dispatcher);
}

void dispatcher_stop(struct dispatcher *dispatcher, uint64_t now_ns)
{
    if (dispatcher->is_stopped)
        return;
    bool was_woken = dispatcher->is_woken;
    dispatcher->now_ns = now_ns;
    dispatcher->is_woken = true;
    dispatcher_nodes_stop(dispatcher, now_ns);
    dispatcher->is_stopped = true;
    flush(dispatcher, SIZE_MAX, now_ns);
    dispatcher->is_woken = was_woken;
    if (!was_woken)
        dispatcher_wake(dispatcher); /* what is to be written */
}

struct part dispatcher_part(struct dispatcher *dispatcher)
{
    return (struct part){.name = "dispatcher", .step = step, .deadline_ns = deadline_ns, .free = free_dispatcher, .self = dispatcher};
}

struct dispatcher *dispatcher_new(const struct dispatcher_options *options, uint64_t now_ns)
{
    struct dispatcher *dispatcher = mem_alloc(sizeof *dispatcher);

    dispatcher->host = options->host;
    dispatcher->options = *options;
    if (dispatcher->options.heartbeats_per_s == 0)
        dispatcher->options.heartbeats_per_s = DISPATCHER_HEARTBEATS_PER_S_COUNT;
    dispatcher->node_id = mem_string(options->node_id);
    dispatcher->now_ns = now_ns;
    dispatcher_writes_init(&dispatcher->node_writes, dispatcher, &dispatcher_node_writes);
    dispatcher_writes_init(&dispatcher->status_writes, dispatcher, &dispatcher_status_writes);
    dispatcher->watcher = store_watch(options->host.store, on_store, dispatcher);
    set_cluster(dispatcher, find_cluster(dispatcher));
    dispatcher_nodes_begin(dispatcher, now_ns);
    return dispatcher;
}

void dispatcher_stats(const struct dispatcher *dispatcher, struct dispatcher_stats *out)
{
    *out = dispatcher->stats;
    out->period_ns = dispatcher_period_ns(dispatcher);
}
