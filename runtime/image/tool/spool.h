/* runtime/image/tool/spool.h – an archive of images laid out on disk: `docker save` and OCI archives come as a stream, and what tells their
 * parts apart (manifest.json, index.json) often comes last. Each member becomes a file in tmp/, hashed on the way. Names in the archive are
 * keys only: they never name a file of ours. */
#ifndef SKEP_RUNTIME_IMAGE_TOOL_SPOOL_H
#define SKEP_RUNTIME_IMAGE_TOOL_SPOOL_H

#include "base/buf.h"
#include "runtime/image/tool/blob.h"
#include "runtime/image/tool/task.h"

struct spool_member {
    char *name; /* "blobs/sha256/…", without "./" in front */
    char *link; /* for a link: the name it leads to; else NULL */
    char *path; /* of the file in tmp/; NULL for a link */
    char digest[IMAGE_DIGEST_SIZE_CHARS + 1];
    uint64_t size_bytes;
    char magic[4]; /* its first bytes: tell how a layer is packed */
};

struct spool {
    char *place; /* tmp/<random> */
    struct spool_member *members;
    size_t count;
    uint64_t total_bytes;
};

/* From task->path, or a daemon's file descriptor 3, or a person's standard input. ERR_CORRUPT, ERR_LIMIT, ERR_INVALID, ERR_NO_SPACE. To be
 * deinit'ed always. */
int spool_read(struct task *task, struct spool *spool, struct error *err);
void spool_deinit(struct spool *spool); /* and removes the files that were not taken */

/* Links followed; NULL when there is none of that name. */
struct spool_member *spool_find(const struct spool *spool, const char *name);
struct spool_member *spool_find_digest(const struct spool *spool, const char *digest);

/* A small member's content. ERR_NOT_FOUND, ERR_LIMIT. */
int spool_text(const struct spool *spool, const char *name, size_t max_bytes, struct buf *out, struct error *err);

/* Moves a member into the store under its digest, if it is not there yet. */
int spool_commit(const char *dir, const struct spool_member *member, struct error *err);

#endif
