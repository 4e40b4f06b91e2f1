/* tests/unit/raft/log/test_crash_memory.c – the power goes at a random moment, sectors survive in any order, again and again: what comes
 * back is always a state the rules allow. RAFT_CRASH_SEEDS=n runs n seeds, RAFT_CRASH_SEED=s one. */
#include <stdlib.h>

#include "tests/unit/raft/log/model.h"

struct power {
    uint64_t left; /* operations until it goes */
};

static int until_off(void *ctx, enum raft_disk_op op, const char *path, uint64_t size)
{
    struct power *power = ctx;
    (void)op, (void)path, (void)size;
    if (power->left == 0)
        return UV_EIO;
    power->left--;
    return 0;
}

static void live_and_die(uint64_t seed)
{
    struct fixture f;
    struct model model;
    struct random_seeded seeded;
    struct power power = {UINT64_MAX};
    char where[64];

    random_seeded_init(&seeded, seed);
    struct random random = random_from_seeded(&seeded);
    fixture_init(&f, seed);
    f.options.tail_keep_count = random_below(&random, 2) ? 20 : UINT64_MAX;
    if (random_below(&random, 2))
        use_key(&f.keys, 1, 3);
    raft_disk_memory_hook(f.memory, until_off, &power);
    model_init(&model);
    for (int life = 0; life < 6; life++) {
        struct error failure = {0};
        snprintf(where, sizeof where, "RAFT_CRASH_SEED=%llu, life %d", (unsigned long long)seed, life);
        power.left = life % 2 ? random_below(&random, 40) : UINT64_MAX; /* also in the middle of recovering */
        if (fixture_open(&f, &failure) < 0) {
            if (failure.code != ERR_IO)
                fail_msg("%s: %s", where, failure.message);
            fixture_crash(&f, RAFT_CRASH_LOSES_SOME);
            power.left = UINT64_MAX;
            assert_ok(fixture_open(&f, err));
        }
        model_restart_from(&model, model_find(&model, &f.state, model.acknowledged, model.count - 1, where));
        power.left = random_below(&random, 150);
        model_run(&model, f.log, &random, 30, &failure);
        if (failure.code != 0 && failure.code != ERR_IO)
            fail_msg("%s: %s", where, failure.message);
        power.left = UINT64_MAX;
        fixture_crash(&f, (enum raft_crash)random_below(&random, 3));
    }
    model_deinit(&model);
    fixture_deinit(&f);
}

static void what_comes_back_is_always_allowed(void **state)
{
    (void)state;
    const char *one = getenv("RAFT_CRASH_SEED"), *many = getenv("RAFT_CRASH_SEEDS");
    uint64_t count = many ? strtoull(many, NULL, 10) : 100;
    if (one) {
        live_and_die(strtoull(one, NULL, 10));
        return;
    }
    for (uint64_t seed = 1; seed <= count; seed++)
        live_and_die(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_back_is_always_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
