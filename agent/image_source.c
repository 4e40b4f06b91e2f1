/* Images of an emulated host: every name is one, with a layer that nobody reads. */
#include "agent/image_source.h"

#include <stddef.h>

#include "base/encode.h"
#include "base/mem.h"

static int emulated_find(void *self, const char *reference, struct image *out, struct error *err)
{
    static const struct image_layer layer = {"sha256:0", "/emulated"};
    static const char *const command[] = {"emulated"};
    uint8_t digest[SHA256_SIZE_BYTES];
    char hex[2 * SHA256_SIZE_BYTES + 1];
    (void)self;
    (void)err;
    sha256(bytes_of_string(reference), digest);
    encode_hex(bytes_of(digest, sizeof digest), hex);
    *out = (struct image){.os = "", .architecture = "", .variant = "", .os_version = "", .layers = &layer, .layer_count = 1};
    out->id = arena_format(&out->arena, "sha256:%s", hex);
    out->config.cmd = (struct image_strings){command, 1};
    return 0;
}

/* There is nothing to pull: the image is here, and so the failure is only logged. */
static int emulated_pull(void *self, const char *reference, const char *registry_auth, image_progress_cb on_progress,
                         image_pulled_cb on_done, void *ctx, void **job, struct error *err)
{
    (void)self;
    (void)registry_auth;
    (void)on_progress;
    (void)on_done;
    (void)ctx;
    *job = NULL;
    return error_set(err, ERR_UNSUPPORTED, "an emulated host pulls nothing (%s)", reference);
}

static void emulated_cancel(void *self, void *job)
{
    (void)self;
    (void)job;
}

static int emulated_pin(void *self, const char *id, struct error *err)
{
    (void)self;
    (void)id;
    (void)err;
    return 0;
}

static void emulated_unpin(void *self, const char *id)
{
    (void)self;
    (void)id;
}

static void emulated_hold(void *self, bool is_held)
{
    (void)self;
    (void)is_held;
}

struct image_source image_source_emulated(void)
{
    return (struct image_source){emulated_find, emulated_pull, emulated_cancel, emulated_pin, emulated_unpin, emulated_hold, NULL};
}
