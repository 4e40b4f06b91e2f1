/* runtime/linux/environment.h – what the programs that we run get of our environment: where to find others, and nothing else. crun would
 * take NOTIFY_SOCKET for the container's, and what else is in it is the operator's own. */
#ifndef SKEP_RUNTIME_LINUX_ENVIRONMENT_H
#define SKEP_RUNTIME_LINUX_ENVIRONMENT_H

const char *environment_path(void); /* "PATH=…" */

#endif
