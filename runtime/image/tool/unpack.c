/* runtime/image/tool/unpack.c – see unpack.h. Two readers in a row: the first only unpacks (gzip, zstd, xz), what it gives is hashed and
 * counted, and the second reads that as a tar archive. So the diff id covers every byte, also those behind the archive's end. */
#include "runtime/image/tool/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <string.h>
#include <uv.h>

#include "base/encode.h"
#include "base/mem.h"
#include "runtime/image/tool/entry_text.h"
#include "runtime/image/tool/pax.h"
#include "runtime/image/tool/tree.h"

#define READ_SIZE_BYTES       (64 * KIB)
#define ATTRIBUTES_COUNT      64         /* per entry; ext4 holds one block of them */
#define ATTRIBUTES_SIZE_BYTES (64 * KIB) /* Linux' XATTR_SIZE_MAX */

struct reader {
    struct unpack *unpack;
    struct archive *packed, *tar;
    EVP_MD_CTX *hash;
    struct tree *tree;
    struct pax *pax;    /* for Windows' layers, else NULL */
    struct buf text[3]; /* of an entry's names: see entry_text.h */
    uint64_t packed_size, unpacked_size, claimed_size;
    bool is_at_end;
    struct error failure; /* of the first reader: the second only knows that its input broke */
};

static int archive_failed(struct archive *archive, const char *what, struct error *err)
{
    const char *why = archive_error_string(archive);
    if (archive_errno(archive) == ENOMEM)
        return error_set(err, ERR_LIMIT, "%s: it wants more memory than there is", what);
    return error_set(err, ERR_CORRUPT, "%s: %s", what, why ? why : "not an archive that can be read");
}

static int check_limits(struct reader *reader, struct error *err)
{
    const struct unpack *unpack = reader->unpack;
    if (reader->unpacked_size > unpack->max_bytes)
        return error_set(err, ERR_LIMIT, "the layer unpacks to more than %" PRIu64 " bytes (limit on unpacked bytes of a layer)",
                         unpack->max_bytes);
    if (reader->unpacked_size > unpack->ratio_from && reader->unpacked_size / IMAGE_LAYER_RATIO > reader->packed_size)
        return error_set(err, ERR_LIMIT, "the layer unpacks to more than %d times its size of %" PRIu64 " bytes (limit on the ratio)",
                         IMAGE_LAYER_RATIO, reader->packed_size);
    return 0;
}

/* The next unpacked bytes; *size 0 at the end. */
static int next_block(struct reader *reader, const void **block, size_t *size, struct error *err)
{
    la_int64_t offset;
    *size = 0;
    while (!reader->is_at_end && *size == 0) {
        int got = archive_read_data_block(reader->packed, block, size, &offset);
        if (got == ARCHIVE_EOF)
            reader->is_at_end = true;
        else if (got < ARCHIVE_WARN)
            return archive_failed(reader->packed, "unpack", err);
    }
    EVP_DigestUpdate(reader->hash, *block, *size);
    reader->unpacked_size += *size;
    return check_limits(reader, err);
}

static la_ssize_t give_block(struct archive *tar, void *ctx, const void **block)
{
    struct reader *reader = ctx;
    size_t size;
    *block = "";
    int failed = next_block(reader, block, &size, &reader->failure);
    if (failed == 0 && reader->pax)
        failed = pax_feed(reader->pax, bytes_of(*block, size), &reader->failure);
    if (failed < 0) {
        archive_set_error(tar, EIO, "%s", reader->failure.message);
        return -1;
    }
    return (la_ssize_t)size;
}

static int open_packed(struct reader *reader, struct error *err)
{
    struct archive_entry *entry;
    reader->packed = archive_read_new();
    archive_read_support_filter_gzip(reader->packed);
    archive_read_support_filter_zstd(reader->packed);
    archive_read_support_filter_xz(reader->packed);
    archive_read_support_format_raw(reader->packed);
    archive_read_support_format_empty(reader->packed);
    if (archive_read_open_filename(reader->packed, reader->unpack->blob, READ_SIZE_BYTES) != ARCHIVE_OK)
        return archive_failed(reader->packed, "open the layer", err);
    int got = archive_read_next_header(reader->packed, &entry);
    if (got == ARCHIVE_EOF)
        reader->is_at_end = true;
    else if (got < ARCHIVE_WARN)
        return archive_failed(reader->packed, "unpack", err);
    return 0;
}

static int open_tar(struct reader *reader, struct error *err)
{
    reader->tar = archive_read_new();
    archive_read_support_format_tar(reader->tar);
    archive_read_support_format_empty(reader->tar);
    reader->pax = tree_wants_windows_meta ? pax_new() : NULL;
    if (archive_read_open(reader->tar, reader, NULL, give_block, NULL) == ARCHIVE_OK)
        return 0;
    return reader->failure.code ? (*err = reader->failure).code : archive_failed(reader->tar, "read the layer", err);
}

/* --- one entry ----------------------------------------------------------------------------------------------------------------------- */

static int read_attributes(struct reader *reader, struct archive_entry *entry, struct tree_attribute *attributes, struct tree_meta *meta,
                           struct error *err)
{
    size_t total = 0;
    archive_entry_xattr_reset(entry);
    for (;;) {
        struct tree_attribute *next = &attributes[meta->attribute_count];
        if (archive_entry_xattr_next(entry, &next->name, &next->value, &next->size) != ARCHIVE_OK)
            break;
        if (next->name == NULL)
            continue;
        total += next->size;
        if (++meta->attribute_count >= ATTRIBUTES_COUNT || total > ATTRIBUTES_SIZE_BYTES)
            return error_set(err, ERR_LIMIT, "entry \"%.200s\" has more than %d extended attributes, or of more than %u bytes",
                             archive_entry_pathname(entry), ATTRIBUTES_COUNT, ATTRIBUTES_SIZE_BYTES);
    }
    reader->claimed_size += total;
    meta->attributes = attributes;
    return 0;
}

static struct windows_time time_of(bool is_known, int64_t s, long ns)
{
    return (struct windows_time){is_known, s, ns};
}

/* What pax.h found for this entry, with the times, which libarchive knows. */
static int read_windows_meta(struct reader *reader, struct archive_entry *entry, struct windows_meta *windows, struct error *err)
{
    const struct windows_meta *found;
    int failed = pax_take(reader->pax, (uint64_t)archive_read_header_position(reader->tar), &found, err);
    if (failed < 0)
        return failed;
    *windows = *found;
    windows->created = time_of(archive_entry_birthtime_is_set(entry), archive_entry_birthtime(entry), archive_entry_birthtime_nsec(entry));
    windows->accessed = time_of(archive_entry_atime_is_set(entry), archive_entry_atime(entry), archive_entry_atime_nsec(entry));
    windows->changed = time_of(archive_entry_ctime_is_set(entry), archive_entry_ctime(entry), archive_entry_ctime_nsec(entry));
    return 0;
}

static struct tree_meta meta_of(struct archive_entry *entry)
{
    return (struct tree_meta){.mode = archive_entry_perm(entry) & 07777,
                              .uid = archive_entry_uid(entry),
                              .gid = archive_entry_gid(entry),
                              .mtime_s = archive_entry_mtime(entry),
                              .mtime_ns = archive_entry_mtime_nsec(entry)};
}

static int claim(struct reader *reader, struct archive_entry *entry, struct error *err)
{
    int64_t size = archive_entry_size(entry);
    if (size < 0)
        return error_set(err, ERR_INVALID, "entry \"%.200s\": a negative size", archive_entry_pathname(entry));
    if ((uint64_t)size > reader->unpack->max_bytes || reader->claimed_size + (uint64_t)size > reader->unpack->max_bytes)
        return error_set(err, ERR_LIMIT, "the layer's files take more than %" PRIu64 " bytes (limit on unpacked bytes of a layer)",
                         reader->unpack->max_bytes);
    reader->claimed_size += (uint64_t)size;
    return 0;
}

static int read_failed(struct reader *reader, struct error *err)
{
    return reader->failure.code ? (*err = reader->failure).code : archive_failed(reader->tar, "read the layer", err);
}

static int copy_content(struct reader *reader, struct archive_entry *entry, struct error *err)
{
    int64_t size_bytes = archive_entry_size(entry);
    for (;;) {
        const void *block;
        size_t size;
        la_int64_t offset;
        int got = archive_read_data_block(reader->tar, &block, &size, &offset);
        if (got == ARCHIVE_EOF)
            return 0;
        if (got < ARCHIVE_WARN)
            return read_failed(reader, err);
        if (offset < 0 || offset > size_bytes || (int64_t)size > size_bytes - offset)
            return error_set(err, ERR_CORRUPT, "entry \"%.200s\": data beyond its size", archive_entry_pathname(entry));
        int failed = tree_file_write(reader->tree, block, size, offset, err);
        if (failed < 0)
            return failed;
    }
}

static int take_file(struct reader *reader, struct archive_entry *entry, const struct layer_path *path, const struct tree_meta *meta,
                     struct error *err)
{
    int failed = claim(reader, entry, err);
    if (failed == 0)
        failed = tree_file_begin(reader->tree, path, archive_entry_size(entry), meta, err);
    if (failed == 0)
        failed = copy_content(reader, entry, err);
    return failed < 0 ? failed : tree_file_end(reader->tree, err);
}

static int take_device(struct reader *reader, struct archive_entry *entry, const struct layer_path *path, const struct tree_meta *meta,
                       struct error *err)
{
    enum tree_node_kind kind = archive_entry_filetype(entry) == AE_IFBLK   ? TREE_BLOCK
                               : archive_entry_filetype(entry) == AE_IFCHR ? TREE_CHARACTER
                                                                           : TREE_FIFO;
    return tree_node(reader->tree, path, kind, (unsigned)archive_entry_rdevmajor(entry), (unsigned)archive_entry_rdevminor(entry), meta,
                     err);
}

static int take_link(struct reader *reader, const struct layer_path *path, const char *target_text, struct error *err)
{
    struct layer_path target;
    int failed = layer_path_parse_target(target_text, &target, err);
    return failed < 0 ? error_wrap(err, "a hard link") : tree_hard_link(reader->tree, path, &target, err);
}

static int take_symlink(struct reader *reader, const struct layer_path *path, const char *target, const struct tree_meta *meta,
                        struct error *err)
{
    if (!target || *target == '\0')
        return error_set(err, ERR_INVALID, "entry \"%s/%s\": a symbolic link to nothing", path->parent, path->name);
    return tree_symlink(reader->tree, path, target, meta, err);
}

/* An entry's name or where it leads: as its pax header spells it, if that was read, else what libarchive made of it. */
static const char *text_of(struct reader *reader, struct archive_entry *entry, enum entry_text_kind kind,
                           const struct windows_meta *windows)
{
    const char *exact = !windows ? NULL : kind == ENTRY_PATH ? windows->path : windows->link, *text;
    text = entry_text(entry, kind, &reader->text[kind]);
    return text && exact ? exact : text;
}

static int take_plain(struct reader *reader, struct archive_entry *entry, const struct layer_path *path, const struct windows_meta *windows,
                      struct error *err)
{
    struct tree_attribute attributes[ATTRIBUTES_COUNT + 1];
    struct tree_meta meta = meta_of(entry);
    meta.windows = windows;
    int failed = read_attributes(reader, entry, attributes, &meta, err);
    if (failed < 0)
        return failed;
    const char *link = text_of(reader, entry, ENTRY_HARD_LINK, windows);
    if (link)
        return take_link(reader, path, link, err);
    switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
        return take_file(reader, entry, path, &meta, err);
    case AE_IFDIR:
        return tree_directory(reader->tree, path, &meta, err);
    case AE_IFLNK:
        return take_symlink(reader, path, text_of(reader, entry, ENTRY_SYMBOLIC_LINK, windows), &meta, err);
    case AE_IFCHR:
    case AE_IFBLK:
    case AE_IFIFO:
        return take_device(reader, entry, path, &meta, err);
    default:
        return error_set(err, ERR_INVALID, "entry \"%s/%s\": of a kind that images do not have", path->parent, path->name);
    }
}

static int take_entry(struct reader *reader, struct archive_entry *entry, struct error *err)
{
    struct layer_path path;
    struct windows_meta room, *windows = reader->pax ? &room : NULL;
    int failed = windows ? read_windows_meta(reader, entry, windows, err) : 0;
    if (failed < 0)
        return failed;
    const char *name = text_of(reader, entry, ENTRY_PATH, windows);
    if (!name)
        return error_set(err, ERR_INVALID, "an entry's name is not UTF-8 as it claims");
    failed = layer_path_parse(name, &path, err);
    if (failed < 0)
        return failed;
    switch (path.kind) {
    case LAYER_NAME_WHITEOUT:
        return tree_whiteout(reader->tree, &path, err);
    case LAYER_NAME_OPAQUE:
        return tree_opaque(reader->tree, &path, err);
    case LAYER_NAME_IGNORED:
        return 0;
    case LAYER_NAME_PLAIN:
        break;
    }
    return take_plain(reader, entry, &path, windows, err);
}

/* --- the whole ----------------------------------------------------------------------------------------------------------------------- */

static int report(struct reader *reader, struct error *err)
{
    struct unpack *unpack = reader->unpack;
    return unpack->on_progress
               ? unpack->on_progress(unpack->ctx, (uint64_t)archive_filter_bytes(reader->packed, -1), reader->packed_size, err)
               : 0;
}

static int take_entries(struct reader *reader, struct error *err)
{
    struct unpack *unpack = reader->unpack;
    for (;;) {
        struct archive_entry *entry;
        int got = archive_read_next_header(reader->tar, &entry);
        if (got == ARCHIVE_EOF)
            return reader->pax ? pax_finish(reader->pax, err) : 0;
        if (got < ARCHIVE_WARN)
            return read_failed(reader, err);
        if (++unpack->entries > unpack->max_entries)
            return error_set(err, ERR_LIMIT, "the layer has more than %" PRIu64 " entries (limit on entries of a layer)",
                             unpack->max_entries);
        int failed = take_entry(reader, entry, err);
        if (failed == 0)
            failed = report(reader, err);
        if (failed < 0)
            return failed;
    }
}

static int drain(struct reader *reader, struct error *err)
{
    for (unsigned blocks = 0; !reader->is_at_end; blocks++) {
        const void *block = "";
        size_t size;
        int failed = next_block(reader, &block, &size, err);
        if (failed == 0 && blocks % 64 == 0)
            failed = report(reader, err);
        if (failed < 0)
            return failed;
    }
    return 0;
}

static int check_diff_id(struct reader *reader, struct error *err)
{
    struct unpack *unpack = reader->unpack;
    uint8_t hash[SHA256_SIZE_BYTES];
    EVP_DigestFinal_ex(reader->hash, hash, NULL);
    memcpy(unpack->found_diff_id, "sha256:", 8);
    encode_hex(bytes_of(hash, sizeof hash), unpack->found_diff_id + 7);
    unpack->size_bytes = unpack->is_dry ? reader->unpacked_size : reader->claimed_size;
    if (unpack->diff_id == NULL || strcmp(unpack->diff_id, unpack->found_diff_id) == 0)
        return 0;
    return error_set(err, ERR_CORRUPT, "wrong diff id: the image's config says %s, the layer is %s", unpack->diff_id,
                     unpack->found_diff_id);
}

static int read_all(struct reader *reader, struct error *err)
{
    int failed = open_packed(reader, err);
    if (failed == 0 && !reader->unpack->is_dry) {
        failed = tree_open(reader->unpack->directory, reader->unpack->is_base, &reader->tree, err);
        if (failed == 0)
            failed = open_tar(reader, err);
        if (failed == 0)
            failed = take_entries(reader, err);
    }
    if (failed == 0)
        failed = drain(reader, err);
    if (failed == 0)
        failed = check_diff_id(reader, err);
    return failed < 0 || !reader->tree ? failed : tree_finish(reader->tree, err);
}

static int size_of(const char *path, uint64_t *size_bytes, struct error *err)
{
    uv_fs_t req;
    int failed = uv_fs_stat(NULL, &req, path, NULL);
    *size_bytes = req.statbuf.st_size;
    uv_fs_req_cleanup(&req);
    return failed < 0 ? error_set_uv(err, failed, "open %s", path) : 0;
}

int unpack_layer(struct unpack *unpack, struct error *err)
{
    struct reader reader = {.unpack = unpack};
    unpack->max_bytes = unpack->max_bytes ? unpack->max_bytes : IMAGE_LAYER_UNPACKED_BYTES;
    unpack->max_entries = unpack->max_entries ? unpack->max_entries : IMAGE_LAYER_ENTRIES_COUNT;
    unpack->ratio_from = unpack->ratio_from ? unpack->ratio_from : IMAGE_LAYER_RATIO_FROM_BYTES;
    int failed = size_of(unpack->blob, &reader.packed_size, err);
    if (failed < 0)
        return failed;
    reader.hash = EVP_MD_CTX_new();
    EVP_DigestInit_ex(reader.hash, EVP_sha256(), NULL);
    failed = read_all(&reader, err);
    archive_read_free(reader.tar);
    archive_read_free(reader.packed);
    tree_close(reader.tree);
    pax_free(reader.pax);
    for (size_t i = 0; i < sizeof reader.text / sizeof *reader.text; i++)
        buf_deinit(&reader.text[i]);
    EVP_MD_CTX_free(reader.hash);
    return failed;
}
