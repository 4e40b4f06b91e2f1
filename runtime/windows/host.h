/* runtime/windows/host.h – the back end's own data: the host, its systems, and its part of their operations, over runtime/compute/, which
 * says who may touch what.
 *
 * What blocks runs on a thread of the pool. Every operation opens the system anew by its id and closes that handle: a hung call blocks no
 * other (hcs.md §2.5). A few handles per running system stay open for their events only; those come on HCS's threads, and are handed to the
 * loop.
 *
 * Hyperv isolation in schema 2 takes two compute systems at HCS, the container's and that of the utility VM it is hosted in: they are made
 * and ended together, and here they are one system. */
#ifndef SKEP_RUNTIME_WINDOWS_HOST_H
#define SKEP_RUNTIME_WINDOWS_HOST_H

#include <stdatomic.h>
#include <uthash.h>
#include <uv.h>

#include "base/arena.h"
#include "base/clock.h"
#include "runtime/compute/compute.h"
#include "runtime/document.h"
#include "runtime/windows/answers.h"
#include "runtime/windows/encode.h"
#include "runtime/windows/hcs_windows.h"
#include "runtime/windows/network.h"
#include "runtime/windows/pool.h"
#include "runtime/windows/service.h"

struct windows_host;
struct windows_system;

/* How it went. A thread changes its operation's copy, which the loop then takes over. */
struct windows_outcome {
    int64_t started_wall_ns, finished_wall_ns;
    int exit_code;
    char *error;
};

/* What a start made and an end unmakes. */
struct windows_run {
    DWORD pid;
    struct windows_endpoint endpoint;
};

/* The handles that are open for events; vm: where there is one. */
struct windows_watches {
    struct windows_handle *system, *process, *vm;
};
enum windows_watched { WINDOWS_WATCHED_SYSTEM, WINDOWS_WATCHED_PROCESS, WINDOWS_WATCHED_VM, WINDOWS_WATCHED_COUNT };

/* As in the record on disk. */
#define WINDOWS_PHASES(X)                                                                                                                  \
    X(CREATED, "created")                                                                                                                  \
    X(STARTING, "starting") /* only on disk: what a killed daemon was at */                                                                \
    X(RUNNING, "running")                                                                                                                  \
    X(PAUSED, "paused")                                                                                                                    \
    X(STOPPED, "stopped")

enum windows_phase {
#define X(name, text) WINDOWS_PHASE_##name,
    WINDOWS_PHASES(X)
#undef X
};

/* Whose event it is. Lives as long as the system, whose handles are closed before it goes. */
struct windows_watcher {
    struct windows_system *system;
    enum windows_watched watched;
};

/* Of a container's id, which has no such character in it: its utility VM's. */
#define WINDOWS_VM_SUFFIX "@vm"

struct windows_system {
    struct compute_system base;
    struct windows_host *host;
    char *id, *dir, *scratch_dir, *log_path, *keeper_event;
    cJSON *json;
    struct arena arena;
    struct document document;
    enum isolation isolation;
    enum windows_form form;
    const struct windows_service *service; /* the API its form is spoken to with */
    char *vm_id;                           /* NULL: not hosted in a utility VM of ours */
    bool is_ending;
    struct windows_outcome outcome;
    struct windows_run run;
    struct windows_watches watches;
    struct windows_watcher watchers[WINDOWS_WATCHED_COUNT];
    bool is_watch_lost, is_looked_at;
    atomic_bool is_given_up; /* of a start that is under way */
};

/* Ending it, asking its process to stop, seeing whether it still runs. */
enum { WINDOWS_TASK_KILL = COMPUTE_OWN, WINDOWS_TASK_STOP, WINDOWS_TASK_LOOK };

struct windows_op {
    struct compute_operation base;
    struct windows_run run;         /* in and out */
    struct windows_outcome outcome; /* in and out */
    struct windows_watches watches; /* in and out */
    bool is_watch_lost;             /* of a look */
    bool has_exited;                /* out, of a look */
    struct windows_answer answer;   /* out, of a sample; strings in @arena */
    struct arena arena;
    struct windows_job job;
};

/* An event, on its way from HCS's thread to the loop. */
struct windows_news {
    struct windows_news *next;
    char *id;
    bool is_lost;
    enum windows_watched watched;
    char *data;
};

struct windows_host {
    struct compute_host base;
    struct windows_api api;
    struct windows_service core, legacy; /* .ops NULL: not there */
    const struct windows_schema *schema;
    char *state_dir, *owner, *os_version, *keeper_path, *network_name, *versions, *missing;
    bool offers_hyperv;
    uint32_t processor_count, poll_ms, call_ms;
    struct clock clock;
    struct windows_pool *pool;
    uv_mutex_t layer_lock; /* one PrepareLayer at a time in the whole process, hcs.md §5.7 */
    uv_mutex_t network_lock;
    struct windows_process *processes;
    unsigned process_count;
    uv_mutex_t news_lock;
    struct windows_news *news;
    uint64_t next_look_ns;
};

static inline struct windows_host *windows_of(struct hcs *hcs)
{
    return (struct windows_host *)hcs;
}

static inline struct windows_system *windows_system_of(const struct windows_op *op)
{
    return (struct windows_system *)op->base.system;
}

static inline struct windows_system *windows_first(const struct windows_host *host) /* the next is base.hh.next */
{
    return (struct windows_system *)host->base.systems;
}

/* operations.c */
extern const struct hcs_ops windows_ops;
extern const struct compute_ops windows_compute_ops;

/* hcs_windows.c */
void windows_tick(struct compute_host *host);
void windows_woken(struct compute_host *host);
void windows_closing(struct compute_host *host);
void windows_drain(struct compute_host *host);
void windows_host_free(struct compute_host *host);

/* system.c */
struct windows_system *windows_find(struct windows_host *host, const char *id);
struct windows_system *windows_system_new(struct windows_host *host, const char *id);
int windows_system_choose(struct windows_system *system, struct error *err); /* isolation, form and API, from its document */
int windows_system_use_form(struct windows_system *system, enum windows_form form, struct error *err); /* as it was made with */
void windows_system_free(struct windows_system *system);
/* "skep_k3l…", for what other services keep for us: ours are known by it after a crash. Freed by the caller. */
char *windows_owned_name(const struct windows_system *system);
const char *windows_owned_id(const struct windows_host *host, const char *name); /* borrowed; NULL: it is not ours */
void windows_properties(const struct compute_system *system, struct arena *arena, struct hcs_properties *out);
void windows_take_outcome(struct windows_system *system, struct windows_op *op);

/* exits.c: what happens to a running system */
struct windows_watch windows_watch_of(struct windows_system *system, enum windows_watched watched);
void windows_tell_exit(const struct windows_system *system, const char *process_status); /* from any thread, as an event of HCS */
void windows_take_news(struct windows_host *host);
void windows_look_round(struct windows_host *host); /* ask all running ones whether they still do */
void windows_begin_release(struct windows_system *system, const char *process_status, const char *exit_status);
void windows_created_stopped(struct compute_system *system);
int windows_stop(struct compute_system *system, const char *signal, int64_t *grace_ms, bool *is_ending, struct error *err);
void windows_end(struct compute_system *system);

/* work_*.c: what blocks, on a thread of the pool */
void windows_work_create(struct windows_op *op);
void windows_work_remove(struct windows_op *op);
void windows_work_start(struct windows_op *op);
void windows_work_release(struct windows_op *op);
void windows_work_signal(struct windows_op *op);
void windows_work_kill(struct windows_op *op);
void windows_work_pause(struct windows_op *op);
void windows_work_modify(struct windows_op *op);
void windows_work_look(struct windows_op *op);
void windows_work_sample(struct windows_op *op);
DWORD windows_left_ms(const struct windows_op *op);                  /* of its deadline, for a call */
DWORD windows_at_most(const struct windows_host *host, uint32_t ms); /* the same for a call that belongs to no operation */

/* work_end.c */
/* End it for sure, and its utility VM with it: shut down when @is_graceful, terminate, and see that it is gone. ERR_DEADLINE when HCS does
 * not let go. */
int windows_end_system(struct windows_system *system, bool is_graceful, struct error *err);
int windows_end_one(struct windows_system *system, const char *id, bool is_graceful, struct error *err); /* of the two */
bool windows_is_over(struct windows_system *system, const char *id); /* it runs no more, or is not known any more */
/* A handle for one call or two. *out NULL with 0: HCS knows no such system. */
int windows_open_system(struct windows_system *system, const char *id, struct windows_handle **out, struct error *err);
void windows_close_watches(struct windows_system *system, struct windows_watches *watches);
int windows_open_watches(struct windows_system *system, DWORD pid, struct windows_watches *watches, struct error *err);
void windows_undo_run(struct windows_system *system, struct windows_run *run); /* layers and network */

/* vm.c: the utility VM of hyperv isolation in schema 2. On a thread of the pool */
int windows_vm_prepare(struct windows_system *system, const struct windows_place *place, char **document, struct error *err);
int windows_vm_fill(struct windows_op *op, const struct windows_place *place, struct error *err); /* with what its container needs */
void windows_vm_discard(const struct windows_system *system);                                     /* its disk; it is gone */

/* credentials.c: on a thread of the pool */
int windows_credentials_check(const struct windows_system *system, struct error *err);
/* *guard: owned by the caller, NULL where there is none; @place refers to it. */
int windows_credentials_begin(const struct windows_system *system, struct arena *arena, struct windows_place *place, cJSON **guard,
                              struct error *err);
void windows_credentials_end(const struct windows_system *system);

/* credential_guard.c: on a thread of the pool, but for the sweep. *out is owned by the caller. */
int windows_guard_make(const struct windows_system *system, const char *spec, cJSON **out, struct error *err);
int windows_guard_remove(const struct windows_host *host, const char *name, struct error *err);
void windows_guards_sweep(struct windows_host *host); /* those of ours that no system has: a killed daemon's */

/* layers.c: on a thread of the pool */
int windows_layers_create_scratch(struct windows_system *system, struct error *err);
int windows_layers_read(struct windows_system *system, struct arena *arena, struct windows_layer **out, size_t *count, struct error *err);
/* With the links to secrets and configs in it. Hyperv isolation mounts it in the virtual machine: there it is mounted here for those links
 * only, before anything of the container's has run. *volume is freed by the caller. */
int windows_layers_mount(struct windows_system *system, char **volume, struct error *err);
void windows_layers_unmount(struct windows_system *system);
int windows_layers_destroy(struct windows_system *system, struct error *err);

/* record.c */
int windows_record_write(const struct windows_system *system, enum windows_phase phase, const struct windows_run *run,
                         const struct windows_outcome *outcome, struct error *err);
int windows_record_read(struct windows_system *system, enum windows_phase *phase, struct error *err);

/* adopt.c */
int windows_adopt_all(struct windows_host *host, struct error *err);

/* keeper.c: the program that keeps a container's output */
int windows_keeper_start(struct windows_system *system, struct windows_streams *streams, struct error *err); /* @streams taken */
void windows_keeper_finish(const struct windows_system *system); /* its container has ended: write what is there, and end */

/* process.c */
void windows_process_create(struct hcs *hcs, const char *id, const cJSON *parameters, size_t output_bytes, hcs_process_cb done, void *ctx);
void windows_process_signal(struct hcs_process *process, const char *signal, hcs_done_cb done, void *ctx);
void windows_process_wait(struct hcs_process *process, uint32_t timeout_ms, hcs_process_exit_cb done, void *ctx);
int64_t windows_process_pid(const struct hcs_process *process);
void windows_process_close(struct hcs_process *process);
void windows_processes_drop(struct windows_host *host);

#endif
