/* runtime/emulated/process.c – processes beside the first one: they end at once with the result that was set for their system. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "runtime/emulated/emulated.h"

void hcs_emulated_set_process_result(struct hcs *hcs, const char *name, int exit_code, const char *output)
{
    struct emulated *host = emulated_of(hcs);
    struct emulated_result *result = mem_alloc(sizeof *result);

    result->name = mem_string(name ? name : "");
    result->output = mem_string(output ? output : "");
    result->exit_code = exit_code;
    result->next = host->results; /* the newest that fits wins */
    host->results = result;
}

static const struct emulated_result *result_for(const struct emulated *host, const char *name)
{
    for (const struct emulated_result *r = host->results; r; r = r->next)
        if (strstr(name, r->name))
            return r;
    return NULL;
}

static void carry_out_create(struct emulated *host, struct emulated_item *item)
{
    struct emulated_system *system = emulated_find(host, item->id);
    const struct emulated_result *result;
    struct emulated_process *process;
    struct error err = {0};

    if (item->code)
        error_set(&err, item->code, "%s", item->message);
    else if (!system)
        error_set(&err, ERR_NOT_FOUND, "No such container: %s", item->id);
    else if (system->state != HCS_RUNNING)
        error_set(&err, ERR_PRECONDITION, "Container %s is not running", item->id);
    if (!system || err.code) {
        item->process_done(item->ctx, NULL, &err);
        return;
    }
    result = result_for(host, system->document.name);
    process = mem_alloc(sizeof *process);
    process->base.ops = host->base.ops;
    process->host = host;
    process->system_id = mem_string(item->id);
    process->output = mem_string(result ? result->output : "");
    process->exit_code = result ? result->exit_code : 0;
    process->output_bytes = (size_t)item->late_ns;
    process->pid = host->next_pid++;
    process->next = host->processes;
    host->processes = process;
    item->process_done(item->ctx, &process->base, NULL);
}

void emulated_process_create(struct hcs *hcs, const char *id, const cJSON *parameters, size_t output_bytes, hcs_process_cb done, void *ctx)
{
    struct emulated_item *item = emulated_enqueue(emulated_of(hcs), HCS_OP_CREATE_PROCESS, id, carry_out_create, ctx);

    (void)parameters;
    item->late_ns = output_bytes;
    item->process_done = done;
}

/* A closed process is freed by the last item that speaks of it. */
static bool is_given_up(const struct emulated *host, const struct emulated_process *process)
{
    for (const struct emulated_process *p = host->processes; p; p = p->next)
        if (p == process)
            return false;
    return true;
}

static void carry_out_signal(struct emulated *host, struct emulated_item *item)
{
    if (!is_given_up(host, item->process))
        item->done(item->ctx, NULL);
}

void emulated_process_signal(struct hcs_process *process, const char *signal, hcs_done_cb done, void *ctx)
{
    struct emulated_process *own = (struct emulated_process *)process;
    struct emulated_item *item = emulated_enqueue(own->host, HCS_OP_SIGNAL_PROCESS, own->system_id, carry_out_signal, ctx);

    (void)signal;
    item->process = own;
    item->done = done;
}

static void carry_out_wait(struct emulated *host, struct emulated_item *item)
{
    struct emulated_process *process = item->process;
    struct hcs_process_exit result = {0};
    struct error err = {0};
    size_t size;

    if (is_given_up(host, process))
        return;
    if (item->code) {
        error_set(&err, item->code, "%s", item->message);
        item->exit_done(item->ctx, NULL, &err);
        return;
    }
    size = strlen(process->output);
    result.exit_code = process->exit_code;
    result.is_output_cut = size > process->output_bytes;
    result.output = bytes_of(process->output, result.is_output_cut ? process->output_bytes : size);
    item->exit_done(item->ctx, &result, NULL);
}

void emulated_process_wait(struct hcs_process *process, uint32_t timeout_ms, hcs_process_exit_cb done, void *ctx)
{
    struct emulated_process *own = (struct emulated_process *)process;
    struct emulated_item *item = emulated_enqueue(own->host, HCS_OP_WAIT_PROCESS, own->system_id, carry_out_wait, ctx);
    bool hangs = item->code == ERR_DEADLINE;

    item->process = own;
    item->exit_done = done;
    if (hangs) { /* the caller's own deadline is what passes */
        struct emulated_item **place = &own->host->items;
        while (*place != item)
            place = &(*place)->next;
        *place = item->next;
        item->due_ns += (uint64_t)timeout_ms * NS_PER_MS;
        emulated_insert(own->host, item);
    }
}

int64_t emulated_process_pid(const struct hcs_process *process)
{
    return ((const struct emulated_process *)process)->pid;
}

void emulated_process_close(struct hcs_process *process)
{
    struct emulated_process *own = (struct emulated_process *)process;

    for (struct emulated_process **place = &own->host->processes; *place; place = &(*place)->next)
        if (*place == own) {
            *place = own->next;
            break;
        }
    for (struct emulated_item *item = own->host->items; item; item = item->next)
        if (item->process == own)
            item->process = NULL;
    free(own->system_id);
    free(own->output);
    free(own);
}
