/* runtime/windows/pump.h – reads a process' two output pipes on one thread until both end. */
#ifndef SKEP_RUNTIME_WINDOWS_PUMP_H
#define SKEP_RUNTIME_WINDOWS_PUMP_H

#include <stddef.h>
#include <windows.h>

struct pump {
    HANDLE streams[2]; /* NULL: not there; closed by pump_run */
    HANDLE finish;     /* an event: the process has ended; what comes within @drain_ms is taken, as grandchildren may hold the pipes */
    DWORD drain_ms;
    void (*on_data)(void *ctx, int index, const char *data, size_t size);
    void *ctx;
};

void pump_run(struct pump *pump);

#endif
