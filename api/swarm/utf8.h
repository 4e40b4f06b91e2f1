/* api/swarm/utf8.h – is a text UTF-8? JSON is, and a message's string may be anything: SwarmKit's peers do not check. */
#ifndef SKEP_API_SWARM_UTF8_H
#define SKEP_API_SWARM_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Without overlong forms, surrogates and what lies beyond U+10FFFF. */
bool utf8_is_valid(const char *text);

/* The length of @text's longest beginning of at most @most bytes that cuts no character in two. */
size_t utf8_cut(const char *text, size_t most);

/* A copy with U+FFFD in the place of each byte that is part of no character; freed with free(). */
char *utf8_repair(const char *text);

#endif
