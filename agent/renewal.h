/* agent/renewal.h – keeps the node's certificate alive: when to renew, in which order, and what to do when that fails.
 *
 * Pure, as agent/join.h. A renewal is due at a random minute between 50 % and 80 % of the validity; or RENEWAL_FORCED_MS after a manager
 * said ROTATE or wishes another role of us; or at once when the certificate is expired. Failures are repeated after 5 s … 1 h.
 *
 * A wish for the manager's role is followed where the managers are Skep's own. Where they are Docker's it forces no renewal, is told in the
 * log and in the node's status, and the node goes on working as a worker. When its regular renewal comes, that swarm gives it a manager's
 * certificate, which is taken: a worker may show one, and without it the node would die of the wish, as dockerd cannot demote who never
 * became a member of its Raft. Sources: swarmkit-wire §2.5, §2.6, §3.9. */
#ifndef SKEP_AGENT_RENEWAL_H
#define SKEP_AGENT_RENEWAL_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/join.h"
#include "base/random.h"
#include "base/state.h"
#include "proto/identity/certificate.h"

#define RENEWAL_STATES(X)                                                                                                                  \
    /*  state      shown to a person                        allowed next                                            deadline_ms */         \
    X(RESTING, "the certificate is valid", BIT(RENEWAL_MAKING_KEY), 0)                                                                     \
    X(MAKING_KEY, "making a key", BIT(RENEWAL_REQUESTING) | BIT(RENEWAL_BACKING_OFF), 0)                                                   \
    X(REQUESTING, "requesting a new certificate", BIT(RENEWAL_AWAITING) | BIT(RENEWAL_BACKING_OFF), JOIN_CALL_MS)                          \
    X(AWAITING, "waiting for the new certificate", BIT(RENEWAL_FETCHING_ROOT) | BIT(RENEWAL_STORING) | BIT(RENEWAL_BACKING_OFF),           \
      RENEWAL_AWAIT_MS)                                                                                                                    \
    X(FETCHING_ROOT, "fetching the new root CA", BIT(RENEWAL_STORING) | BIT(RENEWAL_BACKING_OFF), JOIN_CALL_MS)                            \
    X(STORING, "storing the new certificate", BIT(RENEWAL_RESTING) | BIT(RENEWAL_BACKING_OFF), 0)                                          \
    X(BACKING_OFF, "waiting before another try to renew", BIT(RENEWAL_MAKING_KEY), 0)

enum renewal_state {
#define X(state, shown, next, deadline) RENEWAL_##state,
    RENEWAL_STATES(X)
#undef X
};
extern const struct state_table renewal_table;

enum renewal_effect_kind {
    RENEWAL_DO_GO_ON,      /* nothing: what is under way goes on */
    RENEWAL_DO_WAIT,       /* nothing until wake_ns */
    RENEWAL_DO_MAKE_KEY,   /* answer KEY_MADE */
    RENEWAL_DO_REQUEST,    /* IssueNodeCertificate with our certificate, SNI swarm-manager: answer NODE_ID or CALL_FAILED */
    RENEWAL_DO_POLL,       /* NodeCertificateStatus of our node id: answer STATUS or CALL_FAILED */
    RENEWAL_DO_GET_ROOT,   /* GetRootCACertificate on the same verified connection: answer ROOT or CALL_FAILED */
    RENEWAL_DO_STORE,      /* identity_store(new_root_pem, new_chain_pem, key_pem), swap the credentials: answer STORED or SAVE_FAILED */
    RENEWAL_DO_STORE_ROOT, /* identity_store_root(new_root_pem), swap the credentials: answer ROOT_STORED; a failure is only logged */
};

struct renewal_effect {
    enum renewal_effect_kind kind;
    uint32_t timeout_ms; /* of a call */
    uint64_t wake_ns;    /* always: RENEWAL_EVENT_TIMER is due then */
};

enum renewal_event_kind {
    RENEWAL_EVENT_KEY_MADE, /* pem: the key; pem2: the request */
    RENEWAL_EVENT_NODE_ID,
    RENEWAL_EVENT_STATUS, /* status, pem: the chain; pem2: the request it answers; text: why it FAILED */
    RENEWAL_EVENT_ROOT,   /* pem */
    RENEWAL_EVENT_STORED,
    RENEWAL_EVENT_ROOT_STORED,
    RENEWAL_EVENT_SAVE_FAILED, /* error */
    RENEWAL_EVENT_CALL_FAILED, /* error */
    RENEWAL_EVENT_TIMER,
    RENEWAL_EVENT_TOLD, /* by a SessionMessage: role (the desired one), status, pem: RootCA, which may be empty */
};

struct renewal_event {
    enum renewal_event_kind kind;
    struct bytes pem, pem2;
    const char *text;
    int status;      /* enum issuance */
    int role;        /* enum certificate_role */
    bool may_manage; /* of TOLD: a wish for a manager's role is followed */
    const struct error *error;
    int64_t wall_ns; /* our clock, in every event: it may have been set meanwhile */
};

/* What the node's status shows. */
enum renewal_health {
    RENEWAL_HEALTHY,
    RENEWAL_LATE,    /* the last try failed; the next comes by itself */
    RENEWAL_REFUSED, /* expired, and the managers do not take it any more: a person must act, though tries go on every hour */
};

struct renewal {
    struct state_machine machine;
    struct buf root_pem, chain_pem; /* in use */
    struct certificate certificate;
    struct buf key_pem, request_pem, new_chain_pem, new_root_pem; /* being made */
    enum renewal_health health;
    struct error trouble;      /* behind LATE and REFUSED: what to tell a person; code 0 while healthy */
    bool is_promotion_refused; /* a manager wishes this node to be a manager */
    int64_t due_wall_ns;       /* the regular renewal */

    /* the rest is renewal.c's */
    struct random random;
    unsigned failures, polls;
    int told_status, told_role; /* -1: not told yet */
    bool is_waiting;            /* between two polls */
    uint64_t forced_at_ns;      /* UINT64_MAX: it is not forced */
    uint64_t wake_ns;           /* the end of the present call or wait */
};

/* @identity has a certificate; what is needed of it is copied. The first effect is WAIT or, where it is due, MAKE_KEY. ERR_CORRUPT. */
int renewal_start(struct renewal *renewal, const struct identity *identity, struct random random, uint64_t now_ns, int64_t wall_ns,
                  struct renewal_effect *out, struct error *err);

/* A certificate is asked for, or about to be because of what was told. Not while it waits before another try. */
bool renewal_is_busy(const struct renewal *renewal);

/* It never fails: what goes wrong is in health and trouble, and leads to another try. An answer that is not awaited is ignored. */
void renewal_step(struct renewal *renewal, const struct renewal_event *event, uint64_t now_ns, struct renewal_effect *out);
void renewal_deinit(struct renewal *renewal);

#endif
