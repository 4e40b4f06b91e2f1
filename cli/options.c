/* cli/options.c – see options.h. */
#include "cli/options.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static size_t spec_index(const struct option_spec *specs, const char *name, size_t length)
{
    size_t i = 0;
    for (; specs[i].name; i++)
        if (strlen(specs[i].name) == length && strncmp(specs[i].name, name, length) == 0)
            break;
    return i;
}

static size_t letter_index(const struct option_spec *specs, char letter)
{
    size_t i = 0;
    for (; specs[i].name; i++)
        if (specs[i].letter == letter)
            break;
    return i;
}

static int add(struct option_values *values, const char *value, const char *what, struct error *err)
{
    if (values->count == OPTION_VALUES_COUNT)
        return error_set(err, ERR_LIMIT, "%s: more than %d of them", what, OPTION_VALUES_COUNT);
    values->items[values->count++] = value;
    values->is_given = true;
    return 0;
}

static int take_switch(struct options *out, size_t i, const char *value, struct error *err)
{
    const char *name = out->specs[i].name;
    if (value && !text_equal(value, "true") && !text_equal(value, "1") && !text_equal(value, "false") && !text_equal(value, "0"))
        return error_set(err, ERR_INVALID, "invalid argument \"%s\" for \"--%s\" flag: true or false is wanted", value, name);
    bool is_on = value == NULL || text_equal(value, "true") || text_equal(value, "1");
    out->values[i].count = is_on ? 1 : 0;
    out->values[i].is_given = true;
    return 0;
}

/* "--name" or "--name=value" in argv[*at]. */
static int take_long(int argc, char **argv, int *at, struct options *out, struct error *err)
{
    const char *name = argv[*at] + 2, *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name), i = spec_index(out->specs, name, length);
    if (out->specs[i].name == NULL)
        return error_set(err, ERR_INVALID, "unknown flag: --%.*s", (int)length, name);
    if (out->specs[i].kind == OPTION_SWITCH)
        return take_switch(out, i, equals ? equals + 1 : NULL, err);
    if (equals)
        return add(&out->values[i], equals + 1, out->specs[i].name, err);
    if (*at + 1 >= argc)
        return error_set(err, ERR_INVALID, "flag needs an argument: --%s", out->specs[i].name);
    return add(&out->values[i], argv[++*at], out->specs[i].name, err);
}

/* "-a", "-ab", "-n5", "-n=5" or "-n 5" in argv[*at]. */
static int take_letters(int argc, char **argv, int *at, struct options *out, struct error *err)
{
    for (const char *letter = argv[*at] + 1; *letter; letter++) {
        size_t i = letter_index(out->specs, *letter);
        if (out->specs[i].name == NULL)
            return error_set(err, ERR_INVALID, "unknown shorthand flag: '%c' in %s", *letter, argv[*at]);
        if (out->specs[i].kind == OPTION_SWITCH) {
            if (take_switch(out, i, NULL, err) < 0)
                return err->code;
            continue;
        }
        if (letter[1] != '\0')
            return add(&out->values[i], letter + 1 + (letter[1] == '='), out->specs[i].name, err);
        if (*at + 1 >= argc)
            return error_set(err, ERR_INVALID, "flag needs an argument: '%c' in %s", *letter, argv[*at]);
        return add(&out->values[i], argv[++*at], out->specs[i].name, err);
    }
    return 0;
}

int options_add_word(struct options *options, const char *word, struct error *err)
{
    return add(&options->words, word, "arguments", err);
}

int options_parse(int argc, char **argv, const struct option_spec *specs, bool stop_at_word, struct options *out, struct error *err)
{
    bool only_words = false;
    int at = 0;
    *out = (struct options){.specs = specs};
    for (; at < argc; at++) {
        const char *word = argv[at];
        int code;
        if (only_words || word[0] != '-' || word[1] == '\0') {
            if (stop_at_word)
                break;
            code = options_add_word(out, word, err);
        } else if (strcmp(word, "--") == 0) {
            only_words = true;
            continue;
        } else if (word[1] == '-') {
            code = take_long(argc, argv, &at, out, err);
        } else {
            code = take_letters(argc, argv, &at, out, err);
        }
        if (code < 0)
            return code;
    }
    out->used = (size_t)at;
    return 0;
}

const struct option_values *option_list(const struct options *options, const char *name)
{
    size_t i = spec_index(options->specs, name, strlen(name));
    if (options->specs[i].name == NULL)
        abort();
    return &options->values[i];
}

bool option_switch(const struct options *options, const char *name)
{
    return option_list(options, name)->count > 0;
}

bool option_given(const struct options *options, const char *name)
{
    return option_list(options, name)->is_given;
}

const char *option_text(const struct options *options, const char *name, const char *fallback)
{
    const struct option_values *values = option_list(options, name);
    return values->count > 0 ? values->items[values->count - 1] : fallback;
}

void options_print(const struct option_spec *specs, FILE *out)
{
    int width = 0;
    for (const struct option_spec *spec = specs; spec->name; spec++) {
        int length = (int)(strlen(spec->name) + (spec->argument ? strlen(spec->argument) + 1 : 0));
        width = length > width ? length : width;
    }
    for (const struct option_spec *spec = specs; spec->name; spec++) {
        char name[128], letter[8] = "    ";
        snprintf(name, sizeof name, "%s%s%s", spec->name, spec->argument ? " " : "", spec->argument ? spec->argument : "");
        if (spec->letter)
            snprintf(letter, sizeof letter, "-%c, ", spec->letter);
        fprintf(out, "  %s--%-*s   %s\n", letter, width, name, spec->help);
    }
}
