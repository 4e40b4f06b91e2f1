/* cli/options.h – flags as docker writes them: --name value, --name=value, -n value, -nvalue, -ab for two switches, `--` before words that
 * begin with '-'. Pure. */
#ifndef SKEP_CLI_OPTIONS_H
#define SKEP_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

#define OPTION_SPECS_COUNT  80 /* `service update` has most */
#define OPTION_VALUES_COUNT 64 /* values of one list, and words that are no flags */

enum option_kind { OPTION_SWITCH, OPTION_TEXT, OPTION_LIST };

struct option_spec {
    const char *name;
    char letter; /* 0: none */
    enum option_kind kind;
    const char *argument, *help; /* "duration", "Show logs since …" */
};

struct options {
    const struct option_spec *specs; /* ended by one without a name */
    struct option_values {
        const char *items[OPTION_VALUES_COUNT];
        size_t count;
        bool is_given;                   /* also as --switch=false */
    } values[OPTION_SPECS_COUNT], words; /* borrowed from argv */
    size_t used;                         /* how many of argv were read */
};

/* @stop_at_word: the first word that is no flag, and all behind it, are left alone (the flags before a verb). ERR_INVALID in docker's
 * words. */
int options_parse(int argc, char **argv, const struct option_spec *specs, bool stop_at_word, struct options *out, struct error *err);

/* One more word that is no flag. ERR_LIMIT. */
int options_add_word(struct options *options, const char *word, struct error *err);

/* A name that is not in the specs is a bug and aborts. */
bool option_switch(const struct options *options, const char *name);
bool option_given(const struct options *options, const char *name);
const char *option_text(const struct options *options, const char *name, const char *fallback); /* the last one given */
const struct option_values *option_list(const struct options *options, const char *name);

void options_print(const struct option_spec *specs, FILE *out); /* the table of `--help` */

#endif
