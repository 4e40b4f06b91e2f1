/* raft/log/log_inside.h – what the parts of the log share: open.c makes one, append.c fills the queue, log.c writes it, compact.c clears
 * up behind. */
#ifndef SKEP_RAFT_LOG_LOG_INSIDE_H
#define SKEP_RAFT_LOG_LOG_INSIDE_H

#include "raft/log/log.h"
#include "raft/log/scan.h"

/* Where a log stands: once with all that was appended, once with what is stable. Owned. */
struct log_mark {
    struct raft_hard_state hard;
    struct raft_snapshot snapshot;
    struct raft_conf_state conf;
    uint64_t conf_index, first_index, last_index, last_term;
    uint64_t version; /* changes with snapshot and conf, so that they are copied only then */
};
void log_mark_copy(struct log_mark *to, const struct log_mark *from); /* frees what @to had */
void log_mark_deinit(struct log_mark *mark);

struct raft_log {
    struct raft_disk disk;
    struct random random;
    char *dir;
    struct raft_keys keys;
    uint64_t segment_size_bytes, reserve_size_bytes, tail_keep_count;
    uint32_t snapshots_keep_count;
    struct raft_snapshot_store store;

    int lock_file, file;
    char *path; /* of the segment being written */
    struct raft_segment_header segment;
    uint64_t position; /* where the next flush writes; all before it is stable */
    uint32_t previous; /* crc of the record before it */
    struct raft_sealer sealer;
    struct raft_segment_info *segments; /* the last is the one being written */
    size_t segments_count;
    bool wants_segment; /* the next flush begins one */

    struct buf queue;  /* records that wait, not sealed: their place is known when they are written */
    struct buf sealed; /* the queue as it goes to disk */
    struct log_mark queued, stable;
    bool is_full;
    char *failure; /* NULL: none */
    uint64_t flushes_count, written_bytes;
};

int log_check_alive(const struct raft_log *log, struct error *err); /* ERR_IO with the first failure */
int log_fail(struct raft_log *log, struct error *err);              /* for good; @err says why, and is given back with the way out */
void log_free(struct raft_log *log);

/* Make the next segment, @size_bytes or as much as it takes, with the stable mark and then the queue in it. */
int log_begin_segment(struct raft_log *log, uint64_t size_bytes, struct error *err);

char *log_reserve_path(const char *dir);
int log_make_reserve(struct raft_log *log, struct error *err);

#endif
