/* manager/control/bootstrap.c – a new cluster's first objects. A later leader finds them there, and adds what its own host lacks. */
#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "google/protobuf/duration.pb-c.h"
#include "manager/control/inside.h"
#include "proto/message.h"

struct bootstrap {
    struct control *control;
    store_done_fn *done;
    void *ctx;
    Docker__Swarmkit__V1__Cluster *cluster;
    Docker__Swarmkit__V1__Node *node;
    bool is_windows;
};

/* --- the cluster, as it begins --- */

#define EMPTY(lower, arena) message_in((arena), DESCRIPTOR(lower))

static struct Google__Protobuf__Duration *seconds(int64_t count, struct arena *arena)
{
    struct Google__Protobuf__Duration *duration = arena_alloc(arena, sizeof *duration);

    message_set_duration(duration, count * (int64_t)NS_PER_S);
    return duration;
}

static Docker__Swarmkit__V1__CAConfig *make_ca_config(const struct control_bootstrap_options *options, struct arena *arena)
{
    Docker__Swarmkit__V1__CAConfig *config = options->ca_config ? message_again(arena, &options->ca_config->base) : EMPTY(caconfig, arena);

    if (config->node_cert_expiry == NULL)
        config->node_cert_expiry = seconds(CLUSTER_CERTIFICATE_DEFAULT_S, arena);
    return config;
}

static Docker__Swarmkit__V1__ClusterSpec *make_spec(const struct control_bootstrap_options *options, struct arena *arena)
{
    Docker__Swarmkit__V1__ClusterSpec *spec = EMPTY(cluster_spec, arena);

    spec->annotations = EMPTY(annotations, arena);
    spec->annotations->name = arena_string(arena, CLUSTER_NAME);
    spec->acceptance_policy = EMPTY(acceptance_policy, arena);
    spec->orchestration = EMPTY(orchestration_config, arena);
    spec->orchestration->task_history_retention_limit = CLUSTER_TASK_HISTORY_DEFAULT_COUNT;
    spec->raft = EMPTY(raft_config, arena);
    spec->raft->snapshot_interval = RAFT_SNAPSHOT_INTERVAL_COUNT;
    spec->raft->log_entries_for_slow_followers = CLUSTER_RAFT_TAIL_DEFAULT_COUNT;
    spec->raft->heartbeat_tick = CLUSTER_RAFT_HEARTBEAT_DEFAULT_TICKS;
    spec->raft->election_tick = CLUSTER_RAFT_ELECTION_DEFAULT_TICKS;
    spec->dispatcher = EMPTY(dispatcher_config, arena);
    spec->dispatcher->heartbeat_period = seconds(HEARTBEAT_PERIOD_DEFAULT_MS / 1000, arena);
    spec->ca_config = make_ca_config(options, arena);
    spec->task_defaults = EMPTY(task_defaults, arena);
    spec->encryption_config = EMPTY(encryption_config, arena);
    spec->encryption_config->auto_lock_managers = options->locks_managers;
    return spec;
}

static void add_unlock_key(const struct control_bootstrap_options *options, Docker__Swarmkit__V1__Cluster *cluster, struct arena *arena)
{
    Docker__Swarmkit__V1__EncryptionKey *key = EMPTY(encryption_key, arena);

    key->subsystem = arena_string(arena, "swarm-manager");
    key->key = (ProtobufCBinaryData){options->unlock_key.size, (uint8_t *)(uintptr_t)options->unlock_key.data};
    cluster->unlock_keys = arena_copy(arena, &key, sizeof(Docker__Swarmkit__V1__EncryptionKey *));
    cluster->n_unlock_keys = 1;
}

static Docker__Swarmkit__V1__Cluster *make_cluster(const struct control_bootstrap_options *options)
{
    cleanup_arena struct arena arena = {0};
    Docker__Swarmkit__V1__Cluster *cluster = EMPTY(cluster, &arena);

    cluster->id = arena_string(&arena, options->cluster_id);
    cluster->meta = EMPTY(meta, &arena);
    cluster->spec = make_spec(options, &arena);
    cluster->root_ca = options->root_ca ? (Docker__Swarmkit__V1__RootCA *)(uintptr_t)options->root_ca : NULL;
    if (options->locks_managers)
        add_unlock_key(options, cluster, &arena);
    cluster->fips = options->is_fips;
    cluster->defaultaddresspool = arena_copy(&arena, options->address_pools, options->address_pool_count * sizeof(char *));
    cluster->n_defaultaddresspool = options->address_pool_count;
    cluster->subnetsize = options->subnet_size ? options->subnet_size : CLUSTER_SUBNET_DEFAULT_BITS;
    cluster->vxlanudpport = options->vxlan_port ? options->vxlan_port : CLUSTER_VXLAN_DEFAULT_PORT;
    return (Docker__Swarmkit__V1__Cluster *)(void *)message_copy(&cluster->base);
}

/* --- this node --- */

static Docker__Swarmkit__V1__Node *make_node(const struct control_bootstrap_options *options, uint32_t vxlan_port)
{
    cleanup_arena struct arena arena = {0};
    Docker__Swarmkit__V1__Node *node = EMPTY(node, &arena);

    node->id = arena_string(&arena, options->node_id);
    node->meta = EMPTY(meta, &arena);
    node->spec = EMPTY(node_spec, &arena);
    node->spec->annotations = EMPTY(annotations, &arena);
    node->spec->desired_role = DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER;
    node->spec->membership = DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__ACCEPTED;
    node->spec->availability = options->availability;
    node->status = EMPTY(node_status, &arena);
    node->certificate = EMPTY(certificate, &arena);
    node->certificate->cn = node->id;
    node->certificate->role = DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER;
    node->certificate->status = EMPTY(issuance_status, &arena);
    node->certificate->status->state = DOCKER__SWARMKIT__V1__ISSUANCE_STATUS__STATE__ISSUED;
    node->role = DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER; /* it is one: it leads, by a manager's certificate */
    node->vxlanudpport = vxlan_port;
    return (Docker__Swarmkit__V1__Node *)(void *)message_copy(&node->base);
}

/* --- the transaction --- */

static int put_cluster(struct bootstrap *bootstrap, struct store_tx *tx, struct error *err)
{
    struct store_cursor cursor;

    store_tx_find(tx, STORE_CLUSTER, STORE_BY_NAME, CLUSTER_NAME, &cursor);
    if (store_next(&cursor) || store_tx_cluster(tx, bootstrap->cluster->id))
        return 0;
    if (bootstrap->cluster->root_ca == NULL)
        return error_set(err, ERR_INVALID, "a new cluster needs a root CA");
    return store_tx_create(tx, &bootstrap->cluster->base, err);
}

/* Every node has a network of that name, driven by a driver of that name. */
static int put_network(struct bootstrap *bootstrap, struct store_tx *tx, const char *name, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    struct store_cursor cursor;
    char id[ID_SIZE_CHARS + 1];

    store_tx_find(tx, STORE_NETWORK, STORE_BY_NAME, name, &cursor);
    if (store_next(&cursor))
        return 0;
    id_make(&bootstrap->control->random, id);
    Docker__Swarmkit__V1__Network *network = EMPTY(network, &arena);
    Docker__Swarmkit__V1__Annotations__LabelsEntry *label = EMPTY(annotations__labels_entry, &arena);
    label->key = arena_string(&arena, NETWORK_PREDEFINED_LABEL);
    label->value = arena_string(&arena, "true");
    network->id = id;
    network->spec = EMPTY(network_spec, &arena);
    network->spec->annotations = EMPTY(annotations, &arena);
    network->spec->annotations->name = arena_string(&arena, name);
    network->spec->annotations->labels = &label;
    network->spec->annotations->n_labels = 1;
    network->spec->driver_config = EMPTY(driver, &arena);
    network->spec->driver_config->name = arena_string(&arena, name);
    return store_tx_create(tx, &network->base, err);
}

static int put_networks(struct bootstrap *bootstrap, struct store_tx *tx, struct error *err)
{
    if (bootstrap->is_windows)
        return put_network(bootstrap, tx, "nat", err);
    int failed = put_network(bootstrap, tx, "bridge", err);
    return failed < 0 ? failed : put_network(bootstrap, tx, "host", err);
}

static int on_turn(struct store_tx *tx, void *ctx, struct error *err)
{
    struct bootstrap *bootstrap = ctx;
    int failed = put_cluster(bootstrap, tx, err);

    if (failed == 0 && store_tx_node(tx, bootstrap->node->id) == NULL)
        failed = store_tx_create(tx, &bootstrap->node->base, err);
    return failed < 0 ? failed : put_networks(bootstrap, tx, err);
}

static void on_written(void *ctx, const struct error *err)
{
    struct bootstrap *bootstrap = ctx;
    store_done_fn *done = bootstrap->done;
    void *done_ctx = bootstrap->ctx;

    bootstrap->control->calls_count--;
    message_wipe_free(&bootstrap->cluster->base);
    message_free(&bootstrap->node->base);
    free(bootstrap);
    if (done)
        done(done_ctx, err);
}

void control_bootstrap(struct control *control, const struct control_bootstrap_options *options, store_done_fn *done, void *ctx)
{
    struct bootstrap *bootstrap = mem_alloc(sizeof *bootstrap);

    assert(options->cluster_id && options->node_id);
    bootstrap->control = control;
    bootstrap->done = done;
    bootstrap->ctx = ctx;
    bootstrap->is_windows = options->is_windows;
    bootstrap->cluster = make_cluster(options);
    bootstrap->node = make_node(options, bootstrap->cluster->vxlanudpport);
    control->calls_count++;
    store_update(control->store, on_turn, on_written, bootstrap);
}
