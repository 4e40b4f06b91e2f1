/* tests/fuzz/fuzz_session_message.c – one message of the Session stream. */
#include <stdint.h>
#include <string.h>

#include "agent/session_facts.h"
#include "proto/swarmkit/dispatcher.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Docker__Swarmkit__V1__SessionMessage *message = docker__swarmkit__v1__session_message__unpack(NULL, size, data);
    struct session_facts facts;
    struct error err;

    if (!message || session_facts_read(message, &facts, &err) < 0) {
        docker__swarmkit__v1__session_message__free_unpacked(message, NULL);
        return 0;
    }
    struct remotes remotes = {0};
    (void)remotes_replace(&remotes, facts.managers, facts.manager_count, &err);
    remotes_deinit(&remotes);
    for (size_t i = 0; i < facts.attachment_count; i++)
        (void)strlen(facts.attachments[i].network_name);
    session_facts_deinit(&facts);
    session_facts_wipe(message);
    docker__swarmkit__v1__session_message__free_unpacked(message, NULL);
    return 0;
}
