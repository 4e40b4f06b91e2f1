/* runtime/windows/schema.h – which form of HCS's documents a build of Windows understands, and with how much in it.
 *
 * HCS has two forms. Schema 1 (`ContainerConfig`) is what vmcompute.dll has taken since the first build; schema 2 (`ComputeSystem`) came
 * complete with computecore.dll in 17763. Members of a later minor version are refused by an earlier service, so a document is written in
 * the lowest version that says what it has to.
 *
 * Hyperv isolation has two sides. In schema 1 the service makes the virtual machine itself, of any guest; in schema 2 we make it, and its
 * guest must understand schema 2 as well, which it does from the same build on. Pure.
 *
 * Source: hcs.md §3.0 and §4.4, after Microsoft's "Schema version map" and its notes on which build took what. */
#ifndef SKEP_RUNTIME_WINDOWS_SCHEMA_H
#define SKEP_RUNTIME_WINDOWS_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/isolation.h"

enum windows_form { WINDOWS_FORM_1 = 1, WINDOWS_FORM_2 = 2 };

/* From this build on: the form for process isolation, for hyperv isolation, and the most that either takes. */
#define WINDOWS_SCHEMAS(X)                                                                                                                 \
    /* first build, its name,              process, hyperv, 2.x, named pipes, process limits at run time */                                \
    X(14393, "Windows Server 2016", 1, 1, 0, false, false)                                                                                 \
    X(16299, "Windows Server 1709", 1, 1, 0, true, false)                                                                                  \
    X(17763, "Windows Server 2019", 2, 2, 1, true, false)                                                                                  \
    X(18362, "Windows Server 1903", 2, 2, 2, true, false)                                                                                  \
    X(19041, "Windows Server 2004", 2, 2, 3, true, false)                                                                                  \
    X(19042, "Windows Server 20H2", 2, 2, 3, true, true)                                                                                   \
    X(20348, "Windows Server 2022", 2, 2, 5, true, true)                                                                                   \
    X(22000, "Windows 11", 2, 2, 6, true, true)

enum { WINDOWS_BUILD_MIN = 14393, WINDOWS_BUILD_COMPUTECORE = 17763 };

struct windows_schema {
    uint32_t first_build;
    const char *windows;
    enum windows_form process_form, hyperv_form;
    int minor; /* of schema 2: the host's; documents say 2.1 */
    bool has_pipes, has_processor_update;
};

/* ERR_UNSUPPORTED below 14393, in the words that Docker's users know. */
int windows_schema_for(uint32_t build, const struct windows_schema **out, struct error *err);

/* The form for a container on a host of @schema, which has computecore.dll or has not; @image_build: of its image, 0 where not known. */
enum windows_form windows_form_for(const struct windows_schema *schema, enum isolation isolation, bool has_core, uint32_t image_build);

/* The build in "10.0.20348.2113"; 0 where there is none. */
uint32_t windows_build_of(const char *os_version);

#endif
