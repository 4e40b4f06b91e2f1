/* runtime/linux/addresses.h – which addresses of the bridge's subnet are taken. Pure.
 *
 * IPv4. The first address is the bridge's own; the network's and the broadcast address are never given out; an address that was given back
 * is given out again only after all others, so that a late packet does not reach a stranger. */
#ifndef SKEP_RUNTIME_LINUX_ADDRESSES_H
#define SKEP_RUNTIME_LINUX_ADDRESSES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct addresses {
    uint32_t network; /* host byte order */
    int prefix_bits;
    uint32_t next; /* offset to look at first */
    uint8_t *taken;
};

/* "172.30.0.0/16", from /16 to /30. ERR_INVALID naming the text. */
int addresses_init(struct addresses *addresses, const char *subnet, struct error *err);
void addresses_deinit(struct addresses *addresses);

uint32_t addresses_gateway(const struct addresses *addresses);
int addresses_take(struct addresses *addresses, uint32_t *out, struct error *err); /* ERR_LIMIT when none is left */
bool addresses_claim(struct addresses *addresses, uint32_t address);               /* a known one; false: not of this subnet, or taken */
void addresses_release(struct addresses *addresses, uint32_t address);

#endif
