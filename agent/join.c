/* agent/join.c – see join.h. */
#include "agent/join.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/text.h"

#define JOIN_PORT 2377

static const struct state_info phases[] = {
#define X(phase, shown, next, deadline) {#phase, shown, next, deadline},
    JOIN_PHASES(X)
#undef X
};
const struct state_table join_table = {"join", phases, sizeof phases / sizeof *phases};

enum grpc_status_used { STATUS_INVALID_ARGUMENT = 3, STATUS_NOT_FOUND = 5, STATUS_UNIMPLEMENTED = 12 };

static enum join_phase phase_of(const struct join *join)
{
    return (enum join_phase)join->machine.state;
}

static struct join_remote *remote_of(const struct join *join)
{
    return &join->remotes[join->remote_index];
}

/* ---- effects ---- */

static void set_wake(struct join *join, uint64_t wake_ns)
{
    uint64_t overdue_ns = state_deadline_ns(&join->machine);
    join->wake_ns = wake_ns < overdue_ns ? wake_ns : overdue_ns;
}

static int answer(const struct join *join, enum join_effect_kind kind, struct join_effect *out)
{
    *out = (struct join_effect){.kind = kind, .wake_ns = join->wake_ns};
    return 0;
}

static int call(struct join *join, enum join_effect_kind kind, uint32_t timeout_ms, uint64_t now_ns, struct join_effect *out)
{
    join->is_waiting = false;
    set_wake(join, now_ns + timeout_ms * NS_PER_MS);
    answer(join, kind, out);
    out->addr = remote_of(join)->addr;
    out->timeout_ms = timeout_ms;
    return 0;
}

static int wait_until(struct join *join, uint64_t wake_ns, struct join_effect *out)
{
    join->is_waiting = true;
    set_wake(join, wake_ns);
    return answer(join, JOIN_DO_WAIT, out);
}

/* Something of our own is done at once: there is nothing to wait for. */
static int do_now(struct join *join, enum join_effect_kind kind, struct join_effect *out)
{
    join->is_waiting = false;
    join->wake_ns = UINT64_MAX;
    return answer(join, kind, out);
}

static int enter(struct join *join, enum join_phase phase, uint64_t now_ns, struct error *err)
{
    return state_move(&join->machine, phase, now_ns, err);
}

/* ---- failing ---- */

static int fail(struct join *join, const struct error *why, uint64_t now_ns, struct error *err)
{
    const char *shown = state_shown(&join->machine);
    join->failed_phase = phase_of(join);
    int failed = enter(join, JOIN_FAILED, now_ns, err);
    if (failed < 0)
        return failed;
    return error_set(err, why->code, "join: %s: %s", shown, why->message);
}

/* The first manager from @index on that is worth another try; remote_count when there is none. */
static size_t next_hopeful(const struct join *join, size_t index)
{
    while (index < join->remote_count && join->remotes[index].is_hopeless)
        index++;
    return index;
}

static int dial(struct join *join, uint64_t now_ns, struct join_effect *out, struct error *err)
{
    int failed = enter(join, JOIN_DIAL, now_ns, err);
    return failed < 0 ? failed : call(join, JOIN_DO_DIAL, JOIN_DIAL_MS, now_ns, out);
}

/* Waiting for the certificate needs no new connection phase: the root is known, and the node id too. */
static int poll_now(struct join *join, uint64_t now_ns, struct join_effect *out)
{
    return call(join, JOIN_DO_POLL, JOIN_CALL_MS, now_ns, out);
}

/* SwarmKit's pause between polls: a second and a random part that grows. */
static int poll_later(struct join *join, uint64_t now_ns, struct join_effect *out)
{
    uint64_t spread_ms = join->polls < 5 ? 1000ull << join->polls : JOIN_POLL_BACKOFF_MAX_MS;
    join->polls++;
    return wait_until(join, now_ns + (1000 + random_below(&join->random, spread_ms)) * NS_PER_MS, out);
}

/* The present manager failed: try the next, or wait for another round, or give up. @why names the manager. */
static int try_another(struct join *join, const struct error *why, uint64_t now_ns, struct join_effect *out, struct error *err)
{
    join->last = *why;
    bool is_polling = phase_of(join) == JOIN_AWAIT;
    size_t next = next_hopeful(join, join->remote_index + 1);
    if (next < join->remote_count) {
        join->remote_index = next;
        return is_polling ? poll_now(join, now_ns, out) : dial(join, now_ns, out, err);
    }
    next = next_hopeful(join, 0);
    if (next == join->remote_count)
        return fail(join, why, now_ns, err);
    join->remote_index = next;
    if (is_polling)
        return poll_later(join, now_ns, out); /* until the phase's own end */
    if (++join->rounds >= JOIN_ROUNDS_COUNT)
        return fail(join, why, now_ns, err);
    if (phase_of(join) != JOIN_DIAL) {
        int failed = enter(join, JOIN_DIAL, now_ns, err);
        if (failed < 0)
            return failed;
    } else {
        join->machine.entered_ns = now_ns;
    }
    return wait_until(join, now_ns + JOIN_RETRY_MS * NS_PER_MS, out);
}

static int give_up_on_remote(struct join *join, const struct error *why, uint64_t now_ns, struct join_effect *out, struct error *err)
{
    remote_of(join)->is_hopeless = true;
    return try_another(join, why, now_ns, out, err);
}

/* What a person can do about a manager that cannot be spoken to. */
static const char *advice(const struct join *join, int code)
{
    switch (code) {
    case ERR_UNAVAILABLE:
    case ERR_DEADLINE:
        return phase_of(join) == JOIN_DIAL
                   ? "; check the address, that the manager runs, and that no firewall between the hosts closes its port"
                   : "; see the manager's log, it may be without a leader";
    case ERR_TRUST:
        return phase_of(join) == JOIN_DIAL ? "; check that this is a swarm manager's address and port (2377 unless set otherwise)" : "";
    case ERR_PEER:
    case ERR_UNSUPPORTED:
        return "; check that this is a swarm manager's address and port (2377 unless set otherwise)";
    default:
        return "";
    }
}

static void describe(const struct join *join, const struct error *cause, struct error *why)
{
    const char *addr = remote_of(join)->addr;
    bool is_named = strstr(cause->message, addr) != NULL;
    error_set(why, cause->code ? cause->code : ERR_PEER, "%s%s%s%s", is_named ? "" : addr, is_named ? "" : ": ", cause->message,
              advice(join, cause->code));
}

static int refuse_token(struct join *join, uint64_t now_ns, struct error *err)
{
    struct error why;
    error_set(&why, ERR_TOKEN,
              "%s: the manager does not accept the token: it was rotated, or its last part is mistyped; get a new one with `docker swarm "
              "join-token worker` on a manager",
              remote_of(join)->addr);
    return fail(join, &why, now_ns, err);
}

/* The node was removed on the manager while we were away: once, a new one is asked for. */
static int lose_node_id(struct join *join, uint64_t now_ns, struct join_effect *out, struct error *err)
{
    struct error why;
    if (!join->has_token || join->has_lost_node_id) {
        error_set(&why, ERR_NOT_FOUND,
                  "%s: the manager does not know node %s any more: it was removed; join again with a token (`skep join --token …`)",
                  remote_of(join)->addr, join->progress.node_id);
        return fail(join, &why, now_ns, err);
    }
    join->has_lost_node_id = true;
    free(join->progress.node_id);
    join->progress.node_id = NULL;
    int failed = enter(join, JOIN_REQUEST, now_ns, err);
    return failed < 0 ? failed : call(join, JOIN_DO_REQUEST, JOIN_CALL_MS, now_ns, out);
}

static int on_call_failed(struct join *join, const struct error *cause, int grpc_status, uint64_t now_ns, struct join_effect *out,
                          struct error *err)
{
    struct error why;
    enum join_phase phase = phase_of(join);
    if (phase == JOIN_REQUEST && grpc_status == STATUS_INVALID_ARGUMENT)
        return refuse_token(join, now_ns, err);
    if (phase == JOIN_AWAIT && grpc_status == STATUS_NOT_FOUND)
        return lose_node_id(join, now_ns, out, err);
    describe(join, cause, &why);
    bool is_stranger = phase == JOIN_DIAL && cause->code == ERR_PEER; /* does not even speak TLS */
    bool is_final = is_stranger || cause->code == ERR_TRUST || cause->code == ERR_UNSUPPORTED || grpc_status == STATUS_UNIMPLEMENTED;
    return is_final ? give_up_on_remote(join, &why, now_ns, out, err) : try_another(join, &why, now_ns, out, err);
}

/* ---- the phases ---- */

static int check_root(const struct join *join, struct bytes root_pem, int64_t wall_ns, struct error *err)
{
    uint8_t digest[SHA256_SIZE_BYTES];
    if (root_pem.size > CERTIFICATE_PEM_SIZE_BYTES)
        return error_set(err, ERR_LIMIT, "its root CA is larger than %u bytes", CERTIFICATE_PEM_SIZE_BYTES);
    if (join->has_token) {
        int failed = token_check_root(&join->token, root_pem, err);
        return failed < 0 ? failed : certificate_check_roots(root_pem, wall_ns, NULL, err);
    }
    sha256(root_pem, digest);
    if (!bytes_equal(bytes_of(digest, sizeof digest), bytes_of(join->progress.ca_digest, sizeof digest)))
        return error_set(
            err, ERR_TRUST,
            "its root CA is not the one this join began with: it was rotated since, or this is another cluster; join again with a "
            "new token");
    return certificate_check_roots(root_pem, wall_ns, NULL, err);
}

static int request(struct join *join, uint64_t now_ns, struct join_effect *out, struct error *err)
{
    int failed = enter(join, JOIN_REQUEST, now_ns, err);
    return failed < 0 ? failed : call(join, JOIN_DO_REQUEST, JOIN_CALL_MS, now_ns, out);
}

static int await(struct join *join, uint64_t now_ns, struct join_effect *out, struct error *err)
{
    int failed = enter(join, JOIN_AWAIT, now_ns, err);
    return failed < 0 ? failed : poll_now(join, now_ns, out);
}

static void keep(struct buf *buf, struct bytes content)
{
    buf_clear(buf);
    buf_append(buf, content.data, content.size);
}

static int on_root(struct join *join, const struct join_event *event, uint64_t now_ns, struct join_effect *out, struct error *err)
{
    struct error cause, why;
    if (check_root(join, event->pem, event->wall_ns, &cause) < 0) {
        error_set(&why, cause.code, "%s: %s", remote_of(join)->addr, cause.message);
        return give_up_on_remote(join, &why, now_ns, out, err);
    }
    keep(&join->progress.root_pem, event->pem);
    sha256(event->pem, join->progress.ca_digest);
    if (join->progress.node_id)
        return await(join, now_ns, out, err);
    if (join->progress.key_pem.size > 0)
        return request(join, now_ns, out, err);
    int failed = enter(join, JOIN_MAKE_KEY, now_ns, err);
    return failed < 0 ? failed : do_now(join, JOIN_DO_MAKE_KEY, out);
}

static int on_key(struct join *join, const struct join_event *event, struct join_effect *out)
{
    keep(&join->progress.key_pem, event->pem);
    keep(&join->progress.request_pem, event->pem2);
    join->progress.is_pending = true;
    return do_now(join, JOIN_DO_SAVE, out);
}

static int on_node_id(struct join *join, const struct join_event *event, uint64_t now_ns, struct join_effect *out, struct error *err)
{
    struct error why;
    if (!event->text || !id_is_safe(event->text)) {
        error_set(&why, ERR_PEER, "%s: the manager gave this node an impossible id", remote_of(join)->addr);
        return give_up_on_remote(join, &why, now_ns, out, err);
    }
    free(join->progress.node_id);
    join->progress.node_id = mem_string(event->text);
    return do_now(join, JOIN_DO_SAVE, out);
}

static int refuse_manager(struct join *join, uint64_t now_ns, struct error *err)
{
    struct error why;
    error_set(
        &why, ERR_UNSUPPORTED,
        "%s: the token is a manager's, and this node cannot be a manager yet; remove the entry it made with `docker node rm --force %s` on "
        "a manager, and join with the token that `docker swarm join-token worker` prints",
        remote_of(join)->addr, join->progress.node_id);
    return fail(join, &why, now_ns, err);
}

static int verify(struct join *join, int64_t wall_ns, struct certificate *certificate, struct error *err)
{
    struct bytes chain = buf_bytes(&join->chain_pem), root = buf_bytes(&join->progress.root_pem);
    int failed = certificate_verify(chain, root, wall_ns, NULL, err);
    if (failed == 0)
        failed = certificate_match_key(chain, buf_bytes(&join->progress.key_pem), err);
    if (failed == 0)
        failed = certificate_read(chain, root, certificate, err);
    if (failed < 0)
        return failed;
    if (!text_equal(certificate->node_id, join->progress.node_id))
        return error_set(err, ERR_PEER, "the certificate is for node %s and not for this one, %s", certificate->node_id,
                         join->progress.node_id);
    return 0;
}

/* Docker's managers would take this one for a manager of theirs. */
static bool may_manage(const struct join *join, const struct join_event *event)
{
    return join->can_manage && event->is_skep;
}

static int on_issued(struct join *join, const struct join_event *event, uint64_t now_ns, struct join_effect *out, struct error *err)
{
    struct error cause, why;
    struct certificate certificate = {0};
    keep(&join->chain_pem, event->pem);
    int failed = enter(join, JOIN_VERIFY, now_ns, err);
    if (failed < 0)
        return failed;
    failed = verify(join, event->wall_ns, &certificate, &cause);
    enum certificate_role role = certificate.role;
    certificate_deinit(&certificate);
    if (failed < 0) {
        error_set(&why, cause.code, "%s: %s", remote_of(join)->addr, cause.message);
        return fail(join, &why, now_ns, err);
    }
    if (role == CERTIFICATE_MANAGER && !may_manage(join, event))
        return refuse_manager(join, now_ns, err);
    failed = enter(join, JOIN_STORE, now_ns, err);
    return failed < 0 ? failed : do_now(join, JOIN_DO_STORE, out);
}

static int on_status(struct join *join, const struct join_event *event, uint64_t now_ns, struct join_effect *out, struct error *err)
{
    struct error why;
    /* What is said of another request, say the one before, is no answer to ours (swarmkit-wire §9, trap 8). */
    bool is_ours = bytes_equal(event->pem2, buf_bytes(&join->progress.request_pem));
    if (is_ours && event->role == CERTIFICATE_MANAGER && !may_manage(join, event))
        return refuse_manager(join, now_ns, err);
    if (is_ours && event->status == ISSUANCE_FAILED) {
        error_set(&why, ERR_PEER, "%s: the manager could not issue it: %s", remote_of(join)->addr,
                  text_empty(event->text) ? "no reason given" : event->text);
        return fail(join, &why, now_ns, err);
    }
    if (is_ours && (event->status == ISSUANCE_ISSUED || event->status == ISSUANCE_ROTATE))
        return on_issued(join, event, now_ns, out, err);
    if (is_ours && !text_empty(event->text))
        error_set(&join->last, ERR_AGAIN, "%s: the manager cannot issue it yet: %s", remote_of(join)->addr, event->text);
    return poll_later(join, now_ns, out);
}

static int on_saved(struct join *join, uint64_t now_ns, struct join_effect *out, struct error *err)
{
    return phase_of(join) == JOIN_MAKE_KEY ? request(join, now_ns, out, err) : await(join, now_ns, out, err);
}

static int on_save_failed(struct join *join, const struct error *cause, uint64_t now_ns, struct error *err)
{
    return fail(join, cause, now_ns, err);
}

static int on_overdue(struct join *join, uint64_t now_ns, struct join_effect *out, struct error *err)
{
    struct error cause, why;
    if (phase_of(join) == JOIN_AWAIT && now_ns >= state_deadline_ns(&join->machine)) {
        error_set(&why, ERR_DEADLINE,
                  "%s: no certificate after %d s%s%s; see the manager's log. Node %s is waiting for it: `skep join` with the same token "
                  "goes on from here",
                  remote_of(join)->addr, JOIN_AWAIT_MS / 1000, join->last.code ? "; last: " : "", join->last.code ? join->last.message : "",
                  join->progress.node_id);
        return fail(join, &why, now_ns, err);
    }
    error_set(&cause, ERR_DEADLINE, "no answer within %d s", JOIN_CALL_MS / 1000);
    return on_call_failed(join, &cause, -1, now_ns, out, err);
}

static int on_timer(struct join *join, uint64_t now_ns, struct join_effect *out, struct error *err)
{
    if (now_ns < join->wake_ns)
        return answer(join, join->is_waiting ? JOIN_DO_WAIT : JOIN_DO_GO_ON, out);
    bool is_overdue = now_ns >= state_deadline_ns(&join->machine);
    if (!join->is_waiting || is_overdue)
        return on_overdue(join, now_ns, out, err);
    return phase_of(join) == JOIN_AWAIT ? poll_now(join, now_ns, out) : dial(join, now_ns, out, err);
}

/* ---- the machine ---- */

/* Which events each phase waits for; any other is an answer to a call that was given up. */
static bool is_expected(const struct join *join, enum join_event_kind kind)
{
    if (kind == JOIN_EVENT_TIMER)
        return true;
    if (join->is_waiting)
        return false;
    switch (phase_of(join)) {
    case JOIN_DIAL:
        return kind == JOIN_EVENT_CONNECTED || kind == JOIN_EVENT_CALL_FAILED;
    case JOIN_FETCH_CA:
        return kind == JOIN_EVENT_ROOT || kind == JOIN_EVENT_CALL_FAILED;
    case JOIN_MAKE_KEY:
        return kind == JOIN_EVENT_KEY_MADE || kind == JOIN_EVENT_SAVED || kind == JOIN_EVENT_SAVE_FAILED;
    case JOIN_REQUEST:
        return kind == JOIN_EVENT_NODE_ID || kind == JOIN_EVENT_CALL_FAILED || kind == JOIN_EVENT_SAVED || kind == JOIN_EVENT_SAVE_FAILED;
    case JOIN_AWAIT:
        return kind == JOIN_EVENT_STATUS || kind == JOIN_EVENT_CALL_FAILED;
    case JOIN_STORE:
        return kind == JOIN_EVENT_STORED || kind == JOIN_EVENT_SAVE_FAILED;
    default:
        return false;
    }
}

int join_step(struct join *join, const struct join_event *event, uint64_t now_ns, struct join_effect *out, struct error *err)
{
    int failed;
    if (!is_expected(join, event->kind))
        return answer(join, JOIN_DO_GO_ON, out);
    switch (event->kind) {
    case JOIN_EVENT_CONNECTED:
        failed = enter(join, JOIN_FETCH_CA, now_ns, err);
        return failed < 0 ? failed : call(join, JOIN_DO_GET_ROOT, JOIN_CALL_MS, now_ns, out);
    case JOIN_EVENT_ROOT:
        return on_root(join, event, now_ns, out, err);
    case JOIN_EVENT_KEY_MADE:
        return on_key(join, event, out);
    case JOIN_EVENT_SAVED:
        return on_saved(join, now_ns, out, err);
    case JOIN_EVENT_SAVE_FAILED:
        return on_save_failed(join, event->error, now_ns, err);
    case JOIN_EVENT_NODE_ID:
        return on_node_id(join, event, now_ns, out, err);
    case JOIN_EVENT_STATUS:
        return on_status(join, event, now_ns, out, err);
    case JOIN_EVENT_STORED:
        failed = enter(join, JOIN_JOINED, now_ns, err);
        return failed < 0 ? failed : do_now(join, JOIN_DO_FINISH, out);
    case JOIN_EVENT_CALL_FAILED:
        return on_call_failed(join, event->error, event->grpc_status, now_ns, out, err);
    case JOIN_EVENT_TIMER:
        return on_timer(join, now_ns, out, err);
    }
    return error_set(err, ERR_INTERNAL, "join: an event of no known kind (%d)", (int)event->kind);
}

/* ---- starting ---- */

static int add_remote(struct join *join, const char *text, struct error *err)
{
    cleanup_free char *host = NULL;
    uint16_t port;
    if (join->remote_count == MANAGERS_COUNT)
        return error_set(err, ERR_LIMIT, "more than %d manager addresses", MANAGERS_COUNT);
    int failed = text_parse_address(text, JOIN_PORT, &host, &port, err);
    if (failed < 0)
        return failed;
    join->remotes = mem_resize(join->remotes, (join->remote_count + 1) * sizeof *join->remotes);
    join->remotes[join->remote_count++] =
        (struct join_remote){.addr = mem_format(strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, (unsigned)port)};
    return 0;
}

static int read_remotes(struct join *join, const struct join_options *options, struct error *err)
{
    int failed = 0;
    for (size_t i = 0; failed == 0 && i < options->remote_count; i++)
        failed = add_remote(join, options->remotes[i], err);
    const struct remotes *known = &options->identity->remotes;
    for (size_t i = 0; failed == 0 && options->remote_count == 0 && !join->has_token && i < known->count; i++)
        failed = add_remote(join, known->list[i].addr, err);
    if (failed == 0 && join->remote_count == 0)
        return error_set(err, ERR_INVALID, "no manager to join was named; give the address of one (HOST:%d)", JOIN_PORT);
    return failed;
}

static void copy_progress(struct join *join, const struct identity_join *from)
{
    join->progress.is_pending = true;
    join->progress.node_id = mem_string(from->node_id);
    memcpy(join->progress.ca_digest, from->ca_digest, sizeof from->ca_digest);
    keep(&join->progress.root_pem, buf_bytes(&from->root_pem));
    keep(&join->progress.key_pem, buf_bytes(&from->key_pem));
    keep(&join->progress.request_pem, buf_bytes(&from->request_pem));
}

/* A join that was broken off goes on if it was into the same cluster. */
static int take_up(struct join *join, const struct join_options *options, struct error *err)
{
    const struct identity_join *before = &options->identity->join;
    if (!options->token && (!before->is_pending || !before->node_id))
        return error_set(err, ERR_PRECONDITION, "there is no join to go on with");
    if (!before->is_pending)
        return 0;
    if (join->has_token && memcmp(before->ca_digest, join->token.ca_digest, sizeof before->ca_digest) != 0)
        return 0;
    copy_progress(join, before);
    return 0;
}

static int read_token(struct join *join, const struct join_options *options, struct error *err)
{
    const struct identity *identity = options->identity;
    if (identity->has_certificate)
        return error_set(err, ERR_EXISTS, "this node is already in a swarm, as %s; take it out with `skep leave` first",
                         identity->certificate.node_id);
    if (options->token) {
        int failed = token_parse(options->token, &join->token, err);
        if (failed < 0)
            return failed;
        join->has_token = true;
    }
    int failed = take_up(join, options, err);
    return failed < 0 ? failed : read_remotes(join, options, err);
}

int join_start(struct join *join, const struct join_options *options, uint64_t now_ns, struct join_effect *out, struct error *err)
{
    *join = (struct join){.random = options->random, .can_manage = options->can_manage};
    state_init(&join->machine, &join_table, JOIN_READ_TOKEN, now_ns);
    struct error why;
    if (read_token(join, options, &why) < 0)
        return fail(join, &why, now_ns, err);
    return dial(join, now_ns, out, err);
}

void join_deinit(struct join *join)
{
    token_wipe(&join->token);
    identity_join_deinit(&join->progress);
    buf_deinit(&join->chain_pem);
    for (size_t i = 0; i < join->remote_count; i++)
        free(join->remotes[i].addr);
    free(join->remotes);
    *join = (struct join){0};
}
