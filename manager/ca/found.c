/* manager/ca/found.c – see found.h. */
#include "manager/ca/found.h"

#include "manager/ca/root.h"
#include "manager/ca/sign.h"
#include "manager/ca/state.h"
#include "proto/identity/certificate.h"
#include "proto/message.h"

void ca_founding_deinit(struct ca_founding *founding)
{
    message_wipe_free(founding->root_ca ? &founding->root_ca->base : NULL);
    buf_deinit(&founding->root_pem);
    buf_deinit(&founding->chain_pem);
    founding->key_pem.is_secret = true;
    buf_deinit(&founding->key_pem);
    *founding = (struct ca_founding){0};
}

static int make_root(const struct ca_found_options *options, struct ca_founding *out, struct error *err)
{
    struct ca_root root;
    int failed = ca_root_make(&options->random, options->wall_ns, &root, err);
    if (failed == 0) {
        out->root_ca = ca_state_new(&root, options->is_fips, 0, &options->random);
        buf_append(&out->root_pem, root.cert_pem.data, root.cert_pem.size);
    }
    ca_root_deinit(&root);
    return failed;
}

static int make_node(const struct ca_found_options *options, struct ca_founding *out, struct error *err)
{
    const struct ca_subject subject = {options->cluster_id, options->node_id, CERTIFICATE_MANAGER};
    cleanup_buf struct buf request_pem = {0};
    struct ca_signer *signer = NULL;
    int failed = certificate_make_key(&out->key_pem, err);
    if (failed == 0)
        failed = certificate_make_request(buf_bytes(&out->key_pem), &request_pem, err);
    if (failed == 0)
        failed = ca_signer_new(out->root_ca, &signer, err);
    if (failed == 0)
        failed = ca_sign(signer, buf_bytes(&request_pem), &subject, options->expiry_ns, &options->random, options->wall_ns, &out->chain_pem,
                         err);
    ca_signer_free(signer);
    return failed;
}

int ca_found(const struct ca_found_options *options, struct ca_founding *out, struct error *err)
{
    *out = (struct ca_founding){.key_pem.is_secret = true};
    int failed = make_root(options, out, err);
    if (failed == 0)
        failed = make_node(options, out, err);
    if (failed == 0)
        return 0;
    ca_founding_deinit(out);
    return error_wrap(err, "make the new cluster's certificates");
}
