/* tests/unit/manager/ca/test_found.c */
#include "manager/ca/found.h"

#include "manager/ca/issue.h"
#include "manager/ca/tokens.h"
#include "proto/identity/token.h"
#include "tests/unit/manager/ca/world.h"

static struct ca_found_options options_of(const char *cluster_id, bool is_fips)
{
    return (struct ca_found_options){.cluster_id = cluster_id,
                                     .node_id = NODE_ID,
                                     .expiry_ns = ca_config_expiry_ns(NULL),
                                     .is_fips = is_fips,
                                     .random = chance(),
                                     .wall_ns = now()};
}

static void founder_is_a_manager_of_its_cluster(void **state)
{
    (void)state;
    struct ca_found_options options = options_of(CLUSTER_ID, false);
    struct ca_founding founding;
    struct certificate got;
    assert_ok(ca_found(&options, &founding, err));
    struct bytes chain = buf_bytes(&founding.chain_pem), root = buf_bytes(&founding.root_pem);
    assert_ok(certificate_read(chain, root, &got, err));
    assert_string_equal(got.node_id, NODE_ID);
    assert_string_equal(got.cluster_id, CLUSTER_ID);
    assert_int_equal(got.role, CERTIFICATE_MANAGER);
    assert_true(got.not_after_wall_ns == now() + ca_config_expiry_ns(NULL)); /* FIXTURE_TIME is a whole minute */
    certificate_deinit(&got);
    assert_ok(certificate_verify(chain, root, now(), NULL, err));
    assert_ok(certificate_match_key(chain, buf_bytes(&founding.key_pem), err));
    assert_memory_equal(founding.key_pem.data, "-----BEGIN PRIVATE KEY-----\n", 28);
    assert_int_equal(openssl_verdict(chain, root), X509_V_OK);
    ca_founding_deinit(&founding);
    assert_null(founding.key_pem.data);
    ca_founding_deinit(&founding);
}

/* What goes into the cluster's first object is all that its next nodes need. */
static void cluster_signs_who_comes_with_its_tokens(void **state)
{
    (void)state;
    struct ca_found_options options = options_of(CLUSTER_ID, false);
    struct ca_founding founding;
    enum certificate_role role;
    struct token token;
    assert_ok(ca_found(&options, &founding, err));
    const root_message *root_ca = founding.root_ca;
    assert_true(bytes_equal(message_bytes(root_ca->ca_cert), buf_bytes(&founding.root_pem)));
    assert_int_equal(root_ca->last_forced_rotation, 0);
    assert_null(root_ca->root_rotation);
    assert_true(ca_tokens_role(root_ca->join_tokens, root_ca->join_tokens->manager, &role));
    assert_int_equal(role, CERTIFICATE_MANAGER);
    assert_ok(token_parse(root_ca->join_tokens->worker, &token, err));
    assert_ok(token_check_root(&token, buf_bytes(&founding.root_pem), err));

    struct applicant applicant = applicant_new();
    cluster_message *cluster = MESSAGE_NEW(cluster_message, docker__swarmkit__v1__cluster);
    node_message *node, *issued;
    struct ca_signer *signer;
    struct random random = chance();
    Docker__Swarmkit__V1__IssueNodeCertificateRequest request = DOCKER__SWARMKIT__V1__ISSUE_NODE_CERTIFICATE_REQUEST__INIT;
    cluster->root_ca = founding.root_ca;
    request.csr = (ProtobufCBinaryData){applicant.request_pem.size, applicant.request_pem.data};
    request.token = root_ca->join_tokens->worker;
    assert_ok(ca_issue_admit(cluster, &request, "worker1", &node, err));
    assert_ok(ca_signer_new(root_ca, &signer, err));
    assert_ok(ca_issue_sign(signer, node, CLUSTER_ID, options.expiry_ns, &random, now(), &issued, err));
    assert_int_equal(ca_issue_state(issued), STATE(ISSUED));
    assert_ok(certificate_verify(message_bytes(issued->certificate->certificate), buf_bytes(&founding.root_pem), now(), NULL, err));
    cluster->root_ca = NULL;
    ca_signer_free(signer);
    message_free(&node->base);
    message_free(&issued->base);
    message_free(&cluster->base);
    applicant_deinit(&applicant);
    ca_founding_deinit(&founding);
}

static void fips_cluster_has_tokens_of_the_second_form(void **state)
{
    (void)state;
    struct ca_found_options options = options_of("FIPS." CLUSTER_ID, true);
    struct ca_founding founding;
    struct certificate got;
    assert_ok(ca_found(&options, &founding, err));
    assert_memory_equal(founding.root_ca->join_tokens->worker, "SWMTKN-2-1-", 11);
    assert_memory_equal(founding.root_ca->join_tokens->manager, "SWMTKN-2-1-", 11);
    assert_ok(certificate_read(buf_bytes(&founding.chain_pem), buf_bytes(&founding.root_pem), &got, err));
    assert_string_equal(got.cluster_id, "FIPS." CLUSTER_ID);
    certificate_deinit(&got);
    ca_founding_deinit(&founding);
}

static void node_id_that_cannot_be_is_refused(void **state)
{
    (void)state;
    struct ca_found_options options = options_of(CLUSTER_ID, false);
    struct ca_founding founding;
    options.node_id = "../elsewhere";
    assert_fails(ca_found(&options, &founding, err), ERR_INVALID, "make the new cluster's certificates: a node's id cannot be");
    assert_null(founding.root_ca);
    assert_null(founding.key_pem.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(founder_is_a_manager_of_its_cluster),
        cmocka_unit_test(cluster_signs_who_comes_with_its_tokens),
        cmocka_unit_test(fips_cluster_has_tokens_of_the_second_form),
        cmocka_unit_test(node_id_that_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
