/* runtime/image/image.h – the images of this host: find, list, pull, load, remove.
 *
 * The daemon only reads the store. Everything that meets bytes from outside (registry answers, archives, layers) happens in `skep-image`, a
 * short-lived program that is started once per job, gets the job on its standard input and answers in JSON lines. A crash over hostile
 * input is then a failed pull, cancelling is killing a child, and the daemon maps neither libcurl nor libarchive.
 *
 * On disk, below the store's directory:
 *
 *     oci-layout, index.json, blobs/sha256/…   an OCI layout: every manifest, config and packed layer that was received
 *     layers/<id>/                             each layer for this system unpacked once: on Linux in overlayfs' own form (whiteouts, opaque
 *                                              directories), on Windows as windows_layer.h says
 *     layers/<id>.json                         which diff id that is; a directory counts only with this file beside it
 *     partial/, tmp/, locks/                   downloads to be resumed; work in hand, swept when nobody works; file locks
 *
 * A layer's <id> is 13 letters and digits made from its diff id: short, because mount(2) takes one page for all lower directories together.
 *
 * One loop, no threads. Names follow Docker's rules: "busybox" is docker.io/library/busybox:latest. */
#ifndef SKEP_RUNTIME_IMAGE_IMAGE_H
#define SKEP_RUNTIME_IMAGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

struct cJSON;
struct image_store;
struct image_job;

/* What an image is for or a host can run. NULL or "": any. Spelled freely: `x86_64` is amd64, `aarch64` is arm64. */
struct image_platform {
    const char *os, *architecture, *variant;
    const char *os_version; /* Windows: "10.0.20348.2113"; as a wish it is the host's own, and the newest image not above it is chosen */
};

struct image_strings {
    const char *const *items;
    size_t count;
};

struct image_label {
    const char *key, *value;
};

/* Zero durations and retries mean: not given. */
struct image_healthcheck {
    struct image_strings test; /* "NONE"; or "CMD", argv…; or "CMD-SHELL", line; empty: the image has none */
    int64_t interval_ns, timeout_ns, start_period_ns, start_interval_ns;
    int64_t retries;
};

/* The image's wishes for its containers. Strings are "" where it has none. */
struct image_config {
    struct image_strings entrypoint, cmd, env, shell;
    struct image_strings exposed_ports; /* "80/tcp" */
    struct image_strings volumes;       /* paths */
    const char *working_dir, *user, *stop_signal;
    bool is_args_escaped; /* Docker's ArgsEscaped, of Windows only: the command's first word is a command line (runtime/document.h) */
    const struct image_label *labels;
    size_t label_count;
    struct image_healthcheck healthcheck;
};

struct image_layer {
    const char *id;   /* the diff id, "sha256:…" */
    const char *path; /* the unpacked tree, absolute; NULL for an image of another operating system, which is kept packed */
};

/* Everything inside is owned by the arena and dies in image_deinit. */
struct image {
    struct arena arena;
    const char *id;                    /* "sha256:" and the digest of its config, as Docker's image ids */
    struct image_strings repo_tags;    /* familiar names: "busybox:1.36", "localhost:5000/app:v1" */
    struct image_strings repo_digests; /* "busybox@sha256:…" */
    const char *os, *architecture, *variant, *os_version;
    const char *created;  /* RFC 3339, as the image says it; "" if it does not */
    uint64_t size_bytes;  /* unpacked where it is unpacked, else packed */
    const char *manifest; /* digest of its manifest in the store */
    struct image_config config;
    const struct image_layer *layers; /* top-most first, as overlayfs' lowerdir wants them */
    size_t layer_count;
    const char *config_json; /* the config document as received: history, rootfs and all that is not parsed above */
};

void image_deinit(struct image *image); /* a zeroed struct is an empty image */
#define cleanup_image __attribute__((cleanup(image_deinit)))

struct image_store_options {
    uv_loop_t *loop;                        /* borrowed */
    const char *dir;                        /* copied; made if missing, mode 0700 */
    const char *tool_path;                  /* copied; NULL: `skep-image` beside our own executable */
    struct image_platform host;             /* copied; what is meant when a request names no platform. NULL fields: this machine's */
    const char *const *insecure_registries; /* copied; "host:port" or "10.0.0.0/8": plain HTTP or any certificate will do */
    size_t insecure_registry_count;         /* loopback always counts as such */
    const char *certs_dir;                  /* copied; <dir>/<host:port>/ca.crt is trusted for that registry; NULL: Docker's place */
};

/* Makes or opens the store and takes its daemon lock. ERR_AGAIN when another daemon holds it, ERR_VERSION for another layout version,
 * ERR_PERMISSION, ERR_IO. A missing tool is not an error here: the store can be read; jobs then fail and name it. */
int image_store_open(const struct image_store_options *options, struct image_store **out, struct error *err);

/* Kills what runs (those who wait hear ERR_CANCELED), then frees; @on_closed may be NULL. */
void image_store_close(struct image_store *store, void (*on_closed)(void *ctx), void *ctx);

/* A reference ("busybox", "busybox:1@sha256:…"), a whole id or the start of one, or the digest of a manifest or index. @platform may be
 * NULL: the host's for a name that has several, otherwise whichever there is. Fill @out (image_deinit it). ERR_NOT_FOUND in Docker's words
 * ("No such image: busybox:latest"), also for an image some of whose layers are gone; ERR_INVALID for a name that cannot be one or an
 * ambiguous id; ERR_CORRUPT, ERR_IO. */
int image_find(struct image_store *store, const char *reference, const struct image_platform *platform, struct image *out,
               struct error *err);

/* Every image, newest first. @out is an array of @count, each to be image_deinit'ed, the array itself freed with free(). An image that
 * cannot be read is left out and logged. */
int image_list(struct image_store *store, struct image **out, size_t *count, struct error *err);

/* Jobs. Each takes an @on_done that is called exactly once, from the loop, never before the starting call returned; after
 * image_job_cancel() no callback comes any more. @line in on_progress is one JSON object in Docker's form (no line end), borrowed:
 * {"status":"Downloading","id":"a2abf6c4d29d","progressDetail":{"current":1,"total":2}}. */
typedef void (*image_progress_cb)(void *ctx, const char *line);
typedef void (*image_pulled_cb)(void *ctx, const struct error *err, const struct image *image); /* err NULL on success; image borrowed */
typedef void (*image_done_cb)(void *ctx, const struct error *err, const struct cJSON *result);  /* likewise; result borrowed */

struct image_pull_request {
    const char *reference;
    struct image_platform platform; /* empty fields: the host's */
    const char *registry_auth; /* as in X-Registry-Auth: base64(url) of Docker's JSON; NULL or "": anonymous. Copied, wiped after use */
};

/* The same pull asked for twice at once runs once, and both hear its progress. A reference with a digest that is here already is answered
 * without asking the registry. Errors through on_done: ERR_NOT_FOUND ("manifest for x:1 not found: manifest unknown", or no image for the
 * platform), ERR_UNAUTHENTICATED, ERR_PERMISSION (denied), ERR_UNAVAILABLE (registry down, names the host), ERR_CORRUPT (wrong digest),
 * ERR_LIMIT (names the limit), ERR_INVALID, ERR_NO_SPACE, ERR_IO, ERR_INTERNAL (the tool crashed). Returned at once: ERR_INVALID for the
 * reference, ERR_LIMIT for more than IMAGE_JOBS_COUNT jobs. @on_progress may be NULL. */
int image_pull(struct image_store *store, const struct image_pull_request *request, image_progress_cb on_progress, image_pulled_cb on_done,
               void *ctx, struct image_job **out, struct error *err);

/* Asks the registry what the name stands for; nothing is kept, and it does not wait for pulls. The result is {"mediaType":…,
 * "digest":"sha256:…","size":n,"platforms":[{"os","architecture","variant","osVersion"}]}, of the index, or of the manifest of a single
 * image with what its config says; an empty text where nothing is said. @registry_auth as in image_pull_request. The same asked twice at
 * once is asked once. Errors as image_pull(). */
int image_resolve(struct image_store *store, const char *reference, const char *registry_auth, image_done_cb on_done, void *ctx,
                  struct image_job **out, struct error *err);

/* An archive made by `docker save` (old or new) or an OCI archive, plain or packed with gzip, zstd or xz. From @path (read by the tool), or
 * with NULL from what image_load_write() brings. Progress lines are Docker's: {"stream":"Loaded image: busybox:latest\n"}; the result is
 * {"images":[{"name":"busybox:latest","id":"sha256:…"}]}. */
int image_load(struct image_store *store, const char *path, image_progress_cb on_progress, image_done_cb on_done, void *ctx,
               struct image_job **out, struct error *err);

/* The next piece of the archive (copied). Returns how many bytes wait to be taken by the tool: above IMAGE_LOAD_QUEUE_BYTES stop reading
 * your source until @on_drained is called (once per call that returned such a number; may be NULL). Pieces after the job's end are
 * dropped: its on_done has said why. */
size_t image_load_write(struct image_job *job, struct bytes piece, void (*on_drained)(void *ctx));
void image_load_end(struct image_job *job); /* no more pieces */

/* Take a name away, or with an id all names; the image itself goes with its last one. The result is Docker's array
 * [{"Untagged":"busybox:1"},{"Deleted":"sha256:…"}]. ERR_NOT_FOUND; ERR_PRECONDITION while pinned (unless @force, which takes the name but
 * leaves the content of a pinned image), or for an id with several names without @force. */
int image_remove(struct image_store *store, const char *reference, bool force, image_done_cb on_done, void *ctx, struct image_job **out,
                 struct error *err);

int image_tag(struct image_store *store, const char *reference, const char *new_name, image_done_cb on_done, void *ctx,
              struct image_job **out, struct error *err);

/* Which images a collection takes; never one that is pinned. */
enum image_gc_scope {
    IMAGE_GC_SUPERSEDED, /* pulled, and its name has gone to a newer one: it can be pulled again by its digest */
    IMAGE_GC_NAMELESS,   /* every one without a name */
    IMAGE_GC_UNUSED,     /* every one */
};

/* Removes images, and every blob, layer and stale partial download that no image needs any more. IMAGE_GC_SUPERSEDED waits for no
 * other job: with pulls under way it answers ERR_AGAIN; the others, which a person asks for, wait. The result is
 * {"deleted":["sha256:…"],"reclaimedBytes":n}. */
int image_gc(struct image_store *store, enum image_gc_scope scope, image_done_cb on_done, void *ctx, struct image_job **out,
             struct error *err);

/* The job goes on for others who asked for the same; with the last one its process is killed. Partial downloads are kept and resumed. */
void image_job_cancel(struct image_job *job);

/* A pinned image keeps its content, whoever removes what. Counted; lasts as long as this process: whoever uses an image pins it again after
 * a restart. ERR_NOT_FOUND when the image has gone since it was found; ERR_AGAIN for the moment in which a removal changes the list. */
int image_pin(struct image_store *store, const char *id, struct error *err);
void image_unpin(struct image_store *store, const char *id);

/* While any hold lasts, removals wait their turn: for one who does not know yet what is in use here. Counted. */
void image_hold(struct image_store *store);
void image_unhold(struct image_store *store);

#endif
