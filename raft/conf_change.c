/* Membership changes to and from the bytes of an entry. */
#include "raft/conf_change.h"

#include <stdlib.h>

#include "base/mem.h"
#include "proto/message.h"
#include "proto/swarmkit/raftpb.pb-c.h"

void raft_conf_change_add(struct raft_conf_change *change, enum raft_conf_change_type type, uint64_t id)
{
    change->changes = mem_resize(change->changes, (change->count + 1) * sizeof *change->changes);
    change->changes[change->count++] = (struct raft_conf_change_single){type, id};
}

void raft_conf_change_deinit(struct raft_conf_change *change)
{
    free(change->changes);
    raft_payload_release(change->context);
    *change = (struct raft_conf_change){0};
}

bool raft_conf_change_leaves_joint(const struct raft_conf_change *change)
{
    return change->transition == RAFT_TRANSITION_AUTO && change->count == 0;
}

bool raft_conf_change_enters_joint(const struct raft_conf_change *change, bool *auto_leave)
{
    *auto_leave = change->transition != RAFT_TRANSITION_EXPLICIT;
    return change->transition != RAFT_TRANSITION_AUTO || change->count > 1;
}

static struct ProtobufCBinaryData context_of(const struct raft_conf_change *change)
{
    return change->context ? (ProtobufCBinaryData){change->context->size, change->context->data} : (ProtobufCBinaryData){0, NULL};
}

static void encode_v1(const struct raft_conf_change *change, struct buf *out)
{
    Raftpb__ConfChange wire = RAFTPB__CONF_CHANGE__INIT;

    wire.has_id = wire.has_type = wire.has_node_id = true;
    wire.type = (Raftpb__ConfChangeType)change->changes[0].type;
    wire.node_id = change->changes[0].id;
    wire.has_context = change->context != NULL;
    wire.context = context_of(change);
    message_pack(&wire.base, out);
}

static void encode_v2(const struct raft_conf_change *change, struct buf *out)
{
    Raftpb__ConfChangeV2 wire = RAFTPB__CONF_CHANGE_V2__INIT;
    Raftpb__ConfChangeSingle *singles = mem_array(change->count, sizeof *singles);
    Raftpb__ConfChangeSingle **places = mem_array(change->count, sizeof *places);

    for (size_t i = 0; i < change->count; i++) {
        raftpb__conf_change_single__init(&singles[i]);
        singles[i].has_type = singles[i].has_node_id = true;
        singles[i].type = (Raftpb__ConfChangeType)change->changes[i].type;
        singles[i].node_id = change->changes[i].id;
        places[i] = &singles[i];
    }
    wire.has_transition = true;
    wire.transition = (Raftpb__ConfChangeTransition)change->transition;
    wire.n_changes = change->count;
    wire.changes = places;
    wire.has_context = change->context != NULL;
    wire.context = context_of(change);
    message_pack(&wire.base, out);
    free(places);
    free(singles);
}

int raft_conf_change_encode(const struct raft_conf_change *change, struct raft_entry *entry, struct error *err)
{
    cleanup_buf struct buf out = {0};

    if (change->is_v1 && (change->count != 1 || change->transition != RAFT_TRANSITION_AUTO))
        return error_set(err, ERR_INVALID, "membership change: the old encoding holds one change and no transition");
    *entry = (struct raft_entry){.type = change->is_v1 ? RAFT_ENTRY_CONF_CHANGE : RAFT_ENTRY_CONF_CHANGE_V2};
    if (change->is_v1)
        encode_v1(change, &out);
    else
        encode_v2(change, &out);
    entry->payload = raft_payload_new(buf_bytes(&out));
    return 0;
}

static bool is_known_type(int type)
{
    return type >= RAFT_ADD_VOTER && type <= RAFT_ADD_LEARNER;
}

static int decode_v1(struct bytes bytes, struct raft_conf_change *out, struct error *err)
{
    Raftpb__ConfChange *wire = NULL;

    if (MESSAGE_UNPACK(Raftpb__ConfChange, raftpb__conf_change, bytes, RAFT_CONF_CHANGE_SIZE_BYTES, &wire, err) < 0)
        return error_wrap(err, "membership change");
    out->is_v1 = true;
    raft_conf_change_add(out, (enum raft_conf_change_type)wire->type, wire->node_id);
    if (wire->has_context)
        out->context = raft_payload_new(bytes_of(wire->context.data, wire->context.len));
    message_free(&wire->base);
    return 0;
}

static int decode_v2(struct bytes bytes, struct raft_conf_change *out, struct error *err)
{
    Raftpb__ConfChangeV2 *wire = NULL;

    if (MESSAGE_UNPACK(Raftpb__ConfChangeV2, raftpb__conf_change_v2, bytes, RAFT_CONF_CHANGE_SIZE_BYTES, &wire, err) < 0)
        return error_wrap(err, "membership change");
    out->transition = (enum raft_transition)wire->transition;
    for (size_t i = 0; i < wire->n_changes; i++)
        raft_conf_change_add(out, (enum raft_conf_change_type)wire->changes[i]->type, wire->changes[i]->node_id);
    if (wire->has_context)
        out->context = raft_payload_new(bytes_of(wire->context.data, wire->context.len));
    message_free(&wire->base);
    return 0;
}

int raft_conf_change_decode(const struct raft_entry *entry, struct raft_conf_change *out, struct error *err)
{
    int result;

    *out = (struct raft_conf_change){0};
    if (entry->type == RAFT_ENTRY_CONF_CHANGE)
        result = decode_v1(raft_entry_bytes(entry), out, err);
    else if (entry->type == RAFT_ENTRY_CONF_CHANGE_V2)
        result = decode_v2(raft_entry_bytes(entry), out, err);
    else
        return error_set(err, ERR_INVALID, "membership change: entry %llu is of another type", (unsigned long long)entry->index);
    if (result < 0)
        return result;
    if ((int)out->transition < RAFT_TRANSITION_AUTO || (int)out->transition > RAFT_TRANSITION_EXPLICIT)
        result = error_set(err, ERR_INVALID, "membership change: unknown transition %d", (int)out->transition);
    for (size_t i = 0; i < out->count && result == 0; i++)
        if (!is_known_type((int)out->changes[i].type))
            result = error_set(err, ERR_INVALID, "membership change: unknown type %d of change %zu", (int)out->changes[i].type, i);
    if (result < 0)
        raft_conf_change_deinit(out);
    return result;
}
