/* tests/unit/manager/ca/world.h – a cluster in small with a CA of its own, its nodes and their requests. */
#ifndef SKEP_TESTS_UNIT_MANAGER_CA_WORLD_H
#define SKEP_TESTS_UNIT_MANAGER_CA_WORLD_H

#include <openssl/x509_vfy.h>

#include "base/mem.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "manager/ca/config.h"
#include "manager/ca/root.h"
#include "manager/ca/sign.h"
#include "manager/ca/state.h"
#include "proto/identity/certificate.h"
#include "proto/identity/pem.h"
#include "proto/message.h"
#include "proto/swarmkit/objects.pb-c.h"
#include "tests/unit/proto/identity/fixture.h"

#define CLUSTER_ID "hh4jcmkazo02vahczy0zexnzn"
#define NODE_ID    "kgmu1dnkmmk8z0n6r4z5hnpwp"
#define HOUR_NS    INT64_C(3600000000000)
#define DAY_NS     (24 * HOUR_NS)

typedef Docker__Swarmkit__V1__Cluster cluster_message;
typedef Docker__Swarmkit__V1__ClusterSpec spec_message;
typedef Docker__Swarmkit__V1__Node node_message;
typedef Docker__Swarmkit__V1__RootCA root_message;

#define STATE(name) DOCKER__SWARMKIT__V1__ISSUANCE_STATUS__STATE__##name

static inline int64_t now(void)
{
    return instant(FIXTURE_TIME);
}

/* The same secrets in each run; each call begins anew, so one per test. */
static inline struct random chance(void)
{
    static struct random_seeded state;
    random_seeded_init(&state, 1);
    return random_from_seeded(&state);
}

static inline struct ca_root root_at(int64_t wall_ns)
{
    struct ca_root root;
    struct random random = random_system();
    assert_ok(ca_root_make(&random, wall_ns, &root, err));
    return root;
}

/* With the tokens of @root, and a spec with an empty CAConfig. Freed with message_free(). */
static inline cluster_message *cluster_of(const struct ca_root *root)
{
    struct random random = chance();
    cluster_message *cluster = MESSAGE_NEW(cluster_message, docker__swarmkit__v1__cluster);
    message_set_string(&cluster->id, CLUSTER_ID);
    cluster->spec = MESSAGE_NEW(spec_message, docker__swarmkit__v1__cluster_spec);
    cluster->spec->ca_config = ca_config_new();
    cluster->root_ca = ca_state_new(root, false, 0, &random);
    return cluster;
}

/* Put a rotation to @next into @root_ca, whose key signs it. */
static inline void start_rotation(root_message *root_ca, const struct ca_root *next)
{
    cleanup_buf struct buf crossed = {0};
    Docker__Swarmkit__V1__RootRotation *rotation = MESSAGE_NEW(Docker__Swarmkit__V1__RootRotation, docker__swarmkit__v1__root_rotation);
    assert_ok(ca_cross_sign(message_bytes(root_ca->ca_cert), message_bytes(root_ca->ca_key), buf_bytes(&next->cert_pem), &crossed, err));
    message_set_bytes(&rotation->ca_cert, buf_bytes(&next->cert_pem));
    message_set_bytes(&rotation->ca_key, buf_bytes(&next->key_pem));
    message_set_bytes(&rotation->cross_signed_ca_cert, buf_bytes(&crossed));
    root_ca->root_rotation = rotation;
}

/* A node's key and its request. */
struct applicant {
    struct buf key_pem, request_pem;
};

static inline struct applicant applicant_new(void)
{
    struct applicant applicant = {{0}, {0}};
    assert_ok(certificate_make_key(&applicant.key_pem, err));
    assert_ok(certificate_make_request(buf_bytes(&applicant.key_pem), &applicant.request_pem, err));
    return applicant;
}

static inline void applicant_deinit(struct applicant *applicant)
{
    buf_deinit(&applicant->key_pem);
    buf_deinit(&applicant->request_pem);
}

/* A worker whose certificate is in @state and came from @issuer (NULL: it never said). */
static inline node_message *node_in(Docker__Swarmkit__V1__IssuanceStatus__State state, const struct ca_root *issuer)
{
    node_message *node = MESSAGE_NEW(node_message, docker__swarmkit__v1__node);
    message_set_string(&node->id, NODE_ID);
    node->spec = MESSAGE_NEW(Docker__Swarmkit__V1__NodeSpec, docker__swarmkit__v1__node_spec);
    node->spec->membership = DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__ACCEPTED;
    node->certificate = MESSAGE_NEW(Docker__Swarmkit__V1__Certificate, docker__swarmkit__v1__certificate);
    node->certificate->status = MESSAGE_NEW(Docker__Swarmkit__V1__IssuanceStatus, docker__swarmkit__v1__issuance_status);
    node->certificate->status->state = state;
    message_set_string(&node->certificate->cn, NODE_ID);
    if (!issuer)
        return node;
    cleanup_buf struct buf subject = {0}, key = {0};
    node->description = MESSAGE_NEW(Docker__Swarmkit__V1__NodeDescription, docker__swarmkit__v1__node_description);
    node->description->tls_info = MESSAGE_NEW(Docker__Swarmkit__V1__NodeTLSInfo, docker__swarmkit__v1__node_tlsinfo);
    assert_ok(ca_root_issuer(buf_bytes(&issuer->cert_pem), &subject, &key, err));
    message_set_bytes(&node->description->tls_info->cert_issuer_subject, buf_bytes(&subject));
    message_set_bytes(&node->description->tls_info->cert_issuer_public_key, buf_bytes(&key));
    return node;
}

/* As `openssl verify -x509_strict -untrusted CHAIN -CAfile ROOTS CHAIN` judges, without any rule of ours: X509_V_OK or its number. */
static inline int openssl_verdict(struct bytes chain_pem, struct bytes roots_pem)
{
    cleanup_certificates STACK_OF(X509) *chain = NULL;
    cleanup_certificates STACK_OF(X509) *roots = NULL;
    assert_ok(pem_read_certificates(chain_pem, "chain", &chain, err));
    assert_ok(pem_read_certificates(roots_pem, "roots", &roots, err));
    X509_STORE *store = X509_STORE_new();
    for (int i = 0; i < sk_X509_num(roots); i++)
        X509_STORE_add_cert(store, sk_X509_value(roots, i));
    X509_STORE_set_flags(store, X509_V_FLAG_X509_STRICT);
    X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), (time_t)(now() / 1000000000));
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509_STORE_CTX_init(context, store, sk_X509_value(chain, 0), chain);
    int verdict = X509_verify_cert(context) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(context);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return verdict;
}

static inline X509 *first_of(struct bytes pem)
{
    cleanup_certificates STACK_OF(X509) *list = NULL;
    assert_ok(pem_read_certificates(pem, "list", &list, err));
    return sk_X509_shift(list);
}

static inline int count_of(struct bytes pem)
{
    cleanup_certificates STACK_OF(X509) *list = NULL;
    assert_ok(pem_read_certificates(pem, "list", &list, err));
    return sk_X509_num(list);
}

/* The DER of an extension; NULL when it is not there. */
static inline const ASN1_OCTET_STRING *extension_of(X509 *one, int nid, bool *is_critical)
{
    int place = X509_get_ext_by_NID(one, nid, -1);
    if (place < 0)
        return NULL;
    *is_critical = X509_EXTENSION_get_critical(X509_get_ext(one, place)) == 1;
    return X509_EXTENSION_get_data(X509_get_ext(one, place));
}

#define assert_extension(one, nid, want_critical, want)                                                                                    \
    do {                                                                                                                                   \
        bool is_critical_ = false;                                                                                                         \
        const ASN1_OCTET_STRING *value_ = extension_of(one, nid, &is_critical_);                                                           \
        assert_non_null(value_);                                                                                                           \
        assert_int_equal(is_critical_, want_critical);                                                                                     \
        assert_int_equal(ASN1_STRING_length(value_), sizeof(want) - 1);                                                                    \
        assert_memory_equal(ASN1_STRING_get0_data(value_), want, sizeof(want) - 1);                                                        \
    } while (0)

#endif
