/* tests/fuzz/fuzz_message.c – each message that a peer may send: the first byte picks one, two per method. What was unpacked packs to
 * something that unpacks to the same. */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "proto/message.h"
#include "proto/methods.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    const struct method *method = &method_list[data[0] / 2 % METHOD_COUNT];
    const ProtobufCMessageDescriptor *descriptor = data[0] % 2 ? method->response : method->request;
    ProtobufCMessage *message, *again;
    struct error err;
    if (message_unpack(descriptor, bytes_of(data + 1, size - 1), 64 * KIB, &message, &err) < 0)
        return 0;
    ProtobufCMessage *compact = message_compact(message, NULL);
    again = message_copy(message);
    assert(message_equal(message, again));
    assert(message_equal(message, compact));
    free(compact);
    message_free(message);
    message_free(again);
    return 0;
}
