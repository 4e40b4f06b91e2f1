/* Tasks: got, listed through each filter, removed. */
#include "tests/unit/manager/control/fixture.h"

static struct asked asked;

static int set_up(void **state)
{
    (void)state;
    begin(&asked);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    end(&asked);
    return 0;
}

static void task_is_got_and_removed(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__GetTaskRequest get = DOCKER__SWARMKIT__V1__GET_TASK_REQUEST__INIT;
    Docker__Swarmkit__V1__RemoveTaskRequest removal = DOCKER__SWARMKIT__V1__REMOVE_TASK_REQUEST__INIT;
    assert_refused(&asked, GetTask, &get, ERR_INVALID, 3, "invalid argument");
    assert_refused(&asked, RemoveTask, &removal, ERR_INVALID, 3, "invalid argument");
    get.task_id = removal.task_id = CONSTANT("t1");
    assert_refused(&asked, GetTask, &get, ERR_NOT_FOUND, 5, "task t1 not found");
    assert_refused(&asked, RemoveTask, &removal, ERR_NOT_FOUND, 5, "task t1 not found");
    do_create(&asked.world, task("t1", "s1", 1, "n1", DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING));
    assert_string_equal(do_call(&asked, GetTask, &get)->task->service_id, "s1");
    (void)do_call(&asked, RemoveTask, &removal);
    assert_null(store_task(asked.world.store, "t1"));
}

static const char *listed(const Docker__Swarmkit__V1__ListTasksRequest *request)
{
    static char ids[256];
    const Docker__Swarmkit__V1__ListTasksResponse *response = do_call(&asked, ListTasks, request);
    ids[0] = 0;
    for (size_t i = 0; i < response->n_tasks; i++)
        snprintf(ids + strlen(ids), sizeof ids - strlen(ids), "%s%s", i ? " " : "", response->tasks[i]->id);
    return ids;
}

static void put(const char *id, const char *service_id, uint64_t slot, const char *node_id, int desired, uint64_t version, const char *name)
{
    Docker__Swarmkit__V1__Task *one = task(id, service_id, slot, node_id, desired);
    Docker__Swarmkit__V1__Annotations own = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT, service_own = own;
    Docker__Swarmkit__V1__Annotations__LabelsEntry label = DOCKER__SWARMKIT__V1__ANNOTATIONS__LABELS_ENTRY__INIT, *labels[] = {&label};
    Docker__Swarmkit__V1__Version spec_version = DOCKER__SWARMKIT__V1__VERSION__INIT;
    Docker__Swarmkit__V1__ContainerSpec container = DOCKER__SWARMKIT__V1__CONTAINER_SPEC__INIT;
    own.name = CONSTANT(name);
    service_own.name = CONSTANT(service_id);
    label.key = CONSTANT("of");
    label.value = CONSTANT(service_id);
    service_own.labels = labels;
    service_own.n_labels = 1;
    spec_version.index = version;
    one->annotations = &own;
    one->service_annotations = &service_own;
    one->spec_version = &spec_version;
    one->spec->runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER;
    one->spec->container = &container;
    do_create(&asked.world, one);
}

#define RUNNING  DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING
#define SHUTDOWN DOCKER__SWARMKIT__V1__TASK_STATE__SHUTDOWN

static void lists_go_through_every_filter(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__ListTasksRequest request = DOCKER__SWARMKIT__V1__LIST_TASKS_REQUEST__INIT;
    Docker__Swarmkit__V1__ListTasksRequest__Filters filters = DOCKER__SWARMKIT__V1__LIST_TASKS_REQUEST__FILTERS__INIT;
    Docker__Swarmkit__V1__ListTasksRequest__Filters__LabelsEntry label =
                                                                     DOCKER__SWARMKIT__V1__LIST_TASKS_REQUEST__FILTERS__LABELS_ENTRY__INIT,
                                                                 *labels[] = {&label};
    Docker__Swarmkit__V1__Version version = DOCKER__SWARMKIT__V1__VERSION__INIT;
    Docker__Swarmkit__V1__Service *web = service("web", "web");
    version.index = 7;
    web->spec_version = &version;
    do_create(&asked.world, web);
    put("a1", "web", 1, "n1", RUNNING, 7, "web.1.a1");
    put("a2", "web", 2, "n2", RUNNING, 6, "");
    put("b3", "web", 0, "n1", SHUTDOWN, 7, "");
    put("b4", "db", 1, "n1", RUNNING, 7, "");
    put("b5", "db", 2, "", RUNNING, 7, "");

    assert_string_equal(listed(&request), "a1 a2 b3 b4 b5");
    request.filters = &filters;
    assert_string_equal(listed(&request), "a1 a2 b3 b4 b5");

    char *services[] = {CONSTANT("web"), CONSTANT("db")}, *nodes[] = {CONSTANT("n1"), CONSTANT("n2")};
    filters.service_ids = services;
    filters.n_service_ids = 1;
    assert_string_equal(listed(&request), "a1 a2 b3");
    filters.n_service_ids = 2;
    assert_string_equal(listed(&request), "a1 a2 b3 b4 b5");
    filters.node_ids = nodes;
    filters.n_node_ids = 1;
    assert_string_equal(listed(&request), "a1 b3 b4");
    filters.n_service_ids = 1;
    assert_string_equal(listed(&request), "a1 b3");
    filters.n_service_ids = 0;
    assert_string_equal(listed(&request), "a1 b3 b4");
    nodes[0] = CONSTANT("");
    assert_string_equal(listed(&request), "b5");
    filters.n_node_ids = 0;

    Docker__Swarmkit__V1__TaskState states[] = {SHUTDOWN, RUNNING};
    filters.desired_states = states;
    filters.n_desired_states = 1;
    assert_string_equal(listed(&request), "b3");
    filters.n_desired_states = 2;
    assert_string_equal(listed(&request), "a1 a2 b3 b4 b5");
    filters.n_desired_states = 0;

    char *names[] = {CONSTANT("web.1.a1"), CONSTANT("web.2.a2"), CONSTANT("web.n1.b3")}; /* its own, by its slot, by its node */
    filters.names = names;
    filters.n_names = 3;
    assert_string_equal(listed(&request), "a1 a2 b3");
    filters.n_names = 0;
    char *prefixes[] = {CONSTANT("db.")};
    filters.name_prefixes = prefixes;
    filters.n_name_prefixes = 1;
    assert_string_equal(listed(&request), "b4 b5");
    filters.n_name_prefixes = 0;
    char *ids[] = {CONSTANT("b")};
    filters.id_prefixes = ids;
    filters.n_id_prefixes = 1;
    assert_string_equal(listed(&request), "b3 b4 b5");
    filters.n_id_prefixes = 0;
    label.key = CONSTANT("of");
    label.value = CONSTANT("db");
    filters.labels = labels;
    filters.n_labels = 1;
    assert_string_equal(listed(&request), "b4 b5");
    filters.n_labels = 0;
    char *runtimes[] = {CONSTANT("container")};
    filters.runtimes = runtimes;
    filters.n_runtimes = 1;
    assert_string_equal(listed(&request), "a1 a2 b3 b4 b5");
    runtimes[0] = CONSTANT("plugin");
    assert_string_equal(listed(&request), "");
    filters.n_runtimes = 0;
    filters.up_to_date = true;
    assert_string_equal(listed(&request), "a1 b3"); /* a2 is of an older spec; what the others belong to is gone */
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(task_is_got_and_removed),
        test(lists_go_through_every_filter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
