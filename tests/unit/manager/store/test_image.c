/* Images of the store: written part by part while it changes, read in parts of any size, also as SwarmKit writes them, also damaged. */
#include "proto/swarmkit/snapshot.pb-c.h"
#include "tests/unit/manager/store/fixture.h"

static void fill(struct world *world)
{
    do_create(world, node("n1", "alpha"));
    do_create(world, node("n2", "beta"));
    do_create(world, service("s1", "web"));
    for (uint64_t i = 1; i <= 20; i++) {
        char id[8];
        snprintf(id, sizeof id, "t%d", (int)i);
        do_create(world, task(id, "s1", i, i % 2 ? "n1" : "n2", 512));
    }
}

static void write_image(struct store_image *image, size_t most_bytes, struct buf *out)
{
    size_t before;
    do {
        before = out->size;
        store_image_read(image, most_bytes, out);
    } while (out->size > before);
}

static int read_image(struct store *store, struct bytes image, size_t part_size, struct buf *membership, struct error *err)
{
    int failed = 0;
    store_restore_begin(store);
    for (size_t at = 0; at < image.size && failed == 0; at += part_size)
        failed = store_restore_add(store, bytes_of(image.data + at, image.size - at < part_size ? image.size - at : part_size), err);
    int ended = store_restore_end(store, 99, membership, err);
    return failed < 0 ? failed : ended;
}

static void what_is_written_is_read_in_parts_of_any_size(void **state)
{
    struct world world;
    char before[400], after[400];
    (void)state;
    world_begin(&world);
    fill(&world);
    for (size_t part = 1; part < 400; part = part * 3 + 1) {
        cleanup_buf struct buf bytes = {0}, membership = {0};
        struct store_image *image = store_image_open(world.store, bytes_of_string("who belongs to it"));
        write_image(image, part, &bytes);
        store_image_close(image);
        assert_ok(read_image(world.follower, buf_bytes(&bytes), part, &membership, err));
        assert_true(bytes_equal(buf_bytes(&membership), bytes_of_string("who belongs to it")));
        assert_int_equal(store_version(world.follower), 99);
        assert_int_equal(find_all(world.follower, STORE_TASK, STORE_BY_NODE, "n2", after, sizeof after), 10);
        find_all(world.store, STORE_TASK, STORE_BY_NODE, "n2", before, sizeof before);
        assert_string_equal(before, after);
        assert_int_equal(store_size_bytes(world.store), store_size_bytes(world.follower));
        assert_true(message_equal(&store_task(world.store, "t7")->base, &store_task(world.follower, "t7")->base));
    }
    world_end(&world);
}

static void an_image_is_of_the_moment_when_it_was_opened(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world);
    fill(&world);
    cleanup_buf struct buf bytes = {0}, membership = {0};
    struct store_image *image = store_image_open(world.store, bytes_of(NULL, 0));
    store_image_read(image, 100, &bytes);
    do_remove(&world, STORE_TASK, "t20");
    do_create(&world, node("n3", "gamma"));
    Docker__Swarmkit__V1__Task changed = copy_of(world.store, task, "t19");
    changed.slot = 77;
    do_update(&world, &changed);
    write_image(image, 100, &bytes);
    store_image_close(image);
    assert_ok(read_image(world.follower, buf_bytes(&bytes), 64, &membership, err));
    assert_non_null(store_task(world.follower, "t20"));
    assert_null(store_node(world.follower, "n3"));
    assert_int_equal(store_task(world.follower, "t19")->slot, 19);
    world.entries_count = 0;
    /* the follower's version is now beside the leader's: nothing more is asked of it */
    store_free(world.follower);
    world.follower = world_store(&world, 0);
    world_end(&world);
}

/* As Go's code does it: one store field with everything in it, the version first. */
static void swarmkits_form_is_read(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world);
    fill(&world);
    cleanup_buf struct buf parts = {0}, whole = {0}, membership = {0};
    struct store_image *image = store_image_open(world.store, bytes_of(NULL, 0));
    write_image(image, 1000, &parts);
    store_image_close(image);
    Docker__Swarmkit__V1__Snapshot *snapshot; /* protobuf's own reader puts the parts together */
    assert_ok(MESSAGE_UNPACK(Docker__Swarmkit__V1__Snapshot, docker__swarmkit__v1__snapshot, buf_bytes(&parts), 1 << 20, &snapshot, err));
    assert_int_equal(snapshot->store->n_tasks, 20);
    assert_int_equal(snapshot->store->n_nodes, 2);
    message_pack(&snapshot->base, &whole);
    message_free(&snapshot->base);
    assert_ok(read_image(world.follower, buf_bytes(&whole), 100, &membership, err));
    assert_int_equal(store_count(world.follower, STORE_TASK, STORE_BY_SERVICE, "s1"), 20);
    assert_int_equal(store_count(world.follower, STORE_SERVICE, STORE_BY_NAME, "web"), 1);
    world_end(&world);
}

static void a_damaged_image_changes_nothing(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world);
    fill(&world);
    cleanup_buf struct buf bytes = {0}, membership = {0};
    struct store_image *image = store_image_open(world.store, bytes_of(NULL, 0));
    write_image(image, 1000, &bytes);
    store_image_close(image);
    assert_fails(read_image(world.follower, bytes_of(bytes.data, bytes.size - 1), 50, &membership, err), ERR_CORRUPT, "cut short");
    assert_int_equal(store_count(world.follower, STORE_TASK, STORE_ALL, NULL), 20);
    cleanup_buf struct buf twice = {0};
    buf_append(&twice, bytes.data, bytes.size);
    buf_append(&twice, bytes.data, bytes.size);
    assert_fails(read_image(world.follower, buf_bytes(&twice), 50, &membership, err), ERR_CORRUPT, "is there twice");
    static const uint8_t huge[] = {0x1a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x0a, 0xff, 0xff, 0xff, 0x7f};
    assert_fails(read_image(world.follower, bytes_of(huge, sizeof huge), 3, &membership, err), ERR_LIMIT, "more than");
    static const uint8_t endless[32] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    assert_fails(read_image(world.follower, bytes_of(endless, sizeof endless), 32, &membership, err), ERR_CORRUPT, "malformed");
    static const uint8_t across[] = {0x1a, 0x02, 0x0a, 0x05, 0, 0, 0, 0, 0};
    assert_fails(read_image(world.follower, bytes_of(across, sizeof across), 9, &membership, err), ERR_CORRUPT,
                 "longer than what holds it");
    assert_int_equal(store_count(world.follower, STORE_TASK, STORE_ALL, NULL), 20);
    assert_int_equal(membership.size, 0);
    world_end(&world);
}

static void ready(void *ctx)
{
    ++*(int *)ctx;
}

static void watchers_of_a_restored_store_list_anew(void **state)
{
    struct world world;
    const struct store_commit *commit;
    int told = 0;
    (void)state;
    world_begin(&world);
    cleanup_buf struct buf bytes = {0}, membership = {0};
    struct store_image *image = store_image_open(world.store, bytes_of(NULL, 0));
    write_image(image, 1000, &bytes);
    store_image_close(image);
    struct store_watcher *watcher = store_watch(world.follower, ready, &told);
    fill(&world);
    assert_ok(read_image(world.follower, buf_bytes(&bytes), 1000, &membership, err));
    assert_int_equal(told, 1); /* by the first of fill's changes; it has not read since */
    assert_fails(store_watch_next(watcher, &commit, err), ERR_LIMIT, "list anew");
    assert_fails(store_watch_next(watcher, &commit, err), ERR_NOT_FOUND, "nothing new");
    assert_int_equal(store_count(world.follower, STORE_TASK, STORE_ALL, NULL), 0);
    store_unwatch(watcher);
    world_end(&world);
}

/* A member that leads no more is sent an image while its last change is on its way: the change's writer is told, the image stands. */
static void an_image_comes_while_a_change_is_on_its_way(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world);
    do_create(&world, node("n1", "alpha"));
    cleanup_buf struct buf bytes = {0}, membership = {0};
    struct store_image *image = store_image_open(world.store, bytes_of(NULL, 0));
    write_image(image, 1000, &bytes);
    store_image_close(image);
    struct write_of write = {.change = REMOVE, .kind = STORE_NODE, .id = "n1"};
    ask(&world, &write);
    world_run(&world);
    assert_ok(read_image(world.store, buf_bytes(&bytes), 1000, &membership, err));
    world_lose(&world, ERR_CANCELED);
    assert_int_equal(write.err.code, ERR_CANCELED);
    assert_non_null(store_node(world.store, "n1"));
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_in_parts_of_any_size),
        cmocka_unit_test(an_image_is_of_the_moment_when_it_was_opened),
        cmocka_unit_test(swarmkits_form_is_read),
        cmocka_unit_test(a_damaged_image_changes_nothing),
        cmocka_unit_test(watchers_of_a_restored_store_list_anew),
        cmocka_unit_test(an_image_comes_while_a_change_is_on_its_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
