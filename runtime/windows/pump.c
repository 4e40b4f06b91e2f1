/* runtime/windows/pump.c – see pump.h. HCS's pipes are for overlapped I/O (hcs.md §2.5); so is a read from a plain handle. */
#include "runtime/windows/pump.h"

#include <stdbool.h>

enum { CHUNK_BYTES = 8192 };

struct side {
    HANDLE stream;
    OVERLAPPED overlapped;
    bool is_reading, is_open;
    char chunk[CHUNK_BYTES];
};

static void end_side(struct side *side)
{
    side->is_open = side->is_reading = false;
}

/* Begin a read; what is there at once is signalled by the event just as what comes later. */
static void begin_read(struct side *side)
{
    DWORD error;

    ResetEvent(side->overlapped.hEvent);
    side->is_reading = true;
    if (ReadFile(side->stream, side->chunk, CHUNK_BYTES, NULL, &side->overlapped))
        return;
    error = GetLastError();
    if (error != ERROR_IO_PENDING && error != ERROR_MORE_DATA)
        end_side(side);
}

static void end_read(struct pump *pump, int index, struct side *side)
{
    DWORD size = 0;

    side->is_reading = false;
    if (!GetOverlappedResult(side->stream, &side->overlapped, &size, FALSE) || size == 0) {
        end_side(side);
        return;
    }
    pump->on_data(pump->ctx, index, side->chunk, size);
}

static void open_sides(struct pump *pump, struct side *sides)
{
    for (int i = 0; i < 2; i++) {
        sides[i].stream = pump->streams[i];
        sides[i].is_open = pump->streams[i] != NULL;
        sides[i].overlapped.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
    }
}

static void close_sides(struct side *sides)
{
    DWORD size;

    for (int i = 0; i < 2; i++) {
        if (sides[i].is_reading) {
            CancelIoEx(sides[i].stream, &sides[i].overlapped);
            GetOverlappedResult(sides[i].stream, &sides[i].overlapped, &size, TRUE);
        }
        if (sides[i].stream)
            CloseHandle(sides[i].stream);
        CloseHandle(sides[i].overlapped.hEvent);
    }
}

void pump_run(struct pump *pump)
{
    struct side *sides = VirtualAlloc(NULL, 2 * sizeof *sides, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    ULONGLONG end = 0;

    open_sides(pump, sides);
    while (sides[0].is_open || sides[1].is_open) {
        HANDLE waits[3];
        int indexes[3];
        DWORD count = 0, left = INFINITE, got;
        for (int i = 0; i < 2; i++) {
            if (sides[i].is_open && !sides[i].is_reading)
                begin_read(&sides[i]);
            if (sides[i].is_reading) {
                indexes[count] = i;
                waits[count++] = sides[i].overlapped.hEvent;
            }
        }
        if (count == 0)
            break;
        if (end)
            left = GetTickCount64() >= end ? 0 : (DWORD)(end - GetTickCount64());
        else if (pump->finish) {
            indexes[count] = 2;
            waits[count++] = pump->finish;
        }
        got = WaitForMultipleObjects(count, waits, FALSE, left);
        if (got == WAIT_TIMEOUT || got >= WAIT_OBJECT_0 + count)
            break;
        if (indexes[got] == 2)
            end = GetTickCount64() + pump->drain_ms;
        else
            end_read(pump, indexes[got], &sides[indexes[got]]);
    }
    close_sides(sides);
    VirtualFree(sides, 0, MEM_RELEASE);
    pump->streams[0] = pump->streams[1] = NULL;
}
