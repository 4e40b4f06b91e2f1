/* manager/ca/authority.h – what control asks of the certificate authority (struct control_authority): the next root_ca of a cluster that is
 * updated, its unlock keys, and when a certificate expires.
 *
 * A change is decided in manager/ca/change.h; what it wants done outside – reach an external CA, have it sign the next root – is done here.
 * Each UpdateCluster has a change of its own; which of them is written is decided by the version of the cluster that each was made for. */
#ifndef SKEP_MANAGER_CA_AUTHORITY_H
#define SKEP_MANAGER_CA_AUTHORITY_H

#include "manager/ca/asker.h"
#include "manager/control/control.h"

struct ca_authority;

struct ca_authority_options {
    struct clock clock;
    struct random random;
    struct ca_asker asker; /* zeroed: no external CA can be reached, and changes that need one are refused */
};

struct ca_authority *ca_authority_new(const struct ca_authority_options *options);
struct control_authority ca_authority_control(struct ca_authority *authority); /* for control_options.authority; @authority borrowed */

/* Every change under way ends with @why. Before store_fail() and control_free(), when this manager leads no more. */
void ca_authority_end(struct ca_authority *authority, const struct error *why);

/* No change is under way; control is gone, or asks no more. NULL is fine. */
void ca_authority_free(struct ca_authority *authority);

#endif
