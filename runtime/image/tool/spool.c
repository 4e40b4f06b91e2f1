/* runtime/image/tool/spool.c – see spool.h. */
#include "runtime/image/tool/spool.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/text.h"
#include "runtime/image/layout.h"

#define LINKS_COUNT 8 /* followed one after the other */

static int archive_failed(struct archive *archive, struct error *err)
{
    const char *why = archive_error_string(archive);
    return error_set(err, ERR_CORRUPT, "image archive: %s", why ? why : "it cannot be read");
}

/* "./a//b" as "a/b"; ".." takes the part before it away (links of old `docker save` lead to "../<id>/layer.tar"). */
static char *plain_name(const char *base, const char *text)
{
    cleanup_buf struct buf out = {0};
    const char *parts[2] = {base, text};
    for (int i = 0; i < 2; i++)
        for (const char *part = parts[i]; part && *part;) {
            size_t length = strcspn(part, "/");
            if (length == 2 && memcmp(part, "..", 2) == 0) {
                while (out.size > 0 && out.data[--out.size] != '/')
                    ;
            } else if (length > 0 && !(length == 1 && *part == '.')) {
                buf_append(&out, "/", out.size > 0 ? 1 : 0);
                buf_append(&out, part, length);
            }
            part += length + (part[length] == '/');
        }
    buf_append(&out, "", 1);
    return mem_string((const char *)out.data);
}

static char *link_name(const char *name, const char *target)
{
    const char *slash = strrchr(name, '/');
    cleanup_free char *base = slash ? mem_string_n(name, (size_t)(slash - name)) : mem_string("");
    return plain_name(base, target);
}

static struct spool_member *add_member(struct spool *spool, const char *name)
{
    if (spool->count % 64 == 0)
        spool->members = mem_resize(spool->members, (spool->count + 64) * sizeof *spool->members);
    struct spool_member *member = &spool->members[spool->count++];
    memset(member, 0, sizeof *member);
    member->name = plain_name("", name);
    return member;
}

static void keep_magic(struct spool_member *member, const void *block, size_t size)
{
    memcpy(member->magic, block, size < sizeof member->magic ? size : sizeof member->magic);
}

static int copy_data(struct archive *archive, struct spool *spool, struct blob_writer *writer, struct error *err)
{
    for (;;) {
        const void *block;
        size_t size;
        la_int64_t offset;
        int got = archive_read_data_block(archive, &block, &size, &offset);
        if (got == ARCHIVE_EOF)
            return 0;
        if (got < ARCHIVE_WARN)
            return archive_failed(archive, err);
        if (offset != (la_int64_t)writer->size_bytes)
            return error_set(err, ERR_INVALID, "image archive: a member with holes");
        if (offset == 0)
            keep_magic(&spool->members[spool->count - 1], block, size);
        spool->total_bytes += size;
        if (spool->total_bytes > IMAGE_ARCHIVE_SIZE_BYTES)
            return error_set(err, ERR_LIMIT, "image archive: unpacks to more than %llu bytes",
                             (unsigned long long)IMAGE_ARCHIVE_SIZE_BYTES);
        int failed = blob_writer_write(writer, block, size, err);
        if (failed < 0)
            return failed;
    }
}

static int take_file(struct archive *archive, struct spool *spool, const char *name, struct error *err)
{
    struct blob_writer writer;
    struct spool_member *member = add_member(spool, name);
    member->path = mem_format("%s/%zu", spool->place, spool->count);
    int failed = blob_writer_open(&writer, member->path, false, err);
    if (failed < 0)
        return failed;
    failed = copy_data(archive, spool, &writer, err);
    blob_writer_digest(&writer, member->digest);
    member->size_bytes = writer.size_bytes;
    blob_writer_close(&writer);
    return failed;
}

static int take_member(struct archive *archive, struct archive_entry *entry, struct spool *spool, struct error *err)
{
    const char *name = archive_entry_pathname(entry), *hard = archive_entry_hardlink(entry), *soft = archive_entry_symlink(entry);
    if (!name || strlen(name) > 1024)
        return error_set(err, ERR_INVALID, "image archive: a member's name cannot be read");
    if (hard) {
        add_member(spool, name)->link = plain_name("", hard);
        return 0;
    }
    if (soft) {
        struct spool_member *member = add_member(spool, name);
        member->link = link_name(member->name, soft);
        return 0;
    }
    if (archive_entry_filetype(entry) == AE_IFDIR)
        return 0;
    if (archive_entry_filetype(entry) != AE_IFREG)
        return error_set(err, ERR_INVALID, "image archive: member \"%.200s\" is no file, directory or link", name);
    return take_file(archive, spool, name, err);
}

static int take_members(struct task *task, struct archive *archive, struct spool *spool, struct error *err)
{
    int got = task->path ? archive_read_open_filename(archive, task->path, 64 * KIB)
                         : archive_read_open_fd(archive, task->is_daemons ? 3 : 0, 64 * KIB);
    if (got != ARCHIVE_OK)
        return archive_failed(archive, err);
    for (;;) {
        struct archive_entry *entry;
        got = archive_read_next_header(archive, &entry);
        if (got == ARCHIVE_EOF)
            return spool->count > 0 ? 0 : error_set(err, ERR_INVALID, "image archive: it is empty");
        if (got < ARCHIVE_WARN)
            return archive_failed(archive, err);
        if (spool->count >= IMAGE_ARCHIVE_ENTRIES_COUNT)
            return error_set(err, ERR_LIMIT, "image archive: more than %d members", IMAGE_ARCHIVE_ENTRIES_COUNT);
        int failed = take_member(archive, entry, spool, err);
        if (failed < 0)
            return failed;
    }
}

int spool_read(struct task *task, struct spool *spool, struct error *err)
{
    struct random random = random_system();
    spool->place = mem_format("%s/tmp/load-%016llx", task->dir, (unsigned long long)random_u64(&random));
    int failed = file_make_dirs(spool->place, 0700, err);
    if (failed < 0)
        return failed;
    struct archive *archive = archive_read_new();
    archive_read_support_filter_gzip(archive);
    archive_read_support_filter_zstd(archive);
    archive_read_support_filter_xz(archive);
    archive_read_support_format_tar(archive);
    failed = take_members(task, archive, spool, err);
    archive_read_free(archive);
    return failed;
}

void spool_deinit(struct spool *spool)
{
    for (size_t i = 0; i < spool->count; i++) {
        free(spool->members[i].name);
        free(spool->members[i].link);
        free(spool->members[i].path);
    }
    free(spool->members);
    if (spool->place)
        file_remove_tree(spool->place, NULL);
    free(spool->place);
    memset(spool, 0, sizeof *spool);
}

static struct spool_member *find_exact(const struct spool *spool, const char *name)
{
    for (size_t i = spool->count; i-- > 0;) /* the last of a name wins, as in any archive */
        if (strcmp(spool->members[i].name, name) == 0)
            return &spool->members[i];
    return NULL;
}

struct spool_member *spool_find(const struct spool *spool, const char *name)
{
    cleanup_free char *plain = plain_name("", name);
    struct spool_member *member = find_exact(spool, plain);
    for (int links = 0; member && member->link; links++)
        member = links < LINKS_COUNT ? find_exact(spool, member->link) : NULL;
    return member;
}

struct spool_member *spool_find_digest(const struct spool *spool, const char *digest)
{
    for (size_t i = 0; i < spool->count; i++)
        if (!spool->members[i].link && strcmp(spool->members[i].digest, digest) == 0)
            return &spool->members[i];
    return NULL;
}

int spool_text(const struct spool *spool, const char *name, size_t max_bytes, struct buf *out, struct error *err)
{
    struct spool_member *member = spool_find(spool, name);
    if (!member)
        return error_set(err, ERR_NOT_FOUND, "image archive: it lacks %.200s", name);
    int failed = file_read(member->path, max_bytes, out, err);
    if (failed == ERR_LIMIT)
        return error_set(err, ERR_LIMIT, "image archive: %.200s is larger than %zu bytes", name, max_bytes);
    return failed;
}

int spool_commit(const char *dir, const struct spool_member *member, struct error *err)
{
    return blob_present(dir, member->digest) ? 0 : blob_adopt(member->path, dir, member->digest, err);
}
