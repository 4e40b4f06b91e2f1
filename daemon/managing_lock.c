/* daemon/managing_lock.c – what lies on this host's disk follows the cluster's unlock key: the vault, and under it the node's key and the
 * manager's. The order of the writes is vault.h's. */
#include <stdlib.h>
#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/managing_inside.h"
#include "proto/message.h"
#include "proto/swarmkit/ca.pb-c.h"

/* --- the lock --- */

/* Node and manager as the vault says. What is so already is not written again. */
static int settle(struct managing *managing, const uint8_t *lock, struct error *err)
{
    if (managing->manager && !managing->is_closing && manager_set_lock(managing->manager, lock, err) < 0)
        return err->code;
    return node_set_lock(managing->options.node, lock, err);
}

static int lock(struct managing *managing, const uint8_t *kek, uint64_t version, struct error *err)
{
    struct vault *vault = managing->options.vault;
    bool was_locking = vault->sealed != NULL;

    if (vault_is_under(vault, kek))
        return 0;
    if (vault_lock(vault, kek, version, &managing->random, err) < 0)
        return err->code;
    log_info(ROOM, was_locking ? "this manager has another unlock key from now on" : "this manager locks itself when it stops");
    return 0;
}

static int open_up(struct managing *managing, uint64_t version, struct error *err)
{
    struct vault *vault = managing->options.vault;

    if (vault->sealed == NULL)
        return 0;
    if (settle(managing, NULL, err) < 0 || vault_drop(vault, version, err) < 0)
        return err->code;
    log_info(ROOM, "this manager does not lock itself any more");
    return 0;
}

int managing_on_lock(void *ctx, struct bytes unlock_key, uint64_t version, struct error *err)
{
    struct managing *managing = ctx;
    struct vault *vault = managing->options.vault;
    int failed = 0;

    if (version > vault->kek_version && unlock_key.size == UNLOCK_KEY_SIZE_BYTES)
        failed = lock(managing, unlock_key.data, version, err);
    else if (version > vault->kek_version && unlock_key.size == 0)
        failed = open_up(managing, version, err);
    else if (version > vault->kek_version)
        return error_set(err, ERR_CORRUPT, "the cluster's unlock key has %zu bytes", unlock_key.size);
    return failed < 0 ? failed : settle(managing, vault_key(vault), err);
}

int managing_lock_first(struct managing *managing, uint8_t kek[UNLOCK_KEY_SIZE_BYTES], struct error *err)
{
    struct vault *vault = managing->options.vault;

    if (vault_is_locked(vault))
        return error_set(err, ERR_PRECONDITION, "%s is of another swarm: remove it", vault->path);
    random_fill(&managing->random, kek, UNLOCK_KEY_SIZE_BYTES);
    if (vault_lock(vault, kek, 0, &managing->random, err) < 0)
        return err->code;
    return node_set_lock(managing->options.node, vault_key(vault), err);
}

int managing_lock_end(struct managing *managing, struct error *err)
{
    if (node_set_lock(managing->options.node, NULL, err) < 0)
        return err->code;
    return vault_erase(managing->options.vault, err);
}

/* --- unlocking --- */

/* A leader is found within a second or two, if there is one: until then commands would fail that follow at once. */
struct patience {
    uv_timer_t timer;
    struct managing *managing;
};

static void on_patience_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_patience(uv_timer_t *timer)
{
    struct patience *patience = timer->data;

    managing_unlocked(patience->managing); /* which ends this */
}

static void end_patience(struct managing *managing)
{
    struct patience *patience = managing->patience;

    managing->patience = NULL;
    if (patience == NULL)
        return;
    uv_timer_stop(&patience->timer);
    uv_close((uv_handle_t *)&patience->timer, on_patience_closed);
}

void managing_unlocked(struct managing *managing)
{
    struct unlocking unlocking = managing->unlocking;

    managing->unlocking = (struct unlocking){0};
    end_patience(managing);
    if (unlocking.done)
        unlocking.done(unlocking.ctx, NULL);
}

static void wait_for_manager(struct managing *managing, api_unlock_done *done, void *ctx)
{
    struct patience *patience = mem_alloc(sizeof *patience);

    managing->unlocking = (struct unlocking){done, ctx};
    managing->patience = patience;
    patience->managing = managing;
    uv_timer_init(managing->options.loop, &patience->timer);
    patience->timer.data = patience;
    uv_timer_start(&patience->timer, on_patience, MANAGER_UNLOCK_MS, 0);
}

/* The vault is open: the rest follows as at a start. */
static int go_on(struct managing *managing, struct error *err)
{
    struct vault *vault = managing->options.vault;
    struct node_info info;

    if (node_unlock(managing->options.node, vault_key(vault), err) == 0)
        return 0;
    node_info(managing->options.node, &info);
    if (info.state == NODE_LOCKED)
        vault_relock(vault);
    return error_wrap(err, "swarm component could not be started");
}

int managing_unlock(void *self, const char *key, api_unlock_done *done, void *ctx, struct error *err)
{
    struct managing *managing = self;
    struct vault *vault = managing->options.vault;
    uint8_t kek[UNLOCK_KEY_SIZE_BYTES];
    struct node_info info;

    node_info(managing->options.node, &info);
    if (info.state != NODE_LOCKED)
        return error_set(err, ERR_PRECONDITION, "swarm is not locked");
    if (unlock_key_parse(key, kek, err) < 0)
        return err->code;
    int failed =
        vault->sealed || vault->damage.code
            ? vault_unlock(vault, kek, err)
            : error_set(err, ERR_CORRUPT, "%s is gone, and without it the node's key is of no use: restore it from a copy", vault->path);
    mem_wipe(kek, sizeof kek);
    if (failed < 0 || go_on(managing, err) < 0)
        return err->code;
    wait_for_manager(managing, done, ctx);
    return 0;
}

/* --- which key it is --- */

struct key_asking {
    struct key_asking *prev, *next;
    struct managing *managing;
    api_unlock_key_done *done;
    void *ctx;
};

static void key_told(void *ctx, const struct control_answer *answer)
{
    struct key_asking *asking = ctx;
    const Docker__Swarmkit__V1__GetUnlockKeyResponse *response = (const void *)answer->response;
    char text[UNLOCK_KEY_SIZE_CHARS + 1] = "";

    DL_DELETE(asking->managing->key_askings, asking);
    if (response && response->unlock_key.len == UNLOCK_KEY_SIZE_BYTES)
        unlock_key_format(response->unlock_key.data, text);
    asking->done(asking->ctx, response ? text : NULL, response ? NULL : answer->err);
    mem_wipe(text, sizeof text);
    free(asking);
}

/* The leader says it: a follower may not have heard yet of a key that was rotated a moment ago. */
void managing_unlock_key(void *self, api_unlock_key_done *done, void *ctx)
{
    const Docker__Swarmkit__V1__GetUnlockKeyRequest request = DOCKER__SWARMKIT__V1__GET_UNLOCK_KEY_REQUEST__INIT;
    struct managing *managing = self;
    struct error err;

    if (managing->manager == NULL) {
        error_set(&err, ERR_UNAVAILABLE, "no manager runs here");
        done(ctx, NULL, &err);
        return;
    }
    struct key_asking *asking = mem_alloc(sizeof *asking);
    *asking = (struct key_asking){.managing = managing, .done = done, .ctx = ctx};
    DL_APPEND(managing->key_askings, asking);
    manager_call(managing->manager, METHOD_CA_GetUnlockKey, &request.base, key_told, asking);
}

void managing_lock_abandon(struct managing *managing, void *ctx)
{
    struct key_asking *asking, *next;

    if (managing->unlocking.ctx == ctx)
        managing->unlocking.done = NULL;
    DL_FOREACH_SAFE (managing->key_askings, asking, next)
        if (asking->ctx == ctx) {
            if (managing->manager)
                manager_abandon(managing->manager, asking);
            DL_DELETE(managing->key_askings, asking);
            free(asking);
        }
}
