/* agent/container_document.h – from a task to the document of its compute system: what Docker's executor makes of a ContainerSpec, in the
 * words of runtime/document.h.
 *
 * Pure. The parts live in container_process.c (what runs), container_mounts.c (what it sees) and here (how it is named, limited and
 * connected). Errors name the field, in dockerd's words where dockerd has them. Source: swarmkit-wire §8. */
#ifndef SKEP_AGENT_CONTAINER_DOCUMENT_H
#define SKEP_AGENT_CONTAINER_DOCUMENT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/template.h"
#include "base/arena.h"
#include "base/error.h"
#include "runtime/document.h"

struct Docker__Swarmkit__V1__ContainerSpec;
struct Docker__Swarmkit__V1__Task;
struct image;

#define CONTAINER_OWNER      "skep"
#define CONTAINER_LABEL_TASK "com.docker.swarm.task.id"

/* Who the node is. Strings borrowed, "" where not known. */
struct container_node {
    const char *id, *hostname, *architecture, *os;
};

/* What does not come from the task. */
struct container_facts {
    const struct container_node *node;
    const char *container_id;
    enum isolation isolation; /* as chosen: base/isolation.h */
    int64_t created_wall_ns;
};

/* Can a container be made of this task at all? What dockerd says when it sets up a task's controller: ERR_UNSUPPORTED for a runtime or
 * network that is not here, ERR_INVALID for mounts, templates and the rest. */
int container_check(const struct Docker__Swarmkit__V1__Task *task, const struct container_node *node, struct error *err);

/* The whole document; it belongs to the caller. @image borrowed. Secrets and configs appear in Skep.Files by target only. ERR_INVALID,
 * ERR_UNSUPPORTED naming the field. */
int container_document(const struct Docker__Swarmkit__V1__Task *task, const struct image *image, const struct container_facts *facts,
                       cJSON **out, struct error *err);

/* The task's container spec; NULL when it has another runtime. Never read the union without it. Borrowed. */
const struct Docker__Swarmkit__V1__ContainerSpec *container_spec(const struct Docker__Swarmkit__V1__Task *task);

/* "<service>.<slot>.<task id>", or the task's own name: swarmkit-wire §8.1. In @arena. */
const char *container_name(const struct Docker__Swarmkit__V1__Task *task, struct arena *arena);

/* "busybox:latest" for "docker.io/library/busybox"; the text itself where it is no reference. In @arena. */
const char *container_image_name(const struct Docker__Swarmkit__V1__Task *task, struct arena *arena);

/* How long it has to stop. */
int64_t container_stop_grace_ms(const struct Docker__Swarmkit__V1__Task *task);

/* What the task's placeholders stand for. Strings in @arena and in the task. */
void container_template_context(const struct Docker__Swarmkit__V1__Task *task, const struct container_node *node, struct arena *arena,
                                struct template_context *out);

#endif
