/* manager/orchestrator/update_status.h – what is written to a service about its update. */
#ifndef SKEP_MANAGER_ORCHESTRATOR_UPDATE_STATUS_H
#define SKEP_MANAGER_ORCHESTRATOR_UPDATE_STATUS_H

#include "manager/orchestrator/inside.h"

enum update_write { UPDATE_WRITE_START, UPDATE_WRITE_COMPLETE, UPDATE_WRITE_PAUSE, UPDATE_WRITE_ROLL_BACK };

/* Queued; the service is marked when the outcome is known. Nothing is written when the service has another spec version by then.
 * @task_id: whose failure it is that pauses it or rolls it back; else "". */
void update_status_write(struct orchestrator *orchestrator, struct view_service *service, enum update_write what, const char *task_id);

static inline int update_status_of(const struct view_service *service)
{
    const Docker__Swarmkit__V1__Service *message = service_message(service);
    return message && message->update_status ? (int)message->update_status->state : -1; /* -1: none */
}

#define UPDATE_STATUS(name) DOCKER__SWARMKIT__V1__UPDATE_STATUS__UPDATE_STATE__##name

#endif
