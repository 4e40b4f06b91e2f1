/* runtime/linux/process.c – processes beside the first one: `crun exec` as a child of ours, its output kept up to a bound. On the loop. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "runtime/linux/environment.h"
#include "runtime/linux/linux.h"

enum { READ_BYTES = 4096, DRAIN_MS = 1000 };

struct linux_process {
    struct hcs_process base;
    struct linux_host *host;
    struct linux_process *next;
    char *system_id, *spec_path, *pid_path;
    uv_process_t child;
    uv_pipe_t pipes[2];
    uv_timer_t timer; /* of a wait, or of output that does not end */
    struct buf output;
    size_t output_bytes;
    int exit_code;
    bool is_spawned; /* @child is libuv's, be it that there is no child */
    bool has_exited, is_cut, is_closed, is_announced;
    unsigned open_pipes, handles;
    char chunk[READ_BYTES];
    hcs_process_cb created;
    hcs_process_exit_cb waiting;
    void *created_ctx, *waiting_ctx;
};

static void forget(struct linux_process *p)
{
    for (struct linux_process **place = &p->host->processes; *place; place = &(*place)->next)
        if (*place == p) {
            *place = p->next;
            p->host->process_count--;
            break;
        }
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct linux_process *p = handle->data;

    if (--p->handles > 0)
        return;
    p->host->base.open_handles--;
    unlink(p->spec_path);
    unlink(p->pid_path);
    free(p->system_id);
    free(p->spec_path);
    free(p->pid_path);
    buf_deinit(&p->output);
    free(p);
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_handle_closed);
}

static void close_handles(struct linux_process *p)
{
    p->handles = p->is_spawned ? 4 : 3;
    close_handle((uv_handle_t *)&p->pipes[0]);
    close_handle((uv_handle_t *)&p->pipes[1]);
    close_handle((uv_handle_t *)&p->timer);
    if (p->is_spawned)
        close_handle((uv_handle_t *)&p->child);
}

/* crun says itself why it could not run a command, and gives no code of its own for it. */
static int exit_code_of(const struct linux_process *p)
{
    const char *said = p->output.size ? (const char *)p->output.data : "";
    pid_t pid;

    if (p->exit_code == 0 || linux_pid_read_file(p->pid_path, &pid) == 0)
        return p->exit_code;
    if (strstr(said, "not found in $PATH") || strstr(said, "No such file or directory"))
        return 127;
    return strstr(said, "ermission denied") ? 126 : p->exit_code;
}

static void announce(struct linux_process *p)
{
    hcs_process_exit_cb waiting = p->waiting;
    struct hcs_process_exit result;

    if (!p->has_exited || p->open_pipes > 0 || !waiting)
        return;
    p->waiting = NULL;
    uv_timer_stop(&p->timer);
    result = (struct hcs_process_exit){.exit_code = exit_code_of(p), .output = buf_bytes(&p->output), .is_output_cut = p->is_cut};
    waiting(p->waiting_ctx, &result, NULL);
}

/* A grandchild keeps the pipe: what came so far is the output. */
static void on_drained(uv_timer_t *timer)
{
    struct linux_process *p = timer->data;

    p->open_pipes = 0;
    uv_read_stop((uv_stream_t *)&p->pipes[0]);
    uv_read_stop((uv_stream_t *)&p->pipes[1]);
    announce(p);
}

static void on_child_exit(uv_process_t *child, int64_t status, int term_signal)
{
    struct linux_process *p = child->data;

    p->has_exited = true;
    p->exit_code = term_signal ? 128 + term_signal : (int)status;
    if (p->is_closed) {
        close_handles(p);
        return;
    }
    if (p->open_pipes > 0)
        uv_timer_start(&p->timer, on_drained, DRAIN_MS, 0);
    announce(p);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct linux_process *p = handle->data;

    (void)suggested;
    *buf = uv_buf_init(p->chunk, READ_BYTES);
}

static void on_output(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct linux_process *p = stream->data;
    size_t room = p->output_bytes - p->output.size;

    if (n > 0) {
        p->is_cut = p->is_cut || (size_t)n > room;
        buf_append(&p->output, buf->base, (size_t)n < room ? (size_t)n : room);
    } else if (n < 0) {
        uv_read_stop(stream);
        if (p->open_pipes > 0)
            p->open_pipes--;
        announce(p);
    }
}

static void on_created(uv_timer_t *timer)
{
    struct linux_process *p = timer->data;

    p->created(p->created_ctx, &p->base, NULL);
}

static int run(struct linux_process *p, const char *id, struct error *err)
{
    cleanup_free char *root = mem_format("--root=%s", p->host->crun_root);
    char cgroupfs[] = "--cgroup-manager=cgroupfs", verb[] = "exec", process[] = "--process", pid_file[] = "--pid-file";
    char *args[] = {p->host->crun_path, root, cgroupfs, verb, process, p->spec_path, pid_file, p->pid_path, (char *)id, NULL};
    uv_stdio_container_t stdio[3] = {{.flags = UV_IGNORE},
                                     {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&p->pipes[0]},
                                     {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&p->pipes[1]}};
    char *environment[] = {(char *)(uintptr_t)environment_path(), NULL};
    uv_process_options_t options = {
        .exit_cb = on_child_exit, .file = p->host->crun_path, .args = args, .env = environment, .stdio = stdio, .stdio_count = 3};
    int result;

    p->is_spawned = true; /* a spawn that fails has the handle in the loop all the same */
    result = uv_spawn(p->host->base.loop, &p->child, &options);
    if (result < 0)
        return error_set_uv(err, result, "run %s", p->host->crun_path);
    p->open_pipes = 2;
    uv_read_start((uv_stream_t *)&p->pipes[0], on_alloc, on_output);
    uv_read_start((uv_stream_t *)&p->pipes[1], on_alloc, on_output);
    return 0;
}

static struct linux_process *process_new(struct linux_host *host, const struct linux_system *s)
{
    static unsigned number;
    struct linux_process *p = mem_alloc(sizeof *p);

    p->base.ops = host->base.hcs.ops;
    p->host = host;
    p->system_id = mem_string(s->id);
    p->spec_path = mem_format("%s/exec.%d.%u.json", s->run_dir, (int)getpid(), ++number);
    p->pid_path = mem_format("%s/exec.%d.%u.pid", s->run_dir, (int)getpid(), number);
    p->child.data = p->pipes[0].data = p->pipes[1].data = p->timer.data = p;
    uv_pipe_init(host->base.loop, &p->pipes[0], 0);
    uv_pipe_init(host->base.loop, &p->pipes[1], 0);
    uv_timer_init(host->base.loop, &p->timer);
    p->next = host->processes;
    host->processes = p;
    host->process_count++;
    host->base.open_handles++;
    return p;
}

static size_t count_running(const struct linux_host *host, const char *id)
{
    size_t count = 0;

    for (const struct linux_process *p = host->processes; p; p = p->next)
        count += !p->has_exited && strcmp(p->system_id, id) == 0;
    return count;
}

static int prepare(struct linux_host *host, const char *id, const cJSON *parameters, struct linux_process **out, struct error *err)
{
    struct linux_system *s = linux_find(host, id);
    cleanup_arena struct arena arena = {0};
    cleanup_json cJSON *normal = NULL, *json = NULL;
    cleanup_free char *text = NULL;
    struct document_process process;

    if (!s || !s->base.is_made)
        return error_set(err, ERR_NOT_FOUND, "No such container: %s", id);
    if (s->base.state != HCS_RUNNING)
        return error_set(err, ERR_PRECONDITION, "Container %s is not running", id);
    if (host->process_count >= CONTAINERS_COUNT)
        return error_set(err, ERR_LIMIT, "%d processes run beside containers already", CONTAINERS_COUNT);
    if (count_running(host, id) >= CONTAINER_PROCESSES_COUNT)
        return error_set(err, ERR_LIMIT, "container %s has %d processes beside its first one already", id, CONTAINER_PROCESSES_COUNT);
    if (document_normalise(parameters, &normal, err) < 0)
        return err->code;
    if (!cJSON_GetObjectItemCaseSensitive(normal, "WorkingDirectory"))
        json_add_string(normal, "WorkingDirectory", s->document.process.working_dir);
    if (document_parse_process(normal, false, &arena, &process, err) < 0 || !(json = linux_process_json(s, &process, err)))
        return err->code;
    text = json_print(json);
    *out = process_new(host, s);
    return file_write_volatile((*out)->spec_path, bytes_of_string(text), 0600, err);
}

/* The answer comes later also where it is an error. */
struct failed_create {
    uv_timer_t timer;
    struct linux_host *host;
    struct error err;
    hcs_process_cb done;
    void *ctx;
};

static void on_failed_closed(uv_handle_t *handle)
{
    struct failed_create *f = handle->data;

    f->host->base.open_handles--;
    free(f);
}

static void on_failed(uv_timer_t *timer)
{
    struct failed_create *f = timer->data;

    f->done(f->ctx, NULL, &f->err);
    uv_close((uv_handle_t *)timer, on_failed_closed);
}

static void answer_error(struct linux_host *host, const struct error *err, hcs_process_cb done, void *ctx)
{
    struct failed_create *f = mem_alloc(sizeof *f);

    *f = (struct failed_create){.host = host, .err = *err, .done = done, .ctx = ctx};
    f->timer.data = f;
    host->base.open_handles++;
    uv_timer_init(host->base.loop, &f->timer);
    uv_timer_start(&f->timer, on_failed, 0, 0);
}

void linux_process_create(struct hcs *hcs, const char *id, const cJSON *parameters, size_t output_bytes, hcs_process_cb done, void *ctx)
{
    struct linux_host *host = linux_of(hcs);
    struct linux_process *p = NULL;
    struct error err = {0};

    if (prepare(host, id, parameters, &p, &err) == 0 && p) {
        p->output_bytes = output_bytes < CONTAINER_PROCESS_OUTPUT_BYTES ? output_bytes : CONTAINER_PROCESS_OUTPUT_BYTES;
        if (run(p, id, &err) == 0) {
            p->created = done;
            p->created_ctx = ctx;
            uv_timer_start(&p->timer, on_created, 0, 0);
            return;
        }
    }
    if (p) {
        forget(p);
        close_handles(p);
    }
    answer_error(host, &err, done, ctx);
}

/* The process itself is in the container's namespace; crun's child process on the host has its number in the pid file. */
int64_t linux_process_pid(const struct hcs_process *process)
{
    const struct linux_process *p = (const struct linux_process *)process;
    pid_t pid;

    return linux_pid_read_file(p->pid_path, &pid) == 0 ? pid : 0;
}

struct signal_answer {
    uv_timer_t timer;
    struct linux_host *host;
    struct error err;
    hcs_done_cb done;
    void *ctx;
};

static void on_signal_closed(uv_handle_t *handle)
{
    struct signal_answer *a = handle->data;

    a->host->base.open_handles--;
    free(a);
}

static void on_signal_answer(uv_timer_t *timer)
{
    struct signal_answer *a = timer->data;

    a->done(a->ctx, a->err.code ? &a->err : NULL);
    uv_close((uv_handle_t *)timer, on_signal_closed);
}

void linux_process_signal(struct hcs_process *process, const char *signal, hcs_done_cb done, void *ctx)
{
    struct linux_process *p = (struct linux_process *)process;
    struct signal_answer *a = mem_alloc(sizeof *a);
    int number = document_signal_number(signal);
    int64_t pid = linux_process_pid(process);

    *a = (struct signal_answer){.host = p->host, .done = done, .ctx = ctx};
    if (number < 0)
        error_set(&a->err, ERR_INVALID, "Invalid signal: %s", signal);
    else if (p->has_exited || pid == 0)
        error_set(&a->err, ERR_PRECONDITION, "the process does not run");
    else
        kill((pid_t)pid, number);
    a->timer.data = a;
    p->host->base.open_handles++;
    uv_timer_init(p->host->base.loop, &a->timer);
    uv_timer_start(&a->timer, on_signal_answer, 0, 0);
}

static void on_wait_over(uv_timer_t *timer)
{
    struct linux_process *p = timer->data;
    hcs_process_exit_cb waiting = p->waiting;
    struct error err = {0};

    if (p->has_exited) { /* output that does not end, or a wait that began after the end */
        on_drained(timer);
        return;
    }
    p->waiting = NULL;
    error_set(&err, ERR_DEADLINE, "the process still runs");
    if (waiting)
        waiting(p->waiting_ctx, NULL, &err);
}

void linux_process_wait(struct hcs_process *process, uint32_t timeout_ms, hcs_process_exit_cb done, void *ctx)
{
    struct linux_process *p = (struct linux_process *)process;

    p->waiting = done;
    p->waiting_ctx = ctx;
    if (p->has_exited && p->open_pipes > 0)
        timeout_ms = DRAIN_MS;
    uv_timer_start(&p->timer, on_wait_over, p->has_exited && p->open_pipes == 0 ? 0 : timeout_ms, 0);
}

void linux_process_close(struct hcs_process *process)
{
    struct linux_process *p = (struct linux_process *)process;
    int64_t pid = linux_process_pid(process);

    forget(p);
    p->is_closed = true;
    p->waiting = NULL;
    uv_timer_stop(&p->timer);
    if (p->has_exited) {
        close_handles(p);
        return;
    }
    if (pid > 0)
        kill((pid_t)pid, SIGKILL);
    uv_process_kill(&p->child, SIGKILL); /* on_child_exit closes the rest */
}

void linux_processes_drop(struct linux_host *host)
{
    while (host->processes)
        linux_process_close(&host->processes->base);
}
