/* manager/ca/state.c – see state.h. */
#include "manager/ca/state.h"

#include "manager/ca/tokens.h"
#include "proto/message.h"

Docker__Swarmkit__V1__RootCA *ca_state_new(const struct ca_root *root, bool is_fips, uint64_t forced_rotation, const struct random *random)
{
    char hash[CA_HASH_SIZE_CHARS + 1];
    Docker__Swarmkit__V1__RootCA *root_ca = MESSAGE_NEW(Docker__Swarmkit__V1__RootCA, docker__swarmkit__v1__root_ca);
    ca_root_hash(buf_bytes(&root->cert_pem), hash);
    message_set_bytes(&root_ca->ca_cert, buf_bytes(&root->cert_pem));
    message_set_bytes(&root_ca->ca_key, buf_bytes(&root->key_pem));
    message_set_string(&root_ca->ca_cert_hash, hash);
    root_ca->last_forced_rotation = forced_rotation;
    ca_tokens_make(root_ca, true, true, is_fips, random);
    return root_ca;
}

struct bytes ca_state_wanted_pem(const Docker__Swarmkit__V1__RootCA *root_ca)
{
    return message_bytes(root_ca->root_rotation ? root_ca->root_rotation->ca_cert : root_ca->ca_cert);
}

bool ca_state_has_key(const Docker__Swarmkit__V1__RootCA *root_ca)
{
    return root_ca->root_rotation ? root_ca->root_rotation->ca_key.len > 0 : root_ca->ca_key.len > 0;
}
