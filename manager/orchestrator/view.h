/* manager/orchestrator/view.h – services, their slots, the tasks in them and the nodes these are on, kept up to date from the store's
 * commits: the cost is that of what changed.
 *
 * A slot is a place for one wanted task: of a replicated service by its number, of a global one by its node. What changed is marked: slots
 * whose tasks, or whose tasks' nodes, changed; services; nodes. The orchestrators look at what is marked, and at what is due.
 *
 * A slot with a write on its way is left alone until the write's outcome is in the view; its promise says what it will be. */
#ifndef SKEP_MANAGER_ORCHESTRATOR_VIEW_H
#define SKEP_MANAGER_ORCHESTRATOR_VIEW_H

#include "base/hash.h"
#include "manager/orchestrator/labels.h"
#include "manager/orchestrator/timers.h"
#include "manager/store/store.h"

#define STATE(name) DOCKER__SWARMKIT__V1__TASK_STATE__##name

#define VIEW_NUMBER_KEY_SIZE 24
void view_number_key(uint64_t number, char key[VIEW_NUMBER_KEY_SIZE]); /* a slot's key, of its number */

enum view_mode { VIEW_REPLICATED, VIEW_GLOBAL, VIEW_REPLICATED_JOB, VIEW_GLOBAL_JOB };

/* What a slot is to its service. */
enum slot_class {
    SLOT_FREE,   /* nothing is wanted in it */
    SLOT_WANTED, /* a task is to run in it */
    SLOT_DONE,   /* of a job: it is complete */
    SLOT_OVER,   /* its last task ended and the restart policy wants no other: it counts, and nothing is to be done */
    SLOT_CLASSES_COUNT,
};

struct view_task {
    UT_hash_handle hh;
    struct store_object *object;             /* held */
    struct view_slot *slot;                  /* NULL: of no service */
    struct view_task *slot_prev, *slot_next; /* in its slot, or among those of no service */
    struct view_node *node;                  /* NULL: on none */
    struct view_task *node_prev, *node_next;
};

struct view_slot {
    UT_hash_handle hh;
    struct view_service *service;
    uint64_t number;
    struct view_task *tasks, *last; /* in the order of their creation */
    size_t tasks_count;
    enum slot_class class;
    bool is_counted; /* in service->classes[class] */
    unsigned writes; /* on their way */
    enum slot_class promise;
    bool is_dirty, is_aged;
    struct view_slot *next_dirty, *next_aged;
    struct timer timer;
    struct slot_update *update; /* NULL: it is not its turn in an update */
    bool is_queued;             /* for its turn; it stays meanwhile */
    struct view_slot *next_queued;
    char key[]; /* the number in decimal, or the node's id */
};

struct view_service {
    UT_hash_handle hh;
    struct store_object *object; /* held; NULL: gone, or never seen */
    enum view_mode mode;
    struct view_slot *slots;
    size_t classes[SLOT_CLASSES_COUNT]; /* how many slots of each */
    uint64_t first_unused;              /* no slot below this number is free, but for 0 where numbers begin with 1 */
    bool is_dirty, is_changed;          /* look at it; its object changed */
    struct view_service *next_dirty;
    struct view_service *global_prev, *global_next; /* those with a task on each node */
    struct update *update;                          /* NULL: none under way */
    struct timer timer;
    unsigned writes;
    struct service_labels labels;
    char id[];
};

struct view_node {
    UT_hash_handle hh;
    struct store_object *object; /* held; NULL: gone, or not here yet */
    struct view_task *tasks;
    size_t tasks_count;
    uint64_t down_ns; /* since when it is down; TIMER_NEVER: it is not */
    uint64_t back_ns; /* when it last came back from being down; 0: never seen */
    bool is_ready;
    bool is_dirty;
    struct view_node *next_dirty;
    char id[];
};

/* A task with desired state READY, until it may start. Its creator says when. */
struct view_start {
    UT_hash_handle hh;
    uint64_t not_before_ns;
    uint64_t stop_wait_ns; /* until then also for older tasks of its slot to stop; 0: it does not wait for them */
    char id[ID_SIZE_CHARS + 1];
};

struct view {
    struct store *store;
    struct store_watcher *watcher;
    struct clock clock;
    uint64_t now_ns;
    struct store_object *cluster;    /* held; NULL: none */
    struct view_task *tasks, *loose; /* loose: of no service */
    bool is_loose_changed;           /* look at those */
    struct view_service *services, *globals;
    struct view_node *nodes;
    struct view_start *starts;
    struct view_slot *dirty_slots, *aged_slots;
    size_t aged_count;
    struct view_service *dirty_services;
    struct view_node *dirty_nodes;
    struct timers timers;
    bool is_listed;
    bool is_woken; /* there is more to read */
    void (*on_ready)(void *ctx);
    void (*on_slot_due)(void *ctx, void *slot);
    void (*on_service_due)(void *ctx, void *service);
    void *ctx;
};

void view_init(struct view *view, struct store *store, struct clock clock, void (*on_ready)(void *ctx), void *ctx);
void view_deinit(struct view *view);

/* Take in what was committed since; the first time, everything. */
void view_sync(struct view *view, uint64_t now_ns);

struct view_service *view_service(struct view *view, const char *id);
struct view_node *view_node(struct view *view, const char *id);
struct view_task *view_task(struct view *view, const char *id);
struct view_slot *view_slot(struct view_service *service, const char *key);
struct view_slot *view_slot_numbered(struct view_service *service, uint64_t number);
struct view_service *view_obtain_service(struct view *view, const char *id);
struct view_node *view_obtain_node(struct view *view, const char *id);
struct view_slot *view_obtain_slot(struct view *view, struct view_service *service, const char *key, uint64_t number);

void view_mark_task(struct view *view, struct view_task *task); /* its slot, or that it is to be looked at among the loose ones */
void view_mark_slot(struct view *view, struct view_slot *slot);
void view_mark_aged(struct view *view, struct view_slot *slot);
void view_mark_node(struct view *view, struct view_node *node);
void view_mark_service(struct view *view, struct view_service *service);
struct view_slot *view_take_slot(struct view *view); /* NULL: none is marked */
struct view_slot *view_take_aged(struct view *view);
struct view_service *view_take_service(struct view *view);
struct view_node *view_take_node(struct view *view);

void view_leave_globals(struct view *view, struct view_service *service);
void view_set_class(struct view_slot *slot, enum slot_class class);
void view_free_slot_if_empty(struct view *view, struct view_slot *slot);
void view_free_service_if_empty(struct view *view, struct view_service *service);
void view_free_node_if_empty(struct view *view, struct view_node *node);

void view_expect_start(struct view *view, const char *task_id, uint64_t not_before_ns, uint64_t stop_wait_ns);
struct view_start *view_start(struct view *view, const char *task_id);
void view_forget_start(struct view *view, const char *task_id);

/* --- what the messages say; all of it may be missing in what another manager wrote --- */

static inline const Docker__Swarmkit__V1__Task *task_message(const struct view_task *task)
{
    return (const void *)task->object->message;
}

static inline const Docker__Swarmkit__V1__Service *service_message(const struct view_service *service)
{
    return service->object ? (const void *)service->object->message : NULL;
}

static inline const Docker__Swarmkit__V1__Node *node_message(const struct view_node *node)
{
    return node->object ? (const void *)node->object->message : NULL;
}

static inline int task_state(const struct view_task *task)
{
    const Docker__Swarmkit__V1__Task *message = task_message(task);
    return message->status ? (int)message->status->state : STATE(NEW);
}

static inline int task_desired(const struct view_task *task)
{
    return (int)task_message(task)->desired_state;
}

static inline uint64_t version_index(const Docker__Swarmkit__V1__Version *version)
{
    return version ? version->index : 0;
}

static inline bool view_mode_is_job(enum view_mode mode)
{
    return mode == VIEW_REPLICATED_JOB || mode == VIEW_GLOBAL_JOB;
}

static inline bool view_mode_is_global(enum view_mode mode)
{
    return mode == VIEW_GLOBAL || mode == VIEW_GLOBAL_JOB;
}

#endif
