/* raft/node_keys.c – what the files on disk are encrypted with: the log's thread and that of snapshot files have the keys each for itself,
 * and learn of a new one in the order of their work. See raft_node_set_key(). */
#include <stdlib.h>

#include "base/mem.h"
#include "raft/node_inside.h"

struct key_job {
    struct raft_job job; /* first */
    struct raft_node *node;
    uint32_t id;
    uint8_t bytes[RAFT_KEY_SIZE_BYTES];
    bool is_forgotten;
};

/* Nothing is refused here: the loop has asked the same of its own keys, which are the same ones. */
static void work(struct raft_job *base)
{
    struct key_job *job = (struct key_job *)base;
    struct raft_keys *keys = &job->node->files_keys;

    if (job->is_forgotten) {
        raft_keys_remove(keys, job->id);
        return;
    }
    if (job->id != 0)
        raft_keys_add(keys, job->id, job->bytes, NULL);
    keys->current = job->id;
    mem_wipe(job->bytes, sizeof job->bytes);
}

static void done(struct raft_job *base)
{
    free(base);
}

static void tell_files(struct raft_node *node, uint32_t id, const uint8_t *bytes, bool is_forgotten)
{
    struct key_job *job = mem_alloc(sizeof *job);

    *job = (struct key_job){.job = {.work = work, .done = done}, .node = node, .id = id, .is_forgotten = is_forgotten};
    if (bytes)
        memcpy(job->bytes, bytes, sizeof job->bytes);
    raft_worker_add(node->files, &job->job, true);
}

static void begin_rotation(struct raft_node *node)
{
    struct raft_status status;

    raft_status(node->core, &status);
    node->reseal_index = status.last_index > 0 ? status.last_index : 1;
    node_wake(node);
}

/* The log first: it reads the header of every snapshot that it is told of. */
int raft_node_set_key(struct raft_node *node, uint32_t id, const uint8_t *bytes, struct error *err)
{
    if (node_is_over(node))
        return error_set(err, ERR_PRECONDITION, "raft: this member takes no part any more");
    if (id == node->keys.current && id == 0)
        return 0;
    int failed = id != 0 ? raft_keys_add(&node->keys, id, bytes, err) : 0;
    if (failed < 0 || id == node->keys.current)
        return failed;
    node->had_no_key = node->had_no_key || node->keys.current == 0;
    node->keys.current = id;
    raft_writer_set_key(node->writer, id, bytes);
    tell_files(node, id, bytes, false);
    begin_rotation(node);
    return 0;
}

int raft_node_forget_key(struct raft_node *node, uint32_t id, struct error *err)
{
    if (node_is_over(node))
        return error_set(err, ERR_PRECONDITION, "raft: this member takes no part any more");
    if (id == node->keys.current || node_is_rotating(node))
        return error_set(err, ERR_PRECONDITION, "raft: key %u is still needed", (unsigned)id);
    raft_keys_remove(&node->keys, id);
    raft_writer_forget_key(node->writer, id);
    tell_files(node, id, NULL, true);
    return 0;
}

void node_begin_keys(struct raft_node *node)
{
    struct raft_writer_status status;

    raft_writer_status(node->writer, &status);
    if (status.needs_old_keys)
        begin_rotation(node);
}

/* All that may be in older segments is applied: a snapshot of now makes them superfluous. One that is being made may have been begun under
 * the older key, so it is another. */
void node_reseal_if_due(struct raft_node *node)
{
    if (node->applied < node->reseal_index || node->restore)
        return;
    node->reseal_index = UINT64_MAX;
    node->wants_snapshot = true;
}

static bool holds_old_keys(const struct raft_node *node)
{
    return node->had_no_key || node->keys.count > (node->keys.current != 0 ? 1 : 0);
}

/* A snapshot under way may have been begun under an older key, and a look may not have seen its file yet. */
bool node_is_rotating(const struct raft_node *node)
{
    struct raft_writer_status status;

    raft_writer_status(node->writer, &status);
    return status.needs_old_keys || node->reseal_index != UINT64_MAX ||
           (holds_old_keys(node) && (node->make || node->receipts || status.looks_count > 0));
}

void node_look_at_keys(struct raft_node *node)
{
    if (holds_old_keys(node) && !node_is_over(node))
        raft_writer_look_at_keys(node->writer);
}
