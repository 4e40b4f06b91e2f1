/* runtime/linux/network.h – a container's network: a namespace with an address on a bridge, and ports of the host that lead into it.
 *
 * Everything has its name from the options: several daemons share a machine when their bridges and subnets differ. Functions block
 * (netlink, nft) and are called from worker threads; one mutex orders them. Nothing is written to disk: what is in use is told again after
 * a restart with network_adopt().
 *
 * Ports lead in by destination NAT, for packets from outside and from the host itself; a socket bound here holds each port, so that another
 * program's claim on it is seen, by either side. */
#ifndef SKEP_RUNTIME_LINUX_NETWORK_H
#define SKEP_RUNTIME_LINUX_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/limits.h"

struct network;

struct network_options {
    const char *bridge;  /* "skep0": made with the first container that wants it */
    const char *subnet;  /* "172.30.0.0/16" */
    const char *run_dir; /* namespaces are mounted at <run_dir>/netns/<id> */
    const char *nft;     /* path or name of the program; NULL: "nft" */
};

struct network_port {
    bool is_udp;
    uint16_t target_port;
    uint16_t published_port; /* 0 as a wish: any that is free; the real one as an answer */
};

struct network_endpoint {
    char *netns_path; /* for the OCI bundle's namespace */
    char ip[16], gateway[16], mac[18];
    int prefix_bits;
    struct network_port ports[NETWORK_PORTS_COUNT];
    size_t port_count;
};

struct network_counters {
    uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped, tx_bytes, tx_packets, tx_errors, tx_dropped; /* as the container counts */
};

/* Strings copied. ERR_INVALID for the subnet or a bridge name longer than the kernel takes. */
int network_new(const struct network_options *options, struct network **out, struct error *err);
void network_free(struct network *network); /* namespaces, bridge and rules stay */
void network_endpoint_deinit(struct network_endpoint *endpoint);

/* Give container @id its namespace, address and @ports. ERR_EXISTS naming a port that is taken, ERR_LIMIT when addresses or ports run out,
 * ERR_NOT_FOUND when nft is missing and ports are wanted. A failure leaves nothing behind. */
int network_attach(struct network *network, const char *id, const struct network_port *ports, size_t port_count,
                   struct network_endpoint *out, struct error *err);

/* A namespace with nothing but its own loopback. */
int network_attach_none(struct network *network, const char *id, struct network_endpoint *out, struct error *err);

/* After a restart: what @known says is in use. ERR_PRECONDITION when the namespace is gone or another claims the address. When all are
 * told, network_adopt_end() makes the rules anew in one stroke, so that no published port is closed for a moment. */
int network_adopt(struct network *network, const char *id, const struct network_endpoint *known, struct error *err);
int network_adopt_end(struct network *network, struct error *err);

/* Take it all away; what is gone already is no error. */
int network_detach(struct network *network, const char *id, struct error *err);

int network_read_counters(struct network *network, const char *id, struct network_counters *out, struct error *err);

/* Let ours pass where another firewall was set up meanwhile; see network_rules_pass(). */
void network_refresh(struct network *network);

bool network_is_there(struct network *network); /* its bridge */

/* Take away the bridge and the rules, when no container uses them: for tests and for leaving a host as it was. */
int network_remove(struct network *network, struct error *err);

#endif
