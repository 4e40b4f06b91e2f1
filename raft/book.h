/* raft/book.h – who the members are beside their raft ids: node ids, addresses, and those that were removed.
 *
 * It follows what is committed (a change's context is a RaftMember, swarmkit-wire §6.6) and what an owner knows from elsewhere: the answer
 * to a join, a restored image. */
#ifndef SKEP_RAFT_BOOK_H
#define SKEP_RAFT_BOOK_H

#include "base/buf.h"

/* Texts are copied on the way in, borrowed on the way out until the book changes. */
struct raft_member {
    uint64_t id;
    const char *node_id; /* the certificate's CN; "" where it is not known: then nobody is bound to it */
    const char *address; /* "host:port" */
};

/* A zeroed struct is an empty book. */
struct raft_book {
    struct raft_member *members; /* by id; texts owned */
    size_t count;
    uint64_t *removed; /* oldest first */
    size_t removed_count;
};

void raft_book_deinit(struct raft_book *book);

/* Add, or change what is known. ERR_INVALID: id 0 or a text too long; ERR_PRECONDITION: it was removed; ERR_LIMIT. */
int raft_book_put(struct raft_book *book, const struct raft_member *member, struct error *err);
void raft_book_remove(struct raft_book *book, uint64_t id);                          /* for good */
const struct raft_member *raft_book_find(const struct raft_book *book, uint64_t id); /* NULL: not known */
bool raft_book_is_removed(const struct raft_book *book, uint64_t id);

/* A RaftMember's bytes: a membership change's context. ERR_INVALID. What raft_member_read() gives is freed with raft_member_deinit(). */
void raft_member_write(const struct raft_member *member, struct buf *out);
int raft_member_read(struct bytes bytes, struct raft_member *out, struct error *err);
void raft_member_deinit(struct raft_member *member);

#endif
