/* tests/fuzz/fuzz_accounts.c – an image's passwd and group files: the input is both at once, looked through for a few users. */
#include "runtime/linux/accounts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const users[] = {"", "root", "1000:extra", "web"};
    struct account account;
    struct error err;

    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++)
        account_find(users[i], NULL, bytes_of(data, size), bytes_of(data, size), &account, &err);
    return 0;
}
