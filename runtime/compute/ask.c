/* runtime/compute/ask.c – what is asked for becomes an operation in its system's queue. */
#include <stdlib.h>

#include "base/id.h"
#include "base/limits.h"
#include "base/mem.h"
#include "runtime/compute/compute.h"

static struct compute_operation *ask(struct hcs *hcs, enum hcs_operation operation, const char *id, hcs_done_cb done, void *ctx)
{
    struct compute_operation *op = compute_operation_new((struct compute_host *)hcs, operation, id, ctx);

    op->done = done;
    return op;
}

static void copy_files(struct compute_operation *op, const struct hcs_file_content *files, size_t count)
{
    op->files = mem_array(count + 1, sizeof *op->files);
    op->file_count = count;
    for (size_t i = 0; i < count; i++) {
        op->files[i].target = mem_string(files[i].target);
        op->files[i].content = bytes_of(mem_copy(files[i].content.data, files[i].content.size), files[i].content.size);
    }
}

static int make(struct compute_host *host, const char *id, const cJSON *document, struct compute_system **out, struct error *err)
{
    if (!id_is_safe(id))
        return error_set(err, ERR_INVALID, "not an id: \"%s\"", id);
    if (compute_find(host, id))
        return error_set(err, ERR_EXISTS, "there is a container %s already", id);
    if (HASH_COUNT(host->systems) >= CONTAINERS_COUNT)
        return error_set(err, ERR_LIMIT, "there are %d containers on this host already", CONTAINERS_COUNT);
    return host->ops->system_new(host, id, document, out, err);
}

void compute_ask_create(struct hcs *hcs, const char *id, const cJSON *document, const struct hcs_file_content *files, size_t file_count,
                        hcs_done_cb done, void *ctx)
{
    struct compute_operation *op = ask(hcs, HCS_OP_CREATE, NULL, done, ctx);

    if (make(op->host, id, document, &op->system, &op->err) == 0) {
        op->system->references++;
        copy_files(op, files, file_count);
    }
    compute_submit(op);
}

void compute_ask_start(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx)
{
    compute_submit(ask(hcs, HCS_OP_START, id, done, ctx));
}

void compute_ask_shutdown(struct hcs *hcs, const char *id, const char *signal, int64_t grace_ms, hcs_done_cb done, void *ctx)
{
    struct compute_operation *op = ask(hcs, HCS_OP_SHUTDOWN, id, done, ctx);

    op->text = mem_string(signal);
    op->grace_ms = grace_ms;
    compute_submit(op);
}

void compute_ask_terminate(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx)
{
    compute_submit(ask(hcs, HCS_OP_TERMINATE, id, done, ctx));
}

void compute_ask_signal(struct hcs *hcs, const char *id, const char *signal, hcs_done_cb done, void *ctx)
{
    struct compute_operation *op = ask(hcs, HCS_OP_SIGNAL, id, done, ctx);

    op->text = mem_string(signal);
    compute_submit(op);
}

void compute_ask_pause(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx)
{
    compute_submit(ask(hcs, HCS_OP_PAUSE, id, done, ctx));
}

void compute_ask_resume(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx)
{
    compute_submit(ask(hcs, HCS_OP_RESUME, id, done, ctx));
}

/* Not in the queue: what is true can be asked while a start hangs. */
void compute_ask_properties(struct hcs *hcs, const char *id, bool wants_statistics, hcs_properties_cb done, void *ctx)
{
    struct compute_operation *op = ask(hcs, HCS_OP_PROPERTIES, id, NULL, ctx);
    struct compute_system *s = op->system;

    op->properties_done = done;
    if (s && !s->is_made)
        error_set(&op->err, ERR_NOT_FOUND, "No such container: %s", id);
    op->is_statistics = wants_statistics && s && s->is_made && compute_runs(s);
    if (op->is_statistics)
        compute_begin_beside(op);
    else
        compute_answer_later(op);
}

void compute_ask_modify(struct hcs *hcs, const char *id, const cJSON *request, hcs_done_cb done, void *ctx)
{
    struct compute_operation *op = ask(hcs, HCS_OP_MODIFY, id, done, ctx);

    op->json = cJSON_Duplicate(request, true);
    compute_submit(op);
}

void compute_ask_enumerate(struct hcs *hcs, const char *owner, hcs_enumerate_cb done, void *ctx)
{
    struct compute_operation *op = ask(hcs, HCS_OP_ENUMERATE, NULL, NULL, ctx);

    op->enumerate_done = done;
    op->text = mem_string(owner);
    compute_answer_later(op);
}

void compute_ask_remove(struct hcs *hcs, const char *id, bool force, hcs_done_cb done, void *ctx)
{
    struct compute_operation *op = ask(hcs, HCS_OP_REMOVE, id, done, ctx);

    op->is_forced = force;
    if (!op->system)
        op->err.code = 0;
    compute_submit(op);
}
