/* manager/logs/broker.c – see broker.h. What ends a subscription is decided in step(), so that no reader is ended inside a call. */
#include "manager/logs/broker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/hash.h"
#include "base/id.h"
#include "base/mem.h"
#include "proto/message.h"

/* One of the nodes that a subscription concerns. */
struct source {
    UT_hash_handle hh; /* by node_id */
    bool is_told, is_done;
    char node_id[];
};

struct log_subscription {
    struct log_subscription *prev, *next;
    struct log_broker *broker;
    Docker__Swarmkit__V1__SubscriptionMessage *message; /* what nodes are told */
    struct log_reader reader;
    struct source *sources;
    struct log_publication *publications;
    struct buf missing; /* what could not be had, and why: "node x is not available, …" */
    struct error failed;
    bool follows, has_no_room;
};

struct log_listener {
    struct log_listener *prev, *next;
    struct log_broker *broker; /* NULL: it has ended */
    char *node_id;
    struct log_ear ear;
};

struct log_publication {
    struct log_publication *prev, *next;   /* in the subscription */
    struct log_subscription *subscription; /* NULL: it is over */
    char subscription_id[ID_SIZE_CHARS + 1];
    char *node_id;
    Docker__Swarmkit__V1__PublishLogsMessage *waiting; /* the reader had no room for it */
    bool has_closed;
    void (*resume)(void *ctx);
    void *ctx;
};

struct log_broker {
    struct part_host host;
    struct store_watcher *watcher;
    struct log_subscription *subscriptions;
    struct log_listener *listeners;
    size_t subscriptions_count;
};

static void on_commits(void *ctx)
{
    struct log_broker *broker = ctx;
    part_wake(&broker->host);
}

struct log_broker *log_broker_new(const struct part_host *host)
{
    struct log_broker *broker = mem_alloc(sizeof *broker);

    broker->host = *host;
    broker->watcher = store_watch(host->store, on_commits, broker);
    return broker;
}

/* --- the nodes of a subscription --- */

static void miss(struct log_subscription *subscription, const char *what, const char *id, const char *why)
{
    if (subscription->missing.size < LOG_BROKER_MISSING_BYTES)
        buf_append_format(&subscription->missing, "%s%s %s %s", subscription->missing.size ? ", " : "", what, id, why);
}

static struct log_listener *find_listener(struct log_broker *broker, const char *node_id)
{
    struct log_listener *listener;

    DL_FOREACH (broker->listeners, listener)
        if (strcmp(listener->node_id, node_id) == 0)
            return listener;
    return NULL;
}

static void tell(struct log_subscription *subscription, struct source *source, struct log_listener *listener)
{
    source->is_told = true;
    listener->ear.tell(listener->ear.ctx, subscription->message);
}

static struct source *find_source(struct log_subscription *subscription, const char *node_id)
{
    struct source *source;

    HASH_FIND_STR(subscription->sources, node_id, source);
    return source;
}

static void add_source(struct log_subscription *subscription, const char *node_id)
{
    struct log_listener *listener = find_listener(subscription->broker, node_id);
    size_t size = strlen(node_id) + 1;

    if (find_source(subscription, node_id))
        return;
    struct source *source = mem_alloc(sizeof *source + size);
    memcpy(source->node_id, node_id, size);
    HASH_ADD_STR(subscription->sources, node_id, source);
    if (listener) {
        tell(subscription, source, listener);
    } else if (!subscription->follows) { /* else it is told when it is back */
        source->is_done = true;
        miss(subscription, "node", node_id, "is not available");
    }
}

static bool is_over(const struct log_subscription *subscription)
{
    if (subscription->failed.code != 0)
        return true;
    for (const struct source *source = subscription->sources; source; source = source->hh.next)
        if (!source->is_done)
            return false;
    return !subscription->follows && !subscription->has_no_room;
}

static void done(struct log_subscription *subscription, const char *node_id, const char *why)
{
    struct source *source = find_source(subscription, node_id);

    if (source == NULL || source->is_done)
        return;
    source->is_done = !subscription->follows || why == NULL;
    if (why && !subscription->follows)
        miss(subscription, "node", node_id, why);
    source->is_told = source->is_told && why == NULL;
    if (is_over(subscription))
        part_wake(&subscription->broker->host);
}

static bool has(char *const *ids, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(ids[i], id) == 0)
            return true;
    return false;
}

static bool selects(const Docker__Swarmkit__V1__LogSelector *selector, const Docker__Swarmkit__V1__Task *task)
{
    return has(selector->service_ids, selector->n_service_ids, task->service_id) ||
           has(selector->task_ids, selector->n_task_ids, task->id) || has(selector->node_ids, selector->n_node_ids, task->node_id);
}

static void add_task(struct log_subscription *subscription, const Docker__Swarmkit__V1__Task *task)
{
    if (*task->node_id)
        add_source(subscription, task->node_id);
    else if (!subscription->follows)
        miss(subscription, "task", task->id, "has not been scheduled");
}

static void add_tasks_of_service(struct log_subscription *subscription, const char *service_id)
{
    const Docker__Swarmkit__V1__Task *task;
    struct store_cursor cursor;

    store_find(subscription->broker->host.store, STORE_TASK, STORE_BY_SERVICE, service_id, &cursor);
    while ((task = (const void *)store_next(&cursor)))
        add_task(subscription, task);
}

static void add_sources(struct log_subscription *subscription)
{
    const Docker__Swarmkit__V1__LogSelector *selector = subscription->message->selector;

    for (size_t i = 0; i < selector->n_service_ids; i++)
        add_tasks_of_service(subscription, selector->service_ids[i]);
    for (size_t i = 0; i < selector->n_task_ids; i++) {
        const Docker__Swarmkit__V1__Task *task = store_task(subscription->broker->host.store, selector->task_ids[i]);
        if (task)
            add_task(subscription, task);
    }
    for (size_t i = 0; i < selector->n_node_ids; i++)
        add_source(subscription, selector->node_ids[i]);
}

/* --- subscriptions --- */

static int check(const struct log_broker *broker, const Docker__Swarmkit__V1__SubscribeLogsRequest *request, struct error *err)
{
    const Docker__Swarmkit__V1__LogSelector *selector = request->selector;

    if (selector == NULL)
        return error_set(err, ERR_INVALID, "log selector must be provided");
    size_t count = selector->n_service_ids + selector->n_node_ids + selector->n_task_ids;
    if (count == 0)
        return error_set(err, ERR_INVALID, "log selector must not be empty");
    if (count > LOG_SELECTOR_COUNT)
        return error_set(err, ERR_LIMIT, "log selector names %zu objects: at most %d", count, LOG_SELECTOR_COUNT);
    if (broker->subscriptions_count >= LOG_BROKER_SUBSCRIPTIONS_COUNT)
        return error_set(err, ERR_LIMIT, "%d logs are being read already: try again later", LOG_BROKER_SUBSCRIPTIONS_COUNT);
    return 0;
}

int log_broker_subscribe(struct log_broker *broker, const Docker__Swarmkit__V1__SubscribeLogsRequest *request,
                         const struct log_reader *reader, struct log_subscription **out, struct error *err)
{
    Docker__Swarmkit__V1__SubscriptionMessage message = DOCKER__SWARMKIT__V1__SUBSCRIPTION_MESSAGE__INIT;
    char id[ID_SIZE_CHARS + 1];

    if (check(broker, request, err) < 0)
        return err->code;
    struct log_subscription *subscription = mem_alloc(sizeof *subscription);
    id_make(&broker->host.random, id);
    message.id = id;
    message.selector = request->selector;
    message.options = request->options;
    *subscription = (struct log_subscription){.broker = broker, .message = MESSAGE_COPY(&message), .reader = *reader};
    subscription->follows = request->options && request->options->follow;
    DL_APPEND(broker->subscriptions, subscription);
    broker->subscriptions_count++;
    add_sources(subscription);
    part_wake(&broker->host);
    *out = subscription;
    return 0;
}

static void free_publication(struct log_publication *publication)
{
    if (publication->waiting)
        message_free(&publication->waiting->base);
    free(publication->node_id);
    free(publication);
}

static void free_subscription(struct log_subscription *subscription)
{
    struct log_broker *broker = subscription->broker;
    struct source *source, *next_source;
    struct log_publication *publication, *next;

    DL_DELETE(broker->subscriptions, subscription);
    broker->subscriptions_count--;
    HASH_ITER (hh, subscription->sources, source, next_source) {
        HASH_DEL(subscription->sources, source);
        free(source);
    }
    DL_FOREACH_SAFE (subscription->publications, publication, next) {
        DL_DELETE(subscription->publications, publication);
        publication->subscription = NULL;
        if (publication->waiting && publication->resume)
            publication->resume(publication->ctx); /* what it sends next is refused */
        else if (publication->waiting)
            free_publication(publication); /* its stream is over since */
    }
    message_free(&subscription->message->base);
    buf_deinit(&subscription->missing);
    free(subscription);
}

/* Whoever was told, and has not said its last, may stop. */
static void tell_to_stop(struct log_subscription *subscription)
{
    Docker__Swarmkit__V1__SubscriptionMessage message = *subscription->message;
    struct source *source, *next;

    message.close = true;
    HASH_ITER (hh, subscription->sources, source, next) {
        struct log_listener *listener = find_listener(subscription->broker, source->node_id);
        if (source->is_told && !source->is_done && listener)
            listener->ear.tell(listener->ear.ctx, &message);
    }
}

void log_subscription_close(struct log_subscription *subscription)
{
    tell_to_stop(subscription);
    free_subscription(subscription);
}

static void end(struct log_subscription *subscription, const struct error *err)
{
    struct log_reader reader = subscription->reader;

    if (err)
        tell_to_stop(subscription);
    free_subscription(subscription);
    reader.end(reader.ctx, err);
}

static void end_as_it_is(struct log_subscription *subscription)
{
    struct error err = subscription->failed;

    if (err.code == 0 && subscription->missing.size)
        error_set(&err, ERR_PEER, "warning: incomplete log stream. some logs could not be retrieved for the following reasons: %.*s",
                  (int)subscription->missing.size, (const char *)subscription->missing.data);
    end(subscription, err.code ? &err : NULL);
}

/* --- listeners --- */

struct log_listener *log_broker_listen(struct log_broker *broker, const char *node_id, const struct log_ear *ear)
{
    struct log_listener *listener = mem_alloc(sizeof *listener);
    struct log_subscription *subscription;

    *listener = (struct log_listener){.broker = broker, .node_id = mem_string(node_id), .ear = *ear};
    DL_PREPEND(broker->listeners, listener); /* before an older stream of the same node, which may be dead */
    DL_FOREACH (broker->subscriptions, subscription) {
        struct source *source = find_source(subscription, node_id);
        if (source && !source->is_done && !source->is_told)
            tell(subscription, source, listener);
    }
    return listener;
}

void log_listener_close(struct log_listener *listener)
{
    struct log_broker *broker = listener->broker;
    struct log_subscription *subscription;

    if (broker) {
        DL_DELETE(broker->listeners, listener);
        DL_FOREACH (broker->subscriptions, subscription)
            if (find_listener(broker, listener->node_id) == NULL)
                done(subscription, listener->node_id, "disconnected unexpectedly");
    }
    free(listener->node_id);
    free(listener);
}

/* --- publications --- */

static int deliver(struct log_subscription *subscription, const Docker__Swarmkit__V1__PublishLogsMessage *message, struct error *err)
{
    Docker__Swarmkit__V1__SubscribeLogsMessage out = DOCKER__SWARMKIT__V1__SUBSCRIBE_LOGS_MESSAGE__INIT;

    if (message->n_messages == 0)
        return 0;
    out.messages = message->messages;
    out.n_messages = message->n_messages;
    return subscription->reader.deliver(subscription->reader.ctx, &out, err);
}

static void fail(struct log_subscription *subscription, const struct error *err)
{
    subscription->failed = *err;
    part_wake(&subscription->broker->host);
}

static int open_publication(struct log_broker *broker, const char *node_id, const Docker__Swarmkit__V1__PublishLogsMessage *message,
                            struct log_publication **out, struct error *err)
{
    struct log_subscription *subscription;

    if (message->subscription_id[0] == 0)
        return error_set(err, ERR_INVALID, "missing subscription ID");
    DL_FOREACH (broker->subscriptions, subscription)
        if (strcmp(subscription->message->id, message->subscription_id) == 0)
            break;
    if (subscription == NULL || find_source(subscription, node_id) == NULL)
        return error_set(err, ERR_NOT_FOUND, "unknown subscription ID");
    struct log_publication *publication = mem_alloc(sizeof *publication);
    *publication = (struct log_publication){.subscription = subscription, .node_id = mem_string(node_id)};
    snprintf(publication->subscription_id, sizeof publication->subscription_id, "%s", message->subscription_id);
    DL_APPEND(subscription->publications, publication);
    *out = publication;
    return 0;
}

static int check_contexts(const struct log_publication *publication, const Docker__Swarmkit__V1__PublishLogsMessage *message,
                          struct error *err)
{
    for (size_t i = 0; i < message->n_messages; i++) {
        const Docker__Swarmkit__V1__LogContext *context = message->messages[i]->context;
        const char *node_id = context ? context->node_id : "";
        if (strcmp(node_id, publication->node_id) != 0)
            return error_set(err, ERR_PERMISSION, "invalid NodeID: expected=%s;received=%.64s", publication->node_id, node_id);
    }
    return 0;
}

static int take(struct log_publication *publication, const Docker__Swarmkit__V1__PublishLogsMessage *message, struct error *err)
{
    struct log_subscription *subscription = publication->subscription;
    int failed = deliver(subscription, message, err);

    if (failed == ERR_AGAIN) {
        subscription->has_no_room = true;
        publication->waiting = MESSAGE_COPY(message);
        return ERR_AGAIN;
    }
    if (failed < 0) {
        fail(subscription, err);
        return error_set(err, ERR_NOT_FOUND, "unknown subscription ID");
    }
    return 0;
}

int log_broker_publish(struct log_broker *broker, const char *node_id, const Docker__Swarmkit__V1__PublishLogsMessage *message,
                       void (*resume)(void *ctx), void *ctx, struct log_publication **publication, struct error *err)
{
    if (*publication == NULL && open_publication(broker, node_id, message, publication, err) < 0)
        return err->code;
    (*publication)->resume = resume;
    (*publication)->ctx = ctx;
    if (strcmp((*publication)->subscription_id, message->subscription_id) != 0)
        return error_set(err, ERR_INVALID, "different subscription IDs in the same session");
    if ((*publication)->subscription == NULL)
        return error_set(err, ERR_NOT_FOUND, "unknown subscription ID");
    if (check_contexts(*publication, message, err) < 0)
        return err->code;
    (*publication)->has_closed = (*publication)->has_closed || message->close;
    int taken = take(*publication, message, err);
    if (taken == 0 && message->close)
        done((*publication)->subscription, node_id, NULL);
    return taken;
}

void log_subscription_writable(struct log_subscription *subscription)
{
    struct log_publication *publication, *next;
    struct error err = {0};

    DL_FOREACH_SAFE (subscription->publications, publication, next) {
        if (publication->waiting == NULL)
            continue;
        int failed = deliver(subscription, publication->waiting, &err);
        if (failed == ERR_AGAIN)
            return;
        message_free(&publication->waiting->base);
        publication->waiting = NULL;
        if (failed < 0) {
            fail(subscription, &err);
            return;
        }
        if (publication->has_closed)
            done(subscription, publication->node_id, NULL);
        if (publication->resume)
            publication->resume(publication->ctx);
        else
            log_publication_end(publication); /* its stream is over since */
    }
    subscription->has_no_room = false;
    if (is_over(subscription))
        part_wake(&subscription->broker->host);
}

void log_publication_end(struct log_publication *publication)
{
    struct log_subscription *subscription = publication->subscription;

    if (subscription && publication->waiting) { /* goes when there is room */
        publication->resume = NULL;
        return;
    }
    if (subscription) {
        DL_DELETE(subscription->publications, publication);
        if (!publication->has_closed)
            done(subscription, publication->node_id, "disconnected unexpectedly");
    }
    free_publication(publication);
}

/* --- the part --- */

static void look_at_task(struct log_broker *broker, const Docker__Swarmkit__V1__Task *task)
{
    struct log_subscription *subscription;

    if (*task->node_id == 0)
        return;
    DL_FOREACH (broker->subscriptions, subscription)
        if (subscription->follows && selects(subscription->message->selector, task))
            add_source(subscription, task->node_id);
}

static void look_at_all(struct log_broker *broker)
{
    struct log_subscription *subscription;

    DL_FOREACH (broker->subscriptions, subscription)
        if (subscription->follows)
            add_sources(subscription);
}

static void look(struct log_broker *broker)
{
    const struct store_commit *commit;
    int got;

    while ((got = store_watch_next(broker->watcher, &commit, NULL)) != ERR_NOT_FOUND) {
        if (got == ERR_LIMIT)
            look_at_all(broker);
        for (size_t i = 0; got == 0 && i < commit->count && broker->subscriptions; i++)
            if (commit->changes[i].kind == STORE_TASK && commit->changes[i].action != STORE_REMOVE)
                look_at_task(broker, (const void *)commit->changes[i].object->message);
    }
}

static void step(void *self, uint64_t now_ns)
{
    struct log_broker *broker = self;
    struct log_subscription *subscription, *next;

    (void)now_ns;
    look(broker);
    DL_FOREACH_SAFE (broker->subscriptions, subscription, next)
        if (is_over(subscription))
            end_as_it_is(subscription);
}

static uint64_t deadline_ns(const void *self)
{
    (void)self;
    return PART_NEVER;
}

static void free_broker(void *self)
{
    struct log_broker *broker = self;
    struct error why;

    error_set(&why, ERR_UNAVAILABLE, "log broker is stopped: this manager does not lead any more");
    while (broker->subscriptions)
        end(broker->subscriptions, &why);
    while (broker->listeners) {
        struct log_listener *listener = broker->listeners;
        DL_DELETE(broker->listeners, listener);
        listener->broker = NULL;
        listener->ear.end(listener->ear.ctx, &why);
    }
    store_unwatch(broker->watcher);
    free(broker);
}

struct part log_broker_part(struct log_broker *broker)
{
    return (struct part){.name = "logs", .step = step, .deadline_ns = deadline_ns, .free = free_broker, .self = broker};
}
