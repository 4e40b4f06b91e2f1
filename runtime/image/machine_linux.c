/* runtime/image/machine_linux.c – what this machine runs: see platform.h. */
#include <uv.h>

#include "base/text.h"
#include "runtime/image/platform.h"

struct image_platform image_platform_of_machine(void)
{
    static uv_utsname_t machine;
    struct image_platform platform = {.os = "linux"};
    if (uv_os_uname(&machine) < 0)
        return platform;
    platform.architecture = image_architecture_normal(machine.machine);
    if (text_starts(machine.machine, "armv6"))
        platform.variant = "v6";
    return platform;
}
