/* tests/emulated_hcs/files.c – what a container has in its scratch, for its processes to see: they see this host's files, so it is copied
 * to drive C while the system runs, and taken away when it stops. What runtime/windows/links_emulated.c wrote for a link is followed
 * through the system's mapped directories, as Windows would follow it inside. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emulated_hcs/vm.h"

#define LINK "emulated link to "

enum { TEXT_SIZE_BYTES = 1024 };

struct shown {
    struct shown *next;
    WCHAR path[MAX_PATH];
};

static const cJSON *mapped_directories(const struct compute *s)
{
    const cJSON *hosted = cJSON_GetObjectItem(s->document, "HostedSystem");
    const cJSON *container = cJSON_GetObjectItem(hosted ? hosted : s->document, "Container");

    return cJSON_GetObjectItem(container ? container : s->document, "MappedDirectories");
}

/* A mapped directory on this host: in a utility VM it is one of the VM's shares. */
static const char *directory_on_host(const struct compute *s, const cJSON *directory)
{
    const char *path = member(directory, "HostPath");

    return s->host ? vm_share(s->host->vm, path) : path;
}

/* Where on this host the container's path lies; false when it is in no mapped directory. */
static bool find_on_host(const struct compute *s, const char *path, WCHAR out[MAX_PATH])
{
    const cJSON *directory;

    cJSON_ArrayForEach (directory, mapped_directories(s)) {
        const char *inside = member(directory, "ContainerPath"), *host = directory_on_host(s, directory);
        size_t length = inside ? strlen(inside) : 0;
        if (!host || !inside || _strnicmp(inside, path, length) != 0 || path[length] != '\\')
            continue;
        char *joined = text_format("%s%s", host, path + length);
        MultiByteToWideChar(CP_UTF8, 0, joined, -1, out, MAX_PATH);
        free(joined);
        return true;
    }
    return false;
}

static bool read_link(const WCHAR *path, char text[TEXT_SIZE_BYTES])
{
    FILE *file = _wfopen(path, L"rb");
    size_t size = file ? fread(text, 1, TEXT_SIZE_BYTES - 1, file) : 0;

    text[size] = '\0';
    if (file)
        fclose(file);
    return strncmp(text, LINK, sizeof LINK - 1) == 0;
}

static void show_file(struct compute *s, const WCHAR *source, const WCHAR *below_root)
{
    struct shown *shown = calloc(1, sizeof *shown);
    char text[TEXT_SIZE_BYTES];
    WCHAR found[MAX_PATH];

    _snwprintf(shown->path, MAX_PATH, L"C:\\%ls", below_root);
    if (read_link(source, text))
        source = find_on_host(s, text + sizeof LINK - 1, found) ? found : NULL;
    if (!source || !CopyFileW(source, shown->path, FALSE)) { /* a link that leads nowhere */
        free(shown);
        return;
    }
    shown->next = s->shown;
    s->shown = shown;
}

static void show_tree(struct compute *s, const WCHAR *dir, const WCHAR *below_root)
{
    WCHAR pattern[MAX_PATH], path[MAX_PATH], below[MAX_PATH], made[MAX_PATH];
    WIN32_FIND_DATAW found;
    HANDLE search;

    _snwprintf(pattern, MAX_PATH, L"%ls\\*", dir);
    search = FindFirstFileW(pattern, &found);
    if (search == INVALID_HANDLE_VALUE)
        return;
    do {
        if (wcscmp(found.cFileName, L".") == 0 || wcscmp(found.cFileName, L"..") == 0)
            continue;
        _snwprintf(path, MAX_PATH, L"%ls\\%ls", dir, found.cFileName);
        _snwprintf(below, MAX_PATH, L"%ls%ls%ls", below_root, below_root[0] ? L"\\" : L"", found.cFileName);
        _snwprintf(made, MAX_PATH, L"C:\\%ls", below);
        if (found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) {
            CreateDirectoryW(made, NULL);
            show_tree(s, path, below);
        } else {
            show_file(s, path, below);
        }
    } while (FindNextFileW(search, &found));
    FindClose(search);
}

/* What the container's scratch holds. */
static char *volume_of(const struct compute *s)
{
    const cJSON *storage = cJSON_GetObjectItem(cJSON_GetObjectItem(s->document, "Container"), "Storage");
    const char *volume = member(storage, "Path"), *scratch = member(s->document, "LayerFolderPath");
    const char *disk = s->host ? member(s->host->vm->disks, "1") : NULL, *name = disk ? strrchr(disk, '\\') : NULL;

    if (name)
        return text_format("%.*s\\volume", (int)(name - disk), disk);
    if (volume)
        return text_format("%.*s", (int)strlen(volume) - 1, volume); /* with a backslash at its end */
    return scratch ? text_format("%s\\volume", scratch) : text_of("");
}

void files_show(struct compute *s)
{
    char *text = volume_of(s);
    WCHAR dir[MAX_PATH];

    MultiByteToWideChar(CP_UTF8, 0, text, -1, dir, MAX_PATH);
    free(text);
    if (dir[0])
        show_tree(s, dir, L"");
}

void files_hide(struct compute *s)
{
    struct shown *shown;

    while ((shown = s->shown) != NULL) {
        s->shown = shown->next;
        DeleteFileW(shown->path);
        free(shown);
    }
}
