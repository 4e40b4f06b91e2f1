/* agent/task_files.h – the secrets and configs of one task, as the runtime takes them: looked up, expanded where they are templates, in
 * memory only and wiped when done. A task sees only what its own spec names. Source: swarmkit-wire §4.3, §4.6, §8.5. */
#ifndef SKEP_AGENT_TASK_FILES_H
#define SKEP_AGENT_TASK_FILES_H

#include <stddef.h>

#include "agent/container_document.h"
#include "base/error.h"
#include "runtime/hcs.h"

struct assignments;
struct Docker__Swarmkit__V1__Task;

struct task_files {
    struct hcs_file_content *items; /* targets borrowed from the document */
    size_t count;
};

/* One content for each of the document's Skep.Files, in its order. ERR_NOT_FOUND naming the secret or config that is not assigned. */
int task_files_collect(const struct Docker__Swarmkit__V1__Task *task, const cJSON *document, const struct assignments *assignments,
                       const struct container_node *node, struct task_files *out, struct error *err);
void task_files_deinit(struct task_files *files); /* wipes them */

/* A credential spec that is a config: its content becomes the document's Skep.Windows.CredentialSpec. ERR_NOT_FOUND when it is not
 * assigned, ERR_INVALID when it is no text. */
int task_credential_spec(const struct Docker__Swarmkit__V1__Task *task, const struct assignments *assignments, cJSON *document,
                         struct error *err);

#endif
