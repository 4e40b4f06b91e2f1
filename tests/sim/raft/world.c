/* tests/sim/raft/world.c – time: the queue of events, and one run from its beginning to its end. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tests/sim/raft/sim.h"

static const bool is_of_incarnation[] = {
#define X(name, of_incarnation) of_incarnation,
    SIM_EVENTS(X)
#undef X
};

uint64_t sim_mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t sim_hash(struct bytes bytes)
{
    uint64_t hash = bytes.size, word;

    for (; bytes.size >= sizeof word; bytes.data += sizeof word, bytes.size -= sizeof word) {
        memcpy(&word, bytes.data, sizeof word);
        hash = sim_mix(hash ^ word);
    }
    word = 0;
    if (bytes.size > 0)
        memcpy(&word, bytes.data, bytes.size);
    return sim_mix(hash ^ word);
}

uint64_t sim_below(struct sim *sim, uint64_t bound)
{
    return random_below(&sim->random, bound);
}

bool sim_chance(struct sim *sim, unsigned percent)
{
    return percent > 0 && sim_below(sim, 100) < percent;
}

/* --- what is said --- */

bool sim_is_traced(const struct sim *sim)
{
    return sim->options.trace != NULL;
}

static char role_letter(const struct sim_node *node)
{
    static const char letters[] = {[RAFT_FOLLOWER] = 'F', [RAFT_CANDIDATE] = 'C', [RAFT_LEADER] = 'L', [RAFT_PRE_CANDIDATE] = 'P'};

    return node->raft ? letters[raft_role(node->raft)] : '-';
}

void sim_say(const struct sim *sim, const struct sim_node *node, const char *format, ...)
{
    va_list args;

    if (!sim->options.trace)
        return;
    fprintf(sim->options.trace, "%8.3f ", (double)sim->now_us / 1e6);
    if (node)
        fprintf(sim->options.trace, "n%u%c t%" PRIu64 " c%" PRIu64 " a%" PRIu64 "  ", node->id, role_letter(node),
                node->raft ? node->raft->term : 0, node->raft ? node->raft->log.committed : 0, node->machine.applied);
    else
        fprintf(sim->options.trace, "**  ");
    va_start(args, format);
    vfprintf(sim->options.trace, format, args);
    va_end(args);
    fputc('\n', sim->options.trace);
}

void sim_violated(struct sim *sim, const char *invariant, const char *format, ...)
{
    va_list args;

    if (sim->has_failed)
        return;
    sim->has_failed = true;
    snprintf(sim->violated, sizeof sim->violated, "%s", invariant);
    va_start(args, format);
    vsnprintf(sim->why, sizeof sim->why, format, args);
    va_end(args);
    sim_say(sim, NULL, "VIOLATED: %s: %s", invariant, sim->why);
}

/* --- the queue --- */

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void swap(struct sim_event *a, struct sim_event *b)
{
    struct sim_event c = *a;
    *a = *b;
    *b = c;
}

void sim_push(struct sim *sim, struct sim_event event, uint64_t after_us)
{
    if (sim->events_count == sim->events_capacity) {
        sim->events_capacity = sim->events_capacity ? 2 * sim->events_capacity : 256;
        sim->events = mem_resize(sim->events, sim->events_capacity * sizeof *sim->events);
    }
    event.at_us = sim->now_us + after_us;
    event.order = sim->order++;
    size_t at = sim->events_count++;
    sim->events[at] = event;
    for (; at > 0 && is_before(&sim->events[at], &sim->events[(at - 1) / 2]); at = (at - 1) / 2)
        swap(&sim->events[at], &sim->events[(at - 1) / 2]);
}

static struct sim_event pop(struct sim *sim)
{
    struct sim_event first = sim->events[0];
    size_t at = 0;

    sim->events[0] = sim->events[--sim->events_count];
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < sim->events_count; child++)
            if (is_before(&sim->events[child], &sim->events[least]))
                least = child;
        if (least == at)
            return first;
        swap(&sim->events[at], &sim->events[least]);
        at = least;
    }
}

static void free_event(struct sim_event *event)
{
    if (event->message) {
        raft_message_deinit(event->message);
        free(event->message);
    }
    if (event->transfer)
        sim_transfer_free(event->transfer);
    free(event->ctx);
}

/* --- one event --- */

static void do_event(struct sim *sim, struct sim_event *event)
{
    struct sim_node *node = &sim->nodes[event->node];

    switch (event->kind) {
    case SIM_EVENT_TICK:
        sim_node_tick(sim, node);
        break;
    case SIM_EVENT_DELIVER:
        sim_network_deliver(sim, event);
        break;
    case SIM_EVENT_CHUNK:
        sim_network_chunk(sim, event);
        break;
    case SIM_EVENT_REPORT:
        if (event->b == 0)
            (void)raft_report_unreachable(node->raft, event->a, NULL);
        else
            (void)raft_report_snapshot(node->raft, event->a, event->b == 2, NULL);
        sim_node_touched(sim, node);
        break;
    case SIM_EVENT_READY:
        node->is_ready_due = false;
        sim_node_ready(sim, node);
        break;
    case SIM_EVENT_FLUSH:
        sim_threads_flushed(sim, node);
        break;
    case SIM_EVENT_APPLY:
        sim_threads_applied(sim, node);
        break;
    case SIM_EVENT_START:
        sim_node_start(sim, node);
        break;
    case SIM_EVENT_REMOVED:
        sim_node_leave(sim, node);
        break;
    case SIM_EVENT_ROOM:
        node->is_disk_full = false;
        raft_disk_memory_set_capacity(node->disk, UINT64_MAX);
        sim_say(sim, node, "its disk has room again");
        break;
    case SIM_EVENT_CLIENT:
    case SIM_EVENT_TIMEOUT:
    case SIM_EVENT_REPLY:
        sim_clients_event(sim, event);
        break;
    case SIM_EVENT_FAULT:
        sim_faults_next(sim);
        break;
    case SIM_EVENT_CALM:
        sim_faults_end(sim);
        break;
    case SIM_EVENT_CALL:
        event->fn(sim, event);
        break;
    }
}

/* What is for a node that is paused waits until it goes on; what is for an earlier life of it is void. */
static void take(struct sim *sim, struct sim_event *event)
{
    struct sim_node *node = &sim->nodes[event->node];

    if (event->node != 0 && is_of_incarnation[event->kind] && event->incarnation != node->incarnation) {
        free_event(event);
        return;
    }
    if (event->node != 0 && node->life == SIM_UP && node->paused_until > sim->now_us) {
        sim_push(sim, *event, node->paused_until - sim->now_us);
        return;
    }
    sim->events_done++;
    sim->digest = sim_mix(sim->digest ^ event->at_us ^ ((uint64_t)event->kind << 56) ^ ((uint64_t)event->node << 48));
    do_event(sim, event);
    free_event(event);
}

static bool is_settled(const struct sim *sim)
{
    unsigned leader = sim_leader(sim);

    if (!sim->is_calm || leader == 0 || !sim_clients_are_settled(sim, leader))
        return false;
    for (unsigned id = 1; id <= sim->nodes_count; id++) {
        const struct sim_node *node = &sim->nodes[id];
        bool is_member = (sim->nodes[leader].machine.members >> id & 1) != 0;
        if (is_member && node->life != SIM_DEAD && (node->life != SIM_UP || node->machine.applied != sim->committed))
            return false;
    }
    return true;
}

unsigned sim_leader(const struct sim *sim)
{
    unsigned found = 0;

    for (unsigned id = 1; id <= sim->nodes_count; id++) {
        const struct raft *raft = sim->nodes[id].raft;
        if (raft && raft_is_leader(raft) && (found == 0 || raft->term > sim->nodes[found].raft->term))
            found = id;
    }
    return found;
}

void sim_begin(struct sim *sim, const struct sim_options *options)
{
    *sim = (struct sim){.options = *options};
    random_seeded_init(&sim->seeded, options->seed);
    sim->random = random_from_seeded(&sim->seeded);
    sim_plan_make(sim);
    if (sim_is_traced(sim)) {
        cleanup_buf struct buf text = {0};
        sim_plan_describe(&sim->plan, &text);
        buf_append(&text, "", 1);
        sim_say(sim, NULL, "seed %" PRIu64 ": %s", options->seed, (const char *)text.data);
    }
    for (unsigned id = 1; id <= sim->plan.voters_count; id++)
        sim_node_create(sim, id);
    sim_clients_begin(sim);
    sim_push(sim, (struct sim_event){.kind = SIM_EVENT_FAULT}, 1000000 + sim_below(sim, 2 * sim->plan.fault_us));
    sim_push(sim, (struct sim_event){.kind = SIM_EVENT_CALM}, (uint64_t)sim->plan.steps * sim->plan.tick_us);
}

void sim_run(struct sim *sim)
{
    uint64_t calm_us = (uint64_t)sim->plan.steps * sim->plan.tick_us;

    while (!sim->has_failed && sim->events_count > 0) {
        struct sim_event event = pop(sim);
        sim->now_us = event.at_us;
        take(sim, &event);
        if (sim->has_failed || !sim->is_calm)
            continue;
        if (sim->events_done % 64 == 0 && is_settled(sim))
            break;
        if (sim->now_us > calm_us + SIM_SETTLE_US) {
            if (sim_quorum_lives(sim))
                sim_check_settled(sim);
            break;
        }
    }
    if (!sim->has_failed)
        sim_clients_check(sim);
}

void sim_end(struct sim *sim)
{
    for (size_t i = 0; i < sim->events_count; i++)
        free_event(&sim->events[i]);
    for (unsigned id = 1; id <= sim->nodes_count; id++)
        sim_node_free(sim, &sim->nodes[id]);
    sim_clients_end(sim);
    sim_ledger_free(sim);
    raft_conf_state_deinit(&sim->conf);
    free(sim->events);
    free(sim->leaders);
}
