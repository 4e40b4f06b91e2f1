/* runtime/image/work.c – see work.h. */
#include "runtime/image/work.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

static const struct state_info states[] = {
#define X(name, shown, next, deadline) [WORK_##name] = {#name, shown, next, deadline},
    IMAGE_WORK_STATES(X)
#undef X
};
const struct state_table image_work_table = {"image job", states, sizeof states / sizeof *states};

static void work_close(struct image_work *work);

static void move(struct image_work *work, unsigned next)
{
    struct error err;
    if (state_move(&work->machine, next, uv_hrtime(), &err) < 0)
        log_error("images", "%s", err.message);
}

int image_work_new(struct image_store *store, char *request, bool takes_archive, struct image_work **out, struct error *err)
{
    size_t count = 0;
    for (struct image_work *work = store->works; work; work = work->next)
        count++;
    if (count >= IMAGE_JOBS_COUNT || store->is_closing) {
        mem_wipe(request, strlen(request));
        free(request);
        return store->is_closing ? error_set(err, ERR_CANCELED, "the image store is closing")
                                 : error_set(err, ERR_LIMIT, "%zu image jobs wait already; try again when some are done", count);
    }
    struct image_work *work = mem_alloc(sizeof *work);
    work->store = store;
    work->request = request;
    work->takes_archive = takes_archive;
    work->line.limit = IMAGE_LINE_SIZE_BYTES;
    state_init(&work->machine, &image_work_table, WORK_WAITING, uv_hrtime());
    uv_timer_init(store->loop, &work->timer);
    work->timer.data = work;
    work->open_handles = 1;
    struct image_work **end = &store->works;
    while (*end)
        end = &(*end)->next;
    *end = work;
    *out = work;
    return 0;
}

struct image_job *image_work_join(struct image_work *work, void *ctx)
{
    struct image_job *job = mem_alloc(sizeof *job), **end = &work->askers;
    job->work = work;
    job->ctx = ctx;
    while (*end)
        end = &(*end)->next;
    *end = job;
    return job;
}

/* --- the end ------------------------------------------------------------------------------------------------------------------------- */

static void tell_pulled(struct image_job *job, struct error *failure, const struct image *image)
{
    job->on_pulled(job->ctx, failure->code ? failure : NULL, failure->code ? NULL : image);
}

/* Each asker is taken off the list before it is told, so that it may cancel others or ask anew from its callback. */
static void tell_all(struct image_work *work)
{
    struct image image = {0};
    if (work->reference && work->failure.code == 0 && work->askers)
        image_find(work->store, work->reference, &work->platform, &image, &work->failure);
    while (work->askers) {
        struct image_job *job = work->askers;
        work->askers = job->next;
        if (job->on_pulled)
            tell_pulled(job, &work->failure, &image);
        else if (job->on_done)
            job->on_done(job->ctx, work->failure.code ? &work->failure : NULL, work->failure.code ? NULL : work->result);
        free(job);
    }
    image_deinit(&image);
}

static void unlink_work(struct image_work *work)
{
    struct image_work **at = &work->store->works;
    while (*at != work)
        at = &(*at)->next;
    *at = work->next;
}

static void wipe_request(struct image_work *work)
{
    if (work->request)
        mem_wipe(work->request, strlen(work->request));
    free(steal(&work->request));
}

static void work_free(struct image_work *work)
{
    wipe_request(work);
    buf_deinit(&work->line);
    buf_deinit(&work->early);
    cJSON_Delete(work->result);
    arena_deinit(&work->arena);
    free(work->key);
    free(work->reference);
    free(work);
}

static void handle_closed(uv_handle_t *handle)
{
    struct image_work *work = handle->data;
    if (--work->open_handles > 0)
        return;
    struct image_store *store = work->store;
    move(work, WORK_OVER);
    free(steal(&work->key)); /* who asks now gets a run of its own */
    tell_all(work);
    unlink_work(work);
    work_free(work);
    image_work_run_next(store);
    if (store->is_closing && store->works == NULL)
        image_store_closed(store);
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, handle_closed);
}

static void work_close(struct image_work *work)
{
    if (work->machine.state == WORK_CLOSING)
        return;
    bool was_running = work->machine.state == WORK_RUNNING;
    move(work, WORK_CLOSING);
    close_handle((uv_handle_t *)&work->timer);
    if (!was_running)
        return;
    work->store->running_count--;
    work->store->resolving_count -= work->is_resolve;
    close_handle((uv_handle_t *)&work->process);
    close_handle((uv_handle_t *)&work->input);
    close_handle((uv_handle_t *)&work->output);
    if (work->takes_archive)
        close_handle((uv_handle_t *)&work->archive);
}

/* Only after both the exit and the end of the output: lines may still be in the pipe when the process is gone. */
static void end_when_all_seen(struct image_work *work)
{
    if (!work->has_exited || !work->has_eof)
        return;
    bool clean = work->exit_status == 0 && work->exit_signal == 0 && work->result;
    if (work->failure.code == 0 && !clean) {
        if (work->exit_signal)
            error_set(&work->failure, ERR_INTERNAL, "%s was ended by signal %d without a result", work->store->tool_path,
                      work->exit_signal);
        else
            error_set(&work->failure, ERR_INTERNAL, "%s ended with status %lld without a result", work->store->tool_path,
                      (long long)work->exit_status);
    }
    work_close(work);
}

/* --- what the tool says -------------------------------------------------------------------------------------------------------------- */

static int code_of(const char *name)
{
#define X(code_name, ...)                                                                                                                  \
    if (strcmp(name, "ERR_" #code_name) == 0)                                                                                              \
        return ERR_##code_name;
    ERROR_CODES(X)
#undef X
    return ERR_INTERNAL;
}

static void pass_on(struct image_work *work, const char *text)
{
    for (struct image_job *job = work->askers, *next; job; job = next) {
        next = job->next;
        if (job->on_progress)
            job->on_progress(job->ctx, text);
    }
}

static void take_line(struct image_work *work, char *text)
{
    cleanup_json cJSON *json = NULL;
    if (json_parse(bytes_of_string(text), IMAGE_LINE_SIZE_BYTES, &json, NULL) < 0 || !cJSON_IsObject(json))
        return;
    const char *message = json_string(json, "error", NULL);
    if (message) {
        error_set(&work->failure, code_of(json_string(json, "code", "")), "%s", message);
        return;
    }
    cJSON *result = cJSON_DetachItemFromObjectCaseSensitive(json, "result");
    if (result) {
        cJSON_Delete(work->result);
        work->result = result;
        return;
    }
    pass_on(work, text);
}

static void take_lines(struct image_work *work)
{
    for (char *end; work->line.size > 0 && (end = memchr(work->line.data, '\n', work->line.size)) != NULL;) {
        *end = '\0';
        take_line(work, (char *)work->line.data);
        buf_consume(&work->line, (size_t)(end - (char *)work->line.data) + 1);
    }
}

static void kill_process(struct image_work *work)
{
    if (work->machine.state == WORK_RUNNING && !work->has_exited)
        uv_process_kill(&work->process, SIGKILL);
}

static void on_silence(uv_timer_t *timer)
{
    struct image_work *work = timer->data;
    if (work->failure.code == 0)
        error_set(&work->failure, ERR_DEADLINE, "%s said nothing for %d seconds and was ended", work->store->tool_path,
                  IMAGE_JOB_SILENCE_MS / 1000);
    kill_process(work);
}

static void is_alive(struct image_work *work)
{
    uv_timer_start(&work->timer, on_silence, IMAGE_JOB_SILENCE_MS, 0);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
    (void)handle;
    *room = uv_buf_init(mem_alloc(suggested > 4 * KIB ? 4 * KIB : suggested), (unsigned)(suggested > 4 * KIB ? 4 * KIB : suggested));
}

static void on_output(uv_stream_t *stream, ssize_t got, const uv_buf_t *room)
{
    struct image_work *work = stream->data;
    if (got > 0) {
        struct error err;
        is_alive(work);
        if (buf_append_checked(&work->line, room->base, (size_t)got, &err) < 0) {
            error_set(&work->failure, ERR_INTERNAL, "%s: a line of its output is too long", work->store->tool_path);
            buf_clear(&work->line);
            kill_process(work);
        } else {
            take_lines(work);
        }
    }
    free(room->base);
    if (got < 0) {
        uv_read_stop(stream);
        work->has_eof = true;
        end_when_all_seen(work);
    }
}

static void on_exit_of(uv_process_t *process, int64_t status, int signal_number)
{
    struct image_work *work = process->data;
    work->has_exited = true;
    work->exit_status = status;
    work->exit_signal = signal_number;
    end_when_all_seen(work);
}

/* --- what it is told ----------------------------------------------------------------------------------------------------------------- */

struct piece {
    uv_write_t request;
    struct image_work *work;
    char *data;
};

static void wake_drained(struct image_work *work)
{
    if (uv_stream_get_write_queue_size((uv_stream_t *)&work->archive) > IMAGE_LOAD_QUEUE_BYTES)
        return;
    struct image_job *job = work->askers; /* an archive is never shared: it has one asker, who may give up from its callback */
    void (*on_drained)(void *ctx) = job ? steal(&job->on_drained) : NULL;
    if (on_drained)
        on_drained(job->ctx);
}

static void piece_free(struct piece *piece)
{
    free(piece->data);
    free(piece);
}

static void piece_written(uv_write_t *request, int status)
{
    struct piece *piece = request->data;
    struct image_work *work = piece->work;
    piece_free(piece);
    if (status == UV_ECANCELED)
        return;
    is_alive(work);
    wake_drained(work);
}

static void write_piece(struct image_work *work, struct bytes bytes)
{
    if (bytes.size == 0)
        return;
    struct piece *piece = mem_alloc(sizeof *piece);
    piece->work = work;
    piece->data = mem_copy(bytes.data, bytes.size);
    piece->request.data = piece;
    uv_buf_t data = uv_buf_init(piece->data, (unsigned)bytes.size);
    if (uv_write(&piece->request, (uv_stream_t *)&work->archive, &data, 1, piece_written) < 0)
        piece_free(piece);
}

static void shut_down(uv_shutdown_t *request, int status)
{
    (void)status;
    free(request);
}

static void end_archive(struct image_work *work)
{
    uv_shutdown_t *request = mem_alloc(sizeof *request);
    if (!work->archive_open || uv_shutdown(request, (uv_stream_t *)&work->archive, shut_down) < 0)
        free(request);
    work->archive_open = false;
}

size_t image_load_write(struct image_job *job, struct bytes piece, void (*on_drained)(void *ctx))
{
    struct image_work *work = job->work;
    size_t waiting = 0;
    if (work->machine.state == WORK_WAITING) {
        buf_append(&work->early, piece.data, piece.size);
        waiting = work->early.size;
    } else if (work->machine.state == WORK_RUNNING && work->archive_open) {
        write_piece(work, piece);
        waiting = uv_stream_get_write_queue_size((uv_stream_t *)&work->archive);
    }
    if (waiting > IMAGE_LOAD_QUEUE_BYTES)
        job->on_drained = on_drained;
    return waiting;
}

void image_load_end(struct image_job *job)
{
    job->work->archive_ended = true;
    if (job->work->machine.state == WORK_RUNNING)
        end_archive(job->work);
}

static void request_written(uv_write_t *write, int status)
{
    struct image_work *work = write->data;
    free(write);
    (void)status; /* a tool that went away early is seen by its exit */
    wipe_request(work);
    close_handle((uv_handle_t *)&work->input);
}

/* --- starting ------------------------------------------------------------------------------------------------------------------------ */

static void open_pipe(struct image_work *work, uv_pipe_t *pipe)
{
    uv_pipe_init(work->store->loop, pipe, 0);
    pipe->data = work;
    work->open_handles++;
}

static int spawn(struct image_work *work)
{
    struct image_store *store = work->store;
    char *arguments[] = {(char *)(uintptr_t)store->tool_path, (char *)(uintptr_t) "job", NULL};
    open_pipe(work, &work->input);
    open_pipe(work, &work->output);
    if (work->takes_archive)
        open_pipe(work, &work->archive);
    uv_stdio_container_t stdio[4] = {
        {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t *)&work->input},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&work->output},
        {.flags = UV_INHERIT_FD, .data.fd = 2},
        {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t *)&work->archive},
    };
    uv_process_options_t options = {.exit_cb = on_exit_of,
                                    .file = store->tool_path,
                                    .args = arguments,
                                    .stdio = stdio,
                                    .stdio_count = work->takes_archive ? 4 : 3,
                                    .flags = UV_PROCESS_WINDOWS_HIDE};
    work->process.data = work;
    work->open_handles++;
    return uv_spawn(store->loop, &work->process, &options);
}

static void feed(struct image_work *work)
{
    uv_write_t *write = mem_alloc(sizeof *write);
    write->data = work;
    uv_buf_t data = uv_buf_init(work->request, (unsigned)strlen(work->request));
    if (uv_write(write, (uv_stream_t *)&work->input, &data, 1, request_written) < 0)
        request_written(write, UV_EPIPE);
    work->archive_open = work->takes_archive;
    if (!work->takes_archive)
        return;
    write_piece(work, buf_bytes(&work->early));
    buf_deinit(&work->early);
    if (work->archive_ended)
        end_archive(work);
}

static void run(struct image_work *work)
{
    move(work, WORK_RUNNING);
    work->store->running_count++;
    work->store->resolving_count += work->is_resolve;
    int failed = spawn(work);
    if (failed < 0) {
        error_set_uv(&work->failure, failed, "start %s", work->store->tool_path);
        work->failure.code = ERR_INTERNAL; /* "no such file" is not the image's fault */
        work_close(work);
        return;
    }
    is_alive(work);
    uv_read_start((uv_stream_t *)&work->output, on_room, on_output);
    feed(work);
}

static bool has_place(const struct image_work *work)
{
    const struct image_store *store = work->store;
    if (work->is_resolve)
        return store->resolving_count < IMAGE_RESOLVES_COUNT;
    return store->running_count - store->resolving_count < IMAGE_JOBS_PARALLEL_COUNT;
}

void image_work_run_next(struct image_store *store)
{
    if (store->is_closing)
        return;
    for (struct image_work *work = store->works; work; work = work->next) {
        bool is_held = work->removes && store->hold_count > 0;
        if (has_place(work) && work->machine.state == WORK_WAITING && !work->is_success && work->failure.code == 0 && !is_held)
            run(work);
    }
}

void image_work_start(struct image_work *work)
{
    image_work_run_next(work->store);
}

static void on_settled(uv_timer_t *timer)
{
    work_close(timer->data);
}

void image_work_settle(struct image_work *work, const struct error *err)
{
    if (err)
        work->failure = *err;
    else
        work->is_success = true;
    uv_timer_start(&work->timer, on_settled, 0, 0);
}

/* --- giving up ----------------------------------------------------------------------------------------------------------------------- */

static void abandon(struct image_work *work)
{
    if (work->failure.code == 0)
        error_set(&work->failure, ERR_CANCELED, "given up on request");
    if (work->machine.state == WORK_WAITING)
        work_close(work);
    else
        kill_process(work);
}

void image_job_cancel(struct image_job *job)
{
    struct image_work *work = job->work;
    struct image_job **at = &work->askers;
    while (*at && *at != job)
        at = &(*at)->next;
    if (*at == NULL)
        return;
    *at = job->next;
    free(job);
    if (work->askers)
        return;
    free(steal(&work->key)); /* nobody may join what is being killed */
    abandon(work);
}

void image_jobs_end(struct image_store *store)
{
    if (store->works == NULL) {
        image_store_closed(store);
        return;
    }
    for (struct image_work *work = store->works; work; work = work->next)
        abandon(work);
}
