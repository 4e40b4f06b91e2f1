/* runtime/hcs_backend.h – what stands behind `struct hcs`: the table of functions that a back end fills. Only back ends include this.
 *
 * hcs.c keeps the listeners and hands everything else on. A back end checks the id (id_is_safe) and the document (document_normalise,
 * document_parse) itself, because it has the means to answer later. */
#ifndef SKEP_RUNTIME_HCS_BACKEND_H
#define SKEP_RUNTIME_HCS_BACKEND_H

#include "runtime/hcs.h"

struct hcs_ops {
    void (*system_create)(struct hcs *hcs, const char *id, const cJSON *document, const struct hcs_file_content *files, size_t file_count,
                          hcs_done_cb done, void *ctx);
    void (*system_start)(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx);
    void (*system_shutdown)(struct hcs *hcs, const char *id, const char *signal, int64_t grace_ms, hcs_done_cb done, void *ctx);
    void (*system_terminate)(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx);
    void (*system_signal)(struct hcs *hcs, const char *id, const char *signal, hcs_done_cb done, void *ctx);
    void (*system_pause)(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx);
    void (*system_resume)(struct hcs *hcs, const char *id, hcs_done_cb done, void *ctx);
    void (*system_properties)(struct hcs *hcs, const char *id, bool wants_statistics, hcs_properties_cb done, void *ctx);
    void (*system_modify)(struct hcs *hcs, const char *id, const cJSON *request, hcs_done_cb done, void *ctx);
    void (*system_enumerate)(struct hcs *hcs, const char *owner, hcs_enumerate_cb done, void *ctx);
    void (*system_remove)(struct hcs *hcs, const char *id, bool force, hcs_done_cb done, void *ctx);
    void (*process_create)(struct hcs *hcs, const char *id, const cJSON *parameters, size_t output_bytes, hcs_process_cb done, void *ctx);
    void (*process_signal)(struct hcs_process *process, const char *signal, hcs_done_cb done, void *ctx);
    void (*process_wait)(struct hcs_process *process, uint32_t timeout_ms, hcs_process_exit_cb done, void *ctx);
    int64_t (*process_pid)(const struct hcs_process *process);
    void (*process_close)(struct hcs_process *process);
    int (*log_open)(struct hcs *hcs, const char *id, const struct hcs_log_options *options, const struct hcs_log_sink *sink,
                    struct hcs_log **out, struct error *err);
    void (*log_pause)(struct hcs_log *log, bool is_paused);
    void (*log_close)(struct hcs_log *log);
    void (*probe)(const struct hcs *hcs, struct hcs_host *out);
    void (*close)(struct hcs *hcs, void (*closed)(void *ctx), void *ctx);
};

/* The first member of a back end's own struct, as are the two below. */
struct hcs {
    const struct hcs_ops *ops;
    struct hcs_listener *listeners;
    struct hcs_listener *next_listener; /* where a walk over the list goes on, so that any may leave during it */
};

struct hcs_process {
    const struct hcs_ops *ops;
};

struct hcs_log {
    const struct hcs_ops *ops;
};

void hcs_emit(struct hcs *hcs, enum hcs_event_type type, const struct hcs_properties *properties);

#endif
