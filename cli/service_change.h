/* cli/service_change.h – a service is read, changed and sent back: update, scale, rollback. */
#ifndef SKEP_CLI_SERVICE_CHANGE_H
#define SKEP_CLI_SERVICE_CHANGE_H

#include "cli/command.h"

struct service_change {
    const struct options *options; /* has "detach" and "quiet" */
    /* Makes it, on the service's Spec. NULL: none. */
    int (*fn)(struct cli *cli, const struct service_change *change, cJSON *spec, struct error *err);
    const char *query;    /* more of the query: "&rollback=previous"; "" */
    const char *replicas; /* of scale */
    const char *done;     /* printed behind the name: " scaled to 3"; "" */
};

/* Prints the name, the daemon's warnings, and unless it detaches waits until the service has converged. */
int service_change(struct cli *cli, const char *name, const struct service_change *change, struct error *err);

/* What the daemon warned of goes to standard error. */
void service_print_warnings(struct cli *cli, const cJSON *reply);

#endif
