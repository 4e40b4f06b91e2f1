/* tests/unit/manager/ca/test_external.c – against what CFSSL answers, and what it never would. */
#include "manager/ca/external.h"

#include <openssl/x509v3.h>

#include "base/json.h"
#include "tests/unit/manager/ca/world.h"

static const struct ca_subject subject = {CLUSTER_ID, NODE_ID, CERTIFICATE_MANAGER};

static void request_for_a_node_names_all_that_the_certificate_shall_say(void **state)
{
    (void)state;
    cleanup_free char *body = ca_external_request(bytes_of_string("-----BEGIN\nx\n"), &subject);
    assert_string_equal(body, "{\"hosts\":[\"swarm-manager\",\"" NODE_ID "\",\"swarm-ca\"],\"certificate_request\":\"-----BEGIN\\nx\\n\","
                              "\"subject\":{\"CN\":\"" NODE_ID "\",\"names\":[{\"OU\":\"swarm-manager\",\"O\":\"" CLUSTER_ID "\"}]},"
                              "\"profile\":\"\"}");
    struct ca_subject worker = {CLUSTER_ID, NODE_ID, CERTIFICATE_WORKER};
    cleanup_free char *for_worker = ca_external_request(bytes_of_string("x"), &worker);
    assert_non_null(strstr(for_worker, "\"hosts\":[\"swarm-worker\",\"" NODE_ID "\"],"));
}

static void request_for_a_root_asks_for_an_authority(void **state)
{
    (void)state;
    struct ca_root next = root_at(now());
    cleanup_free char *body = NULL;
    cleanup_json cJSON *json = NULL;
    assert_ok(ca_external_cross_request(&next, &body, err));
    assert_ok(json_parse(bytes_of_string(body), CA_EXTERNAL_RESPONSE_BYTES, &json, err));
    assert_string_equal(json_string(json, "profile", ""), "CA");
    assert_string_equal(json_string(json_object(json, "subject"), "CN", ""), "swarm-ca");
    assert_int_equal(cJSON_GetArraySize(json_array(json_object(json, "subject"), "names")), 0);
    assert_int_equal(cJSON_GetArraySize(json_array(json, "extensions")), 1);
    const cJSON *extension = cJSON_GetArrayItem(json_array(json, "extensions"), 0);
    assert_string_equal(json_string(extension, "id", ""), "2.5.29.19");
    assert_true(json_bool(extension, "critical", false));
    assert_string_equal(json_string(extension, "value", ""), "30030101ff");
    cleanup_request X509_REQ *request = NULL;
    cleanup_one X509 *root = first_of(buf_bytes(&next.cert_pem));
    assert_ok(pem_read_request(bytes_of_string(json_string(json, "certificate_request", "")), &request, err));
    assert_int_equal(X509_REQ_verify(request, X509_get0_pubkey(root)), 1); /* signed by the new root's key: it is the applicant */
    assert_int_equal(X509_NAME_cmp(X509_REQ_get_subject_name(request), X509_get_subject_name(root)), 0);
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
    assert_int_equal(X509v3_get_ext_count(extensions), 3);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    ca_root_deinit(&next);
}

static void root_of_a_company_keeps_its_name(void **state)
{
    (void)state;
    struct ca_root next = {.key_pem.is_secret = true};
    cleanup_key EVP_PKEY *key = EVP_EC_gen("P-384");
    cleanup_one X509 *one = X509_new();
    cleanup_free char *body = NULL;
    static const char *const names[][2] = {{"C", "CH"}, {"O", "ACME"}, {"O", "ACME \"two\""}, {"CN", "Root"}};
    for (size_t i = 0; i < 4; i++)
        X509_NAME_add_entry_by_txt(X509_get_subject_name(one), names[i][0], MBSTRING_UTF8, (const unsigned char *)names[i][1], -1, -1, 0);
    ASN1_TIME_set(X509_getm_notBefore(one), 0);
    ASN1_TIME_set(X509_getm_notAfter(one), 1);
    X509_set_version(one, X509_VERSION_3);
    X509_set_pubkey(one, key);
    BASIC_CONSTRAINTS constraints = {.ca = 1};
    X509_add1_ext_i2d(one, NID_basic_constraints, &constraints, 1, X509V3_ADD_DEFAULT);
    assert_true(X509_sign(one, key, EVP_sha384()) > 0);
    pem_print_certificate(one, &next.cert_pem);
    assert_ok(pem_print_key(key, &next.key_pem, err));
    assert_ok(ca_external_cross_request(&next, &body, err));
    assert_non_null(strstr(body, "\"subject\":{\"CN\":\"Root\",\"names\":[{\"C\":\"CH\"},{\"O\":\"ACME\"},{\"O\":\"ACME \\\"two\\\"\"}]}"));
    ca_root_deinit(&next);
}

static void answer_is_read(void **state)
{
    (void)state;
    cleanup_buf struct buf pem = {0};
    assert_ok(ca_external_parse(
        bytes_of_string("{\"success\":true,\"result\":{\"certificate\":\"a\\nb\\n\"},\"errors\":[],\"messages\":[]}"), &pem, err));
    assert_string_equal(pem.data, "a\nb\n");
}

static void answer_that_is_none_is_told_apart_from_a_refusal(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int code;
        const char *message;
    } cases[] = {
        {"", ERR_AGAIN, "no JSON document"},
        {"<html>Bad gateway</html>", ERR_AGAIN, "no JSON document"},
        {"{\"success\":tr", ERR_AGAIN, "no JSON document"},
        {"{\"success\":false,\"result\":null,\"errors\":[{\"code\":5100,\"message\":\"Invalid policy\"}]}", ERR_PEER,
         "5100: Invalid policy"},
        {"{\"success\":false,\"errors\":[{\"code\":1,\"message\":\"a\\nb\"},{\"code\":2}]}", ERR_PEER, "1: a b; 2: no message"},
        {"{\"success\":false,\"result\":{\"certificate\":\"x\"}}", ERR_PEER, "no reason"},
        {"{\"success\":\"true\",\"result\":{\"certificate\":\"x\"}}", ERR_PEER, "refused"},
        {"{\"success\":true}", ERR_PEER, "holds no certificate"},
        {"{\"success\":true,\"result\":[]}", ERR_PEER, "holds no certificate"},
        {"{\"success\":true,\"result\":{\"certificate\":7}}", ERR_PEER, "holds no certificate"},
        {"{\"success\":true,\"result\":{\"certificate\":\"\"}}", ERR_PEER, "holds no certificate"},
        {"[]", ERR_PEER, "refused"},
        {"7", ERR_PEER, "refused"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cleanup_buf struct buf pem = {0};
        assert_fails(ca_external_parse(bytes_of_string(cases[i].body), &pem, err), cases[i].code, cases[i].message);
        assert_int_equal(pem.size, 0);
    }
    cleanup_buf struct buf large = {0}, pem = {0};
    memset(buf_reserve(&large, CA_EXTERNAL_RESPONSE_BYTES + 1), ' ', CA_EXTERNAL_RESPONSE_BYTES + 1);
    large.size = CA_EXTERNAL_RESPONSE_BYTES + 1;
    assert_fails(ca_external_parse(buf_bytes(&large), &pem, err), ERR_AGAIN, "no JSON document");
}

/* What an external CA would give: our own signer stands in for it. */
static struct buf signed_by(const struct ca_root *root, struct bytes request_pem, const struct ca_subject *who, int64_t at_ns)
{
    struct buf chain = {0};
    struct ca_signer *signer;
    struct random random = random_system();
    cluster_message *cluster = cluster_of(root);
    assert_ok(ca_signer_new(cluster->root_ca, &signer, err));
    assert_ok(ca_sign(signer, request_pem, who, DAY_NS, &random, at_ns, &chain, err));
    ca_signer_free(signer);
    message_wipe_free(&cluster->base);
    return chain;
}

static void certificate_is_checked_before_it_is_given_to_a_node(void **state)
{
    (void)state;
    struct ca_root root = root_at(now()), other = root_at(now());
    struct applicant mine = applicant_new(), yours = applicant_new();
    cluster_message *cluster = cluster_of(&root);
    struct bytes request = buf_bytes(&mine.request_pem);
    struct ca_subject worker = {CLUSTER_ID, NODE_ID, CERTIFICATE_WORKER}, elsewhere = {"other", NODE_ID, CERTIFICATE_MANAGER},
                      someone = {CLUSTER_ID, "someone", CERTIFICATE_MANAGER};
    cleanup_buf struct buf good = signed_by(&root, request, &subject, now()), chain = {0};
    assert_ok(ca_external_chain(buf_bytes(&good), request, &subject, cluster->root_ca, now(), &chain, err));
    assert_true(bytes_equal(buf_bytes(&chain), buf_bytes(&good)));
    struct {
        struct buf pem;
        const char *message;
    } cases[] = {
        {signed_by(&root, buf_bytes(&yours.request_pem), &subject, now()), "another key"},
        {signed_by(&root, request, &worker, now()), "not for manager " NODE_ID},
        {signed_by(&root, request, &elsewhere, now()), "of cluster other"},
        {signed_by(&root, request, &someone, now()), "manager someone"},
        {signed_by(&other, request, &subject, now()), "not among the cluster's root CAs"},
        {signed_by(&root, request, &subject, now() - 5 * DAY_NS), "expired"},
        {{0}, "cannot be read"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_clear(&chain);
        assert_fails(ca_external_chain(buf_bytes(&cases[i].pem), request, &subject, cluster->root_ca, now(), &chain, err), ERR_PEER,
                     cases[i].message);
        assert_int_equal(chain.size, 0);
        buf_deinit(&cases[i].pem);
    }
    message_wipe_free(&cluster->base);
    applicant_deinit(&mine);
    applicant_deinit(&yours);
    ca_root_deinit(&root);
    ca_root_deinit(&other);
}

static void chain_in_a_rotation_leads_to_the_old_root(void **state)
{
    (void)state;
    struct ca_root old = root_at(now()), next = root_at(now());
    struct applicant mine = applicant_new();
    cluster_message *cluster = cluster_of(&old);
    start_rotation(cluster->root_ca, &next);
    cleanup_buf struct buf leaf = signed_by(&next, buf_bytes(&mine.request_pem), &subject, now()), chain = {0};
    assert_ok(ca_external_chain(buf_bytes(&leaf), buf_bytes(&mine.request_pem), &subject, cluster->root_ca, now(), &chain, err));
    assert_int_equal(count_of(buf_bytes(&chain)), 2);
    assert_ok(certificate_verify(buf_bytes(&chain), buf_bytes(&old.cert_pem), now(), NULL, err));
    assert_int_equal(openssl_verdict(buf_bytes(&chain), buf_bytes(&next.cert_pem)), X509_V_OK);
    message_wipe_free(&cluster->base);
    applicant_deinit(&mine);
    ca_root_deinit(&old);
    ca_root_deinit(&next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_for_a_node_names_all_that_the_certificate_shall_say),
        cmocka_unit_test(request_for_a_root_asks_for_an_authority),
        cmocka_unit_test(root_of_a_company_keeps_its_name),
        cmocka_unit_test(answer_is_read),
        cmocka_unit_test(answer_that_is_none_is_told_apart_from_a_refusal),
        cmocka_unit_test(certificate_is_checked_before_it_is_given_to_a_node),
        cmocka_unit_test(chain_in_a_rotation_leads_to_the_old_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
