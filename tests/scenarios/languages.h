/* tests/scenarios/languages.h – the three families of commands: each takes what it knows and appends its output.
 *
 * A function returns 1 when the command is one of its own (failures of the command are part of the output), 0 when it is not. */
#ifndef SKEP_TESTS_SCENARIOS_LANGUAGES_H
#define SKEP_TESTS_SCENARIOS_LANGUAGES_H

#include "tests/scenarios/script.h"

struct group; /* members that talk to each other: group.c, commands in interaction.c */
struct group *group_new(void);
void group_free(struct group *group);
int interaction_run(struct group *group, const struct script_command *command, struct buf *out);

struct membership; /* one configuration and its changes */
struct membership *membership_new(void);
void membership_free(struct membership *membership);
int membership_run(struct membership *membership, const struct script_command *command, struct buf *out);

int quorum_run(const struct script_command *command, struct buf *out); /* arithmetic; remembers nothing */

#endif
