/* manager/control/node.c – nodes: looked at, their wishes changed, and taken out of the cluster for good. */
#include <stdlib.h>

#include "google/protobuf/timestamp.pb-c.h"
#include "manager/control/inside.h"
#include "proto/message.h"

/* --- reading --- */

/* A manager's place in the Raft group is not in the store: the group itself tells it. */
static Docker__Swarmkit__V1__Node *with_member(const struct control *control, const Docker__Swarmkit__V1__Node *node, struct arena *arena)
{
    struct control_member member;

    if (!control->members.find(control->members.self, node->id, &member))
        return (Docker__Swarmkit__V1__Node *)(uintptr_t)node;
    Docker__Swarmkit__V1__Node *shown = message_again(arena, &node->base);
    shown->manager_status = message_in(arena, DESCRIPTOR(manager_status));
    shown->manager_status->raft_id = member.raft_id;
    shown->manager_status->addr = arena_string(arena, member.address ? member.address : "");
    shown->manager_status->leader = member.is_leader;
    shown->manager_status->reachability = member.reachability;
    return shown;
}

static const ProtobufCMessage *read_get_node(const struct control *control, const Docker__Swarmkit__V1__GetNodeRequest *request,
                                             struct arena *arena, struct error *err)
{
    Docker__Swarmkit__V1__GetNodeResponse *response = message_in(arena, DESCRIPTOR(get_node_response));

    if (form_check_id(request->node_id, err) < 0)
        return NULL;
    const Docker__Swarmkit__V1__Node *node = store_node(control->store, request->node_id);
    if (node == NULL) {
        error_set(err, ERR_NOT_FOUND, "node %s not found", request->node_id);
        return NULL;
    }
    response->node = with_member(control, node, arena);
    return &response->base;
}

CONTROL_READ(get_node, GetNode)

struct node_filter {
    struct filter common; /* labels: the engine's */
    struct filter_labels node_labels;
    const Docker__Swarmkit__V1__NodeRole *roles;
    const Docker__Swarmkit__V1__NodeSpec__Membership *memberships;
    size_t role_count, membership_count;
};

static void read_filters(const Docker__Swarmkit__V1__ListNodesRequest__Filters *filters, struct arena *arena, struct node_filter *out)
{
    *out = (struct node_filter){0};
    FILTER_READ(filters, arena, &out->common);
    if (filters == NULL)
        return;
    FILTER_LABELS(filters->node_labels, filters->n_node_labels, arena, &out->node_labels);
    out->roles = filters->roles;
    out->role_count = filters->n_roles;
    out->memberships = filters->memberships;
    out->membership_count = filters->n_memberships;
}

/* The role that a node has, not the one that it shall have. */
static bool has_role(const struct node_filter *filter, const Docker__Swarmkit__V1__Node *node)
{
    for (size_t i = 0; i < filter->role_count; i++)
        if (filter->roles[i] == node->role)
            return true;
    return filter->role_count == 0;
}

static bool has_membership(const struct node_filter *filter, const Docker__Swarmkit__V1__Node *node)
{
    for (size_t i = 0; i < filter->membership_count; i++)
        if (node->spec && filter->memberships[i] == node->spec->membership)
            return true;
    return filter->membership_count == 0;
}

/* A node that never said what it is has no name to be found by, not even an empty one. */
static bool passes(const struct node_filter *filter, const Docker__Swarmkit__V1__Node *node)
{
    const Docker__Swarmkit__V1__NodeDescription *description = node->description;
    const struct filter *common = &filter->common;

    if (description == NULL && (common->names.count > 0 || common->name_prefixes.count > 0))
        return false;
    return filter_has(common->names, description ? description->hostname : "") &&
           filter_has_prefix(common->name_prefixes, description ? description->hostname : "") &&
           filter_has_prefix(common->id_prefixes, node->id) && filter_engine(common->labels, description ? description->engine : NULL) &&
           filter_annotations(filter->node_labels, node->spec ? node->spec->annotations : NULL) && has_role(filter, node) &&
           has_membership(filter, node);
}

static const ProtobufCMessage *read_list_nodes(const struct control *control, const Docker__Swarmkit__V1__ListNodesRequest *request,
                                               struct arena *arena, struct error *err)
{
    Docker__Swarmkit__V1__ListNodesResponse *response = message_in(arena, DESCRIPTOR(list_nodes_response));
    struct node_filter filter;
    struct store_cursor cursor;
    const Docker__Swarmkit__V1__Node *node;

    (void)err;
    read_filters(request->filters, arena, &filter);
    response->nodes = filter_room(control, STORE_NODE, arena);
    store_find(control->store, STORE_NODE, STORE_ALL, NULL, &cursor);
    while ((node = (const void *)store_next(&cursor)) != NULL)
        if (passes(&filter, node))
            response->nodes[response->n_nodes++] = with_member(control, node, arena);
    return &response->base;
}

CONTROL_READ(list_nodes, ListNodes)

/* --- update --- */

static int check_update_node(const struct control *control, const Docker__Swarmkit__V1__UpdateNodeRequest *request, struct refusal *refusal)
{
    (void)control;
    int failed = form_check_id(request->node_id, &refusal->err);
    if (failed == 0 && (request->node_version == NULL || request->spec == NULL))
        failed = form_refuse(&refusal->err);
    return failed;
}

static bool wants_manager(const Docker__Swarmkit__V1__NodeSpec *spec)
{
    return spec && spec->desired_role == DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER;
}

/* Another node that shall be, or stay, a manager. */
static bool has_other_manager(struct store_tx *tx, const char *id)
{
    struct store_cursor cursor;
    const Docker__Swarmkit__V1__Node *node;

    store_tx_find(tx, STORE_NODE, STORE_BY_ROLE, "1", &cursor);
    while ((node = (const void *)store_next(&cursor)) != NULL)
        if (strcmp(node->id, id) != 0)
            return true;
    return false;
}

static int check_demotion(const struct control *control, struct store_tx *tx, const char *id, struct error *err)
{
    struct control_member member;

    if (!has_other_manager(tx, id))
        return error_set(err, ERR_PRECONDITION, "attempting to demote the last manager of the swarm");
    if (!control->members.find(control->members.self, id, &member))
        return error_set(err, ERR_NOT_FOUND, "can't find manager in raft memberlist");
    if (!control->members.may_remove(control->members.self, member.raft_id))
        return error_set(err, ERR_PRECONDITION, "can't remove member from the raft: this would result in a loss of quorum");
    return 0;
}

/* Nothing is known of a node that was never in session: whether it can be one shows when it asks to join the quorum. */
static int check_promotion(const Docker__Swarmkit__V1__Node *node, struct error *err)
{
    const Docker__Swarmkit__V1__EngineDescription *engine = node->description ? node->description->engine : NULL;

    if (engine == NULL || engine->engine_version[0] == 0 || strstr(engine->engine_version, "skep"))
        return 0;
    return error_set(err, ERR_PRECONDITION,
                     "node %s runs Docker %s, and Docker's managers cannot join the quorum of Skep's yet: promote a Skep node", node->id,
                     engine->engine_version);
}

static int write_update_node(struct call *call, struct store_tx *tx, struct error *err)
{
    const Docker__Swarmkit__V1__UpdateNodeRequest *request = CALL_REQUEST(call, UpdateNode);
    const Docker__Swarmkit__V1__Node *old = store_tx_node(tx, call->id);
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    Docker__Swarmkit__V1__Meta meta = DOCKER__SWARMKIT__V1__META__INIT;
    Docker__Swarmkit__V1__NodeSpec spec = *request->spec;

    if (old == NULL)
        return error_set(err, ERR_NOT_FOUND, "node %s not found", call->id);
    if (wants_manager(old->spec) && !wants_manager(&spec)) {
        int failed = check_demotion(call->control, tx, call->id, err);
        if (failed < 0)
            return failed;
    } else if (!wants_manager(old->spec) && wants_manager(&spec) && check_promotion(old, err) < 0) {
        return err->code;
    }
    /* Docker's API has no membership, and so its clients send "pending" with whatever they change: who was accepted stays accepted. */
    if (old->spec && old->spec->membership == DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__ACCEPTED)
        spec.membership = DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__ACCEPTED;
    if (spec.annotations == NULL)
        spec.annotations = &annotations;
    Docker__Swarmkit__V1__Node node = *old;
    meta.version = request->node_version;
    node.meta = &meta;
    node.spec = &spec;
    return call_put(call, tx, &node.base, err);
}

static const ProtobufCMessage *answer_update_node(struct call *call, struct arena *arena)
{
    const Docker__Swarmkit__V1__Node *node = store_node(call->control->store, call->id);
    Docker__Swarmkit__V1__UpdateNodeResponse *response = message_in(arena, DESCRIPTOR(update_node_response));

    response->node = (Docker__Swarmkit__V1__Node *)(uintptr_t)node;
    return node ? &response->base : NULL;
}

CONTROL_WRITE(update_node, UpdateNode, request->node_id)

/* --- remove --- */

static int check_remove_node(const struct control *control, const Docker__Swarmkit__V1__RemoveNodeRequest *request, struct refusal *refusal)
{
    (void)control;
    return form_check_id(request->node_id, &refusal->err);
}

static int check_removable(const struct control *control, const Docker__Swarmkit__V1__Node *node, bool is_forced, struct error *err)
{
    struct control_member member;

    if (wants_manager(node->spec) && control->members.find(control->members.self, node->id, &member))
        return error_set(err, ERR_PRECONDITION,
                         "node %s is a cluster manager and is a member of the raft cluster. It must be demoted to worker before removal",
                         node->id);
    if (!is_forced && node->status && node->status->state == DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__READY)
        return error_set(err, ERR_PRECONDITION, "node %s is not down and can't be removed", node->id);
    return 0;
}

/* The node's certificate is good for a while yet: until it is not, nobody takes it. */
static int black_list(struct call *call, struct store_tx *tx, const Docker__Swarmkit__V1__Node *node, struct error *err)
{
    const struct control_authority *authority = &call->control->authority;
    Docker__Swarmkit__V1__BlacklistedCertificate certificate = DOCKER__SWARMKIT__V1__BLACKLISTED_CERTIFICATE__INIT;
    Docker__Swarmkit__V1__Cluster__BlacklistedCertificatesEntry entry = DOCKER__SWARMKIT__V1__CLUSTER__BLACKLISTED_CERTIFICATES_ENTRY__INIT;
    cleanup_arena struct arena arena = {0};
    Google__Protobuf__Timestamp expiry;
    struct store_cursor cursor;
    int64_t expires_ns;

    store_tx_find(tx, STORE_CLUSTER, STORE_BY_NAME, CLUSTER_NAME, &cursor);
    const Docker__Swarmkit__V1__Cluster *old = (const void *)store_next(&cursor);
    if (old == NULL)
        return error_set(err, ERR_INTERNAL, "could not fetch cluster object");
    entry.key = node->id;
    entry.value = &certificate;
    if (node->certificate &&
        authority->expires(authority->self, bytes_of(node->certificate->certificate.data, node->certificate->certificate.len),
                           &expires_ns)) {
        message_set_timestamp(&expiry, expires_ns);
        certificate.expiry = &expiry;
    }
    Docker__Swarmkit__V1__Cluster cluster = *old;
    cluster.blacklisted_certificates = arena_alloc(&arena, (old->n_blacklisted_certificates + 1) * sizeof *old->blacklisted_certificates);
    cluster.n_blacklisted_certificates = 0;
    for (size_t i = 0; i < old->n_blacklisted_certificates; i++)
        if (strcmp(old->blacklisted_certificates[i]->key, node->id) != 0)
            cluster.blacklisted_certificates[cluster.n_blacklisted_certificates++] = old->blacklisted_certificates[i];
    cluster.blacklisted_certificates[cluster.n_blacklisted_certificates++] = &entry;
    cluster_expire_blacklist(&cluster, store_tx_wall_ns(tx));
    return store_tx_update(tx, &cluster.base, err);
}

static int orphan(struct store_tx *tx, const Docker__Swarmkit__V1__Task *old, struct error *err)
{
    Docker__Swarmkit__V1__Task task = *old;
    Docker__Swarmkit__V1__TaskStatus status = DOCKER__SWARMKIT__V1__TASK_STATUS__INIT;
    Google__Protobuf__Timestamp now;

    message_set_timestamp(&now, store_tx_wall_ns(tx));
    status.timestamp = &now;
    status.state = DOCKER__SWARMKIT__V1__TASK_STATE__ORPHANED;
    status.message = (char *)(uintptr_t) "Task belonged to a node that has been deleted";
    task.status = &status;
    return store_tx_update(tx, &task.base, err);
}

static bool is_unfinished(const Docker__Swarmkit__V1__Task *task)
{
    return task->status == NULL || task->status->state < DOCKER__SWARMKIT__V1__TASK_STATE__COMPLETE;
}

/* Its tasks' states will not be told by anyone any more. As many as one transaction takes; @is_all: there are no others. */
static int orphan_tasks(struct store_tx *tx, const char *node_id, bool *is_all, struct error *err)
{
    const size_t kept = 1; /* the node itself is to be removed in the same one */
    size_t bytes = 0, count = 0, room = store_tx_room(tx) - kept;
    struct store_cursor cursor;
    const Docker__Swarmkit__V1__Task *task;
    cleanup_arena struct arena arena = {0};
    const Docker__Swarmkit__V1__Task **tasks = arena_alloc(&arena, room * sizeof *tasks);

    *is_all = true;
    store_tx_find(tx, STORE_TASK, STORE_BY_NODE, node_id, &cursor);
    while ((task = (const void *)store_next(&cursor)) != NULL) {
        if (!is_unfinished(task))
            continue;
        bytes += protobuf_c_message_get_packed_size(&task->base);
        if (count == room || (count > 0 && bytes > NODE_REMOVAL_TASKS_BYTES)) {
            *is_all = false;
            break;
        }
        tasks[count++] = task; /* kept aside: what is changed moves in the list that is walked */
    }
    for (size_t i = 0; i < count; i++) {
        int failed = orphan(tx, tasks[i], err);
        if (failed < 0)
            return failed;
    }
    return 0;
}

static int write_remove_node(struct call *call, struct store_tx *tx, struct error *err)
{
    const Docker__Swarmkit__V1__Node *node = store_tx_node(tx, call->id);
    bool is_all = true;

    if (node == NULL)
        return error_set(err, ERR_NOT_FOUND, "node %s not found", call->id);
    int failed = check_removable(call->control, node, CALL_REQUEST(call, RemoveNode)->force, err);
    if (failed == 0)
        failed = black_list(call, tx, node, err);
    if (failed == 0)
        failed = orphan_tasks(tx, call->id, &is_all, err);
    if (failed < 0)
        return failed;
    call->is_unfinished = !is_all;
    return is_all ? store_tx_remove(tx, STORE_NODE, call->id, err) : 0;
}

static const ProtobufCMessage *answer_remove_node(struct call *call, struct arena *arena)
{
    (void)call;
    return message_in(arena, DESCRIPTOR(remove_node_response));
}

CONTROL_WRITE(remove_node, RemoveNode, request->node_id)
