/* runtime/windows/work_stop.c – asking a running system, changing it, and cleaning up after its end. On a thread of the pool. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/windows/codes.h"
#include "runtime/windows/host.h"

enum { CALL_MS = 10000 };

/* --- time --- */

DWORD windows_at_most(const struct windows_host *host, uint32_t ms)
{
    return host->call_ms && host->call_ms < ms ? host->call_ms : ms;
}

/* A tenth of the deadline is left for what has to follow. */
DWORD windows_left_ms(const struct windows_op *op)
{
    uint64_t now = uv_hrtime(), spare = hcs_operation_deadline_ms(op->base.operation) / 10 * NS_PER_MS, end = op->base.deadline_ns - spare;

    return windows_at_most(windows_system_of(op)->host, now >= end ? 1 : (uint32_t)((end - now) / NS_PER_MS));
}

/* --- handles --- */

static int open_running(struct windows_system *s, const char *id, struct windows_handle **out, struct error *err)
{
    if (windows_open_system(s, id, out, err) < 0)
        return err->code;
    return *out ? 0 : error_set(err, ERR_PRECONDITION, "HCS knows no container %s (any more)", id);
}

/* --- the end --- */

void windows_work_kill(struct windows_op *op)
{
    windows_end_system(windows_system_of(op), false, &op->base.err);
}

/* What the first process ended with: as it was told, or asked for now. */
static struct windows_process_status final_status(struct windows_op *op)
{
    const struct windows_service_ops *ops = windows_system_of(op)->service->ops;
    struct windows_process_status status = windows_read_process_status(op->base.text);

    if (status.has_exited || !op->watches.process)
        return status;
    cleanup_reply struct windows_reply reply =
        ops->process_properties(op->watches.process, windows_at_most(windows_system_of(op)->host, CALL_MS));
    return windows_read_process_status(windows_failed(&reply) ? NULL : reply.text);
}

void windows_work_release(struct windows_op *op)
{
    struct windows_system *s = windows_system_of(op);
    struct windows_process_status status = final_status(op);
    struct error err = {0};

    if (windows_end_system(s, true, &err) < 0)
        log_with(LOG_ERROR, "runtime", LOG_FIELDS({"container", s->id}), "its process has ended, but Windows holds it: %s", err.message);
    if (!status.has_exited)
        status = final_status(op);
    windows_close_watches(s, &op->watches);
    windows_keeper_finish(s);
    if (err.code == 0)
        windows_undo_run(s, &op->run);
    op->outcome.exit_code = (int)status.exit_code;
    op->outcome.finished_wall_ns = clock_wall_ns(&windows_system_of(op)->host->clock);
    if (windows_record_write(s, WINDOWS_PHASE_STOPPED, &op->run, &op->outcome, &err) < 0)
        log_with(LOG_WARN, "runtime", LOG_FIELDS({"container", s->id}), "its record could not be written: %s", err.message);
}

/* --- asking --- */

static int signal_process(struct windows_system *s, struct windows_handle *system, DWORD pid, const char *event, DWORD timeout_ms,
                          struct error *err)
{
    const struct windows_service_ops *ops = s->service->ops;
    struct windows_handle *process = NULL;
    cleanup_reply struct windows_reply opened = ops->process_open(system, pid, NULL, &process);

    if (windows_failed(&opened))
        return windows_is_stopped(opened.code) ? 0 : windows_error(err, "signal", opened.code, opened.text);
    cleanup_json cJSON *options = event ? windows_encode_signal(event) : NULL;
    cleanup_free char *text = options ? json_print(options) : NULL;
    cleanup_reply struct windows_reply reply =
        event ? ops->process_signal(process, text, timeout_ms) : ops->process_terminate(process, timeout_ms);
    ops->close(process);
    if (!windows_failed(&reply) || windows_is_stopped(reply.code))
        return 0;
    if (!event && windows_is_win32(reply.code, 5)) /* access denied: it is dead already, hcs.md §2.6 */
        return 0;
    if (event && windows_is_timeout(reply.code)) /* on Server Core the call returns when its target is dead, hcs.md §8.4 */
        return 0;
    return windows_error(err, "signal", reply.code, reply.text);
}

/* Schema 1 knows no signals to a process: all but KILL is a shutdown of the container, as Docker has it. */
void windows_work_signal(struct windows_op *op)
{
    struct windows_system *s = windows_system_of(op);
    struct windows_handle *system = NULL;
    const char *event = NULL;
    DWORD timeout_ms = windows_at_most(s->host, CALL_MS);

    if (windows_signal_name(op->base.text, &event, &op->base.err) < 0 || open_running(s, s->id, &system, &op->base.err) < 0)
        return;
    if (s->form == WINDOWS_FORM_1 && event) {
        cleanup_reply struct windows_reply reply = s->service->ops->shutdown(system, timeout_ms);
        if (windows_failed(&reply) && !windows_is_stopped(reply.code) && !windows_is_timeout(reply.code))
            windows_error(&op->base.err, "signal", reply.code, reply.text);
    } else {
        signal_process(s, system, op->run.pid ? op->run.pid : s->run.pid, event, timeout_ms, &op->base.err);
    }
    s->service->ops->close(system);
}

void windows_work_pause(struct windows_op *op)
{
    struct windows_system *s = windows_system_of(op);
    struct windows_handle *system = NULL;

    if (s->isolation != ISOLATION_HYPERV) {
        error_set(&op->base.err, ERR_UNSUPPORTED, "%s: Windows can do that with hyperv isolation only",
                  hcs_operation_shown(op->base.operation));
        return;
    }
    if (open_running(s, s->vm_id ? s->vm_id : s->id, &system, &op->base.err) < 0) /* what is paused is the virtual machine */
        return;
    cleanup_reply struct windows_reply reply = op->base.operation == HCS_OP_PAUSE ? s->service->ops->pause(system, windows_left_ms(op))
                                                                                  : s->service->ops->resume(system, windows_left_ms(op));
    s->service->ops->close(system);
    if (windows_failed(&reply))
        windows_error(&op->base.err, hcs_operation_shown(op->base.operation), reply.code, reply.text);
}

/* "Container/Processor/Maximum": 5000 is HCS's "Container/Processor": {"Maximum": 5000}. */
static cJSON *request_of(const cJSON *asked)
{
    cJSON *json = cJSON_Duplicate(asked, true), *settings;

    if (strcmp(json_string(asked, "ResourcePath", ""), "Container/Processor/Maximum") != 0)
        return json;
    settings = cJSON_CreateObject();
    json_add_int(settings, "Maximum", json_int(asked, "Settings", 0));
    cJSON_ReplaceItemInObjectCaseSensitive(json, "ResourcePath", cJSON_CreateString("Container/Processor"));
    cJSON_ReplaceItemInObjectCaseSensitive(json, "Settings", settings);
    return json;
}

void windows_work_modify(struct windows_op *op)
{
    struct windows_system *s = windows_system_of(op);
    struct windows_handle *system = NULL;

    if (windows_check_modify(op->base.json, s->host->schema, s->form, &op->base.err) < 0 ||
        open_running(s, s->vm_id ? s->vm_id : s->id, &system, &op->base.err) < 0)
        return;
    cleanup_json cJSON *request = s->vm_id ? windows_encode_vm_update(op->base.json) : request_of(op->base.json);
    cleanup_free char *text = json_print(request);
    cleanup_reply struct windows_reply reply = s->service->ops->modify(system, text, windows_left_ms(op));
    s->service->ops->close(system);
    if (windows_failed(&reply))
        windows_error(&op->base.err, "modify", reply.code, reply.text);
}

void windows_work_sample(struct windows_op *op)
{
    static const char *const types[] = {"Statistics", "ProcessList", NULL};
    struct windows_system *s = windows_system_of(op);
    struct windows_handle *system = NULL;
    struct error ignored = {0};

    if (open_running(s, s->id, &system, &ignored) < 0)
        return; /* no statistics of what ends just now */
    cleanup_json cJSON *query = windows_encode_query(types);
    cleanup_free char *text = json_print(query);
    cleanup_reply struct windows_reply reply = s->service->ops->properties(system, text, windows_left_ms(op));
    s->service->ops->close(system);
    if (!windows_failed(&reply))
        windows_read_properties(reply.text, &op->arena, &op->answer, &ignored);
}

/* --- looking --- */

static bool system_is_over(struct windows_system *s, struct windows_handle *system)
{
    cleanup_arena struct arena arena = {0};
    struct windows_answer answer;
    cleanup_reply struct windows_reply reply = s->service->ops->properties(system, NULL, windows_at_most(s->host, CALL_MS));

    if (windows_failed(&reply))
        return windows_is_stopped(reply.code);
    return windows_read_properties(reply.text, &arena, &answer, &(struct error){0}) == 0 && answer.state == WINDOWS_STOPPED;
}

static void look_at_process(struct windows_op *op, struct windows_handle *system)
{
    struct windows_system *s = windows_system_of(op);
    struct windows_handle *process = NULL;
    cleanup_reply struct windows_reply opened = s->service->ops->process_open(system, op->run.pid, NULL, &process);

    if (windows_failed(&opened)) {
        op->has_exited = windows_is_stopped(opened.code);
        return;
    }
    cleanup_reply struct windows_reply reply = s->service->ops->process_properties(process, windows_at_most(s->host, CALL_MS));
    s->service->ops->close(process);
    if (windows_failed(&reply) || !windows_read_process_status(reply.text).has_exited)
        return;
    op->has_exited = true;
    op->base.text = mem_string(reply.text);
}

/* op->is_watch_lost: its handles are dead, and are opened anew. */
void windows_work_look(struct windows_op *op)
{
    struct windows_system *s = windows_system_of(op);
    struct windows_handle *system = NULL;
    struct error err = {0};

    if (op->is_watch_lost) {
        windows_close_watches(s, &op->watches);
        windows_open_watches(s, op->run.pid, &op->watches, &err);
        err = (struct error){0};
    }
    if (windows_open_system(s, s->id, &system, &err) < 0)
        return; /* HCS does not answer: nothing is known */
    op->has_exited = !system || system_is_over(s, system) || (s->vm_id && windows_is_over(s, s->vm_id));
    if (system && !op->has_exited)
        look_at_process(op, system);
    s->service->ops->close(system);
}
