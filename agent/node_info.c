/* agent/node_info.c – what the node tells of itself. */
#include "agent/node_inside.h"
#include "base/mem.h"
#include "base/text.h"

const char *node_local_state_text(enum node_local_state state)
{
    static const char *const texts[] = {
#define X(name, text) [NODE_##name] = (text),
        NODE_LOCAL_STATES(X)
#undef X
    };
    return texts[state];
}

static enum node_local_state local_state(const struct node *node)
{
    switch ((enum life)node->life.state) {
    case LIFE_OUTSIDE:
        if (node->is_locked)
            return NODE_LOCKED;
        if (node->outside_error.code == 0)
            return NODE_INACTIVE;
        return node->identity->has_certificate ? NODE_ERROR : NODE_PENDING;
    case LIFE_JOINING:
        return NODE_PENDING;
    case LIFE_OPENING:
    case LIFE_INSIDE:
    case LIFE_LEAVING:
        break;
    }
    if (node->session_state == SESSION_REMOVED || node->renewal_health == RENEWAL_REFUSED)
        return NODE_ERROR;
    return node->life.state == LIFE_OPENING ? NODE_PENDING : NODE_ACTIVE;
}

/* The most telling of what is wrong: what needs a person before what may pass. */
static const char *trouble(const struct node *node)
{
    if (node->is_locked)
        return NODE_LOCKED_TEXT;
    if (node->renewal_health == RENEWAL_REFUSED)
        return node->renewal_trouble.message;
    if (node->outside_error.code != 0)
        return node->outside_error.message;
    if (node->session_error.code != 0 && node->session_error.code != ERR_CANCELED)
        return node->session_error.message;
    return node->renewal_health == RENEWAL_LATE ? node->renewal_trouble.message : "";
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

void node_info(const struct node *node, struct node_info *out)
{
    const struct identity *identity = node->identity;
    const struct remotes *remotes = &identity->remotes;
    bool is_in = identity->has_certificate;
    struct node *writable = (struct node *)(uintptr_t)node; /* the list is a cache of what the identity holds */
    writable->managers = mem_resize(writable->managers, (remotes->count + 1) * sizeof *writable->managers);
    for (size_t i = 0; i < remotes->count; i++)
        writable->managers[i] = (struct node_manager){or_empty(remotes->list[i].node_id), remotes->list[i].addr};
    *out = (struct node_info){
        .state = local_state(node),
        .error = trouble(node),
        .node_id = is_in ? identity->certificate.node_id : "",
        .node_addr = !text_empty(identity->advertise_addr) ? identity->advertise_addr : or_empty(node->addr),
        .cluster_id = is_in ? identity->certificate.cluster_id : "",
        .certificate_expires_wall_ns = is_in ? identity->certificate.not_after_wall_ns : 0,
        .managers = node->managers,
        .manager_count = is_in ? remotes->count : 0,
        .role = is_in ? certificate_role_text(identity->certificate.role) : "",
        .availability = is_in ? session_availability_text(node->availability) : "",
        .listen_addr = or_empty(identity->listen_addr),
        .advertise_addr = or_empty(identity->advertise_addr),
        .data_path_addr = or_empty(identity->data_path_addr),
        .has_skep_managers = is_in && node->has_skep_managers,
        .is_renewing = node->renewal && renewal_driver_is_busy(node->renewal),
        .is_to_be_manager = is_in && node->is_to_be_manager,
    };
}

void node_stats(const struct node *node, struct node_stats *out)
{
    *out = (struct node_stats){0};
    if (node->session) {
        struct session_driver_stats stats;
        session_driver_stats(node->session, &stats);
        out->has_session = stats.state == SESSION_RUNNING;
        out->registrations = stats.session.registrations;
        out->session_failures = stats.session.failures;
        out->heartbeats = stats.session.heartbeats;
        out->heartbeat_late_last_ns = stats.session.heartbeat_late_last_ns;
        out->heartbeat_late_max_ns = stats.session.heartbeat_late_max_ns;
        out->heartbeat_period_ns = stats.heartbeat_period_ns;
        out->statuses_waiting = stats.statuses_waiting;
    }
    if (node->worker) {
        struct worker_stats stats;
        worker_stats(node->worker, &stats);
        out->tasks = stats.tasks;
        out->tasks_assigned = stats.assigned;
        out->tasks_failed = stats.failed;
        out->tasks_rejected = stats.rejected;
        out->pulls = stats.pulls;
    }
}

const char *node_container_health(const struct node *node, const char *container_id)
{
    struct worker_task task;
    if (node->worker == NULL || !worker_find_container(node->worker, container_id, &task) || text_equal(task.health, "none"))
        return NULL;
    return task.health;
}
