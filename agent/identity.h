/* agent/identity.h – what makes this host that node, on disk: <state>/node/.
 *
 *     version      the format of this directory
 *     ca.crt       the cluster's root CA, a PEM bundle
 *     node.crt     our certificate, leaf first; .node.crt while a new pair is being written
 *     node.key     its key, 0600, with SwarmKit's header lines; encrypted while this node is a manager that locks itself
 *     state.json   the managers we know, our addresses, and how far a join has come
 *     join.key     the key of a join that is under way
 *
 * Both keys lie under the host's own key where it has one (base/guard.h).
 *
 * A crash at any moment leaves the old identity or the new one. A pair is written in this order: new certificate to .node.crt, key over
 * node.key, .node.crt over node.crt; so a key that does not fit node.crt fits .node.crt, and opening puts that right. A new root is put in
 * front of the old one until the pair is in place. The directory is 0700 and no other program writes in it.
 *
 * What node.key is encrypted with is another's business (daemon/vault.h): here it is bytes that identity_unlock() and identity_set_lock()
 * are given. The file has SwarmKit's form, "ENCRYPTED PRIVATE KEY", and OpenSSL opens it with those bytes. */
#ifndef SKEP_AGENT_IDENTITY_H
#define SKEP_AGENT_IDENTITY_H

#include <stdbool.h>

#include "agent/remotes.h"
#include "base/buf.h"
#include "proto/identity/certificate.h"
#include "proto/identity/keyfile.h"

#define IDENTITY_VERSION         1
#define IDENTITY_LOCK_SIZE_BYTES 32

/* A join that has not ended. It goes on from here after a crash, with the same key, so that the cluster gets one node and not two. */
struct identity_join {
    bool is_pending;
    uint8_t ca_digest[SHA256_SIZE_BYTES]; /* of which cluster */
    struct buf root_pem, key_pem, request_pem;
    char *node_id; /* NULL until the manager has given one: from then on no token is needed */
};

/* Read the fields freely; change them through the functions, which write to disk first. */
struct identity {
    char *dir;
    bool has_certificate; /* in a swarm: the next four are there */
    bool is_locked;       /* but for the key: node.key is encrypted, and identity_unlock() was not called */
    bool has_lock;        /* node.key is to be encrypted with the next */
    uint8_t lock[IDENTITY_LOCK_SIZE_BYTES];
    struct buf root_pem, chain_pem;
    struct keyfile key;
    struct certificate certificate;
    struct remotes remotes;
    char *listen_addr, *advertise_addr, *data_path_addr; /* NULL when not given */
    struct identity_join join;

    /* For tests: called before each change on disk with words for it; a negative result is returned as if the disk had failed. */
    int (*fault)(void *ctx, const char *change, struct error *err);
    void *fault_ctx;
};

/* Open <state_dir>/node, make it when it is not there, finish what a crash interrupted. ERR_VERSION for a directory of another version,
 * ERR_PERMISSION and ERR_NO_SPACE naming the directory, ERR_CORRUPT for contents that nothing can be made of. */
int identity_open(const char *state_dir, struct identity **out, struct error *err);
void identity_free(struct identity *identity);

/* The same with a fault point set from the start: see struct identity. */
int identity_open_with(const char *state_dir, int (*fault)(void *ctx, const char *change, struct error *err), void *fault_ctx,
                       struct identity **out, struct error *err);

/* Open node.key with @lock, which also is set from then on; a key that lies there in clear is encrypted. ERR_PERMISSION: the key is not
 * under @lock. */
int identity_unlock(struct identity *identity, const uint8_t lock[IDENTITY_LOCK_SIZE_BYTES], struct error *err);

/* node.key, now and whenever it is written, is encrypted with @lock (copied), or in clear where it is NULL. After an error all is as
 * before. Not while is_locked. */
int identity_set_lock(struct identity *identity, const uint8_t *lock, struct error *err);

/* A certificate for our key: after a join (which it ends) and after each renewal. @key_pem is PKCS#8 without headers; the header lines of
 * the present key are kept. @root_pem may be what we have already. Everything is copied. */
int identity_store(struct identity *identity, struct bytes root_pem, struct bytes chain_pem, struct bytes key_pem, struct error *err);

int identity_store_root(struct identity *identity, struct bytes root_pem,
                        struct error *err); /* a rotated root under which our chain holds */

/* Keep how far a join has come; the strings and buffers are copied. With @join NULL what was kept is forgotten. */
int identity_store_join(struct identity *identity, const struct identity_join *join, struct error *err);
void identity_join_deinit(struct identity_join *join);

int identity_store_addresses(struct identity *identity, const char *listen_addr, const char *advertise_addr, const char *data_path_addr,
                             struct error *err);
int identity_store_remotes(struct identity *identity, struct error *err); /* after identity->remotes was changed */

/* Leave: removes certificate and key first, then the rest. The struct is then that of a node in no swarm. */
int identity_erase(struct identity *identity, struct error *err);

#endif
