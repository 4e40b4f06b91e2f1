/* agent/session_facts.h – what a SessionMessage tells a node: who it is to the cluster, who manages it, whom to trust.
 *
 * Pure: a message in, a checked view of it out. A message is always complete, never a delta. Source: swarmkit-wire §3.4. */
#ifndef SKEP_AGENT_SESSION_FACTS_H
#define SKEP_AGENT_SESSION_FACTS_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/remotes.h"
#include "base/buf.h"
#include "base/limits.h"

struct Docker__Swarmkit__V1__SessionMessage;
struct Docker__Swarmkit__V1__Node;

/* One network this node is attached to, for its load balancer. */
struct session_attachment {
    const char *network_id, *network_name;
    char *const *addresses; /* "10.0.0.3/24" */
    size_t address_count;
};

/* Strings are "" where not told and the message's own. */
struct session_facts {
    const char *session_id;
    const struct Docker__Swarmkit__V1__Node *node; /* the whole object; NULL: not told */
    const char *node_id, *node_addr;               /* the address as the manager sees it, without a port */
    int desired_role, role;                        /* NodeRole: 0 worker, 1 manager */
    int availability;                              /* NodeSpec.Availability: 0 active, 1 pause, 2 drain */
    int certificate_status;                        /* IssuanceStatus.State: 5 is ROTATE */
    struct session_attachment *attachments;
    size_t attachment_count;
    struct remote_told managers[MANAGERS_COUNT]; /* those with an address */
    size_t manager_count;
    bool is_skep;          /* the managers are Skep's own */
    struct bytes root_pem; /* to trust; empty: not told */
};

/* Look at @message, which is borrowed and must outlive the view. ERR_LIMIT for more than MANAGERS_COUNT managers. */
int session_facts_read(const struct Docker__Swarmkit__V1__SessionMessage *message, struct session_facts *out, struct error *err);
void session_facts_deinit(struct session_facts *facts);

/* The network keys that came along are of no use here: wipe them. */
void session_facts_wipe(struct Docker__Swarmkit__V1__SessionMessage *message);

const char *session_availability_text(int availability); /* "active", "pause", "drain"; "unknown" */
const char *session_role_text(int role);                 /* "worker", "manager"; "unknown" */

#endif
