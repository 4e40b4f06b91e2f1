/* test_credential_spec.c – what a credential spec may say, and what is none. */
#include "runtime/windows/credential_spec.h"

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/mem.h"
#include "tests/unit/test.h"

static void each_source_is_told_from_the_others(void **state)
{
    enum windows_credential_source source;
    const char *rest = NULL;

    (void)state;
    assert_ok(windows_credential_spec_parse("{\"a\":1}", &source, &rest, err));
    assert_int_equal(source, WINDOWS_CREDENTIAL_RAW);
    assert_string_equal(rest, "{\"a\":1}");
    assert_ok(windows_credential_spec_parse("raw://{}", &source, &rest, err));
    assert_int_equal(source, WINDOWS_CREDENTIAL_RAW);
    assert_string_equal(rest, "{}");
    assert_ok(windows_credential_spec_parse("file://team\\web.json", &source, &rest, err));
    assert_int_equal(source, WINDOWS_CREDENTIAL_FILE);
    assert_string_equal(rest, "team\\web.json");
    assert_ok(windows_credential_spec_parse("Registry://web", &source, &rest, err));
    assert_int_equal(source, WINDOWS_CREDENTIAL_REGISTRY);
    assert_string_equal(rest, "web");
    assert_fails(windows_credential_spec_parse("config://c1", &source, &rest, err), ERR_INVALID, "neither file://");
    assert_fails(windows_credential_spec_parse("", &source, &rest, err), ERR_INVALID, "neither file://");
    assert_fails(windows_credential_spec_parse("registry://", &source, &rest, err), ERR_INVALID, "names no value");
}

static void a_file_stays_below_its_directory(void **state)
{
    static const char *const bad[] = {"file://",           "file://C:\\x.json",   "file://\\x.json",    "file:///x.json",
                                      "file://..\\x.json", "file://a\\..\\..\\x", "file://a/../x.json", "file://..",
                                      "file://x.json:ads", "file://.. \\x",       "file://a..",         "file://a. /x"};
    static const char *const good[] = {"file://..x.json", "file://a\\b.json", "file://a..b", "file://a/b"};
    enum windows_credential_source source;
    const char *rest;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_fails(windows_credential_spec_parse(bad[i], &source, &rest, err), ERR_INVALID, "below CredentialSpecs");
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_ok(windows_credential_spec_parse(good[i], &source, &rest, err));
}

static void a_spec_is_json_of_a_domain(void **state)
{
    cleanup_free char *large = mem_format("{\"DomainJoinConfig\":{\"x\":\"%*s\"}}", (int)CREDENTIAL_SPEC_SIZE_BYTES, "");

    (void)state;
    assert_ok(windows_credential_spec_check("{\"CmsPlugins\":[\"ActiveDirectory\"],\"DomainJoinConfig\":{}}", "web", err));
    assert_fails(windows_credential_spec_check("{\"CmsPlugins\":", "file://web.json", err), ERR_INVALID, "file://web.json: not JSON");
    assert_fails(windows_credential_spec_check("[]", "web", err), ERR_INVALID, "New-CredentialSpec");
    assert_fails(windows_credential_spec_check("{}", "web", err), ERR_INVALID, "DomainJoinConfig");
    assert_fails(windows_credential_spec_check(large, "web", err), ERR_LIMIT, "larger than 65536 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_source_is_told_from_the_others),
        cmocka_unit_test(a_file_stays_below_its_directory),
        cmocka_unit_test(a_spec_is_json_of_a_domain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
