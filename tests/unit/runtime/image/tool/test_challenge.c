/* What registries ask for, and the credentials that come with a task. */
#include "tests/unit/test.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/encode.h"
#include "runtime/image/tool/challenge.h"

static void challenges_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum challenge_scheme scheme;
        const char *realm, *service, *scope;
    } rows[] = {
        {"Bearer realm=\"https://a/t\",service=\"reg\",scope=\"repository:x:pull\"", CHALLENGE_BEARER, "https://a/t", "reg",
         "repository:x:pull"},
        {"bearer  Realm = \"https://a/t\" , service=reg", CHALLENGE_BEARER, "https://a/t", "reg", ""},
        {"Basic realm=\"Registry Realm\"", CHALLENGE_BASIC, "Registry Realm", "", ""},
        {"Negotiate\nBasic realm=\"r\"\nBearer realm=\"https://b\"", CHALLENGE_BEARER, "https://b", "", ""},
        {"Basic realm=\"r\", Bearer realm=\"https://b\",scope=\"a,b\"", CHALLENGE_BEARER, "https://b", "", "a,b"},
        {"Bearer realm=\"a\\\"b\"", CHALLENGE_BEARER, "a\"b", "", ""},
        {"Bearer realm=\"never closed", CHALLENGE_BEARER, "", "", ""},
        {"Digest realm=\"x\"", CHALLENGE_NONE, "", "", ""},
        {"", CHALLENGE_NONE, "", "", ""},
        {",,,= \"\"", CHALLENGE_NONE, "", "", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct challenge challenge;
        challenge_parse(rows[i].text, &challenge);
        assert_int_equal(challenge.scheme, rows[i].scheme);
        assert_string_equal(challenge.realm, rows[i].realm);
        assert_string_equal(challenge.service, rows[i].service);
        assert_string_equal(challenge.scope, rows[i].scope);
        challenge_deinit(&challenge);
    }
}

static int parse_json(const char *json, struct credentials *out, struct error *why)
{
    cleanup_buf struct buf text = {0};
    encode_base64(bytes_of_string(json), &text);
    buf_append(&text, "", 1);
    return credentials_parse((const char *)text.data, out, why);
}

static void credentials_come_in_each_of_dockers_forms(void **state)
{
    (void)state;
    struct credentials credentials;
    assert_ok(parse_json("{\"username\":\"u\",\"password\":\"p:w\"}", &credentials, err));
    cleanup_free char *basic = credentials_basic(&credentials);
    assert_string_equal(basic, "Basic dTpwOnc=");
    credentials_deinit(&credentials);
    assert_ok(parse_json("{\"auth\":\"dTpwOnc=\"}", &credentials, err));
    assert_string_equal(credentials.username, "u");
    assert_string_equal(credentials.password, "p:w");
    credentials_deinit(&credentials);
    assert_ok(parse_json("{\"identitytoken\":\"t\"}", &credentials, err));
    assert_string_equal(credentials.identity_token, "t");
    assert_null(credentials_basic(&credentials));
    credentials_deinit(&credentials);
    assert_ok(parse_json("{}", &credentials, err));
    assert_ok(credentials_parse("", &credentials, err));
    assert_ok(credentials_parse(NULL, &credentials, err));
}

static void bad_credentials_are_refused_and_not_repeated(void **state)
{
    (void)state;
    struct credentials credentials;
    struct error err = {0};
    assert_int_equal(credentials_parse("c2VjcmV0IHNlY3JldA==", &credentials, &err), ERR_INVALID);
    assert_null(strstr(err.message, "secret"));
    assert_null(strstr(err.message, "c2Vj"));
    assert_int_equal(parse_json("{\"auth\":\"bm9jb2xvbg==\"}", &credentials, &err), ERR_INVALID);
    assert_int_equal(credentials_parse("%%%", &credentials, &err), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(challenges_are_read),
        cmocka_unit_test(credentials_come_in_each_of_dockers_forms),
        cmocka_unit_test(bad_credentials_are_refused_and_not_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
