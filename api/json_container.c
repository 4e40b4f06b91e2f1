/* api/json_container.c – see json_container.h: what both shapes share, and the summary. */
#include "api/json_container.h"

#include <inttypes.h>

#include "api/human.h"
#include "api/json_container_parts.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

static const cJSON *skep(const struct hcs_properties *system)
{
    return json_object(system->document, "Skep");
}

const char *container_image(const struct hcs_properties *system)
{
    return json_string(json_object(skep(system), "Image"), "Reference", "");
}

const char *container_image_id(const struct hcs_properties *system)
{
    return json_string(json_object(skep(system), "Image"), "Id", "");
}

const cJSON *container_labels(const struct hcs_properties *system)
{
    return json_object(skep(system), "Labels");
}

const char *container_status(const struct hcs_properties *system)
{
    switch (system->state) {
    case HCS_CREATED:
        return "created";
    case HCS_RUNNING:
        return "running";
    case HCS_PAUSED:
        return "paused";
    case HCS_STOPPED:
        return "exited";
    }
    return "dead";
}

static void append_health(const char *health, struct buf *out)
{
    if (text_equal(health, "starting"))
        buf_append_string(out, " (health: starting)");
    else if (!text_empty(health))
        buf_append_format(out, " (%s)", health);
}

void container_status_line(const struct container_view *view, struct buf *out)
{
    const struct hcs_properties *system = view->system;
    char since[HUMAN_SIZE];
    switch (system->state) {
    case HCS_CREATED:
        buf_append_string(out, "Created");
        return;
    case HCS_STOPPED:
        if (system->finished_wall_ns == 0) {
            buf_append_string(out, "Created");
            return;
        }
        human_duration(view->now_wall_ns - system->finished_wall_ns, since);
        buf_append_format(out, "Exited (%d) %s ago", system->exit_code, since);
        return;
    case HCS_RUNNING:
    case HCS_PAUSED:
        human_duration(view->now_wall_ns - system->started_wall_ns, since);
        buf_append_format(out, "Up %s%s", since, system->state == HCS_PAUSED ? " (Paused)" : "");
        if (system->state == HCS_RUNNING)
            append_health(view->health, out);
        return;
    }
}

/* "sh -c 'echo hi'": words with a space stand in quotes. */
static char *command_line(const struct hcs_properties *system)
{
    struct buf out = {0};
    const cJSON *word;
    cJSON_ArrayForEach (word, json_array(json_object(skep(system), "Process"), "CommandArgs")) {
        if (!cJSON_IsString(word))
            continue;
        const char *quote = out.size > 0 && strchr(word->valuestring, ' ') ? "'" : "";
        buf_append_format(&out, "%s%s%s%s", out.size > 0 ? " " : "", quote, word->valuestring, quote);
    }
    return buf_steal_string(&out);
}

cJSON *json_container_ports_list(const struct hcs_properties *system)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < system->port_count; i++) {
        const struct hcs_port *port = &system->ports[i];
        cJSON *entry = cJSON_CreateObject();
        json_add_string(entry, "IP", "0.0.0.0");
        json_add_int(entry, "PrivatePort", port->target_port);
        json_add_int(entry, "PublicPort", port->published_port);
        json_add_string(entry, "Type", port->protocol);
        cJSON_AddItemToArray(list, entry);
    }
    return list;
}

cJSON *json_container_networks(const struct hcs_properties *system)
{
    cJSON *networks = cJSON_CreateObject();
    const struct hcs_endpoint *endpoint = &system->endpoint;
    if (text_empty(endpoint->network))
        return networks;
    cJSON *entry = cJSON_AddObjectToObject(networks, endpoint->network);
    cJSON_AddNullToObject(entry, "IPAMConfig");
    cJSON_AddNullToObject(entry, "Links");
    cJSON_AddNullToObject(entry, "Aliases");
    json_add_string(entry, "NetworkID", endpoint->network);
    json_add_string(entry, "EndpointID", "");
    json_add_string(entry, "Gateway", endpoint->gateway ? endpoint->gateway : "");
    json_add_string(entry, "IPAddress", endpoint->ip ? endpoint->ip : "");
    json_add_int(entry, "IPPrefixLen", endpoint->prefix_bits);
    json_add_string(entry, "IPv6Gateway", "");
    json_add_string(entry, "GlobalIPv6Address", "");
    json_add_int(entry, "GlobalIPv6PrefixLen", 0);
    json_add_string(entry, "MacAddress", endpoint->mac ? endpoint->mac : "");
    cJSON_AddNullToObject(entry, "DriverOpts");
    return networks;
}

static cJSON *mount_of(const cJSON *mount)
{
    const char *type = json_string(mount, "Type", "bind"), *source = json_string(mount, "Source", "");
    cJSON *entry = cJSON_CreateObject();
    json_add_string(entry, "Type", type);
    if (text_equal(type, "volume")) {
        json_add_string(entry, "Name", source);
        json_add_string(entry, "Driver", "local");
    }
    json_add_string(entry, "Source", source);
    json_add_string(entry, "Destination", json_string(mount, "Target", ""));
    json_add_string(entry, "Mode", "");
    cJSON_AddBoolToObject(entry, "RW", !json_bool(mount, "ReadOnly", false));
    json_add_string(entry, "Propagation", json_string(mount, "Propagation", ""));
    return entry;
}

cJSON *json_container_mounts(const struct hcs_properties *system)
{
    cJSON *list = cJSON_CreateArray();
    const cJSON *mount;
    cJSON_ArrayForEach (mount, json_array(skep(system), "Mounts"))
        cJSON_AddItemToArray(list, mount_of(mount));
    return list;
}

cJSON *json_container_labels_copy(const struct hcs_properties *system)
{
    const cJSON *labels = container_labels(system);
    return labels ? cJSON_Duplicate(labels, true) : cJSON_CreateObject();
}

const char *container_network_mode(const struct hcs_properties *system)
{
    return json_string(json_object(skep(system), "Network"), "Mode", "bridge");
}

cJSON *json_container_summary(const struct container_view *view)
{
    const struct hcs_properties *system = view->system;
    cJSON *json = cJSON_CreateObject();
    cleanup_free char *name = mem_format("/%s", system->name ? system->name : system->id), *command = command_line(system);
    cleanup_buf struct buf status = {0};
    container_status_line(view, &status);
    json_add_string(json, "Id", system->id);
    json_add_strings(json, "Names", &name, 1);
    json_add_string(json, "Image", container_image(system));
    json_add_string(json, "ImageID", container_image_id(system));
    json_add_string(json, "Command", command);
    json_add_int(json, "Created", system->created_wall_ns / (int64_t)NS_PER_S);
    cJSON_AddItemToObject(json, "Ports", json_container_ports_list(system));
    cJSON_AddItemToObject(json, "Labels", json_container_labels_copy(system));
    json_add_string(json, "State", container_status(system));
    json_add_string(json, "Status", (const char *)status.data);
    json_add_string(cJSON_AddObjectToObject(json, "HostConfig"), "NetworkMode", container_network_mode(system));
    cJSON_AddItemToObject(cJSON_AddObjectToObject(json, "NetworkSettings"), "Networks", json_container_networks(system));
    cJSON_AddItemToObject(json, "Mounts", json_container_mounts(system));
    return json;
}
