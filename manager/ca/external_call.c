/* manager/ca/external_call.c – see external_call.h. */
#include "manager/ca/external_call.h"

#include <signal.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"

#define TOOL_NAME "skep-external-ca"

struct ca_external_call {
    uv_process_t process;
    uv_pipe_t input, output;
    uv_timer_t timer;
    int open_handles;
    bool has_exited, has_ended, is_closing; /* the tool; its output; all that is ours */
    uv_write_t write;
    struct buf request, answer;
    struct error failure;
    ca_external_cb on_done; /* NULL: nobody waits any more */
    void *ctx;
};

static void on_closed(uv_handle_t *handle)
{
    struct ca_external_call *call = handle->data;
    if (--call->open_handles > 0)
        return;
    buf_deinit(&call->request);
    buf_deinit(&call->answer);
    free(call);
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_closed);
}

static void close_all(struct ca_external_call *call)
{
    call->is_closing = true;
    close_handle((uv_handle_t *)&call->input);
    close_handle((uv_handle_t *)&call->output);
    close_handle((uv_handle_t *)&call->timer);
    close_handle((uv_handle_t *)&call->process);
}

/* Only when the tool has gone, so that none is left behind. */
static void finish(struct ca_external_call *call)
{
    if (call->is_closing || !call->has_exited || !call->has_ended)
        return;
    cleanup_buf struct buf certificate = {0};
    ca_external_cb on_done = call->on_done;
    if (call->failure.code == 0)
        external_answer_parse(buf_bytes(&call->answer), &certificate, &call->failure);
    struct error failure = call->failure;
    void *ctx = call->ctx;
    close_all(call);
    if (on_done)
        on_done(ctx, failure.code < 0 ? &failure : NULL, buf_bytes(&certificate));
}

static void on_exit_of(uv_process_t *process, int64_t status, int signal_number)
{
    struct ca_external_call *call = process->data;
    (void)status, (void)signal_number; /* without an answer it failed, whatever it says */
    call->has_exited = true;
    finish(call);
}

static void give_up(struct ca_external_call *call)
{
    if (!call->has_exited)
        uv_process_kill(&call->process, SIGKILL);
}

static void on_deadline(uv_timer_t *timer)
{
    struct ca_external_call *call = timer->data;
    error_set(&call->failure, ERR_DEADLINE, "external CA: %s did not end in time", TOOL_NAME);
    give_up(call);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct ca_external_call *call = handle->data;
    (void)suggested;
    *out = uv_buf_init((char *)buf_reserve(&call->answer, 4096), 4096);
}

static void on_output(uv_stream_t *stream, ssize_t size, const uv_buf_t *data)
{
    struct ca_external_call *call = stream->data;
    (void)data;
    if (size > 0)
        call->answer.size += (size_t)size;
    if (call->answer.size > CA_EXTERNAL_JOB_BYTES) {
        error_set(&call->failure, ERR_LIMIT, "external CA: %s answers without end", TOOL_NAME);
        give_up(call);
        size = UV_EOF;
    }
    if (size >= 0)
        return;
    uv_read_stop(stream);
    call->has_ended = true;
    finish(call);
}

static void on_written(uv_write_t *write, int status)
{
    struct ca_external_call *call = write->data;
    (void)status; /* a tool that went away early is seen by its exit */
    buf_deinit(&call->request);
    close_handle((uv_handle_t *)&call->input);
}

static void open_handles(struct ca_external_call *call, uv_loop_t *loop)
{
    uv_pipe_init(loop, &call->input, 0);
    uv_pipe_init(loop, &call->output, 0);
    uv_timer_init(loop, &call->timer);
    call->input.data = call->output.data = call->timer.data = call->process.data = call->write.data = call;
    call->open_handles = 4;
}

static int spawn(struct ca_external_call *call, uv_loop_t *loop, char *path, struct error *err)
{
    char *arguments[] = {path, NULL};
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t *)&call->input},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&call->output},
        {.flags = UV_INHERIT_FD, .data.fd = 2},
    };
    uv_process_options_t options = {
        .exit_cb = on_exit_of, .file = path, .args = arguments, .stdio = stdio, .stdio_count = 3, .flags = UV_PROCESS_WINDOWS_HIDE};
    int failed = uv_spawn(loop, &call->process, &options);
    if (failed == 0)
        return 0;
    return error_set(err, ERR_INTERNAL, "start %s: %s", path, uv_strerror(failed)); /* "no such file" is not the external CA's fault */
}

int ca_external_call_start(uv_loop_t *loop, const char *tool_path, const struct external_job *job, ca_external_cb on_done, void *ctx,
                           struct ca_external_call **out, struct error *err)
{
    cleanup_free char *path = tool_path ? mem_string(tool_path) : file_beside_program(TOOL_NAME);
    struct ca_external_call *call = mem_alloc(sizeof *call);
    open_handles(call, loop);
    int failed = spawn(call, loop, path, err);
    if (failed < 0) {
        close_all(call);
        return failed;
    }
    call->on_done = on_done;
    call->ctx = ctx;
    external_job_print(job, &call->request);
    uv_buf_t data = uv_buf_init((char *)call->request.data, (unsigned)call->request.size);
    if (uv_write(&call->write, (uv_stream_t *)&call->input, &data, 1, on_written) < 0)
        on_written(&call->write, UV_EPIPE);
    uv_read_start((uv_stream_t *)&call->output, on_room, on_output);
    uv_timer_start(&call->timer, on_deadline, job->url_count * (uint64_t)CA_EXTERNAL_TIMEOUT_MS + CA_EXTERNAL_SLACK_MS, 0);
    *out = call;
    return 0;
}

void ca_external_call_cancel(struct ca_external_call *call)
{
    call->on_done = NULL;
    give_up(call);
}

/* ---- as a table ---- */

static int start_call(void *self, const struct external_job *job, ca_external_cb on_done, void *ctx, void **call, struct error *err)
{
    const struct ca_external_way *way = self;
    struct external_job complete = *job;
    struct ca_external_call *made;
    int failed = way->papers(way->ctx, &complete.chain_pem, &complete.key_pem, err);
    if (failed == 0)
        failed = ca_external_call_start(way->loop, way->tool_path, &complete, on_done, ctx, &made, err);
    if (failed == 0)
        *call = made;
    return failed;
}

static void cancel_call(void *self, void *call)
{
    (void)self;
    ca_external_call_cancel(call);
}

struct ca_asker ca_external_asker(const struct ca_external_way *way)
{
    return (struct ca_asker){.start = start_call, .cancel = cancel_call, .self = (void *)(uintptr_t)way};
}
