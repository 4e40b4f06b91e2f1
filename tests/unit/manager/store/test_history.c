/* Those who follow the store: in order, at their own pace, left behind, resumed. */
#include "tests/unit/manager/store/fixture.h"

struct follower {
    struct store_watcher *watcher;
    int ready;
    char seen[512]; /* "+node n1 ~node n1 -node n1" */
    bool leaves;    /* when told */
};

static void ready(void *ctx)
{
    struct follower *follower = ctx;
    follower->ready++;
    if (follower->leaves) {
        store_unwatch(follower->watcher);
        follower->watcher = NULL;
    }
}

static int drain(struct follower *follower, struct error *err)
{
    const struct store_commit *commit;
    struct error end = {0};
    uint64_t version = 0;
    while (store_watch_next(follower->watcher, &commit, &end) == 0) {
        assert_true(commit->version > version);
        version = commit->version;
        for (size_t i = 0; i < commit->count; i++) {
            const struct store_change *change = &commit->changes[i];
            size_t used = strlen(follower->seen);
            assert_int_equal(change->action == STORE_CREATE, change->old == NULL);
            snprintf(follower->seen + used, sizeof follower->seen - used, "%s%c%s", used ? " " : "", "?+~-"[change->action],
                     store_object_id(change->object));
        }
    }
    if (end.code == ERR_NOT_FOUND)
        return 0;
    *err = end;
    return end.code;
}

static void changes_are_seen_in_order(void **state)
{
    struct world world;
    struct follower early = {0}, late = {0};
    (void)state;
    world_begin(&world);
    early.watcher = store_watch(world.store, ready, &early);
    do_create(&world, node("n1", "alpha"));
    late.watcher = store_watch(world.store, ready, &late);
    Docker__Swarmkit__V1__Node changed = copy_of(world.store, node, "n1");
    do_update(&world, &changed);
    do_remove(&world, STORE_NODE, "n1");
    assert_int_equal(early.ready, 1); /* once, until it has read to the end */
    assert_ok(drain(&early, err));
    assert_ok(drain(&late, err));
    assert_string_equal(early.seen, "+n1 ~n1 -n1");
    assert_string_equal(late.seen, "~n1 -n1");
    do_create(&world, node("n2", "beta"));
    assert_int_equal(early.ready, 2);
    assert_ok(drain(&early, err));
    assert_string_equal(early.seen, "+n1 ~n1 -n1 +n2");
    store_unwatch(early.watcher);
    store_unwatch(late.watcher);
    world_end(&world);
}

static void a_slow_one_is_left_behind_and_costs_nothing(void **state)
{
    struct world world;
    struct follower slow = {0}, quick = {0};
    (void)state;
    world_begin_with(&world, 5);
    slow.watcher = store_watch(world.store, ready, &slow);
    quick.watcher = store_watch(world.store, ready, &quick);
    for (int i = 0; i < 10; i++) {
        char id[8];
        snprintf(id, sizeof id, "n%d", i);
        do_create(&world, node(id, "host"));
        assert_ok(drain(&quick, err));
    }
    assert_string_equal(quick.seen, "+n0 +n1 +n2 +n3 +n4 +n5 +n6 +n7 +n8 +n9");
    assert_fails(drain(&slow, err), ERR_LIMIT, "list anew");
    assert_string_equal(slow.seen, "");
    do_create(&world, node("n10", "host")); /* it goes on from there */
    assert_ok(drain(&slow, err));
    assert_string_equal(slow.seen, "+n10");
    store_unwatch(slow.watcher);
    store_unwatch(quick.watcher);
    world_end(&world);
}

static void one_resumes_where_it_was_if_that_is_kept(void **state)
{
    struct world world;
    struct follower follower = {0};
    (void)state;
    world_begin_with(&world, 3);
    uint64_t versions[6];
    for (int i = 0; i < 6; i++) {
        char id[8];
        snprintf(id, sizeof id, "n%d", i);
        do_create(&world, node(id, "host"));
        versions[i] = store_version(world.store);
    }
    assert_ok(store_watch_from(world.store, versions[3], ready, &follower, &follower.watcher, err));
    assert_ok(drain(&follower, err));
    assert_string_equal(follower.seen, "+n4 +n5");
    store_unwatch(follower.watcher);
    assert_ok(store_watch_from(world.store, versions[2], ready, &follower, &follower.watcher, err));
    store_unwatch(follower.watcher);
    assert_fails(store_watch_from(world.store, versions[1], ready, &follower, &follower.watcher, err), ERR_LIMIT, "not kept any more");
    assert_fails(store_watch_from(world.store, versions[5] + 1, ready, &follower, &follower.watcher, err), ERR_INVALID, "not reached yet");
    world_end(&world);
}

static void watchers_may_leave_when_they_are_told(void **state)
{
    struct world world;
    struct follower followers[3] = {{.leaves = true}, {.leaves = true}, {.leaves = false}};
    (void)state;
    world_begin(&world);
    for (int i = 0; i < 3; i++)
        followers[i].watcher = store_watch(world.store, ready, &followers[i]);
    do_create(&world, node("n1", "alpha"));
    for (int i = 0; i < 3; i++)
        assert_int_equal(followers[i].ready, 1);
    assert_ok(drain(&followers[2], err));
    assert_string_equal(followers[2].seen, "+n1");
    store_unwatch(followers[2].watcher);
    world_end(&world);
}

struct eager {
    struct follower follower;
    int told;
};

static void read_at_once(void *ctx)
{
    struct eager *eager = ctx;
    eager->told++;
    assert_ok(drain(&eager->follower, err));
}

static void watchers_may_read_when_they_are_told(void **state)
{
    struct world world;
    struct eager eager[2] = {{{0}, 0}, {{0}, 0}};
    (void)state;
    world_begin(&world);
    for (int i = 0; i < 2; i++)
        eager[i].follower.watcher = store_watch(world.store, read_at_once, &eager[i]);
    do_create(&world, node("n1", "alpha"));
    do_create(&world, node("n2", "beta"));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(eager[i].told, 2);
        assert_string_equal(eager[i].follower.seen, "+n1 +n2");
        store_unwatch(eager[i].follower.watcher);
    }
    world_end(&world);
}

static void a_large_history_is_cut_by_its_bytes(void **state)
{
    struct world world;
    struct follower follower = {0};
    static char text[100000];
    (void)state;
    memset(text, 'x', sizeof text - 1);
    world_begin(&world);
    store_free(world.store);
    world.store = store_new(&(struct store_options){.log = {world_propose, world_version, world_wake, &world},
                                                    .clock = {.wall_ns = world_wall, .self = &world},
                                                    .random = random_from_seeded(&world.seed),
                                                    .history_bytes = 250000});
    follower.watcher = store_watch(world.store, ready, &follower);
    do_create(&world, node("n1", text));
    do_create(&world, node("n2", text));
    assert_ok(drain(&follower, err));
    assert_string_equal(follower.seen, "+n1 +n2");
    for (int i = 3; i < 6; i++) {
        char id[8];
        snprintf(id, sizeof id, "n%d", i);
        do_create(&world, node(id, text));
    }
    assert_fails(drain(&follower, err), ERR_LIMIT, "list anew");
    store_unwatch(follower.watcher);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_seen_in_order),
        cmocka_unit_test(a_slow_one_is_left_behind_and_costs_nothing),
        cmocka_unit_test(one_resumes_where_it_was_if_that_is_kept),
        cmocka_unit_test(watchers_may_leave_when_they_are_told),
        cmocka_unit_test(watchers_may_read_when_they_are_told),
        cmocka_unit_test(a_large_history_is_cut_by_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
