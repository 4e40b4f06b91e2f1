/* runtime/document_mounts.h – what of a document is seen in the container's file system: Skep.Mounts and Skep.Files. For document.c only.
 */
#ifndef SKEP_RUNTIME_DOCUMENT_MOUNTS_H
#define SKEP_RUNTIME_DOCUMENT_MOUNTS_H

#include "runtime/document_reader.h"

/* Members of @skep, added to @out, whose mounts have room for as many again. ERR_INVALID, ERR_UNSUPPORTED in Docker's words; ERR_LIMIT. */
int document_read_mounts(const struct reader *skep, struct document *out);
int document_read_files(const struct reader *skep, struct document *out);

#endif
