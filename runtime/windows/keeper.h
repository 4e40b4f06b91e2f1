/* runtime/windows/keeper.h – skep-log.exe: keeps one container's output, so that skepd may end and come back without a byte lost.
 *
 * It is given the container's pipes when the container starts, and writes records in the form of runtime/container_log.h, renaming the file
 * when it has grown. It ends when both pipes have, or a moment after it was told that the container has ended. */
#ifndef SKEP_RUNTIME_WINDOWS_KEEPER_H
#define SKEP_RUNTIME_WINDOWS_KEEPER_H

#include <stdint.h>

#include "base/error.h"

/* What a keeper is started with. Handles are numbers of its own process; 0: none. */
struct keeper_options {
    const char *path; /* "" : the output is read and thrown away */
    int64_t max_size_bytes, max_files;
    uintptr_t finish;       /* the event that says the container has ended; its name is there as long as the keeper is */
    uintptr_t in, out, err; /* the input is held open and never written to */
};

int keeper_run(const struct keeper_options *options, struct error *err);

#endif
