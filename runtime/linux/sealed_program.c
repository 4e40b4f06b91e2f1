/* runtime/linux/sealed_program.c – see sealed_program.h. */
#include "runtime/linux/sealed_program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

struct sealed_program {
    uv_mutex_t mutex;
    char *path;
    int fd; /* of the copy; -1: none */
    struct stat source;
};

struct sealed_program *sealed_program_new(const char *path)
{
    struct sealed_program *program = mem_alloc(sizeof *program);

    if (uv_mutex_init(&program->mutex) < 0)
        abort(); /* only without memory */
    program->path = mem_string(path);
    program->fd = -1;
    return program;
}

void sealed_program_free(struct sealed_program *program)
{
    if (!program)
        return;
    if (program->fd >= 0)
        close(program->fd);
    uv_mutex_destroy(&program->mutex);
    free(program->path);
    free(program);
}

static bool is_current(const struct sealed_program *program, const struct stat *st)
{
    const struct stat *was = &program->source;

    return program->fd >= 0 && st->st_dev == was->st_dev && st->st_ino == was->st_ino && st->st_size == was->st_size &&
           st->st_ctim.tv_sec == was->st_ctim.tv_sec && st->st_ctim.tv_nsec == was->st_ctim.tv_nsec;
}

static int copy_whole(int from, int to, off_t size)
{
    while (size > 0) {
        ssize_t n = sendfile(to, from, NULL, (size_t)size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        size -= n;
    }
    return 0;
}

/* A new sealed copy, or -1. */
static int make_copy(int from, const struct stat *st)
{
    int copy = memfd_create("sealed-program", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (copy < 0)
        return -1;
    if (copy_whole(from, copy, st->st_size) == 0 && fchmod(copy, 0755) == 0 &&
        fcntl(copy, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0)
        return copy;
    close(copy);
    return -1;
}

/* The descriptor number stays the same for as long as the program does: others may be starting it. */
static void refresh(struct sealed_program *program)
{
    int from = open(program->path, O_RDONLY | O_CLOEXEC), copy = -1;
    struct stat st;

    if (from < 0)
        return;
    if (fstat(from, &st) == 0 && !is_current(program, &st) && S_ISREG(st.st_mode) && st.st_size <= SEALED_PROGRAM_SIZE_BYTES)
        copy = make_copy(from, &st);
    close(from);
    if (copy < 0)
        return;
    if (program->fd < 0)
        program->fd = copy;
    else if (dup3(copy, program->fd, O_CLOEXEC) >= 0) /* the number goes on, with the new copy behind it */
        close(copy);
    program->source = st;
}

char *sealed_program_path(struct sealed_program *program)
{
    uv_mutex_lock(&program->mutex);
    refresh(program);
    char *path = program->fd >= 0 ? mem_format("/proc/%ld/fd/%d", (long)getpid(), program->fd) : mem_string(program->path);
    uv_mutex_unlock(&program->mutex);
    return path;
}
