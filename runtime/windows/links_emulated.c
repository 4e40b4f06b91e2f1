/* runtime/windows/links_emulated.c – for programs on emulated HCS alone: a file that names its target. See links.h. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "runtime/windows/links.h"

int windows_link(const char *path, const char *target, struct error *err)
{
    cleanup_free char *text = mem_format("emulated link to %s", target);

    return file_write_volatile(path, bytes_of_string(text), 0600, err);
}
