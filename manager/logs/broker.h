/* manager/logs/broker.h – brings what tasks print from the nodes to who asked for it: SwarmKit's LogBroker and Logs.
 *
 * Who reads subscribes; each node that has a task of the subscription is told, on the stream on which it listens, and publishes on a stream
 * of its own; that is handed to the reader, as fast as the reader takes it. Nothing is kept here but one message of each publication.
 *
 * Pure: a part of the leader's work (manager/part.h); manager/logs/service.h brings it onto gRPC. Source: swarmkit-wire §4.5. */
#ifndef SKEP_MANAGER_LOGS_BROKER_H
#define SKEP_MANAGER_LOGS_BROKER_H

#include "manager/part.h"
#include "proto/swarmkit/logbroker.pb-c.h"

struct log_broker;
struct log_subscription;
struct log_listener;
struct log_publication;

struct log_broker *log_broker_new(const struct part_host *host); /* borrowed */

/* Its free() ends every reader and listener with ERR_UNAVAILABLE; what is published afterwards is refused by who owns the calls. */
struct part log_broker_part(struct log_broker *broker);

/* --- who reads --- */

struct log_reader {
    /* ERR_AGAIN: no room, nothing is taken; tell log_subscription_writable() when there is. Any other failure ends the subscription. */
    int (*deliver)(void *ctx, const Docker__Swarmkit__V1__SubscribeLogsMessage *message, struct error *err);
    /* The last word. NULL: everything was said. ERR_PEER: not everything; the message names what is missing. Never inside a call of this
     * header but the part's. */
    void (*end)(void *ctx, const struct error *err);
    void *ctx;
};

/* @out until end() or close. ERR_INVALID: no selector, or an empty one; ERR_LIMIT: beyond LOG_SELECTOR_COUNT ids or
 * LOG_BROKER_SUBSCRIPTIONS_COUNT subscriptions. */
int log_broker_subscribe(struct log_broker *broker, const Docker__Swarmkit__V1__SubscribeLogsRequest *request,
                         const struct log_reader *reader, struct log_subscription **out, struct error *err);
void log_subscription_writable(struct log_subscription *subscription);
void log_subscription_close(struct log_subscription *subscription); /* the reader went: the nodes are told to stop */

/* --- nodes that listen: ListenSubscriptions --- */

struct log_ear {
    void (*tell)(void *ctx, const Docker__Swarmkit__V1__SubscriptionMessage *message);
    void (*end)(void *ctx, const struct error *err); /* the part ends */
    void *ctx;
};
struct log_listener *log_broker_listen(struct log_broker *broker, const char *node_id, const struct log_ear *ear);
void log_listener_close(struct log_listener *listener); /* its stream is over */

/* --- nodes that publish: PublishLogs --- */

/* One message of a stream; *publication is NULL at its first. @resume(ctx) is for ERR_AGAIN: the message is taken, and the next one has to
 * wait until it is called. ERR_INVALID, ERR_NOT_FOUND, ERR_PERMISSION end the stream, in SwarmKit's words. */
int log_broker_publish(struct log_broker *broker, const char *node_id, const Docker__Swarmkit__V1__PublishLogsMessage *message,
                       void (*resume)(void *ctx), void *ctx, struct log_publication **publication, struct error *err);
void log_publication_end(struct log_publication *publication); /* the stream is over, as it should or not */

#endif
