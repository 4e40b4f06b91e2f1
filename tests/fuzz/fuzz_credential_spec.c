/* tests/fuzz/fuzz_credential_spec.c – Skep.Windows.CredentialSpec: what is taken for a file is below its directory. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "runtime/windows/credential_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum windows_credential_source source;
    cleanup_buf struct buf text = {0};
    const char *rest = NULL;
    struct error err = {0};

    buf_append(&text, data, size);
    cleanup_free char *where = buf_steal_string(&text);
    windows_credential_spec_check(where, "the input", &err);
    if (windows_credential_spec_parse(where, &source, &rest, &err) < 0)
        return 0;
    if (rest < where || rest > where + strlen(where))
        abort();
    if (source == WINDOWS_CREDENTIAL_FILE &&
        (strcspn(rest, "\\/:") == 0 || strstr(rest, "../") || strstr(rest, "..\\") || strchr(rest, ':')))
        abort();
    return 0;
}
