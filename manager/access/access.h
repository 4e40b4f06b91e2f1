/* manager/access/access.h – who calls, and whether they may. Pure.
 *
 * A caller is who its certificate says, or, where another manager passes a call on, who that manager says. Anyone may claim to pass a call
 * on, so the claim counts only from a manager of this cluster. Refusals have SwarmKit's words: agents act on some of them.
 *
 * Source: swarmkit-wire §1.5, §1.6. */
#ifndef SKEP_MANAGER_ACCESS_ACCESS_H
#define SKEP_MANAGER_ACCESS_ACCESS_H

#include "base/error.h"
#include "proto/grpc/grpc.h"
#include "proto/tls/tls.h"

#define ACCESS_WORKER_UNIT  "swarm-worker"
#define ACCESS_MANAGER_UNIT "swarm-manager"

struct access_rules {
    const char *cluster_id;
    bool (*was_removed)(void *ctx, const char *node_id); /* the cluster's list of certificates that count no more */
    void *ctx;
};

/* A call as it arrived. Borrowed. */
struct access_call {
    enum method_callers callers;                                         /* who may call the method */
    const struct tls_identity *peer;                                     /* NULL: no certificate */
    const char *peer_address;                                            /* "10.0.0.7:53186" */
    const char *(*metadata)(void *self, const char *name, size_t index); /* NULL: no such */
    void *self;
};

/* Texts are the call's. */
struct access_caller {
    const char *node_id, *cluster_id; /* "": without a certificate */
    const char *address;              /* where the node itself was seen to call from */
    bool is_manager, is_forwarded;
};

/* ERR_PERMISSION. A method that anyone may call takes a caller without a certificate too, or with any of this cluster; what a certificate
 * of elsewhere says is not believed: it is as none. */
int access_check(const struct access_rules *rules, const struct access_call *call, struct access_caller *out, struct error *err);

/* The metadata that a follower adds when it passes a call on. Borrowed from the caller. */
#define ACCESS_FORWARD_MOST 8
size_t access_forward_metadata(const struct access_call *call, const struct access_caller *caller,
                               struct grpc_metadatum out[ACCESS_FORWARD_MOST]);

/* ERR_LIMIT: it was passed on once already: leadership moved meanwhile, the caller tries again. */
int access_may_forward(const struct access_call *call, struct error *err);

#endif
