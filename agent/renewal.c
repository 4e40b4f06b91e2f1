/* agent/renewal.c – see renewal.h. */
#include "agent/renewal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

#define MINUTE_NS (60 * (int64_t)NS_PER_S)

static const struct state_info states[] = {
#define X(state, shown, next, deadline) {#state, shown, next, deadline},
    RENEWAL_STATES(X)
#undef X
};
const struct state_table renewal_table = {"renewal", states, sizeof states / sizeof *states};

static enum renewal_state state_of(const struct renewal *renewal)
{
    return (enum renewal_state)renewal->machine.state;
}

static void keep(struct buf *buf, struct bytes content)
{
    buf_clear(buf);
    buf_append(buf, content.data, content.size);
}

static void forget(struct buf *buf)
{
    if (buf->data)
        mem_wipe(buf->data, buf->capacity);
    buf_deinit(buf);
}

static void forget_attempt(struct renewal *renewal)
{
    forget(&renewal->key_pem);
    buf_deinit(&renewal->request_pem);
    buf_deinit(&renewal->new_chain_pem);
    buf_deinit(&renewal->new_root_pem);
}

/* The table is checked by a test; a move it does not allow is a bug, and then the machine stays where it is. */
static void enter(struct renewal *renewal, enum renewal_state state, uint64_t now_ns)
{
    struct error bug;
    if (state_move(&renewal->machine, state, now_ns, &bug) < 0)
        renewal->trouble = bug;
}

/* ---- effects ---- */

static void answer(const struct renewal *renewal, enum renewal_effect_kind kind, struct renewal_effect *out)
{
    *out = (struct renewal_effect){.kind = kind, .wake_ns = renewal->wake_ns};
}

static void call(struct renewal *renewal, enum renewal_effect_kind kind, uint64_t now_ns, struct renewal_effect *out)
{
    uint64_t overdue_ns = state_deadline_ns(&renewal->machine), end_ns = now_ns + JOIN_CALL_MS * NS_PER_MS;
    renewal->is_waiting = false;
    renewal->wake_ns = end_ns < overdue_ns ? end_ns : overdue_ns;
    answer(renewal, kind, out);
    out->timeout_ms = JOIN_CALL_MS;
}

static void do_now(struct renewal *renewal, enum renewal_effect_kind kind, struct renewal_effect *out)
{
    renewal->wake_ns = UINT64_MAX;
    answer(renewal, kind, out);
}

/* Rest until the renewal is due, looking at the wall clock again and again: it may be set, and hosts sleep. */
static void rest(struct renewal *renewal, uint64_t now_ns, struct renewal_effect *out)
{
    uint64_t check_ns = now_ns + RENEWAL_CHECK_MS * NS_PER_MS;
    renewal->wake_ns = renewal->forced_at_ns < check_ns ? renewal->forced_at_ns : check_ns;
    answer(renewal, RENEWAL_DO_WAIT, out);
}

static void begin(struct renewal *renewal, uint64_t now_ns, struct renewal_effect *out)
{
    forget_attempt(renewal);
    renewal->forced_at_ns = UINT64_MAX;
    renewal->polls = 0;
    enter(renewal, RENEWAL_MAKING_KEY, now_ns);
    do_now(renewal, RENEWAL_DO_MAKE_KEY, out);
}

static void rest_or_begin(struct renewal *renewal, uint64_t now_ns, int64_t wall_ns, struct renewal_effect *out)
{
    if (wall_ns >= renewal->due_wall_ns || now_ns >= renewal->forced_at_ns)
        begin(renewal, now_ns, out);
    else
        rest(renewal, now_ns, out);
}

/* ---- when ---- */

/* A random whole minute between half and four fifths of the validity, so that a cluster's nodes do not all come at once. */
static void set_due(struct renewal *renewal)
{
    const struct certificate *certificate = &renewal->certificate;
    uint64_t minutes = (uint64_t)((certificate->not_after_wall_ns - certificate->not_before_wall_ns) / MINUTE_NS);
    uint64_t first = minutes / 2, last = minutes * 4 / 5;
    renewal->due_wall_ns = certificate->not_before_wall_ns + (int64_t)(first + random_below(&renewal->random, last - first)) * MINUTE_NS;
}

/* The moment lies behind us as soon as the certificate comes: it is a short one, backdated, or our clock and the manager's are months
 * apart. The next renewal is then between half and four fifths of what is left, and never in a circle. */
static void set_due_of_rest(struct renewal *renewal, int64_t wall_ns)
{
    int64_t left_s = (renewal->certificate.not_after_wall_ns - wall_ns) / (int64_t)NS_PER_S;
    uint64_t wait_s = RENEWAL_BACKOFF_MAX_MS / 1000; /* of one that is over already */
    if (left_s > 0)
        wait_s = (uint64_t)left_s / 2 + random_below(&renewal->random, (uint64_t)left_s * 3 / 10 + 1);
    if (wait_s < RENEWAL_CHECK_MS / 1000)
        wait_s = RENEWAL_CHECK_MS / 1000;
    renewal->due_wall_ns = wall_ns + (int64_t)(wait_s * NS_PER_S);
}

static bool is_expired(const struct renewal *renewal, int64_t wall_ns)
{
    return wall_ns > renewal->certificate.not_after_wall_ns;
}

static uint64_t backoff_ns(struct renewal *renewal)
{
    uint64_t spread_ms = RENEWAL_BACKOFF_MAX_MS;
    if (renewal->failures < 16 && (uint64_t)RENEWAL_BACKOFF_MIN_MS << renewal->failures < spread_ms)
        spread_ms = (uint64_t)RENEWAL_BACKOFF_MIN_MS << renewal->failures;
    uint64_t wait_ms = RENEWAL_BACKOFF_MIN_MS + random_below(&renewal->random, spread_ms);
    return (wait_ms < RENEWAL_BACKOFF_MAX_MS ? wait_ms : RENEWAL_BACKOFF_MAX_MS) * NS_PER_MS;
}

/* ---- failing ---- */

static void describe_expired(struct renewal *renewal, const struct error *cause, int64_t wall_ns)
{
    char end[TIME_RFC3339_SIZE], now[TIME_RFC3339_SIZE];
    time_format_rfc3339(renewal->certificate.not_after_wall_ns, end);
    time_format_rfc3339(wall_ns, now);
    bool is_refused = cause->code == ERR_TRUST || cause->code == ERR_PERMISSION;
    renewal->health = is_refused ? RENEWAL_REFUSED : RENEWAL_LATE;
    if (is_refused)
        error_set(
            &renewal->trouble, ERR_TRUST,
            "the node's certificate expired on %.19sZ, our clock says %.19sZ, and the manager does not accept it any more (%s); take the "
            "node out with `skep leave --force` and join again with a token from `docker swarm join-token worker`",
            end, now, cause->message);
    else
        error_set(&renewal->trouble, cause->code, "the node's certificate expired on %.19sZ and could not be renewed yet: %s", end,
                  cause->message);
}

static void describe_late(struct renewal *renewal, const struct error *cause)
{
    renewal->health = RENEWAL_LATE;
    error_set(&renewal->trouble, cause->code, "renew the node's certificate: %s: %s%s", state_shown(&renewal->machine), cause->message,
              cause->code == ERR_TRUST ? "; if the cluster's root CA was rotated while this node was away, take it out with `skep leave "
                                         "--force` and join again"
                                       : "");
}

static void fail(struct renewal *renewal, const struct error *cause, uint64_t now_ns, int64_t wall_ns, struct renewal_effect *out)
{
    if (is_expired(renewal, wall_ns))
        describe_expired(renewal, cause, wall_ns);
    else
        describe_late(renewal, cause);
    forget_attempt(renewal);
    enter(renewal, RENEWAL_BACKING_OFF, now_ns);
    renewal->is_waiting = false;
    renewal->wake_ns = now_ns + (renewal->health == RENEWAL_REFUSED ? RENEWAL_BACKOFF_MAX_MS * NS_PER_MS : backoff_ns(renewal));
    renewal->failures++;
    answer(renewal, RENEWAL_DO_WAIT, out);
}

/* ---- the states ---- */

static void poll_later(struct renewal *renewal, uint64_t now_ns, struct renewal_effect *out)
{
    uint64_t spread_ms = renewal->polls < 5 ? 1000ull << renewal->polls : JOIN_POLL_BACKOFF_MAX_MS;
    uint64_t overdue_ns = state_deadline_ns(&renewal->machine);
    uint64_t end_ns = now_ns + (1000 + random_below(&renewal->random, spread_ms)) * NS_PER_MS;
    renewal->polls++;
    renewal->is_waiting = true;
    renewal->wake_ns = end_ns < overdue_ns ? end_ns : overdue_ns;
    answer(renewal, RENEWAL_DO_WAIT, out);
}

static void on_key(struct renewal *renewal, const struct renewal_event *event, uint64_t now_ns, struct renewal_effect *out)
{
    keep(&renewal->key_pem, event->pem);
    keep(&renewal->request_pem, event->pem2);
    enter(renewal, RENEWAL_REQUESTING, now_ns);
    call(renewal, RENEWAL_DO_REQUEST, now_ns, out);
}

/* What a new chain must be before it replaces ours: for our key, for us, for our cluster. */
static int check_chain(const struct renewal *renewal, struct bytes roots, struct error *err)
{
    struct certificate fresh = {0};
    struct bytes chain = buf_bytes(&renewal->new_chain_pem);
    int failed = certificate_match_key(chain, buf_bytes(&renewal->key_pem), err);
    if (failed == 0)
        failed = certificate_read(chain, roots, &fresh, err);
    if (failed < 0)
        return failed;
    if (!text_equal(fresh.node_id, renewal->certificate.node_id) || !text_equal(fresh.cluster_id, renewal->certificate.cluster_id))
        failed = error_set(err, ERR_PEER, "the manager sent the certificate of node %s in cluster %s", fresh.node_id, fresh.cluster_id);
    certificate_deinit(&fresh);
    return failed;
}

static void store_or_fail(struct renewal *renewal, uint64_t now_ns, int64_t wall_ns, struct renewal_effect *out)
{
    struct error cause;
    if (check_chain(renewal, buf_bytes(&renewal->new_root_pem), &cause) < 0) {
        fail(renewal, &cause, now_ns, wall_ns, out);
        return;
    }
    enter(renewal, RENEWAL_STORING, now_ns);
    do_now(renewal, RENEWAL_DO_STORE, out);
}

static void on_issued(struct renewal *renewal, const struct renewal_event *event, uint64_t now_ns, struct renewal_effect *out)
{
    struct error cause;
    enum certificate_flaw flaw;
    keep(&renewal->new_chain_pem, event->pem);
    if (certificate_verify(event->pem, buf_bytes(&renewal->root_pem), event->wall_ns, &flaw, &cause) == 0) {
        keep(&renewal->new_root_pem, buf_bytes(&renewal->root_pem));
        store_or_fail(renewal, now_ns, event->wall_ns, out);
    } else if (flaw == CERTIFICATE_UNKNOWN_AUTHORITY) {
        enter(renewal, RENEWAL_FETCHING_ROOT, now_ns);
        call(renewal, RENEWAL_DO_GET_ROOT, now_ns, out);
    } else {
        fail(renewal, &cause, now_ns, event->wall_ns, out);
    }
}

static void on_status(struct renewal *renewal, const struct renewal_event *event, uint64_t now_ns, struct renewal_effect *out)
{
    struct error cause;
    bool is_ours = bytes_equal(event->pem2, buf_bytes(&renewal->request_pem));
    if (is_ours && (event->status == ISSUANCE_ISSUED || event->status == ISSUANCE_ROTATE)) {
        on_issued(renewal, event, now_ns, out);
    } else if (is_ours && event->status == ISSUANCE_FAILED) {
        error_set(&cause, ERR_PEER, "the manager could not issue it: %s", text_empty(event->text) ? "no reason given" : event->text);
        fail(renewal, &cause, now_ns, event->wall_ns, out);
    } else {
        poll_later(renewal, now_ns, out);
    }
}

/* The root has changed completely: what we were sent must chain to what the same manager, which we trust by the old one, calls its root. */
static void on_root(struct renewal *renewal, const struct renewal_event *event, uint64_t now_ns, struct renewal_effect *out)
{
    struct error cause;
    int failed = certificate_check_roots(event->pem, event->wall_ns, NULL, &cause);
    if (failed == 0)
        failed = certificate_verify(buf_bytes(&renewal->new_chain_pem), event->pem, event->wall_ns, NULL, &cause);
    if (failed < 0) {
        fail(renewal, &cause, now_ns, event->wall_ns, out);
        return;
    }
    keep(&renewal->new_root_pem, event->pem);
    store_or_fail(renewal, now_ns, event->wall_ns, out);
}

static void on_stored(struct renewal *renewal, const struct renewal_event *event, uint64_t now_ns, struct renewal_effect *out)
{
    struct certificate fresh;
    struct error bug;
    if (certificate_read(buf_bytes(&renewal->new_chain_pem), buf_bytes(&renewal->new_root_pem), &fresh, &bug) < 0) {
        fail(renewal, &bug, now_ns, event->wall_ns, out);
        return;
    }
    certificate_deinit(&renewal->certificate);
    renewal->certificate = fresh;
    keep(&renewal->chain_pem, buf_bytes(&renewal->new_chain_pem));
    keep(&renewal->root_pem, buf_bytes(&renewal->new_root_pem));
    forget_attempt(renewal);
    renewal->failures = 0;
    renewal->health = RENEWAL_HEALTHY;
    renewal->trouble = (struct error){0};
    renewal->told_status = ISSUANCE_ISSUED;
    set_due(renewal);
    if (renewal->due_wall_ns <= event->wall_ns)
        set_due_of_rest(renewal, event->wall_ns);
    enter(renewal, RENEWAL_RESTING, now_ns);
    /* After a demotion the first new certificate may still be a manager's (swarmkit-wire §9, trap 9). After a promotion what the next
     * session tells forces another. */
    if (fresh.role == CERTIFICATE_MANAGER && renewal->told_role == CERTIFICATE_WORKER)
        renewal->forced_at_ns = now_ns + RENEWAL_BACKOFF_MIN_MS * NS_PER_MS;
    rest(renewal, now_ns, out);
}

static bool is_good_root(const struct renewal *renewal, const struct renewal_event *event)
{
    return event->pem.size > 0 && !bytes_equal(event->pem, buf_bytes(&renewal->root_pem)) &&
           certificate_check_roots(event->pem, event->wall_ns, NULL, NULL) == 0 &&
           certificate_verify(buf_bytes(&renewal->chain_pem), event->pem, event->wall_ns, NULL, NULL) == 0;
}

/* Only news counts: a message repeats what was said before, and a renewal that fails has its backoff. */
static void on_told(struct renewal *renewal, const struct renewal_event *event, uint64_t now_ns, struct renewal_effect *out)
{
    enum renewal_state state = state_of(renewal);
    bool is_rotated = event->status == ISSUANCE_ROTATE && (renewal->told_status != ISSUANCE_ROTATE || state == RENEWAL_RESTING);
    bool is_demoted = event->role == CERTIFICATE_WORKER && renewal->certificate.role == CERTIFICATE_MANAGER &&
                      (renewal->told_role != CERTIFICATE_WORKER || state == RENEWAL_RESTING);
    bool is_promoted = event->role == CERTIFICATE_MANAGER && renewal->certificate.role == CERTIFICATE_WORKER;
    bool is_followed = is_promoted && event->may_manage && (renewal->told_role != CERTIFICATE_MANAGER || state == RENEWAL_RESTING);
    renewal->told_status = event->status;
    renewal->told_role = event->role;
    renewal->is_promotion_refused = event->role == CERTIFICATE_MANAGER && !event->may_manage;
    if (state != RENEWAL_RESTING && state != RENEWAL_BACKING_OFF) {
        answer(renewal, RENEWAL_DO_GO_ON, out);
        return;
    }
    uint64_t forced_at_ns = now_ns + RENEWAL_FORCED_MS * NS_PER_MS;
    if ((is_rotated || is_demoted || is_followed) && forced_at_ns < renewal->forced_at_ns)
        renewal->forced_at_ns = forced_at_ns;
    if (renewal->forced_at_ns < renewal->wake_ns)
        renewal->wake_ns = renewal->forced_at_ns;
    if (is_good_root(renewal, event)) {
        keep(&renewal->new_root_pem, event->pem);
        answer(renewal, RENEWAL_DO_STORE_ROOT, out);
    } else {
        answer(renewal, RENEWAL_DO_WAIT, out);
    }
}

static void on_root_stored(struct renewal *renewal, struct renewal_effect *out)
{
    struct certificate again;
    if (certificate_read(buf_bytes(&renewal->chain_pem), buf_bytes(&renewal->new_root_pem), &again, NULL) == 0) {
        certificate_deinit(&renewal->certificate);
        renewal->certificate = again;
        keep(&renewal->root_pem, buf_bytes(&renewal->new_root_pem));
    }
    answer(renewal, RENEWAL_DO_WAIT, out);
}

static void on_call_failed(struct renewal *renewal, const struct renewal_event *event, uint64_t now_ns, struct renewal_effect *out)
{
    /* A poll is held open until there is an answer: its deadline, or a manager that goes away meanwhile, is no failure of the renewal. */
    int code = event->error->code;
    if (state_of(renewal) == RENEWAL_AWAITING && (code == ERR_DEADLINE || code == ERR_UNAVAILABLE || code == ERR_CANCELED))
        poll_later(renewal, now_ns, out);
    else
        fail(renewal, event->error, now_ns, event->wall_ns, out);
}

static void on_timer(struct renewal *renewal, const struct renewal_event *event, uint64_t now_ns, struct renewal_effect *out)
{
    enum renewal_state state = state_of(renewal);
    if (now_ns < renewal->wake_ns) {
        answer(renewal, RENEWAL_DO_GO_ON, out);
        return;
    }
    if (state == RENEWAL_RESTING) {
        rest_or_begin(renewal, now_ns, event->wall_ns, out);
        return;
    }
    if (state == RENEWAL_BACKING_OFF) {
        begin(renewal, now_ns, out);
        return;
    }
    if (renewal->is_waiting && now_ns < state_deadline_ns(&renewal->machine)) {
        call(renewal, RENEWAL_DO_POLL, now_ns, out);
        return;
    }
    struct error cause;
    bool is_over = now_ns >= state_deadline_ns(&renewal->machine);
    error_set(&cause, ERR_DEADLINE, "no answer within %llu s", (unsigned long long)((now_ns - renewal->machine.entered_ns) / NS_PER_S));
    if (state == RENEWAL_AWAITING && !is_over)
        poll_later(renewal, now_ns, out);
    else
        fail(renewal, &cause, now_ns, event->wall_ns, out);
}

/* ---- the machine ---- */

static bool is_expected(const struct renewal *renewal, enum renewal_event_kind kind)
{
    switch (kind) {
    case RENEWAL_EVENT_TIMER:
    case RENEWAL_EVENT_TOLD:
        return true;
    case RENEWAL_EVENT_KEY_MADE:
        return state_of(renewal) == RENEWAL_MAKING_KEY;
    case RENEWAL_EVENT_NODE_ID:
        return state_of(renewal) == RENEWAL_REQUESTING;
    case RENEWAL_EVENT_STATUS:
        return state_of(renewal) == RENEWAL_AWAITING && !renewal->is_waiting;
    case RENEWAL_EVENT_ROOT:
        return state_of(renewal) == RENEWAL_FETCHING_ROOT;
    case RENEWAL_EVENT_STORED:
        return state_of(renewal) == RENEWAL_STORING;
    case RENEWAL_EVENT_ROOT_STORED:
        return state_of(renewal) == RENEWAL_RESTING || state_of(renewal) == RENEWAL_BACKING_OFF;
    case RENEWAL_EVENT_SAVE_FAILED:
        return state_of(renewal) == RENEWAL_STORING || state_of(renewal) == RENEWAL_MAKING_KEY;
    case RENEWAL_EVENT_CALL_FAILED:
        return state_of(renewal) == RENEWAL_REQUESTING || state_of(renewal) == RENEWAL_FETCHING_ROOT ||
               (state_of(renewal) == RENEWAL_AWAITING && !renewal->is_waiting);
    }
    return false;
}

bool renewal_is_busy(const struct renewal *renewal)
{
    enum renewal_state state = state_of(renewal);
    return (state != RENEWAL_RESTING && state != RENEWAL_BACKING_OFF) || renewal->forced_at_ns != UINT64_MAX;
}

void renewal_step(struct renewal *renewal, const struct renewal_event *event, uint64_t now_ns, struct renewal_effect *out)
{
    if (!is_expected(renewal, event->kind)) {
        answer(renewal, RENEWAL_DO_GO_ON, out);
        return;
    }
    switch (event->kind) {
    case RENEWAL_EVENT_KEY_MADE:
        on_key(renewal, event, now_ns, out);
        return;
    case RENEWAL_EVENT_NODE_ID:
        enter(renewal, RENEWAL_AWAITING, now_ns);
        call(renewal, RENEWAL_DO_POLL, now_ns, out);
        return;
    case RENEWAL_EVENT_STATUS:
        on_status(renewal, event, now_ns, out);
        return;
    case RENEWAL_EVENT_ROOT:
        on_root(renewal, event, now_ns, out);
        return;
    case RENEWAL_EVENT_STORED:
        on_stored(renewal, event, now_ns, out);
        return;
    case RENEWAL_EVENT_ROOT_STORED:
        on_root_stored(renewal, out);
        return;
    case RENEWAL_EVENT_SAVE_FAILED:
        fail(renewal, event->error, now_ns, event->wall_ns, out);
        return;
    case RENEWAL_EVENT_CALL_FAILED:
        on_call_failed(renewal, event, now_ns, out);
        return;
    case RENEWAL_EVENT_TIMER:
        on_timer(renewal, event, now_ns, out);
        return;
    case RENEWAL_EVENT_TOLD:
        on_told(renewal, event, now_ns, out);
        return;
    }
}

int renewal_start(struct renewal *renewal, const struct identity *identity, struct random random, uint64_t now_ns, int64_t wall_ns,
                  struct renewal_effect *out, struct error *err)
{
    *renewal = (struct renewal){.random = random, .forced_at_ns = UINT64_MAX, .told_status = ISSUANCE_ISSUED};
    state_init(&renewal->machine, &renewal_table, RENEWAL_RESTING, now_ns);
    keep(&renewal->root_pem, buf_bytes(&identity->root_pem));
    keep(&renewal->chain_pem, buf_bytes(&identity->chain_pem));
    int failed = certificate_read(buf_bytes(&renewal->chain_pem), buf_bytes(&renewal->root_pem), &renewal->certificate, err);
    if (failed < 0)
        return failed;
    renewal->told_role = -1; /* nothing yet */
    set_due(renewal);
    rest_or_begin(renewal, now_ns, wall_ns, out);
    return 0;
}

void renewal_deinit(struct renewal *renewal)
{
    forget_attempt(renewal);
    buf_deinit(&renewal->root_pem);
    buf_deinit(&renewal->chain_pem);
    certificate_deinit(&renewal->certificate);
}
