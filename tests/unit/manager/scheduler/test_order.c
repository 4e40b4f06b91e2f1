/* tests/unit/manager/scheduler/test_order.c – nodes sorted by tasks, against sorting them. */
#include "manager/scheduler/order.h"

#include "tests/unit/test.h"

enum { NODES = 40 };

static void check(const struct sched_order *order, const int *tasks)
{
    uint32_t count = 0;
    for (uint32_t n = 0; n < NODES; n++) {
        if (tasks[n] < 0)
            continue;
        uint32_t place = order->places[n];
        assert_true(place < order->count && order->nodes[place] == n);
        assert_in_range(place, order->starts[tasks[n]], order->starts[tasks[n] + 1] - 1);
        count++;
    }
    assert_int_equal(order->count, count);
    assert_int_equal(order->starts[order->level_count], count);
    for (uint32_t i = 0; i + 1 < order->count; i++)
        assert_true(tasks[order->nodes[i]] <= tasks[order->nodes[i + 1]]);
}

static void stays_sorted(void **state)
{
    struct sched_order order = {0};
    int tasks[NODES]; /* -1: not in it */
    uint64_t seed = 88172645463325252u;
    (void)state;
    memset(tasks, -1, sizeof tasks);
    for (int i = 0; i < 20000; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        uint32_t n = (uint32_t)(seed >> 40) % NODES, what = (uint32_t)(seed >> 20) % 8;
        if (tasks[n] < 0) {
            tasks[n] = (int)(seed >> 50) % 30;
            sched_order_insert(&order, n, (uint32_t)tasks[n]);
        } else if (what == 0) {
            sched_order_remove(&order, n, (uint32_t)tasks[n]);
            tasks[n] = -1;
        } else if (what < 5) {
            sched_order_raise(&order, n, (uint32_t)tasks[n]);
            tasks[n]++;
        } else if (tasks[n] > 0) {
            sched_order_lower(&order, n, (uint32_t)tasks[n]);
            tasks[n]--;
        }
        if (i % 16 == 0)
            check(&order, tasks);
    }
    sched_order_deinit(&order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(stays_sorted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
