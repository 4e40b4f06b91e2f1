/* runtime/linux/environment.c – see environment.h. */
#include "runtime/linux/environment.h"

#include <string.h>
#include <unistd.h>

const char *environment_path(void)
{
    static const char fallback[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    for (char **variable = environ; *variable; variable++)
        if (strncmp(*variable, "PATH=", 5) == 0)
            return *variable;
    return fallback;
}
