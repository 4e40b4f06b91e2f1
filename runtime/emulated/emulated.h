/* runtime/emulated/emulated.h – the emulator's own data: its systems, what is due when, and the rules of its script. */
#ifndef SKEP_RUNTIME_EMULATED_EMULATED_H
#define SKEP_RUNTIME_EMULATED_EMULATED_H

#include "base/arena.h"
#include "base/clock.h"
#include "runtime/document.h"
#include "runtime/emulated/hcs_emulated.h"
#include "runtime/hcs_backend.h"

struct emulated;

struct emulated_system {
    struct emulated_system *next; /* in the order of creation */
    char *id, *error;
    cJSON *json;
    struct arena arena; /* of @document */
    struct document document;
    enum hcs_state state;
    int64_t pid, created_wall_ns, started_wall_ns, finished_wall_ns;
    int exit_code;
    bool is_oom_killed, loses_exit;
    uint64_t busy_until_ns, started_ns; /* operations on one system follow one another */
    struct hcs_port *ports;
};

struct emulated_rule {
    struct emulated_rule *next;
    struct hcs_emulated_rule rule; /* its strings owned */
    unsigned left;
};

struct emulated_result {
    struct emulated_result *next;
    char *name, *output;
    int exit_code;
};

struct emulated_process {
    struct hcs_process base;
    struct emulated *host;
    struct emulated_process *next;
    char *system_id, *output;
    int64_t pid;
    int exit_code;
    bool is_cut, is_closed;
    size_t output_bytes;
};

struct emulated_log {
    struct hcs_log base;
    struct emulated *host;
    struct emulated_log *next;
    char *id;
    struct hcs_log_options options;
    struct hcs_log_sink sink;
    bool is_new, is_paused, is_shown, is_ended, is_closed;
};

/* Something that happens at @due_ns; those of one instant in the order they were asked for. */
struct emulated_item {
    struct emulated_item *next;
    uint64_t due_ns, order;
    enum hcs_operation operation;
    void (*carry_out)(struct emulated *host, struct emulated_item *item);
    char *id, *text, *message;
    cJSON *json;
    int code; /* the fault to answer with; 0: none */
    bool is_undone, flag;
    int exit_code;
    uint64_t late_ns; /* LATE_EXIT */
    bool exits_first, loses_exit, is_late;
    hcs_done_cb done;
    hcs_properties_cb properties_done;
    hcs_enumerate_cb enumerate_done;
    hcs_process_cb process_done;
    hcs_process_exit_cb exit_done;
    struct emulated_process *process;
    void *ctx;
};

struct emulated {
    struct hcs base;
    struct random random;
    uint64_t min_ns, max_ns, now_ns, order;
    int64_t wall_ns, next_pid;
    uint16_t next_port;
    char *os, *architecture, *os_version, *memory_path;
    bool offers_hyperv, lacks_process, is_closing;
    struct emulated_system *systems;
    struct emulated_item *items;
    struct emulated_rule *rules;
    struct emulated_result *results;
    struct emulated_process *processes;
    struct emulated_log *logs;
    uv_timer_t *timer; /* when it runs on a loop */
    void (*closed)(void *ctx);
    void *closed_ctx;
};

static inline struct emulated *emulated_of(struct hcs *hcs)
{
    return (struct emulated *)hcs;
}

/* system.c */
struct emulated_system *emulated_find(struct emulated *host, const char *id);
void emulated_system_free(struct emulated_system *system);
void emulated_properties(const struct emulated_system *system, struct hcs_properties *out);
void emulated_emit(struct emulated *host, enum hcs_event_type type, const struct emulated_system *system);

void emulated_answer(struct emulated_item *item, const struct error *err); /* its own fault goes before @err */
void emulated_create(struct hcs *hcs, const char *id, const cJSON *document, const struct hcs_file_content *files, size_t file_count,
                     hcs_done_cb done, void *ctx);
void emulated_start(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx);
void emulated_shutdown(struct hcs *hcs, const char *id, const char *signal, int64_t grace_ms, hcs_done_cb done, void *ctx);
void emulated_terminate(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx);
void emulated_signal(struct hcs *hcs, const char *id, const char *signal, hcs_done_cb done, void *ctx);
void emulated_pause(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx);
void emulated_resume(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx);
void emulated_get_properties(struct hcs *hcs, const char *id, bool wants_statistics, hcs_properties_cb done, void *ctx);
void emulated_modify(struct hcs *hcs, const char *id, const cJSON *request, hcs_done_cb done, void *ctx);
void emulated_enumerate(struct hcs *hcs, const char *owner, hcs_enumerate_cb done, void *ctx);
void emulated_remove(struct hcs *hcs, const char *id, bool force, hcs_done_cb done, void *ctx);

/* queue.c, script.c */
/* The first rule that applies to @operation on a system of this name, used up by one; NULL: none. Borrowed until rules change. */
const struct hcs_emulated_rule *emulated_take_rule(struct emulated *host, enum hcs_operation operation, const char *name);

struct emulated_item *emulated_enqueue(struct emulated *host, enum hcs_operation operation, const char *id,
                                       void (*carry_out)(struct emulated *, struct emulated_item *), void *ctx);
void emulated_item_free(struct emulated_item *item);
void emulated_insert(struct emulated *host, struct emulated_item *item);
/* At least this much later than asked for; keeps the order of the queue. */
void emulated_schedule(struct emulated *host, const char *id, uint64_t due_ns,
                       void (*carry_out)(struct emulated *, struct emulated_item *));

void emulated_stop(struct emulated *host, struct emulated_system *system, int exit_code);

/* memory.c */
void emulated_remember(struct emulated *host); /* write all systems to memory_path */
int emulated_recall(struct emulated *host, struct error *err);
void emulated_plan_exit(struct emulated *host, struct emulated_system *system); /* of a command that ends by itself */

/* process.c */
void emulated_process_create(struct hcs *hcs, const char *id, const cJSON *parameters, size_t output_bytes, hcs_process_cb done, void *ctx);
void emulated_process_signal(struct hcs_process *process, const char *signal, hcs_done_cb done, void *ctx);
void emulated_process_wait(struct hcs_process *process, uint32_t timeout_ms, hcs_process_exit_cb done, void *ctx);
int64_t emulated_process_pid(const struct hcs_process *process);
void emulated_process_close(struct hcs_process *process);

/* log.c */
int emulated_log_open(struct hcs *hcs, const char *id, const struct hcs_log_options *options, const struct hcs_log_sink *sink,
                      struct hcs_log **out, struct error *err);
void emulated_log_pause(struct hcs_log *log, bool is_paused);
void emulated_log_close(struct hcs_log *log);
void emulated_logs_step(struct emulated *host); /* entries and ends that are due */
void emulated_logs_free(struct emulated *host);

#endif
