/* What is kept and told of a task: its TaskStatus, on disk first. */
#include <stdlib.h>
#include <string.h>

#include "agent/worker_inside.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "base/text.h"

typedef Docker__Swarmkit__V1__PortConfig PortConfig;

static struct bytes pack(const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *data = mem_alloc(size ? size : 1);
    protobuf_c_message_pack(message, data);
    return bytes_of(data, size);
}

/* Docker tells of a container from STARTING on; of one that never came so far, at most that it was stopped or rejected, and no id. */
static bool tells_container(const struct entry *entry)
{
    return task_state(&entry->task) >= TASK_STARTING;
}

struct status_parts {
    TaskStatus status;
    Google__Protobuf__Timestamp timestamp;
    Docker__Swarmkit__V1__ContainerStatus container;
    Docker__Swarmkit__V1__PortStatus ports;
    PortConfig *port_items;
    PortConfig **port_list;
};

static void fill_ports(const struct entry *entry, struct status_parts *parts)
{
    parts->port_items = mem_array(entry->port_count + 1, sizeof *parts->port_items);
    parts->port_list = mem_array(entry->port_count + 1, sizeof(PortConfig *));
    for (size_t i = 0; i < entry->port_count; i++) {
        PortConfig *port = parts->port_list[i] = &parts->port_items[i];
        docker__swarmkit__v1__port_config__init(port);
        port->protocol = text_equal(entry->ports[i].protocol, "udp") ? DOCKER__SWARMKIT__V1__PORT_CONFIG__PROTOCOL__UDP
                                                                     : DOCKER__SWARMKIT__V1__PORT_CONFIG__PROTOCOL__TCP;
        port->target_port = entry->ports[i].target_port;
        port->published_port = entry->ports[i].published_port;
        port->publish_mode = DOCKER__SWARMKIT__V1__PORT_CONFIG__PUBLISH_MODE__HOST;
    }
    docker__swarmkit__v1__port_status__init(&parts->ports);
    parts->ports.n_ports = entry->port_count;
    parts->ports.ports = parts->port_list;
    parts->status.port_status = &parts->ports;
}

static void fill(struct entry *entry, struct status_parts *parts)
{
    const struct task *task = &entry->task;
    int64_t wall_ns = clock_wall_ns(&entry->worker->options.clock);
    docker__swarmkit__v1__task_status__init(&parts->status);
    google__protobuf__timestamp__init(&parts->timestamp);
    docker__swarmkit__v1__container_status__init(&parts->container);
    parts->timestamp.seconds = wall_ns / (int64_t)NS_PER_S;
    parts->timestamp.nanos = (int32_t)(wall_ns % (int64_t)NS_PER_S);
    parts->status.timestamp = &parts->timestamp;
    parts->status.state = (Docker__Swarmkit__V1__TaskState)task_state_number(task_state(task));
    parts->status.message = (char *)task->message;
    if (task->err)
        parts->status.err = task->err;
    if (!tells_container(entry))
        return;
    parts->status.runtime_status_case = DOCKER__SWARMKIT__V1__TASK_STATUS__RUNTIME_STATUS_CONTAINER;
    parts->status.container = &parts->container;
    if (task->was_started || (task_state(task) != TASK_SHUTDOWN && task_state(task) != TASK_REJECTED))
        parts->container.container_id = entry->container_id;
    parts->container.pid = (int32_t)entry->pid;
    parts->container.exit_code = task->exit_code;
    fill_ports(entry, parts);
}

/* The newest status is composed, queued for the disk, and told once it is there, or the disk has had its time. */
void worker_write_status(struct entry *entry)
{
    struct worker *worker = entry->worker;
    struct status_parts parts = {0};
    enum task_state state = task_state(&entry->task);
    fill(entry, &parts);
    struct bytes packed = pack(&parts.status.base);
    if (entry->status)
        docker__swarmkit__v1__task_status__free_unpacked(entry->status, NULL);
    entry->status = docker__swarmkit__v1__task_status__unpack(NULL, packed.size, packed.data);
    entry->status_sequence = task_store_put_status(worker->store, entry->proto->id, packed);
    if (entry->status_due_ns == UINT64_MAX)
        entry->status_due_ns = worker_now(worker) + WORKER_STATUS_WRITE_MS * NS_PER_MS;
    free((void *)packed.data);
    free(parts.port_items);
    free(parts.port_list);
    worker->stats.failed += state == TASK_FAILED;
    worker->stats.rejected += state == TASK_REJECTED;
    bool is_bad = state == TASK_FAILED || state == TASK_REJECTED;
    log_with(is_bad ? LOG_WARN : LOG_DEBUG, ROOM, LOG_FIELDS({"task", entry->proto->id}), "%s%s%s", task_states.states[state].shown,
             entry->task.err ? ": " : "", entry->task.err ? entry->task.err : "");
}

/* The record, without the registry's password: that stays in memory, and comes again with the next COMPLETE set, which a
 * task that has still to be pulled waits for. */
static struct bytes pack_record(Task *proto)
{
    Docker__Swarmkit__V1__ContainerSpec *spec =
        proto->spec && proto->spec->runtime_case == DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER ? proto->spec->container : NULL;
    Docker__Swarmkit__V1__ContainerSpec__PullOptions *options = spec ? spec->pull_options : NULL;
    if (spec)
        spec->pull_options = NULL;
    struct bytes packed = pack(&proto->base);
    if (spec)
        spec->pull_options = options;
    return packed;
}

void worker_write_task(struct entry *entry)
{
    struct bytes task = pack_record(entry->proto), status = pack(&entry->status->base);
    uint64_t sequence = task_store_put(entry->worker->store, entry->proto->id, task, status);
    if (entry->task.doing == TASK_DO_PERSIST)
        entry->persist_sequence = sequence;
    free((void *)task.data);
    free((void *)status.data);
}

static void tell_status(struct entry *entry)
{
    const struct worker_listener *listener = &entry->worker->options.listener;
    if (entry->task.is_leaving)
        return;
    entry->is_acknowledged = true;
    if (listener->on_status)
        listener->on_status(listener->ctx, entry->proto->id, entry->status);
}

/* What the disk does not take in time is true all the same, and the manager acts on it. Only what says that the node has the task waits for
 * its record. */
void worker_tell_overdue(struct entry *entry, uint64_t now_ns)
{
    if (now_ns < entry->status_due_ns)
        return;
    entry->status_due_ns = UINT64_MAX;
    if (!entry->task.is_persisted && !task_is_final(&entry->task))
        return;
    log_with(LOG_ERROR, ROOM, LOG_FIELDS({"task", entry->proto->id}),
             "the disk has not answered for %d s: %s is told before it is kept; look at the disk of %s", WORKER_STATUS_WRITE_MS / 1000,
             task_states.states[task_state(&entry->task)].shown, entry->worker->options.state_dir);
    tell_status(entry);
}

void worker_on_written(void *ctx, const char *task_id, enum task_write write, uint64_t sequence, const struct error *err)
{
    struct worker *worker = ctx;
    struct entry *entry = worker_entry(worker, task_id);
    if (!entry)
        return;
    worker_mark(entry);
    if (write == TASK_WRITE_TASK && sequence == entry->persist_sequence) {
        entry->persist_sequence = 0;
        task_done(&entry->task, TASK_DO_PERSIST, err, worker_now(worker));
    }
    /* A status that the disk does not take is true all the same, and is told: the task itself was kept before. */
    if (write == TASK_WRITE_STATUS && sequence == entry->status_sequence) {
        entry->status_due_ns = UINT64_MAX;
        tell_status(entry);
    }
    if (write == TASK_WRITE_DELETE && sequence == entry->forget_sequence) {
        entry->forget_sequence = 0;
        if (err)
            task_done(&entry->task, TASK_DO_FORGET, err, worker_now(worker));
        else
            worker_forget(entry);
    }
}

void worker_report_known(struct worker *worker)
{
    struct entry *entry = NULL, *next = NULL;
    HASH_ITER (hh, worker->entries, entry, next)
        if (entry->is_acknowledged && !CLUSTER_MUTANT(FORGET_REPORTS))
            tell_status(entry);
}

/* --- what others may see --- */

static void describe(const struct entry *entry, struct arena *arena, struct worker_task *out)
{
    const struct task *task = &entry->task;
    *out = (struct worker_task){.task_id = entry->proto->id,
                                .service_id = entry->proto->service_id,
                                .service_name = entry->proto->service_annotations ? entry->proto->service_annotations->name : "",
                                .node_id = entry->proto->node_id,
                                .container_id = entry->container_id,
                                .container_name = arena ? container_name(entry->proto, arena) : "",
                                .message = task->message,
                                .err = task->err ? task->err : "",
                                .state = task_state_number(task_state(task)),
                                .desired_state = task->desired,
                                .health = health_status_text(entry->health.status),
                                .state_age_ns = worker_now(entry->worker) - task->machine.entered_ns};
}

void worker_each(const struct worker *worker, void (*each)(void *ctx, const struct worker_task *task), void *ctx)
{
    struct entry *entry = NULL, *next = NULL;
    struct worker_task task;
    HASH_ITER (hh, worker->entries, entry, next) {
        cleanup_arena struct arena arena = {0};
        describe(entry, &arena, &task);
        each(ctx, &task);
    }
}

bool worker_find(const struct worker *worker, const char *task_id, struct worker_task *out)
{
    const struct entry *entry = worker_entry(worker, task_id);
    if (entry)
        describe(entry, NULL, out);
    return entry != NULL;
}

bool worker_find_container(const struct worker *worker, const char *container_id, struct worker_task *out)
{
    const struct entry *entry = NULL;
    HASH_FIND(hh_container, worker->by_container, container_id, strlen(container_id), entry);
    if (entry)
        describe(entry, NULL, out);
    return entry != NULL;
}

static void each_log_task(void *self, void (*each)(void *ctx, const struct log_task *task), void *ctx)
{
    const struct worker *worker = self;
    struct entry *entry = NULL, *next = NULL;
    HASH_ITER (hh, worker->entries, entry, next) {
        const struct log_task task = {entry->proto->id, entry->proto->service_id, entry->proto->node_id};
        if (entry->container_id[0])
            each(ctx, &task);
    }
}

static const char *log_system_id(void *self, const char *task_id)
{
    const struct entry *entry = worker_entry(self, task_id);
    return entry && entry->container_id[0] ? entry->container_id : NULL;
}

struct log_source_tasks worker_log_tasks(struct worker *worker)
{
    return (struct log_source_tasks){each_log_task, log_system_id, worker};
}

void worker_stats(const struct worker *worker, struct worker_stats *out)
{
    *out = worker->stats;
    out->tasks = HASH_CNT(hh, worker->entries);
    out->pulls = pulls_started_count(worker->pulls);
    out->store_commits = task_store_stats(worker->store)->commits;
    out->store_failures = task_store_stats(worker->store)->failures;
}
