/* manager/parts.c – what this manager does while it leads, and how its parts, which do not know each other, come to know what they need. */
#include <string.h>

#include "base/log.h"
#include "manager/ca/authority.h"
#include "manager/ca/external_call.h"
#include "manager/ca/part.h"
#include "manager/images/part.h"
#include "manager/inside.h"
#include "manager/orchestrator/allocator.h"
#include "manager/orchestrator/compare.h"
#include "manager/orchestrator/enforcer.h"
#include "manager/orchestrator/orchestrator.h"
#include "manager/orchestrator/roles.h"
#include "manager/scheduler/fit.h"
#include "manager/scheduler/part.h"

/* --- who is in the Raft group --- */

static bool is_reachable(const struct raft_node_status *status, uint64_t id)
{
    if (id == status->id)
        return true;
    for (size_t i = 0; i < status->peers_count; i++)
        if (status->peers[i].id == id)
            return status->peers[i].link.active_since_ns != 0;
    return false;
}

static bool find_member(void *self, const char *node_id, struct control_member *out)
{
    struct manager *manager = self;
    const struct raft_book *book = raft_node_book(replica_raft(manager->replica));
    struct raft_node_status status;

    raft_node_status(replica_raft(manager->replica), &status);
    for (size_t i = 0; i < book->count; i++) {
        const struct raft_member *member = &book->members[i];
        if (strcmp(member->node_id, node_id) != 0)
            continue;
        *out = (struct control_member){.raft_id = member->id,
                                       .address = member->address,
                                       .is_leader = member->id == status.leader,
                                       .reachability = is_reachable(&status, member->id)
                                                           ? DOCKER__SWARMKIT__V1__RAFT_MEMBER_STATUS__REACHABILITY__REACHABLE
                                                           : DOCKER__SWARMKIT__V1__RAFT_MEMBER_STATUS__REACHABILITY__UNREACHABLE};
        return true;
    }
    return false;
}

static bool may_remove(void *self, uint64_t raft_id)
{
    return membership_may_leave(((struct manager *)self)->membership, raft_id, NULL) == 0;
}

size_t parts_managers(void *self, struct dispatcher_manager *out, size_t capacity)
{
    struct manager *manager = self;
    const struct raft_book *book = raft_node_book(replica_raft(manager->replica));
    struct raft_node_status status;
    size_t count = 0;

    raft_node_status(replica_raft(manager->replica), &status);
    for (size_t i = 0; i < book->count && count < capacity; i++)
        if (is_reachable(&status, book->members[i].id) && *book->members[i].node_id && *book->members[i].address)
            out[count++] = (struct dispatcher_manager){book->members[i].node_id, book->members[i].address};
    return count;
}

/* --- rules that one room knows and another asks for --- */

static bool node_fits(void *self, const Docker__Swarmkit__V1__Node *node, const Docker__Swarmkit__V1__Placement *placement)
{
    struct fit fit;

    (void)self;
    fit_init(&fit, node);
    bool fits = fit_constraints(&fit, placement, NULL) == 0;
    fit_deinit(&fit);
    return fits;
}

static const struct orchestrator_rules orchestrator_rules = {.node_fits = node_fits};

static int check_constraints(void *self, char *const *texts, size_t count, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    struct constraints constraints;

    (void)self;
    return constraints_parse(texts, count, &arena, &constraints, err);
}

static int check_image(void *self, const char *reference, struct error *err)
{
    struct manager *manager = self;
    return manager->options.check_image(manager->options.host, reference, err);
}

static bool is_dirty(void *self, const Docker__Swarmkit__V1__Service *service, const Docker__Swarmkit__V1__Task *task,
                     const Docker__Swarmkit__V1__Node *node)
{
    (void)self;
    return task_is_dirty(&orchestrator_rules, service, task, node);
}

/* --- the leader's parts, in the order in which a task passes them --- */

static void on_twin(void *ctx, const struct dispatcher_twin *twin)
{
    (void)ctx;
    log_warn("dispatcher",
             "host %s at %s has joined again as node %s: node %s, which is down, is its older life; remove it with `docker node rm`",
             twin->hostname, twin->addr, twin->node_id, twin->stale_id);
}

static struct part make_dispatcher(const struct part_host *host, void *ctx)
{
    struct manager *manager = ctx;
    const struct dispatcher_options options = {
        .host = *host, .node_id = manager->options.node_id, .managers = parts_managers, .on_twin = on_twin, .ctx = manager};

    return dispatcher_part(dispatcher_new(&options, clock_monotonic_ns(&host->clock)));
}

static struct part make_orchestrator(const struct part_host *host, void *ctx)
{
    (void)ctx;
    return orchestrator_new(host, &orchestrator_rules);
}

static struct part make_enforcer(const struct part_host *host, void *ctx)
{
    (void)ctx;
    return enforcer_new(host);
}

static size_t group_members(void *self, struct roles_member out[MANAGERS_COUNT])
{
    struct manager *manager = self;
    const struct raft_book *book = raft_node_book(replica_raft(manager->replica));
    size_t count = book->count < MANAGERS_COUNT ? book->count : MANAGERS_COUNT;

    for (size_t i = 0; i < count; i++)
        out[i] = (struct roles_member){book->members[i].id, book->members[i].node_id};
    return count;
}

static int group_leave(void *self, uint64_t raft_id, void (*fn)(void *ctx, uint64_t index, const struct error *err), void *ctx,
                       struct error *err)
{
    return membership_leave(((struct manager *)self)->membership, raft_id, fn, ctx, err);
}

static struct part make_roles(const struct part_host *host, void *ctx)
{
    return roles_new(host, &(struct roles_group){.members = group_members, .leave = group_leave, .self = ctx});
}

static struct part make_allocator(const struct part_host *host, void *ctx)
{
    (void)ctx;
    return allocator_new(host);
}

static struct part make_logs(const struct part_host *host, void *ctx)
{
    (void)ctx;
    return log_broker_part(log_broker_new(host));
}

/* With no papers to show there is no way to an external CA. */
static struct ca_asker asker(struct manager *manager)
{
    manager->external =
        (struct ca_external_way){.loop = manager->options.loop, .papers = manager->options.papers, .ctx = manager->options.host};
    return manager->options.papers ? ca_external_asker(&manager->external) : (struct ca_asker){0};
}

static struct part make_ca(const struct part_host *host, void *ctx)
{
    return ca_part_new(&(struct ca_part_options){.host = *host, .asker = asker(ctx)});
}

static struct part make_scheduler(const struct part_host *host, void *ctx)
{
    (void)ctx;
    return scheduler_part_new(host);
}

static void on_awaited(void *ctx, const char *reference, bool is_awaited)
{
    struct manager *manager = ctx;
    struct scheduler_part *scheduler = leader_part(manager->leader, "scheduler");

    if (scheduler)
        scheduler_part_await(scheduler, reference, is_awaited);
}

static struct part make_images(const struct part_host *host, void *ctx)
{
    struct manager *manager = ctx;
    const struct images_part_options options = {.host = *host, .asker = manager->options.images, .on_awaited = on_awaited, .ctx = manager};

    return images_part_new(&options);
}

struct dispatcher *parts_dispatcher(void *self)
{
    struct manager *manager = self;
    return manager->leader ? leader_part(manager->leader, "dispatcher") : NULL;
}

struct log_broker *parts_log_broker(void *self)
{
    struct manager *manager = self;
    return manager->leader ? leader_part(manager->leader, "logs") : NULL;
}

/* --- life --- */

void parts_open(struct manager *manager)
{
    const struct manager_options *options = &manager->options;
    struct store *store = replica_store(manager->replica);

    manager->membership = membership_new(&(struct membership_options){.loop = options->loop,
                                                                      .clock = options->clock,
                                                                      .random = options->random,
                                                                      .replica = manager->replica,
                                                                      .credentials = options->credentials});
    manager->authority =
        ca_authority_new(&(struct ca_authority_options){.clock = options->clock, .random = options->random, .asker = asker(manager)});
    manager->control = control_new(&(struct control_options){
        .host = {.store = store, .clock = options->clock, .random = options->random},
        .rules = {.check_constraints = check_constraints, .check_image = check_image, .is_dirty = is_dirty, .self = manager},
        .members = {.find = find_member, .may_remove = may_remove, .self = manager},
        .authority = ca_authority_control(manager->authority)});
    manager->leader =
        leader_new(&(struct leader_options){.loop = options->loop, .clock = options->clock, .random = options->random, .store = store});
    leader_add(manager->leader, make_dispatcher, manager);
    leader_add(manager->leader, make_ca, manager);
    leader_add(manager->leader, make_logs, manager);
    leader_add(manager->leader, make_roles, manager);
    leader_add(manager->leader, make_orchestrator, manager);
    leader_add(manager->leader, make_enforcer, manager);
    leader_add(manager->leader, make_allocator, manager);
    leader_add(manager->leader, make_scheduler, manager);
    leader_add(manager->leader, make_images, manager); /* behind the scheduler, which is told what is awaited */
}

void parts_close(struct manager *manager)
{
    control_free(manager->control);
    ca_authority_free(manager->authority);
    manager->control = NULL;
    manager->authority = NULL;
}
