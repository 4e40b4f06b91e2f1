/* tests/unit/api/test_router.c – versions and path patterns. */
#include "tests/unit/test.h"

#include "api/router.h"

static int version(const char *path, int *minor, const char **rest, struct error *err)
{
    return router_version(path, 24, 50, minor, rest, err);
}

static void version_is_taken_off_the_path(void **state)
{
    (void)state;
    int minor;
    const char *rest;
    assert_ok(version("/v1.41/info", &minor, &rest, err));
    assert_int_equal(minor, 41);
    assert_string_equal(rest, "/info");
    assert_ok(version("/info", &minor, &rest, err));
    assert_int_equal(minor, 50);
    assert_string_equal(rest, "/info");
    assert_ok(version("/v1.24/a/b", &minor, &rest, err));
    assert_int_equal(minor, 24);
}

static void versions_out_of_range_are_refused_as_dockerd_does(void **state)
{
    (void)state;
    int minor;
    const char *rest;
    assert_fails(version("/v1.23/info", &minor, &rest, err), ERR_INVALID,
                 "client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version");
    assert_fails(version("/v1.51/info", &minor, &rest, err), ERR_INVALID,
                 "client version 1.51 is too new. Maximum supported API version is 1.50");
    assert_fails(version("/v2.0/info", &minor, &rest, err), ERR_INVALID, "too new");
    assert_fails(version("/v1.99999999999999999999/info", &minor, &rest, err), ERR_INVALID, "too new");
    assert_fails(version("/v0.9/info", &minor, &rest, err), ERR_INVALID, "too old");
}

static void what_is_no_version_stays_in_the_path(void **state)
{
    (void)state;
    static const char *const paths[] = {"/version", "/volumes", "/v1", "/v1.", "/v1.41", "/v1.x/info", "/v/info"};
    int minor;
    const char *rest;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        assert_ok(version(paths[i], &minor, &rest, err));
        assert_string_equal(rest, paths[i]);
    }
}

static void check(const char *pattern, const char *path, const char *first, const char *second)
{
    cleanup_arena struct arena arena = {0};
    const char *params[ROUTER_PARAMS_COUNT] = {0};
    if (!router_match(pattern, path, &arena, params))
        fail_msg("%s does not match %s", pattern, path);
    if (first)
        assert_string_equal(params[0], first);
    if (second)
        assert_string_equal(params[1], second);
}

static void refuse(const char *pattern, const char *path)
{
    cleanup_arena struct arena arena = {0};
    const char *params[ROUTER_PARAMS_COUNT];
    if (router_match(pattern, path, &arena, params))
        fail_msg("%s matches %s", pattern, path);
}

static void patterns_match(void **state)
{
    (void)state;
    check("/info", "/info", NULL, NULL);
    check("/containers/{id}/json", "/containers/web/json", "web", NULL);
    check("/containers/{id}/{action}", "/containers/web/start", "web", "start");
    check("/containers/{id}/json", "/containers/a%2Fb%20c/json", "a/b c", NULL);
    check("/images/{name*}/json", "/images/localhost:5000/team/app:v1/json", "localhost:5000/team/app:v1", NULL);
    check("/images/{name*}", "/images/a/b", "a/b", NULL);
    check("/images/{name*}/json", "/images/a/json/json", "a/json", NULL);
}

static void others_do_not(void **state)
{
    (void)state;
    refuse("/info", "/info/");
    refuse("/info", "/inf");
    refuse("/containers/{id}/json", "/containers//json");
    refuse("/containers/{id}/json", "/containers/a/b/json");
    refuse("/containers/{id}/json", "/containers/a%00b/json");
    refuse("/containers/{id}/json", "/containers/a%2/json");
    refuse("/images/{name*}/json", "/images//json");
    refuse("/images/{name*}/json", "/images/json");
    refuse("/images/{name*}/json", "/images");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_is_taken_off_the_path),
        cmocka_unit_test(versions_out_of_range_are_refused_as_dockerd_does),
        cmocka_unit_test(what_is_no_version_stays_in_the_path),
        cmocka_unit_test(patterns_match),
        cmocka_unit_test(others_do_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
