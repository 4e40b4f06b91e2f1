/* manager/dispatcher/twins.c – a host that was made to join again, and the entry of its older life that stays behind: recognised by
 * hostname and address, told in that entry's status message. Nothing is removed: it may be the wrong guess, two hosts behind one address.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "manager/dispatcher/inside.h"
#include "proto/message.h"

#define MARK "; the same host, "

typedef Docker__Swarmkit__V1__Node Node;

static const char *hostname_of(const Node *node)
{
    return node->description && node->description->hostname ? node->description->hostname : "";
}

static const char *address_of(const Node *node)
{
    return node->status && node->status->addr ? node->status->addr : "";
}

static int64_t created_ns(const Node *node)
{
    return message_timestamp_ns(node->meta ? node->meta->created_at : NULL, 0);
}

static bool is_in(const Node *node, Docker__Swarmkit__V1__NodeStatus__State state)
{
    return node->status && node->status->state == state;
}

/* Is @stale what an older life of @node's host left? */
static bool is_twin(const Node *stale, const Node *node)
{
    return is_in(stale, DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__DOWN) && is_in(node, DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__READY) &&
           strcmp(stale->id, node->id) != 0 && created_ns(stale) < created_ns(node) && strcmp(hostname_of(stale), hostname_of(node)) == 0 &&
           strcmp(address_of(stale), address_of(node)) == 0;
}

/* "heartbeat failure; the same host, web1 at 10.0.0.5, is now node …". A message that says so already is made anew. */
static void compose(char out[DISPATCHER_TWIN_MESSAGE_BYTES], const char *message, const Node *node)
{
    const char *mark = strstr(message, MARK);
    int length = (int)(mark ? mark - message : (ptrdiff_t)strlen(message));
    char text[DISPATCHER_TWIN_MESSAGE_BYTES];

    snprintf(text, sizeof text, "%.*s%s%.128s at %.64s, is now node %.64s", length < 128 ? length : 128, message, MARK, hostname_of(node),
             address_of(node), node->id);
    memcpy(out, text, sizeof text);
}

static void tell(dispatcher_twin_fn *fn, void *ctx, const Node *stale, const Node *node)
{
    fn(ctx, &(struct dispatcher_twin){stale->id, node->id, hostname_of(node), address_of(node)});
}

static int mark_stale(struct store_tx *tx, const Node *stale, const Node *node, struct error *err)
{
    char message[DISPATCHER_TWIN_MESSAGE_BYTES];
    Node changed = *stale;
    Docker__Swarmkit__V1__NodeStatus status = *stale->status;

    compose(message, status.message ? status.message : "", node);
    if (text_equal(message, status.message))
        return 0;
    status.message = message;
    changed.status = &status;
    return store_tx_update(tx, &changed.base, err);
}

int dispatcher_twins_write(struct store_tx *tx, const Node *node, char message[DISPATCHER_TWIN_MESSAGE_BYTES], dispatcher_twin_fn *fn,
                           void *ctx, struct error *err)
{
    const Node *others[DISPATCHER_TWINS_COUNT];
    const ProtobufCMessage *found;
    struct store_cursor cursor;
    size_t count = 0, looked = 0;

    if (hostname_of(node)[0] == 0 || address_of(node)[0] == 0)
        return 0;
    store_tx_find(tx, STORE_NODE, STORE_BY_NAME, hostname_of(node), &cursor);
    while ((found = store_next(&cursor)) != NULL && count < DISPATCHER_TWINS_COUNT && looked++ < DISPATCHER_NAMESAKES_COUNT) {
        const Node *other = (const Node *)(const void *)found;
        if (is_twin(other, node))
            others[count++] = other;
        else if (is_twin(node, other)) {
            compose(message, message, other);
            tell(fn, ctx, node, other);
            return 0;
        }
    }
    for (size_t i = 0; i < count; i++) {
        int failed = mark_stale(tx, others[i], node, err);
        if (failed < 0)
            return failed;
        tell(fn, ctx, others[i], node);
    }
    return 0;
}
