/* manager/ca/tokens.c – see tokens.h. */
#include "manager/ca/tokens.h"

#include "base/mem.h"
#include "base/text.h"
#include "proto/identity/token.h"
#include "proto/message.h"

static void make(struct bytes root_pem, bool is_fips, const struct random *random, char **place)
{
    uint8_t secret[TOKEN_SECRET_SIZE_BYTES];
    char text[TOKEN_SIZE_CHARS + 1];
    random_fill(random, secret, sizeof secret);
    token_format(root_pem, secret, is_fips, text);
    message_set_string(place, text);
    mem_wipe(secret, sizeof secret);
    mem_wipe(text, sizeof text);
}

void ca_tokens_make(Docker__Swarmkit__V1__RootCA *root_ca, bool for_workers, bool for_managers, bool is_fips, const struct random *random)
{
    struct bytes root_pem = message_bytes(root_ca->ca_cert);
    if (!root_ca->join_tokens)
        root_ca->join_tokens = MESSAGE_NEW(Docker__Swarmkit__V1__JoinTokens, docker__swarmkit__v1__join_tokens);
    if (for_workers)
        make(root_pem, is_fips, random, &root_ca->join_tokens->worker);
    if (for_managers)
        make(root_pem, is_fips, random, &root_ca->join_tokens->manager);
}

static bool is_it(const char *token, const char *text)
{
    return !text_empty(token) && bytes_equal_constant_time(bytes_of_string(token), bytes_of_string(text));
}

bool ca_tokens_role(const Docker__Swarmkit__V1__JoinTokens *tokens, const char *text, enum certificate_role *role)
{
    bool is_manager = tokens && is_it(tokens->manager, text), is_worker = tokens && is_it(tokens->worker, text);
    *role = is_manager ? CERTIFICATE_MANAGER : CERTIFICATE_WORKER;
    return is_manager || is_worker;
}
