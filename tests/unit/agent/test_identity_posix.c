#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/agent/identity_fixture.h"

static unsigned mode_of(const struct host *host, const char *name)
{
    struct stat found;
    cleanup_free char *path = mem_format("%s/node/%s", host->dir, name);
    assert_int_equal(stat(path, &found), 0);
    return found.st_mode & 0777;
}

static void all_of_it_is_the_owners_alone(void **state)
{
    struct host *host = *state;
    struct identity *identity;
    struct pair pair;
    pair_make(&host->authority, "node1", &pair);
    assert_ok(identity_open(host->dir, &identity, err));
    assert_int_equal(mode_of(host, ""), 0700);
    assert_ok(store_pair(identity, &host->authority.root_pem, &pair, err));
    assert_int_equal(mode_of(host, "node.key"), 0600);
    identity_free(identity);
    pair_deinit(&pair);
}

/* ---- crashes: a child does the work and dies at its nth change of the disk ---- */

struct crash {
    int changes_left;
    bool is_error; /* fail as a full disk does, rather than die */
};

static int crash_at(void *ctx, const char *change, struct error *err)
{
    struct crash *crash = ctx;
    (void)change;
    if (crash->changes_left-- > 0)
        return 0;
    if (crash->is_error)
        return error_set(err, ERR_NO_SPACE, "write: no space left on device");
    _exit(0);
}

struct scenario {
    struct host *host;
    struct pair old_pair, new_pair, newest_pair;
    struct authority *old_root, *new_root;
    const uint8_t *old_lock, *new_lock;
    void (*work)(struct scenario *scenario, struct crash *crash, struct error *err);
};

/* Run work with a crash before its @nth change. True when it ended before that many changes. */
static bool run_and_die(struct scenario *scenario, int nth)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct crash crash = {.changes_left = nth};
        struct error err = {0};
        scenario->work(scenario, &crash, &err);
        _exit(err.code == 0 ? 1 : 2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_in_range(WEXITSTATUS(status), 0, 1);
    return WEXITSTATUS(status) == 1;
}

static void first_join(struct scenario *scenario, struct crash *crash, struct error *err)
{
    struct identity *identity;
    if (identity_open_with(scenario->host->dir, crash_at, crash, &identity, err) < 0)
        return;
    struct identity_join join = {.is_pending = true, .node_id = mem_string("node1")};
    buf_append(&join.key_pem, scenario->new_pair.key_pem.data, scenario->new_pair.key_pem.size);
    buf_append(&join.request_pem, scenario->new_pair.request_pem.data, scenario->new_pair.request_pem.size);
    buf_append(&join.root_pem, scenario->new_root->root_pem.data, scenario->new_root->root_pem.size);
    if (identity_store_join(identity, &join, err) == 0)
        (void)store_pair(identity, &scenario->new_root->root_pem, &scenario->new_pair, err);
    identity_join_deinit(&join);
    identity_free(identity);
}

static void crash_while_joining_leaves_no_identity_or_a_whole_one(void **state)
{
    struct host *host = *state;
    struct scenario scenario = {.host = host, .new_root = &host->authority, .work = first_join};
    pair_make(&host->authority, "node1", &scenario.new_pair);
    bool has_seen_pending = false, has_seen_joined = false;
    int nth = 0;
    for (bool is_done = false; !is_done; nth++) {
        cleanup_free char *node = mem_format("%s/node", host->dir);
        assert_ok(file_remove_tree(node, err));
        is_done = run_and_die(&scenario, nth);
        struct identity *identity;
        assert_ok(identity_open(host->dir, &identity, err));
        if (identity->has_certificate) {
            has_seen_joined = true;
            assert_string_equal(identity->certificate.node_id, "node1");
            assert_false(identity->join.is_pending);
        } else if (identity->join.is_pending) {
            has_seen_pending = true;
            assert_string_equal(identity->join.node_id, "node1");
            assert_string_equal(identity->join.key_pem.data, scenario.new_pair.key_pem.data);
        }
        assert_false(is_there(host, ".node.crt"));
        assert_int_equal(is_there(host, "join.key"), identity->join.is_pending);
        identity_free(identity);
    }
    assert_true(has_seen_pending && has_seen_joined);
    assert_true(nth > 8);
    pair_deinit(&scenario.new_pair);
}

static void renew(struct scenario *scenario, struct crash *crash, struct error *err)
{
    struct identity *identity;
    if (identity_open_with(scenario->host->dir, crash_at, crash, &identity, err) < 0)
        return;
    (void)store_pair(identity, &scenario->new_root->root_pem, &scenario->new_pair, err);
    identity_free(identity);
}

static void put_old_pair(struct scenario *scenario)
{
    struct identity *identity;
    cleanup_free char *node = mem_format("%s/node", scenario->host->dir);
    assert_ok(file_remove_tree(node, err));
    assert_ok(identity_open(scenario->host->dir, &identity, err));
    assert_ok(store_pair(identity, &scenario->old_root->root_pem, &scenario->old_pair, err));
    identity_free(identity);
}

/* Whichever pair is there, it is a pair and its root is trusted. */
static void assert_whole(struct scenario *scenario)
{
    struct identity *identity;
    assert_ok(identity_open(scenario->host->dir, &identity, err));
    assert_true(identity->has_certificate);
    assert_ok(certificate_match_key(buf_bytes(&identity->chain_pem), buf_bytes(&identity->key.body_pem), err));
    assert_ok(certificate_verify(buf_bytes(&identity->chain_pem), buf_bytes(&identity->root_pem), instant(FIXTURE_TIME), NULL, err));
    /* The other root serves until the next start: the managers' certificates may already be of the new one. */
    identity_free(identity);
}

static void crash_while_renewing_leaves_the_old_pair_or_the_new_one(void **state)
{
    struct host *host = *state;
    struct authority next;
    authority_init(&next, instant("2026-02-01T00:00:00Z"));
    struct scenario scenario = {.host = host, .old_root = &host->authority, .new_root = &next, .work = renew};
    pair_make(&host->authority, "node1", &scenario.old_pair);
    pair_make(&next, "node1", &scenario.new_pair);
    int nth = 0;
    for (bool is_done = false; !is_done; nth++) {
        put_old_pair(&scenario);
        is_done = run_and_die(&scenario, nth);
        assert_whole(&scenario);
    }
    assert_true(nth >= 5);
    pair_deinit(&scenario.old_pair);
    pair_deinit(&scenario.new_pair);
    authority_deinit(&next);
}

/* What the key lies under is changed. */
static void change_lock(struct scenario *scenario, struct crash *crash, struct error *err)
{
    struct identity *identity;
    if (identity_open_with(scenario->host->dir, crash_at, crash, &identity, err) < 0)
        return;
    if (!identity->is_locked || identity_unlock(identity, scenario->old_lock, err) == 0)
        (void)identity_set_lock(identity, scenario->new_lock, err);
    identity_free(identity);
}

/* As change_lock() with another pair: the first of a cluster where @old_pair was not put. */
static void renew_locked(struct scenario *scenario, struct crash *crash, struct error *err)
{
    struct identity *identity;
    if (identity_open_with(scenario->host->dir, crash_at, crash, &identity, err) < 0)
        return;
    if (identity_unlock(identity, scenario->old_lock, err) == 0)
        (void)store_pair(identity, &scenario->new_root->root_pem, &scenario->new_pair, err);
    identity_free(identity);
}

static void put_locked(struct scenario *scenario, bool has_pair)
{
    struct identity *identity;
    if (has_pair) {
        put_old_pair(scenario);
    } else {
        cleanup_free char *node = mem_format("%s/node", scenario->host->dir);
        assert_ok(file_remove_tree(node, err));
    }
    assert_ok(identity_open(scenario->host->dir, &identity, err));
    assert_ok(identity_set_lock(identity, scenario->old_lock, err));
    identity_free(identity);
}

/* It opens by itself, or with the old lock, or with the new one. Returns whether there is a certificate at all. */
static bool assert_opens(struct scenario *scenario)
{
    struct identity *identity;
    struct error ignored;
    assert_ok(identity_open(scenario->host->dir, &identity, err));
    bool is_there = identity->has_certificate;
    if (identity->is_locked && (!scenario->old_lock || identity_unlock(identity, scenario->old_lock, &ignored) < 0))
        assert_ok(identity_unlock(identity, scenario->new_lock, err));
    if (is_there)
        assert_ok(certificate_match_key(buf_bytes(&identity->chain_pem), buf_bytes(&identity->key.body_pem), err));
    identity_free(identity);
    return is_there;
}

static void crash_while_the_lock_changes_leaves_what_the_old_or_the_new_opens(void **state)
{
    struct host *host = *state;
    struct scenario scenario = {.host = host, .old_root = &host->authority, .new_root = &host->authority};
    static const struct {
        const uint8_t *from, *to;
        bool has_pair, renews;
    } cases[] = {
        {NULL, the_lock, true, false},    {the_lock, another_lock, true, false}, {the_lock, NULL, true, false},
        {the_lock, the_lock, true, true}, {the_lock, the_lock, false, true},
    };
    pair_make(&host->authority, "node1", &scenario.old_pair);
    pair_make(&host->authority, "node1", &scenario.new_pair);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scenario.old_lock = cases[i].from;
        scenario.new_lock = cases[i].to;
        scenario.work = cases[i].renews ? renew_locked : change_lock;
        int nth = 0;
        for (bool is_done = false; !is_done; nth++) {
            put_locked(&scenario, cases[i].has_pair);
            is_done = run_and_die(&scenario, nth);
            bool has_certificate = assert_opens(&scenario);
            assert_true(has_certificate || (!cases[i].has_pair && !is_done));
        }
        assert_true(nth >= (cases[i].renews ? 5 : 2));
    }
    pair_deinit(&scenario.old_pair);
    pair_deinit(&scenario.new_pair);
}

/* The disk is full at one moment, the process lives and tries again later, and then dies: two generations are in flight. */
static void renew_twice(struct scenario *scenario, struct crash *crash, struct error *err)
{
    struct identity *identity;
    struct error ignored;
    struct crash full = {.is_error = true};
    if (identity_open_with(scenario->host->dir, NULL, NULL, &identity, err) < 0)
        return;
    full.changes_left = crash->changes_left / 16;
    crash->changes_left %= 16;
    identity->fault = crash_at;
    identity->fault_ctx = &full;
    (void)store_pair(identity, &scenario->new_root->root_pem, &scenario->new_pair, &ignored);
    identity->fault_ctx = crash;
    (void)store_pair(identity, &scenario->new_root->root_pem, &scenario->newest_pair, err);
    identity_free(identity);
}

static void failed_renewal_followed_by_a_crash_leaves_a_whole_pair(void **state)
{
    struct host *host = *state;
    struct authority next;
    authority_init(&next, instant("2026-02-01T00:00:00Z"));
    struct scenario scenario = {.host = host, .old_root = &host->authority, .new_root = &next, .work = renew_twice};
    pair_make(&host->authority, "node1", &scenario.old_pair);
    pair_make(&next, "node1", &scenario.new_pair);
    pair_make(&next, "node1", &scenario.newest_pair);
    for (int full_at = 0; full_at < 6; full_at++) {
        bool is_done = false;
        for (int nth = 0; !is_done; nth++) {
            assert_in_range(nth, 0, 15);
            put_old_pair(&scenario);
            is_done = run_and_die(&scenario, full_at * 16 + nth);
            assert_whole(&scenario);
        }
    }
    pair_deinit(&scenario.old_pair);
    pair_deinit(&scenario.new_pair);
    pair_deinit(&scenario.newest_pair);
    authority_deinit(&next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_of_it_is_the_owners_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(crash_while_the_lock_changes_leaves_what_the_old_or_the_new_opens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(crash_while_joining_leaves_no_identity_or_a_whole_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(crash_while_renewing_leaves_the_old_pair_or_the_new_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failed_renewal_followed_by_a_crash_leaves_a_whole_pair, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
