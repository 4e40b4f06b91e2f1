#include "runtime/hcs_backend.h"

#include "base/state.h"

static const char *const state_names[] = {
#define X(name, text, next) [HCS_##name] = (text),
    HCS_STATES(X)
#undef X
};

static const struct {
    const char *shown;
    uint32_t deadline_ms;
} operations[] = {
#define X(name, shown, deadline_ms) [HCS_OP_##name] = {(shown), (deadline_ms)},
    HCS_OPERATIONS(X)
#undef X
};

static const char *const event_names[] = {
#define X(name, text) [HCS_EVENT_##name] = (text),
    HCS_EVENTS(X)
#undef X
};

const char *hcs_state_name(enum hcs_state state)
{
    return state_names[state];
}

const char *hcs_operation_shown(enum hcs_operation operation)
{
    return operations[operation].shown;
}

uint32_t hcs_operation_deadline_ms(enum hcs_operation operation)
{
    return operations[operation].deadline_ms;
}

const char *hcs_event_name(enum hcs_event_type type)
{
    return event_names[type];
}

void hcs_system_create(struct hcs *hcs, const char *id, const cJSON *document, const struct hcs_file_content *files, size_t file_count,
                       hcs_done_cb done, void *ctx)
{
    hcs->ops->system_create(hcs, id, document, files, file_count, done, ctx);
}

void hcs_system_start(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx)
{
    hcs->ops->system_start(hcs, id, done, ctx);
}

void hcs_system_shutdown(struct hcs *hcs, const char *id, const char *signal, int64_t grace_ms, hcs_done_cb done, void *ctx)
{
    hcs->ops->system_shutdown(hcs, id, signal, grace_ms, done, ctx);
}

void hcs_system_terminate(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx)
{
    hcs->ops->system_terminate(hcs, id, done, ctx);
}

void hcs_system_signal(struct hcs *hcs, const char *id, const char *signal, hcs_done_cb done, void *ctx)
{
    hcs->ops->system_signal(hcs, id, signal, done, ctx);
}

void hcs_system_pause(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx)
{
    hcs->ops->system_pause(hcs, id, done, ctx);
}

void hcs_system_resume(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx)
{
    hcs->ops->system_resume(hcs, id, done, ctx);
}

void hcs_system_properties(struct hcs *hcs, const char *id, bool wants_statistics, hcs_properties_cb done, void *ctx)
{
    hcs->ops->system_properties(hcs, id, wants_statistics, done, ctx);
}

void hcs_system_modify(struct hcs *hcs, const char *id, const cJSON *request, hcs_done_cb done, void *ctx)
{
    hcs->ops->system_modify(hcs, id, request, done, ctx);
}

void hcs_system_enumerate(struct hcs *hcs, const char *owner, hcs_enumerate_cb done, void *ctx)
{
    hcs->ops->system_enumerate(hcs, owner, done, ctx);
}

void hcs_system_remove(struct hcs *hcs, const char *id, bool force, hcs_done_cb done, void *ctx)
{
    hcs->ops->system_remove(hcs, id, force, done, ctx);
}

void hcs_process_create(struct hcs *hcs, const char *id, const cJSON *parameters, size_t output_bytes, hcs_process_cb done, void *ctx)
{
    hcs->ops->process_create(hcs, id, parameters, output_bytes, done, ctx);
}

void hcs_process_signal(struct hcs_process *process, const char *signal, hcs_done_cb done, void *ctx)
{
    process->ops->process_signal(process, signal, done, ctx);
}

void hcs_process_wait(struct hcs_process *process, uint32_t timeout_ms, hcs_process_exit_cb done, void *ctx)
{
    process->ops->process_wait(process, timeout_ms, done, ctx);
}

int64_t hcs_process_pid(const struct hcs_process *process)
{
    return process->ops->process_pid(process);
}

void hcs_process_close(struct hcs_process *process)
{
    process->ops->process_close(process);
}

int hcs_log_open(struct hcs *hcs, const char *id, const struct hcs_log_options *options, const struct hcs_log_sink *sink,
                 struct hcs_log **out, struct error *err)
{
    return hcs->ops->log_open(hcs, id, options, sink, out, err);
}

void hcs_log_pause(struct hcs_log *log, bool is_paused)
{
    log->ops->log_pause(log, is_paused);
}

void hcs_log_close(struct hcs_log *log)
{
    log->ops->log_close(log);
}

void hcs_probe(const struct hcs *hcs, struct hcs_host *out)
{
    hcs->ops->probe(hcs, out);
}

void hcs_close(struct hcs *hcs, void (*closed)(void *ctx), void *ctx)
{
    hcs->ops->close(hcs, closed, ctx);
}

void hcs_subscribe(struct hcs *hcs, struct hcs_listener *listener)
{
    struct hcs_listener **end = &hcs->listeners;

    while (*end)
        end = &(*end)->next;
    listener->next = NULL;
    *end = listener;
}

void hcs_unsubscribe(struct hcs *hcs, struct hcs_listener *listener)
{
    for (struct hcs_listener **place = &hcs->listeners; *place; place = &(*place)->next) {
        if (*place != listener)
            continue;
        if (hcs->next_listener == listener)
            hcs->next_listener = listener->next;
        *place = listener->next;
        listener->next = NULL;
        return;
    }
}

void hcs_emit(struct hcs *hcs, enum hcs_event_type type, const struct hcs_properties *properties)
{
    struct hcs_event event = {type, properties};

    /* A back end emits from the loop, never from inside a call, so walks do not nest. */
    for (struct hcs_listener *l = hcs->listeners; l; l = hcs->next_listener) {
        hcs->next_listener = l->next;
        l->on_event(l->ctx, &event);
    }
    hcs->next_listener = NULL;
}
