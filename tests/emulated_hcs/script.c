/* tests/emulated_hcs/script.c – the rules by which the emulator fails, from script.txt. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emulated_hcs/server.h"

static struct rule *rules;
static char *last_text;

static char *read_script(void)
{
    WCHAR path[MAX_PATH];
    FILE *file;
    char *text;
    size_t size;

    _snwprintf(path, MAX_PATH, L"%ls\\script.txt", server_dir);
    file = _wfopen(path, L"rb");
    if (!file)
        return NULL;
    text = calloc(1, 65536);
    size = fread(text, 1, 65535, file);
    text[size] = '\0';
    fclose(file);
    return text;
}

static void read_word(struct rule *rule, const char *word)
{
    const char *value = strchr(word, '=');
    unsigned long number = value ? strtoul(value + 1, NULL, 0) : 0;

    if (strncmp(word, "id=", 3) == 0)
        rule->id = text_of(word + 3);
    else if (strncmp(word, "with=", 5) == 0)
        rule->with = text_of(word + 5);
    else if (strncmp(word, "skip=", 5) == 0)
        rule->skip = (unsigned)number;
    else if (strncmp(word, "count=", 6) == 0)
        rule->count = (unsigned)number;
    else if (strncmp(word, "delay=", 6) == 0)
        rule->delay_ms = (unsigned)number;
    else if (strncmp(word, "fail=", 5) == 0)
        rule->fail = (uint32_t)number;
    else if (strncmp(word, "exit-first=", 11) == 0) {
        rule->has_exit_first = true;
        rule->exit_code = (uint32_t)number;
    } else if (strncmp(word, "vm-exit=", 8) == 0 || strncmp(word, "guest-lost=", 11) == 0) {
        rule->has_vm_exit = word[0] == 'v';
        rule->has_guest_lost = word[0] == 'g';
        rule->vm_exit_ms = (unsigned)number;
    }
    rule->hangs = rule->hangs || strcmp(word, "hang") == 0;
    rule->is_done = rule->is_done || strcmp(word, "but-done") == 0;
    rule->loses_exit = rule->loses_exit || strcmp(word, "lose-exit") == 0;
    rule->exits_twice = rule->exits_twice || strcmp(word, "exit-twice") == 0;
    rule->lacks_info = rule->lacks_info || strcmp(word, "no-info") == 0;
    rule->has_old_guest = rule->has_old_guest || strcmp(word, "old-guest") == 0;
    rule->disconnects = rule->disconnects || strcmp(word, "disconnect") == 0;
}

static void read_line(char *line)
{
    struct rule *rule, **end = &rules;
    char *message = strstr(line, " message=");
    char *word;

    if (message)
        *message = '\0';
    word = strtok(line, " \t\r");
    if (!word || word[0] == '#')
        return;
    rule = calloc(1, sizeof *rule);
    rule->call = text_of(word);
    rule->message = message ? text_of(message + 9) : NULL;
    while ((word = strtok(NULL, " \t\r")) != NULL)
        read_word(rule, word);
    while (*end)
        end = &(*end)->next;
    *end = rule;
}

/* Rules that are in use by requests stay in memory: a test's few. */
static void load(void)
{
    char *text = read_script(), *copy, *line;

    if ((!text && !last_text) || (text && last_text && strcmp(text, last_text) == 0)) {
        free(text);
        return;
    }
    rules = NULL;
    free(last_text);
    last_text = text;
    copy = text ? text_of(text) : NULL;
    for (line = copy; line;) {
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        read_line(line);
        line = end ? end + 1 : NULL;
    }
    free(copy);
}

struct rule *script_take(const char *call, const char *id, const char *text)
{
    load();
    for (struct rule *rule = rules; rule; rule = rule->next) {
        if (strcmp(rule->call, call) != 0 || (rule->id && (!id || !strstr(id, rule->id))))
            continue;
        if (rule->with && (!text || !strstr(text, rule->with)))
            continue;
        rule->used++;
        if (rule->used <= rule->skip || (rule->count && rule->used > rule->skip + rule->count))
            continue;
        return rule;
    }
    return NULL;
}
