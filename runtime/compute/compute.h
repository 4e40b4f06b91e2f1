/* runtime/compute/compute.h – what the back ends for real hosts share: the operations that are open, whose turn it is, their answers and
 * deadlines, the moves of a compute system's state, the readers of logs, and the end of it all.
 *
 * The loop's thread owns everything. What blocks runs on a thread that the back end chooses; it reads what never changes after create (id,
 * paths, document) and writes only into its own operation, which the loop then applies. At most one such operation per system is under
 * way; only those that run beside the queue (samples, ends) come on top. What differs between hosts is struct compute_ops.
 *
 * A back end puts each struct here first into its own, and casts. */
#ifndef SKEP_RUNTIME_COMPUTE_COMPUTE_H
#define SKEP_RUNTIME_COMPUTE_COMPUTE_H

#include <uthash.h>
#include <uv.h>

#include "base/arena.h"
#include "runtime/document.h"
#include "runtime/hcs_backend.h"

/* What an operation is about: what its caller asked for, cleaning up after an exit, or from COMPUTE_OWN on something of the back end's. */
enum compute_task { COMPUTE_ASKED, COMPUTE_RELEASE, COMPUTE_OWN };

struct compute_operation {
    struct compute_operation *next, *next_open;
    struct compute_host *host;
    struct compute_system *system; /* NULL: there is none of that id */
    enum hcs_operation operation;
    int task;           /* enum compute_task */
    bool is_answered;   /* its caller has been told, be it only that it is late */
    bool is_under_way;  /* on a thread, which owns it but for its list and its answer */
    bool is_beside;     /* the queue does not wait for it */
    bool is_forced;     /* of a remove: end it first */
    bool has_ended;     /* of such a one: told to end */
    bool is_statistics; /* of properties: with a sample */
    uint64_t deadline_ns;
    hcs_done_cb done; /* one of the three; none: nobody waits for it */
    hcs_properties_cb properties_done;
    hcs_enumerate_cb enumerate_done;
    void *ctx;
    char *text; /* a signal, an owner */
    cJSON *json;
    int64_t grace_ms; /* negative: the document's */
    struct hcs_file_content *files;
    size_t file_count;
    struct error err;
};

struct compute_system {
    UT_hash_handle hh; /* by its id, which the back end's own holds */
    struct compute_host *host;
    enum hcs_state state;
    int64_t created_wall_ns;
    bool is_made, is_removed;                   /* create has succeeded; remove has, or create has not */
    struct compute_operation *queue, *waiters;  /* those whose turn has not come; those who wait for the end */
    bool is_busy;                               /* one is under way, or waits for its turn to start */
    unsigned references;                        /* by operations and what else must find it; the last frees a removed one */
    uv_timer_t *timer;                          /* of a grace period, or the back end's; NULL: none */
    void (*on_timer)(struct compute_system *s); /* what it is for */
};

/* What differs between hosts. All but begin's thread are called on the loop. */
struct compute_ops {
    size_t operation_size; /* of the back end's own */
    void (*operation_deinit)(struct compute_operation *op);

    /* Check all and make a Created system (compute_system_init). @document borrowed. The id is safe and not taken. */
    int (*system_new)(struct compute_host *host, const char *id, const cJSON *document, struct compute_system **out, struct error *err);
    void (*system_free)(struct compute_system *s); /* it is in no list any more */
    void (*properties)(const struct compute_system *s, struct arena *arena, struct hcs_properties *out);
    const struct hcs_statistics *(*statistics)(struct compute_operation *op); /* its sample; NULL: none came of it */

    /* Put it onto a thread, which ends with compute_return() on the loop. False when it was done at once, with op->err (never a start). */
    bool (*begin)(struct compute_operation *op);
    void (*apply)(struct compute_operation *op);   /* what the thread wrote becomes the system's, before its state moves by op->err */
    bool (*goes_on)(struct compute_operation *op); /* begun once more (compute_begin) before it is answered; NULL: never */
    void (*started)(struct compute_system *s);     /* it runs: learn of its end, and call compute_release_begun */

    void (*start_give_up)(struct compute_system *s);   /* one that is on a thread ends as soon as it can */
    void (*created_stopped)(struct compute_system *s); /* one that never ran is Stopped now: keep that */
    /* Ask a running one to stop. @signal NULL: the document's; *grace_ms comes as asked for (negative: the document's) and becomes the time
     * after which it is ended, if it is not under way already: *is_ending. ERR_INVALID: no such signal. */
    int (*stop)(struct compute_system *s, const char *signal, int64_t *grace_ms, bool *is_ending, struct error *err);
    void (*end)(struct compute_system *s); /* now, if its end is not under way */

    void (*tick)(struct compute_host *host);    /* every tick_ms */
    void (*woken)(struct compute_host *host);   /* after compute_host.wake; NULL: nothing to do */
    void (*closing)(struct compute_host *host); /* once: processes beside the first ones are let go */
    void (*let_go)(struct compute_system *s);   /* the runtime closes: may come often */
    void (*drain)(struct compute_host *host);   /* no operation is open: end the threads, then compute_closed(); NULL: there are none */
    void (*host_free)(struct compute_host *host);
};

struct compute_host {
    struct hcs hcs;
    const struct compute_ops *ops;
    uv_loop_t *loop;
    struct compute_system *systems; /* in the order of their creation */
    struct compute_operation *open, *answers, *waiting_starts;
    struct compute_log *logs;
    unsigned starts;       /* on threads, at most CONTAINER_STARTS_PARALLEL_COUNT */
    bool holds_starts;     /* none begins for now */
    unsigned open_handles; /* whatever must come back before the host may go */
    uv_async_t wake;
    uv_timer_t tick;
    bool is_closing;
    void (*closed)(void *ctx);
    void *closed_ctx;
};

/* --- host.c: birth, ticks, the end --- */

/* Begin to answer and to tick. From here on a host ends with compute_close(). */
void compute_host_open(struct compute_host *host, uv_loop_t *loop, uint64_t tick_ms);
void compute_close(struct hcs *hcs, void (*closed)(void *ctx), void *ctx);
void compute_closed(struct compute_host *host);
void compute_systems_free(struct compute_host *host); /* for host_free */

/* --- adopt.c: systems that are on disk already --- */

/* What create wrote at @path. @json is the caller's, and @out borrows from it and @arena. ERR_IO, ERR_CORRUPT and those of document_parse.
 */
int compute_read_document(const char *path, cJSON **json, struct arena *arena, struct document *out, struct error *err);
void compute_sort(struct compute_host *host); /* all are adopted: in the order of their creation */

/* --- system.c: a system, the moves of its state, its end --- */

/* @id borrowed from the back end's own, for as long as @s is. */
void compute_system_init(struct compute_system *s, struct compute_host *host, const char *id);
struct compute_system *compute_find(const struct compute_host *host, const char *id); /* NULL: none */
const char *compute_id(const struct compute_system *s);
bool compute_runs(const struct compute_system *s);     /* Running or Paused */
void compute_forget(struct compute_system *s);         /* out of the list, and removed; freed with its last reference */
void compute_system_release(struct compute_system *s); /* one reference */
void compute_emit(struct compute_system *s, enum hcs_event_type type);

void compute_timer_start(struct compute_system *s, uint64_t ms, void (*on_timer)(struct compute_system *s)); /* in place of another */
void compute_timer_cancel(struct compute_system *s);

void compute_shut_down(struct compute_operation *op);
void compute_terminate(struct compute_operation *op);
void compute_apply(struct compute_operation *op);
void compute_answer_waiters(struct compute_system *s, const struct error *err); /* with @err (NULL: none), to all who wait for its end */

/* --- queue.c: whose turn it is --- */

/* Of the back end's size, zeroed but for what is known; ERR_NOT_FOUND in its err where @id names no system. @id NULL: of none. It is freed
 * with its answer. */
struct compute_operation *compute_operation_new(struct compute_host *host, enum hcs_operation operation, const char *id, void *ctx);
void compute_operation_free(struct compute_operation *op);
void compute_append(struct compute_operation **list, struct compute_operation *op);
void compute_answer(struct compute_operation *op);       /* once; @op stays */
void compute_answer_later(struct compute_operation *op); /* from the loop, soon, and free it */
void compute_answer_all(struct compute_host *host);      /* those now */
void compute_expire(struct compute_host *host);          /* tell ERR_DEADLINE to the callers of all that is overdue: it goes on */

void compute_submit(struct compute_operation *op);       /* to the end of its system's queue; an end does not wait there */
void compute_submit_first(struct compute_operation *op); /* before the others */
void compute_pump(struct compute_system *s);             /* go on with the queue */
bool compute_begin(struct compute_operation *op);        /* at once; false when it is done already, and will be answered */
void compute_begin_beside(struct compute_operation *op); /* at once, and the queue does not wait for it */
void compute_return(struct compute_operation *op);       /* back from its thread */

/* --- ask.c, logs.c: for struct hcs_ops --- */

void compute_ask_create(struct hcs *hcs, const char *id, const cJSON *document, const struct hcs_file_content *files, size_t file_count,
                        hcs_done_cb done, void *ctx);
void compute_ask_start(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx);
void compute_ask_shutdown(struct hcs *hcs, const char *id, const char *signal, int64_t grace_ms, hcs_done_cb done, void *ctx);
void compute_ask_terminate(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx);
void compute_ask_signal(struct hcs *hcs, const char *id, const char *signal, hcs_done_cb done, void *ctx);
void compute_ask_pause(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx);
void compute_ask_resume(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx);
void compute_ask_properties(struct hcs *hcs, const char *id, bool wants_statistics, hcs_properties_cb done, void *ctx);
void compute_ask_modify(struct hcs *hcs, const char *id, const cJSON *request, hcs_done_cb done, void *ctx);
void compute_ask_enumerate(struct hcs *hcs, const char *owner, hcs_enumerate_cb done, void *ctx);
void compute_ask_remove(struct hcs *hcs, const char *id, bool force, hcs_done_cb done, void *ctx);
int compute_log_open(struct hcs *hcs, const char *id, const struct hcs_log_options *options, const struct hcs_log_sink *sink,
                     struct hcs_log **out, struct error *err);
void compute_log_pause(struct hcs_log *log, bool is_paused);
void compute_log_close(struct hcs_log *log);

/* What a back end's table has of these: all but its processes and its probe. */
#define COMPUTE_HCS_OPS                                                                                                                    \
    .system_create = compute_ask_create, .system_start = compute_ask_start, .system_shutdown = compute_ask_shutdown,                       \
    .system_terminate = compute_ask_terminate, .system_signal = compute_ask_signal, .system_pause = compute_ask_pause,                     \
    .system_resume = compute_ask_resume, .system_properties = compute_ask_properties, .system_modify = compute_ask_modify,                 \
    .system_enumerate = compute_ask_enumerate, .system_remove = compute_ask_remove, .log_open = compute_log_open,                          \
    .log_pause = compute_log_pause, .log_close = compute_log_close, .close = compute_close

void compute_logs_finish(struct compute_host *host, const char *id); /* nothing more will be written */
void compute_logs_drop(struct compute_host *host);                   /* their owners are gone: hcs_close() */

#endif
