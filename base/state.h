/* base/state.h – states as data: a machine is a constant table of states, each with the states it may go to and the time it may take.
 *
 *     #define DOOR_STATES(X) \
 *         X(OPEN,   "open",   BIT(DOOR_SHUT), 5000) \
 *         X(SHUT,   "shut",   BIT(DOOR_OPEN), 0)
 *
 * One function moves a machine and checks the move; a state with a deadline says through its owner what happens when it passes. */
#ifndef SKEP_BASE_STATE_H
#define SKEP_BASE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define BIT(state) (UINT64_C(1) << (state))

struct state_info {
    const char *name;     /* as in the code: "FETCH_CA" */
    const char *shown;    /* to a person: "fetching the cluster's root CA" */
    uint64_t next;        /* BIT() of each allowed successor */
    uint32_t deadline_ms; /* 0: this state needs no end of its own (it waits for an owner that has one, or is final) */
};

struct state_table {
    const char *machine; /* "join" */
    const struct state_info *states;
    unsigned count; /* at most 64 */
};

struct state_machine {
    const struct state_table *table;
    unsigned state;
    uint64_t entered_ns;
};

void state_init(struct state_machine *machine, const struct state_table *table, unsigned first, uint64_t now_ns);

/* Move to @next. ERR_INTERNAL, and no move, when the table does not allow it: a bug, or a peer that sends things out of turn. */
int state_move(struct state_machine *machine, unsigned next, uint64_t now_ns, struct error *err);

bool state_may_move(const struct state_machine *machine, unsigned next);
const char *state_name(const struct state_machine *machine);
const char *state_shown(const struct state_machine *machine);
uint64_t state_deadline_ns(const struct state_machine *machine); /* when the present state is overdue; UINT64_MAX: never */

/* For tests, once per table: every successor exists, every state but the first is reachable, names are there. NULL when sound. */
const char *state_table_flaw(const struct state_table *table, unsigned first);

#endif
