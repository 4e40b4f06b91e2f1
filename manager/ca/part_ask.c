/* manager/ca/part_ask.c – nodes whose certificates are asked of external CAs: some at once, each for itself. An answer takes time: what
 * comes of it is decided on the node and the root as they are then. */
#include <stdlib.h>
#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "manager/ca/external.h"
#include "manager/ca/issue.h"
#include "manager/ca/part_inside.h"
#include "proto/message.h"

struct ca_asking {
    struct ca_asking *prev, *next;
    struct ca_part *part; /* NULL: it is gone */
    struct ca_due *due;
    void *call; /* NULL: answered, on its way into the store */
    struct buf request_pem, cert_pem;
    uint8_t root_of[SHA256_SIZE_BYTES]; /* that it was asked under */
    struct error refusal;               /* code 0: there is a certificate */
    bool is_passing;                    /* the refusal: another try may help, the node only gets to know */
    bool is_written;                    /* by the last turn of its writer */
};

static void free_asking(struct ca_asking *asking)
{
    buf_deinit(&asking->request_pem);
    buf_deinit(&asking->cert_pem);
    free(asking);
}

/* Done with it, unless its writer is still to be told. */
static void end(struct ca_asking *asking, bool is_later)
{
    struct ca_part *part = asking->part;
    DL_DELETE(part->askings, asking);
    part->asking_count--;
    ca_due_settle(part, asking->due, is_later);
    free_asking(asking);
    part_wake(&part->host);
}

/* --- the answer, into the store --- */

/* What becomes of @node; NULL: it stays as it is. */
static Docker__Swarmkit__V1__Node *judge(const struct ca_asking *asking, const Docker__Swarmkit__V1__Node *node,
                                         const Docker__Swarmkit__V1__Cluster *cluster, int64_t wall_ns)
{
    struct error why = asking->refusal;
    cleanup_buf struct buf chain = {0};
    struct ca_subject subject;
    if (asking->is_passing)
        return text_equal(ca_issue_why(node), why.message) ? NULL : ca_issue_put_off(node, why.message);
    int failed = why.code;
    if (failed == 0)
        failed = ca_issue_subject(node, cluster->id, &subject, &why);
    if (failed == 0)
        failed = ca_external_chain(buf_bytes(&asking->cert_pem), buf_bytes(&asking->request_pem), &subject, cluster->root_ca, wall_ns,
                                   &chain, &why);
    return failed < 0 ? ca_issue_failed(node, why.message) : ca_issue_signed(node, buf_bytes(&chain));
}

static int write_answer(struct store_tx *tx, void *ctx, struct error *err)
{
    struct ca_asking *asking = ctx;
    asking->is_written = false;
    if (!asking->part)
        return error_set(err, ERR_CANCELED, "the CA was stopped before a certificate was written");
    const Docker__Swarmkit__V1__Node *node = store_tx_node(tx, asking->due->id);
    const Docker__Swarmkit__V1__Cluster *cluster = ca_part_cluster_in(tx);
    uint8_t digest[SHA256_SIZE_BYTES];
    if (!node || !ca_issue_awaits(node, buf_bytes(&asking->request_pem)) || !cluster || !cluster->root_ca)
        return 0;
    ca_part_digest(cluster->root_ca, digest);
    if (memcmp(digest, asking->root_of, sizeof digest) != 0)
        return 0; /* another root: the node is still due, and asked for again */
    Docker__Swarmkit__V1__Node *done = judge(asking, node, cluster, store_tx_wall_ns(tx));
    if (!done)
        return 0;
    int failed = store_tx_update(tx, &done->base, err);
    message_free(&done->base);
    asking->is_written = failed == 0;
    return failed;
}

static void answer_written(void *ctx, const struct error *err)
{
    struct ca_asking *asking = ctx;
    if (!asking->part) {
        free_asking(asking);
        return;
    }
    if (err)
        log_with(LOG_WARN, ROOM, LOG_FIELDS({"node", asking->due->id}), "the external CA's answer is not written: %s", err->message);
    else if (asking->is_written && !asking->is_passing)
        ca_part_tell(asking->part, asking->due->id);
    end(asking, err != NULL || asking->is_passing);
}

static void write_it(struct ca_asking *asking)
{
    store_update(asking->part->host.store, write_answer, answer_written, asking);
}

/* --- the question --- */

static void on_answer(void *ctx, const struct error *err, struct bytes cert_pem)
{
    struct ca_asking *asking = ctx;
    asking->call = NULL;
    if (err && err->code != ERR_PEER) {
        log_with(LOG_WARN, ROOM, LOG_FIELDS({"node", asking->due->id}), "no external CA signs: %s", err->message);
        error_set(&asking->refusal, err->code, "no external CA signs: %s", err->message);
        asking->is_passing = true;
    } else if (err) {
        asking->refusal = *err;
    }
    buf_append(&asking->cert_pem, cert_pem.data, cert_pem.size);
    write_it(asking);
}

static int ask(struct ca_asking *asking, const Docker__Swarmkit__V1__Node *node, const Docker__Swarmkit__V1__Cluster *cluster,
               struct error *err)
{
    struct ca_part *part = asking->part;
    const Docker__Swarmkit__V1__RootCA *root_ca = cluster->root_ca;
    cleanup_buf struct buf roots = {0};
    struct external_job job = {0};
    struct ca_subject subject;
    if (ca_issue_subject(node, cluster->id, &subject, &asking->refusal) < 0) {
        write_it(asking);
        return 0;
    }
    buf_append(&roots, root_ca->ca_cert.data, root_ca->ca_cert.len);
    if (root_ca->root_rotation)
        buf_append(&roots, root_ca->root_rotation->ca_cert.data, root_ca->root_rotation->ca_cert.len);
    cleanup_free char *body = ca_external_request(message_bytes(node->certificate->csr), &subject);
    job.url_count = ca_part_urls(part, cluster, job.urls);
    job.roots_pem = buf_bytes(&roots);
    job.body = body;
    return part->asker.start(part->asker.self, &job, on_answer, asking, &asking->call, err);
}

static void start(struct ca_part *part, struct ca_due *due, const Docker__Swarmkit__V1__Cluster *cluster)
{
    const Docker__Swarmkit__V1__Node *node = store_node(part->host.store, due->id);
    struct error err = {0};
    if (!node || !ca_issue_is_due(node)) {
        ca_due_settle(part, due, false);
        return;
    }
    struct ca_asking *asking = mem_alloc(sizeof *asking);
    asking->part = part;
    asking->due = due;
    buf_append(&asking->request_pem, node->certificate->csr.data, node->certificate->csr.len);
    ca_part_digest(cluster->root_ca, asking->root_of);
    DL_APPEND(part->askings, asking);
    part->asking_count++;
    if (ask(asking, node, cluster, &err) < 0) {
        log_with(LOG_WARN, ROOM, LOG_FIELDS({"node", due->id}), "no external CA could be asked: %s", err.message);
        end(asking, true);
    }
}

void ca_asking_pump(struct ca_part *part, const Docker__Swarmkit__V1__Cluster *cluster)
{
    while (part->asking_count < CA_EXTERNAL_CALLS_COUNT && part->ready)
        start(part, ca_due_take(part), cluster);
}

void ca_asking_stop(struct ca_part *part)
{
    struct ca_asking *asking, *next;
    DL_FOREACH_SAFE (part->askings, asking, next) {
        DL_DELETE(part->askings, asking);
        asking->part = NULL;
        if (!asking->call)
            continue; /* its writer frees it */
        part->asker.cancel(part->asker.self, asking->call);
        free_asking(asking);
    }
}
