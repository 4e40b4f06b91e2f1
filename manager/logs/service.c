/* manager/logs/service.c – see service.h. A call and what it has opened in the broker end together, whichever goes first. */
#include "manager/logs/service.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/mem.h"

struct served {
    struct served *prev, *next;
    struct log_service *service;
    struct grpc_call *call;
    char node_id[LOG_NODE_ID_SIZE_CHARS];
    struct log_subscription *subscription; /* of SubscribeLogs; NULL: none, or over */
    struct log_listener *listener;         /* of ListenSubscriptions */
    struct log_publication *publication;   /* of PublishLogs */
    bool has_ended;
};

struct log_service {
    struct log_service_options options;
    struct served *calls;
};

static void fail(struct served *served, const struct error *err)
{
    if (!served->has_ended)
        grpc_call_finish_error(served->call, err);
    served->has_ended = true;
}

static struct log_broker *broker_of(struct served *served)
{
    struct log_broker *broker = served->service->options.broker(served->service->options.ctx);
    struct error err;

    if (broker)
        return broker;
    error_set(&err, ERR_UNAVAILABLE, "log broker is stopped: this manager does not lead");
    fail(served, &err);
    return NULL;
}

/* --- SubscribeLogs --- */

static int deliver(void *ctx, const Docker__Swarmkit__V1__SubscribeLogsMessage *message, struct error *err)
{
    return grpc_call_send(((struct served *)ctx)->call, &message->base, err);
}

static void subscription_ended(void *ctx, const struct error *err)
{
    struct served *served = ctx;

    served->subscription = NULL;
    if (err)
        fail(served, err);
    else if (!served->has_ended)
        grpc_call_finish(served->call, GRPC_OK, NULL);
    served->has_ended = true;
}

static void on_subscribe(struct grpc_call *call, ProtobufCMessage *message, void *ctx)
{
    struct served *served = ctx;
    const struct log_reader reader = {.deliver = deliver, .end = subscription_ended, .ctx = served};
    struct log_broker *broker = broker_of(served);
    struct error err = {0};

    (void)call;
    if (broker && served->subscription == NULL &&
        log_broker_subscribe(broker, (const void *)message, &reader, &served->subscription, &err) < 0)
        fail(served, &err);
}

/* --- ListenSubscriptions --- */

/* A subscription that finds no room is one too many for the node: it starts anew, and hears of all of them. */
static void hear(void *ctx, const Docker__Swarmkit__V1__SubscriptionMessage *message)
{
    struct served *served = ctx;
    struct error err = {0};

    if (!served->has_ended && grpc_call_send(served->call, &message->base, &err) < 0)
        fail(served, &err);
}

static void listener_ended(void *ctx, const struct error *err)
{
    struct served *served = ctx;

    log_listener_close(served->listener);
    served->listener = NULL;
    fail(served, err);
}

static void on_listen(struct grpc_call *call, ProtobufCMessage *message, void *ctx)
{
    struct served *served = ctx;
    const struct log_ear ear = {.tell = hear, .end = listener_ended, .ctx = served};
    struct log_broker *broker = broker_of(served);

    (void)call;
    (void)message;
    if (broker && served->listener == NULL)
        served->listener = log_broker_listen(broker, served->node_id, &ear);
}

/* --- PublishLogs --- */

static void resume(void *ctx)
{
    struct served *served = ctx;
    grpc_call_pause(served->call, false);
}

static void on_publish(struct grpc_call *call, ProtobufCMessage *message, void *ctx)
{
    struct served *served = ctx;
    struct log_broker *broker = served->has_ended ? NULL : broker_of(served);
    struct error err = {0};

    if (broker == NULL)
        return;
    int failed = log_broker_publish(broker, served->node_id, (const void *)message, resume, served, &served->publication, &err);
    if (failed == ERR_AGAIN)
        grpc_call_pause(call, true);
    else if (failed < 0)
        fail(served, &err);
}

static void on_published(struct grpc_call *call, void *ctx)
{
    Docker__Swarmkit__V1__PublishLogsResponse reply = DOCKER__SWARMKIT__V1__PUBLISH_LOGS_RESPONSE__INIT;
    struct served *served = ctx;

    if (!served->has_ended)
        grpc_call_reply(call, &reply.base);
    served->has_ended = true;
}

/* --- calls --- */

static void on_message(struct grpc_call *call, ProtobufCMessage *message, void *ctx)
{
    if (grpc_call_method(call) == METHOD(Logs, SubscribeLogs))
        on_subscribe(call, message, ctx);
    else if (grpc_call_method(call) == METHOD(LogBroker, ListenSubscriptions))
        on_listen(call, message, ctx);
    else
        on_publish(call, message, ctx);
}

static void on_half_closed(struct grpc_call *call, void *ctx)
{
    if (grpc_call_method(call) == METHOD(LogBroker, PublishLogs))
        on_published(call, ctx);
}

static void on_writable(struct grpc_call *call, void *ctx)
{
    struct served *served = ctx;

    (void)call;
    if (served->subscription)
        log_subscription_writable(served->subscription);
}

static void on_done(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    struct served *served = ctx;

    (void)call;
    (void)status;
    if (served->subscription)
        log_subscription_close(served->subscription);
    if (served->listener)
        log_listener_close(served->listener);
    if (served->publication)
        log_publication_end(served->publication);
    DL_DELETE(served->service->calls, served);
    free(served);
}

static void on_call(struct grpc_call *call, void *ctx)
{
    static const struct grpc_call_handlers handlers = {
        .on_message = on_message, .on_half_closed = on_half_closed, .on_writable = on_writable, .on_done = on_done};
    struct log_service *service = ctx;
    char node_id[LOG_NODE_ID_SIZE_CHARS] = "";

    if (!service->options.identify(service->options.ctx, call, node_id))
        return;
    struct served *served = mem_alloc(sizeof *served);
    served->service = service;
    served->call = call;
    memcpy(served->node_id, node_id, sizeof node_id);
    DL_APPEND(service->calls, served);
    grpc_call_accept(call, &handlers, served);
}

/* --- life --- */

struct log_service *log_service_new(const struct log_service_options *options)
{
    struct log_service *service = mem_alloc(sizeof *service);

    service->options = *options;
    return service;
}

void log_service_attach(struct log_service *service, struct grpc_server *server)
{
    grpc_server_handle(server, METHOD(Logs, SubscribeLogs), on_call, service);
    grpc_server_handle(server, METHOD(LogBroker, ListenSubscriptions), on_call, service);
    grpc_server_handle(server, METHOD(LogBroker, PublishLogs), on_call, service);
}

void log_service_release(struct log_service *service)
{
    struct served *served, *next;
    struct error why;

    if (service == NULL)
        return;
    error_set(&why, ERR_UNAVAILABLE, "log broker is stopped: this manager does not lead any more");
    DL_FOREACH_SAFE (service->calls, served, next) {
        if (served->publication == NULL)
            continue;
        log_publication_end(served->publication);
        served->publication = NULL;
        fail(served, &why);
    }
}

void log_service_free(struct log_service *service)
{
    if (service == NULL)
        return;
    assert(service->calls == NULL);
    free(service);
}
