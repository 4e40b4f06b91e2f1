/* Whole managers over real TLS on loopback: one founds a cluster, others are let in, calls find the leader, and a leader that goes hands
 * over. */
#include <arpa/inet.h>
#include <unistd.h>

#include "base/file.h"
#include "base/id.h"
#include "base/mem.h"
#include "manager/ca/found.h"
#include "manager/ca/sign.h"
#include "manager/manager.h"
#include "manager/member.h"
#include "proto/message.h"
#include "proto/swarmkit/ca.pb-c.h"
#include "proto/swarmkit/raft.pb-c.h"
#include "tests/unit/proto/peer.h"

#define HOSTS 3

struct host {
    struct trial *trial;
    char id[ID_SIZE_CHARS + 1], address[64], *dir;
    struct tls_credentials *credentials;
    struct manager *manager;
    bool is_ready, is_closed;
    struct error failed;
};

struct trial {
    uv_loop_t loop;
    int64_t wall_ns;
    char cluster_id[ID_SIZE_CHARS + 1], dir[64];
    struct ca_founding founding;
    struct host hosts[HOSTS];
};

/* --- hosts --- */

static void on_ready(void *ctx)
{
    ((struct host *)ctx)->is_ready = true;
}

static void on_failed(void *ctx, const struct error *err)
{
    ((struct host *)ctx)->failed = *err;
}

static void on_closed(void *ctx)
{
    struct host *host = ctx;
    host->manager = NULL;
    host->is_closed = true;
}

static int any_image(void *self, const char *reference, struct error *err)
{
    (void)self;
    (void)reference;
    (void)err;
    return 0;
}

/* One that the kernel says is free now. */
static void choose_address(struct host *host)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof name;
    int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(file, (struct sockaddr *)&name, size), 0);
    assert_int_equal(getsockname(file, (struct sockaddr *)&name, &size), 0);
    close(file);
    snprintf(host->address, sizeof host->address, "127.0.0.1:%d", ntohs(name.sin_port));
}

static int open_host(struct host *host, const struct control_bootstrap_options *bootstrap, const char *join, struct error *err)
{
    struct trial *trial = host->trial;
    host->is_ready = host->is_closed = false;
    host->failed = (struct error){0};
    return manager_open(&(struct manager_options){.loop = &trial->loop,
                                                  .clock = peer_clock(&trial->wall_ns),
                                                  .random = random_system(),
                                                  .dir = host->dir,
                                                  .credentials = host->credentials,
                                                  .node_id = host->id,
                                                  .cluster_id = trial->cluster_id,
                                                  .listen_address = host->address,
                                                  .advertise_address = host->address,
                                                  .bootstrap = bootstrap,
                                                  .join = join,
                                                  .check_image = any_image,
                                                  .events = {.on_ready = on_ready, .on_failed = on_failed, .ctx = host}},
                        &host->manager, err);
}

static void close_host(struct host *host)
{
    if (host->manager == NULL)
        return;
    manager_close(host->manager, on_closed, host);
    run_until(&host->trial->loop, host->is_closed);
}

static void found(struct trial *trial)
{
    struct host *first = &trial->hosts[0];
    const struct control_bootstrap_options bootstrap = {
        .cluster_id = trial->cluster_id, .node_id = first->id, .root_ca = trial->founding.root_ca};
    assert_ok(open_host(first, &bootstrap, NULL, err));
    run_until(&trial->loop, first->is_ready);
}

/* As the CA signs a node that joins. */
static struct tls_credentials *make_credentials(struct trial *trial, const char *node_id, enum certificate_role role)
{
    struct clock clock = peer_clock(&trial->wall_ns);
    struct tls_credentials *credentials = tls_credentials_new(&clock);
    cleanup_buf struct buf key = {0}, request = {0}, chain = {0};
    struct random random = random_system();
    struct ca_signer *signer;
    assert_ok(certificate_make_key(&key, err));
    assert_ok(certificate_make_request(buf_bytes(&key), &request, err));
    assert_ok(ca_signer_new(trial->founding.root_ca, &signer, err));
    assert_ok(ca_sign(signer, buf_bytes(&request), &(struct ca_subject){trial->cluster_id, node_id, role}, INT64_C(7776000000000000),
                      &random, trial->wall_ns, &chain, err));
    ca_signer_free(signer);
    assert_ok(tls_credentials_set(credentials, buf_bytes(&chain), buf_bytes(&key), buf_bytes(&trial->founding.root_pem), err));
    return credentials;
}

static int setup(void **state)
{
    struct trial *trial = mem_alloc(sizeof *trial);
    struct random random = random_system();
    struct clock clock = clock_system();
    uv_loop_init(&trial->loop);
    trial->wall_ns = clock_wall_ns(&clock);
    snprintf(trial->dir, sizeof trial->dir, "/tmp/skep-manager-XXXXXX");
    assert_non_null(mkdtemp(trial->dir));
    id_make(&random, trial->cluster_id);
    for (int i = 0; i < HOSTS; i++) {
        struct host *host = &trial->hosts[i];
        host->trial = trial;
        id_make(&random, host->id);
        choose_address(host);
        host->dir = mem_format("%s/%d", trial->dir, i);
    }
    assert_ok(ca_found(&(struct ca_found_options){.cluster_id = trial->cluster_id,
                                                  .node_id = trial->hosts[0].id,
                                                  .expiry_ns = INT64_C(7776000000000000),
                                                  .random = random,
                                                  .wall_ns = trial->wall_ns},
                       &trial->founding, err));
    for (int i = 0; i < HOSTS; i++)
        trial->hosts[i].credentials = make_credentials(trial, trial->hosts[i].id, CERTIFICATE_MANAGER);
    *state = trial;
    return 0;
}

static int teardown(void **state)
{
    struct trial *trial = *state;
    for (int i = 0; i < HOSTS; i++)
        close_host(&trial->hosts[i]);
    uv_run(&trial->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&trial->loop), 0);
    for (int i = 0; i < HOSTS; i++) {
        tls_credentials_free(trial->hosts[i].credentials);
        free(trial->hosts[i].dir);
    }
    ca_founding_deinit(&trial->founding);
    assert_ok(file_remove_tree(trial->dir, err));
    free(trial);
    return 0;
}

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

/* Nodes come into being by the CA; here they are put into the store at once. */
static int put_node(struct store_tx *tx, void *ctx, struct error *err)
{
    const struct host *host = ctx;
    Docker__Swarmkit__V1__Node node = DOCKER__SWARMKIT__V1__NODE__INIT;
    Docker__Swarmkit__V1__NodeSpec spec = DOCKER__SWARMKIT__V1__NODE_SPEC__INIT;
    node.id = (char *)(uintptr_t)host->id;
    node.spec = &spec;
    node.role = spec.desired_role = DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER;
    spec.membership = DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__ACCEPTED;
    return store_tx_create(tx, &node.base, err);
}

static void is_put(void *ctx, const struct error *err)
{
    (void)ctx;
    assert_null(err);
}

static void let_in(struct trial *trial, int at)
{
    struct host *host = &trial->hosts[at];
    assert_ok(replica_update(manager_replica(trial->hosts[0].manager), put_node, is_put, host, err));
    assert_ok(open_host(host, NULL, trial->hosts[0].address, err));
    run_until(&trial->loop, host->is_ready || host->failed.code);
    assert_string_equal(host->failed.message, "");
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
    assert_ok(member_read(first->dir, &before, err));
    assert_true(before.is_joined);
    close_host(first);
    assert_ok(open_host(first, NULL, NULL, err));
    run_until(&trial->loop, first->is_ready);
    assert_managers(first, 1);
    assert_ok(member_read(first->dir, &after, err));
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

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(one_founds_a_cluster_and_is_the_same_after_a_restart),
        T(others_are_let_in_and_pass_calls_on),
        T(a_leader_that_goes_hands_over),
        T(who_calls_is_asked_for_papers_at_leaders_and_followers),
        T(a_manager_of_dockers_is_not_let_in),
        T(what_cannot_be_opened_is_said),
        T(an_asker_that_goes_is_not_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
