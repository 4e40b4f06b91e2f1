/* Layers unpacked: what a good one becomes, and what each kind of hostile one is refused with. Owners, nodes and overlayfs' attributes need
 * root; without it there is nothing to see here. */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/mem.h"
#include "runtime/image/tool/unpack.h"

struct entry {
    const char *name;
    int type; /* AE_IF…; 0 ends the list */
    const char *data, *link, *hard;
    unsigned mode, device_major, device_minor;
    const char *attribute, *value;
    int64_t uid, claimed_size;
};

static char root[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/skep-unpack-XXXXXX");
    assert_non_null(mkdtemp(root));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return file_remove_tree(root, NULL);
}

static char *at(const char *name)
{
    return mem_format("%s/tree/%s", root, name);
}

static void write_entry(struct archive *archive, const struct entry *from)
{
    size_t size = from->data ? strlen(from->data) : 0;
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, from->name);
    archive_entry_set_filetype(entry, (unsigned)from->type);
    archive_entry_set_perm(entry, from->mode ? from->mode : from->type == AE_IFDIR ? 0755 : 0644);
    archive_entry_set_size(entry, from->claimed_size ? from->claimed_size : (la_int64_t)size);
    archive_entry_set_uid(entry, from->uid);
    archive_entry_set_mtime(entry, 1700000000, 5);
    if (from->link)
        archive_entry_set_symlink(entry, from->link);
    if (from->hard)
        archive_entry_set_hardlink(entry, from->hard);
    archive_entry_set_rdevmajor(entry, from->device_major);
    archive_entry_set_rdevminor(entry, from->device_minor);
    if (from->attribute)
        archive_entry_xattr_add_entry(entry, from->attribute, from->value, strlen(from->value));
    if (from->claimed_size)
        archive_entry_sparse_add_entry(entry, 0, (la_int64_t)size);
    assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
    if (size > 0)
        archive_write_data(archive, from->data, size);
    archive_entry_free(entry);
}

enum packing { PLAIN, GZIP, ZSTD, XZ };

static void pack(const struct entry *entries, enum packing packing, struct buf *out)
{
    size_t used = 0;
    struct archive *archive = archive_write_new();
    archive_write_set_format_pax(archive);
    if (packing == GZIP)
        archive_write_add_filter_gzip(archive);
    if (packing == ZSTD)
        archive_write_add_filter_zstd(archive);
    if (packing == XZ)
        archive_write_add_filter_xz(archive);
    archive_write_open_memory(archive, buf_reserve(out, 8 * MIB), 8 * MIB, &used);
    for (; entries->type; entries++)
        write_entry(archive, entries);
    archive_write_close(archive);
    archive_write_free(archive);
    out->size = used;
}

/* The directory unpacked into is <root>/tree; <root>/outside is what nothing may touch. */
static int unpack_bytes(struct bytes packed, struct unpack *unpack, struct error *why)
{
    cleanup_free char *blob = mem_format("%s/blob", root), *tree = mem_format("%s/tree", root);
    assert_ok(file_remove_tree(tree, err));
    assert_ok(file_make_dirs(tree, 0755, err));
    assert_ok(file_write_volatile(blob, packed, 0600, err));
    unpack->blob = blob;
    unpack->directory = tree;
    return unpack_layer(unpack, why);
}

static int unpack_entries(const struct entry *entries, struct error *err)
{
    cleanup_buf struct buf packed = {0};
    struct unpack unpack = {0};
    pack(entries, GZIP, &packed);
    return unpack_bytes(buf_bytes(&packed), &unpack, err);
}

static struct stat status_of(const char *name)
{
    struct stat status = {0};
    cleanup_free char *path = at(name);
    if (lstat(path, &status) < 0)
        fail_msg("%s is not there", path);
    return status;
}

static bool is_there(const char *name)
{
    struct stat status;
    cleanup_free char *path = at(name);
    return lstat(path, &status) == 0;
}

static bool is_whiteout(const char *name)
{
    struct stat status = status_of(name);
    return S_ISCHR(status.st_mode) && status.st_rdev == makedev(0, 0);
}

static bool is_opaque(const char *name)
{
    char value[8];
    cleanup_free char *path = at(name);
    return getxattr(path, "trusted.overlay.opaque", value, sizeof value) == 1 && value[0] == 'y';
}

/* --- good layers --------------------------------------------------------------------------------------------------------------------- */

static void files_keep_what_they_are(void **state)
{
    (void)state;
    char longest[300] = "deep/";
    memset(longest + 5, 'n', 200);
    const struct entry entries[] = {
        {.name = "./", .type = AE_IFDIR, .mode = 0711},
        {.name = "bin/su", .type = AE_IFREG, .data = "x", .mode = 04755, .uid = 0},
        {.name = "home/u", .type = AE_IFREG, .data = "mine", .mode = 0600, .uid = 1000},
        {.name = "tmp", .type = AE_IFDIR, .mode = 01777},
        {.name = "tmp/inner", .type = AE_IFREG, .data = "late"},
        {.name = "lib", .type = AE_IFLNK, .link = "usr/lib"},
        {.name = "home/twin", .type = AE_IFREG, .hard = "home/u"},
        {.name = "pipe", .type = AE_IFIFO},
        {.name = "grün/ñ", .type = AE_IFREG, .data = "utf-8"},
        {.name = longest, .type = AE_IFREG, .data = "long"},
        {.name = "attr", .type = AE_IFREG, .data = "a", .attribute = "user.note", .value = "kept"},
        {.type = 0},
    };
    assert_ok(unpack_entries(entries, err));
    assert_int_equal(status_of(".").st_mode & 07777, 0711);
    assert_int_equal(status_of("bin/su").st_mode & 07777, 04755);
    assert_int_equal(status_of("home/u").st_uid, 1000);
    assert_int_equal(status_of("home/u").st_ino, status_of("home/twin").st_ino);
    assert_int_equal(status_of("tmp").st_mode & 07777, 01777);
    assert_int_equal(status_of("tmp").st_mtime, 1700000000); /* though a file was put in it later */
    assert_int_equal(status_of("tmp/inner").st_mtime, 1700000000);
    assert_true(S_ISLNK(status_of("lib").st_mode));
    assert_true(S_ISFIFO(status_of("pipe").st_mode));
    assert_true(is_there("grün/ñ"));
    assert_true(is_there(longest));
    char value[16];
    cleanup_free char *path = at("attr");
    assert_int_equal(getxattr(path, "user.note", value, sizeof value), 4);
}

static void decomposed_names_arrive_composed(void **state)
{
    (void)state;
    const struct entry entries[] = {{.name = "cafe\xcc\x81", .type = AE_IFREG, .data = "x"}, {.type = 0}};
    assert_ok(unpack_entries(entries, err));
    assert_true(is_there("caf\xc3\xa9"));
}

static void every_packing_is_read_and_hashed_unpacked(void **state)
{
    (void)state;
    const struct entry entries[] = {{.name = "a", .type = AE_IFREG, .data = "x"}, {.type = 0}};
    struct unpack first = {0};
    cleanup_buf struct buf plain = {0};
    pack(entries, PLAIN, &plain);
    assert_ok(unpack_bytes(buf_bytes(&plain), &first, err));
    for (enum packing packing = GZIP; packing <= XZ; packing++) {
        cleanup_buf struct buf packed = {0};
        pack(entries, packing, &packed);
        struct unpack unpack = {.diff_id = first.found_diff_id};
        assert_ok(unpack_bytes(buf_bytes(&packed), &unpack, err));
        assert_true(is_there("a"));
    }
}

static void whiteouts_take_overlayfs_form(void **state)
{
    (void)state;
    const struct entry entries[] = {
        {.name = "etc/.wh.gone", .type = AE_IFREG},
        {.name = "opt", .type = AE_IFDIR},
        {.name = "opt/.wh..wh..opq", .type = AE_IFREG},
        {.name = ".wh..wh.plnk", .type = AE_IFDIR},
        {.name = ".wh.again", .type = AE_IFREG},
        {.name = "again", .type = AE_IFDIR},
        {.name = "own", .type = AE_IFDIR},
        {.name = ".wh.own", .type = AE_IFREG},
        {.name = "file", .type = AE_IFREG, .data = "stays"},
        {.name = ".wh.file", .type = AE_IFREG},
        {.type = 0},
    };
    assert_ok(unpack_entries(entries, err));
    assert_true(is_whiteout("etc/gone"));
    assert_true(is_opaque("opt"));
    assert_false(is_there(".wh..wh.plnk"));
    assert_true(is_opaque("again")); /* gone below, and a new one here */
    assert_true(is_opaque("own"));
    assert_true(S_ISREG(status_of("file").st_mode));
}

static void later_entry_replaces_an_earlier_one(void **state)
{
    (void)state;
    const struct entry entries[] = {
        {.name = "a/b/c", .type = AE_IFREG, .data = "1"},
        {.name = "a", .type = AE_IFREG, .data = "2"},
        {.name = "l", .type = AE_IFLNK, .link = "a"},
        {.name = "l", .type = AE_IFREG, .data = "3"},
        {.name = "a", .type = AE_IFDIR},
        {.type = 0},
    };
    assert_ok(unpack_entries(entries, err));
    assert_true(S_ISDIR(status_of("a").st_mode));
    assert_true(S_ISREG(status_of("l").st_mode));
}

static void holes_stay_holes(void **state)
{
    (void)state;
    const struct entry entries[] = {{.name = "sparse", .type = AE_IFREG, .data = "head", .claimed_size = 16 * MIB}, {.type = 0}};
    assert_ok(unpack_entries(entries, err));
    assert_int_equal(status_of("sparse").st_size, 16 * MIB);
    assert_true(status_of("sparse").st_blocks < 100);
}

static void devices_are_left_out_under_dev_and_made_when_harmless(void **state)
{
    (void)state;
    const struct entry entries[] = {
        {.name = "dev/sda", .type = AE_IFBLK, .device_major = 8},
        {.name = "dev/null", .type = AE_IFCHR, .device_major = 1, .device_minor = 3},
        {.name = "jail/dev/null", .type = AE_IFCHR, .device_major = 1, .device_minor = 3, .mode = 0666},
        {.name = "raw", .type = AE_IFCHR},
        {.type = 0},
    };
    assert_ok(unpack_entries(entries, err));
    assert_false(is_there("dev/sda"));
    assert_false(is_there("dev/null"));
    assert_int_equal(status_of("jail/dev/null").st_rdev, makedev(1, 3));
    assert_true(is_whiteout("raw"));
}

static void attributes_that_would_speak_to_overlayfs_are_dropped(void **state)
{
    (void)state;
    const struct entry entries[] = {
        {.name = "d", .type = AE_IFDIR, .attribute = "trusted.overlay.redirect", .value = "/etc"},
        {.name = "e", .type = AE_IFDIR, .attribute = "user.overlay.opaque", .value = "y"},
        {.type = 0},
    };
    char value[16];
    assert_ok(unpack_entries(entries, err));
    cleanup_free char *d = at("d"), *e = at("e");
    assert_true(getxattr(d, "trusted.overlay.redirect", value, sizeof value) < 0);
    assert_true(getxattr(e, "user.overlay.opaque", value, sizeof value) < 0);
}

/* --- hostile layers ------------------------------------------------------------------------------------------------------------------ */

static void links_never_lead_out_of_the_layer(void **state)
{
    (void)state;
    cleanup_free char *outside = mem_format("%s/outside", root), *up = mem_format("../outside");
    assert_ok(file_make_dirs(outside, 0755, err));
    const struct entry entries[] = {
        {.name = "abs", .type = AE_IFLNK, .link = outside},
        {.name = "abs/planted", .type = AE_IFREG, .data = "x"},
        {.name = "rel", .type = AE_IFLNK, .link = up},
        {.name = "rel/planted", .type = AE_IFREG, .data = "x"},
        {.name = "proc", .type = AE_IFLNK, .link = "/proc/self/root"},
        {.type = 0},
    };
    struct error err;
    /* Inside the layer those links lead nowhere: a dangling link in the way is refused. */
    assert_int_equal(unpack_entries(entries, &err), ERR_INVALID);
    cleanup_free char *planted = mem_format("%s/planted", outside);
    assert_false(file_exists(planted));
}

static void absolute_names_start_at_the_layers_root(void **state)
{
    (void)state;
    cleanup_free char *name = mem_format("%s/absolute", root);
    const struct entry entries[] = {{.name = name, .type = AE_IFREG, .data = "x"}, {.type = 0}};
    assert_ok(unpack_entries(entries, err));
    assert_false(file_exists(name));
    assert_true(is_there(name + 1));
}

static void hostile_entries_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        struct entry entries[4];
    } rows[] = {
        {"\"..\" would lead out", {{.name = "../evil", .type = AE_IFREG, .data = "x"}}},
        {"\"..\" would lead out", {{.name = "a/../../evil", .type = AE_IFREG, .data = "x"}}},
        {"\"..\" would lead out", {{.name = "..", .type = AE_IFDIR}}},
        {"\"..\" would lead out", {{.name = "h", .type = AE_IFREG, .hard = "../../etc/passwd"}}},
        {"hard link", {{.name = "h", .type = AE_IFREG, .hard = "/etc/passwd"}}},
        {"hard link", {{.name = "e", .type = AE_IFLNK, .link = "/etc"}, {.name = "h", .type = AE_IFREG, .hard = "e/passwd"}}},
        {"hard link", {{.name = "d", .type = AE_IFDIR}, {.name = "h", .type = AE_IFREG, .hard = "d"}}},
        {"block device 8:0", {{.name = "disk", .type = AE_IFBLK, .device_major = 8}}},
        {"character device 1:1", {{.name = "mem", .type = AE_IFCHR, .device_major = 1, .device_minor = 1}}},
        {"character device 10:229", {{.name = "x/dev/fuse", .type = AE_IFCHR, .device_major = 10, .device_minor = 229}}},
        {"whiteout of nothing", {{.name = ".wh.", .type = AE_IFREG}}},
        {"whiteout of nothing", {{.name = ".wh...", .type = AE_IFREG}}},
        {"root must be a directory", {{.name = "./", .type = AE_IFLNK, .link = "/etc"}}},
        {"no such user", {{.name = "a", .type = AE_IFREG, .data = "x", .uid = 4294967295}}},
        {"its directory", {{.name = "f", .type = AE_IFREG, .data = "x"}, {.name = "f/below", .type = AE_IFREG, .data = "x"}}},
        {"its directory",
         {{.name = "a", .type = AE_IFLNK, .link = "b"}, {.name = "b", .type = AE_IFLNK, .link = "a"}, {.name = "a/x", .type = AE_IFREG}}},
        {"limit on unpacked bytes", {{.name = "big", .type = AE_IFREG, .data = "x", .claimed_size = (int64_t)(65 * GIB)}}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error err = {0};
        int failed = unpack_entries(rows[i].entries, &err);
        if (failed != ERR_INVALID && failed != ERR_LIMIT)
            fail_msg("row %zu (%s): %s %s", i, rows[i].entries[0].name, error_name(failed), err.message);
        if (!strstr(err.message, rows[i].why))
            fail_msg("row %zu: \"%s\" without \"%s\"", i, err.message, rows[i].why);
    }
}

static void bombs_are_stopped_at_each_limit(void **state)
{
    (void)state;
    char *zeros = mem_alloc(4 * MIB);
    memset(zeros, 'z', 4 * MIB - 1);
    const struct entry entries[] = {{.name = "a", .type = AE_IFREG, .data = zeros}, {.name = "b", .type = AE_IFREG}, {.type = 0}};
    cleanup_buf struct buf packed = {0};
    pack(entries, GZIP, &packed);
    struct unpack bytes = {.max_bytes = MIB}, ratio = {.ratio_from = MIB}, count = {.max_entries = 1}, fine = {0};
    assert_fails(unpack_bytes(buf_bytes(&packed), &bytes, err), ERR_LIMIT, "limit on unpacked bytes");
    assert_fails(unpack_bytes(buf_bytes(&packed), &ratio, err), ERR_LIMIT, "limit on the ratio");
    assert_fails(unpack_bytes(buf_bytes(&packed), &count, err), ERR_LIMIT, "limit on entries");
    assert_ok(unpack_bytes(buf_bytes(&packed), &fine, err));
    free(zeros);
}

static void bytes_behind_the_archives_end_count_too(void **state)
{
    (void)state;
    const struct entry entries[] = {{.name = "a", .type = AE_IFREG, .data = "x"}, {.type = 0}};
    cleanup_buf struct buf packed = {0};
    pack(entries, PLAIN, &packed);
    struct unpack whole = {0}, longer = {.max_bytes = MIB};
    assert_ok(unpack_bytes(buf_bytes(&packed), &whole, err));
    uint8_t *zeros = buf_reserve(&packed, 2 * MIB);
    memset(zeros, 0, 2 * MIB);
    packed.size += 2 * MIB;
    assert_fails(unpack_bytes(buf_bytes(&packed), &longer, err), ERR_LIMIT, "limit on unpacked bytes");
    struct unpack other = {.diff_id = whole.found_diff_id};
    assert_fails(unpack_bytes(buf_bytes(&packed), &other, err), ERR_CORRUPT, "wrong diff id");
}

static void damaged_layers_are_refused(void **state)
{
    (void)state;
    char text[60000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + (i * i * 7919 >> 5) % 26);
    text[sizeof text - 1] = '\0';
    const struct entry entries[] = {{.name = "a", .type = AE_IFREG, .data = text}, {.type = 0}};
    for (enum packing packing = PLAIN; packing <= XZ; packing++) {
        cleanup_buf struct buf packed = {0};
        struct unpack unpack = {0};
        pack(entries, packing, &packed);
        assert_fails(unpack_bytes(bytes_of(packed.data, packed.size / 2), &unpack, err), ERR_CORRUPT, "");
    }
    struct unpack unpack = {0};
    assert_fails(unpack_bytes(bytes_of_string("no archive at all, but long enough to be looked at"), &unpack, err), ERR_CORRUPT, "");
}

static void wrong_diff_id_is_told(void **state)
{
    (void)state;
    const struct entry entries[] = {{.name = "a", .type = AE_IFREG, .data = "x"}, {.type = 0}};
    cleanup_buf struct buf packed = {0};
    pack(entries, GZIP, &packed);
    struct unpack unpack = {.diff_id = "sha256:0000000000000000000000000000000000000000000000000000000000000000"};
    assert_fails(unpack_bytes(buf_bytes(&packed), &unpack, err), ERR_CORRUPT, "wrong diff id: the image's config says sha256:0000");
}

int main(void)
{
    if (geteuid() != 0) {
        puts("skipped: unpacking layers needs root");
        return 0;
    }
    setlocale(LC_CTYPE, "C.UTF-8");
#define IN_ROOT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IN_ROOT(files_keep_what_they_are),
        IN_ROOT(decomposed_names_arrive_composed),
        IN_ROOT(every_packing_is_read_and_hashed_unpacked),
        IN_ROOT(whiteouts_take_overlayfs_form),
        IN_ROOT(later_entry_replaces_an_earlier_one),
        IN_ROOT(holes_stay_holes),
        IN_ROOT(devices_are_left_out_under_dev_and_made_when_harmless),
        IN_ROOT(attributes_that_would_speak_to_overlayfs_are_dropped),
        IN_ROOT(links_never_lead_out_of_the_layer),
        IN_ROOT(absolute_names_start_at_the_layers_root),
        IN_ROOT(hostile_entries_are_refused_by_name),
        IN_ROOT(bombs_are_stopped_at_each_limit),
        IN_ROOT(bytes_behind_the_archives_end_count_too),
        IN_ROOT(damaged_layers_are_refused),
        IN_ROOT(wrong_diff_id_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
