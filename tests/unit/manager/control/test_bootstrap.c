/* What a first leader makes, and what a later one leaves alone. */
#include "tests/unit/manager/control/fixture.h"

static void new_cluster_has_defaults_this_node_and_predefined_networks(void **state)
{
    (void)state;
    struct asked asked;
    begin(&asked);
    bootstrap(&asked);
    const Docker__Swarmkit__V1__Cluster *cluster = store_cluster(asked.world.store, "c1");
    assert_non_null(cluster);
    assert_string_equal(cluster->spec->annotations->name, "default");
    assert_int_equal(cluster->spec->orchestration->task_history_retention_limit, 5);
    assert_int_equal(cluster->spec->raft->snapshot_interval, 10000);
    assert_int_equal(cluster->spec->raft->log_entries_for_slow_followers, 500);
    assert_int_equal(cluster->spec->raft->heartbeat_tick, 1);
    assert_int_equal(cluster->spec->raft->election_tick, 10);
    assert_int_equal(cluster->spec->raft->keep_old_snapshots, 0);
    assert_int_equal(cluster->spec->dispatcher->heartbeat_period->seconds, 5);
    assert_int_equal(cluster->spec->ca_config->node_cert_expiry->seconds, 7776000);
    assert_false(cluster->spec->encryption_config->auto_lock_managers);
    assert_non_null(cluster->spec->acceptance_policy);
    assert_non_null(cluster->spec->task_defaults);
    assert_string_equal(cluster->root_ca->join_tokens->manager, "manager-token");
    assert_int_equal(cluster->subnetsize, 24);
    assert_int_equal(cluster->vxlanudpport, 4789);
    assert_int_equal(cluster->n_unlock_keys, 0);

    const Docker__Swarmkit__V1__Node *node = store_node(asked.world.store, "m1");
    assert_int_equal(node->spec->desired_role, DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER);
    assert_int_equal(node->spec->membership, DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__ACCEPTED);
    assert_int_equal(node->certificate->status->state, DOCKER__SWARMKIT__V1__ISSUANCE_STATUS__STATE__ISSUED);
    assert_string_equal(node->certificate->cn, "m1");
    assert_int_equal(node->role, DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER);

    assert_int_equal(store_count(asked.world.store, STORE_NETWORK, STORE_ALL, NULL), 2);
    const Docker__Swarmkit__V1__Network *bridge = store_network(asked.world.store, network_id(&asked, "bridge"));
    assert_string_equal(bridge->spec->driver_config->name, "bridge");
    assert_string_equal(bridge->spec->annotations->labels[0]->key, "com.docker.swarm.predefined");
    assert_string_equal(bridge->spec->annotations->labels[0]->value, "true");
    assert_non_null(network_id(&asked, "host"));
    assert_int_equal(asked.world.entries_count, 1); /* one transaction */
    end(&asked);
}

static void later_leader_adds_itself_and_what_its_host_has(void **state)
{
    (void)state;
    struct asked asked;
    begin(&asked);
    bootstrap(&asked);
    uint64_t version = store_cluster(asked.world.store, "c1")->meta->version->index;
    bootstrap(&asked);
    assert_int_equal(asked.world.entries_count, 1); /* the same node again: there is nothing to do */
    bootstrap_as(&asked, "m2", true);
    assert_non_null(store_node(asked.world.store, "m2"));
    assert_int_equal(store_count(asked.world.store, STORE_NETWORK, STORE_ALL, NULL), 3);
    assert_non_null(network_id(&asked, "nat"));
    assert_int_equal(store_cluster(asked.world.store, "c1")->meta->version->index, version);
    end(&asked);
}

static void options_become_the_cluster(void **state)
{
    (void)state;
    struct asked asked;
    Docker__Swarmkit__V1__RootCA root_ca = DOCKER__SWARMKIT__V1__ROOT_CA__INIT;
    Docker__Swarmkit__V1__CAConfig ca_config = DOCKER__SWARMKIT__V1__CACONFIG__INIT;
    struct Google__Protobuf__Duration hours = duration_of(7200, 0);
    ca_config.node_cert_expiry = &hours;
    begin(&asked);
    control_bootstrap(asked.control,
                      &(struct control_bootstrap_options){.cluster_id = "c1",
                                                          .node_id = "m1",
                                                          .availability = DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__DRAIN,
                                                          .root_ca = &root_ca,
                                                          .ca_config = &ca_config,
                                                          .locks_managers = true,
                                                          .unlock_key = bytes_of("0123", 4),
                                                          .is_fips = true,
                                                          .address_pools = (const char *const[]){"10.1.0.0/16", "10.2.0.0/16"},
                                                          .address_pool_count = 2,
                                                          .subnet_size = 26,
                                                          .vxlan_port = 7777},
                      bootstrap_done, &asked);
    world_settle(&asked.world);
    const Docker__Swarmkit__V1__Cluster *cluster = store_cluster(asked.world.store, "c1");
    assert_non_null(cluster);
    assert_int_equal(cluster->spec->ca_config->node_cert_expiry->seconds, 7200);
    assert_true(cluster->spec->encryption_config->auto_lock_managers);
    assert_string_equal(cluster->unlock_keys[0]->subsystem, "swarm-manager");
    assert_memory_equal(cluster->unlock_keys[0]->key.data, "0123", 4);
    assert_true(cluster->fips);
    assert_int_equal(cluster->n_defaultaddresspool, 2);
    assert_string_equal(cluster->defaultaddresspool[1], "10.2.0.0/16");
    assert_int_equal(cluster->subnetsize, 26);
    assert_int_equal(store_node(asked.world.store, "m1")->vxlanudpport, 7777);
    assert_int_equal(store_node(asked.world.store, "m1")->spec->availability, DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__DRAIN);
    end(&asked);
}

static void cluster_without_a_root_is_not_made(void **state)
{
    (void)state;
    struct asked asked;
    begin(&asked);
    control_bootstrap(asked.control, &(struct control_bootstrap_options){.cluster_id = "c1", .node_id = "m1"}, bootstrap_done, &asked);
    world_settle(&asked.world);
    assert_int_equal(asked.err.code, ERR_INVALID);
    assert_int_equal(asked.world.entries_count, 0);
    end(&asked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_cluster_has_defaults_this_node_and_predefined_networks),
        cmocka_unit_test(later_leader_adds_itself_and_what_its_host_has),
        cmocka_unit_test(options_become_the_cluster),
        cmocka_unit_test(cluster_without_a_root_is_not_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
