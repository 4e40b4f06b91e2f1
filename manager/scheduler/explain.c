/* Why no node takes a task: every node is asked once more, the answers are counted for SwarmKit's text, and equal ones are gathered for
 * ours. Gathering compares numbers and kept pointers only; texts are made for what is left at the end (explain_text.c). */
#include "manager/scheduler/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static enum sched_unready unready_of(const struct sched_node *node)
{
    switch (node->state) {
    case DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__READY:
        return node->availability == DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__DRAIN ? SCHED_DRAINED : SCHED_PAUSED;
    case DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__DOWN:
        return SCHED_DOWN;
    case DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__DISCONNECTED:
        return SCHED_DISCONNECTED;
    default:
        return SCHED_UNHEARD;
    }
}

static void miss_resource(const struct scheduler *s, const struct sched_group *group, const struct sched_node *node,
                          struct sched_miss *miss)
{
    const struct sched_load *load = &s->loads[node->index];
    if (group->cpu > 0 && group->cpu > load->cpu_free) {
        miss->which = SCHED_LACKS_CPU;
        miss->got = load->cpu_free;
    } else if (group->memory > 0 && group->memory > load->memory_free) {
        miss->which = SCHED_LACKS_MEMORY;
        miss->got = load->memory_free;
    } else {
        for (size_t i = 0; i < group->generic_count; i++) {
            miss->which = SCHED_LACKS_GENERIC + (uint32_t)i;
            miss->got = sched_generics_free(&node->generics, group->generics[i].kind);
            if (miss->got < group->generics[i].amount)
                break;
        }
    }
}

static void miss_constraint(const struct sched_rules *rules, const struct sched_node *node, struct sched_miss *miss)
{
    size_t failed = 0;
    if (rules->is_malformed) {
        miss->which = UINT32_MAX;
        return;
    }
    (void)constraints_hold(&rules->constraints, &node->facts.node, &failed);
    miss->which = (uint32_t)failed;
    miss->a = constraint_value_of(&rules->constraints.items[failed], &node->facts.node);
}

static void miss_platform(const struct sched_node *node, struct sched_miss *miss)
{
    const struct sched_facts *facts = &node->facts;
    miss->which = (uint32_t)facts->has_platform | (uint32_t)facts->reports_isolation << 1 | (uint32_t)facts->offers_process << 2 |
                  (uint32_t)facts->offers_hyperv << 3 | (uint32_t)facts->preferred << 4;
    miss->a = facts->node.os;
    miss->b = facts->node.architecture;
    miss->c = facts->os_version;
}

static void miss_port(const struct sched_group *group, const struct sched_node *node, struct sched_miss *miss)
{
    for (size_t i = group->port_count; i-- > 0;)
        if (sched_ports_has(&node->ports, group->ports[i]))
            miss->which = group->ports[i];
}

static struct sched_miss miss_of(const struct scheduler *s, const struct sched_group *group, const struct sched_node *node,
                                 enum scheduler_filter filter)
{
    struct sched_miss miss = {.filter = filter};
    switch (filter) {
    case SCHEDULER_FILTER_READY:
        miss.which = (uint32_t)unready_of(node);
        break;
    case SCHEDULER_FILTER_RESOURCE:
        miss_resource(s, group, node, &miss);
        break;
    case SCHEDULER_FILTER_PLUGIN:
        (void)sched_rules_missing_plugin(group->rules, &node->facts, &miss.a, &miss.b);
        break;
    case SCHEDULER_FILTER_CONSTRAINT:
        miss_constraint(group->rules, node, &miss);
        break;
    case SCHEDULER_FILTER_PLATFORM:
        miss_platform(node, &miss);
        break;
    case SCHEDULER_FILTER_HOST_PORT:
        miss_port(group, node, &miss);
        break;
    case SCHEDULER_FILTER_MAX_REPLICAS:
    case SCHEDULER_FILTER_VOLUMES:
    case SCHEDULER_FILTER_COUNT:
        break;
    }
    return miss;
}

static bool is_same(const struct sched_miss *x, const struct sched_miss *y)
{
    return x->filter == y->filter && x->which == y->which && x->a == y->a && x->b == y->b && x->c == y->c;
}

static void add_node(struct sched_reason *reason, const struct sched_miss *miss, const struct sched_node *node)
{
    reason->node_count++;
    if (miss->got > reason->miss.got) { /* nearer to enough: it is named first, and what would help is said of it */
        reason->miss.got = miss->got;
        if (reason->named_count < SCHEDULER_REFUSAL_NODES_COUNT)
            reason->named_count++;
        for (size_t i = reason->named_count - 1; i > 0; i--)
            reason->named[i] = reason->named[i - 1];
        reason->named[0] = node;
    } else if (reason->named_count < SCHEDULER_REFUSAL_NODES_COUNT) {
        reason->named[reason->named_count++] = node;
    }
}

static void gather(struct sched_reasons *reasons, const struct sched_miss *miss, const struct sched_node *node)
{
    for (size_t i = 0; i < reasons->count; i++) {
        if (is_same(&reasons->items[i].miss, miss)) {
            add_node(&reasons->items[i], miss, node);
            return;
        }
    }
    if (reasons->count == SCHEDULER_REFUSALS_COUNT) {
        reasons->left_out_count++;
        return;
    }
    reasons->items[reasons->count++] = (struct sched_reason){.miss = *miss, .node_count = 1, .named = {node}, .named_count = 1};
}

static void ask_node(struct scheduler *s, struct sched_group *group, const struct sched_node *node, struct sched_reasons *reasons)
{
    enum scheduler_filter filter = sched_check(s, group, node->index);
    reasons->counts[filter]++;
    reasons->node_count++;
    if (filter == SCHEDULER_FILTER_COUNT)
        return;
    struct sched_miss miss = miss_of(s, group, node, filter);
    gather(reasons, &miss, node);
}

static int by_nodes(const void *a, const void *b)
{
    const struct sched_reason *x = a, *y = b;
    if (x->node_count != y->node_count)
        return x->node_count < y->node_count ? 1 : -1;
    return (int)x->miss.filter - (int)y->miss.filter;
}

struct scheduler_explanation *sched_explain_group(struct scheduler *s, struct sched_group *group, unsigned *waits, bool *fits)
{
    struct sched_reasons reasons = {0};
    for (uint32_t i = 0; i < s->node_limit; i++)
        if (s->nodes[i] && s->nodes[i]->is_known)
            ask_node(s, group, s->nodes[i], &reasons);
    *fits = reasons.counts[SCHEDULER_FILTER_COUNT] > 0;
    *waits = 0;
    for (unsigned i = 0; i < SCHEDULER_FILTER_COUNT; i++)
        *waits |= reasons.counts[i] > 0 ? SCHED_BIT(i) : 0;
    qsort(reasons.items, reasons.count, sizeof reasons.items[0], by_nodes);
    return sched_explanation_of(s, group, &reasons, true);
}

struct scheduler_explanation *sched_explain_node(struct scheduler *s, struct sched_group *group, struct sched_node *node)
{
    struct sched_reasons reasons = {0};
    ask_node(s, group, node, &reasons);
    return sched_explanation_of(s, group, &reasons, false);
}
