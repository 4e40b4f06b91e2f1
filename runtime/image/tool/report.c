/* runtime/image/tool/report.c – see report.h. */
#include "runtime/image/tool/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/json.h"
#include "base/mem.h"

static struct {
    bool as_json;
    uv_mutex_t lock;
} out;

void report_init(bool as_json)
{
    out.as_json = as_json;
    uv_mutex_init(&out.lock);
}

/* A reader that went away is noticed by SIGPIPE: then there is nobody to work for. */
static void put_line(const char *text)
{
    uv_mutex_lock(&out.lock);
    fputs(text, stdout);
    fputc('\n', stdout);
    fflush(stdout);
    uv_mutex_unlock(&out.lock);
}

static void put_json(cJSON *json)
{
    cleanup_free char *text = json_print(json);
    put_line(text);
    cJSON_Delete(json);
}

__attribute__((format(SKEP_PRINTF, 1, 0))) static char *format_text(const char *format, va_list args)
{
    char text[1024];
    vsnprintf(text, sizeof text, format, args);
    return mem_string(text);
}

void report_status(const char *id, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    cleanup_free char *text = format_text(format, args);
    va_end(args);
    if (!out.as_json) {
        cleanup_free char *line = id ? mem_format("%s: %s", id, text) : mem_string(text);
        put_line(line);
        return;
    }
    cJSON *json = cJSON_CreateObject();
    json_add_string(json, "status", text);
    json_add_string(json, "id", id);
    if (id)
        cJSON_AddObjectToObject(json, "progressDetail");
    put_json(json);
}

void report_progress(const char *id, const char *status, uint64_t current, uint64_t total, uint64_t *last_ns)
{
    uint64_t now_ns = uv_hrtime();
    if (!out.as_json || (*last_ns && now_ns - *last_ns < IMAGE_PROGRESS_INTERVAL_MS * 1000000ull))
        return;
    *last_ns = now_ns;
    cJSON *json = cJSON_CreateObject();
    json_add_string(json, "status", status);
    json_add_string(json, "id", id);
    cJSON *detail = cJSON_AddObjectToObject(json, "progressDetail");
    json_add_int(detail, "current", (int64_t)current);
    json_add_int(detail, "total", (int64_t)total);
    put_json(json);
}

void report_stream(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    cleanup_free char *text = format_text(format, args);
    va_end(args);
    if (!out.as_json) {
        put_line(text);
        return;
    }
    cleanup_free char *line = mem_format("%s\n", text);
    cJSON *json = cJSON_CreateObject();
    json_add_string(json, "stream", line);
    put_json(json);
}

void report_result(struct cJSON *result)
{
    if (!out.as_json) {
        cJSON_Delete(result);
        return;
    }
    cJSON *json = cJSON_CreateObject();
    cJSON_AddItemToObject(json, "result", result);
    put_json(json);
}

int report_failure(const struct error *err)
{
    if (!out.as_json) {
        fprintf(stderr, "skep-image: %s\n", err->message);
        return error_exit_code(err->code);
    }
    cJSON *json = cJSON_CreateObject();
    json_add_string(json, "error", err->message);
    json_add_string(json, "code", error_name(err->code));
    put_json(json);
    return error_exit_code(err->code);
}
