/* manager/scheduler/ports.c – see ports.h. */
#include "manager/scheduler/ports.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void sched_ports_deinit(struct sched_ports *ports)
{
    free(ports->uses);
    *ports = (struct sched_ports){0};
}

/* Where @key lies, or would. */
static size_t place_of(const struct sched_ports *ports, uint32_t key)
{
    size_t low = 0, high = ports->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ports->uses[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool sched_ports_has(const struct sched_ports *ports, uint32_t key)
{
    size_t place = place_of(ports, key);
    return place < ports->count && ports->uses[place].key == key;
}

void sched_ports_take(struct sched_ports *ports, uint32_t key)
{
    size_t place = place_of(ports, key);
    if (place < ports->count && ports->uses[place].key == key) {
        ports->uses[place].count++;
        return;
    }
    if (ports->count == ports->capacity) {
        ports->capacity = ports->capacity ? 2 * ports->capacity : 4;
        ports->uses = mem_resize(ports->uses, ports->capacity * sizeof *ports->uses);
    }
    memmove(ports->uses + place + 1, ports->uses + place, (ports->count - place) * sizeof *ports->uses);
    ports->uses[place] = (struct sched_port_use){key, 1};
    ports->count++;
}

void sched_ports_give(struct sched_ports *ports, uint32_t key)
{
    size_t place = place_of(ports, key);
    assert(place < ports->count && ports->uses[place].key == key);
    if (--ports->uses[place].count > 0)
        return;
    ports->count--;
    memmove(ports->uses + place, ports->uses + place + 1, (ports->count - place) * sizeof *ports->uses);
}
