/* An archive of images – `docker save` or an OCI layout, packed or not – taken into a store in memory. Whatever it holds, nothing beside
 * the store may appear, and what the list then names can be read again. */
#include <dirent.h>
#include <locale.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "runtime/image/layout.h"
#include "runtime/image/tool/task.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char root[64];

static void remove_root(void)
{
    file_remove_tree(root, NULL);
}

static void set_up(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    snprintf(root, sizeof root, "%s/skep-fuzz-XXXXXX", file_exists("/dev/shm") ? "/dev/shm" : "/tmp");
    if (!mkdtemp(root))
        abort();
    atexit(remove_root);
}

static void check_nothing_beside(void)
{
    DIR *listing = opendir(root);
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;)
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "store") != 0 && strcmp(entry->d_name, "archive") != 0)
            abort();
    closedir(listing);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!root[0])
        set_up();
    cleanup_free char *archive = mem_format("%s/archive", root), *store = mem_format("%s/store", root);
    cleanup_image_records struct image_records records = {0};
    struct error err = {0};
    struct task task = {.operation = "load", .dir = store, .path = archive, .platform = {.os = "linux", .architecture = "amd64"}};
    if (file_write_volatile(archive, bytes_of(data, size), 0600, &err) < 0)
        abort();
    if (image_task_load(&task, &err) < 0 && (err.code == 0 || err.message[0] == '\0'))
        abort();
    if (file_exists(store) && image_records_read(store, &records, &err) < 0) {
        fprintf(stderr, "the list of images cannot be read any more: %s\n", err.message);
        abort();
    }
    check_nothing_beside();
    if (file_exists(store) && file_remove_tree(store, &err) < 0) {
        fprintf(stderr, "what was loaded cannot be removed: %s\n", err.message);
        abort();
    }
    arena_deinit(&task.arena);
    return 0;
}
