/* manager/dispatcher/node_writes.c – state, address and description of nodes, on their way into the store. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "manager/dispatcher/inside.h"
#include "proto/message.h"

struct node_write {
    struct dispatcher_write base;
    uint64_t number;
    int state;
    const char *message;
    char *address;                                      /* NULL: as it is */
    Docker__Swarmkit__V1__NodeDescription *description; /* in one piece; NULL: as it is */
    size_t description_bytes;
    bool is_registration;
    bool is_missing; /* there is no such node any more */
    struct seen {    /* twins, as the last try saw them */
        char *stale_id, *node_id;
    } twins[DISPATCHER_TWINS_COUNT];
    size_t twins_count;
};

static struct node_write *as_node(struct dispatcher_write *write)
{
    return (struct node_write *)(void *)write;
}

uint64_t dispatcher_write_node(struct dispatcher *dispatcher, const char *id, const struct dispatcher_node_news *news, uint64_t now_ns)
{
    struct node_write *write = mem_alloc(sizeof *write);

    *write = (struct node_write){.base.id = mem_string(id),
                                 .number = ++dispatcher->last_number,
                                 .state = news->state,
                                 .message = news->message,
                                 .address = mem_string(news->address),
                                 .is_registration = news->is_registration};
    if (news->description)
        write->description = (void *)message_compact(&news->description->base, &write->description_bytes);
    const struct store_object *object = store_get_object(dispatcher->host.store, STORE_NODE, id);
    write->base.size_bytes = (object ? object->size_bytes : 0) + write->description_bytes;
    dispatcher_writes_put(&dispatcher->node_writes, &write->base, now_ns);
    return write->number;
}

static void forget_twins(struct node_write *write)
{
    for (; write->twins_count > 0; write->twins_count--) {
        free(write->twins[write->twins_count - 1].stale_id);
        free(write->twins[write->twins_count - 1].node_id);
    }
}

static void free_node_write(struct dispatcher_write *base)
{
    struct node_write *write = as_node(base);

    forget_twins(write);
    free(write->address);
    free(write->description);
    free(write);
}

/* State and message are the newer one's. */
static void merge(struct dispatcher_write *newer_base, struct dispatcher_write *older_base)
{
    struct node_write *newer = as_node(newer_base), *older = as_node(older_base);

    if (newer->address == NULL)
        newer->address = steal(&older->address);
    if (newer->description == NULL)
        newer->description = steal(&older->description);
    newer->is_registration |= older->is_registration;
}

static void saw_twin(void *ctx, const struct dispatcher_twin *twin)
{
    struct node_write *write = ctx;

    if (write->twins_count < DISPATCHER_TWINS_COUNT)
        write->twins[write->twins_count++] = (struct seen){mem_string(twin->stale_id), mem_string(twin->node_id)};
}

static bool is_as_told(const Docker__Swarmkit__V1__Node *old, const Docker__Swarmkit__V1__Node *node)
{
    if (!old->status || old->status->state != node->status->state || !text_equal(old->status->message, node->status->message) ||
        !text_equal(old->status->addr, node->status->addr))
        return false;
    if (old->description == node->description)
        return true;
    return old->description && node->description && message_equal(&old->description->base, &node->description->base);
}

static int write_node(struct dispatcher *dispatcher, struct store_tx *tx, struct dispatcher_write *base, struct error *err)
{
    struct node_write *write = as_node(base);
    const Docker__Swarmkit__V1__Node *old = store_tx_node(tx, base->id);
    Docker__Swarmkit__V1__NodeStatus status = DOCKER__SWARMKIT__V1__NODE_STATUS__INIT;
    char message[DISPATCHER_TWIN_MESSAGE_BYTES];

    (void)dispatcher;
    forget_twins(write);
    write->is_missing = old == NULL;
    if (old == NULL)
        return 0;
    Docker__Swarmkit__V1__Node node = *old;
    if (old->status)
        status = *old->status;
    snprintf(message, sizeof message, "%s", write->message);
    status.state = (Docker__Swarmkit__V1__NodeStatus__State)write->state;
    status.message = message;
    if (!text_empty(write->address))
        status.addr = write->address;
    node.status = &status;
    if (write->description)
        node.description = write->description;
    int failed = dispatcher_twins_write(tx, &node, message, saw_twin, write, err);
    if (failed < 0 || is_as_told(old, &node))
        return failed;
    return store_tx_update(tx, &node.base, err);
}

static void tell_twin(struct dispatcher *dispatcher, const struct seen *seen)
{
    const Docker__Swarmkit__V1__Node *message = store_node(dispatcher->host.store, seen->stale_id);

    if (message == NULL || message->description == NULL || message->status == NULL ||
        message->status->state != DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__DOWN)
        return;
    dispatcher_node_set_twin(dispatcher_node_obtain(dispatcher, seen->stale_id), true);
    if (dispatcher->options.on_twin)
        dispatcher->options.on_twin(
            dispatcher->options.ctx,
            &(struct dispatcher_twin){seen->stale_id, seen->node_id, message->description->hostname, message->status->addr});
}

static bool settled(struct dispatcher *dispatcher, struct dispatcher_write *base, const struct error *err)
{
    struct node_write *write = as_node(base);
    struct dispatcher_node *node = dispatcher_node_find(dispatcher, base->id);

    if (node)
        dispatcher_sessions_written(node, write->number, write->is_missing, err);
    if (err)
        return !write->is_registration && err->code != ERR_LIMIT;
    if (node && write->state == DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__DOWN)
        dispatcher_node_written_down(node);
    for (size_t i = 0; i < write->twins_count; i++)
        tell_twin(dispatcher, &write->twins[i]);
    return false;
}

const struct dispatcher_writes_kind dispatcher_node_writes = {
    .write = write_node, .merge = merge, .settled = settled, .free = free_node_write};
