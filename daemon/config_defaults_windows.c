/* daemon/config_defaults_windows.c – the places that Windows gives to a service's data. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/system_windows.h"
#include "daemon/config.h"

const struct config_defaults *config_defaults(void)
{
    static struct config_defaults defaults;

    if (defaults.state_dir == NULL) {
        const wchar_t *data = _wgetenv(L"ProgramData");
        cleanup_free char *root = utf8_from_wide(data ? data : L"C:\\ProgramData");
        defaults = (struct config_defaults){.state_dir = mem_format("%s\\skep", root), .run_dir = mem_format("%s\\skep\\run", root)};
    }
    return &defaults;
}
