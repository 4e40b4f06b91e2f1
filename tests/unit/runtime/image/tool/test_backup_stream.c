/* Backup streams to the byte, and read again in pieces of every size. */
#include "runtime/image/tool/backup_stream.h"

#include "base/encode.h"
#include "base/mem.h"
#include "tests/unit/test.h"

static void assert_bytes(const struct buf *got, const char *want_hex)
{
    cleanup_free char *hex = mem_alloc(2 * got->size + 1);
    cleanup_buf struct buf want = {0};
    encode_hex(buf_bytes(got), hex);
    for (const char *c = want_hex; *c; c++)
        if (*c != ' ')
            buf_append(&want, c, 1);
    assert_string_equal(hex, (const char *)want.data);
}

static void security_is_the_descriptor_behind_a_header(void **state)
{
    (void)state;
    cleanup_buf struct buf out = {0};
    backup_put_security(&out, bytes_of("\x01\x00\x04\x80", 4));
    assert_bytes(&out, "03000000 00000000 0400000000000000 00000000 01000480");
}

static void data_is_a_header_with_64_bits_of_size(void **state)
{
    (void)state;
    cleanup_buf struct buf out = {0};
    backup_put_data(&out, 0x123456789A);
    assert_bytes(&out, "01000000 00000000 9a78563412000000 00000000");
}

static void attributes_are_a_chain_padded_to_four_bytes(void **state)
{
    (void)state;
    cleanup_buf struct buf out = {0};
    const struct windows_ea eas[] = {{"AB", bytes_of("x", 1)}, {"C", bytes_of("yz", 2)}};
    backup_put_eas(&out, eas, 2);
    /* id, attributes, size 28; next 12, flags 0, 2 of name, 1 of value, "AB\0", "x"; next 0, flags 0, 1, 2, "C\0", "yz" */
    assert_bytes(&out, "02000000 00000000 1800000000000000 00000000"
                       "0c000000 00 02 0100 414200 78"
                       "00000000 00 01 0200 4300 797a");
    buf_clear(&out);
    backup_put_eas(&out, eas, 0);
    assert_int_equal(out.size, 0);
    const struct windows_ea odd[] = {{"A", bytes_of("xyz", 3)}, {"B", bytes_of("", 0)}};
    eas_encode(&out, odd, 2);
    assert_bytes(&out, "10000000 00 01 0300 4100 78797a 000000 00000000 00 01 0000 4200");
}

static void a_stream_is_named_with_its_type(void **state)
{
    (void)state;
    cleanup_buf struct buf out = {0};
    assert_ok(backup_put_alternate(&out, "é", 5, err));
    assert_bytes(&out, "04000000 00000000 0500000000000000 10000000 3a00 e900 3a00 2400 4400 4100 5400 4100");
    assert_fails(backup_put_alternate(&out, "\xff", 5, err), ERR_INVALID, "no UTF-8");
    cleanup_free char *longer = mem_alloc(600);
    memset(longer, 'x', 599);
    assert_fails(backup_put_alternate(&out, longer, 5, err), ERR_INVALID, "too long");
}

static void a_relative_symbolic_link_says_so(void **state)
{
    (void)state;
    cleanup_buf struct buf out = {0};
    assert_ok(reparse_encode(&out, "../a", false, err));
    /* tag, length, reserved; substitute at 0 of 8 bytes, shown at 8 of 8; relative; both names */
    assert_bytes(&out, "0c0000a0 1c00 0000 0000 0800 0800 0800 01000000 2e002e005c006100 2e002e005c006100");
}

static void an_absolute_link_has_the_kernels_name(void **state)
{
    (void)state;
    cleanup_buf struct buf out = {0};
    assert_ok(reparse_encode(&out, "C:/a", false, err));
    assert_bytes(&out, "0c0000a0 2400 0000 0000 1000 1000 0800 00000000 5c003f003f005c0043003a005c006100 43003a005c006100");
    buf_clear(&out);
    assert_ok(reparse_encode(&out, "//h/s", false, err)); /* a share */
    assert_bytes(&out, "0c0000a0 2c00 0000 0000 1600 1600 0a00 00000000"
                       "5c003f003f005c0055004e0043005c0068005c007300 "
                       "5c005c0068005c007300");
}

static void a_junction_ends_its_names_with_zeros(void **state)
{
    (void)state;
    cleanup_buf struct buf out = {0};
    assert_ok(backup_put_link(&out, "C:/a", true, err));
    assert_bytes(&out, "08000000 00000000 2c00000000000000 00000000"
                       "030000a0 2400 0000 0000 1000 1200 0800 5c003f003f005c0043003a005c006100 0000 43003a005c006100 0000");
    buf_clear(&out);
    assert_ok(reparse_encode(&out, "//?/Volume{1}/", true, err));
    assert_memory_equal(out.data + 16, "\\\0?\0?\0\\\0V\0o\0", 12);
    assert_fails(reparse_encode(&out, "a/b", true, err), ERR_INVALID, "must lead to an absolute path, not to a\\b");
    assert_fails(reparse_encode(&out, "", false, err), ERR_INVALID, "to nothing");
}

static void a_target_that_windows_could_not_hold_is_refused(void **state)
{
    (void)state;
    cleanup_buf struct buf out = {0};
    cleanup_free char *longer = mem_alloc(4100);
    memset(longer, 'x', 4095);
    assert_fails(reparse_encode(&out, longer, false, err), ERR_INVALID, "too long");
    longer[4000] = '\0';
    assert_ok(reparse_encode(&out, longer, false, err));
}

/* --- reading ------------------------------------------------------------------------------------------------------------------------- */

struct seen {
    struct buf text;
};

static int on_part(void *ctx, const struct backup_part *part, struct error *err)
{
    struct seen *seen = ctx;
    (void)err;
    buf_append_format(&seen->text, "[%u %u %llu %zu]", part->id, part->attributes, (unsigned long long)part->size, part->name.size);
    return 0;
}

static int on_content(void *ctx, struct bytes content, struct error *err)
{
    struct seen *seen = ctx;
    (void)err;
    buf_append(&seen->text, content.data, content.size);
    return 0;
}

static int read_in_pieces(struct bytes stream, size_t piece, struct buf *text, struct error *err)
{
    struct seen seen = {{0}};
    struct backup_reader reader = {.on_part = on_part, .on_content = on_content, .ctx = &seen};
    int failed = 0;
    for (size_t at = 0; failed == 0 && at < stream.size; at += piece)
        failed = backup_reader_feed(&reader, bytes_of(stream.data + at, piece < stream.size - at ? piece : stream.size - at), err);
    if (failed == 0)
        failed = backup_reader_finish(&reader, err);
    backup_reader_deinit(&reader);
    *text = seen.text;
    return failed;
}

static void what_was_written_is_read_in_pieces_of_any_size(void **state)
{
    (void)state;
    cleanup_buf struct buf stream = {0};
    backup_put_security(&stream, bytes_of("sd", 2));
    backup_put_data(&stream, 5);
    buf_append_string(&stream, "hello");
    assert_ok(backup_put_alternate(&stream, "s", 0, err));
    assert_ok(backup_put_alternate(&stream, "t", 3, err));
    buf_append_string(&stream, "abc");
    for (size_t piece = 1; piece <= stream.size; piece++) {
        cleanup_buf struct buf text = {0};
        assert_ok(read_in_pieces(buf_bytes(&stream), piece, &text, err));
        assert_string_equal((const char *)text.data, "[3 0 2 0]sd[1 0 5 0]hello[4 0 0 16][4 0 3 16]abc");
    }
}

static void damaged_streams_are_refused(void **state)
{
    (void)state;
    cleanup_buf struct buf stream = {0}, text = {0}, text_2 = {0}, text_3 = {0}, text_4 = {0}, text_5 = {0};
    backup_put_data(&stream, 5);
    buf_append_string(&stream, "hell");
    assert_fails(read_in_pieces(buf_bytes(&stream), 7, &text, err), ERR_CORRUPT, "in the middle of a part");
    assert_fails(read_in_pieces(bytes_of(stream.data, 19), 7, &text_2, err), ERR_CORRUPT, "in the middle of a part");
    stream.data[0] = 11;
    assert_fails(read_in_pieces(buf_bytes(&stream), 7, &text_3, err), ERR_CORRUPT, "unknown kind 11");
    stream.data[0] = 4;
    stream.data[18] = 1;
    assert_fails(read_in_pieces(buf_bytes(&stream), 7, &text_4, err), ERR_CORRUPT, "a name of 65536 bytes");
    stream.data[18] = 0;
    stream.data[15] = 0x80;
    assert_fails(read_in_pieces(buf_bytes(&stream), 7, &text_5, err), ERR_CORRUPT, "negative size");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(security_is_the_descriptor_behind_a_header),
        cmocka_unit_test(data_is_a_header_with_64_bits_of_size),
        cmocka_unit_test(attributes_are_a_chain_padded_to_four_bytes),
        cmocka_unit_test(a_stream_is_named_with_its_type),
        cmocka_unit_test(a_relative_symbolic_link_says_so),
        cmocka_unit_test(an_absolute_link_has_the_kernels_name),
        cmocka_unit_test(a_junction_ends_its_names_with_zeros),
        cmocka_unit_test(a_target_that_windows_could_not_hold_is_refused),
        cmocka_unit_test(what_was_written_is_read_in_pieces_of_any_size),
        cmocka_unit_test(damaged_streams_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
