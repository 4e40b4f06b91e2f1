/* manager/ca/issue.h – NodeCA: what a request for a certificate makes of a node, what its sender is told, and which nodes are signed.
 *
 * Pure functions from node objects to node objects: whoever calls them holds the store. A request leaves a node PENDING (new, with a token)
 * or RENEW (known, by its certificate); the leader signs those and leaves them ISSUED or FAILED. The calls, their codes and words are
 * SwarmKit's (swarmkit-wire §2.4, §2.5). Nodes that come out are freed with message_free(). */
#ifndef SKEP_MANAGER_CA_ISSUE_H
#define SKEP_MANAGER_CA_ISSUE_H

#include <stdbool.h>

#include "base/random.h"
#include "manager/ca/sign.h"
#include "proto/swarmkit/ca.pb-c.h"
#include "proto/swarmkit/objects.pb-c.h"

/* The state of a node's certificate; UNKNOWN where it has none. */
Docker__Swarmkit__V1__IssuanceStatus__State ca_issue_state(const Docker__Swarmkit__V1__Node *node);
const char *ca_issue_why(const Docker__Swarmkit__V1__Node *node);                        /* it failed, or waits: "" where nobody said */
Docker__Swarmkit__V1__IssuanceStatus *ca_issue_status(Docker__Swarmkit__V1__Node *node); /* to be written: made where it is not there */

/* ---- IssueNodeCertificate ---- */

/* One that shows no certificate: the node, called @node_id, that its token admits to @cluster (NULL: there is none yet). ERR_INVALID for
 * the request, ERR_ABORTED before the cluster has its tokens, ERR_TOKEN. */
int ca_issue_admit(const Docker__Swarmkit__V1__Cluster *cluster, const Docker__Swarmkit__V1__IssueNodeCertificateRequest *request,
                   const char *node_id, Docker__Swarmkit__V1__Node **out, struct error *err);

/* One that proved by its certificate to be @node_id (manager/access/access.h), now @node (NULL: not in the cluster): it gets a certificate
 * for the role that it has, whatever it shall become. ERR_INVALID, ERR_NOT_FOUND. */
int ca_issue_renew(const Docker__Swarmkit__V1__Node *node, const char *node_id,
                   const Docker__Swarmkit__V1__IssueNodeCertificateRequest *request, Docker__Swarmkit__V1__Node **out, struct error *err);

/* What either is answered once the node is stored. @reply is initialised here and borrows from the node. */
void ca_issue_reply(const Docker__Swarmkit__V1__Node *node, Docker__Swarmkit__V1__IssueNodeCertificateResponse *reply);

/* ---- NodeCertificateStatus ---- */

/* Does @node answer the question, or is it to be held until the node changes? @node NULL: not in the cluster. When *is_answered, @reply is
 * initialised and borrows from the node. The state is final for whatever request the node has: askers compare the request (swarmkit-wire §9
 * trap 8); or the node goes on waiting, and its status tells what for: askers ask again. ERR_INVALID, ERR_NOT_FOUND. */
int ca_issue_answer(const Docker__Swarmkit__V1__NodeCertificateStatusRequest *request, Docker__Swarmkit__V1__Node *node, bool *is_answered,
                    Docker__Swarmkit__V1__NodeCertificateStatusResponse *reply, struct error *err);

/* ---- the leader's signing ---- */

/* Is the node to be signed now? RENEW always, PENDING once it is accepted. */
bool ca_issue_is_due(const Docker__Swarmkit__V1__Node *node);

/* The subject of the certificate that it waits for. Borrowed from both. ERR_INVALID for a role that is none. */
int ca_issue_subject(const Docker__Swarmkit__V1__Node *node, const char *cluster_id, struct ca_subject *out, struct error *err);

/* Sign a node that is due with our own key: the node as it is then, ISSUED, or FAILED with the reason where its request is at fault. */
int ca_issue_sign(const struct ca_signer *signer, const Docker__Swarmkit__V1__Node *node, const char *cluster_id, int64_t expiry_ns,
                  const struct random *random, int64_t wall_ns, Docker__Swarmkit__V1__Node **out, struct error *err);

/* An answer that took time: is @node, as it is now, still waiting for the certificate of @request_pem? If not, the answer is dropped. */
bool ca_issue_awaits(const Docker__Swarmkit__V1__Node *node, struct bytes request_pem);
Docker__Swarmkit__V1__Node *ca_issue_signed(const Docker__Swarmkit__V1__Node *node, struct bytes chain_pem);
Docker__Swarmkit__V1__Node *ca_issue_failed(const Docker__Swarmkit__V1__Node *node, const char *why);
/* It goes on waiting, and why is told. */
Docker__Swarmkit__V1__Node *ca_issue_put_off(const Docker__Swarmkit__V1__Node *node, const char *why);

#endif
