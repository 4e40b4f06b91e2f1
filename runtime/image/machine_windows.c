/* runtime/image/machine_windows.c – what this machine runs: see platform.h. */
#include <stdio.h>
#include <uv.h>

#include "base/system_windows.h"
#include "runtime/image/platform.h"

struct image_platform image_platform_of_machine(void)
{
    static uv_utsname_t machine;
    static char version[48];
    char build[32];

    version_read_build(build, sizeof build);
    snprintf(version, sizeof version, "10.0.%s", build);
    struct image_platform platform = {.os = "windows", .os_version = version};
    if (uv_os_uname(&machine) == 0)
        platform.architecture = image_architecture_normal(machine.machine);
    return platform;
}
