/* runtime/windows/links.c – see links.h. */
#include "runtime/windows/links.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/system_windows.h"
#include "runtime/windows/encode.h"

enum { LEADS_ELSEWHERE = 0x20000000 }; /* the bit of a reparse tag that stands for another name: links and mount points */

struct found {
    bool is_there, is_directory, is_link;
};

/* What the filter of layers puts on files of the image is a reparse point as well, but no link. */
static struct found look(const wchar_t *path)
{
    WIN32_FIND_DATAW data;
    HANDLE search = FindFirstFileW(path, &data);

    if (search == INVALID_HANDLE_VALUE)
        return (struct found){0};
    FindClose(search);
    return (struct found){.is_there = true,
                          .is_directory = data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY,
                          .is_link = (data.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) && (data.dwReserved0 & LEADS_ELSEWHERE)};
}

/* One directory on the way. The image may have anything there, a link to the host's disk as well, and it is us who would follow it. */
static int step_into(const char *path, struct error *err)
{
    cleanup_free wchar_t *wide = wide_from_utf8(path);
    struct found found = look(wide);

    if (found.is_link)
        return error_set(err, ERR_PRECONDITION, "the image has a link on the way, which is not followed");
    if (found.is_there && !found.is_directory)
        return error_set(err, ERR_PRECONDITION, "the image has a file on the way, where a directory is needed");
    if (!found.is_there && !CreateDirectoryW(wide, NULL))
        return error_set_windows(err, GetLastError(), "make the directory %s", path);
    return 0;
}

static int clear_place(const char *path, struct error *err)
{
    cleanup_free wchar_t *wide = wide_from_utf8(path);
    struct found found = look(wide);

    if (!found.is_there)
        return 0;
    if (found.is_directory && !found.is_link)
        return error_set(err, ERR_PRECONDITION, "the image has a directory in its place");
    SetFileAttributesW(wide, FILE_ATTRIBUTE_NORMAL);
    if (found.is_directory ? !RemoveDirectoryW(wide) : !DeleteFileW(wide))
        return error_set_windows(err, GetLastError(), "replace the image's file");
    return 0;
}

static int make_one(const char *volume, const char *below_root, const char *target, struct error *err)
{
    cleanup_free char *path = mem_format("%s\\%s", volume, below_root);

    for (char *end = path + strlen(volume) + 1; (end = strchr(end, '\\')) != NULL; end++) {
        *end = '\0';
        if (step_into(path, err) < 0)
            return err->code;
        *end = '\\';
    }
    return clear_place(path, err) < 0 ? err->code : windows_link(path, target, err);
}

int windows_links_make(const struct document *document, const char *volume, struct error *err)
{
    for (size_t i = 0; i < document->file_count; i++) {
        const struct document_file *file = &document->files[i];
        cleanup_free char *target = mem_format("%s\\%zu", windows_files_container(file->is_secret), i), *below_root = NULL;
        if (windows_file_path(file->target, &below_root, err) < 0 || make_one(volume, below_root, target, err) < 0)
            return error_wrap(err, "%s %s", file->is_secret ? "secret" : "config", file->target);
    }
    return 0;
}
