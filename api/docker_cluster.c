/* api/docker_cluster.c – the swarm as a whole: /swarm, /swarm/init, /swarm/update, /swarm/unlockkey, /swarm/unlock. Joining and leaving it
 * are the node's: docker_swarm.c. */
#include "api/swarm/json_cluster.h"
#include "api/swarm/query.h"
#include "api/swarm_call.h"
#include "base/text.h"
#include "proto/message.h"

static const char in_swarm_already[] =
    "This node is already part of a swarm. Use \"docker swarm leave\" to leave this swarm and join another one.";

/* There is one cluster; false: answered. */
static const Docker__Swarmkit__V1__Cluster *only_cluster(struct swarm_call *sc, const ProtobufCMessage *message)
{
    const Docker__Swarmkit__V1__ListClustersResponse *response = (const void *)message;
    if (response->n_clusters > 0)
        return response->clusters[0];
    swarm_fail(sc, 503, "This node is not part of a swarm");
    return NULL;
}

static void ask_cluster(struct swarm_call *sc, swarm_message_fn *on_clusters)
{
    ProtobufCMessage *request = swarm_request(sc, METHOD_Control_ListClusters);
    swarm_ask(sc, METHOD_Control_ListClusters, request, on_clusters);
}

/* --- inspect --- */

static void listed_to_show(struct swarm_call *sc, const ProtobufCMessage *message)
{
    const Docker__Swarmkit__V1__Cluster *cluster = only_cluster(sc, message);
    if (cluster)
        swarm_answer(sc, 200, swarm_json_cluster(cluster, sc->version));
}

void docker_swarm_inspect(struct api_call *call)
{
    ask_cluster(swarm_call_new(call), listed_to_show);
}

/* --- update --- */

static void updated(struct swarm_call *sc, const ProtobufCMessage *message)
{
    (void)message;
    swarm_answer_nothing(sc, 200);
}

static void listed_to_update(struct swarm_call *sc, const ProtobufCMessage *message)
{
    Docker__Swarmkit__V1__UpdateClusterRequest *request = sc->own;
    const Docker__Swarmkit__V1__Cluster *cluster = only_cluster(sc, message);
    if (cluster == NULL)
        return;
    request->cluster_id = arena_string(sc->arena, cluster->id);
    swarm_ask(sc, METHOD_Control_UpdateCluster, &request->base, updated);
}

static int read_flag(const struct swarm_call *sc, const char *name, protobuf_c_boolean *out, struct error *err)
{
    bool flag;
    int failed = swarm_query_bool(name, call_query(sc->call, name), &flag, err);
    *out = flag;
    return failed;
}

static int read_update(struct swarm_call *sc, Docker__Swarmkit__V1__UpdateClusterRequest *request, struct error *err)
{
    uint64_t version;
    Docker__Swarmkit__V1__KeyRotation *rotation = arena_alloc(sc->arena, sizeof *rotation);
    docker__swarmkit__v1__key_rotation__init(rotation);
    request->rotation = rotation;
    int failed = swarm_query_version("swarm", call_query(sc->call, "version"), &version, err);
    if (failed < 0 || (failed = read_flag(sc, "rotateWorkerToken", &rotation->worker_join_token, err)) < 0 ||
        (failed = read_flag(sc, "rotateManagerToken", &rotation->manager_join_token, err)) < 0 ||
        (failed = read_flag(sc, "rotateManagerUnlockKey", &rotation->manager_unlock_key, err)) < 0)
        return failed;
    swarm_set_version(sc, &request->base, "cluster_version", version);
    return swarm_read_cluster_spec(sc->body, sc->version, NULL, sc->arena, &request->spec, err);
}

static void update_body(struct swarm_call *sc)
{
    struct error err;
    sc->own = swarm_request(sc, METHOD_Control_UpdateCluster);
    swarm_is_secret(sc, sc->own); /* a CA's key may be in it */
    if (read_update(sc, sc->own, &err) < 0)
        swarm_error(sc, &err);
    else
        ask_cluster(sc, listed_to_update);
}

void docker_swarm_update(struct api_call *call)
{
    swarm_call_read(call, update_body);
}

/* --- init --- */

struct init {
    const cJSON *spec; /* NULL: nothing to lay over the cluster's own */
    char *node_id;
};

static void answer_init(struct swarm_call *sc)
{
    const struct init *init = sc->own;
    swarm_answer(sc, 200, cJSON_CreateString(init->node_id));
}

static void init_updated(struct swarm_call *sc, const ProtobufCMessage *message)
{
    (void)message;
    answer_init(sc);
}

/* What the client wants beside the defaults, it said in the same request: as dockerd, we update the new cluster with it. */
static void listed_to_complete(struct swarm_call *sc, const ProtobufCMessage *message)
{
    const struct init *init = sc->own;
    const Docker__Swarmkit__V1__Cluster *cluster = only_cluster(sc, message);
    Docker__Swarmkit__V1__UpdateClusterRequest *request = swarm_request(sc, METHOD_Control_UpdateCluster);
    struct error err;
    if (cluster == NULL)
        return;
    if (swarm_read_cluster_spec(init->spec, sc->version, cluster->spec, sc->arena, &request->spec, &err) < 0) {
        swarm_error(sc, &err);
        return;
    }
    swarm_is_secret(sc, &request->base);
    if (cluster->spec && message_equal(&cluster->spec->base, &request->spec->base)) {
        answer_init(sc);
        return;
    }
    request->cluster_id = arena_string(sc->arena, cluster->id);
    swarm_set_version(sc, &request->base, "cluster_version", cluster->meta && cluster->meta->version ? cluster->meta->version->index : 0);
    swarm_ask(sc, METHOD_Control_UpdateCluster, &request->base, init_updated);
}

static void init_done(void *ctx, const char *node_id, const struct error *err)
{
    struct swarm_call *sc = ctx;
    struct init *init = sc->own;
    swarm_told(sc);
    if (err) {
        swarm_error(sc, err);
        return;
    }
    init->node_id = arena_string(sc->arena, node_id);
    if (init->spec == NULL) {
        answer_init(sc);
        return;
    }
    swarm_deadline(sc, API_SWARM_TIMEOUT_MS);
    ask_cluster(sc, listed_to_complete);
}

static int availability_of(const char *text)
{
    if (text_equal(text, "pause"))
        return DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__PAUSE;
    if (text_equal(text, "drain"))
        return DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__DRAIN;
    return DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__ACTIVE;
}

static void begin_swarm(struct swarm_call *sc, const struct api_init_request *request)
{
    const struct api_swarm *swarm = &sc->call->api->options.swarm;
    struct error err;
    swarm_deadline(sc, API_INIT_TIMEOUT_MS);
    swarm_wait(sc);
    if (swarm->init(swarm->self, request, init_done, sc, &err) == 0)
        return;
    swarm_told(sc);
    if (err.code == ERR_EXISTS)
        swarm_fail(sc, 503, "%s", in_swarm_already);
    else
        swarm_error(sc, &err);
}

static void init_body(struct swarm_call *sc)
{
    struct swarm_init_request read;
    Docker__Swarmkit__V1__ClusterSpec *spec = NULL;
    struct init *init = arena_alloc(sc->arena, sizeof *init);
    struct error err;
    sc->own = init;
    int failed = swarm_read_init(sc->body, sc->version, sc->arena, &read, &err);
    if (failed == 0 && read.spec)
        failed = swarm_read_cluster_spec(read.spec, sc->version, NULL, sc->arena, &spec, &err);
    if (failed < 0) {
        swarm_error(sc, &err);
        return;
    }
    init->spec = read.spec;
    const struct api_init_request request = {
        .listen_addr = read.listen_addr,
        .advertise_addr = read.advertise_addr,
        .data_path_addr = read.data_path_addr,
        .data_path_port = read.data_path_port,
        .address_pools = (const char *const *)read.default_addr_pool,
        .address_pool_count = read.default_addr_pool_count,
        .subnet_size = read.subnet_size,
        .force_new_cluster = read.force_new_cluster,
        .autolock = read.autolock_managers,
        .availability = availability_of(read.availability),
        .spec = spec,
    };
    if (spec)
        swarm_is_secret(sc, &spec->base);
    begin_swarm(sc, &request);
}

void docker_swarm_init(struct api_call *call)
{
    if (call->api->options.swarm.init)
        swarm_call_read(call, init_body);
    else
        docker_no_manager_here(call);
}

/* --- the key of locked managers --- */

static void key_told(void *ctx, const char *key, const struct error *err)
{
    struct swarm_call *sc = ctx;
    swarm_told(sc);
    if (err)
        swarm_error(sc, err);
    else
        swarm_answer(sc, 200, swarm_json_unlock_key(key));
}

void docker_swarm_unlock_key(struct api_call *call)
{
    const struct api_swarm *swarm = &call->api->options.swarm;
    struct swarm_call *sc = swarm_call_new(call);
    swarm_wait(sc);
    swarm->unlock_key(swarm->self, key_told, sc);
}

static void unlocked(void *ctx, const struct error *err)
{
    struct swarm_call *sc = ctx;
    swarm_told(sc);
    if (err)
        swarm_error(sc, err);
    else
        swarm_answer_nothing(sc, 200);
}

static void unlock_body(struct swarm_call *sc)
{
    const struct api_swarm *swarm = &sc->call->api->options.swarm;
    const char *key;
    struct error err;
    if (swarm_read_unlock(sc->body, &key, &err) < 0) {
        swarm_error(sc, &err);
        return;
    }
    swarm_wait(sc);
    if (swarm->unlock(swarm->self, key, unlocked, sc, &err) == 0)
        return;
    swarm_told(sc);
    swarm_error(sc, &err);
}

void docker_swarm_unlock(struct api_call *call)
{
    const struct api_node *node = &call->api->options.node;
    struct node_info info;
    node->info(node->node, &info);
    if (swarm_is_manager(call->api))
        call_fail(call, 409, "swarm is not locked");
    else if (info.state == NODE_LOCKED && call->api->options.swarm.unlock)
        swarm_call_read(call, unlock_body);
    else
        docker_manager_only(call);
}
