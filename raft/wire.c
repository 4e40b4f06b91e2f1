/* raft/wire.c – see wire.h. */
#include "raft/wire.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"

enum wire_type { VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5 };

/* --- writing --- */

static size_t varint_size(uint64_t value)
{
    size_t size = 1;
    for (; value >= 0x80; value >>= 7)
        size++;
    return size;
}

static uint8_t *put_varint(uint8_t *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

static uint8_t *put(uint8_t *at, unsigned field, uint64_t value)
{
    *at++ = (uint8_t)(field << 3 | VARINT);
    return put_varint(at, value);
}

static uint8_t *put_length(uint8_t *at, unsigned field, size_t size)
{
    *at++ = (uint8_t)(field << 3 | LENGTH);
    return put_varint(at, size);
}

static uint8_t *put_bytes(uint8_t *at, unsigned field, struct bytes bytes)
{
    at = put_length(at, field, bytes.size);
    if (bytes.size > 0)
        memcpy(at, bytes.data, bytes.size);
    return at + bytes.size;
}

static size_t field_size(uint64_t value)
{
    return 1 + varint_size(value);
}

static size_t length_size(size_t size)
{
    return 1 + varint_size(size) + size;
}

static size_t ids_size(const struct raft_ids *ids)
{
    size_t size = 0;
    for (size_t i = 0; i < ids->count; i++)
        size += field_size(ids->items[i]);
    return size;
}

static uint8_t *put_ids(uint8_t *at, unsigned field, const struct raft_ids *ids)
{
    for (size_t i = 0; i < ids->count; i++)
        at = put(at, field, ids->items[i]);
    return at;
}

static size_t conf_size(const struct raft_conf_state *conf)
{
    return ids_size(&conf->voters) + ids_size(&conf->learners) + ids_size(&conf->voters_outgoing) + ids_size(&conf->learners_next) +
           (conf->auto_leave ? 2 : 0);
}

static const struct raft_snapshot no_snapshot;

static size_t metadata_size(const struct raft_snapshot *snapshot)
{
    return length_size(conf_size(&snapshot->conf)) + field_size(snapshot->index) + field_size(snapshot->term);
}

static size_t snapshot_size(const struct raft_snapshot *snapshot, struct bytes data)
{
    return (data.size > 0 ? length_size(data.size) : 0) + length_size(metadata_size(snapshot));
}

static uint8_t *put_snapshot(uint8_t *at, const struct raft_snapshot *snapshot, struct bytes data)
{
    at = put_length(at, 9, snapshot_size(snapshot, data));
    if (data.size > 0)
        at = put_bytes(at, 1, data);
    at = put_length(at, 2, metadata_size(snapshot));
    at = put_length(at, 1, conf_size(&snapshot->conf));
    at = put_ids(at, 1, &snapshot->conf.voters);
    at = put_ids(at, 2, &snapshot->conf.learners);
    at = put_ids(at, 3, &snapshot->conf.voters_outgoing);
    at = put_ids(at, 4, &snapshot->conf.learners_next);
    if (snapshot->conf.auto_leave)
        at = put(at, 5, 1);
    at = put(at, 2, snapshot->index);
    return put(at, 3, snapshot->term);
}

static size_t message_size(const struct raft_message *m, const struct raft_snapshot *snapshot, struct bytes data)
{
    size_t size = field_size(m->type) + field_size(m->to) + field_size(m->from) + field_size(m->term) + field_size(m->log_term) +
                  field_size(m->index) + field_size(m->commit) + 2 + field_size(m->reject_hint);
    for (size_t i = 0; i < m->entries_count; i++)
        size += length_size((size_t)raft_entry_size_bytes(&m->entries[i]));
    if (m->context)
        size += length_size(m->context->size);
    return size + length_size(snapshot_size(snapshot, data));
}

static uint8_t *put_message(uint8_t *at, const struct raft_message *m, const struct raft_snapshot *snapshot, struct bytes data)
{
    at = put(at, 1, m->type);
    at = put(at, 2, m->to);
    at = put(at, 3, m->from);
    at = put(at, 4, m->term);
    at = put(at, 5, m->log_term);
    at = put(at, 6, m->index);
    for (size_t i = 0; i < m->entries_count; i++) {
        const struct raft_entry *entry = &m->entries[i];
        at = put_length(at, 7, (size_t)raft_entry_size_bytes(entry));
        at = put(at, 1, entry->type);
        at = put(at, 2, entry->term);
        at = put(at, 3, entry->index);
        if (entry->payload)
            at = put_bytes(at, 4, raft_entry_bytes(entry));
    }
    at = put(at, 8, m->commit);
    at = put_snapshot(at, snapshot, data);
    at = put(at, 10, m->reject);
    at = put(at, 11, m->reject_hint);
    return m->context ? put_bytes(at, 12, bytes_of(m->context->data, m->context->size)) : at;
}

static struct bytes data_of(const struct raft_message *message)
{
    const struct raft_payload *data = message->snapshot ? message->snapshot->data : NULL;
    return data ? bytes_of(data->data, data->size) : bytes_of(NULL, 0);
}

static void write_message(const struct raft_message *message, struct bytes data, bool is_wrapped, struct buf *out)
{
    const struct raft_snapshot *snapshot = message->snapshot ? message->snapshot : &no_snapshot;
    size_t size = message_size(message, snapshot, data);
    uint8_t *begin = buf_reserve(out, is_wrapped ? length_size(size) : size), *at = begin;

    if (is_wrapped)
        at = put_length(at, 1, size);
    at = put_message(at, message, snapshot, data);
    out->size += (size_t)(at - begin);
}

void raft_wire_write(const struct raft_message *message, struct buf *out)
{
    write_message(message, data_of(message), false, out);
}

void raft_wire_write_part(const struct raft_message *message, struct bytes part, struct buf *out)
{
    write_message(message, part, false, out);
}

void raft_wire_wrap(const struct raft_message *message, struct buf *out)
{
    write_message(message, data_of(message), true, out);
}

void raft_wire_wrap_part(const struct raft_message *message, struct bytes part, struct buf *out)
{
    write_message(message, part, true, out);
}

uint64_t raft_wire_size_bytes(const struct raft_message *message)
{
    return message_size(message, message->snapshot ? message->snapshot : &no_snapshot, data_of(message));
}

/* --- reading --- */

struct field {
    unsigned number;
    enum wire_type type;
    uint64_t value;     /* VARINT */
    struct bytes bytes; /* LENGTH */
};

static bool get_varint(struct bytes *in, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && in->size > 0; shift += 7) {
        uint8_t byte = *in->data;
        *in = bytes_of(in->data + 1, in->size - 1);
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return shift < 63 || byte < 2;
    }
    return false;
}

static bool skip(struct bytes *in, size_t size)
{
    if (in->size < size)
        return false;
    *in = bytes_of(in->data + size, in->size - size);
    return true;
}

/* 1: a field; 0: the end; or malformed. */
static int next_field(struct bytes *in, struct field *field, struct error *err)
{
    uint64_t tag, size;

    if (in->size == 0)
        return 0;
    *field = (struct field){0};
    bool is_good = get_varint(in, &tag) && tag >> 3 > 0 && tag >> 3 <= UINT32_MAX >> 3;
    field->number = (unsigned)(tag >> 3);
    field->type = (enum wire_type)(tag & 7);
    if (is_good && field->type == VARINT) {
        is_good = get_varint(in, &field->value);
    } else if (is_good && field->type == LENGTH) {
        is_good = get_varint(in, &size) && size <= in->size;
        if (is_good) {
            field->bytes = bytes_of(in->data, (size_t)size);
            is_good = skip(in, (size_t)size);
        }
    } else if (is_good) {
        is_good = (field->type == FIXED64 && skip(in, 8)) || (field->type == FIXED32 && skip(in, 4));
    }
    return is_good ? 1 : error_set(err, ERR_INVALID, "raft message: cut short or malformed");
}

/* Terms and indexes are counted up one by one: none comes near the end of its type honestly. */
static int check_number(uint64_t value, const char *what, struct error *err)
{
    return value <= RAFT_NUMBER_MOST ? 0 : error_set(err, ERR_INVALID, "raft message: %s %" PRIu64 " is too large to be one", what, value);
}

static int read_entry(struct bytes in, struct raft_entry *entry, struct error *err)
{
    struct field field;
    struct bytes data = {NULL, 0};
    uint64_t type = 0;
    int got;

    while ((got = next_field(&in, &field, err)) == 1) {
        if (field.number == 1 && field.type == VARINT)
            type = field.value;
        else if (field.number == 2 && field.type == VARINT)
            entry->term = field.value;
        else if (field.number == 3 && field.type == VARINT)
            entry->index = field.value;
        else if (field.number == 4 && field.type == LENGTH)
            data = field.bytes;
    }
    if (got < 0)
        return got;
    if (check_number(entry->term, "term", err) < 0 || check_number(entry->index, "index", err) < 0)
        return ERR_INVALID;
    if (type > RAFT_ENTRY_CONF_CHANGE_V2)
        return error_set(err, ERR_INVALID, "raft message: entry %" PRIu64 " has the unknown type %" PRIu64, entry->index, type);
    entry->type = (enum raft_entry_type)type;
    entry->payload = raft_payload_new(data);
    return 0;
}

/* proto2 writes such a list as one field a number; a packed one means the same. */
static int read_ids(const struct field *field, struct raft_ids *ids, struct error *err)
{
    struct bytes in = field->bytes;
    uint64_t id = field->value;

    if (field->type == VARINT)
        raft_ids_add(ids, id);
    while (in.size > 0 && ids->count <= RAFT_CONF_MEMBERS_COUNT) {
        if (!get_varint(&in, &id))
            return error_set(err, ERR_INVALID, "raft message: a list of members is malformed");
        raft_ids_add(ids, id);
    }
    return ids->count <= RAFT_CONF_MEMBERS_COUNT
               ? 0
               : error_set(err, ERR_LIMIT, "raft message: a snapshot with more than %d members", RAFT_CONF_MEMBERS_COUNT);
}

static int read_conf(struct bytes in, struct raft_conf_state *conf, struct error *err)
{
    struct raft_ids *lists[] = {&conf->voters, &conf->learners, &conf->voters_outgoing, &conf->learners_next};
    struct field field;
    int got;

    while ((got = next_field(&in, &field, err)) == 1) {
        if (field.number >= 1 && field.number <= 4 && read_ids(&field, lists[field.number - 1], err) < 0)
            return ERR_INVALID;
        if (field.number == 5 && field.type == VARINT)
            conf->auto_leave = field.value != 0;
    }
    return got;
}

static int read_metadata(struct bytes in, struct raft_snapshot *snapshot, struct error *err)
{
    struct field field;
    int got;

    while ((got = next_field(&in, &field, err)) == 1) {
        if (field.number == 1 && field.type == LENGTH && read_conf(field.bytes, &snapshot->conf, err) < 0)
            return ERR_INVALID;
        if (field.number == 2 && field.type == VARINT)
            snapshot->index = field.value;
        else if (field.number == 3 && field.type == VARINT)
            snapshot->term = field.value;
    }
    return got;
}

static int read_snapshot(struct bytes in, struct raft_message *out, struct bytes *data, struct error *err)
{
    struct field field;
    int got;

    if (!out->snapshot)
        out->snapshot = mem_alloc(sizeof *out->snapshot);
    while ((got = next_field(&in, &field, err)) == 1) {
        if (field.number == 1 && field.type == LENGTH)
            *data = field.bytes;
        else if (field.number == 2 && field.type == LENGTH && read_metadata(field.bytes, out->snapshot, err) < 0)
            return ERR_INVALID;
    }
    return got;
}

struct reading {
    struct raft_message *out;
    struct bytes data;
    uint64_t type;
    size_t capacity;
};

static int add_entry(struct reading *reading, struct bytes bytes, struct error *err)
{
    struct raft_message *out = reading->out;

    if (out->entries_count == RAFT_MESSAGE_ENTRIES_COUNT)
        return error_set(err, ERR_LIMIT, "raft message: more than %u entries", RAFT_MESSAGE_ENTRIES_COUNT);
    if (out->entries_count == reading->capacity) {
        reading->capacity = reading->capacity ? 2 * reading->capacity : 4;
        out->entries = mem_resize(out->entries, reading->capacity * sizeof *out->entries);
    }
    struct raft_entry *entry = &out->entries[out->entries_count++];
    *entry = (struct raft_entry){0};
    return read_entry(bytes, entry, err);
}

static int take_bytes(struct reading *reading, const struct field *field, struct error *err)
{
    if (field->number == 7)
        return add_entry(reading, field->bytes, err);
    if (field->number == 9)
        return read_snapshot(field->bytes, reading->out, &reading->data, err);
    if (field->number != 12)
        return 0;
    if (field->bytes.size > RAFT_CONTEXT_SIZE_BYTES)
        return error_set(err, ERR_LIMIT, "raft message: a context of %zu bytes", field->bytes.size);
    raft_payload_release(reading->out->context);
    reading->out->context = raft_payload_new(field->bytes);
    return 0;
}

static void take_number(struct reading *reading, const struct field *field)
{
    struct raft_message *out = reading->out;
    uint64_t *const places[] = {NULL, &reading->type, &out->to, &out->from, &out->term, &out->log_term, &out->index, NULL, &out->commit};

    if (field->number < sizeof places / sizeof places[0] && places[field->number])
        *places[field->number] = field->value;
    else if (field->number == 10)
        out->reject = field->value != 0;
    else if (field->number == 11)
        out->reject_hint = field->value;
    else if (field->number == 13)
        out->vote = field->value;
}

static bool travels(uint64_t type)
{
    switch (type) {
    case RAFT_MESSAGE_PROPOSE:
    case RAFT_MESSAGE_APPEND:
    case RAFT_MESSAGE_APPEND_RESPONSE:
    case RAFT_MESSAGE_VOTE:
    case RAFT_MESSAGE_VOTE_RESPONSE:
    case RAFT_MESSAGE_SNAPSHOT:
    case RAFT_MESSAGE_HEARTBEAT:
    case RAFT_MESSAGE_HEARTBEAT_RESPONSE:
    case RAFT_MESSAGE_TRANSFER_LEADER:
    case RAFT_MESSAGE_TIMEOUT_NOW:
    case RAFT_MESSAGE_READ_INDEX:
    case RAFT_MESSAGE_READ_INDEX_RESPONSE:
    case RAFT_MESSAGE_PRE_VOTE:
    case RAFT_MESSAGE_PRE_VOTE_RESPONSE:
        return true;
    default:
        return false;
    }
}

static bool is_member_id(uint64_t id)
{
    return id != RAFT_NOBODY && id != RAFT_APPEND_THREAD && id != RAFT_APPLY_THREAD;
}

/* What no peer may say, and the snapshot that says nothing. */
static int settle(struct reading *reading, struct bytes *data, struct error *err)
{
    struct raft_message *out = reading->out;

    if (!travels(reading->type))
        return error_set(err, ERR_INVALID, "raft message: %s (%" PRIu64 ") does not come from a peer",
                         reading->type <= RAFT_MESSAGE_FORGET_LEADER ? raft_message_type_name((int)reading->type) : "unknown",
                         reading->type);
    out->type = (enum raft_message_type)reading->type;
    if (!is_member_id(out->from) || !is_member_id(out->to))
        return error_set(err, ERR_INVALID, "raft message: from %" PRIx64 " to %" PRIx64 ": no members", out->from, out->to);
    if (check_number(out->term, "term", err) < 0 || check_number(out->log_term, "term", err) < 0 ||
        check_number(out->index, "index", err) < 0 || check_number(out->commit, "commit index", err) < 0)
        return ERR_INVALID;
    if (out->snapshot && (check_number(out->snapshot->index, "index", err) < 0 || check_number(out->snapshot->term, "term", err) < 0))
        return ERR_INVALID;
    if (out->type == RAFT_MESSAGE_SNAPSHOT && (!out->snapshot || out->snapshot->index == 0))
        return error_set(err, ERR_INVALID, "raft message: a snapshot message without one");
    if (out->type != RAFT_MESSAGE_SNAPSHOT && out->snapshot) {
        raft_snapshot_deinit(out->snapshot);
        free(out->snapshot);
        out->snapshot = NULL;
    }
    if (data)
        *data = out->snapshot ? reading->data : bytes_of(NULL, 0);
    else if (out->snapshot)
        out->snapshot->data = raft_payload_new(reading->data);
    return 0;
}

int raft_wire_read(struct bytes bytes, struct raft_message *out, struct bytes *data, struct error *err)
{
    struct reading reading = {.out = out};
    struct field field;
    int got;

    *out = (struct raft_message){0};
    if (bytes.size > RAFT_MESSAGE_SIZE_BYTES)
        return error_set(err, ERR_LIMIT, "raft message: %zu bytes, more than %u", bytes.size, RAFT_MESSAGE_SIZE_BYTES);
    while ((got = next_field(&bytes, &field, err)) == 1) {
        if (field.type == VARINT)
            take_number(&reading, &field);
        else if (field.type == LENGTH && (got = take_bytes(&reading, &field, err)) < 0)
            break;
    }
    if (got == 0)
        got = settle(&reading, data, err);
    if (got < 0)
        raft_message_deinit(out);
    return got;
}

int raft_wire_unwrap(struct bytes *bytes, struct bytes *message, struct error *err)
{
    struct field field;
    int got;

    while ((got = next_field(bytes, &field, err)) == 1)
        if (field.number == 1 && field.type == LENGTH) {
            *message = field.bytes;
            return 1;
        }
    return got;
}
