/* runtime/linux/linux.h – the back end's own data: the host, its systems, and its part of their operations, over runtime/compute/, which
 * says who may touch what. What blocks runs on a libuv worker. */
#ifndef SKEP_RUNTIME_LINUX_LINUX_H
#define SKEP_RUNTIME_LINUX_LINUX_H

#include <sys/types.h>
#include <uthash.h>
#include <uv.h>

#include "base/arena.h"
#include "base/clock.h"
#include "runtime/compute/compute.h"
#include "runtime/document.h"
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
    struct compute_system base;
    struct linux_host *host;
    char *id, *dir, *run_dir, *log_path;
    cJSON *json;
    struct arena arena;
    struct document document;
    struct linux_outcome outcome;
    struct linux_run run;
    struct linux_watch *init_watch, *conmon_watch;
    bool is_init_gone, is_conmon_gone, is_conmon_lost, is_settled;
    int stop_fd; /* of a start that is under way: readable once it is to be given up; else -1 */
};

/* A remove's second part, of the last one. */
enum { LINUX_TASK_TIDY = COMPUTE_OWN };

struct linux_op {
    struct compute_operation base;
    bool is_after_reboot;         /* of a release */
    struct linux_run run;         /* in and out */
    struct linux_outcome outcome; /* in and out */
    struct hcs_statistics statistics;
    struct arena arena; /* of @statistics */
    uv_work_t work;
};

struct linux_host {
    struct compute_host base;
    char *state_dir, *run_dir, *cgroup_parent, *crun_path, *conmon_path, *init_path, *crun_root, *versions, *missing;
    char boot_id[64];
    struct clock clock;
    struct network *network;
    struct sealed_program *crun;
    struct seccomp_filters *filters;
    struct linux_process *processes;
    unsigned process_count, ticks;
    uv_work_t refresh; /* of the network, now and then */
    bool is_refreshing;
    bool is_cgroup_v2, has_swap_limit;
    int last_capability, cpu_count;
    const char *apparmor_profile;
};

static inline struct linux_host *linux_of(struct hcs *hcs)
{
    return (struct linux_host *)hcs;
}

static inline struct linux_system *linux_system_of(const struct linux_op *op)
{
    return (struct linux_system *)op->base.system;
}

static inline struct linux_system *linux_first(const struct linux_host *host) /* the next is base.hh.next */
{
    return (struct linux_system *)host->base.systems;
}

/* operations.c */
extern const struct hcs_ops linux_ops;
extern const struct compute_ops linux_compute_ops;

/* hcs_linux.c */
void linux_tick(struct compute_host *host);
void linux_closing(struct compute_host *host);
void linux_host_free(struct compute_host *host);

/* system.c */
struct linux_system *linux_find(struct linux_host *host, const char *id);
struct linux_system *linux_system_new(struct linux_host *host, const char *id);
void linux_system_free(struct linux_system *system); /* it is in no list any more */
void linux_properties(const struct compute_system *system, struct arena *arena, struct hcs_properties *out);
void linux_take_outcome(struct linux_system *system, struct linux_op *op); /* what the worker made of it is the system's now */

/* life.c: what happens to a running system */
void linux_watch_run(struct linux_system *system); /* take up the watch over both processes */
void linux_watch_again(struct linux_host *host);   /* where it could not be taken up */
void linux_kill(struct linux_system *system, int signal_number);
void linux_thaw(const struct linux_system *system); /* what is frozen cannot end */
void linux_created_stopped(struct compute_system *system);
int linux_stop(struct compute_system *system, const char *signal, int64_t *grace_ms, bool *is_ending, struct error *err);
void linux_end(struct compute_system *system);
void linux_drop_watches(struct linux_system *system);

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
void linux_logs_rotate(struct linux_host *host);

#endif
