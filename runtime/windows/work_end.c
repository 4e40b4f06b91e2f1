/* runtime/windows/work_end.c – ending a compute system for sure, with the utility VM it is hosted in, and closing what is open of it. On a
 * thread of the pool.
 *
 * The container's system ends before its VM: only so its process has an exit code. A VM that is gone takes with it whatever is in it. */
#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/windows/codes.h"
#include "runtime/windows/host.h"

enum { SHUTDOWN_MS = 10000, TERMINATE_MS = 30000, HOSTED_TERMINATE_MS = 5000, GONE_MS = 3000, CALL_MS = 10000, GONE_POLL_MS = 50 };

/* --- handles --- */

int windows_open_system(struct windows_system *s, const char *id, struct windows_handle **out, struct error *err)
{
    cleanup_reply struct windows_reply reply = s->service->ops->open(s->service, id, NULL, out);

    if (!windows_failed(&reply) || windows_is_gone(reply.code))
        return 0;
    return windows_error(err, "open", reply.code, reply.text);
}

void windows_close_watches(struct windows_system *s, struct windows_watches *watches)
{
    if (!s->service)
        return;
    s->service->ops->close(steal(&watches->process));
    s->service->ops->close(steal(&watches->system));
    s->service->ops->close(steal(&watches->vm));
}

static int open_watch(struct windows_system *s, const char *id, enum windows_watched watched, struct windows_handle **out,
                      struct error *err)
{
    struct windows_watch watch = windows_watch_of(s, watched);
    cleanup_reply struct windows_reply opened = s->service->ops->open(s->service, id, &watch, out);

    return windows_failed(&opened) ? windows_error(err, "open", opened.code, opened.text) : 0;
}

int windows_open_watches(struct windows_system *s, DWORD pid, struct windows_watches *watches, struct error *err)
{
    struct windows_watch watch = windows_watch_of(s, WINDOWS_WATCHED_PROCESS);

    if ((s->vm_id && open_watch(s, s->vm_id, WINDOWS_WATCHED_VM, &watches->vm, err) < 0) ||
        open_watch(s, s->id, WINDOWS_WATCHED_SYSTEM, &watches->system, err) < 0) {
        windows_close_watches(s, watches);
        return err->code;
    }
    cleanup_reply struct windows_reply process = s->service->ops->process_open(watches->system, pid, &watch, &watches->process);
    if (!windows_failed(&process))
        return 0;
    windows_close_watches(s, watches);
    return windows_error(err, "open its process", process.code, process.text);
}

/* --- ending --- */

bool windows_is_over(struct windows_system *s, const char *id)
{
    cleanup_arena struct arena arena = {0};
    struct windows_handle *handle = NULL;
    struct windows_answer answer;
    struct error err = {0};
    bool is_stopped;

    if (windows_open_system(s, id, &handle, &err) < 0)
        return false;
    if (!handle)
        return true;
    cleanup_reply struct windows_reply reply = s->service->ops->properties(handle, NULL, windows_at_most(s->host, CALL_MS));
    is_stopped = windows_failed(&reply)
                     ? windows_is_stopped(reply.code) || windows_is_win32(reply.code, 6)
                     : windows_read_properties(reply.text, &arena, &answer, &err) == 0 && answer.state == WINDOWS_STOPPED;
    s->service->ops->close(handle);
    return is_stopped;
}

static bool is_over_soon(struct windows_system *s, const char *id)
{
    ULONGLONG end = GetTickCount64() + GONE_MS;

    while (!windows_is_over(s, id)) {
        if (GetTickCount64() >= end)
            return false;
        Sleep(GONE_POLL_MS);
    }
    return true;
}

static DWORD terminate_ms(const struct windows_system *s, const char *id)
{
    bool is_hosted = s->vm_id && id != s->vm_id; /* its VM can be ended instead */

    return windows_at_most(s->host, is_hosted ? HOSTED_TERMINATE_MS : TERMINATE_MS);
}

int windows_end_one(struct windows_system *s, const char *id, bool is_graceful, struct error *err)
{
    struct windows_handle *handle = NULL;
    struct windows_reply reply = {0};
    bool is_stopped = false;

    if (windows_open_system(s, id, &handle, err) < 0)
        return err->code;
    if (!handle)
        return 0;
    if (is_graceful) {
        reply = s->service->ops->shutdown(handle, windows_at_most(s->host, SHUTDOWN_MS));
        is_stopped = !windows_failed(&reply) || windows_is_stopped(reply.code);
        windows_reply_deinit(&reply);
    }
    if (!is_stopped)
        reply = s->service->ops->terminate(handle, terminate_ms(s, id));
    s->service->ops->close(handle);
    if (is_over_soon(s, id)) {
        windows_reply_deinit(&reply);
        return 0;
    }
    if (windows_failed(&reply))
        windows_error(err, "terminate", reply.code, reply.text);
    else
        error_set(err, ERR_DEADLINE, "terminate: Windows said that it did, but the container %s runs on", id);
    windows_reply_deinit(&reply);
    return err->code;
}

int windows_end_system(struct windows_system *s, bool is_graceful, struct error *err)
{
    struct error hosted = {0};

    if (!s->service)
        return 0;
    if (!s->vm_id)
        return windows_end_one(s, s->id, is_graceful, err);
    if (windows_end_one(s, s->id, is_graceful, &hosted) < 0)
        log_with(LOG_WARN, "runtime", LOG_FIELDS({"container", s->id}), "it ends with its utility VM: %s", hosted.message);
    return windows_end_one(s, s->vm_id, false, err);
}

void windows_undo_run(struct windows_system *s, struct windows_run *run)
{
    cleanup_free char *files = mem_format("%s\\files", s->dir);
    struct error err = {0};

    if (file_remove_tree(files, &err) < 0) /* secrets stay no longer than their container runs */
        log_with(LOG_ERROR, "runtime", LOG_FIELDS({"container", s->id}), "its secrets and configs stay: %s", err.message);
    windows_network_detach(s, &run->endpoint);
    windows_layers_unmount(s);
    windows_vm_discard(s);
    windows_credentials_end(s);
    run->pid = 0;
}
