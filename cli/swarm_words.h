/* cli/swarm_words.h – what several verbs say of a swarm as a whole. */
#ifndef SKEP_CLI_SWARM_WORDS_H
#define SKEP_CLI_SWARM_WORDS_H

#include "cli/command.h"

/* "To add a worker to this swarm, run …", with @is_worker's token and this node's address. */
int swarm_print_join_command(struct cli *cli, bool is_worker, struct error *err);

/* The key of locked managers, and what it is for; nothing where there is none: @is_there, which may be NULL. */
int swarm_print_unlock_key(struct cli *cli, bool is_quiet, bool *is_there, struct error *err);

/* POST /swarm/update with the swarm's own spec, @change made to it; @flag ("rotateWorkerToken") may be NULL. */
int swarm_update(struct cli *cli, const char *flag, int (*change)(const struct options *options, cJSON *spec, struct error *err),
                 const struct options *options, struct error *err);

#endif
