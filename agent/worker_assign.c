/* What the manager wants: tasks that are new, changed or gone, in changes or as a whole set. */
#include <stdlib.h>
#include <string.h>

#include "agent/assignments.h"
#include "agent/worker_inside.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/mutant.h"

static bool is_same(const Task *a, const Task *b)
{
    cleanup_buf struct buf packed = {0};
    size_t size = docker__swarmkit__v1__task__get_packed_size(a);
    if (docker__swarmkit__v1__task__get_packed_size(b) != size)
        return false;
    uint8_t *first = buf_reserve(&packed, 2 * size + 1);
    docker__swarmkit__v1__task__pack(a, first);
    docker__swarmkit__v1__task__pack(b, first + size);
    return memcmp(first, first + size, size) == 0;
}

static TaskStatus *steal_status(Task *proto)
{
    TaskStatus *status = proto->status;
    proto->status = NULL;
    return status;
}

static void drop_again(struct entry *entry)
{
    if (entry->again)
        docker__swarmkit__v1__task__free_unpacked(entry->again, NULL);
    entry->again = NULL;
}

/* A task that is known: the newest spec, and what is desired only upwards. What is being pulled has borrowed from the old one. */
static void update_entry(struct entry *entry, Task *proto)
{
    if (entry->task.is_leaving) { /* what has begun is ended; then it is a new task again, and what became of it is told */
        drop_again(entry);
        entry->again = proto;
        return;
    }
    TaskStatus *status = steal_status(proto);
    if (status)
        docker__swarmkit__v1__task_status__free_unpacked(status, NULL);
    if ((int)proto->desired_state < entry->task.desired)
        proto->desired_state = (Docker__Swarmkit__V1__TaskState)entry->task.desired;
    if (entry->pull || is_same(entry->proto, proto)) {
        task_desire(&entry->task, (int)proto->desired_state);
        if (entry->proto->desired_state != proto->desired_state) {
            entry->proto->desired_state = proto->desired_state;
            worker_write_task(entry);
        }
        docker__swarmkit__v1__task__free_unpacked(proto, NULL);
        worker_mark(entry);
        return;
    }
    HASH_DEL(entry->worker->entries, entry); /* its key is the old one's id */
    docker__swarmkit__v1__task__free_unpacked(entry->proto, NULL);
    entry->proto = proto;
    entry->stop_after_ns = worker_read_stop_after(proto);
    HASH_ADD_KEYPTR(hh, entry->worker->entries, proto->id, strlen(proto->id), entry);
    task_desire(&entry->task, (int)proto->desired_state);
    worker_write_task(entry); /* also while the first write is under way: that one has the old bytes, and sequences tell them apart */
    worker_mark(entry);
}

void worker_accept(struct worker *worker, Task *proto)
{
    if (worker->is_draining) { /* neither acknowledged nor kept: the manager has it go on here later, or elsewhere */
        docker__swarmkit__v1__task__free_unpacked(proto, NULL);
        return;
    }
    TaskStatus *status = steal_status(proto);
    struct entry *entry = worker_add_entry(worker, proto, status, true);
    const struct container_node node = worker_node(worker);
    struct error err = {0};
    worker->stats.assigned++;
    worker_adopt_stranger(entry);
    if (task_state(&entry->task) > TASK_ASSIGNED)
        worker_write_task(entry);
    if (task_is_final(&entry->task) || entry->task.desired >= TASK_NUMBER_SHUTDOWN || container_check(proto, &node, &err) == 0)
        return;
    if (task_state(&entry->task) == TASK_ASSIGNED)
        worker_write_task(entry);
    task_refuse(&entry->task, "resolving controller failed", err.message, worker_now(worker));
}

void worker_leave(struct entry *entry)
{
    drop_again(entry);
    if (entry->task.is_leaving)
        return;
    task_leave(&entry->task);
    task_store_unassign(entry->worker->store, entry->proto->id);
    worker_mark(entry);
}

static void leave_missing(struct worker *worker)
{
    struct entry *entry = NULL, *next = NULL;
    HASH_ITER (hh, worker->entries, entry, next)
        if (!entry->is_listed)
            worker_leave(entry);
}

static void release_all(struct worker *worker)
{
    struct entry *entry = NULL, *next = NULL;
    HASH_ITER (hh, worker->entries, entry, next)
        if (entry->task.is_held) {
            task_release(&entry->task, worker_now(worker));
            worker_mark(entry);
        }
}

void worker_assign(struct worker *worker, struct assignment_changes *changes)
{
    struct entry *entry = NULL, *next = NULL;
    HASH_ITER (hh, worker->entries, entry, next)
        entry->is_listed = false;
    for (size_t i = 0; i < changes->updated_count; i++) {
        Task *proto = assignment_changes_steal_task(changes, i);
        entry = worker_entry(worker, proto->id);
        cleanup_free char *id = mem_string(proto->id);
        if (entry)
            update_entry(entry, proto);
        else
            worker_accept(worker, proto);
        if ((entry = worker_entry(worker, id)))
            entry->is_listed = true;
    }
    for (size_t i = 0; i < changes->removed_count && !CLUSTER_MUTANT(IGNORE_REMOVALS); i++)
        if ((entry = worker_entry(worker, changes->tasks_removed[i])))
            worker_leave(entry);
    if (changes->is_complete) {
        worker->has_complete = true;
        release_all(worker);
        if (!CLUSTER_MUTANT(KEEP_ON_COMPLETE))
            leave_missing(worker);
        if (worker->is_observed)
            worker_remove_strangers(worker);
    }
    worker_schedule(worker);
}
