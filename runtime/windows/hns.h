/* runtime/windows/hns.h – the documents of HNS v1, which vmcompute.dll's HNSCall takes and gives: requests of HTTP's kind, in JSON. Pure.
 *
 * It is the only network service before build 17763, and IPv4 only. Source: hcs.md §7.5. */
#ifndef SKEP_RUNTIME_WINDOWS_HNS_H
#define SKEP_RUNTIME_WINDOWS_HNS_H

#include <cjson/cJSON.h>

#include "base/error.h"
#include "runtime/document.h"
#include "runtime/windows/network.h"

/* Read {Success, Error, Output}. *output: NULL where there is none; freed by the caller. An error keeps HNS's words, which are also all
 * that tells what kind it is: ERR_NOT_FOUND, ERR_EXISTS (of an endpoint: a port that is taken), else ERR_PEER. @what: the call as people
 * know it. */
int windows_hns_read(const char *text, const char *what, cJSON **output, struct error *err);

/* Did HNSCall itself fail because a published port is taken? That is a code, where later builds answer with words. */
bool windows_hns_is_taken(uint32_t code);

/* The member of that name in the list of networks; borrowed; NULL when there is none. */
const cJSON *windows_hns_find(const cJSON *networks, const char *name);
const char *windows_hns_gateway(const cJSON *network); /* borrowed; "" where not known */

/* Bodies of POST /networks/ and /endpoints/; freed by the caller. The endpoint has @endpoint's published ports. */
cJSON *windows_hns_network(const char *name, const char *prefix, const char *gateway);
cJSON *windows_hns_endpoint(const char *name, const char *network_id, const struct document_network *wanted,
                            const struct windows_endpoint *endpoint);

/* What POST /endpoints/ answers. Ports are left as they are. ERR_PEER without an id. */
int windows_hns_read_endpoint(const cJSON *json, struct windows_endpoint *out, struct error *err);

#endif
