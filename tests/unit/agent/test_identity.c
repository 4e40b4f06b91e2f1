#include "agent/identity.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "tests/unit/proto/identity/authority.h"
#include "tests/unit/proto/identity/fixture.h"

struct host {
    char dir[64];
    struct authority authority;
};

static int set_up(void **state)
{
    struct host *host = mem_alloc(sizeof *host);
    snprintf(host->dir, sizeof host->dir, "/tmp/skep-identity-XXXXXX");
    assert_non_null(mkdtemp(host->dir));
    authority_init(&host->authority, instant("2026-01-01T00:00:00Z"));
    log_init(LOG_TEXT, LOG_ERROR, stderr);
    *state = host;
    return 0;
}

static int tear_down(void **state)
{
    struct host *host = *state;
    assert_ok(file_remove_tree(host->dir, err));
    authority_deinit(&host->authority);
    free(host);
    return 0;
}

static void overwrite(const struct host *host, const char *name, const char *text)
{
    cleanup_free char *path = mem_format("%s/node/%s", host->dir, name);
    assert_ok(file_write_volatile(path, bytes_of_string(text), 0600, err));
}

static unsigned mode_of(const struct host *host, const char *name)
{
    struct stat found;
    cleanup_free char *path = mem_format("%s/node/%s", host->dir, name);
    assert_int_equal(stat(path, &found), 0);
    return found.st_mode & 0777;
}

static bool is_there(const struct host *host, const char *name)
{
    cleanup_free char *path = mem_format("%s/node/%s", host->dir, name);
    return file_exists(path);
}

/* A key and a certificate for it, made by @authority. */
struct pair {
    struct buf key_pem, request_pem, chain_pem;
};

static void pair_make(struct authority *authority, const char *node_id, struct pair *pair)
{
    *pair = (struct pair){0};
    assert_ok(certificate_make_key(&pair->key_pem, err));
    assert_ok(certificate_make_request(buf_bytes(&pair->key_pem), &pair->request_pem, err));
    authority_issue(authority, buf_bytes(&pair->request_pem), node_id, "swarm-worker", "cluster", instant("2026-11-01T00:00:00Z"),
                    90 * 24 * 3600, &pair->chain_pem);
}

static void pair_deinit(struct pair *pair)
{
    buf_deinit(&pair->key_pem);
    buf_deinit(&pair->request_pem);
    buf_deinit(&pair->chain_pem);
}

static int store_pair(struct identity *identity, const struct buf *root_pem, const struct pair *pair, struct error *err)
{
    return identity_store(identity, buf_bytes(root_pem), buf_bytes(&pair->chain_pem), buf_bytes(&pair->key_pem), err);
}

static void new_directory_is_private_and_marked(void **state)
{
    struct host *host = *state;
    struct identity *identity;
    assert_ok(identity_open(host->dir, &identity, err));
    assert_false(identity->has_certificate);
    assert_false(identity->join.is_pending);
    assert_int_equal(mode_of(host, ""), 0700);
    assert_true(is_there(host, "version"));
    identity_free(identity);
    assert_ok(identity_open(host->dir, &identity, err));
    identity_free(identity);
}

static void directory_of_another_version_is_refused(void **state)
{
    struct host *host = *state;
    struct identity *identity;
    assert_ok(identity_open(host->dir, &identity, err));
    identity_free(identity);
    overwrite(host, "version", "7\n");
    assert_fails(identity_open(host->dir, &identity, err), ERR_VERSION, "has format 7 and this Skep reads format 1");
    overwrite(host, "version", "");
    assert_fails(identity_open(host->dir, &identity, err), ERR_VERSION, "does not say which version");
    cleanup_free char *path = mem_format("%s/node/version", host->dir);
    overwrite(host, "node.key", "x");
    assert_ok(file_remove(path, err));
    assert_fails(identity_open(host->dir, &identity, err), ERR_VERSION, "was not made by Skep");
}

static void state_directory_that_is_a_file_is_refused(void **state)
{
    struct host *host = *state;
    struct identity *identity;
    cleanup_free char *path = mem_format("%s/file", host->dir);
    assert_ok(file_write_volatile(path, bytes_of_string("x"), 0600, err));
    struct error err = {0};
    assert_true(identity_open(path, &identity, &err) < 0);
    assert_non_null(strstr(err.message, path));
}

static void stored_identity_is_found_again(void **state)
{
    struct host *host = *state;
    struct identity *identity;
    struct pair pair;
    pair_make(&host->authority, "node1", &pair);
    assert_ok(identity_open(host->dir, &identity, err));
    assert_ok(remotes_observe(&identity->remotes, "m1", "10.0.0.1:2377", 10, err));
    assert_ok(identity_store_remotes(identity, err));
    assert_ok(identity_store_addresses(identity, "0.0.0.0:2377", "10.0.0.9", NULL, err));
    assert_ok(store_pair(identity, &host->authority.root_pem, &pair, err));
    assert_string_equal(identity->certificate.node_id, "node1");
    assert_int_equal(mode_of(host, "node.key"), 0600);
    identity_free(identity);

    assert_ok(identity_open(host->dir, &identity, err));
    assert_true(identity->has_certificate);
    assert_string_equal(identity->certificate.node_id, "node1");
    assert_string_equal(identity->certificate.cluster_id, "cluster");
    assert_string_equal(identity->key.body_pem.data, pair.key_pem.data);
    assert_string_equal(keyfile_header(&identity->key, "kek-version"), "0");
    assert_string_equal(identity->listen_addr, "0.0.0.0:2377");
    assert_string_equal(identity->advertise_addr, "10.0.0.9");
    assert_null(identity->data_path_addr);
    assert_int_equal(identity->remotes.count, 1);
    assert_int_equal(identity->remotes.list[0].weight, 5);
    identity_free(identity);
    pair_deinit(&pair);
}

static void renewal_keeps_the_key_files_header_lines(void **state)
{
    struct host *host = *state;
    struct identity *identity;
    struct pair first, second;
    pair_make(&host->authority, "node1", &first);
    pair_make(&host->authority, "node1", &second);
    assert_ok(identity_open(host->dir, &identity, err));
    assert_ok(store_pair(identity, &host->authority.root_pem, &first, err));
    assert_ok(keyfile_set_header(&identity->key, "kek-version", "42", err));
    assert_ok(keyfile_set_header(&identity->key, "raft-dek", "abc=", err));
    assert_ok(store_pair(identity, &host->authority.root_pem, &second, err));
    identity_free(identity);
    assert_ok(identity_open(host->dir, &identity, err));
    assert_string_equal(keyfile_header(&identity->key, "kek-version"), "42");
    assert_string_equal(keyfile_header(&identity->key, "raft-dek"), "abc=");
    assert_string_equal(identity->key.body_pem.data, second.key_pem.data);
    identity_free(identity);
    pair_deinit(&first);
    pair_deinit(&second);
}

static void key_of_another_certificate_is_not_stored(void **state)
{
    struct host *host = *state;
    struct identity *identity;
    struct pair one, two;
    pair_make(&host->authority, "node1", &one);
    pair_make(&host->authority, "node1", &two);
    assert_ok(identity_open(host->dir, &identity, err));
    assert_fails(identity_store(identity, buf_bytes(&host->authority.root_pem), buf_bytes(&one.chain_pem), buf_bytes(&two.key_pem), err),
                 ERR_CORRUPT, "does not belong to the certificate");
    assert_false(is_there(host, "node.key"));
    identity_free(identity);
    pair_deinit(&one);
    pair_deinit(&two);
}

static void mismatching_pair_says_what_to_do(void **state)
{
    struct host *host = *state;
    struct identity *identity;
    struct pair one, two;
    pair_make(&host->authority, "node1", &one);
    pair_make(&host->authority, "node1", &two);
    assert_ok(identity_open(host->dir, &identity, err));
    assert_ok(store_pair(identity, &host->authority.root_pem, &one, err));
    identity_free(identity);
    overwrite(host, "node.key", (char *)two.key_pem.data);
    assert_fails(identity_open(host->dir, &identity, err), ERR_CORRUPT, "skep leave --force");
    overwrite(host, ".node.crt", (char *)two.chain_pem.data);
    assert_ok(identity_open(host->dir, &identity, err));
    assert_string_equal(identity->chain_pem.data, two.chain_pem.data);
    identity_free(identity);
    assert_false(is_there(host, ".node.crt"));
    pair_deinit(&one);
    pair_deinit(&two);
}

static void docker_pair_of_a_manager_is_read(void **state)
{
    struct host *host = *state;
    struct identity *identity;
    cleanup_buf struct buf root = {0}, chain = {0}, key = {0};
    assert_ok(identity_open(host->dir, &identity, err));
    identity_free(identity);
    fixture(&root, "root-1.crt");
    fixture(&chain, "manager-2.crt");
    fixture(&key, "manager-2.key");
    overwrite(host, "ca.crt", (char *)root.data);
    overwrite(host, "node.crt", (char *)chain.data);
    overwrite(host, "node.key", (char *)key.data);
    assert_ok(identity_open(host->dir, &identity, err));
    assert_int_equal(identity->certificate.role, CERTIFICATE_MANAGER);
    assert_non_null(keyfile_header(&identity->key, "raft-dek"));
    identity_free(identity);
}

static void leftover_of_a_torn_write_is_removed(void **state)
{
    struct host *host = *state;
    struct identity *identity;
    assert_ok(identity_open(host->dir, &identity, err));
    identity_free(identity);
    overwrite(host, "node.key.12345678.tmp", "half a key");
    assert_ok(identity_open(host->dir, &identity, err));
    assert_false(is_there(host, "node.key.12345678.tmp"));
    identity_free(identity);
}

static void damaged_state_is_told_by_its_path(void **state)
{
    struct host *host = *state;
    struct identity *identity;
    static const char *const texts[] = {"", "{", "[]", "{\"managers\":3}", "{\"join\":{}}", "{\"join\":{\"ca_digest\":\"zz\"}}"};
    assert_ok(identity_open(host->dir, &identity, err));
    identity_free(identity);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        overwrite(host, "state.json", texts[i]);
        assert_fails(identity_open(host->dir, &identity, err), ERR_CORRUPT, "/node/state.json");
    }
}

static void erased_identity_leaves_no_key(void **state)
{
    struct host *host = *state;
    struct identity *identity;
    struct pair pair;
    pair_make(&host->authority, "node1", &pair);
    assert_ok(identity_open(host->dir, &identity, err));
    assert_ok(store_pair(identity, &host->authority.root_pem, &pair, err));
    assert_ok(identity_erase(identity, err));
    assert_false(identity->has_certificate);
    assert_false(is_there(host, "node.key"));
    assert_false(is_there(host, "node.crt"));
    assert_ok(store_pair(identity, &host->authority.root_pem, &pair, err)); /* and it can join again */
    identity_free(identity);
    pair_deinit(&pair);
}

/* ---- locked ---- */

static const uint8_t the_lock[IDENTITY_LOCK_SIZE_BYTES] = {3}, another_lock[IDENTITY_LOCK_SIZE_BYTES] = {4};

static bool lies_in_clear(const struct host *host)
{
    cleanup_buf struct buf text = {0};
    cleanup_free char *path = mem_format("%s/node/node.key", host->dir);
    assert_ok(file_read(path, MIB, &text, err));
    bool is_encrypted = strstr((const char *)text.data, "BEGIN ENCRYPTED PRIVATE KEY") != NULL;
    assert_true(is_encrypted != (strstr((const char *)text.data, "BEGIN PRIVATE KEY") != NULL));
    return !is_encrypted;
}

static void locked_key_waits_for_its_lock(void **state)
{
    struct host *host = *state;
    struct identity *identity;
    struct pair pair, next;
    pair_make(&host->authority, "node1", &pair);
    pair_make(&host->authority, "node1", &next);
    assert_ok(identity_open(host->dir, &identity, err));
    assert_ok(identity_set_lock(identity, the_lock, err));
    assert_ok(store_pair(identity, &host->authority.root_pem, &pair, err)); /* never in clear */
    assert_false(lies_in_clear(host));
    assert_false(identity->is_locked);
    assert_string_equal(identity->key.body_pem.data, pair.key_pem.data);
    identity_free(identity);

    assert_ok(identity_open(host->dir, &identity, err));
    assert_true(identity->has_certificate && identity->is_locked);
    assert_string_equal(identity->certificate.node_id, "node1");
    assert_fails(identity_unlock(identity, another_lock, err), ERR_PERMISSION, "node.key");
    assert_true(identity->is_locked);
    assert_ok(identity_unlock(identity, the_lock, err));
    assert_false(identity->is_locked);
    assert_string_equal(identity->key.body_pem.data, pair.key_pem.data);
    assert_ok(store_pair(identity, &host->authority.root_pem, &next, err)); /* a renewal keeps it */
    assert_false(lies_in_clear(host));
    assert_ok(identity_set_lock(identity, another_lock, err));
    identity_free(identity);

    assert_ok(identity_open(host->dir, &identity, err));
    assert_ok(identity_unlock(identity, another_lock, err));
    assert_ok(identity_set_lock(identity, NULL, err));
    assert_true(lies_in_clear(host));
    identity_free(identity);
    assert_ok(identity_open(host->dir, &identity, err));
    assert_false(identity->is_locked);
    assert_string_equal(identity->key.body_pem.data, next.key_pem.data);
    assert_ok(identity_unlock(identity, the_lock, err)); /* what lay there in clear is locked */
    assert_false(lies_in_clear(host));
    identity_free(identity);
    pair_deinit(&pair);
    pair_deinit(&next);
}

static void locked_identity_can_be_erased(void **state)
{
    struct host *host = *state;
    struct identity *identity;
    struct pair pair;
    pair_make(&host->authority, "node1", &pair);
    assert_ok(identity_open(host->dir, &identity, err));
    assert_ok(identity_set_lock(identity, the_lock, err));
    assert_ok(store_pair(identity, &host->authority.root_pem, &pair, err));
    identity_free(identity);
    assert_ok(identity_open(host->dir, &identity, err));
    assert_ok(identity_erase(identity, err));
    assert_false(identity->is_locked || identity->has_certificate || is_there(host, "node.key"));
    assert_ok(store_pair(identity, &host->authority.root_pem, &pair, err));
    assert_true(lies_in_clear(host));
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

static void full_disk_is_told_and_leaves_the_old_identity(void **state)
{
    struct host *host = *state;
    struct scenario scenario = {.host = host, .old_root = &host->authority, .new_root = &host->authority};
    struct identity *identity;
    pair_make(&host->authority, "node1", &scenario.old_pair);
    pair_make(&host->authority, "node1", &scenario.new_pair);
    put_old_pair(&scenario);
    assert_ok(identity_open(host->dir, &identity, err));
    struct crash full = {.is_error = true};
    identity->fault = crash_at;
    identity->fault_ctx = &full;
    assert_fails(store_pair(identity, &host->authority.root_pem, &scenario.new_pair, err), ERR_NO_SPACE,
                 "store the node's identity in /tmp/");
    assert_string_equal(identity->chain_pem.data, scenario.old_pair.chain_pem.data);
    identity_free(identity);
    assert_whole(&scenario);
    pair_deinit(&scenario.old_pair);
    pair_deinit(&scenario.new_pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(new_directory_is_private_and_marked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(directory_of_another_version_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(state_directory_that_is_a_file_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stored_identity_is_found_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(renewal_keeps_the_key_files_header_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(key_of_another_certificate_is_not_stored, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mismatching_pair_says_what_to_do, set_up, tear_down),
        cmocka_unit_test_setup_teardown(docker_pair_of_a_manager_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(leftover_of_a_torn_write_is_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_state_is_told_by_its_path, set_up, tear_down),
        cmocka_unit_test_setup_teardown(erased_identity_leaves_no_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(locked_key_waits_for_its_lock, set_up, tear_down),
        cmocka_unit_test_setup_teardown(locked_identity_can_be_erased, set_up, tear_down),
        cmocka_unit_test_setup_teardown(crash_while_the_lock_changes_leaves_what_the_old_or_the_new_opens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(crash_while_joining_leaves_no_identity_or_a_whole_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(crash_while_renewing_leaves_the_old_pair_or_the_new_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failed_renewal_followed_by_a_crash_leaves_a_whole_pair, set_up, tear_down),
        cmocka_unit_test_setup_teardown(full_disk_is_told_and_leaves_the_old_identity, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
