/* runtime/linux/network_ports.h – the packet filter's part of the network: one nft table per bridge with masquerading, a wall around the
 * containers, and a map from published ports to containers; and the sockets that hold those ports on the host. */
#ifndef SKEP_RUNTIME_LINUX_NETWORK_PORTS_H
#define SKEP_RUNTIME_LINUX_NETWORK_PORTS_H

#include "base/buf.h"
#include "runtime/linux/network.h"

struct network_rules {
    char *bridge, *subnet, *nft, *table;
};

void network_rules_init(struct network_rules *rules, const char *bridge, const char *subnet, const char *nft); /* copied; nft NULL: "nft" */
void network_rules_deinit(struct network_rules *rules);

/* The table is there, with the ports of @elements (NULL: none) in it and no others, and network_rules_pass() is done. */
int network_rules_ready(struct network_rules *rules, const char *elements, struct error *err);
/* Packets pass every table's forward chain: where another program (Docker) has set the policy of iptables' to DROP, two rules there let
 * ours through. That program may come at any time, and flush what it finds: to be repeated now and then. */
void network_rules_pass(const struct network_rules *rules);
int network_rules_remove(struct network_rules *rules, struct error *err);

/* The ruleset's text: what nft is given. Freed by the caller. */
char *network_rules_text(const struct network_rules *rules);

struct network_held_port {
    struct network_port port; /* the real published port */
    int socket;
};

/* Bind the wished port (0: any) so that nobody else can. ERR_EXISTS: "port 8080/tcp of the host is in use". */
int network_port_hold(const struct network_port *wish, struct network_held_port *out, struct error *err);
void network_port_release(struct network_held_port *held);

/* Append what nft is to be told to lead @ports to @address. */
void network_ports_text(const struct network_rules *rules, uint32_t address, const struct network_held_port *ports, size_t count,
                        struct buf *out);

/* Let the ports lead to @address (host byte order), or no more. */
int network_ports_lead(const struct network_rules *rules, uint32_t address, const struct network_held_port *ports, size_t count,
                       struct error *err);
int network_ports_unlead(const struct network_rules *rules, const struct network_held_port *ports, size_t count, struct error *err);

#endif
