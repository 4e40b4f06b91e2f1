/* tests/unit/manager/scheduler/test_task.c – a task's way: told, decided, confirmed or taken back, over. */
#include "tests/unit/manager/scheduler/swarm.h"

static void other_states_are_not_placed(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    node_set(&swarm, node_make(&swarm, "n1"));
    task_state(&swarm, task_make(&swarm, "s", "new"), "", 0);
    task_state(&swarm, task_make(&swarm, "s", "failed"), "", FAILED);
    assert_int_equal(scheduler_count(swarm.scheduler).tasks, 0);
    swarm_run(&swarm);
    assert_int_equal(swarm.count, 0);
    swarm_deinit(&swarm);
}

static void what_is_no_task_is_refused(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    assert_fails(scheduler_task_set(swarm.scheduler, task_make(&swarm, "s", ""), err), ERR_INVALID, "without an id");
    assert_fails(scheduler_task_set(swarm.scheduler, task_make(&swarm, "s", "an-id-that-is-much-too-long-for-it"), err), ERR_LIMIT,
                 "at most 31 characters");
    Task *lost = task_make(&swarm, "s", "lost");
    lost->status->state = (Docker__Swarmkit__V1__TaskState)RUNNING;
    assert_fails(scheduler_task_set(swarm.scheduler, lost, err), ERR_INVALID, "task lost: its state is beyond PENDING, and it has no node");
    assert_fails(scheduler_node_set(swarm.scheduler, node_make(&swarm, ""), err), ERR_INVALID, "without an id");
    Task *bare = MAKE(&swarm, Task, docker__swarmkit__v1__task); /* nothing but an id and a state */
    bare->id = swarm_copy(&swarm, "bare");
    bare->status = MAKE(&swarm, Docker__Swarmkit__V1__TaskStatus, docker__swarmkit__v1__task_status);
    bare->status->state = (Docker__Swarmkit__V1__TaskState)PENDING;
    Node *node = MAKE(&swarm, Node, docker__swarmkit__v1__node);
    node->id = swarm_copy(&swarm, "bare");
    node_set(&swarm, node);
    task_set(&swarm, bare);
    swarm_run(&swarm);
    assert_string_equal(swarm_text_of(&swarm, "bare"), "no suitable node (1 node not available for new tasks)");
    swarm_deinit(&swarm);
}

static void a_decision_counts_at_once_and_is_made_once(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    node_set(&swarm, node_make(&swarm, "n1"));
    Task *a = task_make(&swarm, "s", "a");
    task_reserve(a, 3 * CPU, 0);
    task_set(&swarm, a);
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "a"), "n1");
    Task *b = task_make(&swarm, "s2", "b");
    task_reserve(b, 3 * CPU, 0);
    task_set(&swarm, b);
    swarm_run(&swarm); /* before the store has heard of it */
    assert_string_equal(swarm_node_of(&swarm, "b"), "(nowhere)");
    task_state(&swarm, a, "n1", ASSIGNED);
    task_state(&swarm, a, "n1", RUNNING);
    swarm_run(&swarm);
    assert_int_equal(swarm.count, 0);
    swarm_deinit(&swarm);
}

static void a_refused_commit_takes_it_back(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    node_set(&swarm, node_make(&swarm, "n1"));
    node_set(&swarm, node_make(&swarm, "n2"));
    Task *a = task_make(&swarm, "s", "a"), *b = task_make(&swarm, "s2", "b");
    task_reserve(a, 4 * CPU, 0);
    task_reserve(b, 4 * CPU, 0);
    task_port(&swarm, a, DOCKER__SWARMKIT__V1__PORT_CONFIG__PROTOCOL__TCP, 80, true);
    task_set(&swarm, a);
    swarm_run(&swarm);
    const char *first = swarm_copy(&swarm, swarm_node_of(&swarm, "a"));
    Node *gone = node_make(&swarm, first);
    gone->status->state = DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__DOWN;
    node_set(&swarm, gone);
    task_set(&swarm, a); /* as the store has it: still without a node */
    swarm_run(&swarm);
    assert_string_not_equal(swarm_node_of(&swarm, "a"), first);
    assert_string_not_equal(swarm_node_of(&swarm, "a"), "(nowhere)");
    node_set(&swarm, node_make(&swarm, first));
    task_set(&swarm, b);
    swarm_run(&swarm); /* nothing of the first decision is left */
    assert_string_equal(swarm_node_of(&swarm, "b"), first);
    swarm_deinit(&swarm);
}

/* Another scheduler, before us, put it elsewhere. */
static void the_store_has_the_last_word(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    node_set(&swarm, node_make(&swarm, "n1"));
    Task *a = task_make(&swarm, "s", "a");
    task_reserve(a, 4 * CPU, 0);
    task_set(&swarm, a);
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "a"), "n1");
    task_state(&swarm, a, "n2", ASSIGNED); /* a node that we do not know yet */
    Task *b = task_make(&swarm, "s2", "b");
    task_reserve(b, 4 * CPU, 0);
    task_set(&swarm, b);
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "b"), "n1");
    node_set(&swarm, node_make(&swarm, "n2")); /* and its task counts when we do */
    Task *c = task_make(&swarm, "s3", "c");
    task_reserve(c, CPU, 0);
    task_set(&swarm, c);
    swarm_run(&swarm);
    assert_string_equal(swarm_text_of(&swarm, "c"), "no suitable node (insufficient resources on 2 nodes)");
    swarm_deinit(&swarm);
}

static void what_was_stopped_before_it_was_placed_is_over(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    Task *a = task_make(&swarm, "s", "a"), *b = task_make(&swarm, "s", "b");
    task_set(&swarm, a);
    swarm_run(&swarm);
    assert_string_equal(swarm_text_of(&swarm, "a"), "no suitable node");
    a->desired_state = (Docker__Swarmkit__V1__TaskState)SHUTDOWN;
    task_set(&swarm, a);
    b->desired_state = (Docker__Swarmkit__V1__TaskState)SHUTDOWN;
    task_state(&swarm, b, "n1", PENDING); /* preassigned */
    node_set(&swarm, node_make(&swarm, "n1"));
    swarm_run(&swarm);
    assert_int_equal(swarm.count, 2);
    assert_int_equal(swarm_of(&swarm, "a")->kind, SCHEDULER_OVER);
    assert_int_equal(swarm_of(&swarm, "b")->kind, SCHEDULER_OVER);
    swarm_run(&swarm);
    assert_int_equal(swarm.count, 0);
    task_set(&swarm, a); /* its commit failed */
    swarm_run(&swarm);
    assert_int_equal(swarm_of(&swarm, "a")->kind, SCHEDULER_OVER);
    task_state(&swarm, a, "", SHUTDOWN);
    task_state(&swarm, b, "n1", SHUTDOWN);
    assert_int_equal(scheduler_count(swarm.scheduler).tasks, 0);
    swarm_deinit(&swarm);
}

static void tasks_and_nodes_come_and_go_in_any_order(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    Task *a = task_make(&swarm, "s", "a");
    task_reserve(a, 4 * CPU, 0);
    task_state(&swarm, a, "n1", RUNNING); /* the node comes later */
    node_set(&swarm, node_make(&swarm, "n1"));
    scheduler_node_remove(swarm.scheduler, "n1");
    assert_int_equal(scheduler_count(swarm.scheduler).nodes, 0);
    Task *b = task_make(&swarm, "s2", "b");
    task_reserve(b, CPU, 0);
    task_set(&swarm, b);
    swarm_run(&swarm);
    assert_string_equal(swarm_text_of(&swarm, "b"), "no suitable node");
    node_set(&swarm, node_make(&swarm, "n1"));
    swarm.now_ns += (int64_t)20 * 1000000000;
    swarm_run(&swarm);
    assert_string_equal(swarm_text_of(&swarm, "b"), "no suitable node (insufficient resources on 1 node)");
    scheduler_task_remove(swarm.scheduler, "a");
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "b"), "n1");
    scheduler_node_remove(swarm.scheduler, "n1");
    scheduler_task_remove(swarm.scheduler, "b");
    scheduler_task_remove(swarm.scheduler, "b");
    scheduler_node_remove(swarm.scheduler, "n1");
    assert_int_equal(scheduler_count(swarm.scheduler).tasks, 0);
    swarm_deinit(&swarm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_states_are_not_placed),
        cmocka_unit_test(what_is_no_task_is_refused),
        cmocka_unit_test(a_decision_counts_at_once_and_is_made_once),
        cmocka_unit_test(a_refused_commit_takes_it_back),
        cmocka_unit_test(the_store_has_the_last_word),
        cmocka_unit_test(what_was_stopped_before_it_was_placed_is_over),
        cmocka_unit_test(tasks_and_nodes_come_and_go_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
