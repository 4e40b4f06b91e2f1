/* runtime/linux/life.c – watching a running system end, and ending it. On the loop.
 *
 * Both processes are watched through pidfds. The rules, whichever is killed first:
 *   conmon gone, its exit file there   the ordinary end: init is gone too
 *   conmon gone without an exit file   init is killed; the system ends as "its supervisor was killed"
 *   init gone, conmon still there      conmon writes the rest of the output and the exit file; it has CONMON_LINGER_MS for that
 * When both are gone the release begins: the exit file is read, everything is taken apart, and only then the exit is announced. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/linux/cgroup.h"
#include "runtime/linux/conmon.h"
#include "runtime/linux/linux.h"

enum { CONMON_LINGER_MS = 10000 };

/* --- signals --- */

static void send_signal(const struct linux_watch *watch, int number)
{
    if (watch)
        syscall(SYS_pidfd_send_signal, watch->fd, number, NULL, 0);
}

void linux_thaw(const struct linux_system *s)
{
    cleanup_free char *cgroup = mem_format("%s/%s", s->host->cgroup_parent, s->id);

    cgroup_thaw(s->host->is_cgroup_v2, cgroup);
}

void linux_kill(struct linux_system *s, int number)
{
    if (number == SIGKILL && s->base.state == HCS_PAUSED) {
        send_signal(s->init_watch, number);
        linux_thaw(s);
    }
    send_signal(s->init_watch, number);
}

/* --- the end --- */

static void on_conmon_lingers(struct compute_system *system)
{
    struct linux_system *s = (struct linux_system *)system;

    log_with(LOG_WARN, "runtime", LOG_FIELDS({"container", s->id}), "conmon did not end after its container: killed");
    send_signal(s->conmon_watch, SIGKILL);
}

static void begin_release(struct linux_system *s)
{
    struct linux_op *op = (struct linux_op *)compute_operation_new(&s->host->base, HCS_OP_TERMINATE, s->id, NULL);

    s->is_settled = true;
    compute_timer_cancel(&s->base);
    linux_drop_watches(s);
    op->base.task = COMPUTE_RELEASE;
    op->run = s->run;
    compute_submit_first(&op->base);
}

static void settle(struct linux_system *s)
{
    cleanup_free char *exit_file = mem_format("%s/" CONMON_EXIT_DIR "/%s", s->run_dir, s->id);

    if (s->is_settled)
        return;
    if (s->is_init_gone && s->is_conmon_gone) {
        begin_release(s);
    } else if (s->is_conmon_gone && !file_exists(exit_file)) {
        log_with(LOG_WARN, "runtime", LOG_FIELDS({"container", s->id}), "conmon was killed: killing its container");
        linux_kill(s, SIGKILL);
    } else if (s->is_init_gone) {
        compute_timer_start(&s->base, CONMON_LINGER_MS, on_conmon_lingers);
    }
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct linux_watch *watch = handle->data;

    watch->system->host->base.open_handles--;
    close(watch->fd);
    compute_system_release(&watch->system->base);
    free(watch);
}

static void drop_watch(struct linux_watch **place)
{
    struct linux_watch *watch = *place;

    *place = NULL;
    if (watch && !uv_is_closing((uv_handle_t *)&watch->poll)) {
        uv_poll_stop(&watch->poll);
        uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
    }
}

void linux_drop_watches(struct linux_system *s)
{
    drop_watch(&s->init_watch);
    drop_watch(&s->conmon_watch);
}

static void on_gone(uv_poll_t *poll, int status, int events)
{
    struct linux_watch *watch = poll->data;

    (void)status;
    (void)events;
    uv_poll_stop(poll);
    *watch->is_gone = true;
    settle(watch->system);
}

/* NULL when it has ended already (then *is_gone), or when it cannot be watched now: what is not known to have ended runs. */
static struct linux_watch *watch_pid(struct linux_system *s, const struct linux_pid *pid, bool *is_gone)
{
    struct linux_watch *watch;
    int fd = -1, failed = linux_pid_open(pid, &fd);

    *is_gone = failed == ERR_NOT_FOUND;
    if (failed)
        return NULL;
    watch = mem_alloc(sizeof *watch);
    watch->system = s;
    watch->fd = fd;
    watch->is_gone = is_gone;
    watch->poll.data = watch;
    if (uv_poll_init(s->host->base.loop, &watch->poll, fd) < 0) {
        close(fd);
        free(watch);
        return NULL;
    }
    s->base.references++;
    s->host->base.open_handles++;
    uv_poll_start(&watch->poll, UV_READABLE, on_gone);
    return watch;
}

static void watch_both(struct linux_system *s)
{
    if (!s->init_watch && !s->is_init_gone)
        s->init_watch = watch_pid(s, &s->run.init, &s->is_init_gone);
    if (!s->conmon_watch && !s->is_conmon_gone)
        s->conmon_watch = watch_pid(s, &s->run.conmon, &s->is_conmon_gone);
}

void linux_watch_run(struct linux_system *s)
{
    s->is_settled = s->is_init_gone = s->is_conmon_gone = false;
    watch_both(s);
    if (s->is_init_gone || s->is_conmon_gone)
        settle(s);
}

static bool is_unwatched(const struct linux_system *s)
{
    return (!s->init_watch && !s->is_init_gone) || (!s->conmon_watch && !s->is_conmon_gone);
}

void linux_watch_again(struct linux_host *host)
{
    for (struct linux_system *s = linux_first(host); s; s = s->base.hh.next) {
        if (!compute_runs(&s->base) || s->is_settled || !is_unwatched(s))
            continue;
        watch_both(s);
        if (is_unwatched(s))
            log_with(LOG_WARN, "runtime", LOG_FIELDS({"container", s->id}), "its processes cannot be watched now: too few descriptors?");
        if (s->is_init_gone || s->is_conmon_gone)
            settle(s);
    }
}

/* --- shut down, terminate --- */

/* Docker's exit code for a container that never ran and was stopped. */
void linux_created_stopped(struct compute_system *system)
{
    struct linux_system *s = (struct linux_system *)system;
    struct error err = {0};

    s->outcome.finished_wall_ns = clock_wall_ns(&s->host->clock);
    if (linux_record_write(s, LINUX_STOPPED, NULL, &s->outcome, &err) < 0)
        log_with(LOG_WARN, "runtime", LOG_FIELDS({"container", s->id}), "its record could not be written: %s", err.message);
}

int linux_stop(struct compute_system *system, const char *signal, int64_t *grace_ms, bool *is_ending, struct error *err)
{
    struct linux_system *s = (struct linux_system *)system;
    int number = signal ? document_signal_number(signal) : s->document.stop_signal_number;

    if (number < 0)
        return error_set(err, ERR_INVALID, "Invalid signal: %s", signal);
    if (*grace_ms < 0)
        *grace_ms = s->document.stop_grace_ns / (int64_t)NS_PER_MS;
    linux_kill(s, number);
    if (system->state == HCS_PAUSED)
        linux_thaw(s);
    *is_ending = s->is_init_gone || s->is_settled;
    return 0;
}

void linux_end(struct compute_system *system)
{
    linux_kill((struct linux_system *)system, SIGKILL);
}
