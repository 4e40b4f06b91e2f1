/* cli/host_linux.c – see host.h. */
#include "cli/host.h"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

void cli_host_prepare(void)
{
    signal(SIGPIPE, SIG_IGN);
}

bool cli_host_is_typed(void)
{
    return isatty(STDIN_FILENO) != 0;
}

void cli_host_echo(bool is_shown)
{
    struct termios terminal;
    if (tcgetattr(STDIN_FILENO, &terminal) < 0)
        return;
    if (is_shown)
        terminal.c_lflag |= (tcflag_t)ECHO;
    else
        terminal.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
}
