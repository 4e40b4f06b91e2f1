/* tests/unit/proto/tls/test_credentials.c */
#include "proto/tls/credentials.h"

#include "tests/unit/proto/peer.h"

#define NOW_NS (INT64_C(1790000000) * 1000000000)

struct world {
    int64_t wall_ns;
    struct authority authority;
    struct papers papers, others;
    struct tls_credentials *credentials;
};

static int begin(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    world->wall_ns = NOW_NS;
    authority_init(&world->authority, NOW_NS);
    const struct papers_options options = {.from_wall_ns = NOW_NS};
    world->papers = papers_make(&world->authority, &options);
    world->others = papers_make(&world->authority, &options);
    world->credentials = peer_credentials(&world->wall_ns, &world->papers, &world->authority);
    *state = world;
    return 0;
}

static int end(void **state)
{
    struct world *world = *state;
    tls_credentials_free(world->credentials);
    papers_deinit(&world->papers);
    papers_deinit(&world->others);
    authority_deinit(&world->authority);
    free(world);
    return 0;
}

static int set(struct world *world, struct bytes chain, struct bytes key, struct bytes roots, struct error *err)
{
    return tls_credentials_set(world->credentials, chain, key, roots, err);
}

static void what_cannot_be_read_is_named_and_the_old_ones_stay(void **state)
{
    struct world *world = *state;
    const struct bytes none = {0}, chain = buf_bytes(&world->papers.chain_pem), key = buf_bytes(&world->papers.key_pem),
                       junk = bytes_of_string("-----BEGIN NOTHING-----\n");
    struct tls_snapshot *before = tls_snapshot_take(world->credentials);
    assert_fails(set(world, junk, key, none, err), ERR_CORRUPT, "the certificate");
    assert_fails(set(world, chain, junk, none, err), ERR_CORRUPT, "the key");
    assert_fails(set(world, chain, none, none, err), ERR_CORRUPT, "the key");
    assert_fails(set(world, chain, key, junk, err), ERR_CORRUPT, "the root CA");
    assert_fails(set(world, chain, buf_bytes(&world->others.key_pem), none, err), ERR_CORRUPT, "not the certificate's");
    struct tls_snapshot *after = tls_snapshot_take(world->credentials);
    assert_ptr_equal(before, after);
    tls_snapshot_drop(before);
    tls_snapshot_drop(after);
}

static void new_ones_serve_new_connections_and_old_ones_live_on(void **state)
{
    struct world *world = *state;
    struct tls_snapshot *before = tls_snapshot_take(world->credentials);
    assert_true(before->has_identity);
    assert_ok(set(world, bytes_of(NULL, 0), bytes_of(NULL, 0), buf_bytes(&world->authority.root_pem), err));
    struct tls_snapshot *after = tls_snapshot_take(world->credentials);
    assert_false(after->has_identity);
    assert_non_null(after->roots);
    assert_ptr_not_equal(before, after);
    assert_non_null(SSL_CTX_get0_certificate(before->client));
    assert_null(SSL_CTX_get0_certificate(after->client));
    tls_snapshot_drop(before);
    tls_snapshot_drop(after);
}

static void identity_is_never_shown_by_the_anonymous(void **state)
{
    struct world *world = *state;
    struct tls_snapshot *snapshot = tls_snapshot_take(world->credentials);
    assert_non_null(SSL_CTX_get0_certificate(snapshot->server));
    assert_null(SSL_CTX_get0_certificate(snapshot->anonymous));
    tls_snapshot_drop(snapshot);
}

static void swarmkit_s_header_lines_in_a_key_are_skipped(void **state)
{
    struct world *world = *state;
    const char *begin_line = "-----BEGIN PRIVATE KEY-----\n", *pem = (const char *)world->papers.key_pem.data;
    cleanup_buf struct buf key = {0};
    assert_memory_equal(pem, begin_line, strlen(begin_line));
    buf_append_format(&key, "%skek-version: 7\nraft-dek: abc=\n\n%s", begin_line, pem + strlen(begin_line));
    assert_ok(set(world, buf_bytes(&world->papers.chain_pem), buf_bytes(&key), bytes_of(NULL, 0), err));
}

static void key_larger_than_any_key_is_refused_unread(void **state)
{
    struct world *world = *state;
    cleanup_buf struct buf key = {0};
    memset(buf_reserve(&key, CERTIFICATE_PEM_SIZE_BYTES + 1), 'A', CERTIFICATE_PEM_SIZE_BYTES + 1);
    key.size = CERTIFICATE_PEM_SIZE_BYTES + 1;
    assert_fails(set(world, buf_bytes(&world->papers.chain_pem), buf_bytes(&key), bytes_of(NULL, 0), err), ERR_LIMIT, "the key");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_cannot_be_read_is_named_and_the_old_ones_stay), TEST(new_ones_serve_new_connections_and_old_ones_live_on),
        TEST(identity_is_never_shown_by_the_anonymous),           TEST(swarmkit_s_header_lines_in_a_key_are_skipped),
        TEST(key_larger_than_any_key_is_refused_unread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
