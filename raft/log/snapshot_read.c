/* raft/log/snapshot_read.c – see snapshot.h. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "raft/log/payload.h"
#include "raft/log/snapshot_inside.h"
#include "raft/log/wire.h"

struct raft_snapshot_reader {
    struct raft_snapshot_store store;
    struct raft_snapshot meta;
    char *path;
    int file;
    uint64_t size_bytes, chunks_count;
    uint32_t header_size, chunk_size, key_id, total_crc;
    uint8_t salt[RAFT_SALT_SIZE_BYTES];
    struct raft_sealer sealer;
    struct buf stored, plain;
    uint64_t held; /* number of the chunk in @plain; SNAPSHOT_END_NUMBER: none */
    uint32_t held_crc;
};

static int broken(const struct raft_snapshot_reader *reader, uint64_t offset, const char *why, struct error *err)
{
    return error_set(err, ERR_CORRUPT, "%s at %" PRIu64 ": damaged: %s", reader->path, offset, why);
}

/* Exactly @size bytes, or damage. */
static int get(struct raft_snapshot_reader *reader, void *data, size_t size, uint64_t offset, struct error *err)
{
    size_t got;
    int failed = raft_disk_read(reader->store.disk, reader->file, reader->path, data, size, offset, &got, err);
    if (failed < 0)
        return failed;
    return got == size ? 0 : broken(reader, offset, "the file ends too early", err);
}

static int parse_header(struct raft_snapshot_reader *reader, struct bytes header, struct error *err)
{
    const uint8_t *at = header.data;
    if (snapshot_header_crc(header) != wire_get32(at + 12))
        return broken(reader, 0, "the header's checksum does not match", err);
    if (wire_get32(at + 8) != SNAPSHOT_VERSION)
        return error_set(err, ERR_VERSION, "%s: format %" PRIu32 " is not known here: a later Skep wrote it", reader->path,
                         wire_get32(at + 8));
    reader->chunk_size = wire_get32(at + 20);
    reader->key_id = wire_get32(at + 24);
    memcpy(reader->salt, at + 48, RAFT_SALT_SIZE_BYTES);
    struct bytes conf = bytes_of(at + SNAPSHOT_HEADER_FIXED_SIZE, header.size - SNAPSHOT_HEADER_FIXED_SIZE);
    if (reader->chunk_size == 0 || reader->chunk_size > RAFT_RECORD_SIZE_BYTES ||
        raft_payload_read_conf(&conf, &reader->meta.conf, err) < 0 || conf.size > 0)
        return broken(reader, 0, "the header is not one of ours", err);
    if (reader->meta.index != wire_get64(at + 32) || reader->meta.term != wire_get64(at + 40))
        return broken(reader, 0, "it is another snapshot than its name says", err);
    return 0;
}

static int read_header(struct raft_snapshot_reader *reader, struct error *err)
{
    uint8_t header[SNAPSHOT_HEADER_MAX_SIZE];
    int failed = get(reader, header, SNAPSHOT_HEADER_FIXED_SIZE, 0, err);
    if (failed < 0)
        return failed;
    reader->header_size = wire_get32(header + 16);
    if (memcmp(header, snapshot_magic, sizeof snapshot_magic) != 0 || reader->header_size < SNAPSHOT_HEADER_FIXED_SIZE ||
        reader->header_size > sizeof header)
        return broken(reader, 0, "not a snapshot of a raft log", err);
    failed = get(reader, header, reader->header_size, 0, err);
    return failed < 0 ? failed : parse_header(reader, bytes_of(header, reader->header_size), err);
}

static uint64_t stored_size(const struct raft_snapshot_reader *reader, uint64_t size)
{
    return SNAPSHOT_CHUNK_HEADER_SIZE + size + (reader->key_id ? RAFT_TAG_SIZE_BYTES : 0);
}

static uint64_t chunk_offset(const struct raft_snapshot_reader *reader, uint64_t number)
{
    return reader->header_size + number * stored_size(reader, reader->chunk_size);
}

static uint64_t chunk_bytes(const struct raft_snapshot_reader *reader, uint64_t number)
{
    uint64_t left = reader->size_bytes - number * reader->chunk_size;
    return left < reader->chunk_size ? left : reader->chunk_size;
}

static int read_end(struct raft_snapshot_reader *reader, struct error *err)
{
    uint8_t end[SNAPSHOT_CHUNK_HEADER_SIZE];
    uint64_t size;

    int failed = raft_disk_size(reader->store.disk, reader->file, reader->path, &size, err);
    if (failed < 0)
        return failed;
    if (size < reader->header_size + sizeof end)
        return broken(reader, size, "the file ends too early", err);
    failed = get(reader, end, sizeof end, size - sizeof end, err);
    if (failed < 0)
        return failed;
    if (memcmp(end + 24, snapshot_done, sizeof snapshot_done) != 0 ||
        snapshot_chunk_crc(end, reader->salt, SNAPSHOT_END_NUMBER) != wire_get32(end))
        return broken(reader, size - sizeof end, "it has no end", err);
    reader->total_crc = wire_get32(end + 8);
    reader->size_bytes = wire_get64(end + 16);
    if (reader->size_bytes > RAFT_SNAPSHOT_SIZE_BYTES)
        return broken(reader, size - sizeof end, "it claims more than a snapshot may have", err);
    reader->chunks_count = (reader->size_bytes + reader->chunk_size - 1) / reader->chunk_size;
    uint64_t wanted = reader->header_size + sizeof end;
    if (reader->chunks_count > 0)
        wanted = chunk_offset(reader, reader->chunks_count - 1) + stored_size(reader, chunk_bytes(reader, reader->chunks_count - 1)) +
                 sizeof end;
    return size == wanted ? 0 : broken(reader, size, "the file is not as long as its end says", err);
}

static struct raft_snapshot_reader *new_reader(const struct raft_snapshot_store *store, uint64_t index, uint64_t term)
{
    struct raft_snapshot_reader *reader = mem_alloc(sizeof *reader);

    *reader =
        (struct raft_snapshot_reader){.store = *store, .meta = {.index = index, .term = term}, .file = -1, .held = SNAPSHOT_END_NUMBER};
    reader->path = raft_snapshot_path(store->dir, index, term);
    return reader;
}

int raft_snapshot_key(const struct raft_snapshot_store *store, uint64_t index, uint64_t term, uint32_t *key_id, struct error *err)
{
    struct raft_snapshot_reader *reader = new_reader(store, index, term);

    int failed = raft_disk_open(store->disk, reader->path, RAFT_DISK_READ, &reader->file, err);
    if (failed == 0)
        failed = read_header(reader, err);
    if (failed == 0)
        *key_id = reader->key_id;
    raft_snapshot_reader_close(reader);
    return failed;
}

int raft_snapshot_reader_open(const struct raft_snapshot_store *store, uint64_t index, uint64_t term, struct raft_snapshot_reader **out,
                              struct error *err)
{
    struct raft_snapshot_reader *reader = new_reader(store, index, term);

    int failed = raft_disk_open(store->disk, reader->path, RAFT_DISK_READ, &reader->file, err);
    if (failed == 0)
        failed = read_header(reader, err);
    if (failed == 0)
        failed = read_end(reader, err);
    if (failed == 0)
        failed = raft_sealer_use(&reader->sealer, store->keys, reader->key_id, reader->salt, reader->path, err);
    if (failed < 0) {
        raft_snapshot_reader_close(reader);
        return failed;
    }
    reader->plain.is_secret = reader->key_id != 0;
    *out = reader;
    return 0;
}

void raft_snapshot_reader_close(struct raft_snapshot_reader *reader)
{
    if (!reader)
        return;
    raft_disk_close(reader->store.disk, &reader->file);
    raft_sealer_deinit(&reader->sealer);
    raft_snapshot_deinit(&reader->meta);
    buf_deinit(&reader->stored);
    buf_deinit(&reader->plain);
    free(reader->path);
    free(reader);
}

const struct raft_snapshot *raft_snapshot_reader_meta(const struct raft_snapshot_reader *reader)
{
    return &reader->meta;
}

uint64_t raft_snapshot_reader_size(const struct raft_snapshot_reader *reader)
{
    return reader->size_bytes;
}

uint32_t raft_snapshot_reader_key(const struct raft_snapshot_reader *reader)
{
    return reader->key_id;
}

/* The chunk's bytes as they lie there into @stored, checked. */
static int read_stored(struct raft_snapshot_reader *reader, uint64_t number, struct bytes *payload, struct error *err)
{
    size_t size = (size_t)stored_size(reader, chunk_bytes(reader, number));
    uint64_t offset = chunk_offset(reader, number);

    buf_clear(&reader->stored);
    int failed = get(reader, buf_reserve(&reader->stored, size), size, offset, err);
    if (failed < 0)
        return failed;
    reader->stored.size = size;
    const uint8_t *header = reader->stored.data;
    *payload = bytes_of(header + SNAPSHOT_CHUNK_HEADER_SIZE, size - SNAPSHOT_CHUNK_HEADER_SIZE);
    if (snapshot_chunk_crc(header, reader->salt, number) != wire_get32(header) || wire_get32(header + 4) != payload->size ||
        crc32c(0, payload->data, payload->size) != wire_get32(header + 8))
        return broken(reader, offset, "a chunk's checksum does not match", err);
    reader->held_crc = wire_get32(header);
    return 0;
}

static int hold_chunk(struct raft_snapshot_reader *reader, uint64_t number, struct error *err)
{
    struct bytes payload;
    uint8_t bound[SNAPSHOT_BOUND_SIZE];

    if (reader->held == number)
        return 0;
    reader->held = SNAPSHOT_END_NUMBER;
    int failed = read_stored(reader, number, &payload, err);
    if (failed < 0)
        return failed;
    buf_clear(&reader->plain);
    if (reader->key_id == 0) {
        buf_append(&reader->plain, payload.data, payload.size);
    } else {
        buf_reserve(&reader->plain, payload.size);
        if (!raft_unseal(&reader->sealer, reader->stored.data + 16,
                         snapshot_bind(bound, number, (uint32_t)payload.size, reader->meta.index), payload, reader->plain.data))
            return raft_seal_refused(reader->key_id, reader->path, chunk_offset(reader, number), err);
        reader->plain.size = payload.size - RAFT_TAG_SIZE_BYTES;
    }
    reader->held = number;
    return 0;
}

int raft_snapshot_reader_read(struct raft_snapshot_reader *reader, uint64_t offset, struct bytes *out, struct error *err)
{
    *out = bytes_of(NULL, 0);
    if (offset >= reader->size_bytes)
        return 0;
    int failed = hold_chunk(reader, offset / reader->chunk_size, err);
    if (failed < 0)
        return failed;
    size_t skipped = (size_t)(offset % reader->chunk_size);
    *out = bytes_of(reader->plain.data + skipped, reader->plain.size - skipped);
    return 0;
}

int raft_snapshot_reader_verify(struct raft_snapshot_reader *reader, struct error *err)
{
    uint32_t total = 0;
    for (uint64_t number = 0; number < reader->chunks_count; number++) {
        reader->held = SNAPSHOT_END_NUMBER;
        int failed = hold_chunk(reader, number, err);
        if (failed < 0)
            return failed;
        total = snapshot_total_crc(total, reader->held_crc);
    }
    return total == reader->total_crc ? 0 : broken(reader, reader->header_size, "its chunks are not those that were written", err);
}
