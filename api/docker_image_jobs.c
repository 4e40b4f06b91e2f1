/* api/docker_image_jobs.c – what takes time with images: pulling one, and loading an archive that the client sends. Progress goes out line
 * by line as it comes; until the first line an error still has its own HTTP status. */
#include <stdlib.h>

#include "api/call.h"
#include "base/mem.h"
#include "base/text.h"
#include "runtime/image/reference.h"

/* Lives in the call's arena, which it holds until the job is done or cancelled. */
struct job_call {
    struct api_call *call;
    struct image_job *job;
    const char *name; /* pulls */
    bool is_quiet;
};

static void finish(struct job_call *jc)
{
    http_on_gone(jc->call->ex, NULL, NULL);
    call_release(jc->call);
}

static void write_line(struct job_call *jc, const char *line)
{
    cleanup_free char *ended = mem_format("%s\r\n", line);
    http_answer_begin(jc->call->ex, 200, "application/json");
    http_answer_write(jc->call->ex, bytes_of_string(ended)); /* a job's lines are few: the connection's own bound is enough */
}

static void write_error(struct job_call *jc, const struct error *err)
{
    cleanup_json cJSON *json = cJSON_CreateObject();
    cJSON *detail = cJSON_AddObjectToObject(json, "errorDetail");
    json_add_string(detail, "message", err->message);
    json_add_string(detail, "kind", error_name(err->code));
    json_add_string(json, "error", err->message);
    cleanup_free char *text = json_print(json);
    write_line(jc, text);
}

static void fail(struct job_call *jc, const struct error *err)
{
    if (!http_answer_begun(jc->call->ex)) {
        call_error(jc->call, err);
        return;
    }
    write_error(jc, err);
    http_answer_end(jc->call->ex);
}

static void on_gone(void *ctx, struct http_exchange *ex)
{
    struct job_call *jc = ctx;
    (void)ex;
    jc->call->api->options.images.cancel(jc->job);
    finish(jc);
}

static void on_progress(void *ctx, const char *line)
{
    write_line(ctx, line);
}

static void publish(struct job_call *jc, const char *action, const char *name)
{
    struct image_reference reference;
    struct error ignored;
    cleanup_free char *familiar =
        image_reference_parse(name, &reference, &ignored) == 0 ? image_reference_familiar(&reference) : mem_string(name);
    const struct api_event_attribute attribute = {"name", familiar};
    api_publish(jc->call->api, &(struct api_event){"image", action, familiar, &attribute, 1});
}

/* --- pull --- */

static void pulled(void *ctx, const struct error *err, const struct image *image)
{
    struct job_call *jc = ctx;
    (void)image;
    if (err) {
        fail(jc, err);
    } else {
        http_answer_begin(jc->call->ex, 200, "application/json");
        http_answer_end(jc->call->ex);
        publish(jc, "pull", jc->name);
    }
    finish(jc);
}

/* "linux/arm64/v8", "linux" or "". */
static void read_platform(struct api_call *call, struct image_platform *platform)
{
    char *rest = arena_string(call->arena, call_query(call, "platform"));
    const char **parts[] = {&platform->os, &platform->architecture, &platform->variant};
    for (size_t i = 0; rest && *rest && i < 3; i++) {
        *parts[i] = rest;
        rest = strchr(rest, '/');
        if (rest)
            *rest++ = '\0';
    }
}

static const char *pull_name(struct api_call *call)
{
    const char *image = call_query(call, "fromImage"), *tag = call_query(call, "tag");
    if (text_empty(image) || text_empty(tag))
        return image;
    return arena_format(call->arena, text_starts(tag, "sha256:") ? "%s@%s" : "%s:%s", image, tag);
}

void docker_image_pull(struct api_call *call)
{
    const struct api_images *provider = &call->api->options.images;
    const char *auth = http_request_header(call->ex, "X-Registry-Auth");
    struct error err;
    struct job_call *jc = arena_alloc(call->arena, sizeof *jc);
    *jc = (struct job_call){.call = call, .name = pull_name(call)};
    struct image_pull_request request = {.reference = jc->name, .registry_auth = auth};
    read_platform(call, &request.platform);
    if (text_empty(jc->name)) {
        call_fail(call, call_query(call, "fromSrc") ? 501 : 400, "fromImage is missing: the name of the image to pull");
        return;
    }
    if (auth && strlen(auth) > API_REGISTRY_AUTH_BYTES) {
        call_fail(call, 400, "X-Registry-Auth is larger than the limit of %u bytes", API_REGISTRY_AUTH_BYTES);
        return;
    }
    call_hold(call);
    http_on_gone(call->ex, on_gone, jc);
    if (provider->pull(provider->store, &request, on_progress, pulled, jc, &jc->job, &err) == 0)
        return;
    call_error(call, &err);
    finish(jc);
}

/* --- load --- */

static void loaded(void *ctx, const struct error *err, const cJSON *result)
{
    struct job_call *jc = ctx;
    const cJSON *image;
    jc->job = NULL;
    if (err) {
        fail(jc, err);
        finish(jc);
        return;
    }
    http_answer_begin(jc->call->ex, 200, "application/json");
    http_answer_end(jc->call->ex);
    cJSON_ArrayForEach (image, json_array(result, "images"))
        publish(jc, "load", json_string(image, "name", ""));
    finish(jc);
}

static void load_progress(void *ctx, const char *line)
{
    struct job_call *jc = ctx;
    if (!jc->is_quiet || strncmp(line, "{\"stream\"", 9) == 0)
        write_line(jc, line);
}

static void drained(void *ctx)
{
    struct job_call *jc = ctx;
    http_body_pause(jc->call->ex, false);
}

static void on_piece(void *ctx, struct http_exchange *ex, struct bytes piece)
{
    struct job_call *jc = ctx;
    const struct api_images *provider = &jc->call->api->options.images;
    if (jc->job && provider->load_write(jc->job, piece, drained) > IMAGE_LOAD_QUEUE_BYTES)
        http_body_pause(ex, true);
}

static void on_whole(void *ctx, struct http_exchange *ex)
{
    struct job_call *jc = ctx;
    (void)ex;
    if (jc->job)
        jc->call->api->options.images.load_end(jc->job);
}

void docker_image_load(struct api_call *call)
{
    const struct api_images *provider = &call->api->options.images;
    struct error err;
    struct job_call *jc = arena_alloc(call->arena, sizeof *jc);
    *jc = (struct job_call){.call = call, .is_quiet = call_flag(call, "quiet")};
    call_hold(call);
    http_on_gone(call->ex, on_gone, jc);
    if (provider->load(provider->store, NULL, load_progress, loaded, jc, &jc->job, &err) < 0) {
        call_error(call, &err);
        finish(jc);
        return;
    }
    http_body_stream(call->ex, on_piece, on_whole, jc);
}
