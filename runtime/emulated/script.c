/* runtime/emulated/script.c – the rules by which an emulated host fails, given as structs or as text. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "runtime/emulated/emulated.h"

static const char *const fault_names[] = {
#define X(name, text) [HCS_EMULATED_##name] = (text),
    HCS_EMULATED_FAULTS(X)
#undef X
};

static const char *const operation_names[] = {
#define X(name, shown, deadline_ms) [HCS_OP_##name] = #name,
    HCS_OPERATIONS(X)
#undef X
};

void hcs_emulated_add_rule(struct hcs *hcs, const struct hcs_emulated_rule *rule)
{
    struct emulated_rule *own = mem_alloc(sizeof *own), **end = &emulated_of(hcs)->rules;

    own->rule = *rule;
    own->rule.name = mem_string(rule->name ? rule->name : "");
    own->rule.message = mem_string(rule->message);
    own->left = rule->count;
    while (*end)
        end = &(*end)->next;
    *end = own;
}

void hcs_emulated_clear_rules(struct hcs *hcs)
{
    struct emulated *host = emulated_of(hcs);
    struct emulated_rule *rule;

    while ((rule = host->rules) != NULL) {
        host->rules = rule->next;
        free((char *)rule->rule.name);
        free((char *)rule->rule.message);
        free(rule);
    }
}

const struct hcs_emulated_rule *emulated_take_rule(struct emulated *host, enum hcs_operation operation, const char *name)
{
    for (struct emulated_rule *r = host->rules; r; r = r->next) {
        if (r->rule.operation != operation || (r->rule.count && r->left == 0) || strstr(name, r->rule.name) == NULL)
            continue;
        if (r->rule.count)
            r->left--;
        return &r->rule;
    }
    return NULL;
}

static int find_word(const char *word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t j = 0;
        /* "create-process" is CREATE_PROCESS */
        while (word[j] && (word[j] == '-' ? '_' : word[j] | 0x20) == (words[i][j] == '-' || words[i][j] == '_' ? '_' : words[i][j] | 0x20))
            j++;
        if (word[j] == '\0' && words[i][j] == '\0')
            return (int)i;
    }
    return -1;
}

static int error_code_of(const char *name)
{
#define X(code, value, grpc, http, exit_code, help)                                                                                        \
    if (strcmp(name, "ERR_" #code) == 0)                                                                                                   \
        return ERR_##code;
    ERROR_CODES(X)
#undef X
    return 0;
}

static int read_option(const char *word, struct hcs_emulated_rule *rule, struct error *err)
{
    int key = text_key_length(word);
    const char *value = key < 0 ? "" : word + key + 1;
    int64_t number = 0;

    if (text_starts(word, "name=")) {
        rule->name = value;
    } else if (text_starts(word, "count=")) {
        if (text_parse_i64(value, 0, 1000000, &number, err) < 0)
            return err->code;
        rule->count = (unsigned)number;
    } else if (text_starts(word, "delay=")) {
        if (time_parse_duration(value, &number, err) < 0)
            return err->code;
        rule->delay_ns = (uint64_t)number;
    } else if (text_starts(word, "exit=")) {
        if (text_parse_i64(value, 0, 255, &number, err) < 0)
            return err->code;
        rule->exit_code = (int)number;
    } else if (text_starts(word, "code=")) {
        rule->code = error_code_of(value);
        if (rule->code == 0)
            return error_set(err, ERR_INVALID, "no such error code: %s", value);
    } else {
        return error_set(err, ERR_INVALID, "not an option of a rule: %s", word);
    }
    return 0;
}

/* @line is cut into words in place; "message=" takes the rest of it. */
static int read_line(struct hcs *hcs, char *line, struct error *err)
{
    struct hcs_emulated_rule rule = {0};
    char *message = strstr(line, " message="), *rest = NULL, *word = NULL;
    int operation, fault;

    if (message) {
        *message = '\0';
        rule.message = message + strlen(" message=");
    }
    word = strtok_r(line, " \t\r", &rest);
    if (!word || word[0] == '#')
        return 0;
    operation = find_word(word, operation_names, sizeof operation_names / sizeof operation_names[0]);
    if (operation < 0)
        return error_set(err, ERR_INVALID, "no such operation: %s", word);
    word = strtok_r(NULL, " \t\r", &rest);
    fault = word ? find_word(word, fault_names, sizeof fault_names / sizeof fault_names[0]) : -1;
    if (fault < 0)
        return error_set(err, ERR_INVALID, "no such fault: %s", word ? word : "(none given)");
    rule.operation = (enum hcs_operation)operation;
    rule.fault = (enum hcs_emulated_fault)fault;
    while ((word = strtok_r(NULL, " \t\r", &rest)) != NULL)
        if (read_option(word, &rule, err) < 0)
            return err->code;
    hcs_emulated_add_rule(hcs, &rule);
    return 0;
}

int hcs_emulated_script(struct hcs *hcs, const char *script, struct error *err)
{
    cleanup_free char *copy = mem_string(script);
    struct error scratch;
    unsigned number = 1;

    err = err ? err : &scratch;
    for (char *line = copy; line; number++) {
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        if (read_line(hcs, line, err) < 0)
            return error_wrap(err, "line %u", number);
        line = end ? end + 1 : NULL;
    }
    return 0;
}
