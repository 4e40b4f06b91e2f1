/* tests/unit/api/swarm/test_query.c – arguments of the swarm's endpoints, and small texts. */
#include "tests/unit/test.h"

#include <stdlib.h>

#include "api/swarm/docker_time.h"
#include "api/swarm/made_name.h"
#include "api/swarm/query.h"
#include "api/swarm/reply.h"
#include "api/swarm/utf8.h"
#include "base/json.h"
#include "google/protobuf/timestamp.pb-c.h"

static void versions_are_whole_numbers(void **state)
{
    (void)state;
    uint64_t version = 0;
    assert_ok(swarm_query_version("service", "18446744073709551615", &version, err));
    assert_true(version == UINT64_MAX);
    assert_fails(swarm_query_version("service", "18446744073709551616", &version, err), ERR_INVALID, "invalid service version '184");
    assert_fails(swarm_query_version("node", "-1", &version, err), ERR_INVALID, "invalid node version '-1'");
    assert_fails(swarm_query_version("swarm", "", &version, err), ERR_INVALID, "invalid swarm version ''");
    assert_fails(swarm_query_version("swarm", NULL, &version, err), ERR_INVALID, "invalid swarm version ''");
}

static void booleans_are_gos(void **state)
{
    (void)state;
    bool truth = true;
    assert_ok(swarm_query_bool("status", NULL, &truth, err));
    assert_false(truth);
    assert_ok(swarm_query_bool("status", "TRUE", &truth, err));
    assert_true(truth);
    assert_ok(swarm_query_bool("status", "f", &truth, err));
    assert_false(truth);
    assert_fails(swarm_query_bool("insertDefaults", "yes", &truth, err), ERR_INVALID, "invalid value for insertDefaults: yes");
}

static void choices_are_named(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__UpdateServiceRequest__Rollback rollback;
    enum swarm_auth_from from;
    assert_ok(swarm_query_rollback("previous", &rollback, err));
    assert_int_equal(rollback, DOCKER__SWARMKIT__V1__UPDATE_SERVICE_REQUEST__ROLLBACK__PREVIOUS);
    assert_ok(swarm_query_rollback(NULL, &rollback, err));
    assert_int_equal(rollback, DOCKER__SWARMKIT__V1__UPDATE_SERVICE_REQUEST__ROLLBACK__NONE);
    assert_fails(swarm_query_rollback("x", &rollback, err), ERR_INVALID, "unrecognized rollback option x");
    assert_ok(swarm_query_auth_from("previous-spec", &from, err));
    assert_int_equal(from, SWARM_AUTH_FROM_PREVIOUS_SPEC);
    assert_ok(swarm_query_auth_from("", &from, err));
    assert_int_equal(from, SWARM_AUTH_FROM_SPEC);
    assert_fails(swarm_query_auth_from("x", &from, err), ERR_INVALID, "registryAuthFrom");
}

static void logs_are_asked_for_as_swarmkit_counts(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    Docker__Swarmkit__V1__LogSubscriptionOptions *options = NULL;
    struct swarm_log_query query = {.follow = true, .wants_stderr = true, .tail = "0", .since = "1700000000.5"};
    assert_ok(swarm_log_options(&query, &arena, &options, err));
    assert_true(options->follow);
    assert_int_equal(options->n_streams, 1);
    assert_int_equal(options->streams[0], DOCKER__SWARMKIT__V1__LOG_STREAM__LOG_STREAM_STDERR);
    assert_int_equal(options->tail, -1);
    assert_int_equal(options->since->seconds, 1700000000);
    assert_int_equal(options->since->nanos, 500000000);
    query = (struct swarm_log_query){.wants_stdout = true, .wants_stderr = true, .tail = "all"};
    assert_ok(swarm_log_options(&query, &arena, &options, err));
    assert_int_equal(options->tail, 0);
    assert_int_equal(options->n_streams, 2);
    assert_null(options->since);
    query.tail = "10";
    assert_ok(swarm_log_options(&query, &arena, &options, err));
    assert_int_equal(options->tail, -11);
    query.tail = "-3";
    assert_fails(swarm_log_options(&query, &arena, &options, err), ERR_INVALID, "tail value must be");
    query = (struct swarm_log_query){.wants_stdout = true, .since = "yesterday"};
    assert_fails(swarm_log_options(&query, &arena, &options, err), ERR_INVALID, "since");
    query = (struct swarm_log_query){0};
    assert_fails(swarm_log_options(&query, &arena, &options, err), ERR_INVALID, "at least one stream");
}

static void instants_have_as_many_digits_as_it_takes(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        int32_t nanos;
        const char *text;
    } cases[] = {{1700000000, 120000000, "2023-11-14T22:13:20.12Z"},
                 {1700000000, 123456789, "2023-11-14T22:13:20.123456789Z"},
                 {1700000000, 0, "2023-11-14T22:13:20Z"},
                 {-62135596800, 0, "0001-01-01T00:00:00Z"}};
    char text[DOCKER_TIME_SIZE];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Google__Protobuf__Timestamp timestamp = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
        timestamp.seconds = cases[i].seconds;
        timestamp.nanos = cases[i].nanos;
        docker_time(&timestamp, text);
        assert_string_equal(text, cases[i].text);
    }
    docker_time(NULL, text);
    assert_string_equal(text, "1970-01-01T00:00:00Z");
}

static void utf8_is_told_from_what_is_not(void **state)
{
    (void)state;
    static const char *const good[] = {"", "a", "\xc3\xb6", "\xe2\x82\xac", "\xf0\x9f\x90\x9d", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"};
    static const char *const bad[] = {
        "\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xff", "a\xe2\x82"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(utf8_is_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(utf8_is_valid(bad[i]));
        cleanup_free char *repaired = utf8_repair(bad[i]);
        assert_true(utf8_is_valid(repaired));
    }
    assert_int_equal(utf8_cut("a\xe2\x82\xac", 4), 4);
    assert_int_equal(utf8_cut("a\xe2\x82\xac", 3), 1);
    assert_int_equal(utf8_cut("abc", 2), 2);
}

static void replies_say_what_was_made(void **state)
{
    (void)state;
    char warning[] = "w", *warnings[] = {warning};
    cJSON *replies[] = {swarm_json_created("i"), swarm_json_service_reply("i", NULL, 0), swarm_json_service_reply("i", warnings, 1),
                        swarm_json_service_reply(NULL, NULL, 0), swarm_json_network_created("i")};
    static const char *const want[] = {"{\"ID\":\"i\"}", "{\"ID\":\"i\"}", "{\"ID\":\"i\",\"Warnings\":[\"w\"]}", "{\"Warnings\":null}",
                                       "{\"Id\":\"i\",\"Warning\":\"\"}"};
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        cleanup_free char *text = json_print(replies[i]);
        assert_string_equal(text, want[i]);
        cJSON_Delete(replies[i]);
    }
    assert_int_equal(swarm_http_status(14), 503);
    assert_int_equal(swarm_http_status(99), 500);
    assert_int_equal(swarm_http_status(-1), 500);
}

static void made_names_fit_a_service(void **state)
{
    (void)state;
    struct random_seeded seeded;
    random_seeded_init(&seeded, 7);
    struct random random = random_from_seeded(&seeded);
    char name[MADE_NAME_SIZE], before[MADE_NAME_SIZE] = "";
    for (int i = 0; i < 2000; i++) {
        made_name(&random, name);
        size_t kind = strspn(name, "abcdefghijklmnopqrstuvwxyz"), thing = strspn(name + kind + 1, "abcdefghijklmnopqrstuvwxyz");
        assert_true(kind > 2 && name[kind] == '_' && thing > 2);
        assert_int_equal(strspn(name + kind + 1 + thing, "0123456789"), 1);
        assert_int_equal(strlen(name), kind + thing + 2);
        assert_string_not_equal(name, before);
        strcpy(before, name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_are_whole_numbers),
        cmocka_unit_test(booleans_are_gos),
        cmocka_unit_test(choices_are_named),
        cmocka_unit_test(logs_are_asked_for_as_swarmkit_counts),
        cmocka_unit_test(instants_have_as_many_digits_as_it_takes),
        cmocka_unit_test(utf8_is_told_from_what_is_not),
        cmocka_unit_test(replies_say_what_was_made),
        cmocka_unit_test(made_names_fit_a_service),
    };
    return cmocka_run_group_tests_name("api/swarm/query", tests, NULL, NULL);
}
