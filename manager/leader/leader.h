/* manager/leader/leader.h – the leader's work on the loop: makes the parts when this manager may write, steps them, and ends them when it
 * no longer may. */
#ifndef SKEP_MANAGER_LEADER_LEADER_H
#define SKEP_MANAGER_LEADER_LEADER_H

#include <uv.h>

#include "manager/part.h"

struct leader;

/* Makes one part; @ctx as given with it. */
typedef struct part leader_make_fn(const struct part_host *host, void *ctx);

struct leader_options {
    uv_loop_t *loop;
    struct clock clock;
    struct random random;
    struct store *store;
};

struct leader *leader_new(const struct leader_options *options);
void leader_add(struct leader *leader, leader_make_fn *make, void *ctx); /* before it begins; parts are made and stepped in this order */

void leader_begin(struct leader *leader);
void leader_end(struct leader *leader);                           /* parts are freed, the last one first; it may begin again */
void *leader_part(const struct leader *leader, const char *name); /* its self; NULL: no such, or not begun */

/* It has ended. @on_closed on the loop; it is gone then. */
void leader_close(struct leader *leader, void (*on_closed)(void *ctx), void *ctx);

#endif
