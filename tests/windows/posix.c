/* tests/windows/posix.c – see posix.h. */
#include "tests/windows/posix.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <uv.h>

#undef fflush
#undef fclose

enum { STREAMS_MOST = 16 };

/* The streams that open_memstream() gave: temporary files whose content is copied whenever they are flushed. */
static struct stream {
    FILE *file;
    char **text;
    size_t *size;
} streams[STREAMS_MOST];

char *mkdtemp(char *template)
{
    uv_fs_t req;
    char *made = NULL;
    if (uv_fs_mkdtemp(NULL, &req, template, NULL) == 0)
        made = strcpy(template, req.path);
    uv_fs_req_cleanup(&req);
    return made;
}

void *memmem(const void *hay, size_t hay_size, const void *needle, size_t needle_size)
{
    const char *from = hay;
    for (size_t at = 0; at + needle_size <= hay_size; at++)
        if (memcmp(from + at, needle, needle_size) == 0)
            return (void *)(uintptr_t)(from + at);
    return NULL;
}

int geteuid(void)
{
    return 1000;
}

static struct stream *find(const FILE *file)
{
    for (size_t i = 0; i < STREAMS_MOST; i++)
        if (streams[i].file == file)
            return &streams[i];
    return NULL;
}

static void copy_text(const struct stream *stream)
{
    fflush(stream->file);
    long end = ftell(stream->file);
    size_t size = end > 0 ? (size_t)end : 0;
    free(*stream->text);
    *stream->text = calloc(1, size + 1);
    rewind(stream->file);
    *stream->size = fread(*stream->text, 1, size, stream->file);
    fseek(stream->file, end, SEEK_SET);
}

FILE *open_memstream(char **text, size_t *size)
{
    struct stream *stream = find(NULL);
    FILE *file = stream ? tmpfile() : NULL;
    if (file == NULL)
        return NULL;
    *text = NULL;
    *stream = (struct stream){file, text, size};
    copy_text(stream);
    return file;
}

int test_fflush(FILE *file)
{
    const struct stream *stream = file ? find(file) : NULL;
    if (stream)
        copy_text(stream);
    return fflush(file);
}

int test_fclose(FILE *file)
{
    struct stream *stream = find(file);
    if (stream) {
        copy_text(stream);
        stream->file = NULL;
    }
    return fclose(file);
}

int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data)
{
    (void)source, (void)target, (void)type, (void)flags, (void)data;
    return -1;
}

int umount(const char *target)
{
    (void)target;
    return -1;
}

int umount2(const char *target, int flags)
{
    (void)target, (void)flags;
    return -1;
}
