/* tests/unit/agent/test_reporter.c – statuses on their way to the manager, against a model of one. */
#include "agent/reporter.h"

#include <stdlib.h>

#include "base/clock.h"
#include "proto/swarmkit/dispatcher.pb-c.h"
#include "tests/unit/test.h"

#define TASKS 40

typedef Docker__Swarmkit__V1__UpdateTaskStatusRequest Request;

struct world {
    struct reporter *r;
    struct random_seeded seed;
    struct random random;
    uint64_t now_ns;
};

static void begin(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    random_seeded_init(&w->seed, seed);
    w->random = random_from_seeded(&w->seed);
    w->r = reporter_new(&w->random);
    w->now_ns = NS_PER_S;
}

static void put(struct world *w, const char *task_id, int task_state)
{
    Docker__Swarmkit__V1__TaskStatus status = DOCKER__SWARMKIT__V1__TASK_STATUS__INIT;
    status.state = (Docker__Swarmkit__V1__TaskState)task_state;
    assert_ok(reporter_put(w->r, task_id, &status, err));
}

static Request *next(struct world *w)
{
    struct bytes packed = reporter_next(w->r, w->now_ns);
    if (packed.size == 0)
        return NULL;
    Request *request = docker__swarmkit__v1__update_task_status_request__unpack(NULL, packed.size, packed.data);
    assert_non_null(request);
    return request;
}

static size_t count_next(struct world *w)
{
    Request *request = next(w);
    size_t count = request ? request->n_updates : 0;
    if (request)
        docker__swarmkit__v1__update_task_status_request__free_unpacked(request, NULL);
    return count;
}

static void nothing_is_sent_without_a_session(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 1);
    put(&w, "a", 256);
    assert_int_equal(count_next(&w), 0);
    assert_true(reporter_wake_ns(w.r) == UINT64_MAX);
    reporter_session_up(w.r, "s1", w.now_ns);
    assert_int_equal(reporter_wake_ns(w.r), w.now_ns);
    Request *request = next(&w);
    assert_string_equal(request->session_id, "s1");
    assert_string_equal(request->updates[0]->task_id, "a");
    assert_int_equal(request->updates[0]->status->state, 256);
    docker__swarmkit__v1__update_task_status_request__free_unpacked(request, NULL);
    reporter_free(w.r);
}

static void overtaken_states_are_skipped_and_none_goes_back(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 1);
    put(&w, "a", 256);
    put(&w, "a", 512);
    put(&w, "a", 320);
    reporter_session_up(w.r, "s1", w.now_ns);
    Request *request = next(&w);
    assert_int_equal(request->n_updates, 1);
    assert_int_equal(request->updates[0]->status->state, 512);
    docker__swarmkit__v1__update_task_status_request__free_unpacked(request, NULL);
    assert_int_equal(reporter_stats(w.r)->superseded, 1);
    reporter_free(w.r);
}

static void a_status_that_changes_in_flight_is_sent_again(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 1);
    reporter_session_up(w.r, "s1", w.now_ns);
    put(&w, "a", 256);
    assert_int_equal(count_next(&w), 1);
    put(&w, "a", 512);
    assert_int_equal(count_next(&w), 0); /* one batch at a time */
    assert_int_equal(reporter_done(w.r, 0, "", w.now_ns), REPORTER_GO_ON);
    assert_int_equal(count_next(&w), 1);
    assert_int_equal(reporter_done(w.r, 0, "", w.now_ns), REPORTER_GO_ON);
    assert_int_equal(reporter_waiting_count(w.r), 0);
    reporter_free(w.r);
}

static void errors_of_the_call_are_retried_within_bounds(void **state)
{
    struct world w;
    uint64_t longest_ns = 0;
    (void)state;
    begin(&w, 1);
    reporter_session_up(w.r, "s1", w.now_ns);
    put(&w, "a", 256);
    for (int i = 0; i < 12; i++) {
        assert_int_equal(count_next(&w), 1);
        assert_int_equal(reporter_done(w.r, 14, "unavailable", w.now_ns), REPORTER_GO_ON);
        uint64_t wait_ns = reporter_wake_ns(w.r) - w.now_ns;
        assert_true(wait_ns >= SESSION_BACKOFF_MIN_MS * NS_PER_MS / 2 && wait_ns <= SESSION_BACKOFF_MAX_MS * NS_PER_MS);
        longest_ns = wait_ns > longest_ns ? wait_ns : longest_ns;
        assert_int_equal(count_next(&w), 0);
        w.now_ns += wait_ns;
    }
    assert_true(longest_ns > 4 * NS_PER_S);
    reporter_free(w.r);
}

static void an_invalid_session_is_the_sessions_matter_and_keeps_everything(void **state)
{
    const struct {
        int status;
        const char *text;
    } rows[] = {{3, "session invalid"},
                {5, "node not registered"},
                {10, "dispatcher is stopped"},
                {7, "Permission denied: node x was removed from swarm"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world w;
        begin(&w, 1);
        reporter_session_up(w.r, "s1", w.now_ns);
        put(&w, "a", 256);
        assert_int_equal(count_next(&w), 1);
        assert_int_equal(reporter_done(w.r, rows[i].status, rows[i].text, w.now_ns), REPORTER_NEW_SESSION);
        assert_int_equal(count_next(&w), 0);
        assert_int_equal(reporter_waiting_count(w.r), 1);
        reporter_session_up(w.r, "s2", w.now_ns);
        assert_int_equal(count_next(&w), 1);
        reporter_free(w.r);
    }
}

static void a_lost_session_takes_back_what_was_in_flight(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 1);
    reporter_session_up(w.r, "s1", w.now_ns);
    put(&w, "a", 256);
    assert_int_equal(count_next(&w), 1);
    reporter_session_down(w.r);
    assert_int_equal(reporter_done(w.r, 0, "", w.now_ns), REPORTER_GO_ON); /* too late to count */
    reporter_session_up(w.r, "s2", w.now_ns);
    assert_int_equal(count_next(&w), 1);
    reporter_free(w.r);
}

static void batches_are_bounded_in_count_and_size(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 1);
    reporter_session_up(w.r, "s1", w.now_ns);
    for (int i = 0; i < STATUS_BATCH_COUNT + 10; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "task%d", i);
        put(&w, id, 512);
    }
    assert_int_equal(count_next(&w), STATUS_BATCH_COUNT);
    assert_int_equal(reporter_done(w.r, 0, "", w.now_ns), REPORTER_GO_ON);
    assert_int_equal(count_next(&w), 10);
    assert_int_equal(reporter_done(w.r, 0, "", w.now_ns), REPORTER_GO_ON);

    static char large[40000];
    memset(large, 'x', sizeof large - 1);
    for (int i = 0; i < 60; i++) {
        char id[16];
        Docker__Swarmkit__V1__TaskStatus status = DOCKER__SWARMKIT__V1__TASK_STATUS__INIT;
        status.err = large;
        (void)snprintf(id, sizeof id, "task%d", i);
        assert_ok(reporter_put(w.r, id, &status, err));
    }
    assert_int_equal(count_next(&w), STATUS_BATCH_BYTES / 40004);
    reporter_free(w.r);
}

static void what_is_beyond_a_limit_is_refused(void **state)
{
    struct world w;
    static char endless[STATUS_SIZE_BYTES + 10];
    Docker__Swarmkit__V1__TaskStatus status = DOCKER__SWARMKIT__V1__TASK_STATUS__INIT;
    (void)state;
    begin(&w, 1);
    memset(endless, 'x', sizeof endless - 1);
    assert_fails(reporter_put(w.r, "", &status, err), ERR_INVALID, "no task id");
    assert_fails(reporter_put(w.r, endless, &status, err), ERR_INVALID, "too long");
    status.err = endless;
    assert_fails(reporter_put(w.r, "a", &status, err), ERR_LIMIT, "at most");
    for (int i = 0; i < TASKS_PER_NODE_COUNT; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "task%d", i);
        put(&w, id, 512);
    }
    status.err = NULL;
    assert_fails(reporter_put(w.r, "one too many", &status, err), ERR_LIMIT, "wait already");
    assert_ok(reporter_put(w.r, "task7", &status, err));
    reporter_free(w.r);
}

static void one_foreign_task_is_found_among_many_and_dropped(void **state)
{
    struct world w;
    unsigned calls = 0;
    (void)state;
    begin(&w, 1);
    reporter_session_up(w.r, "s1", w.now_ns);
    for (int i = 0; i < 1000; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "task%d", i);
        put(&w, id, 512);
    }
    while (reporter_waiting_count(w.r) > 0) {
        bool spoiled = false;
        Request *request = next(&w);
        assert_non_null(request);
        for (size_t i = 0; i < request->n_updates; i++)
            spoiled = spoiled || strcmp(request->updates[i]->task_id, "task777") == 0;
        docker__swarmkit__v1__update_task_status_request__free_unpacked(request, NULL);
        (void)reporter_done(w.r, spoiled ? 7 : 0, spoiled ? "cannot update a task not assigned this node" : "", w.now_ns);
        calls++;
    }
    assert_int_equal(reporter_stats(w.r)->dropped, 1);
    assert_int_equal(reporter_stats(w.r)->updates, 999);
    assert_true(calls < 60);
    reporter_free(w.r);
}

/* What a manager has heard of each task, and what the node really has. */
struct model {
    int real[TASKS], heard[TASKS];
    bool foreign[TASKS];
};

static int index_of(const char *task_id)
{
    return atoi(task_id + 1);
}

static void put_random(struct world *w, struct model *m)
{
    char id[8];
    int i = (int)random_below(&w->random, TASKS);

    m->real[i] += (int)random_below(&w->random, 3);
    (void)snprintf(id, sizeof id, "t%d", i);
    put(w, id, m->real[i]);
}

static void register_again(struct world *w, const struct model *m)
{
    reporter_session_up(w->r, "s", w->now_ns);
    for (int i = 0; i < TASKS; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "t%d", i);
        put(w, id, m->real[i]);
    }
}

/* The manager's answer to a batch: applies it or refuses it as SwarmKit does. The answer itself may be lost on the way. */
static void answer(struct world *w, struct model *m, const Request *request, bool faults)
{
    bool spoiled = false;
    uint64_t chance = faults ? random_below(&w->random, 10) : 9;

    for (size_t i = 0; i < request->n_updates; i++)
        spoiled = spoiled || m->foreign[index_of(request->updates[i]->task_id)];
    if (chance == 0) {
        (void)reporter_done(w->r, 14, "connection reset", w->now_ns);
        return;
    }
    if (spoiled) {
        (void)reporter_done(w->r, 7, "cannot update a task not assigned this node", w->now_ns);
        return;
    }
    for (size_t i = 0; i < request->n_updates; i++) {
        int which = index_of(request->updates[i]->task_id), said = (int)request->updates[i]->status->state;
        assert_true(said >= m->heard[which] || chance < 2); /* never back, in one life of a session */
        assert_true(said <= m->real[which]);
        m->heard[which] = said > m->heard[which] ? said : m->heard[which];
    }
    if (chance == 1)
        reporter_session_down(w->r); /* taken, but we never hear of it */
    else
        (void)reporter_done(w->r, 0, "", w->now_ns);
}

static void every_last_state_arrives_whatever_happens(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 80; seed++) {
        struct world w;
        struct model m = {0};
        begin(&w, seed);
        for (int i = 0; i < TASKS; i++)
            m.foreign[i] = random_below(&w.random, 10) == 0;
        for (int i = 0; i < 600 || reporter_waiting_count(w.r) > 0; i++) {
            bool faults = i < 600;
            if (faults && random_below(&w.random, 2))
                put_random(&w, &m);
            if (reporter_wake_ns(w.r) == UINT64_MAX)
                register_again(&w, &m);
            else if (reporter_wake_ns(w.r) > w.now_ns)
                w.now_ns = reporter_wake_ns(w.r);
            Request *request = next(&w);
            if (request) {
                if (faults)
                    put_random(&w, &m);
                answer(&w, &m, request, faults);
                docker__swarmkit__v1__update_task_status_request__free_unpacked(request, NULL);
            }
            assert_true(i < 5000);
        }
        for (int i = 0; i < TASKS; i++)
            if (!m.foreign[i])
                assert_int_equal(m.heard[i], m.real[i]);
        reporter_free(w.r);
    }
}

static void a_task_that_left_is_forgotten(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 1);
    reporter_session_up(w.r, "s1", w.now_ns);
    put(&w, "a", 256);
    put(&w, "b", 256);
    reporter_forget(w.r, "a");
    reporter_forget(w.r, "never heard of");
    assert_int_equal(count_next(&w), 1);
    reporter_forget(w.r, "b"); /* in flight */
    put(&w, "c", 256);
    assert_int_equal(reporter_done(w.r, 7, "cannot update a task not assigned this node", w.now_ns), REPORTER_GO_ON);
    assert_int_equal(reporter_waiting_count(w.r), 1); /* c was not in that batch */
    reporter_free(w.r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_sent_without_a_session),
        cmocka_unit_test(overtaken_states_are_skipped_and_none_goes_back),
        cmocka_unit_test(a_status_that_changes_in_flight_is_sent_again),
        cmocka_unit_test(errors_of_the_call_are_retried_within_bounds),
        cmocka_unit_test(an_invalid_session_is_the_sessions_matter_and_keeps_everything),
        cmocka_unit_test(a_lost_session_takes_back_what_was_in_flight),
        cmocka_unit_test(batches_are_bounded_in_count_and_size),
        cmocka_unit_test(what_is_beyond_a_limit_is_refused),
        cmocka_unit_test(one_foreign_task_is_found_among_many_and_dropped),
        cmocka_unit_test(every_last_state_arrives_whatever_happens),
        cmocka_unit_test(a_task_that_left_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
