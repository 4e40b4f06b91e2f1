/* tests/unit/manager/scheduler/test_explain.c – why no node takes a task, in SwarmKit's words and in ours. */
#include "tests/unit/manager/scheduler/swarm.h"

static void no_node_at_all(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    task_set(&swarm, task_make(&swarm, "s", "t"));
    swarm_run(&swarm);
    assert_string_equal(swarm_text_of(&swarm, "t"), "no suitable node");
    swarm_deinit(&swarm);
}

static void the_most_frequent_reason_is_first(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    for (size_t i = 0; i < 6; i++) {
        Node *node = node_make(&swarm, arena_format(&swarm.arena, "n%zu", i));
        if (i == 0)
            node->spec->availability = DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__DRAIN;
        if (i == 1)
            node->description->resources->memory_bytes = GB;
        if (i >= 2 && i < 5)
            node_label(&swarm, node, "zone", i == 2 ? "west" : "north");
        if (i == 5) {
            node_label(&swarm, node, "zone", "east");
            node->description->platform->os = swarm_copy(&swarm, "windows");
        }
        node_set(&swarm, node);
    }
    Task *task = task_make(&swarm, "s", "t");
    task_reserve(task, 0, 2 * GB);
    task_constraint(&swarm, task, "node.labels.zone == east");
    task_platform(&swarm, task, "linux", "amd64");
    task_set(&swarm, task);
    swarm_run(&swarm);
    assert_string_equal(swarm_text_of(&swarm, "t"),
                        "no suitable node (scheduling constraints not satisfied on 3 nodes; 1 node not available for new tasks; "
                        "insufficient resources on 1 node; unsupported platform on 1 node)");
    assert_details(&swarm, "t",
                   "constraint: 2 nodes (n3, n4): wanted node.labels.zone==east; got \"north\"; "
                   "docker node update --label-add zone=east n3\n");
    assert_details(&swarm, "t", "constraint: 1 node (n2): wanted node.labels.zone==east; got \"west\"; ");
    assert_details(&swarm, "t", "ready: 1 node (n0): wanted ready, and availability active; got availability drain; ");
    assert_details(&swarm, "t",
                   "resource: 1 node (n1): wanted memory: 2 GiB; got 1 GiB free; reserve at most 1 GiB, or add a node with 2 GiB\n");
    assert_details(&swarm, "t",
                   "platform: 1 node (n5): wanted platform linux/amd64; got host windows/amd64; "
                   "add a node of a platform that the image is for\n");
    swarm_deinit(&swarm);
}

static void the_node_nearest_to_enough_is_named_first(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    for (size_t i = 0; i < 7; i++) {
        node_set(&swarm, node_make(&swarm, arena_format(&swarm.arena, "n%zu", i)));
        Task *task = task_make(&swarm, arena_format(&swarm.arena, "s%zu", i), arena_format(&swarm.arena, "old%zu", i));
        task_reserve(task, 0, i == 5 ? 13 * GB / 2 : 8 * GB);
        task_state(&swarm, task, arena_format(&swarm.arena, "n%zu", i), RUNNING);
    }
    Task *task = task_make(&swarm, "s", "t");
    task_reserve(task, 0, 2 * GB);
    task_set(&swarm, task);
    swarm_run(&swarm);
    assert_details(&swarm, "t",
                   "resource: 7 nodes (n5, n0, n1, n2, …): wanted memory: 2 GiB; got at most 1.5 GiB free; "
                   "free 512 MiB on n5, or reserve at most 1.5 GiB\n");
    swarm_deinit(&swarm);
}

static void amounts_that_round_to_the_same_are_exact(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    Node *node = node_make(&swarm, "n1");
    node->description->resources->memory_bytes = 8 * GB - 1;
    node_set(&swarm, node);
    Task *task = task_make(&swarm, "s", "t");
    task_reserve(task, 0, 8 * GB);
    task_set(&swarm, task);
    swarm_run(&swarm);
    assert_details(&swarm, "t", "wanted memory: 8589934592; got 8589934591 free");
    swarm_deinit(&swarm);
}

static void as_data(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    node_set(&swarm, node_make(&swarm, "n1"));
    Task *task = task_make(&swarm, "s", "t");
    task_constraint(&swarm, task, "node.role == manager");
    task_set(&swarm, task);
    assert_null(scheduler_explain(swarm.scheduler, "t")); /* not tried yet */
    swarm_run(&swarm);
    const struct scheduler_explanation *explanation = scheduler_explain(swarm.scheduler, "t");
    assert_string_equal(explanation->text, "no suitable node (scheduling constraints not satisfied on 1 node)");
    assert_int_equal(explanation->node_count, 1);
    assert_int_equal(explanation->refusal_count, 1);
    assert_int_equal(explanation->refusals[0].filter, SCHEDULER_FILTER_CONSTRAINT);
    assert_string_equal(scheduler_filter_name(explanation->refusals[0].filter), "constraint");
    assert_int_equal(explanation->refusals[0].node_count, 1);
    assert_string_equal(explanation->refusals[0].nodes[0], "n1");
    assert_string_equal(explanation->refusals[0].wanted, "node.role==manager");
    assert_string_equal(explanation->refusals[0].got, "\"worker\"");
    assert_null(scheduler_explain(swarm.scheduler, "nobody"));
    swarm_deinit(&swarm);
}

static void constraints_that_cannot_be_read_are_placed_nowhere(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    node_set(&swarm, node_make(&swarm, "n1"));
    Task *task = task_make(&swarm, "s", "t");
    task_constraint(&swarm, task, "node.role");
    task_set(&swarm, task);
    swarm_run(&swarm);
    assert_string_equal(swarm_text_of(&swarm, "t"), "no suitable node (scheduling constraints not satisfied on 1 node)");
    assert_details(&swarm, "t", "wanted constraints that can be read");
    swarm_deinit(&swarm);
}

/* Five hundred nodes with a long label each: bounded, and what is left out is counted. */
static void is_bounded(void **state)
{
    static struct swarm swarm;
    char label[1000];
    (void)state;
    swarm_init(&swarm);
    memset(label, 'x', sizeof label - 1);
    label[sizeof label - 1] = '\0';
    for (size_t i = 0; i < 500; i++) {
        Node *node = node_make(&swarm, arena_format(&swarm.arena, "a-rather-long-name-for-a-node-%zu", i));
        node_label(&swarm, node, "zone", arena_format(&swarm.arena, "%zu%s", i, label));
        node_set(&swarm, node);
    }
    Task *task = task_make(&swarm, "s", "t");
    task_constraint(&swarm, task, "node.labels.zone == east");
    task_set(&swarm, task);
    swarm_run(&swarm);
    const struct scheduler_explanation *explanation = scheduler_explain(swarm.scheduler, "t");
    assert_int_equal(explanation->refusal_count, SCHEDULER_REFUSALS_COUNT);
    assert_int_equal(explanation->left_out_count, 500 - SCHEDULER_REFUSALS_COUNT);
    for (size_t i = 0; i < explanation->refusal_count; i++)
        assert_true(strlen(explanation->refusals[i].got) < SCHEDULER_REFUSAL_SIZE_BYTES);
    cleanup_buf struct buf text = {0};
    scheduler_explanation_print(explanation, &text);
    assert_true(text.size <= SCHEDULER_EXPLANATION_BYTES);
    assert_non_null(strstr((char *)text.data, "… and 484 more nodes\n"));
    swarm_deinit(&swarm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_node_at_all),
        cmocka_unit_test(the_most_frequent_reason_is_first),
        cmocka_unit_test(the_node_nearest_to_enough_is_named_first),
        cmocka_unit_test(amounts_that_round_to_the_same_are_exact),
        cmocka_unit_test(as_data),
        cmocka_unit_test(constraints_that_cannot_be_read_are_placed_nowhere),
        cmocka_unit_test(is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
