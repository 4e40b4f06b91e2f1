/* manager/ca/part.c – see part.h. Follows the store: which nodes are due, and whether a rotation goes on. */
#include "manager/ca/part.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "manager/ca/config.h"
#include "manager/ca/issue.h"
#include "manager/ca/part_inside.h"
#include "manager/ca/state.h"
#include "proto/message.h"

/* --- the cluster --- */

static const Docker__Swarmkit__V1__Cluster *first(struct store_cursor *cursor)
{
    return (const Docker__Swarmkit__V1__Cluster *)(const void *)store_next(cursor);
}

const Docker__Swarmkit__V1__Cluster *ca_part_cluster(const struct ca_part *part)
{
    struct store_cursor cursor;
    store_find(part->host.store, STORE_CLUSTER, STORE_ALL, NULL, &cursor);
    return first(&cursor);
}

const Docker__Swarmkit__V1__Cluster *ca_part_cluster_in(struct store_tx *tx)
{
    struct store_cursor cursor;
    store_tx_find(tx, STORE_CLUSTER, STORE_ALL, NULL, &cursor);
    return first(&cursor);
}

static void add(struct buf *out, ProtobufCBinaryData field)
{
    uint64_t size = field.len;
    buf_append(out, &size, sizeof size);
    buf_append(out, field.data, field.len);
}

void ca_part_digest(const Docker__Swarmkit__V1__RootCA *root_ca, uint8_t out[SHA256_SIZE_BYTES])
{
    const Docker__Swarmkit__V1__RootRotation *rotation = root_ca->root_rotation;
    cleanup_buf struct buf all = {.is_secret = true};
    add(&all, root_ca->ca_cert);
    add(&all, root_ca->ca_key);
    if (rotation) {
        add(&all, rotation->ca_cert);
        add(&all, rotation->ca_key);
        add(&all, rotation->cross_signed_ca_cert);
    }
    sha256(buf_bytes(&all), out);
}

size_t ca_part_urls(const struct ca_part *part, const Docker__Swarmkit__V1__Cluster *cluster, const char *urls[CA_EXTERNAL_COUNT])
{
    const Docker__Swarmkit__V1__RootCA *root_ca = cluster->root_ca;
    if (!part->asker.start || !cluster->spec)
        return 0;
    return ca_config_external_urls(cluster->spec->ca_config, ca_state_wanted_pem(root_ca), message_bytes(root_ca->ca_cert), urls,
                                   CA_EXTERNAL_COUNT);
}

void ca_part_tell(const struct ca_part *part, const char *id)
{
    const Docker__Swarmkit__V1__Node *node = store_node(part->host.store, id);
    Docker__Swarmkit__V1__IssuanceStatus__State state = node ? ca_issue_state(node) : DOCKER__SWARMKIT__V1__ISSUANCE_STATUS__STATE__UNKNOWN;
    if (state == DOCKER__SWARMKIT__V1__ISSUANCE_STATUS__STATE__ISSUED)
        log_with(LOG_INFO, ROOM, LOG_FIELDS({"node", id}), "certificate issued");
    else if (state == DOCKER__SWARMKIT__V1__ISSUANCE_STATUS__STATE__FAILED)
        log_with(LOG_WARN, ROOM, LOG_FIELDS({"node", id}), "no certificate issued: %s", node->certificate->status->err);
}

/* --- who is due --- */

static bool is_due(const struct ca_part *part, const char *id)
{
    const Docker__Swarmkit__V1__Node *node = store_node(part->host.store, id);
    return node && ca_issue_is_due(node);
}

static void unlist(struct ca_part *part, struct ca_due *due)
{
    if (due->state == CA_DUE_READY)
        DL_DELETE(part->ready, due);
    else if (due->state == CA_DUE_WAITING)
        DL_DELETE(part->waiting, due);
    due->state = CA_DUE_BUSY;
}

static void make_ready(struct ca_part *part, struct ca_due *due)
{
    unlist(part, due);
    due->state = CA_DUE_READY;
    DL_APPEND(part->ready, due);
}

static void forget(struct ca_part *part, struct ca_due *due)
{
    unlist(part, due);
    HASH_DEL(part->dues, due);
    free(due);
}

struct ca_due *ca_due_take(struct ca_part *part)
{
    struct ca_due *due = part->ready;
    if (due)
        unlist(part, due);
    return due;
}

void ca_due_settle(struct ca_part *part, struct ca_due *due, bool is_later)
{
    if (!is_due(part, due->id)) {
        forget(part, due);
        return;
    }
    if (!is_later) {
        make_ready(part, due);
        return;
    }
    due->retry_ns = part->now_ns + CA_SIGN_RETRY_MS * NS_PER_MS;
    due->state = CA_DUE_WAITING;
    DL_APPEND(part->waiting, due);
}

/* A node may have changed. */
static void look_at_node(struct ca_part *part, const char *id)
{
    struct ca_due *due;
    HASH_FIND_STR(part->dues, id, due);
    if (due && due->state != CA_DUE_BUSY && !is_due(part, id))
        forget(part, due);
    if (due || !is_due(part, id))
        return;
    size_t size = strlen(id) + 1;
    due = mem_alloc(sizeof *due + size);
    memcpy(due->id, id, size);
    due->state = CA_DUE_BUSY;
    HASH_ADD_STR(part->dues, id, due);
    make_ready(part, due);
}

static void try_all_again(struct ca_part *part)
{
    while (part->waiting)
        make_ready(part, part->waiting);
}

static void try_again(struct ca_part *part, uint64_t now_ns)
{
    while (part->waiting && part->waiting->retry_ns <= now_ns)
        make_ready(part, part->waiting);
}

/* --- following --- */

static void look_at_cluster(struct ca_part *part)
{
    const Docker__Swarmkit__V1__Cluster *cluster = ca_part_cluster(part);
    bool is_rotating = cluster && cluster->root_ca && cluster->root_ca->root_rotation;
    if (!is_rotating)
        part->rotation_ns = PART_NEVER;
    else if (part->rotation_ns == PART_NEVER)
        part->rotation_ns = part->now_ns;
    try_all_again(part);
}

static void list(struct ca_part *part)
{
    const ProtobufCMessage *node;
    struct store_cursor cursor;
    store_find(part->host.store, STORE_NODE, STORE_ALL, NULL, &cursor);
    while ((node = store_next(&cursor)) != NULL)
        look_at_node(part, store_message_id(STORE_NODE, node));
    look_at_cluster(part);
    part->is_listed = true;
}

static void follow_commit(struct ca_part *part, const struct store_commit *commit)
{
    for (size_t i = 0; i < commit->count; i++) {
        const struct store_change *change = &commit->changes[i];
        if (change->kind == STORE_NODE)
            look_at_node(part, store_object_id(change->object));
        else if (change->kind == STORE_CLUSTER)
            look_at_cluster(part);
    }
}

static void follow(struct ca_part *part)
{
    const struct store_commit *commit;
    int failed;
    if (!part->is_listed)
        list(part);
    while ((failed = store_watch_next(part->watcher, &commit, NULL)) != ERR_NOT_FOUND) {
        if (failed < 0)
            list(part); /* left behind */
        else
            follow_commit(part, commit);
    }
}

static void on_ready(void *ctx)
{
    part_wake(&((struct ca_part *)ctx)->host);
}

/* --- the part --- */

/* Without a root nothing can be done: its coming is seen. */
static void send(struct ca_part *part)
{
    const Docker__Swarmkit__V1__Cluster *cluster = ca_part_cluster(part);
    const char *urls[CA_EXTERNAL_COUNT];
    if (!part->ready || !cluster || !cluster->root_ca)
        return;
    if (ca_part_urls(part, cluster, urls) > 0)
        ca_asking_pump(part, cluster);
    else
        ca_signing_pump(part);
}

static void step(void *self, uint64_t now_ns)
{
    struct ca_part *part = self;
    part->now_ns = now_ns;
    follow(part);
    try_again(part, now_ns);
    send(part);
    ca_rotating_pump(part);
}

static uint64_t deadline_ns(const void *self)
{
    const struct ca_part *part = self;
    uint64_t retry_ns = part->waiting ? part->waiting->retry_ns : PART_NEVER;
    uint64_t rotation_ns = part->rotating ? PART_NEVER : part->rotation_ns;
    return retry_ns < rotation_ns ? retry_ns : rotation_ns;
}

static void free_part(void *self)
{
    struct ca_part *part = self;
    struct ca_due *due, *next;
    ca_signing_stop(part);
    ca_asking_stop(part);
    ca_rotating_stop(part);
    HASH_ITER (hh, part->dues, due, next)
        forget(part, due);
    store_unwatch(part->watcher);
    ca_signer_free(part->signer);
    free(part);
}

struct part ca_part_new(const struct ca_part_options *options)
{
    struct ca_part *part = mem_alloc(sizeof *part);
    part->host = options->host;
    part->asker = options->asker;
    part->rotation_ns = PART_NEVER;
    part->watcher = store_watch(part->host.store, on_ready, part);
    return (struct part){.name = "ca", .step = step, .deadline_ns = deadline_ns, .free = free_part, .self = part};
}
