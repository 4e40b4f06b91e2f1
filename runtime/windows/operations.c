/* runtime/windows/operations.c – the back end's tables, and the two halves of each operation that blocks: what a thread does, and what the
 * loop then makes of it. */
#include <stdlib.h>

#include "base/mem.h"
#include "runtime/windows/host.h"

/* --- a new system --- */

static int system_new(struct compute_host *base, const char *id, const cJSON *json, struct compute_system **out, struct error *err)
{
    struct windows_host *host = (struct windows_host *)base;
    struct windows_system *s;
    cJSON *normal = NULL;

    if (host->missing)
        return error_set(err, ERR_UNSUPPORTED, "%s", host->missing);
    if (document_normalise(json, &normal, err) < 0)
        return err->code;
    s = windows_system_new(host, id);
    s->json = normal;
    if (document_parse(normal, &s->arena, &s->document, err) < 0 || windows_system_choose(s, err) < 0) {
        HASH_DEL(base->systems, &s->base);
        windows_system_free(s);
        return err->code;
    }
    s->base.created_wall_ns = s->document.created_wall_ns ? s->document.created_wall_ns : clock_wall_ns(&host->clock);
    *out = &s->base;
    return 0;
}

static void system_free(struct compute_system *s)
{
    windows_system_free((struct windows_system *)s);
}

/* --- on a thread --- */

#define OP_OF(job) ((struct windows_op *)((char *)(job)-offsetof(struct windows_op, job)))

typedef void work_fn(struct windows_op *op);

static work_fn *work_of(const struct compute_operation *op)
{
    static work_fn *const tasks[] = {[COMPUTE_RELEASE] = windows_work_release,
                                     [WINDOWS_TASK_KILL] = windows_work_kill,
                                     [WINDOWS_TASK_STOP] = windows_work_signal,
                                     [WINDOWS_TASK_LOOK] = windows_work_look};

    if (op->task != COMPUTE_ASKED)
        return tasks[op->task];
    switch (op->operation) {
    case HCS_OP_CREATE:
        return windows_work_create;
    case HCS_OP_START:
        return windows_work_start;
    case HCS_OP_REMOVE:
        return windows_work_remove;
    case HCS_OP_PAUSE:
    case HCS_OP_RESUME:
        return windows_work_pause;
    case HCS_OP_MODIFY:
        return windows_work_modify;
    case HCS_OP_SIGNAL:
        return windows_work_signal;
    default:
        return windows_work_sample;
    }
}

static void on_work(struct windows_job *job)
{
    work_of (&OP_OF(job)->base)(OP_OF(job));
}

static void on_worked(struct windows_job *job)
{
    compute_return(&OP_OF(job)->base);
}

static bool begin(struct compute_operation *base)
{
    struct windows_op *op = (struct windows_op *)base;
    struct windows_system *s = windows_system_of(op);

    if (base->operation == HCS_OP_START)
        atomic_store(&s->is_given_up, false);
    if (base->task != COMPUTE_RELEASE) {
        op->run = s->run;
        op->outcome = s->outcome;
        op->outcome.error = mem_string(s->outcome.error);
    }
    op->job.work = on_work;
    op->job.done = on_worked;
    windows_pool_submit(s->host->pool, &op->job);
    return true;
}

/* --- back on the loop --- */

/* HCS let go of it, or did not: then those who wait are told, and it runs on for all we know. */
static void apply_kill(struct windows_op *op)
{
    struct windows_system *s = windows_system_of(op);

    if (op->base.err.code)
        compute_answer_waiters(&s->base, &op->base.err);
    else if (compute_runs(&s->base) && !s->is_ending)
        windows_begin_release(s, NULL, NULL);
}

static void apply_look(struct windows_op *op)
{
    struct windows_system *s = windows_system_of(op);

    s->is_looked_at = false;
    if (op->is_watch_lost) {
        s->watches = op->watches;
        s->is_watch_lost = false;
    }
    if (op->has_exited && compute_runs(&s->base) && !s->is_ending)
        windows_begin_release(s, op->base.text, NULL);
}

static void apply(struct compute_operation *base)
{
    struct windows_op *op = (struct windows_op *)base;
    struct windows_system *s = windows_system_of(op);
    bool is_release = base->task == COMPUTE_RELEASE;

    if (is_release || (base->task == COMPUTE_ASKED && base->operation == HCS_OP_START)) {
        s->run = op->run;
        s->watches = is_release ? (struct windows_watches){0} : op->watches;
        windows_take_outcome(s, op);
    } else if (base->task == WINDOWS_TASK_KILL) {
        apply_kill(op);
    } else if (base->task == WINDOWS_TASK_LOOK) {
        apply_look(op);
    }
}

static void started(struct compute_system *s)
{
    uv_async_send(&s->host->wake); /* its exit may be among the news already */
}

static void give_up(struct compute_system *s)
{
    atomic_store(&((struct windows_system *)s)->is_given_up, true);
}

static const struct hcs_statistics *statistics(struct compute_operation *base)
{
    struct windows_op *op = (struct windows_op *)base;

    if (!op->answer.has_statistics)
        return NULL;
    op->answer.statistics.memory_limit_bytes = (uint64_t)windows_system_of(op)->document.linux_.memory_bytes;
    return &op->answer.statistics;
}

static void operation_deinit(struct compute_operation *base)
{
    struct windows_op *op = (struct windows_op *)base;

    free(op->outcome.error);
    arena_deinit(&op->arena);
}

const struct compute_ops windows_compute_ops = {
    .operation_size = sizeof(struct windows_op),
    .operation_deinit = operation_deinit,
    .system_new = system_new,
    .system_free = system_free,
    .properties = windows_properties,
    .statistics = statistics,
    .begin = begin,
    .apply = apply,
    .started = started,
    .start_give_up = give_up,
    .created_stopped = windows_created_stopped,
    .stop = windows_stop,
    .end = windows_end,
    .tick = windows_tick,
    .woken = windows_woken,
    .closing = windows_closing,
    .let_go = give_up,
    .drain = windows_drain,
    .host_free = windows_host_free,
};

static void probe(const struct hcs *hcs, struct hcs_host *out)
{
    const struct windows_host *host = (const struct windows_host *)hcs;

    *out = (struct hcs_host)
    {
        .back_end = "windows", .os = "windows",
#if defined(__aarch64__)
        .architecture = "arm64",
#else
        .architecture = "amd64",
#endif
        .os_version = host->os_version, .offers_process = host->missing == NULL, .process_missing = host->missing,
        .offers_hyperv = host->missing == NULL && host->offers_hyperv && host->legacy.ops,
        .hyperv_missing =
            host->missing ? host->missing : "no hypervisor runs: enable the Hyper-V feature (in a virtual machine nested virtualization)",
        .versions = host->versions
    };
}

const struct hcs_ops windows_ops = {
    COMPUTE_HCS_OPS,
    .process_create = windows_process_create,
    .process_signal = windows_process_signal,
    .process_wait = windows_process_wait,
    .process_pid = windows_process_pid,
    .process_close = windows_process_close,
    .probe = probe,
};
