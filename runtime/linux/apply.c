/* runtime/linux/apply.c – the two halves of each operation that blocks: what a worker does, and what the loop then makes of it. */
#include <stdlib.h>

#include "base/mem.h"
#include "runtime/linux/cgroup.h"
#include "runtime/linux/linux.h"

static void apply_create(struct linux_op *op)
{
    struct linux_system *s = op->system;

    if (op->err.code) {
        HASH_DEL(op->host->systems, s);
        s->is_removed = true;
        return;
    }
    s->is_made = true;
    linux_emit(s, HCS_EVENT_CREATED);
}

static void apply_start(struct linux_op *op)
{
    struct linux_system *s = op->system;

    s->run = op->run;
    linux_take_outcome(s, op);
    if (op->err.code) {
        s->state = HCS_STOPPED;
        linux_logs_finish(op->host, s->id);
        return;
    }
    s->state = HCS_RUNNING;
    linux_emit(s, HCS_EVENT_STARTED);
    linux_watch_run(s);
}

static void apply_release(struct linux_op *op)
{
    struct linux_system *s = op->system;

    s->run.endpoint = op->run.endpoint;
    linux_take_outcome(s, op);
    s->state = HCS_STOPPED;
    linux_logs_finish(op->host, s->id);
    linux_emit(s, HCS_EVENT_EXITED);
    linux_stop_waiting(s);
}

static void apply_remove(struct linux_op *op)
{
    struct linux_system *s = op->system;

    if (op->err.code)
        return;
    HASH_DEL(op->host->systems, s);
    s->is_removed = true;
    linux_logs_finish(op->host, s->id);
    linux_emit(s, HCS_EVENT_REMOVED);
}

static void apply_tidy(struct linux_op *op)
{
    op->host->is_tidying = false;
}

static void apply_pause(struct linux_op *op)
{
    struct linux_system *s = op->system;

    if (op->err.code || s->state == HCS_STOPPED)
        return;
    if (op->operation == HCS_OP_PAUSE && s->waiters) { /* what is frozen cannot end */
        cleanup_free char *cgroup = mem_format("%s/%s", s->host->cgroup_parent, s->id);
        cgroup_thaw(s->host->is_cgroup_v2, cgroup);
        error_set(&op->err, ERR_PRECONDITION, "pause: container %s is being stopped", s->id);
        return;
    }
    s->state = op->operation == HCS_OP_PAUSE ? HCS_PAUSED : HCS_RUNNING;
    linux_emit(s, op->operation == HCS_OP_PAUSE ? HCS_EVENT_PAUSED : HCS_EVENT_RESUMED);
}

static void apply_nothing(struct linux_op *op)
{
    (void)op;
}

static void work_sample(struct linux_op *op)
{
    struct linux_system *s = op->system;
    cleanup_free char *cgroup = mem_format("%s/%s", op->host->cgroup_parent, s->id);

    cgroup_statistics(op->host->is_cgroup_v2, cgroup, &op->arena, &op->statistics);
    if (s->document.network.mode != NETWORK_HOST)
        cgroup_network_statistics(op->run.init.pid, &op->arena, &op->statistics);
}

struct linux_parts linux_parts_of(const struct linux_op *op)
{
    if (op->is_release)
        return (struct linux_parts){linux_work_release, apply_release};
    if (op->is_tidying)
        return (struct linux_parts){linux_work_tidy, apply_tidy};
    switch (op->operation) {
    case HCS_OP_CREATE:
        return (struct linux_parts){linux_work_create, apply_create};
    case HCS_OP_START:
        return (struct linux_parts){linux_work_start, apply_start};
    case HCS_OP_REMOVE:
        return (struct linux_parts){linux_work_remove, apply_remove};
    case HCS_OP_PAUSE:
    case HCS_OP_RESUME:
        return (struct linux_parts){linux_work_crun, apply_pause};
    case HCS_OP_MODIFY:
        return (struct linux_parts){linux_work_crun, apply_nothing};
    default:
        return (struct linux_parts){work_sample, apply_nothing};
    }
}
