/* May this node take one more task of this group? Once fast, for choosing, and once in SwarmKit's order, for saying why not. */
#include "manager/scheduler/inside.h"

bool sched_has_resources(const struct scheduler *s, const struct sched_group *group, uint32_t node)
{
    const struct sched_load *load = &s->loads[node];
    if ((group->cpu > 0 && group->cpu > load->cpu_free) || (group->memory > 0 && group->memory > load->memory_free))
        return false;
    for (size_t i = 0; i < group->generic_count; i++)
        if (sched_generics_free(&s->nodes[node]->generics, group->generics[i].kind) < group->generics[i].amount)
            return false;
    return true;
}

static bool has_port_in_use(const struct scheduler *s, const struct sched_group *group, uint32_t node)
{
    for (size_t i = 0; i < group->port_count; i++)
        if (sched_ports_has(&s->nodes[node]->ports, group->ports[i]))
            return true;
    return false;
}

static bool is_full(const struct sched_group *group, uint32_t node)
{
    return group->max_replicas > 0 && sched_presence_count(&group->service->presence, node) >= group->max_replicas;
}

bool sched_fits(struct scheduler *s, struct sched_group *group, uint32_t node)
{
    s->visit_count++;
    return s->loads[node].is_ready && sched_verdict_filter(sched_rules_ask(s, group->rules, node)) == SCHEDULER_FILTER_COUNT &&
           sched_has_resources(s, group, node) && !has_port_in_use(s, group, node) && !is_full(group, node) && !group->wants_cluster_volume;
}

enum scheduler_filter sched_check(struct scheduler *s, struct sched_group *group, uint32_t node)
{
    s->visit_count++;
    if (!s->loads[node].is_ready)
        return SCHEDULER_FILTER_READY;
    if (!sched_has_resources(s, group, node))
        return SCHEDULER_FILTER_RESOURCE;
    enum scheduler_filter filter = sched_verdict_filter(sched_rules_ask(s, group->rules, node));
    if (filter != SCHEDULER_FILTER_COUNT)
        return filter;
    if (has_port_in_use(s, group, node))
        return SCHEDULER_FILTER_HOST_PORT;
    if (is_full(group, node))
        return SCHEDULER_FILTER_MAX_REPLICAS;
    return group->wants_cluster_volume ? SCHEDULER_FILTER_VOLUMES : SCHEDULER_FILTER_COUNT;
}
