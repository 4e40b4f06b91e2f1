/* api/call.c – see call.h. */
#include "api/call.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"

void call_hold(struct api_call *call)
{
    call->api->holds++;
    http_hold(call->ex);
}

void call_release(struct api_call *call)
{
    struct api *api = call->api;
    http_release(call->ex);
    api_release(api);
}

const char *call_query(const struct api_call *call, const char *key)
{
    return http_query_get(&call->query, key, NULL);
}

bool call_flag(const struct api_call *call, const char *key)
{
    return http_query_bool(&call->query, key, false);
}

void call_json(struct api_call *call, int status, cJSON *json)
{
    cleanup_free char *text = json_print(json), *line = mem_format("%s\n", text);
    cJSON_Delete(json);
    http_answer_string(call->ex, status, "application/json", line);
}

void call_fail(struct api_call *call, int status, const char *format, ...)
{
    va_list args;
    struct error err;
    va_start(args, format);
    error_set_v(&err, ERR_INTERNAL, format, args);
    va_end(args);
    http_answer_error(call->ex, status, "%s", err.message);
}

void call_error(struct api_call *call, const struct error *err)
{
    cleanup_json cJSON *json = cJSON_CreateObject();
    json_add_string(json, "message", err->message);
    json_add_string(json, "kind", error_name(err->code));
    cleanup_free char *text = json_print(json), *line = mem_format("%s\n", text);
    http_answer_string(call->ex, error_http_status(err->code), "application/json", line);
}

/* --- bodies --- */

struct json_reader {
    struct api_call *call;
    void (*on_json)(struct api_call *call, const cJSON *json);
};

static void body_read(void *ctx, struct http_exchange *ex, struct bytes body)
{
    struct json_reader *reader = ctx;
    cleanup_json cJSON *json = NULL;
    struct error err;
    (void)ex;
    if (body.size > 0 && json_parse(body, API_REQUEST_BODY_BYTES, &json, &err) < 0) {
        call_fail(reader->call, error_http_status(err.code), "the request's body: %s", err.message);
        return;
    }
    reader->on_json(reader->call, json);
}

void call_read_json(struct api_call *call, void (*on_json)(struct api_call *call, const cJSON *json))
{
    struct json_reader *reader = arena_alloc(call->arena, sizeof *reader);
    *reader = (struct json_reader){call, on_json};
    http_body_collect(call->ex, API_REQUEST_BODY_BYTES, body_read, reader);
}

/* --- containers by name --- */

struct finder {
    struct api_call *call;
    const char *name;
    void (*on_found)(struct api_call *call, const struct hcs_properties *system);
};

/* An id or a name that is equal wins over one that begins so. Sets @matches to how many fit. */
static const struct hcs_properties *find(const struct hcs_properties *systems, size_t count, const char *name, size_t *matches)
{
    const struct hcs_properties *found = NULL;
    const char *bare = name[0] == '/' ? name + 1 : name;
    *matches = 1;
    for (size_t i = 0; i < count; i++)
        if (text_equal(systems[i].id, name) || text_equal(systems[i].name, bare))
            return &systems[i];
    *matches = 0;
    for (size_t i = 0; i < count; i++)
        if (text_starts(systems[i].id, name)) {
            found = &systems[i];
            (*matches)++;
        }
    return found;
}

static void enumerated(void *ctx, const struct hcs_properties *systems, size_t count, const struct error *err)
{
    struct finder *finder = ctx;
    struct api_call *call = finder->call;
    size_t matches = 0;
    const struct hcs_properties *found = err || text_empty(finder->name) ? NULL : find(systems, count, finder->name, &matches);
    if (err)
        call_error(call, err);
    else if (matches == 1)
        finder->on_found(call, found);
    else if (matches > 1)
        call_fail(call, 400, "multiple IDs or names found with provided prefix: %s", finder->name);
    else
        call_fail(call, 404, "No such container: %s", finder->name);
    call_release(call);
}

void call_find_container(struct api_call *call, const char *name,
                         void (*on_found)(struct api_call *call, const struct hcs_properties *system))
{
    struct finder *finder = arena_alloc(call->arena, sizeof *finder);
    *finder = (struct finder){call, name, on_found};
    call_hold(call);
    hcs_system_enumerate(call->api->options.hcs, NULL, enumerated, finder);
}
