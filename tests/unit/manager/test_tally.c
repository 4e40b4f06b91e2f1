/* tests/unit/manager/test_tally.c */
#include "manager/tally.h"

#include "google/protobuf/timestamp.pb-c.h"
#include "tests/unit/manager/store/fixture.h"
#include "tests/unit/metrics_reader.h"

#define STATE(name) DOCKER__SWARMKIT__V1__TASK_STATE__##name

static struct world world;
static struct tally tally;

static int setup(void **state)
{
    (void)state;
    world_begin(&world);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tally_end(&tally);
    world_end(&world);
    return 0;
}

/* @status: which state since how many seconds. */
static Docker__Swarmkit__V1__Task *make_task(const char *id, const char *service_id, int desired, int state, int64_t age_s)
{
    static Google__Protobuf__Timestamp since;
    Docker__Swarmkit__V1__Task *made = task(id, service_id, 1, "n1", desired);
    message_set_timestamp(&since, world.wall_ns - age_s * (int64_t)NS_PER_S);
    made->status->state = (Docker__Swarmkit__V1__TaskState)state;
    made->status->timestamp = &since;
    return made;
}

static void put_task(const char *id, const char *service_id, int desired, int state, int64_t age_s)
{
    do_create(&world, make_task(id, service_id, desired, state, age_s));
}

static void change_task(const char *id, int desired, int state, int64_t age_s)
{
    const Docker__Swarmkit__V1__Task *old = store_task(world.store, id);
    Docker__Swarmkit__V1__Task *made = make_task(id, old->service_id, desired, state, age_s);
    made->meta = old->meta;
    do_update(&world, made);
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
    tally_follow(&tally, world.store);
    tally_tell(&tally, world.wall_ns, &metrics);
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

static void what_changes_is_followed(void **state)
{
    (void)state;
    put_service("s1", "web", false, 2);
    assert_int_equal(told("skep_service_tasks_running" WEB), 0);
    put_task("t1", "s1", STATE(RUNNING), STATE(STARTING), 100);
    put_task("t2", "s1", STATE(RUNNING), STATE(STARTING), 100);
    assert_int_equal(told("skep_tasks_older{state=\"starting\",than=\"60\"}"), 2);
    change_task("t1", STATE(RUNNING), STATE(RUNNING), 70);
    assert_int_equal(told("skep_service_tasks_running" WEB), 1);
    assert_int_equal(told("skep_tasks_older{state=\"starting\",than=\"60\"}"), 1);
    assert_int_equal(told("skep_tasks_older{state=\"running\",than=\"60\"}"), 1);
    world.wall_ns += 3600 * (int64_t)NS_PER_S;
    assert_int_equal(told("skep_tasks_oldest_seconds{state=\"running\"}"), 3670);
    change_task("t1", STATE(SHUTDOWN), STATE(SHUTDOWN), 0);
    do_remove(&world, STORE_TASK, "t2");
    assert_int_equal(told("skep_service_tasks_running" WEB), 0);
    assert_int_equal(told("skep_tasks_oldest_seconds{state=\"starting\"}"), 0);
    do_remove(&world, STORE_TASK, "t1");
    assert_null(tally.services);
    assert_null(tally.moments);
}

/* Whatever happened, it is as if all were counted now. */
static void following_and_counting_anew_agree(void **state)
{
    (void)state;
    static const int states[] = {STATE(NEW), STATE(PENDING), STATE(ASSIGNED), STATE(RUNNING), STATE(COMPLETE), STATE(FAILED)};
    struct random_seeded seed;
    random_seeded_init(&seed, 7);
    struct random random = random_from_seeded(&seed);
    put_service("s1", "web", false, 3);
    put_service("s2", "all", true, 0);
    for (int i = 0; i < 600; i++) {
        char id[8];
        uint64_t dice = random_u64(&random);
        snprintf(id, sizeof id, "t%u", (unsigned)(dice % 20));
        int now = states[(dice >> 8) % 6], desired = (dice >> 16) % 3 ? STATE(RUNNING) : STATE(SHUTDOWN);
        if (store_task(world.store, id) == NULL)
            put_task(id, (dice >> 24) % 2 ? "s1" : "s2", desired, now, (int64_t)((dice >> 32) % 500));
        else if ((dice >> 24) % 4 == 0)
            do_remove(&world, STORE_TASK, id);
        else
            change_task(id, desired, now, (int64_t)((dice >> 32) % 500));
        cleanup_buf struct buf followed = {0}, counted = {0};
        struct tally fresh = {0};
        tally_follow(&tally, world.store);
        tally_tell(&tally, world.wall_ns, &(struct metrics){.out = &followed});
        tally_follow(&fresh, world.store);
        tally_tell(&fresh, world.wall_ns, &(struct metrics){.out = &counted});
        tally_end(&fresh);
        assert_string_equal((char *)followed.data, (char *)counted.data);
    }
}

static void one_that_is_told_of_too_much_at_once_counts_anew(void **state)
{
    (void)state;
    struct buf membership = {0}, image_bytes = {0};
    put_service("s1", "web", false, 2);
    put_task("t1", "s1", STATE(RUNNING), STATE(RUNNING), 100);
    struct store_image *image = store_image_open(world.store, bytes_of(NULL, 0));
    for (size_t size = SIZE_MAX; size != image_bytes.size;) {
        size = image_bytes.size;
        store_image_read(image, KIB, &image_bytes);
    }
    store_image_close(image);
    put_task("t2", "s1", STATE(RUNNING), STATE(RUNNING), 100);
    assert_int_equal(told("skep_service_tasks_running" WEB), 2);
    store_restore_begin(world.store);
    assert_ok(store_restore_add(world.store, buf_bytes(&image_bytes), err));
    assert_ok(store_restore_end(world.store, world.index + 1, &membership, err));
    assert_int_equal(told("skep_service_tasks_running" WEB), 1);
    buf_deinit(&membership);
    buf_deinit(&image_bytes);
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
    tally_follow(&tally, world.store);
    tally_tell(&tally, world.wall_ns, &metrics);
    assert_int_equal(metrics_value_of((char *)out.data, "skep_services_not_told"), 3);
    assert_int_equal(metrics_value_of((char *)out.data, "skep_services_not_told_tasks_desired"), 6);
    assert_int_equal(metrics_value_of((char *)out.data, "skep_services_not_told_tasks_running"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(services_are_told_by_what_they_ask_for_and_what_runs, setup, teardown),
        cmocka_unit_test_setup_teardown(ages_are_told_by_state, setup, teardown),
        cmocka_unit_test_setup_teardown(what_changes_is_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(following_and_counting_anew_agree, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_is_told_of_too_much_at_once_counts_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(services_beyond_the_limit_are_added_up, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
