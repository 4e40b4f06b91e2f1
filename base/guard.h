/* base/guard.h – secrets that must lie on a disk, under a key of the host's own where the system keeps one: Windows' DPAPI. Elsewhere they
 * lie there as they are, and the file's mode keeps them. guard_<os>.c. */
#ifndef SKEP_BASE_GUARD_H
#define SKEP_BASE_GUARD_H

#include "base/buf.h"

/* Append what is to be written in place of @clear. */
int guard_seal(struct bytes clear, struct buf *out, struct error *err);

/* The way back. What guard_seal() has not made is taken as it is: it was written before there was a guard. ERR_TRUST: sealed on another
 * host, or damaged. */
int guard_open(struct bytes sealed, struct buf *out, struct error *err);

#endif
