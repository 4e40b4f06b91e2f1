/* manager/leader/leader.c – see leader.h. */
#include "manager/leader/leader.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/turn.h"

#define STEP_SLOW_MS 100 /* a step that holds up the loop for longer is worth a line in the log */

struct slot {
    struct leader *leader;
    struct part_host host;
    struct part part;
    leader_make_fn *make;
    void *ctx;
    bool is_woken;
};

struct leader {
    uv_loop_t *loop;
    struct clock clock;
    struct random random;
    struct store *store;
    struct slot **slots; /* each in memory of its own: parts keep pointers to their hosts */
    size_t count;
    bool is_begun;
    struct turn turn;
    uv_timer_t timer;
    int open_handles;
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

static void on_turn(void *ctx);

static void wake(void *self)
{
    struct slot *slot = self;

    slot->is_woken = true;
    turn_want(&slot->leader->turn);
}

struct leader *leader_new(const struct leader_options *options)
{
    struct leader *leader = mem_alloc(sizeof *leader);

    *leader = (struct leader){
        .loop = options->loop, .clock = options->clock, .random = options->random, .store = options->store, .open_handles = 2};
    turn_init(&leader->turn, options->loop, on_turn, leader);
    uv_timer_init(options->loop, &leader->timer);
    leader->timer.data = leader;
    return leader;
}

void leader_add(struct leader *leader, leader_make_fn *make, void *ctx)
{
    struct slot *slot = mem_alloc(sizeof *slot);

    assert(!leader->is_begun);
    *slot = (struct slot){.leader = leader,
                          .host = {.store = leader->store, .clock = leader->clock, .random = leader->random, .wake = wake, .self = slot},
                          .make = make,
                          .ctx = ctx};
    leader->slots = mem_resize(leader->slots, (leader->count + 1) * sizeof *leader->slots);
    leader->slots[leader->count++] = slot;
}

static void step(struct slot *slot, uint64_t now_ns)
{
    slot->is_woken = false;
    slot->part.step(slot->part.self, now_ns);
    uint64_t took_ms = (clock_monotonic_ns(&slot->leader->clock) - now_ns) / NS_PER_MS;
    if (took_ms > STEP_SLOW_MS)
        log_warn("leader", "the %s took %llu ms: everything else of this manager waited", slot->part.name, (unsigned long long)took_ms);
}

static void on_time(uv_timer_t *timer)
{
    on_turn(timer->data);
}

static void wait_for_next(struct leader *leader)
{
    uint64_t now_ns = clock_monotonic_ns(&leader->clock), next_ns = PART_NEVER;

    for (size_t i = 0; i < leader->count; i++) {
        const struct part *part = &leader->slots[i]->part;
        uint64_t deadline_ns = part->deadline_ns(part->self);
        next_ns = deadline_ns < next_ns ? deadline_ns : next_ns;
    }
    if (next_ns == PART_NEVER)
        uv_timer_stop(&leader->timer);
    else
        uv_timer_start(&leader->timer, on_time, next_ns > now_ns ? (next_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS : 0, 0);
}

static void on_turn(void *ctx)
{
    struct leader *leader = ctx;

    if (!leader->is_begun)
        return;
    uv_update_time(leader->loop);
    for (size_t i = 0; i < leader->count && leader->is_begun; i++) {
        struct slot *slot = leader->slots[i];
        uint64_t now_ns = clock_monotonic_ns(&leader->clock);
        if (slot->is_woken || slot->part.deadline_ns(slot->part.self) <= now_ns)
            step(slot, now_ns);
    }
    if (leader->is_begun)
        wait_for_next(leader);
}

void leader_begin(struct leader *leader)
{
    assert(!leader->is_begun);
    for (size_t i = 0; i < leader->count; i++) {
        struct slot *slot = leader->slots[i];
        slot->part = slot->make(&slot->host, slot->ctx);
        wake(slot);
    }
    leader->is_begun = true;
}

void leader_end(struct leader *leader)
{
    if (!leader->is_begun)
        return;
    leader->is_begun = false;
    uv_timer_stop(&leader->timer);
    for (size_t i = leader->count; i > 0; i--) {
        struct slot *slot = leader->slots[i - 1];
        slot->part.free(slot->part.self);
        slot->part = (struct part){0};
        slot->is_woken = false;
    }
}

void *leader_part(const struct leader *leader, const char *name)
{
    for (size_t i = 0; leader->is_begun && i < leader->count; i++)
        if (strcmp(leader->slots[i]->part.name, name) == 0)
            return leader->slots[i]->part.self;
    return NULL;
}

static void handle_is_closed(struct leader *leader)
{
    if (--leader->open_handles > 0)
        return;
    if (leader->on_closed)
        leader->on_closed(leader->closed_ctx);
    for (size_t i = 0; i < leader->count; i++)
        free(leader->slots[i]);
    free(leader->slots);
    free(leader);
}

static void on_turn_closed(void *ctx)
{
    handle_is_closed(ctx);
}

static void on_timer_closed(uv_handle_t *timer)
{
    handle_is_closed(timer->data);
}

void leader_close(struct leader *leader, void (*on_closed)(void *ctx), void *ctx)
{
    assert(!leader->is_begun);
    leader->on_closed = on_closed;
    leader->closed_ctx = ctx;
    turn_close(&leader->turn, on_turn_closed);
    uv_close((uv_handle_t *)&leader->timer, on_timer_closed);
}
