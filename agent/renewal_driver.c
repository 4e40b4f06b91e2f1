/* agent/renewal_driver.c – see renewal_driver.h. */
#include "agent/renewal_driver.h"

#include <stdlib.h>

#include "agent/ca_client.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "proto/tls/tls.h"

struct renewal_driver {
    struct renewal_driver_options options;
    struct renewal renewal;
    struct renewal_effect todo; /* the first, until the loop runs */
    struct ca_client *client;
    struct grpc_channel *lent;     /* of this try; NULL: our own */
    char *remote_id, *remote_addr; /* whom our own channel goes to */
    uv_timer_t timer;
    bool has_begun, was_promotion_refused;
    enum renewal_health shown_health;
    struct error shown_trouble;
};

static uint64_t now_ns(const struct renewal_driver *driver)
{
    return clock_monotonic_ns(&driver->options.clock);
}

/* ---- what a person sees ---- */

static void log_promotion(const struct renewal_driver *driver)
{
    const char *id = driver->renewal.certificate.node_id;
    if (driver->renewal.is_promotion_refused)
        log_with(
            LOG_WARN, "renewal", LOG_FIELDS({"node", id}),
            "the swarm wishes this node to be a manager, which it cannot be yet: it goes on as a worker. To take the wish back, remove it "
            "with `docker node rm --force %s` and join it again with a worker's token",
            id);
    else
        log_with(LOG_INFO, "renewal", LOG_FIELDS({"node", id}), "the swarm takes this node as the worker it is");
}

static void show(struct renewal_driver *driver)
{
    const struct renewal *renewal = &driver->renewal;
    if (renewal->is_promotion_refused != driver->was_promotion_refused) {
        driver->was_promotion_refused = renewal->is_promotion_refused;
        log_promotion(driver);
    }
    if (renewal->health == driver->shown_health && text_equal(renewal->trouble.message, driver->shown_trouble.message))
        return;
    driver->shown_health = renewal->health;
    driver->shown_trouble = renewal->trouble;
    if (renewal->health != RENEWAL_HEALTHY)
        log_write(renewal->health == RENEWAL_REFUSED ? LOG_ERROR : LOG_WARN, "renewal", NULL, 0, "%s", renewal->trouble.message);
    if (driver->options.on_health)
        driver->options.on_health(driver->options.ctx, renewal->health, &renewal->trouble);
}

/* ---- effects ---- */

/* New connections use what is on disk from now on. */
static int swap_credentials(struct renewal_driver *driver, struct error *err)
{
    const struct identity *identity = driver->options.identity;
    return tls_credentials_set(driver->options.credentials, buf_bytes(&identity->chain_pem), buf_bytes(&identity->key.body_pem),
                               buf_bytes(&identity->root_pem), err);
}

static int store(struct renewal_driver *driver, struct error *err)
{
    const struct renewal *renewal = &driver->renewal;
    char until[TIME_RFC3339_SIZE];
    int failed = identity_store(driver->options.identity, buf_bytes(&renewal->new_root_pem), buf_bytes(&renewal->new_chain_pem),
                                buf_bytes(&renewal->key_pem), err);
    if (failed == 0)
        failed = swap_credentials(driver, err);
    if (failed < 0)
        return failed;
    time_format_rfc3339(driver->options.identity->certificate.not_after_wall_ns, until);
    log_info("renewal", "the node's certificate is renewed, until %.19sZ", until);
    return 0;
}

static int store_root(struct renewal_driver *driver, struct error *err)
{
    int failed = identity_store_root(driver->options.identity, buf_bytes(&driver->renewal.new_root_pem), err);
    if (failed == 0)
        failed = swap_credentials(driver, err);
    if (failed == 0)
        log_info("renewal", "the cluster's root CA was replaced");
    return failed;
}

static void note(struct renewal_driver *driver, int observation)
{
    if (driver->remote_addr)
        remotes_observe_known(&driver->options.identity->remotes, driver->remote_id, driver->remote_addr, observation);
}

static void forget_remote(struct renewal_driver *driver)
{
    free(driver->remote_id);
    free(driver->remote_addr);
    driver->remote_id = driver->remote_addr = NULL;
}

/* The session's manager where there is a session, else one of those we know. */
static int choose_channel(struct renewal_driver *driver, struct error *err)
{
    const struct remote *remote;
    driver->lent = driver->options.channel ? driver->options.channel(driver->options.ctx) : NULL;
    if (driver->lent || driver->remote_addr)
        return 0;
    int failed = remotes_select(&driver->options.identity->remotes, &driver->options.random, NULL, 0, &remote, err);
    if (failed < 0)
        return failed;
    driver->remote_id = mem_string(remote->node_id);
    driver->remote_addr = mem_string(remote->addr);
    return ca_client_dial(
        driver->client, &(struct ca_dial){.addr = remote->addr, .server_name = "swarm-manager", .credentials = driver->options.credentials},
        err);
}

static int begin_call(struct renewal_driver *driver, const struct renewal_effect *effect, struct error *err)
{
    const struct renewal *renewal = &driver->renewal;
    int failed = choose_channel(driver, err);
    if (failed < 0)
        return failed;
    if (effect->kind == RENEWAL_DO_REQUEST)
        ca_client_request(driver->client, driver->lent, buf_bytes(&renewal->request_pem), NULL, 0, effect->timeout_ms);
    else if (effect->kind == RENEWAL_DO_POLL)
        ca_client_status(driver->client, driver->lent, renewal->certificate.node_id, effect->timeout_ms);
    else
        ca_client_get_root(driver->client, driver->lent, effect->timeout_ms);
    return 0;
}

static int make_key(struct buf *key, struct buf *request, struct renewal_event *event, struct error *err)
{
    int failed = certificate_make_key(key, err);
    if (failed == 0)
        failed = certificate_make_request(buf_bytes(key), request, err);
    *event = (struct renewal_event){.kind = RENEWAL_EVENT_KEY_MADE, .pem = buf_bytes(key), .pem2 = buf_bytes(request)};
    return failed;
}

static void on_timer(uv_timer_t *timer);

static void set_timer(struct renewal_driver *driver, uint64_t wake_ns)
{
    uint64_t now = now_ns(driver);
    if (wake_ns == UINT64_MAX)
        uv_timer_stop(&driver->timer);
    else
        uv_timer_start(&driver->timer, on_timer, wake_ns > now ? (wake_ns - now + NS_PER_MS - 1) / NS_PER_MS : 0, 0);
}

static void step(struct renewal_driver *driver, struct renewal_event *event, struct renewal_effect *todo)
{
    event->wall_ns = clock_wall_ns(&driver->options.clock);
    renewal_step(&driver->renewal, event, now_ns(driver), todo);
    show(driver);
}

/* A try that is over, well or not, needs its own channel no more. */
static void rest(struct renewal_driver *driver, const struct renewal_effect *todo)
{
    enum renewal_state state = (enum renewal_state)driver->renewal.machine.state;
    if (todo->kind == RENEWAL_DO_WAIT)
        ca_client_give_up(driver->client);
    if (state == RENEWAL_RESTING || state == RENEWAL_BACKING_OFF) {
        ca_client_close(driver->client);
        forget_remote(driver);
    }
    set_timer(driver, todo->wake_ns);
}

/* Do what is done at once, and give the event that tells of it; false for a call, which was begun. */
static bool do_at_once(struct renewal_driver *driver, const struct renewal_effect *todo, struct buf *key, struct buf *csr,
                       struct renewal_event *event, struct error *cause)
{
    int failed;
    switch (todo->kind) {
    case RENEWAL_DO_MAKE_KEY:
        failed = make_key(key, csr, event, cause);
        break;
    case RENEWAL_DO_STORE:
        failed = store(driver, cause);
        *event = (struct renewal_event){.kind = RENEWAL_EVENT_STORED};
        break;
    case RENEWAL_DO_STORE_ROOT:
        failed = store_root(driver, cause);
        *event = (struct renewal_event){.kind = RENEWAL_EVENT_ROOT_STORED};
        if (failed < 0) {
            log_warn("renewal", "%s", cause->message);
            *event = (struct renewal_event){.kind = RENEWAL_EVENT_TIMER};
            return true;
        }
        break;
    default:
        if (begin_call(driver, todo, cause) == 0)
            return false;
        *event = (struct renewal_event){.kind = RENEWAL_EVENT_CALL_FAILED, .error = cause};
        return true;
    }
    if (failed < 0)
        *event = (struct renewal_event){.kind = RENEWAL_EVENT_SAVE_FAILED, .error = cause};
    return true;
}

/* Carry out effects until one has to be waited for. */
static void carry_out(struct renewal_driver *driver, struct renewal_effect todo)
{
    bool is_replaced = false;
    while (todo.kind != RENEWAL_DO_WAIT && todo.kind != RENEWAL_DO_GO_ON) {
        struct error cause = {0};
        struct renewal_event event;
        cleanup_buf struct buf key = {0}, csr = {0};
        if (!do_at_once(driver, &todo, &key, &csr, &event, &cause)) {
            set_timer(driver, todo.wake_ns);
            return;
        }
        is_replaced = is_replaced || event.kind == RENEWAL_EVENT_STORED || event.kind == RENEWAL_EVENT_ROOT_STORED;
        step(driver, &event, &todo);
        if (key.data)
            mem_wipe(key.data, key.capacity);
    }
    rest(driver, &todo);
    if (is_replaced && driver->options.on_replaced)
        driver->options.on_replaced(driver->options.ctx);
}

static void happen(struct renewal_driver *driver, struct renewal_event event)
{
    struct renewal_effect todo;
    step(driver, &event, &todo);
    carry_out(driver, todo);
}

static void on_timer(uv_timer_t *timer)
{
    struct renewal_driver *driver = timer->data;
    if (driver->has_begun) {
        happen(driver, (struct renewal_event){.kind = RENEWAL_EVENT_TIMER});
        return;
    }
    driver->has_begun = true;
    carry_out(driver, driver->todo);
}

static void on_answer(void *ctx, const struct ca_answer *answer)
{
    struct renewal_driver *driver = ctx;
    struct renewal_event event = {.pem = answer->pem,
                                  .pem2 = answer->pem2,
                                  .text = answer->text,
                                  .status = answer->status,
                                  .role = answer->role,
                                  .error = answer->error};
    switch (answer->kind) {
    case CA_ANSWER_ROOT:
        event.kind = RENEWAL_EVENT_ROOT;
        break;
    case CA_ANSWER_NODE_ID:
        event.kind = RENEWAL_EVENT_NODE_ID;
        break;
    case CA_ANSWER_STATUS:
        event.kind = RENEWAL_EVENT_STATUS;
        break;
    case CA_ANSWER_CONNECTED: /* calls are begun without waiting for it */
        return;
    case CA_ANSWER_FAILED:
        event.kind = RENEWAL_EVENT_CALL_FAILED;
        if (answer->grpc_status < 0 && !driver->lent) { /* another manager next time */
            note(driver, REMOTE_FAILURE);
            ca_client_close(driver->client);
            forget_remote(driver);
        }
        break;
    }
    happen(driver, event);
}

/* ---- life ---- */

void renewal_driver_told(struct renewal_driver *driver, int desired_role, bool may_manage, int certificate_status, struct bytes root_pem)
{
    happen(driver,
           (struct renewal_event){
               .kind = RENEWAL_EVENT_TOLD, .role = desired_role, .may_manage = may_manage, .status = certificate_status, .pem = root_pem});
}

bool renewal_driver_is_busy(const struct renewal_driver *driver)
{
    return renewal_is_busy(&driver->renewal);
}

bool renewal_driver_promotion_refused(const struct renewal_driver *driver)
{
    return driver->renewal.is_promotion_refused;
}

static void deinit(struct renewal_driver *driver)
{
    ca_client_free(driver->client);
    renewal_deinit(&driver->renewal);
    forget_remote(driver);
    driver->client = NULL;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

int renewal_driver_start(const struct renewal_driver_options *options, struct renewal_driver **out, struct error *err)
{
    struct renewal_driver *driver = mem_alloc(sizeof *driver);
    driver->options = *options;
    int failed = renewal_start(&driver->renewal, options->identity, options->random, now_ns(driver), clock_wall_ns(&options->clock),
                               &driver->todo, err);
    if (failed < 0) {
        deinit(driver);
        free(driver);
        return error_wrap(err, "the node's certificate");
    }
    driver->client = ca_client_new(options->loop, options->clock, options->random, on_answer, driver);
    uv_timer_init(options->loop, &driver->timer);
    driver->timer.data = driver;
    uv_timer_start(&driver->timer, on_timer, 0, 0);
    *out = driver;
    return 0;
}

void renewal_driver_free(struct renewal_driver *driver)
{
    if (!driver)
        return;
    deinit(driver);
    uv_close((uv_handle_t *)&driver->timer, on_closed);
}
