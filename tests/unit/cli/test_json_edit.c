/* tests/unit/cli/test_json_edit.c – documents that are changed and sent back. */
#include <stdlib.h>

#include "base/json.h"
#include "cli/json_edit.h"
#include "tests/unit/test.h"

static void is(const cJSON *json, const char *wanted)
{
    cleanup_free char *printed = json_print(json);
    assert_string_equal(printed, wanted);
}

static void members_are_set_in_place(void **state)
{
    (void)state;
    cleanup_json cJSON *json = cJSON_Parse("{\"a\":1,\"b\":null,\"c\":[]}");
    edit_set_string(json, "a", "x");
    edit_set_int(json, "n", INT64_MAX);
    edit_set_bool(edit_object(json, "b"), "is", true);
    cJSON_AddItemToArray(edit_list(json, "c"), cJSON_CreateString("y"));
    cJSON_AddItemToArray(edit_list(json, "a"), cJSON_CreateString("z")); /* a text is no list */
    is(json, "{\"a\":[\"z\"],\"b\":{\"is\":true},\"c\":[\"y\"],\"n\":9223372036854775807}");
}

static void pairs_come_and_go(void **state)
{
    (void)state;
    cleanup_json cJSON *json = cJSON_Parse("{\"old\":\"1\",\"kept\":\"2\"}");
    const struct option_values add = {.items = {"a=b=c", "empty"}, .count = 2}, rm = {.items = {"old", "none"}, .count = 2},
                               wrong = {.items = {"=b"}, .count = 1};
    edit_remove_keys(json, &rm);
    assert_ok(edit_set_pairs(json, &add, "label-add", err));
    is(json, "{\"kept\":\"2\",\"a\":\"b=c\",\"empty\":\"\"}");
    assert_fails(edit_set_pairs(json, &wrong, "label-add", err), ERR_INVALID, "\"--label-add\" flag: write KEY=VALUE");
}

static void fields_are_read_one_by_one(void **state)
{
    (void)state;
    char text[] = "a=b,c,d=,=e,f=g=h";
    char *rest = text;
    struct field field;
    static const char *const keys[] = {"a", "c", "d", "", "f"}, *const values[] = {"b", "", "", "e", "g=h"};
    for (int i = 0; i < 5; i++) {
        assert_true(edit_next_field(&rest, &field));
        assert_string_equal(field.key, keys[i]);
        assert_string_equal(field.value, values[i]);
        assert_true(field.has_value == (i != 1));
    }
    assert_false(edit_next_field(&rest, &field));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(members_are_set_in_place), cmocka_unit_test(pairs_come_and_go),
                                       cmocka_unit_test(fields_are_read_one_by_one)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
