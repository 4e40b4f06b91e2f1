/* The leader's parts on a real loop: made, woken, stepped when their time comes, ended, begun again. */
#include "manager/leader/leader.h"

#include <stdlib.h>

#include "base/mem.h"
#include "tests/unit/test.h"

struct clerk {
    const struct part_host *host;
    struct script *script;
    uint64_t due_ns;
};

struct script {
    const char *name;
    int made, steps, freed;
    uint64_t delay_ns; /* after each step; 0: never again by itself */
    int wakes;         /* how often a step asks for another */
    struct leader *ends;
    char *order;
};

static void clerk_step(void *self, uint64_t now_ns)
{
    struct clerk *clerk = self;
    struct script *script = clerk->script;
    script->steps++;
    strcat(script->order, script->name);
    clerk->due_ns = script->delay_ns ? now_ns + script->delay_ns : PART_NEVER;
    if (script->wakes-- > 0)
        part_wake(clerk->host);
}

static uint64_t clerk_deadline(const void *self)
{
    return ((const struct clerk *)self)->due_ns;
}

static void clerk_free(void *self)
{
    struct clerk *clerk = self;
    clerk->script->freed++;
    free(clerk);
}

static struct part clerk_make(const struct part_host *host, void *ctx)
{
    struct script *script = ctx;
    struct clerk *clerk = mem_alloc(sizeof *clerk);
    script->made++;
    *clerk = (struct clerk){host, script, PART_NEVER};
    return (struct part){.name = script->name, .step = clerk_step, .deadline_ns = clerk_deadline, .free = clerk_free, .self = clerk};
}

static void closed(void *ctx)
{
    *(bool *)ctx = true;
}

static void stop_loop(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

static void run_for(uv_loop_t *loop, uint64_t ms)
{
    uv_timer_t timer;
    uv_timer_init(loop, &timer);
    uv_timer_start(&timer, stop_loop, ms, 0);
    uv_run(loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
}

static void parts_are_stepped_in_order_when_woken_and_when_due(void **state)
{
    char order[200] = "";
    struct script a = {.name = "a", .wakes = 2, .order = order}, b = {.name = "b", .delay_ns = 50 * NS_PER_MS, .order = order};
    bool is_closed = false;
    uv_loop_t loop;
    (void)state;
    uv_loop_init(&loop);
    struct leader *leader = leader_new(&(struct leader_options){.loop = &loop, .clock = clock_system(), .random = random_system()});
    leader_add(leader, clerk_make, &a);
    leader_add(leader, clerk_make, &b);
    run_for(&loop, 20);
    assert_int_equal(a.steps, 0); /* not begun */
    assert_null(leader_part(leader, "a"));
    leader_begin(leader);
    assert_non_null(leader_part(leader, "b"));
    assert_null(leader_part(leader, "c"));
    run_for(&loop, 20);
    assert_string_equal(order, "abaa");
    run_for(&loop, 200);
    assert_in_range(b.steps, 3, 6);
    assert_int_equal(a.steps, 3);
    leader_end(leader);
    leader_end(leader); /* once more does nothing */
    assert_int_equal(a.freed, 1);
    int steps = b.steps;
    run_for(&loop, 120);
    assert_int_equal(b.steps, steps);
    leader_begin(leader); /* elected again */
    run_for(&loop, 20);
    assert_int_equal(a.made, 2);
    assert_int_equal(a.steps, 4);
    leader_end(leader);
    leader_close(leader, closed, &is_closed);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(is_closed);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_stepped_in_order_when_woken_and_when_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
