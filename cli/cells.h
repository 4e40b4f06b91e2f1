/* cli/cells.h – small texts in tables: shortened ids, "2 minutes ago", labels on one line. Freed with free() by the caller. */
#ifndef SKEP_CLI_CELLS_H
#define SKEP_CLI_CELLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

#define CELL_SHORT_ID_CHARS 12

char *cell_id(const char *id, bool is_whole);
char *cell_ago(const char *rfc3339, int64_t now_wall_ns);           /* "2 minutes ago"; "" for no time */
char *cell_pairs(const cJSON *object);                              /* "a=b,c=d" */
char *cell_capital(const char *word);                               /* "Running" */
char *cell_cut(const char *text, size_t most_chars, bool is_whole); /* the last of them is "…" where it is cut */

/* The name of the object in @list whose ID is @id; @id where there is none. @path leads to it: {"Spec", "Name", NULL}. Borrowed. */
const char *cell_name_of(const cJSON *list, const char *id, const char *const *path);

#endif
