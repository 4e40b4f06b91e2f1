/* manager/orchestrator/enforcer.c – tasks whose node no longer satisfies what they ask for are rejected, so that they are placed anew. Only
 * on active nodes: a drained one is emptied anyway, a paused one is left alone. Source: swarmkit-wire §7.8. */
#include <stdlib.h>

#include "base/mem.h"
#include "manager/orchestrator/inside.h"

/* What the node has, less what its tasks reserve. */
struct left {
    int64_t nano_cpus, memory_bytes;
    const Docker__Swarmkit__V1__Resources *total;
    int64_t *generic; /* one for each kind in @total, in its order */
};

static const char *generic_kind(const Docker__Swarmkit__V1__GenericResource *resource, int64_t *count)
{
    *count = 1;
    if (resource->resource_case == DOCKER__SWARMKIT__V1__GENERIC_RESOURCE__RESOURCE_NAMED_RESOURCE_SPEC)
        return resource->named_resource_spec->kind;
    if (resource->resource_case != DOCKER__SWARMKIT__V1__GENERIC_RESOURCE__RESOURCE_DISCRETE_RESOURCE_SPEC)
        return "";
    *count = resource->discrete_resource_spec->value;
    return resource->discrete_resource_spec->kind;
}

static void begin_left(struct left *left, const Docker__Swarmkit__V1__Resources *total)
{
    *left = (struct left){.nano_cpus = total->nano_cpus, .memory_bytes = total->memory_bytes, .total = total};
    left->generic = mem_array(total->n_generic + 1, sizeof *left->generic);
    for (size_t i = 0; i < total->n_generic; i++)
        generic_kind(total->generic[i], &left->generic[i]);
}

/* Several entries of one kind count together. */
static int64_t generic_left(const struct left *left, const char *wanted)
{
    int64_t sum = 0, unused;

    for (size_t i = 0; i < left->total->n_generic; i++)
        if (strcmp(generic_kind(left->total->generic[i], &unused), wanted) == 0)
            sum += left->generic[i];
    return sum;
}

static void take_generic(struct left *left, const char *wanted, int64_t count)
{
    int64_t unused;

    for (size_t i = 0; i < left->total->n_generic && count > 0; i++) {
        if (strcmp(generic_kind(left->total->generic[i], &unused), wanted) != 0)
            continue;
        int64_t part = left->generic[i] < count ? left->generic[i] : count;
        left->generic[i] -= part;
        count -= part;
    }
}

/* Takes what the task reserves, if it is there. */
static bool take(struct left *left, const Docker__Swarmkit__V1__Resources *reserved)
{
    int64_t count;

    if (reserved->memory_bytes > left->memory_bytes || reserved->nano_cpus > left->nano_cpus)
        return false;
    for (size_t i = 0; i < reserved->n_generic; i++) {
        const char *kind = generic_kind(reserved->generic[i], &count);
        if (count > generic_left(left, kind))
            return false;
    }
    left->memory_bytes -= reserved->memory_bytes;
    left->nano_cpus -= reserved->nano_cpus;
    for (size_t i = 0; i < reserved->n_generic; i++) {
        const char *kind = generic_kind(reserved->generic[i], &count);
        take_generic(left, kind, count);
    }
    return true;
}

/* The service's constraints of now: an update of nothing else leaves its tasks with the old ones. */
static const Docker__Swarmkit__V1__Placement *placement_of(const struct view_task *task)
{
    if (task->slot && task->slot->service->object)
        return service_placement(task->slot->service);
    return task_message(task)->spec ? task_message(task)->spec->placement : NULL;
}

static void enforce(struct orchestrator *orchestrator, struct view_task *task)
{
    if (task->slot && task->slot->writes == 0) /* what it is may not be known yet: nodes are looked at first */
        slot_classify(orchestrator, task->slot);
    changes_group(orchestrator);
    changes_reject(orchestrator, task, "task rejected by constraint enforcer", "assigned node no longer meets constraints");
    if (task->slot)
        slot_promise(task->slot, task->slot->class);
}

void enforcer_look(struct orchestrator *orchestrator, struct view_node *node)
{
    static const Docker__Swarmkit__V1__Resources nothing = DOCKER__SWARMKIT__V1__RESOURCES__INIT;
    const Docker__Swarmkit__V1__Node *message = node_message(node);
    const struct orchestrator_rules *rules = &orchestrator->rules;
    struct left left;

    if (message == NULL || (message->spec && message->spec->availability != DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__ACTIVE))
        return;
    bool is_described = message->description && message->description->resources;
    begin_left(&left, is_described ? message->description->resources : &nothing);
    for (struct view_task *task = node->tasks; task; task = task->node_next) {
        const Docker__Swarmkit__V1__TaskSpec *spec = task_message(task)->spec;
        bool is_over = task_state(task) > STATE(RUNNING) || task_desired(task) > STATE(COMPLETE);
        if (is_over || task_state(task) < STATE(ASSIGNED))
            continue;
        const Docker__Swarmkit__V1__Resources *reserved = spec && spec->resources ? spec->resources->reservations : NULL;
        bool fits = rules->node_fits(rules->self, message, placement_of(task));
        if (!fits || (is_described && reserved && !take(&left, reserved)))
            enforce(orchestrator, task);
    }
    free(left.generic);
}
