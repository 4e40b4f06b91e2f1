/* Tasks leave nodes that no longer satisfy what they ask for. */
#include "manager/orchestrator/labels.h"
#include "tests/unit/manager/orchestrator/fixture.h"

static void describe(struct swarm *swarm, const char *id, int64_t memory_bytes, int64_t gpus)
{
    node_type message = *store_node(swarm->world.store, id);
    Docker__Swarmkit__V1__NodeDescription description = *message.description;
    Docker__Swarmkit__V1__Resources resources = DOCKER__SWARMKIT__V1__RESOURCES__INIT;
    Docker__Swarmkit__V1__GenericResource generic = DOCKER__SWARMKIT__V1__GENERIC_RESOURCE__INIT, *generics[] = {&generic};
    Docker__Swarmkit__V1__DiscreteGenericResource discrete = DOCKER__SWARMKIT__V1__DISCRETE_GENERIC_RESOURCE__INIT;
    resources.memory_bytes = memory_bytes;
    discrete.kind = word("gpu");
    discrete.value = gpus;
    generic.resource_case = DOCKER__SWARMKIT__V1__GENERIC_RESOURCE__RESOURCE_DISCRETE_RESOURCE_SPEC;
    generic.discrete_resource_spec = &discrete;
    resources.generic = generics;
    resources.n_generic = 1;
    description.resources = &resources;
    message.description = &description;
    do_update(&swarm->world, &message);
    swarm_run(swarm);
}

static void set_role(struct swarm *swarm, const char *id, int role)
{
    node_type message = *store_node(swarm->world.store, id);
    message.role = (Docker__Swarmkit__V1__NodeRole)role;
    do_update(&swarm->world, &message);
    swarm_run(swarm);
}

static void a_label_that_is_gone_rejects(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    swarm_label_node(&swarm, "n0", "east");
    spec_init(&spec, "web", 2);
    spec_constraint(&spec, "node.labels.zone==east");
    swarm_create(&swarm, &spec);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 2);
    KEEP_ID(id, swarm_task(&swarm, "web", 1, 0));
    swarm_label_node(&swarm, "n1", "east");
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 2); /* that concerns nobody */
    swarm_label_node(&swarm, "n0", "west");
    const task_type *task = store_task(swarm.world.store, id);
    assert_int_equal(task->status->state, STATE(REJECTED));
    assert_string_equal(task->status->message, "task rejected by constraint enforcer");
    assert_string_equal(task->status->err, "assigned node no longer meets constraints");
    assert_int_equal(task->desired_state, STATE(SHUTDOWN)); /* as of one that failed */
    swarm_pass_s(&swarm, 5);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 2);
    assert_null(swarm_task_on(&swarm, "web", "n0", STATE(RUNNING)));
    swarm_end(&swarm);
}

/* Rejected, it would count as ended while it still runs. */
static void where_slots_are_guarded_the_next_waits_for_the_stop(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    swarm_label_node(&swarm, "n0", "east");
    spec_init(&spec, "web", 1);
    spec_constraint(&spec, "node.labels.zone==east");
    spec_label(&spec, LABEL_STOP_AFTER, "30s");
    swarm_create(&swarm, &spec);
    KEEP_ID(id, swarm_task(&swarm, "web", 1, 0));
    swarm_label_node(&swarm, "n1", "east");
    swarm.stops_slowly = true;
    swarm_label_node(&swarm, "n0", "west");
    swarm_pass_s(&swarm, 10);
    const task_type *task = store_task(swarm.world.store, id);
    assert_int_equal(task->status->state, STATE(RUNNING));
    assert_int_equal(task->desired_state, STATE(SHUTDOWN));
    assert_int_equal(swarm_count(&swarm, "web", STATE(READY), STATE(READY)), 1);
    swarm.stops_slowly = false;
    swarm_pass_s(&swarm, 1);
    assert_int_equal(store_task(swarm.world.store, id)->status->state, STATE(SHUTDOWN));
    assert_non_null(swarm_task_on(&swarm, "web", "n1", STATE(RUNNING)));
    swarm_end(&swarm);
}

static void the_services_constraints_of_now_count(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    swarm_label_node(&swarm, "n0", "east");
    spec_init(&spec, "web", 1);
    spec_constraint(&spec, "node.labels.zone==east");
    swarm_create(&swarm, &spec);
    KEEP_ID(id, swarm_task(&swarm, "web", 1, 0));
    spec.constraints[0] = word("node.id==n0");
    swarm_update(&swarm, &spec);
    assert_string_equal(swarm_task(&swarm, "web", 1, 0)->id, id); /* clean: the node satisfies it */
    assert_int_equal(swarm_count(&swarm, "web", -1, -1), 1);
    swarm_label_node(&swarm, "n0", "west");
    assert_int_equal(store_task(swarm.world.store, id)->status->state, STATE(RUNNING));
    swarm_end(&swarm);
}

static void paused_and_drained_nodes_are_left_alone(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    swarm_label_node(&swarm, "n0", "east");
    spec_init(&spec, "web", 1);
    spec_constraint(&spec, "node.labels.zone==east");
    swarm_create(&swarm, &spec);
    swarm_drain(&swarm, "n0", AVAILABILITY(PAUSE));
    swarm_label_node(&swarm, "n0", "west");
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 1);
    swarm_drain(&swarm, "n0", AVAILABILITY(ACTIVE));
    assert_int_equal(swarm_count(&swarm, "web", STATE(SHUTDOWN), STATE(REJECTED)), 1);
    swarm_label_node(&swarm, "n0", "east");
    swarm_pass_s(&swarm, 5);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 1);
    swarm_drain(&swarm, "n0", AVAILABILITY(DRAIN));
    swarm_label_node(&swarm, "n0", "west");
    assert_int_equal(swarm_count(&swarm, "web", -1, STATE(REJECTED)), 1); /* the one of before */
    assert_int_equal(swarm_count(&swarm, "web", STATE(SHUTDOWN), STATE(SHUTDOWN)), 1);
    swarm_end(&swarm);
}

/* A service whose tasks reserve, and are given what they ask of generic resources. */
struct reserving {
    struct spec spec;
    Docker__Swarmkit__V1__ResourceRequirements requirements;
    Docker__Swarmkit__V1__Resources reserved;
};

static void reserve(struct reserving *of, uint64_t replicas, int64_t memory_bytes)
{
    spec_init(&of->spec, "web", replicas);
    docker__swarmkit__v1__resource_requirements__init(&of->requirements);
    docker__swarmkit__v1__resources__init(&of->reserved);
    of->reserved.memory_bytes = memory_bytes;
    of->requirements.reservations = &of->reserved;
    of->spec.task.resources = &of->requirements;
}

static void give_gpus(struct swarm *swarm, const char *task_id, int64_t count)
{
    task_type message = *store_task(swarm->world.store, task_id);
    Docker__Swarmkit__V1__GenericResource generic = DOCKER__SWARMKIT__V1__GENERIC_RESOURCE__INIT, *generics[] = {&generic};
    Docker__Swarmkit__V1__DiscreteGenericResource discrete = DOCKER__SWARMKIT__V1__DISCRETE_GENERIC_RESOURCE__INIT;
    discrete.kind = word("gpu");
    discrete.value = count;
    generic.resource_case = DOCKER__SWARMKIT__V1__GENERIC_RESOURCE__RESOURCE_DISCRETE_RESOURCE_SPEC;
    generic.discrete_resource_spec = &discrete;
    message.assigned_generic_resources = generics;
    message.n_assigned_generic_resources = 1;
    do_update(&swarm->world, &message);
}

static void reservations_that_no_longer_fit_reject_the_last(void **state)
{
    (void)state;
    struct swarm swarm;
    struct reserving of;
    swarm_begin(&swarm, 1);
    describe(&swarm, "n0", 1000, 0);
    reserve(&of, 2, 300);
    swarm_create(&swarm, &of.spec);
    of.spec.replicated.replicas = 3;
    swarm_update(&swarm, &of.spec);
    KEEP_ID(last, swarm_task(&swarm, "web", 3, 0));
    describe(&swarm, "n0", 900, 0);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 3);
    swarm.scheduler_idle = true;
    describe(&swarm, "n0", 899, 0);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 2);
    assert_int_equal(store_task(swarm.world.store, last)->status->state, STATE(REJECTED));
    assert_int_equal(swarm_count(&swarm, "web", -1, STATE(REJECTED)), 1);
    swarm_end(&swarm);
}

static void generic_resources_that_are_gone_reject(void **state)
{
    (void)state;
    struct swarm swarm;
    struct reserving of;
    swarm_begin(&swarm, 1);
    describe(&swarm, "n0", 1000, 5);
    reserve(&of, 2, 0);
    swarm_create(&swarm, &of.spec);
    KEEP_ID(first, swarm_task(&swarm, "web", 1, 0));
    KEEP_ID(second, swarm_task(&swarm, "web", 2, 0));
    give_gpus(&swarm, first, 2);
    give_gpus(&swarm, second, 2);
    describe(&swarm, "n0", 1000, 4);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 2);
    swarm.scheduler_idle = true;
    describe(&swarm, "n0", 1000, 3);
    assert_int_equal(swarm_count(&swarm, "web", -1, STATE(REJECTED)), 1);
    swarm_end(&swarm);
}

static void a_worker_does_not_keep_what_is_for_managers(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    set_role(&swarm, "n0", DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER);
    spec_init(&spec, "web", 1);
    spec_constraint(&spec, "node.role==manager");
    swarm_create(&swarm, &spec);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 1);
    set_role(&swarm, "n0", DOCKER__SWARMKIT__V1__NODE_ROLE__WORKER);
    assert_int_equal(swarm_count(&swarm, "web", STATE(SHUTDOWN), STATE(REJECTED)), 1);
    swarm_end(&swarm);
}

static void tasks_of_no_service_go_by_their_own_constraints(void **state)
{
    (void)state;
    struct swarm swarm;
    Docker__Swarmkit__V1__Placement placement = DOCKER__SWARMKIT__V1__PLACEMENT__INIT;
    char *constraints[] = {word("node.labels.zone==east")};
    swarm_begin(&swarm, 1);
    swarm_label_node(&swarm, "n0", "east");
    task_type *message = task("t", "", 0, "n0", STATE(RUNNING));
    message->status->state = STATE(RUNNING);
    placement.constraints = constraints;
    placement.n_constraints = 1;
    message->spec->placement = &placement;
    do_create(&swarm.world, message);
    swarm_run(&swarm);
    swarm_label_node(&swarm, "n0", "east");
    assert_int_equal(store_task(swarm.world.store, "t")->status->state, STATE(RUNNING));
    swarm_label_node(&swarm, "n0", "west");
    assert_int_equal(store_task(swarm.world.store, "t")->status->state, STATE(REJECTED));
    swarm_end(&swarm);
}

static void what_has_ended_or_is_to_end_is_left_alone(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    swarm_label_node(&swarm, "n0", "east");
    spec_init(&spec, "web", 2);
    spec_constraint(&spec, "node.labels.zone==east");
    spec_restart(&spec, RESTART_NONE, 0, 0);
    swarm_create(&swarm, &spec);
    KEEP_ID(ended, swarm_task(&swarm, "web", 1, 0));
    swarm_set_state(&swarm, ended, STATE(FAILED));
    swarm.stops_slowly = true;
    swarm_remove(&swarm, "web");
    swarm_label_node(&swarm, "n0", "west");
    assert_int_equal(swarm_count(&swarm, "web", -1, STATE(REJECTED)), 0);
    assert_int_equal(swarm_count(&swarm, "web", STATE(REMOVE), STATE(RUNNING)), 1);
    swarm_end(&swarm);
}

static void what_a_job_completed_stays_complete(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    swarm.jobs_complete = true;
    swarm_label_node(&swarm, "n0", "east");
    spec_init(&spec, "job", 0);
    spec_constraint(&spec, "node.labels.zone==east");
    spec.spec.mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED_JOB;
    spec.spec.replicated_job = &spec.replicated_job;
    spec.replicated_job.max_concurrent = spec.replicated_job.total_completions = 1;
    swarm_create(&swarm, &spec);
    swarm_label_node(&swarm, "n0", "west");
    assert_int_equal(swarm_count(&swarm, "job", STATE(COMPLETE), STATE(COMPLETE)), 1);
    assert_int_equal(swarm_count(&swarm, "job", -1, -1), 1);
    swarm_end(&swarm);
}

static void more_than_one_transaction_takes_are_all_rejected(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    swarm_label_node(&swarm, "n0", "east");
    spec_init(&spec, "web", 2 * STORE_ACTIONS_COUNT + 50);
    spec_constraint(&spec, "node.labels.zone==east");
    spec_restart(&spec, RESTART_NONE, 0, 0);
    swarm_create(&swarm, &spec);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 2 * STORE_ACTIONS_COUNT + 50);
    swarm_label_node(&swarm, "n0", "west");
    assert_int_equal(swarm_count(&swarm, "web", STATE(SHUTDOWN), STATE(REJECTED)), 2 * STORE_ACTIONS_COUNT + 50);
    swarm_end(&swarm);
}

/* The nodes change while nobody leads, and the store refuses at first. */
static void the_next_leader_looks_at_every_node_and_does_not_give_up(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    swarm_label_node(&swarm, "n1", "east");
    spec_init(&spec, "web", 1);
    spec_constraint(&spec, "node.labels.zone==east");
    swarm_create(&swarm, &spec);
    swarm_stop_parts(&swarm);
    node_type message = *store_node(swarm.world.store, "n1");
    Docker__Swarmkit__V1__NodeSpec bare = *message.spec;
    bare.annotations = NULL;
    message.spec = &bare;
    do_update(&swarm.world, &message);
    swarm_start_parts(&swarm);
    swarm.world.refuses = ERR_UNAVAILABLE;
    for (size_t i = 0; i < swarm.parts_count; i++)
        swarm.parts[i].step(swarm.parts[i].self, swarm.now_ns);
    world_settle(&swarm.world);
    swarm.world.refuses = 0;
    swarm_run(&swarm);
    assert_int_equal(swarm_count(&swarm, "web", -1, STATE(REJECTED)), 0);
    swarm_pass_ms(&swarm, ORCHESTRATOR_RETRY_MS);
    assert_int_equal(swarm_count(&swarm, "web", -1, STATE(REJECTED)), 1);
    swarm_end(&swarm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_label_that_is_gone_rejects),
        cmocka_unit_test(where_slots_are_guarded_the_next_waits_for_the_stop),
        cmocka_unit_test(the_services_constraints_of_now_count),
        cmocka_unit_test(paused_and_drained_nodes_are_left_alone),
        cmocka_unit_test(reservations_that_no_longer_fit_reject_the_last),
        cmocka_unit_test(generic_resources_that_are_gone_reject),
        cmocka_unit_test(a_worker_does_not_keep_what_is_for_managers),
        cmocka_unit_test(tasks_of_no_service_go_by_their_own_constraints),
        cmocka_unit_test(what_has_ended_or_is_to_end_is_left_alone),
        cmocka_unit_test(what_a_job_completed_stays_complete),
        cmocka_unit_test(more_than_one_transaction_takes_are_all_rejected),
        cmocka_unit_test(the_next_leader_looks_at_every_node_and_does_not_give_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
