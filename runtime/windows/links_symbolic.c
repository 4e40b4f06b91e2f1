/* runtime/windows/links_symbolic.c – a container's links as what is shipped makes them. See links.h. */
#include <windows.h>

#include "base/cleanup.h"
#include "base/system_windows.h"
#include "runtime/windows/links.h"

int windows_link(const char *path, const char *target, struct error *err)
{
    cleanup_free wchar_t *wide_name = wide_from_utf8(path), *wide_target = wide_from_utf8(target);
    DWORD attributes;

    if (!CreateSymbolicLinkW(wide_name, wide_target, 0))
        return error_set_windows(err, GetLastError(), "make a symbolic link to %s", target);
    attributes = GetFileAttributesW(wide_name); /* of the link itself */
    if (attributes == INVALID_FILE_ATTRIBUTES || !(attributes & FILE_ATTRIBUTE_REPARSE_POINT))
        return error_set(err, ERR_UNSUPPORTED, "make a symbolic link to %s: Windows said that it did, but there is none", target);
    return 0;
}
