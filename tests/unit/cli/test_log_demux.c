/* tests/unit/cli/test_log_demux.c */
#include "cli/log_demux.h"

#include "tests/unit/test.h"

struct heard {
    struct buf out, problems;
};

static void on_text(void *ctx, int stream, struct bytes text)
{
    struct heard *heard = ctx;
    assert_true(stream == 1 || stream == 2);
    buf_append(stream == 2 ? &heard->problems : &heard->out, text.data, text.size);
}

static const char frames[] = "\1\0\0\0\0\0\0\3one"
                             "\2\0\0\0\0\0\0\4oops"
                             "\1\0\0\0\0\0\0\0"
                             "\0\0\0\0\0\0\0\4 two";

static void text_goes_to_its_stream_however_it_is_cut(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < sizeof frames; piece++) {
        struct heard heard = {0};
        struct log_demux demux = {.on_text = on_text, .ctx = &heard};
        for (size_t at = 0; at < sizeof frames - 1; at += piece) {
            size_t left = sizeof frames - 1 - at;
            assert_ok(log_demux_add(&demux, bytes_of(frames + at, left < piece ? left : piece), err));
        }
        assert_string_equal((char *)heard.out.data, "one two");
        assert_string_equal((char *)heard.problems.data, "oops");
        buf_deinit(&heard.out);
        buf_deinit(&heard.problems);
    }
}

static void on_last_words(void *ctx, int stream, struct bytes text)
{
    struct buf *out = ctx;
    assert_int_equal(stream, 3);
    buf_append(out, text.data, text.size);
}

static void the_daemons_own_words_are_told_apart(void **state)
{
    cleanup_buf struct buf out = {0};
    struct log_demux demux = {.on_text = on_last_words, .ctx = &out};
    (void)state;
    assert_ok(log_demux_add(&demux, bytes_of("\3\0\0\0\0\0\0\3why", 11), err));
    assert_int_equal(out.size, 3);
    assert_memory_equal(out.data, "why", 3);
}

static void stream_that_does_not_exist_is_refused(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct log_demux demux = {.on_text = on_text, .ctx = &heard};
    assert_fails(log_demux_add(&demux, bytes_of("\4\0\0\0\0\0\0\1x", 9), err), ERR_PEER, "a frame of stream 4");
    assert_null(heard.out.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_goes_to_its_stream_however_it_is_cut),
        cmocka_unit_test(the_daemons_own_words_are_told_apart),
        cmocka_unit_test(stream_that_does_not_exist_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
