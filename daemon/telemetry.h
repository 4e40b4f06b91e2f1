/* daemon/telemetry.h – how this daemon is, put together from its parts: the process, the node, and the manager where one runs. What
 * /metrics and /health answer; docs/metrics.md has the names. */
#ifndef SKEP_DAEMON_TELEMETRY_H
#define SKEP_DAEMON_TELEMETRY_H

#include "api/provider.h"
#include "daemon/managing.h"

struct telemetry {
    struct node *node; /* borrowed, as the next */
    struct managing *managing;
    char trouble[2][512]; /* what was answered last */
};

struct api_telemetry telemetry_wire(struct telemetry *telemetry); /* borrowed */

#endif
