/* tests/unit/runtime/compute/test_compute.c – turns, answers, deadlines, ends and the close, over a back end whose threads are a list: what
 * is under way comes back when the test says so. */
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "runtime/compute/compute.h"
#include "tests/unit/test.h"

enum { UNDER_WAY_MAX = 64, GRACE_MS = 10000 };

struct fake_system {
    struct compute_system base;
    char *id;
    unsigned ends, give_ups;
};

struct fake_host {
    struct compute_host base;
    struct compute_operation *under_way[UNDER_WAY_MAX];
    size_t count;
    char log_path[64]; /* "": none is kept */
};

struct fixture {
    uv_loop_t loop;
    struct fake_host *host;
    struct hcs *hcs;
    bool is_freed, is_closed;
};

static struct fixture fixture;

/* --- the back end --- */

static int system_new(struct compute_host *host, const char *id, const cJSON *document, struct compute_system **out, struct error *err)
{
    struct fake_system *s;

    if (!document)
        return error_set(err, ERR_INVALID, "no document");
    s = mem_alloc(sizeof *s);
    s->id = mem_string(id);
    compute_system_init(&s->base, host, s->id);
    *out = &s->base;
    return 0;
}

static void system_free(struct compute_system *s)
{
    free(((struct fake_system *)s)->id);
    free(s);
}

/* The owner is the first letter of the id. */
static void properties(const struct compute_system *s, struct arena *arena, struct hcs_properties *out)
{
    const struct fake_host *host = (const struct fake_host *)s->host;
    char owner[2] = {compute_id(s)[0], '\0'};

    *out = (struct hcs_properties){
        .id = compute_id(s), .owner = arena_string(arena, owner), .state = s->state, .log_path = host->log_path[0] ? host->log_path : NULL};
}

static const struct hcs_statistics *statistics(struct compute_operation *op)
{
    static const struct hcs_statistics sample = {.pids = 3};

    (void)op;
    return &sample;
}

static bool begin(struct compute_operation *op)
{
    struct fake_host *host = (struct fake_host *)op->host;

    if (op->operation == HCS_OP_SIGNAL) {
        error_set(&op->err, ERR_INVALID, "Invalid signal: %s", op->text);
        return false;
    }
    assert_true(host->count < UNDER_WAY_MAX);
    host->under_way[host->count++] = op;
    return true;
}

static void nothing(struct compute_operation *op)
{
    (void)op;
}

static void nothing_of_system(struct compute_system *s)
{
    (void)s;
}

static void nothing_of_host(struct compute_host *host)
{
    (void)host;
}

static void start_give_up(struct compute_system *s)
{
    ((struct fake_system *)s)->give_ups++;
}

static int stop(struct compute_system *s, const char *signal, int64_t *grace_ms, bool *is_ending, struct error *err)
{
    (void)s;
    if (signal && strcmp(signal, "NONE") == 0)
        return error_set(err, ERR_INVALID, "Invalid signal: NONE");
    if (*grace_ms < 0)
        *grace_ms = GRACE_MS;
    if (signal && strcmp(signal, "KILL") == 0)
        *grace_ms = 0;
    *is_ending = false;
    return 0;
}

static void end(struct compute_system *s)
{
    ((struct fake_system *)s)->ends++;
}

static void host_free(struct compute_host *host)
{
    compute_systems_free(host);
    free(host);
    fixture.is_freed = true;
}

static const struct compute_ops ops = {.operation_size = sizeof(struct compute_operation),
                                       .operation_deinit = nothing,
                                       .system_new = system_new,
                                       .system_free = system_free,
                                       .properties = properties,
                                       .statistics = statistics,
                                       .begin = begin,
                                       .apply = nothing,
                                       .started = nothing_of_system,
                                       .start_give_up = start_give_up,
                                       .created_stopped = nothing_of_system,
                                       .stop = stop,
                                       .end = end,
                                       .tick = nothing_of_host,
                                       .closing = nothing_of_host,
                                       .let_go = nothing_of_system,
                                       .host_free = host_free};
static const struct hcs_ops hcs_ops = {COMPUTE_HCS_OPS};

/* --- what a test needs --- */

struct answer {
    unsigned count;
    int code;
    size_t systems;
    bool has_statistics;
};

static void take(struct answer *answer, const struct error *err)
{
    answer->count++;
    answer->code = err ? err->code : 0;
}

static void on_done(void *ctx, const struct error *err)
{
    take(ctx, err);
}

static void on_properties(void *ctx, const struct hcs_properties *p, const struct error *err)
{
    struct answer *answer = ctx;

    take(answer, err);
    answer->has_statistics = p && p->statistics && p->statistics->pids == 3;
}

static void on_enumerate(void *ctx, const struct hcs_properties *systems, size_t count, const struct error *err)
{
    struct answer *answer = ctx;

    (void)systems;
    take(answer, err);
    answer->systems = count;
}

static void on_closed(void *ctx)
{
    ((struct fixture *)ctx)->is_closed = true;
}

static int set_up(void **state)
{
    struct fake_host *host = mem_alloc(sizeof *host);

    fixture = (struct fixture){.host = host, .hcs = &host->base.hcs};
    uv_loop_init(&fixture.loop);
    host->base.hcs.ops = &hcs_ops;
    host->base.ops = &ops;
    compute_host_open(&host->base, &fixture.loop, 1000);
    *state = &fixture;
    return 0;
}

/* What the loop has to do now. */
static void settle(void)
{
    for (int i = 0; i < 3; i++)
        uv_run(&fixture.loop, UV_RUN_NOWAIT);
}

static struct compute_operation *only_one_under_way(void)
{
    assert_int_equal(fixture.host->count, 1);
    return fixture.host->under_way[0];
}

/* The @at'th that is under way comes back, with @code (0: it succeeded). */
static void come_back(size_t at, int code)
{
    struct fake_host *host = fixture.host;
    struct compute_operation *op = host->under_way[at];

    assert_true(at < host->count);
    host->under_way[at] = host->under_way[--host->count];
    if (code)
        error_set(&op->err, code, "as the test says");
    compute_return(op);
}

static struct fake_system *created(const char *id)
{
    cleanup_json cJSON *document = cJSON_CreateObject();
    struct answer answer = {0};
    struct compute_system *s;

    hcs_system_create(fixture.hcs, id, document, NULL, 0, on_done, &answer);
    assert_int_equal(answer.count, 0); /* never from inside the call */
    come_back(fixture.host->count - 1, 0);
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.code, 0);
    s = compute_find(&fixture.host->base, id);
    assert_non_null(s);
    assert_int_equal(s->state, HCS_CREATED);
    return (struct fake_system *)s;
}

static struct fake_system *running(const char *id)
{
    struct fake_system *s = created(id);
    struct answer answer = {0};

    hcs_system_start(fixture.hcs, id, on_done, &answer);
    come_back(fixture.host->count - 1, 0);
    assert_int_equal(answer.code, 0);
    assert_int_equal(s->base.state, HCS_RUNNING);
    return s;
}

/* Its end is learnt: the back end cleans up after it. */
static void exits(struct fake_system *s)
{
    struct compute_operation *op = compute_operation_new(s->base.host, HCS_OP_TERMINATE, s->id, NULL);

    op->task = COMPUTE_RELEASE;
    compute_submit_first(op);
    come_back(fixture.host->count - 1, 0);
}

static int tear_down(void **state)
{
    (void)state;
    if (!fixture.is_freed && !fixture.host->base.is_closing)
        hcs_close(fixture.hcs, on_closed, &fixture);
    while (!fixture.is_closed)
        uv_run(&fixture.loop, UV_RUN_ONCE);
    assert_true(fixture.is_freed);
    return uv_loop_close(&fixture.loop);
}

/* --- turns --- */

static void one_system_does_one_thing_after_the_other(void **state)
{
    struct answer started = {0}, paused = {0}, other = {0};

    (void)state;
    created("a1");
    created("a2");
    hcs_system_start(fixture.hcs, "a1", on_done, &started);
    hcs_system_pause(fixture.hcs, "a1", on_done, &paused);
    assert_int_equal(only_one_under_way()->operation, HCS_OP_START);
    hcs_system_remove(fixture.hcs, "a2", false, on_done, &other); /* another's queue is its own */
    assert_int_equal(fixture.host->count, 2);
    come_back(1, 0);
    assert_int_equal(other.count, 1);
    come_back(0, 0);
    assert_int_equal(started.count, 1);
    assert_int_equal(only_one_under_way()->operation, HCS_OP_PAUSE);
    come_back(0, 0);
    assert_int_equal(paused.code, 0);
    assert_int_equal(compute_find(&fixture.host->base, "a1")->state, HCS_PAUSED);
}

static void what_its_state_does_not_allow_is_refused_later(void **state)
{
    struct answer paused = {0}, started = {0}, removed = {0};

    (void)state;
    created("a1");
    hcs_system_pause(fixture.hcs, "a1", on_done, &paused);
    assert_int_equal(paused.count, 0);
    settle();
    assert_int_equal(paused.code, ERR_PRECONDITION);
    running("a2");
    hcs_system_start(fixture.hcs, "a2", on_done, &started);
    hcs_system_remove(fixture.hcs, "a2", false, on_done, &removed);
    settle();
    assert_int_equal(started.code, ERR_PRECONDITION);
    assert_int_equal(removed.code, ERR_PRECONDITION);
}

static void what_is_done_at_once_is_answered_later_and_holds_nobody(void **state)
{
    struct answer signaled = {0}, paused = {0};

    (void)state;
    running("a1");
    hcs_system_signal(fixture.hcs, "a1", "NONE", on_done, &signaled);
    hcs_system_pause(fixture.hcs, "a1", on_done, &paused);
    assert_int_equal(signaled.count, 0);
    assert_int_equal(only_one_under_way()->operation, HCS_OP_PAUSE);
    settle();
    assert_int_equal(signaled.code, ERR_INVALID);
    come_back(0, 0);
}

static void what_stands_behind_a_remove_finds_nothing(void **state)
{
    struct answer removed[2] = {0}, started = {0};

    (void)state;
    created("a1");
    hcs_system_remove(fixture.hcs, "a1", false, on_done, &removed[0]);
    hcs_system_start(fixture.hcs, "a1", on_done, &started);
    hcs_system_remove(fixture.hcs, "a1", false, on_done, &removed[1]);
    come_back(0, 0);
    settle();
    assert_int_equal(removed[0].code, 0);
    assert_int_equal(started.code, ERR_NOT_FOUND);
    assert_int_equal(removed[1].count, 1);
    assert_int_equal(removed[1].code, 0);
    assert_null(compute_find(&fixture.host->base, "a1"));
}

static void a_create_that_fails_leaves_no_system(void **state)
{
    cleanup_json cJSON *document = cJSON_CreateObject();
    struct answer bad = {0}, failed = {0}, taken = {0};

    (void)state;
    hcs_system_create(fixture.hcs, "a1", NULL, NULL, 0, on_done, &bad);
    hcs_system_create(fixture.hcs, "a2", document, NULL, 0, on_done, &failed);
    hcs_system_create(fixture.hcs, "a2", document, NULL, 0, on_done, &taken);
    settle();
    come_back(0, ERR_IO);
    assert_int_equal(bad.code, ERR_INVALID);
    assert_int_equal(failed.code, ERR_IO);
    assert_int_equal(taken.code, ERR_EXISTS);
    assert_null(compute_find(&fixture.host->base, "a2"));
}

/* --- starts --- */

/* All slots are taken, and "w" waits for one. */
static struct fake_system *one_start_too_many(struct answer *starts, struct answer *waiting)
{
    struct fake_system *s;

    for (unsigned i = 0; i < CONTAINER_STARTS_PARALLEL_COUNT; i++) {
        char id[16];
        snprintf(id, sizeof id, "a%u", i);
        created(id);
        hcs_system_start(fixture.hcs, id, on_done, starts);
    }
    s = created("w");
    hcs_system_start(fixture.hcs, "w", on_done, waiting);
    assert_int_equal(fixture.host->count, CONTAINER_STARTS_PARALLEL_COUNT);
    return s;
}

static void all_come_back(void)
{
    while (fixture.host->count > 0)
        come_back(0, 0);
}

static void only_so_many_start_at_once(void **state)
{
    struct answer starts = {0}, waiting = {0};

    (void)state;
    one_start_too_many(&starts, &waiting);
    come_back(0, 0);
    assert_int_equal(fixture.host->count, CONTAINER_STARTS_PARALLEL_COUNT);
    all_come_back();
    assert_int_equal(starts.count, CONTAINER_STARTS_PARALLEL_COUNT);
    assert_int_equal(waiting.count, 1);
}

static void a_start_that_waits_gives_way_to_an_end(void **state)
{
    struct answer starts = {0}, waiting = {0}, ended = {0};
    struct fake_system *s = one_start_too_many(&starts, &waiting);

    (void)state;
    hcs_system_terminate(fixture.hcs, "w", on_done, &ended);
    settle();
    assert_int_equal(waiting.code, ERR_CANCELED);
    assert_int_equal(ended.count, 1);
    assert_int_equal(ended.code, 0);
    assert_int_equal(s->base.state, HCS_STOPPED);
    assert_int_equal(s->give_ups, 0);
    all_come_back();
}

static void a_start_that_hangs_is_given_up_for_an_end(void **state)
{
    struct answer started = {0}, removed = {0};
    struct fake_system *s = created("a1");

    (void)state;
    hcs_system_start(fixture.hcs, "a1", on_done, &started);
    hcs_system_remove(fixture.hcs, "a1", true, on_done, &removed);
    assert_int_equal(s->give_ups, 1);
    come_back(0, ERR_CANCELED);
    assert_int_equal(started.code, ERR_CANCELED);
    assert_int_equal(only_one_under_way()->operation, HCS_OP_REMOVE); /* what did not start is Stopped */
    come_back(0, 0);
    assert_int_equal(removed.count, 1);
}

static void a_start_behind_which_an_end_waits_is_not_begun(void **state)
{
    cleanup_json cJSON *document = cJSON_CreateObject();
    struct answer made = {0}, started = {0}, ended = {0};

    (void)state;
    hcs_system_create(fixture.hcs, "a1", document, NULL, 0, on_done, &made);
    hcs_system_start(fixture.hcs, "a1", on_done, &started);
    hcs_system_terminate(fixture.hcs, "a1", on_done, &ended);
    come_back(0, 0);
    settle();
    assert_int_equal(fixture.host->count, 0);
    assert_int_equal(started.code, ERR_CANCELED);
    assert_int_equal(ended.code, 0);
    assert_int_equal(ended.count, 1);
}

/* --- ends --- */

static void who_waits_for_the_end_is_told_once_all_is_cleaned_up(void **state)
{
    struct answer stopped = {0}, ended = {0}, late = {0};
    struct fake_system *s = running("a1");

    (void)state;
    hcs_system_shutdown(fixture.hcs, "a1", NULL, -1, on_done, &stopped);
    hcs_system_terminate(fixture.hcs, "a1", on_done, &ended); /* not held up by the grace period */
    assert_int_equal(s->ends, 1);
    settle();
    assert_int_equal(stopped.count + ended.count, 0);
    exits(s);
    settle();
    assert_int_equal(stopped.count, 1);
    assert_int_equal(ended.count, 1);
    assert_int_equal(s->base.state, HCS_STOPPED);
    compute_timer_cancel(&s->base);
    hcs_system_terminate(fixture.hcs, "a1", on_done, &late);
    settle();
    assert_int_equal(late.count, 1);
}

static void a_stop_of_what_is_stopped_succeeds_whatever_the_signal(void **state)
{
    struct answer never_ran = {0}, again = {0}, runs = {0};
    struct fake_system *s = created("a1");

    (void)state;
    hcs_system_shutdown(fixture.hcs, "a1", "NONE", -1, on_done, &never_ran);
    hcs_system_shutdown(fixture.hcs, "a1", "NONE", -1, on_done, &again);
    running("a2");
    hcs_system_shutdown(fixture.hcs, "a2", "NONE", -1, on_done, &runs);
    settle();
    assert_int_equal(s->base.state, HCS_STOPPED);
    assert_int_equal(never_ran.count + again.count, 2);
    assert_int_equal(never_ran.code, 0);
    assert_int_equal(again.code, 0);
    assert_int_equal(runs.code, ERR_INVALID);
}

static void a_shorter_grace_period_replaces_a_longer_one(void **state)
{
    struct answer asked = {0}, killed = {0}, longer = {0};
    struct fake_system *s = running("a1");

    (void)state;
    hcs_system_shutdown(fixture.hcs, "a1", NULL, -1, on_done, &asked);
    settle();
    assert_int_equal(s->ends, 0);
    hcs_system_shutdown(fixture.hcs, "a1", "KILL", 2 * GRACE_MS, on_done, &killed); /* no grace for what cannot be caught */
    settle();
    assert_int_equal(s->ends, 1);
    hcs_system_shutdown(fixture.hcs, "a1", NULL, GRACE_MS, on_done, &longer);
    hcs_system_shutdown(fixture.hcs, "a1", NULL, 2 * GRACE_MS, on_done, &longer);
    assert_true(uv_timer_get_due_in(s->base.timer) <= GRACE_MS);
    exits(s);
    settle();
    assert_int_equal(asked.count + killed.count + longer.count, 4);
}

static void a_forced_remove_ends_what_runs_once_and_then_removes(void **state)
{
    struct answer removed = {0}, sampled = {0};
    struct fake_system *s = running("a1");

    (void)state;
    hcs_system_remove(fixture.hcs, "a1", true, on_done, &removed);
    compute_pump(&s->base);
    assert_int_equal(s->ends, 1);
    hcs_system_properties(fixture.hcs, "a1", true, on_properties, &sampled); /* beside the queue */
    come_back(0, 0);
    assert_true(sampled.has_statistics);
    exits(s);
    settle();
    assert_int_equal(only_one_under_way()->operation, HCS_OP_REMOVE);
    come_back(0, 0);
    assert_int_equal(removed.code, 0);
    assert_int_equal(removed.count, 1);
}

/* --- answers --- */

static void what_is_late_is_answered_once_and_goes_on(void **state)
{
    struct answer started = {0}, sampled = {0};
    struct fake_system *s = created("a1");

    (void)state;
    hcs_system_start(fixture.hcs, "a1", on_done, &started);
    compute_expire(&fixture.host->base);
    assert_int_equal(started.count, 0);
    only_one_under_way()->deadline_ns = 0;
    compute_expire(&fixture.host->base);
    compute_expire(&fixture.host->base);
    assert_int_equal(started.count, 1);
    assert_int_equal(started.code, ERR_DEADLINE);
    come_back(0, 0);
    assert_int_equal(started.count, 1);
    assert_int_equal(s->base.state, HCS_RUNNING);
    hcs_system_properties(fixture.hcs, "a1", true, on_properties, &sampled);
    only_one_under_way()->deadline_ns = 0;
    compute_expire(&fixture.host->base);
    assert_int_equal(sampled.code, ERR_DEADLINE);
    come_back(0, 0);
}

static void only_the_owners_made_systems_are_enumerated(void **state)
{
    cleanup_json cJSON *document = cJSON_CreateObject();
    struct answer all = {0}, owners = {0}, making = {0}, half = {0};

    (void)state;
    created("a1");
    created("a2");
    created("b1");
    hcs_system_create(fixture.hcs, "a3", document, NULL, 0, on_done, &making);
    hcs_system_enumerate(fixture.hcs, NULL, on_enumerate, &all);
    hcs_system_enumerate(fixture.hcs, "a", on_enumerate, &owners);
    hcs_system_properties(fixture.hcs, "a3", false, on_properties, &half);
    settle();
    assert_int_equal(all.systems, 3);
    assert_int_equal(owners.systems, 2);
    assert_int_equal(half.code, ERR_NOT_FOUND);
    come_back(0, 0);
}

/* --- logs --- */

static void on_entry(void *ctx, const struct hcs_log_entry *entry)
{
    (void)ctx;
    (void)entry;
}

static const struct hcs_log_options followed = {.wants_stdout = true, .follow = true, .tail = -1};

static char log_dir[sizeof "/tmp/skep-compute-XXXXXX"];

static void keep_a_log(void)
{
    snprintf(log_dir, sizeof log_dir, "/tmp/skep-compute-XXXXXX");
    assert_non_null(mkdtemp(log_dir));
    snprintf(fixture.host->log_path, sizeof fixture.host->log_path, "%s/output.log", log_dir);
    assert_ok(file_write_volatile(fixture.host->log_path, (struct bytes){0}, 0600, err));
}

/* Readers that were not closed are let go by it. */
static void close_and_remove_logs(void)
{
    hcs_close(fixture.hcs, on_closed, &fixture);
    while (!fixture.is_closed)
        uv_run(&fixture.loop, UV_RUN_ONCE);
    assert_ok(file_remove_tree(log_dir, err));
}

static void settle_well(void)
{
    for (int i = 0; i < 10; i++)
        settle();
}

static void a_followed_log_ends_with_its_system(void **state)
{
    struct answer ended = {0};
    const struct hcs_log_sink sink = {on_entry, on_done, &ended};
    struct fake_system *s = running("a1");
    struct hcs_log *log = NULL, *left_open = NULL;

    (void)state;
    assert_fails(hcs_log_open(fixture.hcs, "none", &followed, &sink, &log, err), ERR_NOT_FOUND, "No such container: none");
    assert_fails(hcs_log_open(fixture.hcs, "a1", &followed, &sink, &log, err), ERR_UNSUPPORTED, "does not support reading");
    keep_a_log();
    assert_ok(hcs_log_open(fixture.hcs, "a1", &followed, &sink, &log, err));
    assert_ok(hcs_log_open(fixture.hcs, "a1", &followed, &sink, &left_open, err));
    settle();
    assert_int_equal(ended.count, 0);
    exits(s);
    settle_well();
    assert_int_equal(ended.count, 2);
    hcs_log_close(log);
    close_and_remove_logs();
}

static void the_log_of_one_that_never_ran_ends_with_its_stop(void **state)
{
    struct answer ended = {0}, stopped = {0};
    const struct hcs_log_sink sink = {on_entry, on_done, &ended};
    struct hcs_log *log = NULL;

    (void)state;
    created("a1");
    keep_a_log();
    assert_ok(hcs_log_open(fixture.hcs, "a1", &followed, &sink, &log, err));
    settle_well();
    assert_int_equal(ended.count, 0);
    hcs_system_shutdown(fixture.hcs, "a1", "NONE", -1, on_done, &stopped);
    settle_well();
    assert_int_equal(stopped.count, 1);
    assert_int_equal(ended.count, 1);
    hcs_log_close(log);
    close_and_remove_logs();
}

/* --- the close --- */

static void a_close_tells_everyone_and_waits_for_what_is_under_way(void **state)
{
    struct answer starts = {0}, waiting = {0}, stopped = {0}, queued = {0};

    (void)state;
    running("r");
    one_start_too_many(&starts, &waiting);
    hcs_system_shutdown(fixture.hcs, "r", NULL, -1, on_done, &stopped);
    hcs_system_pause(fixture.hcs, "a1", on_done, &queued);
    hcs_close(fixture.hcs, on_closed, &fixture);
    come_back(0, 0); /* before it was told: no start may take the place */
    assert_int_equal(fixture.host->count, CONTAINER_STARTS_PARALLEL_COUNT - 1);
    assert_int_equal(starts.code, ERR_CANCELED);
    settle();
    assert_int_equal(waiting.code, ERR_CANCELED);
    assert_int_equal(stopped.code, ERR_CANCELED);
    assert_int_equal(queued.count, 1);
    assert_false(fixture.is_closed);
    all_come_back();
    assert_int_equal(starts.count, CONTAINER_STARTS_PARALLEL_COUNT);
    assert_int_equal(waiting.count + stopped.count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_system_does_one_thing_after_the_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_its_state_does_not_allow_is_refused_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_done_at_once_is_answered_later_and_holds_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_stands_behind_a_remove_finds_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_create_that_fails_leaves_no_system, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_so_many_start_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_start_that_waits_gives_way_to_an_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_start_that_hangs_is_given_up_for_an_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_start_behind_which_an_end_waits_is_not_begun, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_waits_for_the_end_is_told_once_all_is_cleaned_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stop_of_what_is_stopped_succeeds_whatever_the_signal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_shorter_grace_period_replaces_a_longer_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_forced_remove_ends_what_runs_once_and_then_removes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_late_is_answered_once_and_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_the_owners_made_systems_are_enumerated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_followed_log_ends_with_its_system, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_log_of_one_that_never_ran_ends_with_its_stop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_close_tells_everyone_and_waits_for_what_is_under_way, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
