/* runtime/linux/seccomp.c – see seccomp.h.
 *
 * The calls are grouped by what they work on, so that a reader sees what a container may do. Names that a machine's libseccomp or
 * architecture does not have are passed over by crun. */
#include "runtime/linux/seccomp.h"

#include <string.h>

#include "base/json.h"
#include "base/state.h"

/* Names in one string, parted by spaces. */
struct call_group {
    const char *about, *calls;
    capability_set needs; /* any of these; 0: none */
};

#define CAP(name) BIT(CAPABILITY_##name)

static const struct call_group groups[] = {
    {"open files and what is in them",
     "close close_range copy_file_range creat dup dup2 dup3 fadvise64 fadvise64_64 fallocate fcntl fcntl64 fdatasync flock fsync ftruncate "
     "ftruncate64 io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ioctl lseek _llseek open openat "
     "openat2 pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readv sendfile sendfile64 splice sync "
     "sync_file_range sync_file_range2 arm_sync_file_range syncfs tee truncate truncate64 vmsplice write writev arm_fadvise64_64",
     0},
    {"names and attributes of files",
     "access chdir chmod chown chown32 faccessat faccessat2 fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fgetxattr flistxattr "
     "fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 futimesat getcwd getdents getdents64 getxattr lchown lchown32 "
     "lgetxattr link linkat listxattr llistxattr lremovexattr lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at "
     "newfstatat readlink readlinkat removexattr rename renameat renameat2 rmdir setxattr stat stat64 statfs statfs64 statx symlink "
     "symlinkat umask unlink unlinkat utime utimensat utimensat_time64 utimes",
     0},
    {"watching",
     "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 fanotify_mark "
     "inotify_add_watch inotify_init inotify_init1 inotify_rm_watch _newselect poll ppoll ppoll_time64 pselect6 pselect6_time64 select "
     "signalfd signalfd4",
     0},
    {"memory",
     "brk madvise membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2 mprotect mremap msync munlock munlockall "
     "munmap pkey_alloc pkey_free pkey_mprotect process_mrelease remap_file_pages map_shadow_stack set_mempolicy_home_node",
     0},
    {"processes and threads",
     "alarm arch_prctl capget capset execve execveat exit exit_group fork futex futex_requeue futex_time64 futex_wait futex_waitv "
     "futex_wake get_robust_list get_thread_area getcpu getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getpgid "
     "getpgrp getpid getppid getpriority getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid gettid getuid getuid32 "
     "ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset landlock_restrict_self pause pidfd_open pidfd_send_signal prctl "
     "prlimit64 restart_syscall rseq sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam "
     "sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam "
     "sched_setscheduler sched_yield seccomp set_robust_list set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 "
     "setgid setgid32 setgroups setgroups32 setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid "
     "setreuid32 setrlimit setsid setuid setuid32 tgkill tkill ugetrlimit vfork wait4 waitid waitpid modify_ldt",
     0},
    {"signals",
     "rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 "
     "rt_tgsigqueueinfo sigaltstack signal sigprocmask sigreturn",
     0},
    {"time",
     "adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep "
     "clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create timer_delete timer_getoverrun timer_gettime "
     "timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 "
     "times",
     0},
    {"network and messages between processes",
     "accept accept4 bind connect getpeername getsockname getsockopt ipc listen mq_getsetattr mq_notify mq_open mq_timedreceive "
     "mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd recv recvfrom recvmmsg "
     "recvmmsg_time64 recvmsg semctl semget semop semtimedop semtimedop_time64 send sendmmsg sendmsg sendto setsockopt shmat shmctl shmdt "
     "shmget shutdown socketcall socketpair",
     0},
    {"the machine", "getrandom sysinfo uname cachestat breakpoint cacheflush set_tls sync_file_range2 riscv_flush_icache riscv_hwprobe", 0},
    {"looking into other processes: allowed since Linux 4.8, where ptrace no longer goes around the filter",
     "process_vm_readv process_vm_writev ptrace", 0},
    {"mounts, namespaces, the host's name",
     "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount open_tree "
     "perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare",
     CAP(SYS_ADMIN)},
    {"files by handle", "open_by_handle_at", CAP(DAC_READ_SEARCH)},
    {"switching off", "reboot", CAP(SYS_BOOT)},
    {"another root", "chroot", CAP(SYS_CHROOT)},
    {"kernel modules", "delete_module finit_module init_module", CAP(SYS_MODULE)},
    {"accounting", "acct", CAP(SYS_PACCT)},
    {"other processes' inside", "kcmp pidfd_getfd process_madvise", CAP(SYS_PTRACE)},
    {"input and output ports", "ioperm iopl", CAP(SYS_RAWIO)},
    {"the clock", "clock_settime clock_settime64 settimeofday stime", CAP(SYS_TIME)},
    {"terminals", "vhangup", CAP(SYS_TTY_CONFIG)},
    {"where memory lies", "get_mempolicy mbind set_mempolicy", CAP(SYS_NICE)},
    {"the kernel's log", "syslog", CAP(SYSLOG)},
    {"tracing", "perf_event_open", CAP(PERFMON)},
    {"programs in the kernel", "bpf", CAP(BPF)},
};

enum {
    CLONE_NAMESPACE_FLAGS = 0x7E020000, /* NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET */
    SOCKET_FAMILY_VSOCK = 40,           /* leads out of the container, to the hypervisor */
    ERRNO_EPERM = 1,
    ERRNO_ENOSYS = 38,
};

/* personality(2)'s arguments that change nothing about safety: Linux, Linux32, uname-2.6, both, and asking. */
static const int64_t personalities[] = {0x0, 0x8, 0x20000, 0x20008, 0xffffffff};

static cJSON *add_rule(cJSON *rules, const char *action, const char *calls)
{
    cJSON *rule = cJSON_CreateObject(), *names = cJSON_AddArrayToObject(rule, "names");

    while (*calls) {
        size_t length = strcspn(calls, " ");
        char name[64];
        if (length > 0 && length < sizeof name) {
            memcpy(name, calls, length);
            name[length] = '\0';
            cJSON_AddItemToArray(names, cJSON_CreateString(name));
        }
        calls += length + (calls[length] == ' ');
    }
    cJSON_AddStringToObject(rule, "action", action);
    cJSON_AddItemToArray(rules, rule);
    return rule;
}

static void add_argument(cJSON *rule, const char *op, int64_t value, int64_t value_two)
{
    cJSON *arg = cJSON_CreateObject();

    json_add_int(arg, "index", 0);
    json_add_int(arg, "value", value);
    json_add_int(arg, "valueTwo", value_two);
    cJSON_AddStringToObject(arg, "op", op);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(rule, "args"), arg);
}

static void add_conditional_rules(cJSON *rules, capability_set capabilities)
{
    for (size_t i = 0; i < sizeof personalities / sizeof personalities[0]; i++)
        add_argument(add_rule(rules, "SCMP_ACT_ALLOW", "personality"), "SCMP_CMP_EQ", personalities[i], 0);
    add_argument(add_rule(rules, "SCMP_ACT_ALLOW", "socket"), "SCMP_CMP_NE", SOCKET_FAMILY_VSOCK, 0);
    if (capabilities & CAP(SYS_ADMIN))
        return;
    add_argument(add_rule(rules, "SCMP_ACT_ALLOW", "clone"), "SCMP_CMP_MASKED_EQ", CLONE_NAMESPACE_FLAGS, 0);
    /* A C library that is told "no such call" falls back to clone, whose flags can be looked at. */
    json_add_int(add_rule(rules, "SCMP_ACT_ERRNO", "clone3"), "errnoRet", ERRNO_ENOSYS);
}

cJSON *seccomp_profile(capability_set capabilities)
{
    cJSON *profile = cJSON_CreateObject(), *architectures, *rules;

    cJSON_AddStringToObject(profile, "defaultAction", "SCMP_ACT_ERRNO");
    json_add_int(profile, "defaultErrnoRet", ERRNO_EPERM);
    architectures = cJSON_AddArrayToObject(profile, "architectures");
#if defined(__x86_64__)
    cJSON_AddItemToArray(architectures, cJSON_CreateString("SCMP_ARCH_X86_64"));
    cJSON_AddItemToArray(architectures, cJSON_CreateString("SCMP_ARCH_X86"));
    cJSON_AddItemToArray(architectures, cJSON_CreateString("SCMP_ARCH_X32"));
#elif defined(__aarch64__)
    cJSON_AddItemToArray(architectures, cJSON_CreateString("SCMP_ARCH_AARCH64"));
    cJSON_AddItemToArray(architectures, cJSON_CreateString("SCMP_ARCH_ARM"));
#endif
    rules = cJSON_AddArrayToObject(profile, "syscalls");
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        if (groups[i].needs == 0 || (groups[i].needs & capabilities))
            add_rule(rules, "SCMP_ACT_ALLOW", groups[i].calls);
    add_conditional_rules(rules, capabilities);
    return profile;
}
