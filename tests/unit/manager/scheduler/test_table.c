/* tests/unit/manager/scheduler/test_table.c – finding by name while others come and go; kept texts; counts by node. */
#include "manager/scheduler/table.h"

#include "manager/scheduler/ports.h"
#include "manager/scheduler/presence.h"
#include "manager/scheduler/strings.h"
#include "tests/unit/test.h"

enum { THINGS = 500 };

struct thing {
    char name[16];
    bool is_in;
};

static uint64_t seed = 88172645463325252u;

static uint32_t roll(uint32_t sides)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 33) % sides;
}

static const char *name_of(const void *item)
{
    return ((const struct thing *)item)->name;
}

static void finds_what_is_in_it(void **state)
{
    static struct thing things[THINGS];
    struct sched_table table = {.name = name_of};
    size_t count = 0;
    (void)state;
    for (size_t i = 0; i < THINGS; i++)
        (void)snprintf(things[i].name, sizeof things[i].name, "thing-%zu", i);
    assert_null(sched_table_find(&table, "thing-1"));
    for (int step = 0; step < 20000; step++) {
        struct thing *thing = &things[roll(step % 4000 < 2000 ? THINGS : THINGS / 10)]; /* grows, and shrinks in clusters */
        if (thing->is_in)
            sched_table_remove(&table, thing);
        else
            sched_table_add(&table, thing);
        count = thing->is_in ? count - 1 : count + 1;
        thing->is_in = !thing->is_in;
        assert_int_equal(table.count, count);
        for (size_t i = 0; step % 100 == 0 && i < THINGS; i++)
            assert_ptr_equal(sched_table_find(&table, things[i].name), things[i].is_in ? &things[i] : NULL);
    }
    sched_table_deinit(&table);
}

static void equal_texts_are_one(void **state)
{
    struct sched_strings strings;
    char again[] = "zone";
    (void)state;
    sched_strings_init(&strings);
    const char *zone = sched_strings_keep(&strings, "zone");
    assert_string_equal(zone, "zone");
    assert_ptr_equal(sched_strings_keep(&strings, again), zone);
    assert_ptr_equal(sched_strings_find(&strings, again), zone);
    assert_ptr_equal(sched_strings_keep(&strings, ""), sched_strings_keep(&strings, NULL));
    sched_strings_release(&strings, sched_strings_keep(&strings, ""));
    sched_strings_release(&strings, zone);
    assert_ptr_equal(sched_strings_find(&strings, "zone"), zone); /* kept twice */
    sched_strings_release(&strings, zone);
    assert_null(sched_strings_find(&strings, "zone"));
    sched_strings_release(&strings, NULL);
    sched_strings_deinit(&strings);
}

static void counts_by_node(void **state)
{
    struct sched_presence presence = {0};
    uint32_t counts[60] = {0};
    (void)state;
    for (int step = 0; step < 20000; step++) {
        uint32_t node = roll(60);
        if (roll(2) == 0 && counts[node] > 0) {
            sched_presence_drop(&presence, node);
            counts[node]--;
        } else if (roll(3) == 0) {
            sched_presence_add(&presence, node);
            counts[node]++;
        }
        assert_int_equal(sched_presence_count(&presence, node), counts[node]);
    }
    for (uint32_t node = 0; node < 60; node++)
        assert_int_equal(sched_presence_count(&presence, node), counts[node]);
    assert_true(presence.capacity <= 256); /* zeros do not pile up */
    sched_presence_deinit(&presence);
}

static void ports_are_held_until_the_last_gives_them(void **state)
{
    struct sched_ports ports = {0};
    uint32_t counts[40] = {0};
    (void)state;
    for (int step = 0; step < 5000; step++) {
        uint32_t port = roll(40);
        if (roll(2) == 0 && counts[port] > 0) {
            sched_ports_give(&ports, sched_port_key(port % 3, port));
            counts[port]--;
        } else {
            sched_ports_take(&ports, sched_port_key(port % 3, port));
            counts[port]++;
        }
        for (uint32_t i = 0; i < 40; i++)
            assert_int_equal(sched_ports_has(&ports, sched_port_key(i % 3, i)), counts[i] > 0);
    }
    sched_ports_deinit(&ports);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_is_in_it),
        cmocka_unit_test(equal_texts_are_one),
        cmocka_unit_test(counts_by_node),
        cmocka_unit_test(ports_are_held_until_the_last_gives_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
