/* runtime/windows/record.c – a system's record: how far it is, its process, its endpoint. Written before what it announces. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "runtime/windows/host.h"

enum { RECORD_BYTES = 256 * 1024 };

static const char *const phases[] = {
#define X(name, text) [WINDOWS_PHASE_##name] = (text),
    WINDOWS_PHASES(X)
#undef X
};

/* As text: cJSON's numbers are doubles, which round instants. */
static void add_instant(cJSON *json, const char *key, int64_t wall_ns)
{
    cleanup_free char *text = mem_format("%lld", (long long)wall_ns);

    json_add_string(json, key, text);
}

static void add_endpoint(cJSON *json, const struct windows_endpoint *endpoint)
{
    cJSON *object, *ports;

    if (!endpoint->id[0])
        return;
    object = cJSON_AddObjectToObject(json, "Endpoint");
    json_add_string(object, "Id", endpoint->id);
    json_add_string(object, "Namespace", endpoint->namespace_id);
    json_add_string(object, "Ip", endpoint->ip);
    json_add_string(object, "Gateway", endpoint->gateway);
    json_add_string(object, "Mac", endpoint->mac);
    json_add_int(object, "PrefixBits", endpoint->prefix_bits);
    ports = cJSON_AddArrayToObject(object, "PublishedPorts");
    for (size_t i = 0; i < endpoint->port_count; i++)
        cJSON_AddItemToArray(ports, cJSON_CreateNumber(endpoint->published_ports[i]));
}

int windows_record_write(const struct windows_system *s, enum windows_phase phase, const struct windows_run *run,
                         const struct windows_outcome *outcome, struct error *err)
{
    cleanup_free char *path = mem_format("%s\\state.json", s->dir), *text = NULL;
    cleanup_json cJSON *json = cJSON_CreateObject();

    json_add_string(json, "Phase", phases[phase]);
    json_add_int(json, "Form", s->form);
    add_instant(json, "CreatedWallNs", s->base.created_wall_ns);
    add_instant(json, "StartedWallNs", outcome->started_wall_ns);
    add_instant(json, "FinishedWallNs", outcome->finished_wall_ns);
    json_add_int(json, "ExitCode", outcome->exit_code);
    json_add_string(json, "Error", outcome->error);
    if (run) {
        json_add_int(json, "Pid", run->pid);
        add_endpoint(json, &run->endpoint);
    }
    text = json_print(json);
    return file_write(path, bytes_of_string(text), 0600, err);
}

static void read_endpoint(const cJSON *json, struct windows_endpoint *out)
{
    const cJSON *object = json_object(json, "Endpoint"), *port;

    if (!object)
        return;
    snprintf(out->id, sizeof out->id, "%s", json_string(object, "Id", ""));
    snprintf(out->namespace_id, sizeof out->namespace_id, "%s", json_string(object, "Namespace", ""));
    snprintf(out->ip, sizeof out->ip, "%s", json_string(object, "Ip", ""));
    snprintf(out->gateway, sizeof out->gateway, "%s", json_string(object, "Gateway", ""));
    snprintf(out->mac, sizeof out->mac, "%s", json_string(object, "Mac", ""));
    out->prefix_bits = (int)json_int(object, "PrefixBits", 0);
    cJSON_ArrayForEach (port, json_array(object, "PublishedPorts"))
        if (out->port_count < NETWORK_PORTS_COUNT)
            out->published_ports[out->port_count++] = (uint16_t)port->valuedouble;
}

/* Hyperv isolation was schema 1 then, process isolation what it is now. */
static int form_before_it_was_recorded(const struct windows_system *s)
{
    return s->isolation == ISOLATION_HYPERV ? WINDOWS_FORM_1 : (int)s->form;
}

int windows_record_read(struct windows_system *s, enum windows_phase *phase, struct error *err)
{
    cleanup_free char *path = mem_format("%s\\state.json", s->dir);
    cleanup_json cJSON *json = NULL;
    cleanup_buf struct buf text = {0};
    const char *word;

    if (file_read(path, RECORD_BYTES, &text, err) < 0 || json_parse(buf_bytes(&text), RECORD_BYTES, &json, err) < 0)
        return error_wrap(err, "%s", path);
    word = json_string(json, "Phase", "");
    for (*phase = WINDOWS_PHASE_CREATED; *phase < WINDOWS_PHASE_STOPPED && strcmp(word, phases[*phase]) != 0;)
        *phase = (enum windows_phase)(*phase + 1);
    s->base.created_wall_ns = json_int(json, "CreatedWallNs", 0);
    s->outcome.started_wall_ns = json_int(json, "StartedWallNs", 0);
    s->outcome.finished_wall_ns = json_int(json, "FinishedWallNs", 0);
    s->outcome.exit_code = (int)json_int(json, "ExitCode", 0);
    s->outcome.error = mem_string(json_string(json, "Error", NULL));
    s->run.pid = (DWORD)json_int(json, "Pid", 0);
    read_endpoint(json, &s->run.endpoint);
    return windows_system_use_form(s, (enum windows_form)json_int(json, "Form", form_before_it_was_recorded(s)), err);
}
