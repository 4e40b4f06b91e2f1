/* runtime/windows/operations.c – the back end's table: what is asked for becomes an operation in its system's queue. On the loop. */
#include <stdlib.h>

#include "base/id.h"
#include "base/mem.h"
#include "runtime/windows/host.h"

static void copy_files(struct windows_op *op, const struct hcs_file_content *files, size_t count)
{
    op->files = mem_array(count + 1, sizeof *op->files);
    op->file_count = count;
    for (size_t i = 0; i < count; i++) {
        op->files[i].target = mem_string(files[i].target);
        op->files[i].content = bytes_of(mem_copy(files[i].content.data, files[i].content.size), files[i].content.size);
    }
}

static int check_create(struct windows_host *host, const char *id, const cJSON *json, cJSON **normal, struct error *err)
{
    if (!id_is_safe(id))
        return error_set(err, ERR_INVALID, "not an id: \"%s\"", id);
    if (windows_find(host, id))
        return error_set(err, ERR_EXISTS, "there is a container %s already", id);
    if (HASH_COUNT(host->systems) >= CONTAINERS_COUNT)
        return error_set(err, ERR_LIMIT, "there are %d containers on this host already", CONTAINERS_COUNT);
    if (host->missing)
        return error_set(err, ERR_UNSUPPORTED, "%s", host->missing);
    return document_normalise(json, normal, err);
}

static void system_create(struct hcs *hcs, const char *id, const cJSON *json, const struct hcs_file_content *files, size_t file_count,
                          hcs_done_cb done, void *ctx)
{
    struct windows_host *host = windows_of(hcs);
    struct windows_op *op = windows_op_new(host, HCS_OP_CREATE, NULL, ctx);
    struct windows_system *s;
    cJSON *normal = NULL;

    op->done = done;
    if (check_create(host, id, json, &normal, &op->err) < 0) {
        windows_answer_later(op);
        return;
    }
    s = windows_system_new(host, id);
    s->json = normal;
    if (document_parse(normal, &s->arena, &s->document, &op->err) < 0 || windows_system_choose(s, &op->err) < 0) {
        HASH_DEL(host->systems, s);
        windows_system_free(s);
        windows_answer_later(op);
        return;
    }
    s->created_wall_ns = s->document.created_wall_ns ? s->document.created_wall_ns : clock_wall_ns(&host->clock);
    op->system = s;
    s->references++;
    copy_files(op, files, file_count);
    windows_submit(op);
}

static struct windows_op *submit(struct hcs *hcs, enum hcs_operation operation, const char *id, hcs_done_cb done, void *ctx)
{
    struct windows_op *op = windows_op_new(windows_of(hcs), operation, id, ctx);

    op->done = done;
    return op;
}

static void system_start(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx)
{
    windows_submit(submit(hcs, HCS_OP_START, id, done, ctx));
}

static void system_shutdown(struct hcs *hcs, const char *id, const char *signal, int64_t grace_ms, hcs_done_cb done, void *ctx)
{
    struct windows_op *op = submit(hcs, HCS_OP_SHUTDOWN, id, done, ctx);

    op->text = mem_string(signal);
    op->number = grace_ms;
    windows_submit(op);
}

static void system_terminate(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx)
{
    windows_submit(submit(hcs, HCS_OP_TERMINATE, id, done, ctx));
}

static void system_signal(struct hcs *hcs, const char *id, const char *signal, hcs_done_cb done, void *ctx)
{
    struct windows_op *op = submit(hcs, HCS_OP_SIGNAL, id, done, ctx);

    op->text = mem_string(signal);
    windows_submit(op);
}

static void system_pause(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx)
{
    windows_submit(submit(hcs, HCS_OP_PAUSE, id, done, ctx));
}

static void system_resume(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx)
{
    windows_submit(submit(hcs, HCS_OP_RESUME, id, done, ctx));
}

/* Not in the queue: what is true can be asked while a start hangs. */
static void system_properties(struct hcs *hcs, const char *id, bool wants_statistics, hcs_properties_cb done, void *ctx)
{
    struct windows_op *op = windows_op_new(windows_of(hcs), HCS_OP_PROPERTIES, id, ctx);
    struct windows_system *s = op->system;

    op->properties_done = done;
    if (s && !s->is_made)
        error_set(&op->err, ERR_NOT_FOUND, "No such container: %s", id);
    op->flag = wants_statistics && s && windows_runs(s);
    if (op->flag && !op->err.code)
        windows_to_pool(op);
    else
        windows_answer_later(op);
}

static void system_modify(struct hcs *hcs, const char *id, const cJSON *request, hcs_done_cb done, void *ctx)
{
    struct windows_op *op = submit(hcs, HCS_OP_MODIFY, id, done, ctx);

    op->json = cJSON_Duplicate(request, true);
    windows_submit(op);
}

static void system_enumerate(struct hcs *hcs, const char *owner, hcs_enumerate_cb done, void *ctx)
{
    struct windows_op *op = windows_op_new(windows_of(hcs), HCS_OP_ENUMERATE, NULL, ctx);

    op->enumerate_done = done;
    op->text = mem_string(owner);
    windows_answer_later(op);
}

static void system_remove(struct hcs *hcs, const char *id, bool force, hcs_done_cb done, void *ctx)
{
    struct windows_op *op = submit(hcs, HCS_OP_REMOVE, id, done, ctx);

    op->flag = force;
    if (!op->system)
        op->err.code = 0;
    windows_submit(op);
}

static void probe(const struct hcs *hcs, struct hcs_host *out)
{
    const struct windows_host *host = (const struct windows_host *)hcs;

    *out = (struct hcs_host)
    {
        .back_end = "windows", .os = "windows",
#if defined(__aarch64__)
        .architecture = "arm64",
#else
        .architecture = "amd64",
#endif
        .os_version = host->os_version, .offers_process = host->missing == NULL, .process_missing = host->missing,
        .offers_hyperv = host->missing == NULL && host->offers_hyperv && host->legacy.ops,
        .hyperv_missing =
            host->missing ? host->missing : "no hypervisor runs: enable the Hyper-V feature (in a virtual machine nested virtualization)",
        .versions = host->versions
    };
}

const struct hcs_ops windows_ops = {
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
    .process_create = windows_process_create,
    .process_signal = windows_process_signal,
    .process_wait = windows_process_wait,
    .process_pid = windows_process_pid,
    .process_close = windows_process_close,
    .log_open = windows_log_open,
    .log_pause = windows_log_pause,
    .log_close = windows_log_close,
    .probe = probe,
    .close = windows_close,
};
