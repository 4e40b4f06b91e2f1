/* runtime/linux/adopt.c – what a new daemon finds: systems as its predecessor left them, with all that happened since. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/linux/cgroup.h"
#include "runtime/linux/linux.h"
#include "runtime/linux/rootfs.h"

enum { EXIT_NEVER_STARTED = 255 };

static void adopt_running(struct linux_system *s, bool is_paused)
{
    struct error err = {0};

    s->base.state = is_paused ? HCS_PAUSED : HCS_RUNNING;
    if (s->run.endpoint.netns_path && network_adopt(s->host->network, s->id, &s->run.endpoint, &err) < 0)
        log_with(LOG_WARN, "runtime", LOG_FIELDS({"container", s->id}), "its network is not whole: %s", err.message);
    linux_watch_run(s);
}

/* Its process cannot have begun: the start is undone, so that it can be asked for again. */
static void adopt_starting(struct linux_system *s)
{
    struct error err = {0};

    log_with(LOG_INFO, "runtime", LOG_FIELDS({"container", s->id}), "its start was interrupted: undone");
    linux_undo_run(s, &s->run);
    s->base.state = HCS_CREATED;
    linux_record_write(s, LINUX_CREATED, NULL, &s->outcome, &err);
}

/* Its secrets and configs were in memory; who would start it cannot give them again. */
static void adopt_without_files(struct linux_system *s)
{
    struct error err = {0};

    s->base.state = HCS_STOPPED;
    s->outcome.exit_code = EXIT_NEVER_STARTED;
    s->outcome.finished_wall_ns = clock_wall_ns(&s->host->clock);
    free(s->outcome.error);
    s->outcome.error = mem_string("the host was restarted before it was started: its secrets and configs are gone");
    log_with(LOG_WARN, "runtime", LOG_FIELDS({"container", s->id}), "%s", s->outcome.error);
    linux_record_write(s, LINUX_STOPPED, NULL, &s->outcome, &err);
}

/* Its process may have begun, and there is no way back: the start is brought to its end. crun refuses to begin what has begun, so that
 * saying it once more does no harm; one that has ended meanwhile is Stopped as any other. */
static void adopt_launched(struct linux_system *s)
{
    cleanup_free char *fifo = mem_format("%s/%s/exec.fifo", s->host->crun_root, s->id);
    struct error err = {0};

    if (file_exists(fifo) && linux_begin_process(s, &err) < 0 && file_exists(fifo))
        log_with(LOG_WARN, "runtime", LOG_FIELDS({"container", s->id}), "its start was interrupted and cannot be ended: %s", err.message);
    if (file_exists(fifo)) { /* it waits for a word that nobody can say */
        linux_pid_kill(&s->run.init, 0);
        free(s->outcome.error);
        s->outcome.error = mem_string("its start was interrupted");
    }
    s->outcome.started_wall_ns = clock_wall_ns(&s->host->clock);
    linux_record_write(s, LINUX_RUNNING, &s->run, &s->outcome, &err);
    adopt_running(s, false);
}

static void adopt_after_reboot(struct linux_system *s)
{
    struct linux_op *op = (struct linux_op *)compute_operation_new(&s->host->base, HCS_OP_TERMINATE, s->id, NULL);

    op->is_after_reboot = true;
    op->run = s->run;
    op->outcome = s->outcome;
    s->outcome.error = NULL;
    linux_work_release(op);
    s->run = op->run;
    linux_take_outcome(s, op);
    s->base.state = HCS_STOPPED;
    compute_operation_free(&op->base);
}

static int adopt(struct linux_system *s, struct error *err)
{
    cleanup_free char *path = mem_format("%s/document.json", s->dir);
    enum linux_phase phase = LINUX_CREATED;
    bool is_of_this_boot = false;

    if (compute_read_document(path, &s->json, &s->arena, &s->document, err) < 0 || linux_record_read(s, &phase, &is_of_this_boot, err) < 0)
        return err->code;
    s->base.is_made = true;
    switch (phase) {
    case LINUX_CREATED:
    case LINUX_STARTING:
        if (phase == LINUX_STARTING)
            adopt_starting(s);
        s->base.state = HCS_CREATED;
        if (!is_of_this_boot && s->document.file_count > 0)
            adopt_without_files(s);
        break;
    case LINUX_LAUNCHED:
        if (is_of_this_boot)
            adopt_launched(s);
        else
            adopt_after_reboot(s);
        break;
    case LINUX_RUNNING:
    case LINUX_PAUSED:
        if (is_of_this_boot)
            adopt_running(s, phase == LINUX_PAUSED);
        else
            adopt_after_reboot(s);
        break;
    case LINUX_STOPPED:
        s->base.state = HCS_STOPPED;
        linux_clear_run_dir(s);
        break;
    }
    return 0;
}

static void discard(struct linux_system *s, const struct error *why)
{
    cleanup_free char *root = mem_format("%s/rootfs", s->run_dir), *files = mem_format("%s/files", s->run_dir);
    struct error err = {0};

    log_with(LOG_WARN, "runtime", LOG_FIELDS({"container", s->id}), "half made, removed: %s", why->message);
    linux_undo_run(s, &s->run);
    rootfs_unmount(root);
    rootfs_unmount(files);
    if (file_remove_tree(s->run_dir, &err) < 0 || file_remove_tree(s->dir, &err) < 0)
        log_with(LOG_ERROR, "runtime", LOG_FIELDS({"container", s->id}), "something of it stays: %s", err.message);
    HASH_DEL(s->host->base.systems, &s->base);
    linux_system_free(s);
}

/* Its directory holds no whole system. Any other failure (no descriptors, a disk that fails) says nothing of the system, which may run. */
static bool is_half_made(const struct error *why)
{
    return why->code == ERR_NOT_FOUND || why->code == ERR_INVALID || why->code == ERR_CORRUPT || why->code == ERR_UNSUPPORTED;
}

/* Run directories without a state directory: a remove was cut off between the two. */
static void sweep_run_dir(struct linux_host *host)
{
    cleanup_free char *path = mem_format("%s/containers", host->run_dir);
    DIR *dir = opendir(path);
    const struct dirent *entry;
    struct error none = {0};

    error_set(&none, ERR_NOT_FOUND, "it has no record");
    while (dir && (entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.' && id_is_safe(entry->d_name) && !linux_find(host, entry->d_name))
            discard(linux_system_new(host, entry->d_name), &none);
    if (dir)
        closedir(dir);
}

/* The predecessor was killed between its last system's end and what all of them shared. */
static void tidy_leftovers(struct linux_host *host)
{
    struct error err = {0};

    cgroup_remove(host->is_cgroup_v2, host->cgroup_parent);
    if (network_is_there(host->network) && network_remove(host->network, &err) < 0)
        log_warn("runtime", "the bridge of an earlier life stays: %s", err.message);
}

int linux_adopt_all(struct linux_host *host, struct error *err)
{
    cleanup_free char *path = mem_format("%s/containers", host->state_dir);
    DIR *dir = opendir(path);
    const struct dirent *entry;
    struct error why = {0};

    if (!dir)
        return error_set(err, ERR_IO, "cannot list %s", path);
    while ((entry = readdir(dir)) != NULL) {
        struct linux_system *s;
        if (entry->d_name[0] == '.' || !id_is_safe(entry->d_name))
            continue;
        s = linux_system_new(host, entry->d_name);
        if (adopt(s, &why) == 0)
            continue;
        if (!is_half_made(&why)) {
            *err = why;
            closedir(dir);
            return error_wrap(err, "container %s", s->id);
        }
        discard(s, &why);
    }
    closedir(dir);
    compute_sort(&host->base);
    sweep_run_dir(host);
    if (!host->base.systems)
        tidy_leftovers(host);
    else if (network_adopt_end(host->network, &why) < 0)
        log_error("runtime", "the bridge could not be made ready: %s", why.message);
    return 0;
}
