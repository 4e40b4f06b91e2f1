/* manager/scheduler/presence.c – see presence.h. Open addressing by the node's number; counts of 0 go when the table is made anew. */
#include "manager/scheduler/presence.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

enum { SMALLEST = 4 };

void sched_presence_deinit(struct sched_presence *presence)
{
    free(presence->slots);
    *presence = (struct sched_presence){0};
}

/* The slot of @node, or the free one where it would lie. */
static struct sched_presence_slot *slot_of(const struct sched_presence *presence, uint32_t node)
{
    uint32_t mask = presence->capacity - 1, i = (node * 2654435769u) >> 7 & mask;
    while (presence->slots[i].node_plus_one != 0 && presence->slots[i].node_plus_one != node + 1)
        i = (i + 1) & mask;
    return &presence->slots[i];
}

uint32_t sched_presence_count(const struct sched_presence *presence, uint32_t node)
{
    return presence->capacity == 0 ? 0 : slot_of(presence, node)->count;
}

static void make_anew(struct sched_presence *presence)
{
    struct sched_presence old = *presence;
    uint32_t live = 0;
    for (uint32_t i = 0; i < old.capacity; i++)
        live += old.slots[i].count > 0;
    presence->capacity = SMALLEST;
    while (presence->capacity < 2 * (live + 1))
        presence->capacity *= 2;
    presence->slots = mem_array(presence->capacity, sizeof *presence->slots);
    presence->used_count = live;
    for (uint32_t i = 0; i < old.capacity; i++)
        if (old.slots[i].count > 0)
            *slot_of(presence, old.slots[i].node_plus_one - 1) = old.slots[i];
    free(old.slots);
}

void sched_presence_add(struct sched_presence *presence, uint32_t node)
{
    struct sched_presence_slot *slot = presence->capacity == 0 ? NULL : slot_of(presence, node);
    if (!slot || slot->node_plus_one == 0) {
        if (4 * (presence->used_count + 1) > 3 * presence->capacity)
            make_anew(presence);
        slot = slot_of(presence, node);
        slot->node_plus_one = node + 1;
        presence->used_count++;
    }
    slot->count++;
}

void sched_presence_drop(struct sched_presence *presence, uint32_t node)
{
    assert(sched_presence_count(presence, node) > 0);
    slot_of(presence, node)->count--;
}
