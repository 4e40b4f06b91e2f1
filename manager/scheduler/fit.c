/* manager/scheduler/fit.c – see fit.h. */
#include "manager/scheduler/fit.h"

#include <inttypes.h>

#include "base/mem.h"
#include "base/text.h"
#include "manager/scheduler/generic_resource.h"
#include "proto/swarmkit/objects.pb-c.h"

typedef Docker__Swarmkit__V1__GenericResource GenericResource;
typedef Docker__Swarmkit__V1__Resources Resources;
typedef Docker__Swarmkit__V1__Task Task;

struct fit_kind {
    const char *kind;
    int64_t left;
};

void fit_init(struct fit *fit, const Docker__Swarmkit__V1__Node *node)
{
    *fit = (struct fit){.resources = node->description ? node->description->resources : NULL};
    constraint_node_read(node, &fit->arena, &fit->node);
    if (!fit->resources)
        return;
    fit->cpu_free = fit->resources->nano_cpus;
    fit->memory_free = fit->resources->memory_bytes;
    fit->kinds = arena_alloc(&fit->arena, (fit->resources->n_generic + 1) * sizeof *fit->kinds);
    for (size_t i = 0; i < fit->resources->n_generic; i++) {
        const GenericResource *generic = fit->resources->generic[i];
        if (generic_discrete(generic))
            fit->kinds[fit->kind_count++] =
                (struct fit_kind){generic->discrete_resource_spec->kind, generic->discrete_resource_spec->value};
    }
}

void fit_deinit(struct fit *fit)
{
    arena_deinit(&fit->arena);
}

int fit_constraints(struct fit *fit, const Docker__Swarmkit__V1__Placement *placement, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    struct constraints constraints;
    size_t failed = 0;

    if (!placement)
        return 0;
    int result = constraints_parse(placement->constraints, placement->n_constraints, &arena, &constraints, err);
    if (result < 0 || constraints_hold(&constraints, &fit->node, &failed))
        return result;
    return error_set(err, ERR_PRECONDITION, "node %s: constraint %s does not hold: the node has \"%s\"", fit->node.id,
                     constraints.items[failed].text, constraint_value_of(&constraints.items[failed], &fit->node));
}

static struct fit_kind *find_kind(struct fit *fit, const char *kind)
{
    for (size_t i = 0; i < fit->kind_count; i++)
        if (text_equal(fit->kinds[i].kind, kind))
            return &fit->kinds[i];
    return NULL;
}

static bool has_value(const struct fit *fit, const char *kind, const char *value)
{
    for (size_t i = 0; fit->resources && i < fit->resources->n_generic; i++) {
        const GenericResource *generic = fit->resources->generic[i];
        if (generic_named(generic) && text_equal(generic->named_resource_spec->kind, kind) &&
            text_equal(generic->named_resource_spec->value, value))
            return true;
    }
    return false;
}

/* Is what the task was given still the node's to give? */
static int check_generic(struct fit *fit, const GenericResource *given, struct error *err)
{
    if (generic_named(given)) {
        if (has_value(fit, given->named_resource_spec->kind, given->named_resource_spec->value))
            return 0;
        return error_set(err, ERR_PRECONDITION, "node %s: it has no %s \"%s\" any more", fit->node.id, given->named_resource_spec->kind,
                         given->named_resource_spec->value);
    }
    if (!generic_discrete(given))
        return 0;
    const struct fit_kind *kind = find_kind(fit, given->discrete_resource_spec->kind);
    if (kind && kind->left >= given->discrete_resource_spec->value)
        return 0;
    return error_set(err, ERR_PRECONDITION, "node %s: %s: %" PRId64 " wanted, %" PRId64 " left", fit->node.id,
                     given->discrete_resource_spec->kind, given->discrete_resource_spec->value, kind ? kind->left : 0);
}

static int check_resources(struct fit *fit, const Task *task, int64_t cpu, int64_t memory, struct error *err)
{
    if (cpu > 0 && cpu > fit->cpu_free)
        return error_set(err, ERR_PRECONDITION, "node %s: nano CPUs: %" PRId64 " reserved, %" PRId64 " left", fit->node.id, cpu,
                         fit->cpu_free);
    if (memory > 0 && memory > fit->memory_free)
        return error_set(err, ERR_PRECONDITION, "node %s: memory: %" PRId64 " bytes reserved, %" PRId64 " left", fit->node.id, memory,
                         fit->memory_free);
    for (size_t i = 0; i < task->n_assigned_generic_resources; i++)
        if (check_generic(fit, task->assigned_generic_resources[i], err) < 0)
            return ERR_PRECONDITION;
    return 0;
}

int fit_take(struct fit *fit, const Docker__Swarmkit__V1__Placement *placement, const Task *task, struct error *err)
{
    const Docker__Swarmkit__V1__ResourceRequirements *requirements = task->spec ? task->spec->resources : NULL;
    const Resources *reserved = requirements ? requirements->reservations : NULL;
    int64_t cpu = reserved ? reserved->nano_cpus : 0, memory = reserved ? reserved->memory_bytes : 0;

    int result = fit_constraints(fit, placement, err);
    if (result == 0)
        result = check_resources(fit, task, cpu, memory, err);
    if (result < 0)
        return result;
    fit->cpu_free -= cpu > 0 ? cpu : 0;
    fit->memory_free -= memory > 0 ? memory : 0;
    for (size_t i = 0; i < task->n_assigned_generic_resources; i++) {
        const GenericResource *given = task->assigned_generic_resources[i];
        struct fit_kind *kind = generic_discrete(given) ? find_kind(fit, given->discrete_resource_spec->kind) : NULL;
        if (kind && given->discrete_resource_spec->value > 0)
            kind->left -= given->discrete_resource_spec->value;
    }
    return 0;
}
