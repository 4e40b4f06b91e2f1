/* tests/unit/manager/scheduler/part_fixture.h – the scheduler's part on a store with a log in memory, in virtual time.
 *
 *     static struct trial trial;
 *     trial_begin(&trial);
 *     put_node(&trial, node_make(&trial.make, "n1"));
 *     put_task(&trial, task_make(&trial.make, "web", "t1"));
 *     trial_pass_ms(&trial, 10);
 *     assert_string_equal(task_of(&trial, "t1")->node_id, "n1");
 *     trial_end(&trial); */
#ifndef SKEP_TESTS_UNIT_MANAGER_SCHEDULER_PART_FIXTURE_H
#define SKEP_TESTS_UNIT_MANAGER_SCHEDULER_PART_FIXTURE_H

#include "google/protobuf/timestamp.pb-c.h"
#include "manager/scheduler/part.h"
#include "tests/unit/manager/scheduler/swarm.h"
#include "tests/unit/manager/store/fixture.h"

struct trial {
    struct swarm make; /* its arena has the messages; it has no scheduler */
    struct world world;
    struct random_seeded seed;
    struct part_host host;
    struct part part;
    uint64_t now_ns;
    bool is_woken;
};

static inline int64_t trial_wall(void *self)
{
    return ((struct trial *)self)->world.wall_ns;
}

static inline uint64_t trial_monotonic(void *self)
{
    return ((struct trial *)self)->now_ns;
}

static inline void trial_wake(void *self)
{
    ((struct trial *)self)->is_woken = true;
}

static inline void trial_start_part(struct trial *trial)
{
    trial->part = scheduler_part_new(&trial->host);
    trial->is_woken = true;
}

/* As another leader begins: what is on its way is through by then. */
static inline void trial_stop_part(struct trial *trial)
{
    world_settle(&trial->world);
    trial->part.free(trial->part.self);
    trial->part = (struct part){0};
}

static inline void trial_begin_with(struct trial *trial, size_t history_count)
{
    memset(trial, 0, sizeof *trial);
    world_begin_with(&trial->world, history_count);
    random_seeded_init(&trial->seed, 3);
    trial->now_ns = 1000 * NS_PER_S;
    trial->host = (struct part_host){.store = trial->world.store,
                                     .clock = {trial_monotonic, trial_wall, trial},
                                     .random = random_from_seeded(&trial->seed),
                                     .wake = trial_wake,
                                     .self = trial};
    trial_start_part(trial);
}

static inline void trial_begin(struct trial *trial)
{
    trial_begin_with(trial, 0);
}

static inline void trial_end(struct trial *trial)
{
    trial_stop_part(trial);
    world_end(&trial->world);
    arena_deinit(&trial->make.arena);
}

/* --- time --- */

static inline uint64_t trial_deadline(const struct trial *trial)
{
    return trial->part.deadline_ns(trial->part.self);
}

/* One step. What it decides is queued in the store, and no more. */
static inline void trial_step(struct trial *trial)
{
    trial->is_woken = false;
    trial->part.step(trial->part.self, trial->now_ns);
}

/* Until nothing moves at this instant. */
static inline void trial_rest(struct trial *trial)
{
    for (unsigned i = 0; trial->is_woken || trial_deadline(trial) <= trial->now_ns || trial->world.is_woken || trial->world.fn; i++) {
        if (i > 10000)
            fail_msg("the part does not come to rest");
        if (trial->is_woken || trial_deadline(trial) <= trial->now_ns)
            trial_step(trial);
        world_settle(&trial->world);
    }
}

/* What is due meanwhile happens at its time. */
static inline void trial_pass_ms(struct trial *trial, uint64_t ms)
{
    uint64_t end = trial->now_ns + ms * NS_PER_MS;

    trial_rest(trial);
    while (trial->now_ns < end) {
        uint64_t at = trial_deadline(trial);
        at = at < end ? at : end;
        trial->world.wall_ns += (int64_t)(at - trial->now_ns);
        trial->now_ns = at;
        trial_rest(trial);
    }
}

/* Up to the moment when the next decisions are due, which are queued and not committed. */
static inline void trial_decide(struct trial *trial)
{
    trial_step(trial); /* reads what is new */
    assert_true(trial_deadline(trial) != PART_NEVER);
    if (trial_deadline(trial) > trial->now_ns)
        trial->now_ns = trial_deadline(trial);
    trial_step(trial);
    assert_true(trial->world.is_woken);
}

/* --- what is in the store --- */

/* With the version that is there. The caller's message is as it was. */
static inline void put_node(struct trial *trial, Node *message)
{
    const Node *old = store_node(trial->world.store, message->id);
    Node copy = *message;
    if (old == NULL) {
        do_create(&trial->world, &copy);
        return;
    }
    copy.meta = old->meta;
    do_update(&trial->world, &copy);
}

static inline void put_task(struct trial *trial, Task *message)
{
    const Task *old = store_task(trial->world.store, message->id);
    Task copy = *message;
    if (old == NULL) {
        do_create(&trial->world, &copy);
        return;
    }
    copy.meta = old->meta;
    do_update(&trial->world, &copy);
}

static inline const Task *task_of(const struct trial *trial, const char *id)
{
    const Task *found = store_task(trial->world.store, id);
    if (found == NULL)
        fail_msg("there is no task %s", id);
    return found;
}

static inline uint64_t version_of(const struct trial *trial, const char *id)
{
    return task_of(trial, id)->meta->version->index;
}

/* Assigned, to whom; "(nowhere)". */
static inline const char *place_of(const struct trial *trial, const char *id)
{
    const Task *found = task_of(trial, id);
    return found->status->state >= (Docker__Swarmkit__V1__TaskState)ASSIGNED ? found->node_id : "(nowhere)";
}

static inline size_t placed_on(const struct trial *trial, const char *node_id)
{
    struct store_cursor cursor;
    const Task *found;
    size_t count = 0;
    store_find(trial->world.store, STORE_TASK, STORE_BY_NODE, node_id, &cursor);
    while ((found = (const void *)store_next(&cursor)) != NULL)
        count += found->status->state == (Docker__Swarmkit__V1__TaskState)ASSIGNED;
    return count;
}

static inline void put_tasks(struct trial *trial, const char *service_id, size_t count, int64_t cpu)
{
    struct write_of *writes = mem_array(count, sizeof *writes);
    Task **made = mem_array(count, sizeof *made);
    for (size_t i = 0; i < count; i++) {
        made[i] = task_make(&trial->make, service_id, arena_format(&trial->make.arena, "%s.%zu", service_id, i));
        task_reserve(made[i], cpu, 0);
        writes[i] = (struct write_of){.change = CREATE, .message = &made[i]->base};
        ask(&trial->world, &writes[i]);
    }
    world_settle(&trial->world);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(writes[i].done, 1);
        assert_int_equal(writes[i].err.code, 0);
    }
    free(made);
    free(writes);
}

static inline struct scheduler_part *scheduler_of(const struct trial *trial)
{
    return trial->part.self;
}

/* --- nodes change --- */

static inline Node *node_down(struct trial *trial, const char *id)
{
    Node *made = node_make(&trial->make, id);
    made->status->state = DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__DOWN;
    return made;
}

static inline Node *node_drained(struct trial *trial, const char *id)
{
    Node *made = node_make(&trial->make, id);
    made->spec->availability = DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__DRAIN;
    return made;
}

#endif
