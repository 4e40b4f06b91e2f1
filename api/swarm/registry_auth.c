/* api/swarm/registry_auth.c – see registry_auth.h. */
#include "api/swarm/registry_auth.h"

#include <string.h>

#include "api/swarm/shape.h"
#include "base/text.h"

typedef Docker__Swarmkit__V1__ServiceSpec ServiceSpec;
typedef Docker__Swarmkit__V1__ContainerSpec ContainerSpec;

static ContainerSpec *container_of(const ServiceSpec *spec)
{
    return spec && spec->task && spec->task->runtime_case == DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER ? spec->task->container
                                                                                                                : NULL;
}

static void set(ContainerSpec *container, const char *auth, struct arena *arena)
{
    container->pull_options = shape_new(&docker__swarmkit__v1__container_spec__pull_options__descriptor, arena);
    container->pull_options->registry_auth = arena_string(arena, auth);
}

int swarm_set_registry_auth(ServiceSpec *spec, const char *header, const Docker__Swarmkit__V1__Service *current, enum swarm_auth_from from,
                            struct arena *arena, struct error *err)
{
    const size_t most = API_REGISTRY_AUTH_BYTES / 3 * 4 + 4; /* base64 */
    ContainerSpec *container = container_of(spec);
    if (container == NULL)
        return error_set(err, ERR_INVALID, "service does not use container tasks");
    if (!text_empty(header)) {
        if (strlen(header) > most)
            return error_set(err, ERR_LIMIT, "X-Registry-Auth: more than %zu bytes", most);
        set(container, header, arena);
        return 0;
    }
    if (current == NULL)
        return 0;
    if (from == SWARM_AUTH_FROM_PREVIOUS_SPEC && current->previous_spec == NULL)
        return error_set(err, ERR_INVALID, "service does not have a previous spec");
    const ContainerSpec *old = container_of(from == SWARM_AUTH_FROM_PREVIOUS_SPEC ? current->previous_spec : current->spec);
    if (old == NULL)
        return error_set(err, ERR_INVALID, "service does not use container tasks");
    if (old->pull_options)
        set(container, old->pull_options->registry_auth, arena);
    return 0;
}
