/* manager/orchestrator/new_task.h – a task as its service wants one now. */
#ifndef SKEP_MANAGER_ORCHESTRATOR_NEW_TASK_H
#define SKEP_MANAGER_ORCHESTRATOR_NEW_TASK_H

#include "google/protobuf/timestamp.pb-c.h"
#include "proto/swarmkit/objects.pb-c.h"

/* The task with what it points to, beside what is the service's. Not moved or copied. */
struct new_task {
    Docker__Swarmkit__V1__Task task;
    Docker__Swarmkit__V1__TaskStatus status;
    Google__Protobuf__Timestamp timestamp;
    Docker__Swarmkit__V1__Endpoint endpoint;
    Docker__Swarmkit__V1__TaskSpec spec;
    Docker__Swarmkit__V1__Annotations annotations, service_annotations;
};

/* All but the desired state. Everything borrowed. @cluster may be NULL. @node_id: of a global service's; else "". */
void new_task_fill(struct new_task *out, const Docker__Swarmkit__V1__Service *service, const Docker__Swarmkit__V1__Cluster *cluster,
                   const char *id, uint64_t slot, const char *node_id, int64_t wall_ns);

#endif
