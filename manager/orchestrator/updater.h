/* manager/orchestrator/updater.h – a rolling update, or roll-back, of one service: its dirty slots one after the other, as many at once as
 * its config says; each with a delay behind it; and what is to be done when new tasks fail.
 *
 * Two machines: one for the service, one for each slot whose turn it is. What the update's state is for people is in the service's
 * update_status, and so is what the next leader needs: it finds what is still dirty and goes on. Source: swarmkit-wire §7.5. */
#ifndef SKEP_MANAGER_ORCHESTRATOR_UPDATER_H
#define SKEP_MANAGER_ORCHESTRATOR_UPDATER_H

#include "base/state.h"
#include "manager/orchestrator/inside.h"

#define UPDATE_STATES(X)                                                                                                                   \
    /* state     shown to a person                          allowed next                             deadline_ms */                        \
    X(OPENING, "writing that an update is in progress", BIT(UPDATE_ROLLING) | BIT(UPDATE_CLOSING), UPDATE_WRITE_MS)                        \
    X(ROLLING, "replacing tasks", BIT(UPDATE_WATCHING) | BIT(UPDATE_CLOSING), 0)                                                           \
    X(WATCHING, "watching the new tasks", BIT(UPDATE_CLOSING), 0)                                                                          \
    X(CLOSING, "writing how the update ended", 0, UPDATE_WRITE_MS)

enum update_state {
#define X(name, shown, next, deadline_ms) UPDATE_##name,
    UPDATE_STATES(X)
#undef X
};

#define SLOT_UPDATE_STATES(X)                                                                                                              \
    X(TURN, "about to be replaced", BIT(SLOT_UPDATE_COMING_UP) | BIT(SLOT_UPDATE_RESTING), SLOT_UPDATE_LOOK_MS)                            \
    X(COMING_UP, "waiting for the new task to run", BIT(SLOT_UPDATE_TURN) | BIT(SLOT_UPDATE_RESTING), SLOT_UPDATE_LOOK_MS)                 \
    X(RESTING, "waiting for the delay to pass", 0, 0)

enum slot_update_state {
#define X(name, shown, next, deadline_ms) SLOT_UPDATE_##name,
    SLOT_UPDATE_STATES(X)
#undef X
};

extern const struct state_table update_table, slot_update_table;

/* Not as its service wants it now. */
bool updater_is_dirty(const struct orchestrator *orchestrator, const struct view_task *task);

/* More than one copy in the slot is the updater's business. */
bool updater_owns(const struct orchestrator *orchestrator, const struct view_slot *slot);

/* The service changed, or it is due. */
void updater_look(struct orchestrator *orchestrator, struct view_service *service);

/* A slot of a service under update changed: did a new task fail? */
void updater_watch_slot(struct orchestrator *orchestrator, struct view_slot *slot);

/* The slot whose turn it is changed, or is due; returns when to look again. */
uint64_t updater_look_slot(struct orchestrator *orchestrator, struct view_slot *slot);

/* A slot that could not be updated may be one that can: its node takes tasks again. */
void updater_notice(struct orchestrator *orchestrator, struct view_slot *slot);

void updater_cancel(struct orchestrator *orchestrator, struct view_service *service);

#endif
