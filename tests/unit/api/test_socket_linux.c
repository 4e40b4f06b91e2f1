/* tests/unit/api/test_socket_linux.c – sockets that are files: places where there can be none. */
#include "tests/unit/api/asker.h"

static void a_path_that_cannot_be_a_socket_is_refused(void **state)
{
    struct asker *a = *state;
    assert_fails(api_listen(a->fixture.api, "unix:///etc/passwd", NULL, err), ERR_EXISTS, "is no socket");
    assert_fails(api_listen(a->fixture.api, "unix:///nonexistent/dir/s", NULL, err), ERR_NOT_FOUND, "/nonexistent/dir/s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_path_that_cannot_be_a_socket_is_refused, asker_setup, asker_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
