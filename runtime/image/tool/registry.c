/* runtime/image/tool/registry.c – see registry.h. Blobs are fetch.c's. */
#include "runtime/image/tool/registry.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/text.h"
#include "runtime/image/defaults.h"
#include "runtime/image/tool/blob.h"
#include "runtime/image/tool/challenge.h"

#define ACCEPT IMAGE_MEDIA_DOCKER_MANIFEST ", " IMAGE_MEDIA_DOCKER_LIST ", " IMAGE_MEDIA_OCI_MANIFEST ", " IMAGE_MEDIA_OCI_INDEX ", */*"

struct registry {
    struct task *task;
    struct image_reference reference;
    const char *host; /* with port */
    char *origin;     /* "https://host" */
    char *base_url;
    char *ca_file;
    bool is_insecure; /* loopback or configured: http or any certificate */
    struct credentials credentials;
    struct challenge challenge;
    uv_mutex_t lock;     /* for authorization */
    char *authorization; /* the present header value; NULL: none */
    unsigned generation; /* of the authorization: who got 401 with an older one just uses the new one */
};

const char *registry_base_url(const struct registry *registry)
{
    return registry->base_url;
}

struct task *registry_task(const struct registry *registry)
{
    return registry->task;
}

/* --- what goes wrong ----------------------------------------------------------------------------------------------------------------- */

/* "MANIFEST_UNKNOWN" as "manifest unknown". */
static void code_in_words(const char *code, char *out, size_t size)
{
    size_t i = 0;
    for (; code[i] && i + 1 < size; i++)
        out[i] = (char)(code[i] == '_' ? ' ' : code[i] >= 'A' && code[i] <= 'Z' ? code[i] + 32 : code[i]);
    out[i] = '\0';
}

/* The registry's first error as "code: message", in printable characters only. */
static char *own_words(const struct http_response *response)
{
    cleanup_json cJSON *json = NULL;
    char code[64];
    json_parse(buf_bytes(&response->problem), IMAGE_PROBLEM_SIZE_BYTES, &json, NULL);
    const cJSON *first = cJSON_GetArrayItem(json_array(json, "errors"), 0);
    if (!first)
        return mem_format("HTTP %ld", response->status);
    code_in_words(json_string(first, "code", ""), code, sizeof code);
    const char *message = json_string(first, "message", "");
    char *words = strcmp(message, code) == 0 || !*message ? mem_string(code) : mem_format("%s: %.300s", code, message);
    for (char *c = words; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
    return words;
}

int registry_problem(const struct http_response *response, const char *what, struct error *err)
{
    cleanup_free char *words = own_words(response);
    switch (response->status) {
    case 401:
        return error_set(err, ERR_UNAUTHENTICATED, "%s: %s%s", what, text_starts(words, "unauthorized") ? "" : "unauthorized: ", words);
    case 403:
        return error_set(err, ERR_PERMISSION, "%s: %s%s", what, text_starts(words, "denied") ? "" : "denied: ", words);
    case 404:
        return error_set(err, ERR_NOT_FOUND, "%s not found: %s", what, words);
    case 408:
    case 429:
        return error_set(err, ERR_AGAIN, "%s: the registry asks us to wait: %s", what, words);
    default:
        if (response->status >= 500)
            return error_set(err, ERR_UNAVAILABLE, "%s: the registry failed: %s", what, words);
        return error_set(err, ERR_PEER, "%s: the registry answered %s", what, words);
    }
}

static bool passes_by_itself(int code)
{
    return code == ERR_UNAVAILABLE || code == ERR_DEADLINE || code == ERR_AGAIN;
}

bool registry_try_again(const struct error *err, const struct http_response *response, unsigned tries, const atomic_bool *is_canceled)
{
    struct random random = random_system();
    if (!passes_by_itself(err->code) || tries >= IMAGE_TRIES_COUNT)
        return false;
    uint64_t wait_ms = 500ull << (tries > 5 ? 4 : tries - 1);
    wait_ms = wait_ms > 8000 ? 8000 : wait_ms;
    if (response->retry_after_s >= 0 && (response->status == 429 || response->status == 503))
        wait_ms = (uint64_t)(response->retry_after_s > 30 ? 30 : response->retry_after_s) * 1000;
    wait_ms += random_below(&random, wait_ms / 4 + 1);
    for (; wait_ms > 0; wait_ms -= wait_ms < 100 ? wait_ms : 100) {
        if (is_canceled && atomic_load(is_canceled))
            return false;
        uv_sleep(wait_ms < 100 ? (unsigned)wait_ms : 100);
    }
    return true;
}

/* --- who may speak http -------------------------------------------------------------------------------------------------------------- */

/* "10.0.0.0/8" and the like, for IPv4 addresses. */
static bool is_in_network(const char *host, const char *network)
{
    struct in_addr address, start;
    char text[32];
    int64_t bits;
    const char *slash = strchr(network, '/');
    if (!slash || (size_t)(slash - network) >= sizeof text || text_parse_i64(slash + 1, 0, 32, &bits, NULL) < 0)
        return false;
    memcpy(text, network, (size_t)(slash - network));
    text[slash - network] = '\0';
    if (uv_inet_pton(AF_INET, host, &address) != 0 || uv_inet_pton(AF_INET, text, &start) != 0)
        return false;
    uint32_t mask = bits == 0 ? 0 : UINT32_MAX << (32 - bits);
    return ((ntohl(address.s_addr) ^ ntohl(start.s_addr)) & mask) == 0;
}

static bool may_be_insecure(const struct task *task, const char *host_and_port)
{
    cleanup_free char *url = mem_format("http://%s/", host_and_port), *host = http_host(url);
    if (http_host_is_loopback(host))
        return true;
    for (size_t i = 0; i < task->insecure_registries.count; i++) {
        const char *entry = task->insecure_registries.items[i];
        if (strcmp(entry, host_and_port) == 0 || text_equal(entry, host) || (host && is_in_network(host, entry)))
            return true;
    }
    return false;
}

bool registry_may_be_insecure(const struct task *task, const char *url)
{
    cleanup_free char *origin = http_origin(url);
    const char *host_and_port = origin ? strstr(origin, "://") : NULL;
    return host_and_port && may_be_insecure(task, host_and_port + 3);
}

/* --- authorization ------------------------------------------------------------------------------------------------------------------- */

static void set_authorization(struct registry *registry, char *value)
{
    if (registry->authorization)
        mem_wipe(registry->authorization, strlen(registry->authorization));
    free(registry->authorization);
    registry->authorization = value;
    registry->generation++;
}

static int take_token(const struct http_response *response, const struct buf *body, char **out, struct error *err)
{
    cleanup_json cJSON *json = NULL;
    if (response->status != 200)
        return registry_problem(response, "token service", err);
    if (json_parse(buf_bytes(body), IMAGE_TOKEN_SIZE_BYTES, &json, NULL) < 0)
        return error_set(err, ERR_PEER, "the token service's answer is not JSON");
    const char *token = json_string(json, "token", json_string(json, "access_token", ""));
    for (const char *c = token; *c; c++)
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 127)
            token = "";
    if (*token == '\0')
        return error_set(err, ERR_PEER, "the token service gave no token");
    *out = mem_format("Bearer %s", token);
    return 0;
}

static int append_body(void *ctx, const void *data, size_t size, struct error *err)
{
    return buf_append_checked(ctx, data, size, err);
}

/* Credentials travel only where nobody listens. */
static int check_realm(const struct registry *registry, struct error *err)
{
    cleanup_free char *origin = http_origin(registry->challenge.realm), *host = http_host(registry->challenge.realm);
    bool has_credentials = registry->credentials.username || registry->credentials.identity_token;
    if (!origin)
        return error_set(err, ERR_PEER, "%s names no usable token service: %.200s", registry->host, registry->challenge.realm);
    if (has_credentials && !text_starts(origin, "https:") && !http_host_is_loopback(host))
        return error_set(err, ERR_PERMISSION, "the token service %s does not use https: the credentials are not sent there", origin);
    return 0;
}

static char *token_scope(const struct registry *registry)
{
    return *registry->challenge.scope ? mem_string(registry->challenge.scope) : mem_format("repository:%s:pull", registry->reference.path);
}

static char *token_query(const struct registry *registry)
{
    const struct challenge *challenge = &registry->challenge;
    cleanup_free char *scope = token_scope(registry), *scope_part = http_escape(scope), *service = http_escape(challenge->service);
    cleanup_free char *account = registry->credentials.username ? http_escape(registry->credentials.username) : NULL;
    return mem_format("%s%cscope=%s%s%s%s%s", challenge->realm, strchr(challenge->realm, '?') ? '&' : '?', scope_part,
                      *service ? "&service=" : "", service, account ? "&account=" : "", account ? account : "");
}

static char *token_form(const struct registry *registry)
{
    cleanup_free char *scope = token_scope(registry), *scope_part = http_escape(scope);
    cleanup_free char *service = http_escape(registry->challenge.service), *token = http_escape(registry->credentials.identity_token);
    return mem_format("grant_type=refresh_token&client_id=skep&service=%s&scope=%s&refresh_token=%s", service, scope_part, token);
}

static int ask_token(struct registry *registry, struct http *http, char **out, struct error *err)
{
    int failed = check_realm(registry, err);
    if (failed < 0)
        return failed;
    cleanup_http_response struct http_response response = {0};
    cleanup_buf struct buf body = {.limit = IMAGE_TOKEN_SIZE_BYTES};
    bool by_form = registry->credentials.identity_token != NULL;
    cleanup_free char *basic = by_form ? NULL : credentials_basic(&registry->credentials);
    cleanup_free char *form = by_form ? token_form(registry) : NULL;
    cleanup_free char *url = by_form ? mem_string(registry->challenge.realm) : token_query(registry);
    struct http_request request = {.url = url,
                                   .authorization = basic,
                                   .form = form,
                                   .ca_file = registry->ca_file,
                                   .any_certificate = registry->is_insecure,
                                   .on_body = append_body,
                                   .ctx = &body,
                                   .is_canceled = &registry->task->is_canceled};
    for (unsigned tries = 1;; tries++) {
        http_response_deinit(&response);
        buf_clear(&body);
        failed = http_perform(http, &request, &response, err);
        if (failed == 0)
            failed = take_token(&response, &body, out, err);
        if (failed == 0 || !registry_try_again(err, &response, tries, &registry->task->is_canceled))
            break;
    }
    if (basic)
        mem_wipe(basic, strlen(basic));
    if (form)
        mem_wipe(form, strlen(form));
    return failed;
}

static int new_authorization(struct registry *registry, struct http *http, char **out, struct error *err)
{
    if (registry->credentials.registry_token) {
        *out = mem_format("Bearer %s", registry->credentials.registry_token);
        return 0;
    }
    switch (registry->challenge.scheme) {
    case CHALLENGE_BEARER:
        return ask_token(registry, http, out, err);
    case CHALLENGE_BASIC:
        *out = credentials_basic(&registry->credentials);
        return *out ? 0
                    : error_set(err, ERR_UNAUTHENTICATED, "unauthorized: %s wants a user name and password, and none came with the request",
                                registry->host);
    case CHALLENGE_NONE:
        break;
    }
    return error_set(err, ERR_UNAUTHENTICATED, "unauthorized: %s says no way to identify that we know", registry->host);
}

/* After a 401: an authorization newer than @generation, made now unless another thread has done so. */
static int renew(struct registry *registry, struct http *http, const struct http_response *response, unsigned generation, struct error *err)
{
    char *value = NULL;
    int failed = 0;
    uv_mutex_lock(&registry->lock);
    if (registry->generation == generation) {
        if (response->challenges) {
            challenge_deinit(&registry->challenge);
            challenge_parse(response->challenges, &registry->challenge);
        }
        failed = new_authorization(registry, http, &value, err);
        if (failed == 0)
            set_authorization(registry, value);
    }
    uv_mutex_unlock(&registry->lock);
    return failed;
}

static char *present_authorization(struct registry *registry, unsigned *generation)
{
    uv_mutex_lock(&registry->lock);
    char *value = mem_string(registry->authorization);
    *generation = registry->generation;
    uv_mutex_unlock(&registry->lock);
    return value;
}

int registry_get(struct registry *registry, struct http *http, const char *url, struct http_request *request,
                 struct http_response *response, struct error *err)
{
    request->url = url;
    request->ca_file = registry->ca_file;
    request->any_certificate = registry->is_insecure;
    request->may_downgrade = registry->is_insecure;
    request->is_canceled = &registry->task->is_canceled;
    for (int round = 0;; round++) {
        unsigned generation;
        cleanup_free char *authorization = present_authorization(registry, &generation);
        http_response_deinit(response);
        request->authorization = authorization;
        int failed = http_perform(http, request, response, err);
        if (authorization)
            mem_wipe(authorization, strlen(authorization));
        if (failed < 0 || response->status != 401 || round > 0)
            return failed;
        failed = renew(registry, http, response, generation, err);
        if (failed < 0)
            return failed;
    }
}

/* --- opening ------------------------------------------------------------------------------------------------------------------------- */

static int ping_once(struct registry *registry, struct http *http, const char *scheme, struct http_response *response, struct error *err)
{
    cleanup_free char *url = mem_format("%s://%s/v2/", scheme, registry->host);
    struct http_request request = {.url = url,
                                   .ca_file = registry->ca_file,
                                   .any_certificate = registry->is_insecure,
                                   .may_downgrade = registry->is_insecure,
                                   .is_canceled = &registry->task->is_canceled};
    for (unsigned tries = 1;; tries++) {
        http_response_deinit(response);
        int failed = http_perform(http, &request, response, err);
        if (failed == 0 && (response->status == 429 || response->status >= 500))
            failed = registry_problem(response, registry->host, err);
        /* Nobody there is told at once: the worker's own retry has the longer breath. */
        bool is_nobody_there = failed == ERR_UNAVAILABLE && response->status == 0;
        if (failed == 0 || is_nobody_there || !registry_try_again(err, response, tries, &registry->task->is_canceled))
            return failed;
    }
}

static bool wants_tls(const struct http_response *response)
{
    return response->status == 400 && response->problem.size > 0 && strstr((const char *)response->problem.data, "HTTPS");
}

static int ping(struct registry *registry, struct http *http, struct error *err)
{
    cleanup_http_response struct http_response response = {0};
    const char *scheme = registry->is_insecure ? "http" : "https";
    int failed = ping_once(registry, http, scheme, &response, err);
    if (registry->is_insecure && (wants_tls(&response) || (failed == ERR_UNAVAILABLE && response.status == 0))) {
        struct error second = {0};
        scheme = "https";
        int again = ping_once(registry, http, scheme, &response, &second);
        if (failed == 0 || again == 0) {
            failed = again;
            *err = second;
        }
    }
    if (failed < 0)
        return error_wrap(err, "registry %s", registry->host);
    if (response.status != 200 && response.status != 401)
        return error_wrap((registry_problem(&response, "GET /v2/", err), err), "registry %s", registry->host);
    registry->origin = mem_format("%s://%s", scheme, registry->host);
    registry->base_url = mem_format("%s/v2/%s", registry->origin, registry->reference.path);
    challenge_parse(response.challenges, &registry->challenge);
    free(registry->challenge.scope); /* of /v2/, not of our repository */
    registry->challenge.scope = mem_string("");
    return 0;
}

static char *find_ca_file(const struct task *task, const char *host)
{
    if (text_empty(task->certs_dir))
        return NULL;
    cleanup_free char *name = image_certs_name(host), *path = mem_format("%s/%s/ca.crt", task->certs_dir, name);
    return file_exists(path) ? steal(&path) : NULL;
}

int registry_open(struct task *task, const struct image_reference *reference, struct http *http, struct registry **out, struct error *err)
{
    struct registry *registry = mem_alloc(sizeof *registry);
    registry->task = task;
    registry->reference = *reference;
    registry->host = image_reference_registry(&registry->reference);
    registry->is_insecure = may_be_insecure(task, registry->host);
    registry->ca_file = find_ca_file(task, registry->host);
    uv_mutex_init(&registry->lock);
    int failed = credentials_parse(task->registry_auth, &registry->credentials, err);
    if (task->registry_auth)
        mem_wipe(task->registry_auth, strlen(task->registry_auth));
    if (failed == 0)
        failed = ping(registry, http, err);
    if (failed == 0 && registry->challenge.scheme != CHALLENGE_NONE) {
        struct http_response none = {0};
        failed = renew(registry, http, &none, 0, err);
        if (failed < 0)
            error_wrap(err, "registry %s", registry->host);
    }
    if (failed < 0) {
        registry_close(registry);
        return failed;
    }
    *out = registry;
    return 0;
}

void registry_close(struct registry *registry)
{
    if (!registry)
        return;
    set_authorization(registry, NULL);
    credentials_deinit(&registry->credentials);
    challenge_deinit(&registry->challenge);
    uv_mutex_destroy(&registry->lock);
    free(registry->origin);
    free(registry->base_url);
    free(registry->ca_file);
    free(registry);
}

/* --- manifests and configs ------------------------------------------------------------------------------------------------------------ */

static char *shown_manifest(const struct registry *registry, const char *which)
{
    cleanup_free char *repository = image_reference_repository(&registry->reference);
    return mem_format("manifest for %s%c%s", repository, image_digest_is_valid(which) ? '@' : ':', which);
}

/* What is small enough for memory. @shown begins the message of what the registry refuses. */
struct wanted {
    const char *url, *shown, *accept; /* accept NULL: anything */
    struct buf *out;
};

static int fetch_once(struct registry *registry, struct http *http, const struct wanted *wanted, struct http_response *response,
                      struct error *err)
{
    struct http_request request = {.accept = wanted->accept, .on_body = append_body, .ctx = wanted->out};
    int failed = registry_get(registry, http, wanted->url, &request, response, err);
    if (failed < 0)
        return error_wrap(err, "%s", wanted->shown);
    return response->status == 200 ? 0 : registry_problem(response, wanted->shown, err);
}

/* Tried again on what passes by itself. */
static int fetch(struct registry *registry, struct http *http, const struct wanted *wanted, struct error *err)
{
    cleanup_http_response struct http_response response = {0};
    for (unsigned tries = 1;; tries++) {
        buf_clear(wanted->out);
        int failed = fetch_once(registry, http, wanted, &response, err);
        if (failed == 0 || !registry_try_again(err, &response, tries, &registry->task->is_canceled))
            return failed;
    }
}

static int check_digest(const struct buf *document, const char *kind, const char *digest, struct error *err)
{
    char found[IMAGE_DIGEST_SIZE_CHARS + 1];
    blob_digest_of(buf_bytes(document), found);
    if (strcmp(found, digest) != 0)
        return error_set(err, ERR_CORRUPT, "wrong digest: the registry sent %s for the %s %s", found, kind, digest);
    return 0;
}

int registry_manifest(struct registry *registry, struct http *http, const char *which, struct buf *out, struct error *err)
{
    cleanup_free char *url = mem_format("%s/manifests/%s", registry->base_url, which), *shown = shown_manifest(registry, which);
    out->limit = IMAGE_MANIFEST_SIZE_BYTES;
    int failed = fetch(registry, http, &(struct wanted){url, shown, ACCEPT, out}, err);
    return failed < 0 || !image_digest_is_valid(which) ? failed : check_digest(out, "manifest", which, err);
}

int registry_config(struct registry *registry, struct http *http, const char *digest, struct buf *out, struct error *err)
{
    cleanup_free char *url = mem_format("%s/blobs/%s", registry->base_url, digest), *shown = mem_format("blob %s", digest);
    out->limit = IMAGE_CONFIG_SIZE_BYTES;
    int failed = fetch(registry, http, &(struct wanted){url, shown, NULL, out}, err);
    return failed < 0 ? failed : check_digest(out, "blob", digest, err);
}
