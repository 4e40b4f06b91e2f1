/* base/json.h – cJSON with bounds and without ladders of type checks. */
#ifndef SKEP_BASE_JSON_H
#define SKEP_BASE_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* Parse one document: at most @max_bytes, JSON_DEPTH_COUNT deep, nothing but white space behind it. ERR_LIMIT, ERR_INVALID with the
 * position. */
int json_parse(struct bytes text, size_t max_bytes, cJSON **out, struct error *err);

/* Print on one line; freed with free(). */
char *json_print(const cJSON *json);

/* Members of an object, exact case. A missing member, a null, or one of another type gives the fallback. @object may be NULL. */
const char *json_string(const cJSON *object, const char *key, const char *fallback);
bool json_bool(const cJSON *object, const char *key, bool fallback);
int64_t json_int(const cJSON *object, const char *key, int64_t fallback); /* also where the number is a string of digits */
const cJSON *json_object(const cJSON *object, const char *key);           /* NULL when missing or not an object */
const cJSON *json_array(const cJSON *object, const char *key);            /* NULL when missing or not an array */

/* Build. 64-bit numbers keep all their digits, which cJSON's doubles do not beyond 2^53. */
void json_add_int(cJSON *object, const char *key, int64_t value);
void json_add_string(cJSON *object, const char *key, const char *value); /* nothing for NULL */
void json_add_strings(cJSON *object, const char *key, char *const *values, size_t count);

#endif
