/* manager/ca/part_rotate.c – a root rotation that goes on: every CA_ROTATION_INTERVAL_MS a look at all nodes, in a transaction that tells
 * some of them to renew, or that ends the rotation. */
#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "manager/ca/part_inside.h"
#include "manager/ca/rotation.h"
#include "proto/message.h"

struct ca_rotating {
    struct ca_part *part; /* NULL: it is gone */
    size_t told_count;
    bool is_finished;
};

/* As many as there are; the list is the caller's. */
static size_t list_nodes(struct store_tx *tx, Docker__Swarmkit__V1__Node ***out)
{
    const ProtobufCMessage *node;
    struct store_cursor cursor;
    size_t count = 0, capacity = 0;
    *out = NULL;
    store_tx_find(tx, STORE_NODE, STORE_ALL, NULL, &cursor);
    while ((node = store_next(&cursor)) != NULL) {
        if (count == capacity) {
            capacity = capacity ? 2 * capacity : 64;
            *out = mem_resize(*out, capacity * sizeof **out);
        }
        (*out)[count++] = (Docker__Swarmkit__V1__Node *)(uintptr_t)node;
    }
    return count;
}

static int tell_nodes(struct ca_rotating *rotating, struct store_tx *tx, Docker__Swarmkit__V1__Node *const *nodes,
                      const struct ca_rotation_look *look, struct error *err)
{
    for (size_t i = 0; i < look->told_count; i++) {
        assert(nodes); /* these are places in it */
        Docker__Swarmkit__V1__Node *told = ca_rotation_tell(nodes[look->told[i]]);
        int failed = store_tx_update(tx, &told->base, err);
        message_free(&told->base);
        if (failed == ERR_LIMIT && i > 0)
            return 0; /* the others at the next look */
        if (failed < 0)
            return failed;
        rotating->told_count++;
    }
    return 0;
}

static int finish(struct ca_rotating *rotating, struct store_tx *tx, const Docker__Swarmkit__V1__Cluster *old, struct error *err)
{
    Docker__Swarmkit__V1__Cluster cluster = *old;
    int failed = ca_rotation_finish(old->root_ca, old->fips, &rotating->part->host.random, store_tx_wall_ns(tx), &cluster.root_ca, err);
    if (failed < 0)
        return failed;
    failed = store_tx_update(tx, &cluster.base, err);
    message_wipe_free(&cluster.root_ca->base);
    rotating->is_finished = failed == 0;
    return failed;
}

static int look(struct store_tx *tx, void *ctx, struct error *err)
{
    struct ca_rotating *rotating = ctx;
    const Docker__Swarmkit__V1__Cluster *cluster = ca_part_cluster_in(tx);
    Docker__Swarmkit__V1__Node **nodes;
    struct ca_rotation_look seen;
    rotating->told_count = 0;
    rotating->is_finished = false;
    if (!rotating->part)
        return error_set(err, ERR_CANCELED, "the CA was stopped in a root rotation");
    if (!cluster)
        return 0;
    size_t count = list_nodes(tx, &nodes);
    int failed = ca_rotation_look(cluster->root_ca, nodes, count, &seen, err);
    if (failed == 0 && seen.is_rotating)
        failed = seen.is_converged ? finish(rotating, tx, cluster, err) : tell_nodes(rotating, tx, nodes, &seen, err);
    free(nodes);
    return failed;
}

static void looked(void *ctx, const struct error *err)
{
    struct ca_rotating *rotating = ctx;
    struct ca_part *part = rotating->part;
    if (part) {
        if (err)
            log_warn(ROOM, "the root rotation does not go on: %s", err->message);
        else if (rotating->is_finished)
            log_info(ROOM, "the root rotation is over: every node has a certificate from the new root CA");
        else if (rotating->told_count > 0)
            log_info(ROOM, "%zu nodes were told to renew their certificates, for the new root CA", rotating->told_count);
        part->rotating = NULL;
        part_wake(&part->host);
    }
    free(rotating);
}

void ca_rotating_pump(struct ca_part *part)
{
    if (part->rotating || part->rotation_ns > part->now_ns)
        return;
    part->rotation_ns = part->now_ns + CA_ROTATION_INTERVAL_MS * NS_PER_MS;
    part->rotating = mem_alloc(sizeof *part->rotating);
    part->rotating->part = part;
    store_update(part->host.store, look, looked, part->rotating);
}

void ca_rotating_stop(struct ca_part *part)
{
    if (part->rotating)
        part->rotating->part = NULL;
    part->rotating = NULL;
}
