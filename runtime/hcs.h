/* runtime/hcs.h – one model of a running thing on every host: the Host Compute Service's compute systems and the processes in them.
 *
 * A compute system (a container, or a utility VM with one in it) is described by a JSON document in HCS's schema 2 (runtime/document.h
 * lists its members). It is created, started, stopped and removed by operations that finish later, by callback, on the loop; each has a
 * deadline. What happens without being asked for - above all an exit - arrives as an event. Behind this header stand back ends that a
 * caller cannot tell apart: runtime/linux/, runtime/emulated/, runtime/windows/.
 *
 * Rules that hold for every back end:
 *  - One thread: all functions are called, and all callbacks come, on the loop's thread.
 *  - A callback comes exactly once, never from inside the call that asked for it. What it is given is borrowed until it returns.
 *  - A callback's `err` is NULL on success. ERR_NOT_FOUND: no such system. ERR_DEADLINE: the operation took too long; the system is then
 *    queried, not assumed dead: hcs_system_properties says what is true.
 *  - Operations on one system are carried out one after the other, in the order asked for; start and shutdown give way to terminate.
 *  - Systems outlive the caller: a new process that opens the same directories finds every one of them, with exits that happened
 *    meanwhile.
 *
 * Source: HCS's object life, reference hcs.md §2; what Docker's executor asks of a container, swarmkit-wire §8.7. */
#ifndef SKEP_RUNTIME_HCS_H
#define SKEP_RUNTIME_HCS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct hcs;
struct hcs_process;

/* HCS's own words. Created and Stopped systems run nothing; a Stopped one is never started again: remove it and create another. */
#define HCS_STATES(X)                                                                                                                      \
    /* name     HCS's word  allowed next */                                                                                                \
    X(CREATED, "Created", BIT(HCS_RUNNING) | BIT(HCS_STOPPED))                                                                             \
    X(RUNNING, "Running", BIT(HCS_PAUSED) | BIT(HCS_STOPPED))                                                                              \
    X(PAUSED, "Paused", BIT(HCS_RUNNING) | BIT(HCS_STOPPED))                                                                               \
    X(STOPPED, "Stopped", 0)

enum hcs_state {
#define X(name, text, next) HCS_##name,
    HCS_STATES(X)
#undef X
};
const char *hcs_state_name(enum hcs_state state); /* "Running" */

/* Every operation with the longest it may take. Shutdown has its grace period on top, a process' wait what its caller says. */
#define HCS_OPERATIONS(X)                                                                                                                  \
    /* name         shown               deadline_ms */                                                                                     \
    X(CREATE, "create", 120000) /* copies an image's content into new volumes */                                                           \
    X(START, "start", 60000)                                                                                                               \
    X(SHUTDOWN, "shut down", 30000)                                                                                                        \
    X(TERMINATE, "terminate", 30000)                                                                                                       \
    X(SIGNAL, "signal", 10000)                                                                                                             \
    X(PAUSE, "pause", 10000)                                                                                                               \
    X(RESUME, "resume", 10000)                                                                                                             \
    X(PROPERTIES, "properties", 10000)                                                                                                     \
    X(MODIFY, "modify", 10000)                                                                                                             \
    X(ENUMERATE, "enumerate", 10000)                                                                                                       \
    X(REMOVE, "remove", 60000)                                                                                                             \
    X(CREATE_PROCESS, "create process", 30000)                                                                                             \
    X(SIGNAL_PROCESS, "signal process", 10000)                                                                                             \
    X(WAIT_PROCESS, "wait for process", 0)

enum hcs_operation {
#define X(name, shown, deadline_ms) HCS_OP_##name,
    HCS_OPERATIONS(X)
#undef X
};
const char *hcs_operation_shown(enum hcs_operation operation);
uint32_t hcs_operation_deadline_ms(enum hcs_operation operation);

/* A port of the host that leads into a system. @published_port is the real one, also where the document asked for 0. */
struct hcs_port {
    const char *protocol; /* "tcp", "udp" */
    uint16_t target_port, published_port;
};

struct hcs_endpoint {
    const char *network; /* "bridge", "host", "none" */
    const char *ip, *gateway, *mac;
    int prefix_bits;
};

struct hcs_memory_counter {
    const char *name; /* the cgroup's own: "inactive_file" */
    uint64_t value;
};

struct hcs_network_counter {
    const char *name; /* the interface inside the system: "eth0" */
    uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped, tx_bytes, tx_packets, tx_errors, tx_dropped;
};

/* One sample of a running system. */
struct hcs_statistics {
    uint64_t cpu_total_ns, cpu_user_ns, cpu_kernel_ns, throttled_ns, periods, throttled_periods;
    uint64_t memory_usage_bytes, memory_peak_bytes, memory_limit_bytes; /* limit 0: none */
    uint64_t pids, pids_limit;                                          /* limit 0: none */
    uint64_t read_bytes, write_bytes;
    const struct hcs_memory_counter *memory;
    const struct hcs_network_counter *networks;
    size_t memory_count, network_count;
};

/* What is known of a system. Instants are 0 for "not yet". */
struct hcs_properties {
    const char *id, *owner, *name;
    const cJSON *document; /* as it was created, normalised; read it with runtime/document.h or member by member */
    enum hcs_state state;
    int64_t pid; /* on the host, of its first process; 0 while there is none */
    int64_t created_wall_ns, started_wall_ns, finished_wall_ns;
    int exit_code; /* of the first process, when Stopped: 128 + signal where one ended it, 127 and 126 where it could not be executed */
    bool is_oom_killed;
    const char *error; /* why a start failed or what ended it against its will; NULL: nothing went wrong */
    const struct hcs_port *ports;
    size_t port_count;
    struct hcs_endpoint endpoint;
    const char *log_path;                    /* what conmon writes; NULL where there is no log of its own. Read it with hcs_log_open */
    const struct hcs_statistics *statistics; /* only where asked for, and running */
};

typedef void (*hcs_done_cb)(void *ctx, const struct error *err);
typedef void (*hcs_properties_cb)(void *ctx, const struct hcs_properties *properties, const struct error *err);
typedef void (*hcs_enumerate_cb)(void *ctx, const struct hcs_properties *systems, size_t count, const struct error *err);

/* The content of one of the document's Skep.Files, found by its Target. It is kept in memory-backed mounts only. */
struct hcs_file_content {
    const char *target;
    struct bytes content; /* copied, and wiped after use */
};

/* @id: id_is_safe(). @document: borrowed. It is checked whole before anything is made: ERR_INVALID names the member. ERR_EXISTS: the id is
 * taken. A create that fails leaves nothing behind. */
void hcs_system_create(struct hcs *hcs, const char *id, const cJSON *document, const struct hcs_file_content *files, size_t file_count,
                       hcs_done_cb done, void *ctx);

/* Succeeds once the first process runs. A failed start leaves the system Stopped with its exit code (127: no such command, 126: it cannot
 * be executed, 128: anything else) and error, which is the one given here; no exit event follows. ERR_PRECONDITION when it is not Created.
 * A system that exits at once may do so before @done comes: the started event, the exit event, @done. */
void hcs_system_start(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx);

/* Ask it to stop with @signal (NULL: the document's StopSignal), terminate it when @grace_ms have passed (negative: the document's
 * StopGraceNs). @done comes when it is Stopped; at once where it is already; a Created one becomes Stopped. */
void hcs_system_shutdown(struct hcs *hcs, const char *id, const char *signal, int64_t grace_ms, hcs_done_cb done, void *ctx);

/* End it now. @done comes when it is Stopped. Not delayed by a shutdown that is in its grace period, nor by a start that hangs: the start
 * is given up and fails with ERR_CANCELED. */
void hcs_system_terminate(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx);

/* @signal: "SIGHUP", "HUP" or "1". To its first process only. ERR_PRECONDITION when it does not run. */
void hcs_system_signal(struct hcs *hcs, const char *id, const char *signal, hcs_done_cb done, void *ctx);

void hcs_system_pause(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx);
void hcs_system_resume(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx);

void hcs_system_properties(struct hcs *hcs, const char *id, bool wants_statistics, hcs_properties_cb done, void *ctx);

/* A ModifySettingRequest: {"ResourcePath":"Container/Memory/SizeInMB","RequestType":"Update","Settings":128}; also
 * "Container/Processor/Maximum" and "Skep/Linux/PidsLimit". ERR_UNSUPPORTED for another path. */
void hcs_system_modify(struct hcs *hcs, const char *id, const cJSON *request, hcs_done_cb done, void *ctx);

/* All systems of @owner (NULL: of every one), in the order of their creation. */
void hcs_system_enumerate(struct hcs *hcs, const char *owner, hcs_enumerate_cb done, void *ctx);

/* Take away everything that belongs to it: mounts, network, cgroups, log, anonymous volumes. ERR_PRECONDITION while it runs, unless @force
 * terminates it first. One that is not there is no error. */
void hcs_system_remove(struct hcs *hcs, const char *id, bool force, hcs_done_cb done, void *ctx);

/* --- processes beside the first one: health checks, exec --- */

typedef void (*hcs_process_cb)(void *ctx, struct hcs_process *process, const struct error *err);

struct hcs_process_exit {
    int exit_code;       /* 126 and 127 as above; 128 + signal */
    struct bytes output; /* both streams as they came; its first bytes, up to the bound given at create */
    bool is_output_cut;
};
typedef void (*hcs_process_exit_cb)(void *ctx, const struct hcs_process_exit *exit, const struct error *err);

/* Run one more process in a Running system. @parameters as Skep.Process of the document: CommandArgs, and where they differ from the first
 * process: WorkingDirectory, Environment (added), User. At most CONTAINER_PROCESS_OUTPUT_BYTES of output. The process given to @done
 * belongs to the caller, who closes it. ERR_PRECONDITION when the system does not run, ERR_LIMIT beyond CONTAINER_PROCESSES_COUNT. A
 * command that does not exist is no error here but exit code 127. */
void hcs_process_create(struct hcs *hcs, const char *id, const cJSON *parameters, size_t output_bytes, hcs_process_cb done, void *ctx);
void hcs_process_signal(struct hcs_process *process, const char *signal, hcs_done_cb done, void *ctx);

/* @done with its exit, or ERR_DEADLINE when it still runs after @timeout_ms (it is then left running: signal or close it). One wait at a
 * time. */
void hcs_process_wait(struct hcs_process *process, uint32_t timeout_ms, hcs_process_exit_cb done, void *ctx);
int64_t hcs_process_pid(const struct hcs_process *process);

/* Give it up: one that still runs is killed. No callback about it comes after this. */
void hcs_process_close(struct hcs_process *process);

/* --- events --- */

#define HCS_EVENTS(X)                                                                                                                      \
    X(CREATED, "created")                                                                                                                  \
    X(STARTED, "started")                                                                                                                  \
    X(PAUSED, "paused")                                                                                                                    \
    X(RESUMED, "resumed")                                                                                                                  \
    X(EXITED, "exited") /* the first process ended, and everything else in the system with it; once per system */                          \
    X(REMOVED, "removed")

enum hcs_event_type {
#define X(name, text) HCS_EVENT_##name,
    HCS_EVENTS(X)
#undef X
};
const char *hcs_event_name(enum hcs_event_type type);

struct hcs_event {
    enum hcs_event_type type;
    const struct hcs_properties *properties; /* as they are after it; without statistics */
};

/* Owned by the subscriber, who may unsubscribe at any time, also from inside a callback. */
struct hcs_listener {
    void (*on_event)(void *ctx, const struct hcs_event *event);
    void *ctx;
    struct hcs_listener *next; /* the list's */
};
void hcs_subscribe(struct hcs *hcs, struct hcs_listener *listener);
void hcs_unsubscribe(struct hcs *hcs, struct hcs_listener *listener);

/* --- output --- */

enum hcs_stream { HCS_STDOUT = 1, HCS_STDERR = 2 }; /* the numbers of Docker's log frames */

struct hcs_log_options {
    bool wants_stdout, wants_stderr, follow;
    int64_t tail;                         /* the last so many lines of the streams wanted; -1: all */
    int64_t since_wall_ns, until_wall_ns; /* 0: no bound */
};

struct hcs_log_entry {
    enum hcs_stream stream;
    int64_t wall_ns;
    struct bytes text; /* exactly what was written: a line with its '\n', or a piece of one */
    bool is_partial;   /* a piece: the line goes on in the stream's next entry, or was never ended */
};

/* @on_end: once, @err NULL when all was read and nothing can follow (the system is Stopped, or @follow was not asked for). */
struct hcs_log_sink {
    void (*on_entry)(void *ctx, const struct hcs_log_entry *entry);
    void (*on_end)(void *ctx, const struct error *err);
    void *ctx;
};

struct hcs_log;

/* Read a system's output. ERR_NOT_FOUND for no such system; ERR_UNSUPPORTED where its Log.Driver keeps none. The log belongs to the caller,
 * who closes it, also after on_end. */
int hcs_log_open(struct hcs *hcs, const char *id, const struct hcs_log_options *options, const struct hcs_log_sink *sink,
                 struct hcs_log **out, struct error *err);
void hcs_log_pause(struct hcs_log *log, bool is_paused); /* no entry comes while paused; may be called from on_entry */
void hcs_log_close(struct hcs_log *log);                 /* no callback after it; may be called from a callback */

/* --- the host --- */

struct hcs_host {
    const char *back_end;          /* "linux", "emulated", "windows" */
    const char *os, *architecture; /* "linux", "amd64" */
    const char *os_version;        /* of Windows; "" elsewhere */
    bool offers_process, offers_hyperv;
    const char *process_missing; /* what is missing where it is not offered, for a person; NULL where it is */
    const char *hyperv_missing;
    const char *versions; /* "crun 1.8.1, conmon 2.1.6, cgroup v1" */
};
void hcs_probe(const struct hcs *hcs, struct hcs_host *out); /* borrowed from @hcs */

/* Let go of everything; systems run on. Operations that are under way are answered ERR_CANCELED before @closed comes; @hcs is gone then. */
void hcs_close(struct hcs *hcs, void (*closed)(void *ctx), void *ctx);

#endif
