/* manager/scheduler/ports.h – the host-mode ports that the tasks of one node hold. */
#ifndef SKEP_MANAGER_SCHEDULER_PORTS_H
#define SKEP_MANAGER_SCHEDULER_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A port with its protocol as one number. */
static inline uint32_t sched_port_key(uint32_t protocol, uint32_t port)
{
    return protocol << 16 | (port & 0xffff);
}

struct sched_port_use {
    uint32_t key, count; /* more than one where tasks were placed by hand, or by another scheduler */
};

/* A zeroed struct is empty. Sorted by key. */
struct sched_ports {
    struct sched_port_use *uses;
    size_t count, capacity;
};

void sched_ports_deinit(struct sched_ports *ports);
bool sched_ports_has(const struct sched_ports *ports, uint32_t key);
void sched_ports_take(struct sched_ports *ports, uint32_t key);
void sched_ports_give(struct sched_ports *ports, uint32_t key); /* which was taken */

#endif
