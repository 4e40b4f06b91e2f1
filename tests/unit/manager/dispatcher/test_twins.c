/* tests/unit/manager/dispatcher/test_twins.c – hosts that joined again under another node id. */
#include "tests/unit/manager/dispatcher/fixture.h"

/* Two entries of one host: n1 is the older one. */
static void begin(struct house *house)
{
    house_begin(house, "");
    add_node(house, "n1", "web1");
    pass(house, 1000);
    add_node(house, "n2", "web1");
}

static void enter_at(struct house *house, struct ear *ear, const char *node_id, const char *address)
{
    Docker__Swarmkit__V1__SessionRequest request = DOCKER__SWARMKIT__V1__SESSION_REQUEST__INIT;
    assert_ok(dispatcher_register(house->dispatcher, &(struct dispatcher_caller){node_id, address}, &request,
                                  &(struct dispatcher_sink){hear, hear_end, ear}, house->now_ns, &ear->session, err));
    pass(house, 100);
    assert_int_equal(ear->ends, 0);
}

#define STALE "heartbeat failure; the same host, web1 at 10.0.0.5, is now node n2"

static void a_host_that_joined_again_is_recognised_when_its_old_entry_goes_down(void **state)
{
    struct house house = {0};
    struct ear old = {0}, young = {0};
    (void)state;
    begin(&house);
    enter_at(&house, &old, "n1", "10.0.0.5");
    pass(&house, 5000);
    enter_at(&house, &young, "n2", "10.0.0.5");
    assert_int_equal(house.twins.size, 0); /* both live: one of them is another host */
    live(&house, "n2", &young, 12000);
    assert_int_equal(state_of_node(&house, "n1"), DOWN);
    assert_string_equal(node_of(&house, "n1")->status->message, STALE);
    assert_string_equal((char *)house.twins.data, "n1 is n2 (web1 at 10.0.0.5); ");
    assert_int_equal(stats_of(&house).twins, 1);
    house_end(&house);
}

static void and_when_it_joins_after_its_old_entry_went_down(void **state)
{
    struct house house = {0};
    struct ear old = {0}, young = {0}, again = {0};
    (void)state;
    begin(&house);
    enter_at(&house, &old, "n1", "10.0.0.5");
    pass(&house, 17000);
    assert_string_equal(node_of(&house, "n1")->status->message, "heartbeat failure");
    enter_at(&house, &young, "n2", "10.0.0.5");
    assert_string_equal(node_of(&house, "n1")->status->message, STALE);
    assert_int_equal(stats_of(&house).twins, 1);
    uint64_t version = store_message_version(STORE_NODE, &node_of(&house, "n1")->base);
    enter_at(&house, &again, "n2", "10.0.0.5"); /* what is said already is not written again */
    assert_int_equal(store_message_version(STORE_NODE, &node_of(&house, "n1")->base), version);
    assert_non_null(store_node(house.world.store, "n1")); /* and nothing is removed */
    house_end(&house);
}

static void an_entry_that_lives_again_is_stale_no_more(void **state)
{
    struct house house = {0};
    struct ear old = {0}, young = {0}, again = {0};
    (void)state;
    begin(&house);
    enter_at(&house, &old, "n1", "10.0.0.5");
    pass(&house, 17000);
    enter_at(&house, &young, "n2", "10.0.0.5");
    assert_int_equal(stats_of(&house).twins, 1);
    enter_at(&house, &again, "n1", "10.0.0.5");
    assert_string_equal(node_of(&house, "n1")->status->message, "");
    assert_int_equal(stats_of(&house).twins, 0);
    house_end(&house);
}

static void removing_the_stale_entry_ends_it(void **state)
{
    struct house house = {0};
    struct ear old = {0}, young = {0};
    (void)state;
    begin(&house);
    enter_at(&house, &old, "n1", "10.0.0.5");
    pass(&house, 17000);
    enter_at(&house, &young, "n2", "10.0.0.5");
    do_remove(&house.world, STORE_NODE, "n1");
    settle(&house);
    assert_int_equal(stats_of(&house).twins, 0);
    house_end(&house);
}

static void one_that_is_long_gone_is_still_counted(void **state)
{
    struct house house = {0};
    struct ear old = {0}, young = {0};
    (void)state;
    begin(&house);
    enter_at(&house, &old, "n1", "10.0.0.5");
    pass(&house, 25 * 3600 * 1000u);
    enter_at(&house, &young, "n2", "10.0.0.5");
    assert_string_equal(node_of(&house, "n1")->status->message, STALE);
    assert_int_equal(stats_of(&house).twins, 1);
    live(&house, "n2", &young, 20000);
    assert_int_equal(stats_of(&house).twins, 1);
    house_end(&house);
}

static void another_address_or_name_is_another_host(void **state)
{
    struct house house = {0};
    struct ear old = {0}, young = {0}, other = {0};
    (void)state;
    begin(&house);
    add_node(&house, "n3", "Web1");
    enter_at(&house, &old, "n1", "10.0.0.5");
    pass(&house, 17000);
    enter_at(&house, &young, "n2", "10.0.0.6");
    enter_at(&house, &other, "n3", "10.0.0.5");
    assert_string_equal(node_of(&house, "n1")->status->message, "heartbeat failure");
    assert_int_equal(house.twins.size, 0);
    house_end(&house);
}

static void the_younger_entry_is_never_the_stale_one(void **state)
{
    struct house house = {0};
    struct ear old = {0}, young = {0};
    (void)state;
    begin(&house);
    enter_at(&house, &young, "n2", "10.0.0.5");
    pass(&house, 17000);
    enter_at(&house, &old, "n1", "10.0.0.5");
    assert_string_equal(node_of(&house, "n2")->status->message, "heartbeat failure");
    assert_int_equal(house.twins.size, 0);
    house_end(&house);
}

static void all_older_lives_of_a_host_are_told(void **state)
{
    struct house house = {0};
    struct ear ears[4] = {{0}};
    (void)state;
    house_begin(&house, "");
    for (int i = 0; i < 4; i++) {
        char id[8];
        snprintf(id, sizeof id, "n%d", i);
        add_node(&house, id, "web1");
        enter_at(&house, &ears[i], id, "10.0.0.5");
        pass(&house, i < 3 ? 17000 : 0);
    }
    for (int i = 0; i < 3; i++) {
        char id[8];
        snprintf(id, sizeof id, "n%d", i);
        assert_string_equal(node_of(&house, id)->status->message, "heartbeat failure; the same host, web1 at 10.0.0.5, is now node n3");
    }
    assert_int_equal(stats_of(&house).twins, 3);
    house_end(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_that_joined_again_is_recognised_when_its_old_entry_goes_down),
        cmocka_unit_test(and_when_it_joins_after_its_old_entry_went_down),
        cmocka_unit_test(an_entry_that_lives_again_is_stale_no_more),
        cmocka_unit_test(removing_the_stale_entry_ends_it),
        cmocka_unit_test(one_that_is_long_gone_is_still_counted),
        cmocka_unit_test(another_address_or_name_is_another_host),
        cmocka_unit_test(the_younger_entry_is_never_the_stale_one),
        cmocka_unit_test(all_older_lives_of_a_host_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
