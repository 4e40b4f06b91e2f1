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
    int told;          /* the code of the refusal that was logged; 0: none, so that it is not said every five seconds */
    struct call *call; /* under way; NULL: none */
    uint64_t until_ns; /* it is looked at again: the call is given up then, or it was put off */
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

/* Something that was asked of the group or the store; it may be answered when nobody waits any more. */
struct call {
    struct roles *roles; /* NULL: the part is gone */
    struct call *next, **at;
    int role; /* of a write: the new one */
    char node_id[];
};

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

static void call_free(struct call *call)
{
    *call->at = call->next;
    if (call->next)
        call->next->at = call->at;
    free(call);
}

static void settle(struct call *call, const struct error *err)
{
    struct roles *roles = call->roles;
    struct wish *wish = find_wish(roles, call->node_id);

    if (wish && wish->call == call) {
        wish->call = NULL;
        wish->until_ns = err ? roles->now_ns + ROLES_INTERVAL_MS * NS_PER_MS : 0;
        if (err)
            log_warn("roles", "node %s: its change of role failed and is tried again: %s", wish->id, err->message);
    }
    call_free(call);
    part_wake(&roles->host);
}

static void on_left(void *ctx, uint64_t index, const struct error *err)
{
    struct call *call = ctx;

    (void)index;
    if (call->roles)
        settle(call, err);
    else
        free(call);
}

static void on_written(void *ctx, const struct error *err)
{
    struct call *call = ctx;

    call->roles->writes--; /* part.h: writers are told before it is freed */
    settle(call, err);
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

static void put_off(struct roles *roles, struct wish *wish, const struct error *why)
{
    wish->until_ns = roles->now_ns + ROLES_INTERVAL_MS * NS_PER_MS;
    if (wish->told == why->code)
        return;
    wish->told = why->code;
    if (why->code == ERR_AGAIN)
        log_info("roles", "node %s: %s", wish->id, why->message);
    else
        log_warn("roles", "node %s stays a manager for now: %s", wish->id, why->message);
}

/* False: it is no member. */
static bool take_out(struct roles *roles, struct wish *wish)
{
    struct roles_member members[MANAGERS_COUNT];
    struct error err = {0};
    size_t count = roles->group.members(roles->group.self, members), at = 0;

    while (at < count && strcmp(members[at].node_id, wish->id) != 0)
        at++;
    if (at == count)
        return false;
    struct call *call = call_new(roles, wish);
    if (roles->group.leave(roles->group.self, members[at].raft_id, on_left, call, &err) == 0) {
        wish->told = 0;
        return true;
    }
    wish->call = NULL;
    call_free(call);
    if (err.code == ERR_NOT_FOUND)
        return false;
    put_off(roles, wish, &err);
    return true;
}

static void forget(struct roles *roles, struct wish *wish)
{
    HASH_DEL(roles->wishes, wish);
    free(wish);
}

static void look(struct roles *roles, struct wish *wish)
{
    const Docker__Swarmkit__V1__Node *node = store_node(roles->host.store, wish->id);
    int wanted = node && node->spec ? (int)node->spec->desired_role : ROLE(WORKER);

    if (wish->until_ns > roles->now_ns)
        return;
    if (wish->call) {
        log_warn("roles", "node %s: no answer to its change of role, which is tried again", wish->id);
        wish->call = NULL;
    }
    if (node && (int)node->role == wanted)
        forget(roles, wish);
    else if (wanted == ROLE(MANAGER))
        set_role(roles, wish, ROLE(MANAGER));
    else if (take_out(roles, wish))
        return;
    else if (node)
        set_role(roles, wish, ROLE(WORKER));
    else
        forget(roles, wish);
}

/* --- following --- */

static struct wish *obtain_wish(struct roles *roles, const char *id)
{
    struct wish *wish = find_wish(roles, id);
    size_t length = strlen(id);

    if (wish)
        return wish;
    wish = mem_alloc(sizeof *wish + length + 1);
    memcpy(wish->id, id, length + 1);
    HASH_ADD_STR(roles->wishes, id, wish);
    return wish;
}

/* What changed is looked at at once, unless an answer is awaited. */
static void follow_node(struct roles *roles, const Docker__Swarmkit__V1__Node *node, bool is_deleted)
{
    struct wish *wish;

    if (!is_deleted && (node->spec == NULL || node->role == node->spec->desired_role) && find_wish(roles, node->id) == NULL)
        return;
    wish = obtain_wish(roles, node->id);
    if (wish->call == NULL)
        wish->until_ns = 0;
}

/* Members of no node: theirs was deleted when another led. A moment is left to whoever makes this manager's own. */
static void list_strangers(struct roles *roles)
{
    struct roles_member members[MANAGERS_COUNT];
    size_t count = roles->group.members(roles->group.self, members);

    for (size_t i = 0; i < count; i++)
        if (members[i].node_id[0] && store_node(roles->host.store, members[i].node_id) == NULL)
            obtain_wish(roles, members[i].node_id)->until_ns = roles->now_ns + ROLES_INTERVAL_MS * NS_PER_MS;
}

static void list(struct roles *roles)
{
    struct store_cursor cursor;
    const ProtobufCMessage *message;

    store_find(roles->host.store, STORE_NODE, STORE_ALL, NULL, &cursor);
    while ((message = store_next(&cursor)) != NULL)
        follow_node(roles, (const void *)message, false);
    list_strangers(roles);
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
