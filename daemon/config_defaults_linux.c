/* daemon/config_defaults_linux.c – the places that the file hierarchy standard gives a daemon. */
#include "daemon/config.h"

const struct config_defaults *config_defaults(void)
{
    static const struct config_defaults defaults = {
        .state_dir = "/var/lib/skep",
        .run_dir = "/run/skep",
        .group = "docker",
    };
    return &defaults;
}
