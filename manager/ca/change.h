/* manager/ca/change.h – UpdateCluster's part of the CA: from a cluster and the spec proposed for it to the cluster's next root_ca.
 *
 * What may be proposed in spec.ca_config (swarmkit-wire §2.6):
 *
 *     nothing of a signing CA                     all stays, a rotation under way included
 *     … and another force_rotate                  a rotation to a root made here
 *     the certificate and key of another root     a rotation to it, in place of one under way
 *     another certificate, an external CA of it   the same; the external CA signs
 *     the certificate of the present root         no rotation, one under way is canceled; its key is what is proposed, none included
 *     that of the root a rotation leads to        that rotation goes on, with the key that is proposed
 *
 * Whether an external CA can be reached, and what one that has the old root's key signs, cannot be known here: the change then wants it
 * done and is told. So: step, answer what it wants, step again, until it wants nothing. Between the steps others may change the cluster;
 * the result is for the version of it that was given. Pure but for the randomness of a key that is made. */
#ifndef SKEP_MANAGER_CA_CHANGE_H
#define SKEP_MANAGER_CA_CHANGE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/random.h"
#include "proto/swarmkit/objects.pb-c.h"

struct ca_change_options {
    const Docker__Swarmkit__V1__Cluster *cluster;  /* as it is; borrowed for as long as the change lives */
    const Docker__Swarmkit__V1__ClusterSpec *spec; /* as it shall be; borrowed likewise */
    bool rotates_worker_token, rotates_manager_token;
    int64_t wall_ns;
    struct random random;
};

enum ca_change_want {
    CA_CHANGE_WANTS_NOTHING,
    CA_CHANGE_WANTS_REACH,      /* a TLS handshake with any one of @urls, each tried for CA_EXTERNAL_TIMEOUT_MS: ca_change_reached() */
    CA_CHANGE_WANTS_CROSS_SIGN, /* POST @body to @urls in turn, take what ca_external_parse() gives: ca_change_cross_signed() */
};

/* Borrowed from the change, until the next step. */
struct ca_change_question {
    enum ca_change_want want;
    const char *urls[CA_EXTERNAL_COUNT];
    size_t url_count;
    struct bytes roots_pem; /* what the external CA's own certificate must come from */
    const char *body;
};

struct ca_change;
struct ca_change *ca_change_new(const struct ca_change_options *options);
void ca_change_free(struct ca_change *change);

/* Go on as far as is known. ERR_INVALID for what cannot be, with SwarmKit's words; ERR_CORRUPT for a cluster whose root cannot be read. */
int ca_change_step(struct ca_change *change, struct ca_change_question *question, struct error *err);
void ca_change_reached(struct ca_change *change, bool is_reached);
void ca_change_cross_signed(struct ca_change *change, struct bytes cert_pem); /* empty: none of them did */

/* After a step that wants nothing: the next root_ca. Taken by the caller; freed with message_wipe_free(). */
Docker__Swarmkit__V1__RootCA *ca_change_take(struct ca_change *change);

#endif
