/* tests/sim/linearizable.c – see linearizable.h. */
#include "tests/sim/linearizable.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"

enum { NONE = -1 };

/* Calls and answers in the order of their times, doubly linked: what an order has used is taken out and put back. */
struct event {
    uint64_t time;
    int op, previous, next, answer; /* @answer: of a call; NONE when it is unknown, or this is one */
};

/* Sets of operations are known by the exclusive or of two random words for each: 128 bits, as good as the set itself. */
struct key {
    uint64_t a, b;
};

struct search {
    const struct linear_op *ops;
    struct event *events; /* [0] is the head */
    int *chosen;          /* calls, in the order tried */
    uint64_t *states;     /* before each of them */
    size_t depth;
    struct key set, *seen; /* an open table, a power of two; zero: free */
    size_t seen_count, seen_capacity;
};

static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t linear_append(uint64_t state, uint64_t value)
{
    return mix(state ^ mix(value));
}

static int by_time(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    return x->time < y->time ? -1 : x->time > y->time;
}

static bool is_left_out(const struct linear_op *op)
{
    return op->kind == LINEAR_READ && op->answered == LINEAR_UNKNOWN;
}

/* Returns how many have an answer. */
static size_t lay_out(struct search *search, size_t count)
{
    size_t used = 1, answered = 0;
    int *calls = mem_array(count + 1, sizeof *calls);

    for (size_t i = 0; i < count; i++) {
        if (is_left_out(&search->ops[i]))
            continue;
        search->events[used++] = (struct event){search->ops[i].called, (int)i, 0, 0, 0};
        if (search->ops[i].answered == LINEAR_UNKNOWN)
            continue;
        search->events[used++] = (struct event){search->ops[i].answered, (int)i, 0, 0, NONE};
        answered++;
    }
    qsort(search->events + 1, used - 1, sizeof *search->events, by_time);
    for (size_t i = 0; i < used; i++) {
        struct event *event = &search->events[i];
        event->previous = (int)i - 1;
        event->next = i + 1 < used ? (int)i + 1 : NONE;
        if (i == 0)
            continue;
        if (event->answer == NONE) {
            search->events[calls[event->op]].answer = (int)i;
        } else {
            calls[event->op] = (int)i;
            event->answer = NONE;
        }
    }
    free(calls);
    return answered;
}

static void take_out(struct event *events, int at)
{
    events[events[at].previous].next = events[at].next;
    if (events[at].next != NONE)
        events[events[at].next].previous = events[at].previous;
}

static void put_back(struct event *events, int at)
{
    events[events[at].previous].next = at;
    if (events[at].next != NONE)
        events[events[at].next].previous = at;
}

static void toggle(struct key *set, int op)
{
    set->a ^= mix((uint64_t)op * 2 + 1);
    set->b ^= mix(mix((uint64_t)op) ^ UINT64_C(0x5bd1e995));
}

static void insert(struct key *table, size_t capacity, struct key key)
{
    size_t at = (size_t)key.a & (capacity - 1);

    while (table[at].a != 0 || table[at].b != 0)
        at = (at + 1) & (capacity - 1);
    table[at] = key;
}

/* Whether (set, state) is new; then it is remembered. */
static bool is_new(struct search *search, uint64_t state)
{
    struct key key = {search->set.a ^ mix(state), search->set.b ^ mix(state ^ UINT64_C(0xabcdef))};
    size_t at = (size_t)key.a & (search->seen_capacity - 1);

    for (; search->seen[at].a != 0 || search->seen[at].b != 0; at = (at + 1) & (search->seen_capacity - 1))
        if (search->seen[at].a == key.a && search->seen[at].b == key.b)
            return false;
    search->seen[at] = key;
    if (++search->seen_count * 2 < search->seen_capacity)
        return true;
    struct key *larger = mem_array(search->seen_capacity * 2, sizeof *larger);
    for (size_t i = 0; i < search->seen_capacity; i++)
        if (search->seen[i].a != 0 || search->seen[i].b != 0)
            insert(larger, search->seen_capacity * 2, search->seen[i]);
    free(search->seen);
    search->seen = larger;
    search->seen_capacity *= 2;
    return true;
}

static bool apply(const struct linear_op *op, uint64_t *state)
{
    switch (op->kind) {
    case LINEAR_READ:
        return op->value == *state;
    case LINEAR_WRITE:
        *state = op->value;
        return true;
    case LINEAR_APPEND:
        *state = linear_append(*state, op->value);
        return true;
    }
    return false;
}

static void choose(struct search *search, int call, uint64_t before)
{
    search->chosen[search->depth] = call;
    search->states[search->depth++] = before;
    take_out(search->events, call);
    if (search->events[call].answer != NONE)
        take_out(search->events, search->events[call].answer);
}

/* The last choice is taken back; where to go on. */
static int take_back(struct search *search, uint64_t *state, size_t *left)
{
    int call = search->chosen[--search->depth];

    *state = search->states[search->depth];
    toggle(&search->set, search->events[call].op);
    if (search->events[call].answer != NONE) {
        put_back(search->events, search->events[call].answer);
        (*left)++;
    }
    put_back(search->events, call);
    return search->events[call].next;
}

static enum linear_verdict run(struct search *search, uint64_t state, size_t left, uint64_t most_steps, size_t *stuck)
{
    int at = search->events[0].next, latest = 0;

    for (uint64_t steps = 0; left > 0; steps++) {
        const struct event *event = &search->events[at];
        bool is_call = search->ops[event->op].called == event->time;
        if (steps == most_steps)
            return LINEAR_UNDECIDED;
        if (!is_call) { /* this answer came, and nothing explains it */
            if (at > latest && stuck)
                *stuck = (size_t)event->op;
            latest = at > latest ? at : latest;
            if (search->depth == 0)
                return LINEAR_NO;
            at = take_back(search, &state, &left);
            continue;
        }
        uint64_t next = state;
        toggle(&search->set, event->op);
        if (apply(&search->ops[event->op], &next) && is_new(search, next)) {
            left -= event->answer != NONE;
            choose(search, at, state);
            state = next;
            at = search->events[0].next;
        } else {
            toggle(&search->set, event->op);
            at = event->next;
        }
    }
    return LINEAR_YES;
}

enum linear_verdict linear_check(const struct linear_op *ops, size_t count, uint64_t initial, uint64_t most_steps, size_t *stuck)
{
    struct search search = {.ops = ops, .seen_capacity = 1024};

    search.events = mem_array(2 * count + 1, sizeof *search.events);
    search.chosen = mem_array(count + 1, sizeof *search.chosen);
    search.states = mem_array(count + 1, sizeof *search.states);
    search.seen = mem_array(search.seen_capacity, sizeof *search.seen);
    size_t left = lay_out(&search, count);
    enum linear_verdict verdict = run(&search, initial, left, most_steps, stuck);
    free(search.events);
    free(search.chosen);
    free(search.states);
    free(search.seen);
    return verdict;
}
