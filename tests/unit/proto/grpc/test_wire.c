#include "proto/grpc/wire.h"

#include <stdlib.h>

#include "base/clock.h"
#include "proto/grpc/grpc.h"
#include "tests/unit/test.h"

static void frame_is_a_flag_and_a_size(void **state)
{
    (void)state;
    uint8_t frame[WIRE_FRAME_BYTES];
    wire_write_frame(frame, 0x01020304);
    assert_memory_equal(frame, "\0\1\2\3\4", 5);
    assert_int_equal(wire_read_frame(frame).size_bytes, 0x01020304);
    assert_false(wire_read_frame(frame).is_compressed);
    assert_true(wire_read_frame((const uint8_t *)"\1\0\0\0\0").is_compressed);
}

static void timeout_is_printed_in_the_finest_unit_that_fits(void **state)
{
    (void)state;
    static const struct {
        uint64_t ns;
        const char *text;
    } cases[] = {{1, "1n"},
                 {99999999, "99999999n"},
                 {100000000, "100000u"},
                 {4945425 * NS_PER_US, "4945425u"},
                 {100 * NS_PER_S, "100000m"},
                 {100 * NS_PER_S + 1, "100001m"},
                 {100001 * NS_PER_S, "100001S"},
                 {UINT64_MAX, "307445735M"}};
    char text[WIRE_TIMEOUT_CHARS];
    for (size_t i = 0; i + 1 < sizeof cases / sizeof cases[0]; i++) {
        uint64_t back = 0;
        wire_print_timeout(cases[i].ns, text);
        assert_string_equal(text, cases[i].text);
        assert_true(wire_parse_timeout(text, &back));
        assert_true(back >= cases[i].ns);
    }
    wire_print_timeout(UINT64_MAX, text);
    assert_string_equal(text, "5124096H");
}

static void malformed_timeouts_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "n", "5", "5x", "5nn", " 5n", "-5n", "123456789n", "1.5S", "5 S"};
    uint64_t ns;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(wire_parse_timeout(bad[i], &ns));
    assert_true(wire_parse_timeout("99999999H", &ns)); /* beyond our range: clamped */
    assert_true(ns > 0);
}

static void messages_survive_as_percent(void **state)
{
    (void)state;
    char *coded = wire_percent_encode("für 100%\n"), *back = wire_percent_decode(coded);
    assert_string_equal(coded, "f%C3%BCr 100%25%0A");
    assert_string_equal(back, "für 100%\n");
    free(coded);
    free(back);
    static const char *const cases[][2] = {{"%", "%"}, {"%4", "%4"}, {"%zz", "%zz"}, {"%41%4", "A%4"}, {"%00", "?"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        back = wire_percent_decode(cases[i][0]);
        assert_string_equal(back, cases[i][1]);
        free(back);
    }
}

static void content_type_is_grpc_or_a_kind_of_it(void **state)
{
    (void)state;
    assert_true(wire_is_grpc("application/grpc"));
    assert_true(wire_is_grpc("application/grpc+proto"));
    assert_true(wire_is_grpc("application/grpc;x"));
    assert_false(wire_is_grpc("application/grpcx"));
    assert_false(wire_is_grpc("text/html"));
    assert_false(wire_is_grpc(NULL));
}

static void foreign_answers_have_a_code(void **state)
{
    (void)state;
    assert_int_equal(wire_code_of_http(404), GRPC_UNIMPLEMENTED);
    assert_int_equal(wire_code_of_http(503), GRPC_UNAVAILABLE);
    assert_int_equal(wire_code_of_http(302), GRPC_UNKNOWN);
    assert_int_equal(wire_code_of_reset(8), GRPC_CANCELED);
    assert_int_equal(wire_code_of_reset(7), GRPC_UNAVAILABLE);
    assert_int_equal(wire_code_of_reset(11), GRPC_RESOURCE_EXHAUSTED);
    assert_int_equal(wire_code_of_reset(1), GRPC_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frame_is_a_flag_and_a_size),           cmocka_unit_test(timeout_is_printed_in_the_finest_unit_that_fits),
        cmocka_unit_test(malformed_timeouts_are_refused),       cmocka_unit_test(messages_survive_as_percent),
        cmocka_unit_test(content_type_is_grpc_or_a_kind_of_it), cmocka_unit_test(foreign_answers_have_a_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
