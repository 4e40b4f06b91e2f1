/* manager/store/object.h – one object as it was at one version: it never changes, and lives as long as anyone holds it. */
#ifndef SKEP_MANAGER_STORE_OBJECT_H
#define SKEP_MANAGER_STORE_OBJECT_H

#include "manager/store/kinds.h"

struct store_object {
    uint32_t holders;
    enum store_kind kind;
    size_t size_bytes; /* of the message, which is one piece of memory */
    ProtobufCMessage *message;
};

struct store_object *store_object_new(enum store_kind kind, const ProtobufCMessage *message); /* copies; the caller holds it once */
struct store_object *store_object_hold(struct store_object *object);                          /* returns it; NULL is fine */
void store_object_release(struct store_object *object); /* NULL is fine. The last one wipes it: some carry keys and credentials */

static inline const char *store_object_id(const struct store_object *object)
{
    return store_message_id(object->kind, object->message);
}

static inline uint64_t store_object_version(const struct store_object *object)
{
    return store_message_version(object->kind, object->message);
}

#endif
