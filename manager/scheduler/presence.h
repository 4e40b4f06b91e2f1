/* manager/scheduler/presence.h – how many active tasks of one service each node has. Sparse: most services are on few nodes, some on all.
 */
#ifndef SKEP_MANAGER_SCHEDULER_PRESENCE_H
#define SKEP_MANAGER_SCHEDULER_PRESENCE_H

#include <stddef.h>
#include <stdint.h>

struct sched_presence_slot {
    uint32_t node_plus_one; /* 0: free */
    uint32_t count;         /* may be 0: a node that had one */
};

/* A zeroed struct is empty. Slots may be walked by index from 0 to capacity; adding moves them. */
struct sched_presence {
    struct sched_presence_slot *slots;
    uint32_t capacity, used_count;
};

void sched_presence_deinit(struct sched_presence *presence);
uint32_t sched_presence_count(const struct sched_presence *presence, uint32_t node);
void sched_presence_add(struct sched_presence *presence, uint32_t node);
void sched_presence_drop(struct sched_presence *presence, uint32_t node); /* whose count is not 0 */

#endif
