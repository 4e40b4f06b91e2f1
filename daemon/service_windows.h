/* daemon/service_windows.h – skepd in Windows' table of services: put there, taken out, and its source of events in the Event Log. */
#ifndef SKEP_DAEMON_SERVICE_WINDOWS_H
#define SKEP_DAEMON_SERVICE_WINDOWS_H

#include "base/error.h"

#define SERVICE_DEFAULT_NAME "skep"

/* A control of our own, `sc control skep 128`: what happens when the host goes down, tasks stopped first, without its going down. */
#define SERVICE_CONTROL_DRAIN 128

/* Started with the host (after what is urgent), again when it fails; its command line is this program, --run-service and @argv. ERR_EXISTS
 * when there is one of that name, ERR_PERMISSION for who is no administrator. */
int service_register(const char *name, int argc, char **argv, struct error *err);

/* Stopped first. Containers go on running. ERR_NOT_FOUND. */
int service_unregister(const char *name, struct error *err);

#endif
