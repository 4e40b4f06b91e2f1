/* runtime/image/tool/blob.c – see blob.h. */
#include "runtime/image/tool/blob.h"

#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/mem.h"
#include "runtime/image/layout.h"

static int finish(uv_fs_t *req, int result)
{
    uv_fs_req_cleanup(req);
    return result;
}

bool blob_present(const char *dir, const char *digest)
{
    cleanup_free char *path = image_blob_path(dir, digest);
    return file_exists(path);
}

static int hash_existing(struct blob_writer *writer, struct error *err)
{
    cleanup_free char *room = mem_alloc(256 * KIB);
    for (;;) {
        uv_buf_t data = uv_buf_init(room, 256 * KIB);
        uv_fs_t req;
        int got = finish(&req, uv_fs_read(NULL, &req, writer->file, &data, 1, (int64_t)writer->size_bytes, NULL));
        if (got < 0)
            return error_set_uv(err, got, "read %s", writer->path);
        if (got == 0)
            return 0;
        EVP_DigestUpdate(writer->hash, room, (size_t)got);
        writer->size_bytes += (uint64_t)got;
    }
}

int blob_writer_open(struct blob_writer *writer, const char *path, bool resume, struct error *err)
{
    uv_fs_t req;
    int flags = UV_FS_O_RDWR | UV_FS_O_CREAT | (resume ? 0 : UV_FS_O_TRUNC);
    int file = finish(&req, uv_fs_open(NULL, &req, path, flags, 0600, NULL));
    memset(writer, 0, sizeof *writer);
    if (file < 0)
        return error_set_uv(err, file, "create %s", path);
    writer->file = file;
    writer->path = mem_string(path);
    writer->hash = EVP_MD_CTX_new();
    EVP_DigestInit_ex(writer->hash, EVP_sha256(), NULL);
    int failed = resume ? hash_existing(writer, err) : 0;
    if (failed < 0)
        blob_writer_close(writer);
    return failed;
}

int blob_writer_write(struct blob_writer *writer, const void *data, size_t size, struct error *err)
{
    EVP_DigestUpdate(writer->hash, data, size);
    while (size > 0) {
        uv_buf_t part = uv_buf_init((char *)(uintptr_t)data, (unsigned)(size > MIB ? MIB : size));
        uv_fs_t req;
        int wrote = finish(&req, uv_fs_write(NULL, &req, writer->file, &part, 1, (int64_t)writer->size_bytes, NULL));
        if (wrote < 0)
            return error_set_uv(err, wrote, "write %s", writer->path);
        data = (const char *)data + wrote;
        size -= (size_t)wrote;
        writer->size_bytes += (uint64_t)wrote;
    }
    return 0;
}

int blob_writer_restart(struct blob_writer *writer, struct error *err)
{
    uv_fs_t req;
    int failed = finish(&req, uv_fs_ftruncate(NULL, &req, writer->file, 0, NULL));
    writer->size_bytes = 0;
    EVP_DigestInit_ex(writer->hash, EVP_sha256(), NULL);
    return failed < 0 ? error_set_uv(err, failed, "truncate %s", writer->path) : 0;
}

static void name_digest(const uint8_t hash[SHA256_SIZE_BYTES], char out[IMAGE_DIGEST_SIZE_CHARS + 1])
{
    memcpy(out, "sha256:", 8);
    encode_hex(bytes_of(hash, SHA256_SIZE_BYTES), out + 7);
}

void blob_writer_digest(const struct blob_writer *writer, char out[IMAGE_DIGEST_SIZE_CHARS + 1])
{
    uint8_t hash[SHA256_SIZE_BYTES];
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    EVP_MD_CTX_copy_ex(copy, writer->hash);
    EVP_DigestFinal_ex(copy, hash, NULL);
    EVP_MD_CTX_free(copy);
    name_digest(hash, out);
}

void blob_writer_close(struct blob_writer *writer)
{
    if (!writer->path)
        return;
    uv_fs_t req;
    finish(&req, uv_fs_close(NULL, &req, writer->file, NULL));
    EVP_MD_CTX_free(writer->hash);
    free(writer->path);
    memset(writer, 0, sizeof *writer);
}

int blob_writer_commit(struct blob_writer *writer, const char *dir, const char *digest, struct error *err)
{
    uv_fs_t req;
    cleanup_free char *path = image_blob_path(dir, digest);
    int failed = finish(&req, uv_fs_fsync(NULL, &req, writer->file, NULL));
    if (failed < 0)
        failed = error_set_uv(err, failed, "sync %s", writer->path);
    else
        failed = file_rename(writer->path, path, err);
    blob_writer_close(writer);
    return failed;
}

int blob_adopt(const char *path, const char *dir, const char *digest, struct error *err)
{
    uv_fs_t req;
    cleanup_free char *to = image_blob_path(dir, digest);
    int file = finish(&req, uv_fs_open(NULL, &req, path, UV_FS_O_RDWR, 0, NULL));
    if (file < 0)
        return error_set_uv(err, file, "open %s", path);
    int failed = finish(&req, uv_fs_fsync(NULL, &req, file, NULL));
    finish(&req, uv_fs_close(NULL, &req, file, NULL));
    return failed < 0 ? error_set_uv(err, failed, "sync %s", path) : file_rename(path, to, err);
}

void blob_digest_of(struct bytes content, char digest[IMAGE_DIGEST_SIZE_CHARS + 1])
{
    uint8_t hash[SHA256_SIZE_BYTES];
    sha256(content, hash);
    name_digest(hash, digest);
}

int blob_put(const char *dir, struct bytes content, char digest[IMAGE_DIGEST_SIZE_CHARS + 1], struct error *err)
{
    blob_digest_of(content, digest);
    if (blob_present(dir, digest))
        return 0;
    cleanup_free char *path = image_blob_path(dir, digest);
    return file_write(path, content, 0600, err);
}

int blob_read(const char *dir, const char *digest, size_t max_bytes, struct buf *out, struct error *err)
{
    char found[IMAGE_DIGEST_SIZE_CHARS + 1];
    cleanup_free char *path = image_blob_path(dir, digest);
    int failed = file_read(path, max_bytes, out, err);
    if (failed < 0)
        return failed;
    blob_digest_of(buf_bytes(out), found);
    return strcmp(found, digest) == 0 ? 0 : error_set(err, ERR_CORRUPT, "%s does not hold what its name says", path);
}
