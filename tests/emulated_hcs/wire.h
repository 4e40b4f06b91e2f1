/* tests/emulated_hcs/wire.h – between the emulated DLLs and the process that holds their systems: a length and so much JSON, both ways. */
#ifndef SKEP_TESTS_EMULATED_HCS_WIRE_H
#define SKEP_TESTS_EMULATED_HCS_WIRE_H

#include <stdint.h>
#include <stdio.h>
#include <windows.h>

#define EMULATED_MESSAGE_BYTES (16u * 1024 * 1024)

/* The pipe's name for a directory. */
static inline void emulated_pipe_name(const WCHAR *dir, WCHAR out[64])
{
    uint64_t hash = 14695981039346656037ull;

    for (; *dir; dir++)
        hash = (hash ^ *dir) * 1099511628211ull;
    _snwprintf(out, 64, L"\\\\.\\pipe\\skep-emulated-hcs-%016llx", (unsigned long long)hash);
}

#endif
