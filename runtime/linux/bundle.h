/* runtime/linux/bundle.h – the OCI config.json for a compute system, from its document and what the host added to it.
 *
 * Pure: paths and ids have been looked up by the caller. Defaults are Docker's: mounts of /proc, /dev and /sys, masked and read-only paths,
 * device rules, environment. */
#ifndef SKEP_RUNTIME_LINUX_BUNDLE_H
#define SKEP_RUNTIME_LINUX_BUNDLE_H

#include "runtime/linux/accounts.h"
#include "runtime/linux/capabilities.h"

struct bundle_mount {
    const char *source; /* on the host; NULL for a tmpfs */
    const struct document_mount *mount;
};

struct bundle {
    const struct document *document;
    const char *root_path, *hostname;                          /* hostname: as the system sees it */
    const char *hosts_path, *hostname_path, *resolv_conf_path; /* bound over /etc's */
    const char *cgroup_path;                                   /* "/skep/<id>" */
    const char *init_path;                                     /* bound to /sbin/docker-init; only where the document wants one */
    const char *apparmor_profile;                              /* NULL: none */
    const char *netns_path;                                    /* of the network namespace; NULL: the host's */
    const char *files_dir;                                     /* where the document's Files lie as "0", "1", …; NULL: no files */
    const struct bundle_mount *mounts;                         /* in the document's order */
    size_t mount_count;
    struct account account;
    capability_set capabilities;
    int cpu_count; /* of the host: Container.Processor.Maximum is a part of it */
    bool has_swap_limit, is_cgroup_v2;
};

cJSON *bundle_config(const struct bundle *bundle); /* freed by the caller */

/* The OCI process object for one more process: @process over the system's own. */
cJSON *bundle_process(const struct bundle *bundle, const struct document_process *process);

#endif
