/* api/swarm_event.c – see swarm_event.h. */
#include "api/swarm_event.h"

#include <string.h>

#include "api/swarm/json_common.h"
#include "base/text.h"
#include "manager/store/object.h"

typedef Docker__Swarmkit__V1__Node Node;
typedef Docker__Swarmkit__V1__Service Service;

enum { ATTRIBUTES_MAX = 8 };

static const char *const types[] = {
    [STORE_NODE] = "node", [STORE_SERVICE] = "service", [STORE_NETWORK] = "network", [STORE_SECRET] = "secret", [STORE_CONFIG] = "config",
};

static const char *const actions[] = {[STORE_CREATE] = "create", [STORE_UPDATE] = "update", [STORE_REMOVE] = "remove"};

struct attributes {
    struct api_event_attribute *list;
    size_t count;
    struct arena *arena;
};

static void add(struct attributes *to, const char *key, const char *value)
{
    to->list[to->count++] = (struct api_event_attribute){key, value};
}

/* "state.old" and "state.new"; of states that there were not, as of an update that begins or is forgotten, nothing is told. */
static void add_change(struct attributes *to, const char *what, const char *old, const char *now)
{
    if (*now == 0 || text_equal(old, now))
        return;
    if (*old)
        add(to, arena_format(to->arena, "%s.old", what), old);
    add(to, arena_format(to->arena, "%s.new", what), now);
}

/* --- nodes --- */

static const char *availability(const Node *node)
{
    return shape_name_of(swarm_availabilities, node->spec ? (int)node->spec->availability : 0);
}

static const char *state(const Node *node)
{
    return shape_name_of(swarm_node_states, node->status ? (int)node->status->state : 0);
}

static const char *role(const Node *node)
{
    return node->role == DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER ? "manager" : "worker";
}

static const char *hostname(const Node *node)
{
    return node->description ? node->description->hostname : "";
}

static void compare_nodes(struct attributes *to, const Node *old, const Node *now)
{
    add_change(to, "availability", availability(old), availability(now));
    add_change(to, "role", role(old), role(now));
    add_change(to, "state", state(old), state(now));
}

/* --- services --- */

static const char *image(const Service *service)
{
    const Docker__Swarmkit__V1__TaskSpec *task = service->spec ? service->spec->task : NULL;
    return task && task->runtime_case == DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER && task->container ? task->container->image
                                                                                                               : "";
}

static bool is_replicated(const Service *service)
{
    return service->spec && service->spec->mode_case == DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED && service->spec->replicated;
}

static const char *replicas(const Service *service, struct arena *arena)
{
    return arena_format(arena, "%llu", (unsigned long long)service->spec->replicated->replicas);
}

static const char *update_state(const Service *service)
{
    return shape_name_of(swarm_update_states, service->update_status ? (int)service->update_status->state : 0);
}

static void compare_services(struct attributes *to, const Service *old, const Service *now)
{
    add_change(to, "image", image(old), image(now));
    if (is_replicated(old) && is_replicated(now))
        add_change(to, "replicas", replicas(old, to->arena), replicas(now, to->arena));
    add_change(to, "updatestate", update_state(old), update_state(now));
}

/* --- any --- */

bool swarm_event(const struct store_change *change, struct arena *arena, struct api_event *out)
{
    const ProtobufCMessage *now = change->object->message, *old = change->old ? change->old->message : NULL;
    struct attributes to = {arena_alloc(arena, ATTRIBUTES_MAX * sizeof *to.list), 0, arena};
    const char *name = store_message_name(change->kind, now);

    if ((size_t)change->kind >= sizeof types / sizeof *types || types[change->kind] == NULL)
        return false;
    if (change->kind == STORE_NODE && *name == 0)
        name = hostname((const void *)now);
    add(&to, "name", name);
    if (change->action == STORE_UPDATE && old && change->kind == STORE_NODE)
        compare_nodes(&to, (const void *)old, (const void *)now);
    if (change->action == STORE_UPDATE && old && change->kind == STORE_SERVICE)
        compare_services(&to, (const void *)old, (const void *)now);
    *out = (struct api_event){.type = types[change->kind],
                              .action = actions[change->action],
                              .id = store_message_id(change->kind, now),
                              .attributes = to.list,
                              .attribute_count = to.count};
    return true;
}
