/* cli/task_list.h – the swarm's tasks as `skep service ps` and `skep node ps` print them. */
#ifndef SKEP_CLI_TASK_LIST_H
#define SKEP_CLI_TASK_LIST_H

#include "cli/command.h"

/* To stand among a verb's specs. */
#define TASK_LIST_FLAGS                                                                                                                    \
    {"filter", 'f', OPTION_LIST, "filter", "Filter output: id, name, node, service, label, desired-state"},                                \
        {"format", 0, OPTION_TEXT, "string", "\"table\", \"json\", or a template such as '{{.Name}} {{.CurrentState}}'"},                  \
        {"no-resolve", 0, OPTION_SWITCH, NULL, "Do not map IDs to Names"}, {"no-trunc", 0, OPTION_SWITCH, NULL, "Do not truncate output"}, \
    {                                                                                                                                      \
        "quiet", 'q', OPTION_SWITCH, NULL, "Only display task IDs"                                                                         \
    }

/* Those of @filter ("service" or "node") @values, and of --filter. */
int task_list_print(struct cli *cli, const struct options *options, const char *filter, const struct option_values *values,
                    struct error *err);

#endif
