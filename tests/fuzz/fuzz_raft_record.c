/* tests/fuzz/fuzz_raft_record.c – a record's header and payloads that nobody wrote: the first byte is the type, the rest a payload; and the
 * rest as a header. What a payload reads as, it is written as again. */
#include <assert.h>
#include <stdlib.h>

#include "raft/log/payload.h"
#include "raft/log/replay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void written_again(struct bytes payload)
{
    cleanup_buf struct buf again = {0};
    struct raft_snapshot snapshot;
    struct raft_conf_state conf;
    uint64_t index;
    bool is_install;

    if (raft_payload_read_snapshot(payload, &snapshot, &is_install, NULL) == 0) {
        raft_payload_add_snapshot(&again, &snapshot, is_install);
        assert(bytes_equal(buf_bytes(&again), payload));
        raft_snapshot_deinit(&snapshot);
    }
    buf_clear(&again);
    if (raft_payload_read_members(payload, &index, &conf, NULL) == 0) {
        raft_payload_add_members(&again, index, &conf);
        assert(bytes_equal(buf_bytes(&again), payload));
        raft_conf_state_deinit(&conf);
    }
}

/* Two records one after the other: the first byte says where the second begins. */
static void replay(enum raft_record_type type, struct bytes payload, size_t cut)
{
    struct raft_log_state state = {0};
    raft_replay_begin(&state, 1);
    if (cut > payload.size)
        cut = payload.size;
    if (raft_replay_record(&state, type, bytes_of(payload.data, cut), NULL) == 0 &&
        raft_replay_record(&state, RAFT_RECORD_ENTRIES, bytes_of(payload.data + cut, payload.size - cut), NULL) == 0)
        raft_replay_end(&state, NULL);
    assert(state.entries_count == 0 || state.entries[state.entries_count - 1].index == state.last_index);
    raft_log_state_deinit(&state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct raft_place place = {.sequence = 1};
    struct raft_record record;

    if (size < 2)
        return 0;
    struct bytes payload = bytes_of(data + 2, size - 2);
    written_again(payload);
    replay((enum raft_record_type)(data[0] % 8), payload, data[1] ? data[1] : payload.size);
    if (payload.size >= RAFT_RECORD_HEADER_SIZE_BYTES)
        raft_record_parse(payload.data, &place, 4096, &record);
    return 0;
}
