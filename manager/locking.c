/* manager/locking.c – what of a manager lies on disk follows the cluster: it tells its owner which unlock key the cluster has, and keeps
 * its own keys under the lock that the owner makes of it. */
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "manager/ca/unlock.h"
#include "manager/inside.h"

static const uint8_t *lock_of(const struct manager *manager)
{
    return manager->has_lock ? manager->lock : NULL;
}

static void set(struct manager *manager, const uint8_t *lock)
{
    manager->has_lock = lock != NULL;
    if (lock)
        memcpy(manager->lock, lock, sizeof manager->lock);
    else
        mem_wipe(manager->lock, sizeof manager->lock);
}

int locking_write(struct manager *manager, struct error *err)
{
    return member_write(manager->options.dir, &manager->member, lock_of(manager), &manager->options.random, err);
}

int locking_read(struct manager *manager, const uint8_t *lock, struct error *err)
{
    set(manager, lock);
    if (member_read(manager->options.dir, lock, &manager->member, err) < 0)
        return err->code;
    bool is_as_should_be = manager->member.raft_id == 0 || manager->member.is_sealed == (lock != NULL);
    return is_as_should_be ? 0 : locking_write(manager, err); /* a change that a crash broke off */
}

/* --- another lock --- */

/* The key that lay here in clear is given up: what comes is written with another one, and what there is goes with the next snapshot. */
static void renew_key(struct manager *manager)
{
    struct error err = {0};

    if (member_make_key(&manager->member, &manager->options.random, &err) < 0)
        log_warn(ROOM, "the Raft log keeps the key that lay on disk in clear: %s", err.message);
}

static void use_key(struct manager *manager)
{
    const struct raft_key *key = raft_keys_find(&manager->member.keys, manager->member.keys.current);
    struct error err = {0};

    if (manager->replica && key && raft_node_set_key(replica_raft(manager->replica), key->id, key->bytes, &err) < 0)
        log_warn(ROOM, "the Raft log goes on with the key that it has, until the next start: %s", err.message);
}

int manager_set_lock(struct manager *manager, const uint8_t *lock, struct error *err)
{
    bool was_open = !manager->has_lock;
    uint8_t before[SEALED_KEY_SIZE_BYTES];
    struct raft_keys keys = manager->member.keys;

    if (was_open ? lock == NULL
                 : lock && bytes_equal_constant_time(bytes_of(lock, SEALED_KEY_SIZE_BYTES), bytes_of(manager->lock, SEALED_KEY_SIZE_BYTES)))
        return 0;
    memcpy(before, manager->lock, sizeof before);
    set(manager, lock);
    if (was_open && manager->member.raft_id != 0)
        renew_key(manager);
    int failed = manager->member.raft_id == 0 ? 0 : locking_write(manager, err); /* else it is written when it is one */
    if (failed < 0) {
        set(manager, was_open ? NULL : before);
        raft_keys_deinit(&manager->member.keys);
        manager->member.keys = keys;
    } else if (was_open) {
        use_key(manager);
    }
    mem_wipe(before, sizeof before);
    raft_keys_deinit(&keys);
    return failed;
}

/* --- looking around --- */

static void forget_keys(struct manager *manager, const struct raft_node_status *status)
{
    const struct raft_keys *keys = &manager->member.keys;
    struct error err = {0};

    if (keys->count < 2 || status->is_rotating)
        return;
    for (size_t i = 0; i < keys->count; i++) {
        uint32_t id = keys->items[i].id;
        if (id == keys->current)
            continue;
        if (raft_node_forget_key(replica_raft(manager->replica), id, &err) < 0)
            return; /* it is needed, after all */
        raft_keys_remove(&manager->member.keys, id);
        log_info(ROOM, "the Raft log's key %u is not needed any more", id);
        if (locking_write(manager, &err) < 0)
            log_warn(ROOM, "the Raft log's key %u stays in the file: %s", id, err.message);
        return; /* one at a look */
    }
}

/* There is one cluster. */
static const Docker__Swarmkit__V1__Cluster *cluster_of(const struct manager *manager)
{
    const struct store *store = replica_store(manager->replica);
    return store_cluster(store, manager->options.cluster_id);
}

static void tell_lock(struct manager *manager, const Docker__Swarmkit__V1__Cluster *cluster, uint64_t version)
{
    const struct manager_events *events = &manager->options.events;
    struct error err = {0};

    if (events->on_lock(events->ctx, ca_unlock_key(cluster), version, &err) == 0) {
        manager->seen_cluster = version;
        return;
    }
    manager->lock_retry_ns = clock_monotonic_ns(&manager->options.clock) + MANAGER_LOCK_RETRY_MS * NS_PER_MS;
    log_error(ROOM, "the managers' lock cannot be changed here: %s; tried again in %d s", err.message, MANAGER_LOCK_RETRY_MS / 1000);
}

void locking_look(struct manager *manager, const struct raft_node_status *status)
{
    const Docker__Swarmkit__V1__Cluster *cluster = cluster_of(manager);
    uint64_t version = cluster && cluster->meta && cluster->meta->version ? cluster->meta->version->index : 0;

    forget_keys(manager, status);
    if (manager->options.events.on_lock && version > manager->seen_cluster &&
        clock_monotonic_ns(&manager->options.clock) >= manager->lock_retry_ns)
        tell_lock(manager, cluster, version);
}

void locking_deinit(struct manager *manager)
{
    set(manager, NULL);
}
