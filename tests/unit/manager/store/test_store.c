/* Writers and readers of the store: turns, versions, refusals, names, what is seen when. */
#include "tests/unit/manager/store/fixture.h"

static void what_is_committed_is_there_with_a_version_and_times(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world);
    do_create(&world, node("n1", "alpha"));
    const Docker__Swarmkit__V1__Node *got = store_node(world.store, "n1");
    assert_non_null(got);
    assert_string_equal(got->description->hostname, "alpha");
    assert_int_equal(got->meta->version->index, 10); /* what was committed when it was written */
    assert_int_equal(message_timestamp_ns(got->meta->created_at, 0), world.wall_ns);
    assert_int_equal(store_version(world.store), 11);

    world.wall_ns += 1000000000;
    Docker__Swarmkit__V1__Node changed = *got;
    changed.role = DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER;
    do_update(&world, &changed);
    got = store_node(world.store, "n1");
    assert_int_equal(got->role, DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER);
    assert_int_equal(got->meta->version->index, 11);
    assert_int_equal(message_timestamp_ns(got->meta->updated_at, 0) - message_timestamp_ns(got->meta->created_at, 0), 1000000000);

    do_remove(&world, STORE_NODE, "n1");
    assert_null(store_node(world.store, "n1"));
    assert_int_equal(store_count(world.store, STORE_NODE, STORE_ALL, NULL), 0);
    assert_int_equal(store_size_bytes(world.store), 0);
    world_end(&world);
}

static void followers_have_the_same(void **state)
{
    struct world world;
    char ids[100];
    (void)state;
    world_begin(&world);
    do_create(&world, node("n1", "alpha"));
    do_create(&world, service("s1", "web"));
    do_create(&world, task("t1", "s1", 1, "n1", 512));
    do_remove(&world, STORE_SERVICE, "s1");
    assert_true(message_equal(&store_node(world.store, "n1")->base, &store_node(world.follower, "n1")->base));
    assert_true(message_equal(&store_task(world.store, "t1")->base, &store_task(world.follower, "t1")->base));
    assert_null(store_service(world.follower, "s1"));
    assert_int_equal(find_all(world.follower, STORE_TASK, STORE_BY_NODE, "n1", ids, sizeof ids), 1);
    assert_int_equal(store_size_bytes(world.store), store_size_bytes(world.follower));
    world_end(&world);
}

static void refusals_have_swarmkits_words(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world);
    do_create(&world, service("s1", "web"));
    assert_fails(do_write(&world, CREATE, &service("s1", "other")->base, 0, NULL, err), ERR_EXISTS, "object already exists: service s1");
    assert_fails(do_write(&world, CREATE, &service("s2", "WEB")->base, 0, NULL, err), ERR_EXISTS,
                 "name conflicts with an existing object: service WEB already exists");
    assert_fails(do_write(&world, UPDATE, &service("s9", "nine")->base, 0, NULL, err), ERR_NOT_FOUND, "object does not exist");
    assert_fails(do_write(&world, REMOVE, NULL, STORE_SERVICE, "s9", err), ERR_NOT_FOUND, "object does not exist: service s9");
    assert_fails(do_write(&world, UPDATE, &service("s1", "web")->base, 0, NULL, err), ERR_PRECONDITION, "update out of sequence");
    assert_fails(do_write(&world, CREATE, &service("", "nameless")->base, 0, NULL, err), ERR_INVALID, "without a usable id");
    do_create(&world, node("n1", "same"));
    do_create(&world, node("n2", "same")); /* hostnames are free */
    assert_int_equal(world.entries_count, 3);
    world_end(&world);
}

static void a_name_is_free_again(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world);
    do_create(&world, service("s1", "web"));
    Docker__Swarmkit__V1__Service renamed = copy_of(world.store, service, "s1");
    Docker__Swarmkit__V1__ServiceSpec spec = *renamed.spec;
    Docker__Swarmkit__V1__Annotations annotations = *spec.annotations;
    annotations.name = (char *)(uintptr_t) "shop";
    spec.annotations = &annotations;
    renamed.spec = &spec;
    do_update(&world, &renamed);
    do_create(&world, service("s2", "web"));
    assert_fails(do_write(&world, CREATE, &service("s3", "Shop")->base, 0, NULL, err), ERR_EXISTS, "Shop");
    do_remove(&world, STORE_SERVICE, "s1");
    do_create(&world, service("s3", "Shop"));
    world_end(&world);
}

static void writers_of_different_objects_share_an_entry(void **state)
{
    struct world world;
    struct write_of writes[4] = {0};
    (void)state;
    world_begin(&world);
    for (int i = 0; i < 4; i++) {
        char id[8];
        snprintf(id, sizeof id, "n%d", i);
        writes[i] = (struct write_of){.change = CREATE, .message = message_copy(&node(id, "host")->base), .fails_after = i == 2};
        ask(&world, &writes[i]);
    }
    world_run(&world);
    assert_int_equal(writes[2].done, 1); /* refused at once, and undone */
    assert_int_equal(writes[2].err.code, ERR_INVALID);
    assert_int_equal(writes[0].done, 0);
    assert_null(store_node(world.store, "n0")); /* not committed yet */
    world_commit(&world);
    assert_int_equal(world.entries_count, 1);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(writes[i].done, 1);
        message_free(writes[i].message);
    }
    assert_non_null(store_node(world.store, "n3"));
    assert_null(store_node(world.store, "n2"));
    assert_int_equal(store_count(world.follower, STORE_NODE, STORE_ALL, NULL), 3);
    world_end(&world);
}

static void writers_of_one_object_take_two_entries(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world);
    do_create(&world, node("n1", "alpha"));
    Docker__Swarmkit__V1__Node first = copy_of(world.store, node, "n1"), second = first;
    first.vxlanudpport = 1;
    second.vxlanudpport = 2;
    struct write_of a = {.change = UPDATE, .message = &first.base}, b = {.change = UPDATE, .message = &second.base};
    ask(&world, &a);
    ask(&world, &b);
    world_run(&world);
    world_commit(&world);
    assert_int_equal(a.done, 1);
    assert_int_equal(b.done, 0);
    world_settle(&world);
    assert_int_equal(b.calls, 2);
    assert_int_equal(b.err.code, ERR_PRECONDITION); /* it had the version that the first one replaced */
    assert_int_equal(store_node(world.store, "n1")->vxlanudpport, 1);
    world_end(&world);
}

struct looker {
    size_t by_service, by_node1, by_node2, all;
    bool has_t1;
};

static int move_task(struct store_tx *tx, void *ctx, struct error *err)
{
    struct looker *looker = ctx;
    struct store_cursor cursor;
    *looker = (struct looker){0};
    Docker__Swarmkit__V1__Task moved = *store_tx_task(tx, "t1");
    moved.node_id = (char *)(uintptr_t) "n2";
    int failed = store_tx_update(tx, &moved.base, err);
    if (failed == 0)
        failed = store_tx_create(tx, &task("t3", "s1", 3, "n2", 512)->base, err);
    if (failed == 0)
        failed = store_tx_remove(tx, STORE_TASK, "t2", err);
    for (store_tx_find(tx, STORE_TASK, STORE_BY_SERVICE, "s1", &cursor); store_next(&cursor);)
        looker->by_service++;
    for (store_tx_find(tx, STORE_TASK, STORE_BY_NODE, "n1", &cursor); store_next(&cursor);)
        looker->by_node1++;
    for (store_tx_find(tx, STORE_TASK, STORE_BY_NODE, "n2", &cursor); store_next(&cursor);)
        looker->by_node2++;
    for (store_tx_find(tx, STORE_TASK, STORE_ALL, NULL, &cursor); store_next(&cursor);)
        looker->all++;
    looker->has_t1 = strcmp(store_tx_task(tx, "t1")->node_id, "n2") == 0 && !store_tx_task(tx, "t2");
    return failed;
}

static void a_transaction_sees_its_own_changes_and_others_do_not(void **state)
{
    struct world world;
    struct looker looker = {0};
    char ids[100];
    (void)state;
    world_begin(&world);
    do_create(&world, task("t1", "s1", 1, "n1", 512));
    do_create(&world, task("t2", "s1", 2, "n1", 512));
    store_update(world.store, move_task, NULL, &looker);
    world_run(&world);
    assert_int_equal(looker.by_service, 2);
    assert_int_equal(looker.by_node1, 0);
    assert_int_equal(looker.by_node2, 2);
    assert_int_equal(looker.all, 2);
    assert_true(looker.has_t1);
    assert_int_equal(find_all(world.store, STORE_TASK, STORE_BY_NODE, "n1", ids, sizeof ids), 2);
    assert_string_equal(ids, "t1 t2");
    assert_int_equal(find_all(world.store, STORE_TASK, STORE_BY_NODE, "n2", ids, sizeof ids), 0);
    world_commit(&world);
    assert_int_equal(find_all(world.store, STORE_TASK, STORE_BY_NODE, "n2", ids, sizeof ids), 2);
    assert_int_equal(find_all(world.store, STORE_TASK, STORE_BY_NODE, "n1", ids, sizeof ids), 0);
    world_end(&world);
}

static void what_is_lost_was_never_there(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world);
    do_create(&world, node("n1", "alpha"));
    Docker__Swarmkit__V1__Node changed = copy_of(world.store, node, "n1");
    changed.vxlanudpport = 5;
    struct write_of a = {.change = UPDATE, .message = &changed.base}, b = {.change = REMOVE, .kind = STORE_NODE, .id = "n1"};
    ask(&world, &a);
    world_run(&world);
    ask(&world, &b); /* waits for its turn */
    world_lose(&world, ERR_CANCELED);
    assert_int_equal(a.done, 1);
    assert_int_equal(a.err.code, ERR_CANCELED);
    assert_int_equal(store_node(world.store, "n1")->vxlanudpport, 0);
    store_fail(world.store, &(struct error){.code = ERR_UNAVAILABLE, .message = "node lost leader status"});
    assert_int_equal(b.done, 1);
    assert_string_equal(b.err.message, "node lost leader status");
    assert_int_equal(b.calls, 0);
    world.refuses = ERR_UNAVAILABLE;
    assert_fails(do_write(&world, REMOVE, NULL, STORE_NODE, "n1", err), ERR_UNAVAILABLE, "no leader");
    assert_non_null(store_node(world.store, "n1"));
    world.refuses = 0;
    do_remove(&world, STORE_NODE, "n1");
    world_end(&world);
}

static void whose_change_is_in_the_log_does_not_wait_for_it_when_leading_ends(void **state)
{
    struct world world;
    struct write_of a = {.change = CREATE, .message = &node("n1", "a")->base};
    (void)state;
    world_begin(&world);
    ask(&world, &a);
    world_run(&world);
    assert_int_equal(a.done, 0);
    store_fail(world.store, &(struct error){.code = ERR_UNAVAILABLE, .message = "node lost leader status"});
    assert_int_equal(a.done, 1);
    assert_int_equal(a.err.code, ERR_CANCELED);
    assert_non_null(strstr(a.err.message, "node lost leader status; whether this change was made is not known"));
    world_commit(&world); /* it was, after all */
    assert_int_equal(a.done, 1);
    assert_non_null(store_node(world.store, "n1"));
    do_remove(&world, STORE_NODE, "n1");
    world_end(&world);
}

/* The outcome was not known, the writer was told so, and the entry comes after all: by another leader. */
static void a_lost_entry_may_still_come(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world);
    struct write_of a = {.change = CREATE, .message = &node("n1", "alpha")->base};
    ask(&world, &a);
    world_run(&world);
    cleanup_buf struct buf entry = {0};
    buf_append(&entry, world.entry.data, world.entry.size);
    world_lose(&world, ERR_CANCELED);
    assert_ok(store_apply(world.store, ++world.index, buf_bytes(&entry), err));
    assert_non_null(store_node(world.store, "n1"));
    assert_fails(store_apply(world.store, ++world.index, buf_bytes(&entry), err), ERR_EXISTS, "entry 12: object already exists: node n1");
    world_end(&world);
}

static int many(struct store_tx *tx, void *ctx, struct error *err)
{
    unsigned count = *(unsigned *)ctx, made = 0;
    int failed = 0;
    assert_int_equal(store_tx_room(tx), STORE_ACTIONS_COUNT);
    for (; made < count && failed == 0; made++) {
        char id[16];
        snprintf(id, sizeof id, "m%u", made);
        failed = store_tx_create(tx, &node(id, "many")->base, err);
    }
    return failed;
}

static void a_transaction_has_a_limit_and_several_fill_entries(void **state)
{
    struct world world;
    unsigned too_many = STORE_ACTIONS_COUNT + 1, half = STORE_ACTIONS_COUNT / 2 + 1;
    struct write_of other = {0};
    (void)state;
    world_begin(&world);
    struct error failure = {0};
    store_update(world.store, many, NULL, &too_many);
    world_settle(&world);
    assert_int_equal(store_count(world.store, STORE_NODE, STORE_ALL, NULL), 0);
    assert_int_equal(world.entries_count, 0);
    store_update(world.store, many, NULL, &half);
    other = (struct write_of){.change = CREATE, .message = &service("s1", "web")->base};
    ask(&world, &other);
    world_settle(&world);
    assert_int_equal(world.entries_count, 1);
    assert_int_equal(store_count(world.store, STORE_NODE, STORE_ALL, NULL), half);
    assert_int_equal(failure.code, 0);

    static char text[STORE_ENTRY_SIZE_BYTES];
    memset(text, 'x', sizeof text - 1);
    Docker__Swarmkit__V1__Node *huge = node("huge", text);
    assert_fails(do_write(&world, CREATE, &huge->base, 0, NULL, err), ERR_LIMIT, "too large");
    text[sizeof text - 10000] = 0; /* alone it fits; beside another large one it waits for the next entry */
    struct write_of a = {.change = CREATE, .message = message_copy(&node("large1", text)->base)};
    struct write_of b = {.change = CREATE, .message = message_copy(&node("large2", text)->base)};
    ask(&world, &a);
    ask(&world, &b);
    int before = world.entries_count;
    world_settle(&world);
    assert_int_equal(world.entries_count - before, 2);
    assert_int_equal(a.err.code, 0);
    assert_int_equal(b.err.code, 0);
    message_free(a.message);
    message_free(b.message);
    world_end(&world);
}

static int a_portion(struct store_tx *tx, void *ctx, struct error *err)
{
    unsigned first = *(unsigned *)ctx;
    int failed = 0;
    for (unsigned i = 0; i < STORE_ACTIONS_COUNT && failed == 0; i++) {
        char id[16];
        snprintf(id, sizeof id, "p%u", first + i);
        failed = store_tx_create(tx, &node(id, "portion")->base, err);
    }
    return failed;
}

/* Transactions that were queued together share an entry, up to STORE_ENTRY_ACTIONS_COUNT changes where nothing else is said. */
static void entries_are_larger_than_transactions(void **state)
{
    enum { ENTRIES = 3, PER_ENTRY = STORE_ENTRY_ACTIONS_COUNT / STORE_ACTIONS_COUNT, COUNT = ENTRIES * PER_ENTRY - 1 };
    static unsigned firsts[COUNT];
    struct world world;
    (void)state;
    world_begin(&world);
    store_free(world.store);
    world.store = store_new(&(struct store_options){.log = {world_propose, world_version, world_wake, &world},
                                                    .clock = {.wall_ns = world_wall, .self = &world},
                                                    .random = random_from_seeded(&world.seed),
                                                    .member = 7});
    for (unsigned i = 0; i < COUNT; i++) {
        firsts[i] = i * STORE_ACTIONS_COUNT;
        store_update(world.store, a_portion, NULL, &firsts[i]);
    }
    world_settle(&world);
    assert_int_equal(world.entries_count, ENTRIES);
    assert_int_equal(store_count(world.store, STORE_NODE, STORE_ALL, NULL), COUNT * STORE_ACTIONS_COUNT);
    assert_int_equal(store_count(world.follower, STORE_NODE, STORE_ALL, NULL), COUNT * STORE_ACTIONS_COUNT);
    world_end(&world);
}

static void one_who_changes_nothing_writes_nothing(void **state)
{
    struct world world;
    struct write_of write = {.change = NOTHING};
    (void)state;
    world_begin(&world);
    ask(&world, &write);
    world_settle(&world);
    assert_int_equal(write.done, 1);
    assert_int_equal(write.err.code, 0);
    assert_int_equal(world.entries_count, 0);
    world_end(&world);
}

static void what_is_held_stays_as_it_was(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world);
    do_create(&world, node("n1", "alpha"));
    struct store_object *held = store_object_hold(store_get_object(world.store, STORE_NODE, "n1"));
    Docker__Swarmkit__V1__Node changed = copy_of(world.store, node, "n1");
    changed.vxlanudpport = 9;
    do_update(&world, &changed);
    do_remove(&world, STORE_NODE, "n1");
    assert_int_equal(((Docker__Swarmkit__V1__Node *)(void *)held->message)->vxlanudpport, 0);
    assert_string_equal(store_object_id(held), "n1");
    store_object_release(held);
    world_end(&world);
}

static void objects_are_found_by_each_of_their_keys(void **state)
{
    struct world world;
    char ids[100], key[STORE_SLOT_KEY_SIZE];
    (void)state;
    world_begin(&world);
    Docker__Swarmkit__V1__Task *one = task("t1", "s1", 4, "n1", 512);
    Docker__Swarmkit__V1__ContainerSpec container = DOCKER__SWARMKIT__V1__CONTAINER_SPEC__INIT;
    Docker__Swarmkit__V1__SecretReference secret = DOCKER__SWARMKIT__V1__SECRET_REFERENCE__INIT, *secrets[] = {&secret, &secret};
    Docker__Swarmkit__V1__ConfigReference config = DOCKER__SWARMKIT__V1__CONFIG_REFERENCE__INIT, *configs[] = {&config};
    Docker__Swarmkit__V1__NetworkAttachmentConfig network = DOCKER__SWARMKIT__V1__NETWORK_ATTACHMENT_CONFIG__INIT, *networks[] = {&network};
    secret.secret_id = (char *)(uintptr_t) "secret1";
    config.config_id = (char *)(uintptr_t) "config1";
    network.target = (char *)(uintptr_t) "net1";
    container.secrets = secrets;
    container.n_secrets = 2; /* the same twice */
    container.configs = configs;
    container.n_configs = 1;
    one->spec->runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER;
    one->spec->container = &container;
    one->spec->networks = networks;
    one->spec->n_networks = 1;
    do_create(&world, one);
    do_create(&world, task("t2", "s1", 4, "n2", 640));
    store_slot_key("s1", 4, key);
    const struct {
        enum store_by by;
        const char *key, *want;
    } cases[] = {{STORE_BY_SERVICE, "s1", "t1 t2"},  {STORE_BY_SERVICE, "s2", ""},          {STORE_BY_NODE, "n2", "t2"},
                 {STORE_BY_SLOT, key, "t1 t2"},      {STORE_BY_DESIRED_STATE, "512", "t1"}, {STORE_BY_STATE, "0", "t1 t2"},
                 {STORE_BY_SECRET, "secret1", "t1"}, {STORE_BY_CONFIG, "config1", "t1"},    {STORE_BY_NETWORK, "net1", "t1"},
                 {STORE_BY_ID_PREFIX, "t", "t1 t2"}, {STORE_BY_ID_PREFIX, "t2", "t2"},      {STORE_ALL, NULL, "t1 t2"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        find_all(world.store, STORE_TASK, cases[i].by, cases[i].key, ids, sizeof ids);
        assert_string_equal(ids, cases[i].want);
    }
    assert_int_equal(store_count(world.store, STORE_TASK, STORE_BY_SECRET, "secret1"), 1);
    do_create(&world, service("s1", "Web-One"));
    assert_int_equal(find_all(world.store, STORE_SERVICE, STORE_BY_NAME, "wEB-oNE", ids, sizeof ids), 1);
    assert_int_equal(find_all(world.store, STORE_SERVICE, STORE_BY_NAME_PREFIX, "WEB", ids, sizeof ids), 1);
    assert_int_equal(store_count(world.store, STORE_SERVICE, STORE_BY_NAME, "WEB-one"), 1);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_committed_is_there_with_a_version_and_times),
        cmocka_unit_test(whose_change_is_in_the_log_does_not_wait_for_it_when_leading_ends),
        cmocka_unit_test(followers_have_the_same),
        cmocka_unit_test(refusals_have_swarmkits_words),
        cmocka_unit_test(a_name_is_free_again),
        cmocka_unit_test(writers_of_different_objects_share_an_entry),
        cmocka_unit_test(writers_of_one_object_take_two_entries),
        cmocka_unit_test(a_transaction_sees_its_own_changes_and_others_do_not),
        cmocka_unit_test(what_is_lost_was_never_there),
        cmocka_unit_test(a_lost_entry_may_still_come),
        cmocka_unit_test(a_transaction_has_a_limit_and_several_fill_entries),
        cmocka_unit_test(entries_are_larger_than_transactions),
        cmocka_unit_test(one_who_changes_nothing_writes_nothing),
        cmocka_unit_test(what_is_held_stays_as_it_was),
        cmocka_unit_test(objects_are_found_by_each_of_their_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
