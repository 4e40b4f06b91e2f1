/* proto/grpc/schedule.h – inside proto/grpc: what waits for the loop to come round or for time to pass.
 *
 * Nothing calls a user from inside a function that the user called: calls that have news and connections that have output are put here, and
 * are served in the loop's next turn. Deadlines of calls share one timer. A channel has one schedule, a server has one for all its
 * connections. Without a loop (fuzzing) schedule_run() is called by hand. */
#ifndef SKEP_PROTO_GRPC_SCHEDULE_H
#define SKEP_PROTO_GRPC_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/clock.h"

struct connection;
struct grpc_call;

struct schedule {
    struct clock clock;
    struct grpc_call *news;      /* list through schedule_link */
    struct grpc_call *deadlines; /* list through deadline_link, soonest first */
    struct grpc_call *parked;    /* list through link: over, with a reader who paused before the last message */
    struct connection *dirty;    /* list through dirty_link */
    bool has_loop, is_closed;
    unsigned handles;
    uv_idle_t turn;
    uv_timer_t timer;
    void (*on_closed)(void *ctx);
    void *ctx;
};

void schedule_init(struct schedule *schedule, uv_loop_t *loop, const struct clock *clock); /* @loop may be NULL */
void schedule_close(struct schedule *schedule, void (*on_closed)(void *ctx),
                    void *ctx); /* on_closed comes from the loop, if there is one */

void schedule_news(struct schedule *schedule, struct grpc_call *call);
void schedule_forget(struct schedule *schedule, struct grpc_call *call);   /* its news and its deadline */
void schedule_deadline(struct schedule *schedule, struct grpc_call *call); /* call->deadline_ns; 0: none */
void schedule_dirty(struct schedule *schedule, struct connection *connection);
void schedule_clean(struct schedule *schedule, struct connection *connection); /* the connection goes away */
void schedule_run(struct schedule *schedule);                                  /* one turn */

#endif
