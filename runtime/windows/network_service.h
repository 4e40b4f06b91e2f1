/* runtime/windows/network_service.h – the two network services behind network.h: HCN (computenetwork.dll, from build 17763) and HNS v1
 * (vmcompute.dll's HNSCall, all there is before). Both keep their objects in one place: what one makes the other sees. */
#ifndef SKEP_RUNTIME_WINDOWS_NETWORK_SERVICE_H
#define SKEP_RUNTIME_WINDOWS_NETWORK_SERVICE_H

#include <windows.h>

#include "base/error.h"
#include "runtime/windows/network.h"

struct windows_host;
struct windows_system;

/* Of a network that is made where there is none of its name. */
#define WINDOWS_NETWORK_PREFIX  "172.28.0.0/20"
#define WINDOWS_NETWORK_GATEWAY "172.28.0.1"

/* How long one of the functions below may take: those of the service have no deadline of their own (timed.h). */
enum { NETWORK_CALL_MS = 20000, NETWORK_DELETE_MS = 10000 };

struct windows_network {
    char id[37], gateway[46];
};

/* Each fails with ERR_DEADLINE, naming the call, when the service does not answer in time; what it makes later all the same is deleted. */
struct windows_network_service {
    /* Can this host's service do what @system needs? ERR_UNSUPPORTED naming what is missing. */
    int (*check)(const struct windows_system *system, struct error *err);

    /* The network of the host's name, made where there is none. */
    int (*open)(struct windows_host *host, struct windows_network *out, struct error *err);

    /* With the published ports that @out has; ERR_EXISTS where one is taken. */
    int (*create)(struct windows_system *system, const struct windows_network *network, struct windows_endpoint *out, struct error *err);

    /* What the container's document refers to, beside the endpoint. */
    int (*join)(struct windows_system *system, struct windows_endpoint *endpoint, struct error *err);

    /* What is gone already is no failure. @owner: whose it is, for the log. */
    void (*remove)(struct windows_host *host, const char *owner, const struct windows_endpoint *endpoint);

    /* Call @visit with every endpoint there is. */
    void (*each)(struct windows_host *host,
                 void (*visit)(struct windows_host *host, const char *name, const struct windows_endpoint *endpoint));
};

extern const struct windows_network_service windows_network_hcn, windows_network_hns;

/* HCN: a query for all that is known of one; and what came of a call that left @record (freed), where a record is a failure even if the
 * code is none (hcs.md §9.23). */
#define WINDOWS_HCN_QUERY "{\"SchemaVersion\":{\"Major\":2,\"Minor\":0},\"Flags\":0}"
int windows_hcn_outcome(HRESULT code, PWSTR record, const char *what, struct error *err);

#endif
