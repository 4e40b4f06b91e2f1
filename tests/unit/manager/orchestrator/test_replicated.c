/* Replicated services: slots, growing, shrinking, what happens with their nodes. */
#include "manager/orchestrator/labels.h"
#include "tests/unit/manager/orchestrator/fixture.h"

static void a_service_gets_tasks_as_swarm_makes_them(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 3);
    swarm.agents_idle = swarm.scheduler_idle = true;
    spec_init(&spec, "web", 3);
    spec.spec.endpoint = &spec.endpoint;
    swarm_create(&swarm, &spec);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(PENDING)), 3);
    for (unsigned slot = 1; slot <= 3; slot++) {
        const task_type *task = swarm_task(&swarm, "web", slot, 0);
        assert_non_null(task);
        assert_int_equal(strlen(task->id), ID_SIZE_CHARS);
        assert_string_equal(task->status->message, "pending task scheduling");
        assert_string_equal(task->status->err, "");
        assert_string_equal(task->service_annotations->name, "web");
        assert_string_equal(task->annotations->name, "");
        assert_string_equal(task->spec->container->image, "image:1");
        assert_int_equal(task->spec_version->index, 1);
        assert_string_equal(task->node_id, "");
        assert_non_null(task->endpoint->spec);
        assert_null(task->job_iteration);
    }
    assert_non_null(swarm_service(&swarm, "web")->endpoint->spec);
    swarm_end(&swarm);
}

static void a_new_task_says_created(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    while (swarm.parts_count > 1) { /* no allocator */
        struct part *last = &swarm.parts[--swarm.parts_count];
        last->free(last->self);
    }
    spec_init(&spec, "web", 1);
    swarm_create(&swarm, &spec);
    const task_type *task = swarm_task(&swarm, "web", 1, 0);
    assert_int_equal(task->status->state, STATE(NEW));
    assert_string_equal(task->status->message, "created");
    assert_int_equal(message_timestamp_ns(task->status->timestamp, 0), swarm.world.wall_ns);
    assert_non_null(task->endpoint);
    assert_null(task->endpoint->spec);
    swarm_end(&swarm);
}

static void growing_takes_the_lowest_free_numbers(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_init(&spec, "web", 4);
    swarm_create(&swarm, &spec);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 4);
    KEEP_ID(second, swarm_task(&swarm, "web", 2, 0));
    do_remove(&swarm.world, STORE_TASK, second); /* someone takes it away */
    swarm_run(&swarm);
    assert_non_null(swarm_task(&swarm, "web", 2, 0));
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 4);
    spec.replicated.replicas = 6;
    swarm_update(&swarm, &spec);
    assert_non_null(swarm_task(&swarm, "web", 5, 0));
    assert_non_null(swarm_task(&swarm, "web", 6, 0));
    assert_null(swarm_task(&swarm, "web", 7, 0));
    swarm_end(&swarm);
}

static void shrinking_takes_from_the_node_with_most(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    spec_init(&spec, "web", 3);
    swarm_create(&swarm, &spec); /* slots 1 to 3 on n0 */
    swarm_add_node(&swarm, "n1");
    spec.replicated.replicas = 4;
    swarm_update(&swarm, &spec); /* slot 4 on n1 */
    assert_string_equal(swarm_task(&swarm, "web", 4, 0)->node_id, "n1");
    spec.replicated.replicas = 2;
    swarm_update(&swarm, &spec);
    swarm_pass_s(&swarm, 1);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 2); /* what was removed is gone */
    assert_non_null(swarm_task(&swarm, "web", 1, 0));
    assert_non_null(swarm_task(&swarm, "web", 4, 0));
    swarm_end(&swarm);
}

static void shrinking_prefers_what_runs(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    swarm.scheduler_idle = true;
    spec_init(&spec, "web", 2);
    swarm_create(&swarm, &spec); /* pending */
    KEEP_ID(second, swarm_task(&swarm, "web", 2, 0));
    task_type changed = *store_task(swarm.world.store, second);
    Docker__Swarmkit__V1__TaskStatus status = *changed.status;
    status.state = STATE(ASSIGNED);
    changed.status = &status;
    changed.node_id = word("n0");
    do_update(&swarm.world, &changed);
    swarm_run(&swarm);
    assert_int_equal(swarm_count(&swarm, "web", -1, STATE(RUNNING)), 1);
    spec.replicated.replicas = 1;
    swarm_update(&swarm, &spec);
    swarm_pass_s(&swarm, 1);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 1);
    assert_non_null(store_task(swarm.world.store, second));
    swarm_end(&swarm);
}

static void what_is_removed_stays_until_it_has_stopped(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    spec_init(&spec, "web", 2);
    swarm_create(&swarm, &spec);
    swarm.stops_slowly = true;
    spec.replicated.replicas = 1;
    swarm_update(&swarm, &spec);
    swarm_pass_s(&swarm, 10);
    assert_int_equal(swarm_count(&swarm, "web", STATE(REMOVE), STATE(RUNNING)), 1);
    swarm.stops_slowly = false;
    swarm_pass_s(&swarm, 1);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 1);
    swarm_end(&swarm);
}

/* Asked for again before it has stopped: where the service guards its slots, the next waits. */
static void a_guarded_slot_is_not_filled_before_it_is_empty(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    spec_init(&spec, "web", 1);
    spec_label(&spec, LABEL_STOP_AFTER, "30s");
    swarm_create(&swarm, &spec);
    swarm.stops_slowly = true;
    spec.replicated.replicas = 0;
    swarm_update(&swarm, &spec);
    spec.replicated.replicas = 1;
    swarm_update(&swarm, &spec);
    swarm_pass_s(&swarm, 10);
    assert_int_equal(swarm_count(&swarm, "web", STATE(REMOVE), STATE(RUNNING)), 1);
    assert_int_equal(swarm_count(&swarm, "web", STATE(READY), STATE(READY)), 1);
    swarm.stops_slowly = false;
    swarm_pass_s(&swarm, 1);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 1);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 1);
    swarm_end(&swarm);
}

static void a_removed_service_takes_its_tasks_along(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_init(&spec, "web", 5);
    swarm_create(&swarm, &spec);
    swarm.agents_idle = true;
    swarm_remove(&swarm, "web");
    assert_int_equal(swarm_count(&swarm, "web", STATE(REMOVE), STATE(RUNNING)), 5);
    swarm.agents_idle = false;
    swarm_pass_s(&swarm, 1);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 0);
    swarm_end(&swarm);
}

static void a_drained_node_is_emptied_without_delay(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_init(&spec, "web", 4);
    swarm_create(&swarm, &spec);
    uint64_t before = swarm.now_ns;
    swarm_drain(&swarm, "n0", AVAILABILITY(DRAIN));
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 4);
    assert_int_equal(swarm_count(&swarm, "web", STATE(SHUTDOWN), STATE(SHUTDOWN)), 2);
    assert_null(swarm_task_on(&swarm, "web", "n0", STATE(RUNNING)));
    assert_true(swarm.now_ns == before);
    swarm_end(&swarm);
}

static void replacements_of_a_drained_node_wait_for_the_old_ones_but_a_minute_at_most(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_init(&spec, "web", 2);
    swarm_create(&swarm, &spec);
    swarm.stops_slowly = true;
    swarm_drain(&swarm, "n0", AVAILABILITY(DRAIN));
    assert_int_equal(swarm_count(&swarm, "web", STATE(READY), STATE(READY)), 1);
    swarm_pass_s(&swarm, 59);
    assert_int_equal(swarm_count(&swarm, "web", STATE(READY), STATE(READY)), 1);
    swarm_pass_s(&swarm, 1);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 2);
    swarm_end(&swarm);
}

static void a_paused_node_keeps_its_tasks(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_init(&spec, "web", 4);
    swarm_create(&swarm, &spec);
    swarm_drain(&swarm, "n0", AVAILABILITY(PAUSE));
    swarm_pass_s(&swarm, 100);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 4);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 4);
    swarm_end(&swarm);
}

static void thousands_of_replicas_come_in_portions(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    swarm.agents_idle = swarm.scheduler_idle = true;
    spec_init(&spec, "web", 3000);
    swarm_create(&swarm, &spec);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(PENDING)), 3000);
    assert_int_equal(store_count(swarm.world.store, STORE_TASK, STORE_ALL, NULL), 3000);
    assert_non_null(swarm_task(&swarm, "web", 3000, 0));
    spec.replicated.replicas = 10;
    swarm_update(&swarm, &spec);
    swarm_pass_s(&swarm, 1);
    assert_int_equal(store_count(swarm.world.store, STORE_TASK, STORE_ALL, NULL), 10);
    swarm_end(&swarm);
}

static void a_refusal_of_the_store_is_tried_again(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    spec_init(&spec, "web", 2);
    swarm.agents_idle = swarm.scheduler_idle = true;
    service_type message;
    docker__swarmkit__v1__service__init(&message);
    message.id = word("web");
    message.spec = &spec.spec;
    do_create(&swarm.world, &message);
    swarm.parts[0].step(swarm.parts[0].self, swarm.now_ns);
    swarm.world.refuses = ERR_UNAVAILABLE;
    world_settle(&swarm.world);
    swarm.world.refuses = 0;
    swarm_run(&swarm);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 0);
    swarm_pass_s(&swarm, 2);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 2);
    swarm_end(&swarm);
}

static void the_next_leader_goes_on(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_init(&spec, "web", 3);
    swarm_create(&swarm, &spec);
    swarm_stop_parts(&swarm);
    KEEP_ID(first, swarm_task(&swarm, "web", 1, 0));
    task_type changed = *store_task(swarm.world.store, first);
    Docker__Swarmkit__V1__TaskStatus status = *changed.status;
    status.state = STATE(FAILED);
    changed.status = &status;
    do_update(&swarm.world, &changed);
    spec.replicated.replicas = 4;
    swarm_change(&swarm, &spec);
    swarm_start_parts(&swarm);
    swarm_run(&swarm);
    assert_int_equal(swarm_count(&swarm, "web", STATE(READY), -1), 1);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 3);
    swarm_stop_parts(&swarm); /* and the one after it starts what waits */
    swarm_start_parts(&swarm);
    swarm_pass_s(&swarm, 4);
    assert_int_equal(swarm_count(&swarm, "web", STATE(READY), -1), 1);
    swarm_pass_s(&swarm, 1);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 4);
    swarm_end(&swarm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_gets_tasks_as_swarm_makes_them),
        cmocka_unit_test(a_new_task_says_created),
        cmocka_unit_test(growing_takes_the_lowest_free_numbers),
        cmocka_unit_test(shrinking_takes_from_the_node_with_most),
        cmocka_unit_test(shrinking_prefers_what_runs),
        cmocka_unit_test(what_is_removed_stays_until_it_has_stopped),
        cmocka_unit_test(a_guarded_slot_is_not_filled_before_it_is_empty),
        cmocka_unit_test(a_removed_service_takes_its_tasks_along),
        cmocka_unit_test(a_drained_node_is_emptied_without_delay),
        cmocka_unit_test(replacements_of_a_drained_node_wait_for_the_old_ones_but_a_minute_at_most),
        cmocka_unit_test(a_paused_node_keeps_its_tasks),
        cmocka_unit_test(thousands_of_replicas_come_in_portions),
        cmocka_unit_test(a_refusal_of_the_store_is_tried_again),
        cmocka_unit_test(the_next_leader_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
