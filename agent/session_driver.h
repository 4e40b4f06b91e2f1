/* agent/session_driver.h – carries out what agent/session.h decides: connects, calls, keeps the heartbeats on time, and brings together
 * assignments, the status reporter and the log publisher on one connection.
 *
 * One loop, no threads; nothing here blocks it. How late heartbeats were sent is measured (session_stats.heartbeat_late_*). */
#ifndef SKEP_AGENT_SESSION_DRIVER_H
#define SKEP_AGENT_SESSION_DRIVER_H

#include <uv.h>

#include "agent/assignments.h"
#include "agent/log_publisher.h"
#include "agent/remotes.h"
#include "agent/reporter.h"
#include "agent/session.h"
#include "agent/session_facts.h"
#include "base/arena.h"
#include "base/clock.h"

struct Docker__Swarmkit__V1__NodeDescription;
struct grpc_channel;
struct session_driver;
struct tls_credentials;

/* What the session tells its owner. All but describe() may be NULL. Called from the loop or from inside session_driver_start() and
 * session_driver_stop(); the driver may be told things from inside them, but not freed. What they are given is borrowed until they return.
 */
struct session_listener {
    /* The description as it is now, built into @arena: when a session begins, and every DESCRIPTION_REFRESH_MS to see whether it changed.
     */
    struct Docker__Swarmkit__V1__NodeDescription *(*describe)(void *ctx, struct arena *arena);
    /* The state moved or the reason changed. @err: why the last session or attempt ended; code 0 while all is well. SESSION_REMOVED is for
     * good: only leaving helps. */
    void (*on_state)(void *ctx, enum session_state state, const struct error *err);
    void (*on_facts)(void *ctx, const struct session_facts *facts);     /* each SessionMessage */
    void (*on_remotes)(void *ctx);                                      /* other managers are in the list now: persist it */
    void (*on_assigned)(void *ctx, struct assignment_changes *changes); /* for worker_assign() */
    void (*on_registered)(void *ctx);                                   /* for worker_report_all() */
    void *ctx;
};

struct session_driver_options {
    uv_loop_t *loop;
    struct clock clock;
    struct random random;
    struct tls_credentials *credentials; /* borrowed */
    struct remotes *remotes;             /* borrowed: read, weighted, and replaced by what the managers tell */
    const char *node_id;                 /* copied; the certificate's CN */
    struct log_source logs;              /* copied */
    struct session_listener listener;    /* copied */
};

struct session_driver *session_driver_new(const struct session_driver_options *options);
void session_driver_free(struct session_driver *driver); /* no callback afterwards; the memory goes when the loop has closed the timer */

void session_driver_start(struct session_driver *driver);
void session_driver_stop(struct session_driver *driver); /* leaves the manager; tasks are not touched */

/* Certificate or roots were replaced: a new session with them at once. */
void session_driver_credentials_changed(struct session_driver *driver);
void session_driver_description_changed(struct session_driver *driver); /* look now instead of at the next refresh */

/* For worker_start(): where secrets and configs are looked up. Lives as long as the driver. */
const struct assignments *session_driver_assignments(const struct session_driver *driver);

/* The worker's news: as reporter_put(), reporter_forget() and log_publisher_task_forgotten(), log_publisher_task_started(). */
int session_driver_report(struct session_driver *driver, const char *task_id, const struct Docker__Swarmkit__V1__TaskStatus *status,
                          struct error *err);
void session_driver_forget(struct session_driver *driver, const char *task_id);
void session_driver_task_started(struct session_driver *driver, const struct log_task *task);

/* The connection to the manager while it is ready, for calls of others (certificate renewal). Borrowed until control returns to the loop.
 */
struct grpc_channel *session_driver_channel(const struct session_driver *driver);

/* The manager of the present or last attempt; "" where not known. */
const char *session_driver_manager_addr(const struct session_driver *driver);

struct session_driver_stats {
    enum session_state state;
    struct session_stats session;
    struct reporter_stats reports;
    struct log_publisher_stats logs;
    size_t tasks_assigned, dependencies, statuses_waiting, log_subscriptions;
    int64_t heartbeat_period_ns;
};
void session_driver_stats(const struct session_driver *driver, struct session_driver_stats *out);

#endif
