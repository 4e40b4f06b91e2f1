/* tests/unit/agent/test_health.c */
#include "agent/health.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "proto/swarmkit/types.pb-c.h"
#include "runtime/image/image.h"
#include "tests/unit/test.h"

#define S NS_PER_S

static const struct health_config every_ten = {
    .is_on = true, .interval_ns = 10 * S, .timeout_ns = 5 * S, .start_interval_ns = 2 * S, .retries = 3};

static bool probe(struct health *health, uint64_t at_s, bool is_success)
{
    assert_true(health_is_due(health, at_s * S));
    health_probe_started(health);
    assert_false(health_is_due(health, at_s * S));
    return health_result(health, is_success, at_s * S);
}

static void first_probe_comes_after_one_interval(void **state)
{
    struct health health;
    (void)state;
    health_init(&health, &every_ten, 100 * S);
    assert_false(health_is_due(&health, 109 * S));
    assert_true(health_wake_ns(&health) == 110 * S);
    assert_true(probe(&health, 110, true));
    assert_int_equal(health.status, HEALTH_HEALTHY);
    assert_true(health_wake_ns(&health) == 120 * S);
}

static void retries_in_a_row_make_unhealthy(void **state)
{
    struct health health;
    (void)state;
    health_init(&health, &every_ten, 0);
    assert_false(probe(&health, 10, false));
    assert_false(probe(&health, 20, false));
    assert_true(probe(&health, 30, true)); /* the count begins again */
    assert_false(probe(&health, 40, false));
    assert_false(probe(&health, 50, false));
    assert_true(probe(&health, 60, false));
    assert_int_equal(health.status, HEALTH_UNHEALTHY);
    assert_true(probe(&health, 70, true));
    assert_int_equal(health.status, HEALTH_HEALTHY);
}

static void failures_of_the_start_period_do_not_count(void **state)
{
    struct health health;
    struct health_config config = every_ten;
    (void)state;
    config.start_period_ns = 20 * S;
    health_init(&health, &config, 0);
    for (uint64_t at_s = 2; at_s < 20; at_s += 2) /* at the start interval */
        assert_false(probe(&health, at_s, false));
    assert_int_equal(health.failures, 0);
    assert_false(probe(&health, 20, false));
    assert_false(probe(&health, 30, false));
    assert_true(probe(&health, 40, false));
    assert_int_equal(health.status, HEALTH_UNHEALTHY);
}

static void no_check_is_never_due(void **state)
{
    struct health health;
    struct health_config off;
    (void)state;
    health_config_read(NULL, &off);
    health_init(&health, &off, 0);
    assert_int_equal(health.status, HEALTH_NONE);
    assert_false(health_is_due(&health, UINT64_MAX));
    assert_true(health_wake_ns(&health) == UINT64_MAX);
}

static char *document_of(char **test, size_t count, const char *const *image_test, size_t image_count)
{
    Docker__Swarmkit__V1__HealthConfig wish = DOCKER__SWARMKIT__V1__HEALTH_CONFIG__INIT;
    Google__Protobuf__Duration interval = GOOGLE__PROTOBUF__DURATION__INIT;
    const struct image_healthcheck image = {.test = {image_test, image_count}, .timeout_ns = 7 * (int64_t)S, .retries = 9};
    cleanup_json cJSON *json = NULL;
    interval.seconds = 2;
    wish.interval = &interval;
    wish.test = test;
    wish.n_test = count;
    assert_ok(health_document(&wish, &image, NULL, 0, &json, err));
    return json ? json_print(json) : NULL;
}

static void document_merges_service_and_image(void **state)
{
    char none[] = "NONE", shell[] = "CMD-SHELL", line[] = "curl x || exit 1";
    char *off[] = {none}, *by_shell[] = {shell, line};
    const char *const image[] = {"CMD", "probe"};
    (void)state;
    cleanup_free char *merged = document_of(NULL, 0, image, 2), *own = document_of(by_shell, 2, image, 2);
    assert_string_equal(merged, "{\"Test\":[\"CMD\",\"probe\"],\"Command\":[\"probe\"],\"Interval\":2000000000,\"Timeout\":7000000000,"
                                "\"StartPeriod\":0,\"StartInterval\":5000000000,\"Retries\":9}");
    assert_non_null(strstr(own, "\"Command\":[\"/bin/sh\",\"-c\",\"curl x || exit 1\"]"));
    assert_null(document_of(off, 1, image, 2));
}

static void strange_checks_are_refused(void **state)
{
    Docker__Swarmkit__V1__HealthConfig wish = DOCKER__SWARMKIT__V1__HEALTH_CONFIG__INIT;
    Google__Protobuf__Duration timeout = GOOGLE__PROTOBUF__DURATION__INIT;
    char cmd[] = "CMD", odd[] = "EVERY", word[] = "x";
    char *test[] = {odd, word};
    cJSON *json = NULL;
    (void)state;
    wish.test = test;
    wish.n_test = 2;
    assert_fails(health_document(&wish, NULL, NULL, 0, &json, err), ERR_INVALID, "unknown type \"EVERY\"");
    test[0] = cmd;
    wish.n_test = 1;
    assert_fails(health_document(&wish, NULL, NULL, 0, &json, err), ERR_INVALID, "needs a command");
    wish.n_test = 2;
    timeout.nanos = 10;
    wish.timeout = &timeout;
    assert_fails(health_document(&wish, NULL, NULL, 0, &json, err), ERR_INVALID, "timeout cannot be less than 1ms");
    timeout.seconds = -1;
    assert_fails(health_document(&wish, NULL, NULL, 0, &json, err), ERR_INVALID, "timeout cannot be negative");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_probe_comes_after_one_interval),      cmocka_unit_test(retries_in_a_row_make_unhealthy),
        cmocka_unit_test(failures_of_the_start_period_do_not_count), cmocka_unit_test(no_check_is_never_due),
        cmocka_unit_test(document_merges_service_and_image),         cmocka_unit_test(strange_checks_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
