/* tests/fuzz/seed_fuzz_raft.c – writes the first inputs of fuzz_raft_record, fuzz_raft_snapshot and fuzz_raft_message: `seed_fuzz_raft
 * CORPUS_DIRECTORY`. */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "raft/log/disk_memory.h"
#include "raft/log/payload.h"
#include "raft/log/record.h"
#include "raft/log/snapshot.h"
#include "raft/wire.h"

static const char *corpus;

static void put(const char *target, const char *name, const struct buf *content)
{
    cleanup_free char *dir = mem_format("%s/%s", corpus, target), *path = mem_format("%s/%s", dir, name);
    struct error err;
    if (file_make_dirs(dir, 0755, &err) < 0 || file_write_volatile(path, buf_bytes(content), 0644, &err) < 0) {
        fprintf(stderr, "seed_fuzz_raft: %s\n", err.message);
        exit(1);
    }
}

static void put_records(void)
{
    uint64_t ids[] = {1, 2, 3};
    const struct raft_snapshot snapshot = {.index = 5, .term = 1, .conf = {.voters = {ids, 3}, .learners = {ids, 1}}};
    struct raft_payload *bytes = raft_payload_new(bytes_of_string("bytes"));
    const struct raft_entry entries[] = {{1, 1, RAFT_ENTRY_NORMAL, bytes}, {2, 2, RAFT_ENTRY_CONF_CHANGE, NULL}};
    struct buf out = {0};

    buf_append(&out, "\1\0", 2);
    raft_payload_add_entries(&out, entries, 2);
    put("raft_record", "entries", &out);
    buf_clear(&out);
    buf_append(&out, "\2\30", 2);
    raft_payload_add_hard_state(&out, &(struct raft_hard_state){3, 2, 0});
    raft_payload_add_entries(&out, entries, 2);
    put("raft_record", "hard_state", &out);
    buf_clear(&out);
    buf_append(&out, "\3\0", 2);
    raft_payload_add_members(&out, 0, &snapshot.conf);
    put("raft_record", "members", &out);
    buf_clear(&out);
    buf_append(&out, "\4\0", 2);
    raft_payload_add_snapshot(&out, &snapshot, true);
    put("raft_record", "snapshot", &out);
    buf_clear(&out);
    buf_append(&out, "\5\0", 2);
    raft_payload_add_close(&out, 0);
    put("raft_record", "close", &out);
    buf_deinit(&out);
    raft_payload_release(bytes);
}

static void put_snapshot(const char *name, size_t size, const struct raft_keys *keys)
{
    struct raft_disk_memory *memory = raft_disk_memory_new(1);
    struct raft_disk disk = raft_disk_memory_disk(memory);
    struct random_seeded seeded;
    random_seeded_init(&seeded, 1);
    struct random random = random_from_seeded(&seeded);
    const struct raft_snapshot_store store = {.disk = &disk, .keys = keys, .random = &random, .dir = "/raft"};
    uint64_t ids[] = {1, 2, 3};
    const struct raft_snapshot meta = {.index = 5, .term = 1, .conf.voters = {ids, 3}};
    struct raft_snapshot_writer *writer;
    cleanup_free uint8_t *image = mem_alloc(size + 1);
    cleanup_free char *path = raft_snapshot_path("/raft", 5, 1);
    cleanup_buf struct buf out = {0};
    struct bytes content;

    if (raft_snapshot_writer_open(&store, &meta, &writer, NULL) < 0 || raft_snapshot_writer_add(writer, bytes_of(image, size), NULL) < 0 ||
        raft_snapshot_writer_finish(writer, NULL) < 0 || !raft_disk_memory_get(memory, path, &content))
        exit(1);
    buf_append(&out, "F", 1);
    buf_append(&out, content.data, content.size);
    put("raft_snapshot", name, &out);
    raft_disk_memory_free(memory);
}

static void put_messages(void)
{
    uint64_t ids[] = {1, 2, 3};
    struct raft_snapshot snapshot = {.index = 5, .term = 1, .conf = {.voters = {ids, 3}, .learners = {ids, 1}, .auto_leave = true}};
    struct raft_payload *bytes = raft_payload_new(bytes_of_string("bytes"));
    struct raft_entry entries[] = {{1, 6, RAFT_ENTRY_NORMAL, bytes}, {2, 7, RAFT_ENTRY_CONF_CHANGE, NULL}};
    const struct raft_message append = {.type = RAFT_MESSAGE_APPEND,
                                        .to = 2,
                                        .from = 1,
                                        .term = 2,
                                        .log_term = 1,
                                        .index = 5,
                                        .entries = entries,
                                        .entries_count = 2,
                                        .commit = 5};
    const struct raft_message vote = {
        .type = RAFT_MESSAGE_VOTE, .to = 2, .from = 1, .term = 2, .log_term = 1, .index = 5, .context = bytes};
    const struct raft_message snap = {.type = RAFT_MESSAGE_SNAPSHOT, .to = 2, .from = 1, .term = 2, .snapshot = &snapshot};
    struct buf out = {0};

    raft_wire_write(&append, &out);
    put("raft_message", "append", &out);
    buf_clear(&out);
    raft_wire_write(&vote, &out);
    put("raft_message", "vote", &out);
    buf_clear(&out);
    raft_wire_write_part(&snap, bytes_of_string("slice"), &out);
    put("raft_message", "snapshot", &out);
    buf_clear(&out);
    raft_wire_wrap(&append, &out);
    raft_wire_wrap(&vote, &out);
    put("raft_message", "envelope", &out);
    buf_deinit(&out);
    raft_payload_release(bytes);
}

int main(int argc, char **argv)
{
    const struct raft_keys none = {0}, keys = {.items = {{.id = 1}}, .count = 1, .current = 1};
    if (argc != 2)
        return 64;
    corpus = argv[1];
    put_records();
    put_messages();
    put_snapshot("empty", 0, &none);
    put_snapshot("small", 100, &none);
    put_snapshot("encrypted", 100, &keys);
    return 0;
}
