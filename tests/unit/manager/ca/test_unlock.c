/* tests/unit/manager/ca/test_unlock.c */
#include "manager/ca/unlock.h"

#include "proto/identity/unlock_key.h"
#include "tests/unit/manager/ca/world.h"

static cluster_message *cluster_that_locks(bool locks)
{
    cluster_message *cluster = MESSAGE_NEW(cluster_message, docker__swarmkit__v1__cluster);
    cluster->meta = MESSAGE_NEW(Docker__Swarmkit__V1__Meta, docker__swarmkit__v1__meta);
    cluster->meta->version = MESSAGE_NEW(Docker__Swarmkit__V1__Version, docker__swarmkit__v1__version);
    cluster->meta->version->index = 181;
    cluster->spec = MESSAGE_NEW(spec_message, docker__swarmkit__v1__cluster_spec);
    cluster->spec->encryption_config = MESSAGE_NEW(Docker__Swarmkit__V1__EncryptionConfig, docker__swarmkit__v1__encryption_config);
    cluster->spec->encryption_config->auto_lock_managers = locks;
    return cluster;
}

static void key_comes_with_locking_and_goes_with_it(void **state)
{
    (void)state;
    cluster_message *cluster = cluster_that_locks(true);
    struct random random = random_system();
    ca_unlock_update(cluster, false, &random);
    assert_int_equal(cluster->n_unlock_keys, 1);
    assert_string_equal(cluster->unlock_keys[0]->subsystem, "swarm-manager");
    assert_int_equal(ca_unlock_key(cluster).size, UNLOCK_KEY_SIZE_BYTES);
    cluster->spec->encryption_config->auto_lock_managers = false;
    assert_int_equal(ca_unlock_key(cluster).size, 0); /* between the spec and the key */
    ca_unlock_update(cluster, true, &random);
    assert_int_equal(cluster->n_unlock_keys, 0);
    ca_unlock_update(cluster, true, &random);
    assert_int_equal(cluster->n_unlock_keys, 0);
    message_wipe_free(&cluster->base);
}

static void key_stays_until_it_is_rotated(void **state)
{
    (void)state;
    cluster_message *cluster = cluster_that_locks(true);
    struct random random = random_system();
    uint8_t first[UNLOCK_KEY_SIZE_BYTES];
    ca_unlock_update(cluster, false, &random);
    memcpy(first, ca_unlock_key(cluster).data, sizeof first);
    ca_unlock_update(cluster, false, &random);
    assert_memory_equal(ca_unlock_key(cluster).data, first, sizeof first);
    ca_unlock_update(cluster, true, &random);
    assert_memory_not_equal(ca_unlock_key(cluster).data, first, sizeof first);
    assert_int_equal(cluster->n_unlock_keys, 1);
    message_wipe_free(&cluster->base);
}

static void keys_of_others_are_left_alone(void **state)
{
    (void)state;
    cluster_message *cluster = cluster_that_locks(false);
    struct random random = random_system();
    cluster->unlock_keys = mem_array(2, sizeof *cluster->unlock_keys);
    cluster->n_unlock_keys = 2;
    for (int i = 0; i < 2; i++) {
        cluster->unlock_keys[i] = MESSAGE_NEW(Docker__Swarmkit__V1__EncryptionKey, docker__swarmkit__v1__encryption_key);
        message_set_string(&cluster->unlock_keys[i]->subsystem, i == 0 ? "swarm-manager" : "other");
    }
    ca_unlock_update(cluster, false, &random);
    assert_int_equal(cluster->n_unlock_keys, 1);
    assert_string_equal(cluster->unlock_keys[0]->subsystem, "other");
    cluster->spec->encryption_config->auto_lock_managers = true;
    ca_unlock_update(cluster, false, &random);
    assert_int_equal(cluster->n_unlock_keys, 2);
    assert_int_equal(cluster->unlock_keys[0]->key.len, 0);
    message_wipe_free(&cluster->base);
}

static void managers_are_told_key_and_version(void **state)
{
    (void)state;
    cluster_message *locks = cluster_that_locks(true), *open = cluster_that_locks(false);
    struct random random = random_system();
    Docker__Swarmkit__V1__GetUnlockKeyResponse reply;
    ca_unlock_update(locks, false, &random);
    ca_unlock_reply(locks, &reply);
    assert_true(bytes_equal(message_bytes(reply.unlock_key), ca_unlock_key(locks)));
    assert_int_equal(reply.version->index, 181);
    ca_unlock_reply(open, &reply);
    assert_int_equal(reply.unlock_key.len, 0);
    assert_int_equal(reply.version->index, 181);
    assert_int_equal(protobuf_c_message_get_packed_size(&reply.base), 5); /* version{index 181} and nothing else */
    message_wipe_free(&locks->base);
    message_wipe_free(&open->base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_comes_with_locking_and_goes_with_it),
        cmocka_unit_test(key_stays_until_it_is_rotated),
        cmocka_unit_test(keys_of_others_are_left_alone),
        cmocka_unit_test(managers_are_told_key_and_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
