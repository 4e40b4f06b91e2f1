/* runtime/compute/queue.c – the turn of each operation: into its system's queue, onto a thread where it blocks, back to its caller.
 *
 * One at a time on each system, in the order asked for. Only an end does not wait: a terminate acts at once on what runs, and a start that
 * is under way or waits for its turn is given up for it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "runtime/compute/compute.h"

/* --- operations --- */

struct compute_operation *compute_operation_new(struct compute_host *host, enum hcs_operation operation, const char *id, void *ctx)
{
    struct compute_operation *op = mem_alloc(host->ops->operation_size);

    op->host = host;
    op->operation = operation;
    op->ctx = ctx;
    op->system = id ? compute_find(host, id) : NULL;
    if (op->system)
        op->system->references++;
    else if (id)
        error_set(&op->err, ERR_NOT_FOUND, "No such container: %s", id);
    op->deadline_ns = uv_hrtime() + hcs_operation_deadline_ms(operation) * NS_PER_MS;
    op->next_open = host->open;
    host->open = op;
    return op;
}

void compute_operation_free(struct compute_operation *op)
{
    struct compute_operation **place = &op->host->open;

    while (*place != op)
        place = &(*place)->next_open;
    *place = op->next_open;
    op->host->ops->operation_deinit(op);
    for (size_t i = 0; i < op->file_count; i++) {
        mem_wipe((void *)(uintptr_t)op->files[i].content.data, op->files[i].content.size);
        free((void *)(uintptr_t)op->files[i].content.data);
        free((void *)(uintptr_t)op->files[i].target);
    }
    free(op->files);
    free(op->text);
    cJSON_Delete(op->json);
    if (op->system)
        compute_system_release(op->system);
    free(op);
}

void compute_append(struct compute_operation **list, struct compute_operation *op)
{
    while (*list)
        list = &(*list)->next;
    op->next = NULL;
    *list = op;
}

/* --- answers --- */

static void answer_properties(struct compute_operation *op)
{
    cleanup_arena struct arena arena = {0};
    struct hcs_properties properties;

    op->host->ops->properties(op->system, &arena, &properties);
    if (op->is_statistics)
        properties.statistics = op->host->ops->statistics(op);
    op->properties_done(op->ctx, &properties, NULL);
}

static void answer_enumerate(struct compute_operation *op)
{
    cleanup_arena struct arena arena = {0};
    struct compute_host *host = op->host;
    struct hcs_properties *all = mem_array(HASH_COUNT(host->systems) + 1, sizeof *all);
    size_t n = 0;

    for (struct compute_system *s = host->systems; s; s = s->hh.next) {
        if (!s->is_made)
            continue;
        host->ops->properties(s, &arena, &all[n]);
        if (!op->text || strcmp(all[n].owner, op->text) == 0)
            n++;
    }
    op->enumerate_done(op->ctx, all, n, NULL);
    free(all);
}

void compute_answer(struct compute_operation *op)
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

void compute_answer_later(struct compute_operation *op)
{
    compute_append(&op->host->answers, op);
    uv_async_send(&op->host->wake);
}

void compute_answer_all(struct compute_host *host)
{
    struct compute_operation *op, *all = steal(&host->answers); /* what is asked for from now on is answered the next time */

    while ((op = all) != NULL) {
        all = op->next;
        compute_answer(op);
        compute_operation_free(op);
    }
}

void compute_expire(struct compute_host *host)
{
    uint64_t now = uv_hrtime();
    bool again = true;

    while (again) { /* an answer may ask for more: begin anew after each */
        again = false;
        for (struct compute_operation *op = host->open; op && !again; op = op->next_open) {
            if (op->is_answered || op->deadline_ns > now)
                continue;
            struct compute_operation late = {.done = op->done, /* the rest may be a thread's now */
                                             .properties_done = op->properties_done,
                                             .enumerate_done = op->enumerate_done,
                                             .ctx = op->ctx};
            error_set(&late.err, ERR_DEADLINE, "%s: no answer in time", hcs_operation_shown(op->operation));
            op->is_answered = again = true; /* it goes on; what comes of it is seen in the properties */
            compute_answer(&late);
        }
    }
}

/* --- onto a thread and back --- */

bool compute_begin(struct compute_operation *op)
{
    op->is_under_way = true;
    op->host->open_handles++;
    if (op->host->ops->begin(op))
        return true;
    op->is_under_way = false;
    op->host->open_handles--;
    compute_answer_later(op);
    return false;
}

void compute_begin_beside(struct compute_operation *op)
{
    op->is_beside = true;
    compute_begin(op);
}

static bool is_start(const struct compute_operation *op)
{
    return op->operation == HCS_OP_START && op->task == COMPUTE_ASKED;
}

static void next_start(struct compute_host *host)
{
    while (host->waiting_starts && host->starts < CONTAINER_STARTS_PARALLEL_COUNT && !host->holds_starts && !host->is_closing) {
        struct compute_operation *op = host->waiting_starts;
        bool is_begun;
        host->waiting_starts = op->next;
        host->starts++;
        is_begun = compute_begin(op);
        assert(is_begun);
        (void)is_begun;
    }
}

void compute_return(struct compute_operation *op)
{
    struct compute_host *host = op->host;
    struct compute_system *s = op->system;

    s->references++;
    op->is_under_way = false;
    host->open_handles--;
    if (!op->is_beside)
        s->is_busy = false;
    compute_apply(op);
    if (host->is_closing && !op->err.code)
        error_set(&op->err, ERR_CANCELED, "the runtime is closing");
    if (is_start(op))
        host->starts--;
    next_start(host);
    if (!host->ops->goes_on || !host->ops->goes_on(op)) {
        compute_answer(op);
        compute_operation_free(op);
    }
    compute_pump(s);
    compute_system_release(s);
}

/* --- starts, which are given up for an end --- */

static void cancel_start(struct compute_operation *op)
{
    error_set(&op->err, ERR_CANCELED, "terminated before it was started");
    compute_answer_later(op);
}

/* One that waits for its turn ends here, one on its thread as soon as it looks. */
static void give_up_start(struct compute_system *s)
{
    struct compute_operation **place = &s->host->waiting_starts, *op;

    while (*place && (*place)->system != s)
        place = &(*place)->next;
    if ((op = *place) == NULL) {
        s->host->ops->start_give_up(s);
        return;
    }
    *place = op->next;
    s->is_busy = false;
    cancel_start(op);
}

static bool is_end(const struct compute_operation *op)
{
    return op->operation == HCS_OP_TERMINATE || (op->operation == HCS_OP_REMOVE && op->is_forced);
}

static bool end_is_queued(const struct compute_system *s)
{
    for (const struct compute_operation *op = s->queue; op; op = op->next)
        if (is_end(op))
            return true;
    return false;
}

static bool begin_start(struct compute_operation *op)
{
    if (end_is_queued(op->system)) {
        cancel_start(op);
        return false;
    }
    compute_append(&op->host->waiting_starts, op);
    next_start(op->host);
    return true;
}

/* --- what each needs before it may begin --- */

/* The state that is missing, as a person is told of it; NULL: none is. */
static const char *missing_state(const struct compute_operation *op)
{
    const struct compute_system *s = op->system;

    switch (op->operation) {
    case HCS_OP_START:
        return s->state == HCS_CREATED ? NULL : "Created";
    case HCS_OP_PAUSE:
        return s->state == HCS_RUNNING ? NULL : "Running";
    case HCS_OP_RESUME:
        return s->state == HCS_PAUSED ? NULL : "Paused";
    case HCS_OP_SIGNAL:
    case HCS_OP_MODIFY:
        return compute_runs(s) ? NULL : "running";
    case HCS_OP_REMOVE:
        return compute_runs(s) ? "stopped" : NULL;
    default:
        return NULL;
    }
}

static void refuse(struct compute_operation *op, const char *wanted)
{
    error_set(&op->err, ERR_PRECONDITION, "%s: container %s is %s, not %s", hcs_operation_shown(op->operation), compute_id(op->system),
              hcs_state_name(op->system->state), wanted);
    compute_answer_later(op);
}

/* True when the queue has to wait for it. */
static bool take_turn(struct compute_operation *op)
{
    const char *wanted;

    if (op->task != COMPUTE_ASKED)
        return compute_begin(op);
    wanted = missing_state(op);
    if (wanted)
        refuse(op, wanted);
    else if (op->operation == HCS_OP_SHUTDOWN)
        compute_shut_down(op);
    else if (op->operation == HCS_OP_TERMINATE)
        compute_terminate(op);
    else
        return op->operation == HCS_OP_START ? begin_start(op) : compute_begin(op);
    return false;
}

/* A forced remove of what runs waits at the head of the queue, having it ended once. */
static bool waits_for_end(struct compute_operation *op)
{
    struct compute_system *s = op->system;

    if (op->operation != HCS_OP_REMOVE || !op->is_forced || !compute_runs(s))
        return false;
    if (!op->has_ended) {
        op->has_ended = true;
        compute_terminate(compute_operation_new(s->host, HCS_OP_TERMINATE, compute_id(s), NULL));
    }
    return true;
}

void compute_pump(struct compute_system *s)
{
    s->references++;
    while (s->queue && !s->is_busy) {
        struct compute_operation *op = s->queue;
        if (s->is_removed) {
            s->queue = op->next;
            error_set(&op->err, op->operation == HCS_OP_REMOVE ? 0 : ERR_NOT_FOUND, "No such container: %s", compute_id(s));
            compute_answer_later(op);
            continue;
        }
        if (waits_for_end(op))
            break;
        s->queue = op->next;
        s->is_busy = take_turn(op);
    }
    compute_system_release(s);
}

void compute_submit(struct compute_operation *op)
{
    if (op->err.code || !op->system) {
        compute_answer_later(op);
        return;
    }
    if (op->operation == HCS_OP_TERMINATE && compute_runs(op->system)) {
        compute_terminate(op); /* whatever else is asked of it */
        return;
    }
    compute_append(&op->system->queue, op);
    if (is_end(op))
        give_up_start(op->system);
    compute_pump(op->system);
}

void compute_submit_first(struct compute_operation *op)
{
    op->next = op->system->queue;
    op->system->queue = op;
    compute_pump(op->system);
}
