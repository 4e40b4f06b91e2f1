/* api/filters.h – the `filters=` argument: a JSON object of lists of values, in both of Docker's forms. Pure.
 *
 *     {"label":["a","b=c"],"status":["running"]}              what docs say
 *     {"label":{"a":true,"b=c":true}}                         what docker sends */
#ifndef SKEP_API_FILTERS_H
#define SKEP_API_FILTERS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"

struct filters {
    struct filter {
        const char *key, *value;
    } * items;
    size_t count;
};

/* @text NULL or "": no filters. @known: the keys that are allowed, ended by NULL. ERR_INVALID ("invalid filter 'x'"), ERR_LIMIT beyond
 * API_FILTERS_COUNT values. */
int filters_parse(const char *text, const char *const *known, struct arena *arena, struct filters *out, struct error *err);

/* Several values of one key: any may match. A key without a filter always matches. */
bool filters_allow(const struct filters *filters, const char *key, bool (*matches)(const void *subject, const char *value),
                   const void *subject);
bool filters_have(const struct filters *filters, const char *key);
bool filters_allow_exactly(const struct filters *filters, const char *key, const char *value);

/* Docker matches names as regular expressions: here a plain text matches anywhere, '^' and '$' at its ends tie it down. */
bool filters_match_name(const char *pattern, const char *name);

/* '*' and '?' as in a shell; '*' stops at '/'. */
bool filters_match_glob(const char *pattern, const char *text);

#endif
