/* runtime/linux/netlink.h – the few rtnetlink requests that a container's network needs. Each waits for the kernel's answer.
 *
 * A socket speaks for the network namespace it was opened in, wherever it is used. Source: rtnetlink(7). */
#ifndef SKEP_RUNTIME_LINUX_NETLINK_H
#define SKEP_RUNTIME_LINUX_NETLINK_H

#include <netinet/in.h>
#include <stdbool.h>

#include "base/error.h"

int netlink_open(struct error *err); /* a descriptor, or a negative code */

int netlink_link_index(int netlink, const char *name); /* 0: there is no such link */
int netlink_add_bridge(int netlink, const char *name, struct error *err);

/* A pair of veths: @name here, up and attached to the link @master; "eth0" with @mac in the namespace @peer_ns (a descriptor). */
int netlink_add_veth(int netlink, const char *name, int master, int peer_ns, const unsigned char mac[6], struct error *err);

int netlink_set_up(int netlink, const char *name, struct error *err);
int netlink_add_address(int netlink, const char *name, struct in_addr address, int prefix_bits,
                        struct error *err); /* there already: fine */
int netlink_add_default_route(int netlink, struct in_addr gateway, struct error *err);
int netlink_delete_link(int netlink, const char *name, struct error *err); /* not there: fine */

#endif
