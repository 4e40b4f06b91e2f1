/* raft/conf_change.h – a change of the membership: what is proposed, what an entry of type CONF_CHANGE or CONF_CHANGE_V2 carries.
 *
 * Two encodings: the old one says one change of one member, the new one any number and how to get there (Raft thesis §4.3). Numbers and
 * bytes are raftpb's, swarmkit-wire §6.3. */
#ifndef SKEP_RAFT_CONF_CHANGE_H
#define SKEP_RAFT_CONF_CHANGE_H

#include "raft/types.h"

enum raft_conf_change_type {
    RAFT_ADD_VOTER = 0, /* or promote a learner */
    RAFT_REMOVE_MEMBER = 1,
    RAFT_UPDATE_MEMBER = 2, /* no change here; the owner finds news in the context */
    RAFT_ADD_LEARNER = 3    /* or demote a voter */
};

enum raft_transition {
    RAFT_TRANSITION_AUTO = 0,     /* one change: at once; more: joint, left by the leader itself */
    RAFT_TRANSITION_IMPLICIT = 1, /* joint, left by the leader itself */
    RAFT_TRANSITION_EXPLICIT = 2  /* joint until an empty change is proposed */
};

struct raft_conf_change_single {
    enum raft_conf_change_type type;
    uint64_t id; /* RAFT_NOBODY: the owner decided against it after it was proposed; nothing happens */
};

/* Owned. Without changes and with AUTO: leave the joint configuration. */
struct raft_conf_change {
    bool is_v1; /* of the old encoding: exactly one change, AUTO */
    enum raft_transition transition;
    struct raft_conf_change_single *changes;
    size_t count;
    struct raft_payload *context;
};

void raft_conf_change_add(struct raft_conf_change *change, enum raft_conf_change_type type, uint64_t id);
void raft_conf_change_deinit(struct raft_conf_change *change);

bool raft_conf_change_leaves_joint(const struct raft_conf_change *change);
bool raft_conf_change_enters_joint(const struct raft_conf_change *change, bool *auto_leave);

/* The entry to propose; its payload is held once for the caller. ERR_INVALID: the old encoding cannot say it. */
int raft_conf_change_encode(const struct raft_conf_change *change, struct raft_entry *entry, struct error *err);

/* What @entry says, in @out (overwritten). ERR_INVALID: no membership entry, malformed, or of a number we do not know. */
int raft_conf_change_decode(const struct raft_entry *entry, struct raft_conf_change *out, struct error *err);

#endif
