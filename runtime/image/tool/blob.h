/* runtime/image/tool/blob.h – content on its way into blobs/sha256/: written to a file of its own, hashed on the way, and renamed into
 * place only when it is what its digest says and is on disk. */
#ifndef SKEP_RUNTIME_IMAGE_TOOL_BLOB_H
#define SKEP_RUNTIME_IMAGE_TOOL_BLOB_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/error.h"
#include "runtime/image/reference.h"

struct blob_writer {
    char *path;
    uv_file file; /* only meaningful while path is set */
    EVP_MD_CTX *hash;
    uint64_t size_bytes;
};

bool blob_present(const char *dir, const char *digest);

/* With @resume what the file holds already is kept and hashed; else it starts empty. ERR_IO, ERR_NO_SPACE, ERR_CANCELED. */
int blob_writer_open(struct blob_writer *writer, const char *path, bool resume, struct error *err);
int blob_writer_write(struct blob_writer *writer, const void *data, size_t size, struct error *err);
int blob_writer_restart(struct blob_writer *writer, struct error *err); /* forget what was written */
void blob_writer_digest(const struct blob_writer *writer, char out[IMAGE_DIGEST_SIZE_CHARS + 1]);

/* Sync and rename into the store; the digest has been checked. The writer is closed in any case. */
int blob_writer_commit(struct blob_writer *writer, const char *dir, const char *digest, struct error *err);
void blob_writer_close(struct blob_writer *writer); /* the file stays */

/* Sync and rename a file whose content has been hashed already. */
int blob_adopt(const char *path, const char *dir, const char *digest, struct error *err);

/* Small content at once; @digest receives its name. */
int blob_put(const char *dir, struct bytes content, char digest[IMAGE_DIGEST_SIZE_CHARS + 1], struct error *err);
void blob_digest_of(struct bytes content, char digest[IMAGE_DIGEST_SIZE_CHARS + 1]);

/* Read a blob of at most @max_bytes; ERR_CORRUPT when it is not what its name says. */
int blob_read(const char *dir, const char *digest, size_t max_bytes, struct buf *out, struct error *err);

#endif
