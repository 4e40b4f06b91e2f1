/* manager/membership/membership.h – who the managers are: how one joins the quorum and how it leaves it. The leader's side of
 * RaftMembership, the Health service that it relies on, and the joiner's side.
 *
 * A leader takes nobody in whom it cannot call back: a member that the others cannot reach would count against the quorum from its first
 * moment. And it lets nobody go whose going could leave too few that are reachable.
 *
 * Source: swarmkit-wire §1.4 (Health), §6.2, §6.6. */
#ifndef SKEP_MANAGER_MEMBERSHIP_MEMBERSHIP_H
#define SKEP_MANAGER_MEMBERSHIP_MEMBERSHIP_H

#include "manager/replica/replica.h"
#include "proto/swarmkit/raft.pb-c.h"

struct membership;

struct membership_options {
    uv_loop_t *loop;
    struct clock clock;
    struct random random;
    struct replica *replica;
    struct tls_credentials *credentials; /* borrowed */
};

struct membership *membership_new(const struct membership_options *options);
void membership_free(struct membership *membership); /* who waits is told ERR_CANCELED; NULL is fine */

/* @err NULL: @response is borrowed. Called once, on the loop, never inside. Codes as SwarmKit's: see the .c. */
typedef void membership_joined_fn(void *ctx, const Docker__Swarmkit__V1__JoinResponse *response, const struct error *err);

/* @node_id: who asks, by its certificate. @address: what it wants to be reached at, "host:port"; a host that means any is replaced by that
 * of
 * @seen_at, "host:port" where it called from. All copied. */
void membership_join(struct membership *membership, const char *node_id, const char *address, const char *seen_at, membership_joined_fn *fn,
                     void *ctx);

/* Take a member out. The leader cannot take itself out: it hands over first. @fn as raft_node_remove_member(). ERR_PRECONDITION: too few
 * would be left, with who cannot be reached; ERR_NOT_FOUND; ERR_AGAIN: leadership is being handed over, the next leader is to be asked. */
int membership_leave(struct membership *membership, uint64_t raft_id, raft_proposed_fn fn, void *ctx, struct error *err);

/* Could @raft_id go? As membership_leave(), without doing it. @text: node ids of members that cannot be reached, for a message. */
int membership_may_leave(struct membership *membership, uint64_t raft_id, struct error *err);

/* Health/Check as a manager answers it: "Raft" once it serves, "" always, anything else is not known. */
void membership_serve_health(struct grpc_server *server, const bool *is_serving); /* borrowed as long as the server lives */

/* --- the joiner --- */

struct membership_join_options {
    uv_loop_t *loop;
    struct clock clock;
    struct random random;
    struct tls_credentials *credentials; /* borrowed; a manager's */
    const char *manager;                 /* whom to ask, "host:port" */
    const char *address;                 /* own, as above */
};

/* What raft_node_open() needs: @raft_id and @members (borrowed). One attempt, within SwarmKit's 25 s; the caller's server answers Health
 * meanwhile. Called once, on the loop. */
typedef void membership_admitted_fn(void *ctx, uint64_t raft_id, const struct raft_member *members, size_t count, const struct error *err);
struct membership_asking;
int membership_ask_to_join(const struct membership_join_options *options, membership_admitted_fn *fn, void *ctx,
                           struct membership_asking **out, struct error *err);
void membership_ask_cancel(struct membership_asking *asking); /* @fn is not called; NULL is fine, not after @fn */

#endif
