/* cli/show.h – objects as a daemon describes them: the `inspect` verbs. */
#ifndef SKEP_CLI_SHOW_H
#define SKEP_CLI_SHOW_H

#include "cli/command.h"

/* A list of what @get gives for each word, indented; whoever is not there is said, and decides the exit code. */
int show_each(struct cli *cli, const struct options *options, int (*get)(struct cli *cli, const char *name, cJSON **out, struct error *err),
              struct error *err);

#endif
