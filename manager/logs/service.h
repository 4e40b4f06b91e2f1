/* manager/logs/service.h – the log broker on gRPC: LogBroker/ListenSubscriptions and PublishLogs for nodes, Logs/SubscribeLogs for
 * managers.
 *
 * Who calls, whether they may, and what is passed on to another leader is the owner's: it says whose call it is, or deals with it itself.
 */
#ifndef SKEP_MANAGER_LOGS_SERVICE_H
#define SKEP_MANAGER_LOGS_SERVICE_H

#include "manager/logs/broker.h"
#include "proto/grpc/grpc.h"

#define LOG_NODE_ID_SIZE_CHARS 65

struct log_service;

struct log_service_options {
    /* The leader's part; NULL while this manager does not lead: callers are told so. Asked for each call. */
    struct log_broker *(*broker)(void *ctx);
    /* False: the owner has dealt with the call, refused it or passed it on. */
    bool (*identify)(void *ctx, struct grpc_call *call, char node_id[LOG_NODE_ID_SIZE_CHARS]);
    void *ctx;
};

struct log_service *log_service_new(const struct log_service_options *options);
void log_service_attach(struct log_service *service, struct grpc_server *server);

/* This manager leads no more: nodes that publish are told so. Before the broker goes. NULL is fine. */
void log_service_release(struct log_service *service);

void log_service_free(struct log_service *service); /* every server it is attached to has stopped; NULL is fine */

#endif
