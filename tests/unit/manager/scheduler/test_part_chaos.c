/* tests/unit/manager/scheduler/test_part_chaos.c – everything at once, by chance: tasks and nodes come, change and go between a decision
 * and its transaction, proposals are lost, the part is left behind and made anew. No node ever gets more than it has; when it is quiet,
 * what waits fits nowhere, and the next leader finds nothing to do. */
#include "base/log.h"
#include "base/mem.h"
#include "tests/unit/manager/scheduler/part_fixture.h"

enum { SEEDS = 150, STEPS = 400, NODES = 4, SLOTS = 4, HISTORY = 4 };

static struct trial trial;
static uint64_t seed;
static unsigned tasks_made;

static uint32_t roll(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32) % below;
}

/* --- what others do: each decides by what its transaction sees, as everyone --- */

enum poke_kind { MAKE_TASK, STOP_TASK, MOVE_TASK, REMOVE_TASK, CHANGE_NODE, REMOVE_NODE, POKE_KINDS };

struct poke {
    enum poke_kind kind;
    char id[16], node_id[16]; /* @node_id: of a task that is preassigned, or "" */
    int state, availability;  /* of a node; @state of a task that moves */
};

static int poke_task(struct store_tx *tx, const struct poke *poke, const Task *old, struct error *err)
{
    Docker__Swarmkit__V1__TaskStatus status = *old->status;
    Task changed = *old;
    if (poke->kind == STOP_TASK)
        changed.desired_state = (Docker__Swarmkit__V1__TaskState)SHUTDOWN;
    else if (old->status->state < (Docker__Swarmkit__V1__TaskState)ASSIGNED ||
             old->status->state >= (Docker__Swarmkit__V1__TaskState)poke->state)
        return 0;
    else
        status.state = (Docker__Swarmkit__V1__TaskState)poke->state;
    changed.status = &status;
    return store_tx_update(tx, &changed.base, err);
}

static int poke_node(struct store_tx *tx, const struct poke *poke, struct error *err)
{
    const Node *old = store_tx_node(tx, poke->id);
    Node *changed = node_make(&trial.make, poke->id);
    changed->status->state = (Docker__Swarmkit__V1__NodeStatus__State)poke->state;
    changed->spec->availability = (Docker__Swarmkit__V1__NodeSpec__Availability)poke->availability;
    changed->description->resources->nano_cpus = SLOTS * CPU;
    changed->meta = old ? old->meta : NULL;
    return old ? store_tx_update(tx, &changed->base, err) : store_tx_create(tx, &changed->base, err);
}

static int poke_fn(struct store_tx *tx, void *ctx, struct error *err)
{
    const struct poke *poke = ctx;
    const Task *old = store_tx_task(tx, poke->id);
    Task *made;
    switch (poke->kind) {
    case MAKE_TASK:
        made = task_make(&trial.make, poke->node_id[0] ? "global" : tasks_made % 2 ? "odd" : "even", poke->id);
        task_reserve(made, CPU, 0);
        made->node_id = swarm_copy(&trial.make, poke->node_id);
        return store_tx_create(tx, &made->base, err);
    case STOP_TASK:
    case MOVE_TASK:
        return old ? poke_task(tx, poke, old, err) : 0;
    case REMOVE_TASK:
        return old ? store_tx_remove(tx, STORE_TASK, poke->id, err) : 0;
    case CHANGE_NODE:
        return poke_node(tx, poke, err);
    case REMOVE_NODE:
        return store_tx_node(tx, poke->id) ? store_tx_remove(tx, STORE_NODE, poke->id, err) : 0;
    case POKE_KINDS:
        break;
    }
    return 0;
}

static void poke_done(void *ctx, const struct error *err)
{
    if (err && err->code != ERR_CANCELED)
        fail_msg("a change of the test failed: %s", err->message);
    free(ctx);
}

static void poke(void)
{
    static const int ends[] = {RUNNING, RUNNING, COMPLETE, FAILED, SHUTDOWN};
    struct poke *made = mem_alloc(sizeof *made);
    uint32_t what = roll(20);
    made->kind = what < 8    ? MAKE_TASK
                 : what < 10 ? STOP_TASK
                 : what < 15 ? MOVE_TASK
                 : what < 16 ? REMOVE_TASK
                 : what < 19 ? CHANGE_NODE
                             : REMOVE_NODE;
    if (made->kind == MAKE_TASK)
        snprintf(made->id, sizeof made->id, "t%u", tasks_made++);
    else if (made->kind < CHANGE_NODE)
        snprintf(made->id, sizeof made->id, "t%u", tasks_made > 0 ? roll(tasks_made) : 0);
    else
        snprintf(made->id, sizeof made->id, "n%u", roll(NODES));
    if (made->kind == MAKE_TASK && roll(4) == 0)
        snprintf(made->node_id, sizeof made->node_id, "n%u", roll(NODES));
    if (made->kind == MOVE_TASK)
        made->state = ends[roll(5)];
    if (made->kind == CHANGE_NODE) {
        made->state = roll(5) == 0 ? DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__DOWN : DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__READY;
        made->availability =
            roll(5) == 0 ? DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__DRAIN : DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__ACTIVE;
    }
    store_update(trial.world.store, poke_fn, poke_done, made);
}

/* --- what must hold --- */

/* Tasks that a node has to bear. */
static size_t borne_by(const char *node_id)
{
    struct store_cursor cursor;
    const Task *found;
    size_t count = 0;
    store_find(trial.world.store, STORE_TASK, STORE_BY_NODE, node_id, &cursor);
    while ((found = (const void *)store_next(&cursor)) != NULL)
        count += found->status->state >= (Docker__Swarmkit__V1__TaskState)ASSIGNED &&
                 found->status->state <= (Docker__Swarmkit__V1__TaskState)RUNNING;
    return count;
}

static bool fits(const char *node_id)
{
    const Node *found = store_node(trial.world.store, node_id);
    return found && found->status->state == DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__READY &&
           found->spec->availability == DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__ACTIVE && borne_by(node_id) < SLOTS;
}

static void check_nodes(void)
{
    for (int i = 0; i < NODES; i++)
        if (borne_by(arena_format(&trial.make.arena, "n%d", i)) > SLOTS)
            fail_msg("n%d has %zu tasks, and room for %d", i, borne_by(arena_format(&trial.make.arena, "n%d", i)), SLOTS);
}

static void check_waiting(const Task *found)
{
    const char *err = found->status->err;
    if (found->desired_state > (Docker__Swarmkit__V1__TaskState)COMPLETE)
        fail_msg("%s was stopped before it was placed, and is still PENDING", found->id);
    if (found->node_id[0]) {
        if (fits(found->node_id))
            fail_msg("%s waits for %s, which fits", found->id, found->node_id);
        if (store_node(trial.world.store, found->node_id) && err[0] == 0)
            fail_msg("%s was not told why it waits for %s", found->id, found->node_id);
        return;
    }
    for (int i = 0; i < NODES; i++)
        if (fits(arena_format(&trial.make.arena, "n%d", i)))
            fail_msg("%s waits (\"%s\"), and n%d fits", found->id, err, i);
    if (strncmp(err, "no suitable node", 16) != 0)
        fail_msg("%s was not told why it waits: \"%s\"", found->id, err);
    const struct scheduler_explanation *why = scheduler_part_explain(scheduler_of(&trial), found->id);
    assert_non_null(why);
    assert_string_equal(why->text, err);
}

static void check_all(void)
{
    struct store_cursor cursor;
    const Task *found;
    store_find(trial.world.store, STORE_TASK, STORE_ALL, NULL, &cursor);
    while ((found = (const void *)store_next(&cursor)) != NULL)
        if (found->status->state == (Docker__Swarmkit__V1__TaskState)PENDING)
            check_waiting(found);
    check_nodes();
}

static void check_next_leader(void)
{
    struct scheduler_counts before = scheduler_part_count(scheduler_of(&trial)), now;
    int entries = trial.world.entries_count;
    trial_stop_part(&trial);
    trial_start_part(&trial);
    trial_pass_ms(&trial, 3 * SCHEDULER_EXPLAIN_MS);
    assert_int_equal(trial.world.entries_count, entries);
    now = scheduler_part_count(scheduler_of(&trial));
    assert_int_equal(now.nodes, before.nodes);
    assert_int_equal(now.ready_nodes, before.ready_nodes);
    assert_int_equal(now.tasks, before.tasks);
    assert_int_equal(now.pending_tasks, before.pending_tasks);
}

static void move(void)
{
    uint32_t what = roll(16);
    if (what < 6) {
        poke();
    } else if (what < 10) {
        trial.now_ns += roll(15) * NS_PER_MS;
        trial_step(&trial);
    } else if (what < 13) {
        world_run(&trial.world);
    } else if (what < 15 || roll(4) > 0) {
        world_commit(&trial.world);
        check_nodes();
    } else if (trial.world.fn) {
        world_lose(&trial.world, ERR_CANCELED);
    }
}

static void no_node_gets_too_much_and_nothing_is_forgotten(void **state)
{
    (void)state;
    log_init(LOG_TEXT, LOG_ERROR, stderr); /* what is lost and left behind here is meant to be */
    for (uint64_t run = 1; run <= SEEDS; run++) {
        seed = run * 0x9e3779b97f4a7c15u;
        tasks_made = 0;
        trial_begin_with(&trial, HISTORY);
        for (int i = 0; i < STEPS; i++)
            move();
        trial_pass_ms(&trial, 3 * SCHEDULER_EXPLAIN_MS);
        check_all();
        check_next_leader();
        trial_end(&trial);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_node_gets_too_much_and_nothing_is_forgotten)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
