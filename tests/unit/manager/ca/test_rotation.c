/* tests/unit/manager/ca/test_rotation.c */
#include "manager/ca/rotation.h"

#include "manager/ca/issue.h"
#include "proto/identity/token.h"
#include "tests/unit/manager/ca/world.h"

struct rotation {
    struct ca_root old, next;
    cluster_message *cluster;
};

static int set_up(void **state)
{
    struct rotation *rotation = mem_alloc(sizeof *rotation);
    rotation->old = root_at(now());
    rotation->next = root_at(now());
    rotation->cluster = cluster_of(&rotation->old);
    start_rotation(rotation->cluster->root_ca, &rotation->next);
    *state = rotation;
    return 0;
}

static int tear_down(void **state)
{
    struct rotation *rotation = *state;
    message_wipe_free(&rotation->cluster->base);
    ca_root_deinit(&rotation->old);
    ca_root_deinit(&rotation->next);
    free(rotation);
    return 0;
}

static void free_nodes(node_message **nodes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        message_free(&nodes[i]->base);
}

static void without_a_rotation_there_is_nothing_to_do(void **state)
{
    struct rotation *rotation = *state;
    node_message *node = node_in(STATE(ISSUED), NULL);
    struct ca_rotation_look look;
    message_wipe_free(&rotation->cluster->root_ca->root_rotation->base);
    rotation->cluster->root_ca->root_rotation = NULL;
    assert_ok(ca_rotation_look(rotation->cluster->root_ca, &node, 1, &look, err));
    assert_false(look.is_rotating);
    assert_false(look.is_converged);
    assert_int_equal(look.told_count, 0);
    assert_ok(ca_rotation_look(NULL, &node, 1, &look, err));
    assert_false(look.is_rotating);
    message_free(&node->base);
}

static void node_of_another_issuer_is_told_once(void **state)
{
    struct rotation *rotation = *state;
    node_message *nodes[] = {
        node_in(STATE(ISSUED), &rotation->old), node_in(STATE(ISSUED), &rotation->next), node_in(STATE(RENEW), &rotation->old),
        node_in(STATE(PENDING), NULL),          node_in(STATE(ROTATE), &rotation->old),  node_in(STATE(FAILED), &rotation->old),
        node_in(STATE(ISSUED), NULL),           node_in(STATE(ROTATE), &rotation->next), node_in(STATE(UNKNOWN), NULL),
    };
    const size_t count = sizeof nodes / sizeof *nodes;
    struct ca_rotation_look look;
    assert_ok(ca_rotation_look(rotation->cluster->root_ca, nodes, count, &look, err));
    assert_true(look.is_rotating);
    assert_false(look.is_converged);
    assert_int_equal(look.left_count, 7);
    assert_int_equal(look.told_count, 4);
    assert_int_equal(look.told[0], 0);
    assert_int_equal(look.told[1], 5);
    assert_int_equal(look.told[2], 6);
    assert_int_equal(look.told[3], 8);
    node_message *told = ca_rotation_tell(nodes[0]);
    assert_int_equal(ca_issue_state(told), STATE(ROTATE));
    assert_int_equal(ca_issue_state(nodes[0]), STATE(ISSUED));
    told->certificate->status->state = STATE(ISSUED);
    assert_true(message_equal(&told->base, &nodes[0]->base));
    message_free(&told->base);
    free_nodes(nodes, count);
}

static void thirty_are_told_at_a_time(void **state)
{
    struct rotation *rotation = *state;
    node_message *nodes[70];
    struct ca_rotation_look look;
    for (int i = 0; i < 70; i++)
        nodes[i] = node_in(STATE(ISSUED), &rotation->old);
    const size_t batches[] = {30, 30, 10, 0};
    for (int batch = 0; batch < 4; batch++) {
        assert_ok(ca_rotation_look(rotation->cluster->root_ca, nodes, 70, &look, err));
        assert_int_equal(look.told_count, batches[batch]);
        assert_int_equal(look.left_count, 70);
        for (size_t i = 0; i < look.told_count; i++) {
            node_message *told = ca_rotation_tell(nodes[look.told[i]]);
            message_free(&nodes[look.told[i]]->base);
            nodes[look.told[i]] = told;
        }
    }
    assert_false(look.is_converged);
    free_nodes(nodes, 70);
}

/* The subject is the same for both roots: only the key tells them apart. */
static void finished_when_all_report_the_new_issuer(void **state)
{
    struct rotation *rotation = *state;
    node_message *nodes[] = {node_in(STATE(ISSUED), &rotation->next), node_in(STATE(ISSUED), &rotation->old)};
    struct ca_rotation_look look;
    assert_ok(ca_rotation_look(rotation->cluster->root_ca, nodes, 2, &look, err));
    assert_false(look.is_converged);
    message_free(&nodes[1]->base);
    nodes[1] = node_in(STATE(ROTATE), &rotation->next);
    assert_ok(ca_rotation_look(rotation->cluster->root_ca, nodes, 2, &look, err));
    assert_true(look.is_converged);
    assert_int_equal(look.left_count, 0);
    free_nodes(nodes, 2);
}

static void finished_rotation_leaves_the_new_root_with_new_tokens(void **state)
{
    struct rotation *rotation = *state;
    root_message *before = rotation->cluster->root_ca, *after = NULL;
    struct random random = random_system();
    struct token token;
    char hash[CA_HASH_SIZE_CHARS + 1];
    before->last_forced_rotation = 3;
    assert_ok(ca_rotation_finish(before, false, &random, now(), &after, err));
    ca_root_hash(buf_bytes(&rotation->next.cert_pem), hash);
    assert_true(bytes_equal(message_bytes(after->ca_cert), buf_bytes(&rotation->next.cert_pem)));
    assert_true(bytes_equal(message_bytes(after->ca_key), buf_bytes(&rotation->next.key_pem)));
    assert_string_equal(after->ca_cert_hash, hash);
    assert_null(after->root_rotation);
    assert_int_equal(after->last_forced_rotation, 3);
    assert_string_not_equal(after->join_tokens->worker, before->join_tokens->worker);
    assert_string_not_equal(after->join_tokens->manager, before->join_tokens->manager);
    assert_ok(token_parse(after->join_tokens->worker, &token, err));
    assert_ok(token_check_root(&token, buf_bytes(&rotation->next.cert_pem), err));
    message_wipe_free(&after->base);
    assert_ok(ca_rotation_finish(before, true, &random, now(), &after, err));
    assert_memory_equal(after->join_tokens->worker, "SWMTKN-2-1-", 11);
    message_wipe_free(&after->base);
}

static void rotation_that_cannot_be_finished_says_why(void **state)
{
    struct rotation *rotation = *state;
    root_message *root_ca = rotation->cluster->root_ca, *after = NULL;
    struct random random = chance();
    struct ca_rotation_look look;
    assert_fails(ca_rotation_finish(root_ca, false, &random, now() + 30 * 366 * DAY_NS, &after, err), ERR_TRUST, "has expired");
    message_set_bytes(&root_ca->root_rotation->ca_key, buf_bytes(&rotation->old.key_pem));
    assert_fails(ca_rotation_finish(root_ca, false, &random, now(), &after, err), ERR_CORRUPT, "does not belong");
    message_set_bytes(&root_ca->root_rotation->ca_cert, bytes_of_string("x"));
    assert_fails(ca_rotation_look(root_ca, NULL, 0, &look, err), ERR_CORRUPT, "cannot be read");
    message_wipe_free(&root_ca->root_rotation->base);
    root_ca->root_rotation = NULL;
    assert_fails(ca_rotation_finish(root_ca, false, &random, now(), &after, err), ERR_PRECONDITION, "no root rotation");
    assert_null(after);
}

/* A whole rotation, node by node, with what an agent does in between: until the new root alone remains. */
static void rotation_runs_from_start_to_end(void **state)
{
    struct rotation *rotation = *state;
    enum { COUNT = 45 };
    node_message *nodes[COUNT];
    struct applicant applicant = applicant_new();
    struct ca_signer *signer;
    struct random random = random_system();
    struct ca_rotation_look look;
    assert_ok(ca_signer_new(rotation->cluster->root_ca, &signer, err));
    for (int i = 0; i < COUNT; i++)
        nodes[i] = node_in(STATE(ISSUED), &rotation->old);
    int looks = 0;
    for (;; looks++) {
        assert_ok(ca_rotation_look(rotation->cluster->root_ca, nodes, COUNT, &look, err));
        if (look.is_converged)
            break;
        assert_in_range(looks, 0, 2);
        for (size_t i = 0; i < look.told_count; i++) {
            node_message **place = &nodes[look.told[i]], *told = ca_rotation_tell(*place), *renewing, *issued;
            Docker__Swarmkit__V1__IssueNodeCertificateRequest request = DOCKER__SWARMKIT__V1__ISSUE_NODE_CERTIFICATE_REQUEST__INIT;
            request.csr = (ProtobufCBinaryData){applicant.request_pem.size, applicant.request_pem.data};
            assert_ok(ca_issue_renew(told, NODE_ID, &request, &renewing, err));
            assert_ok(ca_issue_sign(signer, renewing, CLUSTER_ID, 90 * DAY_NS, &random, now(), &issued, err));
            struct certificate read;
            assert_ok(certificate_read(message_bytes(issued->certificate->certificate), buf_bytes(&rotation->old.cert_pem), &read, err));
            message_set_bytes(&issued->description->tls_info->cert_issuer_public_key, buf_bytes(&read.issuer_public_key_der));
            certificate_deinit(&read);
            message_free(&(*place)->base);
            message_free(&told->base);
            message_free(&renewing->base);
            *place = issued;
        }
    }
    assert_int_equal(looks, 2);
    for (int i = 0; i < COUNT; i++) /* whoever holds such a chain goes on under the new root */
        assert_int_equal(openssl_verdict(message_bytes(nodes[i]->certificate->certificate), buf_bytes(&rotation->next.cert_pem)),
                         X509_V_OK);
    ca_signer_free(signer);
    applicant_deinit(&applicant);
    free_nodes(nodes, COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_a_rotation_there_is_nothing_to_do, set_up, tear_down),
        cmocka_unit_test_setup_teardown(node_of_another_issuer_is_told_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(thirty_are_told_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(finished_when_all_report_the_new_issuer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(finished_rotation_leaves_the_new_root_with_new_tokens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rotation_that_cannot_be_finished_says_why, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rotation_runs_from_start_to_end, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
