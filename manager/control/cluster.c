/* manager/control/cluster.c – the cluster itself: looked at without its secrets, and changed. */
#include <ctype.h>

#include "base/clock.h"
#include "base/mem.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "manager/control/inside.h"
#include "proto/message.h"

/* A removed node's certificate is kept in mind for as long as some clock may still take it for good. One without an expiry always is. */
void cluster_expire_blacklist(Docker__Swarmkit__V1__Cluster *cluster, int64_t wall_ns)
{
    const int64_t grace_ns = CLUSTER_BLACKLIST_GRACE_S * (int64_t)NS_PER_S;
    size_t kept = 0;

    for (size_t i = 0; i < cluster->n_blacklisted_certificates; i++) {
        Docker__Swarmkit__V1__Cluster__BlacklistedCertificatesEntry *entry = cluster->blacklisted_certificates[i];
        int64_t expiry_ns = message_timestamp_ns(entry->value ? entry->value->expiry : NULL, INT64_MAX);
        if (expiry_ns >= wall_ns - grace_ns)
            cluster->blacklisted_certificates[kept++] = entry;
    }
    cluster->n_blacklisted_certificates = kept;
}

/* --- what may be seen --- */

static Docker__Swarmkit__V1__ClusterSpec *shown_spec(const Docker__Swarmkit__V1__ClusterSpec *given, struct arena *arena)
{
    Docker__Swarmkit__V1__ClusterSpec *spec = message_again(arena, &given->base);

    if (spec->ca_config) { /* a certificate without its key would say something else, were it sent back in an update */
        spec->ca_config = message_again(arena, &spec->ca_config->base);
        spec->ca_config->signing_ca_key = (ProtobufCBinaryData){0};
        spec->ca_config->signing_ca_cert = (ProtobufCBinaryData){0};
    }
    return spec;
}

static Docker__Swarmkit__V1__RootCA *shown_root_ca(const Docker__Swarmkit__V1__RootCA *given, struct arena *arena)
{
    Docker__Swarmkit__V1__RootCA *root_ca = message_again(arena, &given->base);

    root_ca->ca_key = (ProtobufCBinaryData){0};
    if (root_ca->root_rotation) {
        root_ca->root_rotation = message_again(arena, &root_ca->root_rotation->base);
        root_ca->root_rotation->ca_key = (ProtobufCBinaryData){0};
    }
    return root_ca;
}

/* Made of what is known to be no secret, field by field: what a later version adds is not shown by accident. */
static Docker__Swarmkit__V1__Cluster *without_secrets(const Docker__Swarmkit__V1__Cluster *cluster, struct arena *arena)
{
    if (cluster == NULL)
        return NULL;
    Docker__Swarmkit__V1__Cluster *shown = message_in(arena, DESCRIPTOR(cluster));
    shown->id = cluster->id;
    shown->meta = cluster->meta;
    shown->spec = cluster->spec ? shown_spec(cluster->spec, arena) : NULL;
    shown->root_ca = cluster->root_ca ? shown_root_ca(cluster->root_ca, arena) : NULL;
    shown->blacklisted_certificates = cluster->blacklisted_certificates;
    shown->n_blacklisted_certificates = cluster->n_blacklisted_certificates;
    shown->defaultaddresspool = cluster->defaultaddresspool;
    shown->n_defaultaddresspool = cluster->n_defaultaddresspool;
    shown->subnetsize = cluster->subnetsize;
    shown->vxlanudpport = cluster->vxlanudpport ? cluster->vxlanudpport : CLUSTER_VXLAN_DEFAULT_PORT;
    if (shown->n_defaultaddresspool == 0) { /* for people: this is what networks are cut from where nobody said otherwise */
        char *pool = arena_string(arena, CLUSTER_POOL_DEFAULT);
        shown->defaultaddresspool = arena_copy(arena, &pool, sizeof(char *));
        shown->n_defaultaddresspool = 1;
        shown->subnetsize = CLUSTER_SUBNET_DEFAULT_BITS;
    }
    return shown;
}

static const ProtobufCMessage *read_get_cluster(const struct control *control, const Docker__Swarmkit__V1__GetClusterRequest *request,
                                                struct arena *arena, struct error *err)
{
    Docker__Swarmkit__V1__GetClusterResponse *response = message_in(arena, DESCRIPTOR(get_cluster_response));

    if (form_check_id(request->cluster_id, err) < 0)
        return NULL;
    response->cluster = without_secrets(store_cluster(control->store, request->cluster_id), arena);
    if (response->cluster)
        return &response->base;
    error_set(err, ERR_NOT_FOUND, "cluster %s not found", request->cluster_id);
    return NULL;
}

CONTROL_READ(get_cluster, GetCluster)

static const ProtobufCMessage *read_list_clusters(const struct control *control, const Docker__Swarmkit__V1__ListClustersRequest *request,
                                                  struct arena *arena, struct error *err)
{
    Docker__Swarmkit__V1__ListClustersResponse *response = message_in(arena, DESCRIPTOR(list_clusters_response));
    const Docker__Swarmkit__V1__Cluster *cluster;
    struct filter filter = {0};
    struct store_cursor cursor;

    (void)err;
    FILTER_READ(request->filters, arena, &filter);
    response->clusters = filter_room(control, STORE_CLUSTER, arena);
    store_find(control->store, STORE_CLUSTER, STORE_ALL, NULL, &cursor);
    while ((cluster = (const void *)store_next(&cursor)) != NULL)
        if (filter_passes(&filter, store_message_name(STORE_CLUSTER, &cluster->base), cluster->id,
                          store_message_annotations(STORE_CLUSTER, &cluster->base)))
            response->clusters[response->n_clusters++] = without_secrets(cluster, arena);
    return &response->base;
}

CONTROL_READ(list_clusters, ListClusters)

/* --- what may be asked for --- */

static int check_expiry(const Docker__Swarmkit__V1__CAConfig *config, struct error *err)
{
    int64_t ns;

    if (config == NULL || config->node_cert_expiry == NULL)
        return 0;
    int failed = form_read_duration(config->node_cert_expiry, "certificate expiry time", &ns, err);
    if (failed == 0 && ns < CLUSTER_CERTIFICATE_MIN_S * (int64_t)NS_PER_S)
        failed = error_set(err, ERR_INVALID, "minimum certificate expiry time is: 1h0m0s");
    return failed;
}

static bool is_bcrypt(const char *algorithm)
{
    const char *wanted = "bcrypt";

    while (*wanted && tolower((unsigned char)*algorithm) == *wanted) {
        algorithm++;
        wanted++;
    }
    return *wanted == *algorithm;
}

static int check_policies(const Docker__Swarmkit__V1__AcceptancePolicy *policy, struct error *err)
{
    for (size_t i = 0; policy && i < policy->n_policies; i++)
        if (policy->policies[i]->secret && !is_bcrypt(policy->policies[i]->secret->alg))
            return error_set(err, ERR_INVALID, "hashing algorithm is not supported: %s", policy->policies[i]->secret->alg);
    return 0;
}

static int check_heartbeat(const Docker__Swarmkit__V1__DispatcherConfig *dispatcher, struct error *err)
{
    int64_t ns;
    int failed = form_read_duration(dispatcher ? dispatcher->heartbeat_period : NULL, "heartbeat time period", &ns, err);

    if (failed == 0 && ns < 0)
        failed = error_set(err, ERR_INVALID, "heartbeat time period cannot be a negative duration");
    return failed;
}

static int check_spec(const Docker__Swarmkit__V1__ClusterSpec *spec, struct error *err)
{
    if (spec == NULL)
        return form_refuse(err);
    int failed = check_expiry(spec->ca_config, err);
    if (failed == 0)
        failed = check_policies(spec->acceptance_policy, err);
    if (failed == 0)
        failed = check_heartbeat(spec->dispatcher, err);
    if (failed == 0 && strcmp(spec->annotations ? spec->annotations->name : "", CLUSTER_NAME) != 0)
        failed = error_set(err, ERR_INVALID, "modification of cluster name is not allowed");
    return failed;
}

/* --- update --- */

/* What SwarmKit always sends, also where a client left it out. @spec is unpacked. */
#define COMPLETE(place, lower)                                                                                                             \
    do {                                                                                                                                   \
        if ((place) == NULL) {                                                                                                             \
            (place) = mem_alloc(sizeof *(place));                                                                                          \
            docker__swarmkit__v1__##lower##__init(place);                                                                                  \
        }                                                                                                                                  \
    } while (0)

static void complete(Docker__Swarmkit__V1__ClusterSpec *spec)
{
    COMPLETE(spec->acceptance_policy, acceptance_policy);
    COMPLETE(spec->orchestration, orchestration_config);
    COMPLETE(spec->raft, raft_config);
    COMPLETE(spec->dispatcher, dispatcher_config);
    COMPLETE(spec->ca_config, caconfig);
    COMPLETE(spec->task_defaults, task_defaults);
    COMPLETE(spec->encryption_config, encryption_config);
}

/* The authority has said what root_ca shall be, for the cluster as it was at the version that the client knows: no other is changed. */
static int write_update_cluster(struct call *call, struct store_tx *tx, struct error *err)
{
    const Docker__Swarmkit__V1__UpdateClusterRequest *request = CALL_REQUEST(call, UpdateCluster);
    const Docker__Swarmkit__V1__Cluster *old = store_tx_cluster(tx, call->id);
    const struct control_authority *authority = &call->control->authority;

    if (old == NULL)
        return error_set(err, ERR_NOT_FOUND, "cluster %s not found", call->id);
    Docker__Swarmkit__V1__Cluster changed = *old;
    Docker__Swarmkit__V1__Meta meta = DOCKER__SWARMKIT__V1__META__INIT;
    cleanup_arena struct arena arena = {0};
    meta.version = request->cluster_version;
    changed.meta = &meta;
    changed.spec = request->spec;
    changed.root_ca = call->root_ca;
    changed.blacklisted_certificates =
        arena_copy(&arena, old->blacklisted_certificates, old->n_blacklisted_certificates * sizeof *old->blacklisted_certificates);
    cluster_expire_blacklist(&changed, store_tx_wall_ns(tx));
    ProtobufCMessage *cluster = message_copy(&changed.base); /* the authority changes keys in it, which are memory of their own */
    authority->unlock(authority->self, (Docker__Swarmkit__V1__Cluster *)(void *)cluster,
                      request->rotation && request->rotation->manager_unlock_key);
    int failed = call_put(call, tx, cluster, err);
    message_wipe_free(cluster);
    return failed;
}

static const ProtobufCMessage *answer_update_cluster(struct call *call, struct arena *arena)
{
    Docker__Swarmkit__V1__UpdateClusterResponse *response = message_in(arena, DESCRIPTOR(update_cluster_response));

    response->cluster = without_secrets(store_cluster(call->control->store, call->id), arena);
    return response->cluster ? &response->base : NULL;
}

static void on_ca_change(void *ctx, Docker__Swarmkit__V1__RootCA *root_ca, const struct error *err)
{
    struct call *call = ctx;

    call->root_ca = root_ca;
    if (err)
        call_refuse(call, err);
    else
        call_update(call, write_update_cluster, answer_update_cluster);
}

static int check_update_cluster(struct control *control, const Docker__Swarmkit__V1__UpdateClusterRequest *request, struct refusal *refusal)
{
    struct error *err = &refusal->err;
    int failed = form_check_id(request->cluster_id, err);

    if (failed == 0 && request->cluster_version == NULL)
        failed = form_refuse(err);
    if (failed == 0)
        failed = check_spec(request->spec, err);
    if (failed < 0)
        return failed;
    const Docker__Swarmkit__V1__Cluster *cluster = store_cluster(control->store, request->cluster_id);
    if (cluster == NULL)
        return error_set(err, ERR_NOT_FOUND, "cluster %s not found", request->cluster_id);
    if (store_message_version(STORE_CLUSTER, &cluster->base) != request->cluster_version->index) {
        refusal->grpc_status = GRPC_UNKNOWN;
        return error_set(err, ERR_PRECONDITION, "update out of sequence");
    }
    return 0;
}

void control_update_cluster(struct control *control, const Docker__Swarmkit__V1__UpdateClusterRequest *request, control_done_fn *done,
                            void *ctx)
{
    struct refusal refusal = {0};

    if (form_check(&request->base, &refusal.err) < 0 || check_update_cluster(control, request, &refusal) < 0) {
        control_answer(done, ctx, NULL, &refusal);
        return;
    }
    struct call *call = call_new(control, &request->base, request->cluster_id, done, ctx);
    const Docker__Swarmkit__V1__UpdateClusterRequest *kept = CALL_REQUEST(call, UpdateCluster);
    complete(kept->spec);
    call->held = store_object_hold(store_get_object(control->store, STORE_CLUSTER, call->id));
    control->authority.change(control->authority.self,
                              &(struct control_ca_change){.cluster = (const void *)call->held->message,
                                                          .spec = kept->spec,
                                                          .rotates_worker_token = kept->rotation && kept->rotation->worker_join_token,
                                                          .rotates_manager_token = kept->rotation && kept->rotation->manager_join_token},
                              on_ca_change, call);
}
