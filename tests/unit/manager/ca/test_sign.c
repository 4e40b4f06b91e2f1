/* tests/unit/manager/ca/test_sign.c */
#include "manager/ca/sign.h"

#include <openssl/x509v3.h>

#include "proto/tls/verify.h"
#include "tests/unit/manager/ca/world.h"

static const struct ca_subject worker = {CLUSTER_ID, NODE_ID, CERTIFICATE_WORKER}, manager = {CLUSTER_ID, NODE_ID, CERTIFICATE_MANAGER};

/* Signed by what @root_ca says, at FIXTURE_TIME, for 90 days. */
static struct buf sign_as(const root_message *root_ca, struct bytes request_pem, const struct ca_subject *subject)
{
    struct buf chain = {0};
    struct ca_signer *signer = NULL;
    struct random random = random_system();
    assert_ok(ca_signer_new(root_ca, &signer, err));
    assert_ok(ca_sign(signer, request_pem, subject, 90 * DAY_NS, &random, now(), &chain, err));
    ca_signer_free(signer);
    return chain;
}

static void manager_certificate_has_the_fields_of_docker_s(void **state)
{
    (void)state;
    struct ca_root root = root_at(now());
    struct applicant applicant = applicant_new();
    cluster_message *cluster = cluster_of(&root);
    cleanup_buf struct buf theirs_pem = {0}, chain = sign_as(cluster->root_ca, buf_bytes(&applicant.request_pem), &manager);
    cleanup_one X509 *ours = first_of(buf_bytes(&chain)), *theirs = first_of(fixture(&theirs_pem, "manager-1.crt"));
    cleanup_buf struct buf our_subject = {0}, their_subject = {0}, our_key = {0}, their_key = {0};
    pem_print_issuer(ours, &our_subject, &our_key);
    pem_print_issuer(theirs, &their_subject, &their_key);
    assert_true(bytes_equal(buf_bytes(&our_subject), buf_bytes(&their_subject))); /* in DER: order and types of strings too */
    assert_int_equal(X509_get_version(ours), X509_get_version(theirs));
    assert_int_equal(X509_get_signature_nid(ours), X509_get_signature_nid(theirs));
    assert_int_equal(ASN1_STRING_length(X509_get_serialNumber(ours)), 20);
    assert_int_equal(X509_get_ext_count(ours), X509_get_ext_count(theirs));
    for (int i = 0; i < X509_get_ext_count(ours); i++) {
        X509_EXTENSION *our = X509_get_ext(ours, i), *their = X509_get_ext(theirs, i);
        int nid = OBJ_obj2nid(X509_EXTENSION_get_object(our));
        assert_int_equal(nid, OBJ_obj2nid(X509_EXTENSION_get_object(their)));
        assert_int_equal(X509_EXTENSION_get_critical(our), X509_EXTENSION_get_critical(their));
        assert_int_equal(ASN1_STRING_length(X509_EXTENSION_get_data(our)), ASN1_STRING_length(X509_EXTENSION_get_data(their)));
        if (nid != NID_subject_key_identifier && nid != NID_authority_key_identifier)
            assert_int_equal(ASN1_OCTET_STRING_cmp(X509_EXTENSION_get_data(our), X509_EXTENSION_get_data(their)), 0);
    }
    int64_t our_ns = tls_wall_ns(X509_get0_notAfter(ours)) - tls_wall_ns(X509_get0_notBefore(ours));
    assert_true(our_ns == tls_wall_ns(X509_get0_notAfter(theirs)) - tls_wall_ns(X509_get0_notBefore(theirs)));
    message_wipe_free(&cluster->base);
    applicant_deinit(&applicant);
    ca_root_deinit(&root);
}

static void certificate_passes_our_verifier_and_openssl_s(void **state)
{
    (void)state;
    struct ca_root root = root_at(now()), other = root_at(now());
    struct applicant applicant = applicant_new();
    cluster_message *cluster = cluster_of(&root);
    cleanup_buf struct buf chain = sign_as(cluster->root_ca, buf_bytes(&applicant.request_pem), &worker);
    struct bytes roots = buf_bytes(&root.cert_pem);
    struct certificate read;
    assert_ok(certificate_verify(buf_bytes(&chain), roots, now(), NULL, err));
    assert_int_equal(openssl_verdict(buf_bytes(&chain), roots), X509_V_OK);
    assert_int_not_equal(openssl_verdict(buf_bytes(&chain), buf_bytes(&other.cert_pem)), X509_V_OK);
    assert_ok(certificate_match_key(buf_bytes(&chain), buf_bytes(&applicant.key_pem), err));
    assert_ok(certificate_read(buf_bytes(&chain), roots, &read, err));
    assert_string_equal(read.node_id, NODE_ID);
    assert_string_equal(read.cluster_id, CLUSTER_ID);
    assert_int_equal(read.role, CERTIFICATE_WORKER);
    assert_int_equal(count_of(buf_bytes(&chain)), 1);
    assert_int_equal(chain.data[chain.size - 1], '\n');
    certificate_deinit(&read);
    message_wipe_free(&cluster->base);
    applicant_deinit(&applicant);
    ca_root_deinit(&root);
    ca_root_deinit(&other);
}

static void names_are_the_role_s_and_the_node_s(void **state)
{
    (void)state;
    struct ca_root root = root_at(now());
    struct applicant applicant = applicant_new();
    cluster_message *cluster = cluster_of(&root);
    cleanup_buf struct buf as_worker = sign_as(cluster->root_ca, buf_bytes(&applicant.request_pem), &worker);
    cleanup_buf struct buf as_manager = sign_as(cluster->root_ca, buf_bytes(&applicant.request_pem), &manager);
    cleanup_one X509 *one = first_of(buf_bytes(&as_worker)), *other = first_of(buf_bytes(&as_manager));
    assert_extension(one, NID_subject_alt_name, false, "\x30\x29\x82\x0cswarm-worker\x82\x19" NODE_ID);
    assert_int_equal(X509_check_host(one, "swarm-worker", 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL), 1);
    assert_int_equal(X509_check_host(one, "swarm-ca", 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL), 0);
    assert_int_equal(X509_check_host(one, "swarm-manager", 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL), 0);
    assert_int_equal(X509_check_host(other, "swarm-manager", 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL), 1);
    assert_int_equal(X509_check_host(other, "swarm-ca", 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL), 1);
    message_wipe_free(&cluster->base);
    applicant_deinit(&applicant);
    ca_root_deinit(&root);
}

static void validity_begins_an_hour_ago_on_a_whole_minute(void **state)
{
    (void)state;
    struct ca_root root = root_at(now());
    struct applicant applicant = applicant_new();
    cluster_message *cluster = cluster_of(&root);
    struct random random = chance();
    struct ca_signer *signer;
    cleanup_buf struct buf chain = {0};
    assert_ok(ca_signer_new(cluster->root_ca, &signer, err));
    assert_ok(ca_sign(signer, buf_bytes(&applicant.request_pem), &worker, HOUR_NS, &random, instant("2026-12-01T10:20:31Z"), &chain, err));
    cleanup_one X509 *leaf = first_of(buf_bytes(&chain));
    assert_true(tls_wall_ns(X509_get0_notBefore(leaf)) == instant("2026-12-01T09:21:00Z"));
    assert_true(tls_wall_ns(X509_get0_notAfter(leaf)) == instant("2026-12-01T11:21:00Z"));
    ca_signer_free(signer);
    message_wipe_free(&cluster->base);
    applicant_deinit(&applicant);
    ca_root_deinit(&root);
}

/* The two who have to be content during a rotation: nodes that trust the old root, and one that has the new root alone already. */
static void chain_in_a_rotation_verifies_under_both_roots(void **state)
{
    (void)state;
    struct ca_root old = root_at(now()), next = root_at(now());
    struct applicant applicant = applicant_new();
    cluster_message *cluster = cluster_of(&old);
    start_rotation(cluster->root_ca, &next);
    cleanup_buf struct buf chain = sign_as(cluster->root_ca, buf_bytes(&applicant.request_pem), &manager);
    assert_int_equal(count_of(buf_bytes(&chain)), 2);
    assert_ok(certificate_verify(buf_bytes(&chain), buf_bytes(&old.cert_pem), now(), NULL, err));
    assert_ok(certificate_verify(buf_bytes(&chain), buf_bytes(&next.cert_pem), now(), NULL, err));
    assert_int_equal(openssl_verdict(buf_bytes(&chain), buf_bytes(&next.cert_pem)), X509_V_OK);
    struct certificate read;
    cleanup_buf struct buf subject = {0}, key = {0};
    assert_ok(certificate_read(buf_bytes(&chain), buf_bytes(&old.cert_pem), &read, err));
    assert_ok(ca_root_issuer(buf_bytes(&next.cert_pem), &subject, &key, err));
    assert_true(bytes_equal(buf_bytes(&read.issuer_public_key_der), buf_bytes(&key))); /* what the node will report */
    certificate_deinit(&read);
    message_wipe_free(&cluster->base);
    applicant_deinit(&applicant);
    ca_root_deinit(&old);
    ca_root_deinit(&next);
}

static void cross_signed_root_differs_in_its_signature_alone(void **state)
{
    (void)state;
    struct ca_root old = root_at(now()), next = root_at(now());
    cleanup_buf struct buf crossed_pem = {0};
    assert_ok(ca_cross_sign(buf_bytes(&old.cert_pem), buf_bytes(&old.key_pem), buf_bytes(&next.cert_pem), &crossed_pem, err));
    cleanup_one X509 *crossed = first_of(buf_bytes(&crossed_pem)), *new_root = first_of(buf_bytes(&next.cert_pem)),
                     *old_root = first_of(buf_bytes(&old.cert_pem));
    assert_int_equal(ASN1_INTEGER_cmp(X509_get_serialNumber(crossed), X509_get_serialNumber(new_root)), 0);
    assert_int_equal(X509_NAME_cmp(X509_get_subject_name(crossed), X509_get_subject_name(new_root)), 0);
    assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(crossed), X509_get0_pubkey(new_root)), 1);
    assert_int_equal(ASN1_TIME_compare(X509_get0_notBefore(crossed), X509_get0_notBefore(new_root)), 0);
    assert_int_equal(ASN1_TIME_compare(X509_get0_notAfter(crossed), X509_get0_notAfter(new_root)), 0);
    assert_int_equal(X509_get_ext_count(crossed), X509_get_ext_count(new_root));
    assert_int_equal(X509_get_ext_by_NID(crossed, NID_authority_key_identifier, -1), -1);
    assert_true(tls_is_issued_by(crossed, old_root));
    assert_false(tls_is_issued_by(crossed, new_root));
    ca_root_deinit(&old);
    ca_root_deinit(&next);
}

/* As `openssl req -x509` makes one: another name, and an identifier of its own key as its authority's. */
static struct ca_root root_of_a_company(void)
{
    struct ca_root root = {.key_pem.is_secret = true};
    cleanup_key EVP_PKEY *key = EVP_RSA_gen(2048);
    cleanup_one X509 *one = X509_new();
    X509V3_CTX context;
    X509_set_version(one, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(one), 7);
    ASN1_TIME_set(X509_getm_notBefore(one), (time_t)(now() / 1000000000) - 3600);
    ASN1_TIME_set(X509_getm_notAfter(one), (time_t)(now() / 1000000000) + 3 * 366 * 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(one), "O", MBSTRING_ASC, (const unsigned char *)"ACME", -1, -1, 0);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(one), "CN", MBSTRING_ASC, (const unsigned char *)"ACME root", -1, -1, 0);
    X509_set_issuer_name(one, X509_get_subject_name(one));
    X509_set_pubkey(one, key);
    X509V3_set_ctx(&context, one, one, NULL, NULL, 0);
    static const struct {
        int nid;
        const char *value;
    } extensions[] = {{NID_basic_constraints, "critical,CA:TRUE"},
                      {NID_key_usage, "critical,keyCertSign,cRLSign"},
                      {NID_subject_key_identifier, "hash"},
                      {NID_authority_key_identifier, "keyid:always"}};
    for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++) {
        X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, extensions[i].nid, extensions[i].value);
        X509_add_ext(one, extension, -1);
        X509_EXTENSION_free(extension);
    }
    assert_true(X509_sign(one, key, EVP_sha256()) > 0);
    pem_print_certificate(one, &root.cert_pem);
    assert_ok(pem_print_key(key, &root.key_pem, err));
    return root;
}

static void root_of_another_name_and_kind_works_both_ways(void **state)
{
    (void)state;
    struct ca_root own = root_at(now()), company = root_of_a_company();
    struct applicant applicant = applicant_new();
    const struct ca_root *ways[][2] = {{&own, &company}, {&company, &own}};
    for (int i = 0; i < 2; i++) {
        cluster_message *cluster = cluster_of(ways[i][0]);
        cleanup_buf struct buf before = sign_as(cluster->root_ca, buf_bytes(&applicant.request_pem), &worker);
        assert_int_equal(openssl_verdict(buf_bytes(&before), buf_bytes(&ways[i][0]->cert_pem)), X509_V_OK);
        start_rotation(cluster->root_ca, ways[i][1]);
        cleanup_buf struct buf chain = sign_as(cluster->root_ca, buf_bytes(&applicant.request_pem), &worker);
        assert_ok(certificate_verify(buf_bytes(&chain), buf_bytes(&ways[i][0]->cert_pem), now(), NULL, err));
        assert_int_equal(openssl_verdict(buf_bytes(&chain), buf_bytes(&ways[i][1]->cert_pem)), X509_V_OK);
        assert_int_equal(openssl_verdict(buf_bytes(&chain), buf_bytes(&ways[i][0]->cert_pem)), X509_V_OK); /* other name: no trap 1 */
        message_wipe_free(&cluster->base);
    }
    applicant_deinit(&applicant);
    ca_root_deinit(&own);
    ca_root_deinit(&company);
}

/* A request that asks for more than it is given. */
static void nothing_of_a_request_but_its_key_is_used(void **state)
{
    (void)state;
    struct ca_root root = root_at(now());
    cluster_message *cluster = cluster_of(&root);
    cleanup_key EVP_PKEY *key = EVP_EC_gen("P-384");
    cleanup_request X509_REQ *request = X509_REQ_new();
    cleanup_buf struct buf request_pem = {0};
    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request), "CN", MBSTRING_ASC, (const unsigned char *)"swarm-ca", -1, -1, 0);
    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request), "OU", MBSTRING_ASC, (const unsigned char *)"swarm-manager", -1, -1, 0);
    STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
    sk_X509_EXTENSION_push(extensions, X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE"));
    sk_X509_EXTENSION_push(extensions, X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:swarm-manager"));
    X509_REQ_add_extensions(request, extensions);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    X509_REQ_set_pubkey(request, key);
    assert_true(X509_REQ_sign(request, key, EVP_sha384()) > 0);
    assert_ok(pem_print_request(request, &request_pem, err));
    cleanup_buf struct buf chain = sign_as(cluster->root_ca, buf_bytes(&request_pem), &worker);
    cleanup_one X509 *leaf = first_of(buf_bytes(&chain));
    assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(leaf), key), 1);
    assert_int_equal(X509_check_ca(leaf), 0);
    assert_int_equal(X509_NAME_entry_count(X509_get_subject_name(leaf)), 3);
    assert_extension(leaf, NID_subject_alt_name, false, "\x30\x29\x82\x0cswarm-worker\x82\x19" NODE_ID);
    assert_extension(leaf, NID_basic_constraints, true, "\x30\x00");
    message_wipe_free(&cluster->base);
    ca_root_deinit(&root);
}

static struct buf request_with(EVP_PKEY *public_key, EVP_PKEY *signing_key)
{
    struct buf pem = {0};
    cleanup_request X509_REQ *request = X509_REQ_new();
    X509_REQ_set_pubkey(request, public_key);
    assert_true(X509_REQ_sign(request, signing_key, EVP_PKEY_get_base_id(signing_key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256()) > 0);
    assert_ok(pem_print_request(request, &pem, err));
    return pem;
}

static void bad_request_is_refused(void **state)
{
    (void)state;
    EVP_PKEY *mine = EVP_EC_gen("P-256"), *yours = EVP_EC_gen("P-256"), *odd = EVP_EC_gen("secp256k1"), *weak = EVP_RSA_gen(1024),
             *edwards = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    cleanup_buf struct buf good = request_with(mine, mine), stolen = request_with(yours, mine), of_odd = request_with(odd, odd),
                           of_weak = request_with(weak, weak), of_edwards = request_with(edwards, edwards), large = {0}, leaf = {0};
    assert_ok(ca_request_check(buf_bytes(&good), err));
    assert_fails(ca_request_check(buf_bytes(&stolen), err), ERR_INVALID, "not signed by its own key");
    assert_fails(ca_request_check(buf_bytes(&of_odd), err), ERR_INVALID, "kind that is not accepted");
    assert_fails(ca_request_check(buf_bytes(&of_weak), err), ERR_INVALID, "kind that is not accepted");
    assert_fails(ca_request_check(buf_bytes(&of_edwards), err), ERR_INVALID, "kind that is not accepted");
    assert_fails(ca_request_check(bytes_of(NULL, 0), err), ERR_INVALID, "cannot be read");
    assert_fails(ca_request_check(bytes_of_string("\xff\xfe"), err), ERR_INVALID, "cannot be read");
    assert_fails(ca_request_check(fixture(&leaf, "manager-1.crt"), err), ERR_INVALID, "cannot be read");
    memset(buf_reserve(&large, CA_REQUEST_SIZE_BYTES + 1), '-', CA_REQUEST_SIZE_BYTES + 1);
    large.size = CA_REQUEST_SIZE_BYTES + 1;
    assert_fails(ca_request_check(buf_bytes(&large), err), ERR_INVALID, "larger than 16384 bytes");
    EVP_PKEY_free(mine);
    EVP_PKEY_free(yours);
    EVP_PKEY_free(odd);
    EVP_PKEY_free(weak);
    EVP_PKEY_free(edwards);
}

static void node_id_that_is_no_id_is_refused(void **state)
{
    (void)state;
    struct ca_root root = root_at(now());
    struct applicant applicant = applicant_new();
    cluster_message *cluster = cluster_of(&root);
    struct random random = chance();
    struct ca_signer *signer;
    cleanup_buf struct buf chain = {0};
    assert_ok(ca_signer_new(cluster->root_ca, &signer, err));
    struct ca_subject odd = {CLUSTER_ID, "a,DNS:swarm-manager", CERTIFICATE_WORKER};
    assert_fails(ca_sign(signer, buf_bytes(&applicant.request_pem), &odd, DAY_NS, &random, now(), &chain, err), ERR_INVALID,
                 "id cannot be");
    assert_int_equal(chain.size, 0);
    ca_signer_free(signer);
    message_wipe_free(&cluster->base);
    applicant_deinit(&applicant);
    ca_root_deinit(&root);
}

static void cluster_whose_parts_do_not_fit_signs_nothing(void **state)
{
    (void)state;
    struct ca_root root = root_at(now()), next = root_at(now()), other = root_at(now());
    cluster_message *cluster = cluster_of(&root);
    struct ca_signer *signer = NULL;
    cleanup_buf struct buf crossed = {0};
    start_rotation(cluster->root_ca, &next);
    assert_ok(ca_cross_sign(buf_bytes(&other.cert_pem), buf_bytes(&other.key_pem), buf_bytes(&next.cert_pem), &crossed, err));
    message_set_bytes(&cluster->root_ca->root_rotation->cross_signed_ca_cert, buf_bytes(&crossed));
    assert_fails(ca_signer_new(cluster->root_ca, &signer, err), ERR_CORRUPT, "not the new one signed by the old one");
    message_set_bytes(&cluster->root_ca->root_rotation->ca_key, buf_bytes(&root.key_pem));
    assert_fails(ca_signer_new(cluster->root_ca, &signer, err), ERR_CORRUPT, "does not belong");
    message_set_bytes(&cluster->root_ca->root_rotation->ca_key, bytes_of(NULL, 0));
    assert_fails(ca_signer_new(cluster->root_ca, &signer, err), ERR_PRECONDITION, "no valid signer found");
    assert_null(signer);
    message_wipe_free(&cluster->base);
    ca_root_deinit(&root);
    ca_root_deinit(&next);
    ca_root_deinit(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(manager_certificate_has_the_fields_of_docker_s),
        cmocka_unit_test(certificate_passes_our_verifier_and_openssl_s),
        cmocka_unit_test(names_are_the_role_s_and_the_node_s),
        cmocka_unit_test(validity_begins_an_hour_ago_on_a_whole_minute),
        cmocka_unit_test(chain_in_a_rotation_verifies_under_both_roots),
        cmocka_unit_test(cross_signed_root_differs_in_its_signature_alone),
        cmocka_unit_test(root_of_another_name_and_kind_works_both_ways),
        cmocka_unit_test(nothing_of_a_request_but_its_key_is_used),
        cmocka_unit_test(bad_request_is_refused),
        cmocka_unit_test(node_id_that_is_no_id_is_refused),
        cmocka_unit_test(cluster_whose_parts_do_not_fit_signs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
