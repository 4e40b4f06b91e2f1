/* tests/unit/manager/ca/test_tokens.c */
#include "manager/ca/tokens.h"

#include "proto/identity/token.h"
#include "tests/unit/manager/ca/world.h"

static void token_that_we_make_is_read_by_who_joins(void **state)
{
    (void)state;
    struct ca_root root = root_at(now());
    cluster_message *cluster = cluster_of(&root);
    struct token worker, manager;
    uint8_t digest[SHA256_SIZE_BYTES];
    assert_ok(token_parse(cluster->root_ca->join_tokens->worker, &worker, err));
    assert_ok(token_parse(cluster->root_ca->join_tokens->manager, &manager, err));
    assert_int_equal(worker.version, 1);
    assert_string_not_equal(worker.text, manager.text);
    sha256(buf_bytes(&root.cert_pem), digest); /* the whole text: its last byte is a newline */
    assert_int_equal(root.cert_pem.data[root.cert_pem.size - 1], '\n');
    assert_memory_equal(worker.ca_digest, digest, sizeof digest);
    assert_ok(token_check_root(&manager, buf_bytes(&root.cert_pem), err));
    root.cert_pem.size--;
    assert_fails(token_check_root(&worker, buf_bytes(&root.cert_pem), err), ERR_TRUST, "another cluster");
    message_wipe_free(&cluster->base);
    ca_root_deinit(&root);
}

static void fips_cluster_has_tokens_of_the_second_version(void **state)
{
    (void)state;
    struct ca_root root = root_at(now());
    struct random random = chance();
    root_message *root_ca = ca_state_new(&root, true, 0, &random);
    struct token token;
    assert_memory_equal(root_ca->join_tokens->worker, "SWMTKN-2-1-", 11);
    assert_memory_equal(root_ca->join_tokens->manager, "SWMTKN-2-1-", 11);
    assert_fails(token_parse(root_ca->join_tokens->worker, &token, err), ERR_UNSUPPORTED, "FIPS");
    message_wipe_free(&root_ca->base);
    ca_root_deinit(&root);
}

static void only_the_token_asked_for_changes_and_only_its_secret(void **state)
{
    (void)state;
    struct ca_root root = root_at(now());
    cluster_message *cluster = cluster_of(&root);
    Docker__Swarmkit__V1__JoinTokens *tokens = cluster->root_ca->join_tokens;
    cleanup_free char *worker = mem_string(tokens->worker);
    cleanup_free char *manager = mem_string(tokens->manager);
    struct random random = random_system();
    const size_t secret_from = strlen("SWMTKN-1-") + TOKEN_DIGEST_SIZE_CHARS;
    ca_tokens_make(cluster->root_ca, true, false, false, &random);
    assert_string_equal(tokens->manager, manager);
    assert_string_not_equal(tokens->worker, worker);
    assert_memory_equal(tokens->worker, worker, secret_from);
    message_wipe_free(&cluster->base);
    ca_root_deinit(&root);
}

static void token_gives_its_role_and_anything_else_none(void **state)
{
    (void)state;
    struct ca_root root = root_at(now());
    cluster_message *cluster = cluster_of(&root);
    const Docker__Swarmkit__V1__JoinTokens *tokens = cluster->root_ca->join_tokens;
    enum certificate_role role;
    assert_true(ca_tokens_role(tokens, tokens->worker, &role));
    assert_int_equal(role, CERTIFICATE_WORKER);
    assert_true(ca_tokens_role(tokens, tokens->manager, &role));
    assert_int_equal(role, CERTIFICATE_MANAGER);
    cleanup_free char *wrong = mem_string(tokens->manager);
    wrong[strlen(wrong) - 1] ^= 1;
    assert_false(ca_tokens_role(tokens, wrong, &role));
    wrong[strlen(wrong) - 1] = '\0';
    assert_false(ca_tokens_role(tokens, wrong, &role));
    assert_false(ca_tokens_role(tokens, "", &role));
    assert_false(ca_tokens_role(tokens, NULL, &role));
    message_wipe_free(&cluster->base);
    ca_root_deinit(&root);
}

/* A cluster that has no tokens yet admits nobody, also not who shows none. */
static void empty_token_admits_nobody(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__JoinTokens none = DOCKER__SWARMKIT__V1__JOIN_TOKENS__INIT;
    enum certificate_role role;
    assert_false(ca_tokens_role(&none, "", &role));
    assert_false(ca_tokens_role(&none, NULL, &role));
    assert_false(ca_tokens_role(NULL, "", &role));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_that_we_make_is_read_by_who_joins),
        cmocka_unit_test(fips_cluster_has_tokens_of_the_second_version),
        cmocka_unit_test(only_the_token_asked_for_changes_and_only_its_secret),
        cmocka_unit_test(token_gives_its_role_and_anything_else_none),
        cmocka_unit_test(empty_token_admits_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
