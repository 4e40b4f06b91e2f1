/* tests/unit/cli/test_lines.c – progress that arrives in pieces, and how it is shown. */
#include "tests/unit/test.h"

#include <stdlib.h>

#include "base/mem.h"
#include "cli/lines.h"
#include "cli/progress.h"

/* What @text shows on something that is or is not a terminal. */
static char *shown(const char *text, size_t piece, bool is_tty, int *code, struct error *err)
{
    static char shown_text[8192];
    FILE *out = tmpfile();
    struct progress progress = {.out = out, .is_tty = is_tty};
    struct lines lines = {.on_line = progress_line, .ctx = &progress};
    *code = 0;
    for (size_t at = 0, size = strlen(text); at < size && *code == 0; at += piece)
        *code = lines_add(&lines, bytes_of(text + at, size - at < piece ? size - at : piece), err);
    if (*code == 0)
        *code = lines_end(&lines, err);
    rewind(out);
    shown_text[fread(shown_text, 1, sizeof shown_text - 1, out)] = '\0';
    fclose(out);
    lines_deinit(&lines);
    progress_deinit(&progress);
    return shown_text;
}

static const char pull[] = "{\"status\":\"Pulling from x\",\"id\":\"1\"}\r\n"
                           "{\"status\":\"Downloading\",\"id\":\"aa\",\"progressDetail\":{\"current\":1,\"total\":2}}\r\n"
                           "{\"status\":\"Downloading\",\"id\":\"aa\",\"progressDetail\":{\"current\":2,\"total\":2}}\r\n"
                           "{\"status\":\"Pull complete\",\"id\":\"aa\",\"progressDetail\":{}}\n{\"status\":\"Done\"}";

static void steps_are_said_once_where_there_is_no_terminal(void **state)
{
    (void)state;
    struct error err;
    int code;
    for (size_t piece = 1; piece < sizeof pull; piece++) {
        assert_string_equal(shown(pull, piece, false, &code, &err), "1: Pulling from x\naa: Downloading\naa: Pull complete\nDone\n");
        assert_int_equal(code, 0);
    }
}

static void terminal_lines_are_written_over(void **state)
{
    (void)state;
    struct error err;
    int code;
    const char *text = shown(pull, 1000, true, &code, &err);
    assert_non_null(strstr(text, "\033[1A\r\033[2Kaa: Downloading [====================>                   ] 1B/2B\r\033[1B"));
    assert_non_null(strstr(text, "aa: Pull complete\r\033[1BDone\n"));
}

static void error_line_is_the_error(void **state)
{
    (void)state;
    struct error err;
    int code;
    shown("{\"status\":\"a\"}\n{\"errorDetail\":{\"message\":\"no space\"},\"error\":\"no space\"}\n", 100, false, &code, &err);
    assert_int_equal(code, ERR_PEER);
    assert_string_equal(err.message, "no space");
}

static void what_is_no_json_is_refused(void **state)
{
    (void)state;
    struct error err;
    int code;
    shown("hello\n", 100, false, &code, &err);
    assert_int_equal(code, ERR_INVALID);
}

static void endless_line_is_refused(void **state)
{
    (void)state;
    struct lines lines = {0};
    cleanup_free char *text = mem_alloc(CLI_LINE_SIZE_BYTES + 1);
    memset(text, ' ', CLI_LINE_SIZE_BYTES);
    assert_ok(lines_add(&lines, bytes_of(text, CLI_LINE_SIZE_BYTES), err));
    assert_fails(lines_add(&lines, bytes_of(text, 1), err), ERR_LIMIT, "line");
    lines_deinit(&lines);
}

static void bar_fills(void **state)
{
    (void)state;
    char bar[160];
    progress_bar(5, 0, bar, sizeof bar);
    assert_string_equal(bar, "5B");
    progress_bar(9, 3, bar, sizeof bar);
    assert_string_equal(bar, "[========================================] 9B/3B");
    progress_bar(-1, 3, bar, sizeof bar);
    assert_non_null(strstr(bar, "[>   "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_said_once_where_there_is_no_terminal),
        cmocka_unit_test(terminal_lines_are_written_over),
        cmocka_unit_test(error_line_is_the_error),
        cmocka_unit_test(what_is_no_json_is_refused),
        cmocka_unit_test(endless_line_is_refused),
        cmocka_unit_test(bar_fills),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
