/* agent/renewal_driver.h – carries out what agent/renewal.h decides: calls the managers' CA, writes the identity, swaps the credentials. */
#ifndef SKEP_AGENT_RENEWAL_DRIVER_H
#define SKEP_AGENT_RENEWAL_DRIVER_H

#include <uv.h>

#include "agent/identity.h"
#include "agent/renewal.h"
#include "base/clock.h"

struct grpc_channel;
struct renewal_driver;
struct tls_credentials;

struct renewal_driver_options {
    uv_loop_t *loop;
    struct clock clock;
    struct random random;
    struct identity *identity;           /* borrowed; has a certificate */
    struct tls_credentials *credentials; /* borrowed: the holder whose contents new connections use */

    /* The session's channel to its manager (mTLS, swarm-manager), borrowed for one call; NULL when there is none: then a manager of
     * identity->remotes is dialled. */
    struct grpc_channel *(*channel)(void *ctx);
    /* Certificate or root were replaced and the credentials swapped: the session re-registers with the new tls_info. */
    void (*on_replaced)(void *ctx);
    /* The health or its message changed: for the node's status. */
    void (*on_health)(void *ctx, enum renewal_health health, const struct error *trouble);
    void *ctx;
};

int renewal_driver_start(const struct renewal_driver_options *options, struct renewal_driver **out, struct error *err);
void renewal_driver_free(struct renewal_driver *driver); /* no callback afterwards */

/* What each SessionMessage says about us. @may_manage: a wish for a manager's role is followed. @root_pem may be empty. It may call
 * on_replaced and on_health before it returns. */
void renewal_driver_told(struct renewal_driver *driver, int desired_role, bool may_manage, int certificate_status, struct bytes root_pem);

/* A certificate is asked for, or is about to be because of what was told: the next may be of another role. */
bool renewal_driver_is_busy(const struct renewal_driver *driver);

bool renewal_driver_promotion_refused(const struct renewal_driver *driver); /* for the node's status */

#endif
