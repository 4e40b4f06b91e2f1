/* tests/unit/manager/scheduler/test_part.c – what comes of the scheduler's decisions in the store, when nobody interferes. */
#include "tests/unit/manager/scheduler/part_fixture.h"

static Task *big(struct trial *trial, const char *service_id, const char *id)
{
    Task *made = task_make(&trial->make, service_id, id);
    task_reserve(made, 3 * CPU, 0);
    return made;
}

static void a_pending_task_is_assigned(void **state)
{
    static struct trial trial;
    (void)state;
    trial_begin(&trial);
    put_node(&trial, node_make(&trial.make, "n1"));
    Task *made = task_make(&trial.make, "web", "t1");
    made->status->message = swarm_copy(&trial.make, "pending task scheduling");
    made->status->err = swarm_copy(&trial.make, "no suitable node");
    put_task(&trial, made);
    trial.world.wall_ns += 5;
    trial_pass_ms(&trial, 20);
    const Task *got = task_of(&trial, "t1");
    assert_int_equal(got->status->state, ASSIGNED);
    assert_string_equal(got->node_id, "n1");
    assert_string_equal(got->status->message, "scheduler assigned task to node");
    assert_string_equal(got->status->err, "");
    int64_t at_ns = message_timestamp_ns(got->status->timestamp, 0);
    assert_true(at_ns > 0 && at_ns <= trial.world.wall_ns && at_ns >= trial.world.wall_ns - 20 * (int64_t)NS_PER_MS);
    assert_int_equal(got->n_assigned_generic_resources, 0);
    assert_true(got->annotations == NULL || got->annotations->n_labels == 0); /* the node says nothing of isolation */
    assert_string_equal(got->spec->container->image, "app:1");
    assert_true(trial_deadline(&trial) == PART_NEVER);
    trial_end(&trial);
}

static void tasks_are_spread(void **state)
{
    static struct trial trial;
    (void)state;
    trial_begin(&trial);
    for (size_t i = 0; i < 3; i++)
        put_node(&trial, node_make(&trial.make, arena_format(&trial.make.arena, "n%zu", i)));
    put_tasks(&trial, "web", 9, 0);
    trial_pass_ms(&trial, 20);
    assert_int_equal(placed_on(&trial, "n0"), 3);
    assert_int_equal(placed_on(&trial, "n1"), 3);
    assert_int_equal(placed_on(&trial, "n2"), 3);
    put_tasks(&trial, "more", 3, 0); /* with regard to what is there */
    trial_pass_ms(&trial, 20);
    assert_int_equal(placed_on(&trial, "n0"), 4);
    assert_int_equal(placed_on(&trial, "n1"), 4);
    assert_int_equal(placed_on(&trial, "n2"), 4);
    trial_end(&trial);
}

static void a_refusal_is_told_once_and_cleared(void **state)
{
    static struct trial trial;
    (void)state;
    trial_begin(&trial);
    put_task(&trial, big(&trial, "web", "t1"));
    trial_pass_ms(&trial, 20);
    assert_int_equal(task_of(&trial, "t1")->status->state, PENDING);
    assert_string_equal(task_of(&trial, "t1")->status->err, "no suitable node");

    Node *small = node_make(&trial.make, "small");
    small->description->resources->nano_cpus = CPU;
    put_node(&trial, small);
    trial_pass_ms(&trial, SCHEDULER_EXPLAIN_MS + 20);
    assert_string_equal(task_of(&trial, "t1")->status->err, "no suitable node (insufficient resources on 1 node)");
    const struct scheduler_explanation *why = scheduler_part_explain(scheduler_of(&trial), "t1");
    assert_non_null(why);
    assert_string_equal(why->text, "no suitable node (insufficient resources on 1 node)");
    assert_int_equal(why->refusal_count, 1);
    assert_int_equal(why->refusals[0].filter, SCHEDULER_FILTER_RESOURCE);
    assert_int_equal(why->refusals[0].node_count, 1);
    assert_string_equal(why->refusals[0].nodes[0], "small");
    assert_non_null(strstr(why->refusals[0].wanted, "3"));
    assert_null(scheduler_part_explain(scheduler_of(&trial), "nobody"));

    struct scheduler_refused refused = scheduler_part_refused(scheduler_of(&trial));
    assert_int_equal(refused.tasks, 2); /* without nodes there is no filter to blame */
    assert_int_equal(refused.by_filter[SCHEDULER_FILTER_RESOURCE], 1);
    assert_int_equal(refused.by_filter[SCHEDULER_FILTER_READY], 0);

    uint64_t version = version_of(&trial, "t1");
    for (size_t i = 0; i < 20; i++) { /* what changes nothing for it */
        small->status->message = arena_format(&trial.make.arena, "%zu", i);
        put_node(&trial, small);
        trial_pass_ms(&trial, 5000);
    }
    assert_int_equal(version_of(&trial, "t1"), version);

    put_node(&trial, node_make(&trial.make, "large"));
    trial_pass_ms(&trial, 20);
    assert_string_equal(place_of(&trial, "t1"), "large");
    assert_string_equal(task_of(&trial, "t1")->status->err, "");
    assert_null(scheduler_part_explain(scheduler_of(&trial), "t1"));
    trial_end(&trial);
}

static void generic_resources_are_written_down(void **state)
{
    static struct trial trial;
    (void)state;
    trial_begin(&trial);
    Node *made = node_make(&trial.make, "n1");
    node_generic(&trial.make, made, named(&trial.make, "gpu", "red"));
    node_generic(&trial.make, made, named(&trial.make, "gpu", "blue"));
    node_generic(&trial.make, made, discrete(&trial.make, "ssd", 4));
    put_node(&trial, made);
    Task *first = task_make(&trial.make, "web", "t1"), *second = task_make(&trial.make, "web", "t2");
    Task *const both[] = {first, second};
    for (size_t i = 0; i < 2; i++) {
        task_generic(&trial.make, both[i], discrete(&trial.make, "gpu", 1));
        task_generic(&trial.make, both[i], discrete(&trial.make, "ssd", 2));
        put_task(&trial, both[i]);
    }
    trial_pass_ms(&trial, 20);
    const char *gpus[2] = {NULL, NULL};
    for (size_t i = 0; i < 2; i++) {
        const Task *got = task_of(&trial, both[i]->id);
        assert_int_equal(got->status->state, ASSIGNED);
        assert_int_equal(got->n_assigned_generic_resources, 2);
        for (size_t k = 0; k < 2; k++) {
            const Docker__Swarmkit__V1__GenericResource *generic = got->assigned_generic_resources[k];
            if (generic->resource_case == DOCKER__SWARMKIT__V1__GENERIC_RESOURCE__RESOURCE_NAMED_RESOURCE_SPEC) {
                assert_string_equal(generic->named_resource_spec->kind, "gpu");
                gpus[i] = generic->named_resource_spec->value;
            } else {
                assert_string_equal(generic->discrete_resource_spec->kind, "ssd");
                assert_int_equal(generic->discrete_resource_spec->value, 2);
            }
        }
        assert_non_null(gpus[i]);
    }
    assert_string_not_equal(gpus[0], gpus[1]);
    trial_end(&trial);
}

/* The node says what it can; what it will choose stands beside the spec. */
static void isolation_is_written_down_where_the_node_reports_it(void **state)
{
    static struct trial trial;
    (void)state;
    trial_begin(&trial);
    Node *made = node_make(&trial.make, "n1");
    engine_label(&trial.make, made, "skep.isolation.process", "true");
    engine_label(&trial.make, made, "skep.isolation.hyperv", "true");
    engine_label(&trial.make, made, "skep.isolation.default", "process");
    put_node(&trial, made);
    Task *plain = task_make(&trial.make, "web", "plain"), *apart = task_make(&trial.make, "vm", "apart");
    apart->spec->container->isolation = DOCKER__SWARMKIT__V1__CONTAINER_SPEC__ISOLATION__ISOLATION_HYPERV;
    apart->annotations = MAKE(&trial.make, Docker__Swarmkit__V1__Annotations, docker__swarmkit__v1__annotations);
    apart->annotations->name = swarm_copy(&trial.make, "vm.1");
    static const char *const had[][2] = {{"skep.isolation", "process"}, {"kept", "yes"}}; /* of ours, the newest counts */
    for (size_t i = 0; i < 2; i++) {
        Docker__Swarmkit__V1__Annotations__LabelsEntry *label =
            MAKE(&trial.make, Docker__Swarmkit__V1__Annotations__LabelsEntry, docker__swarmkit__v1__annotations__labels_entry);
        label->key = swarm_copy(&trial.make, had[i][0]);
        label->value = swarm_copy(&trial.make, had[i][1]);
        APPEND(&trial.make, apart->annotations->labels, apart->annotations->n_labels, label);
    }
    put_task(&trial, plain);
    put_task(&trial, apart);
    trial_pass_ms(&trial, 20);
    const Docker__Swarmkit__V1__Annotations *got = task_of(&trial, "plain")->annotations;
    assert_int_equal(got->n_labels, 1);
    assert_string_equal(got->labels[0]->key, "skep.isolation");
    assert_string_equal(got->labels[0]->value, "process");
    assert_int_equal(task_of(&trial, "plain")->spec->container->isolation, 0); /* as the service asked for */
    got = task_of(&trial, "apart")->annotations;
    assert_string_equal(got->name, "vm.1");
    assert_int_equal(got->n_labels, 2);
    assert_string_equal(got->labels[0]->key, "kept");
    assert_string_equal(got->labels[1]->key, "skep.isolation");
    assert_string_equal(got->labels[1]->value, "hyperv");
    trial_end(&trial);
}

static void preassigned_tasks_are_confirmed_or_told_why_not(void **state)
{
    static struct trial trial;
    (void)state;
    trial_begin(&trial);
    put_node(&trial, node_make(&trial.make, "n1"));
    put_node(&trial, node_drained(&trial, "n2"));
    const char *const nodes[] = {"n1", "n2", "n3"};
    for (size_t i = 0; i < 3; i++) {
        Task *made = big(&trial, "global", nodes[i]);
        made->node_id = swarm_copy(&trial.make, nodes[i]);
        put_task(&trial, made);
    }
    trial_pass_ms(&trial, 20);
    assert_int_equal(task_of(&trial, "n1")->status->state, ASSIGNED);
    assert_string_equal(task_of(&trial, "n1")->node_id, "n1");
    assert_string_equal(task_of(&trial, "n1")->status->message, "scheduler confirmed task can run on preassigned node");
    assert_int_equal(task_of(&trial, "n2")->status->state, PENDING);
    assert_string_equal(task_of(&trial, "n2")->status->err, "1 node not available for new tasks"); /* SwarmKit's shorter text */
    assert_string_equal(scheduler_part_explain(scheduler_of(&trial), "n2")->text, "1 node not available for new tasks");
    assert_int_equal(task_of(&trial, "n3")->status->state, PENDING); /* its node does not exist */
    assert_string_equal(task_of(&trial, "n3")->status->err, "");

    put_task(&trial, big(&trial, "web", "t1")); /* n1 has no room beside the confirmed one */
    trial_pass_ms(&trial, 20);
    assert_string_equal(place_of(&trial, "t1"), "(nowhere)");
    put_node(&trial, node_make(&trial.make, "n2"));
    put_node(&trial, node_make(&trial.make, "n3"));
    trial_pass_ms(&trial, 20);
    assert_string_equal(place_of(&trial, "n2"), "n2");
    assert_string_equal(task_of(&trial, "n2")->status->err, "");
    assert_string_equal(place_of(&trial, "n3"), "n3");
    trial_end(&trial);
}

static void what_was_stopped_before_it_was_placed_is_over(void **state)
{
    static struct trial trial;
    (void)state;
    trial_begin(&trial);
    Task *made = task_make(&trial.make, "web", "t1");
    made->status->message = swarm_copy(&trial.make, "pending task scheduling");
    put_task(&trial, made);
    trial_pass_ms(&trial, 20);
    made->desired_state = (Docker__Swarmkit__V1__TaskState)SHUTDOWN;
    made->status->err = swarm_copy(&trial.make, "no suitable node");
    put_task(&trial, made);
    trial_pass_ms(&trial, 20);
    assert_int_equal(task_of(&trial, "t1")->status->state, SHUTDOWN);
    assert_string_equal(task_of(&trial, "t1")->status->err, "");
    assert_string_equal(task_of(&trial, "t1")->status->message, "pending task scheduling");
    assert_string_equal(task_of(&trial, "t1")->node_id, "");
    assert_int_equal(scheduler_part_count(scheduler_of(&trial)).tasks, 0);
    trial_end(&trial);
}

static void a_thousand_tasks_go_in_few_entries(void **state)
{
    static struct trial trial;
    (void)state;
    trial_begin(&trial);
    for (size_t i = 0; i < 8; i++)
        put_node(&trial, node_make(&trial.make, arena_format(&trial.make.arena, "n%zu", i)));
    put_tasks(&trial, "web", 1000, 1000000);
    int before = trial.world.entries_count;
    trial_pass_ms(&trial, 20);
    assert_int_equal(trial.world.entries_count - before, 1000 / STORE_ACTIONS_COUNT);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(placed_on(&trial, arena_format(&trial.make.arena, "n%zu", i)), 125);
    assert_int_equal(scheduler_part_count(scheduler_of(&trial)).pending_tasks, 0);
    trial_pass_ms(&trial, 60000);
    assert_int_equal(trial.world.entries_count - before, 1000 / STORE_ACTIONS_COUNT);
    trial_end(&trial);
}

/* What is decided in one step is bounded, and so is what is on its way while the store does not get on. */
static void what_is_on_its_way_is_bounded(void **state)
{
    static struct trial trial;
    enum { MOST = SCHEDULER_WRITES_COUNT * STORE_ACTIONS_COUNT, COUNT = MOST + SCHEDULER_RUN_COUNT };
    (void)state;
    trial_begin(&trial);
    put_node(&trial, node_make(&trial.make, "n1"));
    put_tasks(&trial, "web", COUNT, 0);
    trial_decide(&trial);
    for (size_t decided = SCHEDULER_RUN_COUNT; decided < MOST; decided += SCHEDULER_RUN_COUNT) {
        assert_int_equal(scheduler_part_count(scheduler_of(&trial)).pending_tasks, COUNT - decided);
        assert_true(trial_deadline(&trial) <= trial.now_ns); /* it goes on at once */
        trial_step(&trial);
    }
    assert_true(trial_deadline(&trial) == PART_NEVER);
    trial_step(&trial);
    assert_int_equal(scheduler_part_count(scheduler_of(&trial)).pending_tasks, COUNT - MOST);
    world_run(&trial.world);
    world_commit(&trial.world);
    assert_true(trial.is_woken);
    trial_rest(&trial);
    assert_int_equal(placed_on(&trial, "n1"), COUNT);
    trial_end(&trial);
}

/* Tasks with long specs: fewer in a transaction, as the log takes no more. */
static void long_tasks_go_in_more_entries(void **state)
{
    static struct trial trial;
    enum { COUNT = 40, SIZE = 100000 };
    struct write_of write;
    (void)state;
    trial_begin(&trial);
    put_node(&trial, node_make(&trial.make, "n1"));
    char *text = arena_alloc(&trial.make.arena, SIZE + 1);
    memset(text, 'x', SIZE);
    for (size_t i = 0; i < COUNT; i++) {
        Task *made = task_make(&trial.make, "web", arena_format(&trial.make.arena, "t%zu", i));
        made->spec->container->hostname = text;
        write = (struct write_of){.change = CREATE, .message = &made->base};
        ask(&trial.world, &write);
        world_settle(&trial.world);
        assert_int_equal(write.err.code, 0);
    }
    int before = trial.world.entries_count;
    trial_pass_ms(&trial, 20);
    assert_int_equal(placed_on(&trial, "n1"), COUNT);
    assert_in_range(trial.world.entries_count - before, COUNT * SIZE / STORE_ENTRY_SIZE_BYTES, 5);
    trial_end(&trial);
}

static void changes_are_collected_for_a_moment(void **state)
{
    static struct trial trial;
    (void)state;
    trial_begin(&trial);
    put_node(&trial, node_make(&trial.make, "n1"));
    trial_pass_ms(&trial, 1000);
    int before = trial.world.entries_count;
    put_task(&trial, task_make(&trial.make, "web", "t1"));
    trial_pass_ms(&trial, SCHEDULER_COLLECT_MS - 1);
    put_task(&trial, task_make(&trial.make, "web", "t2"));
    trial_pass_ms(&trial, SCHEDULER_COLLECT_MS - 1);
    assert_string_equal(place_of(&trial, "t1"), "(nowhere)");
    trial_pass_ms(&trial, 1);
    assert_string_equal(place_of(&trial, "t1"), "n1");
    assert_string_equal(place_of(&trial, "t2"), "n1");
    assert_int_equal(trial.world.entries_count - before, 3);

    trial_pass_ms(&trial, 1000);
    put_task(&trial, task_make(&trial.make, "web", "t3"));
    trial_rest(&trial);
    uint64_t begun_ns = trial.now_ns;
    for (size_t i = 0; strcmp(place_of(&trial, "t3"), "n1") != 0; i++) { /* it never is quiet */
        assert_true(i < SCHEDULER_COLLECT_MOST_MS);
        put_task(&trial, task_make(&trial.make, "other", arena_format(&trial.make.arena, "o%zu", i)));
        trial_pass_ms(&trial, 1);
    }
    assert_int_equal((trial.now_ns - begun_ns) / NS_PER_MS, SCHEDULER_COLLECT_MOST_MS);
    trial_end(&trial);
}

static void the_next_leader_goes_on(void **state)
{
    static struct trial trial;
    (void)state;
    trial_begin(&trial);
    put_node(&trial, node_make(&trial.make, "n1"));
    put_task(&trial, big(&trial, "web", "t1"));
    put_task(&trial, big(&trial, "web", "t2"));
    trial_pass_ms(&trial, 20);
    const char *left = strcmp(place_of(&trial, "t1"), "n1") == 0 ? "t2" : "t1";
    assert_int_equal(placed_on(&trial, "n1"), 1);
    assert_string_equal(task_of(&trial, left)->status->err, "no suitable node (insufficient resources on 1 node)");
    uint64_t version = version_of(&trial, left);

    trial_stop_part(&trial);
    put_task(&trial, task_make(&trial.make, "small", "meanwhile"));
    trial_start_part(&trial);
    trial_pass_ms(&trial, 60000);
    assert_string_equal(place_of(&trial, "meanwhile"), "n1");
    assert_int_equal(version_of(&trial, left), version); /* it knows already */
    assert_string_equal(scheduler_part_explain(scheduler_of(&trial), left)->text, "no suitable node (insufficient resources on 1 node)");
    put_node(&trial, node_make(&trial.make, "n2"));
    trial_pass_ms(&trial, 20);
    assert_string_equal(place_of(&trial, left), "n2");
    trial_end(&trial);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pending_task_is_assigned),
        cmocka_unit_test(tasks_are_spread),
        cmocka_unit_test(a_refusal_is_told_once_and_cleared),
        cmocka_unit_test(generic_resources_are_written_down),
        cmocka_unit_test(isolation_is_written_down_where_the_node_reports_it),
        cmocka_unit_test(preassigned_tasks_are_confirmed_or_told_why_not),
        cmocka_unit_test(what_was_stopped_before_it_was_placed_is_over),
        cmocka_unit_test(a_thousand_tasks_go_in_few_entries),
        cmocka_unit_test(what_is_on_its_way_is_bounded),
        cmocka_unit_test(long_tasks_go_in_more_entries),
        cmocka_unit_test(changes_are_collected_for_a_moment),
        cmocka_unit_test(the_next_leader_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
