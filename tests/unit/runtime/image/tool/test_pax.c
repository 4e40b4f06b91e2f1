/* What Windows' layers keep in pax headers, read beside libarchive; and archives on which the two could disagree. */
#include "runtime/image/tool/pax.h"

#include <locale.h>
#include <stdlib.h>

#include "tests/unit/runtime/image/tool/archives.h"
#include "tests/unit/test.h"

static int describe(void *ctx, struct archive_entry *entry, const struct windows_meta *meta, struct error *err)
{
    struct buf *text = ctx;
    (void)err;
    buf_append_format(text, "%s", archive_entry_pathname(entry));
    if (meta->path)
        buf_append_format(text, " path %s", meta->path);
    if (meta->link)
        buf_append_format(text, " link %s", meta->link);
    if (meta->has_attributes)
        buf_append_format(text, " attributes %x", meta->attributes);
    if (meta->descriptor.size)
        buf_append_format(text, " rawsd %.*s", (int)meta->descriptor.size, (const char *)meta->descriptor.data);
    if (meta->sddl)
        buf_append_format(text, " sd %s", meta->sddl);
    for (size_t i = 0; i < meta->ea_count; i++)
        buf_append_format(text, " %s=%.*s", meta->eas[i].name, (int)meta->eas[i].value.size, (const char *)meta->eas[i].value.data);
    buf_append_string(text, meta->is_junction ? " junction;" : ";");
    return 0;
}

/* In pieces of several sizes the result is the same. */
static int read_all(const struct buf *tar, struct buf *text, struct error *err)
{
    static const size_t pieces[] = {1, 7, 512, 513, 4096, 1 << 20};
    int failed = 0;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        cleanup_buf struct buf found = {0};
        failed = read_both(buf_bytes(tar), pieces[i], describe, &found, err);
        if (i > 0)
            assert_string_equal(found.data ? (char *)found.data : "", text->data ? (char *)text->data : "");
        buf_clear(text);
        buf_append_string(text, found.data ? (char *)found.data : "");
    }
    return failed;
}

static void put_record_header(struct buf *tar, char type, const char *key, const char *value)
{
    cleanup_buf struct buf text = {0};
    put_record(&text, key, value);
    put_pax(tar, type, &text);
}

static void what_windows_keeps_is_found_for_its_entry(void **state)
{
    (void)state;
    cleanup_buf struct buf tar = {0}, records = {0}, text = {0};
    put_record(&records, "MSWINDOWS.fileattr", "34");
    put_record(&records, "MSWINDOWS.rawsd", "c2VjcmV0");
    put_record(&records, "mtime", "1700000000.5");
    put_record(&records, "MSWINDOWS.xattr.ONE", "MQ==");
    put_record(&records, "MSWINDOWS.xattr.TWO", "");
    put_entry(&tar, "Files", '5', NULL, NULL);
    put_pax(&tar, 'x', &records);
    put_entry(&tar, "Files/a", '0', "some content", NULL);
    put_entry(&tar, "Files/b", '0', "x", NULL);
    put_record_header(&tar, 'x', "MSWINDOWS.mountpoint", "1");
    put_entry(&tar, "Files/c", '2', NULL, "C:/a");
    put_record_header(&tar, 'x', "MSWINDOWS.sd", "O:BA");
    put_entry(&tar, "Files/d", '1', NULL, "Files/a");
    put_end(&tar);
    assert_ok(read_all(&tar, &text, err));
    assert_string_equal((char *)text.data, "Files;Files/a attributes 22 rawsd secret ONE=1 TWO=;Files/b;Files/c junction;Files/d sd O:BA;");
}

static void names_are_as_they_are_spelled(void **state)
{
    (void)state;
    cleanup_buf struct buf tar = {0}, records = {0};
    put_record(&records, "path", "Files/e\xCC\x81"); /* which libarchive composes */
    put_record(&records, "linkpath", "Files/\xC3\xA9");
    put_pax(&tar, 'x', &records);
    put_entry(&tar, "ignored", '1', NULL, "ignored");
    put_end(&tar);
    struct pax *pax = pax_new();
    const struct windows_meta *meta;
    assert_ok(pax_feed(pax, buf_bytes(&tar), err));
    assert_ok(pax_take(pax, 0, &meta, err));
    assert_string_equal(meta->path, "Files/e\xCC\x81");
    assert_string_equal(meta->link, "Files/\xC3\xA9");
    pax_free(pax);
}

static void sizes_come_from_the_pax_header_where_it_has_one(void **state)
{
    (void)state;
    cleanup_buf struct buf tar = {0}, text = {0};
    put_record_header(&tar, 'x', "size", "600");
    put_header(&tar, "a", '0', 0, NULL);
    for (int i = 0; i < 600; i++)
        buf_append(&tar, "z", 1);
    put_padding(&tar);
    put_record_header(&tar, 'x', "MSWINDOWS.fileattr", "1");
    put_entry(&tar, "b", '0', "x", NULL);
    put_end(&tar);
    assert_ok(read_all(&tar, &text, err));
    assert_string_equal((char *)text.data, "a;b attributes 1;");
}

static void long_names_of_gnu_and_global_headers_are_passed_over(void **state)
{
    (void)state;
    cleanup_buf struct buf tar = {0}, text = {0};
    char name[700] = "";
    for (int i = 0; i < 60; i++)
        strcat(name, "directory/");
    name[strlen(name) - 1] = 'x';                            /* not a directory's */
    put_record_header(&tar, 'g', "MSWINDOWS.fileattr", "7"); /* of no entry in particular: nobody heeds it */
    put_entry(&tar, "././@LongLink", 'L', name, NULL);
    put_record_header(&tar, 'x', "MSWINDOWS.fileattr", "1");
    put_entry(&tar, "short", '0', "x", NULL);
    put_entry(&tar, "././@LongLink", 'K', name, NULL);
    put_entry(&tar, "b", '2', NULL, "short");
    put_record_header(&tar, 'x', "MSWINDOWS.fileattr", "2");
    put_record_header(&tar, 'g', "comment", "in between");
    put_entry(&tar, "c", '0', "x", NULL);
    put_end(&tar);
    assert_ok(read_all(&tar, &text, err));
    cleanup_free char *want = mem_format("%s attributes 1;b;c attributes 2;", name);
    assert_string_equal((char *)text.data, want);
}

static void empty_archives_have_no_entries(void **state)
{
    (void)state;
    cleanup_buf struct buf tar = {0}, text = {0};
    put_end(&tar);
    assert_ok(read_all(&tar, &text, err));
    assert_int_equal(text.size, 0);
}

/* --- refused ------------------------------------------------------------------------------------------------------------------------- */

static void refuse(const struct buf *tar, int code, const char *why)
{
    cleanup_buf struct buf text = {0};
    assert_fails(read_all(tar, &text, err), code, why);
}

static void refuse_record(const char *key, const char *value, int code, const char *why)
{
    cleanup_buf struct buf tar = {0};
    put_record_header(&tar, 'x', key, value);
    put_entry(&tar, "a", '0', "x", NULL);
    put_end(&tar);
    refuse(&tar, code, why);
}

static void values_that_cannot_be_are_refused(void **state)
{
    (void)state;
    cleanup_free char *longer = mem_alloc(100000);
    memset(longer, 'A', 99999);
    refuse_record("MSWINDOWS.fileattr", "x", ERR_CORRUPT, "MSWINDOWS.fileattr: not a number");
    refuse_record("MSWINDOWS.fileattr", "4294967296", ERR_CORRUPT, "not a number");
    refuse_record("MSWINDOWS.rawsd", "!", ERR_CORRUPT, "not base64");
    refuse_record("MSWINDOWS.rawsd", longer, ERR_LIMIT, "more than 65536 bytes");
    refuse_record("MSWINDOWS.sd", longer, ERR_LIMIT, "more than 65536 bytes");
    refuse_record("MSWINDOWS.xattr.", "AA==", ERR_INVALID, "has 1 to 255 bytes");
    refuse_record("MSWINDOWS.xattr.A", longer, ERR_LIMIT, "more than 65535 bytes");
    longer[300] = '\0';
    cleanup_free char *key = mem_format("MSWINDOWS.xattr.%s", longer);
    refuse_record(key, "AA==", ERR_INVALID, "has 1 to 255 bytes");
    refuse_record("GNU.sparse.major", "1", ERR_INVALID, "a sparse file");
    refuse_record("SUN.holesdata", " 0 1", ERR_INVALID, "a sparse file");
    refuse_record("size", "9223372036854775807", ERR_CORRUPT, "not a number it can have");
}

static void attributes_of_one_entry_are_limited(void **state)
{
    (void)state;
    cleanup_buf struct buf tar = {0}, many = {0}, large = {0}, tar_2 = {0};
    cleanup_free char *value = mem_alloc(40001);
    memset(value, 'A', 40000);
    for (int i = 0; i < 257; i++)
        put_record(&many, "MSWINDOWS.xattr.A", "AA==");
    put_pax(&tar, 'x', &many);
    put_entry(&tar, "a", '0', "x", NULL);
    refuse(&tar, ERR_LIMIT, "more than 256 extended attributes");
    for (int i = 0; i < 3; i++)
        put_record(&large, "MSWINDOWS.xattr.A", value);
    put_pax(&tar_2, 'x', &large);
    put_entry(&tar_2, "a", '0', "x", NULL);
    refuse(&tar_2, ERR_LIMIT, "extended attributes of more than");
}

static void damaged_pax_headers_are_refused(void **state)
{
    (void)state;
    static const char *const damaged[] = {
        "x a=b\n", "5 a=b\n", "7 a=b\n", "6 a=b\t", "6 aab\n", "5 =b\n", "4 \n ", "99999999999999999999 a=b\n", "6"};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        cleanup_buf struct buf tar = {0};
        put_entry(&tar, "PaxHeader", 'x', damaged[i], NULL);
        put_entry(&tar, "a", '0', "x", NULL);
        put_end(&tar);
        refuse(&tar, ERR_CORRUPT, "a damaged pax header");
    }
    cleanup_buf struct buf tar = {0}, text = {0};
    buf_append(&text, "29 MSWINDOWS.sd=hidden\0behind\n", 30);
    text.data[0] = '3';
    text.data[1] = '0';
    put_pax(&tar, 'x', &text);
    put_entry(&tar, "a", '0', "x", NULL);
    refuse(&tar, ERR_CORRUPT, "a zero byte in it");
}

static void what_can_be_read_in_two_ways_is_refused(void **state)
{
    (void)state;
    cleanup_buf struct buf two = {0}, link = {0}, link_2 = {0}, directory = {0}, slash = {0}, kind = {0}, large = {0}, size = {0},
                           lost = {0};
    put_record_header(&two, 'x', "MSWINDOWS.fileattr", "1");
    put_record_header(&two, 'x', "MSWINDOWS.fileattr", "2");
    put_entry(&two, "a", '0', "x", NULL);
    refuse(&two, ERR_INVALID, "two pax headers");
    put_entry(&link, "a", '1', "content", "b");
    refuse(&link, ERR_INVALID, "a hard link with a content");
    put_record_header(&link_2, 'x', "size", "7");
    put_entry(&link_2, "a", '1', NULL, "b");
    refuse(&link_2, ERR_INVALID, "a hard link with a content");
    put_record_header(&directory, 'x', "size", "7");
    put_entry(&directory, "a", '5', NULL, NULL);
    refuse(&directory, ERR_INVALID, "a link or directory with a content");
    put_entry(&slash, "a/", '0', "content", NULL); /* a directory to libarchive, whose content would be the next header */
    put_entry(&slash, "b", '0', "x", NULL);
    put_end(&slash);
    refuse(&slash, ERR_CORRUPT, "");
    put_entry(&kind, "a", 'S', "content", NULL);
    refuse(&kind, ERR_INVALID, "an entry of type 'S'");
    put_header(&large, "PaxHeader", 'x', PAX_HEADER_SIZE_BYTES + 1, NULL);
    put_padding(&large);
    refuse(&large, ERR_LIMIT, "a special header of more than");
    put_entry(&size, "a", '0', "x", NULL);
    memcpy(size.data + 124, "0000000001x", 11);
    refuse(&size, ERR_CORRUPT, "");
    put_record_header(&lost, 'x', "MSWINDOWS.fileattr", "1");
    put_end(&lost);
    refuse(&lost, ERR_CORRUPT, "");
}

static void an_entry_at_another_place_is_told(void **state)
{
    (void)state;
    cleanup_buf struct buf tar = {0};
    const struct windows_meta *meta;
    struct pax *pax = pax_new();
    put_entry(&tar, "a", '0', "x", NULL);
    put_entry(&tar, "b", '0', "x", NULL);
    assert_ok(pax_feed(pax, buf_bytes(&tar), err));
    assert_fails(pax_take(pax, 512, &meta, err), ERR_CORRUPT, "in two ways: an entry at 512, or at 0");
    assert_ok(pax_take(pax, 0, &meta, err));
    assert_fails(pax_finish(pax, err), ERR_CORRUPT, "it ends, or has an entry at 1024");
    assert_ok(pax_take(pax, 1024, &meta, err));
    assert_ok(pax_finish(pax, err));
    assert_fails(pax_take(pax, 2048, &meta, err), ERR_CORRUPT, "an entry at 2048");
    pax_free(pax);
}

static void sizes_beyond_octal_are_read(void **state)
{
    (void)state;
    cleanup_buf struct buf tar = {0};
    const struct windows_meta *meta;
    struct pax *pax = pax_new();
    put_header(&tar, "a", '0', 0, NULL);
    memset(tar.data + 124, 0, 12);
    tar.data[124] = 0x80;
    tar.data[134] = 2; /* 512 */
    put_entry(&tar, "the content is a header", '0', NULL, NULL);
    put_entry(&tar, "b", '0', "x", NULL);
    assert_ok(pax_feed(pax, buf_bytes(&tar), err));
    assert_ok(pax_take(pax, 0, &meta, err));
    assert_ok(pax_take(pax, 1024, &meta, err));
    assert_ok(pax_finish(pax, err));
    pax_free(pax);
    pax = pax_new();
    tar.data[125] = 1;
    assert_fails(pax_feed(pax, buf_bytes(&tar), err), ERR_CORRUPT, "no number that it can have");
    pax_free(pax);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_windows_keeps_is_found_for_its_entry),
        cmocka_unit_test(names_are_as_they_are_spelled),
        cmocka_unit_test(sizes_come_from_the_pax_header_where_it_has_one),
        cmocka_unit_test(long_names_of_gnu_and_global_headers_are_passed_over),
        cmocka_unit_test(empty_archives_have_no_entries),
        cmocka_unit_test(values_that_cannot_be_are_refused),
        cmocka_unit_test(attributes_of_one_entry_are_limited),
        cmocka_unit_test(damaged_pax_headers_are_refused),
        cmocka_unit_test(what_can_be_read_in_two_ways_is_refused),
        cmocka_unit_test(an_entry_at_another_place_is_told),
        cmocka_unit_test(sizes_beyond_octal_are_read),
    };
    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
