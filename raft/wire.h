/* raft/wire.h – messages as raftpb.Message bytes, the way etcd's members write and read them (swarmkit-wire §6.3).
 *
 * Written by hand and not through protobuf-c: this is the path of every commit, and entries' bytes are copied once, from the wire into
 * their payload. What is written is what Docker 20.10 writes: every scalar, also zeros, and an empty snapshot on every message. What is
 * read is bounded and may be hostile; unknown fields are skipped, missing ones are zero, an empty snapshot is none (§9, trap 21). */
#ifndef SKEP_RAFT_WIRE_H
#define SKEP_RAFT_WIRE_H

#include "base/error.h"
#include "raft/types.h"

/* Appends @message. Its responses are local and are left out. */
void raft_wire_write(const struct raft_message *message, struct buf *out);
uint64_t raft_wire_size_bytes(const struct raft_message *message); /* what raft_wire_write() appends */

/* One chunk of a snapshot message: @message with @part in place of its snapshot's data. */
void raft_wire_write_part(const struct raft_message *message, struct bytes part, struct buf *out);

/* In @out (overwritten; the caller's). @data, if not NULL, gets the snapshot's data borrowed from @bytes instead of copied.
 * ERR_INVALID: malformed, of a type that does not travel, from or to nobody or one of a member's own threads, with a term or an index
 * beyond RAFT_NUMBER_MOST; ERR_LIMIT: too large. */
int raft_wire_read(struct bytes bytes, struct raft_message *out, struct bytes *data, struct error *err);

/* The envelope of Raft's RPCs and of our own stream: field 1 is a message, in the latter as often as there are messages. */
void raft_wire_wrap(const struct raft_message *message, struct buf *out);
void raft_wire_wrap_part(const struct raft_message *message, struct bytes part, struct buf *out);
/* The next one in @bytes, which moves on. 1: @message (borrowed); 0: no more; ERR_INVALID. */
int raft_wire_unwrap(struct bytes *bytes, struct bytes *message, struct error *err);

#endif
