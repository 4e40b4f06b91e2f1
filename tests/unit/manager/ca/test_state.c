/* tests/unit/manager/ca/test_state.c */
#include "manager/ca/state.h"

#include "tests/unit/manager/ca/world.h"

static void new_cluster_has_its_root_with_hash_and_key(void **state)
{
    (void)state;
    struct ca_root root = root_at(now());
    struct random random = chance();
    root_message *root_ca = ca_state_new(&root, false, 7, &random);
    char hash[CA_HASH_SIZE_CHARS + 1];
    ca_root_hash(buf_bytes(&root.cert_pem), hash);
    assert_true(bytes_equal(message_bytes(root_ca->ca_cert), buf_bytes(&root.cert_pem)));
    assert_true(bytes_equal(message_bytes(root_ca->ca_key), buf_bytes(&root.key_pem)));
    assert_string_equal(root_ca->ca_cert_hash, hash);
    assert_int_equal(root_ca->last_forced_rotation, 7);
    assert_null(root_ca->root_rotation);
    message_wipe_free(&root_ca->base);
    ca_root_deinit(&root);
}

static void rotation_decides_what_is_wanted_and_who_signs(void **state)
{
    (void)state;
    struct ca_root root = root_at(now()), next = root_at(now());
    cluster_message *cluster = cluster_of(&root);
    root_message *root_ca = cluster->root_ca;
    assert_true(bytes_equal(ca_state_wanted_pem(root_ca), buf_bytes(&root.cert_pem)));
    assert_true(ca_state_has_key(root_ca));
    start_rotation(root_ca, &next);
    assert_true(bytes_equal(ca_state_wanted_pem(root_ca), buf_bytes(&next.cert_pem)));
    message_set_bytes(&root_ca->root_rotation->ca_key, bytes_of(NULL, 0));
    assert_false(ca_state_has_key(root_ca)); /* the old one does not sign any more */
    message_wipe_free(&cluster->base);
    ca_root_deinit(&root);
    ca_root_deinit(&next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_cluster_has_its_root_with_hash_and_key),
        cmocka_unit_test(rotation_decides_what_is_wanted_and_who_signs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
