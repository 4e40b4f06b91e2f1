/* tests/unit/daemon/test_config.c */
#include "daemon/config.h"

#include "api/socket.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/unit/test.h"

#define READ(config, ...)                                                                                                                  \
    config_read((int)(sizeof((const char *[]){"skepd", __VA_ARGS__}) / sizeof(char *)),                                                    \
                (char **)(uintptr_t)(const char *[]){"skepd", __VA_ARGS__, NULL}, (config), err)

static void flags_come_in_both_forms_and_lists_add_up(void **state)
{
    (void)state;
    struct config config;
    assert_ok(READ(&config, "--state-dir=/a", "--run-dir", "/b", "--label", "x=1", "--label=y=2", "-H", TEST_API_PIPES "s",
                   "--clock-offset", "2h"));
    assert_string_equal(config.state_dir, "/a");
    assert_string_equal(config.run_dir, "/b");
    assert_int_equal(config.labels.count, 2);
    assert_string_equal(config.labels.values[1], "y=2");
    assert_string_equal(config.hosts.values[0], TEST_API_PIPES "s");
    assert_true(config.clock_offset == 7200000000000);
    config_deinit(&config);
}

static void without_flags_the_hosts_defaults_hold(void **state)
{
    (void)state;
    struct config config;
    assert_ok(READ(&config, "--log-level", "debug"));
    assert_string_equal(config.state_dir, config_defaults()->state_dir);
    assert_null(config.group); /* nobody asked for one: the default's need not be there */
    assert_int_equal(config.hosts.count, 1);
    assert_string_equal(config.hosts.values[0], socket_default_address);
    assert_int_equal(config_log_level(&config), LOG_DEBUG);
    assert_int_equal(config_log_format(&config), LOG_TEXT);
    config_deinit(&config);
}

static void changes_that_need_a_restart_are_named(void **state)
{
    (void)state;
    struct config before, after;
    assert_ok(READ(&before, "--label", "x=1", "--bridge", "b0"));
    assert_ok(READ(&after, "--label", "x=2", "--log-level", "debug", "--bridge", "b0"));
    assert_null(config_fixed_changes(&before, &after));
    config_deinit(&after);
    assert_ok(READ(&after, "--bridge", "b1", "--insecure-registry", "r:1", "--image-gc-interval", "2h"));
    cleanup_free char *names = config_fixed_changes(&before, &after);
    assert_string_equal(names, "--bridge, --insecure-registry, --image-gc-interval");
    config_deinit(&after);
    config_deinit(&before);
}

static void metrics_are_told_nowhere_unless_asked(void **state)
{
    (void)state;
    struct config config;
    assert_ok(READ(&config, "--log-level", "info"));
    assert_null(config.metrics_addr);
    config_deinit(&config);
    assert_ok(READ(&config, "--metrics-addr", "127.0.0.1:9323"));
    assert_string_equal(config.metrics_addr, "127.0.0.1:9323");
    config_deinit(&config);
}

static void check_refused(const char *flag, const char *value, const char *want)
{
    struct config config;
    assert_fails(READ(&config, flag, value), ERR_INVALID, want);
    config_deinit(&config);
}

static void what_cannot_be_is_refused_by_name(void **state)
{
    (void)state;
    check_refused("--stat-dir", "/x", "--stat-dir: no such flag");
    check_refused("extra", "x", "extra: skepd takes flags only");
    check_refused("--label", "novalue", "--label novalue: write KEY=VALUE");
    check_refused("--runtime", "hcs", "--runtime hcs: must be one of auto|emulated");
    check_refused("--runtime", "", "must be one of");
    check_refused("--emulated-host", "os=linux", "--emulated-host: only with --runtime emulated");
    check_refused("--host", "tcp://0.0.0.0:2375", "tcp://0.0.0.0:2375: only ");
    check_refused("--image-gc-interval", "-1h", "must not be negative");
    check_refused("--metrics-addr", "127.0.0.1", "--metrics-addr: not an address: 127.0.0.1: the port is missing");
    check_refused("--clock-offset", "later", "--clock-offset: not a duration: later");
    check_refused("--run-dir", config_defaults()->state_dir, "the same directory");
    check_refused("--log-format=json", "--bridge", "--bridge: its value NAME is missing");
    struct config config;
    assert_fails(READ(&config, "--config", "/nonexistent.json"), ERR_NOT_FOUND, "/nonexistent.json");
    config_deinit(&config);
}

static void an_emulated_host_says_what_tasks_get(void **state)
{
    (void)state;
    struct config config;
    assert_ok(READ(&config, "--runtime", "emulated", "--emulated-host", "os=windows,build=22631,product=client"));
    assert_string_equal(config.default_isolation, "hyperv");
    config_deinit(&config);
    assert_ok(READ(&config, "--runtime=emulated", "--emulated-host=os=windows,build=22631,product=client", "--default-isolation=process"));
    assert_string_equal(config.default_isolation, "process");
    config_deinit(&config);
    assert_ok(READ(&config, "--runtime", "emulated"));
    assert_string_equal(config.default_isolation, "process");
    config_deinit(&config);
    assert_fails(READ(&config, "--runtime", "emulated", "--emulated-host", "os=windows"), ERR_INVALID,
                 "--emulated-host: os=windows needs its build");
    config_deinit(&config);
}

static void check_file(const char *content, int want_code, const char *want)
{
    char path[] = "/tmp/skep-test-config.json";
    assert_ok(file_write(path, bytes_of_string(content), 0600, err));
    struct config config;
    if (want_code == 0) {
        assert_ok(READ(&config, "--config", path, "--bridge", "flag0"));
        assert_string_equal(config.bridge, "flag0");
        assert_string_equal(config.cgroup_parent, "file");
        assert_int_equal(config.labels.count, 2);
    } else {
        assert_fails(READ(&config, "--config", path), want_code, want);
    }
    config_deinit(&config);
    file_remove(path, NULL);
}

static void a_file_has_the_flags_names_and_flags_win(void **state)
{
    (void)state;
    check_file("{\"bridge\":\"file0\",\"cgroup-parent\":\"file\",\"label\":[\"a=1\",\"b=2\"]}", 0, NULL);
    check_file("{\"bridges\":\"x\"}", ERR_INVALID, "\"bridges\": no such option");
    check_file("{\"bridge\":7}", ERR_INVALID, "\"bridge\": must be a string");
    check_file("{\"label\":[1]}", ERR_INVALID, "\"label\": must be a list of strings");
    check_file("[]", ERR_INVALID, "one JSON object");
    check_file("{", ERR_INVALID, "not JSON");
    check_file("{\"runtime\":\"x\"}", ERR_INVALID, "must be one of");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_come_in_both_forms_and_lists_add_up), cmocka_unit_test(without_flags_the_hosts_defaults_hold),
        cmocka_unit_test(changes_that_need_a_restart_are_named),     cmocka_unit_test(what_cannot_be_is_refused_by_name),
        cmocka_unit_test(a_file_has_the_flags_names_and_flags_win),  cmocka_unit_test(metrics_are_told_nowhere_unless_asked),
        cmocka_unit_test(an_emulated_host_says_what_tasks_get),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
