/* daemon/addresses.h – from what a person gives as an address of a manager (an IP, an interface, with or without a port, or nothing) to
 * "host:port". As dockerd. */
#ifndef SKEP_DAEMON_ADDRESSES_H
#define SKEP_DAEMON_ADDRESSES_H

#include <stdint.h>

#include "base/error.h"

#define ADDRESSES_SWARM_PORT 2377

/* Where to listen: "" is 0.0.0.0. Freed by the caller. ERR_INVALID, ERR_NOT_FOUND: no such interface. */
int addresses_listen(const char *given, char **out, struct error *err);

/* What others are told: @given, or the host of @listen where that is one, or the host's only address. ERR_PRECONDITION: it has several, or
 * none; it names them. The port is @listen's where none is given. */
int addresses_advertise(const char *given, const char *listen, char **out, struct error *err);

#endif
