/* tests/sim/cluster/witness.c – a store that takes every entry the first time that any manager applies it, and holds each change against
 * the rules:
 *
 *     no task moves backwards: neither its state nor what is desired of it, and it stays on its node
 *     a task is put only on a node that may have it: of its system and build (base/isolation.h), and not drained
 *     in each slot at most one task is to run (two while an update starts first)
 *     what was acknowledged stays: a service is there until its removal is asked for, with a spec that was asked for last
 *
 * At the end every manager's store is the same as it. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "proto/message.h"
#include "tests/sim/cluster/cluster.h"

/* It never proposes. */
static int propose(void *self, struct bytes entry, void (*fn)(void *ctx, uint64_t index, const struct error *err), void *ctx,
                   struct error *err)
{
    (void)self, (void)entry, (void)fn, (void)ctx;
    return error_set(err, ERR_UNAVAILABLE, "a witness only looks");
}

static uint64_t version(void *self)
{
    return ((const struct cluster *)self)->witness_index;
}

static void wake(void *self)
{
    (void)self;
}

void witness_begin(struct cluster *cluster)
{
    cluster->witness = store_new(&(struct store_options){
        .log = {propose, version, wake, cluster}, .clock = cluster->clock, .random = cluster->sim->random, .history_count = 4});
    cluster->watcher = store_watch(cluster->witness, NULL, NULL);
}

void witness_end(struct cluster *cluster)
{
    store_unwatch(cluster->watcher);
    store_free(cluster->witness);
}

/* --- tasks --- */

static const struct agent *agent_of(const struct cluster *cluster, const char *node_id)
{
    for (unsigned i = 0; i < cluster->plan.agents_count; i++)
        if (text_equal(cluster->agents[i].node_id, node_id))
            return &cluster->agents[i];
    return NULL;
}

static enum isolation wish_of(const Task *task)
{
    switch (task->spec->container->isolation) {
    case DOCKER__SWARMKIT__V1__CONTAINER_SPEC__ISOLATION__ISOLATION_PROCESS:
        return ISOLATION_PROCESS;
    case DOCKER__SWARMKIT__V1__CONTAINER_SPEC__ISOLATION__ISOLATION_HYPERV:
        return ISOLATION_HYPERV;
    default:
        return ISOLATION_DEFAULT;
    }
}

/* The node as it was when the task was put on it: what comes behind that in the same entry has not happened yet. */
static const Node *node_then(const struct cluster *cluster, const struct store_commit *commit, size_t at, const char *node_id)
{
    for (size_t i = at + 1; i < commit->count; i++)
        if (commit->changes[i].kind == STORE_NODE && text_equal(store_object_id(commit->changes[i].object), node_id))
            return (const void *)commit->changes[i].old->message;
    return store_node(cluster->witness, node_id);
}

static void check_placed(struct cluster *cluster, const Task *task, const Node *node)
{
    const struct agent *agent = agent_of(cluster, task->node_id);
    const struct image_kind *image = plan_image(task->spec->container->image);
    enum isolation isolation;

    if (!agent || !node)
        sim_violated(cluster->sim, "tasks are put on nodes of the cluster", "%s on %s", task->id, task->node_id);
    else if (node->spec->availability == DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__DRAIN)
        sim_violated(cluster->sim, "nothing is put on a drained node", "%s on %s", task->id, agent->hostname);
    else if (image && image->has_facts && !rule_allows(agent, image, wish_of(task), &isolation))
        sim_violated(cluster->sim, "nothing is put where the rule forbids it", "%s, %s with isolation %s, on %s, %s", task->id, image->name,
                     isolation_name(wish_of(task)), agent->hostname, agent->kind->name);
}

static bool is_to_run(const Task *task)
{
    return task->desired_state == STATE(RUNNING) && task->status->state <= STATE(RUNNING);
}

static void check_slot(struct cluster *cluster, const Task *task)
{
    const Service *service = store_service(cluster->witness, task->service_id);
    char key[STORE_SLOT_KEY_SIZE];
    struct store_cursor cursor;
    const Task *other;
    unsigned count = 0;

    if (task->slot == 0 || !is_to_run(task) || !service)
        return;
    const struct service_entry *entry = clients_service(cluster, service->spec->annotations->name);
    const struct wish *wish = entry ? services_wish(entry, entry->generation_in_store) : NULL;
    if (!wish || wish->mode != MODE_REPLICATED)
        return;
    store_slot_key(task->service_id, task->slot, key);
    store_find(cluster->witness, STORE_TASK, STORE_BY_SLOT, key, &cursor);
    while ((other = (const void *)store_next(&cursor)) != NULL)
        count += is_to_run(other);
    if (count > (wish->starts_first ? 4u : 1u)) /* an update that starts first may be overtaken by the next */
        sim_violated(cluster->sim, "at most one copy in a slot", "%u tasks are to run in slot %" PRIu64 " of %s, the last is %s", count,
                     task->slot, entry->name, task->id);
}

static void check_task(struct cluster *cluster, const struct store_commit *commit, size_t at)
{
    const Task *task = (const void *)commit->changes[at].object->message;
    const Task *old = commit->changes[at].old ? (const void *)commit->changes[at].old->message : NULL;

    if (old && task->status->state < old->status->state)
        sim_violated(cluster->sim, "no task moves backwards", "%s from %d to %d", task->id, (int)old->status->state,
                     (int)task->status->state);
    if (old && task->desired_state < old->desired_state)
        sim_violated(cluster->sim, "what is desired of a task is not lowered", "%s from %d to %d", task->id, (int)old->desired_state,
                     (int)task->desired_state);
    if (old && *old->node_id && !text_equal(old->node_id, task->node_id))
        sim_violated(cluster->sim, "a task stays on its node", "%s from %s to %s", task->id, old->node_id, task->node_id);
    if (task->status->state > STATE(ASSIGNED) && !*task->node_id && task->status->state <= STATE(RUNNING))
        sim_violated(cluster->sim, "only what has a node runs", "%s is %d", task->id, (int)task->status->state);
    bool was_placed = old && old->status->state >= STATE(ASSIGNED);
    if (task->status->state == STATE(ASSIGNED) && !was_placed)
        check_placed(cluster, task, node_then(cluster, commit, at, task->node_id));
    check_slot(cluster, task);
}

/* --- services and nodes --- */

/* A roll-back goes to the spec before, which is then the one that was asked for. */
static void note_spec(struct service_entry *entry, unsigned generation)
{
    const struct wish *now = services_wish(entry, entry->generation_in_store);

    if (!entry->is_in_store || !now || generation == entry->generation_in_store) {
        entry->generation_in_store = generation;
        return;
    }
    struct wish left = *now;
    bool is_undone = left.action == DOCKER__SWARMKIT__V1__UPDATE_CONFIG__FAILURE_ACTION__ROLLBACK && entry->previous.generation != 0 &&
                     generation == entry->previous.generation;
    if (is_undone)
        clients_rolled_back(entry);
    entry->previous = left;
    entry->generation_in_store = generation;
}

static void check_service(struct cluster *cluster, const Service *service, bool is_there)
{
    struct service_entry *entry = clients_service(cluster, service->spec->annotations->name);

    if (!entry) {
        sim_violated(cluster->sim, "only what was asked for is there", "service %s", service->id);
        return;
    }
    note_spec(entry, services_generation(service->spec));
    entry->is_in_store = is_there;
    if (!is_there && !entry->may_be_removed)
        sim_violated(cluster->sim, "what is acknowledged stays", "%s is gone, and nobody asked for that", entry->name);
    if (is_there && entry->is_removed)
        sim_violated(cluster->sim, "what is acknowledged stays", "%s was removed, and is there again", entry->name);
    if (is_there && !clients_may_have(entry, entry->generation_in_store))
        sim_violated(cluster->sim, "what is acknowledged stays", "%s is as wish %u has it, wish %u was acknowledged", entry->name,
                     entry->generation_in_store, entry->wish.generation);
}

static void check_node(struct cluster *cluster, const Node *node)
{
    const struct agent *agent = agent_of(cluster, node->id);
    int availability = (int)node->spec->availability;

    if (!agent)
        return;
    const struct node_entry *entry = &cluster->nodes[agent->number];
    bool is_known = entry->availability == availability;
    for (size_t i = 0; i < entry->attempts_count; i++)
        is_known = is_known || entry->attempts[i] == availability;
    if (!is_known)
        sim_violated(cluster->sim, "what is acknowledged stays", "%s has availability %d, %d was acknowledged", agent->hostname,
                     availability, entry->availability);
}

static void say_change(const struct cluster *cluster, const struct store_change *change)
{
    if (!sim_is_traced(cluster->sim))
        return;
    const char *what = change->action == STORE_REMOVE ? "is gone" : change->action == STORE_CREATE ? "new" : "changed";
    if (change->kind == STORE_TASK) {
        const Task *task = (const void *)change->object->message;
        cluster_say(cluster, "store", "task %s %s: %s slot %" PRIu64 " on %s: %d, to be %d: %s %s", task->id, what, task->service_id,
                    task->slot, task->node_id, (int)task->status->state, (int)task->desired_state, task->status->message,
                    task->status->err);
    } else if (change->kind == STORE_NODE) {
        const Node *node = (const void *)change->object->message;
        cluster_say(cluster, "store", "node %s %s: state %d, availability %d", node->id, what, (int)node->status->state,
                    (int)node->spec->availability);
    } else {
        cluster_say(cluster, "store", "%s %s %s", store_kind_info(change->kind)->name, store_object_id(change->object), what);
    }
}

static void check_change(struct cluster *cluster, const struct store_commit *commit, size_t at)
{
    const struct store_change *change = &commit->changes[at];
    bool is_there = change->action != STORE_REMOVE;

    say_change(cluster, change);
    if (change->kind == STORE_TASK && is_there)
        check_task(cluster, commit, at);
    else if (change->kind == STORE_SERVICE)
        check_service(cluster, (const void *)change->object->message, is_there);
    else if (change->kind == STORE_NODE && is_there)
        check_node(cluster, (const void *)change->object->message);
}

void witness_entry(struct cluster *cluster, const struct raft_entry *entry)
{
    const struct store_commit *commit;
    struct error err = {0};

    cluster->witness_index = entry->index;
    if (entry->type != RAFT_ENTRY_NORMAL || !entry->payload)
        return;
    if (store_apply(cluster->witness, entry->index, raft_entry_bytes(entry), &err) < 0) {
        sim_violated(cluster->sim, "what a leader writes can be applied", "entry %" PRIu64 ": %s", entry->index, err.message);
        return;
    }
    while (store_watch_next(cluster->watcher, &commit, &err) == 0)
        for (size_t i = 0; i < commit->count; i++)
            check_change(cluster, commit, i);
}

/* --- at the end --- */

static void read_whole(const struct store *store, struct buf *out)
{
    struct store_image *image = store_image_open(store, bytes_of(NULL, 0));
    size_t before;

    do {
        before = out->size;
        store_image_read(image, SIZE_MAX / 2, out);
    } while (out->size > before);
    store_image_close(image);
}

static void check_services(struct cluster *cluster)
{
    for (unsigned i = 0; i < cluster->services_count; i++) {
        const struct service_entry *entry = &cluster->services[i];
        if (entry->is_acknowledged && !entry->may_be_removed && !entry->is_in_store)
            sim_violated(cluster->sim, "what is acknowledged stays", "%s is not there", entry->name);
    }
}

void sim_clients_check(struct sim *sim)
{
    struct cluster *cluster = cluster_of(sim);
    cleanup_buf struct buf whole = {0};

    check_services(cluster);
    read_whole(cluster->witness, &whole);
    for (unsigned id = 1; id <= cluster->plan.managers_count; id++) {
        const struct manager_process *manager = &cluster->managers[id];
        cleanup_buf struct buf own = {0};
        if (!manager->is_up || sim->nodes[id].machine.applied != cluster->witness_index)
            continue;
        read_whole(replica_store(manager->replica), &own);
        if (own.size != whole.size)
            sim_violated(sim, "all managers have the same", "manager %u has %zu bytes of objects, the log makes %zu", id, own.size,
                         whole.size);
    }
}
