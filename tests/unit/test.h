/* tests/unit/test.h – what every unit test includes: cmocka with the headers it wants, and checks for our error contract. */
#ifndef SKEP_TESTS_UNIT_TEST_H
#define SKEP_TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

/* As the daemon and the command: a peer that went away is an error, not the end. */
static __attribute__((constructor)) void test_ignore_broken_pipes(void)
{
    signal(SIGPIPE, SIG_IGN);
}

/* The call succeeds; its message is shown when it does not. */
#define assert_ok(call)                                                                                                                    \
    do {                                                                                                                                   \
        struct error assert_err_ = {0};                                                                                                    \
        struct error *err = &assert_err_;                                                                                                  \
        if ((call) < 0)                                                                                                                    \
            fail_msg("%s: %s", #call, assert_err_.message);                                                                                \
    } while (0)

/* The call fails with @want_code and a message that contains @want_text. The call names its last argument `err`. */
#define assert_fails(call, want_code, want_text)                                                                                           \
    do {                                                                                                                                   \
        struct error assert_err_ = {0};                                                                                                    \
        struct error *err = &assert_err_;                                                                                                  \
        int assert_got_ = (call);                                                                                                          \
        if (assert_got_ != (want_code))                                                                                                    \
            fail_msg("%s gave %s (%s), not %s", #call, error_name(assert_got_), assert_err_.message, error_name(want_code));               \
        assert_int_equal(assert_err_.code, want_code);                                                                                     \
        if (strstr(assert_err_.message, want_text) == NULL)                                                                                \
            fail_msg("the message of %s is \"%s\", without \"%s\"", #call, assert_err_.message, want_text);                                \
    } while (0)

#endif
