/* agent/worker.h – the tasks of this node: keeps their records, makes the host's containers match them, and says how they fare.
 *
 * The worker is the edge around agent/task.h: it holds one task machine per task, carries out the effects it asks for through runtime/hcs.h
 * and an image source, and tells it what came of them. A task is on disk (agent/task_store.h) before it is ACCEPTED; secrets and configs
 * are asked for when a container is made and never kept. Losing the session stops nothing; a restart finds every container as it is.
 *
 * With a loop it runs by itself. Without one it lives in virtual time: its owner calls worker_tick() at worker_wake_ns() and after every
 * step of the runtime. Source: swarmkit-wire §3.6, §4, §8. */
#ifndef SKEP_AGENT_WORKER_H
#define SKEP_AGENT_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "agent/image_source.h"
#include "agent/log_source_hcs.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/isolation.h"
#include "base/random.h"

struct Docker__Swarmkit__V1__NodeDescription;
struct Docker__Swarmkit__V1__TaskStatus;
struct assignment_changes;
struct assignments;
struct hcs;
struct worker;

/* What the worker tells. All are called from the loop (or worker_tick()), never from inside a call of worker_assign() or worker_new(). What
 * they are given is borrowed until they return. */
struct worker_listener {
    /* A status that is true and on disk (or the disk has not answered for long): for reporter_put(). Also for each known one after
     * worker_report_all(). */
    void (*on_status)(void *ctx, const char *task_id, const struct Docker__Swarmkit__V1__TaskStatus *status);
    /* The task left this node, its container and record are gone: for reporter_forget(). */
    void (*on_forgotten)(void *ctx, const char *task_id);
    /* Its container runs, its log can be read: for log_publisher_task_started(). */
    void (*on_started)(void *ctx, const char *task_id);
    void *ctx;
};

struct worker_options {
    uv_loop_t *loop; /* NULL: virtual time */
    struct clock clock;
    struct random random;
    const char *state_dir;            /* copied; worker.db is made in it */
    struct hcs *hcs;                  /* borrowed */
    struct image_source images;       /* copied */
    enum isolation default_isolation; /* of the node, for tasks that wish for none */
    bool prefers_offline;             /* never pull: dockerd's DOCKER_SERVICE_PREFER_OFFLINE_IMAGE=1 */
    struct worker_listener listener;  /* copied */
};

/* Open the state and read every record; no effect yet. ERR_VERSION for a database of another schema, ERR_PERMISSION, ERR_NO_SPACE,
 * ERR_CORRUPT, ERR_IO: the message names the file and what to do. */
int worker_new(const struct worker_options *options, struct worker **out, struct error *err);

/* Look at what runs here, adopt it, and go on with every task: before any manager is heard. @assignments (borrowed) is where secrets and
 * configs are looked up from now on. Until the first COMPLETE set no container without a record is removed, and no task of a record is
 * pulled or created: its credentials and secrets are not here. */
void worker_start(struct worker *worker, const struct assignments *assignments);

/* One message's changes, after assignments_apply(). Tasks are taken out of @changes as needed. */
void worker_assign(struct worker *worker, struct assignment_changes *changes);

/* Who this node is, for names, labels and templates: from the certificate and the description. Copied; call before worker_start() and when
 * it changes. @hostname, @architecture, @os as in NodeDescription. */
void worker_set_node(struct worker *worker, const char *node_id, const char *hostname, const char *architecture, const char *os);

/* Is a manager heard? At first none is. While none is, a task whose service has the label WORKER_STOP_AFTER_LABEL, a duration, is shut down
 * when it has lasted so long: for services of which there must never be two copies. */
#define WORKER_STOP_AFTER_LABEL "skep.stop-after"
void worker_set_contact(struct worker *worker, bool is_in_contact);

/* After each registration: tell on_status about every task that is acknowledged. */
void worker_report_all(struct worker *worker);

/* The node leaves the swarm: stop and remove every task with its container and record; @done once when nothing of ours is left, or after
 * WORKER_LEAVE_MS with what is left in @err. */
void worker_remove_all(struct worker *worker, void (*done)(void *ctx, const struct error *err), void *ctx);

/* The host goes down: shut every task down, each with its grace period, as if no manager had it any more; what is assigned from now on is
 * not begun, and is left to the next start. For good: the process is to end. Nothing of this is kept as what is desired. */
void worker_drain(struct worker *worker);
size_t worker_running(const struct worker *worker); /* how many tasks have not come to their end, or have yet to say so */

/* Containers go on running. Waits for what is under way on disk, cancels pulls, then @on_freed; nothing is called after it. */
void worker_free(struct worker *worker, void (*on_freed)(void *ctx), void *ctx);

/* What a killed process leaves behind: nothing is written, cancelled or told any more. In virtual time only, when the runtime has forgotten
 * its pending answers too (hcs_emulated_restart). */
void worker_abandon(struct worker *worker);

void worker_tick(struct worker *worker);              /* virtual time: do what is due */
uint64_t worker_wake_ns(const struct worker *worker); /* virtual time: when the next tick is needed; UINT64_MAX: not by itself */

/* One task as others may see it. Borrowed until control returns to the loop; strings are "" where not known. */
struct worker_task {
    const char *task_id, *service_id, *service_name, *node_id, *container_id, *container_name, *message, *err;
    int state, desired_state; /* SwarmKit's numbers, swarmkit-wire §4.1 */
    const char *health;       /* "none", "starting", "healthy", "unhealthy": Docker's words */
    uint64_t state_age_ns;
};
/* For log_source_hcs_new(): which tasks there are and in which compute system each runs. */
struct log_source_tasks worker_log_tasks(struct worker *worker);

void worker_each(const struct worker *worker, void (*each)(void *ctx, const struct worker_task *task), void *ctx);
bool worker_find(const struct worker *worker, const char *task_id, struct worker_task *out);
bool worker_find_container(const struct worker *worker, const char *container_id, struct worker_task *out);

struct worker_stats {
    size_t tasks, adopted;                                 /* now; adopted: containers found at the start */
    uint64_t assigned, forgotten, failed, rejected, pulls; /* since the start */
    uint64_t store_commits, store_failures;
    uint64_t disturbed; /* containers without a task that were removed */
};
void worker_stats(const struct worker *worker, struct worker_stats *out);

#endif
