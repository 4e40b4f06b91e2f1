/* raft/log/scan.h – reads a whole log directory without changing anything: for opening, for looking, for mending. */
#ifndef SKEP_RAFT_LOG_SCAN_H
#define SKEP_RAFT_LOG_SCAN_H

#include "raft/log/replay.h"
#include "raft/log/segment_read.h"

struct raft_segment_info {
    uint64_t sequence, next_index, size_bytes;
    uint32_t keys[RAFT_SEGMENT_KEYS_COUNT]; /* that its records are encrypted with; 0 among them: not encrypted */
    size_t keys_count;
};
void raft_segment_info_add_key(struct raft_segment_info *info, uint32_t key_id);

/* What a looker is shown. @plain has data NULL where the key was not given. */
struct raft_scan_view {
    void (*segment)(void *ctx, const char *path, const struct raft_segment_header *header);
    void (*record)(void *ctx, const struct raft_record *record, struct bytes plain);
    void *ctx;
};

struct raft_scan {
    struct raft_segment_info *segments;
    size_t segments_count;
    struct raft_log_state state;
    struct raft_segment_header last; /* header of the last segment that was read */
    char *last_path;
    uint64_t end_offset; /* where its good records end */
    uint32_t end_crc;
    struct raft_segment_end end; /* of the last one; set as far as the scan came */
    bool has_unread;             /* records that were not opened for want of a key, and that was allowed */
    bool is_damaged;             /* failed with ERR_CORRUPT at end_offset of last_path */
    struct raft_names names;     /* of the directory */
};

struct raft_scan_options {
    const struct raft_disk *disk;
    const char *dir;
    const struct raft_keys *keys;
    bool may_lack_keys;                /* go on without what is inside */
    const struct raft_scan_view *view; /* NULL: none */
};

/* ERR_CORRUPT names file and offset and the way out, ERR_PERMISSION a key; @scan then holds what was read so far. No segment at all is no
 * error: segments_count 0. */
int raft_scan_run(struct raft_scan *scan, const struct raft_scan_options *options, struct error *err);
void raft_scan_deinit(struct raft_scan *scan);

#endif
