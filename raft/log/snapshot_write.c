/* raft/log/snapshot_write.c – see snapshot.h. */
#include <stdlib.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "raft/log/payload.h"
#include "raft/log/snapshot_inside.h"
#include "raft/log/wire.h"

struct raft_snapshot_writer {
    struct raft_snapshot_store store;
    uint64_t index, number, size_bytes, offset; /* number of the next chunk; size of the image; where the next write goes */
    char *path, *temporary;
    int file;
    uint32_t total_crc;
    uint8_t salt[RAFT_SALT_SIZE_BYTES];
    struct raft_sealer sealer;
    struct buf chunk; /* header, then what was added, up to RAFT_SNAPSHOT_CHUNK_BYTES of it */
};

static void free_writer(struct raft_snapshot_writer *writer)
{
    raft_disk_close(writer->store.disk, &writer->file);
    raft_sealer_deinit(&writer->sealer);
    buf_deinit(&writer->chunk);
    free(writer->path);
    free(writer->temporary);
    free(writer);
}

void raft_snapshot_writer_abandon(struct raft_snapshot_writer *writer)
{
    if (!writer)
        return;
    raft_disk_close(writer->store.disk, &writer->file);
    raft_disk_remove(writer->store.disk, writer->store.dir, writer->temporary, NULL); /* else the next opening of the log does it */
    free_writer(writer);
}

static int put(struct raft_snapshot_writer *writer, struct bytes bytes, struct error *err)
{
    int failed = raft_disk_write(writer->store.disk, writer->file, writer->temporary, bytes, writer->offset, err);
    if (failed == 0)
        writer->offset += bytes.size;
    return failed;
}

static int put_header(struct raft_snapshot_writer *writer, const struct raft_snapshot *meta, struct error *err)
{
    cleanup_buf struct buf header = {0};
    static const uint8_t zeros[SNAPSHOT_HEADER_FIXED_SIZE];

    buf_append(&header, zeros, sizeof zeros);
    raft_payload_add_conf(&header, &meta->conf);
    memcpy(header.data, snapshot_magic, sizeof snapshot_magic);
    wire_put32(header.data + 8, SNAPSHOT_VERSION);
    wire_put32(header.data + 16, (uint32_t)header.size);
    wire_put32(header.data + 20, RAFT_SNAPSHOT_CHUNK_BYTES);
    wire_put32(header.data + 24, writer->sealer.key_id);
    wire_put64(header.data + 32, meta->index);
    wire_put64(header.data + 40, meta->term);
    memcpy(header.data + 48, writer->salt, RAFT_SALT_SIZE_BYTES);
    wire_put32(header.data + 12, snapshot_header_crc(buf_bytes(&header)));
    return put(writer, buf_bytes(&header), err);
}

static void begin_chunk(struct raft_snapshot_writer *writer)
{
    static const uint8_t zeros[SNAPSHOT_CHUNK_HEADER_SIZE];
    buf_clear(&writer->chunk);
    buf_append(&writer->chunk, zeros, sizeof zeros);
}

int raft_snapshot_writer_open(const struct raft_snapshot_store *store, const struct raft_snapshot *meta, struct raft_snapshot_writer **out,
                              struct error *err)
{
    struct raft_snapshot_writer *writer = mem_alloc(sizeof *writer);

    *writer = (struct raft_snapshot_writer){.store = *store, .index = meta->index, .file = -1};
    writer->path = raft_snapshot_path(store->dir, meta->index, meta->term);
    writer->chunk.is_secret = store->keys->current != 0;
    random_fill(store->random, writer->salt, sizeof writer->salt);
    writer->temporary = mem_format("%s.%08x.tmp", writer->path, (unsigned)wire_get32(writer->salt));
    int failed = raft_sealer_use(&writer->sealer, store->keys, store->keys->current, writer->salt, writer->path, err);
    if (failed == 0)
        failed = raft_disk_open(store->disk, writer->temporary, RAFT_DISK_CREATE, &writer->file, err);
    if (failed == 0)
        failed = put_header(writer, meta, err);
    if (failed < 0) {
        raft_snapshot_writer_abandon(writer);
        return failed;
    }
    begin_chunk(writer);
    *out = writer;
    return 0;
}

static int put_chunk(struct raft_snapshot_writer *writer, struct error *err)
{
    static const uint8_t room[RAFT_TAG_SIZE_BYTES];
    size_t size = writer->chunk.size - SNAPSHOT_CHUNK_HEADER_SIZE;
    uint32_t stored = (uint32_t)size;
    uint8_t bound[SNAPSHOT_BOUND_SIZE];

    if (writer->sealer.key_id) {
        stored += RAFT_TAG_SIZE_BYTES;
        buf_append(&writer->chunk, room, sizeof room);
        random_fill(writer->store.random, writer->chunk.data + 16, RAFT_NONCE_SIZE_BYTES);
        raft_seal(&writer->sealer, writer->chunk.data + 16, snapshot_bind(bound, writer->number, stored, writer->index),
                  writer->chunk.data + SNAPSHOT_CHUNK_HEADER_SIZE, size);
    }
    uint8_t *header = writer->chunk.data;
    wire_put32(header + 4, stored);
    wire_put32(header + 8, crc32c(0, header + SNAPSHOT_CHUNK_HEADER_SIZE, stored));
    uint32_t crc = snapshot_chunk_crc(header, writer->salt, writer->number);
    wire_put32(header, crc);
    writer->total_crc = snapshot_total_crc(writer->total_crc, crc);
    int failed = put(writer, buf_bytes(&writer->chunk), err);
    writer->number++;
    begin_chunk(writer);
    return failed;
}

int raft_snapshot_writer_add(struct raft_snapshot_writer *writer, struct bytes part, struct error *err)
{
    if (part.size > RAFT_SNAPSHOT_SIZE_BYTES - writer->size_bytes)
        return error_set(err, ERR_LIMIT, "%s: more than %llu bytes", writer->path, (unsigned long long)RAFT_SNAPSHOT_SIZE_BYTES);
    while (part.size > 0) {
        size_t room = RAFT_SNAPSHOT_CHUNK_BYTES + SNAPSHOT_CHUNK_HEADER_SIZE - writer->chunk.size;
        size_t size = part.size < room ? part.size : room;
        buf_append(&writer->chunk, part.data, size);
        writer->size_bytes += size;
        part = bytes_of(part.data + size, part.size - size);
        if (size == room) {
            int failed = put_chunk(writer, err);
            if (failed < 0)
                return failed;
        }
    }
    return 0;
}

uint64_t raft_snapshot_writer_size(const struct raft_snapshot_writer *writer)
{
    return writer->size_bytes;
}

static int put_end(struct raft_snapshot_writer *writer, struct error *err)
{
    uint8_t end[SNAPSHOT_CHUNK_HEADER_SIZE] = {0};
    wire_put32(end + 8, writer->total_crc);
    wire_put64(end + 16, writer->size_bytes);
    memcpy(end + 24, snapshot_done, sizeof snapshot_done);
    wire_put32(end, snapshot_chunk_crc(end, writer->salt, SNAPSHOT_END_NUMBER));
    return put(writer, bytes_of(end, sizeof end), err);
}

int raft_snapshot_writer_finish(struct raft_snapshot_writer *writer, struct error *err)
{
    const struct raft_snapshot_store *store = &writer->store;
    int failed = writer->chunk.size > SNAPSHOT_CHUNK_HEADER_SIZE ? put_chunk(writer, err) : 0;
    if (failed == 0)
        failed = put_end(writer, err);
    if (failed == 0)
        failed = raft_disk_sync(store->disk, writer->file, writer->temporary, err);
    raft_disk_close(store->disk, &writer->file);
    if (failed == 0)
        failed = raft_disk_rename(store->disk, store->dir, writer->temporary, writer->path, err);
    if (failed < 0)
        raft_snapshot_writer_abandon(writer);
    else
        free_writer(writer);
    return failed;
}
