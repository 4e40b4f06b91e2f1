#include "tests/unit/agent/identity_fixture.h"

static void overwrite(const struct host *host, const char *name, const char *text)
{
    cleanup_free char *path = mem_format("%s/node/%s", host->dir, name);
    assert_ok(file_write_volatile(path, bytes_of_string(text), 0600, err));
}

static void new_directory_is_marked(void **state)
{
    struct host *host = *state;
    struct identity *identity;
    assert_ok(identity_open(host->dir, &identity, err));
    assert_false(identity->has_certificate);
    assert_false(identity->join.is_pending);
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

static int fail_as_a_full_disk(void *ctx, const char *change, struct error *err)
{
    (void)ctx;
    (void)change;
    return error_set(err, ERR_NO_SPACE, "write: no space left on device");
}

static void full_disk_is_told_and_leaves_the_old_identity(void **state)
{
    struct host *host = *state;
    struct identity *identity;
    struct pair old_pair, new_pair;
    cleanup_free char *where = mem_format("store the node's identity in %s", host->dir);
    pair_make(&host->authority, "node1", &old_pair);
    pair_make(&host->authority, "node1", &new_pair);
    assert_ok(identity_open(host->dir, &identity, err));
    assert_ok(store_pair(identity, &host->authority.root_pem, &old_pair, err));
    identity->fault = fail_as_a_full_disk;
    assert_fails(store_pair(identity, &host->authority.root_pem, &new_pair, err), ERR_NO_SPACE, where);
    assert_string_equal(identity->chain_pem.data, old_pair.chain_pem.data);
    identity_free(identity);
    assert_ok(identity_open(host->dir, &identity, err));
    assert_ok(certificate_match_key(buf_bytes(&identity->chain_pem), buf_bytes(&identity->key.body_pem), err));
    assert_string_equal(identity->chain_pem.data, old_pair.chain_pem.data);
    identity_free(identity);
    pair_deinit(&old_pair);
    pair_deinit(&new_pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(new_directory_is_marked, set_up, tear_down),
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
        cmocka_unit_test_setup_teardown(full_disk_is_told_and_leaves_the_old_identity, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
