/* runtime/image/tool/pax.h – what Windows' layers keep in pax headers and libarchive leaves out: attributes, security descriptors, extended
 * attributes, junctions (hcs.md §5.1). Pure.
 *
 * It is fed the bytes that libarchive reads, and walks over them from header to header by itself. libarchive tells where in the archive an
 * entry begins; only what was found at that very place is handed out. So two readings of one archive cannot drift apart in silence: where
 * they differ about an entry's beginning or length, that is an error. What could be read in more than one way (sparse files, a hard link
 * with a content, two pax headers for one entry) has no place in a Windows layer and is refused. */
#ifndef SKEP_RUNTIME_IMAGE_TOOL_PAX_H
#define SKEP_RUNTIME_IMAGE_TOOL_PAX_H

#include "runtime/image/tool/windows_meta.h"

struct pax;

struct pax *pax_new(void);
void pax_free(struct pax *pax); /* NULL is nothing */

/* The archive's next bytes, before libarchive sees them. ERR_CORRUPT, ERR_INVALID (a kind of entry that Windows' layers do not have),
 * ERR_LIMIT (PAX_HEADER_SIZE_BYTES and the limits of Windows itself). After an error it is only to be freed. */
int pax_feed(struct pax *pax, struct bytes data, struct error *err);

/* The entry whose headers begin at @position of the archive. @out is borrowed until the next call. ERR_CORRUPT when the next one begins
 * elsewhere. */
int pax_take(struct pax *pax, uint64_t position, const struct windows_meta **out, struct error *err);

/* libarchive sees no more entries. ERR_CORRUPT when there are some. */
int pax_finish(const struct pax *pax, struct error *err);

#endif
