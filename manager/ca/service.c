/* manager/ca/service.c – see service.h. */
#include "manager/ca/service.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/hash.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/text.h"
#include "manager/ca/issue.h"
#include "manager/ca/unlock.h"
#include "proto/message.h"

/* A node that calls wait for. */
struct held_node {
    UT_hash_handle hh;
    struct served *calls; /* the oldest first */
    size_t count;
    char id[];
};

struct ca_service {
    struct ca_service_options options;
    size_t calls_count, issues_count, held_count;
    struct held_node *held; /* by id */
    struct store *store;    /* that is watched while any call is held */
    struct store_watcher *watcher;
};

struct served {
    struct served *prev, *next; /* of @held */
    struct ca_service *service;
    struct grpc_call *call;
    struct ca_service_identity identity;
    struct issue *issue;    /* on its way into the store; NULL: none */
    struct held_node *held; /* that it waits for; NULL: none */
};

/* A request for a certificate on its way into the store, which is not told when its caller has gone. */
struct issue {
    struct served *served; /* NULL: gone */
    bool renews;
    char node_id[CA_NAME_SIZE_CHARS]; /* of who renews, or of the new node */
    Docker__Swarmkit__V1__IssueNodeCertificateRequest *request;
    Docker__Swarmkit__V1__Node *node; /* made by the last turn */
};

/* --- the cluster --- */

static const Docker__Swarmkit__V1__Cluster *first(struct store_cursor *cursor)
{
    return (const Docker__Swarmkit__V1__Cluster *)(const void *)store_next(cursor);
}

static int find_cluster(const struct store *store, const Docker__Swarmkit__V1__Cluster **out, struct error *err)
{
    struct store_cursor cursor;
    store_find(store, STORE_CLUSTER, STORE_ALL, NULL, &cursor);
    *out = first(&cursor);
    return *out && (*out)->root_ca ? 0 : error_set(err, ERR_ABORTED, "CA signer is still starting");
}

/* --- CA --- */

static int on_get_root(struct served *served, struct store *store, ProtobufCMessage *request, struct error *err)
{
    Docker__Swarmkit__V1__GetRootCACertificateResponse reply = DOCKER__SWARMKIT__V1__GET_ROOT_CACERTIFICATE_RESPONSE__INIT;
    const Docker__Swarmkit__V1__Cluster *cluster;
    (void)request;
    int failed = find_cluster(store, &cluster, err);
    if (failed < 0)
        return failed;
    reply.certificate = cluster->root_ca->ca_cert; /* during a rotation the old one still */
    grpc_call_reply(served->call, &reply.base);
    return 0;
}

static int on_get_unlock_key(struct served *served, struct store *store, ProtobufCMessage *request, struct error *err)
{
    Docker__Swarmkit__V1__GetUnlockKeyResponse reply;
    const Docker__Swarmkit__V1__Cluster *cluster;
    (void)request;
    int failed = find_cluster(store, &cluster, err);
    if (failed < 0)
        return failed;
    ca_unlock_reply(cluster, &reply);
    grpc_call_reply(served->call, &reply.base);
    return 0;
}

/* --- IssueNodeCertificate --- */

static int make_node(const struct issue *issue, const Docker__Swarmkit__V1__Cluster *cluster, const Docker__Swarmkit__V1__Node *node,
                     Docker__Swarmkit__V1__Node **out, struct error *err)
{
    return issue->renews ? ca_issue_renew(node, issue->node_id, issue->request, out, err)
                         : ca_issue_admit(cluster, issue->request, issue->node_id, out, err);
}

static void drop_node(struct issue *issue)
{
    message_free(issue->node ? &issue->node->base : NULL);
    issue->node = NULL;
}

static void free_issue(struct issue *issue)
{
    drop_node(issue);
    message_wipe_free(&issue->request->base);
    free(issue);
}

static int write_node(struct store_tx *tx, void *ctx, struct error *err)
{
    struct issue *issue = ctx;
    struct store_cursor cursor;
    drop_node(issue);
    if (!issue->served)
        return error_set(err, ERR_CANCELED, "its caller has gone");
    store_tx_find(tx, STORE_CLUSTER, STORE_ALL, NULL, &cursor);
    int failed = make_node(issue, first(&cursor), store_tx_node(tx, issue->node_id), &issue->node, err);
    if (failed < 0)
        return failed;
    return issue->renews ? store_tx_update(tx, &issue->node->base, err) : store_tx_create(tx, &issue->node->base, err);
}

static void forget_issue(struct served *served)
{
    served->issue->served = NULL;
    served->issue = NULL;
    served->service->issues_count--;
}

static void node_written(void *ctx, const struct error *err)
{
    struct issue *issue = ctx;
    struct served *served = issue->served;
    Docker__Swarmkit__V1__IssueNodeCertificateResponse reply;
    if (served) {
        forget_issue(served);
        if (err) {
            grpc_call_finish_error(served->call, err);
        } else {
            ca_issue_reply(issue->node, &reply);
            grpc_call_reply(served->call, &reply.base);
        }
    }
    free_issue(issue);
}

/* Only what is used of a request is kept. */
static struct issue *issue_new(struct served *served, const Docker__Swarmkit__V1__IssueNodeCertificateRequest *request, bool renews)
{
    Docker__Swarmkit__V1__IssueNodeCertificateRequest kept = DOCKER__SWARMKIT__V1__ISSUE_NODE_CERTIFICATE_REQUEST__INIT;
    struct issue *issue = mem_alloc(sizeof *issue);
    kept.csr = request->csr;
    kept.availability = request->availability;
    if (!renews)
        kept.token = request->token;
    issue->served = served;
    issue->renews = renews;
    issue->request = MESSAGE_COPY(&kept);
    if (renews)
        snprintf(issue->node_id, sizeof issue->node_id, "%s", served->identity.node_id);
    else
        id_make(&served->service->options.random, issue->node_id);
    return issue;
}

/* Refused before it takes a place in the queue, if it would be now. */
static int check_issue(struct issue *issue, struct store *store, const Docker__Swarmkit__V1__Cluster *cluster, struct error *err)
{
    int failed = make_node(issue, cluster, store_node(store, issue->node_id), &issue->node, err);
    if (failed == 0 && issue->served->service->issues_count >= CA_ISSUES_COUNT)
        failed = error_set(err, ERR_AGAIN, "%u requests for certificates are on their way already: try again", CA_ISSUES_COUNT);
    return failed;
}

static int on_issue(struct served *served, struct store *store, ProtobufCMessage *request, struct error *err)
{
    const struct ca_service_identity *identity = &served->identity;
    const Docker__Swarmkit__V1__Cluster *cluster;
    int failed = find_cluster(store, &cluster, err);
    if (failed < 0)
        return failed;
    bool renews = identity->node_id[0] && text_equal(identity->cluster_id, cluster->id);
    struct issue *issue = issue_new(served, (const void *)request, renews);
    message_wipe(request); /* the token */
    failed = check_issue(issue, store, cluster, err);
    if (failed < 0) {
        free_issue(issue);
        return failed;
    }
    served->issue = issue;
    served->service->issues_count++;
    store_update(store, write_node, node_written, issue);
    return 0;
}

/* --- NodeCertificateStatus --- */

static void let_go(struct served *served)
{
    struct held_node *held = served->held;
    struct ca_service *service = served->service;
    assert(held);
    DL_DELETE(held->calls, served);
    held->count--;
    service->held_count--;
    served->held = NULL;
    if (held->calls)
        return;
    HASH_DEL(service->held, held);
    free(held);
    if (service->held)
        return;
    store_unwatch(service->watcher);
    service->watcher = NULL;
    service->store = NULL;
}

/* Its answer, if there is one by now. */
static int answer(struct served *served, const struct store *store, const Docker__Swarmkit__V1__NodeCertificateStatusRequest *request,
                  bool *is_answered, struct error *err)
{
    Docker__Swarmkit__V1__NodeCertificateStatusResponse reply;
    const Docker__Swarmkit__V1__Node *node = store_node(store, request->node_id);
    int failed = ca_issue_answer(request, (Docker__Swarmkit__V1__Node *)(uintptr_t)node, is_answered, &reply, err);
    if (failed == 0 && *is_answered)
        grpc_call_reply(served->call, &reply.base);
    return failed;
}

/* The node may have changed: its calls are answered, or go on waiting, all alike. */
static void look_at(struct ca_service *service, const char *node_id)
{
    struct held_node *held;
    HASH_FIND_STR(service->held, node_id, held);
    for (struct served *served = held ? held->calls : NULL, *next; served; served = next) {
        Docker__Swarmkit__V1__NodeCertificateStatusRequest request = DOCKER__SWARMKIT__V1__NODE_CERTIFICATE_STATUS_REQUEST__INIT;
        struct error err = {0};
        bool is_answered = false;
        next = served->next; /* @held goes with the last of them */
        request.node_id = held->id;
        if (answer(served, service->store, &request, &is_answered, &err) < 0)
            grpc_call_finish_error(served->call, &err);
        else if (!is_answered)
            return;
        let_go(served);
    }
}

static void look_at_all(struct ca_service *service)
{
    struct held_node *held, *next;
    HASH_ITER (hh, service->held, held, next)
        look_at(service, held->id);
}

static void on_change(void *ctx)
{
    struct ca_service *service = ctx;
    const struct store_commit *commit;
    int failed;
    if (service->options.store(service->options.ctx) != service->store) {
        ca_service_release(service);
        return;
    }
    while (service->watcher && (failed = store_watch_next(service->watcher, &commit, NULL)) != ERR_NOT_FOUND) {
        if (failed < 0) {
            look_at_all(service); /* left behind: what is now counts */
            continue;
        }
        for (size_t i = 0; i < commit->count && service->watcher; i++)
            if (commit->changes[i].kind == STORE_NODE)
                look_at(service, store_object_id(commit->changes[i].object));
    }
}

static struct held_node *find_or_add(struct ca_service *service, const char *node_id)
{
    struct held_node *held;
    size_t size = strlen(node_id) + 1;
    HASH_FIND_STR(service->held, node_id, held);
    if (held)
        return held;
    held = mem_alloc(sizeof *held + size);
    memcpy(held->id, node_id, size);
    HASH_ADD_STR(service->held, id, held);
    return held;
}

static void end_held(struct served *served, const char *why)
{
    struct error err;
    error_set(&err, ERR_ABORTED, "%s", why);
    let_go(served);
    grpc_call_finish_error(served->call, &err);
}

static int hold(struct served *served, struct store *store, const char *node_id, struct error *err)
{
    struct ca_service *service = served->service;
    if (service->held_count >= CA_HELD_CALLS_COUNT)
        return error_set(err, ERR_AGAIN, "%u calls wait for certificates already: try again", CA_HELD_CALLS_COUNT);
    if (!service->watcher) {
        service->store = store;
        service->watcher = store_watch(store, on_change, service);
    }
    served->held = find_or_add(service, node_id);
    DL_APPEND(served->held->calls, served);
    served->held->count++;
    service->held_count++;
    if (served->held->count > CA_HELD_CALLS_NODE_COUNT)
        end_held(served->held->calls, "newer calls wait for the certificate of this node");
    return 0;
}

static int on_status(struct served *served, struct store *store, ProtobufCMessage *request, struct error *err)
{
    const Docker__Swarmkit__V1__NodeCertificateStatusRequest *question = (const void *)request;
    bool is_answered;
    int failed = answer(served, store, question, &is_answered, err);
    if (failed < 0 || is_answered)
        return failed;
    return hold(served, store, question->node_id, err);
}

void ca_service_release(struct ca_service *service)
{
    while (service && service->held)
        end_held(service->held->calls, "CA signer is stopped");
}

/* --- calls --- */

typedef int serve_fn(struct served *served, struct store *store, ProtobufCMessage *request, struct error *err);

static const struct served_method {
    enum method_id method;
    serve_fn *serve;
} methods[] = {
    {METHOD_CA_GetRootCACertificate, on_get_root},
    {METHOD_CA_GetUnlockKey, on_get_unlock_key},
    {METHOD_NodeCA_IssueNodeCertificate, on_issue},
    {METHOD_NodeCA_NodeCertificateStatus, on_status},
};
#define METHODS_COUNT (sizeof methods / sizeof methods[0])

static serve_fn *find_method(const struct method *method)
{
    for (size_t i = 0; i < METHODS_COUNT; i++)
        if (method == &method_list[methods[i].method])
            return methods[i].serve;
    return NULL;
}

static void on_message(struct grpc_call *call, ProtobufCMessage *request, void *ctx)
{
    struct served *served = ctx;
    const struct ca_service_options *options = &served->service->options;
    struct store *store = options->store(options->ctx);
    serve_fn *serve = find_method(grpc_call_method(call));
    struct error err = {0};
    if (!store)
        error_set(&err, ERR_ABORTED, "CA signer is stopped");
    else
        serve(served, store, request, &err);
    if (err.code != 0)
        grpc_call_finish_error(call, &err);
}

static void on_done(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    struct served *served = ctx;
    (void)call;
    (void)status;
    if (served->issue)
        forget_issue(served);
    if (served->held)
        let_go(served);
    served->service->calls_count--;
    free(served);
}

static void on_call(struct grpc_call *call, void *ctx)
{
    static const struct grpc_call_handlers handlers = {.on_message = on_message, .on_done = on_done};
    struct ca_service *service = ctx;
    struct ca_service_identity identity = {.node_id = ""};
    if (!service->options.identify(service->options.ctx, call, &identity))
        return;
    struct served *served = mem_alloc(sizeof *served);
    served->service = service;
    served->call = call;
    served->identity = identity;
    service->calls_count++;
    grpc_call_accept(call, &handlers, served);
}

/* --- life --- */

struct ca_service *ca_service_new(const struct ca_service_options *options)
{
    struct ca_service *service = mem_alloc(sizeof *service);
    service->options = *options;
    return service;
}

void ca_service_attach(struct ca_service *service, struct grpc_server *server)
{
    for (size_t i = 0; i < METHODS_COUNT; i++)
        grpc_server_handle(server, &method_list[methods[i].method], on_call, service);
}

void ca_service_free(struct ca_service *service)
{
    if (!service)
        return;
    assert(service->calls_count == 0);
    free(service);
}
