/* tests/unit/manager/dispatcher/test_statuses.c – what nodes say of their tasks. */
#include "tests/unit/manager/dispatcher/fixture.h"

typedef Docker__Swarmkit__V1__UpdateTaskStatusRequest Request;
typedef Docker__Swarmkit__V1__UpdateTaskStatusRequest__TaskStatusUpdate Update;

static void begin(struct house *house, struct ear *ear)
{
    house_begin(house, "n1 n2");
    enter(house, ear, "n1", "");
    put_task(house, "t1", "n1", ASSIGNED, RUNNING);
    put_task(house, "t2", "n1", ASSIGNED, RUNNING);
    put_task(house, "other", "n2", ASSIGNED, RUNNING);
}

static void a_status_is_stored_with_who_applied_it_and_when(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    (void)state;
    begin(&house, &ear);
    report(&house, "n1", &ear, "t1", RUNNING); /* states between may be left out */
    pass(&house, 99);
    assert_int_equal(state_of_task(&house, "t1"), ASSIGNED);
    pass(&house, 1);
    const Status *status = store_task(house.world.store, "t1")->status;
    assert_int_equal(status->state, RUNNING);
    assert_string_equal(status->applied_by, "leader");
    assert_int_equal(message_timestamp_ns(status->applied_at, 0), house.world.wall_ns);
    house_end(&house);
}

static void many_statuses_are_one_entry_and_the_newest_of_each_counts(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    (void)state;
    begin(&house, &ear);
    int entries = house.world.entries_count;
    report(&house, "n1", &ear, "t1", ACCEPTED);
    report(&house, "n1", &ear, "t1", PREPARING);
    report(&house, "n1", &ear, "t2", ACCEPTED);
    report(&house, "n1", &ear, "t1", STARTING);
    report(&house, "n1", &ear, "t1", ACCEPTED); /* an older one that comes late */
    pass(&house, 100);
    assert_int_equal(house.world.entries_count - entries, 1);
    assert_int_equal(state_of_task(&house, "t1"), STARTING);
    assert_int_equal(state_of_task(&house, "t2"), ACCEPTED);
    house_end(&house);
}

static void a_task_never_goes_backwards(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    (void)state;
    begin(&house, &ear);
    put_task(&house, "t1", "n1", RUNNING, RUNNING);
    report(&house, "n1", &ear, "t1", STARTING);
    pass(&house, 200);
    assert_int_equal(state_of_task(&house, "t1"), RUNNING);
    report(&house, "n1", &ear, "t2", RUNNING);
    put_task(&house, "t2", "n1", FAILED, SHUTDOWN); /* a manager was faster */
    pass(&house, 200);
    assert_int_equal(state_of_task(&house, "t2"), FAILED);
    assert_int_equal(stats_of(&house).statuses_passed_over, 1);
    house_end(&house);
}

static void what_is_known_already_costs_nothing(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    (void)state;
    begin(&house, &ear);
    report(&house, "n1", &ear, "t1", RUNNING);
    pass(&house, 100);
    int entries = house.world.entries_count;
    report(&house, "n1", &ear, "t1", RUNNING); /* as after each registration */
    pass(&house, 200);
    assert_int_equal(house.world.entries_count, entries);
    house_end(&house);
}

static void news_of_the_same_state_is_news(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    Request request = DOCKER__SWARMKIT__V1__UPDATE_TASK_STATUS_REQUEST__INIT;
    Update update = DOCKER__SWARMKIT__V1__UPDATE_TASK_STATUS_REQUEST__TASK_STATUS_UPDATE__INIT, *updates[] = {&update};
    Status status = DOCKER__SWARMKIT__V1__TASK_STATUS__INIT;
    (void)state;
    begin(&house, &ear);
    report(&house, "n1", &ear, "t1", RUNNING);
    pass(&house, 100);
    status.state = RUNNING;
    status.message = (char *)(uintptr_t) "started";
    status.applied_by = (char *)(uintptr_t) "the node itself"; /* not a node's to say */
    update.task_id = (char *)(uintptr_t) "t1";
    update.status = &status;
    request.session_id = ear.session_id;
    request.updates = updates;
    request.n_updates = 1;
    assert_ok(dispatcher_update_status(house.dispatcher, "n1", &request, house.now_ns, err));
    pass(&house, 100);
    assert_string_equal(store_task(house.world.store, "t1")->status->message, "started");
    assert_string_equal(store_task(house.world.store, "t1")->status->applied_by, "leader");
    house_end(&house);
}

static void a_task_that_is_gone_is_passed_over(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    (void)state;
    begin(&house, &ear);
    report(&house, "n1", &ear, "nowhere", RUNNING);
    report(&house, "n1", &ear, "t1", RUNNING);
    remove_task(&house, "t1");
    pass(&house, 200);
    assert_null(store_task(house.world.store, "t1"));
    assert_null(store_task(house.world.store, "nowhere"));
    house_end(&house);
}

static void another_nodes_task_refuses_the_whole_call(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    Request request = DOCKER__SWARMKIT__V1__UPDATE_TASK_STATUS_REQUEST__INIT;
    Update a = DOCKER__SWARMKIT__V1__UPDATE_TASK_STATUS_REQUEST__TASK_STATUS_UPDATE__INIT, b = a, *updates[] = {&a, &b};
    Status status = DOCKER__SWARMKIT__V1__TASK_STATUS__INIT;
    (void)state;
    begin(&house, &ear);
    status.state = RUNNING;
    a.task_id = (char *)(uintptr_t) "t1";
    b.task_id = (char *)(uintptr_t) "other";
    a.status = b.status = &status;
    request.session_id = ear.session_id;
    request.updates = updates;
    request.n_updates = 2;
    assert_fails(dispatcher_update_status(house.dispatcher, "n1", &request, house.now_ns, err), ERR_PERMISSION,
                 "cannot update a task not assigned this node");
    pass(&house, 200);
    assert_int_equal(state_of_task(&house, "t1"), ASSIGNED);
    assert_int_equal(state_of_task(&house, "other"), ASSIGNED);
    b.status = NULL; /* nothing is said of it */
    assert_ok(dispatcher_update_status(house.dispatcher, "n1", &request, house.now_ns, err));
    pass(&house, 200);
    assert_int_equal(state_of_task(&house, "t1"), RUNNING);
    house_end(&house);
}

static void only_the_session_that_lives_may_report(void **state)
{
    struct house house = {0};
    struct ear ear = {0}, again = {0};
    (void)state;
    begin(&house, &ear);
    enter(&house, &again, "n1", "");
    assert_fails(try_report(&house, "n1", ear.session_id, "t1", RUNNING, err), ERR_INVALID, "session invalid");
    assert_fails(try_report(&house, "n2", ear.session_id, "other", RUNNING, err), ERR_INVALID, "session invalid");
    assert_fails(try_report(&house, "n3", "", "other", RUNNING, err), ERR_NOT_FOUND, "node not registered");
    house_end(&house);
}

static void states_that_are_not_a_nodes_to_set_are_passed_over(void **state)
{
    const int states[] = {0, PENDING, DOCKER__SWARMKIT__V1__TASK_STATE__REMOVE, ORPHANED, 513, 9999, -1};
    struct house house = {0};
    struct ear ear = {0};
    (void)state;
    begin(&house, &ear);
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        report(&house, "n1", &ear, "t1", states[i]);
    pass(&house, 200);
    assert_int_equal(state_of_task(&house, "t1"), ASSIGNED);
    assert_int_equal(stats_of(&house).statuses_passed_over, sizeof states / sizeof states[0]);
    house_end(&house);
}

static int report_text(struct house *house, const struct ear *ear, char *text, size_t ports, struct error *err)
{
    Request request = DOCKER__SWARMKIT__V1__UPDATE_TASK_STATUS_REQUEST__INIT;
    Update update = DOCKER__SWARMKIT__V1__UPDATE_TASK_STATUS_REQUEST__TASK_STATUS_UPDATE__INIT, *updates[] = {&update};
    Status status = DOCKER__SWARMKIT__V1__TASK_STATUS__INIT;
    Docker__Swarmkit__V1__PortStatus port_status = DOCKER__SWARMKIT__V1__PORT_STATUS__INIT;
    Docker__Swarmkit__V1__PortConfig port = DOCKER__SWARMKIT__V1__PORT_CONFIG__INIT, **list = mem_array(ports + 1, sizeof *list);
    for (size_t i = 0; i < ports; i++)
        list[i] = &port;
    port.published_port = 8080;
    port_status.ports = list;
    port_status.n_ports = ports;
    status.port_status = &port_status;
    status.state = FAILED;
    status.err = text;
    update.task_id = (char *)(uintptr_t) "t1";
    update.status = &status;
    request.session_id = (char *)(uintptr_t)ear->session_id;
    request.updates = updates;
    request.n_updates = 1;
    int failed = dispatcher_update_status(house->dispatcher, "n1", &request, house->now_ns, err);
    free(list);
    return failed;
}

static void a_long_error_is_cut_between_characters(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    (void)state;
    begin(&house, &ear);
    char *text = mem_alloc(100001);
    for (size_t i = 0; i + 2 <= 100000; i += 2)
        memcpy(text + i, "ü", 2);
    assert_ok(report_text(&house, &ear, text, 1, err));
    pass(&house, 100);
    const char *stored = store_task(house.world.store, "t1")->status->err;
    assert_in_range(strlen(stored), DISPATCHER_STATUS_TEXT_BYTES - 8, DISPATCHER_STATUS_TEXT_BYTES);
    assert_string_equal(stored + strlen(stored) - 5, "ü…");
    for (size_t i = 0; i + 3 < strlen(stored); i += 2)
        assert_memory_equal(stored + i, "ü", 2);
    assert_ok(report_text(&house, &ear, text, 1, err)); /* and is known, cut or not */
    free(text);
    int entries = house.world.entries_count;
    pass(&house, 200);
    assert_int_equal(house.world.entries_count, entries);
    house_end(&house);
}

static void a_status_beyond_the_limit_is_refused(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    char text[] = "too many ports";
    (void)state;
    begin(&house, &ear);
    assert_fails(report_text(&house, &ear, text, 20000, err), ERR_INVALID, "the status of task t1");
    house_end(&house);
}

static void too_many_statuses_in_one_call_are_refused(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    Request request = DOCKER__SWARMKIT__V1__UPDATE_TASK_STATUS_REQUEST__INIT;
    Update update = DOCKER__SWARMKIT__V1__UPDATE_TASK_STATUS_REQUEST__TASK_STATUS_UPDATE__INIT;
    Update **updates = mem_array(DISPATCHER_UPDATES_COUNT + 1, sizeof *updates);
    (void)state;
    begin(&house, &ear);
    for (size_t i = 0; i <= DISPATCHER_UPDATES_COUNT; i++)
        updates[i] = &update;
    request.session_id = ear.session_id;
    request.updates = updates;
    request.n_updates = DISPATCHER_UPDATES_COUNT + 1;
    assert_fails(dispatcher_update_status(house.dispatcher, "n1", &request, house.now_ns, err), ERR_LIMIT, "16385 statuses");
    request.n_updates--;
    assert_ok(dispatcher_update_status(house.dispatcher, "n1", &request, house.now_ns, err));
    free(updates);
    house_end(&house);
}

static void a_write_that_fails_is_tried_again_under_what_is_newer(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    (void)state;
    begin(&house, &ear);
    report(&house, "n1", &ear, "t1", PREPARING);
    report(&house, "n1", &ear, "t2", RUNNING);
    set_time(&house, house.now_ns + MS(100));
    step(&house);
    world_run(&house.world);
    report(&house, "n1", &ear, "t1", STARTING);
    world_lose(&house.world, ERR_CANCELED);
    pass(&house, 50);
    assert_int_equal(state_of_task(&house, "t1"), ASSIGNED);
    live(&house, "n1", &ear, 1100);
    assert_int_equal(state_of_task(&house, "t1"), STARTING);
    assert_int_equal(state_of_task(&house, "t2"), RUNNING);
    house_end(&house);
}

static void more_than_an_entry_takes_goes_into_several(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    char id[16];
    (void)state;
    begin(&house, &ear);
    for (int i = 0; i < 450; i++) {
        snprintf(id, sizeof id, "x%d", i);
        put_task(&house, id, "n1", ASSIGNED, RUNNING);
    }
    for (int i = 0; i < 450; i++) {
        snprintf(id, sizeof id, "x%d", i);
        report(&house, "n1", &ear, id, RUNNING);
    }
    int entries = house.world.entries_count;
    pass(&house, 100);
    assert_int_equal(house.world.entries_count - entries, 3);
    for (int i = 0; i < 450; i++) {
        snprintf(id, sizeof id, "x%d", i);
        assert_int_equal(state_of_task(&house, id), RUNNING);
    }
    house_end(&house);
}

/* The whole task goes into the log with its status; one that would not fit is no reason to keep others back. */
static void one_that_can_never_be_written_keeps_no_other_back(void **state)
{
    struct house house = {0};
    struct ear ear = {0};
    Docker__Swarmkit__V1__ContainerSpec container = DOCKER__SWARMKIT__V1__CONTAINER_SPEC__INIT;
    size_t size = STORE_ENTRY_SIZE_BYTES - 1000;
    char *image = mem_alloc(size + 1), *text = mem_alloc(4001);
    (void)state;
    begin(&house, &ear);
    memset(image, 'x', size);
    memset(text, 'y', 4000);
    Task *large = task("t0", "", 0, "n1", RUNNING);
    large->spec->runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER;
    large->spec->container = &container;
    large->status->state = ASSIGNED;
    container.image = image;
    do_create(&house.world, large);
    for (int i = 0; i < 2; i++) {
        Request request = DOCKER__SWARMKIT__V1__UPDATE_TASK_STATUS_REQUEST__INIT;
        Update a = DOCKER__SWARMKIT__V1__UPDATE_TASK_STATUS_REQUEST__TASK_STATUS_UPDATE__INIT, b = a, *updates[] = {&a, &b};
        Status status = DOCKER__SWARMKIT__V1__TASK_STATUS__INIT, plain = status;
        status.state = FAILED;
        status.err = text;
        plain.state = i == 0 ? ACCEPTED : PREPARING;
        a.task_id = (char *)(uintptr_t)(i == 0 ? "t0" : "t2"); /* it is the first of its batch, and the last */
        a.status = i == 0 ? &status : &plain;
        b.task_id = (char *)(uintptr_t)(i == 0 ? "t2" : "t0");
        b.status = i == 0 ? &plain : &status;
        request.session_id = ear.session_id;
        request.updates = updates;
        request.n_updates = 2;
        assert_ok(dispatcher_update_status(house.dispatcher, "n1", &request, house.now_ns, err));
        pass(&house, 100);
        assert_int_equal(state_of_task(&house, "t2"), plain.state);
    }
    assert_int_equal(state_of_task(&house, "t0"), ASSIGNED);
    uint64_t batches = stats_of(&house).batches;
    live(&house, "n1", &ear, 10000);
    assert_true(stats_of(&house).batches == batches); /* and it is not tried for ever */
    free(image);
    free(text);
    house_end(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_status_is_stored_with_who_applied_it_and_when),
        cmocka_unit_test(many_statuses_are_one_entry_and_the_newest_of_each_counts),
        cmocka_unit_test(a_task_never_goes_backwards),
        cmocka_unit_test(what_is_known_already_costs_nothing),
        cmocka_unit_test(news_of_the_same_state_is_news),
        cmocka_unit_test(a_task_that_is_gone_is_passed_over),
        cmocka_unit_test(another_nodes_task_refuses_the_whole_call),
        cmocka_unit_test(only_the_session_that_lives_may_report),
        cmocka_unit_test(states_that_are_not_a_nodes_to_set_are_passed_over),
        cmocka_unit_test(a_long_error_is_cut_between_characters),
        cmocka_unit_test(a_status_beyond_the_limit_is_refused),
        cmocka_unit_test(too_many_statuses_in_one_call_are_refused),
        cmocka_unit_test(a_write_that_fails_is_tried_again_under_what_is_newer),
        cmocka_unit_test(more_than_an_entry_takes_goes_into_several),
        cmocka_unit_test(one_that_can_never_be_written_keeps_no_other_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
