/* raft/types.h – what consensus is made of: entries, hard state, membership, snapshots, messages.
 *
 * Numbers are those of etcd's raftpb, which is what managers speak (swarmkit-wire §6.3). The bytes an entry carries are shared, never
 * copied, between the log in memory, messages on their way and the thread that writes: struct raft_payload counts who holds them. The count
 * is touched by one thread only, the core's; another thread reads bytes that the core's owner holds for it. */
#ifndef SKEP_RAFT_TYPES_H
#define SKEP_RAFT_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define RAFT_ENTRY_TYPES(X)                                                                                                                \
    X(NORMAL, 0, "EntryNormal")                                                                                                            \
    X(CONF_CHANGE, 1, "EntryConfChange")                                                                                                   \
    X(CONF_CHANGE_V2, 2, "EntryConfChangeV2")

enum raft_entry_type {
#define X(name, number, text) RAFT_ENTRY_##name = (number),
    RAFT_ENTRY_TYPES(X)
#undef X
};

#define RAFT_MESSAGE_TYPES(X)                                                                                                              \
    X(HUP, 0, "MsgHup")                                                                                                                    \
    X(BEAT, 1, "MsgBeat")                                                                                                                  \
    X(PROPOSE, 2, "MsgProp")                                                                                                               \
    X(APPEND, 3, "MsgApp")                                                                                                                 \
    X(APPEND_RESPONSE, 4, "MsgAppResp")                                                                                                    \
    X(VOTE, 5, "MsgVote")                                                                                                                  \
    X(VOTE_RESPONSE, 6, "MsgVoteResp")                                                                                                     \
    X(SNAPSHOT, 7, "MsgSnap")                                                                                                              \
    X(HEARTBEAT, 8, "MsgHeartbeat")                                                                                                        \
    X(HEARTBEAT_RESPONSE, 9, "MsgHeartbeatResp")                                                                                           \
    X(UNREACHABLE, 10, "MsgUnreachable")                                                                                                   \
    X(SNAPSHOT_STATUS, 11, "MsgSnapStatus")                                                                                                \
    X(CHECK_QUORUM, 12, "MsgCheckQuorum")                                                                                                  \
    X(TRANSFER_LEADER, 13, "MsgTransferLeader")                                                                                            \
    X(TIMEOUT_NOW, 14, "MsgTimeoutNow")                                                                                                    \
    X(READ_INDEX, 15, "MsgReadIndex")                                                                                                      \
    X(READ_INDEX_RESPONSE, 16, "MsgReadIndexResp")                                                                                         \
    X(PRE_VOTE, 17, "MsgPreVote")                                                                                                          \
    X(PRE_VOTE_RESPONSE, 18, "MsgPreVoteResp")                                                                                             \
    X(STORAGE_APPEND, 19, "MsgStorageAppend")                                                                                              \
    X(STORAGE_APPEND_RESPONSE, 20, "MsgStorageAppendResp")                                                                                 \
    X(STORAGE_APPLY, 21, "MsgStorageApply")                                                                                                \
    X(STORAGE_APPLY_RESPONSE, 22, "MsgStorageApplyResp")                                                                                   \
    X(FORGET_LEADER, 23, "MsgForgetLeader")

enum raft_message_type {
#define X(name, number, text) RAFT_MESSAGE_##name = (number),
    RAFT_MESSAGE_TYPES(X)
#undef X
};

/* "MsgApp", "EntryNormal": as the field writes them; "unknown" for a number not in the list. */
const char *raft_message_type_name(int type);
const char *raft_entry_type_name(int type);

struct raft_payload {
    uint32_t holders;
    size_t size;
    uint8_t data[];
};

/* Copies @bytes; NULL for none. The caller holds the result once. */
struct raft_payload *raft_payload_new(struct bytes bytes);
struct raft_payload *raft_payload_hold(struct raft_payload *payload); /* returns it; NULL is fine */
void raft_payload_release(struct raft_payload *payload);              /* NULL is fine */

/* @payload is held by whoever owns the entry; NULL: an entry without bytes. */
struct raft_entry {
    uint64_t term, index;
    enum raft_entry_type type;
    struct raft_payload *payload;
};

static inline struct bytes raft_entry_bytes(const struct raft_entry *entry)
{
    return entry->payload ? bytes_of(entry->payload->data, entry->payload->size) : bytes_of(NULL, 0);
}

/* What it takes on the wire and in every size limit: its fields as raftpb.Entry encodes them, zeros included (swarmkit-wire §6.3). */
uint64_t raft_entry_size_bytes(const struct raft_entry *entry);

/* Entries in a row, growing. Owns its array and holds every payload once. A zeroed struct is an empty list. */
struct raft_entries {
    struct raft_entry *items;
    size_t count, capacity;
};
void raft_entries_add(struct raft_entries *list, const struct raft_entry *entry); /* copied; its payload is held once more */
void raft_entries_clear(struct raft_entries *list);                               /* keeps the memory */
void raft_entries_deinit(struct raft_entries *list);
struct raft_entry *raft_entries_copy(const struct raft_entry *entries, size_t count); /* payloads are held once more; NULL for none */

/* What must be stable before anything that rests on it is said. */
struct raft_hard_state {
    uint64_t term, vote, commit;
};

/* Members by id. Joint while @outgoing is not empty: then both majorities count. Each list sorted, without repeats. Owned. */
struct raft_ids {
    uint64_t *items;
    size_t count;
};

struct raft_conf_state {
    struct raft_ids voters, learners, voters_outgoing, learners_next;
    bool auto_leave;
};
bool raft_ids_has(const struct raft_ids *ids, uint64_t id);
void raft_ids_add(struct raft_ids *ids, uint64_t id); /* in its place; one that is there already stays */
bool raft_ids_remove(struct raft_ids *ids, uint64_t id);
bool raft_ids_equal(const struct raft_ids *a, const struct raft_ids *b);

void raft_conf_state_copy(struct raft_conf_state *to, const struct raft_conf_state *from); /* @to is overwritten, not freed first */
void raft_conf_state_deinit(struct raft_conf_state *conf);

/* A state machine's image at @index. The core never looks at @data; owners of large ones keep them elsewhere and leave it NULL. */
struct raft_snapshot {
    uint64_t index, term;
    struct raft_conf_state conf;
    struct raft_payload *data;
};
void raft_snapshot_copy(struct raft_snapshot *to, const struct raft_snapshot *from); /* @data is held once more */
void raft_snapshot_deinit(struct raft_snapshot *snapshot);

/* One message. Owns all it points at. Which fields mean what for which type: swarmkit-wire §6.3. */
struct raft_message {
    enum raft_message_type type;
    uint64_t to, from, term;
    uint64_t log_term, index; /* of the entry before @entries, or of the sender's last */
    struct raft_entry *entries;
    size_t entries_count;
    uint64_t commit, vote;
    struct raft_snapshot *snapshot; /* NULL: none */
    bool reject;
    uint64_t reject_hint;
    struct raft_payload *context;
    struct raft_message *responses; /* of STORAGE_APPEND and STORAGE_APPLY: to be sent once the work is done */
    size_t responses_count;
};
void raft_message_copy(struct raft_message *to, const struct raft_message *from); /* @to is overwritten; payloads are held once more */
void raft_message_deinit(struct raft_message *message);                           /* frees what it points at, zeroes it */

/* Messages in a row, growing. Owns them. A zeroed struct is an empty list. */
struct raft_messages {
    struct raft_message *items;
    size_t count, capacity;
};
void raft_messages_add(struct raft_messages *list, struct raft_message *message); /* taken: @message is zeroed */
void raft_messages_clear(struct raft_messages *list);                             /* keeps the memory */
void raft_messages_deinit(struct raft_messages *list);

/* The threads of asynchronous storage are written to like members; no member may have one of these ids. */
#define RAFT_NOBODY        UINT64_C(0)
#define RAFT_APPEND_THREAD UINT64_MAX
#define RAFT_APPLY_THREAD  (UINT64_MAX - 1)

#endif
