/* runtime/windows/keeper_main.c – skep-log.exe PATH MAX-SIZE MAX-FILES FINISH IN OUT ERR. Started by skepd, by nobody else. */
#include <stdio.h>
#include <stdlib.h>

#include "runtime/windows/api.h"
#include "runtime/windows/keeper.h"

int wmain(int argc, WCHAR **argv);
int wmain(int argc, WCHAR **argv)
{
    struct keeper_options options;
    struct error err = {0};

    if (argc != 8) {
        fprintf(stderr, "skep-log keeps a container's output; skepd starts it\n");
        return 64;
    }
    options = (struct keeper_options){.path = utf8_from_wide(argv[1]),
                                      .max_size_bytes = _wcstoi64(argv[2], NULL, 10),
                                      .max_files = _wcstoi64(argv[3], NULL, 10),
                                      .finish = (uintptr_t)_wcstoui64(argv[4], NULL, 10),
                                      .in = (uintptr_t)_wcstoui64(argv[5], NULL, 10),
                                      .out = (uintptr_t)_wcstoui64(argv[6], NULL, 10),
                                      .err = (uintptr_t)_wcstoui64(argv[7], NULL, 10)};
    return keeper_run(&options, &err) < 0 ? error_exit_code(err.code) : 0;
}
