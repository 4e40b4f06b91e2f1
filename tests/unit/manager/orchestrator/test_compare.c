/* When a task is not as its service wants it. */
#include "manager/orchestrator/compare.h"

#include "tests/unit/manager/orchestrator/fixture.h"

struct pair {
    struct spec of_service, of_task;
    service_type service;
    task_type task;
    Docker__Swarmkit__V1__TaskStatus status;
    Docker__Swarmkit__V1__Version service_version, task_version;
    Docker__Swarmkit__V1__Endpoint endpoint;
};

static void begin(struct pair *pair)
{
    spec_init(&pair->of_service, "web", 1);
    spec_init(&pair->of_task, "web", 1);
    docker__swarmkit__v1__service__init(&pair->service);
    docker__swarmkit__v1__task__init(&pair->task);
    docker__swarmkit__v1__task_status__init(&pair->status);
    docker__swarmkit__v1__version__init(&pair->service_version);
    docker__swarmkit__v1__version__init(&pair->task_version);
    docker__swarmkit__v1__endpoint__init(&pair->endpoint);
    pair->service.spec = &pair->of_service.spec;
    pair->service.spec_version = &pair->service_version;
    pair->task.spec = &pair->of_task.task;
    pair->task.status = &pair->status;
    pair->task.spec_version = &pair->task_version;
    pair->task.endpoint = &pair->endpoint;
    pair->task.desired_state = STATE(RUNNING);
    pair->status.state = STATE(RUNNING);
    pair->service_version.index = 2;
    pair->task_version.index = 1;
}

static bool is_dirty(const struct pair *pair, const node_type *node)
{
    struct orchestrator_rules rules = {.node_fits = swarm_fits};
    return task_is_dirty(&rules, &pair->service, &pair->task, node);
}

static void the_same_spec_is_clean_and_another_is_not(void **state)
{
    (void)state;
    struct pair pair;
    begin(&pair);
    assert_false(is_dirty(&pair, NULL));
    pair.of_service.container.image = word("image:2");
    assert_true(is_dirty(&pair, NULL));
    pair.task_version.index = 2; /* said to be the same */
    assert_false(is_dirty(&pair, NULL));
    begin(&pair);
    pair.of_service.task.force_update = 1;
    assert_true(is_dirty(&pair, NULL));
}

static void what_is_there_and_empty_is_not_what_is_missing(void **state)
{
    (void)state;
    struct pair pair;
    Docker__Swarmkit__V1__ResourceRequirements resources = DOCKER__SWARMKIT__V1__RESOURCE_REQUIREMENTS__INIT;
    begin(&pair);
    pair.of_service.task.resources = &resources;
    assert_true(is_dirty(&pair, NULL));
    begin(&pair);
    pair.of_service.spec.endpoint = &pair.of_service.endpoint;
    assert_true(is_dirty(&pair, NULL));
    pair.endpoint.spec = &pair.of_task.endpoint;
    assert_false(is_dirty(&pair, NULL));
    pair.of_service.endpoint.mode = DOCKER__SWARMKIT__V1__ENDPOINT_SPEC__RESOLUTION_MODE__DNSRR;
    assert_true(is_dirty(&pair, NULL));
    pair.task.endpoint = NULL;
    assert_false(is_dirty(&pair, NULL));
}

static void maps_have_no_order_and_lists_have(void **state)
{
    (void)state;
    struct pair pair;
    Docker__Swarmkit__V1__ContainerSpec__LabelsEntry a = DOCKER__SWARMKIT__V1__CONTAINER_SPEC__LABELS_ENTRY__INIT, b = a;
    Docker__Swarmkit__V1__ContainerSpec__LabelsEntry *left[] = {&a, &b}, *right[] = {&b, &a};
    char *arguments[] = {word("x"), word("y")}, *turned[] = {word("y"), word("x")};
    a.key = word("a");
    b.key = word("b");
    b.value = word("1");
    begin(&pair);
    pair.of_service.container.labels = left;
    pair.of_task.container.labels = right;
    pair.of_service.container.n_labels = pair.of_task.container.n_labels = 2;
    assert_false(is_dirty(&pair, NULL));
    pair.of_service.container.args = arguments;
    pair.of_task.container.args = turned;
    pair.of_service.container.n_args = pair.of_task.container.n_args = 2;
    assert_true(is_dirty(&pair, NULL));
    pair.of_task.container.args = arguments;
    assert_false(is_dirty(&pair, NULL));
    pair.of_task.container.n_labels = 1;
    assert_true(is_dirty(&pair, NULL));
}

static void constraints_alone_are_clean_where_the_node_satisfies_them(void **state)
{
    (void)state;
    struct pair pair;
    node_type *on = node("n0", "n0"), *other;
    begin(&pair);
    spec_constraint(&pair.of_service, "node.id==n0");
    pair.of_task.task.placement = &pair.of_task.placement;
    assert_false(is_dirty(&pair, on));
    assert_true(is_dirty(&pair, NULL)); /* on no node yet */
    other = node("n1", "n1");
    assert_true(is_dirty(&pair, other));
    other = node("n0", "n0");
    pair.of_service.placement.max_replicas = 2;
    assert_true(is_dirty(&pair, other));
}

static void credentials_do_not_matter_once_it_is_pulled(void **state)
{
    (void)state;
    struct pair pair;
    Docker__Swarmkit__V1__ContainerSpec__PullOptions options = DOCKER__SWARMKIT__V1__CONTAINER_SPEC__PULL_OPTIONS__INIT;
    begin(&pair);
    options.registry_auth = word("x");
    pair.of_service.container.pull_options = &options;
    assert_false(is_dirty(&pair, NULL));
    pair.status.state = STATE(PREPARING);
    assert_true(is_dirty(&pair, NULL));
    pair.status.state = STATE(READY);
    assert_false(is_dirty(&pair, NULL));
    pair.status.state = STATE(FAILED);
    assert_true(is_dirty(&pair, NULL));
    pair.status.state = STATE(RUNNING);
    pair.task.desired_state = STATE(SHUTDOWN);
    assert_true(is_dirty(&pair, NULL));
}

static void another_runtime_is_another_spec(void **state)
{
    (void)state;
    struct pair pair;
    begin(&pair);
    pair.of_service.task.runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME__NOT_SET;
    assert_true(is_dirty(&pair, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_spec_is_clean_and_another_is_not),
        cmocka_unit_test(what_is_there_and_empty_is_not_what_is_missing),
        cmocka_unit_test(maps_have_no_order_and_lists_have),
        cmocka_unit_test(constraints_alone_are_clean_where_the_node_satisfies_them),
        cmocka_unit_test(credentials_do_not_matter_once_it_is_pulled),
        cmocka_unit_test(another_runtime_is_another_spec),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
