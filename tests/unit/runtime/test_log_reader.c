/* tests/unit/runtime/test_log_reader.c */
#include "runtime/log_reader.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/unit/test.h"

#define AT "2026-11-23T22:00:01.000000000+00:00 "

struct fixture {
    uv_loop_t loop;
    char dir[32];
    char *path;
    struct log_reader *reader;
    char seen[512];
    bool has_ended, pauses;
};

static int set_up(void **state)
{
    struct fixture *f = mem_alloc(sizeof *f);

    snprintf(f->dir, sizeof f->dir, "/tmp/skep-logs-XXXXXX");
    *state = f;
    if (!mkdtemp(f->dir))
        return -1;
    f->path = mem_format("%s/output.log", f->dir);
    return uv_loop_init(&f->loop);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    assert_ok(file_remove_tree(f->dir, err));
    free(f->path);
    free(f);
    return 0;
}

static void append(const struct fixture *f, int number, const char *text)
{
    cleanup_free char *path = number ? mem_format("%s.%d", f->path, number) : mem_string(f->path);
    FILE *file = fopen(path, "abe");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void rotate(const struct fixture *f, int64_t files)
{
    assert_ok(log_reader_rotate(f->path, files, err));
}

static bool is_there(const struct fixture *f, int number)
{
    cleanup_free char *path = mem_format("%s.%d", f->path, number);

    return file_exists(path);
}

static void on_entry(void *ctx, const struct hcs_log_entry *entry)
{
    struct fixture *f = ctx;
    size_t length = strlen(f->seen);

    snprintf(f->seen + length, sizeof f->seen - length, "%.*s", (int)entry->text.size, (const char *)entry->text.data);
    if (f->pauses)
        log_reader_pause(f->reader, true);
}

static void on_end(void *ctx, const struct error *err)
{
    struct fixture *f = ctx;

    assert_null(err);
    f->has_ended = true;
}

static void open_reader(struct fixture *f, bool follow, int64_t tail)
{
    struct hcs_log_options options = {.wants_stdout = true, .wants_stderr = true, .follow = follow, .tail = tail};
    struct hcs_log_sink sink = {on_entry, on_end, f};

    assert_ok(log_reader_open(&f->loop, f->path, &options, &sink, &f->reader, err));
}

static void on_woken(uv_timer_t *timer)
{
    (void)timer;
}

/* Let it read until it has seen @want, or a second is over. */
static void expect(struct fixture *f, const char *want)
{
    uv_timer_t timer;

    uv_timer_init(&f->loop, &timer);
    uv_timer_start(&timer, on_woken, 5, 5);
    for (int i = 0; i < 200 && strcmp(f->seen, want) != 0; i++)
        uv_run(&f->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_string_equal(f->seen, want);
}

static void close_reader(struct fixture *f)
{
    log_reader_close(f->reader, NULL, NULL);
}

static void old_files_come_first_and_the_end_is_told(void **state)
{
    struct fixture *f = *state;

    append(f, 2, AT "stdout F one\n");
    append(f, 1, AT "stdout F two\n");
    append(f, 0, AT "stdout F three\n");
    open_reader(f, false, -1);
    expect(f, "one\ntwo\nthree\n");
    assert_true(f->has_ended);
    close_reader(f);
}

static void a_tail_reaches_back_into_old_files(void **state)
{
    struct fixture *f = *state;

    append(f, 2, AT "stdout F one\n");
    append(f, 1, AT "stdout F two\n" AT "stdout F three\n");
    append(f, 0, AT "stdout F four\n");
    open_reader(f, false, 2);
    expect(f, "three\nfour\n");
    close_reader(f);
}

static void a_reader_follows_across_a_rotation(void **state)
{
    struct fixture *f = *state;

    append(f, 0, AT "stdout F one\n");
    open_reader(f, true, -1);
    expect(f, "one\n");
    rotate(f, 2);
    append(f, 1, AT "stdout F late\n"); /* the writer had not seen it yet */
    append(f, 0, AT "stdout F two\n");
    expect(f, "one\nlate\ntwo\n");
    assert_false(f->has_ended);
    log_reader_finish(f->reader);
    append(f, 0, AT "stdout F last\n");
    expect(f, "one\nlate\ntwo\nlast\n");
    close_reader(f);
}

static void a_pause_holds_after_the_entry_it_came_with(void **state)
{
    struct fixture *f = *state;

    append(f, 0, AT "stdout F one\n" AT "stdout F two\n");
    f->pauses = true;
    open_reader(f, false, -1);
    expect(f, "one\n");
    uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_string_equal(f->seen, "one\n");
    f->pauses = false;
    log_reader_pause(f->reader, false);
    expect(f, "one\ntwo\n");
    close_reader(f);
}

static void no_more_files_are_kept_than_asked_for(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 5; i++) {
        append(f, 0, AT "stdout F x\n");
        rotate(f, 3);
    }
    assert_true(is_there(f, 1) && is_there(f, 2));
    assert_false(is_there(f, 3));
    rotate(f, 3); /* no file to rename is no error */
}

static void a_log_that_is_not_there_yet_is_empty(void **state)
{
    struct fixture *f = *state;

    open_reader(f, true, -1);
    expect(f, "");
    append(f, 0, AT "stdout F first\n");
    expect(f, "first\n");
    close_reader(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(old_files_come_first_and_the_end_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_tail_reaches_back_into_old_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reader_follows_across_a_rotation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_pause_holds_after_the_entry_it_came_with, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_more_files_are_kept_than_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_log_that_is_not_there_yet_is_empty, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
