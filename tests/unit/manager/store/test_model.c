/* Thousands of random transactions against a model that is a plain array: what is there, what is found by each key, at the leader and at a
 * follower, and what a watcher that follows all changes ends up with. */
#include "tests/unit/manager/store/fixture.h"

#define TASKS  40
#define ROUNDS 3000

struct model_task {
    bool is_there;
    unsigned service, node, slot, desired;
};

struct step {
    struct model_task model[TASKS]; /* as the transaction wants it to be */
    const struct random *random;
    unsigned changes;
    int result;
};

static const int states[] = {512, 640, 800};

static ProtobufCMessage *as_message(unsigned at, const struct model_task *model)
{
    static char id[16], service_id[16], node_id[16];
    snprintf(id, sizeof id, "t%u", at);
    snprintf(service_id, sizeof service_id, "s%u", model->service);
    snprintf(node_id, sizeof node_id, "n%u", model->node);
    return &task(id, service_id, model->slot, node_id, states[model->desired])->base;
}

static int step_fn(struct store_tx *tx, void *ctx, struct error *err)
{
    struct step *step = ctx;
    int failed = 0;
    for (unsigned i = 0; i < step->changes && failed == 0; i++) {
        unsigned at = (unsigned)random_below(step->random, TASKS);
        struct model_task *model = &step->model[at];
        char id[16];
        snprintf(id, sizeof id, "t%u", at);
        struct model_task next = {true, (unsigned)random_below(step->random, 3), (unsigned)random_below(step->random, 4),
                                  (unsigned)random_below(step->random, 5), (unsigned)random_below(step->random, 3)};
        if (!model->is_there) {
            failed = store_tx_create(tx, as_message(at, &next), err);
            *model = next;
        } else if (random_below(step->random, 3) == 0) {
            failed = store_tx_remove(tx, STORE_TASK, id, err);
            model->is_there = false;
        } else {
            Docker__Swarmkit__V1__Task *changed = (Docker__Swarmkit__V1__Task *)(void *)as_message(at, &next);
            changed->meta = store_tx_task(tx, id)->meta;
            failed = store_tx_update(tx, &changed->base, err);
            *model = next;
        }
    }
    if (failed == 0 && random_below(step->random, 5) == 0)
        failed = error_set(err, ERR_INVALID, "on second thoughts");
    step->result = failed;
    return failed;
}

static void check(const struct store *store, const struct model_task *model)
{
    size_t there = 0;
    char key[STORE_SLOT_KEY_SIZE];
    for (unsigned i = 0; i < TASKS; i++) {
        char id[16];
        snprintf(id, sizeof id, "t%u", i);
        const Docker__Swarmkit__V1__Task *got = store_task(store, id);
        assert_int_equal(got != NULL, model[i].is_there);
        there += model[i].is_there;
        if (got)
            assert_int_equal(got->slot, model[i].slot);
    }
    assert_int_equal(store_count(store, STORE_TASK, STORE_ALL, NULL), there);
    for (unsigned service = 0; service < 3; service++) {
        for (unsigned slot = 0; slot < 5; slot++) {
            size_t want = 0;
            for (unsigned i = 0; i < TASKS; i++)
                want += model[i].is_there && model[i].service == service && model[i].slot == slot;
            snprintf(key, sizeof key, "s%u", service);
            char slot_key[STORE_SLOT_KEY_SIZE];
            store_slot_key(key, slot, slot_key);
            assert_int_equal(find_all(store, STORE_TASK, STORE_BY_SLOT, slot_key, NULL, 0), want);
        }
    }
    for (unsigned node_number = 0; node_number < 4; node_number++) {
        size_t want = 0;
        for (unsigned i = 0; i < TASKS; i++)
            want += model[i].is_there && model[i].node == node_number;
        snprintf(key, sizeof key, "n%u", node_number);
        assert_int_equal(find_all(store, STORE_TASK, STORE_BY_NODE, key, NULL, 0), want);
        assert_int_equal(store_count(store, STORE_TASK, STORE_BY_NODE, key), want);
    }
}

/* A watcher's own copy: the version of each task that it was told of. */
static void follow(struct store_watcher *watcher, uint64_t versions[TASKS])
{
    const struct store_commit *commit;
    struct error err = {0};
    while (store_watch_next(watcher, &commit, &err) == 0)
        for (size_t i = 0; i < commit->count; i++) {
            const struct store_change *change = &commit->changes[i];
            unsigned at = (unsigned)atoi(store_object_id(change->object) + 1);
            assert_int_equal(change->old ? store_object_version(change->old) : 0, versions[at]);
            versions[at] = change->action == STORE_REMOVE ? 0 : store_object_version(change->object);
        }
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void random_transactions_do_what_a_plain_array_does(void **state)
{
    struct world world;
    struct random_seeded seed;
    struct step step = {0};
    struct model_task truth[TASKS] = {0};
    uint64_t versions[TASKS] = {0};
    (void)state;
    random_seeded_init(&seed, 4711);
    struct random random = random_from_seeded(&seed);
    step.random = &random;
    world_begin(&world);
    struct store_watcher *watcher = store_watch(world.store, NULL, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        memcpy(step.model, truth, sizeof truth);
        step.changes = (unsigned)random_below(&random, 6);
        store_update(world.store, step_fn, NULL, &step);
        world_run(&world);
        bool is_lost = world.fn && random_below(&random, 10) == 0;
        if (is_lost)
            world_lose(&world, ERR_CANCELED);
        world_settle(&world);
        if (step.result == 0 && !is_lost)
            memcpy(truth, step.model, sizeof truth);
        if (round % 10 == 0 || round > ROUNDS - 20) {
            check(world.store, truth);
            check(world.follower, truth);
        }
        if (random_below(&random, 3) == 0)
            follow(watcher, versions);
    }
    follow(watcher, versions);
    for (unsigned i = 0; i < TASKS; i++)
        assert_int_equal(versions[i] != 0, truth[i].is_there);
    assert_int_equal(store_size_bytes(world.store), store_size_bytes(world.follower));
    store_unwatch(watcher);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_transactions_do_what_a_plain_array_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
