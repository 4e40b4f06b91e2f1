/* tests/fuzz/fuzz_certificate_request.c – a certificate request as any holder of a token may send it; what passes the check is signed. Each
 * input is tried as the text that it is, and as what such a text holds. */
#include <assert.h>

#include "base/clock.h"
#include "manager/ca/sign.h"
#include "manager/ca/state.h"
#include "proto/message.h"

#define WALL_NS INT64_C(1796000000000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ca_signer *make_signer(struct ca_root *root)
{
    struct ca_signer *signer = NULL;
    struct random random = random_system();
    struct error err;
    int failed = ca_root_make(&random, WALL_NS, root, &err);
    Docker__Swarmkit__V1__RootCA *root_ca = ca_state_new(root, false, 0, &random);
    failed = failed < 0 ? failed : ca_signer_new(root_ca, &signer, &err);
    assert(failed == 0);
    (void)failed;
    message_wipe_free(&root_ca->base);
    return signer;
}

static void sign(struct bytes request_pem)
{
    static struct ca_root root;
    static struct ca_signer *signer;
    if (!signer)
        signer = make_signer(&root);
    struct random random = random_system();
    struct ca_subject subject = {"cluster", "node", CERTIFICATE_WORKER};
    struct error err;
    cleanup_buf struct buf chain = {0};
    int checked = ca_request_check(request_pem, &err);
    int made = ca_sign(signer, request_pem, &subject, INT64_C(86400000000000), &random, WALL_NS, &chain, &err);
    assert(checked == made);
    int verified = made < 0 ? 0 : certificate_verify(buf_bytes(&chain), buf_bytes(&root.cert_pem), WALL_NS, NULL, &err);
    assert(verified == 0);
    (void)checked, (void)verified;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_buf struct buf base64 = {0}, pem = {0};
    sign(bytes_of(data, size));
    encode_base64(bytes_of(data, size), &base64);
    buf_append_string(&pem, "-----BEGIN CERTIFICATE REQUEST-----\n");
    for (size_t i = 0; i < base64.size; i += 64)
        buf_append_format(&pem, "%.64s\n", (char *)base64.data + i);
    buf_append_string(&pem, "-----END CERTIFICATE REQUEST-----\n");
    sign(buf_bytes(&pem));
    return 0;
}
