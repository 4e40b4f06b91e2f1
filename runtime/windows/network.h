/* runtime/windows/network.h – a container's network: an endpoint on a NAT network of HNS, where schema 2 has it in a namespace of its own.
 * hcs.md §7. */
#ifndef SKEP_RUNTIME_WINDOWS_NETWORK_H
#define SKEP_RUNTIME_WINDOWS_NETWORK_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "base/error.h"
#include "base/limits.h"

struct windows_host;
struct windows_system;

/* A zeroed one is none. */
struct windows_endpoint {
    char id[37], namespace_id[37], ip[46], gateway[46], mac[18];
    int prefix_bits;
    uint16_t published_ports[NETWORK_PORTS_COUNT]; /* of the document's ports, in their order */
    size_t port_count;
};

/* Blocks; on a thread of the pool. A failure leaves nothing behind. ERR_EXISTS where a published port is taken. */
int windows_network_attach(struct windows_system *system, struct windows_endpoint *out, struct error *err);
void windows_network_detach(struct windows_system *system, struct windows_endpoint *endpoint); /* and zeroes it */

/* What a utility VM's guest is told of it: the namespace in HCN's words, the endpoint in HNS'. Freed by the caller. */
int windows_network_describe(const struct windows_system *system, const struct windows_endpoint *endpoint, cJSON **space, cJSON **hns,
                             struct error *err);

/* Delete the endpoints of ours that no system has: a killed daemon's, whose ports would stay taken. Before anything is started. */
void windows_network_sweep(struct windows_host *host);

#endif
