/* tests/unit/api/test_docker_nodes.c – nodes and tasks over HTTP, from a real control. */
#include "tests/unit/api/swarm_fixture.h"

/* A worker "comb" beside the manager, and one more whose id begins in the same way. */
static void add_workers(struct swarm *s)
{
    static const char *const ids[] = {"w1a", "w1b"}, *const names[] = {"comb", "frame"};
    for (int i = 0; i < 2; i++) {
        Docker__Swarmkit__V1__Node *worker = node(ids[i], names[i]);
        worker->spec->membership = DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__ACCEPTED;
        do_create(&s->asked.world, worker);
    }
}

static void nodes_are_listed_and_filtered(void **state)
{
    struct swarm *s = *state;
    add_workers(s);
    swarm_get(s, "/v1.41/nodes", 200, "\"Hostname\":\"hive\"");
    assert_true(swarm_has(s, "\"Hostname\":\"comb\"") && swarm_has(s, "\"Leader\":true"));
    swarm_get(s, "/nodes?filters=%7B%22name%22%3A%7B%22com%22%3Atrue%7D%7D", 200, "\"ID\":\"w1a\"");
    assert_false(swarm_has(s, "hive") || swarm_has(s, "frame"));
    swarm_get(s, "/nodes?filters=%7B%22role%22%3A%5B%22manager%22%5D%7D", 200, "\"ID\":\"m1\"");
    assert_false(swarm_has(s, "comb"));
    swarm_get(s, "/nodes?filters=%7B%22id%22%3A%5B%22zz%22%5D%7D", 200, "\r\n\r\n[]");
    swarm_get(s, "/nodes?filters=%7B%22role%22%3A%5B%22king%22%5D%7D", 400, "Invalid role filter: 'king'");
    swarm_get(s, "/nodes?filters=%7B%22foo%22%3A%5B%22a%22%5D%7D", 400, "nvalid filter 'foo'");
}

static void node_is_found_by_id_name_and_beginning(void **state)
{
    struct swarm *s = *state;
    add_workers(s);
    swarm_get(s, "/nodes/w1a", 200, "\"Hostname\":\"comb\"");
    swarm_get(s, "/nodes/frame", 200, "\"ID\":\"w1b\"");
    swarm_get(s, "/nodes/m", 200, "\"ID\":\"m1\"");
    swarm_get(s, "/nodes/w1", 400, "{\"message\":\"node w1 is ambiguous (2 matches found)\"");
    swarm_get(s, "/nodes/none", 404, "{\"message\":\"node none not found\"");
    do_create(&s->asked.world, node("w1c", "comb"));
    swarm_get(s, "/nodes/comb", 400, "node comb is ambiguous (2 matches found)");
}

static void node_is_updated(void **state)
{
    struct swarm *s = *state;
    add_workers(s);
    swarm_update(s, "/nodes/comb", "", "{\"Labels\":{\"a\":\"b\"},\"Role\":\"worker\",\"Availability\":\"drain\"}", 200,
                 "Content-Length: 0");
    swarm_get(s, "/nodes/comb", 200, "\"Availability\":\"drain\"");
    assert_true(swarm_has(s, "\"Labels\":{\"a\":\"b\"}"));
    const Docker__Swarmkit__V1__Node *worker = store_node(s->asked.world.store, "w1a");
    assert_int_equal(worker->spec->membership, DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__ACCEPTED);
}

static void update_that_cannot_be_is_refused(void **state)
{
    struct swarm *s = *state;
    static const char drain[] = "{\"Role\":\"worker\",\"Availability\":\"drain\"}";
    add_workers(s);
    swarm_post(s, "/nodes/comb/update?version=1", drain, 500, "rpc error: code = Unknown desc = update out of sequence");
    swarm_post(s, "/nodes/comb/update?version=x", drain, 400, "invalid node version 'x'");
    swarm_post(s, "/nodes/comb/update", drain, 400, "invalid node version ''");
    swarm_post(s, "/nodes/none/update?version=1", drain, 404, "node none not found");
    swarm_update(s, "/nodes/comb", "", "{\"Role\":\"king\",\"Availability\":\"active\"}", 400, "Role");
    swarm_update(s, "/nodes/comb", "", "{\"Role\":", 400, "the request's body: not JSON");
    swarm_update(s, "/nodes/comb", "", "[]", 400, "");
    swarm_update(s, "/nodes/m1", "", drain, 400, "FailedPrecondition desc = attempting to demote the last manager of the swarm");
}

static void node_is_removed(void **state)
{
    struct swarm *s = *state;
    add_workers(s);
    swarm_ask_for(s, "DELETE", "/nodes/m1", "", 400, "FailedPrecondition desc = node m1 is a cluster manager");
    swarm_ask_for(s, "DELETE", "/nodes/none", "", 404, "node none not found");
    Docker__Swarmkit__V1__Node worker = copy_of(s->asked.world.store, node, "w1a");
    Docker__Swarmkit__V1__NodeStatus status = DOCKER__SWARMKIT__V1__NODE_STATUS__INIT;
    status.state = DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__READY;
    worker.status = &status;
    do_update(&s->asked.world, &worker);
    swarm_ask_for(s, "DELETE", "/nodes/comb", "", 400, "node w1a is not down and can't be removed");
    swarm_ask_for(s, "DELETE", "/nodes/comb?force=1", "", 200, "Content-Length: 0");
    assert_null(store_node(s->asked.world.store, "w1a"));
}

/* --- tasks --- */

static void add_tasks(struct swarm *s)
{
    add_workers(s);
    do_create(&s->asked.world, service("s1", "web"));
    do_create(&s->asked.world, service("s2", "db"));
    static const struct {
        const char *id, *service, *node;
        int desired;
    } tasks[] = {{"t1", "s1", "w1a", 512}, {"t2", "s1", "w1b", 640}, {"t3", "s2", "w1b", 512}};
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++) {
        Docker__Swarmkit__V1__ContainerSpec container = DOCKER__SWARMKIT__V1__CONTAINER_SPEC__INIT;
        Docker__Swarmkit__V1__Task *made = task(tasks[i].id, tasks[i].service, 1, tasks[i].node, tasks[i].desired);
        made->spec->container = &container;
        made->spec->runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER;
        do_create(&s->asked.world, made);
    }
}

static void tasks_are_listed_by_what_services_and_nodes_are_called(void **state)
{
    struct swarm *s = *state;
    add_tasks(s);
    swarm_get(s, "/tasks", 200, "\"ID\":\"t1\"");
    assert_true(swarm_has(s, "\"ID\":\"t2\"") && swarm_has(s, "\"ID\":\"t3\""));
    swarm_get(s, "/tasks?filters=%7B%22service%22%3A%7B%22web%22%3Atrue%7D%7D", 200, "\"ID\":\"t1\"");
    assert_true(swarm_has(s, "\"ID\":\"t2\"") && !swarm_has(s, "\"ID\":\"t3\""));
    swarm_get(s, "/tasks?filters=%7B%22service%22%3A%7B%22web%22%3Atrue%2C%22db%22%3Atrue%7D%2C%22node%22%3A%5B%22frame%22%5D%7D", 200,
              "\"ID\":\"t2\"");
    assert_true(swarm_has(s, "\"ID\":\"t3\"") && !swarm_has(s, "\"ID\":\"t1\""));
    swarm_get(s, "/tasks?filters=%7B%22desired-state%22%3A%5B%22running%22%5D%2C%22service%22%3A%5B%22s1%22%5D%7D", 200, "\"ID\":\"t1\"");
    assert_false(swarm_has(s, "\"ID\":\"t2\""));
    swarm_get(s, "/tasks?filters=%7B%22service%22%3A%5B%22none%22%5D%7D", 404, "service none not found");
    swarm_get(s, "/tasks?filters=%7B%22node%22%3A%5B%22none%22%5D%7D", 404, "node none not found");
    swarm_get(s, "/tasks?filters=%7B%22desired-state%22%3A%5B%22flying%22%5D%7D", 400, "Invalid desired-state filter: 'flying'");
}

static void task_is_inspected(void **state)
{
    struct swarm *s = *state;
    add_tasks(s);
    swarm_get(s, "/tasks/t3", 200, "\"ServiceID\":\"s2\"");
    swarm_get(s, "/tasks/t", 400, "task t is ambiguous (3 matches found)");
    swarm_get(s, "/tasks/none", 404, "{\"message\":\"task none not found\"");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, swarm_setup, swarm_teardown)
    const struct CMUnitTest tests[] = {
        T(nodes_are_listed_and_filtered),
        T(node_is_found_by_id_name_and_beginning),
        T(node_is_updated),
        T(update_that_cannot_be_is_refused),
        T(node_is_removed),
        T(tasks_are_listed_by_what_services_and_nodes_are_called),
        T(task_is_inspected),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
