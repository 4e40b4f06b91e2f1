/* runtime/image/tool/task.h – what one run of the tool is asked to do, whoever asked: the daemon on standard input, or a person's
 * arguments. */
#ifndef SKEP_RUNTIME_IMAGE_TOOL_TASK_H
#define SKEP_RUNTIME_IMAGE_TOOL_TASK_H

#include <stdatomic.h>

#include "runtime/image/image.h"

struct task {
    struct arena arena;
    const char *operation; /* "pull", "load", … */
    const char *dir;
    const char *reference; /* pull, remove, tag */
    const char *name;      /* tag: the new one */
    const char *path;      /* load: the archive; NULL: see spool_read() */
    struct image_platform platform;
    char *registry_auth; /* base64; wiped by whoever read it */
    const char *certs_dir;
    struct image_strings insecure_registries, in_use;
    bool force;
    bool waits;              /* gc: for others to be done */
    bool all, superseded;    /* gc: also images with a name; of those without one, only such as were pulled */
    bool is_daemons;         /* the daemon asked: its own lock on the store does not stand in the way */
    atomic_bool is_canceled; /* one thread failed: the others need not go on */
};

/* From the daemon's JSON. ERR_INVALID, ERR_LIMIT. */
int image_task_parse(struct bytes text, struct task *out, struct error *err);
void image_task_deinit(struct task *task);

/* Each reports its progress, its result or its failure is the caller's to report. */
int image_task_pull(struct task *task, struct error *err);
int image_task_resolve(struct task *task, struct error *err);
int image_task_load(struct task *task, struct error *err);
int image_task_tag(struct task *task, struct error *err);
int image_task_remove(struct task *task, struct error *err);
int image_task_gc(struct task *task, struct error *err);
int image_task_list(struct task *task, struct error *err);
int image_task_verify(struct task *task, struct error *err);

#endif
