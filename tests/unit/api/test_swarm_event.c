/* tests/unit/api/test_swarm_event.c – what is told of a change, and of which objects nothing. */
#include "api/swarm_event.h"
#include "manager/store/object.h"
#include "tests/unit/test.h"

static struct arena arena;
static struct api_event event;

static int teardown(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

static const char *value(const char *key)
{
    for (size_t i = 0; i < event.attribute_count; i++)
        if (strcmp(event.attributes[i].key, key) == 0)
            return event.attributes[i].value;
    return NULL;
}

/* @old NULL: a creation. @now NULL: the removal of @old. */
static bool note(enum store_kind kind, const ProtobufCMessage *old, const ProtobufCMessage *now)
{
    struct store_object *before = old ? store_object_new(kind, old) : NULL, *after = now ? store_object_new(kind, now) : NULL;
    struct store_change change = {.kind = kind,
                                  .action = before == NULL ? STORE_CREATE
                                            : after        ? STORE_UPDATE
                                                           : STORE_REMOVE,
                                  .object = after ? after : before,
                                  .old = before};
    bool is_told = swarm_event(&change, &arena, &event);

    if (is_told) /* it borrows */
        event.id = arena_string(&arena, event.id);
    for (size_t i = 0; is_told && i < event.attribute_count; i++)
        ((struct api_event_attribute *)(uintptr_t)event.attributes)[i].value = arena_string(&arena, event.attributes[i].value);
    store_object_release(before);
    store_object_release(after);
    return is_told;
}

static void a_service_from_beginning_to_end(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__ContainerSpec container[2] = {DOCKER__SWARMKIT__V1__CONTAINER_SPEC__INIT,
                                                        DOCKER__SWARMKIT__V1__CONTAINER_SPEC__INIT};
    Docker__Swarmkit__V1__TaskSpec task[2] = {DOCKER__SWARMKIT__V1__TASK_SPEC__INIT, DOCKER__SWARMKIT__V1__TASK_SPEC__INIT};
    Docker__Swarmkit__V1__ReplicatedService mode[2] = {DOCKER__SWARMKIT__V1__REPLICATED_SERVICE__INIT,
                                                       DOCKER__SWARMKIT__V1__REPLICATED_SERVICE__INIT};
    Docker__Swarmkit__V1__ServiceSpec spec[2] = {DOCKER__SWARMKIT__V1__SERVICE_SPEC__INIT, DOCKER__SWARMKIT__V1__SERVICE_SPEC__INIT};
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    Docker__Swarmkit__V1__Service service[2] = {DOCKER__SWARMKIT__V1__SERVICE__INIT, DOCKER__SWARMKIT__V1__SERVICE__INIT};
    Docker__Swarmkit__V1__UpdateStatus update = DOCKER__SWARMKIT__V1__UPDATE_STATUS__INIT;

    annotations.name = (char *)(uintptr_t) "web";
    for (int i = 0; i < 2; i++) {
        task[i].runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER;
        task[i].container = &container[i];
        spec[i].mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED;
        spec[i].replicated = &mode[i];
        spec[i].task = &task[i];
        spec[i].annotations = &annotations;
        service[i].id = (char *)(uintptr_t) "s1";
        service[i].spec = &spec[i];
    }
    container[0].image = (char *)(uintptr_t) "hive:1";
    container[1].image = (char *)(uintptr_t) "hive:2";
    mode[0].replicas = 1;
    mode[1].replicas = 3;
    update.state = DOCKER__SWARMKIT__V1__UPDATE_STATUS__UPDATE_STATE__ROLLBACK_STARTED;
    service[1].update_status = &update;

    assert_true(note(STORE_SERVICE, NULL, &service[0].base));
    assert_string_equal(event.type, "service");
    assert_string_equal(event.action, "create");
    assert_string_equal(event.id, "s1");
    assert_string_equal(value("name"), "web");
    assert_int_equal(event.attribute_count, 1);

    assert_true(note(STORE_SERVICE, &service[0].base, &service[1].base));
    assert_string_equal(event.action, "update");
    assert_string_equal(value("image.old"), "hive:1");
    assert_string_equal(value("image.new"), "hive:2");
    assert_string_equal(value("replicas.old"), "1");
    assert_string_equal(value("replicas.new"), "3");
    assert_string_equal(value("updatestate.new"), "rollback_started");
    assert_null(value("updatestate.old"));

    assert_true(note(STORE_SERVICE, &service[1].base, &service[0].base));
    assert_null(value("updatestate.new"));

    assert_true(note(STORE_SERVICE, &service[1].base, NULL));
    assert_string_equal(event.action, "remove");
    assert_int_equal(event.attribute_count, 1);
}

static void a_node_by_its_hostname_and_what_became_of_it(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__NodeDescription description = DOCKER__SWARMKIT__V1__NODE_DESCRIPTION__INIT;
    Docker__Swarmkit__V1__NodeSpec spec = DOCKER__SWARMKIT__V1__NODE_SPEC__INIT;
    Docker__Swarmkit__V1__NodeStatus status = DOCKER__SWARMKIT__V1__NODE_STATUS__INIT;
    Docker__Swarmkit__V1__Node old = DOCKER__SWARMKIT__V1__NODE__INIT, now = DOCKER__SWARMKIT__V1__NODE__INIT;

    old.id = now.id = (char *)(uintptr_t) "n1";
    assert_true(note(STORE_NODE, NULL, &old.base));
    assert_string_equal(value("name"), "");
    description.hostname = (char *)(uintptr_t) "host-a";
    spec.availability = DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__DRAIN;
    status.state = DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__READY;
    now.description = &description;
    now.spec = &spec;
    now.status = &status;
    now.role = DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER;
    assert_true(note(STORE_NODE, &old.base, &now.base));
    assert_string_equal(value("name"), "host-a");
    assert_string_equal(value("availability.old"), "active");
    assert_string_equal(value("availability.new"), "drain");
    assert_string_equal(value("role.new"), "manager");
    assert_string_equal(value("state.old"), "unknown");
    assert_string_equal(value("state.new"), "ready");
    assert_true(note(STORE_NODE, &now.base, &now.base));
    assert_int_equal(event.attribute_count, 1);
}

static void states_that_nobody_knows_are_not_told_of(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__NodeStatus status = DOCKER__SWARMKIT__V1__NODE_STATUS__INIT;
    Docker__Swarmkit__V1__Node old = DOCKER__SWARMKIT__V1__NODE__INIT, now = DOCKER__SWARMKIT__V1__NODE__INIT;

    old.id = now.id = (char *)(uintptr_t) "n1";
    status.state = (Docker__Swarmkit__V1__NodeStatus__State)77;
    now.status = &status;
    assert_true(note(STORE_NODE, &old.base, &now.base));
    assert_null(value("state.new"));
}

static void tasks_and_the_cluster_itself_are_not_told_of(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__Task task = DOCKER__SWARMKIT__V1__TASK__INIT;
    Docker__Swarmkit__V1__Cluster cluster = DOCKER__SWARMKIT__V1__CLUSTER__INIT;

    task.id = cluster.id = (char *)(uintptr_t) "x";
    assert_false(note(STORE_TASK, NULL, &task.base));
    assert_false(note(STORE_CLUSTER, NULL, &cluster.base));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_service_from_beginning_to_end, teardown),
        cmocka_unit_test_teardown(a_node_by_its_hostname_and_what_became_of_it, teardown),
        cmocka_unit_test_teardown(states_that_nobody_knows_are_not_told_of, teardown),
        cmocka_unit_test_teardown(tasks_and_the_cluster_itself_are_not_told_of, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
