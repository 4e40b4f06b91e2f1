/* tests/unit/manager/scheduler/swarm.h – nodes and tasks in a few words, and what the scheduler made of them. */
#ifndef SKEP_TESTS_UNIT_MANAGER_SCHEDULER_SWARM_H
#define SKEP_TESTS_UNIT_MANAGER_SCHEDULER_SWARM_H

#include "base/arena.h"
#include "base/limits.h"
#include "base/text.h"
#include "manager/scheduler/scheduler.h"
#include "proto/swarmkit/objects.pb-c.h"
#include "tests/unit/test.h"

typedef Docker__Swarmkit__V1__Node Node;
typedef Docker__Swarmkit__V1__Task Task;

enum {
    PENDING = DOCKER__SWARMKIT__V1__TASK_STATE__PENDING,
    ASSIGNED = DOCKER__SWARMKIT__V1__TASK_STATE__ASSIGNED,
    RUNNING = DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING,
    COMPLETE = DOCKER__SWARMKIT__V1__TASK_STATE__COMPLETE,
    SHUTDOWN = DOCKER__SWARMKIT__V1__TASK_STATE__SHUTDOWN,
    FAILED = DOCKER__SWARMKIT__V1__TASK_STATE__FAILED,
};

#define CPU ((int64_t)1000000000)
#define GB  ((int64_t)1024 * 1024 * 1024)

struct decided {
    enum scheduler_decision_kind kind;
    const char *task, *node, *text, *details;
    enum isolation isolation;
    struct scheduler_generic generics[8];
    size_t generic_count;
};

/* All that is made lives in the arena. */
struct swarm {
    struct arena arena;
    struct scheduler *scheduler;
    struct decided decided[4096]; /* by the last run, in order */
    size_t count;
    int64_t now_ns;
};

#define MAKE(swarm, type, prefix)                                                                                                          \
    ({                                                                                                                                     \
        type *made_ = arena_alloc(&(swarm)->arena, sizeof *made_);                                                                         \
        prefix##__init(made_);                                                                                                             \
        made_;                                                                                                                             \
    })

static inline void swarm_init(struct swarm *swarm)
{
    memset(swarm, 0, sizeof *swarm);
    swarm->scheduler = scheduler_new();
    swarm->now_ns = 1000;
}

static inline void swarm_deinit(struct swarm *swarm)
{
    scheduler_free(swarm->scheduler);
    arena_deinit(&swarm->arena);
}

static inline char *swarm_copy(struct swarm *swarm, const char *text)
{
    return arena_string(&swarm->arena, text);
}

/* Room for one more in a list of a message. */
#define APPEND(swarm, list, count, item)                                                                                                   \
    do {                                                                                                                                   \
        void *longer_ = arena_alloc(&(swarm)->arena, ((count) + 1) * sizeof *(list));                                                      \
        if ((count) > 0)                                                                                                                   \
            memcpy(longer_, (list), (count) * sizeof *(list));                                                                             \
        (list) = longer_;                                                                                                                  \
        (list)[(count)++] = (item);                                                                                                        \
    } while (0)

/* Nodes. */

static inline void node_plugin(struct swarm *swarm, Node *node, const char *type, const char *name)
{
    Docker__Swarmkit__V1__PluginDescription *plugin =
        MAKE(swarm, Docker__Swarmkit__V1__PluginDescription, docker__swarmkit__v1__plugin_description);
    plugin->type = swarm_copy(swarm, type);
    plugin->name = swarm_copy(swarm, name);
    APPEND(swarm, node->description->engine->plugins, node->description->engine->n_plugins, plugin);
}

/* Ready, active, a worker, linux/x86_64, 4 CPUs and 8 GiB, json-file, bridge and local. */
static inline Node *node_make(struct swarm *swarm, const char *id)
{
    Node *node = MAKE(swarm, Node, docker__swarmkit__v1__node);
    node->id = swarm_copy(swarm, id);
    node->spec = MAKE(swarm, Docker__Swarmkit__V1__NodeSpec, docker__swarmkit__v1__node_spec);
    node->spec->annotations = MAKE(swarm, Docker__Swarmkit__V1__Annotations, docker__swarmkit__v1__annotations);
    node->status = MAKE(swarm, Docker__Swarmkit__V1__NodeStatus, docker__swarmkit__v1__node_status);
    node->status->state = DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__READY;
    node->description = MAKE(swarm, Docker__Swarmkit__V1__NodeDescription, docker__swarmkit__v1__node_description);
    node->description->hostname = swarm_copy(swarm, id);
    node->description->platform = MAKE(swarm, Docker__Swarmkit__V1__Platform, docker__swarmkit__v1__platform);
    node->description->platform->os = swarm_copy(swarm, "linux");
    node->description->platform->architecture = swarm_copy(swarm, "x86_64");
    node->description->resources = MAKE(swarm, Docker__Swarmkit__V1__Resources, docker__swarmkit__v1__resources);
    node->description->resources->nano_cpus = 4 * CPU;
    node->description->resources->memory_bytes = 8 * GB;
    node->description->engine = MAKE(swarm, Docker__Swarmkit__V1__EngineDescription, docker__swarmkit__v1__engine_description);
    node_plugin(swarm, node, "Log", "json-file");
    node_plugin(swarm, node, "Network", "bridge");
    node_plugin(swarm, node, "Volume", "local");
    return node;
}

static inline void node_label(struct swarm *swarm, Node *node, const char *key, const char *value)
{
    Docker__Swarmkit__V1__Annotations__LabelsEntry *label =
        MAKE(swarm, Docker__Swarmkit__V1__Annotations__LabelsEntry, docker__swarmkit__v1__annotations__labels_entry);
    label->key = swarm_copy(swarm, key);
    label->value = swarm_copy(swarm, value);
    APPEND(swarm, node->spec->annotations->labels, node->spec->annotations->n_labels, label);
}

static inline void engine_label(struct swarm *swarm, Node *node, const char *key, const char *value)
{
    Docker__Swarmkit__V1__EngineDescription__LabelsEntry *label =
        MAKE(swarm, Docker__Swarmkit__V1__EngineDescription__LabelsEntry, docker__swarmkit__v1__engine_description__labels_entry);
    label->key = swarm_copy(swarm, key);
    label->value = swarm_copy(swarm, value);
    APPEND(swarm, node->description->engine->labels, node->description->engine->n_labels, label);
}

static inline Docker__Swarmkit__V1__GenericResource *discrete(struct swarm *swarm, const char *kind, int64_t value)
{
    Docker__Swarmkit__V1__GenericResource *generic =
        MAKE(swarm, Docker__Swarmkit__V1__GenericResource, docker__swarmkit__v1__generic_resource);
    generic->resource_case = DOCKER__SWARMKIT__V1__GENERIC_RESOURCE__RESOURCE_DISCRETE_RESOURCE_SPEC;
    generic->discrete_resource_spec =
        MAKE(swarm, Docker__Swarmkit__V1__DiscreteGenericResource, docker__swarmkit__v1__discrete_generic_resource);
    generic->discrete_resource_spec->kind = swarm_copy(swarm, kind);
    generic->discrete_resource_spec->value = value;
    return generic;
}

static inline Docker__Swarmkit__V1__GenericResource *named(struct swarm *swarm, const char *kind, const char *value)
{
    Docker__Swarmkit__V1__GenericResource *generic =
        MAKE(swarm, Docker__Swarmkit__V1__GenericResource, docker__swarmkit__v1__generic_resource);
    generic->resource_case = DOCKER__SWARMKIT__V1__GENERIC_RESOURCE__RESOURCE_NAMED_RESOURCE_SPEC;
    generic->named_resource_spec = MAKE(swarm, Docker__Swarmkit__V1__NamedGenericResource, docker__swarmkit__v1__named_generic_resource);
    generic->named_resource_spec->kind = swarm_copy(swarm, kind);
    generic->named_resource_spec->value = swarm_copy(swarm, value);
    return generic;
}

static inline void node_generic(struct swarm *swarm, Node *node, Docker__Swarmkit__V1__GenericResource *generic)
{
    Docker__Swarmkit__V1__Resources *resources = node->description->resources;
    APPEND(swarm, resources->generic, resources->n_generic, generic);
}

static inline void node_set(struct swarm *swarm, const Node *node)
{
    assert_ok(scheduler_node_set(swarm->scheduler, node, err));
}

/* Tasks. */

/* PENDING, to run, of spec version 1. */
static inline Task *task_make(struct swarm *swarm, const char *service, const char *id)
{
    Task *task = MAKE(swarm, Task, docker__swarmkit__v1__task);
    task->id = swarm_copy(swarm, id);
    task->service_id = swarm_copy(swarm, service);
    task->status = MAKE(swarm, Docker__Swarmkit__V1__TaskStatus, docker__swarmkit__v1__task_status);
    task->status->state = (Docker__Swarmkit__V1__TaskState)PENDING;
    task->desired_state = (Docker__Swarmkit__V1__TaskState)RUNNING;
    task->spec_version = MAKE(swarm, Docker__Swarmkit__V1__Version, docker__swarmkit__v1__version);
    task->spec_version->index = 1;
    task->spec = MAKE(swarm, Docker__Swarmkit__V1__TaskSpec, docker__swarmkit__v1__task_spec);
    task->spec->runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER;
    task->spec->container = MAKE(swarm, Docker__Swarmkit__V1__ContainerSpec, docker__swarmkit__v1__container_spec);
    task->spec->container->image = swarm_copy(swarm, "app:1");
    task->spec->placement = MAKE(swarm, Docker__Swarmkit__V1__Placement, docker__swarmkit__v1__placement);
    task->spec->resources = MAKE(swarm, Docker__Swarmkit__V1__ResourceRequirements, docker__swarmkit__v1__resource_requirements);
    task->spec->resources->reservations = MAKE(swarm, Docker__Swarmkit__V1__Resources, docker__swarmkit__v1__resources);
    return task;
}

static inline void task_constraint(struct swarm *swarm, Task *task, const char *text)
{
    APPEND(swarm, task->spec->placement->constraints, task->spec->placement->n_constraints, swarm_copy(swarm, text));
}

static inline void task_reserve(Task *task, int64_t cpu, int64_t memory)
{
    task->spec->resources->reservations->nano_cpus = cpu;
    task->spec->resources->reservations->memory_bytes = memory;
}

static inline void task_generic(struct swarm *swarm, Task *task, Docker__Swarmkit__V1__GenericResource *generic)
{
    Docker__Swarmkit__V1__Resources *reserved = task->spec->resources->reservations;
    APPEND(swarm, reserved->generic, reserved->n_generic, generic);
}

static inline void task_platform(struct swarm *swarm, Task *task, const char *os, const char *architecture)
{
    Docker__Swarmkit__V1__Platform *platform = MAKE(swarm, Docker__Swarmkit__V1__Platform, docker__swarmkit__v1__platform);
    platform->os = swarm_copy(swarm, os);
    platform->architecture = swarm_copy(swarm, architecture);
    APPEND(swarm, task->spec->placement->platforms, task->spec->placement->n_platforms, platform);
}

static inline void task_spread(struct swarm *swarm, Task *task, const char *descriptor)
{
    Docker__Swarmkit__V1__PlacementPreference *preference =
        MAKE(swarm, Docker__Swarmkit__V1__PlacementPreference, docker__swarmkit__v1__placement_preference);
    preference->preference_case = DOCKER__SWARMKIT__V1__PLACEMENT_PREFERENCE__PREFERENCE_SPREAD;
    preference->spread = MAKE(swarm, Docker__Swarmkit__V1__SpreadOver, docker__swarmkit__v1__spread_over);
    preference->spread->spread_descriptor = swarm_copy(swarm, descriptor);
    APPEND(swarm, task->spec->placement->preferences, task->spec->placement->n_preferences, preference);
}

static inline void task_port(struct swarm *swarm, Task *task, Docker__Swarmkit__V1__PortConfig__Protocol protocol, uint32_t published,
                             bool is_host)
{
    Docker__Swarmkit__V1__PortConfig *port = MAKE(swarm, Docker__Swarmkit__V1__PortConfig, docker__swarmkit__v1__port_config);
    port->protocol = protocol;
    port->target_port = 80;
    port->published_port = published;
    port->publish_mode =
        is_host ? DOCKER__SWARMKIT__V1__PORT_CONFIG__PUBLISH_MODE__HOST : DOCKER__SWARMKIT__V1__PORT_CONFIG__PUBLISH_MODE__INGRESS;
    if (!task->endpoint)
        task->endpoint = MAKE(swarm, Docker__Swarmkit__V1__Endpoint, docker__swarmkit__v1__endpoint);
    APPEND(swarm, task->endpoint->ports, task->endpoint->n_ports, port);
}

static inline void task_set(struct swarm *swarm, const Task *task)
{
    assert_ok(scheduler_task_set(swarm->scheduler, task, err));
}

/* As the store has it later. */
static inline void task_state(struct swarm *swarm, Task *task, const char *node, int state)
{
    task->node_id = swarm_copy(swarm, node);
    task->status->state = (Docker__Swarmkit__V1__TaskState)state;
    task_set(swarm, task);
}

/* Runs. */

static inline void swarm_keep(struct swarm *swarm, const struct scheduler_decision *decision)
{
    struct decided *kept = &swarm->decided[swarm->count++];
    assert_true(swarm->count <= sizeof swarm->decided / sizeof swarm->decided[0]);
    *kept = (struct decided){.kind = decision->kind,
                             .task = swarm_copy(swarm, decision->task_id),
                             .node = swarm_copy(swarm, decision->node_id),
                             .isolation = decision->isolation,
                             .generic_count = decision->generic_count};
    for (size_t i = 0; i < decision->generic_count; i++)
        kept->generics[i] = (struct scheduler_generic){swarm_copy(swarm, decision->generics[i].kind),
                                                       swarm_copy(swarm, decision->generics[i].value), decision->generics[i].amount};
    if (decision->explanation) {
        cleanup_buf struct buf details = {0};
        scheduler_explanation_print(decision->explanation, &details);
        kept->text = swarm_copy(swarm, decision->explanation->text);
        kept->details = swarm_copy(swarm, (const char *)details.data);
    }
}

/* Until nothing more is to be decided. */
static inline void swarm_run(struct swarm *swarm)
{
    struct scheduler_result result;
    swarm->count = 0;
    do {
        result = scheduler_run(swarm->scheduler, swarm->now_ns, 1000);
        for (size_t i = 0; i < result.count; i++)
            swarm_keep(swarm, &result.decisions[i]);
    } while (result.has_more);
}

/* What the last run decided about a task, or NULL. */
static inline const struct decided *swarm_of(const struct swarm *swarm, const char *task)
{
    for (size_t i = swarm->count; i-- > 0;)
        if (strcmp(swarm->decided[i].task, task) == 0)
            return &swarm->decided[i];
    return NULL;
}

static inline const char *swarm_node_of(const struct swarm *swarm, const char *task)
{
    const struct decided *decided = swarm_of(swarm, task);
    return decided && (decided->kind == SCHEDULER_ASSIGN || decided->kind == SCHEDULER_CONFIRM) ? decided->node : "(nowhere)";
}

static inline const char *swarm_text_of(const struct swarm *swarm, const char *task)
{
    const struct decided *decided = swarm_of(swarm, task);
    return decided && decided->text ? decided->text : "(not refused)";
}

static inline size_t swarm_placed_on(const struct swarm *swarm, const char *node)
{
    size_t count = 0;
    for (size_t i = 0; i < swarm->count; i++)
        count += text_equal(swarm->decided[i].node, node);
    return count;
}

/* The details say this. */
#define assert_details(swarm, task, want)                                                                                                  \
    do {                                                                                                                                   \
        const struct decided *decided_ = swarm_of(swarm, task);                                                                            \
        if (!decided_ || !decided_->details || !strstr(decided_->details, want))                                                           \
            fail_msg("%s: the details are \"%s\", without \"%s\"", task, decided_ && decided_->details ? decided_->details : "", want);    \
    } while (0)

#endif
