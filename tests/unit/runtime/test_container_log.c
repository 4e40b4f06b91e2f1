/* tests/unit/runtime/test_container_log.c */
#include "runtime/container_log.h"

#include "base/time.h"
#include "tests/unit/test.h"

static struct buf seen; /* "1:text" or "2:text", '+' in front of a partial one */
static struct container_log *to_pause;
static int64_t last_wall_ns;

static void on_entry(void *ctx, const struct hcs_log_entry *entry)
{
    (void)ctx;
    buf_append_format(&seen, "%s%d:%.*s", entry->is_partial ? "+" : "", entry->stream, (int)entry->text.size,
                      (const char *)entry->text.data);
    last_wall_ns = entry->wall_ns;
    if (to_pause)
        to_pause->is_paused = true;
}

static const struct container_log_filter both = {true, true, 0, 0};

static int tear_down(void **state)
{
    (void)state;
    buf_deinit(&seen);
    to_pause = NULL;
    return 0;
}

static void check(const struct container_log_filter *filter, const char *file, size_t chunk, const char *want, uint64_t want_damaged)
{
    struct container_log log;
    container_log_init(&log, filter);
    for (size_t at = 0; at < strlen(file); at += chunk) {
        size_t size = strlen(file) - at < chunk ? strlen(file) - at : chunk;
        container_log_feed(&log, bytes_of(file + at, size), on_entry, NULL);
    }
    container_log_flush(&log, on_entry, NULL);
    buf_append(&seen, "", 0);
    assert_string_equal((char *)seen.data, want);
    assert_int_equal(log.damaged_count, want_damaged);
    container_log_deinit(&log);
    buf_clear(&seen);
}

#define T1 "2026-11-23T22:00:01.000000000+00:00 "
#define T2 "2026-11-23T23:00:02.5+01:00 " /* the same hour, another zone */
#define T3 "2026-11-23T22:00:03Z "

static void records_become_lines_however_the_file_is_cut(void **state)
{
    (void)state;
    const char *file = T1 "stdout F one\n" T2 "stderr F two  words\n" T3 "stdout F \n";
    for (size_t chunk = 1; chunk < 100; chunk++)
        check(&both, file, chunk, "1:one\n2:two  words\n1:\n", 0);
    int64_t want;
    assert_ok(time_parse("2026-11-23T22:00:03Z", &want, err));
    assert_true(last_wall_ns == want);
}

static void pieces_of_a_line_are_joined_per_stream(void **state)
{
    (void)state;
    const char *file = T1 "stdout P he\n" T2 "stderr P er\n" T3 "stdout F llo\n" T3 "stderr F ror\n" T3 "stdout P prompt> \n";
    check(&both, file, 1000, "1:hello\n2:error\n+1:prompt> ", 0);
}

static void a_line_that_is_too_long_comes_in_parts(void **state)
{
    (void)state;
    struct buf file = {0}, want = {0};
    char piece[8001];
    memset(piece, 'x', 8000);
    piece[8000] = '\0';
    for (int i = 0; i < 5; i++)
        buf_append_format(&file, T1 "stdout %c %s\n", i < 4 ? 'P' : 'F', piece);
    buf_append_format(&want, "+1:%s%s%s1:%s%s\n", piece, piece, piece, piece, piece);
    check(&both, (char *)file.data, 4096, (char *)want.data, 0);
    buf_deinit(&file);
    buf_deinit(&want);
}

static void streams_and_times_are_filtered(void **state)
{
    (void)state;
    const char *file = T1 "stdout F one\n" T2 "stderr F two\n" T3 "stdout F three\n";
    struct container_log_filter filter = {true, false, 0, 0};
    check(&filter, file, 1000, "1:one\n1:three\n", 0);
    filter = (struct container_log_filter){false, true, 0, 0};
    check(&filter, file, 1000, "2:two\n", 0);
    filter = both;
    assert_ok(time_parse("2026-11-23T22:00:02.5Z", &filter.since_wall_ns, err));
    check(&filter, file, 1000, "2:two\n1:three\n", 0);
    filter = both;
    assert_ok(time_parse("2026-11-23T22:00:02.5Z", &filter.until_wall_ns, err));
    check(&filter, file, 1000, "1:one\n2:two\n", 0); /* of its very instant too, as dockerd */
}

static void what_is_no_record_is_left_out_and_counted(void **state)
{
    (void)state;
    const char *file =
        "\n" T1 "\n" T1 "stdout\n" T1 "stdout X a\n" T1 "stdin F a\nyesterday stdout F a\n" T1 "stdout F good\n" T1 "stdout F";
    check(&both, file, 7, "1:good\n", 6);
    struct buf long_line = {0};
    for (unsigned i = 0; i < CONTAINER_LOG_RECORD_BYTES + 10; i++)
        buf_append(&long_line, "y", 1);
    buf_append_string(&long_line, "\n" T1 "stdout F after\n");
    check(&both, (char *)long_line.data, 1000, "1:after\n", 1);
    buf_deinit(&long_line);
}

static void feeding_stops_behind_the_entry_that_paused(void **state)
{
    (void)state;
    const char *file = T1 "stdout F one\n" T2 "stdout F two\n";
    struct container_log log;
    container_log_init(&log, &both);
    to_pause = &log;
    size_t taken = container_log_feed(&log, bytes_of_string(file), on_entry, NULL);
    assert_int_equal(taken, strlen(T1 "stdout F one\n"));
    assert_string_equal((char *)seen.data, "1:one\n");
    log.is_paused = false;
    taken += container_log_feed(&log, bytes_of_string(file + taken), on_entry, NULL);
    assert_int_equal(taken, strlen(file));
    assert_string_equal((char *)seen.data, "1:one\n1:two\n");
    container_log_deinit(&log);
}

static int64_t read_text(void *self, uint64_t offset, void *data, size_t size, struct error *err)
{
    (void)err;
    memcpy(data, (const char *)self + offset, size);
    return (int64_t)size;
}

static void check_tail(const struct container_log_filter *filter, const char *file, uint64_t lines, const char *want_from,
                       uint64_t want_found)
{
    uint64_t offset, found;
    assert_ok(container_log_find_tail(read_text, (void *)(uintptr_t)file, strlen(file), filter, lines, &offset, &found, err));
    assert_string_equal(file + offset, want_from);
    assert_int_equal(found, want_found);
}

static void the_tail_is_found_from_behind(void **state)
{
    (void)state;
#define R1 T1 "stdout F one\n"
#define R2 T1 "stderr F two\n"
#define R3 T1 "stdout P th\n"
#define R4 T1 "stdout F ree\n"
#define R5 T1 "stdout P open\n"
    const struct container_log_filter out_only = {true, false, 0, 0};
    check_tail(&both, R1 R2 R3 R4, 1, R3 R4, 1);
    check_tail(&both, R1 R2 R3 R4, 2, R2 R3 R4, 2);
    check_tail(&both, R1 R2 R3 R4, 3, R1 R2 R3 R4, 3);
    check_tail(&both, R1 R2 R3 R4, 9, R1 R2 R3 R4, 3);
    check_tail(&both, R1 R2 R3 R4, 0, "", 0);
    check_tail(&both, R1 R2 R3 R4 R5, 1, R5, 1);
    check_tail(&out_only, R1 R2 R3 R4, 2, R1 R2 R3 R4, 2);
    check_tail(&both, "", 3, "", 0);
    check_tail(&both, R1 "torn", 1, R1 "torn", 1);
    struct buf large = {0};
    for (int i = 0; i < 5000; i++)
        buf_append_format(&large, T1 "stdout F line %d\n", i);
    check_tail(&both, (char *)large.data, 3000, strstr((char *)large.data, T1 "stdout F line 2000\n"), 3000);
    buf_deinit(&large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(records_become_lines_however_the_file_is_cut, tear_down),
        cmocka_unit_test_teardown(pieces_of_a_line_are_joined_per_stream, tear_down),
        cmocka_unit_test_teardown(a_line_that_is_too_long_comes_in_parts, tear_down),
        cmocka_unit_test_teardown(streams_and_times_are_filtered, tear_down),
        cmocka_unit_test_teardown(what_is_no_record_is_left_out_and_counted, tear_down),
        cmocka_unit_test_teardown(feeding_stops_behind_the_entry_that_paused, tear_down),
        cmocka_unit_test_teardown(the_tail_is_found_from_behind, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
