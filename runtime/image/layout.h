/* runtime/image/layout.h – where things lie in the store, and its list of images (index.json). Shared by the daemon, which reads, and the
 * tool, which also writes.
 *
 * index.json is OCI's: one descriptor per name of an image. What OCI has no field for stands in annotations. An image whose name went to
 * another one stays listed without a name until it is removed. */
#ifndef SKEP_RUNTIME_IMAGE_LAYOUT_H
#define SKEP_RUNTIME_IMAGE_LAYOUT_H

#include "runtime/image/image.h"

#define IMAGE_LAYER_NAME_SIZE_CHARS 13
#define IMAGE_USE_LOCK_SIZE_CHARS   69 /* "use-" and a digest's 64 digits */
#define IMAGE_LAYOUT_VERSION        "1.0.0"

/* One line of the list. Strings are never NULL and live in the list's arena. */
struct image_record {
    const char *name;       /* "docker.io/library/busybox:1", "…@sha256:…"; "": none */
    const char *served;     /* the digest under which a registry serves it (of the index, where there is one); "": it was loaded */
    const char *repository; /* "docker.io/library/busybox": whose digest that is */
    const char *manifest, *media_type;
    int64_t manifest_size_bytes;
    const char *config; /* the image's id */
    struct image_platform platform;
};

struct image_records {
    struct arena arena;
    struct image_record *items;
    size_t count, capacity;
};

void image_records_deinit(struct image_records *records); /* a zeroed struct is an empty list */
#define cleanup_image_records __attribute__((cleanup(image_records_deinit)))

/* A store without an index.json is empty. ERR_CORRUPT names the file; ERR_IO. */
int image_records_read(const char *dir, struct image_records *out, struct error *err);
int image_records_write(const char *dir, const struct image_records *records, struct error *err); /* whoever writes holds the index lock */
void image_records_add(struct image_records *records, const struct image_record *record);         /* copied */
void image_records_drop(struct image_records *records, size_t at);

/* Makes what is missing. ERR_VERSION when oci-layout says another version than ours. */
int image_layout_make(const char *dir, struct error *err);

/* All freed by the caller. @digest is valid ("sha256:…"). */
char *image_blob_path(const char *dir, const char *digest);
char *image_partial_path(const char *dir, const char *digest);
char *image_layer_path(const char *dir, const char *diff_id);
char *image_layer_marker_path(const char *dir, const char *diff_id);

void image_layer_name(const char *diff_id, char out[IMAGE_LAYER_NAME_SIZE_CHARS + 1]);
void image_use_lock_name(const char *id, char out[IMAGE_USE_LOCK_SIZE_CHARS]); /* @id is a valid digest */

/* Is the layer unpacked and complete? @size_bytes (may be NULL) is what its files take. */
bool image_layer_present(const char *dir, const char *diff_id, uint64_t *size_bytes);

#endif
