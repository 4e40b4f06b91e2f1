/* runtime/linux/record.c – a system's record: how far it is, its processes, its address and ports. Written before what it announces.
 *
 * Not synced: after a power cut nothing runs any more, whatever the record says (the boot id tells). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "runtime/linux/linux.h"

enum { RECORD_BYTES = 256 * 1024 };

static const char *const phases[] = {
#define X(name, text) [LINUX_##name] = (text),
    LINUX_PHASES(X)
#undef X
};

static void add_pid(cJSON *json, const char *key, const struct linux_pid *pid)
{
    cJSON *object = cJSON_AddObjectToObject(json, key);

    json_add_int(object, "Pid", pid->pid);
    json_add_int(object, "StartTicks", (int64_t)pid->start_ticks);
}

static void add_endpoint(cJSON *json, const struct network_endpoint *endpoint)
{
    cJSON *object, *ports;

    if (!endpoint->netns_path)
        return;
    object = cJSON_AddObjectToObject(json, "Endpoint");
    json_add_string(object, "Netns", endpoint->netns_path);
    json_add_string(object, "Ip", endpoint->ip);
    json_add_string(object, "Gateway", endpoint->gateway);
    json_add_string(object, "Mac", endpoint->mac);
    json_add_int(object, "PrefixBits", endpoint->prefix_bits);
    ports = cJSON_AddArrayToObject(object, "Ports");
    for (size_t i = 0; i < endpoint->port_count; i++) {
        cJSON *port = cJSON_CreateObject();
        cJSON_AddBoolToObject(port, "IsUdp", endpoint->ports[i].is_udp);
        json_add_int(port, "TargetPort", endpoint->ports[i].target_port);
        json_add_int(port, "PublishedPort", endpoint->ports[i].published_port);
        cJSON_AddItemToArray(ports, port);
    }
}

/* As text: cJSON's numbers are doubles, which round instants. */
static void add_instant(cJSON *json, const char *key, int64_t wall_ns)
{
    cleanup_free char *text = mem_format("%lld", (long long)wall_ns);

    json_add_string(json, key, text);
}

int linux_record_write(const struct linux_system *s, enum linux_phase phase, const struct linux_run *run,
                       const struct linux_outcome *outcome, struct error *err)
{
    cleanup_free char *path = mem_format("%s/state.json", s->dir), *text = NULL;
    cleanup_json cJSON *json = cJSON_CreateObject();

    json_add_string(json, "Phase", phases[phase]);
    json_add_string(json, "BootId", s->host->boot_id);
    add_instant(json, "CreatedWallNs", s->base.created_wall_ns);
    add_instant(json, "StartedWallNs", outcome->started_wall_ns);
    add_instant(json, "FinishedWallNs", outcome->finished_wall_ns);
    json_add_int(json, "ExitCode", outcome->exit_code);
    cJSON_AddBoolToObject(json, "OomKilled", outcome->is_oom_killed);
    json_add_string(json, "Error", outcome->error);
    if (run) {
        add_pid(json, "Init", &run->init);
        add_pid(json, "Conmon", &run->conmon);
        add_endpoint(json, &run->endpoint);
    }
    text = json_print(json);
    return file_write_volatile(path, bytes_of_string(text), 0600, err);
}

static void read_pid(const cJSON *json, const char *key, struct linux_pid *out)
{
    const cJSON *object = json_object(json, key);

    out->pid = (pid_t)json_int(object, "Pid", 0);
    out->start_ticks = (uint64_t)json_int(object, "StartTicks", 0);
}

static void read_endpoint(const cJSON *json, struct network_endpoint *out)
{
    const cJSON *object = json_object(json, "Endpoint"), *port;

    if (!object)
        return;
    out->netns_path = mem_string(json_string(object, "Netns", ""));
    snprintf(out->ip, sizeof out->ip, "%s", json_string(object, "Ip", ""));
    snprintf(out->gateway, sizeof out->gateway, "%s", json_string(object, "Gateway", ""));
    snprintf(out->mac, sizeof out->mac, "%s", json_string(object, "Mac", ""));
    out->prefix_bits = (int)json_int(object, "PrefixBits", 0);
    cJSON_ArrayForEach (port, json_array(object, "Ports")) {
        if (out->port_count < NETWORK_PORTS_COUNT)
            out->ports[out->port_count++] = (struct network_port){
                json_bool(port, "IsUdp", false), (uint16_t)json_int(port, "TargetPort", 0), (uint16_t)json_int(port, "PublishedPort", 0)};
    }
}

int linux_record_read(struct linux_system *s, enum linux_phase *phase, bool *is_of_this_boot, struct error *err)
{
    cleanup_free char *path = mem_format("%s/state.json", s->dir);
    cleanup_json cJSON *json = NULL;
    cleanup_buf struct buf text = {0};
    const char *word;

    if (file_read(path, RECORD_BYTES, &text, err) < 0 || json_parse(buf_bytes(&text), RECORD_BYTES, &json, err) < 0)
        return error_wrap(err, "%s", path);
    word = json_string(json, "Phase", "");
    for (*phase = LINUX_CREATED; *phase < LINUX_STOPPED && strcmp(word, phases[*phase]) != 0;)
        *phase = (enum linux_phase)(*phase + 1);
    *is_of_this_boot = strcmp(json_string(json, "BootId", ""), s->host->boot_id) == 0;
    s->base.created_wall_ns = json_int(json, "CreatedWallNs", 0);
    s->outcome.started_wall_ns = json_int(json, "StartedWallNs", 0);
    s->outcome.finished_wall_ns = json_int(json, "FinishedWallNs", 0);
    s->outcome.exit_code = (int)json_int(json, "ExitCode", 0);
    s->outcome.is_oom_killed = json_bool(json, "OomKilled", false);
    s->outcome.error = mem_string(json_string(json, "Error", NULL));
    read_pid(json, "Init", &s->run.init);
    read_pid(json, "Conmon", &s->run.conmon);
    read_endpoint(json, &s->run.endpoint);
    return 0;
}
