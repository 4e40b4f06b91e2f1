/* base/mem.h – allocation that does not fail: running out of memory aborts with a message. The containers outlive us and the supervisor
 * starts us again. Sizes that come from input are checked against a limit before they get here. */
#ifndef SKEP_BASE_MEM_H
#define SKEP_BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size);                        /* zeroed */
void *mem_array(size_t count, size_t size);          /* zeroed; aborts on overflow of the product */
void *mem_resize(void *old, size_t size);            /* bytes beyond the old size are not set */
void *mem_copy(const void *data, size_t size);       /* NULL for size 0 */
char *mem_string(const char *text);                  /* NULL stays NULL */
char *mem_string_n(const char *text, size_t length); /* always terminated */
char *mem_format(const char *format, ...) __attribute__((format(SKEP_PRINTF, 1, 2)));
void mem_wipe(void *data, size_t size); /* not optimised away: for keys and tokens */

#endif
