/* runtime/linux/hcs_linux.c – birth and end of the back end: what the host has, what it was told, its ticks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "runtime/linux/cgroup.h"
#include "runtime/linux/command.h"
#include "runtime/linux/linux.h"

enum { TICK_MS = 1000, NETWORK_REFRESH_TICKS = 30, PROBE_TIMEOUT_MS = 5000 };

/* --- what the host has --- */

/* The first line that `program --version` prints; NULL when there is no such program. */
static char *version_of(const char *program)
{
    const char *const argv[] = {program, "--version", NULL};
    cleanup_buf struct buf output = {0};
    struct error err;

    if (command_run(argv, (struct bytes){0}, PROBE_TIMEOUT_MS, &output, &err) != 0 || output.size == 0)
        return NULL;
    return mem_string_n((const char *)output.data, strcspn((const char *)output.data, "\n"));
}

static void probe_programs(struct linux_host *host)
{
    cleanup_free char *crun = version_of(host->crun_path), *conmon = version_of(host->conmon_path);

    free(host->missing);
    free(host->versions);
    host->missing = NULL;
    if (!crun || !conmon)
        host->missing = mem_format("%s%s%s %s not installed on this host, or not in PATH: install Debian's packages crun and conmon, then "
                                   "start skepd again",
                                   crun ? "" : host->crun_path, !crun && !conmon ? " and " : "", conmon ? "" : host->conmon_path,
                                   !crun && !conmon ? "are" : "is");
    host->versions =
        mem_format("%s, %s, cgroup %s", crun ? crun : "no crun", conmon ? conmon : "no conmon", host->is_cgroup_v2 ? "v2" : "v1");
}

static char *find_init(const char *given)
{
    static const char *const paths[] = {"/usr/bin/tini-static", "/usr/libexec/docker/docker-init", "/usr/bin/docker-init"};

    if (given)
        return mem_string(given);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (file_exists(paths[i]))
            return mem_string(paths[i]);
    return NULL;
}

static void read_line(const char *path, char *out, size_t size)
{
    cleanup_buf struct buf text = {0};

    out[0] = '\0';
    if (file_read(path, 4096, &text, NULL) == 0 && text.size > 0)
        snprintf(out, size, "%.*s", (int)strcspn((const char *)text.data, "\n"), (const char *)text.data);
}

/* Docker's profile, where the host's AppArmor has it loaded; we bring none of our own. */
static const char *find_apparmor_profile(void)
{
    cleanup_buf struct buf text = {0};

    if (file_read("/sys/kernel/security/apparmor/profiles", MIB, &text, NULL) < 0 || text.size == 0)
        return NULL;
    return strstr((const char *)text.data, "docker-default (enforce)") ? "docker-default" : NULL;
}

static void probe_kernel(struct linux_host *host)
{
    char line[32];

    host->is_cgroup_v2 = cgroup_is_v2();
    host->has_swap_limit = cgroup_has_swap_limit(host->is_cgroup_v2);
    read_line("/proc/sys/kernel/cap_last_cap", line, sizeof line);
    host->last_capability = line[0] ? (int)strtol(line, NULL, 10) : 40;
    read_line("/proc/sys/kernel/random/boot_id", host->boot_id, sizeof host->boot_id);
    host->cpu_count = (int)sysconf(_SC_NPROCESSORS_ONLN);
    host->apparmor_profile = find_apparmor_profile();
}

/* --- ticks --- */

static void refresh_network(uv_work_t *work)
{
    struct linux_host *host = work->data;

    network_refresh(host->network);
}

static void on_network_refreshed(uv_work_t *work, int status)
{
    struct linux_host *host = work->data;

    (void)status;
    host->is_refreshing = false;
    host->base.open_handles--;
}

static void begin_refresh(struct linux_host *host)
{
    if (host->is_refreshing || !host->base.systems || ++host->ticks % NETWORK_REFRESH_TICKS != 0)
        return;
    host->is_refreshing = true;
    host->base.open_handles++;
    host->refresh.data = host;
    uv_queue_work(host->base.loop, &host->refresh, refresh_network, on_network_refreshed);
}

void linux_tick(struct compute_host *base)
{
    struct linux_host *host = (struct linux_host *)base;

    linux_logs_rotate(host);
    linux_watch_again(host);
    begin_refresh(host);
}

/* --- end --- */

void linux_closing(struct compute_host *host)
{
    linux_processes_drop((struct linux_host *)host);
}

void linux_host_free(struct compute_host *base)
{
    struct linux_host *host = (struct linux_host *)base;

    compute_systems_free(base);
    network_free(host->network);
    sealed_program_free(host->crun);
    seccomp_filters_free(host->filters);
    free(host->state_dir);
    free(host->run_dir);
    free(host->cgroup_parent);
    free(host->crun_path);
    free(host->conmon_path);
    free(host->init_path);
    free(host->crun_root);
    free(host->versions);
    free(host->missing);
    free(host);
}

/* --- birth --- */

static int take_options(struct linux_host *host, const struct hcs_linux_options *o, struct error *err)
{
    if (o->state_dir[0] != '/' || o->run_dir[0] != '/')
        return error_set(err, ERR_INVALID, "the directories must be absolute: \"%s\", \"%s\"", o->state_dir, o->run_dir);
    if (o->cgroup_parent[0] != '/' || o->cgroup_parent[1] == '\0' || strstr(o->cgroup_parent, ".."))
        return error_set(err, ERR_INVALID, "the cgroup parent must be a path such as /skep: \"%s\"", o->cgroup_parent);
    host->clock = o->clock;
    host->state_dir = mem_string(o->state_dir);
    host->run_dir = mem_string(o->run_dir);
    host->cgroup_parent = mem_string(o->cgroup_parent);
    host->crun_path = mem_string(o->crun_path ? o->crun_path : "crun");
    host->conmon_path = mem_string(o->conmon_path ? o->conmon_path : "conmon");
    host->init_path = find_init(o->init_path);
    host->crun_root = mem_format("%s/crun", o->run_dir);
    return network_new(&(struct network_options){o->bridge, o->bridge_subnet, o->run_dir, o->nft_path}, &host->network, err);
}

/* conmon wants the path of crun, not its name. */
static void resolve_crun(struct linux_host *host)
{
    const char *path = getenv("PATH");
    cleanup_free char *copy = mem_string(path ? path : "/usr/sbin:/usr/bin:/sbin:/bin");
    char *rest = NULL;

    if (strchr(host->crun_path, '/'))
        return;
    for (char *dir = strtok_r(copy, ":", &rest); dir; dir = strtok_r(NULL, ":", &rest)) {
        char *full = mem_format("%s/%s", dir, host->crun_path);
        if (access(full, X_OK) == 0) {
            free(host->crun_path);
            host->crun_path = full;
            return;
        }
        free(full);
    }
}

static int make_dirs(const struct linux_host *host, struct error *err)
{
    cleanup_free char *state = mem_format("%s/containers", host->state_dir), *run = mem_format("%s/containers", host->run_dir);

    if (file_make_dirs(state, 0700, err) < 0 || file_make_dirs(run, 0700, err) < 0 || file_make_dirs(host->crun_root, 0700, err) < 0)
        return err->code;
    return 0;
}

int hcs_linux_new(uv_loop_t *loop, const struct hcs_linux_options *options, struct hcs **out, struct error *err)
{
    struct linux_host *host = mem_alloc(sizeof *host);

    host->base.hcs.ops = &linux_ops;
    host->base.ops = &linux_compute_ops;
    if (take_options(host, options, err) < 0 || make_dirs(host, err) < 0) {
        linux_host_free(&host->base);
        return error_wrap(err, "runtime");
    }
    resolve_crun(host);
    host->crun = sealed_program_new(host->crun_path);
    host->filters = seccomp_filters_new();
    probe_kernel(host);
    probe_programs(host);
    compute_host_open(&host->base, loop, TICK_MS);
    if (linux_adopt_all(host, err) < 0) {
        compute_close(&host->base.hcs, NULL, NULL);
        return error_wrap(err, "runtime");
    }
    *out = &host->base.hcs;
    return 0;
}
