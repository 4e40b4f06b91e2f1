/* api/swarm/json_cluster.c – see json_cluster.h: what is shown, and specs. The requests are in cluster_request.c. */
#include "api/swarm/json_cluster.h"

#include <string.h>

#include "api/swarm/issuer.h"
#include "api/swarm/json_common.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

typedef Docker__Swarmkit__V1__Cluster Cluster;
typedef Docker__Swarmkit__V1__ClusterSpec ClusterSpec;

/* --- spec --- */

static const struct shape_member orchestration[] = {
    {.json = "TaskHistoryRetentionLimit", .field = "task_history_retention_limit", .flags = SHAPE_ALWAYS},
    {0},
};

static const struct shape_member raft[] = {
    {.json = "SnapshotInterval", .field = "snapshot_interval", .flags = SHAPE_KEEP},
    {.json = "KeepOldSnapshots", .field = "keep_old_snapshots", .flags = SHAPE_ALWAYS},
    {.json = "LogEntriesForSlowFollowers", .field = "log_entries_for_slow_followers", .flags = SHAPE_KEEP},
    {.json = "ElectionTick", .field = "election_tick", .flags = SHAPE_ALWAYS | SHAPE_KEEP},
    {.json = "HeartbeatTick", .field = "heartbeat_tick", .flags = SHAPE_ALWAYS | SHAPE_KEEP},
    {0},
};

static const struct shape_member dispatcher[] = {
    {.json = "HeartbeatPeriod", .field = "heartbeat_period", .flags = SHAPE_OMIT_ZERO | SHAPE_KEEP},
    {0},
};

static const struct shape_name protocols[] = {{"cfssl", DOCKER__SWARMKIT__V1__EXTERNAL_CA__CAPROTOCOL__CFSSL}, {0}};

static const struct shape_member external_ca[] = {
    {.json = "Protocol", .field = "protocol", .flags = SHAPE_ALWAYS, .names = protocols, .fallback = SHAPE_NO_FALLBACK},
    {.json = "URL", .field = "url", .flags = SHAPE_ALWAYS},
    {.json = "Options", .field = "options"},
    {.json = "CACert", .field = "ca_cert", .flags = SHAPE_ALWAYS | SHAPE_AS_TEXT},
    {0},
};

/* A signing certificate is not shown either: who posts back what he read would give it without its key. */
static const struct shape_member ca_config[] = {
    {.json = "NodeCertExpiry", .field = "node_cert_expiry", .flags = SHAPE_OMIT_ZERO | SHAPE_KEEP},
    {.json = "ExternalCAs", .field = "external_cas", .flags = SHAPE_KEEP, .shape = external_ca},
    {.json = "SigningCACert", .field = "signing_ca_cert", .flags = SHAPE_AS_TEXT | SHAPE_KEEP | SHAPE_ONLY_READ},
    {.json = "SigningCAKey", .field = "signing_ca_key", .flags = SHAPE_AS_TEXT | SHAPE_KEEP | SHAPE_ONLY_READ},
    {.json = "ForceRotate", .field = "force_rotate"},
    {0},
};

static const struct shape_member task_defaults[] = {{.json = "LogDriver", .field = "log_driver", .shape = swarm_driver}, {0}};

static const struct shape_member encryption[] = {
    {.json = "AutoLockManagers", .field = "auto_lock_managers", .flags = SHAPE_ALWAYS},
    {0},
};

static const struct shape_member cluster_spec[] = {
    {.field = "annotations", .flags = SHAPE_INLINE, .shape = swarm_annotations},
    {.json = "Orchestration", .field = "orchestration", .flags = SHAPE_ALWAYS | SHAPE_MADE, .shape = orchestration},
    {.json = "Raft", .field = "raft", .flags = SHAPE_ALWAYS | SHAPE_MADE, .shape = raft},
    {.json = "Dispatcher", .field = "dispatcher", .flags = SHAPE_ALWAYS | SHAPE_MADE, .shape = dispatcher},
    {.json = "CAConfig", .field = "ca_config", .flags = SHAPE_ALWAYS | SHAPE_MADE, .shape = ca_config},
    {.json = "TaskDefaults", .field = "task_defaults", .flags = SHAPE_ALWAYS | SHAPE_MADE, .shape = task_defaults},
    {.json = "EncryptionConfig", .field = "encryption_config", .flags = SHAPE_ALWAYS | SHAPE_MADE, .shape = encryption},
    {0},
};

static void *allocate(void *ctx, size_t size)
{
    return arena_alloc(ctx, size);
}

static void release(void *ctx, void *data)
{
    (void)ctx;
    (void)data;
}

/* A copy whose memory is the arena's, parts and all. */
static ClusterSpec *copy(const ClusterSpec *spec, struct arena *arena)
{
    ProtobufCAllocator allocator = {.alloc = allocate, .free = release, .allocator_data = arena};
    size_t size = protobuf_c_message_get_packed_size(&spec->base);
    uint8_t *packed = arena_alloc(arena, size);
    protobuf_c_message_pack(&spec->base, packed);
    ClusterSpec *made = (ClusterSpec *)protobuf_c_message_unpack(spec->base.descriptor, &allocator, size, packed);
    mem_wipe(packed, size);
    return made ? made : shape_new(spec->base.descriptor, arena);
}

int swarm_read_cluster_spec(const cJSON *json, unsigned api_version, const ClusterSpec *base, struct arena *arena, ClusterSpec **out,
                            struct error *err)
{
    char quoted[SHAPE_QUOTE_SIZE];
    ClusterSpec *spec = base ? copy(base, arena) : shape_new(&docker__swarmkit__v1__cluster_spec__descriptor, arena);
    /* These two are what the JSON says, also when it says nothing. */
    if (spec->encryption_config)
        spec->encryption_config->auto_lock_managers = false;
    if (spec->ca_config)
        spec->ca_config->force_rotate = 0;
    int rc = shape_read(cluster_spec, json, "Spec", api_version, arena, &spec->base, err);
    if (rc < 0)
        return rc;
    if (text_empty(spec->annotations->name))
        spec->annotations->name = arena_string(arena, "default");
    if (strcmp(spec->annotations->name, "default") != 0)
        return error_set(err, ERR_INVALID, "Spec.Name: swarm spec must be named \"default\", not \"%s\"",
                         shape_quote(spec->annotations->name, quoted));
    if (spec->acceptance_policy == NULL) /* sent even when empty */
        spec->acceptance_policy = shape_new(&docker__swarmkit__v1__acceptance_policy__descriptor, arena);
    *out = spec;
    return 0;
}

/* --- what is shown --- */

static void write_tls_info(const ProtobufCMessage *message, unsigned api_version, cJSON *object)
{
    const Docker__Swarmkit__V1__RootCA *root = ((const Cluster *)message)->root_ca;
    (void)api_version;
    cJSON *info = cJSON_AddObjectToObject(object, "TLSInfo");
    if (root == NULL || root->ca_cert.len == 0)
        return;
    cleanup_free char *pem = mem_string_n((const char *)root->ca_cert.data, root->ca_cert.len);
    cJSON_AddItemToObject(info, "TrustRoot", shape_text(pem));
    /* While the root is being rotated, certificates come from the new one. */
    const ProtobufCBinaryData *certificate = root->root_rotation ? &root->root_rotation->ca_cert : &root->ca_cert;
    struct issuer issuer = {0};
    if (issuer_of_certificate(bytes_of(certificate->data, certificate->len), &issuer, NULL) < 0)
        return;
    cJSON_AddItemToObject(info, "CertIssuerSubject", shape_base64((ProtobufCBinaryData){issuer.subject.size, issuer.subject.data}));
    cJSON_AddItemToObject(info, "CertIssuerPublicKey", shape_base64((ProtobufCBinaryData){issuer.public_key.size, issuer.public_key.data}));
    issuer_deinit(&issuer);
}

static void write_rotation(const ProtobufCMessage *message, unsigned api_version, cJSON *object)
{
    const Docker__Swarmkit__V1__RootCA *root = ((const Cluster *)message)->root_ca;
    (void)api_version;
    cJSON_AddBoolToObject(object, "RootRotationInProgress", root && root->root_rotation);
}

static const struct shape_member cluster_shape[] = {
    {.json = "ID", .field = "id", .flags = SHAPE_ALWAYS},
    {.field = "meta", .flags = SHAPE_INLINE, .shape = swarm_meta},
    {.json = "Spec", .field = "spec", .flags = SHAPE_ALWAYS, .shape = cluster_spec},
    {.write = write_tls_info},
    {.write = write_rotation},
    {.json = "DefaultAddrPool", .field = "defaultAddressPool", .flags = SHAPE_NULL, .since = 39},
    {.json = "SubnetSize", .field = "subnetSize", .flags = SHAPE_ALWAYS, .since = 39},
    {.json = "DataPathPort", .field = "VXLANUDPPort", .flags = SHAPE_ALWAYS, .since = 40},
    {0},
};

static const struct shape_member join_tokens[] = {
    {.json = "Worker", .field = "worker", .flags = SHAPE_ALWAYS},
    {.json = "Manager", .field = "manager", .flags = SHAPE_ALWAYS},
    {0},
};

cJSON *swarm_json_cluster_info(const Cluster *cluster, unsigned api_version)
{
    return shape_write(cluster_shape, &cluster->base, api_version);
}

cJSON *swarm_json_cluster(const Cluster *cluster, unsigned api_version)
{
    static const Docker__Swarmkit__V1__JoinTokens none = DOCKER__SWARMKIT__V1__JOIN_TOKENS__INIT;
    const Docker__Swarmkit__V1__JoinTokens *tokens = cluster->root_ca ? cluster->root_ca->join_tokens : NULL;
    cJSON *json = swarm_json_cluster_info(cluster, api_version);
    cJSON_AddItemToObject(json, "JoinTokens", shape_write(join_tokens, tokens ? &tokens->base : &none.base, api_version));
    return json;
}

cJSON *swarm_json_unlock_key(const char *key)
{
    cJSON *json = cJSON_CreateObject();
    json_add_string(json, "UnlockKey", key ? key : "");
    return json;
}
