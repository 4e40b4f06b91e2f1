/* raft/log/snapshot.h – a state machine's image as a file, written and read in chunks, of any size in little memory.
 *
 * "<index>-<term>.snap", 16 hex digits each, beside the segments:
 *
 *     offset size
 *          0    8  "SKEPSNAP"
 *          8    4  version, 1
 *         12    4  crc          CRC-32C of bytes 0 to 12 and 16 to header_size
 *         16    4  header_size  a multiple of 8
 *         20    4  chunk_size   of the image's bytes in a chunk; only the last chunk has less
 *         24    4  key_id       0: not encrypted
 *         28    4  zero
 *         32    8  index        of the last entry it holds
 *         40    8  term         of that entry
 *         48   16  salt
 *         64       the members (payload.h)
 *
 *     then each chunk, its place given by its number:
 *          0    4  crc          CRC-32C of salt, number, and bytes 4 to 32
 *          4    4  size         as it lies here, with the tag where encrypted
 *          8    4  payload_crc
 *         12    4  zero
 *         16   12  nonce
 *         28    4  zero
 *         32       the bytes
 *
 *     and the end, 32 bytes, which is also the file's end:
 *          0    4  crc          as of a chunk whose number is 2^64 - 1
 *          4    4  zero
 *          8    4  total_crc    CRC-32C of the crc fields of all chunks in order
 *         12    4  zero
 *         16    8  size of the image
 *         24    8  "SKEPDONE"
 *
 * It is written to "….snap.<salt>.tmp" (two may be under way: one made here, one that a leader sends), synced, renamed, the directory
 * synced: a file with its right name is whole, or the disk broke it later. */
#ifndef SKEP_RAFT_LOG_SNAPSHOT_H
#define SKEP_RAFT_LOG_SNAPSHOT_H

#include "base/random.h"
#include "raft/log/disk.h"
#include "raft/log/seal.h"
#include "raft/types.h"

/* Where snapshots lie. All borrowed; for one thread at a time, together with the log that owns it. */
struct raft_snapshot_store {
    const struct raft_disk *disk;
    const struct raft_keys *keys;
    const struct random *random;
    const char *dir;
};

/* --- writing --- */

struct raft_snapshot_writer;

/* @meta (index, term, conf) is copied. Encrypted with the current key. ERR_NO_SPACE, ERR_IO. */
int raft_snapshot_writer_open(const struct raft_snapshot_store *store, const struct raft_snapshot *meta, struct raft_snapshot_writer **out,
                              struct error *err);
int raft_snapshot_writer_add(struct raft_snapshot_writer *writer, struct bytes part, struct error *err);
uint64_t raft_snapshot_writer_size(const struct raft_snapshot_writer *writer); /* of the image so far: where a sender goes on */
/* Sync, rename, sync the directory. Frees @writer, also on failure; then nothing is left behind. */
int raft_snapshot_writer_finish(struct raft_snapshot_writer *writer, struct error *err);
void raft_snapshot_writer_abandon(struct raft_snapshot_writer *writer); /* NULL is fine */

/* --- reading --- */

struct raft_snapshot_reader;

/* Checks header and end. ERR_NOT_FOUND, ERR_CORRUPT, ERR_VERSION, ERR_PERMISSION (key). */
int raft_snapshot_reader_open(const struct raft_snapshot_store *store, uint64_t index, uint64_t term, struct raft_snapshot_reader **out,
                              struct error *err);
const struct raft_snapshot *raft_snapshot_reader_meta(const struct raft_snapshot_reader *reader);
uint64_t raft_snapshot_reader_size(const struct raft_snapshot_reader *reader); /* of the image */
uint32_t raft_snapshot_reader_key(const struct raft_snapshot_reader *reader);
/* From @offset, any, to the end of its chunk; empty at the end of the image. Borrowed until the next call. ERR_CORRUPT, ERR_PERMISSION. */
int raft_snapshot_reader_read(struct raft_snapshot_reader *reader, uint64_t offset, struct bytes *out, struct error *err);
int raft_snapshot_reader_verify(struct raft_snapshot_reader *reader, struct error *err); /* all of it */
void raft_snapshot_reader_close(struct raft_snapshot_reader *reader);                    /* NULL is fine */

/* --- the files --- */

struct raft_snapshot_name {
    uint64_t index, term;
};
char *raft_snapshot_path(const char *dir, uint64_t index, uint64_t term); /* freed by the caller */
bool raft_snapshot_name_parse(const char *name, struct raft_snapshot_name *out);
/* The newest first; freed with free(). */
int raft_snapshot_list(const struct raft_snapshot_store *store, struct raft_snapshot_name **out, size_t *count, struct error *err);
int raft_snapshot_remove(const struct raft_snapshot_store *store, uint64_t index, uint64_t term, struct error *err); /* missing: fine */
/* Remove those beyond @index: the log does not know them, so nobody was told of them. */
int raft_snapshot_remove_beyond(const struct raft_snapshot_store *store, uint64_t index, struct error *err);
/* Of those up to @index keep the newest @keep_count; once the newest is under the current key, only those of them that are too. Those
 * beyond are about to be told to the log. */
int raft_snapshot_prune(const struct raft_snapshot_store *store, uint64_t index, size_t keep_count, struct error *err);
/* What number of key its header names, without needing the key. ERR_NOT_FOUND, ERR_CORRUPT, ERR_VERSION. */
int raft_snapshot_key(const struct raft_snapshot_store *store, uint64_t index, uint64_t term, uint32_t *key_id, struct error *err);
/* "….snap" to "….snap.broken", so that nobody uses it and someone can look at it. @name: freed by the caller. */
int raft_snapshot_set_aside(const struct raft_snapshot_store *store, uint64_t index, uint64_t term, char **name, struct error *err);

#endif
