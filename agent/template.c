/* Templates are read and carried out in one pass, by descent: text, actions, and the two arms of an if, of which one is read without effect
 * (`is_live` false). */
#include "agent/template.h"

#include "agent/template_value.h"
#include "base/limits.h"
#include "base/text.h"

struct reader {
    struct bytes text;
    size_t at;
    unsigned depth;
    struct template_scope scope;
    struct buf *out;
    size_t start_size;
};

static int fail(const char *what, struct error *err)
{
    return error_set(err, ERR_INVALID, "%s", what);
}

static bool at_end(const struct reader *r)
{
    return r->at >= r->text.size;
}

static char peek(const struct reader *r)
{
    return at_end(r) ? '\0' : (char)r->text.data[r->at];
}

static bool starts(const struct reader *r, const char *word)
{
    size_t size = strlen(word);
    return r->text.size - r->at >= size && memcmp(r->text.data + r->at, word, size) == 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void skip_space(struct reader *r)
{
    while (!at_end(r) && is_space(peek(r)))
        r->at++;
}

/* Before "}}", or before " -}}". */
static bool at_close(const struct reader *r)
{
    return starts(r, "}}") || (starts(r, "-}}") && r->at > 0 && is_space((char)r->text.data[r->at - 1]));
}

static int expect_close(struct reader *r, struct error *err)
{
    skip_space(r);
    if (!at_close(r))
        return fail("unexpected text before \"}}\", or no \"}}\"", err);
    bool trims = peek(r) == '-';
    r->at += trims ? 3 : 2;
    if (trims)
        skip_space(r);
    return 0;
}

static struct bytes take_name(struct reader *r)
{
    size_t from = r->at;
    while (!at_end(r) && is_name(peek(r)))
        r->at++;
    return bytes_of(r->text.data + from, r->at - from);
}

static bool take_word(struct reader *r, const char *word)
{
    size_t size = strlen(word);
    if (!starts(r, word) || (r->at + size < r->text.size && is_name((char)r->text.data[r->at + size])))
        return false;
    r->at += size;
    return true;
}

/* --- operands --- */

static int read_pipeline(struct reader *r, bool is_live, struct template_value *out, struct error *err);

static int read_raw_string(struct reader *r, struct template_value *out, struct error *err)
{
    size_t from = ++r->at;
    while (!at_end(r) && peek(r) != '`')
        r->at++;
    if (at_end(r))
        return fail("unterminated raw string", err);
    *out = template_string(bytes_of(r->text.data + from, r->at++ - from));
    return 0;
}

static int unescape(char c, char *out)
{
    static const char from[] = "nrt\\\"'", to[] = "\n\r\t\\\"'";
    const char *found = c ? strchr(from, c) : NULL;
    if (!found)
        return -1;
    *out = to[found - from];
    return 0;
}

static int read_string(struct reader *r, struct template_value *out, struct error *err)
{
    cleanup_buf struct buf text = {.is_secret = true};
    for (r->at++; !at_end(r) && peek(r) != '"'; r->at++) {
        char c = peek(r);
        if (c == '\n')
            return fail("unterminated string", err);
        if (c == '\\') {
            r->at++;
            if (unescape(peek(r), &c) < 0)
                return fail("unknown escape in a string", err);
        }
        buf_append(&text, &c, 1);
    }
    if (at_end(r))
        return fail("unterminated string", err);
    r->at++;
    *out = template_keep(&r->scope, &text);
    return 0;
}

static int read_number(struct reader *r, struct template_value *out, struct error *err)
{
    size_t from = r->at;
    r->at += peek(r) == '-';
    while (is_digit(peek(r)))
        r->at++;
    char digits[24];
    size_t size = r->at - from;
    if (size >= sizeof digits || is_name(peek(r)) || peek(r) == '.')
        return fail("not a number that is supported", err);
    memcpy(digits, r->text.data + from, size);
    digits[size] = '\0';
    *out = (struct template_value){.kind = TEMPLATE_INT};
    return text_parse_i64(digits, INT64_MIN, INT64_MAX, &out->number, err);
}

/* ".Service.Labels.x", ".", "$.Task.ID". Nothing is looked up in an arm that is not taken. */
static int read_fields(struct reader *r, bool is_live, struct template_value *out, struct error *err)
{
    *out = (struct template_value){.kind = TEMPLATE_ROOT};
    if (peek(r) == '$')
        r->at++;
    while (peek(r) == '.') {
        r->at++;
        struct bytes name = take_name(r);
        if (name.size == 0)
            return at_close(r) || is_space(peek(r)) || peek(r) == ')' ? 0 : fail("a field's name is missing after \".\"", err);
        struct template_value of = *out;
        int result = is_live ? template_field(&r->scope, &of, name, out, err) : 0;
        if (result < 0)
            return result;
    }
    return is_name(peek(r)) ? fail("variables are not supported", err) : 0;
}

static int read_parenthesis(struct reader *r, bool is_live, struct template_value *out, struct error *err)
{
    if (++r->depth > TEMPLATE_DEPTH_COUNT)
        return error_set(err, ERR_LIMIT, "nested deeper than %d", TEMPLATE_DEPTH_COUNT);
    r->at++;
    int result = read_pipeline(r, is_live, out, err);
    r->depth--;
    if (result < 0)
        return result;
    skip_space(r);
    if (peek(r) != ')')
        return fail("\")\" is missing", err);
    r->at++;
    return 0;
}

static bool at_operand(const struct reader *r)
{
    char c = peek(r);
    return !at_end(r) && !at_close(r) && c != '|' && c != ')';
}

static int read_operand(struct reader *r, bool is_live, struct template_value *out, struct error *err)
{
    char c = peek(r);
    if (c == '"')
        return read_string(r, out, err);
    if (c == '`')
        return read_raw_string(r, out, err);
    if (c == '.' || c == '$')
        return read_fields(r, is_live, out, err);
    if (c == '(')
        return read_parenthesis(r, is_live, out, err);
    if (is_digit(c) || (c == '-' && r->at + 1 < r->text.size && is_digit((char)r->text.data[r->at + 1])))
        return read_number(r, out, err);
    *out = (struct template_value){.kind = TEMPLATE_BOOL, .number = c == 't'};
    if (take_word(r, "true") || take_word(r, "false"))
        return 0;
    return fail("a value is expected: a field, a string, a number or \"(\"", err);
}

/* --- commands and pipelines --- */

static int check_separated(const struct reader *r, struct error *err)
{
    bool is_separated = at_end(r) || is_space(peek(r)) || !at_operand(r);
    return is_separated ? 0 : fail("a space is missing between two values", err);
}

/* A function with its arguments, or one value. @piped, from the command before, is the last argument. */
static int read_command(struct reader *r, bool is_live, const struct template_value *piped, struct template_value *out, struct error *err)
{
    struct template_value args[TEMPLATE_ARGUMENTS_COUNT];
    size_t count = 0;
    struct bytes function = {0};
    skip_space(r);
    char c = peek(r);
    bool is_word = ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_') && !starts(r, "true") && !starts(r, "false");
    if (is_word)
        function = take_name(r);
    for (skip_space(r); at_operand(r); skip_space(r)) {
        if (count + 1 >= TEMPLATE_ARGUMENTS_COUNT)
            return error_set(err, ERR_LIMIT, "more than %d arguments", TEMPLATE_ARGUMENTS_COUNT);
        int result = read_operand(r, is_live, &args[count], err);
        if (result == 0)
            result = check_separated(r, err);
        if (result < 0)
            return result;
        count++;
    }
    if (!is_word && (count != 1 || piped))
        return fail(count == 0 ? "a command is missing" : "only a function takes arguments", err);
    if (!is_word)
        *out = args[0];
    if (!is_word || !is_live)
        return 0;
    if (piped)
        args[count++] = *piped;
    return template_call(&r->scope, function, args, count, out, err);
}

static int read_pipeline(struct reader *r, bool is_live, struct template_value *out, struct error *err)
{
    struct template_value piped = {0};
    *out = (struct template_value){0};
    int result = read_command(r, is_live, NULL, out, err);
    for (skip_space(r); result == 0 && peek(r) == '|'; skip_space(r)) {
        r->at++;
        piped = *out;
        result = read_command(r, is_live, &piped, out, err);
    }
    return result;
}

/* --- text and blocks --- */

enum block_end { END_OF_TEXT, END_OF_IF, ELSE_OF_IF };

static int read_block(struct reader *r, bool is_live, enum block_end *end, struct error *err);

/* Behind "{{if": the condition, the arms, "{{end}}". "{{else if" is an if of its own whose end is ours. */
static int read_if(struct reader *r, bool is_live, struct error *err)
{
    struct template_value condition;
    enum block_end end = END_OF_TEXT;
    if (++r->depth > TEMPLATE_DEPTH_COUNT)
        return error_set(err, ERR_LIMIT, "nested deeper than %d", TEMPLATE_DEPTH_COUNT);
    int result = read_pipeline(r, is_live, &condition, err);
    if (result == 0)
        result = expect_close(r, err);
    bool is_taken = result == 0 && is_live && template_is_true(&condition);
    if (result == 0)
        result = read_block(r, is_taken, &end, err);
    if (result == 0 && end == ELSE_OF_IF) {
        bool is_else_live = is_live && !is_taken;
        skip_space(r);
        if (take_word(r, "if")) {
            result = read_if(r, is_else_live, err);
            r->depth--;
            return result;
        }
        result = expect_close(r, err);
        if (result == 0)
            result = read_block(r, is_else_live, &end, err);
        if (result == 0 && end == ELSE_OF_IF)
            return fail("a second {{else}}", err);
    }
    r->depth--;
    if (result == 0 && end != END_OF_IF)
        return fail("{{end}} is missing", err);
    return result;
}

static int read_comment(struct reader *r, struct error *err)
{
    while (!at_end(r) && !starts(r, "*/"))
        r->at++;
    if (at_end(r))
        return fail("unclosed comment", err);
    r->at += 2;
    return expect_close(r, err);
}

static int emit(struct reader *r, const struct template_value *v, struct error *err)
{
    int result = template_print(&r->scope, v, r->out, err);
    if (result == 0 && r->out->size - r->start_size > TEMPLATE_OUTPUT_BYTES)
        return error_set(err, ERR_LIMIT, "the template makes more than %u bytes", TEMPLATE_OUTPUT_BYTES);
    return result;
}

/* Behind "{{". @end is set, and the block over, at an else or end. */
static int read_action(struct reader *r, bool is_live, bool *is_over, enum block_end *end, struct error *err)
{
    static const char *const unsupported[] = {"range", "with", "define", "template", "block", "break", "continue"};
    struct template_value v;
    skip_space(r);
    if (starts(r, "/*"))
        return read_comment(r, err);
    if (take_word(r, "if"))
        return read_if(r, is_live, err);
    *is_over = true;
    if (take_word(r, "end")) {
        *end = END_OF_IF;
        return expect_close(r, err);
    }
    *end = ELSE_OF_IF; /* which reads on behind the word itself */
    if (take_word(r, "else"))
        return 0;
    *is_over = false;
    for (size_t i = 0; i < sizeof unsupported / sizeof unsupported[0]; i++)
        if (take_word(r, unsupported[i]))
            return error_set(err, ERR_INVALID, "{{%s}} is not supported", unsupported[i]);
    int result = read_pipeline(r, is_live, &v, err);
    if (result == 0)
        result = expect_close(r, err);
    return result == 0 && is_live ? emit(r, &v, err) : result;
}

/* Text up to the next "{{", without its last white space where that says "{{- ". True when an action follows. */
static bool read_text(struct reader *r, bool is_live)
{
    size_t from = r->at;
    while (!at_end(r) && !starts(r, "{{"))
        r->at++;
    size_t to = r->at;
    bool trims = starts(r, "{{-") && r->at + 3 < r->text.size && is_space((char)r->text.data[r->at + 3]);
    while (trims && to > from && is_space((char)r->text.data[to - 1]))
        to--;
    if (is_live && to > from)
        buf_append(r->out, r->text.data + from, to - from);
    if (at_end(r))
        return false;
    r->at += trims ? 3 : 2;
    return true;
}

static int read_block(struct reader *r, bool is_live, enum block_end *end, struct error *err)
{
    bool is_over = false;
    while (!is_over) {
        if (!read_text(r, is_live)) {
            *end = END_OF_TEXT;
            return 0;
        }
        int result = read_action(r, is_live, &is_over, end, err);
        if (result < 0)
            return result;
    }
    return 0;
}

static unsigned line_of(const struct reader *r)
{
    unsigned line = 1;
    for (size_t i = 0; i < r->at && i < r->text.size; i++)
        line += r->text.data[i] == '\n';
    return line;
}

int template_expand(struct bytes text, const struct template_context *context, struct buf *out, struct error *err)
{
    if (text.size > TEMPLATE_SIZE_BYTES)
        return error_set(err, ERR_LIMIT, "template: longer than %u bytes", TEMPLATE_SIZE_BYTES);
    struct reader r = {.text = text, .out = out, .start_size = out->size};
    r.scope.context = context;
    r.scope.budget_bytes = 4 * (size_t)TEMPLATE_OUTPUT_BYTES;
    enum block_end end = END_OF_TEXT;
    int result = read_block(&r, true, &end, err);
    if (result == 0 && end != END_OF_TEXT)
        result = fail("{{else}} or {{end}} without {{if}}", err);
    if (result < 0)
        result = error_wrap(err, "template: line %u", line_of(&r));
    template_scope_deinit(&r.scope);
    return result;
}
