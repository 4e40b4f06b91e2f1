#include "proto/identity/certificate.h"

#include "base/mem.h"
#include "proto/identity/keyfile.h"
#include "tests/unit/proto/identity/authority.h"
#include "tests/unit/proto/identity/fixture.h"

static void made_key_fits_its_request(void **state)
{
    (void)state;
    cleanup_buf struct buf key = {0}, other = {0}, request = {0};
    assert_ok(certificate_make_key(&key, err));
    assert_ok(certificate_make_key(&other, err));
    assert_ok(certificate_make_request(buf_bytes(&key), &request, err));
    assert_non_null(strstr((char *)request.data, "-----BEGIN CERTIFICATE REQUEST-----\n"));
    assert_ok(certificate_match_request(buf_bytes(&request), buf_bytes(&key), err));
    assert_fails(certificate_match_request(buf_bytes(&request), buf_bytes(&other), err), ERR_CORRUPT, "does not belong");
}

static void docker_certificate_is_read(void **state)
{
    (void)state;
    cleanup_buf struct buf chain = {0}, root = {0};
    struct certificate certificate;
    assert_ok(certificate_read(fixture(&chain, "manager-1.crt"), fixture(&root, "root-1.crt"), &certificate, err));
    assert_string_equal(certificate.node_id, "kgmu1dnkmmk8z0n6r4z5hnpwp");
    assert_string_equal(certificate.cluster_id, "hh4jcmkazo02vahczy0zexnzn");
    assert_int_equal(certificate.role, CERTIFICATE_MANAGER);
    assert_string_equal(certificate_role_text(certificate.role), "manager");
    assert_true(certificate.not_after_wall_ns - certificate.not_before_wall_ns == (int64_t)(90 * 24 + 1) * 3600 * 1000000000);
    /* SEQUENCE { SET { SEQUENCE { OID 2.5.4.3, "swarm-ca" } } } */
    static const char subject[] = "\x30\x13\x31\x11\x30\x0f\x06\x03\x55\x04\x03\x13\x08swarm-ca";
    assert_int_equal(certificate.issuer_subject_der.size, sizeof subject - 1);
    assert_memory_equal(certificate.issuer_subject_der.data, subject, sizeof subject - 1);
    assert_int_equal(certificate.issuer_public_key_der.size, 91);
    certificate_deinit(&certificate);
}

/* During a rotation the issuer to report is the new root, which comes as an intermediate. */
static void issuer_of_a_cross_signed_chain_is_the_new_root(void **state)
{
    (void)state;
    cleanup_buf struct buf chain = {0}, old = {0}, new = {0};
    struct certificate by_old, by_new;
    fixture(&chain, "manager-2.crt");
    assert_ok(certificate_read(buf_bytes(&chain), fixture(&old, "root-1.crt"), &by_old, err));
    assert_ok(certificate_read(buf_bytes(&chain), fixture(&new, "root-2.crt"), &by_new, err));
    assert_int_equal(by_old.issuer_public_key_der.size, by_new.issuer_public_key_der.size);
    assert_memory_equal(by_old.issuer_public_key_der.data, by_new.issuer_public_key_der.data, by_old.issuer_public_key_der.size);
    certificate_deinit(&by_old);
    certificate_deinit(&by_new);
}

static enum certificate_flaw judge(const char *chain_name, const char *root_name, const char *at)
{
    cleanup_buf struct buf chain = {0}, root = {0};
    enum certificate_flaw flaw = CERTIFICATE_BROKEN;
    struct error err = {0};
    int result = certificate_verify(fixture(&chain, chain_name), fixture(&root, root_name), instant(at), &flaw, &err);
    assert_int_equal(result == 0, flaw == CERTIFICATE_SOUND);
    return flaw;
}

static void rotated_chain_holds_under_both_roots(void **state)
{
    (void)state;
    assert_int_equal(judge("manager-1.crt", "root-1.crt", FIXTURE_TIME), CERTIFICATE_SOUND);
    assert_int_equal(judge("manager-2.crt", "root-1.crt", FIXTURE_TIME), CERTIFICATE_SOUND);
    assert_int_equal(judge("manager-2.crt", "root-2.crt", FIXTURE_TIME), CERTIFICATE_SOUND);
    assert_int_equal(judge("manager-1.crt", "root-2.crt", FIXTURE_TIME), CERTIFICATE_UNKNOWN_AUTHORITY);
}

static void clock_outside_the_validity_is_told_apart(void **state)
{
    (void)state;
    assert_int_equal(judge("manager-1.crt", "root-1.crt", "2027-02-22T00:00:00Z"), CERTIFICATE_EXPIRED);
    assert_int_equal(judge("manager-1.crt", "root-1.crt", "2026-11-23T21:00:00Z"), CERTIFICATE_NOT_YET_VALID);
    assert_int_equal(judge("manager-2.crt", "root-1.crt", "2027-02-22T00:00:00Z"), CERTIFICATE_EXPIRED);
    cleanup_buf struct buf chain = {0}, root = {0};
    fixture(&chain, "manager-1.crt");
    fixture(&root, "root-1.crt");
    assert_fails(certificate_verify(buf_bytes(&chain), buf_bytes(&root), instant("2026-11-20T21:00:00Z"), NULL, err), ERR_TRUST,
                 "our clock says 2026-11-20T21:00:00Z");
    assert_fails(certificate_check_roots(buf_bytes(&root), instant("2026-11-20T21:00:00Z"), NULL, err), ERR_TRUST,
                 "the root CA is not valid yet");
}

static void root_bundle_is_checked(void **state)
{
    (void)state;
    cleanup_buf struct buf both = {0}, leaf = {0}, none = {0}, many = {0};
    fixture(&both, "root-1.crt");
    fixture(&both, "root-2.crt");
    assert_ok(certificate_check_roots(buf_bytes(&both), instant(FIXTURE_TIME), NULL, err));
    assert_fails(certificate_check_roots(fixture(&leaf, "manager-1.crt"), instant(FIXTURE_TIME), NULL, err), ERR_CORRUPT,
                 "not signed by itself");
    assert_fails(certificate_check_roots(buf_bytes(&none), instant(FIXTURE_TIME), NULL, err), ERR_CORRUPT, "cannot be read");
    for (int i = 0; i <= CERTIFICATE_CHAIN_COUNT; i++)
        fixture(&many, "root-1.crt");
    assert_fails(certificate_check_roots(buf_bytes(&many), instant(FIXTURE_TIME), NULL, err), ERR_CORRUPT, "more than");
    both.size -= 40;
    assert_fails(certificate_check_roots(buf_bytes(&both), instant(FIXTURE_TIME), NULL, err), ERR_CORRUPT, "cannot be read");
}

static void either_root_of_a_bundle_will_do(void **state)
{
    (void)state;
    cleanup_buf struct buf chain = {0}, both = {0};
    fixture(&both, "root-2.crt");
    fixture(&both, "root-1.crt");
    assert_ok(certificate_verify(fixture(&chain, "manager-1.crt"), buf_bytes(&both), instant(FIXTURE_TIME), NULL, err));
}

/* What a peer could send to be trusted: an authority of its own under the cluster's name. */
static void foreign_cross_signature_is_not_trusted(void **state)
{
    (void)state;
    struct authority mine, other;
    authority_init(&mine, instant("2026-01-01T00:00:00Z"));
    authority_init(&other, instant("2026-01-01T00:00:00Z"));
    cleanup_buf struct buf key = {0}, request = {0}, chain = {0};
    assert_ok(certificate_make_key(&key, err));
    assert_ok(certificate_make_request(buf_bytes(&key), &request, err));
    authority_issue(&other, buf_bytes(&request), "node", "swarm-worker", "cluster", instant("2026-11-01T00:00:00Z"), 90 * 24 * 3600,
                    &chain);
    enum certificate_flaw flaw;
    assert_ok(certificate_verify(buf_bytes(&chain), buf_bytes(&other.root_pem), instant(FIXTURE_TIME), &flaw, err));
    assert_fails(certificate_verify(buf_bytes(&chain), buf_bytes(&mine.root_pem), instant(FIXTURE_TIME), &flaw, err), ERR_TRUST,
                 "authority");
    assert_int_equal(flaw, CERTIFICATE_UNKNOWN_AUTHORITY);
    buf_append(&chain, other.root_pem.data, other.root_pem.size);
    assert_fails(certificate_verify(buf_bytes(&chain), buf_bytes(&mine.root_pem), instant(FIXTURE_TIME), &flaw, err), ERR_TRUST,
                 "authority");
    authority_cross_sign(&mine, &other, &chain);
    assert_ok(certificate_verify(buf_bytes(&chain), buf_bytes(&mine.root_pem), instant(FIXTURE_TIME), &flaw, err));
    authority_deinit(&mine);
    authority_deinit(&other);
}

static void certificate_without_a_role_or_id_is_refused(void **state)
{
    (void)state;
    struct authority mine;
    authority_init(&mine, instant("2026-01-01T00:00:00Z"));
    cleanup_buf struct buf key = {0}, request = {0};
    assert_ok(certificate_make_key(&key, err));
    assert_ok(certificate_make_request(buf_bytes(&key), &request, err));
    static const struct {
        const char *node, *role, *cluster, *message;
    } cases[] = {{"node", "boss", "c", "role"},
                 {"", "swarm-worker", "c", "no node"},
                 {"n", "swarm-worker", "", "no cluster"},
                 {"a b", "swarm-worker", "c", "no node"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cleanup_buf struct buf chain = {0};
        struct certificate certificate;
        authority_issue(&mine, buf_bytes(&request), cases[i].node, cases[i].role, cases[i].cluster, instant("2026-11-01T00:00:00Z"), 3600,
                        &chain);
        assert_fails(certificate_read(buf_bytes(&chain), buf_bytes(&mine.root_pem), &certificate, err), ERR_CORRUPT, cases[i].message);
    }
    authority_deinit(&mine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_key_fits_its_request),
        cmocka_unit_test(docker_certificate_is_read),
        cmocka_unit_test(issuer_of_a_cross_signed_chain_is_the_new_root),
        cmocka_unit_test(rotated_chain_holds_under_both_roots),
        cmocka_unit_test(clock_outside_the_validity_is_told_apart),
        cmocka_unit_test(root_bundle_is_checked),
        cmocka_unit_test(either_root_of_a_bundle_will_do),
        cmocka_unit_test(foreign_cross_signature_is_not_trusted),
        cmocka_unit_test(certificate_without_a_role_or_id_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
