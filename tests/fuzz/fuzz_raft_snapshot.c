/* tests/fuzz/fuzz_raft_snapshot.c – a snapshot file of any content. With 'F' in front its checksums are put right first, so that the fuzzer
 * gets behind them. */
#include <stdlib.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "raft/log/disk_memory.h"
#include "raft/log/snapshot.h"
#include "raft/log/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The header's checksum, and the end's; snapshot.h has the offsets. */
static void put_right(uint8_t *file, size_t size)
{
    uint8_t where[RAFT_SALT_SIZE_BYTES + 8];
    if (size < 96)
        return;
    uint32_t header_size = wire_get32(file + 16);
    if (header_size >= 64 && header_size <= size)
        wire_put32(file + 12, crc32c(crc32c(0, file, 12), file + 16, header_size - 16));
    memcpy(where, file + 48, RAFT_SALT_SIZE_BYTES);
    memset(where + RAFT_SALT_SIZE_BYTES, 0xff, 8);
    uint8_t *end = file + size - 32;
    wire_put32(end, crc32c(crc32c(0, where, sizeof where), end + 4, 28));
}

static void read_all(struct raft_snapshot_reader *reader)
{
    struct bytes part;
    uint64_t offset = 0;
    do {
        if (raft_snapshot_reader_read(reader, offset, &part, NULL) < 0)
            break;
        offset += part.size;
    } while (part.size > 0);
    raft_snapshot_reader_verify(reader, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct raft_disk_memory *memory = raft_disk_memory_new(1);
    struct raft_disk disk = raft_disk_memory_disk(memory);
    struct raft_keys keys = {.items = {{.id = 1}}, .count = 1};
    const struct raft_snapshot_store store = {.disk = &disk, .keys = &keys, .dir = "/raft"};
    struct raft_snapshot_reader *reader;
    uint8_t *file = mem_copy(data + 1, size - 1);

    if (data[0] == 'F')
        put_right(file, size - 1);
    cleanup_free char *path = raft_snapshot_path("/raft", 5, 1);
    raft_disk_memory_put(memory, path, bytes_of(file, size - 1));
    if (raft_snapshot_reader_open(&store, 5, 1, &reader, NULL) == 0) {
        read_all(reader);
        raft_snapshot_reader_close(reader);
    }
    free(file);
    raft_disk_memory_free(memory);
    return 0;
}
