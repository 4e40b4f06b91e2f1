/* base/arena.h – memory that dies together: one arena per stream, per assignment batch, per API request. */
#ifndef SKEP_BASE_ARENA_H
#define SKEP_BASE_ARENA_H

#include <stddef.h>

/* Blocks of ARENA_BLOCK_SIZE_BYTES, chained; a larger request gets a block of its own. A zeroed struct is an empty arena. */
struct arena {
    struct arena_block *blocks;
};

void arena_deinit(struct arena *arena);
void *arena_alloc(struct arena *arena, size_t size); /* zeroed, aligned for any type */
void *arena_copy(struct arena *arena, const void *data, size_t size);
char *arena_string(struct arena *arena, const char *text); /* NULL stays NULL */
char *arena_string_n(struct arena *arena, const char *text, size_t length);
char *arena_format(struct arena *arena, const char *format, ...) __attribute__((format(SKEP_PRINTF, 2, 3)));

#define cleanup_arena __attribute__((cleanup(arena_deinit)))

#endif
