/* tests/unit/proto/peer.h – what the tests of TLS and gRPC share: clusters in small, credentials, and a loop that is run until a claim
 * holds. */
#ifndef SKEP_TESTS_UNIT_PROTO_PEER_H
#define SKEP_TESTS_UNIT_PROTO_PEER_H

#include <stdlib.h>
#include <uv.h>

#include "proto/tls/tls.h"
#include "tests/unit/proto/identity/authority.h"

#define DAY_S 86400

/* A node certificate with SwarmKit's fields, DNS names included, and its key. */
struct papers {
    struct buf chain_pem, key_pem;
};

static inline void papers_deinit(struct papers *papers)
{
    buf_deinit(&papers->chain_pem);
    buf_deinit(&papers->key_pem);
}

struct papers_options {
    const char *role; /* OU, and a DNS name; the default is swarm-manager */
    const char *name; /* CN; node1 */
    const char *use;  /* extended key usage; both */
    int64_t from_wall_ns, seconds;
};

static inline struct papers papers_make(struct authority *authority, const struct papers_options *options)
{
    const char *role = options->role ? options->role : "swarm-manager", *name = options->name ? options->name : "node1";
    struct papers papers = {{0}, {0}};
    char names[256], *text;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *leaf = authority_blank(key, options->from_wall_ns, options->seconds ? options->seconds : 90 * DAY_S);
    X509_NAME *subject = X509_get_subject_name(leaf);
    authority_name(subject, "O", "cluster1");
    authority_name(subject, "OU", role);
    authority_name(subject, "CN", name);
    X509_set_issuer_name(leaf, X509_get_subject_name(authority->root));
    snprintf(names, sizeof names, "DNS:%s,DNS:%s", role, name);
    authority_extend(leaf, authority->root, NID_basic_constraints, "critical,CA:FALSE");
    authority_extend(leaf, authority->root, NID_ext_key_usage, options->use ? options->use : "serverAuth,clientAuth");
    authority_extend(leaf, authority->root, NID_subject_alt_name, names);
    authority_extend(leaf, authority->root, NID_authority_key_identifier, "keyid:always");
    assert_true(X509_sign(leaf, authority->key, EVP_sha256()) > 0);
    authority_print(leaf, &papers.chain_pem);
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    long size = BIO_get_mem_data(bio, &text);
    buf_append(&papers.key_pem, text, (size_t)size);
    BIO_free(bio);
    X509_free(leaf);
    EVP_PKEY_free(key);
    return papers;
}

/* A clock whose wall time a test sets. */
static inline uint64_t peer_monotonic(void *self)
{
    (void)self;
    return uv_hrtime();
}

static inline int64_t peer_wall(void *self)
{
    return *(int64_t *)self;
}

static inline struct clock peer_clock(int64_t *wall_ns)
{
    return (struct clock){peer_monotonic, peer_wall, wall_ns};
}

static inline struct tls_credentials *peer_credentials(int64_t *wall_ns, const struct papers *papers, const struct authority *trusted)
{
    struct clock clock = peer_clock(wall_ns);
    struct tls_credentials *credentials = tls_credentials_new(&clock);
    static const struct papers none;
    papers = papers ? papers : &none;
    struct bytes roots = trusted ? buf_bytes(&trusted->root_pem) : bytes_of(NULL, 0);
    assert_ok(tls_credentials_set(credentials, buf_bytes(&papers->chain_pem), buf_bytes(&papers->key_pem), roots, err));
    return credentials;
}

/* What a test waits at most: five seconds, times what SKEP_TEST_PATIENCE says where all is slower. */
static inline uint64_t peer_patience_ns(void)
{
    const char *times = getenv("SKEP_TEST_PATIENCE");
    uint64_t factor = times ? strtoull(times, NULL, 10) : 1;
    return 5000000000u * (factor > 0 ? factor : 1);
}

/* Run the loop until the claim holds, peer_patience_ns() at most. */
#define run_until(loop, claim)                                                                                                             \
    do {                                                                                                                                   \
        uint64_t begun_ = uv_hrtime();                                                                                                     \
        uv_timer_t *tick_ = peer_tick(loop);                                                                                               \
        while (!(claim) && uv_hrtime() - begun_ <= peer_patience_ns())                                                                     \
            uv_run((loop), UV_RUN_ONCE);                                                                                                   \
        uv_close((uv_handle_t *)tick_, peer_tick_closed);                                                                                  \
        if (!(claim))                                                                                                                      \
            fail_msg("still not: %s", #claim);                                                                                             \
    } while (0)

static inline void peer_tick_closed(uv_handle_t *handle)
{
    free(handle);
}

static inline void peer_ticked(uv_timer_t *timer)
{
    (void)timer;
}

static inline uv_timer_t *peer_tick(uv_loop_t *loop)
{
    uv_timer_t *tick = calloc(1, sizeof *tick);
    uv_timer_init(loop, tick);
    uv_timer_start(tick, peer_ticked, 10, 10);
    return tick;
}

static inline void run_for(uv_loop_t *loop, uint64_t ms)
{
    uint64_t end = uv_hrtime() + ms * 1000000;
    run_until(loop, uv_hrtime() >= end);
}

#endif
