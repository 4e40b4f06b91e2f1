/* raft/log/inspect.h – a log that nobody uses, looked at and mended by a person: `skep raft dump|check|repair`.
 *
 * All three refuse a directory that a manager has open (ERR_AGAIN) and one that holds no log (ERR_NOT_FOUND). Looking changes nothing. */
#ifndef SKEP_RAFT_LOG_INSPECT_H
#define SKEP_RAFT_LOG_INSPECT_H

#include <stdio.h>

#include "raft/log/disk.h"
#include "raft/log/seal.h"

struct raft_inspect_options {
    const struct raft_disk *disk;
    const char *dir;
    const struct raft_keys *keys; /* what is encrypted with others is checked, but not shown */
    bool with_data;               /* dump: the bytes of entries too, in hex */
};

/* A line for each segment, record and snapshot, up to the damage if there is any; then what raft_inspect_check() says. */
int raft_inspect_dump(const struct raft_inspect_options *options, FILE *out, struct error *err);

/* 0: the log would open; what it holds, and what opening would cut, is printed. ERR_CORRUPT and the others of raft_log_open(). */
int raft_inspect_check(const struct raft_inspect_options *options, FILE *out, struct error *err);

/* Cut at the first damage and keep a copy of what is cut, in files named "….cut" and "….cut-<offset>" beside the segments. The newest term
 * and vote that can still be read behind the damage are kept, so that this member does not vote twice. What it means for the quorum is
 * printed. Without @force nothing is changed and ERR_PRECONDITION says what would be. Nothing to mend: 0, and says so. */
int raft_inspect_repair(const struct raft_inspect_options *options, bool force, FILE *out, struct error *err);

/* For the three: the lock, given back by raft_disk_close(). */
int raft_inspect_lock(const struct raft_inspect_options *options, int *file, struct error *err);

#endif
