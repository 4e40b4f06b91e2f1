/* api/docker_containers.c – listing containers with docker's filters, and inspecting one. */
#include <stdlib.h>

#include "api/call.h"
#include "api/json_container.h"
#include "base/mem.h"
#include "base/text.h"

static struct container_view view_of(const struct api *api, const struct hcs_properties *system)
{
    const struct api_options *options = &api->options;
    struct hcs_host host;
    const char *health = options->health ? options->health(options->health_self, system->id) : NULL;
    hcs_probe(options->hcs, &host);
    return (struct container_view){
        .system = system,
        .health = text_equal(health, "none") ? NULL : health,
        .now_wall_ns = clock_wall_ns(&options->clock),
        .os = host.os,
    };
}

/* --- filters --- */

static const char *const known_filters[] = {"ancestor", "exited", "health",  "id",     "isolation", "is-task",
                                            "label",    "name",   "network", "status", NULL};

static bool id_matches(const void *subject, const char *value)
{
    return text_starts(((const struct container_view *)subject)->system->id, value);
}

static bool name_matches(const void *subject, const char *value)
{
    const char *name = ((const struct container_view *)subject)->system->name;
    return filters_match_name(value, name ? name : "");
}

/* "key" or "key=value". */
static bool label_matches(const void *subject, const char *value)
{
    const cJSON *labels = container_labels(((const struct container_view *)subject)->system);
    const char *equals = strchr(value, '=');
    cleanup_free char *key = mem_string_n(value, equals ? (size_t)(equals - value) : strlen(value));
    const char *found = json_string(labels, key, NULL);
    return found && (equals == NULL || strcmp(found, equals + 1) == 0);
}

static bool ancestor_matches(const void *subject, const char *value)
{
    const struct hcs_properties *system = ((const struct container_view *)subject)->system;
    const char *image = container_image(system), *id = container_image_id(system);
    size_t length = strlen(value);
    if (text_equal(image, value) || (strncmp(image, value, length) == 0 && (image[length] == ':' || image[length] == '@')))
        return true;
    return length >= 4 && (text_starts(id, value) || (text_starts(id, "sha256:") && text_starts(id + 7, value)));
}

static bool exit_code_matches(const void *subject, const char *value)
{
    const struct hcs_properties *system = ((const struct container_view *)subject)->system;
    struct error ignored;
    int64_t code;
    return system->state == HCS_STOPPED && text_parse_i64(value, INT32_MIN, INT32_MAX, &code, &ignored) == 0 && code == system->exit_code;
}

static bool is_task_matches(const void *subject, const char *value)
{
    const char *task = json_string(container_labels(((const struct container_view *)subject)->system), "com.docker.swarm.task.id", NULL);
    return (task != NULL) == (text_equal(value, "true") || text_equal(value, "1"));
}

static bool is_shown(const struct container_view *view, const struct filters *filters)
{
    const struct hcs_properties *system = view->system;
    return filters_allow(filters, "id", id_matches, view) && filters_allow(filters, "name", name_matches, view) &&
           filters_allow(filters, "label", label_matches, view) && filters_allow(filters, "ancestor", ancestor_matches, view) &&
           filters_allow(filters, "exited", exit_code_matches, view) && filters_allow(filters, "is-task", is_task_matches, view) &&
           filters_allow_exactly(filters, "status", container_status(system)) &&
           filters_allow_exactly(filters, "health", text_empty(view->health) ? "none" : view->health) &&
           filters_allow_exactly(filters, "isolation", json_string(json_object(system->document, "Skep"), "Isolation", "default")) &&
           filters_allow_exactly(filters, "network", system->endpoint.network ? system->endpoint.network : "");
}

/* --- the list --- */

struct list_call {
    struct api_call *call;
    struct filters filters;
    bool wants_all;
    int64_t limit; /* 0: none */
};

static void enumerated(void *ctx, const struct hcs_properties *systems, size_t count, const struct error *err)
{
    struct list_call *list = ctx;
    struct api_call *call = list->call;
    if (err) {
        call_error(call, err);
        call_release(call);
        return;
    }
    cJSON *json = cJSON_CreateArray();
    int64_t shown = 0;
    for (size_t i = count; i-- > 0;) { /* the newest first */
        struct container_view view = view_of(call->api, &systems[i]);
        bool is_up = systems[i].state == HCS_RUNNING || systems[i].state == HCS_PAUSED;
        if ((!list->wants_all && !is_up) || !is_shown(&view, &list->filters) || (list->limit > 0 && shown == list->limit))
            continue;
        cJSON_AddItemToArray(json, json_container_summary(&view));
        shown++;
    }
    call_json(call, 200, json);
    call_release(call);
}

void docker_containers_list(struct api_call *call)
{
    struct error err;
    struct list_call *list = arena_alloc(call->arena, sizeof *list);
    const char *limit = call_query(call, "limit");
    list->call = call;
    if (!text_empty(limit) && text_parse_i64(limit, -1, INT32_MAX, &list->limit, &err) < 0) {
        call_error(call, &err);
        return;
    }
    if (filters_parse(call_query(call, "filters"), known_filters, call->arena, &list->filters, &err) < 0) {
        call_error(call, &err);
        return;
    }
    /* as dockerd: a limit, or a filter by what only stopped ones have, asks for all */
    list->wants_all =
        call_flag(call, "all") || list->limit > 0 || filters_have(&list->filters, "status") || filters_have(&list->filters, "exited");
    call_hold(call);
    hcs_system_enumerate(call->api->options.hcs, NULL, enumerated, list);
}

static void inspect(struct api_call *call, const struct hcs_properties *system)
{
    struct container_view view = view_of(call->api, system);
    call_json(call, 200, json_container_inspect(&view));
}

void docker_container_inspect(struct api_call *call)
{
    call_find_container(call, call->params[0], inspect);
}
