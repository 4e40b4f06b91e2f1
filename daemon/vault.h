/* daemon/vault.h – what a manager's secrets on disk lie under while the managers of its swarm lock themselves: <state>/lock.json.
 *
 *     {"version":1,"kekVersion":181,"key":"<sealed>"}
 *
 * The vault has a random key of its own: with it node.key and the keys of the Raft log are encrypted (agent/identity.h, manager/member.h),
 * and here it lies sealed under the cluster's unlock key. So this file alone knows the unlock key. Another one takes the old one's place
 * with one rename: at no moment does one file need the old key and another the new. A lock is first written here and then applied to the
 * others, and taken from them before it goes here: after a crash in between the key that opens this file opens all.
 *
 * Without "key" nothing is locked. kekVersion is the cluster's version that says so; what an older one says, as it comes by again when a
 * manager reads up its log after a start, is history. */
#ifndef SKEP_DAEMON_VAULT_H
#define SKEP_DAEMON_VAULT_H

#include <stdbool.h>

#include "base/random.h"
#include "proto/identity/sealed.h"
#include "proto/identity/unlock_key.h"

#define VAULT_VERSION 1

/* Read the fields freely. */
struct vault {
    char *path;
    char *sealed; /* NULL: nothing is locked */
    bool is_open; /* @key is known */
    uint8_t key[SEALED_KEY_SIZE_BYTES];
    uint64_t kek_version;
    struct error damage; /* the file cannot be read: it stays locked, and every unlocking fails with this */
};

void vault_init(struct vault *vault, const char *state_dir);
void vault_deinit(struct vault *vault);

bool vault_is_locked(const struct vault *vault); /* its key is needed, and not known */

/* What the other files are to lie under; NULL: nothing, as far as is known. */
const uint8_t *vault_key(const struct vault *vault);

/* ERR_TRUST, in dockerd's words, for another key than the right one; ERR_CORRUPT: the file is damaged. */
int vault_unlock(struct vault *vault, const uint8_t kek[UNLOCK_KEY_SIZE_BYTES], struct error *err);
void vault_relock(struct vault *vault); /* forget the key again */

bool vault_is_under(const struct vault *vault, const uint8_t kek[UNLOCK_KEY_SIZE_BYTES]);

/* Under @kek from now on, with a new key where it had none. Not while it is locked. After an error all is as before. */
int vault_lock(struct vault *vault, const uint8_t kek[UNLOCK_KEY_SIZE_BYTES], uint64_t version, const struct random *random,
               struct error *err);
int vault_drop(struct vault *vault, uint64_t version, struct error *err); /* nothing is locked any more, since @version */
int vault_erase(struct vault *vault, struct error *err);                  /* this host is no manager: as if there had never been one */

#endif
