/* runtime/emulated/memory.c – what an emulated host remembers over a restart of the process, and the commands it pretends to run. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "runtime/emulated/emulated.h"

static cJSON *system_to_json(const struct emulated_system *s)
{
    cJSON *json = cJSON_CreateObject(), *ports = cJSON_AddArrayToObject(json, "Ports");

    json_add_string(json, "Id", s->id);
    json_add_int(json, "State", s->state);
    json_add_int(json, "Pid", s->pid);
    json_add_int(json, "ExitCode", s->exit_code);
    json_add_int(json, "CreatedWallNs", s->created_wall_ns);
    json_add_int(json, "StartedWallNs", s->started_wall_ns);
    json_add_int(json, "FinishedWallNs", s->finished_wall_ns);
    cJSON_AddBoolToObject(json, "OomKilled", s->is_oom_killed);
    json_add_string(json, "Error", s->error);
    for (size_t i = 0; s->ports && i < s->document.network.port_count; i++)
        cJSON_AddItemToArray(ports, cJSON_CreateNumber(s->ports[i].published_port));
    cJSON_AddItemToObject(json, "Document", cJSON_Duplicate(s->json, true));
    return json;
}

void emulated_remember(struct emulated *host)
{
    cleanup_json cJSON *all = NULL;
    cleanup_free char *text = NULL;
    struct error err;

    if (!host->memory_path)
        return;
    all = cJSON_CreateArray();
    for (struct emulated_system *s = host->systems; s; s = s->next)
        cJSON_AddItemToArray(all, system_to_json(s));
    text = json_print(all);
    if (file_write_volatile(host->memory_path, bytes_of_string(text), 0600, &err) < 0)
        log_error("emulated", "its systems will not outlast a restart: %s", err.message);
}

static void recall_ports(struct emulated_system *s, const cJSON *ports)
{
    const struct document_network *network = &s->document.network;

    s->ports = mem_array(network->port_count + 1, sizeof *s->ports);
    for (size_t i = 0; i < network->port_count; i++) {
        const cJSON *port = cJSON_GetArrayItem(ports, (int)i);
        s->ports[i].protocol = network->ports[i].is_udp ? "udp" : "tcp";
        s->ports[i].target_port = network->ports[i].target_port;
        s->ports[i].published_port = cJSON_IsNumber(port) ? (uint16_t)port->valueint : network->ports[i].published_port;
    }
}

static int recall_system(struct emulated *host, const cJSON *json, struct error *err)
{
    struct emulated_system *s = mem_alloc(sizeof *s), **end = &host->systems;

    while (*end)
        end = &(*end)->next;
    *end = s;
    s->id = mem_string(json_string(json, "Id", ""));
    s->json = cJSON_Duplicate(json_object(json, "Document"), true);
    s->state = (enum hcs_state)(json_int(json, "State", HCS_STOPPED) & 3);
    s->pid = json_int(json, "Pid", 0);
    s->exit_code = (int)json_int(json, "ExitCode", 0);
    s->created_wall_ns = json_int(json, "CreatedWallNs", 0);
    s->started_wall_ns = json_int(json, "StartedWallNs", 0);
    s->finished_wall_ns = json_int(json, "FinishedWallNs", 0);
    s->is_oom_killed = json_bool(json, "OomKilled", false);
    s->error = mem_string(json_string(json, "Error", NULL));
    if (document_parse(s->json, &s->arena, &s->document, err) < 0)
        return error_wrap(err, "system %s", s->id);
    if (s->started_wall_ns)
        recall_ports(s, json_array(json, "Ports"));
    if (s->pid >= host->next_pid)
        host->next_pid = s->pid + 1;
    emulated_plan_exit(host, s);
    return 0;
}

int emulated_recall(struct emulated *host, struct error *err)
{
    cleanup_buf struct buf text = {0};
    cleanup_json cJSON *all = NULL;
    const cJSON *item;

    if (!host->memory_path || !file_exists(host->memory_path))
        return 0;
    if (file_read(host->memory_path, 64 * MIB, &text, err) < 0 || json_parse(buf_bytes(&text), 64 * MIB, &all, err) < 0)
        return error_wrap(err, "%s", host->memory_path);
    cJSON_ArrayForEach (item, all) {
        if (recall_system(host, item, err) < 0)
            return error_wrap(err, "%s", host->memory_path);
    }
    return 0;
}

static void carry_out_own_exit(struct emulated *host, struct emulated_item *item)
{
    struct emulated_system *s = emulated_find(host, item->id);
    const struct document_strings *args;
    int64_t code = 0;
    struct error err;

    if (!s || s->state != HCS_RUNNING)
        return;
    args = &s->document.process.args;
    if (args->count == 2 && strcmp(args->items[0], "exit") == 0 && text_parse_i64(args->items[1], 0, 255, &code, &err) < 0)
        code = 1;
    emulated_stop(host, s, (int)code);
}

void emulated_plan_exit(struct emulated *host, struct emulated_system *s)
{
    const struct document_strings *args = &s->document.process.args;
    int64_t seconds = 0;
    struct error err;

    if (s->state != HCS_RUNNING || args->count < 2)
        return;
    if (strcmp(args->items[0], "exit") == 0 || strcmp(args->items[0], "echo") == 0) {
        emulated_schedule(host, s->id, host->now_ns, carry_out_own_exit);
    } else if (strcmp(args->items[0], "sleep") == 0 && text_parse_i64(args->items[1], 0, 1000000000, &seconds, &err) == 0) {
        int64_t left_ns = s->started_wall_ns + seconds * (int64_t)NS_PER_S - host->wall_ns;
        emulated_schedule(host, s->id, host->now_ns + (left_ns > 0 ? (uint64_t)left_ns : 0), carry_out_own_exit);
    }
}
