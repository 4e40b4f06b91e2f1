/* base/isolation.h – may this image run on this node with this isolation? The rule of the design as a pure function: a manager's scheduler
 * asks it before it places a task, and the node once more before anything is created.
 *
 * Source: design.md "Isolation and operating system: the rule"; Windows' builds: hcs.md §6.2. */
#ifndef SKEP_BASE_ISOLATION_H
#define SKEP_BASE_ISOLATION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum isolation { ISOLATION_DEFAULT, ISOLATION_PROCESS, ISOLATION_HYPERV };

/* What the node is. Strings borrowed. */
struct isolation_host {
    const char *node;              /* its name, for messages */
    const char *os, *architecture; /* spelled freely: x86_64 is amd64 */
    const char *os_version;        /* Windows: "10.0.20348.2113" */
    bool offers_process, offers_hyperv;
    const char *process_missing, *hyperv_missing; /* why not, where not; may be NULL */
    enum isolation preferred;                     /* the node's default: ISOLATION_PROCESS or ISOLATION_HYPERV */
};

/* What the image is for. "" or NULL: not known, which fits everything. */
struct isolation_image {
    const char *os, *architecture, *os_version;
};

/* What the rule says of one host, image and wish. */
struct isolation_verdict {
    bool is_possible;
    enum isolation isolation;                                                             /* where possible: process or hyperv */
    enum isolation_check { ISOLATION_OS, ISOLATION_ARCHITECTURE, ISOLATION_KIND } failed; /* where not: the first check that failed */
    bool hyperv_would_work;                                                               /* where not, and process was wished for */
};

/* Judge, and where @why is not NULL say there why not, without naming the host: "isolation process: process isolation needs …". */
struct isolation_verdict isolation_judge(const struct isolation_host *host, const struct isolation_image *image, enum isolation wish,
                                         char *why, size_t size);

/* The same as a call that fails: ERR_UNSUPPORTED with the node, the rule, what was wanted and what was there; where hyperv would do it says
 * so. @out is ISOLATION_PROCESS or ISOLATION_HYPERV. */
int isolation_choose(const struct isolation_host *host, const struct isolation_image *image, enum isolation wish, enum isolation *out,
                     struct error *err);

const char *isolation_name(enum isolation isolation);                /* "process", "hyperv", "default" */
const char *isolation_architecture_normal(const char *architecture); /* "x86_64" is "amd64", "aarch64" is "arm64"; others as they are */

#endif
