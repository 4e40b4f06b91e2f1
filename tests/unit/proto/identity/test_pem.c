/* tests/unit/proto/identity/test_pem.c */
#include "proto/identity/pem.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>

#include "tests/unit/test.h"

static EVP_PKEY *curve(const char *name)
{
    EVP_PKEY *key = EVP_EC_gen(name);
    assert_non_null(key);
    return key;
}

static bool is_accepted(EVP_PKEY *key)
{
    bool is_so = pem_is_accepted_key(key);
    EVP_PKEY_free(key);
    return is_so;
}

static void nist_curves_and_strong_rsa_are_accepted_and_no_others(void **state)
{
    (void)state;
    assert_true(is_accepted(curve("P-256")));
    assert_true(is_accepted(curve("P-384")));
    assert_true(is_accepted(curve("P-521")));
    assert_false(is_accepted(curve("secp256k1"))); /* as many bits */
    assert_false(is_accepted(curve("P-224")));
    assert_true(is_accepted(EVP_RSA_gen(2048)));
    assert_false(is_accepted(EVP_RSA_gen(1024)));
    assert_false(is_accepted(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")));
    assert_false(pem_is_accepted_key(NULL));
}

/* The right curve, told by its parameters: a peer could as well tell others. */
static void curve_given_by_parameters_is_not_accepted(void **state)
{
    (void)state;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
    EVP_PKEY *key = NULL;
    uint8_t *der = NULL;
    assert_int_equal(EVP_PKEY_keygen_init(context), 1);
    assert_int_equal(EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1), 1);
    assert_int_equal(EVP_PKEY_CTX_set_ec_param_enc(context, OPENSSL_EC_EXPLICIT_CURVE), 1);
    assert_int_equal(EVP_PKEY_keygen(context, &key), 1);
    int size = i2d_PUBKEY(key, &der);
    assert_true(size > 200); /* a named one has 91 */
    const uint8_t *at = der;
    assert_false(is_accepted(d2i_PUBKEY(NULL, &at, size)));
    OPENSSL_free(der);
    EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(context);
}

static void signatures_with_sha2_are_accepted(void **state)
{
    (void)state;
    assert_true(pem_is_accepted_signature(NID_ecdsa_with_SHA256));
    assert_true(pem_is_accepted_signature(NID_ecdsa_with_SHA512));
    assert_true(pem_is_accepted_signature(NID_sha384WithRSAEncryption));
    assert_false(pem_is_accepted_signature(NID_sha1WithRSAEncryption));
    assert_false(pem_is_accepted_signature(NID_ecdsa_with_SHA1));
    assert_false(pem_is_accepted_signature(NID_ED25519));
}

static void key_is_printed_in_both_forms_and_read_again(void **state)
{
    (void)state;
    cleanup_key EVP_PKEY *key = curve("P-256"), *again = NULL, *older = NULL;
    cleanup_buf struct buf modern = {.is_secret = true}, by_kind = {.is_secret = true};
    assert_ok(pem_print_key(key, &modern, err));
    assert_ok(pem_print_key_by_kind(key, &by_kind, err));
    assert_memory_equal(modern.data, "-----BEGIN PRIVATE KEY-----\n", 28);
    assert_memory_equal(by_kind.data, "-----BEGIN EC PRIVATE KEY-----\n", 31);
    assert_ok(pem_read_key(buf_bytes(&modern), &again, err));
    assert_ok(pem_read_key(buf_bytes(&by_kind), &older, err));
    assert_int_equal(EVP_PKEY_eq(key, again), 1);
    assert_int_equal(EVP_PKEY_eq(key, older), 1);
}

static void large_text_is_refused_unread(void **state)
{
    (void)state;
    cleanup_buf struct buf text = {0};
    EVP_PKEY *key;
    X509_REQ *request;
    STACK_OF(X509) * list;
    memset(buf_reserve(&text, CERTIFICATE_PEM_SIZE_BYTES + 1), 'x', CERTIFICATE_PEM_SIZE_BYTES + 1);
    text.size = CERTIFICATE_PEM_SIZE_BYTES + 1;
    assert_fails(pem_read_key(buf_bytes(&text), &key, err), ERR_CORRUPT, "larger than");
    assert_fails(pem_read_request(buf_bytes(&text), &request, err), ERR_CORRUPT, "larger than");
    assert_fails(pem_read_certificates(buf_bytes(&text), "it", &list, err), ERR_CORRUPT, "more than");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nist_curves_and_strong_rsa_are_accepted_and_no_others),
        cmocka_unit_test(curve_given_by_parameters_is_not_accepted),
        cmocka_unit_test(signatures_with_sha2_are_accepted),
        cmocka_unit_test(key_is_printed_in_both_forms_and_read_again),
        cmocka_unit_test(large_text_is_refused_unread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
