/* manager/scheduler/ip_range.h – IP addresses and networks as the constraint node.ip compares them. Pure. */
#ifndef SKEP_MANAGER_SCHEDULER_IP_RANGE_H
#define SKEP_MANAGER_SCHEDULER_IP_RANGE_H

#include <stdbool.h>
#include <stdint.h>

enum ip_kind { IP_NOTHING, IP_ADDRESS, IP_RANGE };

/* IPv4 is kept as IPv6 does (::ffff:a.b.c.d), so that one comparison serves both. */
struct ip_range {
    enum ip_kind kind;
    uint8_t bytes[16];
    unsigned prefix_bits; /* of 128 */
};

/* "10.0.0.5", "2001:db8::2", "10.0.0.0/8"; anything else is of kind IP_NOTHING. */
struct ip_range ip_range_parse(const char *text);

/* Is @address (an address, or nothing) the one, or in the range? An IPv4 address is in no IPv6 network, and nothing is in none. */
bool ip_range_contains(const struct ip_range *range, const struct ip_range *address);

#endif
