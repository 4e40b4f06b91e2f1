/* runtime/linux/queue.c – the turn of each operation: into its system's queue, onto a worker where it blocks, back to its caller. On the
 * loop.
 *
 * One at a time on each system, in the order asked for. Only an end does not wait: a terminate acts at once on what runs, and a start that
 * is under way or waits for its turn is given up for it. */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "runtime/linux/linux.h"

/* --- operations --- */

struct linux_op *linux_op_new(struct linux_host *host, enum hcs_operation operation, const char *id, void *ctx)
{
    struct linux_op *op = mem_alloc(sizeof *op);

    op->host = host;
    op->operation = operation;
    op->ctx = ctx;
    op->work.data = op;
    op->system = id ? linux_find(host, id) : NULL;
    if (op->system)
        op->system->references++;
    else if (id)
        error_set(&op->err, ERR_NOT_FOUND, "No such container: %s", id);
    op->deadline_ns = uv_hrtime() + hcs_operation_deadline_ms(operation) * NS_PER_MS;
    op->next_open = host->open_ops;
    host->open_ops = op;
    return op;
}

void linux_op_free(struct linux_op *op)
{
    struct linux_op **place = &op->host->open_ops;

    while (*place != op)
        place = &(*place)->next_open;
    *place = op->next_open;
    for (size_t i = 0; i < op->file_count; i++) {
        mem_wipe((void *)op->files[i].content.data, op->files[i].content.size);
        free((void *)op->files[i].content.data);
        free((void *)op->files[i].target);
    }
    free(op->files);
    free(op->text);
    free(op->outcome.error);
    cJSON_Delete(op->json);
    arena_deinit(&op->arena);
    if (op->system)
        linux_system_release(op->system);
    free(op);
}

static void answer_properties(struct linux_op *op)
{
    cleanup_arena struct arena arena = {0};
    struct hcs_properties properties;

    linux_properties(op->system, &arena, &properties);
    if (op->flag && op->statistics.cpu_total_ns)
        properties.statistics = &op->statistics;
    op->properties_done(op->ctx, &properties, NULL);
}

static void answer_enumerate(struct linux_op *op)
{
    cleanup_arena struct arena arena = {0};
    struct linux_host *host = op->host;
    struct hcs_properties *all = mem_array(HASH_COUNT(host->systems) + 1, sizeof *all);
    size_t n = 0;

    for (struct linux_system *s = host->systems; s; s = s->hh.next)
        if (s->is_made && (!op->text || strcmp(s->document.owner, op->text) == 0))
            linux_properties(s, &arena, &all[n++]);
    op->enumerate_done(op->ctx, all, n, NULL);
    free(all);
}

void linux_op_answer(struct linux_op *op)
{
    const struct error *err = op->err.code ? &op->err : NULL;

    if (op->is_answered)
        return;
    op->is_answered = true;
    if (op->done)
        op->done(op->ctx, err);
    else if (op->properties_done && err)
        op->properties_done(op->ctx, NULL, err);
    else if (op->properties_done)
        answer_properties(op);
    else if (op->enumerate_done && err)
        op->enumerate_done(op->ctx, NULL, 0, err);
    else if (op->enumerate_done)
        answer_enumerate(op);
}

void linux_answer_later(struct linux_op *op)
{
    struct linux_op **end = &op->host->answers;

    while (*end)
        end = &(*end)->next;
    op->next = NULL;
    *end = op;
    uv_async_send(&op->host->answer_async);
}

void linux_expire(struct linux_host *host)
{
    uint64_t now = uv_hrtime();
    bool again = true;

    while (again) { /* an answer may ask for more: begin anew after each */
        again = false;
        for (struct linux_op *op = host->open_ops; op && !again; op = op->next_open) {
            if (op->is_answered || op->is_release || op->deadline_ns > now)
                continue;
            struct linux_op late = {.done = op->done, /* the rest may be a worker's now */
                                    .properties_done = op->properties_done,
                                    .enumerate_done = op->enumerate_done,
                                    .ctx = op->ctx};
            error_set(&late.err, ERR_DEADLINE, "%s: no answer in time", hcs_operation_shown(op->operation));
            op->is_answered = again = true; /* it goes on; what comes of it is seen in the properties */
            linux_op_answer(&late);
        }
    }
}

/* --- onto a worker and back --- */

static void on_work(uv_work_t *work)
{
    struct linux_op *op = work->data;

    linux_parts_of(op).work(op);
}

static void on_worked(uv_work_t *work, int status);

void linux_to_worker(struct linux_op *op)
{
    op->is_in_worker = true;
    free(op->outcome.error); /* a remove may go there twice */
    op->outcome = op->system->outcome;
    op->outcome.error = op->system->outcome.error ? mem_string(op->system->outcome.error) : NULL;
    op->host->open_handles++;
    uv_queue_work(op->host->loop, &op->work, on_work, on_worked);
}

static void next_start(struct linux_host *host)
{
    while (!host->is_tidying && host->waiting_starts && host->starts < CONTAINER_STARTS_PARALLEL_COUNT) {
        struct linux_op *op = host->waiting_starts;
        host->waiting_starts = op->next;
        host->starts++;
        linux_to_worker(op);
    }
}

static void end_stop_fd(struct linux_system *s)
{
    if (s->stop_fd >= 0)
        close(s->stop_fd);
    s->stop_fd = -1;
}

/* The last system is gone, and the bridge and the parent cgroup with it: decided now, as many may have been removed at once. */
static bool begin_tidying(struct linux_op *op)
{
    struct linux_host *host = op->host;

    if (op->operation != HCS_OP_REMOVE || op->is_tidying || op->err.code || host->systems || host->is_tidying || host->is_closing)
        return false;
    op->is_tidying = host->is_tidying = true;
    linux_to_worker(op);
    return true;
}

static void on_worked(uv_work_t *work, int status)
{
    struct linux_op *op = work->data;
    struct linux_host *host = op->host;
    struct linux_system *s = op->system;
    bool is_sample = op->operation == HCS_OP_PROPERTIES;

    (void)status;
    s->references++;
    op->is_in_worker = false;
    host->open_handles--;
    if (!is_sample)
        s->is_busy = false;
    linux_parts_of(op).apply(op);
    if (host->is_closing && !op->err.code)
        error_set(&op->err, ERR_CANCELED, "the runtime is closing");
    if (op->operation == HCS_OP_START) {
        host->starts--;
        end_stop_fd(s);
    }
    next_start(host);
    if (!begin_tidying(op)) {
        linux_op_answer(op);
        linux_op_free(op);
    }
    linux_pump(s);
    linux_system_release(s);
}

static void queue_start(struct linux_op *op)
{
    struct linux_op **end = &op->host->waiting_starts;

    while (*end)
        end = &(*end)->next;
    op->next = NULL;
    *end = op;
    op->system->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    next_start(op->host);
}

/* On its worker it ends as soon as it looks; one that waits for its turn ends here. */
static void give_up_start(struct linux_system *s)
{
    struct linux_op **place = &s->host->waiting_starts, *op;

    if (s->stop_fd < 0)
        return;
    eventfd_write(s->stop_fd, 1);
    while (*place && (*place)->system != s)
        place = &(*place)->next;
    if ((op = *place) == NULL)
        return;
    *place = op->next;
    end_stop_fd(s);
    s->is_busy = false;
    error_set(&op->err, ERR_CANCELED, "terminated before it was started");
    linux_answer_later(op);
}

static bool is_end(const struct linux_op *op)
{
    return op->operation == HCS_OP_TERMINATE || (op->operation == HCS_OP_REMOVE && op->flag);
}

static bool end_is_queued(const struct linux_system *s)
{
    for (const struct linux_op *op = s->queue; op; op = op->next)
        if (is_end(op))
            return true;
    return false;
}

/* --- what each needs before it may begin --- */

static bool refuse(struct linux_op *op, const char *wanted)
{
    error_set(&op->err, ERR_PRECONDITION, "%s: container %s is %s, not %s", hcs_operation_shown(op->operation), op->system->id,
              hcs_state_name(op->system->state), wanted);
    linux_answer_later(op);
    return false;
}

static void do_signal(struct linux_op *op)
{
    int number = document_signal_number(op->text);

    if (number < 0)
        error_set(&op->err, ERR_INVALID, "Invalid signal: %s", op->text);
    else
        linux_kill(op->system, number);
    linux_answer_later(op);
}

/* True when the operation was begun on a worker. */
static bool begin(struct linux_op *op)
{
    struct linux_system *s = op->system;
    bool runs = s->state == HCS_RUNNING || s->state == HCS_PAUSED;

    if (op->is_release) {
        linux_to_worker(op);
        return true;
    }
    switch (op->operation) {
    case HCS_OP_START:
        if (s->state != HCS_CREATED)
            return refuse(op, "Created");
        if (end_is_queued(s)) {
            error_set(&op->err, ERR_CANCELED, "terminated before it was started");
            linux_answer_later(op);
            return false;
        }
        queue_start(op);
        return true;
    case HCS_OP_SHUTDOWN:
        linux_shut_down(op);
        return false;
    case HCS_OP_TERMINATE:
        linux_terminate(op);
        return false;
    case HCS_OP_SIGNAL:
        if (!runs)
            return refuse(op, "running");
        do_signal(op);
        return false;
    case HCS_OP_PAUSE:
        if (s->state != HCS_RUNNING)
            return refuse(op, "Running");
        break;
    case HCS_OP_RESUME:
        if (s->state != HCS_PAUSED)
            return refuse(op, "Paused");
        break;
    case HCS_OP_MODIFY:
        if (!runs)
            return refuse(op, "running");
        break;
    case HCS_OP_REMOVE:
        if (runs)
            return refuse(op, "stopped");
        break;
    default:
        break;
    }
    linux_to_worker(op);
    return true;
}

void linux_pump(struct linux_system *s)
{
    s->references++;
    while (s->queue && !s->is_busy) {
        struct linux_op *op = s->queue;
        bool runs = s->state == HCS_RUNNING || s->state == HCS_PAUSED;
        if (s->is_removed) {
            s->queue = op->next;
            error_set(&op->err, op->operation == HCS_OP_REMOVE ? 0 : ERR_NOT_FOUND, "No such container: %s", s->id);
            linux_answer_later(op);
            continue;
        }
        if (op->operation == HCS_OP_REMOVE && runs && op->flag) {
            if (op->number == 0) {
                op->number = 1; /* killed once: now its end is under way */
                linux_terminate(linux_op_new(s->host, HCS_OP_TERMINATE, s->id, NULL));
            }
            break;
        }
        s->queue = op->next;
        s->is_busy = begin(op);
    }
    linux_system_release(s);
}

void linux_submit(struct linux_op *op)
{
    struct linux_op **end;

    if (op->err.code || !op->system) {
        linux_answer_later(op);
        return;
    }
    if (op->operation == HCS_OP_TERMINATE && (op->system->state == HCS_RUNNING || op->system->state == HCS_PAUSED)) {
        linux_terminate(op); /* whatever else is asked of it */
        return;
    }
    end = &op->system->queue;
    while (*end)
        end = &(*end)->next;
    *end = op;
    if (is_end(op))
        give_up_start(op->system);
    linux_pump(op->system);
}

void linux_submit_first(struct linux_op *op)
{
    op->next = op->system->queue;
    op->system->queue = op;
    linux_pump(op->system);
}
