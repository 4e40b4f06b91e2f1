/* tests/unit/manager/ca/test_issue.c */
#include "manager/ca/issue.h"

#include "tests/unit/manager/ca/world.h"

typedef Docker__Swarmkit__V1__IssueNodeCertificateRequest request_message;
typedef Docker__Swarmkit__V1__NodeCertificateStatusRequest question_message;

struct issue {
    struct ca_root root;
    cluster_message *cluster;
    struct applicant applicant;
    request_message request; /* the worker's token and the applicant's request */
};

static int set_up(void **state)
{
    struct issue *issue = mem_alloc(sizeof *issue);
    issue->root = root_at(now());
    issue->cluster = cluster_of(&issue->root);
    issue->cluster->vxlanudpport = 4789;
    issue->applicant = applicant_new();
    docker__swarmkit__v1__issue_node_certificate_request__init(&issue->request);
    issue->request.csr = (ProtobufCBinaryData){issue->applicant.request_pem.size, issue->applicant.request_pem.data};
    issue->request.token = issue->cluster->root_ca->join_tokens->worker;
    *state = issue;
    return 0;
}

static int tear_down(void **state)
{
    struct issue *issue = *state;
    message_wipe_free(&issue->cluster->base);
    applicant_deinit(&issue->applicant);
    ca_root_deinit(&issue->root);
    free(issue);
    return 0;
}

static void token_makes_a_new_node(void **state)
{
    struct issue *issue = *state;
    node_message *node;
    issue->request.availability = DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__DRAIN;
    issue->request.role = DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER; /* obsolete: the token decides */
    assert_ok(ca_issue_admit(issue->cluster, &issue->request, NODE_ID, &node, err));
    assert_string_equal(node->id, NODE_ID);
    assert_int_equal(node->role, DOCKER__SWARMKIT__V1__NODE_ROLE__WORKER);
    assert_int_equal(node->spec->desired_role, DOCKER__SWARMKIT__V1__NODE_ROLE__WORKER);
    assert_int_equal(node->spec->membership, DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__ACCEPTED);
    assert_int_equal(node->spec->availability, DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__DRAIN);
    assert_int_equal(node->certificate->role, DOCKER__SWARMKIT__V1__NODE_ROLE__WORKER);
    assert_string_equal(node->certificate->cn, NODE_ID);
    assert_true(bytes_equal(message_bytes(node->certificate->csr), buf_bytes(&issue->applicant.request_pem)));
    assert_int_equal(node->certificate->status->state, STATE(PENDING));
    assert_int_equal(node->certificate->certificate.len, 0);
    assert_int_equal(node->vxlanudpport, 4789);
    assert_non_null(node->meta);
    assert_non_null(node->status);
    Docker__Swarmkit__V1__IssueNodeCertificateResponse reply;
    ca_issue_reply(node, &reply);
    assert_string_equal(reply.node_id, NODE_ID);
    assert_int_equal(reply.node_membership, DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__ACCEPTED);
    message_free(&node->base);
    issue->request.token = issue->cluster->root_ca->join_tokens->manager;
    assert_ok(ca_issue_admit(issue->cluster, &issue->request, NODE_ID, &node, err));
    assert_int_equal(node->role, DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER);
    assert_int_equal(node->spec->desired_role, DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER);
    assert_int_equal(node->certificate->role, DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER);
    message_free(&node->base);
}

static void refusals_have_swarmkit_s_codes_and_words(void **state)
{
    struct issue *issue = *state;
    node_message *node = NULL;
    request_message empty = issue->request, strange = issue->request;
    char no_token[] = "", bad_token[] = "SWMTKN-1-x-y";
    empty.csr.len = 0;
    assert_fails(ca_issue_admit(issue->cluster, &empty, NODE_ID, &node, err), ERR_INVALID, "InvalidArgument");
    assert_fails(ca_issue_renew(NULL, NODE_ID, &empty, &node, err), ERR_INVALID, "InvalidArgument");
    assert_int_equal(error_grpc_status(ERR_INVALID), 3);
    assert_fails(ca_issue_admit(NULL, &issue->request, NODE_ID, &node, err), ERR_ABORTED, "CA signer is still starting");
    assert_int_equal(error_grpc_status(ERR_ABORTED), 10);
    issue->request.token = bad_token;
    assert_fails(ca_issue_admit(issue->cluster, &issue->request, NODE_ID, &node, err), ERR_TOKEN,
                 "A valid join token is necessary to join this cluster");
    issue->request.token = no_token;
    assert_fails(ca_issue_admit(issue->cluster, &issue->request, NODE_ID, &node, err), ERR_TOKEN,
                 "A valid join token is necessary to join this cluster");
    assert_int_equal(error_grpc_status(ERR_TOKEN), 3);
    assert_fails(ca_issue_renew(NULL, NODE_ID, &issue->request, &node, err), ERR_NOT_FOUND,
                 "node " NODE_ID " not found when attempting to renew certificate");
    assert_int_equal(error_grpc_status(ERR_NOT_FOUND), 5);
    strange.availability = (Docker__Swarmkit__V1__NodeSpec__Availability)3;
    assert_fails(ca_issue_admit(issue->cluster, &strange, NODE_ID, &node, err), ERR_INVALID, "no availability 3");
    assert_null(node);
}

/* A request that could never be signed makes no node that is there for good. */
static void bad_request_is_refused_at_the_door_but_only_to_who_has_a_token(void **state)
{
    struct issue *issue = *state;
    node_message *node = NULL;
    char bad_token[] = "SWMTKN-1-x-y";
    uint8_t junk[] = "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n";
    issue->request.csr = (ProtobufCBinaryData){sizeof junk - 1, junk};
    assert_fails(ca_issue_admit(issue->cluster, &issue->request, NODE_ID, &node, err), ERR_INVALID, "cannot be read");
    node_message *known = node_in(STATE(ISSUED), NULL);
    assert_fails(ca_issue_renew(known, NODE_ID, &issue->request, &node, err), ERR_INVALID, "cannot be read");
    issue->request.token = bad_token;
    assert_fails(ca_issue_admit(issue->cluster, &issue->request, NODE_ID, &node, err), ERR_TOKEN, "token");
    assert_null(node);
    message_free(&known->base);
}

/* It is what it is until the managers have made it otherwise (§2.5, and trap 7 for the membership). */
static void renewal_is_for_the_role_that_the_node_has(void **state)
{
    struct issue *issue = *state;
    node_message *node = node_in(STATE(ROTATE), &issue->root), *renewing;
    node->role = DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER;
    node->spec->desired_role = DOCKER__SWARMKIT__V1__NODE_ROLE__WORKER;
    node->spec->membership = DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__PENDING;
    message_set_bytes(&node->certificate->certificate, bytes_of_string("old"));
    message_set_string(&node->certificate->status->err, "old");
    issue->request.token = (char *)(uintptr_t)protobuf_c_empty_string;
    assert_ok(ca_issue_renew(node, NODE_ID, &issue->request, &renewing, err));
    assert_int_equal(renewing->certificate->status->state, STATE(RENEW));
    assert_string_equal(renewing->certificate->status->err, "");
    assert_int_equal(renewing->certificate->role, DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER);
    assert_string_equal(renewing->certificate->cn, NODE_ID);
    assert_int_equal(renewing->certificate->certificate.len, 0);
    assert_non_null(renewing->description);
    assert_int_equal(node->certificate->status->state, STATE(ROTATE));
    Docker__Swarmkit__V1__IssueNodeCertificateResponse reply;
    ca_issue_reply(renewing, &reply);
    assert_int_equal(reply.node_membership, DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__PENDING);
    message_free(&renewing->base);
    message_free(&node->base);
}

static void question_is_answered_once_the_state_is_final_or_tells_what_it_waits_for(void **state)
{
    (void)state;
    static const struct {
        Docker__Swarmkit__V1__IssuanceStatus__State state;
        bool is_final;
    } cases[] = {{STATE(UNKNOWN), false}, {STATE(RENEW), false}, {STATE(PENDING), false},
                 {STATE(ISSUED), true},   {STATE(FAILED), true}, {STATE(ROTATE), true}};
    char id[] = NODE_ID;
    question_message question = DOCKER__SWARMKIT__V1__NODE_CERTIFICATE_STATUS_REQUEST__INIT;
    Docker__Swarmkit__V1__NodeCertificateStatusResponse reply;
    bool is_answered;
    assert_fails(ca_issue_answer(&question, NULL, &is_answered, &reply, err), ERR_INVALID, "InvalidArgument");
    question.node_id = id;
    assert_fails(ca_issue_answer(&question, NULL, &is_answered, &reply, err), ERR_NOT_FOUND, "NotFound");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        node_message *node = node_in(cases[i].state, NULL);
        assert_ok(ca_issue_answer(&question, node, &is_answered, &reply, err));
        assert_int_equal(is_answered, cases[i].is_final);
        if (is_answered) {
            assert_int_equal(reply.status->state, cases[i].state);
            assert_string_equal(reply.certificate->cn, NODE_ID);
        }
        message_free(&node->base);
    }
    node_message *waiting = node_in(STATE(PENDING), NULL), *put_off = ca_issue_put_off(waiting, "nobody signs");
    assert_ok(ca_issue_answer(&question, put_off, &is_answered, &reply, err));
    assert_true(is_answered);
    assert_int_equal(reply.status->state, STATE(PENDING));
    assert_string_equal(reply.status->err, "nobody signs");
    message_free(&waiting->base);
    message_free(&put_off->base);
    node_message *bare = MESSAGE_NEW(node_message, docker__swarmkit__v1__node);
    assert_ok(ca_issue_answer(&question, bare, &is_answered, &reply, err));
    assert_false(is_answered);
    message_free(&bare->base);
}

static void renewing_and_accepted_nodes_are_due(void **state)
{
    (void)state;
    for (int at = STATE(UNKNOWN); at <= STATE(ROTATE); at++)
        for (int accepted = 0; accepted < 2; accepted++) {
            node_message *node = node_in((Docker__Swarmkit__V1__IssuanceStatus__State)at, NULL);
            node->spec->membership = (Docker__Swarmkit__V1__NodeSpec__Membership)accepted;
            assert_int_equal(ca_issue_is_due(node), at == STATE(RENEW) || (at == STATE(PENDING) && accepted));
            message_free(&node->base);
        }
    node_message *bare = MESSAGE_NEW(node_message, docker__swarmkit__v1__node);
    assert_false(ca_issue_is_due(bare));
    message_free(&bare->base);
}

static struct ca_signer *signer_of(struct issue *issue)
{
    struct ca_signer *signer;
    assert_ok(ca_signer_new(issue->cluster->root_ca, &signer, err));
    return signer;
}

static void node_that_is_due_is_signed(void **state)
{
    struct issue *issue = *state;
    struct ca_signer *signer = signer_of(issue);
    struct random random = chance();
    node_message *node, *issued;
    struct certificate read;
    issue->request.token = issue->cluster->root_ca->join_tokens->manager;
    assert_ok(ca_issue_admit(issue->cluster, &issue->request, NODE_ID, &node, err));
    assert_ok(ca_issue_sign(signer, node, CLUSTER_ID, 90 * DAY_NS, &random, now(), &issued, err));
    assert_int_equal(issued->certificate->status->state, STATE(ISSUED));
    assert_true(bytes_equal(message_bytes(issued->certificate->csr), message_bytes(node->certificate->csr)));
    struct bytes chain = message_bytes(issued->certificate->certificate);
    assert_ok(certificate_verify(chain, buf_bytes(&issue->root.cert_pem), now(), NULL, err));
    assert_ok(certificate_match_key(chain, buf_bytes(&issue->applicant.key_pem), err));
    assert_ok(certificate_read(chain, buf_bytes(&issue->root.cert_pem), &read, err));
    assert_string_equal(read.node_id, NODE_ID);
    assert_int_equal(read.role, CERTIFICATE_MANAGER);
    certificate_deinit(&read);
    message_free(&issued->base);
    message_free(&node->base);
    ca_signer_free(signer);
}

/* What another manager, or an older one, let in. */
static void request_that_cannot_be_signed_fails_with_its_reason(void **state)
{
    struct issue *issue = *state;
    struct ca_signer *signer = signer_of(issue);
    struct random random = chance();
    node_message *node = node_in(STATE(RENEW), &issue->root), *failed;
    message_set_bytes(&node->certificate->csr, bytes_of_string("no request"));
    assert_ok(ca_issue_sign(signer, node, CLUSTER_ID, DAY_NS, &random, now(), &failed, err));
    assert_int_equal(failed->certificate->status->state, STATE(FAILED));
    assert_non_null(strstr(failed->certificate->status->err, "cannot be read"));
    message_free(&failed->base);
    message_set_bytes(&node->certificate->csr, buf_bytes(&issue->applicant.request_pem));
    node->certificate->role = (Docker__Swarmkit__V1__NodeRole)5;
    assert_ok(ca_issue_sign(signer, node, CLUSTER_ID, DAY_NS, &random, now(), &failed, err));
    assert_int_equal(failed->certificate->status->state, STATE(FAILED));
    assert_non_null(strstr(failed->certificate->status->err, "failed to parse role"));
    message_free(&failed->base);
    message_free(&node->base);
    ca_signer_free(signer);
}

/* The certificate that came late is for a key that the node has given up. */
static void answer_for_an_older_request_is_dropped(void **state)
{
    struct issue *issue = *state;
    node_message *node, *renewing;
    struct applicant later = applicant_new();
    assert_ok(ca_issue_admit(issue->cluster, &issue->request, NODE_ID, &node, err));
    assert_true(ca_issue_awaits(node, buf_bytes(&issue->applicant.request_pem)));
    issue->request.csr = (ProtobufCBinaryData){later.request_pem.size, later.request_pem.data};
    assert_ok(ca_issue_renew(node, NODE_ID, &issue->request, &renewing, err));
    assert_false(ca_issue_awaits(renewing, buf_bytes(&issue->applicant.request_pem)));
    assert_true(ca_issue_awaits(renewing, buf_bytes(&later.request_pem)));
    node_message *issued = ca_issue_signed(renewing, bytes_of_string("chain")), *failed = ca_issue_failed(renewing, "why");
    assert_false(ca_issue_awaits(issued, buf_bytes(&later.request_pem)));
    assert_int_equal(issued->certificate->certificate.len, 5);
    assert_string_equal(failed->certificate->status->err, "why");
    message_free(&issued->base);
    message_free(&failed->base);
    message_free(&renewing->base);
    message_free(&node->base);
    applicant_deinit(&later);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(token_makes_a_new_node, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refusals_have_swarmkit_s_codes_and_words, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_request_is_refused_at_the_door_but_only_to_who_has_a_token, set_up, tear_down),
        cmocka_unit_test_setup_teardown(renewal_is_for_the_role_that_the_node_has, set_up, tear_down),
        cmocka_unit_test(question_is_answered_once_the_state_is_final_or_tells_what_it_waits_for),
        cmocka_unit_test(renewing_and_accepted_nodes_are_due),
        cmocka_unit_test_setup_teardown(node_that_is_due_is_signed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(request_that_cannot_be_signed_fails_with_its_reason, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answer_for_an_older_request_is_dropped, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
