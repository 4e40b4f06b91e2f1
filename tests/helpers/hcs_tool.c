/* tests/helpers/hcs_tool.c – drives the Linux back end from a script: one JSON request per line on standard input, one JSON line on
 * standard output for each answer ({"answer":N,…}), event ({"event":"exited",…}) and log entry.
 *
 * hcs_tool STATE_DIR RUN_DIR BRIDGE SUBNET CGROUP_PARENT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/encode.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/linux/hcs_linux.h"

enum { LINE_BYTES = 4 * 1024 * 1024 };

static struct hcs *hcs;
static uv_loop_t *loop;
static uv_pipe_t input;
static struct buf lines;

struct request {
    int64_t number;
    cJSON *json;
    struct hcs_log *log;
    struct hcs_process *process;
    FILE *copy; /* where a log's bytes go */
};

static void say(cJSON *json)
{
    char *text = json_print(json);

    puts(text);
    fflush(stdout);
    free(text);
    cJSON_Delete(json);
}

static cJSON *answer_to(const struct request *r, const struct error *err)
{
    cJSON *json = cJSON_CreateObject();

    json_add_int(json, "answer", r->number);
    if (err) {
        json_add_string(json, "error", error_name(err->code));
        json_add_string(json, "message", err->message);
    }
    return json;
}

static void end(struct request *r)
{
    cJSON_Delete(r->json);
    free(r);
}

static cJSON *describe(const struct hcs_properties *p)
{
    cJSON *json = cJSON_CreateObject(), *ports = cJSON_AddArrayToObject(json, "ports"), *s;

    json_add_string(json, "id", p->id);
    json_add_string(json, "name", p->name);
    json_add_string(json, "state", hcs_state_name(p->state));
    json_add_int(json, "pid", p->pid);
    json_add_int(json, "exit_code", p->exit_code);
    cJSON_AddBoolToObject(json, "oom", p->is_oom_killed);
    json_add_string(json, "error_text", p->error);
    json_add_int(json, "started", p->started_wall_ns);
    json_add_int(json, "finished", p->finished_wall_ns);
    json_add_string(json, "ip", p->endpoint.ip);
    json_add_string(json, "log_path", p->log_path);
    for (size_t i = 0; i < p->port_count; i++) {
        cJSON *port = cJSON_CreateObject();
        json_add_string(port, "protocol", p->ports[i].protocol);
        json_add_int(port, "target", p->ports[i].target_port);
        json_add_int(port, "published", p->ports[i].published_port);
        cJSON_AddItemToArray(ports, port);
    }
    if (p->statistics) {
        s = cJSON_AddObjectToObject(json, "statistics");
        json_add_int(s, "cpu", (int64_t)p->statistics->cpu_total_ns);
        json_add_int(s, "memory", (int64_t)p->statistics->memory_usage_bytes);
        json_add_int(s, "memory_limit", (int64_t)p->statistics->memory_limit_bytes);
        json_add_int(s, "pids", (int64_t)p->statistics->pids);
        json_add_int(s, "pids_limit", (int64_t)p->statistics->pids_limit);
        json_add_int(s, "networks", (int64_t)p->statistics->network_count);
        json_add_int(s, "counters", (int64_t)p->statistics->memory_count);
    }
    return json;
}

static void on_done(void *ctx, const struct error *err)
{
    say(answer_to(ctx, err));
    end(ctx);
}

static void on_properties(void *ctx, const struct hcs_properties *p, const struct error *err)
{
    cJSON *json = answer_to(ctx, err);

    if (p)
        cJSON_AddItemToObject(json, "properties", describe(p));
    say(json);
    end(ctx);
}

static void on_list(void *ctx, const struct hcs_properties *systems, size_t count, const struct error *err)
{
    cJSON *json = answer_to(ctx, err), *list = cJSON_AddArrayToObject(json, "systems");

    for (size_t i = 0; i < count; i++)
        cJSON_AddItemToArray(list, describe(&systems[i]));
    say(json);
    end(ctx);
}

static void on_event(void *ctx, const struct hcs_event *event)
{
    cJSON *json = cJSON_CreateObject();

    (void)ctx;
    json_add_string(json, "event", hcs_event_name(event->type));
    cJSON_AddItemToObject(json, "properties", describe(event->properties));
    say(json);
}

static void on_process_exit(void *ctx, const struct hcs_process_exit *exit, const struct error *err)
{
    struct request *r = ctx;
    cJSON *json = answer_to(r, err);

    if (exit) {
        cleanup_free char *text = mem_string_n((const char *)exit->output.data, exit->output.size);
        json_add_int(json, "exit_code", exit->exit_code);
        json_add_string(json, "output", text ? text : "");
        cJSON_AddBoolToObject(json, "cut", exit->is_output_cut);
    }
    say(json);
    hcs_process_close(r->process);
    end(r);
}

static void on_process(void *ctx, struct hcs_process *process, const struct error *err)
{
    struct request *r = ctx;

    r->process = process;
    if (err)
        on_done(ctx, err);
    else
        hcs_process_wait(process, (uint32_t)json_int(r->json, "timeout_ms", 10000), on_process_exit, r);
}

static void on_entry(void *ctx, const struct hcs_log_entry *entry)
{
    struct request *r = ctx;
    cJSON *json;

    if (r->copy) {
        fwrite(entry->text.data, 1, entry->text.size, r->copy);
        return;
    }
    json = cJSON_CreateObject();
    json_add_int(json, "log", r->number);
    json_add_int(json, "stream", entry->stream);
    json_add_int(json, "time", entry->wall_ns);
    cJSON_AddBoolToObject(json, "partial", entry->is_partial);
    cleanup_free char *text = mem_string_n((const char *)entry->text.data, entry->text.size);
    json_add_string(json, "text", text);
    say(json);
}

static void on_log_end(void *ctx, const struct error *err)
{
    struct request *r = ctx;

    if (r->copy)
        fclose(r->copy);
    hcs_log_close(r->log);
    on_done(ctx, err);
}

static void open_log(struct request *r)
{
    struct hcs_log_options options = {.wants_stdout = json_bool(r->json, "stdout", true),
                                      .wants_stderr = json_bool(r->json, "stderr", true),
                                      .follow = json_bool(r->json, "follow", false),
                                      .tail = json_int(r->json, "tail", -1),
                                      .since_wall_ns = json_int(r->json, "since", 0),
                                      .until_wall_ns = json_int(r->json, "until", 0)};
    struct hcs_log_sink sink = {on_entry, on_log_end, r};
    const char *copy = json_string(r->json, "copy", NULL);
    struct error err = {0};

    r->copy = copy ? fopen(copy, "we") : NULL;
    if (hcs_log_open(hcs, json_string(r->json, "id", ""), &options, &sink, &r->log, &err) < 0)
        on_done(r, &err);
}

static void create(struct request *r)
{
    const cJSON *files = json_object(r->json, "files"), *file;
    struct hcs_file_content contents[64];
    size_t count = 0;

    cJSON_ArrayForEach (file, files)
        contents[count++] = (struct hcs_file_content){file->string, bytes_of_string(file->valuestring)};
    hcs_system_create(hcs, json_string(r->json, "id", ""), json_object(r->json, "document"), contents, count, on_done, r);
}

static void on_closed(void *ctx)
{
    (void)ctx;
    uv_stop(loop);
}

static void carry_out(struct request *r)
{
    const char *op = json_string(r->json, "op", ""), *id = json_string(r->json, "id", "");
    struct hcs_host host;
    cJSON *json;

    if (strcmp(op, "create") == 0) {
        create(r);
    } else if (strcmp(op, "start") == 0) {
        hcs_system_start(hcs, id, on_done, r);
    } else if (strcmp(op, "shutdown") == 0) {
        hcs_system_shutdown(hcs, id, json_string(r->json, "signal", NULL), json_int(r->json, "grace_ms", -1), on_done, r);
    } else if (strcmp(op, "terminate") == 0) {
        hcs_system_terminate(hcs, id, on_done, r);
    } else if (strcmp(op, "signal") == 0) {
        hcs_system_signal(hcs, id, json_string(r->json, "signal", ""), on_done, r);
    } else if (strcmp(op, "pause") == 0) {
        hcs_system_pause(hcs, id, on_done, r);
    } else if (strcmp(op, "resume") == 0) {
        hcs_system_resume(hcs, id, on_done, r);
    } else if (strcmp(op, "properties") == 0) {
        hcs_system_properties(hcs, id, json_bool(r->json, "statistics", false), on_properties, r);
    } else if (strcmp(op, "modify") == 0) {
        hcs_system_modify(hcs, id, json_object(r->json, "request"), on_done, r);
    } else if (strcmp(op, "enumerate") == 0) {
        hcs_system_enumerate(hcs, json_string(r->json, "owner", NULL), on_list, r);
    } else if (strcmp(op, "remove") == 0) {
        hcs_system_remove(hcs, id, json_bool(r->json, "force", false), on_done, r);
    } else if (strcmp(op, "exec") == 0) {
        hcs_process_create(hcs, id, json_object(r->json, "process"), (size_t)json_int(r->json, "output_bytes", 4096), on_process, r);
    } else if (strcmp(op, "log") == 0) {
        open_log(r);
    } else if (strcmp(op, "probe") == 0) {
        hcs_probe(hcs, &host);
        json = answer_to(r, NULL);
        json_add_string(json, "versions", host.versions);
        json_add_string(json, "missing", host.process_missing);
        say(json);
        end(r);
    } else if (strcmp(op, "close") == 0) {
        end(r);
        hcs_close(hcs, on_closed, NULL);
    }
}

static void take_lines(void)
{
    char *newline;

    while (lines.size > 0 && (newline = memchr(lines.data, '\n', lines.size)) != NULL) {
        struct request *r = mem_alloc(sizeof *r);
        size_t size = (size_t)((uint8_t *)newline - lines.data);
        struct error err;
        if (json_parse(bytes_of(lines.data, size), LINE_BYTES, &r->json, &err) < 0) {
            fprintf(stderr, "hcs_tool: %s\n", err.message);
            exit(1);
        }
        buf_consume(&lines, size + 1);
        r->number = json_int(r->json, "n", 0);
        carry_out(r);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle;
    *buf = uv_buf_init((char *)buf_reserve(&lines, suggested), (unsigned)suggested);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    (void)stream;
    (void)buf;
    if (n < 0) {
        uv_close((uv_handle_t *)&input, NULL);
        hcs_close(hcs, on_closed, NULL);
        return;
    }
    lines.size += (size_t)n;
    take_lines();
}

int main(int argc, char **argv)
{
    static struct hcs_listener listener = {.on_event = on_event};
    struct hcs_linux_options options = {0};
    struct error err;

    if (argc != 6) {
        fprintf(stderr, "usage: hcs_tool STATE_DIR RUN_DIR BRIDGE SUBNET CGROUP_PARENT\n");
        return 64;
    }
    log_init(LOG_TEXT, LOG_INFO, stderr);
    loop = uv_default_loop();
    options = (struct hcs_linux_options){.state_dir = argv[1],
                                         .run_dir = argv[2],
                                         .bridge = argv[3],
                                         .bridge_subnet = argv[4],
                                         .cgroup_parent = argv[5],
                                         .clock = clock_system()};
    if (hcs_linux_new(loop, &options, &hcs, &err) < 0) {
        fprintf(stderr, "hcs_tool: %s\n", err.message);
        return error_exit_code(err.code);
    }
    hcs_subscribe(hcs, &listener);
    uv_pipe_init(loop, &input, 0);
    uv_pipe_open(&input, 0);
    uv_read_start((uv_stream_t *)&input, on_alloc, on_read);
    uv_run(loop, UV_RUN_DEFAULT);
    buf_deinit(&lines);
    return 0;
}
