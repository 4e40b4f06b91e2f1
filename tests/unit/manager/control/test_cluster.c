/* The cluster: shown without its secrets, its spec checked, its tokens and keys anew on request, its CA's answer awaited. */
#include "tests/unit/manager/control/fixture.h"

static struct asked asked;

struct cluster_update {
    Docker__Swarmkit__V1__UpdateClusterRequest request;
    Docker__Swarmkit__V1__ClusterSpec spec;
    Docker__Swarmkit__V1__Annotations annotations;
    Docker__Swarmkit__V1__CAConfig ca_config;
    Docker__Swarmkit__V1__DispatcherConfig dispatcher;
    Docker__Swarmkit__V1__EncryptionConfig encryption;
    Docker__Swarmkit__V1__KeyRotation rotation;
    Docker__Swarmkit__V1__Version version;
};

static struct cluster_update update;

static const Docker__Swarmkit__V1__Cluster *stored(void)
{
    return store_cluster(asked.world.store, "c1");
}

static void update_init(void)
{
    docker__swarmkit__v1__update_cluster_request__init(&update.request);
    docker__swarmkit__v1__cluster_spec__init(&update.spec);
    docker__swarmkit__v1__annotations__init(&update.annotations);
    docker__swarmkit__v1__caconfig__init(&update.ca_config);
    docker__swarmkit__v1__dispatcher_config__init(&update.dispatcher);
    docker__swarmkit__v1__encryption_config__init(&update.encryption);
    docker__swarmkit__v1__key_rotation__init(&update.rotation);
    docker__swarmkit__v1__version__init(&update.version);
    update.annotations.name = CONSTANT("default");
    update.spec.annotations = &update.annotations;
    update.spec.ca_config = &update.ca_config;
    update.spec.dispatcher = &update.dispatcher;
    update.spec.encryption_config = &update.encryption;
    update.version.index = stored()->meta->version->index;
    update.request.cluster_id = CONSTANT("c1");
    update.request.cluster_version = &update.version;
    update.request.spec = &update.spec;
    update.request.rotation = &update.rotation;
}

static int set_up(void **state)
{
    (void)state;
    begin(&asked);
    bootstrap(&asked);
    update_init();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    end(&asked);
    return 0;
}

#define refused(code, grpc_status, text) assert_refused(&asked, UpdateCluster, &update.request, code, grpc_status, text)
#define invalid(text)                    refused(ERR_INVALID, 3, text)

static ProtobufCBinaryData data(const char *text)
{
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
}

static void assert_no_secret(const Docker__Swarmkit__V1__Cluster *shown)
{
    cleanup_buf struct buf packed = {0};
    message_pack(&shown->base, &packed);
    assert_null(memmem(packed.data, packed.size, "SECRET", 6));
    assert_string_equal(shown->root_ca->join_tokens->worker, "worker-token");
    assert_memory_equal(shown->root_ca->ca_cert.data, "PUBLIC", 6);
    assert_memory_equal(shown->root_ca->root_rotation->ca_cert.data, "PUBLIC", 6);
    assert_int_equal(shown->n_unlock_keys, 0);
    assert_int_equal(shown->n_network_bootstrap_keys, 0);
    assert_int_equal(shown->spec->ca_config->signing_ca_cert.len, 0);
    assert_int_equal(shown->spec->ca_config->force_rotate, 3);
}

static void secrets_are_in_no_answer(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__Cluster cluster = *stored();
    Docker__Swarmkit__V1__RootCA root_ca = *cluster.root_ca;
    Docker__Swarmkit__V1__RootRotation rotation = DOCKER__SWARMKIT__V1__ROOT_ROTATION__INIT;
    Docker__Swarmkit__V1__EncryptionKey key = DOCKER__SWARMKIT__V1__ENCRYPTION_KEY__INIT, *keys[] = {&key};
    Docker__Swarmkit__V1__ClusterSpec spec = *cluster.spec;
    Docker__Swarmkit__V1__CAConfig config = *spec.ca_config;
    root_ca.ca_key = data("SECRET-1");
    root_ca.ca_cert = data("PUBLIC-1");
    rotation.ca_key = data("SECRET-2");
    rotation.ca_cert = data("PUBLIC-2");
    root_ca.root_rotation = &rotation;
    key.key = data("SECRET-3");
    config.signing_ca_key = data("SECRET-4");
    config.signing_ca_cert = data("PUBLIC-3");
    config.force_rotate = 3;
    spec.ca_config = &config;
    cluster.spec = &spec;
    cluster.root_ca = &root_ca;
    cluster.unlock_keys = cluster.network_bootstrap_keys = keys;
    cluster.n_unlock_keys = cluster.n_network_bootstrap_keys = 1;
    ProtobufCMessageUnknownField unknown = {99, PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, 8, (uint8_t *)CONSTANT("\7SECRET-5")};
    cluster.base.unknown_fields = &unknown; /* of a version to come */
    cluster.base.n_unknown_fields = 1;
    do_update(&asked.world, &cluster);

    Docker__Swarmkit__V1__GetClusterRequest get = DOCKER__SWARMKIT__V1__GET_CLUSTER_REQUEST__INIT;
    Docker__Swarmkit__V1__ListClustersRequest list = DOCKER__SWARMKIT__V1__LIST_CLUSTERS_REQUEST__INIT;
    get.cluster_id = CONSTANT("c1");
    const Docker__Swarmkit__V1__GetClusterResponse *response = do_call(&asked, GetCluster, &get);
    assert_no_secret(response->cluster);
    assert_string_equal(response->cluster->defaultaddresspool[0], "10.0.0.0/8");
    assert_int_equal(response->cluster->subnetsize, 24);
    assert_int_equal(response->cluster->vxlanudpport, 4789);
    const Docker__Swarmkit__V1__ListClustersResponse *listed = do_call(&asked, ListClusters, &list);
    assert_int_equal(listed->n_clusters, 1);
    assert_no_secret(listed->clusters[0]);
    update_init();
    update.ca_config.force_rotate = 3;
    asked.unlocks = 0;
    update.encryption.auto_lock_managers = true;
    assert_no_secret(do_call(&asked, UpdateCluster, &update.request)->cluster);
    assert_memory_equal(stored()->root_ca->ca_key.data, "SECRET-1", 8); /* and all is where it was */
    assert_memory_equal(stored()->unlock_keys[0]->key.data, "SECRET-3", 8);
}

static void cluster_is_found_by_its_id_and_filters(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__GetClusterRequest get = DOCKER__SWARMKIT__V1__GET_CLUSTER_REQUEST__INIT;
    Docker__Swarmkit__V1__ListClustersRequest list = DOCKER__SWARMKIT__V1__LIST_CLUSTERS_REQUEST__INIT;
    Docker__Swarmkit__V1__ListClustersRequest__Filters filters = DOCKER__SWARMKIT__V1__LIST_CLUSTERS_REQUEST__FILTERS__INIT;
    assert_refused(&asked, GetCluster, &get, ERR_INVALID, 3, "invalid argument");
    get.cluster_id = CONSTANT("c9");
    assert_refused(&asked, GetCluster, &get, ERR_NOT_FOUND, 5, "cluster c9 not found");
    char *names[] = {CONSTANT("default")}, *prefixes[] = {CONSTANT("x")};
    list.filters = &filters;
    filters.names = names;
    filters.n_names = 1;
    assert_int_equal(do_call(&asked, ListClusters, &list)->n_clusters, 1);
    filters.id_prefixes = prefixes;
    filters.n_id_prefixes = 1;
    assert_int_equal(do_call(&asked, ListClusters, &list)->n_clusters, 0);
}

static void specs_have_rules(void **state)
{
    (void)state;
    struct Google__Protobuf__Duration hour = duration_of(3600, 0), less = duration_of(3599, 999999999), negative = duration_of(-1, 0),
                                      huge = duration_of(INT64_MAX, 0);
    Docker__Swarmkit__V1__AcceptancePolicy policy = DOCKER__SWARMKIT__V1__ACCEPTANCE_POLICY__INIT;
    Docker__Swarmkit__V1__AcceptancePolicy__RoleAdmissionPolicy role = DOCKER__SWARMKIT__V1__ACCEPTANCE_POLICY__ROLE_ADMISSION_POLICY__INIT,
                                                                *roles[] = {&role};
    Docker__Swarmkit__V1__AcceptancePolicy__RoleAdmissionPolicy__Secret secret =
        DOCKER__SWARMKIT__V1__ACCEPTANCE_POLICY__ROLE_ADMISSION_POLICY__SECRET__INIT;
    update.ca_config.node_cert_expiry = &less;
    invalid("minimum certificate expiry time is: 1h0m0s");
    update.ca_config.node_cert_expiry = &huge;
    invalid("certificate expiry time is no duration");
    update.ca_config.node_cert_expiry = &hour;
    update.dispatcher.heartbeat_period = &negative;
    invalid("heartbeat time period cannot be a negative duration");
    update.dispatcher.heartbeat_period = &huge;
    invalid("heartbeat time period is no duration");
    update.dispatcher.heartbeat_period = &hour;
    update.annotations.name = CONSTANT("other");
    invalid("modification of cluster name is not allowed");
    update.spec.annotations = NULL;
    invalid("modification of cluster name is not allowed");
    update.spec.annotations = &update.annotations;
    update.annotations.name = CONSTANT("default");
    policy.policies = roles;
    policy.n_policies = 1;
    role.secret = &secret;
    secret.alg = CONSTANT("rot13");
    update.spec.acceptance_policy = &policy;
    invalid("hashing algorithm is not supported: rot13");
    secret.alg = CONSTANT("bcrypt2");
    invalid("hashing algorithm is not supported: bcrypt2");
    secret.alg = CONSTANT("BCrypt");
    assert_int_equal(asked.ca_changes, 0); /* nobody was asked about what cannot be */
    (void)do_call(&asked, UpdateCluster, &update.request);
    assert_int_equal(stored()->spec->dispatcher->heartbeat_period->seconds, 3600);
    assert_int_equal(stored()->spec->ca_config->node_cert_expiry->seconds, 3600);
}

static void update_names_its_cluster_version_and_spec(void **state)
{
    (void)state;
    update.request.spec = NULL;
    invalid("invalid argument");
    update_init();
    update.request.cluster_version = NULL;
    invalid("invalid argument");
    update_init();
    update.request.cluster_id = CONSTANT("");
    invalid("invalid argument");
    update.request.cluster_id = CONSTANT("c9");
    refused(ERR_NOT_FOUND, 5, "cluster c9 not found");
    update_init();
    update.version.index++;
    refused(ERR_PRECONDITION, 2, "update out of sequence");
    assert_int_equal(asked.ca_changes, 0);
}

static void parts_that_are_left_out_are_stored_empty(void **state)
{
    (void)state;
    update.spec.ca_config = NULL;
    update.spec.dispatcher = NULL;
    update.spec.encryption_config = NULL;
    update.request.rotation = NULL;
    (void)do_call(&asked, UpdateCluster, &update.request);
    const Docker__Swarmkit__V1__ClusterSpec *spec = stored()->spec;
    assert_true(spec->acceptance_policy && spec->orchestration && spec->raft && spec->dispatcher && spec->ca_config &&
                spec->task_defaults && spec->encryption_config);
    assert_int_equal(spec->orchestration->task_history_retention_limit, 0);
}

static void tokens_rotate_alone(void **state)
{
    (void)state;
    update.rotation.worker_join_token = true;
    const Docker__Swarmkit__V1__UpdateClusterResponse *response = do_call(&asked, UpdateCluster, &update.request);
    assert_string_equal(response->cluster->root_ca->join_tokens->worker, "worker-anew");
    assert_string_equal(response->cluster->root_ca->join_tokens->manager, "manager-token");
    update_init();
    update.rotation.manager_join_token = true;
    response = do_call(&asked, UpdateCluster, &update.request);
    assert_string_equal(response->cluster->root_ca->join_tokens->manager, "manager-anew");
}

static void locks_get_keys_that_rotate_and_go(void **state)
{
    (void)state;
    update.encryption.auto_lock_managers = true;
    (void)do_call(&asked, UpdateCluster, &update.request);
    assert_memory_equal(stored()->unlock_keys[0]->key.data, "key-1", 5);
    update_init();
    update.encryption.auto_lock_managers = true;
    (void)do_call(&asked, UpdateCluster, &update.request);
    assert_memory_equal(stored()->unlock_keys[0]->key.data, "key-1", 5);
    update_init();
    update.encryption.auto_lock_managers = true;
    update.rotation.manager_unlock_key = true;
    (void)do_call(&asked, UpdateCluster, &update.request);
    assert_memory_equal(stored()->unlock_keys[0]->key.data, "key-2", 5);
    update_init();
    (void)do_call(&asked, UpdateCluster, &update.request);
    assert_int_equal(stored()->n_unlock_keys, 0);
}

static void authority_may_refuse(void **state)
{
    (void)state;
    asked.ca_refuses = "CA certificate expires too soon";
    invalid("CA certificate expires too soon");
    asked.ca_refuses = NULL;
    update.ca_config.force_rotate = 5;
    (void)do_call(&asked, UpdateCluster, &update.request);
    assert_int_equal(stored()->root_ca->last_forced_rotation, 5);
}

/* Between the question and the authority's answer others go on; what they changed is not overwritten. */
static void authority_is_awaited(void **state)
{
    (void)state;
    asked.ca_waits = true;
    assert_true(control_call(asked.control, METHOD_Control_UpdateCluster, &update.request.base, on_answer, &asked));
    world_settle(&asked.world);
    assert_int_equal(asked.answers, 1); /* the bootstrap's alone */
    Docker__Swarmkit__V1__Cluster changed = *stored();
    changed.encryption_key_lamport_clock = 9;
    do_update(&asked.world, &changed);
    int entries = asked.world.entries_count;
    ca_answer(&asked);
    world_settle(&asked.world);
    assert_int_equal(asked.answers, 2);
    assert_int_equal(asked.err.code, ERR_PRECONDITION);
    assert_int_equal(asked.grpc_status, 2);
    assert_non_null(strstr(asked.err.message, "update out of sequence"));
    assert_int_equal(asked.world.entries_count, entries);
    assert_int_equal(stored()->encryption_key_lamport_clock, 9);
}

static void update_forgets_certificates_that_are_long_expired(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__Cluster cluster = *stored();
    Docker__Swarmkit__V1__Cluster__BlacklistedCertificatesEntry entries[3], *list[] = {&entries[0], &entries[1], &entries[2]};
    Docker__Swarmkit__V1__BlacklistedCertificate certificates[3];
    Google__Protobuf__Timestamp times[3];
    const int64_t ages_s[] = {7 * 86400 + 1, 7 * 86400 - 1, 0};
    const char *names[] = {"old", "recent", "endless"};
    for (int i = 0; i < 3; i++) {
        docker__swarmkit__v1__cluster__blacklisted_certificates_entry__init(&entries[i]);
        docker__swarmkit__v1__blacklisted_certificate__init(&certificates[i]);
        message_set_timestamp(&times[i], asked.world.wall_ns - ages_s[i] * (int64_t)NS_PER_S);
        certificates[i].expiry = i < 2 ? &times[i] : NULL;
        entries[i].key = CONSTANT(names[i]);
        entries[i].value = &certificates[i];
    }
    cluster.blacklisted_certificates = list;
    cluster.n_blacklisted_certificates = 3;
    do_update(&asked.world, &cluster);
    update_init();
    (void)do_call(&asked, UpdateCluster, &update.request);
    assert_int_equal(stored()->n_blacklisted_certificates, 2);
    assert_string_equal(stored()->blacklisted_certificates[0]->key, "recent");
    assert_string_equal(stored()->blacklisted_certificates[1]->key, "endless");
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(secrets_are_in_no_answer),
        test(cluster_is_found_by_its_id_and_filters),
        test(specs_have_rules),
        test(update_names_its_cluster_version_and_spec),
        test(parts_that_are_left_out_are_stored_empty),
        test(tokens_rotate_alone),
        test(locks_get_keys_that_rotate_and_go),
        test(authority_may_refuse),
        test(authority_is_awaited),
        test(update_forgets_certificates_that_are_long_expired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
