/* agent/join.h – brings a host into a swarm: from a token to a stored certificate.
 *
 * Pure: join_step() is told what happened and what time it is, and answers with the one thing to do next. It opens no socket, reads no
 * clock and writes no file; agent/join_driver.c does. Every phase has a deadline, each try of a call another; a failure reads
 * "join: <phase>: <whom>: <why>; <what to do>". Opening the session is agent/session's.
 *
 * Several managers are tried in turn: each once per round, JOIN_ROUNDS_COUNT rounds JOIN_RETRY_MS apart. What no other manager of the same
 * cluster would answer differently (the token is not accepted) ends the join at once.
 *
 * Progress is saved before each step that others can see: a join broken off goes on with the same key and node id. One gap remains by
 * nature of the protocol: when we die between the manager's making a node and our reading its id, the next try makes another node, and the
 * first stays in `docker node ls` as Down until it is removed. Source of the order of calls: swarmkit-wire §2.4. */
#ifndef SKEP_AGENT_JOIN_H
#define SKEP_AGENT_JOIN_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/identity.h"
#include "base/random.h"
#include "base/state.h"
#include "proto/identity/token.h"

/* Every phase may also start over at DIAL with the next manager, or end in FAILED. */
#define JOIN_AGAIN (BIT(JOIN_DIAL) | BIT(JOIN_FAILED))

#define JOIN_PHASES(X)                                                                                                                     \
    /*  phase       shown to a person                 allowed next                                             deadline_ms */              \
    X(READ_TOKEN, "reading the join token", BIT(JOIN_DIAL) | BIT(JOIN_FAILED), 0)                                                          \
    X(DIAL, "connecting to a manager", BIT(JOIN_FETCH_CA) | JOIN_AGAIN, JOIN_DIAL_MS)                                                      \
    X(FETCH_CA, "fetching the cluster's root CA", BIT(JOIN_MAKE_KEY) | BIT(JOIN_REQUEST) | BIT(JOIN_AWAIT) | JOIN_AGAIN, JOIN_CALL_MS)     \
    X(MAKE_KEY, "making a key", BIT(JOIN_REQUEST) | BIT(JOIN_FAILED), 0)                                                                   \
    X(REQUEST, "requesting a certificate", BIT(JOIN_AWAIT) | JOIN_AGAIN, JOIN_CALL_MS)                                                     \
    X(AWAIT, "waiting for the certificate", BIT(JOIN_VERIFY) | BIT(JOIN_REQUEST) | JOIN_AGAIN, JOIN_AWAIT_MS)                              \
    X(VERIFY, "verifying the certificate", BIT(JOIN_STORE) | BIT(JOIN_FAILED), 0)                                                          \
    X(STORE, "storing the node's identity", BIT(JOIN_JOINED) | BIT(JOIN_FAILED), 0)                                                        \
    X(JOINED, "joined", 0, 0)                                                                                                              \
    X(FAILED, "failed", 0, 0)

enum join_phase {
#define X(phase, shown, next, deadline) JOIN_##phase,
    JOIN_PHASES(X)
#undef X
};
extern const struct state_table join_table;

struct join_options {
    const char *token;          /* NULL: only go on with a join whose node id is known */
    const char *const *remotes; /* "host:port" or "host", at least one, at most MANAGERS_COUNT */
    size_t remote_count;
    bool can_manage; /* a manager's token is taken, where the managers are Skep's own */
    struct random random;
    const struct identity *identity; /* borrowed during join_start only: what is there already, and a join to go on with */
};

/* What the driver is to do. The data of an effect is in struct join, borrowed until the next step. */
enum join_effect_kind {
    JOIN_DO_GO_ON,    /* nothing: what is under way goes on */
    JOIN_DO_DIAL,     /* TCP and TLS to addr, no SNI, nothing verified: answer CONNECTED or CALL_FAILED */
    JOIN_DO_GET_ROOT, /* GetRootCACertificate there: answer ROOT or CALL_FAILED */
    JOIN_DO_MAKE_KEY, /* answer KEY_MADE */
    JOIN_DO_SAVE,     /* identity_store_join(join->progress): answer SAVED or SAVE_FAILED */
    JOIN_DO_REQUEST,  /* IssueNodeCertificate, SNI swarm-ca, verified under progress.root_pem: answer NODE_ID or CALL_FAILED */
    JOIN_DO_POLL,     /* NodeCertificateStatus of progress.node_id: answer STATUS or CALL_FAILED */
    JOIN_DO_STORE,    /* identity_store(progress.root_pem, chain_pem, progress.key_pem): answer STORED or SAVE_FAILED */
    JOIN_DO_WAIT,     /* nothing until wake_ns */
    JOIN_DO_FINISH,   /* joined */
};

struct join_effect {
    enum join_effect_kind kind;
    const char *addr;    /* of DIAL, GET_ROOT, REQUEST and POLL */
    uint32_t timeout_ms; /* of the same */
    uint64_t wake_ns;    /* always: a JOIN_EVENT_TIMER is due then, whatever else is under way */
};

enum join_event_kind {
    JOIN_EVENT_CONNECTED,
    JOIN_EVENT_ROOT,     /* pem */
    JOIN_EVENT_KEY_MADE, /* pem: the key; pem2: the request */
    JOIN_EVENT_SAVED,
    JOIN_EVENT_SAVE_FAILED, /* error */
    JOIN_EVENT_NODE_ID,     /* text */
    JOIN_EVENT_STATUS,      /* status, role, pem: the chain; pem2: the request it answers; text: the manager's words when it FAILED */
    JOIN_EVENT_STORED,
    JOIN_EVENT_CALL_FAILED, /* error; grpc_status when the peer answered, else -1 */
    JOIN_EVENT_TIMER,
};

/* SwarmKit's numbers of IssuanceStatus.State. */
enum issuance { ISSUANCE_UNKNOWN, ISSUANCE_RENEW, ISSUANCE_PENDING, ISSUANCE_ISSUED, ISSUANCE_FAILED, ISSUANCE_ROTATE };

struct join_event {
    enum join_event_kind kind;
    struct bytes pem, pem2;
    const char *text;
    int status;   /* enum issuance */
    int role;     /* enum certificate_role */
    bool is_skep; /* of STATUS: the managers are Skep's own */
    int grpc_status;
    const struct error *error;
    int64_t wall_ns; /* our clock, for judging certificates */
};

struct join {
    struct state_machine machine;
    struct token token;
    bool has_token, can_manage;
    struct identity_join progress;
    struct buf chain_pem;         /* from VERIFY on */
    enum join_phase failed_phase; /* in FAILED: where it was */
    struct error last;            /* why the last try failed, while it is being repeated or another manager is tried; code 0: none did */

    /* the rest is join.c's */
    struct random random;
    struct join_remote {
        char *addr;
        bool is_hopeless; /* another try would end the same way */
    } * remotes;
    size_t remote_count, remote_index;
    unsigned rounds, polls;
    bool is_waiting;       /* between two tries, until wake_ns */
    bool has_lost_node_id; /* the manager did not know it any more: once is enough */
    uint64_t wake_ns;      /* the end of the present call or wait */
};

/* Check the token and what is there already, and answer with the first thing to do. ERR_TOKEN, ERR_UNSUPPORTED, ERR_INVALID (an address),
 * ERR_EXISTS (in a swarm already), ERR_PRECONDITION (nothing to go on with), ERR_LIMIT (too many addresses). join_deinit() in any case. */
int join_start(struct join *join, const struct join_options *options, uint64_t now_ns, struct join_effect *out, struct error *err);

/* Advance by one event. Returns 0 and fills @out; a call that is still under way when the next effect is another call is given up. On
 * failure the machine is in FAILED, and join->failed_phase tells where it was.
 * ERR_TOKEN (not accepted), ERR_TRUST (another cluster, another CA, a clock that is off), ERR_DEADLINE, ERR_UNAVAILABLE, ERR_PEER,
 * ERR_UNSUPPORTED (a manager's token where none can_manage), ERR_IO, ERR_NO_SPACE, ERR_PERMISSION. */
int join_step(struct join *join, const struct join_event *event, uint64_t now_ns, struct join_effect *out, struct error *err);
void join_deinit(struct join *join);

#endif
