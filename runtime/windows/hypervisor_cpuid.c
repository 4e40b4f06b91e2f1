/* runtime/windows/hypervisor_cpuid.c – see hypervisor.h. */
#include "runtime/windows/hypervisor.h"

#include <cpuid.h>
#include <string.h>

#define HYPERVISOR_PRESENT (1u << 31) /* leaf 1, ECX */
#define LEAF_VENDOR        0x40000000u
#define LEAF_PRIVILEGES    0x40000003u
#define CREATE_PARTITIONS  1u /* EBX */

bool hypervisor_is_ours(void)
{
    unsigned a, b, c, d;
    char vendor[13] = "";

    __cpuid(1, a, b, c, d);
    if (!(c & HYPERVISOR_PRESENT))
        return false;
    __cpuid(LEAF_VENDOR, a, b, c, d);
    memcpy(vendor, &b, sizeof b);
    memcpy(vendor + 4, &c, sizeof c);
    memcpy(vendor + 8, &d, sizeof d);
    if (a < LEAF_PRIVILEGES || strcmp(vendor, "Microsoft Hv") != 0)
        return false;
    __cpuid(LEAF_PRIVILEGES, a, b, c, d);
    return b & CREATE_PARTITIONS;
}
