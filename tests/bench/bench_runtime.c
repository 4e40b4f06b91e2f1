/* tests/bench/bench_runtime.c – starts N containers from a root with nothing but busybox, all at once, and prints what it took: create,
 * start, stop, remove, and the memory of each conmon. Needs root.
 *
 * bench_runtime [N] [bridge|none|host]; all its files are below TMPDIR. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "runtime/linux/hcs_linux.h"

enum { DEFAULT_COUNT = 50, MAX_COUNT = 1000 };

static struct {
    struct hcs *hcs;
    uv_loop_t *loop;
    int count, left;
    uint64_t begun_ns, answered_ns[MAX_COUNT];
    char *base;
} bench;

static void fail(const char *what, const struct error *err)
{
    fprintf(stderr, "bench_runtime: %s: %s\n", what, err->message);
    exit(1);
}

static void on_done(void *ctx, const struct error *err)
{
    if (err)
        fail(ctx, err);
    bench.answered_ns[--bench.left] = uv_hrtime() - bench.begun_ns;
    if (bench.left == 0)
        uv_stop(bench.loop);
}

static void begin(void)
{
    bench.left = bench.count;
    bench.begun_ns = uv_hrtime();
}

static void finish(const char *phase)
{
    uv_run(bench.loop, UV_RUN_DEFAULT);
    double ms = (double)(uv_hrtime() - bench.begun_ns) / 1e6;
    printf("%-8s %8.1f ms for %d, %6.2f ms each\n", phase, ms, bench.count, ms / bench.count);
}

static void make_layer(void)
{
    cleanup_free char *bin = mem_format("%s/layer/bin", bench.base), *copy = mem_format("cp /bin/busybox %s/busybox", bin);
    cleanup_free char *link = mem_format("%s/sleep", bin);
    struct error err;

    if (file_make_dirs(bin, 0755, &err) < 0)
        fail("layer", &err);
    if (system(copy) != 0 || symlink("busybox", link) < 0) { /* NOLINT(cert-env33-c): a bench, with a path of its own */
        fprintf(stderr, "bench_runtime: busybox-static is not installed\n");
        exit(1);
    }
}

static cJSON *document(const char *mode)
{
    cleanup_free char *text = mem_format("{\"Owner\":\"bench\",\"Container\":{\"Storage\":{\"Layers\":[{\"Path\":\"%s/layer\"}]}},"
                                         "\"Skep\":{\"Process\":{\"CommandArgs\":[\"sleep\",\"1000\"]},\"Network\":{\"Mode\":\"%s\"}}}",
                                         bench.base, mode);
    cJSON *json = NULL;
    struct error err;

    if (json_parse(bytes_of_string(text), 100000, &json, &err) < 0)
        fail("document", &err);
    return json;
}

static long memory_kb(const char *pid, const char *key)
{
    cleanup_free char *path = mem_format("/proc/%s/smaps_rollup", pid);
    FILE *file = fopen(path, "re");
    char line[256];
    long value = 0;

    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0)
            value = strtol(line + strlen(key), NULL, 10);
    if (file)
        fclose(file);
    return value;
}

static void print_memory(void)
{
    long pss = 0, rss = 0;
    cleanup_free char *own = mem_format("%d", (int)getpid());

    for (int i = 0; i < bench.count; i++) {
        cleanup_free char *path = mem_format("%s/run/containers/bench%d/conmon.pid", bench.base, i);
        cleanup_buf struct buf text = {0};
        if (file_read(path, 64, &text, NULL) < 0)
            continue;
        pss += memory_kb((const char *)text.data, "Pss:");
        rss += memory_kb((const char *)text.data, "Rss:");
    }
    printf("conmon   %8ld kB PSS, %ld kB RSS each\n", pss / bench.count, rss / bench.count);
    printf("daemon   %8ld kB PSS with %d containers\n", memory_kb(own, "Pss:"), bench.count);
}

static void on_closed(void *ctx)
{
    (void)ctx;
    uv_stop(bench.loop);
}

static void run(const char *mode)
{
    char id[32];
    cleanup_json cJSON *json = document(mode);
    char create[] = "create", start[] = "start", stop[] = "stop", removal[] = "remove";

#define EACH(call)                                                                                                                         \
    for (int i = 0; i < bench.count; i++) {                                                                                                \
        snprintf(id, sizeof id, "bench%d", i);                                                                                             \
        call;                                                                                                                              \
    }
    begin();
    EACH(hcs_system_create(bench.hcs, id, json, NULL, 0, on_done, create))
    finish(create);
    begin();
    EACH(hcs_system_start(bench.hcs, id, on_done, start))
    finish(start);
    print_memory();
    begin();
    EACH(hcs_system_terminate(bench.hcs, id, on_done, stop))
    finish(stop);
    begin();
    EACH(hcs_system_remove(bench.hcs, id, false, on_done, removal))
    finish(removal);
#undef EACH
    hcs_close(bench.hcs, on_closed, NULL);
    uv_run(bench.loop, UV_RUN_DEFAULT);
}

int main(int argc, char **argv)
{
    const char *temporary = getenv("TMPDIR");
    cleanup_free char *base = mem_format("%s/skep-bench-XXXXXX", temporary ? temporary : "/tmp");
    struct error err;

    setvbuf(stdout, NULL, _IOLBF, 0);
    bench.count = argc > 1 ? (int)strtol(argv[1], NULL, 10) : DEFAULT_COUNT;
    if (bench.count < 1 || bench.count > MAX_COUNT || !mkdtemp(base))
        return 64;
    bench.base = base;
    bench.loop = uv_default_loop();
    make_layer();
    cleanup_free char *state = mem_format("%s/state", base), *run_dir = mem_format("%s/run", base);
    cleanup_free char *bridge = mem_format("skb%d", (int)getpid() % 100000), *cgroup = mem_format("/skepbench%d", (int)getpid());
    struct hcs_linux_options options = {.state_dir = state,
                                        .run_dir = run_dir,
                                        .bridge = bridge,
                                        .bridge_subnet = "10.251.0.0/16",
                                        .cgroup_parent = cgroup,
                                        .clock = clock_system()};
    if (hcs_linux_new(bench.loop, &options, &bench.hcs, &err) < 0)
        fail("start", &err);
    run(argc > 2 ? argv[2] : "bridge");
    return file_remove_tree(base, &err) < 0 ? 1 : 0;
}
