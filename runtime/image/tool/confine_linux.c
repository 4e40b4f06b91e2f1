/* runtime/image/tool/confine_linux.c – see confine.h. */
#include "runtime/image/tool/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The address sanitizer's leak check traces its own process at the end. */
#ifdef __SANITIZE_ADDRESS__
#define IS_TRACED_BY_ITSELF true
#else
#define IS_TRACED_BY_ITSELF false
#endif

#define LANDLOCK_ABI_WITH_REFER 2 /* before it, no link or rename between directories is possible at all */

#define READ_ACCESS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE_ACCESS                                                                                                                       \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |       \
     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |             \
     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER)

static int drop_capabilities(struct error *err)
{
    const uint64_t kept = 1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER | 1u << CAP_FSETID | 1u << CAP_MKNOD |
                          1u << CAP_SYS_ADMIN | 1ull << CAP_SETFCAP;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0)
        return error_set_uv(err, -errno, "read the capabilities");
    for (size_t i = 0; i < 2; i++) {
        data[i].permitted &= (uint32_t)(kept >> (32 * i));
        data[i].effective = data[i].permitted;
        data[i].inheritable = 0;
    }
    return syscall(SYS_capset, &header, data) < 0 ? error_set_uv(err, -errno, "drop capabilities") : 0;
}

static int allow(int rules, const char *path, uint64_t access, struct error *err)
{
    struct landlock_path_beneath_attr beneath = {.allowed_access = access, .parent_fd = open(path, O_PATH | O_CLOEXEC)};
    if (beneath.parent_fd < 0)
        return error_set_uv(err, -errno, "open %s", path);
    long added = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0);
    int why = errno;
    close(beneath.parent_fd);
    return added < 0 ? error_set_uv(err, -why, "confine to %s", path) : 0;
}

static int confine_files(const char *store_dir, struct error *err)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < LANDLOCK_ABI_WITH_REFER)
        return 0;
    struct landlock_ruleset_attr attributes = {.handled_access_fs = READ_ACCESS | WRITE_ACCESS | LANDLOCK_ACCESS_FS_EXECUTE};
    int rules = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
    if (rules < 0)
        return error_set_uv(err, -errno, "make a Landlock ruleset");
    int failed = allow(rules, "/", READ_ACCESS, err);
    if (failed == 0)
        failed = allow(rules, store_dir, READ_ACCESS | WRITE_ACCESS, err);
    if (failed == 0 && syscall(SYS_landlock_restrict_self, rules, 0) < 0)
        failed = error_set_uv(err, -errno, "confine to %s", store_dir);
    close(rules);
    return failed;
}

static int confine_calls(struct error *err)
{
    static const int forbidden[] = {
        SCMP_SYS(execve),
        SCMP_SYS(execveat),
        SCMP_SYS(mount),
        SCMP_SYS(umount2),
        SCMP_SYS(pivot_root),
        SCMP_SYS(chroot),
        SCMP_SYS(move_mount),
        SCMP_SYS(open_tree),
        SCMP_SYS(fsopen),
        SCMP_SYS(fsmount),
        SCMP_SYS(fsconfig),
        SCMP_SYS(fspick),
        SCMP_SYS(setns),
        SCMP_SYS(unshare),
        SCMP_SYS(bpf),
        SCMP_SYS(init_module),
        SCMP_SYS(finit_module),
        SCMP_SYS(delete_module),
        SCMP_SYS(kexec_load),
        SCMP_SYS(kexec_file_load),
        SCMP_SYS(reboot),
        SCMP_SYS(swapon),
        SCMP_SYS(swapoff),
        SCMP_SYS(keyctl),
        SCMP_SYS(add_key),
        SCMP_SYS(request_key),
        SCMP_SYS(perf_event_open),
        SCMP_SYS(open_by_handle_at),
        SCMP_SYS(userfaultfd),
        SCMP_SYS(io_uring_setup),
        SCMP_SYS(process_vm_writev),
        SCMP_SYS(sethostname),
        SCMP_SYS(settimeofday),
        SCMP_SYS(clock_settime),
        SCMP_SYS(quotactl),
    };
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int failed = filter ? 0 : -ENOMEM;
    for (size_t i = 0; failed == 0 && i < sizeof forbidden / sizeof *forbidden; i++)
        failed = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), forbidden[i], 0);
    if (failed == 0 && !IS_TRACED_BY_ITSELF)
        failed = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ptrace), 0);
    if (failed == 0)
        failed = seccomp_load(filter);
    seccomp_release(filter);
    /* A kernel without seccomp is no reason not to pull. */
    return failed < 0 && failed != -EINVAL && failed != -ENOSYS ? error_set_uv(err, failed, "load the seccomp filter") : 0;
}

/* Our output is a pipe to whoever started us. The number of our parent says nothing: a daemon may be process 1 of its namespace. */
static bool is_abandoned(void)
{
    struct pollfd output = {STDOUT_FILENO, 0, 0};
    return poll(&output, 1, 0) > 0 && (output.revents & (POLLERR | POLLHUP)) != 0;
}

int confine(const char *store_dir, bool dies_with_parent, struct error *err)
{
    if (dies_with_parent) {
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (is_abandoned()) /* before it took effect */
            return error_set(err, ERR_CANCELED, "whoever started this is gone already");
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_set_uv(err, -errno, "give up new privileges");
    if (!IS_TRACED_BY_ITSELF)
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    int failed = confine_files(store_dir, err);
    if (failed == 0)
        failed = confine_calls(err);
    if (failed == 0 && geteuid() == 0)
        failed = drop_capabilities(err);
    return failed < 0 ? error_wrap(err, "confine") : 0;
}
