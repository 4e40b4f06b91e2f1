/* runtime/linux/work_start.c – the blocking parts of a system's life: its start, the cleaning up after its end, crun's small verbs. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "runtime/linux/accounts.h"
#include "runtime/linux/bundle.h"
#include "runtime/linux/cgroup.h"
#include "runtime/linux/command.h"
#include "runtime/linux/conmon.h"
#include "runtime/linux/etc.h"
#include "runtime/linux/linux.h"
#include "runtime/linux/rootfs.h"
#include "runtime/linux/volumes.h"

enum {
    CRUN_TIMEOUT_MS = 15000,
    CONMON_END_MS = 1000,
    RESOLV_CONF_BYTES = 64 * 1024,
    EXIT_SIGKILL = 137,
    EXIT_UNKNOWN = 255,
    CRUN_ARGUMENTS = 16,
    SECCOMP_FILTER_BYTES = 64 * 1024
};

int linux_run_crun(const struct linux_host *host, const char *const *arguments, int stop_fd, struct error *err)
{
    cleanup_free char *root = mem_format("--root=%s", host->crun_root), *crun = sealed_program_path(host->crun);
    const char *argv[CRUN_ARGUMENTS] = {crun, root, "--cgroup-manager=cgroupfs"};
    cleanup_buf struct buf output = {0};
    int code;

    for (size_t i = 0; arguments[i] && i + 4 < CRUN_ARGUMENTS; i++)
        argv[3 + i] = arguments[i];
    code = command_run_until(argv, (struct bytes){0}, CRUN_TIMEOUT_MS, stop_fd, &output, err);
    if (code <= 0)
        return code;
    while (output.size > 0 && output.data[output.size - 1] == '\n')
        output.data[--output.size] = '\0';
    return error_set(err, ERR_PEER, "crun: %.700s", output.size ? (const char *)output.data : "no message");
}

static char *cgroup_path(const struct linux_system *s)
{
    return mem_format("%s/%s", s->host->cgroup_parent, s->id);
}

/* --- the bundle --- */

static const char *hostname_of(const struct linux_system *s, char buffer[64])
{
    if (s->document.hostname[0])
        return s->document.hostname;
    snprintf(buffer, 64, "%.12s", s->id);
    return buffer;
}

static int write_text(const struct linux_system *s, const char *name, const struct buf *text, struct error *err)
{
    cleanup_free char *path = mem_format("%s/%s", s->dir, name);

    return file_write_volatile(path, buf_bytes(text), 0644, err);
}

static int write_etc(const struct linux_system *s, const char *hostname, const struct network_endpoint *endpoint, struct error *err)
{
    static const char *const sources[] = {"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"};
    cleanup_buf struct buf hosts = {0}, name = {0}, resolv = {0}, host_text = {0};
    bool is_stub;

    etc_hosts(&s->document, hostname, endpoint->ip[0] ? endpoint->ip : NULL, &hosts);
    buf_append_format(&name, "%s\n", hostname);
    file_read(sources[0], RESOLV_CONF_BYTES, &host_text, NULL);
    is_stub = host_text.size && strstr((const char *)host_text.data, "127.0.0.53");
    if (is_stub && file_exists(sources[1])) {
        buf_clear(&host_text);
        file_read(sources[1], RESOLV_CONF_BYTES, &host_text, NULL);
    }
    etc_resolv_conf(&s->document, buf_bytes(&host_text), &resolv);
    if (write_text(s, "hosts", &hosts, err) < 0 || write_text(s, "hostname", &name, err) < 0 ||
        write_text(s, "resolv.conf", &resolv, err) < 0)
        return err->code;
    return 0;
}

static int find_account(const struct linux_system *s, const char *root, const char *user, struct account *out, struct error *err)
{
    cleanup_buf struct buf passwd = {0}, group = {0};

    if (rootfs_read(root, "/etc/passwd", CONTAINER_ACCOUNTS_SIZE_BYTES, &passwd, err) < 0 ||
        rootfs_read(root, "/etc/group", CONTAINER_ACCOUNTS_SIZE_BYTES, &group, err) < 0)
        return err->code;
    return account_find(user, &s->document.linux_.groups, buf_bytes(&passwd), buf_bytes(&group), out, err);
}

/* What of the bundle does not depend on the start: also for further processes. */
static int fill_bundle(const struct linux_system *s, const char *root, const char *user, struct bundle *b, struct error *err)
{
    b->document = &s->document;
    b->root_path = root;
    b->init_path = s->host->init_path;
    b->apparmor_profile = s->host->apparmor_profile;
    b->cpu_count = s->host->cpu_count;
    b->has_swap_limit = s->host->has_swap_limit;
    b->is_cgroup_v2 = s->host->is_cgroup_v2;
    if (capabilities_apply(&s->document.linux_.capabilities_add, &s->document.linux_.capabilities_drop, s->host->last_capability,
                           &b->capabilities, err) < 0)
        return err->code;
    return find_account(s, root, user, &b->account, err);
}

cJSON *linux_process_json(struct linux_system *s, const struct document_process *process, struct error *err)
{
    cleanup_free char *root = mem_format("%s/rootfs", s->run_dir);
    struct bundle b = {0};
    char buffer[64];

    if (fill_bundle(s, root, process->user[0] ? process->user : s->document.process.user, &b, err) < 0)
        return NULL;
    b.hostname = hostname_of(s, buffer);
    return bundle_process(&b, process);
}

/* A filter that is known spares crun its work; the profile stays in the configuration for a crun that does not know the annotation.
 * @unknown: the profile whose filter is not known, freed by the caller. */
static void add_filter(const struct linux_system *s, cJSON *config, char **unknown)
{
    const cJSON *profile = json_object(json_object(config, "linux"), "seccomp");
    char *text = profile ? json_print(profile) : NULL;
    cleanup_free char *filter = text ? seccomp_filters_find(s->host->filters, text) : NULL;

    if (!filter) {
        *unknown = text;
        return;
    }
    cJSON_AddStringToObject(cJSON_AddObjectToObject(config, "annotations"), SECCOMP_FILTER_ANNOTATION, filter);
    free(text);
}

/* What crun has compiled for this system, for the next. */
static void keep_filter(const struct linux_system *s, const char *profile)
{
    cleanup_free char *path = mem_format("%s/%s/seccomp.bpf", s->host->crun_root, s->id);
    cleanup_buf struct buf filter = {0};

    if (profile && file_read(path, SECCOMP_FILTER_BYTES, &filter, NULL) == 0)
        seccomp_filters_keep(s->host->filters, profile, buf_bytes(&filter));
}

static int write_config(const struct linux_system *s, const struct bundle *b, char **unknown_profile, struct error *err)
{
    cleanup_free char *dir = mem_format("%s/bundle", s->run_dir), *path = mem_format("%s/config.json", dir), *text = NULL;
    cleanup_json cJSON *config = bundle_config(b);

    add_filter(s, config, unknown_profile);
    text = json_print(config);
    if (file_make_dirs(dir, 0700, err) < 0)
        return err->code;
    return file_write_volatile(path, bytes_of_string(text), 0600, err);
}

static int make_bundle(const struct linux_system *s, const char *root, const struct network_endpoint *endpoint, char **unknown_profile,
                       struct error *err)
{
    cleanup_arena struct arena arena = {0};
    struct bundle_mount *mounts = arena_alloc(&arena, (s->document.mount_count + 1) * sizeof *mounts);
    struct bundle b = {0};
    char buffer[64];

    if (fill_bundle(s, root, s->document.process.user, &b, err) < 0)
        return err->code;
    if (s->document.linux_.has_init && !b.init_path)
        return error_set(err, ERR_NOT_FOUND, "an init process was asked for, and tini-static is not installed on this host");
    b.hostname = hostname_of(s, buffer);
    b.hosts_path = arena_format(&arena, "%s/hosts", s->dir);
    b.hostname_path = arena_format(&arena, "%s/hostname", s->dir);
    b.resolv_conf_path = arena_format(&arena, "%s/resolv.conf", s->dir);
    b.cgroup_path = arena_format(&arena, "%s/%s", s->host->cgroup_parent, s->id);
    b.files_dir = s->document.file_count ? arena_format(&arena, "%s/files", s->run_dir) : NULL;
    b.netns_path = endpoint->netns_path;
    b.mounts = mounts;
    b.mount_count = s->document.mount_count;
    if (volumes_prepare(s, root, &arena, mounts, err) < 0 || write_etc(s, b.hostname, endpoint, err) < 0 ||
        rootfs_make_dirs(root, s->document.process.working_dir, b.account.uid, b.account.gid, err) < 0)
        return err->code;
    return write_config(s, &b, unknown_profile, err);
}

/* --- start --- */

int linux_begin_process(const struct linux_system *s, struct error *err)
{
    return linux_run_crun(s->host, (const char *const[]){"start", s->id, NULL}, s->stop_fd, err);
}

/* Docker's wording and exit codes for what crun says of a command that cannot be run. */
static int exit_code_of_failure(const struct linux_system *s, struct error *err)
{
    const char *command = s->document.process.args.items[0];
    cleanup_free char *said = mem_string(err->message);

    if (err->code == ERR_CANCELED) {
        error_set(err, ERR_CANCELED, "terminated while it was being started (%s)", said);
        return EXIT_SIGKILL;
    }
    if (err->code == ERR_PEER && (strstr(said, "not found in $PATH") || strstr(said, "No such file or directory"))) {
        error_set(err, ERR_PEER, "OCI runtime create failed: exec: \"%s\": executable file not found in $PATH: %s", command, said);
        return 127;
    }
    if (err->code == ERR_PEER && strstr(said, "ermission denied")) {
        error_set(err, ERR_PEER, "OCI runtime create failed: exec: \"%s\": permission denied: %s", command, said);
        return 126;
    }
    return 128;
}

void linux_undo_run(const struct linux_system *s, struct linux_run *run)
{
    cleanup_free char *root = mem_format("%s/rootfs", s->run_dir), *bundle = mem_format("%s/bundle", s->run_dir), *cgroup = cgroup_path(s),
                      *pid_file = mem_format("%s/" CONMON_PID_FILE, s->run_dir), *state = NULL;
    struct error ignored = {0};

    if (run->conmon.pid == 0)
        linux_pid_find(pid_file, &run->conmon);
    linux_pid_kill(&run->conmon, CONMON_END_MS); /* the first: a crun that it runs ends with it */
    if (run->init.pid == 0)
        linux_pid_kill_in(bundle); /* nobody wrote down what was made */
    cgroup_kill(s->host->is_cgroup_v2, cgroup);
    state = mem_format("%s/%s", s->host->crun_root, s->id);
    if (file_exists(state))
        linux_run_crun(s->host, (const char *const[]){"delete", "--force", s->id, NULL}, -1, &ignored);
    if (s->document.network.mode != NETWORK_HOST)
        network_detach(s->host->network, s->id, &ignored);
    network_endpoint_deinit(&run->endpoint);
    cgroup_remove(s->host->is_cgroup_v2, cgroup);
    rootfs_unmount(root);
    file_remove_tree(bundle, &ignored);
}

static int attach_network(const struct linux_system *s, struct network_endpoint *out, struct error *err)
{
    const struct document_network *wish = &s->document.network;
    struct network_port ports[NETWORK_PORTS_COUNT];

    if (wish->mode == NETWORK_HOST)
        return 0;
    if (wish->mode == NETWORK_NONE)
        return network_attach_none(s->host->network, s->id, out, err);
    if (wish->port_count > NETWORK_PORTS_COUNT)
        return error_set(err, ERR_LIMIT, "%zu published ports: at most %d", wish->port_count, NETWORK_PORTS_COUNT);
    for (size_t i = 0; i < wish->port_count; i++)
        ports[i] = (struct network_port){wish->ports[i].is_udp, wish->ports[i].target_port, wish->ports[i].published_port};
    return network_attach(s->host->network, s->id, ports, wish->port_count, out, err);
}

static int start(struct linux_op *op, struct error *err)
{
    const struct linux_system *s = linux_system_of(op);
    cleanup_free char *root = mem_format("%s/rootfs", s->run_dir), *upper = mem_format("%s/diff", s->dir),
                      *work = mem_format("%s/work", s->dir), *unknown_profile = NULL;

    if (linux_record_write(s, LINUX_STARTING, NULL, &op->outcome, err) < 0 || attach_network(s, &op->run.endpoint, err) < 0 ||
        rootfs_mount(&s->document.layers, upper, work, root, err) < 0 ||
        make_bundle(s, root, &op->run.endpoint, &unknown_profile, err) < 0 || conmon_launch(s, &op->run, err) < 0)
        return err->code;
    keep_filter(s, unknown_profile);
    return linux_record_write(s, LINUX_LAUNCHED, &op->run, &op->outcome, err) < 0 ? err->code : linux_begin_process(s, err);
}

void linux_work_start(struct linux_op *op)
{
    const struct linux_system *s = linux_system_of(op);
    struct error ignored = {0};
    int result = start(op, &op->base.err);

    if (result < 0 && cgroup_settle_hybrid(op->base.err.message)) {
        linux_undo_run(s, &op->run);
        op->run = (struct linux_run){0};
        op->base.err = (struct error){0};
        result = start(op, &op->base.err);
    }
    if (result == 0) {
        op->outcome.started_wall_ns = clock_wall_ns(&s->host->clock);
        linux_record_write(s, LINUX_RUNNING, &op->run, &op->outcome, &ignored);
        return;
    }
    op->outcome.exit_code = exit_code_of_failure(s, &op->base.err);
    linux_undo_run(s, &op->run);
    op->outcome.finished_wall_ns = clock_wall_ns(&s->host->clock);
    op->outcome.error = mem_string(op->base.err.message);
    linux_record_write(s, LINUX_STOPPED, NULL, &op->outcome, &ignored);
}

/* --- after the end --- */

static void read_exit(struct linux_op *op, const char *exit_file)
{
    struct linux_outcome *outcome = &op->outcome;
    cleanup_buf struct buf text = {0};
    struct stat st;

    outcome->finished_wall_ns = clock_wall_ns(&linux_system_of(op)->host->clock);
    if (file_read(exit_file, 64, &text, NULL) == 0 && text.size > 0) {
        outcome->exit_code = (int)strtol((const char *)text.data, NULL, 10);
        if (stat(exit_file, &st) == 0) /* when it happened, also where nobody was looking */
            outcome->finished_wall_ns = st.st_mtim.tv_sec * (int64_t)NS_PER_S + st.st_mtim.tv_nsec;
        if (outcome->finished_wall_ns < outcome->started_wall_ns) /* the file system's clock is coarser */
            outcome->finished_wall_ns = outcome->started_wall_ns;
        return;
    }
    outcome->exit_code = op->is_after_reboot ? EXIT_UNKNOWN : EXIT_SIGKILL;
    free(outcome->error);
    outcome->error =
        mem_string(op->is_after_reboot ? "the host was restarted while it ran"
                                       : "its supervisor (conmon) was killed, and the container with it; its output after that is lost");
}

void linux_clear_run_dir(const struct linux_system *s)
{
    cleanup_free char *files = mem_format("%s/files", s->run_dir);
    struct error ignored = {0};

    rootfs_unmount(files);
    file_remove_tree(s->run_dir, &ignored);
}

/* What tells how it ended is taken away only once that is written down: whoever is killed here is followed by one who does it all again. */
void linux_work_release(struct linux_op *op)
{
    const struct linux_system *s = linux_system_of(op);
    cleanup_free char *exit_file = mem_format("%s/" CONMON_EXIT_DIR "/%s", s->run_dir, s->id), *cgroup = cgroup_path(s);
    struct error ignored = {0};

    read_exit(op, exit_file);
    if (cgroup_was_oom_killed(s->host->is_cgroup_v2, cgroup)) {
        op->outcome.is_oom_killed = true;
        linux_record_write(s, LINUX_RUNNING, &op->run, &op->outcome, &ignored); /* the cgroup goes before the end is written */
    }
    linux_undo_run(s, &op->run);
    if (linux_record_write(s, LINUX_STOPPED, &op->run, &op->outcome, &op->base.err) == 0)
        linux_clear_run_dir(s);
}

/* --- pause, resume, modify --- */

static void modify(struct linux_op *op)
{
    const char *path = json_string(op->base.json, "ResourcePath", ""), *flag;
    const struct linux_system *s = linux_system_of(op);
    const cJSON *settings = cJSON_GetObjectItemCaseSensitive(op->base.json, "Settings");
    cleanup_free char *value = NULL;
    int64_t number;

    if (!text_equal(json_string(op->base.json, "RequestType", "Update"), "Update") || !cJSON_IsNumber(settings) ||
        settings->valuedouble < 0) {
        error_set(&op->base.err, ERR_INVALID, "a request needs RequestType Update and a number as Settings");
        return;
    }
    number = json_int(op->base.json, "Settings", 0);
    if (strcmp(path, "Container/Memory/SizeInMB") == 0) {
        flag = "--memory";
        value = mem_format("%lld", (long long)number * (long long)MIB);
    } else if (strcmp(path, "Container/Processor/Maximum") == 0) {
        flag = "--cpu-quota";
        value = mem_format("%lld", (long long)number * 10 * s->host->cpu_count);
    } else if (strcmp(path, "Skep/Linux/PidsLimit") == 0) {
        flag = "--pids-limit";
        value = mem_format("%lld", (long long)number);
    } else {
        error_set(&op->base.err, ERR_UNSUPPORTED, "ResourcePath: \"%s\" cannot be changed", path);
        return;
    }
    linux_run_crun(s->host, (const char *const[]){"update", flag, value, s->id, NULL}, -1, &op->base.err);
}

void linux_work_crun(struct linux_op *op)
{
    const struct linux_system *s = linux_system_of(op);
    bool pauses = op->base.operation == HCS_OP_PAUSE;
    struct error ignored = {0};

    if (op->base.operation == HCS_OP_MODIFY) {
        modify(op);
        return;
    }
    if (linux_run_crun(s->host, (const char *const[]){pauses ? "pause" : "resume", s->id, NULL}, -1, &op->base.err) == 0)
        linux_record_write(s, pauses ? LINUX_PAUSED : LINUX_RUNNING, &s->run, &op->outcome, &ignored);
}
