/* base/turn.h – work that many may ask for and that is done once, at the end of the loop's turn. */
#ifndef SKEP_BASE_TURN_H
#define SKEP_BASE_TURN_H

#include <stdbool.h>
#include <uv.h>

/* Memory of the owner's, until @on_closed. */
struct turn {
    uv_prepare_t prepare; /* runs what was asked for */
    uv_idle_t hurry;      /* while something is: the loop does not sleep before it was done */
    bool is_wanted;
    int open_handles;
    void (*fn)(void *ctx);
    void (*on_closed)(void *ctx);
    void *ctx;
};

/* Does not keep the loop alive while nothing is wanted. */
void turn_init(struct turn *turn, uv_loop_t *loop, void (*fn)(void *ctx), void *ctx);

/* @fn is called once before the loop sleeps next, never inside. What @fn asks for comes in the next turn. */
void turn_want(struct turn *turn);
void turn_close(struct turn *turn,
                void (*on_closed)(void *ctx)); /* @fn is not called any more; @on_closed on the loop, with the same ctx */

#endif
