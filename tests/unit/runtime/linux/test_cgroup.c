/* tests/unit/runtime/linux/test_cgroup.c */
#include "runtime/linux/cgroup.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/unit/test.h"

static char root[] = "/tmp/skep-cgroup-XXXXXX";

static void put(const char *file, const char *text)
{
    cleanup_free char *path = mem_format("%s/%s", root, file), *dir = mem_string(path);

    *strrchr(dir, '/') = '\0';
    assert_ok(file_make_dirs(dir, 0755, err));
    assert_ok(file_write_volatile(path, bytes_of_string(text), 0644, err));
}

static void check_file(const char *file, const char *want)
{
    cleanup_free char *path = mem_format("%s/%s", root, file);
    cleanup_buf struct buf text = {0};

    assert_ok(file_read(path, 4096, &text, err));
    assert_int_equal(text.size, strlen(want));
    assert_memory_equal(text.data, want, text.size);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(root))
        return -1;
    cgroup_use_root(root);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cgroup_use_root("/sys/fs/cgroup");
    return file_remove_tree(root, NULL);
}

static void version_2_is_read(void **state)
{
    cleanup_arena struct arena arena = {0};
    struct hcs_statistics s = {0};

    (void)state;
    put("p/a/cpu.stat", "usage_usec 2000\nuser_usec 1500\nsystem_usec 500\nnr_periods 7\nnr_throttled 3\nthrottled_usec 90\n");
    put("p/a/memory.current", "4096\n");
    put("p/a/memory.peak", "8192\n");
    put("p/a/memory.max", "max\n");
    put("p/a/memory.stat", "anon 100\ninactive_file 200\n\nbroken\n");
    put("p/a/memory.events", "low 0\noom 2\noom_kill 1\n");
    put("p/a/io.stat", "8:0 rbytes=10 wbytes=20 rios=1 wios=2\n8:16 rbytes=5 wbytes=6 rios=1 wios=2\n");
    put("p/a/pids.current", "4\n");
    put("p/a/pids.max", "64\n");
    cgroup_statistics(true, "/p/a", &arena, &s);
    assert_true(s.cpu_total_ns == 2000000 && s.cpu_user_ns == 1500000 && s.cpu_kernel_ns == 500000);
    assert_true(s.periods == 7 && s.throttled_periods == 3 && s.throttled_ns == 90000);
    assert_true(s.memory_usage_bytes == 4096 && s.memory_peak_bytes == 8192 && s.memory_limit_bytes == 0);
    assert_true(s.read_bytes == 15 && s.write_bytes == 26);
    assert_true(s.pids == 4 && s.pids_limit == 64);
    assert_int_equal(s.memory_count, 2);
    assert_string_equal(s.memory[1].name, "inactive_file");
    assert_true(s.memory[1].value == 200);
    assert_true(cgroup_was_oom_killed(true, "/p/a"));
}

static void version_1_is_read(void **state)
{
    cleanup_arena struct arena arena = {0};
    struct hcs_statistics s = {0};

    (void)state;
    put("cpuacct/p/b/cpuacct.usage", "3000\n");
    put("cpuacct/p/b/cpuacct.usage_user", "2000\n");
    put("cpuacct/p/b/cpuacct.usage_sys", "1000\n");
    put("cpu/p/b/cpu.stat", "nr_periods 1\nnr_throttled 2\nthrottled_time 3\n");
    put("memory/p/b/memory.usage_in_bytes", "10\n");
    put("memory/p/b/memory.max_usage_in_bytes", "20\n");
    put("memory/p/b/memory.limit_in_bytes", "9223372036854771712\n");
    put("memory/p/b/memory.stat", "cache 1\n");
    put("memory/p/b/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n");
    put("blkio/p/b/blkio.throttle.io_service_bytes", "8:0 Read 7\n8:0 Write 8\n8:0 Total 15\nTotal 15\n");
    put("pids/p/b/pids.current", "1\n");
    put("pids/p/b/pids.max", "max\n");
    cgroup_statistics(false, "/p/b", &arena, &s);
    assert_true(s.cpu_total_ns == 3000 && s.cpu_user_ns == 2000 && s.cpu_kernel_ns == 1000);
    assert_true(s.periods == 1 && s.throttled_periods == 2 && s.throttled_ns == 3);
    assert_true(s.memory_usage_bytes == 10 && s.memory_peak_bytes == 20 && s.memory_limit_bytes == 0);
    assert_true(s.read_bytes == 7 && s.write_bytes == 8);
    assert_true(s.pids == 1 && s.pids_limit == 0);
    assert_false(cgroup_was_oom_killed(false, "/p/b"));
}

static void what_is_not_there_is_nothing(void **state)
{
    for (int v2 = 0; v2 < 2; v2++) {
        cleanup_arena struct arena arena = {0};
        struct hcs_statistics s = {0};
        (void)state;
        cgroup_statistics(v2, "/gone", &arena, &s);
        assert_true(s.cpu_total_ns == 0 && s.memory_usage_bytes == 0 && s.pids == 0 && s.memory_count == 0);
        assert_false(cgroup_was_oom_killed(v2, "/gone"));
        cgroup_kill(v2, "/gone");
        cgroup_remove(v2, "/gone");
    }
    assert_false(cgroup_is_v2()); /* a plain directory */
    assert_false(cgroup_has_swap_limit(false));
    assert_true(cgroup_has_swap_limit(true));
    put("memory/memory.memsw.limit_in_bytes", "1\n");
    assert_true(cgroup_has_swap_limit(false));
}

static void thawing_writes_each_versions_word(void **state)
{
    (void)state;
    put("p/c/cgroup.freeze", "1");
    put("freezer/p/c/freezer.state", "FROZEN");
    cgroup_thaw(true, "/p/c");
    cgroup_thaw(false, "/p/c");
    check_file("p/c/cgroup.freeze", "0");
    check_file("freezer/p/c/freezer.state", "THAWED");
}

static void all_that_are_listed_are_killed(void **state)
{
    for (int v2 = 0; v2 < 2; v2++) {
        cleanup_free char *list = NULL;
        int status = 0;
        pid_t pid = fork();
        (void)state;
        if (pid == 0)
            for (;;)
                pause();
        list = mem_format("0\n%d\n", (int)pid); /* 0: somebody outside of our namespace */
        put(v2 ? "p/d/cgroup.procs" : "pids/p/d/cgroup.procs", list);
        cgroup_kill(v2, "/p/d");
        waitpid(pid, &status, 0);
        assert_int_equal(WTERMSIG(status), SIGKILL);
    }
}

static void interfaces_are_counted_without_the_loopback(void **state)
{
    cleanup_arena struct arena arena = {0};
    struct hcs_statistics s = {0};

    (void)state;
    cgroup_read_networks("Inter-|   Receive                          |  Transmit\n"
                         " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier\n"
                         "    lo:     9       9    9    9    0     0          0         0       9       9    9    9    0     0       0\n"
                         "  eth0:     1       2    3    4    0     0          0         0       5       6    7    8    0     0       0\n"
                         "eth1:7\n",
                         &arena, &s);
    assert_int_equal(s.network_count, 2);
    assert_string_equal(s.networks[0].name, "eth0");
    assert_true(s.networks[0].rx_bytes == 1 && s.networks[0].rx_packets == 2 && s.networks[0].rx_errors == 3 &&
                s.networks[0].rx_dropped == 4);
    assert_true(s.networks[0].tx_bytes == 5 && s.networks[0].tx_packets == 6 && s.networks[0].tx_errors == 7 &&
                s.networks[0].tx_dropped == 8);
    assert_true(s.networks[1].rx_bytes == 7 && s.networks[1].tx_bytes == 0);
}

static void the_host_is_left_alone_while_crun_does_not_complain(void **state)
{
    (void)state;
    put("unified/cgroup.controllers", "skepnone\n");
    assert_false(cgroup_settle_hybrid("crun: something else"));
    assert_false(file_exists("/sys/fs/cgroup/skepnone"));
    assert_false(cgroup_settle_hybrid("cgroups in hybrid mode not supported")); /* no such controller: nothing to try again for */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_2_is_read),
        cmocka_unit_test(version_1_is_read),
        cmocka_unit_test(what_is_not_there_is_nothing),
        cmocka_unit_test(thawing_writes_each_versions_word),
        cmocka_unit_test(all_that_are_listed_are_killed),
        cmocka_unit_test(interfaces_are_counted_without_the_loopback),
        cmocka_unit_test(the_host_is_left_alone_while_crun_does_not_complain),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
