/* tests/sim/raft/machine.c – the replicated key-value store: a few registers, and what each client did last. */
#include "tests/sim/raft/sim.h"

#include <stdlib.h>

#include "base/mem.h"

enum { IMAGE_FILLER = 700 }; /* so that a snapshot takes several chunks */

struct raft_payload *sim_command_encode(const struct sim_command *command, size_t padding)
{
    uint8_t bytes[sizeof *command + 512] = {0};

    memcpy(bytes, command, sizeof *command);
    return raft_payload_new(bytes_of(bytes, sizeof *command + (padding < 512 ? padding : 512)));
}

bool sim_command_decode(struct bytes bytes, struct sim_command *out)
{
    if (bytes.size < sizeof *out)
        return false;
    memcpy(out, bytes.data, sizeof *out);
    return out->client < SIM_CLIENTS_COUNT && out->key < SIM_KEYS_COUNT;
}

void sim_machine_forget(struct sim *sim, struct sim_node *node)
{
    (void)sim, (void)node;
}

bool sim_machine_apply(struct sim *sim, struct sim_node *node, const struct raft_entry *entry)
{
    struct sim_machine *machine = &node->machine;
    struct sim_command command;
    bool is_command = entry->type == RAFT_ENTRY_NORMAL && sim_command_decode(raft_entry_bytes(entry), &command);

    (void)sim;
    if (!is_command || command.op + 1 <= machine->last_op[command.client])
        return false;
    machine->last_op[command.client] = command.op + 1;
    uint64_t *state = &machine->keys[command.key];
    *state = command.kind == SIM_PUT ? command.value : linear_append(*state, command.value);
    return true;
}

struct raft_payload *sim_machine_save(struct sim *sim, struct sim_node *node)
{
    const struct sim_machine *machine = &node->machine;
    uint8_t image[sizeof *machine + IMAGE_FILLER];

    (void)sim;
    memcpy(image, machine, sizeof *machine);
    memset(image + sizeof *machine, (int)(machine->hash & 0xff), IMAGE_FILLER);
    return raft_payload_new(bytes_of(image, sizeof image));
}

bool sim_machine_load(struct sim *sim, struct sim_node *node, struct bytes image)
{
    struct sim_machine *machine = &node->machine;

    (void)sim;
    if (image.size != sizeof *machine + IMAGE_FILLER)
        return false;
    memcpy(machine, image.data, sizeof *machine);
    return image.data[image.size - 1] == (uint8_t)(machine->hash & 0xff);
}
