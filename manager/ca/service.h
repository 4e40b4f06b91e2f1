/* manager/ca/service.h – the CA on gRPC: CA/GetRootCACertificate, CA/GetUnlockKey, NodeCA/IssueNodeCertificate,
 * NodeCA/NodeCertificateStatus.
 *
 * It reads the store and writes requests into it; what signs them is the leader's part (manager/ca/part.h). Who calls, whether they may,
 * and what is passed on to another leader is the owner's: it says whose call it is, or deals with it itself. A certificate of this cluster
 * renews, also where a token comes with it; without one a token admits a new node, under an id that is made here.
 *
 * NodeCertificateStatus is held until the node's certificate is issued, refused or to be renewed: agents ask for five seconds at a time.
 *
 * Source: swarmkit-wire §2.4, §2.5. */
#ifndef SKEP_MANAGER_CA_SERVICE_H
#define SKEP_MANAGER_CA_SERVICE_H

#include "base/random.h"
#include "manager/store/store.h"
#include "proto/grpc/grpc.h"

#define CA_NAME_SIZE_CHARS 65 /* a certificate's names take 64 */

struct ca_service;

/* Whose call it is, by a certificate that was checked; "" for one without. */
struct ca_service_identity {
    char node_id[CA_NAME_SIZE_CHARS];
    char cluster_id[CA_NAME_SIZE_CHARS];
};

struct ca_service_options {
    struct random random; /* for the ids of new nodes */
    /* NULL while this manager does not lead: callers are told "CA signer is stopped". Asked for each call. */
    struct store *(*store)(void *ctx);
    /* False: the owner has dealt with the call, refused it or passed it on. */
    bool (*identify)(void *ctx, struct grpc_call *call, struct ca_service_identity *out);
    void *ctx;
};

struct ca_service *ca_service_new(const struct ca_service_options *options);
void ca_service_attach(struct ca_service *service, struct grpc_server *server); /* handles its methods there; to any number */

/* This manager leads no more: those held are told so, and ask another. Before the store goes; NULL is fine. */
void ca_service_release(struct ca_service *service);

/* Every server it is attached to has stopped. */
void ca_service_free(struct ca_service *service);

#endif
