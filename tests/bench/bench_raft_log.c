/* tests/bench/bench_raft_log.c – what the log costs on this disk: flushes a second with a real fdatasync for batches of 1, 64 and 1,000
 * entries of 256 bytes, clear and encrypted; then N entries (1,000,000) loaded: time and memory.
 *
 * bench_raft_log [N]; all its files are below TMPDIR. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <uv.h>

#include "base/crc32c.h"
#include "base/file.h"
#include "base/mem.h"
#include "raft/log/log.h"

enum { ENTRY_SIZE = 256, DEFAULT_COUNT = 1000000, LOAD_BATCH = 1000, BATCHES_MAX = 100000 };

static struct raft_payload *payload;

static void check(const char *what, int failed, const struct error *err)
{
    if (failed == 0)
        return;
    fprintf(stderr, "bench_raft_log: %s: %s\n", what, err->message);
    exit(1);
}

static char *temporary(void)
{
    const char *base = getenv("TMPDIR");
    char *template = mem_format("%s/skep-bench-raft-XXXXXX", base ? base : "/tmp");
    uv_fs_t req;
    if (uv_fs_mkdtemp(NULL, &req, template, NULL) != 0)
        exit(1);
    memcpy(template, req.path, strlen(template));
    uv_fs_req_cleanup(&req);
    return template;
}

static int append(struct raft_log *log, uint64_t first, size_t count, struct error *err)
{
    static struct raft_entry entries[LOAD_BATCH];
    for (size_t i = 0; i < count; i++)
        entries[i] = (struct raft_entry){1, first + i, RAFT_ENTRY_NORMAL, payload};
    return raft_log_append(log, &(struct raft_hard_state){1, 1, first - 1}, entries, count, err);
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void bench_append(const struct raft_keys *keys, size_t batch, double seconds)
{
    static uint64_t took_ns[BATCHES_MAX];
    struct raft_log *log;
    struct raft_log_state state = {0};
    struct error err;
    cleanup_free char *dir = temporary();
    const struct raft_log_options options = {.dir = dir, .keys = keys};

    check("open", raft_log_open(&options, &log, &state, &err), &err);
    raft_log_state_deinit(&state);
    uint64_t begun = uv_hrtime(), index = 1;
    size_t n = 0;
    while (n < BATCHES_MAX && (double)(uv_hrtime() - begun) < seconds * 1e9) {
        uint64_t start = uv_hrtime();
        check("append", append(log, index, batch, &err), &err);
        check("flush", raft_log_flush(log, &err), &err);
        took_ns[n++] = uv_hrtime() - start;
        index += batch;
    }
    double took = (double)(uv_hrtime() - begun) / 1e9;
    qsort(took_ns, n, sizeof *took_ns, by_value);
    printf("append  %5zu entries a flush, %-9s  %8.0f flushes/s %10.0f entries/s %7.1f MB/s   p50 %6.0f us  p99 %6.0f us\n", batch,
           keys ? "encrypted" : "clear", (double)n / took, (double)(index - 1) / took, (double)(index - 1) * ENTRY_SIZE / took / 1e6,
           (double)took_ns[n / 2] / 1e3, (double)took_ns[n * 99 / 100] / 1e3);
    check("close", raft_log_close(log, &err), &err);
    file_remove_tree(dir, NULL);
}

static double rss_mb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

static void bench_load(const struct raft_keys *keys, uint64_t count)
{
    struct raft_log *log;
    struct raft_log_state state = {0};
    struct error err;
    cleanup_free char *dir = temporary();
    const struct raft_log_options options = {.dir = dir, .keys = keys};

    check("open", raft_log_open(&options, &log, &state, &err), &err);
    raft_log_state_deinit(&state);
    for (uint64_t i = 1; i <= count; i += LOAD_BATCH) {
        check("append", append(log, i, LOAD_BATCH, &err), &err);
        check("flush", raft_log_flush(log, &err), &err);
    }
    check("close", raft_log_close(log, &err), &err);
    double before = rss_mb();
    uint64_t begun = uv_hrtime();
    check("open", raft_log_open(&options, &log, &state, &err), &err);
    double took = (double)(uv_hrtime() - begun) / 1e9;
    printf("load    %zu entries, %-9s  %.2f s, %.0f entries/s, peak memory +%.0f MB for %.0f MB of entries\n", state.entries_count,
           keys ? "encrypted" : "clear", took, (double)state.entries_count / took, rss_mb() - before,
           (double)state.entries_count * ENTRY_SIZE / 1e6);
    raft_log_state_deinit(&state);
    raft_log_abandon(log);
    file_remove_tree(dir, NULL);
}

static void bench_crc(void)
{
    cleanup_free uint8_t *data = mem_alloc(16 * MIB);
    const struct {
        const char *name;
        crc32c_fn fn;
    } ways[] = {{"chosen", crc32c}, {"table", crc32c_table}};
    for (size_t i = 0; i < 2; i++) {
        uint64_t begun = uv_hrtime();
        volatile uint32_t crc = 0;
        for (int k = 0; k < 8; k++)
            crc = ways[i].fn(crc, data, 16 * MIB);
        printf("crc32c  %-8s %.1f GB/s\n", ways[i].name, 8.0 * 16 * MIB / (double)(uv_hrtime() - begun));
    }
}

int main(int argc, char **argv)
{
    static const size_t batches[] = {1, 64, 1000};
    uint8_t bytes[ENTRY_SIZE], key[RAFT_KEY_SIZE_BYTES] = {1};
    struct raft_keys keys = {0};
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) / LOAD_BATCH * LOAD_BATCH : DEFAULT_COUNT;

    memset(bytes, 'x', sizeof bytes);
    payload = raft_payload_new(bytes_of(bytes, sizeof bytes));
    raft_keys_add(&keys, 1, key, NULL);
    keys.current = 1;
    bench_crc();
    for (int encrypted = 0; encrypted < 2; encrypted++)
        for (size_t i = 0; i < 3; i++)
            bench_append(encrypted ? &keys : NULL, batches[i], 2);
    bench_load(NULL, count);
    bench_load(&keys, count);
    raft_payload_release(payload);
    return 0;
}
