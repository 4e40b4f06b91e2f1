/* runtime/signal_name.c – signals by name, with Linux's numbers on every host: an image's StopSignal is a Linux word. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "runtime/document.h"

#define SIGNALS(X)                                                                                                                         \
    X("HUP", 1)                                                                                                                            \
    X("INT", 2)                                                                                                                            \
    X("QUIT", 3)                                                                                                                           \
    X("ILL", 4)                                                                                                                            \
    X("TRAP", 5)                                                                                                                           \
    X("ABRT", 6)                                                                                                                           \
    X("IOT", 6)                                                                                                                            \
    X("BUS", 7)                                                                                                                            \
    X("FPE", 8)                                                                                                                            \
    X("KILL", 9)                                                                                                                           \
    X("USR1", 10)                                                                                                                          \
    X("SEGV", 11)                                                                                                                          \
    X("USR2", 12)                                                                                                                          \
    X("PIPE", 13)                                                                                                                          \
    X("ALRM", 14)                                                                                                                          \
    X("TERM", 15)                                                                                                                          \
    X("STKFLT", 16)                                                                                                                        \
    X("CHLD", 17)                                                                                                                          \
    X("CLD", 17)                                                                                                                           \
    X("CONT", 18)                                                                                                                          \
    X("STOP", 19)                                                                                                                          \
    X("TSTP", 20)                                                                                                                          \
    X("TTIN", 21)                                                                                                                          \
    X("TTOU", 22)                                                                                                                          \
    X("URG", 23)                                                                                                                           \
    X("XCPU", 24)                                                                                                                          \
    X("XFSZ", 25)                                                                                                                          \
    X("VTALRM", 26)                                                                                                                        \
    X("PROF", 27)                                                                                                                          \
    X("WINCH", 28)                                                                                                                         \
    X("IO", 29)                                                                                                                            \
    X("POLL", 29)                                                                                                                          \
    X("PWR", 30)                                                                                                                           \
    X("SYS", 31)

enum { SIGNAL_RT_MIN = 34, SIGNAL_RT_MAX = 64 };

static const struct {
    const char *name;
    int number;
} signals[] = {
#define X(name, number) {(name), (number)},
    SIGNALS(X)
#undef X
};

/* "RTMIN", "RTMIN+3", "RTMAX-1" */
static int realtime_number(const char *name)
{
    bool from_min = strncasecmp(name, "RTMIN", 5) == 0;
    int64_t offset = 0;
    struct error err;

    if (!from_min && strncasecmp(name, "RTMAX", 5) != 0)
        return -1;
    if (name[5] != '\0') {
        if (name[5] != (from_min ? '+' : '-') || text_parse_i64(name + 6, 0, SIGNAL_RT_MAX - SIGNAL_RT_MIN, &offset, &err) < 0)
            return -1;
    }
    return from_min ? SIGNAL_RT_MIN + (int)offset : SIGNAL_RT_MAX - (int)offset;
}

int document_signal_number(const char *text)
{
    int64_t number;
    struct error err;

    if (text_parse_i64(text, 1, SIGNAL_RT_MAX, &number, &err) == 0)
        return (int)number;
    if (strncasecmp(text, "SIG", 3) == 0)
        text += 3;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (strcasecmp(text, signals[i].name) == 0)
            return signals[i].number;
    return realtime_number(text);
}
