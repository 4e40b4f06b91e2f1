/* A layer's archive, unpacked for real into a directory in memory. Whatever it holds, nothing beside that directory may appear. */
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
#include "runtime/image/tool/unpack.h"

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
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "tree") != 0 && strcmp(entry->d_name, "blob") != 0)
            abort();
    closedir(listing);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!root[0])
        set_up();
    cleanup_free char *blob = mem_format("%s/blob", root), *tree = mem_format("%s/tree", root);
    struct error err = {0};
    struct unpack unpack = {.blob = blob, .directory = tree, .max_bytes = MIB, .max_entries = 1000};
    if (file_write_volatile(blob, bytes_of(data, size), 0600, &err) < 0 || file_make_dirs(tree, 0755, &err) < 0)
        abort();
    if (unpack_layer(&unpack, &err) < 0 && err.code == 0)
        abort();
    check_nothing_beside();
    if (file_remove_tree(tree, &err) < 0) {
        fprintf(stderr, "what was unpacked cannot be removed: %s\n", err.message);
        abort();
    }
    return 0;
}
