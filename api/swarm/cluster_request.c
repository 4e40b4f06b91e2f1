/* api/swarm/cluster_request.c – see json_cluster.h: what is asked of a swarm as a whole, beside its spec. */
#include <string.h>

#include "api/swarm/json_cluster.h"
#include "api/swarm/utf8.h"
#include "base/json.h"
#include "proto/message.h"

/* NULL where it is absent or null. */
static const cJSON *member(const cJSON *json, const char *name)
{
    const cJSON *item = cJSON_GetObjectItem(json, name);
    return cJSON_IsNull(item) ? NULL : item;
}

static int read_text(const cJSON *json, const char *name, struct arena *arena, const char **out, struct error *err)
{
    const cJSON *item = member(json, name);
    *out = "";
    if (item == NULL)
        return 0;
    if (!cJSON_IsString(item) || !utf8_is_valid(item->valuestring))
        return error_set(err, ERR_INVALID, "%s: not a text", name);
    *out = arena ? arena_string(arena, item->valuestring) : item->valuestring;
    return 0;
}

static int read_bool(const cJSON *json, const char *name, bool *out, struct error *err)
{
    const cJSON *item = member(json, name);
    if (item && !cJSON_IsBool(item))
        return error_set(err, ERR_INVALID, "%s: not true or false", name);
    *out = cJSON_IsTrue(item) != 0;
    return 0;
}

static int read_u32(const cJSON *json, const char *name, uint32_t *out, struct error *err)
{
    const cJSON *item = member(json, name);
    *out = 0;
    if (item == NULL)
        return 0;
    double number = cJSON_IsNumber(item) ? item->valuedouble : -1;
    if (!(number >= 0 && number <= UINT32_MAX) || (double)(uint32_t)number < number)
        return error_set(err, ERR_INVALID, "%s: not a whole number between 0 and %u", name, UINT32_MAX);
    *out = (uint32_t)number;
    return 0;
}

static int read_pool(const cJSON *json, struct arena *arena, struct swarm_init_request *out, struct error *err)
{
    const cJSON *list = member(json, "DefaultAddrPool"), *item;
    if (list == NULL)
        return 0;
    if (!cJSON_IsArray(list))
        return error_set(err, ERR_INVALID, "DefaultAddrPool: not a list");
    int count = cJSON_GetArraySize(list);
    if (count > SWARM_ADDRESS_POOLS_COUNT)
        return error_set(err, ERR_LIMIT, "DefaultAddrPool: more than %d entries", SWARM_ADDRESS_POOLS_COUNT);
    out->default_addr_pool = arena_alloc(arena, (size_t)count * sizeof *out->default_addr_pool);
    cJSON_ArrayForEach (item, list) {
        if (!cJSON_IsString(item) || !utf8_is_valid(item->valuestring))
            return error_set(err, ERR_INVALID, "DefaultAddrPool[%zu]: not a text", out->default_addr_pool_count);
        out->default_addr_pool[out->default_addr_pool_count++] = arena_string(arena, item->valuestring);
    }
    return 0;
}

static int read_availability(const cJSON *json, struct swarm_init_request *out, struct error *err)
{
    static const char *const known[] = {"", "active", "pause", "drain"};
    const char *text;
    int rc = read_text(json, "Availability", NULL, &text, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i], text) == 0)
            out->availability = known[i];
    return out->availability ? 0 : error_set(err, ERR_INVALID, "Availability: invalid Availability: none of active, pause, drain");
}

static int read_spec(const cJSON *json, unsigned api_version, struct swarm_init_request *out, struct error *err)
{
    cleanup_arena struct arena scratch = {0};
    Docker__Swarmkit__V1__ClusterSpec *spec;
    out->spec = member(json, "Spec");
    if (out->spec == NULL)
        return 0;
    int rc = swarm_read_cluster_spec(out->spec, api_version, NULL, &scratch, &spec, err);
    if (rc == 0)
        message_wipe(&spec->base);
    return rc;
}

static int read_members(const cJSON *json, unsigned api_version, struct arena *arena, struct swarm_init_request *out, struct error *err)
{
    int rc;
    if ((rc = read_text(json, "ListenAddr", arena, &out->listen_addr, err)) < 0 ||
        (rc = read_text(json, "AdvertiseAddr", arena, &out->advertise_addr, err)) < 0 ||
        (rc = read_text(json, "DataPathAddr", arena, &out->data_path_addr, err)) < 0 ||
        (rc = read_bool(json, "ForceNewCluster", &out->force_new_cluster, err)) < 0 ||
        (rc = read_bool(json, "AutoLockManagers", &out->autolock_managers, err)) < 0 || (rc = read_availability(json, out, err)) < 0 ||
        (rc = read_spec(json, api_version, out, err)) < 0)
        return rc;
    if (api_version >= 39 &&
        ((rc = read_pool(json, arena, out, err)) < 0 || (rc = read_u32(json, "SubnetSize", &out->subnet_size, err)) < 0))
        return rc;
    return api_version >= 40 ? read_u32(json, "DataPathPort", &out->data_path_port, err) : 0;
}

int swarm_read_init(const cJSON *json, unsigned api_version, struct arena *arena, struct swarm_init_request *out, struct error *err)
{
    *out = (struct swarm_init_request){0};
    if (!cJSON_IsObject(json))
        return error_set(err, ERR_INVALID, "the request's body: not a JSON object");
    return read_members(json, api_version, arena, out, err);
}

int swarm_read_unlock(const cJSON *json, const char **key, struct error *err)
{
    if (!cJSON_IsObject(json))
        return error_set(err, ERR_INVALID, "the request's body: not a JSON object with UnlockKey");
    return read_text(json, "UnlockKey", NULL, key, err);
}
