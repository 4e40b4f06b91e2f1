/* runtime/image/store.c – opening, closing and pins. Reading is find.c's, jobs are job.c's. */
#include "runtime/image/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "runtime/image/layout.h"
#include "runtime/image/platform.h"
#include "runtime/image/reference.h"
#include "runtime/image/work.h"

#ifndef SKEP_IMAGE_TOOL_NAME
#define SKEP_IMAGE_TOOL_NAME "skep-image"
#endif

static const char *default_tool_path(struct arena *arena)
{
    cleanup_free char *path = file_beside_program(SKEP_IMAGE_TOOL_NAME);
    return arena_string(arena, path);
}

static void copy_options(struct image_store *store, const struct image_store_options *options)
{
    struct arena *arena = &store->arena;
    struct image_platform machine = image_platform_of_machine();
    store->loop = options->loop;
    store->dir = arena_string(arena, options->dir);
    store->tool_path = options->tool_path ? arena_string(arena, options->tool_path) : default_tool_path(arena);
    store->certs_dir = arena_string(arena, options->certs_dir ? options->certs_dir : "/etc/docker/certs.d");
    store->host.os = arena_string(arena, options->host.os ? options->host.os : machine.os);
    store->host.architecture = arena_string(arena, options->host.architecture ? options->host.architecture : machine.architecture);
    store->host.variant = arena_string(arena, options->host.variant ? options->host.variant : machine.variant);
    store->host.os_version = arena_string(arena, options->host.os_version);
    const char **registries = arena_alloc(arena, (options->insecure_registry_count + 1) * sizeof *registries);
    for (size_t i = 0; i < options->insecure_registry_count; i++)
        registries[i] = arena_string(arena, options->insecure_registries[i]);
    store->insecure_registries = (struct image_strings){registries, options->insecure_registry_count};
}

static void store_free(struct image_store *store)
{
    image_lock_drop(&store->daemon_lock);
    for (size_t i = 0; i < store->pin_count; i++) {
        image_lock_drop(&store->pins[i].lock);
        free(store->pins[i].id);
    }
    free(store->pins);
    arena_deinit(&store->arena);
    free(store);
}

int image_store_open(const struct image_store_options *options, struct image_store **out, struct error *err)
{
    struct image_store *store = mem_alloc(sizeof *store);
    copy_options(store, options);
    int failed = image_layout_make(store->dir, err);
    if (failed == 0)
        failed = image_lock_take(&store->daemon_lock, store->dir, "daemon", IMAGE_LOCK_EXCLUSIVE, false, err);
    if (failed < 0) {
        store_free(store);
        return failed == ERR_AGAIN ? error_wrap(err, "image store %s is in use", options->dir) : failed;
    }
    *out = store;
    return 0;
}

void image_store_close(struct image_store *store, void (*on_closed)(void *ctx), void *ctx)
{
    store->is_closing = true;
    store->on_closed = on_closed;
    store->closed_ctx = ctx;
    image_jobs_end(store);
}

void image_store_closed(struct image_store *store)
{
    void (*on_closed)(void *ctx) = store->on_closed;
    void *ctx = store->closed_ctx;
    store_free(store);
    if (on_closed)
        on_closed(ctx);
}

static struct image_pinned *find_pin(struct image_store *store, const char *id)
{
    for (size_t i = 0; i < store->pin_count; i++)
        if (strcmp(store->pins[i].id, id) == 0)
            return &store->pins[i];
    return NULL;
}

static int lock_image(struct image_store *store, const char *id, struct image_lock *lock, struct error *err)
{
    cleanup_image_lock struct image_lock gate = {0};
    cleanup_image struct image image = {0};
    char name[IMAGE_USE_LOCK_SIZE_CHARS];
    if (!image_digest_is_valid(id))
        return error_set(err, ERR_NOT_FOUND, "No such image: %s", id);
    image_use_lock_name(id, name);
    if (image_lock_take(&gate, store->dir, "pins", IMAGE_LOCK_SHARED, false, err) < 0 ||
        image_lock_take(lock, store->dir, name, IMAGE_LOCK_SHARED, false, err) < 0)
        return err->code == ERR_AGAIN ? error_set(err, ERR_AGAIN, "images are being removed on this node just now") : err->code;
    if (image_find(store, id, NULL, &image, err) == 0)
        return 0;
    image_lock_drop(lock);
    return err->code;
}

int image_pin(struct image_store *store, const char *id, struct error *err)
{
    struct image_pinned *pin = find_pin(store, id);
    struct image_lock lock = {0};
    if (pin) {
        pin->count++;
        return 0;
    }
    if (lock_image(store, id, &lock, err) < 0)
        return err->code;
    store->pins = mem_resize(store->pins, (store->pin_count + 1) * sizeof *store->pins);
    store->pins[store->pin_count++] = (struct image_pinned){.id = mem_string(id), .count = 1, .lock = lock};
    return 0;
}

void image_unpin(struct image_store *store, const char *id)
{
    struct image_pinned *pin = find_pin(store, id);
    if (!pin || --pin->count > 0)
        return;
    image_lock_drop(&pin->lock);
    free(pin->id);
    *pin = store->pins[--store->pin_count];
}

void image_hold(struct image_store *store)
{
    store->hold_count++;
}

void image_unhold(struct image_store *store)
{
    if (--store->hold_count == 0)
        image_work_run_next(store);
}
