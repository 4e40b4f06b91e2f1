/* api/health.c – /health and /metrics: how this daemon is, for whoever watches over it. The numbers are others'; here they become answers.
 */
#include "api/call.h"

static struct api_health ask(const struct api_call *call)
{
    const struct api_telemetry *telemetry = &call->api->options.telemetry;
    struct api_health health;
    telemetry->health(telemetry->self, &health);
    return health;
}

static void add_reason(cJSON *json, const char *reason)
{
    cJSON *list = cJSON_GetObjectItemCaseSensitive(json, "reasons"), *item;
    cJSON_ArrayForEach (item, list)
        if (strcmp(item->valuestring, reason) == 0)
            return;
    if (*reason)
        cJSON_AddItemToArray(list, cJSON_CreateString(reason));
}

static void answer(struct api_call *call, bool is_well, cJSON *json)
{
    http_answer_header(call->ex, "Cache-Control", "no-store");
    call_json(call, is_well ? 200 : 503, json);
}

/* That there is an answer is the answer: one loop does everything. */
void health_live(struct api_call *call)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddTrueToObject(json, "live");
    answer(call, true, json);
}

static void answer_one(struct api_call *call, const char *name, bool is_well, const char *reason)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddBoolToObject(json, name, is_well);
    cJSON_AddArrayToObject(json, "reasons");
    add_reason(json, reason);
    answer(call, is_well, json);
}

void health_ready(struct api_call *call)
{
    const struct api_health health = ask(call);
    answer_one(call, "ready", health.is_ready, health.ready_trouble);
}

void health_quorum(struct api_call *call)
{
    const struct api_health health = ask(call);
    answer_one(call, "quorum", health.has_quorum, health.quorum_trouble);
}

void health_all(struct api_call *call)
{
    const struct api_health health = ask(call);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddTrueToObject(json, "live");
    cJSON_AddBoolToObject(json, "ready", health.is_ready);
    cJSON_AddBoolToObject(json, "quorum", health.has_quorum);
    cJSON_AddStringToObject(json, "state", health.state);
    cJSON_AddStringToObject(json, "role", health.role);
    cJSON_AddArrayToObject(json, "reasons");
    add_reason(json, health.ready_trouble);
    add_reason(json, health.quorum_trouble);
    answer(call, health.is_ready && health.has_quorum, json);
}

void health_metrics(struct api_call *call)
{
    const struct api_telemetry *telemetry = &call->api->options.telemetry;
    cleanup_buf struct buf text = {0};
    struct metrics metrics = {.out = &text};
    telemetry->metrics(telemetry->self, &metrics);
    http_answer(call->ex, 200, METRICS_CONTENT_TYPE, buf_bytes(&text));
}
