/* tests/unit/base/test_log.c */
#include "base/log.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/time.h"
#include "tests/unit/test.h"

/* What one call writes in @format, freed by the caller. */
static char *written(enum log_format format, const char *message)
{
    FILE *out = tmpfile();
    log_init(format, LOG_INFO, out);
    log_debug("test", "not shown");
    log_with(LOG_WARN, "test", LOG_FIELDS({"task", "t1"}, {"node", NULL}), "%s", message);
    static char text[8192];
    rewind(out);
    text[fread(text, 1, sizeof text - 1, out)] = '\0';
    fclose(out);
    log_init(LOG_TEXT, LOG_INFO, NULL);
    return text;
}

static void a_json_line_parses_and_holds_every_field(void **state)
{
    (void)state;
    const char *text = written(LOG_JSON, "quote \" slash \\ line\nbell\a");
    cleanup_json cJSON *json = NULL;
    assert_ok(json_parse(bytes_of_string(text), 8192, &json, err));
    assert_string_equal(json_string(json, "msg", ""), "quote \" slash \\ line\nbell\a");
    assert_string_equal(json_string(json, "level", ""), "warn");
    assert_string_equal(json_string(json, "room", ""), "test");
    assert_string_equal(json_string(json, "task", ""), "t1");
    assert_null(cJSON_GetObjectItem(json, "node"));
    int64_t ns;
    assert_ok(time_parse(json_string(json, "time", ""), &ns, err));
}

static void a_text_line_cannot_be_forged_by_what_a_peer_sent(void **state)
{
    (void)state;
    const char *text = written(LOG_TEXT, "hello\n2026-01-01 ERROR forged");
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    assert_non_null(strstr(text, " WARN test: hello\\n2026"));
    assert_non_null(strstr(text, " task=t1\n"));
}

static void a_line_too_long_still_ends_well(void **state)
{
    (void)state;
    char message[10000];
    memset(message, '"', sizeof message - 1);
    message[sizeof message - 1] = '\0';
    const char *text = written(LOG_JSON, message);
    assert_true(strlen(text) <= LOG_LINE_SIZE_BYTES);
    assert_string_equal(text + strlen(text) - 2, "}\n");
}

static void keep_line(void *ctx, enum log_level level, const char *line)
{
    assert_int_equal(level, LOG_WARN);
    snprintf(ctx, 128, "%s", line);
}

static void an_observer_has_each_line_in_either_format(void **state)
{
    (void)state;
    char seen[128] = "";
    log_observe(keep_line, seen);
    written(LOG_JSON, "hello\nworld");
    assert_string_equal(seen, "test: hello\\nworld task=t1");
    log_observe(NULL, NULL);
    written(LOG_TEXT, "nobody");
    assert_string_equal(seen, "test: hello\\nworld task=t1");
}

static void levels_have_names(void **state)
{
    (void)state;
    enum log_level level;
    assert_true(log_level_parse("debug", &level) && level == LOG_DEBUG);
    assert_true(log_level_parse("error", &level) && level == LOG_ERROR);
    assert_false(log_level_parse("loud", &level));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_json_line_parses_and_holds_every_field),
        cmocka_unit_test(a_text_line_cannot_be_forged_by_what_a_peer_sent),
        cmocka_unit_test(a_line_too_long_still_ends_well),
        cmocka_unit_test(an_observer_has_each_line_in_either_format),
        cmocka_unit_test(levels_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
