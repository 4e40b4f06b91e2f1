/* manager/orchestrator/allocator.c – follows tasks that are NEW, and tries again those that wait when a service or network changes. */
#include "manager/orchestrator/allocator.h"

#include <assert.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "manager/orchestrator/compare.h"
#include "manager/orchestrator/labels.h"
#include "proto/message.h"

#define STATE(name) DOCKER__SWARMKIT__V1__TASK_STATE__##name

enum item_state { ITEM_QUEUED, ITEM_WRITING, ITEM_WAITING };

/* A task that is NEW. */
struct item {
    UT_hash_handle hh;
    enum item_state state;
    struct item *next; /* among the queued */
    char id[];
};

struct allocator {
    struct part_host host;
    struct store_watcher *watcher;
    struct item *items, *queue, **queue_end;
    size_t waiting_count, writes;
    bool is_listed, has_failed;
    uint64_t hold_until_ns, now_ns;
};

struct write {
    struct allocator *allocator;
    size_t count;
    struct item *items[];
};

/* --- what a task needs --- */

static const char *driver_of(const Docker__Swarmkit__V1__Network *network)
{
    if (network->driver_state && network->driver_state->name[0])
        return network->driver_state->name;
    return network->spec && network->spec->driver_config ? network->spec->driver_config->name : "";
}

/* A network that each node has of its own. */
static bool is_of_the_node(const Docker__Swarmkit__V1__Network *network)
{
    static const char *const drivers[] = {"host", "bridge", "none", "null", "nat"};
    const char *predefined = label_value(network->spec ? network->spec->annotations : NULL, "com.docker.swarm.predefined");

    for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++)
        if (strcmp(driver_of(network), drivers[i]) == 0)
            return true;
    return predefined && strcmp(predefined, "true") == 0;
}

static int check_networks(Docker__Swarmkit__V1__NetworkAttachmentConfig *const *configs, size_t count, allocator_network_fn *find,
                          void *ctx, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        const Docker__Swarmkit__V1__Network *network = find(ctx, configs[i]->target);
        if (network == NULL)
            return error_set(err, ERR_NOT_FOUND, "network %.64s not found", configs[i]->target);
        if (!is_of_the_node(network))
            return error_set(err, ERR_UNSUPPORTED,
                             "this manager gives no addresses of the %.32s network %.64s yet: use the nodes' own networks (bridge, host)",
                             driver_of(network)[0] ? driver_of(network) : "overlay",
                             network->spec && network->spec->annotations ? network->spec->annotations->name : network->id);
    }
    return 0;
}

static int check_ports(const Docker__Swarmkit__V1__EndpointSpec *endpoint, struct error *err)
{
    for (size_t i = 0; endpoint && i < endpoint->n_ports; i++)
        if (endpoint->ports[i]->publish_mode == DOCKER__SWARMKIT__V1__PORT_CONFIG__PUBLISH_MODE__INGRESS)
            return error_set(err, ERR_UNSUPPORTED, "this manager publishes no ports by ingress yet: publish port %u with mode=host",
                             endpoint->ports[i]->target_port);
    return 0;
}

int allocator_check(const Docker__Swarmkit__V1__ServiceSpec *spec, allocator_network_fn *network, void *ctx, struct error *err)
{
    int failed = check_ports(spec->endpoint, err);

    if (failed == 0 && spec->task)
        failed = check_networks(spec->task->networks, spec->task->n_networks, network, ctx, err);
    return failed < 0 ? failed : check_networks(spec->networks, spec->n_networks, network, ctx, err);
}

static const Docker__Swarmkit__V1__Network *network_in_tx(void *ctx, const char *id_or_name)
{
    struct store_tx *tx = ctx;
    const Docker__Swarmkit__V1__Network *network = store_tx_network(tx, id_or_name);
    struct store_cursor cursor;

    if (network)
        return network;
    store_tx_find(tx, STORE_NETWORK, STORE_BY_NAME, id_or_name, &cursor);
    return (const void *)store_next(&cursor);
}

/* --- services' endpoints --- */

Docker__Swarmkit__V1__Endpoint *allocator_endpoint(const Docker__Swarmkit__V1__ServiceSpec *spec, Docker__Swarmkit__V1__Endpoint *out)
{
    if (spec == NULL || spec->endpoint == NULL)
        return NULL;
    docker__swarmkit__v1__endpoint__init(out);
    out->spec = spec->endpoint;
    out->ports = spec->endpoint->ports;
    out->n_ports = spec->endpoint->n_ports;
    return out;
}

/* Of a service that somebody else wrote: ours have theirs from the beginning. */
static int update_endpoint(struct store_tx *tx, const Docker__Swarmkit__V1__Service *old, struct error *err)
{
    const Docker__Swarmkit__V1__EndpointSpec *wanted = old->spec ? old->spec->endpoint : NULL;
    const Docker__Swarmkit__V1__EndpointSpec *got = old->endpoint ? old->endpoint->spec : NULL;
    Docker__Swarmkit__V1__Endpoint endpoint;
    Docker__Swarmkit__V1__Service service = *old;

    if ((wanted == NULL) == (old->endpoint == NULL) && message_same(wanted ? &wanted->base : NULL, got ? &got->base : NULL))
        return 0;
    service.endpoint = allocator_endpoint(old->spec, &endpoint);
    return store_tx_update(tx, &service.base, err);
}

/* --- tasks --- */

/* The status of a task that waits says why. */
static int tell_why(struct store_tx *tx, const Docker__Swarmkit__V1__Task *old, const char *why, struct error *err)
{
    Docker__Swarmkit__V1__TaskStatus status = DOCKER__SWARMKIT__V1__TASK_STATUS__INIT;
    Docker__Swarmkit__V1__Task task = *old;

    if (old->status)
        status = *old->status;
    if (strcmp(status.err, why) == 0)
        return 0;
    status.message = (char *)(uintptr_t) "waiting for its networks";
    status.err = (char *)(uintptr_t)why;
    task.status = &status;
    return store_tx_update(tx, &task.base, err);
}

struct attachments {
    Docker__Swarmkit__V1__NetworkAttachment *items, **list;
    size_t count;
};

static void attach(struct attachments *out, struct store_tx *tx, Docker__Swarmkit__V1__NetworkAttachmentConfig *const *configs,
                   size_t count)
{
    out->items = mem_array(count + 1, sizeof *out->items);
    out->list = mem_array(count + 1, sizeof *out->list);
    out->count = count;
    for (size_t i = 0; i < count; i++) {
        Docker__Swarmkit__V1__NetworkAttachment *attachment = &out->items[i];
        docker__swarmkit__v1__network_attachment__init(attachment);
        attachment->network = (Docker__Swarmkit__V1__Network *)(uintptr_t)network_in_tx(tx, configs[i]->target);
        attachment->aliases = configs[i]->aliases;
        attachment->n_aliases = configs[i]->n_aliases;
        attachment->addresses = configs[i]->addresses;
        attachment->n_addresses = configs[i]->n_addresses;
        out->list[i] = attachment;
    }
}

static int make_pending(struct store_tx *tx, const Docker__Swarmkit__V1__Task *old, const Docker__Swarmkit__V1__Service *service,
                        Docker__Swarmkit__V1__NetworkAttachmentConfig *const *configs, size_t count, struct error *err)
{
    Docker__Swarmkit__V1__TaskStatus status = DOCKER__SWARMKIT__V1__TASK_STATUS__INIT;
    Docker__Swarmkit__V1__Task task = *old;
    Google__Protobuf__Timestamp timestamp;
    struct attachments attachments;

    attach(&attachments, tx, configs, count);
    task.networks = attachments.list;
    task.n_networks = attachments.count;
    if (service && service->endpoint)
        task.endpoint = service->endpoint;
    message_set_timestamp(&timestamp, store_tx_wall_ns(tx));
    status.timestamp = &timestamp;
    status.state = STATE(PENDING);
    status.message = (char *)(uintptr_t) "pending task scheduling";
    task.status = &status;
    int failed = store_tx_update(tx, &task.base, err);
    free(attachments.items);
    free(attachments.list);
    return failed;
}

static int allocate(struct store_tx *tx, const char *id, struct error *err)
{
    const Docker__Swarmkit__V1__Task *task = store_tx_task(tx, id);
    const Docker__Swarmkit__V1__Service *service = NULL;
    struct error why = {0};

    if (task == NULL || !task->status || task->status->state != STATE(NEW) || task->desired_state > STATE(COMPLETE) || !task->spec)
        return 0;
    if (task->service_id[0]) {
        service = store_tx_service(tx, task->service_id);
        if (service == NULL)
            return 0;
    }
    Docker__Swarmkit__V1__NetworkAttachmentConfig *const *configs = task->spec->networks;
    size_t count = task->spec->n_networks;
    if (count == 0 && service && service->spec) {
        configs = service->spec->networks;
        count = service->spec->n_networks;
    }
    if (check_ports(task->endpoint ? task->endpoint->spec : NULL, &why) < 0 || check_networks(configs, count, network_in_tx, tx, &why) < 0)
        return tell_why(tx, task, why.message, err);
    int failed = service ? update_endpoint(tx, service, err) : 0;
    if (failed < 0)
        return failed;
    return make_pending(tx, task, service ? store_tx_service(tx, task->service_id) : NULL, configs, count, err);
}

static int allocate_all(struct store_tx *tx, void *ctx, struct error *err)
{
    const struct write *write = ctx;
    int failed = 0;

    for (size_t i = 0; i < write->count && failed == 0; i++)
        failed = allocate(tx, write->items[i]->id, err);
    return failed;
}

/* --- following --- */

static void enqueue(struct allocator *allocator, struct item *item)
{
    item->state = ITEM_QUEUED;
    item->next = NULL;
    *allocator->queue_end = item;
    allocator->queue_end = &item->next;
}

static bool is_new(const struct allocator *allocator, const char *id)
{
    const Docker__Swarmkit__V1__Task *task = store_task(allocator->host.store, id);
    return task && (!task->status || task->status->state == STATE(NEW)) && task->desired_state <= STATE(COMPLETE);
}

static void follow_task(struct allocator *allocator, const char *id)
{
    size_t length = strlen(id);
    struct item *item;

    HASH_FIND_STR(allocator->items, id, item);
    if (item && item->state == ITEM_WAITING && !is_new(allocator, id)) {
        HASH_DEL(allocator->items, item);
        allocator->waiting_count--;
        free(item);
    }
    if (item || !is_new(allocator, id))
        return;
    item = mem_alloc(sizeof *item + length + 1);
    memcpy(item->id, id, length + 1);
    HASH_ADD_STR(allocator->items, id, item);
    enqueue(allocator, item);
}

static void retry_waiting(struct allocator *allocator)
{
    for (struct item *item = allocator->items; item && allocator->waiting_count; item = item->hh.next)
        if (item->state == ITEM_WAITING) {
            allocator->waiting_count--;
            enqueue(allocator, item);
        }
}

static void list(struct allocator *allocator)
{
    struct store_cursor cursor;
    const ProtobufCMessage *message;

    store_find(allocator->host.store, STORE_TASK, STORE_BY_STATE, "0", &cursor);
    while ((message = store_next(&cursor)) != NULL)
        follow_task(allocator, store_message_id(STORE_TASK, message));
    retry_waiting(allocator);
    allocator->is_listed = true;
}

static void follow(struct allocator *allocator)
{
    const struct store_commit *commit;
    struct error err = {0};
    int result;

    if (!allocator->is_listed)
        list(allocator);
    while ((result = store_watch_next(allocator->watcher, &commit, &err)) != ERR_NOT_FOUND) {
        if (result < 0) {
            list(allocator);
            continue;
        }
        for (size_t i = 0; i < commit->count; i++) {
            const struct store_change *change = &commit->changes[i];
            if (change->kind == STORE_TASK)
                follow_task(allocator, store_object_id(change->object));
            else if (change->kind == STORE_SERVICE || change->kind == STORE_NETWORK)
                retry_waiting(allocator);
        }
    }
}

static void done(void *ctx, const struct error *err)
{
    struct write *write = ctx;
    struct allocator *allocator = write->allocator;

    if (err) {
        log_warn("allocator", "%zu tasks stay NEW for now: %s", write->count, err->message);
        allocator->has_failed = true;
    }
    for (size_t i = 0; i < write->count; i++) {
        struct item *item = write->items[i];
        if (err) {
            enqueue(allocator, item);
        } else if (is_new(allocator, item->id)) {
            item->state = ITEM_WAITING;
            allocator->waiting_count++;
        } else {
            HASH_DEL(allocator->items, item);
            free(item);
        }
    }
    allocator->writes--;
    part_wake(&allocator->host);
    free(write);
}

/* How much of an entry a task takes that is written with its networks. */
static size_t weight(const struct allocator *allocator, const struct item *item)
{
    const struct store_object *object = store_get_object(allocator->host.store, STORE_TASK, item->id);
    return object ? object->size_bytes : 0;
}

/* Half as many tasks as an entry takes changes: each may come with its service. */
static void send(struct allocator *allocator)
{
    while (allocator->queue) {
        size_t most = STORE_ACTIONS_COUNT / 2, size = 0;
        struct write *write = mem_alloc(sizeof *write + most * sizeof(struct item *));
        write->allocator = allocator;
        while (allocator->queue && write->count < most && (write->count == 0 || size < ORCHESTRATOR_WRITE_BYTES / 2)) {
            struct item *item = allocator->queue;
            allocator->queue = item->next;
            item->state = ITEM_WRITING;
            size += weight(allocator, item);
            write->items[write->count++] = item;
        }
        allocator->writes++;
        store_update(allocator->host.store, allocate_all, done, write);
    }
    allocator->queue_end = &allocator->queue;
}

/* --- the part --- */

static void on_ready(void *ctx)
{
    part_wake(&((struct allocator *)ctx)->host);
}

static void step(void *self, uint64_t now_ns)
{
    struct allocator *allocator = self;

    allocator->now_ns = now_ns;
    if (allocator->has_failed)
        allocator->hold_until_ns = now_ns + ORCHESTRATOR_RETRY_MS * NS_PER_MS;
    allocator->has_failed = false;
    follow(allocator);
    if (now_ns >= allocator->hold_until_ns)
        send(allocator);
}

static uint64_t deadline_ns(const void *self)
{
    const struct allocator *allocator = self;
    return allocator->queue ? allocator->hold_until_ns : PART_NEVER;
}

static void free_allocator(void *self)
{
    struct allocator *allocator = self;
    struct item *item, *next;

    assert(allocator->writes == 0); /* part.h: they have been told */
    store_unwatch(allocator->watcher);
    HASH_ITER (hh, allocator->items, item, next) {
        HASH_DEL(allocator->items, item);
        free(item);
    }
    free(allocator);
}

struct part allocator_new(const struct part_host *host)
{
    struct allocator *allocator = mem_alloc(sizeof *allocator);

    allocator->host = *host;
    allocator->queue_end = &allocator->queue;
    allocator->watcher = store_watch(host->store, on_ready, allocator);
    return (struct part){.name = "allocator", .step = step, .deadline_ns = deadline_ns, .free = free_allocator, .self = allocator};
}
