/* manager/ca/unlock.c – see unlock.h. */
#include "manager/ca/unlock.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "proto/identity/unlock_key.h"
#include "proto/message.h"

#define SUBSYSTEM "swarm-manager"

static bool is_locking(const Docker__Swarmkit__V1__Cluster *cluster)
{
    return cluster->spec && cluster->spec->encryption_config && cluster->spec->encryption_config->auto_lock_managers;
}

/* Its place in the list; the list's length when it is not there. */
static size_t find(const Docker__Swarmkit__V1__Cluster *cluster)
{
    size_t i = 0;
    while (i < cluster->n_unlock_keys && !text_equal(cluster->unlock_keys[i]->subsystem, SUBSYSTEM))
        i++;
    return i;
}

struct bytes ca_unlock_key(const Docker__Swarmkit__V1__Cluster *cluster)
{
    size_t place = find(cluster);
    if (!is_locking(cluster) || place == cluster->n_unlock_keys)
        return bytes_of(NULL, 0);
    return message_bytes(cluster->unlock_keys[place]->key);
}

static void drop(Docker__Swarmkit__V1__Cluster *cluster, size_t place)
{
    message_wipe_free(&cluster->unlock_keys[place]->base);
    cluster->n_unlock_keys--;
    for (size_t i = place; i < cluster->n_unlock_keys; i++)
        cluster->unlock_keys[i] = cluster->unlock_keys[i + 1];
    if (cluster->n_unlock_keys > 0)
        return;
    free(cluster->unlock_keys); /* protobuf-c leaves an empty list's memory behind */
    cluster->unlock_keys = NULL;
}

static void add(Docker__Swarmkit__V1__Cluster *cluster)
{
    Docker__Swarmkit__V1__EncryptionKey *key = MESSAGE_NEW(Docker__Swarmkit__V1__EncryptionKey, docker__swarmkit__v1__encryption_key);
    message_set_string(&key->subsystem, SUBSYSTEM);
    cluster->unlock_keys = mem_resize(cluster->unlock_keys, (cluster->n_unlock_keys + 1) * sizeof(Docker__Swarmkit__V1__EncryptionKey *));
    cluster->unlock_keys[cluster->n_unlock_keys++] = key;
}

void ca_unlock_update(Docker__Swarmkit__V1__Cluster *cluster, bool rotates, const struct random *random)
{
    size_t place = find(cluster);
    bool is_there = place < cluster->n_unlock_keys;
    if (!is_locking(cluster)) {
        if (is_there)
            drop(cluster, place);
        return;
    }
    if (is_there && !rotates)
        return;
    if (!is_there)
        add(cluster);
    uint8_t key[UNLOCK_KEY_SIZE_BYTES];
    random_fill(random, key, sizeof key);
    message_set_bytes(&cluster->unlock_keys[place]->key, bytes_of(key, sizeof key));
    mem_wipe(key, sizeof key);
}

void ca_unlock_reply(const Docker__Swarmkit__V1__Cluster *cluster, Docker__Swarmkit__V1__GetUnlockKeyResponse *reply)
{
    struct bytes key = ca_unlock_key(cluster);
    docker__swarmkit__v1__get_unlock_key_response__init(reply);
    reply->unlock_key = (ProtobufCBinaryData){key.size, (uint8_t *)(uintptr_t)key.data};
    reply->version = cluster->meta ? cluster->meta->version : NULL;
}
