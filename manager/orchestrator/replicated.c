/* manager/orchestrator/replicated.c – as many slots as there are to be replicas: new ones take the lowest numbers that are free; what is
 * too many goes from where most are. Source: swarmkit-wire §7.2. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/mutant.h"
#include "manager/orchestrator/inside.h"

static uint64_t replicas_of(const struct view_service *service)
{
    const Docker__Swarmkit__V1__ServiceSpec *spec = service_message(service)->spec;
    bool is_known = spec && spec->mode_case == DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED && spec->replicated;
    return is_known ? spec->replicated->replicas : 0;
}

static bool counts(const struct view_slot *slot)
{
    return slot->class == SLOT_WANTED || slot->class == SLOT_OVER;
}

struct view_slot *take_unused_slot(struct orchestrator *orchestrator, struct view_service *service, uint64_t first, uint64_t end)
{
    struct view_slot *slot;
    char key[VIEW_NUMBER_KEY_SIZE];

    if (service->first_unused < first)
        service->first_unused = first;
    for (;; service->first_unused++) {
        slot = view_slot_numbered(service, service->first_unused);
        if (slot == NULL)
            break;
        if (slot->is_counted && slot->class == SLOT_FREE && slot->writes == 0)
            break;
    }
    if (service->first_unused >= end)
        return NULL;
    if (slot)
        return slot;
    view_number_key(service->first_unused, key);
    return view_obtain_slot(&orchestrator->view, service, key, service->first_unused);
}

static void grow(struct orchestrator *orchestrator, struct view_service *service, uint64_t count)
{
    for (uint64_t i = 0; i < count && orchestrator->changes_count < ORCHESTRATOR_STEP_CHANGES_COUNT; i++) {
        struct view_slot *slot = take_unused_slot(orchestrator, service, 1, UINT64_MAX);
        slot_fill(orchestrator, slot);
        if (CLUSTER_MUTANT(TWO_FOR_SLOT))
            slot_fill(orchestrator, slot);
    }
}

/* --- shrinking --- */

struct ranked {
    struct view_slot *slot;
    const char *node_id; /* NULL: on no one node */
    bool runs;
    uint64_t index; /* among the slots on its node, from 1; those on none come last */
};

static void rank(const struct orchestrator *orchestrator, struct view_slot *slot, struct ranked *out)
{
    size_t count = 0;

    *out = (struct ranked){.slot = slot, .index = UINT64_MAX};
    for (const struct view_task *task = slot->tasks; task; task = task->slot_next) {
        uint64_t unused = TIMER_NEVER;
        if (!task_is_wanted(task) && !(slot->class == SLOT_OVER && task == slot->last))
            continue;
        bool is_awaited = task_trouble(orchestrator, task, &unused) == TROUBLE_AWAITED;
        out->runs = out->runs || (task_state(task) == STATE(RUNNING) && !is_awaited);
        out->node_id = ++count == 1 && task->node && !is_awaited ? task->node->id : NULL;
    }
}

static int by_running(const void *a, const void *b)
{
    const struct ranked *left = a, *right = b;

    if (left->runs != right->runs)
        return left->runs ? -1 : 1;
    return left->slot->number < right->slot->number ? -1 : left->slot->number > right->slot->number;
}

static int by_node(const void *a, const void *b)
{
    const struct ranked *left = *(struct ranked *const *)a, *right = *(struct ranked *const *)b;
    int order = strcmp(left->node_id, right->node_id);

    if (order != 0)
        return order;
    return left < right ? -1 : 1;
}

static int by_index(const void *a, const void *b)
{
    const struct ranked *left = *(struct ranked *const *)a, *right = *(struct ranked *const *)b;

    if (left->index != right->index)
        return left->index < right->index ? -1 : 1;
    return left < right ? -1 : left > right;
}

static void number_by_node(struct ranked *ranks, size_t count, struct ranked **order)
{
    size_t on_nodes = 0;
    uint64_t index = 0;

    for (size_t i = 0; i < count; i++)
        if (ranks[i].node_id)
            order[on_nodes++] = &ranks[i];
    qsort(order, on_nodes, sizeof(struct ranked *), by_node);
    for (size_t i = 0; i < on_nodes; i++) {
        index = i > 0 && strcmp(order[i - 1]->node_id, order[i]->node_id) == 0 ? index + 1 : 1;
        order[i]->index = index;
    }
}

static void shrink(struct orchestrator *orchestrator, struct view_service *service, uint64_t keep)
{
    size_t count = 0, most = HASH_COUNT(service->slots);
    struct ranked *ranks = mem_array(most, sizeof *ranks), **order = mem_array(most, sizeof *order);

    for (struct view_slot *slot = service->slots; slot; slot = slot->hh.next)
        if (counts(slot))
            rank(orchestrator, slot, &ranks[count++]);
    qsort(ranks, count, sizeof *ranks, by_running);
    number_by_node(ranks, count, order);
    for (size_t i = 0; i < count; i++)
        order[i] = &ranks[i];
    qsort(order, count, sizeof(struct ranked *), by_index);
    for (size_t i = (size_t)keep; i < count; i++)
        if (order[i]->slot->writes == 0)
            slot_remove_all(orchestrator, order[i]->slot);
    free(order);
    free(ranks);
}

/* Slots that nobody counts and nobody filled leave with their history. */
static void clear_free_slots(struct orchestrator *orchestrator, struct view_service *service)
{
    if (service->classes[SLOT_FREE] == 0)
        return;
    for (struct view_slot *slot = service->slots; slot; slot = slot->hh.next)
        if (slot->is_counted && slot->class == SLOT_FREE && slot->writes == 0)
            slot_remove_all(orchestrator, slot);
}

void replicated_look(struct orchestrator *orchestrator, struct view_service *service)
{
    uint64_t want = replicas_of(service), have = service->classes[SLOT_WANTED] + service->classes[SLOT_OVER];

    if (have < want)
        grow(orchestrator, service, want - have);
    else if (have > want)
        shrink(orchestrator, service, want);
    clear_free_slots(orchestrator, service);
}
