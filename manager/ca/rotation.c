/* manager/ca/rotation.c – see rotation.h. */
#include "manager/ca/rotation.h"

#include "manager/ca/issue.h"
#include "manager/ca/root.h"
#include "manager/ca/state.h"
#include "proto/message.h"

struct issuer {
    struct buf subject_der, public_key_der;
};

static void deinit(struct issuer *issuer)
{
    buf_deinit(&issuer->subject_der);
    buf_deinit(&issuer->public_key_der);
}

static bool has_issuer(const Docker__Swarmkit__V1__Node *node, const struct issuer *issuer)
{
    const Docker__Swarmkit__V1__NodeTLSInfo *told = node->description ? node->description->tls_info : NULL;
    return told && bytes_equal(message_bytes(told->cert_issuer_subject), buf_bytes(&issuer->subject_der)) &&
           bytes_equal(message_bytes(told->cert_issuer_public_key), buf_bytes(&issuer->public_key_der));
}

static bool is_to_be_told(const Docker__Swarmkit__V1__Node *node)
{
    switch (ca_issue_state(node)) {
    case DOCKER__SWARMKIT__V1__ISSUANCE_STATUS__STATE__RENEW:
    case DOCKER__SWARMKIT__V1__ISSUANCE_STATUS__STATE__PENDING:
    case DOCKER__SWARMKIT__V1__ISSUANCE_STATUS__STATE__ROTATE:
        return false;
    default:
        return true;
    }
}

int ca_rotation_look(const Docker__Swarmkit__V1__RootCA *root_ca, Docker__Swarmkit__V1__Node *const *nodes, size_t count,
                     struct ca_rotation_look *out, struct error *err)
{
    *out = (struct ca_rotation_look){.is_rotating = root_ca && root_ca->root_rotation};
    if (!out->is_rotating)
        return 0;
    __attribute__((cleanup(deinit))) struct issuer wanted = {{0}, {0}};
    int failed = ca_root_issuer(ca_state_wanted_pem(root_ca), &wanted.subject_der, &wanted.public_key_der, err);
    if (failed < 0)
        return error_wrap(err, "the root that the cluster changes to");
    for (size_t i = 0; i < count; i++) {
        if (has_issuer(nodes[i], &wanted))
            continue;
        out->left_count++;
        if (out->told_count < CA_ROTATION_BATCH_COUNT && is_to_be_told(nodes[i]))
            out->told[out->told_count++] = i;
    }
    out->is_converged = out->left_count == 0;
    return 0;
}

Docker__Swarmkit__V1__Node *ca_rotation_tell(const Docker__Swarmkit__V1__Node *node)
{
    Docker__Swarmkit__V1__Node *told = MESSAGE_COPY(node);
    ca_issue_status(told)->state = DOCKER__SWARMKIT__V1__ISSUANCE_STATUS__STATE__ROTATE;
    return told;
}

int ca_rotation_finish(const Docker__Swarmkit__V1__RootCA *root_ca, bool is_fips, const struct random *random, int64_t wall_ns,
                       Docker__Swarmkit__V1__RootCA **out, struct error *err)
{
    const Docker__Swarmkit__V1__RootRotation *rotation = root_ca->root_rotation;
    struct ca_root root = {.key_pem.is_secret = true};
    if (!rotation)
        return error_set(err, ERR_PRECONDITION, "no root rotation goes on");
    int failed = ca_root_check(message_bytes(rotation->ca_cert), message_bytes(rotation->ca_key), wall_ns, err);
    if (failed < 0)
        return error_wrap(err, "the root that the cluster changes to");
    buf_append(&root.cert_pem, rotation->ca_cert.data, rotation->ca_cert.len);
    buf_append(&root.key_pem, rotation->ca_key.data, rotation->ca_key.len);
    *out = ca_state_new(&root, is_fips, root_ca->last_forced_rotation, random);
    ca_root_deinit(&root);
    return 0;
}
