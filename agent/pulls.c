#include "agent/pulls.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"

struct pull_wait {
    struct pull *pull;
    const char *reference, *registry_auth;
    void *ctx;
    struct pull_wait *prev, *next;
};

enum pull_phase { PULL_QUEUED, PULL_RUNNING, PULL_OVER };

struct pull {
    struct pulls *pulls;
    uint8_t key[SHA256_SIZE_BYTES]; /* of reference and credentials: the latter are not kept */
    enum pull_phase phase;
    void *job;
    struct pull_wait *waits;
    struct error outcome;
    uint64_t over_ns;
    bool is_telling; /* its outcome, to those who waited: they may want and cancel meanwhile */
    struct pull *prev, *next;
};

struct pulls {
    struct image_source images;
    struct pull_listener listener;
    struct pull *list;
    size_t running;
    uint64_t now_ns, started;
};

struct pulls *pulls_new(const struct image_source *images, const struct pull_listener *listener)
{
    struct pulls *pulls = mem_alloc(sizeof *pulls);
    pulls->images = *images;
    pulls->listener = *listener;
    return pulls;
}

static void make_key(const char *reference, const char *registry_auth, uint8_t key[SHA256_SIZE_BYTES])
{
    cleanup_buf struct buf text = {0};
    buf_append(&text, reference, strlen(reference) + 1);
    buf_append_string(&text, registry_auth ? registry_auth : "");
    sha256(buf_bytes(&text), key);
    mem_wipe(text.data, text.size);
}

static void drop(struct pulls *pulls, struct pull *pull)
{
    if (pull->phase == PULL_RUNNING) {
        pulls->images.cancel(pulls->images.self, pull->job);
        pulls->running--;
    }
    DL_DELETE(pulls->list, pull);
    struct pull_wait *wait = NULL, *next = NULL;
    DL_FOREACH_SAFE (pull->waits, wait, next)
        free(wait);
    free(pull);
}

void pulls_free(struct pulls *pulls)
{
    while (pulls->list)
        drop(pulls, pulls->list);
    free(pulls);
}

static void tell_all(struct pull *pull)
{
    pull->is_telling = true;
    while (pull->waits) {
        struct pull_wait *wait = pull->waits;
        DL_DELETE(pull->waits, wait);
        pull->pulls->listener.on_done(wait->ctx, pull->outcome.code ? &pull->outcome : NULL);
        free(wait);
    }
    pull->is_telling = false;
}

static void finish(struct pull *pull, const struct error *err)
{
    if (pull->phase == PULL_RUNNING)
        pull->pulls->running--;
    pull->phase = PULL_OVER;
    pull->job = NULL;
    pull->over_ns = pull->pulls->now_ns;
    if (err)
        pull->outcome = *err;
    tell_all(pull);
}

static void on_progress(void *ctx, const char *line)
{
    const struct pull *pull = ctx;
    struct pull_wait *wait = NULL;
    (void)line;
    DL_FOREACH (pull->waits, wait)
        pull->pulls->listener.on_progress(wait->ctx);
}

static void on_pulled(void *ctx, const struct error *err, const struct image *image)
{
    (void)image;
    finish(ctx, err);
}

static void start(struct pull *pull)
{
    struct pulls *pulls = pull->pulls;
    struct error err = {0};
    pull->phase = PULL_RUNNING;
    pulls->running++;
    pulls->started++;
    if (pulls->images.pull(pulls->images.self, pull->waits->reference, pull->waits->registry_auth, on_progress, on_pulled, pull, &pull->job,
                           &err) < 0)
        finish(pull, &err);
}

static bool is_fresh(const struct pull *pull, uint64_t now_ns)
{
    return pull->is_telling || now_ns < pull->over_ns + WORKER_PULL_FRESH_MS * NS_PER_MS;
}

static struct pull *first_queued(const struct pulls *pulls)
{
    struct pull *pull = NULL;
    DL_FOREACH (pulls->list, pull)
        if (pull->phase == PULL_QUEUED)
            return pull;
    return NULL;
}

void pulls_step(struct pulls *pulls, uint64_t now_ns)
{
    struct pull *pull = NULL, *next = NULL;
    pulls->now_ns = now_ns;
    DL_FOREACH_SAFE (pulls->list, pull, next)
        if (pull->phase == PULL_OVER && !is_fresh(pull, now_ns))
            drop(pulls, pull);
    while (pulls->running < WORKER_PULLS_COUNT && (pull = first_queued(pulls)) != NULL)
        start(pull); /* it may end at once, and those who hear of it change the list */
    DL_FOREACH (pulls->list, pull)
        if (pull->phase == PULL_QUEUED) /* it waits for others, which get on */
            on_progress(pull, NULL);
}

static struct pull *find(struct pulls *pulls, const uint8_t key[SHA256_SIZE_BYTES])
{
    struct pull *pull = NULL;
    DL_FOREACH (pulls->list, pull)
        if (memcmp(pull->key, key, SHA256_SIZE_BYTES) == 0)
            return pull;
    return NULL;
}

struct pull_wait *pulls_want(struct pulls *pulls, const char *reference, const char *registry_auth, uint64_t now_ns, void *ctx,
                             struct error *outcome)
{
    uint8_t key[SHA256_SIZE_BYTES];
    make_key(reference, registry_auth, key);
    struct pull *pull = find(pulls, key);
    if (pull && pull->phase == PULL_OVER && is_fresh(pull, now_ns)) {
        *outcome = pull->outcome;
        return NULL;
    }
    if (pull && pull->phase == PULL_OVER) {
        drop(pulls, pull);
        pull = NULL;
    }
    if (!pull) {
        pull = mem_alloc(sizeof *pull);
        pull->pulls = pulls;
        memcpy(pull->key, key, sizeof key);
        DL_APPEND(pulls->list, pull);
    }
    struct pull_wait *wait = mem_alloc(sizeof *wait);
    *wait = (struct pull_wait){.pull = pull, .reference = reference, .registry_auth = registry_auth, .ctx = ctx};
    DL_APPEND(pull->waits, wait);
    return wait;
}

void pulls_cancel(struct pulls *pulls, struct pull_wait *wait, uint64_t now_ns)
{
    struct pull *pull = wait->pull;
    pulls->now_ns = now_ns;
    DL_DELETE(pull->waits, wait);
    free(wait);
    if (!pull->waits && pull->phase != PULL_OVER)
        drop(pulls, pull);
}

uint64_t pulls_started_count(const struct pulls *pulls)
{
    return pulls->started;
}
