/* manager/access/access.c – see access.h. */
#include "manager/access/access.h"

#include <string.h>

#define REFUSED "Permission denied: unauthorized peer role: rpc error: code = PermissionDenied desc = "

/* Who is to be judged: a certificate's subject, or the claim of a manager. */
struct subject {
    const char *common_name, *organization;
    const char *units[16];
    size_t unit_count;
};

static void subject_of_peer(const struct tls_identity *peer, struct subject *out)
{
    *out = (struct subject){.common_name = peer->common_name, .organization = peer->organization};
    for (; out->unit_count < peer->unit_count && out->unit_count < sizeof out->units / sizeof out->units[0]; out->unit_count++)
        out->units[out->unit_count] = peer->units[out->unit_count];
}

static bool has_unit(const struct subject *subject, const char *unit)
{
    for (size_t i = 0; i < subject->unit_count; i++)
        if (strcmp(subject->units[i], unit) == 0)
            return true;
    return false;
}

static const char *metadatum(const struct access_call *call, const char *name, size_t index)
{
    return call->metadata ? call->metadata(call->self, name, index) : NULL;
}

static bool has_role(const struct subject *subject, enum method_callers callers)
{
    return has_unit(subject, ACCESS_MANAGER_UNIT) || (callers != METHOD_MANAGER && has_unit(subject, ACCESS_WORKER_UNIT));
}

static const char *roles_text(enum method_callers callers)
{
    return callers == METHOD_MANAGER ? "[" ACCESS_MANAGER_UNIT "]" : "[" ACCESS_WORKER_UNIT " " ACCESS_MANAGER_UNIT "]";
}

static int check_not_removed(const struct access_rules *rules, const struct subject *subject, struct error *err)
{
    if (rules->was_removed && rules->was_removed(rules->ctx, subject->common_name))
        return error_set(err, ERR_PERMISSION, "Permission denied: node %.64s was removed from swarm", subject->common_name);
    return 0;
}

/* A certificate. */
static int judge(const struct access_rules *rules, const struct subject *subject, enum method_callers callers, struct error *err)
{
    if (!has_role(subject, callers))
        return error_set(err, ERR_PERMISSION, "Permission denied: remote certificate not part of OUs: %s", roles_text(callers));
    int failed = check_not_removed(rules, subject, err);
    if (failed == 0 && strcmp(subject->organization, rules->cluster_id) != 0)
        failed = error_set(err, ERR_PERMISSION, "Permission denied: remote certificate not part of organization: %s", rules->cluster_id);
    return failed;
}

/* What a manager says of another's certificate, which it has seen. That this one was removed is known here at the latest. */
static int judge_claim(const struct access_rules *rules, const struct subject *subject, enum method_callers callers, struct error *err)
{
    if (!has_role(subject, callers))
        return error_set(err, ERR_PERMISSION, "Permission denied: unauthorized forwarded role, expecting: %s", roles_text(callers));
    int failed = check_not_removed(rules, subject, err);
    if (failed == 0 && strcmp(subject->organization, rules->cluster_id) != 0)
        failed = error_set(err, ERR_PERMISSION, "Permission denied: organization mismatch, expecting: %s", rules->cluster_id);
    return failed;
}

static bool is_forwarded(const struct access_call *call)
{
    const char *claim = metadatum(call, "forwarded_cert", 0);
    return claim && strcmp(claim, "true") == 0;
}

static const char *text(const char *value)
{
    return value ? value : "";
}

static void subject_of_claim(const struct access_call *call, struct subject *out)
{
    const char *unit;

    *out = (struct subject){.common_name = text(metadatum(call, "forwarded_cert_cn", 0)),
                            .organization = text(metadatum(call, "forwarded_cert_org", 0))};
    while (out->unit_count < sizeof out->units / sizeof out->units[0] &&
           (unit = metadatum(call, "forwarded_cert_ou", out->unit_count)) != NULL)
        out->units[out->unit_count++] = unit;
}

static void describe(const struct subject *subject, const struct access_call *call, bool forwarded, struct access_caller *out)
{
    const char *address = forwarded ? metadatum(call, "remote_addr", 0) : NULL;

    *out = (struct access_caller){.node_id = subject->common_name,
                                  .cluster_id = subject->organization,
                                  .address = address ? address : text(call->peer_address),
                                  .is_manager = has_unit(subject, ACCESS_MANAGER_UNIT),
                                  .is_forwarded = forwarded};
}

static int check_forwarder(const struct access_rules *rules, const struct access_call *call, struct error *err)
{
    struct subject forwarder;
    struct error why = {0};

    if (!call->peer)
        return error_set(err, ERR_PERMISSION,
                         "Permission denied: unauthorized forwarder role: rpc error: code = PermissionDenied desc = no client certificates "
                         "in request");
    subject_of_peer(call->peer, &forwarder);
    if (judge(rules, &forwarder, METHOD_MANAGER, &why) < 0)
        return error_set(err, ERR_PERMISSION,
                         "Permission denied: unauthorized forwarder role: rpc error: code = PermissionDenied desc = %s", why.message);
    return 0;
}

int access_check(const struct access_rules *rules, const struct access_call *call, struct access_caller *out, struct error *err)
{
    bool forwarded = is_forwarded(call);
    struct subject subject = {.common_name = "", .organization = ""};
    struct error why = {0};
    int failed = forwarded ? check_forwarder(rules, call, err) : 0;

    if (failed < 0)
        return failed;
    if (forwarded)
        subject_of_claim(call, &subject);
    else if (call->peer)
        subject_of_peer(call->peer, &subject);
    bool is_anonymous = subject.common_name[0] == 0 || subject.organization[0] == 0 || subject.unit_count == 0;
    if (call->callers == METHOD_ANYONE) {
        if (is_anonymous || judge(rules, &subject, METHOD_NODE, &why) < 0)
            subject = (struct subject){.common_name = "", .organization = ""};
        describe(&subject, call, forwarded, out);
        return 0;
    }
    if (forwarded && is_anonymous)
        return error_set(err, ERR_PERMISSION, "Permission denied: missing information in forwarded request");
    if (!forwarded && !call->peer)
        return error_set(err, ERR_PERMISSION, REFUSED "no client certificates in request");
    if (forwarded)
        failed = judge_claim(rules, &subject, call->callers, err);
    else if (judge(rules, &subject, call->callers, &why) < 0)
        failed = error_set(err, ERR_PERMISSION, REFUSED "%s", why.message);
    if (failed < 0)
        return failed;
    describe(&subject, call, forwarded, out);
    return 0;
}

int access_may_forward(const struct access_call *call, struct error *err)
{
    const char *before = metadatum(call, "redirect", 0);

    if (before)
        return error_set(err, ERR_LIMIT, "more than one redirect to leader from: [%.100s]", before);
    return 0;
}

/* Always all of them, also where they are empty: what the caller may have written under these names does not travel on. */
size_t access_forward_metadata(const struct access_call *call, const struct access_caller *caller,
                               struct grpc_metadatum out[ACCESS_FORWARD_MOST])
{
    size_t count = 0;

    out[count++] = (struct grpc_metadatum){"redirect", text(call->peer_address)};
    out[count++] = (struct grpc_metadatum){"forwarded_cert", "true"};
    out[count++] = (struct grpc_metadatum){"forwarded_cert_cn", caller->node_id};
    out[count++] = (struct grpc_metadatum){"forwarded_cert_org", caller->cluster_id};
    if (caller->node_id[0])
        out[count++] = (struct grpc_metadatum){"forwarded_cert_ou", caller->is_manager ? ACCESS_MANAGER_UNIT : ACCESS_WORKER_UNIT};
    out[count++] = (struct grpc_metadatum){"remote_addr", caller->address};
    return count;
}
