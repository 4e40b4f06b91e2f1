/* tests/unit/base/test_turn.c */
#include "base/turn.h"

#include "tests/unit/test.h"

struct done {
    struct turn turn;
    int calls, wants;
    bool is_closed;
};

static void work(void *ctx)
{
    struct done *done = ctx;
    done->calls++;
    if (done->wants-- > 0)
        turn_want(&done->turn);
}

static void closed(void *ctx)
{
    ((struct done *)ctx)->is_closed = true;
}

static void what_many_ask_for_is_done_once_and_soon(void **state)
{
    struct done done = {0};
    uv_loop_t loop;
    (void)state;
    uv_loop_init(&loop);
    turn_init(&done.turn, &loop, work, &done);
    uv_run(&loop, UV_RUN_DEFAULT); /* nothing wanted keeps nobody alive */
    assert_int_equal(done.calls, 0);
    for (int i = 0; i < 5; i++)
        turn_want(&done.turn);
    assert_int_equal(done.calls, 0); /* never inside */
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(done.calls, 1);
    done.wants = 3; /* asked for inside: in turns of their own */
    turn_want(&done.turn);
    uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(done.calls, 2);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(done.calls, 5);
    turn_want(&done.turn);
    turn_close(&done.turn, closed);
    turn_want(&done.turn);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(done.calls, 5);
    assert_true(done.is_closed);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_many_ask_for_is_done_once_and_soon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
