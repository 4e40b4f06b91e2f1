/* tests/sim/raft/network.c – messages on their way, and snapshots in chunks: what is lost, late, twice, or out of order. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "raft/describe.h"
#include "tests/sim/raft/sim.h"

enum { CHUNK_TRIES = 8 };

/* A snapshot on its way: its message, and the image as the sender's file has it. */
struct sim_transfer {
    unsigned from;
    uint64_t incarnation;
    struct raft_message message;
    struct buf image;
    unsigned tries;
};

static void say_message(struct sim *sim, const struct sim_node *node, const char *what, const struct raft_message *message)
{
    cleanup_buf struct buf text = {0};

    if (!sim_is_traced(sim))
        return;
    raft_describe_message(message, &text);
    buf_append(&text, "", 1);
    sim_say(sim, node, "%s %s", what, (const char *)text.data);
}

static bool is_lost(struct sim *sim, unsigned from, unsigned to)
{
    unsigned storm = sim->storm_until > sim->now_us ? sim->storm_percent : 0;

    return sim->is_cut[from][to] || (!sim->is_calm && sim_chance(sim, sim->plan.drop_percent + storm));
}

static uint64_t delay(struct sim *sim)
{
    bool is_late = !sim->is_calm && sim_chance(sim, sim->plan.late_percent);

    return 1 + sim_below(sim, sim->plan.delay_us * (is_late ? 100 : 1));
}

static void report(struct sim *sim, const struct sim_node *from, uint64_t incarnation, uint64_t about, uint64_t what)
{
    sim_push(sim, (struct sim_event){.kind = SIM_EVENT_REPORT, .node = from->id, .incarnation = incarnation, .a = about, .b = what},
             sim_below(sim, 50000));
}

/* --- snapshots --- */

void sim_transfer_free(struct sim_transfer *transfer)
{
    raft_message_deinit(&transfer->message);
    buf_deinit(&transfer->image);
    free(transfer);
}

static int read_image(struct sim_node *node, const struct raft_snapshot *snapshot, struct buf *out)
{
    struct raft_snapshot_reader *reader;
    struct bytes part;

    int failed = raft_snapshot_reader_open(raft_log_snapshots(node->log), snapshot->index, snapshot->term, &reader, NULL);
    if (failed < 0)
        return failed;
    do {
        failed = raft_snapshot_reader_read(reader, out->size, &part, NULL);
        if (failed == 0)
            buf_append(out, part.data, part.size);
    } while (failed == 0 && part.size > 0);
    raft_snapshot_reader_close(reader);
    return failed;
}

static void push_chunk(struct sim *sim, struct sim_transfer *transfer, uint64_t after_us)
{
    sim_push(sim, (struct sim_event){.kind = SIM_EVENT_CHUNK, .node = (unsigned)transfer->message.to, .transfer = transfer}, after_us);
}

static void begin_transfer(struct sim *sim, struct sim_node *from, struct raft_message *message)
{
    struct sim_transfer *transfer = mem_alloc(sizeof *transfer);

    *transfer = (struct sim_transfer){.from = from->id, .incarnation = from->incarnation, .message = *message};
    *message = (struct raft_message){0};
    if (read_image(from, transfer->message.snapshot, &transfer->image) < 0) { /* a newer one took its place */
        report(sim, from, from->incarnation, transfer->message.to, 1);
        sim_transfer_free(transfer);
        return;
    }
    push_chunk(sim, transfer, delay(sim));
}

/* All of it is there. */
static void finish_transfer(struct sim *sim, struct sim_node *to, struct sim_transfer *transfer)
{
    struct raft_message message;

    raft_message_copy(&message, &transfer->message);
    message.snapshot->data = raft_payload_new(buf_bytes(&to->incoming.image));
    to->incoming.from = 0;
    report(sim, &sim->nodes[transfer->from], transfer->incarnation, to->id, 2);
    say_message(sim, to, "<-", &message);
    sim_node_step(sim, to, &message);
    raft_message_deinit(&message);
}

static void take_chunk(struct sim *sim, struct sim_node *to, const struct sim_transfer *transfer)
{
    const struct raft_snapshot *snapshot = transfer->message.snapshot;
    struct sim_incoming *in = &to->incoming;

    if (in->from != transfer->from || in->index != snapshot->index || in->term != snapshot->term) {
        buf_clear(&in->image);
        in->from = transfer->from;
        in->index = snapshot->index;
        in->term = snapshot->term;
    }
    size_t left = transfer->image.size - in->image.size, size = left < sim->plan.chunk_size ? left : sim->plan.chunk_size;
    buf_append(&in->image, transfer->image.data + in->image.size, size);
}

static bool is_refused(const struct sim_node *to, uint64_t from)
{
    return from <= SIM_NODES_COUNT && (to->machine.removed >> from & 1) != 0;
}

void sim_network_chunk(struct sim *sim, struct sim_event *event)
{
    struct sim_transfer *transfer = event->transfer;
    struct sim_node *to = &sim->nodes[event->node], *from = &sim->nodes[transfer->from];

    if (from->life != SIM_UP || from->incarnation != transfer->incarnation)
        return;
    if (to->life != SIM_UP || is_lost(sim, from->id, to->id) || is_refused(to, from->id)) {
        if (++transfer->tries == CHUNK_TRIES) {
            report(sim, from, transfer->incarnation, to->id, 1);
            return;
        }
        event->transfer = NULL;
        push_chunk(sim, transfer, 100000);
        return;
    }
    take_chunk(sim, to, transfer);
    if (to->incoming.image.size == transfer->image.size) {
        finish_transfer(sim, to, transfer);
        return;
    }
    event->transfer = NULL;
    push_chunk(sim, transfer, delay(sim));
}

/* --- messages --- */

static void push_message(struct sim *sim, struct raft_message *message)
{
    struct raft_message *own = mem_alloc(sizeof *own);

    *own = *message;
    *message = (struct raft_message){0};
    uint64_t at_us = sim->now_us + delay(sim);
    if (sim->plan.keeps_order || sim->is_calm) { /* a stream, as managers have them */
        uint64_t *last_us = &sim->last_us[own->from][own->to];
        at_us = at_us > *last_us ? at_us : *last_us + 1;
        *last_us = at_us;
    }
    sim_push(sim, (struct sim_event){.kind = SIM_EVENT_DELIVER, .node = (unsigned)own->to, .message = own}, at_us - sim->now_us);
}

void sim_network_send(struct sim *sim, struct sim_node *from, struct raft_message *message)
{
    struct raft_message taken = *message;

    *message = (struct raft_message){0};
    sim_check_sent(sim, from, &taken);
    if (taken.to == RAFT_NOBODY || taken.to > sim->nodes_count) {
        sim_violated(sim, "messages go to members", "n%u sends to %" PRIu64, from->id, taken.to);
    } else if (taken.type == RAFT_MESSAGE_SNAPSHOT) {
        say_message(sim, from, "->", &taken);
        begin_transfer(sim, from, &taken);
    } else if (is_lost(sim, from->id, (unsigned)taken.to)) {
        say_message(sim, from, "-x", &taken);
        if (sim_chance(sim, 20))
            report(sim, from, from->incarnation, taken.to, 0);
    } else {
        say_message(sim, from, "->", &taken);
        if (!sim->is_calm && sim_chance(sim, sim->plan.repeat_percent)) {
            struct raft_message twice;
            raft_message_copy(&twice, &taken);
            push_message(sim, &twice);
        }
        push_message(sim, &taken);
    }
    raft_message_deinit(&taken);
}

/* Who was removed is told so, and not listened to: as managers do. */
static void refuse_removed(struct sim *sim, struct sim_node *to, unsigned from)
{
    if (!is_lost(sim, to->id, from))
        sim_push(sim, (struct sim_event){.kind = SIM_EVENT_REMOVED, .node = from}, delay(sim));
}

void sim_network_deliver(struct sim *sim, struct sim_event *event)
{
    struct sim_node *node = &sim->nodes[event->node];
    unsigned from = (unsigned)event->message->from;

    if (node->life != SIM_UP)
        return;
    if (is_refused(node, from)) {
        refuse_removed(sim, node, from);
        return;
    }
    say_message(sim, node, "<-", event->message);
    sim_node_step(sim, node, event->message);
}
