/* manager/ca/part_sign.c – nodes signed with the cluster's own key, a batch in each transaction. */
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "manager/ca/config.h"
#include "manager/ca/issue.h"
#include "manager/ca/part_inside.h"
#include "proto/message.h"

struct ca_signing {
    struct ca_part *part; /* NULL: it is gone */
    size_t count;
    struct ca_due *dues[CA_SIGN_BATCH_COUNT];
    enum outcome { LEFT, DONE, LATER } outcomes[CA_SIGN_BATCH_COUNT];
    struct error why; /* of those that are tried later */
};

/* --- in a transaction --- */

static int have_signer(struct ca_part *part, const Docker__Swarmkit__V1__RootCA *root_ca, struct error *err)
{
    uint8_t digest[SHA256_SIZE_BYTES];
    ca_part_digest(root_ca, digest);
    if (part->signer && memcmp(digest, part->signer_of, sizeof digest) == 0)
        return 0;
    ca_signer_free(part->signer);
    part->signer = NULL;
    memcpy(part->signer_of, digest, sizeof digest);
    return ca_signer_new(root_ca, &part->signer, err);
}

static int sign(struct ca_signing *signing, size_t place, struct store_tx *tx, const Docker__Swarmkit__V1__Cluster *cluster,
                struct error *err)
{
    const struct ca_part *part = signing->part;
    const Docker__Swarmkit__V1__Node *node = store_tx_node(tx, signing->dues[place]->id);
    Docker__Swarmkit__V1__Node *done;
    if (!node || !ca_issue_is_due(node))
        return 0;
    int64_t expiry_ns = ca_config_expiry_ns(cluster->spec ? cluster->spec->ca_config : NULL);
    if (ca_issue_sign(part->signer, node, cluster->id, expiry_ns, &part->host.random, store_tx_wall_ns(tx), &done, &signing->why) < 0) {
        signing->outcomes[place] = LATER;
        return 0;
    }
    int failed = store_tx_update(tx, &done->base, err);
    message_free(&done->base);
    signing->outcomes[place] = failed < 0 ? LEFT : DONE;
    return failed;
}

static void put_all_off(struct ca_signing *signing)
{
    for (size_t i = 0; i < signing->count; i++)
        signing->outcomes[i] = LATER;
}

static int sign_all(struct store_tx *tx, void *ctx, struct error *err)
{
    struct ca_signing *signing = ctx;
    const Docker__Swarmkit__V1__Cluster *cluster = ca_part_cluster_in(tx);
    const char *urls[CA_EXTERNAL_COUNT];
    memset(signing->outcomes, 0, sizeof signing->outcomes);
    if (!signing->part)
        return error_set(err, ERR_CANCELED, "the CA was stopped before it signed");
    if (!cluster || !cluster->root_ca || ca_part_urls(signing->part, cluster, urls) > 0)
        return 0; /* it has changed: the next step sees it */
    if (have_signer(signing->part, cluster->root_ca, &signing->why) < 0) {
        put_all_off(signing);
        return 0;
    }
    for (size_t i = 0; i < signing->count; i++) {
        int failed = sign(signing, i, tx, cluster, err);
        if (failed == ERR_LIMIT && i > 0)
            return 0; /* the rest with the next one */
        if (failed == ERR_LIMIT) {
            signing->why = *err;
            signing->outcomes[i] = LATER;
            return 0;
        }
        if (failed < 0)
            return failed;
    }
    return 0;
}

/* --- afterwards --- */

static void signed_all(void *ctx, const struct error *err)
{
    struct ca_signing *signing = ctx;
    struct ca_part *part = signing->part;
    size_t later_count = 0;
    if (!part) {
        free(signing);
        return;
    }
    if (err) {
        signing->why = *err;
        put_all_off(signing);
    }
    for (size_t i = 0; i < signing->count; i++) {
        later_count += signing->outcomes[i] == LATER;
        if (signing->outcomes[i] == DONE)
            ca_part_tell(part, signing->dues[i]->id);
        ca_due_settle(part, signing->dues[i], signing->outcomes[i] == LATER);
    }
    if (later_count > 0)
        log_warn(ROOM, "nodes that wait for their certificates: %zu: %s", later_count, signing->why.message);
    part->signing = NULL;
    free(signing);
    part_wake(&part->host);
}

void ca_signing_pump(struct ca_part *part)
{
    if (part->signing || !part->ready)
        return;
    struct ca_signing *signing = mem_alloc(sizeof *signing);
    signing->part = part;
    while (signing->count < CA_SIGN_BATCH_COUNT && part->ready)
        signing->dues[signing->count++] = ca_due_take(part);
    part->signing = signing;
    store_update(part->host.store, sign_all, signed_all, signing);
}

void ca_signing_stop(struct ca_part *part)
{
    if (part->signing)
        part->signing->part = NULL;
    part->signing = NULL;
}
