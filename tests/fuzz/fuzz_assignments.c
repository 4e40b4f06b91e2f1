/* tests/fuzz/fuzz_assignments.c – messages of the Assignments stream, several in a row: each is two bytes of length and the message. */
#include <stdint.h>

#include "agent/assignments.h"
#include "base/error.h"
#include "proto/swarmkit/dispatcher.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct assignments *assignments = assignments_new();

    while (size > 2) {
        struct assignment_changes changes;
        struct error err;
        size_t length = (size_t)(data[0] << 8 | data[1]);
        data += 2;
        size -= 2;
        length = length < size ? length : size;
        Docker__Swarmkit__V1__AssignmentsMessage *message = docker__swarmkit__v1__assignments_message__unpack(NULL, length, data);
        if (message && assignments_apply(assignments, message, &changes, &err) == 0) {
            (void)assignments_secret(assignments, "task1", "secret1");
            assignment_changes_deinit(&changes);
        }
        docker__swarmkit__v1__assignments_message__free_unpacked(message, NULL);
        data += length;
        size -= length;
    }
    assignments_free(assignments);
    return 0;
}
