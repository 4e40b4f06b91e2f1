/* manager/control/service_defaults.c – what SwarmKit takes where a service's spec says nothing: swarmkit-wire §7.4, §7.5, §7.11. */
#include "base/clock.h"
#include "google/protobuf/duration.pb-c.h"
#include "manager/control/inside.h"
#include "proto/message.h"

static struct Google__Protobuf__Duration *seconds(int64_t count, struct arena *arena)
{
    struct Google__Protobuf__Duration *duration = arena_alloc(arena, sizeof *duration);

    message_set_duration(duration, count * (int64_t)NS_PER_S);
    return duration;
}

static Docker__Swarmkit__V1__ContainerSpec *container_with_defaults(const Docker__Swarmkit__V1__ContainerSpec *given, struct arena *arena)
{
    Docker__Swarmkit__V1__ContainerSpec *container = message_again(arena, &given->base);

    if (container->stop_grace_period == NULL)
        container->stop_grace_period = seconds(TASK_STOP_GRACE_MS / 1000, arena);
    if (container->pull_options == NULL)
        container->pull_options = message_in(arena, DESCRIPTOR(container_spec__pull_options));
    if (container->dns_config == NULL)
        container->dns_config = message_in(arena, DESCRIPTOR(container_spec__dnsconfig));
    return container;
}

static Docker__Swarmkit__V1__RestartPolicy *restart_with_defaults(const Docker__Swarmkit__V1__RestartPolicy *given, struct arena *arena)
{
    Docker__Swarmkit__V1__RestartPolicy *restart =
        given ? message_again(arena, &given->base) : message_in(arena, DESCRIPTOR(restart_policy));

    if (given == NULL)
        restart->condition = DOCKER__SWARMKIT__V1__RESTART_POLICY__RESTART_CONDITION__ANY;
    if (restart->delay == NULL)
        restart->delay = seconds(RESTART_DELAY_DEFAULT_S, arena);
    return restart;
}

static Docker__Swarmkit__V1__UpdateConfig *update_with_defaults(const Docker__Swarmkit__V1__UpdateConfig *given, struct arena *arena)
{
    Docker__Swarmkit__V1__UpdateConfig *update = given ? message_again(arena, &given->base) : message_in(arena, DESCRIPTOR(update_config));

    if (given == NULL)
        update->parallelism = 1;
    if (update->delay == NULL)
        update->delay = seconds(0, arena);
    if (update->monitor == NULL)
        update->monitor = seconds(UPDATE_MONITOR_DEFAULT_S, arena);
    return update;
}

Docker__Swarmkit__V1__ServiceSpec *service_with_defaults(const Docker__Swarmkit__V1__ServiceSpec *given, struct arena *arena)
{
    Docker__Swarmkit__V1__ServiceSpec *spec = message_again(arena, &given->base);
    Docker__Swarmkit__V1__TaskSpec *task =
        given->task ? message_again(arena, &given->task->base) : message_in(arena, DESCRIPTOR(task_spec));

    spec->task = task;
    if (task->runtime_case == DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER)
        task->container = container_with_defaults(task->container, arena);
    if (task->resources == NULL)
        task->resources = message_in(arena, DESCRIPTOR(resource_requirements));
    task->restart = restart_with_defaults(task->restart, arena);
    if (task->placement == NULL)
        task->placement = message_in(arena, DESCRIPTOR(placement));
    spec->update = update_with_defaults(spec->update, arena);
    spec->rollback = update_with_defaults(spec->rollback, arena);
    return spec;
}
