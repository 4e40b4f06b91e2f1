/* runtime/image/defaults_windows.c – see defaults.h. */
#include "runtime/image/defaults.h"

#include <stdio.h>
#include <windows.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/system_windows.h"

enum { PLACE_SIZE_BYTES = 1024 };

static const char *below_program_data(char place[PLACE_SIZE_BYTES], const char *name)
{
    wchar_t wide[MAX_PATH];
    DWORD length = GetEnvironmentVariableW(L"ProgramData", wide, MAX_PATH);
    cleanup_free char *data = length > 0 && length < MAX_PATH ? utf8_from_wide(wide) : mem_string("C:\\ProgramData");
    snprintf(place, PLACE_SIZE_BYTES, "%s\\%s", data, name);
    return place;
}

const char *image_default_store(void)
{
    static char place[PLACE_SIZE_BYTES];
    return below_program_data(place, "skep\\images");
}

const char *image_default_certs_dir(void)
{
    static char place[PLACE_SIZE_BYTES];
    return below_program_data(place, "docker\\certs.d");
}

bool image_layers_stand_alone(void)
{
    return false;
}

/* As Docker on Windows: a colon cannot be in a name, and is left out. */
char *image_certs_name(const char *host_and_port)
{
    char *name = mem_string(host_and_port), *to = name;
    for (const char *from = name; *from; from++)
        if (*from != ':')
            *to++ = *from;
    *to = '\0';
    return name;
}
