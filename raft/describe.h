/* raft/describe.h – consensus as text a person can read: messages, entries, members, what is to be done. In the form the field knows, so
 * that traces of different implementations can be laid side by side. Everything is appended to @out. */
#ifndef SKEP_RAFT_DESCRIBE_H
#define SKEP_RAFT_DESCRIBE_H

#include "base/buf.h"
#include "raft/core/raft.h"

void raft_describe_entry(const struct raft_entry *entry, struct buf *out);                        /* 2/14 EntryNormal "x" */
void raft_describe_entries(const struct raft_entry *entries, size_t count, struct buf *out);      /* one a line */
void raft_describe_message(const struct raft_message *message, struct buf *out);                  /* 1->2 MsgApp Term:1 …; no newline */
void raft_describe_hard_state(const struct raft_hard_state *hard, struct buf *out);               /* Term:1 Vote:2 Commit:3 */
void raft_describe_snapshot(const struct raft_snapshot *snapshot, struct buf *out);               /* Index:3 Term:1 ConfState:… */
void raft_describe_members(const struct raft_conf_state *conf, struct buf *out);                  /* voters=(1 2)&&(1) learners=(3) */
void raft_describe_conf_change(const struct raft_conf_change *change, struct buf *out);           /* v1 l2 r3 */
void raft_describe_progress(const struct raft_progress *progress, size_t count, struct buf *out); /* one a line */
void raft_describe_ready(const struct raft_ready *ready, struct buf *out);

#endif
