/* tests/unit/manager/ca/test_root.c */
#include "manager/ca/root.h"

#include <openssl/x509v3.h>

#include "tests/unit/manager/ca/world.h"

/* Extension by extension, in order: what is not a key's fingerprint has the same bytes as dockerd's. */
static void made_root_has_the_fields_of_docker_s(void **state)
{
    (void)state;
    cleanup_buf struct buf theirs_pem = {0};
    struct ca_root root = root_at(now());
    cleanup_one X509 *ours = first_of(buf_bytes(&root.cert_pem)), *theirs = first_of(fixture(&theirs_pem, "root-1.crt"));
    assert_int_equal(X509_get_version(ours), X509_get_version(theirs));
    assert_int_equal(X509_NAME_cmp(X509_get_subject_name(ours), X509_get_subject_name(theirs)), 0);
    assert_int_equal(X509_get_signature_nid(ours), X509_get_signature_nid(theirs));
    assert_int_equal(X509_get_ext_count(ours), X509_get_ext_count(theirs));
    for (int i = 0; i < X509_get_ext_count(ours); i++) {
        X509_EXTENSION *our = X509_get_ext(ours, i), *their = X509_get_ext(theirs, i);
        int nid = OBJ_obj2nid(X509_EXTENSION_get_object(our));
        assert_int_equal(nid, OBJ_obj2nid(X509_EXTENSION_get_object(their)));
        assert_int_equal(X509_EXTENSION_get_critical(our), X509_EXTENSION_get_critical(their));
        if (nid != NID_subject_key_identifier)
            assert_int_equal(ASN1_OCTET_STRING_cmp(X509_EXTENSION_get_data(our), X509_EXTENSION_get_data(their)), 0);
    }
    cleanup_buf struct buf our_subject = {0}, their_subject = {0}, our_key = {0}, their_key = {0};
    assert_ok(ca_root_issuer(buf_bytes(&root.cert_pem), &our_subject, &our_key, err));
    assert_ok(ca_root_issuer(buf_bytes(&theirs_pem), &their_subject, &their_key, err));
    assert_true(bytes_equal(buf_bytes(&our_subject), buf_bytes(&their_subject)));
    assert_int_equal(our_key.size, their_key.size);
    assert_int_equal(memcmp(root.key_pem.data, "-----BEGIN EC PRIVATE KEY-----\n", 31), 0);
    ca_root_deinit(&root);
}

static void made_root_is_good_for_twenty_years_from_five_minutes_ago(void **state)
{
    (void)state;
    struct ca_root root = root_at(instant("2026-12-01T00:00:20Z"));
    struct bytes pem = buf_bytes(&root.cert_pem);
    assert_ok(ca_root_check(pem, buf_bytes(&root.key_pem), instant("2026-11-30T23:55:00Z"), err));
    assert_ok(ca_root_check(pem, buf_bytes(&root.key_pem), instant("2046-11-25T23:54:59Z"), err));
    assert_fails(ca_root_check(pem, buf_bytes(&root.key_pem), instant("2026-11-30T23:54:58Z"), err), ERR_TRUST, "not valid yet");
    assert_fails(ca_root_check(pem, buf_bytes(&root.key_pem), instant("2046-11-26T00:00:00Z"), err), ERR_TRUST, "expired");
    ca_root_deinit(&root);
}

static void two_roots_have_different_keys_and_serials(void **state)
{
    (void)state;
    struct ca_root a = root_at(now()), b = root_at(now());
    cleanup_one X509 *one = first_of(buf_bytes(&a.cert_pem)), *other = first_of(buf_bytes(&b.cert_pem));
    assert_int_not_equal(ASN1_INTEGER_cmp(X509_get_serialNumber(one), X509_get_serialNumber(other)), 0);
    assert_int_equal(ASN1_STRING_length(X509_get_serialNumber(one)), 20);
    assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(one), X509_get0_pubkey(other)), 0);
    assert_fails(ca_root_check(buf_bytes(&a.cert_pem), buf_bytes(&b.key_pem), now(), err), ERR_CORRUPT, "does not belong");
    ca_root_deinit(&a);
    ca_root_deinit(&b);
}

static void taken_root_is_printed_anew(void **state)
{
    (void)state;
    struct ca_root root = root_at(now()), taken;
    cleanup_buf struct buf untidy = {0}, windows = {0};
    buf_append_string(&untidy, "what follows is our CA\n\n  \n");
    buf_append(&untidy, root.cert_pem.data, root.cert_pem.size - 1);
    assert_ok(ca_root_take(buf_bytes(&untidy), buf_bytes(&root.key_pem), now(), &taken, err));
    assert_true(bytes_equal(buf_bytes(&taken.cert_pem), buf_bytes(&root.cert_pem)));
    assert_true(bytes_equal(buf_bytes(&taken.key_pem), buf_bytes(&root.key_pem)));
    ca_root_deinit(&taken);
    for (size_t i = 0; i < root.cert_pem.size; i++)
        buf_append(&windows, root.cert_pem.data[i] == '\n' ? "\r\n" : (char *)&root.cert_pem.data[i],
                   root.cert_pem.data[i] == '\n' ? 2 : 1);
    assert_ok(ca_root_take(buf_bytes(&windows), bytes_of(NULL, 0), now(), &taken, err));
    assert_true(bytes_equal(buf_bytes(&taken.cert_pem), buf_bytes(&root.cert_pem)));
    assert_int_equal(taken.key_pem.size, 0);
    assert_true(ca_root_equal(buf_bytes(&windows), buf_bytes(&untidy)));
    ca_root_deinit(&taken);
    ca_root_deinit(&root);
}

/* Text that others hash, byte for byte: what dockerd wrote is the form that we print. */
static void docker_root_is_in_that_form_already(void **state)
{
    (void)state;
    cleanup_buf struct buf theirs = {0}, printed = {0}, other = {0};
    char hash[CA_HASH_SIZE_CHARS + 1];
    fixture(&theirs, "root-1.crt");
    assert_ok(ca_root_normalise(buf_bytes(&theirs), &printed, err));
    assert_true(bytes_equal(buf_bytes(&printed), buf_bytes(&theirs)));
    assert_false(ca_root_equal(buf_bytes(&theirs), fixture(&other, "root-2.crt")));
    ca_root_hash(bytes_of_string("abc"), hash);
    assert_string_equal(hash, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void root_that_is_none_is_refused(void **state)
{
    (void)state;
    struct ca_root root = root_at(now()), other = root_at(now()), taken;
    cleanup_buf struct buf leaf = {0};
    static const char encrypted[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    struct bytes pem = buf_bytes(&root.cert_pem), none = bytes_of(NULL, 0);
    assert_fails(ca_root_take(none, none, now(), &taken, err), ERR_INVALID, "cannot be read");
    assert_fails(ca_root_take(bytes_of_string("hello"), none, now(), &taken, err), ERR_INVALID, "cannot be read");
    assert_fails(ca_root_take(fixture(&leaf, "manager-1.crt"), none, now(), &taken, err), ERR_INVALID, "not signed by itself");
    assert_fails(ca_root_take(pem, buf_bytes(&other.key_pem), now(), &taken, err), ERR_INVALID, "does not belong");
    assert_fails(ca_root_take(pem, bytes_of_string("key"), now(), &taken, err), ERR_INVALID, "cannot be read");
    assert_fails(ca_root_take(pem, bytes_of_string(encrypted), now(), &taken, err), ERR_INVALID, "encrypted");
    assert_fails(ca_root_take(pem, none, now() + 21 * 366 * DAY_NS, &taken, err), ERR_INVALID, "expired");
    assert_int_equal(taken.cert_pem.size, 0);
    ca_root_deinit(&root);
    ca_root_deinit(&other);
}

/* Takes @key. */
static struct buf self_signed(EVP_PKEY *key, const EVP_MD *digest)
{
    struct buf pem = {0};
    cleanup_one X509 *one = X509_new();
    X509_set_version(one, X509_VERSION_3);
    ASN1_TIME_set(X509_getm_notBefore(one), (time_t)(now() / 1000000000) - 3600);
    ASN1_TIME_set(X509_getm_notAfter(one), (time_t)(now() / 1000000000) + 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(one), "CN", MBSTRING_ASC, (const unsigned char *)"mine", -1, -1, 0);
    X509_set_issuer_name(one, X509_get_subject_name(one));
    X509_set_pubkey(one, key);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
    X509_add_ext(one, extension, -1);
    X509_EXTENSION_free(extension);
    assert_true(X509_sign(one, key, digest) > 0);
    pem_print_certificate(one, &pem);
    EVP_PKEY_free(key);
    return pem;
}

static void only_accepted_algorithms_are_taken(void **state)
{
    (void)state;
    struct {
        EVP_PKEY *key;
        const EVP_MD *digest;
        bool is_accepted;
    } cases[] = {
        {EVP_EC_gen("P-384"), EVP_sha384(), true},
        {EVP_EC_gen("P-521"), EVP_sha512(), true},
        {EVP_RSA_gen(2048), EVP_sha256(), true},
        {EVP_EC_gen("secp256k1"), EVP_sha256(), false},
        {EVP_RSA_gen(1024), EVP_sha256(), false},
        {EVP_EC_gen("P-256"), EVP_sha1(), false},
        {EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cleanup_buf struct buf pem = self_signed(cases[i].key, cases[i].digest);
        struct ca_root taken;
        struct error err = {0};
        assert_int_equal(ca_root_take(buf_bytes(&pem), bytes_of(NULL, 0), now(), &taken, &err), cases[i].is_accepted ? 0 : ERR_INVALID);
        if (!cases[i].is_accepted)
            assert_non_null(strstr(err.message, "not accepted"));
        ca_root_deinit(&taken);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_root_has_the_fields_of_docker_s),
        cmocka_unit_test(made_root_is_good_for_twenty_years_from_five_minutes_ago),
        cmocka_unit_test(two_roots_have_different_keys_and_serials),
        cmocka_unit_test(taken_root_is_printed_anew),
        cmocka_unit_test(docker_root_is_in_that_form_already),
        cmocka_unit_test(root_that_is_none_is_refused),
        cmocka_unit_test(only_accepted_algorithms_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
