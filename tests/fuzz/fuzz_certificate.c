/* tests/fuzz/fuzz_certificate.c – a chain and its roots as a manager may send them, in one text. */
#include "proto/identity/certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes pem = bytes_of(data, size);
    struct certificate certificate;
    enum certificate_flaw flaw;
    struct error err;
    if (certificate_read(pem, pem, &certificate, &err) == 0)
        certificate_deinit(&certificate);
    certificate_verify(pem, pem, INT64_C(1796000000000000000), &flaw, &err);
    certificate_check_roots(pem, INT64_C(1796000000000000000), &flaw, &err);
    return 0;
}
