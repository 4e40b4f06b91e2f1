/* runtime/linux/cgroup.h – what the kernel counts for a cgroup, in both of its hierarchies' versions. */
#ifndef SKEP_RUNTIME_LINUX_CGROUP_H
#define SKEP_RUNTIME_LINUX_CGROUP_H

#include "base/arena.h"
#include "runtime/hcs.h"

bool cgroup_is_v2(void); /* how this host has it mounted */
bool cgroup_has_swap_limit(bool is_v2);

void cgroup_use_root(const char *path); /* for tests: another place than /sys/fs/cgroup; borrowed */

/* crun refuses hosts where version 1 is mounted beside a version 2 that still holds controllers. Where @refusal, what crun said, is that:
 * mount those controllers as version 1, where it has its others. A change to the whole host, so it is made only then, once, and logged.
 * True: a start may be tried again. From any thread. */
bool cgroup_settle_hybrid(const char *refusal);

/* @path as in the bundle: "/skep/<id>". Missing files leave zeros. The memory counters' names live in @arena. */
void cgroup_statistics(bool is_v2, const char *path, struct arena *arena, struct hcs_statistics *out);
bool cgroup_was_oom_killed(bool is_v2, const char *path);
void cgroup_thaw(bool is_v2, const char *path);
void cgroup_kill(bool is_v2, const char *path);   /* every process in it */
void cgroup_remove(bool is_v2, const char *path); /* where it is empty */

/* The text of /proc/<pid>/net/dev. Names live in @arena. Pure. */
void cgroup_read_networks(const char *text, struct arena *arena, struct hcs_statistics *out);

/* Interfaces of the network namespace of @pid, by /proc/<pid>/net/dev. */
void cgroup_network_statistics(int pid, struct arena *arena, struct hcs_statistics *out);

#endif
