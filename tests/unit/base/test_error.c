/* tests/unit/base/test_error.c */
#include <uv.h>

#include "tests/unit/test.h"

static void success_leaves_the_struct_untouched_and_failure_fills_it(void **state)
{
    (void)state;
    struct error err = {0};
    assert_int_equal(error_set(&err, ERR_TOKEN, "token of %d parts", 3), ERR_TOKEN);
    assert_int_equal(err.code, ERR_TOKEN);
    assert_string_equal(err.message, "token of 3 parts");
}

static void wrap_puts_context_in_front_and_keeps_the_code(void **state)
{
    (void)state;
    struct error err = {0};
    error_set(&err, ERR_DEADLINE, "no answer");
    assert_int_equal(error_wrap(&err, "dial %s", "10.0.0.5"), ERR_DEADLINE);
    assert_int_equal(error_wrap(&err, "join"), ERR_DEADLINE);
    assert_string_equal(err.message, "join: dial 10.0.0.5: no answer");
}

static void a_message_too_long_is_cut_with_a_mark(void **state)
{
    (void)state;
    char text[ERROR_MESSAGE_SIZE_BYTES * 2];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct error err = {0};
    error_set(&err, ERR_INVALID, "%s", text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    assert_string_equal(err.message + sizeof err.message - sizeof "…", "…");
    error_wrap(&err, "outer");
    assert_memory_equal(err.message, "outer: xxx", 10);
}

static void every_code_has_a_name_help_and_three_mappings(void **state)
{
    (void)state;
#define X(name, value, grpc, http, exit_code, help)                                                                                        \
    assert_string_equal(error_name(ERR_##name), "ERR_" #name);                                                                             \
    assert_true(strlen(error_help(ERR_##name)) > 0);                                                                                       \
    assert_in_range(error_grpc_status(ERR_##name), 1, 16);                                                                                 \
    assert_in_range(error_http_status(ERR_##name), 400, 599);                                                                              \
    assert_in_range(error_exit_code(ERR_##name), 64, 78);
    ERROR_CODES(X)
#undef X
    assert_int_equal(error_grpc_status(0), 0);
    assert_int_equal(error_http_status(0), 200);
    assert_int_equal(error_exit_code(0), 0);
    assert_string_equal(error_name(-1000), "ERR_UNKNOWN");
}

static void a_grpc_status_becomes_a_code_and_back(void **state)
{
    (void)state;
    assert_int_equal(error_from_grpc(0), 0);
    for (int status = 1; status <= 16; status++)
        assert_true(error_from_grpc(status) < 0);
    assert_int_equal(error_from_grpc(14), ERR_UNAVAILABLE);
    assert_int_equal(error_from_grpc(16), ERR_TRUST);
    assert_int_equal(error_from_grpc(99), ERR_PEER);
    assert_int_equal(error_from_grpc(-5), ERR_PEER);
}

static void a_system_error_keeps_what_was_tried_and_its_text(void **state)
{
    (void)state;
    struct error err = {0};
    assert_int_equal(error_set_uv(&err, UV_ENOENT, "open %s", "/x"), ERR_NOT_FOUND);
    assert_string_equal(err.message, "open /x: no such file or directory");
    assert_int_equal(error_set_uv(&err, UV_ENOSPC, "write %s", "/x"), ERR_NO_SPACE);
    assert_int_equal(error_set_uv(NULL, UV_EACCES, "x"), ERR_PERMISSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(success_leaves_the_struct_untouched_and_failure_fills_it),
        cmocka_unit_test(wrap_puts_context_in_front_and_keeps_the_code),
        cmocka_unit_test(a_message_too_long_is_cut_with_a_mark),
        cmocka_unit_test(every_code_has_a_name_help_and_three_mappings),
        cmocka_unit_test(a_grpc_status_becomes_a_code_and_back),
        cmocka_unit_test(a_system_error_keeps_what_was_tried_and_its_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
