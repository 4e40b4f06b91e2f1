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

bool sim_machine_apply(struct sim_machine *machine, const struct raft_entry *entry)
{
    struct sim_command command;
    bool is_command = entry->type == RAFT_ENTRY_NORMAL && sim_command_decode(raft_entry_bytes(entry), &command);

    machine->applied = entry->index;
    machine->hash = sim_mix(machine->hash ^ sim_mix(entry->index) ^ sim_mix(entry->term + 77) ^ sim_hash(raft_entry_bytes(entry)));
    if (!is_command || command.op + 1 <= machine->last_op[command.client])
        return false;
    machine->last_op[command.client] = command.op + 1;
    uint64_t *state = &machine->keys[command.key];
    *state = command.kind == SIM_PUT ? command.value : linear_append(*state, command.value);
    return true;
}

void sim_machine_note_members(struct sim_machine *machine, const struct raft_conf_state *conf)
{
    const struct raft_ids *lists[] = {&conf->voters, &conf->learners, &conf->voters_outgoing, &conf->learners_next};
    uint64_t members = 0;

    for (int list = 0; list < 4; list++)
        for (size_t i = 0; i < lists[list]->count; i++)
            members |= UINT64_C(1) << lists[list]->items[i];
    machine->removed |= machine->members & ~members;
    machine->members = members;
}

struct raft_payload *sim_machine_save(const struct sim_machine *machine)
{
    uint8_t image[sizeof *machine + IMAGE_FILLER];

    memcpy(image, machine, sizeof *machine);
    memset(image + sizeof *machine, (int)(machine->hash & 0xff), IMAGE_FILLER);
    return raft_payload_new(bytes_of(image, sizeof image));
}

bool sim_machine_load(struct sim_machine *machine, struct bytes image)
{
    if (image.size != sizeof *machine + IMAGE_FILLER)
        return false;
    memcpy(machine, image.data, sizeof *machine);
    return image.data[image.size - 1] == (uint8_t)(machine->hash & 0xff);
}
