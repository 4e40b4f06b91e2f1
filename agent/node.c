/* agent/node.c – the life of a node: outside a swarm, joining, inside, leaving. It decides little itself: which of its parts (node_parts.c)
 * are alive in which state, and who waits for what. */
#include <stdlib.h>
#include <string.h>

#include "agent/node_inside.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "proto/tls/tls.h"
#include "runtime/hcs.h"

static const struct state_info life_infos[] = {
#define X(name, shown, next, deadline) {#name, shown, next, deadline},
    NODE_LIFE(X)
#undef X
};
static const struct state_table life_table = {"node", life_infos, sizeof life_infos / sizeof *life_infos};

static uint64_t now_ns(const struct node *node)
{
    return clock_monotonic_ns(&node->options.clock);
}

static void move(struct node *node, enum life next)
{
    struct error err = {0};
    if (state_move(&node->life, next, now_ns(node), &err) < 0)
        log_error("node", "%s", err.message); /* a bug; going on in the state that is true beats stopping */
    node->life.state = next;
}

/* --- who waits --- */

static void phase(struct node *node, const char *shown)
{
    log_info("join", "%s", shown);
    if (node->on_phase)
        node->on_phase(node->join_ctx, shown);
}

static void joined(struct node *node, const struct error *err)
{
    node_done_cb done = node->on_joined;
    void *ctx = node->join_ctx;
    node->on_phase = NULL;
    node->on_joined = NULL;
    node->join_ctx = NULL;
    if (done)
        done(ctx, err);
}

static void left(struct node *node, const struct error *err)
{
    node_done_cb done = node->on_left;
    node->on_left = NULL;
    if (done)
        done(node->leave_ctx, err);
}

/* --- into a swarm --- */

static void on_open_timer(uv_timer_t *timer)
{
    struct node *node = timer->data;
    struct error err = {0};
    error_set(&err, ERR_DEADLINE,
              "join: opening a session: this node has its certificate and is in the swarm, but no manager has taken its session within %d "
              "seconds%s%s; it goes on trying",
              NODE_OPEN_MS / 1000, node->session_error.code ? ": " : "", node->session_error.code ? node->session_error.message : "");
    joined(node, &err);
}

void node_identity_changed(struct node *node)
{
    if (node->options.on_identity && !node->is_freed)
        node->options.on_identity(node->options.ctx);
}

/* The identity is there: tasks first, managers after. */
static int enter(struct node *node, struct error *err)
{
    if (node_open_parts(node, err) < 0)
        return err->code;
    node->outside_error = (struct error){0};
    node->retries = 0;
    move(node, LIFE_OPENING);
    phase(node, state_shown(&node->life));
    if (node->on_joined)
        uv_timer_start(&node->timer, on_open_timer, NODE_OPEN_MS, 0);
    session_driver_start(node->session);
    node_identity_changed(node);
    return 0;
}

void node_registered(struct node *node)
{
    if (node->life.state != LIFE_OPENING)
        return;
    uv_timer_stop(&node->timer);
    move(node, LIFE_INSIDE);
    joined(node, NULL);
}

/* --- joining --- */

static void on_join_phase(void *ctx, enum join_phase join_phase, const char *shown, const char *notice)
{
    struct node *node = ctx;
    (void)join_phase;
    if (text_empty(notice)) {
        phase(node, shown);
        return;
    }
    cleanup_free char *both = mem_format("%s (%s)", shown, notice);
    phase(node, both);
}

static void on_retry_timer(uv_timer_t *timer);

/* Outside, though it should not be, for @cause: tried again after 5, 10, 20 … seconds, less a random part. */
static void retry_later(struct node *node, const struct error *cause)
{
    uint64_t wait_ms = NODE_RETRY_MIN_MS;
    for (unsigned i = 0; i < node->retries && wait_ms < NODE_RETRY_MAX_MS; i++)
        wait_ms *= 2;
    wait_ms = wait_ms < NODE_RETRY_MAX_MS ? wait_ms : NODE_RETRY_MAX_MS;
    node->retries++;
    node->outside_error = *cause;
    uv_timer_start(&node->timer, on_retry_timer, wait_ms - random_below(&node->options.random, wait_ms / 2), 0);
}

static void give_up_outside(struct node *node)
{
    uv_timer_stop(&node->timer);
    node->outside_error = (struct error){0};
    node->retries = 0;
    node->is_resumed = false;
}

/* Into the swarm, or what hinders it and what to do. */
static int enter_or_say(struct node *node, struct error *err)
{
    if (enter(node, err) == 0)
        return 0;
    struct error cause = *err;
    return error_set(
        err, cause.code,
        "join: this node has its certificate and is in the swarm, but its tasks cannot be opened: %s; it goes on trying: put that "
        "right, or take the node out with `skep leave`",
        cause.message);
}

/* A manager that answers tomorrow is worth the wait; one that has said no is not. */
static bool is_worth_resuming(const struct node *node, const struct error *cause)
{
    return node->is_resumed && cause->code != ERR_TOKEN && cause->code != ERR_TRUST && cause->code != ERR_NOT_FOUND &&
           cause->code != ERR_UNSUPPORTED;
}

static void on_join_done(void *ctx, const struct error *err)
{
    struct node *node = ctx;
    struct error cause = {0};
    join_driver_free(node->join);
    node->join = NULL;
    if (err)
        cause = *err;
    else if (enter_or_say(node, &cause) == 0)
        return;
    log_error("node", "%s", cause.message);
    node_close_connections(node);
    move(node, LIFE_OUTSIDE);
    if (node->identity->has_certificate || is_worth_resuming(node, &cause))
        retry_later(node, &cause);
    else
        give_up_outside(node);
    joined(node, &cause);
}

static int availability_number(const char *text, int *out, struct error *err)
{
    static const char *const texts[] = {"active", "pause", "drain"};
    *out = 0;
    for (int i = 0; i < 3; i++)
        if (text_empty(text) || strcmp(text, texts[i]) == 0) {
            *out = text_empty(text) ? 0 : i;
            return 0;
        }
    return error_set(err, ERR_INVALID, "join: availability %s: must be one of active, pause, drain", text);
}

static int start_join(struct node *node, const char *token, const char *const *remotes, size_t remote_count, int availability,
                      struct error *err)
{
    struct join_driver_options options = {
        .loop = node->options.loop,
        .clock = node->options.clock,
        .random = node->options.random,
        .identity = node->identity,
        .token = token,
        .remotes = remotes,
        .remote_count = remote_count,
        .availability = availability,
        .can_manage = node->options.can_manage,
        .on_phase = on_join_phase,
        .on_done = on_join_done,
        .ctx = node,
    };
    if (join_driver_start(&options, &node->join, err) < 0)
        return err->code;
    move(node, LIFE_JOINING);
    return 0;
}

int node_join(struct node *node, const struct node_join_request *request, node_phase_cb on_phase, node_done_cb on_done, void *ctx,
              struct error *err)
{
    int availability;
    if (node->life.state == LIFE_JOINING && node->on_joined == NULL) { /* one that resumed by itself after a crash: this one takes over */
        node_close_connections(node);
        move(node, LIFE_OUTSIDE);
    }
    if (node->life.state == LIFE_JOINING)
        return error_set(err, ERR_EXISTS, "join: another join is under way on this node; wait for it, or stop it with `skep leave`");
    if (node->life.state != LIFE_OUTSIDE || node->identity->has_certificate)
        return error_set(err, ERR_EXISTS,
                         "This node is already part of a swarm. Use \"docker swarm leave\" to leave this swarm and join another one.");
    if (availability_number(request->availability, &availability, err) < 0)
        return err->code;
    if (identity_store_addresses(node->identity, request->listen_addr, request->advertise_addr, request->data_path_addr, err) < 0)
        return error_wrap(err, "join");
    node->on_phase = on_phase;
    node->on_joined = on_done;
    node->join_ctx = ctx;
    if (start_join(node, request->token, request->remotes, request->remote_count, availability, err) == 0) {
        give_up_outside(node); /* one that is tried again by itself: this one takes over */
        return 0;
    }
    node->on_phase = NULL;
    node->on_joined = NULL;
    return err->code;
}

void node_join_abandon(struct node *node, void *ctx)
{
    if (node->join_ctx != ctx)
        return;
    node->on_phase = NULL;
    node->on_joined = NULL;
    node->join_ctx = NULL;
}

/* --- the first of a new swarm --- */

static int erase_identity(struct node *node, struct error *err)
{
    int failed = identity_erase(node->identity, err);
    struct bytes none = bytes_of(NULL, 0);
    tls_credentials_set(node->credentials, none, none, none, NULL);
    node_identity_changed(node);
    return failed;
}

int node_found_swarm(struct node *node, const struct node_papers *papers, struct error *err)
{
    struct identity *identity = node->identity;
    if (node->life.state != LIFE_OUTSIDE || identity->has_certificate)
        return error_set(err, ERR_EXISTS, "This node is already part of a swarm");
    if (identity_store_addresses(identity, papers->listen_addr, papers->advertise_addr, papers->data_path_addr, err) < 0 ||
        remotes_observe(&identity->remotes, "", papers->advertise_addr, REMOTE_SUCCESS, err) < 0 ||
        identity_store_remotes(identity, err) < 0 ||
        identity_store(identity, papers->root_pem, papers->chain_pem, papers->key_pem, err) < 0)
        return error_wrap(err, "init");
    give_up_outside(node);
    if (enter(node, err) == 0)
        return 0;
    struct error undo = {0};
    if (erase_identity(node, &undo) < 0)
        log_error("node", "%s", undo.message);
    return error_wrap(err, "init");
}

int node_papers(const struct node *node, struct bytes *chain_pem, struct bytes *key_pem, struct error *err)
{
    const struct identity *identity = node->identity;
    if (!identity->has_certificate || identity->is_locked)
        return error_set(err, ERR_PRECONDITION, "this node has no certificate, or its key is locked");
    *chain_pem = buf_bytes(&identity->chain_pem);
    *key_pem = buf_bytes(&identity->key.body_pem);
    return 0;
}

struct tls_credentials *node_credentials(const struct node *node)
{
    return node->credentials;
}

/* --- leaving --- */

static void close_timer(void *ctx);

static void on_worker_closed(void *ctx)
{
    struct node *node = ctx;
    struct error err = {0};
    node->worker = NULL;
    node->is_worker_closing = false;
    log_source_hcs_free(node->logs);
    node->logs = NULL;
    int failed = erase_identity(node, &err);
    node->session_error = node->renewal_trouble = (struct error){0};
    node->session_state = SESSION_STOPPED;
    node->renewal_health = RENEWAL_HEALTHY;
    free(node->addr);
    node->addr = NULL;
    move(node, LIFE_OUTSIDE);
    if (failed == 0)
        log_info("node", "left the swarm");
    else
        log_error("node", "left the swarm, but: %s", err.message);
    left(node, failed < 0 ? &err : NULL);
    if (node->is_freed)
        close_timer(node);
}

static void on_tasks_removed(void *ctx, const struct error *err)
{
    struct node *node = ctx;
    if (err && !node->is_leave_forced) {
        struct error cause = *err;
        error_wrap(&cause, "leave: some tasks are still here, so this node stays in the swarm; try again, or use --force");
        log_error("node", "%s", cause.message);
        move(node, LIFE_OPENING);
        session_driver_start(node->session);
        left(node, &cause);
        return;
    }
    if (err)
        log_error("node", "leaving by force: %s", err->message);
    renewal_driver_free(node->renewal);
    session_driver_free(node->session);
    node->renewal = NULL;
    node->session = NULL;
    node->is_worker_closing = true;
    worker_free(node->worker, on_worker_closed, node);
}

/* Without its key it says goodbye to nobody; tasks it can remove. */
static int enter_to_leave(struct node *node, struct error *err)
{
    if (!node->is_locked)
        return enter(node, err);
    if (node_open_tasks(node, err) < 0)
        return err->code;
    node->is_locked = false;
    move(node, LIFE_OPENING);
    return 0;
}

/* In the swarm, but its tasks cannot be opened, for @cause: then at least the identity goes. */
static int leave_unopened(struct node *node, const struct error *cause, node_done_cb on_done, void *ctx, struct error *err)
{
    give_up_outside(node);
    node->is_locked = false;
    if (erase_identity(node, err) < 0)
        return error_wrap(err, "leave");
    log_warn("node",
             "left the swarm; its tasks could not be opened, so containers of theirs may be left, until the next join removes them: %s",
             cause->message);
    on_done(ctx, NULL);
    return 0;
}

int node_leave(struct node *node, bool force, node_done_cb on_done, void *ctx, struct error *err)
{
    struct error cause = {0};
    bool is_known = node->identity->has_certificate || node->identity->join.node_id; /* to the cluster; a mere key is nothing to leave */
    if (node->life.state == LIFE_OUTSIDE && !is_known && node->identity->join.is_pending &&
        identity_store_join(node->identity, NULL, err) < 0)
        return err->code;
    if (node->life.state == LIFE_OUTSIDE && !is_known)
        return error_set(err, ERR_PRECONDITION, "This node is not part of a swarm");
    if (node->is_locked && !force)
        return error_set(err, ERR_UNAVAILABLE,
                         "Swarm is encrypted and locked. Please unlock it first or use `--force` to ignore this message.");
    if (node->life.state == LIFE_OUTSIDE && node->identity->has_certificate && enter_to_leave(node, &cause) < 0)
        return leave_unopened(node, &cause, on_done, ctx, err);
    if (node->life.state == LIFE_LEAVING)
        return error_set(err, ERR_PRECONDITION, "leave: this node is leaving the swarm already");
    if (node->life.state == LIFE_JOINING || node->life.state == LIFE_OUTSIDE) {
        error_set(&cause, ERR_CANCELED, "join: given up, as the node was told to leave");
        node_close_connections(node);
        if (node->life.state == LIFE_JOINING)
            move(node, LIFE_OUTSIDE);
        give_up_outside(node);
        if (identity_store_join(node->identity, NULL, err) < 0)
            return err->code;
        joined(node, &cause);
        on_done(ctx, NULL);
        return 0;
    }
    uv_timer_stop(&node->timer);
    node->on_left = on_done;
    node->leave_ctx = ctx;
    node->is_leave_forced = force;
    move(node, LIFE_LEAVING);
    error_set(&cause, ERR_CANCELED, "join: given up, as the node was told to leave");
    joined(node, &cause);
    session_driver_stop(node->session);
    worker_remove_all(node->worker, on_tasks_removed, node);
    return 0;
}

/* --- locked --- */

int node_unlock(struct node *node, const uint8_t *lock, struct error *err)
{
    if (!node->is_locked)
        return error_set(err, ERR_PRECONDITION, "swarm is not locked");
    if (identity_unlock(node->identity, lock, err) < 0)
        return err->code;
    node->is_locked = false;
    log_info("node", "unlocked");
    if (enter_or_say(node, err) == 0)
        return 0;
    log_error("node", "%s", err->message);
    retry_later(node, err);
    return err->code;
}

int node_set_lock(struct node *node, const uint8_t *lock, struct error *err)
{
    return identity_set_lock(node->identity, lock, err);
}

/* --- life --- */

static void take_labels(struct node *node, const char *const *labels, size_t count)
{
    struct node_options *own = &node->options;
    const char **fresh = mem_array(count + 1, sizeof *fresh);
    for (size_t i = 0; i < count; i++)
        fresh[i] = mem_string(labels[i]);
    for (size_t i = 0; i < own->label_count; i++)
        free((char *)(uintptr_t)own->labels[i]);
    free((void *)(uintptr_t)own->labels);
    own->labels = fresh;
    own->label_count = count;
}

void node_set_labels(struct node *node, const char *const *labels, size_t count)
{
    take_labels(node, labels, count);
    if (node->session)
        session_driver_description_changed(node->session);
}

static void copy_options(struct node *node, const struct node_options *options)
{
    node->options = *options;
    node->options.state_dir = mem_string(options->state_dir);
    node->options.run_dir = mem_string(options->run_dir);
    node->options.default_isolation = mem_string(options->default_isolation);
    node->options.labels = NULL;
    node->options.label_count = 0;
    take_labels(node, options->labels, options->label_count);
    char system_name[UV_MAXHOSTNAMESIZE] = "localhost";
    size_t size = sizeof system_name;
    if (options->hostname == NULL)
        uv_os_gethostname(system_name, &size);
    node->options.hostname = mem_string(options->hostname ? options->hostname : system_name);
}

static void free_memory(struct node *node)
{
    take_labels(node, NULL, 0);
    free((void *)(uintptr_t)node->options.labels);
    free((char *)(uintptr_t)node->options.state_dir);
    free((char *)(uintptr_t)node->options.run_dir);
    free((char *)(uintptr_t)node->options.hostname);
    free((char *)(uintptr_t)node->options.default_isolation);
    tls_credentials_free(node->credentials);
    identity_free(node->identity);
    free(node->managers);
    free(node->addr);
    free(node);
}

/* A join that a crash broke off, whose node the cluster knows already, needs no token: it goes on by itself. */
static void resume_join(struct node *node)
{
    struct error err = {0};
    const struct remotes *known = &node->identity->remotes;
    if (!node->identity->join.is_pending)
        return;
    if (node->identity->join.node_id == NULL || known->count == 0) {
        log_info("node", "a join was broken off: run `skep join` again, and it goes on with the same key");
        return;
    }
    node->is_resumed = true;
    if (start_join(node, NULL, NULL, 0, 0, &err) == 0)
        return;
    log_warn("node", "a join that was broken off cannot go on by itself: %s", err.message);
    give_up_outside(node);
}

static void on_retry_timer(uv_timer_t *timer)
{
    struct node *node = timer->data;
    struct error err = {0};
    if (!node->identity->has_certificate)
        resume_join(node);
    else if (enter_or_say(node, &err) < 0) {
        log_error("node", "%s", err.message);
        retry_later(node, &err);
    }
}

int node_new(const struct node_options *options, struct node **out, struct error *err)
{
    struct node *node = mem_alloc(sizeof *node);
    copy_options(node, options);
    state_init(&node->life, &life_table, LIFE_OUTSIDE, now_ns(node));
    node->credentials = tls_credentials_new(&options->clock);
    if (host_facts_read(&node->host, err) < 0 || identity_open(options->state_dir, &node->identity, err) < 0) {
        free_memory(node);
        return err->code;
    }
    struct hcs_host host;
    hcs_probe(options->hcs, &host);
    host_facts_pretend(&node->host, &host);
    uv_timer_init(options->loop, &node->timer);
    node->timer.data = node;
    node->is_locked = node->identity->has_certificate && (options->is_locked || node->identity->is_locked);
    if (node->is_locked)
        log_warn("node", "this manager is locked: its containers go on running, and it takes part again after `skep unlock`");
    else if (node->identity->has_certificate && enter(node, err) < 0) {
        node_free(node, NULL, NULL);
        return err->code;
    }
    if (!node->identity->has_certificate)
        resume_join(node);
    *out = node;
    return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct node *node = handle->data;
    void (*on_freed)(void *ctx) = node->on_freed;
    void *ctx = node->freed_ctx;
    free_memory(node);
    if (on_freed)
        on_freed(ctx);
}

static void close_timer(void *ctx)
{
    struct node *node = ctx;
    uv_close((uv_handle_t *)&node->timer, on_timer_closed);
}

void node_free(struct node *node, void (*on_freed)(void *ctx), void *ctx)
{
    node->on_freed = on_freed;
    node->freed_ctx = ctx;
    node->on_phase = NULL;
    node->on_joined = NULL;
    node->on_left = NULL;
    node->is_freed = true;
    node_close_connections(node);
    if (node->is_worker_closing) /* the end of a leave: on_worker_closed() erases the identity, then goes on with this */
        return;
    if (node->worker)
        worker_free(node->worker, close_timer, node);
    else
        close_timer(node);
}
