/* tests/unit/runtime/linux/test_record.c */
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "runtime/linux/linux.h"
#include "tests/unit/test.h"

static char dir[] = "/tmp/skep-record-XXXXXX";
static struct linux_host host = {.boot_id = "boot-1"};

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return file_remove_tree(dir, NULL);
}

static struct linux_system system_in_dir(void)
{
    return (struct linux_system){.host = &host, .dir = dir, .stop_fd = -1};
}

static void what_is_written_is_read_back_to_the_last_digit(void **state)
{
    struct linux_system written = system_in_dir(), read = system_in_dir();
    struct linux_run run = {{4242, UINT64_C(4503599627370497)}, {4243, 17}, {.ip = "10.1.0.2", .gateway = "10.1.0.1", .prefix_bits = 24}};
    enum linux_phase phase = LINUX_CREATED;
    bool is_of_this_boot = false;
    char why[] = "why";

    (void)state;
    written.base.created_wall_ns = INT64_C(1795479665534415921);
    written.outcome.started_wall_ns = INT64_C(1795479665534415922);
    written.outcome.exit_code = 137;
    written.outcome.is_oom_killed = true;
    written.outcome.error = why;
    run.endpoint.netns_path = dir;
    run.endpoint.ports[0] = (struct network_port){true, 53, 30053};
    run.endpoint.port_count = 1;
    assert_ok(linux_record_write(&written, LINUX_LAUNCHED, &run, &written.outcome, err));
    assert_ok(linux_record_read(&read, &phase, &is_of_this_boot, err));
    assert_int_equal(phase, LINUX_LAUNCHED);
    assert_true(is_of_this_boot);
    assert_true(read.base.created_wall_ns == written.base.created_wall_ns &&
                read.outcome.started_wall_ns == written.outcome.started_wall_ns);
    assert_int_equal(read.outcome.exit_code, 137);
    assert_true(read.outcome.is_oom_killed);
    assert_string_equal(read.outcome.error, "why");
    assert_int_equal(read.run.init.pid, 4242);
    assert_true(read.run.init.start_ticks == run.init.start_ticks);
    assert_int_equal(read.run.conmon.pid, 4243);
    assert_string_equal(read.run.endpoint.ip, "10.1.0.2");
    assert_int_equal(read.run.endpoint.port_count, 1);
    assert_true(read.run.endpoint.ports[0].is_udp);
    assert_int_equal(read.run.endpoint.ports[0].published_port, 30053);
    free(read.outcome.error);
    network_endpoint_deinit(&read.run.endpoint);
}

static void another_boot_is_noticed(void **state)
{
    struct linux_system system = system_in_dir();
    enum linux_phase phase = LINUX_CREATED;
    bool is_of_this_boot = true;

    (void)state;
    assert_ok(linux_record_write(&system, LINUX_RUNNING, NULL, &system.outcome, err));
    snprintf(host.boot_id, sizeof host.boot_id, "boot-2");
    assert_ok(linux_record_read(&system, &phase, &is_of_this_boot, err));
    assert_false(is_of_this_boot);
    snprintf(host.boot_id, sizeof host.boot_id, "boot-1");
}

static void a_record_that_is_none_is_an_error(void **state)
{
    struct linux_system system = system_in_dir();
    cleanup_free char *path = mem_format("%s/state.json", dir);
    enum linux_phase phase = LINUX_CREATED;
    bool is_of_this_boot;

    (void)state;
    assert_ok(file_write_volatile(path, bytes_of_string("{\"Phase\":"), 0600, err));
    assert_fails(linux_record_read(&system, &phase, &is_of_this_boot, err), ERR_INVALID, "state.json");
    assert_ok(file_remove(path, err));
    assert_fails(linux_record_read(&system, &phase, &is_of_this_boot, err), ERR_NOT_FOUND, "state.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back_to_the_last_digit),
        cmocka_unit_test(another_boot_is_noticed),
        cmocka_unit_test(a_record_that_is_none_is_an_error),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
