/* tests/unit/runtime/windows/test_faults_windows.c – the back end against an emulated HCS that fails: hcs.md §9 and §10.3. */
#include "runtime/windows/answers.h"
#include "runtime/windows/service.h"
#include "tests/unit/runtime/windows/emulated.h"

static int set_up(void **state)
{
    struct fixture *f = fixture_new();

    f->options.poll_ms = 300;
    open_hcs(f);
    *state = f;
    return 0;
}

static int set_up_legacy(void **state)
{
    struct fixture *f = fixture_new();

    f->options.poll_ms = 300;
    f->options.prefers_legacy = true;
    open_hcs(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    script("");
    fixture_free(*state);
    return 0;
}

/* What HCS itself has, asked past the back end. */
static struct windows_service service;
static struct windows_api api;

static size_t systems_at_hcs(void)
{
    cleanup_arena struct arena arena = {0};
    struct windows_answer *all;
    size_t count = 0;
    cleanup_reply struct windows_reply reply = service.ops->enumerate(&service, NULL, 5000);

    assert_false(windows_failed(&reply));
    assert_ok(windows_read_systems(reply.text, &arena, &all, &count, err));
    return count;
}

static void remove_it(struct fixture *f, const char *id)
{
    forget(f);
    hcs_system_remove(f->hcs, id, true, on_done, f);
    wait_for(f, "removed done");
    assert_int_equal(systems_at_hcs(), 0);
}

static void each_code_of_a_failed_create_is_explained(void **state)
{
    static const struct {
        const char *rule, *code, *says;
    } rows[] = {
        {"create fail=0xC0370101", "ERR_UNSUPPORTED", "0xc0370101 (HCS_E_IMAGE_MISMATCH): the image's build of Windows does not fit"},
        {"create fail=0x80370102", "ERR_UNSUPPORTED", "enable the Hyper-V feature"},
        {"create fail=0x80370103", "ERR_UNAVAILABLE", "0x80370103"},
        {"create fail=0x80370109", "ERR_UNAVAILABLE", "HCS_E_CONNECTION_TIMEOUT"},
        {"create fail=0x8037011B", "ERR_PERMISSION", "Hyper-V Administrators"},
        {"create fail=0x80070005", "ERR_PERMISSION", "ERROR_ACCESS_DENIED"},
        {"create fail=0xC0351000", "ERR_UNSUPPORTED", "no hypervisor is present"},
        {"create fail=0x8037010D message=member X", "ERR_INTERNAL", "HCS refused our document; the host's build may be older"},
        {"create fail=0x80370112", "ERR_CORRUPT", "pull it again"},
        {"start fail=0x80370106", "ERR_PEER", "HCS_E_UNEXPECTED_EXIT"},
        {"start fail=0x80370108", "ERR_UNAVAILABLE", "the VM is terminated, try again"},
        {"start fail=0x80370109 but-done", "ERR_UNAVAILABLE", "HCS_E_CONNECTION_TIMEOUT"},
        {"create-process fail=0x8007052E", "ERR_INVALID", "ContainerAdministrator and ContainerUser"},
        {"create-process fail=0x8007010B", "ERR_INVALID", "the working directory is invalid"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        script(rows[i].rule);
        create(f, "fails", "\"--sleep\"");
        start(f, "fails");
        wait_for(f, rows[i].code);
        if (!strstr(f->last.message, rows[i].says))
            fail_msg("%s gives \"%s\"", rows[i].rule, f->last.message);
        hcs_system_properties(f->hcs, "fails", false, on_properties, f);
        wait_for(f, "Stopped");
        script("");
        remove_it(f, "fails");
    }
}

static void what_hcs_said_is_told(void **state)
{
    struct fixture *f = *state;

    script("create fail=0x8037010D message=unknown member Container.Wings");
    create(f, "said", "\"--sleep\"");
    start(f, "said");
    wait_for(f, "ERR_INTERNAL");
    assert_non_null(strstr(f->last.message, "unknown member Container.Wings"));
}

/* Nothing is answered; whether it was done is seen by asking, and nothing stays behind. */
static void a_hung_call_ends_with_its_deadline(void **state)
{
    static const char *const rules[] = {"create hang", "create hang but-done", "start hang", "start hang but-done", "create-process hang"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        script(rules[i]);
        create(f, "hangs", "\"--sleep\"");
        start(f, "hangs");
        wait_for(f, "ERR_DEADLINE");
        assert_non_null(strstr(f->last.message, "0x80370118"));
        script("");
        assert_int_equal(systems_at_hcs(), 0);
        remove_it(f, "hangs");
    }
}

static void a_terminate_gives_up_a_hung_start(void **state)
{
    struct fixture *f = *state;

    f->options.call_ms = 30000;
    close_hcs(f);
    open_hcs(f);
    script("start hang");
    create(f, "given-up", "\"--sleep\"");
    start(f, "given-up");
    for (int i = 0; i < 50; i++) {
        uv_run(&f->loop, UV_RUN_NOWAIT);
        Sleep(10);
    }
    hcs_system_terminate(f->hcs, "given-up", on_done, f);
    wait_for(f, "ERR_CANCELED done");
    assert_int_equal(systems_at_hcs(), 0);
}

static void a_notification_that_never_comes_is_made_up_by_asking(void **state)
{
    struct fixture *f = *state;

    script("create hang but-done\nstart hang but-done");
    create(f, "silent", "\"--sleep\"");
    start(f, "silent");
    wait_for(f, "started done");
    script("");
    forget(f);
    hcs_system_terminate(f->hcs, "silent", on_done, f);
    wait_for(f, "exited=1 done");
}

static void an_exit_that_is_not_told_is_found(void **state)
{
    struct fixture *f = *state;

    script("create-process lose-exit");
    create(f, "lost", "\"--exit\",\"9\"");
    start(f, "lost");
    wait_for(f, "exited=9");
}

static void an_exit_that_is_told_twice_is_told_once(void **state)
{
    struct fixture *f = *state;

    script("create-process exit-twice\nstart exit-twice");
    create(f, "twice", "\"--exit\",\"4\"");
    start(f, "twice");
    wait_for(f, "exited=4");
    for (int i = 0; i < 60; i++) {
        uv_run(&f->loop, UV_RUN_NOWAIT);
        Sleep(10);
    }
    assert_null(strstr(strstr(f->story, "exited=4") + 1, "exited"));
}

static void an_exit_before_start_returns_fails_the_start(void **state)
{
    struct fixture *f = *state;

    script("start exit-first=5");
    create(f, "early", "\"--sleep\"");
    start(f, "early");
    wait_for(f, "ERR_PEER");
    assert_non_null(strstr(f->last.message, "HCS_E_TERMINATED_DURING_START"));
    assert_null(strstr(f->story, "exited"));
    script("");
    remove_it(f, "early");
}

static void a_process_whose_wait_failed_is_recovered(void **state)
{
    struct fixture *f = *state;

    script("create-process no-info");
    create(f, "recovered", "\"--exit\",\"6\"");
    start(f, "recovered");
    wait_for(f, "exited=6");
    assert_null(strstr(f->story, "ERR_"));
}

static void a_terminate_that_fails_is_reported(void **state)
{
    struct fixture *f = *state;

    create(f, "held", "\"--sleep\"");
    start(f, "held");
    wait_for(f, "started done");
    script("terminate fail=0x80370105");
    hcs_system_terminate(f->hcs, "held", on_done, f);
    wait_for(f, "ERR_PRECONDITION");
    assert_non_null(strstr(f->last.message, "terminate: Windows answered 0x80370105"));
    script("terminate hang");
    hcs_system_terminate(f->hcs, "held", on_done, f);
    wait_for(f, "ERR_DEADLINE");
    hcs_system_properties(f->hcs, "held", false, on_properties, f);
    wait_for(f, "Running");
    script("terminate fail=0x80370105 but-done");
    forget(f);
    hcs_system_terminate(f->hcs, "held", on_done, f); /* it says no, and has done it */
    wait_for(f, "exited=1 done");
}

static void a_lost_service_is_found_again(void **state)
{
    struct fixture *f = *state;

    create(f, "survives", "\"--sleep\",\"1500\"");
    start(f, "survives");
    wait_for(f, "started done");
    script("properties disconnect count=1");
    hcs_system_properties(f->hcs, "survives", true, on_properties, f);
    wait_for(f, "Running");
    wait_for(f, "exited=0");
}

static void a_dead_service_takes_its_systems_along(void **state)
{
    struct fixture *f = *state;

    create(f, "dies", "\"--sleep\"");
    start(f, "dies");
    wait_for(f, "started done");
    emulated_quit();
    wait_for(f, "exited=-1");
    remove_it(f, "dies");
}

static struct windows_handle *make_stranger(const char *id, const char *owner)
{
    cleanup_free char *text = mem_format("{\"Owner\":\"%s\",\"SchemaVersion\":{\"Major\":2,\"Minor\":1},\"Container\":{}}", owner);
    struct windows_handle *handle = NULL;
    cleanup_reply struct windows_reply reply = service.ops->create(&service, id, text, NULL, 5000, &handle);

    assert_false(windows_failed(&reply));
    return handle;
}

static void a_system_of_another_owner_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct windows_handle *stranger = make_stranger("shared", "docker"), *leftover = make_stranger("mine", "skep-test");

    create(f, "shared", "\"--sleep\"");
    start(f, "shared");
    wait_for(f, "ERR_EXISTS");
    assert_non_null(strstr(f->last.message, "belongs to docker"));
    service.ops->close(leftover);
    create(f, "mine", "\"--exit\",\"2\"");
    start(f, "mine");
    wait_for(f, "exited=2"); /* ours of an earlier life made way */
    close_hcs(f);
    service.ops->close(make_stranger("unrecorded", "skep-test"));
    open_hcs(f); /* and is swept where there is no record */
    assert_int_equal(systems_at_hcs(), 1);
    cleanup_reply struct windows_reply reply = service.ops->terminate(stranger, 5000);
    assert_false(windows_failed(&reply));
    service.ops->close(stranger);
}

static void layers_that_are_not_ready_are_tried_again(void **state)
{
    struct fixture *f = *state;

    script("prepare-layer fail=0x80070015 count=3");
    create(f, "late-disk", "\"--exit\",\"0\"");
    start(f, "late-disk");
    wait_for(f, "exited=0");
    script("prepare-layer fail=0x80070015");
    create(f, "no-disk", "\"--exit\",\"0\"");
    start(f, "no-disk");
    wait_for(f, "ERR_AGAIN");
    script("destroy-layer fail=0x80070020 count=3");
    remove_it(f, "no-disk");
    script("destroy-layer fail=0x80070005");
    forget(f);
    hcs_system_remove(f->hcs, "late-disk", false, on_done, f);
    wait_for(f, "ERR_PERMISSION");
    script("");
    remove_it(f, "late-disk");
}

static void a_scratch_that_cannot_be_made_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    cleanup_json cJSON *json = document_of("missing", "\"x\"", NO_NETWORK);
    cleanup_free char *dir = mem_format("%s/containers/nothing", f->state_dir);

    hcs_system_create(f->hcs, "nothing", json, NULL, 0, on_done, f);
    wait_for(f, "ERR_NOT_FOUND");
    assert_false(file_exists(dir));
}

static void a_host_without_hcs_says_what_is_missing(void **state)
{
    struct windows_service out;
    struct windows_api none = {0};

    (void)state;
    assert_fails(windows_service_core(&none, &out, err), ERR_UNSUPPORTED,
                 "computecore.dll has no HcsCreateOperation: it comes with Windows build 17763");
    assert_fails(windows_service_legacy(&none, &out, err), ERR_UNSUPPORTED,
                 "vmcompute.dll has no HcsEnumerateComputeSystems: it comes with Windows build 14393");
    none = api;
    none.core.HcsSignalProcess = NULL;
    assert_fails(windows_service_core(&none, &out, err), ERR_UNSUPPORTED, "no HcsSignalProcess");
    assert_fails(windows_api_need(NULL, "computestorage.dll", "HcsSetupBaseOSVolume", "import a layer", err), ERR_UNSUPPORTED,
                 "import a layer: this host's computestorage.dll has no HcsSetupBaseOSVolume: it comes with Windows build 19645");
}

static int start_all(void **state)
{
    struct error err = {0};

    if (emulated_start(state) < 0)
        return -1;
    windows_api_load(&api);
    return windows_service_core(&api, &service, &err);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_LEGACY(name)                                                                                                                  \
    {                                                                                                                                      \
        "vmcompute: " #name, name, set_up_legacy, tear_down, NULL                                                                          \
    }

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(each_code_of_a_failed_create_is_explained),
        TEST(what_hcs_said_is_told),
        TEST(a_hung_call_ends_with_its_deadline),
        TEST(a_terminate_gives_up_a_hung_start),
        TEST(an_exit_that_is_not_told_is_found),
        TEST(an_exit_that_is_told_twice_is_told_once),
        TEST(an_exit_before_start_returns_fails_the_start),
        TEST(a_process_whose_wait_failed_is_recovered),
        TEST(a_terminate_that_fails_is_reported),
        TEST(a_lost_service_is_found_again),
        TEST(a_system_of_another_owner_is_left_alone),
        TEST(layers_that_are_not_ready_are_tried_again),
        TEST(a_scratch_that_cannot_be_made_leaves_nothing),
        TEST_LEGACY(a_notification_that_never_comes_is_made_up_by_asking),
        TEST_LEGACY(an_exit_that_is_not_told_is_found),
        TEST_LEGACY(an_exit_that_is_told_twice_is_told_once),
        cmocka_unit_test(a_host_without_hcs_says_what_is_missing),
        TEST(a_dead_service_takes_its_systems_along),
    };
    int child = emulated_main_child(argc, argv);

    return child >= 0 ? child : cmocka_run_group_tests(tests, start_all, emulated_stop);
}
