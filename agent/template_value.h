/* agent/template_value.h – the values of a template and the functions over them: what stands between the braces means this. Pure; used by
 * agent/template.c alone. */
#ifndef SKEP_AGENT_TEMPLATE_VALUE_H
#define SKEP_AGENT_TEMPLATE_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/template.h"
#include "base/arena.h"

enum template_kind {
    TEMPLATE_STRING,
    TEMPLATE_INT,
    TEMPLATE_BOOL,
    TEMPLATE_LABELS, /* the only map there is */
    TEMPLATE_ROOT,
    TEMPLATE_SERVICE,
    TEMPLATE_NODE,
    TEMPLATE_PLATFORM,
    TEMPLATE_TASK /* things with fields */
};

struct template_value {
    enum template_kind kind;
    struct bytes text; /* STRING; borrowed from the arena, the context or the template */
    int64_t number;    /* INT, BOOL */
};

/* What is made here may be part of a secret: it is wiped. */
struct template_scope {
    const struct template_context *context;
    struct arena arena;
    struct template_kept *kept; /* the strings in the arena */
    size_t budget_bytes;        /* what values may still be made of: a template cannot ask for a payload ten thousand times over */
};

void template_scope_deinit(struct template_scope *scope);

struct template_value template_string(struct bytes text);
struct template_value template_keep(struct template_scope *scope, const struct buf *text); /* copied; lives as long as the scope */
bool template_is_true(const struct template_value *value);                                 /* Go's truth: not empty, not zero */

/* One field of a value: `.Service` of the root, `.ID` of that, a key of the labels. */
int template_field(const struct template_scope *scope, const struct template_value *of, struct bytes name, struct template_value *out,
                   struct error *err);

/* As Go prints it with %v. ERR_INVALID for a thing with fields. */
int template_print(const struct template_scope *scope, const struct template_value *value, struct buf *out, struct error *err);

/* Apply a function. ERR_INVALID for one that is not known or arguments that do not fit. */
int template_call(struct template_scope *scope, struct bytes name, const struct template_value *args, size_t count,
                  struct template_value *out, struct error *err);

#endif
