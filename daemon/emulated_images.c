/* daemon/emulated_images.c – see emulated_images.h. */
#include "daemon/emulated_images.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/text.h"
#include "runtime/image/platform.h"

/* An image that was "pulled". */
struct known {
    UT_hash_handle hh;
    struct arena arena;
    struct image_platform platform;
    char *reference;
};

struct emulated_images {
    struct arena arena;
    struct image_asker registries;
    struct image_platform host;
    struct image_source content; /* what an image is beside its platform */
    struct known *known;
};

struct pulling {
    struct emulated_images *images;
    char *reference;
    void *call;
    image_pulled_cb on_done;
    void *ctx;
};

static void forget(struct emulated_images *images, struct known *known)
{
    HASH_DEL(images->known, known);
    arena_deinit(&known->arena);
    free(known->reference);
    free(known);
}

static void remember(struct emulated_images *images, const char *reference, const struct image_answer_platform *platform)
{
    struct known *known;
    HASH_FIND_STR(images->known, reference, known);
    if (known)
        forget(images, known);
    known = mem_alloc(sizeof *known);
    known->reference = mem_string(reference);
    known->platform.os = arena_string(&known->arena, platform->os);
    known->platform.architecture = arena_string(&known->arena, platform->architecture);
    known->platform.variant = arena_string(&known->arena, platform->variant);
    known->platform.os_version = arena_string(&known->arena, platform->os_version);
    HASH_ADD_KEYPTR(hh, images->known, known->reference, strlen(known->reference), known);
}

static int find(void *self, const char *reference, struct image *out, struct error *err)
{
    struct emulated_images *images = self;
    struct known *known;
    HASH_FIND_STR(images->known, reference, known);
    if (!known)
        return error_set(err, ERR_NOT_FOUND, "No such image: %s", reference);
    if (images->content.find(images->content.self, reference, out, err) < 0)
        return err->code;
    out->os = arena_string(&out->arena, known->platform.os);
    out->architecture = arena_string(&out->arena, known->platform.architecture);
    out->variant = arena_string(&out->arena, known->platform.variant);
    out->os_version = arena_string(&out->arena, known->platform.os_version);
    return 0;
}

/* As a pull does: of an index the best for this host; what is alone is taken as it is, and refused later where it does not fit. */
static int choose(struct emulated_images *images, const char *reference, const struct image_answer *answer, struct error *err)
{
    struct image_platform *have = mem_array(answer->count + 1, sizeof *have);
    for (size_t i = 0; i < answer->count; i++)
        have[i] = (struct image_platform){answer->platforms[i].os, answer->platforms[i].architecture, answer->platforms[i].variant,
                                          answer->platforms[i].os_version};
    int best = answer->count == 1 ? 0 : image_platform_choose(have, answer->count, &images->host);
    free(have);
    if (best < 0) {
        cleanup_free char *wanted = image_platform_text(&images->host);
        return error_set(err, ERR_NOT_FOUND, "no image for %s in the index of %s", wanted, reference);
    }
    remember(images, reference, &answer->platforms[best]);
    return 0;
}

static void on_answer(void *ctx, const struct error *refusal, const struct image_answer *answer)
{
    struct pulling *pulling = ctx;
    cleanup_image struct image image = {0};
    struct error err = {0};
    if (refusal)
        err = *refusal;
    else if (choose(pulling->images, pulling->reference, answer, &err) == 0)
        find(pulling->images, pulling->reference, &image, &err);
    pulling->on_done(pulling->ctx, err.code ? &err : NULL, err.code ? NULL : &image);
    free(pulling->reference);
    free(pulling);
}

static int pull(void *self, const char *reference, const char *registry_auth, image_progress_cb on_progress, image_pulled_cb on_done,
                void *ctx, void **job, struct error *err)
{
    struct emulated_images *images = self;
    struct pulling *pulling = mem_alloc(sizeof *pulling);
    (void)on_progress;
    *pulling = (struct pulling){.images = images, .reference = mem_string(reference), .on_done = on_done, .ctx = ctx};
    int failed = images->registries.start(images->registries.self, reference, registry_auth, on_answer, pulling, &pulling->call, err);
    if (failed < 0) {
        free(pulling->reference);
        free(pulling);
        return failed;
    }
    *job = pulling;
    return 0;
}

static void cancel(void *self, void *job)
{
    struct emulated_images *images = self;
    struct pulling *pulling = job;
    images->registries.cancel(images->registries.self, pulling->call);
    free(pulling->reference);
    free(pulling);
}

struct image_source emulated_images_source(struct emulated_images *images)
{
    struct image_source source = images->content; /* nothing is collected: pins and holds are nothing */
    source.find = find;
    source.pull = pull;
    source.cancel = cancel;
    source.self = images;
    return source;
}

struct emulated_images *emulated_images_new(const struct image_asker *registries, const struct image_platform *host)
{
    struct emulated_images *images = mem_alloc(sizeof *images);
    images->registries = *registries;
    images->content = image_source_emulated();
    images->host = (struct image_platform){.os = arena_string(&images->arena, host->os),
                                           .architecture = arena_string(&images->arena, host->architecture),
                                           .os_version = arena_string(&images->arena, host->os_version)};
    return images;
}

void emulated_images_free(struct emulated_images *images)
{
    struct known *known, *next;
    if (!images)
        return;
    HASH_ITER (hh, images->known, known, next)
        forget(images, known);
    arena_deinit(&images->arena);
    free(images);
}
