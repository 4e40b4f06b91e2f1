/* Nodes that go away: at once as Swarm, awaited by label, and which copy stays when they come back. */
#include "manager/orchestrator/labels.h"
#include "tests/unit/manager/orchestrator/fixture.h"

/* A service of two, one on each of n0 and n1; n2 is free. */
static void begin(struct swarm *swarm, struct spec *spec, const char *lost_after, const char *keep)
{
    swarm_begin(swarm, 2);
    spec_init(spec, "web", 2);
    if (lost_after)
        spec_label(spec, LABEL_LOST_AFTER, lost_after);
    if (keep)
        spec_label(spec, LABEL_KEEP, keep);
    swarm_create(swarm, spec);
    swarm_add_node(swarm, "n2");
    swarm_pass_s(swarm, 1);
    assert_non_null(swarm_task_on(swarm, "web", "n0", STATE(RUNNING)));
}

static void without_labels_tasks_are_replaced_at_once(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    begin(&swarm, &spec, NULL, NULL);
    KEEP_ID(old, swarm_task_on(&swarm, "web", "n0", STATE(RUNNING)));
    swarm_lose_node(&swarm, "n0");
    assert_int_equal(store_task(swarm.world.store, old)->desired_state, STATE(SHUTDOWN));
    assert_int_equal(swarm_count(&swarm, "web", STATE(READY), STATE(READY)), 1);
    swarm_pass_s(&swarm, 5); /* the restart delay; no wait for a stop that nobody can tell */
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 2);
    assert_non_null(swarm_task_on(&swarm, "web", "n2", STATE(RUNNING)));
    assert_int_equal(store_task(swarm.world.store, old)->status->state, STATE(RUNNING)); /* as far as anyone knows */
    swarm_return_node(&swarm, "n0");
    assert_int_equal(store_task(swarm.world.store, old)->status->state, STATE(SHUTDOWN));
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 2);
    swarm_end(&swarm);
}

static void a_node_that_returns_in_time_loses_nothing(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    begin(&swarm, &spec, "1m", NULL);
    KEEP_ID(old, swarm_task_on(&swarm, "web", "n0", STATE(RUNNING)));
    for (unsigned i = 0; i < 3; i++) {
        swarm_lose_node(&swarm, "n0");
        swarm_pass_s(&swarm, 59);
        swarm_return_node(&swarm, "n0");
        swarm_pass_s(&swarm, 10);
        assert_int_equal(swarm_count(&swarm, "web", -1, -1), 2);
        assert_int_equal(store_task(swarm.world.store, old)->desired_state, STATE(RUNNING));
    }
    swarm_end(&swarm);
}

static void a_node_that_returns_too_late_stops_its_copy(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    begin(&swarm, &spec, "1m", "new");
    KEEP_ID(old, swarm_task_on(&swarm, "web", "n0", STATE(RUNNING)));
    swarm_lose_node(&swarm, "n0");
    swarm_pass_s(&swarm, 60);
    assert_int_equal(store_task(swarm.world.store, old)->desired_state, STATE(SHUTDOWN));
    swarm_pass_s(&swarm, 5);
    assert_non_null(swarm_task_on(&swarm, "web", "n2", STATE(RUNNING)));
    swarm_return_node(&swarm, "n0");
    assert_int_equal(store_task(swarm.world.store, old)->status->state, STATE(SHUTDOWN));
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 2);
    swarm_end(&swarm);
}

static void the_old_copy_stays_where_it_is_to_be_kept(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    begin(&swarm, &spec, "1m", "old");
    KEEP_ID(old, swarm_task_on(&swarm, "web", "n0", STATE(RUNNING)));
    swarm_lose_node(&swarm, "n0");
    swarm_pass_s(&swarm, 65);
    KEEP_ID(substitute, swarm_task_on(&swarm, "web", "n2", STATE(RUNNING)));
    assert_int_equal(store_task(swarm.world.store, substitute)->status->state, STATE(RUNNING));
    assert_int_equal(store_task(swarm.world.store, old)->desired_state, STATE(RUNNING));
    swarm_pass_s(&swarm, 600);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 3); /* one substitute, not more with time */
    swarm_return_node(&swarm, "n0");
    swarm_pass_s(&swarm, LOST_SETTLE_MS / 1000);
    assert_int_equal(store_task(swarm.world.store, old)->desired_state, STATE(RUNNING));
    assert_int_equal(store_task(swarm.world.store, old)->status->state, STATE(RUNNING));
    assert_int_equal(store_task(swarm.world.store, substitute)->status->state, STATE(SHUTDOWN));
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 2);
    swarm_end(&swarm);
}

static void a_new_leader_that_does_not_know_yet_stops_neither_copy(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    begin(&swarm, &spec, NULL, "old");
    KEEP_ID(old, swarm_task_on(&swarm, "web", "n0", STATE(RUNNING)));
    swarm_lose_node(&swarm, "n0");
    swarm_pass_s(&swarm, 6);
    swarm_set_node(&swarm, "n0", NODE_STATE(UNKNOWN), AVAILABILITY(ACTIVE));
    swarm_pass_s(&swarm, 6);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 3);
    swarm_stop_parts(&swarm);
    swarm_start_parts(&swarm);
    swarm_pass_s(&swarm, 6);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 3);
    swarm_return_node(&swarm, "n0");
    swarm_pass_s(&swarm, 6);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 2);
    assert_int_equal(store_task(swarm.world.store, old)->desired_state, STATE(RUNNING));
    swarm_end(&swarm);
}

static void an_old_copy_that_did_not_survive_is_not_waited_for(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    begin(&swarm, &spec, NULL, "old");
    KEEP_ID(old, swarm_task_on(&swarm, "web", "n0", STATE(RUNNING)));
    swarm_lose_node(&swarm, "n0");
    swarm_pass_s(&swarm, 5);
    KEEP_ID(substitute, swarm_task_on(&swarm, "web", "n2", STATE(RUNNING)));
    swarm_return_node(&swarm, "n0");
    swarm_set_state(&swarm, old, STATE(FAILED)); /* the node was rebooted, say */
    swarm_pass_s(&swarm, 60);
    assert_int_equal(store_task(swarm.world.store, old)->desired_state, STATE(SHUTDOWN));
    assert_int_equal(store_task(swarm.world.store, substitute)->desired_state, STATE(RUNNING));
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 2);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 3);
    swarm_end(&swarm);
}

static void a_substitute_that_fails_is_replaced_while_the_node_is_away(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    begin(&swarm, &spec, NULL, "old");
    swarm_lose_node(&swarm, "n0");
    swarm_pass_s(&swarm, 6);
    KEEP_ID(substitute, swarm_task_on(&swarm, "web", "n2", STATE(RUNNING)));
    swarm_set_state(&swarm, substitute, STATE(FAILED));
    swarm_pass_s(&swarm, 6);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 3); /* with the one that is away */
    swarm_return_node(&swarm, "n0");
    swarm_pass_s(&swarm, 6);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 2);
    assert_non_null(swarm_task_on(&swarm, "web", "n0", STATE(RUNNING)));
    swarm_end(&swarm);
}

static void a_drained_node_is_not_awaited(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    begin(&swarm, &spec, "10m", "old");
    swarm_lose_node(&swarm, "n0");
    swarm_drain(&swarm, "n0", AVAILABILITY(DRAIN));
    assert_int_equal(swarm_count(&swarm, "web", STATE(SHUTDOWN), STATE(RUNNING)), 1);
    assert_non_null(swarm_task_on(&swarm, "web", "n2", STATE(RUNNING)));
    swarm_end(&swarm);
}

static void a_removed_node_is_not_awaited(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    begin(&swarm, &spec, "10m", "old");
    swarm_lose_node(&swarm, "n0");
    do_remove(&swarm.world, STORE_NODE, "n0");
    swarm_pass_s(&swarm, 5);
    assert_non_null(swarm_task_on(&swarm, "web", "n2", STATE(RUNNING)));
    swarm_end(&swarm);
}

static void the_next_leader_counts_from_when_the_node_went_down(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    begin(&swarm, &spec, "1m", NULL);
    swarm_lose_node(&swarm, "n0");
    swarm_pass_s(&swarm, 30);
    swarm_stop_parts(&swarm);
    swarm_start_parts(&swarm);
    swarm_pass_s(&swarm, 29);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 2);
    swarm_pass_s(&swarm, 1);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 3);
    swarm_end(&swarm);
}

/* An update told the old copy to stop, and nobody knows whether it did. */
static void an_update_awaits_the_copy_on_a_lost_node_as_well(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    begin(&swarm, &spec, "3m", NULL);
    swarm_lose_node(&swarm, "n0");
    spec.container.image = word("image:2");
    spec.spec.update = &spec.update; /* all slots at once */
    swarm_update(&swarm, &spec);
    swarm_pass_s(&swarm, 179);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 1); /* that of n1 */
    assert_int_equal(swarm_count(&swarm, "web", STATE(READY), STATE(READY)), 1);
    swarm_pass_s(&swarm, 2);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 2);
    swarm_end(&swarm);
}

static void an_update_goes_on_when_the_lost_node_returns(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    begin(&swarm, &spec, "3m", NULL);
    swarm_lose_node(&swarm, "n0");
    spec.container.image = word("image:2");
    spec.spec.update = &spec.update;
    swarm_update(&swarm, &spec);
    swarm_pass_s(&swarm, 90);
    swarm_return_node(&swarm, "n0"); /* its copy stops */
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 2);
    swarm_end(&swarm);
}

/* Lost while it stops what it is to give up: that may run on, until the node stops it by itself. */
static void a_drained_node_that_is_lost_is_given_the_time_to_stop_by_itself(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_init(&spec, "web", 2);
    spec_label(&spec, LABEL_LOST_AFTER, "10m");
    spec_label(&spec, LABEL_STOP_AFTER, "30s");
    swarm_create(&swarm, &spec);
    swarm_add_node(&swarm, "n2");
    swarm.stops_slowly = true;
    swarm_drain(&swarm, "n0", AVAILABILITY(DRAIN));
    assert_int_equal(swarm_count(&swarm, "web", STATE(SHUTDOWN), STATE(RUNNING)), 1);
    swarm_lose_node(&swarm, "n0");
    swarm_pass_s(&swarm, 38); /* 30 s, and the grace period of 10 */
    assert_int_equal(swarm_count(&swarm, "web", STATE(READY), STATE(READY)), 1);
    swarm_pass_s(&swarm, 3);
    assert_int_equal(swarm_count(&swarm, "web", STATE(READY), STATE(READY)), 0);
    assert_non_null(swarm_task_on(&swarm, "web", "n2", STATE(RUNNING)));
    swarm_end(&swarm);
}

/* Drained once it is lost, it is not expected back: its other tasks are not awaited for ten minutes. */
static void draining_a_lost_node_shortens_the_wait_to_its_own_stop(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_init(&spec, "web", 2);
    spec_label(&spec, LABEL_LOST_AFTER, "10m");
    spec_label(&spec, LABEL_STOP_AFTER, "30s");
    swarm_create(&swarm, &spec);
    swarm_add_node(&swarm, "n2");
    swarm_lose_node(&swarm, "n0");
    swarm_pass_s(&swarm, 20);
    swarm_drain(&swarm, "n0", AVAILABILITY(DRAIN));
    assert_int_equal(swarm_count(&swarm, "web", STATE(READY), STATE(READY)), 1);
    swarm_pass_s(&swarm, 18);
    assert_int_equal(swarm_count(&swarm, "web", STATE(READY), STATE(READY)), 1);
    swarm_pass_s(&swarm, 3);
    assert_non_null(swarm_task_on(&swarm, "web", "n2", STATE(RUNNING)));
    swarm_end(&swarm);
}

static void labels_that_cannot_be_read_are_refused(void **state)
{
    (void)state;
    struct spec spec;
    spec_init(&spec, "web", 1);
    assert_ok(labels_check(&spec.spec, err));
    spec_label(&spec, LABEL_LOST_AFTER, "soon");
    assert_fails(labels_check(&spec.spec, err), ERR_INVALID, "skep.lost-after");
    spec.labels[0].value = word("-1s");
    assert_fails(labels_check(&spec.spec, err), ERR_INVALID, "skep.lost-after");
    spec.labels[0].value = word("1h30m");
    spec_label(&spec, LABEL_STOP_AFTER, "x");
    assert_fails(labels_check(&spec.spec, err), ERR_INVALID, "skep.stop-after");
    spec.labels[1].value = word("2m");
    spec_label(&spec, LABEL_KEEP, "both");
    assert_fails(labels_check(&spec.spec, err), ERR_INVALID, "neither new nor old");
    spec.labels[2].value = word("old");
    assert_ok(labels_check(&spec.spec, err));
    service_type service;
    docker__swarmkit__v1__service__init(&service);
    service.spec = &spec.spec;
    struct service_labels labels = labels_read(&service);
    assert_true(labels.lost_after_ns == 5400 * NS_PER_S);
    assert_true(labels.stop_after_ns == 120 * NS_PER_S);
    assert_true(labels.keeps_old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_labels_tasks_are_replaced_at_once),
        cmocka_unit_test(a_node_that_returns_in_time_loses_nothing),
        cmocka_unit_test(a_node_that_returns_too_late_stops_its_copy),
        cmocka_unit_test(the_old_copy_stays_where_it_is_to_be_kept),
        cmocka_unit_test(a_new_leader_that_does_not_know_yet_stops_neither_copy),
        cmocka_unit_test(an_old_copy_that_did_not_survive_is_not_waited_for),
        cmocka_unit_test(a_substitute_that_fails_is_replaced_while_the_node_is_away),
        cmocka_unit_test(a_drained_node_is_not_awaited),
        cmocka_unit_test(a_removed_node_is_not_awaited),
        cmocka_unit_test(the_next_leader_counts_from_when_the_node_went_down),
        cmocka_unit_test(an_update_awaits_the_copy_on_a_lost_node_as_well),
        cmocka_unit_test(an_update_goes_on_when_the_lost_node_returns),
        cmocka_unit_test(a_drained_node_that_is_lost_is_given_the_time_to_stop_by_itself),
        cmocka_unit_test(draining_a_lost_node_shortens_the_wait_to_its_own_stop),
        cmocka_unit_test(labels_that_cannot_be_read_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
