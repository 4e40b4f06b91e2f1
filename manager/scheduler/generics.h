/* manager/scheduler/generics.h – generic resources: what one node offers and which of it its tasks hold.
 *
 * A node offers a kind as a number ("gpu": 4) or as named values ("gpu": {UUID1, UUID2}); a task asks for a number. Of named values the
 * task gets particular ones, which are recorded with it and told to its container. Source: swarmkit-wire §7.1. */
#ifndef SKEP_MANAGER_SCHEDULER_GENERICS_H
#define SKEP_MANAGER_SCHEDULER_GENERICS_H

#include <stdbool.h>

#include "manager/scheduler/scheduler.h"
#include "manager/scheduler/strings.h"

struct Docker__Swarmkit__V1__GenericResource;

/* What a task asks for; @kind is kept in strings. */
struct sched_generic_need {
    const char *kind;
    int64_t amount;
};

/* What a task holds, one value or one amount an item. */
struct sched_grant {
    size_t count;
    struct scheduler_generic items[];
};

struct sched_generic_value {
    const char *value;
    uint32_t claims_count;
    bool is_offered; /* else a task holds what the node no longer has */
};

struct sched_generic_kind {
    const char *kind;
    bool is_offered, is_named;
    int64_t total, claimed; /* the number; of a named kind only @claimed: held without a record of which values */
    struct sched_generic_value *values;
    size_t value_count;
};

/* A zeroed struct with @strings set is a node that offers nothing. */
struct sched_generics {
    struct sched_strings *strings; /* borrowed */
    struct sched_generic_kind *kinds;
    size_t count;
};

void sched_generics_deinit(struct sched_generics *generics);

/* The node now offers this. Claims stay, also of what it no longer offers. */
void sched_generics_offer(struct sched_generics *generics, struct Docker__Swarmkit__V1__GenericResource *const *offered, size_t count);

int64_t sched_generics_free(const struct sched_generics *generics, const char *kind); /* @kind is kept */

/* Choose for @needs, which all are free, and claim it. NULL for no needs; freed by the caller after sched_generics_release(). */
struct sched_grant *sched_generics_claim(struct sched_generics *generics, const struct sched_generic_need *needs, size_t count);

/* Claim what a task holds already by its record. The same result. */
struct sched_grant *sched_generics_claim_recorded(struct sched_generics *generics,
                                                  struct Docker__Swarmkit__V1__GenericResource *const *recorded, size_t count);

/* Is the grant what the record says? In any order. */
bool sched_grant_equals(const struct sched_grant *grant, struct Docker__Swarmkit__V1__GenericResource *const *recorded, size_t count);

/* Give back and free. NULL is fine. */
void sched_generics_release(struct sched_generics *generics, struct sched_grant *grant);

#endif
