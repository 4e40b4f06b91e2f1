/* manager/ca/change.c – see change.h.
 *
 * decide() is written as if all were known. Where it needs an answer that is not there yet it notes the question and gives up; the next
 * step runs it from the start again, one answer richer. */
#include "manager/ca/change.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "google/protobuf/duration.pb-c.h"
#include "manager/ca/config.h"
#include "manager/ca/external.h"
#include "manager/ca/root.h"
#include "manager/ca/sign.h"
#include "manager/ca/tokens.h"
#include "proto/identity/pem.h"
#include "proto/message.h"
#include "proto/tls/verify.h"

#define ASKS 1 /* of decide() and what it calls: neither done nor failed */

enum subject { CURRENT, NEXT, DESIRED, SUBJECTS_COUNT }; /* of a question whether an external CA can be reached */
static const char *const subject_texts[] = {[CURRENT] = "current", [NEXT] = "next", [DESIRED] = "desired"};

enum answer { UNASKED, NO, YES };

struct ca_change {
    struct ca_change_options options;
    Docker__Swarmkit__V1__CAConfig no_config;
    const Docker__Swarmkit__V1__CAConfig *config;
    const Docker__Swarmkit__V1__RootCA *now; /* the cluster's */

    enum answer reached[SUBJECTS_COUNT], crossed;
    struct buf crossed_pem;
    struct ca_root made; /* by force_rotate: once, as an external CA may have been asked to sign it */

    enum subject asked;
    struct ca_change_question question;
    struct buf roots_pem;
    char *body;

    Docker__Swarmkit__V1__RootCA *next;
};

struct ca_change *ca_change_new(const struct ca_change_options *options)
{
    struct ca_change *change = mem_alloc(sizeof *change);
    change->options = *options;
    docker__swarmkit__v1__caconfig__init(&change->no_config);
    change->config = options->spec->ca_config ? options->spec->ca_config : &change->no_config;
    return change;
}

void ca_change_free(struct ca_change *change)
{
    if (!change)
        return;
    buf_deinit(&change->crossed_pem);
    buf_deinit(&change->roots_pem);
    ca_root_deinit(&change->made);
    message_wipe_free(change->next ? &change->next->base : NULL);
    free(change->body);
    free(change);
}

/* ---- what others have to do ---- */

/* Where the external CAs of @wanted_pem are. */
static size_t find_urls(struct ca_change *change, struct bytes wanted_pem)
{
    struct ca_change_question *question = &change->question;
    question->url_count =
        ca_config_external_urls(change->config, wanted_pem, message_bytes(change->now->ca_cert), question->urls, CA_EXTERNAL_COUNT);
    return question->url_count;
}

static int reach(struct ca_change *change, enum subject subject, struct bytes wanted_pem, struct error *err)
{
    if (change->reached[subject] == YES)
        return 0;
    if (change->reached[subject] == NO || find_urls(change, wanted_pem) == 0)
        return error_set(err, ERR_INVALID, "there must be at least one valid, reachable external CA corresponding to the %s CA certificate",
                         subject_texts[subject]);
    buf_clear(&change->roots_pem);
    buf_append(&change->roots_pem, wanted_pem.data, wanted_pem.size);
    change->asked = subject;
    change->question.want = CA_CHANGE_WANTS_REACH;
    change->question.roots_pem = buf_bytes(&change->roots_pem);
    return ASKS;
}

static int have_cross_signed(struct ca_change *change, const struct ca_root *root, struct error *err)
{
    struct bytes current_pem = message_bytes(change->now->ca_cert);
    if (change->crossed == YES)
        return 0;
    if (change->crossed == NO)
        return error_set(err, ERR_UNAVAILABLE, "no external CA of the current CA certificate signed the new one");
    if (find_urls(change, current_pem) == 0)
        return error_set(err, ERR_INVALID,
                         "must provide an external CA for the current external root CA to generate a cross-signed certificate");
    free(steal(&change->body));
    int failed = ca_external_cross_request(root, &change->body, err);
    if (failed < 0)
        return failed;
    buf_clear(&change->roots_pem);
    buf_append(&change->roots_pem, current_pem.data, current_pem.size);
    change->question.want = CA_CHANGE_WANTS_CROSS_SIGN;
    change->question.body = change->body;
    change->question.roots_pem = buf_bytes(&change->roots_pem);
    return ASKS;
}

/* ---- what comes of it ---- */

static int use_key(struct ca_change *change, ProtobufCBinaryData *place)
{
    message_set_bytes(place, message_bytes(change->config->signing_ca_key));
    change->next->last_forced_rotation = change->config->force_rotate;
    return 0;
}

static int keep_root(struct ca_change *change)
{
    if (change->next->root_rotation)
        message_wipe_free(&change->next->root_rotation->base);
    change->next->root_rotation = NULL;
    return use_key(change, &change->next->ca_key);
}

static int cross_sign(struct ca_change *change, const struct ca_root *root, struct buf *crossed_pem, struct error *err)
{
    struct bytes old_pem = message_bytes(change->now->ca_cert), old_key_pem = message_bytes(change->now->ca_key);
    if (old_key_pem.size > 0) {
        if (ca_cross_sign(old_pem, old_key_pem, buf_bytes(&root->cert_pem), crossed_pem, err) < 0)
            return error_wrap(err, "unable to generate a cross-signed certificate for root rotation");
        return 0;
    }
    if (root->key_pem.size == 0)
        return error_set(err, ERR_INVALID, "rotating from one external CA to a different external CA is not supported");
    int failed = have_cross_signed(change, root, err);
    if (failed != 0)
        return failed;
    return ca_root_normalise(buf_bytes(&change->crossed_pem), crossed_pem, err);
}

/* A rotation that is under way goes away with the old value: the root it led to was never anyone's only one. */
static int begin_rotation(struct ca_change *change, const struct ca_root *root, struct error *err)
{
    cleanup_buf struct buf crossed_pem = {0};
    int failed = cross_sign(change, root, &crossed_pem, err);
    if (failed != 0)
        return failed;
    struct Docker__Swarmkit__V1__RootRotation *rotation =
        MESSAGE_NEW(Docker__Swarmkit__V1__RootRotation, docker__swarmkit__v1__root_rotation);
    message_set_bytes(&rotation->ca_cert, buf_bytes(&root->cert_pem));
    message_set_bytes(&rotation->ca_key, buf_bytes(&root->key_pem));
    message_set_bytes(&rotation->cross_signed_ca_cert, buf_bytes(&crossed_pem));
    if (change->next->root_rotation)
        message_wipe_free(&change->next->root_rotation->base);
    change->next->root_rotation = rotation;
    change->next->last_forced_rotation = change->config->force_rotate;
    if (rotation->ca_key.len == 0)
        return 0;
    struct ca_signer *signer = NULL; /* it sees whether a chain will lead to the old root */
    failed = ca_signer_new(change->next, &signer, err);
    ca_signer_free(signer);
    return failed;
}

/* ---- the decision ---- */

static int make_root(struct ca_change *change, struct error *err)
{
    if (change->made.cert_pem.size > 0)
        return 0;
    return ca_root_make(&change->options.random, change->options.wall_ns, &change->made, err);
}

static int decide_without_desire(struct ca_change *change, struct error *err)
{
    const Docker__Swarmkit__V1__RootRotation *rotation = change->now->root_rotation;
    if (change->now->last_forced_rotation != change->config->force_rotate) {
        int failed = make_root(change, err);
        return failed < 0 ? failed : begin_rotation(change, &change->made, err);
    }
    if (rotation && rotation->ca_key.len == 0)
        return reach(change, NEXT, message_bytes(rotation->ca_cert), err);
    return 0;
}

/* One certificate, good for another year. */
static int check_desired(const struct ca_root *desired, int64_t wall_ns, struct error *err)
{
    cleanup_certificates STACK_OF(X509) *list = NULL;
    int failed = pem_read_certificates(buf_bytes(&desired->cert_pem), "the desired CA certificate", &list, err);
    if (failed < 0)
        return failed;
    if (sk_X509_num(list) != 1)
        return error_set(err, ERR_INVALID, "the desired CA certificate cannot contain multiple certificates");
    if (tls_wall_ns(X509_get0_notAfter(sk_X509_value(list, 0))) < wall_ns + CA_ROOT_LEFT_S * (int64_t)NS_PER_S)
        return error_set(err, ERR_INVALID, "CA certificate expires too soon: it has to be valid for a year more");
    return 0;
}

/* A chain with the same key twice verifies nowhere. */
static int check_has_other_key(struct ca_change *change, const struct ca_root *desired, struct error *err)
{
    cleanup_buf struct buf subject = {0}, new_key = {0}, old_key = {0};
    int failed = ca_root_issuer(buf_bytes(&desired->cert_pem), &subject, &new_key, err);
    if (failed < 0)
        return failed;
    failed = ca_root_issuer(message_bytes(change->now->ca_cert), &subject, &old_key, err);
    if (failed < 0)
        return failed;
    if (bytes_equal(buf_bytes(&new_key), buf_bytes(&old_key)))
        return error_set(err, ERR_INVALID, "Cannot update to a cert with an identical key");
    return 0;
}

static int decide_on_desired(struct ca_change *change, const struct ca_root *desired, struct error *err)
{
    const Docker__Swarmkit__V1__RootRotation *rotation = change->now->root_rotation;
    struct bytes desired_pem = buf_bytes(&desired->cert_pem);
    int failed = check_desired(desired, change->options.wall_ns, err);
    if (failed == 0 && desired->key_pem.size == 0)
        failed = reach(change, DESIRED, desired_pem, err);
    if (failed != 0)
        return failed;
    if (ca_root_equal(message_bytes(change->now->ca_cert), desired_pem))
        return keep_root(change);
    failed = check_has_other_key(change, desired, err);
    if (failed < 0)
        return failed;
    if (rotation && ca_root_equal(message_bytes(rotation->ca_cert), desired_pem))
        return use_key(change, &change->next->root_rotation->ca_key);
    return begin_rotation(change, desired, err);
}

static int decide(struct ca_change *change, struct error *err)
{
    struct bytes desired_pem = message_bytes(change->config->signing_ca_cert), key_pem = message_bytes(change->config->signing_ca_key);
    struct bytes current_pem = message_bytes(change->now->ca_cert);
    if (key_pem.size > 0 && desired_pem.size == 0)
        return error_set(err, ERR_INVALID, "if a signing CA key is provided, the signing CA cert must also be provided");
    struct ca_root desired = {.key_pem.is_secret = true};
    int failed = desired_pem.size > 0 ? ca_root_take(desired_pem, key_pem, change->options.wall_ns, &desired, err) : 0;
    if (failed == 0 && change->now->ca_key.len == 0) {
        /* The key of an external CA's root is all that is needed to do without it. */
        if (key_pem.size > 0 && ca_root_equal(current_pem, desired_pem)) {
            ca_root_deinit(&desired);
            return keep_root(change);
        }
        failed = reach(change, CURRENT, current_pem, err);
    }
    if (failed == 0)
        failed = desired_pem.size > 0 ? decide_on_desired(change, &desired, err) : decide_without_desire(change, err);
    ca_root_deinit(&desired);
    return failed;
}

static int begin(struct ca_change *change, struct error *err)
{
    const struct ca_change_options *options = &change->options;
    change->now = options->cluster->root_ca;
    if (!change->now || change->now->ca_cert.len == 0)
        return error_set(err, ERR_CORRUPT, "the cluster has no root CA");
    int failed = ca_config_check(options->spec->ca_config, err);
    if (failed < 0)
        return failed;
    message_wipe_free(change->next ? &change->next->base : NULL);
    change->next = MESSAGE_COPY(change->now);
    ca_tokens_make(change->next, options->rotates_worker_token, options->rotates_manager_token, options->cluster->fips, &options->random);
    return 0;
}

int ca_change_step(struct ca_change *change, struct ca_change_question *question, struct error *err)
{
    change->question = (struct ca_change_question){.want = CA_CHANGE_WANTS_NOTHING};
    int failed = begin(change, err);
    if (failed == 0)
        failed = decide(change, err);
    if (failed < 0)
        return failed;
    *question = change->question;
    return 0;
}

void ca_change_reached(struct ca_change *change, bool is_reached)
{
    assert(change->question.want == CA_CHANGE_WANTS_REACH);
    change->reached[change->asked] = is_reached ? YES : NO;
}

void ca_change_cross_signed(struct ca_change *change, struct bytes cert_pem)
{
    assert(change->question.want == CA_CHANGE_WANTS_CROSS_SIGN);
    change->crossed = cert_pem.size > 0 ? YES : NO;
    buf_append(&change->crossed_pem, cert_pem.data, cert_pem.size);
}

Docker__Swarmkit__V1__RootCA *ca_change_take(struct ca_change *change)
{
    assert(change->question.want == CA_CHANGE_WANTS_NOTHING);
    return steal(&change->next);
}
