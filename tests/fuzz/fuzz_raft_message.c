/* tests/fuzz/fuzz_raft_message.c – a message that a peer may send. What it reads as is written to bytes that read as the same. */
#include <assert.h>

#include "raft/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_buf struct buf once = {0}, twice = {0};
    struct raft_message message;
    struct bytes left = bytes_of(data, size), one;

    while (raft_wire_unwrap(&left, &one, NULL) == 1)
        if (raft_wire_read(one, &message, NULL, NULL) == 0)
            raft_message_deinit(&message);
    if (raft_wire_read(bytes_of(data, size), &message, NULL, NULL) < 0)
        return 0;
    raft_wire_write(&message, &once);
    assert(once.size == raft_wire_size_bytes(&message));
    raft_message_deinit(&message);
    if (once.size > RAFT_MESSAGE_SIZE_BYTES) /* fields that were left out are written */
        return 0;
    int again = raft_wire_read(buf_bytes(&once), &message, NULL, NULL);
    assert(again == 0);
    (void)again;
    raft_wire_write(&message, &twice);
    assert(bytes_equal(buf_bytes(&once), buf_bytes(&twice)));
    raft_message_deinit(&message);
    return 0;
}
