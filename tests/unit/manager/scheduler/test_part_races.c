/* tests/unit/manager/scheduler/test_part_races.c – what changes between a decision and its transaction, and what becomes of those that
 * were not written. */
#include "tests/unit/manager/scheduler/part_fixture.h"

/* A change that is queued, and comes before what is decided afterwards. */
static void put_first(struct trial *trial, struct write_of *write, ProtobufCMessage *message)
{
    *write = (struct write_of){.change = UPDATE, .message = message};
    ask(&trial->world, write);
}

static void went_through(const struct write_of *write)
{
    assert_int_equal(write->done, 1);
    if (write->err.code != 0)
        fail_msg("the test's own change failed: %s", write->err.message);
}

static Task *whole(struct trial *trial, const char *service_id, const char *id)
{
    Task *made = task_make(&trial->make, service_id, id);
    task_reserve(made, 4 * CPU, 0);
    return made;
}

/* n1 changes to @changed between the decision and its transaction (NULL: it is removed); the task goes to n2 then. */
static void node_that_changes(bool is_preassigned, Node *(*change)(struct trial *trial, const char *id))
{
    static struct trial trial;
    struct write_of write;

    trial_begin(&trial);
    put_node(&trial, node_make(&trial.make, "n1"));
    Task *made = whole(&trial, "web", "t1");
    if (is_preassigned)
        made->node_id = swarm_copy(&trial.make, "n1");
    put_task(&trial, made);
    trial_step(&trial);
    if (change) {
        Node *changed = change(&trial, "n1");
        changed->meta = store_node(trial.world.store, "n1")->meta;
        put_first(&trial, &write, &changed->base);
    } else {
        write = (struct write_of){.change = REMOVE, .kind = STORE_NODE, .id = "n1"};
        ask(&trial.world, &write);
    }
    uint64_t version = version_of(&trial, "t1");
    trial_decide(&trial);
    world_settle(&trial.world);
    went_through(&write);
    assert_string_equal(place_of(&trial, "t1"), "(nowhere)");
    assert_int_equal(version_of(&trial, "t1"), version); /* nothing at all was written */

    trial_pass_ms(&trial, 20); /* and it is tried again, and told */
    if (change == NULL && is_preassigned)
        assert_string_equal(task_of(&trial, "t1")->status->err, "");
    else if (is_preassigned)
        assert_string_equal(task_of(&trial, "t1")->status->err, "1 node not available for new tasks");
    else if (change == NULL)
        assert_string_equal(task_of(&trial, "t1")->status->err, "no suitable node");
    else
        assert_string_equal(task_of(&trial, "t1")->status->err, "no suitable node (1 node not available for new tasks)");
    put_node(&trial, node_make(&trial.make, is_preassigned ? "n1" : "n2"));
    trial_pass_ms(&trial, 20);
    assert_string_equal(place_of(&trial, "t1"), is_preassigned ? "n1" : "n2");

    put_task(&trial, whole(&trial, "other", "t2")); /* nothing of the void decision is left on the nodes */
    trial_pass_ms(&trial, 20);
    if (is_preassigned || change == NULL)
        put_node(&trial, node_make(&trial.make, "n3"));
    else
        put_node(&trial, node_make(&trial.make, "n1"));
    trial_pass_ms(&trial, 20);
    assert_string_equal(place_of(&trial, "t2"), is_preassigned || change == NULL ? "n3" : "n1");
    trial_end(&trial);
}

static void a_drained_node_makes_it_void(void **state)
{
    (void)state;
    node_that_changes(false, node_drained);
    node_that_changes(true, node_drained);
}

static void a_node_that_is_lost_makes_it_void(void **state)
{
    (void)state;
    node_that_changes(false, node_down);
    node_that_changes(true, node_down);
}

static void a_node_that_is_gone_makes_it_void(void **state)
{
    (void)state;
    node_that_changes(false, NULL);
    node_that_changes(true, NULL);
}

static void a_task_that_changed_makes_it_void(void **state)
{
    static struct trial trial;
    struct write_of writes[3];
    (void)state;
    trial_begin(&trial);
    put_node(&trial, node_make(&trial.make, "n1"));
    Task *stopped = whole(&trial, "web", "stopped"), *labelled = task_make(&trial.make, "web2", "labelled");
    put_task(&trial, stopped);
    put_task(&trial, labelled);
    put_task(&trial, task_make(&trial.make, "web2", "gone"));
    put_task(&trial, task_make(&trial.make, "web2", "taken"));
    trial_step(&trial);
    stopped->meta = task_of(&trial, "stopped")->meta;
    stopped->desired_state = (Docker__Swarmkit__V1__TaskState)SHUTDOWN;
    put_first(&trial, &writes[0], &stopped->base);
    writes[1] = (struct write_of){.change = REMOVE, .kind = STORE_TASK, .id = "gone"};
    ask(&trial.world, &writes[1]);
    Task *taken = task_make(&trial.make, "web2", "taken"); /* another scheduler was faster */
    taken->meta = task_of(&trial, "taken")->meta;
    taken->node_id = swarm_copy(&trial.make, "n9");
    taken->status->state = (Docker__Swarmkit__V1__TaskState)ASSIGNED;
    put_first(&trial, &writes[2], &taken->base);
    trial_decide(&trial);
    world_settle(&trial.world);
    for (size_t i = 0; i < 3; i++)
        went_through(&writes[i]);
    assert_string_equal(place_of(&trial, "labelled"), "n1"); /* the others of the same transaction are written */
    assert_string_equal(place_of(&trial, "stopped"), "(nowhere)");
    assert_null(store_task(trial.world.store, "gone"));
    assert_string_equal(place_of(&trial, "taken"), "n9");

    trial_pass_ms(&trial, 20);
    assert_int_equal(task_of(&trial, "stopped")->status->state, SHUTDOWN);
    assert_int_equal(scheduler_part_count(scheduler_of(&trial)).tasks, 2);
    put_task(&trial, whole(&trial, "other", "t2")); /* what was decided for it is free again */
    trial_pass_ms(&trial, 20);
    assert_string_equal(place_of(&trial, "t2"), "n1");
    trial_end(&trial);
}

/* A change that is none to the scheduler: the task is decided on as it is now, and once. */
static void a_task_that_changed_without_a_matter_is_tried_again(void **state)
{
    static struct trial trial;
    struct write_of write;
    (void)state;
    trial_begin(&trial);
    put_node(&trial, node_make(&trial.make, "n1"));
    Task *made = whole(&trial, "web", "t1");
    put_task(&trial, made);
    trial_step(&trial);
    made->meta = task_of(&trial, "t1")->meta;
    made->annotations = MAKE(&trial.make, Docker__Swarmkit__V1__Annotations, docker__swarmkit__v1__annotations);
    made->annotations->name = swarm_copy(&trial.make, "web.1");
    put_first(&trial, &write, &made->base);
    trial_decide(&trial);
    world_settle(&trial.world);
    went_through(&write);
    assert_string_equal(task_of(&trial, "t1")->annotations->name, "web.1");
    trial_pass_ms(&trial, 20);
    assert_string_equal(place_of(&trial, "t1"), "n1");
    assert_string_equal(task_of(&trial, "t1")->annotations->name, "web.1");
    trial_end(&trial);
}

/* A refusal of t1 waits in the store's queue while a node n1 appears, and @other happens in the same entry. The entry is full, and with the
 * refusal goes one of another task: so it waits for the entry behind. */
static void refusal_that_waits(struct trial *trial, struct write_of *other)
{
    enum { FULL = STORE_ACTIONS_COUNT + 1 };
    static struct write_of writes[FULL];
    Task *huge = task_make(&trial->make, "huge", "t0");

    task_reserve(huge, 99 * CPU, 0);
    put_task(trial, huge);
    trial_step(trial);
    writes[0] = (struct write_of){.change = CREATE, .message = &node_make(&trial->make, "n1")->base};
    ask(&trial->world, &writes[0]);
    ask(&trial->world, other);
    for (size_t i = 2; i < FULL; i++) {
        Task *filler = task_make(&trial->make, "filler", arena_format(&trial->make.arena, "f%zu", i));
        filler->status->state = DOCKER__SWARMKIT__V1__TASK_STATE__NEW;
        writes[i] = (struct write_of){.change = CREATE, .message = &filler->base};
        ask(&trial->world, &writes[i]);
    }
    trial_decide(trial);
    world_run(&trial->world);
    world_commit(&trial->world);
    went_through(&writes[0]);
    went_through(other);
    trial_decide(trial); /* the node is there, and the refusal waits */
    assert_string_equal(place_of(trial, "t1"), "(nowhere)");
    assert_string_equal(task_of(trial, "t0")->status->err, "");
    world_run(&trial->world);
    world_commit(&trial->world);
    assert_string_equal(task_of(trial, "t0")->status->err, "no suitable node");
}

static void never_told(struct store_watcher *watcher)
{
    const struct store_commit *commit;

    while (store_watch_next(watcher, &commit, NULL) == 0)
        for (size_t i = 0; i < commit->count; i++)
            if (strcmp(store_object_id(commit->changes[i].object), "t1") == 0)
                assert_string_equal(((const Task *)(const void *)commit->changes[i].object->message)->status->err, "");
    store_unwatch(watcher);
}

static void a_refusal_that_is_overtaken_is_not_written(void **state)
{
    static struct trial trial;
    struct write_of other = {.change = NOTHING};
    (void)state;
    trial_begin(&trial);
    put_task(&trial, whole(&trial, "web", "t1"));
    trial_step(&trial);
    struct store_watcher *watcher = store_watch(trial.world.store, NULL, NULL);
    refusal_that_waits(&trial, &other);
    assert_string_equal(place_of(&trial, "t1"), "n1");
    never_told(watcher); /* what is known to be over */
    trial_end(&trial);
}

/* The scheduler has not heard of the change yet when it decides for the node: what it decided is not written. */
static void a_task_that_changed_behind_its_refusal_is_not_assigned(void **state)
{
    static struct trial trial;
    struct write_of other;
    (void)state;
    trial_begin(&trial);
    Task *made = whole(&trial, "web", "t1");
    put_task(&trial, made);
    trial_step(&trial);
    made->meta = task_of(&trial, "t1")->meta;
    made->desired_state = (Docker__Swarmkit__V1__TaskState)SHUTDOWN;
    other = (struct write_of){.change = UPDATE, .message = &made->base};
    struct store_watcher *watcher = store_watch(trial.world.store, NULL, NULL);
    refusal_that_waits(&trial, &other);
    assert_int_equal(task_of(&trial, "t1")->status->state, PENDING);
    trial_pass_ms(&trial, 20);
    assert_int_equal(task_of(&trial, "t1")->status->state, SHUTDOWN);
    assert_string_equal(task_of(&trial, "t1")->node_id, "");
    never_told(watcher);
    put_task(&trial, whole(&trial, "web", "t2")); /* the room on the node is free again */
    trial_pass_ms(&trial, 20);
    assert_string_equal(place_of(&trial, "t2"), "n1");
    trial_end(&trial);
}

/* The refusal is in the log already when the decision is made: it comes again, on the task as it is then. */
static void a_node_that_comes_with_the_refusal_is_used(void **state)
{
    static struct trial trial;
    struct write_of node_write;
    (void)state;
    trial_begin(&trial);
    put_task(&trial, whole(&trial, "web", "t1"));
    trial_step(&trial);
    node_write = (struct write_of){.change = CREATE, .message = &node_make(&trial.make, "n1")->base};
    ask(&trial.world, &node_write);
    trial_decide(&trial);
    world_settle(&trial.world);
    assert_string_equal(task_of(&trial, "t1")->status->err, "no suitable node");
    trial_pass_ms(&trial, 20);
    assert_string_equal(place_of(&trial, "t1"), "n1");
    assert_string_equal(task_of(&trial, "t1")->status->err, "");
    trial_end(&trial);
}

static void what_the_store_refuses_is_tried_again_later(void **state)
{
    static struct trial trial;
    (void)state;
    trial_begin(&trial);
    put_node(&trial, node_make(&trial.make, "n1"));
    put_task(&trial, whole(&trial, "web", "t1"));
    put_task(&trial, whole(&trial, "web", "t2"));
    trial_decide(&trial);
    trial.world.refuses = ERR_UNAVAILABLE;
    world_settle(&trial.world);
    trial_rest(&trial);
    assert_string_equal(place_of(&trial, "t1"), "(nowhere)");
    assert_true(trial_deadline(&trial) == trial.now_ns + SCHEDULER_RETRY_MS * NS_PER_MS);
    trial_pass_ms(&trial, SCHEDULER_RETRY_MS + 10); /* in vain once more */
    assert_string_equal(place_of(&trial, "t1"), "(nowhere)");
    trial.world.refuses = 0;
    trial_pass_ms(&trial, SCHEDULER_RETRY_MS - 20);
    assert_string_equal(place_of(&trial, "t1"), "(nowhere)");
    trial_pass_ms(&trial, 20);
    assert_int_equal(placed_on(&trial, "n1"), 1);
    const char *left = strcmp(place_of(&trial, "t1"), "n1") == 0 ? "t2" : "t1"; /* refusals are told again, too */
    assert_string_equal(task_of(&trial, left)->status->err, "no suitable node (insufficient resources on 1 node)");
    trial_end(&trial);
}

/* The log lost the proposal and this manager still leads, or again. */
static void what_the_log_loses_is_decided_again(void **state)
{
    static struct trial trial;
    (void)state;
    trial_begin(&trial);
    put_node(&trial, node_make(&trial.make, "n1"));
    put_task(&trial, whole(&trial, "web", "t1"));
    trial_decide(&trial);
    world_run(&trial.world);
    world_lose(&trial.world, ERR_CANCELED);
    trial_rest(&trial);
    assert_string_equal(place_of(&trial, "t1"), "(nowhere)");
    trial_pass_ms(&trial, SCHEDULER_RETRY_MS);
    assert_string_equal(place_of(&trial, "t1"), "n1");
    trial_end(&trial);
}

static void a_part_that_was_left_behind_lists_anew(void **state)
{
    static struct trial trial;
    (void)state;
    trial_begin_with(&trial, 1);
    put_node(&trial, node_make(&trial.make, "n1"));
    put_node(&trial, node_make(&trial.make, "n2"));
    put_task(&trial, whole(&trial, "web", "t1"));
    trial_pass_ms(&trial, 20);
    const char *first = swarm_copy(&trial.make, place_of(&trial, "t1"));
    const char *second = strcmp(first, "n1") == 0 ? "n2" : "n1";
    do_remove(&trial.world, STORE_NODE, second); /* none of this is heard but the last */
    put_node(&trial, node_make(&trial.make, "n3"));
    put_task(&trial, whole(&trial, "web", "t2"));
    put_task(&trial, whole(&trial, "web", "t3"));
    trial_pass_ms(&trial, 20);
    assert_int_equal(placed_on(&trial, "n3"), 1);
    assert_int_equal(placed_on(&trial, first), 1);
    assert_int_equal(placed_on(&trial, second), 0);
    assert_int_equal(scheduler_part_count(scheduler_of(&trial)).nodes, 2);
    const char *left = strcmp(place_of(&trial, "t2"), "n3") == 0 ? "t3" : "t2";
    assert_string_equal(task_of(&trial, left)->status->err, "no suitable node (insufficient resources on 2 nodes)");
    trial_end(&trial);
}

/* What is on its way is not in the new picture: nothing is decided on it that would take the same room twice. */
static void left_behind_with_decisions_on_their_way(void **state)
{
    static struct trial trial;
    enum { PER_NODE = STORE_ACTIONS_COUNT };
    (void)state;
    trial_begin_with(&trial, 1);
    for (size_t i = 0; i < 3; i++)
        put_node(&trial, node_make(&trial.make, arena_format(&trial.make.arena, "n%zu", i)));
    put_tasks(&trial, "web", 3 * PER_NODE + 100, 4 * CPU / PER_NODE);
    trial_decide(&trial);
    for (size_t i = 0; i < 2; i++) {
        world_run(&trial.world);
        world_commit(&trial.world);
    }
    assert_int_equal(placed_on(&trial, "n0") + placed_on(&trial, "n1") + placed_on(&trial, "n2"), 2 * PER_NODE);
    trial.now_ns += NS_PER_S;
    trial_step(&trial);                                /* lists anew */
    assert_true(trial_deadline(&trial) == PART_NEVER); /* until the rest has landed: the last tasks, and the refusals */
    for (size_t i = 0; i < 2; i++) {
        world_run(&trial.world);
        world_commit(&trial.world);
        assert_true(trial_deadline(&trial) == PART_NEVER);
        trial_step(&trial);
    }
    assert_true(trial_deadline(&trial) != PART_NEVER);
    trial_pass_ms(&trial, 20);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(placed_on(&trial, arena_format(&trial.make.arena, "n%zu", i)), PER_NODE);
    assert_int_equal(scheduler_part_count(scheduler_of(&trial)).pending_tasks, 100);
    put_node(&trial, node_make(&trial.make, "n3")); /* and then it goes on */
    trial_pass_ms(&trial, 20);
    assert_int_equal(placed_on(&trial, "n3"), 100);
    trial_end(&trial);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_drained_node_makes_it_void),
        cmocka_unit_test(a_node_that_is_lost_makes_it_void),
        cmocka_unit_test(a_node_that_is_gone_makes_it_void),
        cmocka_unit_test(a_task_that_changed_makes_it_void),
        cmocka_unit_test(a_task_that_changed_without_a_matter_is_tried_again),
        cmocka_unit_test(a_refusal_that_is_overtaken_is_not_written),
        cmocka_unit_test(a_task_that_changed_behind_its_refusal_is_not_assigned),
        cmocka_unit_test(a_node_that_comes_with_the_refusal_is_used),
        cmocka_unit_test(what_the_store_refuses_is_tried_again_later),
        cmocka_unit_test(what_the_log_loses_is_decided_again),
        cmocka_unit_test(a_part_that_was_left_behind_lists_anew),
        cmocka_unit_test(left_behind_with_decisions_on_their_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
