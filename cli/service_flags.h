/* cli/service_flags.h – the flags that say how a service shall be, as `skep service create` and `skep service update` take them, in
 * docker's words. Pure but for the ids of secrets and configs, which the daemon is asked for. */
#ifndef SKEP_CLI_SERVICE_FLAGS_H
#define SKEP_CLI_SERVICE_FLAGS_H

#include "cli/command.h"

/* To stand among a verb's specs: what both verbs have. */
#define SERVICE_FLAGS                                                                                                                      \
    {"detach", 'd', OPTION_SWITCH, NULL, "Exit immediately instead of waiting for the service to converge"},                               \
        {"endpoint-mode", 0, OPTION_TEXT, "string", "Endpoint mode (vip or dnsrr)"},                                                       \
        {"entrypoint", 0, OPTION_TEXT, "command", "Overwrite the default ENTRYPOINT of the image"},                                        \
        {"health-cmd", 0, OPTION_TEXT, "string", "Command to run to check health"},                                                        \
        {"health-interval", 0, OPTION_TEXT, "duration", "Time between running the check (ms|s|m|h)"},                                      \
        {"health-retries", 0, OPTION_TEXT, "int", "Consecutive failures needed to report unhealthy"},                                      \
        {"health-start-period", 0, OPTION_TEXT, "duration", "Start period before counting retries towards unstable (ms|s|m|h)"},           \
        {"health-timeout", 0, OPTION_TEXT, "duration", "Maximum time to allow one check to run (ms|s|m|h)"},                               \
        {"hostname", 0, OPTION_TEXT, "string", "Container hostname"},                                                                      \
        {"init", 0, OPTION_SWITCH, NULL, "Use an init inside each service container to forward signals and reap processes"},               \
        {"isolation", 0, OPTION_TEXT, "string", "Service container isolation mode"},                                                       \
        {"limit-cpu", 0, OPTION_TEXT, "decimal", "Limit CPUs"}, {"limit-memory", 0, OPTION_TEXT, "bytes", "Limit Memory"},                 \
        {"limit-pids", 0, OPTION_TEXT, "int", "Limit maximum number of processes (default 0 = unlimited)"},                                \
        {"log-driver", 0, OPTION_TEXT, "string", "Logging driver for service"},                                                            \
        {"log-opt", 0, OPTION_LIST, "list", "Logging driver options"},                                                                     \
        {"max-concurrent", 0, OPTION_TEXT, "uint", "Number of job tasks to run concurrently (default equal to --replicas)"},               \
        {"no-healthcheck", 0, OPTION_SWITCH, NULL, "Disable any container-specified HEALTHCHECK"},                                         \
        {"quiet", 'q', OPTION_SWITCH, NULL, "Suppress progress output"},                                                                   \
        {"read-only", 0, OPTION_SWITCH, NULL, "Mount the container's root filesystem as read only"},                                       \
        {"replicas", 0, OPTION_TEXT, "uint", "Number of tasks"},                                                                           \
        {"replicas-max-per-node", 0, OPTION_TEXT, "uint", "Maximum number of tasks per node (default 0 = unlimited)"},                     \
        {"reserve-cpu", 0, OPTION_TEXT, "decimal", "Reserve CPUs"}, {"reserve-memory", 0, OPTION_TEXT, "bytes", "Reserve Memory"},         \
        {"restart-condition", 0, OPTION_TEXT, "string", "Restart when condition is met (\"none\", \"on-failure\", \"any\")"},              \
        {"restart-delay", 0, OPTION_TEXT, "duration", "Delay between restart attempts (ns|us|ms|s|m|h)"},                                  \
        {"restart-max-attempts", 0, OPTION_TEXT, "uint", "Maximum number of restarts before giving up"},                                   \
        {"restart-window", 0, OPTION_TEXT, "duration", "Window used to evaluate the restart policy (ns|us|ms|s|m|h)"},                     \
        {"rollback-delay", 0, OPTION_TEXT, "duration", "Delay between task rollbacks (ns|us|ms|s|m|h)"},                                   \
        {"rollback-failure-action", 0, OPTION_TEXT, "string", "Action on rollback failure (\"pause\", \"continue\")"},                     \
        {"rollback-max-failure-ratio", 0, OPTION_TEXT, "float", "Failure rate to tolerate during a rollback"},                             \
        {"rollback-monitor", 0, OPTION_TEXT, "duration", "Duration after each task rollback to monitor for failure (ns|us|ms|s|m|h)"},     \
        {"rollback-order", 0, OPTION_TEXT, "string", "Rollback order (\"start-first\", \"stop-first\")"},                                  \
        {"rollback-parallelism", 0, OPTION_TEXT, "uint",                                                                                   \
         "Maximum number of tasks rolled back simultaneously (0 to roll back all at once)"},                                               \
        {"stop-grace-period", 0, OPTION_TEXT, "duration", "Time to wait before force killing a container (ns|us|ms|s|m|h)"},               \
        {"stop-signal", 0, OPTION_TEXT, "string", "Signal to stop the container"},                                                         \
        {"tty", 't', OPTION_SWITCH, NULL, "Allocate a pseudo-TTY"},                                                                        \
        {"update-delay", 0, OPTION_TEXT, "duration", "Delay between updates (ns|us|ms|s|m|h)"},                                            \
        {"update-failure-action", 0, OPTION_TEXT, "string", "Action on update failure (\"pause\", \"continue\", \"rollback\")"},           \
        {"update-max-failure-ratio", 0, OPTION_TEXT, "float", "Failure rate to tolerate during an update"},                                \
        {"update-monitor", 0, OPTION_TEXT, "duration", "Duration after each task update to monitor for failure (ns|us|ms|s|m|h)"},         \
        {"update-order", 0, OPTION_TEXT, "string", "Update order (\"start-first\", \"stop-first\")"},                                      \
        {"update-parallelism", 0, OPTION_TEXT, "uint", "Maximum number of tasks updated simultaneously (0 to update all at once)"},        \
        {"user", 'u', OPTION_TEXT, "string", "Username or UID (format: <name|uid>[:<group|gid>])"},                                        \
    {                                                                                                                                      \
        "workdir", 'w', OPTION_TEXT, "string", "Working directory inside the container"                                                    \
    }

/* Write into @spec, a ServiceSpec, what was given; what was not, stays as it is there. ERR_INVALID naming the flag. */
int service_flags_apply(const struct options *options, cJSON *spec, struct error *err);

/* Add each of @texts to the list @key of @container, by its name's id. @kind: "secret" or "config". ERR_NOT_FOUND. */
int service_flags_add_references(struct cli *cli, cJSON *container, const char *kind, const struct option_values *texts, struct error *err);

/* The rest of the command line as a container's words: its image and its arguments. */
void service_set_args(cJSON *container, const char *const *words, size_t count);

/* The parts of a spec, made where they are missing. */
cJSON *service_container(cJSON *spec);

#endif
