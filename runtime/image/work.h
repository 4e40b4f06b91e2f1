/* runtime/image/work.h – one run of the tool: started, fed, listened to, ended. Not for other rooms.
 *
 * A work may have several askers (struct image_job): they hear the same lines and the same end. Works beyond IMAGE_JOBS_PARALLEL_COUNT wait
 * in line. */
#ifndef SKEP_RUNTIME_IMAGE_WORK_H
#define SKEP_RUNTIME_IMAGE_WORK_H

#include "base/state.h"
#include "runtime/image/store.h"

#define IMAGE_WORK_STATES(X)                                                                                                               \
    /*  state    shown                        allowed next                                      deadline_ms */                             \
    X(WAITING, "waiting for its turn", BIT(WORK_RUNNING) | BIT(WORK_CLOSING), 0)                                                           \
    X(RUNNING, "running", BIT(WORK_CLOSING), IMAGE_JOB_SILENCE_MS) /* counted anew from each sign of life */                               \
    X(CLOSING, "closing its handles", BIT(WORK_OVER), 0)                                                                                   \
    X(OVER, "over", 0, 0)

enum image_work_state {
#define X(name, shown, next, deadline) WORK_##name,
    IMAGE_WORK_STATES(X)
#undef X
};
extern const struct state_table image_work_table;

/* One asker. */
struct image_job {
    struct image_job *next;
    struct image_work *work;
    image_progress_cb on_progress;
    image_pulled_cb on_pulled; /* one of these two */
    image_done_cb on_done;
    void *ctx;
    void (*on_drained)(void *ctx);
};

struct image_work {
    struct image_work *next;
    struct image_store *store;
    struct state_machine machine;
    struct image_job *askers;
    char *key;                      /* what makes two pulls the same; NULL: never shared */
    char *request;                  /* the job's JSON; wiped once written */
    char *reference;                /* of a pull: to find the image at the end */
    struct image_platform platform; /* strings in arena */
    struct arena arena;
    bool takes_archive;
    bool is_resolve; /* a short question: it has a lane of its own beside pulls that take minutes */
    bool archive_ended;
    bool removes;     /* the request is told what is pinned when it starts, and nothing else is pinned until it ends */
    struct buf early; /* pieces of an archive that came before the process started */

    uv_process_t process;
    uv_pipe_t input, output, archive;
    uv_timer_t timer; /* silence, and ends that must not happen inside the starting call */
    unsigned open_handles;
    bool has_exited, has_eof, archive_open;
    int64_t exit_status;
    int exit_signal;

    struct buf line;
    struct cJSON *result;
    struct error failure; /* code 0: none yet */
    bool is_success;      /* known without running the tool */
};

/* Takes @request (JSON with everything in it). The work has no askers yet. ERR_LIMIT beyond IMAGE_JOBS_COUNT. */
int image_work_new(struct image_store *store, char *request, bool takes_archive, struct image_work **out, struct error *err);
struct image_job *image_work_join(struct image_work *work, void *ctx); /* one more asker */
void image_work_start(struct image_work *work);                        /* now or when its turn comes */

void image_work_run_next(struct image_store *store); /* those whose turn has come */

/* It is known already how this ends: 0 or with @err. The askers hear it from the loop. */
void image_work_settle(struct image_work *work, const struct error *err);

#endif
