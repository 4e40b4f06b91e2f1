/* tests/fuzz/fuzz_pem.c – certificates and keys as files and peers give them: up to the first zero byte a chain, then a key, then roots. */
#include <string.h>

#include "base/mem.h"
#include "proto/tls/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct bytes next_part(struct bytes *rest)
{
    const uint8_t *zero = rest->size ? memchr(rest->data, 0, rest->size) : NULL;
    struct bytes part = bytes_of(rest->data, zero ? (size_t)(zero - rest->data) : rest->size);
    *rest = zero ? bytes_of(zero + 1, rest->size - part.size - 1) : bytes_of(NULL, 0);
    return part;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes rest = bytes_of(data, size), chain_pem = next_part(&rest), key_pem = next_part(&rest), roots_pem = next_part(&rest);
    struct clock clock = clock_system();
    struct tls_credentials *credentials = tls_credentials_new(&clock);
    struct error err;
    if (tls_credentials_set(credentials, chain_pem, key_pem, roots_pem, &err) < 0)
        tls_credentials_set(credentials, bytes_of(NULL, 0), bytes_of(NULL, 0), chain_pem, &err);
    tls_credentials_free(credentials);
    STACK_OF(X509) * chain, *roots;
    if (tls_read_list(chain_pem, &chain, &err) < 0)
        return 0;
    if (tls_read_list(roots_pem, &roots, &err) == 0) {
        tls_verify(sk_X509_value(chain, 0), chain, roots, TLS_AS_SERVER, "swarm-manager", INT64_C(1790000000) * 1000000000, NULL, &err);
        tls_list_free(roots);
    }
    tls_list_free(chain);
    return 0;
}
