/* tests/sim/raft/ledger.c – what the whole group has agreed on, seen from outside: every entry that any log ever held, what is committed
 * and by whose count, what applying it led to. Each node is held against it as it goes. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "raft/describe.h"
#include "tests/sim/raft/sim.h"

struct sim_ledger_line *sim_ledger_line(struct sim *sim, uint64_t index)
{
    if (index >= sim->ledger_capacity) {
        size_t capacity = sim->ledger_capacity ? sim->ledger_capacity : 256;
        while (capacity <= index)
            capacity *= 2;
        sim->ledger = mem_resize(sim->ledger, capacity * sizeof *sim->ledger);
        memset(sim->ledger + sim->ledger_capacity, 0, (capacity - sim->ledger_capacity) * sizeof *sim->ledger);
        sim->ledger_capacity = capacity;
    }
    return &sim->ledger[index];
}

void sim_ledger_free(struct sim *sim)
{
    for (size_t i = 0; i < sim->ledger_capacity; i++)
        free(sim->ledger[i].notes);
    free(sim->ledger);
}

static uint64_t entry_hash(const struct raft_entry *entry)
{
    return sim_mix(sim_hash(raft_entry_bytes(entry)) ^ (uint64_t)entry->type);
}

/* Log matching (§3.5): entries of the same index and term are the same, and so is the term before them; by induction, all before them. */
void sim_ledger_note(struct sim *sim, struct sim_node *node, const struct raft_entry *entry, uint64_t previous_term)
{
    struct sim_ledger_line *line = sim_ledger_line(sim, entry->index);
    uint64_t hash = entry_hash(entry);

    for (size_t i = 0; i < line->notes_count; i++) {
        struct sim_entry_note *note = &line->notes[i];
        if (note->term != entry->term)
            continue;
        if (note->hash != hash)
            sim_violated(sim, "log matching", "n%u has another entry %" PRIu64 " of term %" PRIu64 " than another log had", node->id,
                         entry->index, entry->term);
        if (previous_term == UINT64_MAX)
            return;
        if (note->previous_term == UINT64_MAX)
            note->previous_term = previous_term;
        if (note->previous_term != previous_term)
            sim_violated(sim, "log matching",
                         "n%u has entry %" PRIu64 " of term %" PRIu64 " behind one of term %" PRIu64
                         ", another log behind one of term %" PRIu64,
                         node->id, entry->index, entry->term, previous_term, note->previous_term);
        return;
    }
    line->notes = mem_resize(line->notes, (line->notes_count + 1) * sizeof *line->notes);
    line->notes[line->notes_count++] = (struct sim_entry_note){entry->term, previous_term, hash};
}

/* --- commit --- */

static bool is_stable_at(struct sim *sim, uint64_t id, uint64_t index, uint64_t term)
{
    struct raft_storage storage = raft_memory_storage_table(&sim->nodes[id].storage);
    uint64_t found;
    int answer = storage.term(storage.self, index, &found, NULL);

    return answer == RAFT_COMPACTED || (answer == RAFT_STORED && found == term);
}

static bool is_stable_at_majority(struct sim *sim, const struct raft_ids *ids, uint64_t index, uint64_t term)
{
    size_t stable = 0;

    for (size_t i = 0; i < ids->count; i++)
        stable += is_stable_at(sim, ids->items[i], index, term);
    return ids->count == 0 || stable > ids->count / 2;
}

/* A leader counted this entry as committed: then it lies on the disks of a majority, or of both. */
static void first_commit(struct sim *sim, struct sim_node *node, uint64_t index, uint64_t term)
{
    const struct raft_conf_state *conf = &node->raft->tracker.conf;
    bool is_first_members = index <= sim->plan.voters_count && term == 1;

    if (index != sim->committed + 1)
        sim_violated(sim, "entries are committed in order", "n%u commits %" PRIu64 ", the last was %" PRIu64, node->id, index,
                     sim->committed);
    sim->committed = index;
    if (is_first_members)
        return;
    if (!raft_is_leader(node->raft))
        sim_violated(sim, "only a leader commits first",
                     "n%u takes entry %" PRIu64 " of term %" PRIu64 " for committed, no leader did before", node->id, index, term);
    else if (!is_stable_at_majority(sim, &conf->voters, index, term) || !is_stable_at_majority(sim, &conf->voters_outgoing, index, term))
        sim_violated(sim, "what is committed is stable at a majority", "n%u commits entry %" PRIu64 " of term %" PRIu64, node->id, index,
                     term);
}

void sim_ledger_commit(struct sim *sim, struct sim_node *node, uint64_t index, uint64_t term)
{
    struct sim_ledger_line *line = sim_ledger_line(sim, index);

    if (line->is_committed) {
        if (line->term != term)
            sim_violated(sim, "what is committed stays", "entry %" PRIu64 " was committed with term %" PRIu64 ", n%u has term %" PRIu64,
                         index, line->term, node->id, term);
        return;
    }
    line->is_committed = true;
    line->term = term;
    line->commit_term = node->raft->term;
    first_commit(sim, node, index, term);
}

/* --- applied --- */

static uint64_t conf_hash(const struct raft_conf_state *conf)
{
    cleanup_buf struct buf text = {0};

    raft_describe_members(conf, &text);
    return sim_hash(buf_bytes(&text)) | 1;
}

void sim_ledger_applied(struct sim *sim, struct sim_node *node, const struct raft_entry *entry, const struct raft_conf_state *conf)
{
    struct sim_ledger_line *line = sim_ledger_line(sim, entry->index);
    uint64_t hash = entry_hash(entry);

    if (entry->index < sim->plan.voters_count)
        conf = NULL; /* the first start knows all first members at once, a later one meets them entry by entry */
    uint64_t conf_is = conf ? conf_hash(conf) : 0;
    if (!line->is_committed || line->term != entry->term) {
        sim_violated(sim, "only what is committed is applied", "n%u applies entry %" PRIu64 " of term %" PRIu64, node->id, entry->index,
                     entry->term);
        return;
    }
    if (!line->is_applied) {
        line->is_applied = true;
        line->hash = hash;
        line->machine_hash = node->machine.hash;
    }
    if (line->hash != hash || line->machine_hash != node->machine.hash)
        sim_violated(sim, "state machine safety",
                     "n%u applies another entry %" PRIu64 ", or came to another state, than a member before it", node->id, entry->index);
    if (conf && line->conf_hash != 0 && line->conf_hash != conf_is)
        sim_violated(sim, "all agree on the membership", "n%u has another one after entry %" PRIu64, node->id, entry->index);
    if (conf)
        line->conf_hash = conf_is;
    if (entry->index <= sim->applied)
        return;
    sim->applied = entry->index;
    if (conf) {
        raft_conf_state_deinit(&sim->conf);
        raft_conf_state_copy(&sim->conf, conf);
    }
}

void sim_ledger_check_machine(struct sim *sim, struct sim_node *node)
{
    uint64_t index = node->machine.applied;
    const struct sim_ledger_line *line = sim_ledger_line(sim, index);

    if (index == 0)
        return;
    if (!line->is_applied || line->machine_hash != node->machine.hash)
        sim_violated(sim, "a state machine is what a prefix of the log led to",
                     "n%u stands at entry %" PRIu64 " after a start or a snapshot", node->id, index);
}
