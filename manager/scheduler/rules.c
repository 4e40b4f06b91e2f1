/* Reading a task's rules, sharing them, and asking them of a node. */
#include "manager/scheduler/rules.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
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

static void read_plugins(struct sched_rules *rules, const Task *task)
{
    const TaskSpec *spec = task->spec;
    const ContainerSpec *container =
        spec && spec->runtime_case == DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER ? spec->container : NULL;

    rules->volume_plugins = arena_alloc(&rules->arena, ((container ? container->n_mounts : 0) + 1) * sizeof(char *));
    for (size_t i = 0; container && i < container->n_mounts; i++) {
        const char *name = volume_plugin(container->mounts[i]);
        if (name)
            rules->volume_plugins[rules->volume_plugin_count++] = arena_string(&rules->arena, name);
    }
    rules->network_plugins = arena_alloc(&rules->arena, (task->n_networks + 1) * sizeof(char *));
    for (size_t i = 0; i < task->n_networks; i++) {
        const Docker__Swarmkit__V1__Network *network = task->networks[i]->network;
        if (network && network->driver_state && !text_empty(network->driver_state->name))
            rules->network_plugins[rules->network_plugin_count++] = arena_string(&rules->arena, network->driver_state->name);
    }
    rules->log_plugin = arena_string(&rules->arena, "");
    if (spec && spec->log_driver && !text_empty(spec->log_driver->name) && !text_equal(spec->log_driver->name, "none"))
        rules->log_plugin = arena_string(&rules->arena, spec->log_driver->name);
}

static void read_placement(struct sched_rules *rules, const Docker__Swarmkit__V1__Placement *placement)
{
    size_t constraint_count = placement ? placement->n_constraints : 0, platform_count = placement ? placement->n_platforms : 0;

    rules->constraint_texts = arena_alloc(&rules->arena, (constraint_count + 1) * sizeof(char *));
    for (size_t i = 0; i < constraint_count; i++)
        rules->constraint_texts[rules->constraint_count++] = arena_string(&rules->arena, placement->constraints[i]);
    rules->platforms = arena_alloc(&rules->arena, (platform_count + 1) * sizeof *rules->platforms);
    for (size_t i = 0; i < platform_count; i++) {
        const Docker__Swarmkit__V1__Platform *platform = placement->platforms[i];
        rules->platforms[rules->platform_count++] = (struct scheduler_platform){
            arena_string(&rules->arena, text_empty(platform->os) ? "" : platform->os),
            arena_string(&rules->arena, text_empty(platform->architecture) ? "" : isolation_architecture_normal(platform->architecture)),
            ""};
    }
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
    if (!spec || spec->runtime_case != DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER || !spec->container)
        return ISOLATION_DEFAULT;
    switch (spec->container->isolation) {
    case DOCKER__SWARMKIT__V1__CONTAINER_SPEC__ISOLATION__ISOLATION_PROCESS:
        return ISOLATION_PROCESS;
    case DOCKER__SWARMKIT__V1__CONTAINER_SPEC__ISOLATION__ISOLATION_HYPERV:
        return ISOLATION_HYPERV;
    default:
        return ISOLATION_DEFAULT;
    }
}

/* A list into the key: its length in front of each text, so that no two lists look the same. */
static void key_texts(struct buf *key, char section, char *const *texts, size_t count)
{
    buf_append_format(key, "%c%zu:", section, count);
    for (size_t i = 0; i < count; i++)
        buf_append_format(key, "%zu:%s", strlen(texts[i]), texts[i]);
}

static void key_platforms(struct buf *key, char section, const struct scheduler_platform *platforms, size_t count)
{
    buf_append_format(key, "%c%zu:", section, count);
    for (size_t i = 0; i < count; i++)
        buf_append_format(key, "%zu:%s%zu:%s%zu:%s", strlen(platforms[i].os), platforms[i].os, strlen(platforms[i].architecture),
                          platforms[i].architecture, strlen(platforms[i].os_version), platforms[i].os_version);
}

static char *make_key(const struct sched_rules *rules)
{
    cleanup_buf struct buf key = {0};
    key_texts(&key, 'c', rules->constraint_texts, rules->constraint_count);
    key_texts(&key, 'v', rules->volume_plugins, rules->volume_plugin_count);
    key_texts(&key, 'n', rules->network_plugins, rules->network_plugin_count);
    key_texts(&key, 'l', &rules->log_plugin, 1);
    key_platforms(&key, 'p', rules->platforms, rules->platform_count);
    key_platforms(&key, 'i', rules->images, rules->image_count);
    buf_append_format(&key, "w%d", (int)rules->wish);
    return buf_steal_string(&key);
}

void sched_rules_free(struct scheduler *s, struct sched_rules *rules)
{
    s->verdict_bytes -= rules->verdict_count;
    free(rules->verdicts);
    free(rules->key);
    arena_deinit(&rules->arena);
    free(rules);
}

/* The one that is equal to @rules, which is taken. */
static struct sched_rules *share(struct scheduler *s, struct sched_rules *rules)
{
    rules->key = make_key(rules);
    struct sched_rules *known = sched_table_find(&s->rules, rules->key);
    if (known) {
        sched_rules_free(s, rules);
    } else {
        /* The control API has checked them; what it did not see is placed nowhere rather than anywhere. */
        rules->is_malformed =
            constraints_parse(rules->constraint_texts, rules->constraint_count, &rules->arena, &rules->constraints, NULL) < 0;
        sched_table_add(&s->rules, rules);
        known = rules;
    }
    known->use_count++;
    return known;
}

struct sched_rules *sched_rules_of(struct scheduler *s, const Task *task, const struct sched_image *image)
{
    struct sched_rules *rules = mem_alloc(sizeof *rules);
    read_plugins(rules, task);
    read_placement(rules, task->spec ? task->spec->placement : NULL);
    read_image(rules, image);
    rules->wish = wish_of(task->spec);
    return share(s, rules);
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
    return share(s, rules);
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
    else if (!platform_listed(rules, facts) || !sched_rules_judge(rules, facts, &verdict, NULL, 0))
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
