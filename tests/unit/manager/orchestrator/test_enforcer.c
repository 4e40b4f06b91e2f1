/* Tasks leave nodes that no longer satisfy what they ask for. */
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

static void a_label_that_is_gone_rejects(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 2);
    swarm_label_node(&swarm, "n0", "east");
    spec_init(&spec, "web", 2);
    spec_constraint(&spec, "label=east");
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

static void the_services_constraints_of_now_count(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    swarm_begin(&swarm, 1);
    swarm_label_node(&swarm, "n0", "east");
    spec_init(&spec, "web", 1);
    spec_constraint(&spec, "label=east");
    swarm_create(&swarm, &spec);
    KEEP_ID(id, swarm_task(&swarm, "web", 1, 0));
    spec.constraints[0] = word("n0");
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
    spec_constraint(&spec, "label=east");
    swarm_create(&swarm, &spec);
    swarm_drain(&swarm, "n0", AVAILABILITY(PAUSE));
    swarm_label_node(&swarm, "n0", "west");
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 1);
    swarm_drain(&swarm, "n0", AVAILABILITY(ACTIVE));
    assert_int_equal(swarm_count(&swarm, "web", -1, STATE(REJECTED)), 1);
    swarm_end(&swarm);
}

static void reservations_that_no_longer_fit_reject(void **state)
{
    (void)state;
    struct swarm swarm;
    struct spec spec;
    Docker__Swarmkit__V1__ResourceRequirements requirements = DOCKER__SWARMKIT__V1__RESOURCE_REQUIREMENTS__INIT;
    Docker__Swarmkit__V1__Resources reserved = DOCKER__SWARMKIT__V1__RESOURCES__INIT;
    Docker__Swarmkit__V1__GenericResource generic = DOCKER__SWARMKIT__V1__GENERIC_RESOURCE__INIT, *generics[] = {&generic};
    Docker__Swarmkit__V1__DiscreteGenericResource discrete = DOCKER__SWARMKIT__V1__DISCRETE_GENERIC_RESOURCE__INIT;
    swarm_begin(&swarm, 1);
    describe(&swarm, "n0", 1000, 4);
    spec_init(&spec, "web", 3);
    reserved.memory_bytes = 300;
    requirements.reservations = &reserved;
    spec.task.resources = &requirements;
    swarm_create(&swarm, &spec);
    describe(&swarm, "n0", 900, 4);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 3);
    swarm.scheduler_idle = true;
    describe(&swarm, "n0", 899, 4);
    assert_int_equal(swarm_count(&swarm, "web", -1, STATE(REJECTED)), 1);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 2);
    swarm_remove(&swarm, "web");
    swarm_pass_s(&swarm, 1);
    swarm.scheduler_idle = false;
    discrete.kind = word("gpu");
    discrete.value = 2;
    generic.resource_case = DOCKER__SWARMKIT__V1__GENERIC_RESOURCE__RESOURCE_DISCRETE_RESOURCE_SPEC;
    generic.discrete_resource_spec = &discrete;
    reserved.generic = generics;
    reserved.n_generic = 1;
    reserved.memory_bytes = 0;
    spec.replicated.replicas = 2;
    swarm_create(&swarm, &spec);
    describe(&swarm, "n0", 899, 5);
    assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 2);
    swarm.scheduler_idle = true;
    describe(&swarm, "n0", 899, 3);
    assert_int_equal(swarm_count(&swarm, "web", -1, STATE(REJECTED)), 1);
    swarm_end(&swarm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_label_that_is_gone_rejects),
        cmocka_unit_test(the_services_constraints_of_now_count),
        cmocka_unit_test(paused_and_drained_nodes_are_left_alone),
        cmocka_unit_test(reservations_that_no_longer_fit_reject),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
