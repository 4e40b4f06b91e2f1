/* tests/unit/manager/test_locking.c – whole managers whose cluster locks them. */
#include "manager/ca/unlock.h"
#include "tests/unit/manager/whole.h"

#include "manager/member.h"
#include "proto/identity/unlock_key.h"
#include "proto/message.h"

static const uint8_t the_lock[SEALED_KEY_SIZE_BYTES] = {5};
static const uint8_t kek[UNLOCK_KEY_SIZE_BYTES] = "0123456789abcdef0123456789abcde";

static void found_locked(struct trial *trial)
{
    struct host *first = &trial->hosts[0];
    const struct control_bootstrap_options bootstrap = {.cluster_id = trial->cluster_id,
                                                        .node_id = first->id,
                                                        .root_ca = trial->founding.root_ca,
                                                        .locks_managers = true,
                                                        .unlock_key = bytes_of(kek, sizeof kek)};
    first->lock = the_lock;
    assert_ok(open_host(first, &bootstrap, NULL, err));
    run_until(&trial->loop, first->is_ready && first->told_count > 0);
}

struct change {
    struct trial *trial;
    bool locks, rotates, is_done;
};

static int change_cluster(struct store_tx *tx, void *ctx, struct error *err)
{
    const struct change *change = ctx;
    struct random random = random_system();
    Docker__Swarmkit__V1__Cluster *cluster = MESSAGE_COPY(store_tx_cluster(tx, change->trial->cluster_id));
    cluster->spec->encryption_config->auto_lock_managers = change->locks;
    ca_unlock_update(cluster, change->rotates, &random);
    int failed = store_tx_update(tx, &cluster->base, err);
    message_free(&cluster->base);
    return failed;
}

static void changed(void *ctx, const struct error *err)
{
    assert_null(err);
    ((struct change *)ctx)->is_done = true;
}

static void change(struct trial *trial, bool locks, bool rotates)
{
    struct change todo = {.trial = trial, .locks = locks, .rotates = rotates};
    assert_ok(replica_update(manager_replica(trial->hosts[0].manager), change_cluster, changed, &todo, err));
    run_until(&trial->loop, todo.is_done);
}

struct asked {
    bool is_answered;
    uint8_t key[UNLOCK_KEY_SIZE_BYTES];
    size_t size;
};

static void answered(void *ctx, const struct control_answer *answer)
{
    struct asked *asked = ctx;
    const Docker__Swarmkit__V1__GetUnlockKeyResponse *response = (const void *)answer->response;
    assert_non_null(response);
    asked->is_answered = true;
    asked->size = response->unlock_key.len;
    assert_in_range(asked->size, 0, sizeof asked->key);
    if (asked->size > 0)
        memcpy(asked->key, response->unlock_key.data, asked->size);
}

static struct asked ask(struct host *host)
{
    const Docker__Swarmkit__V1__GetUnlockKeyRequest request = DOCKER__SWARMKIT__V1__GET_UNLOCK_KEY_REQUEST__INIT;
    struct asked asked = {0};
    manager_call(host->manager, METHOD_CA_GetUnlockKey, &request.base, answered, &asked);
    run_until(&host->trial->loop, asked.is_answered);
    return asked;
}

static struct member read_member(const struct host *host, const uint8_t *lock)
{
    struct member member;
    assert_ok(member_read(host->dir, lock, &member, err));
    return member;
}

static bool has_one_key(const struct host *host, uint32_t id)
{
    struct member member = read_member(host, the_lock);
    bool has = member.keys.count == 1 && member.keys.current == id;
    member_deinit(&member);
    return has;
}

static void a_locked_cluster_s_first_manager_never_has_its_key_in_clear(void **state)
{
    struct trial *trial = *state;
    struct host *first = &trial->hosts[0];
    struct member member;
    found_locked(trial);
    assert_true(bytes_equal(buf_bytes(&first->unlock_key), bytes_of(kek, sizeof kek)));
    assert_fails(member_read(first->dir, NULL, &member, err), ERR_PERMISSION, "locked");
    member = read_member(first, the_lock);
    assert_int_equal(member.keys.count, 1);
    member_deinit(&member);
    close_host(first);
    first->lock = NULL;
    assert_fails(open_host(first, NULL, NULL, err), ERR_PERMISSION, "this manager is locked");
    first->manager = NULL;
    first->lock = the_lock;
    assert_ok(open_host(first, NULL, NULL, err));
    run_until(&trial->loop, first->is_ready);
}

static void every_manager_is_told_of_each_key(void **state)
{
    struct trial *trial = *state;
    struct host *first = &trial->hosts[0], *second = &trial->hosts[1];
    found(trial);
    let_in(trial, 1);
    run_until(&trial->loop, first->told_count == 1 && second->told_count == 1);
    assert_int_equal(first->unlock_key.size + second->unlock_key.size, 0);
    uint64_t before = first->told_version;
    change(trial, true, false);
    run_until(&trial->loop, first->told_version > before && second->told_version > before);
    assert_int_equal(first->unlock_key.size, UNLOCK_KEY_SIZE_BYTES);
    assert_true(bytes_equal(buf_bytes(&first->unlock_key), buf_bytes(&second->unlock_key)));
    before = first->told_version;
    change(trial, true, true);
    struct asked here = ask(first), there = ask(second); /* a follower asks the leader */
    assert_int_equal(here.size, UNLOCK_KEY_SIZE_BYTES);
    assert_memory_equal(here.key, there.key, sizeof here.key);
    run_until(&trial->loop, first->told_version > before && second->told_version > before);
    assert_memory_equal(second->unlock_key.data, here.key, sizeof here.key);
    before = second->told_version;
    change(trial, false, false);
    run_until(&trial->loop, second->told_version > before);
    assert_int_equal(second->unlock_key.size, 0);
    assert_int_equal(ask(second).size, 0);
}

static void what_the_owner_could_not_do_is_told_again(void **state)
{
    struct trial *trial = *state;
    struct host *first = &trial->hosts[0];
    found(trial);
    run_until(&trial->loop, first->told_count == 1);
    first->refuse_count = 1;
    change(trial, true, false);
    run_until(&trial->loop, first->told_count == 2);
    assert_int_equal(first->unlock_key.size, 0);
    run_for(&trial->loop, 2000); /* not at once */
    assert_int_equal(first->told_count, 2);
    run_until(&trial->loop, first->unlock_key.size > 0);
    assert_int_equal(first->told_count, 3);
}

/* The key that lay on disk in clear opens nothing that is written from then on, and is forgotten once no file needs it. */
static void locking_an_open_manager_renews_its_key(void **state)
{
    struct trial *trial = *state;
    struct host *first = &trial->hosts[0];
    found(trial);
    struct member before = read_member(first, NULL), after;
    assert_ok(manager_set_lock(first->manager, the_lock, err));
    after = read_member(first, the_lock);
    assert_true(after.is_sealed);
    assert_int_equal(after.keys.current, before.keys.current + 1);
    member_deinit(&after);
    run_until(&trial->loop, has_one_key(first, before.keys.current + 1));
    close_host(first);
    first->lock = the_lock;
    assert_ok(open_host(first, NULL, NULL, err));
    run_until(&trial->loop, first->is_ready);
    assert_ok(manager_set_lock(first->manager, NULL, err));
    after = read_member(first, NULL);
    assert_false(after.is_sealed);
    assert_int_equal(after.keys.current, before.keys.current + 1); /* nothing to hide: it stays */
    member_deinit(&before);
    member_deinit(&after);
}

/* A crash came between the owner's note of the lock and this file. */
static void a_change_that_was_broken_off_is_ended_at_the_next_opening(void **state)
{
    struct trial *trial = *state;
    struct host *first = &trial->hosts[0];
    struct member member;
    found(trial);
    close_host(first);
    first->lock = the_lock;
    assert_ok(open_host(first, NULL, NULL, err));
    member = read_member(first, the_lock);
    assert_true(member.is_sealed);
    member_deinit(&member);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_locked_cluster_s_first_manager_never_has_its_key_in_clear),
        T(every_manager_is_told_of_each_key),
        T(what_the_owner_could_not_do_is_told_again),
        T(locking_an_open_manager_renews_its_key),
        T(a_change_that_was_broken_off_is_ended_at_the_next_opening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
