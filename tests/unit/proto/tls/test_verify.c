#include "proto/tls/verify.h"

#include "tests/unit/proto/peer.h"

#define NOW_NS (INT64_C(1790000000) * 1000000000)
#define DAY_NS (INT64_C(86400) * 1000000000)

struct cluster {
    struct authority old, new;
    struct papers papers;
};

static struct cluster begin(const struct papers_options *options)
{
    struct cluster cluster;
    authority_init(&cluster.old, NOW_NS - DAY_NS);
    authority_init(&cluster.new, NOW_NS - DAY_NS);
    struct papers_options given = options ? *options : (struct papers_options){0};
    given.from_wall_ns = given.from_wall_ns ? given.from_wall_ns : NOW_NS - DAY_NS;
    cluster.papers = papers_make(&cluster.old, &given);
    return cluster;
}

static void end(struct cluster *cluster)
{
    authority_deinit(&cluster->old);
    authority_deinit(&cluster->new);
    papers_deinit(&cluster->papers);
}

/* The verdict's words are left in @err. */
static enum tls_flaw judge(struct bytes chain_pem, const struct authority *root, enum tls_use use, const char *name, int64_t wall_ns,
                           struct error *err)
{
    STACK_OF(X509) * chain, *roots;
    enum tls_flaw flaw = TLS_BROKEN;
    assert_int_equal(tls_read_list(chain_pem, &chain, err), 0);
    assert_int_equal(tls_read_list(buf_bytes(&root->root_pem), &roots, err), 0);
    int result = tls_verify(sk_X509_value(chain, 0), chain, roots, use, name, wall_ns, &flaw, err);
    assert_int_equal(result, flaw == TLS_SOUND ? 0 : ERR_TRUST);
    tls_list_free(chain);
    tls_list_free(roots);
    return flaw;
}

static void node_of_the_cluster_is_trusted_in_its_role(void **state)
{
    (void)state;
    struct error err = {0};
    struct cluster cluster = begin(NULL);
    struct bytes chain = buf_bytes(&cluster.papers.chain_pem);
    assert_int_equal(judge(chain, &cluster.old, TLS_AS_SERVER, "swarm-manager", NOW_NS, &err), TLS_SOUND);
    assert_int_equal(judge(chain, &cluster.old, TLS_AS_CLIENT, NULL, NOW_NS, &err), TLS_SOUND);
    assert_int_equal(judge(chain, &cluster.old, TLS_AS_SERVER, "swarm-ca", NOW_NS, &err), TLS_WRONG_NAME);
    assert_string_equal(err.message, "the certificate is not one of a swarm-ca");
    end(&cluster);
}

static void stranger_with_the_same_names_is_refused(void **state)
{
    (void)state;
    struct error err = {0};
    struct cluster cluster = begin(NULL);
    assert_int_equal(judge(buf_bytes(&cluster.papers.chain_pem), &cluster.new, TLS_AS_SERVER, "swarm-manager", NOW_NS, &err),
                     TLS_UNKNOWN_AUTHORITY);
    assert_non_null(strstr(err.message, "authority that is not among the cluster's root CAs"));
    end(&cluster);
}

static void time_is_the_given_one_and_both_clocks_are_named(void **state)
{
    (void)state;
    struct error err = {0};
    struct cluster cluster = begin(NULL);
    struct bytes chain = buf_bytes(&cluster.papers.chain_pem);
    assert_int_equal(judge(chain, &cluster.old, TLS_AS_SERVER, NULL, NOW_NS + 100 * DAY_NS, &err), TLS_EXPIRED);
    assert_non_null(strstr(err.message, "has expired"));
    assert_non_null(strstr(err.message, "our clock says"));
    struct papers later = papers_make(&cluster.old, &(struct papers_options){.from_wall_ns = NOW_NS + DAY_NS});
    assert_int_equal(judge(buf_bytes(&later.chain_pem), &cluster.old, TLS_AS_SERVER, NULL, NOW_NS, &err), TLS_NOT_YET_VALID);
    assert_non_null(strstr(err.message, "set this host's clock"));
    papers_deinit(&later);
    end(&cluster);
}

/* The intermediate has the root's name as subject and issuer: OpenSSL alone takes it for self-signed. */
static void root_that_rotated_vouches_for_its_successor(void **state)
{
    (void)state;
    struct error err = {0};
    struct cluster cluster = begin(NULL);
    struct papers renewed = papers_make(&cluster.new, &(struct papers_options){.from_wall_ns = NOW_NS - DAY_NS});
    assert_int_equal(judge(buf_bytes(&renewed.chain_pem), &cluster.old, TLS_AS_SERVER, "swarm-manager", NOW_NS, &err),
                     TLS_UNKNOWN_AUTHORITY);
    authority_cross_sign(&cluster.old, &cluster.new, &renewed.chain_pem);
    assert_int_equal(judge(buf_bytes(&renewed.chain_pem), &cluster.old, TLS_AS_SERVER, "swarm-manager", NOW_NS, &err), TLS_SOUND);
    assert_int_equal(judge(buf_bytes(&renewed.chain_pem), &cluster.new, TLS_AS_SERVER, "swarm-manager", NOW_NS, &err), TLS_SOUND);
    papers_deinit(&renewed);
    end(&cluster);
}

static void cross_signature_of_a_stranger_vouches_for_nobody(void **state)
{
    (void)state;
    struct error err = {0};
    struct cluster cluster = begin(NULL);
    struct authority stranger;
    authority_init(&stranger, NOW_NS - DAY_NS);
    struct papers renewed = papers_make(&cluster.new, &(struct papers_options){.from_wall_ns = NOW_NS - DAY_NS});
    authority_cross_sign(&stranger, &cluster.new, &renewed.chain_pem);
    assert_int_equal(judge(buf_bytes(&renewed.chain_pem), &cluster.old, TLS_AS_SERVER, NULL, NOW_NS, &err), TLS_UNKNOWN_AUTHORITY);
    authority_deinit(&stranger);
    papers_deinit(&renewed);
    end(&cluster);
}

/* A node's own certificate, with which it signs another: it is no authority, whoever signed it. */
static void leaf_cannot_be_an_authority(void **state)
{
    (void)state;
    struct error err = {0};
    struct cluster cluster = begin(NULL);
    struct authority node = {.key = EVP_EC_gen("P-256")};
    node.root = authority_blank(node.key, NOW_NS - DAY_NS, 90 * DAY_S);
    authority_name(X509_get_subject_name(node.root), "CN", "swarm-ca");
    X509_set_issuer_name(node.root, X509_get_subject_name(cluster.old.root));
    authority_extend(node.root, NULL, NID_basic_constraints, "critical,CA:FALSE");
    authority_extend(node.root, NULL, NID_subject_key_identifier, "hash");
    assert_true(X509_sign(node.root, cluster.old.key, EVP_sha256()) > 0);
    struct papers forged = papers_make(&node, &(struct papers_options){.from_wall_ns = NOW_NS - DAY_NS});
    authority_print(node.root, &forged.chain_pem);
    assert_int_not_equal(judge(buf_bytes(&forged.chain_pem), &cluster.old, TLS_AS_SERVER, NULL, NOW_NS, &err), TLS_SOUND);
    papers_deinit(&forged);
    authority_deinit(&node);
    end(&cluster);
}

static void server_only_certificate_is_no_client_s(void **state)
{
    (void)state;
    struct error err = {0};
    struct cluster cluster = begin(&(struct papers_options){.use = "serverAuth"});
    assert_int_equal(judge(buf_bytes(&cluster.papers.chain_pem), &cluster.old, TLS_AS_CLIENT, NULL, NOW_NS, &err), TLS_BROKEN);
    assert_int_equal(judge(buf_bytes(&cluster.papers.chain_pem), &cluster.old, TLS_AS_SERVER, NULL, NOW_NS, &err), TLS_SOUND);
    end(&cluster);
}

static void lists_are_read_whole_or_not_at_all(void **state)
{
    (void)state;
    struct cluster cluster = begin(NULL);
    STACK_OF(X509) * list;
    struct buf pem = {0};
    buf_append_string(&pem, "words before\n");
    buf_append(&pem, cluster.old.root_pem.data, cluster.old.root_pem.size);
    buf_append(&pem, cluster.new.root_pem.data, cluster.new.root_pem.size);
    assert_ok(tls_read_list(buf_bytes(&pem), &list, err));
    assert_int_equal(sk_X509_num(list), 2);
    assert_true(tls_is_issued_by(sk_X509_value(list, 0), sk_X509_value(list, 0)));
    assert_false(tls_is_issued_by(sk_X509_value(list, 0), sk_X509_value(list, 1)));
    tls_list_free(list);
    pem.data[pem.size - 100] = '*';
    assert_fails(tls_read_list(buf_bytes(&pem), &list, err), ERR_CORRUPT, "damaged");
    assert_fails(tls_read_list(bytes_of_string("nothing"), &list, err), ERR_CORRUPT, "no certificate");
    buf_deinit(&pem);
    end(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(node_of_the_cluster_is_trusted_in_its_role),       cmocka_unit_test(stranger_with_the_same_names_is_refused),
        cmocka_unit_test(time_is_the_given_one_and_both_clocks_are_named),  cmocka_unit_test(root_that_rotated_vouches_for_its_successor),
        cmocka_unit_test(cross_signature_of_a_stranger_vouches_for_nobody), cmocka_unit_test(leaf_cannot_be_an_authority),
        cmocka_unit_test(server_only_certificate_is_no_client_s),           cmocka_unit_test(lists_are_read_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
