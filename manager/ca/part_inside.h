/* manager/ca/part_inside.h – the insides of the CA's part, shared by the files that are it: part.c (who is due, and when), part_sign.c
 * (with the cluster's own key), part_ask.c (by external CAs), part_rotate.c (a root rotation).
 *
 * A write outlives the part where it must: the log tells a writer whose entry is proposed when that is decided. */
#ifndef SKEP_MANAGER_CA_PART_INSIDE_H
#define SKEP_MANAGER_CA_PART_INSIDE_H

#include "base/encode.h"
#include "base/hash.h"
#include "manager/ca/part.h"
#include "manager/ca/sign.h"

#define ROOM "ca"

/* A node that waits for its certificate. */
struct ca_due {
    UT_hash_handle hh;
    enum ca_due_state { CA_DUE_READY, CA_DUE_BUSY, CA_DUE_WAITING } state; /* busy: someone of below has it */
    struct ca_due *prev, *next;                                            /* among the ready or the waiting, in order */
    uint64_t retry_ns;
    char id[];
};

struct ca_part {
    struct part_host host;
    struct ca_asker asker;
    struct store_watcher *watcher;
    bool is_listed;
    struct ca_due *dues; /* by id */
    struct ca_due *ready, *waiting;
    struct ca_signing *signing; /* the batch on its way; NULL: none */
    struct ca_asking *askings;  /* asked of external CAs, or on their way into the store */
    size_t asking_count;
    struct ca_rotating *rotating; /* a look on its way; NULL: none */
    uint64_t rotation_ns;         /* of the next look; PART_NEVER: no rotation goes on */
    struct ca_signer *signer;     /* made of the root that @signer_of tells; NULL: none yet */
    uint8_t signer_of[SHA256_SIZE_BYTES];
    uint64_t now_ns; /* of the last step */
};

/* --- part.c --- */

/* The cluster; NULL: there is none yet. */
const Docker__Swarmkit__V1__Cluster *ca_part_cluster(const struct ca_part *part);
const Docker__Swarmkit__V1__Cluster *ca_part_cluster_in(struct store_tx *tx);

/* Tells whether two states of root_ca sign alike: versions do not, as one may have been taken back. */
void ca_part_digest(const Docker__Swarmkit__V1__RootCA *root_ca, uint8_t out[SHA256_SIZE_BYTES]);

/* Does an external CA sign for @cluster? Its addresses, borrowed: as many as there are. */
size_t ca_part_urls(const struct ca_part *part, const Docker__Swarmkit__V1__Cluster *cluster, const char *urls[CA_EXTERNAL_COUNT]);

struct ca_due *ca_due_take(struct ca_part *part); /* the first that is ready: busy now; NULL: none */

/* What had it is done with it. @is_later: it waits before it is tried again; otherwise it is ready, or forgotten if it is not due any
 * more. */
void ca_due_settle(struct ca_part *part, struct ca_due *due, bool is_later);

void ca_part_tell(const struct ca_part *part, const char *id); /* the log: what has become of this node's request */

/* --- the others --- */

void ca_signing_pump(struct ca_part *part); /* begins a batch, if there is work and none is on its way */
void ca_signing_stop(struct ca_part *part);

void ca_asking_pump(struct ca_part *part, const Docker__Swarmkit__V1__Cluster *cluster); /* as many as may be asked at once */
void ca_asking_stop(struct ca_part *part);

void ca_rotating_pump(struct ca_part *part); /* begins a look, if it is time */
void ca_rotating_stop(struct ca_part *part);

#endif
