/* cli/main.c – the `skep` program. */
#include <stdlib.h>
#include <uv.h>

#include "api/socket.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/host.h"

int main(int argc, char **argv)
{
    const char *host = getenv("SKEP_HOST");
    cli_host_prepare();
    return cli_main(argc - 1, argv + 1, text_empty(host) ? socket_default_address : host, stdout, stderr, uv_guess_handle(1) == UV_TTY);
}
