#include "agent/join.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/unit/proto/identity/authority.h"
#include "tests/unit/proto/identity/fixture.h"

#define NODE_ID "n0de0000000000000000000aa"
#define S       NS_PER_S

/* A cluster, a host that joins it, and the virtual time. */
struct world {
    struct authority authority;
    struct identity identity; /* never on disk here */
    struct join join;
    struct join_effect todo;
    struct error err;
    int result;
    uint64_t now_ns;
    int64_t wall_ns;
    char token[TOKEN_SIZE_CHARS + 1];
    struct buf key_pem, request_pem, chain_pem;
    const char *role;
    struct random_seeded seed;
};

static int set_up(void **state)
{
    static const uint8_t secret[TOKEN_SECRET_SIZE_BYTES] = {1, 2, 3};
    struct world *world = mem_alloc(sizeof *world);
    world->wall_ns = instant("2026-11-23T22:00:00Z");
    world->now_ns = 1000 * S;
    world->role = "swarm-worker";
    authority_init(&world->authority, world->wall_ns - 300 * (int64_t)S);
    token_format(buf_bytes(&world->authority.root_pem), secret, false, world->token);
    assert_ok(certificate_make_key(&world->key_pem, err));
    assert_ok(certificate_make_request(buf_bytes(&world->key_pem), &world->request_pem, err));
    random_seeded_init(&world->seed, 1);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    join_deinit(&world->join);
    identity_join_deinit(&world->identity.join);
    remotes_deinit(&world->identity.remotes);
    authority_deinit(&world->authority);
    buf_deinit(&world->key_pem);
    buf_deinit(&world->request_pem);
    buf_deinit(&world->chain_pem);
    free(world);
    return 0;
}

static void start_with(struct world *world, const char *token, const char *const *remotes, size_t count)
{
    struct join_options options = {.token = token,
                                   .remotes = remotes,
                                   .remote_count = count,
                                   .random = random_from_seeded(&world->seed),
                                   .identity = &world->identity};
    world->result = join_start(&world->join, &options, world->now_ns, &world->todo, &world->err);
}

static void start(struct world *world, const char *remote)
{
    start_with(world, world->token, &remote, 1);
    assert_int_equal(world->result, 0);
}

static void happen(struct world *world, struct join_event event)
{
    event.wall_ns = world->wall_ns;
    world->result = join_step(&world->join, &event, world->now_ns, &world->todo, &world->err);
}

static void call_fails(struct world *world, int code, int grpc_status, const char *message)
{
    struct error cause = {0};
    error_set(&cause, code, "%s", message);
    happen(world, (struct join_event){.kind = JOIN_EVENT_CALL_FAILED, .error = &cause, .grpc_status = grpc_status});
}

static void time_passes(struct world *world, uint64_t ns)
{
    world->now_ns += ns;
    happen(world, (struct join_event){.kind = JOIN_EVENT_TIMER});
}

static void to_the_next_timer(struct world *world)
{
    assert_true(world->todo.wake_ns != UINT64_MAX && world->todo.wake_ns >= world->now_ns);
    time_passes(world, world->todo.wake_ns - world->now_ns);
}

static void assert_does(const struct world *world, enum join_effect_kind kind)
{
    if (world->result < 0)
        fail_msg("failed: %s", world->err.message);
    assert_int_equal(world->todo.kind, kind);
}

static void assert_failed(const struct world *world, int code, enum join_phase phase, const char *text)
{
    if (world->result != code || !strstr(world->err.message, text))
        fail_msg("gave %s \"%s\", not %s \"%s\"", error_name(world->result), world->err.message, error_name(code), text);
    assert_int_equal(world->join.machine.state, JOIN_FAILED);
    assert_int_equal(world->join.failed_phase, phase);
    assert_memory_equal(world->err.message, "join: ", 6);
}

/* Answers of a cluster that is well. */
static void connects(struct world *world)
{
    assert_does(world, JOIN_DO_DIAL);
    happen(world, (struct join_event){.kind = JOIN_EVENT_CONNECTED});
}

static void gives_root(struct world *world)
{
    assert_does(world, JOIN_DO_GET_ROOT);
    happen(world, (struct join_event){.kind = JOIN_EVENT_ROOT, .pem = buf_bytes(&world->authority.root_pem)});
}

static void makes_key(struct world *world)
{
    assert_does(world, JOIN_DO_MAKE_KEY);
    happen(world,
           (struct join_event){.kind = JOIN_EVENT_KEY_MADE, .pem = buf_bytes(&world->key_pem), .pem2 = buf_bytes(&world->request_pem)});
    assert_does(world, JOIN_DO_SAVE);
    happen(world, (struct join_event){.kind = JOIN_EVENT_SAVED});
}

static void gives_node_id(struct world *world)
{
    assert_does(world, JOIN_DO_REQUEST);
    happen(world, (struct join_event){.kind = JOIN_EVENT_NODE_ID, .text = NODE_ID});
    assert_does(world, JOIN_DO_SAVE);
    assert_string_equal(world->join.progress.node_id, NODE_ID);
    happen(world, (struct join_event){.kind = JOIN_EVENT_SAVED});
}

static void answers_poll(struct world *world, enum issuance status, const struct buf *request)
{
    assert_does(world, JOIN_DO_POLL);
    buf_clear(&world->chain_pem);
    if (status == ISSUANCE_ISSUED || status == ISSUANCE_ROTATE)
        authority_issue(&world->authority, buf_bytes(&world->request_pem), NODE_ID, world->role, "cluster",
                        world->wall_ns - 3600 * (int64_t)S, 90 * 24 * 3600, &world->chain_pem);
    happen(world, (struct join_event){.kind = JOIN_EVENT_STATUS,
                                      .status = (int)status,
                                      .role = strcmp(world->role, "swarm-manager") == 0,
                                      .pem = buf_bytes(&world->chain_pem),
                                      .pem2 = buf_bytes(request)});
}

static void to_polling(struct world *world)
{
    connects(world);
    gives_root(world);
    makes_key(world);
    gives_node_id(world);
}

static void ends_well(struct world *world)
{
    answers_poll(world, ISSUANCE_ISSUED, &world->request_pem);
    assert_does(world, JOIN_DO_STORE);
    happen(world, (struct join_event){.kind = JOIN_EVENT_STORED});
    assert_does(world, JOIN_DO_FINISH);
    assert_int_equal(world->join.machine.state, JOIN_JOINED);
}

static void table_is_sound(void **state)
{
    (void)state;
    assert_null(state_table_flaw(&join_table, JOIN_READ_TOKEN));
}

static void join_goes_through_its_phases(void **state)
{
    struct world *world = *state;
    start(world, "10.0.0.5");
    assert_string_equal(world->todo.addr, "10.0.0.5:2377");
    assert_int_equal(world->todo.timeout_ms, 5000);
    assert_string_equal(state_shown(&world->join.machine), "connecting to a manager");
    to_polling(world);
    assert_int_equal(world->todo.timeout_ms, 5000);
    ends_well(world);
}

static void bad_request_is_refused_before_anything_is_dialled(void **state)
{
    struct world *world = *state;
    static const char *const good = "10.0.0.5:2377", *const bad = "10.0.0.5:x";
    start_with(world, "SWMTKN-9-", &good, 1);
    assert_failed(world, ERR_TOKEN, JOIN_READ_TOKEN, "invalid join token");
    join_deinit(&world->join);
    start_with(world, world->token, &bad, 1);
    assert_failed(world, ERR_INVALID, JOIN_READ_TOKEN, "10.0.0.5:x");
    join_deinit(&world->join);
    start_with(world, world->token, NULL, 0);
    assert_failed(world, ERR_INVALID, JOIN_READ_TOKEN, "no manager to join");
    join_deinit(&world->join);
    start_with(world, NULL, &good, 1);
    assert_failed(world, ERR_PRECONDITION, JOIN_READ_TOKEN, "no join to go on with");
    join_deinit(&world->join);
    world->identity.has_certificate = true;
    world->identity.certificate.node_id = (char *)(uintptr_t)NODE_ID;
    start_with(world, world->token, &good, 1);
    assert_failed(world, ERR_EXISTS, JOIN_READ_TOKEN, "already in a swarm, as " NODE_ID);
}

static void unreachable_manager_is_tried_five_times(void **state)
{
    struct world *world = *state;
    uint64_t began_ns = world->now_ns;
    start(world, "10.0.0.5:2377");
    for (int i = 0; i < 4; i++) {
        assert_does(world, JOIN_DO_DIAL);
        call_fails(world, ERR_UNAVAILABLE, -1, "connection refused");
        assert_does(world, JOIN_DO_WAIT);
        assert_non_null(strstr(world->join.last.message, "10.0.0.5:2377: connection refused"));
        to_the_next_timer(world);
    }
    assert_does(world, JOIN_DO_DIAL);
    call_fails(world, ERR_UNAVAILABLE, -1, "connection refused");
    assert_failed(world, ERR_UNAVAILABLE, JOIN_DIAL, "connecting to a manager: 10.0.0.5:2377: connection refused; check the address");
    assert_true(world->now_ns - began_ns == 8 * S);
}

static void silent_manager_is_given_up_at_the_deadline(void **state)
{
    struct world *world = *state;
    start(world, "10.0.0.5");
    for (int i = 0; i < 5; i++) {
        assert_does(world, JOIN_DO_DIAL);
        uint64_t began_ns = world->now_ns;
        time_passes(world, 4 * S);
        assert_does(world, JOIN_DO_GO_ON);
        to_the_next_timer(world);
        assert_true(world->now_ns - began_ns == 5 * S);
        if (i < 4)
            to_the_next_timer(world);
    }
    assert_failed(world, ERR_DEADLINE, JOIN_DIAL, "no answer within 5 s");
}

static void next_manager_is_tried_at_once(void **state)
{
    struct world *world = *state;
    static const char *const remotes[] = {"a", "b:9", "[::1]"};
    start_with(world, world->token, remotes, 3);
    assert_string_equal(world->todo.addr, "a:2377");
    call_fails(world, ERR_UNAVAILABLE, -1, "connection refused");
    assert_string_equal(world->todo.addr, "b:9");
    connects(world);
    call_fails(world, ERR_UNAVAILABLE, 14, "closing");
    assert_does(world, JOIN_DO_DIAL);
    assert_string_equal(world->todo.addr, "[::1]:2377");
    to_polling(world);
    ends_well(world);
}

static void token_of_another_cluster_fails_at_once(void **state)
{
    struct world *world = *state;
    struct authority other;
    authority_init(&other, world->wall_ns);
    start(world, "10.0.0.5");
    connects(world);
    happen(world, (struct join_event){.kind = JOIN_EVENT_ROOT, .pem = buf_bytes(&other.root_pem)});
    assert_failed(world, ERR_TRUST, JOIN_FETCH_CA, "10.0.0.5:2377: its root CA is not the one in the token");
    authority_deinit(&other);
}

static void manager_of_another_cluster_among_several_is_passed_over(void **state)
{
    struct world *world = *state;
    static const char *const remotes[] = {"wrong", "down", "right"};
    struct authority other;
    authority_init(&other, world->wall_ns);
    start_with(world, world->token, remotes, 3);
    connects(world);
    happen(world, (struct join_event){.kind = JOIN_EVENT_ROOT, .pem = buf_bytes(&other.root_pem)});
    assert_string_equal(world->todo.addr, "down:2377");
    call_fails(world, ERR_UNAVAILABLE, -1, "no route");
    assert_string_equal(world->todo.addr, "right:2377");
    call_fails(world, ERR_UNAVAILABLE, -1, "busy");
    assert_does(world, JOIN_DO_WAIT);
    to_the_next_timer(world);
    assert_string_equal(world->todo.addr, "down:2377");
    authority_deinit(&other);
}

static void peer_that_is_no_manager_fails_with_advice(void **state)
{
    struct world *world = *state;
    start(world, "10.0.0.5:443");
    call_fails(world, ERR_PEER, -1, "10.0.0.5:443: the peer does not speak TLS");
    assert_failed(world, ERR_PEER, JOIN_DIAL,
                  "manager: 10.0.0.5:443: the peer does not speak TLS; check that this is a swarm manager's address and port");
    join_deinit(&world->join);
    start(world, "10.0.0.5:443");
    connects(world);
    call_fails(world, ERR_UNSUPPORTED, 12, "unknown service docker.swarmkit.v1.CA");
    assert_failed(world, ERR_UNSUPPORTED, JOIN_FETCH_CA, "check that this is a swarm manager's");
}

static void rotated_token_fails_at_once(void **state)
{
    struct world *world = *state;
    start(world, "10.0.0.5");
    connects(world);
    gives_root(world);
    makes_key(world);
    call_fails(world, ERR_INVALID, 3, "A valid join token is necessary to join this cluster");
    assert_failed(world, ERR_TOKEN, JOIN_REQUEST, "does not accept the token");
}

static void manager_with_another_ca_is_not_told_the_token(void **state)
{
    struct world *world = *state;
    start(world, "10.0.0.5");
    connects(world);
    gives_root(world);
    makes_key(world);
    call_fails(world, ERR_TRUST, -1, "its certificate was issued by an unknown authority");
    assert_failed(world, ERR_TRUST, JOIN_REQUEST, "requesting a certificate: 10.0.0.5:2377: its certificate was issued");
}

static void leaderless_manager_is_asked_again_with_the_same_key(void **state)
{
    struct world *world = *state;
    start(world, "10.0.0.5");
    connects(world);
    gives_root(world);
    makes_key(world);
    call_fails(world, ERR_PEER, 2, "The swarm does not have a leader.");
    assert_does(world, JOIN_DO_WAIT);
    to_the_next_timer(world);
    connects(world);
    gives_root(world);
    gives_node_id(world); /* no second key */
    ends_well(world);
}

static void clock_that_is_behind_is_told(void **state)
{
    struct world *world = *state;
    start(world, "10.0.0.5");
    connects(world);
    world->wall_ns -= 3600 * (int64_t)S;
    gives_root(world);
    assert_failed(world, ERR_TRUST, JOIN_FETCH_CA, "our clock says 2026-11-23T21:00:00Z");
}

static void clock_far_ahead_is_told_when_the_certificate_comes(void **state)
{
    struct world *world = *state;
    start(world, "10.0.0.5");
    to_polling(world);
    authority_issue(&world->authority, buf_bytes(&world->request_pem), NODE_ID, "swarm-worker", "cluster",
                    world->wall_ns - 91 * 24 * 3600 * (int64_t)S, 90 * 24 * 3600, &world->chain_pem);
    happen(world, (struct join_event){.kind = JOIN_EVENT_STATUS,
                                      .status = ISSUANCE_ISSUED,
                                      .pem = buf_bytes(&world->chain_pem),
                                      .pem2 = buf_bytes(&world->request_pem)});
    assert_failed(world, ERR_TRUST, JOIN_VERIFY, "has expired");
}

static void answer_to_another_request_is_polled_over(void **state)
{
    struct world *world = *state;
    cleanup_buf struct buf key = {0}, other = {0}, none = {0};
    assert_ok(certificate_make_key(&key, err));
    assert_ok(certificate_make_request(buf_bytes(&key), &other, err));
    start(world, "10.0.0.5");
    to_polling(world);
    answers_poll(world, ISSUANCE_ISSUED, &other);
    assert_does(world, JOIN_DO_WAIT);
    uint64_t began_ns = world->now_ns;
    to_the_next_timer(world);
    assert_in_range(world->now_ns - began_ns, 1 * S, 2 * S);
    answers_poll(world, ISSUANCE_FAILED, &none);
    to_the_next_timer(world);
    answers_poll(world, ISSUANCE_PENDING, &world->request_pem);
    to_the_next_timer(world);
    ends_well(world);
}

static void what_the_manager_waits_for_is_told(void **state)
{
    struct world *world = *state;
    start(world, "10.0.0.5");
    to_polling(world);
    assert_does(world, JOIN_DO_POLL);
    happen(world, (struct join_event){.kind = JOIN_EVENT_STATUS,
                                      .status = ISSUANCE_PENDING,
                                      .text = "no external CA signs",
                                      .pem2 = buf_bytes(&world->request_pem)});
    assert_does(world, JOIN_DO_WAIT);
    assert_string_equal(world->join.last.message, "10.0.0.5:2377: the manager cannot issue it yet: no external CA signs");
}

static void rotate_is_as_good_as_issued(void **state)
{
    struct world *world = *state;
    start(world, "10.0.0.5");
    to_polling(world);
    answers_poll(world, ISSUANCE_ROTATE, &world->request_pem);
    assert_does(world, JOIN_DO_STORE);
}

static void poll_that_is_held_is_repeated_until_the_phase_ends(void **state)
{
    struct world *world = *state;
    start(world, "10.0.0.5");
    to_polling(world);
    uint64_t began_ns = world->now_ns;
    int polls = 0;
    while (world->result == 0) {
        polls += world->todo.kind == JOIN_DO_POLL;
        if (world->todo.kind == JOIN_DO_POLL && world->todo.wake_ns - world->now_ns == 5 * S)
            call_fails(world, ERR_DEADLINE, 4, "no answer in time");
        else
            to_the_next_timer(world);
    }
    assert_failed(world, ERR_DEADLINE, JOIN_AWAIT, "`skep join` with the same token goes on");
    assert_true(world->now_ns - began_ns == 120 * S);
    assert_in_range(polls, 6, 60);
}

static void refused_issue_tells_the_managers_words(void **state)
{
    struct world *world = *state;
    start(world, "10.0.0.5");
    to_polling(world);
    happen(world, (struct join_event){
                      .kind = JOIN_EVENT_STATUS, .status = ISSUANCE_FAILED, .pem2 = buf_bytes(&world->request_pem), .text = "no signer"});
    assert_failed(world, ERR_PEER, JOIN_AWAIT, "could not issue it: no signer");
}

static void managers_token_is_refused_by_name(void **state)
{
    struct world *world = *state;
    world->role = "swarm-manager";
    start(world, "10.0.0.5");
    to_polling(world);
    answers_poll(world, ISSUANCE_ISSUED, &world->request_pem);
    assert_failed(world, ERR_UNSUPPORTED, JOIN_AWAIT, "docker swarm join-token worker");
    assert_non_null(strstr(world->err.message, "docker node rm --force " NODE_ID));
}

static void certificate_of_a_manager_is_refused_whatever_the_answer_says(void **state)
{
    struct world *world = *state;
    start(world, "10.0.0.5");
    to_polling(world);
    authority_issue(&world->authority, buf_bytes(&world->request_pem), NODE_ID, "swarm-manager", "cluster", world->wall_ns, 3600,
                    &world->chain_pem);
    happen(world, (struct join_event){.kind = JOIN_EVENT_STATUS,
                                      .status = ISSUANCE_ISSUED,
                                      .pem = buf_bytes(&world->chain_pem),
                                      .pem2 = buf_bytes(&world->request_pem)});
    assert_failed(world, ERR_UNSUPPORTED, JOIN_VERIFY, "docker swarm join-token worker");
}

static void certificate_for_another_key_or_node_is_refused(void **state)
{
    struct world *world = *state;
    cleanup_buf struct buf key = {0}, other = {0};
    assert_ok(certificate_make_key(&key, err));
    assert_ok(certificate_make_request(buf_bytes(&key), &other, err));
    for (int i = 0; i < 2; i++) {
        start(world, "10.0.0.5");
        to_polling(world);
        buf_clear(&world->chain_pem);
        authority_issue(&world->authority, buf_bytes(i ? &world->request_pem : &other), i ? "someone" : NODE_ID, "swarm-worker", "cluster",
                        world->wall_ns, 3600, &world->chain_pem);
        happen(world, (struct join_event){.kind = JOIN_EVENT_STATUS,
                                          .status = ISSUANCE_ISSUED,
                                          .pem = buf_bytes(&world->chain_pem),
                                          .pem2 = buf_bytes(&world->request_pem)});
        assert_failed(world, i ? ERR_PEER : ERR_CORRUPT, JOIN_VERIFY, i ? "for node someone" : "does not belong");
        join_deinit(&world->join);
    }
}

static void impossible_node_id_is_refused(void **state)
{
    struct world *world = *state;
    start(world, "10.0.0.5");
    connects(world);
    gives_root(world);
    makes_key(world);
    happen(world, (struct join_event){.kind = JOIN_EVENT_NODE_ID, .text = "../../etc"});
    assert_failed(world, ERR_PEER, JOIN_REQUEST, "impossible id");
}

static void full_disk_ends_the_join(void **state)
{
    struct world *world = *state;
    struct error full = {0};
    error_set(&full, ERR_NO_SPACE, "write /var/lib/skep/node/join.key: no space left on device");
    start(world, "10.0.0.5");
    connects(world);
    gives_root(world);
    happen(world,
           (struct join_event){.kind = JOIN_EVENT_KEY_MADE, .pem = buf_bytes(&world->key_pem), .pem2 = buf_bytes(&world->request_pem)});
    happen(world, (struct join_event){.kind = JOIN_EVENT_SAVE_FAILED, .error = &full});
    assert_failed(world, ERR_NO_SPACE, JOIN_MAKE_KEY, "no space left");
}

/* What a crash leaves on disk, see agent/identity.h. */
static void leave_progress(struct world *world, bool has_node_id)
{
    struct identity_join *join = &world->identity.join;
    join->is_pending = true;
    sha256(buf_bytes(&world->authority.root_pem), join->ca_digest);
    buf_append(&join->key_pem, world->key_pem.data, world->key_pem.size);
    buf_append(&join->request_pem, world->request_pem.data, world->request_pem.size);
    buf_append(&join->root_pem, world->authority.root_pem.data, world->authority.root_pem.size);
    join->node_id = has_node_id ? mem_string(NODE_ID) : NULL;
}

static void interrupted_join_goes_on_with_its_key(void **state)
{
    struct world *world = *state;
    leave_progress(world, false);
    start(world, "10.0.0.5");
    connects(world);
    gives_root(world);
    gives_node_id(world);
    ends_well(world);
}

static void interrupted_join_goes_on_with_its_node_id(void **state)
{
    struct world *world = *state;
    leave_progress(world, true);
    start(world, "10.0.0.5");
    connects(world);
    gives_root(world);
    ends_well(world);
}

static void interrupted_join_needs_no_token_and_knows_the_managers(void **state)
{
    struct world *world = *state;
    leave_progress(world, true);
    assert_ok(remotes_observe(&world->identity.remotes, "", "10.0.0.7:2377", 10, err));
    start_with(world, NULL, NULL, 0);
    assert_string_equal(world->todo.addr, "10.0.0.7:2377");
    connects(world);
    gives_root(world);
    ends_well(world);
}

static void join_without_a_token_checks_the_root_too(void **state)
{
    struct world *world = *state;
    struct authority other;
    authority_init(&other, world->wall_ns);
    leave_progress(world, true);
    assert_ok(remotes_observe(&world->identity.remotes, "", "10.0.0.7:2377", 10, err));
    start_with(world, NULL, NULL, 0);
    connects(world);
    happen(world, (struct join_event){.kind = JOIN_EVENT_ROOT, .pem = buf_bytes(&other.root_pem)});
    assert_failed(world, ERR_TRUST, JOIN_FETCH_CA, "not the one this join began with");
    authority_deinit(&other);
}

static void progress_in_another_cluster_is_dropped(void **state)
{
    struct world *world = *state;
    leave_progress(world, true);
    world->identity.join.ca_digest[0] ^= 1;
    start(world, "10.0.0.5");
    to_polling(world);
    ends_well(world);
}

static void node_removed_meanwhile_is_asked_for_anew_once(void **state)
{
    struct world *world = *state;
    leave_progress(world, true);
    start(world, "10.0.0.5");
    connects(world);
    gives_root(world);
    assert_does(world, JOIN_DO_POLL);
    call_fails(world, ERR_NOT_FOUND, 5, "NotFound");
    gives_node_id(world);
    call_fails(world, ERR_NOT_FOUND, 5, "NotFound");
    assert_failed(world, ERR_NOT_FOUND, JOIN_AWAIT, "does not know node " NODE_ID);
}

static void polling_moves_to_another_manager(void **state)
{
    struct world *world = *state;
    static const char *const remotes[] = {"a", "b"};
    start_with(world, world->token, remotes, 2);
    to_polling(world);
    call_fails(world, ERR_UNAVAILABLE, -1, "connection reset");
    assert_does(world, JOIN_DO_POLL);
    assert_string_equal(world->todo.addr, "b:2377");
    ends_well(world);
}

static void late_answer_changes_nothing(void **state)
{
    struct world *world = *state;
    start(world, "10.0.0.5");
    happen(world, (struct join_event){.kind = JOIN_EVENT_ROOT, .pem = buf_bytes(&world->authority.root_pem)});
    assert_does(world, JOIN_DO_GO_ON);
    call_fails(world, ERR_UNAVAILABLE, -1, "refused");
    happen(world, (struct join_event){.kind = JOIN_EVENT_CONNECTED});
    assert_does(world, JOIN_DO_GO_ON);
    assert_int_equal(world->join.machine.state, JOIN_DIAL);
}

/* Whatever order events come in: it ends, and it never aborts. */
static void any_order_of_events_ends(void **state)
{
    struct world *world = *state;
    struct error cause = {0};
    struct random random = random_from_seeded(&world->seed);
    error_set(&cause, ERR_UNAVAILABLE, "x");
    int ends[JOIN_FAILED + 1] = {0};
    for (int run = 0; run < 300; run++) {
        start(world, "10.0.0.5");
        int steps = 0;
        while (world->result == 0 && world->join.machine.state != JOIN_JOINED && steps++ < 5000) {
            int kind = (int)random_below(&random, JOIN_EVENT_TIMER + 1);
            world->now_ns += random_below(&random, S);
            buf_clear(&world->chain_pem);
            happen(world, (struct join_event){.kind = (enum join_event_kind)kind,
                                              .pem = buf_bytes(kind == JOIN_EVENT_ROOT ? &world->authority.root_pem : &world->key_pem),
                                              .pem2 = buf_bytes(&world->request_pem),
                                              .text = "abc",
                                              .status = (int)random_below(&random, 7),
                                              .grpc_status = (int)random_below(&random, 17) - 1,
                                              .error = &cause});
        }
        assert_true(steps < 5000);
        ends[world->join.failed_phase]++;
        join_deinit(&world->join);
        world->err = (struct error){0};
    }
    assert_true(ends[JOIN_DIAL] + ends[JOIN_REQUEST] + ends[JOIN_AWAIT] + ends[JOIN_VERIFY] > 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_sound),
        T(join_goes_through_its_phases),
        T(bad_request_is_refused_before_anything_is_dialled),
        T(unreachable_manager_is_tried_five_times),
        T(silent_manager_is_given_up_at_the_deadline),
        T(next_manager_is_tried_at_once),
        T(token_of_another_cluster_fails_at_once),
        T(manager_of_another_cluster_among_several_is_passed_over),
        T(peer_that_is_no_manager_fails_with_advice),
        T(rotated_token_fails_at_once),
        T(manager_with_another_ca_is_not_told_the_token),
        T(leaderless_manager_is_asked_again_with_the_same_key),
        T(clock_that_is_behind_is_told),
        T(clock_far_ahead_is_told_when_the_certificate_comes),
        T(answer_to_another_request_is_polled_over),
        T(what_the_manager_waits_for_is_told),
        T(rotate_is_as_good_as_issued),
        T(poll_that_is_held_is_repeated_until_the_phase_ends),
        T(refused_issue_tells_the_managers_words),
        T(managers_token_is_refused_by_name),
        T(certificate_of_a_manager_is_refused_whatever_the_answer_says),
        T(certificate_for_another_key_or_node_is_refused),
        T(impossible_node_id_is_refused),
        T(full_disk_ends_the_join),
        T(interrupted_join_goes_on_with_its_key),
        T(interrupted_join_goes_on_with_its_node_id),
        T(interrupted_join_needs_no_token_and_knows_the_managers),
        T(join_without_a_token_checks_the_root_too),
        T(progress_in_another_cluster_is_dropped),
        T(node_removed_meanwhile_is_asked_for_anew_once),
        T(polling_moves_to_another_manager),
        T(late_answer_changes_nothing),
        T(any_order_of_events_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
