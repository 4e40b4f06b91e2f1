/* manager/orchestrator/labels.h – the labels of a service by which Skep goes, beyond what Swarm knows. docs/manager.md tells them to users.
 *
 *     skep.lost-after   how long the tasks of a node that is down are awaited before they are replaced ("0s": at once, as Swarm)
 *     skep.stop-after   the node itself stops them after so long without contact ("": never, as Swarm); for the node's agent. A service
 *                       that says so guards its slots: a task waits until the one that had its slot before has stopped
 *     skep.keep         which copy stays when the node comes back after it was replaced: "new" (as Swarm) or "old" */
#ifndef SKEP_MANAGER_ORCHESTRATOR_LABELS_H
#define SKEP_MANAGER_ORCHESTRATOR_LABELS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "proto/swarmkit/objects.pb-c.h"

#define LABEL_LOST_AFTER "skep.lost-after"
#define LABEL_STOP_AFTER "skep.stop-after"
#define LABEL_KEEP       "skep.keep"

/* For whoever takes in a service: ERR_INVALID names the label, what it says and what it may say. */
int labels_check(const Docker__Swarmkit__V1__ServiceSpec *spec, struct error *err);

struct service_labels {
    uint64_t lost_after_ns, stop_after_ns; /* 0: not said */
    bool keeps_old;
};

/* What cannot be read is as if it were not there. */
struct service_labels labels_read(const Docker__Swarmkit__V1__Service *service);

const char *label_value(const Docker__Swarmkit__V1__Annotations *annotations, const char *key); /* NULL: none */

#endif
