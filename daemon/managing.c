/* daemon/managing.c – see managing.h. One manager at most; what it shall be follows from the node's certificate, and is looked at anew
 * whenever that has changed, or a manager has closed. */
#include "daemon/managing.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "daemon/addresses.h"
#include "daemon/managing_inside.h"
#include "manager/ca/config.h"
#include "manager/member.h"
#include "runtime/image/reference.h"

enum { RETRY_MS = 5000, RENEWING_MS = 300 };

static void close_manager(struct managing *managing);

/* --- what is to be --- */

/* Docker's managers may have made this node one of them; it is none, then: it does not share their Raft group yet. */
static bool is_wanted(const struct managing *managing)
{
    struct node_info info;

    node_info(managing->options.node, &info);
    if (managing->is_freed)
        return false;
    return managing->founding || (text_equal(info.role, "manager") && (managing->is_member || info.has_skep_managers));
}

static void on_ready(void *ctx);
static void on_commit(void *ctx, const struct store_commit *commit);
static void on_failed(void *ctx, const struct error *err);

static int check_image(void *self, const char *text, struct error *err)
{
    struct image_reference reference;

    (void)self;
    return image_reference_parse(text, &reference, err);
}

static int papers(void *self, struct bytes *chain_pem, struct bytes *key_pem, struct error *err)
{
    return node_papers(((struct managing *)self)->options.node, chain_pem, key_pem, err);
}

static int open_manager(struct managing *managing, struct manager_options *options, struct error *err)
{
    options->loop = managing->options.loop;
    options->clock = managing->options.clock;
    options->random = managing->random;
    options->dir = managing->dir;
    options->credentials = node_credentials(managing->options.node);
    options->check_image = check_image;
    options->papers = papers;
    options->images = managing->options.images;
    options->host = managing;
    options->lock = vault_key(managing->options.vault);
    options->events = (struct manager_events){
        .on_ready = on_ready, .on_failed = on_failed, .on_lock = managing_on_lock, .on_commit = on_commit, .ctx = managing};
    return manager_open(options, &managing->manager, err);
}

/* Another manager than ourselves, as the node knows them; NULL: none. */
static const char *somebody(const struct node_info *info)
{
    for (size_t i = 0; i < info->manager_count; i++)
        if (!text_equal(info->managers[i].node_id, info->node_id) && !text_equal(info->managers[i].addr, info->advertise_addr))
            return info->managers[i].addr;
    return NULL;
}

/* The node is a manager by its certificate: go on as one, or be let in. */
static int open_as_node(struct managing *managing, struct error *err)
{
    cleanup_free char *listen = NULL, *advertise = NULL;
    struct node_info info;

    node_info(managing->options.node, &info);
    if (addresses_listen(info.listen_addr, &listen, err) < 0)
        return err->code;
    if (text_empty(info.advertise_addr))
        advertise = mem_string(listen); /* any: whoever lets it in sees where it calls from */
    else if (addresses_advertise(info.advertise_addr, listen, &advertise, err) < 0)
        return err->code;
    return open_manager(managing,
                        &(struct manager_options){.node_id = info.node_id,
                                                  .cluster_id = info.cluster_id,
                                                  .listen_address = listen,
                                                  .advertise_address = advertise,
                                                  .is_new_cluster = managing->forcing.is_under_way,
                                                  .join = somebody(&info)},
                        err);
}

static void on_retry(uv_timer_t *timer)
{
    managing_look(timer->data);
}

static void erase(struct managing *managing)
{
    struct error err = {0};

    managing->is_member = false;
    if (member_erase(managing->dir, &err) < 0 || managing_lock_end(managing, &err) < 0)
        log_error(ROOM, "what this host was as a manager is not removed: %s", err.message);
}

void managing_look(struct managing *managing)
{
    struct error err = {0};
    struct node_info info;

    if (managing->is_closing || managing->is_freed || managing->founding)
        return;
    node_info(managing->options.node, &info);
    if (info.state == NODE_LOCKED)
        return;
    /* Who is promoted again before the demotion has reached its certificate keeps that one, or gets a manager's for a manager's. */
    if (managing->is_removed && (info.is_to_be_manager || !text_equal(info.role, "manager")))
        managing->is_removed = false;
    if (managing->manager) {
        if (is_wanted(managing))
            return;
        log_info(ROOM, "this node is no manager any more");
        close_manager(managing);
    } else if (!is_wanted(managing)) {
        erase(managing);
    } else if (managing->is_removed) {
        return; /* until one of the two has changed */
    } else if (!managing->is_member && info.is_renewing) {
        /* A worker's would end the membership that the group counts on by then: of two managers, both. */
        uv_timer_start(&managing->retry, on_retry, RENEWING_MS, 0);
    } else if (open_as_node(managing, &err) < 0) {
        log_error(ROOM, "no manager runs here: %s; tried again in %d s", err.message, RETRY_MS / 1000);
        uv_timer_start(&managing->retry, on_retry, RETRY_MS, 0);
    }
}

/* --- a new cluster out of an old one --- */

static void end_forcing(struct managing *managing, const struct error *err)
{
    struct forcing forcing = managing->forcing;
    struct node_info info;

    node_info(managing->options.node, &info);
    managing->forcing = (struct forcing){0};
    if (forcing.done)
        forcing.done(forcing.ctx, err ? NULL : info.node_id, err);
}

static void go_on_alone(struct managing *managing)
{
    struct error err = {0};

    if (open_as_node(managing, &err) == 0)
        return;
    end_forcing(managing, &err);
    uv_timer_start(&managing->retry, on_retry, RETRY_MS, 0);
}

/* --- closing --- */

static void on_retry_closed(uv_handle_t *handle)
{
    struct managing *managing = handle->data;
    void (*on_freed)(void *ctx) = managing->on_freed;
    void *ctx = managing->freed_ctx;

    free((char *)(uintptr_t)managing->options.state_dir);
    free(managing->dir);
    free(managing);
    if (on_freed)
        on_freed(ctx);
}

/* One that was removed looks again, too: it may have heard that it is to be a manager before it was told that it is none. */
static void look_later(struct managing *managing)
{
    bool is_wanted_now = is_wanted(managing);

    if (managing->is_removed || !is_wanted_now)
        erase(managing);
    if (is_wanted_now)
        uv_timer_start(&managing->retry, on_retry, RETRY_MS, 0);
}

static void on_manager_closed(void *ctx)
{
    struct managing *managing = ctx;

    managing->is_closing = false;
    managing->manager = NULL;
    if (managing->is_freed)
        uv_close((uv_handle_t *)&managing->retry, on_retry_closed);
    else if (managing->forcing.is_under_way)
        go_on_alone(managing);
    else
        look_later(managing);
}

static void close_manager(struct managing *managing)
{
    uv_timer_stop(&managing->retry);
    managing->is_closing = true;
    manager_close(managing->manager, on_manager_closed, managing);
}

/* --- what the manager tells --- */

static void end_founding(struct managing *managing, const struct error *err)
{
    struct founding *founding = managing->founding;
    struct bytes none = bytes_of(NULL, 0);
    struct error lock = {0};

    managing->founding = NULL;
    if (err && managing_lock_end(managing, &lock) < 0)
        log_error(ROOM, "%s", lock.message);
    if (err)
        tls_credentials_set(node_credentials(managing->options.node), none, none, none, NULL);
    if (founding->done)
        founding->done(founding->ctx, err ? NULL : founding->node_id, err);
    ca_founding_deinit(&founding->papers);
    free(founding->listen);
    free(founding->advertise);
    free(founding->data_path);
    free(founding);
}

/* The cluster is there, and in it this node: now it may say so on its own disk. */
static void on_ready(void *ctx)
{
    struct managing *managing = ctx;
    struct founding *founding = managing->founding;
    struct error err = {0};

    managing->is_member = true;
    managing_unlocked(managing);
    if (managing->forcing.is_under_way)
        end_forcing(managing, NULL);
    if (founding == NULL) {
        log_info(ROOM, "this node takes part as a manager, at %s", manager_address(managing->manager));
        return;
    }
    const struct node_papers papers = {.root_pem = buf_bytes(&founding->papers.root_pem),
                                       .chain_pem = buf_bytes(&founding->papers.chain_pem),
                                       .key_pem = buf_bytes(&founding->papers.key_pem),
                                       .listen_addr = founding->listen,
                                       .advertise_addr = founding->advertise,
                                       .data_path_addr = founding->data_path};
    if (node_found_swarm(managing->options.node, &papers, &err) == 0) {
        log_info(ROOM, "a swarm begins: node %s is its first manager, at %s", founding->node_id, founding->advertise);
        end_founding(managing, NULL);
        return;
    }
    end_founding(managing, &err);
    close_manager(managing);
}

static void on_commit(void *ctx, const struct store_commit *commit)
{
    struct managing *managing = ctx;
    managing->options.on_commit(managing->options.ctx, commit);
}

static void on_failed(void *ctx, const struct error *err)
{
    struct managing *managing = ctx;

    log_error(ROOM, "%s", err->message);
    managing->is_removed = err->code == ERR_PERMISSION;
    if (managing->founding)
        end_founding(managing, err);
    if (managing->forcing.is_under_way)
        end_forcing(managing, err);
    if (!managing->is_closing)
        close_manager(managing);
}

/* --- swarm init --- */

static int make_papers(struct managing *managing, struct founding *founding, struct error *err)
{
    id_make(&managing->random, founding->cluster_id);
    id_make(&managing->random, founding->node_id);
    const struct ca_found_options options = {.cluster_id = founding->cluster_id,
                                             .node_id = founding->node_id,
                                             .expiry_ns = ca_config_expiry_ns(NULL),
                                             .random = managing->random,
                                             .wall_ns = clock_wall_ns(&managing->options.clock)};
    if (ca_found(&options, &founding->papers, err) < 0)
        return err->code;
    return tls_credentials_set(node_credentials(managing->options.node), buf_bytes(&founding->papers.chain_pem),
                               buf_bytes(&founding->papers.key_pem), buf_bytes(&founding->papers.root_pem), err);
}

static int open_first(struct managing *managing, const struct api_init_request *request, struct error *err)
{
    const struct founding *founding = managing->founding;
    uint8_t kek[UNLOCK_KEY_SIZE_BYTES] = {0};
    const struct control_bootstrap_options bootstrap = {
        .cluster_id = founding->cluster_id,
        .node_id = founding->node_id,
        .availability = (Docker__Swarmkit__V1__NodeSpec__Availability)request->availability,
        .root_ca = founding->papers.root_ca,
        .ca_config = request->spec ? request->spec->ca_config : NULL,
        .address_pools = request->address_pools,
        .address_pool_count = request->address_pool_count,
        .subnet_size = request->subnet_size,
        .vxlan_port = request->data_path_port,
        .locks_managers = request->autolock,
        .unlock_key = bytes_of(kek, request->autolock ? sizeof kek : 0),
    };
    struct manager_options options = {.node_id = founding->node_id,
                                      .cluster_id = founding->cluster_id,
                                      .listen_address = founding->listen,
                                      .advertise_address = founding->advertise,
                                      .bootstrap = &bootstrap};

    int failed = request->autolock ? managing_lock_first(managing, kek, err) : 0;
    if (failed == 0)
        failed = open_manager(managing, &options, err);
    mem_wipe(kek, sizeof kek);
    return failed;
}

static int check_init(const struct managing *managing, struct error *err)
{
    struct node_info info;

    node_info(managing->options.node, &info);
    if (info.state != NODE_INACTIVE || managing->manager || managing->is_closing || managing->founding)
        return error_set(err, ERR_EXISTS,
                         "This node is already part of a swarm. Use \"docker swarm leave\" to leave this swarm and join another one.");
    return 0;
}

static int force(struct managing *managing, api_init_done *done, void *ctx, struct error *err)
{
    struct node_info info;

    node_info(managing->options.node, &info);
    if (info.state == NODE_LOCKED)
        return error_set(err, ERR_UNAVAILABLE, "%s", NODE_LOCKED_TEXT);
    if (!managing->is_member || !text_equal(info.role, "manager"))
        return error_set(err, ERR_PRECONDITION, "this node is no manager of a swarm: there is nothing to make a new cluster of");
    if (managing->forcing.is_under_way || managing->is_closing)
        return error_set(err, ERR_AGAIN, "the manager of this node is closing: try again in a moment");
    managing->forcing = (struct forcing){.is_under_way = true, .done = done, .ctx = ctx};
    uv_timer_stop(&managing->retry);
    if (managing->manager)
        close_manager(managing);
    else
        go_on_alone(managing);
    return 0;
}

static int init(void *self, const struct api_init_request *request, api_init_done *done, void *ctx, struct error *err)
{
    struct managing *managing = self;

    if (request->force_new_cluster)
        return force(managing, done, ctx, err);

    if (check_init(managing, err) < 0)
        return err->code;
    erase(managing); /* of an init that a crash broke off */
    struct founding *founding = mem_alloc(sizeof *founding);
    *founding =
        (struct founding){.done = done, .ctx = ctx, .data_path = mem_string(request->data_path_addr ? request->data_path_addr : "")};
    managing->founding = founding;
    if (addresses_listen(request->listen_addr, &founding->listen, err) == 0 &&
        addresses_advertise(request->advertise_addr, founding->listen, &founding->advertise, err) == 0 &&
        make_papers(managing, founding, err) == 0 && open_first(managing, request, err) == 0)
        return 0;
    founding->done = NULL;
    end_founding(managing, err);
    return err->code;
}

/* --- the API's table --- */

static bool is_manager(void *self)
{
    struct managing *managing = self;
    return managing->manager && !managing->is_closing && managing->founding == NULL;
}

static void call(void *self, enum method_id method, const ProtobufCMessage *request, control_done_fn *done, void *ctx)
{
    struct managing *managing = self;
    struct error err;

    if (managing->manager) {
        manager_call(managing->manager, method, request, done, ctx);
        return;
    }
    error_set(&err, ERR_UNAVAILABLE, "no manager runs here");
    done(ctx, &(struct control_answer){.err = &err, .grpc_status = error_grpc_status(err.code)});
}

static void abandon(void *self, void *ctx)
{
    struct managing *managing = self;

    if (managing->manager)
        manager_abandon(managing->manager, ctx);
    if (managing->founding && managing->founding->ctx == ctx)
        managing->founding->done = NULL;
    if (managing->forcing.ctx == ctx)
        managing->forcing.done = NULL;
    managing_lock_abandon(managing, ctx);
}

static int logs_open(void *self, const Docker__Swarmkit__V1__SubscribeLogsRequest *request, const struct log_reader *reader, void **logs,
                     struct error *err)
{
    struct managing *managing = self;

    if (managing->manager == NULL)
        return error_set(err, ERR_UNAVAILABLE, "no manager runs here");
    return manager_logs_open(managing->manager, request, reader, (struct manager_logs **)logs, err);
}

static void logs_writable(void *self, void *logs)
{
    (void)self;
    manager_logs_writable(logs);
}

static void logs_close(void *self, void *logs)
{
    (void)self;
    manager_logs_close(logs);
}

struct api_swarm managing_swarm(struct managing *managing)
{
    return (struct api_swarm){.self = managing,
                              .is_manager = is_manager,
                              .call = call,
                              .abandon = abandon,
                              .init = init,
                              .unlock = managing_unlock,
                              .unlock_key = managing_unlock_key,
                              .logs_open = logs_open,
                              .logs_writable = logs_writable,
                              .logs_close = logs_close};
}

struct manager *managing_manager(struct managing *managing)
{
    return managing->is_closing ? NULL : managing->manager;
}

/* --- life --- */

/* What cannot be read, or only with the lock, is kept: opening it says what is wrong. */
static bool was_member(const struct managing *managing)
{
    struct member member;
    struct error ignored;
    int failed = member_read(managing->dir, NULL, &member, &ignored);
    bool is_member = failed < 0 || member.is_joined;

    member_deinit(&member);
    return is_member;
}

struct managing *managing_new(const struct managing_options *options)
{
    struct managing *managing = mem_alloc(sizeof *managing);

    managing->options = *options;
    managing->options.state_dir = mem_string(options->state_dir);
    managing->dir = mem_format("%s/manager", options->state_dir);
    managing->random = random_system();
    managing->is_member = was_member(managing);
    uv_timer_init(options->loop, &managing->retry);
    managing->retry.data = managing;
    managing_look(managing);
    return managing;
}

void managing_free(struct managing *managing, void (*on_freed)(void *ctx), void *ctx)
{
    struct error err;

    managing->is_freed = true;
    managing->on_freed = on_freed;
    managing->freed_ctx = ctx;
    uv_timer_stop(&managing->retry);
    managing_unlocked(managing);
    if (managing->founding) {
        error_set(&err, ERR_CANCELED, "skepd is stopping");
        end_founding(managing, &err);
    }
    if (managing->forcing.is_under_way) {
        error_set(&err, ERR_CANCELED, "skepd is stopping");
        end_forcing(managing, &err);
    }
    if (managing->manager && !managing->is_closing)
        close_manager(managing);
    else if (managing->manager == NULL)
        uv_close((uv_handle_t *)&managing->retry, on_retry_closed);
}
