/* api/swarm/docker_time.h – an instant as Docker's JSON has it: RFC 3339 in UTC with as many digits of a second as it takes. */
#ifndef SKEP_API_SWARM_DOCKER_TIME_H
#define SKEP_API_SWARM_DOCKER_TIME_H

#include "base/time.h"

struct Google__Protobuf__Timestamp;

#define DOCKER_TIME_SIZE TIME_RFC3339_SIZE

/* "2026-11-23T22:00:01.1234Z". NULL is 1970, as dockerd has it; Go's zero time is "0001-01-01T00:00:00Z". */
void docker_time(const struct Google__Protobuf__Timestamp *timestamp, char out[DOCKER_TIME_SIZE]);

#endif
