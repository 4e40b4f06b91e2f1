/* agent/identity_state.c – see identity_state.h. */
#include "agent/identity_state.h"

#include <stdlib.h>

#include "base/id.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

static char *copy_member(const cJSON *json, const char *key)
{
    return mem_string(json_string(json, key, NULL));
}

static int parse_join(struct identity_join *join, const cJSON *json, struct error *err)
{
    const char *digest = json_string(json, "ca_digest", ""), *node_id = json_string(json, "node_id", NULL);
    if (strlen(digest) != (size_t)2 * SHA256_SIZE_BYTES || decode_hex(digest, strlen(digest), join->ca_digest, NULL) < 0)
        return error_set(err, ERR_CORRUPT, "the join that is under way has no digest of its cluster's root CA");
    if (node_id && !id_is_safe(node_id))
        return error_set(err, ERR_CORRUPT, "the join that is under way has an impossible node id");
    join->is_pending = true;
    join->node_id = mem_string(node_id);
    buf_append_string(&join->root_pem, json_string(json, "root", ""));
    buf_append_string(&join->request_pem, json_string(json, "request", ""));
    return 0;
}

int identity_state_parse(struct identity *identity, struct bytes text, struct error *err)
{
    cleanup_json cJSON *json = NULL;
    int failed = json_parse(text, CONFIG_FILE_SIZE_BYTES, &json, err);
    if (failed < 0)
        return error_set(err, ERR_CORRUPT, "it is damaged; restore it from a copy, or remove it and join again");
    if (!cJSON_IsObject(json))
        return error_set(err, ERR_CORRUPT, "it holds no JSON object");
    failed = remotes_from_json(&identity->remotes, cJSON_GetObjectItemCaseSensitive(json, "managers"), err);
    if (failed < 0)
        return failed;
    identity->listen_addr = copy_member(json, "listen_addr");
    identity->advertise_addr = copy_member(json, "advertise_addr");
    identity->data_path_addr = copy_member(json, "data_path_addr");
    const cJSON *join = json_object(json, "join");
    return join ? parse_join(&identity->join, join, err) : 0;
}

static cJSON *print_join(const struct identity_join *join)
{
    char digest[2 * SHA256_SIZE_BYTES + 1];
    cJSON *json = cJSON_CreateObject();
    encode_hex(bytes_of(join->ca_digest, sizeof join->ca_digest), digest);
    json_add_string(json, "ca_digest", digest);
    json_add_string(json, "node_id", join->node_id);
    json_add_string(json, "root", (const char *)join->root_pem.data);
    json_add_string(json, "request", (const char *)join->request_pem.data);
    return json;
}

char *identity_state_print(const struct identity *identity)
{
    cleanup_json cJSON *json = cJSON_CreateObject();
    cJSON_AddItemToObject(json, "managers", remotes_to_json(&identity->remotes));
    json_add_string(json, "listen_addr", identity->listen_addr);
    json_add_string(json, "advertise_addr", identity->advertise_addr);
    json_add_string(json, "data_path_addr", identity->data_path_addr);
    if (identity->join.is_pending)
        cJSON_AddItemToObject(json, "join", print_join(&identity->join));
    return json_print(json);
}
