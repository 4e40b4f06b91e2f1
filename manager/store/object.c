/* manager/store/object.c – see object.h. */
#include "manager/store/object.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "proto/message.h"

struct store_object *store_object_new(enum store_kind kind, const ProtobufCMessage *message)
{
    struct store_object *object = mem_alloc(sizeof *object);

    object->holders = 1;
    object->kind = kind;
    object->message = message_compact(message, &object->size_bytes);
    return object;
}

struct store_object *store_object_hold(struct store_object *object)
{
    if (object)
        object->holders++;
    return object;
}

void store_object_release(struct store_object *object)
{
    if (object == NULL)
        return;
    assert(object->holders > 0);
    if (--object->holders > 0)
        return;
    mem_wipe(object->message, object->size_bytes);
    free(object->message);
    free(object);
}
