/* runtime/windows/hypervisor.h – does a hypervisor run under this Windows that starts virtual machines for it? */
#ifndef SKEP_RUNTIME_WINDOWS_HYPERVISOR_H
#define SKEP_RUNTIME_WINDOWS_HYPERVISOR_H

#include <stdbool.h>

/* Microsoft's own, and we are its root partition: in a virtual machine without nested virtualization the same hypervisor shows, but makes
 * no partitions for us. What a program links decides: hypervisor_cpuid.c, or for tests hypervisor_emulated.c. Source: Microsoft's
 * Hypervisor Top-Level Functional Specification, CPUID leaves 0x40000000 and 0x40000003. */
bool hypervisor_is_ours(void);

#endif
