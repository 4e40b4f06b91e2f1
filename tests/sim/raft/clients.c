/* tests/sim/raft/clients.c – clients that write and read, give up and try again, and the history of what they saw. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tests/sim/raft/sim.h"

const char *const sim_title = "simulates Raft groups with faults, and checks them";

enum { ATTEMPTS = 3, CHECK_STEPS = 3000000 };
#define TIMEOUT_US UINT64_C(2000000)

static struct sim_op *begin_op(struct sim *sim, unsigned client)
{
    static const enum linear_kind kinds[] = {LINEAR_READ, LINEAR_READ, LINEAR_WRITE, LINEAR_APPEND};

    if (sim->ops_count == sim->ops_capacity) {
        sim->ops_capacity = sim->ops_capacity ? 2 * sim->ops_capacity : 256;
        sim->ops = mem_resize(sim->ops, sim->ops_capacity * sizeof *sim->ops);
    }
    struct sim_op *op = &sim->ops[sim->ops_count];
    *op = (struct sim_op){.client = client,
                          .key = sim_below(sim, SIM_KEYS_COUNT),
                          .linear = {++sim->clock, LINEAR_UNKNOWN, kinds[sim_below(sim, 4)], sim_mix(sim->ops_count) | 1}};
    sim->clients[client].op = sim->ops_count++;
    sim->clients[client].attempts = 0;
    sim->clients[client].is_waiting = true;
    return op;
}

static unsigned choose_target(struct sim *sim)
{
    unsigned leader = sim_leader(sim), id = 1 + (unsigned)sim_below(sim, sim->nodes_count);

    if (leader != 0 && sim_chance(sim, 60))
        return leader;
    for (unsigned i = 0; i < sim->nodes_count; i++, id = id % sim->nodes_count + 1)
        if (sim->nodes[id].life == SIM_UP && (!sim->is_calm || (sim->nodes[id].machine.members >> id & 1) != 0))
            return id;
    return 0;
}

static int ask(struct sim *sim, struct sim_node *node, const struct sim_client *client, const struct sim_op *op)
{
    if (op->linear.kind == LINEAR_READ)
        return raft_read_index(node->raft, bytes_of(&client->op, sizeof client->op), NULL);
    struct sim_command command = {.client = op->client,
                                  .kind = op->linear.kind == LINEAR_WRITE ? SIM_PUT : SIM_APPEND,
                                  .op = client->op,
                                  .key = op->key,
                                  .value = op->linear.value};
    struct raft_payload *payload = sim_command_encode(&command, sim_chance(sim, 20) ? sim_below(sim, 500) : 0);
    int failed = raft_propose(node->raft, bytes_of(payload->data, payload->size), NULL);
    raft_payload_release(payload);
    return failed;
}

static void again_later(struct sim *sim, unsigned client, uint64_t after_us)
{
    sim_push(sim, (struct sim_event){.kind = SIM_EVENT_CLIENT, .a = client}, after_us);
}

static void give_up(struct sim *sim, struct sim_client *client)
{
    struct sim_op *op = &sim->ops[client->op];

    client->is_waiting = false;
    op->is_refused = !op->is_unsure;
    if (op->is_refused && op->is_applied)
        sim_violated(sim, "what was refused is not done", "operation %" PRIu64 " was refused, and applied", client->op);
}

static void act(struct sim *sim, unsigned id)
{
    struct sim_client *client = &sim->clients[id];

    if (client->is_waiting && client->attempts >= ATTEMPTS && !sim->is_calm)
        give_up(sim, client);
    if (!client->is_waiting) {
        if (sim->is_calm && sim->calm_answers[id] >= 2)
            return;
        begin_op(sim, id);
    }
    struct sim_op *op = &sim->ops[client->op];
    unsigned target = choose_target(sim);
    client->attempts++;
    if (target == 0) {
        again_later(sim, id, 300000);
        return;
    }
    client->target = target;
    client->attempt = ++sim->attempts_count;
    int failed = ask(sim, &sim->nodes[target], client, op);
    sim_say(sim, &sim->nodes[target], "client %u asks: operation %" PRIu64 ", %s key %" PRIu64 "%s", id, client->op,
            op->linear.kind == LINEAR_READ    ? "read"
            : op->linear.kind == LINEAR_WRITE ? "put"
                                              : "append",
            op->key, failed < 0 ? ": refused" : "");
    op->is_unsure = op->is_unsure || failed == 0;
    if (failed < 0)
        again_later(sim, id, 100000 + sim_below(sim, 300000));
    else
        sim_push(sim, (struct sim_event){.kind = SIM_EVENT_TIMEOUT, .a = id, .b = client->attempt}, TIMEOUT_US);
    sim_node_touched(sim, &sim->nodes[target]);
}

static void time_out(struct sim *sim, unsigned id, uint64_t attempt)
{
    struct sim_client *client = &sim->clients[id];

    if (client->is_waiting && client->attempt == attempt)
        act(sim, id);
}

/* An answer to any attempt at the operation is an answer to it. */
static void reply(struct sim *sim, unsigned client, uint64_t op, uint64_t value)
{
    sim_push(sim, (struct sim_event){.kind = SIM_EVENT_REPLY, .a = client, .b = op, .incarnation = value}, 1 + sim_below(sim, 20000));
}

static void take_reply(struct sim *sim, const struct sim_event *event)
{
    struct sim_client *client = &sim->clients[event->a];
    struct sim_op *op = &sim->ops[event->b];

    if (!client->is_waiting || client->op != event->b)
        return;
    if (op->linear.kind == LINEAR_READ)
        op->linear.value = event->incarnation;
    else if (!op->is_applied)
        sim_violated(sim, "what is acknowledged was done", "operation %" PRIu64, event->b);
    op->linear.answered = ++sim->clock;
    client->is_waiting = false;
    sim_say(sim, NULL, "client %u has its answer to operation %" PRIu64 ": %016" PRIx64, (unsigned)event->a, event->b,
            op->linear.kind == LINEAR_READ ? op->linear.value : 0);
    if (sim->is_calm)
        sim->calm_answers[event->a]++;
    again_later(sim, (unsigned)event->a, 1 + sim_below(sim, sim->is_calm ? 50000 : sim->plan.think_us));
}

void sim_clients_event(struct sim *sim, struct sim_event *event)
{
    if (event->kind == SIM_EVENT_CLIENT)
        act(sim, (unsigned)event->a);
    else if (event->kind == SIM_EVENT_TIMEOUT)
        time_out(sim, (unsigned)event->a, event->b);
    else
        take_reply(sim, event);
}

static void applied(struct sim *sim, struct sim_node *node, const struct sim_command *command, bool was_done)
{
    const struct sim_client *client = &sim->clients[command->client];

    if (command->op >= sim->ops_count) {
        sim_violated(sim, "only what was proposed is applied", "operation %" PRIu64, command->op);
        return;
    }
    struct sim_op *op = &sim->ops[command->op];
    op->is_applied = op->is_applied || was_done;
    if (op->is_refused)
        sim_violated(sim, "what was refused is not done", "n%u applies operation %" PRIu64 ", which was refused", node->id, command->op);
    if (client->is_waiting && client->op == command->op && client->target == node->id)
        reply(sim, command->client, command->op, 0);
}

void sim_clients_applied(struct sim *sim, struct sim_node *node, const struct raft_entry *entry, bool was_done)
{
    struct sim_command command;

    if (entry->type == RAFT_ENTRY_NORMAL && sim_command_decode(raft_entry_bytes(entry), &command))
        applied(sim, node, &command, was_done);
}

static void take_read_state(struct sim *sim, struct sim_node *node, const struct raft_read_state *read)
{
    struct sim_read wanted = {.index = read->index};

    if (!read->context || read->context->size != sizeof wanted.context) {
        sim_violated(sim, "a read keeps its context", "n%u", node->id);
        return;
    }
    memcpy(&wanted.context, read->context->data, sizeof wanted.context);
    if (node->reads_count == node->reads_capacity) {
        node->reads_capacity = node->reads_capacity ? 2 * node->reads_capacity : 16;
        node->reads = mem_resize(node->reads, node->reads_capacity * sizeof *node->reads);
    }
    node->reads[node->reads_count++] = wanted;
}

void sim_clients_ready(struct sim *sim, struct sim_node *node, const struct raft_ready *ready)
{
    for (size_t i = 0; i < ready->read_states_count; i++)
        take_read_state(sim, node, &ready->read_states[i]);
}

void sim_clients_serve_reads(struct sim *sim, struct sim_node *node)
{
    size_t kept = 0;

    for (size_t i = 0; i < node->reads_count; i++) {
        struct sim_read *read = &node->reads[i];
        if (read->index > node->machine.applied) {
            node->reads[kept++] = *read;
            continue;
        }
        const struct sim_op *op = &sim->ops[read->context];
        reply(sim, op->client, read->context, node->machine.keys[op->key]);
    }
    node->reads_count = kept;
}

/* A write without an answer that no member ever applied did not happen: the search is spared the question. */
static bool matters(const struct sim_op *op, uint64_t key)
{
    return op->key == key && (op->linear.answered != LINEAR_UNKNOWN || (op->linear.kind != LINEAR_READ && op->is_applied));
}

void sim_clients_check(struct sim *sim)
{
    struct linear_op *ops = mem_array(sim->ops_count + 1, sizeof *ops);
    size_t *places = mem_array(sim->ops_count + 1, sizeof *places);

    for (uint64_t key = 0; key < SIM_KEYS_COUNT; key++) {
        size_t count = 0, stuck = 0;
        for (size_t i = 0; i < sim->ops_count; i++) {
            if (!matters(&sim->ops[i], key))
                continue;
            places[count] = i;
            ops[count++] = sim->ops[i].linear;
        }
        enum linear_verdict verdict = linear_check(ops, count, 0, CHECK_STEPS, &stuck);
        sim->undecided += verdict == LINEAR_UNDECIDED;
        if (verdict == LINEAR_NO)
            sim_violated(sim, "the history is linearizable", "key %" PRIu64 ": no order explains the answer to operation %zu of client %u",
                         key, places[stuck], sim->ops[places[stuck]].client);
    }
    free(ops);
    free(places);
}

/* --- their life --- */

void sim_clients_plan(struct sim *sim)
{
    (void)sim;
}

void sim_clients_begin(struct sim *sim)
{
    for (unsigned i = 0; i < SIM_CLIENTS_COUNT; i++)
        again_later(sim, i, sim_below(sim, 2000000));
}

void sim_clients_end(struct sim *sim)
{
    free(sim->ops);
}

void sim_clients_up(struct sim *sim, struct sim_node *node)
{
    (void)sim, (void)node;
}

void sim_clients_down(struct sim *sim, struct sim_node *node)
{
    (void)sim, (void)node;
}

void sim_clients_calm(struct sim *sim)
{
    (void)sim;
}

static bool is_done(const struct sim *sim, unsigned client)
{
    return sim->calm_answers[client] >= 2 && !sim->clients[client].is_waiting;
}

bool sim_clients_are_settled(const struct sim *sim, unsigned leader)
{
    (void)leader;
    for (unsigned i = 0; i < SIM_CLIENTS_COUNT; i++)
        if (!is_done(sim, i))
            return false;
    return true;
}

void sim_clients_describe(const struct sim *sim, struct buf *out)
{
    unsigned waiting = 0;

    for (unsigned i = 0; i < SIM_CLIENTS_COUNT; i++)
        waiting += !is_done(sim, i);
    buf_append_format(out, "%u clients wait", waiting);
}
