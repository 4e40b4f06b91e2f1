/* raft/writer.c – see writer.h. */
#include "raft/writer.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "raft/worker.h"

struct raft_writer {
    struct raft_worker *worker;
    struct raft_writer_handlers handlers;
    void (*on_closed)(void *ctx, const struct error *err);
    void *closed_ctx;
    struct raft_hard_state asked; /* loop: the last hard state handed over */
    size_t unstable;              /* loop: jobs that must be synced, on their way */
    bool has_told_failure;
    bool is_due;                      /* loop: what must be synced waits for a kick */
    struct raft_writer_status status; /* loop */
    struct histogram flush_times;     /* loop */

    struct raft_log *log; /* the thread's, as all below */
    struct raft_hard_state hard;
    struct error failure;
    bool must_sync;
    atomic_bool is_full; /* of both */
};

struct write_job {
    struct raft_job job; /* first */
    struct raft_writer *writer;
    struct raft_message message;
    struct raft_snapshot mark; /* index 0: none */
    uint8_t key[RAFT_KEY_SIZE_BYTES];
    uint32_t key_id;
    bool must_sync, is_look, needs_old_keys;
    uint64_t flush_ns;
    bool has_log; /* the first of a batch that was flushed */
    struct raft_log_status log;
    struct error failure; /* as of the end of its batch */
};

/* --- on the thread --- */

/* Tries until there is room; what waits in the log stays there meanwhile. @err is told only of what is so in the end. */
static int flush(struct raft_writer *writer, struct error *err)
{
    struct error own = {0};
    bool has_said = false;
    int failed;

    while ((failed = raft_log_flush(writer->log, &own)) == ERR_NO_SPACE && !raft_worker_is_stopping(writer->worker)) {
        if (!has_said)
            log_error("raft", "%s", own.message);
        has_said = true;
        atomic_store(&writer->is_full, true);
        uv_sleep(RAFT_NO_SPACE_RETRY_MS);
    }
    atomic_store(&writer->is_full, failed == ERR_NO_SPACE);
    if (failed == 0 && has_said)
        log_info("raft", "there is room again: the log goes on");
    writer->must_sync = failed < 0;
    if (failed < 0)
        *err = own;
    return failed;
}

static int append(struct raft_writer *writer, const struct raft_hard_state *hard, const struct raft_message *message, struct error *err)
{
    int failed = raft_log_append(writer->log, hard, message->entries, message->entries_count, err);

    if (failed != ERR_LIMIT)
        return failed;
    failed = flush(writer, err); /* too much waits: what it says is to flush first */
    return failed < 0 ? failed : raft_log_append(writer->log, hard, message->entries, message->entries_count, err);
}

static int write_message(struct raft_writer *writer, const struct raft_message *message, struct error *err)
{
    static const struct raft_message nothing;
    struct raft_hard_state hard = {message->term, message->vote, message->commit};
    bool has_hard = hard.term != 0 || hard.vote != 0 || hard.commit != 0;
    int failed = 0;

    if (message->snapshot) { /* term and vote first; the commit index that follows is known to the log only with the snapshot */
        struct raft_hard_state before = {has_hard ? hard.term : writer->hard.term, has_hard ? hard.vote : writer->hard.vote,
                                         writer->hard.commit};
        failed = append(writer, &before, &nothing, err);
        if (failed == 0)
            failed = raft_log_append_snapshot(writer->log, message->snapshot, true, err);
        if (failed == 0 && writer->hard.commit < message->snapshot->index)
            writer->hard.commit = message->snapshot->index;
    }
    if (failed == 0 && (has_hard || message->entries_count > 0))
        failed = append(writer, has_hard ? &hard : NULL, message, err);
    if (failed == 0 && has_hard)
        writer->hard = hard;
    return failed;
}

static void work_append(struct raft_job *base)
{
    struct write_job *job = (struct write_job *)base;
    struct raft_writer *writer = job->writer;

    if (writer->failure.code == 0)
        write_message(writer, &job->message, &writer->failure);
    writer->must_sync = writer->must_sync || job->must_sync;
}

static void work_compact(struct raft_job *base)
{
    struct write_job *job = (struct write_job *)base;
    struct raft_writer *writer = job->writer;
    struct error err = {0};

    if (writer->failure.code != 0)
        return;
    if (flush(writer, &writer->failure) < 0) /* what came before it in this batch: also the commit index that it needs */
        return;
    if (raft_log_append_snapshot(writer->log, &job->mark, false, &err) < 0) {
        log_warn("raft", "snapshot %llu is not used: %s", (unsigned long long)job->mark.index, err.message);
        job->failure = err;
        return;
    }
    if (flush(writer, &writer->failure) == 0 && raft_log_compact(writer->log, &err) < 0)
        log_warn("raft", "%s", err.message);
}

/* What cannot be looked at is taken for needed. */
static bool needs_old_keys(struct raft_log *log)
{
    uint32_t ids[RAFT_KEYS_COUNT];
    struct raft_log_status status;
    size_t count;

    raft_log_status(log, &status);
    if (raft_log_keys_needed(log, ids, &count, NULL) < 0)
        return true;
    for (size_t i = 0; i < count; i++)
        if (ids[i] != status.key_id)
            return true;
    return false;
}

/* What waits goes to disk under the old key, as soon as there is room. */
static void work_key(struct raft_job *base)
{
    struct write_job *job = (struct write_job *)base;
    struct raft_writer *writer = job->writer;

    if (writer->failure.code == 0 && flush(writer, &writer->failure) == 0)
        raft_log_set_key(writer->log, job->key_id, job->key, &writer->failure);
    mem_wipe(job->key, sizeof job->key);
}

static void work_forget(struct raft_job *base)
{
    struct write_job *job = (struct write_job *)base;
    struct error err = {0};

    if (job->writer->failure.code == 0 && raft_log_forget_key(job->writer->log, job->key_id, &err) < 0)
        log_warn("raft", "%s", err.message);
}

static void after_batch(void *ctx, struct raft_job *jobs)
{
    struct raft_writer *writer = ctx;
    uint64_t begun_ns = uv_hrtime(), took_ns = 0;

    if (writer->must_sync && writer->failure.code == 0) {
        flush(writer, &writer->failure);
        took_ns = uv_hrtime() - begun_ns;
        struct write_job *first = (struct write_job *)jobs;
        raft_log_status(writer->log, &first->log);
        first->has_log = true;
    }
    for (struct raft_job *base = jobs; base; base = base->next) {
        struct write_job *job = (struct write_job *)base;
        job->flush_ns = took_ns;
        if (job->is_look)
            job->needs_old_keys = needs_old_keys(writer->log);
        if (writer->failure.code != 0)
            job->failure = writer->failure;
    }
}

/* --- on the loop --- */

static void tell_failure(struct raft_writer *writer, const struct error *err)
{
    if (writer->has_told_failure)
        return;
    writer->has_told_failure = true;
    writer->handlers.on_failed(writer->handlers.ctx, err);
}

static void note_log(struct raft_writer *writer, const struct raft_log_status *log)
{
    writer->status.log_size_bytes = log->segments_size_bytes;
    writer->status.log_segments_count = log->segments_count;
}

static void free_job(struct write_job *job)
{
    if (job->has_log) {
        histogram_observe(&job->writer->flush_times, metrics_seconds(job->flush_ns));
        note_log(job->writer, &job->log);
    }
    raft_message_deinit(&job->message);
    raft_snapshot_deinit(&job->mark);
    free(job);
}

static void done_append(struct raft_job *base)
{
    struct write_job *job = (struct write_job *)base;
    struct raft_writer *writer = job->writer;

    writer->unstable -= job->must_sync;
    writer->status.flush_ns_last = job->flush_ns;
    if (job->flush_ns > writer->status.flush_ns_most)
        writer->status.flush_ns_most = job->flush_ns;
    if (job->failure.code != 0)
        tell_failure(writer, &job->failure);
    else
        writer->handlers.on_written(writer->handlers.ctx, &job->message);
    free_job(job);
}

/* Only the last look has seen all that the others were asked for. */
static void done_look(struct write_job *job)
{
    struct raft_writer_status *status = &job->writer->status;

    if (--status->looks_count == 0)
        status->needs_old_keys = job->needs_old_keys;
}

static void done_compact(struct raft_job *base)
{
    struct write_job *job = (struct write_job *)base;

    done_look(job);
    if (job->failure.code == 0)
        job->writer->handlers.on_compacted(job->writer->handlers.ctx, job->mark.index);
    else if (job->failure.code == ERR_IO)
        tell_failure(job->writer, &job->failure);
    free_job(job);
}

static void done_forget(struct raft_job *base)
{
    free_job((struct write_job *)base);
}

static void done_key(struct raft_job *base)
{
    struct write_job *job = (struct write_job *)base;

    done_look(job);
    if (job->failure.code != 0)
        tell_failure(job->writer, &job->failure);
    free_job(job);
}

int raft_writer_new(uv_loop_t *loop, struct raft_log *log, const struct raft_hard_state *hard, const struct raft_writer_handlers *handlers,
                    struct raft_writer **out, struct error *err)
{
    struct raft_writer *writer = mem_alloc(sizeof *writer);
    struct raft_log_status status;

    writer->handlers = *handlers;
    writer->log = log;
    writer->hard = writer->asked = *hard;
    writer->status.needs_old_keys = needs_old_keys(log);
    raft_log_status(log, &status);
    note_log(writer, &status);
    histogram_init(&writer->flush_times, histogram_latencies_s, HISTOGRAM_LATENCIES_COUNT);
    writer->status.flush_times = &writer->flush_times;
    int failed = raft_worker_start(loop, after_batch, writer, &writer->worker, err);
    if (failed < 0)
        free(writer);
    else
        *out = writer;
    return failed;
}

static struct write_job *new_job(struct raft_writer *writer, void (*work)(struct raft_job *job), void (*done)(struct raft_job *job))
{
    struct write_job *job = mem_alloc(sizeof *job);

    job->job.work = work;
    job->job.done = done;
    job->writer = writer;
    return job;
}

static void add_look(struct raft_writer *writer, struct write_job *job)
{
    job->is_look = true;
    writer->status.looks_count++;
    raft_worker_add(writer->worker, &job->job, true);
}

bool raft_writer_append(struct raft_writer *writer, struct raft_message *message)
{
    bool has_hard = message->term != 0 || message->vote != 0 || message->commit != 0;
    bool changes_vote = has_hard && (message->term != writer->asked.term || message->vote != writer->asked.vote);
    bool must_sync = message->entries_count > 0 || message->snapshot || changes_vote;
    bool is_free = !must_sync && writer->unstable == 0;

    if (has_hard)
        writer->asked = (struct raft_hard_state){message->term, message->vote, message->commit};
    if (is_free && !has_hard)
        return true;
    struct write_job *job = new_job(writer, work_append, done_append);
    job->must_sync = must_sync;
    if (is_free) {
        job->message =
            (struct raft_message){.type = message->type, .term = message->term, .vote = message->vote, .commit = message->commit};
    } else {
        job->message = *message;
        *message = (struct raft_message){0};
    }
    writer->unstable += must_sync;
    writer->status.jobs_count++;
    raft_worker_add(writer->worker, &job->job, false);
    writer->is_due = writer->is_due || !is_free;
    return is_free;
}

void raft_writer_kick(struct raft_writer *writer)
{
    if (writer->is_due)
        raft_worker_kick(writer->worker);
    writer->is_due = false;
}

void raft_writer_compact(struct raft_writer *writer, const struct raft_snapshot *meta)
{
    struct write_job *job = new_job(writer, work_compact, done_compact);

    job->mark.index = meta->index;
    job->mark.term = meta->term;
    raft_conf_state_copy(&job->mark.conf, &meta->conf);
    add_look(writer, job);
}

void raft_writer_set_key(struct raft_writer *writer, uint32_t id, const uint8_t *bytes)
{
    struct write_job *job = new_job(writer, work_key, done_key);

    job->key_id = id;
    if (bytes)
        memcpy(job->key, bytes, sizeof job->key);
    writer->status.needs_old_keys = true;
    add_look(writer, job);
}

void raft_writer_forget_key(struct raft_writer *writer, uint32_t id)
{
    struct write_job *job = new_job(writer, work_forget, done_forget);

    job->key_id = id;
    raft_worker_add(writer->worker, &job->job, true);
}

void raft_writer_look_at_keys(struct raft_writer *writer)
{
    add_look(writer, new_job(writer, NULL, done_key));
}

void raft_writer_status(const struct raft_writer *writer, struct raft_writer_status *out)
{
    *out = writer->status;
    out->waiting_count = writer->unstable;
    out->is_full = atomic_load(&writer->is_full);
}

static void on_stopped(void *ctx)
{
    struct raft_writer *writer = ctx;
    struct error err = {0};
    int failed = raft_log_close(writer->log, &err);

    writer->on_closed(writer->closed_ctx, failed < 0 ? &err : NULL);
    free(writer);
}

void raft_writer_close(struct raft_writer *writer, void (*on_closed)(void *ctx, const struct error *err), void *ctx)
{
    writer->on_closed = on_closed;
    writer->closed_ctx = ctx;
    raft_worker_stop(writer->worker, on_stopped, writer);
}
