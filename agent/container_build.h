/* agent/container_build.h – shared by the files that make a container's document; see agent/container_document.h. */
#ifndef SKEP_AGENT_CONTAINER_BUILD_H
#define SKEP_AGENT_CONTAINER_BUILD_H

#include "agent/container_document.h"
#include "agent/template.h"
#include "base/arena.h"
#include "proto/swarmkit/objects.pb-c.h"
#include "runtime/image/image.h"

typedef Docker__Swarmkit__V1__Task Task;
typedef Docker__Swarmkit__V1__ContainerSpec ContainerSpec;
typedef Docker__Swarmkit__V1__Mount Mount;

struct container_build {
    const Task *task;
    const ContainerSpec *spec;
    const struct image *image; /* NULL: only a check */
    const struct container_facts *facts;
    struct template_context placeholders;
    struct arena arena;
};

bool container_is_for_windows(const struct container_build *build);

/* @text with its placeholders replaced, in the arena. @field is for the message. */
int container_expand(struct container_build *build, const char *text, const char *field, const char **out, struct error *err);

/* Skep.Process. */
int container_add_process(struct container_build *build, cJSON *skep, struct error *err);

/* Skep.Mounts and Skep.Files. */
int container_add_mounts(struct container_build *build, cJSON *skep, struct error *err);
int container_add_files(struct container_build *build, cJSON *skep, struct error *err);

#endif
