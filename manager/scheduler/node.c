/* The nodes: what they say of themselves, and what their tasks take of them. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/mem.h"
#include "base/text.h"
#include "manager/scheduler/generic_resource.h"
#include "manager/scheduler/inside.h"

typedef Docker__Swarmkit__V1__NodeDescription Description;
typedef Docker__Swarmkit__V1__EngineDescription Engine;
typedef Docker__Swarmkit__V1__Resources Resources;

/* Sums that a hostile reservation could overflow: they wrap, and wrap back when the task goes. */
static int64_t plus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static int64_t minus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

/* Coming and going. */

static uint32_t new_index(struct scheduler *s)
{
    if (s->free_index_count > 0)
        return s->free_indexes[--s->free_index_count];
    if (s->node_limit == s->node_capacity) {
        s->node_capacity = s->node_capacity ? 2 * s->node_capacity : 64;
        s->nodes = mem_resize((void *)s->nodes, s->node_capacity * sizeof *s->nodes);
        s->loads = mem_resize(s->loads, s->node_capacity * sizeof *s->loads);
    }
    return s->node_limit++;
}

struct sched_node *sched_node_need(struct scheduler *s, const char *id)
{
    struct sched_node *node = sched_table_find(&s->nodes_by_id, id);
    if (node)
        return node;
    node = mem_alloc(sizeof *node);
    node->id = sched_strings_keep(&s->strings, id);
    node->index = new_index(s);
    node->generics.strings = &s->strings;
    node->facts.node = (struct constraint_node){"", "", "", "", "", false, NULL, NULL, 0, 0};
    node->facts.os_version = "";
    s->nodes[node->index] = node;
    s->loads[node->index] = (struct sched_load){0};
    sched_table_add(&s->nodes_by_id, node);
    return node;
}

static void forget_facts(struct scheduler *s, struct sched_facts *facts)
{
    s->windows_count -= *facts->os_version != '\0';
    struct constraint_node *node = &facts->node;
    const char *const texts[] = {node->hostname, node->address, node->os, node->architecture, facts->os_version};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        sched_strings_release(&s->strings, texts[i]);
    for (size_t i = 0; i < node->label_count + node->engine_label_count; i++) { /* one array: keep_facts() */
        sched_strings_release(&s->strings, node->labels[i].key);
        sched_strings_release(&s->strings, node->labels[i].value);
    }
    free((void *)node->labels);
    for (size_t i = 0; i < facts->plugin_count; i++) {
        sched_strings_release(&s->strings, facts->plugins[i].type);
        sched_strings_release(&s->strings, facts->plugins[i].name);
    }
    free(facts->plugins);
    *facts = (struct sched_facts){.node = {"", "", "", "", "", false, NULL, NULL, 0, 0}, .os_version = ""};
}

void sched_node_free(struct scheduler *s, struct sched_node *node)
{
    forget_facts(s, &node->facts);
    sched_generics_deinit(&node->generics);
    sched_ports_deinit(&node->ports);
    sched_strings_release(&s->strings, node->id);
    free(node);
}

void sched_node_let_go(struct scheduler *s, struct sched_node *node)
{
    if (node->is_known || node->task_count > 0)
        return;
    sched_table_remove(&s->nodes_by_id, node);
    s->nodes[node->index] = NULL;
    SCHED_GROW(s->free_indexes, s->free_index_count, s->free_index_capacity);
    s->free_indexes[s->free_index_count++] = node->index;
    sched_node_free(s, node);
}

void sched_node_touch(struct scheduler *s, struct sched_node *node, unsigned bits)
{
    if (s->blocked_count == 0 && !node->waiting)
        return; /* whoever comes later sees the node as it is then */
    if (node->dirty == 0) {
        SCHED_GROW(s->dirty, s->dirty_count, s->dirty_capacity);
        s->dirty[s->dirty_count++] = node->index;
    }
    node->dirty |= bits;
}

/* What it says of itself. */

static uint64_t hash_text(const char *text, uint64_t seed)
{
    return text ? sched_hash(text, strlen(text), seed + 1) : seed;
}

static uint64_t hash_facts(const Node *message, const struct constraint_node *node)
{
    const char *const texts[] = {node->hostname, node->address, node->os, node->architecture};
    const Engine *engine = message->description ? message->description->engine : NULL;
    uint64_t hash = (uint64_t)node->is_manager + 2 * (uint64_t)(engine != NULL) +
                    4 * (uint64_t)(message->description && message->description->platform) + 8 * node->label_count;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        hash = hash_text(texts[i], hash);
    for (size_t i = 0; i < node->label_count + node->engine_label_count; i++)
        hash = hash_text(node->labels[i].value, hash_text(node->labels[i].key, hash));
    for (size_t i = 0; engine && i < engine->n_plugins; i++)
        hash = hash_text(engine->plugins[i]->name, hash_text(engine->plugins[i]->type, hash));
    return hash;
}

/* @read borrows from the message; the same with kept strings. */
static void keep_node(struct scheduler *s, const char *id, const struct constraint_node *read, struct constraint_node *out)
{
    size_t count = read->label_count + read->engine_label_count;
    struct constraint_label *labels = mem_array(count + 1, sizeof *labels);
    for (size_t i = 0; i < count; i++)
        labels[i] = (struct constraint_label){sched_strings_keep(&s->strings, read->labels[i].key),
                                              sched_strings_keep(&s->strings, read->labels[i].value)};
    *out = (struct constraint_node){.id = id,
                                    .hostname = sched_strings_keep(&s->strings, read->hostname),
                                    .address = sched_strings_keep(&s->strings, read->address),
                                    .os = sched_strings_keep(&s->strings, read->os),
                                    .architecture = sched_strings_keep(&s->strings, read->architecture),
                                    .is_manager = read->is_manager,
                                    .labels = labels,
                                    .engine_labels = labels + read->label_count,
                                    .label_count = read->label_count,
                                    .engine_label_count = read->engine_label_count};
}

static void keep_plugins(struct scheduler *s, const Engine *engine, struct sched_facts *facts)
{
    facts->has_engine = engine != NULL;
    facts->plugins = engine ? mem_array(engine->n_plugins + 1, sizeof *facts->plugins) : NULL;
    for (size_t i = 0; engine && i < engine->n_plugins; i++) {
        facts->plugins[facts->plugin_count++] = (struct sched_plugin){sched_strings_keep(&s->strings, engine->plugins[i]->type),
                                                                      sched_strings_keep(&s->strings, engine->plugins[i]->name)};
        if (text_equal(engine->plugins[i]->type, "Log"))
            facts->has_log_plugins = true;
    }
}

/* A Skep node tells its isolations and its Windows build as engine labels: agent/description.c. */
static void keep_isolation(struct scheduler *s, struct sched_facts *facts)
{
    facts->preferred = ISOLATION_PROCESS;
    for (size_t i = 0; i < facts->node.engine_label_count; i++) {
        const struct constraint_label *label = &facts->node.engine_labels[i];
        bool is_true = text_equal(label->value, "true");
        if (text_equal(label->key, "skep.isolation.process")) {
            facts->reports_isolation = true;
            facts->offers_process = is_true;
        } else if (text_equal(label->key, "skep.isolation.hyperv")) {
            facts->reports_isolation = true;
            facts->offers_hyperv = is_true;
        } else if (text_equal(label->key, "skep.isolation.default") && text_equal(label->value, "hyperv")) {
            facts->preferred = ISOLATION_HYPERV;
        } else if (text_equal(label->key, "skep.os.build") && *label->value) { /* "20348.2322", without the version that never changes */
            bool is_whole = text_starts(label->value, "10.0.");
            cleanup_free char *version = mem_format("%s%s", is_whole ? "" : "10.0.", label->value);
            sched_strings_release(&s->strings, facts->os_version);
            facts->os_version = sched_strings_keep(&s->strings, version);
        }
    }
}

static void keep_facts(struct scheduler *s, struct sched_node *node, const Node *message, const struct constraint_node *read)
{
    const Description *description = message->description;
    forget_facts(s, &node->facts);
    keep_node(s, node->id, read, &node->facts.node);
    node->facts.has_platform = description && description->platform;
    keep_plugins(s, description ? description->engine : NULL, &node->facts);
    keep_isolation(s, &node->facts);
    s->windows_count += *node->facts.os_version != '\0';
}

static uint64_t hash_generics(const Resources *resources)
{
    uint64_t hash = 0;
    for (size_t i = 0; resources && i < resources->n_generic; i++) {
        const Docker__Swarmkit__V1__GenericResource *generic = resources->generic[i];
        if (generic_named(generic))
            hash = hash_text(generic->named_resource_spec->value, hash_text(generic->named_resource_spec->kind, hash + 1));
        else if (generic_discrete(generic))
            hash = hash_text(generic->discrete_resource_spec->kind, hash + 2) + (uint64_t)generic->discrete_resource_spec->value;
    }
    return hash;
}

/* The filters that it may pass now. */
static unsigned set_resources(struct scheduler *s, struct sched_node *node, const Resources *resources)
{
    struct sched_load *load = &s->loads[node->index];
    int64_t cpu = resources ? resources->nano_cpus : 0, memory = resources ? resources->memory_bytes : 0;
    uint64_t hash = hash_generics(resources);
    bool has_more = cpu > node->cpu_total || memory > node->memory_total || hash != node->generics_hash;
    load->cpu_free = plus(load->cpu_free, minus(cpu, node->cpu_total));
    load->memory_free = plus(load->memory_free, minus(memory, node->memory_total));
    node->cpu_total = cpu;
    node->memory_total = memory;
    if (hash != node->generics_hash)
        sched_generics_offer(&node->generics, resources ? resources->generic : NULL, resources ? resources->n_generic : 0);
    node->generics_hash = hash;
    return has_more ? SCHED_BIT(SCHEDULER_FILTER_RESOURCE) : 0;
}

/* The filters that it may pass now. */
static unsigned set_ready(struct scheduler *s, struct sched_node *node, bool is_ready)
{
    struct sched_load *load = &s->loads[node->index];
    if (load->is_ready == is_ready)
        return 0;
    load->is_ready = is_ready;
    if (is_ready) {
        sched_order_insert(&s->order, node->index, load->active_count);
        s->ready_count++;
        return SCHED_EVERY;
    }
    sched_order_remove(&s->order, node->index, load->active_count);
    s->ready_count--;
    return SCHED_GONE;
}

int scheduler_node_set(struct scheduler *s, const Node *message, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    struct constraint_node read;

    if (text_empty(message->id))
        return error_set(err, ERR_INVALID, "a node without an id");
    struct sched_node *node = sched_table_find(&s->nodes_by_id, message->id);
    if (!(node && node->is_known) && s->known_count >= SCHEDULER_NODES_COUNT)
        return error_set(err, ERR_LIMIT, "node %s: %d nodes are known already", message->id, SCHEDULER_NODES_COUNT);
    node = sched_node_need(s, message->id);
    constraint_node_read(message, &arena, &read);
    uint64_t hash = hash_facts(message, &read);
    unsigned bits = 0;
    if (!node->is_known || hash != node->facts_hash) {
        keep_facts(s, node, message, &read);
        if (node->is_known)
            sched_rules_forget_node(s, node->index);
        bits |= SCHED_STATIC;
    }
    bool is_new = !node->is_known;
    s->known_count += is_new;
    node->is_known = true;
    node->facts_hash = hash;
    node->state = message->status ? (int)message->status->state : 0;
    node->availability = message->spec ? (int)message->spec->availability : 0;
    bits |= set_resources(s, node, message->description ? message->description->resources : NULL);
    bits |= set_ready(s, node,
                      node->state == DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__READY &&
                          node->availability == DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__ACTIVE);
    if (bits != 0)
        sched_node_touch(s, node, bits);
    if (is_new && !s->loads[node->index].is_ready)
        sched_queue_all_stale(s); /* nobody is helped, and it is one more that does not take them */
    return 0;
}

void scheduler_node_remove(struct scheduler *s, const char *id)
{
    struct sched_node *node = sched_table_find(&s->nodes_by_id, id);
    if (!node || !node->is_known)
        return;
    (void)set_ready(s, node, false);
    (void)set_resources(s, node, NULL);
    forget_facts(s, &node->facts);
    node->facts.node.id = node->id;
    node->is_known = false;
    node->state = node->availability = 0;
    s->known_count--;
    sched_rules_forget_node(s, node->index);
    sched_failures_forget_node(s, node->index);
    sched_queue_all_stale(s); /* not by its dirt, which goes with it */
    sched_node_let_go(s, node);
}

/* What its tasks take. */

void sched_node_activate(struct scheduler *s, struct sched_task *task)
{
    struct sched_load *load = &s->loads[task->node->index];
    task->is_active = true;
    sched_presence_add(&task->group->service->presence, task->node->index);
    if (load->is_ready)
        sched_order_raise(&s->order, task->node->index, load->active_count);
    load->active_count++;
}

void sched_node_deactivate(struct scheduler *s, struct sched_task *task)
{
    struct sched_load *load = &s->loads[task->node->index];
    struct sched_group *group;

    task->is_active = false;
    sched_presence_drop(&task->group->service->presence, task->node->index);
    if (load->is_ready)
        sched_order_lower(&s->order, task->node->index, load->active_count);
    load->active_count--;
    DL_FOREACH2(task->group->service->groups, group, service_next)
    if (group->max_replicas > 0)
        sched_node_touch(s, task->node, SCHED_BIT(SCHEDULER_FILTER_MAX_REPLICAS));
}

void sched_node_bear(struct scheduler *s, struct sched_task *task)
{
    struct sched_node *node = task->node;
    const struct sched_group *group = task->group;
    struct sched_load *load = &s->loads[node->index];

    load->cpu_free = minus(load->cpu_free, group->cpu);
    load->memory_free = minus(load->memory_free, group->memory);
    for (size_t i = 0; i < group->port_count; i++)
        sched_ports_take(&node->ports, group->ports[i]);
}

void sched_node_unbear(struct scheduler *s, struct sched_task *task)
{
    struct sched_node *node = task->node;
    const struct sched_group *group = task->group;
    struct sched_load *load = &s->loads[node->index];
    unsigned bits = 0;

    load->cpu_free = plus(load->cpu_free, group->cpu);
    load->memory_free = plus(load->memory_free, group->memory);
    if (group->cpu > 0 || group->memory > 0 || task->grant)
        bits |= SCHED_BIT(SCHEDULER_FILTER_RESOURCE);
    for (size_t i = 0; i < group->port_count; i++) {
        sched_ports_give(&node->ports, group->ports[i]);
        bits |= SCHED_BIT(SCHEDULER_FILTER_HOST_PORT);
    }
    sched_generics_release(&node->generics, task->grant);
    task->grant = NULL;
    if (bits != 0)
        sched_node_touch(s, node, bits);
}
