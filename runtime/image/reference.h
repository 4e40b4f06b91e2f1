/* runtime/image/reference.h – names of images: "busybox", "host:5000/team/app:v1@sha256:…". Pure.
 *
 * Docker's grammar: [domain/]path[:tag][@digest]. The first part is a domain when it has a '.', a ':' or an upper-case letter, or is
 * "localhost"; otherwise the image is Docker Hub's, and one-part names there live under "library/". */
#ifndef SKEP_RUNTIME_IMAGE_REFERENCE_H
#define SKEP_RUNTIME_IMAGE_REFERENCE_H

#include <stdbool.h>

#include "base/error.h"

#define IMAGE_DIGEST_SIZE_CHARS 71 /* "sha256:" and 64 hex digits: the only algorithm taken */
#define IMAGE_TAG_SIZE_CHARS    128
#define IMAGE_DEFAULT_DOMAIN    "docker.io"
#define IMAGE_DEFAULT_TAG       "latest"

/* Without tag and digest the tag becomes "latest"; with a digest alone the tag stays "". */
struct image_reference {
    char domain[256]; /* "docker.io", "localhost:5000" */
    char path[256];   /* "library/busybox" */
    char tag[IMAGE_TAG_SIZE_CHARS + 1];
    char digest[IMAGE_DIGEST_SIZE_CHARS + 1]; /* "" or "sha256:…" */
};

/* ERR_INVALID in Docker's words: "invalid reference format: …". */
int image_reference_parse(const char *text, struct image_reference *out, struct error *err);

/* All parts: "docker.io/library/busybox:1". The digest wins over the tag, as in Docker's store: "…/busybox@sha256:…". Freed by the caller.
 */
char *image_reference_full(const struct image_reference *reference);

/* As people write it: "busybox:1", "busybox@sha256:…". Freed by the caller. */
char *image_reference_familiar(const struct image_reference *reference);

/* "busybox", "localhost:5000/app": the familiar name without tag and digest. Freed by the caller. */
char *image_reference_repository(const struct image_reference *reference);

/* The host that serves it: registry-1.docker.io for docker.io, else the domain. Borrowed from @reference. */
const char *image_reference_registry(const struct image_reference *reference);

bool image_digest_is_valid(const char *text); /* "sha256:" and 64 lower-case hex digits */

#endif
