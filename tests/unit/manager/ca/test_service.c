/* tests/unit/manager/ca/test_service.c – the CA over real TLS on loopback, with the part that signs behind it: with the agent's own join
 * and renewal at the other end, and with calls made by hand. */
#include "manager/ca/service.h"

#include "agent/join_driver.h"
#include "agent/renewal_driver.h"
#include "base/file.h"
#include "manager/ca/found.h"
#include "manager/ca/issue.h"
#include "manager/ca/part.h"
#include "manager/ca/unlock.h"
#include "tests/unit/manager/ca/world.h"
#include "tests/unit/manager/store/fixture.h"
#include "tests/unit/proto/peer.h"

/* A manager that leads, on the loop. */
struct house {
    uv_loop_t loop;
    uv_prepare_t turn;
    int64_t wall_ns;
    struct world world;
    struct ca_founding founding;
    struct tls_credentials *credentials, *anyone; /* the manager's; those of a caller without a certificate */
    struct grpc_server *server;
    struct ca_service *service;
    struct part part;
    bool is_leading, has_part, is_woken, is_stopped;
    bool holds_log; /* what is proposed stays so */
    struct grpc_channel *channel;
    char address[64];
    struct ca_service_identity as; /* of whom calls are; "": of whom the certificate says */
};

static void on_wake(void *self)
{
    ((struct house *)self)->is_woken = true;
}

static void run(struct house *house)
{
    if (house->holds_log) {
        world_run(&house->world);
        return;
    }
    while (house->is_woken || house->world.is_woken || house->world.fn) {
        if (house->is_woken && house->has_part) {
            house->is_woken = false;
            house->part.step(house->part.self, uv_hrtime());
        }
        house->is_woken = house->is_woken && house->has_part;
        world_settle(&house->world);
    }
}

static void on_turn(uv_prepare_t *turn)
{
    run(turn->data);
}

static struct store *current_store(void *ctx)
{
    struct house *house = ctx;
    return house->is_leading ? house->world.store : NULL;
}

/* As the owner would: "outcast" is refused. */
static bool identify(void *ctx, struct grpc_call *call, struct ca_service_identity *out)
{
    struct house *house = ctx;
    const struct tls_identity *peer = grpc_call_peer(call);
    if (strcmp(house->as.node_id, "outcast") == 0) {
        grpc_call_finish(call, GRPC_PERMISSION_DENIED, "not this one");
        return false;
    }
    *out = house->as;
    if (!out->node_id[0] && peer) {
        snprintf(out->node_id, sizeof out->node_id, "%s", peer->common_name);
        snprintf(out->cluster_id, sizeof out->cluster_id, "%s", peer->organization);
    }
    return true;
}

static void start_part(struct house *house)
{
    house->part =
        ca_part_new(&(struct ca_part_options){.host = {house->world.store, peer_clock(&house->wall_ns), random_system(), on_wake, house}});
    house->has_part = house->is_woken = true;
}

static void stop_part(struct house *house)
{
    if (house->has_part)
        house->part.free(house->part.self);
    house->has_part = false;
}

static void put_cluster(struct house *house)
{
    cluster_message *cluster = MESSAGE_NEW(cluster_message, docker__swarmkit__v1__cluster);
    message_set_string(&cluster->id, CLUSTER_ID);
    cluster->spec = MESSAGE_NEW(spec_message, docker__swarmkit__v1__cluster_spec);
    cluster->spec->ca_config = ca_config_new();
    cluster->root_ca = MESSAGE_COPY(house->founding.root_ca);
    do_create(&house->world, cluster);
    message_wipe_free(&cluster->base);
}

static struct house *begin_with(size_t history_count)
{
    struct house *house = mem_alloc(sizeof *house);
    house->wall_ns = now();
    uv_loop_init(&house->loop);
    world_begin_with(&house->world, history_count);
    house->world.wall_ns = now();
    assert_ok(ca_found(
        &(struct ca_found_options){
            .cluster_id = CLUSTER_ID, .node_id = "leader", .expiry_ns = 90 * DAY_NS, .random = random_system(), .wall_ns = now()},
        &house->founding, err));
    struct clock clock = peer_clock(&house->wall_ns);
    house->credentials = tls_credentials_new(&clock);
    house->anyone = tls_credentials_new(&clock);
    assert_ok(tls_credentials_set(house->credentials, buf_bytes(&house->founding.chain_pem), buf_bytes(&house->founding.key_pem),
                                  buf_bytes(&house->founding.root_pem), err));
    assert_ok(tls_credentials_set(house->anyone, bytes_of(NULL, 0), bytes_of(NULL, 0), buf_bytes(&house->founding.root_pem), err));
    house->server = grpc_server_new(&(struct grpc_server_options){.loop = &house->loop, .clock = clock, .credentials = house->credentials});
    house->service =
        ca_service_new(&(struct ca_service_options){.random = random_system(), .store = current_store, .identify = identify, .ctx = house});
    ca_service_attach(house->service, house->server);
    assert_ok(grpc_server_listen(house->server, "127.0.0.1:0", err));
    snprintf(house->address, sizeof house->address, "127.0.0.1:%u", grpc_server_port(house->server));
    uv_prepare_init(&house->loop, &house->turn);
    house->turn.data = house;
    uv_prepare_start(&house->turn, on_turn);
    uv_unref((uv_handle_t *)&house->turn);
    house->is_leading = true;
    start_part(house);
    assert_ok(grpc_channel_new(&(struct grpc_channel_options){.loop = &house->loop,
                                                              .clock = clock,
                                                              .random = random_system(),
                                                              .address = house->address,
                                                              .credentials = house->anyone,
                                                              .server_name = "swarm-ca"},
                               &house->channel, err));
    return house;
}

static struct house *begin(void)
{
    struct house *house = begin_with(0);
    put_cluster(house);
    run(house);
    return house;
}

static void on_stopped(void *ctx)
{
    ((struct house *)ctx)->is_stopped = true;
}

static void end(struct house *house)
{
    grpc_channel_close(house->channel);
    grpc_server_stop(house->server, 0, on_stopped, house);
    run_until(&house->loop, house->is_stopped);
    ca_service_free(house->service);
    stop_part(house);
    uv_close((uv_handle_t *)&house->turn, NULL);
    uv_run(&house->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&house->loop), 0);
    world_end(&house->world);
    tls_credentials_free(house->credentials);
    tls_credentials_free(house->anyone);
    ca_founding_deinit(&house->founding);
    free(house);
}

static const char *worker_token(const struct house *house)
{
    return house->founding.root_ca->join_tokens->worker;
}

static const node_message *node_of(const struct house *house, const char *id)
{
    const node_message *seen = store_node(house->world.store, id);
    assert_non_null(seen);
    return seen;
}

/* --- the agent --- */

struct host {
    char dir[64];
    struct identity *identity;
    struct join_driver *join;
    struct renewal_driver *renewal;
    struct tls_credentials *credentials;
    bool is_done;
    int replaced;
    struct error err;
};

static void on_joined(void *ctx, const struct error *err)
{
    struct host *host = ctx;
    host->is_done = true;
    if (err)
        host->err = *err;
}

static void on_replaced(void *ctx)
{
    ((struct host *)ctx)->replaced++;
}

static void on_health(void *ctx, enum renewal_health health, const struct error *trouble)
{
    struct host *host = ctx;
    (void)health;
    if (trouble)
        host->err = *trouble;
}

static void start_host(struct host *host)
{
    *host = (struct host){.is_done = false};
    uv_fs_t request;
    assert_true(uv_fs_mkdtemp(NULL, &request, "/tmp/skep-test-ca-XXXXXX", NULL) >= 0);
    snprintf(host->dir, sizeof host->dir, "%s", request.path);
    uv_fs_req_cleanup(&request);
    assert_ok(identity_open(host->dir, &host->identity, err));
}

static void stop_host(struct host *host)
{
    renewal_driver_free(host->renewal);
    join_driver_free(host->join);
    tls_credentials_free(host->credentials);
    identity_free(host->identity);
    assert_ok(file_remove_tree(host->dir, err));
}

static void join(struct house *house, struct host *host, const char *token)
{
    const char *remotes[] = {house->address};
    assert_ok(join_driver_start(&(struct join_driver_options){.loop = &house->loop,
                                                              .clock = peer_clock(&house->wall_ns),
                                                              .random = random_system(),
                                                              .identity = host->identity,
                                                              .token = token,
                                                              .remotes = remotes,
                                                              .remote_count = 1,
                                                              .availability = 1,
                                                              .on_done = on_joined,
                                                              .ctx = host},
                                &host->join, err));
    run_until(&house->loop, host->is_done);
}

static void follow_certificate(struct house *house, struct host *host)
{
    struct clock clock = peer_clock(&house->wall_ns);
    host->credentials = tls_credentials_new(&clock);
    assert_ok(tls_credentials_set(host->credentials, buf_bytes(&host->identity->chain_pem), buf_bytes(&host->identity->key.body_pem),
                                  buf_bytes(&host->identity->root_pem), err));
    assert_ok(renewal_driver_start(&(struct renewal_driver_options){.loop = &house->loop,
                                                                    .clock = clock,
                                                                    .random = random_system(),
                                                                    .identity = host->identity,
                                                                    .credentials = host->credentials,
                                                                    .on_replaced = on_replaced,
                                                                    .on_health = on_health,
                                                                    .ctx = host},
                                   &host->renewal, err));
}

static void agent_joins_with_a_token_and_renews_with_its_certificate(void **state)
{
    struct house *house = begin();
    struct host host;
    (void)state;
    start_host(&host);
    join(house, &host, worker_token(house));
    assert_string_equal(host.err.message, "");
    const struct certificate *got = &host.identity->certificate;
    assert_string_equal(got->cluster_id, CLUSTER_ID);
    assert_int_equal(got->role, CERTIFICATE_WORKER);
    assert_int_equal(strlen(got->node_id), 25);
    const node_message *node = node_of(house, got->node_id);
    assert_int_equal(ca_issue_state(node), STATE(ISSUED));
    assert_int_equal(node->spec->availability, DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__PAUSE);
    assert_int_equal(store_count(house->world.store, STORE_NODE, STORE_ALL, NULL), 1);

    cleanup_buf struct buf before = {0};
    buf_append(&before, host.identity->chain_pem.data, host.identity->chain_pem.size);
    follow_certificate(house, &host);
    run_for(&house->loop, 20); /* its session comes later, too */
    renewal_driver_told(host.renewal, CERTIFICATE_WORKER, false, (int)STATE(ROTATE), bytes_of(NULL, 0));
    run_until(&house->loop, host.replaced == 1 || host.err.code != 0);
    assert_string_equal(host.err.message, "");
    assert_false(bytes_equal(buf_bytes(&before), buf_bytes(&host.identity->chain_pem)));
    assert_int_equal(store_count(house->world.store, STORE_NODE, STORE_ALL, NULL), 1); /* the same node still */
    assert_true(bytes_equal(buf_bytes(&host.identity->chain_pem),
                            message_bytes(node_of(house, host.identity->certificate.node_id)->certificate->certificate)));
    stop_host(&host);
    end(house);
}

static void agent_with_another_secret_is_turned_away(void **state)
{
    struct house *house = begin();
    struct host host;
    char token[TOKEN_SIZE_CHARS + 1];
    (void)state;
    snprintf(token, sizeof token, "%s", worker_token(house));
    token[strlen(token) - 1] = token[strlen(token) - 1] == '0' ? '1' : '0';
    start_host(&host);
    join(house, &host, token);
    assert_int_equal(host.err.code, ERR_TOKEN);
    assert_int_equal(store_count(house->world.store, STORE_NODE, STORE_ALL, NULL), 0);
    stop_host(&host);
    end(house);
}

/* --- calls by hand --- */

struct seen {
    int done, code;
    char text[256];
    ProtobufCMessage *reply;
};

static void on_reply(struct grpc_call *call, ProtobufCMessage *message, void *ctx)
{
    struct seen *seen = ctx;
    (void)call;
    assert_null(seen->reply);
    seen->reply = message_copy(message);
}

static void on_over(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    struct seen *seen = ctx;
    (void)call;
    seen->done++;
    seen->code = status->code;
    snprintf(seen->text, sizeof seen->text, "%s", status->message);
}

static void forget(struct seen *seen)
{
    message_free(seen->reply);
    *seen = (struct seen){0};
}

static struct grpc_call *start(struct house *house, const struct method *method, const ProtobufCMessage *request, struct seen *seen)
{
    static const struct grpc_call_handlers handlers = {.on_message = on_reply, .on_done = on_over};
    struct grpc_call *call = grpc_call_start(house->channel, method, NULL, &handlers, seen);
    assert_ok(grpc_call_send(call, request, err));
    grpc_call_send_end(call);
    return call;
}

static void ask_and_wait(struct house *house, const struct method *method, const ProtobufCMessage *request, struct seen *seen)
{
    start(house, method, request, seen);
    run_until(&house->loop, seen->done == 1);
}

static Docker__Swarmkit__V1__IssueNodeCertificateRequest request_of(const struct applicant *applicant, const char *token)
{
    Docker__Swarmkit__V1__IssueNodeCertificateRequest request = DOCKER__SWARMKIT__V1__ISSUE_NODE_CERTIFICATE_REQUEST__INIT;
    request.csr = (ProtobufCBinaryData){applicant->request_pem.size, applicant->request_pem.data};
    if (token)
        request.token = (char *)(uintptr_t)token;
    return request;
}

static Docker__Swarmkit__V1__NodeCertificateStatusRequest status_of(const char *node_id)
{
    Docker__Swarmkit__V1__NodeCertificateStatusRequest request = DOCKER__SWARMKIT__V1__NODE_CERTIFICATE_STATUS_REQUEST__INIT;
    request.node_id = (char *)(uintptr_t)node_id;
    return request;
}

/* The node exists and nobody signs it. */
static void put_waiting_node(struct house *house, const char *id)
{
    node_message *node = node_in(STATE(PENDING), NULL);
    message_set_string(&node->id, id);
    stop_part(house);
    do_create(&house->world, node);
    message_free(&node->base);
}

static void set_state(struct house *house, const char *id, Docker__Swarmkit__V1__IssuanceStatus__State state)
{
    node_message *node = MESSAGE_COPY(node_of(house, id));
    ca_issue_status(node)->state = state;
    do_update(&house->world, node);
    message_free(&node->base);
}

static void root_and_unlock_key_are_the_cluster_s(void **state)
{
    struct house *house = begin();
    struct random random = random_system();
    struct seen seen = {0};
    (void)state;
    Docker__Swarmkit__V1__GetRootCACertificateRequest get_root = DOCKER__SWARMKIT__V1__GET_ROOT_CACERTIFICATE_REQUEST__INIT;
    Docker__Swarmkit__V1__GetUnlockKeyRequest get_key = DOCKER__SWARMKIT__V1__GET_UNLOCK_KEY_REQUEST__INIT;
    ask_and_wait(house, METHOD(CA, GetRootCACertificate), &get_root.base, &seen);
    const Docker__Swarmkit__V1__GetRootCACertificateResponse *root = (const void *)seen.reply;
    assert_true(bytes_equal(message_bytes(root->certificate), buf_bytes(&house->founding.root_pem)));
    forget(&seen);
    ask_and_wait(house, METHOD(CA, GetUnlockKey), &get_key.base, &seen);
    const Docker__Swarmkit__V1__GetUnlockKeyResponse *key = (const void *)seen.reply;
    assert_int_equal(key->unlock_key.len, 0);
    assert_non_null(key->version);
    forget(&seen);

    cluster_message *cluster = MESSAGE_COPY(store_cluster(house->world.store, CLUSTER_ID));
    cluster->spec->encryption_config = MESSAGE_NEW(Docker__Swarmkit__V1__EncryptionConfig, docker__swarmkit__v1__encryption_config);
    cluster->spec->encryption_config->auto_lock_managers = true;
    ca_unlock_update(cluster, false, &random);
    do_update(&house->world, cluster);
    ask_and_wait(house, METHOD(CA, GetUnlockKey), &get_key.base, &seen);
    key = (const void *)seen.reply;
    assert_true(bytes_equal(message_bytes(key->unlock_key), message_bytes(cluster->unlock_keys[0]->key)));
    assert_true(key->version->index == store_message_version(STORE_CLUSTER, store_get(house->world.store, STORE_CLUSTER, CLUSTER_ID)));
    forget(&seen);
    message_wipe_free(&cluster->base);
    end(house);
}

static void refusals_have_swarmkit_s_codes_and_words(void **state)
{
    struct house *house = begin();
    struct applicant applicant = applicant_new();
    (void)state;
    Docker__Swarmkit__V1__IssueNodeCertificateRequest none = DOCKER__SWARMKIT__V1__ISSUE_NODE_CERTIFICATE_REQUEST__INIT,
                                                      tokenless = request_of(&applicant, NULL),
                                                      wrong = request_of(&applicant, "SWMTKN-1-no-such"),
                                                      odd = request_of(&applicant, worker_token(house));
    Docker__Swarmkit__V1__NodeCertificateStatusRequest nameless = status_of(""), stranger = status_of("stranger");
    odd.csr = (ProtobufCBinaryData){3, (uint8_t *)(uintptr_t) "odd"};
    const struct method *issue = METHOD(NodeCA, IssueNodeCertificate), *status = METHOD(NodeCA, NodeCertificateStatus);
    const struct {
        const char *as;
        const struct method *method;
        const ProtobufCMessage *request;
        int code;
        const char *text;
    } rows[] = {
        {"", issue, &none.base, 3, "InvalidArgument"},
        {"", issue, &tokenless.base, 3, "A valid join token is necessary to join this cluster"},
        {"", issue, &wrong.base, 3, "A valid join token is necessary to join this cluster"},
        {"", issue, &odd.base, 3, "the certificate request cannot be read"},
        {"gone", issue, &tokenless.base, 5, "node gone not found when attempting to renew certificate"},
        {"outcast", issue, &tokenless.base, 7, "not this one"},
        {"", status, &nameless.base, 3, "InvalidArgument"},
        {"", status, &stranger.base, 5, "NotFound"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct seen seen = {0};
        snprintf(house->as.node_id, sizeof house->as.node_id, "%s", rows[i].as);
        snprintf(house->as.cluster_id, sizeof house->as.cluster_id, "%s", rows[i].as[0] ? CLUSTER_ID : "");
        ask_and_wait(house, rows[i].method, rows[i].request, &seen);
        assert_int_equal(seen.code, rows[i].code);
        if (!strstr(seen.text, rows[i].text))
            fail_msg("row %zu: %s", i, seen.text);
        assert_null(seen.reply);
    }
    assert_int_equal(store_count(house->world.store, STORE_NODE, STORE_ALL, NULL), 0);
    applicant_deinit(&applicant);
    end(house);
}

static void nobody_is_served_before_there_is_a_cluster_nor_by_who_does_not_lead(void **state)
{
    struct house *house = begin_with(0);
    struct applicant applicant = applicant_new();
    (void)state;
    Docker__Swarmkit__V1__GetRootCACertificateRequest get_root = DOCKER__SWARMKIT__V1__GET_ROOT_CACERTIFICATE_REQUEST__INIT;
    Docker__Swarmkit__V1__GetUnlockKeyRequest get_key = DOCKER__SWARMKIT__V1__GET_UNLOCK_KEY_REQUEST__INIT;
    Docker__Swarmkit__V1__IssueNodeCertificateRequest request = request_of(&applicant, worker_token(house));
    Docker__Swarmkit__V1__NodeCertificateStatusRequest status = status_of("n1");
    const struct {
        const struct method *method;
        const ProtobufCMessage *request;
    } rows[] = {
        {METHOD(CA, GetRootCACertificate), &get_root.base},
        {METHOD(CA, GetUnlockKey), &get_key.base},
        {METHOD(NodeCA, IssueNodeCertificate), &request.base},
        {METHOD(NodeCA, NodeCertificateStatus), &status.base},
    };
    for (int leads = 1; leads >= 0; leads--) {
        house->is_leading = leads == 1;
        for (size_t i = 0; i < (leads ? 3 : 4); i++) {
            struct seen seen = {0};
            ask_and_wait(house, rows[i].method, rows[i].request, &seen);
            assert_int_equal(seen.code, 10);
            assert_string_equal(seen.text, leads ? "CA signer is still starting" : "CA signer is stopped");
        }
    }
    applicant_deinit(&applicant);
    end(house);
}

static void certificate_renews_also_where_a_token_comes_with_it(void **state)
{
    struct house *house = begin();
    struct applicant applicant = applicant_new();
    struct seen seen = {0};
    (void)state;
    put_waiting_node(house, "n1");
    Docker__Swarmkit__V1__IssueNodeCertificateRequest request = request_of(&applicant, house->founding.root_ca->join_tokens->manager);
    house->as = (struct ca_service_identity){"n1", CLUSTER_ID};
    ask_and_wait(house, METHOD(NodeCA, IssueNodeCertificate), &request.base, &seen);
    const Docker__Swarmkit__V1__IssueNodeCertificateResponse *reply = (const void *)seen.reply;
    assert_string_equal(reply->node_id, "n1");
    assert_int_equal(reply->node_membership, DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__ACCEPTED);
    assert_int_equal(ca_issue_state(node_of(house, "n1")), STATE(RENEW));
    assert_int_equal(node_of(house, "n1")->certificate->role, DOCKER__SWARMKIT__V1__NODE_ROLE__WORKER);
    assert_int_equal(store_count(house->world.store, STORE_NODE, STORE_ALL, NULL), 1);
    forget(&seen);

    house->as = (struct ca_service_identity){"n1", "another"}; /* a cluster of which that is none */
    ask_and_wait(house, METHOD(NodeCA, IssueNodeCertificate), &request.base, &seen);
    reply = (const void *)seen.reply;
    assert_string_not_equal(reply->node_id, "n1");
    const node_message *node = node_of(house, reply->node_id);
    assert_int_equal(ca_issue_state(node), STATE(PENDING));
    assert_int_equal(node->role, DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER);
    forget(&seen);
    applicant_deinit(&applicant);
    end(house);
}

static void answer_comes_when_the_node_is_committed(void **state)
{
    struct house *house = begin();
    struct applicant applicant = applicant_new();
    struct seen seen = {0}, lost = {0};
    (void)state;
    stop_part(house);
    Docker__Swarmkit__V1__IssueNodeCertificateRequest request = request_of(&applicant, worker_token(house));
    house->holds_log = true;
    start(house, METHOD(NodeCA, IssueNodeCertificate), &request.base, &seen);
    run_until(&house->loop, house->world.fn != NULL);
    run_for(&house->loop, 50);
    assert_int_equal(seen.done, 0);
    world_commit(&house->world);
    assert_int_equal(store_count(house->world.store, STORE_NODE, STORE_ALL, NULL), 1);
    run_until(&house->loop, seen.done == 1);
    assert_int_equal(seen.code, 0);
    forget(&seen);
    start(house, METHOD(NodeCA, IssueNodeCertificate), &request.base, &lost);
    run_until(&house->loop, house->world.fn != NULL);
    world_lose(&house->world, ERR_CANCELED);
    run_until(&house->loop, lost.done == 1);
    assert_int_equal(lost.code, 1);
    assert_int_equal(store_count(house->world.store, STORE_NODE, STORE_ALL, NULL), 1);
    house->holds_log = false;
    applicant_deinit(&applicant);
    end(house);
}

/* The first has its turn with the log while the second waits behind it. */
static void caller_that_has_gone_gets_no_node(void **state)
{
    struct house *house = begin();
    struct applicant applicant = applicant_new();
    struct seen seen[2] = {{0}, {0}};
    (void)state;
    stop_part(house);
    Docker__Swarmkit__V1__IssueNodeCertificateRequest request = request_of(&applicant, worker_token(house));
    house->holds_log = true;
    struct grpc_call *first = start(house, METHOD(NodeCA, IssueNodeCertificate), &request.base, &seen[0]);
    run_until(&house->loop, house->world.fn != NULL);
    struct grpc_call *second = start(house, METHOD(NodeCA, IssueNodeCertificate), &request.base, &seen[1]);
    run_for(&house->loop, 50);
    grpc_call_cancel(first);
    grpc_call_cancel(second);
    run_until(&house->loop, seen[0].done == 1 && seen[1].done == 1);
    run_for(&house->loop, 50);
    world_commit(&house->world);
    house->holds_log = false;
    run(house);
    assert_int_equal(store_count(house->world.store, STORE_NODE, STORE_ALL, NULL), 1);
    applicant_deinit(&applicant);
    end(house);
}

static void certificate_is_awaited(void **state)
{
    struct house *house = begin();
    struct seen seen[3] = {{0}, {0}, {0}};
    (void)state;
    put_waiting_node(house, "n1");
    put_waiting_node(house, "n2");
    Docker__Swarmkit__V1__NodeCertificateStatusRequest of_n1 = status_of("n1"), of_n2 = status_of("n2");
    start(house, METHOD(NodeCA, NodeCertificateStatus), &of_n1.base, &seen[0]);
    start(house, METHOD(NodeCA, NodeCertificateStatus), &of_n1.base, &seen[1]);
    start(house, METHOD(NodeCA, NodeCertificateStatus), &of_n2.base, &seen[2]);
    run_for(&house->loop, 100);
    set_state(house, "n1", STATE(RENEW)); /* nothing final yet */
    run_for(&house->loop, 50);
    assert_int_equal(seen[0].done + seen[1].done + seen[2].done, 0);
    set_state(house, "n1", STATE(ISSUED));
    run_until(&house->loop, seen[0].done == 1 && seen[1].done == 1);
    const Docker__Swarmkit__V1__NodeCertificateStatusResponse *reply = (const void *)seen[1].reply;
    assert_int_equal(reply->status->state, STATE(ISSUED));
    assert_string_equal(reply->certificate->cn, NODE_ID);
    assert_int_equal(seen[2].done, 0);
    set_state(house, "n2", STATE(FAILED));
    run_until(&house->loop, seen[2].done == 1);
    reply = (const void *)seen[2].reply;
    assert_int_equal(reply->status->state, STATE(FAILED));
    for (int i = 0; i < 3; i++)
        forget(&seen[i]);
    start(house, METHOD(NodeCA, NodeCertificateStatus), &of_n1.base, &seen[0]); /* at once, now */
    run_until(&house->loop, seen[0].done == 1);
    forget(&seen[0]);
    end(house);
}

static void call_for_a_node_that_is_removed_hears_it(void **state)
{
    struct house *house = begin();
    struct seen seen = {0};
    (void)state;
    put_waiting_node(house, "n1");
    Docker__Swarmkit__V1__NodeCertificateStatusRequest request = status_of("n1");
    start(house, METHOD(NodeCA, NodeCertificateStatus), &request.base, &seen);
    run_for(&house->loop, 100);
    do_remove(&house->world, STORE_NODE, "n1");
    run_until(&house->loop, seen.done == 1);
    assert_int_equal(seen.code, 5);
    assert_string_equal(seen.text, "NotFound");
    end(house);
}

/* This manager is given an image: what happened meanwhile is told by no commit. */
static void held_call_outlives_an_image(void **state)
{
    struct house *house = begin();
    struct seen seen[2] = {{0}, {0}};
    cleanup_buf struct buf image = {0}, membership = {0};
    (void)state;
    put_waiting_node(house, "n1");
    put_waiting_node(house, "n2");
    Docker__Swarmkit__V1__NodeCertificateStatusRequest of_n1 = status_of("n1"), of_n2 = status_of("n2");
    start(house, METHOD(NodeCA, NodeCertificateStatus), &of_n1.base, &seen[0]);
    start(house, METHOD(NodeCA, NodeCertificateStatus), &of_n2.base, &seen[1]);
    run_for(&house->loop, 100);
    struct world *world = &house->world;
    node_message *node = MESSAGE_COPY(node_of(house, "n1"));
    struct write_of write = {.change = UPDATE, .message = &node->base};
    ca_issue_status(node)->state = STATE(ISSUED);
    ask(world, &write);
    world_run(world);
    assert_ok(store_apply(world->follower, world->index + 1, buf_bytes(&world->entry), err)); /* there only */
    world_lose(world, ERR_CANCELED);
    struct store_image *open = store_image_open(world->follower, bytes_of(NULL, 0));
    for (size_t before = 1; before != image.size;) {
        before = image.size;
        store_image_read(open, MIB, &image);
    }
    store_image_close(open);
    store_restore_begin(world->store);
    assert_ok(store_restore_add(world->store, buf_bytes(&image), err));
    assert_ok(store_restore_end(world->store, ++world->index, &membership, err));
    run_until(&house->loop, seen[0].done == 1);
    assert_int_equal(seen[0].code, 0);
    assert_int_equal(seen[1].done, 0);
    set_state(house, "n2", STATE(ISSUED)); /* and it is followed from there */
    run_until(&house->loop, seen[1].done == 1);
    forget(&seen[0]);
    forget(&seen[1]);
    message_free(&node->base);
    end(house);
}

static void held_calls_end_with_the_leadership(void **state)
{
    struct house *house = begin();
    struct seen seen[2] = {{0}, {0}};
    (void)state;
    put_waiting_node(house, "n1");
    Docker__Swarmkit__V1__NodeCertificateStatusRequest request = status_of("n1");
    start(house, METHOD(NodeCA, NodeCertificateStatus), &request.base, &seen[0]);
    run_for(&house->loop, 100);
    house->is_leading = false;
    ca_service_release(house->service);
    run_until(&house->loop, seen[0].done == 1);
    house->is_leading = true;
    start(house, METHOD(NodeCA, NodeCertificateStatus), &request.base, &seen[1]);
    run_for(&house->loop, 100);
    house->is_leading = false; /* nobody says so, but the next change tells */
    set_state(house, "n1", STATE(ISSUED));
    run_until(&house->loop, seen[1].done == 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(seen[i].code, 10);
        assert_string_equal(seen[i].text, "CA signer is stopped");
    }
    ca_service_release(house->service);
    ca_service_release(NULL);
    end(house);
}

static void held_calls_end_with_their_callers(void **state)
{
    struct house *house = begin();
    struct seen seen[2] = {{0}, {0}};
    (void)state;
    put_waiting_node(house, "n1");
    Docker__Swarmkit__V1__NodeCertificateStatusRequest request = status_of("n1");
    struct grpc_call *call = start(house, METHOD(NodeCA, NodeCertificateStatus), &request.base, &seen[0]);
    start(house, METHOD(NodeCA, NodeCertificateStatus), &request.base, &seen[1]);
    run_for(&house->loop, 100);
    grpc_call_cancel(call);
    run_until(&house->loop, seen[0].done == 1);
    run_for(&house->loop, 50);
    set_state(house, "n1", STATE(ISSUED));
    run_until(&house->loop, seen[1].done == 1);
    assert_int_equal(seen[1].code, 0);
    forget(&seen[1]);
    end(house);
}

static void oldest_call_for_a_node_makes_room(void **state)
{
    struct house *house = begin();
    struct seen seen[CA_HELD_CALLS_NODE_COUNT + 1] = {{0}};
    (void)state;
    put_waiting_node(house, "n1");
    Docker__Swarmkit__V1__NodeCertificateStatusRequest request = status_of("n1");
    for (size_t i = 0; i <= CA_HELD_CALLS_NODE_COUNT; i++)
        start(house, METHOD(NodeCA, NodeCertificateStatus), &request.base, &seen[i]);
    run_until(&house->loop, seen[0].done == 1);
    assert_int_equal(seen[0].code, 10);
    set_state(house, "n1", STATE(ISSUED));
    for (size_t i = 1; i <= CA_HELD_CALLS_NODE_COUNT; i++) {
        run_until(&house->loop, seen[i].done == 1);
        assert_int_equal(seen[i].code, 0);
        forget(&seen[i]);
    }
    end(house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agent_joins_with_a_token_and_renews_with_its_certificate),
        cmocka_unit_test(agent_with_another_secret_is_turned_away),
        cmocka_unit_test(root_and_unlock_key_are_the_cluster_s),
        cmocka_unit_test(refusals_have_swarmkit_s_codes_and_words),
        cmocka_unit_test(nobody_is_served_before_there_is_a_cluster_nor_by_who_does_not_lead),
        cmocka_unit_test(certificate_renews_also_where_a_token_comes_with_it),
        cmocka_unit_test(answer_comes_when_the_node_is_committed),
        cmocka_unit_test(caller_that_has_gone_gets_no_node),
        cmocka_unit_test(certificate_is_awaited),
        cmocka_unit_test(call_for_a_node_that_is_removed_hears_it),
        cmocka_unit_test(held_call_outlives_an_image),
        cmocka_unit_test(held_calls_end_with_the_leadership),
        cmocka_unit_test(held_calls_end_with_their_callers),
        cmocka_unit_test(oldest_call_for_a_node_makes_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
