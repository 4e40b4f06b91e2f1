/* runtime/linux/operations.c – the back end's table: what is asked for becomes an operation in its system's queue. On the loop. */
#include <stdlib.h>

#include "base/id.h"
#include "base/mem.h"
#include "runtime/linux/linux.h"

static void copy_files(struct linux_op *op, const struct hcs_file_content *files, size_t count)
{
    op->files = mem_array(count + 1, sizeof *op->files);
    op->file_count = count;
    for (size_t i = 0; i < count; i++) {
        op->files[i].target = mem_string(files[i].target);
        op->files[i].content = bytes_of(mem_copy(files[i].content.data, files[i].content.size), files[i].content.size);
    }
}

static int check_create(struct linux_host *host, const char *id, const cJSON *json, struct document *document, struct arena *arena,
                        cJSON **normal, struct error *err)
{
    if (!id_is_safe(id))
        return error_set(err, ERR_INVALID, "not an id: \"%s\"", id);
    if (linux_find(host, id))
        return error_set(err, ERR_EXISTS, "there is a container %s already", id);
    if (HASH_COUNT(host->systems) >= CONTAINERS_COUNT)
        return error_set(err, ERR_LIMIT, "there are %d containers on this host already", CONTAINERS_COUNT);
    if (document_normalise(json, normal, err) < 0 || document_parse(*normal, arena, document, err) < 0)
        return err->code;
    if (document->is_windows)
        return error_set(err, ERR_UNSUPPORTED, "Skep.Os: a container of Windows does not run on a Linux host");
    if (document->isolation == ISOLATION_HYPERV)
        return error_set(err, ERR_UNSUPPORTED, "Skep.Isolation: this host has no hyperv isolation yet");
    return 0;
}

static void system_create(struct hcs *hcs, const char *id, const cJSON *json, const struct hcs_file_content *files, size_t file_count,
                          hcs_done_cb done, void *ctx)
{
    struct linux_host *host = linux_of(hcs);
    struct linux_op *op = linux_op_new(host, HCS_OP_CREATE, NULL, ctx);
    struct document document = {0};
    struct arena arena = {0};
    cJSON *normal = NULL;
    struct linux_system *s;

    op->done = done;
    if (check_create(host, id, json, &document, &arena, &normal, &op->err) < 0) {
        cJSON_Delete(normal);
        arena_deinit(&arena);
        linux_answer_later(op);
        return;
    }
    s = linux_system_new(host, id);
    s->json = normal;
    s->arena = arena;
    s->document = document;
    s->created_wall_ns = document.created_wall_ns ? document.created_wall_ns : clock_wall_ns(&host->clock);
    op->system = s;
    s->references++;
    copy_files(op, files, file_count);
    linux_submit(op);
}

static void system_start(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx)
{
    struct linux_op *op = linux_op_new(linux_of(hcs), HCS_OP_START, id, ctx);

    op->done = done;
    linux_submit(op);
}

static void system_shutdown(struct hcs *hcs, const char *id, const char *signal, int64_t grace_ms, hcs_done_cb done, void *ctx)
{
    struct linux_op *op = linux_op_new(linux_of(hcs), HCS_OP_SHUTDOWN, id, ctx);

    op->done = done;
    op->text = mem_string(signal);
    op->number = grace_ms;
    linux_submit(op);
}

static void system_terminate(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx)
{
    struct linux_op *op = linux_op_new(linux_of(hcs), HCS_OP_TERMINATE, id, ctx);

    op->done = done;
    linux_submit(op);
}

static void system_signal(struct hcs *hcs, const char *id, const char *signal, hcs_done_cb done, void *ctx)
{
    struct linux_op *op = linux_op_new(linux_of(hcs), HCS_OP_SIGNAL, id, ctx);

    op->done = done;
    op->text = mem_string(signal);
    linux_submit(op);
}

static void system_pause(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx)
{
    struct linux_op *op = linux_op_new(linux_of(hcs), HCS_OP_PAUSE, id, ctx);

    op->done = done;
    linux_submit(op);
}

static void system_resume(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx)
{
    struct linux_op *op = linux_op_new(linux_of(hcs), HCS_OP_RESUME, id, ctx);

    op->done = done;
    linux_submit(op);
}

/* Not in the queue: what is true can be asked while a start hangs. */
static void system_properties(struct hcs *hcs, const char *id, bool wants_statistics, hcs_properties_cb done, void *ctx)
{
    struct linux_op *op = linux_op_new(linux_of(hcs), HCS_OP_PROPERTIES, id, ctx);
    struct linux_system *s = op->system;

    op->properties_done = done;
    if (s && !s->is_made)
        error_set(&op->err, ERR_NOT_FOUND, "No such container: %s", id);
    op->flag = wants_statistics && s && (s->state == HCS_RUNNING || s->state == HCS_PAUSED);
    if (op->flag && !op->err.code) {
        op->run.init = s->run.init;
        linux_to_worker(op);
    } else {
        linux_answer_later(op);
    }
}

static void system_modify(struct hcs *hcs, const char *id, const cJSON *request, hcs_done_cb done, void *ctx)
{
    struct linux_op *op = linux_op_new(linux_of(hcs), HCS_OP_MODIFY, id, ctx);

    op->done = done;
    op->json = cJSON_Duplicate(request, true);
    linux_submit(op);
}

static void system_enumerate(struct hcs *hcs, const char *owner, hcs_enumerate_cb done, void *ctx)
{
    struct linux_op *op = linux_op_new(linux_of(hcs), HCS_OP_ENUMERATE, NULL, ctx);

    op->enumerate_done = done;
    op->text = mem_string(owner);
    linux_answer_later(op);
}

static void system_remove(struct hcs *hcs, const char *id, bool force, hcs_done_cb done, void *ctx)
{
    struct linux_op *op = linux_op_new(linux_of(hcs), HCS_OP_REMOVE, id, ctx);

    op->done = done;
    op->flag = force;
    if (!op->system)
        op->err.code = 0;
    linux_submit(op);
}

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
    .system_create = system_create,
    .system_start = system_start,
    .system_shutdown = system_shutdown,
    .system_terminate = system_terminate,
    .system_signal = system_signal,
    .system_pause = system_pause,
    .system_resume = system_resume,
    .system_properties = system_properties,
    .system_modify = system_modify,
    .system_enumerate = system_enumerate,
    .system_remove = system_remove,
    .process_create = linux_process_create,
    .process_signal = linux_process_signal,
    .process_wait = linux_process_wait,
    .process_pid = linux_process_pid,
    .process_close = linux_process_close,
    .log_open = linux_log_open,
    .log_pause = linux_log_pause,
    .log_close = linux_log_close,
    .probe = probe,
    .close = linux_close,
};
