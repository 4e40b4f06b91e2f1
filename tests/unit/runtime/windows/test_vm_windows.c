/* test_vm_windows.c – hyperv isolation in schema 2 against the emulated HCS: a utility VM and the container hosted in it live and end
 * together, whatever goes wrong. */
#include "tests/unit/runtime/windows/emulated.h"

#include "runtime/windows/service.h"
#include "runtime/windows/timed.h"

#define HYPERV        ",\"Isolation\":\"hyperv\""
#define HYPERV_NO_NET NO_NETWORK HYPERV

static int set_up(void **state)
{
    struct fixture *f = fixture_new();

    f->options.poll_ms = 200;
    open_hcs(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture_free(*state);
    return 0;
}

/* --- what HCS has, and what it was given --- */

static char *systems_at_hcs(void)
{
    static struct windows_api api;
    struct windows_service service;

    if (!api.has_core)
        windows_api_load(&api);
    assert_ok(windows_service_core(&api, &service, err));
    return service.ops->enumerate(&service, NULL, 5000).text;
}

static void assert_nothing_is_left(struct fixture *f, const char *id)
{
    cleanup_free char *vm_dir = mem_format("%s/containers/%s/vm", f->state_dir, id), *systems = NULL;

    for (int tries = 0; tries < 100; tries++) {
        free(systems);
        systems = systems_at_hcs();
        if (strcmp(systems, "[]") == 0)
            break;
        Sleep(20);
    }
    assert_string_equal(systems, "[]");
    assert_false(file_exists(vm_dir));
}

static char *requests_path(void)
{
    return mem_format("%s/requests.jsonl", emulated_dir);
}

static void record_requests(void)
{
    cleanup_free char *path = requests_path();

    assert_ok(file_write_volatile(path, bytes_of_string(""), 0600, err));
}

static char *recorded_requests(void)
{
    cleanup_free char *path = requests_path();
    cleanup_buf struct buf text = {0};

    assert_ok(file_read(path, MIB, &text, err));
    DeleteFileA(path);
    return buf_steal_string(&text);
}

/* Each in its place, after the one before. */
static void assert_in_order(const char *text, const char *const *parts)
{
    const char *at = text;

    for (; *parts; parts++) {
        const char *found = strstr(at, *parts);
        if (!found)
            fail_msg("no %s where it should be in %s", *parts, text);
        at = found + 1;
    }
}

static void create_vm(struct fixture *f, const char *id, const char *args)
{
    create_with(f, id, "vm", args, HYPERV_NO_NET);
}

/* --- as it should go --- */

static void a_container_runs_in_its_utility_vm(void **state)
{
    static const char *const order[] = {"{\"call\":\"create\",\"id\":\"whole@vm\"",
                                        "VirtualSmb/Shares",
                                        "/Attachments/1",
                                        "\"MappedVirtualDisk\"",
                                        "\"CombinedLayers\"",
                                        "\"NetworkNamespace\"",
                                        "\"PreAdd\"",
                                        "/NetworkAdapters/",
                                        "volumes\\\\0",
                                        "MappedPipes/",
                                        "{\"call\":\"create\",\"id\":\"whole\"",
                                        "\"HostingSystemId\":\"whole@vm\"",
                                        "\"HostedSystem\"",
                                        NULL};
    struct fixture *f = *state;
    cleanup_free char *requests = NULL;

    record_requests();
    create_with(f, "whole", "vm", "\"--exit\",\"7\"",
                HYPERV ",\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"\",\"Target\":\"C:\\\\data\"},"
                       "{\"Type\":\"npipe\",\"Source\":\"\\\\\\\\.\\\\pipe\\\\a\",\"Target\":\"\\\\\\\\.\\\\pipe\\\\b\"}]"
                       ",\"Network\":{\"Ports\":[{\"TargetPort\":80,\"PublishedPort\":8091}]}");
    start(f, "whole");
    wait_for(f, "exited=7");
    wait_for(f, "done");
    requests = recorded_requests();
    assert_in_order(requests, order);
    assert_nothing_is_left(f, "whole");
    forget(f);
    hcs_system_remove(f->hcs, "whole", false, on_done, f);
    wait_for(f, "removed done");
}

static void it_is_stopped_counted_changed_and_killed(void **state)
{
    struct fixture *f = *state;
    cleanup_json cJSON *memory =
        cJSON_Parse("{\"ResourcePath\":\"Container/Memory/SizeInMB\",\"RequestType\":\"Update\",\"Settings\":129}");
    cleanup_free char *requests = NULL;

    create_vm(f, "stops", "\"--sleep\"");
    start(f, "stops");
    wait_for(f, "started done");
    hcs_system_properties(f->hcs, "stops", true, on_properties, f);
    wait_for(f, "Running");
    assert_int_equal(f->pids, 1);
    record_requests();
    forget(f);
    hcs_system_modify(f->hcs, "stops", memory, on_done, f);
    wait_for(f, "done");
    requests = recorded_requests();
    assert_non_null(strstr(requests,
                           "\"id\":\"stops@vm\",\"document\":{\"ResourcePath\":\"VirtualMachine/ComputeTopology/Memory/SizeInMB\","
                           "\"RequestType\":\"Update\",\"Settings\":130}"));
    forget(f);
    hcs_system_shutdown(f->hcs, "stops", NULL, 10000, on_done, f);
    wait_for(f, "exited=-1073741510 done");
    assert_nothing_is_left(f, "stops");
    create_vm(f, "killed", "\"--sleep\"");
    start(f, "killed");
    wait_for(f, "started done");
    forget(f);
    hcs_system_terminate(f->hcs, "killed", on_done, f);
    wait_for(f, "exited=1 done");
    assert_nothing_is_left(f, "killed");
}

static void one_that_is_stuck_ends_with_its_vm(void **state)
{
    struct fixture *f = *state;

    create_vm(f, "stuck", "\"--sleep\"");
    start(f, "stuck");
    wait_for(f, "started done");
    script("terminate id=stuck count=1 hang\n");
    forget(f);
    hcs_system_terminate(f->hcs, "stuck", on_done, f);
    wait_for(f, "exited=");
    wait_for(f, "done");
    assert_nothing_is_left(f, "stuck");
}

static void an_image_before_schema_2_has_the_vm_of_schema_1(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *requests = NULL;

    record_requests();
    create_with(f, "older", "vm", "\"--exit\",\"3\"", HYPERV_NO_NET ",\"Image\":{\"OsVersion\":\"10.0.14393.5000\"}");
    start(f, "older");
    wait_for(f, "exited=3");
    requests = recorded_requests();
    assert_non_null(strstr(requests, "\"HvPartition\":true"));
    assert_null(strstr(requests, "@vm"));
    assert_nothing_is_left(f, "older");
}

#define SPEC "{\"CmsPlugins\":[\"ActiveDirectory\"],\"DomainJoinConfig\":{\"Sid\":\"S-1\"},\"ActiveDirectoryConfig\":{}}"

static char *guards_at_hcs(void)
{
    static struct windows_api api;
    PWSTR text = NULL;

    if (!api.has_core)
        windows_api_load(&api);
    assert_true(SUCCEEDED(api.core.HcsGetServiceProperties(L"{\"PropertyTypes\":[\"ContainerCredentialGuard\"]}", &text)));
    return windows_take(text);
}

static void assert_no_guards(void)
{
    cleanup_free char *guards = guards_at_hcs();

    assert_string_equal(guards, "{\"Properties\":[{\"Instances\":[]}]}");
}

static void write_spec(struct fixture *f, const char *text)
{
    cleanup_free char *dir = mem_format("%s/CredentialSpecs", f->state_dir), *path = mem_format("%s/web.json", dir);

    assert_ok(file_make_dirs(dir, 0700, err));
    assert_ok(file_write_volatile(path, bytes_of_string(text), 0600, err));
}

/* In process isolation, in a utility VM of ours and in one of schema 1. */
static void a_credential_spec_is_handed_to_hcs(void **state)
{
    static const struct {
        const char *id, *more, *transport;
    } rows[] = {{"silo", NO_NETWORK, "\"Transport\":\"LRPC\""},
                {"hosted", HYPERV_NO_NET, "\"Transport\":\"HvSocket\""},
                {"before", HYPERV_NO_NET ",\"Image\":{\"OsVersion\":\"10.0.14393.1\"}", "\"Credentials\":\"{\\\"CmsPlugins"}};
    struct fixture *f = *state;

    write_spec(f, SPEC);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cleanup_free char *more = mem_format("%s,\"Windows\":{\"CredentialSpec\":\"file://web.json\"}", rows[i].more);
        cleanup_free char *requests = NULL;
        record_requests();
        create_with(f, rows[i].id, "vm", "\"--exit\",\"0\"", more);
        start(f, rows[i].id);
        wait_for(f, "exited=0");
        requests = recorded_requests();
        assert_non_null(strstr(requests, rows[i].transport));
        assert_nothing_is_left(f, rows[i].id);
        assert_no_guards();
    }
}

static void create_with_spec(struct fixture *f, const char *id)
{
    write_spec(f, SPEC);
    create_with(f, id, "vm", "\"--sleep\"", NO_NETWORK ",\"Windows\":{\"CredentialSpec\":\"file://web.json\"}");
}

/* What is made too late is undone. */
static void a_guard_that_does_not_come_in_time_is_waited_for_no_longer(void **state)
{
    static const struct {
        const char *rule, *said;
    } rows[] = {
        {"modify-service with=AddInstance delay=3500\n", "HcsModifyServiceSettings did not return within 1500 ms: the Host Compute "},
        {"modify-service with=RemoveInstance count=1 delay=3500\n", "HcsModifyServiceSettings did not return within 1500 ms"},
        {"service-properties delay=3500\n", "HcsGetServiceProperties did not return within 1500 ms"}};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cleanup_free char *id = mem_format("late%zu", i);
        ULONGLONG end = GetTickCount64() + EMULATED_WAIT_MS;
        create_with_spec(f, id);
        script(rows[i].rule);
        start(f, id);
        wait_for(f, "ERR_DEADLINE");
        if (!strstr(f->last.message, rows[i].said))
            fail_msg("%s: %s", rows[i].rule, f->last.message);
        script("");
        while (windows_timed_late(WINDOWS_ASKED_HCS) > 0 && GetTickCount64() < end)
            Sleep(10);
        assert_int_equal(windows_timed_late(WINDOWS_ASKED_HCS), 0);
        assert_nothing_is_left(f, id);
        assert_no_guards();
        forget(f);
    }
}

static void modify_service(const WCHAR *text)
{
    struct windows_api api;
    PWSTR answer = NULL;

    windows_api_load(&api);
    assert_true(SUCCEEDED(api.core.HcsModifyServiceSettings(text, &answer)));
    free(windows_take(answer));
}

/* And another's stays. */
static void a_guard_of_an_earlier_life_is_removed(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *guards = NULL;

    modify_service(L"{\"PropertyType\":\"ContainerCredentialGuard\",\"Settings\":{\"Operation\":\"AddInstance\","
                   L"\"OperationDetails\":{\"Id\":\"another\",\"CredentialSpec\":\"{\\\"DomainJoinConfig\\\":{},"
                   L"\\\"ActiveDirectoryConfig\\\":{}}\",\"Transport\":\"LRPC\"}}}");
    create_with_spec(f, "guarded");
    start(f, "guarded");
    wait_for(f, "started done");
    close_hcs(f);
    free(f->state_dir);
    f->state_dir = mem_format("%s/guards", emulated_dir);
    open_hcs(f);
    guards = guards_at_hcs();
    assert_null(strstr(guards, "skep-test_guarded"));
    assert_non_null(strstr(guards, "\"another\""));
    modify_service(L"{\"PropertyType\":\"ContainerCredentialGuard\",\"Settings\":{\"Operation\":\"RemoveInstance\","
                   L"\"OperationDetails\":{\"Id\":\"another\"}}}");
    assert_nothing_is_left(f, "guarded");
}

/* What is its system's stays with it. */
static void a_guard_is_kept_by_the_next_daemon(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *guards = NULL;

    create_with_spec(f, "kept");
    start(f, "kept");
    wait_for(f, "started done");
    close_hcs(f);
    open_hcs(f);
    guards = guards_at_hcs();
    assert_non_null(strstr(guards, "skep-test_kept"));
    forget(f);
    hcs_system_terminate(f->hcs, "kept", on_done, f);
    wait_for(f, "exited=1 done");
    assert_nothing_is_left(f, "kept");
    assert_no_guards();
}

static void a_credential_spec_that_is_none_is_refused_at_create(void **state)
{
    static const struct {
        const char *spec, *said;
    } rows[] = {{"file://absent.json", "credential spec file://absent.json"},
                {"file://web.json", "file://web.json: not JSON"},
                {"file://..\\\\document.json", "below CredentialSpecs"},
                {"registry://skep-has-no-such-value", "credential spec registry://skep-has-no-such-value"}};
    struct fixture *f = *state;

    write_spec(f, "no spec");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cleanup_free char *more = mem_format(HYPERV_NO_NET ",\"Windows\":{\"CredentialSpec\":\"%s\"}", rows[i].spec);
        cleanup_json cJSON *json = document_of("vm", "\"--exit\",\"0\"", more);
        forget(f);
        hcs_system_create(f->hcs, "none", json, NULL, 0, on_done, f);
        wait_for(f, "ERR_");
        if (!strstr(f->last.message, rows[i].said))
            fail_msg("%s: %s", rows[i].spec, f->last.message);
    }
}

/* --- what goes wrong --- */

static void a_failed_start_leaves_no_vm(void **state)
{
    static const struct {
        const char *rule, *said;
    } rows[] = {
        {"create id=@vm fail=0x80370102\n", "create its utility VM"},
        {"create id=@vm hang but-done\n", "create its utility VM"},
        {"start id=@vm fail=0x80370109\n", "start its utility VM"},
        {"start id=@vm hang but-done\n", "start its utility VM"},
        {"start id=@vm exit-first=1\n", "start its utility VM"},
        {"modify with=VirtualSmb fail=0x80070003\n", "share a layer"},
        {"modify with=MappedVirtualDisk fail=0x80070005\n", "attach the container's scratch"},
        {"modify with=CombinedLayers fail=0x80370112\n", "lay the image's layers over the scratch"},
        {"modify with=CombinedLayers hang\n", "lay the image's layers over the scratch"},
        {"hcn-query-namespace delay=3500\n", "HcnQueryNamespaceProperties did not return within 1500 ms"},
        {"hns-get-endpoints delay=3500\n", "HNSCall did not return within 1500 ms"},
        {"modify with=PreAdd fail=0x803b0002\n", "announce the endpoint"},
        {"modify with=NetworkAdapters fail=0x803b0014\n", "attach the endpoint"},
        {"create with=HostedSystem fail=0x80370110\n", "create: "},
        {"start skip=1 fail=0x80370106\n", "start: "},
        {"create-process fail=0x80070005\n", "run the command"},
        {"grant-vm-access fail=0x80070005\n", "let the utility VM read its disk"},
        {"properties id=@vm old-guest\n", "does not understand HCS's schema 2"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cleanup_free char *id = mem_format("fails%zu", i);
        script("");
        create_with(f, id, "vm", "\"--sleep\"", HYPERV);
        script(rows[i].rule);
        start(f, id);
        wait_for(f, "ERR_");
        if (!strstr(f->last.message, rows[i].said))
            fail_msg("%s: %s", rows[i].rule, f->last.message);
        assert_nothing_is_left(f, id);
        forget(f);
        hcs_system_remove(f->hcs, id, false, on_done, f);
        wait_for(f, "removed done");
    }
}

static void an_image_whose_utility_vm_is_not_whole_is_refused(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *path = mem_format("%s/layers/half/UtilityVM", emulated_dir);

    assert_ok(file_make_dirs(path, 0700, err));
    create_with(f, "half", "half", "\"--sleep\"", HYPERV_NO_NET);
    start(f, "half");
    wait_for(f, "ERR_UNSUPPORTED");
    assert_non_null(strstr(f->last.message, "pull it again"));
    assert_nothing_is_left(f, "half");
}

static void a_vm_that_crashes_ends_its_container(void **state)
{
    static const char *const rules[] = {"create-process vm-exit=100\n", "create-process guest-lost=100\n"};
    struct fixture *f = *state;

    for (size_t i = 0; i < 2; i++) {
        cleanup_free char *id = mem_format("crash%zu", i);
        create_vm(f, id, "\"--sleep\"");
        script(rules[i]);
        start(f, id);
        wait_for(f, "exited=");
        forget(f);
        hcs_system_properties(f->hcs, id, false, on_properties, f);
        wait_for(f, "Stopped");
        assert_non_null(strstr(f->last.message, "its utility VM ended against its will"));
        assert_nothing_is_left(f, id);
        script("");
    }
}

/* --- a daemon that comes back --- */

static void both_are_adopted(void **state)
{
    struct fixture *f = *state;

    create_vm(f, "stays", "\"--sleep\"");
    create_vm(f, "ends", "\"--sleep\",\"700\"");
    start(f, "stays");
    wait_for(f, "started done");
    start(f, "ends");
    wait_for(f, "started done");
    close_hcs(f);
    Sleep(1500); /* one ends while nobody is there */
    forget(f);
    open_hcs(f);
    wait_for(f, "exited=0");
    forget(f);
    hcs_system_properties(f->hcs, "stays", false, on_properties, f);
    wait_for(f, "Running");
    hcs_system_terminate(f->hcs, "stays", on_done, f);
    wait_for(f, "exited=1 done");
    assert_nothing_is_left(f, "stays");
}

static void both_are_ended_where_nobody_knows_of_them(void **state)
{
    struct fixture *f = *state;

    create_vm(f, "unknown", "\"--sleep\"");
    start(f, "unknown");
    wait_for(f, "started done");
    close_hcs(f);
    free(f->state_dir);
    f->state_dir = mem_format("%s/another", emulated_dir);
    open_hcs(f);
    assert_nothing_is_left(f, "unknown");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(a_container_runs_in_its_utility_vm),
        TEST(it_is_stopped_counted_changed_and_killed),
        TEST(one_that_is_stuck_ends_with_its_vm),
        TEST(an_image_before_schema_2_has_the_vm_of_schema_1),
        TEST(a_credential_spec_is_handed_to_hcs),
        TEST(a_guard_that_does_not_come_in_time_is_waited_for_no_longer),
        TEST(a_guard_of_an_earlier_life_is_removed),
        TEST(a_guard_is_kept_by_the_next_daemon),
        TEST(a_credential_spec_that_is_none_is_refused_at_create),
        TEST(a_failed_start_leaves_no_vm),
        TEST(an_image_whose_utility_vm_is_not_whole_is_refused),
        TEST(a_vm_that_crashes_ends_its_container),
        TEST(both_are_adopted),
        TEST(both_are_ended_where_nobody_knows_of_them),
    };
    int child = emulated_main_child(argc, argv);

    return child >= 0 ? child : cmocka_run_group_tests(tests, emulated_start, emulated_stop);
}
