/* runtime/emulated/system.c – the emulator's systems: what each operation makes of one when its time has come. */
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "runtime/emulated/emulated.h"

enum { EXIT_SIGKILL = 137 };

struct emulated_system *emulated_find(struct emulated *host, const char *id)
{
    for (struct emulated_system *s = host->systems; s; s = s->next)
        if (strcmp(s->id, id) == 0)
            return s;
    return NULL;
}

void emulated_system_free(struct emulated_system *system)
{
    free(system->id);
    free(system->error);
    free(system->ports);
    cJSON_Delete(system->json);
    arena_deinit(&system->arena);
    free(system);
}

void emulated_properties(const struct emulated_system *s, struct hcs_properties *out)
{
    static const char *const networks[] = {"bridge", "host", "none"};

    *out = (struct hcs_properties){
        .id = s->id,
        .owner = s->document.owner,
        .name = s->document.name,
        .document = s->json,
        .state = s->state,
        .pid = s->state == HCS_RUNNING || s->state == HCS_PAUSED ? s->pid : 0,
        .created_wall_ns = s->created_wall_ns,
        .started_wall_ns = s->started_wall_ns,
        .finished_wall_ns = s->finished_wall_ns,
        .exit_code = s->exit_code,
        .is_oom_killed = s->is_oom_killed,
        .error = s->error,
        .ports = s->ports,
        .port_count = s->state == HCS_RUNNING || s->state == HCS_PAUSED ? s->document.network.port_count : 0,
        .endpoint = {.network = networks[s->document.network.mode]},
    };
}

void emulated_emit(struct emulated *host, enum hcs_event_type type, const struct emulated_system *system)
{
    struct hcs_properties properties;

    emulated_properties(system, &properties);
    hcs_emit(&host->base, type, &properties);
}

/* --- answers --- */

/* The item's own fault goes before @err. */
void emulated_answer(struct emulated_item *item, const struct error *err)
{
    struct error fault = {0};

    if (item->code) {
        error_set(&fault, item->code, "%s", item->message);
        err = &fault;
    }
    if (item->done)
        item->done(item->ctx, err && err->code ? err : NULL);
    else if (item->properties_done)
        item->properties_done(item->ctx, NULL, err);
    else if (item->enumerate_done)
        item->enumerate_done(item->ctx, NULL, 0, err);
    else if (item->process_done)
        item->process_done(item->ctx, NULL, err);
    else if (item->exit_done)
        item->exit_done(item->ctx, NULL, err);
}

static struct emulated_system *find_or_answer(struct emulated *host, struct emulated_item *item)
{
    struct emulated_system *system = emulated_find(host, item->id);
    struct error err = {0};

    if (system)
        return system;
    error_set(&err, ERR_NOT_FOUND, "No such container: %s", item->id);
    emulated_answer(item, &err);
    return NULL;
}

static void answer_state(struct emulated_item *item, const struct emulated_system *system)
{
    struct error err = {0};

    error_set(&err, ERR_PRECONDITION, "%s: it is %s", hcs_operation_shown(item->operation), hcs_state_name(system->state));
    emulated_answer(item, &err);
}

/* --- the life of a system --- */

void emulated_stop(struct emulated *host, struct emulated_system *system, int exit_code)
{
    bool ran = system->state != HCS_CREATED;

    system->state = HCS_STOPPED;
    system->exit_code = exit_code;
    system->finished_wall_ns = host->wall_ns;
    emulated_remember(host);
    if (ran && !system->loses_exit)
        emulated_emit(host, HCS_EVENT_EXITED, system);
}

static void carry_out_create(struct emulated *host, struct emulated_item *item)
{
    struct emulated_system *system, **end = &host->systems;
    struct error err = {0};

    if (item->is_undone) {
        emulated_answer(item, NULL);
        return;
    }
    if (emulated_find(host, item->id)) {
        error_set(&err, ERR_EXISTS, "there is a container %s already", item->id);
        emulated_answer(item, &err);
        return;
    }
    system = mem_alloc(sizeof *system);
    system->id = mem_string(item->id);
    system->json = steal(&item->json);
    if (document_parse(system->json, &system->arena, &system->document, &err) < 0) {
        emulated_system_free(system);
        emulated_answer(item, &err);
        return;
    }
    system->created_wall_ns = system->document.created_wall_ns ? system->document.created_wall_ns : host->wall_ns;
    while (*end)
        end = &(*end)->next;
    *end = system;
    emulated_remember(host);
    emulated_emit(host, HCS_EVENT_CREATED, system);
    emulated_answer(item, NULL);
}

static void give_ports(struct emulated *host, struct emulated_system *system)
{
    const struct document_network *network = &system->document.network;

    system->ports = mem_array(network->port_count + 1, sizeof *system->ports);
    for (size_t i = 0; i < network->port_count; i++) {
        system->ports[i].protocol = network->ports[i].is_udp ? "udp" : "tcp";
        system->ports[i].target_port = network->ports[i].target_port;
        system->ports[i].published_port = network->ports[i].published_port ? network->ports[i].published_port : host->next_port++;
    }
}

static void carry_out_start(struct emulated *host, struct emulated_item *item)
{
    struct emulated_system *system = find_or_answer(host, item);

    if (!system)
        return;
    if (item->is_undone) {
        if (item->code != ERR_DEADLINE) { /* a failed start leaves it Stopped, a hung one as it is */
            system->error = mem_string(item->message);
            emulated_stop(host, system, 128);
        }
        emulated_answer(item, NULL);
        return;
    }
    if (system->state != HCS_CREATED) {
        answer_state(item, system);
        return;
    }
    system->state = HCS_RUNNING;
    system->pid = host->next_pid++;
    system->started_wall_ns = host->wall_ns;
    system->started_ns = host->now_ns;
    system->loses_exit = item->loses_exit;
    give_ports(host, system);
    emulated_remember(host);
    emulated_emit(host, HCS_EVENT_STARTED, system);
    system = emulated_find(host, item->id); /* a listener may have had it removed only later: items never run nested */
    if (item->exits_first)
        emulated_stop(host, system, item->exit_code);
    else
        emulated_plan_exit(host, system);
    emulated_answer(item, NULL);
}

static void carry_out_late_exit(struct emulated *host, struct emulated_item *item)
{
    struct emulated_system *system = emulated_find(host, item->id);

    if (system && system->state != HCS_STOPPED)
        emulated_stop(host, system, EXIT_SIGKILL);
}

static void carry_out_stop(struct emulated *host, struct emulated_item *item)
{
    struct emulated_system *system = find_or_answer(host, item);

    if (!system)
        return;
    if (!item->is_undone && item->is_late)
        emulated_schedule(host, item->id, host->now_ns + item->late_ns, carry_out_late_exit);
    else if (!item->is_undone && system->state != HCS_STOPPED)
        emulated_stop(host, system, item->exit_code);
    emulated_answer(item, NULL);
}

static void carry_out_signal(struct emulated *host, struct emulated_item *item)
{
    struct emulated_system *system = find_or_answer(host, item);
    struct error err = {0};
    int number;

    if (!system)
        return;
    number = document_signal_number(item->text);
    if (number < 0) {
        error_set(&err, ERR_INVALID, "Invalid signal: %s", item->text);
        emulated_answer(item, &err);
    } else if (system->state != HCS_RUNNING) {
        answer_state(item, system);
    } else {
        if (!item->is_undone && (number == 9 || number == 15 || number == 2))
            emulated_stop(host, system, 128 + number);
        emulated_answer(item, NULL);
    }
}

static void carry_out_pause(struct emulated *host, struct emulated_item *item)
{
    bool pauses = item->operation == HCS_OP_PAUSE;
    struct emulated_system *system = find_or_answer(host, item);

    if (!system)
        return;
    if (system->state != (pauses ? HCS_RUNNING : HCS_PAUSED)) {
        answer_state(item, system);
        return;
    }
    if (!item->is_undone) {
        system->state = pauses ? HCS_PAUSED : HCS_RUNNING;
        emulated_emit(host, pauses ? HCS_EVENT_PAUSED : HCS_EVENT_RESUMED, system);
    }
    emulated_answer(item, NULL);
}

static void carry_out_properties(struct emulated *host, struct emulated_item *item)
{
    struct emulated_system *system = find_or_answer(host, item);
    struct hcs_statistics statistics = {0};
    struct hcs_properties properties;

    if (!system)
        return;
    if (item->code) {
        emulated_answer(item, NULL);
        return;
    }
    emulated_properties(system, &properties);
    if (item->flag && system->state == HCS_RUNNING) {
        statistics.cpu_total_ns = statistics.cpu_user_ns = (host->now_ns - system->started_ns) / 100; /* one percent of a processor */
        statistics.memory_usage_bytes = statistics.memory_peak_bytes = MIB;
        statistics.memory_limit_bytes = (uint64_t)system->document.linux_.memory_bytes;
        statistics.pids = 1;
        properties.statistics = &statistics;
    }
    item->properties_done(item->ctx, &properties, NULL);
}

static void carry_out_modify(struct emulated *host, struct emulated_item *item)
{
    if (find_or_answer(host, item))
        emulated_answer(item, NULL);
}

static void carry_out_enumerate(struct emulated *host, struct emulated_item *item)
{
    struct hcs_properties *all;
    size_t count = 0, n = 0;

    if (item->code) {
        emulated_answer(item, NULL);
        return;
    }
    for (struct emulated_system *s = host->systems; s; s = s->next)
        count++;
    all = mem_array(count + 1, sizeof *all);
    for (struct emulated_system *s = host->systems; s; s = s->next)
        if (!item->text || text_equal(item->text, s->document.owner))
            emulated_properties(s, &all[n++]);
    item->enumerate_done(item->ctx, all, n, NULL);
    free(all);
}

static void carry_out_remove(struct emulated *host, struct emulated_item *item)
{
    struct emulated_system *system = emulated_find(host, item->id);

    if (!system || item->is_undone) {
        emulated_answer(item, NULL);
        return;
    }
    if (system->state == HCS_RUNNING || system->state == HCS_PAUSED) {
        if (!item->flag) {
            answer_state(item, system);
            return;
        }
        emulated_stop(host, system, EXIT_SIGKILL);
    }
    for (struct emulated_system **place = &host->systems; *place; place = &(*place)->next)
        if (*place == system) {
            *place = system->next;
            break;
        }
    emulated_remember(host);
    emulated_emit(host, HCS_EVENT_REMOVED, system);
    emulated_system_free(system);
    emulated_answer(item, NULL);
}

/* --- what is asked for --- */

void emulated_create(struct hcs *hcs, const char *id, const cJSON *document, const struct hcs_file_content *files, size_t file_count,
                     hcs_done_cb done, void *ctx)
{
    struct emulated_item *item = emulated_enqueue(emulated_of(hcs), HCS_OP_CREATE, id, carry_out_create, ctx);
    struct error err = {0};

    (void)files;
    (void)file_count;
    item->done = done;
    if (!id_is_safe(id))
        error_set(&err, ERR_INVALID, "not an id: \"%s\"", id);
    else
        document_normalise(document, &item->json, &err);
    if (err.code && !item->code) {
        item->code = err.code;
        item->message = mem_string(err.message);
        item->is_undone = true;
    }
}

void emulated_start(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx)
{
    emulated_enqueue(emulated_of(hcs), HCS_OP_START, id, carry_out_start, ctx)->done = done;
}

void emulated_shutdown(struct hcs *hcs, const char *id, const char *signal, int64_t grace_ms, hcs_done_cb done, void *ctx)
{
    struct emulated_item *item = emulated_enqueue(emulated_of(hcs), HCS_OP_SHUTDOWN, id, carry_out_stop, ctx);
    struct emulated_system *system = emulated_find(emulated_of(hcs), id);
    int number = signal ? document_signal_number(signal) : system ? system->document.stop_signal_number : 15;

    (void)grace_ms;
    item->exit_code = 128 + (number > 0 ? number : 15);
    item->done = done;
}

void emulated_terminate(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx)
{
    struct emulated_item *item = emulated_enqueue(emulated_of(hcs), HCS_OP_TERMINATE, id, carry_out_stop, ctx);

    item->exit_code = EXIT_SIGKILL;
    item->done = done;
}

void emulated_signal(struct hcs *hcs, const char *id, const char *signal, hcs_done_cb done, void *ctx)
{
    struct emulated_item *item = emulated_enqueue(emulated_of(hcs), HCS_OP_SIGNAL, id, carry_out_signal, ctx);

    item->text = mem_string(signal);
    item->done = done;
}

void emulated_pause(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx)
{
    emulated_enqueue(emulated_of(hcs), HCS_OP_PAUSE, id, carry_out_pause, ctx)->done = done;
}

void emulated_resume(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx)
{
    emulated_enqueue(emulated_of(hcs), HCS_OP_RESUME, id, carry_out_pause, ctx)->done = done;
}

void emulated_get_properties(struct hcs *hcs, const char *id, bool wants_statistics, hcs_properties_cb done, void *ctx)
{
    struct emulated_item *item = emulated_enqueue(emulated_of(hcs), HCS_OP_PROPERTIES, id, carry_out_properties, ctx);

    item->flag = wants_statistics;
    item->properties_done = done;
}

void emulated_modify(struct hcs *hcs, const char *id, const cJSON *request, hcs_done_cb done, void *ctx)
{
    (void)request;
    emulated_enqueue(emulated_of(hcs), HCS_OP_MODIFY, id, carry_out_modify, ctx)->done = done;
}

void emulated_enumerate(struct hcs *hcs, const char *owner, hcs_enumerate_cb done, void *ctx)
{
    struct emulated_item *item = emulated_enqueue(emulated_of(hcs), HCS_OP_ENUMERATE, NULL, carry_out_enumerate, ctx);

    item->text = mem_string(owner);
    item->enumerate_done = done;
}

void emulated_remove(struct hcs *hcs, const char *id, bool force, hcs_done_cb done, void *ctx)
{
    struct emulated_item *item = emulated_enqueue(emulated_of(hcs), HCS_OP_REMOVE, id, carry_out_remove, ctx);

    item->flag = force;
    item->done = done;
}

int hcs_emulated_exit(struct hcs *hcs, const char *id, int exit_code, bool is_oom_killed, struct error *err)
{
    struct emulated_system *system = emulated_find(emulated_of(hcs), id);

    if (!system)
        return error_set(err, ERR_NOT_FOUND, "No such container: %s", id);
    if (system->state != HCS_RUNNING && system->state != HCS_PAUSED)
        return error_set(err, ERR_PRECONDITION, "it is %s", hcs_state_name(system->state));
    system->is_oom_killed = is_oom_killed;
    emulated_stop(emulated_of(hcs), system, exit_code);
    return 0;
}
