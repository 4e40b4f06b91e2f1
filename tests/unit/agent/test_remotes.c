#include "agent/remotes.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "tests/unit/test.h"

static int weight_of(const struct remotes *remotes, const char *addr)
{
    for (size_t i = 0; i < remotes->count; i++)
        if (strcmp(remotes->list[i].addr, addr) == 0)
            return remotes->list[i].weight;
    fail_msg("%s is not in the list", addr);
    return 0;
}

static void observation_moves_the_weight_by_half_rounded_up(void **state)
{
    (void)state;
    static const struct {
        int observation, weight;
    } steps[] = {{10, 5},   {10, 8},   {10, 9},   {10, 10}, {10, 10},    {-10, 0},
                 {-10, -5}, {-10, -7}, {-10, -8}, {10, 1},  {1000, 129}, {-1000, -63}};
    struct remotes remotes = {0};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        assert_ok(remotes_observe(&remotes, "n1", "10.0.0.1:2377", steps[i].observation, err));
        assert_int_equal(weight_of(&remotes, "10.0.0.1:2377"), steps[i].weight);
    }
    assert_int_equal(remotes.count, 1);
    remotes_deinit(&remotes);
}

static void choice_is_in_proportion_to_the_weight(void **state)
{
    (void)state;
    struct remotes remotes = {0};
    struct random_seeded seed;
    random_seeded_init(&seed, 7);
    struct random random = random_from_seeded(&seed);
    assert_ok(remotes_observe(&remotes, "a", "a:1", 10, err)); /* 5 */
    assert_ok(remotes_observe(&remotes, "b", "b:1", 29, err)); /* 15 */
    assert_ok(remotes_observe(&remotes, "c", "c:1", -10, err));
    int chosen_a = 0, chosen_c = 0;
    for (int i = 0; i < 20000; i++) {
        const struct remote *remote;
        assert_ok(remotes_select(&remotes, &random, NULL, 0, &remote, err));
        chosen_a += remote->addr[0] == 'a';
        chosen_c += remote->addr[0] == 'c';
    }
    assert_in_range(chosen_a, 4800, 5200);
    assert_in_range(chosen_c, 0, 20);
    remotes_deinit(&remotes);
}

static void failing_manager_is_still_chosen_when_alone(void **state)
{
    (void)state;
    struct remotes remotes = {0};
    struct random random = random_system();
    const struct remote *remote;
    for (int i = 0; i < 20; i++)
        assert_ok(remotes_observe(&remotes, "a", "a:1", REMOTE_FAILURE, err));
    assert_ok(remotes_select(&remotes, &random, NULL, 0, &remote, err));
    assert_string_equal(remote->addr, "a:1");
    remotes_deinit(&remotes);
}

static void exclusion_names_ids_or_addresses(void **state)
{
    (void)state;
    struct remotes remotes = {0};
    struct random random = random_system();
    const struct remote *remote;
    assert_ok(remotes_observe(&remotes, "a", "a:1", 10, err));
    assert_ok(remotes_observe(&remotes, "b", "b:1", 10, err));
    assert_ok(remotes_observe(&remotes, "", "c:1", 10, err));
    static const char *const excluded[] = {"a", "b:1", ""};
    for (int i = 0; i < 50; i++) {
        assert_ok(remotes_select(&remotes, &random, excluded, 3, &remote, err));
        assert_string_equal(remote->addr, "c:1");
    }
    static const char *const all[] = {"a", "b", "c:1"};
    assert_fails(remotes_select(&remotes, &random, all, 3, &remote, err), ERR_UNAVAILABLE, "none of the 3");
    remotes_deinit(&remotes);
    assert_fails(remotes_select(&remotes, &random, NULL, 0, &remote, err), ERR_UNAVAILABLE, "skep leave --force");
}

static void told_list_replaces_ours_and_keeps_the_history_of_who_stays(void **state)
{
    (void)state;
    struct remotes remotes = {0};
    assert_ok(remotes_observe(&remotes, "", "a:1", 10, err)); /* as typed at the join */
    assert_ok(remotes_observe(&remotes, "b", "b:1", -10, err));
    const struct remote_told told[] = {{"a", "a:1", 10}, {"b", "b:1", 10}, {"c", "", 10}, {"b", "b:1", 10}};
    assert_ok(remotes_replace(&remotes, told, 4, err));
    assert_int_equal(remotes.count, 2);
    assert_int_equal(weight_of(&remotes, "a:1"), 5);
    assert_int_equal(weight_of(&remotes, "b:1"), 3);
    assert_ok(remotes_replace(&remotes, told + 2, 1, err));
    assert_int_equal(remotes.count, 2);
    remotes_deinit(&remotes);
}

static void list_has_a_bound(void **state)
{
    (void)state;
    struct remotes remotes = {0};
    struct remote_told told[MANAGERS_COUNT + 1];
    char addrs[MANAGERS_COUNT + 1][16];
    for (int i = 0; i <= MANAGERS_COUNT; i++) {
        snprintf(addrs[i], sizeof addrs[i], "h%d:1", i);
        told[i] = (struct remote_told){"n", addrs[i], 10};
    }
    assert_ok(remotes_replace(&remotes, told, MANAGERS_COUNT, err));
    assert_fails(remotes_replace(&remotes, told, MANAGERS_COUNT + 1, err), ERR_LIMIT, "65 managers");
    assert_fails(remotes_observe(&remotes, "x", "x:1", 10, err), ERR_LIMIT, "more than 64");
    assert_fails(remotes_observe(&remotes, "x", "", 10, err), ERR_INVALID, "without an address");
    remotes_observe_known(&remotes, "x", "x:1", 10);
    assert_int_equal(remotes.count, MANAGERS_COUNT);
    remotes_deinit(&remotes);
}

static void list_survives_its_persisted_form(void **state)
{
    (void)state;
    struct remotes remotes = {0}, again = {0};
    assert_ok(remotes_observe(&remotes, "a", "a:1", 10, err));
    assert_ok(remotes_observe(&remotes, "", "[::1]:2377", -10, err));
    cleanup_json cJSON *written = remotes_to_json(&remotes);
    cleanup_json cJSON *json = NULL;
    cleanup_free char *text = json_print(written);
    assert_ok(json_parse(bytes_of_string(text), KIB, &json, err));
    assert_ok(remotes_from_json(&again, json, err));
    assert_int_equal(again.count, 2);
    assert_string_equal(again.list[0].node_id, "a");
    assert_int_equal(weight_of(&again, "a:1"), 5);
    assert_int_equal(weight_of(&again, "[::1]:2377"), -5);
    remotes_deinit(&remotes);
    remotes_deinit(&again);
}

static void damaged_persisted_form_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"{}", "[1]", "[{\"node_id\":\"a\"}]", "[{\"addr\":\"a:1\",\"weight\":1000}]"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct remotes remotes = {0};
        cleanup_json cJSON *json = NULL;
        assert_ok(json_parse(bytes_of_string(texts[i]), KIB, &json, err));
        assert_fails(remotes_from_json(&remotes, json, err), ERR_CORRUPT, "list of managers");
        assert_int_equal(remotes.count, 0);
    }
    struct remotes remotes = {0};
    assert_ok(remotes_from_json(&remotes, NULL, err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(observation_moves_the_weight_by_half_rounded_up),
        cmocka_unit_test(choice_is_in_proportion_to_the_weight),
        cmocka_unit_test(failing_manager_is_still_chosen_when_alone),
        cmocka_unit_test(exclusion_names_ids_or_addresses),
        cmocka_unit_test(told_list_replaces_ours_and_keeps_the_history_of_who_stays),
        cmocka_unit_test(list_has_a_bound),
        cmocka_unit_test(list_survives_its_persisted_form),
        cmocka_unit_test(damaged_persisted_form_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
