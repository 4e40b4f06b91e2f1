/* tests/sim/cluster/services.c – what clients ask for: drawn, changed, and as the messages of Control. A service's label says which of all
 * wishes a spec is. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "google/protobuf/duration.pb-c.h"
#include "proto/message.h"
#include "tests/sim/cluster/cluster.h"

#define LABEL_GENERATION "sim.generation"

static const char *const constraints[] = {NULL,
                                          NULL,
                                          NULL,
                                          "node.platform.os==linux",
                                          "node.platform.os==windows",
                                          "node.hostname!=host1",
                                          "node.labels.zone==a",
                                          "node.labels.zone!=b"};

static unsigned below(struct cluster *cluster, unsigned bound)
{
    return (unsigned)cluster_below(cluster, bound);
}

struct wish services_draw(struct cluster *cluster, enum service_mode mode)
{
    struct wish wish = {.mode = mode,
                        .replicas = below(cluster, 6),
                        .image = cluster->plan.uses_images ? below(cluster, CLUSTER_IMAGE_BAD) : below(cluster, 3),
                        .generation = ++cluster->generations,
                        .restart = -1,
                        .restart_delay_ms = cluster_chance(cluster, 50) ? 5000 : 500,
                        .starts_first = cluster_chance(cluster, 30),
                        .parallelism = below(cluster, 3),
                        .action = (int)below(cluster, 3),
                        .ratio_percent = 50 * below(cluster, 2),
                        .lasts_s = 1 + below(cluster, 10)};

    if (cluster->plan.uses_images || cluster->plan.has_zones)
        wish.constraint = constraints[below(cluster, sizeof constraints / sizeof constraints[0])];
    if (cluster->plan.uses_images && wish.image >= 3 && cluster_chance(cluster, 50))
        wish.isolation = cluster_chance(cluster, 50) ? ISOLATION_PROCESS : ISOLATION_HYPERV;
    if (cluster_chance(cluster, 20)) {
        wish.restart = cluster_chance(cluster, 50) ? DOCKER__SWARMKIT__V1__RESTART_POLICY__RESTART_CONDITION__ON_FAILURE
                                                   : DOCKER__SWARMKIT__V1__RESTART_POLICY__RESTART_CONDITION__NONE;
        wish.restart_attempts = below(cluster, 3);
    }
    if (mode == MODE_REPLICATED && cluster_chance(cluster, 25)) {
        wish.is_guarded = true;
        wish.starts_first = false;
    } else if (cluster_chance(cluster, 15)) {
        wish.waits_for_lost = true;
    }
    return wish;
}

void services_change(struct cluster *cluster, struct wish *wish)
{
    wish->generation = ++cluster->generations;
    if (cluster_chance(cluster, 60))
        wish->replicas = below(cluster, 6);
    if (wish->image == CLUSTER_IMAGE_BAD)
        wish->image = wish->constraint || wish->isolation ? 2 : below(cluster, 3);
    else if (!cluster->sim->is_calm && wish->mode < MODE_JOB && cluster_chance(cluster, cluster->plan.bad_percent))
        wish->image = CLUSTER_IMAGE_BAD;
    else if (cluster_chance(cluster, 50))
        wish->image = wish->image < 3 ? below(cluster, 2) : 3 + below(cluster, 2);
    wish->parallelism = below(cluster, 3);
}

/* --- as messages --- */

static Google__Protobuf__Duration *duration_ms(struct arena *arena, int64_t ms)
{
    Google__Protobuf__Duration *duration = arena_alloc(arena, sizeof *duration);
    message_set_duration(duration, ms * (int64_t)NS_PER_MS);
    return duration;
}

static void add_label(struct arena *arena, Docker__Swarmkit__V1__Annotations *annotations, const char *key, const char *value)
{
    Docker__Swarmkit__V1__Annotations__LabelsEntry *label = arena_alloc(arena, sizeof *label);

    docker__swarmkit__v1__annotations__labels_entry__init(label);
    label->key = arena_string(arena, key);
    label->value = arena_string(arena, value);
    if (!annotations->labels)
        annotations->labels = arena_alloc(arena, 8 * sizeof *annotations->labels);
    annotations->labels[annotations->n_labels++] = label;
}

static char **one_string(struct arena *arena, const char *text)
{
    char *copy = arena_string(arena, text);
    return arena_copy(arena, (const void *)&copy, sizeof(char *));
}

static Docker__Swarmkit__V1__TaskSpec *task_spec(const struct wish *wish, struct arena *arena)
{
    Docker__Swarmkit__V1__TaskSpec *task = arena_alloc(arena, sizeof *task);
    Docker__Swarmkit__V1__ContainerSpec *container = arena_alloc(arena, sizeof *container);

    docker__swarmkit__v1__task_spec__init(task);
    docker__swarmkit__v1__container_spec__init(container);
    task->runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER;
    task->container = container;
    container->image = arena_string(arena, cluster_images[wish->image].name);
    if (wish->isolation == ISOLATION_PROCESS)
        container->isolation = DOCKER__SWARMKIT__V1__CONTAINER_SPEC__ISOLATION__ISOLATION_PROCESS;
    else if (wish->isolation == ISOLATION_HYPERV)
        container->isolation = DOCKER__SWARMKIT__V1__CONTAINER_SPEC__ISOLATION__ISOLATION_HYPERV;
    if (wish->mode >= MODE_JOB || wish->image == CLUSTER_IMAGE_BAD) {
        container->args = arena_alloc(arena, 2 * sizeof(char *));
        container->n_args = 2;
        container->args[0] = arena_string(arena, wish->image == CLUSTER_IMAGE_BAD ? "exit" : "sleep");
        container->args[1] = arena_format(arena, "%u", wish->image == CLUSTER_IMAGE_BAD ? 1 : wish->lasts_s);
    }
    if (wish->constraint) {
        task->placement = arena_alloc(arena, sizeof *task->placement);
        docker__swarmkit__v1__placement__init(task->placement);
        task->placement->constraints = one_string(arena, wish->constraint);
        task->placement->n_constraints = 1;
    }
    task->restart = arena_alloc(arena, sizeof *task->restart);
    docker__swarmkit__v1__restart_policy__init(task->restart);
    bool is_job = wish->mode >= MODE_JOB;
    task->restart->condition = wish->restart >= 0 ? (Docker__Swarmkit__V1__RestartPolicy__RestartCondition)wish->restart
                               : is_job           ? DOCKER__SWARMKIT__V1__RESTART_POLICY__RESTART_CONDITION__ON_FAILURE
                                                  : DOCKER__SWARMKIT__V1__RESTART_POLICY__RESTART_CONDITION__ANY;
    task->restart->max_attempts = wish->restart_attempts;
    task->restart->delay = duration_ms(arena, wish->restart_delay_ms);
    return task;
}

static void set_mode(ServiceSpec *spec, const struct wish *wish, struct arena *arena)
{
    switch (wish->mode) {
    case MODE_REPLICATED:
        spec->mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED;
        spec->replicated = arena_alloc(arena, sizeof *spec->replicated);
        docker__swarmkit__v1__replicated_service__init(spec->replicated);
        spec->replicated->replicas = wish->replicas;
        break;
    case MODE_GLOBAL:
        spec->mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_GLOBAL;
        spec->global = arena_alloc(arena, sizeof *spec->global);
        docker__swarmkit__v1__global_service__init(spec->global);
        break;
    case MODE_JOB:
        spec->mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED_JOB;
        spec->replicated_job = arena_alloc(arena, sizeof *spec->replicated_job);
        docker__swarmkit__v1__replicated_job__init(spec->replicated_job);
        spec->replicated_job->max_concurrent = 1 + wish->parallelism;
        spec->replicated_job->total_completions = wish->replicas;
        break;
    case MODE_GLOBAL_JOB:
        spec->mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_GLOBAL_JOB;
        spec->global_job = arena_alloc(arena, sizeof *spec->global_job);
        docker__swarmkit__v1__global_job__init(spec->global_job);
        break;
    }
}

static Docker__Swarmkit__V1__UpdateConfig *update_config(const struct wish *wish, struct arena *arena)
{
    Docker__Swarmkit__V1__UpdateConfig *update = arena_alloc(arena, sizeof *update);

    docker__swarmkit__v1__update_config__init(update);
    update->parallelism = wish->parallelism;
    update->delay = duration_ms(arena, 200);
    update->monitor = duration_ms(arena, 1000);
    update->failure_action = (Docker__Swarmkit__V1__UpdateConfig__FailureAction)wish->action;
    update->max_failure_ratio = (float)wish->ratio_percent / 100;
    update->order = wish->starts_first ? DOCKER__SWARMKIT__V1__UPDATE_CONFIG__UPDATE_ORDER__START_FIRST
                                       : DOCKER__SWARMKIT__V1__UPDATE_CONFIG__UPDATE_ORDER__STOP_FIRST;
    return update;
}

ServiceSpec *services_spec(const struct cluster *cluster, const char *name, const struct wish *wish, struct arena *arena)
{
    ServiceSpec *spec = arena_alloc(arena, sizeof *spec);

    (void)cluster;
    docker__swarmkit__v1__service_spec__init(spec);
    spec->annotations = arena_alloc(arena, sizeof *spec->annotations);
    docker__swarmkit__v1__annotations__init(spec->annotations);
    spec->annotations->name = arena_string(arena, name);
    add_label(arena, spec->annotations, LABEL_GENERATION, arena_format(arena, "%u", wish->generation));
    if (wish->is_guarded) {
        add_label(arena, spec->annotations, "skep.stop-after", "5s");
        add_label(arena, spec->annotations, "skep.lost-after", "15s");
    } else if (wish->waits_for_lost) {
        add_label(arena, spec->annotations, "skep.lost-after", "10s");
    }
    spec->task = task_spec(wish, arena);
    set_mode(spec, wish, arena);
    if (wish->mode < MODE_JOB)
        spec->update = update_config(wish, arena);
    return spec;
}

unsigned services_generation(const ServiceSpec *spec)
{
    for (size_t i = 0; spec && spec->annotations && i < spec->annotations->n_labels; i++)
        if (text_equal(spec->annotations->labels[i]->key, LABEL_GENERATION))
            return (unsigned)strtoul(spec->annotations->labels[i]->value, NULL, 10);
    return 0;
}

const struct wish *services_wish(const struct service_entry *entry, unsigned generation)
{
    if (entry->wish.generation == generation)
        return &entry->wish;
    for (size_t i = 0; i < entry->attempts_count; i++)
        if (entry->attempts[i].generation == generation)
            return &entry->attempts[i];
    return generation != 0 && entry->previous.generation == generation ? &entry->previous : NULL;
}
