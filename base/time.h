/* base/time.h – instants and durations as text: RFC 3339 as Docker prints it, and Go's durations. */
#ifndef SKEP_BASE_TIME_H
#define SKEP_BASE_TIME_H

#include <stdint.h>

#include "base/error.h"

#define TIME_RFC3339_SIZE  40
#define TIME_DURATION_SIZE 96

/* "2026-11-23T22:00:01.123456789Z": nine digits, always UTC. Years 1 to 9999; others are clamped. */
void time_format_rfc3339(int64_t wall_ns, char out[TIME_RFC3339_SIZE]);

/* Any RFC 3339 instant with up to nine digits of fraction and any offset, or seconds since 1970 ("1700000000.5"). ERR_INVALID naming the
 * text. */
int time_parse(const char *text, int64_t *wall_ns, struct error *err);

/* Go's time.Duration: "1h30m", "1.5s", "300ms", "0"; the printed form is Go's own ("1m30s"). */
int time_parse_duration(const char *text, int64_t *ns, struct error *err);
void time_format_duration(int64_t ns, char out[TIME_DURATION_SIZE]);

#endif
