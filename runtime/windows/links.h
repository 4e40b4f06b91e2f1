/* runtime/windows/links.h – the links that lead from the targets of secrets and configs, in a container's own file system, to where it is
 * shown them. Made before it is started, while its scratch is mounted on this host: what Docker does on Windows. hcs.md §8.2. */
#ifndef SKEP_RUNTIME_WINDOWS_LINKS_H
#define SKEP_RUNTIME_WINDOWS_LINKS_H

#include "base/error.h"

struct document;

/* One for each of the document's files, below @volume, the mounted scratch. Directories on the way are made; a file of the image's that is
 * in the place is replaced. On a thread of the pool. ERR_PRECONDITION where a link of the image's is on the way, which might lead out of
 * the container, or a directory is in the place. */
int windows_links_make(const struct document *document, const char *volume, struct error *err);

/* A link at @path to @target, a path as the container sees it. links_symbolic.c: a symbolic link, as what is shipped makes it.
 * links_emulated.c: a file that says so, to what tests/emulated_hcs/ does, for Wine makes no links. Chosen by what a program links. */
int windows_link(const char *path, const char *target, struct error *err);

#endif
