/* api/swarm/json_node.c – see json_node.h. */
#include "api/swarm/json_node.h"

#include "api/swarm/json_common.h"

static const struct shape_member plugin[] = {
    {.json = "Type", .field = "type"},
    {.json = "Name", .field = "name"},
    {0},
};

static const struct shape_member engine[] = {
    {.json = "EngineVersion", .field = "engine_version"},
    {.json = "Labels", .field = "labels"},
    {.json = "Plugins", .field = "plugins", .shape = plugin},
    {0},
};

static const struct shape_member tls_info[] = {
    {.json = "TrustRoot", .field = "trust_root", .flags = SHAPE_AS_TEXT},
    {.json = "CertIssuerSubject", .field = "cert_issuer_subject"},
    {.json = "CertIssuerPublicKey", .field = "cert_issuer_public_key"},
    {0},
};

static const struct shape_member topology[] = {{.json = "Segments", .field = "segments"}, {0}};

static const struct shape_member csi_info[] = {
    {.json = "PluginName", .field = "plugin_name"},
    {.json = "NodeID", .field = "node_id"},
    {.json = "MaxVolumesPerNode", .field = "max_volumes_per_node"},
    {.json = "AccessibleTopology", .field = "accessible_topology", .shape = topology},
    {0},
};

static const struct shape_member description[] = {
    {.json = "Hostname", .field = "hostname"},
    {.json = "Platform", .field = "platform", .flags = SHAPE_ALWAYS, .shape = swarm_platform},
    {.json = "Resources", .field = "resources", .flags = SHAPE_ALWAYS, .shape = swarm_resources},
    {.json = "Engine", .field = "engine", .flags = SHAPE_ALWAYS, .shape = engine},
    {.json = "TLSInfo", .field = "tls_info", .flags = SHAPE_ALWAYS, .shape = tls_info},
    {.json = "CSIInfo", .field = "csi_info", .since = 42, .shape = csi_info},
    {0},
};

const struct shape_name swarm_node_states[] = {
    {"unknown", DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__UNKNOWN},
    {"down", DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__DOWN},
    {"ready", DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__READY},
    {"disconnected", DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__DISCONNECTED},
    {0},
};

static const struct shape_member status[] = {
    {.json = "State", .field = "state", .names = swarm_node_states},
    {.json = "Message", .field = "message"},
    {.json = "Addr", .field = "addr"},
    {0},
};

static const struct shape_name reachabilities[] = {
    {"unknown", DOCKER__SWARMKIT__V1__RAFT_MEMBER_STATUS__REACHABILITY__UNKNOWN},
    {"unreachable", DOCKER__SWARMKIT__V1__RAFT_MEMBER_STATUS__REACHABILITY__UNREACHABLE},
    {"reachable", DOCKER__SWARMKIT__V1__RAFT_MEMBER_STATUS__REACHABILITY__REACHABLE},
    {0},
};

static const struct shape_member manager_status[] = {
    {.json = "Leader", .field = "leader"},
    {.json = "Reachability", .field = "reachability", .names = reachabilities},
    {.json = "Addr", .field = "addr"},
    {0},
};

static const struct shape_name roles[] = {
    {"worker", DOCKER__SWARMKIT__V1__NODE_ROLE__WORKER},
    {"manager", DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER},
    {0},
};

const struct shape_name swarm_availabilities[] = {
    {"active", DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__ACTIVE},
    {"pause", DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__PAUSE},
    {"drain", DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__DRAIN},
    {0},
};

static const struct shape_member spec[] = {
    {.field = "annotations", .flags = SHAPE_INLINE, .shape = swarm_annotations},
    {.json = "Role", .field = "desired_role", .names = roles, .fallback = SHAPE_NO_FALLBACK},
    {.json = "Availability", .field = "availability", .names = swarm_availabilities, .fallback = SHAPE_NO_FALLBACK},
    {0},
};

static const struct shape_member node_shape[] = {
    {.json = "ID", .field = "id", .flags = SHAPE_ALWAYS},
    {.field = "meta", .flags = SHAPE_INLINE, .shape = swarm_meta},
    {.json = "Spec", .field = "spec", .flags = SHAPE_ALWAYS, .shape = spec},
    {.json = "Description", .field = "description", .flags = SHAPE_ALWAYS, .shape = description},
    {.json = "Status", .field = "status", .flags = SHAPE_ALWAYS, .shape = status},
    {.json = "ManagerStatus", .field = "manager_status", .shape = manager_status},
    {0},
};

cJSON *swarm_json_node(const Docker__Swarmkit__V1__Node *node, unsigned api_version)
{
    return shape_write(node_shape, &node->base, api_version);
}

int swarm_read_node_spec(const cJSON *json, unsigned api_version, const Docker__Swarmkit__V1__NodeSpec *current, struct arena *arena,
                         Docker__Swarmkit__V1__NodeSpec **out, struct error *err)
{
    Docker__Swarmkit__V1__NodeSpec *read = shape_new(&docker__swarmkit__v1__node_spec__descriptor, arena);
    int rc = shape_read(spec, json, "Spec", api_version, arena, &read->base, err);
    if (rc < 0)
        return rc;
    read->membership = current ? current->membership : DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__ACCEPTED;
    *out = read;
    return 0;
}
