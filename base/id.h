/* base/id.h – names that are random: SwarmKit's object ids and Docker's container ids. */
#ifndef SKEP_BASE_ID_H
#define SKEP_BASE_ID_H

#include <stdbool.h>

#include "base/limits.h"
#include "base/random.h"

/* 17 random bytes with the top bit set, in base 36, without the first digit: always 25 of 0-9a-z. Source: swarmkit-wire §2.1. */
void id_make(const struct random *random, char id[ID_SIZE_CHARS + 1]);

/* 32 random bytes in hex; never all digits in its first 12, which would read as a number (Docker's rule). */
void id_make_container(const struct random *random, char id[CONTAINER_ID_SIZE_CHARS + 1]);

/* True for an id that is safe as a file name and in a path: 1 to 64 of 0-9 a-z A-Z _ - and not starting with '-'. */
bool id_is_safe(const char *id);

#endif
