/* raft/proposals.h – what callers want in the log: waiting to be appended, then appended and waiting to be committed and applied. Pure. */
#ifndef SKEP_RAFT_PROPOSALS_H
#define SKEP_RAFT_PROPOSALS_H

#include "base/error.h"
#include "raft/types.h"

/* @err NULL: committed, and applied here, at @index. ERR_CANCELED: the outcome is not known – it may be in the log, and may still be
 * committed. Any other code: it is certainly not in the log, and may be proposed again. Called once, on the loop. */
typedef void (*raft_proposed_fn)(void *ctx, uint64_t index, const struct error *err);

struct raft_proposal {
    struct raft_entry entry; /* term and index once it is appended */
    raft_proposed_fn fn;
    void *ctx;
};

/* A zeroed struct is empty. items[start … start + appended) are in the log in order, those behind wait. */
struct raft_proposals {
    struct raft_proposal *items;
    size_t start, appended, count, capacity; /* count: with the appended */
    uint64_t size_bytes;
};

void raft_proposals_deinit(struct raft_proposals *list); /* must be empty of callers: raft_proposals_fail() first */

/* The payload is held. ERR_LIMIT: RAFT_PROPOSALS_COUNT or RAFT_PROPOSALS_BYTES are there. */
int raft_proposals_add(struct raft_proposals *list, enum raft_entry_type type, struct raft_payload *payload, raft_proposed_fn fn, void *ctx,
                       struct error *err);

/* The next batch, copied into @entries (borrowed payloads): up to RAFT_BATCH_BYTES. */
void raft_proposals_next(const struct raft_proposals *list, struct raft_entries *entries);
void raft_proposals_appended(struct raft_proposals *list, size_t count, uint64_t first_index, uint64_t term);
void raft_proposals_refused(struct raft_proposals *list, size_t count, const struct error *err); /* certainly not in the log */

/* @entry is applied: answer whoever waits for its index. */
void raft_proposals_applied(struct raft_proposals *list, const struct raft_entry *entry);

/* We lead no more, or end. @why is put behind what is known of each. */
void raft_proposals_fail(struct raft_proposals *list, const char *why);

#endif
