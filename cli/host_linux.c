/* cli/host_linux.c – see host.h. */
#include "cli/host.h"

#include <signal.h>

void cli_host_prepare(void)
{
    signal(SIGPIPE, SIG_IGN);
}
