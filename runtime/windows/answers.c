/* runtime/windows/answers.c – see answers.h. */
#include "runtime/windows/answers.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "runtime/windows/codes.h"

enum { ANSWER_BYTES = 16 * 1024 * 1024, TICK_NS = 100 };

static enum windows_state state_of(const cJSON *json)
{
    static const char *const names[] = {
        [WINDOWS_CREATED] = "Created", [WINDOWS_RUNNING] = "Running", [WINDOWS_PAUSED] = "Paused", [WINDOWS_STOPPED] = "Stopped"};
    const char *text = json_string(json, "State", "");

    for (enum windows_state state = WINDOWS_CREATED; state <= WINDOWS_STOPPED; state++)
        if (strcmp(text, names[state]) == 0)
            return state;
    return json_bool(json, "Stopped", false) ? WINDOWS_STOPPED : WINDOWS_UNKNOWN;
}

static uint64_t number(const cJSON *json, const char *key)
{
    int64_t value = json_int(json, key, 0);

    return value < 0 ? 0 : (uint64_t)value;
}

static void read_networks(const cJSON *list, struct arena *arena, struct hcs_statistics *out)
{
    size_t count = (size_t)cJSON_GetArraySize(list), n = 0;
    struct hcs_network_counter *counters = arena_alloc(arena, (count + 1) * sizeof *counters);
    const cJSON *item;

    cJSON_ArrayForEach (item, list) {
        counters[n++] = (struct hcs_network_counter){.name = arena_string(arena, json_string(item, "EndpointId", "")),
                                                     .rx_bytes = number(item, "BytesReceived"),
                                                     .rx_packets = number(item, "PacketsReceived"),
                                                     .rx_dropped = number(item, "DroppedPacketsIncoming"),
                                                     .tx_bytes = number(item, "BytesSent"),
                                                     .tx_packets = number(item, "PacketsSent"),
                                                     .tx_dropped = number(item, "DroppedPacketsOutgoing")};
    }
    out->networks = counters;
    out->network_count = n;
}

static void read_statistics(const cJSON *json, struct arena *arena, struct hcs_statistics *out)
{
    const cJSON *processor = json_object(json, "Processor"), *memory = json_object(json, "Memory"), *storage = json_object(json, "Storage");
    struct hcs_memory_counter *counters = arena_alloc(arena, 2 * sizeof *counters);

    *out = (struct hcs_statistics){.cpu_total_ns = TICK_NS * number(processor, "TotalRuntime100ns"),
                                   .cpu_user_ns = TICK_NS * number(processor, "RuntimeUser100ns"),
                                   .cpu_kernel_ns = TICK_NS * number(processor, "RuntimeKernel100ns"),
                                   .memory_usage_bytes = number(memory, "MemoryUsageCommitBytes"),
                                   .memory_peak_bytes = number(memory, "MemoryUsageCommitPeakBytes"),
                                   .read_bytes = number(storage, "ReadSizeBytes"),
                                   .write_bytes = number(storage, "WriteSizeBytes"),
                                   .memory = counters,
                                   .memory_count = 2};
    counters[0] = (struct hcs_memory_counter){"commit", out->memory_usage_bytes};
    counters[1] = (struct hcs_memory_counter){"private_working_set", number(memory, "MemoryUsagePrivateWorkingSetBytes")};
    read_networks(json_array(json, "Network"), arena, out);
}

static void read_answer(const cJSON *json, struct arena *arena, struct windows_answer *out)
{
    const cJSON *statistics = json_object(json, "Statistics"), *processes = json_array(json, "ProcessList");

    *out = (struct windows_answer){.id = arena_string(arena, json_string(json, "Id", "")),
                                   .owner = arena_string(arena, json_string(json, "Owner", "")),
                                   .runtime_id = arena_string(arena, json_string(json, "RuntimeId", "")),
                                   .state = state_of(json),
                                   .has_statistics = statistics != NULL};
    if (statistics)
        read_statistics(statistics, arena, &out->statistics);
    out->statistics.pids = (uint64_t)(processes ? cJSON_GetArraySize(processes) : 0);
}

static int parse(const char *text, cJSON **out, struct error *err)
{
    struct error why = {0};

    if (!text || json_parse(bytes_of_string(text), ANSWER_BYTES, out, &why) < 0)
        return error_set(err, ERR_PEER, "HCS answered with what is no JSON: %s", text ? why.message : "nothing");
    return 0;
}

int windows_read_properties(const char *text, struct arena *arena, struct windows_answer *out, struct error *err)
{
    cleanup_json cJSON *json = NULL;

    if (parse(text, &json, err) < 0)
        return err->code;
    if (!cJSON_IsObject(json))
        return error_set(err, ERR_PEER, "HCS's properties are no JSON object");
    read_answer(json, arena, out);
    return 0;
}

int windows_read_systems(const char *text, struct arena *arena, struct windows_answer **out, size_t *count, struct error *err)
{
    cleanup_json cJSON *json = NULL;
    const cJSON *item;

    *count = 0;
    *out = NULL;
    if (!text || !text[0]) /* a list of none, to some builds */
        return 0;
    if (parse(text, &json, err) < 0)
        return err->code;
    *out = arena_alloc(arena, (size_t)(cJSON_GetArraySize(json) + 1) * sizeof **out);
    cJSON_ArrayForEach (item, json)
        if (cJSON_IsObject(item))
            read_answer(item, arena, &(*out)[(*count)++]);
    return 0;
}

/* Codes of NTSTATUS' kind are told as they are or as negative numbers. */
static int64_t exit_code_of(const cJSON *status)
{
    int64_t code = json_int(status, "ExitCode", INT64_MAX);

    if (code < INT32_MIN || code > UINT32_MAX)
        return -1;
    return (uint32_t)code;
}

struct windows_process_status windows_read_process_status(const char *text)
{
    cleanup_json cJSON *json = NULL;
    struct windows_process_status status = {false, -1};

    if (!text || parse(text, &json, &(struct error){0}) < 0)
        return status;
    status.has_exited = json_bool(json, "Exited", false);
    if (status.has_exited && json_int(json, "LastWaitResult", 0) == 0)
        status.exit_code = exit_code_of(json);
    return status;
}

struct windows_guest windows_read_guest(const char *text)
{
    struct windows_guest guest = {true, true};
    cleanup_json cJSON *json = NULL;
    const cJSON *info, *versions, *version;

    if (!text || parse(text, &json, &(struct error){0}) < 0)
        return guest;
    info = json_object(json, "GuestConnectionInfo");
    versions = json_array(info, "SupportedSchemaVersions");
    guest.has_schema_2 = cJSON_GetArraySize(versions) == 0;
    cJSON_ArrayForEach (version, versions)
        guest.has_schema_2 = guest.has_schema_2 || json_int(version, "Major", 0) == 2;
    guest.takes_namespaces = json_bool(json_object(info, "GuestDefinedCapabilities"), "NamespaceAddRequestSupported", info == NULL);
    return guest;
}

cJSON *windows_read_guards(const char *text)
{
    cleanup_json cJSON *json = NULL;
    cJSON *properties;

    if (!text || parse(text, &json, &(struct error){0}) < 0)
        return NULL;
    properties = cJSON_GetArrayItem(json_array(json, "Properties"), 0);
    return cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(properties, "Instances"))
               ? cJSON_DetachItemFromObjectCaseSensitive(properties, "Instances")
               : NULL;
}

char *windows_read_exit(const char *text, const char *what)
{
    cleanup_json cJSON *json = NULL;
    struct error err = {0};
    const char *type;
    uint32_t code;

    if (!text || parse(text, &json, &err) < 0)
        return NULL;
    type = json_string(json, "ExitType", "");
    code = (uint32_t)json_int(json, "Status", 0);
    if (strcmp(type, "UnexpectedExit") != 0 && (code == 0 || windows_is_hcs(code, HCS_E_TERMINATED)))
        return NULL;
    windows_error(&err, what, code ? code : 0xC0370106, NULL);
    return mem_string(err.message);
}
