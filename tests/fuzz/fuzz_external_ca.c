/* tests/fuzz/fuzz_external_ca.c – what an external CA, or someone in its place, answers: the document, then the certificate in it. */
#include <assert.h>

#include "base/random.h"
#include "manager/ca/external.h"

#define WALL_NS INT64_C(1796000000000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void prepare(struct ca_root *root, struct buf *request_pem)
{
    struct random random = random_system();
    cleanup_buf struct buf key_pem = {.is_secret = true};
    struct error err;
    int failed = ca_root_make(&random, WALL_NS, root, &err);
    failed = failed < 0 ? failed : certificate_make_key(&key_pem, &err);
    failed = failed < 0 ? failed : certificate_make_request(buf_bytes(&key_pem), request_pem, &err);
    assert(failed == 0);
    (void)failed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ca_root root;
    static struct buf request_pem;
    if (request_pem.size == 0)
        prepare(&root, &request_pem);
    Docker__Swarmkit__V1__RootCA root_ca = DOCKER__SWARMKIT__V1__ROOT_CA__INIT;
    struct ca_subject subject = {"cluster", "node", CERTIFICATE_WORKER};
    struct error err = {0};
    cleanup_buf struct buf certificate = {0}, chain = {0};
    root_ca.ca_cert = (ProtobufCBinaryData){root.cert_pem.size, root.cert_pem.data};
    if (ca_external_parse(bytes_of(data, size), &certificate, &err) < 0) {
        assert(certificate.size == 0 && (err.code == ERR_AGAIN || err.code == ERR_PEER));
        return 0;
    }
    /* Nobody but the root, whose key was made in this process, could sign one that is good. */
    int failed = ca_external_chain(buf_bytes(&certificate), buf_bytes(&request_pem), &subject, &root_ca, WALL_NS, &chain, &err);
    assert(failed == ERR_PEER && chain.size == 0);
    (void)failed;
    return 0;
}
