/* tests/unit/manager/ca/test_config.c */
#include "manager/ca/config.h"

#include "tests/unit/manager/ca/world.h"

typedef Docker__Swarmkit__V1__CAConfig config_message;

static config_message *config_for(int64_t seconds, int32_t nanos)
{
    config_message *config = ca_config_new();
    config->node_cert_expiry->seconds = seconds;
    config->node_cert_expiry->nanos = nanos;
    return config;
}

static void expiry_is_ninety_days_unless_something_sensible_is_said(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        int32_t nanos;
        int64_t want_ns;
    } cases[] = {
        {7776000, 0, 90 * DAY_NS},
        {3600, 0, HOUR_NS},
        {3599, 999999999, 90 * DAY_NS},
        {0, 0, 90 * DAY_NS},
        {-7200, 0, 90 * DAY_NS},
        {3600, 500, HOUR_NS + 500},
        {7200, -1, 90 * DAY_NS},
        {INT64_MAX, 0, 90 * DAY_NS},
        {9223372035, 0, 9223372035000000000},
        {3600, 1000000000, 90 * DAY_NS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        config_message *config = config_for(cases[i].seconds, cases[i].nanos);
        assert_true(ca_config_expiry_ns(config) == cases[i].want_ns);
        message_free(&config->base);
    }
    config_message none = DOCKER__SWARMKIT__V1__CACONFIG__INIT;
    assert_true(ca_config_expiry_ns(&none) == 90 * DAY_NS);
    assert_true(ca_config_expiry_ns(NULL) == 90 * DAY_NS);
}

static void spec_with_an_impossible_expiry_is_refused(void **state)
{
    (void)state;
    config_message *least = config_for(3600, 0), *less = config_for(3599, 999999999), *odd = config_for(4000, -1);
    assert_ok(ca_config_check(least, err));
    assert_ok(ca_config_check(NULL, err));
    assert_fails(ca_config_check(less, err), ERR_INVALID, "minimum certificate expiry time is: 1h0m0s");
    assert_fails(ca_config_check(odd, err), ERR_INVALID, "invalid argument");
    message_free(&least->base);
    message_free(&less->base);
    message_free(&odd->base);
}

static void add_external(config_message *config, const char *url, struct bytes cert_pem)
{
    Docker__Swarmkit__V1__ExternalCA *external = MESSAGE_NEW(Docker__Swarmkit__V1__ExternalCA, docker__swarmkit__v1__external_ca);
    message_set_string(&external->url, url);
    message_set_bytes(&external->ca_cert, cert_pem);
    config->external_cas = mem_resize(config->external_cas, (config->n_external_cas + 1) * sizeof(Docker__Swarmkit__V1__ExternalCA *));
    config->external_cas[config->n_external_cas++] = external;
}

static void external_cas_are_those_of_the_wanted_root(void **state)
{
    (void)state;
    cleanup_buf struct buf one = {0}, two = {0}, untidy = {0};
    fixture(&one, "root-1.crt");
    fixture(&two, "root-2.crt");
    buf_append_string(&untidy, "\n\n");
    buf_append(&untidy, two.data, two.size - 1);
    config_message *config = ca_config_new();
    const char *urls[4] = {0};
    add_external(config, "https://a", bytes_of(NULL, 0)); /* of the present root */
    add_external(config, "https://b", buf_bytes(&untidy));
    add_external(config, "https://c", buf_bytes(&one));
    add_external(config, "https://d", buf_bytes(&two));
    add_external(config, "https://e", bytes_of_string("no certificate"));
    config->external_cas[3]->protocol = (Docker__Swarmkit__V1__ExternalCA__CAProtocol)9;
    assert_int_equal(ca_config_external_urls(config, buf_bytes(&one), buf_bytes(&one), urls, 4), 2);
    assert_string_equal(urls[0], "https://a");
    assert_string_equal(urls[1], "https://c");
    assert_int_equal(ca_config_external_urls(config, buf_bytes(&two), buf_bytes(&one), urls, 4), 1);
    assert_string_equal(urls[0], "https://b");
    assert_int_equal(ca_config_external_urls(config, buf_bytes(&one), buf_bytes(&one), urls, 1), 1);
    assert_int_equal(ca_config_external_urls(NULL, buf_bytes(&one), buf_bytes(&one), urls, 4), 0);
    message_free(&config->base);
}

static void external_cas_have_limits(void **state)
{
    (void)state;
    config_message *config = ca_config_new();
    for (int i = 0; i < CA_EXTERNAL_COUNT; i++)
        add_external(config, "https://a", bytes_of(NULL, 0));
    assert_ok(ca_config_check(config, err));
    add_external(config, "https://a", bytes_of(NULL, 0));
    assert_fails(ca_config_check(config, err), ERR_INVALID, "more than 64");
    message_free(&config->base);
    char url[CA_EXTERNAL_URL_SIZE_CHARS + 2];
    memset(url, 'u', sizeof url - 1);
    url[sizeof url - 1] = '\0';
    config = ca_config_new();
    add_external(config, url, bytes_of(NULL, 0));
    assert_fails(ca_config_check(config, err), ERR_INVALID, "longer than");
    message_free(&config->base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expiry_is_ninety_days_unless_something_sensible_is_said),
        cmocka_unit_test(spec_with_an_impossible_expiry_is_refused),
        cmocka_unit_test(external_cas_are_those_of_the_wanted_root),
        cmocka_unit_test(external_cas_have_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
