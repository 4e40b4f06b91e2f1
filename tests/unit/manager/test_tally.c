/* tests/unit/manager/test_tally.c */
#include "manager/tally.h"

#include "google/protobuf/timestamp.pb-c.h"
#include "tests/unit/manager/store/fixture.h"
#include "tests/unit/metrics_reader.h"

#define STATE(name) DOCKER__SWARMKIT__V1__TASK_STATE__##name

static struct world world;
static uint64_t now_ns;
static struct tally tally;

static uint64_t monotonic(void *self)
{
    (void)self;
    return now_ns;
}

static int64_t wall(void *self)
{
    (void)self;
    return world.wall_ns;
}

static const struct clock test_clock = {monotonic, wall, NULL};

static int setup(void **state)
{
    (void)state;
    world_begin(&world);
    now_ns = 1000 * NS_PER_S;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tally_deinit(&tally);
    world_end(&world);
    return 0;
}

/* @status: which state since how many seconds. */
static void put_task(const char *id, const char *service_id, int desired, int state, int64_t age_s)
{
    Docker__Swarmkit__V1__TaskStatus status = DOCKER__SWARMKIT__V1__TASK_STATUS__INIT;
    Google__Protobuf__Timestamp since;
    Docker__Swarmkit__V1__Task *made = task(id, service_id, 1, "n1", desired);
    message_set_timestamp(&since, world.wall_ns - age_s * (int64_t)NS_PER_S);
    status.state = (Docker__Swarmkit__V1__TaskState)state;
    status.timestamp = &since;
    made->status = &status;
    do_create(&world, made);
}

static void put_service(const char *id, const char *name, bool is_global, uint64_t replicas)
{
    Docker__Swarmkit__V1__Service *made = service(id, name);
    Docker__Swarmkit__V1__ReplicatedService replicated = DOCKER__SWARMKIT__V1__REPLICATED_SERVICE__INIT;
    Docker__Swarmkit__V1__GlobalService global = DOCKER__SWARMKIT__V1__GLOBAL_SERVICE__INIT;
    replicated.replicas = replicas;
    made->spec->mode_case =
        is_global ? DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_GLOBAL : DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED;
    if (is_global)
        made->spec->global = &global;
    else
        made->spec->replicated = &replicated;
    do_create(&world, made);
}

static double told(const char *sample)
{
    cleanup_buf struct buf out = {0};
    struct metrics metrics = {.out = &out};
    tally_take(&tally, world.store, &test_clock);
    tally_tell(&tally, &metrics);
    metrics_check((char *)out.data);
    return metrics_value_of((char *)out.data, sample);
}

#define WEB "{service_id=\"s1\",service_name=\"web\",mode=\"replicated\"}"
#define ALL "{service_id=\"s2\",service_name=\"all\",mode=\"global\"}"

static void services_are_told_by_what_they_ask_for_and_what_runs(void **state)
{
    (void)state;
    put_service("s1", "web", false, 3);
    put_service("s2", "all", true, 0);
    put_task("t1", "s1", STATE(RUNNING), STATE(RUNNING), 5);
    put_task("t2", "s1", STATE(RUNNING), STATE(PREPARING), 5);
    put_task("t3", "s1", STATE(SHUTDOWN), STATE(FAILED), 5);
    put_task("t4", "s2", STATE(RUNNING), STATE(RUNNING), 5);
    put_task("t5", "s2", STATE(RUNNING), STATE(PENDING), 5);
    put_task("t6", "s2", STATE(SHUTDOWN), STATE(SHUTDOWN), 5);
    put_task("t7", "gone", STATE(RUNNING), STATE(RUNNING), 5);
    assert_int_equal(told("skep_service_tasks_desired" WEB), 3);
    assert_int_equal(told("skep_service_tasks_running" WEB), 1);
    assert_int_equal(told("skep_service_tasks_desired" ALL), 2);
    assert_int_equal(told("skep_service_tasks_running" ALL), 1);
    assert_int_equal(told("skep_services_not_told"), 0);
}

static void ages_are_told_by_state(void **state)
{
    (void)state;
    put_task("t1", "s1", STATE(RUNNING), STATE(PREPARING), 61);
    put_task("t2", "s1", STATE(RUNNING), STATE(PREPARING), 400);
    put_task("t3", "s1", STATE(RUNNING), STATE(PREPARING), -30); /* a node whose clock runs ahead */
    put_task("t4", "s1", STATE(RUNNING), STATE(ORPHANED), 100000);
    assert_int_equal(told("skep_tasks_older{state=\"preparing\",than=\"10\"}"), 2);
    assert_int_equal(told("skep_tasks_older{state=\"preparing\",than=\"60\"}"), 2);
    assert_int_equal(told("skep_tasks_older{state=\"preparing\",than=\"300\"}"), 1);
    assert_int_equal(told("skep_tasks_older{state=\"preparing\",than=\"3600\"}"), 0);
    assert_int_equal(told("skep_tasks_older{state=\"orphaned\",than=\"86400\"}"), 1);
    assert_int_equal(told("skep_tasks_oldest_seconds{state=\"preparing\"}"), 400);
    assert_int_equal(told("skep_tasks_oldest_seconds{state=\"new\"}"), 0);
}

static void tasks_are_not_looked_through_at_every_scrape(void **state)
{
    (void)state;
    put_service("s1", "web", false, 1);
    assert_int_equal(told("skep_service_tasks_running" WEB), 0);
    put_task("t1", "s1", STATE(RUNNING), STATE(RUNNING), 1);
    now_ns += METRICS_TALLY_MS * NS_PER_MS - 1;
    assert_int_equal(told("skep_service_tasks_running" WEB), 0);
    now_ns += 1;
    assert_int_equal(told("skep_service_tasks_running" WEB), 1);
}

static void services_beyond_the_limit_are_added_up(void **state)
{
    (void)state;
    char id[16];
    for (unsigned i = 0; i < METRICS_SERVICES_COUNT + 3; i++) {
        snprintf(id, sizeof id, "s%05u", i);
        put_service(id, id, false, 2);
    }
    snprintf(id, sizeof id, "s%05u", METRICS_SERVICES_COUNT + 1);
    put_task("t1", id, STATE(RUNNING), STATE(RUNNING), 1);
    cleanup_buf struct buf out = {0};
    struct metrics metrics = {.out = &out};
    tally_take(&tally, world.store, &test_clock);
    tally_tell(&tally, &metrics);
    assert_int_equal(metrics_value_of((char *)out.data, "skep_services_not_told"), 3);
    assert_int_equal(metrics_value_of((char *)out.data, "skep_services_not_told_tasks_desired"), 6);
    assert_int_equal(metrics_value_of((char *)out.data, "skep_services_not_told_tasks_running"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(services_are_told_by_what_they_ask_for_and_what_runs, setup, teardown),
        cmocka_unit_test_setup_teardown(ages_are_told_by_state, setup, teardown),
        cmocka_unit_test_setup_teardown(tasks_are_not_looked_through_at_every_scrape, setup, teardown),
        cmocka_unit_test_setup_teardown(services_beyond_the_limit_are_added_up, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
