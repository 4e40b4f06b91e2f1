/* runtime/linux/work_create.c – the blocking parts of create and remove: a system's directories, its secrets, its record. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "runtime/linux/cgroup.h"
#include "runtime/linux/linux.h"
#include "runtime/linux/rootfs.h"

static const struct hcs_file_content *content_of(const struct linux_op *op, const char *target)
{
    for (size_t i = 0; i < op->base.file_count; i++)
        if (text_equal(op->base.files[i].target, target))
            return &op->base.files[i];
    return NULL;
}

static int write_file(const char *dir, size_t index, const struct document_file *file, struct bytes content, struct error *err)
{
    cleanup_free char *path = mem_format("%s/%zu", dir, index);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), result = 0;

    if (fd < 0)
        return error_set_uv(err, -errno, "write %s", file->target);
    while (content.size > 0 && result == 0) {
        ssize_t n = write(fd, content.data, content.size);
        if (n < 0 && errno != EINTR)
            result = error_set_uv(err, -errno, "write %s", file->target);
        if (n > 0)
            content = bytes_of(content.data + n, content.size - (size_t)n);
    }
    if (result == 0 && (fchown(fd, file->uid, file->gid) < 0 || fchmod(fd, file->mode) < 0))
        result = error_set_uv(err, -errno, "write %s", file->target);
    close(fd);
    return result;
}

/* One tmpfs for all of a system's secrets and configs, read-only once they are in it; swarmkit-wire §8.5. */
static int make_files(struct linux_op *op, struct error *err)
{
    const struct linux_system *s = linux_system_of(op);
    cleanup_free char *dir = mem_format("%s/files", s->run_dir);
    const unsigned long flags = MS_NODEV | MS_NOSUID | MS_NOEXEC;

    if (s->document.file_count == 0)
        return 0;
    if (file_make_dirs(dir, 0700, err) < 0)
        return err->code;
    if (mount("skep", dir, "tmpfs", flags, "mode=0700") < 0)
        return error_set_uv(err, -errno, "mount a tmpfs on %s", dir);
    for (size_t i = 0; i < s->document.file_count; i++) {
        const struct document_file *file = &s->document.files[i];
        const struct hcs_file_content *content = content_of(op, file->target);
        if (!content)
            return error_set(err, ERR_INVALID, "Skep.Files[%zu]: no content was given for %s", i, file->target);
        if (write_file(dir, i, file, content->content, err) < 0)
            return err->code;
    }
    if (mount("skep", dir, "tmpfs", flags | MS_REMOUNT | MS_RDONLY, NULL) < 0)
        return error_set_uv(err, -errno, "make %s read-only", dir);
    return 0;
}

static int check_layers(const struct document *document, struct error *err)
{
    for (size_t i = 0; i < document->layers.count; i++)
        if (!file_exists(document->layers.items[i]))
            return error_set(err, ERR_NOT_FOUND, "Container.Storage.Layers[%zu].Path: %s is not there", i, document->layers.items[i]);
    return 0;
}

static int make(struct linux_op *op, struct error *err)
{
    const struct linux_system *s = linux_system_of(op);
    cleanup_free char *log_dir = mem_format("%s/log", s->dir), *path = mem_format("%s/document.json", s->dir), *text = json_print(s->json);

    if (check_layers(&s->document, err) < 0 || file_make_dirs(log_dir, 0700, err) < 0 || file_make_dirs(s->run_dir, 0700, err) < 0 ||
        make_files(op, err) < 0 || linux_record_write(s, LINUX_CREATED, NULL, &op->outcome, err) < 0)
        return err->code;
    return file_write_volatile(path, bytes_of_string(text), 0600, err); /* the last: a directory without it is half made */
}

static void remove_all(const struct linux_system *s, struct error *err)
{
    cleanup_free char *root = mem_format("%s/rootfs", s->run_dir), *files = mem_format("%s/files", s->run_dir);
    cleanup_free char *document = mem_format("%s/document.json", s->dir);

    rootfs_unmount(root);
    rootfs_unmount(files);
    file_remove(document, NULL); /* the first: what is left after a crash is half made, and removed by the next start */
    if (file_remove_tree(s->run_dir, err) < 0 || file_remove_tree(s->dir, err) < 0)
        return;
}

void linux_work_create(struct linux_op *op)
{
    struct error ignored = {0};

    if (make(op, &op->base.err) < 0)
        remove_all(linux_system_of(op), &ignored);
}

void linux_work_remove(struct linux_op *op)
{
    remove_all(linux_system_of(op), &op->base.err);
}

void linux_work_tidy(struct linux_op *op)
{
    const struct linux_host *host = linux_system_of(op)->host;
    struct error err = {0};

    cgroup_remove(host->is_cgroup_v2, host->cgroup_parent);
    if (network_remove(host->network, &err) < 0)
        log_warn("runtime", "the last container is gone, its bridge stays: %s", err.message);
}
