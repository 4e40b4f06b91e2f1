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

/* --- timers --- */

static void on_timer_closed(uv_handle_t *handle)
{
    struct linux_host *host = handle->loop ? (struct linux_host *)handle->data : NULL;

    if (host)
        host->open_handles--;
    free(handle);
}

void linux_cancel_timer(struct linux_system *s)
{
    if (!s->timer)
        return;
    s->timer->data = s->host;
    uv_close((uv_handle_t *)s->timer, on_timer_closed);
    s->timer = NULL;
}

static void start_timer(struct linux_system *s, uint64_t ms, uv_timer_cb callback)
{
    linux_cancel_timer(s);
    s->timer = mem_alloc(sizeof *s->timer);
    s->timer->data = s;
    s->host->open_handles++;
    uv_timer_init(s->host->loop, s->timer);
    uv_timer_start(s->timer, callback, ms, 0);
}

/* --- signals --- */

static void send_signal(const struct linux_watch *watch, int number)
{
    if (watch)
        syscall(SYS_pidfd_send_signal, watch->fd, number, NULL, 0);
}

void linux_kill(struct linux_system *s, int number)
{
    if (number == SIGKILL && s->state == HCS_PAUSED) {
        cleanup_free char *cgroup = mem_format("%s/%s", s->host->cgroup_parent, s->id);
        send_signal(s->init_watch, number);
        cgroup_thaw(s->host->is_cgroup_v2, cgroup);
    }
    send_signal(s->init_watch, number);
}

/* --- the end --- */

static void on_conmon_lingers(uv_timer_t *timer)
{
    struct linux_system *s = timer->data;

    linux_cancel_timer(s);
    log_with(LOG_WARN, "runtime", LOG_FIELDS({"container", s->id}), "conmon did not end after its container: killed");
    send_signal(s->conmon_watch, SIGKILL);
}

static void begin_release(struct linux_system *s)
{
    struct linux_op *op = linux_op_new(s->host, HCS_OP_TERMINATE, s->id, NULL);

    s->is_settled = true;
    linux_cancel_timer(s);
    linux_drop_watches(s);
    op->is_release = true;
    op->run = s->run;
    linux_submit_first(op);
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
        start_timer(s, CONMON_LINGER_MS, on_conmon_lingers);
    }
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct linux_watch *watch = handle->data;

    watch->system->host->open_handles--;
    close(watch->fd);
    linux_system_release(watch->system);
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
    if (uv_poll_init(s->host->loop, &watch->poll, fd) < 0) {
        close(fd);
        free(watch);
        return NULL;
    }
    s->references++;
    s->host->open_handles++;
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
    for (struct linux_system *s = host->systems; s; s = s->hh.next) {
        if ((s->state != HCS_RUNNING && s->state != HCS_PAUSED) || s->is_settled || !is_unwatched(s))
            continue;
        watch_both(s);
        if (is_unwatched(s))
            log_with(LOG_WARN, "runtime", LOG_FIELDS({"container", s->id}), "its processes cannot be watched now: too few descriptors?");
        if (s->is_init_gone || s->is_conmon_gone)
            settle(s);
    }
}

/* --- shut down, terminate --- */

void linux_stop_waiting(struct linux_system *s)
{
    struct linux_op *op;

    while ((op = s->waiters) != NULL) {
        s->waiters = op->next;
        linux_answer_later(op);
    }
}

/* Docker's exit code for a container that never ran and was stopped. */
static void stop_created(struct linux_system *s)
{
    struct error err = {0};

    s->state = HCS_STOPPED;
    s->outcome.finished_wall_ns = clock_wall_ns(&s->host->clock);
    linux_record_write(s, LINUX_STOPPED, NULL, &s->outcome, &err);
}

static void wait_for_end(struct linux_op *op)
{
    struct linux_op **end = &op->system->waiters;

    while (*end)
        end = &(*end)->next;
    op->next = NULL;
    *end = op;
}

static void on_grace_over(uv_timer_t *timer)
{
    struct linux_system *s = timer->data;

    linux_cancel_timer(s);
    linux_kill(s, SIGKILL);
}

void linux_shut_down(struct linux_op *op)
{
    struct linux_system *s = op->system;
    int number = op->text ? document_signal_number(op->text) : s->document.stop_signal_number;
    int64_t grace_ms = op->number >= 0 ? op->number : s->document.stop_grace_ns / (int64_t)NS_PER_MS;

    if (s->state == HCS_CREATED)
        stop_created(s);
    if (s->state == HCS_STOPPED || number < 0) {
        if (number < 0)
            error_set(&op->err, ERR_INVALID, "Invalid signal: %s", op->text);
        linux_answer_later(op);
        return;
    }
    op->deadline_ns = uv_hrtime() + (uint64_t)grace_ms * NS_PER_MS + hcs_operation_deadline_ms(op->operation) * NS_PER_MS;
    linux_kill(s, number);
    if (s->state == HCS_PAUSED) {
        cleanup_free char *cgroup = mem_format("%s/%s", s->host->cgroup_parent, s->id);
        cgroup_thaw(s->host->is_cgroup_v2, cgroup);
    }
    if (!s->is_init_gone && !s->is_settled && (!s->timer || uv_timer_get_due_in(s->timer) > (uint64_t)grace_ms))
        start_timer(s, (uint64_t)grace_ms, on_grace_over);
    wait_for_end(op);
}

void linux_terminate(struct linux_op *op)
{
    struct linux_system *s = op->system;

    if (s->state == HCS_CREATED)
        stop_created(s);
    if (s->state == HCS_STOPPED) {
        linux_answer_later(op);
        return;
    }
    linux_kill(s, SIGKILL);
    wait_for_end(op);
}
