/* Groups: what the tasks of one service and spec version want, read once. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/mem.h"
#include "base/text.h"
#include "manager/scheduler/generic_resource.h"
#include "manager/scheduler/inside.h"

typedef Docker__Swarmkit__V1__TaskSpec TaskSpec;
typedef Docker__Swarmkit__V1__Resources Resources;
typedef Docker__Swarmkit__V1__PortConfig Port;

/* A reservation beyond this fits nowhere, and its sums stay far from an int64's end. */
#define RESERVED_MOST ((int64_t)1 << 50)

#define NODE_LABEL_PREFIX   "node.labels."
#define ENGINE_LABEL_PREFIX "engine.labels."

static int64_t clamp(int64_t amount)
{
    return amount < 0 ? 0 : amount > RESERVED_MOST ? RESERVED_MOST : amount;
}

static bool is_host_port(const Port *port)
{
    return port->publish_mode == DOCKER__SWARMKIT__V1__PORT_CONFIG__PUBLISH_MODE__HOST && port->published_port != 0;
}

/* Service. */

static struct sched_service *need_service(struct scheduler *s, const char *id)
{
    struct sched_service *service = sched_table_find(&s->services, id);
    if (service)
        return service;
    size_t size = strlen(id) + 1;
    service = mem_alloc(sizeof *service + size);
    memcpy(service->id, id, size);
    sched_table_add(&s->services, service);
    return service;
}

static void let_service_go(struct scheduler *s, struct sched_service *service)
{
    if (service->groups)
        return;
    sched_table_remove(&s->services, service);
    sched_presence_deinit(&service->presence);
    free(service);
}

/* Of an attachment each names its own container, and all want the same. */
static uint64_t hash_spec(const TaskSpec *spec, uint64_t seed)
{
    uint8_t small[512];
    TaskSpec wishes = *spec;
    if (spec->runtime_case == DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_ATTACHMENT)
        wishes.runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME__NOT_SET;
    size_t size = docker__swarmkit__v1__task_spec__get_packed_size(&wishes);
    uint8_t *packed = size <= sizeof small ? small : mem_alloc(size);
    docker__swarmkit__v1__task_spec__pack(&wishes, packed);
    uint64_t hash = sched_hash(packed, size, seed);
    if (packed != small)
        free(packed);
    return hash;
}

/* What tells two groups of one service and version apart: what the allocator and the cluster's defaults put beside the spec. Without a
 * version, the spec itself. */
static uint64_t fingerprint_of(const Task *task)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < task->n_networks; i++) {
        const Docker__Swarmkit__V1__Network *network = task->networks[i]->network;
        const char *driver = network && network->driver_state ? network->driver_state->name : NULL;
        if (!text_empty(driver))
            hash = sched_hash(driver, strlen(driver), hash + 1);
    }
    for (size_t i = 0; task->endpoint && i < task->endpoint->n_ports; i++) {
        const Port *port = task->endpoint->ports[i];
        uint32_t key = sched_port_key((uint32_t)port->protocol, port->published_port);
        if (is_host_port(port))
            hash = sched_hash(&key, sizeof key, hash + 2);
    }
    return task->spec_version || !task->spec ? hash : hash_spec(task->spec, hash + 3);
}

/* Reading. */

static void add_generic(struct scheduler *s, struct sched_group *group, const char *kind, int64_t amount)
{
    const char *kept = sched_strings_keep(&s->strings, kind);
    for (size_t i = 0; i < group->generic_count; i++) {
        if (group->generics[i].kind != kept)
            continue;
        group->generics[i].amount = clamp(group->generics[i].amount + amount);
        sched_strings_release(&s->strings, kept);
        return;
    }
    group->generics[group->generic_count++] = (struct sched_generic_need){kept, amount};
}

static void read_resources(struct scheduler *s, struct sched_group *group, const Resources *reserved)
{
    if (!reserved)
        return;
    group->cpu = clamp(reserved->nano_cpus);
    group->memory = clamp(reserved->memory_bytes);
    if (reserved->n_generic > 0)
        group->generics = mem_array(reserved->n_generic, sizeof *group->generics);
    for (size_t i = 0; i < reserved->n_generic; i++) {
        const Docker__Swarmkit__V1__GenericResource *generic = reserved->generic[i];
        if (generic_discrete(generic) && generic->discrete_resource_spec->value > 0)
            add_generic(s, group, generic->discrete_resource_spec->kind, clamp(generic->discrete_resource_spec->value));
        else if (generic_named(generic)) /* a task may only ask for a number: what asks otherwise fits nowhere, as in SwarmKit */
            add_generic(s, group, generic->named_resource_spec->kind, RESERVED_MOST);
    }
}

static void read_ports(struct sched_group *group, const Docker__Swarmkit__V1__Endpoint *endpoint)
{
    if (endpoint && endpoint->n_ports > 0)
        group->ports = mem_array(endpoint->n_ports, sizeof *group->ports);
    for (size_t i = 0; endpoint && i < endpoint->n_ports; i++)
        if (is_host_port(endpoint->ports[i]))
            group->ports[group->port_count++] = sched_port_key((uint32_t)endpoint->ports[i]->protocol, endpoint->ports[i]->published_port);
}

static bool starts_fold(const char *text, const char *prefix)
{
    for (; *prefix; prefix++, text++)
        if ((*text >= 'A' && *text <= 'Z' ? *text - 'A' + 'a' : *text) != *prefix)
            return false;
    return *text != '\0';
}

/* What is no spread over labels is passed over, as SwarmKit does. */
static void read_preferences(struct scheduler *s, struct sched_group *group, const Docker__Swarmkit__V1__Placement *placement)
{
    size_t count = placement->n_preferences < SCHEDULER_PREFERENCES_COUNT ? placement->n_preferences : SCHEDULER_PREFERENCES_COUNT;
    if (count > 0)
        group->preferences = mem_array(count, sizeof *group->preferences);
    for (size_t i = 0; i < count; i++) {
        const Docker__Swarmkit__V1__PlacementPreference *preference = placement->preferences[i];
        const char *over =
            preference->preference_case == DOCKER__SWARMKIT__V1__PLACEMENT_PREFERENCE__PREFERENCE_SPREAD && preference->spread
                ? preference->spread->spread_descriptor
                : NULL;
        bool is_node = over && starts_fold(over, NODE_LABEL_PREFIX), is_engine = over && starts_fold(over, ENGINE_LABEL_PREFIX);
        if (!is_node && !is_engine)
            continue;
        const char *label = over + (is_node ? sizeof NODE_LABEL_PREFIX : sizeof ENGINE_LABEL_PREFIX) - 1;
        group->preferences[group->preference_count++] = (struct sched_preference){is_engine, sched_strings_keep(&s->strings, label)};
    }
}

static void read_container(struct scheduler *s, struct sched_group *group, const Docker__Swarmkit__V1__ContainerSpec *container)
{
    for (size_t i = 0; i < container->n_mounts; i++)
        if (container->mounts[i]->type == DOCKER__SWARMKIT__V1__MOUNT__TYPE__CLUSTER)
            group->wants_cluster_volume = true;
    if (text_empty(container->image))
        return;
    group->image = sched_image_need(s, container->image);
    DL_APPEND2(group->image->groups, group, image_prev, image_next);
}

static struct sched_group *new_group(struct scheduler *s, struct sched_service *service, const Task *task, uint64_t fingerprint)
{
    const TaskSpec *spec = task->spec;
    struct sched_group *group = mem_alloc(sizeof *group);
    group->service = service;
    group->has_version = task->spec_version != NULL;
    group->version = task->spec_version ? task->spec_version->index : 0;
    group->fingerprint = fingerprint;
    DL_PREPEND2(service->groups, group, service_prev, service_next);
    read_ports(group, task->endpoint);
    if (spec && spec->resources)
        read_resources(s, group, spec->resources->reservations);
    if (spec && spec->placement) {
        group->max_replicas = spec->placement->max_replicas;
        read_preferences(s, group, spec->placement);
    }
    if (spec && spec->runtime_case == DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER && spec->container)
        read_container(s, group, spec->container);
    group->rules = sched_rules_of(s, task, group->image);
    return group;
}

struct sched_group *sched_group_of(struct scheduler *s, const Task *task)
{
    uint64_t fingerprint = fingerprint_of(task), version = task->spec_version ? task->spec_version->index : 0;
    const char *service_id = task->service_id ? task->service_id : "";
    struct sched_service *service =
        s->last_group && strcmp(s->last_group->service->id, service_id) == 0 ? s->last_group->service : need_service(s, service_id);
    struct sched_group *group = NULL;
    DL_FOREACH2(service->groups, group, service_next)
    if (group->version == version && group->fingerprint == fingerprint && group->has_version == (task->spec_version != NULL))
        break;
    if (!group)
        group = new_group(s, service, task, fingerprint);
    return s->last_group = group;
}

void sched_group_free(struct scheduler *s, struct sched_group *group)
{
    for (size_t i = 0; i < group->generic_count; i++)
        sched_strings_release(&s->strings, group->generics[i].kind);
    for (size_t i = 0; i < group->preference_count; i++)
        sched_strings_release(&s->strings, group->preferences[i].label);
    free(group->generics);
    free(group->ports);
    free(group->preferences);
    free(group->hints);
    free(group->failing);
    free(group);
}

void sched_group_let_go(struct scheduler *s, struct sched_group *group)
{
    if (--group->use_count > 0)
        return;
    if (s->last_group == group)
        s->last_group = NULL;
    DL_DELETE2(group->service->groups, group, service_prev, service_next);
    let_service_go(s, group->service);
    if (group->image) {
        DL_DELETE2(group->image->groups, group, image_prev, image_next);
        sched_image_let_go(s, group->image);
    }
    sched_rules_let_go(s, group->rules);
    sched_group_free(s, group);
}
