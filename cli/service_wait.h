/* cli/service_wait.h – waiting until a service is as it shall be: what `skep service create` does unless it is told to detach. */
#ifndef SKEP_CLI_SERVICE_WAIT_H
#define SKEP_CLI_SERVICE_WAIT_H

#include "cli/command.h"

/* How far it is, as its last look said. Zeroed at first. */
struct service_progress {
    int64_t done, wanted; /* tasks that run, or of a job are complete */
    bool is_job;
    int stable; /* looks in a row that showed it as it shall be */
};

/* Take one look: @service is the object with its ServiceStatus. 1: it is as it shall be, and stays so; 0: not yet. ERR_PRECONDITION where
 * its update was paused or rolled back. Pure. */
int service_progress_step(struct service_progress *progress, const cJSON *service, struct error *err);

/* Returns when as many tasks run, or are complete, as are wanted, and have done so for some seconds; or when its update has ended. Shows
 * the count as it changes, and the error of the newest task that failed. ERR_PRECONDITION where an update was paused or rolled back. */
int service_wait(struct cli *cli, const char *id, bool is_quiet, struct error *err);

#endif
