/* cli/swarm_flags.h – the flags that say how a swarm shall be, as `skep init` and `skep swarm update` take them. */
#ifndef SKEP_CLI_SWARM_FLAGS_H
#define SKEP_CLI_SWARM_FLAGS_H

#include "base/json.h"
#include "cli/options.h"

/* To stand among a verb's specs. */
#define SWARM_FLAGS                                                                                                                        \
    {"autolock", 0, OPTION_SWITCH, NULL, "Lock managers when they stop: to start again they need the unlock key"},                         \
        {"cert-expiry", 0, OPTION_TEXT, "duration", "Validity period for node certificates (ns|us|ms|s|m|h) (default 2160h0m0s)"},         \
        {"dispatcher-heartbeat", 0, OPTION_TEXT, "duration", "Dispatcher heartbeat period (ns|us|ms|s|m|h) (default 5s)"},                 \
        {"external-ca", 0, OPTION_LIST, "external-ca", "External signing endpoint: protocol=cfssl,url=URL[,cacert=FILE]"},                 \
        {"max-snapshots", 0, OPTION_TEXT, "uint", "Number of additional Raft snapshots to retain"},                                        \
        {"snapshot-interval", 0, OPTION_TEXT, "uint", "Number of log entries between Raft snapshots (default 10000)"},                     \
    {                                                                                                                                      \
        "task-history-limit", 0, OPTION_TEXT, "int", "Task history retention limit (default 5)"                                            \
    }

/* Write what was given into a cluster's Spec; what was not, stays as it is there. ERR_INVALID, and ERR_NOT_FOUND for a file. */
int swarm_flags_apply(const struct options *options, cJSON *spec, struct error *err);

#endif
