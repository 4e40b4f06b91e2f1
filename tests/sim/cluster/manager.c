/* tests/sim/cluster/manager.c – a manager's process: the real replica, store, leader with its parts, and control, put together as
 * manager/manager.c and manager/parts.c do it. What the Raft simulator asks of who stands on its group is here too: it begins and ends
 * with its node, and its image is the store's. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "manager/orchestrator/allocator.h"
#include "manager/orchestrator/compare.h"
#include "manager/orchestrator/enforcer.h"
#include "manager/orchestrator/orchestrator.h"
#include "manager/orchestrator/roles.h"
#include "manager/scheduler/constraint.h"
#include "manager/scheduler/fit.h"
#include "manager/scheduler/image_facts.h"
#include "manager/scheduler/part.h"
#include "proto/message.h"
#include "tests/sim/cluster/cluster.h"

/* --- what parts ask --- */

static bool is_reachable(const struct manager_process *manager, unsigned id)
{
    const struct sim *sim = manager->cluster->sim;
    return id == manager->id || (sim->nodes[id].life == SIM_UP && !sim->is_cut[manager->id][id]);
}

static size_t list_managers(void *ctx, struct dispatcher_manager *out, size_t capacity)
{
    const struct manager_process *manager = ctx;
    const struct raft_book *book = raft_node_book(manager->raft);
    size_t count = 0;

    for (size_t i = 0; i < book->count && count < capacity; i++)
        if (is_reachable(manager, (unsigned)book->members[i].id))
            out[count++] = (struct dispatcher_manager){book->members[i].node_id, book->members[i].address};
    return count;
}

static bool node_fits(void *self, const Node *node, const Docker__Swarmkit__V1__Placement *placement)
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
    (void)self, (void)reference, (void)err;
    return 0;
}

static bool is_dirty(void *self, const Service *service, const Task *task, const Node *node)
{
    (void)self;
    return task_is_dirty(&orchestrator_rules, service, task, node);
}

static bool find_member(void *self, const char *node_id, struct control_member *out)
{
    (void)self, (void)node_id, (void)out;
    return false; /* agents are on hosts of their own */
}

static bool may_remove(void *self, uint64_t raft_id)
{
    (void)self, (void)raft_id;
    return false;
}

static void ca_change(void *self, const struct control_ca_change *change, control_ca_done_fn *done, void *ctx)
{
    (void)self;
    done(ctx, MESSAGE_COPY(change->cluster->root_ca), NULL);
}

static void ca_unlock(void *self, Docker__Swarmkit__V1__Cluster *cluster, bool rotates)
{
    (void)self, (void)cluster, (void)rotates;
}

static bool ca_expires(void *self, struct bytes pem, int64_t *wall_ns)
{
    (void)self, (void)pem, (void)wall_ns;
    return false;
}

static size_t group_members(void *self, struct roles_member out[MANAGERS_COUNT])
{
    const struct raft_book *book = raft_node_book(((struct manager_process *)self)->raft);
    size_t count = book->count < MANAGERS_COUNT ? book->count : MANAGERS_COUNT;

    for (size_t i = 0; i < count; i++)
        out[i] = (struct roles_member){book->members[i].id, book->members[i].node_id};
    return count;
}

static int group_leave(void *self, uint64_t raft_id, void (*fn)(void *ctx, uint64_t index, const struct error *err), void *ctx,
                       struct error *err)
{
    (void)self, (void)fn, (void)ctx;
    return error_set(err, ERR_PRECONDITION, "member %" PRIu64 " stays: nobody leaves here", raft_id);
}

/* --- the leader's parts --- */

static struct part make_dispatcher(const struct part_host *host, void *ctx)
{
    struct manager_process *manager = ctx;
    char node_id[24];

    snprintf(node_id, sizeof node_id, "manager%u", manager->id);
    const struct dispatcher_options options = {.host = *host, .node_id = node_id, .managers = list_managers, .ctx = manager};
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

static struct part make_roles(const struct part_host *host, void *ctx)
{
    return roles_new(host, &(struct roles_group){.members = group_members, .leave = group_leave, .self = ctx});
}

static struct part make_allocator(const struct part_host *host, void *ctx)
{
    (void)ctx;
    return allocator_new(host);
}

static struct part make_scheduler(const struct part_host *host, void *ctx)
{
    (void)ctx;
    return scheduler_part_new(host);
}

struct dispatcher *manager_dispatcher(struct manager_process *manager)
{
    return manager->is_up && manager->is_begun ? leader_part(manager->leader, "dispatcher") : NULL;
}

bool manager_leads(const struct manager_process *manager)
{
    return manager->is_up && replica_is_leading(manager->replica);
}

unsigned manager_leader_known(const struct manager_process *manager)
{
    struct raft_node_status status;

    if (!manager->is_up)
        return 0;
    raft_node_status(manager->raft, &status);
    return (unsigned)status.leader;
}

/* --- a cluster's first objects: as control_bootstrap() has them, and those that joining and asking registries would have made --- */

static int add_node(struct store_tx *tx, const struct agent *agent, struct error *err)
{
    Node node = DOCKER__SWARMKIT__V1__NODE__INIT;
    Docker__Swarmkit__V1__NodeSpec spec = DOCKER__SWARMKIT__V1__NODE_SPEC__INIT;
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    Docker__Swarmkit__V1__NodeStatus status = DOCKER__SWARMKIT__V1__NODE_STATUS__INIT;
    Docker__Swarmkit__V1__Certificate certificate = DOCKER__SWARMKIT__V1__CERTIFICATE__INIT;
    Docker__Swarmkit__V1__IssuanceStatus issued = DOCKER__SWARMKIT__V1__ISSUANCE_STATUS__INIT;

    if (store_tx_node(tx, agent->node_id))
        return 0;
    node.id = (char *)(uintptr_t)agent->node_id;
    spec.annotations = &annotations;
    spec.membership = DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__ACCEPTED;
    node.spec = &spec;
    node.status = &status;
    issued.state = DOCKER__SWARMKIT__V1__ISSUANCE_STATUS__STATE__ISSUED;
    certificate.status = &issued;
    certificate.cn = node.id;
    node.certificate = &certificate;
    return store_tx_create(tx, &node.base, err);
}

static int add_facts(struct store_tx *tx, unsigned number, struct error *err)
{
    const struct image_kind *kind = &cluster_images[number];
    const struct scheduler_platform platform = {.os = kind->os, .architecture = kind->architecture, .os_version = kind->os_version};
    const struct image_facts facts = {.image = kind->name, .platforms = &platform, .count = 1};
    Docker__Swarmkit__V1__Resource resource = DOCKER__SWARMKIT__V1__RESOURCE__INIT;
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
    cleanup_buf struct buf payload = {0};
    char id[16];

    snprintf(id, sizeof id, "image%u", number);
    if (!kind->has_facts || store_tx_resource(tx, id))
        return 0;
    int failed = image_facts_print(&facts, &payload, err);
    if (failed < 0)
        return failed;
    resource.id = annotations.name = id;
    resource.kind = (char *)(uintptr_t)IMAGE_FACTS_KIND;
    resource.annotations = &annotations;
    any.type_url = (char *)(uintptr_t)IMAGE_FACTS_TYPE;
    any.value = (ProtobufCBinaryData){payload.size, payload.data};
    resource.payload = &any;
    return store_tx_create(tx, &resource.base, err);
}

static int add_all(struct store_tx *tx, void *ctx, struct error *err)
{
    const struct manager_process *manager = ctx;
    int failed = 0;

    for (unsigned i = 0; i < manager->cluster->plan.agents_count && failed == 0; i++)
        failed = add_node(tx, &manager->cluster->agents[i], err);
    for (unsigned i = 0; i < CLUSTER_IMAGES_COUNT && failed == 0; i++)
        failed = add_facts(tx, i, err);
    return failed;
}

static void all_added(void *ctx, const struct error *err)
{
    struct manager_process *manager = ctx;

    if (err)
        cluster_say(manager->cluster, "manager", "%u: the nodes are not added: %s", manager->id, err->message);
}

/* As manager.c has it. */
static void bootstrapped(void *ctx, const struct error *err)
{
    struct manager_process *manager = ctx;

    if (err)
        cluster_say(manager->cluster, "manager", "%u: the cluster's first objects: %s", manager->id, err->message);
    if (err || !replica_is_leading(manager->replica))
        return;
    store_update(replica_store(manager->replica), add_all, all_added, manager);
    leader_begin(manager->leader);
    manager->is_begun = true;
}

static void bootstrap(struct manager_process *manager)
{
    Docker__Swarmkit__V1__RootCA root = DOCKER__SWARMKIT__V1__ROOT_CA__INIT;
    Docker__Swarmkit__V1__JoinTokens tokens = DOCKER__SWARMKIT__V1__JOIN_TOKENS__INIT;
    char node_id[24], worker[] = "worker token", join[] = "manager token";

    snprintf(node_id, sizeof node_id, "manager%u", manager->id);
    tokens.worker = worker;
    tokens.manager = join;
    root.join_tokens = &tokens;
    const struct control_bootstrap_options options = {.cluster_id = "cluster1", .node_id = node_id, .root_ca = &root};
    control_bootstrap(manager->control, &options, bootstrapped, manager);
}

static void on_leading(void *ctx, bool is_leading)
{
    struct manager_process *manager = ctx;

    cluster_say(manager->cluster, "manager", "%u %s", manager->id, is_leading ? "leads" : "leads no more");
    if (is_leading) {
        bootstrap(manager);
        return;
    }
    manager->is_begun = false;
    leader_end(manager->leader);
}

/* --- life --- */

static void open_parts(struct manager_process *manager, struct random random)
{
    struct store *store = replica_store(manager->replica);
    const struct clock clock = manager->cluster->clock;

    manager->control = control_new(&(struct control_options){
        .host = {.store = store, .clock = clock, .random = random},
        .rules = {.check_constraints = check_constraints, .check_image = check_image, .is_dirty = is_dirty, .self = manager},
        .members = {.find = find_member, .may_remove = may_remove, .self = manager},
        .authority = {.change = ca_change, .unlock = ca_unlock, .expires = ca_expires, .self = manager}});
    manager->leader = leader_new(&(struct leader_options){.loop = &manager->loop.uv, .clock = clock, .random = random, .store = store});
    leader_add(manager->leader, make_dispatcher, manager);
    leader_add(manager->leader, make_roles, manager);
    leader_add(manager->leader, make_orchestrator, manager);
    leader_add(manager->leader, make_enforcer, manager);
    leader_add(manager->leader, make_allocator, manager);
    leader_add(manager->leader, make_scheduler, manager);
}

void manager_begin(struct manager_process *manager)
{
    struct cluster *cluster = manager->cluster;
    const struct sim_node *node = &cluster->sim->nodes[manager->id];
    struct raft_member members[CLUSTER_MANAGERS_COUNT];
    char ids[CLUSTER_MANAGERS_COUNT][24], addresses[CLUSTER_MANAGERS_COUNT][24];
    struct error err = {0};

    loop_begin(&manager->loop);
    random_seeded_init(&manager->seeded, sim_mix(cluster->sim->options.seed ^ sim_mix(manager->id) ^ node->incarnation));
    struct random random = random_from_seeded(&manager->seeded);
    for (unsigned i = 0; i < cluster->plan.managers_count; i++) {
        snprintf(ids[i], sizeof ids[i], "manager%u", i + 1);
        snprintf(addresses[i], sizeof addresses[i], "m%u:2377", i + 1);
        members[i] = (struct raft_member){i + 1, ids[i], addresses[i]};
    }
    const struct replica_options options = {.raft = {.loop = &manager->loop.uv,
                                                     .clock = cluster->clock,
                                                     .random = random,
                                                     .self = members[manager->id - 1],
                                                     .members = members,
                                                     .members_count = cluster->plan.managers_count},
                                            .events = {.on_leading = on_leading, .ctx = manager}};
    if (replica_open(&options, &manager->replica, &err) < 0) {
        sim_violated(cluster->sim, "a manager starts", "%s", err.message);
        return;
    }
    manager->is_dying = manager->is_begun = false;
    manager->is_up = true;
    open_parts(manager, random);
}

/* A crash: nobody hears of it but by broken connections. */
void manager_end(struct manager_process *manager)
{
    if (!manager->is_up)
        return;
    manager->is_dying = true;
    wire_manager_ended(manager->cluster, manager->id);
    replica_close(manager->replica, NULL, NULL);
    control_free(manager->control);
    leader_close(manager->leader, NULL, NULL);
    loop_drain(&manager->loop);
    manager->is_up = manager->is_dying = manager->is_begun = false;
    manager->replica = NULL;
}

/* --- what the Raft simulator asks --- */

static struct manager_process *manager_of(struct sim *sim, const struct sim_node *node)
{
    return &cluster_of(sim)->managers[node->id];
}

void sim_machine_forget(struct sim *sim, struct sim_node *node)
{
    manager_end(manager_of(sim, node)); /* a start that failed half-way */
    manager_begin(manager_of(sim, node));
}

bool sim_machine_apply(struct sim *sim, struct sim_node *node, const struct raft_entry *entry)
{
    struct cluster *cluster = cluster_of(sim);

    if (entry->index > cluster->witness_index)
        witness_entry(cluster, entry);
    raft_node_apply(manager_of(sim, node)->raft, entry);
    return true;
}

struct raft_payload *sim_machine_save(struct sim *sim, struct sim_node *node)
{
    cleanup_buf struct buf image = {0};

    buf_append(&image, &node->machine, sizeof node->machine);
    raft_node_image(manager_of(sim, node)->raft, &image);
    return raft_payload_new(buf_bytes(&image));
}

bool sim_machine_load(struct sim *sim, struct sim_node *node, struct bytes image)
{
    struct error err = {0};

    if (image.size < sizeof node->machine)
        return false;
    memcpy(&node->machine, image.data, sizeof node->machine);
    image.data += sizeof node->machine;
    image.size -= sizeof node->machine;
    if (raft_node_restore(manager_of(sim, node)->raft, image, node->machine.applied, &err) == 0)
        return true;
    sim_say(sim, node, "image: %s", err.message);
    return false;
}

void sim_clients_up(struct sim *sim, struct sim_node *node)
{
    (void)sim, (void)node;
}

void sim_clients_down(struct sim *sim, struct sim_node *node)
{
    manager_end(manager_of(sim, node));
}

void sim_clients_ready(struct sim *sim, struct sim_node *node, const struct raft_ready *ready)
{
    raft_node_ready(manager_of(sim, node)->raft, ready);
}

void sim_clients_serve_reads(struct sim *sim, struct sim_node *node)
{
    raft_node_serve_reads(manager_of(sim, node)->raft);
}

void sim_clients_applied(struct sim *sim, struct sim_node *node, const struct raft_entry *entry, bool was_done)
{
    (void)was_done;
    raft_node_entry(manager_of(sim, node)->raft, entry);
}
