/* tests/fuzz/scratch.h – a directory in memory for a target that works on files, and a look at whether anything has left its place in it.
 */
#ifndef SKEP_TESTS_FUZZ_SCRATCH_H
#define SKEP_TESTS_FUZZ_SCRATCH_H

#include <dirent.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

static char scratch[64];

static inline void scratch_remove(void)
{
    file_remove_tree(scratch, NULL);
}

/* Once per process; then @scratch is its path. */
static inline void scratch_make(void)
{
    if (scratch[0])
        return;
    setlocale(LC_CTYPE, "C.UTF-8");
    snprintf(scratch, sizeof scratch, "%s/skep-fuzz-XXXXXX", file_exists("/dev/shm") ? "/dev/shm" : "/tmp");
    if (!mkdtemp(scratch))
        abort();
    atexit(scratch_remove);
}

/* Aborts when there is anything in it but these two. */
static inline void scratch_check(const char *one, const char *other)
{
    DIR *listing = opendir(scratch);
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;)
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, one) != 0 && strcmp(entry->d_name, other) != 0)
            abort();
    closedir(listing);
}

#endif
