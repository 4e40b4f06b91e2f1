/* tests/unit/agent/test_session.c – the session machine in virtual time. */
#include "agent/session.h"

#include "base/clock.h"
#include "tests/unit/test.h"

#define MS(n) ((uint64_t)(n)*NS_PER_MS)

/* A session in virtual time: the clock moves only where a test says so. */
struct world {
    struct session s;
    struct random_seeded seed;
    uint64_t now_ns;
};

static void begin(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    random_seeded_init(&w->seed, seed);
    struct random random = random_from_seeded(&w->seed);
    w->now_ns = MS(1000000);
    session_init(&w->s, &random, w->now_ns);
}

static void step(struct world *w, struct session_event event)
{
    session_step(&w->s, &event, w->now_ns);
}

static bool did(const struct world *w, enum session_effect_type type)
{
    for (size_t i = 0; i < w->s.effect_count; i++)
        if (w->s.effects[i].type == type)
            return true;
    return false;
}

/* Let time pass to the next wake-up; how long that was. */
static uint64_t sleep_until_wake(struct world *w)
{
    uint64_t wake_ns = session_wake_ns(&w->s), before_ns = w->now_ns;
    assert_true(wake_ns != UINT64_MAX);
    if (wake_ns > w->now_ns)
        w->now_ns = wake_ns;
    step(w, (struct session_event){.type = SESSION_EV_TIMER});
    return w->now_ns - before_ns;
}

static void reach_registering(struct world *w)
{
    if (w->s.machine.state == SESSION_STOPPED)
        step(w, (struct session_event){.type = SESSION_EV_START});
    while (w->s.machine.state == SESSION_BACKING_OFF)
        sleep_until_wake(w);
    assert_int_equal(w->s.machine.state, SESSION_CONNECTING);
    step(w, (struct session_event){.type = SESSION_EV_DIALED, .tag = w->s.channel_tag});
    assert_int_equal(w->s.machine.state, SESSION_REGISTERING);
    assert_true(did(w, SESSION_DO_OPEN_SESSION));
}

static void reach_running(struct world *w)
{
    reach_registering(w);
    step(w, (struct session_event){.type = SESSION_EV_MESSAGE, .tag = w->s.session_tag, .session_id = "session1"});
    assert_int_equal(w->s.machine.state, SESSION_RUNNING);
}

static void complete_set(struct world *w)
{
    step(w, (struct session_event){
                .type = SESSION_EV_ASSIGNMENTS, .tag = w->s.assignments_tag, .is_complete = true, .applies_to = "", .results_in = "1"});
    assert_true(did(w, SESSION_DO_DELIVER_ASSIGNMENTS));
}

static void heartbeat_reply(struct world *w, uint64_t period_ns)
{
    step(w, (struct session_event){.type = SESSION_EV_HEARTBEAT_REPLY, .tag = w->s.heartbeat_tag, .period_ns = (int64_t)period_ns});
}

static void the_table_is_sound(void **state)
{
    (void)state;
    assert_null(state_table_flaw(&session_states, SESSION_STOPPED));
}

static void registration_starts_everything_at_once(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 1);
    reach_running(&w);
    assert_true(did(&w, SESSION_DO_HEARTBEAT));
    assert_true(did(&w, SESSION_DO_OPEN_ASSIGNMENTS));
    assert_true(did(&w, SESSION_DO_OPEN_SUBSCRIPTIONS));
    assert_true(did(&w, SESSION_DO_DELIVER_SESSION));
    assert_true(did(&w, SESSION_DO_REGISTERED));
    assert_true(did(&w, SESSION_DO_NOTE_SUCCESS));
    assert_string_equal(w.s.session_id, "session1");
    assert_int_equal(w.s.error.code, 0);
}

static void heartbeats_keep_the_servers_period(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 1);
    reach_running(&w);
    complete_set(&w);
    for (int i = 0; i < 10; i++) {
        w.now_ns += MS(3);
        heartbeat_reply(&w, 4514785104);
        assert_int_equal(sleep_until_wake(&w), 4514785104);
        assert_true(did(&w, SESSION_DO_HEARTBEAT));
    }
    assert_int_equal(w.s.stats.heartbeats, 11);
    assert_int_equal(w.s.stats.heartbeat_late_max_ns, 0);
}

static void a_late_timer_is_measured(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 1);
    reach_running(&w);
    complete_set(&w);
    heartbeat_reply(&w, MS(5000));
    w.now_ns += MS(5040);
    step(&w, (struct session_event){.type = SESSION_EV_TIMER});
    assert_true(did(&w, SESSION_DO_HEARTBEAT));
    assert_int_equal(w.s.stats.heartbeat_late_max_ns, MS(40));
}

static void absurd_periods_are_bounded(void **state)
{
    struct world w;
    (void)state;
    const struct {
        int64_t given;
        uint64_t waited;
    } rows[] = {{0, MS(HEARTBEAT_PERIOD_DEFAULT_MS)},
                {-5, MS(HEARTBEAT_PERIOD_DEFAULT_MS)},
                {1, MS(HEARTBEAT_PERIOD_MIN_MS)},
                {INT64_MAX, MS(HEARTBEAT_PERIOD_MAX_MS)}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin(&w, 1);
        reach_running(&w);
        complete_set(&w);
        heartbeat_reply(&w, (uint64_t)rows[i].given);
        assert_int_equal(sleep_until_wake(&w), rows[i].waited);
    }
}

static void an_unanswered_heartbeat_ends_the_session(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 1);
    reach_running(&w);
    complete_set(&w);
    assert_int_equal(sleep_until_wake(&w), MS(HEARTBEAT_TIMEOUT_MS));
    assert_int_equal(w.s.error.code, ERR_DEADLINE);
    assert_true(did(&w, SESSION_DO_LOST));
    assert_true(did(&w, SESSION_DO_CLOSE));
}

/* §3.5: every row. */
static void errors_lead_to_a_new_session(void **state)
{
    const struct {
        enum session_event_type type;
        int grpc_status;
        const char *text;
        enum session_state expected;
    } rows[] = {
        {SESSION_EV_HEARTBEAT_FAILED, 5, "node not registered", SESSION_BACKING_OFF},
        {SESSION_EV_HEARTBEAT_FAILED, 3, "session invalid", SESSION_BACKING_OFF},
        {SESSION_EV_HEARTBEAT_FAILED, 10, "dispatcher is stopped", SESSION_BACKING_OFF},
        {SESSION_EV_HEARTBEAT_FAILED, 4, "", SESSION_BACKING_OFF},
        {SESSION_EV_HEARTBEAT_FAILED, 7, "Permission denied: node x was removed from swarm", SESSION_REMOVED},
        {SESSION_EV_SESSION_ENDED, 10, "node must disconnect", SESSION_BACKING_OFF},
        {SESSION_EV_SESSION_ENDED, 5, "node not registered", SESSION_BACKING_OFF},
        {SESSION_EV_SESSION_ENDED, 3, "session invalid", SESSION_BACKING_OFF},
        {SESSION_EV_SESSION_ENDED, 7, "Permission denied: node x was removed from swarm", SESSION_REMOVED},
        {SESSION_EV_SESSION_ENDED, 7, "no client certificates in request", SESSION_BACKING_OFF},
        {SESSION_EV_ASSIGNMENTS_ENDED, 5, "node not registered", SESSION_BACKING_OFF},
        {SESSION_EV_ASSIGNMENTS_ENDED, 3, "session invalid", SESSION_BACKING_OFF},
        {SESSION_EV_ASSIGNMENTS_ENDED, 0, NULL, SESSION_BACKING_OFF},
        {SESSION_EV_ASSIGNMENTS_ENDED, 7, "Permission denied: node x was removed from swarm", SESSION_REMOVED},
        {SESSION_EV_ASSIGNMENTS_REFUSED, 0, "too many tasks", SESSION_BACKING_OFF},
        {SESSION_EV_REPORT_FAILED, 3, "session invalid", SESSION_BACKING_OFF},
        {SESSION_EV_REPORT_FAILED, 7, "Permission denied: node x was removed from swarm", SESSION_REMOVED},
        {SESSION_EV_CHANNEL_FAILED, 0, "connection reset", SESSION_BACKING_OFF},
        {SESSION_EV_LOGS_ENDED, 7, "Permission denied: node x was removed from swarm", SESSION_REMOVED},
    };
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world w;
        begin(&w, i + 7);
        reach_running(&w);
        complete_set(&w);
        uint32_t tag = rows[i].type == SESSION_EV_CHANNEL_FAILED     ? w.s.channel_tag
                       : rows[i].type == SESSION_EV_HEARTBEAT_FAILED ? w.s.heartbeat_tag
                       : rows[i].type == SESSION_EV_ASSIGNMENTS_ENDED || rows[i].type == SESSION_EV_ASSIGNMENTS_REFUSED
                           ? w.s.assignments_tag
                       : rows[i].type == SESSION_EV_LOGS_ENDED ? w.s.logs_tag
                                                               : w.s.session_tag;
        step(&w, (struct session_event){.type = rows[i].type, .tag = tag, .grpc_status = rows[i].grpc_status, .text = rows[i].text});
        if (rows[i].expected == SESSION_BACKING_OFF) {
            /* a wait of nothing dials at once */
            assert_true(w.s.machine.state == SESSION_BACKING_OFF || w.s.machine.state == SESSION_CONNECTING);
            assert_true(did(&w, SESSION_DO_NOTE_FAILURE));
        } else {
            assert_int_equal(w.s.machine.state, rows[i].expected);
            assert_true(did(&w, SESSION_DO_REMOVED));
            assert_non_null(strstr(w.s.error.message, "removed this node"));
            assert_true(session_wake_ns(&w.s) == UINT64_MAX);
        }
        assert_true(did(&w, SESSION_DO_CLOSE));
        assert_true(did(&w, SESSION_DO_LOST));
        assert_true(w.s.error.code < 0);
    }
}

static void backoff_grows_to_its_ceiling_and_no_further(void **state)
{
    uint64_t longest_ns = 0;
    (void)state;

    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct world w;
        begin(&w, seed);
        uint64_t ceiling_ns = 0;
        step(&w, (struct session_event){.type = SESSION_EV_START});
        for (int i = 0; i < 12; i++) {
            ceiling_ns = MS(100) + 2 * ceiling_ns < MS(8000) ? MS(100) + 2 * ceiling_ns : MS(8000);
            step(&w, (struct session_event){.type = SESSION_EV_CHANNEL_FAILED, .tag = w.s.channel_tag, .text = "refused"});
            uint64_t waited_ns = sleep_until_wake(&w);
            assert_true(waited_ns < ceiling_ns);
            longest_ns = waited_ns > longest_ns ? waited_ns : longest_ns;
            assert_int_equal(w.s.machine.state, SESSION_CONNECTING);
        }
    }
    assert_true(longest_ns > MS(7500));
}

static void registration_resets_the_backoff(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 3);
    step(&w, (struct session_event){.type = SESSION_EV_START});
    for (int i = 0; i < 9; i++) {
        step(&w, (struct session_event){.type = SESSION_EV_CHANNEL_FAILED, .tag = w.s.channel_tag});
        sleep_until_wake(&w);
    }
    assert_int_equal(w.s.backoff_ns, MS(8000));
    reach_running(&w);
    assert_int_equal(w.s.backoff_ns, 0);
}

static void the_first_message_has_a_deadline(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 1);
    reach_registering(&w);
    assert_int_equal(sleep_until_wake(&w), MS(SESSION_FIRST_MESSAGE_MS));
    assert_int_equal(w.s.error.code, ERR_DEADLINE);
    assert_non_null(strstr(w.s.error.message, "registering"));
    assert_false(did(&w, SESSION_DO_LOST)); /* there was none */
}

static void connecting_has_a_deadline(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 1);
    step(&w, (struct session_event){.type = SESSION_EV_START});
    assert_int_equal(sleep_until_wake(&w), MS(SESSION_CONNECT_MS));
    assert_int_equal(w.s.error.code, ERR_DEADLINE);
}

static void the_first_assignments_have_a_deadline(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 1);
    reach_running(&w);
    uint64_t began_ns = w.now_ns;
    while (w.s.machine.state == SESSION_RUNNING) {
        if (w.s.heartbeat_tag)
            heartbeat_reply(&w, MS(5000));
        sleep_until_wake(&w);
    }
    assert_int_equal(w.now_ns - began_ns, MS(SESSION_ASSIGNMENTS_FIRST_MS));
}

static void the_session_id_is_offered_again(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 1);
    reach_running(&w);
    step(&w, (struct session_event){.type = SESSION_EV_CHANNEL_FAILED, .tag = w.s.channel_tag, .text = "reset"});
    assert_string_equal(w.s.session_id, "session1");
    reach_registering(&w);
    assert_string_equal(w.s.session_id, "session1");
    step(&w, (struct session_event){.type = SESSION_EV_MESSAGE, .tag = w.s.session_tag, .session_id = "session2"});
    assert_string_equal(w.s.session_id, "session2");
}

static void a_changed_description_registers_again_without_a_wait(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 1);
    reach_running(&w);
    step(&w, (struct session_event){.type = SESSION_EV_DESCRIPTION_CHANGED});
    assert_int_equal(w.s.machine.state, SESSION_CONNECTING);
    assert_true(did(&w, SESSION_DO_CLOSE));
    assert_true(did(&w, SESSION_DO_DIAL));
    assert_false(did(&w, SESSION_DO_NOTE_FAILURE));
    assert_int_equal(w.s.stats.failures, 0);
}

static void a_clean_end_is_followed_without_a_wait(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 1);
    reach_running(&w);
    step(&w, (struct session_event){.type = SESSION_EV_SESSION_ENDED, .tag = w.s.session_tag});
    assert_int_equal(w.s.machine.state, SESSION_CONNECTING);
}

/* The manager takes a registration and three more, then wants 8 s of quiet: we never ask for a fifth within them. */
static void bursts_of_registrations_stay_within_the_managers_limit(void **state)
{
    struct world w;
    uint64_t times_ns[40];
    (void)state;
    begin(&w, 1);
    for (int i = 0; i < 40; i++) {
        reach_running(&w);
        times_ns[i] = w.now_ns;
        w.now_ns += MS(10);
        step(&w, (struct session_event){.type = SESSION_EV_DESCRIPTION_CHANGED});
    }
    unsigned burst = 1;
    for (int i = 1; i < 40; i++) {
        burst = times_ns[i] - times_ns[i - 1] < MS(8000) ? burst + 1 : 1;
        assert_true(burst <= 4);
    }
}

static void a_rate_limit_is_respected(void **state)
{
    for (uint64_t seed = 1; seed < 50; seed++) {
        struct world w;
        begin(&w, seed);
        reach_registering(&w);
        step(&w, (struct session_event){.type = SESSION_EV_SESSION_ENDED,
                                        .tag = w.s.session_tag,
                                        .grpc_status = 14,
                                        .text = "node x exceeded rate limit count of registrations"});
        uint64_t waited_ns = sleep_until_wake(&w);
        assert_true(waited_ns >= MS(8000));
        assert_true(waited_ns <= MS(SESSION_WAIT_MAX_MS));
    }
    (void)state;
}

static void assignments_follow_one_another(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 1);
    reach_running(&w);
    complete_set(&w);
    for (int i = 1; i < 5; i++) {
        char from[8], to[8];
        (void)snprintf(from, sizeof from, "%d", i);
        (void)snprintf(to, sizeof to, "%d", i + 1);
        step(&w, (struct session_event){.type = SESSION_EV_ASSIGNMENTS, .tag = w.s.assignments_tag, .applies_to = from, .results_in = to});
        assert_true(did(&w, SESSION_DO_DELIVER_ASSIGNMENTS));
    }
}

static void a_gap_in_assignments_opens_the_stream_again(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 1);
    reach_running(&w);
    complete_set(&w);
    uint32_t old_tag = w.s.assignments_tag;
    step(&w, (struct session_event){.type = SESSION_EV_ASSIGNMENTS, .tag = old_tag, .applies_to = "2", .results_in = "3"});
    assert_false(did(&w, SESSION_DO_DELIVER_ASSIGNMENTS));
    assert_true(did(&w, SESSION_DO_OPEN_ASSIGNMENTS));
    assert_int_equal(w.s.machine.state, SESSION_RUNNING);
    step(&w, (struct session_event){.type = SESSION_EV_ASSIGNMENTS, .tag = old_tag, .applies_to = "1", .results_in = "2"});
    assert_int_equal(w.s.effect_count, 0); /* of the old stream */
    complete_set(&w);
}

static void an_incremental_first_message_does_not_fit(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 1);
    reach_running(&w);
    step(&w, (struct session_event){.type = SESSION_EV_ASSIGNMENTS, .tag = w.s.assignments_tag, .applies_to = "", .results_in = "1"});
    assert_true(did(&w, SESSION_DO_OPEN_ASSIGNMENTS));
}

static void gaps_without_end_end_the_session(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 1);
    reach_running(&w);
    for (int i = 0; i <= SESSION_ASSIGNMENTS_REOPENED_COUNT; i++) {
        assert_int_equal(w.s.machine.state, SESSION_RUNNING);
        complete_set(&w);
        step(&w, (struct session_event){.type = SESSION_EV_ASSIGNMENTS, .tag = w.s.assignments_tag, .applies_to = "9", .results_in = "10"});
    }
    assert_int_not_equal(w.s.machine.state, SESSION_RUNNING);
    assert_int_equal(w.s.error.code, ERR_PEER);
}

static void a_manager_without_a_log_broker_is_tolerated(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 1);
    reach_running(&w);
    complete_set(&w);
    heartbeat_reply(&w, MS(5000));
    step(&w, (struct session_event){.type = SESSION_EV_LOGS_ENDED, .tag = w.s.logs_tag, .grpc_status = 12, .text = "unknown service"});
    assert_int_equal(w.s.machine.state, SESSION_RUNNING);
    assert_int_equal(sleep_until_wake(&w), MS(5000));
    assert_false(did(&w, SESSION_DO_OPEN_SUBSCRIPTIONS));
}

static void a_broken_log_stream_is_opened_again_without_touching_the_session(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 1);
    reach_running(&w);
    complete_set(&w);
    heartbeat_reply(&w, MS(5000));
    step(&w, (struct session_event){.type = SESSION_EV_LOGS_ENDED, .tag = w.s.logs_tag, .grpc_status = 13, .text = "oops"});
    uint64_t waited_ns = sleep_until_wake(&w);
    assert_true(waited_ns >= MS(100) && waited_ns <= MS(200));
    assert_true(did(&w, SESSION_DO_OPEN_SUBSCRIPTIONS));
    assert_int_equal(w.s.machine.state, SESSION_RUNNING);
}

static void events_of_an_older_life_are_ignored(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 1);
    reach_running(&w);
    uint32_t old_session = w.s.session_tag, old_heartbeat = w.s.heartbeat_tag, old_channel = w.s.channel_tag;
    step(&w, (struct session_event){.type = SESSION_EV_CREDENTIALS_CHANGED});
    assert_int_equal(w.s.machine.state, SESSION_CONNECTING);
    step(&w, (struct session_event){.type = SESSION_EV_MESSAGE, .tag = old_session, .session_id = "session1"});
    step(&w,
         (struct session_event){.type = SESSION_EV_HEARTBEAT_FAILED, .tag = old_heartbeat, .grpc_status = 3, .text = "session invalid"});
    step(&w,
         (struct session_event){.type = SESSION_EV_SESSION_ENDED, .tag = old_session, .grpc_status = 7, .text = "was removed from swarm"});
    step(&w, (struct session_event){.type = SESSION_EV_CHANNEL_FAILED, .tag = old_channel, .text = "closed"});
    assert_int_equal(w.s.machine.state, SESSION_CONNECTING);
    assert_int_equal(w.s.stats.stale_events, 4);
}

static void a_changed_session_id_on_one_stream_is_refused(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 1);
    reach_running(&w);
    step(&w, (struct session_event){.type = SESSION_EV_MESSAGE, .tag = w.s.session_tag, .session_id = "session1"});
    assert_true(did(&w, SESSION_DO_DELIVER_SESSION));
    step(&w, (struct session_event){.type = SESSION_EV_MESSAGE, .tag = w.s.session_tag, .session_id = "other"});
    assert_false(did(&w, SESSION_DO_DELIVER_SESSION));
    assert_int_equal(w.s.error.code, ERR_PEER);
}

static void unusable_session_ids_are_refused(void **state)
{
    char endless[500];
    const char *ids[] = {NULL, "", endless};
    (void)state;
    memset(endless, 'a', sizeof endless);
    endless[sizeof endless - 1] = '\0';
    for (size_t i = 0; i < 3; i++) {
        struct world w;
        begin(&w, 1);
        reach_registering(&w);
        step(&w, (struct session_event){.type = SESSION_EV_MESSAGE, .tag = w.s.session_tag, .session_id = ids[i]});
        assert_int_not_equal(w.s.machine.state, SESSION_RUNNING);
        assert_string_equal(w.s.session_id, "");
    }
}

static void new_credentials_cut_a_wait_short(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 4);
    step(&w, (struct session_event){.type = SESSION_EV_START});
    while (w.s.backoff_ns < MS(8000)) {
        step(&w, (struct session_event){.type = SESSION_EV_CHANNEL_FAILED, .tag = w.s.channel_tag, .text = "certificate has expired"});
        if (w.s.machine.state == SESSION_BACKING_OFF && w.s.backoff_ns < MS(8000))
            sleep_until_wake(&w);
    }
    assert_int_equal(w.s.machine.state, SESSION_BACKING_OFF);
    step(&w, (struct session_event){.type = SESSION_EV_CREDENTIALS_CHANGED});
    assert_int_equal(w.s.machine.state, SESSION_CONNECTING);
}

static void stopping_closes_everything_and_stays_stopped(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 1);
    reach_running(&w);
    step(&w, (struct session_event){.type = SESSION_EV_STOP});
    assert_true(did(&w, SESSION_DO_CLOSE));
    assert_true(session_wake_ns(&w.s) == UINT64_MAX);
    step(&w, (struct session_event){.type = SESSION_EV_TIMER});
    step(&w, (struct session_event){.type = SESSION_EV_DESCRIPTION_CHANGED});
    step(&w, (struct session_event){.type = SESSION_EV_CREDENTIALS_CHANGED});
    assert_int_equal(w.s.machine.state, SESSION_STOPPED);
    reach_running(&w);
}

static uint32_t any_tag(struct world *w)
{
    const uint32_t tags[] = {w->s.channel_tag,     w->s.session_tag, w->s.heartbeat_tag,
                             w->s.assignments_tag, w->s.logs_tag,    (uint32_t)(random_u64(&w->s.random) % 50)};
    return tags[random_below(&w->s.random, sizeof tags / sizeof tags[0])];
}

/* Whatever arrives in whatever order: never more than the effects fit, never a state without an end but the two that are final. */
static void anything_in_any_order_keeps_the_machine_sound(void **state)
{
    const char *words[] = {NULL, "", "1", "2", "session1", "was removed from swarm", "exceeded rate limit"};
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct world w;
        begin(&w, seed);
        for (int i = 0; i < 3000; i++) {
            if (i % 10 == 0) {
                step(&w, (struct session_event){.type = SESSION_EV_START});
                step(&w, (struct session_event){.type = SESSION_EV_DIALED, .tag = w.s.channel_tag});
                step(&w, (struct session_event){.type = SESSION_EV_MESSAGE, .tag = w.s.session_tag, .session_id = "session1"});
            }
            struct random *r = &w.s.random;
            const char *word = words[random_below(r, 7)];
            struct session_event event = {.type = (enum session_event_type)random_below(r, SESSION_EV_CREDENTIALS_CHANGED + 1),
                                          .tag = any_tag(&w),
                                          .grpc_status = (int)random_below(r, 17),
                                          .text = word,
                                          .session_id = random_below(r, 4) ? "session1" : word,
                                          .applies_to = words[random_below(r, 7)],
                                          .results_in = words[random_below(r, 7)],
                                          .is_complete = random_below(r, 2) == 0,
                                          .period_ns = (int64_t)random_u64(r)};
            if (event.type == SESSION_EV_STOP && random_below(r, 20))
                continue;
            w.now_ns += random_below(r, MS(500));
            step(&w, event);
            bool is_final = w.s.machine.state == SESSION_STOPPED || w.s.machine.state == SESSION_REMOVED;
            assert_true(is_final == (session_wake_ns(&w.s) == UINT64_MAX));
            if (is_final) {
                step(&w, (struct session_event){.type = SESSION_EV_STOP});
                step(&w, (struct session_event){.type = SESSION_EV_START});
            }
        }
        assert_true(w.s.stats.registrations > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_sound),
        cmocka_unit_test(registration_starts_everything_at_once),
        cmocka_unit_test(heartbeats_keep_the_servers_period),
        cmocka_unit_test(a_late_timer_is_measured),
        cmocka_unit_test(absurd_periods_are_bounded),
        cmocka_unit_test(an_unanswered_heartbeat_ends_the_session),
        cmocka_unit_test(errors_lead_to_a_new_session),
        cmocka_unit_test(backoff_grows_to_its_ceiling_and_no_further),
        cmocka_unit_test(registration_resets_the_backoff),
        cmocka_unit_test(the_first_message_has_a_deadline),
        cmocka_unit_test(connecting_has_a_deadline),
        cmocka_unit_test(the_first_assignments_have_a_deadline),
        cmocka_unit_test(the_session_id_is_offered_again),
        cmocka_unit_test(a_changed_description_registers_again_without_a_wait),
        cmocka_unit_test(a_clean_end_is_followed_without_a_wait),
        cmocka_unit_test(bursts_of_registrations_stay_within_the_managers_limit),
        cmocka_unit_test(a_rate_limit_is_respected),
        cmocka_unit_test(assignments_follow_one_another),
        cmocka_unit_test(a_gap_in_assignments_opens_the_stream_again),
        cmocka_unit_test(an_incremental_first_message_does_not_fit),
        cmocka_unit_test(gaps_without_end_end_the_session),
        cmocka_unit_test(a_manager_without_a_log_broker_is_tolerated),
        cmocka_unit_test(a_broken_log_stream_is_opened_again_without_touching_the_session),
        cmocka_unit_test(events_of_an_older_life_are_ignored),
        cmocka_unit_test(a_changed_session_id_on_one_stream_is_refused),
        cmocka_unit_test(unusable_session_ids_are_refused),
        cmocka_unit_test(new_credentials_cut_a_wait_short),
        cmocka_unit_test(stopping_closes_everything_and_stays_stopped),
        cmocka_unit_test(anything_in_any_order_keeps_the_machine_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
