/* tests/helpers/skep_session_probe.c – holds a session with a real manager and says what it hears, one JSON object per line.
 *
 *     skep_session_probe --identity DIR --manager HOST:PORT [--hostname NAME] [--label K=V]… [--lines N]
 *
 * DIR holds swarm-node.crt, swarm-node.key and swarm-root-ca.crt, as a dockerd leaves them. Instead of running tasks it claims to: each one
 * is reported through every state to running, as long as it is wanted, and has N lines of output (and one more per second) to publish.
 * Commands on standard input: "label K=V" (a changed description), "stats", "quit". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <uv.h>

#include "agent/description.h"
#include "agent/session_driver.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "proto/identity/certificate.h"
#include "proto/message.h"
#include "proto/swarmkit/dispatcher.pb-c.h"
#include "proto/tls/tls.h"

typedef Docker__Swarmkit__V1__Task Task;
typedef Docker__Swarmkit__V1__TaskStatus Status;

#define LABELS_COUNT 32

struct fake_task {
    UT_hash_handle hh;
    char id[64], service[64];
    int state;
    size_t lines;
};

struct fake_reader {
    struct fake_reader *prev, *next;
    struct fake_task *task;
    size_t at;
    bool follows;
    void (*on_ready)(void *ctx);
    void *ctx;
    char line[96];
};

struct probe {
    uv_loop_t loop;
    struct session_driver *driver;
    struct remotes remotes;
    struct buf chain, key, root;
    struct certificate certificate;
    struct host_facts host;
    const char *hostname, *labels[LABELS_COUNT];
    size_t label_count, first_lines;
    struct fake_task *tasks;
    struct fake_reader *readers[1024];
    size_t reader_count;
    uv_timer_t second;
    uv_pipe_t input;
    char command[256], chunk[256];
    size_t command_size;
};

static void say(cJSON *json)
{
    char *text = json_print(json);
    puts(text);
    (void)fflush(stdout);
    free(text);
    cJSON_Delete(json);
}

static cJSON *event(const char *name)
{
    cJSON *json = cJSON_CreateObject();
    struct clock clock = clock_system();
    json_add_string(json, "event", name);
    json_add_int(json, "at_ms", clock_wall_ns(&clock) / 1000000);
    return json;
}

static void fail(const struct error *err)
{
    fprintf(stderr, "skep_session_probe: %s\n", err->message);
    exit(1);
}

/* Tasks that claim to run. */

static void report(struct probe *p, struct fake_task *task, int state, const char *message)
{
    Status status = DOCKER__SWARMKIT__V1__TASK_STATUS__INIT;
    Docker__Swarmkit__V1__ContainerStatus container = DOCKER__SWARMKIT__V1__CONTAINER_STATUS__INIT;
    Google__Protobuf__Timestamp timestamp;
    struct clock clock = clock_system();
    struct error err;

    message_set_timestamp(&timestamp, clock_wall_ns(&clock));
    status.timestamp = &timestamp;
    status.state = (Docker__Swarmkit__V1__TaskState)state;
    status.message = (char *)message;
    container.container_id = task->id;
    container.pid = 1;
    if (state >= 448) {
        status.runtime_status_case = DOCKER__SWARMKIT__V1__TASK_STATUS__RUNTIME_STATUS_CONTAINER;
        status.container = &container;
    }
    task->state = state;
    if (session_driver_report(p->driver, task->id, &status, &err) < 0)
        fail(&err);
}

static void pretend(struct probe *p, struct fake_task *task, int desired)
{
    static const struct {
        int state;
        const char *message;
    } steps[] = {{256, "accepted"}, {320, "preparing"}, {384, "prepared"}, {448, "starting"}, {512, "started"}};

    if (desired >= 640) {
        if (task->state < 576)
            report(p, task, 640, "shutdown");
        return;
    }
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (task->state < steps[i].state && steps[i].state <= desired)
            report(p, task, steps[i].state, steps[i].message);
    if (task->state == 512 && task->lines == 0) {
        struct log_task started = {task->id, task->service, p->certificate.node_id};
        task->lines = p->first_lines;
        session_driver_task_started(p->driver, &started);
    }
}

static struct fake_task *find(struct probe *p, const char *id)
{
    struct fake_task *task = NULL;
    HASH_FIND_STR(p->tasks, id, task);
    return task;
}

static void drop(struct probe *p, struct fake_task *task)
{
    for (size_t i = 0; i < p->reader_count; i++)
        if (p->readers[i]->task == task)
            p->readers[i]->task = NULL;
    session_driver_forget(p->driver, task->id);
    HASH_DEL(p->tasks, task);
    free(task);
}

static void on_assigned(void *ctx, struct assignment_changes *changes)
{
    struct probe *p = ctx;
    cJSON *json = event("assigned"), *tasks = cJSON_AddArrayToObject(json, "tasks"), *removed = cJSON_AddArrayToObject(json, "removed");

    cJSON_AddBoolToObject(json, "complete", changes->is_complete);
    for (size_t i = 0; i < changes->updated_count; i++) {
        const Task *task = changes->tasks_updated[i];
        struct fake_task *known = find(p, task->id);
        cJSON *item = cJSON_CreateObject();
        if (!known) {
            known = mem_alloc(sizeof *known);
            (void)snprintf(known->id, sizeof known->id, "%s", task->id);
            (void)snprintf(known->service, sizeof known->service, "%s", task->service_id);
            HASH_ADD_STR(p->tasks, id, known);
        }
        json_add_string(item, "id", task->id);
        json_add_string(item, "service", task->service_annotations ? task->service_annotations->name : "");
        json_add_int(item, "desired", (int64_t)task->desired_state);
        const Docker__Swarmkit__V1__ContainerSpec *spec =
            task->spec && task->spec->runtime_case == DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER ? task->spec->container : NULL;
        if (spec && spec->n_secrets > 0) {
            const Docker__Swarmkit__V1__Secret *secret =
                assignments_secret(session_driver_assignments(p->driver), task->id, spec->secrets[0]->secret_id);
            json_add_int(item, "secret_size", secret && secret->spec ? (int64_t)secret->spec->data.len : -1);
        }
        cJSON_AddItemToArray(tasks, item);
        pretend(p, known, (int)task->desired_state);
    }
    for (size_t i = 0; i < changes->removed_count; i++) {
        cJSON_AddItemToArray(removed, cJSON_CreateString(changes->tasks_removed[i]));
        struct fake_task *known = find(p, changes->tasks_removed[i]);
        if (known)
            drop(p, known);
    }
    json_add_int(json, "dependencies", (int64_t)assignments_dependency_count(session_driver_assignments(p->driver)));
    say(json);
}

static void on_registered(void *ctx)
{
    struct probe *p = ctx;
    struct fake_task *task, *next;

    say(event("registered"));
    HASH_ITER (hh, p->tasks, task, next)
        report(p, task, task->state, "reported again");
}

/* Their output. */

static void each_task(void *self, void (*each)(void *ctx, const struct log_task *task), void *ctx)
{
    struct probe *p = self;
    struct fake_task *task, *next;

    HASH_ITER (hh, p->tasks, task, next) {
        struct log_task seen = {task->id, task->service, p->certificate.node_id};
        each(ctx, &seen);
    }
}

static int open_log(void *self, const char *task_id, const struct log_read_options *options, void (*on_ready)(void *ctx), void *ctx,
                    void **reader, struct error *err)
{
    struct probe *p = self;
    struct fake_task *task = find(p, task_id);
    struct fake_reader *r;

    if (!task || task->lines == 0 || p->reader_count == sizeof p->readers / sizeof p->readers[0])
        return error_set(err, ERR_NOT_FOUND, "no output");
    r = mem_alloc(sizeof *r);
    r->task = task;
    r->follows = options->follow;
    r->on_ready = on_ready;
    r->ctx = ctx;
    if (options->tail_lines >= 0 && (uint64_t)options->tail_lines < task->lines)
        r->at = task->lines - (size_t)options->tail_lines;
    p->readers[p->reader_count++] = r;
    *reader = r;
    return 0;
}

static int read_log(void *self, void *reader, struct log_entry *entry, struct error *err)
{
    struct fake_reader *r = reader;
    struct clock clock = clock_system();
    (void)self;
    (void)err;

    if (!r->task)
        return LOG_READ_END;
    if (r->at == r->task->lines)
        return r->follows ? LOG_READ_WAIT : LOG_READ_END;
    (void)snprintf(r->line, sizeof r->line, "line %zu of a task that claims to run\n", r->at);
    *entry = (struct log_entry){.wall_ns = clock_wall_ns(&clock),
                                .stream = r->at % 10 == 9 ? LOG_STREAM_STDERR : LOG_STREAM_STDOUT,
                                .data = bytes_of_string(r->line)};
    r->at++;
    return LOG_READ_ENTRY;
}

static void close_log(void *self, void *reader)
{
    struct probe *p = self;
    size_t kept = 0;

    for (size_t i = 0; i < p->reader_count; i++)
        if (p->readers[i] != reader)
            p->readers[kept++] = p->readers[i];
    p->reader_count = kept;
    free(reader);
}

static void say_stats(struct probe *p)
{
    struct session_driver_stats stats;
    cJSON *json = event("stats");

    session_driver_stats(p->driver, &stats);
    json_add_int(json, "registrations", (int64_t)stats.session.registrations);
    json_add_int(json, "failures", (int64_t)stats.session.failures);
    json_add_int(json, "heartbeats", (int64_t)stats.session.heartbeats);
    json_add_int(json, "late_max_us", (int64_t)stats.session.heartbeat_late_max_ns / 1000);
    json_add_int(json, "tasks", (int64_t)stats.tasks_assigned);
    json_add_int(json, "statuses_waiting", (int64_t)stats.statuses_waiting);
    json_add_int(json, "updates", (int64_t)stats.reports.updates);
    json_add_int(json, "batches", (int64_t)stats.reports.batches);
    json_add_int(json, "log_entries", (int64_t)stats.logs.entries);
    json_add_int(json, "log_failures", (int64_t)stats.logs.failures);
    json_add_int(json, "subscriptions", (int64_t)stats.log_subscriptions);
    say(json);
}

static void on_second(uv_timer_t *timer)
{
    struct probe *p = timer->data;
    struct fake_task *task, *next;

    HASH_ITER (hh, p->tasks, task, next)
        task->lines += task->state == 512;
    for (size_t i = 0; i < p->reader_count; i++)
        p->readers[i]->on_ready(p->readers[i]->ctx);
    say_stats(p);
}

/* The session. */

static void on_state(void *ctx, enum session_state state, const struct error *err)
{
    cJSON *json = event("state");
    (void)ctx;
    json_add_string(json, "state", session_states.states[state].name);
    if (err->code != 0)
        json_add_string(json, "error", err->message);
    say(json);
}

static void on_facts(void *ctx, const struct session_facts *facts)
{
    cJSON *json = event("facts"), *managers = cJSON_AddArrayToObject(json, "managers"),
          *attachments = cJSON_AddArrayToObject(json, "attachments");
    (void)ctx;
    json_add_string(json, "node_id", facts->node_id);
    json_add_string(json, "addr", facts->node_addr);
    json_add_string(json, "role", session_role_text(facts->role));
    json_add_string(json, "desired_role", session_role_text(facts->desired_role));
    json_add_string(json, "availability", session_availability_text(facts->availability));
    json_add_int(json, "root_size", (int64_t)facts->root_pem.size);
    for (size_t i = 0; i < facts->manager_count; i++)
        cJSON_AddItemToArray(managers, cJSON_CreateString(facts->managers[i].addr));
    for (size_t i = 0; i < facts->attachment_count; i++)
        cJSON_AddItemToArray(attachments, cJSON_CreateString(facts->attachments[i].network_name));
    say(json);
}

static void on_remotes(void *ctx)
{
    struct probe *p = ctx;
    cJSON *json = event("remotes");
    json_add_int(json, "count", (int64_t)p->remotes.count);
    say(json);
}

static struct Docker__Swarmkit__V1__NodeDescription *describe(void *ctx, struct arena *arena)
{
    struct probe *p = ctx;
    struct description_inputs inputs = {.host = &p->host,
                                        .hostname = p->hostname,
                                        .labels = p->labels,
                                        .label_count = p->label_count,
                                        .has_process = true,
                                        .default_isolation = "process",
                                        .issuer_subject_der = buf_bytes(&p->certificate.issuer_subject_der),
                                        .issuer_public_key_der = buf_bytes(&p->certificate.issuer_public_key_der),
                                        .root_pem = buf_bytes(&p->root)};
    return description_build(&inputs, arena);
}

/* Commands. */

static void obey(struct probe *p, const char *line)
{
    if (strncmp(line, "label ", 6) == 0 && p->label_count < LABELS_COUNT) {
        p->labels[p->label_count++] = mem_string(line + 6);
        session_driver_description_changed(p->driver);
    } else if (strcmp(line, "stats") == 0) {
        say_stats(p);
    } else if (strcmp(line, "credentials") == 0) {
        session_driver_credentials_changed(p->driver);
    } else if (strcmp(line, "quit") == 0) {
        uv_stop(&p->loop);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct probe *p = handle->data;
    (void)suggested;
    *out = uv_buf_init(p->chunk, sizeof p->chunk);
}

static void on_input(uv_stream_t *stream, ssize_t size, const uv_buf_t *data)
{
    struct probe *p = stream->data;

    if (size < 0) {
        uv_stop(&p->loop);
        return;
    }
    for (ssize_t i = 0; i < size; i++) {
        if (data->base[i] != '\n' && p->command_size + 1 < sizeof p->command) {
            p->command[p->command_size++] = data->base[i];
            continue;
        }
        p->command[p->command_size] = '\0';
        p->command_size = 0;
        obey(p, p->command);
    }
}

static void read_file(const char *dir, const char *name, struct buf *out)
{
    struct error err;
    cleanup_free char *path = mem_format("%s/%s", dir, name);
    if (file_read(path, CERTIFICATE_PEM_SIZE_BYTES, out, &err) < 0)
        fail(&err);
}

static void parse(struct probe *p, int argc, char **argv, const char **dir, const char **manager)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--identity") == 0)
            *dir = argv[i + 1];
        else if (strcmp(argv[i], "--manager") == 0)
            *manager = argv[i + 1];
        else if (strcmp(argv[i], "--hostname") == 0)
            p->hostname = argv[i + 1];
        else if (strcmp(argv[i], "--lines") == 0)
            p->first_lines = strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--label") == 0 && p->label_count < LABELS_COUNT)
            p->labels[p->label_count++] = mem_string(argv[i + 1]);
    }
    if (!*dir || !*manager) {
        fputs("usage: skep_session_probe --identity DIR --manager HOST:PORT [--hostname NAME] [--label K=V]… [--lines N]\n", stderr);
        exit(64);
    }
}

static void leave(struct probe *p, struct tls_credentials *credentials)
{
    struct fake_task *task, *next;

    session_driver_stop(p->driver);
    session_driver_free(p->driver);
    uv_close((uv_handle_t *)&p->second, NULL);
    uv_close((uv_handle_t *)&p->input, NULL);
    (void)uv_run(&p->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&p->loop);
    tls_credentials_free(credentials);
    HASH_ITER (hh, p->tasks, task, next) {
        HASH_DEL(p->tasks, task);
        free(task);
    }
    for (size_t i = 0; i < p->label_count; i++)
        free((void *)(uintptr_t)p->labels[i]);
    remotes_deinit(&p->remotes);
    certificate_deinit(&p->certificate);
    buf_deinit(&p->chain);
    buf_deinit(&p->key);
    buf_deinit(&p->root);
}

int main(int argc, char **argv)
{
    static struct probe p = {.hostname = "probe", .first_lines = 3};
    const char *dir = NULL, *manager = NULL;
    struct clock clock = clock_system();
    struct tls_credentials *credentials = tls_credentials_new(&clock);
    struct error err;

    parse(&p, argc, argv, &dir, &manager);
    read_file(dir, "swarm-node.crt", &p.chain);
    read_file(dir, "swarm-node.key", &p.key);
    read_file(dir, "swarm-root-ca.crt", &p.root);
    if (certificate_read(buf_bytes(&p.chain), buf_bytes(&p.root), &p.certificate, &err) < 0 || host_facts_read(&p.host, &err) < 0 ||
        tls_credentials_set(credentials, buf_bytes(&p.chain), buf_bytes(&p.key), buf_bytes(&p.root), &err) < 0 ||
        remotes_observe(&p.remotes, "", manager, 0, &err) < 0)
        fail(&err);
    (void)uv_loop_init(&p.loop);
    struct session_driver_options options = {.loop = &p.loop,
                                             .clock = clock,
                                             .random = random_system(),
                                             .credentials = credentials,
                                             .remotes = &p.remotes,
                                             .node_id = p.certificate.node_id,
                                             .logs = {each_task, open_log, read_log, close_log, &p},
                                             .listener = {describe, on_state, on_facts, on_remotes, on_assigned, on_registered, &p}};
    p.driver = session_driver_new(&options);
    (void)uv_timer_init(&p.loop, &p.second);
    p.second.data = &p;
    (void)uv_timer_start(&p.second, on_second, 1000, 1000);
    (void)uv_pipe_init(&p.loop, &p.input, 0);
    p.input.data = &p;
    (void)uv_pipe_open(&p.input, 0);
    (void)uv_read_start((uv_stream_t *)&p.input, on_alloc, on_input);
    session_driver_start(p.driver);
    (void)uv_run(&p.loop, UV_RUN_DEFAULT);
    leave(&p, credentials);
    return 0;
}
