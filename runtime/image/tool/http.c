/* runtime/image/tool/http.c – see http.h. */
#include "runtime/image/tool/http.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/text.h"

#define REDIRECTS_COUNT   10
#define HEADER_SIZE_BYTES (8 * KIB) /* one line that we keep */

struct http {
    CURL *curl;
};

struct transfer {
    struct http *http;
    const struct http_request *request;
    struct http_response *response;
    bool has_begun;
    struct error failure;
};

int http_new(struct http **out, struct error *err)
{
    CURL *curl = curl_easy_init();
    if (!curl)
        return error_set(err, ERR_INTERNAL, "libcurl does not start");
    *out = mem_alloc(sizeof **out);
    (*out)->curl = curl;
    return 0;
}

void http_free(struct http *http)
{
    if (!http)
        return;
    curl_easy_cleanup(http->curl);
    free(http);
}

void http_response_deinit(struct http_response *response)
{
    free(response->content_type);
    free(response->location);
    free(response->challenges);
    buf_deinit(&response->problem);
    memset(response, 0, sizeof *response);
}

static char *url_part(const char *url, CURLUPart part)
{
    CURLU *parsed = curl_url();
    char *text = NULL, *copy = NULL;
    if (curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK && curl_url_get(parsed, part, &text, CURLU_DEFAULT_PORT) == CURLUE_OK)
        copy = mem_string(text);
    curl_free(text);
    curl_url_cleanup(parsed);
    return copy;
}

static void lower(char *text)
{
    for (; text && *text; text++)
        *text = (char)tolower((unsigned char)*text);
}

char *http_host(const char *url)
{
    char *host = url_part(url, CURLUPART_HOST);
    size_t length = host ? strlen(host) : 0;
    lower(host);
    if (length > 2 && host[0] == '[') {
        memmove(host, host + 1, length - 2);
        host[length - 2] = '\0';
    }
    return host;
}

char *http_origin(const char *url)
{
    cleanup_free char *scheme = url_part(url, CURLUPART_SCHEME), *host = http_host(url), *port = url_part(url, CURLUPART_PORT);
    lower(scheme);
    if (!scheme || !host || !port || (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
        return NULL;
    return mem_format("%s://%s:%s", scheme, host, port);
}

bool http_host_is_loopback(const char *host)
{
    if (text_equal(host, "localhost") || text_equal(host, "::1"))
        return true;
    if (!text_starts(host, "127."))
        return false;
    return strspn(host, "0123456789.") == strlen(host); /* "127.example.com" is a name like any other */
}

char *http_escape(const char *text)
{
    char *escaped = curl_easy_escape(NULL, text, (int)strlen(text)), *copy = mem_string(escaped ? escaped : "");
    curl_free(escaped);
    return copy;
}

/* --- one transfer -------------------------------------------------------------------------------------------------------------------- */

static void keep(char **place, const char *value, size_t length)
{
    free(*place);
    *place = mem_string_n(value, length);
}

static void keep_challenge(struct http_response *response, const char *value, size_t length)
{
    char *joined = response->challenges ? mem_format("%s\n%.*s", response->challenges, (int)length, value) : mem_string_n(value, length);
    if (strlen(joined) > HEADER_SIZE_BYTES) {
        free(joined);
        return;
    }
    free(response->challenges);
    response->challenges = joined;
}

static int64_t number_in(const char *value, size_t length)
{
    char digits[24];
    size_t count = strspn(value, "0123456789");
    if (count == 0 || count >= sizeof digits || count > length)
        return -1;
    memcpy(digits, value, count);
    digits[count] = '\0';
    int64_t number;
    return text_parse_i64(digits, 0, INT64_MAX, &number, NULL) < 0 ? -1 : number;
}

static void take_header(struct http_response *response, const char *name, size_t name_length, const char *value, size_t length)
{
#define IS(text) (name_length == strlen(text) && strncasecmp(name, text, name_length) == 0)
    if (IS("content-type"))
        keep(&response->content_type, value, length);
    else if (IS("location"))
        keep(&response->location, value, length);
    else if (IS("www-authenticate"))
        keep_challenge(response, value, length);
    else if (IS("content-length"))
        response->content_length = number_in(value, length);
    else if (IS("content-range") && length > 6 && strncasecmp(value, "bytes ", 6) == 0)
        response->range_from = number_in(value + 6, length - 6);
    else if (IS("retry-after"))
        response->retry_after_s = number_in(value, length);
#undef IS
}

static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
    struct transfer *transfer = ctx;
    size_t length = size * count;
    if (length > HEADER_SIZE_BYTES)
        return length;
    cleanup_free char *copy = mem_string_n(line, length);
    if (text_starts(copy, "HTTP/")) { /* a new answer: what an interim one (100) or a proxy said is over */
        struct buf problem = transfer->response->problem;
        transfer->response->problem = (struct buf){0};
        http_response_deinit(transfer->response);
        *transfer->response = (struct http_response){.content_length = -1, .range_from = -1, .retry_after_s = -1, .problem = problem};
        return length;
    }
    char *colon = strchr(copy, ':');
    if (!colon)
        return length;
    char *value = colon + 1 + strspn(colon + 1, " \t");
    size_t value_length = strcspn(value, "\r\n");
    value[value_length] = '\0';
    take_header(transfer->response, copy, (size_t)(colon - copy), value, value_length);
    return length;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct transfer *transfer = ctx;
    const struct http_request *request = transfer->request;
    size_t length = size * count;
    curl_easy_getinfo(transfer->http->curl, CURLINFO_RESPONSE_CODE, &transfer->response->status);
    if (transfer->response->status / 100 != 2) {
        struct buf *problem = &transfer->response->problem;
        size_t room = problem->size < IMAGE_PROBLEM_SIZE_BYTES ? IMAGE_PROBLEM_SIZE_BYTES - problem->size : 0;
        buf_append(problem, data, length < room ? length : room);
        return length;
    }
    if (!transfer->has_begun && request->on_begin && request->on_begin(request->ctx, transfer->response, &transfer->failure) < 0)
        return 0;
    transfer->has_begun = true;
    if (request->on_body && request->on_body(request->ctx, data, length, &transfer->failure) < 0)
        return 0;
    return length;
}

static int on_tick(void *ctx, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now)
{
    const struct transfer *transfer = ctx;
    (void)total;
    (void)now;
    (void)up_total;
    (void)up_now;
    return transfer->request->is_canceled && atomic_load(transfer->request->is_canceled);
}

static struct curl_slist *headers_of(const struct http_request *request, bool with_authorization)
{
    struct curl_slist *headers = NULL;
    if (with_authorization && request->authorization) {
        char *line = mem_format("Authorization: %s", request->authorization);
        headers = curl_slist_append(headers, line);
        mem_wipe(line, strlen(line));
        free(line);
    }
    if (request->accept) {
        cleanup_free char *line = mem_format("Accept: %s", request->accept);
        headers = curl_slist_append(headers, line);
    }
    /* An unpacked answer would not match its digest. */
    return curl_slist_append(headers, "Accept-Encoding: identity");
}

static void wipe_headers(struct curl_slist *headers)
{
    for (struct curl_slist *line = headers; line; line = line->next)
        mem_wipe(line->data, strlen(line->data));
    curl_slist_free_all(headers);
}

static void set_options(struct transfer *transfer, const char *url, struct curl_slist *headers)
{
    CURL *curl = transfer->http->curl;
    const struct http_request *request = transfer->request;
    cleanup_free char *host = http_host(url);
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "skep/" SKEP_VERSION);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)IMAGE_CONNECT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)IMAGE_STALL_TIMEOUT_MS / 1000);
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, (long)(128 * KIB));
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_tick);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, transfer);
    curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (http_host_is_loopback(host))
        curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_SSL_OPTIONS, (long)CURLSSLOPT_NATIVE_CA); /* Windows keeps its trust in no file */
    if (request->ca_file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, request->ca_file);
    if (request->any_certificate) {
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (request->form)
        curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, request->form);
    if (request->range_from > 0) {
        cleanup_free char *range = mem_format("%lld-", (long long)request->range_from);
        curl_easy_setopt(curl, CURLOPT_RANGE, range);
    }
}

static int transfer_failed(struct transfer *transfer, CURLcode code, const char *url, const char *detail, struct error *err)
{
    cleanup_free char *origin = http_origin(url);
    const char *why = *detail ? detail : curl_easy_strerror(code), *whom = origin ? origin : url;
    if (transfer->failure.code) {
        *err = transfer->failure;
        return err->code;
    }
    switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:
        return error_set(err, ERR_CANCELED, "given up");
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return error_set(err, ERR_TRUST, "%s: its certificate is not trusted: %s", whom, why);
    case CURLE_OPERATION_TIMEDOUT:
        return error_set(err, ERR_DEADLINE, "%s: %s", whom, why);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return error_set(err, ERR_PEER, "%.200s: %s", url, why);
    default:
        return error_set(err, ERR_UNAVAILABLE, "%s cannot be reached: %s", whom, why);
    }
}

static int perform_once(struct transfer *transfer, const char *url, bool with_authorization, struct error *err)
{
    char detail[CURL_ERROR_SIZE] = "";
    CURL *curl = transfer->http->curl;
    struct curl_slist *headers = headers_of(transfer->request, with_authorization);
    set_options(transfer, url, headers);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &transfer->response->status);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, NULL);
    wipe_headers(headers);
    if (code != CURLE_OK)
        return transfer_failed(transfer, code, url, detail, err);
    /* An empty body calls nobody: the answer has begun all the same. */
    if (transfer->response->status / 100 == 2 && !transfer->has_begun && transfer->request->on_begin)
        return transfer->request->on_begin(transfer->request->ctx, transfer->response, err);
    return 0;
}

static bool is_redirect(const struct http_response *response)
{
    return response->location && (response->status == 301 || response->status == 302 || response->status == 303 ||
                                  response->status == 307 || response->status == 308);
}

static char *resolve(const char *base, const char *location)
{
    CURLU *url = curl_url();
    char *text = NULL, *copy = NULL;
    if (curl_url_set(url, CURLUPART_URL, base, 0) == CURLUE_OK && curl_url_set(url, CURLUPART_URL, location, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_URL, &text, 0) == CURLUE_OK)
        copy = mem_string(text);
    curl_free(text);
    curl_url_cleanup(url);
    return copy;
}

/* Where the redirect leads, if we go there. */
static int next_url(const struct http_request *request, const char *from, const char *location, char **out, struct error *err)
{
    cleanup_free char *url = resolve(from, location), *origin = url ? http_origin(url) : NULL;
    if (!origin)
        return error_set(err, ERR_PEER, "%.200s redirects to what is no http or https address", from);
    if (text_starts(from, "https:") && text_starts(origin, "http:") && !request->may_downgrade)
        return error_set(err, ERR_PEER, "%.200s redirects from https to http: not followed", from);
    *out = steal(&url);
    return 0;
}

int http_perform(struct http *http, const struct http_request *request, struct http_response *response, struct error *err)
{
    cleanup_free char *url = mem_string(request->url), *first_origin = http_origin(request->url);
    memset(response, 0, sizeof *response);
    for (int redirects = 0; redirects <= REDIRECTS_COUNT; redirects++) {
        struct transfer transfer = {.http = http, .request = request, .response = response};
        cleanup_free char *origin = http_origin(url);
        http_response_deinit(response);
        response->content_length = response->range_from = response->retry_after_s = -1;
        int failed = perform_once(&transfer, url, text_equal(origin, first_origin), err);
        if (failed < 0 || !is_redirect(response) || request->form)
            return failed;
        char *next = NULL;
        failed = next_url(request, url, response->location, &next, err);
        if (failed < 0)
            return failed;
        free(url);
        url = next;
    }
    return error_set(err, ERR_PEER, "%s: more than %d redirects", request->url, REDIRECTS_COUNT);
}
