/* raft/log/snapshot.c – names, checksums, and which files stay: see snapshot.h. */
#include "raft/log/snapshot_inside.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "raft/log/segment.h"
#include "raft/log/wire.h"

const char snapshot_magic[8] = {'S', 'K', 'E', 'P', 'S', 'N', 'A', 'P'};
const char snapshot_done[8] = {'S', 'K', 'E', 'P', 'D', 'O', 'N', 'E'};

uint32_t snapshot_header_crc(struct bytes header)
{
    return crc32c(crc32c(0, header.data, 12), header.data + 16, header.size - 16);
}

uint32_t snapshot_chunk_crc(const uint8_t header[SNAPSHOT_CHUNK_HEADER_SIZE], const uint8_t salt[RAFT_SALT_SIZE_BYTES], uint64_t number)
{
    uint8_t where[RAFT_SALT_SIZE_BYTES + 8];
    memcpy(where, salt, RAFT_SALT_SIZE_BYTES);
    wire_put64(where + RAFT_SALT_SIZE_BYTES, number);
    return crc32c(crc32c(0, where, sizeof where), header + 4, SNAPSHOT_CHUNK_HEADER_SIZE - 4);
}

struct bytes snapshot_bind(uint8_t out[SNAPSHOT_BOUND_SIZE], uint64_t number, uint32_t size, uint64_t index)
{
    wire_put64(out, number);
    wire_put64(out + 8, size);
    wire_put64(out + 16, index);
    return bytes_of(out, SNAPSHOT_BOUND_SIZE);
}

uint32_t snapshot_total_crc(uint32_t total, uint32_t chunk_crc)
{
    uint8_t bytes[4];
    wire_put32(bytes, chunk_crc);
    return crc32c(total, bytes, sizeof bytes);
}

char *raft_snapshot_path(const char *dir, uint64_t index, uint64_t term)
{
    return mem_format("%s/%016" PRIx64 "-%016" PRIx64 ".snap", dir, index, term);
}

bool raft_snapshot_name_parse(const char *name, struct raft_snapshot_name *out)
{
    return strlen(name) == 38 && name[16] == '-' && strcmp(name + 33, ".snap") == 0 && raft_name_parse_hex(name, 16, &out->index) &&
           raft_name_parse_hex(name + 17, 16, &out->term);
}

int raft_snapshot_list(const struct raft_snapshot_store *store, struct raft_snapshot_name **out, size_t *count, struct error *err)
{
    struct raft_names names;
    struct raft_snapshot_name name;

    *count = 0;
    int failed = raft_disk_list(store->disk, store->dir, &names, err);
    if (failed < 0)
        return failed;
    *out = mem_array(RAFT_SNAPSHOTS_COUNT, sizeof **out);
    for (size_t i = names.count; i > 0 && *count < RAFT_SNAPSHOTS_COUNT; i--)
        if (raft_snapshot_name_parse(names.items[i - 1], &name))
            (*out)[(*count)++] = name;
    raft_names_deinit(&names);
    return 0;
}

int raft_snapshot_remove(const struct raft_snapshot_store *store, uint64_t index, uint64_t term, struct error *err)
{
    cleanup_free char *path = raft_snapshot_path(store->dir, index, term);
    return raft_disk_remove(store->disk, store->dir, path, err);
}

int raft_snapshot_remove_beyond(const struct raft_snapshot_store *store, uint64_t index, struct error *err)
{
    cleanup_free struct raft_snapshot_name *names = NULL;
    size_t count;

    int failed = raft_snapshot_list(store, &names, &count, err);
    for (size_t i = 0; failed == 0 && i < count && names[i].index > index; i++)
        failed = raft_snapshot_remove(store, names[i].index, names[i].term, err);
    return failed;
}

static bool is_sealed_with_current(const struct raft_snapshot_store *store, const struct raft_snapshot_name *name)
{
    uint32_t key_id;
    return raft_snapshot_key(store, name->index, name->term, &key_id, NULL) == 0 && key_id == store->keys->current;
}

int raft_snapshot_prune(const struct raft_snapshot_store *store, uint64_t index, size_t keep_count, struct error *err)
{
    cleanup_free struct raft_snapshot_name *names = NULL;
    size_t count, kept = 0;
    bool is_rotated = false;

    int failed = raft_snapshot_list(store, &names, &count, err);
    for (size_t i = 0; failed == 0 && i < count; i++) {
        if (names[i].index > index)
            continue;
        bool is_old = !is_sealed_with_current(store, &names[i]);
        if (kept == 0)
            is_rotated = !is_old;
        if (kept++ >= keep_count || (is_rotated && is_old))
            failed = raft_snapshot_remove(store, names[i].index, names[i].term, err);
    }
    return failed;
}

int raft_snapshot_set_aside(const struct raft_snapshot_store *store, uint64_t index, uint64_t term, char **name, struct error *err)
{
    cleanup_free char *path = raft_snapshot_path(store->dir, index, term);
    *name = mem_format("%s.broken", path);
    int failed = raft_disk_rename(store->disk, store->dir, path, *name, err);
    if (failed < 0)
        free(steal(name));
    return failed;
}
