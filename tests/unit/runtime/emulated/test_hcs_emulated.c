/* tests/unit/runtime/emulated/test_hcs_emulated.c */
#include "runtime/emulated/hcs_emulated.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "tests/unit/test.h"

/* What happened, in order, as words: "done", "done:ERR_IO", "started", "exited 3". */
struct fixture {
    struct hcs *hcs;
    struct random_seeded seed;
    struct hcs_listener listener;
    char story[512];
    uint64_t now_ns;
    enum hcs_state state;
    struct hcs_process *process;
};

static void note(struct fixture *f, const char *format, ...) __attribute__((format(SKEP_PRINTF, 2, 3)));
static void note(struct fixture *f, const char *format, ...)
{
    size_t length = strlen(f->story);
    va_list args;

    va_start(args, format);
    if (length)
        f->story[length++] = ' ';
    vsnprintf(f->story + length, sizeof f->story - length, format, args);
    va_end(args);
}

static void on_event(void *ctx, const struct hcs_event *event)
{
    if (event->type == HCS_EVENT_EXITED)
        note(ctx, "exited=%d", event->properties->exit_code);
    else
        note(ctx, "%s", hcs_event_name(event->type));
}

static void on_done(void *ctx, const struct error *err)
{
    note(ctx, "%s", err ? error_name(err->code) : "done");
}

static void on_properties(void *ctx, const struct hcs_properties *p, const struct error *err)
{
    note(ctx, "%s", err ? error_name(err->code) : hcs_state_name(p->state));
}

static void on_list(void *ctx, const struct hcs_properties *systems, size_t count, const struct error *err)
{
    (void)err;
    note(ctx, "%zu", count);
    for (size_t i = 0; i < count; i++)
        note(ctx, "%s=%s", systems[i].name, hcs_state_name(systems[i].state));
}

static void step(struct fixture *f, uint64_t seconds)
{
    f->now_ns += seconds * NS_PER_S;
    hcs_emulated_step(f->hcs, f->now_ns, (int64_t)f->now_ns);
}

static void create(struct fixture *f, const char *id, const char *args)
{
    cleanup_free char *text = mem_format("{\"Owner\":\"skep\",\"Container\":{\"Storage\":{\"Layers\":[{\"Path\":\"/l\"}]}},"
                                         "\"Skep\":{\"Name\":\"web.%s\",\"Process\":{\"CommandArgs\":[%s]},"
                                         "\"Network\":{\"Ports\":[{\"TargetPort\":80}]}}}",
                                         id, args);
    cleanup_json cJSON *json = NULL;

    assert_ok(json_parse(bytes_of_string(text), 10000, &json, err));
    hcs_system_create(f->hcs, id, json, NULL, 0, on_done, f);
    step(f, 1);
}

static int set_up(void **state)
{
    struct fixture *f = mem_alloc(sizeof *f);
    struct hcs_emulated_options options = {0};

    random_seeded_init(&f->seed, 1);
    options.random = random_from_seeded(&f->seed);
    f->now_ns = NS_PER_S;
    assert_ok(hcs_emulated_new(&options, f->now_ns, (int64_t)f->now_ns, &f->hcs, err));
    f->listener = (struct hcs_listener){.on_event = on_event, .ctx = f};
    hcs_subscribe(f->hcs, &f->listener);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hcs_close(f->hcs, NULL, NULL);
    free(f);
    return 0;
}

static void a_system_lives_and_dies(void **state)
{
    struct fixture *f = *state;

    create(f, "a", "\"serve\"");
    hcs_system_start(f->hcs, "a", on_done, f);
    assert_string_equal(f->story, "created done"); /* no callback from inside the call */
    step(f, 1);
    hcs_system_shutdown(f->hcs, "a", NULL, 1000, on_done, f);
    step(f, 1);
    hcs_system_remove(f->hcs, "a", false, on_done, f);
    step(f, 1);
    assert_string_equal(f->story, "created done started done exited=143 done removed done");
}

static void commands_end_by_themselves(void **state)
{
    struct fixture *f = *state;

    create(f, "a", "\"exit\",\"3\"");
    create(f, "b", "\"sleep\",\"10\"");
    hcs_system_start(f->hcs, "a", on_done, f);
    hcs_system_start(f->hcs, "b", on_done, f);
    step(f, 0);
    step(f, 0);
    assert_string_equal(f->story, "created done created done started done started done exited=3");
    f->story[0] = '\0';
    step(f, 9);
    assert_string_equal(f->story, "");
    step(f, 1);
    assert_string_equal(f->story, "exited=0");
}

static void a_hung_start_meets_its_deadline_and_can_be_terminated(void **state)
{
    struct fixture *f = *state;

    assert_ok(hcs_emulated_script(f->hcs, "# one only\nstart hang name=web count=1", err));
    create(f, "a", "\"serve\"");
    hcs_system_start(f->hcs, "a", on_done, f);
    step(f, 59);
    assert_string_equal(f->story, "created done");
    hcs_system_properties(f->hcs, "a", false, on_properties, f);
    step(f, 1);
    hcs_system_terminate(f->hcs, "a", on_done, f);
    step(f, 1);
    assert_string_equal(f->story, "created done Created ERR_DEADLINE done");
}

static void scripted_faults_tell_their_stories(void **state)
{
    static const struct {
        const char *script, *story;
    } cases[] = {
        {"start fail code=ERR_IO message=no luck", "created done ERR_IO Stopped"},
        {"start fail-but-done code=ERR_INTERNAL", "created done started ERR_INTERNAL Running"},
        {"start exit-first exit=7", "created done started exited=7 done Stopped"},
        {"start slow delay=5s", "created done Created"},
        {"create fail code=ERR_NO_SPACE", "ERR_NO_SPACE ERR_NOT_FOUND ERR_NOT_FOUND"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        f->story[0] = '\0';
        hcs_emulated_clear_rules(f->hcs);
        assert_ok(hcs_emulated_script(f->hcs, cases[i].script, err));
        create(f, "a", "\"serve\"");
        hcs_system_start(f->hcs, "a", on_done, f);
        step(f, 1);
        hcs_system_properties(f->hcs, "a", false, on_properties, f);
        step(f, 1);
        assert_string_equal(f->story, cases[i].story);
        step(f, 100);
        hcs_system_remove(f->hcs, "a", true, on_done, f);
        step(f, 1);
    }
}

static void a_lost_exit_shows_in_the_properties_only(void **state)
{
    struct fixture *f = *state;

    assert_ok(hcs_emulated_script(f->hcs, "start lose-exit", err));
    create(f, "a", "\"serve\"");
    hcs_system_start(f->hcs, "a", on_done, f);
    step(f, 1);
    assert_ok(hcs_emulated_exit(f->hcs, "a", 1, true, err));
    hcs_system_properties(f->hcs, "a", false, on_properties, f);
    step(f, 1);
    assert_string_equal(f->story, "created done started done Stopped");
}

static void a_late_exit_comes_after_the_answer(void **state)
{
    struct fixture *f = *state;

    assert_ok(hcs_emulated_script(f->hcs, "shutdown late-exit delay=3s", err));
    create(f, "a", "\"serve\"");
    hcs_system_start(f->hcs, "a", on_done, f);
    step(f, 1);
    hcs_system_shutdown(f->hcs, "a", NULL, 0, on_done, f);
    step(f, 1);
    assert_string_equal(f->story, "created done started done done");
    step(f, 3);
    assert_string_equal(f->story, "created done started done done exited=137");
}

static void a_bad_script_names_its_line(void **state)
{
    struct fixture *f = *state;

    assert_fails(hcs_emulated_script(f->hcs, "\nstart explode", err), ERR_INVALID, "line 2: no such fault: explode");
    assert_fails(hcs_emulated_script(f->hcs, "dance hang", err), ERR_INVALID, "line 1: no such operation: dance");
    assert_fails(hcs_emulated_script(f->hcs, "start hang count=x", err), ERR_INVALID, "line 1");
    assert_fails(hcs_emulated_script(f->hcs, "start fail code=ERR_X", err), ERR_INVALID, "no such error code");
}

static void systems_outlive_a_restart(void **state)
{
    struct fixture *f = *state;

    create(f, "a", "\"serve\"");
    create(f, "b", "\"serve\"");
    hcs_system_start(f->hcs, "b", on_done, f);
    step(f, 1);
    hcs_system_start(f->hcs, "a", on_done, f);
    f->hcs = hcs_emulated_restart(f->hcs, f->now_ns, (int64_t)f->now_ns);
    f->story[0] = '\0';
    hcs_system_enumerate(f->hcs, "skep", on_list, f);
    hcs_system_enumerate(f->hcs, "other", on_list, f);
    step(f, 1);
    assert_string_equal(f->story, "2 web.a=Created web.b=Running 0");
}

static void systems_outlive_the_process_in_a_file(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *path = mem_format("build/emulated-memory.%d", (int)getpid());
    struct hcs_emulated_options options = {.random = random_from_seeded(&f->seed), .memory_path = path};
    struct hcs *first = f->hcs, *second;

    assert_ok(hcs_emulated_new(&options, f->now_ns, (int64_t)f->now_ns, &f->hcs, err));
    create(f, "a", "\"serve\"");
    hcs_system_start(f->hcs, "a", on_done, f);
    step(f, 1);
    assert_ok(hcs_emulated_new(&options, f->now_ns, (int64_t)f->now_ns, &second, err));
    hcs_close(f->hcs, NULL, NULL);
    f->hcs = second;
    f->story[0] = '\0';
    hcs_system_enumerate(f->hcs, NULL, on_list, f);
    step(f, 1);
    assert_string_equal(f->story, "1 web.a=Running");
    hcs_close(second, NULL, NULL);
    f->hcs = first;
    unlink(path);
}

static void on_process_exit(void *ctx, const struct hcs_process_exit *exit, const struct error *err)
{
    if (err)
        note(ctx, "%s", error_name(err->code));
    else
        note(ctx, "process=%d:%.*s", exit->exit_code, (int)exit->output.size, (const char *)exit->output.data);
}

static void on_process(void *ctx, struct hcs_process *process, const struct error *err)
{
    struct fixture *f = ctx;

    f->process = process;
    if (err)
        note(f, "%s", error_name(err->code));
    else
        hcs_process_wait(process, 1000, on_process_exit, f);
}

static void a_health_check_gets_the_result_that_was_set(void **state)
{
    struct fixture *f = *state;
    cleanup_json cJSON *parameters = NULL;

    assert_ok(json_parse(bytes_of_string("{\"CommandArgs\":[\"check\"]}"), 1000, &parameters, err));
    create(f, "a", "\"serve\"");
    hcs_process_create(f->hcs, "a", parameters, 100, on_process, f);
    step(f, 1);
    hcs_system_start(f->hcs, "a", on_done, f);
    step(f, 1);
    hcs_emulated_set_process_result(f->hcs, "web", 1, "unwell");
    hcs_process_create(f->hcs, "a", parameters, 2, on_process, f);
    step(f, 1);
    step(f, 1);
    assert_string_equal(f->story, "created done ERR_PRECONDITION started done process=1:un");
    hcs_process_close(f->process);
}

static void on_entry(void *ctx, const struct hcs_log_entry *entry)
{
    note(ctx, "[%.*s]", (int)entry->text.size - 1, (const char *)entry->text.data);
}

static void on_end(void *ctx, const struct error *err)
{
    (void)err;
    note(ctx, "end");
}

static void an_echo_is_heard_in_the_log(void **state)
{
    struct fixture *f = *state;
    struct hcs_log_options options = {.wants_stdout = true, .wants_stderr = true, .follow = true, .tail = -1};
    struct hcs_log_sink sink = {on_entry, on_end, f};
    struct hcs_log *log;

    create(f, "a", "\"echo\",\"hello\",\"there\"");
    assert_ok(hcs_log_open(f->hcs, "a", &options, &sink, &log, err));
    hcs_system_start(f->hcs, "a", on_done, f);
    step(f, 1);
    step(f, 1);
    step(f, 1);
    assert_string_equal(f->story, "created done started done [hello there] exited=0 end");
    hcs_log_close(log);
}

static void closing_answers_what_is_open(void **state)
{
    struct fixture *f = *state;
    struct hcs_emulated_options options = {.random = random_from_seeded(&f->seed)};
    struct hcs *other;

    assert_ok(hcs_emulated_new(&options, 0, 0, &other, err));
    hcs_system_start(other, "a", on_done, f);
    hcs_close(other, NULL, NULL);
    assert_string_equal(f->story, "ERR_CANCELED");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_system_lives_and_dies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(commands_end_by_themselves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_hung_start_meets_its_deadline_and_can_be_terminated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(scripted_faults_tell_their_stories, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lost_exit_shows_in_the_properties_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_late_exit_comes_after_the_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_bad_script_names_its_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(systems_outlive_a_restart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(systems_outlive_the_process_in_a_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_health_check_gets_the_result_that_was_set, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_echo_is_heard_in_the_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(closing_answers_what_is_open, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
