/* tests/fuzz/fuzz_raft_segment.c – a segment as a disk may have left it.
 *
 * So that the fuzzer gets past the checksums, the input is a list of changes (offset 2, size 1, bytes) to a segment made here. Opening it
 * either works, and then what was opened is appended to and opens again; or it is refused with a code of log.h. */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "raft/log/disk_memory.h"
#include "raft/log/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char segment[] = "/raft/0000000000000001.seg";

static void write_log(const struct raft_log_options *options)
{
    struct raft_log *log;
    struct raft_log_state state;
    int failed = raft_log_open(options, &log, &state, NULL);
    assert(failed == 0);
    raft_log_state_deinit(&state);
    for (uint64_t i = 1; i < 12 && failed == 0; i++) {
        struct raft_entry entry = {i / 4 + 1, i, RAFT_ENTRY_NORMAL, raft_payload_new(bytes_of("some bytes", i % 10))};
        failed = raft_log_append(log, &(struct raft_hard_state){i / 4 + 1, 1, i - 1}, &entry, 1, NULL);
        if (failed == 0 && i % 2)
            failed = raft_log_flush(log, NULL);
        raft_payload_release(entry.payload);
    }
    assert(failed == 0);
    raft_log_abandon(log);
}

static void change(struct raft_disk_memory *memory, const uint8_t *data, size_t size)
{
    struct bytes content;
    if (!raft_disk_memory_get(memory, segment, &content))
        return;
    uint8_t *copy = mem_copy(content.data, content.size);
    while (size > 3) {
        size_t at = ((size_t)data[0] | (size_t)data[1] << 8) % content.size, count = data[2] < size - 3 ? data[2] : size - 3;
        if (count > content.size - at)
            count = content.size - at;
        memcpy(copy + at, data + 3, count);
        data += 3 + count;
        size -= 3 + count;
    }
    raft_disk_memory_put(memory, segment, bytes_of(copy, size == 1 ? content.size / 2 : content.size));
    free(copy);
}

static void use(const struct raft_log_options *options)
{
    struct raft_log *log;
    struct raft_log_state state = {0};
    struct error err = {0};

    int failed = raft_log_open(options, &log, &state, &err);
    if (failed < 0) {
        assert(failed == ERR_CORRUPT || failed == ERR_VERSION || failed == ERR_PERMISSION);
        return;
    }
    uint64_t last = state.last_index, term = state.last_term + state.hard.term + 1;
    raft_log_state_deinit(&state);
    struct raft_entry entry = {term, last + 1, RAFT_ENTRY_NORMAL, NULL};
    if (last < UINT64_MAX - 2 && term > state.hard.term && raft_log_append(log, NULL, &entry, 1, &err) == 0) {
        failed = raft_log_close(log, &err);
        assert(failed == 0);
        failed = raft_log_open(options, &log, &state, &err);
        assert(failed == 0 && state.last_index == last + 1);
        raft_log_state_deinit(&state);
    }
    raft_log_abandon(log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct raft_disk_memory *memory = raft_disk_memory_new(1);
    struct raft_disk disk = raft_disk_memory_disk(memory);
    struct random_seeded seeded;
    random_seeded_init(&seeded, 1);
    struct random random = random_from_seeded(&seeded);
    const struct raft_log_options options = {
        .dir = "/raft", .disk = &disk, .random = &random, .segment_size_bytes = RAFT_SEGMENT_SIZE_MIN_BYTES, .reserve_size_bytes = 4096};
    write_log(&options);
    change(memory, data, size);
    use(&options);
    raft_disk_memory_free(memory);
    return 0;
}
