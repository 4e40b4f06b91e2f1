/* tests/unit/api/swarm/test_json_cluster.c – the swarm as a whole: merging specs, what is never shown, and how one begins. */
#include "tests/unit/api/swarm/recorded.h"

#include "api/swarm/issuer.h"
#include "api/swarm/json_cluster.h"
#include "api/swarm/json_network.h"
#include "api/swarm/json_secret.h"

typedef Docker__Swarmkit__V1__ClusterSpec ClusterSpec;

static ClusterSpec *spec_of(const char *text, const ClusterSpec *base, struct arena *arena)
{
    cleanup_json cJSON *json = cJSON_Parse(text);
    ClusterSpec *spec = NULL;
    assert_ok(swarm_read_cluster_spec(json, 41, base, arena, &spec, err));
    return spec;
}

static void a_spec_is_laid_over_another(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    const ClusterSpec *base =
        spec_of("{\"Labels\":{\"a\":\"b\"},\"Orchestration\":{\"TaskHistoryRetentionLimit\":5},\"Raft\":{\"SnapshotInterval\":10000,"
                "\"KeepOldSnapshots\":2,\"LogEntriesForSlowFollowers\":500,\"ElectionTick\":10,\"HeartbeatTick\":1},"
                "\"Dispatcher\":{\"HeartbeatPeriod\":5000000000},\"CAConfig\":{\"NodeCertExpiry\":7776000000000000,\"ForceRotate\":3},"
                "\"EncryptionConfig\":{\"AutoLockManagers\":true}}",
                NULL, &arena);
    assert_string_equal(base->annotations->name, "default");
    assert_non_null(base->acceptance_policy);
    const ClusterSpec *same =
        spec_of("{\"Labels\":{},\"Orchestration\":{},\"Raft\":{\"ElectionTick\":0,\"HeartbeatTick\":0},\"Dispatcher\":{},"
                "\"CAConfig\":{}}",
                base, &arena);
    assert_int_equal(same->annotations->n_labels, 1);
    assert_int_equal(same->orchestration->task_history_retention_limit, 5);
    assert_int_equal(same->raft->snapshot_interval, 10000);
    assert_int_equal(same->raft->keep_old_snapshots, 2);
    assert_int_equal(same->raft->election_tick, 10);
    assert_int_equal(same->raft->heartbeat_tick, 1);
    assert_int_equal(same->dispatcher->heartbeat_period->seconds, 5);
    assert_int_equal(same->ca_config->node_cert_expiry->seconds, 7776000);
    assert_false(same->encryption_config->auto_lock_managers); /* these two are what the JSON says */
    assert_int_equal(same->ca_config->force_rotate, 0);
    const ClusterSpec *other =
        spec_of("{\"Orchestration\":{\"TaskHistoryRetentionLimit\":0},\"Raft\":{\"KeepOldSnapshots\":0,\"ElectionTick\":3},"
                "\"CAConfig\":{\"NodeCertExpiry\":3600000000000}}",
                base, &arena);
    assert_int_equal(other->orchestration->task_history_retention_limit, 0);
    assert_int_equal(other->raft->keep_old_snapshots, 0);
    assert_int_equal(other->raft->election_tick, 3);
    assert_int_equal(other->ca_config->node_cert_expiry->seconds, 3600);
}

static void keys_go_in_and_never_come_out(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    ClusterSpec *spec = spec_of("{\"CAConfig\":{\"SigningCACert\":\"the-cert\",\"SigningCAKey\":\"the-key\"}}", NULL, &arena);
    assert_memory_equal(spec->ca_config->signing_ca_key.data, "the-key", 7);
    Docker__Swarmkit__V1__Cluster cluster = DOCKER__SWARMKIT__V1__CLUSTER__INIT;
    Docker__Swarmkit__V1__RootCA root = DOCKER__SWARMKIT__V1__ROOT_CA__INIT;
    Docker__Swarmkit__V1__JoinTokens tokens = DOCKER__SWARMKIT__V1__JOIN_TOKENS__INIT;
    char worker[] = "the-worker-token";
    uint8_t key[] = "the-root-key";
    tokens.worker = worker;
    root.join_tokens = &tokens;
    root.ca_key = (ProtobufCBinaryData){sizeof key - 1, key};
    cluster.spec = spec;
    cluster.root_ca = &root;
    cJSON *json = swarm_json_cluster(&cluster, 50);
    cleanup_json cJSON *info = swarm_json_cluster_info(&cluster, 50);
    cleanup_free char *text = json_print(json), *info_text = json_print(info);
    assert_non_null(strstr(text, "the-worker-token"));
    assert_null(strstr(info_text, "the-worker-token"));
    static const char *const hidden[] = {"the-cert", "the-key", "the-root-key", "dGhlLXJvb3Qta2V5"};
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        assert_null(strstr(text, hidden[i]));
    swarm_body_free(json);

    Docker__Swarmkit__V1__Secret secret = DOCKER__SWARMKIT__V1__SECRET__INIT;
    Docker__Swarmkit__V1__SecretSpec *secret_spec = NULL;
    cleanup_json cJSON *body = cJSON_Parse("{\"Name\":\"s\",\"Data\":\"dGhlIGRhdGE=\",\"Driver\":{\"Name\":\"d\"}}");
    assert_ok(swarm_read_secret_spec(body, 41, &arena, &secret_spec, err));
    assert_int_equal(secret_spec->data.len, 8);
    assert_memory_equal(secret_spec->data.data, "the data", 8);
    secret.spec = secret_spec;
    cleanup_json cJSON *shown = swarm_json_secret(&secret, 41);
    assert_null(cJSON_GetObjectItem(cJSON_GetObjectItem(shown, "Spec"), "Data"));
    assert_non_null(cJSON_GetObjectItem(cJSON_GetObjectItem(shown, "Spec"), "Driver"));
}

static void the_last_update_of_the_recording_is_its_spec(void **state)
{
    (void)state;
    cleanup_json cJSON *requests = recorded_exactly("requests"), *swarm = recorded("swarm");
    cleanup_arena struct arena arena = {0};
    ClusterSpec *spec = NULL;
    const cJSON *request, *last = NULL;
    cJSON_ArrayForEach (request, requests)
        if (strstr(json_string(request, "path", ""), "/swarm/update"))
            last = request;
    assert_non_null(last);
    assert_ok(swarm_read_cluster_spec(json_object(last, "body"), 41, NULL, &arena, &spec, err));
    Docker__Swarmkit__V1__Cluster *cluster =
        (Docker__Swarmkit__V1__Cluster *)recorded_message(swarm->child, "message", &docker__swarmkit__v1__cluster__descriptor);
    assert_same_message(&spec->base, &cluster->spec->base, "swarm");
    message_free(&cluster->base);
}

static void issuers_are_read_from_certificates(void **state)
{
    (void)state;
    cleanup_buf struct buf pem = {0};
    struct issuer issuer = {0};
    assert_ok(file_read("tests/fixtures/swarm/root-1.crt", 64 * KIB, &pem, err));
    assert_ok(issuer_of_certificate(buf_bytes(&pem), &issuer, err));
    assert_int_equal(issuer.subject.data[0], 0x30); /* a SEQUENCE */
    assert_int_equal(issuer.public_key.data[0], 0x30);
    issuer_deinit(&issuer);
    assert_fails(issuer_of_certificate(bytes_of_string("nothing"), &issuer, err), ERR_INVALID, "not a certificate");
    assert_fails(issuer_of_certificate(bytes_of(NULL, 0), &issuer, err), ERR_INVALID, "no certificate");
}

static void a_swarm_begins_as_asked(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    struct swarm_init_request request;
    cleanup_json cJSON *json = cJSON_Parse(
                           "{\"ListenAddr\":\"0.0.0.0:2377\",\"AdvertiseAddr\":\"10.0.0.1\",\"DataPathAddr\":\"\",\"DataPathPort\":4790,"
                           "\"DefaultAddrPool\":[\"10.1.0.0/16\"],\"ForceNewCluster\":false,\"AutoLockManagers\":true,"
                           "\"SubnetSize\":26,\"Availability\":\"drain\",\"Spec\":{\"Labels\":null,\"Raft\":{\"ElectionTick\":0,"
                           "\"HeartbeatTick\":0},\"CAConfig\":{},\"EncryptionConfig\":{\"AutoLockManagers\":true}}}"),
                       *bare = cJSON_Parse("{}"), *bad_pool = cJSON_Parse("{\"DefaultAddrPool\":[1]}"),
                       *bad_port = cJSON_Parse("{\"DataPathPort\":-1}"), *bad_spec = cJSON_Parse("{\"Spec\":{\"Name\":\"x\"}}"),
                       *bad_availability = cJSON_Parse("{\"Availability\":\"x\"}"), *key = cJSON_Parse("{\"UnlockKey\":\"SWMKEY-1-x\"}"),
                       *bad_key = cJSON_Parse("{\"UnlockKey\":1}");
    assert_ok(swarm_read_init(json, 41, &arena, &request, err));
    assert_string_equal(request.listen_addr, "0.0.0.0:2377");
    assert_string_equal(request.advertise_addr, "10.0.0.1");
    assert_string_equal(request.availability, "drain");
    assert_int_equal(request.data_path_port, 4790);
    assert_int_equal(request.subnet_size, 26);
    assert_int_equal(request.default_addr_pool_count, 1);
    assert_string_equal(request.default_addr_pool[0], "10.1.0.0/16");
    assert_true(request.autolock_managers);
    assert_non_null(request.spec);
    assert_ok(swarm_read_init(json, 38, &arena, &request, err));
    assert_int_equal(request.data_path_port + request.subnet_size + request.default_addr_pool_count, 0);
    assert_ok(swarm_read_init(bare, 41, &arena, &request, err));
    assert_string_equal(request.availability, "");
    assert_null(request.spec);
    assert_fails(swarm_read_init(NULL, 41, &arena, &request, err), ERR_INVALID, "not a JSON object");
    assert_fails(swarm_read_init(bad_pool, 41, &arena, &request, err), ERR_INVALID, "DefaultAddrPool[0]: not a text");
    assert_fails(swarm_read_init(bad_port, 41, &arena, &request, err), ERR_INVALID, "DataPathPort: not a whole number");
    assert_fails(swarm_read_init(bad_spec, 41, &arena, &request, err), ERR_INVALID, "must be named");
    assert_fails(swarm_read_init(bad_availability, 41, &arena, &request, err), ERR_INVALID, "Availability");
    const char *unlock = NULL;
    assert_ok(swarm_read_unlock(key, &unlock, err));
    assert_string_equal(unlock, "SWMKEY-1-x");
    assert_fails(swarm_read_unlock(bad_key, &unlock, err), ERR_INVALID, "UnlockKey: not a text");
    cleanup_json cJSON *shown = swarm_json_unlock_key(NULL);
    assert_string_equal(json_string(shown, "UnlockKey", "?"), "");
}

static void networks_are_made_as_asked(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    Docker__Swarmkit__V1__NetworkSpec *spec = NULL;
    cleanup_json cJSON *json =
        cJSON_Parse("{\"Name\":\"wires\",\"CheckDuplicate\":true,\"Driver\":\"overlay\",\"Scope\":\"\",\"EnableIPv6\":true,"
                    "\"IPAM\":{\"Driver\":\"\",\"Options\":{\"x\":\"y\"},\"Config\":[{\"Subnet\":\"10.9.0.0/24\",\"IPRange\":"
                    "\"10.9.0.128/25\",\"Gateway\":\"10.9.0.1\",\"AuxiliaryAddresses\":{\"a\":\"10.9.0.2\"}}]},\"Internal\":true,"
                    "\"Attachable\":true,\"Ingress\":false,\"ConfigOnly\":false,\"ConfigFrom\":{\"Network\":\"\"},"
                    "\"Options\":{\"encrypted\":\"\"},\"Labels\":{\"a\":\"b\"}}");
    assert_ok(swarm_read_network_spec(json, 41, &arena, &spec, err));
    assert_string_equal(spec->annotations->name, "wires");
    assert_string_equal(spec->driver_config->name, "overlay");
    assert_string_equal(spec->driver_config->options[0]->key, "encrypted");
    assert_string_equal(spec->ipam->driver->name, "default");
    assert_string_equal(spec->ipam->driver->options[0]->value, "y");
    assert_string_equal(spec->ipam->configs[0]->range, "10.9.0.128/25");
    assert_string_equal(spec->ipam->configs[0]->reserved[0]->key, "a");
    assert_true(spec->ipv6_enabled && spec->internal && spec->attachable && !spec->ingress);
    assert_int_equal(spec->config_from_case, DOCKER__SWARMKIT__V1__NETWORK_SPEC__CONFIG_FROM__NOT_SET);
    Docker__Swarmkit__V1__Network network = DOCKER__SWARMKIT__V1__NETWORK__INIT;
    network.spec = spec;
    assert_false(swarm_network_is_ingress(&network));
    assert_false(swarm_network_is_predefined(&network));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spec_is_laid_over_another),
        cmocka_unit_test(keys_go_in_and_never_come_out),
        cmocka_unit_test(the_last_update_of_the_recording_is_its_spec),
        cmocka_unit_test(issuers_are_read_from_certificates),
        cmocka_unit_test(a_swarm_begins_as_asked),
        cmocka_unit_test(networks_are_made_as_asked),
    };
    return cmocka_run_group_tests_name("api/swarm/json_cluster", tests, NULL, NULL);
}
