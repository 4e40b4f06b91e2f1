/* tests/unit/raft/log/fixture.h – a log on a disk in memory, and short ways to fill it and to look at it. */
#ifndef SKEP_TESTS_RAFT_LOG_FIXTURE_H
#define SKEP_TESTS_RAFT_LOG_FIXTURE_H

#include <stdlib.h>
#include <uv.h>

#include "base/mem.h"
#include "raft/log/disk_memory.h"
#include "raft/log/log.h"
#include "tests/unit/test.h"

#define LOG_DIR "/raft"

struct fixture {
    struct raft_disk_memory *memory;
    struct raft_disk disk;
    struct random_seeded seeded;
    struct random random;
    struct raft_keys keys;
    struct raft_log_options options;
    struct raft_log *log;
    struct raft_log_state state;
};

static inline void fixture_init(struct fixture *f, uint64_t seed)
{
    *f = (struct fixture){.memory = raft_disk_memory_new(seed)};
    f->disk = raft_disk_memory_disk(f->memory);
    random_seeded_init(&f->seeded, seed + 1);
    f->random = random_from_seeded(&f->seeded);
    f->options = (struct raft_log_options){.dir = LOG_DIR,
                                           .disk = &f->disk,
                                           .random = &f->random,
                                           .keys = &f->keys,
                                           .segment_size_bytes = RAFT_SEGMENT_SIZE_MIN_BYTES,
                                           .reserve_size_bytes = 16 * KIB};
}

static inline int fixture_open(struct fixture *f, struct error *err)
{
    raft_log_state_deinit(&f->state);
    return raft_log_open(&f->options, &f->log, &f->state, err);
}

static inline int fixture_close(struct fixture *f, struct error *err)
{
    struct raft_log *log = f->log;
    f->log = NULL;
    return raft_log_close(log, err);
}

static inline void fixture_crash(struct fixture *f, enum raft_crash how)
{
    raft_disk_memory_crash(f->memory, how);
    raft_log_abandon(f->log);
    f->log = NULL;
}

static inline void fixture_deinit(struct fixture *f)
{
    raft_log_abandon(f->log);
    raft_log_state_deinit(&f->state);
    raft_disk_memory_free(f->memory);
}

/* Entries @first to @last of @term, whose bytes say both; some have none. */
static inline int append_range(struct raft_log *log, uint64_t first, uint64_t last, uint64_t term, const struct raft_hard_state *hard,
                               struct error *err)
{
    size_t count = (size_t)(last - first + 1);
    struct raft_entry *entries = mem_array(count, sizeof *entries);
    for (size_t i = 0; i < count; i++) {
        char text[64];
        int size = snprintf(text, sizeof text, "entry %llu of term %llu", (unsigned long long)(first + i), (unsigned long long)term);
        entries[i] = (struct raft_entry){term, first + i, RAFT_ENTRY_NORMAL, NULL};
        if ((first + i) % 7 != 0)
            entries[i].payload = raft_payload_new(bytes_of(text, (size_t)size));
    }
    int failed = raft_log_append(log, hard, entries, count, err);
    for (size_t i = 0; i < count; i++)
        raft_payload_release(entries[i].payload);
    free(entries);
    return failed;
}

static inline void assert_entry(const struct raft_log_state *state, uint64_t index, uint64_t term)
{
    char text[64] = "";
    assert_true(index >= state->first_index && index <= state->last_index);
    const struct raft_entry *entry = &state->entries[index - state->first_index];
    assert_int_equal(entry->index, index);
    assert_int_equal(entry->term, term);
    int size =
        index % 7 == 0 ? 0 : snprintf(text, sizeof text, "entry %llu of term %llu", (unsigned long long)index, (unsigned long long)term);
    assert_int_equal(raft_entry_bytes(entry).size, size);
    if (size > 0)
        assert_memory_equal(raft_entry_bytes(entry).data, text, (size_t)size);
}

static inline char *segment_path(uint64_t sequence)
{
    return mem_format(LOG_DIR "/%016llx.seg", (unsigned long long)sequence);
}

/* A snapshot file of @size bytes with @voters members, as the log wants it before it is told. */
static inline int write_snapshot(struct raft_log *log, uint64_t index, uint64_t term, size_t size, struct raft_snapshot *meta,
                                 struct error *err)
{
    static uint64_t voters[] = {1, 2, 3};
    struct raft_snapshot_writer *writer;
    cleanup_buf struct buf image = {0};

    *meta = (struct raft_snapshot){.index = index, .term = term, .conf.voters = {voters, 3}};
    for (size_t i = 0; i < size; i++)
        buf_append(&image, &(uint8_t){(uint8_t)(i * 7 + index)}, 1);
    int failed = raft_snapshot_writer_open(raft_log_snapshots(log), meta, &writer, err);
    if (failed < 0)
        return failed;
    failed = raft_snapshot_writer_add(writer, buf_bytes(&image), err);
    if (failed < 0) {
        raft_snapshot_writer_abandon(writer);
        return failed;
    }
    return raft_snapshot_writer_finish(writer, err);
}

static inline void use_key(struct raft_keys *keys, uint32_t id, uint8_t fill)
{
    uint8_t bytes[RAFT_KEY_SIZE_BYTES];
    memset(bytes, fill, sizeof bytes);
    assert_ok(raft_keys_add(keys, id, bytes, err));
    keys->current = id;
}

#endif
