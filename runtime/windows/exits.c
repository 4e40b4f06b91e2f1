/* runtime/windows/exits.c – how a running system's end is learnt, and how it is brought about. On the loop, but for on_event.
 *
 * An end is learnt from an event of HCS, from a look at the system every few seconds (events come twice, late or never), or from the answer
 * to our own terminate; whichever is first begins the release, and the others find that it has begun. A process' end is not its system's:
 * the release ends that too, and only then the exit is announced. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "runtime/windows/host.h"

enum { EXIT_NEVER_STARTED = 0 };

/* --- news from HCS's threads --- */

static void append(struct windows_host *host, struct windows_news *news)
{
    struct windows_news **end = &host->news;

    news->next = NULL;
    uv_mutex_lock(&host->news_lock);
    while (*end)
        end = &(*end)->next;
    *end = news;
    uv_mutex_unlock(&host->news_lock);
}

static void post(const struct windows_system *s, enum windows_watched watched, bool is_lost, const char *data)
{
    struct windows_news *news = mem_alloc(sizeof *news);

    news->id = mem_string(s->id);
    news->is_lost = is_lost;
    news->watched = watched;
    news->data = mem_string(data);
    append(s->host, news);
    uv_async_send(&s->host->async);
}

static void on_event(void *ctx, enum windows_event event, const char *data)
{
    const struct windows_watcher *watcher = ctx;

    post(watcher->system, watcher->watched, event == WINDOWS_LOST, data);
}

void windows_tell_exit(const struct windows_system *s, const char *process_status)
{
    post(s, WINDOWS_WATCHED_PROCESS, false, process_status);
}

struct windows_watch windows_watch_of(struct windows_system *s, enum windows_watched watched)
{
    struct windows_watcher *watcher = &s->watchers[watched];

    *watcher = (struct windows_watcher){s, watched};
    return (struct windows_watch){on_event, watcher};
}

/* @error taken; NULL where it ended as it should. */
static void begin_release(struct windows_system *s, const char *process_status, char *error)
{
    struct windows_op *op = windows_op_new(s->host, HCS_OP_TERMINATE, s->id, NULL);

    s->is_ending = true;
    windows_cancel_timer(s);
    op->task = WINDOWS_TASK_RELEASE;
    op->text = mem_string(process_status);
    op->run = s->run;
    op->watches = s->watches;
    op->outcome = s->outcome;
    op->outcome.error = error;
    windows_submit_first(op);
}

void windows_begin_release(struct windows_system *s, const char *process_status, const char *exit_status)
{
    begin_release(s, process_status, windows_read_exit(exit_status, "the container ended against its will"));
}

static void take(struct windows_host *host, const struct windows_news *news)
{
    struct windows_system *s = windows_find(host, news->id);

    if (!s)
        return;
    if (news->is_lost) {
        s->is_watch_lost = true;
        host->next_look_ns = 0;
        return;
    }
    if (!windows_runs(s) || s->is_ending)
        return;
    if (news->watched == WINDOWS_WATCHED_PROCESS)
        windows_begin_release(s, news->data, NULL);
    else if (news->watched == WINDOWS_WATCHED_SYSTEM)
        windows_begin_release(s, NULL, news->data);
    else
        begin_release(s, NULL, windows_read_exit(news->data, "its utility VM ended against its will"));
}

/* What is said of a start that is under way is kept until it is over. */
static bool is_early(struct windows_host *host, const struct windows_news *news)
{
    const struct windows_system *s = windows_find(host, news->id);

    return s && s->state == HCS_CREATED && s->is_busy;
}

void windows_take_news(struct windows_host *host)
{
    struct windows_news *all, *next;

    uv_mutex_lock(&host->news_lock);
    all = steal(&host->news);
    uv_mutex_unlock(&host->news_lock);
    for (; all; all = next) {
        next = all->next;
        if (!host->is_closing && is_early(host, all)) {
            append(host, all);
            continue;
        }
        if (!host->is_closing)
            take(host, all);
        free(all->id);
        free(all->data);
        free(all);
    }
}

/* --- looking --- */

void windows_look_round(struct windows_host *host)
{
    uint64_t now = uv_hrtime();

    if (now < host->next_look_ns)
        return;
    host->next_look_ns = now + host->poll_ms * NS_PER_MS;
    for (struct windows_system *s = host->systems; s; s = s->hh.next) {
        struct windows_op *op;
        if (!windows_runs(s) || s->is_ending || s->is_looked_at)
            continue;
        s->is_looked_at = true;
        op = windows_op_new(host, HCS_OP_PROPERTIES, s->id, NULL);
        op->task = WINDOWS_TASK_LOOK;
        op->run.pid = s->run.pid;
        op->flag = s->is_watch_lost || !s->watches.process;
        op->watches = s->watches;
        windows_to_pool(op);
    }
}

/* --- the end --- */

void windows_stop_waiting(struct windows_system *s)
{
    struct windows_op *op;

    while ((op = s->waiters) != NULL) {
        s->waiters = op->next;
        windows_answer_later(op);
    }
}

/* --- the grace period --- */

static void on_timer_closed(uv_handle_t *handle)
{
    struct windows_host *host = handle->data;

    host->open_handles--;
    free(handle);
}

void windows_cancel_timer(struct windows_system *s)
{
    if (!s->timer)
        return;
    s->timer->data = s->host;
    uv_close((uv_handle_t *)s->timer, on_timer_closed);
    s->timer = NULL;
}

static void kill_system(struct windows_system *s)
{
    struct windows_op *op = windows_op_new(s->host, HCS_OP_TERMINATE, s->id, NULL);

    op->task = WINDOWS_TASK_KILL;
    windows_to_pool(op);
}

static void on_grace_over(uv_timer_t *timer)
{
    struct windows_system *s = timer->data;

    windows_cancel_timer(s);
    kill_system(s);
}

static void start_timer(struct windows_system *s, uint64_t ms)
{
    windows_cancel_timer(s);
    s->timer = mem_alloc(sizeof *s->timer);
    s->timer->data = s;
    s->host->open_handles++;
    uv_timer_init(s->host->loop, s->timer);
    uv_timer_start(s->timer, on_grace_over, ms, 0);
}

/* --- shut down, terminate --- */

/* Docker's exit code for a container that never ran and was stopped. */
static void stop_created(struct windows_system *s)
{
    struct error err = {0};

    s->state = HCS_STOPPED;
    s->outcome.exit_code = EXIT_NEVER_STARTED;
    s->outcome.finished_wall_ns = clock_wall_ns(&s->host->clock);
    if (windows_record_write(s, WINDOWS_PHASE_STOPPED, NULL, &s->outcome, &err) < 0)
        log_with(LOG_WARN, "runtime", LOG_FIELDS({"container", s->id}), "its record could not be written: %s", err.message);
}

static void wait_for_end(struct windows_op *op)
{
    struct windows_op **end = &op->system->waiters;

    while (*end)
        end = &(*end)->next;
    op->next = NULL;
    *end = op;
}

static void ask_to_stop(struct windows_system *s, const char *signal)
{
    struct windows_op *op = windows_op_new(s->host, HCS_OP_SIGNAL, s->id, NULL);

    op->task = WINDOWS_TASK_STOP;
    op->text = mem_string(signal);
    op->run.pid = s->run.pid;
    windows_to_pool(op);
}

void windows_shut_down(struct windows_op *op)
{
    struct windows_system *s = op->system;
    const char *signal = op->text ? op->text : s->document.stop_signal, *event = NULL;
    int64_t grace_ms = op->number >= 0 ? op->number : s->document.stop_grace_ns / (int64_t)NS_PER_MS;

    if (s->state == HCS_CREATED)
        stop_created(s);
    if (s->state == HCS_STOPPED || windows_signal_name(signal, &event, &op->err) < 0) {
        windows_answer_later(op);
        return;
    }
    op->deadline_ns = uv_hrtime() + (uint64_t)grace_ms * NS_PER_MS + hcs_operation_deadline_ms(op->operation) * NS_PER_MS;
    if (!s->is_ending && event)
        ask_to_stop(s, signal);
    if (!s->is_ending && (!s->timer || uv_timer_get_due_in(s->timer) > (uint64_t)grace_ms))
        start_timer(s, event ? (uint64_t)grace_ms : 0);
    wait_for_end(op);
}

void windows_terminate(struct windows_op *op)
{
    struct windows_system *s = op->system;

    if (s->state == HCS_CREATED)
        stop_created(s);
    if (s->state == HCS_STOPPED) {
        windows_answer_later(op);
        return;
    }
    wait_for_end(op);
    if (!s->is_ending)
        kill_system(s);
}
