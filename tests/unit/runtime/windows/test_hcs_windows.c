/* tests/unit/runtime/windows/test_hcs_windows.c – the back end against the emulated HCS, as it should go. */
#include "tests/unit/runtime/windows/emulated.h"

static int set_up(void **state)
{
    struct fixture *f = fixture_new();

    open_hcs(f);
    *state = f;
    return 0;
}

static int set_up_legacy(void **state)
{
    struct fixture *f = fixture_new();

    f->options.prefers_legacy = true;
    f->options.os_version = "10.0.14393.1";
    open_hcs(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture_free(*state);
    return 0;
}

static void a_system_runs_and_its_exit_code_is_told(void **state)
{
    struct fixture *f = *state;

    create(f, "lives", "\"--exit\",\"7\"");
    start(f, "lives");
    wait_for(f, "exited=7");
    wait_for(f, "done");
    assert_true(strncmp(f->story, "started", 7) == 0);
    hcs_system_remove(f->hcs, "lives", false, on_done, f);
    wait_for(f, "removed done");
    hcs_system_properties(f->hcs, "lives", false, on_properties, f);
    wait_for(f, "ERR_NOT_FOUND");
}

static void on_entry(void *ctx, const struct hcs_log_entry *entry)
{
    struct fixture *f = ctx;
    size_t length = strlen(f->log);

    snprintf(f->log + length, sizeof f->log - length, "%d:%.*s", entry->stream, (int)entry->text.size, (const char *)entry->text.data);
}

static void on_log_end(void *ctx, const struct error *err)
{
    recount(ctx, "%s", err ? error_name(err->code) : "log-end");
}

static void its_output_is_kept(void **state)
{
    struct fixture *f = *state;
    struct hcs_log_options all = {.wants_stdout = true, .wants_stderr = true, .tail = -1};
    struct hcs_log_sink sink = {on_entry, on_log_end, f};
    struct hcs_log *log = NULL;

    create(f, "says", "\"--say\",\"one line\",\"and \\\"another\\\"\"");
    start(f, "says");
    wait_for(f, "exited=0");
    assert_ok(hcs_log_open(f->hcs, "says", &all, &sink, &log, err));
    wait_for(f, "log-end");
    hcs_log_close(log);
    assert_non_null(strstr(f->log, "1:one line\r\n"));
    assert_non_null(strstr(f->log, "1:and \"another\"\r\n"));
    assert_non_null(strstr(f->log, "2:to stderr\r\n"));
}

static void a_shutdown_ends_it(void **state)
{
    struct fixture *f = *state;

    create(f, "stops", "\"--sleep\"");
    start(f, "stops");
    wait_for(f, "started done");
    hcs_system_shutdown(f->hcs, "stops", NULL, 10000, on_done, f);
    wait_for(f, "exited=");
    wait_for(f, " done");
    hcs_system_start(f->hcs, "stops", on_done, f);
    wait_for(f, "ERR_PRECONDITION");
}

static void one_that_ignores_a_shutdown_is_terminated(void **state)
{
    struct fixture *f = *state;

    create_with(f, "ignores", "base", "\"--sleep\"", NO_NETWORK);
    forget(f);
    hcs_system_remove(f->hcs, "ignores", true, on_done, f);
    wait_for(f, "done");
    cleanup_json cJSON *json = document_of("base", "\"--sleep\"", NO_NETWORK);
    json_add_string(cJSON_AddObjectToObject(cJSON_GetObjectItem(cJSON_GetObjectItem(json, "Skep"), "Process"), "Environment"),
                    "EMULATED_IGNORES_SHUTDOWN", "1");
    forget(f);
    hcs_system_create(f->hcs, "ignores", json, NULL, 0, on_done, f);
    wait_for(f, "done");
    start(f, "ignores");
    wait_for(f, "started done");
    forget(f);
    hcs_system_shutdown(f->hcs, "ignores", NULL, 500, on_done, f);
    wait_for(f, "exited=1 done");
}

static void a_terminate_and_a_forced_remove_end_it(void **state)
{
    struct fixture *f = *state;

    create(f, "killed", "\"--sleep\"");
    start(f, "killed");
    wait_for(f, "started done");
    hcs_system_remove(f->hcs, "killed", false, on_done, f);
    wait_for(f, "ERR_PRECONDITION");
    hcs_system_terminate(f->hcs, "killed", on_done, f);
    wait_for(f, "exited=1 done");
    create(f, "forced", "\"--sleep\"");
    start(f, "forced");
    wait_for(f, "started done");
    hcs_system_remove(f->hcs, "forced", true, on_done, f);
    wait_for(f, "exited=1 removed done");
}

static void a_signal_reaches_its_process(void **state)
{
    struct fixture *f = *state;

    create(f, "signalled", "\"--sleep\"");
    start(f, "signalled");
    wait_for(f, "started done");
    hcs_system_signal(f->hcs, "signalled", "SIGHUP", on_done, f);
    wait_for(f, "ERR_INVALID");
    hcs_system_signal(f->hcs, "signalled", "SIGINT", on_done, f);
    wait_for(f, "exited=-1073741510"); /* 0xC000013A */
}

static void its_statistics_are_told(void **state)
{
    struct fixture *f = *state;

    create(f, "counted", "\"--sleep\"");
    start(f, "counted");
    wait_for(f, "started done");
    hcs_system_properties(f->hcs, "counted", true, on_properties, f);
    wait_for(f, "Running");
    assert_true(f->cpu_ns > 0);
    assert_int_equal(f->pids, 1);
    hcs_system_terminate(f->hcs, "counted", on_done, f);
    wait_for(f, "exited");
}

static void it_is_on_the_network(void **state)
{
    struct fixture *f = *state;
    const char *ports = ",\"Network\":{\"Ports\":[{\"TargetPort\":80,\"PublishedPort\":8080}]}";

    create_with(f, "net1", "base", "\"--sleep\"", ports);
    create_with(f, "net2", "base", "\"--sleep\"", ports);
    create_with(f, "net3", "base", "\"--sleep\"", ",\"Network\":{\"Ports\":[{\"TargetPort\":80}]}");
    start(f, "net1");
    wait_for(f, "started done");
    hcs_system_properties(f->hcs, "net1", false, on_properties, f);
    wait_for(f, "Running");
    assert_true(strncmp(f->ip, "172.28.", 7) == 0);
    assert_int_equal(f->port, 8080);
    start(f, "net2");
    wait_for(f, "ERR_EXISTS");
    assert_non_null(strstr(f->last.message, "the published port is taken"));
    start(f, "net3");
    wait_for(f, "started done");
    hcs_system_properties(f->hcs, "net3", false, on_properties, f);
    wait_for(f, "Running");
    assert_true(f->port >= 49152);
    forget(f);
    hcs_system_remove(f->hcs, "net1", true, on_done, f);
    wait_for(f, "removed done");
    create_with(f, "net4", "base", "\"--sleep\"", ports); /* the port is free again */
    start(f, "net4");
    wait_for(f, "started done");
    hcs_system_remove(f->hcs, "net4", true, on_done, f);
    wait_for(f, "removed done");
    forget(f);
    hcs_system_remove(f->hcs, "net3", true, on_done, f);
    wait_for(f, "removed done");
}

static void hyperv_isolation_pauses_and_resumes(void **state)
{
    struct fixture *f = *state;

    create_with(f, "vm1", "vm", "\"--sleep\"", NO_NETWORK ",\"Isolation\":\"hyperv\"");
    start(f, "vm1");
    wait_for(f, "started done");
    hcs_system_pause(f->hcs, "vm1", on_done, f);
    wait_for(f, "paused done");
    hcs_system_resume(f->hcs, "vm1", on_done, f);
    wait_for(f, "resumed done");
    forget(f);
    hcs_system_terminate(f->hcs, "vm1", on_done, f);
    wait_for(f, "exited=1 done");
    create(f, "silo1", "\"--sleep\"");
    start(f, "silo1");
    wait_for(f, "started done");
    hcs_system_pause(f->hcs, "silo1", on_done, f);
    wait_for(f, "ERR_UNSUPPORTED");
    hcs_system_terminate(f->hcs, "silo1", on_done, f);
    wait_for(f, "exited=1 done");
}

#define FILES ",\"Files\":[{\"Kind\":\"secret\",\"Target\":\"C:\\\\run\\\\key\"},{\"Kind\":\"config\",\"Target\":\"C:\\\\APP%s\"}]"

/* What the container reads came through the document's mapped directories: that the links lead there is emulated, that they are made is
 * not. */
static void run_with_files(struct fixture *f, const char *id, const char *isolation)
{
    cleanup_free char *target = mem_format("C:\\APP%s", id), *quoted = mem_format("\"--show\",\"C:\\\\run\\\\key\",\"C:\\\\APP%s\"", id);
    cleanup_free char *more = mem_format(NO_NETWORK ",\"Isolation\":\"%s\"" FILES, isolation, id);
    cleanup_free char *secret = mem_format("%s/containers/%s/files/secrets/0", f->state_dir, id);
    cleanup_free char *config = mem_format("%s/containers/%s/files/configs/1", f->state_dir, id);
    const struct hcs_file_content files[] = {{"C:\\run\\key", bytes_of("s3cret", 6)}, {target, bytes_of("a=1", 3)}};
    cleanup_json cJSON *json = document_of(strcmp(isolation, "hyperv") == 0 ? "vm" : "base", quoted, more);
    struct hcs_log_options all = {.wants_stdout = true, .tail = -1};
    struct hcs_log_sink sink = {on_entry, on_log_end, f};
    struct hcs_log *log = NULL;

    forget(f);
    hcs_system_create(f->hcs, id, json, files, 2, on_done, f);
    wait_for(f, "done");
    assert_true(file_exists(secret) && file_exists(config));
    start(f, id);
    wait_for(f, "exited=0");
    assert_ok(hcs_log_open(f->hcs, id, &all, &sink, &log, err));
    wait_for(f, "log-end");
    hcs_log_close(log);
    assert_string_equal(f->log, "1:s3cret\r\n1:a=1\r\n");
    assert_false(file_exists(secret) || file_exists(config));
    assert_false(file_exists(target));
}

static void secrets_and_configs_are_at_their_targets_while_it_runs(void **state)
{
    run_with_files(*state, "files1", "process");
}

static void and_with_hyperv_isolation(void **state)
{
    run_with_files(*state, "files2", "hyperv");
}

static void a_target_that_the_image_has_a_directory_at_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct hcs_file_content file = {"C:\\app", bytes_of("x", 1)};
    cleanup_json cJSON *json = document_of("base", "\"--sleep\"", NO_NETWORK ",\"Files\":[{\"Kind\":\"config\",\"Target\":\"C:\\\\app\"}]");
    cleanup_free char *directory = mem_format("%s/containers/files3/scratch/volume/app", f->state_dir);

    hcs_system_create(f->hcs, "files3", json, &file, 1, on_done, f);
    wait_for(f, "done");
    assert_ok(file_make_dirs(directory, 0700, err));
    start(f, "files3");
    wait_for(f, "ERR_PRECONDITION");
    assert_non_null(strstr(f->last.message, "config C:\\app: the image has a directory in its place"));
}

static void a_file_of_the_image_at_a_target_is_replaced(void **state)
{
    struct fixture *f = *state;
    const struct hcs_file_content file = {"C:\\dir\\app.ini", bytes_of("ours", 4)};
    cleanup_json cJSON *json = document_of("base", "\"--show\",\"C:\\\\dir\\\\app.ini\",\"C:\\\\dir\\\\other.ini\"",
                                           NO_NETWORK ",\"Files\":[{\"Kind\":\"config\",\"Target\":\"C:\\\\dir\\\\app.ini\"}]");
    cleanup_free char *dir = mem_format("%s/containers/files4/scratch/volume/dir", f->state_dir);
    cleanup_free char *replaced = mem_format("%s/app.ini", dir), *other = mem_format("%s/other.ini", dir);
    struct hcs_log_options all = {.wants_stdout = true, .tail = -1};
    struct hcs_log_sink sink = {on_entry, on_log_end, f};
    struct hcs_log *log = NULL;

    hcs_system_create(f->hcs, "files4", json, &file, 1, on_done, f);
    wait_for(f, "done");
    assert_ok(file_make_dirs(dir, 0700, err));
    assert_ok(file_write_volatile(replaced, bytes_of("image's", 7), 0600, err));
    assert_ok(file_write_volatile(other, bytes_of("beside", 6), 0600, err));
    start(f, "files4");
    wait_for(f, "exited=0");
    assert_ok(hcs_log_open(f->hcs, "files4", &all, &sink, &log, err));
    wait_for(f, "log-end");
    hcs_log_close(log);
    assert_string_equal(f->log, "1:ours\r\n1:beside\r\n");
}

/* --- processes beside the first one --- */

static void on_process(void *ctx, struct hcs_process *process, const struct error *err)
{
    struct fixture *f = ctx;

    f->process = process;
    on_done(ctx, err);
}

static void on_process_exit(void *ctx, const struct hcs_process_exit *exit, const struct error *err)
{
    struct fixture *f = ctx;

    if (err) {
        on_done(ctx, err);
        return;
    }
    snprintf(f->log, sizeof f->log, "%.*s", (int)exit->output.size, (const char *)exit->output.data);
    recount(f, "exit=%d%s", exit->exit_code, exit->is_output_cut ? "-cut" : "");
}

static cJSON *command(const char *args)
{
    cleanup_free char *self = cJSON_PrintUnformatted(cJSON_CreateString(emulated_self));
    cleanup_free char *text =
        mem_format("{\"CommandArgs\":[%s%s%s]}", args[0] == '!' ? "" : self, args[0] == '!' ? "" : ",", args[0] == '!' ? args + 1 : args);

    return cJSON_Parse(text);
}

static void execute(struct fixture *f, const char *id, const char *args, size_t bytes)
{
    cleanup_json cJSON *json = command(args);

    forget(f);
    hcs_process_create(f->hcs, id, json, bytes, on_process, f);
}

static void processes_run_beside_the_first(void **state)
{
    struct fixture *f = *state;

    create(f, "host1", "\"--sleep\"");
    execute(f, "host1", "\"--exit\",\"1\"", 100);
    wait_for(f, "ERR_PRECONDITION");
    start(f, "host1");
    wait_for(f, "started done");
    execute(f, "host1", "\"--say\",\"hello\"", 100);
    wait_for(f, "done");
    hcs_process_wait(f->process, 10000, on_process_exit, f);
    wait_for(f, "exit=0");
    assert_non_null(strstr(f->log, "hello\r\n"));
    assert_non_null(strstr(f->log, "to stderr\r\n"));
    hcs_process_close(f->process);
    execute(f, "host1", "\"--say\",\"0123456789\"", 5);
    wait_for(f, "done");
    hcs_process_wait(f->process, 10000, on_process_exit, f);
    wait_for(f, "exit=0-cut");
    hcs_process_close(f->process);
    execute(f, "host1", "!\"no-such-command-at-all\"", 1000);
    wait_for(f, "done");
    hcs_process_wait(f->process, 10000, on_process_exit, f);
    wait_for(f, "exit=127");
    hcs_process_close(f->process);
    execute(f, "host1", "\"--sleep\"", 100);
    wait_for(f, "done");
    hcs_process_wait(f->process, 100, on_process_exit, f);
    wait_for(f, "ERR_DEADLINE");
    hcs_process_signal(f->process, "KILL", on_done, f);
    hcs_process_wait(f->process, 10000, on_process_exit, f);
    wait_for(f, "exit=1");
    hcs_process_close(f->process);
    execute(f, "host1", "\"--sleep\"", 100);
    wait_for(f, "done");
    hcs_process_close(f->process); /* it is killed */
    hcs_system_terminate(f->hcs, "host1", on_done, f);
    wait_for(f, "exited=1 done");
}

static void a_command_that_is_not_there_is_127(void **state)
{
    struct fixture *f = *state;
    cleanup_json cJSON *json = document_of("base", "\"x\"", NO_NETWORK);

    cJSON_ReplaceItemInArray(cJSON_GetObjectItem(cJSON_GetObjectItem(cJSON_GetObjectItem(json, "Skep"), "Process"), "CommandArgs"), 0,
                             cJSON_CreateString("no-such-command-at-all"));
    hcs_system_create(f->hcs, "absent", json, NULL, 0, on_done, f);
    wait_for(f, "done");
    start(f, "absent");
    wait_for(f, "ERR_NOT_FOUND");
    assert_non_null(strstr(f->last.message, "0x80070002"));
    forget(f);
    hcs_system_properties(f->hcs, "absent", false, on_properties, f);
    wait_for(f, "Stopped");
    assert_non_null(strstr(f->last.message, "cannot find the file"));
}

static void what_windows_cannot_do_is_refused_at_create(void **state)
{
    struct fixture *f = *state;
    cleanup_json cJSON *json = document_of("base", "\"x\"", NO_NETWORK ",\"Linux\":{\"PidsLimit\":5}");

    hcs_system_create(f->hcs, "refused", json, NULL, 0, on_done, f);
    wait_for(f, "ERR_UNSUPPORTED");
    assert_non_null(strstr(f->last.message, "PidsLimit"));
    forget(f);
    hcs_system_create(f->hcs, "../up", json, NULL, 0, on_done, f);
    wait_for(f, "ERR_INVALID");
}

/* --- a daemon that comes back --- */

static void running_systems_are_adopted(void **state)
{
    struct fixture *f = *state;
    struct hcs_log_options all = {.wants_stdout = true, .tail = -1};
    struct hcs_log_sink sink = {on_entry, on_log_end, f};
    struct hcs_log *log = NULL;

    create(f, "stays", "\"--sleep\"");
    create(f, "ends", "\"--sleep\",\"700\"");
    start(f, "stays");
    wait_for(f, "started done");
    start(f, "ends");
    wait_for(f, "started done");
    close_hcs(f);
    Sleep(1500); /* one ends while nobody is there */
    f->options.poll_ms = 200;
    open_hcs(f);
    forget(f);
    hcs_system_properties(f->hcs, "stays", false, on_properties, f);
    wait_for(f, "Running");
    wait_for(f, "exited=0");
    hcs_system_shutdown(f->hcs, "stays", NULL, 5000, on_done, f);
    wait_for(f, "exited=-1073741510 done");
    assert_ok(hcs_log_open(f->hcs, "stays", &all, &sink, &log, err));
    wait_for(f, "log-end");
    hcs_log_close(log);
    assert_string_equal(f->log, "1:sleeping\r\n"); /* nothing is lost with the daemon */
}

/* What is in use in all of the process' heaps: its working set also grows with what is only kept for later, and on Wine tells nothing. */
static size_t memory_of_this_process(void)
{
    HANDLE heaps[32];
    DWORD count = GetProcessHeaps(32, heaps);
    size_t bytes = 0;

    for (DWORD i = 0; i < count && i < 32; i++) {
        PROCESS_HEAP_ENTRY entry = {0};
        HeapLock(heaps[i]);
        while (HeapWalk(heaps[i], &entry))
            bytes += entry.wFlags & PROCESS_HEAP_ENTRY_BUSY ? entry.cbData : 0;
        HeapUnlock(heaps[i]);
    }
    return bytes;
}

/* Wine does not count handles: there the number of the next free one tells. */
static DWORD handles_of_this_process(void)
{
    HANDLE next = CreateEventW(NULL, TRUE, FALSE, NULL);
    DWORD count = 0;

    CloseHandle(next);
    GetProcessHandleCount(GetCurrentProcess(), &count);
    return count ? count : (DWORD)((uintptr_t)next / 4);
}

/* SKEP_TEST_CYCLES asks for more, and has the numbers shown. */
static void handles_and_memory_do_not_grow(void **state)
{
    struct fixture *f = *state;
    const char *asked = getenv("SKEP_TEST_CYCLES");
    int cycles = asked ? atoi(asked) : 50;
    DWORD before = 0, after = 0;
    size_t memory = 0, memory_after;

    for (int i = 0; i < cycles; i++) {
        if (i == 10) {
            before = handles_of_this_process();
            memory = memory_of_this_process();
        }
        create(f, "cycle", "\"--exit\",\"0\"");
        start(f, "cycle");
        wait_for(f, "exited=0");
        wait_for(f, "done");
        forget(f);
        hcs_system_remove(f->hcs, "cycle", true, on_done, f);
        wait_for(f, "removed done");
    }
    after = handles_of_this_process();
    memory_after = memory_of_this_process();
    if (asked)
        printf("%d cycles: handles %lu to %lu, memory %zu to %zu bytes\n", cycles, before, after, memory, memory_after);
    assert_true(after <= before + 8);
    assert_true(memory > 0 && memory_after <= memory + (size_t)(cycles - 10) * 512 + 16384); /* an operation that stays is some 400 bytes */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_LEGACY(name)                                                                                                                  \
    {                                                                                                                                      \
        "vmcompute: " #name, name, set_up_legacy, tear_down, NULL                                                                          \
    }

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(a_system_runs_and_its_exit_code_is_told),
        TEST(its_output_is_kept),
        TEST(a_shutdown_ends_it),
        TEST(one_that_ignores_a_shutdown_is_terminated),
        TEST(a_terminate_and_a_forced_remove_end_it),
        TEST(a_signal_reaches_its_process),
        TEST(its_statistics_are_told),
        TEST(it_is_on_the_network),
        TEST(hyperv_isolation_pauses_and_resumes),
        TEST(secrets_and_configs_are_at_their_targets_while_it_runs),
        TEST(and_with_hyperv_isolation),
        TEST(a_target_that_the_image_has_a_directory_at_is_refused),
        TEST(a_file_of_the_image_at_a_target_is_replaced),
        TEST(processes_run_beside_the_first),
        TEST(a_command_that_is_not_there_is_127),
        TEST(what_windows_cannot_do_is_refused_at_create),
        TEST(running_systems_are_adopted),
        TEST(handles_and_memory_do_not_grow),
        TEST_LEGACY(a_system_runs_and_its_exit_code_is_told),
        TEST_LEGACY(its_output_is_kept),
        TEST_LEGACY(secrets_and_configs_are_at_their_targets_while_it_runs),
        TEST_LEGACY(a_terminate_and_a_forced_remove_end_it),
        TEST_LEGACY(it_is_on_the_network),
        TEST_LEGACY(processes_run_beside_the_first),
    };
    int child = emulated_main_child(argc, argv);

    return child >= 0 ? child : cmocka_run_group_tests(tests, emulated_start, emulated_stop);
}
