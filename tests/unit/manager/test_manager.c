/* Whole managers over real TLS on loopback: one founds a cluster, others are let in, calls find the leader, and a leader that goes hands
 * over. */
#include "manager/inside.h"
#include "manager/member.h"
#include "proto/message.h"
#include "proto/swarmkit/ca.pb-c.h"
#include "proto/swarmkit/raft.pb-c.h"
#include "tests/unit/manager/whole.h"
#include "tests/unit/metrics_reader.h"

/* --- questions --- */

struct answer {
    bool is_there;
    ProtobufCMessage *response; /* a copy; NULL: refused */
    struct error err;
    int status;
};

static void answered(void *ctx, const struct control_answer *answer)
{
    struct answer *out = ctx;
    assert_false(out->is_there);
    out->is_there = true;
    out->response = answer->response ? message_copy(answer->response) : NULL;
    if (answer->err)
        out->err = *answer->err;
    out->status = answer->grpc_status;
}

static struct answer ask(struct host *host, enum method_id method, const ProtobufCMessage *request)
{
    struct answer answer = {0};
    manager_call(host->manager, method, request, answered, &answer);
    run_until(&host->trial->loop, answer.is_there);
    return answer;
}

static struct answer list_nodes(struct host *host)
{
    Docker__Swarmkit__V1__ListNodesRequest request = DOCKER__SWARMKIT__V1__LIST_NODES_REQUEST__INIT;
    return ask(host, METHOD_Control_ListNodes, &request.base);
}

static void assert_managers(struct host *host, size_t want)
{
    struct answer answer = list_nodes(host);
    const Docker__Swarmkit__V1__ListNodesResponse *response = (const void *)answer.response;
    size_t leaders = 0, managers = 0;
    if (response == NULL)
        fail_msg("refused: %s", answer.err.message);
    for (size_t i = 0; i < response->n_nodes; i++)
        if (response->nodes[i]->manager_status) {
            managers++;
            leaders += response->nodes[i]->manager_status->leader ? 1 : 0;
        }
    assert_int_equal(managers, want);
    assert_int_equal(leaders, 1);
    message_free(answer.response);
}

static struct host *leader(struct trial *trial)
{
    for (int i = 0; i < HOSTS; i++)
        if (trial->hosts[i].manager && manager_is_leading(trial->hosts[i].manager))
            return &trial->hosts[i];
    return NULL;
}

/* --- tests --- */

static void one_founds_a_cluster_and_is_the_same_after_a_restart(void **state)
{
    struct trial *trial = *state;
    struct host *first = &trial->hosts[0];
    struct member before, after;
    found(trial);
    assert_managers(first, 1);
    assert_string_equal(manager_address(first->manager), first->address);
    assert_ok(member_read(first->dir, NULL, &before, err));
    assert_true(before.is_joined);
    close_host(first);
    assert_ok(open_host(first, NULL, NULL, err));
    run_until(&trial->loop, first->is_ready);
    assert_managers(first, 1);
    assert_ok(member_read(first->dir, NULL, &after, err));
    assert_true(before.raft_id == after.raft_id && before.keys.current == after.keys.current);
    member_deinit(&before);
    member_deinit(&after);
}

static void others_are_let_in_and_pass_calls_on(void **state)
{
    struct trial *trial = *state;
    found(trial);
    let_in(trial, 1);
    assert_managers(&trial->hosts[0], 2);
    assert_managers(&trial->hosts[1], 2); /* asks the leader */
    let_in(trial, 2);
    for (int i = 0; i < HOSTS; i++)
        assert_managers(&trial->hosts[i], 3);
    close_host(&trial->hosts[2]);
    assert_ok(open_host(&trial->hosts[2], NULL, NULL, err));
    run_until(&trial->loop, trial->hosts[2].is_ready);
    assert_managers(&trial->hosts[2], 3);
}

static void a_leader_that_goes_hands_over(void **state)
{
    struct trial *trial = *state;
    found(trial);
    let_in(trial, 1);
    let_in(trial, 2);
    assert_ptr_equal(leader(trial), &trial->hosts[0]);
    manager_close(trial->hosts[0].manager, on_closed, &trial->hosts[0]);
    run_until(&trial->loop, trial->hosts[0].is_closed && leader(trial));
    struct host *next = leader(trial);
    assert_managers(next, 3);
    close_host(next == &trial->hosts[1] ? &trial->hosts[2] : &trial->hosts[1]);
    run_until(&trial->loop, leader(trial) == NULL); /* alone, it steps down */
    struct answer answer = list_nodes(next);
    assert_null(answer.response);
    assert_int_equal(answer.status, GRPC_UNAVAILABLE);
    assert_non_null(strstr(answer.err.message, "The swarm does not have a leader"));
}

struct reply {
    bool is_there;
    int code;
    char message[512];
    ProtobufCMessage *copy;
};

static void replied(void *ctx, const struct grpc_status *status, ProtobufCMessage *message)
{
    struct reply *reply = ctx;
    reply->is_there = true;
    reply->code = status->code;
    snprintf(reply->message, sizeof reply->message, "%s", status->message);
    reply->copy = message ? message_copy(message) : NULL;
}

static struct reply call_as(struct trial *trial, struct tls_credentials *credentials, struct host *host, const struct method *method,
                            const ProtobufCMessage *request)
{
    struct grpc_channel *channel;
    struct reply reply = {0};
    assert_ok(grpc_channel_new(&(struct grpc_channel_options){.loop = &trial->loop,
                                                              .clock = peer_clock(&trial->wall_ns),
                                                              .random = random_system(),
                                                              .address = host->address,
                                                              .credentials = credentials,
                                                              .server_name = "swarm-manager"},
                               &channel, err));
    grpc_unary(channel, method, request, NULL, replied, &reply);
    run_until(&trial->loop, reply.is_there);
    grpc_channel_close(channel);
    return reply;
}

static void who_calls_is_asked_for_papers_at_leaders_and_followers(void **state)
{
    struct trial *trial = *state;
    struct tls_credentials *worker = make_credentials(trial, "worker1", CERTIFICATE_WORKER);
    Docker__Swarmkit__V1__ListNodesRequest list = DOCKER__SWARMKIT__V1__LIST_NODES_REQUEST__INIT;
    Docker__Swarmkit__V1__GetRootCACertificateRequest root = DOCKER__SWARMKIT__V1__GET_ROOT_CACERTIFICATE_REQUEST__INIT;
    found(trial);
    let_in(trial, 1);
    for (int i = 0; i < 2; i++) {
        struct reply reply = call_as(trial, worker, &trial->hosts[i], METHOD(Control, ListNodes), &list.base);
        assert_int_equal(reply.code, GRPC_PERMISSION_DENIED);
        assert_non_null(strstr(reply.message, "swarm-manager"));
        reply = call_as(trial, trial->hosts[1].credentials, &trial->hosts[i], METHOD(Control, ListNodes), &list.base);
        assert_int_equal(reply.code, GRPC_OK);
        message_free(reply.copy);
        reply = call_as(trial, worker, &trial->hosts[i], METHOD(CA, GetRootCACertificate), &root.base);
        assert_int_equal(reply.code, GRPC_OK);
        const Docker__Swarmkit__V1__GetRootCACertificateResponse *got = (const void *)reply.copy;
        assert_int_equal(got->certificate.len, trial->founding.root_pem.size);
        assert_memory_equal(got->certificate.data, trial->founding.root_pem.data, got->certificate.len);
        message_free(reply.copy);
    }
    tls_credentials_free(worker);
}

static void a_manager_of_dockers_is_not_let_in(void **state)
{
    struct trial *trial = *state;
    Docker__Swarmkit__V1__JoinRequest join = DOCKER__SWARMKIT__V1__JOIN_REQUEST__INIT;
    found(trial);
    join.addr = trial->hosts[1].address;
    struct reply reply = call_as(trial, trial->hosts[1].credentials, &trial->hosts[0], METHOD(RaftMembership, Join), &join.base);
    assert_int_equal(reply.code, GRPC_FAILED_PRECONDITION);
    assert_non_null(strstr(reply.message, "join it as a worker"));
    assert_managers(&trial->hosts[0], 1);
}

static void a_leader_whose_first_write_fails_writes_it_again(void **state)
{
    struct trial *trial = *state;
    struct host *host = &trial->hosts[0];
    struct error why;
    found(trial);
    close_host(host);
    assert_ok(open_host(host, NULL, NULL, err));
    run_until(&trial->loop, manager_is_leading(host->manager));
    error_set(&why, ERR_UNAVAILABLE, "leadership is being handed over");
    store_fail(manager_store(host->manager), &why);
    run_until(&trial->loop, host->is_ready && parts_dispatcher(host->manager));
    assert_string_equal(host->failed.message, "");
    assert_managers(host, 1);
}

static int put_one_to_be_a_worker(struct store_tx *tx, void *ctx, struct error *err)
{
    Docker__Swarmkit__V1__NodeSpec spec = DOCKER__SWARMKIT__V1__NODE_SPEC__INIT;
    int failed = put_node(tx, ctx, err);
    if (failed < 0)
        return failed;
    Docker__Swarmkit__V1__Node node = *store_tx_node(tx, ((struct host *)ctx)->id);
    spec.membership = DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__ACCEPTED;
    node.spec = &spec;
    return store_tx_update(tx, &node.base, err);
}

static void one_that_is_being_demoted_is_not_let_in(void **state)
{
    struct trial *trial = *state;
    struct host *host = &trial->hosts[1];
    found(trial);
    put_host(host, put_one_to_be_a_worker);
    assert_ok(open_host(host, NULL, trial->hosts[0].address, err));
    run_until(&trial->loop, host->failed.code);
    assert_non_null(strstr(host->failed.message, "is to be a worker"));
    assert_managers(&trial->hosts[0], 1);
}

static void what_cannot_be_opened_is_said(void **state)
{
    struct trial *trial = *state;
    found(trial);
    assert_fails(open_host(&trial->hosts[1], NULL, NULL, err), ERR_PRECONDITION, "never let in");
    snprintf(trial->hosts[1].address, sizeof trial->hosts[1].address, "%s", trial->hosts[0].address);
    assert_fails(open_host(&trial->hosts[1], NULL, trial->hosts[0].address, err), ERR_EXISTS, trial->hosts[0].address);
    trial->hosts[1].manager = NULL;
    cleanup_free char *path = mem_format("%s/member.json", trial->hosts[1].dir);
    assert_ok(file_make_dirs(trial->hosts[1].dir, 0700, err));
    assert_ok(file_write(path, bytes_of_string("{\"version\":1,\"raftId\":\"0\"}"), 0600, err));
    assert_fails(open_host(&trial->hosts[1], NULL, NULL, err), ERR_CORRUPT, path);
    trial->hosts[1].manager = NULL;
}

static void an_asker_that_goes_is_not_answered(void **state)
{
    struct trial *trial = *state;
    Docker__Swarmkit__V1__ListNodesRequest request = DOCKER__SWARMKIT__V1__LIST_NODES_REQUEST__INIT;
    struct answer answer = {0};
    found(trial);
    let_in(trial, 1);
    manager_call(trial->hosts[1].manager, METHOD_Control_ListNodes, &request.base, answered, &answer);
    manager_abandon(trial->hosts[1].manager, &answer);
    assert_managers(&trial->hosts[1], 2);
    assert_false(answer.is_there);
}

struct persistent {
    struct host *host;
    int refusals;
    bool is_answered;
};

static void asks_again(void *ctx, const struct control_answer *answer)
{
    Docker__Swarmkit__V1__ListNodesRequest request = DOCKER__SWARMKIT__V1__LIST_NODES_REQUEST__INIT;
    struct persistent *asker = ctx;
    asker->is_answered = answer->response != NULL;
    if (asker->is_answered)
        return;
    asker->refusals++;
    manager_call(asker->host->manager, METHOD_Control_ListNodes, &request.base, asks_again, asker);
}

/* From inside the refusal, while the channel that was closed is still ending its calls. */
static void one_that_asks_again_at_once_is_answered(void **state)
{
    struct trial *trial = *state;
    struct persistent asker = {.host = &trial->hosts[1]};
    Docker__Swarmkit__V1__RemoveNodeRequest request = DOCKER__SWARMKIT__V1__REMOVE_NODE_REQUEST__INIT;
    found(trial);
    let_in(trial, 1);
    request.node_id = (char *)(uintptr_t) "nobody";
    manager_call(trial->hosts[1].manager, METHOD_Control_RemoveNode, &request.base, asks_again, &asker);
    gate_close(trial->hosts[1].manager);
    run_until(&trial->loop, asker.is_answered);
    assert_int_equal(asker.refusals, 1);
    assert_managers(&trial->hosts[1], 2);
}

static double number(struct host *host, const char *sample)
{
    cleanup_buf struct buf out = {0};
    struct metrics metrics = {.out = &out};
    manager_metrics(host->manager, &metrics);
    metrics_check((char *)out.data);
    return metrics_value_of((char *)out.data, sample);
}

static bool tells(struct host *host, const char *family)
{
    cleanup_buf struct buf out = {0};
    struct metrics metrics = {.out = &out};
    manager_metrics(host->manager, &metrics);
    return strstr((char *)out.data, family) != NULL;
}

static void numbers_are_told_and_of_the_cluster_by_its_leader_alone(void **state)
{
    struct trial *trial = *state;
    struct host *first = &trial->hosts[0], *second = &trial->hosts[1];
    found(trial);
    let_in(trial, 1);
    assert_int_equal(number(first, "swarm_manager_leader"), 1);
    assert_int_equal(number(second, "swarm_manager_leader"), 0);
    assert_int_equal(number(first, "swarm_manager_nodes{state=\"unknown\"}"), 2);
    assert_int_equal(number(first, "swarm_manager_tasks_total{state=\"running\"}"), 0);
    assert_int_equal(number(first, "skep_scheduler_refusals_total{reason=\"resource\"}"), 0);
    assert_true(number(first, "skep_raft_fsync_seconds_count") > 0);
    assert_true(number(first, "skep_raft_log_size_bytes") > 0);
    assert_true(number(first, "swarm_raft_transaction_latency_seconds_count") > 0);
    assert_true(number(first, "skep_root_certificate_expiry_timestamp_seconds") > (double)(trial->wall_ns / (int64_t)NS_PER_S));
    assert_true(number(second, "skep_raft_term") >= 1);
    run_until(&trial->loop, number(second, "skep_raft_members") >= 2); /* it hears of itself a moment later */
    assert_false(tells(second, "swarm_manager_nodes"));
    assert_false(tells(second, "skep_dispatcher_"));
}

static bool has_quorum(struct host *host, struct manager_health *out)
{
    manager_health(host->manager, out);
    return out->has_quorum;
}

static void health_says_whether_there_is_a_quorum_and_why_not(void **state)
{
    struct trial *trial = *state;
    struct host *first = &trial->hosts[0];
    struct manager_health health;
    found(trial);
    assert_true(has_quorum(first, &health));
    assert_true(health.is_ready && health.is_leading);
    let_in(trial, 1);
    assert_true(has_quorum(&trial->hosts[1], &health));
    assert_false(health.is_leading);
    assert_string_equal(health.quorum_trouble, "");
    close_host(&trial->hosts[1]);
    run_until(&trial->loop, !has_quorum(first, &health) && health.reachable_count == 1);
    assert_false(health.is_ready);
    assert_string_equal(health.quorum_trouble, "no manager leads: 1 of 2 managers can be reached from here, and 2 are needed");
    assert_int_equal(number(first, "skep_raft_quorum"), 0);
    assert_int_equal(number(first, "skep_raft_members_reachable"), 1);
    assert_false(tells(first, "swarm_manager_nodes"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(one_founds_a_cluster_and_is_the_same_after_a_restart),
        T(others_are_let_in_and_pass_calls_on),
        T(a_leader_that_goes_hands_over),
        T(who_calls_is_asked_for_papers_at_leaders_and_followers),
        T(a_manager_of_dockers_is_not_let_in),
        T(a_leader_whose_first_write_fails_writes_it_again),
        T(one_that_is_being_demoted_is_not_let_in),
        T(what_cannot_be_opened_is_said),
        T(an_asker_that_goes_is_not_answered),
        T(one_that_asks_again_at_once_is_answered),
        T(numbers_are_told_and_of_the_cluster_by_its_leader_alone),
        T(health_says_whether_there_is_a_quorum_and_why_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
