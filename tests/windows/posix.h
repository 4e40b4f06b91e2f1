/* tests/windows/posix.h – included before every test that is built for Windows: what tests take for granted elsewhere and mingw-w64 lacks.
 * For tests only: the rooms themselves call nothing of it. */
#ifndef SKEP_TESTS_WINDOWS_POSIX_H
#define SKEP_TESTS_WINDOWS_POSIX_H

#include <direct.h>
#include <io.h>
#include <stddef.h>
#include <stdio.h>

#define SIGPIPE 13 /* which is never sent: signal() says EINVAL */

char *mkdtemp(char *template);
void *memmem(const void *hay, size_t hay_size, const void *needle, size_t needle_size);
int geteuid(void); /* not root */

/* The text is there after fflush() and after fclose(). */
FILE *open_memstream(char **text, size_t *size);
int test_fflush(FILE *file);
int test_fclose(FILE *file);
#define fflush(file) test_fflush(file)
#define fclose(file) test_fclose(file)

/* In a test, and before all else: this one asks for what Wine has in name only. With base/system_windows.h. */
#define skip_on_wine(reason)                                                                                                               \
    do {                                                                                                                                   \
        if (system_is_wine()) {                                                                                                            \
            print_message("skip: %s: %s\n", __func__, reason);                                                                             \
            skip();                                                                                                                        \
        }                                                                                                                                  \
    } while (0)

#define flockfile(file)   _lock_file(file)
#define funlockfile(file) _unlock_file(file)

#define mkdir(path, mode) ((void)(mode), _mkdir(path))

#endif
