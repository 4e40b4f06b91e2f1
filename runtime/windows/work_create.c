/* runtime/windows/work_create.c – what creating and removing a system does on disk. On a thread of the pool. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "runtime/windows/host.h"

static int write_document(const struct windows_system *s, struct error *err)
{
    cleanup_free char *path = mem_format("%s\\document.json", s->dir), *text = json_print(s->json);

    return file_write(path, bytes_of_string(text), 0600, err);
}

/* Binds must be there, as Docker has it; volumes are made. */
static int prepare_mounts(const struct windows_system *s, struct error *err)
{
    for (size_t i = 0; i < s->document.mount_count; i++) {
        const struct document_mount *m = &s->document.mounts[i];
        if (m->type == MOUNT_BIND && m->creates_mountpoint && file_make_dirs(m->source, 0755, err) < 0)
            return err->code;
        if (m->type == MOUNT_BIND && !file_exists(m->source))
            return error_set(err, ERR_NOT_FOUND, "invalid bind mount source, source path not found: %s", m->source);
        if (m->type != MOUNT_VOLUME)
            continue;
        cleanup_free char *path =
            m->source[0] ? mem_format("%s\\volumes\\%s", s->host->state_dir, m->source) : mem_format("%s\\volumes\\%zu", s->dir, i);
        if (file_make_dirs(path, 0755, err) < 0)
            return error_wrap(err, "volume %s", m->source);
    }
    return 0;
}

/* Where the container is shown them: encode.h. They are gone when it has ended. */
static int write_files(const struct windows_op *op, struct error *err)
{
    const struct windows_system *s = windows_system_of(op);

    for (size_t i = 0; i < op->base.file_count; i++) {
        const struct document_file *file = s->document.files, *end = file + s->document.file_count;
        while (file < end && strcmp(file->target, op->base.files[i].target) != 0)
            file++;
        if (file == end)
            return error_set(err, ERR_INVALID, "Skep.Files: no file has the target %s", op->base.files[i].target);
        cleanup_free char *dir = mem_format("%s\\files\\%s", s->dir, windows_files_name(file->is_secret));
        cleanup_free char *path = mem_format("%s\\%zu", dir, (size_t)(file - s->document.files));
        if (file_make_dirs(dir, 0700, err) < 0 || file_write_volatile(path, op->base.files[i].content, 0600, err) < 0)
            return error_wrap(err, "%s %s", file->is_secret ? "secret" : "config", file->target);
    }
    return 0;
}

static void undo(struct windows_system *s)
{
    struct error ignored = {0};

    windows_layers_destroy(s, &ignored);
    file_remove_tree(s->dir, &ignored);
}

void windows_work_create(struct windows_op *op)
{
    struct windows_system *s = windows_system_of(op);
    cleanup_free char *log_dir = mem_format("%s\\log", s->dir);
    struct error *err = &op->base.err;

    if (file_make_dirs(log_dir, 0700, err) == 0 && windows_credentials_check(s, err) == 0 && prepare_mounts(s, err) == 0 &&
        write_files(op, err) == 0 && windows_layers_create_scratch(s, err) == 0 && write_document(s, err) == 0)
        windows_record_write(s, WINDOWS_PHASE_CREATED, NULL, &s->outcome, err);
    if (err->code)
        undo(s);
}

void windows_work_remove(struct windows_op *op)
{
    struct windows_system *s = windows_system_of(op);
    struct windows_watches watches = s->watches;

    if (windows_end_system(s, false, &op->base.err) < 0) /* what HCS holds keeps its layers */
        return;
    windows_close_watches(s, &watches);
    windows_undo_run(s, &op->run);
    if (windows_layers_destroy(s, &op->base.err) < 0)
        return;
    file_remove_tree(s->dir, &op->base.err);
}
