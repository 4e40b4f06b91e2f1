/* tests/unit/manager/dispatcher/test_assignments.c – what a node is told to run, in which message, and when. */
#include "tests/unit/manager/dispatcher/fixture.h"

typedef Docker__Swarmkit__V1__Secret Secret;
typedef Docker__Swarmkit__V1__Config Config;

/* --- secrets, configs, and tasks that need them --- */

static void add_secret(struct house *house, const char *id, const char *driver)
{
    Secret secret = DOCKER__SWARMKIT__V1__SECRET__INIT;
    Docker__Swarmkit__V1__SecretSpec spec = DOCKER__SWARMKIT__V1__SECRET_SPEC__INIT;
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    Docker__Swarmkit__V1__Driver kept = DOCKER__SWARMKIT__V1__DRIVER__INIT;
    char name[64];
    snprintf(name, sizeof name, "name-of-%s", id);
    secret.id = (char *)(uintptr_t)id;
    secret.spec = &spec;
    spec.annotations = &annotations;
    annotations.name = name;
    kept.name = (char *)(uintptr_t)driver;
    spec.driver = driver ? &kept : NULL;
    do_create(&house->world, &secret);
    settle(house);
}

static void add_config(struct house *house, const char *id, size_t size)
{
    Config config = DOCKER__SWARMKIT__V1__CONFIG__INIT;
    Docker__Swarmkit__V1__ConfigSpec spec = DOCKER__SWARMKIT__V1__CONFIG_SPEC__INIT;
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    uint8_t *data = mem_alloc(size + 1);
    config.id = (char *)(uintptr_t)id;
    config.spec = &spec;
    spec.annotations = &annotations;
    annotations.name = (char *)(uintptr_t)id;
    spec.data = (ProtobufCBinaryData){size, data};
    do_create(&house->world, &config);
    settle(house);
    free(data);
}

/* "s1 c2 r:s3": secrets by s, configs by c, resource references by r: in front. */
static void add_task_with(struct house *house, const char *id, const char *node_id, int state, const char *needs)
{
    Task *message = task(id, "", 0, node_id, RUNNING);
    Docker__Swarmkit__V1__ContainerSpec container = DOCKER__SWARMKIT__V1__CONTAINER_SPEC__INIT;
    Docker__Swarmkit__V1__SecretReference secrets[4], *secret_list[4];
    Docker__Swarmkit__V1__ConfigReference configs[4], *config_list[4];
    Docker__Swarmkit__V1__ResourceReference resources[4], *resource_list[4];
    char words[4][16];
    int length;
    container.secrets = secret_list;
    container.configs = config_list;
    message->spec->resource_references = resource_list;
    for (int i = 0; sscanf(needs, " %15s%n", words[i], &length) == 1; needs += length, i++) {
        if (words[i][0] == 'r') {
            Docker__Swarmkit__V1__ResourceReference *one = &resources[message->spec->n_resource_references];
            docker__swarmkit__v1__resource_reference__init(one);
            one->resource_id = words[i] + 2;
            one->resource_type =
                words[i][2] == 's' ? DOCKER__SWARMKIT__V1__RESOURCE_TYPE__SECRET : DOCKER__SWARMKIT__V1__RESOURCE_TYPE__CONFIG;
            resource_list[message->spec->n_resource_references++] = one;
        } else if (words[i][0] == 's') {
            Docker__Swarmkit__V1__SecretReference *one = &secrets[container.n_secrets];
            docker__swarmkit__v1__secret_reference__init(one);
            one->secret_id = words[i];
            secret_list[container.n_secrets++] = one;
        } else {
            Docker__Swarmkit__V1__ConfigReference *one = &configs[container.n_configs];
            docker__swarmkit__v1__config_reference__init(one);
            one->config_id = words[i];
            config_list[container.n_configs++] = one;
        }
    }
    message->spec->runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER;
    message->spec->container = &container;
    message->status->state = (Docker__Swarmkit__V1__TaskState)state;
    do_create(&house->world, message);
    settle(house);
}

static void begin(struct house *house, struct ear *session)
{
    house_begin(house, "n1 n2");
    enter(house, session, "n1", "");
}

/* --- tests --- */

static void the_first_message_is_complete_even_when_empty(void **state)
{
    struct house house = {0};
    struct ear session = {0}, ear = {0};
    (void)state;
    begin(&house, &session);
    follow(&house, &ear, "n1", &session);
    assert_said(&ear, ">1 all\n");
    assert_int_equal(ear.bytes, 3); /* as SwarmKit's: results_in alone */
    house_end(&house);
}

static void it_has_every_task_from_assigned_on_and_what_they_need(void **state)
{
    struct house house = {0};
    struct ear session = {0}, ear = {0};
    (void)state;
    begin(&house, &session);
    add_secret(&house, "s1", NULL);
    add_secret(&house, "s2", NULL);
    add_config(&house, "c1", 10);
    add_task_with(&house, "t1", "n1", PENDING, "s1");
    add_task_with(&house, "t2", "n1", RUNNING, "s1 c1");
    add_task_with(&house, "t3", "n1", FAILED, "s2"); /* history needs nothing */
    add_task_with(&house, "t4", "n2", RUNNING, "s2");
    follow(&house, &ear, "n1", &session);
    assert_said(&ear, ">1 all +secret:s1 +config:c1 +t2 +t3\n");
    house_end(&house);
}

static void changes_are_collected_for_a_tenth_of_a_second(void **state)
{
    struct house house = {0};
    struct ear session = {0}, ear = {0};
    (void)state;
    begin(&house, &session);
    follow(&house, &ear, "n1", &session);
    forget_said(&ear);
    put_task(&house, "t1", "n1", ASSIGNED, RUNNING);
    pass(&house, 60);
    put_task(&house, "t2", "n1", ASSIGNED, RUNNING);
    put_task(&house, "other", "n2", ASSIGNED, RUNNING);
    pass(&house, 39);
    assert_said(&ear, "");
    pass(&house, 1);
    assert_said(&ear, "1>2 +t1 +t2\n");
    put_task(&house, "t3", "n1", ASSIGNED, RUNNING);
    pass(&house, 100);
    assert_said(&ear, "2>3 +t3\n");
    house_end(&house);
}

static void a_hundred_changes_do_not_wait(void **state)
{
    struct house house = {0};
    struct ear session = {0}, ear = {0};
    char id[16];
    (void)state;
    begin(&house, &session);
    follow(&house, &ear, "n1", &session);
    forget_said(&ear);
    for (int i = 0; i < 250; i++) {
        snprintf(id, sizeof id, "t%d", i);
        put_task(&house, id, "n1", ASSIGNED, RUNNING);
        assert_int_equal(ear.messages, (i + 1) / 100);
    }
    assert_int_equal(ear.changes, 200);
    pass(&house, 100);
    assert_int_equal(ear.messages, 3);
    assert_int_equal(ear.changes, 250);
    house_end(&house);
}

static void no_message_has_more_than_a_hundred(void **state)
{
    struct house house = {0};
    struct ear session = {0}, ear = {0};
    char id[16];
    (void)state;
    begin(&house, &session);
    follow(&house, &ear, "n1", &session);
    forget_said(&ear);
    ear.is_full = true;
    for (int i = 0; i < 250; i++) {
        snprintf(id, sizeof id, "t%d", i);
        put_task(&house, id, "n1", ASSIGNED, RUNNING);
    }
    ear.is_full = false;
    dispatcher_assignments_writable(ear.stream);
    settle(&house);
    assert_int_equal(ear.messages, 3);
    assert_int_equal(ear.changes, 250);
    assert_int_equal(strncmp(ear.said, "1>2 +t0 +t1", 11), 0); /* the oldest first */
    assert_non_null(strstr(ear.said, "\n3>4 +t200 "));
    house_end(&house);
}

static void a_task_is_sent_again_when_more_than_its_status_changes(void **state)
{
    struct house house = {0};
    struct ear session = {0}, ear = {0};
    (void)state;
    begin(&house, &session);
    put_task(&house, "t1", "n1", ASSIGNED, RUNNING);
    follow(&house, &ear, "n1", &session);
    forget_said(&ear);
    Task changed = copy_of(house.world.store, task, "t1"); /* only assigned: anything is told */
    do_update(&house.world, &changed);
    pass(&house, 100);
    assert_said(&ear, "1>2 +t1\n");
    put_task(&house, "t1", "n1", ACCEPTED, RUNNING);
    put_task(&house, "t1", "n1", RUNNING, RUNNING); /* what the node itself said */
    pass(&house, 200);
    assert_said(&ear, "");
    put_task(&house, "t1", "n1", RUNNING, SHUTDOWN);
    pass(&house, 100);
    assert_said(&ear, "2>3 +t1!\n");
    house_end(&house);
}

static void one_that_goes_is_removed_by_its_id(void **state)
{
    struct house house = {0};
    struct ear session = {0}, ear = {0};
    (void)state;
    begin(&house, &session);
    put_task(&house, "t1", "n1", RUNNING, SHUTDOWN);
    follow(&house, &ear, "n1", &session);
    forget_said(&ear);
    remove_task(&house, "t1");
    put_task(&house, "t2", "n1", ASSIGNED, RUNNING); /* comes and goes before anyone hears of it */
    remove_task(&house, "t2");
    pass(&house, 100);
    assert_said(&ear, "1>2 -t1\n");
    pass(&house, 1000);
    assert_said(&ear, "");
    house_end(&house);
}

static void one_that_moves_to_another_node_leaves_the_first(void **state)
{
    struct house house = {0};
    struct ear session = {0}, ear = {0};
    (void)state;
    begin(&house, &session);
    put_task(&house, "t1", "n1", RUNNING, RUNNING);
    follow(&house, &ear, "n1", &session);
    forget_said(&ear);
    Task changed = copy_of(house.world.store, task, "t1");
    changed.node_id = (char *)(uintptr_t) "n2";
    do_update(&house.world, &changed);
    pass(&house, 100);
    assert_said(&ear, "1>2 -t1\n");
    house_end(&house);
}

static void secrets_and_configs_come_with_the_first_task_and_go_with_the_last(void **state)
{
    struct house house = {0};
    struct ear session = {0}, ear = {0};
    (void)state;
    begin(&house, &session);
    add_secret(&house, "s1", NULL);
    add_config(&house, "c1", 10);
    follow(&house, &ear, "n1", &session);
    forget_said(&ear);
    add_task_with(&house, "t1", "n1", ASSIGNED, "s1 s1 r:c1");
    pass(&house, 100);
    assert_said(&ear, "1>2 +config:c1 +secret:s1 +t1\n");
    add_task_with(&house, "t2", "n1", ASSIGNED, "s1");
    pass(&house, 100);
    assert_said(&ear, "2>3 +t2\n");
    put_task(&house, "t1", "n1", RUNNING, RUNNING);
    put_task(&house, "t2", "n1", RUNNING, RUNNING);
    pass(&house, 100);
    forget_said(&ear);
    put_task(&house, "t1", "n1", FAILED, SHUTDOWN); /* its config is not needed any more, the secret is */
    pass(&house, 100);
    assert_said(&ear, "3>4 -config:c1 +t1!\n");
    remove_task(&house, "t2");
    pass(&house, 100);
    assert_said(&ear, "4>5 -secret:s1 -t2\n");
    house_end(&house);
}

static void a_failing_task_gives_up_its_secret_without_being_sent(void **state)
{
    struct house house = {0};
    struct ear session = {0}, ear = {0};
    (void)state;
    begin(&house, &session);
    add_secret(&house, "s1", NULL);
    add_task_with(&house, "t1", "n1", RUNNING, "s1");
    follow(&house, &ear, "n1", &session);
    forget_said(&ear);
    put_task(&house, "t1", "n1", FAILED, RUNNING); /* the node said so */
    pass(&house, 100);
    assert_said(&ear, "1>2 -secret:s1\n");
    house_end(&house);
}

static void a_secret_taken_over_by_another_task_stays(void **state)
{
    struct house house = {0};
    struct ear session = {0}, ear = {0};
    (void)state;
    begin(&house, &session);
    add_secret(&house, "s1", NULL);
    add_task_with(&house, "t1", "n1", RUNNING, "s1");
    follow(&house, &ear, "n1", &session);
    forget_said(&ear);
    remove_task(&house, "t1");
    add_task_with(&house, "t2", "n1", ASSIGNED, "s1");
    pass(&house, 100);
    assert_said(&ear, "1>2 -t1 +t2\n");
    house_end(&house);
}

static void a_secret_that_is_gone_does_not_stop_its_task(void **state)
{
    struct house house = {0};
    struct ear session = {0}, ear = {0};
    (void)state;
    begin(&house, &session);
    follow(&house, &ear, "n1", &session);
    forget_said(&ear);
    add_task_with(&house, "t1", "n1", ASSIGNED, "s9");
    pass(&house, 100);
    assert_said(&ear, "1>2 +t1\n");
    remove_task(&house, "t1");
    pass(&house, 100);
    assert_said(&ear, "2>3 -t1\n"); /* what was never sent is not taken back */
    house_end(&house);
}

static void a_task_whose_secret_a_driver_keeps_is_refused_with_the_reason(void **state)
{
    struct house house = {0};
    struct ear session = {0}, ear = {0};
    (void)state;
    begin(&house, &session);
    add_secret(&house, "s1", "vault");
    add_task_with(&house, "t0", "n1", ASSIGNED, "s1");
    follow(&house, &ear, "n1", &session);
    assert_said(&ear, ">1 all\n");
    add_task_with(&house, "t1", "n1", ASSIGNED, "s1");
    pass(&house, 250);
    for (int i = 0; i < 2; i++) {
        const Status *status = store_task(house.world.store, i == 0 ? "t0" : "t1")->status;
        assert_int_equal(status->state, REJECTED);
        assert_non_null(strstr(status->err, "secret name-of-s1 is kept by the driver vault"));
    }
    assert_non_null(strstr(ear.said, "+t1")); /* as history: the node does nothing with it */
    assert_null(strstr(ear.said, "secret"));
    house_end(&house);
}

static void a_task_that_runs_with_such_a_secret_runs_on(void **state)
{
    struct house house = {0};
    struct ear session = {0}, ear = {0};
    (void)state;
    begin(&house, &session);
    add_secret(&house, "s1", "vault");
    add_task_with(&house, "t1", "n1", RUNNING, "s1"); /* a manager before us had the driver */
    follow(&house, &ear, "n1", &session);
    pass(&house, 200);
    assert_said(&ear, ">1 all +t1\n");
    assert_int_equal(state_of_task(&house, "t1"), RUNNING);
    house_end(&house);
}

static void large_secrets_share_messages_up_to_a_size(void **state)
{
    struct house house = {0};
    struct ear session = {0}, ear = {0};
    char id[16], needs[16];
    (void)state;
    begin(&house, &session);
    follow(&house, &ear, "n1", &session);
    forget_said(&ear);
    for (int i = 0; i < 12; i++) {
        snprintf(needs, sizeof needs, "c%d", i);
        snprintf(id, sizeof id, "t%d", i);
        add_config(&house, needs, 1000 * KIB);
        add_task_with(&house, id, "n1", ASSIGNED, needs);
    }
    pass(&house, 100);
    assert_int_equal(ear.messages, 3); /* five go beyond four MiB, and again */
    assert_int_equal(ear.changes, 24);
    house_end(&house);
}

static void a_stream_is_for_the_session_that_lives(void **state)
{
    struct house house = {0};
    struct ear session = {0}, ear = {0};
    (void)state;
    begin(&house, &session);
    assert_fails(try_open(&house, &ear, "n1", "made-up", err), ERR_INVALID, "session invalid");
    assert_fails(try_open(&house, &ear, "n9", "", err), ERR_NOT_FOUND, "node not registered");
    house_end(&house);
}

static void a_second_stream_begins_at_one_again(void **state)
{
    struct house house = {0};
    struct ear session = {0}, first = {0}, second = {0};
    (void)state;
    begin(&house, &session);
    follow(&house, &first, "n1", &session);
    put_task(&house, "t1", "n1", ASSIGNED, RUNNING);
    pass(&house, 100);
    forget_said(&first);
    follow(&house, &second, "n1", &session);
    assert_said(&second, ">1 all +t1\n");
    put_task(&house, "t2", "n1", ASSIGNED, RUNNING);
    pass(&house, 100);
    assert_said(&first, "2>3 +t2\n");
    assert_said(&second, "1>2 +t2\n");
    dispatcher_assignments_close(first.stream);
    put_task(&house, "t3", "n1", ASSIGNED, RUNNING);
    pass(&house, 100);
    assert_said(&first, "");
    assert_said(&second, "2>3 +t3\n");
    assert_int_equal(stats_of(&house).assignments, 1);
    house_end(&house);
}

static void a_stream_that_takes_nothing_is_ended(void **state)
{
    struct house house = {0};
    struct ear session = {0}, ear = {0};
    (void)state;
    begin(&house, &session);
    follow(&house, &ear, "n1", &session);
    ear.is_full = true;
    put_task(&house, "t1", "n1", ASSIGNED, RUNNING);
    live(&house, "n1", &session, DISPATCHER_STALL_MS);
    assert_int_equal(ear.ends, 0);
    live(&house, "n1", &session, 200);
    assert_int_equal(ear.ends, 1);
    assert_int_equal(ear.end.code, ERR_ABORTED);
    assert_int_equal(stats_of(&house).stalled, 1);
    assert_int_equal(session.ends, 0);
    house_end(&house);
}

static void one_that_takes_again_in_time_misses_nothing(void **state)
{
    struct house house = {0};
    struct ear session = {0}, ear = {0};
    (void)state;
    begin(&house, &session);
    put_task(&house, "t1", "n1", ASSIGNED, RUNNING);
    put_task(&house, "t2", "n1", RUNNING, RUNNING);
    follow(&house, &ear, "n1", &session);
    forget_said(&ear);
    ear.is_full = true;
    remove_task(&house, "t1");
    live(&house, "n1", &session, 1000);
    put_task(&house, "t2", "n1", RUNNING, SHUTDOWN);
    put_task(&house, "t3", "n1", ASSIGNED, RUNNING);
    live(&house, "n1", &session, 30000);
    put_task(&house, "t2", "n1", FAILED, SHUTDOWN);
    ear.is_full = false;
    dispatcher_assignments_writable(ear.stream);
    settle(&house);
    assert_said(&ear, "1>2 -t1 +t2! +t3\n");
    live(&house, "n1", &session, DISPATCHER_STALL_MS + 1000);
    assert_int_equal(ear.ends, 0);
    house_end(&house);
}

static void what_waits_for_a_stream_is_bounded(void **state)
{
    struct house house = {0};
    struct ear session = {0}, ear = {0};
    struct dispatcher_stats stats;
    (void)state;
    begin(&house, &session);
    follow(&house, &ear, "n1", &session);
    ear.is_full = true;
    put_task(&house, "t", "n1", ASSIGNED, RUNNING);
    pass(&house, 100);
    char id[16];
    for (unsigned i = 0; i < DISPATCHER_WAITING_COUNT / 100 + 1 && ear.ends == 0; i++) {
        struct write_of writes[100];
        for (unsigned j = 0; j < 100; j++) {
            snprintf(id, sizeof id, "x%u", i * 100 + j);
            writes[j] = (struct write_of){.change = CREATE, .message = message_copy(&task(id, "", 0, "n1", RUNNING)->base)};
            ((Task *)(void *)writes[j].message)->status->state = ASSIGNED;
            ask(&house.world, &writes[j]);
        }
        world_settle(&house.world);
        settle(&house);
        for (unsigned j = 0; j < 100; j++)
            message_free(writes[j].message);
    }
    assert_int_equal(ear.ends, 1);
    assert_int_equal(ear.end.code, ERR_ABORTED);
    stats = stats_of(&house);
    assert_int_equal(stats.assignments, 0);
    house_end(&house);
}

static void a_message_that_is_refused_ends_the_stream(void **state)
{
    struct house house = {0};
    struct ear session = {0}, ear = {0};
    (void)state;
    begin(&house, &session);
    ear.refuses = ERR_LIMIT;
    assert_ok(try_open(&house, &ear, "n1", session.session_id, err));
    settle(&house);
    assert_ended(&ear, ERR_LIMIT, "refused");
    house_end(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_message_is_complete_even_when_empty),
        cmocka_unit_test(it_has_every_task_from_assigned_on_and_what_they_need),
        cmocka_unit_test(changes_are_collected_for_a_tenth_of_a_second),
        cmocka_unit_test(a_hundred_changes_do_not_wait),
        cmocka_unit_test(no_message_has_more_than_a_hundred),
        cmocka_unit_test(a_task_is_sent_again_when_more_than_its_status_changes),
        cmocka_unit_test(one_that_goes_is_removed_by_its_id),
        cmocka_unit_test(one_that_moves_to_another_node_leaves_the_first),
        cmocka_unit_test(secrets_and_configs_come_with_the_first_task_and_go_with_the_last),
        cmocka_unit_test(a_failing_task_gives_up_its_secret_without_being_sent),
        cmocka_unit_test(a_secret_taken_over_by_another_task_stays),
        cmocka_unit_test(a_secret_that_is_gone_does_not_stop_its_task),
        cmocka_unit_test(a_task_whose_secret_a_driver_keeps_is_refused_with_the_reason),
        cmocka_unit_test(a_task_that_runs_with_such_a_secret_runs_on),
        cmocka_unit_test(large_secrets_share_messages_up_to_a_size),
        cmocka_unit_test(a_stream_is_for_the_session_that_lives),
        cmocka_unit_test(a_second_stream_begins_at_one_again),
        cmocka_unit_test(a_stream_that_takes_nothing_is_ended),
        cmocka_unit_test(one_that_takes_again_in_time_misses_nothing),
        cmocka_unit_test(what_waits_for_a_stream_is_bounded),
        cmocka_unit_test(a_message_that_is_refused_ends_the_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
