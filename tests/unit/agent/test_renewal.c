#include "agent/renewal.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/unit/proto/identity/authority.h"
#include "tests/unit/proto/identity/fixture.h"

#define NODE_ID "n0de0000000000000000000aa"
#define S       NS_PER_S
#define DAY     (86400 * (int64_t)NS_PER_S)

/* A node with a certificate for 90 days, made an hour ago as SwarmKit backdates it, and the virtual time. */
struct world {
    struct authority authority, next;
    struct identity identity;
    struct renewal renewal;
    struct renewal_effect todo;
    uint64_t now_ns;
    int64_t wall_ns, issued_wall_ns;
    struct buf key_pem, request_pem, chain_pem;
    struct random_seeded seed;
    int64_t lifetime_s; /* of certificates; 0: 90 days */
};

static void issue(struct world *world, struct authority *authority, struct bytes request, const char *role, struct buf *out)
{
    buf_clear(out);
    authority_issue(authority, request, NODE_ID, role, "cluster", world->wall_ns - 3600 * (int64_t)S,
                    3600 + (world->lifetime_s ? world->lifetime_s : 90 * (int64_t)86400), out);
}

static int set_up(void **state)
{
    struct world *world = mem_alloc(sizeof *world);
    world->wall_ns = world->issued_wall_ns = instant("2026-11-23T22:00:00Z");
    world->now_ns = 1000 * S;
    authority_init(&world->authority, world->wall_ns - DAY);
    authority_init(&world->next, world->wall_ns - DAY);
    cleanup_buf struct buf key = {0}, request = {0};
    assert_ok(certificate_make_key(&key, err));
    assert_ok(certificate_make_request(buf_bytes(&key), &request, err));
    issue(world, &world->authority, buf_bytes(&request), "swarm-worker", &world->identity.chain_pem);
    buf_append(&world->identity.root_pem, world->authority.root_pem.data, world->authority.root_pem.size);
    assert_ok(certificate_make_key(&world->key_pem, err));
    assert_ok(certificate_make_request(buf_bytes(&world->key_pem), &world->request_pem, err));
    random_seeded_init(&world->seed, 1);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    renewal_deinit(&world->renewal);
    authority_deinit(&world->authority);
    authority_deinit(&world->next);
    buf_deinit(&world->identity.chain_pem);
    buf_deinit(&world->identity.root_pem);
    buf_deinit(&world->key_pem);
    buf_deinit(&world->request_pem);
    buf_deinit(&world->chain_pem);
    free(world);
    return 0;
}

static void start(struct world *world)
{
    assert_ok(renewal_start(&world->renewal, &world->identity, random_from_seeded(&world->seed), world->now_ns, world->wall_ns,
                            &world->todo, err));
}

static void happen(struct world *world, struct renewal_event event)
{
    event.wall_ns = world->wall_ns;
    renewal_step(&world->renewal, &event, world->now_ns, &world->todo);
}

static void time_passes(struct world *world, uint64_t ns)
{
    world->now_ns += ns;
    world->wall_ns += (int64_t)ns;
    happen(world, (struct renewal_event){.kind = RENEWAL_EVENT_TIMER});
}

static void to_the_next_timer(struct world *world)
{
    assert_true(world->todo.wake_ns != UINT64_MAX && world->todo.wake_ns >= world->now_ns);
    time_passes(world, world->todo.wake_ns - world->now_ns);
}

static void call_fails(struct world *world, int code, const char *message)
{
    struct error cause = {0};
    error_set(&cause, code, "%s", message);
    happen(world, (struct renewal_event){.kind = RENEWAL_EVENT_CALL_FAILED, .error = &cause});
}

static void told(struct world *world, enum certificate_role desired, enum issuance status, const struct buf *root)
{
    happen(world,
           (struct renewal_event){
               .kind = RENEWAL_EVENT_TOLD, .role = (int)desired, .status = (int)status, .pem = root ? buf_bytes(root) : bytes_of(NULL, 0)});
}

static void to_polling(struct world *world)
{
    assert_int_equal(world->todo.kind, RENEWAL_DO_MAKE_KEY);
    happen(world, (struct renewal_event){
                      .kind = RENEWAL_EVENT_KEY_MADE, .pem = buf_bytes(&world->key_pem), .pem2 = buf_bytes(&world->request_pem)});
    assert_int_equal(world->todo.kind, RENEWAL_DO_REQUEST);
    happen(world, (struct renewal_event){.kind = RENEWAL_EVENT_NODE_ID});
    assert_int_equal(world->todo.kind, RENEWAL_DO_POLL);
}

static void is_issued(struct world *world, struct authority *authority, const char *role)
{
    issue(world, authority, buf_bytes(&world->request_pem), role, &world->chain_pem);
    happen(world, (struct renewal_event){.kind = RENEWAL_EVENT_STATUS,
                                         .status = ISSUANCE_ISSUED,
                                         .pem = buf_bytes(&world->chain_pem),
                                         .pem2 = buf_bytes(&world->request_pem)});
}

static void is_stored(struct world *world)
{
    assert_int_equal(world->todo.kind, RENEWAL_DO_STORE);
    happen(world, (struct renewal_event){.kind = RENEWAL_EVENT_STORED});
    assert_int_equal(world->todo.kind, RENEWAL_DO_WAIT);
    assert_int_equal(world->renewal.machine.state, RENEWAL_RESTING);
    assert_int_equal(world->renewal.health, RENEWAL_HEALTHY);
}

/* Let the regular moment come. */
static void become_due(struct world *world)
{
    world->wall_ns = world->renewal.due_wall_ns;
    to_the_next_timer(world);
}

static void table_is_sound(void **state)
{
    (void)state;
    assert_null(state_table_flaw(&renewal_table, RENEWAL_RESTING));
}

static void moment_is_spread_over_the_window(void **state)
{
    struct world *world = *state;
    int64_t validity_ns = 90 * DAY + 3600 * (int64_t)S, from = world->issued_wall_ns - 3600 * (int64_t)S;
    int64_t least = INT64_MAX, most = 0;
    for (int i = 0; i < 500; i++) {
        start(world);
        int64_t after = world->renewal.due_wall_ns - from;
        assert_true(after % (60 * (int64_t)S) == 0);
        least = after < least ? after : least;
        most = after > most ? after : most;
        renewal_deinit(&world->renewal);
    }
    assert_true(least >= validity_ns / 2 && least < validity_ns * 51 / 100);
    assert_true(most <= validity_ns * 4 / 5 && most > validity_ns * 79 / 100);
}

static void certificate_is_renewed_when_due_and_not_before(void **state)
{
    struct world *world = *state;
    start(world);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(world->todo.kind, RENEWAL_DO_WAIT);
        to_the_next_timer(world);
    }
    become_due(world);
    to_polling(world);
    is_issued(world, &world->authority, "swarm-worker");
    int64_t before = world->renewal.due_wall_ns;
    is_stored(world);
    assert_true(world->renewal.due_wall_ns > before + 40 * DAY);
    assert_string_equal(world->renewal.chain_pem.data, world->chain_pem.data);
}

static void clock_that_jumps_is_noticed_within_a_minute(void **state)
{
    struct world *world = *state;
    start(world);
    world->wall_ns += 85 * DAY;
    uint64_t began_ns = world->now_ns;
    to_the_next_timer(world);
    assert_int_equal(world->todo.kind, RENEWAL_DO_MAKE_KEY);
    assert_true(world->now_ns - began_ns <= 60 * S);
}

static void rotate_forces_a_renewal_after_half_a_second(void **state)
{
    struct world *world = *state;
    start(world);
    told(world, CERTIFICATE_WORKER, ISSUANCE_ROTATE, NULL);
    assert_true(world->todo.wake_ns == world->now_ns + 500 * NS_PER_MS);
    time_passes(world, 200 * NS_PER_MS);
    told(world, CERTIFICATE_WORKER, ISSUANCE_ROTATE, NULL);
    assert_true(world->todo.wake_ns == world->now_ns + 300 * NS_PER_MS);
    to_the_next_timer(world);
    to_polling(world);
    told(world, CERTIFICATE_WORKER, ISSUANCE_RENEW, NULL);
    assert_int_equal(world->todo.kind, RENEWAL_DO_GO_ON);
    is_issued(world, &world->authority, "swarm-worker");
    is_stored(world);
    told(world, CERTIFICATE_WORKER, ISSUANCE_ISSUED, NULL);
    time_passes(world, 2 * S);
    assert_int_equal(world->renewal.machine.state, RENEWAL_RESTING);
}

/* A rotation from A to B: first a leaf of B with B signed by A while A is trusted, then B alone. */
static void rotation_of_the_root_is_followed(void **state)
{
    struct world *world = *state;
    start(world);
    told(world, CERTIFICATE_WORKER, ISSUANCE_ROTATE, &world->authority.root_pem);
    to_the_next_timer(world);
    to_polling(world);
    issue(world, &world->next, buf_bytes(&world->request_pem), "swarm-worker", &world->chain_pem);
    authority_cross_sign(&world->authority, &world->next, &world->chain_pem);
    happen(world, (struct renewal_event){.kind = RENEWAL_EVENT_STATUS,
                                         .status = ISSUANCE_ISSUED,
                                         .pem = buf_bytes(&world->chain_pem),
                                         .pem2 = buf_bytes(&world->request_pem)});
    is_stored(world);
    assert_string_equal(world->renewal.root_pem.data, world->authority.root_pem.data);
    told(world, CERTIFICATE_WORKER, ISSUANCE_ISSUED, &world->next.root_pem);
    assert_int_equal(world->todo.kind, RENEWAL_DO_STORE_ROOT);
    assert_string_equal(world->renewal.new_root_pem.data, world->next.root_pem.data);
    happen(world, (struct renewal_event){.kind = RENEWAL_EVENT_ROOT_STORED});
    assert_string_equal(world->renewal.root_pem.data, world->next.root_pem.data);
    told(world, CERTIFICATE_WORKER, ISSUANCE_ISSUED, &world->next.root_pem);
    assert_int_equal(world->todo.kind, RENEWAL_DO_WAIT);
}

static void root_under_which_our_chain_does_not_hold_is_not_adopted(void **state)
{
    struct world *world = *state;
    cleanup_buf struct buf rubbish = {0};
    buf_append_string(&rubbish, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    start(world);
    told(world, CERTIFICATE_WORKER, ISSUANCE_ISSUED, &world->next.root_pem);
    assert_int_equal(world->todo.kind, RENEWAL_DO_WAIT);
    told(world, CERTIFICATE_WORKER, ISSUANCE_ISSUED, &rubbish);
    assert_int_equal(world->todo.kind, RENEWAL_DO_WAIT);
}

static void chain_of_an_unknown_authority_needs_the_new_root(void **state)
{
    struct world *world = *state;
    start(world);
    become_due(world);
    to_polling(world);
    is_issued(world, &world->next, "swarm-worker");
    assert_int_equal(world->todo.kind, RENEWAL_DO_GET_ROOT);
    happen(world, (struct renewal_event){.kind = RENEWAL_EVENT_ROOT, .pem = buf_bytes(&world->next.root_pem)});
    assert_string_equal(world->renewal.new_root_pem.data, world->next.root_pem.data);
    is_stored(world);
    assert_string_equal(world->renewal.root_pem.data, world->next.root_pem.data);
}

static void downloaded_root_must_hold_the_new_chain(void **state)
{
    struct world *world = *state;
    start(world);
    become_due(world);
    to_polling(world);
    is_issued(world, &world->next, "swarm-worker");
    happen(world, (struct renewal_event){.kind = RENEWAL_EVENT_ROOT, .pem = buf_bytes(&world->authority.root_pem)});
    assert_int_equal(world->renewal.machine.state, RENEWAL_BACKING_OFF);
    assert_int_equal(world->renewal.health, RENEWAL_LATE);
}

static void failures_are_repeated_ever_more_rarely(void **state)
{
    struct world *world = *state;
    start(world);
    become_due(world);
    uint64_t longest_ns = 0, total_ns = 0;
    for (int i = 0; i < 40; i++) {
        assert_int_equal(world->todo.kind, RENEWAL_DO_MAKE_KEY);
        happen(world, (struct renewal_event){
                          .kind = RENEWAL_EVENT_KEY_MADE, .pem = buf_bytes(&world->key_pem), .pem2 = buf_bytes(&world->request_pem)});
        call_fails(world, ERR_UNAVAILABLE, "connection refused");
        assert_int_equal(world->renewal.health, RENEWAL_LATE);
        uint64_t pause_ns = world->todo.wake_ns - world->now_ns;
        assert_in_range(pause_ns, 5 * S, 3600 * S);
        if (i == 0)
            assert_in_range(pause_ns, 5 * S, 10 * S);
        longest_ns = pause_ns > longest_ns ? pause_ns : longest_ns;
        total_ns += pause_ns;
        to_the_next_timer(world);
    }
    assert_true(longest_ns > 1800 * S && total_ns > 10 * 1800 * S);
    to_polling(world);
    is_issued(world, &world->authority, "swarm-worker");
    is_stored(world);
    assert_int_equal(world->renewal.failures, 0);
}

static void silent_manager_ends_the_try(void **state)
{
    struct world *world = *state;
    start(world);
    become_due(world);
    happen(world, (struct renewal_event){
                      .kind = RENEWAL_EVENT_KEY_MADE, .pem = buf_bytes(&world->key_pem), .pem2 = buf_bytes(&world->request_pem)});
    to_the_next_timer(world);
    assert_int_equal(world->renewal.machine.state, RENEWAL_BACKING_OFF);
    assert_non_null(strstr(world->renewal.trouble.message, "no answer within 5 s"));
}

static void polls_go_on_for_two_minutes(void **state)
{
    struct world *world = *state;
    start(world);
    become_due(world);
    to_polling(world);
    uint64_t began_ns = world->now_ns;
    while (world->renewal.machine.state == RENEWAL_AWAITING)
        if (world->todo.kind == RENEWAL_DO_POLL && world->todo.wake_ns == world->now_ns + 5 * S)
            call_fails(world, ERR_DEADLINE, "no answer in time");
        else
            to_the_next_timer(world);
    assert_true(world->now_ns - began_ns == 120 * S);
    assert_int_equal(world->renewal.health, RENEWAL_LATE);
}

static void answer_to_the_request_before_is_polled_over(void **state)
{
    struct world *world = *state;
    start(world);
    become_due(world);
    to_polling(world);
    happen(world,
           (struct renewal_event){.kind = RENEWAL_EVENT_STATUS, .status = ISSUANCE_ISSUED, .pem = buf_bytes(&world->identity.chain_pem)});
    assert_int_equal(world->renewal.machine.state, RENEWAL_AWAITING);
    to_the_next_timer(world);
    assert_int_equal(world->todo.kind, RENEWAL_DO_POLL);
}

static void expired_certificate_is_tried_at_once(void **state)
{
    struct world *world = *state;
    world->wall_ns += 100 * DAY;
    start(world);
    to_polling(world);
    is_issued(world, &world->authority, "swarm-worker"); /* the manager's clock is right and ours was wrong: it took us */
    is_stored(world);
}

static void expired_certificate_that_is_refused_needs_a_person(void **state)
{
    struct world *world = *state;
    world->wall_ns += 100 * DAY;
    start(world);
    happen(world, (struct renewal_event){
                      .kind = RENEWAL_EVENT_KEY_MADE, .pem = buf_bytes(&world->key_pem), .pem2 = buf_bytes(&world->request_pem)});
    call_fails(world, ERR_UNAVAILABLE, "connection refused");
    assert_int_equal(world->renewal.health, RENEWAL_LATE);
    to_the_next_timer(world);
    happen(world, (struct renewal_event){
                      .kind = RENEWAL_EVENT_KEY_MADE, .pem = buf_bytes(&world->key_pem), .pem2 = buf_bytes(&world->request_pem)});
    call_fails(world, ERR_TRUST, "alert bad certificate");
    assert_int_equal(world->renewal.health, RENEWAL_REFUSED);
    assert_non_null(strstr(world->renewal.trouble.message, "expired on 2027-02-21T22:00:00Z"));
    assert_non_null(strstr(world->renewal.trouble.message, "`skep leave --force`"));
    assert_true(world->todo.wake_ns == world->now_ns + 3600 * S);
}

static void clock_months_ahead_does_not_renew_in_a_circle(void **state)
{
    struct world *world = *state;
    int64_t manager_wall_ns = world->wall_ns;
    world->wall_ns += 80 * DAY;
    start(world);
    to_polling(world);
    buf_clear(&world->chain_pem);
    authority_issue(&world->authority, buf_bytes(&world->request_pem), NODE_ID, "swarm-worker", "cluster", manager_wall_ns, 90 * 86400,
                    &world->chain_pem);
    happen(world, (struct renewal_event){.kind = RENEWAL_EVENT_STATUS,
                                         .status = ISSUANCE_ISSUED,
                                         .pem = buf_bytes(&world->chain_pem),
                                         .pem2 = buf_bytes(&world->request_pem)});
    is_stored(world);
    for (int i = 0; i < 50; i++) {
        to_the_next_timer(world);
        assert_int_equal(world->todo.kind, RENEWAL_DO_WAIT);
    }
}

static void promotion_is_refused_and_the_node_stays_a_worker(void **state)
{
    struct world *world = *state;
    start(world);
    told(world, CERTIFICATE_MANAGER, ISSUANCE_ISSUED, NULL);
    assert_true(world->renewal.is_promotion_refused);
    for (int i = 0; i < 100; i++) {
        to_the_next_timer(world);
        told(world, CERTIFICATE_MANAGER, ISSUANCE_ISSUED, NULL);
    }
    assert_int_equal(world->renewal.machine.state, RENEWAL_RESTING);
    told(world, CERTIFICATE_WORKER, ISSUANCE_ISSUED, NULL);
    assert_false(world->renewal.is_promotion_refused);
    to_the_next_timer(world);
    assert_int_equal(world->renewal.machine.state, RENEWAL_RESTING);
}

static void a_promotion_by_managers_of_ours_is_followed(void **state)
{
    struct world *world = *state;
    const struct renewal_event wish = {
        .kind = RENEWAL_EVENT_TOLD, .role = CERTIFICATE_MANAGER, .may_manage = true, .status = ISSUANCE_ISSUED};
    start(world);
    happen(world, wish);
    assert_false(world->renewal.is_promotion_refused);
    to_the_next_timer(world);
    to_polling(world);
    is_issued(world, &world->authority, "swarm-manager");
    is_stored(world);
    for (int i = 0; i < 50; i++) {
        happen(world, wish);
        to_the_next_timer(world);
        assert_int_equal(world->todo.kind, RENEWAL_DO_WAIT);
    }
    assert_false(world->renewal.is_promotion_refused);
}

/* It must: the wish cannot be taken back from a node that never became a manager, and a certificate that ends is the end of a node. */
static void promoted_node_renews_when_it_is_due_and_once(void **state)
{
    struct world *world = *state;
    start(world);
    become_due(world); /* before any manager told what it wishes */
    to_polling(world);
    is_issued(world, &world->authority, "swarm-manager");
    is_stored(world);
    for (int i = 0; i < 50; i++) {
        told(world, CERTIFICATE_MANAGER, ISSUANCE_ISSUED, NULL);
        to_the_next_timer(world);
        assert_int_equal(world->todo.kind, RENEWAL_DO_WAIT);
    }
    assert_true(world->renewal.is_promotion_refused);
}

static void rotate_again_does_not_shorten_the_backoff(void **state)
{
    struct world *world = *state;
    start(world);
    told(world, CERTIFICATE_WORKER, ISSUANCE_ROTATE, NULL);
    to_the_next_timer(world);
    to_polling(world);
    call_fails(world, ERR_PEER, "no signer");
    uint64_t wake_ns = world->todo.wake_ns;
    told(world, CERTIFICATE_WORKER, ISSUANCE_ROTATE, NULL);
    assert_true(world->todo.wake_ns == wake_ns);
    told(world, CERTIFICATE_WORKER, ISSUANCE_ISSUED, NULL);
    told(world, CERTIFICATE_WORKER, ISSUANCE_ROTATE, NULL); /* a new one does */
    assert_true(world->todo.wake_ns == world->now_ns + 500 * NS_PER_MS);
}

static void demotion_is_repeated_until_the_role_fits(void **state)
{
    struct world *world = *state;
    cleanup_buf struct buf key = {0}, request = {0};
    assert_ok(certificate_make_key(&key, err));
    assert_ok(certificate_make_request(buf_bytes(&key), &request, err));
    issue(world, &world->authority, buf_bytes(&request), "swarm-manager", &world->identity.chain_pem);
    start(world);
    assert_false(renewal_is_busy(&world->renewal));
    told(world, CERTIFICATE_WORKER, ISSUANCE_ISSUED, NULL);
    assert_true(renewal_is_busy(&world->renewal));
    to_the_next_timer(world);
    to_polling(world);
    assert_true(renewal_is_busy(&world->renewal));
    is_issued(world, &world->authority, "swarm-manager");
    is_stored(world);
    assert_true(renewal_is_busy(&world->renewal)); /* the next is due already */
    to_the_next_timer(world);
    to_polling(world);
    is_issued(world, &world->authority, "swarm-worker");
    is_stored(world);
    assert_false(renewal_is_busy(&world->renewal));
    to_the_next_timer(world);
    assert_int_equal(world->todo.kind, RENEWAL_DO_WAIT);
}

static void certificate_of_another_node_is_not_stored(void **state)
{
    struct world *world = *state;
    start(world);
    become_due(world);
    to_polling(world);
    buf_clear(&world->chain_pem);
    authority_issue(&world->authority, buf_bytes(&world->request_pem), "other", "swarm-worker", "cluster", world->wall_ns, 3600,
                    &world->chain_pem);
    happen(world, (struct renewal_event){.kind = RENEWAL_EVENT_STATUS,
                                         .status = ISSUANCE_ISSUED,
                                         .pem = buf_bytes(&world->chain_pem),
                                         .pem2 = buf_bytes(&world->request_pem)});
    assert_non_null(strstr(world->renewal.trouble.message, "certificate of node other"));
}

static void full_disk_keeps_the_old_certificate(void **state)
{
    struct world *world = *state;
    struct error full = {0};
    error_set(&full, ERR_NO_SPACE, "no space left on device");
    start(world);
    become_due(world);
    to_polling(world);
    is_issued(world, &world->authority, "swarm-worker");
    happen(world, (struct renewal_event){.kind = RENEWAL_EVENT_SAVE_FAILED, .error = &full});
    assert_int_equal(world->renewal.machine.state, RENEWAL_BACKING_OFF);
    assert_string_equal(world->renewal.chain_pem.data, world->identity.chain_pem.data);
    assert_non_null(strstr(world->renewal.trouble.message, "no space left"));
}

/* Whatever comes in whatever order: never stuck without a timer, never another's certificate. */
static void any_order_of_events_goes_on(void **state)
{
    struct world *world = *state;
    struct error cause = {0};
    struct random random = random_from_seeded(&world->seed);
    error_set(&cause, ERR_UNAVAILABLE, "x");
    start(world);
    for (int i = 0; i < 20000; i++) {
        int kind = (int)random_below(&random, RENEWAL_EVENT_TOLD + 1);
        world->now_ns += random_below(&random, 20 * S);
        struct bytes pem = kind == RENEWAL_EVENT_STATUS && random_below(&random, 2) ? buf_bytes(&world->chain_pem)
                           : kind == RENEWAL_EVENT_KEY_MADE                         ? buf_bytes(&world->key_pem)
                                                                                    : buf_bytes(&world->next.root_pem);
        happen(world, (struct renewal_event){.kind = (enum renewal_event_kind)kind,
                                             .pem = pem,
                                             .pem2 = buf_bytes(&world->request_pem),
                                             .status = (int)random_below(&random, 7),
                                             .role = (int)random_below(&random, 2),
                                             .error = &cause});
        enum renewal_state at = (enum renewal_state)world->renewal.machine.state;
        assert_true(world->renewal.wake_ns != UINT64_MAX || at == RENEWAL_MAKING_KEY || at == RENEWAL_STORING);
    }
    assert_string_equal(world->renewal.certificate.node_id, NODE_ID);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* With --cert-expiry 1h half of the validity is over when a certificate comes, as it is backdated by an hour. */
static void short_certificates_are_renewed_before_they_end(void **state)
{
    struct world *world = *state;
    world->lifetime_s = 3600;
    start(world);
    for (int i = 0; i < 100; i++) {
        become_due(world);
        to_polling(world);
        is_issued(world, &world->authority, "swarm-worker");
        is_stored(world);
        const struct renewal *renewal = &world->renewal;
        assert_true(renewal->due_wall_ns >= world->wall_ns + 60 * (int64_t)S);
        assert_true(renewal->due_wall_ns <= renewal->certificate.not_after_wall_ns - 600 * (int64_t)S);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_sound),
        T(moment_is_spread_over_the_window),
        T(certificate_is_renewed_when_due_and_not_before),
        T(clock_that_jumps_is_noticed_within_a_minute),
        T(rotate_forces_a_renewal_after_half_a_second),
        T(rotation_of_the_root_is_followed),
        T(root_under_which_our_chain_does_not_hold_is_not_adopted),
        T(chain_of_an_unknown_authority_needs_the_new_root),
        T(downloaded_root_must_hold_the_new_chain),
        T(failures_are_repeated_ever_more_rarely),
        T(silent_manager_ends_the_try),
        T(polls_go_on_for_two_minutes),
        T(answer_to_the_request_before_is_polled_over),
        T(expired_certificate_is_tried_at_once),
        T(expired_certificate_that_is_refused_needs_a_person),
        T(clock_months_ahead_does_not_renew_in_a_circle),
        T(promotion_is_refused_and_the_node_stays_a_worker),
        T(a_promotion_by_managers_of_ours_is_followed),
        T(promoted_node_renews_when_it_is_due_and_once),
        T(rotate_again_does_not_shorten_the_backoff),
        T(demotion_is_repeated_until_the_role_fits),
        T(certificate_of_another_node_is_not_stored),
        T(full_disk_keeps_the_old_certificate),
        T(any_order_of_events_goes_on),
        cmocka_unit_test_setup_teardown(short_certificates_are_renewed_before_they_end, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
