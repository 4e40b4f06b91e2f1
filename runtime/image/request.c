/* runtime/image/request.c – the jobs one can ask for: each becomes one JSON document for the tool. */
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "runtime/image/platform.h"
#include "runtime/image/reference.h"
#include "runtime/image/work.h"

static cJSON *document_new(const struct image_store *store, const char *operation)
{
    cJSON *document = cJSON_CreateObject();
    json_add_string(document, "op", operation);
    json_add_string(document, "store", store->dir);
    return document;
}

static void add_platform(cJSON *document, const struct image_platform *platform)
{
    cJSON *object = cJSON_AddObjectToObject(document, "platform");
    json_add_string(object, "os", platform->os);
    json_add_string(object, "architecture", platform->architecture);
    json_add_string(object, "variant", platform->variant);
    json_add_string(object, "osVersion", platform->os_version);
}

static const char *or_else(const char *text, const char *fallback)
{
    return text_empty(text) ? fallback : text;
}

/* What the request leaves open is the host's; the host's variant and version mean nothing for another system or architecture. */
static struct image_platform completed(const struct image_store *store, const struct image_platform *wish)
{
    struct image_platform platform = {.os = or_else(wish->os, store->host.os),
                                      .architecture = image_architecture_normal(or_else(wish->architecture, store->host.architecture))};
    bool is_hosts_os = text_equal(platform.os, store->host.os);
    bool is_hosts_machine = strcmp(platform.architecture, image_architecture_normal(store->host.architecture)) == 0;
    platform.variant = or_else(wish->variant, is_hosts_machine ? store->host.variant : NULL);
    platform.os_version = or_else(wish->os_version, is_hosts_os ? store->host.os_version : NULL);
    return platform;
}

static void wipe(char **text)
{
    if (*text)
        mem_wipe(*text, strlen(*text));
    free(*text);
}

/* Printed without cJSON's growing buffer being left behind with the credentials in it: cJSON frees those it outgrows unwiped, so the
 * credentials are put in afterwards. They are base64, which needs no escaping; anything else is refused before. */
static char *with_auth(const cJSON *document, const char *auth)
{
    cleanup_free char *text = json_print(document);
    size_t length = strlen(text);
    return mem_format("%.*s,\"registryAuth\":\"%s\"}", (int)length - 1, text, auth);
}

/* @platform NULL: none is wanted. */
static char *registry_request(const struct image_store *store, const char *operation, const char *reference,
                              const struct image_platform *platform, const char *auth)
{
    cleanup_json cJSON *document = document_new(store, operation);
    json_add_string(document, "reference", reference);
    json_add_string(document, "certsDir", store->certs_dir);
    json_add_strings(document, "insecureRegistries", (char *const *)(uintptr_t)store->insecure_registries.items,
                     store->insecure_registries.count);
    if (platform)
        add_platform(document, platform);
    return with_auth(document, auth);
}

static struct image_work *find_same(const struct image_store *store, const char *key)
{
    for (struct image_work *work = store->works; work; work = work->next)
        if (text_equal(work->key, key) && work->failure.code == 0)
            return work;
    return NULL;
}

/* A hash, so that the key holds no credentials. */
static char *key_of(const char *request)
{
    uint8_t hash[SHA256_SIZE_BYTES];
    char hex[2 * SHA256_SIZE_BYTES + 1];
    sha256(bytes_of_string(request), hash);
    encode_hex(bytes_of(hash, sizeof hash), hex);
    return mem_string(hex);
}

static bool is_here(struct image_store *store, const struct image_reference *reference, const char *name,
                    const struct image_platform *platform)
{
    cleanup_image struct image image = {0};
    struct error ignored;
    return reference->digest[0] && image_find(store, name, platform, &image, &ignored) == 0;
}

static struct image_job *join_pull(struct image_work *work, image_progress_cb on_progress, image_pulled_cb on_done, void *ctx)
{
    struct image_job *job = image_work_join(work, ctx);
    job->on_progress = on_progress;
    job->on_pulled = on_done;
    return job;
}

static int new_pull(struct image_store *store, char *request, const char *reference, const struct image_platform *platform,
                    struct image_work **out, struct error *err)
{
    struct image_work *work;
    int failed = image_work_new(store, request, false, &work, err);
    if (failed < 0)
        return failed;
    work->reference = mem_string(reference);
    work->platform =
        (struct image_platform){arena_string(&work->arena, platform->os), arena_string(&work->arena, platform->architecture),
                                arena_string(&work->arena, platform->variant), arena_string(&work->arena, platform->os_version)};
    *out = work;
    return 0;
}

static bool is_base64(const char *text)
{
    return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=") == strlen(text);
}

static int check_request(const char *name, const char *auth, struct image_reference *reference, struct error *err)
{
    int failed = image_reference_parse(name, reference, err);
    if (failed < 0)
        return failed;
    if (strlen(auth) > IMAGE_AUTH_SIZE_BYTES || !is_base64(auth))
        return error_set(err, ERR_INVALID, "the registry credentials are not base64 of at most %u bytes", IMAGE_AUTH_SIZE_BYTES);
    return 0;
}

int image_pull(struct image_store *store, const struct image_pull_request *request, image_progress_cb on_progress, image_pulled_cb on_done,
               void *ctx, struct image_job **out, struct error *err)
{
    struct image_reference reference;
    const char *auth = request->registry_auth ? request->registry_auth : "";
    int failed = check_request(request->reference, auth, &reference, err);
    if (failed < 0)
        return failed;
    struct image_platform platform = completed(store, &request->platform);
    __attribute__((cleanup(wipe))) char *text = registry_request(store, "pull", request->reference, &platform, auth);
    cleanup_free char *key = key_of(text);
    struct image_work *work = find_same(store, key);
    if (work) {
        *out = join_pull(work, on_progress, on_done, ctx);
        return 0;
    }
    failed = new_pull(store, steal(&text), request->reference, &platform, &work, err);
    if (failed < 0)
        return failed;
    work->key = steal(&key);
    *out = join_pull(work, on_progress, on_done, ctx);
    if (is_here(store, &reference, request->reference, &platform))
        image_work_settle(work, NULL);
    else
        image_work_start(work);
    return 0;
}

int image_resolve(struct image_store *store, const char *reference, const char *registry_auth, image_done_cb on_done, void *ctx,
                  struct image_job **out, struct error *err)
{
    struct image_reference parsed;
    const char *auth = registry_auth ? registry_auth : "";
    int failed = check_request(reference, auth, &parsed, err);
    if (failed < 0)
        return failed;
    __attribute__((cleanup(wipe))) char *text = registry_request(store, "resolve", reference, NULL, auth);
    cleanup_free char *key = key_of(text);
    struct image_work *work = find_same(store, key);
    bool is_new = work == NULL;
    failed = is_new ? image_work_new(store, steal(&text), false, &work, err) : 0;
    if (failed < 0)
        return failed;
    if (is_new)
        work->key = steal(&key);
    work->is_resolve = true;
    *out = image_work_join(work, ctx);
    (*out)->on_done = on_done;
    if (is_new)
        image_work_start(work);
    return 0;
}

enum job_kind { JOB_PLAIN, JOB_TAKES_ARCHIVE, JOB_REMOVES };

static int start(struct image_store *store, const cJSON *document, enum job_kind kind, image_progress_cb on_progress, image_done_cb on_done,
                 void *ctx, struct image_job **out, struct error *err)
{
    struct image_work *work;
    int failed = image_work_new(store, json_print(document), kind == JOB_TAKES_ARCHIVE, &work, err);
    if (failed < 0)
        return failed;
    work->removes = kind == JOB_REMOVES;
    struct image_job *job = image_work_join(work, ctx);
    job->on_progress = on_progress;
    job->on_done = on_done;
    *out = job;
    image_work_start(work);
    return 0;
}

int image_load(struct image_store *store, const char *path, image_progress_cb on_progress, image_done_cb on_done, void *ctx,
               struct image_job **out, struct error *err)
{
    cleanup_json cJSON *document = document_new(store, "load");
    json_add_string(document, "path", path);
    add_platform(document, &store->host);
    return start(store, document, path == NULL ? JOB_TAKES_ARCHIVE : JOB_PLAIN, on_progress, on_done, ctx, out, err);
}

int image_remove(struct image_store *store, const char *reference, bool force, image_done_cb on_done, void *ctx, struct image_job **out,
                 struct error *err)
{
    cleanup_json cJSON *document = document_new(store, "remove");
    json_add_string(document, "reference", reference);
    cJSON_AddBoolToObject(document, "force", force);
    return start(store, document, JOB_REMOVES, NULL, on_done, ctx, out, err);
}

int image_tag(struct image_store *store, const char *reference, const char *new_name, image_done_cb on_done, void *ctx,
              struct image_job **out, struct error *err)
{
    cleanup_json cJSON *document = document_new(store, "tag");
    json_add_string(document, "reference", reference);
    json_add_string(document, "name", new_name);
    return start(store, document, JOB_PLAIN, NULL, on_done, ctx, out, err);
}

int image_gc(struct image_store *store, enum image_gc_scope scope, image_done_cb on_done, void *ctx, struct image_job **out,
             struct error *err)
{
    cleanup_json cJSON *document = document_new(store, "gc");
    cJSON_AddBoolToObject(document, "all", scope == IMAGE_GC_UNUSED);
    cJSON_AddBoolToObject(document, "superseded", scope == IMAGE_GC_SUPERSEDED);
    cJSON_AddBoolToObject(document, "waits", scope != IMAGE_GC_SUPERSEDED);
    return start(store, document, JOB_REMOVES, NULL, on_done, ctx, out, err);
}
