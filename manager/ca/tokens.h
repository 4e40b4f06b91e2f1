/* manager/ca/tokens.h – the cluster's two join tokens: making them, and which role one gives. The text itself: proto/identity/token.h.
 *
 * A token is a secret and is compared whole, in time that does not tell how much of it was right (swarmkit-wire §2.2). */
#ifndef SKEP_MANAGER_CA_TOKENS_H
#define SKEP_MANAGER_CA_TOKENS_H

#include <stdbool.h>

#include "base/random.h"
#include "proto/identity/certificate.h"
#include "proto/swarmkit/types.pb-c.h"

/* Give @root_ca new tokens for its ca_cert: that of the old root while a rotation goes on. What is not asked for stays. */
void ca_tokens_make(Docker__Swarmkit__V1__RootCA *root_ca, bool for_workers, bool for_managers, bool is_fips, const struct random *random);

/* The role that @text gives its bearer. False: none. Both may be NULL or empty, which give none. */
bool ca_tokens_role(const Docker__Swarmkit__V1__JoinTokens *tokens, const char *text, enum certificate_role *role);

#endif
