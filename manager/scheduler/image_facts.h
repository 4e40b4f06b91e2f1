/* manager/scheduler/image_facts.h – what a manager has learnt of an image: for which systems there is a build. The scheduler goes by it
 * where it stands in the store; who asks a registry puts it there.
 *
 * It is the payload of a store object of kind RESOURCE: resource kind IMAGE_FACTS_KIND, payload type IMAGE_FACTS_TYPE, value a JSON
 * document whose platforms are written as in the image's own index (OCI: image index, "platform"):
 *
 *     {"image": "mcr.microsoft.com/windows/nanoserver:ltsc2022", "digest": "sha256:…",
 *      "platforms": [{"os": "windows", "architecture": "amd64", "os.version": "10.0.20348.2113"}]}
 *
 * The digest is of what the registry had under the name; it may be missing. The image is spelled exactly as ContainerSpec.image has it.
 * What a platform leaves out is not known and fits all; what else there is in the document is passed over. Of several objects for one image
 * the newest counts. */
#ifndef SKEP_MANAGER_SCHEDULER_IMAGE_FACTS_H
#define SKEP_MANAGER_SCHEDULER_IMAGE_FACTS_H

#include "base/arena.h"
#include "base/buf.h"
#include "manager/scheduler/scheduler.h"

struct Docker__Swarmkit__V1__Resource;

#define IMAGE_FACTS_KIND "skep.image"
#define IMAGE_FACTS_TYPE "skep.image/1"

struct image_facts {
    struct arena arena;         /* holds what image_facts_parse() and …_read() found; unused by whoever writes */
    const char *image, *digest; /* the digest: "" or NULL where it is not known */
    const struct scheduler_platform *platforms;
    size_t count;
};

/* ERR_LIMIT beyond IMAGE_FACTS_SIZE_BYTES, IMAGE_INDEX_ENTRIES_COUNT platforms, or a text that is too long; ERR_INVALID where it is no such
 * document, or a text has other than printable characters. @out is to be freed only after success. */
int image_facts_parse(struct bytes payload, struct image_facts *out, struct error *err);
void image_facts_deinit(struct image_facts *facts);

/* The same from a store object; errors name it. ERR_UNSUPPORTED for a payload of another type: written by a later version. */
int image_facts_read(const struct Docker__Swarmkit__V1__Resource *resource, struct image_facts *out, struct error *err);

/* The payload, appended. It is refused as image_facts_parse() would refuse it. */
int image_facts_print(const struct image_facts *facts, struct buf *out, struct error *err);

#endif
