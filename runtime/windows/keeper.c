/* runtime/windows/keeper.c – see keeper.h; and how skepd starts one. */
#include "runtime/windows/keeper.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "runtime/log_reader.h"
#include "runtime/windows/host.h"
#include "runtime/windows/pump.h"

enum { DRAIN_MS = 2000, FINISH_MS = 4000, LINE_BYTES = 8192 };

/* --- in the keeper --- */

struct keeper {
    const struct keeper_options *options;
    HANDLE file;
    int64_t size;
    struct clock clock;
    struct buf records;
    bool is_broken; /* the file cannot be written: the output goes nowhere, and the container does not stop for it */
};

/* Shared with readers, who rename and remove it. */
static void open_file(struct keeper *k)
{
    cleanup_free WCHAR *path = wide_from_utf8(k->options->path);
    LARGE_INTEGER size = {.QuadPart = 0};

    k->file = CreateFileW(path, FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_ALWAYS, 0, NULL);
    k->is_broken = k->file == INVALID_HANDLE_VALUE;
    if (!k->is_broken)
        GetFileSizeEx(k->file, &size);
    k->size = size.QuadPart;
}

static void rotate(struct keeper *k)
{
    struct error err;

    CloseHandle(k->file);
    log_reader_rotate(k->options->path, k->options->max_files, &err); /* where it fails the file goes on growing */
    open_file(k);
}

static void append_record(struct keeper *k, int index, const char *text, size_t size, bool is_whole)
{
    char when[TIME_RFC3339_SIZE];

    time_format_rfc3339(clock_wall_ns(&k->clock), when);
    buf_append_format(&k->records, "%s %s %c ", when, index == 0 ? "stdout" : "stderr", is_whole ? 'F' : 'P');
    buf_append(&k->records, text, size);
    buf_append(&k->records, "\n", 1);
}

/* Lines as they come; what has no end yet is a piece of one. A record never holds the line's own newline; a return stays. */
static void on_data(void *ctx, int index, const char *data, size_t size)
{
    struct keeper *k = ctx;
    DWORD written = 0;

    while (size > 0) {
        const char *newline = memchr(data, '\n', size);
        size_t length = newline ? (size_t)(newline - data) : size;
        bool is_whole = newline != NULL && length <= LINE_BYTES;
        size_t taken = length > LINE_BYTES ? LINE_BYTES : length;
        append_record(k, index, data, taken, is_whole);
        taken += is_whole ? 1 : 0;
        data += taken;
        size -= taken;
    }
    if (!k->is_broken && k->options->path[0]) {
        if (!WriteFile(k->file, k->records.data, (DWORD)k->records.size, &written, NULL))
            written = 0; /* a full disk: this is lost, the next may not be */
        k->size += written;
        if (k->size > k->options->max_size_bytes)
            rotate(k);
    }
    buf_clear(&k->records);
}

int keeper_run(const struct keeper_options *options, struct error *err)
{
    struct keeper k = {.options = options, .file = INVALID_HANDLE_VALUE, .clock = clock_system()};
    struct pump pump = {.streams = {(HANDLE)options->out, (HANDLE)options->err}, .drain_ms = DRAIN_MS, .on_data = on_data, .ctx = &k};

    pump.finish = (HANDLE)options->finish;
    if (options->path[0])
        open_file(&k);
    pump_run(&pump);
    if (k.file != INVALID_HANDLE_VALUE)
        CloseHandle(k.file);
    buf_deinit(&k.records);
    return k.is_broken ? error_set(err, ERR_IO, "cannot write %s", options->path) : 0;
}

/* --- in skepd --- */

/* Handles that one child may inherit, and no other that is made at the same time. */
static bool spawn(const WCHAR *program, WCHAR *line, HANDLE *handles, DWORD count)
{
    STARTUPINFOEXW start = {.StartupInfo = {.cb = sizeof start}};
    PROCESS_INFORMATION info;
    SIZE_T size = 0;
    BOOL is_made;

    InitializeProcThreadAttributeList(NULL, 1, 0, &size);
    start.lpAttributeList = mem_alloc(size ? size : 256);
    is_made = InitializeProcThreadAttributeList(start.lpAttributeList, 1, 0, &size) &&
              UpdateProcThreadAttribute(start.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles, count * sizeof *handles, NULL,
                                        NULL) &&
              (CreateProcessW(program, line, NULL, NULL, TRUE, EXTENDED_STARTUPINFO_PRESENT | DETACHED_PROCESS | CREATE_BREAKAWAY_FROM_JOB,
                              NULL, NULL, &start.StartupInfo, &info) ||
               CreateProcessW(program, line, NULL, NULL, TRUE, EXTENDED_STARTUPINFO_PRESENT | DETACHED_PROCESS, NULL, NULL,
                              &start.StartupInfo, &info));
    DeleteProcThreadAttributeList(start.lpAttributeList);
    free(start.lpAttributeList);
    if (!is_made)
        return false;
    CloseHandle(info.hThread);
    CloseHandle(info.hProcess);
    return true;
}

static uintptr_t inheritable(HANDLE handle, HANDLE *list, DWORD *count)
{
    HANDLE copy = NULL;

    if (!handle || !DuplicateHandle(GetCurrentProcess(), handle, GetCurrentProcess(), &copy, 0, TRUE, DUPLICATE_SAME_ACCESS))
        return 0;
    list[(*count)++] = copy;
    return (uintptr_t)copy;
}

int windows_keeper_start(struct windows_system *s, struct windows_streams *streams, struct error *err)
{
    cleanup_free WCHAR *name = wide_from_utf8(s->keeper_event);
    HANDLE list[4], event = CreateEventW(NULL, TRUE, FALSE, name);
    DWORD count = 0;
    unsigned long long finish = inheritable(event, list, &count), in = inheritable(streams->in, list, &count),
                       out = inheritable(streams->out, list, &count), errors = inheritable(streams->err, list, &count);
    cleanup_free char *line =
        mem_format("\"%s\" \"%s\" %lld %lld %llu %llu %llu %llu", s->host->keeper_path, s->document.log.is_kept ? s->log_path : "",
                   (long long)s->document.log.max_size_bytes, (long long)s->document.log.max_files, finish, in, out, errors);
    cleanup_free WCHAR *wide_line = wide_from_utf8(line), *program = wide_from_utf8(s->host->keeper_path);
    bool is_made = spawn(program, wide_line, list, count);
    DWORD code = GetLastError();

    for (DWORD i = 0; i < count; i++)
        CloseHandle(list[i]);
    if (event)
        CloseHandle(event);
    windows_streams_close(streams);
    return is_made ? 0 : error_set(err, ERR_IO, "run %s, which keeps the container's output: error %lu", s->host->keeper_path, code);
}

/* It holds the event from its first moment to its last. */
void windows_keeper_finish(const struct windows_system *s)
{
    cleanup_free WCHAR *name = wide_from_utf8(s->keeper_event);

    for (int waited = 0; waited < FINISH_MS; waited += 20) {
        HANDLE event = OpenEventW(EVENT_MODIFY_STATE | SYNCHRONIZE, FALSE, name);
        if (!event)
            return;
        SetEvent(event);
        CloseHandle(event);
        Sleep(20);
    }
}
