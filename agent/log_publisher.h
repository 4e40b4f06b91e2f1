/* agent/log_publisher.h – answers the managers' log subscriptions: for each one that arrives it reads the logs of the tasks it selects and
 * publishes them on one client stream, to its end.
 *
 * No loop, no socket: it pulls from a struct log_source and pushes into a struct log_sink; its owner calls log_publisher_pump() when asked
 * to. Each pump does a bounded piece of work, so that heartbeats keep their time, and stops where the sink is full.
 * Source: swarmkit-wire §4.5. */
#ifndef SKEP_AGENT_LOG_PUBLISHER_H
#define SKEP_AGENT_LOG_PUBLISHER_H

#include "agent/log_source.h"
#include "base/error.h"

struct Docker__Swarmkit__V1__SubscriptionMessage;

struct log_publisher;

/* One LogBroker/PublishLogs call per subscription. */
struct log_sink {
    /* Begin a call. @publication goes back into log_publisher_writable() and _ended(). */
    int (*open)(void *self, void *publication, void **stream, struct error *err);
    bool (*send)(void *self, void *stream, struct bytes message); /* queued in any case; false: no more until log_publisher_writable() */
    void (*finish)(void *self, void *stream);                     /* END_STREAM; _ended() follows */
    void (*cancel)(void *self, void *stream);                     /* nothing follows */
    void *self;
};

struct log_publisher_options {
    struct log_source source;     /* copied */
    struct log_sink sink;         /* copied */
    const char *node_id;          /* copied */
    void (*want_pump)(void *ctx); /* there is work: call log_publisher_pump() from the loop soon; may be called often */
    void *ctx;
};

struct log_publisher *log_publisher_new(const struct log_publisher_options *options);
void log_publisher_free(struct log_publisher *publisher);

/* A message of ListenSubscriptions: a new subscription, or the end of one that is followed. ERR_LIMIT beyond LOG_SUBSCRIPTIONS_COUNT or
 * LOG_SELECTOR_COUNT, ERR_INVALID without an id; that subscription is then not served, the others go on. */
int log_publisher_subscription(struct log_publisher *publisher, const struct Docker__Swarmkit__V1__SubscriptionMessage *message,
                               struct error *err);

/* A task's log can be read from now on: followed subscriptions that select it take it up. */
void log_publisher_task_started(struct log_publisher *publisher, const struct log_task *task);

/* The task left this node: once its log has been read to the end, nothing is kept of it. */
void log_publisher_task_forgotten(struct log_publisher *publisher, const char *task_id);

bool log_publisher_pump(struct log_publisher *publisher); /* true: there is more to do right now */

void log_publisher_writable(struct log_publisher *publisher, void *publication);
void log_publisher_ended(struct log_publisher *publisher, void *publication, int grpc_status, const char *grpc_message);
void log_publisher_session_down(struct log_publisher *publisher); /* every subscription ends with its session */

struct log_publisher_stats {
    uint64_t subscriptions, entries, bytes, failures;
};
const struct log_publisher_stats *log_publisher_stats(const struct log_publisher *publisher);
size_t log_publisher_active_count(const struct log_publisher *publisher);

#endif
