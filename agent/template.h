/* agent/template.h – Go's text/template, the part that SwarmKit's placeholders need: fields, index, print, printf, join, comparisons, if
 * and else, pipelines, trimming; in payloads also secret, config and env.
 *
 * Pure. A template is hostile input: its length, depth, arguments and output are bounded, and it cannot loop. A key that is missing is an
 * error, as with Go's missingkey=error. Source: swarmkit-wire §4.6. */
#ifndef SKEP_AGENT_TEMPLATE_H
#define SKEP_AGENT_TEMPLATE_H

#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

struct template_pair {
    const char *key, *value;
};

/* What the placeholders stand for. Strings are borrowed; NULL is "". */
struct template_context {
    const char *service_id, *service_name;
    const struct template_pair *service_labels;
    size_t service_label_count;
    const char *node_id, *node_hostname, *node_architecture, *node_os;
    const char *task_id, *task_name, *task_slot;
    /* Payloads only; NULL elsewhere, where the functions are not known. Each appends to @out what is there, not expanded; ERR_NOT_FOUND for
     * no such target. */
    int (*secret)(void *self, const char *target, struct buf *out, struct error *err);
    int (*config)(void *self, const char *target, struct buf *out, struct error *err);
    int (*env)(void *self, const char *name, struct buf *out, struct error *err); /* appends nothing when absent */
    void *self;
};

/* Append the expansion of @text to @out. ERR_INVALID with the line and what is wrong; ERR_LIMIT; ERR_NOT_FOUND for a missing key or target.
 * What was appended before an error stays. */
int template_expand(struct bytes text, const struct template_context *context, struct buf *out, struct error *err);

#endif
