/* agent/remotes.c – see remotes.h. */
#include "agent/remotes.h"

#include <assert.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

static void remote_deinit(struct remote *remote)
{
    free(remote->node_id);
    free(remote->addr);
}

void remotes_deinit(struct remotes *remotes)
{
    for (size_t i = 0; i < remotes->count; i++)
        remote_deinit(&remotes->list[i]);
    free(remotes->list);
    *remotes = (struct remotes){0};
}

static struct remote *find(const struct remotes *remotes, const char *node_id, const char *addr)
{
    for (size_t i = 0; i < remotes->count; i++)
        if (text_equal(remotes->list[i].node_id, node_id) && text_equal(remotes->list[i].addr, addr))
            return &remotes->list[i];
    return NULL;
}

static struct remote *add(struct remotes *remotes, const char *node_id, const char *addr)
{
    assert(remotes->count < MANAGERS_COUNT);
    remotes->list = mem_resize(remotes->list, (remotes->count + 1) * sizeof *remotes->list);
    struct remote *remote = &remotes->list[remotes->count++];
    *remote = (struct remote){.node_id = mem_string(node_id), .addr = mem_string(addr)};
    return remote;
}

/* Half of the sum, rounded up: C's division rounds towards zero, which is up only below zero. */
static void observe(struct remote *remote, int observation)
{
    if (observation > REMOTE_WEIGHT_MAX)
        observation = REMOTE_WEIGHT_MAX;
    if (observation < -REMOTE_WEIGHT_MAX)
        observation = -REMOTE_WEIGHT_MAX;
    int sum = observation + remote->weight;
    remote->weight = sum > 0 ? (sum + 1) / 2 : sum / 2;
}

int remotes_observe(struct remotes *remotes, const char *node_id, const char *addr, int observation, struct error *err)
{
    if (!node_id)
        node_id = "";
    if (text_empty(addr))
        return error_set(err, ERR_INVALID, "a manager without an address");
    struct remote *remote = find(remotes, node_id, addr);
    if (!remote) {
        if (remotes->count >= MANAGERS_COUNT)
            return error_set(err, ERR_LIMIT, "more than %d managers", MANAGERS_COUNT);
        remote = add(remotes, node_id, addr);
    }
    observe(remote, observation);
    return 0;
}

void remotes_observe_known(struct remotes *remotes, const char *node_id, const char *addr, int observation)
{
    struct remote *remote = find(remotes, node_id ? node_id : "", addr);
    if (remote)
        observe(remote, observation);
}

static size_t count_usable(const struct remote_told *told, size_t count)
{
    size_t usable = 0;
    for (size_t i = 0; i < count; i++)
        usable += text_empty(told[i].addr) ? 0 : 1;
    return usable;
}

int remotes_replace(struct remotes *remotes, const struct remote_told *told, size_t count, struct error *err)
{
    size_t usable = count_usable(told, count);
    if (usable > MANAGERS_COUNT)
        return error_set(err, ERR_LIMIT, "a manager told of %zu managers, more than the %d that are kept", usable, MANAGERS_COUNT);
    if (usable == 0)
        return 0;
    struct remotes next = {0};
    for (size_t i = 0; i < count; i++) {
        const char *node_id = told[i].node_id ? told[i].node_id : "";
        if (text_empty(told[i].addr) || find(&next, node_id, told[i].addr))
            continue;
        const struct remote *known = find(remotes, node_id, told[i].addr);
        struct remote *remote = add(&next, node_id, told[i].addr);
        remote->weight = known ? known->weight : 0;
        observe(remote, told[i].weight);
    }
    remotes_deinit(remotes);
    *remotes = next;
    return 0;
}

static bool is_excluded(const struct remote *remote, const char *const *excluded, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (text_equal(remote->addr, excluded[i]) || (*remote->node_id && text_equal(remote->node_id, excluded[i])))
            return true;
    return false;
}

/* In thousandths, so that the bias of 0.001 is a whole number. */
static uint64_t share(const struct remote *remote)
{
    return (remote->weight > 0 ? (uint64_t)remote->weight * 1000 : 0) + 1;
}

int remotes_select(const struct remotes *remotes, const struct random *random, const char *const *excluded, size_t excluded_count,
                   const struct remote **out, struct error *err)
{
    if (remotes->count == 0)
        return error_set(err, ERR_UNAVAILABLE, "no manager is known to this node; take it out with `skep leave --force` and join again");
    uint64_t total = 0;
    for (size_t i = 0; i < remotes->count; i++)
        total += is_excluded(&remotes->list[i], excluded, excluded_count) ? 0 : share(&remotes->list[i]);
    if (total == 0)
        return error_set(err, ERR_UNAVAILABLE, "none of the %zu known managers is left to try", remotes->count);
    uint64_t draw = random_below(random, total);
    const struct remote *chosen = NULL;
    for (size_t i = 0; i < remotes->count && !chosen; i++) {
        const struct remote *remote = &remotes->list[i];
        if (is_excluded(remote, excluded, excluded_count))
            continue;
        if (draw < share(remote))
            chosen = remote;
        else
            draw -= share(remote);
    }
    assert(chosen);
    *out = chosen;
    return 0;
}

cJSON *remotes_to_json(const struct remotes *remotes)
{
    cJSON *json = cJSON_CreateArray();
    for (size_t i = 0; i < remotes->count; i++) {
        const struct remote *remote = &remotes->list[i];
        cJSON *entry = cJSON_CreateObject();
        json_add_string(entry, "node_id", remote->node_id);
        json_add_string(entry, "addr", remote->addr);
        json_add_int(entry, "weight", remote->weight);
        cJSON_AddItemToArray(json, entry);
    }
    return json;
}

static int read_entry(struct remotes *remotes, const cJSON *entry, struct error *err)
{
    const char *node_id = json_string(entry, "node_id", ""), *addr = json_string(entry, "addr", "");
    int64_t weight = json_int(entry, "weight", 0);
    if (text_empty(addr))
        return error_set(err, ERR_CORRUPT, "the list of managers has an entry without an address");
    if (remotes->count >= MANAGERS_COUNT)
        return error_set(err, ERR_CORRUPT, "the list of managers has more than %d entries", MANAGERS_COUNT);
    if (weight < -REMOTE_WEIGHT_MAX || weight > REMOTE_WEIGHT_MAX)
        return error_set(err, ERR_CORRUPT, "the list of managers has an impossible weight for %s", addr);
    if (!find(remotes, node_id, addr))
        add(remotes, node_id, addr)->weight = (int)weight;
    return 0;
}

int remotes_from_json(struct remotes *remotes, const cJSON *json, struct error *err)
{
    if (json && !cJSON_IsArray(json))
        return error_set(err, ERR_CORRUPT, "the list of managers is not a list");
    const cJSON *entry;
    cJSON_ArrayForEach (entry, json) {
        int failed = read_entry(remotes, entry, err);
        if (failed < 0) {
            remotes_deinit(remotes);
            return failed;
        }
    }
    return 0;
}
