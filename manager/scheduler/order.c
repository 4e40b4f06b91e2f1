/* manager/scheduler/order.c – see order.h. */
#include "manager/scheduler/order.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

enum { SMALLEST = 16 };

void sched_order_deinit(struct sched_order *order)
{
    free(order->nodes);
    free(order->starts);
    free(order->places);
    *order = (struct sched_order){0};
}

static uint32_t *grown(uint32_t *array, uint32_t *capacity, uint32_t wanted)
{
    if (wanted <= *capacity)
        return array;
    uint32_t size = *capacity ? *capacity : SMALLEST;
    while (size < wanted)
        size *= 2;
    *capacity = size;
    return mem_resize(array, size * sizeof *array);
}

/* Levels 0 … @tasks exist afterwards. */
static void need_level(struct sched_order *order, uint32_t tasks)
{
    if (tasks < order->level_count)
        return;
    order->starts = grown(order->starts, &order->level_capacity, tasks + 2);
    if (order->level_count == 0)
        order->starts[0] = 0;
    for (uint32_t t = order->level_count; t <= tasks; t++)
        order->starts[t + 1] = order->count;
    order->level_count = tasks + 1;
}

static void put(struct sched_order *order, uint32_t place, uint32_t node)
{
    order->nodes[place] = node;
    order->places[node] = place;
}

static void swap(struct sched_order *order, uint32_t a, uint32_t b)
{
    uint32_t node_a = order->nodes[a], node_b = order->nodes[b];
    put(order, a, node_b);
    put(order, b, node_a);
}

void sched_order_insert(struct sched_order *order, uint32_t node, uint32_t tasks)
{
    need_level(order, tasks);
    order->nodes = grown(order->nodes, &order->capacity, order->count + 1);
    order->places = grown(order->places, &order->place_capacity, node + 1);
    uint32_t hole = order->count;
    for (uint32_t t = order->level_count - 1; t > tasks; t--) {
        uint32_t first = order->starts[t]++;
        if (first != hole) /* else the level is empty */
            put(order, hole, order->nodes[first]);
        hole = first;
    }
    put(order, hole, node);
    order->starts[order->level_count] = ++order->count;
}

void sched_order_remove(struct sched_order *order, uint32_t node, uint32_t tasks)
{
    uint32_t hole = order->places[node];
    for (uint32_t t = tasks; t < order->level_count; t++) {
        uint32_t last = --order->starts[t + 1];
        if (last != hole) /* else the level is empty, or the node was its last */
            put(order, hole, order->nodes[last]);
        hole = last;
    }
    order->count--;
}

void sched_order_raise(struct sched_order *order, uint32_t node, uint32_t tasks)
{
    need_level(order, tasks + 1);
    assert(order->places[node] >= order->starts[tasks] && order->places[node] < order->starts[tasks + 1]);
    swap(order, order->places[node], --order->starts[tasks + 1]);
}

void sched_order_lower(struct sched_order *order, uint32_t node, uint32_t tasks)
{
    assert(tasks > 0 && order->places[node] >= order->starts[tasks] && order->places[node] < order->starts[tasks + 1]);
    swap(order, order->places[node], order->starts[tasks]++);
}
