/* proto/message.h – protobuf messages with bounds: from hostile bytes within a size, a depth and memory, to bytes, copies, and the
 * well-known types.
 *
 * protobuf-c recurses into submessages and believes lengths; what is checked here before it starts keeps it within the stack. */
#ifndef SKEP_PROTO_MESSAGE_H
#define SKEP_PROTO_MESSAGE_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct Google__Protobuf__Timestamp;
struct Google__Protobuf__Duration;

/* Unpack one message of @descriptor. ERR_LIMIT when larger than @max_bytes, nested deeper than MESSAGE_DEPTH_COUNT or larger in memory than
 * MESSAGE_MEMORY_… allows for its size, ERR_INVALID when it is malformed; all name the message. Free with message_free(). */
int message_unpack(const ProtobufCMessageDescriptor *descriptor, struct bytes bytes, size_t max_bytes, ProtobufCMessage **out,
                   struct error *err);
void message_free(ProtobufCMessage *message); /* NULL is fine */

/* Free a message that may carry a key, a token or a secret: every text and every run of bytes in it is wiped first. NULL is fine. */
void message_wipe_free(ProtobufCMessage *message);
void message_wipe(ProtobufCMessage *message); /* only that */

void message_pack(const ProtobufCMessage *message, struct buf *out); /* appends */

/* A deep copy, unknown fields included; freed with message_free(). */
ProtobufCMessage *message_copy(const ProtobufCMessage *message);

/* A deep copy in one piece of memory, as small as it can be; freed with free(). For those who keep many. @size_bytes may be NULL. */
ProtobufCMessage *message_compact(const ProtobufCMessage *message, size_t *size_bytes);

/* The same content, field by field: map entries in any order are not the same. By packed bytes. */
bool message_equal(const ProtobufCMessage *a, const ProtobufCMessage *b);

/* Typed: MESSAGE_UNPACK(Docker__Swarmkit__V1__Task, docker__swarmkit__v1__task, bytes, max, &task, err) */
/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in them. */
#define MESSAGE_UNPACK(type, name, bytes, max_bytes, out, err)                                                                             \
    message_unpack(&name##__descriptor, (bytes), (max_bytes), (ProtobufCMessage **)(type **)(out), (err))
/* NOLINTEND(bugprone-macro-parentheses) */

/* Instants and durations in nanoseconds. Out of an int64's range they are clamped; NULL is the fallback. */
int64_t message_timestamp_ns(const struct Google__Protobuf__Timestamp *timestamp, int64_t fallback_ns);
int64_t message_duration_ns(const struct Google__Protobuf__Duration *duration, int64_t fallback_ns);
void message_set_timestamp(struct Google__Protobuf__Timestamp *timestamp, int64_t wall_ns); /* initialises it */
void message_set_duration(struct Google__Protobuf__Duration *duration, int64_t ns);         /* initialises it */

/* An empty message on the heap: freed with message_free(). MESSAGE_NEW(Docker__Swarmkit__V1__Task, docker__swarmkit__v1__task) */
ProtobufCMessage *message_new(const ProtobufCMessageDescriptor *descriptor);
#define MESSAGE_NEW(type, name) ((type *)(void *)message_new(&name##__descriptor))

/* A copy of the same type, as message_copy(): MESSAGE_COPY(task). */
#define MESSAGE_COPY(message) ((void *)message_copy(&(message)->base))

/* Fields of a message on the heap, as message_unpack and message_copy make them. The value is copied; what the field held is wiped and
 * freed. NULL and no bytes make the field empty. */
void message_set_string(char **field, const char *value);
void message_set_bytes(ProtobufCBinaryData *field, struct bytes value);

static inline struct bytes message_bytes(ProtobufCBinaryData field) /* borrowed */
{
    return bytes_of(field.data, field.len);
}

#endif
