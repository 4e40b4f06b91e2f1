/* manager/scheduler/strings.h – one copy of each text: a cluster's nodes share their labels, plugins and platforms. Two kept texts are
 * equal when their pointers are. */
#ifndef SKEP_MANAGER_SCHEDULER_STRINGS_H
#define SKEP_MANAGER_SCHEDULER_STRINGS_H

#include "manager/scheduler/table.h"

struct sched_strings {
    struct sched_table table;
};

void sched_strings_init(struct sched_strings *strings);
void sched_strings_deinit(struct sched_strings *strings);

/* The one copy of @text (NULL counts as ""), counted once more. */
const char *sched_strings_keep(struct sched_strings *strings, const char *text);

/* The one copy where there is one already, or NULL; not counted. */
const char *sched_strings_find(const struct sched_strings *strings, const char *text);

/* What was kept is given back; NULL is fine. */
void sched_strings_release(struct sched_strings *strings, const char *kept_text);

#endif
