/* runtime/linux/linux.h – the back end's own data: the host, its systems, and the operations that wait for their turn.
 *
 * The loop's thread owns everything. An operation's blocking part runs on a libuv worker; it reads what never changes after create (id,
 * paths, document) and writes only into its own struct linux_op, which the loop then applies. At most one such operation per system runs at
 * a time; only samples (properties with statistics) run beside it. */
#ifndef SKEP_RUNTIME_LINUX_LINUX_H
#define SKEP_RUNTIME_LINUX_LINUX_H

#include <sys/types.h>
#include <uthash.h>
#include <uv.h>

#include "base/arena.h"
#include "base/clock.h"
#include "runtime/document.h"
#include "runtime/hcs_backend.h"
#include "runtime/linux/hcs_linux.h"
#include "runtime/linux/network.h"
#include "runtime/linux/sealed_program.h"
#include "runtime/linux/seccomp_filters.h"

/* A process that is not our child: by its pid and the moment it started, so that a number used again is not taken for it. */
struct linux_pid {
    pid_t pid;
    uint64_t start_ticks;
};

/* What a start made and an end unmakes. */
struct linux_run {
    struct linux_pid init, conmon;
    struct network_endpoint endpoint;
};

/* How it went. A worker changes its operation's copy, which the loop then takes over. */
struct linux_outcome {
    int64_t started_wall_ns, finished_wall_ns;
    int exit_code;
    bool is_oom_killed;
    char *error;
};

struct linux_watch {
    uv_poll_t poll;
    struct linux_system *system;
    int fd;
    bool *is_gone;
};

/* As in the record on disk. */
#define LINUX_PHASES(X)                                                                                                                    \
    X(CREATED, "created")                                                                                                                  \
    X(STARTING, "starting") /* only on disk: what a killed daemon was at, its process not begun yet */                                     \
    X(LAUNCHED, "launched") /* only on disk: crun and conmon hold it, and crun may have been told to begin it: no way back to created */   \
    X(RUNNING, "running")                                                                                                                  \
    X(PAUSED, "paused")                                                                                                                    \
    X(STOPPED, "stopped")

enum linux_phase {
#define X(name, text) LINUX_##name,
    LINUX_PHASES(X)
#undef X
};

struct linux_system {
    UT_hash_handle hh;
    struct linux_host *host;
    char *id, *dir, *run_dir, *log_path;
    cJSON *json;
    struct arena arena;
    struct document document;
    enum hcs_state state;
    bool is_made, is_removed; /* create has succeeded; remove has */
    int64_t created_wall_ns;
    struct linux_outcome outcome;
    struct linux_run run;
    struct linux_watch *init_watch, *conmon_watch;
    bool is_init_gone, is_conmon_gone, is_conmon_lost, is_settled;
    struct linux_op *queue, *waiters; /* those whose turn has not come; those who wait for the end */
    bool is_busy;
    int stop_fd;         /* of a start that is under way: readable once it is to be given up; else -1 */
    unsigned references; /* by operations */
    uv_timer_t *timer;   /* of a grace period, or of a conmon that stays too long */
};

struct linux_op {
    struct linux_op *next, *next_open;
    struct linux_host *host;
    struct linux_system *system; /* NULL: there is none of that id */
    enum hcs_operation operation;
    bool is_release; /* the back end's own: clean up after an exit */
    bool is_tidying; /* a remove's second part: it was the last */
    bool is_answered, is_in_worker, flag;
    uint64_t deadline_ns;
    hcs_done_cb done;
    hcs_properties_cb properties_done;
    hcs_enumerate_cb enumerate_done;
    void *ctx;
    char *text;
    cJSON *json;
    int64_t number;
    struct hcs_file_content *files;
    size_t file_count;
    struct linux_run run;         /* in and out */
    struct linux_outcome outcome; /* in and out */
    struct hcs_statistics statistics;
    struct arena arena; /* of @statistics */
    struct error err;
    uv_work_t work;
};

struct linux_host {
    struct hcs base;
    uv_loop_t *loop;
    char *state_dir, *run_dir, *cgroup_parent, *crun_path, *conmon_path, *init_path, *crun_root, *versions, *missing;
    char boot_id[64];
    struct clock clock;
    struct network *network;
    struct sealed_program *crun;
    struct seccomp_filters *filters;
    struct linux_system *systems;
    struct linux_op *open_ops, *answers, *waiting_starts;
    struct linux_process *processes;
    struct linux_log *logs;
    unsigned starts, open_handles, process_count;
    uv_async_t answer_async;
    uv_timer_t tick;
    unsigned ticks;
    uv_work_t refresh; /* of the network, now and then */
    bool is_refreshing;
    bool is_cgroup_v2, has_swap_limit, is_closing;
    bool is_tidying; /* bridge and parent cgroup are being taken away: no start begins */
    int last_capability, cpu_count;
    const char *apparmor_profile;
    void (*closed)(void *ctx);
    void *closed_ctx;
};

static inline struct linux_host *linux_of(struct hcs *hcs)
{
    return (struct linux_host *)hcs;
}

/* hcs_linux.c */
void linux_close(struct hcs *hcs, void (*closed)(void *ctx), void *ctx);
void linux_op_free(struct linux_op *op);
void linux_op_answer(struct linux_op *op);

/* operations.c: the table */
extern const struct hcs_ops linux_ops;

/* queue.c: the turn of each operation */
struct linux_op *linux_op_new(struct linux_host *host, enum hcs_operation operation, const char *id, void *ctx);
void linux_submit(struct linux_op *op);       /* to the end of its system's queue */
void linux_submit_first(struct linux_op *op); /* before the others */
void linux_pump(struct linux_system *system); /* go on with the queue */
void linux_to_worker(struct linux_op *op);    /* at once, whatever else is under way */
void linux_answer_later(struct linux_op *op); /* from the loop, soon; with op->err */
void linux_expire(struct linux_host *host);   /* answer what is overdue */

/* apply.c */
struct linux_parts {
    void (*work)(struct linux_op *op);  /* on a worker */
    void (*apply)(struct linux_op *op); /* then on the loop */
};
struct linux_parts linux_parts_of(const struct linux_op *op);

/* system.c */
struct linux_system *linux_find(struct linux_host *host, const char *id);
struct linux_system *linux_system_new(struct linux_host *host, const char *id);
void linux_system_release(struct linux_system *system); /* one reference; the last of a removed one frees it */
void linux_system_free(struct linux_system *system);
void linux_properties(const struct linux_system *system, struct arena *arena, struct hcs_properties *out);
void linux_take_outcome(struct linux_system *system, struct linux_op *op); /* what the worker made of it is the system's now */
void linux_emit(struct linux_system *system, enum hcs_event_type type);

/* life.c: what happens to a running system */
void linux_watch_run(struct linux_system *system);    /* take up the watch over both processes */
void linux_watch_again(struct linux_host *host);      /* where it could not be taken up */
void linux_stop_waiting(struct linux_system *system); /* answer all who wait for the end */
void linux_shut_down(struct linux_op *op);
void linux_terminate(struct linux_op *op);
void linux_kill(struct linux_system *system, int signal_number);
void linux_drop_watches(struct linux_system *system);
void linux_cancel_timer(struct linux_system *system);

/* work_*.c: the blocking parts, on a worker */
void linux_work_create(struct linux_op *op);
void linux_work_start(struct linux_op *op);
void linux_work_release(struct linux_op *op);
void linux_work_remove(struct linux_op *op);
void linux_work_tidy(struct linux_op *op); /* take away what all systems shared */
void linux_work_crun(struct linux_op *op); /* pause, resume, modify */
void linux_undo_run(const struct linux_system *system, struct linux_run *run);
void linux_clear_run_dir(const struct linux_system *system); /* the last of a run: its secrets, its exit file */
int linux_run_crun(const struct linux_host *host, const char *const *arguments, int stop_fd, struct error *err);
int linux_begin_process(const struct linux_system *system, struct error *err); /* what conmon_launch() made ready */
cJSON *linux_process_json(struct linux_system *system, const struct document_process *process, struct error *err);

/* record.c: what the disk remembers of a system */
int linux_record_write(const struct linux_system *system, enum linux_phase phase, const struct linux_run *run,
                       const struct linux_outcome *outcome, struct error *err);
int linux_record_read(struct linux_system *system, enum linux_phase *phase, bool *is_of_this_boot, struct error *err);

/* adopt.c */
int linux_adopt_all(struct linux_host *host, struct error *err);

/* pid.c */
/* Each gives ERR_NOT_FOUND only when there is surely no such process (any more): what cannot be told, for want of descriptors or memory, is
 * another code. */
int linux_pid_look_up(pid_t pid, struct linux_pid *out);
int linux_pid_open(const struct linux_pid *pid, int *out_fd); /* a pidfd */
/* The process whose number is in the file @path and that has this very path among its arguments: a number may be another's by now. */
int linux_pid_find(const char *path, struct linux_pid *out);
int linux_pid_read_file(const char *path, pid_t *out);
void linux_pid_kill(const struct linux_pid *pid, unsigned wait_ms); /* and wait until it is gone, but not longer */
void linux_pid_kill_in(const char *dir);                            /* every process whose working directory it is */

/* process.c, logs.c */
void linux_process_create(struct hcs *hcs, const char *id, const cJSON *parameters, size_t output_bytes, hcs_process_cb done, void *ctx);
void linux_process_signal(struct hcs_process *process, const char *signal, hcs_done_cb done, void *ctx);
void linux_process_wait(struct hcs_process *process, uint32_t timeout_ms, hcs_process_exit_cb done, void *ctx);
int64_t linux_process_pid(const struct hcs_process *process);
void linux_process_close(struct hcs_process *process);
void linux_processes_drop(struct linux_host *host);
int linux_log_open(struct hcs *hcs, const char *id, const struct hcs_log_options *options, const struct hcs_log_sink *sink,
                   struct hcs_log **out, struct error *err);
void linux_log_pause(struct hcs_log *log, bool is_paused);
void linux_log_close(struct hcs_log *log);
void linux_logs_finish(struct linux_host *host, const char *id); /* nothing more will be written */
void linux_logs_drop(struct linux_host *host);
void linux_logs_rotate(struct linux_host *host);

#endif
