/* runtime/emulated/hcs_emulated.c – birth, restart and death of an emulated host, and its table. See hcs_emulated.h. */
#include "runtime/emulated/emulated.h"

#include <stdlib.h>

#include "base/mem.h"

static const struct hcs_ops emulated_ops;

enum { EMULATED_FIRST_PID = 1000, EMULATED_FIRST_PORT = 32768 };

static void emulated_probe(const struct hcs *hcs, struct hcs_host *out)
{
    const struct emulated *host = (const struct emulated *)hcs;

    *out = (struct hcs_host){
        .back_end = "emulated",
        .os = host->os,
        .architecture = host->architecture,
        .os_version = host->os_version,
        .offers_process = !host->lacks_process,
        .offers_hyperv = host->offers_hyperv,
        .process_missing = host->lacks_process ? "this emulated host was told to offer none" : NULL,
        .hyperv_missing = host->offers_hyperv ? NULL : "this emulated host was told to offer none",
        .versions = "emulated HCS",
    };
}

int hcs_emulated_new(const struct hcs_emulated_options *options, uint64_t now_ns, int64_t wall_ns, struct hcs **out, struct error *err)
{
    struct emulated *host = mem_alloc(sizeof *host);

    host->base.ops = &emulated_ops;
    host->random = options->random;
    host->min_ns = options->operation_min_ns;
    host->max_ns = options->operation_max_ns;
    host->now_ns = now_ns;
    host->wall_ns = wall_ns;
    host->next_pid = EMULATED_FIRST_PID;
    host->next_port = EMULATED_FIRST_PORT;
    host->os = mem_string(options->os ? options->os : "linux");
    host->architecture = mem_string(options->architecture ? options->architecture : "amd64");
    host->os_version = mem_string(options->os_version ? options->os_version : "");
    host->memory_path = mem_string(options->memory_path);
    host->offers_hyperv = options->offers_hyperv;
    host->lacks_process = options->lacks_process;
    if (emulated_recall(host, err) < 0) {
        hcs_close(&host->base, NULL, NULL);
        return error_wrap(err, "emulated host");
    }
    *out = &host->base;
    return 0;
}

static void drop_items(struct emulated *host, bool answers)
{
    struct error err = {0};
    struct emulated_item *item;

    error_set(&err, ERR_CANCELED, "the emulated host is closing");
    while ((item = host->items) != NULL) {
        host->items = item->next;
        item->code = 0;
        if (answers)
            emulated_answer(item, &err);
        emulated_item_free(item);
    }
}

static void free_rest(struct emulated *host)
{
    struct emulated_system *system;
    struct emulated_process *process;
    struct emulated_result *result;

    while ((system = host->systems) != NULL) {
        host->systems = system->next;
        emulated_system_free(system);
    }
    while ((process = host->processes) != NULL) {
        host->processes = process->next;
        free(process->system_id);
        free(process->output);
        free(process);
    }
    while ((result = host->results) != NULL) {
        host->results = result->next;
        free(result->name);
        free(result->output);
        free(result);
    }
    emulated_logs_free(host);
    hcs_emulated_clear_rules(&host->base);
    free(host->os);
    free(host->architecture);
    free(host->os_version);
    free(host->memory_path);
    free(host);
}

static void finish_close(struct emulated *host)
{
    void (*closed)(void *) = host->closed;
    void *ctx = host->closed_ctx;

    drop_items(host, true);
    free_rest(host);
    if (closed)
        closed(ctx);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct emulated *host = handle->data;

    free(handle);
    finish_close(host);
}

/* Off a loop it answers at once: a driver of virtual time has nothing to wait for. */
static void emulated_close(struct hcs *hcs, void (*closed)(void *ctx), void *ctx)
{
    struct emulated *host = emulated_of(hcs);

    host->closed = closed;
    host->closed_ctx = ctx;
    if (host->timer)
        uv_close((uv_handle_t *)host->timer, on_timer_closed);
    else
        finish_close(host);
}

struct hcs *hcs_emulated_restart(struct hcs *hcs, uint64_t now_ns, int64_t wall_ns)
{
    struct emulated *old = emulated_of(hcs), *host = mem_alloc(sizeof *host);

    *host = *old;
    host->base = (struct hcs){.ops = &emulated_ops};
    host->items = NULL;
    host->processes = NULL;
    host->logs = NULL;
    host->now_ns = now_ns;
    host->wall_ns = wall_ns;
    drop_items(old, false);
    if (host->timer)
        host->timer->data = host;
    old->systems = NULL;
    old->rules = NULL;
    old->results = NULL;
    old->os = old->architecture = old->os_version = old->memory_path = NULL;
    free_rest(old);
    for (struct emulated_system *s = host->systems; s; s = s->next) {
        s->busy_until_ns = 0;
        emulated_plan_exit(host, s);
    }
    return &host->base;
}

static void on_timer(uv_timer_t *timer)
{
    struct emulated *host = timer->data;
    struct clock clock = clock_system();

    hcs_emulated_step(&host->base, clock_monotonic_ns(&clock), clock_wall_ns(&clock));
}

void hcs_emulated_run_on(struct hcs *hcs, uv_loop_t *loop)
{
    struct emulated *host = emulated_of(hcs);

    host->timer = mem_alloc(sizeof *host->timer);
    host->timer->data = host;
    uv_timer_init(loop, host->timer);
    uv_timer_start(host->timer, on_timer, 0, 10);
    uv_unref((uv_handle_t *)host->timer);
}

static const struct hcs_ops emulated_ops = {
    .system_create = emulated_create,
    .system_start = emulated_start,
    .system_shutdown = emulated_shutdown,
    .system_terminate = emulated_terminate,
    .system_signal = emulated_signal,
    .system_pause = emulated_pause,
    .system_resume = emulated_resume,
    .system_properties = emulated_get_properties,
    .system_modify = emulated_modify,
    .system_enumerate = emulated_enumerate,
    .system_remove = emulated_remove,
    .process_create = emulated_process_create,
    .process_signal = emulated_process_signal,
    .process_wait = emulated_process_wait,
    .process_pid = emulated_process_pid,
    .process_close = emulated_process_close,
    .log_open = emulated_log_open,
    .log_pause = emulated_log_pause,
    .log_close = emulated_log_close,
    .probe = emulated_probe,
    .close = emulated_close,
};
