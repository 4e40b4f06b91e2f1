/* manager/dispatcher/feed.h – what one Assignments stream has told its node, and what it has yet to tell: tasks, and the secrets and
 * configs that these need.
 *
 * It keeps ids only; a message is made of what the store has when it is sent. A task goes to the node once its status is ASSIGNED, also
 * when it is over and only history, and again when something besides status and meta changed, or anything while it is only ASSIGNED. A
 * secret or config comes with the first task that needs it and goes when no task up to RUNNING needs it any more. Source: swarmkit-wire
 * §3.6. */
#ifndef SKEP_MANAGER_DISPATCHER_FEED_H
#define SKEP_MANAGER_DISPATCHER_FEED_H

#include "base/arena.h"
#include "manager/store/store.h"
#include "proto/swarmkit/dispatcher.pb-c.h"

struct dispatcher_feed_task;
struct dispatcher_feed_need;

/* A zeroed struct is a feed that has told nothing. */
struct dispatcher_feed {
    struct dispatcher_feed_task *tasks, *changed;  /* by id; those to be told, oldest change first */
    struct dispatcher_feed_need *needs, *unneeded; /* by kind and id; those to be taken back */
    size_t changes_count;                          /* to be told: of tasks, and what is not needed any more */
};

void dispatcher_feed_deinit(struct dispatcher_feed *feed);

/* One task is now @task, NULL: it is gone or another node's. @old: as it was before this change, NULL: not known. */
void dispatcher_feed_put(struct dispatcher_feed *feed, const char *id, const Docker__Swarmkit__V1__Task *old,
                         const Docker__Swarmkit__V1__Task *task);
bool dispatcher_feed_has(const struct dispatcher_feed *feed, const char *id);

/* Every task that it has, for those who look at everything anew: none is lost. */
void dispatcher_feed_each(struct dispatcher_feed *feed, void (*fn)(void *ctx, const char *id), void *ctx);

/* A message: all there is, or the next DISPATCHER_CHANGES_COUNT changes. Made of @store's objects, which are borrowed. */
struct dispatcher_feed_message {
    Docker__Swarmkit__V1__AssignmentsMessage message; /* type and changes; numbers are the stream's */
    struct arena arena;
    size_t size_bytes; /* about */
    size_t told_count, capacity;
    struct dispatcher_feed_task **tasks;
    struct dispatcher_feed_need **needs;
    size_t tasks_count, needs_count;
};
void dispatcher_feed_make(struct dispatcher_feed *feed, const struct store *store, bool is_complete, struct dispatcher_feed_message *out);
void dispatcher_feed_sent(struct dispatcher_feed *feed, const struct dispatcher_feed_message *message); /* it is told now */
void dispatcher_feed_message_deinit(struct dispatcher_feed_message *message);

/* Tell every secret and config that @task needs; one may come twice. */
typedef void dispatcher_need_fn(void *ctx, enum store_kind kind, const char *id);
void dispatcher_task_needs(const Docker__Swarmkit__V1__Task *task, dispatcher_need_fn *fn, void *ctx);

#endif
