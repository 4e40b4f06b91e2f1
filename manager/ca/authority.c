/* manager/ca/authority.c – see authority.h. */
#include "manager/ca/authority.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "manager/ca/change.h"
#include "manager/ca/unlock.h"
#include "proto/identity/pem.h"
#include "proto/tls/verify.h"

struct ca_authority {
    struct ca_authority_options options;
    struct pending *pending;
};

/* One UpdateCluster. */
struct pending {
    struct pending *prev, *next;
    struct ca_authority *authority;
    struct ca_change *change;
    enum ca_change_want want; /* what is asked outside */
    void *call;               /* it; NULL: nothing is asked now */
    control_ca_done_fn *done;
    void *ctx;
};

/* --- changes --- */

/* Whoever is told may free the authority. */
static void end(struct pending *pending, Docker__Swarmkit__V1__RootCA *root_ca, const struct error *err)
{
    control_ca_done_fn *done = pending->done;
    void *ctx = pending->ctx;
    assert(pending->next || pending->prev == pending || pending != pending->authority->pending); /* as utlist has it */
    DL_DELETE(pending->authority->pending, pending);
    ca_change_free(pending->change);
    free(pending);
    done(ctx, root_ca, err);
}

static void on_answer(void *ctx, const struct error *err, struct bytes cert_pem);

static int ask(struct pending *pending, const struct ca_change_question *question, struct error *err)
{
    const struct ca_asker *asker = &pending->authority->options.asker;
    struct external_job job = {.url_count = question->url_count, .roots_pem = question->roots_pem, .body = question->body};
    if (!asker->start)
        return error_set(err, ERR_UNSUPPORTED, "this manager has no way to external CAs");
    memcpy(job.urls, question->urls, sizeof job.urls);
    pending->want = question->want;
    return asker->start(asker->self, &job, on_answer, pending, &pending->call, err);
}

static void go_on(struct pending *pending)
{
    struct ca_change_question question;
    struct error err = {0};
    int failed = ca_change_step(pending->change, &question, &err);
    if (failed == 0 && question.want == CA_CHANGE_WANTS_NOTHING) {
        end(pending, ca_change_take(pending->change), NULL);
        return;
    }
    if (failed == 0)
        failed = ask(pending, &question, &err);
    if (failed < 0)
        end(pending, NULL, &err);
}

/* The change has its own words for a no; why it is one stands in the log. */
static void on_answer(void *ctx, const struct error *err, struct bytes cert_pem)
{
    struct pending *pending = ctx;
    pending->call = NULL;
    if (err)
        log_warn("ca", "%s: %s",
                 pending->want == CA_CHANGE_WANTS_REACH ? "no external CA can be reached" : "no external CA signs the new root",
                 err->message);
    if (pending->want == CA_CHANGE_WANTS_REACH)
        ca_change_reached(pending->change, !err);
    else
        ca_change_cross_signed(pending->change, err ? bytes_of(NULL, 0) : cert_pem);
    go_on(pending);
}

static void change(void *self, const struct control_ca_change *asked, control_ca_done_fn *done, void *ctx)
{
    struct ca_authority *authority = self;
    const struct ca_change_options options = {.cluster = asked->cluster,
                                              .spec = asked->spec,
                                              .rotates_worker_token = asked->rotates_worker_token,
                                              .rotates_manager_token = asked->rotates_manager_token,
                                              .wall_ns = clock_wall_ns(&authority->options.clock),
                                              .random = authority->options.random};
    struct pending *pending = mem_alloc(sizeof *pending);
    pending->authority = authority;
    pending->change = ca_change_new(&options);
    pending->done = done;
    pending->ctx = ctx;
    DL_APPEND(authority->pending, pending);
    go_on(pending);
}

void ca_authority_end(struct ca_authority *authority, const struct error *why)
{
    struct pending *pending, *next, *all = authority->pending;
    authority->pending = NULL; /* who is told may begin another */
    DL_FOREACH_SAFE (all, pending, next) {
        control_ca_done_fn *done = pending->done;
        void *ctx = pending->ctx;
        if (pending->call)
            authority->options.asker.cancel(authority->options.asker.self, pending->call);
        ca_change_free(pending->change);
        free(pending);
        done(ctx, NULL, why);
    }
}

/* --- keys and certificates --- */

static void unlock(void *self, Docker__Swarmkit__V1__Cluster *cluster, bool rotates)
{
    ca_unlock_update(cluster, rotates, &((struct ca_authority *)self)->options.random);
}

static bool expires(void *self, struct bytes pem, int64_t *wall_ns)
{
    cleanup_certificates STACK_OF(X509) *chain = NULL;
    (void)self;
    if (pem_read_certificates(pem, "the certificate", &chain, NULL) < 0)
        return false;
    *wall_ns = tls_wall_ns(X509_get0_notAfter(sk_X509_value(chain, 0)));
    return *wall_ns != 0;
}

/* --- life --- */

struct ca_authority *ca_authority_new(const struct ca_authority_options *options)
{
    struct ca_authority *authority = mem_alloc(sizeof *authority);
    authority->options = *options;
    return authority;
}

struct control_authority ca_authority_control(struct ca_authority *authority)
{
    return (struct control_authority){.change = change, .unlock = unlock, .expires = expires, .self = authority};
}

void ca_authority_free(struct ca_authority *authority)
{
    if (!authority)
        return;
    assert(!authority->pending); /* ca_authority_end() */
    free(authority);
}
