/* tests/unit/cli/test_progress.c */
#include "cli/progress.h"

#include <stdlib.h>

#include "tests/unit/test.h"

static char *shown; /* by the last run() */

static int run(bool is_tty, bool is_quiet, const char *const *lines, struct error *err)
{
    size_t size = 0;
    int failed = 0;
    free(shown);
    shown = NULL;
    struct progress progress = {.out = open_memstream(&shown, &size), .is_tty = is_tty, .is_quiet = is_quiet};
    for (; *lines && failed == 0; lines++) {
        cJSON *line = cJSON_Parse(*lines);
        failed = progress_line(&progress, line, err);
        cJSON_Delete(line);
    }
    fclose(progress.out);
    progress_deinit(&progress);
    return failed;
}

#define RUN(is_tty, is_quiet, ...) run(is_tty, is_quiet, (const char *const[]){__VA_ARGS__, NULL}, err)

static void each_step_of_a_layer_is_one_line_where_there_is_no_terminal(void **state)
{
    (void)state;
    assert_ok(RUN(false, false, "{\"status\":\"Pulling from web\",\"id\":\"1\"}",
                  "{\"id\":\"aa\",\"status\":\"Downloading\",\"progressDetail\":{\"current\":1,\"total\":10}}",
                  "{\"id\":\"aa\",\"status\":\"Downloading\",\"progressDetail\":{\"current\":5,\"total\":10}}",
                  "{\"id\":\"aa\",\"status\":\"Pull complete\",\"progressDetail\":{}}"));
    assert_string_equal(shown, "1: Pulling from web\naa: Downloading\naa: Pull complete\n");
}

static void terminal_sees_a_bar_in_the_layer_s_own_line(void **state)
{
    (void)state;
    assert_ok(RUN(true, false, "{\"id\":\"aa\",\"status\":\"Downloading\",\"progressDetail\":{\"current\":5,\"total\":10}}",
                  "{\"id\":\"bb\",\"status\":\"Waiting\",\"progressDetail\":{}}",
                  "{\"id\":\"aa\",\"status\":\"Pull complete\",\"progressDetail\":{}}"));
    assert_non_null(strstr(shown, "aa: Downloading [====================>                   ] 5B/10B"));
    assert_non_null(strstr(shown, "\033[2A\r\033[2Kaa: Pull complete\r\033[2B")); /* up over bb, and back */
}

static void quiet_shows_no_progress_and_an_error_ends_it(void **state)
{
    (void)state;
    assert_ok(RUN(false, true, "{\"status\":\"Pulling\"}"));
    assert_string_equal(shown, "");
    assert_fails(RUN(false, true, "{\"errorDetail\":{\"message\":\"no such image\"}}"), ERR_PEER, "no such image");
    assert_fails(RUN(false, false, "{\"error\":\"short\"}", "{\"status\":\"never shown\"}"), ERR_PEER, "short");
    assert_string_equal(shown, "");
}

static void what_would_move_the_cursor_is_made_harmless(void **state)
{
    (void)state;
    assert_ok(RUN(false, false, "{\"stream\":\"Loaded \\u001b[2Jweb\\n\"}", "{\"status\":\"a\\u0007b\",\"id\":\"\\u001b]0;x\"}"));
    assert_string_equal(shown, "Loaded ?[2Jweb\n?]0;x: a?b\n");
}

static void more_layers_than_are_shown_are_left_out(void **state)
{
    (void)state;
    struct progress progress = {.out = fopen("/dev/null", "w"), .is_tty = true};
    char text[128];
    for (int i = 0; i < PROGRESS_ITEMS_COUNT + 10; i++) {
        snprintf(text, sizeof text, "{\"id\":\"%d\",\"status\":\"x\",\"progressDetail\":{}}", i);
        cJSON *line = cJSON_Parse(text);
        assert_ok(progress_line(&progress, line, err));
        cJSON_Delete(line);
    }
    assert_int_equal(progress.count, PROGRESS_ITEMS_COUNT);
    fclose(progress.out);
    progress_deinit(&progress);
}

static void bar_stays_within_its_ends(void **state)
{
    (void)state;
    char bar[160];
    progress_bar(20, 10, bar, sizeof bar);
    assert_string_equal(bar, "[========================================] 20B/10B");
    progress_bar(-5, 10, bar, sizeof bar);
    assert_int_equal(bar[1], '>');
    progress_bar(5, 0, bar, sizeof bar);
    assert_string_equal(bar, "5B");
    progress_bar(INT64_MAX, INT64_MAX, bar, sizeof bar);
    assert_int_equal(bar[40], '=');
}

static int forget(void **state)
{
    (void)state;
    free(shown);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_step_of_a_layer_is_one_line_where_there_is_no_terminal),
        cmocka_unit_test(terminal_sees_a_bar_in_the_layer_s_own_line),
        cmocka_unit_test(quiet_shows_no_progress_and_an_error_ends_it),
        cmocka_unit_test(what_would_move_the_cursor_is_made_harmless),
        cmocka_unit_test(more_layers_than_are_shown_are_left_out),
        cmocka_unit_test(bar_stays_within_its_ends),
    };
    return cmocka_run_group_tests(tests, NULL, forget);
}
