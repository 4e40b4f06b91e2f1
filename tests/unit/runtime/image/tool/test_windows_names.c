/* Which names Windows can hold, and which of a layer are one to it. */
#include "runtime/image/tool/windows_names.h"

#include <stdio.h>

#include "base/mem.h"
#include "tests/unit/test.h"

static uint16_t upper_case(uint16_t unit)
{
    return unit >= 'a' && unit <= 'z' ? (uint16_t)(unit - 'a' + 'A') : unit == 0xE9 ? 0xC9 : unit;
}

static void names_of_every_day_are_taken(void **state)
{
    (void)state;
    static const char *const good[] = {"cmd.exe",     ".config",      "a b",          "été",   "COM10", "COMET", "LPT",
                                       "console",     "nullable.txt", "$Recycle.Bin", "x.y.z", "~1",    "aux1",  "prn-",
                                       "COM\xC2\xB5", "desktop.ini",  "[x]",          "a'b",   "#"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_ok(windows_name_check(good[i], err));
}

static void names_that_windows_cannot_hold_are_refused(void **state)
{
    (void)state;
    static const char *const strange[] = {"a<b", "a>b", "a:b", "a\"b", "a|b", "a?b", "a*b", "a\\b", "a\nb", "\x01"};
    static const char *const ends[] = {"a.", "a ", ". ", "...", ""};
    static const char *const devices[] = {"nul",      "NUL.txt",     "con",           "Aux.h",    "prn",    "com1",   "COM0.log",
                                          "lpt9.x.y", "COM\xC2\xB9", "lpt\xC2\xB3.a", "nul .txt", "CONIN$", "conout$"};
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++)
        assert_fails(windows_name_check(strange[i], err), ERR_INVALID, "a character that");
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        assert_fails(windows_name_check(ends[i], err), ERR_INVALID, "cannot end with");
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
        assert_fails(windows_name_check(devices[i], err), ERR_INVALID, "name of a device");
}

static void a_name_is_counted_in_units_of_utf_16(void **state)
{
    (void)state;
    char name[4 * 130 + 1] = "";
    for (int i = 0; i < 127; i++)
        strcat(name, "\xF0\x9F\x90\x9D"); /* two units each */
    assert_ok(windows_name_check(name, err));
    strcat(name, "\xF0\x9F\x90\x9D");
    assert_fails(windows_name_check(name, err), ERR_INVALID, "more than 255 characters");
    assert_fails(windows_name_check("a\xC0\xAF", err), ERR_INVALID, "no UTF-8");
    assert_fails(windows_name_check("\xED\xA0\x80", err), ERR_INVALID, "no UTF-8");
    assert_fails(windows_name_check("\xE9", err), ERR_INVALID, "no UTF-8");
}

static int enter(struct windows_names *names, uint32_t parent, const char *part, enum windows_name_kind kind, uint32_t *id,
                 enum windows_name_kind want_was, struct error *err)
{
    enum windows_name_kind was = WINDOWS_NAME_LINK;
    int failed = windows_names_enter(names, parent, part, kind, id, &was, err);
    if (failed == 0)
        assert_int_equal(was, want_was);
    return failed;
}

static void names_that_differ_in_case_only_are_one(void **state)
{
    (void)state;
    struct windows_names *names = windows_names_new(upper_case);
    uint32_t files, system, other, id;
    assert_ok(enter(names, WINDOWS_NAMES_ROOT, "Files", WINDOWS_NAME_DIRECTORY, &files, WINDOWS_NAME_NONE, err));
    assert_ok(enter(names, files, "système", WINDOWS_NAME_DIRECTORY, &system, WINDOWS_NAME_NONE, err));
    assert_ok(enter(names, files, "systéme", WINDOWS_NAME_DIRECTORY, &other, WINDOWS_NAME_NONE, err));
    assert_int_not_equal(system, other);
    assert_fails(enter(names, files, "SYSTÉME", WINDOWS_NAME_DIRECTORY, &id, WINDOWS_NAME_NONE, err), ERR_INVALID,
                 "\"systéme\" and \"SYSTÉME\" are one name on Windows");
    assert_ok(enter(names, system, "x", WINDOWS_NAME_FILE, &id, WINDOWS_NAME_NONE, err));
    assert_fails(enter(names, system, "X", WINDOWS_NAME_FILE, &id, WINDOWS_NAME_NONE, err), ERR_INVALID, "one name");
    assert_ok(enter(names, other, "X", WINDOWS_NAME_FILE, &id, WINDOWS_NAME_NONE, err)); /* in another directory */
    windows_names_free(names);
}

static void the_same_name_again_tells_what_it_was(void **state)
{
    (void)state;
    struct windows_names *names = windows_names_new(upper_case);
    uint32_t directory, again, id, seen;
    assert_ok(enter(names, WINDOWS_NAMES_ROOT, "d", WINDOWS_NAME_DIRECTORY, &directory, WINDOWS_NAME_NONE, err));
    assert_ok(enter(names, WINDOWS_NAMES_ROOT, "d", WINDOWS_NAME_DIRECTORY, &again, WINDOWS_NAME_DIRECTORY, err));
    assert_int_equal(directory, again);
    assert_ok(enter(names, directory, "x", WINDOWS_NAME_FILE, &id, WINDOWS_NAME_NONE, err));
    assert_ok(enter(names, directory, "x", WINDOWS_NAME_LINK, &id, WINDOWS_NAME_FILE, err));
    assert_ok(enter(names, directory, "x", WINDOWS_NAME_FILE, &id, WINDOWS_NAME_LINK, err));
    assert_fails(enter(names, directory, "x", WINDOWS_NAME_DIRECTORY, &id, WINDOWS_NAME_NONE, err), ERR_INVALID,
                 "is a directory in one place");
    assert_fails(enter(names, WINDOWS_NAMES_ROOT, "d", WINDOWS_NAME_LINK, &id, WINDOWS_NAME_NONE, err), ERR_INVALID, "and none in another");
    assert_int_equal(windows_names_look(names, directory, "x", &seen), WINDOWS_NAME_FILE);
    assert_int_equal(seen, id);
    assert_int_equal(windows_names_look(names, directory, "X", &seen), WINDOWS_NAME_NONE);
    assert_int_equal(windows_names_look(names, WINDOWS_NAMES_ROOT, "x", &seen), WINDOWS_NAME_NONE);
    windows_names_free(names);
}

static void many_names_are_found_again(void **state)
{
    (void)state;
    struct windows_names *names = windows_names_new(upper_case);
    uint32_t directories[100], id, seen;
    char name[32];
    for (int d = 0; d < 100; d++) {
        snprintf(name, sizeof name, "d%d", d);
        assert_ok(enter(names, WINDOWS_NAMES_ROOT, name, WINDOWS_NAME_DIRECTORY, &directories[d], WINDOWS_NAME_NONE, err));
        for (int i = 0; i < 100; i++) {
            snprintf(name, sizeof name, "file %d", i);
            assert_ok(enter(names, directories[d], name, WINDOWS_NAME_FILE, &id, WINDOWS_NAME_NONE, err));
        }
    }
    for (int d = 0; d < 100; d++)
        for (int i = 0; i < 100; i++) {
            snprintf(name, sizeof name, "file %d", i);
            assert_int_equal(windows_names_look(names, directories[d], name, &seen), WINDOWS_NAME_FILE);
            snprintf(name, sizeof name, "FILE %d", i);
            assert_fails(enter(names, directories[d], name, WINDOWS_NAME_FILE, &id, WINDOWS_NAME_NONE, err), ERR_INVALID, "one name");
        }
    windows_names_free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_every_day_are_taken),          cmocka_unit_test(names_that_windows_cannot_hold_are_refused),
        cmocka_unit_test(a_name_is_counted_in_units_of_utf_16),  cmocka_unit_test(names_that_differ_in_case_only_are_one),
        cmocka_unit_test(the_same_name_again_tells_what_it_was), cmocka_unit_test(many_names_are_found_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
