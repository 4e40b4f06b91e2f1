/* base/state.c – see state.h. */
#include "base/state.h"

#include "base/clock.h"
#include "base/log.h"

void state_init(struct state_machine *machine, const struct state_table *table, unsigned first, uint64_t now_ns)
{
    *machine = (struct state_machine){table, first, now_ns};
}

bool state_may_move(const struct state_machine *machine, unsigned next)
{
    return next < machine->table->count && (machine->table->states[machine->state].next & BIT(next)) != 0;
}

int state_move(struct state_machine *machine, unsigned next, uint64_t now_ns, struct error *err)
{
    const struct state_table *table = machine->table;
    if (!state_may_move(machine, next))
        return error_set(err, ERR_INTERNAL, "%s: no way from %s to %s", table->machine, table->states[machine->state].name,
                         next < table->count ? table->states[next].name : "a state that does not exist");
    log_debug(table->machine, "%s -> %s", table->states[machine->state].name, table->states[next].name);
    machine->state = next;
    machine->entered_ns = now_ns;
    return 0;
}

const char *state_name(const struct state_machine *machine)
{
    return machine->table->states[machine->state].name;
}

const char *state_shown(const struct state_machine *machine)
{
    return machine->table->states[machine->state].shown;
}

uint64_t state_deadline_ns(const struct state_machine *machine)
{
    uint32_t deadline_ms = machine->table->states[machine->state].deadline_ms;
    return deadline_ms == 0 ? UINT64_MAX : machine->entered_ns + deadline_ms * NS_PER_MS;
}

const char *state_table_flaw(const struct state_table *table, unsigned first)
{
    if (table->count == 0 || table->count > 64 || first >= table->count)
        return "between 1 and 64 states, the first among them";
    uint64_t all = table->count == 64 ? UINT64_MAX : BIT(table->count) - 1, reached = BIT(first), before;
    for (unsigned i = 0; i < table->count; i++) {
        if (table->states[i].name == NULL || table->states[i].shown == NULL)
            return "a state without a name";
        if (table->states[i].next & ~all)
            return "a successor that does not exist";
    }
    do {
        before = reached;
        for (unsigned i = 0; i < table->count; i++)
            if (reached & BIT(i))
                reached |= table->states[i].next;
    } while (reached != before);
    return reached == all ? NULL : "a state that cannot be reached";
}
