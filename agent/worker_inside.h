/* agent/worker_inside.h – shared by the worker's files; nobody else includes it.
 *
 * worker.c keeps the table and the turn of things; worker_assign.c takes what the manager wants; worker_effects.c carries a task's effects
 * out; worker_guard.c sees to it that a guarded slot has one copy; worker_reconcile.c compares with what the runtime has; worker_health.c
 * asks containers how they are; worker_status.c writes, reports and shows. */
#ifndef SKEP_AGENT_WORKER_INSIDE_H
#define SKEP_AGENT_WORKER_INSIDE_H

#include <uthash.h>
#include <utlist.h>

#include "agent/container_document.h"
#include "agent/health.h"
#include "agent/pulls.h"
#include "agent/task.h"
#include "agent/task_store.h"
#include "agent/worker.h"
#include "proto/swarmkit/objects.pb-c.h"
#include "runtime/hcs.h"

#define ROOM     "worker"
#define NEVER_NS UINT64_MAX

typedef Docker__Swarmkit__V1__Task Task;
typedef Docker__Swarmkit__V1__TaskStatus TaskStatus;

struct worker;
struct entry;

/* Something asked of the runtime whose answer will come. The entry may be gone by then: the operation outlives it. */
struct operation {
    struct worker *worker;
    struct entry *entry; /* NULL: nobody waits any more */
    enum task_effect effect;
    struct operation *prev, *next;
};

/* The image's pulls and the runtime's creates, starts and removes are bounded: who comes too late stands in line. */
struct line {
    struct entry *first; /* a list through entry->line_next */
    unsigned running;
};

/* One task of this node. */
struct entry {
    struct worker *worker;
    struct task task;
    Task *proto;        /* as assigned, without status; owned */
    Task *again;        /* assigned anew, with status, while it leaves: accepted once it has left; owned */
    TaskStatus *status; /* the newest; owned, freed with free_unpacked */
    uint64_t status_sequence;
    uint64_t status_due_ns;                         /* when it is told without the disk; UINT64_MAX: none waits */
    uint64_t persist_sequence, forget_sequence;     /* writes that an effect waits for; 0: none */
    uint64_t stop_after_ns;                         /* without contact to any manager; 0: never */
    bool is_acknowledged;                           /* ACCEPTED or later was told */
    bool is_listed;                                 /* in the assignment set that is being applied */
    bool is_seen;                                   /* in the list of the runtime that is being compared */
    char container_id[CONTAINER_ID_SIZE_CHARS + 1]; /* "": it has none */
    int64_t pid;
    struct hcs_port *ports; /* owned, protocols are constants */
    size_t port_count;
    char *image_id;     /* pinned */
    cJSON *health_json; /* Skep.Health of its document */
    struct health health;
    struct hcs_process *probe;
    struct operation *probe_operation;
    struct pull_wait *pull;
    enum task_effect line_effect; /* standing in line with; NOTHING: it does not */
    bool is_held_back;            /* in line, and said to wait for another copy of its slot to stop */
    struct entry *line_prev, *line_next;
    bool is_dirty;
    struct entry *dirty_prev, *dirty_next;
    UT_hash_handle hh, hh_container;
};

/* A container with our owner and a task's label, and no task. */
struct stranger {
    char id[CONTAINER_ID_SIZE_CHARS + 1];
    char *task_id;
    struct task_observation seen;
    char *error, *image_id;
    cJSON *health_json;
    int64_t pid;
    bool is_leaving;
    UT_hash_handle hh; /* by id */
};

struct worker {
    struct worker_options options;
    char *node_id, *hostname, *architecture, *os;
    const struct assignments *assignments;
    struct task_store *store;
    struct pulls *pulls;
    struct hcs_listener listener;
    struct entry *entries, *by_container, *dirty;
    struct stranger *strangers;
    struct operation *operations;
    struct line line; /* creates, starts and removes */
    uv_timer_t timer;
    bool holds_images; /* removals of images wait for is_observed */
    bool has_timer, is_started, is_observed, has_complete, is_checking, is_closing, is_draining, reports_all;
    uint64_t lost_ns;  /* no manager is heard since; UINT64_MAX: one is */
    uint64_t check_ns; /* when to look at all containers next */
    uint64_t wake_ns;  /* the earliest entry */
    struct worker_stats stats;
    void (*on_removed)(void *ctx, const struct error *err);
    void *removed_ctx;
    uint64_t removed_deadline_ns;
    void (*on_freed)(void *ctx);
    void *freed_ctx;
};

uint64_t worker_now(const struct worker *worker);
void worker_mark(struct entry *entry);       /* it has something to do in the next turn */
void worker_schedule(struct worker *worker); /* a turn soon */
struct container_node worker_node(const struct worker *worker);
struct operation *worker_begin(struct entry *entry, enum task_effect effect);
struct entry *worker_end(struct operation *operation); /* freed; who waited, or NULL */
void worker_forget(struct entry *entry);               /* the entry is gone */
struct entry *worker_entry(const struct worker *worker, const char *task_id);
struct entry *worker_add_entry(struct worker *worker, Task *proto, TaskStatus *status, bool is_new); /* @proto and @status are taken */

/* worker_assign.c */
void worker_accept(struct worker *worker, Task *proto); /* a task that is new here; taken */
void worker_leave(struct entry *entry);                 /* everything of it is taken away, and nothing is told */

/* worker_guard.c */
uint64_t worker_read_stop_after(const Task *proto); /* 0: its service does not say it */
uint64_t worker_stop_ns(const struct entry *entry); /* when it is shut down if no manager is heard until then */
void worker_stop_if_lost(struct entry *entry, uint64_t now_ns);
const struct entry *worker_copy_before(const struct entry *entry); /* that has to stop before it starts; NULL: none */

/* worker_effects.c */
void worker_carry_out(struct entry *entry, enum task_effect effect);
void worker_serve_line(struct worker *worker);
void worker_leave_line(struct entry *entry, bool is_answered);
void worker_pull_done(void *ctx, const struct error *err);
void worker_pull_progress(void *ctx);
void worker_set_container(struct entry *entry, const char *id);
int worker_pin(struct entry *entry, const char *image_id, struct error *err); /* ERR_AGAIN: not now */

/* worker_reconcile.c */
void worker_observe_properties(struct entry *entry, const struct hcs_properties *properties);
void worker_check(struct worker *worker); /* enumerate and compare */
void worker_adopt_stranger(struct entry *entry);
void worker_remove_strangers(struct worker *worker);
void worker_free_strangers(struct worker *worker);
void worker_on_event(void *ctx, const struct hcs_event *event);

/* worker_health.c */
void worker_watch_health(struct entry *entry);
void worker_step_health(struct entry *entry, uint64_t now_ns);
void worker_stop_health(struct entry *entry);

/* worker_status.c */
void worker_write_status(struct entry *entry);
void worker_write_task(struct entry *entry);
void worker_on_written(void *ctx, const char *task_id, enum task_write write, uint64_t sequence, const struct error *err);
void worker_tell_overdue(struct entry *entry, uint64_t now_ns); /* without waiting for the disk any longer */
void worker_report_known(struct worker *worker);

#endif
