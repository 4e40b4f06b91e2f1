/* manager/ca/asker.h – how questions come to external CAs: a table of functions, so that what asks them needs no loop and no process, and
 * runs in virtual time where another stands at the other end.
 *
 * manager/ca/external_call.h is the way of the daemon. */
#ifndef SKEP_MANAGER_CA_ASKER_H
#define SKEP_MANAGER_CA_ASKER_H

#include "manager/ca/external_job.h"

/* @err NULL: done, with the certificate (empty where only a reach was asked for; borrowed). ERR_PEER: an external CA refused; with any
 * other code another try may help. Comes once, never from inside of start(). */
typedef void (*ca_external_cb)(void *ctx, const struct error *err, struct bytes cert_pem);

/* Zeroed: there is no way to any external CA. */
struct ca_asker {
    /* Ask what @job says; the manager's papers in it are filled in by what is called, which needs nothing of @job afterwards. *call is good
     * for cancel() only, until @on_done. */
    int (*start)(void *self, const struct external_job *job, ca_external_cb on_done, void *ctx, void **call, struct error *err);
    void (*cancel)(void *self, void *call); /* @on_done is not called, not after it */
    void *self;
};

#endif
