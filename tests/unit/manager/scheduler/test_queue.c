/* tests/unit/manager/scheduler/test_queue.c – what is tried again when, who is told what, and how much is done at once. */
#include "tests/unit/manager/scheduler/swarm.h"

#define SECOND ((int64_t)1000000000)

static Task *big(struct swarm *swarm, const char *service, const char *id)
{
    Task *task = task_make(swarm, service, id);
    task_reserve(task, 3 * CPU, 0);
    return task;
}

static void blocked_tasks_are_placed_when_something_helps(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    Node *node = node_make(&swarm, "n1");
    node_set(&swarm, node);
    Task *holder = big(&swarm, "holder", "holder");
    task_state(&swarm, holder, "n1", RUNNING);
    Task *waiting = big(&swarm, "s", "waiting"), *zoned = task_make(&swarm, "z", "zoned");
    task_constraint(&swarm, zoned, "node.labels.zone==a");
    task_set(&swarm, waiting);
    task_set(&swarm, zoned);
    swarm_run(&swarm);
    assert_int_equal(swarm.count, 2);
    assert_int_equal(scheduler_count(swarm.scheduler).blocked_groups, 2);

    Task *small = task_make(&swarm, "small", "small"); /* comes and goes: helps nobody */
    task_set(&swarm, small);
    swarm_run(&swarm);
    assert_int_equal(swarm.count, 1);
    task_state(&swarm, small, "n1", COMPLETE);
    swarm_run(&swarm);
    assert_int_equal(swarm.count, 0);

    task_state(&swarm, holder, "n1", COMPLETE);
    swarm_run(&swarm);
    assert_int_equal(swarm.count, 1);
    assert_string_equal(swarm_node_of(&swarm, "waiting"), "n1");

    node_label(&swarm, node, "zone", "a");
    node_set(&swarm, node);
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "zoned"), "n1");
    assert_int_equal(scheduler_count(swarm.scheduler).blocked_groups, 0);
    assert_int_equal(scheduler_count(swarm.scheduler).pending_tasks, 0);
    swarm_deinit(&swarm);
}

/* A new node, one that comes back, one that is made larger. */
static void nodes_that_help(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    Node *node = node_make(&swarm, "n1");
    node->description->resources->nano_cpus = CPU;
    node->status->state = DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__DOWN;
    node_set(&swarm, node);
    for (size_t i = 0; i < 3; i++)
        task_set(&swarm, big(&swarm, "s", arena_format(&swarm.arena, "t%zu", i)));
    swarm_run(&swarm);
    assert_int_equal(swarm.count, 3);
    node->status->state = DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__READY;
    node_set(&swarm, node);
    swarm_run(&swarm);
    assert_int_equal(swarm_placed_on(&swarm, "n1"), 0);
    node->description->resources->nano_cpus = 4 * CPU;
    node_set(&swarm, node);
    swarm_run(&swarm);
    assert_int_equal(swarm_placed_on(&swarm, "n1"), 1);
    node_set(&swarm, node_make(&swarm, "n2"));
    node_set(&swarm, node_make(&swarm, "n3"));
    swarm_run(&swarm);
    assert_int_equal(swarm_placed_on(&swarm, "n2"), 1);
    assert_int_equal(swarm_placed_on(&swarm, "n3"), 1);
    swarm_deinit(&swarm);
}

/* A node that fails on two counts is asked again after each of them has passed, in either order. */
static void a_second_reason_is_not_forgotten(void **state)
{
    (void)state;
    for (int order = 0; order < 2; order++) {
        static struct swarm swarm;
        swarm_init(&swarm);
        node_set(&swarm, node_make(&swarm, "n1"));
        Task *holder = big(&swarm, "a", "cpu"), *port = task_make(&swarm, "b", "port"), *task = big(&swarm, "s", "t");
        task_port(&swarm, port, DOCKER__SWARMKIT__V1__PORT_CONFIG__PROTOCOL__TCP, 80, true);
        task_port(&swarm, task, DOCKER__SWARMKIT__V1__PORT_CONFIG__PROTOCOL__TCP, 80, true);
        task_state(&swarm, holder, "n1", RUNNING);
        task_state(&swarm, port, "n1", RUNNING);
        task_set(&swarm, task);
        swarm_run(&swarm);
        task_state(&swarm, order == 0 ? holder : port, "n1", COMPLETE);
        swarm_run(&swarm);
        assert_string_equal(swarm_node_of(&swarm, "t"), "(nowhere)");
        task_state(&swarm, order == 0 ? port : holder, "n1", COMPLETE);
        swarm_run(&swarm);
        assert_string_equal(swarm_node_of(&swarm, "t"), "n1");
        swarm_deinit(&swarm);
    }
}

static void a_refusal_is_told_once_and_anew_when_it_changes(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    Node *node = node_make(&swarm, "n1");
    node->description->resources->nano_cpus = CPU;
    node_set(&swarm, node);
    Task *task = big(&swarm, "s", "t"), *second = big(&swarm, "s", "second");
    task_set(&swarm, task);
    swarm_run(&swarm);
    assert_string_equal(swarm_text_of(&swarm, "t"), "no suitable node (insufficient resources on 1 node)");
    task->status->err = swarm_copy(&swarm, swarm_text_of(&swarm, "t"));
    task_set(&swarm, task); /* as committed */
    swarm.now_ns += 60 * SECOND;
    swarm_run(&swarm);
    assert_int_equal(swarm.count, 0);

    task_set(&swarm, second); /* one more of a blocked group is told at once */
    swarm_run(&swarm);
    assert_int_equal(swarm.count, 1);
    assert_string_equal(swarm_text_of(&swarm, "second"), "no suitable node (insufficient resources on 1 node)");

    node->spec->availability = DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__DRAIN;
    node_set(&swarm, node);
    struct scheduler_result result = scheduler_run(swarm.scheduler, swarm.now_ns, 100);
    assert_int_equal(result.count, 0); /* too soon */
    assert_int_equal(result.due_ns, swarm.now_ns + 10 * SECOND);
    swarm.now_ns = result.due_ns;
    swarm_run(&swarm);
    assert_int_equal(swarm.count, 2);
    assert_string_equal(swarm_text_of(&swarm, "t"), "no suitable node (1 node not available for new tasks)");
    assert_true(scheduler_run(swarm.scheduler, swarm.now_ns, 100).due_ns == INT64_MAX);
    swarm_deinit(&swarm);
}

/* Some were told another reason in between: they are told again, too. */
static void a_reason_that_comes_back_is_told_to_all(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    Node *first = node_make(&swarm, "n1"), *second = node_make(&swarm, "n2");
    first->description->resources->nano_cpus = second->description->resources->nano_cpus = CPU;
    node_set(&swarm, first);
    task_set(&swarm, big(&swarm, "s", "old"));
    swarm_run(&swarm);
    assert_string_equal(swarm_text_of(&swarm, "old"), "no suitable node (insufficient resources on 1 node)");
    node_set(&swarm, second);
    task_set(&swarm, big(&swarm, "s", "new"));
    swarm_run(&swarm);
    assert_int_equal(swarm.count, 1); /* "old" is told later */
    assert_string_equal(swarm_text_of(&swarm, "new"), "no suitable node (insufficient resources on 2 nodes)");
    scheduler_node_remove(swarm.scheduler, "n2");
    swarm.now_ns += 10 * SECOND;
    swarm_run(&swarm);
    assert_int_equal(swarm.count, 1);
    assert_string_equal(swarm_text_of(&swarm, "new"), "no suitable node (insufficient resources on 1 node)");
    swarm_deinit(&swarm);
}

static void a_node_that_is_gone_is_in_no_reason(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    for (size_t i = 0; i < 3; i++) {
        Node *node = node_make(&swarm, arena_format(&swarm.arena, "n%zu", i));
        node->description->resources->nano_cpus = CPU;
        node_set(&swarm, node);
    }
    task_set(&swarm, big(&swarm, "s", "t"));
    swarm_run(&swarm);
    assert_string_equal(swarm_text_of(&swarm, "t"), "no suitable node (insufficient resources on 3 nodes)");
    scheduler_node_remove(swarm.scheduler, "n1"); /* nothing is left of it: it had no tasks */
    swarm.now_ns += 10 * SECOND;
    swarm_run(&swarm);
    assert_string_equal(swarm_text_of(&swarm, "t"), "no suitable node (insufficient resources on 2 nodes)");
    swarm_deinit(&swarm);
}

/* A new leader does not write again what the old one wrote. */
static void what_the_status_says_already_is_not_told(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    Task *task = task_make(&swarm, "s", "t");
    task->status->err = swarm_copy(&swarm, "no suitable node");
    task_set(&swarm, task);
    swarm_run(&swarm);
    assert_int_equal(swarm.count, 0);
    assert_int_equal(scheduler_count(swarm.scheduler).blocked_groups, 1);
    swarm_deinit(&swarm);
}

/* Its commit failed, or another change came first: the store has the task as before. */
static void a_refusal_that_was_not_written_is_told_again(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    Node *node = node_make(&swarm, "n1");
    node->description->resources->nano_cpus = CPU;
    node_set(&swarm, node);
    Task *first = big(&swarm, "s", "first"), *second = big(&swarm, "s", "second"), *global = big(&swarm, "g", "global");
    task_set(&swarm, first);
    task_set(&swarm, second);
    task_state(&swarm, global, "n1", PENDING);
    swarm_run(&swarm);
    assert_int_equal(swarm.count, 3);
    first->status->err = swarm_copy(&swarm, swarm_text_of(&swarm, "first"));
    task_set(&swarm, first);
    task_set(&swarm, second);
    task_set(&swarm, global);
    swarm_run(&swarm);
    assert_int_equal(swarm.count, 2);
    assert_string_equal(swarm_text_of(&swarm, "second"), "no suitable node (insufficient resources on 1 node)");
    assert_string_equal(swarm_text_of(&swarm, "global"), "insufficient resources on 1 node");
    swarm_run(&swarm);
    assert_int_equal(swarm.count, 0);
    swarm_deinit(&swarm);
}

static void preassigned_tasks_stay_on_their_node(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    node_set(&swarm, node_make(&swarm, "n1"));
    node_set(&swarm, node_make(&swarm, "n2"));
    Task *holder = big(&swarm, "holder", "holder");
    task_state(&swarm, holder, "n1", RUNNING);
    Task *one = big(&swarm, "global", "one"), *two = big(&swarm, "global", "two"), *three = big(&swarm, "global", "three");
    task_state(&swarm, one, "n1", PENDING);
    task_state(&swarm, two, "n2", PENDING);
    task_state(&swarm, three, "n3", PENDING); /* a node that does not exist: nothing to say */
    swarm_run(&swarm);
    assert_int_equal(swarm.count, 2);
    assert_int_equal(swarm_of(&swarm, "two")->kind, SCHEDULER_CONFIRM);
    assert_string_equal(swarm_node_of(&swarm, "two"), "n2");
    assert_string_equal(swarm_text_of(&swarm, "one"), "insufficient resources on 1 node"); /* SwarmKit's shorter text */
    assert_string_equal(scheduler_explain(swarm.scheduler, "one")->text, "insufficient resources on 1 node");
    task_state(&swarm, holder, "n1", FAILED);
    node_set(&swarm, node_make(&swarm, "n3"));
    swarm_run(&swarm);
    assert_int_equal(swarm.count, 2);
    assert_string_equal(swarm_node_of(&swarm, "one"), "n1");
    assert_string_equal(swarm_node_of(&swarm, "three"), "n3");
    swarm_deinit(&swarm);
}

static void the_budget_bounds_a_run(void **state)
{
    static struct swarm swarm;
    size_t decided[3] = {0}, runs = 0;
    struct scheduler_result result;
    (void)state;
    swarm_init(&swarm);
    for (size_t i = 0; i < 3; i++)
        node_set(&swarm, node_make(&swarm, arena_format(&swarm.arena, "n%zu", i)));
    for (size_t i = 0; i < 300; i++)
        task_set(&swarm, task_make(&swarm, arena_format(&swarm.arena, "%zu", i % 3), arena_format(&swarm.arena, "t%zu", i)));
    for (size_t i = 0; i < 50; i++) {
        Task *task = task_make(&swarm, "huge", arena_format(&swarm.arena, "huge%zu", i));
        task_reserve(task, 99 * CPU, 0);
        task_set(&swarm, task);
    }
    do {
        result = scheduler_run(swarm.scheduler, swarm.now_ns, 10);
        assert_in_range(result.count, 0, 10);
        for (size_t i = 0; i < result.count; i++)
            decided[result.decisions[i].kind == SCHEDULER_REFUSE ? 1 : 0]++;
        runs++;
    } while (result.has_more);
    assert_int_equal(decided[0], 300);
    assert_int_equal(decided[1], 50);
    assert_in_range(runs, 35, 45);
    assert_int_equal(scheduler_run(swarm.scheduler, swarm.now_ns, 0).count, 0);
    swarm_deinit(&swarm);
}

/* Groups take turns: a large one does not keep a small one waiting. */
static void groups_take_turns(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    node_set(&swarm, node_make(&swarm, "n1"));
    for (size_t i = 0; i < 1000; i++)
        task_set(&swarm, task_make(&swarm, "large", arena_format(&swarm.arena, "t%zu", i)));
    task_set(&swarm, task_make(&swarm, "small", "small"));
    struct scheduler_result result = scheduler_run(swarm.scheduler, swarm.now_ns, 10);
    assert_int_equal(result.count, 10);
    result = scheduler_run(swarm.scheduler, swarm.now_ns, 10);
    bool is_there = false;
    for (size_t i = 0; i < result.count; i++)
        is_there = is_there || strcmp(result.decisions[i].task_id, "small") == 0;
    assert_true(is_there);
    swarm_deinit(&swarm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocked_tasks_are_placed_when_something_helps),
        cmocka_unit_test(nodes_that_help),
        cmocka_unit_test(a_second_reason_is_not_forgotten),
        cmocka_unit_test(a_refusal_is_told_once_and_anew_when_it_changes),
        cmocka_unit_test(a_reason_that_comes_back_is_told_to_all),
        cmocka_unit_test(a_node_that_is_gone_is_in_no_reason),
        cmocka_unit_test(what_the_status_says_already_is_not_told),
        cmocka_unit_test(a_refusal_that_was_not_written_is_told_again),
        cmocka_unit_test(preassigned_tasks_stay_on_their_node),
        cmocka_unit_test(the_budget_bounds_a_run),
        cmocka_unit_test(groups_take_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
