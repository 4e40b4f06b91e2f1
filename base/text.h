/* base/text.h – small questions about strings. */
#ifndef SKEP_BASE_TEXT_H
#define SKEP_BASE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

bool text_equal(const char *a, const char *b); /* NULL equals NULL and nothing else */
bool text_starts(const char *text, const char *prefix);
bool text_ends(const char *text, const char *suffix);
bool text_empty(const char *text); /* NULL or "" */

/* Decimal, whole string, within the bounds. ERR_INVALID naming the text. */
int text_parse_i64(const char *text, int64_t min, int64_t max, int64_t *out, struct error *err);

/* "k=v" with a non-empty key: the length of the key, or -1. */
int text_key_length(const char *assignment);

/* "10.0.0.5:2377", "[::1]:2377", "host", "host:2377" into host and port; @fallback_port where none is given (0: a port is required).
 * The host is freed by the caller. ERR_INVALID naming the text. */
int text_parse_address(const char *text, uint16_t fallback_port, char **host, uint16_t *port, struct error *err);

#endif
