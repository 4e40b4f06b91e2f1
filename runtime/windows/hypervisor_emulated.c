/* runtime/windows/hypervisor_emulated.c – tests: the emulated HCS starts what it calls virtual machines where the environment says so. */
#include "runtime/windows/hypervisor.h"

#include <stdlib.h>
#include <string.h>

bool hypervisor_is_ours(void)
{
    const char *said = getenv("SKEP_EMULATED_HYPERVISOR");
    return said && strcmp(said, "1") == 0;
}
