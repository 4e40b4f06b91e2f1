/* tests/unit/runtime/linux/test_seccomp.c */
#include "runtime/linux/seccomp.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "tests/unit/test.h"

#define CAP(name) (UINT64_C(1) << CAPABILITY_##name)

/* As crun reads it. */
static cJSON *read_back(capability_set capabilities)
{
    cleanup_json cJSON *made = seccomp_profile(capabilities);
    cleanup_free char *text = json_print(made);
    cJSON *json = NULL;

    assert_ok(json_parse(bytes_of_string(text), MIB, &json, err));
    return json;
}

/* The rule that decides about @call without looking at arguments; NULL: the default does. */
static const cJSON *rule_of(const cJSON *profile, const char *call, bool has_arguments)
{
    const cJSON *rule, *name;

    cJSON_ArrayForEach (rule, json_array(profile, "syscalls"))
        cJSON_ArrayForEach (name, json_array(rule, "names"))
            if (strcmp(name->valuestring, call) == 0 && (json_array(rule, "args") != NULL) == has_arguments)
                return rule;
    return NULL;
}

static bool allows(const cJSON *profile, const char *call)
{
    return strcmp(json_string(rule_of(profile, call, false), "action", ""), "SCMP_ACT_ALLOW") == 0;
}

static void what_is_not_listed_fails_with_eperm(void **state)
{
    cleanup_json cJSON *profile = read_back(0);

    (void)state;
    assert_string_equal(json_string(profile, "defaultAction", ""), "SCMP_ACT_ERRNO");
    assert_int_equal(json_int(profile, "defaultErrnoRet", 0), 1);
    assert_true(cJSON_GetArraySize(json_array(profile, "architectures")) >= 1);
}

static void ordinary_programs_are_not_disturbed(void **state)
{
    static const char *const ordinary[] = {"read",    "openat",       "mmap",          "execve",    "futex",      "epoll_wait",
                                           "connect", "rt_sigaction", "clock_gettime", "getrandom", "exit_group", "wait4",
                                           "rseq",    "statx",        "sendfile",      "unlinkat"};
    cleanup_json cJSON *profile = read_back(0);

    (void)state;
    for (size_t i = 0; i < sizeof ordinary / sizeof ordinary[0]; i++)
        if (!allows(profile, ordinary[i]))
            fail_msg("%s is not allowed", ordinary[i]);
}

static void dangerous_calls_need_a_capability_or_are_never_there(void **state)
{
    static const struct {
        const char *call;
        capability_set needs; /* 0: none helps */
    } calls[] = {{"mount", CAP(SYS_ADMIN)},
                 {"umount2", CAP(SYS_ADMIN)},
                 {"setns", CAP(SYS_ADMIN)},
                 {"unshare", CAP(SYS_ADMIN)},
                 {"bpf", CAP(BPF)},
                 {"bpf", CAP(SYS_ADMIN)},
                 {"perf_event_open", CAP(PERFMON)},
                 {"init_module", CAP(SYS_MODULE)},
                 {"finit_module", CAP(SYS_MODULE)},
                 {"reboot", CAP(SYS_BOOT)},
                 {"chroot", CAP(SYS_CHROOT)},
                 {"open_by_handle_at", CAP(DAC_READ_SEARCH)},
                 {"settimeofday", CAP(SYS_TIME)},
                 {"iopl", CAP(SYS_RAWIO)},
                 {"syslog", CAP(SYSLOG)},
                 {"acct", CAP(SYS_PACCT)},
                 {"kexec_load", 0},
                 {"kexec_file_load", 0},
                 {"keyctl", 0},
                 {"add_key", 0},
                 {"request_key", 0},
                 {"userfaultfd", 0},
                 {"pivot_root", 0},
                 {"swapon", 0},
                 {"io_uring_setup", 0},
                 {"nfsservctl", 0}};
    cleanup_json cJSON *none = read_back(0), *all = read_back(UINT64_MAX);

    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        cleanup_json cJSON *with = read_back(calls[i].needs);
        if (allows(none, calls[i].call))
            fail_msg("%s is allowed to a process without capabilities", calls[i].call);
        if (calls[i].needs != 0 && !allows(with, calls[i].call))
            fail_msg("%s is not allowed with its capability", calls[i].call);
        if (calls[i].needs == 0 && allows(all, calls[i].call))
            fail_msg("%s is allowed with capabilities", calls[i].call);
    }
}

static void no_namespace_is_made_without_sys_admin(void **state)
{
    cleanup_json cJSON *plain = read_back(0), *admin = read_back(CAP(SYS_ADMIN));
    const cJSON *rule = rule_of(plain, "clone", true), *argument = cJSON_GetArrayItem(json_array(rule, "args"), 0);

    (void)state;
    assert_false(allows(plain, "clone"));
    assert_string_equal(json_string(argument, "op", ""), "SCMP_CMP_MASKED_EQ");
    assert_int_equal(json_int(argument, "value", 0), 0x7E020000);
    assert_int_equal(json_int(argument, "valueTwo", -1), 0);
    assert_string_equal(json_string(rule_of(plain, "clone3", false), "action", ""), "SCMP_ACT_ERRNO");
    assert_int_equal(json_int(rule_of(plain, "clone3", false), "errnoRet", 0), 38);
    assert_true(allows(admin, "clone"));
    assert_true(allows(admin, "clone3"));
}

static void sockets_do_not_reach_the_hypervisor(void **state)
{
    cleanup_json cJSON *profile = read_back(UINT64_MAX);
    const cJSON *argument = cJSON_GetArrayItem(json_array(rule_of(profile, "socket", true), "args"), 0);

    (void)state;
    assert_false(allows(profile, "socket"));
    assert_string_equal(json_string(argument, "op", ""), "SCMP_CMP_NE");
    assert_int_equal(json_int(argument, "value", 0), 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_listed_fails_with_eperm),
        cmocka_unit_test(ordinary_programs_are_not_disturbed),
        cmocka_unit_test(dangerous_calls_need_a_capability_or_are_never_there),
        cmocka_unit_test(no_namespace_is_made_without_sys_admin),
        cmocka_unit_test(sockets_do_not_reach_the_hypervisor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
