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
    uv_async_send(&s->base.host->wake);
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
    struct windows_op *op = (struct windows_op *)compute_operation_new(&s->host->base, HCS_OP_TERMINATE, s->id, NULL);

    s->is_ending = true;
    compute_timer_cancel(&s->base);
    op->base.task = COMPUTE_RELEASE;
    op->base.text = mem_string(process_status);
    op->run = s->run;
    op->watches = s->watches;
    op->outcome = s->outcome;
    op->outcome.error = error;
    compute_submit_first(&op->base);
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
    if (!compute_runs(&s->base) || s->is_ending)
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

    return s && s->base.state == HCS_CREATED && s->base.is_busy;
}

void windows_take_news(struct windows_host *host)
{
    struct windows_news *all, *next;

    uv_mutex_lock(&host->news_lock);
    all = steal(&host->news);
    uv_mutex_unlock(&host->news_lock);
    for (; all; all = next) {
        next = all->next;
        if (!host->base.is_closing && is_early(host, all)) {
            append(host, all);
            continue;
        }
        if (!host->base.is_closing)
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
    for (struct windows_system *s = windows_first(host); s; s = s->base.hh.next) {
        struct windows_op *op;
        if (!compute_runs(&s->base) || s->is_ending || s->is_looked_at)
            continue;
        s->is_looked_at = true;
        op = (struct windows_op *)compute_operation_new(&host->base, HCS_OP_PROPERTIES, s->id, NULL);
        op->base.task = WINDOWS_TASK_LOOK;
        op->is_watch_lost = s->is_watch_lost || !s->watches.process;
        op->watches = s->watches;
        compute_begin_beside(&op->base);
    }
}

/* --- shut down, terminate --- */

/* Docker's exit code for a container that never ran and was stopped. */
void windows_created_stopped(struct compute_system *system)
{
    struct windows_system *s = (struct windows_system *)system;
    struct error err = {0};

    s->outcome.exit_code = EXIT_NEVER_STARTED;
    s->outcome.finished_wall_ns = clock_wall_ns(&s->host->clock);
    if (windows_record_write(s, WINDOWS_PHASE_STOPPED, NULL, &s->outcome, &err) < 0)
        log_with(LOG_WARN, "runtime", LOG_FIELDS({"container", s->id}), "its record could not be written: %s", err.message);
}

static void ask_to_stop(const struct windows_system *s, const char *signal)
{
    struct compute_operation *op = compute_operation_new(&s->host->base, HCS_OP_SIGNAL, s->id, NULL);

    op->task = WINDOWS_TASK_STOP;
    op->text = mem_string(signal);
    compute_begin_beside(op);
}

/* What knows no event ends it at once. */
int windows_stop(struct compute_system *system, const char *signal, int64_t *grace_ms, bool *is_ending, struct error *err)
{
    const struct windows_system *s = (const struct windows_system *)system;
    const char *asked = signal ? signal : s->document.stop_signal, *event = NULL;

    if (windows_signal_name(asked, &event, err) < 0)
        return err->code;
    *is_ending = s->is_ending;
    if (*grace_ms < 0)
        *grace_ms = s->document.stop_grace_ns / (int64_t)NS_PER_MS;
    if (!event)
        *grace_ms = 0;
    else if (!s->is_ending)
        ask_to_stop(s, asked);
    return 0;
}

void windows_end(struct compute_system *system)
{
    const struct windows_system *s = (const struct windows_system *)system;
    struct compute_operation *op;

    if (s->is_ending)
        return;
    op = compute_operation_new(system->host, HCS_OP_TERMINATE, s->id, NULL);
    op->task = WINDOWS_TASK_KILL;
    compute_begin_beside(op);
}
