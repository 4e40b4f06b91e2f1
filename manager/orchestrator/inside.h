/* manager/orchestrator/inside.h – the orchestrator's files among themselves: orchestrator.h says what each knows. */
#ifndef SKEP_MANAGER_ORCHESTRATOR_INSIDE_H
#define SKEP_MANAGER_ORCHESTRATOR_INSIDE_H

#include "manager/orchestrator/compare.h"
#include "manager/orchestrator/orchestrator.h"
#include "manager/orchestrator/view.h"

struct change;

struct orchestrator {
    struct part_host host;
    struct orchestrator_rules rules;
    struct view view;
    struct change *changes; /* decided in this step, in order */
    size_t changes_count, changes_capacity, group;
    size_t writes; /* on their way */
    bool has_failed;
    uint64_t hold_until_ns; /* the store refused: nothing is decided before */
    uint64_t reap_ns;       /* TIMER_NEVER: nothing to reap */
    uint64_t now_ns;        /* of this step */
};

/* --- changes: what was decided. What is added between two calls of changes_group() goes in one transaction --- */

void changes_group(struct orchestrator *orchestrator);
const char *changes_create(struct orchestrator *orchestrator, struct view_slot *slot, int desired); /* its id, until changes_flush() */
void changes_desire(struct orchestrator *orchestrator, struct view_task *task, int desired);
void changes_remove(struct orchestrator *orchestrator, struct view_task *task);
void changes_flush(struct orchestrator *orchestrator);

/* What the slot will be once the writes that were just added are through. */
void slot_promise(struct view_slot *slot, enum slot_class class);

/* --- slots --- */

bool task_is_of_iteration(const struct view_task *task); /* of a job: of its present one; of others always */
bool task_is_wanted(const struct view_task *task);
bool task_is_drained(const struct view_task *task); /* its node is there, and is to have no tasks */
bool slot_has_wanted(const struct view_slot *slot);
bool task_is_stopping(const struct orchestrator *orchestrator, const struct view_task *task);   /* what is to end may still run */
bool slot_is_stopping(const struct orchestrator *orchestrator, const struct view_task *newest); /* it, or an older one of its slot */
void slot_classify(struct orchestrator *orchestrator, struct view_slot *slot);
void slot_look(struct orchestrator *orchestrator, struct view_slot *slot); /* do what it needs now, and set its timer */
void slot_fill(struct orchestrator *orchestrator, struct view_slot *slot); /* it has none that is wanted: another one */
void slot_remove_all(struct orchestrator *orchestrator, struct view_slot *slot);

/* Starts, restarts, lost nodes, copies too many. Returns when to look again. */
uint64_t slot_supervise(struct orchestrator *orchestrator, struct view_slot *slot);

enum trouble {
    TROUBLE_NONE,
    TROUBLE_AWAITED, /* its node is down, and it may still come back in time */
    TROUBLE_LOST,    /* its node is down for too long, or is gone */
    TROUBLE_DRAINED,
    TROUBLE_ENDED,
};
/* @again_ns is lowered to when the answer may be another. */
enum trouble task_trouble(const struct orchestrator *orchestrator, const struct view_task *task, uint64_t *again_ns);

/* --- restart policy --- */

bool restart_is_allowed(const struct view_slot *slot, const struct view_task *task);
uint64_t restart_delay_ns(const Docker__Swarmkit__V1__Task *task);

/* Replace @task in its slot. @leaves_old: the old one's desired state stays. */
void restart_task(struct orchestrator *orchestrator, struct view_task *task, enum trouble trouble, bool leaves_old);

/* --- modes --- */

void replicated_look(struct orchestrator *orchestrator, struct view_service *service);
uint64_t global_look_slot(struct orchestrator *orchestrator, struct view_slot *slot); /* as slot_supervise() */
void global_mark_nodes(struct orchestrator *orchestrator, struct view_service *service);
void global_mark_services(struct orchestrator *orchestrator, struct view_node *node);

/* A slot that nothing is wanted in, of the lowest number from @first on; made if need be. NULL: none below @end. */
struct view_slot *take_unused_slot(struct orchestrator *orchestrator, struct view_service *service, uint64_t first, uint64_t end);

void jobs_look(struct orchestrator *orchestrator, struct view_service *service);
void jobs_clear_old(struct orchestrator *orchestrator, struct view_slot *slot);

/* --- reaper --- */

void reaper_look(struct orchestrator *orchestrator);

static inline const Docker__Swarmkit__V1__Placement *service_placement(const struct view_service *service)
{
    const Docker__Swarmkit__V1__Service *message = service_message(service);
    return message && message->spec && message->spec->task ? message->spec->task->placement : NULL;
}

static inline uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

#endif
