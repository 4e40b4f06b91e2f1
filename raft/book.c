/* raft/book.c – see book.h. */
#include "raft/book.h"

#include <stdlib.h>

#include "base/mem.h"
#include "proto/message.h"
#include "proto/swarmkit/raft.pb-c.h"

void raft_member_deinit(struct raft_member *member)
{
    free((char *)(uintptr_t)member->node_id);
    free((char *)(uintptr_t)member->address);
    *member = (struct raft_member){0};
}

void raft_book_deinit(struct raft_book *book)
{
    for (size_t i = 0; i < book->count; i++)
        raft_member_deinit(&book->members[i]);
    free(book->members);
    free(book->removed);
    *book = (struct raft_book){0};
}

static size_t place_of(const struct raft_book *book, uint64_t id)
{
    size_t at = 0;
    while (at < book->count && book->members[at].id < id)
        at++;
    return at;
}

static struct raft_member *find(const struct raft_book *book, uint64_t id)
{
    size_t at = place_of(book, id);
    return at < book->count && book->members[at].id == id ? &book->members[at] : NULL;
}

const struct raft_member *raft_book_find(const struct raft_book *book, uint64_t id)
{
    return find(book, id);
}

bool raft_book_is_removed(const struct raft_book *book, uint64_t id)
{
    for (size_t i = 0; i < book->removed_count; i++)
        if (book->removed[i] == id)
            return true;
    return false;
}

static struct raft_member copy(const struct raft_member *member)
{
    return (struct raft_member){member->id, mem_string(member->node_id ? member->node_id : ""),
                                mem_string(member->address ? member->address : "")};
}

int raft_book_put(struct raft_book *book, const struct raft_member *member, struct error *err)
{
    size_t at = place_of(book, member->id);

    if (member->id == 0 || (member->address && strlen(member->address) >= RAFT_ADDRESS_SIZE_CHARS) ||
        (member->node_id && strlen(member->node_id) >= RAFT_ADDRESS_SIZE_CHARS))
        return error_set(err, ERR_INVALID, "raft: member %llx: its id is 0, or its address or node id too long",
                         (unsigned long long)member->id);
    if (raft_book_is_removed(book, member->id))
        return error_set(err, ERR_PRECONDITION, "raft: member %llx was removed: it comes back only under a new id",
                         (unsigned long long)member->id);
    if (at < book->count && book->members[at].id == member->id) {
        struct raft_member old = book->members[at];
        book->members[at] = copy(member); /* which may point into the old one */
        raft_member_deinit(&old);
        return 0;
    }
    if (book->count == 2 * RAFT_MEMBERS_COUNT)
        return error_set(err, ERR_LIMIT, "raft: the addresses of more than %d members", 2 * RAFT_MEMBERS_COUNT);
    book->members = mem_resize(book->members, (book->count + 1) * sizeof *book->members);
    memmove(book->members + at + 1, book->members + at, (book->count - at) * sizeof *book->members);
    book->members[at] = copy(member);
    book->count++;
    return 0;
}

void raft_book_remove(struct raft_book *book, uint64_t id)
{
    struct raft_member *member = find(book, id);

    if (member) {
        raft_member_deinit(member);
        size_t at = (size_t)(member - book->members);
        memmove(member, member + 1, (book->count - at - 1) * sizeof *member);
        book->count--;
    }
    if (raft_book_is_removed(book, id))
        return;
    if (book->removed_count == RAFT_REMOVED_COUNT) { /* one so old has long given up */
        memmove(book->removed, book->removed + 1, (RAFT_REMOVED_COUNT - 1) * sizeof *book->removed);
        book->removed_count--;
    }
    book->removed = mem_resize(book->removed, (book->removed_count + 1) * sizeof *book->removed);
    book->removed[book->removed_count++] = id;
}

void raft_member_write(const struct raft_member *member, struct buf *out)
{
    Docker__Swarmkit__V1__RaftMember wire = DOCKER__SWARMKIT__V1__RAFT_MEMBER__INIT;
    Docker__Swarmkit__V1__RaftMemberStatus status = DOCKER__SWARMKIT__V1__RAFT_MEMBER_STATUS__INIT;

    wire.raft_id = member->id;
    wire.node_id = (char *)(uintptr_t)(member->node_id ? member->node_id : "");
    wire.addr = (char *)(uintptr_t)(member->address ? member->address : "");
    wire.status = &status; /* sent even when empty */
    message_pack(&wire.base, out);
}

int raft_member_read(struct bytes bytes, struct raft_member *out, struct error *err)
{
    Docker__Swarmkit__V1__RaftMember *wire = NULL;

    if (MESSAGE_UNPACK(Docker__Swarmkit__V1__RaftMember, docker__swarmkit__v1__raft_member, bytes, RAFT_CONF_CHANGE_SIZE_BYTES, &wire,
                       err) < 0)
        return error_wrap(err, "raft member");
    *out = copy(&(struct raft_member){wire->raft_id, wire->node_id, wire->addr});
    message_free(&wire->base);
    return 0;
}
