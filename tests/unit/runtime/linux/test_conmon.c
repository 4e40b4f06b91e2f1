/* tests/unit/runtime/linux/test_conmon.c */
#include "runtime/linux/conmon.h"

#include "base/mem.h"
#include "tests/unit/test.h"

/* All arguments, parted by spaces. */
static void join(const struct linux_system *system, struct buf *out)
{
    cleanup_arena struct arena arena = {0};

    for (const char *const *argument = conmon_arguments(system, "/usr/bin/crun", &arena); *argument; argument++)
        buf_append_format(out, "%s ", *argument);
    buf_append(out, "", 1);
}

static void conmon_is_told_where_everything_lies(void **state)
{
    struct linux_host host = {.conmon_path = (char[]){"conmon"}, .crun_root = (char[]){"/run/s/crun"}};
    struct linux_system system = {.host = &host,
                                  .id = (char[]){"c1"},
                                  .run_dir = (char[]){"/run/s/containers/c1"},
                                  .log_path = (char[]){"/var/s/c1/output.log"},
                                  .document.log.is_kept = true};
    cleanup_buf struct buf kept = {0}, other = {0};

    (void)state;
    join(&system, &kept);
    assert_string_equal((const char *)kept.data,
                        "conmon --api-version 1 --full-attach --no-sync-log --no-new-keyring -c c1 -u c1 -r /usr/bin/crun "
                        "-b /run/s/containers/c1/bundle -p /run/s/containers/c1/pid -P /run/s/containers/c1/conmon.pid "
                        "--exit-dir /run/s/containers/c1/exit -l k8s-file:/var/s/c1/output.log --runtime-arg --root=/run/s/crun "
                        "--runtime-arg --cgroup-manager=cgroupfs ");
    system.document.log.is_kept = false;
    system.document.process.has_tty = system.document.process.has_stdin = true;
    join(&system, &other);
    assert_non_null(strstr((const char *)other.data, " -l none: "));
    assert_non_null(strstr((const char *)other.data, " -t -i "));
}

static void its_answer_is_a_pid_or_cruns_own_words(void **state)
{
    pid_t pid = 0;

    (void)state;
    assert_ok(conmon_read_answer(bytes_of_string("{\"data\": 4242}\n"), &pid, err));
    assert_int_equal(pid, 4242);
    assert_fails(conmon_read_answer(bytes_of_string("{\"data\":-1,\"message\":\"no such thing\\n\\n\"}"), &pid, err), ERR_PEER,
                 "no such thing");
    assert_fails(conmon_read_answer(bytes_of_string("{\"data\":-1}"), &pid, err), ERR_PEER, "no message");
    assert_fails(conmon_read_answer(bytes_of_string("{\"data\":99999999999}"), &pid, err), ERR_PEER, "no message");
    assert_fails(conmon_read_answer(bytes_of_string("[conmon:e]: oops"), &pid, err), ERR_INVALID, "conmon's answer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conmon_is_told_where_everything_lies),
        cmocka_unit_test(its_answer_is_a_pid_or_cruns_own_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
