/* raft/snapshot_restore.c – a snapshot's file into the state machine: all at once at the start, part by part while the loop runs. */
#include <stdlib.h>

#include "base/mem.h"
#include "raft/node_inside.h"

int snapshot_restore_now(struct raft_node *node, const struct raft_snapshot *meta, struct error *err)
{
    const struct raft_machine *machine = &node->machine;
    struct raft_snapshot_reader *reader;
    struct bytes part;
    uint64_t offset = 0;

    int failed = raft_snapshot_reader_open(&node->store, meta->index, meta->term, &reader, err);
    if (failed < 0)
        return failed;
    machine->restore_begin(machine->self);
    while ((failed = raft_snapshot_reader_read(reader, offset, &part, err)) == 0 && part.size > 0 &&
           (failed = machine->restore_add(machine->self, part, err)) == 0)
        offset += part.size;
    if (failed == 0)
        failed = machine->restore_end(machine->self, meta->index, err);
    raft_snapshot_reader_close(reader);
    return failed < 0 ? error_wrap(err, "restore the snapshot at %llu", (unsigned long long)meta->index) : 0;
}

struct snapshot_restore {
    struct raft_job job; /* first */
    struct raft_node *node;
    uint64_t index, term, offset;
    struct raft_snapshot_reader *reader;
    struct bytes part;
    struct error err;
};

static void work(struct raft_job *job)
{
    struct snapshot_restore *restore = (struct snapshot_restore *)job;
    int failed = 0;

    if (!restore->reader)
        failed = raft_snapshot_reader_open(&restore->node->store, restore->index, restore->term, &restore->reader, &restore->err);
    if (failed == 0)
        raft_snapshot_reader_read(restore->reader, restore->offset, &restore->part, &restore->err);
}

static void end(struct snapshot_restore *restore)
{
    restore->node->restore = NULL;
    raft_snapshot_reader_close(restore->reader);
    free(restore);
}

static void done(struct raft_job *job)
{
    struct snapshot_restore *restore = (struct snapshot_restore *)job;
    struct raft_node *node = restore->node;
    const struct raft_machine *machine = &node->machine;
    struct error err = restore->err;
    bool is_end = restore->part.size == 0;

    if (node_is_over(node)) {
        end(restore);
        return;
    }
    if (err.code == 0 && !is_end)
        machine->restore_add(machine->self, restore->part, &err);
    else if (err.code == 0)
        machine->restore_end(machine->self, restore->index, &err);
    if (err.code != 0) {
        error_wrap(&err, "restore the snapshot at %llu", (unsigned long long)restore->index);
        end(restore);
        node_fail(node, &err);
        return;
    }
    restore->offset += restore->part.size;
    if (!is_end) {
        raft_worker_add(node->files, &restore->job, true);
        return;
    }
    end(restore);
    node_continue_written(node);
}

void snapshot_restore_begin(struct raft_node *node, const struct raft_snapshot *meta)
{
    struct snapshot_restore *restore = mem_alloc(sizeof *restore);

    *restore = (struct snapshot_restore){.job = {.work = work, .done = done}, .node = node, .index = meta->index, .term = meta->term};
    node->restore = restore;
    node->machine.restore_begin(node->machine.self);
    raft_worker_add(node->files, &restore->job, true);
}
