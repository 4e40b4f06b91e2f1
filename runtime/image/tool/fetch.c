/* runtime/image/tool/fetch.c – one blob from a registry into the store. What arrived stays in partial/ when the connection breaks, and the
 * next try, also of a later run, asks only for the rest. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "runtime/image/layout.h"
#include "runtime/image/tool/blob.h"
#include "runtime/image/tool/registry.h"
#include "runtime/image/tool/report.h"

struct fetch {
    struct registry *registry;
    const struct image_descriptor *blob;
    const char *shown;
    struct blob_writer writer;
    uint64_t last_progress_ns;
    bool is_resumed; /* some of it is from an earlier run */
};

/* The server goes on where we asked, or starts anew because it does not know ranges. */
static int on_begin(void *ctx, const struct http_response *response, struct error *err)
{
    struct fetch *fetch = ctx;
    uint64_t have = fetch->writer.size_bytes;
    if (response->status == 206) {
        if (response->range_from == (int64_t)have)
            return 0;
        return error_set(err, ERR_PEER, "the registry sends bytes from %lld, asked were those from %llu", (long long)response->range_from,
                         (unsigned long long)have);
    }
    return have > 0 ? blob_writer_restart(&fetch->writer, err) : 0;
}

static int on_body(void *ctx, const void *data, size_t size, struct error *err)
{
    struct fetch *fetch = ctx;
    uint64_t total = (uint64_t)fetch->blob->size_bytes;
    if (fetch->writer.size_bytes + size > total)
        return error_set(err, ERR_CORRUPT, "the registry sends more than the %llu bytes that the manifest says", (unsigned long long)total);
    int failed = blob_writer_write(&fetch->writer, data, size, err);
    if (fetch->shown)
        report_progress(fetch->shown, "Downloading", fetch->writer.size_bytes, total, &fetch->last_progress_ns);
    return failed;
}

static struct http_request request_of(struct fetch *fetch)
{
    return (struct http_request){.range_from = (int64_t)fetch->writer.size_bytes, .on_begin = on_begin, .on_body = on_body, .ctx = fetch};
}

static int judge(struct fetch *fetch, const struct http_response *response, const char *what, struct error *err)
{
    if (response->status == 416) /* our part is longer than their whole */
        return blob_writer_restart(&fetch->writer, err) < 0 ? err->code : error_set(err, ERR_AGAIN, "%s: the range is refused", what);
    if (response->status != 200 && response->status != 206)
        return registry_problem(response, what, err);
    if (fetch->writer.size_bytes < (uint64_t)fetch->blob->size_bytes)
        return error_set(err, ERR_UNAVAILABLE, "%s: the connection ended after %llu of %lld bytes", what,
                         (unsigned long long)fetch->writer.size_bytes, (long long)fetch->blob->size_bytes);
    return 0;
}

static int from_registry(struct fetch *fetch, struct http *http, struct http_response *response, struct error *err)
{
    cleanup_free char *url = mem_format("%s/blobs/%s", registry_base_url(fetch->registry), fetch->blob->digest);
    cleanup_free char *what = mem_format("blob %s", fetch->blob->digest);
    struct http_request request = request_of(fetch);
    int failed = registry_get(fetch->registry, http, url, &request, response, err);
    return failed < 0 ? error_wrap(err, "%s", what) : judge(fetch, response, what, err);
}

/* One of a foreign layer's own addresses: no credentials go there, and http only to where a registry may speak it too. */
static int from_address(struct fetch *fetch, struct http *http, const char *url, struct http_response *response, struct error *err)
{
    struct http_request request = request_of(fetch);
    struct task *task = registry_task(fetch->registry);
    bool is_insecure = registry_may_be_insecure(task, url);
    if (!text_starts(url, "https://") && !(is_insecure && text_starts(url, "http://")))
        return error_set(err, ERR_PEER, "layer %s: its address is not https: %.200s", fetch->blob->digest, url);
    request.url = url;
    request.any_certificate = is_insecure;
    request.may_downgrade = is_insecure;
    request.is_canceled = &task->is_canceled;
    http_response_deinit(response);
    int failed = http_perform(http, &request, response, err);
    return failed < 0 ? error_wrap(err, "layer %s from %.200s", fetch->blob->digest, url) : judge(fetch, response, url, err);
}

/* Is the next address worth a try? Not where it is our disk that failed, or where someone wants us to stop. */
static bool is_theirs(int failed)
{
    return failed != 0 && failed != ERR_CANCELED && failed != ERR_IO && failed != ERR_NO_SPACE && failed != ERR_PERMISSION &&
           failed != ERR_UNAUTHENTICATED;
}

static int from_anywhere(struct fetch *fetch, struct http *http, struct http_response *response, struct error *err)
{
    int failed = from_registry(fetch, http, response, err);
    if (failed != ERR_NOT_FOUND || !fetch->blob->is_foreign)
        return failed;
    for (size_t i = 0; is_theirs(failed) && i < fetch->blob->urls.count; i++)
        failed = from_address(fetch, http, fetch->blob->urls.items[i], response, err);
    return failed;
}

/* Tries until it is here; what arrives in between earns new tries. */
static int fetch_all(struct fetch *fetch, struct http *http, struct error *err)
{
    cleanup_http_response struct http_response response = {0};
    for (unsigned tries = 1;; tries++) {
        uint64_t before = fetch->writer.size_bytes;
        int failed =
            fetch->writer.size_bytes == (uint64_t)fetch->blob->size_bytes && before > 0 ? 0 : from_anywhere(fetch, http, &response, err);
        if (failed == 0)
            return 0;
        if (fetch->writer.size_bytes > before)
            tries = 1;
        if (!registry_try_again(err, &response, tries, &registry_task(fetch->registry)->is_canceled))
            return failed;
        report_status(fetch->shown, "Retrying: %s", err->message);
    }
}

static int fetch_checked(struct fetch *fetch, struct http *http, struct error *err)
{
    char found[IMAGE_DIGEST_SIZE_CHARS + 1];
    for (;;) {
        int failed = fetch_all(fetch, http, err);
        if (failed < 0)
            return failed;
        if (fetch->shown)
            report_status(fetch->shown, "Verifying Checksum");
        blob_writer_digest(&fetch->writer, found);
        if (strcmp(found, fetch->blob->digest) == 0)
            return 0;
        /* What an earlier run left may be damaged: once more from the start. */
        failed = blob_writer_restart(&fetch->writer, err);
        if (failed < 0)
            return failed;
        if (!fetch->is_resumed)
            return error_set(err, ERR_CORRUPT, "wrong digest: the registry sent %s for the blob %s", found, fetch->blob->digest);
        fetch->is_resumed = false;
    }
}

int registry_blob(struct registry *registry, struct http *http, const struct image_descriptor *blob, const char *shown, struct error *err)
{
    struct fetch fetch = {.registry = registry, .blob = blob, .shown = shown};
    const char *dir = registry_task(registry)->dir;
    if (blob->size_bytes > (int64_t)IMAGE_BLOB_SIZE_BYTES)
        return error_set(err, ERR_LIMIT, "blob %s has %lld bytes: more than %llu", blob->digest, (long long)blob->size_bytes,
                         (unsigned long long)IMAGE_BLOB_SIZE_BYTES);
    cleanup_free char *partial = image_partial_path(dir, blob->digest);
    int failed = blob_writer_open(&fetch.writer, partial, true, err);
    if (failed < 0)
        return failed;
    fetch.is_resumed = fetch.writer.size_bytes > 0;
    if (fetch.writer.size_bytes > (uint64_t)blob->size_bytes)
        failed = blob_writer_restart(&fetch.writer, err);
    if (failed == 0)
        failed = fetch_checked(&fetch, http, err);
    if (failed == 0)
        failed = blob_writer_commit(&fetch.writer, dir, blob->digest, err);
    blob_writer_close(&fetch.writer);
    if (failed == ERR_CORRUPT || failed == ERR_NO_SPACE) /* to be resumed it would have to fit; meanwhile others need the room */
        file_remove(partial, NULL);
    return failed;
}
