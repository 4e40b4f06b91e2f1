/* Scenario files cut into commands. */
#include "tests/scenarios/script.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

int script_open(struct script *script, const char *path, struct error *err)
{
    struct buf text = {0};
    char piece[4096];
    size_t got;
    FILE *file = fopen(path, "r");

    *script = (struct script){0};
    if (!file)
        return error_set_uv(err, -errno, "open %s", path);
    do {
        got = fread(piece, 1, sizeof piece, file);
        buf_append(&text, piece, got);
    } while (got > 0);
    fclose(file);
    script->text = script->next = buf_steal_string(&text);
    return 0;
}

void script_close(struct script *script)
{
    free(script->text);
    free(script->words);
    buf_deinit(&script->input);
    buf_deinit(&script->expected);
    *script = (struct script){0};
}

/* The next line, terminated in place; NULL at the end. */
static char *next_line(struct script *script)
{
    char *line = script->next, *end;

    if (*line == '\0')
        return NULL;
    end = strchr(line, '\n');
    script->next = end ? end + 1 : line + strlen(line);
    if (end)
        *end = '\0';
    script->line++;
    return line;
}

static bool is_blank(const char *line)
{
    return line[strspn(line, " \t\r")] == '\0';
}

static char *trim(char *text)
{
    char *end = text + strlen(text);

    text += strspn(text, " \t");
    while (end > text && (end[-1] == ' ' || end[-1] == '\t'))
        *--end = '\0';
    return text;
}

static int add_value(struct script_argument *argument, char *value, struct error *err)
{
    if (argument->count == SCRIPT_VALUES_COUNT)
        return error_set(err, ERR_LIMIT, "more than %d values of %s", SCRIPT_VALUES_COUNT, argument->key);
    argument->values[argument->count++] = trim(value);
    return 0;
}

/* What is in the parentheses, by commas. */
static int cut_values(struct script_argument *argument, char *inside, struct error *err)
{
    char *rest = inside, *value;

    if (is_blank(inside))
        return 0;
    while ((value = strsep(&rest, ",")) != NULL)
        if (add_value(argument, value, err) < 0)
            return err->code;
    return 0;
}

/* One argument at @place, which moves behind it. */
static int cut_argument(char **place, struct script_argument *argument, struct error *err)
{
    char *at = *place, *end = at + strcspn(at, " \t=");
    bool has_value = *end == '=';

    *argument = (struct script_argument){.key = at};
    if (*end)
        *end++ = '\0';
    *place = end;
    if (!has_value)
        return 0;
    if (*end == '(') {
        char *close = strchr(end, ')');
        if (!close)
            return error_set(err, ERR_INVALID, "no ) behind %s=(", argument->key);
        *close = '\0';
        *place = close + 1;
        return cut_values(argument, end + 1, err);
    }
    *place = end + strcspn(end, " \t");
    if (**place)
        *(*place)++ = '\0';
    return add_value(argument, end, err);
}

static int cut_command(struct script *script, const char *line, struct script_command *command, struct error *err)
{
    free(script->words);
    script->words = mem_string(line);
    char *place = trim(script->words);

    command->name = place;
    place += strcspn(place, " \t");
    if (*place)
        *place++ = '\0';
    for (command->count = 0; !is_blank(place); command->count++) {
        place += strspn(place, " \t");
        if (command->count == SCRIPT_ARGUMENTS_COUNT)
            return error_set(err, ERR_LIMIT, "more than %d arguments", SCRIPT_ARGUMENTS_COUNT);
        if (cut_argument(&place, &command->arguments[command->count], err) < 0)
            return err->code;
    }
    return 0;
}

static void add_line(struct buf *out, const char *line)
{
    buf_append_string(out, line);
    buf_append_string(out, "\n");
}

static const char *text_of(const struct buf *buf)
{
    return buf->size > 0 ? (const char *)buf->data : "";
}

static bool is_separator(const char *line)
{
    return strcmp(line, "----") == 0;
}

/* Behind the first "----". In the doubled form blank lines belong to the output. */
static void read_expected(struct script *script)
{
    char *line = next_line(script), *closing;

    if (line && is_separator(line)) {
        while ((line = next_line(script)) != NULL) {
            if (!is_separator(line)) {
                add_line(&script->expected, line);
                continue;
            }
            closing = next_line(script);
            if (!closing || is_separator(closing))
                return;
            add_line(&script->expected, line);
            add_line(&script->expected, closing);
        }
        return;
    }
    for (; line && !is_blank(line); line = next_line(script))
        add_line(&script->expected, line);
}

int script_next(struct script *script, struct script_command *command, struct error *err)
{
    char *line = next_line(script);

    while (line && (is_blank(line) || *line == '#'))
        line = next_line(script);
    *command = (struct script_command){.name = "", .line = script->line};
    if (!line)
        return 0;
    if (cut_command(script, line, command, err) < 0)
        return error_wrap(err, "line %d", command->line);
    buf_clear(&script->input);
    buf_clear(&script->expected);
    while ((line = next_line(script)) != NULL && !is_separator(line))
        add_line(&script->input, line);
    if (!line)
        return error_set(err, ERR_INVALID, "line %d: no ---- behind %s", command->line, command->name);
    read_expected(script);
    command->input = text_of(&script->input);
    command->expected = text_of(&script->expected);
    return 1;
}

const struct script_argument *script_find(const struct script_command *command, const char *key)
{
    for (size_t i = 0; i < command->count; i++)
        if (strcmp(command->arguments[i].key, key) == 0)
            return &command->arguments[i];
    return NULL;
}

int script_number(const char *text, uint64_t *number, struct error *err)
{
    char *end;

    errno = 0;
    *number = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0')
        return error_set(err, ERR_INVALID, "\"%s\" is not a number", text);
    return 0;
}

int script_number_at(const struct script_command *command, size_t place, uint64_t *number, struct error *err)
{
    for (size_t i = 0; i < command->count; i++) {
        if (command->arguments[i].count > 0)
            continue;
        if (place-- == 0)
            return script_number(command->arguments[i].key, number, err);
    }
    return error_set(err, ERR_INVALID, "an argument is missing");
}

bool script_is_true(const struct script_argument *argument)
{
    return argument && argument->count == 1 && strcmp(argument->values[0], "true") == 0;
}
