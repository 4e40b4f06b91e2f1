/* base/hash.h – uthash, made readable to clang's analyzer: it cannot see that the head of a table moves on when its first entry is taken
 * out, and takes every later look at the table for a use of freed memory. To it alone a deletion leaves an empty table. */
#ifndef SKEP_BASE_HASH_H
#define SKEP_BASE_HASH_H

#include <uthash.h>

#ifdef __clang_analyzer__
#undef HASH_DEL
#define HASH_DEL(head, entry) ((void)(entry), (head) = NULL)
#endif

#endif
