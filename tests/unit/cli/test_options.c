/* tests/unit/cli/test_options.c – docker's ways of writing flags. */
#include "tests/unit/test.h"

#include "cli/options.h"

static const struct option_spec specs[] = {
    {"all", 'a', OPTION_SWITCH, NULL, "All"},      {"quiet", 'q', OPTION_SWITCH, NULL, "Quiet"},
    {"last", 'n', OPTION_TEXT, "int", "Last"},     {"filter", 'f', OPTION_LIST, "filter", "Filter"},
    {"no-trunc", 0, OPTION_SWITCH, NULL, "Whole"}, {0},
};

static int parse(struct options *options, bool stop, struct error *err, const char *const *argv)
{
    int argc = 0;
    while (argv[argc])
        argc++;
    return options_parse(argc, (char **)argv, specs, stop, options, err);
}
#define PARSE(options, stop, ...) parse(options, stop, err, (const char *const[]){__VA_ARGS__, NULL})

static void every_way_of_a_flag(void **state)
{
    (void)state;
    struct options o;
    assert_ok(PARSE(&o, false, "-aq", "--last", "3", "x", "--filter=a=b", "-fc", "-f", "d", "--no-trunc=true", "y"));
    assert_true(option_switch(&o, "all") && option_switch(&o, "quiet") && option_switch(&o, "no-trunc"));
    assert_string_equal(option_text(&o, "last", NULL), "3");
    assert_int_equal(option_list(&o, "filter")->count, 3);
    assert_string_equal(option_list(&o, "filter")->items[0], "a=b");
    assert_string_equal(option_list(&o, "filter")->items[1], "c");
    assert_int_equal(o.words.count, 2);
    assert_ok(PARSE(&o, false, "-qn=7"));
    assert_string_equal(option_text(&o, "last", NULL), "7");
    assert_ok(PARSE(&o, false, "--all", "--all=false"));
    assert_false(option_switch(&o, "all"));
    assert_true(option_given(&o, "all") && !option_given(&o, "last"));
    assert_string_equal(option_text(&o, "last", "none"), "none");
}

static void words_behind_two_dashes_are_words(void **state)
{
    (void)state;
    struct options o;
    assert_ok(PARSE(&o, false, "-a", "--", "-q", "-"));
    assert_int_equal(o.words.count, 2);
    assert_string_equal(o.words.items[0], "-q");
    assert_false(option_switch(&o, "quiet"));
}

static void global_flags_stop_at_the_verb(void **state)
{
    (void)state;
    struct options o;
    assert_ok(PARSE(&o, true, "-a", "ps", "-q"));
    assert_int_equal(o.used, 1);
    assert_false(option_switch(&o, "quiet"));
}

static void mistakes_are_named(void **state)
{
    (void)state;
    struct options o;
    assert_fails(PARSE(&o, false, "--frob"), ERR_INVALID, "unknown flag: --frob");
    assert_fails(PARSE(&o, false, "--al"), ERR_INVALID, "unknown flag: --al");
    assert_fails(PARSE(&o, false, "-az"), ERR_INVALID, "unknown shorthand flag: 'z' in -az");
    assert_fails(PARSE(&o, false, "--last"), ERR_INVALID, "flag needs an argument: --last");
    assert_fails(PARSE(&o, false, "-n"), ERR_INVALID, "flag needs an argument: 'n' in -n");
    assert_fails(PARSE(&o, false, "--all=maybe"), ERR_INVALID, "maybe");
}

static void too_many_words_are_refused(void **state)
{
    (void)state;
    struct options o;
    const char *argv[OPTION_VALUES_COUNT + 2] = {0};
    for (size_t i = 0; i < OPTION_VALUES_COUNT + 1; i++)
        argv[i] = "x";
    assert_fails(parse(&o, false, err, argv), ERR_LIMIT, "more than 64");
    assert_ok(PARSE(&o, true, "-a", "x", "-q"));
    assert_ok(options_add_word(&o, "-q", err));
    assert_int_equal(o.words.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_of_a_flag),           cmocka_unit_test(words_behind_two_dashes_are_words),
        cmocka_unit_test(global_flags_stop_at_the_verb), cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(too_many_words_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
