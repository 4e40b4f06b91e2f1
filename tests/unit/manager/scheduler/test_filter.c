/* tests/unit/manager/scheduler/test_filter.c – each filter that follows what tasks take: ready, resources, ports, replicas a node. */
#include "tests/unit/manager/scheduler/swarm.h"

static void only_ready_and_active_nodes(void **state)
{
    static const struct {
        Docker__Swarmkit__V1__NodeStatus__State state;
        Docker__Swarmkit__V1__NodeSpec__Availability availability;
        bool takes;
        const char *details;
    } rows[] = {
        {DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__READY, DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__ACTIVE, true, ""},
        {DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__READY, DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__PAUSE, false,
         "got availability pause; docker node update --availability active n1"},
        {DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__READY, DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__DRAIN, false,
         "got availability drain"},
        {DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__DOWN, DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__ACTIVE, false, "got down"},
        {DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__DISCONNECTED, DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__ACTIVE, false,
         "got disconnected"},
        {DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__UNKNOWN, DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__ACTIVE, false,
         "got not heard of yet"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        static struct swarm swarm;
        swarm_init(&swarm);
        Node *node = node_make(&swarm, "n1");
        node->status->state = rows[i].state;
        node->spec->availability = rows[i].availability;
        node_set(&swarm, node);
        task_set(&swarm, task_make(&swarm, "s", "t"));
        swarm_run(&swarm);
        if (rows[i].takes) {
            assert_string_equal(swarm_node_of(&swarm, "t"), "n1");
        } else {
            assert_string_equal(swarm_text_of(&swarm, "t"), "no suitable node (1 node not available for new tasks)");
            assert_details(&swarm, "t", rows[i].details);
        }
        swarm_deinit(&swarm);
    }
}

static void reservations_fill_a_node(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    node_set(&swarm, node_make(&swarm, "n1")); /* 4 CPUs, 8 GiB */
    for (size_t i = 0; i < 5; i++) {
        Task *task = task_make(&swarm, "s", arena_format(&swarm.arena, "t%zu", i));
        task_reserve(task, CPU, 2 * GB - 1);
        task_set(&swarm, task);
    }
    Task *free_of_charge = task_make(&swarm, "free", "f");
    task_set(&swarm, free_of_charge);
    swarm_run(&swarm);
    assert_int_equal(swarm_placed_on(&swarm, "n1"), 5); /* four of them, and the one without reservations */
    assert_string_equal(swarm_node_of(&swarm, "f"), "n1");
    assert_string_equal(swarm_text_of(&swarm, "t4"), "no suitable node (insufficient resources on 1 node)");
    assert_details(&swarm, "t4", "wanted cpu: 1 CPU; got 0 CPU free; free 1 CPU on n1");
    swarm_deinit(&swarm);
}

/* What counts is what the tasks on a node reserve while they have not ended, whatever is desired of them. */
static void a_stopping_task_still_holds_its_resources(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    node_set(&swarm, node_make(&swarm, "n1"));
    Task *old = task_make(&swarm, "s", "old");
    task_reserve(old, 4 * CPU, 0);
    old->desired_state = (Docker__Swarmkit__V1__TaskState)SHUTDOWN;
    task_state(&swarm, old, "n1", RUNNING);
    Task *new = task_make(&swarm, "s", "new");
    task_reserve(new, 1, 0);
    task_set(&swarm, new);
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "new"), "(nowhere)");
    task_state(&swarm, old, "n1", SHUTDOWN);
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "new"), "n1");
    swarm_deinit(&swarm);
}

static void discrete_generic_resources_are_counted(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    Node *node = node_make(&swarm, "n1");
    node_generic(&swarm, node, discrete(&swarm, "ssd", 3));
    node_set(&swarm, node);
    Task *a = task_make(&swarm, "a", "a"), *b = task_make(&swarm, "b", "b"), *c = task_make(&swarm, "c", "c");
    task_generic(&swarm, a, discrete(&swarm, "ssd", 2));
    task_generic(&swarm, b, discrete(&swarm, "ssd", 2));
    task_generic(&swarm, c, discrete(&swarm, "gpu", 1));
    task_set(&swarm, a);
    task_set(&swarm, b);
    task_set(&swarm, c);
    swarm_run(&swarm);
    const struct decided *decided = swarm_of(&swarm, "a");
    assert_string_equal(decided->node, "n1");
    assert_int_equal(decided->generic_count, 1);
    assert_string_equal(decided->generics[0].kind, "ssd");
    assert_null(decided->generics[0].value);
    assert_int_equal(decided->generics[0].amount, 2);
    assert_details(&swarm, "b", "wanted ssd: 2; got 1 free; reserve at most 1, or add a node with 2");
    assert_details(&swarm, "c", "wanted gpu: 1; got 0 free; add a node with 1");
    scheduler_task_remove(swarm.scheduler, "a");
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "b"), "n1");
    swarm_deinit(&swarm);
}

static void named_generic_resources_are_chosen(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    Node *node = node_make(&swarm, "n1");
    node_generic(&swarm, node, named(&swarm, "gpu", "red"));
    node_generic(&swarm, node, named(&swarm, "gpu", "green"));
    node_generic(&swarm, node, named(&swarm, "gpu", "blue"));
    node_set(&swarm, node);
    Task *running = task_make(&swarm, "r", "r"); /* another manager gave it green */
    task_generic(&swarm, running, discrete(&swarm, "gpu", 1));
    APPEND(&swarm, running->assigned_generic_resources, running->n_assigned_generic_resources, named(&swarm, "gpu", "green"));
    task_state(&swarm, running, "n1", RUNNING);
    Task *a = task_make(&swarm, "a", "a"), *b = task_make(&swarm, "b", "b");
    task_generic(&swarm, a, discrete(&swarm, "gpu", 2));
    task_generic(&swarm, b, discrete(&swarm, "gpu", 1));
    task_set(&swarm, a);
    swarm_run(&swarm);
    const struct decided *decided = swarm_of(&swarm, "a");
    assert_int_equal(decided->generic_count, 2);
    assert_string_equal(decided->generics[0].value, "red");
    assert_string_equal(decided->generics[1].value, "blue");
    task_set(&swarm, b);
    swarm_run(&swarm);
    assert_string_equal(swarm_text_of(&swarm, "b"), "no suitable node (insufficient resources on 1 node)");

    /* As the store has it afterwards: nothing changes. Then the first one ends, and its value is given again. */
    APPEND(&swarm, a->assigned_generic_resources, a->n_assigned_generic_resources, named(&swarm, "gpu", "blue"));
    APPEND(&swarm, a->assigned_generic_resources, a->n_assigned_generic_resources, named(&swarm, "gpu", "red"));
    task_state(&swarm, a, "n1", ASSIGNED);
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "b"), "(nowhere)");
    task_state(&swarm, running, "n1", COMPLETE);
    swarm_run(&swarm);
    assert_string_equal(swarm_of(&swarm, "b")->generics[0].value, "green");
    swarm_deinit(&swarm);
}

static void a_task_may_only_ask_for_a_number(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    Node *node = node_make(&swarm, "n1");
    node_generic(&swarm, node, named(&swarm, "gpu", "red"));
    node_set(&swarm, node);
    Task *task = task_make(&swarm, "s", "t");
    task_generic(&swarm, task, named(&swarm, "gpu", "red"));
    task_set(&swarm, task);
    swarm_run(&swarm);
    assert_string_equal(swarm_text_of(&swarm, "t"), "no suitable node (insufficient resources on 1 node)");
    swarm_deinit(&swarm);
}

static void host_ports_do_not_clash(void **state)
{
    static struct swarm swarm;
    const Docker__Swarmkit__V1__PortConfig__Protocol tcp = DOCKER__SWARMKIT__V1__PORT_CONFIG__PROTOCOL__TCP,
                                                     udp = DOCKER__SWARMKIT__V1__PORT_CONFIG__PROTOCOL__UDP;
    (void)state;
    swarm_init(&swarm);
    node_set(&swarm, node_make(&swarm, "n1"));
    Task *first = task_make(&swarm, "a", "first"), *clash = task_make(&swarm, "b", "clash"),
         *other = task_make(&swarm, "c", "other-protocol"), *any = task_make(&swarm, "d", "any-port"),
         *any2 = task_make(&swarm, "d", "any-port-2"), *ingress = task_make(&swarm, "e", "ingress");
    task_port(&swarm, first, tcp, 8080, true);
    task_port(&swarm, clash, tcp, 9090, true);
    task_port(&swarm, clash, tcp, 8080, true);
    task_port(&swarm, other, udp, 8080, true);
    task_port(&swarm, any, tcp, 0, true);
    task_port(&swarm, any2, tcp, 0, true);
    task_port(&swarm, ingress, tcp, 8080, false);
    task_set(&swarm, first);
    swarm_run(&swarm);
    Task *const tasks[] = {clash, other, any, any2, ingress};
    for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++)
        task_set(&swarm, tasks[i]);
    swarm_run(&swarm);
    assert_int_equal(swarm_placed_on(&swarm, "n1"), 4);
    assert_string_equal(swarm_text_of(&swarm, "clash"), "no suitable node (host-mode port already in use on 1 node)");
    assert_details(&swarm, "clash", "wanted port 8080/tcp; got in use by another task");
    task_state(&swarm, first, "n1", FAILED);
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "clash"), "n1");
    swarm_deinit(&swarm);
}

static void replicas_on_a_node_are_bounded(void **state)
{
    static struct swarm swarm;
    Task *tasks[5];
    (void)state;
    swarm_init(&swarm);
    node_set(&swarm, node_make(&swarm, "n1"));
    node_set(&swarm, node_make(&swarm, "n2"));
    for (size_t i = 0; i < 5; i++) {
        tasks[i] = task_make(&swarm, "s", arena_format(&swarm.arena, "t%zu", i));
        tasks[i]->spec->placement->max_replicas = 2;
        task_set(&swarm, tasks[i]);
    }
    swarm_run(&swarm);
    assert_int_equal(swarm_placed_on(&swarm, "n1"), 2);
    assert_int_equal(swarm_placed_on(&swarm, "n2"), 2);
    assert_string_equal(swarm_text_of(&swarm, "t4"), "no suitable node (max replicas per node limit exceed)");
    assert_details(&swarm, "t4", "max_replicas: 2 nodes (n1, n2): wanted at most 2 tasks of the service on a node");

    /* A task that is to stop no longer counts. */
    tasks[0]->desired_state = (Docker__Swarmkit__V1__TaskState)SHUTDOWN;
    const char *node = swarm_copy(&swarm, swarm_node_of(&swarm, "t0"));
    task_state(&swarm, tasks[0], node, RUNNING);
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "t4"), node);
    swarm_deinit(&swarm);
}

static void cluster_volumes_are_nowhere(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    node_set(&swarm, node_make(&swarm, "n1"));
    node_set(&swarm, node_make(&swarm, "n2"));
    Task *task = task_make(&swarm, "s", "t");
    Docker__Swarmkit__V1__Mount *mount = MAKE(&swarm, Docker__Swarmkit__V1__Mount, docker__swarmkit__v1__mount);
    mount->type = DOCKER__SWARMKIT__V1__MOUNT__TYPE__CLUSTER;
    APPEND(&swarm, task->spec->container->mounts, task->spec->container->n_mounts, mount);
    task_set(&swarm, task);
    swarm_run(&swarm);
    assert_string_equal(swarm_text_of(&swarm, "t"), "no suitable node (cannot fulfill requested CSI volume mounts on 2 nodes)");
    swarm_deinit(&swarm);
}

static void absurd_amounts_do_no_harm(void **state)
{
    static struct swarm swarm;
    (void)state;
    swarm_init(&swarm);
    Node *node = node_make(&swarm, "n1");
    node->description->resources->memory_bytes = INT64_MAX;
    node->description->resources->nano_cpus = INT64_MIN;
    node_set(&swarm, node);
    for (size_t i = 0; i < 4; i++) {
        Task *task = task_make(&swarm, "s", arena_format(&swarm.arena, "t%zu", i));
        task_reserve(task, INT64_MIN, INT64_MAX);
        task_generic(&swarm, task, discrete(&swarm, "x", INT64_MAX));
        task_generic(&swarm, task, discrete(&swarm, "x", INT64_MAX));
        task_state(&swarm, task, "n1", RUNNING);
    }
    Task *task = task_make(&swarm, "other", "t");
    task_reserve(task, 0, 1);
    task_set(&swarm, task);
    swarm_run(&swarm);
    assert_string_equal(swarm_node_of(&swarm, "t"), "n1");
    swarm_deinit(&swarm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_ready_and_active_nodes),
        cmocka_unit_test(reservations_fill_a_node),
        cmocka_unit_test(a_stopping_task_still_holds_its_resources),
        cmocka_unit_test(discrete_generic_resources_are_counted),
        cmocka_unit_test(named_generic_resources_are_chosen),
        cmocka_unit_test(a_task_may_only_ask_for_a_number),
        cmocka_unit_test(host_ports_do_not_clash),
        cmocka_unit_test(replicas_on_a_node_are_bounded),
        cmocka_unit_test(cluster_volumes_are_nowhere),
        cmocka_unit_test(absurd_amounts_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
