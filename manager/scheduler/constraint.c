/* Reading a constraint, and asking it of a node. */
#include "manager/scheduler/constraint.h"

#include <string.h>

#include "base/text.h"
#include "proto/swarmkit/objects.pb-c.h"

#define NODE_LABEL_PREFIX   "node.labels."
#define ENGINE_LABEL_PREFIX "engine.labels."

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_space(char c)
{
    return c != '\0' && strchr(" \t\n\v\f\r", c) != NULL;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* Without regard to ASCII case; the locale has no say. */
static bool equal_fold(const char *a, const char *b)
{
    for (; *a && lower(*a) == lower(*b); a++)
        b++;
    return lower(*a) == lower(*b);
}

static bool starts_fold(const char *text, const char *prefix)
{
    for (; *prefix; prefix++)
        if (lower(*text++) != lower(*prefix))
            return false;
    return true;
}

static bool is_valid_key(const char *key)
{
    if (!is_letter(*key) && *key != '_')
        return false;
    for (const char *c = key + 1; *c; c++)
        if (!is_letter(*c) && !is_digit(*c) && !strchr("-_.", *c))
            return false;
    return key[1] != '\0';
}

/* A vertical tab is trimmed, and is no white space to the pattern. */
static bool is_valid_value(const char *value)
{
    for (const char *c = value; *c; c++)
        if (!is_letter(*c) && !is_digit(*c) && !strchr(":-_.*()?+[]\\^$|/ \t\n\f\r", *c))
            return false;
    return *value != '\0';
}

static const char *trimmed(struct arena *arena, const char *text, size_t length)
{
    while (length > 0 && is_space(*text)) {
        text++;
        length--;
    }
    while (length > 0 && is_space(text[length - 1]))
        length--;
    return arena_string_n(arena, text, length);
}

static enum constraint_key key_of(const char *key, const char **label)
{
    static const struct {
        const char *name;
        enum constraint_key key;
    } names[] = {{"node.id", CONSTRAINT_NODE_ID}, {"node.hostname", CONSTRAINT_HOSTNAME}, {"node.ip", CONSTRAINT_IP},
                 {"node.role", CONSTRAINT_ROLE},  {"node.platform.os", CONSTRAINT_OS},    {"node.platform.arch", CONSTRAINT_ARCHITECTURE}};
    *label = "";
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (equal_fold(key, names[i].name))
            return names[i].key;
    if (starts_fold(key, NODE_LABEL_PREFIX) && key[sizeof NODE_LABEL_PREFIX - 1])
        *label = key + sizeof NODE_LABEL_PREFIX - 1;
    else if (starts_fold(key, ENGINE_LABEL_PREFIX) && key[sizeof ENGINE_LABEL_PREFIX - 1])
        *label = key + sizeof ENGINE_LABEL_PREFIX - 1;
    return **label == '\0' ? CONSTRAINT_UNKNOWN : lower(*key) == 'n' ? CONSTRAINT_NODE_LABEL : CONSTRAINT_ENGINE_LABEL;
}

static int parse_one(const char *text, struct arena *arena, struct constraint *out, struct error *err)
{
    const char *sign = strstr(text, "==");
    *out = (struct constraint){.is_negated = sign == NULL};
    if (!sign)
        sign = strstr(text, "!=");
    if (strlen(text) > CONSTRAINT_SIZE_CHARS)
        return error_set(err, ERR_LIMIT, "constraint '%.40s…' has more than %d characters", text, CONSTRAINT_SIZE_CHARS);
    if (!sign)
        return error_set(err, ERR_INVALID, "constraint expected one operator from ==, !=");
    const char *key = trimmed(arena, text, (size_t)(sign - text));
    if (!is_valid_key(key))
        return error_set(err, ERR_INVALID, "key '%s' is invalid", key);
    out->value = trimmed(arena, sign + 2, strlen(sign + 2));
    if (!is_valid_value(out->value))
        return error_set(err, ERR_INVALID, "value '%s' is invalid", out->value);
    out->key = key_of(key, &out->label);
    out->text = arena_format(arena, "%s%s%s", key, out->is_negated ? "!=" : "==", out->value);
    if (out->key == CONSTRAINT_IP)
        out->range = ip_range_parse(out->value);
    return 0;
}

int constraints_parse(char *const *texts, size_t count, struct arena *arena, struct constraints *out, struct error *err)
{
    if (count > CONSTRAINTS_COUNT)
        return error_set(err, ERR_LIMIT, "%zu constraints: at most %d are taken", count, CONSTRAINTS_COUNT);
    struct constraint *items = arena_alloc(arena, (count + 1) * sizeof *items);
    for (size_t i = 0; i < count; i++)
        if (parse_one(texts[i], arena, &items[i], err) < 0)
            return err ? err->code : ERR_INVALID;
    *out = (struct constraints){items, count};
    return 0;
}

static const char *label_value(const struct constraint_label *labels, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(labels[i].key, key) == 0)
            return labels[i].value;
    return "";
}

const char *constraint_value_of(const struct constraint *constraint, const struct constraint_node *node)
{
    switch (constraint->key) {
    case CONSTRAINT_NODE_ID:
        return node->id;
    case CONSTRAINT_HOSTNAME:
        return node->hostname;
    case CONSTRAINT_IP:
        return node->address;
    case CONSTRAINT_ROLE:
        return node->is_manager ? "manager" : "worker";
    case CONSTRAINT_OS:
        return node->os;
    case CONSTRAINT_ARCHITECTURE:
        return node->architecture;
    case CONSTRAINT_NODE_LABEL:
        return label_value(node->labels, node->label_count, constraint->label);
    case CONSTRAINT_ENGINE_LABEL:
        return label_value(node->engine_labels, node->engine_label_count, constraint->label);
    case CONSTRAINT_UNKNOWN:
        break;
    }
    return "";
}

bool constraint_holds(const struct constraint *constraint, const struct constraint_node *node)
{
    const char *value = constraint_value_of(constraint, node);
    if (constraint->key == CONSTRAINT_UNKNOWN)
        return false;
    if (constraint->key != CONSTRAINT_IP)
        return equal_fold(constraint->value, value) != constraint->is_negated;
    struct ip_range address = ip_range_parse(value);
    return constraint->range.kind != IP_NOTHING && ip_range_contains(&constraint->range, &address) != constraint->is_negated;
}

bool constraints_hold(const struct constraints *constraints, const struct constraint_node *node, size_t *failed)
{
    for (size_t i = 0; i < constraints->count; i++) {
        if (constraint_holds(&constraints->items[i], node))
            continue;
        if (failed)
            *failed = i;
        return false;
    }
    return true;
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

void constraint_node_read(const Docker__Swarmkit__V1__Node *node, struct arena *arena, struct constraint_node *out)
{
    const Docker__Swarmkit__V1__NodeDescription *description = node->description;
    const Docker__Swarmkit__V1__Platform *platform = description ? description->platform : NULL;
    const Docker__Swarmkit__V1__EngineDescription *engine = description ? description->engine : NULL;
    const Docker__Swarmkit__V1__Annotations *annotations = node->spec ? node->spec->annotations : NULL;

    *out = (struct constraint_node){.id = or_empty(node->id),
                                    .hostname = description ? or_empty(description->hostname) : "",
                                    .address = node->status ? or_empty(node->status->addr) : "",
                                    .os = platform ? or_empty(platform->os) : "",
                                    .architecture = platform ? or_empty(platform->architecture) : "",
                                    .is_manager = node->role == DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER,
                                    .label_count = annotations ? annotations->n_labels : 0,
                                    .engine_label_count = engine ? engine->n_labels : 0};
    struct constraint_label *labels = arena_alloc(arena, (out->label_count + out->engine_label_count + 1) * sizeof *labels);
    out->labels = labels;
    out->engine_labels = labels + out->label_count;
    for (size_t i = 0; i < out->label_count; i++)
        *labels++ = (struct constraint_label){or_empty(annotations->labels[i]->key), or_empty(annotations->labels[i]->value)};
    for (size_t i = 0; i < out->engine_label_count; i++)
        *labels++ = (struct constraint_label){or_empty(engine->labels[i]->key), or_empty(engine->labels[i]->value)};
}
