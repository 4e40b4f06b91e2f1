/* Reading a task's rules, sharing them, and asking them of a node. */
#include "manager/scheduler/rules.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/mutant.h"
#include "base/text.h"
#include "manager/scheduler/inside.h"

typedef Docker__Swarmkit__V1__TaskSpec TaskSpec;
typedef Docker__Swarmkit__V1__ContainerSpec ContainerSpec;
typedef Docker__Swarmkit__V1__Mount Mount;

/* The driver of a mount that only some nodes have, or NULL. */
static const char *volume_plugin(const Mount *mount)
{
    const Docker__Swarmkit__V1__Driver *driver = mount->volume_options ? mount->volume_options->driver_config : NULL;
    if (mount->type != DOCKER__SWARMKIT__V1__MOUNT__TYPE__VOLUME || !driver || text_empty(driver->name) ||
        text_equal(driver->name, "local"))
        return NULL;
    return driver->name;
}

static const char *network_plugin(const Docker__Swarmkit__V1__NetworkAttachment *attachment)
{
    const Docker__Swarmkit__V1__Network *network = attachment->network;
    return network && network->driver_state && !text_empty(network->driver_state->name) ? network->driver_state->name : NULL;
}

static const char *log_plugin(const TaskSpec *spec)
{
    if (!spec || !spec->log_driver || text_empty(spec->log_driver->name) || text_equal(spec->log_driver->name, "none"))
        return "";
    return spec->log_driver->name;
}

static const char *platform_os(const Docker__Swarmkit__V1__Platform *platform)
{
    return text_empty(platform->os) ? "" : platform->os;
}

static const char *platform_architecture(const Docker__Swarmkit__V1__Platform *platform)
{
    return text_empty(platform->architecture) ? "" : isolation_architecture_normal(platform->architecture);
}

static const ContainerSpec *container_of(const TaskSpec *spec)
{
    return spec && spec->runtime_case == DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER ? spec->container : NULL;
}

static void read_plugins(struct sched_rules *rules, const Task *task)
{
    const ContainerSpec *container = container_of(task->spec);

    rules->volume_plugins = arena_alloc(&rules->arena, ((container ? container->n_mounts : 0) + 1) * sizeof(char *));
    for (size_t i = 0; container && i < container->n_mounts; i++) {
        const char *name = volume_plugin(container->mounts[i]);
        if (name)
            rules->volume_plugins[rules->volume_plugin_count++] = arena_string(&rules->arena, name);
    }
    rules->network_plugins = arena_alloc(&rules->arena, (task->n_networks + 1) * sizeof(char *));
    for (size_t i = 0; i < task->n_networks; i++) {
        const char *name = network_plugin(task->networks[i]);
        if (name)
            rules->network_plugins[rules->network_plugin_count++] = arena_string(&rules->arena, name);
    }
    rules->log_plugin = arena_string(&rules->arena, log_plugin(task->spec));
}

static void read_placement(struct sched_rules *rules, const Docker__Swarmkit__V1__Placement *placement)
{
    size_t constraint_count = placement ? placement->n_constraints : 0, platform_count = placement ? placement->n_platforms : 0;

    rules->constraint_texts = arena_alloc(&rules->arena, (constraint_count + 1) * sizeof(char *));
    for (size_t i = 0; i < constraint_count; i++)
        rules->constraint_texts[rules->constraint_count++] = arena_string(&rules->arena, placement->constraints[i]);
    rules->platforms = arena_alloc(&rules->arena, (platform_count + 1) * sizeof *rules->platforms);
    for (size_t i = 0; i < platform_count; i++)
        rules->platforms[rules->platform_count++] =
            (struct scheduler_platform){arena_string(&rules->arena, platform_os(placement->platforms[i])),
                                        arena_string(&rules->arena, platform_architecture(placement->platforms[i])), ""};
}

static void read_image(struct sched_rules *rules, const struct sched_image *image)
{
    rules->images = arena_alloc(&rules->arena, ((image ? image->platform_count : 0) + 1) * sizeof *rules->images);
    for (size_t i = 0; image && i < image->platform_count; i++)
        rules->images[rules->image_count++] = (struct scheduler_platform){arena_string(&rules->arena, image->platforms[i].os),
                                                                          arena_string(&rules->arena, image->platforms[i].architecture),
                                                                          arena_string(&rules->arena, image->platforms[i].os_version)};
}

static enum isolation wish_of(const TaskSpec *spec)
{
    const ContainerSpec *container = container_of(spec);
    if (!container)
        return ISOLATION_DEFAULT;
    switch (container->isolation) {
    case DOCKER__SWARMKIT__V1__CONTAINER_SPEC__ISOLATION__ISOLATION_PROCESS:
        return ISOLATION_PROCESS;
    case DOCKER__SWARMKIT__V1__CONTAINER_SPEC__ISOLATION__ISOLATION_HYPERV:
        return ISOLATION_HYPERV;
    default:
        return ISOLATION_DEFAULT;
    }
}

/* The key. Each item has its length in front, so that no two lists look the same. It is made for every group, also straight from a task,
 * so it is not worth a printf. */

static void key_item(struct buf *key, char kind, const char *text)
{
    char head[24];
    size_t length = strlen(text), at = sizeof head;
    head[--at] = ':';
    for (size_t rest = length; rest > 0; rest /= 10)
        head[--at] = (char)('0' + rest % 10);
    head[--at] = kind;
    buf_append(key, head + at, sizeof head - at);
    buf_append(key, text, length);
}

static void key_items(struct buf *key, char kind, char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        key_item(key, kind, texts[i]);
}

static void key_images(struct buf *key, const struct scheduler_platform *images, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        key_item(key, 'i', images[i].os);
        key_item(key, 'a', images[i].architecture);
        key_item(key, 'v', images[i].os_version);
    }
}

static void key_of_rules(struct buf *key, const struct sched_rules *rules)
{
    key_items(key, 'C', rules->constraint_texts, rules->constraint_count);
    key_items(key, 'V', rules->volume_plugins, rules->volume_plugin_count);
    key_items(key, 'N', rules->network_plugins, rules->network_plugin_count);
    key_item(key, 'L', rules->log_plugin);
    for (size_t i = 0; i < rules->platform_count; i++) {
        key_item(key, 'O', rules->platforms[i].os);
        key_item(key, 'A', rules->platforms[i].architecture);
    }
    key_images(key, rules->images, rules->image_count);
    key_item(key, 'W', isolation_name(rules->wish));
}

/* The same of the rules that @task would have. */
static void key_of_task(struct buf *key, const Task *task, const struct sched_image *image)
{
    const Docker__Swarmkit__V1__Placement *placement = task->spec ? task->spec->placement : NULL;
    const ContainerSpec *container = container_of(task->spec);
    if (placement)
        key_items(key, 'C', placement->constraints, placement->n_constraints);
    for (size_t i = 0; container && i < container->n_mounts; i++)
        if (volume_plugin(container->mounts[i]))
            key_item(key, 'V', volume_plugin(container->mounts[i]));
    for (size_t i = 0; i < task->n_networks; i++)
        if (network_plugin(task->networks[i]))
            key_item(key, 'N', network_plugin(task->networks[i]));
    key_item(key, 'L', log_plugin(task->spec));
    for (size_t i = 0; placement && i < placement->n_platforms; i++) {
        key_item(key, 'O', platform_os(placement->platforms[i]));
        key_item(key, 'A', platform_architecture(placement->platforms[i]));
    }
    if (image)
        key_images(key, image->platforms, image->platform_count);
    key_item(key, 'W', isolation_name(wish_of(task->spec)));
}

void sched_rules_free(struct scheduler *s, struct sched_rules *rules)
{
    s->verdict_bytes -= rules->verdict_count;
    free(rules->verdicts);
    free(rules->key);
    arena_deinit(&rules->arena);
    free(rules);
}

/* @rules, new, is taken and known from now on. */
static struct sched_rules *learn(struct scheduler *s, struct sched_rules *rules, const char *key)
{
    rules->key = mem_string(key);
    /* The control API has checked them; what it did not see is placed nowhere rather than anywhere. */
    rules->is_malformed = constraints_parse(rules->constraint_texts, rules->constraint_count, &rules->arena, &rules->constraints, NULL) < 0;
    sched_table_add(&s->rules, rules);
    rules->use_count = 1;
    return rules;
}

struct sched_rules *sched_rules_of(struct scheduler *s, const Task *task, const struct sched_image *image)
{
    buf_clear(&s->key);
    key_of_task(&s->key, task, image);
    struct sched_rules *rules = sched_table_find(&s->rules, (const char *)s->key.data);
    if (rules) {
        rules->use_count++;
        return rules;
    }
    rules = mem_alloc(sizeof *rules);
    read_plugins(rules, task);
    read_placement(rules, task->spec ? task->spec->placement : NULL);
    read_image(rules, image);
    rules->wish = wish_of(task->spec);
    return learn(s, rules, (const char *)s->key.data);
}

static char **copy_texts(struct arena *arena, char *const *texts, size_t count)
{
    char **copy = arena_alloc(arena, (count + 1) * sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = arena_string(arena, texts[i]);
    return copy;
}

struct sched_rules *sched_rules_with_image(struct scheduler *s, const struct sched_rules *old, const struct sched_image *image)
{
    struct sched_rules *rules = mem_alloc(sizeof *rules);
    struct arena *arena = &rules->arena;
    rules->constraint_texts = copy_texts(arena, old->constraint_texts, old->constraint_count);
    rules->constraint_count = old->constraint_count;
    rules->volume_plugins = copy_texts(arena, old->volume_plugins, old->volume_plugin_count);
    rules->volume_plugin_count = old->volume_plugin_count;
    rules->network_plugins = copy_texts(arena, old->network_plugins, old->network_plugin_count);
    rules->network_plugin_count = old->network_plugin_count;
    rules->log_plugin = arena_string(arena, old->log_plugin);
    rules->platforms = arena_alloc(arena, (old->platform_count + 1) * sizeof *rules->platforms);
    rules->platform_count = old->platform_count;
    for (size_t i = 0; i < old->platform_count; i++)
        rules->platforms[i] =
            (struct scheduler_platform){arena_string(arena, old->platforms[i].os), arena_string(arena, old->platforms[i].architecture), ""};
    read_image(rules, image);
    rules->wish = old->wish;
    buf_clear(&s->key);
    key_of_rules(&s->key, rules);
    struct sched_rules *known = sched_table_find(&s->rules, (const char *)s->key.data);
    if (!known)
        return learn(s, rules, (const char *)s->key.data);
    sched_rules_free(s, rules);
    known->use_count++;
    return known;
}

void sched_rules_let_go(struct scheduler *s, struct sched_rules *rules)
{
    if (--rules->use_count > 0)
        return;
    sched_table_remove(&s->rules, rules);
    sched_rules_free(s, rules);
}

/* Asking. */

static bool has_plugin(const struct sched_facts *facts, const char *type, const char *name)
{
    for (size_t i = 0; i < facts->plugin_count; i++) {
        const struct sched_plugin *plugin = &facts->plugins[i];
        size_t length = strlen(name);
        if (strcmp(plugin->type, type) == 0 && strncmp(plugin->name, name, length) == 0 &&
            (plugin->name[length] == '\0' || strcmp(plugin->name + length, ":latest") == 0))
            return true;
    }
    return false;
}

bool sched_rules_missing_plugin(const struct sched_rules *rules, const struct sched_facts *facts, const char **type, const char **name)
{
    if (!facts->has_engine)
        return false;
    *type = "Volume";
    for (size_t i = 0; i < rules->volume_plugin_count; i++) {
        *name = rules->volume_plugins[i];
        if (!has_plugin(facts, *type, *name))
            return true;
    }
    *type = "Network";
    for (size_t i = 0; i < rules->network_plugin_count; i++) {
        *name = rules->network_plugins[i];
        if (!has_plugin(facts, *type, *name))
            return true;
    }
    *type = "Log";
    *name = rules->log_plugin;
    return **name && facts->has_log_plugins && !has_plugin(facts, *type, *name); /* an old daemon lists none */
}

static bool platform_listed(const struct sched_rules *rules, const struct sched_facts *facts)
{
    const char *architecture = isolation_architecture_normal(facts->node.architecture);
    for (size_t i = 0; facts->has_platform && i < rules->platform_count; i++) {
        const struct scheduler_platform *platform = &rules->platforms[i];
        if ((!*platform->os || strcmp(platform->os, facts->node.os) == 0) &&
            (!*platform->architecture || strcmp(platform->architecture, architecture) == 0))
            return true;
    }
    return rules->platform_count == 0;
}

/* Does the rule's answer to one image of several tell more than that to another? */
static bool is_nearer(const struct isolation_verdict *a, const struct isolation_verdict *b)
{
    if (a->failed != b->failed)
        return a->failed > b->failed;
    return a->hyperv_would_work && !b->hyperv_would_work;
}

bool sched_rules_judge(const struct sched_rules *rules, const struct sched_facts *facts, struct isolation_verdict *verdict, char *why,
                       size_t size)
{
    static const struct scheduler_platform any = {"", "", ""};
    const struct isolation_host host = {.node = "",
                                        .os = facts->node.os,
                                        .architecture = facts->node.architecture,
                                        .os_version = facts->os_version,
                                        .offers_process = facts->offers_process || !facts->reports_isolation,
                                        .offers_hyperv = facts->offers_hyperv || !facts->reports_isolation,
                                        .preferred = facts->preferred};
    enum isolation first = rules->wish != ISOLATION_DEFAULT ? rules->wish : facts->preferred;
    bool is_possible = false;
    for (size_t i = 0; i < rules->image_count + (rules->image_count == 0); i++) {
        const struct scheduler_platform *entry = rules->image_count == 0 ? &any : &rules->images[i];
        const struct isolation_image image = {entry->os, entry->architecture, facts->reports_isolation ? entry->os_version : ""};
        struct isolation_verdict one = isolation_judge(&host, &image, rules->wish, NULL, 0);
        if (one.is_possible ? !is_possible || one.isolation == first : i == 0 || (!is_possible && is_nearer(&one, verdict))) {
            *verdict = one;
            if (!one.is_possible && why)
                (void)isolation_judge(&host, &image, rules->wish, why, size);
        }
        is_possible = is_possible || one.is_possible;
    }
    return is_possible;
}

static uint8_t ask(const struct sched_rules *rules, const struct sched_facts *facts)
{
    enum scheduler_filter filter = SCHEDULER_FILTER_COUNT;
    struct isolation_verdict verdict = {0};
    const char *type, *name;

    if (sched_rules_missing_plugin(rules, facts, &type, &name))
        filter = SCHEDULER_FILTER_PLUGIN;
    else if (rules->is_malformed || !constraints_hold(&rules->constraints, &facts->node, NULL))
        filter = SCHEDULER_FILTER_CONSTRAINT;
    else if ((!platform_listed(rules, facts) || !sched_rules_judge(rules, facts, &verdict, NULL, 0)) && !CLUSTER_MUTANT(ANY_HOST))
        filter = SCHEDULER_FILTER_PLATFORM;
    enum isolation isolation = verdict.is_possible && facts->reports_isolation ? verdict.isolation : ISOLATION_DEFAULT;
    return (uint8_t)((unsigned)filter + 1 + ((unsigned)isolation << 4));
}

static void forget_all(struct scheduler *s)
{
    for (size_t i = 0; i < s->rules.capacity; i++) {
        struct sched_rules *rules = s->rules.items[i];
        if (!rules)
            continue;
        free(rules->verdicts);
        rules->verdicts = NULL;
        rules->verdict_count = 0;
    }
    s->verdict_bytes = 0;
}

uint8_t sched_rules_ask(struct scheduler *s, struct sched_rules *rules, uint32_t node)
{
    if (node < rules->verdict_count && rules->verdicts[node] != 0)
        return rules->verdicts[node];
    if (node >= rules->verdict_count) {
        size_t count = s->node_capacity;
        if (s->verdict_bytes + count > SCHEDULER_VERDICTS_BYTES)
            forget_all(s);
        rules->verdicts = mem_resize(rules->verdicts, count);
        memset(rules->verdicts + rules->verdict_count, 0, count - rules->verdict_count);
        s->verdict_bytes += count - rules->verdict_count;
        rules->verdict_count = count;
    }
    return rules->verdicts[node] = ask(rules, &s->nodes[node]->facts);
}

void sched_rules_forget_node(struct scheduler *s, uint32_t node)
{
    for (size_t i = 0; i < s->rules.capacity; i++) {
        struct sched_rules *rules = s->rules.items[i];
        if (rules && node < rules->verdict_count)
            rules->verdicts[node] = 0;
    }
}
