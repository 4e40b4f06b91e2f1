/* Names, shared bytes, and the life of messages. */
#include "raft/types.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

const char *raft_message_type_name(int type)
{
    static const char *const names[] = {
#define X(name, number, text) [number] = (text),
        RAFT_MESSAGE_TYPES(X)
#undef X
    };

    return type >= 0 && (size_t)type < sizeof names / sizeof names[0] ? names[type] : "unknown";
}

const char *raft_entry_type_name(int type)
{
    static const char *const names[] = {
#define X(name, number, text) [number] = (text),
        RAFT_ENTRY_TYPES(X)
#undef X
    };

    return type >= 0 && (size_t)type < sizeof names / sizeof names[0] ? names[type] : "unknown";
}

struct raft_payload *raft_payload_new(struct bytes bytes)
{
    struct raft_payload *payload;

    if (bytes.size == 0)
        return NULL;
    payload = mem_alloc(sizeof *payload + bytes.size);
    payload->holders = 1;
    payload->size = bytes.size;
    memcpy(payload->data, bytes.data, bytes.size);
    return payload;
}

struct raft_payload *raft_payload_hold(struct raft_payload *payload)
{
    if (payload)
        payload->holders++;
    return payload;
}

void raft_payload_release(struct raft_payload *payload)
{
    if (payload && --payload->holders == 0)
        free(payload);
}

static void copy_ids(struct raft_ids *to, const struct raft_ids *from)
{
    to->items = mem_copy(from->items, from->count * sizeof *from->items);
    to->count = from->count;
}

void raft_conf_state_copy(struct raft_conf_state *to, const struct raft_conf_state *from)
{
    copy_ids(&to->voters, &from->voters);
    copy_ids(&to->learners, &from->learners);
    copy_ids(&to->voters_outgoing, &from->voters_outgoing);
    copy_ids(&to->learners_next, &from->learners_next);
    to->auto_leave = from->auto_leave;
}

void raft_conf_state_deinit(struct raft_conf_state *conf)
{
    free(conf->voters.items);
    free(conf->learners.items);
    free(conf->voters_outgoing.items);
    free(conf->learners_next.items);
    *conf = (struct raft_conf_state){0};
}

void raft_snapshot_copy(struct raft_snapshot *to, const struct raft_snapshot *from)
{
    to->index = from->index;
    to->term = from->term;
    raft_conf_state_copy(&to->conf, &from->conf);
    to->data = raft_payload_hold(from->data);
}

void raft_snapshot_deinit(struct raft_snapshot *snapshot)
{
    raft_conf_state_deinit(&snapshot->conf);
    raft_payload_release(snapshot->data);
    *snapshot = (struct raft_snapshot){0};
}

void raft_message_deinit(struct raft_message *message)
{
    for (size_t i = 0; i < message->entries_count; i++)
        raft_payload_release(message->entries[i].payload);
    free(message->entries);
    for (size_t i = 0; i < message->responses_count; i++)
        raft_message_deinit(&message->responses[i]);
    free(message->responses);
    if (message->snapshot)
        raft_snapshot_deinit(message->snapshot);
    free(message->snapshot);
    raft_payload_release(message->context);
    *message = (struct raft_message){0};
}
