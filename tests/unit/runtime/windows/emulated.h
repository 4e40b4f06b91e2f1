/* tests/unit/runtime/windows/emulated.h – a directory, the emulated HCS in it, a loop, and a back end whose story is told in words.
 *
 * A test program is also what its containers run: emulated_main_child() first. */
#ifndef SKEP_TESTS_UNIT_RUNTIME_WINDOWS_EMULATED_H
#define SKEP_TESTS_UNIT_RUNTIME_WINDOWS_EMULATED_H

#include <stdlib.h>

#include "tests/unit/test.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "runtime/windows/api.h"
#include "runtime/windows/hcs_windows.h"

enum { EMULATED_WAIT_MS = 20000 }; /* on a host with too much to do */

static char emulated_dir[MAX_PATH], emulated_self[MAX_PATH];

struct fixture {
    uv_loop_t loop;
    struct hcs *hcs;
    struct hcs_listener listener;
    char *state_dir;
    char story[2048], log[4096];
    struct error last;
    struct hcs_windows_options options;
    struct hcs_process *process;
    uint64_t cpu_ns, pids;
    char ip[46];
    uint16_t port;
    bool is_closed;
};

static inline int show_files(char **paths, int count)
{
    for (int i = 0; i < count; i++) {
        char text[256];
        FILE *file = fopen(paths[i], "rb");
        size_t size = file ? fread(text, 1, sizeof text, file) : 0;
        if (!file)
            return 2;
        printf("%.*s\n", (int)size, text);
        fclose(file);
    }
    return 0;
}

/* What a container runs: --exit N, --say TEXT, --show FILE…, --sleep. -1: nothing of it, the tests are to run: all, or those that
 * SKEP_TEST_ONLY matches ("a_shutdown*"). */
static inline int emulated_main_child(int argc, char **argv)
{
    GetModuleFileNameA(NULL, emulated_self, MAX_PATH);
    cmocka_set_test_filter(getenv("SKEP_TEST_ONLY"));
    if (argc < 2)
        return -1;
    if (strcmp(argv[1], "--exit") == 0)
        return atoi(argv[2]);
    if (strcmp(argv[1], "--say") == 0) {
        for (int i = 2; i < argc; i++)
            printf("%s\n", argv[i]);
        fprintf(stderr, "to stderr\n");
        return 0;
    }
    if (strcmp(argv[1], "--show") == 0)
        return show_files(argv + 2, argc - 2);
    if (strcmp(argv[1], "--sleep") == 0) {
        printf("sleeping\n");
        fflush(stdout);
        Sleep(argc > 2 ? (DWORD)atoi(argv[2]) : 60000);
        return 0;
    }
    return -1;
}

static inline void recount(struct fixture *f, const char *format, ...) __attribute__((format(gnu_printf, 2, 3)));
static inline void recount(struct fixture *f, const char *format, ...)
{
    size_t length = strlen(f->story);
    va_list args;

    va_start(args, format);
    if (length)
        f->story[length++] = ' ';
    vsnprintf(f->story + length, sizeof f->story - length, format, args);
    va_end(args);
}

static inline void on_event(void *ctx, const struct hcs_event *event)
{
    if (event->type == HCS_EVENT_EXITED)
        recount(ctx, "exited=%d", event->properties->exit_code);
    else
        recount(ctx, "%s", hcs_event_name(event->type));
}

static inline void on_done(void *ctx, const struct error *err)
{
    struct fixture *f = ctx;

    if (err)
        f->last = *err;
    recount(f, "%s", err ? error_name(err->code) : "done");
}

static inline void on_properties(void *ctx, const struct hcs_properties *p, const struct error *err)
{
    struct fixture *f = ctx;

    recount(f, "%s", err ? error_name(err->code) : hcs_state_name(p->state));
    if (err)
        return;
    snprintf(f->ip, sizeof f->ip, "%s", p->endpoint.ip ? p->endpoint.ip : "");
    f->port = p->port_count ? p->ports[0].published_port : 0;
    f->cpu_ns = p->statistics ? p->statistics->cpu_total_ns : 0;
    f->pids = p->statistics ? p->statistics->pids : 0;
    if (p->error)
        error_set(&f->last, ERR_PEER, "%s", p->error);
}

/* Turn the loop until the story has that in it. */
static inline void wait_for(struct fixture *f, const char *text)
{
    ULONGLONG end = GetTickCount64() + EMULATED_WAIT_MS;

    while (!strstr(f->story, text) && GetTickCount64() < end) {
        uv_run(&f->loop, UV_RUN_NOWAIT);
        Sleep(2);
    }
    if (!strstr(f->story, text))
        fail_msg("the story is \"%s\", without \"%s\"; last error: %s", f->story, text, f->last.message);
}

static inline void forget(struct fixture *f)
{
    f->story[0] = '\0';
    f->last = (struct error){0};
}

static inline void script(const char *text)
{
    cleanup_free char *path = mem_format("%s/script.txt", emulated_dir);

    assert_ok(file_write_volatile(path, bytes_of_string(text), 0600, err));
}

static inline void open_hcs(struct fixture *f)
{
    f->options.state_dir = f->state_dir;
    f->options.clock = clock_system();
    assert_ok(hcs_windows_new(&f->loop, &f->options, &f->hcs, err));
    f->listener = (struct hcs_listener){.on_event = on_event, .ctx = f};
    hcs_subscribe(f->hcs, &f->listener);
}

static inline void on_closed(void *ctx)
{
    ((struct fixture *)ctx)->is_closed = true;
}

static inline void close_hcs(struct fixture *f)
{
    ULONGLONG end = GetTickCount64() + EMULATED_WAIT_MS;

    f->is_closed = false;
    hcs_close(f->hcs, on_closed, f);
    while (!f->is_closed && GetTickCount64() < end) {
        uv_run(&f->loop, UV_RUN_NOWAIT);
        Sleep(1);
    }
    assert_true(f->is_closed);
}

/* For the whole group of tests, as emulated_stop(). */
static inline int emulated_start(void **state)
{
    cleanup_free char *layer = NULL, *uvm = NULL, *template = NULL;
    char temp[MAX_PATH];

    (void)state;
    GetTempPathA(MAX_PATH, temp);
    snprintf(emulated_dir, sizeof emulated_dir, "%sskep-hcs-%lu", temp, GetCurrentProcessId());
    SetEnvironmentVariableA("SKEP_EMULATED_HCS", emulated_dir);
    layer = mem_format("%s/layers/base", emulated_dir);
    uvm = mem_format("%s/layers/vm/UtilityVM/Files", emulated_dir);
    template = mem_format("%s/layers/vm/UtilityVM/SystemTemplate.vhdx", emulated_dir);
    return file_make_dirs(layer, 0700, NULL) < 0 || file_make_dirs(uvm, 0700, NULL) < 0 ||
                   file_write_volatile(template, bytes_of_string("disk"), 0600, NULL) < 0
               ? -1
               : 0;
}

static inline void emulated_quit(void)
{
    HMODULE module = LoadLibraryExW(L"computecore.dll", NULL, windows_api_search);
    FARPROC address = module ? GetProcAddress(module, "EmulatedHcsQuit") : NULL;
    void(WINAPI * quit)(void);

    memcpy(&quit, &address, sizeof quit);
    if (address)
        quit();
}

static inline int emulated_stop(void **state)
{
    (void)state;
    emulated_quit();
    Sleep(100);
    file_remove_tree(emulated_dir, NULL);
    return 0;
}

static inline struct fixture *fixture_new(void)
{
    static unsigned number;
    struct fixture *f = mem_alloc(sizeof *f);

    script("");
    uv_loop_init(&f->loop);
    f->state_dir = mem_format("%s/state%u", emulated_dir, ++number);
    f->options = (struct hcs_windows_options){
        .owner = "skep-test", .os_version = "10.0.20348.1", .processor_count = 2, .poll_ms = 60000, .call_ms = 1500, .offers_hyperv = true};
    return f;
}

static inline void fixture_free(struct fixture *f)
{
    close_hcs(f);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    free(f->state_dir);
    free(f);
}

/* A container that runs this program with @args (JSON strings); @more: further members of Skep, beginning with a comma. */
static inline cJSON *document_of(const char *layer, const char *args, const char *more)
{
    cJSON *json = cJSON_CreateObject(), *skep, *layers, *item;
    cleanup_free char *path = mem_format("%s\\layers\\%s", emulated_dir, layer);
    cleanup_free char *self = cJSON_PrintUnformatted(cJSON_CreateString(emulated_self));
    cleanup_free char *text = mem_format("{\"Os\":\"windows\",\"Name\":\"web\",\"Process\":{\"CommandArgs\":[%s,%s]}%s}", self, args, more);

    json_add_string(json, "Owner", "skep-test");
    item = cJSON_CreateObject();
    json_add_string(item, "Path", path);
    layers = cJSON_AddArrayToObject(cJSON_AddObjectToObject(cJSON_AddObjectToObject(json, "Container"), "Storage"), "Layers");
    cJSON_AddItemToArray(layers, item);
    assert_ok(json_parse(bytes_of_string(text), MIB, &skep, err));
    cJSON_AddItemToObject(json, "Skep", skep);
    return json;
}

#define NO_NETWORK ",\"Network\":{\"Mode\":\"none\"}"

static inline void create_with(struct fixture *f, const char *id, const char *layer, const char *args, const char *more)
{
    cleanup_json cJSON *json = document_of(layer, args, more);

    forget(f);
    hcs_system_create(f->hcs, id, json, NULL, 0, on_done, f);
    wait_for(f, "done");
    forget(f);
}

static inline void create(struct fixture *f, const char *id, const char *args)
{
    create_with(f, id, "base", args, NO_NETWORK);
}

static inline void start(struct fixture *f, const char *id)
{
    forget(f);
    hcs_system_start(f->hcs, id, on_done, f);
}

#endif
