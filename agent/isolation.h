/* agent/isolation.h – may this image run on this node with this isolation? The rule of the design as a pure function: the scheduler's
 * answer is checked here once more before anything is created.
 *
 * Source: design.md "Isolation and operating system: the rule"; Windows' builds: hcs.md §6.2. */
#ifndef SKEP_AGENT_ISOLATION_H
#define SKEP_AGENT_ISOLATION_H

#include <stdbool.h>

#include "base/error.h"
#include "runtime/document.h"

/* What the node is. Strings borrowed. */
struct isolation_host {
    const char *node;              /* its name, for messages */
    const char *os, *architecture; /* spelled freely: x86_64 is amd64 */
    const char *os_version;        /* Windows: "10.0.20348.2113" */
    bool offers_process, offers_hyperv;
    const char *process_missing, *hyperv_missing; /* why not, where not; may be NULL */
    enum document_isolation preferred;            /* the node's default: ISOLATION_PROCESS or ISOLATION_HYPERV */
};

/* What the image is for. "" or NULL: not known, which fits everything. */
struct isolation_image {
    const char *os, *architecture, *os_version;
};

/* Choose the isolation for a wish. On refusal ERR_UNSUPPORTED with the node, the rule, what was wanted and what was there; where hyperv
 * would do it says so. @out is ISOLATION_PROCESS or ISOLATION_HYPERV. */
int isolation_choose(const struct isolation_host *host, const struct isolation_image *image, enum document_isolation wish,
                     enum document_isolation *out, struct error *err);

/* "process", "hyperv", "default". */
const char *isolation_name(enum document_isolation isolation);

#endif
