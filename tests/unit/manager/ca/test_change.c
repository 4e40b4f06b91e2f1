/* tests/unit/manager/ca/test_change.c – what becomes of a cluster's root when a spec is proposed. */
#include "manager/ca/change.h"

#include <openssl/x509v3.h>

#include "manager/ca/rotation.h"
#include "proto/identity/token.h"
#include "tests/unit/manager/ca/world.h"

struct proposal {
    struct ca_root root, other;
    cluster_message *cluster;
    spec_message *spec;
    struct ca_change *change;
    struct ca_change_question question;
    bool rotates_worker_token, rotates_manager_token;
};

static int set_up(void **state)
{
    struct proposal *proposal = mem_alloc(sizeof *proposal);
    proposal->root = root_at(now());
    proposal->other = root_at(now());
    proposal->cluster = cluster_of(&proposal->root);
    proposal->spec = MESSAGE_COPY(proposal->cluster->spec);
    *state = proposal;
    return 0;
}

static int tear_down(void **state)
{
    struct proposal *proposal = *state;
    ca_change_free(proposal->change);
    message_wipe_free(&proposal->cluster->base);
    message_wipe_free(&proposal->spec->base);
    ca_root_deinit(&proposal->root);
    ca_root_deinit(&proposal->other);
    free(proposal);
    return 0;
}

static void propose(struct proposal *proposal, const struct ca_root *root, bool with_key)
{
    Docker__Swarmkit__V1__CAConfig *config = proposal->spec->ca_config;
    message_set_bytes(&config->signing_ca_cert, buf_bytes(&root->cert_pem));
    message_set_bytes(&config->signing_ca_key, with_key ? buf_bytes(&root->key_pem) : bytes_of(NULL, 0));
}

static void propose_external(struct proposal *proposal, const char *url, const struct ca_root *root)
{
    Docker__Swarmkit__V1__CAConfig *config = proposal->spec->ca_config;
    Docker__Swarmkit__V1__ExternalCA *external = MESSAGE_NEW(Docker__Swarmkit__V1__ExternalCA, docker__swarmkit__v1__external_ca);
    message_set_string(&external->url, url);
    if (root)
        message_set_bytes(&external->ca_cert, buf_bytes(&root->cert_pem));
    config->external_cas = mem_resize(config->external_cas, (config->n_external_cas + 1) * sizeof(Docker__Swarmkit__V1__ExternalCA *));
    config->external_cas[config->n_external_cas++] = external;
}

/* A first step, or a next one. */
static int step(struct proposal *proposal, struct error *err)
{
    struct ca_change_options options = {.cluster = proposal->cluster,
                                        .spec = proposal->spec,
                                        .rotates_worker_token = proposal->rotates_worker_token,
                                        .rotates_manager_token = proposal->rotates_manager_token,
                                        .wall_ns = now(),
                                        .random = random_system()};
    if (!proposal->change)
        proposal->change = ca_change_new(&options);
    return ca_change_step(proposal->change, &proposal->question, err);
}

/* Steps to the end, which asks nothing; freed by the caller. */
static root_message *decided(struct proposal *proposal)
{
    assert_ok(step(proposal, err));
    assert_int_equal(proposal->question.want, CA_CHANGE_WANTS_NOTHING);
    root_message *next = ca_change_take(proposal->change);
    ca_change_free(steal(&proposal->change));
    assert_non_null(next);
    return next;
}

/* And the cluster has it from then on. */
static void adopt(struct proposal *proposal)
{
    root_message *next = decided(proposal);
    message_wipe_free(&proposal->cluster->root_ca->base);
    proposal->cluster->root_ca = next;
}

#define refused(proposal, code, message)                                                                                                   \
    do {                                                                                                                                   \
        assert_fails(step(proposal, err), code, message);                                                                                  \
        ca_change_free(steal(&(proposal)->change));                                                                                        \
    } while (0)

static bool is_pem(ProtobufCBinaryData field, const struct buf *pem)
{
    return bytes_equal(message_bytes(field), buf_bytes(pem));
}

static void assert_rotating_to(const root_message *root_ca, const struct ca_root *from, const struct ca_root *to)
{
    struct ca_signer *signer;
    assert_true(is_pem(root_ca->ca_cert, &from->cert_pem)); /* stays until the end */
    assert_non_null(root_ca->root_rotation);
    assert_true(is_pem(root_ca->root_rotation->ca_cert, &to->cert_pem));
    assert_true(is_pem(root_ca->root_rotation->ca_key, &to->key_pem));
    assert_ok(ca_signer_new(root_ca, &signer, err)); /* checks that the cross-signed one fits */
    ca_signer_free(signer);
}

static void spec_that_says_nothing_changes_nothing(void **state)
{
    struct proposal *proposal = *state;
    root_message *next = decided(proposal);
    assert_true(message_equal(&next->base, &proposal->cluster->root_ca->base));
    message_wipe_free(&next->base);
    start_rotation(proposal->cluster->root_ca, &proposal->other);
    message_free(&proposal->spec->ca_config->base);
    proposal->spec->ca_config = NULL;
    next = decided(proposal);
    assert_true(message_equal(&next->base, &proposal->cluster->root_ca->base));
    message_wipe_free(&next->base);
}

static void tokens_are_rotated_on_request(void **state)
{
    struct proposal *proposal = *state;
    const Docker__Swarmkit__V1__JoinTokens *before = proposal->cluster->root_ca->join_tokens;
    struct token token;
    start_rotation(proposal->cluster->root_ca, &proposal->other);
    proposal->rotates_worker_token = true;
    root_message *next = decided(proposal);
    assert_string_not_equal(next->join_tokens->worker, before->worker);
    assert_string_equal(next->join_tokens->manager, before->manager);
    assert_ok(token_parse(next->join_tokens->worker, &token, err));
    assert_ok(token_check_root(&token, buf_bytes(&proposal->root.cert_pem), err)); /* what a joining node is given is the old root still */
    assert_non_null(next->root_rotation);
    message_wipe_free(&next->base);
}

static void forced_rotation_leads_to_a_root_of_our_own(void **state)
{
    struct proposal *proposal = *state;
    proposal->spec->ca_config->force_rotate = 1;
    root_message *next = decided(proposal);
    assert_non_null(next->root_rotation);
    assert_int_equal(next->last_forced_rotation, 1);
    assert_ok(ca_root_check(message_bytes(next->root_rotation->ca_cert), message_bytes(next->root_rotation->ca_key), now(), err));
    assert_false(is_pem(next->root_rotation->ca_cert, &proposal->root.cert_pem));
    assert_string_equal(next->join_tokens->worker, proposal->cluster->root_ca->join_tokens->worker);
    assert_string_equal(next->ca_cert_hash, proposal->cluster->root_ca->ca_cert_hash);
    message_wipe_free(&proposal->cluster->root_ca->base);
    proposal->cluster->root_ca = next;
    root_message *same = decided(proposal); /* the same number again asks for nothing */
    assert_true(message_equal(&same->base, &next->base));
    message_wipe_free(&same->base);
}

static void forced_again_it_starts_over_from_the_old_root(void **state)
{
    struct proposal *proposal = *state;
    proposal->spec->ca_config->force_rotate = 1;
    adopt(proposal);
    proposal->spec->ca_config->force_rotate = 2;
    root_message *next = decided(proposal);
    assert_int_equal(next->last_forced_rotation, 2);
    assert_true(is_pem(next->ca_cert, &proposal->root.cert_pem));
    assert_false(message_equal(&next->root_rotation->base, &proposal->cluster->root_ca->root_rotation->base));
    struct ca_signer *signer;
    assert_ok(ca_signer_new(next, &signer, err));
    ca_signer_free(signer);
    message_wipe_free(&next->base);
}

static void certificate_and_key_of_another_root_start_a_rotation_to_it(void **state)
{
    struct proposal *proposal = *state;
    propose(proposal, &proposal->other, true);
    proposal->spec->ca_config->force_rotate = 4;
    adopt(proposal);
    assert_rotating_to(proposal->cluster->root_ca, &proposal->root, &proposal->other);
    assert_int_equal(proposal->cluster->root_ca->last_forced_rotation, 4);
    root_message *same = decided(proposal); /* the same spec again: it goes on as it is */
    assert_true(message_equal(&same->base, &proposal->cluster->root_ca->base));
    message_wipe_free(&same->base);
}

static void another_root_takes_the_place_of_one_under_way(void **state)
{
    struct proposal *proposal = *state;
    struct ca_root third = root_at(now());
    propose(proposal, &proposal->other, true);
    adopt(proposal);
    propose(proposal, &third, true);
    adopt(proposal);
    assert_rotating_to(proposal->cluster->root_ca, &proposal->root, &third);
    ca_root_deinit(&third);
}

static void present_root_cancels_the_rotation(void **state)
{
    struct proposal *proposal = *state;
    propose(proposal, &proposal->other, true);
    adopt(proposal);
    propose(proposal, &proposal->root, true);
    proposal->spec->ca_config->force_rotate = 9;
    adopt(proposal);
    assert_null(proposal->cluster->root_ca->root_rotation);
    assert_true(is_pem(proposal->cluster->root_ca->ca_key, &proposal->root.key_pem));
    assert_int_equal(proposal->cluster->root_ca->last_forced_rotation, 9);
    struct ca_rotation_look look;
    assert_ok(ca_rotation_look(proposal->cluster->root_ca, NULL, 0, &look, err));
    assert_false(look.is_rotating);
}

static void certificate_is_the_same_however_it_is_printed(void **state)
{
    struct proposal *proposal = *state;
    cleanup_buf struct buf untidy = {0};
    propose(proposal, &proposal->other, true);
    adopt(proposal);
    buf_append_string(&untidy, "our root:\n");
    buf_append(&untidy, proposal->root.cert_pem.data, proposal->root.cert_pem.size - 1);
    propose(proposal, &proposal->root, true);
    message_set_bytes(&proposal->spec->ca_config->signing_ca_cert, buf_bytes(&untidy));
    adopt(proposal);
    assert_null(proposal->cluster->root_ca->root_rotation);
    assert_true(is_pem(proposal->cluster->root_ca->ca_cert, &proposal->root.cert_pem));
}

/* A root with another life and subject, made for the key of the first. */
static struct ca_root root_with(struct bytes key_pem, int64_t to_ns)
{
    struct ca_root root = {.key_pem.is_secret = true};
    cleanup_key EVP_PKEY *key = NULL;
    cleanup_one X509 *one = X509_new();
    assert_ok(pem_read_key(key_pem, &key, err));
    X509_set_version(one, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(one), 7);
    ASN1_TIME_set(X509_getm_notBefore(one), (time_t)(now() / 1000000000) - 3600);
    ASN1_TIME_set(X509_getm_notAfter(one), (time_t)(to_ns / 1000000000));
    X509_NAME_add_entry_by_txt(X509_get_subject_name(one), "CN", MBSTRING_ASC, (const unsigned char *)"again", -1, -1, 0);
    X509_set_issuer_name(one, X509_get_subject_name(one));
    X509_set_pubkey(one, key);
    BASIC_CONSTRAINTS constraints = {.ca = 1};
    X509_add1_ext_i2d(one, NID_basic_constraints, &constraints, 1, X509V3_ADD_DEFAULT);
    assert_true(X509_sign(one, key, EVP_sha256()) > 0);
    pem_print_certificate(one, &root.cert_pem);
    buf_append(&root.key_pem, key_pem.data, key_pem.size);
    return root;
}

static void proposal_that_cannot_be_is_refused(void **state)
{
    struct proposal *proposal = *state;
    Docker__Swarmkit__V1__CAConfig *config = proposal->spec->ca_config;
    cleanup_buf struct buf key = {.is_secret = true}, both = {0};
    assert_ok(certificate_make_key(&key, err));
    struct ca_root same_key = root_with(buf_bytes(&proposal->root.key_pem), now() + 400 * DAY_NS),
                   short_lived = root_with(buf_bytes(&key), now() + 364 * DAY_NS),
                   enough = root_with(buf_bytes(&key), now() + 366 * DAY_NS);

    message_set_bytes(&config->signing_ca_key, buf_bytes(&proposal->other.key_pem));
    refused(proposal, ERR_INVALID, "if a signing CA key is provided, the signing CA cert must also be provided");
    message_set_bytes(&config->signing_ca_cert, bytes_of_string("hello"));
    refused(proposal, ERR_INVALID, "cannot be read");
    propose(proposal, &proposal->other, true);
    message_set_bytes(&config->signing_ca_key, buf_bytes(&proposal->root.key_pem));
    refused(proposal, ERR_INVALID, "does not belong");
    propose(proposal, &same_key, true);
    refused(proposal, ERR_INVALID, "Cannot update to a cert with an identical key");
    propose(proposal, &short_lived, true);
    refused(proposal, ERR_INVALID, "CA certificate expires too soon");
    buf_append(&both, proposal->other.cert_pem.data, proposal->other.cert_pem.size);
    buf_append(&both, proposal->root.cert_pem.data, proposal->root.cert_pem.size);
    propose(proposal, &proposal->other, true);
    message_set_bytes(&config->signing_ca_cert, buf_bytes(&both));
    refused(proposal, ERR_INVALID, "cannot contain multiple certificates");
    propose(proposal, &proposal->other, false);
    refused(proposal, ERR_INVALID, "there must be at least one valid, reachable external CA corresponding to the desired CA certificate");
    propose(proposal, &enough, true);
    config->node_cert_expiry->seconds = 60;
    refused(proposal, ERR_INVALID, "minimum certificate expiry time is: 1h0m0s");
    config->node_cert_expiry->seconds = 3600;
    adopt(proposal);
    assert_rotating_to(proposal->cluster->root_ca, &proposal->root, &enough);
    ca_root_deinit(&same_key);
    ca_root_deinit(&short_lived);
    ca_root_deinit(&enough);
}

/* ---- external CAs ---- */

static void external_ca_of_another_root_has_to_be_reached(void **state)
{
    struct proposal *proposal = *state;
    propose(proposal, &proposal->other, false);
    propose_external(proposal, "https://old", NULL);
    propose_external(proposal, "https://new/sign", &proposal->other);
    assert_ok(step(proposal, err));
    assert_int_equal(proposal->question.want, CA_CHANGE_WANTS_REACH);
    assert_int_equal(proposal->question.url_count, 1);
    assert_string_equal(proposal->question.urls[0], "https://new/sign");
    assert_true(bytes_equal(proposal->question.roots_pem, buf_bytes(&proposal->other.cert_pem)));
    ca_change_reached(proposal->change, true);
    adopt(proposal);
    const root_message *root_ca = proposal->cluster->root_ca;
    assert_true(is_pem(root_ca->root_rotation->ca_cert, &proposal->other.cert_pem));
    assert_int_equal(root_ca->root_rotation->ca_key.len, 0);
    assert_int_not_equal(root_ca->root_rotation->cross_signed_ca_cert.len, 0);
    assert_false(ca_state_has_key(root_ca));

    message_set_bytes(&proposal->spec->ca_config->signing_ca_cert, bytes_of(NULL, 0)); /* later, something else of the spec changes */
    assert_ok(step(proposal, err));
    assert_int_equal(proposal->question.want, CA_CHANGE_WANTS_REACH);
    ca_change_reached(proposal->change, false);
    refused(proposal, ERR_INVALID, "corresponding to the next CA certificate");
}

static void external_ca_that_is_not_reached_is_refused(void **state)
{
    struct proposal *proposal = *state;
    propose(proposal, &proposal->other, false);
    propose_external(proposal, "https://new", &proposal->other);
    assert_ok(step(proposal, err));
    ca_change_reached(proposal->change, false);
    refused(proposal, ERR_INVALID, "corresponding to the desired CA certificate");
}

/* The cluster keeps its root, and gives its key away. */
static void signing_goes_over_to_an_external_ca_and_back(void **state)
{
    struct proposal *proposal = *state;
    propose(proposal, &proposal->root, false);
    propose_external(proposal, "https://ca", NULL);
    assert_ok(step(proposal, err));
    assert_int_equal(proposal->question.want, CA_CHANGE_WANTS_REACH);
    ca_change_reached(proposal->change, true);
    adopt(proposal);
    assert_int_equal(proposal->cluster->root_ca->ca_key.len, 0);
    assert_null(proposal->cluster->root_ca->root_rotation);

    proposal->spec->ca_config->n_external_cas = 0; /* not without one: nobody could sign */
    refused(proposal, ERR_INVALID, "corresponding to the current CA certificate");
    proposal->spec->ca_config->n_external_cas = 1;
    propose(proposal, &proposal->root, true);
    adopt(proposal);
    assert_true(is_pem(proposal->cluster->root_ca->ca_key, &proposal->root.key_pem));
}

static void without_a_key_the_old_external_ca_signs_the_new_root(void **state)
{
    struct proposal *proposal = *state;
    cleanup_buf struct buf crossed = {0};
    message_set_bytes(&proposal->cluster->root_ca->ca_key, bytes_of(NULL, 0));
    propose(proposal, &proposal->other, true);
    refused(proposal, ERR_INVALID, "corresponding to the current CA certificate");
    propose_external(proposal, "https://old", NULL);
    assert_ok(step(proposal, err));
    assert_int_equal(proposal->question.want, CA_CHANGE_WANTS_REACH);
    assert_true(bytes_equal(proposal->question.roots_pem, buf_bytes(&proposal->root.cert_pem)));
    ca_change_reached(proposal->change, true);
    assert_ok(step(proposal, err));
    assert_int_equal(proposal->question.want, CA_CHANGE_WANTS_CROSS_SIGN);
    assert_string_equal(proposal->question.urls[0], "https://old");
    assert_non_null(strstr(proposal->question.body, "\"profile\":\"CA\""));
    assert_ok(ca_cross_sign(buf_bytes(&proposal->root.cert_pem), buf_bytes(&proposal->root.key_pem), buf_bytes(&proposal->other.cert_pem),
                            &crossed, err));
    ca_change_cross_signed(proposal->change, buf_bytes(&crossed));
    adopt(proposal);
    assert_rotating_to(proposal->cluster->root_ca, &proposal->root, &proposal->other);
}

static void root_made_by_force_is_the_one_that_was_signed(void **state)
{
    struct proposal *proposal = *state;
    message_set_bytes(&proposal->cluster->root_ca->ca_key, bytes_of(NULL, 0));
    propose_external(proposal, "https://old", NULL);
    proposal->spec->ca_config->force_rotate = 1;
    assert_ok(step(proposal, err));
    ca_change_reached(proposal->change, true);
    assert_ok(step(proposal, err));
    cleanup_free char *body = mem_string(proposal->question.body);
    assert_ok(step(proposal, err)); /* asked again, it asks for the same key */
    assert_int_equal(proposal->question.want, CA_CHANGE_WANTS_CROSS_SIGN);
    char *first = strstr(body, "\"certificate_request\":\""), *second = strstr(proposal->question.body, "\"certificate_request\":\"");
    assert_memory_equal(first + 80, second + 80,
                        120); /* behind the length of the whole, up to the signature: it is new and of any length */
    ca_change_cross_signed(proposal->change, bytes_of(NULL, 0));
    refused(proposal, ERR_UNAVAILABLE, "no external CA of the current CA certificate signed");
}

/* The external CA gave a certificate, but not one that leads from the new root to the old one. */
static void wrong_cross_signature_is_refused(void **state)
{
    struct proposal *proposal = *state;
    struct ca_root third = root_at(now());
    cleanup_buf struct buf crossed = {0};
    message_set_bytes(&proposal->cluster->root_ca->ca_key, bytes_of(NULL, 0));
    propose(proposal, &proposal->other, true);
    propose_external(proposal, "https://old", NULL);
    assert_ok(step(proposal, err));
    ca_change_reached(proposal->change, true);
    assert_ok(step(proposal, err));
    assert_ok(ca_cross_sign(buf_bytes(&third.cert_pem), buf_bytes(&third.key_pem), buf_bytes(&proposal->other.cert_pem), &crossed, err));
    ca_change_cross_signed(proposal->change, buf_bytes(&crossed));
    refused(proposal, ERR_CORRUPT, "not the new one signed by the old one");
    ca_root_deinit(&third);
}

static void two_external_cas_cannot_follow_each_other(void **state)
{
    struct proposal *proposal = *state;
    message_set_bytes(&proposal->cluster->root_ca->ca_key, bytes_of(NULL, 0));
    propose(proposal, &proposal->other, false);
    propose_external(proposal, "https://old", NULL);
    propose_external(proposal, "https://new", &proposal->other);
    for (int i = 0; i < 2; i++) {
        assert_ok(step(proposal, err));
        assert_int_equal(proposal->question.want, CA_CHANGE_WANTS_REACH);
        ca_change_reached(proposal->change, true);
    }
    refused(proposal, ERR_INVALID, "rotating from one external CA to a different external CA is not supported");
}

static void cluster_without_a_root_is_told(void **state)
{
    struct proposal *proposal = *state;
    message_set_bytes(&proposal->cluster->root_ca->ca_cert, bytes_of(NULL, 0));
    refused(proposal, ERR_CORRUPT, "no root CA");
    message_set_bytes(&proposal->cluster->root_ca->ca_cert, bytes_of_string("x"));
    proposal->spec->ca_config->force_rotate = 1;
    refused(proposal, ERR_CORRUPT, "cannot be read");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(spec_that_says_nothing_changes_nothing),
        TEST(tokens_are_rotated_on_request),
        TEST(forced_rotation_leads_to_a_root_of_our_own),
        TEST(forced_again_it_starts_over_from_the_old_root),
        TEST(certificate_and_key_of_another_root_start_a_rotation_to_it),
        TEST(another_root_takes_the_place_of_one_under_way),
        TEST(present_root_cancels_the_rotation),
        TEST(certificate_is_the_same_however_it_is_printed),
        TEST(proposal_that_cannot_be_is_refused),
        TEST(external_ca_of_another_root_has_to_be_reached),
        TEST(external_ca_that_is_not_reached_is_refused),
        TEST(signing_goes_over_to_an_external_ca_and_back),
        TEST(without_a_key_the_old_external_ca_signs_the_new_root),
        TEST(root_made_by_force_is_the_one_that_was_signed),
        TEST(wrong_cross_signature_is_refused),
        TEST(two_external_cas_cannot_follow_each_other),
        TEST(cluster_without_a_root_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
