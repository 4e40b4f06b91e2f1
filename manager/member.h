/* manager/member.h – which member of the Raft group this host is, on disk: <dir>/member.json.
 *
 *     {"version":1,"raftId":"5f0c…","address":"10.0.0.7:2377","isJoined":true,"keys":[{"id":1,"key":"<base64>"}]}
 *
 * While managers lock themselves a key is {"id":1,"sealed":"<text>"}: sealed (proto/identity/sealed.h) under the lock that the caller has;
 * what that is under in turn is the caller's business.
 *
 * isJoined comes with the log's first opening: until then a crash leaves nothing worth keeping but the key.
 * The Raft log beside it (<dir>/raft) is encrypted under the newest of the keys. 0600, written so that a crash leaves the old or the new.
 */
#ifndef SKEP_MANAGER_MEMBER_H
#define SKEP_MANAGER_MEMBER_H

#include "base/random.h"
#include "proto/identity/sealed.h"
#include "raft/log/seal.h"

#define MEMBER_VERSION 1

struct member {
    uint64_t raft_id; /* 0: it is none yet */
    char *address;    /* where the others reach it; owned */
    bool is_joined;
    bool is_sealed; /* as read: all keys lay there sealed */
    struct raft_keys keys;
};
void member_deinit(struct member *member); /* wipes the keys */

/* What is in @dir; zeroed where there is nothing. @lock opens what is sealed, and may be NULL: then that is ERR_PERMISSION, as it is with
 * another lock. ERR_CORRUPT naming the file, ERR_VERSION, ERR_PERMISSION, ERR_IO. */
int member_read(const char *dir, const uint8_t *lock, struct member *out, struct error *err);

/* Makes @dir, 0700. @lock NULL: the keys are in clear. */
int member_write(const char *dir, const struct member *member, const uint8_t *lock, const struct random *random, struct error *err);

/* One more, current from now on. ERR_LIMIT: too many not forgotten yet. */
int member_make_key(struct member *member, const struct random *random, struct error *err);

int member_erase(const char *dir, struct error *err); /* the whole directory; nothing there is no error */

#endif
