/* tests/unit/runtime/windows/test_answers.c */
#include "runtime/windows/answers.h"

#include "base/cleanup.h"
#include "tests/unit/test.h"

static void statistics_are_in_our_units(void **state)
{
    cleanup_arena struct arena arena = {0};
    struct windows_answer answer;

    (void)state;
    assert_ok(windows_read_properties(
        "{\"Id\":\"c1\",\"Owner\":\"skep\",\"SystemType\":\"Container\",\"State\":\"Running\",\"RuntimeId\":\"r\",\"Statistics\":{"
        "\"Processor\":{\"TotalRuntime100ns\":30,\"RuntimeUser100ns\":20,\"RuntimeKernel100ns\":10},"
        "\"Memory\":{\"MemoryUsageCommitBytes\":4096,\"MemoryUsageCommitPeakBytes\":8192,\"MemoryUsagePrivateWorkingSetBytes\":1024},"
        "\"Storage\":{\"ReadSizeBytes\":5,\"WriteSizeBytes\":6},"
        "\"Network\":[{\"EndpointId\":\"e\",\"BytesReceived\":1,\"BytesSent\":2,\"DroppedPacketsIncoming\":3}]},"
        "\"ProcessList\":[{\"ProcessId\":1},{\"ProcessId\":2}]}",
        &arena, &answer, err));
    assert_string_equal(answer.id, "c1");
    assert_int_equal(answer.state, WINDOWS_RUNNING);
    assert_true(answer.has_statistics);
    assert_int_equal(answer.statistics.cpu_total_ns, 3000);
    assert_int_equal(answer.statistics.cpu_kernel_ns, 1000);
    assert_int_equal(answer.statistics.memory_usage_bytes, 4096);
    assert_int_equal(answer.statistics.memory_peak_bytes, 8192);
    assert_int_equal(answer.statistics.memory[1].value, 1024);
    assert_int_equal(answer.statistics.write_bytes, 6);
    assert_int_equal(answer.statistics.network_count, 1);
    assert_int_equal(answer.statistics.networks[0].rx_dropped, 3);
    assert_int_equal(answer.statistics.pids, 2);
}

static void what_is_missing_is_not_known(void **state)
{
    cleanup_arena struct arena arena = {0};
    struct windows_answer answer, *all;
    size_t count;

    (void)state;
    assert_ok(windows_read_properties("{}", &arena, &answer, err));
    assert_string_equal(answer.id, "");
    assert_int_equal(answer.state, WINDOWS_UNKNOWN);
    assert_false(answer.has_statistics);
    assert_ok(windows_read_properties("{\"Stopped\":true}", &arena, &answer, err));
    assert_int_equal(answer.state, WINDOWS_STOPPED);
    assert_fails(windows_read_properties("[]", &arena, &answer, err), ERR_PEER, "no JSON object");
    assert_fails(windows_read_properties(NULL, &arena, &answer, err), ERR_PEER, "no JSON");
    assert_ok(windows_read_systems("", &arena, &all, &count, err));
    assert_int_equal(count, 0);
    assert_ok(windows_read_systems("[{\"Id\":\"a\"},7,{\"Id\":\"b\",\"State\":\"Paused\"}]", &arena, &all, &count, err));
    assert_int_equal(count, 2);
    assert_int_equal(all[1].state, WINDOWS_PAUSED);
}

static void an_exit_code_counts_only_where_hcs_vouches_for_it(void **state)
{
    struct windows_process_status s;

    (void)state;
    s = windows_read_process_status("{\"ProcessId\":7,\"Exited\":true,\"ExitCode\":3221225786,\"LastWaitResult\":0}");
    assert_true(s.has_exited);
    assert_true(s.exit_code == 0xC000013A);
    s = windows_read_process_status("{\"ProcessId\":7,\"Exited\":true,\"ExitCode\":-1073741510,\"LastWaitResult\":0}");
    assert_true(s.exit_code == 0xC000013A); /* the same, signed */
    s = windows_read_process_status("{\"ProcessId\":7,\"Exited\":true,\"ExitCode\":1e300,\"LastWaitResult\":0}");
    assert_true(s.exit_code == -1);
    s = windows_read_process_status("{\"ProcessId\":7,\"Exited\":true,\"ExitCode\":0,\"LastWaitResult\":-1}");
    assert_true(s.has_exited);
    assert_true(s.exit_code == -1);
    s = windows_read_process_status("{\"ProcessId\":7,\"Exited\":false}");
    assert_false(s.has_exited);
    assert_false(windows_read_process_status(NULL).has_exited);
    assert_false(windows_read_process_status("x").has_exited);
}

static void only_an_exit_against_its_will_is_told(void **state)
{
    cleanup_free char *graceful = windows_read_exit("{\"Status\":0,\"ExitType\":\"GracefulExit\"}", "ended");
    cleanup_free char *crash = windows_read_exit("{\"Status\":-1070137082,\"ExitType\":\"UnexpectedExit\"}", "ended");
    cleanup_free char *killed = windows_read_exit("{\"Status\":-2143878905,\"ExitType\":\"ForcedExit\"}", "ended");

    (void)state;
    assert_null(graceful);
    assert_null(killed);
    assert_non_null(crash);
    assert_non_null(strstr(crash, "HCS_E_UNEXPECTED_EXIT"));
}

static void guards_are_listed_where_there_are_any(void **state)
{
    static const char *const none[] = {
        "", "[]", "{}", "{\"Properties\":[]}", "{\"Properties\":[{\"Instances\":{}}]}", "{\"Properties\":[1]}"};
    cleanup_json cJSON *guards = windows_read_guards("{\"Properties\":[{\"Instances\":[{\"Id\":\"skep_a\"},{\"Id\":\"b\"}]}]}");

    (void)state;
    assert_int_equal(cJSON_GetArraySize(guards), 2);
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_null(windows_read_guards(none[i]));
    assert_null(windows_read_guards(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_are_in_our_units),
        cmocka_unit_test(what_is_missing_is_not_known),
        cmocka_unit_test(an_exit_code_counts_only_where_hcs_vouches_for_it),
        cmocka_unit_test(only_an_exit_against_its_will_is_told),
        cmocka_unit_test(guards_are_listed_where_there_are_any),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
