/* manager/scheduler/constraint.h – placement constraints: "node.labels.zone == a", read, checked and asked of a node.
 *
 * The scheduler's filter, the control API's validation and the constraint enforcer share it. Pure. Grammar, keys, case rules and the texts
 * of errors are SwarmKit's: swarmkit-wire §7.1. */
#ifndef SKEP_MANAGER_SCHEDULER_CONSTRAINT_H
#define SKEP_MANAGER_SCHEDULER_CONSTRAINT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "manager/scheduler/ip_range.h"

struct Docker__Swarmkit__V1__Node;

enum constraint_key {
    CONSTRAINT_NODE_ID,
    CONSTRAINT_HOSTNAME,
    CONSTRAINT_IP, /* one address, or a network in CIDR notation */
    CONSTRAINT_ROLE,
    CONSTRAINT_OS,
    CONSTRAINT_ARCHITECTURE, /* as the node spells it: x86_64, not amd64 */
    CONSTRAINT_NODE_LABEL,
    CONSTRAINT_ENGINE_LABEL,
    CONSTRAINT_UNKNOWN, /* well formed, and no key of SwarmKit's: never holds */
};

/* Strings live in the arena that constraints_parse() was given. */
struct constraint {
    enum constraint_key key;
    bool is_negated;       /* != */
    const char *text;      /* "node.labels.zone==a": without the spaces around the operator */
    const char *label;     /* the label's name, case kept; "" for other keys */
    const char *value;     /* what is compared with, whole and without regard to ASCII case */
    struct ip_range range; /* CONSTRAINT_IP; of no kind where the value is neither address nor network: then it never holds */
};

struct constraints {
    struct constraint *items;
    size_t count;
};

struct constraint_label {
    const char *key, *value;
};

/* What constraints may ask of a node. No string is NULL; what a node does not say is "". */
struct constraint_node {
    const char *id, *hostname, *address, *os, *architecture;
    bool is_manager;
    const struct constraint_label *labels, *engine_labels;
    size_t label_count, engine_label_count;
};

/* ERR_INVALID in SwarmKit's words, as the control API passes them on: "constraint expected one operator from ==, !=", "key '<k>' is
 * invalid", "value '<v>' is invalid". ERR_LIMIT beyond CONSTRAINTS_COUNT or CONSTRAINT_SIZE_CHARS. */
int constraints_parse(char *const *texts, size_t count, struct arena *arena, struct constraints *out, struct error *err);

/* Do all of them hold? Where not, @failed (may be NULL) is the index of the first that does not. */
bool constraints_hold(const struct constraints *constraints, const struct constraint_node *node, size_t *failed);
bool constraint_holds(const struct constraint *constraint, const struct constraint_node *node);

/* What the node has where the constraint looks: "b", or "" for a label it does not have. Borrowed from @node, or static. */
const char *constraint_value_of(const struct constraint *constraint, const struct constraint_node *node);

/* A message as the struct above: strings borrowed from @node, lists in @arena. */
void constraint_node_read(const struct Docker__Swarmkit__V1__Node *node, struct arena *arena, struct constraint_node *out);

#endif
