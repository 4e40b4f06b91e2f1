/* cli/verb_service.h – the commands of `skep service` that have a file of their own. */
#ifndef SKEP_CLI_VERB_SERVICE_H
#define SKEP_CLI_VERB_SERVICE_H

#include "cli/command.h"

extern const struct command command_service_create, command_service_update; /* verb_service_spec.c */
extern const struct command command_service_logs;                           /* verb_logs.c */

#endif
