/* cli/table.h – rows of named fields, printed as docker prints them: aligned columns, JSON lines, or by a small template. Pure.
 *
 * A template is text with {{.Field}} in it, as in docker's --format; nothing else of Go's templates is understood. */
#ifndef SKEP_CLI_TABLE_H
#define SKEP_CLI_TABLE_H

#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

#define TABLE_FIELDS_COUNT 16

struct table_column {
    const char *field, *title; /* "ID", "CONTAINER ID"; title NULL: in JSON and templates only */
};

struct table {
    const struct table_column *columns;
    size_t column_count;
    char ***rows; /* each column_count texts, owned */
    size_t row_count;
};

void table_init(struct table *table, const struct table_column *columns, size_t column_count);
void table_deinit(struct table *table);
void table_add(struct table *table, const char *const *cells); /* copied; control characters become '?' */

/* @format: NULL or "table": columns with titles; "json": a line each; else a template. ERR_INVALID naming what a template has that is not
 * understood. */
int table_print(const struct table *table, const char *format, struct buf *out, struct error *err);

#endif
