/* runtime/emulated/queue.c – what is asked of the emulator and when it is due: virtual time, faults on the way, one operation after the
 * other on each system. */
#include <stdlib.h>

#include "base/mem.h"
#include "runtime/emulated/emulated.h"

void emulated_item_free(struct emulated_item *item)
{
    free(item->id);
    free(item->text);
    free(item->message);
    cJSON_Delete(item->json);
    free(item);
}

void emulated_insert(struct emulated *host, struct emulated_item *item)
{
    struct emulated_item **place = &host->items;

    while (*place && ((*place)->due_ns < item->due_ns || ((*place)->due_ns == item->due_ns && (*place)->order < item->order)))
        place = &(*place)->next;
    item->next = *place;
    *place = item;
}

static uint64_t draw_latency(struct emulated *host)
{
    if (host->max_ns <= host->min_ns)
        return host->min_ns;
    return host->min_ns + random_below(&host->random, host->max_ns - host->min_ns + 1);
}

static void apply_rule(struct emulated_item *item, const struct hcs_emulated_rule *rule)
{
    switch (rule->fault) {
    case HCS_EMULATED_HANG:
        item->due_ns += (uint64_t)hcs_operation_deadline_ms(item->operation) * NS_PER_MS;
        item->code = ERR_DEADLINE;
        item->message =
            mem_format("%s: no answer in %u ms", hcs_operation_shown(item->operation), hcs_operation_deadline_ms(item->operation));
        item->is_undone = true;
        break;
    case HCS_EMULATED_SLOW:
        item->due_ns += rule->delay_ns;
        break;
    case HCS_EMULATED_FAIL:
    case HCS_EMULATED_FAIL_BUT_DONE:
        item->code = rule->code ? rule->code : ERR_IO;
        item->message = mem_string(rule->message ? rule->message : "the script says so");
        item->is_undone = rule->fault == HCS_EMULATED_FAIL;
        break;
    case HCS_EMULATED_EXIT_FIRST:
        item->exits_first = true;
        item->exit_code = rule->exit_code;
        break;
    case HCS_EMULATED_LOSE_EXIT:
        item->loses_exit = true;
        break;
    case HCS_EMULATED_LATE_EXIT:
        item->is_late = true;
        item->late_ns = rule->delay_ns;
        break;
    }
}

static bool waits_its_turn(enum hcs_operation operation)
{
    return operation != HCS_OP_TERMINATE && operation != HCS_OP_PROPERTIES && operation != HCS_OP_ENUMERATE;
}

struct emulated_item *emulated_enqueue(struct emulated *host, enum hcs_operation operation, const char *id,
                                       void (*carry_out)(struct emulated *, struct emulated_item *), void *ctx)
{
    struct emulated_item *item = mem_alloc(sizeof *item);
    struct emulated_system *system = id ? emulated_find(host, id) : NULL;
    const struct hcs_emulated_rule *rule = emulated_take_rule(host, operation, system ? system->document.name : "");

    item->order = host->order++;
    item->operation = operation;
    item->id = mem_string(id ? id : "");
    item->carry_out = carry_out;
    item->ctx = ctx;
    item->due_ns = host->now_ns + draw_latency(host);
    if (rule)
        apply_rule(item, rule);
    if (system && waits_its_turn(operation)) {
        if (item->due_ns < system->busy_until_ns)
            item->due_ns = system->busy_until_ns;
        system->busy_until_ns = item->due_ns;
    }
    emulated_insert(host, item);
    return item;
}

void emulated_schedule(struct emulated *host, const char *id, uint64_t due_ns, void (*carry_out)(struct emulated *, struct emulated_item *))
{
    struct emulated_item *item = mem_alloc(sizeof *item);

    item->order = host->order++;
    item->id = mem_string(id);
    item->carry_out = carry_out;
    item->due_ns = due_ns;
    emulated_insert(host, item);
}

static struct emulated_item *take_due(struct emulated *host, uint64_t before_order)
{
    for (struct emulated_item **place = &host->items; *place && (*place)->due_ns <= host->now_ns; place = &(*place)->next) {
        struct emulated_item *item = *place;
        if (item->order >= before_order)
            continue;
        *place = item->next;
        return item;
    }
    return NULL;
}

void hcs_emulated_step(struct hcs *hcs, uint64_t now_ns, int64_t wall_ns)
{
    struct emulated *host = emulated_of(hcs);
    uint64_t until = host->order; /* what callbacks ask for now is done at the next step */
    struct emulated_item *item;

    if (now_ns > host->now_ns)
        host->now_ns = now_ns;
    host->wall_ns = wall_ns;
    while ((item = take_due(host, until)) != NULL) {
        item->carry_out(host, item);
        emulated_item_free(item);
    }
    emulated_logs_step(host);
}

uint64_t hcs_emulated_next_ns(const struct hcs *hcs)
{
    const struct emulated *host = (const struct emulated *)hcs;

    for (const struct emulated_log *log = host->logs; log; log = log->next)
        if (log->is_closed || log->is_new)
            return host->now_ns;
    return host->items ? host->items->due_ns : UINT64_MAX;
}
