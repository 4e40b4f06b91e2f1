/* agent/join_driver.c – see join_driver.h. */
#include "agent/join_driver.h"

#include <stdlib.h>

#include "agent/ca_client.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "proto/tls/tls.h"

struct join_driver {
    struct join_driver_options options; /* its strings are not kept */
    struct join join;
    struct join_effect todo; /* the first, until the loop runs */
    struct ca_client *client;
    struct tls_credentials *nobody;   /* no roots: for the download of the root */
    struct tls_credentials *stranger; /* the root, and no certificate yet: for the request */
    char *verified_addr;              /* whom the client's channel goes to, its certificate judged by the root; NULL: no such channel */
    uv_timer_t timer;
    bool has_begun;
    enum join_phase shown_phase;
    struct error shown_error;
};

static uint64_t now_ns(const struct join_driver *driver)
{
    return clock_monotonic_ns(&driver->options.clock);
}

/* ---- what a person sees ---- */

static void show(struct join_driver *driver)
{
    struct join *join = &driver->join;
    enum join_phase phase = (enum join_phase)join->machine.state;
    bool has_failed_try = join->last.code != 0 && !text_equal(join->last.message, driver->shown_error.message);
    if (phase == driver->shown_phase && !has_failed_try && driver->has_begun)
        return;
    driver->has_begun = true;
    driver->shown_phase = phase;
    if (has_failed_try) {
        driver->shown_error = join->last;
        log_warn("join", "%s", join->last.message);
    }
    if (phase != JOIN_FAILED && driver->options.on_phase)
        driver->options.on_phase(driver->options.ctx, phase, state_shown(&join->machine), has_failed_try ? join->last.message : "");
}

static void finish(struct join_driver *driver, const struct error *err)
{
    ca_client_close(driver->client);
    uv_timer_stop(&driver->timer);
    if (!err)
        log_with(LOG_INFO, "join", LOG_FIELDS({"node", driver->options.identity->certificate.node_id}), "joined the swarm");
    else
        log_error("join", "%s", err->message);
    driver->options.on_done(driver->options.ctx, err); /* may free the driver */
}

/* ---- effects ---- */

static int dial(struct join_driver *driver, const char *addr, struct error *err)
{
    free(driver->verified_addr);
    driver->verified_addr = NULL;
    return ca_client_dial(driver->client,
                          &(struct ca_dial){.addr = addr, .credentials = driver->nobody, .is_anonymous = true, .awaits_connection = true},
                          err);
}

/* A channel to @addr whose certificate is judged by the root that the token vouches for. It is kept from one call to the next. */
static int dial_verified(struct join_driver *driver, const char *addr, struct error *err)
{
    if (text_equal(driver->verified_addr, addr))
        return 0;
    struct bytes nothing = bytes_of(NULL, 0);
    int failed = tls_credentials_set(driver->stranger, nothing, nothing, buf_bytes(&driver->join.progress.root_pem), err);
    if (failed == 0)
        failed = ca_client_dial(
            driver->client,
            &(struct ca_dial){.addr = addr, .server_name = "swarm-ca", .credentials = driver->stranger, .is_anonymous = true}, err);
    if (failed < 0)
        return failed;
    free(driver->verified_addr);
    driver->verified_addr = mem_string(addr);
    return 0;
}

static int request(struct join_driver *driver, const struct join_effect *effect, struct error *err)
{
    const struct join *join = &driver->join;
    int failed = dial_verified(driver, effect->addr, err);
    if (failed == 0)
        ca_client_request(driver->client, NULL, buf_bytes(&join->progress.request_pem), join->token.text, driver->options.availability,
                          effect->timeout_ms);
    return failed;
}

static int ask_status(struct join_driver *driver, const struct join_effect *effect, struct error *err)
{
    int failed = dial_verified(driver, effect->addr, err);
    if (failed == 0)
        ca_client_status(driver->client, NULL, driver->join.progress.node_id, effect->timeout_ms);
    return failed;
}

/* The managers go to disk with the first word of the join, so that a crash right after the last finds them. */
static int save(struct join_driver *driver, struct error *err)
{
    struct identity *identity = driver->options.identity;
    remotes_deinit(&identity->remotes);
    for (size_t i = 0; i < driver->join.remote_count; i++) {
        const struct join_remote *remote = &driver->join.remotes[i];
        int failed = remote->is_hopeless ? 0 : remotes_observe(&identity->remotes, "", remote->addr, REMOTE_SUCCESS, err);
        if (failed < 0)
            return failed;
    }
    return identity_store_join(identity, &driver->join.progress, err);
}

static int store(struct join_driver *driver, struct error *err)
{
    const struct identity_join *progress = &driver->join.progress;
    return identity_store(driver->options.identity, buf_bytes(&progress->root_pem), buf_bytes(&driver->join.chain_pem),
                          buf_bytes(&progress->key_pem), err);
}

static bool is_call(enum join_effect_kind kind)
{
    return kind == JOIN_DO_DIAL || kind == JOIN_DO_GET_ROOT || kind == JOIN_DO_REQUEST || kind == JOIN_DO_POLL;
}

/* Begin a call. One that cannot even begin has failed. */
static int begin_call(struct join_driver *driver, const struct join_effect *effect, struct error *err)
{
    switch (effect->kind) {
    case JOIN_DO_DIAL:
        return dial(driver, effect->addr, err);
    case JOIN_DO_GET_ROOT:
        ca_client_get_root(driver->client, NULL, effect->timeout_ms);
        return 0;
    case JOIN_DO_REQUEST:
        return request(driver, effect, err);
    default:
        return ask_status(driver, effect, err);
    }
}

/* Do what is done at once, and give the event that tells of it. */
static void do_at_once(struct join_driver *driver, enum join_effect_kind kind, struct buf *key, struct buf *csr, struct join_event *event,
                       struct error *err)
{
    int failed;
    if (kind == JOIN_DO_MAKE_KEY) {
        failed = certificate_make_key(key, err);
        if (failed == 0)
            failed = certificate_make_request(buf_bytes(key), csr, err);
        *event = (struct join_event){.kind = JOIN_EVENT_KEY_MADE, .pem = buf_bytes(key), .pem2 = buf_bytes(csr)};
    } else if (kind == JOIN_DO_SAVE) {
        failed = save(driver, err);
        *event = (struct join_event){.kind = JOIN_EVENT_SAVED};
    } else {
        failed = store(driver, err);
        *event = (struct join_event){.kind = JOIN_EVENT_STORED};
    }
    if (failed < 0)
        *event = (struct join_event){.kind = JOIN_EVENT_SAVE_FAILED, .error = err};
}

static void on_timer(uv_timer_t *timer);

static void set_timer(struct join_driver *driver, uint64_t wake_ns)
{
    uint64_t now = now_ns(driver);
    if (wake_ns == UINT64_MAX)
        uv_timer_stop(&driver->timer);
    else
        uv_timer_start(&driver->timer, on_timer, wake_ns > now ? (wake_ns - now + NS_PER_MS - 1) / NS_PER_MS : 0, 0);
}

static int step(struct join_driver *driver, struct join_event *event, struct join_effect *todo, struct error *err)
{
    event->wall_ns = clock_wall_ns(&driver->options.clock);
    int failed = join_step(&driver->join, event, now_ns(driver), todo, err);
    show(driver);
    return failed;
}

/* Carry out effects until one has to be waited for. */
static void carry_out(struct join_driver *driver, struct join_effect todo)
{
    for (;;) {
        struct error err = {0}, cause = {0};
        struct join_event event;
        cleanup_buf struct buf key = {0}, csr = {0};
        if (todo.kind == JOIN_DO_FINISH) {
            finish(driver, NULL);
            return;
        }
        if (is_call(todo.kind)) {
            if (begin_call(driver, &todo, &cause) == 0) {
                set_timer(driver, todo.wake_ns);
                return;
            }
            event = (struct join_event){.kind = JOIN_EVENT_CALL_FAILED, .grpc_status = -1, .error = &cause};
        } else if (todo.kind == JOIN_DO_WAIT || todo.kind == JOIN_DO_GO_ON) {
            if (todo.kind == JOIN_DO_WAIT)
                ca_client_give_up(driver->client);
            set_timer(driver, todo.wake_ns);
            return;
        } else {
            do_at_once(driver, todo.kind, &key, &csr, &event, &cause);
        }
        int failed = step(driver, &event, &todo, &err);
        if (key.data)
            mem_wipe(key.data, key.capacity);
        if (failed < 0) {
            finish(driver, &err);
            return;
        }
    }
}

static void happen(struct join_driver *driver, struct join_event event)
{
    struct error err = {0};
    struct join_effect todo;
    if (step(driver, &event, &todo, &err) < 0)
        finish(driver, &err);
    else
        carry_out(driver, todo);
}

static void on_timer(uv_timer_t *timer)
{
    struct join_driver *driver = timer->data;
    if (driver->has_begun) {
        happen(driver, (struct join_event){.kind = JOIN_EVENT_TIMER});
        return;
    }
    show(driver);
    carry_out(driver, driver->todo);
}

static void on_answer(void *ctx, const struct ca_answer *answer)
{
    static const enum join_event_kind kinds[] = {
        [CA_ANSWER_CONNECTED] = JOIN_EVENT_CONNECTED, [CA_ANSWER_ROOT] = JOIN_EVENT_ROOT,          [CA_ANSWER_NODE_ID] = JOIN_EVENT_NODE_ID,
        [CA_ANSWER_STATUS] = JOIN_EVENT_STATUS,       [CA_ANSWER_FAILED] = JOIN_EVENT_CALL_FAILED,
    };
    struct join_driver *driver = ctx;
    if (answer->kind == CA_ANSWER_FAILED) { /* the next try makes a new channel */
        free(driver->verified_addr);
        driver->verified_addr = NULL;
    }
    happen(driver, (struct join_event){.kind = kinds[answer->kind],
                                       .pem = answer->pem,
                                       .pem2 = answer->pem2,
                                       .text = answer->text,
                                       .status = answer->status,
                                       .role = answer->role,
                                       .is_skep = answer->is_skep,
                                       .grpc_status = answer->grpc_status,
                                       .error = answer->error});
}

/* ---- life ---- */

static void deinit(struct join_driver *driver)
{
    ca_client_free(driver->client);
    tls_credentials_free(driver->nobody);
    tls_credentials_free(driver->stranger);
    join_deinit(&driver->join);
    free(driver->verified_addr);
    driver->client = NULL;
    driver->nobody = driver->stranger = NULL;
    driver->verified_addr = NULL;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

int join_driver_start(const struct join_driver_options *options, struct join_driver **out, struct error *err)
{
    struct join_driver *driver = mem_alloc(sizeof *driver);
    driver->options = *options;
    driver->options.token = NULL;
    driver->options.remotes = NULL;
    struct join_options join = {.token = options->token,
                                .remotes = options->remotes,
                                .remote_count = options->remote_count,
                                .can_manage = options->can_manage,
                                .random = options->random,
                                .identity = options->identity};
    int failed = join_start(&driver->join, &join, now_ns(driver), &driver->todo, err);
    if (failed < 0) {
        deinit(driver);
        free(driver);
        return failed;
    }
    driver->client = ca_client_new(options->loop, options->clock, options->random, on_answer, driver);
    driver->nobody = tls_credentials_new(&options->clock);
    driver->stranger = tls_credentials_new(&options->clock);
    uv_timer_init(options->loop, &driver->timer);
    driver->timer.data = driver;
    uv_timer_start(&driver->timer, on_timer, 0, 0);
    *out = driver;
    return 0;
}

void join_driver_free(struct join_driver *driver)
{
    if (!driver)
        return;
    deinit(driver);
    uv_close((uv_handle_t *)&driver->timer, on_closed);
}
