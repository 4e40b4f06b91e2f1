/* manager/orchestrator/roles.c – the nodes whose role is not the wanted one, and what is under way about each. */
#include "manager/orchestrator/roles.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

#define ROLE(name) DOCKER__SWARMKIT__V1__NODE_ROLE__##name

/* A node that is to change. */
struct wish {
    UT_hash_handle hh;
    bool is_refused;   /* it was said already that quorum does not allow it */
    bool has_stayed;   /* leadership could not be handed over: it removes itself */
    struct call *call; /* under way; NULL: none */
    uint64_t until_ns; /* then the call is given up */
    char id[];
};

struct roles {
    struct part_host host;
    struct roles_group group;
    struct store_watcher *watcher;
    struct wish *wishes;
    struct call *calls;
    uint64_t now_ns;
    size_t writes;
    bool is_listed;
};

/* Something that was asked of Raft or the store; it may be answered when nobody waits any more. */
struct call {
    struct roles *roles; /* NULL: the part is gone */
    struct call *next, **at;
    bool is_transfer;
    int role; /* of a write: the new one */
    char node_id[];
};

/* --- quorum --- */

int roles_check_removal(const struct roles_member *members, size_t count, uint64_t raft_id, struct error *err)
{
    size_t left = 0, reachable = 0;
    char names[ERROR_MESSAGE_SIZE_BYTES / 2] = "";

    for (size_t i = 0; i < count; i++) {
        if (members[i].raft_id == raft_id)
            continue;
        left++;
        reachable += members[i].is_reachable;
        size_t used = strlen(names);
        if (!members[i].is_reachable)
            snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", members[i].node_id);
    }
    if (left > 0 && reachable >= left / 2 + 1)
        return 0;
    return error_set(err, ERR_PRECONDITION,
                     "can't remove member from the raft: this would result in a loss of quorum: of the %zu managers left %zu could be "
                     "reached, %zu are needed%s%s",
                     left, reachable, left / 2 + 1, names[0] ? "; not reachable: " : "", names);
}

static const struct roles_member *find_member(const struct roles_member *members, size_t count, const char *node_id)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(members[i].node_id, node_id) == 0)
            return &members[i];
    return NULL;
}

int roles_check_demotion(size_t managers_count, const struct roles_member *members, size_t count, const char *node_id, struct error *err)
{
    const struct roles_member *member = find_member(members, count, node_id);

    if (managers_count <= 1)
        return error_set(err, ERR_PRECONDITION, "attempting to demote the last manager of the swarm");
    if (member == NULL)
        return error_set(err, ERR_NOT_FOUND, "can't find manager in raft memberlist: node %.64s", node_id);
    return roles_check_removal(members, count, member->raft_id, err);
}

/* --- calls --- */

static struct wish *find_wish(const struct roles *roles, const char *id)
{
    struct wish *wish;
    HASH_FIND_STR(roles->wishes, id, wish);
    return wish;
}

static struct call *call_new(struct roles *roles, struct wish *wish)
{
    size_t length = strlen(wish->id);
    struct call *call = mem_alloc(sizeof *call + length + 1);

    memcpy(call->node_id, wish->id, length + 1);
    call->roles = roles;
    call->next = roles->calls;
    call->at = &roles->calls;
    if (call->next)
        call->next->at = &call->next;
    roles->calls = call;
    wish->call = call;
    wish->until_ns = roles->now_ns + ROLES_CHANGE_MS * NS_PER_MS;
    return call;
}

static void on_called(void *ctx, const struct error *err)
{
    struct call *call = ctx;
    struct roles *roles = call->roles;

    if (roles == NULL) {
        free(call);
        return;
    }
    *call->at = call->next;
    if (call->next)
        call->next->at = call->at;
    struct wish *wish = find_wish(roles, call->node_id);
    if (wish && wish->call == call) {
        wish->call = NULL;
        wish->has_stayed = call->is_transfer && err;
        if (err)
            log_warn("roles", "node %s: its change of role failed and is tried again: %s", wish->id, err->message);
        if (err && !wish->has_stayed)
            wish->until_ns = roles->now_ns + ROLES_INTERVAL_MS * NS_PER_MS;
        else
            wish->until_ns = 0;
    }
    part_wake(&roles->host);
    free(call);
}

static void on_written(void *ctx, const struct error *err)
{
    ((struct call *)ctx)->roles->writes--; /* part.h: writers are told before it is freed */
    on_called(ctx, err);
}

static int write_role(struct store_tx *tx, void *ctx, struct error *err)
{
    const struct call *call = ctx;
    const Docker__Swarmkit__V1__Node *old = store_tx_node(tx, call->node_id);

    if (old == NULL || !old->spec || (int)old->spec->desired_role != call->role || (int)old->role == call->role)
        return 0;
    Docker__Swarmkit__V1__Node node = *old;
    node.role = (Docker__Swarmkit__V1__NodeRole)call->role;
    return store_tx_update(tx, &node.base, err);
}

static void set_role(struct roles *roles, struct wish *wish, int role)
{
    struct call *call = call_new(roles, wish);
    call->role = role;
    roles->writes++;
    store_update(roles->host.store, write_role, on_written, call);
}

/* --- decisions --- */

/* The member leaves the group, if the others can do without it. */
static void remove_member(struct roles *roles, struct wish *wish, const struct roles_member *members, size_t count,
                          const struct roles_member *member)
{
    struct error err = {0};

    if (roles_check_removal(members, count, member->raft_id, &err) < 0) {
        if (!wish->is_refused)
            log_warn("roles", "node %s stays a manager for now: %s", wish->id, err.message);
        wish->is_refused = true;
        wish->until_ns = roles->now_ns + ROLES_INTERVAL_MS * NS_PER_MS;
        return;
    }
    wish->is_refused = false;
    struct call *call = call_new(roles, wish);
    call->is_transfer = member->raft_id == roles->group.own_id(roles->group.self) && !wish->has_stayed;
    if (call->is_transfer)
        roles->group.transfer(roles->group.self, on_called, call);
    else
        roles->group.remove(roles->group.self, member->raft_id, on_called, call);
}

static void forget(struct roles *roles, struct wish *wish)
{
    HASH_DEL(roles->wishes, wish);
    free(wish);
}

static void look(struct roles *roles, struct wish *wish)
{
    const Docker__Swarmkit__V1__Node *node = store_node(roles->host.store, wish->id);
    struct roles_member members[MANAGERS_COUNT];

    if (wish->until_ns > roles->now_ns)
        return;
    if (wish->call) {
        log_warn("roles", "node %s: no answer to its change of role, which is tried again", wish->id);
        wish->call = NULL;
    }
    int wanted = node && node->spec ? (int)node->spec->desired_role : ROLE(WORKER);
    if (node && (int)node->role == wanted) {
        forget(roles, wish);
        return;
    }
    if (wanted == ROLE(MANAGER)) {
        set_role(roles, wish, ROLE(MANAGER));
        return;
    }
    size_t count = roles->group.members(roles->group.self, members);
    const struct roles_member *member = find_member(members, count, wish->id);
    if (member)
        remove_member(roles, wish, members, count, member);
    else if (node)
        set_role(roles, wish, ROLE(WORKER));
    else
        forget(roles, wish);
}

/* --- following --- */

static void add_wish(struct roles *roles, const char *id)
{
    struct wish *wish = find_wish(roles, id);
    size_t length = strlen(id);

    if (wish) {
        if (wish->call == NULL)
            wish->until_ns = 0; /* something changed: look at once */
        return;
    }
    wish = mem_alloc(sizeof *wish + length + 1);
    memcpy(wish->id, id, length + 1);
    HASH_ADD_STR(roles->wishes, id, wish);
}

static void follow_node(struct roles *roles, const Docker__Swarmkit__V1__Node *node, bool is_deleted)
{
    bool is_wanted = node->spec && node->role != node->spec->desired_role;
    bool was_manager = node->role == ROLE(MANAGER) || (node->spec && node->spec->desired_role == ROLE(MANAGER));

    if (is_deleted ? was_manager : is_wanted)
        add_wish(roles, node->id);
}

static void list(struct roles *roles)
{
    struct store_cursor cursor;
    const ProtobufCMessage *message;

    store_find(roles->host.store, STORE_NODE, STORE_ALL, NULL, &cursor);
    while ((message = store_next(&cursor)) != NULL)
        follow_node(roles, (const void *)message, false);
    roles->is_listed = true;
}

static void follow(struct roles *roles)
{
    const struct store_commit *commit;
    struct error err = {0};
    int result;

    if (!roles->is_listed)
        list(roles);
    while ((result = store_watch_next(roles->watcher, &commit, &err)) != ERR_NOT_FOUND) {
        if (result < 0) {
            list(roles);
            continue;
        }
        for (size_t i = 0; i < commit->count; i++)
            if (commit->changes[i].kind == STORE_NODE)
                follow_node(roles, (const void *)commit->changes[i].object->message, commit->changes[i].action == STORE_REMOVE);
    }
}

/* --- the part --- */

static void on_ready(void *ctx)
{
    part_wake(&((struct roles *)ctx)->host);
}

static void step(void *self, uint64_t now_ns)
{
    struct roles *roles = self;
    struct wish *wish, *next;

    roles->now_ns = now_ns;
    follow(roles);
    HASH_ITER (hh, roles->wishes, wish, next)
        look(roles, wish);
}

static uint64_t deadline_ns(const void *self)
{
    const struct roles *roles = self;
    uint64_t due_ns = PART_NEVER;

    for (const struct wish *wish = roles->wishes; wish; wish = wish->hh.next)
        due_ns = wish->until_ns < due_ns ? wish->until_ns : due_ns;
    return due_ns;
}

static void free_roles(void *self)
{
    struct roles *roles = self;
    struct wish *wish, *next;

    assert(roles->writes == 0);
    store_unwatch(roles->watcher);
    for (struct call *call = roles->calls; call; call = call->next)
        call->roles = NULL;
    HASH_ITER (hh, roles->wishes, wish, next)
        forget(roles, wish);
    free(roles);
}

struct part roles_new(const struct part_host *host, const struct roles_group *group)
{
    struct roles *roles = mem_alloc(sizeof *roles);

    roles->host = *host;
    roles->group = *group;
    roles->watcher = store_watch(host->store, on_ready, roles);
    return (struct part){.name = "roles", .step = step, .deadline_ns = deadline_ns, .free = free_roles, .self = roles};
}
