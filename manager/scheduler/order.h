/* manager/scheduler/order.h – the nodes that take tasks, in the order of how many active tasks they have.
 *
 * One array, cut into levels: level t holds the nodes with t tasks, in no order. A node that gains or loses a task swaps places with one at
 * the edge of its level and the edge moves over it, so keeping order costs two writes a task. */
#ifndef SKEP_MANAGER_SCHEDULER_ORDER_H
#define SKEP_MANAGER_SCHEDULER_ORDER_H

#include <stddef.h>
#include <stdint.h>

/* A zeroed struct is empty. */
struct sched_order {
    uint32_t *nodes;  /* sorted by tasks */
    uint32_t *starts; /* of level t, for t in [0, level_count]; the last one is count */
    uint32_t *places; /* of a node in @nodes */
    uint32_t count, capacity, level_count, level_capacity, place_capacity;
};

void sched_order_deinit(struct sched_order *order);
void sched_order_insert(struct sched_order *order, uint32_t node, uint32_t tasks);
void sched_order_remove(struct sched_order *order, uint32_t node, uint32_t tasks);
void sched_order_raise(struct sched_order *order, uint32_t node, uint32_t tasks); /* from @tasks to one more */
void sched_order_lower(struct sched_order *order, uint32_t node, uint32_t tasks); /* from @tasks to one less */

#endif
