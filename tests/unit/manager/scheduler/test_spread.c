/* tests/unit/manager/scheduler/test_spread.c – placement preferences: even over branches, sharing what a full branch cannot take. */
#include "tests/unit/manager/scheduler/swarm.h"

static Node *zoned(struct swarm *swarm, const char *id, const char *zone, const char *rack)
{
    Node *node = node_make(swarm, id);
    if (zone)
        node_label(swarm, node, "zone", zone);
    if (rack)
        engine_label(swarm, node, "rack", rack);
    node_set(swarm, node);
    return node;
}

static void tasks(struct swarm *swarm, const char *prefix, size_t count, const char *first, const char *second, int64_t cpu)
{
    for (size_t i = 0; i < count; i++) {
        Task *task = task_make(swarm, "s", arena_format(&swarm->arena, "%s%zu", prefix, i));
        task_spread(swarm, task, first);
        if (second)
            task_spread(swarm, task, second);
        task_reserve(task, cpu, 0);
        task_set(swarm, task);
    }
}

static size_t placed_on_prefix(const struct swarm *swarm, const char *prefix)
{
    size_t count = 0;
    for (size_t i = 0; i < swarm->count; i++)
        count += swarm->decided[i].node && text_starts(swarm->decided[i].node, prefix);
    return count;
}

static void branches_share_evenly_whatever_their_size(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    zoned(&swarm, "a1", "a", NULL);
    for (size_t i = 0; i < 5; i++)
        zoned(&swarm, arena_format(&swarm.arena, "b%zu", i), "b", NULL);
    zoned(&swarm, "none", NULL, NULL); /* without the label: a branch of its own, "" */
    zoned(&swarm, "empty", "", NULL);  /* the same branch */
    tasks(&swarm, "t", 30, "node.labels.zone", NULL, 0);
    swarm_run(&swarm);
    assert_int_equal(placed_on_prefix(&swarm, "a"), 10);
    assert_int_equal(placed_on_prefix(&swarm, "b"), 10);
    assert_int_equal(swarm_placed_on(&swarm, "none"), 5);
    assert_int_equal(swarm_placed_on(&swarm, "empty"), 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(swarm_placed_on(&swarm, arena_format(&swarm.arena, "b%zu", i)), 2);
    swarm_deinit(&swarm);
}

static void two_levels(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    zoned(&swarm, "a-x-1", "a", "x");
    zoned(&swarm, "a-x-2", "a", "x");
    zoned(&swarm, "a-x-3", "a", "x");
    zoned(&swarm, "a-y-1", "a", "y");
    zoned(&swarm, "b-x-1", "b", "x");
    tasks(&swarm, "t", 24, "NODE.labels.zone", "engine.labels.rack", 0);
    swarm_run(&swarm);
    assert_int_equal(placed_on_prefix(&swarm, "b"), 12);
    assert_int_equal(placed_on_prefix(&swarm, "a-x"), 6);
    assert_int_equal(placed_on_prefix(&swarm, "a-y"), 6);
    assert_int_equal(swarm_placed_on(&swarm, "a-x-2"), 2);
    swarm_deinit(&swarm);
}

static void what_runs_already_counts(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    Node *down = zoned(&swarm, "a1", "a", NULL);
    zoned(&swarm, "a2", "a", NULL);
    zoned(&swarm, "b1", "b", NULL);
    for (size_t i = 0; i < 4; i++) {
        Task *older = task_make(&swarm, "s", arena_format(&swarm.arena, "r%zu", i));
        older->spec_version->index = 0;
        task_state(&swarm, older, "a1", RUNNING);
    }
    down->status->state = DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__DOWN; /* its tasks still count in its branch */
    node_set(&swarm, down);
    tasks(&swarm, "t", 8, "node.labels.zone", NULL, 0);
    swarm_run(&swarm);
    assert_int_equal(swarm_placed_on(&swarm, "a2"), 2);
    assert_int_equal(swarm_placed_on(&swarm, "b1"), 6);
    swarm_deinit(&swarm);
}

static void a_full_branch_returns_its_share(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    Node *small = zoned(&swarm, "a1", "a", NULL);
    small->description->resources->nano_cpus = 2 * CPU;
    node_set(&swarm, small);
    zoned(&swarm, "b1", "b", NULL);
    zoned(&swarm, "b2", "b", NULL);
    zoned(&swarm, "c1", "c", NULL);
    tasks(&swarm, "t", 20, "node.labels.zone", NULL, CPU); /* room for 2 + 8 + 4 */
    swarm_run(&swarm);
    assert_int_equal(swarm_placed_on(&swarm, "a1"), 2);
    assert_int_equal(placed_on_prefix(&swarm, "b"), 8);
    assert_int_equal(swarm_placed_on(&swarm, "c1"), 4);
    assert_string_equal(swarm_text_of(&swarm, "t19"), "no suitable node (insufficient resources on 4 nodes)");

    /* Two more fit where there is more now: only there. */
    small->description->resources->nano_cpus = 4 * CPU;
    node_set(&swarm, small);
    swarm_run(&swarm);
    assert_int_equal(swarm_placed_on(&swarm, "a1"), 2);
    swarm_deinit(&swarm);
}

static void a_stale_or_foreign_preference_is_passed_over(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    zoned(&swarm, "a1", "a", NULL);
    zoned(&swarm, "a2", "a", NULL);
    zoned(&swarm, "b1", "b", NULL);
    tasks(&swarm, "t", 6, "node.id", "node.labels.", 0); /* no label: as without preferences */
    swarm_run(&swarm);
    assert_int_equal(swarm_placed_on(&swarm, "a1"), 2);
    assert_int_equal(swarm_placed_on(&swarm, "a2"), 2);
    assert_int_equal(swarm_placed_on(&swarm, "b1"), 2);
    swarm_deinit(&swarm);
}

/* Ties between branches go to the emptier one: services of one task do not all land in the first. */
static void single_tasks_are_spread_too(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    zoned(&swarm, "a1", "a", NULL);
    zoned(&swarm, "b1", "b", NULL);
    zoned(&swarm, "b2", "b", NULL);
    for (size_t i = 0; i < 12; i++) {
        Task *task = task_make(&swarm, arena_format(&swarm.arena, "s%zu", i), arena_format(&swarm.arena, "t%zu", i));
        task_spread(&swarm, task, "node.labels.zone");
        task_set(&swarm, task);
    }
    swarm_run(&swarm);
    assert_in_range(swarm_placed_on(&swarm, "a1"), 3, 5);
    assert_in_range(swarm_placed_on(&swarm, "b1"), 3, 5);
    swarm_deinit(&swarm);
}

static void many_branches(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    for (size_t i = 0; i < 300; i++)
        zoned(&swarm, arena_format(&swarm.arena, "n%zu", i), arena_format(&swarm.arena, "zone%zu", i % 150), NULL);
    tasks(&swarm, "t", 450, "node.labels.zone", NULL, 0);
    swarm_run(&swarm);
    assert_int_equal(swarm.count, 450);
    for (size_t i = 0; i < 150; i++) {
        size_t first = swarm_placed_on(&swarm, arena_format(&swarm.arena, "n%zu", i));
        assert_int_equal(first + swarm_placed_on(&swarm, arena_format(&swarm.arena, "n%zu", i + 150)), 3);
    }
    swarm_deinit(&swarm);
}

int main(void)
{
    const struct CMUnitTest tests_[] = {
        cmocka_unit_test(branches_share_evenly_whatever_their_size),
        cmocka_unit_test(two_levels),
        cmocka_unit_test(what_runs_already_counts),
        cmocka_unit_test(a_full_branch_returns_its_share),
        cmocka_unit_test(a_stale_or_foreign_preference_is_passed_over),
        cmocka_unit_test(single_tasks_are_spread_too),
        cmocka_unit_test(many_branches),
    };
    return cmocka_run_group_tests(tests_, NULL, NULL);
}
