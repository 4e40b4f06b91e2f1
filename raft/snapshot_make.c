/* raft/snapshot_make.c – an image of the state machine into a file, part by part: read on the loop, written by the thread of files. Then
 * the log is told, and the entries that nobody needs any more are forgotten. */
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "raft/node_inside.h"

struct snapshot_make {
    struct raft_job job; /* first */
    struct raft_node *node;
    void *image; /* NULL once it is closed */
    bool has_image;
    struct raft_snapshot meta;
    struct raft_snapshot_writer *writer;
    struct buf part; /* empty: the end */
    bool is_finished;
    struct error err;
};

static void work(struct raft_job *job)
{
    struct snapshot_make *make = (struct snapshot_make *)job;
    int failed = 0;

    if (!make->writer)
        failed = raft_snapshot_writer_open(&make->node->store, &make->meta, &make->writer, &make->err);
    if (failed == 0 && make->part.size > 0) {
        raft_snapshot_writer_add(make->writer, buf_bytes(&make->part), &make->err);
    } else if (failed == 0) {
        make->is_finished = raft_snapshot_writer_finish(steal(&make->writer), &make->err) == 0;
    }
}

static void close_image(struct snapshot_make *make)
{
    if (make->has_image)
        make->node->machine.image_close(make->node->machine.self, make->image);
    make->has_image = false;
}

static void free_make(struct snapshot_make *make)
{
    struct raft_node *node = make->node;

    close_image(make);
    raft_snapshot_writer_abandon(make->writer);
    raft_snapshot_deinit(&make->meta);
    buf_deinit(&make->part);
    if (node->make == make)
        node->make = NULL;
    free(make);
}

void snapshot_make_failed(struct raft_node *node, uint64_t index, const struct error *err)
{
    log_write(node->has_said_no_snapshot ? LOG_DEBUG : LOG_WARN, "raft", NULL, 0, "no snapshot at %llu: %s", (unsigned long long)index,
              err->message);
    node->has_said_no_snapshot = true;
    node->snapshot_pause_ticks = RAFT_SNAPSHOT_RETRY_TICKS;
    node->wants_snapshot = true;
}

/* The tail stays in memory for members that lag a little. */
static void adopt(struct snapshot_make *make)
{
    struct raft_node *node = make->node;
    struct error err = {0};

    if (node->storage.snapshot.index > make->meta.index)
        return;                                                       /* a newer one came from the leader meanwhile */
    bool is_again = node->storage.snapshot.index == make->meta.index; /* for its key */
    if (!is_again && raft_memory_storage_create_snapshot(&node->storage, make->meta.index, &make->meta.conf, NULL, &err) < 0) {
        log_warn("raft", "%s", err.message);
        return;
    }
    node->has_said_no_snapshot = false;
    raft_writer_compact(node->writer, &make->meta);
    if (make->meta.index > node->tail_keep_count && make->meta.index - node->tail_keep_count > node->storage.compacted_index)
        raft_memory_storage_compact(&node->storage, make->meta.index - node->tail_keep_count, NULL);
}

static void next_part(struct snapshot_make *make)
{
    struct raft_node *node = make->node;

    buf_clear(&make->part);
    if (node->machine.image_read(node->machine.self, make->image, &make->part, &make->err) < 0) {
        snapshot_make_failed(node, make->meta.index, &make->err);
        free_make(make);
        return;
    }
    raft_worker_add(node->files, &make->job, true);
}

static void done(struct raft_job *job)
{
    struct snapshot_make *make = (struct snapshot_make *)job;

    if (make->err.code != 0)
        snapshot_make_failed(make->node, make->meta.index, &make->err);
    if (node_is_over(make->node) || make->err.code != 0) {
        free_make(make);
    } else if (make->is_finished) {
        adopt(make);
        node_look_at_keys(make->node);
        free_make(make);
    } else {
        next_part(make);
    }
}

int snapshot_make_begin(struct raft_node *node, struct error *err)
{
    struct raft_storage table = raft_memory_storage_table(&node->storage);
    struct snapshot_make *make = mem_alloc(sizeof *make);

    make->node = node;
    make->job.work = work;
    make->job.done = done;
    make->meta.index = node->applied;
    int failed = table.term(table.self, node->applied, &make->meta.term, err) == RAFT_STORED
                     ? 0
                     : error_set(err, ERR_INTERNAL, "raft: the term of entry %llu is not known", (unsigned long long)node->applied);
    if (failed == 0)
        failed = node->machine.image_open(node->machine.self, &make->image, err);
    if (failed < 0) {
        free(make);
        return failed;
    }
    make->has_image = true;
    raft_conf_state_copy(&make->meta.conf, &node->conf);
    node->make = make;
    next_part(make);
    return 0;
}

/* Its job, if one is under way, ends it. */
void snapshot_make_close(struct raft_node *node)
{
    if (node->make)
        close_image(node->make);
    node->make = NULL;
}
