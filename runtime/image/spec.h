/* runtime/image/spec.h – the documents of an image: index (or Docker's manifest list), manifest, config. Pure.
 *
 * Both families are read alike: Docker's schema 2 and OCI's. Everything returned lives in the arena that is passed in. A document that
 * could be read as two kinds is refused, so that nobody can show one content to us and another to a checker. */
#ifndef SKEP_RUNTIME_IMAGE_SPEC_H
#define SKEP_RUNTIME_IMAGE_SPEC_H

#include "runtime/image/image.h"

#define IMAGE_MEDIA_DOCKER_LIST     "application/vnd.docker.distribution.manifest.list.v2+json"
#define IMAGE_MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define IMAGE_MEDIA_OCI_INDEX       "application/vnd.oci.image.index.v1+json"
#define IMAGE_MEDIA_OCI_MANIFEST    "application/vnd.oci.image.manifest.v1+json"
#define IMAGE_MEDIA_OCI_CONFIG      "application/vnd.oci.image.config.v1+json"
#define IMAGE_MEDIA_OCI_LAYER       "application/vnd.oci.image.layer.v1.tar"

struct image_descriptor {
    const char *media_type, *digest; /* the digest has been checked to be "sha256:…" */
    int64_t size_bytes;              /* checked to be at least 0 */
    struct image_platform platform;  /* of a member of an index; fields may be NULL */
    struct image_strings urls;       /* where a foreign layer may be fetched */
    const char *name;                /* of a member of a layout's index: what it is called there; NULL: nothing */
    bool is_foreign;                 /* a layer that registries need not hold (Windows base layers) */
    bool is_image;                   /* false for attestations and the like beside the images of an index */
};

enum image_document_kind { IMAGE_DOCUMENT_INDEX, IMAGE_DOCUMENT_MANIFEST };

struct image_document {
    enum image_document_kind kind;
    const char *media_type;         /* as it says, or the OCI one of its kind */
    struct image_descriptor config; /* of a manifest */
    struct image_descriptor *items; /* an index's manifests, or a manifest's layers from the lowest */
    size_t count;
};

struct image_spec {
    const char *os, *architecture, *variant, *os_version, *created; /* "" where not given; os is "linux" then */
    struct image_config config;
    struct image_strings diff_ids; /* from the lowest layer; checked to be digests */
};

/* ERR_LIMIT (IMAGE_MANIFEST_SIZE_BYTES, IMAGE_LAYERS_COUNT, IMAGE_INDEX_ENTRIES_COUNT), ERR_INVALID, ERR_UNSUPPORTED for Docker's schema 1
 * and for artifacts that are not images. */
int image_document_parse(struct bytes text, struct arena *arena, struct image_document *out, struct error *err);

/* ERR_LIMIT (IMAGE_CONFIG_SIZE_BYTES, IMAGE_LAYERS_COUNT), ERR_INVALID naming the field. */
int image_spec_parse(struct bytes text, struct arena *arena, struct image_spec *out, struct error *err);

/* Choose from an index. ERR_NOT_FOUND: "no image for windows/amd64 in this index: it has linux/amd64, linux/arm64". */
int image_index_choose(const struct image_document *index, const struct image_platform *want, const struct image_descriptor **out,
                       struct error *err);

#endif
