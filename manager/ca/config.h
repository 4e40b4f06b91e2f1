/* manager/ca/config.h – what a cluster's spec says of its CA: for how long certificates are good, and which external CAs sign.
 *
 * Numbers and words are SwarmKit's (swarmkit-wire §2.3, §2.6, §6.9). */
#ifndef SKEP_MANAGER_CA_CONFIG_H
#define SKEP_MANAGER_CA_CONFIG_H

#include <stdint.h>

#include "base/buf.h"
#include "proto/swarmkit/types.pb-c.h"

#define CA_EXPIRY_DEFAULT_S 7776000 /* 90 days */
#define CA_EXPIRY_MIN_S     3600

/* How long node certificates are good: what is configured; the default where nothing is, or less than the minimum. NULL is fine. */
int64_t ca_config_expiry_ns(const Docker__Swarmkit__V1__CAConfig *config);

/* Is @config well formed: a duration in range and not below the minimum, external CAs within their limits? ERR_INVALID. NULL is fine. */
int ca_config_check(const Docker__Swarmkit__V1__CAConfig *config, struct error *err);

/* A new cluster's: the default expiry. Freed with message_free(). */
Docker__Swarmkit__V1__CAConfig *ca_config_new(void);

/* The addresses of the external CAs that sign under @wanted_pem, in order; one without a certificate of its own signs under @default_pem,
 * the cluster's root. At most @count; returns how many. Borrowed from @config, which may be NULL. */
size_t ca_config_external_urls(const Docker__Swarmkit__V1__CAConfig *config, struct bytes wanted_pem, struct bytes default_pem,
                               const char **urls, size_t count);

#endif
