/* api/docker_events.c – what happened on this node: a ring of the last events, and whoever is watching. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "api/call.h"
#include "api/json_container.h"
#include "api/swarm_event.h"
#include "api/timer.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

/* An event is kept as the JSON that is sent, with its instant beside it. */
struct stored {
    int64_t wall_ns;
    cJSON *json;
};

struct watcher {
    struct api_call *call;
    struct filters filters;
    int64_t until_wall_ns;
    struct api_timer *until;
    struct watcher *prev, *next;
};

struct api_events {
    struct api *api;
    struct stored ring[API_EVENTS_BACKLOG_COUNT];
    size_t next, count;
    struct watcher *watchers;
    unsigned watcher_count;
};

struct api_events *api_events_new(struct api *api)
{
    struct api_events *events = mem_alloc(sizeof *events);
    events->api = api;
    return events;
}

void api_events_free(struct api_events *events)
{
    for (size_t i = 0; i < API_EVENTS_BACKLOG_COUNT; i++)
        cJSON_Delete(events->ring[i].json);
    free(events);
}

unsigned api_events_watcher_count(const struct api_events *events)
{
    return events->watcher_count;
}

/* --- filters --- */

static const char *const known_filters[] = {"config", "container", "daemon", "event",  "id",      "image", "label",  "network",
                                            "node",   "plugin",    "scope",  "secret", "service", "type",  "volume", NULL};

static const cJSON *attributes(const cJSON *json)
{
    return json_object(json_object(json, "Actor"), "Attributes");
}

/* `event=die` also means "health_status: healthy" for event=health_status. */
static bool event_matches(const void *subject, const char *value)
{
    const char *action = json_string(subject, "Action", "");
    size_t length = strlen(value);
    return strncmp(action, value, length) == 0 && (action[length] == '\0' || action[length] == ':');
}

static bool actor_matches(const cJSON *json, const char *type, const char *value)
{
    const char *id = json_string(json_object(json, "Actor"), "ID", ""), *name = json_string(attributes(json), "name", "");
    return text_equal(json_string(json, "Type", ""), type) && (text_equal(name, value) || (*value && text_starts(id, value)));
}

#define MATCHES(type)                                                                                                                      \
    static bool type##_matches(const void *subject, const char *value)                                                                     \
    {                                                                                                                                      \
        return actor_matches(subject, #type, value);                                                                                       \
    }
MATCHES(config)
MATCHES(container)
MATCHES(network)
MATCHES(node)
MATCHES(plugin)
MATCHES(secret)
MATCHES(service)
MATCHES(volume)
#undef MATCHES

static bool image_matches(const void *subject, const char *value)
{
    const char *image = json_string(attributes(subject), "image", "");
    return actor_matches(subject, "image", value) || text_equal(image, value);
}

static bool label_matches(const void *subject, const char *value)
{
    const char *equals = strchr(value, '=');
    cleanup_free char *key = mem_string_n(value, equals ? (size_t)(equals - value) : strlen(value));
    const char *found = json_string(attributes(subject), key, NULL);
    return found && (equals == NULL || strcmp(found, equals + 1) == 0);
}

static bool is_wanted(const struct filters *filters, const cJSON *json)
{
    return filters_allow_exactly(filters, "type", json_string(json, "Type", "")) &&
           filters_allow_exactly(filters, "scope", json_string(json, "scope", "")) &&
           filters_allow(filters, "event", event_matches, json) && filters_allow(filters, "container", container_matches, json) &&
           filters_allow(filters, "node", node_matches, json) && filters_allow(filters, "image", image_matches, json) &&
           filters_allow(filters, "config", config_matches, json) && filters_allow(filters, "network", network_matches, json) &&
           filters_allow(filters, "plugin", plugin_matches, json) && filters_allow(filters, "secret", secret_matches, json) &&
           filters_allow(filters, "service", service_matches, json) && filters_allow(filters, "volume", volume_matches, json) &&
           filters_allow(filters, "label", label_matches, json);
}

/* --- publishing --- */

static cJSON *event_json(const struct api_event *event, int64_t wall_ns)
{
    cJSON *json = cJSON_CreateObject();
    const char *image = NULL;
    for (size_t i = 0; i < event->attribute_count; i++)
        if (strcmp(event->attributes[i].key, "image") == 0)
            image = event->attributes[i].value;
    bool is_container = text_equal(event->type, "container"), is_local = is_container || text_equal(event->type, "image");
    if (is_local) { /* what clients from before actors read */
        json_add_string(json, "status", event->action);
        json_add_string(json, "id", event->id);
    }
    if (is_container)
        json_add_string(json, "from", image ? image : "");
    json_add_string(json, "Type", event->type);
    json_add_string(json, "Action", event->action);
    cJSON *actor = cJSON_AddObjectToObject(json, "Actor");
    json_add_string(actor, "ID", event->id);
    cJSON *list = cJSON_AddObjectToObject(actor, "Attributes");
    for (size_t i = 0; i < event->attribute_count; i++)
        json_add_string(list, event->attributes[i].key, event->attributes[i].value);
    json_add_string(json, "scope", is_local || text_equal(event->type, "daemon") ? "local" : "swarm");
    json_add_int(json, "time", wall_ns / (int64_t)NS_PER_S);
    json_add_int(json, "timeNano", wall_ns);
    return json;
}

static void write_event(const struct watcher *watcher, const cJSON *json)
{
    cleanup_free char *text = json_print(json), *line = mem_format("%s\n", text);
    http_answer_write(watcher->call->ex, bytes_of_string(line)); /* one that never reads is cut off by the connection's bound */
}

void api_publish(struct api *api, const struct api_event *event)
{
    struct api_events *events = api->events;
    int64_t wall_ns = clock_wall_ns(&api->options.clock);
    struct stored *place = &events->ring[events->next];
    struct watcher *watcher, *next;
    cJSON_Delete(place->json);
    *place = (struct stored){wall_ns, event_json(event, wall_ns)};
    events->next = (events->next + 1) % API_EVENTS_BACKLOG_COUNT;
    events->count += events->count < API_EVENTS_BACKLOG_COUNT;
    DL_FOREACH_SAFE (events->watchers, watcher, next) {
        if (is_wanted(&watcher->filters, place->json))
            write_event(watcher, place->json);
    }
}

void api_publish_commit(struct api *api, const struct store_commit *commit)
{
    for (size_t i = 0; i < commit->count; i++) {
        cleanup_arena struct arena arena = {0};
        struct api_event event;
        if (swarm_event(&commit->changes[i], &arena, &event))
            api_publish(api, &event);
    }
}

static const char *docker_action(enum hcs_event_type type)
{
    switch (type) {
    case HCS_EVENT_CREATED:
        return "create";
    case HCS_EVENT_STARTED:
        return "start";
    case HCS_EVENT_PAUSED:
        return "pause";
    case HCS_EVENT_RESUMED:
        return "unpause";
    case HCS_EVENT_EXITED:
        return "die";
    case HCS_EVENT_REMOVED:
        return "destroy";
    }
    return "update";
}

void api_events_from_hcs(void *ctx, const struct hcs_event *event)
{
    const struct hcs_properties *system = event->properties;
    cleanup_arena struct arena arena = {0};
    const cJSON *labels = container_labels(system), *label;
    size_t count = 0;
    struct api_event_attribute *list = arena_alloc(&arena, ((size_t)cJSON_GetArraySize(labels) + 3) * sizeof *list);
    cJSON_ArrayForEach (label, labels) {
        if (cJSON_IsString(label))
            list[count++] = (struct api_event_attribute){label->string, label->valuestring};
    }
    list[count++] = (struct api_event_attribute){"image", container_image(system)};
    list[count++] = (struct api_event_attribute){"name", system->name ? system->name : system->id};
    if (event->type == HCS_EVENT_EXITED)
        list[count++] = (struct api_event_attribute){"exitCode", arena_format(&arena, "%d", system->exit_code)};
    api_publish(ctx, &(struct api_event){"container", docker_action(event->type), system->id, list, count});
}

/* --- watching --- */

static void finish(struct watcher *watcher)
{
    struct api_events *events = watcher->call->api->events;
    DL_DELETE(events->watchers, watcher);
    events->watcher_count--;
    api_timer_free(watcher->until);
    http_on_gone(watcher->call->ex, NULL, NULL);
    call_release(watcher->call);
}

static void on_gone(void *ctx, struct http_exchange *ex)
{
    (void)ex;
    finish(ctx);
}

static void until_passed(void *ctx)
{
    struct watcher *watcher = ctx;
    http_answer_end(watcher->call->ex);
    finish(watcher);
}

static void write_backlog(const struct watcher *watcher, int64_t since, int64_t until)
{
    const struct api_events *events = watcher->call->api->events;
    for (size_t i = 0; i < events->count; i++) {
        const struct stored *stored =
            &events->ring[(events->next + API_EVENTS_BACKLOG_COUNT - events->count + i) % API_EVENTS_BACKLOG_COUNT];
        if (stored->wall_ns >= since && (until == 0 || stored->wall_ns <= until) && is_wanted(&watcher->filters, stored->json))
            write_event(watcher, stored->json);
    }
}

static int read_instant(const struct api_call *call, const char *key, int64_t *wall_ns, struct error *err)
{
    const char *text = call_query(call, key);
    *wall_ns = 0;
    if (text_empty(text))
        return 0;
    return time_parse(text, wall_ns, err) < 0 ? error_wrap(err, "%s", key) : 0;
}

static void watch(struct watcher *watcher, int64_t until, int64_t now)
{
    struct api_call *call = watcher->call;
    struct api_events *events = call->api->events;
    call_hold(call);
    DL_APPEND(events->watchers, watcher);
    events->watcher_count++;
    http_on_gone(call->ex, on_gone, watcher);
    if (until != 0)
        watcher->until = api_timer_new(call->api->options.loop, (uint64_t)(until - now) / NS_PER_MS + 1, 0, until_passed, watcher);
}

void docker_events(struct api_call *call)
{
    struct error err;
    int64_t since, until, now = clock_wall_ns(&call->api->options.clock);
    struct watcher *watcher = arena_alloc(call->arena, sizeof *watcher);
    watcher->call = call;
    if (read_instant(call, "since", &since, &err) < 0 || read_instant(call, "until", &until, &err) < 0 ||
        filters_parse(call_query(call, "filters"), known_filters, call->arena, &watcher->filters, &err) < 0) {
        call_error(call, &err);
        return;
    }
    if (call->api->events->watcher_count == API_EVENTS_WATCHERS_COUNT) {
        call_fail(call, 503, "%d clients watch the events already", API_EVENTS_WATCHERS_COUNT);
        return;
    }
    http_answer_begin(call->ex, 200, "application/json");
    if (call_query(call, "since") || until != 0)
        write_backlog(watcher, since, until);
    if (until != 0 && until <= now)
        http_answer_end(call->ex);
    else if (!http_is_gone(call->ex))
        watch(watcher, until, now);
}
