/* tests/unit/daemon/test_supervisor_windows.c – what the service control manager asks, and what becomes of it: the handler itself, for
 * Wine's manager does not send all of it. */
#include "tests/unit/test.h"

#include "daemon/supervisor_windows.c" /* its handler is nobody else's to call */

static char story[256];

static void note(void *ctx, enum supervisor_request request, const char *why)
{
    static const char *const names[] = {[SUPERVISOR_STOP] = "stop", [SUPERVISOR_DRAIN] = "drain", [SUPERVISOR_RELOAD] = "reload"};
    size_t length = strlen(story);

    (void)ctx;
    snprintf(story + length, sizeof story - length, "%s:%s;", names[request], why);
}

static int set_up(void **state)
{
    uv_loop_t *loop = mem_alloc(sizeof *loop);

    uv_loop_init(loop);
    service.is_service = true;
    service.control = 0;
    uv_mutex_init(&service.lock);
    story[0] = '\0';
    *state = loop;
    return 0;
}

static int tear_down(void **state)
{
    uv_loop_t *loop = *state;

    supervisor_unwatch(service.watch);
    uv_run(loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(loop), 0);
    uv_mutex_destroy(&service.lock);
    free(loop);
    return 0;
}

static void asked(uv_loop_t *loop, DWORD control, const char *want)
{
    story[0] = '\0';
    assert_int_equal(on_control(control, 0, NULL, NULL), NO_ERROR);
    uv_run(loop, UV_RUN_NOWAIT);
    assert_string_equal(story, want);
}

static void each_control_is_a_request(void **state)
{
    supervisor_watch(*state, note, NULL);
    asked(*state, SERVICE_CONTROL_STOP, "stop:the service control manager;");
    asked(*state, SERVICE_CONTROL_PRESHUTDOWN, "drain:the host's going down;");
    asked(*state, SERVICE_CONTROL_DRAIN, "drain:the service control manager;");
    asked(*state, SERVICE_CONTROL_PARAMCHANGE, "reload:the service control manager;");
    asked(*state, SERVICE_CONTROL_INTERROGATE, "");
    assert_int_equal(on_control(SERVICE_CONTROL_PAUSE, 0, NULL, NULL), ERROR_CALL_NOT_IMPLEMENTED);
}

static void what_is_asked_while_it_starts_is_not_lost(void **state)
{
    asked(*state, SERVICE_CONTROL_PRESHUTDOWN, "");
    supervisor_watch(*state, note, NULL);
    uv_run(*state, UV_RUN_NOWAIT);
    assert_string_equal(story, "drain:the host's going down;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_control_is_a_request, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_asked_while_it_starts_is_not_lost, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
