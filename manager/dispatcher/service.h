/* manager/dispatcher/service.h – the dispatcher on gRPC: Dispatcher/Session, Heartbeat, UpdateTaskStatus and Assignments.
 *
 * Who calls, whether they may, and what is passed on to another leader is the owner's: it says who a call is of, or deals with it itself.
 * Tasks and UpdateVolumeStatus are not served: a server answers them UNIMPLEMENTED, as 20.10 does the second. */
#ifndef SKEP_MANAGER_DISPATCHER_SERVICE_H
#define SKEP_MANAGER_DISPATCHER_SERVICE_H

#include "manager/dispatcher/dispatcher.h"
#include "proto/grpc/grpc.h"

#define DISPATCHER_NODE_ID_SIZE_CHARS 65 /* ids are 25 long; a certificate's name takes 64 */

struct dispatcher_service;

/* Whose call it is. @address: where the node was seen to call from, with or without a port; "": the other end of the connection. */
struct dispatcher_identity {
    char node_id[DISPATCHER_NODE_ID_SIZE_CHARS];
    char address[GRPC_ADDRESS_SIZE_CHARS];
};

struct dispatcher_service_options {
    struct clock clock; /* whose monotonic time the part is stepped by */
    /* The leader's part; NULL while this manager does not lead: callers are told "dispatcher is stopped". Asked for each call. */
    struct dispatcher *(*dispatcher)(void *ctx);
    /* False: the owner has dealt with the call, refused it or passed it on. */
    bool (*identify)(void *ctx, struct grpc_call *call, struct dispatcher_identity *out);
    void *ctx;
};

struct dispatcher_service *dispatcher_service_new(const struct dispatcher_service_options *options);
void dispatcher_service_attach(struct dispatcher_service *service,
                               struct grpc_server *server); /* handles its methods there; to any number */

/* Every server it is attached to has stopped. */
void dispatcher_service_free(struct dispatcher_service *service);

#endif
