/* api/swarm/json_common.c – see json_common.h. */
#include "api/swarm/json_common.h"

#include "proto/swarmkit/types.pb-c.h"

const struct shape_member swarm_nothing[] = {{0}};

const struct shape_member swarm_version[] = {{.json = "Index", .field = "index"}, {0}};

const struct shape_member swarm_meta[] = {
    {.json = "Version", .field = "version", .flags = SHAPE_ALWAYS, .shape = swarm_version},
    {.json = "CreatedAt", .field = "created_at", .flags = SHAPE_ALWAYS | SHAPE_ONLY_WRITTEN},
    {.json = "UpdatedAt", .field = "updated_at", .flags = SHAPE_ALWAYS | SHAPE_ONLY_WRITTEN},
    {0},
};

const struct shape_member swarm_annotations[] = {
    {.json = "Name", .field = "name", .flags = SHAPE_KEEP},
    {.json = "Labels", .field = "labels", .flags = SHAPE_ALWAYS | SHAPE_KEEP},
    {0},
};

const struct shape_member swarm_driver[] = {
    {.json = "Name", .field = "name"},
    {.json = "Options", .field = "options"},
    {0},
};

const struct shape_member swarm_platform[] = {
    {.json = "Architecture", .field = "architecture"},
    {.json = "OS", .field = "os"},
    {0},
};

static const struct shape_member named_resource[] = {
    {.json = "Kind", .field = "kind"},
    {.json = "Value", .field = "value"},
    {0},
};

const struct shape_member swarm_generic_resource[] = {
    {.json = "NamedResourceSpec", .field = "named_resource_spec", .shape = named_resource},
    {.json = "DiscreteResourceSpec", .field = "discrete_resource_spec", .shape = named_resource},
    {0},
};

const struct shape_member swarm_resources[] = {
    {.json = "NanoCPUs", .field = "nano_cpus"},
    {.json = "MemoryBytes", .field = "memory_bytes"},
    {.json = "GenericResources", .field = "generic", .shape = swarm_generic_resource},
    {0},
};

static const struct shape_name protocols[] = {
    {"tcp", DOCKER__SWARMKIT__V1__PORT_CONFIG__PROTOCOL__TCP},
    {"udp", DOCKER__SWARMKIT__V1__PORT_CONFIG__PROTOCOL__UDP},
    {"sctp", DOCKER__SWARMKIT__V1__PORT_CONFIG__PROTOCOL__SCTP},
    {0},
};

static const struct shape_name publish_modes[] = {
    {"ingress", DOCKER__SWARMKIT__V1__PORT_CONFIG__PUBLISH_MODE__INGRESS},
    {"host", DOCKER__SWARMKIT__V1__PORT_CONFIG__PUBLISH_MODE__HOST},
    {0},
};

const struct shape_member swarm_port[] = {
    {.json = "Name", .field = "name"},
    {.json = "Protocol", .field = "protocol", .names = protocols},
    {.json = "TargetPort", .field = "target_port"},
    {.json = "PublishedPort", .field = "published_port"},
    {.json = "PublishMode", .field = "publish_mode", .names = publish_modes},
    {0},
};
