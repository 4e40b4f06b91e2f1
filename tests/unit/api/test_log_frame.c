/* tests/unit/api/test_log_frame.c – what the API frames, the command takes apart again. */
#include "tests/unit/test.h"

#include "api/log_frame.h"
#include "cli/log_demux.h"

static struct hcs_log_entry entry(enum hcs_stream stream, const char *text)
{
    return (struct hcs_log_entry){.stream = stream, .wall_ns = 1700000000123456789, .text = bytes_of_string(text)};
}

static void frame_names_stream_and_size(void **state)
{
    (void)state;
    struct log_framer framer = {0};
    cleanup_buf struct buf out = {0};
    struct hcs_log_entry e = entry(HCS_STDERR, "abc\n");
    log_frame(&framer, &e, &out);
    assert_int_equal(out.size, 12);
    assert_memory_equal(out.data,
                        "\x02\0\0\0\0\0\0\x04"
                        "abc\n",
                        12);
}

static void terminal_output_has_no_frames(void **state)
{
    (void)state;
    struct log_framer framer = {.is_raw = true};
    cleanup_buf struct buf out = {0};
    struct hcs_log_entry e = entry(HCS_STDOUT, "abc\n");
    log_frame(&framer, &e, &out);
    assert_memory_equal(out.data, "abc\n", 4);
}

static void timestamp_stands_where_a_line_begins(void **state)
{
    (void)state;
    struct log_framer framer = {.is_raw = true, .wants_timestamps = true};
    cleanup_buf struct buf out = {0};
    struct hcs_log_entry first = entry(HCS_STDOUT, "be"), other = entry(HCS_STDERR, "x\n"), rest = entry(HCS_STDOUT, "gun\n");
    log_frame(&framer, &first, &out);
    log_frame(&framer, &other, &out);
    log_frame(&framer, &rest, &out);
    assert_string_equal((char *)out.data, "2023-11-14T22:13:20.123456789Z be2023-11-14T22:13:20.123456789Z x\ngun\n");
}

struct seen {
    struct buf streams[3];
};

static void on_text(void *ctx, int stream, struct bytes text)
{
    struct seen *seen = ctx;
    buf_append(&seen->streams[stream], text.data, text.size);
}

static void frames_come_apart_whatever_the_pieces(void **state)
{
    (void)state;
    struct log_framer framer = {0};
    cleanup_buf struct buf framed = {0};
    struct hcs_log_entry entries[] = {entry(HCS_STDOUT, "one\n"), entry(HCS_STDERR, "two\n"), entry(HCS_STDOUT, ""),
                                      entry(HCS_STDOUT, "three\n")};
    for (size_t i = 0; i < 4; i++)
        log_frame(&framer, &entries[i], &framed);
    for (size_t piece = 1; piece <= framed.size; piece++) {
        struct seen seen = {0};
        struct log_demux demux = {.on_text = on_text, .ctx = &seen};
        for (size_t at = 0; at < framed.size; at += piece)
            assert_ok(log_demux_add(&demux, bytes_of(framed.data + at, framed.size - at < piece ? framed.size - at : piece), err));
        assert_string_equal((char *)seen.streams[1].data, "one\nthree\n");
        assert_string_equal((char *)seen.streams[2].data, "two\n");
        buf_deinit(&seen.streams[1]);
        buf_deinit(&seen.streams[2]);
    }
}

static void strange_stream_is_an_error(void **state)
{
    (void)state;
    struct log_demux demux = {.on_text = on_text};
    assert_fails(log_demux_add(&demux, bytes_of("\x09\0\0\0\0\0\0\x01x", 9), err), ERR_PEER, "stream 9");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frame_names_stream_and_size),          cmocka_unit_test(terminal_output_has_no_frames),
        cmocka_unit_test(timestamp_stands_where_a_line_begins), cmocka_unit_test(frames_come_apart_whatever_the_pieces),
        cmocka_unit_test(strange_stream_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
