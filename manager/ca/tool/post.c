/* manager/ca/tool/post.c – see post.h. */
#include "manager/ca/tool/post.h"

#include <curl/curl.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "manager/ca/external.h"

struct transfer {
    CURL *curl;
    struct curl_slist *headers;
    char reason[CURL_ERROR_SIZE];
    struct buf *body;
    struct error failure; /* of our own: beyond the limit */
};

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct transfer *transfer = ctx;
    return buf_append_checked(transfer->body, data, size * count, &transfer->failure) < 0 ? 0 : size * count;
}

static void set_pem(CURL *curl, CURLoption option, struct bytes pem)
{
    struct curl_blob blob = {.data = (void *)(uintptr_t)pem.data, .len = pem.size, .flags = CURL_BLOB_COPY};
    curl_easy_setopt(curl, option, &blob);
}

static void set_trust(CURL *curl, const struct external_job *job)
{
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(curl, CURLOPT_CAPATH, NULL); /* the host's own trust says nothing here */
    curl_easy_setopt(curl, CURLOPT_CAINFO, NULL);
    set_pem(curl, CURLOPT_CAINFO_BLOB, job->roots_pem);
    set_pem(curl, CURLOPT_SSLCERT_BLOB, job->chain_pem);
    set_pem(curl, CURLOPT_SSLKEY_BLOB, job->key_pem);
}

static void set_request(struct transfer *transfer, const struct external_job *job)
{
    CURL *curl = transfer->curl;
    if (!job->body) {
        curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
        return;
    }
    transfer->headers = curl_slist_append(transfer->headers, "Content-Type: application/json");
    transfer->headers = curl_slist_append(transfer->headers, "Expect:"); /* a request is small: no question in advance */
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, transfer->headers);
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(job->body));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, job->body);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
}

static void set_way(struct transfer *transfer, const char *url)
{
    CURL *curl = transfer->curl;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)CA_EXTERNAL_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, transfer->reason);
}

static int code_of(CURLcode result)
{
    switch (result) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
        return ERR_TRUST;
    case CURLE_OPERATION_TIMEDOUT:
        return ERR_DEADLINE;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return ERR_INVALID;
    default:
        return ERR_UNAVAILABLE;
    }
}

static int judge(struct transfer *transfer, const char *url, CURLcode result, bool has_answer, struct error *err)
{
    long status = 0;
    if (transfer->failure.code < 0)
        return error_set(err, ERR_LIMIT, "external CA %s: its answer has more than %u bytes", url, CA_EXTERNAL_RESPONSE_BYTES);
    if (result != CURLE_OK)
        return error_set(err, code_of(result), "external CA %s: %s", url,
                         text_empty(transfer->reason) ? curl_easy_strerror(result) : transfer->reason);
    curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
    if (has_answer && status != 200)
        return error_set(err, ERR_AGAIN, "external CA %s: it answered with status %ld", url, status);
    return 0;
}

int external_post(const char *url, const struct external_job *job, struct buf *body, struct error *err)
{
    struct buf answer = {.limit = CA_EXTERNAL_RESPONSE_BYTES};
    struct transfer transfer = {.curl = curl_easy_init(), .body = &answer};
    if (!transfer.curl)
        return error_set(err, ERR_INTERNAL, "libcurl does not start");
    set_way(&transfer, url);
    set_trust(transfer.curl, job);
    set_request(&transfer, job);
    int failed = judge(&transfer, url, curl_easy_perform(transfer.curl), job->body != NULL, err);
    if (failed == 0)
        buf_append(body, answer.data, answer.size);
    curl_easy_cleanup(transfer.curl);
    curl_slist_free_all(transfer.headers);
    buf_deinit(&answer);
    return failed;
}

static int try(const char *url, const struct external_job *job, struct buf *certificate, struct error *err)
{
    cleanup_buf struct buf body = {0};
    int failed = external_post(url, job, &body, err);
    if (failed < 0 || !job->body)
        return failed;
    failed = ca_external_parse(buf_bytes(&body), certificate, err);
    if (failed == 0 && certificate->size > CERTIFICATE_PEM_SIZE_BYTES)
        failed = error_set(err, ERR_PEER, "the certificate has more than %u bytes", CERTIFICATE_PEM_SIZE_BYTES);
    return failed < 0 ? error_wrap(err, "external CA %s", url) : 0;
}

char *external_work(const struct external_job *job)
{
    struct error err = {0};
    for (size_t i = 0; i < job->url_count; i++) {
        cleanup_buf struct buf certificate = {0};
        if (try(job->urls[i], job, &certificate, &err) == 0)
            return external_answer_print(NULL, job->body ? (char *)certificate.data : NULL, job->urls[i]);
    }
    return external_answer_print(&err, NULL, NULL);
}
