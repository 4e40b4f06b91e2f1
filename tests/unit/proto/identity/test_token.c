#include "proto/identity/token.h"

#include "base/mem.h"
#include "tests/unit/proto/identity/fixture.h"

#define DIGEST "569vklr31mu9610s43l9kdkhmrkf40fvk3l2ny3gyyiz3626y5"
#define SECRET "ev51kok58hwmzaw6mp9hrx2bo"
#define TOKEN  "SWMTKN-1-" DIGEST "-" SECRET

/* The four tokens that dockerd printed, against the two roots that it had. */
static void docker_tokens_belong_to_their_root_and_no_other(void **state)
{
    (void)state;
    for (int generation = 1; generation <= 2; generation++) {
        cleanup_buf struct buf tokens = {0}, own = {0}, other = {0};
        fixture(&tokens, generation == 1 ? "tokens-1.txt" : "tokens-2.txt");
        fixture(&own, generation == 1 ? "root-1.crt" : "root-2.crt");
        fixture(&other, generation == 1 ? "root-2.crt" : "root-1.crt");
        int count = 0;
        for (char *line = strtok((char *)tokens.data, "\n"); line; line = strtok(NULL, "\n"), count++) {
            struct token token;
            assert_ok(token_parse(line, &token, err));
            assert_string_equal(token.text, line);
            assert_int_equal(token.version, 1);
            assert_ok(token_check_root(&token, buf_bytes(&own), err));
            assert_fails(token_check_root(&token, buf_bytes(&other), err), ERR_TRUST, "belongs to another cluster");
        }
        assert_int_equal(count, 2);
    }
}

static void digest_covers_the_final_newline(void **state)
{
    (void)state;
    cleanup_buf struct buf root = {0};
    struct token token;
    fixture(&root, "root-1.crt");
    assert_ok(token_parse(TOKEN, &token, err));
    root.size--;
    assert_fails(token_check_root(&token, buf_bytes(&root), err), ERR_TRUST, "another cluster");
}

static void formatted_token_parses_again(void **state)
{
    (void)state;
    static const uint8_t secret[TOKEN_SECRET_SIZE_BYTES] = {0, 1, 2, 255};
    cleanup_buf struct buf root = {0};
    char text[TOKEN_SIZE_CHARS + 1];
    struct token token;
    token_format(fixture(&root, "root-1.crt"), secret, false, text);
    assert_memory_equal(text, "SWMTKN-1-" DIGEST "-", strlen("SWMTKN-1-" DIGEST "-"));
    assert_ok(token_parse(text, &token, err));
    assert_ok(token_check_root(&token, buf_bytes(&root), err));
    token_format(buf_bytes(&root), secret, true, text);
    assert_memory_equal(text, "SWMTKN-2-1-" DIGEST "-", strlen("SWMTKN-2-1-" DIGEST "-"));
    assert_fails(token_parse(text, &token, err), ERR_UNSUPPORTED, "FIPS");
}

static void second_version_parses(void **state)
{
    (void)state;
    struct token token;
    assert_ok(token_parse("SWMTKN-2-0-" DIGEST "-" SECRET, &token, err));
    assert_int_equal(token.version, 2);
    assert_false(token.is_fips);
    assert_fails(token_parse("SWMTKN-2-1-" DIGEST "-" SECRET, &token, err), ERR_UNSUPPORTED, "FIPS");
}

static void white_space_around_is_forgiven(void **state)
{
    (void)state;
    struct token token;
    assert_ok(token_parse("  " TOKEN "\r\n", &token, err));
    assert_string_equal(token.text, TOKEN);
}

static void malformed_token_is_refused_with_the_part_that_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "empty"},
        {NULL, "empty"},
        {"   ", "empty"},
        {"hello", "starts with SWMTKN"},
        {"-1-", "starts with SWMTKN"},
        {"swmtkn-1-" DIGEST "-" SECRET, "starts with SWMTKN"},
        {"SWMTKN", "starts with SWMTKN"},
        {"SWMTKN-3-" DIGEST "-" SECRET, "version that is not known"},
        {"SWMTKN-01-" DIGEST "-" SECRET, "version that is not known"},
        {"SWMTKN-1-" DIGEST, "4 parts"},
        {"SWMTKN-1-" DIGEST "-" SECRET "-x", "4 parts"},
        {"SWMTKN-2-" DIGEST "-" SECRET, "5 parts"},
        {"SWMTKN-1-0-" DIGEST "-" SECRET, "4 parts"},
        {"SWMTKN-1-a-b-c-d-e-f-g", "more than 5"},
        {"SWMTKN-2-2-" DIGEST "-" SECRET, "neither 0 nor 1"},
        {"SWMTKN-1-" DIGEST "0-" SECRET, "digest has 51 characters instead of 50"},
        {"SWMTKN-1-" DIGEST "-ev51kok58hwmzaw6mp9hrx2b", "secret has 24 characters instead of 25"},
        {"SWMTKN-1-569VKLR31mu9610s43l9kdkhmrkf40fvk3l2ny3gyyiz3626y5-" SECRET, "digest holds a character"},
        {"SWMTKN-1-zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz-" SECRET, "too large a number"},
        {"SWMTKN-1-" DIGEST "-zzzzzzzzzzzzzzzzzzzzzzzzz", "secret holds"},
        {"SWMTKN-1-" DIGEST "-" SECRET " x", "secret has 27"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct token token, wiped = {0};
        assert_fails(token_parse(cases[i].text, &token, err), ERR_TOKEN, cases[i].message);
        assert_memory_equal(&token, &wiped, sizeof token);
    }
}

static void very_long_token_is_refused(void **state)
{
    (void)state;
    char text[4096];
    struct token token;
    memset(text, '-', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_fails(token_parse(text, &token, err), ERR_TOKEN, "longer than any token");
}

static void refusal_does_not_repeat_the_secret(void **state)
{
    (void)state;
    struct token token;
    struct error err = {0};
    assert_int_equal(token_parse("SWMTKN-1-" DIGEST "-" SECRET "x", &token, &err), ERR_TOKEN);
    assert_null(strstr(err.message, "ev51"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(docker_tokens_belong_to_their_root_and_no_other),
        cmocka_unit_test(digest_covers_the_final_newline),
        cmocka_unit_test(formatted_token_parses_again),
        cmocka_unit_test(second_version_parses),
        cmocka_unit_test(white_space_around_is_forgiven),
        cmocka_unit_test(malformed_token_is_refused_with_the_part_that_is_wrong),
        cmocka_unit_test(very_long_token_is_refused),
        cmocka_unit_test(refusal_does_not_repeat_the_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
