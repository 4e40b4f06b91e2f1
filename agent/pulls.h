/* agent/pulls.h – the pulls of this node: tasks that want the same image with the same credentials share one, a bounded number runs at
 * once, and its outcome holds for a moment, so that fifty replicas ask the registry once. */
#ifndef SKEP_AGENT_PULLS_H
#define SKEP_AGENT_PULLS_H

#include "agent/image_source.h"
#include "base/error.h"

struct pulls;
struct pull_wait;

struct pull_listener {
    void (*on_progress)(void *ctx);                      /* calls nothing of this header */
    void (*on_done)(void *ctx, const struct error *err); /* once; @err NULL: the image is here and fresh. May want and cancel others */
};

struct pulls *pulls_new(const struct image_source *images /* copied */, const struct pull_listener *listener /* copied */);
void pulls_free(struct pulls *pulls); /* cancels what runs; nobody hears of it */

/* Wait for @reference to be pulled; @reference and @registry_auth are borrowed until the answer or pulls_cancel(). NULL, with the outcome
 * in
 * @outcome (code 0: well), when it was pulled just now. */
struct pull_wait *pulls_want(struct pulls *pulls, const char *reference, const char *registry_auth, uint64_t now_ns, void *ctx,
                             struct error *outcome);
void pulls_cancel(struct pulls *pulls, struct pull_wait *wait, uint64_t now_ns);

/* Begin what may begin, forget what is old; @now_ns is also the time of answers that come until the next call. */
void pulls_step(struct pulls *pulls, uint64_t now_ns);

uint64_t pulls_started_count(const struct pulls *pulls);

#endif
