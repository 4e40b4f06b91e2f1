/* tests/unit/base/test_json.c */
#include "base/json.h"

#include <stdlib.h>

#include "base/mem.h"
#include "tests/unit/test.h"

static int parse(const char *text, cJSON **json, struct error *err)
{
    return json_parse(bytes_of_string(text), 1000, json, err);
}

static void members_of_the_wrong_type_give_the_fallback(void **state)
{
    (void)state;
    cleanup_json cJSON *json = NULL;
    assert_ok(parse("{\"s\":\"x\",\"n\":5,\"b\":true,\"o\":{},\"a\":[1],\"z\":null,\"d\":\"123\"} \n", &json, err));
    assert_string_equal(json_string(json, "s", "?"), "x");
    assert_string_equal(json_string(json, "n", "?"), "?");
    assert_string_equal(json_string(json, "S", "?"), "?");
    assert_string_equal(json_string(NULL, "s", "?"), "?");
    assert_int_equal(json_int(json, "n", -1), 5);
    assert_int_equal(json_int(json, "s", -1), -1);
    assert_int_equal(json_int(json, "d", -1), 123);
    assert_int_equal(json_int(json, "z", -1), -1);
    assert_true(json_bool(json, "b", false));
    assert_true(json_bool(json, "missing", true));
    assert_non_null(json_object(json, "o"));
    assert_null(json_object(json, "a"));
    assert_non_null(json_array(json, "a"));
    assert_null(json_array(json, "o"));
}

static void what_is_not_one_document_within_the_bounds_is_refused(void **state)
{
    (void)state;
    cJSON *json = NULL;
    assert_fails(parse("", &json, err), ERR_INVALID, "not JSON");
    assert_fails(parse("{\"a\":", &json, err), ERR_INVALID, "not JSON at byte");
    assert_fails(parse("{} {}", &json, err), ERR_INVALID, "more than one");
    char deep[400];
    memset(deep, '[', 200);
    memset(deep + 200, ']', 199);
    deep[399] = '\0';
    assert_fails(parse(deep, &json, err), ERR_LIMIT, "nested deeper");
    assert_fails(json_parse(bytes_of_string("[1,2]"), 4, &json, err), ERR_LIMIT, "more than 4");
    assert_null(json);
}

static void brackets_in_strings_do_not_count_as_depth(void **state)
{
    (void)state;
    cleanup_json cJSON *json = NULL;
    assert_ok(parse("{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\"}", &json, err));
}

static void large_integers_keep_their_digits(void **state)
{
    (void)state;
    cleanup_json cJSON *json = cJSON_CreateObject();
    json_add_int(json, "n", 9223372036854775807);
    json_add_string(json, "none", NULL);
    json_add_strings(json, "l", (char *[]){(char[]){"a"}, (char[]){"b"}}, 2);
    cleanup_free char *text = json_print(json);
    assert_string_equal(text, "{\"n\":9223372036854775807,\"l\":[\"a\",\"b\"]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_of_the_wrong_type_give_the_fallback),
        cmocka_unit_test(what_is_not_one_document_within_the_bounds_is_refused),
        cmocka_unit_test(brackets_in_strings_do_not_count_as_depth),
        cmocka_unit_test(large_integers_keep_their_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
