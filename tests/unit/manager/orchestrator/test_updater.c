/* Rolling updates and roll-backs: orders, parallelism, delays, failures, and what a service says of them. */
#include "manager/orchestrator/updater.h"

#undef STATE
#include "tests/unit/manager/orchestrator/fixture.h"

#define ACTION(name) DOCKER__SWARMKIT__V1__UPDATE_CONFIG__FAILURE_ACTION__##name
#define ORDER(name)  DOCKER__SWARMKIT__V1__UPDATE_CONFIG__UPDATE_ORDER__##name

static void configure(struct spec *spec, uint64_t parallelism, int64_t delay_s, int action)
{
    spec->spec.update = &spec->update;
    spec->update.parallelism = parallelism;
    message_set_duration(&spec->update_delay, delay_s * (int64_t)NS_PER_S);
    spec->update.delay = &spec->update_delay;
    spec->update.failure_action = (Docker__Swarmkit__V1__UpdateConfig__FailureAction)action;
}

static int status_of(const struct swarm *swarm)
{
    const service_type *service = swarm_service(swarm, "web");
    return service->update_status ? (int)service->update_status->state : -1;
}

static const char *message_of(const struct swarm *swarm)
{
    return swarm_service(swarm, "web")->update_status->message;
}

static int of_image(const struct swarm *swarm, const char *image, int desired, int state)
{
    struct store_cursor cursor;
    const task_type *task;
    int count = 0;
    store_find(swarm->world.store, STORE_TASK, STORE_BY_SERVICE, "web", &cursor);
    while ((task = (const void *)store_next(&cursor)) != NULL)
        count += strcmp(task->spec->container->image, image) == 0 && (desired < 0 || (int)task->desired_state == desired) &&
                 (state < 0 || (int)task->status->state == state);
    return count;
}

static int running(const struct swarm *swarm, const char *image)
{
    return of_image(swarm, image, STATE(RUNNING), STATE(RUNNING));
}

static void the_tables_are_sound(void **state)
{
    (void)state;
    assert_null(state_table_flaw(&update_table, UPDATE_OPENING));
    assert_null(state_table_flaw(&slot_update_table, SLOT_UPDATE_TURN));
}

static void scaling_is_no_update(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_init(&spec, "web", 2);
    swarm_create(&swarm, &spec);
    spec.replicated.replicas = 3;
    swarm_update(&swarm, &spec);
    swarm_pass_s(&swarm, 10);
    assert_int_equal(status_of(&swarm), -1);
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 3);
    swarm_end(&swarm);
}

static void one_slot_after_the_other_with_a_delay_between(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_init(&spec, "web", 3);
    configure(&spec, 1, 10, ACTION(PAUSE));
    swarm_create(&swarm, &spec);
    int64_t began_ns = swarm.world.wall_ns + 1000;
    spec.container.image = word("image:2");
    swarm_update(&swarm, &spec);
    assert_int_equal(status_of(&swarm), UPDATE_STATE(UPDATING));
    assert_string_equal(message_of(&swarm), "update in progress");
    assert_true(message_timestamp_ns(swarm_service(&swarm, "web")->update_status->started_at, 0) == began_ns);
    assert_null(swarm_service(&swarm, "web")->update_status->completed_at);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(running(&swarm, "image:2"), i);
        assert_int_equal(running(&swarm, "image:1"), 3 - i);
        assert_string_equal(swarm_task(&swarm, "web", i, 0)->spec->container->image, "image:2"); /* the lowest first */
        swarm_pass_s(&swarm, 10);
    }
    assert_int_equal(status_of(&swarm), UPDATE_STATE(UPDATING)); /* watched for delay + 1 s: it is longer than the monitor */
    swarm_pass_ms(&swarm, 10999);
    assert_int_equal(status_of(&swarm), UPDATE_STATE(UPDATING));
    swarm_pass_ms(&swarm, 1);
    assert_int_equal(status_of(&swarm), UPDATE_STATE(COMPLETED));
    assert_string_equal(message_of(&swarm), "update completed");
    assert_true(message_timestamp_ns(swarm_service(&swarm, "web")->update_status->completed_at, 0) == swarm.world.wall_ns);
    assert_int_equal(of_image(&swarm, "image:1", STATE(SHUTDOWN), STATE(SHUTDOWN)), 3);
    swarm_end(&swarm);
}

static void stop_first_waits_for_the_old_task_to_stop(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_init(&spec, "web", 2);
    swarm_create(&swarm, &spec);
    swarm.stops_slowly = true;
    spec.container.image = word("image:2");
    swarm_update(&swarm, &spec);
    assert_int_equal(of_image(&swarm, "image:2", STATE(READY), STATE(READY)), 1);
    assert_int_equal(of_image(&swarm, "image:1", STATE(SHUTDOWN), STATE(RUNNING)), 1);
    assert_int_equal(running(&swarm, "image:1"), 1);
    swarm_pass_s(&swarm, 30);
    assert_int_equal(of_image(&swarm, "image:2", STATE(READY), STATE(READY)), 1);
    swarm.stops_slowly = false;
    swarm_run(&swarm);
    assert_int_equal(running(&swarm, "image:2"), 2);
    swarm_end(&swarm);
}

/* The new one ends before it was to start; the one in its place waits for the old copy as it did. */
static void what_stands_in_for_a_task_that_waits_waits_as_well(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    spec_init(&spec, "web", 1);
    spec_restart(&spec, RESTART_ANY, 1, 0);
    swarm_create(&swarm, &spec);
    swarm.stops_slowly = true;
    swarm.fails_prepare = "image:2";
    spec.container.image = word("image:2");
    swarm_update(&swarm, &spec);
    swarm.fails_prepare = NULL;
    swarm_pass_s(&swarm, 20);
    assert_int_equal(swarm_count(&swarm, "web", STATE(SHUTDOWN), STATE(RUNNING)), 1); /* the old copy */
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 0);
    swarm.stops_slowly = false;
    swarm_pass_s(&swarm, 2);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 1);
    swarm_end(&swarm);
}

static void start_first_stops_the_old_task_when_the_new_one_runs(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_init(&spec, "web", 2);
    configure(&spec, 0, 0, ACTION(PAUSE));
    spec.update.order = ORDER(START_FIRST);
    swarm_create(&swarm, &spec);
    swarm.scheduler_idle = true;
    spec.container.image = word("image:2");
    swarm_update(&swarm, &spec);
    assert_int_equal(running(&swarm, "image:1"), 2);
    assert_int_equal(of_image(&swarm, "image:2", STATE(RUNNING), STATE(PENDING)), 2);
    swarm_pass_s(&swarm, 200); /* however long it takes */
    assert_int_equal(running(&swarm, "image:1"), 2);
    swarm.scheduler_idle = false;
    swarm_run(&swarm);
    assert_int_equal(running(&swarm, "image:1"), 0);
    assert_int_equal(running(&swarm, "image:2"), 2);
    swarm_pass_s(&swarm, 5);
    assert_int_equal(status_of(&swarm), UPDATE_STATE(COMPLETED));
    swarm_end(&swarm);
}

static void parallelism_zero_is_all_at_once(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_init(&spec, "web", 50);
    configure(&spec, 0, 10, ACTION(PAUSE));
    swarm_create(&swarm, &spec);
    spec.container.image = word("image:2");
    swarm_update(&swarm, &spec);
    assert_int_equal(running(&swarm, "image:2"), 50);
    swarm_end(&swarm);
}

static void parallelism_bounds_what_is_replaced_at_once(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_init(&spec, "web", 7);
    configure(&spec, 3, 10, ACTION(PAUSE));
    swarm_create(&swarm, &spec);
    spec.container.image = word("image:2");
    swarm_update(&swarm, &spec);
    assert_int_equal(running(&swarm, "image:2"), 3);
    swarm_pass_s(&swarm, 10);
    assert_int_equal(running(&swarm, "image:2"), 6);
    swarm_pass_s(&swarm, 10);
    assert_int_equal(running(&swarm, "image:2"), 7);
    swarm_end(&swarm);
}

static void a_failure_pauses(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_init(&spec, "web", 3);
    swarm_create(&swarm, &spec);
    swarm.fails_image = "image:2";
    spec.container.image = word("image:2");
    swarm_update(&swarm, &spec);
    assert_int_equal(status_of(&swarm), UPDATE_STATE(PAUSED));
    char want[128];
    struct store_cursor cursor;
    const task_type *task, *failed = NULL;
    store_find(swarm.world.store, STORE_TASK, STORE_BY_SERVICE, "web", &cursor);
    while ((task = (const void *)store_next(&cursor)) != NULL)
        if (task->status->state == STATE(FAILED))
            failed = task;
    assert_non_null(failed);
    snprintf(want, sizeof want, "update paused due to failure or early termination of task %s", failed->id);
    assert_string_equal(message_of(&swarm), want);
    swarm_pass_s(&swarm, 100);
    assert_int_equal(status_of(&swarm), UPDATE_STATE(PAUSED));
    assert_int_equal(running(&swarm, "image:1"), 2); /* the others are as they were */
    swarm.fails_image = NULL;
    spec.container.image = word("image:3"); /* a newer update goes on */
    swarm_update(&swarm, &spec);
    swarm_pass_s(&swarm, 10);
    assert_int_equal(status_of(&swarm), UPDATE_STATE(COMPLETED));
    assert_int_equal(running(&swarm, "image:3"), 3);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), -1), 3);
    swarm_end(&swarm);
}

static void a_failure_within_the_monitor_rolls_back(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_init(&spec, "web", 3);
    configure(&spec, 1, 0, ACTION(ROLLBACK));
    message_set_duration(&spec.update_monitor, 30 * (int64_t)NS_PER_S);
    spec.update.monitor = &spec.update_monitor;
    swarm_create(&swarm, &spec);
    spec.container.image = word("image:2");
    swarm_update(&swarm, &spec);
    assert_int_equal(running(&swarm, "image:2"), 3);
    swarm_pass_s(&swarm, 29);
    assert_int_equal(status_of(&swarm), UPDATE_STATE(UPDATING));
    KEEP_ID(id, swarm_task(&swarm, "web", 2, 0));
    swarm_set_state(&swarm, id, STATE(FAILED));
    char want[128];
    snprintf(want, sizeof want, "update rolled back due to failure or early termination of task %s", id);
    assert_int_equal(status_of(&swarm), UPDATE_STATE(ROLLBACK_STARTED));
    assert_string_equal(message_of(&swarm), want);
    assert_string_equal(swarm_service(&swarm, "web")->spec->task->container->image, "image:1");
    assert_null(swarm_service(&swarm, "web")->previous_spec);
    assert_int_equal(swarm_service(&swarm, "web")->spec_version->index, 1);
    swarm_pass_s(&swarm, 20);
    assert_int_equal(status_of(&swarm), UPDATE_STATE(ROLLBACK_COMPLETED));
    assert_string_equal(message_of(&swarm), "rollback completed");
    assert_int_equal(running(&swarm, "image:1"), 3);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), -1), 3);
    swarm_end(&swarm);
}

static void a_failure_after_the_monitor_is_none_of_the_update(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_init(&spec, "web", 2);
    configure(&spec, 1, 20, ACTION(ROLLBACK));
    swarm_create(&swarm, &spec);
    spec.container.image = word("image:2");
    swarm_update(&swarm, &spec);
    swarm_pass_s(&swarm, 6); /* slot 1 has been up for longer than 5 s, slot 2 waits for its turn */
    KEEP_ID(id, swarm_task(&swarm, "web", 1, 0));
    swarm_set_state(&swarm, id, STATE(FAILED));
    assert_int_equal(status_of(&swarm), UPDATE_STATE(UPDATING));
    swarm_end(&swarm);
}

static void a_share_of_failures_is_borne(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_init(&spec, "web", 4);
    configure(&spec, 1, 1, ACTION(PAUSE));
    spec.update.max_failure_ratio = 0.25F;
    swarm_create(&swarm, &spec);
    spec.container.image = word("image:2");
    swarm_update(&swarm, &spec);
    KEEP_ID(first, swarm_task(&swarm, "web", 1, 0));
    swarm_set_state(&swarm, first, STATE(FAILED)); /* 1 of 4 is not more than a quarter */
    swarm_pass_s(&swarm, 1);
    assert_int_equal(status_of(&swarm), UPDATE_STATE(UPDATING));
    KEEP_ID(second, swarm_task(&swarm, "web", 2, 0));
    swarm_set_state(&swarm, second, STATE(FAILED));
    assert_int_equal(status_of(&swarm), UPDATE_STATE(PAUSED));
    swarm_end(&swarm);
}

static void a_rollback_that_fails_pauses(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_init(&spec, "web", 2);
    configure(&spec, 1, 0, ACTION(ROLLBACK));
    spec.spec.rollback = &spec.rollback;
    spec.rollback.parallelism = 1;
    spec.rollback.failure_action = ACTION(ROLLBACK);
    swarm_create(&swarm, &spec);
    swarm_pass_s(&swarm, 1);
    swarm.fails_image = "image:2";
    spec.container.image = word("image:2");
    swarm_change(&swarm, &spec);
    for (unsigned i = 0; i < 1000 && status_of(&swarm) != UPDATE_STATE(ROLLBACK_STARTED); i++)
        swarm_step(&swarm);
    swarm.fails_image = "image:1";
    swarm_pass_s(&swarm, 20);
    assert_int_equal(status_of(&swarm), UPDATE_STATE(ROLLBACK_PAUSED));
    assert_non_null(strstr(message_of(&swarm), "update paused due to failure or early termination of task "));
    swarm_end(&swarm);
}

static void failures_that_do_not_matter_let_the_update_complete(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_init(&spec, "web", 3);
    configure(&spec, 1, 0, ACTION(CONTINUE));
    swarm_create(&swarm, &spec);
    swarm.fails_image = "image:2";
    spec.container.image = word("image:2");
    swarm_update(&swarm, &spec);
    swarm_pass_s(&swarm, 5);
    assert_int_equal(status_of(&swarm), UPDATE_STATE(COMPLETED));
    assert_int_equal(of_image(&swarm, "image:1", STATE(RUNNING), -1), 0);
    swarm_end(&swarm);
}

static void a_newer_update_takes_over(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_init(&spec, "web", 3);
    configure(&spec, 1, 100, ACTION(PAUSE));
    swarm_create(&swarm, &spec);
    spec.container.image = word("image:2");
    swarm_update(&swarm, &spec);
    assert_int_equal(running(&swarm, "image:2"), 1);
    configure(&spec, 0, 0, ACTION(PAUSE));
    spec.container.image = word("image:3");
    swarm_update(&swarm, &spec);
    assert_int_equal(running(&swarm, "image:3"), 3);
    swarm_pass_s(&swarm, 6);
    assert_int_equal(status_of(&swarm), UPDATE_STATE(COMPLETED));
    swarm_end(&swarm);
}

/* As the control API does it. */
static void roll_back(struct swarm *swarm)
{
    service_type message = *swarm_service(swarm, "web");
    Docker__Swarmkit__V1__UpdateStatus status = DOCKER__SWARMKIT__V1__UPDATE_STATUS__INIT;
    Docker__Swarmkit__V1__Version version = DOCKER__SWARMKIT__V1__VERSION__INIT;
    version.index = ++swarm->spec_version;
    status.state = UPDATE_STATE(ROLLBACK_STARTED);
    status.message = word("manually requested rollback");
    Google__Protobuf__Timestamp now;
    message_set_timestamp(&now, swarm->world.wall_ns);
    status.started_at = &now;
    message.spec = message.previous_spec;
    message.spec_version = &version;
    message.previous_spec = NULL;
    message.update_status = &status;
    do_update(&swarm->world, &message);
    swarm_run(swarm);
}

static int fails_of_image_1(struct swarm *swarm, const task_type *task)
{
    (void)swarm;
    return strcmp(task->spec->container->image, "image:1") == 0 ? STATE(FAILED) : 0;
}

static void a_rollback_to_what_had_failed_is_tried_once(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_init(&spec, "web", 2);
    spec.task.restart = &spec.restart;
    spec.restart.condition = DOCKER__SWARMKIT__V1__RESTART_POLICY__RESTART_CONDITION__NONE;
    spec.spec.rollback = &spec.rollback;
    spec.rollback.parallelism = 1;
    message_set_duration(&spec.rollback_delay, 3 * (int64_t)NS_PER_S);
    spec.rollback.delay = &spec.rollback_delay;
    swarm.fate = fails_of_image_1;
    swarm_create(&swarm, &spec);
    assert_int_equal(of_image(&swarm, "image:1", STATE(SHUTDOWN), STATE(FAILED)), 2);
    spec.container.image = word("image:2");
    swarm_update(&swarm, &spec);
    swarm_pass_s(&swarm, 20);
    assert_int_equal(running(&swarm, "image:2"), 2);
    roll_back(&swarm);
    swarm_pass_s(&swarm, 20);
    assert_int_equal(status_of(&swarm), UPDATE_STATE(ROLLBACK_PAUSED));
    assert_int_equal(of_image(&swarm, "image:1", STATE(SHUTDOWN), STATE(FAILED)), 2 + 1);
    assert_int_equal(running(&swarm, "image:2"), 1);
    swarm_end(&swarm);
}

static void a_manual_rollback_uses_its_own_config(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_init(&spec, "web", 4);
    configure(&spec, 1, 50, ACTION(PAUSE));
    spec.spec.rollback = &spec.rollback;
    spec.rollback.parallelism = 2;
    message_set_duration(&spec.rollback_delay, 7 * (int64_t)NS_PER_S);
    spec.rollback.delay = &spec.rollback_delay;
    swarm_create(&swarm, &spec);
    spec.container.image = word("image:2");
    spec.update.parallelism = 0;
    swarm_update(&swarm, &spec);
    roll_back(&swarm);
    assert_int_equal(running(&swarm, "image:1"), 2);
    swarm_pass_s(&swarm, 7);
    assert_int_equal(running(&swarm, "image:1"), 4);
    swarm_pass_s(&swarm, 20);
    assert_int_equal(status_of(&swarm), UPDATE_STATE(ROLLBACK_COMPLETED));
    swarm_end(&swarm);
}

static void nodes_that_no_longer_fit_are_no_part_of_an_update(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_init(&spec, "web", 0);
    spec_global(&spec);
    swarm_create(&swarm, &spec);
    spec_constraint(&spec, "node.labels.zone==b");
    swarm_update(&swarm, &spec);
    swarm_pass_s(&swarm, 10);
    assert_int_equal(status_of(&swarm), -1);
    assert_int_equal(of_image(&swarm, "image:1", STATE(SHUTDOWN), STATE(SHUTDOWN)), 2);
    swarm_end(&swarm);
}

static void global_services_are_updated_node_by_node(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 3);
    spec_init(&spec, "web", 0);
    spec_global(&spec);
    configure(&spec, 1, 10, ACTION(PAUSE));
    swarm_create(&swarm, &spec);
    assert_int_equal(running(&swarm, "image:1"), 3);
    swarm_drain(&swarm, "n1", AVAILABILITY(PAUSE));
    spec.container.image = word("image:2");
    swarm_update(&swarm, &spec);
    assert_int_equal(running(&swarm, "image:2"), 1);
    assert_string_equal(swarm_task_on(&swarm, "web", "n0", STATE(RUNNING))->spec->container->image, "image:2");
    swarm_pass_s(&swarm, 31);
    assert_int_equal(status_of(&swarm), UPDATE_STATE(COMPLETED));
    assert_int_equal(running(&swarm, "image:2"), 2);
    assert_int_equal(running(&swarm, "image:1"), 1); /* a paused node gets nothing new */
    swarm_drain(&swarm, "n1", AVAILABILITY(ACTIVE));
    assert_int_equal(running(&swarm, "image:2"), 3);
    swarm_pass_s(&swarm, 30);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), -1), 3);
    swarm_end(&swarm);
}

static void slots_that_are_over_are_updated_too(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_init(&spec, "web", 1);
    spec_restart(&spec, RESTART_NONE, 0, 0);
    swarm_create(&swarm, &spec);
    KEEP_ID(id, swarm_task(&swarm, "web", 1, 0));
    swarm_set_state(&swarm, id, STATE(COMPLETE));
    swarm_pass_s(&swarm, 1);
    spec.container.image = word("image:2");
    swarm_update(&swarm, &spec);
    assert_int_equal(running(&swarm, "image:2"), 1);
    swarm_end(&swarm);
}

static void the_next_leader_goes_on_with_an_update(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_init(&spec, "web", 4);
    configure(&spec, 1, 10, ACTION(PAUSE));
    swarm_create(&swarm, &spec);
    spec.container.image = word("image:2");
    swarm_update(&swarm, &spec);
    swarm_pass_s(&swarm, 10);
    assert_int_equal(running(&swarm, "image:2"), 2);
    swarm_stop_parts(&swarm);
    swarm_start_parts(&swarm);
    swarm_run(&swarm);
    assert_int_equal(running(&swarm, "image:2"), 3);
    KEEP_ID(id, swarm_task(&swarm, "web", 2, 0)); /* made by the one before, and still watched */
    swarm_set_state(&swarm, id, STATE(FAILED));
    assert_int_equal(status_of(&swarm), UPDATE_STATE(PAUSED));
    swarm_end(&swarm);
}

static void a_node_that_goes_down_during_its_turn_does_not_stall_the_update(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_init(&spec, "web", 2);
    configure(&spec, 1, 0, ACTION(CONTINUE));
    swarm_create(&swarm, &spec);
    swarm.agents_idle = true;
    spec.container.image = word("image:2");
    swarm_update(&swarm, &spec);
    const char *on = NULL;
    for (unsigned slot = 1; slot <= 2; slot++)
        if (swarm_task(&swarm, "web", slot, 1))
            on = strcmp(swarm_task(&swarm, "web", slot, 0)->node_id, "n0") == 0 ? "n0" : "n1";
    assert_non_null(on);
    swarm_lose_node(&swarm, on);
    swarm.agents_idle = false;
    swarm_pass_s(&swarm, 100);
    assert_int_equal(running(&swarm, "image:2"), 2);
    assert_int_equal(status_of(&swarm), UPDATE_STATE(COMPLETED));
    swarm_end(&swarm);
}

static void a_service_removed_in_mid_update_leaves_nothing(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    spec_init(&spec, "web", 4);
    configure(&spec, 2, 10, ACTION(PAUSE));
    swarm_create(&swarm, &spec);
    spec.container.image = word("image:2");
    swarm_update(&swarm, &spec);
    swarm_remove(&swarm, "web");
    swarm_pass_s(&swarm, 1);
    assert_int_equal(store_count(swarm.world.store, STORE_TASK, STORE_ALL, NULL), 0);
    swarm_end(&swarm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tables_are_sound),
        cmocka_unit_test(scaling_is_no_update),
        cmocka_unit_test(one_slot_after_the_other_with_a_delay_between),
        cmocka_unit_test(stop_first_waits_for_the_old_task_to_stop),
        cmocka_unit_test(what_stands_in_for_a_task_that_waits_waits_as_well),
        cmocka_unit_test(start_first_stops_the_old_task_when_the_new_one_runs),
        cmocka_unit_test(parallelism_zero_is_all_at_once),
        cmocka_unit_test(parallelism_bounds_what_is_replaced_at_once),
        cmocka_unit_test(a_failure_pauses),
        cmocka_unit_test(a_failure_within_the_monitor_rolls_back),
        cmocka_unit_test(a_failure_after_the_monitor_is_none_of_the_update),
        cmocka_unit_test(a_share_of_failures_is_borne),
        cmocka_unit_test(a_rollback_that_fails_pauses),
        cmocka_unit_test(failures_that_do_not_matter_let_the_update_complete),
        cmocka_unit_test(a_newer_update_takes_over),
        cmocka_unit_test(a_rollback_to_what_had_failed_is_tried_once),
        cmocka_unit_test(a_manual_rollback_uses_its_own_config),
        cmocka_unit_test(nodes_that_no_longer_fit_are_no_part_of_an_update),
        cmocka_unit_test(global_services_are_updated_node_by_node),
        cmocka_unit_test(slots_that_are_over_are_updated_too),
        cmocka_unit_test(the_next_leader_goes_on_with_an_update),
        cmocka_unit_test(a_node_that_goes_down_during_its_turn_does_not_stall_the_update),
        cmocka_unit_test(a_service_removed_in_mid_update_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
