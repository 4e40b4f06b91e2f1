/* runtime/linux/operations.c – the back end's tables, and the two halves of each operation that blocks: what a worker does, and what the
 * loop then makes of it. */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "runtime/linux/cgroup.h"
#include "runtime/linux/linux.h"

/* --- a new system --- */

static int check_document(const struct document *document, struct error *err)
{
    if (document->is_windows)
        return error_set(err, ERR_UNSUPPORTED, "Skep.Os: a container of Windows does not run on a Linux host");
    if (document->isolation == ISOLATION_HYPERV)
        return error_set(err, ERR_UNSUPPORTED, "Skep.Isolation: this host has no hyperv isolation yet");
    return 0;
}

static int system_new(struct compute_host *base, const char *id, const cJSON *json, struct compute_system **out, struct error *err)
{
    struct linux_host *host = (struct linux_host *)base;
    struct document document = {0};
    struct arena arena = {0};
    struct linux_system *s;
    cJSON *normal = NULL;

    if (document_normalise(json, &normal, err) < 0 || document_parse(normal, &arena, &document, err) < 0 ||
        check_document(&document, err) < 0) {
        cJSON_Delete(normal);
        arena_deinit(&arena);
        return err->code;
    }
    s = linux_system_new(host, id);
    s->json = normal;
    s->arena = arena;
    s->document = document;
    s->base.created_wall_ns = document.created_wall_ns ? document.created_wall_ns : clock_wall_ns(&host->clock);
    *out = &s->base;
    return 0;
}

static void system_free(struct compute_system *s)
{
    linux_system_free((struct linux_system *)s);
}

/* --- on a worker --- */

static void work_sample(struct linux_op *op)
{
    const struct linux_system *s = linux_system_of(op);
    cleanup_free char *cgroup = mem_format("%s/%s", s->host->cgroup_parent, s->id);

    cgroup_statistics(s->host->is_cgroup_v2, cgroup, &op->arena, &op->statistics);
    if (s->document.network.mode != NETWORK_HOST)
        cgroup_network_statistics(op->run.init.pid, &op->arena, &op->statistics);
}

static void on_work(uv_work_t *work)
{
    struct linux_op *op = work->data;

    if (op->base.task == COMPUTE_RELEASE)
        linux_work_release(op);
    else if (op->base.task == LINUX_TASK_TIDY)
        linux_work_tidy(op);
    else if (op->base.operation == HCS_OP_CREATE)
        linux_work_create(op);
    else if (op->base.operation == HCS_OP_START)
        linux_work_start(op);
    else if (op->base.operation == HCS_OP_REMOVE)
        linux_work_remove(op);
    else if (op->base.operation == HCS_OP_PROPERTIES)
        work_sample(op);
    else
        linux_work_crun(op);
}

static void on_worked(uv_work_t *work, int status)
{
    struct linux_op *op = work->data;

    (void)status;
    compute_return(&op->base);
}

static void send_signal(struct linux_op *op)
{
    int number = document_signal_number(op->base.text);

    if (number < 0)
        error_set(&op->base.err, ERR_INVALID, "Invalid signal: %s", op->base.text);
    else
        linux_kill(linux_system_of(op), number);
}

static bool begin(struct compute_operation *base)
{
    struct linux_op *op = (struct linux_op *)base;
    struct linux_system *s = linux_system_of(op);

    if (base->operation == HCS_OP_SIGNAL) {
        send_signal(op);
        return false;
    }
    if (base->operation == HCS_OP_START)
        s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (base->operation == HCS_OP_PROPERTIES)
        op->run.init = s->run.init;
    free(op->outcome.error); /* a remove may go there twice */
    op->outcome = s->outcome;
    op->outcome.error = mem_string(s->outcome.error);
    op->work.data = op;
    uv_queue_work(s->base.host->loop, &op->work, on_work, on_worked);
    return true;
}

/* --- back on the loop --- */

static void refuse_pause(struct linux_op *op)
{
    struct linux_system *s = linux_system_of(op);

    if (!s->base.waiters || op->base.err.code || s->base.state == HCS_STOPPED)
        return;
    linux_thaw(s);
    error_set(&op->base.err, ERR_PRECONDITION, "pause: container %s is being stopped", s->id);
}

static void apply(struct compute_operation *base)
{
    struct linux_op *op = (struct linux_op *)base;
    struct linux_system *s = linux_system_of(op);

    if (base->task == COMPUTE_RELEASE) {
        s->run.endpoint = op->run.endpoint;
        linux_take_outcome(s, op);
    } else if (base->task == LINUX_TASK_TIDY) {
        base->host->holds_starts = false;
    } else if (base->operation == HCS_OP_START) {
        s->run = op->run;
        linux_take_outcome(s, op);
        close(s->stop_fd);
        s->stop_fd = -1;
    } else if (base->operation == HCS_OP_PAUSE) {
        refuse_pause(op);
    }
}

/* The last system is gone, and the bridge and the parent cgroup with it: decided now, as many may have been removed at once. */
static bool goes_on(struct compute_operation *op)
{
    struct compute_host *host = op->host;

    if (op->operation != HCS_OP_REMOVE || op->task != COMPUTE_ASKED || op->err.code || host->systems || host->holds_starts ||
        host->is_closing)
        return false;
    op->task = LINUX_TASK_TIDY;
    host->holds_starts = true;
    return compute_begin(op);
}

static void started(struct compute_system *s)
{
    linux_watch_run((struct linux_system *)s);
}

static void start_give_up(struct compute_system *s)
{
    int stop_fd = ((struct linux_system *)s)->stop_fd;

    if (stop_fd >= 0)
        eventfd_write(stop_fd, 1);
}

static const struct hcs_statistics *statistics(struct compute_operation *base)
{
    const struct linux_op *op = (struct linux_op *)base;

    return op->statistics.cpu_total_ns ? &op->statistics : NULL;
}

static void operation_deinit(struct compute_operation *base)
{
    struct linux_op *op = (struct linux_op *)base;

    free(op->outcome.error);
    arena_deinit(&op->arena);
}

static void let_go(struct compute_system *s)
{
    linux_drop_watches((struct linux_system *)s);
}

const struct compute_ops linux_compute_ops = {
    .operation_size = sizeof(struct linux_op),
    .operation_deinit = operation_deinit,
    .system_new = system_new,
    .system_free = system_free,
    .properties = linux_properties,
    .statistics = statistics,
    .begin = begin,
    .apply = apply,
    .goes_on = goes_on,
    .started = started,
    .start_give_up = start_give_up,
    .created_stopped = linux_created_stopped,
    .stop = linux_stop,
    .end = linux_end,
    .tick = linux_tick,
    .closing = linux_closing,
    .let_go = let_go,
    .host_free = linux_host_free,
};

static void probe(const struct hcs *hcs, struct hcs_host *out)
{
    const struct linux_host *host = (const struct linux_host *)hcs;

    *out = (struct hcs_host)
    {
        .back_end = "linux", .os = "linux",
#if defined(__aarch64__)
        .architecture = "arm64",
#else
        .architecture = "amd64",
#endif
        .os_version = "", .offers_process = host->missing == NULL, .process_missing = host->missing,
        .hyperv_missing = "the microVM back end is not part of this build", .versions = host->versions
    };
}

const struct hcs_ops linux_ops = {
    COMPUTE_HCS_OPS,
    .process_create = linux_process_create,
    .process_signal = linux_process_signal,
    .process_wait = linux_process_wait,
    .process_pid = linux_process_pid,
    .process_close = linux_process_close,
    .probe = probe,
};
