/* What a Linux host says of itself. */
#include <errno.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/description.h"
#include "base/clock.h"

int host_facts_read(struct host_facts *facts, struct error *err)
{
    struct utsname name;
    struct sysinfo memory;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    if (uname(&name) < 0)
        return error_set(err, ERR_INTERNAL, "describe the host: uname: %s", strerror(errno));
    if (sysinfo(&memory) < 0)
        return error_set(err, ERR_INTERNAL, "describe the host: sysinfo: %s", strerror(errno));
    if (cpus < 1)
        return error_set(err, ERR_INTERNAL, "describe the host: the number of processors is not known");
    *facts = (struct host_facts){.os = "linux"};
    if (strlen(name.machine) >= sizeof facts->architecture)
        return error_set(err, ERR_INTERNAL, "describe the host: the machine's name is %zu characters long", strlen(name.machine));
    memcpy(facts->architecture, name.machine, strlen(name.machine) + 1);
    facts->nano_cpus = (int64_t)cpus * (int64_t)NS_PER_S;
    facts->memory_bytes = (int64_t)memory.totalram * (int64_t)memory.mem_unit;
    return 0;
}
