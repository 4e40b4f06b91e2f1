/* raft/log/payload.c – see payload.h. */
#include "raft/log/payload.h"

#include "base/mem.h"
#include "raft/log/wire.h"

enum { CONF_HEADER_SIZE = 24, SNAPSHOT_HEADER_SIZE = 24, HARD_STATE_SIZE = 24 };

static int bad(const char *what, struct error *err)
{
    return error_set(err, ERR_CORRUPT, "%s", what);
}

static struct bytes behind(struct bytes bytes, size_t size)
{
    return bytes_of(bytes.data + size, bytes.size - size);
}

/* --- entries --- */

void raft_payload_add_entries(struct buf *out, const struct raft_entry *entries, size_t count)
{
    wire_add64(out, entries[0].index);
    wire_add32(out, (uint32_t)count);
    wire_add32(out, 0);
    for (size_t i = 0; i < count; i++) {
        struct bytes data = raft_entry_bytes(&entries[i]);
        wire_add64(out, entries[i].term);
        wire_add32(out, (uint32_t)data.size);
        wire_add32(out, (uint32_t)entries[i].type);
        buf_append(out, data.data, data.size);
    }
}

int raft_payload_open_entries(struct bytes payload, struct raft_entries_reader *out, struct error *err)
{
    if (payload.size < RAFT_ENTRIES_HEADER_SIZE_BYTES)
        return bad("entries: shorter than their header", err);
    *out = (struct raft_entries_reader){behind(payload, RAFT_ENTRIES_HEADER_SIZE_BYTES), wire_get64(payload.data),
                                        wire_get32(payload.data + 8)};
    if (out->left == 0 || out->next_index == 0 || out->next_index > UINT64_MAX - out->left || wire_get32(payload.data + 12) != 0)
        return bad("entries: no such range", err);
    return 0;
}

int raft_payload_next_entry(struct raft_entries_reader *reader, struct raft_entry *entry, struct bytes *data, struct error *err)
{
    if (reader->left == 0)
        return reader->rest.size == 0 ? 0 : bad("entries: more bytes than entries", err);
    if (reader->rest.size < RAFT_ENTRY_HEADER_SIZE_BYTES)
        return bad("entries: cut short", err);
    uint32_t size = wire_get32(reader->rest.data + 8), type = wire_get32(reader->rest.data + 12);
    if (size > reader->rest.size - RAFT_ENTRY_HEADER_SIZE_BYTES)
        return bad("entries: one is larger than its record", err);
    if (type > RAFT_ENTRY_CONF_CHANGE_V2)
        return bad("entries: one has no type we know", err);
    *entry = (struct raft_entry){wire_get64(reader->rest.data), reader->next_index++, (enum raft_entry_type)type, NULL};
    *data = bytes_of(reader->rest.data + RAFT_ENTRY_HEADER_SIZE_BYTES, size);
    reader->rest = behind(reader->rest, RAFT_ENTRY_HEADER_SIZE_BYTES + (size_t)size);
    reader->left--;
    return 1;
}

/* --- hard state, close --- */

void raft_payload_add_hard_state(struct buf *out, const struct raft_hard_state *hard)
{
    wire_add64(out, hard->term);
    wire_add64(out, hard->vote);
    wire_add64(out, hard->commit);
}

int raft_payload_read_hard_state(struct bytes payload, struct raft_hard_state *out, struct error *err)
{
    if (payload.size != HARD_STATE_SIZE)
        return bad("hard state: not its size", err);
    *out = (struct raft_hard_state){wire_get64(payload.data), wire_get64(payload.data + 8), wire_get64(payload.data + 16)};
    return 0;
}

void raft_payload_add_close(struct buf *out, uint64_t last_index)
{
    wire_add64(out, last_index);
}

int raft_payload_read_close(struct bytes payload, uint64_t *last_index, struct error *err)
{
    if (payload.size != 8)
        return bad("close: not its size", err);
    *last_index = wire_get64(payload.data);
    return 0;
}

/* --- members --- */

void raft_payload_add_conf(struct buf *out, const struct raft_conf_state *conf)
{
    const struct raft_ids *lists[] = {&conf->voters, &conf->learners, &conf->voters_outgoing, &conf->learners_next};
    for (int i = 0; i < 4; i++)
        wire_add32(out, (uint32_t)lists[i]->count);
    wire_add32(out, conf->auto_leave);
    wire_add32(out, 0);
    for (int i = 0; i < 4; i++)
        for (size_t k = 0; k < lists[i]->count; k++)
            wire_add64(out, lists[i]->items[k]);
}

static int read_ids(struct bytes *rest, uint32_t count, struct raft_ids *out, struct error *err)
{
    if (rest->size < 8 * (size_t)count)
        return bad("members: cut short", err);
    out->items = count ? mem_array(count, sizeof *out->items) : NULL;
    out->count = count;
    for (uint32_t i = 0; i < count; i++) {
        out->items[i] = wire_get64(rest->data + 8 * (size_t)i);
        if (i > 0 && out->items[i] <= out->items[i - 1])
            return bad("members: not in order", err);
    }
    *rest = behind(*rest, 8 * (size_t)count);
    return 0;
}

int raft_payload_read_conf(struct bytes *payload, struct raft_conf_state *out, struct error *err)
{
    struct raft_conf_state conf = {0};
    struct raft_ids *lists[] = {&conf.voters, &conf.learners, &conf.voters_outgoing, &conf.learners_next};
    if (payload->size < CONF_HEADER_SIZE)
        return bad("members: shorter than their header", err);
    const uint8_t *header = payload->data;
    struct bytes rest = behind(*payload, CONF_HEADER_SIZE);
    if (wire_get32(header + 16) > 1 || wire_get32(header + 20) != 0)
        return bad("members: not of our making", err);
    conf.auto_leave = wire_get32(header + 16) == 1;
    for (int i = 0; i < 4; i++) {
        uint32_t count = wire_get32(header + 4 * i);
        int failed = count > RAFT_CONF_MEMBERS_COUNT ? bad("members: too many", err) : read_ids(&rest, count, lists[i], err);
        if (failed < 0) {
            raft_conf_state_deinit(&conf);
            return failed;
        }
    }
    *payload = rest;
    *out = conf;
    return 0;
}

static int read_only_conf(struct bytes payload, struct raft_conf_state *out, struct error *err)
{
    int failed = raft_payload_read_conf(&payload, out, err);
    if (failed == 0 && payload.size > 0) {
        raft_conf_state_deinit(out);
        return bad("members: more bytes than members", err);
    }
    return failed;
}

void raft_payload_add_members(struct buf *out, uint64_t index, const struct raft_conf_state *conf)
{
    wire_add64(out, index);
    raft_payload_add_conf(out, conf);
}

int raft_payload_read_members(struct bytes payload, uint64_t *index, struct raft_conf_state *out, struct error *err)
{
    if (payload.size < 8)
        return bad("members: shorter than their index", err);
    *index = wire_get64(payload.data);
    return read_only_conf(behind(payload, 8), out, err);
}

/* --- snapshot --- */

void raft_payload_add_snapshot(struct buf *out, const struct raft_snapshot *snapshot, bool is_install)
{
    wire_add64(out, snapshot->index);
    wire_add64(out, snapshot->term);
    wire_add32(out, is_install);
    wire_add32(out, 0);
    raft_payload_add_conf(out, &snapshot->conf);
}

int raft_payload_read_snapshot(struct bytes payload, struct raft_snapshot *out, bool *is_install, struct error *err)
{
    struct raft_snapshot snapshot = {0};
    if (payload.size < SNAPSHOT_HEADER_SIZE)
        return bad("snapshot: shorter than its header", err);
    snapshot.index = wire_get64(payload.data);
    snapshot.term = wire_get64(payload.data + 8);
    *is_install = wire_get32(payload.data + 16) == 1;
    if (snapshot.index == 0 || snapshot.index == UINT64_MAX || wire_get32(payload.data + 16) > 1 || wire_get32(payload.data + 20) != 0)
        return bad("snapshot: not of our making", err);
    int failed = read_only_conf(behind(payload, SNAPSHOT_HEADER_SIZE), &snapshot.conf, err);
    if (failed == 0)
        *out = snapshot;
    return failed;
}
