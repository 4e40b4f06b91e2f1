/* cli/host_windows.c – see host.h: the console, in UTF-8. */
#include "cli/host.h"

#include <windows.h>

void cli_host_prepare(void)
{
    SetConsoleOutputCP(CP_UTF8);
    SetConsoleCP(CP_UTF8);
}

bool cli_host_is_typed(void)
{
    DWORD mode;
    return GetConsoleMode(GetStdHandle(STD_INPUT_HANDLE), &mode) != 0;
}

void cli_host_echo(bool is_shown)
{
    HANDLE input = GetStdHandle(STD_INPUT_HANDLE);
    DWORD mode;

    if (!GetConsoleMode(input, &mode))
        return;
    SetConsoleMode(input, is_shown ? mode | ENABLE_ECHO_INPUT : mode & ~(DWORD)ENABLE_ECHO_INPUT);
}
