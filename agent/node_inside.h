/* agent/node_inside.h – the node's insides, shared by the files that are it: node.c (its life), node_parts.c (what it is made of, and who
 * hears what from whom), node_info.c (what it tells of itself). */
#ifndef SKEP_AGENT_NODE_INSIDE_H
#define SKEP_AGENT_NODE_INSIDE_H

#include "agent/description.h"
#include "agent/identity.h"
#include "agent/join_driver.h"
#include "agent/log_source_hcs.h"
#include "agent/node.h"
#include "agent/renewal_driver.h"
#include "agent/session_driver.h"
#include "agent/worker.h"
#include "base/state.h"

/* OPENING ends with its own timer: the join is then told that the node is in and goes on trying. LEAVING ends with the worker's
 * (WORKER_LEAVE_MS). */
#define NODE_LIFE(X)                                                                                                                       \
    X(OUTSIDE, "in no swarm", BIT(LIFE_JOINING) | BIT(LIFE_OPENING), 0)                                                                    \
    X(JOINING, "joining a swarm", BIT(LIFE_OUTSIDE) | BIT(LIFE_OPENING), 0)                                                                \
    X(OPENING, "opening a session", BIT(LIFE_INSIDE) | BIT(LIFE_LEAVING), NODE_OPEN_MS)                                                    \
    X(INSIDE, "in a swarm", BIT(LIFE_LEAVING), 0)                                                                                          \
    X(LEAVING, "leaving the swarm", BIT(LIFE_OUTSIDE) | BIT(LIFE_OPENING), 0)

enum life {
#define X(name, shown, next, deadline) LIFE_##name,
    NODE_LIFE(X)
#undef X
};

struct node {
    struct node_options options; /* with copies of its strings */
    struct state_machine life;
    struct host_facts host;
    struct identity *identity;
    struct tls_credentials *credentials;
    /* alive while in a swarm */
    struct worker *worker;
    struct session_driver *session;
    struct renewal_driver *renewal;
    struct log_source_hcs *logs;
    /* alive while joining */
    struct join_driver *join;
    uv_timer_t timer; /* OPENING: its deadline; OUTSIDE: the next try, where it should be inside */
    unsigned retries;
    bool is_locked;             /* OUTSIDE, and waits for node_unlock() */
    bool is_resumed;            /* the join goes on by itself: nobody gave a token */
    struct error outside_error; /* why it is not inside; code 0: nothing is tried */
    /* who waits for a join or a leave; NULL callbacks: nobody */
    node_phase_cb on_phase;
    node_done_cb on_joined;
    void *join_ctx;
    node_done_cb on_left;
    void *leave_ctx;
    bool is_leave_forced;
    /* as last heard */
    enum session_state session_state;
    struct error session_error, renewal_trouble;
    enum renewal_health renewal_health;
    char *addr;
    int availability;
    bool has_skep_managers, is_to_be_manager;
    struct node_manager *managers; /* for node_info: rebuilt at each call */
    bool is_freed, is_worker_closing;
    void (*on_freed)(void *ctx);
    void *freed_ctx;
};

/* node_parts.c: open what lives while the node is in a swarm, from the identity; tasks first. The session is not started yet. */
int node_open_parts(struct node *node, struct error *err);
int node_open_tasks(struct node *node, struct error *err); /* of these only what it takes to remove them: no key is needed */
void node_close_connections(struct node *node);            /* join, renewal, session, logs; the worker stays */

/* node.c: the session was taken by a manager. */
void node_registered(struct node *node);
void node_identity_changed(struct node *node);

#endif
