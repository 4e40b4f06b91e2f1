#include "agent/template_value.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"

enum { PRINTF_WIDTH_MAX = 200 };

typedef struct template_value value;

value template_string(struct bytes text)
{
    return (value){.kind = TEMPLATE_STRING, .text = text};
}

static value number(enum template_kind kind, int64_t n)
{
    return (value){.kind = kind, .number = n};
}

static value kind_only(enum template_kind kind)
{
    return (value){.kind = kind};
}

bool template_is_true(const value *v)
{
    switch (v->kind) {
    case TEMPLATE_STRING:
        return v->text.size > 0;
    case TEMPLATE_INT:
    case TEMPLATE_BOOL:
        return v->number != 0;
    default:
        return true;
    }
}

static bool is(struct bytes name, const char *text)
{
    return bytes_equal(name, bytes_of_string(text));
}

static const char *find_label(const struct template_context *context, struct bytes key)
{
    for (size_t i = 0; i < context->service_label_count; i++)
        if (is(key, context->service_labels[i].key))
            return context->service_labels[i].value;
    return NULL;
}

/* --- fields --- */

struct field {
    enum template_kind of, kind;
    const char *name;
    size_t offset; /* of a string in the context */
};

#define TEXT_FIELD(of, name, member)                                                                                                       \
    {                                                                                                                                      \
        of, TEMPLATE_STRING, name, offsetof(struct template_context, member)                                                               \
    }
static const struct field fields[] = {
    {TEMPLATE_ROOT, TEMPLATE_SERVICE, "Service", 0},
    {TEMPLATE_ROOT, TEMPLATE_NODE, "Node", 0},
    {TEMPLATE_ROOT, TEMPLATE_TASK, "Task", 0},
    {TEMPLATE_SERVICE, TEMPLATE_LABELS, "Labels", 0},
    {TEMPLATE_NODE, TEMPLATE_PLATFORM, "Platform", 0},
    TEXT_FIELD(TEMPLATE_SERVICE, "ID", service_id),
    TEXT_FIELD(TEMPLATE_SERVICE, "Name", service_name),
    TEXT_FIELD(TEMPLATE_NODE, "ID", node_id),
    TEXT_FIELD(TEMPLATE_NODE, "Hostname", node_hostname),
    TEXT_FIELD(TEMPLATE_PLATFORM, "Architecture", node_architecture),
    TEXT_FIELD(TEMPLATE_PLATFORM, "OS", node_os),
    TEXT_FIELD(TEMPLATE_TASK, "ID", task_id),
    TEXT_FIELD(TEMPLATE_TASK, "Name", task_name),
    TEXT_FIELD(TEMPLATE_TASK, "Slot", task_slot),
};

int template_field(const struct template_scope *scope, const value *of, struct bytes name, value *out, struct error *err)
{
    int shown = name.size < 100 ? (int)name.size : 100;
    if (of->kind == TEMPLATE_LABELS) {
        const char *label = find_label(scope->context, name);
        if (!label)
            return error_set(err, ERR_NOT_FOUND, "map has no entry for key \"%.*s\"", shown, (const char *)name.data);
        *out = template_string(bytes_of_string(label));
        return 0;
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (fields[i].of != of->kind || !is(name, fields[i].name))
            continue;
        *out = kind_only(fields[i].kind);
        if (fields[i].kind == TEMPLATE_STRING)
            out->text = bytes_of_string(*(const char *const *)((const char *)scope->context + fields[i].offset));
        return 0;
    }
    return error_set(err, ERR_INVALID, "there is no field %.*s here", shown, (const char *)name.data);
}

/* --- printing --- */

static int compare_pairs(const void *a, const void *b)
{
    return strcmp(((const struct template_pair *)a)->key, ((const struct template_pair *)b)->key);
}

static void print_labels(const struct template_context *context, struct buf *out)
{
    struct template_pair *sorted = malloc((context->service_label_count + 1) * sizeof *sorted);
    if (!sorted)
        abort();
    for (size_t i = 0; i < context->service_label_count; i++)
        sorted[i] = context->service_labels[i];
    qsort(sorted, context->service_label_count, sizeof *sorted, compare_pairs);
    buf_append_string(out, "map[");
    for (size_t i = 0; i < context->service_label_count; i++)
        buf_append_format(out, "%s%s:%s", i ? " " : "", sorted[i].key, sorted[i].value ? sorted[i].value : "");
    buf_append_string(out, "]");
    free(sorted);
}

int template_print(const struct template_scope *scope, const value *v, struct buf *out, struct error *err)
{
    switch (v->kind) {
    case TEMPLATE_STRING:
        buf_append(out, v->text.data, v->text.size);
        return 0;
    case TEMPLATE_INT:
        buf_append_format(out, "%" PRId64, v->number);
        return 0;
    case TEMPLATE_BOOL:
        buf_append_string(out, v->number ? "true" : "false");
        return 0;
    case TEMPLATE_LABELS:
        print_labels(scope->context, out);
        return 0;
    default:
        return error_set(err, ERR_INVALID, "name one of its fields: a whole object cannot be printed");
    }
}

struct template_kept {
    struct template_kept *next;
    void *data;
    size_t size;
};

struct template_value template_keep(struct template_scope *scope, const struct buf *text)
{
    struct template_kept *kept = arena_alloc(&scope->arena, sizeof *kept);
    *kept = (struct template_kept){scope->kept, arena_copy(&scope->arena, text->data, text->size), text->size};
    scope->kept = kept;
    return template_string(bytes_of(kept->data, kept->size));
}

void template_scope_deinit(struct template_scope *scope)
{
    for (struct template_kept *kept = scope->kept; kept; kept = kept->next)
        mem_wipe(kept->data, kept->size);
    scope->kept = NULL;
    arena_deinit(&scope->arena);
}

/* Keep what was built as a value, within the budget. */
static int keep(struct template_scope *scope, struct buf *built, value *out, struct error *err)
{
    if (built->size > scope->budget_bytes)
        return error_set(err, ERR_LIMIT, "the template makes more than %u bytes", TEMPLATE_OUTPUT_BYTES);
    scope->budget_bytes -= built->size;
    *out = template_keep(scope, built);
    return 0;
}

/* --- functions --- */

struct call {
    struct template_scope *scope;
    const value *args;
    size_t count;
    const char *name;
};

static int wrong(const struct call *call, const char *want, struct error *err)
{
    return error_set(err, ERR_INVALID, "%s: wants %s", call->name, want);
}

static bool all_strings(const struct call *call)
{
    for (size_t i = 0; i < call->count; i++)
        if (call->args[i].kind != TEMPLATE_STRING)
            return false;
    return true;
}

/* fmt.Sprint: a space between two operands when neither is a string. */
static int call_print(const struct call *call, value *out, struct error *err)
{
    cleanup_buf struct buf built = {.is_secret = true};
    for (size_t i = 0; i < call->count; i++) {
        if (i > 0 && call->args[i].kind != TEMPLATE_STRING && call->args[i - 1].kind != TEMPLATE_STRING)
            buf_append_string(&built, " ");
        int result = template_print(call->scope, &call->args[i], &built, err);
        if (result < 0)
            return result;
    }
    return keep(call->scope, &built, out, err);
}

static void append_quoted(struct bytes text, struct buf *out)
{
    buf_append_string(out, "\"");
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == '"' || c == '\\')
            buf_append_format(out, "\\%c", c);
        else if (c == '\n')
            buf_append_string(out, "\\n");
        else if (c == '\t')
            buf_append_string(out, "\\t");
        else if (c < 0x20 || c == 0x7f)
            buf_append_format(out, "\\x%02x", c);
        else
            buf_append(out, &c, 1);
    }
    buf_append_string(out, "\"");
}

static int format_verb(const struct call *call, char verb, const value *v, struct buf *out, struct error *err)
{
    bool is_number = v->kind == TEMPLATE_INT;
    if ((verb == 'd' && !is_number) || (verb == 'x' && !is_number) || (verb == 'q' && v->kind != TEMPLATE_STRING) ||
        (verb == 's' && v->kind != TEMPLATE_STRING) || (verb == 't' && v->kind != TEMPLATE_BOOL))
        return error_set(err, ERR_INVALID, "printf: %%%c does not fit its argument", verb);
    if (verb == 'q')
        append_quoted(v->text, out);
    else if (verb == 'x')
        buf_append_format(out, "%" PRIx64, (uint64_t)v->number);
    else if (strchr("dsvt", verb))
        return template_print(call->scope, v, out, err);
    else
        return error_set(err, ERR_INVALID, "printf: %%%c is not supported: use %%s, %%v, %%d, %%q, %%t or %%x", verb);
    return 0;
}

static void append_padded(struct bytes text, int width, bool is_left, char fill, struct buf *out)
{
    size_t pad = (size_t)width > text.size ? (size_t)width - text.size : 0;
    if (is_left)
        buf_append(out, text.data, text.size);
    for (size_t i = 0; i < pad; i++)
        buf_append(out, is_left ? " " : &fill, 1);
    if (!is_left)
        buf_append(out, text.data, text.size);
}

/* One "%-08d" at @at: appends it and returns how many bytes it had, or an error. */
static int format_one(const struct call *call, struct bytes format, size_t at, size_t *next_arg, struct buf *out, struct error *err)
{
    size_t i = at + 1;
    bool is_left = false, is_zero = false;
    for (; i < format.size && (format.data[i] == '-' || format.data[i] == '0'); i++)
        *(format.data[i] == '-' ? &is_left : &is_zero) = true;
    int width = 0;
    for (; i < format.size && format.data[i] >= '0' && format.data[i] <= '9' && width <= PRINTF_WIDTH_MAX; i++)
        width = width * 10 + (format.data[i] - '0');
    if (width > PRINTF_WIDTH_MAX || i >= format.size)
        return error_set(err, ERR_INVALID, "printf: a width above %d or a format that ends in the middle", PRINTF_WIDTH_MAX);
    if (format.data[i] == '%') {
        buf_append_string(out, "%");
        return (int)(i + 1 - at);
    }
    if (*next_arg >= call->count)
        return error_set(err, ERR_INVALID, "printf: fewer arguments than verbs");
    cleanup_buf struct buf one = {.is_secret = true};
    int result = format_verb(call, (char)format.data[i], &call->args[(*next_arg)++], &one, err);
    if (result < 0)
        return result;
    append_padded(buf_bytes(&one), width, is_left, is_zero && !is_left ? '0' : ' ', out);
    return (int)(i + 1 - at);
}

static int call_printf(const struct call *call, value *out, struct error *err)
{
    if (call->count == 0 || call->args[0].kind != TEMPLATE_STRING)
        return wrong(call, "a format first", err);
    struct bytes format = call->args[0].text;
    cleanup_buf struct buf built = {.is_secret = true};
    size_t next_arg = 1;
    for (size_t i = 0; i < format.size;) {
        if (format.data[i] != '%') {
            buf_append(&built, &format.data[i++], 1);
            continue;
        }
        int used = format_one(call, format, i, &next_arg, &built, err);
        if (used < 0)
            return used;
        if (built.size > call->scope->budget_bytes)
            break;
        i += (size_t)used;
    }
    if (next_arg < call->count)
        return error_set(err, ERR_INVALID, "printf: more arguments than verbs");
    return keep(call->scope, &built, out, err);
}

/* Go's index: a key that is not there gives "". */
static int call_index(const struct call *call, value *out, struct error *err)
{
    if (call->count != 2 || call->args[0].kind != TEMPLATE_LABELS || call->args[1].kind != TEMPLATE_STRING)
        return wrong(call, "labels and a key", err);
    *out = template_string(bytes_of_string(find_label(call->scope->context, call->args[1].text)));
    return 0;
}

static int call_join(const struct call *call, value *out, struct error *err)
{
    if (call->count == 0 || !all_strings(call))
        return wrong(call, "a separator and strings", err);
    cleanup_buf struct buf built = {.is_secret = true};
    for (size_t i = 1; i < call->count; i++) {
        if (i > 1)
            buf_append(&built, call->args[0].text.data, call->args[0].text.size);
        buf_append(&built, call->args[i].text.data, call->args[i].text.size);
        if (built.size > call->scope->budget_bytes)
            break;
    }
    return keep(call->scope, &built, out, err);
}

static int call_len(const struct call *call, value *out, struct error *err)
{
    if (call->count != 1 || (call->args[0].kind != TEMPLATE_STRING && call->args[0].kind != TEMPLATE_LABELS))
        return wrong(call, "a string or labels", err);
    size_t size = call->args[0].kind == TEMPLATE_STRING ? call->args[0].text.size : call->scope->context->service_label_count;
    *out = number(TEMPLATE_INT, (int64_t)size);
    return 0;
}

static bool is_equal(const value *a, const value *b)
{
    if (a->kind != b->kind)
        return false;
    return a->kind == TEMPLATE_STRING ? bytes_equal(a->text, b->text) : a->number == b->number;
}

static bool is_plain(const value *v)
{
    return v->kind == TEMPLATE_STRING || v->kind == TEMPLATE_INT || v->kind == TEMPLATE_BOOL;
}

/* eq a b c: a is b or c. */
static int call_eq(const struct call *call, value *out, struct error *err)
{
    if (call->count < 2)
        return wrong(call, "two values to compare", err);
    bool is_any = false;
    for (size_t i = 0; i < call->count; i++) {
        if (!is_plain(&call->args[i]) || call->args[i].kind != call->args[0].kind)
            return wrong(call, "values of one plain type", err);
        is_any |= i > 0 && is_equal(&call->args[0], &call->args[i]);
    }
    *out = number(TEMPLATE_BOOL, is_any);
    return 0;
}

static int call_ne(const struct call *call, value *out, struct error *err)
{
    if (call->count != 2)
        return wrong(call, "two values", err);
    int result = call_eq(call, out, err);
    out->number = !out->number;
    return result;
}

static int call_not(const struct call *call, value *out, struct error *err)
{
    if (call->count != 1)
        return wrong(call, "one value", err);
    *out = number(TEMPLATE_BOOL, !template_is_true(&call->args[0]));
    return 0;
}

/* The first that decides, else the last. */
static int call_logic(const struct call *call, bool until, value *out, struct error *err)
{
    if (call->count == 0)
        return wrong(call, "at least one value", err);
    size_t i = 0;
    while (i + 1 < call->count && template_is_true(&call->args[i]) != until)
        i++;
    *out = call->args[i];
    return 0;
}

static int call_and(const struct call *call, value *out, struct error *err)
{
    return call_logic(call, false, out, err);
}

static int call_or(const struct call *call, value *out, struct error *err)
{
    return call_logic(call, true, out, err);
}

typedef int (*lookup)(void *self, const char *name, struct buf *out, struct error *err);

static int call_lookup(const struct call *call, lookup look, value *out, struct error *err)
{
    if (!look)
        return error_set(err, ERR_INVALID, "function \"%s\" not defined", call->name);
    if (call->count != 1 || call->args[0].kind != TEMPLATE_STRING)
        return wrong(call, "one name", err);
    const char *name = arena_string_n(&call->scope->arena, (const char *)call->args[0].text.data, call->args[0].text.size);
    cleanup_buf struct buf built = {.is_secret = true};
    int result = look(call->scope->context->self, name ? name : "", &built, err);
    return result < 0 ? result : keep(call->scope, &built, out, err);
}

static int call_secret(const struct call *call, value *out, struct error *err)
{
    return call_lookup(call, call->scope->context->secret, out, err);
}

static int call_config(const struct call *call, value *out, struct error *err)
{
    return call_lookup(call, call->scope->context->config, out, err);
}

static int call_env(const struct call *call, value *out, struct error *err)
{
    return call_lookup(call, call->scope->context->env, out, err);
}

static const struct {
    const char *name;
    int (*call)(const struct call *call, value *out, struct error *err);
} functions[] = {
    {"print", call_print}, {"printf", call_printf}, {"index", call_index},   {"join", call_join}, {"len", call_len},
    {"eq", call_eq},       {"ne", call_ne},         {"not", call_not},       {"and", call_and},   {"or", call_or},
    {"env", call_env},     {"secret", call_secret}, {"config", call_config},
};

int template_call(struct template_scope *scope, struct bytes name, const value *args, size_t count, value *out, struct error *err)
{
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        if (!is(name, functions[i].name))
            continue;
        const struct call call = {scope, args, count, functions[i].name};
        return functions[i].call(&call, out, err);
    }
    return error_set(err, ERR_INVALID, "function \"%.*s\" not defined", (int)(name.size < 100 ? name.size : 100), (const char *)name.data);
}
