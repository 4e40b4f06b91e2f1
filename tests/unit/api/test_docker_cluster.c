/* tests/unit/api/test_docker_cluster.c – the swarm as a whole over HTTP: init, inspect, update, its key, leaving it, and info's part of it.
 */
#include "tests/unit/api/swarm_fixture.h"

static const Docker__Swarmkit__V1__Cluster *cluster(struct swarm *s)
{
    return store_cluster(s->asked.world.store, "c1");
}

static void swarm_is_inspected(void **state)
{
    struct swarm *s = *state;
    swarm_get(s, "/swarm", 200, "\"ID\":\"c1\"");
    assert_true(swarm_has(s, "\"JoinTokens\":{\"Worker\":\"worker-token\",\"Manager\":\"manager-token\"}"));
    assert_true(swarm_has(s, "\"TrustRoot\":\"public\"") && !swarm_has(s, "private"));
    swarm_get(s, "/v1.38/swarm", 200, "\"ID\":\"c1\"");
    assert_false(swarm_has(s, "DefaultAddrPool"));
}

static void post_update(struct swarm *s, const char *query, const char *body, int status, const char *text)
{
    cleanup_free char *path = mem_format("/swarm/update?version=%u%s", swarm_version_of(s, "/swarm"), query);
    swarm_post(s, path, body, status, text);
}

static void swarm_is_updated(void **state)
{
    struct swarm *s = *state;
    post_update(s, "", "{\"Name\":\"default\",\"Orchestration\":{\"TaskHistoryRetentionLimit\":3}}", 200, "Content-Length: 0");
    assert_int_equal(cluster(s)->spec->orchestration->task_history_retention_limit, 3);
    swarm_post(s, "/swarm/update?version=1", "{\"Name\":\"default\"}", 500, "rpc error: code = Unknown desc = update out of sequence");
    swarm_post(s, "/swarm/update?version=x", "{}", 400, "invalid swarm version 'x'");
    post_update(s, "", "{\"Name\":\"other\"}", 400, "swarm spec must be named \\\"default\\\"");
    post_update(s, "&rotateWorkerToken=often", "{\"Name\":\"default\"}", 400, "invalid value for rotateWorkerToken: often");
    post_update(s, "", "{\"CAConfig\":{\"NodeCertExpiry\":1000000000}}", 400, "InvalidArgument desc = ");
}

static void tokens_and_key_are_rotated(void **state)
{
    struct swarm *s = *state;
    post_update(s, "&rotateWorkerToken=true", "{\"Name\":\"default\"}", 200, "");
    swarm_get(s, "/swarm", 200, "\"Worker\":\"worker-anew\",\"Manager\":\"manager-token\"");
    post_update(s, "&rotateManagerToken=1&rotateWorkerToken=false", "{\"Name\":\"default\"}", 200, "");
    swarm_get(s, "/swarm", 200, "\"Manager\":\"manager-anew\"");
    post_update(s, "", "{\"EncryptionConfig\":{\"AutoLockManagers\":true}}", 200, "");
    assert_int_equal(s->asked.unlocks, 1);
    post_update(s, "&rotateManagerUnlockKey=true", "{\"EncryptionConfig\":{\"AutoLockManagers\":true}}", 200, "");
    assert_int_equal(s->asked.unlocks, 2);
}

static void unlock_key_is_told(void **state)
{
    struct swarm *s = *state;
    swarm_get(s, "/swarm/unlockkey", 200, "{\"UnlockKey\":\"\"}");
    s->unlock_key = "SWMKEY-1-abc";
    swarm_get(s, "/swarm/unlockkey", 200, "{\"UnlockKey\":\"SWMKEY-1-abc\"}");
    s->unlock_key = NULL;
    swarm_get(s, "/swarm/unlockkey", 503, "no leader");
}

static void locked_manager_is_unlocked(void **state)
{
    struct swarm *s = *state;
    swarm_post(s, "/swarm/unlock", "{\"UnlockKey\":\"SWMKEY-1-abc\"}", 409, "swarm is not locked");
    s->is_worker = true;
    swarm_post(s, "/swarm/unlock", "{\"UnlockKey\":\"SWMKEY-1-abc\"}", 503, "This node is not a swarm manager");
    s->asker.fixture.node.state = NODE_LOCKED;
    swarm_get(s, "/nodes", 503, "Swarm is encrypted and needs to be unlocked before it can be used");
    s->unlock_code = ERR_TRUST;
    swarm_post(s, "/swarm/unlock", "{\"UnlockKey\":\"SWMKEY-1-xyz\"}", 401, "invalid key provided");
    s->unlock_code = 0;
    swarm_post(s, "/swarm/unlock", "[]", 400, "UnlockKey");
    swarm_post(s, "/swarm/unlock", "{\"UnlockKey\":\"SWMKEY-1-abc\"}", 200, "Content-Length: 0");
    assert_string_equal(s->key, "SWMKEY-1-abc");
}

/* --- init --- */

static void init_says_all_it_was_told(void **state)
{
    struct swarm *s = *state;
    swarm_post(s, "/swarm/init",
               "{\"ListenAddr\":\"0.0.0.0:2377\",\"AdvertiseAddr\":\"10.0.0.1\",\"DefaultAddrPool\":[\"10.9.0.0/16\"],\"SubnetSize\":26,"
               "\"DataPathPort\":4790,\"ForceNewCluster\":true,\"AutoLockManagers\":true,\"Availability\":\"drain\"}",
               200, "\r\n\r\n\"m1\"\n");
    assert_string_equal(s->listen_addr, "0.0.0.0:2377");
    assert_string_equal(s->advertise_addr, "10.0.0.1");
    assert_string_equal(s->pool, "10.9.0.0/16");
    assert_int_equal(s->subnet_size, 26);
    assert_int_equal(s->data_path_port, 4790);
    assert_int_equal(s->availability, DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__DRAIN);
    assert_true(s->was_forced && s->was_locked);
    assert_int_equal(s->calls, 0); /* nothing to lay over the new cluster's spec */
}

static void spec_of_init_is_laid_over_the_new_cluster(void **state)
{
    struct swarm *s = *state;
    s->is_worker = true;
    swarm_post(s, "/swarm/init", "{\"Spec\":{\"Orchestration\":{\"TaskHistoryRetentionLimit\":2},\"Labels\":{\"a\":\"b\"}}}", 200,
               "\"m1\"");
    assert_int_equal(cluster(s)->spec->orchestration->task_history_retention_limit, 2);
    assert_true(cluster(s)->spec->raft->snapshot_interval > 0); /* the default stayed */
    unsigned calls = s->calls;
    s->is_worker = true;
    swarm_post(s, "/swarm/init", "{\"Spec\":{\"Orchestration\":{\"TaskHistoryRetentionLimit\":2},\"Labels\":{\"a\":\"b\"}}}", 200,
               "\"m1\"");
    assert_int_equal(s->calls, calls + 1); /* looked at, and left alone */
}

static void init_that_cannot_be_is_refused(void **state)
{
    struct swarm *s = *state;
    swarm_post(s, "/swarm/init", "{\"Availability\":\"gone\"}", 400, "Availability");
    swarm_post(s, "/swarm/init", "{\"Spec\":{\"Name\":\"other\"}}", 400, "swarm spec must be named");
    swarm_post(s, "/swarm/init", "[]", 400, "not a JSON object");
    swarm_post(s, "/swarm/init", "{}", 503, "This node is already part of a swarm");
    s->init_code = ERR_UNAVAILABLE;
    swarm_post(s, "/swarm/init", "{\"ListenAddr\":\"10.0.0.1:1\"}", 503, "listen at 10.0.0.1:1: it is in use");
}

static void init_is_told_when_its_client_went(void **state)
{
    struct swarm *s = *state;
    s->answers_init_later = s->is_worker = true;
    asker_send(&s->asker, "POST /swarm/init HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\n\r\n{}");
    for (int i = 0; i < 1000 && s->late_ctx == NULL; i++)
        uv_run(&s->asker.fixture.loop, UV_RUN_ONCE);
    assert_non_null(s->late_ctx);
    asker_hang_up(&s->asker);
    for (int i = 0; i < 1000 && s->abandoned == 0; i++)
        uv_run(&s->asker.fixture.loop, UV_RUN_ONCE);
    assert_int_equal(s->abandoned, 1);
    assert_null(s->late_ctx);
}

static void init_that_fails_later_says_why(void **state)
{
    struct swarm *s = *state;
    struct error err = {.code = ERR_NO_SPACE, .message = "write the log: no space left"};
    s->answers_init_later = s->is_worker = true;
    asker_send(&s->asker, "POST /swarm/init HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\n\r\n{}");
    for (int i = 0; i < 1000 && s->late_ctx == NULL; i++)
        uv_run(&s->asker.fixture.loop, UV_RUN_ONCE);
    s->late_init(s->late_ctx, NULL, &err);
    asker_wait_for(&s->asker, "HTTP/1.1 507 ");
    asker_wait_for(&s->asker, "write the log: no space left");
}

/* --- leave --- */

static void add_manager(struct swarm *s, int index, const char *id)
{
    s->asked.members[index] = (struct member_of){id, (uint64_t)index + 1, false};
    do_create(&s->asked.world, node(id, id));
}

static void manager_leaves_by_force_only(void **state)
{
    struct swarm *s = *state;
    swarm_post(s, "/swarm/leave", "", 503, "Removing the last manager erases all current state of the swarm");
    add_manager(s, 1, "m2");
    swarm_post(s, "/swarm/leave", "", 503, "Removing this node leaves 1 managers out of 2");
    add_manager(s, 2, "m3");
    swarm_post(s, "/swarm/leave", "", 503, "You are attempting to leave the swarm on a node that is participating as a manager");
    assert_false(swarm_has(s, "out of 3"));
    s->refuses = ERR_UNAVAILABLE;
    swarm_post(s, "/swarm/leave", "", 503, "`--force-new-cluster`");
    swarm_post(s, "/swarm/leave?force=1", "", 200, "Content-Length: 0");
    assert_int_equal(s->asker.fixture.node.state, NODE_INACTIVE);
}

/* --- info --- */

static void info_has_the_swarm(void **state)
{
    struct swarm *s = *state;
    do_create(&s->asked.world, node("w1", "comb"));
    swarm_get(s, "/v1.41/info", 200, "\"NodeID\":\"m1\"");
    cleanup_json cJSON *json = swarm_json(s);
    const cJSON *swarm = json_object(json, "Swarm"), *shown = json_object(swarm, "Cluster");
    assert_true(json_bool(swarm, "ControlAvailable", false));
    assert_int_equal(json_int(swarm, "Nodes", 0), 2);
    assert_int_equal(json_int(swarm, "Managers", 0), 1);
    assert_string_equal(json_string(shown, "ID", ""), "c1");
    assert_null(json_object(shown, "JoinTokens"));
    assert_string_equal(json_string(swarm, "Error", "?"), "");
    assert_null(json_array(swarm, "Warnings"));
    swarm_get(s, "/_ping", 200, "Swarm: active/manager");
    add_manager(s, 1, "m2");
    swarm_get(s, "/info", 200, "\"Warnings\":[\"WARNING: Running Swarm in a two-manager configuration.");
}

static void info_says_when_the_swarm_does_not_answer(void **state)
{
    struct swarm *s = *state;
    s->refuses = ERR_UNAVAILABLE;
    swarm_get(s, "/info", 200, "\"Error\":\"rpc error: code = Unavailable desc = the swarm has no leader\"");
    assert_true(swarm_has(s, "\"ControlAvailable\":true") && !swarm_has(s, "\"Cluster\""));
    s->is_worker = true;
    swarm_get(s, "/info", 200, "\"ControlAvailable\":false");
    swarm_get(s, "/_ping", 200, "Swarm: active/worker");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, swarm_setup, swarm_teardown)
    const struct CMUnitTest tests[] = {
        T(swarm_is_inspected),
        T(swarm_is_updated),
        T(tokens_and_key_are_rotated),
        T(unlock_key_is_told),
        T(locked_manager_is_unlocked),
        T(init_says_all_it_was_told),
        T(spec_of_init_is_laid_over_the_new_cluster),
        T(init_that_cannot_be_is_refused),
        T(init_is_told_when_its_client_went),
        T(init_that_fails_later_says_why),
        T(manager_leaves_by_force_only),
        T(info_has_the_swarm),
        T(info_says_when_the_swarm_does_not_answer),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
