/* tests/unit/cli/test_table.c – columns, JSON lines, templates. */
#include "tests/unit/test.h"

#include "cli/table.h"

static const struct table_column columns[] = {{"ID", "ID"}, {"Name", "NAME"}, {"State", NULL}, {"Size", "SIZE"}};

static void fill(struct table *table)
{
    table_init(table, columns, 4);
    table_add(table, (const char *const[]){"1", "a…longer", "up", "5kB"});
    table_add(table, (const char *const[]){"22", "b", "down", NULL});
}

static void check(const char *format, const char *want)
{
    struct table table;
    cleanup_buf struct buf out = {0};
    fill(&table);
    assert_ok(table_print(&table, format, &out, err));
    assert_string_equal((char *)out.data, want);
    table_deinit(&table);
}

static void columns_are_aligned_by_characters(void **state)
{
    (void)state;
    check(NULL, "ID   NAME       SIZE\n1    a…longer   5kB\n22   b          \n");
    check("table", "ID   NAME       SIZE\n1    a…longer   5kB\n22   b          \n");
}

static void json_has_every_field(void **state)
{
    (void)state;
    check("json", "{\"ID\":\"1\",\"Name\":\"a…longer\",\"State\":\"up\",\"Size\":\"5kB\"}\n"
                  "{\"ID\":\"22\",\"Name\":\"b\",\"State\":\"down\",\"Size\":\"\"}\n");
}

static void template_is_filled_in(void **state)
{
    (void)state;
    check("{{.ID}}\\t{{ .State }}!", "1\tup!\n22\tdown!\n");
}

static void template_mistakes_are_named(void **state)
{
    (void)state;
    struct table table;
    cleanup_buf struct buf out = {0};
    fill(&table);
    assert_fails(table_print(&table, "{{.Nothing}}", &out, err), ERR_INVALID, "{{.Nothing}}");
    assert_fails(table_print(&table, "{{.ID", &out, err), ERR_INVALID, "}}");
    table_deinit(&table);
}

static void control_characters_do_not_reach_the_terminal(void **state)
{
    (void)state;
    struct table table;
    cleanup_buf struct buf out = {0};
    table_init(&table, columns, 4);
    table_add(&table, (const char *const[]){"\033[2J", "a\nb", "", ""});
    assert_ok(table_print(&table, "{{.ID}} {{.Name}}", &out, err));
    assert_string_equal((char *)out.data, "?[2J a?b\n");
    table_deinit(&table);
}

static void no_rows_still_have_titles(void **state)
{
    (void)state;
    struct table table;
    cleanup_buf struct buf out = {0};
    table_init(&table, columns, 4);
    assert_ok(table_print(&table, NULL, &out, err));
    assert_string_equal((char *)out.data, "ID   NAME   SIZE\n");
    table_deinit(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_aligned_by_characters),
        cmocka_unit_test(json_has_every_field),
        cmocka_unit_test(template_is_filled_in),
        cmocka_unit_test(template_mistakes_are_named),
        cmocka_unit_test(control_characters_do_not_reach_the_terminal),
        cmocka_unit_test(no_rows_still_have_titles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
