/* tests/scenarios/script.h – the command language of scenario files: a command with arguments, its input, and the output it must have.
 *
 *     # a comment                       key            no values
 *     command key key=value key=(a, b)  key=value      one
 *     input, any number of lines        key=(a, b)     several
 *     ----
 *     expected output                   ends with an empty line, or, when "----" is doubled, with a doubled "----" */
#ifndef SKEP_TESTS_SCENARIOS_SCRIPT_H
#define SKEP_TESTS_SCENARIOS_SCRIPT_H

#include "base/buf.h"

#define SCRIPT_ARGUMENTS_COUNT 32
#define SCRIPT_VALUES_COUNT    64

struct script_argument {
    const char *key;
    const char *values[SCRIPT_VALUES_COUNT];
    size_t count;
};

/* One command. Borrowed from the script, until the next. */
struct script_command {
    const char *name; /* "" at the end */
    struct script_argument arguments[SCRIPT_ARGUMENTS_COUNT];
    size_t count;
    const char *input, *expected;
    int line; /* where it stands in the file */
};

struct script {
    char *text, *next;
    int line;
    char *words; /* the present command's line, cut into pieces */
    struct buf input, expected;
};

int script_open(struct script *script, const char *path, struct error *err);
void script_close(struct script *script);

/* 1: @command is filled; 0: the end; or ERR_INVALID. */
int script_next(struct script *script, struct script_command *command, struct error *err);

const struct script_argument *script_find(const struct script_command *command, const char *key);              /* NULL: not given */
int script_number(const char *text, uint64_t *number, struct error *err);                                      /* ERR_INVALID */
int script_number_at(const struct script_command *command, size_t place, uint64_t *number, struct error *err); /* of a key without values */
bool script_is_true(const struct script_argument *argument);

#endif
