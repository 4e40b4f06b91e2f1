/* cli/service_wait.h – waiting until a service is as it shall be: what `skep service create` does unless it is told to detach. */
#ifndef SKEP_CLI_SERVICE_WAIT_H
#define SKEP_CLI_SERVICE_WAIT_H

#include "cli/command.h"

/* Returns when as many tasks run, or are complete, as are wanted, and have done so for some seconds; or when its update has ended. Shows
 * the count as it changes, and the error of the newest task that failed. ERR_PRECONDITION where an update was paused or rolled back. */
int service_wait(struct cli *cli, const char *id, bool is_quiet, struct error *err);

#endif
