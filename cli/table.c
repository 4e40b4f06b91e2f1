/* cli/table.c – see table.h. */
#include "cli/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

enum { GAP = 3 };

void table_init(struct table *table, const struct table_column *columns, size_t column_count)
{
    *table = (struct table){.columns = columns, .column_count = column_count};
}

void table_deinit(struct table *table)
{
    for (size_t i = 0; i < table->row_count; i++) {
        for (size_t c = 0; c < table->column_count; c++)
            free(table->rows[i][c]);
        free(table->rows[i]);
    }
    free(table->rows);
    *table = (struct table){0};
}

/* What comes from a daemon must not move the cursor of a terminal. */
static char *harmless(const char *text)
{
    char *copy = mem_string(text ? text : "");
    for (char *c = copy; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    return copy;
}

void table_add(struct table *table, const char *const *cells)
{
    char **row = mem_array(table->column_count, sizeof *row);
    for (size_t c = 0; c < table->column_count; c++)
        row[c] = harmless(cells[c]);
    table->rows = mem_resize(table->rows, (table->row_count + 1) * sizeof *table->rows);
    table->rows[table->row_count++] = row;
}

/* Characters, not bytes: docker shortens with "…". */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static size_t column_width(const struct table *table, size_t c)
{
    size_t width = width_of(table->columns[c].title);
    for (size_t i = 0; i < table->row_count; i++) {
        size_t own = width_of(table->rows[i][c]);
        width = own > width ? own : width;
    }
    return width;
}

static void print_cell(struct buf *out, const char *text, size_t width, bool is_last)
{
    buf_append_string(out, text);
    for (size_t i = width_of(text); !is_last && i < width + GAP; i++)
        buf_append(out, " ", 1);
}

static void print_columns(const struct table *table, struct buf *out)
{
    size_t widths[TABLE_FIELDS_COUNT] = {0}, last = 0;
    for (size_t c = 0; c < table->column_count; c++)
        if (table->columns[c].title) {
            widths[c] = column_width(table, c);
            last = c;
        }
    for (size_t i = 0; i < table->row_count + 1; i++) {
        for (size_t c = 0; c < table->column_count; c++)
            if (table->columns[c].title)
                print_cell(out, i == 0 ? table->columns[c].title : table->rows[i - 1][c], widths[c], c == last);
        buf_append(out, "\n", 1);
    }
}

static void print_json(const struct table *table, struct buf *out)
{
    for (size_t i = 0; i < table->row_count; i++) {
        cleanup_json cJSON *json = cJSON_CreateObject();
        for (size_t c = 0; c < table->column_count; c++)
            json_add_string(json, table->columns[c].field, table->rows[i][c]);
        cleanup_free char *text = json_print(json);
        buf_append_format(out, "%s\n", text);
    }
}

/* The column of the "{{.Field}}" at *at, which moves behind it. */
static int find_field(const struct table *table, const char **at, size_t *column, struct error *err)
{
    const char *end = strstr(*at, "}}"), *name = *at + 2;
    if (end == NULL)
        return error_set(err, ERR_INVALID, "template: no }} behind %s", *at);
    *at = end + 2;
    while (*name == ' ')
        name++;
    while (end > name && end[-1] == ' ')
        end--;
    size_t length = (size_t)(end - name);
    for (*column = 0; *column < table->column_count; (*column)++) {
        const char *field = table->columns[*column].field;
        if (length == strlen(field) + 1 && name[0] == '.' && strncmp(name + 1, field, length - 1) == 0)
            return 0;
    }
    return error_set(err, ERR_INVALID, "template: {{%.*s}} is no field here; write {{.%s}} and the like", (int)length, name,
                     table->columns[0].field);
}

static int print_row(const struct table *table, char *const *row, const char *template, struct buf *out, struct error *err)
{
    const char *at = template;
    size_t column = 0;
    while (*at) {
        if (strncmp(at, "{{", 2) == 0) {
            if (find_field(table, &at, &column, err) < 0)
                return err->code;
            buf_append_string(out, row[column]);
        } else if (strncmp(at, "\\t", 2) == 0) {
            buf_append(out, "\t", 1);
            at += 2;
        } else {
            buf_append(out, at++, 1);
        }
    }
    buf_append(out, "\n", 1);
    return 0;
}

int table_print(const struct table *table, const char *format, struct buf *out, struct error *err)
{
    if (text_empty(format) || text_equal(format, "table")) {
        print_columns(table, out);
        return 0;
    }
    if (text_equal(format, "json")) {
        print_json(table, out);
        return 0;
    }
    for (size_t i = 0; i < table->row_count; i++)
        if (print_row(table, table->rows[i], format, out, err) < 0)
            return err->code;
    return 0;
}
